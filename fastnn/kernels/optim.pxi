# optim.pxi -- calls of csrc/optim/optim.c, one for all parameters of one dtype; and the compiled
# glance at the usual case of a step, which Optimizer._plan takes before it looks more closely.

from cpython.dict cimport PyDict_GetItem
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE
from libc.math cimport pow, sqrt

cdef extern from "fastnn.h" nogil:
    enum: FNN_OPTIM_BLOCK


cdef enum: PLAIN = C_CONTIGUOUS | ALIGNED
cdef enum: STEP_WORK = 16                           # a step's time for an element, in multiply-adds


cdef class ArrayTable:
    """Pointers to the arrays of some lists, and their sizes, as the kernels want them.

    A list is a column of the table. All that reaches a kernel's pointers is checked here, once: the
    arrays are float32 or all float64, row i has one size in every column, and what a kernel writes
    is contiguous, aligned, in native byte order and may be written.
    """
    cdef void **data                                # column after column
    cdef Py_ssize_t *size
    cdef Py_ssize_t *block                  # blocks before each array; block[count] is their total
    cdef double *numbers                    # two for each row, for whatever else a kernel wants
    cdef Py_ssize_t count
    cdef Py_ssize_t elements                        # of a column
    cdef int dtype
    cdef list kept                                  # what must stay alive

    def __cinit__(self, tuple columns, Py_ssize_t written):
        """The first `written` columns are those that the kernel writes."""
        cdef Py_ssize_t c, i, size, count = len(columns[0])
        cdef list column
        cdef void *data
        cdef int dtype
        self.count = count
        self.kept = []
        self.dtype = FNN_F32
        # 8 bytes each: pointers, sizes, blocks and one more, numbers
        self.data = <void **>PyMem_Malloc((len(columns) + 4) * (count + 1) * 8)
        if self.data == NULL:
            raise MemoryError()
        self.size = <Py_ssize_t *>(self.data + len(columns) * count)
        self.block = self.size + count
        self.numbers = <double *>(self.block + count + 1)
        self.block[0] = 0
        for c in range(len(columns)):
            column = columns[c]
            if column is None or len(column) != count:
                raise ValueError(f"column {c} of the arrays is no list of {count}")
            for i in range(count):
                a = column[i]
                kept = open_flat(a, &data, &size, &dtype)
                if dtype != FNN_F32 and dtype != FNN_F64:
                    raise TypeError(f"array {i} of column {c} is neither float32 nor float64")
                if c == 0:
                    if i == 0:
                        self.dtype = dtype
                    self.size[i] = size
                    self.elements += size
                    self.block[i + 1] = self.block[i] + fnn_ceil_div(size, FNN_OPTIM_BLOCK)
                if dtype != self.dtype:
                    raise TypeError(f"array {i} of column {c} is of another dtype than the first")
                if size != self.size[i]:
                    raise ValueError(f"array {i} of column {c} has {size} elements, and not {self.size[i]}")
                if c < written and (kept is not a or not may_be_written(a)):
                    raise ValueError("an array that an optimiser changes must be contiguous, aligned, writable and in "
                                     "native byte order")
                self.data[c * count + i] = data
                self.kept.append(kept)

    cdef void **column(self, Py_ssize_t c) noexcept:
        return self.data + c * self.count

    def __dealloc__(self):
        PyMem_Free(self.data)


cdef object open_flat(object a, void **data, Py_ssize_t *size, int *dtype):
    """open_array, of which only the number of elements is wanted and not the shape."""
    cdef const ndarray *f = fields_of(a)
    cdef Array a_
    cdef int i
    if f != NULL and f.flags & PLAIN == PLAIN and (f.descr == <PyObject *>_float32 or f.descr == <PyObject *>_float64):
        data[0] = f.data
        dtype[0] = FNN_F32 if f.descr == <PyObject *>_float32 else FNN_F64
        size[0] = 1
        for i in range(f.nd):
            size[0] *= f.dimensions[i]
        return a
    a = open_array(a, &a_)
    data[0] = a_.data
    size[0] = a_.size
    dtype[0] = a_.dtype
    return a


