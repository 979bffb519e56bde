/* pool2d.h -- rows of kernels.h for pool2d.c; no guard. */
