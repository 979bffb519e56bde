/* winograd_error.tmpl.h -- what Winograd must notice, so that a result is as exact as a direct sum
 * over its own window, whatever stands beside that window. Included by winograd.tmpl.h.
 *
 * Why        A transform adds up all pixels of a tile, and the output transform cancels what an
 *            output does not see. So a tile's rounding errors go by its largest pixels and weights,
 *            and an output that sees only small ones would drown in them. docs/kernels/winograd.md
 *            has numbers.
 * y, dx      A window is faint where its pixels, in absolute value and over all channels, add up to
 *            less than 1/WINO_FAINT of those of the tile. A tile with a faint window is summed
 *            directly, and so is one in which a pixel outweighs all others; a window of zeros gives
 *            the bias. A filter is lopsided where one weight outweighs all others, or those that an
 *            output at a padded edge uses are faint: it is convolved by columns.
 * dw         A channel of x, or of dy, is lopsided where the edge, which some taps do not see,
 *            outweighs the rest. Its weights are summed directly.
 * Cost       Each is noticed from sums of what is in registers anyway, in less than 1 % of the
 *            instructions; the sums decide whether anything is looked at a second time.
 */

/* ---- y, dx: faint windows -------------------------------------------------------------------- */

/* Where the pixels of an image begin in args->sums: `row` is its first row of tiles in the band. */
FNN_INLINE fnn_size FN(wino_sums_at)(const FN(wino_args) *args, fnn_size row)
{
    const fnn_size images = row / args->cut.down - args->row / args->cut.down;
    return ((row - args->row) * WINO_OUT + images * 2) * args->g->W;
}

static fnn_size FN(wino_sums_step)(const fnn_window *g, wino_cut cut) { return cut.rows * WINO_IN * g->W; }

/* The least number of pixels that a window sees, along an axis: fewer than 3 at a padded edge. */
static fnn_size FN(wino_seen)(fnn_size H, fnn_size P, fnn_size ph)
{
    return fnn_max(0, fnn_min(fnn_min(3, H), fnn_min(3 - ph, H - P + 1 + ph)));
}

/* The note of tile (i, j) of an image. sums: of |x| over channels, for its rows of pixels from
 * `first` to `last` */
static wino_note FN(wino_note_tile)(const fnn_window *g, const REAL *sums, fnn_size first, fnn_size last, fnn_size i,
                                    fnn_size j)
{
    const fnn_size rows = fnn_min(WINO_OUT, g->P - i * WINO_OUT), columns = fnn_min(WINO_OUT, g->Q - j * WINO_OUT);
    const fnn_size top = i * WINO_OUT - g->ph, left = j * WINO_OUT - g->pw;
    REAL along[WINO_IN][WINO_OUT] = { { 0 } };                  /* sums of three pixels along a row */
    REAL whole = 0, most = 0, rest = 0;             /* sum of the tile; its largest pixel, and the sum of the others */
    wino_note note = { 0, 0 };
    for (fnn_size a = fnn_max(0, first - top); a < fnn_min(rows + 2, last - top); a++)
        for (fnn_size b = fnn_max(0, -left); b < fnn_min(columns + 2, g->W - left); b++) {
            const REAL sum = sums[(top + a - first) * g->W + left + b];
            whole += sum;
            rest += sum > most ? most : sum;
            most = sum > most ? sum : most;
            for (fnn_size q = fnn_max(0, b - 2); q <= fnn_min(b, columns - 1); q++)
                along[a][q] += sum;
        }
    for (fnn_size p = 0; p < rows; p++)
        for (fnn_size q = 0; q < columns; q++) {
            const REAL window = along[p][q] + along[p + 1][q] + along[p + 2][q];
            if (window == 0 && whole > 0)
                note.empty |= (uint16_t)(1 << (p * WINO_OUT + q));
            else if (!(window * WINO_FAINT >= whole))           /* NaN too */
                note.direct = 1;
        }
    if (rest > 0 && rest * WINO_FAINT < most)
        note.direct = 1;
    return note;
}

/* The notes of a band, from `slices` of the sums over channels. Where all pixels are of one size no
 * tile is looked at. */
