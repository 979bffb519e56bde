/* conv2d.tmpl.h -- two-dimensional cross-correlation and its three gradients: the mathematics, the
 * entry points, and the switches from what conv_choose says to the method's file.
 *
 * Math       y[n,k,p,q]  = b[k] + sum_{c,r,s} w[k,c,r,s] * x[n,c,i,j]
 *            dw[k,c,r,s] = sum_{n,p,q}     dy[n,k,p,q] * x[n,c,i,j]
 *            dx[n,c,i,j] = sum_{k,p,q,r,s} dy[n,k,p,q] * w[k,c,r,s]      over all that read (i,j)
 *            db[k]       = sum_{n,p,q}     dy[n,k,p,q]
 *            with i = p*sh - ph + r*dh and j = q*sw - pw + s*dw, and x = 0 outside the image
 * Symbols    window.h; Cg = C/G channels and Kg = K/G filters in each of G groups; a tap is one
 *            (c,r,s) of a filter, taps = Cg*R*S. The dilation is dh and dw in the formulas and
 *            g->dh and g->dw in code; dw alone is the gradient of w.
 * Layout     x [N][C][H][W]   w [K][Cg][R][S]   b [K]   y [N][K][P][Q]
 * Method     conv2d_choose.h has the order in which methods are tried, conv2d.h the map of their
 *            files. Each file tells how its method works.
 * Cost       forward 2*N*K*P*Q*taps flop, each gradient (dx, dw) the same
 * Threads    blocks are cut in conv2d_choose.h and winograd_cut.h. An element has one writer;
 *            partial sums of dw are added in the order of the images.
 * Reference  fastnn/reference/conv2d.py. Chellapilla, Puri, Simard (2006), "High performance
 *            convolutional neural networks for document processing".
 */
#ifndef FNN_CONV2D_ONCE
#define FNN_CONV2D_ONCE
/* What a block of a parallel loop is told, by direct, taps and columns. */
typedef struct {
    void *out;                          /* y, dx, dw or db, or the partial sums of dw */
    const void *x, *w, *b, *dy;
    int relu;                           /* y: zero where it would be negative */
    const fnn_window *g;
    conv_pieces cut;                    /* columns: the pieces of the column matrix */
    conv_dw_cut blocks;                 /* dw */
    fnn_size tile;                      /* columns, y: elements of the column matrix to hold at one
                                           time */
    fnn_size filters, filter_blocks;    /* columns, y: filters in a block, blocks in a group */
    fnn_size channels, channel_blocks;  /* columns, dx: channels in a block, blocks in a group */
} conv_args;

enum {
    FLIP_CHANNELS = 8,  /* channels in a block, at least; chosen: so that w is read in runs */
    PARTS_COPY = 8192   /* elements of dw in a block, of as many parts as there are; chosen: an
                           eighth of CONV_COPY */
};
#endif

/* ---- the flipped filters, with which dx is the y of another convolution ---------------------- */
typedef struct { REAL *flipped; const REAL *w; fnn_size Cg, Kg, RS; } FN(conv_flip_args);

/* Channels [begin, end), filter by filter, so that w is read in runs. */
static void FN(conv_flip_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(conv_flip_args) *args = ctx;
    const fnn_size Kg = args->Kg, Cg = args->Cg, RS = args->RS;
    for (fnn_size k = 0; k < Kg; k++)
        for (fnn_size c = begin; c < end; c++) {
            const REAL *restrict from = args->w + ((c / Cg * Kg + k) * Cg + c % Cg) * RS;
            REAL *restrict to = args->flipped + (c * Kg + k) * RS;
            for (fnn_size rs = 0; rs < RS; rs++)
                to[rs] = from[RS - 1 - rs];
        }
}

/* flipped[c, k, r, s] = w[k, c, R-1-r, S-1-s], group by group: filters and channels transposed, the
 * window flipped in both directions. back: conv_flipped of the convolution that w belongs to, whose
 * filters are the channels c. */
