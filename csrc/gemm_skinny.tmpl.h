/* gemm_skinny.tmpl.h -- part of gemm.tmpl.h: products with a few vectors; the matrix is read once, and memory is the limit.
 *
 *     Y[i, j] = sum_p X[i, p] W[p, j]          i < rows <= GEMM_SKINNY;  W is B (C = Y), or A transposed (C = Y transposed)
 *
 * The order of the sum is the same for every layout of W: VL partial sums, the products p, p + VL, p + 2 VL, ... in partial sum
 * p % VL, then the halves of the partial sums are added until one number is left.
 *     columns of W adjacent along p    one vector holds the partial sums of one j; 8 columns at a time
 *     rows of W adjacent along j       the partial sums of many neighbouring j are in the cache, each row of W adds to one set
 *     neither                          columns are copied first
 */
typedef struct {
    REAL *y;
    const REAL *x, *w, *bias_i, *bias_j;            /* X[i,p] at x + i * xs + p * xp, and so on:  */
    fnn_size yi, yj, xs, xp, wp, wj, rows, columns, k;
    int how;
} FN(skinny_args);

/* The sum of each vector's elements, halves first, as skinny_strip does it */
GEMM_APART void FN(skinny_fold)(const vec *sum, fnn_size count, REAL *out)
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
GEMM_APART void FN(skinny_put)(const FN(skinny_args) *g, fnn_size i, fnn_size j, fnn_size count, const REAL *sums)
{
    const REAL bias_i = g->bias_i ? g->bias_i[i] : 0;
    REAL *y = g->y + i * g->yi + j * g->yj;
    for (fnn_size c = 0; c < count; c++, y += g->yj) {
        const REAL sum = sums[c] + (g->how & FNN_GEMM_ADD ? *y : 0) + bias_i + (g->bias_j ? g->bias_j[j + c] : 0);
        *y = g->how & FNN_GEMM_RELU && sum < 0 ? 0 : sum;
    }
}

/* The last k % VL elements of `count` columns, each in a vector with zeros behind */
GEMM_APART void FN(skinny_rest)(REAL *to, const REAL *from, fnn_size count, fnn_size stride, fnn_size rest)
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

/* sum[c] += x[0] w[c] + x[VL] w[VL * wp + c] + ...: `count` <= 4 products of one partial sum, for `width` neighbouring columns.
 * `next`: w of the next call. A processor foresees little of rows that are read in pieces, so these are asked for here. (For 1 x 1024 x
 * 1024, asking for the L2 cache alone takes 1.1 times as long; asking for what is 512 to 2048 bytes ahead in the same rows, 1.4 to 1.8
 * times; not asking, 1.05 times. Eight rows at a time gain 1 % there, and with two rows of X lose 30 %.) */
FNN_INLINE void FN(skinny_add)(const fnn_size count, REAL *restrict sum, const REAL *x, const REAL *restrict w, fnn_size wp,
                               fnn_size width, const REAL *next)
{
    for (fnn_size c = 0; c < width; c += VL) {
        vec s = v_load(sum + c);
        if (next)
#pragma GCC unroll 4
            for (fnn_size q = 0; q < count; q++)
                __builtin_prefetch(next + q * VL * wp + c);
#pragma GCC unroll 4
        for (fnn_size q = 0; q < count; q++)
            s += v_set(x[q * VL]) * v_load(w + q * VL * wp + c);
        v_store(sum + c, s);
    }
}

/* `width` neighbouring columns, adjacent along j, with all rows of X. The partial sums, [rows][VL][width], are in the cache, so
 * that memory is read in long pieces: four rows of W at a time. */
