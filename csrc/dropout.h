/* dropout.h -- rows of kernels.h for dropout.c; no guard. */
