/* pool2d_three.tmpl.h -- maxima of windows of 3 x 3 that move by 2, in registers, and their
 * gradient. Included by pool2d.tmpl.h.
 *
 * Math       with columns counted from the middle of the row's first window:
 *            down    d[j] = max over r of x[2p - ph + r, j]
 *            across  y[q] = max(d[2q - 1], d[2q], d[2q + 1])
 * Method     Two vectors of d are sorted into even and odd columns, and the odd ones are moved by
 *            one: three shuffles for VL outputs. The tap goes the same way as a rank, 255 less its
 *            number: among equals the first has the highest.
 *            Rows that a window at the edge does not see are the last that it does see, once more,
 *            which changes nothing. Only a row's last vector checks which columns are inside the
 *            image.
 *            Backward, a vector of dx is gathered from the vectors of dy whose windows see it, and
 *            written once.
 *            A row's last vector runs over into the next row, which is written after it, so that no
 *            width is special. The last rows of a tile, after which another thread's may follow, go
 *            through a buffer.
 *            Comparisons pass NaN over. A sum on the side, which is NaN if one is among the rows
 *            (or infinities of both signs are), says so, and the row is done again tap by tap.
 */

/* Elements of whole vectors that hold n. */
FNN_INLINE fnn_size FN(whole_vectors)(fnn_size n) { return fnn_ceil_div(n, VL) * VL; }

/* ---- forward --------------------------------------------------------------------------------- */

/* The largest of a, b and c by element, and its rank: 6 for a, 3 for b, 0 for c. */
FNN_INLINE vec FN(three_down)(const int ranked, vec *rank, vec a, vec b, vec c)
{
    const vec two = v_max(b, a);
    if (ranked)
        *rank = (vec)((c <= two) & (ivec)(v_set(3) + (vec)((b <= a) & (ivec)v_set(3))));
    return v_max(c, two);
}

/* The largest across, and the highest rank of those that are it. */
FNN_INLINE vec FN(three_across)(const int ranked, vec *rank, vec a, vec b, vec c, vec rank_a, vec rank_b, vec rank_c)
{
    const vec most = v_max(c, v_max(b, a));
    if (ranked)
        *rank = v_max(v_max((vec)((ivec)rank_a & (a == most)), (vec)((ivec)rank_b & (b == most))),
                      (vec)((ivec)rank_c & (c == most)));
    return most;
}

/* d, but minus infinity in the columns from `inside` on */
FNN_INLINE vec FN(three_inside)(vec d, fnn_size inside)
{
    REAL column[VBYTES / sizeof(REAL)];
    for (fnn_size j = 0; j < VL; j++)
        column[j] = (REAL)j;
    return v_choose(v_load(column) < v_set((REAL)inside), d, v_set(-(REAL)INFINITY));
}

/* A row of outputs whose windows see rows a, b and c of the image, given from the middle of the
 * first window on; if `ranked` (a constant) the numbers of their taps, too: the lowest rank that a
 * window here can have says where its rows begin. Returns a number that is NaN if b or c holds one.
 * The three pointers are arguments, not a structure: what has just been stored in pieces is slow to
 * load at once. */
FNN_INLINE REAL FN(three_row)(const int ranked, REAL *y, REAL *which, const REAL *a, const REAL *b, const REAL *c,
                              const fnn_window *g, REAL lowest_rank)
{
    const fnn_size n = g->Q, inside = g->W - 1 + g->pw;
    const vec last = v_set(lowest_rank), lowest = v_set(-(REAL)INFINITY);
    vec before = lowest, before_rank = v_set(0), sum = v_set(0);
    if (g->pw == 0) {
        const vec a1 = v_set(a[-1]), b1 = v_set(b[-1]), c1 = v_set(c[-1]);
        before = FN(three_down)(ranked, &before_rank, a1, b1, c1);
        sum = b1 + c1;
    }
    /* the row, VL outputs at a time: two vectors of each row of the image */
    for (fnn_size q = 0; q < n; q += VL) {
        for (fnn_size j = 0; j < 2 * VL; j += fnn_max(64 / (fnn_size)sizeof(REAL), VL)) {
            FNN_PREFETCH(b, 2 * q + j + POOL_AHEAD, 0, 3);
            FNN_PREFETCH(c, 2 * q + j + POOL_AHEAD, 0, 3);
        }
        const vec a0 = v_load(a + 2 * q), b0 = v_load(b + 2 * q), c0 = v_load(c + 2 * q);
        const vec a1 = v_load(a + 2 * q + VL), b1 = v_load(b + 2 * q + VL), c1 = v_load(c + 2 * q + VL);
        vec rank0 = last, rank1 = last, rank = last;
        vec d0 = FN(three_down)(ranked, &rank0, a0, b0, c0), d1 = FN(three_down)(ranked, &rank1, a1, b1, c1);
        sum += (b0 + b1) + (c0 + c1);
        if (q + VL >= n) {
            d0 = FN(three_inside)(d0, inside - 2 * q);
            d1 = FN(three_inside)(d1, inside - 2 * q - VL);
        }
        const vec right = v_odds(d0, d1), right_rank = v_odds(rank0, rank1);
        v_store(y + q, FN(three_across)(ranked, &rank, v_after(before, right), v_evens(d0, d1), right,
                                        v_after(before_rank, right_rank) + last + v_set(2),
                                        v_evens(rank0, rank1) + last + v_set(1), right_rank + last));
        if (ranked)
            v_store(which + q, v_set(POOL_NONE) - rank);
        before = right;
        before_rank = right_rank;
    }
    return v_sum(sum);
}

