/* pool2d.tmpl.h -- the largest value or the mean of each window of every plane.
 *
 * Math       max   y[p,q] = max over taps (r,s) of x[i,j],  i = p*sh - ph + r*dh,  j = q*sw - pw + s*dw, inside the image
 *                  dx[i,j] = sum of dy[p,q] over the windows whose first maximum is (i,j)
 *            mean  y[p,q] = (sum over taps of x[i,j]) / d[p,q]
 *                  dx[i,j] = sum over the windows that see (i,j) of dy[p,q] / d[p,q]
 *            adaptive: the window of p is rows floor(p*H/P) to ceil((p+1)*H/P) - 1, likewise for q
 * Symbols    window.h; a plane is x[n,c,:,:].
 * Layout     x [N][C][H][W]   y, argmax [N][C][P][Q]
 * Method     one output row at a time: tap by tap, the row of y is compared with (or added) a shifted row of x, so the inner
 *            loop runs along q and is vectorised. 2x2 windows side by side, the usual case, take one pass over x. Long windows
 *            (S > Q, such as the mean of the whole plane) are summed along the window instead.
 * Cost       reads x R*S/(sh*sw) times from the first-level cache and once from memory: bound by memory.
 * Threads    blocks of planes; a window never leaves its plane.
 * Reference  fastnn/reference/pool2d.py, fastnn/reference/adaptive_pool.py
 */
#ifndef FNN_POOL2D_ONCE
#define FNN_POOL2D_ONCE
enum { POOL_GRAIN = 16384 };                        /* elements visited in a block */

typedef struct {
    void *out;
    int32_t *argmax_out;
    const void *in;
    const int32_t *argmax;
    const fnn_window *g;
    fnn_size divisor;
    int count_padding;
} pool_args;

static fnn_size pool_grain(const fnn_window *g, fnn_size taps)
{
    return fnn_max(1, POOL_GRAIN / fnn_max(g->H * g->W, g->P * g->Q * taps));
}

/* 2x2 windows side by side, all inside the image */
static int pool_is_two_by_two(const fnn_window *g)
{
    return g->R == 2 && g->S == 2 && g->sh == 2 && g->sw == 2 && g->dh == 1 && g->dw == 1 && g->ph == 0 && g->pw == 0
        && 2 * g->P <= g->H && 2 * g->Q <= g->W;
}

/* For adaptive pooling whose windows are all alike: that ordinary pooling. */
static int pool_is_even(const fnn_window *g) { return g->H % g->P == 0 && g->W % g->Q == 0; }

static fnn_window pool_even(const fnn_window *g)
{
    fnn_window e = *g;
    e.R = e.sh = g->H / g->P;
    e.S = e.sw = g->W / g->Q;
    e.ph = e.pw = 0;
    e.dh = e.dw = 1;
    return e;
}

/* The window of output p in adaptive pooling. */
static inline fnn_size adaptive_begin(fnn_size p, fnn_size H, fnn_size P) { return p * H / P; }
static inline fnn_size adaptive_end(fnn_size p, fnn_size H, fnn_size P) { return fnn_ceil_div((p + 1) * H, P); }

/* Elements that window p of the mean counts along one direction: its part in the image, or in the padded image. */
static inline fnn_size mean_count(fnn_size p, fnn_size size, fnn_size taps, fnn_size stride, fnn_size pad, int count_padding)
{
    const fnn_size begin = p * stride - pad;
    const fnn_size end = fnn_min(begin + taps, size + pad);
    return count_padding ? end - begin : fnn_max(1, fnn_min(end, size) - fnn_max(begin, 0));
}
#endif

/* ---- the largest value -------------------------------------------------------------------------------------------------- */

/* One tap along a row: y[q] = max(y[q], x[q*sw]) for q in [a, b), and where from: x[q*sw] is at first + q*sw in the plane.
 * A window's first pixel is always taken (argmax is -1 until then), and so is NaN. */