static void FN(conv_flip)(REAL *flipped, const REAL *w, const fnn_window *back)
{
    FN(conv_flip_args) args = { flipped, w, back->K / back->G, back->C / back->G, back->R * back->S };
    fnn_parallel_for(back->K, fnn_max(FLIP_CHANNELS, CONV_COPY / (args.Kg * args.RS)), FN(conv_flip_block), &args);
}

/* ---- partial sums of dw ---------------------------------------------------------------------- */
typedef struct { REAL *sum; const REAL *parts; fnn_size count, stride; } FN(conv_sum_args);

static void FN(conv_sum_parts)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(conv_sum_args) *args = ctx;
    REAL *restrict sum = args->sum;
    memcpy(sum + begin, args->parts + begin, (end - begin) * sizeof(REAL));
    for (fnn_size part = 1; part < args->count; part++) {
        const REAL *restrict more = args->parts + part * args->stride;
        for (fnn_size i = begin; i < end; i++)
            sum[i] += more[i];
    }
}

/* dw = the sum of `count` parts, in order */
static void FN(conv_add_parts)(REAL *dw, const REAL *parts, fnn_size count, const fnn_window *g)
{
    const fnn_size weights = g->K * conv_taps(g);
    FN(conv_sum_args) sum = { dw, parts, count, weights };
    if (count > 1)
        fnn_parallel_for(weights, PARTS_COPY, FN(conv_sum_parts), &sum);
}

#include "conv/interleave.tmpl.h"
#include "conv/conv2d_frame.tmpl.h"
#include "conv/conv2d_columns.tmpl.h"
#include "conv/winograd.tmpl.h"
#include "conv/winograd_dw.tmpl.h"
#include "conv/conv2d_few.tmpl.h"
#include "conv/conv2d_pixels.tmpl.h"
#include "conv/conv2d_direct.tmpl.h"
#include "conv/conv2d_taps.tmpl.h"
#include "conv/conv2d_padding.tmpl.h"

/* ---- y --------------------------------------------------------------------------------------- */

/* flip: w are the filters of the convolution whose dx this is. Then there is room for the flipped
 * ones in `flipped`. */
static void FN(conv_y)(REAL *y, const REAL *x, const REAL *w, const REAL *b, int relu, int flip, REAL *flipped,
                       const fnn_window *g)
{
    const conv_method method = conv_choose(g, CONV_Y);
    if (flip && method != CONV_WINOGRAD) {       /* Winograd flips them as it transforms them */
        FN(conv_flip)(flipped, w, g);
        w = flipped;
    }
    switch (method) {
    case CONV_WINOGRAD:
        FN(conv_winograd_forward)(y, x, w, b, relu, flip, flipped, g);
        break;
    case CONV_FEW:
        FN(conv_few_forward)(y, x, w, b, relu, g);
        break;
    case CONV_PIXELS:
        FN(conv_pixels_forward)(y, x, w, b, relu, g);
        break;
    case CONV_DIRECT:
        FN(conv_direct_forward)(y, x, w, b, relu, g);
        break;
    default:
        FN(conv_columns_forward)(y, x, w, b, relu, g);
    }
}

void FN(conv2d_forward)(REAL *y, const REAL *x, const REAL *w, const REAL *b, const fnn_window *g)
{
    FN(conv_y)(y, x, w, b, 0, 0, NULL, g);
    FN(conv_mend_y)(y, x, w, b, 0, g);
}

void FN(conv2d_relu_forward)(REAL *y, const REAL *x, const REAL *w, const REAL *b, const fnn_window *g)
{
    FN(conv_y)(y, x, w, b, 1, 0, NULL, g);
    FN(conv_mend_y)(y, x, w, b, 1, g);
}

/* ---- dx -------------------------------------------------------------------------------------- */

/* b [C] or NULL is added to dx, for transposed convolution. flipped: room for the filters where the
 * method is CONV_FLIPPED. */
