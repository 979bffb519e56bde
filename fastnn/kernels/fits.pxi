# fits.pxi -- is a call of the usual form? Told from the fields of the arrays in a few nanoseconds.
# The record's check, in Python, takes ten times as long and finds the words for what is wrong; it
# runs where the answer is no, which need not mean that something is.

from cpython.dict cimport PyDict_GetItem
from cpython.long cimport PyLong_AsLongAndOverflow, PyLong_CheckExact
from cpython.float cimport PyFloat_CheckExact
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_GET_SIZE

ctypedef bint (*fits_fn)(tuple inputs, dict attrs) noexcept


cdef class Fits:
    """fits(*inputs, **attrs), of an op's arrays and attributes: True only where the op's check
    would find nothing wrong, or the kernel refuses what it would find.

    reads_once: the kernel looks at each position when it uses it, and reads it once. So it needs no
    copy that other threads do not know, unless backward will use it again
    """
    cdef fits_fn test
    cdef readonly bint reads_once

    def __call__(self, *inputs, **attrs):
        # NULL: made by hand, fits nothing
        return self.test is not NULL and self.test(inputs, attrs)


cdef Fits fits(fits_fn test, bint reads_once=False):
    cdef Fits made = Fits()
    made.test = test
    made.reads_once = reads_once
    return made


cdef inline object nth(tuple inputs, int i):
    return <object>PyTuple_GET_ITEM(inputs, i)


cdef inline const ndarray *float_fields(object a) noexcept:
    """The fields of a plain float32 or float64 array; NULL for anything else."""
    cdef const ndarray *f = fields_of(a)
    return f if f != NULL and (f.descr == <PyObject *>_float32 or f.descr == <PyObject *>_float64) else NULL


cdef inline bint same_sizes(const Py_ssize_t *a, const Py_ssize_t *b, int count) noexcept:
    cdef int i
    for i in range(count):
        if a[i] != b[i]:
            return False
    return True


cdef inline bint is_vector(object a, const ndarray *like, Py_ssize_t n) noexcept:
    """Whether `a` is None, or n numbers of the type of `like`."""
    cdef const ndarray *f
    if a is None:
        return True
    f = fields_of(a)
    return f != NULL and f.descr == like.descr and f.nd == 1 and f.dimensions[0] == n


cdef bint one_float(tuple inputs, dict attrs) noexcept:
    return PyTuple_GET_SIZE(inputs) == 1 and float_fields(nth(inputs, 0)) != NULL


cdef bint float_pair(tuple inputs, dict attrs) noexcept:
    """Two arrays of one shape, or one and a number."""
    cdef const ndarray *a
    cdef const ndarray *b
    if PyTuple_GET_SIZE(inputs) != 2:
        return False
    a, b = float_fields(nth(inputs, 0)), fields_of(nth(inputs, 1))
    if a == NULL:
        return False
    if b == NULL:
        return PyFloat_CheckExact(nth(inputs, 1)) or PyLong_CheckExact(nth(inputs, 1))
    return a.descr == b.descr and a.nd == b.nd and same_sizes(a.dimensions, b.dimensions, a.nd)


cdef bint matrices(tuple inputs, dict attrs) noexcept:
    """Matrices that can be multiplied; as many on both sides, or one on the right."""
    cdef const ndarray *a
    cdef const ndarray *b
    if PyTuple_GET_SIZE(inputs) != 2:
        return False
    a, b = float_fields(nth(inputs, 0)), fields_of(nth(inputs, 1))
    return (a != NULL and b != NULL and a.descr == b.descr and a.nd >= 2 and b.nd >= 2
            and a.dimensions[a.nd - 1] == b.dimensions[b.nd - 2]
            and (b.nd == 2 or (a.nd == b.nd and same_sizes(a.dimensions, b.dimensions, a.nd - 2))))


cdef bint layer(tuple inputs, dict attrs) noexcept:
    """input, weight and bias of a linear layer."""
    cdef const ndarray *x
    cdef const ndarray *w
    if PyTuple_GET_SIZE(inputs) != 3:
        return False
    x, w = float_fields(nth(inputs, 0)), fields_of(nth(inputs, 1))
    return (x != NULL and w != NULL and x.descr == w.descr and x.nd >= 1 and w.nd == 2
            and x.dimensions[x.nd - 1] == w.dimensions[1] and is_vector(nth(inputs, 2), x, w.dimensions[0]))


cdef inline bint axis_given(dict attrs, int ndim, int *axis) noexcept:
    """Whether `dim` is one of so many axes, counted from the front: which one."""
    cdef PyObject *dim = <PyObject *>PyDict_GetItem(attrs, "dim")
    cdef long given
    cdef int beyond
    if dim == NULL or not PyLong_CheckExact(<object>dim):
        return False
    given = PyLong_AsLongAndOverflow(<object>dim, &beyond)  # -1 where it is larger than any long
    axis[0] = <int>given
    return 0 <= given < ndim


cdef bint float_axis(tuple inputs, dict attrs) noexcept:
    """An array that has the axis `dim`, counted from the front."""
    cdef const ndarray *x
    cdef int axis
    if PyTuple_GET_SIZE(inputs) != 1:
        return False
    x = float_fields(nth(inputs, 0))
    return x != NULL and axis_given(attrs, x.nd, &axis)


