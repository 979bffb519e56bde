/* special.h -- functions of the normal distribution and of the gamma function: the rows of
 * kernels.h for special.c; no guard. Map of the family: map.tmpl.h.
 *
 * Names      fnn_erf_forward, fnn_erf_backward, fnn_erfc_forward, fnn_erfc_backward,
 *            fnn_erfinv_forward, fnn_erfinv_backward, fnn_lgamma_forward, fnn_lgamma_backward,
 *            fnn_digamma_forward, fnn_digamma_backward: FN(erf_forward) and so on, which the lines
 *            MAP1(erf_forward, ...) of special.tmpl.h make.
 * Letters    n elements
 */
/* 2/sqrt(pi) times the integral of e^-t^2 from 0 to x */
KERNEL(erf_forward, (REAL *y, const REAL *x, fnn_size n), (y, x, n))
/* dy 2/sqrt(pi) e^-x^2 */
KERNEL(erf_backward, (REAL *dx, const REAL *dy, const REAL *x, fnn_size n), (dx, dy, x, n))
/* 1 - erf x */
KERNEL(erfc_forward, (REAL *y, const REAL *x, fnn_size n), (y, x, n))
/* -dy 2/sqrt(pi) e^-x^2 */
KERNEL(erfc_backward, (REAL *dx, const REAL *dy, const REAL *x, fnn_size n), (dx, dy, x, n))
/* the inverse of erf; infinite at -1 and 1, NaN outside */
KERNEL(erfinv_forward, (REAL *y, const REAL *x, fnn_size n), (y, x, n))
/* dy sqrt(pi)/2 e^y^2 */
KERNEL(erfinv_backward, (REAL *dx, const REAL *dy, const REAL *y, fnn_size n), (dx, dy, y, n))
/* ln |Gamma(x)|, infinite at 0, -1, -2, ... */
KERNEL(lgamma_forward, (REAL *y, const REAL *x, fnn_size n), (y, x, n))
/* dy digamma(x) */
KERNEL(lgamma_backward, (REAL *dx, const REAL *dy, const REAL *x, fnn_size n), (dx, dy, x, n))
/* the derivative of lgamma; infinite at 0, NaN at -1, -2, ... */
KERNEL(digamma_forward, (REAL *y, const REAL *x, fnn_size n), (y, x, n))
/* dy times the derivative of digamma */
KERNEL(digamma_backward, (REAL *dx, const REAL *dy, const REAL *x, fnn_size n), (dx, dy, x, n))
