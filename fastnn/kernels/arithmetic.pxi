# arithmetic.pxi -- calls of csrc/arithmetic.c
