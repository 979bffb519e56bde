/* arithmetic.h -- arithmetic with broadcasting, and functions of one array: the rows of kernels.h
 * for arithmetic.c; no guard. Map of the family: map.tmpl.h.
 *
 * Names      fnn_add, fnn_sub, fnn_mul, fnn_div, fnn_negmul, fnn_negmul_or_zero, fnn_maximum,
 *            fnn_minimum, fnn_share, fnn_pow_tensor, fnn_pow_tensor_slope_a,
 *            fnn_pow_tensor_slope_b, fnn_remainder, fnn_quotient, fnn_divide_or_zero,
 *            fnn_mul_or_zero, fnn_mul_share, fnn_mul_rest, fnn_times_sign, fnn_is_same,
 *            fnn_exp_difference, fnn_add_to, fnn_neg, fnn_exp_forward, fnn_expm1_forward,
 *            fnn_expm1_backward, fnn_log_forward, fnn_log2_forward, fnn_log10_forward,
 *            fnn_log_base_backward, fnn_log1p_forward, fnn_log1p_backward, fnn_sqrt_forward,
 *            fnn_sqrt_backward, fnn_abs_forward, fnn_abs_backward, fnn_pow_forward,
 *            fnn_pow_backward, fnn_finite_or_zero, fnn_clamp_forward, fnn_clamp_backward: FN(add)
 *            and so on, which the lines BROADCAST2(add, ...) and MAP1(neg, ...) of
 *            arithmetic.tmpl.h make.
 * Letters    n elements
 */
#include "pointwise/broadcast.h"

/* ---- y = f(a, b), broadcast ------------------------------------------------------------------ */
/* a + b */
KERNEL(add, (REAL *y, const REAL *a, const REAL *b, const fnn_broadcast *s), (y, a, b, s))
/* a - b */
KERNEL(sub, (REAL *y, const REAL *a, const REAL *b, const fnn_broadcast *s), (y, a, b, s))
/* a b */
KERNEL(mul, (REAL *y, const REAL *a, const REAL *b, const fnn_broadcast *s), (y, a, b, s))
/* a / b */
KERNEL(div, (REAL *y, const REAL *a, const REAL *b, const fnn_broadcast *s), (y, a, b, s))
/* -a b */
KERNEL(negmul, (REAL *y, const REAL *a, const REAL *b, const fnn_broadcast *s), (y, a, b, s))
/* -a b, 0 where b = 0 unless a is NaN */
KERNEL(negmul_or_zero, (REAL *y, const REAL *a, const REAL *b, const fnn_broadcast *s), (y, a, b, s))
/* the larger; NaN if either is NaN */
KERNEL(maximum, (REAL *y, const REAL *a, const REAL *b, const fnn_broadcast *s), (y, a, b, s))
KERNEL(minimum, (REAL *y, const REAL *a, const REAL *b, const fnn_broadcast *s), (y, a, b, s))
/* 1 where a > b, 1/2 where equal, 0 where a < b, 2 at NaN */
KERNEL(share, (REAL *y, const REAL *a, const REAL *b, const fnn_broadcast *s), (y, a, b, s))
/* a to the power b */
KERNEL(pow_tensor, (REAL *y, const REAL *a, const REAL *b, const fnn_broadcast *s), (y, a, b, s))
/* b a^(b-1), 0 where b = 0 */
KERNEL(pow_tensor_slope_a, (REAL *y, const REAL *a, const REAL *b, const fnn_broadcast *s), (y, a, b, s))
/* p ln a with p = a^b, 0 where p = 0 */
KERNEL(pow_tensor_slope_b, (REAL *y, const REAL *a, const REAL *p, const fnn_broadcast *s), (y, a, p, s))
/* a - b floor(a / b), exact */
KERNEL(remainder, (REAL *y, const REAL *a, const REAL *b, const fnn_broadcast *s), (y, a, b, s))
/* floor(a / b) */
KERNEL(quotient, (REAL *y, const REAL *a, const REAL *b, const fnn_broadcast *s), (y, a, b, s))
/* a / b, 0 where b = 0 */
KERNEL(divide_or_zero, (REAL *y, const REAL *a, const REAL *b, const fnn_broadcast *s), (y, a, b, s))
/* a b, 0 where b = 0, whatever a is */
KERNEL(mul_or_zero, (REAL *y, const REAL *a, const REAL *b, const fnn_broadcast *s), (y, a, b, s))
/* a b and a (1 - b), 0 where b = 0 or 1, whatever a is; both a where b = 2: see share */
KERNEL(mul_share, (REAL *y, const REAL *a, const REAL *b, const fnn_broadcast *s), (y, a, b, s))
KERNEL(mul_rest, (REAL *y, const REAL *a, const REAL *b, const fnn_broadcast *s), (y, a, b, s))
/* a sign(b), 0 where b = 0 */
KERNEL(times_sign, (REAL *y, const REAL *a, const REAL *b, const fnn_broadcast *s), (y, a, b, s))
/* 1 where a = b or both are NaN, else 0 */
KERNEL(is_same, (REAL *y, const REAL *a, const REAL *b, const fnn_broadcast *s), (y, a, b, s))
/* e^(a - b) */
KERNEL(exp_difference, (REAL *y, const REAL *a, const REAL *b, const fnn_broadcast *s), (y, a, b, s))