FNN_INLINE void FN(max_tap)(REAL *restrict y, int32_t *restrict argmax, const REAL *restrict x, int32_t first, fnn_size sw,
                            fnn_size a, fnn_size b)
{
    for (fnn_size q = a; q < b; q++) {
        const REAL v = x[q * sw];
        const int take = (v > y[q]) | (v != v) | (argmax[q] < 0);
        y[q] = take ? v : y[q];
        argmax[q] = take ? first + (int32_t)(q * sw) : argmax[q];
    }
}

static void FN(max_plane)(REAL *restrict y, int32_t *restrict argmax, const REAL *restrict x, const fnn_window *g)
{
    const fnn_size Q = g->Q, W = g->W, sw = g->sw;
    for (fnn_size p = 0; p < g->P; p++, y += Q, argmax += Q) {
        for (fnn_size q = 0; q < Q; q++) {
            y[q] = -(REAL)INFINITY;
            argmax[q] = -1;
        }
        for (fnn_size r = 0; r < g->R; r++) {
            const fnn_size i = p * g->sh - g->ph + r * g->dh;
            if (i < 0 || i >= g->H) continue;
            for (fnn_size s = 0; s < g->S; s++) {
                const fnn_size j = s * g->dw - g->pw;                           /* tap s of output q sees column q*sw + j */
                fnn_size a, b;
                fnn_inside(W, Q, sw, j, &a, &b);
                const REAL *x_ij = x + i * W + j;
                if (sw == 1) FN(max_tap)(y, argmax, x_ij, (int32_t)(i * W + j), 1, a, b);
                else if (sw == 2) FN(max_tap)(y, argmax, x_ij, (int32_t)(i * W + j), 2, a, b);
                else FN(max_tap)(y, argmax, x_ij, (int32_t)(i * W + j), sw, a, b);
            }
        }
    }
}

static void FN(max_plane_2x2)(REAL *restrict y, int32_t *restrict argmax, const REAL *restrict x, const fnn_window *g)
{
    const fnn_size Q = g->Q, W = g->W;
    for (fnn_size p = 0; p < g->P; p++, y += Q, argmax += Q) {
        const REAL *restrict upper = x + 2 * p * W, *restrict lower = upper + W;
        const int32_t first = (int32_t)(2 * p * W), width = (int32_t)W;
        for (fnn_size q = 0; q < Q; q++) {
            const REAL a = upper[2 * q], b = upper[2 * q + 1], c = lower[2 * q], d = lower[2 * q + 1];
            REAL most = a;
            int32_t from = 0;
            int take = (b > most) | (b != b);
            most = take ? b : most; from = take ? 1 : from;
            take = (c > most) | (c != c);
            most = take ? c : most; from = take ? width : from;
            take = (d > most) | (d != d);
            most = take ? d : most; from = take ? width + 1 : from;
            y[q] = most;
            argmax[q] = first + 2 * (int32_t)q + from;
        }
    }
}

static void FN(max_forward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const pool_args *args = ctx;
    const fnn_window *g = args->g;
    const fnn_size PQ = g->P * g->Q, HW = g->H * g->W;
    const int two_by_two = pool_is_two_by_two(g);
    for (fnn_size nc = begin; nc < end; nc++)
        (two_by_two ? FN(max_plane_2x2) : FN(max_plane))(
            (REAL *)args->out + nc * PQ, args->argmax_out + nc * PQ, (const REAL *)args->in + nc * HW, g);
}

void FN(max_pool2d_forward)(REAL *y, int32_t *argmax, const REAL *x, const fnn_window *g)
{
    pool_args args = { .out = y, .argmax_out = argmax, .in = x, .g = g };
    fnn_parallel_for(g->N * g->C, pool_grain(g, g->R * g->S), FN(max_forward_block), &args);
}

/* forward was  y[p,q] = x[argmax[p,q]]  so  dx[argmax[p,q]] += dy[p,q]: one pixel may be the maximum of several windows */
static void FN(max_backward_plane)(REAL *restrict dx, const REAL *restrict dy, const int32_t *restrict argmax,
                                   const fnn_window *g)
{
    memset(dx, 0, g->H * g->W * sizeof(REAL));
    for (fnn_size pq = 0; pq < g->P * g->Q; pq++)
        if (argmax[pq] >= 0)
            dx[argmax[pq]] += dy[pq];
}