static void FN(wino_find_faint)(const FN(wino_args) *args, fnn_size slices)
{
    const fnn_window *g = args->g;
    const fnn_size H = g->H, W = g->W, down = args->cut.down, across = args->cut.across;
    const fnn_size seen = FN(wino_seen)(H, g->P, g->ph) * FN(wino_seen)(W, g->Q, g->pw);
    for (fnn_size row = args->row, next; row < args->row_end; row = next) {
        const fnn_size i_begin = row % down, i_end = fnn_min(down, i_begin + args->row_end - row);
        const fnn_size first = fnn_max(0, i_begin * WINO_OUT - g->ph);
        const fnn_size last = fnn_max(first, fnn_min(H, i_end * WINO_OUT + 2 - g->ph)), pixels = (last - first) * W;
        REAL *restrict sums = args->sums + FN(wino_sums_at)(args, row);
        for (fnn_size slice = 1; slice < slices; slice++) {
            const REAL *restrict more = sums + slice * args->sums_step;
            for (fnn_size p = 0; p < pixels; p++)
                sums[p] += more[p];
        }
        REAL least = (REAL)INFINITY, most = 0, all = 0;
        #pragma omp simd reduction(min : least) reduction(max : most) reduction(+ : all)
        for (fnn_size p = 0; p < pixels; p++) {
            least = sums[p] < least ? sums[p] : least;
            most = sums[p] > most ? sums[p] : most;
            all += sums[p];
        }
        if (!(least * (REAL)(WINO_FAINT * seen) >= most * (WINO_IN * WINO_IN)) || all - all != 0)
            for (fnn_size i = i_begin; i < i_end; i++)
                for (fnn_size j = 0; j < across; j++)
                    args->notes[(row + i - i_begin) * across + j] = FN(wino_note_tile)(g, sums, first, last, i, j);
        next = row + i_end - i_begin;
    }
}

/* ---- y, dx: lopsided filters ----------------------------------------------------------------- */

/* Which of the three taps along an axis see the image from output p, as bits. */
static int FN(wino_taps_seen)(fnn_size H, fnn_size ph, fnn_size p)
{
    int seen = 0;
    for (int r = 0; r < 3; r++)
        seen |= (p - ph + r >= 0 && p - ph + r < H) << r;
    return seen;
}

/* The absolute sum of n outputs, `step` apart */
FNN_INLINE vec FN(wino_line)(const REAL *pixels, fnn_size step, fnn_size n)
{
    vec sum = v_set(0);
#pragma GCC unroll 4
    for (fnn_size i = 0; i < n; i++)
        sum += v_abs(v_load(pixels + i * step * VL));
    return sum;
}

/* Whether outputs along a padded edge are so small, beside what they were computed from, that it
 * may be the weights: of VL filters in row i of tiles. pixels: the outputs of that row. products:
 * its tiles' at the points (1, 1), to which all weights contribute. */
static int FN(wino_edge_is_faint)(const FN(wino_args) *args, const REAL *pixels, const REAL *products, fnn_size i)
{
    const fnn_size Q = args->g->Q, p0 = i * WINO_OUT, rows = fnn_min(WINO_OUT, args->g->P - p0);
    const wino_edges down = args->edges_down, across = args->edges_across;
    vec least = v_set((REAL)INFINITY), all = v_set(0);
    for (fnn_size p = fnn_max(p0, down.first); p < fnn_min(p0 + rows, down.before); p++)
        least = v_min(FN(wino_line)(pixels + (p - p0) * Q * VL, 1, Q), least);
    for (fnn_size p = fnn_max(p0, down.after); p < fnn_min(p0 + rows, down.last); p++)
        least = v_min(FN(wino_line)(pixels + (p - p0) * Q * VL, 1, Q), least);
    if (rows > 2 || args->g->P <= 2) {              /* too few say nothing */
        for (fnn_size q = across.first; q < across.before; q++)
            least = v_min(FN(wino_line)(pixels + q * VL, Q, rows), least);
        for (fnn_size q = across.after; q < across.last; q++)
            least = v_min(FN(wino_line)(pixels + q * VL, Q, rows), least);
    }
#pragma GCC unroll 4
    for (fnn_size tile = 0; tile < args->cut.across; tile++)
        all += v_abs(v_load(products + tile * WINO_NR));
    return !(v_hmax(all - least * v_set(WINO_HINT)) <= 0);
}

