/* loss.h -- rows of kernels.h for loss.c; no guard. */
