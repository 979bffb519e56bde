/* pool2d_rows.tmpl.h -- maxima of windows of few taps, first down, then across. Included by
 * pool2d.tmpl.h.
 *
 * Math       down      most[j] = max over r of x[p*sh - ph + r*dh, j]
 *            across    y[p,q] = max over s of most[q*sw - pw + s*dw]
 * Method     A row of outputs takes R comparisons for each column of the image and S for each
 *            output, not R*S for each output, and down the columns every load is a whole vector:
 *            only the one row that they leave is sorted into frames (pool2d_frames.tmpl.h), by the
 *            remainder of its columns. number[j] is the number r*S of the first tap that is the
 *            largest of its column, so that the window's tap is the least number[j] + s of those
 *            columns that reach the window's maximum: the first of equals.
 *            Comparisons pass NaN over: where a tile of windows sees one, its maxima are found tap
 *            by tap.
 * Layout     most and number: a row of the image with its padding, where most is -infinity and
 *            number is POOL_NONE. A strip is POOL_STRIP elements of it.
 */

/* ---- down the columns ------------------------------------------------------------------------ */

/* Where a row's maxima go: the numbers of their taps, and whether a NaN was seen */
typedef struct { REAL *restrict most, *restrict number, *restrict nan; } FN(max_row_of);

/* most[j] = the largest of a[j], b[j], c[j], of which there are `rows` (a constant), and number[j]
 * = first, first + each or first + 2 each, the first of them that it is. With `more` both go on
 * from what they hold. nan[j] = 1 if a NaN was among them; `checked`: a needs no check, the row
 * before had it. */
FNN_INLINE void FN(max_down_strip)(const fnn_size n, const int rows, const int more, const int checked,
                                   const FN(max_row_of) to, const REAL *restrict a, const REAL *restrict b,
                                   const REAL *restrict c, REAL first, REAL each)
{
    REAL *most = to.most, *number = to.number, *nan = to.nan;
    #pragma omp simd
    for (fnn_size j = 0; j < n; j++) {
        REAL largest = more ? most[j] : a[j], tap = more ? number[j] : first, found = nan[j];
        if (!checked) found = a[j] != a[j] ? (REAL)1 : found;
        if (more) {
            tap = a[j] > largest ? first : tap;
            largest = r_max(a[j], largest);
        }
        if (rows > 1) {
            tap = b[j] > largest ? first + each : tap;
            largest = r_max(b[j], largest);
        }
        if (rows > 2) {
            found = isunordered(b[j], c[j]) ? (REAL)1 : found;
            tap = c[j] > largest ? first + 2 * each : tap;
            largest = r_max(c[j], largest);
        } else if (rows > 1)
            found = b[j] != b[j] ? (REAL)1 : found;
        most[j] = largest;
        number[j] = tap;
        nan[j] = found;
    }
}

/* The same for n columns, strip by strip; the rows are `step` elements apart from x on. */
FNN_INLINE void FN(max_down)(const int rows, const int more, const int checked, FN(max_row_of) to, const REAL *x,
                             fnn_size step, REAL first, REAL each, fnn_size n)
{
    const REAL *b = x + (rows > 1) * step, *c = b + (rows > 2) * step;
    if (n < POOL_STRIP)
        FN(max_down_strip)(n, rows, more, checked, to, x, b, c, first, each);
    else
        for (fnn_size at = 0; at < n; at += POOL_STRIP) {
            /* the last strip overlaps the one before, which changes nothing */
            at = fnn_min(at, n - POOL_STRIP);
            FN(max_down_strip)(POOL_STRIP, rows, more, checked,
                               (FN(max_row_of)){ to.most + at, to.number + at, to.nan }, x + at, b + at, c + at, first,
                               each);
        }
}

static POOL_APART void FN(max_down_3_checked)(REAL *most, REAL *number, REAL *nan, const REAL *x, fnn_size step,
                                              REAL first, REAL each, fnn_size n)
{
    FN(max_down)(3, 0, 1, (FN(max_row_of)){ most, number, nan }, x, step, first, each, n);
}

/* ---- across the row that is left ------------------------------------------------------------- */

