# softmax.pxi -- calls of csrc/softmax.c
