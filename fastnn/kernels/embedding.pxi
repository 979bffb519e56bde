# embedding.pxi -- calls of csrc/embedding.c
