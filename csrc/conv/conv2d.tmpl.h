/* conv2d.tmpl.h -- two-dimensional cross-correlation and its three gradients.
 *
 * Math       y[n,k,p,q]  = b[k] + sum_{c,r,s} w[k,c,r,s] * x[n,c,i,j],   i = p*sh - ph + r*dh,  j = q*sw - pw + s*dw
 *            dw[k,c,r,s] = sum_{n,p,q}     dy[n,k,p,q] * x[n,c,i,j]      (x = 0 outside the image)
 *            dx[n,c,i,j] = sum_{k,p,q,r,s} dy[n,k,p,q] * w[k,c,r,s]      over all p,q,r,s that read
 *                                                                        (i,j)
 *            db[k]       = sum_{n,p,q}     dy[n,k,p,q]
 * Symbols    window.h; Cg = C/G channels and Kg = K/G filters in each of G groups; taps = Cg*R*S.
 * Layout     x [N][C][H][W]   w [K][Cg][R][S]   b [K]   y [N][K][P][Q];   cols [taps][columns], a piece of the column matrix.
 * Method     forward   cols = im2col(x) for some 500 output pixels, at most CONV_TILE elements at a time, then y = w . cols
 *            dw        conv2d_dw.tmpl.h; where it does not serve, dy . cols^T; in blocks of taps x
 *                      filters x images, so that sums over images need few or no partial sums
 *            dx        stride 1: the convolution of dy with the turned filters; else col2im(w^T .
 *                      dy), one writer per image; where strided windows overlap, by phases of the
 *                      image in conv2d_pixels.tmpl.h, or else conv2d_phases.tmpl.h sums its columns
 *            1x1       the image is its own column matrix
 *            3x3       at stride 1, with enough channels and pixels: winograd.tmpl.h for y and dx,
 *                      winograd_dw.tmpl.h
 *            few pixels for large filters: conv2d_few.tmpl.h for y
 *            many taps, and strides: conv2d_pixels.tmpl.h for y
 *            depthwise, and few filters: conv2d_direct.tmpl.h
 *            transposed   conv_transpose.tmpl.h: dx as a forward
 *            Small images go side by side into one piece, so that the matrix product has enough
 *            columns.
 * Cost       forward 2*N*K*P*Q*taps flop, each gradient (dx, dw) the same.
 * Threads    blocks as told in conv2d_cut.h; one writer per element; partial sums of dw are added
 *            in the order of the images.
 * Reference  fastnn/reference/conv2d.py. Chellapilla, Puri, Simard (2006), "High performance
 *            convolutional neural networks for document processing".
 */
#ifndef FNN_CONV2D_ONCE
#define FNN_CONV2D_ONCE
typedef struct {
    void *out;                                      /* y, dx, dw or db, or the partial sums of dw */
    const void *x, *w, *b, *dy;
    int relu;                                       /* forward: zero where y would be negative */
    const fnn_window *g;
    conv_pieces cut;
    conv_dw_cut dw;
    fnn_size tile;                                  /* forward: elements of the column matrix to hold at one time */
    fnn_size filters, filter_blocks;                /* forward: filters in a block, blocks in a group */
    fnn_size channels, channel_blocks;              /* dx: channels in a block, blocks in a group */
} conv_args;
#endif

#include "conv/im2col.tmpl.h"
#include "conv/conv2d_direct.tmpl.h"

/* ---- columns --------------------------------------------------------------------------------- */
typedef struct {
    REAL *cols;
    const REAL *x;
    const fnn_window *g;
    fnn_size images, stride, q0, width, row;        /* stride: from one image to the next */
} FN(conv_columns_args);

static void FN(conv_columns_rows)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(conv_columns_args) *args = ctx;
    const fnn_size ld = args->images * args->width;
    for (fnn_size n = 0; n < args->images; n++)
        FN(im2col)(args->cols + begin * ld + n * args->width, ld, args->x + n * args->stride, args->g,
                   args->row + begin, args->row + end, args->q0, args->q0 + args->width);
}

