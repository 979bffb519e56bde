/* conv2d_taps.tmpl.h -- gradient of the filters without columns: the taps of a window row, side by
 * side. Included by conv2d.tmpl.h.
 *
 * Math       dw[k, c, r, s] = sum over pixels (n,p,q) of
 *                             dy[n, k, p, q] * x[n, c, p*sh - ph + r*dh, q*sw - pw + s]
 * Layout     A band is some rows and columns of output, of one image or of several small ones.
 *            dy of a band is interleaved, [filters/VL][pixel][VL]: a vector holds one pixel of VL
 *            filters. The planes of x that a band sees, with their padding, are copied into frames
 *            [image][channel][row][column]. Sums are in [filters/VL][c,r,s][VL].
 * Method     To an output pixel, the taps of one window row are neighbours in a row of x. So a tile
 *            of sums, some rows of the window by up to DW_MOST taps of each by one or two vectors
 *            of filters, stays in registers while the pixels of a band go by: for each pixel one or
 *            two vectors of dy, times each number of x that the window sees. Where the window has
 *            one row, the rows of a tile are channels. Where a band sees no padding, x is read in
 *            place.
 * Threads    blocks of channels, filters and images (conv2d_choose.h); partial sums of images are
 *            added in order
 */
#undef DW_SUMS
#define DW_SUMS VSUMS                       /* vectors of sums in a tile, at most */

#ifndef FNN_CONV_DW_ONCE
#define FNN_CONV_DW_ONCE
/* Taps of a window row, and rows, in a tile. Bound: with up to 2 vectors of filters these are 48
 * sums, and DW_SUMS says which of the shapes the registers hold. */
enum { DW_MOST = 8, DW_ROWS = 3 };
#endif

typedef struct {
    const REAL *x;                  /* what the band's first pixel sees first, in the first
                                       channel */
    fnn_size pitch, channel, image; /* from a row, channel, image to the next */
} FN(dw_view);

typedef struct {
    fnn_size images, rows, columns; /* of output */
    fnn_size line, image;           /* in x: from a row of output and from an image to the next */
} FN(dw_band);

/* What sums over a band read and write: _step from a row of taps to the next, _half from a vector
 * of filters to the next. */
typedef struct {
    REAL *out;                              /* [tap][VL] of a row of taps and a vector of filters */
    fnn_size out_step, out_half;
    const REAL *x;
    fnn_size x_step, step;                  /* step: from a column of output to the next */
    const REAL *dy;                         /* [pixel][VL] of a vector of filters */
    fnn_size dy_half;
    const FN(dw_band) *band;
    int add;                                /* to what is in out */
} FN(dw_sums);

/* out[row of taps, tap, filter] (+)= sum over the band's pixels (n, row, column) of
 *     x[n * image + row * line + column * step + row of taps * x_step + tap] * dy[pixel, filter]
 * for `rows` rows of mr taps and nv vectors of filters, all constants. A register tile as
 * wino_product: numbers of x are broadcast, dy loaded in vectors. */
FNN_INLINE void FN(dw_tile)(const fnn_size nv, const fnn_size rows, const fnn_size mr, const FN(dw_sums) sums)
{
    const FN(dw_band) *band = sums.band;
    const REAL *dy = sums.dy;
    vec acc[DW_ROWS][DW_MOST][2];                   /* [row of taps][tap][vector of filters] */
#pragma GCC unroll 3
    for (fnn_size r = 0; r < rows; r++)
#pragma GCC unroll 8
        for (fnn_size s = 0; s < mr; s++)
#pragma GCC unroll 2
            for (fnn_size j = 0; j < nv; j++)
                acc[r][s][j] = sums.add ? v_load(sums.out + r * sums.out_step + j * sums.out_half + s * VL) : v_set(0);
    /* the pixels of the band */
    for (fnn_size n = 0; n < band->images; n++)
        for (fnn_size row = 0; row < band->rows; row++) {
            const REAL *seen = sums.x + n * band->image + row * band->line;
            for (fnn_size column = 0;; seen += sums.step) {
                vec d[2];
#pragma GCC unroll 2
                for (fnn_size j = 0; j < nv; j++)
                    d[j] = v_load(dy + j * sums.dy_half);
                /* the taps that see this pixel */
#pragma GCC unroll 3
                for (fnn_size r = 0; r < rows; r++)
#pragma GCC unroll 8
                    for (fnn_size s = 0; s < mr; s++) {
                        const vec pixel = v_set(seen[r * sums.x_step + s]);
#pragma GCC unroll 2
                        for (fnn_size j = 0; j < nv; j++)
                            acc[r][s][j] += pixel * d[j];
                    }
                dy += VL;
                /* behind the last one may be no array to point into */
                if (++column == band->columns)
                    break;
            }
        }
#pragma GCC unroll 3
    for (fnn_size r = 0; r < rows; r++)
#pragma GCC unroll 8
        for (fnn_size s = 0; s < mr; s++)
#pragma GCC unroll 2
            for (fnn_size j = 0; j < nv; j++)
                v_store(sums.out + r * sums.out_step + j * sums.out_half + s * VL, acc[r][s][j]);
}

