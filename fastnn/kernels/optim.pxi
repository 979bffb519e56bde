# optim.pxi -- calls of csrc/optim/optim.c, one for all parameters of one dtype; and the compiled
# glance at the usual case of a step, which Optimizer._plan takes before it looks more closely.

from cpython.dict cimport PyDict_GetItem
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE
from libc.math cimport pow, sqrt

cdef extern from "fastnn.h" nogil:
    enum: FNN_OPTIM_BLOCK, FNN_OPTIM_STATES
    ctypedef struct fnn_step:
        void **p
        void **state[3]
        const void *const *g
        const Py_ssize_t *size
        const Py_ssize_t *block
        Py_ssize_t count
        const double *number[3]
        double lr, weight_decay, eps, beta1, beta2, momentum, dampening, alpha, lambd, least, most
        int decoupled, nesterov, centered, amsgrad


cdef enum: PLAIN = C_CONTIGUOUS | ALIGNED
cdef enum: STEP_WORK = 16                           # a step's time for an element, in multiply-adds


cdef class ArrayTable:
    """Pointers to the arrays of some lists, and their sizes, as the kernels want them.

    A list is a column of the table, and row i has the ith array of each. All that reaches a
    kernel's pointers is checked here, once: all arrays are float32, or all are float64; those of a
    row have one size; what a kernel writes is contiguous, aligned, in native byte order and may be
    written.
    """
    cdef void **data                                # column after column
    cdef Py_ssize_t *size
    cdef Py_ssize_t *block                          # before row i; block[count] is their total
    cdef double *numbers                            # three columns of them: `number` of fnn_step
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
        # One piece of memory of 8-byte entries. A row needs its pointers, a size, a block and three
        # numbers; one row more holds block[count].
        self.data = <void **>PyMem_Malloc((len(columns) + 5) * (count + 1) * 8)
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

    cdef double *number(self, Py_ssize_t k, list values) except NULL:
        """The kth number of each row."""
        cdef double *numbers = self.numbers + k * self.count
        cdef Py_ssize_t i
        if len(values) != self.count:
            raise ValueError(f"{len(values)} numbers for {self.count} arrays")
        for i in range(self.count):
            numbers[i] = values[i]
        return numbers

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


def gathered_states(known, list params, list arrays, tuple names, bint steps):
    """(each parameter's state, a column for each name, and with `steps` one of the numbers of this
    step), where the state has all of it and it fits the parameter; else None.
    """
    cdef list states = [], columns = [[] for _ in names], numbers = []
    cdef PyObject *state
    cdef PyObject *found
    cdef const ndarray *a
    cdef const ndarray *s
    cdef Py_ssize_t i, c
    if not isinstance(known, dict):                 # a defaultdict is one
        return None
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
ctypedef void (*rule_fn)(const fnn_step *step) noexcept nogil


cdef class Step:
    """What a rule's kernel is called with: its arrays, and its settings (csrc/optim/optim.h).

    A state that the rule does not use under these settings is None, and the kernel gets NULL: only
    those from number `needed` on.
    """
    cdef ArrayTable table
    cdef fnn_step step

    def __cinit__(self, params, tuple states, grads, Py_ssize_t needed=FNN_OPTIM_STATES):
        if None in states[:needed]:
            raise ValueError("a state is missing")
        cdef tuple used = tuple([state for state in states if state is not None])
        cdef ArrayTable t = ArrayTable((params, *used, grads), 1 + len(used))
        cdef Py_ssize_t k, c = 1
        memset(&self.step, 0, sizeof(fnn_step))
        self.table = t
        self.step.p = t.data
        for k in range(len(states)):
            if states[k] is not None:
                self.step.state[k] = t.column(c)
                c += 1
        self.step.g = <const void *const *>t.column(c)
        self.step.size, self.step.block, self.step.count = t.size, t.block, t.count

    cdef object number(self, Py_ssize_t k, list values):
        """Give each tensor its kth number."""
        self.step.number[k] = self.table.number(k, values)

    cdef object run(self, const rule_fn *kernel):
        cdef PyThreadState *others = let_others_run(self.table.elements * STEP_WORK)
        kernel[self.table.dtype](&self.step)
        run_again(others)