/* The same where each pixel belongs to one window: it asks whether it was chosen, and dx is written in one pass. */
static void FN(max_backward_plane_2x2)(REAL *restrict dx, const REAL *restrict dy, const int32_t *restrict argmax,
                                       const fnn_window *g)
{
    const fnn_size Q = g->Q, W = g->W;
    for (fnn_size p = 0; p < g->P; p++, dy += Q, argmax += Q) {
        REAL *restrict upper = dx + 2 * p * W, *restrict lower = upper + W;
        const int32_t first = (int32_t)(2 * p * W), width = (int32_t)W;
        for (fnn_size q = 0; q < Q; q++) {
            const int32_t from = argmax[q] - first - 2 * (int32_t)q;
            const REAL d = dy[q];
            upper[2 * q] = from == 0 ? d : 0;
            upper[2 * q + 1] = from == 1 ? d : 0;
            lower[2 * q] = from == width ? d : 0;
            lower[2 * q + 1] = from == width + 1 ? d : 0;
        }
        for (fnn_size j = 2 * Q; j < W; j++)
            upper[j] = lower[j] = 0;
    }
    memset(dx + 2 * g->P * W, 0, (g->H - 2 * g->P) * W * sizeof(REAL));
}

static void FN(max_backward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const pool_args *args = ctx;
    const fnn_window *g = args->g;
    const fnn_size PQ = g->P * g->Q, HW = g->H * g->W;
    const int two_by_two = pool_is_two_by_two(g);
    for (fnn_size nc = begin; nc < end; nc++)
        (two_by_two ? FN(max_backward_plane_2x2) : FN(max_backward_plane))(
            (REAL *)args->out + nc * HW, (const REAL *)args->in + nc * PQ, args->argmax + nc * PQ, g);
}

void FN(max_pool2d_backward)(REAL *dx, const REAL *dy, const int32_t *argmax, const fnn_window *g)
{
    pool_args args = { .out = dx, .in = dy, .argmax = argmax, .g = g };
    fnn_parallel_for(g->N * g->C, pool_grain(g, 1), FN(max_backward_block), &args);
}

/* ---- the mean ----------------------------------------------------------------------------------------------------------- */

/* The divisor of window (p, q), when rows is what the window counts vertically. */
FNN_INLINE REAL FN(mean_divisor)(const pool_args *args, fnn_size rows, fnn_size q)
{
    const fnn_window *g = args->g;
    return (REAL)(args->divisor ? args->divisor : rows * mean_count(q, g->W, g->S, g->sw, g->pw, args->count_padding));
}

/* y[q] = x[q] / divisor of window (p, q); x may be y. Between the edges all divisors are the same. */
static void FN(mean_divide)(REAL *y, const REAL *x, const pool_args *args, fnn_size p)
{
    const fnn_window *g = args->g;
    const fnn_size rows = mean_count(p, g->H, g->R, g->sh, g->ph, args->count_padding);
    fnn_size a, b, to, from;
    fnn_inside(g->W, g->Q, g->sw, -g->pw, &a, &to);
    fnn_inside(g->W, g->Q, g->sw, g->S - 1 - g->pw, &from, &b);
    a = fnn_max(a, from);
    b = fnn_max(fnn_min(b, to), a);
    const REAL same = (REAL)(args->divisor ? args->divisor : rows * g->S);
    for (fnn_size q = 0; q < a; q++) y[q] = x[q] / FN(mean_divisor)(args, rows, q);
    for (fnn_size q = a; q < b; q++) y[q] = x[q] / same;
    for (fnn_size q = b; q < g->Q; q++) y[q] = x[q] / FN(mean_divisor)(args, rows, q);
}

FNN_INLINE void FN(add_tap)(REAL *restrict y, const REAL *restrict x, fnn_size sw, fnn_size a, fnn_size b)
{
    for (fnn_size q = a; q < b; q++)
        y[q] += x[q * sw];
}