/* y[q] = the largest of most[q + offset[s]] over s < S (2 or 3, a constant), which[q] = the least
 * number + s of those that are. */
FNN_INLINE void FN(max_across_strip)(const fnn_size n, const int S, REAL *restrict y, REAL *restrict which,
                                     const REAL *restrict a, const REAL *restrict b, const REAL *restrict c,
                                     const REAL *restrict a_number, const REAL *restrict b_number,
                                     const REAL *restrict c_number)
{
    #pragma omp simd
    for (fnn_size q = 0; q < n; q++) {
        REAL largest = r_max(b[q], a[q]);
        if (S > 2) largest = r_max(c[q], largest);
        y[q] = largest;
    }
    #pragma omp simd
    for (fnn_size q = 0; q < n; q++) {
        const REAL largest = y[q], first = a_number[q], second = b_number[q] + 1, third = c_number[q] + 2;
        REAL tap = a[q] == largest ? first : POOL_NONE;
        int take = (b[q] == largest) & (second < tap);
        tap = take ? second : tap;
        take = (c[q] == largest) & (third < tap);
        tap = S > 2 && take ? third : tap;
        which[q] = tap;
    }
}

/* n outputs, strip by strip */
FNN_INLINE void FN(max_across)(const int S, REAL *y, REAL *which, const REAL *most, const REAL *number,
                               const fnn_size *offset, fnn_size n)
{
    const REAL *a = most + offset[0], *b = most + offset[1], *c = most + offset[S - 1];
    const REAL *a_number = number + offset[0], *b_number = number + offset[1], *c_number = number + offset[S - 1];
    if (n < POOL_STRIP)
        FN(max_across_strip)(n, S, y, which, a, b, c, a_number, b_number, c_number);
    else
        for (fnn_size at = 0; at < n; at += POOL_STRIP) {
            at = fnn_min(at, n - POOL_STRIP);
            FN(max_across_strip)(POOL_STRIP, S, y + at, which + at, a + at, b + at, c + at, a_number + at,
                                 b_number + at, c_number + at);
        }
}

static POOL_APART void FN(max_across_3)(REAL *y, REAL *which, const REAL *most, const REAL *number,
                                        const fnn_size *offset, fnn_size n)
{
    FN(max_across)(3, y, which, most, number, offset, n);
}

/* The same for any S, one tap after the other. */
static void FN(max_across_any)(fnn_size S, REAL *restrict y, REAL *restrict which, const REAL *restrict most,
                               const REAL *restrict number, const fnn_size *offset, fnn_size n)
{
    for (fnn_size q = 0; q < n; q++) {
        y[q] = most[q + offset[0]];
        which[q] = number[q + offset[0]];
    }
    for (fnn_size s = 1; s < S; s++) {
        const REAL *restrict column = most + offset[s], *restrict column_number = number + offset[s];
        for (fnn_size q = 0; q < n; q++) {
            const REAL tap = column_number[q] + (REAL)s;
            const int take = (column[q] > y[q]) | ((column[q] == y[q]) & (tap < which[q]));
            y[q] = take ? column[q] : y[q];
            which[q] = take ? tap : which[q];
        }
    }
}

/* ---- a tile ---------------------------------------------------------------------------------- */

/* most and number of columns j0 <= j < j1 of the image, from the taps of output row p. `follows`:
 * row p - 1 came before it. */
static void FN(max_row)(REAL *most, REAL *number, REAL *nan, const REAL *x, const fnn_window *g, fnn_size p,
                        fnn_size j0, fnn_size j1, int follows)
{
    const fnn_size i0 = p * g->sh - g->ph, step = g->dh * g->W, n = j1 - j0;
    const fnn_size r0 = i0 < 0 ? fnn_min(fnn_ceil_div(-i0, g->dh), g->R) : 0;
    const fnn_size r1 = i0 + (g->R - 1) * g->dh < g->H ? g->R : i0 < g->H ? fnn_ceil_div(g->H - i0, g->dh) : 0;
    const REAL each = (REAL)g->S, first = (REAL)r0 * each;
    if (r0 >= r1) {
        FN(pool_fill)(most, n, -(REAL)INFINITY);
        FN(pool_fill)(number, n, POOL_NONE);
        return;
    }
    x += (i0 + r0 * g->dh) * g->W + j0;
    const FN(max_row_of) to = { most, number, nan };
    if (r1 - r0 == 3 && follows && g->dh == 1 && g->sh <= 2)
        FN(max_down_3_checked)(most, number, nan, x, step, first, each, n);
    else if (r1 - r0 == 3)
        FN(max_down)(3, 0, 0, to, x, step, first, each, n);
    else if (r1 - r0 == 2)
        FN(max_down)(2, 0, 0, to, x, step, first, each, n);
    else {
        FN(max_down)(1, 0, 0, to, x, step, first, each, n);
        for (fnn_size r = r0 + 1; r < r1; r++)
            FN(max_down)(1, 1, 0, to, x + (r - r0) * step, step, (REAL)r * each, each, n);
    }
}