def sgd_step(params, grads, momenta, fresh, double lr, double momentum, double dampening, double weight_decay,
             bint nesterov) -> None:
    """Change params and momenta in place; `fresh`: list of bool, which momenta hold nothing yet.
    With momentum 0 there are none: `momenta` is not read.
    """
    cdef Step s = Step(params, (momenta,) if momentum != 0 else (), grads)
    s.step.lr, s.step.momentum, s.step.dampening, s.step.weight_decay = lr, momentum, dampening, weight_decay
    s.step.nesterov = nesterov
    s.number(0, [not new for new in fresh])
    s.run(fnn_sgd_step)


def adam_step(params, grads, ms, vs, tops, steps, double beta1, double beta2, double lr, double eps,
              double weight_decay, bint decoupled_weight_decay) -> None:
    """Change params, ms, vs and tops in place; `tops`: None without AMSGrad; `steps`: list of the
    number of each parameter's step, from 1, which decides its bias corrections.
    """
    cdef Step s = Step(params, (ms, vs, tops), grads, 2)
    cdef double *scale_m = s.table.number(0, steps)
    cdef double *scale_v = s.table.number(1, steps)
    cdef double step, previous = -1
    cdef Py_ssize_t i
    for i in range(s.table.count):
        step = scale_m[i]
        if step == previous:                          # nearly always all parameters are at one step
            scale_m[i], scale_v[i] = scale_m[i - 1], scale_v[i - 1]
        else:
            scale_m[i], scale_v[i] = 1 / (1 - pow(beta1, step)), 1 / sqrt(1 - pow(beta2, step))
        previous = step
    s.step.number[0], s.step.number[1] = scale_m, scale_v
    s.step.lr, s.step.beta1, s.step.beta2, s.step.eps = lr, beta1, beta2, eps
    s.step.weight_decay, s.step.decoupled, s.step.amsgrad = weight_decay, decoupled_weight_decay, tops is not None
    s.run(fnn_adam_step)


def nadam_step(params, grads, ms, vs, of_g, of_m, scale_v, double beta1, double beta2, double lr, double eps,
               double weight_decay, bint decoupled_weight_decay) -> None:
    """Change params, ms and vs in place; of_g, of_m, scale_v: lists of each parameter's factors."""
    cdef Step s = Step(params, (ms, vs), grads)
    s.number(0, of_g)
    s.number(1, of_m)
    s.number(2, scale_v)
    s.step.lr, s.step.beta1, s.step.beta2, s.step.eps = lr, beta1, beta2, eps
    s.step.weight_decay, s.step.decoupled = weight_decay, decoupled_weight_decay
    s.run(fnn_nadam_step)


def radam_step(params, grads, ms, vs, rates, adaptive, double beta1, double beta2, double lr, double eps,
               double weight_decay, bint decoupled_weight_decay) -> None:
    """Change params, ms and vs in place; rates, adaptive: lists with a number for each
    parameter.
    """
    cdef Step s = Step(params, (ms, vs), grads)
    s.number(0, rates)
    s.number(1, adaptive)
    s.step.lr, s.step.beta1, s.step.beta2, s.step.eps = lr, beta1, beta2, eps
    s.step.weight_decay, s.step.decoupled = weight_decay, decoupled_weight_decay
    s.run(fnn_radam_step)


def adamax_step(params, grads, ms, us, rates, double beta1, double beta2, double eps, double weight_decay) -> None:
    """Change params, ms and us in place; rates: list of each parameter's learning rate."""
    cdef Step s = Step(params, (ms, us), grads)
    s.number(0, rates)
    s.step.beta1, s.step.beta2, s.step.eps, s.step.weight_decay = beta1, beta2, eps, weight_decay
    s.run(fnn_adamax_step)


def adagrad_step(params, grads, sums, rates, double eps, double weight_decay) -> None:
    """Change params and sums in place; rates: list of each parameter's learning rate."""
    cdef Step s = Step(params, (sums,), grads)
    s.number(0, rates)
    s.step.eps, s.step.weight_decay = eps, weight_decay
    s.run(fnn_adagrad_step)


def adadelta_step(params, grads, squares, deltas, double lr, double rho, double eps, double weight_decay) -> None:
    """Change params, squares and deltas in place."""
    cdef Step s = Step(params, (squares, deltas), grads)
    s.step.lr, s.step.alpha, s.step.eps, s.step.weight_decay = lr, rho, eps, weight_decay
    s.run(fnn_adadelta_step)


