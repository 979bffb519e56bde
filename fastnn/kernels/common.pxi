# common.pxi -- how a NumPy array is opened for a kernel and how a result is made.
#
# A plain array's fields are read where they lie (ndarray.pxi); anything else is opened through the
# buffer protocol. There are no NumPy headers, so nothing can break with NumPy's ABI.
#
#     cdef Array x_
#     x = open_array(x, &x_)                 # x_.data, x_.shape, ...: of float32 or float64
#     w = open_array(w, &w_)
#     need(matches(&w_, &x_))                  # what a kernel takes for granted of its arguments
#     cdef Array y_
#     y = new_array(&y_, x_.dtype, x_.ndim, x_.shape)      # contents undefined: kernels overwrite
#     with nogil: fnn_relu_forward[x_.dtype](y_.data, x_.data, x_.size)
#
# open_array copies x once if it is not contiguous or not in native byte order.
#
# A call so short that it is over before another thread could begin may keep the interpreter's lock:
# let_others_run and run_again.

from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.long cimport PyLong_FromSsize_t
from cpython.tuple cimport PyTuple_New, PyTuple_SET_ITEM
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t, uintptr_t
from libc.string cimport memcpy, memset

cdef extern from "fastnn.h" nogil:
    enum: FNN_F32, FNN_F64
    enum: MAX_DIMS "FNN_MAX_DIMS"
    void *fnn_buffer_acquire(size_t bytes)
    void fnn_buffer_release(void *p)
    int fnn_scratch_ready()
    Py_ssize_t fnn_ceil_div(Py_ssize_t n, Py_ssize_t unit)
    void fnn_copy_rows(void *to, const void *from_, int ndim, const Py_ssize_t *shape, const Py_ssize_t *strides,
                       Py_ssize_t rows, Py_ssize_t nbytes)

cdef extern from "Python.h":
    Py_ssize_t PY_SSIZE_T_MAX

cdef extern from *:
    """
    #define FNN_SHORT_WORK 300000   /* multiply-adds, some microseconds; chosen: about what another
                                       thread takes to wake up */
    /* Like `with nogil`, but for work that is over in less time only where it is worth it. */
    static PyThreadState *fnn_let_others_run(Py_ssize_t work)
    {
        return work < FNN_SHORT_WORK ? NULL : PyEval_SaveThread();
    }
    static void fnn_run_again(PyThreadState *others) { if (others) PyEval_RestoreThread(others); }
    """
    ctypedef struct PyThreadState:
        pass
    PyThreadState *let_others_run "fnn_let_others_run"(Py_ssize_t work)
    void run_again "fnn_run_again"(PyThreadState *others)

cdef struct Array:
    void *data
    # FNN_F32, FNN_F64, or the format character of another type ('q' is int64, '?' is bool)
    int dtype
    int ndim
    Py_ssize_t size                 # elements
    Py_ssize_t shape[MAX_DIMS]

cdef object _empty = np.empty
cdef object _asarray = np.asarray
cdef object _float32 = np.dtype(np.float32)
cdef object _float64 = np.dtype(np.float64)
cdef object _int32 = np.dtype(np.int32)
cdef object _int64 = np.dtype(np.int64)
cdef object _bool = np.dtype(np.bool_)
cdef object _uint8 = np.dtype(np.uint8)

# Results of at least this many bytes come from recycled memory: on a fresh buffer the page faults
# cost more than a simple kernel. Chosen: 16 pages.
cdef enum: RECYCLE_FROM = 1 << 16

