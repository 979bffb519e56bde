/* arithmetic.h -- rows of kernels.h for arithmetic.c; no guard. */
