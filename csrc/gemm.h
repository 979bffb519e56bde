/* gemm.h -- rows of kernels.h for gemm.c; no guard. */
