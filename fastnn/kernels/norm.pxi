# norm.pxi -- calls of csrc/norm.c