/* The maximum of one window, tap by tap: its number, or POOL_NONE. */
static int FN(pool_max_by_hand)(REAL *y, const REAL *x, const fnn_window *g, fnn_size p, fnn_size q)
{
    int which = POOL_NONE;
    REAL most = -(REAL)INFINITY;
    for (fnn_size r = 0; r < g->R; r++)
        for (fnn_size s = 0; s < g->S; s++) {
            const fnn_size i = p * g->sh - g->ph + r * g->dh, j = q * g->sw - g->pw + s * g->dw;
            if (i < 0 || i >= g->H || j < 0 || j >= g->W) continue;
            const REAL v = x[i * g->W + j];
            if (which == POOL_NONE || v > most || v != v) {
                which = (int)(r * g->S + s);
                most = v;
            }
        }
    *y = most;
    return which;
}

/* All maxima of a tile so: y, and their numbers in which */
static void FN(pool_tile_by_hand)(REAL *y, REAL *which, const REAL *x, const fnn_window *g, const pool_tile *tile)
{
    for (fnn_size row = 0; row < tile->rows; row++)
        for (fnn_size q = 0; q < tile->columns; q++)
            which[row * tile->columns + q] =
                (REAL)FN(pool_max_by_hand)(y + row * g->Q + q, x, g, tile->p0 + row, tile->q0 + q);
}

/* How most and number lie, of one row of outputs of a tile. Both are sw frames of `size` elements,
 * `length` in all. In frame b, element margin + j is column (q0 + j) sw + b of the image. */
typedef struct {
    fnn_size left;                  /* elements of a frame that the padding on the left takes */
    fnn_size margin;                /* the same in whole strips, for alignment */
    fnn_size size, length;
    fnn_size offset[POOL_TAPS];     /* [s]: output q sees element q + offset[s] */
} FN(max_layout);

static void FN(max_layout_of)(FN(max_layout) *layout, const pool_args *args)
{
    const fnn_window *g = args->g;
    const fnn_size sw = g->sw, left = fnn_ceil_div(g->pw, sw), margin = fnn_ceil_div(left, POOL_STRIP) * POOL_STRIP;
    layout->left = left;
    layout->margin = margin;
    layout->size = fnn_ceil_div(margin + args->cut.columns + pool_right(g) + 1, POOL_STRIP) * POOL_STRIP;
    layout->length = layout->size * sw;
    for (fnn_size s = 0; s < g->S; s++) {
        /* the column that output 0 sees, from where the padding begins */
        const fnn_size column = s * g->dw - g->pw + left * sw;
        layout->offset[s] = margin + column % sw * layout->size + column / sw - left;
    }
}

/* What the windows of a tile see: columns [j0, j1) of the image, which are `elements` elements of
 * each frame from element `from` on. */
typedef struct { fnn_size j0, j1, from, elements; } FN(max_seen);

static FN(max_seen) FN(max_sees)(const FN(max_layout) *layout, const fnn_window *g, const pool_tile *tile)
{
    /* left of the tile's own columns there is padding, or another tile */
    const fnn_size before = tile->q0 > 0 ? layout->left : 0, j0 = (tile->q0 - before) * g->sw;
    const fnn_size elements = fnn_min(before + tile->columns + pool_right(g) + 1, fnn_ceil_div(g->W - j0, g->sw));
    return (FN(max_seen)){ j0, fnn_min(j0 + elements * g->sw, g->W), layout->margin - before, elements };
}

