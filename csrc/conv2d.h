/* conv2d.h -- rows of kernels.h for conv2d.c; no guard. */