/* Whether an output at a padded edge uses only small weights of filter k, or one weight outweighs
 * all others: by squares, of all channels. */
static int FN(wino_is_lopsided)(const REAL *w, fnn_size k, int flipped, const fnn_window *g)
{
    double squares[9] = { 0 }, all = 0, most = 0, rest = 0;
    for (fnn_size c = 0; c < g->C; c++) {
        const REAL *taps = w + (flipped ? c * g->K + k : k * g->C + c) * 9;
        for (int tap = 0; tap < 9; tap++) {
            const double square = (double)taps[tap] * (double)taps[tap];
            squares[flipped ? 8 - tap : tap] += square;
            all += square;
            rest += square > most ? most : square;
            most = square > most ? square : most;
        }
    }
    if (rest > 0 && rest * WINO_LOPSIDED < most)
        return 1;
    for (fnn_size p = 0; p < g->P; p = p == 2 && g->P > 5 ? g->P - 2 : p + 1)   /* those at the edges */
        for (fnn_size q = 0; q < g->Q; q = q == 2 && g->Q > 5 ? g->Q - 2 : q + 1) {
            const int down = FN(wino_taps_seen)(g->H, g->ph, p), across = FN(wino_taps_seen)(g->W, g->pw, q);
            double seen = 0;
            for (int tap = 0; tap < 9; tap++)
                seen += down >> tap / 3 & across >> tap % 3 & 1 ? squares[tap] : 0;
            if (down && across && seen * WINO_LOPSIDED < all)
                return 1;
        }
    return 0;
}

/* Which of the filters that were hinted at are lopsided: found[k]. Returns how many. */
static fnn_size FN(wino_find_lopsided)(const FN(wino_args) *args, char *found)
{
    const fnn_window *g = args->g;
    const fnn_size rows = g->N * args->cut.down, panels = fnn_ceil_div(g->K, WINO_NR);
    fnn_size count = 0;
    memset(found, 0, g->K);
    if (!memchr(args->hints, 1, rows * panels))
        return 0;
    for (fnn_size row = 0; row < rows; row++)
        for (fnn_size panel = 0; panel < panels; panel++)
            args->hints[panel] |= args->hints[row * panels + panel];
    for (fnn_size k = 0; k < g->K; k++) {
        found[k] = args->hints[k / WINO_NR] && FN(wino_is_lopsided)(args->w, k, args->flipped, g);
        count += found[k];
    }
    return count;
}

/* ---- y, dx: direct sums ---------------------------------------------------------------------- */

/* cols[(c,r,s)][tile][16] of `count` tiles of an image: what im2col.tmpl.h makes, of these tiles */
static void FN(wino_columns)(REAL *cols, const REAL *x, const fnn_size *tiles, fnn_size count, fnn_size across,
                             const fnn_window *g)
{
    const fnn_size H = g->H, W = g->W;
    for (fnn_size row = 0; row < g->C * 9; row++, x += row % 9 ? 0 : H * W)
        for (fnn_size t = 0; t < count; t++, cols += WINO_OUT * WINO_OUT) {
            const fnn_size i = tiles[t] / across * WINO_OUT - g->ph + row % 9 / 3;
            const fnn_size j = tiles[t] % across * WINO_OUT - g->pw + row % 3;
            for (fnn_size p = 0; p < WINO_OUT; p++)
                for (fnn_size q = 0; q < WINO_OUT; q++) {
                    const int inside = i + p >= 0 && i + p < H && j + q >= 0 && j + q < W;
                    cols[p * WINO_OUT + q] = inside ? x[(i + p) * W + j + q] : 0;
                }
        }
}

/* Images [begin, end): tiles that are to be summed directly, by columns and a matrix product; and
 * outputs whose windows are zeros, which are the bias. */