static void FN(skinny_band)(const FN(skinny_args) *g, fnn_size j, fnn_size width, REAL *sums)
{
    const REAL *w = g->w + j;
    memset(sums, 0, (size_t)(g->rows * VL * width) * sizeof(REAL));
    fnn_size p = 0;
    for (; p + 4 * VL <= g->k; p += 4 * VL)
        for (fnn_size l = p; l < p + VL; l++) {
            const fnn_size then = l + 1 < p + VL ? l + 1 : p + 4 * VL;
            const REAL *next = then + 3 * VL < g->k ? w + then * g->wp : NULL;
            for (fnn_size i = 0; i < g->rows; i++)
                FN(skinny_add)(4, sums + (i * VL + l - p) * width, g->x + i * g->xs + l, w + l * g->wp, g->wp, width,
                               i == 0 ? next : NULL);
        }
    for (; p < g->k; p += VL)
        for (fnn_size l = p; l < gemm_min(p + VL, g->k); l++)
            for (fnn_size i = 0; i < g->rows; i++)
                FN(skinny_add)(1, sums + (i * VL + l - p) * width, g->x + i * g->xs + l, w + l * g->wp, g->wp, width, NULL);
    for (fnn_size i = 0; i < g->rows; i++) {
        REAL *s = sums + i * VL * width;
        for (fnn_size half = VL / 2; half > 0; half /= 2)
            for (fnn_size c = 0; c < half * width; c += VL)
                v_store(s + c, v_load(s + c) + v_load(s + half * width + c));
        FN(skinny_put)(g, i, j, width, s);
    }
}

/* Columns [begin, end) of Y for products [0, k), k <= GEMM_SKINNY_K. `room` holds SKINNY_COLUMNS columns of W, or VL partial sums
 * of SKINNY_BAND columns. */
GEMM_APART void FN(skinny_columns)(const FN(skinny_args) *g, fnn_size begin, fnn_size end, REAL *room)
{
    REAL out[SKINNY_COLUMNS];
    for (fnn_size j = begin; j < end;) {
        const REAL *w = g->w + j * g->wj;
        fnn_size count = end - j, ws = g->wj;
        if (g->wp != 1 && g->wj == 1 && count >= VL) {
            count = gemm_min(count / VL * VL, SKINNY_BAND / g->rows / VL * VL);
            FN(skinny_band)(g, j, count, room);
            j += count;
            continue;
        }
        count = count >= SKINNY_COLUMNS ? SKINNY_COLUMNS : 1;
        if (g->wp != 1) {
            for (fnn_size p = 0; p < g->k; p++)
                for (fnn_size c = 0; c < count; c++)
                    room[c * g->k + p] = w[p * g->wp + c * g->wj];
            w = room;
            ws = g->k;
        }
        for (fnn_size i = 0; i < g->rows; i++) {
            const REAL *x = g->x + i * g->xs;
            if (count == 1)
                FN(skinny_dot)(1, x, w, ws, g->k, out);
            else
                FN(skinny_dot)(SKINNY_COLUMNS, x, w, ws, g->k, out);
            FN(skinny_put)(g, i, j, count, out);
        }
        j += count;
    }
}

static void FN(skinny_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(skinny_args) *whole = ctx;
    const fnn_size step = gemm_min(whole->k, GEMM_SKINNY_K);
    const fnn_size room_size = gemm_max(SKINNY_COLUMNS * step, SKINNY_BAND * VL);
    REAL *room = fnn_scratch_alloc((size_t)(room_size + whole->rows * step) * sizeof(REAL)), *copy = room + room_size;
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
            g.how |= FNN_GEMM_ADD;
        if (p + g.k < whole->k) {
            g.bias_i = g.bias_j = NULL;
            g.how &= ~FNN_GEMM_RELU;
        }
        FN(skinny_columns)(&g, begin, end, room);
    }
    fnn_scratch_free(room);
}

static void FN(gemm_skinny)(const FN(gemm_args) *g)
{
    FN(skinny_args) s = { g->c, g->a, g->b, g->bias_row, g->bias_col, g->rsc, 1, g->rsa, g->csa, g->rsb, g->csb,
                          g->m, g->n, g->k, g->how };
    if (g->m > GEMM_SKINNY)                         /* then n is small: C transposed = B transposed * A transposed */
        s = (FN(skinny_args)){ g->c, g->b, g->a, g->bias_col, g->bias_row, 1, g->rsc, g->csb, g->rsb, g->csa, g->rsa,
                               g->n, g->m, g->k, g->how };
    const fnn_size least = s.wp == 1 ? 16 : 256;    /* rows of W in pieces of some length */
    const fnn_size grain = gemm_max(gemm_parts(GEMM_SKINNY_WORK, s.k), least) / 16 * 16;
    fnn_parallel_for(s.columns, grain, FN(skinny_block), &s);
}
