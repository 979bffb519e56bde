# tape.pxi -- autograd.apply, compiled: the same steps as the Python function of that name in
# fastnn/autograd/tape.py, which is its definition and what runs without a compiler. What is neither
# quick nor frequent (several outputs, detect_anomaly) goes to that file's own `wrap`.
#
# Tensor and Node are Python classes with __slots__. Their slots lie at fixed distances from the
# start of an object, which the slots' descriptors know; here they are read and written there, in a
# nanosecond instead of twenty.

from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE
from cpython.ref cimport Py_DECREF, Py_XDECREF

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
    #define FNN_MIX 0x9E3779B97F4A7C15u     /* odd, bits spread; counted: 2^64 / golden ratio */
    static int fnn_error_is_set(void) { return -1; }
    """
    int error_is_set "fnn_error_is_set"() except -1
    uint64_t MIX "FNN_MIX"

# What runs when an op is called: a row of ACTIVE is an op.Running. These are its fields, by number;
# connect_tape compares the names.
cdef enum: RUN_FORWARD, RUN_BACKWARD, RUN_TAKES_NEEDS, RUN_CHECK, RUN_FITS, RUN_TAKES_SAVE
_RUNNING = ("forward", "backward", "takes_needs", "check", "fits", "takes_save")

cdef object _Tensor, _Node, _active, _tape_state, _ages, _wrap_slowly, _refuse, _incomplete, _renew
cdef enum: FEW_BITS = 34                # of 64; bound: Python keeps the rest in one digit
cdef bint _watching = False                         # has detect_anomaly() been used?
cdef tuple _no_arguments = ()
# Where the slots of a Tensor (T_) and of a Node (N_) lie, in bytes from the start of the object
cdef Py_ssize_t T_data, T_version, T_grad, T_index, T_node, T_requires_grad, T_base
cdef Py_ssize_t N_name, N_backward, N_takes_needs, N_saved, N_attrs, N_parents
cdef Py_ssize_t N_versions, N_outputs, N_tuple_output, N_order, N_extras, N_forms, N_kept


cdef Py_ssize_t slot_of(object cls, str name) except -1:
    """How far from the start of an object this slot lies."""
    descriptor = cls.__dict__.get(name)
    if type(descriptor).__name__ != "member_descriptor":
        raise ImportError(f"fastnn: {cls.__name__}.{name} is no slot: the compiled kernels are of other sources than "
                          "the Python files; build them again: make build")
    return (<PyMemberDescrObject *><PyObject *>descriptor).d_member.offset


cdef object missing(object o):
    """For `slot` and `look_at`, which are small without it, so that C inlines them."""
    raise _incomplete(o)


cdef inline object slot(object o, Py_ssize_t at):
    """What lies there; an error of `incomplete` in autograd/tape.py where nothing does."""
    cdef PyObject *value = (<PyObject **>(<char *><PyObject *>o + at))[0]
    return <object>value if value != NULL else missing(o)


cdef inline int look_at(object t) except -1:
    """For before a tensor's fields are used: an error if its counter of changes is none, and a view
    that is out of date is renewed.
    """
    cdef PyObject *version = (<PyObject **>(<char *><PyObject *>t + T_version))[0]
    if version == NULL or type(<object>version) is not list or PyList_GET_SIZE(<object>version) != 1:
        look_closer(t)
    return 0


cdef int look_closer(object t) except -1:
    cdef PyObject *version = (<PyObject **>(<char *><PyObject *>t + T_version))[0]
    if version == NULL or type(<object>version) is not list or PyList_GET_SIZE(<object>version) == 0:
        missing(t)
    _renew(t)
    return 0


cdef inline void put(object o, Py_ssize_t at, object value) noexcept:
    """Fill a slot that is still empty."""
    Py_INCREF(value)
    (<PyObject **>(<char *><PyObject *>o + at))[0] = <PyObject *>value


cdef inline object make(object cls):
    """An object of this class whose slots are all still empty."""
    return (<NewType *><PyObject *>cls).tp_new(<PyTypeObject *>cls, _no_arguments, NULL)


def connect_tape(tensor_class, node_class, active, running, state, ages, wrap, refuse, incomplete, renew):
    """Tell `apply` what it works on: see `connect` in autograd/tape.py.

    running: the names of the fields of a row of `active`
    """
    global _Tensor, _Node, _active, _tape_state, _ages, _wrap_slowly, _refuse, _incomplete, _renew
    global T_data, T_version, T_grad, T_index, T_node, T_requires_grad, T_base
    global N_name, N_backward, N_takes_needs, N_saved, N_attrs, N_parents
    global N_versions, N_outputs, N_tuple_output, N_order, N_extras, N_forms, N_kept
    if running != _RUNNING:
        raise ImportError(f"fastnn: op.Running has the fields {running}, and the compiled kernels know {_RUNNING}: "
                          "they are of other sources than the Python files; build them again: make build")
    _Tensor, _Node, _active, _tape_state, _ages, _wrap_slowly = tensor_class, node_class, active, state, ages, wrap
    _refuse, _incomplete, _renew = refuse, incomplete, renew
    T_data, T_version = slot_of(_Tensor, "_data"), slot_of(_Tensor, "_version")
    T_grad, T_index = slot_of(_Tensor, "grad"), slot_of(_Tensor, "index")
    T_node, T_requires_grad = slot_of(_Tensor, "node"), slot_of(_Tensor, "_requires_grad")
    T_base = slot_of(_Tensor, "_base")
    N_name, N_backward = slot_of(_Node, "name"), slot_of(_Node, "backward")
    N_takes_needs, N_saved = slot_of(_Node, "takes_needs"), slot_of(_Node, "saved")
    N_attrs, N_parents = slot_of(_Node, "attrs"), slot_of(_Node, "parents")
    N_versions, N_outputs = slot_of(_Node, "versions"), slot_of(_Node, "outputs")
    N_tuple_output, N_order = slot_of(_Node, "tuple_output"), slot_of(_Node, "order")
    N_extras, N_forms = slot_of(_Node, "extras"), slot_of(_Node, "forms")
    N_kept = slot_of(_Node, "kept")


def watch_tape():
    """From now on every op asks whether its thread is inside detect_anomaly()."""
    global _watching
    _watching = True


cdef inline void give(tuple to, Py_ssize_t i, object item) noexcept:
    """to[i] = item, in a tuple from PyTuple_New."""
    Py_INCREF(item)                                 # SET_ITEM takes a reference over
    PyTuple_SET_ITEM(to, i, item)


cdef bint is_array(object a) noexcept:
    """Whether `a` is an array, or of a subclass: its fields lie where those of an array do."""
    return type(a) is _ndarray or PyObject_TypeCheck(a, <PyTypeObject *>_ndarray)


cdef inline uint64_t mixed(uint64_t so_far, uint64_t word) noexcept:
    return (so_far ^ word) * MIX


cdef inline uint64_t form_of_array(object array, uint64_t so_far) noexcept:
    cdef const ndarray *a = <const ndarray *><PyObject *>array
    cdef int i
    so_far = mixed(mixed(so_far, <uintptr_t>a.data), <uintptr_t>a.descr ^ <uint64_t>a.nd)
    for i in range(a.nd):
        so_far = mixed(mixed(so_far, a.dimensions[i]), a.strides[i])
    if a.base != NULL and type(<object>a.base) is _ndarray:
        so_far = mixed(so_far, memory_of_array(<const ndarray *>a.base))
    return so_far


cdef uint64_t memory_of_array(const ndarray *a) noexcept:
    """Where it lies, and how long it is: a view stays as it is when the array that it looks into is
    resized.
    """
    cdef uint64_t elements = 1
    cdef int i
    for i in range(a.nd):
        elements *= <uint64_t>a.dimensions[i]
    return mixed(<uintptr_t>a.data, elements)


cdef uint64_t form_of(object saved, uint64_t so_far, int depth=0) except? 0:
    """One number for where the arrays in `saved` lie, their types, shapes and strides; 0 for no
    arrays.
    """
    cdef PyObject *item
    cdef Py_ssize_t i
    if type(saved) is tuple:
        for i in range(PyTuple_GET_SIZE(saved)):
            item = PyTuple_GET_ITEM(saved, i)
            if type(<object>item) is _ndarray:
                so_far = form_of_array(<object>item, so_far)
            elif not PyLong_CheckExact(<object>item):           # sizes, most of all
                so_far = form_of(<object>item, so_far, depth + 1)
    elif saved is not None and is_array(saved):
        so_far = form_of_array(saved, so_far)
    elif type(saved) is list and depth < 9:         # which may hold itself
        so_far = form_of(tuple(saved), so_far, depth)
    return so_far


cdef object form_number(object saved):
    return form_of(saved, 0) >> FEW_BITS if _fields else None


def forms(saved) -> int | None:
    """The function of that name in autograd/tape.py, compiled; to be compared with itself only."""
    return form_number(saved)


def untouched(node) -> bool:
    """Whether a glance shows that Node.check_saved would find nothing: then it is left out."""
    if not PyObject_TypeCheck(node, <PyTypeObject *>_Node):
        raise TypeError("untouched takes a Node")
    cdef object version, entry, kept = slot(node, N_kept)
    if slot(node, N_backward) is None or slot(node, N_extras) is not None:
        return False
    for entry in slot(node, N_versions):
        version = (<tuple?>entry)[0]
        if (<list?>version)[0] != (<tuple>entry)[1]:
            return False
    if kept is not None and (type(kept) is not list or (<list>kept)[0] != 0):
        return False
    return _fields and form_number(slot(node, N_saved)) == slot(node, N_forms)


cdef int own_integers(tuple arrays, Py_ssize_t at) except -1:
    """Put a copy in place of an array of integers: positions pass the check, and then the kernel,
    which no lock protects, and backward use them again. The tuple is new: nobody sees the change.
    """
    cdef object a = nth(arrays, at)
    cdef const ndarray *f = fields_of(a)
    cdef Array copy_
    if a is None or (f == NULL and not is_array(a)):
        return 0
    if f != NULL and f.descr == <PyObject *>_int64 and f.flags & C_CONTIGUOUS and f.flags & ALIGNED:
        copy = new_array(&copy_, b'q', f.nd, f.dimensions) if f.nd <= MAX_DIMS else a.copy()
        if f.nd <= MAX_DIMS:
            memcpy(copy_.data, f.data, copy_.size * sizeof(int64_t))
    elif a.dtype.kind in "iu":
        copy = a.copy()
    else:
        return 0
    Py_DECREF(a)
    give(arrays, at, copy)
    return 0


cdef object shape_of_array(object a):
    """a.shape, without asking NumPy."""
    cdef const ndarray *f = fields_of(a)
    cdef tuple shape
    cdef int i
    if f == NULL:
        return a.shape
    shape = PyTuple_New(f.nd)
    for i in range(f.nd):
        give(shape, i, PyLong_FromSsize_t(f.dimensions[i]))
    return shape


cdef inline PyObject *owner(object a) except NULL:
    """The array whose memory `a` shows: itself, or the one that it is a view of."""
    cdef const ndarray *f = fields_of(a)
    # `a` keeps it alive
    cdef PyObject *base = <PyObject *>f.base if f != NULL else <PyObject *>a.base
    return base if base != NULL and is_array(<object>base) else <PyObject *>a


cdef bint shows(object saved, PyObject *memory, int depth=0) except -1:
    """Whether an array in `saved` is this one, or a view of it."""
    cdef Py_ssize_t i
    if type(saved) is tuple:
        for i in range(PyTuple_GET_SIZE(saved)):
            if shows(nth(saved, i), memory, depth + 1):
                return True
    elif type(saved) is list and depth < 9:         # which may hold itself
        return shows(tuple(saved), memory, depth)
    elif saved is not None and is_array(saved):
        return owner(saved) == memory
    return False


cdef object new_node(object name, tuple run, object saved, object attrs, tuple inputs, Py_ssize_t tensors, object y,
                     object dtype, list y_version):
    """The Node of an op with one output; `tensors` of its inputs are tensors. `wrap` in
    autograd/tape.py does the same.
    """
    cdef Py_ssize_t i, seen = 0, count = PyTuple_GET_SIZE(inputs)
    cdef tuple versions = PyTuple_New(tensors), parents = PyTuple_New(count)
    cdef list version
    cdef object x, data, made_by
    for i in range(count):
        x = nth(inputs, i)
        made_by = None
        if PyObject_TypeCheck(x, <PyTypeObject *>_Tensor):
            version, data = <list>slot(x, T_version), slot(x, T_data)       # `apply` looked at both
            give(versions, seen, (version, <object>PyList_GET_ITEM(version, 0), <uintptr_t>owner(data)))
            seen += 1
            if slot(x, T_requires_grad):
                made_by = slot(x, T_node)
                made_by = x if made_by is None else (made_by, slot(x, T_index))
        give(parents, i, made_by)
    node = make(_Node)
    put(node, N_name, name)
    put(node, N_backward, nth(run, RUN_BACKWARD))
    put(node, N_takes_needs, nth(run, RUN_TAKES_NEEDS))
    put(node, N_saved, saved)
    put(node, N_attrs, attrs)
    put(node, N_parents, parents)
    put(node, N_versions, versions)
    put(node, N_kept, y_version if y_version is not None and shows(saved, owner(y)) else None)
    put(node, N_outputs, ((shape_of_array(y), dtype),))
    put(node, N_tuple_output, False)
    put(node, N_order, next(_ages))
    put(node, N_extras, None)
    put(node, N_forms, form_number(saved))
    return node


cdef inline object call(object op, object function, object check, tuple arrays, dict attrs, PyObject *keywords):
    """An op's check or forward; what it raises about its arguments, in our words. A `try` here
    would cost every call some instructions.

    check: of a forward, the check that a glance has left out
    """
    cdef PyObject *y = PyObject_Call(<PyObject *>function, <PyObject *>arrays, keywords)
    if y == NULL:
        return refused(op, check, arrays, attrs)
    result = <object>y
    Py_XDECREF(y)
    return result


cdef object refused(object op, object check, tuple arrays, dict attrs):
    """Called when an error is set: `refuse` of guard.py."""
    try:
        error_is_set()
    except Exception as error:
        attrs.pop("save", None)                     # `apply` put it there
        _refuse(op.name, op.inputs, error, arrays, attrs, check)


def apply(op, *inputs, **attrs):
    """autograd.apply, compiled."""
    cdef bint record = False, floats = False
    cdef object x, data, base, node, check, root = None
    cdef list version = None, fresh
    cdef const ndarray *fields
    name = op.name
    cdef tuple run = <tuple>(<dict>_active)[name], arrays
    cdef Py_ssize_t i, tensors = 0, count = PyTuple_GET_SIZE(inputs)
    arrays = PyTuple_New(count)
    for i in range(count):
        x = nth(inputs, i)
        if PyObject_TypeCheck(x, <PyTypeObject *>_Tensor):
            tensors += 1
            look_at(x)
            data = slot(x, T_data)
            if slot(x, T_requires_grad):
                record = True
        else:
            data = x
        floats = floats or float_fields(data) != NULL
        give(arrays, i, data)
    cdef PyObject *keywords = <PyObject *>attrs if attrs else NULL
    record = record and nth(run, RUN_BACKWARD) is not None and _tape_state.enabled
    # integers beside floats are positions or labels
    if floats and count > 1 and (record or not (type(nth(run, RUN_FITS)) is Fits
                                                and (<Fits>nth(run, RUN_FITS)).reads_once)):
        for i in range(count):
            if float_fields(nth(arrays, i)) == NULL:
                own_integers(arrays, i)
    check = nth(run, RUN_CHECK)
    if check is not None and not (type(nth(run, RUN_FITS)) is Fits
                                  and (<Fits>nth(run, RUN_FITS)).test(arrays, attrs)):
        call(op, check, None, arrays, attrs, keywords)
        check = None
    if not record and nth(run, RUN_TAKES_SAVE) is True:
        attrs["save"] = False                       # this call's own dict, and no node will keep it
        keywords = <PyObject *>attrs
    y, saved = call(op, nth(run, RUN_FORWARD), check, arrays, attrs, keywords)
    if _watching or type(y) is not _ndarray:
        return _wrap_slowly(name, y, saved, nth(run, RUN_BACKWARD) if record else None, nth(run, RUN_TAKES_NEEDS),
                            inputs, attrs)
    fields = fields_of(y)
    if fields != NULL:
        base = <object>fields.base if fields.base != NULL else None
    else:
        base = y.base
    # a view: a change of either is a change of both
    if base is not None and isinstance(base, _ndarray):
        for x in inputs:
            if PyObject_TypeCheck(x, <PyTypeObject *>_Tensor):
                data = slot(x, T_data)
                if data is base or data.base is base:
                    version = <list>slot(x, T_version)
                    root = slot(x, T_base)
                    root = x if root is None else root
                    if not record and slot(root, T_requires_grad):
                        root = None                 # under no_grad() a view keeps no graph alive
                    break
    fresh = [0] if version is None else None
    t = make(_Tensor)
    put(t, T_data, y)
    put(t, T_version, version if fresh is None else fresh)
    put(t, T_base, root)
    put(t, T_grad, None)
    put(t, T_index, 0)
    node = None
    if record:
        dtype = <object>fields.descr if fields != NULL else y.dtype
        node = new_node(name, run, saved, attrs, inputs, tensors, y, dtype, fresh)
        if not (dtype is _float32 or dtype is _float64 or dtype.kind == "f"):
            node = None
    put(t, T_node, node)
    put(t, T_requires_grad, node is not None)
    return t
