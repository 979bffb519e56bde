# guarded.pxi -- `guarded` of fastnn/guard.py, compiled: a call that works costs 15 ns more, not the
# 100 of a frame of Python with *args and **kwargs, so all functions can have it.
#
# Python calls through "vectorcall" what says that it can be called so (PEP 590): a C function that
# gets the arguments as an array. Cython has no word for it, so the type's entries are filled here.

cdef extern from "Python.h":
    ctypedef PyObject *(*vectorcallfunc)(PyObject *, PyObject *const *, size_t, PyObject *) except NULL
    ctypedef PyObject *(*callfunc)(PyObject *, PyObject *, PyObject *) except NULL
    ctypedef struct CallableType "PyTypeObject":
        Py_ssize_t tp_vectorcall_offset
        callfunc tp_call
        unsigned long tp_flags
    unsigned long Py_TPFLAGS_HAVE_VECTORCALL, Py_TPFLAGS_METHOD_DESCRIPTOR
    PyObject *PyObject_Vectorcall(PyObject *function, PyObject *const *args, size_t count, PyObject *names)
    Py_ssize_t PyVectorcall_NARGS(size_t count)
    PyObject *PyVectorcall_Call(PyObject *function, PyObject *args, PyObject *kwargs) except NULL
    object PyMethod_New(object function, object instance)
    bint is_bool "PyBool_Check"(PyObject *x)
    bint is_float "PyFloat_Check"(PyObject *x)
    void PyType_Modified(PyTypeObject *type)

cdef enum: OF_INT = 2, OR_NONE = 4, OF_FLOAT = 8    # as in guard.py

cdef object _update_wrapper, _explain, _settings, _check_settings
cdef tuple _foreign                                 # what `explain` looks at: guard.FOREIGN


cdef class guarded:
    """A function with errors of ours; same name, signature and docstring: see fastnn/guard.py."""

    cdef vectorcallfunc call
    cdef object function
    # Which of its parameters are bools, ints and floats, or None beside these, found at the first
    # call: bit i is the parameter at place i. By name: a sum of OF_INT, OR_NONE and OF_FLOAT.
    cdef unsigned long long bools, ints, nones, floats
    cdef Py_ssize_t first                           # of the places with a bit; -1 until it is known
    cdef dict kinds
    cdef dict __dict__                              # __name__, __doc__ and so on of the function
    cdef object __weakref__

    def __init__(self, function):
        self.function, self.call, self.first = function, call_guarded, -1
        _update_wrapper(self, function)

    # So that the type has the name. connect_guard replaces tp_call, so this body never runs.
    def __call__(self, *args, **kwargs):
        return self(*args, **kwargs)

    def __get__(self, instance, owner):
        return self if instance is None else PyMethod_New(self, instance)

    def __getattr__(self, name):                    # __code__, __defaults__, ...
        return getattr(self.function, name)

    def __repr__(self):
        return repr(self.function)

    def __eq__(self, other):                        # a copy from pickle is the same function
        return type(other) is guarded and (<guarded>other).function == self.function

    def __hash__(self):
        return hash(self.function)

    def __reduce__(self):
        return guarded, (self.function,)

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self


# count also has a flag bit; PyVectorcall_NARGS takes it off.
cdef PyObject *call_guarded(PyObject *self, PyObject *const *args, size_t count, PyObject *names) except NULL:
    cdef Py_ssize_t given = PyVectorcall_NARGS(count)
    if (given > (<guarded>self).first or names != NULL) and has_strange_setting(<guarded>self, args, given, names):
        refuse_setting((<guarded>self).function, args, given, names)
    cdef PyObject *result = PyObject_Vectorcall(<PyObject *>(<guarded>self).function, args, count, names)
    if result == NULL:
        told = rescue((<guarded>self).function, args, PyVectorcall_NARGS(count), names)
        Py_INCREF(told)
        result = <PyObject *>told
    return result


cdef bint has_strange_setting(guarded self, PyObject *const *args, Py_ssize_t given, PyObject *names) except -1:
    """Whether something else than True and False stands where a bool goes, one of these or a float
    where an int goes, or a tensor where a float goes. Some of it may be right (0, None, a tensor
    that requires no gradient): `refuse_setting` decides.
    """
    cdef Py_ssize_t i, place
    cdef PyObject *found
    cdef PyObject *value
    cdef int kind
    cdef unsigned long long either
    if self.first < 0:
        self.kinds, self.bools, self.ints, self.nones, self.floats = _settings(self.function)
        either, self.first = self.bools | self.ints | self.floats, 0
        while self.first < 64 and not either >> self.first & 1:
            self.first += 1
    for i in range(self.first, given):
        place = min(i, 63)
        if args[i] == <PyObject *>None and self.nones >> place & 1:
            continue
        if self.ints >> place & 1 and is_no_int(args[i]) or self.bools >> place & 1 and not is_bool(args[i]):
            return True
        if self.floats >> place & 1 and is_tensor(args[i]):
            return True
    if names != NULL and self.kinds:
        for i in range(len(<tuple>names)):
            found = <PyObject *>PyDict_GetItem(self.kinds, (<tuple>names)[i])
            if found == NULL:
                continue
            kind, value = <object>found, args[given + i]
            if value == <PyObject *>None and kind & OR_NONE:
                continue
            if is_tensor(value) if kind & OF_FLOAT else is_no_int(value) if kind & OF_INT else not is_bool(value):
                return True
    return False


cdef inline bint is_no_int(PyObject *x) noexcept:
    return is_bool(x) or is_float(x)


cdef inline bint is_tensor(PyObject *x) noexcept:
    """Whether it is one of ours; no float is asked what it is."""
    return not is_float(x) and _Tensor is not None and PyObject_TypeCheck(<object>x, <PyTypeObject *>_Tensor)


cdef int refuse_setting(object function, PyObject *const *args, Py_ssize_t given, PyObject *names) except -1:
    _check_settings(function, *arguments(args, given, names))
    return 0


cdef tuple arguments(PyObject *const *args, Py_ssize_t count, PyObject *names):
    """(args, kwargs) of Python."""
    cdef Py_ssize_t i
    keywords = {}
    if names != NULL:
        for i, name in enumerate(<tuple>names):
            keywords[name] = <object>args[count + i]
    return tuple([<object>args[i] for i in range(count)]), keywords


cdef object rescue(object function, PyObject *const *args, Py_ssize_t count, PyObject *names):
    """What `explain` makes of the error that is set."""
    try:
        error_is_set()          # it returns -1 (tape.pxi), and Cython raises the pending error
    except _foreign as error:
        positional, keywords = arguments(args, count, names)
        return _explain(function, error, *positional, **keywords)


def connect_guard(explain, foreign, update_wrapper, settings, check_settings):
    """Tell `guarded` what to do with which errors: called once, by guard.py."""
    global _explain, _foreign, _update_wrapper, _settings, _check_settings
    _explain, _foreign, _update_wrapper = explain, foreign, update_wrapper
    _settings, _check_settings = settings, check_settings
    cdef guarded any_one = guarded.__new__(guarded)
    cdef CallableType *t = <CallableType *><PyObject *>guarded
    t.tp_vectorcall_offset = <char *>&any_one.call - <char *><PyObject *>any_one
    t.tp_call = PyVectorcall_Call
    # a method descriptor: `x.f()` calls f(x) without an object for the bound method
    t.tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR
    PyType_Modified(<PyTypeObject *>t)