typedef void FN(dw_tile_fn)(const FN(dw_sums) *sums);
/* One function for each number of vectors, of rows and of taps; names are pasted: dw_tile_12_3 has
 * 1 vector, 2 rows and 3 taps. */
#define DW_TILE(nv, rows, mr) \
    static void FN(dw_tile_##nv##rows##_##mr)(const FN(dw_sums) *sums) { FN(dw_tile)(nv, rows, mr, *sums); }
#define DW_NAME(nv, rows, mr) [nv - 1][rows - 1][mr - 1] = FN(dw_tile_##nv##rows##_##mr),
#if REAL_IS_F64                                     /* fewer versions to build */
#  define DW_LIST(do) do(1, 1, 1) do(1, 1, 2) do(1, 1, 3) do(1, 1, 4) do(1, 1, 5) do(1, 1, 6) do(1, 1, 7) do(1, 1, 8)
#else
#  define DW_EVERY(do)                                                                                              \
    do(1, 1, 1) do(1, 1, 2) do(1, 1, 3) do(1, 1, 4) do(1, 1, 5) do(1, 1, 6) do(1, 1, 7) do(1, 1, 8)                 \
    do(1, 2, 1) do(1, 2, 2) do(1, 2, 3) do(1, 2, 4) do(1, 2, 5) do(1, 2, 6)                                         \
    do(1, 3, 1) do(1, 3, 2) do(1, 3, 3) do(1, 3, 4)                                                                 \
    do(2, 1, 1) do(2, 1, 2) do(2, 1, 3) do(2, 1, 4) do(2, 1, 5) do(2, 1, 6)                                         \
    do(2, 2, 1) do(2, 2, 2) do(2, 2, 3) do(2, 3, 1) do(2, 3, 2)
#  define DW_EVERY_16(do) do(1, 2, 7) do(1, 2, 8) do(1, 3, 5) do(2, 1, 7) do(2, 1, 8) do(2, 2, 4)
#  if VSUMS == 28
#    define DW_LIST(do) DW_EVERY(do) DW_EVERY_16(do)                                                                \
    do(1, 3, 6) do(1, 3, 7) do(1, 3, 8) do(2, 2, 5) do(2, 2, 6) do(2, 2, 7) do(2, 3, 3) do(2, 3, 4)
#  elif VSUMS == 16
#    define DW_LIST(do) DW_EVERY(do) DW_EVERY_16(do)
#  else
#    define DW_LIST(do) DW_EVERY(do)
#  endif
#endif
DW_LIST(DW_TILE)
/* [nv - 1][rows - 1][mr - 1]; NULL where there are too many sums for the registers */
static FN(dw_tile_fn) *const FN(dw_tiles)[2][DW_ROWS][DW_MOST] = { DW_LIST(DW_NAME) };
#undef DW_TILE
#undef DW_NAME
#undef DW_LIST
#undef DW_EVERY
#undef DW_EVERY_16

/* Whether there is a tile for these. */
static int FN(dw_has)(fnn_size nv, fnn_size rows, fnn_size mr)
{
    return nv * rows * mr <= DW_SUMS && FN(dw_tiles)[nv - 1][rows - 1][mr - 1] != NULL;
}

/* All sums of `nv` vectors of filters over a band: `lines` rows of S taps, x_step apart in x. Tiles
 * of up to DW_ROWS rows by a piece of the S taps. */
static void FN(dw_lines)(fnn_size nv, fnn_size lines, fnn_size S, const FN(dw_sums) *all)
{
    const fnn_size pieces = fnn_ceil_div(S, DW_MOST), widest = fnn_ceil_div(S, pieces);
    FN(dw_sums) sums = *all;
    if (nv == 2 && !FN(dw_has)(2, 1, widest)) {
        FN(dw_lines)(1, lines, S, &sums);
        sums.out += sums.out_half;
        sums.dy += sums.dy_half;
        FN(dw_lines)(1, lines, S, &sums);
        return;
    }
    fnn_size most = 1;
    while (most < DW_ROWS && FN(dw_has)(nv, most + 1, widest))
        most++;
    const fnn_size blocks = fnn_ceil_div(lines, most);
    for (fnn_size piece = 0; piece < pieces; piece++) {
        const fnn_size s = piece * S / pieces, mr = (piece + 1) * S / pieces - s;
        for (fnn_size block = 0; block < blocks; block++) {
            const fnn_size line = block * lines / blocks, rows = (block + 1) * lines / blocks - line;
            sums.out = all->out + (line * S + s) * VL;
            sums.x = all->x + line * all->x_step + s;
            FN(dw_tiles)[nv - 1][rows - 1][mr - 1](&sums);
        }
    }
}

/* frame[i][j] = plane[top + i][left + j], 0 outside the plane of H x W */
static void FN(dw_frame)(REAL *restrict frame, fnn_size rows, fnn_size columns, const REAL *restrict plane, fnn_size H,
                         fnn_size W, fnn_size top, fnn_size left)
{
    const fnn_size j0 = fnn_min(fnn_max(-left, 0), columns), j1 = fnn_max(j0, fnn_min(W - left, columns));
    for (fnn_size i = 0; i < rows; i++, frame += columns) {
        if (top + i < 0 || top + i >= H) {
            memset(frame, 0, columns * sizeof(REAL));
            continue;
        }
        const fnn_size from = (top + i) * W + left;     /* of what is left of the plane: below 0 */
        for (fnn_size j = 0; j < j0; j++) frame[j] = 0;
        for (fnn_size j = j0; j < j1; j++) frame[j] = plane[from + j];
        for (fnn_size j = j1; j < columns; j++) frame[j] = 0;
    }
}

/* Blocks of channels x filters x images of dw, or of a partial sum of it. */
static void FN(conv_taps_dw_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const conv_args *args = ctx;
    const fnn_window *g = args->g;
    const conv_dw_cut cut = args->blocks;
    const taps_band most = taps_cut_bands(g, cut.images);
    const fnn_size taps = conv_taps(g), RS = g->R * g->S, Kg = g->K / g->G, Cg = g->C / g->G;
    const fnn_size HW = g->H * g->W, PQ = g->P * g->Q;
    const fnn_size halves = fnn_ceil_div(cut.filters, VL), channels_most = cut.rows / RS;
    REAL *sums = fnn_scratch_alloc(halves * cut.rows * VL * sizeof(REAL));
    REAL *dy_lanes = fnn_scratch_alloc(halves * most.images * most.rows * most.columns * VL * sizeof(REAL));
    REAL *frames = fnn_scratch_alloc(most.images * channels_most * most.frame_rows * most.frame_columns * sizeof(REAL));
    for (fnn_size item = begin; item < end; item++) {
        fnn_size rest = item;
        const fnn_size cb = rest % cut.row_blocks; rest /= cut.row_blocks;
        const fnn_size kb = rest % cut.filter_blocks; rest /= cut.filter_blocks;
        const fnn_size h = rest % g->G, ib = rest / g->G;
        const fnn_size c0 = cb * channels_most, channels = fnn_min(channels_most, Cg - c0);
        const fnn_size sums_half = channels * RS * VL;
        const fnn_size k0 = h * Kg + kb * cut.filters, filters = fnn_min(cut.filters, Kg - kb * cut.filters);
        const fnn_size n_end = fnn_min((ib + 1) * cut.images, g->N);
        int add = 0;                                /* whether there are sums to add to */
        /* the sum over images and outputs, band by band */
        for (fnn_size n0 = ib * cut.images; n0 < n_end; n0 += most.images)
            for (fnn_size p0 = 0; p0 < g->P; p0 += most.rows)
                for (fnn_size q0 = 0; q0 < g->Q; q0 += most.columns) {
                    FN(dw_band) band = { fnn_min(most.images, n_end - n0), fnn_min(most.rows, g->P - p0),
                                         fnn_min(most.columns, g->Q - q0), 0, 0 };
                    const fnn_size pixels = band.images * band.rows * band.columns;
                    /* dy of the band, VL filters at a time; rows that are whole at once */
                    for (fnn_size l = 0; l < filters; l += VL)
                        for (fnn_size n = 0; n < band.images; n++)
                            for (fnn_size p = 0; p < (band.columns == g->Q ? 1 : band.rows); p++)
                                FN(interleave)(dy_lanes + (l * pixels) + (n * band.rows + p) * band.columns * VL,
                                               (const REAL *)args->dy + ((n0 + n) * g->K + k0 + l) * PQ
                                               + (p0 + p) * g->Q + q0,
                                               PQ, fnn_min(VL, filters - l),
                                               band.columns == g->Q ? band.rows * g->Q : band.columns);
                    /* what it sees of x: in place, or in frames if some of that is padding */
                    const fnn_size top = p0 * g->sh - g->ph, left = q0 * g->sw - g->pw;
                    const fnn_size frame_rows = (band.rows - 1) * g->sh + g->dh * (g->R - 1) + 1;
                    const fnn_size frame_columns = (band.columns - 1) * g->sw + g->S;
                    /* x[n0, c0, :, :] */
                    const REAL *x = (const REAL *)args->x + (n0 * g->C + h * Cg + c0) * HW;
                    FN(dw_view) view = { frames, frame_columns, frame_rows * frame_columns,
                                         channels * frame_rows * frame_columns };
                    if (top >= 0 && left >= 0 && top + frame_rows <= g->H && left + frame_columns <= g->W)
                        view = (FN(dw_view)){ x + top * g->W + left, g->W, HW, g->C * HW };
                    else
                        for (fnn_size n = 0; n < band.images; n++)
                            for (fnn_size c = 0; c < channels; c++)
                                FN(dw_frame)(frames + n * view.image + c * view.channel, frame_rows, frame_columns,
                                             x + (n * g->C + c) * HW, g->H, g->W, top, left);
                    band.line = g->sh * view.pitch;
                    band.image = view.image;
                    FN(dw_sums) here = { .out_step = g->S * VL, .out_half = sums_half,
                                         .x_step = g->R == 1 ? view.channel : g->dh * view.pitch, .step = g->sw,
                                         .dy_half = pixels * VL, .band = &band, .add = add };
                    /* the sums: two vectors of filters at a time (doubles: one), by channels */
                    for (fnn_size l = 0; l < filters; l += 2 * VL) {
                        const fnn_size nv = filters - l > VL && !REAL_IS_F64 ? 2 : 1;
                        for (fnn_size half = 0; half < fnn_min(2, fnn_ceil_div(filters - l, VL)); half += nv) {
                            here.out = sums + (l / VL + half) * sums_half;
                            here.dy = dy_lanes + (l / VL + half) * pixels * VL;
                            here.x = view.x;
                            if (g->R == 1)          /* channels are the rows of a tile */
                                FN(dw_lines)(nv, channels, g->S, &here);
                            else
                                for (fnn_size c = 0; c < channels; c++) {
                                    FN(dw_lines)(nv, g->R, g->S, &here);
                                    here.out += RS * VL;
                                    here.x += view.channel;
                                }
                        }
                    }
                    add = 1;
                }
        for (fnn_size l = 0; l < filters; l += VL)  /* dw[k0 + l, c0, 0, 0] of partial sum ib */
            FN(deinterleave)((REAL *)args->out + (ib * g->K + k0 + l) * taps + c0 * RS, taps, sums + l / VL * sums_half,
                             fnn_min(VL, filters - l), channels * RS, -(REAL)INFINITY);
    }
    fnn_scratch_free(frames);
    fnn_scratch_free(dy_lanes);
    fnn_scratch_free(sums);
}
#undef DW_SUMS