static void FN(mean_plane)(REAL *restrict y, const REAL *restrict x, const pool_args *args)
{
    const fnn_window *g = args->g;
    const fnn_size Q = g->Q, W = g->W, sw = g->sw;
    for (fnn_size p = 0; p < g->P; p++, y += Q) {
        const fnn_size i0 = fnn_max(p * g->sh - g->ph, 0), i1 = fnn_min(p * g->sh - g->ph + g->R, g->H);
        if (Q == 1 && g->pw == 0 && g->S >= W) {    /* whole rows, such as the whole plane: one sum */
            REAL sum = 0;
            #pragma omp simd reduction(+ : sum)
            for (fnn_size ij = i0 * W; ij < i1 * W; ij++)
                sum += x[ij];
            y[0] = sum / FN(mean_divisor)(args, mean_count(p, g->H, g->R, g->sh, g->ph, args->count_padding), 0);
            continue;
        }
        for (fnn_size q = 0; q < Q; q++)
            y[q] = 0;
        for (fnn_size i = i0; i < i1; i++) {
            const REAL *x_i = x + i * W;
            if (g->S > Q) {                         /* long windows: sum along each */
                for (fnn_size q = 0; q < Q; q++) {
                    const fnn_size j0 = fnn_max(q * sw - g->pw, 0), j1 = fnn_min(q * sw - g->pw + g->S, W);
                    REAL sum = 0;
                    #pragma omp simd reduction(+ : sum)
                    for (fnn_size j = j0; j < j1; j++)
                        sum += x_i[j];
                    y[q] += sum;
                }
                continue;
            }
            for (fnn_size s = 0; s < g->S; s++) {
                fnn_size a, b;
                fnn_inside(W, Q, sw, s - g->pw, &a, &b);
                const REAL *x_ij = x_i + (s - g->pw);
                if (sw == 1) FN(add_tap)(y, x_ij, 1, a, b);
                else if (sw == 2) FN(add_tap)(y, x_ij, 2, a, b);
                else FN(add_tap)(y, x_ij, sw, a, b);
            }
        }
        FN(mean_divide)(y, y, args, p);
    }
}

static void FN(mean_plane_2x2)(REAL *restrict y, const REAL *restrict x, const pool_args *args)
{
    const fnn_window *g = args->g;
    const fnn_size Q = g->Q, W = g->W;
    const REAL divisor = (REAL)(args->divisor ? args->divisor : 4);
    for (fnn_size p = 0; p < g->P; p++, y += Q) {
        const REAL *restrict upper = x + 2 * p * W, *restrict lower = upper + W;
        for (fnn_size q = 0; q < Q; q++)
            y[q] = (((upper[2 * q] + upper[2 * q + 1]) + lower[2 * q]) + lower[2 * q + 1]) / divisor;
    }
}

static void FN(mean_forward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const pool_args *args = ctx;
    const fnn_window *g = args->g;
    const int two_by_two = pool_is_two_by_two(g);
    for (fnn_size nc = begin; nc < end; nc++)
        (two_by_two ? FN(mean_plane_2x2) : FN(mean_plane))(
            (REAL *)args->out + nc * g->P * g->Q, (const REAL *)args->in + nc * g->H * g->W, args);
}

void FN(avg_pool2d_forward)(REAL *y, const REAL *x, const fnn_window *g, int count_padding, fnn_size divisor)
{
    pool_args args = { .out = y, .in = x, .g = g, .count_padding = count_padding, .divisor = divisor };
    fnn_parallel_for(g->N * g->C, pool_grain(g, g->R * g->S), FN(mean_forward_block), &args);
}

/* dx[q*sw] += d[q] */
FNN_INLINE void FN(spread_tap)(REAL *restrict dx, const REAL *restrict d, fnn_size sw, fnn_size a, fnn_size b)
{
    for (fnn_size q = a; q < b; q++)
        dx[q * sw] += d[q];
}

