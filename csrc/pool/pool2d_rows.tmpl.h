/* pool2d_rows.tmpl.h -- the largest value of each window, first down, then across. Included by
 * pool2d.tmpl.h.
 *
 * Math       most[j] = max over r of x[p*sh - ph + r*dh, j],    y[p,q] = max over s of most[q*sw - pw + s*dw]
 * Method     A row of outputs takes R comparisons for each column of the image and S for each
 *            output, not R*S for each output, and down the columns every load is a whole vector:
 *            only the one row that they leave is sorted into frames, by the remainder of its
 *            columns. name[j] is the number r*S of the first tap that is the largest of its column,
 *            so that the window's tap is the least name[j] + s of those columns that reach the
 *            window's maximum: the first of equals.
 *            Comparisons pass NaN over: where a tile of windows sees one, its maxima are found tap
 *            by tap.
 * Layout     most and name: a row of the image with its padding, where most is -infinity and name
 *            is POOL_NONE.
 */

/* most[j] = the largest of a[j], b[j], c[j], of which there are `rows` (a constant), and name[j] =
 * first, first + each or first + 2 each, the first of them that it is. With `more` both go on from
 * what they hold. nan[j] = 1 if a NaN was among them; `seen`: a was asked before. */
FNN_INLINE void FN(max_down_strip)(const fnn_size n, const int rows, const int more, const int seen,
                                   REAL *restrict most, REAL *restrict name,
                                   REAL *restrict nan, const REAL *restrict a, const REAL *restrict b,
                                   const REAL *restrict c, REAL first, REAL each)
{
    #pragma omp simd
    for (fnn_size j = 0; j < n; j++) {
        REAL m = more ? most[j] : a[j], k = more ? name[j] : first, found = nan[j];
        if (!seen) found = a[j] != a[j] ? (REAL)1 : found;
        if (more) {
            k = a[j] > m ? first : k;
            m = a[j] > m ? a[j] : m;
        }
        if (rows > 1) {
            k = b[j] > m ? first + each : k;
            m = b[j] > m ? b[j] : m;
        }
        if (rows > 2) {
            found = isunordered(b[j], c[j]) ? (REAL)1 : found;
            k = c[j] > m ? first + 2 * each : k;
            m = c[j] > m ? c[j] : m;
        } else if (rows > 1)
            found = b[j] != b[j] ? (REAL)1 : found;
        most[j] = m;
        name[j] = k;
        nan[j] = found;
    }
}

FNN_INLINE void FN(max_down)(const int rows, const int more, const int seen, REAL *most, REAL *name, REAL *nan,
                             const REAL *x, fnn_size step,
                             REAL first, REAL each, fnn_size n)
{
    const REAL *b = x + (rows > 1) * step, *c = b + (rows > 2) * step;
    if (n < POOL_STRIP)
        FN(max_down_strip)(n, rows, more, seen, most, name, nan, x, b, c, first, each);
    else
        for (fnn_size at = 0; at < n; at += POOL_STRIP) {
            at = fnn_min(at, n - POOL_STRIP);       /* the last strip overlaps the one before, which changes nothing */
            FN(max_down_strip)(POOL_STRIP, rows, more, seen, most + at, name + at, nan, x + at, b + at, c + at, first,
                               each);
        }
}

static POOL_APART void FN(max_down_3_seen)(REAL *most, REAL *name, REAL *nan, const REAL *x, fnn_size step, REAL first,
                                           REAL each, fnn_size n)
{
    FN(max_down)(3, 0, 1, most, name, nan, x, step, first, each, n);
}

/* y[q] = the largest of most[q + offset[s]] over s < S (2 or 3, a constant), which[q] = the least
 * name + s of those that are. */
FNN_INLINE void FN(max_across_strip)(const fnn_size n, const int S, REAL *restrict y, REAL *restrict which,
                                     const REAL *restrict a, const REAL *restrict b, const REAL *restrict c,
                                     const REAL *restrict a_name, const REAL *restrict b_name,
                                     const REAL *restrict c_name)
{
    #pragma omp simd
    for (fnn_size q = 0; q < n; q++) {
        REAL m = b[q] > a[q] ? b[q] : a[q];
        if (S > 2) m = c[q] > m ? c[q] : m;
        y[q] = m;
    }
    #pragma omp simd
    for (fnn_size q = 0; q < n; q++) {
        const REAL m = y[q], first = a_name[q], second = b_name[q] + 1, third = c_name[q] + 2;
        REAL w = a[q] == m ? first : POOL_NONE;
        int take = (b[q] == m) & (second < w);
        w = take ? second : w;
        take = (c[q] == m) & (third < w);
        w = S > 2 && take ? third : w;
        which[q] = w;
    }
}

