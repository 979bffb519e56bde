/* winograd_error.tmpl.h -- what Winograd must notice in y and dx, so that a result is as exact as a
 * direct sum over its own window, whatever stands beside that window. For dw:
 * winograd_error_dw.tmpl.h. Included by winograd.tmpl.h.
 *
 * Symbols    winograd.tmpl.h, winograd_error.h; i, j: a pixel of an image
 * Why        A transform adds up all pixels of a tile, and the output transform cancels what an
 *            output does not see. So a tile's rounding errors go by its largest pixels and weights,
 *            and an output that sees only small ones would drown in them. docs/kernels/winograd.md
 *            has numbers.
 * Method     A window is faint where its pixels, in absolute value and over all channels, add up to
 *            less than 1/WINO_FAINT of those of the tile. A tile with a faint window is summed
 *            directly, and so is one in which a pixel outweighs all others; a window of zeros gives
 *            the bias. A filter is lopsided where one weight outweighs all others, or those that an
 *            output at a padded edge uses are faint: it is convolved by columns.
 * Cost       Each is noticed from sums of what is in registers anyway; the sums decide whether
 *            anything is looked at a second time.
 */

/* ---- faint windows --------------------------------------------------------------------------- */

/* Where the pixels of an image begin in args->sums: `row` is its first row of tiles in the band.
 * The tiles of each image before it have seen two rows of pixels more than they have outputs. */
FNN_INLINE fnn_size FN(wino_sums_at)(const FN(wino_args) *args, fnn_size row)
{
    const fnn_size images = row / args->cut.down - args->row / args->cut.down;
    return ((row - args->row) * WINO_OUT + images * 2) * args->g->W;
}

static fnn_size FN(wino_sums_step)(const fnn_window *g, wino_cut cut) { return cut.rows * WINO_IN * g->W; }

/* The least number of pixels that a window sees, along an axis: fewer than 3 at a padded edge. */
static fnn_size FN(wino_least_seen)(fnn_size H, fnn_size P, fnn_size ph)
{
    return fnn_max(0, fnn_min(fnn_min(3, H), fnn_min(3 - ph, H - P + 1 + ph)));
}

/* The note of tile (ti, tj) of an image. sums: of |x| over channels, for its rows of pixels [first,
 * last) */
static wino_note FN(wino_note_tile)(const fnn_window *g, const REAL *sums, fnn_size first, fnn_size last, fnn_size ti,
                                    fnn_size tj)
{
    const fnn_size rows = fnn_min(WINO_OUT, g->P - ti * WINO_OUT), columns = fnn_min(WINO_OUT, g->Q - tj * WINO_OUT);
    const fnn_size top = ti * WINO_OUT - g->ph, left = tj * WINO_OUT - g->pw;
    REAL along[WINO_IN][WINO_OUT] = { { 0 } };              /* sums of three pixels along a row */
    /* sum of the tile; its largest pixel, and the sum of the others, added up by themselves: in the
     * difference of whole and largest they would be lost */
    REAL whole = 0, largest = 0, rest = 0, faintest = (REAL)INFINITY, smallest = (REAL)INFINITY;
    wino_note note = { 0 };
    for (fnn_size di = fnn_max(0, first - top); di < fnn_min(rows + 2, last - top); di++)
        for (fnn_size dj = fnn_max(0, -left); dj < fnn_min(columns + 2, g->W - left); dj++) {
            const REAL sum = sums[(top + di - first) * g->W + left + dj];
            whole += sum;
            rest += r_min(largest, sum);
            largest = r_max(sum, largest);
            smallest = r_min(sum, smallest);
            for (fnn_size q = fnn_max(0, dj - 2); q <= fnn_min(dj, columns - 1); q++)
                along[di][q] += sum;
        }
    for (fnn_size p = 0; p < rows; p++)
        for (fnn_size q = 0; q < columns; q++) {
            const REAL window = along[p][q] + along[p + 1][q] + along[p + 2][q];
            if (window == 0 && whole > 0)
                note.empty |= (uint16_t)(1 << (p * WINO_OUT + q));
            else if (!(window * WINO_FAINT >= whole))           /* NaN too */
                note.direct = 1;
            else
                faintest = r_min(window, faintest);
        }
    if (rest > 0 && rest * WINO_FAINT < largest)
        note.direct = 1;
    note.window = (float)(whole / faintest), note.pixel = (float)(whole / smallest);
    return note;
}

