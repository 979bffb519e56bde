/* embedding.h -- rows of kernels.h for embedding.c; no guard. */
