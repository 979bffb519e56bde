/* gemm_skinny.tmpl.h -- part of gemm.tmpl.h: products with a few vectors, where the matrix is read once and memory is the limit.
 *
 *     Y[i, j] = sum_p X[i, p] W[p, j]          i < rows <= GEMM_SKINNY;  W is B (C = Y), or A transposed (C = Y transposed)
 *
 * The order of the sum is the same for every layout of W: VL partial sums, the products p, p + VL, p + 2 VL, ... in partial sum p % VL,
 * then the halves of the partial sums are added until one number is left.
 *     columns of W adjacent along p    one vector holds the partial sums of one j; 8 columns at a time
 *     rows of W adjacent along j       VL vectors hold the partial sums of VL neighbouring j
 *     neither                          columns are copied first
 */
typedef struct {
    REAL *y;
    const REAL *x, *w, *bias_i, *bias_j;            /* X[i,p] at x + i * xs + p * xp, and so on:  */
    fnn_size yi, yj, xs, xp, wp, wj, rows, columns, k;
    int accumulate;
} FN(skinny_args);

/* The sum of each vector's elements, halves first, as skinny_strip does it */
static void FN(skinny_fold)(const vec *sum, fnn_size count, REAL *out)
{
    REAL s[GEMM_VL];
    for (fnn_size j = 0; j < count; j++) {
        v_store(s, sum[j]);
#pragma GCC unroll 4
        for (fnn_size half = VL / 2; half > 0; half /= 2)
            for (fnn_size l = 0; l < half; l++)
                s[l] += s[l + half];
        out[j] = s[0];
    }
}

/* Y[i, j .. j + count) from their sums */
static void FN(skinny_put)(const FN(skinny_args) *g, fnn_size i, fnn_size j, fnn_size count, const REAL *sums)
{
    const REAL bias_i = g->bias_i ? g->bias_i[i] : 0;
    REAL *y = g->y + i * g->yi + j * g->yj;
    for (fnn_size c = 0; c < count; c++) {
        REAL sum = sums[c];
        if (g->accumulate)
            sum += y[c * g->yj];
        sum += bias_i;
        if (g->bias_j)
            sum += g->bias_j[j + c];
        y[c * g->yj] = sum;
    }
}

/* The last k % VL elements of `count` columns, each in a vector with zeros behind */
static void FN(skinny_rest)(REAL *to, const REAL *from, fnn_size count, fnn_size stride, fnn_size rest)
{
    for (fnn_size j = 0; j < count; j++)
        for (fnn_size l = 0; l < rest; l++)
            to[j * VL + l] = from[j * stride + l];
}

/* `count` columns, adjacent along p and ws apart, with one row of X */
FNN_INLINE void FN(skinny_dot)(const fnn_size count, const REAL *x, const REAL *w, fnn_size ws, fnn_size k, REAL *out)
{
    vec sum[SKINNY_COLUMNS];
#pragma GCC unroll 8
    for (fnn_size j = 0; j < count; j++)
        sum[j] = v_set(0);
    fnn_size p = 0;
    for (; p + VL <= k; p += VL) {
        vec xp = v_load(x + p);
#pragma GCC unroll 8
        for (fnn_size j = 0; j < count; j++)
            sum[j] += xp * v_load(w + j * ws + p);
    }
    if (p < k) {
        REAL rest[1 + SKINNY_COLUMNS][GEMM_VL] = {{0}};
        FN(skinny_rest)(rest[0], x + p, 1, 0, k - p);
        FN(skinny_rest)(rest[1], w + p, count, ws, k - p);
        vec xp = v_load(rest[0]);
#pragma GCC unroll 8
        for (fnn_size j = 0; j < count; j++)
            sum[j] += xp * v_load(rest[1 + j]);
    }
    FN(skinny_fold)(sum, count, out);
}

