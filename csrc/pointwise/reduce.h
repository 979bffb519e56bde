/* reduce.h -- sums, products and extremes along axes: the rows of kernels.h for reduce.c; no guard.
 * Map of the family: map.tmpl.h.
 *
 * Names      fnn_sum, fnn_sum_abs, fnn_sum_exp, fnn_root_sum_square, fnn_variance, fnn_prod,
 *            fnn_amax, fnn_amin, fnn_spread, fnn_prod_backward, fnn_argmax, fnn_argmax_backward,
 *            fnn_cumsum: FN(sum) and so on, which the lines SUM_OF(sum, ...), EXTREME_OF(amax, ...)
 *            and REDUCTION(prod, ...) of reduce.tmpl.h make; spread, argmax, cumsum and the
 *            gradients are functions there.
 * Letters    x is [outer][axis][inner], and the axis in the middle is reduced: y is [outer][inner]
 */

/* ---- y[o,i] = (sum_a f(x[o,a,i], c[o,i])) / divisor ------------------------------------------ */
/* c NULL stands for zeros. The caller calls fnn_scratch_ready() before. f is: */
/* x */
KERNEL(sum, (REAL *y, const REAL *x, const REAL *c, fnn_size outer, fnn_size axis, fnn_size inner, double divisor),
       (y, x, c, outer, axis, inner, divisor))
/* |x - c| */
KERNEL(sum_abs, (REAL *y, const REAL *x, const REAL *c, fnn_size outer, fnn_size axis, fnn_size inner, double divisor),
       (y, x, c, outer, axis, inner, divisor))
/* e^(x - c) */
KERNEL(sum_exp, (REAL *y, const REAL *x, const REAL *c, fnn_size outer, fnn_size axis, fnn_size inner, double divisor),
       (y, x, c, outer, axis, inner, divisor))

/* y[o,i] = sqrt((sum_a x[o,a,i]^2) / divisor), the root taken before rounding to REAL, and finite
 * wherever REAL can hold it; c is NULL */
KERNEL(root_sum_square, (REAL *y, const REAL *x, const REAL *c, fnn_size outer, fnn_size axis, fnn_size inner,
        double divisor),
       (y, x, c, outer, axis, inner, divisor))

/* y[o,i] = (sum_a (x[o,a,i] - mean)^2) / divisor, or its root; mean is that of x[o,:,i], rounded to
 * REAL, and rest what the rounding left of it. However large the mean is, no digits of y are lost.
 * y, mean, rest [outer][inner] */
KERNEL(variance, (REAL *y, REAL *mean, REAL *rest, const REAL *x, fnn_size outer, fnn_size axis, fnn_size inner,
        double divisor, int root),
       (y, mean, rest, x, outer, axis, inner, divisor, root))

/* ---- the same with another operation in the place of the sum; c is not read ------------------ */
/* the product */
KERNEL(prod, (REAL *y, const REAL *x, const REAL *c, fnn_size outer, fnn_size axis, fnn_size inner, double divisor),
       (y, x, c, outer, axis, inner, divisor))
/* the largest and the smallest: NaN if there is one; of nothing, what every number beats */
KERNEL(amax, (REAL *y, const REAL *x, const REAL *c, fnn_size outer, fnn_size axis, fnn_size inner, double divisor),
       (y, x, c, outer, axis, inner, divisor))
KERNEL(amin, (REAL *y, const REAL *x, const REAL *c, fnn_size outer, fnn_size axis, fnn_size inner, double divisor),
       (y, x, c, outer, axis, inner, divisor))

/* dx[o,a,i] = dy[o,i] / divisor */
KERNEL(spread, (REAL *dx, const REAL *dy, fnn_size outer, fnn_size axis, fnn_size inner, double divisor),
       (dx, dy, outer, axis, inner, divisor))
/* dx[o,a,i] = dy[o,i] times the product of the other x along the axis, zeros included */
KERNEL(prod_backward, (REAL *dx, const REAL *dy, const REAL *x, fnn_size outer, fnn_size axis, fnn_size inner),
       (dx, dy, x, outer, axis, inner))
/* Where the largest of sign * x along the axis is first, and its x; the first NaN counts as
 * largest. axis > 0; sign is 1 or -1. */
KERNEL(argmax, (int64_t *index, REAL *value, const REAL *x, fnn_size outer, fnn_size axis, fnn_size inner, double sign),
       (index, value, x, outer, axis, inner, sign))
/* dx = 0, but dx[o,index[o,i],i] = dy[o,i]. The indices are those of argmax. */
KERNEL(argmax_backward, (REAL *dx, const REAL *dy, const int64_t *index, fnn_size outer, fnn_size axis, fnn_size inner),
       (dx, dy, index, outer, axis, inner))
/* y[o,a,i] = sum of x[o,b,i] over b <= a, or over b >= a if reverse */
KERNEL(cumsum, (REAL *y, const REAL *x, fnn_size outer, fnn_size axis, fnn_size inner, int reverse),
       (y, x, outer, axis, inner, reverse))