/* The notes of a band, from `slices` of the sums over channels. Where all pixels are of one size no
 * tile is looked at. */
static void FN(wino_find_faint)(const FN(wino_args) *args, fnn_size slices)
{
    const fnn_window *g = args->g;
    const fnn_size H = g->H, W = g->W, down = args->cut.down, across = args->cut.across;
    const fnn_size least_seen = FN(wino_least_seen)(H, g->P, g->ph) * FN(wino_least_seen)(W, g->Q, g->pw);
    for (fnn_size row = args->row, next; row < args->row_end; row = next) {
        const fnn_size ti_begin = row % down, ti_end = fnn_min(down, ti_begin + args->row_end - row);
        const fnn_size first = fnn_max(0, ti_begin * WINO_OUT - g->ph);
        const fnn_size last = fnn_max(first, fnn_min(H, ti_end * WINO_OUT + 2 - g->ph)), pixels = (last - first) * W;
        REAL *restrict sums = args->sums + FN(wino_sums_at)(args, row);
        for (fnn_size slice = 1; slice < slices; slice++) {
            const REAL *restrict more = sums + slice * args->sums_step;
            for (fnn_size pixel = 0; pixel < pixels; pixel++)
                sums[pixel] += more[pixel];
        }
        REAL smallest = (REAL)INFINITY, largest = 0, all = 0;
        #pragma omp simd reduction(min : smallest) reduction(max : largest) reduction(+ : all)
        for (fnn_size pixel = 0; pixel < pixels; pixel++) {
            smallest = r_min(sums[pixel], smallest);
            largest = r_max(sums[pixel], largest);
            all += sums[pixel];
        }
        const int even = smallest * (REAL)(WINO_FAINT * least_seen) >= largest * (WINO_IN * WINO_IN) && all - all == 0;
        const float most = largest > 0 ? WINO_IN * WINO_IN * (float)(largest / smallest) : 0;
        const wino_note of_all = { 0, 0, most / (float)fnn_max(1, least_seen), most };
        for (fnn_size ti = ti_begin; ti < ti_end; ti++)
            for (fnn_size tj = 0; tj < across; tj++)
                args->notes[(row + ti - ti_begin) * across + tj] =
                    even ? of_all : FN(wino_note_tile)(g, sums, first, last, ti, tj);
        next = row + ti_end - ti_begin;
    }
}

/* ---- lopsided filters ------------------------------------------------------------------------ */

/* Where the squares of panel kb of filters, channels from c0 on, are in args->squares. */
static REAL *FN(wino_squares_at)(const FN(wino_args) *args, fnn_size kb, fnn_size c0)
{
    return args->squares + (c0 / WINO_CHANNELS * fnn_ceil_div(args->g->K, WINO_NR) + kb) * 9 * WINO_NR;
}

/* For each tap the sum of the squares of its weights over channels; of VL filters, side by side:
 * taps[channel][9][VL]. */
static void FN(wino_weigh)(REAL *to, const REAL *taps, fnn_size channels, int flipped)
{
    vec squares[9] = { 0 };
    for (fnn_size c = 0; c < channels; c++, taps += 9 * VL) {
#pragma GCC unroll 9
        for (int tap = 0; tap < 9; tap++)
            squares[tap] += v_load(taps + tap * VL) * v_load(taps + tap * VL);
    }
#pragma GCC unroll 9
    for (int tap = 0; tap < 9; tap++)
        v_store(to + (flipped ? 8 - tap : tap) * WINO_NR, squares[tap]);
}

/* Which of the three taps along an axis see the image from output p, as bits. */
static int FN(wino_taps_seen)(fnn_size H, fnn_size ph, fnn_size p)
{
    int seen = 0;
    for (int r = 0; r < 3; r++)
        seen |= (p - ph + r >= 0 && p - ph + r < H) << r;
    return seen;
}