/* most and number of output row p, one behind the other in `sorted`: down the columns, and then
 * into frames. unsorted: room for the same. */
static void FN(max_row_sorted)(REAL *sorted, REAL *unsorted, const FN(max_layout) *layout, const FN(max_seen) *seen,
                               REAL *nan, const REAL *x, const fnn_window *g, fnn_size p, int follows)
{
    const fnn_size sw = g->sw, from = seen->from;
    REAL *const most = (sw > 1 ? unsorted : sorted) + from * sw, *const number = most + layout->length;
    FN(max_row)(most, number, nan, x, g, p, seen->j0, seen->j1, follows);
    if (sw > 1) {
        FN(pool_sort)(sorted + from, layout->size, most, sw, seen->elements);
        FN(pool_sort)(sorted + layout->length + from, layout->size, number, sw, seen->elements);
    }
}

/* n outputs of a row, and their numbers, from most and from number behind it */
static void FN(max_row_across)(REAL *y, REAL *which, const REAL *most, const FN(max_layout) *layout, fnn_size S,
                               fnn_size n)
{
    const REAL *const number = most + layout->length;
    if (S == 3) FN(max_across_3)(y, which, most, number, layout->offset, n);
    else if (S == 2) FN(max_across)(2, y, which, most, number, layout->offset, n);
    else FN(max_across_any)(S, y, which, most, number, layout->offset, n);
}

/* Items are tiles. A few rows go down, then the same across: what has just been stored is slow to
 * load at another alignment. */
static void FN(max_rows_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const pool_args *args = ctx;
    const fnn_window *g = args->g;
    FN(max_layout) layout;
    FN(max_layout_of)(&layout, args);
    const fnn_size both = 2 * layout.length;          /* most and number of a row of outputs */
    REAL *const room = fnn_scratch_alloc(((POOL_ROWS + 1) * both + args->cut.rows * args->cut.columns) * sizeof(REAL));
    REAL *const unsorted = room + POOL_ROWS * both, *const which = unsorted + both;
    for (fnn_size item = begin; item < end; item++) {
        const pool_tile tile = pool_tile_of(&args->cut, item, g->P, g->Q);
        const FN(max_seen) seen = FN(max_sees)(&layout, g, &tile);
        const fnn_size n = tile.columns, start = (tile.plane * g->P + tile.p0) * g->Q + tile.q0;
        const REAL *x = (const REAL *)args->in + tile.plane * g->H * g->W;
        REAL *y = (REAL *)args->out + start, nan[POOL_STRIP] = { 0 }, found = 0;
        for (fnn_size nth = 0; nth <= POOL_ROWS; nth++) {   /* what is beside the image stays */
            FN(pool_fill)(room + nth * both, layout.length, -(REAL)INFINITY);
            FN(pool_fill)(room + nth * both + layout.length, layout.length, POOL_NONE);
        }
        /* the rows of outputs, POOL_ROWS at a time: all of them down, then all across */
        for (fnn_size row0 = 0; row0 < tile.rows; row0 += POOL_ROWS) {
            const fnn_size row1 = fnn_min(row0 + POOL_ROWS, tile.rows);
            for (fnn_size row = row0; row < row1; row++)
                FN(max_row_sorted)(room + (row - row0) * both, unsorted, &layout, &seen, nan, x, g, tile.p0 + row,
                                   row > 0);
            for (fnn_size row = row0; row < row1; row++)
                FN(max_row_across)(y + row * g->Q, which + row * n, room + (row - row0) * both, &layout, g->S, n);
        }
        for (fnn_size j = 0; j < POOL_STRIP; j++)
            found += nan[j];
        if (found != 0)
            FN(pool_tile_by_hand)(y, which, x, g, &tile);
        if (args->tap_out && n == g->Q)
            FN(pool_to_bytes)(args->tap_out + start, which, tile.rows * n);
        else if (args->tap_out)
            for (fnn_size row = 0; row < tile.rows; row++)
                FN(pool_to_bytes)(args->tap_out + start + row * g->Q, which + row * n, n);
    }
    fnn_scratch_free(room);
}
