/* pool2d.tmpl.h -- the largest value or the mean of each window of every plane.
 *
 * Math       max   y[p,q] = max over taps (r,s) of x[i,j],  i = p*sh - ph + r*dh,
 *                  j = q*sw - pw + s*dw, inside the image
 *                  dx[i,j] = sum of dy[p,q] over the windows whose first maximum is (i,j)
 *            mean  y[p,q] = (sum over taps of x[i,j]) / d[p,q]
 *                  dx[i,j] = sum over the windows that see (i,j) of dy[p,q] / d[p,q]
 *            adaptive: the window of p is rows floor(p*H/P) to ceil((p+1)*H/P) - 1, likewise for q
 * Symbols    core/window.h; a plane is x[n,c,:,:]. A tap (r,s) has the number r*S + s.
 * Layout     x [N][C][H][W]   y, tap, argmax [N][C][P][Q]
 * Method     The first of these that applies (pool2d_cut.h says whether); each file tells how:
 *
 *                windows                       max       max back    mean      mean back
 *                2 x 2 side by side            two       two         two       two
 *                3 x 3 that move by 2          three     three
 *                few taps, small strides       rows      frames      frames    frames
 *                all others, and adaptive      here      here        here      here
 *
 *            "two" is pool2d_two.tmpl.h and so on. "Here" windows go one after the other, along
 *            their rows. Maxima of "here" have functions of their own (max_window_pool2d), since
 *            they remember the largest by its index in the plane, where the others have its tap's
 *            number, a byte. Compilers without shuffles have no "three".
 * Cost       x comes from memory once, and R*S/(sh*sw) times from the cache or less: bound by
 *            memory.
 * Threads    tiles of planes; "here", rows of outputs, and backward planes. One writer per element.
 * Reference  fastnn/reference/pool2d.py, fastnn/reference/adaptive_pool.py
 */
/* ---- the mean's divisor ---------------------------------------------------------------------- */

/* The divisor of window (p, q), when rows is what the window counts vertically. */
FNN_INLINE REAL FN(mean_divisor)(const pool_args *args, fnn_size rows, fnn_size q)
{
    const fnn_window *g = args->g;
    return (REAL)(args->divisor ? args->divisor : rows * mean_count(q, g->W, g->S, g->sw, g->pw, args->count_padding));
}

/* y[q - q0] = x[q - q0] / divisor of window (p, q), q0 <= q < q1; x may be y. Between the edges all
 * divisors are the same. */
static void FN(mean_divide)(REAL *y, const REAL *x, const pool_args *args, fnn_size p, fnn_size q0, fnn_size q1)
{
    const fnn_window *g = args->g;
    const fnn_size rows = mean_count(p, g->H, g->R, g->sh, g->ph, args->count_padding);
    /* windows whose first tap, or last, is in the image */
    fnn_size first_from, first_to, last_from, last_to;
    fnn_inside(g->W, g->Q, g->sw, -g->pw, &first_from, &first_to);
    fnn_inside(g->W, g->Q, g->sw, g->S - 1 - g->pw, &last_from, &last_to);
    const fnn_size from = fnn_min(fnn_max(fnn_max(first_from, last_from), q0), q1);
    const fnn_size to = fnn_max(fnn_min(fnn_min(last_to, first_to), q1), from);
    const REAL same = (REAL)(args->divisor ? args->divisor : rows * g->S);
    for (fnn_size q = q0; q < from; q++) y[q - q0] = x[q - q0] / FN(mean_divisor)(args, rows, q);
    for (fnn_size q = from; q < to; q++) y[q - q0] = x[q - q0] / same;
    for (fnn_size q = to; q < q1; q++) y[q - q0] = x[q - q0] / FN(mean_divisor)(args, rows, q);
}

static void FN(pool_fill)(REAL *to, fnn_size n, REAL value)
{
    for (fnn_size i = 0; i < n; i++)
        to[i] = value;
}

/* ---- the numbers of taps ---------------------------------------------------------------------
 * They are bytes in memory, `tap`, and REAL in the loops, `which`, so that comparing and choosing
 * work on registers of one type. */

/* n elements (a constant, or not) */
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

#include "pool/pool2d_frames.tmpl.h"
#include "pool/pool2d_two.tmpl.h"
#include "pool/pool2d_rows.tmpl.h"

/* ---- window by window: large and adaptive ones ----------------------------------------------- */