/* The columns [q0, q0 + width) of `images` images from n0, side by side, rows [row, row + rows), of
 * group h. Returns where they are (in the image itself for a 1x1 window) and the distance between
 * rows. */
static const REAL *FN(conv_columns)(REAL *cols, fnn_size *ld, const REAL *x, const fnn_window *g, fnn_size h,
                                    fnn_size n0, fnn_size images, fnn_size q0, fnn_size width, fnn_size row,
                                    fnn_size rows)
{
    const fnn_size HW = g->H * g->W;
    const REAL *x_h = x + (n0 * g->C + h * (g->C / g->G)) * HW;                 /* x[n0, first channel of h, :, :] */
    if (images == 1 && conv_is_pointwise(g)) {
        *ld = HW;
        return x_h + row * HW + q0;
    }
    *ld = images * width;
    FN(conv_columns_args) args = { cols, x_h, g, images, g->C * HW, q0, width, row };
    fnn_parallel_for(rows, fnn_max(1, 32768 / *ld), FN(conv_columns_rows), &args);
    return cols;
}

/* ---- forward --------------------------------------------------------------------------------- */

/* Pieces of y, each some columns of some filters. Where there are few pieces they are done one
 * after the other, and the threads share the work inside each (columns, product); else each thread
 * has its own, and the inner loops run on it alone. */
static void FN(conv_forward_pieces)(void *ctx, fnn_size begin, fnn_size end)
{
    const conv_args *args = ctx;
    const fnn_window *g = args->g;
    const fnn_size taps = conv_taps(g), Kg = g->K / g->G, PQ = g->P * g->Q, most = args->cut.images * args->cut.columns;
    const int together = args->cut.images > 1;      /* several images in one product: y goes through a tile */
    const int in_place = !together && conv_is_pointwise(g);
    const fnn_size rows_most = in_place ? taps : conv_block(taps, args->tile / most);
    REAL *cols = in_place ? NULL : fnn_scratch_alloc(rows_most * most * sizeof(REAL));
    REAL *tile = together ? fnn_scratch_alloc(args->filters * most * sizeof(REAL)) : NULL;

    for (fnn_size item = begin; item < end; item++) {
        fnn_size rest = item;
        const fnn_size piece = rest % args->cut.pieces; rest /= args->cut.pieces;
        const fnn_size kb = rest % args->filter_blocks; rest /= args->filter_blocks;
        const fnn_size h = rest % g->G, n0 = rest / g->G * args->cut.images;
        const fnn_size images = fnn_min(args->cut.images, g->N - n0);
        const fnn_size q0 = piece * args->cut.columns, width = fnn_min(args->cut.columns, PQ - q0);
        const fnn_size k0 = h * Kg + kb * args->filters, filters = fnn_min(args->filters, Kg - kb * args->filters);
        REAL *y = (REAL *)args->out + (n0 * g->K + k0) * PQ + q0;                          /* y[n0, k0, q0] */
        const REAL *w = (const REAL *)args->w + k0 * taps;                                 /* w[k0, :, :, :] */
        const REAL *b = args->b ? (const REAL *)args->b + k0 : NULL;

        for (fnn_size row = 0; row < taps; row += rows_most) {
            fnn_size ld;
            const fnn_size rows = fnn_min(rows_most, taps - row);
            const REAL *columns = FN(conv_columns)(cols, &ld, args->x, g, h, n0, images, q0, width, row, rows);
            FN(gemm)(together ? tile : y, together ? images * width : PQ,
                     w + row, taps, 1, columns, ld, 1, row == 0 ? b : NULL, NULL,
                     filters, images * width, rows,                             /* m = filters  n = columns  k = taps */
                     (row > 0 ? FNN_GEMM_ADD : 0) | (args->relu && row + rows == taps ? FNN_GEMM_RELU : 0));
        }
        for (fnn_size n = 0; together && n < images; n++)
            for (fnn_size k = 0; k < filters; k++)
                memcpy(y + (n * g->K + k) * PQ, tile + (k * images + n) * width, width * sizeof(REAL));
    }
    if (tile) fnn_scratch_free(tile);
    if (cols) fnn_scratch_free(cols);
}