cdef bint may_be_written(object a) except -1:
    cdef const ndarray *f = fields_of(a)
    return a.flags.writeable if f == NULL else f.flags & WRITEABLE != 0


# ---- the usual case of a step --------------------------------------------------------------------
cdef inline const ndarray *usual(PyObject *a, int flags) noexcept:
    """The fields of an array of float32 or float64 that has these flags; NULL for anything else."""
    cdef const ndarray *f = fields_of(<object>a)
    if f == NULL or f.flags & flags != flags or (f.descr != <PyObject *>_float32 and f.descr != <PyObject *>_float64):
        return NULL
    return f


cdef inline bint alike(const ndarray *a, const ndarray *b) noexcept:
    """Whether two arrays have one dtype and one shape."""
    cdef int i
    if a.descr != b.descr or a.nd != b.nd:
        return False
    for i in range(a.nd):
        if a.dimensions[i] != b.dimensions[i]:
            return False
    return True


cdef inline PyObject *filled(PyObject *o, Py_ssize_t at) noexcept:
    """A slot of a tensor; NULL for anything else, and where the slot is empty."""
    return (<PyObject **>(<char *>o + at))[0] if PyObject_TypeCheck(<object>o, <PyTypeObject *>_Tensor) else NULL


def gathered(params):
    """(those of the parameters that have a gradient, their arrays, the gradients' arrays), where
    all arrays are plain, of one dtype, and fit; None for everything else, to be looked at in
    Python.
    """
    cdef list live = [], arrays = [], gradients = []
    cdef PyObject *p
    cdef PyObject *gradient
    cdef const ndarray *a
    cdef const ndarray *g
    cdef PyObject *dtype = NULL
    cdef Py_ssize_t i
    if type(params) is not list:
        return None
    for i in range(PyList_GET_SIZE(params)):
        p = <PyObject *>PyList_GET_ITEM(params, i)
        gradient = filled(p, T_grad)
        if gradient == <PyObject *>None:
            continue
        if gradient == NULL or filled(p, T_data) == NULL or filled(gradient, T_data) == NULL:
            return None
        a = usual(filled(p, T_data), PLAIN | WRITEABLE)
        g = usual(filled(gradient, T_data), PLAIN)
        if a == NULL or g == NULL or not alike(a, g) or (dtype != NULL and a.descr != dtype):
            return None
        dtype = a.descr
        live.append(<object>p)
        arrays.append(<object><PyObject *>a)
        gradients.append(<object><PyObject *>g)
    return live, arrays, gradients


def gathered_states(dict known, list params, list arrays, tuple names, bint steps):
    """(each parameter's state, a column for each name, and with `steps` one of the numbers of this
    step), where the state has all of it and it fits the parameter; else None.
    """
    cdef list states = [], columns = [[] for _ in names], numbers = []
    cdef PyObject *state
    cdef PyObject *found
    cdef const ndarray *a
    cdef const ndarray *s
    cdef Py_ssize_t i, c
    for i in range(PyList_GET_SIZE(params)):
        state = PyDict_GetItem(known, <object>PyList_GET_ITEM(params, i))
        if state == NULL or type(<object>state) is not dict:
            return None
        a = <const ndarray *>PyList_GET_ITEM(arrays, i)
        for c in range(PyTuple_GET_SIZE(names)):
            found = PyDict_GetItem(<object>state, nth(names, c))
            s = usual(found, PLAIN | WRITEABLE) if found != NULL else NULL
            if s == NULL or not alike(a, s):
                return None
            (<list>columns[c]).append(<object>found)
        if steps:
            found = PyDict_GetItem(<object>state, "step")
            if found == NULL or type(<object>found) is not int or not 0 <= <object>found < 1 << 53:
                return None
            numbers.append(<object>found + 1)
        states.append(<object>state)
    if steps:
        columns.append(numbers)
    return states, columns