/* VL neighbouring columns, adjacent along j, with one row of X */
static void FN(skinny_strip)(const REAL *x, const REAL *w, fnn_size wp, fnn_size k, REAL *out)
{
    vec sum[GEMM_VL];
#pragma GCC unroll 16
    for (fnn_size l = 0; l < VL; l++)
        sum[l] = v_set(0);
    fnn_size p = 0;
    for (; p + VL <= k; p += VL) {
#pragma GCC unroll 16
        for (fnn_size l = 0; l < VL; l++)
            sum[l] += v_set(x[p + l]) * v_load(w + (p + l) * wp);
    }
#pragma GCC unroll 16
    for (fnn_size l = 0; l < VL; l++)
        if (p + l < k)
            sum[l] += v_set(x[p + l]) * v_load(w + (p + l) * wp);
#pragma GCC unroll 4
    for (fnn_size half = VL / 2; half > 0; half /= 2)
#pragma GCC unroll 8
        for (fnn_size l = 0; l < half; l++)
            sum[l] += sum[l + half];
    v_store(out, sum[0]);
}

/* Columns [begin, end) of Y for products [0, k), k <= GEMM_SKINNY_K. `room` holds SKINNY_COLUMNS columns of W. */
static void FN(skinny_columns)(const FN(skinny_args) *g, fnn_size begin, fnn_size end, REAL *room)
{
    REAL out[SKINNY_COLUMNS > GEMM_VL ? SKINNY_COLUMNS : GEMM_VL];
    for (fnn_size j = begin; j < end;) {
        const REAL *w = g->w + j * g->wj;
        fnn_size count = end - j, ws = g->wj;
        if (g->wp != 1 && g->wj == 1 && count >= VL) {
            for (fnn_size i = 0; i < g->rows; i++) {
                FN(skinny_strip)(g->x + i * g->xs, w, g->wp, g->k, out);
                FN(skinny_put)(g, i, j, VL, out);
            }
            j += VL;
            continue;
        }
        count = count >= 8 ? 8 : count >= 4 ? 4 : count >= 2 ? 2 : 1;
        if (g->wp != 1) {
            for (fnn_size p = 0; p < g->k; p++)
                for (fnn_size c = 0; c < count; c++)
                    room[c * g->k + p] = w[p * g->wp + c * g->wj];
            w = room;
            ws = g->k;
        }
        for (fnn_size i = 0; i < g->rows; i++) {
            const REAL *x = g->x + i * g->xs;
            switch (count) {
            case 8: FN(skinny_dot)(8, x, w, ws, g->k, out); break;
            case 4: FN(skinny_dot)(4, x, w, ws, g->k, out); break;
            case 2: FN(skinny_dot)(2, x, w, ws, g->k, out); break;
            default: FN(skinny_dot)(1, x, w, ws, g->k, out); break;
            }
            FN(skinny_put)(g, i, j, count, out);
        }
        j += count;
    }
}

static void FN(skinny_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(skinny_args) *whole = ctx;
    const fnn_size step = gemm_min(whole->k, GEMM_SKINNY_K);
    REAL *room = fnn_scratch_alloc((size_t)((SKINNY_COLUMNS + whole->rows) * step) * sizeof(REAL));
    REAL *copy = room + SKINNY_COLUMNS * step;
    for (fnn_size p = 0; p < whole->k; p += step) {
        FN(skinny_args) g = *whole;
        g.k = gemm_min(step, whole->k - p);
        g.x += p * g.xp;
        g.w += p * g.wp;
        if (g.xp != 1) {
            for (fnn_size i = 0; i < g.rows; i++)
                for (fnn_size q = 0; q < g.k; q++)
                    copy[i * step + q] = g.x[i * g.xs + q * g.xp];
            g.x = copy;
            g.xs = step;
        }
        if (p > 0)
            g.accumulate = 1;
        if (p + g.k < whole->k)
            g.bias_i = g.bias_j = NULL;
        FN(skinny_columns)(&g, begin, end, room);
    }
    fnn_scratch_free(room);
}

static void FN(gemm_skinny)(const FN(gemm_args) *g)
{
    FN(skinny_args) s = { g->c, g->a, g->b, g->bias_row, g->bias_col, g->rsc, 1, g->rsa, g->csa, g->rsb, g->csb,
                          g->m, g->n, g->k, g->accumulate };
    if (g->m > GEMM_SKINNY)                         /* then n is small: C transposed = B transposed * A transposed */
        s = (FN(skinny_args)){ g->c, g->b, g->a, g->bias_col, g->bias_row, 1, g->rsc, g->csb, g->rsb, g->csa, g->rsa,
                               g->n, g->m, g->k, g->accumulate };
    fnn_size grain = (GEMM_SKINNY_WORK / s.k + 16) / 16 * 16;
    fnn_parallel_for(s.columns, grain, FN(skinny_block), &s);
}