static POOL_APART REAL FN(three_row_with_taps)(REAL *y, REAL *which, const REAL *a, const REAL *b, const REAL *c,
                                               const fnn_window *g, REAL lowest_rank)
{
    return FN(three_row)(1, y, which, a, b, c, g, lowest_rank);
}

static POOL_APART REAL FN(three_row_without)(REAL *y, const REAL *a, const REAL *b, const REAL *c, const fnn_window *g,
                                             REAL lowest_rank)
{
    return FN(three_row)(0, y, NULL, a, b, c, g, lowest_rank);
}

/* A row of x from the middle of the first window on; of rows that end close to the end of x, which
 * a last vector would pass, a copy. */
static const REAL *FN(three_look)(REAL *copy, const REAL *x, const REAL *end, const fnn_window *g)
{
    const fnn_size from = 1 - g->pw, columns = 2 * FN(whole_vectors)(g->Q);
    if (from + columns <= end - x) return x + from;
    FN(pool_fill)(copy, 1 + columns, 0);
    memcpy(copy + 1 - from, x, fnn_min(g->W, from + columns) * sizeof(REAL));
    return copy + 1;
}

/* Items are tiles of whole rows of outputs. */
static void FN(three_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const pool_args *args = ctx;
    const fnn_window *g = args->g;
    const fnn_size n = g->Q, HW = g->H * g->W, over = FN(whole_vectors)(n), room = 1 + 2 * over;
    REAL *const copied = fnn_scratch_alloc((3 * room + over) * sizeof(REAL)), *const last = copied + 3 * room;
    REAL *const which = args->tap_out ? fnn_scratch_alloc((args->cut.rows * n + VL) * sizeof(REAL)) : NULL;
    for (fnn_size item = begin; item < end; item++) {
        const pool_tile tile = pool_tile_of(&args->cut, item, g->P, n);
        const REAL *x = (const REAL *)args->in + tile.plane * HW, *x_end = (const REAL *)args->in + g->N * g->C * HW;
        const fnn_size start = (tile.plane * g->P + tile.p0) * n;
        REAL found_before = 0;              /* NaN if row a holds one: the row before has looked */
        /* the rows of outputs, one after the other, from rows a, b and c of the image */
        for (fnn_size row = 0; row < tile.rows; row++) {
            const fnn_size i0 = (tile.p0 + row) * 2 - g->ph, r0 = i0 < 0 ? -i0 : 0, r1 = fnn_min(3, g->H - i0);
            const REAL *a = FN(three_look)(copied, x + (i0 + r0) * g->W, x_end, g);
            const REAL *b = FN(three_look)(copied + room, x + (i0 + fnn_min(r0 + 1, r1 - 1)) * g->W, x_end, g);
            const REAL *c = FN(three_look)(copied + 2 * room, x + (i0 + fnn_min(r0 + 2, r1 - 1)) * g->W, x_end, g);
            const REAL lowest = POOL_NONE - 8 - 3 * (REAL)r0;
            if (row == 0)
                found_before = FN(pool_sum)(x + (i0 + r0) * g->W, g->W);
            REAL *const y = (REAL *)args->out + start + row * n, *const to = (tile.rows - row) * n >= over ? y : last;
            const REAL found = which ? FN(three_row_with_taps)(to, which + row * n, a, b, c, g, lowest)
                                     : FN(three_row_without)(to, a, b, c, g, lowest);
            if (to == last)
                memcpy(y, last, n * sizeof(REAL));
            for (fnn_size q = 0; (found != found || found_before != found_before) && q < n; q++) {
                const int tap = FN(pool_max_by_hand)(y + q, x, g, tile.p0 + row, q);
                if (which) which[row * n + q] = (REAL)tap;
            }
            found_before = found;
        }
        if (which)
            FN(pool_to_bytes)(args->tap_out + start, which, tile.rows * n);
    }
    fnn_scratch_free(copied);
}

/* ---- backward -------------------------------------------------------------------------------- */

/* A row of dy and of the numbers of taps, with a margin behind it that no tap chose. */
typedef struct { REAL *dy, *which; } FN(three_dy);

