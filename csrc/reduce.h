/* reduce.h -- rows of kernels.h for reduce.c; no guard. */
