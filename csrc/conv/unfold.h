/* unfold.h -- im2col and col2im as operations: rows of kernels.h for unfold.c; no guard. Letters:
 * fnn_window (window.h); K and G are not used. fnn_unfold and fnn_fold are what others call;
 * unfold.tmpl.h defines them as FN(unfold) and FN(fold) (core/levels.h). */
#include "core/window.h"

/* cols[n,(c,r,s),(p,q)] = x[n,c, p*sh - ph + r*dh, q*sw - pw + s*dw], 0 outside the image */
KERNEL(unfold, (REAL *cols, const REAL *x, const fnn_window *g), (cols, x, g))
/* x[n,c,i,j] = sum of cols[n,(c,r,s),(p,q)] over all that unfold would read at (i,j): the adjoint
 * of unfold, whose matrix is the transpose of unfold's */
KERNEL(fold, (REAL *x, const REAL *cols, const fnn_window *g), (x, cols, g))