def rmsprop_step(params, grads, squares, means, momenta, double lr, double alpha, double eps, double weight_decay,
                 double momentum) -> None:
    """Change params, squares, means and momenta in place; means is None if the squares are not
    centred, momenta where there is no momentum.
    """
    cdef Step s = Step(params, (squares, means, momenta), grads, 1)
    s.step.lr, s.step.alpha, s.step.eps, s.step.weight_decay = lr, alpha, eps, weight_decay
    s.step.momentum, s.step.centered = momentum if momenta is not None else 0, means is not None
    s.run(fnn_rmsprop_step)


def rprop_step(params, grads, previous, sizes, double etaminus, double etaplus, double least, double most) -> None:
    """Change params, previous and sizes in place."""
    cdef Step s = Step(params, (previous, sizes), grads)
    s.step.beta1, s.step.beta2, s.step.least, s.step.most = etaminus, etaplus, least, most
    s.run(fnn_rprop_step)


def asgd_step(params, grads, averages, etas, mus, double lambd, double weight_decay) -> None:
    """Change params and averages in place; etas, mus: lists with a number for each parameter."""
    cdef Step s = Step(params, (averages,), grads)
    s.number(0, etas)
    s.number(1, mus)
    s.step.lambd, s.step.weight_decay = lambd, weight_decay
    s.run(fnn_asgd_step)


def lion_step(params, grads, ms, double lr, double beta1, double beta2, double weight_decay) -> None:
    """Change params and ms in place."""
    cdef Step s = Step(params, (ms,), grads)
    s.step.lr, s.step.beta1, s.step.beta2, s.step.weight_decay, s.step.decoupled = lr, beta1, beta2, weight_decay, True
    s.run(fnn_lion_step)


def adafactor_step(param, grad, row, column, double one_minus_beta2, double rate, double eps1, double eps2, double d,
                   double shrink) -> None:
    """Change one parameter, with the running means of its rows and columns, in place; of a vector
    `row` is None.
    """
    cdef ArrayTable t = ArrayTable(([param], [grad]), 1)
    cdef Py_ssize_t size = t.elements
    if size == 0:
        return
    cdef Py_ssize_t C = size if row is None else param.shape[len(param.shape) - 1]
    cdef Py_ssize_t R = 1 if row is None else param.shape[len(param.shape) - 2]
    cdef Py_ssize_t B = size // (R * C)
    cdef ArrayTable columns = ArrayTable(([column],), 1)
    cdef ArrayTable rows = columns if row is None else ArrayTable(([row],), 1)
    if columns.elements != B * C or (row is not None and rows.elements != B * R):
        raise ValueError("the means of rows and columns do not fit their parameter")
    if t.dtype != columns.dtype or t.dtype != rows.dtype:
        raise TypeError("the means are of another dtype than their parameter")
    cdef Workspace workspace = Workspace((B * R + B) * sizeof(double))
    cdef PyThreadState *others = let_others_run(t.elements * STEP_WORK)
    fnn_adafactor_step[t.dtype](t.data[0], NULL if row is None else rows.data[0], columns.data[0], t.data[1],
                                <double *>workspace.data, B, R, C, one_minus_beta2, rate, eps1, eps2, d, shrink)
    run_again(others)


def square_sum(arrays) -> float:
    """The sum of all squares, in double precision."""
    cdef ArrayTable t = ArrayTable((arrays,), 0)
    cdef Workspace partial = Workspace((t.block[t.count] + 1) * sizeof(double))
    cdef double total = 0
    cdef fnn_step step
    memset(&step, 0, sizeof(fnn_step))
    step.g, step.size, step.block, step.count = <const void *const *>t.data, t.size, t.block, t.count
    cdef PyThreadState *others = let_others_run(t.elements * STEP_WORK)
    fnn_square_sum[t.dtype](&total, <double *>partial.data, &step)
    run_again(others)
    return total


def scale_all(arrays, double factor) -> None:
    """Multiply all arrays by a factor, in place."""
    cdef ArrayTable t = ArrayTable((arrays,), 1)
    cdef fnn_step step
    memset(&step, 0, sizeof(fnn_step))
    step.p, step.size, step.block, step.count, step.lr = t.data, t.size, t.block, t.count, factor
    cdef PyThreadState *others = let_others_run(t.elements * STEP_WORK)
    fnn_scale_all[t.dtype](&step)
    run_again(others)
