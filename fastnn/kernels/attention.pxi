# attention.pxi -- calls of csrc/attention.c
