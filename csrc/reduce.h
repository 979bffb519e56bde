/* reduce.h -- rows of kernels.h for reduce.c; no guard. x is [outer][axis][inner] and the middle one is reduced: y is [outer][inner]. */

/* y[o,i] = sum_a x[o,a,i] / divisor. Callers: fnn_scratch_ready(). */
KERNEL(sum, REAL *y, const REAL *x, fnn_size outer, fnn_size axis, fnn_size inner, double divisor)
/* dx[o,a,i] = dy[o,i] / divisor */
KERNEL(spread, REAL *dx, const REAL *dy, fnn_size outer, fnn_size axis, fnn_size inner, double divisor)
