/* pool2d_two.tmpl.h -- windows of 2 x 2 side by side, the usual case: maxima and means, forward and
 * backward. Included by pool2d.tmpl.h.
 *
 * Method     Each pixel belongs to one window, so that all is one pass over the image, two rows at
 *            a time. A row of outputs is cut into strips of POOL_STRIP, whose length is a constant;
 *            the last strip overlaps the one before, which changes nothing. A window's taps are
 *
 *                upper[2q]  upper[2q + 1]         0  1
 *                lower[2q]  lower[2q + 1]         2  3
 *
 *            Tiles are whole rows of outputs, or a part of one.
 */

/* ---- forward --------------------------------------------------------------------------------- */

/* One strip of n outputs (a constant, or not), and if `numbered` (a constant) the numbers of their
 * taps. NaN wins. */
FNN_INLINE void FN(max_strip)(const fnn_size n, const int numbered, REAL *restrict y, REAL *restrict which,
                              const REAL *restrict upper, const REAL *restrict lower)
{
    #pragma omp simd
    for (fnn_size q = 0; q < n; q++) {
        const REAL a = upper[2 * q], b = upper[2 * q + 1], c = lower[2 * q], d = lower[2 * q + 1];
        REAL most = a, tap = 0;
        int take = (b > most) | (b != b);
        most = take ? b : most; tap = take ? 1 : tap;
        take = (c > most) | (c != c);
        most = take ? c : most; tap = take ? 2 : tap;
        take = (d > most) | (d != d);
        most = take ? d : most; tap = take ? 3 : tap;
        y[q] = most;
        if (numbered)
            which[q] = tap;
    }
}

FNN_INLINE void FN(mean_strip)(const fnn_size n, REAL *restrict y, REAL divisor, const REAL *restrict upper,
                               const REAL *restrict lower)
{
    #pragma omp simd
    for (fnn_size q = 0; q < n; q++)
        y[q] = (((upper[2 * q] + upper[2 * q + 1]) + lower[2 * q]) + lower[2 * q + 1]) / divisor;
}

/* Items are tiles. */
static void FN(two_by_two_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const pool_args *args = ctx;
    const fnn_window *g = args->g;
    const fnn_size W = g->W;
    const REAL divisor = (REAL)(args->divisor ? args->divisor : 4);
    REAL *which = fnn_scratch_alloc(args->cut.rows * args->cut.columns * sizeof(REAL));
    for (fnn_size item = begin; item < end; item++) {
        const pool_tile tile = pool_tile_of(&args->cut, item, g->P, g->Q);
        const fnn_size n = tile.columns, start = (tile.plane * g->P + tile.p0) * g->Q + tile.q0;
        /* the rows of outputs, one after the other */
        for (fnn_size row = 0; row < tile.rows; row++) {
            const REAL *upper = (const REAL *)args->in + (tile.plane * g->H + 2 * (tile.p0 + row)) * W + 2 * tile.q0;
            const REAL *lower = upper + W;
            REAL *y = (REAL *)args->out + start + row * g->Q, *which_row = which + row * n;
            if (n < POOL_STRIP) {
                if (args->is_mean) FN(mean_strip)(n, y, divisor, upper, lower);
                else FN(max_strip)(n, 1, y, which_row, upper, lower);
                continue;
            }
            /* the columns, a strip at a time */
            for (fnn_size q = 0; q < n; q += POOL_STRIP) {
                q = fnn_min(q, n - POOL_STRIP);     /* the last strip overlaps the one before */
                if (args->is_mean) FN(mean_strip)(POOL_STRIP, y + q, divisor, upper + 2 * q, lower + 2 * q);
                else if (args->tap_out)
                    FN(max_strip)(POOL_STRIP, 1, y + q, which_row + q, upper + 2 * q, lower + 2 * q);
                else FN(max_strip)(POOL_STRIP, 0, y + q, which_row + q, upper + 2 * q, lower + 2 * q);
            }
        }
        if (args->tap_out)
            FN(pool_to_bytes)(args->tap_out + start, which, tile.rows * n);
    }
    fnn_scratch_free(which);
}