/* y += x: the one kernel that accumulates */
KERNEL(add_to, (REAL *y, const REAL *x, fnn_size n), (y, x, n))

/* ---- y = f(x) and its derivative ------------------------------------------------------------- */
KERNEL(neg, (REAL *y, const REAL *x, fnn_size n), (y, x, n))
KERNEL(exp_forward, (REAL *y, const REAL *x, fnn_size n), (y, x, n))
/* e^x - 1 without cancellation */
KERNEL(expm1_forward, (REAL *y, const REAL *x, fnn_size n), (y, x, n))
/* dy (y + 1) */
KERNEL(expm1_backward, (REAL *dx, const REAL *dy, const REAL *y, fnn_size n), (dx, dy, y, n))
KERNEL(log_forward, (REAL *y, const REAL *x, fnn_size n), (y, x, n))
/* exact at the powers of the base */
KERNEL(log2_forward, (REAL *y, const REAL *x, fnn_size n), (y, x, n))
KERNEL(log10_forward, (REAL *y, const REAL *x, fnn_size n), (y, x, n))
/* dy / (x ln base) */
KERNEL(log_base_backward, (REAL *dx, const REAL *dy, const REAL *x, fnn_size n, double ln_base),
       (dx, dy, x, n, ln_base))
/* ln(1 + x) without cancellation */
KERNEL(log1p_forward, (REAL *y, const REAL *x, fnn_size n), (y, x, n))
/* dy / (1 + x) */
KERNEL(log1p_backward, (REAL *dx, const REAL *dy, const REAL *x, fnn_size n), (dx, dy, x, n))
KERNEL(sqrt_forward, (REAL *y, const REAL *x, fnn_size n), (y, x, n))
/* dy / 2y */
KERNEL(sqrt_backward, (REAL *dx, const REAL *dy, const REAL *y, fnn_size n), (dx, dy, y, n))
KERNEL(abs_forward, (REAL *y, const REAL *x, fnn_size n), (y, x, n))
/* dy sign(x), 0 at 0 */
KERNEL(abs_backward, (REAL *dx, const REAL *dy, const REAL *x, fnn_size n), (dx, dy, x, n))
/* x^p */
KERNEL(pow_forward, (REAL *y, const REAL *x, fnn_size n, double p), (y, x, n, p))
/* dy p x^(p-1), 0 where p = 0 */
KERNEL(pow_backward, (REAL *dx, const REAL *dy, const REAL *x, fnn_size n, double p), (dx, dy, x, n, p))
/* x, 0 for infinities */
KERNEL(finite_or_zero, (REAL *y, const REAL *x, fnn_size n), (y, x, n))
/* NaN stays NaN */
KERNEL(clamp_forward, (REAL *y, const REAL *x, fnn_size n, double low, double high), (y, x, n, low, high))
/* dy where low <= x <= high */
KERNEL(clamp_backward, (REAL *dx, const REAL *dy, const REAL *x, fnn_size n, double low, double high),
       (dx, dy, x, n, low, high))