/* The ways in which outputs along an axis see these taps, one bit each: bit 6 if some output sees
 * taps 1 and 2 only. */
static int FN(wino_ways_to_see)(fnn_size H, fnn_size P, fnn_size ph)
{
    int ways = 0;
    for (fnn_size p = 0; p < P; p++)
        ways |= 1 << FN(wino_taps_seen)(H, ph, p);
    return ways;
}

/* The views of a filter: which of its taps see the image, as bits r * 3 + s, from outputs that miss
 * some of it. Returns how many there are. */
static int FN(wino_find_views)(int views[WINO_VIEWS], const fnn_window *g)
{
    const int ways_down = FN(wino_ways_to_see)(g->H, g->P, g->ph);
    const int ways_across = FN(wino_ways_to_see)(g->W, g->Q, g->pw);
    int count = 0;
    /* a way down by a way across: 0 sees no tap, 7 all three */
    for (int rows = 1; rows < 8; rows++)
        for (int columns = 1; columns < 8; columns++)
            if (ways_down >> rows & ways_across >> columns & 1 && (rows & columns) != 7) {
                int view = 0;
                for (int tap = 0; tap < 9; tap++)
                    view |= (rows >> tap / 3 & columns >> tap % 3 & 1) << tap;
                views[count++] = view;
            }
    return count;
}

/* The squares of the taps of filter k, summed over channels in double precision. */
static void FN(wino_square_taps)(double squares[9], const FN(wino_args) *args, fnn_size k)
{
    const fnn_window *g = args->g;
    memset(squares, 0, 9 * sizeof(double));
    for (fnn_size c = 0; c < g->C; c++) {
        const REAL *taps = args->w + (args->flipped ? c * g->K + k : k * g->C + c) * 9;
        for (int tap = 0; tap < 9; tap++)
            squares[args->flipped ? 8 - tap : tap] += (double)taps[tap] * (double)taps[tap];
    }
}

/* Whether an output at a padded edge uses only small weights of filter k, or one weight outweighs
 * all others: by squares, of all channels. */
static int FN(wino_is_lopsided)(const FN(wino_args) *args, fnn_size k, const int *views, int view_count)
{
    const fnn_window *g = args->g;
    double squares[9], all = 0, largest = 0, rest = 0;
    FN(wino_square_taps)(squares, args, k);
    for (fnn_size c = 0; c < g->C; c++) {
        const REAL *taps = args->w + (args->flipped ? c * g->K + k : k * g->C + c) * 9;
        for (int tap = 0; tap < 9; tap++) {
            const double square = (double)taps[tap] * (double)taps[tap];
            all += square;
            rest += fnn_min_double(largest, square);
            largest = fnn_max_double(square, largest);
        }
    }
    int lopsided = rest > 0 && rest * WINO_LOPSIDED < largest;
    for (int nth = 0; nth < view_count; nth++) {
        double seen = 0;
        for (int tap = 0; tap < 9; tap++)
            seen += views[nth] >> tap & 1 ? squares[tap] : 0;
        lopsided |= seen * WINO_LOPSIDED < all;
    }
    return lopsided;
}

/* Which filters are lopsided: found[k]. Returns how many. The squares, rounded and perhaps out of
 * range, are only a reason to look at the filter itself: where those of one tap outweigh all other
 * taps', or those that an edge sees are faint. */