/* The largest of x[j] for j in span, and its index in the plane, whose row x begins at index
 * `row`; NaN counts as largest. *most and *index are what was found in the rows before. Whether
 * there is a larger one comes first: that takes no branches. */
static void FN(max_along)(const REAL *x, pool_span span, fnn_size row, REAL *most, fnn_size *index)
{
    if (span.step == 1 && *index >= 0 && span.end - span.begin >= POOL_STRIP) {
        const REAL least = *most;
        int larger = 0;
        #pragma omp simd reduction(| : larger)
        for (fnn_size j = span.begin; j < span.end; j++)
            larger |= !(x[j] <= least);
        if (!larger) return;
    }
    for (fnn_size j = span.begin; j < span.end; j += span.step)
        if (*index < 0 || x[j] > *most || x[j] != x[j]) {
            *most = x[j];
            *index = row + j;
        }
}

/* The columns that the windows of n outputs of a row see: to find them takes divisions, and all
 * rows have the same. */
typedef struct { fnn_size q0, n; pool_span at[POOL_SPANS]; } FN(pool_spans);

static void FN(pool_find_spans)(FN(pool_spans) *spans, const pool_args *args, fnn_size q0)
{
    spans->q0 = q0;
    spans->n = fnn_min(POOL_SPANS, args->g->Q - q0);
    for (fnn_size w = 0; w < spans->n; w++)
        spans->at[w] = pool_columns(args, q0 + w);
}

/* Items are rows of outputs. */
static void FN(max_window_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const pool_args *args = ctx;
    const fnn_window *g = args->g;
    FN(pool_spans) columns;
    for (fnn_size q0 = 0; q0 < g->Q; q0 += POOL_SPANS) {
        FN(pool_find_spans)(&columns, args, q0);
        for (fnn_size item = begin; item < end; item++) {
            const REAL *x = (const REAL *)args->in + item / g->P * g->H * g->W;
            const pool_span rows = pool_rows(args, item % g->P);
            for (fnn_size w = 0; w < columns.n; w++) {
                REAL most = -(REAL)INFINITY;
                fnn_size index = -1;
                for (fnn_size i = rows.begin; i < rows.end; i += rows.step)
                    FN(max_along)(x + i * g->W, columns.at[w], i * g->W, &most, &index);
                ((REAL *)args->out)[item * g->Q + q0 + w] = most;
                args->argmax_out[item * g->Q + q0 + w] = (int32_t)index;
            }
        }
    }
}

/* forward was  y[p,q] = x[argmax[p,q]]  so  dx[argmax[p,q]] += dy[p,q]: one pixel may be the
 * maximum of several windows. Items are planes. */
static void FN(argmax_backward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const pool_args *args = ctx;
    const fnn_window *g = args->g;
    const fnn_size PQ = g->P * g->Q, HW = g->H * g->W;
    for (fnn_size nc = begin; nc < end; nc++) {
        REAL *restrict dx = (REAL *)args->out + nc * HW;
        const REAL *restrict dy = (const REAL *)args->in + nc * PQ;
        const int32_t *restrict argmax = args->argmax + nc * PQ;
        memset(dx, 0, HW * sizeof(REAL));
        for (fnn_size pq = 0; pq < PQ; pq++)
            if (argmax[pq] >= 0 && argmax[pq] < HW) /* in memory that others can write: no other
                                                       index */
                dx[argmax[pq]] += dy[pq];
    }
}

static REAL FN(pool_sum)(const REAL *restrict x, fnn_size n)
{
    vec sums = v_set(0);
    fnn_size i = 0;
    for (; i + VL <= n; i += VL)
        sums += v_load(x + i);
    REAL sum = i > 0 ? v_sum(sums) : 0;
    for (; i < n; i++)
        sum += x[i];
    return sum;
}

#if V_SHUFFLES
#  include "pool/pool2d_three.tmpl.h"
#endif

/* What window (p, q) divides by, for rows x columns pixels. */
FNN_INLINE REAL FN(window_divisor)(const pool_args *args, fnn_size p, fnn_size q, fnn_size rows, fnn_size columns)
{
    const fnn_window *g = args->g;
    return args->adaptive ? (REAL)(rows * columns)
                          : FN(mean_divisor)(args, mean_count(p, g->H, g->R, g->sh, g->ph, args->count_padding), q);
}

/* Whether there is one window, the whole plane: then much of the work would be to find that out,
 * plane by plane. */