static void FN(conv_columns_forward)(REAL *y, const REAL *x, const REAL *w, const REAL *b, int relu,
                                     const fnn_window *g)
{
    const fnn_size Kg = g->K / g->G;
    conv_args args = { .out = y, .x = x, .w = w, .b = b, .relu = relu, .g = g, .cut = conv_cut_columns(g, CONV_COLUMNS),
                      .tile = CONV_TILE };
    /* multiply-adds in one piece */
    const fnn_size work = args.cut.images * args.cut.columns * conv_taps(g) * Kg;
    fnn_size pieces = fnn_ceil_div(g->N, args.cut.images) * g->G * args.cut.pieces;
    const int shared = pieces < CONV_BLOCKS && work > 4 * CONV_WORK;
    if (shared) {
        args.cut = conv_cut_columns(g, CONV_SHARED_COLUMNS);
        args.tile = CONV_SHARED_TILE;
        pieces = fnn_ceil_div(g->N, args.cut.images) * g->G * args.cut.pieces;
    }
    args.filters = args.cut.images > 1 ? conv_block(Kg, args.tile / (args.cut.images * args.cut.columns)) : Kg;
    args.filter_blocks = fnn_ceil_div(Kg, args.filters);
    pieces *= args.filter_blocks;
    if (shared)
        FN(conv_forward_pieces)(&args, 0, pieces);
    else
        fnn_parallel_for(pieces, fnn_max(1, CONV_WORK / fnn_max(1, work / args.filter_blocks)),
                         FN(conv_forward_pieces), &args);
}

/* ---- the turned filters, with which dx is a convolution -------------------------------------- */
typedef struct { REAL *turned; const REAL *w; fnn_size Cg, Kg, RS; } FN(conv_turn_args);

/* a block of channels, so that w is read in runs */
static void FN(conv_turn_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(conv_turn_args) *args = ctx;
    const fnn_size Kg = args->Kg, Cg = args->Cg, RS = args->RS;
    for (fnn_size k = 0; k < Kg; k++)
        for (fnn_size c = begin; c < end; c++) {
            const REAL *restrict from = args->w + ((c / Cg * Kg + k) * Cg + c % Cg) * RS;
            REAL *restrict to = args->turned + (c * Kg + k) * RS;
            for (fnn_size rs = 0; rs < RS; rs++)
                to[rs] = from[RS - 1 - rs];
        }
}

/* turned[c, k, r, s] = w[k, c, R-1-r, S-1-s], group by group; back: the convolution that they are
 * for, with the channels c as filters */
static void FN(conv_turn)(REAL *turned, const REAL *w, const fnn_window *back)
{
    FN(conv_turn_args) args = { turned, w, back->K / back->G, back->C / back->G, back->R * back->S };
    fnn_parallel_for(back->K, fnn_max(8, 65536 / (args.Kg * args.RS)), FN(conv_turn_block), &args);
}

#include "conv/interleave.tmpl.h"
#include "conv/winograd.tmpl.h"
#include "conv/winograd_dw.tmpl.h"
#include "conv/conv2d_frame.tmpl.h"
#include "conv/conv2d_pixels.tmpl.h"
#include "conv/conv2d_few.tmpl.h"
#include "conv/conv2d_dw.tmpl.h"

static void FN(conv_forward)(REAL *y, const REAL *x, const REAL *w, const REAL *b, int relu, const fnn_window *g)
{
    if (conv_is_winograd(g) && !conv_is_direct(g))
        FN(conv_winograd_forward)(y, x, w, b, relu, NULL, g);
    else if (conv_is_few(g))
        FN(conv_few_forward)(y, x, w, b, relu, g);
    else if (conv_is_pixels(g))
        FN(conv_pixels_forward)(y, x, w, b, relu, g);
    else if (conv_is_direct(g))
        FN(conv_direct_forward)(y, x, w, b, relu, g);
    else
        FN(conv_columns_forward)(y, x, w, b, relu, g);
}