static fnn_size FN(wino_find_lopsided)(const FN(wino_args) *args, char *found)
{
    const fnn_window *g = args->g;
    int views[WINO_VIEWS];
    const int view_count = FN(wino_find_views)(views, g);
    fnn_size count = 0;
    for (fnn_size k0 = 0; k0 < g->K; k0 += VL) {
        vec squares[9] = { 0 }, all = v_set(0), largest = v_set(0);
        for (fnn_size c0 = 0; c0 < g->C; c0 += WINO_CHANNELS)
            for (int tap = 0; tap < 9; tap++)
                squares[tap] += v_load(FN(wino_squares_at)(args, k0 / WINO_NR, c0) + tap * WINO_NR + k0 % WINO_NR);
        for (int tap = 0; tap < 9; tap++) {
            all += squares[tap];
            largest = v_max(squares[tap], largest);
        }
        vec faintest = all - largest;
        for (int nth = 0; nth < view_count; nth++) {
            vec seen = v_set(0);
            for (int tap = 0; tap < 9; tap++)
                if (views[nth] >> tap & 1)
                    seen += squares[tap];
            faintest = v_min(seen, faintest);
        }
        REAL alls[VL], faintests[VL];               /* the same, filter by filter */
        v_store(alls, all), v_store(faintests, faintest);
        for (fnn_size k = k0, lane = 0; lane < VL && k < g->K; lane++, k++) {
            const int balanced = faintests[lane] * (WINO_LOPSIDED / 2) >= alls[lane]
                              && alls[lane] > (REAL)WINO_SQUARES_LEAST && alls[lane] - alls[lane] == 0;
            found[k] = !balanced && FN(wino_is_lopsided)(args, k, views, view_count);
            count += found[k];
        }
    }
    return count;
}

/* The weights of the taps of filter k, as shares, to to[tap * WINO_NR]: in double precision, where
 * squares may be out of range. Ones if the filter is all zeros, or not wanted. */
static void FN(wino_share_taps)(REAL *to, const FN(wino_args) *args, fnn_size k, int wanted)
{
    double taps[9] = { 0 }, all = 0;
    if (wanted)
        FN(wino_square_taps)(taps, args, k);
    for (int tap = 0; tap < 9; tap++) {
        taps[tap] = sqrt(taps[tap]);
        all += taps[tap];
    }
    for (int tap = 0; tap < 9; tap++)
        to[tap * WINO_NR] = all > 0 ? (REAL)(taps[tap] / all) : 1;
}

/* The squares of the first block of channels become shares: the norm of each tap over all channels,
 * by the sum of the nine norms. Lopsided filters and zeros get ones, and so no output drowns by
 * them. Returns the least of the others: of a tap, and of the taps that an output sees. */
static wino_shares FN(wino_share_filters)(const FN(wino_args) *args, const char *lopsided)
{
    const fnn_window *g = args->g;
    int views[WINO_VIEWS];
    const int view_count = FN(wino_find_views)(views, g);
    vec tap_least = v_set(1), view_least = v_set(1);
    for (fnn_size k0 = 0; k0 < g->K; k0 += VL) {
        REAL *to = FN(wino_squares_at)(args, k0 / WINO_NR, 0) + k0 % WINO_NR, alls[VL] = { 0 };
        for (int tap = 0; tap < 9; tap++) {
            vec square = v_load(to + tap * WINO_NR);
            for (fnn_size c0 = WINO_CHANNELS; c0 < g->C; c0 += WINO_CHANNELS)
                square += v_load(FN(wino_squares_at)(args, k0 / WINO_NR, c0) + tap * WINO_NR + k0 % WINO_NR);
            v_store(to + tap * WINO_NR, square);
            for (fnn_size lane = 0; lane < VL; lane++) {
                to[tap * WINO_NR + lane] = r_sqrt(to[tap * WINO_NR + lane]);
                alls[lane] += to[tap * WINO_NR + lane];
            }
        }
        const vec scale = v_set(1) / v_load(alls);
        for (int tap = 0; tap < 9; tap++)
            v_store(to + tap * WINO_NR, v_load(to + tap * WINO_NR) * scale);
        for (fnn_size lane = 0; lane < VL; lane++) {
            const int wanted = k0 + lane < g->K && !lopsided[k0 + lane];
            if (!wanted || !(alls[lane] > (REAL)WINO_NORMS_LEAST && alls[lane] < (REAL)WINO_NORMS_MOST))
                FN(wino_share_taps)(to + lane, args, k0 + lane, wanted);
        }
        for (int tap = 0; tap < 9; tap++)
            tap_least = v_min(v_load(to + tap * WINO_NR), tap_least);
        for (int nth = 0; nth < view_count; nth++) {
            vec seen = v_set(0);
            for (int tap = 0; tap < 9; tap++)
                if (views[nth] >> tap & 1)
                    seen += v_load(to + tap * WINO_NR);
            view_least = v_min(seen, view_least);
        }
    }
    return (wino_shares){ (float)-v_hmax(-tap_least), (float)-v_hmax(-view_least) };
}