def gathered_gradients(list params):
    """(arrays of float32, arrays of float64): the gradients of the parameters, each once, counted
    as changed; None unless all are plain arrays that may be written.
    """
    cdef list floats = [], doubles = [], versions = []
    cdef set seen = set()
    cdef PyObject *gradient
    cdef const ndarray *g
    cdef Py_ssize_t i
    for i in range(PyList_GET_SIZE(params)):
        gradient = filled(<PyObject *>PyList_GET_ITEM(params, i), T_grad)
        if gradient == <PyObject *>None:
            continue
        if gradient == NULL or filled(gradient, T_data) == NULL or filled(gradient, T_version) == NULL:
            return None
        g = usual(filled(gradient, T_data), PLAIN | WRITEABLE)
        if g == NULL:
            return None
        if <uintptr_t>g not in seen:
            seen.add(<uintptr_t>g)
            (floats if g.descr == <PyObject *>_float32 else doubles).append(<object><PyObject *>g)
            versions.append(<object>filled(gradient, T_version))
    for version in versions:
        version[0] += 1
    return floats, doubles


# ---- the kernels ---------------------------------------------------------------------------------
def sgd_step(params, grads, momenta, fresh, double lr, double momentum, double dampening, double weight_decay,
             bint nesterov) -> None:
    """Change params and momenta in place; `fresh`: list of bool, which momenta hold nothing yet."""
    cdef bint moving = momentum != 0
    cdef ArrayTable t = ArrayTable((params, momenta, grads) if moving else (params, grads), 2 if moving else 1)
    cdef const void *const *g = <const void *const *>t.column(2 if moving else 1)
    cdef int *flags = <int *>t.numbers
    cdef Py_ssize_t i
    for i in range(t.count):
        flags[i] = fresh[i]
    cdef PyThreadState *others = let_others_run(t.elements * STEP_WORK)
    fnn_sgd_step[t.dtype](t.data, t.column(1), g, t.size, t.block, flags, t.count, lr, momentum, dampening,
                          weight_decay, nesterov)
    run_again(others)


def adam_step(params, grads, ms, vs, steps, double lr, double beta1, double beta2, double eps, double weight_decay,
              bint decoupled) -> None:
    """Change params, ms and vs in place; `steps`: list of the number of each parameter's step, from
    1, which decides its bias corrections (csrc/optim/optim.h).
    """
    cdef ArrayTable t = ArrayTable((params, ms, vs, grads), 3)
    cdef double *scale_m = t.numbers
    cdef double *scale_v = t.numbers + t.count
    cdef double step, before = -1
    cdef Py_ssize_t i
    for i in range(t.count):
        step = steps[i]
        if step == before:                          # nearly always all parameters are at one step
            scale_m[i], scale_v[i] = scale_m[i - 1], scale_v[i - 1]
        else:
            scale_m[i], scale_v[i] = 1 / (1 - pow(beta1, step)), 1 / sqrt(1 - pow(beta2, step))
        before = step
    cdef PyThreadState *others = let_others_run(t.elements * STEP_WORK)
    fnn_adam_step[t.dtype](t.data, t.column(1), t.column(2), <const void *const *>t.column(3), t.size, t.block, scale_m,
                           scale_v, t.count, lr, beta1, beta2, eps, weight_decay, decoupled)
    run_again(others)


def square_sum(arrays) -> float:
    """The sum of all squares, in double precision."""
    cdef ArrayTable t = ArrayTable((arrays,), 0)
    cdef Workspace partial = Workspace((t.block[t.count] + 1) * sizeof(double))
    cdef double total = 0
    cdef PyThreadState *others = let_others_run(t.elements * STEP_WORK)
    fnn_square_sum[t.dtype](&total, <const void *const *>t.data, <double *>partial.data, t.size, t.block, t.count)
    run_again(others)
    return total


def scale_all(arrays, double factor) -> None:
    """Multiply all arrays by a factor, in place."""
    cdef ArrayTable t = ArrayTable((arrays,), 1)
    cdef PyThreadState *others = let_others_run(t.elements * STEP_WORK)
    fnn_scale_all[t.dtype](t.data, t.size, t.block, t.count, factor)
    run_again(others)
