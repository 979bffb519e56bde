/* softmax.h -- rows of kernels.h for softmax.c; no guard. */
