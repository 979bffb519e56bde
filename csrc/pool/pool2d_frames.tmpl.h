/* pool2d_frames.tmpl.h -- pooling of many outputs at a time: means, and the gradients of means and
 * maxima. Included by pool2d.tmpl.h.
 *
 * Method     Of what a window with stride (sh, sw) sees, one tap sees every sh-th row and every
 *            sw-th pixel. So a tile of the plane is first sorted into sh*sw frames by the
 *            remainders of its rows and columns, with the padding around it:
 *
 *                frame (a,b)    f[i][j] = image[i*sh + a - ph, j*sw + b - pw]
 *
 *            Rows of a frame have `length` elements and follow each other. Tap (r,s) of output
 *            (p,q) is then in frame ((r*dh) % sh, (s*dw) % sw) at [p + (r*dh)/sh][q + (s*dw)/sw].
 *            Outputs and frames have one row length, so with t = p*length + q all outputs are one
 *            loop without edges, whatever the stride:
 *
 *                out[t] = the sum of frames[t + offset[k]] over the taps k
 *
 *            Backward the image's gradient is what is in frames, and that is another such loop:
 *
 *                dframe (a,b)[t] = sum over its taps k of dy[t - shift k]
 *
 *            of maxima only where tap k was the largest. The elements of a row beyond the last
 *            output are computed in vain.
 */
#define POOL_SLACK(right) (VL + (right))    /* elements beyond the end of a tile that the loops
                                               touch, in vain */

/* even[j], odd[j] = from[2j], from[2j + 1], in strips of which the last overlaps the one before */
FNN_INLINE void FN(pool_unzip)(REAL *restrict even, REAL *restrict odd, const REAL *restrict from, fnn_size n)
{
    for (fnn_size at = 0; n >= POOL_STRIP && at < n; at += POOL_STRIP) {
        at = fnn_min(at, n - POOL_STRIP);
        #pragma omp simd
        for (fnn_size j = 0; j < POOL_STRIP; j++) {
            even[at + j] = from[2 * at + 2 * j];
            odd[at + j] = from[2 * at + 2 * j + 1];
        }
    }
    for (fnn_size j = 0; n < POOL_STRIP && j < n; j++) {
        even[j] = from[2 * j];
        odd[j] = from[2 * j + 1];
    }
}

/* frame[b * size + j] = from[j * sw + b], 0 <= j < n */
static void FN(pool_sort)(REAL *restrict frame, fnn_size size, const REAL *restrict from, fnn_size sw, fnn_size n)
{
    if (sw == 2)
        FN(pool_unzip)(frame, frame + size, from, n);
    else
        for (fnn_size b = 0; b < sw; b++)
            for (fnn_size j = 0; j < n; j++)
                frame[b * size + j] = from[j * sw + b];
}

/* One image row in the sw frames of its row's remainder, `size` elements apart: elements of
 * `length` from image column `first` on. */
static void FN(pool_row)(REAL *frame, fnn_size size, const REAL *x, const fnn_window *g, fnn_size first,
                         fnn_size length, REAL outside)
{
    if (g->sw == 2) {   /* pairs that are inside together, then what is left of them at the ends */
        const fnn_size j0 = first < 0 ? fnn_min((1 - first) / 2, length) : 0;
        const fnn_size j1 = fnn_max(fnn_min((g->W - first) / 2, length), j0);
        if (j1 > j0)
            FN(pool_unzip)(frame + j0, frame + size + j0, x + (first + 2 * j0), j1 - j0);
        for (fnn_size b = 0; b < 2; b++)
            for (fnn_size j = j0 > 0 ? 0 : j1; j < length; j = j + 1 == j0 ? j1 : j + 1) {
                const fnn_size at = first + 2 * j + b;
                frame[b * size + j] = at >= 0 && at < g->W ? x[at] : outside;
            }
        return;
    }
    for (fnn_size b = 0; b < g->sw; b++) {
        REAL *to = frame + b * size;
        fnn_size j0, j1;
        fnn_inside(g->W, length, g->sw, first + b, &j0, &j1);
        FN(pool_fill)(to, j0, outside);
        if (g->sw == 1 && j1 > j0)
            memcpy(to + j0, x + (first + j0), (j1 - j0) * sizeof(REAL));
        else
            for (fnn_size j = j0; j < j1; j++)
                to[j] = x[first + b + j * g->sw];
        FN(pool_fill)(to + j1, length - j1, outside);
    }
}

