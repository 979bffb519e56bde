# ndarray.pxi -- NumPy's arrays without the detour of the buffer protocol: fields are read where
# NumPy's ABI has them, and results are made by its C function. Opening an array then takes 2 ns,
# not 40, and making one 75 ns, not 150; a call of a small kernel does that three times.
#
# This needs no NumPy headers, and nothing breaks with a NumPy whose ABI is another one:
# `use_fields` looks at the ABI's version, and whether some arrays are found to be as the buffer
# protocol describes them. Where not, the protocol is what common.pxi uses.

from cpython.buffer cimport PyBUF_FORMAT, PyBUF_ND, PyBUF_STRIDES, PyBUF_WRITABLE
from cpython.buffer cimport PyBuffer_IsContiguous, PyBuffer_Release, PyObject_GetBuffer
from cpython.object cimport PyObject, PyTypeObject
from cpython.pycapsule cimport PyCapsule_GetPointer
from cpython.ref cimport Py_INCREF

import numpy as np

cdef extern from *:
    """
    typedef struct {                    /* NumPy's PyArrayObject, as it has been since 1.0 */
        PyObject_HEAD
        char *data;
        int nd;
        Py_ssize_t *dimensions, *strides;
        PyObject *base, *descr;
        int flags;
    } fnn_ndarray;
    """
    ctypedef struct ndarray "fnn_ndarray":
        char *data
        int nd
        Py_ssize_t *dimensions
        Py_ssize_t *strides
        PyObject *base
        PyObject *descr
        int flags

cdef enum:
    C_CONTIGUOUS = 0x1, ALIGNED = 0x100, WRITEABLE = 0x400                  # NPY_ARRAY_...
    # places in the table of NumPy's C functions
    AT_ABI_VERSION = 0, AT_NEW_FROM_DESCR = 94
    # the versions whose table and fields these are
    ABI_1 = 0x01000009, ABI_2 = 0x02000000

ctypedef unsigned int (*abi_version_fn)()
ctypedef object (*new_from_descr_fn)(PyTypeObject *kind, PyObject *dtype, int ndim, const Py_ssize_t *shape,
                                     const Py_ssize_t *strides, void *data, int flags, PyObject *parent)

cdef object _ndarray = np.ndarray
cdef new_from_descr_fn _new_from_descr = NULL
cdef bint _fields = False                           # are fields read, and NumPy's function called?


cdef inline ndarray *fields_of(object a) noexcept:
    """The fields of `a` if it is an array, no subclass, and they may be read; else NULL."""
    return <ndarray *><PyObject *>a if _fields and type(a) is _ndarray else NULL


cdef object array_over(object dtype, int ndim, const Py_ssize_t *shape, void *data, object owner):
    """An uninitialised array; or, unless `data` is NULL, one over that memory, which lives as long
    as `owner`.
    """
    Py_INCREF(dtype)                                # the function takes a reference over
    a = _new_from_descr(<PyTypeObject *><PyObject *>_ndarray, <PyObject *>dtype, ndim, shape, NULL, data,
                        C_CONTIGUOUS | ALIGNED | WRITEABLE if data != NULL else 0, NULL)
    if data != NULL:
        Py_INCREF(owner)
        (<ndarray *><PyObject *>a).base = <PyObject *>owner
    return a


cdef bint as_described(object a, object dtype) except -1:
    """Whether the fields of `a` say what the buffer protocol says of it."""
    cdef Py_buffer view
    cdef ndarray *f = <ndarray *><PyObject *>a
    cdef int i
    PyObject_GetBuffer(a, &view, PyBUF_FORMAT | PyBUF_ND | PyBUF_STRIDES)
    try:
        if (f.data != <char *>view.buf or f.nd != view.ndim or f.descr != <PyObject *>dtype
                or (f.flags & C_CONTIGUOUS != 0) != PyBuffer_IsContiguous(&view, b'C') or f.flags & ALIGNED == 0
                or (f.flags & WRITEABLE == 0) != view.readonly):
            return False
        for i in range(view.ndim):
            if f.dimensions[i] != view.shape[i] or f.strides[i] != view.strides[i]:
                return False
    finally:
        PyBuffer_Release(&view)
    return f.base == (<PyObject *>a.base if a.base is not None else NULL)


cdef bint find_fields() except -1:
    """Find NumPy's function, and see whether fields are where they should be."""
    global _new_from_descr
    cdef void **table
    cdef unsigned int version
    cdef Py_ssize_t shape[2]
    try:
        table = <void **>PyCapsule_GetPointer((getattr(np, "_core", None) or np.core)._multiarray_umath._ARRAY_API,
                                              NULL)
    except (AttributeError, ValueError):            # another NumPy keeps it elsewhere
        return False
    version = (<abi_version_fn>table[AT_ABI_VERSION])()
    if version != ABI_1 and version != ABI_2:
        return False
    whole = np.zeros((5, 7), np.float32)
    locked = np.zeros(3)
    locked.flags.writeable = False
    if not (as_described(whole, whole.dtype) and as_described(whole[1::2, ::-3], whole.dtype)
            and as_described(whole.T, whole.dtype)
            and as_described(locked, locked.dtype) and as_described(np.zeros(()), locked.dtype)):
        return False
    _new_from_descr = <new_from_descr_fn>table[AT_NEW_FROM_DESCR]
    shape[0], shape[1] = 5, 7
    made = array_over(whole.dtype, 2, shape, (<ndarray *><PyObject *>whole).data, whole)
    return type(made) is _ndarray and as_described(made,
                                                   whole.dtype) and made.base is whole and made.shape == whole.shape


def use_fields(bint wanted):
    """True: read arrays' fields, if that can be done. False: use the buffer protocol alone. Returns
    what was in use.
    """
    global _fields
    before = _fields
    _fields = wanted and find_fields()
    return before


use_fields(True)
