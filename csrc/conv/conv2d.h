/* conv2d.h -- convolution: the rows of kernels.h for conv2d.c, and the map of the family; no guard.
 *
 * Names      fnn_conv2d_forward, fnn_conv2d_relu_forward, fnn_conv2d_backward,
 *            fnn_conv_transpose2d_forward and fnn_conv_transpose2d_backward are what others call,
 *            as fnn_conv2d_forward[FNN_F32](y, x, w, b, &g). None of these names is written out
 *            anywhere else in C: a row KERNEL(conv2d_forward, ...) below declares the pointers
 *            (fastnn.h), and conv2d.tmpl.h defines the functions as FN(conv2d_forward), which the
 *            preprocessor pastes to fnn_conv2d_forward_f32__avx2 and so on (core/levels.h).
 * Letters    fnn_window (core/window.h), with K filters in G groups:
 *
 *                x [N][C][H][W]   w [K][C/G][R][S]   b [K] or NULL   y [N][K][P][Q]
 *
 *            Group h = 0..G-1 joins the channels from h*C/G to the filters from h*K/G.
 * Call path  FN(conv2d_forward) -> FN(conv_y) -> conv_choose -> the method's file. FN(conv_dx) and
 *            FN(conv_dw) do the same for the gradients.
 *
 * Map        conv2d.c               compiles the templates; how much workspace
 *            conv2d.tmpl.h          the mathematics; entry points; the switch over the methods
 *            conv2d_choose.h        which method when, and into which blocks: conv_choose
 *            conv_transpose.tmpl.h  transposed convolution, which is dx as an operation of its own
 *
 *            method    computes   file, and what for
 *            winograd  y dx dw    winograd.tmpl.h, winograd_dw.tmpl.h, winograd_points.tmpl.h,
 *                                 winograd_error.tmpl.h, winograd_error_dw.tmpl.h,
 *                                 winograd_error.h, winograd_cut.h: 3x3 at stride 1, in a third of
 *                                 the multiplications (docs/kernels/winograd.md)
 *            few       y          conv2d_few.tmpl.h: few pixels, large filters that are read once
 *            pixels    y dx       conv2d_pixels.tmpl.h: strides and many taps, without columns
 *            direct    y dx dw    conv2d_direct.tmpl.h, conv2d_depthwise.tmpl.h: depthwise; few
 *                                 filters
 *            flipped   dx         conv2d.tmpl.h: at stride 1, as the y of another convolution
 *            taps      dw         conv2d_taps.tmpl.h: most windows wider than one column
 *            columns   y dx dw    conv2d_columns.tmpl.h, im2col.tmpl.h, conv2d_phases.tmpl.h:
 *                                 everything else, 1x1 first of all
 *
 *            conv2d_padding.tmpl.h                    padding beside infinite weights, whatever
 *                                                     the method
 *            interleave.tmpl.h, conv2d_frame.tmpl.h   copies that several methods make
 *            unfold.c, unfold.h, unfold.tmpl.h        im2col and col2im as operations
 */
#include "core/window.h"

#ifndef FNN_CONV2D_H_ONCE
#define FNN_CONV2D_H_ONCE
/* Elements of workspace that conv2d_backward needs for the gradients that are wanted. */
fnn_work fnn_conv2d_workspace(const fnn_window *g, int want_dx, int want_dw);

/* The names of the methods that compute y, dx and dw, for tests and documentation. dx by the method
 * of another convolution is "flipped, " and that method's name. */
void fnn_conv2d_methods(const fnn_window *g, const char *names[3]);
#endif

/* y[n,k,p,q] = b[k] + sum over (c,r,s) of w[k,c,r,s] * x[n,c,i,j]
 * with i = p*sh - ph + r*dh and j = q*sw - pw + s*dw; x is 0 outside the image */
KERNEL(conv2d_forward, (REAL *y, const REAL *x, const REAL *w, const REAL *b, const fnn_window *g), (y, x, w, b, g))
/* the same, and 0 where that is below zero; NaN stays */
KERNEL(conv2d_relu_forward, (REAL *y, const REAL *x, const REAL *w, const REAL *b, const fnn_window *g),
       (y, x, w, b, g))
/* The gradients of x, w and b, each NULL if not wanted; workspace: fnn_conv2d_workspace(g, dx !=
 * NULL, dw != NULL) elements */
KERNEL(conv2d_backward, (REAL *dx, REAL *dw, REAL *db, const REAL *dy, const REAL *x, const REAL *w, REAL *workspace,
        const fnn_window *g),
       (dx, dw, db, dy, x, w, workspace, g))

/* Transposed convolution: what conv2d's dx is, as an operation of its own. g is the geometry of the
 * convolution whose dx it is. So the images of g are the result here, C channels of H x W, and its
 * outputs the input here, K channels of P x Q:
 *
 *     x [N][K][P][Q]   w [K][C/G][R][S]   b [C] or NULL   y [N][C][H][W]
 *
 * y[n,c,i,j] = b[c] + sum of w[k,c,r,s] * x[n,k,p,q] over all k,p,q,r,s
 * with i = p*sh - ph + r*dh and j = q*sw - pw + s*dw
 * workspace: fnn_conv2d_workspace(g, 1, 0) elements */
KERNEL(conv_transpose2d_forward, (REAL *y, const REAL *x, const REAL *w, const REAL *b, REAL *workspace,
        const fnn_window *g),
       (y, x, w, b, workspace, g))
/* The gradients of x, w and b, each NULL if not wanted; workspace: fnn_conv2d_workspace(g, 0, dw !=
 * NULL) elements */
KERNEL(conv_transpose2d_backward, (REAL *dx, REAL *dw, REAL *db, const REAL *dy, const REAL *x, const REAL *w,
        REAL *workspace, const fnn_window *g),
       (dx, dw, db, dy, x, w, workspace, g))
