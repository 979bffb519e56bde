# dropout.pxi -- calls of csrc/dropout.c
