/* winograd_error_dw.tmpl.h -- what Winograd must notice in dw, as winograd_error.tmpl.h does in y
 * and dx. Included by winograd.tmpl.h.
 *
 * Symbols    winograd.tmpl.h, winograd_error.h; i, j: a pixel of an image, or of dy an output
 * Why        Some taps do not see the edge of the image, and products of large numbers outside a
 *            tap's own sum leave rounding errors in it.
 * Method     A channel of x, or of dy, is lopsided where the edge, which some taps do not see,
 *            outweighs the rest, or where one element does, which in some taps may meet zeros only.
 *            Its weights are summed directly. And so is, at the end, each weight that is far
 *            smaller than what its channel and filter have added up, for whatever reason.
 * Cost       as in winograd_error.tmpl.h
 */
/* ---- taps that drown ------------------------------------------------------------------------- */

typedef struct {
    const REAL *x, *dy;
    const fnn_window *g;
    fnn_size x_step, dy_step;       /* from one channel that is summed to the next */
    double *joints;                 /* [part][10]: of each tap |x| |dy|, and of the tiles */
    fnn_size parts;
} FN(wino_joint_args);

/* The absolute sum of rows [i, i_end) of some channels of an image, to `to`, whose rows are `pitch`
 * long. */
static void FN(wino_pool)(REAL *to, fnn_size pitch, const REAL *x, fnn_size channels, fnn_size step, fnn_size H,
                          fnn_size W, fnn_size i, fnn_size i_end)
{
    for (fnn_size c = 0; c < channels; c += step)
        for (fnn_size row = i; row < i_end; row++) {
            const REAL *restrict from = x + (c * H + row) * W;
            REAL *restrict line = to + (row - i) * pitch;
            for (fnn_size j = 0; j < W; j++)
                line[j] += r_abs(from[j]);
        }
}

/* Parts [begin, end) of the rows of tiles */
static void FN(wino_joint_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(wino_joint_args) *args = ctx;
    const fnn_window *g = args->g;
    const fnn_size C = g->C, K = g->K, H = g->H, W = g->W, P = g->P, Q = g->Q;
    const fnn_size down = fnn_ceil_div(P, WINO_OUT), across = fnn_ceil_div(Q, WINO_OUT), all = g->N * down;
    const fnn_size width = across * WINO_OUT, pitch = width + 2;
    const fnn_size size = (WINO_OUT + WINO_IN) * pitch * (fnn_size)sizeof(REAL);
    REAL *dy = fnn_scratch_alloc(size), *x = dy + WINO_OUT * pitch;
    for (fnn_size part = begin; part < end; part++) {
        double *joint = args->joints + part * 10;
        for (fnn_size row = part * all / args->parts; row < (part + 1) * all / args->parts; row++) {
            const fnn_size n = row / down, p0 = row % down * WINO_OUT, top = p0 - g->ph, i = fnn_max(0, top);
            memset(dy, 0, size);
            FN(wino_pool)(dy, pitch, args->dy + n * K * P * Q, K, args->dy_step, P, Q, p0, fnn_min(P, p0 + WINO_OUT));
            FN(wino_pool)(x + fnn_min(WINO_IN, i - top) * pitch + g->pw, pitch, args->x + n * C * H * W, C,
                          args->x_step, H, W, i, fnn_min(H, top + WINO_IN));
            /* all rows at once: dy ends in two zeros, where x has what a tap sees beyond */
            for (int tap = 0; tap < 9; tap++) {
                const REAL *right = x + tap / 3 * pitch + tap % 3;
                REAL sum = 0;
                #pragma omp simd reduction(+ : sum)
                for (fnn_size q = 0; q < WINO_OUT * pitch - 2; q++)
                    sum += dy[q] * right[q];
                joint[tap] += (double)sum;
            }
            /* columns of tiles, in their first rows */
            for (fnn_size j = 0; j < pitch; j++) {
                x[j] += x[pitch + j] + x[2 * pitch + j] + x[3 * pitch + j] + x[4 * pitch + j] + x[5 * pitch + j];
                dy[j] += dy[pitch + j] + dy[2 * pitch + j] + dy[3 * pitch + j];
            }
            for (fnn_size q = 0; q < width; q += WINO_OUT)
                joint[9] += (double)((x[q] + x[q + 1] + x[q + 2] + x[q + 3] + x[q + 4] + x[q + 5])
                                     * (dy[q] + dy[q + 1] + dy[q + 2] + dy[q + 3]));
        }
    }
    fnn_scratch_free(dy);
}