/* The frames of a tile of outputs, each `rows` rows of `length`; what lies outside the image is
 * `outside`. */
static void FN(pool_frames)(REAL *frame, const REAL *x, const fnn_window *g, const pool_tile *tile, fnn_size rows,
                            fnn_size length, REAL outside)
{
    const fnn_size size = rows * length;
    for (fnn_size a = 0; a < g->sh; a++)
        for (fnn_size i = 0; i < rows; i++) {
            const fnn_size row = (tile->p0 + i) * g->sh + a - g->ph;
            REAL *to = frame + a * g->sw * size + i * length;
            if (row >= 0 && row < g->H)
                FN(pool_row)(to, size, x + row * g->W, g, tile->q0 * g->sw - g->pw, length, outside);
            else
                for (fnn_size b = 0; b < g->sw; b++)
                    FN(pool_fill)(to + b * size, length, outside);
        }
    FN(pool_fill)(frame + g->sh * g->sw * size, POOL_SLACK(pool_right(g)), outside);
}

/* offset[k]: how far tap k is from the output's own element in the frames */
static void FN(pool_offsets)(fnn_size *offset, const fnn_window *g, fnn_size rows, fnn_size length)
{
    for (fnn_size r = 0; r < g->R; r++)
        for (fnn_size s = 0; s < g->S; s++)
            *offset++ = ((r * g->dh % g->sh * g->sw + s * g->dw % g->sw) * rows + r * g->dh / g->sh) * length
                      + s * g->dw / g->sw;
}

/* ---- means, forward -------------------------------------------------------------------------- */

/* sum[t] += the sum of `taps` (a constant) taps */
FNN_INLINE void FN(pool_sum_of)(const int taps, REAL *restrict sum, const REAL *restrict frame,
                                const fnn_size *restrict offset, fnn_size n)
{
    for (fnn_size t = 0; t < n; t++) {
        REAL total = sum[t];
        #pragma GCC unroll 9
        for (int k = 0; k < taps; k++)
            total += frame[t + offset[k]];
        sum[t] = total;
    }
}

/* Items are tiles. */
static void FN(mean_framed_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const pool_args *args = ctx;
    const fnn_window *g = args->g;
    const fnn_size down = pool_down(g), right = pool_right(g), taps = g->R * g->S;
    const fnn_size most_rows = args->cut.rows + down, most_length = args->cut.columns + right;
    fnn_size offset[POOL_TAPS];
    REAL *frame = fnn_scratch_alloc((g->sh * g->sw * most_rows * most_length + POOL_SLACK(right)) * sizeof(REAL));
    REAL *sum = fnn_scratch_alloc((args->cut.rows * most_length + POOL_SLACK(right)) * sizeof(REAL));
    for (fnn_size item = begin; item < end; item++) {
        const pool_tile tile = pool_tile_of(&args->cut, item, g->P, g->Q);
        const fnn_size rows = tile.rows + down, length = tile.columns + right;
        const fnn_size n = fnn_ceil_div(tile.rows * length, VL) * VL;
        FN(pool_frames)(frame, (const REAL *)args->in + tile.plane * g->H * g->W, g, &tile, rows, length, 0);
        FN(pool_offsets)(offset, g, rows, length);
        FN(pool_fill)(sum, n, 0);
        /* the taps, 9 or 4 at a time: so many are added to a sum while it is in a register */
        fnn_size k = 0;
        for (; k + 9 <= taps; k += 9) FN(pool_sum_of)(9, sum, frame, offset + k, n);
        for (; k + 4 <= taps; k += 4) FN(pool_sum_of)(4, sum, frame, offset + k, n);
        for (; k < taps; k++) FN(pool_sum_of)(1, sum, frame, offset + k, n);
        for (fnn_size row = 0; row < tile.rows; row++)
            FN(mean_divide)((REAL *)args->out + (tile.plane * g->P + tile.p0 + row) * g->Q + tile.q0,
                            sum + row * length, args, tile.p0 + row, tile.q0, tile.q0 + tile.columns);
    }
    fnn_scratch_free(sum);
    fnn_scratch_free(frame);
}