static int FN(mean_of_the_plane)(const pool_args *args)
{
    const fnn_window *g = args->g;
    const pool_span rows = pool_rows(args, 0), columns = pool_columns(args, 0);
    return g->P == 1 && g->Q == 1 && rows.end - rows.begin == g->H && columns.end - columns.begin == g->W;
}

/* Items are rows of outputs. */
static void FN(mean_window_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const pool_args *args = ctx;
    const fnn_window *g = args->g;
    if (FN(mean_of_the_plane)(args)) {
        const fnn_size HW = g->H * g->W;
        const REAL divisor = FN(window_divisor)(args, 0, 0, g->H, g->W);
        for (fnn_size nc = begin; nc < end; nc++)
            ((REAL *)args->out)[nc] = FN(pool_sum)((const REAL *)args->in + nc * HW, HW) / divisor;
        return;
    }
    FN(pool_spans) columns;
    for (fnn_size q0 = 0; q0 < g->Q; q0 += POOL_SPANS) {
        FN(pool_find_spans)(&columns, args, q0);
        for (fnn_size item = begin; item < end; item++) {
            const REAL *x = (const REAL *)args->in + item / g->P * g->H * g->W;
            const pool_span rows = pool_rows(args, item % g->P);
            const fnn_size height = rows.end - rows.begin;
            for (fnn_size w = 0; w < columns.n; w++) {
                const fnn_size j = columns.at[w].begin, width = columns.at[w].end - j;
                REAL sum = 0;
                if (width == g->W)              /* whole rows, such as the whole plane: one run */
                    sum = FN(pool_sum)(x + rows.begin * g->W, height * g->W);
                else
                    for (fnn_size i = rows.begin; i < rows.end; i++)
                        sum += FN(pool_sum)(x + i * g->W + j, width);
                const REAL divisor = FN(window_divisor)(args, item % g->P, q0 + w, height, width);
                ((REAL *)args->out)[item * g->Q + q0 + w] = sum / divisor;
            }
        }
    }
}

/* forward was  y[p,q] = (sum of x[i,j]) / d  so  dx[i,j] += dy[p,q] / d;  items are planes */
static void FN(mean_window_backward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const pool_args *args = ctx;
    const fnn_window *g = args->g;
    const fnn_size H = g->H, W = g->W;
    const int whole = FN(mean_of_the_plane)(args);
    FN(pool_spans) columns = { 0 };
    for (fnn_size nc = begin; nc < end; nc++) {
        REAL *dx = (REAL *)args->out + nc * H * W;
        const REAL *dy = (const REAL *)args->in + nc * g->P * g->Q;
        if (whole) {
            FN(pool_fill)(dx, H * W, dy[0] / FN(window_divisor)(args, 0, 0, H, W));
            continue;
        }
        memset(dx, 0, H * W * sizeof(REAL));
        for (fnn_size q0 = 0; q0 < g->Q; q0 += POOL_SPANS) {
            if (columns.n == 0 || g->Q > POOL_SPANS)
                FN(pool_find_spans)(&columns, args, q0);
            for (fnn_size p = 0; p < g->P; p++) {
                const pool_span rows = pool_rows(args, p);
                for (fnn_size w = 0; w < columns.n; w++) {
                    const pool_span span = columns.at[w];
                    const REAL share = dy[p * g->Q + q0 + w]
                                 / FN(window_divisor)(args, p, q0 + w, rows.end - rows.begin, span.end - span.begin);
                    for (fnn_size i = rows.begin; i < rows.end; i++)
                        for (fnn_size j = span.begin; j < span.end; j++)
                            dx[i * W + j] += share;
                }
            }
        }
    }
}

/* ---- the kernels ----------------------------------------------------------------------------- */

/* Run `block` over the tiles of all planes. Which method when: the table at the top. */
static void FN(pool_over_tiles)(pool_args *args, pool_tiles cut, fnn_block_fn block)
{
    const fnn_window *g = args->g;
    const fnn_size tiles = cut.down * cut.across;
    const fnn_work pixels = (fnn_work)g->H * g->W, seen = (fnn_work)g->P * g->Q * g->R * g->S;
    args->cut = cut;
    if (tiles > 0)
        fnn_parallel_for(g->N * g->C * tiles, pool_grain(fnn_max_work(seen / POOL_SEEN, pixels) / tiles), block, args);
}

