/* activation.h -- activation functions: the rows of kernels.h for activation.c; no guard. Map of
 * the family: map.tmpl.h.
 *
 * Names      fnn_relu_forward, fnn_relu_backward, fnn_leaky_relu_forward, fnn_leaky_relu_backward,
 *            fnn_elu_forward, fnn_elu_backward, fnn_sigmoid_forward, fnn_sigmoid_backward,
 *            fnn_tanh_forward, fnn_tanh_backward, fnn_gelu_forward, fnn_gelu_backward,
 *            fnn_gelu_tanh_forward, fnn_gelu_tanh_backward, fnn_silu_forward, fnn_silu_backward,
 *            fnn_mish_forward, fnn_mish_backward, fnn_softplus_forward, fnn_softplus_backward,
 *            fnn_logsigmoid_forward, fnn_logsigmoid_backward, fnn_softsign_forward,
 *            fnn_softsign_backward, fnn_hardtanh_backward, fnn_hardsigmoid_forward,
 *            fnn_hardsigmoid_backward, fnn_hardswish_forward, fnn_hardswish_backward,
 *            fnn_hardshrink_forward, fnn_hardshrink_backward, fnn_softshrink_forward,
 *            fnn_threshold_forward, fnn_threshold_backward:
 *            FN(relu_forward) and so on, which the lines MAP1(relu_forward, ...) of
 *            activation.tmpl.h make.
 * Letters    n elements; s(x) = 1 / (1 + e^-x)
 */

/* max(x, 0);  NaN stays NaN */
KERNEL(relu_forward, (REAL *y, const REAL *x, fnn_size n), (y, x, n))
/* 0 where y <= 0, else dy */
KERNEL(relu_backward, (REAL *dx, const REAL *dy, const REAL *y, fnn_size n), (dx, dy, y, n))
/* x where x > 0, else slope x */
KERNEL(leaky_relu_forward, (REAL *y, const REAL *x, fnn_size n, double slope), (y, x, n, slope))
KERNEL(leaky_relu_backward, (REAL *dx, const REAL *dy, const REAL *x, fnn_size n, double slope), (dx, dy, x, n, slope))
/* scale (x > 0 ? x : alpha (e^x - 1)) */
KERNEL(elu_forward, (REAL *y, const REAL *x, fnn_size n, double alpha, double scale), (y, x, n, alpha, scale))
KERNEL(elu_backward, (REAL *dx, const REAL *dy, const REAL *x, fnn_size n, double alpha, double scale),
       (dx, dy, x, n, alpha, scale))
/* s(x) */
KERNEL(sigmoid_forward, (REAL *y, const REAL *x, fnn_size n), (y, x, n))
/* dy y (1 - y) */
KERNEL(sigmoid_backward, (REAL *dx, const REAL *dy, const REAL *y, fnn_size n), (dx, dy, y, n))
KERNEL(tanh_forward, (REAL *y, const REAL *x, fnn_size n), (y, x, n))
/* dy (1 - y^2) */
KERNEL(tanh_backward, (REAL *dx, const REAL *dy, const REAL *y, fnn_size n), (dx, dy, y, n))
/* x Phi(x), Phi the normal distribution */
KERNEL(gelu_forward, (REAL *y, const REAL *x, fnn_size n), (y, x, n))
KERNEL(gelu_backward, (REAL *dx, const REAL *dy, const REAL *x, fnn_size n), (dx, dy, x, n))
/* x s(2z), z = sqrt(2/pi) (x + 0.044715 x^3) */
KERNEL(gelu_tanh_forward, (REAL *y, const REAL *x, fnn_size n), (y, x, n))
KERNEL(gelu_tanh_backward, (REAL *dx, const REAL *dy, const REAL *x, fnn_size n), (dx, dy, x, n))
/* x s(x) */
KERNEL(silu_forward, (REAL *y, const REAL *x, fnn_size n), (y, x, n))
KERNEL(silu_backward, (REAL *dx, const REAL *dy, const REAL *x, fnn_size n), (dx, dy, x, n))
/* x tanh(ln(1 + e^x)) */
KERNEL(mish_forward, (REAL *y, const REAL *x, fnn_size n), (y, x, n))
KERNEL(mish_backward, (REAL *dx, const REAL *dy, const REAL *x, fnn_size n), (dx, dy, x, n))
/* ln(1 + e^(beta x)) / beta; x above */
KERNEL(softplus_forward, (REAL *y, const REAL *x, fnn_size n, double beta, double threshold),
       (y, x, n, beta, threshold))
KERNEL(softplus_backward, (REAL *dx, const REAL *dy, const REAL *x, fnn_size n, double beta, double threshold),
       (dx, dy, x, n, beta, threshold))
/* ln s(x) */
KERNEL(logsigmoid_forward, (REAL *y, const REAL *x, fnn_size n), (y, x, n))
/* dy s(-x) */
KERNEL(logsigmoid_backward, (REAL *dx, const REAL *dy, const REAL *x, fnn_size n), (dx, dy, x, n))
/* x / (1 + |x|) */
KERNEL(softsign_forward, (REAL *y, const REAL *x, fnn_size n), (y, x, n))
/* dy / (1 + |x|)^2 */
KERNEL(softsign_backward, (REAL *dx, const REAL *dy, const REAL *x, fnn_size n), (dx, dy, x, n))
/* dy where low < x < high */
KERNEL(hardtanh_backward, (REAL *dx, const REAL *dy, const REAL *x, fnn_size n, double low, double high),
       (dx, dy, x, n, low, high))
/* x / 6 + 1/2 moved into 0..1 */
KERNEL(hardsigmoid_forward, (REAL *y, const REAL *x, fnn_size n), (y, x, n))
/* dy / 6 where -3 < x < 3 */
KERNEL(hardsigmoid_backward, (REAL *dx, const REAL *dy, const REAL *x, fnn_size n), (dx, dy, x, n))
/* x hardsigmoid(x) */
KERNEL(hardswish_forward, (REAL *y, const REAL *x, fnn_size n), (y, x, n))
/* dy (x / 3 + 1/2) between, dy above */
KERNEL(hardswish_backward, (REAL *dx, const REAL *dy, const REAL *x, fnn_size n), (dx, dy, x, n))
/* x, or 0 where |x| <= lambd;  NaN stays NaN */
KERNEL(hardshrink_forward, (REAL *y, const REAL *x, fnn_size n, double lambd), (y, x, n, lambd))
/* dy, or 0 where |x| <= lambd: of softshrink too */
KERNEL(hardshrink_backward, (REAL *dx, const REAL *dy, const REAL *x, fnn_size n, double lambd), (dx, dy, x, n, lambd))
/* x less what of it lies between -lambd and lambd */
KERNEL(softshrink_forward, (REAL *y, const REAL *x, fnn_size n, double lambd), (y, x, n, lambd))
/* x, or value where x <= threshold;  NaN stays NaN */
KERNEL(threshold_forward, (REAL *y, const REAL *x, fnn_size n, double threshold, double value),
       (y, x, n, threshold, value))
/* dy, or 0 where x <= threshold */
KERNEL(threshold_backward, (REAL *dx, const REAL *dy, const REAL *x, fnn_size n, double threshold),
       (dx, dy, x, n, threshold))