/* The least that a tap's products weigh beside those of all tiles, by every x_step-th channel of x
 * and dy_step-th of dy; 1 where all are 0 */
static double FN(wino_least_joint)(const REAL *dy, const REAL *x, fnn_size dy_step, fnn_size x_step,
                                   const fnn_window *g)
{
    double joints[WINO_JOINTS][10] = { { 0 } }, least = INFINITY, whole = 0;
    const fnn_size rows = g->N * fnn_ceil_div(g->P, WINO_OUT);
    FN(wino_joint_args) args = { x, dy, g, x_step, dy_step, joints[0], fnn_min(rows, WINO_JOINTS) };
    fnn_parallel_for(args.parts, fnn_grain(WINO_BLOCK_TILES, fnn_ceil_div(g->Q, WINO_OUT)),
                     FN(wino_joint_block), &args);
    for (int sum = 0; sum < 10; sum++) {
        double all = 0;
        for (fnn_size part = 0; part < args.parts; part++)
            all += joints[part][sum];
        if (sum < 9)
            least = fnn_min_double(all, least);
        else
            whole = all;
    }
    return whole == 0 ? 1 : least / whole;
}

/* Whether a tap of dw drowns. A sample of the channels is only a reason to look at all. */
static int FN(wino_dw_drowns)(const REAL *dy, const REAL *x, const fnn_window *g)
{
    const fnn_size x_step = fnn_ceil_div(g->C, WINO_SAMPLE), dy_step = fnn_ceil_div(g->K, WINO_SAMPLE);
    return !(FN(wino_least_joint)(dy, x, dy_step, x_step, g) * WINO_DROWN_DW >= 2)
        && !(FN(wino_least_joint)(dy, x, 1, 1, g) * WINO_DROWN_DW >= 1);
}

/* ---- what is left ---------------------------------------------------------------------------- */

typedef struct {
    REAL *dw;
    const FN(wino_args) *args;
    fnn_size *counts;               /* [filter]: weights that may have drowned */
    int sums;                       /* whether these are summed; first they are counted */
} FN(wino_drowned_args);

/* dw[k, c, r, s] as a direct sum */
static REAL FN(wino_tap_of_dw)(const REAL *dy, const REAL *x, const fnn_window *g, fnn_size k, fnn_size c, fnn_size r,
                               fnn_size s)
{
    const fnn_size H = g->H, W = g->W, P = g->P, Q = g->Q;
    const fnn_size p0 = fnn_max(0, g->ph - r), p1 = fnn_min(P, H + g->ph - r);
    const fnn_size q0 = fnn_max(0, g->pw - s), q1 = fnn_min(Q, W + g->pw - s);
    double all = 0;
    for (fnn_size n = 0; n < g->N; n++)
        for (fnn_size p = p0; p < p1; p++) {
            const REAL *restrict upstream = dy + ((n * g->K + k) * P + p) * Q;
            const REAL *restrict pixels = x + ((n * g->C + c) * H + p + r - g->ph) * W + s - g->pw;
            REAL sum = 0;
            #pragma omp simd reduction(+ : sum)
            for (fnn_size q = q0; q < q1; q++)
                sum += upstream[q] * pixels[q];
            all += (double)sum;
        }
    return (REAL)all;
}

/* Of filter k: in the first part, the reach of all parts and the smallest |dw| of their sum */
static void FN(wino_add_reach)(const FN(wino_args) *args, const REAL *dw, fnn_size k)
{
    const fnn_size C = args->g->C, weights = args->g->K * C;
    REAL *restrict reach = args->reach + k * C;
    for (fnn_size part = 1; part < args->dw_cut.parts; part++) {
        const REAL *restrict more = reach + part * weights;
        for (fnn_size c = 0; c < C; c++)
            reach[c] += more[c];
    }
    for (fnn_size c = 0; args->dw_cut.parts > 1 && c < C; c++) {
        REAL least = (REAL)INFINITY;
        for (int tap = 0; tap < 9; tap++)
            least = r_min(r_abs(dw[(k * C + c) * 9 + tap]), least);
        args->least_dw[k * C + c] = least;
    }
}

