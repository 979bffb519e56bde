/* pool2d_frames.tmpl.h -- pooling of many outputs at a time. Included by pool2d.tmpl.h.
 *
 * Of what a window with stride (sh, sw) sees, one tap sees every sh-th row and every sw-th pixel.
 * So a tile of the plane is first sorted into sh*sw frames by the remainders of its rows and
 * columns, with the padding around it,
 *
 *     frame (a,b):  f[i][j] = image[i*sh + a - ph, j*sw + b - pw],    rows of `length` elements, one after the other
 *
 * where tap (r,s) of output (p,q) is in frame ((r*dh) % sh, (s*dw) % sw) at [p + (r*dh)/sh][q +
 * (s*dw)/sw]. Outputs and frames have one row length, so with t = p*length + q all outputs are one
 * loop without edges, whatever the stride,
 *
 *     out[t] = the largest of, or the sum of, frames[t + offset[k]] over the taps k
 *
 * and backward, where the image's gradient is what is in frames, another: dframe (a,b)[t] = sum
 * over its taps k of dy[t - shift k]. The elements of a row beyond the last output are computed in
 * vain.
 */
#define POOL_SLACK(right) (VL + (right))            /* elements beyond the end of a tile that the loops touch, in
                                                       vain */

static void FN(pool_fill)(REAL *to, fnn_size n, REAL value)
{
    for (fnn_size i = 0; i < n; i++)
        to[i] = value;
}

/* Names of taps between the loops' type and bytes, in strips as above: n elements (a constant, or
 * not). */
FNN_INLINE void FN(pool_to_bytes_strip)(const fnn_size n, uint8_t *restrict tap, const REAL *restrict which)
{
    #pragma omp simd
    for (fnn_size i = 0; i < n; i++)
        tap[i] = (uint8_t)(int)which[i];
}

FNN_INLINE void FN(pool_from_bytes_strip)(const fnn_size n, REAL *restrict which, const uint8_t *restrict tap)
{
    #pragma omp simd
    for (fnn_size i = 0; i < n; i++)
        which[i] = (REAL)(int)tap[i];
}

static void FN(pool_to_bytes)(uint8_t *tap, const REAL *which, fnn_size n)
{
    fnn_size at = 0;
    for (; at + POOL_BYTES <= n; at += POOL_BYTES)
        FN(pool_to_bytes_strip)(POOL_BYTES, tap + at, which + at);
    for (; at < n && n >= POOL_STRIP; at += POOL_STRIP) {
        at = fnn_min(at, n - POOL_STRIP);
        FN(pool_to_bytes_strip)(POOL_STRIP, tap + at, which + at);
    }
    FN(pool_to_bytes_strip)(n - fnn_min(at, n), tap + at, which + at);
}

