/* activation.h -- rows of kernels.h for activation.c; no guard. n is the number of elements throughout. */

/* y = max(x, 0);  NaN stays NaN */
KERNEL(relu_forward, REAL *y, const REAL *x, fnn_size n)
/* dx = dy where y > 0, else 0 */
KERNEL(relu_backward, REAL *dx, const REAL *dy, const REAL *y, fnn_size n)