static void FN(wino_drowned_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(wino_drowned_args) *drowned = ctx;
    const FN(wino_args) *args = drowned->args;
    const fnn_size C = args->g->C;
    const REAL share = (REAL)(1.0 / WINO_DROWNED);
    for (fnn_size k = begin; k < end; k++) {
        if (!drowned->sums)
            FN(wino_add_reach)(args, drowned->dw, k);
        else if (drowned->counts[k] == 0)
            continue;
        const REAL *restrict reach = args->reach + k * C, *restrict least = args->least_dw + k * C;
        /* VL channels at a time: mostly there is nothing in them */
        for (fnn_size c0 = 0; c0 < C; c0 += VL) {
            const fnn_size c_end = fnn_min(C, c0 + VL);
            int any = 0;
            for (fnn_size c = c0; c < c_end; c++)
                any |= least[c] < reach[c] * share;
            /* each of their taps */
            for (fnn_size c = c0; any && c < c_end; c++)
                for (fnn_size tap = 0; tap < 9 && least[c] < reach[c] * share; tap++) {
                    REAL *dw = drowned->dw + (k * C + c) * 9 + tap;
                    if (!(r_abs(*dw) < reach[c] * share))
                        continue;
                    if (drowned->sums)
                        *dw = FN(wino_tap_of_dw)(args->dy, args->x, args->g, k, c, tap / 3, tap % 3);
                    else
                        drowned->counts[k]++;
                }
        }
    }
}

/* Sums directly what other numbers may have drowned. Returns 0, and sums nothing, where that is so
 * much that all of dw had better be computed by another method. */
static int FN(wino_sum_drowned)(REAL *dw, const FN(wino_args) *args)
{
    const fnn_window *g = args->g;
    const fnn_size size = g->K * (fnn_size)sizeof(fnn_size);
    fnn_size count = 0;
    FN(wino_drowned_args) drowned = { dw, args, fnn_scratch_alloc(size), 0 };
    memset(drowned.counts, 0, size);
    fnn_parallel_for(g->K, fnn_grain(PARTS_COPY, 9 * g->C), FN(wino_drowned_block), &drowned);
    for (fnn_size k = 0; k < g->K; k++)
        count += drowned.counts[k];
    const int few = count <= g->K * g->C * 9 / WINO_DROWNED_FEW;
    drowned.sums = 1;
    if (count > 0 && few)
        fnn_parallel_for(g->K, 1, FN(wino_drowned_block), &drowned);
    fnn_scratch_free(drowned.counts);
    return few;
}

/* ---- lopsided channels ----------------------------------------------------------------------- */

/* The elements along an axis that all three taps see: [*from, *to) of a row of x, or of dy. */
static void FN(wino_inner)(fnn_size H, fnn_size P, fnn_size ph, int of_dy, fnn_size *from, fnn_size *to)
{
    *from = fnn_max(0, of_dy ? ph : 2 - ph);
    *to = of_dy ? fnn_min(P, H + ph - 2) : fnn_min(H, P - ph);
}

/* The absolute sum of n pixels, VL channels side by side; and the largest of them and *largest. */
FNN_INLINE vec FN(wino_line)(const REAL *pixels, fnn_size n, vec *largest)
{
    vec sum = v_set(0), most = *largest;
#pragma GCC unroll 4
    for (fnn_size i = 0; i < n; i++) {
        const vec size = v_abs(v_load(pixels + i * VL));
        sum += size;
        most = v_max(size, most);
    }
    *largest = most;
    return sum;
}

/* Rows [i, i_end) of VL channels side by side, into their tally. pixels begins at row `first`. */
static void FN(wino_tally)(REAL *tally, const REAL *pixels, fnn_size first, fnn_size i, fnn_size i_end,
                           const fnn_window *g, int of_dy)
{
    const fnn_size W = of_dy ? g->Q : g->W;
    fnn_size top, bottom, left, right;
    FN(wino_inner)(g->H, g->P, g->ph, of_dy, &top, &bottom);
    FN(wino_inner)(g->W, g->Q, g->pw, of_dy, &left, &right);
    vec inner = v_load(tally + WINO_INNER * VL), outer = v_load(tally + WINO_OUTER * VL);
    vec largest = v_load(tally + WINO_LARGEST * VL);
    for (; i < i_end; i++) {
        const REAL *line = pixels + (i - first) * W * VL;
        if (i < top || i >= bottom || left >= right) {
            outer += FN(wino_line)(line, W, &largest);
            continue;
        }
        outer += FN(wino_line)(line, left, &largest) + FN(wino_line)(line + right * VL, W - right, &largest);
        inner += FN(wino_line)(line + left * VL, right - left, &largest);
    }
    v_store(tally + WINO_INNER * VL, inner);
    v_store(tally + WINO_LARGEST * VL, largest);
    v_store(tally + WINO_OUTER * VL, outer);
}