static void FN(pool_from_bytes)(REAL *which, const uint8_t *tap, fnn_size n)
{
    fnn_size at = 0;
    for (; at + POOL_BYTES <= n; at += POOL_BYTES)
        FN(pool_from_bytes_strip)(POOL_BYTES, which + at, tap + at);
    for (; at < n && n >= POOL_STRIP; at += POOL_STRIP) {
        at = fnn_min(at, n - POOL_STRIP);
        FN(pool_from_bytes_strip)(POOL_STRIP, which + at, tap + at);
    }
    FN(pool_from_bytes_strip)(n - fnn_min(at, n), which + at, tap + at);
}

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
    if (g->sw == 2) {                               /* pairs that are inside together, then what is left of them at the
                                                       ends */
        const fnn_size j0 = first < 0 ? fnn_min((1 - first) / 2, length) : 0;
        const fnn_size j1 = fnn_max(fnn_min((g->W - first) / 2, length), j0);
        FN(pool_unzip)(frame + j0, frame + size + j0, x + first + 2 * j0, j1 - j0);
        for (fnn_size b = 0; b < 2; b++)
            for (fnn_size j = j0 > 0 ? 0 : j1; j < length; j = j + 1 == j0 ? j1 : j + 1) {
                const fnn_size at = first + 2 * j + b;
                frame[b * size + j] = at >= 0 && at < g->W ? x[at] : outside;
            }
        return;
    }
    for (fnn_size b = 0; b < g->sw; b++, frame += size) {
        fnn_size j0, j1;
        fnn_inside(g->W, length, g->sw, first + b, &j0, &j1);
        FN(pool_fill)(frame, j0, outside);
        if (g->sw == 1)
            memcpy(frame + j0, x + first + j0, (j1 - j0) * sizeof(REAL));
        else
            for (fnn_size j = j0; j < j1; j++)
                frame[j] = x[first + b + j * g->sw];
        FN(pool_fill)(frame + j1, length - j1, outside);
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

/* offset[k]: how far tap k is from the output's own place in the frames */
static void FN(pool_offsets)(fnn_size *offset, const fnn_window *g, fnn_size rows, fnn_size length)
{
    for (fnn_size r = 0; r < g->R; r++)
        for (fnn_size s = 0; s < g->S; s++)
            *offset++ = ((r * g->dh % g->sh * g->sw + s * g->dw % g->sw) * rows + r * g->dh / g->sh) * length + s
                * g->dw / g->sw;
}

/* ---- forward --------------------------------------------------------------------------------- */

/* sum[t] += the sum of `taps` (a constant) taps */
FNN_INLINE void FN(pool_sum_of)(const int taps, REAL *restrict sum, const REAL *restrict frame,
                                const fnn_size *restrict offset, fnn_size n)
{
    for (fnn_size t = 0; t < n; t++) {
        REAL s = sum[t];
        #pragma GCC unroll 9
        for (int i = 0; i < taps; i++)
            s += frame[t + offset[i]];
        sum[t] = s;
    }
}

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
        const fnn_size rows = tile.rows + down, length = tile.columns + right, n = fnn_ceil_div(tile.rows * length, VL)
            * VL;
        FN(pool_frames)(frame, (const REAL *)args->in + tile.plane * g->H * g->W, g, &tile, rows, length, 0);
        FN(pool_offsets)(offset, g, rows, length);
        FN(pool_fill)(sum, n, 0);
        fnn_size k = 0;
        for (; k + 9 <= taps; k += 9) FN(pool_sum_of)(9, sum, frame, offset + k, n);
        for (; k + 4 <= taps; k += 4) FN(pool_sum_of)(4, sum, frame, offset + k, n);
        for (; k < taps; k++) FN(pool_sum_of)(1, sum, frame, offset + k, n);
        for (fnn_size p = 0; p < tile.rows; p++)
            FN(mean_divide)((REAL *)args->out + (tile.plane * g->P + tile.p0 + p) * g->Q + tile.q0, sum + p * length,
                            args,
                            tile.p0 + p, tile.q0, tile.q0 + tile.columns);
    }
    fnn_scratch_free(sum);
    fnn_scratch_free(frame);
}

/* ---- backward -------------------------------------------------------------------------------- */