static void FN(wino_direct_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(wino_args) *args = ctx;
    const fnn_window *g = args->g;
    const fnn_size taps = g->C * 9, P = g->P, Q = g->Q, across = args->cut.across, all = args->cut.down * across;
    const fnn_size outputs = WINO_OUT * WINO_OUT, filters = fnn_min(g->K, WINO_DIRECT_FILTERS);
    const fnn_size most = fnn_max(1, WINO_DIRECT / (outputs * fnn_max(taps, filters)));        /* tiles at a time */
    REAL *cols = fnn_scratch_alloc(taps * most * outputs * sizeof(REAL));
    REAL *sums = fnn_scratch_alloc(filters * most * outputs * sizeof(REAL));
    fnn_size *tiles = fnn_scratch_alloc(most * sizeof(fnn_size));
    for (fnn_size n = begin; n < end; n++) {
        const wino_note *notes = args->notes + n * all;
        for (fnn_size tile = 0; tile < all; tile++)
            for (fnn_size at = 0; notes[tile].empty && at < outputs; at++)
                for (fnn_size k = 0; notes[tile].empty >> at & 1 && k < g->K; k++) {
                    const REAL bias = args->bias ? args->bias[k] : 0;
                    args->y[((n * g->K + k) * P + tile / across * WINO_OUT + at / WINO_OUT) * Q
                            + tile % across * WINO_OUT + at % WINO_OUT] = args->least > bias ? args->least : bias;
                }
        for (fnn_size tile = 0, count = 0; tile < all; tile++) {
            if (notes[tile].direct)
                tiles[count++] = tile;
            if (count == 0 || (count < most && tile + 1 < all))
                continue;
            FN(wino_columns)(cols, args->x + n * g->C * g->H * g->W, tiles, count, across, g);
            for (fnn_size k0 = 0; k0 < g->K; k0 += filters) {
                const fnn_size some = fnn_min(filters, g->K - k0);
                FN(gemm)(sums, count * outputs, args->w + k0 * taps, taps, 1, cols, count * outputs, 1,
                         args->bias ? args->bias + k0 : NULL, NULL, some, count * outputs, taps,
                         args->least == 0 ? FNN_GEMM_RELU : 0);
                for (fnn_size k = 0; k < some; k++)
                    for (fnn_size t = 0; t < count; t++) {
                        const fnn_size p0 = tiles[t] / across * WINO_OUT, q0 = tiles[t] % across * WINO_OUT;
                        for (fnn_size p = p0; p < fnn_min(P, p0 + WINO_OUT); p++)
                            memcpy(args->y + ((n * g->K + k0 + k) * P + p) * Q + q0,
                                   sums + (k * count + t) * outputs + (p - p0) * WINO_OUT,
                                   fnn_min(WINO_OUT, Q - q0) * sizeof(REAL));
                    }
            }
            count = 0;
        }
    }
    fnn_scratch_free(cols);
}

/* ---- dw: lopsided channels ------------------------------------------------------------------- */

/* The elements along an axis that all three taps see: [*from, *to) of a row of x, or of dy. */
static void FN(wino_inner)(fnn_size H, fnn_size P, fnn_size ph, int of_dy, fnn_size *from, fnn_size *to)
{
    *from = fnn_max(0, of_dy ? ph : 2 - ph);
    *to = of_dy ? fnn_min(P, H + ph - 2) : fnn_min(H, P - ph);
}

/* Rows [i, i_end) of VL channels side by side, into their tally. pixels begins at row `first`. */
static void FN(wino_tally)(REAL *tally, const REAL *pixels, fnn_size first, fnn_size i, fnn_size i_end,
                           const fnn_window *g, int of_dy)
{
    const fnn_size W = of_dy ? g->Q : g->W;
    fnn_size top, bottom, left, right;
    FN(wino_inner)(g->H, g->P, g->ph, of_dy, &top, &bottom);
    FN(wino_inner)(g->W, g->Q, g->pw, of_dy, &left, &right);
    if (top == 0 && left == 0 && bottom == (of_dy ? g->P : g->H) && right == W)
        return;                                     /* all taps see everything */
    vec inner = v_load(tally + WINO_INNER * VL), outer = v_load(tally + WINO_OUTER * VL);
    for (; i < i_end; i++) {
        const REAL *row = pixels + (i - first) * W * VL;
        if (i < top || i >= bottom || left >= right) {
            outer += FN(wino_line)(row, 1, W);
            continue;
        }
        outer += FN(wino_line)(row, 1, left) + FN(wino_line)(row + right * VL, 1, W - right);
        if (i % WINO_OUT == 1)                      /* a sample will do */
            inner += FN(wino_line)(row + left * VL, 1, right - left);
    }
    v_store(tally + WINO_INNER * VL, inner);
    v_store(tally + WINO_OUTER * VL, outer);
}

