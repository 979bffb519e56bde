/* optim.h -- rows of kernels.h for optim.c; no guard. */