FNN_INLINE void FN(max_across)(const int S, REAL *y, REAL *which, const REAL *most, const REAL *name,
                               const fnn_size *offset, fnn_size n)
{
    const REAL *a = most + offset[0], *b = most + offset[1], *c = most + offset[S - 1];
    const REAL *a_name = name + offset[0], *b_name = name + offset[1], *c_name = name + offset[S - 1];
    if (n < POOL_STRIP)
        FN(max_across_strip)(n, S, y, which, a, b, c, a_name, b_name, c_name);
    else
        for (fnn_size at = 0; at < n; at += POOL_STRIP) {
            at = fnn_min(at, n - POOL_STRIP);
            FN(max_across_strip)(POOL_STRIP, S, y + at, which + at, a + at, b + at, c + at, a_name + at, b_name + at,
                                 c_name + at);
        }
}

static POOL_APART void FN(max_across_3)(REAL *y, REAL *which, const REAL *most, const REAL *name,
                                        const fnn_size *offset, fnn_size n)
{
    FN(max_across)(3, y, which, most, name, offset, n);
}

/* The same for any S, a tap after the other. */
static void FN(max_across_any)(fnn_size S, REAL *restrict y, REAL *restrict which, const REAL *restrict most,
                               const REAL *restrict name,
                               const fnn_size *offset, fnn_size n)
{
    for (fnn_size q = 0; q < n; q++) {
        y[q] = most[q + offset[0]];
        which[q] = name[q + offset[0]];
    }
    for (fnn_size s = 1; s < S; s++) {
        const REAL *restrict v = most + offset[s], *restrict k = name + offset[s];
        for (fnn_size q = 0; q < n; q++) {
            const REAL tap = k[q] + (REAL)s;
            const int take = (v[q] > y[q]) | ((v[q] == y[q]) & (tap < which[q]));
            y[q] = take ? v[q] : y[q];
            which[q] = take ? tap : which[q];
        }
    }
}

/* most and name of columns j0 <= j < j1 of the image, from the taps of output row p. `seen`: row p
 * - 1 came before it. */
