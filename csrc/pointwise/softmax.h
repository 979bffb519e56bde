/* softmax.h -- softmax and the losses on top of it: the rows of kernels.h for softmax.c; no guard.
 * Map of the family: map.tmpl.h.
 *
 * Names      fnn_softmax_forward, fnn_softmax_backward, fnn_cross_entropy_forward,
 *            fnn_cross_entropy_backward, fnn_nll_loss_forward, fnn_nll_loss_backward:
 *            FN(softmax_forward) and so on, in softmax.tmpl.h.
 * Letters    arrays are [outer][axis][inner]; position (o, j) is the vector x[o,:,j]
 */
#ifndef FNN_SOFTMAX_H_ONCE
#define FNN_SOFTMAX_H_ONCE
/* What becomes of the losses of all positions */
enum { FNN_REDUCE_NONE, FNN_REDUCE_MEAN, FNN_REDUCE_SUM };
#endif

/* y[o,:,j] = softmax of x[o,:,j], or its logarithm if `log`. -inf counts as "never"; a vector of
 * nothing but -inf gives NaN. */
KERNEL(softmax_forward, (REAL *y, const REAL *x, fnn_size outer, fnn_size axis, fnn_size inner, int log),
       (y, x, outer, axis, inner, log))
/* dx from dy and what forward returned */
KERNEL(softmax_backward, (REAL *dx, const REAL *dy, const REAL *y, fnn_size outer, fnn_size axis, fnn_size inner,
        int log),
       (dx, dy, y, outer, axis, inner, log))

/* Cross entropy of softmax(x) with either label[o,j] (int64, in [0, axis) or equal to `ignore`) or
 * probabilities target[o,c,j]; the other is NULL. weight [axis] may be NULL. y is
 * [outer][inner] with FNN_REDUCE_NONE, else one number. `top`, `total` [outer][inner] are kept for
 * backward: the largest x and the sum of exp(x - top). *divisor is what the mean was divided by,
 * else 1. */
KERNEL(cross_entropy_forward, (REAL *y, REAL *top, REAL *total, double *divisor, const REAL *x, const int64_t *label,
        const REAL *target, const REAL *weight, fnn_size outer, fnn_size axis, fnn_size inner, int64_t ignore,
        double smoothing, int reduction),
       (y, top, total, divisor, x, label, target, weight, outer, axis, inner, ignore, smoothing, reduction))
/* dx, dtarget [outer][axis][inner], either may be NULL; dy [outer][inner] with FNN_REDUCE_NONE,
 * else one number */
KERNEL(cross_entropy_backward, (REAL *dx, REAL *dtarget, const REAL *dy, const REAL *x, const REAL *top,
        const REAL *total, const int64_t *label, const REAL *target, const REAL *weight, fnn_size outer, fnn_size axis,
        fnn_size inner, int64_t ignore, double smoothing, int reduction, double divisor),
       (dx, dtarget, dy, x, top, total, label, target, weight, outer, axis, inner, ignore, smoothing, reduction,
        divisor))

/* Negative log likelihood: y[o,j] = -weight[l] x[o,l,j] with l = label[o,j], where x holds
 * logarithms of probabilities; rest as above. */
KERNEL(nll_loss_forward, (REAL *y, double *divisor, const REAL *x, const int64_t *label, const REAL *weight,
        fnn_size outer, fnn_size axis, fnn_size inner, int64_t ignore, int reduction),
       (y, divisor, x, label, weight, outer, axis, inner, ignore, reduction))
KERNEL(nll_loss_backward, (REAL *dx, const REAL *dy, const int64_t *label, const REAL *weight, fnn_size outer,
        fnn_size axis, fnn_size inner, int64_t ignore, int reduction, double divisor),
       (dx, dy, label, weight, outer, axis, inner, ignore, reduction, divisor))
