/* attention.h -- rows of kernels.h for attention.c; no guard. */