void FN(conv2d_forward)(REAL *y, const REAL *x, const REAL *w, const REAL *b, const fnn_window *g)
{
    FN(conv_forward)(y, x, w, b, 0, g);
}

void FN(conv2d_relu_forward)(REAL *y, const REAL *x, const REAL *w, const REAL *b, const fnn_window *g)
{
    FN(conv_forward)(y, x, w, b, 1, g);
}

/* ---- dw -------------------------------------------------------------------------------------- */
static void FN(conv_dw_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const conv_args *args = ctx;
    const fnn_window *g = args->g;
    const conv_dw_cut cut = args->dw;
    const fnn_size taps = conv_taps(g), Kg = g->K / g->G, PQ = g->P * g->Q;
    const fnn_size most = args->cut.images * args->cut.columns;
    const int together = args->cut.images > 1;
    REAL *cols = fnn_scratch_alloc(cut.rows * most * sizeof(REAL));
    REAL *tile = together ? fnn_scratch_alloc(cut.filters * most * sizeof(REAL)) : NULL;  /* dy of several images */

    for (fnn_size item = begin; item < end; item++) {
        fnn_size rest = item;
        const fnn_size rb = rest % cut.row_blocks; rest /= cut.row_blocks;
        const fnn_size kb = rest % cut.filter_blocks; rest /= cut.filter_blocks;
        const fnn_size h = rest % g->G, ib = rest / g->G;
        const fnn_size row = rb * cut.rows, rows = fnn_min(cut.rows, taps - row);
        const fnn_size k0 = h * Kg + kb * cut.filters, filters = fnn_min(cut.filters, Kg - kb * cut.filters);
        const fnn_size n_end = fnn_min((ib + 1) * cut.images, g->N);
        /* dw[k0, row] of partial sum ib */
        REAL *dw = (REAL *)args->out + (ib * g->K + k0) * taps + row;
        int more = 0;
        for (fnn_size n = ib * cut.images; n < n_end; n += args->cut.images) {
            const fnn_size images = fnn_min(args->cut.images, n_end - n);
            for (fnn_size q0 = 0; q0 < PQ; q0 += args->cut.columns) {
                fnn_size ld, ld_dy = PQ;
                const fnn_size width = fnn_min(args->cut.columns, PQ - q0);
                const REAL *columns = FN(conv_columns)(cols, &ld, args->x, g, h, n, images, q0, width, row, rows);
                const REAL *dy = (const REAL *)args->dy + (n * g->K + k0) * PQ + q0;       /* dy[n, k0, q0] */
                if (together) {
                    for (fnn_size k = 0; k < filters; k++)
                        for (fnn_size i = 0; i < images; i++)
                            memcpy(tile + (k * images + i) * width, dy + (i * g->K + k) * PQ, width * sizeof(REAL));
                    dy = tile;
                    ld_dy = images * width;
                }
                /* forward was  y = w . cols  so  dw += dy . cols^T */
                FN(gemm)(dw, taps, dy, ld_dy, 1, columns, 1, ld, NULL, NULL, filters, rows, images * width, more);
                more = 1;
            }
        }
        for (fnn_size k = 0; !more && k < filters; k++)                                    /* no image at all */
            memset(dw + k * taps, 0, rows * sizeof(REAL));
    }
    if (tile) fnn_scratch_free(tile);
    fnn_scratch_free(cols);
}

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
        fnn_parallel_for(weights, 8192, FN(conv_sum_parts), &sum);
}

