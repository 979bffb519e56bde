/* loss.h -- losses that compare x with a target t element by element: the rows of kernels.h for
 * loss.c; no guard. Map of the family: map.tmpl.h.
 *
 * Names      fnn_loss_forward, fnn_loss_backward: FN(loss_forward) and FN(loss_backward), in
 *            loss.tmpl.h.
 * Letters    which   one of FNN_MSE ... below; param is beta (FNN_SMOOTH_L1) or delta (FNN_HUBER)
 *            n       elements
 *            w       [n] weight of each element, or NULL
 *            pw      [n] weight of the positive class (FNN_BCE_LOGITS only), or NULL
 *            each    1: y is [n], one loss for each element;
 *                    0: y is one number, their sum / divisor
 */
#ifndef FNN_LOSS_ONCE
#define FNN_LOSS_ONCE
enum { FNN_MSE, FNN_L1, FNN_SMOOTH_L1, FNN_HUBER, FNN_BCE, FNN_BCE_LOGITS, FNN_KL, FNN_KL_LOG };
#endif

KERNEL(loss_forward, (REAL *y, const REAL *x, const REAL *t, const REAL *w, const REAL *pw, fnn_size n, int which,
        double param, int each, double divisor),
       (y, x, t, w, pw, n, which, param, each, divisor))
/* dx, dt [n], either may be NULL; dy [n] if each, else one number */
KERNEL(loss_backward, (REAL *dx, REAL *dt, const REAL *dy, const REAL *x, const REAL *t, const REAL *w, const REAL *pw,
        fnn_size n, int which, double param, int each, double divisor),
       (dx, dt, dy, x, t, w, pw, n, which, param, each, divisor))
