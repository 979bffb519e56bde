# peak.pxi -- call of csrc/ladder/peak.c


def multiply_add_peak(sink, Py_ssize_t steps):
    """Keep every unit busy for `steps` rounds in each of len(sink) blocks; returns the operations
    done.

    sink: a writable vector
    """
    cdef Array sink_
    cdef double flops
    sink = open_array(sink, &sink_)
    need(writeable(sink))
    with nogil:
        fnn_multiply_add_peak[sink_.dtype](sink_.data, &flops, sink_.size, steps)
    return flops