/* The gradients of columns 2u and 2u + 1 from the windows that see this row of the image as their
 * r-th. */
FNN_INLINE void FN(three_gather)(vec *even, vec *odd, const FN(three_dy) *row, fnn_size u, const int r)
{
    const vec dy = v_load(row->dy + u), dy_next = v_load(row->dy + u + 1);
    const vec tap = v_load(row->which + u), tap_next = v_load(row->which + u + 1);
    *even = (vec)((ivec)dy & (tap == v_set((REAL)(3 * r + 1))));
    *odd = (vec)((ivec)dy_next & (tap_next == v_set((REAL)(3 * r))))
         + (vec)((ivec)dy & (tap == v_set((REAL)(3 * r + 2))));
}

/* n pairs of columns of a row of dx that windows see as their middle row, or with `two` (a
 * constant) as the first of some, the last of others */
FNN_INLINE void FN(three_pairs)(const int two, REAL *dx, const FN(three_dy) *above, const FN(three_dy) *row, fnn_size n)
{
    for (fnn_size u = 0; u < n; u += VL) {
        vec even, odd, even_above, odd_above;
        FN(three_gather)(&even, &odd, row, u, two ? 0 : 1);
        if (two) {
            FN(three_gather)(&even_above, &odd_above, above, u, 2);
            even += even_above;
            odd += odd_above;
        }
        v_store(dx + 2 * u, v_pairs_low(even, odd));
        v_store(dx + 2 * u + VL, v_pairs_high(even, odd));
    }
}

static POOL_APART void FN(three_pairs_of_two)(REAL *dx, const FN(three_dy) *above, const FN(three_dy) *row, fnn_size n)
{
    FN(three_pairs)(1, dx, above, row, n);
}

static POOL_APART void FN(three_pairs_of_one)(REAL *dx, const FN(three_dy) *row, fnn_size n)
{
    FN(three_pairs)(0, dx, row, row, n);
}

/* Items are tiles of pairs of rows of dx: pair p is row 2p - ph, which windows p see first and
 * windows p - 1 last, and the next row, in the middle of windows p. */
static void FN(three_backward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const pool_args *args = ctx;
    const fnn_window *g = args->g;
    const fnn_size Q = g->Q, W = g->W, from = 1 - g->pw, n = fnn_ceil_div(W - from, 2);
    const fnn_size over = FN(whole_vectors)(fnn_max(n, Q)), length = over + VL;
    REAL *const room = fnn_scratch_alloc((4 * length + 2 * over) * sizeof(REAL)), *const last = room + 4 * length;
    FN(three_dy) above = { room, room + length }, row = { room + 2 * length, room + 3 * length };
    for (fnn_size half = 0; half < 4; half += 2) {
        FN(pool_fill)(room + half * length, length, 0);
        FN(pool_fill)(room + (half + 1) * length, length, POOL_NONE);
    }
    for (fnn_size item = begin; item < end; item++) {
        const pool_tile tile = pool_tile_of(&args->cut, item, pool_frame_rows(g), 1);
        const fnn_size last_row = fnn_min(2 * (tile.p0 + tile.rows) - g->ph, g->H) - 1;
        /* the rows of dy, one after the other; of the first, the tile before writes dx */
        for (fnn_size p = tile.p0 - 1; p < tile.p0 + tile.rows; p++) {
            const FN(three_dy) free = above;
            above = row;
            row = free;
            if (p >= 0 && p < g->P) {
                const fnn_size at = (tile.plane * g->P + p) * Q;
                memcpy(row.dy, (const REAL *)args->in + at, Q * sizeof(REAL));
                FN(pool_from_bytes)(row.which, args->tap + at, Q);
            } else
                FN(pool_fill)(row.which, Q, POOL_NONE);
            /* two rows of dx for each */
            for (fnn_size i = 2 * p - g->ph; p >= tile.p0 && i < 2 * p - g->ph + 2; i++) {
                if (i < 0 || i >= g->H) continue;
                REAL *dx = (REAL *)args->out + (tile.plane * g->H + i) * W;
                const int middle = i > 2 * p - g->ph;
                if (from > 0)                       /* column 0, before the first window's middle */
                    dx[0] = middle ? (row.which[0] == 3 ? row.dy[0] : 0)
                                   : (row.which[0] == 0 ? row.dy[0] : 0) + (above.which[0] == 6 ? above.dy[0] : 0);
                REAL *const to = (last_row + 1 - i) * W - from >= 2 * FN(whole_vectors)(n) ? dx + from : last;
                if (middle) FN(three_pairs_of_one)(to, &row, n);
                else FN(three_pairs_of_two)(to, &above, &row, n);
                if (to == last)
                    memcpy(dx + from, last, (W - from) * sizeof(REAL));
            }
        }
    }
    fnn_scratch_free(room);
}
