# tape.pxi -- autograd.apply, compiled: the same steps as the Python function of that name in
# fastnn/autograd/tape.py, which is its definition and what runs without a compiler. What is neither
# quick nor frequent (several outputs, detect_anomaly) goes to that file's own `wrap`.
#
# Tensor and Node are Python classes with __slots__. Their slots lie at fixed distances from the
# start of an object, which the slots' descriptors know; here they are read and written there, in a
# nanosecond instead of twenty.

from cpython.ref cimport Py_XDECREF

cdef extern from "Python.h":
    ctypedef struct PyMemberDef:
        Py_ssize_t offset
    ctypedef struct PyMemberDescrObject:
        PyMemberDef *d_member
    bint PyObject_TypeCheck(object o, PyTypeObject *type)
    PyObject *PyObject_Call(PyObject *callable, PyObject *args, PyObject *kwargs)
    ctypedef object (*newfunc)(PyTypeObject *type, object args, PyObject *kwargs)
    ctypedef struct NewType "PyTypeObject":
        newfunc tp_new

cdef extern from *:
    """
    static int fnn_error_is_set(void) { return -1; }
    """
    int error_is_set "fnn_error_is_set"() except -1

# What runs when an op is called: a row of ACTIVE is an op.Running. These are its fields, by number;
# connect_tape compares the names.
cdef enum: RUN_FORWARD, RUN_BACKWARD, RUN_TAKES_NEEDS, RUN_CHECK, RUN_FITS, RUN_TAKES_SAVE
_RUNNING = ("forward", "backward", "takes_needs", "check", "fits", "takes_save")

cdef object _Tensor, _Node, _active, _tape_state, _ages, _wrap_slowly, _refuse
cdef bint _watching = False                         # has detect_anomaly() been used?
cdef tuple _no_arguments = ()
# Where the slots of a Tensor (T_) and of a Node (N_) lie, in bytes from the start of the object
cdef Py_ssize_t T_data, T_version, T_grad, T_index, T_node, T_requires_grad
cdef Py_ssize_t N_name, N_backward, N_takes_needs, N_saved, N_attrs, N_parents
cdef Py_ssize_t N_versions, N_outputs, N_tuple_output, N_order, N_extras


cdef Py_ssize_t slot_of(object cls, str name) except -1:
    """How far from the start of an object this slot lies."""
    descriptor = cls.__dict__[name]
    if type(descriptor).__name__ != "member_descriptor":
        raise TypeError(f"{cls.__name__}.{name} is no slot")
    return (<PyMemberDescrObject *><PyObject *>descriptor).d_member.offset


cdef inline object slot(object o, Py_ssize_t at):
    return <object>(<PyObject **>(<char *><PyObject *>o + at))[0]


cdef inline void put(object o, Py_ssize_t at, object value) noexcept:
    cdef PyObject **place = <PyObject **>(<char *><PyObject *>o + at)
    cdef PyObject *before = place[0]
    Py_INCREF(value)
    place[0] = <PyObject *>value
    Py_XDECREF(before)


cdef inline object make(object cls):
    """An object of this class whose slots are all still empty."""
    return (<NewType *><PyObject *>cls).tp_new(<PyTypeObject *>cls, _no_arguments, NULL)


def connect_tape(tensor_class, node_class, active, running, state, ages, wrap, refuse):
    """Tell `apply` what it works on: see `connect` in autograd/tape.py.

    running: the names of the fields of a row of `active`
    """
    global _Tensor, _Node, _active, _tape_state, _ages, _wrap_slowly, _refuse
    global T_data, T_version, T_grad, T_index, T_node, T_requires_grad
    global N_name, N_backward, N_takes_needs, N_saved, N_attrs, N_parents
    global N_versions, N_outputs, N_tuple_output, N_order, N_extras
    if running != _RUNNING:
        raise TypeError(f"op.Running has the fields {running}, kernels/tape.pxi knows {_RUNNING}")
    _Tensor, _Node, _active, _tape_state, _ages, _wrap_slowly = tensor_class, node_class, active, state, ages, wrap
    _refuse = refuse
    T_data, T_version = slot_of(_Tensor, "_data"), slot_of(_Tensor, "_version")
    T_grad, T_index = slot_of(_Tensor, "grad"), slot_of(_Tensor, "index")
    T_node, T_requires_grad = slot_of(_Tensor, "node"), slot_of(_Tensor, "requires_grad")
    N_name, N_backward = slot_of(_Node, "name"), slot_of(_Node, "backward")
    N_takes_needs, N_saved = slot_of(_Node, "takes_needs"), slot_of(_Node, "saved")
    N_attrs, N_parents = slot_of(_Node, "attrs"), slot_of(_Node, "parents")
    N_versions, N_outputs = slot_of(_Node, "versions"), slot_of(_Node, "outputs")
    N_tuple_output, N_order = slot_of(_Node, "tuple_output"), slot_of(_Node, "order")
    N_extras = slot_of(_Node, "extras")


