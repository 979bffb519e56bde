/* conv2d_columns.tmpl.h -- convolution by im2col and a matrix product: the method that can do
 * everything. Included by conv2d.tmpl.h.
 *
 * Math       y = w . cols,   dw = dy . cols^T,   dx = col2im(w^T . dy),   group by group, with the
 *            column matrix cols[(c,r,s), (n,p,q)] = x[n,c,i,j] of im2col.tmpl.h
 * Layout     cols [taps][columns]: a piece of it at a time, never the whole
 * Method     y    a piece is some COLUMNS_OUTPUTS outputs, and at most COLUMNS_TILE elements are
 *                 held at one time: the taps go by in blocks, each product adding to y
 *            dw   in blocks of taps x filters x images, so that sums over images need few partial
 *                 sums or none
 *            dx   a piece of w^T . dy is made and added to the image, one writer per image; where
 *                 strided windows overlap, in frames of conv2d_phases.tmpl.h
 *            A 1x1 window at stride 1 needs no columns: the image is its own column matrix. Small
 *            images go side by side into one piece, so that the product has enough columns.
 * Threads    blocks of pieces and filters (y), of taps, filters and images (dw), of images and
 *            channels (dx). Where y has few pieces, all threads work on one piece after the other.
 */
#include "conv/im2col.tmpl.h"
#include "conv/conv2d_phases.tmpl.h"

/* ---- a piece of the column matrix ------------------------------------------------------------ */

/* The columns [q0, q0 + width) of `images` images from n0, side by side, rows [row, row + rows), of
 * group h */
typedef struct { fnn_size h, n0, images, q0, width, row, rows; } FN(conv_piece);

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

/* Makes a piece, in cols. Returns where it is (in the image itself for a 1x1 window) and the
 * distance between its rows. */
static const REAL *FN(conv_columns)(REAL *cols, fnn_size *ld, const REAL *x, const fnn_window *g, FN(conv_piece) piece)
{
    const fnn_size HW = g->H * g->W;
    /* x[n0, first channel of h, :, :] */
    const REAL *x_h = x + (piece.n0 * g->C + piece.h * (g->C / g->G)) * HW;
    if (piece.images == 1 && conv_is_pointwise(g)) {
        *ld = HW;
        return x_h + piece.row * HW + piece.q0;
    }
    *ld = piece.images * piece.width;
    FN(conv_columns_args) args = { cols, x_h, g, piece.images, g->C * HW, piece.q0, piece.width, piece.row };
    fnn_parallel_for(piece.rows, fnn_grain(COLUMNS_COPY, *ld), FN(conv_columns_rows), &args);
    return cols;
}

/* ---- y --------------------------------------------------------------------------------------- */

/* Pieces of y, each some columns of some filters. Where there are few pieces they are done one
 * after the other, and the threads share the work inside each (columns, product); else each thread
 * has its own, and the inner loops run on it alone. */