/* Whether in a channel the edge outweighs all that every tap sees. */
static int FN(wino_outweighs)(const REAL *x, fnn_size channel, fnn_size channels, const fnn_window *g, int of_dy)
{
    const fnn_size H = of_dy ? g->P : g->H, W = of_dy ? g->Q : g->W;
    fnn_size top, bottom, left, right;
    double inner = 0, outer = 0;
    FN(wino_inner)(g->H, g->P, g->ph, of_dy, &top, &bottom);
    FN(wino_inner)(g->W, g->Q, g->pw, of_dy, &left, &right);
    for (fnn_size n = 0; n < g->N; n++)
        for (fnn_size i = 0; i < H; i++)
            for (fnn_size j = 0; j < W; j++) {
                const double value = x[((n * channels + channel) * H + i) * W + j], size = value < 0 ? -value : value;
                *(i >= top && i < bottom && j >= left && j < right ? &inner : &outer) += size;
            }
    return inner * WINO_FAINT < outer;
}

/* Which of the channels of x, or of dy, are lopsided: found[channel]. Returns how many. A tally
 * that is suspicious is only a reason to look at the channel itself. */
static fnn_size FN(wino_find_lopsided_channels)(char *found, const REAL *tallies, fnn_size step, fnn_size parts,
                                                const REAL *x, fnn_size channels, const fnn_window *g, int of_dy)
{
    fnn_size count = 0;
    for (fnn_size c = 0; c < channels; c++) {
        const REAL *tally = tallies + c / VL * WINO_TALLIES * VL + c % VL;
        REAL inner = 0, outer = 0;
        for (fnn_size part = 0; part < parts; part++, tally += step) {
            inner += tally[WINO_INNER * VL];
            outer += tally[WINO_OUTER * VL];
        }
        found[c] = inner * (WINO_FAINT / 2) < outer && FN(wino_outweighs)(x, c, channels, g, of_dy);
        count += found[c];
    }
    return count;
}

typedef struct {
    REAL *dw;
    const REAL *dy, *x;
    const char *channels, *filters;                 /* which of them are lopsided */
    const fnn_window *g;
} FN(wino_direct_dw_args);

/* Channels [begin, end): dw by columns, of all filters, or of those that are lopsided */
static void FN(wino_direct_dw_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(wino_direct_dw_args) *args = ctx;
    const fnn_window *g = args->g;
    const fnn_size C = g->C, K = g->K, PQ = g->P * g->Q, most = fnn_min(PQ, WINO_DIRECT_OUTPUTS);
    REAL *cols = fnn_scratch_alloc(9 * most * sizeof(REAL));
    for (fnn_size c = begin; c < end; c++) {
        if (!args->channels[c] && !memchr(args->filters, 1, K))
            continue;
        for (fnn_size n = 0; n < g->N; n++)
            for (fnn_size q0 = 0; q0 < PQ; q0 += most) {
                const fnn_size width = fnn_min(most, PQ - q0), filters = args->channels[c] ? K : 1;
                FN(im2col)(cols, width, args->x + n * C * g->H * g->W, g, c * 9, c * 9 + 9, q0, q0 + width);
                for (fnn_size k = 0; k < K; k += filters)
                    if (filters == K || args->filters[k])       /* forward was  y = w . cols */
                        FN(gemm)(args->dw + (k * C + c) * 9, C * 9, args->dy + (n * K + k) * PQ + q0, PQ, 1, cols, 1,
                                 width, NULL, NULL, filters, 9, width, n + q0 > 0 ? FNN_GEMM_ADD : 0);
            }
    }
    fnn_scratch_free(cols);
}
