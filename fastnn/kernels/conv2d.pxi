# conv2d.pxi -- calls of csrc/conv2d.c