# No memory holds more elements than this, and their bytes still fit into a Py_ssize_t.
cdef double MOST_ELEMENTS = <double>(PY_SSIZE_T_MAX // 16)

# Adjacent rows of at least this many bytes are copied row by row where the rows lie apart. Chosen:
# a cache line.
cdef enum: JOIN_FROM = 64


cdef inline Py_ssize_t item_bytes(int dtype) noexcept:
    """Bytes of an element of float32 or float64."""
    return 4 if dtype == FNN_F32 else 8


cdef inline int scratch_ready() except -1:
    """For before a kernel that takes scratch memory: the error where there is none."""
    if not fnn_scratch_ready():
        raise MemoryError("fastnn: no address space for the kernels' scratch memory")
    return 0


cdef int _dtype_code(const Py_buffer *view) except -1:
    """FNN_F32, FNN_F64, or the format character; the platform's 64-bit integers all become 'q'. A
    type of several characters is none of ours.
    """
    cdef const char *format = view.format
    if format == NULL:
        return b'B'                                 # plain bytes
    if format[0] == b'=' or format[0] == b'@':
        format += 1
    if format[0] == 0 or format[1] != 0:
        raise TypeError("fastnn kernels take arrays of plain numbers")
    if format[0] == b'f':
        return FNN_F32
    if format[0] == b'd':
        return FNN_F64
    if format[0] == b'l' and sizeof(long) == 8:
        return b'q'
    return format[0]


cdef inline int _dtype_of(const PyObject *dtype) noexcept:
    """The code of NumPy's own object for one of our types; -1 for any other object, an equal one
    too.
    """
    if dtype == <PyObject *>_float32:
        return FNN_F32
    if dtype == <PyObject *>_float64:
        return FNN_F64
    if dtype == <PyObject *>_int64:
        return b'q'
    return b'?' if dtype == <PyObject *>_bool else -1


cdef int need(bint fits) except -1:
    """An error unless the arguments fit. An op's check has found the words long before: this is for
    who calls a kernel without it.
    """
    if not fits:
        raise ValueError("these arguments do not fit together (types, shapes); the function of this name in "
                         "nn.functional says what is wrong")
    return 0


cdef inline bint has_size(const Array *a, int dtype, Py_ssize_t size) noexcept:
    """Whether this is an array of so many numbers of that type; true of one that was left out."""
    return a.data == NULL or (a.dtype == dtype and a.size == size)


cdef inline bint matches(const Array *a, const Array *b) noexcept:
    """The same for the size and type of `b`."""
    return has_size(a, b.dtype, b.size)


cdef bint writeable(object a) except -1:
    return isinstance(a, _ndarray) and a.flags.writeable


cdef object open_array(object a, Array *out):
    """Fill `out` from `a`, an array of float32 or float64, and return the object that must stay
    referenced while `out` is in use.
    """
    a = open_any(a, out)
    if out.dtype != FNN_F32 and out.dtype != FNN_F64:
        raise TypeError("fastnn kernels take float32 and float64")
    return a


cdef object open_any(object a, Array *out):
    """open_array for an array of any of our types."""
    cdef const ndarray *f = fields_of(a)
    if f == NULL or f.flags & (C_CONTIGUOUS | ALIGNED) != C_CONTIGUOUS | ALIGNED or f.nd > MAX_DIMS:
        return open_buffer(a, out)
    out.dtype = _dtype_of(f.descr)
    if out.dtype < 0:
        return open_buffer(a, out)
    cdef Py_ssize_t size = 1
    cdef int i
    for i in range(f.nd):
        out.shape[i] = f.dimensions[i]
        size *= f.dimensions[i]
    out.data = f.data
    out.ndim = f.nd
    out.size = size
    return a


cdef object open_buffer(object a, Array *out):
    """open_any through the buffer protocol."""
    cdef Py_buffer view
    cdef bint plain
    cdef int i
    PyObject_GetBuffer(a, &view, PyBUF_FORMAT | PyBUF_ND | PyBUF_STRIDES)
    plain = (view.format != NULL and (view.format[0] != b'>' and view.format[0] != b'<' and view.format[0] != b'^'
                                      and view.format[0] != b'!')
             and (<uintptr_t>view.buf % <uintptr_t>(view.itemsize if view.itemsize else 1)) == 0
             and PyBuffer_IsContiguous(&view, b'C'))
    if not plain:
        if _rows_apart(&view):
            try:
                return _joined(&view, out)
            finally:
                PyBuffer_Release(&view)
        PyBuffer_Release(&view)
        a = _asarray(a)
        a = _asarray(a, dtype=a.dtype.type, order="C")
        if a.itemsize and a.ctypes.data % a.itemsize:
            a = a.copy()
        PyObject_GetBuffer(a, &view, PyBUF_FORMAT | PyBUF_ND | PyBUF_STRIDES)
    try:
        if view.ndim > MAX_DIMS:
            raise ValueError(f"fastnn kernels take at most {MAX_DIMS} dimensions")
        out.data = view.buf
        out.dtype = _dtype_code(&view)
        out.ndim = view.ndim
        out.size = 1
        for i in range(view.ndim):
            out.shape[i] = view.shape[i]
            out.size *= view.shape[i]
    finally:
        PyBuffer_Release(&view)      # the array stays alive through the reference that is returned
    return a


cdef bint _rows_apart(const Py_buffer *view) noexcept:
    """Is this a large native array of reals of which only the last axis is adjacent in memory, as
    in a transposed view of sequences?
    """
    if view.format == NULL or view.format[0] == 0:
        return False
    cdef char c = view.format[1] if view.format[0] == b'=' or view.format[0] == b'@' else view.format[0]
    if not (c == b"f" or c == b"d") or not 2 <= view.ndim <= MAX_DIMS or view.len < RECYCLE_FROM:
        return False
    return view.strides[view.ndim - 1] == view.itemsize and view.shape[view.ndim - 1] * view.itemsize >= JOIN_FROM


cdef object _joined(const Py_buffer *view, Array *out):
    """Its contiguous copy, in recycled memory and made by all threads. NumPy's own copy takes one
    thread twice the time, and fresh pages on top.
    """
    cdef Py_ssize_t row = view.shape[view.ndim - 1] * view.itemsize
    copy = new_array(out, _dtype_code(view), view.ndim, view.shape)
    with nogil:
        fnn_copy_rows(out.data, view.buf, view.ndim, view.shape, view.strides, view.len // row, row)
    return copy


cdef object open_optional(object a, Array *out):
    """The same for an input that may be None: then data is NULL and size 0."""
    if a is None:
        out.data = NULL
        out.ndim = 0
        out.size = 0
        return None
    return open_array(a, out)


cdef char *_BYTES = b"B"


cdef class Recycled:
    """Memory from fnn_buffer_acquire that goes back when the last array over it is gone."""
    cdef void *data
    cdef Py_ssize_t nbytes

    def __cinit__(self, Py_ssize_t nbytes):
        self.nbytes = nbytes
        self.data = fnn_buffer_acquire(nbytes)
        if self.data == NULL:
            raise MemoryError(f"fastnn: no memory for {nbytes:,} bytes")

    def __dealloc__(self):
        fnn_buffer_release(self.data)

    def __getbuffer__(self, Py_buffer *view, int flags):
        view.buf = self.data
        view.obj = self
        view.len = self.nbytes
        view.itemsize = 1
        view.readonly = 0
        view.format = _BYTES if flags & PyBUF_FORMAT else NULL
        view.ndim = 1
        view.shape = &view.len if flags & PyBUF_ND else NULL
        view.strides = &view.itemsize if (flags & PyBUF_STRIDES) == PyBUF_STRIDES else NULL
        view.suboffsets = NULL
        view.internal = NULL

    def __releasebuffer__(self, Py_buffer *view):
        pass


cdef object _dtype_object(int dtype):
    if dtype == FNN_F32:
        return _float32
    if dtype == FNN_F64:
        return _float64
    if dtype == b'q':
        return _int64
    if dtype == b'i':
        return _int32
    if dtype == b'?':
        return _bool
    if dtype == b'B':
        return _uint8
    raise TypeError(f"fastnn: no result of type code {dtype}")


cdef object new_array(Array *out, int dtype, int ndim, const Py_ssize_t *shape):
    """An uninitialised result of the given shape; large ones in recycled memory."""
    cdef Py_ssize_t size = 1
    cdef double elements = 1                        # the product that cannot wrap around
    cdef int i
    cdef Py_buffer view
    for i in range(ndim):
        if shape[i] < 0:
            raise ValueError("fastnn: a size below 0")
        elements *= shape[i]
        if elements > MOST_ELEMENTS:
            raise MemoryError(f"fastnn: no memory for {elements:.3g} elements")
        size *= shape[i]
    out.dtype = dtype
    out.ndim = ndim
    out.size = size
    for i in range(ndim):
        out.shape[i] = shape[i]
    kind = _dtype_object(dtype)
    cdef Py_ssize_t nbytes = size * (4 if dtype == FNN_F32 or dtype == b'i' else 1 if dtype == b'?' or dtype == b'B'
                                     else 8)
    cdef Recycled memory = Recycled(nbytes) if nbytes >= RECYCLE_FROM else None
    if _fields:
        result = array_over(kind, ndim, shape, memory.data if memory is not None else NULL, memory)
        out.data = (<ndarray *><PyObject *>result).data
        return result
    cdef tuple dims = PyTuple_New(ndim)
    for i in range(ndim):
        length = PyLong_FromSsize_t(shape[i])
        Py_INCREF(length)                           # SET_ITEM takes a reference over
        PyTuple_SET_ITEM(dims, i, length)
    result = _ndarray(dims, kind, memory) if memory is not None else _empty(dims, kind)
    PyObject_GetBuffer(result, &view, PyBUF_WRITABLE)
    out.data = view.buf
    PyBuffer_Release(&view)
    return result


cdef object new_like(Array *out, const Array *a):
    """An uninitialised result with the shape and type of `a`."""
    return new_array(out, a.dtype, a.ndim, a.shape)


cdef class Workspace:
    """Recycled scratch memory for one call: `Workspace(nbytes).data`."""
    cdef void *data

    def __cinit__(self, int64_t nbytes):        # as many may be wanted where addresses have 32 bits
        if nbytes <= PY_SSIZE_T_MAX:
            self.data = fnn_buffer_acquire(nbytes if nbytes > 0 else 1)
        if self.data == NULL:
            raise MemoryError(f"fastnn: no memory for {nbytes:,} bytes of workspace")

    def __dealloc__(self):
        fnn_buffer_release(self.data)
