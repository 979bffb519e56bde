/* activation.h -- rows of kernels.h for activation.c; no guard. n is the number of elements
 * throughout; s(x) = 1 / (1 + e^-x). */

/* max(x, 0);  NaN stays NaN */
KERNEL(relu_forward, REAL *y, const REAL *x, fnn_size n)
KERNEL(relu_backward, REAL *dx, const REAL *dy, const REAL *y, fnn_size n)                  /* dy where y > 0, else 0 */
/* x where x > 0, else slope x */
KERNEL(leaky_relu_forward, REAL *y, const REAL *x, fnn_size n, double slope)
KERNEL(leaky_relu_backward, REAL *dx, const REAL *dy, const REAL *x, fnn_size n, double slope)
/* scale (x > 0 ? x : alpha (e^x - 1)) */
KERNEL(elu_forward, REAL *y, const REAL *x, fnn_size n, double alpha, double scale)
KERNEL(elu_backward, REAL *dx, const REAL *dy, const REAL *x, fnn_size n, double alpha, double scale)
KERNEL(sigmoid_forward, REAL *y, const REAL *x, fnn_size n)                                 /* s(x) */
KERNEL(sigmoid_backward, REAL *dx, const REAL *dy, const REAL *y, fnn_size n)               /* dy y (1 - y) */
KERNEL(tanh_forward, REAL *y, const REAL *x, fnn_size n)
KERNEL(tanh_backward, REAL *dx, const REAL *dy, const REAL *y, fnn_size n)                  /* dy (1 - y^2) */
/* x Phi(x), Phi the normal distribution */
KERNEL(gelu_forward, REAL *y, const REAL *x, fnn_size n)
KERNEL(gelu_backward, REAL *dx, const REAL *dy, const REAL *x, fnn_size n)
/* x s(2z), z = sqrt(2/pi) (x + 0.044715 x^3) */
KERNEL(gelu_tanh_forward, REAL *y, const REAL *x, fnn_size n)
KERNEL(gelu_tanh_backward, REAL *dx, const REAL *dy, const REAL *x, fnn_size n)
KERNEL(silu_forward, REAL *y, const REAL *x, fnn_size n)                                    /* x s(x) */
KERNEL(silu_backward, REAL *dx, const REAL *dy, const REAL *x, fnn_size n)
KERNEL(mish_forward, REAL *y, const REAL *x, fnn_size n)                                    /* x tanh(ln(1 + e^x)) */
KERNEL(mish_backward, REAL *dx, const REAL *dy, const REAL *x, fnn_size n)
/* ln(1 + e^(beta x)) / beta; x above */
KERNEL(softplus_forward, REAL *y, const REAL *x, fnn_size n, double beta, double threshold)
KERNEL(softplus_backward, REAL *dx, const REAL *dy, const REAL *x, fnn_size n, double beta, double threshold)
KERNEL(logsigmoid_forward, REAL *y, const REAL *x, fnn_size n)                              /* ln s(x) */
KERNEL(logsigmoid_backward, REAL *dx, const REAL *dy, const REAL *x, fnn_size n)            /* dy s(-x) */
KERNEL(softsign_forward, REAL *y, const REAL *x, fnn_size n)                                /* x / (1 + |x|) */
KERNEL(softsign_backward, REAL *dx, const REAL *dy, const REAL *x, fnn_size n)              /* dy / (1 + |x|)^2 */
/* dy where low < x < high */
KERNEL(hardtanh_backward, REAL *dx, const REAL *dy, const REAL *x, fnn_size n, double low, double high)
/* x / 6 + 1/2 moved into 0..1 */
KERNEL(hardsigmoid_forward, REAL *y, const REAL *x, fnn_size n)
/* dy / 6 where -3 < x < 3 */
KERNEL(hardsigmoid_backward, REAL *dx, const REAL *dy, const REAL *x, fnn_size n)
KERNEL(hardswish_forward, REAL *y, const REAL *x, fnn_size n)                               /* x hardsigmoid(x) */
/* dy (x / 3 + 1/2) between, dy above */
KERNEL(hardswish_backward, REAL *dx, const REAL *dy, const REAL *x, fnn_size n)
