/* unfold.tmpl.h -- every window of an image as a column (im2col), and the way back (col2im).
 *
 * Math       cols[n,(c,r,s),(p,q)] = x[n,c,i,j],  0 outside the image
 *            with i = p*sh - ph + r*dh and j = q*sw - pw + s*dw
 *            fold is the adjoint, the way back of a gradient:  x[n,c,i,j] = sum of
 *            cols[n,(c,r,s),(p,q)] over all (r,s,p,q) that read (i,j)
 * Symbols    window.h
 * Layout     x [N][C][H][W]   cols [N][C*R*S][P*Q]
 * Method     im2col.tmpl.h; conv2d uses the same code, a piece of the matrix at a time.
 * Cost       moves N*C*R*S*P*Q elements: bound by memory.
 * Threads    one block is some planes x[n,c,:,:] with the R*S rows of cols that belong to each:
 *            nothing is shared.
 * Reference  fastnn/reference/unfold.py
 */
#include "conv/im2col.tmpl.h"

#ifndef FNN_UNFOLD_ONCE
#define FNN_UNFOLD_ONCE
enum { UNFOLD_GRAIN = 16384 };      /* elements of cols in a block; chosen: as MAP_GRAIN */
/* plane: the geometry with one channel */
typedef struct { void *y; const void *x; fnn_window plane; } fnn_unfold_args;

static fnn_size fnn_unfold_planes(const fnn_window *g)
{
    return fnn_grain(UNFOLD_GRAIN, (fnn_work)g->R * g->S * g->P * g->Q);
}
#endif

static void FN(unfold_planes)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_unfold_args *args = ctx;
    const fnn_window *g = &args->plane;
    const fnn_size RS = g->R * g->S, PQ = g->P * g->Q;
    for (fnn_size nc = begin; nc < end; nc++)
        FN(im2col)((REAL *)args->y + nc * RS * PQ, PQ, (const REAL *)args->x + nc * g->H * g->W, g, 0, RS, 0, PQ);
}

void FN(unfold)(REAL *cols, const REAL *x, const fnn_window *g)
{
    fnn_unfold_args args = { cols, x, *g };
    fnn_parallel_for(g->N * g->C, fnn_unfold_planes(g), FN(unfold_planes), &args);
}

static void FN(fold_planes)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_unfold_args *args = ctx;
    const fnn_window *g = &args->plane;
    const fnn_size RS = g->R * g->S, PQ = g->P * g->Q, HW = g->H * g->W;
    for (fnn_size nc = begin; nc < end; nc++) {
        REAL *x_nc = (REAL *)args->y + nc * HW;     /* x[n,c,:,:] */
        memset(x_nc, 0, HW * sizeof(REAL));
        FN(col2im_add)(x_nc, (const REAL *)args->x + nc * RS * PQ, PQ, g, 0, RS, 0, PQ);
    }
}

void FN(fold)(REAL *x, const REAL *cols, const fnn_window *g)
{
    fnn_unfold_args args = { x, cols, *g };
    fnn_parallel_for(g->N * g->C, fnn_unfold_planes(g), FN(fold_planes), &args);
}