/* ---- backward, of means and maxima ----------------------------------------------------------- */

/* sum[t] += dy[t + offset] of those of `taps` (a constant) taps that were the largest */
FNN_INLINE void FN(pool_chosen_of)(const int taps, REAL *restrict sum, const REAL *restrict dy,
                                   const REAL *restrict which, const REAL *restrict number,
                                   const fnn_size *restrict offset, fnn_size n)
{
    for (fnn_size t = 0; t < n; t++) {
        REAL total = sum[t];
        #pragma GCC unroll 4
        for (int k = 0; k < taps; k++)
            total += which[t + offset[k]] == number[k] ? dy[t + offset[k]] : (REAL)0;
        sum[t] = total;
    }
}

/* One row of a tile's frames (a, 0), (a, 1), ..., which are `size` elements apart, into a row of
 * dx; `mixed` is room for it. */
static void FN(pool_row_back)(REAL *dx, REAL *restrict mixed, const REAL *restrict sum, fnn_size size,
                              const fnn_window *g, const pool_tile *tile)
{
    /* the column of element 0 of frame (a, 0) */
    const fnn_size sw = g->sw, n = tile->columns, first = tile->q0 * sw - g->pw;
    const fnn_size from = fnn_max(first, 0), to = fnn_min(first + n * sw, g->W);
    if (sw == 1)
        mixed = (REAL *)sum;
    else if (sw == 2 && n >= POOL_STRIP)
        for (fnn_size at = 0; at < n; at += POOL_STRIP) {
            at = fnn_min(at, n - POOL_STRIP);
            const REAL *restrict even = sum + at, *restrict odd = even + size;
            #pragma omp simd
            for (fnn_size j = 0; j < POOL_STRIP; j++) {
                mixed[2 * at + 2 * j] = even[j];
                mixed[2 * at + 2 * j + 1] = odd[j];
            }
        }
    else
        for (fnn_size b = 0; b < sw; b++)
            for (fnn_size j = 0; j < n; j++)
                mixed[j * sw + b] = sum[b * size + j];
    if (to > from)
        memcpy(dx + from, mixed + (from - first), (to - from) * sizeof(REAL));
}

/* The taps of frame (a, b): where their outputs are, counted from the element's own position in dy
 * with its margins, and their numbers r*S + s */
typedef struct { fnn_size n, offset[POOL_TAPS]; REAL number[POOL_TAPS]; } FN(pool_list);

static void FN(pool_list_taps)(FN(pool_list) *list, const fnn_window *g, fnn_size a, fnn_size b, fnn_size length)
{
    list->n = 0;
    for (fnn_size r = 0; r < g->R; r++)
        for (fnn_size s = 0; s < g->S; s++)
            if (r * g->dh % g->sh == a && s * g->dw % g->sw == b) {
                list->offset[list->n] = (pool_down(g) - r * g->dh / g->sh) * length + pool_right(g) - s * g->dw / g->sw;
                list->number[list->n++] = (REAL)(r * g->S + s);
            }
}

/* dx[2j], dx[2j + 1] = sums over the taps of two frames: those of the first are 4 and of the second
 * 2, or with not `more` 2 and 1. `swap`: the second frame has the even columns of the image. */