def watch_tape():
    """From now on every op asks whether its thread is inside detect_anomaly()."""
    global _watching
    _watching = True


cdef inline void give(tuple to, Py_ssize_t i, object item) noexcept:
    """to[i] = item, in a tuple from PyTuple_New."""
    Py_INCREF(item)                                 # SET_ITEM takes a reference over
    PyTuple_SET_ITEM(to, i, item)


cdef object new_node(object name, tuple run, object saved, object attrs, tuple inputs, Py_ssize_t tensors, object y,
                     object dtype):
    """The Node of an op with one output; `tensors` of its inputs are tensors. `wrap` in
    autograd/tape.py does the same.
    """
    cdef Py_ssize_t i, seen = 0, count = PyTuple_GET_SIZE(inputs)
    cdef tuple versions = PyTuple_New(tensors), parents = PyTuple_New(count)
    cdef object x, data, version, made_by
    for i in range(count):
        x = nth(inputs, i)
        made_by = None
        if PyObject_TypeCheck(x, <PyTypeObject *>_Tensor):
            version, data = slot(x, T_version), slot(x, T_data)
            give(versions, seen, (version, (<list>version)[0], <uintptr_t><PyObject *>data))
            seen += 1
            if slot(x, T_requires_grad):
                made_by = slot(x, T_node)
                made_by = x if made_by is None else (made_by, slot(x, T_index))
        give(parents, i, made_by)
    node = make(_Node)
    put(node, N_name, name)
    put(node, N_backward, run[RUN_BACKWARD])
    put(node, N_takes_needs, run[RUN_TAKES_NEEDS])
    put(node, N_saved, saved)
    put(node, N_attrs, attrs)
    put(node, N_parents, parents)
    put(node, N_versions, versions)
    put(node, N_outputs, ((y.shape, dtype),))
    put(node, N_tuple_output, False)
    put(node, N_order, next(_ages))
    put(node, N_extras, None)
    return node


cdef inline object call(object op, object function, tuple arrays, dict attrs, PyObject *keywords):
    """An op's check or forward; what it raises about its arguments, in our words. A `try` here
    would cost every call some instructions.
    """
    cdef PyObject *y = PyObject_Call(<PyObject *>function, <PyObject *>arrays, keywords)
    if y == NULL:
        return refused(op, arrays, attrs)
    result = <object>y
    Py_XDECREF(y)
    return result


cdef object refused(object op, tuple arrays, dict attrs):
    """Called when an error is set: `refuse` of guard.py."""
    try:
        error_is_set()
    except Exception as error:
        _refuse(op.name, op.inputs, error, arrays, attrs)


def apply(op, *inputs, **attrs):
    """autograd.apply, compiled."""
    cdef bint record = False
    cdef object x, data, base, node
    name = op.name
    cdef tuple run = <tuple>(<dict>_active)[name], arrays
    cdef Py_ssize_t i, tensors = 0, count = PyTuple_GET_SIZE(inputs)
    arrays = PyTuple_New(count)
    for i in range(count):
        x = nth(inputs, i)
        if PyObject_TypeCheck(x, <PyTypeObject *>_Tensor):
            tensors += 1
            data = slot(x, T_data)
            if slot(x, T_requires_grad):
                record = True
        else:
            data = x
        give(arrays, i, data)
    cdef PyObject *keywords = <PyObject *>attrs if attrs else NULL
    record = record and run[RUN_BACKWARD] is not None and _tape_state.enabled
    if run[RUN_CHECK] is not None and not (type(run[RUN_FITS]) is Fits and (<Fits>run[RUN_FITS]).test(arrays, attrs)):
        call(op, run[RUN_CHECK], arrays, attrs, keywords)
    if not record and run[RUN_TAKES_SAVE]:
        attrs["save"] = False                       # this call's own dict, and no node will keep it
        keywords = <PyObject *>attrs
    y, saved = call(op, run[RUN_FORWARD], arrays, attrs, keywords)
    if _watching or type(y) is not _ndarray:
        return _wrap_slowly(name, y, saved, run[RUN_BACKWARD] if record else None, run[RUN_TAKES_NEEDS], inputs, attrs)
    t = make(_Tensor)
    put(t, T_data, y)
    put(t, T_grad, None)
    put(t, T_index, 0)
    node = None
    if record:
        dtype = y.dtype
        node = new_node(name, run, saved, attrs, inputs, tensors, y, dtype)
        if not (dtype is _float32 or dtype is _float64 or dtype.kind == "f"):
            node = None
    put(t, T_node, node)
    put(t, T_requires_grad, node is not None)
    base = y.base
    if base is not None and isinstance(base, _ndarray):             # a view: a change of either is a change of both
        for x in inputs:
            if PyObject_TypeCheck(x, <PyTypeObject *>_Tensor):
                data = slot(x, T_data)
                if data is base or data.base is base:
                    put(t, T_version, slot(x, T_version))
                    return t
    put(t, T_version, [0])
    return t