/* ---- outputs that drown ---------------------------------------------------------------------- */

/* Whether an output of a tile of image n drowns: the sum over taps of its weights times its pixels,
 * each a share of all, for all filters. Windows of zeros do not count. */
static int FN(wino_drowns)(const FN(wino_args) *args, fnn_size n, fnn_size tile, unsigned empty)
{
    const fnn_window *g = args->g;
    const fnn_size H = g->H, W = g->W, p0 = tile / args->cut.across * WINO_OUT, q0 = tile % args->cut.across * WINO_OUT;
    const fnn_size rows = fnn_min(WINO_OUT, g->P - p0), columns = fnn_min(WINO_OUT, g->Q - q0);
    double sums[WINO_IN][WINO_IN] = { { 0 } }, all = 0;
    for (fnn_size c = 0; c < g->C; c++) {
        const REAL *x = args->x + (n * g->C + c) * H * W;
        for (fnn_size di = fnn_max(0, g->ph - p0); di < fnn_min(rows + 2, H + g->ph - p0); di++)
            for (fnn_size dj = fnn_max(0, g->pw - q0); dj < fnn_min(columns + 2, W + g->pw - q0); dj++) {
                const double pixel = (double)r_abs(x[(p0 - g->ph + di) * W + q0 - g->pw + dj]);
                sums[di][dj] += pixel;
                all += pixel;
            }
    }
    for (fnn_size p = 0; p < rows; p++)
        for (fnn_size q = 0; q < columns; q++) {
            vec least = v_set(1);
            for (fnn_size k = 0; !(empty >> (p * WINO_OUT + q) & 1) && k < g->K; k += VL) {
                const REAL *weights = FN(wino_squares_at)(args, k / WINO_NR, 0) + k % WINO_NR;
                vec own = v_set(0);
                for (int tap = 0; tap < 9; tap++)
                    own += v_load(weights + tap * WINO_NR) * v_set((REAL)(sums[p + tap / 3][q + tap % 3] / all));
                least = v_min(own, least);
            }
            if (!(v_hmax(-least) * WINO_DROWN <= -1))
                return 1;
        }
    return 0;
}

typedef struct { const FN(wino_args) *args; wino_shares filters; } FN(wino_drown_args);

/* Tiles [begin, end) of all images: those where an output may drown are looked at. An output's
 * share is at least its window's times the smallest tap's, and at least the smallest pixel's times
 * that of the taps that it sees. */
static void FN(wino_drown_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(wino_drown_args) *drown = ctx;
    const FN(wino_args) *args = drown->args;
    const fnn_window *g = args->g;
    const fnn_size across = args->cut.across, all = args->cut.down * across;
    for (fnn_size tile = begin; tile < end; tile++) {
        wino_note *note = args->notes + tile;
        if (note->direct || note->window <= WINO_DROWN * drown->filters.tap
            || note->pixel <= WINO_DROWN * drown->filters.view)
            continue;
        const fnn_size top = tile % all / across * WINO_OUT - g->ph, left = tile % across * WINO_OUT - g->pw;
        const int inside = top >= 0 && left >= 0 && top + WINO_IN <= g->H && left + WINO_IN <= g->W;
        if (note->pixel > WINO_DROWN * (inside ? 1 : drown->filters.view))
            note->direct = (uint16_t)FN(wino_drowns)(args, tile / all, tile % all, note->empty);
    }
}

/* ---- direct sums ----------------------------------------------------------------------------- */

