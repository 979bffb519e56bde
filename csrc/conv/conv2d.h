/* conv2d.h -- rows of kernels.h for conv2d.c; no guard. Letters: fnn_window (window.h), with K
 * filters in G groups.
 *
 * x [N][C][H][W]   w [K][C/G][R][S]   b [K] or NULL   y [N][K][P][Q]
 * Group h = 0..G-1 joins the channels from h*C/G to the filters from h*K/G.
 */
#include "core/window.h"

/* y[n,k,p,q] = b[k] + sum over (c,r,s) of w[k,c,r,s] * x[n,c,i,j],  i = p*sh - ph + r*dh,  j = q*sw - pw + s*dw;
 * x is 0 outside the image */
KERNEL(conv2d_forward, REAL *y, const REAL *x, const REAL *w, const REAL *b, const fnn_window *g)
/* the same, and 0 where that is below zero; NaN stays */
KERNEL(conv2d_relu_forward, REAL *y, const REAL *x, const REAL *w, const REAL *b, const fnn_window *g)
/* The gradients of x, w and b, each NULL if not wanted; workspace: fnn_conv2d_workspace(g, dx !=
 * NULL, dw != NULL) elements */
KERNEL(conv2d_backward, REAL *dx, REAL *dw, REAL *db, const REAL *dy, const REAL *x, const REAL *w, REAL *workspace,
       const fnn_window *g)

/* The adjoint of conv2d in x as an operation of its own. g is the geometry of the convolution that
 * it is the adjoint of: its images are the result here, C channels of H x W, and its outputs the
 * input here, K channels of P x Q:
 *
 * x [N][K][P][Q]   w [K][C/G][R][S]   b [C] or NULL   y [N][C][H][W]
 *
 * y[n,c,i,j] = b[c] + sum of w[k,c,r,s] * x[n,k,p,q] over all with i = p*sh - ph + r*dh, j = q*sw -
 * pw + s*dw; workspace: fnn_conv2d_workspace(g, 1, 0) elements */
KERNEL(conv_transpose2d_forward, REAL *y, const REAL *x, const REAL *w, const REAL *b, REAL *workspace,
       const fnn_window *g)
/* The gradients of x, w and b, each NULL if not wanted; workspace: fnn_conv2d_workspace(g, 0, dw !=
 * NULL) elements */
KERNEL(conv_transpose2d_backward, REAL *dx, REAL *dw, REAL *db, const REAL *dy, const REAL *x, const REAL *w,
       REAL *workspace, const fnn_window *g)
