# optim.pxi -- calls of csrc/optim.c