static void FN(conv_dx)(REAL *dx, const REAL *dy, const REAL *w, const REAL *b, REAL *flipped, const fnn_window *g)
{
    const fnn_window back = conv_flipped(g);
    switch (conv_choose(g, CONV_DX)) {
    case CONV_DIRECT:
        FN(conv_direct_dx)(dx, dy, w, b, g);
        break;
    case CONV_FLIPPED:
        FN(conv_y)(dx, dy, w, b, 0, 1, flipped, &back);
        break;
    case CONV_PIXELS:
        FN(conv_pixels_dx)(dx, dy, w, b, g);
        break;
    default:
        FN(conv_columns_dx)(dx, dy, w, b, g);
        return;
    }
    if (!conv_is_pointwise(g) && FN(conv_dx_is_suspect)(dx, g))
        FN(conv_columns_dx)(dx, dy, w, b, g);
}

/* ---- dw -------------------------------------------------------------------------------------- */
/* parts: room for the partial sums, as conv2d_workspace says */
static void FN(conv_dw)(REAL *dw, const REAL *dy, const REAL *x, REAL *parts, const fnn_window *g)
{
    conv_method method = conv_choose(g, CONV_DW);
    if (method == CONV_WINOGRAD) {
        if (FN(wino_dw)(dw, dy, x, parts, g))
            return;
        /* a number was not finite, or far larger than many: without transforms */
        method = conv_choose(g, CONV_DW_EXACT);
    }
    fnn_block_fn block;
    switch (method) {
    case CONV_DIRECT:
        block = FN(conv_direct_dw_block);
        break;
    case CONV_TAPS:
        block = FN(conv_taps_dw_block);
        break;
    default:
        block = FN(conv_columns_dw_block);
    }
    conv_args args = { .x = x, .dy = dy, .g = g, .blocks = conv_cut_dw(g, method) };
    const fnn_size sums = args.blocks.image_blocks;
    const fnn_size items = sums * g->G * args.blocks.filter_blocks * args.blocks.row_blocks;
    const fnn_work work = (fnn_work)g->N * g->P * g->Q * (g->K / g->G) * conv_taps(g) * g->G / fnn_max(items, 1);
    args.out = sums > 1 ? parts : dw;
    args.cut = conv_cut_columns(g, COLUMNS_OUTPUTS);
    fnn_parallel_for(items, fnn_grain(CONV_WORK, work), block, &args);
    FN(conv_add_parts)(dw, parts, sums, g);
    FN(conv_mend_dw)(dw, dy, x, g);
}

/* ---- db -------------------------------------------------------------------------------------- */
typedef struct { REAL *db; const REAL *dy; fnn_size N, K, PQ; } FN(conv_db_args);

static void FN(conv_db_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(conv_db_args) *args = ctx;
    for (fnn_size k = begin; k < end; k++) {
        REAL db = 0;
        for (fnn_size n = 0; n < args->N; n++) {
            const REAL *restrict dy = args->dy + (n * args->K + k) * args->PQ;  /* dy[n, k, :, :] */
            REAL sum = 0;
            #pragma omp simd reduction(+ : sum)
            for (fnn_size pq = 0; pq < args->PQ; pq++)
                sum += dy[pq];
            db += sum;                              /* forward was  y[n,k,p,q] += b[k] */
        }
        args->db[k] = db;
    }
}

/* db[k] = sum over images and pixels of dy [N][K][PQ] */
static void FN(conv_db)(REAL *db, const REAL *dy, fnn_size N, fnn_size K, fnn_size PQ)
{
    FN(conv_db_args) args = { db, dy, N, K, PQ };
    fnn_parallel_for(K, fnn_grain(CONV_COPY, N * PQ), FN(conv_db_block), &args);
}

void FN(conv2d_backward)(REAL *dx, REAL *dw, REAL *db, const REAL *dy, const REAL *x, const REAL *w, REAL *workspace,
                         const fnn_window *g)
{
    if (dx) {
        FN(conv_dx)(dx, dy, w, NULL, workspace, g);
        workspace += fnn_conv2d_workspace(g, 1, 0);
    }
    if (dw)
        FN(conv_dw)(dw, dy, x, workspace, g);
    if (db)
        FN(conv_db)(db, dy, g->N, g->K, g->P * g->Q);
}

#include "conv/conv_transpose.tmpl.h"
