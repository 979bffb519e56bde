/* norm.h -- rows of kernels.h for norm.c; no guard. */