/* forward was  y[p,q] = (sum of x[i,j]) / d  so  dx[i,j] += dy[p,q] / d.  One piece of an output row at a time is divided. */
static void FN(mean_backward_plane)(REAL *restrict dx, const REAL *restrict dy, const pool_args *args)
{
    const fnn_window *g = args->g;
    const fnn_size Q = g->Q, W = g->W, sw = g->sw;
    memset(dx, 0, g->H * W * sizeof(REAL));
    for (fnn_size p = 0; p < g->P; p++) {
        const fnn_size i0 = fnn_max(p * g->sh - g->ph, 0), i1 = fnn_min(p * g->sh - g->ph + g->R, g->H);
        const fnn_size rows = mean_count(p, g->H, g->R, g->sh, g->ph, args->count_padding);
        for (fnn_size q0 = 0; q0 < Q; q0 += 64) {
            const fnn_size q1 = fnn_min(q0 + 64, Q);
            REAL d[64];
            for (fnn_size q = q0; q < q1; q++)
                d[q - q0] = dy[p * Q + q] / FN(mean_divisor)(args, rows, q);
            for (fnn_size i = i0; i < i1; i++) {
                if (g->S > Q) {                     /* long windows: along each */
                    for (fnn_size q = q0; q < q1; q++) {
                        const fnn_size j1 = fnn_min(q * sw - g->pw + g->S, W);
                        const REAL d_q = d[q - q0];
                        for (fnn_size j = fnn_max(q * sw - g->pw, 0); j < j1; j++)
                            dx[i * W + j] += d_q;
                    }
                    continue;
                }
                for (fnn_size s = 0; s < g->S; s++) {
                    fnn_size a, b;
                    fnn_inside(W, Q, sw, s - g->pw, &a, &b);
                    a = fnn_max(a, q0) - q0;
                    b = fnn_min(b, q1) - q0;
                    REAL *dx_ij = dx + i * W + q0 * sw + s - g->pw;
                    if (sw == 1) FN(spread_tap)(dx_ij, d, 1, a, b);
                    else if (sw == 2) FN(spread_tap)(dx_ij, d, 2, a, b);
                    else FN(spread_tap)(dx_ij, d, sw, a, b);
                }
            }
        }
    }
}

static void FN(mean_backward_plane_2x2)(REAL *restrict dx, const REAL *restrict dy, const pool_args *args)
{
    const fnn_window *g = args->g;
    const fnn_size Q = g->Q, W = g->W;
    const REAL divisor = (REAL)(args->divisor ? args->divisor : 4);
    for (fnn_size p = 0; p < g->P; p++, dy += Q) {
        REAL *restrict upper = dx + 2 * p * W, *restrict lower = upper + W;
        for (fnn_size q = 0; q < Q; q++)
            upper[2 * q] = upper[2 * q + 1] = lower[2 * q] = lower[2 * q + 1] = dy[q] / divisor;
        for (fnn_size j = 2 * Q; j < W; j++)
            upper[j] = lower[j] = 0;
    }
    memset(dx + 2 * g->P * W, 0, (g->H - 2 * g->P) * W * sizeof(REAL));
}

static void FN(mean_backward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const pool_args *args = ctx;
    const fnn_window *g = args->g;
    const int two_by_two = pool_is_two_by_two(g);
    for (fnn_size nc = begin; nc < end; nc++)
        (two_by_two ? FN(mean_backward_plane_2x2) : FN(mean_backward_plane))(
            (REAL *)args->out + nc * g->H * g->W, (const REAL *)args->in + nc * g->P * g->Q, args);
}

void FN(avg_pool2d_backward)(REAL *dx, const REAL *dy, const fnn_window *g, int count_padding, fnn_size divisor)
{
    pool_args args = { .out = dx, .in = dy, .g = g, .count_padding = count_padding, .divisor = divisor };
    fnn_parallel_for(g->N * g->C, pool_grain(g, g->R * g->S), FN(mean_backward_block), &args);
}

/* ---- adaptive: windows of different sizes; one after another ------------------------------------------------------------ */
static void FN(adaptive_max_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const pool_args *args = ctx;
    const fnn_window *g = args->g;
    const fnn_size H = g->H, W = g->W, P = g->P, Q = g->Q;
    for (fnn_size nc = begin; nc < end; nc++) {
        const REAL *x = (const REAL *)args->in + nc * H * W;                               /* x[n, c, :, :] */
        for (fnn_size p = 0; p < P; p++)
            for (fnn_size q = 0; q < Q; q++) {
                const fnn_size i0 = adaptive_begin(p, H, P), j0 = adaptive_begin(q, W, Q), j1 = adaptive_end(q, W, Q);
                fnn_size at = i0 * W + j0;
                REAL most = x[at];
                for (fnn_size i = i0; i < adaptive_end(p, H, P); i++)
                    for (fnn_size j = j0; j < j1; j++)
                        if (x[i * W + j] > most || x[i * W + j] != x[i * W + j]) {
                            at = i * W + j;
                            most = x[at];
                        }
                ((REAL *)args->out)[(nc * P + p) * Q + q] = most;
                args->argmax_out[(nc * P + p) * Q + q] = (int32_t)at;
            }
    }
}

