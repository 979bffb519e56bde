# optim.pxi -- calls of csrc/optim/optim.c: one for all parameters of one dtype.

cdef extern from "fastnn.h" nogil:
    enum: FNN_OPTIM_BLOCK
    void (*fnn_sgd_step[2])(void *const *p, void *const *m, const void *const *g, const Py_ssize_t *size,
                            const Py_ssize_t *block, const int *fresh, Py_ssize_t count, double lr, double momentum,
                            double dampening, double weight_decay, int nesterov)
    void (*fnn_adam_step[2])(void *const *p, void *const *m, void *const *v, const void *const *g,
                             const Py_ssize_t *size, const Py_ssize_t *block, const double *scale_m,
                             const double *scale_v, Py_ssize_t count, double lr, double beta1, double beta2, double eps,
                             double weight_decay, int decoupled)
    void (*fnn_square_sum[2])(double *total, const void *const *g, double *partial, const Py_ssize_t *size,
                              const Py_ssize_t *block, Py_ssize_t count)
    void (*fnn_scale_all[2])(void *const *g, const Py_ssize_t *size, const Py_ssize_t *block, Py_ssize_t count,
                             double factor)


cdef class ArrayTable:
    """Pointers to and sizes of a list of arrays of one dtype, as the kernels want them."""
    cdef void **data
    cdef Py_ssize_t *size
    cdef Py_ssize_t *block                          # blocks before each array; block[count] is their total
    cdef Py_ssize_t count
    cdef int dtype
    cdef list kept                                  # what must stay alive

    def __cinit__(self, arrays, bint writable):
        cdef Array a_
        cdef Py_ssize_t i
        self.count = len(arrays)
        self.kept = []
        self.dtype = FNN_F32
        self.data = <void **>PyMem_Malloc((self.count + 1) * sizeof(void *))
        self.size = <Py_ssize_t *>PyMem_Malloc((self.count + 1) * sizeof(Py_ssize_t))
        self.block = <Py_ssize_t *>PyMem_Malloc((self.count + 1) * sizeof(Py_ssize_t))
        if self.data == NULL or self.size == NULL or self.block == NULL:
            raise MemoryError()
        self.block[0] = 0
        for i in range(self.count):
            kept = open_array(arrays[i], &a_)
            if writable and kept is not arrays[i]:
                raise ValueError("an array that an optimiser changes must be contiguous, aligned and in native byte "
                                 "order")
            self.kept.append(kept)
            self.data[i] = a_.data
            self.size[i] = a_.size
            self.block[i + 1] = self.block[i] + fnn_ceil_div(a_.size, FNN_OPTIM_BLOCK)
            self.dtype = a_.dtype

    def __dealloc__(self):
        PyMem_Free(self.data)
        PyMem_Free(self.size)
        PyMem_Free(self.block)


def sgd_step(params, grads, momenta, fresh, double lr, double momentum, double dampening, double weight_decay,
             bint nesterov):
    """Change params and momenta in place; `fresh`: list of bool, which momenta hold nothing yet."""
    cdef ArrayTable p = ArrayTable(params, True), g = ArrayTable(grads, False), m = ArrayTable(momenta, True)
    cdef Py_ssize_t i
    cdef Workspace flags = Workspace((p.count + 1) * sizeof(int))
    for i in range(p.count):
        (<int *>flags.data)[i] = fresh[i]
    with nogil:
        fnn_sgd_step[p.dtype](p.data, m.data, <const void *const *>g.data, p.size, p.block, <int *>flags.data, p.count,
                              lr, momentum, dampening, weight_decay, nesterov)


def adam_step(params, grads, ms, vs, scales_m, scales_v, double lr, double beta1, double beta2, double eps,
              double weight_decay, bint decoupled):
    """Change params, ms and vs in place. scales: the bias corrections of each parameter
    (csrc/optim/optim.h).
    """
    cdef ArrayTable p = ArrayTable(params, True), g = ArrayTable(grads, False)
    cdef ArrayTable m = ArrayTable(ms, True), v = ArrayTable(vs, True)
    cdef Py_ssize_t i
    cdef Workspace scale = Workspace(2 * (p.count + 1) * sizeof(double))
    cdef double *scale_m = <double *>scale.data
    cdef double *scale_v = scale_m + p.count
    for i in range(p.count):
        scale_m[i] = scales_m[i]
        scale_v[i] = scales_v[i]
    with nogil:
        fnn_adam_step[p.dtype](p.data, m.data, v.data, <const void *const *>g.data, p.size, p.block, scale_m, scale_v,
                               p.count, lr, beta1, beta2, eps, weight_decay, decoupled)


def square_sum(arrays):
    """The sum of all squares, in double precision."""
    cdef ArrayTable g = ArrayTable(arrays, False)
    cdef Workspace partial = Workspace((g.block[g.count] + 1) * sizeof(double))
    cdef double total = 0
    with nogil:
        fnn_square_sum[g.dtype](&total, <const void *const *>g.data, <double *>partial.data, g.size, g.block, g.count)
    return total


def scale_all(arrays, double factor):
    """Multiply all arrays by a factor, in place."""
    cdef ArrayTable g = ArrayTable(arrays, True)
    with nogil:
        fnn_scale_all[g.dtype](g.data, g.size, g.block, g.count, factor)
