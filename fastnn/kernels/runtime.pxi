# runtime.pxi -- threads, instruction sets, recycled memory: what show_config() and
# set_num_threads() need.

cdef extern from "fastnn.h" nogil:
    enum: FNN_LEVELS
    const char *fnn_level_name(int level)
    int fnn_level_built(int level)
    int fnn_level_runs(int level)
    int fnn_level()
    int fnn_use_level(int level)
    int fnn_num_threads()
    void fnn_set_num_threads(int n)
    int fnn_default_num_threads()
    int fnn_flush_denormal()
    int fnn_set_flush_denormal(int flush)
    ptrdiff_t fnn_l2_bytes()
    void fnn_set_l2_bytes(ptrdiff_t bytes)
    void fnn_buffer_trim()
    size_t fnn_buffer_cached()
    size_t fnn_buffer_in_use()
    void fnn_buffer_set_limit(size_t bytes)
    size_t fnn_buffer_limit()

cdef extern from *:
    """
    #if defined(__clang__)
    #  define FNN_COMPILER "clang " __clang_version__
    #elif defined(__GNUC__)
    #  define FNN_COMPILER "gcc " __VERSION__
    #elif defined(_MSC_VER)
    #  define FNN_STRING_(x) #x
    #  define FNN_STRING(x) FNN_STRING_(x)
    #  define FNN_COMPILER "msvc " FNN_STRING(_MSC_VER)
    #else
    #  define FNN_COMPILER "unknown"
    #endif
    """
    const char *FNN_COMPILER


def compiler() -> str:
    """The C compiler that built this module."""
    return FNN_COMPILER.decode().strip()


def levels() -> dict[str, tuple[bool, bool]]:
    """{name: (built, runs here)} for every instruction-set level, lowest first."""
    return {fnn_level_name(i).decode(): (bool(fnn_level_built(i)), bool(fnn_level_runs(i))) for i in range(FNN_LEVELS)}


def level() -> str:
    """The name of the level in use."""
    return fnn_level_name(fnn_level()).decode()


def use_level(name) -> None:
    """Point every kernel at the level of this name; ValueError if it was not built or cannot run.
    """
    for i in range(FNN_LEVELS):
        if fnn_level_name(i).decode() == name or (name == "portable" and i == 0):
            if fnn_use_level(i):
                return
            break
    usable = [key for key, (_, runs) in levels().items() if runs]
    raise ValueError(f"instruction set {name!r} is not available here; choose one of {', '.join(usable)}")


def best_level() -> str:
    """Use the highest level that runs here, and return its name."""
    cdef int i
    for i in range(FNN_LEVELS - 1, -1, -1):
        if fnn_use_level(i):
            break
    return level()


def num_threads() -> int:
    return fnn_num_threads()


def set_num_threads(int n) -> None:
    fnn_set_num_threads(n)


def default_num_threads() -> int:
    return fnn_default_num_threads()


def flush_denormal() -> bool:
    return bool(fnn_flush_denormal())


def set_flush_denormal(bint flush) -> bool:
    """Whether the processor can do so."""
    return bool(fnn_set_flush_denormal(flush))


def l2_bytes() -> int:
    return fnn_l2_bytes()


def set_l2_bytes(Py_ssize_t nbytes) -> None:
    fnn_set_l2_bytes(nbytes)


def memory_trim() -> None:
    fnn_buffer_trim()


def memory_cached() -> int:
    return fnn_buffer_cached()


def memory_in_use() -> int:
    return fnn_buffer_in_use()


def memory_limit() -> int:
    return fnn_buffer_limit()


def set_memory_limit(size_t nbytes) -> None:
    fnn_buffer_set_limit(nbytes)
