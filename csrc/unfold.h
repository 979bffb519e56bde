/* unfold.h -- rows of kernels.h for unfold.c; no guard. */