FNN_INLINE void FN(pool_pairs_strip)(const fnn_size n, const int more, const int swap, REAL *restrict dx,
                                     const REAL *restrict dy, const REAL *restrict which,
                                     const FN(pool_list) *restrict first, const FN(pool_list) *restrict second)
{
    const fnn_size f0 = first->offset[0], f1 = first->offset[1];
    const fnn_size f2 = first->offset[more ? 2 : 0], f3 = first->offset[more ? 3 : 0];
    const fnn_size s0 = second->offset[0], s1 = second->offset[more ? 1 : 0];
    const REAL nf0 = first->number[0], nf1 = first->number[1];
    const REAL nf2 = first->number[more ? 2 : 0], nf3 = first->number[more ? 3 : 0];
    const REAL ns0 = second->number[0], ns1 = second->number[more ? 1 : 0];
    #pragma omp simd
    for (fnn_size j = 0; j < n; j++) {
        const REAL df0 = dy[j + f0], df1 = dy[j + f1], df2 = dy[j + f2], df3 = dy[j + f3];
        const REAL ds0 = dy[j + s0], ds1 = dy[j + s1];
        REAL of_first = (which[j + f0] == nf0 ? df0 : 0) + (which[j + f1] == nf1 ? df1 : 0);
        REAL of_second = which[j + s0] == ns0 ? ds0 : 0;
        if (more) {
            of_first = of_first + (which[j + f2] == nf2 ? df2 : 0) + (which[j + f3] == nf3 ? df3 : 0);
            of_second += which[j + s1] == ns1 ? ds1 : 0;
        }
        dx[2 * j] = swap ? of_second : of_first;
        dx[2 * j + 1] = swap ? of_first : of_second;
    }
}

FNN_INLINE void FN(pool_pairs)(const int more, const int swap, REAL *dx, const REAL *dy, const REAL *which,
                               const FN(pool_list) *lists, fnn_size n)
{
    if (n < POOL_STRIP)
        FN(pool_pairs_strip)(n, more, swap, dx, dy, which, lists, lists + 1);
    else
        for (fnn_size at = 0; at < n; at += POOL_STRIP) {
            at = fnn_min(at, n - POOL_STRIP);
            FN(pool_pairs_strip)(POOL_STRIP, more, swap, dx + 2 * at, dy + at, which + at, lists, lists + 1);
        }
}

/* A whole row of dx at stride 2, straight from dy: pairs of columns, and one that may be left. */
static POOL_APART void FN(pool_row_of_pairs)(REAL *dx, const REAL *dy, const REAL *which, const FN(pool_list) *lists,
                                             const fnn_window *g)
{
    const fnn_size n = g->W / 2;
    const int more = lists[0].n == 4, swap = g->pw % 2 == 1;
    if (more && swap) FN(pool_pairs)(1, 1, dx, dy, which, lists, n);
    else if (more) FN(pool_pairs)(1, 0, dx, dy, which, lists, n);
    else if (swap) FN(pool_pairs)(0, 1, dx, dy, which, lists, n);
    else FN(pool_pairs)(0, 0, dx, dy, which, lists, n);
    if (g->W % 2 == 1) {
        const FN(pool_list) *list = lists + swap;
        REAL sum = 0;
        for (fnn_size k = 0; k < list->n; k++)
            sum += which[n + list->offset[k]] == list->number[k] ? dy[n + list->offset[k]] : (REAL)0;
        dx[g->W - 1] = sum;
    }
}

