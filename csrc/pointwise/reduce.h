/* reduce.h -- rows of kernels.h for reduce.c; no guard. x is [outer][axis][inner] and the middle
 * one is reduced: y is [outer][inner]. */

/* ---- y[o,i] = (sum_a f(x[o,a,i], c[o,i])) / divisor. c NULL stands for zeros. Callers:
 * fnn_scratch_ready(). ---- */
/* x */
KERNEL(sum, REAL *y, const REAL *x, const REAL *c, fnn_size outer, fnn_size axis, fnn_size inner, double divisor)
/* |x - c| */
KERNEL(sum_abs, REAL *y, const REAL *x, const REAL *c, fnn_size outer, fnn_size axis, fnn_size inner, double divisor)
/* (x - c)^2 */
KERNEL(sum_square, REAL *y, const REAL *x, const REAL *c, fnn_size outer, fnn_size axis, fnn_size inner, double divisor)
/* e^(x - c) */
KERNEL(sum_exp, REAL *y, const REAL *x, const REAL *c, fnn_size outer, fnn_size axis, fnn_size inner, double divisor)

/* y[o,i] = sqrt((sum_a (x[o,a,i] - c[o,i])^2) / divisor), the root taken before rounding to REAL */
KERNEL(root_sum_square, REAL *y, const REAL *x, const REAL *c, fnn_size outer, fnn_size axis, fnn_size inner,
       double divisor)

/* ---- the same with another operation in the place of the sum; c is not read ------------------ */
KERNEL(prod, REAL *y, const REAL *x, const REAL *c, fnn_size outer, fnn_size axis, fnn_size inner, double divisor)
/* axis > 0 */
KERNEL(amax, REAL *y, const REAL *x, const REAL *c, fnn_size outer, fnn_size axis, fnn_size inner, double divisor)
/* NaN wins */
KERNEL(amin, REAL *y, const REAL *x, const REAL *c, fnn_size outer, fnn_size axis, fnn_size inner, double divisor)

/* dx[o,a,i] = dy[o,i] / divisor */
KERNEL(spread, REAL *dx, const REAL *dy, fnn_size outer, fnn_size axis, fnn_size inner, double divisor)
/* dx[o,a,i] = dy[o,i] times the product of the other x along the axis, zeros included */
KERNEL(prod_backward, REAL *dx, const REAL *dy, const REAL *x, fnn_size outer, fnn_size axis, fnn_size inner)
/* Where the largest of sign * x along the axis is first, and its x; the first NaN counts as
 * largest. axis > 0; sign is 1 or -1. */
KERNEL(argmax, int64_t *index, REAL *value, const REAL *x, fnn_size outer, fnn_size axis, fnn_size inner, double sign)
/* dx = 0, but dx[o,index[o,i],i] = dy[o,i]. The indices are those of argmax. */
KERNEL(argmax_backward, REAL *dx, const REAL *dy, const int64_t *index, fnn_size outer, fnn_size axis, fnn_size inner)
/* y[o,a,i] = sum of x[o,b,i] over b <= a, or over b >= a if reverse */
KERNEL(cumsum, REAL *y, const REAL *x, fnn_size outer, fnn_size axis, fnn_size inner, int reverse)