cdef bint rows_of_one_axis(tuple inputs, dict attrs) noexcept:
    """An array whose last size is normalized_shape, a tuple of one int; and vectors of that size,
    or None.
    """
    cdef const ndarray *x
    cdef PyObject *shape = <PyObject *>PyDict_GetItem(attrs, "normalized_shape")
    cdef Py_ssize_t n, i
    cdef int beyond
    if (PyTuple_GET_SIZE(inputs) < 1 or shape == NULL or type(<object>shape) is not tuple
            or PyTuple_GET_SIZE(<object>shape) != 1):
        return False
    x = float_fields(nth(inputs, 0))
    if x == NULL or x.nd < 1 or not PyLong_CheckExact(nth(<tuple><object>shape, 0)):
        return False
    n = PyLong_AsLongAndOverflow(nth(<tuple><object>shape, 0), &beyond)
    for i in range(1, PyTuple_GET_SIZE(inputs)):
        if not is_vector(nth(inputs, i), x, n):
            return False
    return x.dimensions[x.nd - 1] == n


cdef inline bint some_sizes(PyObject *value, long low, double *sizes) noexcept:
    """Whether `value` is a tuple of two plain ints, neither small nor huge; and which."""
    cdef int i, beyond
    cdef long size
    if value == NULL or type(<object>value) is not tuple or PyTuple_GET_SIZE(<object>value) != 2:
        return False
    for i in range(2):
        if not PyLong_CheckExact(nth(<tuple><object>value, i)):
            return False
        size = PyLong_AsLongAndOverflow(nth(<tuple><object>value, i), &beyond)
        if not low <= size < 1 << 24:
            return False
        sizes[i] = size
    return True


cdef inline bint window_fits(const ndarray *x, const double *taps, const double *around, PyObject *stride,
                             PyObject *dilation, double *work) noexcept:
    """Whether a window of `taps` has room on the images x, with `around` pixels added in each
    direction. *work is multiplied by its taps and pixels.
    """
    cdef double step[2]
    cdef double apart[2]
    cdef int i
    if x == NULL or x.nd != 4 or not some_sizes(stride, 1, step) or not some_sizes(dilation, 1, apart):
        return False
    for i in range(2):
        if taps[i] < 1 or x.dimensions[2 + i] < 1 or apart[i] * (taps[i] - 1) + 1 > x.dimensions[2 + i] + around[i]:
            return False
        work[0] *= taps[i] * (x.dimensions[2 + i] + around[i])
    return x.dimensions[1] >= 1


cdef bint convolved(tuple inputs, dict attrs) noexcept:
    """Images, filters and a bias or None, with attributes of plain ints."""
    cdef const ndarray *x
    cdef const ndarray *w
    cdef PyObject *padding = <PyObject *>PyDict_GetItem(attrs, "padding")
    cdef PyObject *groups = <PyObject *>PyDict_GetItem(attrs, "groups")
    cdef double ends[2]
    cdef double around[2]
    cdef double taps[2]
    cdef double work
    cdef long G
    cdef int i, beyond
    if (PyTuple_GET_SIZE(inputs) != 3 or groups == NULL or not PyLong_CheckExact(<object>groups) or padding == NULL
            or type(<object>padding) is not tuple or PyTuple_GET_SIZE(<object>padding) != 2):
        return False
    x, w = float_fields(nth(inputs, 0)), fields_of(nth(inputs, 1))
    if x == NULL or w == NULL or x.descr != w.descr or x.nd != 4 or w.nd != 4:
        return False
    for i in range(2):
        side = nth(<tuple><object>padding, i)
        if not some_sizes(<PyObject *>side, 0, ends):
            return False
        around[i] = ends[0] + ends[1]
        taps[i] = w.dimensions[2 + i]
    G = PyLong_AsLongAndOverflow(<object>groups, &beyond)
    work = <double>max(x.dimensions[0], 1) * w.dimensions[0]
    return (G >= 1 and w.dimensions[0] >= 1 and w.dimensions[0] % G == 0 and x.dimensions[1] % G == 0
            and x.dimensions[1] // G == w.dimensions[1]
            and is_vector(nth(inputs, 2), x, w.dimensions[0])
            and window_fits(x, taps, around, <PyObject *>PyDict_GetItem(attrs, "stride"),
                            <PyObject *>PyDict_GetItem(attrs, "dilation"), &work)
            and work < 1e14)


cdef bint pooled(tuple inputs, dict attrs) noexcept:
    """Images, and windows that need no cut: all attributes plain ints."""
    cdef const ndarray *x
    cdef double taps[2]
    cdef double padding[2]
    cdef double work = 1
    if (PyTuple_GET_SIZE(inputs) != 1 or not some_sizes(<PyObject *>PyDict_GetItem(attrs, "kernel_size"), 1, taps)
            or not some_sizes(<PyObject *>PyDict_GetItem(attrs, "padding"), 0, padding)
            or 2 * padding[0] > taps[0] or 2 * padding[1] > taps[1]):
        return False
    x = float_fields(nth(inputs, 0))
    padding[0], padding[1] = 2 * padding[0], 2 * padding[1]
    return (window_fits(x, taps, padding, <PyObject *>PyDict_GetItem(attrs, "stride"),
                        <PyObject *>PyDict_GetItem(attrs, "dilation"), &work)
            and work < 1e9)


fits_conv2d = fits(convolved)
fits_float = fits(one_float)
fits_pair = fits(float_pair)
fits_matmul = fits(matrices)
fits_linear = fits(layer)
fits_pool2d = fits(pooled)
fits_axis = fits(float_axis)
fits_rows = fits(rows_of_one_axis)
