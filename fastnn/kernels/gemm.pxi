# gemm.pxi -- calls of csrc/gemm.c
