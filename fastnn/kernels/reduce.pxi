# reduce.pxi -- calls of csrc/reduce.c
