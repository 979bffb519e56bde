/* lstm.h -- rows of kernels.h for lstm.c; no guard. */