void FN(max_pool2d_forward)(REAL *y, uint8_t *tap, const REAL *x, const fnn_window *g)
{
    pool_args args = { .out = y, .tap_out = tap, .in = x, .g = g };
    if (pool_is_two_by_two(g))
        FN(pool_over_tiles)(&args, pool_cut_2x2(g), FN(two_by_two_block));
#if V_SHUFFLES
    else if (pool_is_three_by_three(g))
        FN(pool_over_tiles)(&args, pool_cut_three(g, g->P), FN(three_block));
#endif
    else
        FN(pool_over_tiles)(&args, pool_cut_rows(g), FN(max_rows_block));
}

void FN(max_pool2d_backward)(REAL *dx, const REAL *dy, const uint8_t *tap, const fnn_window *g)
{
    pool_args args = { .out = dx, .in = dy, .tap = tap, .g = g };
    if (pool_is_two_by_two(g))
        FN(pool_over_tiles)(&args, pool_cut_2x2(g), FN(two_by_two_backward_block));
#if V_SHUFFLES
    else if (pool_is_three_by_three(g))
        FN(pool_over_tiles)(&args, pool_cut_three(g, pool_frame_rows(g)), FN(three_backward_block));
#endif
    else
        FN(pool_over_tiles)(&args, pool_cut_frames(g, pool_frame_rows(g), pool_frame_columns(g)),
                            FN(framed_backward_block));
}

void FN(max_window_pool2d_forward)(REAL *y, int32_t *argmax, const REAL *x, const fnn_window *g, int adaptive)
{
    pool_args args = { .out = y, .argmax_out = argmax, .in = x, .g = g, .adaptive = adaptive };
    fnn_parallel_for(g->N * g->C * g->P, pool_grain(g->H * g->W / g->P), FN(max_window_block), &args);
}

void FN(max_window_pool2d_backward)(REAL *dx, const REAL *dy, const int32_t *argmax, const fnn_window *g)
{
    pool_args args = { .out = dx, .in = dy, .argmax = argmax, .g = g };
    fnn_parallel_for(g->N * g->C, pool_grain(g->H * g->W), FN(argmax_backward_block), &args);
}

void FN(avg_pool2d_forward)(REAL *y, const REAL *x, const fnn_window *g, int count_padding, fnn_size divisor)
{
    pool_args args = { .out = y, .in = x, .g = g, .count_padding = count_padding, .divisor = divisor, .is_mean = 1 };
    if (pool_is_two_by_two(g))
        FN(pool_over_tiles)(&args, pool_cut_2x2(g), FN(two_by_two_block));
    else if (pool_is_framed(g))
        FN(pool_over_tiles)(&args, pool_cut_frames(g, g->P, g->Q), FN(mean_framed_block));
    else
        fnn_parallel_for(g->N * g->C * g->P, pool_grain((fnn_work)g->R * g->S * g->Q), FN(mean_window_block), &args);
}

void FN(avg_pool2d_backward)(REAL *dx, const REAL *dy, const fnn_window *g, int count_padding, fnn_size divisor)
{
    pool_args args = { .out = dx, .in = dy, .g = g, .count_padding = count_padding, .divisor = divisor };
    if (pool_is_two_by_two(g))
        FN(pool_over_tiles)(&args, pool_cut_2x2(g), FN(two_by_two_backward_block));
    else if (pool_is_framed(g))
        FN(pool_over_tiles)(&args, pool_cut_frames(g, pool_frame_rows(g), pool_frame_columns(g)),
                            FN(framed_backward_block));
    else
        fnn_parallel_for(g->N * g->C, pool_grain((fnn_work)g->P * g->Q * g->R * g->S),
                         FN(mean_window_backward_block), &args);
}

void FN(adaptive_avg_pool2d_forward)(REAL *y, const REAL *x, const fnn_window *g)
{
    pool_args args = { .out = y, .in = x, .g = g, .adaptive = 1 };
    fnn_parallel_for(g->N * g->C * g->P, pool_grain(g->H * g->W / g->P), FN(mean_window_block), &args);
}

void FN(adaptive_avg_pool2d_backward)(REAL *dx, const REAL *dy, const fnn_window *g)
{
    pool_args args = { .out = dx, .in = dy, .g = g, .adaptive = 1 };
    fnn_parallel_for(g->N * g->C, pool_grain(g->H * g->W), FN(mean_window_backward_block), &args);
}
