"""Every op from its definition, in NumPy: forward and backward, written to be read.

No trick of the kernels is used here and nothing of fastnn is imported: this is what "correct"
means. Each backward stands below its forward and quotes the line that it differentiates. The laws
check these functions against finite differences, and the kernels against them.
"""