/* Whether in a channel the edge outweighs all that every tap sees, or one element all others. The
 * others are added up by themselves: in the difference of all and largest they would be lost. */
static int FN(wino_outweighs)(const REAL *x, fnn_size channel, fnn_size channels, const fnn_window *g, int of_dy)
{
    const fnn_size H = of_dy ? g->P : g->H, W = of_dy ? g->Q : g->W;
    fnn_size top, bottom, left, right;
    double inner = 0, outer = 0, largest = 0, rest = 0;
    FN(wino_inner)(g->H, g->P, g->ph, of_dy, &top, &bottom);
    FN(wino_inner)(g->W, g->Q, g->pw, of_dy, &left, &right);
    for (fnn_size n = 0; n < g->N; n++)
        for (fnn_size i = 0; i < H; i++)
            for (fnn_size j = 0; j < W; j++) {
                const double value = x[((n * channels + channel) * H + i) * W + j], size = value < 0 ? -value : value;
                *(i >= top && i < bottom && j >= left && j < right ? &inner : &outer) += size;
                rest += fnn_min_double(largest, size);
                largest = fnn_max_double(size, largest);
            }
    return inner * WINO_FAINT < outer || rest * WINO_OUTWEIGHS < largest;
}

/* Which of the channels of x, or of dy, are lopsided: found[channel]. Returns how many. A tally
 * that is suspicious is only a reason to look at the channel itself. */
static fnn_size FN(wino_find_lopsided_channels)(char *found, const REAL *tallies, fnn_size step, fnn_size parts,
                                                const REAL *x, fnn_size channels, const fnn_window *g, int of_dy)
{
    fnn_size count = 0;
    for (fnn_size c = 0; c < channels; c++) {
        const REAL *tally = tallies + c / VL * WINO_TALLIES * VL + c % VL;
        REAL inner = 0, outer = 0, largest = 0;
        for (fnn_size part = 0; part < parts; part++) {
            inner += tally[part * step + WINO_INNER * VL];
            outer += tally[part * step + WINO_OUTER * VL];
            largest = r_max(tally[part * step + WINO_LARGEST * VL], largest);
        }
        const int suspicious = inner * (WINO_FAINT / 2) < outer
                            || (inner + outer - largest) * (WINO_OUTWEIGHS / 2) < largest;
        found[c] = suspicious && FN(wino_outweighs)(x, c, channels, g, of_dy);
        count += found[c];
    }
    return count;
}

typedef struct {
    REAL *dw;
    const REAL *dy, *x;
    const char *lopsided_channels, *lopsided_filters;   /* [channel], [filter]: whether it is */
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
        if (!args->lopsided_channels[c] && !memchr(args->lopsided_filters, 1, K))
            continue;
        for (fnn_size n = 0; n < g->N; n++)
            for (fnn_size q0 = 0; q0 < PQ; q0 += most) {
                const fnn_size width = fnn_min(most, PQ - q0), together = args->lopsided_channels[c] ? K : 1;
                FN(im2col)(cols, width, args->x + n * C * g->H * g->W, g, c * 9, c * 9 + 9, q0, q0 + width);
                /* forward was  y = w . cols */
                for (fnn_size k = 0; k < K; k += together)
                    if (together == K || args->lopsided_filters[k])
                        FN(gemm)(args->dw + (k * C + c) * 9, C * 9, args->dy + (n * K + k) * PQ + q0, PQ, 1, cols, 1,
                                 width, NULL, NULL, together, 9, width, n + q0 > 0 ? FNN_GEMM_ADD : 0);
            }
    }
    fnn_scratch_free(cols);
}
