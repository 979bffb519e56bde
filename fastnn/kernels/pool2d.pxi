# pool2d.pxi -- calls of csrc/pool2d.c
