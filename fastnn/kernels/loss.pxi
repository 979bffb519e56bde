# loss.pxi -- calls of csrc/loss.c