/* sum[t] += dy[t + offset] of those of `taps` (a constant) taps that were the largest */
FNN_INLINE void FN(pool_chosen_of)(const int taps, REAL *restrict sum, const REAL *restrict dy,
                                   const REAL *restrict which, const REAL *restrict name,
                                   const fnn_size *restrict offset, fnn_size n)
{
    for (fnn_size t = 0; t < n; t++) {
        REAL s = sum[t];
        #pragma GCC unroll 4
        for (int i = 0; i < taps; i++)
            s += which[t + offset[i]] == name[i] ? dy[t + offset[i]] : (REAL)0;
        sum[t] = s;
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

/* The taps of frame (a, b): where their outputs are, from the element's own place in dy with its
 * margins, and their names. */
typedef struct { fnn_size n, offset[POOL_TAPS]; REAL name[POOL_TAPS]; } FN(pool_list);

static void FN(pool_list_taps)(FN(pool_list) *list, const fnn_window *g, fnn_size a, fnn_size b, fnn_size length)
{
    list->n = 0;
    for (fnn_size r = 0; r < g->R; r++)
        for (fnn_size s = 0; s < g->S; s++)
            if (r * g->dh % g->sh == a && s * g->dw % g->sw == b) {
                list->offset[list->n] = (pool_down(g) - r * g->dh / g->sh) * length + pool_right(g) - s * g->dw / g->sw;
                list->name[list->n++] = (REAL)(r * g->S + s);
            }
}

/* dx[2j], dx[2j + 1] = sums over the taps of two frames: those of the first are 4 and of the second
 * 2, or with not `more` 2 and 1. `swap`: the second frame has the even columns of the image. */
FNN_INLINE void FN(pool_pairs_strip)(const fnn_size n, const int more, const int swap, REAL *restrict dx,
                                     const REAL *restrict dy,
                                     const REAL *restrict which, const FN(pool_list) *restrict first,
                                     const FN(pool_list) *restrict second)
{
    const fnn_size f0 = first->offset[0], f1 = first->offset[1], f2 = first->offset[more ? 2
                                                                                    : 0], f3 = first->offset[more ? 3
                                                                                                             : 0];
    const fnn_size s0 = second->offset[0], s1 = second->offset[more ? 1 : 0];
    const REAL nf0 = first->name[0], nf1 = first->name[1], nf2 = first->name[more ? 2
                                                                             : 0], nf3 = first->name[more ? 3 : 0];
    const REAL ns0 = second->name[0], ns1 = second->name[more ? 1 : 0];
    #pragma omp simd
    for (fnn_size j = 0; j < n; j++) {
        const REAL a = dy[j + f0], b = dy[j + f1], c = dy[j + f2], d = dy[j + f3], e = dy[j + s0], f = dy[j + s1];
        REAL x = (which[j + f0] == nf0 ? a : 0) + (which[j + f1] == nf1 ? b : 0), y = which[j + s0] == ns0 ? e : 0;
        if (more) {
            x = x + (which[j + f2] == nf2 ? c : 0) + (which[j + f3] == nf3 ? d : 0);
            y += which[j + s1] == ns1 ? f : 0;
        }
        dx[2 * j] = swap ? y : x;
        dx[2 * j + 1] = swap ? x : y;
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
        for (fnn_size i = 0; i < list->n; i++)
            sum += which[n + list->offset[i]] == list->name[i] ? dy[n + list->offset[i]] : (REAL)0;
        dx[g->W - 1] = sum;
    }
}

static void FN(framed_backward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const pool_args *args = ctx;
    const fnn_window *g = args->g;
    const int is_max = args->tap != NULL;
    const fnn_size down = pool_down(g), right = pool_right(g), sh = g->sh, sw = g->sw;
    const fnn_size most_rows = args->cut.rows + down, most_length = args->cut.columns + right;
    const fnn_size places = most_rows * most_length + POOL_SLACK(right), size = args->cut.rows * most_length
        + POOL_SLACK(right);
    /* dy and the taps, with a margin above and to the left */
    REAL *d = fnn_scratch_alloc(2 * places * sizeof(REAL)), *which = d + places;
    REAL *sums = fnn_scratch_alloc(sw * size * sizeof(REAL)), *mixed = fnn_scratch_alloc(sw * args->cut.columns
                                                                                         * sizeof(REAL));
    for (fnn_size item = begin; item < end; item++) {
        const pool_tile tile = pool_tile_of(&args->cut, item, pool_frame_rows(g), pool_frame_columns(g));
        const fnn_size length = tile.columns + right, n = fnn_ceil_div(tile.rows * length, VL) * VL;
        fnn_size j0, j1;
        fnn_inside(g->Q, length, 1, tile.q0 - right, &j0, &j1);
        for (fnn_size i = 0; i < tile.rows + down; i++) {
            const fnn_size p = tile.p0 - down + i, q = tile.q0 - right + j0;
            REAL *d_i = d + i * length, *which_i = which + i * length;
            const int inside = p >= 0 && p < g->P && j1 > j0;
            const fnn_size a = inside ? j0 : length, b = inside ? j1 : length;
            FN(pool_fill)(d_i, a, 0);
            FN(pool_fill)(d_i + b, length - b, 0);
            if (is_max) {
                FN(pool_fill)(which_i, a, POOL_NONE);
                FN(pool_fill)(which_i + b, length - b, POOL_NONE);
            }
            if (!inside) continue;
            const fnn_size at = (tile.plane * g->P + p) * g->Q + q;
            if (is_max) {
                memcpy(d_i + a, (const REAL *)args->in + at, (b - a) * sizeof(REAL));
                FN(pool_from_bytes)(which_i + a, args->tap + at, b - a);
            } else
                FN(mean_divide)(d_i + a, (const REAL *)args->in + at, args, p, q, q + b - a);
        }
        FN(pool_fill)(d + (tile.rows + down) * length, POOL_SLACK(right), 0);
        if (is_max)
            FN(pool_fill)(which + (tile.rows + down) * length, POOL_SLACK(right), POOL_NONE);
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
                if (is_max) {
                    for (; k + 4 <= list->n; k += 4) FN(pool_chosen_of)(4, sum, d, which, list->name + k, offset + k,
                                                                        n);
                    for (; k + 2 <= list->n; k += 2) FN(pool_chosen_of)(2, sum, d, which, list->name + k, offset + k,
                                                                        n);
                    for (; k < list->n; k++) FN(pool_chosen_of)(1, sum, d, which, list->name + k, offset + k, n);
                } else {
                    for (; k + 4 <= list->n; k += 4) FN(pool_sum_of)(4, sum, d, offset + k, n);
                    for (; k < list->n; k++) FN(pool_sum_of)(1, sum, d, offset + k, n);
                }
            }
            for (fnn_size i = 0; i < tile.rows; i++) {
                const fnn_size h = (tile.p0 + i) * sh + a - g->ph;
                REAL *dx = (REAL *)args->out + (tile.plane * g->H + h) * g->W;
                if (h < 0 || h >= g->H) continue;
                if (pairs) FN(pool_row_of_pairs)(dx, d + i * length, which + i * length, lists, g);
                else FN(pool_row_back)(dx, mixed, sums + i * length, size, g, &tile);
            }
        }
    }
    fnn_scratch_free(mixed);
    fnn_scratch_free(sums);
    fnn_scratch_free(d);
}

