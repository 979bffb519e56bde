/* unfold.h -- im2col and col2im as operations: rows of kernels.h for unfold.c; no guard. Map of the
 * family: conv2d.h.
 *
 * Names      fnn_unfold, fnn_fold: FN(unfold) and FN(fold), in unfold.tmpl.h.
 * Letters    fnn_window (window.h); K and G are not used
 */
#include "core/window.h"

/* cols[n,(c,r,s),(p,q)] = x[n,c, p*sh - ph + r*dh, q*sw - pw + s*dw], 0 outside the image */
KERNEL(unfold, (REAL *cols, const REAL *x, const fnn_window *g), (cols, x, g))
/* x[n,c,i,j] = sum of cols[n,(c,r,s),(p,q)] over all that unfold would read at (i,j): the adjoint
 * of unfold, whose matrix is the transpose of unfold's */
KERNEL(fold, (REAL *x, const REAL *cols, const fnn_window *g), (x, cols, g))