static void FN(conv_dw)(REAL *dw, const REAL *dy, const REAL *x, REAL *parts, const fnn_window *g)
{
    if (conv_dw_is_winograd(g) && FN(wino_dw)(dw, dy, x, parts, g)) {
        FN(conv_add_parts)(dw, parts, wino_cut_dw(g).parts, g);
        return;
    }
    conv_args args = { .x = x, .dy = dy, .g = g, .dw = conv_cut_dw(g) };
    const fnn_size blocks = args.dw.image_blocks;
    const fnn_size items = blocks * g->G * args.dw.filter_blocks * args.dw.row_blocks;
    const fnn_size work = g->N * g->P * g->Q * (g->K / g->G) * conv_taps(g) * g->G / fnn_max(items, 1);
    args.out = blocks > 1 ? parts : dw;
    args.cut = conv_cut_columns(g, CONV_COLUMNS);
    fnn_parallel_for(items, fnn_max(1, CONV_WORK / fnn_max(1, work)),
                     conv_is_depthwise(g) ? FN(conv_direct_dw_block) : conv_dw_is_framed(g) ? FN(conv_framed_dw_block)
                     : FN(conv_dw_block),
                     &args);
    FN(conv_add_parts)(dw, parts, blocks, g);
}

/* ---- dx -------------------------------------------------------------------------------------- */

#include "conv/conv2d_phases.tmpl.h"

/* What the sum of a plane starts from. */
static void FN(conv_start)(REAL *plane, fnn_size n, REAL b)
{
    for (fnn_size i = 0; i < n; i++)
        plane[i] = b;
}

/* dx of some images and channels: w^T . dy gives a piece of the column matrix's gradient, col2im
 * adds it to the images. */
static void FN(conv_dx_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const conv_args *args = ctx;
    const fnn_window *g = args->g;
    const fnn_size taps = conv_taps(g), Kg = g->K / g->G, Cg = g->C / g->G;
    const fnn_size RS = g->R * g->S, PQ = g->P * g->Q, HW = g->H * g->W, most = args->cut.images * args->cut.columns;
    const fnn_size rows_most = fnn_min(args->channels * RS, CONV_TILE / most);
    const int together = args->cut.images > 1;
    REAL *cols = fnn_scratch_alloc(rows_most * most * sizeof(REAL));
    REAL *tile = together ? fnn_scratch_alloc(Kg * most * sizeof(REAL)) : NULL;            /* dy of several images */
    const FN(phases) f = FN(phases_of)(g);
    const int apart = FN(phases_fit)(f, g, CONV_PHASES / (args->cut.images * args->channels));
    const fnn_size frame = apart ? f.rows * g->sw * f.width : 0;
    REAL *frames = apart ? fnn_scratch_alloc(args->cut.images * args->channels * frame * sizeof(REAL)) : NULL;
    for (fnn_size item = begin; item < end; item++) {
        const fnn_size cb = item % args->channel_blocks, nh = item / args->channel_blocks;
        const fnn_size h = nh % g->G, n0 = nh / g->G * args->cut.images, images = fnn_min(args->cut.images, g->N - n0);
        const fnn_size c0 = cb * args->channels, channels = fnn_min(args->channels, Cg - c0), row_end = (c0 + channels)
            * RS;
        REAL *dx = (REAL *)args->out + (n0 * g->C + h * Cg) * HW;               /* dx[n0, first channel of h, :, :] */
        const REAL *w = (const REAL *)args->w + h * Kg * taps;
        for (fnn_size n = 0; n < images; n++)
            for (fnn_size c = c0; c < c0 + channels; c++)
                FN(conv_start)(apart ? frames + (n * channels + c - c0) * frame : dx + (n * g->C + c) * HW,
                               apart ? frame : HW,
                               args->b ? ((const REAL *)args->b)[h * Cg + c] : 0);
        for (fnn_size q0 = 0; q0 < PQ; q0 += args->cut.columns) {
            const fnn_size width = fnn_min(args->cut.columns, PQ - q0), ld = images * width;
            /* dy[n0, first filter of h, q0] */
            const REAL *dy = (const REAL *)args->dy + (n0 * g->K + h * Kg) * PQ + q0;
            for (fnn_size k = 0; together && k < Kg; k++)
                for (fnn_size n = 0; n < images; n++)
                    memcpy(tile + k * ld + n * width, dy + (n * g->K + k) * PQ, width * sizeof(REAL));
            for (fnn_size row = c0 * RS; row < row_end; row += rows_most) {
                const fnn_size rows = fnn_min(rows_most, row_end - row);
                /* forward was  y = w . cols, cols = im2col(x)  so  dx = col2im(w^T . dy) */
                FN(gemm)(cols, ld, w + row, 1, taps, together ? tile : dy, together ? ld : PQ, 1, NULL, NULL, rows, ld,
                         Kg, 0);
                for (fnn_size n = 0; n < images; n++)
                    if (apart)
                        FN(phases_add)(frames + n * channels * frame, f, cols + n * width, ld, g, c0, row, row + rows,
                                       q0, q0 + width);
                    else
                        FN(col2im_add)(dx + n * g->C * HW, cols + n * width, ld, g, row, row + rows, q0, q0 + width);
            }
        }
        for (fnn_size n = 0; apart && n < images; n++)
            for (fnn_size c = c0; c < c0 + channels; c++)
                FN(phases_deal)(dx + (n * g->C + c) * HW, frames + (n * channels + c - c0) * frame, f, g);
    }
    fnn_scratch_free(cols);
}

