# lstm.pxi -- calls of csrc/lstm.c