/* ---- 2x2 windows side by side: the usual case, without frames -----------------------------------
 * Tiles are whole rows of outputs, or a part of one. */


/* One strip of n outputs (a constant, or not), and if `named` (a constant) the numbers of their
 * taps. */
FNN_INLINE void FN(max_strip)(const fnn_size n, const int named, REAL *restrict y, REAL *restrict which,
                              const REAL *restrict upper,
                              const REAL *restrict lower)
{
    #pragma omp simd
    for (fnn_size q = 0; q < n; q++) {
        const REAL a = upper[2 * q], b = upper[2 * q + 1], c = lower[2 * q], d = lower[2 * q + 1];
        REAL most = a, from = 0;
        int take = (b > most) | (b != b);
        most = take ? b : most; from = take ? 1 : from;
        take = (c > most) | (c != c);
        most = take ? c : most; from = take ? 2 : from;
        take = (d > most) | (d != d);
        most = take ? d : most; from = take ? 3 : from;
        y[q] = most;
        if (named)
            which[q] = from;
    }
}

FNN_INLINE void FN(mean_strip)(const fnn_size n, REAL *restrict y, REAL divisor, const REAL *restrict upper,
                               const REAL *restrict lower)
{
    #pragma omp simd
    for (fnn_size q = 0; q < n; q++)
        y[q] = (((upper[2 * q] + upper[2 * q + 1]) + lower[2 * q]) + lower[2 * q + 1]) / divisor;
}

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
        for (fnn_size p = 0; p < tile.rows; p++) {
            const REAL *upper = (const REAL *)args->in + (tile.plane * g->H + 2 * (tile.p0 + p)) * W + 2
                * tile.q0, *lower = upper + W;
            REAL *y = (REAL *)args->out + start + p * g->Q, *w = which + p * n;
            if (n < POOL_STRIP) {
                if (args->is_mean) FN(mean_strip)(n, y, divisor, upper, lower);
                else FN(max_strip)(n, 1, y, w, upper, lower);
                continue;
            }
            for (fnn_size q = 0; q < n; q += POOL_STRIP) {
                q = fnn_min(q, n - POOL_STRIP);     /* the last strip overlaps the one before */
                if (args->is_mean) FN(mean_strip)(POOL_STRIP, y + q, divisor, upper + 2 * q, lower + 2 * q);
                else if (args->tap_out) FN(max_strip)(POOL_STRIP, 1, y + q, w + q, upper + 2 * q, lower + 2 * q);
                else FN(max_strip)(POOL_STRIP, 0, y + q, w + q, upper + 2 * q, lower + 2 * q);
            }
        }
        if (args->tap_out)
            FN(pool_to_bytes)(args->tap_out + start, which, tile.rows * n);
    }
    fnn_scratch_free(which);
}

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

FNN_INLINE void FN(mean_back_strip)(const fnn_size n, REAL *restrict upper, REAL *restrict lower,
                                    const REAL *restrict dy, REAL divisor)
{
    #pragma omp simd
    for (fnn_size q = 0; q < n; q++)
        upper[2 * q] = upper[2 * q + 1] = lower[2 * q] = lower[2 * q + 1] = dy[q] / divisor;
}

/* Each pixel belongs to one window: forward was  y = x[tap]  so  dx[tap] = dy, and 0 elsewhere;  or  y = sum / d  so  dx = dy / d
 */
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
        for (fnn_size p = 0; p < tile.rows; p++) {
            const REAL *dy = (const REAL *)args->in + start + p * g->Q, *w = which + p * n;
            REAL *row = (REAL *)args->out + (tile.plane * g->H + 2 * (tile.p0 + p)) * W, *upper = row + 2
                * tile.q0, *lower = upper + W;
            if (n < POOL_STRIP) {
                if (args->tap) FN(max_back_strip)(n, upper, lower, dy, w);
                else FN(mean_back_strip)(n, upper, lower, dy, divisor);
            }
            for (fnn_size q = 0; n >= POOL_STRIP && q < n; q += POOL_STRIP) {
                q = fnn_min(q, n - POOL_STRIP);
                if (args->tap) FN(max_back_strip)(POOL_STRIP, upper + 2 * q, lower + 2 * q, dy + q, w + q);
                else FN(mean_back_strip)(POOL_STRIP, upper + 2 * q, lower + 2 * q, dy + q, divisor);
            }
            /* columns and rows that no window sees */
            for (fnn_size j = 2 * g->Q; tile.q0 == 0 && j < W; j++)
                row[j] = row[W + j] = 0;
        }
        if (tile.q0 == 0 && tile.p0 + tile.rows == g->P)
            memset((REAL *)args->out + (tile.plane * g->H + 2 * g->P) * W, 0, (g->H - 2 * g->P) * W * sizeof(REAL));
    }
    fnn_scratch_free(which);
}
#undef POOL_SLACK