/* ---- backward -------------------------------------------------------------------------------- */

/* forward was  y = x[tap]  so  dx[tap] = dy, and 0 elsewhere */
FNN_INLINE void FN(max_back_strip)(const fnn_size n, REAL *restrict upper, REAL *restrict lower,
                                   const REAL *restrict dy, const REAL *restrict which)
{
    #pragma omp simd
    for (fnn_size q = 0; q < n; q++) {
        upper[2 * q] = which[q] == 0 ? dy[q] : 0;
        upper[2 * q + 1] = which[q] == 1 ? dy[q] : 0;
    }
    #pragma omp simd
    for (fnn_size q = 0; q < n; q++) {
        lower[2 * q] = which[q] == 2 ? dy[q] : 0;
        lower[2 * q + 1] = which[q] == 3 ? dy[q] : 0;
    }
}

/* forward was  y = sum / d  so  dx = dy / d */
FNN_INLINE void FN(mean_back_strip)(const fnn_size n, REAL *restrict upper, REAL *restrict lower,
                                    const REAL *restrict dy, REAL divisor)
{
    #pragma omp simd
    for (fnn_size q = 0; q < n; q++)
        upper[2 * q] = upper[2 * q + 1] = lower[2 * q] = lower[2 * q + 1] = dy[q] / divisor;
}

/* Items are tiles. */
static void FN(two_by_two_backward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const pool_args *args = ctx;
    const fnn_window *g = args->g;
    const fnn_size W = g->W;
    const REAL divisor = (REAL)(args->divisor ? args->divisor : 4);
    REAL *which = fnn_scratch_alloc(args->cut.rows * args->cut.columns * sizeof(REAL));
    for (fnn_size item = begin; item < end; item++) {
        const pool_tile tile = pool_tile_of(&args->cut, item, g->P, g->Q);
        const fnn_size n = tile.columns, start = (tile.plane * g->P + tile.p0) * g->Q + tile.q0;
        if (args->tap)
            FN(pool_from_bytes)(which, args->tap + start, tile.rows * n);
        /* the rows of dy, one after the other, and two rows of dx for each */
        for (fnn_size row = 0; row < tile.rows; row++) {
            const REAL *dy = (const REAL *)args->in + start + row * g->Q, *which_row = which + row * n;
            REAL *dx = (REAL *)args->out + (tile.plane * g->H + 2 * (tile.p0 + row)) * W;
            REAL *upper = dx + 2 * tile.q0, *lower = upper + W;
            if (n < POOL_STRIP) {
                if (args->tap) FN(max_back_strip)(n, upper, lower, dy, which_row);
                else FN(mean_back_strip)(n, upper, lower, dy, divisor);
            }
            /* the columns, a strip at a time */
            for (fnn_size q = 0; n >= POOL_STRIP && q < n; q += POOL_STRIP) {
                q = fnn_min(q, n - POOL_STRIP);
                if (args->tap) FN(max_back_strip)(POOL_STRIP, upper + 2 * q, lower + 2 * q, dy + q, which_row + q);
                else FN(mean_back_strip)(POOL_STRIP, upper + 2 * q, lower + 2 * q, dy + q, divisor);
            }
            /* columns and rows that no window sees */
            for (fnn_size j = 2 * g->Q; tile.q0 == 0 && j < W; j++)
                dx[j] = dx[W + j] = 0;
        }
        if (tile.q0 == 0 && tile.p0 + tile.rows == g->P)
            memset((REAL *)args->out + (tile.plane * g->H + 2 * g->P) * W, 0, (g->H - 2 * g->P) * W * sizeof(REAL));
    }
    fnn_scratch_free(which);
}
