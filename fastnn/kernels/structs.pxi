# structs.pxi -- the structs that kernels take, as far as the wrappers fill them; csrc says what the
# fields mean

cdef extern from "fastnn.h" nogil:
    # csrc/pointwise/arithmetic.h
    ctypedef struct fnn_broadcast:
        Py_ssize_t size
    # csrc/core/window.h
    ctypedef struct fnn_window:
        Py_ssize_t N, C, H, W
        Py_ssize_t K, G
        Py_ssize_t R, S
        Py_ssize_t P, Q
        Py_ssize_t sh, sw, ph, pw, dh, dw
    # csrc/attention/attention.h
    ctypedef struct fnn_matrices:
        const Py_ssize_t *at
        Py_ssize_t rs
    ctypedef struct fnn_attention:
        Py_ssize_t items, T, U, HS, HV
        fnn_matrices q, k, v, y, dy, dq, dk, dv
        const void *mask
        int mask_kind
        const Py_ssize_t *mask_at
        Py_ssize_t mask_rs, mask_cs
        double scale
        int causal
        double dropout
        uint64_t dropout_key, dropout_call
