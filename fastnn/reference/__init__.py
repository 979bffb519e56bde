"""Every op from its definition, in NumPy: forward and backward, written to be read.

No trick of the kernels is used here, and nothing of fastnn is imported: this is what "correct"
means. The laws check these functions against finite differences, and the kernels against them.

    forward(*inputs, **attributes)    -> (y, saved)     saved: what backward will need
    backward(dy, saved, **attributes) -> gradients      one per input, None where there is none

dx is the gradient of the loss with respect to x, dy that with respect to the result. Each backward
stands below its forward and quotes the line that it differentiates. The letters of the shapes are
the same everywhere: docs/words.md lists them.
"""
