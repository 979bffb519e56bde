# fits.pxi -- is a call of the usual form? Told from the fields of the arrays in a few nanoseconds. The record's check, in Python, takes ten
# times as long and finds the words for what is wrong; it runs where the answer is no, which need not mean that something is.

from cpython.dict cimport PyDict_GetItem
from cpython.long cimport PyLong_AsLongAndOverflow, PyLong_CheckExact
from cpython.float cimport PyFloat_CheckExact
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_GET_SIZE

ctypedef bint (*fits_fn)(tuple inputs, dict attrs) noexcept


cdef class Fits:
    """fits(*inputs, **attrs), of an op's arrays and attributes: True only where the op's check would find nothing wrong."""
    cdef fits_fn test

    def __call__(self, *inputs, **attrs):
        return self.test(inputs, attrs)


cdef Fits fits(fits_fn test):
    cdef Fits made = Fits()
    made.test = test
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


cdef bint float_axis(tuple inputs, dict attrs) noexcept:
    """An array that has the axis `dim`, counted from the front."""
    cdef const ndarray *x
    cdef PyObject *dim = <PyObject *>PyDict_GetItem(attrs, "dim")
    cdef long axis
    cdef int beyond
    if PyTuple_GET_SIZE(inputs) != 1 or dim == NULL or not PyLong_CheckExact(<object>dim):
        return False
    x = float_fields(nth(inputs, 0))
    if x == NULL:
        return False
    axis = PyLong_AsLongAndOverflow(<object>dim, &beyond)          # -1 where it is larger than any long
    return 0 <= axis < x.nd


cdef bint rows_of_one_axis(tuple inputs, dict attrs) noexcept:
    """An array whose last size is normalized_shape, a tuple of one int, and vectors of that size or None."""
    cdef const ndarray *x
    cdef PyObject *shape = <PyObject *>PyDict_GetItem(attrs, "normalized_shape")
    cdef Py_ssize_t n, i
    cdef int beyond
    if PyTuple_GET_SIZE(inputs) < 1 or shape == NULL or type(<object>shape) is not tuple or PyTuple_GET_SIZE(<object>shape) != 1:
        return False
    x = float_fields(nth(inputs, 0))
    if x == NULL or x.nd < 1 or not PyLong_CheckExact(nth(<tuple><object>shape, 0)):
        return False
    n = PyLong_AsLongAndOverflow(nth(<tuple><object>shape, 0), &beyond)
    for i in range(1, PyTuple_GET_SIZE(inputs)):
        if not is_vector(nth(inputs, i), x, n):
            return False
    return x.dimensions[x.nd - 1] == n


fits_float = fits(one_float)
fits_pair = fits(float_pair)
fits_matmul = fits(matrices)
fits_linear = fits(layer)
fits_axis = fits(float_axis)
fits_rows = fits(rows_of_one_axis)