/* b [C] or NULL is added to dx, for transposed convolution. */
static void FN(conv_dx)(REAL *dx, const REAL *dy, const REAL *w, const REAL *b, REAL *turned, const fnn_window *g)
{
    const fnn_size Cg = g->C / g->G, RS = g->R * g->S;
    if (conv_is_depthwise(g)) {
        FN(conv_direct_dx)(dx, dy, w, b, g);
    } else if (conv_dx_is_conv(g)) {
        const fnn_window back = conv_back(g);
        if (conv_is_winograd(&back) && !conv_is_direct(&back)) {
            FN(conv_winograd_forward)(dx, dy, w, b, 0, turned, &back);
        } else {
            FN(conv_turn)(turned, w, &back);
            FN(conv_forward)(dx, dy, turned, b, 0, &back);
        }
    } else if (conv_dx_is_pixels(g)) {
        FN(conv_pixels_dx)(dx, dy, w, b, g);
    } else {
        conv_args args = { .out = dx, .w = w, .b = b, .dy = dy, .g = g };
        const fnn_size PQ = g->P * g->Q, most = fnn_min(CONV_COLUMNS, CONV_TILE / fnn_min(g->K / g->G, CONV_TILE));
        args.cut = conv_cut_columns(g, PQ < CONV_FEW_COLUMNS ? fnn_max(1, most) : fnn_min(PQ, CONV_COLUMNS));
        args.channels = fnn_even_piece(Cg, fnn_max(1, CONV_ROWS / RS));
        args.channel_blocks = fnn_ceil_div(Cg, args.channels);
        const fnn_size work = args.channels * RS * args.cut.images * args.cut.columns * args.cut.pieces * (g->K / g->G);
        fnn_parallel_for(fnn_ceil_div(g->N, args.cut.images) * g->G * args.channel_blocks, fnn_max(1, CONV_WORK / work),
                         FN(conv_dx_block), &args);
    }
}

/* ---- db -------------------------------------------------------------------------------------- */
typedef struct { REAL *db; const REAL *dy; fnn_size N, K, PQ; } FN(conv_db_args);

static void FN(conv_db_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(conv_db_args) *args = ctx;
    for (fnn_size k = begin; k < end; k++) {
        REAL db = 0;
        for (fnn_size n = 0; n < args->N; n++) {
            const REAL *restrict dy = args->dy + (n * args->K + k) * args->PQ;             /* dy[n, k, :, :] */
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
    fnn_parallel_for(K, fnn_max(1, 65536 / fnn_max(1, N * PQ)), FN(conv_db_block), &args);
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
    if (db) {
        FN(conv_db)(db, dy, g->N, g->K, g->P * g->Q);
    }
}

#include "conv/conv_transpose.tmpl.h"