static void FN(max_row)(REAL *most, REAL *name, REAL *nan, const REAL *x, const fnn_window *g, fnn_size p, fnn_size j0,
                        fnn_size j1, int seen)
{
    const fnn_size i0 = p * g->sh - g->ph, step = g->dh * g->W, n = j1 - j0;
    const fnn_size r0 = i0 < 0 ? fnn_min(fnn_ceil_div(-i0, g->dh), g->R) : 0;
    const fnn_size r1 = i0 + (g->R - 1) * g->dh < g->H ? g->R : i0 < g->H ? fnn_ceil_div(g->H - i0, g->dh) : 0;
    const REAL each = (REAL)g->S, from = (REAL)r0 * each;
    if (r0 >= r1) {
        FN(pool_fill)(most, n, -(REAL)INFINITY);
        FN(pool_fill)(name, n, POOL_NONE);
        return;
    }
    x += (i0 + r0 * g->dh) * g->W + j0;
    if (r1 - r0 == 3 && seen && g->dh == 1 && g->sh <= 2)
        FN(max_down_3_seen)(most, name, nan, x, step, from, each, n);
    else if (r1 - r0 == 3)
        FN(max_down)(3, 0, 0, most, name, nan, x, step, from, each, n);
    else if (r1 - r0 == 2)
        FN(max_down)(2, 0, 0, most, name, nan, x, step, from, each, n);
    else {
        FN(max_down)(1, 0, 0, most, name, nan, x, step, from, each, n);
        for (fnn_size r = r0 + 1; r < r1; r++)
            FN(max_down)(1, 1, 0, most, name, nan, x + (r - r0) * step, step, (REAL)r * each, each, n);
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

/* Element j of frame b is column (q0 + j) sw + b. Before and after the columns of the image there
 * are margins; the one before is as long as a strip, for alignment. A few rows go down, then the
 * same across: what has just been stored is slow to load at another alignment. */
static void FN(max_rows_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const pool_args *args = ctx;
    const fnn_window *g = args->g;
    const fnn_size sw = g->sw, left = fnn_ceil_div(g->pw, sw), margin = fnn_ceil_div(left, POOL_STRIP) * POOL_STRIP;
    const fnn_size size = fnn_ceil_div(margin + args->cut.columns + pool_right(g) + 1,
                                       POOL_STRIP) * POOL_STRIP, length = size * sw;
    fnn_size offset[POOL_TAPS];
    for (fnn_size s = 0; s < g->S; s++) {
        const fnn_size at = s * g->dw - g->pw + left * sw;
        offset[s] = margin + at % sw * size + at / sw - left;
    }
    REAL *const rows = fnn_scratch_alloc((2 * (POOL_ROWS + 1) * length + args->cut.rows * args->cut.columns)
                                         * sizeof(REAL));
    REAL *const unsorted = rows + 2 * POOL_ROWS * length, *const which = unsorted + 2 * length;
    for (fnn_size item = begin; item < end; item++) {
        const pool_tile tile = pool_tile_of(&args->cut, item, g->P, g->Q);
        const fnn_size first = tile.q0 * sw, n = tile.columns, start = (tile.plane * g->P + tile.p0) * g->Q + tile.q0;
        const REAL *x = (const REAL *)args->in + tile.plane * g->H * g->W;
        const fnn_size before = tile.q0 > 0 ? left : 0, j0 = first - before * sw, from = margin - before;
        const fnn_size elements = fnn_min(before + n + pool_right(g) + 1,
                                          fnn_ceil_div(g->W - j0, sw)), j1 = fnn_min(j0 + elements * sw, g->W);
        REAL *y = (REAL *)args->out + start, nan[POOL_STRIP] = { 0 };
        for (fnn_size k = 0; k <= POOL_ROWS; k++) {         /* what is before and after the image stays */
            FN(pool_fill)(rows + 2 * k * length, length, -(REAL)INFINITY);
            FN(pool_fill)(rows + (2 * k + 1) * length, length, POOL_NONE);
        }
        for (fnn_size i0 = 0; i0 < tile.rows; i0 += POOL_ROWS) {
            const fnn_size i1 = fnn_min(i0 + POOL_ROWS, tile.rows);
            for (fnn_size i = i0; i < i1; i++) {
                REAL *const sorted = rows + 2 * (i - i0) * length;
                REAL *const most = (sw > 1 ? unsorted : sorted) + from * sw, *const name = most + length;
                FN(max_row)(most, name, nan, x, g, tile.p0 + i, j0, j1, i > 0);
                if (sw > 1) {
                    FN(pool_sort)(sorted + from, size, most, sw, elements);
                    FN(pool_sort)(sorted + length + from, size, name, sw, elements);
                }
            }
            for (fnn_size i = i0; i < i1; i++) {
                const REAL *const most = rows + 2 * (i - i0) * length, *const name = most + length;
                if (g->S == 3) FN(max_across_3)(y + i * g->Q, which + i * n, most, name, offset, n);
                else if (g->S == 2) FN(max_across)(2, y + i * g->Q, which + i * n, most, name, offset, n);
                else FN(max_across_any)(g->S, y + i * g->Q, which + i * n, most, name, offset, n);
            }
        }
        REAL found = 0;
        for (fnn_size j = 0; j < POOL_STRIP; j++)
            found += nan[j];
        for (fnn_size i = 0; found != 0 && i < tile.rows; i++)
            for (fnn_size q = 0; q < n; q++)
                which[i * n + q] = (REAL)FN(pool_max_by_hand)(y + i * g->Q + q, x, g, tile.p0 + i, tile.q0 + q);
        if (args->tap_out && n == g->Q)
            FN(pool_to_bytes)(args->tap_out + start, which, tile.rows * n);
        else if (args->tap_out)
            for (fnn_size i = 0; i < tile.rows; i++)
                FN(pool_to_bytes)(args->tap_out + start + i * g->Q, which + i * n, n);
    }
    fnn_scratch_free(rows);
}
