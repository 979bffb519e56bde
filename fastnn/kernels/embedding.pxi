# embedding.pxi -- calls of csrc/pointwise/embedding.c

cdef extern from "fastnn.h" nogil:
    int64_t fnn_embedding_work(Py_ssize_t n, Py_ssize_t V)


def embedding_forward(index, w, *, padding_idx):
    cdef Array index_, w_, y_
    cdef int i
    cdef Py_ssize_t shape[MAX_DIMS]
    index = _open_labels(index, &index_)
    w = open_array(w, &w_)
    need(w_.ndim == 2 and positions_fit(<const int64_t *>index_.data, index_.size, w_.shape[0]))
    if index_.ndim + 1 > MAX_DIMS:
        raise ValueError(f"fastnn kernels take at most {MAX_DIMS} dimensions")
    for i in range(index_.ndim):
        shape[i] = index_.shape[i]
    shape[index_.ndim] = w_.shape[1]
    y = new_array(&y_, w_.dtype, index_.ndim + 1, shape)
    with nogil:
        fnn_embedding_forward[w_.dtype](y_.data, <const int64_t *>index_.data, w_.data, index_.size, w_.shape[1])
    return y, (index, w_.shape[0])


def embedding_backward(dy, saved, *, padding_idx):
    cdef Array index_, dy_, dw_
    cdef Py_ssize_t shape[2]
    cdef Py_ssize_t padding = -1 if padding_idx is None else padding_idx
    index = open_any(saved[0], &index_)
    dy = open_array(dy, &dy_)
    need(dy_.ndim > 0)
    shape[0], shape[1] = saved[1], dy_.shape[dy_.ndim - 1]
    need(has_size(&index_, b'q', index_.size) and dy_.size == index_.size * shape[1]
         and positions_fit(<const int64_t *>index_.data, index_.size, shape[0]))
    dw = new_array(&dw_, dy_.dtype, 2, shape)
    cdef Workspace work = Workspace(fnn_embedding_work(index_.size, shape[0]) * sizeof(Py_ssize_t))
    with nogil:
        fnn_embedding_backward[dy_.dtype](dw_.data, dy_.data, <const int64_t *>index_.data, <Py_ssize_t *>work.data,
                                          index_.size, shape[0], shape[1], padding)
    return None, dw