void FN(adaptive_max_pool2d_forward)(REAL *y, int32_t *argmax, const REAL *x, const fnn_window *g)
{
    if (pool_is_even(g)) {
        const fnn_window even = pool_even(g);
        FN(max_pool2d_forward)(y, argmax, x, &even);
        return;
    }
    pool_args args = { .out = y, .argmax_out = argmax, .in = x, .g = g };
    fnn_parallel_for(g->N * g->C, pool_grain(g, 4), FN(adaptive_max_block), &args);
}

static void FN(adaptive_mean_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const pool_args *args = ctx;
    const fnn_window *g = args->g;
    const fnn_size H = g->H, W = g->W, P = g->P, Q = g->Q;
    for (fnn_size nc = begin; nc < end; nc++) {
        const REAL *x = (const REAL *)args->in + nc * H * W;                               /* x[n, c, :, :] */
        for (fnn_size p = 0; p < P; p++)
            for (fnn_size q = 0; q < Q; q++) {
                const fnn_size i0 = adaptive_begin(p, H, P), i1 = adaptive_end(p, H, P);
                const fnn_size j0 = adaptive_begin(q, W, Q), j1 = adaptive_end(q, W, Q);
                REAL sum = 0;
                for (fnn_size i = i0; i < i1; i++)
                    for (fnn_size j = j0; j < j1; j++)
                        sum += x[i * W + j];
                ((REAL *)args->out)[(nc * P + p) * Q + q] = sum / (REAL)((i1 - i0) * (j1 - j0));
            }
    }
}

void FN(adaptive_avg_pool2d_forward)(REAL *y, const REAL *x, const fnn_window *g)
{
    if (pool_is_even(g)) {
        const fnn_window even = pool_even(g);
        FN(avg_pool2d_forward)(y, x, &even, 0, 0);
        return;
    }
    pool_args args = { .out = y, .in = x, .g = g };
    fnn_parallel_for(g->N * g->C, pool_grain(g, 4), FN(adaptive_mean_block), &args);
}

static void FN(adaptive_mean_backward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const pool_args *args = ctx;
    const fnn_window *g = args->g;
    const fnn_size H = g->H, W = g->W, P = g->P, Q = g->Q;
    for (fnn_size nc = begin; nc < end; nc++) {
        REAL *dx = (REAL *)args->out + nc * H * W;                                         /* dx[n, c, :, :] */
        memset(dx, 0, H * W * sizeof(REAL));
        for (fnn_size p = 0; p < P; p++)
            for (fnn_size q = 0; q < Q; q++) {
                const fnn_size i0 = adaptive_begin(p, H, P), i1 = adaptive_end(p, H, P);
                const fnn_size j0 = adaptive_begin(q, W, Q), j1 = adaptive_end(q, W, Q);
                /* forward was  y = sum / area  so  dx += dy / area */
                const REAL d = ((const REAL *)args->in)[(nc * P + p) * Q + q] / (REAL)((i1 - i0) * (j1 - j0));
                for (fnn_size i = i0; i < i1; i++)
                    for (fnn_size j = j0; j < j1; j++)
                        dx[i * W + j] += d;
            }
    }
}

void FN(adaptive_avg_pool2d_backward)(REAL *dx, const REAL *dy, const fnn_window *g)
{
    if (pool_is_even(g)) {
        const fnn_window even = pool_even(g);
        FN(avg_pool2d_backward)(dx, dy, &even, 0, 0);
        return;
    }
    pool_args args = { .out = dx, .in = dy, .g = g };
    fnn_parallel_for(g->N * g->C, pool_grain(g, 4), FN(adaptive_mean_backward_block), &args);
}