/* cols[(c,r,s)][tile][16] of `count` tiles of an image: what im2col.tmpl.h makes, of these tiles */
static void FN(wino_columns)(REAL *cols, const REAL *x, const fnn_size *tiles, fnn_size count, fnn_size across,
                             const fnn_window *g)
{
    const fnn_size H = g->H, W = g->W;
    for (fnn_size c = 0; c < g->C; c++, x += H * W)
        for (fnn_size tap = 0; tap < 9; tap++)
            for (fnn_size t = 0; t < count; t++, cols += WINO_OUT * WINO_OUT) {
                /* what the tile's first output sees */
                const fnn_size i = tiles[t] / across * WINO_OUT - g->ph + tap / 3;
                const fnn_size j = tiles[t] % across * WINO_OUT - g->pw + tap % 3;
                for (fnn_size p = 0; p < WINO_OUT; p++)
                    for (fnn_size q = 0; q < WINO_OUT; q++) {
                        const int inside = i + p >= 0 && i + p < H && j + q >= 0 && j + q < W;
                        cols[p * WINO_OUT + q] = inside ? x[(i + p) * W + j + q] : 0;
                    }
            }
}

/* y of image n where a window of the tile is all zeros: the bias */
static void FN(wino_put_bias)(const FN(wino_args) *args, fnn_size n, fnn_size tile, unsigned empty)
{
    const fnn_window *g = args->g;
    const fnn_size p0 = tile / args->cut.across * WINO_OUT, q0 = tile % args->cut.across * WINO_OUT;
    for (fnn_size pq = 0; pq < WINO_OUT * WINO_OUT; pq++)
        for (fnn_size k = 0; empty >> pq & 1 && k < g->K; k++)
            args->y[((n * g->K + k) * g->P + p0 + pq / WINO_OUT) * g->Q + q0 + pq % WINO_OUT] =
                r_max(args->least, args->bias ? args->bias[k] : 0);
}

/* y[n, k, :, :] of `count` tiles from their sums [tile][16], which those at the edges have too many
 * of */
static void FN(wino_put_tiles)(const FN(wino_args) *args, fnn_size n, fnn_size k, const REAL *sums,
                               const fnn_size *tiles, fnn_size count)
{
    const fnn_window *g = args->g;
    for (fnn_size t = 0; t < count; t++, sums += WINO_OUT * WINO_OUT) {
        const fnn_size p0 = tiles[t] / args->cut.across * WINO_OUT, q0 = tiles[t] % args->cut.across * WINO_OUT;
        for (fnn_size p = p0; p < fnn_min(g->P, p0 + WINO_OUT); p++)
            memcpy(args->y + ((n * g->K + k) * g->P + p) * g->Q + q0, sums + (p - p0) * WINO_OUT,
                   fnn_min(WINO_OUT, g->Q - q0) * sizeof(REAL));
    }
}

/* Images [begin, end): tiles that are to be summed directly, by columns and a matrix product, some
 * at a time; and outputs whose windows are zeros. */
static void FN(wino_direct_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(wino_args) *args = ctx;
    const fnn_window *g = args->g;
    const fnn_size taps = g->C * 9, across = args->cut.across, all = args->cut.down * across;
    const fnn_size outputs = WINO_OUT * WINO_OUT, filters = fnn_min(g->K, WINO_DIRECT_FILTERS);
    /* tiles at a time */
    const fnn_size most = fnn_grain(WINO_DIRECT, outputs * fnn_max(taps, filters));
    REAL *cols = fnn_scratch_alloc(taps * most * outputs * sizeof(REAL));
    REAL *sums = fnn_scratch_alloc(filters * most * outputs * sizeof(REAL));
    fnn_size *tiles = fnn_scratch_alloc(most * sizeof(fnn_size));
    for (fnn_size n = begin; n < end; n++) {
        const wino_note *notes = args->notes + n * all;
        for (fnn_size tile = 0; tile < all; tile++)
            if (notes[tile].empty)
                FN(wino_put_bias)(args, n, tile, notes[tile].empty);
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
                    FN(wino_put_tiles)(args, n, k0 + k, sums + k * count * outputs, tiles, count);
            }
            count = 0;
        }
    }
    fnn_scratch_free(cols);                         /* and what was allocated after it */
}