static void FN(conv_columns_forward_pieces)(void *ctx, fnn_size begin, fnn_size end)
{
    const conv_args *args = ctx;
    const fnn_window *g = args->g;
    const fnn_size taps = conv_taps(g), Kg = g->K / g->G, PQ = g->P * g->Q, most = args->cut.images * args->cut.columns;
    /* several images in one product: y goes through a tile */
    const int together = args->cut.images > 1;
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
        REAL *y = (REAL *)args->out + (n0 * g->K + k0) * PQ + q0;               /* y[n0, k0, q0] */
        const REAL *w = (const REAL *)args->w + k0 * taps;                      /* w[k0, :, :, :] */
        const REAL *b = args->b ? (const REAL *)args->b + k0 : NULL;

        /* the sum over taps, as many at a time as the tile of columns holds; bias first */
        for (fnn_size row = 0; row < taps; row += rows_most) {
            fnn_size ld;
            const fnn_size rows = fnn_min(rows_most, taps - row);
            const REAL *columns = FN(conv_columns)(cols, &ld, args->x, g, (FN(conv_piece)){
                .h = h, .n0 = n0, .images = images, .q0 = q0, .width = width, .row = row, .rows = rows });
            FN(gemm)(together ? tile : y, together ? images * width : PQ,
                     w + row, taps, 1, columns, ld, 1, row == 0 ? b : NULL, NULL,
                     filters, images * width, rows,         /* m = filters  n = columns  k = taps */
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
    conv_args args = { .out = y, .x = x, .w = w, .b = b, .relu = relu, .g = g,
                       .cut = conv_cut_columns(g, COLUMNS_OUTPUTS), .tile = COLUMNS_TILE };
    /* multiply-adds in a piece */
    const fnn_work work = (fnn_work)args.cut.images * args.cut.columns * conv_taps(g) * Kg;
    fnn_size pieces = fnn_ceil_div(g->N, args.cut.images) * g->G * args.cut.pieces;
    const int shared = pieces < CONV_BLOCKS && work > CONV_SHARED_WORK;
    if (shared) {
        args.cut = conv_cut_columns(g, COLUMNS_SHARED_OUTPUTS);
        args.tile = COLUMNS_SHARED_TILE;
        pieces = fnn_ceil_div(g->N, args.cut.images) * g->G * args.cut.pieces;
    }
    args.filters = args.cut.images > 1 ? conv_block(Kg, args.tile / (args.cut.images * args.cut.columns)) : Kg;
    args.filter_blocks = fnn_ceil_div(Kg, args.filters);
    pieces *= args.filter_blocks;
    if (shared)
        FN(conv_columns_forward_pieces)(&args, 0, pieces);
    else
        fnn_parallel_for(pieces, fnn_grain(CONV_WORK, work / args.filter_blocks),
                         FN(conv_columns_forward_pieces), &args);
}

/* ---- dw -------------------------------------------------------------------------------------- */

/* Blocks of taps x filters x images of dw, or of a partial sum of it. */
static void FN(conv_columns_dw_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const conv_args *args = ctx;
    const fnn_window *g = args->g;
    const conv_dw_cut blocks = args->blocks;
    const fnn_size taps = conv_taps(g), Kg = g->K / g->G, PQ = g->P * g->Q;
    const fnn_size most = args->cut.images * args->cut.columns;
    const int together = args->cut.images > 1;
    REAL *cols = fnn_scratch_alloc(blocks.rows * most * sizeof(REAL));
    /* dy of the images */
    REAL *tile = together ? fnn_scratch_alloc(blocks.filters * most * sizeof(REAL)) : NULL;

    for (fnn_size item = begin; item < end; item++) {
        fnn_size rest = item;
        const fnn_size rb = rest % blocks.row_blocks; rest /= blocks.row_blocks;
        const fnn_size kb = rest % blocks.filter_blocks; rest /= blocks.filter_blocks;
        const fnn_size h = rest % g->G, ib = rest / g->G;
        const fnn_size row = rb * blocks.rows, rows = fnn_min(blocks.rows, taps - row);
        const fnn_size k0 = h * Kg + kb * blocks.filters, filters = fnn_min(blocks.filters, Kg - kb * blocks.filters);
        const fnn_size n_end = fnn_min((ib + 1) * blocks.images, g->N);
        /* dw[k0, row] of partial sum ib */
        REAL *dw = (REAL *)args->out + (ib * g->K + k0) * taps + row;
        int more = 0;                               /* whether dw holds a sum to add to */
        /* the sum over images and outputs, a piece of the column matrix at a time */
        for (fnn_size n = ib * blocks.images; n < n_end; n += args->cut.images) {
            const fnn_size images = fnn_min(args->cut.images, n_end - n);
            for (fnn_size q0 = 0; q0 < PQ; q0 += args->cut.columns) {
                fnn_size ld, ld_dy = PQ;
                const fnn_size width = fnn_min(args->cut.columns, PQ - q0);
                const REAL *columns = FN(conv_columns)(cols, &ld, args->x, g, (FN(conv_piece)){
                    .h = h, .n0 = n, .images = images, .q0 = q0, .width = width, .row = row, .rows = rows });
                /* dy[n, k0, q0] */
                const REAL *dy = (const REAL *)args->dy + (n * g->K + k0) * PQ + q0;
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
        for (fnn_size k = 0; !more && k < filters; k++)                     /* no image at all */
            memset(dw + k * taps, 0, rows * sizeof(REAL));
    }
    if (tile) fnn_scratch_free(tile);
    fnn_scratch_free(cols);
}

/* ---- dx -------------------------------------------------------------------------------------- */

/* What the sum of a plane starts from. */
static void FN(conv_start)(REAL *plane, fnn_size n, REAL b)
{
    for (fnn_size i = 0; i < n; i++)
        plane[i] = b;
}

/* dx of some images and channels: w^T . dy gives a piece of the column matrix's gradient, col2im
 * adds it to the images, or to frames (apart) that are dealt out to the images at the end. */
static void FN(conv_columns_dx_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const conv_args *args = ctx;
    const fnn_window *g = args->g;
    const fnn_size taps = conv_taps(g), Kg = g->K / g->G, Cg = g->C / g->G;
    const fnn_size RS = g->R * g->S, PQ = g->P * g->Q, HW = g->H * g->W, most = args->cut.images * args->cut.columns;
    const fnn_size rows_most = fnn_min(args->channels * RS, COLUMNS_TILE / most);
    const int together = args->cut.images > 1;
    REAL *cols = fnn_scratch_alloc(rows_most * most * sizeof(REAL));
    /* dy of the images */
    REAL *tile = together ? fnn_scratch_alloc(Kg * most * sizeof(REAL)) : NULL;
    const FN(phases) f = FN(phases_of)(g);
    const int apart = FN(phases_fit)(f, g, PHASES_FRAMES / (args->cut.images * args->channels));
    const fnn_size frame = apart ? f.rows * g->sw * f.width : 0;
    REAL *frames = apart ? fnn_scratch_alloc(args->cut.images * args->channels * frame * sizeof(REAL)) : NULL;
    for (fnn_size item = begin; item < end; item++) {
        const fnn_size cb = item % args->channel_blocks, nh = item / args->channel_blocks;
        const fnn_size h = nh % g->G, n0 = nh / g->G * args->cut.images, images = fnn_min(args->cut.images, g->N - n0);
        const fnn_size c0 = cb * args->channels, channels = fnn_min(args->channels, Cg - c0);
        const fnn_size row_end = (c0 + channels) * RS;
        /* dx[n0, first channel of h, :, :] */
        REAL *dx = (REAL *)args->out + (n0 * g->C + h * Cg) * HW;
        const REAL *w = (const REAL *)args->w + h * Kg * taps;
        for (fnn_size n = 0; n < images; n++)
            for (fnn_size c = c0; c < c0 + channels; c++)
                FN(conv_start)(apart ? frames + (n * channels + c - c0) * frame : dx + (n * g->C + c) * HW,
                               apart ? frame : HW, args->b ? ((const REAL *)args->b)[h * Cg + c] : 0);
        /* the outputs, a piece of the column matrix at a time */
        for (fnn_size q0 = 0; q0 < PQ; q0 += args->cut.columns) {
            const fnn_size width = fnn_min(args->cut.columns, PQ - q0), ld = images * width;
            /* dy[n0, first of h, q0] */
            const REAL *dy = (const REAL *)args->dy + (n0 * g->K + h * Kg) * PQ + q0;
            for (fnn_size k = 0; together && k < Kg; k++)
                for (fnn_size n = 0; n < images; n++)
                    memcpy(tile + k * ld + n * width, dy + (n * g->K + k) * PQ, width * sizeof(REAL));
            /* its rows, the taps of these channels, as many as the tile of columns holds */
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

/* b [C] or NULL is added to dx. */
static void FN(conv_columns_dx)(REAL *dx, const REAL *dy, const REAL *w, const REAL *b, const fnn_window *g)
{
    conv_args args = { .out = dx, .w = w, .b = b, .dy = dy, .g = g };
    const fnn_size Cg = g->C / g->G, Kg = g->K / g->G, RS = g->R * g->S, PQ = g->P * g->Q;
    const fnn_size most = fnn_min(COLUMNS_OUTPUTS, COLUMNS_TILE / fnn_min(Kg, COLUMNS_TILE));
    args.cut = conv_cut_columns(g, PQ < COLUMNS_FEW_OUTPUTS ? fnn_max(1, most) : fnn_min(PQ, COLUMNS_OUTPUTS));
    args.channels = fnn_even_piece(Cg, fnn_grain(COLUMNS_ROWS, RS));
    args.channel_blocks = fnn_ceil_div(Cg, args.channels);
    const fnn_work work = (fnn_work)args.channels * RS * args.cut.images * args.cut.columns * args.cut.pieces * Kg;
    fnn_parallel_for(fnn_ceil_div(g->N, args.cut.images) * g->G * args.channel_blocks, fnn_grain(CONV_WORK, work),
                     FN(conv_columns_dx_block), &args);
}