/* Items are tiles of the image's frames. */
static void FN(framed_backward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const pool_args *args = ctx;
    const fnn_window *g = args->g;
    const int is_max = args->tap != NULL;
    const fnn_size down = pool_down(g), right = pool_right(g), sh = g->sh, sw = g->sw;
    const fnn_size most_rows = args->cut.rows + down, most_length = args->cut.columns + right;
    const fnn_size elements = most_rows * most_length + POOL_SLACK(right);
    const fnn_size size = args->cut.rows * most_length + POOL_SLACK(right);
    /* dy and the taps, with a margin above and to the left */
    REAL *d = fnn_scratch_alloc(2 * elements * sizeof(REAL)), *which = d + elements;
    REAL *sums = fnn_scratch_alloc(sw * size * sizeof(REAL));
    REAL *mixed = fnn_scratch_alloc(sw * args->cut.columns * sizeof(REAL));
    for (fnn_size item = begin; item < end; item++) {
        const pool_tile tile = pool_tile_of(&args->cut, item, pool_frame_rows(g), pool_frame_columns(g));
        const fnn_size length = tile.columns + right, n = fnn_ceil_div(tile.rows * length, VL) * VL;
        fnn_size j0, j1;
        fnn_inside(g->Q, length, 1, tile.q0 - right, &j0, &j1);
        /* the rows of dy that the tile's windows have, each with its margin */
        for (fnn_size i = 0; i < tile.rows + down; i++) {
            const fnn_size p = tile.p0 - down + i, q = tile.q0 - right + j0;
            REAL *d_i = d + i * length, *which_i = which + i * length;
            const int inside = p >= 0 && p < g->P && j1 > j0;
            const fnn_size from = inside ? j0 : length, to = inside ? j1 : length;
            FN(pool_fill)(d_i, from, 0);
            FN(pool_fill)(d_i + to, length - to, 0);
            if (is_max) {
                FN(pool_fill)(which_i, from, POOL_NONE);
                FN(pool_fill)(which_i + to, length - to, POOL_NONE);
            }
            if (!inside) continue;
            const fnn_size at = (tile.plane * g->P + p) * g->Q + q;
            if (is_max) {
                memcpy(d_i + from, (const REAL *)args->in + at, (to - from) * sizeof(REAL));
                FN(pool_from_bytes)(which_i + from, args->tap + at, to - from);
            } else
                FN(mean_divide)(d_i + from, (const REAL *)args->in + at, args, p, q, q + to - from);
        }
        FN(pool_fill)(d + (tile.rows + down) * length, POOL_SLACK(right), 0);
        if (is_max)
            FN(pool_fill)(which + (tile.rows + down) * length, POOL_SLACK(right), POOL_NONE);
        /* the frames, those of one row's remainder at a time */
        for (fnn_size a = 0; a < sh; a++) {
            FN(pool_list) lists[2];
            FN(pool_list_taps)(lists, g, a, 0, length);
            FN(pool_list_taps)(lists + 1, g, a, 1, length);
            const int pairs = is_max && sw == 2 && args->cut.across == 1
                           && ((lists[0].n == 4 && lists[1].n == 2) || (lists[0].n == 2 && lists[1].n == 1));
            /* from column 2j + (b != pw % 2) of the image */
            for (fnn_size b = 0; pairs && b < 2; b++)
                for (fnn_size k = 0; k < lists[b].n; k++)
                    lists[b].offset[k] += (g->pw + (b != g->pw % 2)) / 2;
            for (fnn_size b = 0; !pairs && b < sw; b++) {
                const FN(pool_list) *list = lists;
                const fnn_size *offset = list->offset;
                fnn_size k = 0;
                REAL *sum = sums + b * size;
                FN(pool_list_taps)(lists, g, a, b, length);
                FN(pool_fill)(sum, n, 0);
                /* the frame's taps, 4 or 2 at a time */
                if (is_max) {
                    for (; k + 4 <= list->n; k += 4)
                        FN(pool_chosen_of)(4, sum, d, which, list->number + k, offset + k, n);
                    for (; k + 2 <= list->n; k += 2)
                        FN(pool_chosen_of)(2, sum, d, which, list->number + k, offset + k, n);
                    for (; k < list->n; k++)
                        FN(pool_chosen_of)(1, sum, d, which, list->number + k, offset + k, n);
                } else {
                    for (; k + 4 <= list->n; k += 4) FN(pool_sum_of)(4, sum, d, offset + k, n);
                    for (; k < list->n; k++) FN(pool_sum_of)(1, sum, d, offset + k, n);
                }
            }
            /* and from them the rows of dx that they hold */
            for (fnn_size i = 0; i < tile.rows; i++) {
                const fnn_size row = (tile.p0 + i) * sh + a - g->ph;
                if (row < 0 || row >= g->H) continue;
                REAL *dx = (REAL *)args->out + (tile.plane * g->H + row) * g->W;
                if (pairs) FN(pool_row_of_pairs)(dx, d + i * length, which + i * length, lists, g);
                else FN(pool_row_back)(dx, mixed, sums + i * length, size, g, &tile);
            }
        }
    }
    fnn_scratch_free(mixed);
    fnn_scratch_free(sums);
    fnn_scratch_free(d);
}
#undef POOL_SLACK
