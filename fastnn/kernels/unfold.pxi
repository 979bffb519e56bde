# unfold.pxi -- calls of csrc/unfold.c
