/* ladder.tmpl.h -- the way from the plain loops to the final kernel, for gemm, conv2d, max_pool2d,
 * softmax, lstm and attention.
 *
 * Math       that of each family: gemm.tmpl.h, conv2d.tmpl.h, ...
 * Method     Each step changes one thing, and is written to be read: the pages in docs/kernels
 *            quote it. Sizes need not be multiples of anything. A step that needs a matrix product
 *            uses the library's, so that it shows its own idea only.
 * Letters    in each section those of its family (docs/words.md): so p is a product in gemm, a row
 *            of outputs in conv2d and the weights in attention.
 * Threads    none but those of that product.
 */
#include "pointwise/rows.h"

#ifndef FNN_LADDER_TEMPLATE_ONCE
#define FNN_LADDER_TEMPLATE_ONCE
enum {
    LADDER_KB = 64, LADDER_NB = 512,    /* a block of B; chosen: 128 KiB of floats, which the L2
                                           cache keeps */
    LADDER_MR = 6, LADDER_NV = 2,       /* a tile of C, 6 rows x 2 vectors; bound: 12 of 16
                                           registers hold sums */
    LADDER_STRIP = 1 << 17              /* elements of the column matrix that are made at a time;
                                           chosen: half a MiB of floats */
};
#endif

/* ==== gemm ==================================================================================== */

/* The definition: each element of C on its own. B is walked down its columns: one number used of
 * each cache line. */
static void FN(gemm_ijk)(REAL *c, const REAL *a, const REAL *b, fnn_size m, fnn_size n, fnn_size k)
{
    for (fnn_size i = 0; i < m; i++)
        for (fnn_size j = 0; j < n; j++) {
            REAL sum = 0;
            for (fnn_size p = 0; p < k; p++)
                sum += a[i * k + p] * b[p * n + j];
            c[i * n + j] = sum;
        }
}

/* C[m,n] += A B, rows `lda`, `n_all` apart. The inner loop runs along rows of B and C: whole cache
 * lines, whole vectors. */
static void FN(gemm_ikj)(REAL *restrict c, const REAL *restrict a, fnn_size lda, const REAL *restrict b, fnn_size n_all,
                         fnn_size m, fnn_size n, fnn_size k)
{
    for (fnn_size i = 0; i < m; i++)
        for (fnn_size p = 0; p < k; p++) {
            const REAL x = a[i * lda + p];
            for (fnn_size j = 0; j < n; j++)
                c[i * n_all + j] += x * b[p * n_all + j];
        }
}

/* The same, four rows of C at a time: what is loaded of B serves four multiply-adds. */
static void FN(gemm_four_rows)(REAL *restrict c, const REAL *restrict a, fnn_size lda, const REAL *restrict b,
                               fnn_size n_all, fnn_size m, fnn_size n, fnn_size k)
{
    fnn_size i = 0;
    for (; i + 4 <= m; i += 4)
        for (fnn_size p = 0; p < k; p++) {
            REAL *c0 = c + i * n_all, *c1 = c0 + n_all, *c2 = c1 + n_all, *c3 = c2 + n_all;
            const REAL *row = b + p * n_all, *x = a + i * lda + p;
            const REAL x0 = x[0], x1 = x[lda], x2 = x[2 * lda], x3 = x[3 * lda];
#pragma omp simd
            for (fnn_size j = 0; j < n; j++) {
                c0[j] += x0 * row[j];
                c1[j] += x1 * row[j];
                c2[j] += x2 * row[j];
                c3[j] += x3 * row[j];
            }
        }
    FN(gemm_ikj)(c + i * n_all, a + i * lda, lda, b, n_all, m - i, n, k);
}

/* A block of B at a time, small enough to stay in cache while all rows of A pass by. */
static void FN(gemm_blocked)(REAL *c, const REAL *a, const REAL *b, fnn_size m, fnn_size n, fnn_size k, int four_rows)
{
    for (fnn_size p = 0; p < k; p += LADDER_KB)
        for (fnn_size j = 0; j < n; j += LADDER_NB) {
            const fnn_size kb = fnn_min(LADDER_KB, k - p), nb = fnn_min(LADDER_NB, n - j);
            if (four_rows)
                FN(gemm_four_rows)(c + j, a + p, k, b + p * n + j, n, m, nb, kb);
            else
                FN(gemm_ikj)(c + j, a + p, k, b + p * n + j, n, m, nb, kb);
        }
}

/* A tile of C stays in registers while k runs: C is touched once, and 2 vectors and 6 numbers
 * loaded feed 12 multiply-adds. */
static void FN(gemm_one_tile)(REAL *c, const REAL *a, const REAL *b, fnn_size n, fnn_size k)
{
    vec sum[LADDER_MR][LADDER_NV];
#pragma GCC unroll 6
    for (int i = 0; i < LADDER_MR; i++)
        sum[i][0] = sum[i][1] = v_set(0);
    for (fnn_size p = 0; p < k; p++) {
        const vec b0 = v_load(b + p * n), b1 = v_load(b + p * n + VL);
#pragma GCC unroll 6
        for (int i = 0; i < LADDER_MR; i++) {
            const vec x = v_set(a[i * k + p]);
            sum[i][0] += x * b0;
            sum[i][1] += x * b1;
        }
    }
#pragma GCC unroll 6
    for (int i = 0; i < LADDER_MR; i++) {
        v_store(c + i * n, sum[i][0]);
        v_store(c + i * n + VL, sum[i][1]);
    }
}

static void FN(gemm_tiles)(REAL *c, const REAL *a, const REAL *b, fnn_size m, fnn_size n, fnn_size k)
{
    const fnn_size m_full = m / LADDER_MR * LADDER_MR, n_full = n / (LADDER_NV * VL) * (LADDER_NV * VL);
    for (fnn_size j = 0; j < n_full; j += LADDER_NV * VL)
        for (fnn_size i = 0; i < m_full; i += LADDER_MR)
            FN(gemm_one_tile)(c + i * n + j, a + i * k, b + j, n, k);
    /* what no whole tile covers */
    FN(gemm_ikj)(c + n_full, a, k, b + n_full, n, m_full, n - n_full, k);
    FN(gemm_ikj)(c + m_full * n, a + m_full * k, k, b, n, m - m_full, n, k);
}

void FN(ladder_gemm)(REAL *c, const REAL *a, const REAL *b, fnn_size m, fnn_size n, fnn_size k, int step)
{
    if (step == LADDER_IJK) {
        FN(gemm_ijk)(c, a, b, m, n, k);
        return;
    }
    memset(c, 0, (size_t)(m * n) * sizeof(REAL));
    if (k == 0)                                     /* no products, and no B to point into */
        return;
    if (step == LADDER_IKJ)
        FN(gemm_ikj)(c, a, k, b, n, m, n, k);
    else if (step == LADDER_TILE)
        FN(gemm_tiles)(c, a, b, m, n, k);
    else
        FN(gemm_blocked)(c, a, b, m, n, k, step == LADDER_FOUR_ROWS);
}

/* ==== conv2d ================================================================================== */

static void FN(conv_seven_loops)(REAL *y, const REAL *x, const REAL *w, const fnn_window *g)
{
    for (fnn_size n = 0; n < g->N; n++)
        for (fnn_size k = 0; k < g->K; k++)
            for (fnn_size p = 0; p < g->P; p++)
                for (fnn_size q = 0; q < g->Q; q++) {
                    REAL sum = 0;
                    for (fnn_size c = 0; c < g->C; c++)
                        for (fnn_size r = 0; r < g->R; r++)
                            for (fnn_size s = 0; s < g->S; s++) {
                                const fnn_size i = p * g->sh - g->ph + r * g->dh, j = q * g->sw - g->pw + s * g->dw;
                                if (i >= 0 && i < g->H && j >= 0 && j < g->W)
                                    sum += w[((k * g->C + c) * g->R + r) * g->S + s]
                                           * x[((n * g->C + c) * g->H + i) * g->W + j];
                            }
                    y[((n * g->K + k) * g->P + p) * g->Q + q] = sum;
                }
}

/* Rows [p0, p1) of the output see these numbers: cols[(c,r,s)][(p,q)]. Each row of the window is a
 * copy with zeros at its ends. */
static void FN(columns)(REAL *cols, const REAL *x, const fnn_window *g, fnn_size p0, fnn_size p1)
{
    for (fnn_size tap = 0; tap < g->C * g->R * g->S; tap++) {
        const fnn_size s = tap % g->S, r = tap / g->S % g->R, c = tap / (g->S * g->R), left = s * g->dw - g->pw;
        fnn_size q0, q1;
        fnn_inside(g->W, g->Q, g->sw, left, &q0, &q1);
        for (fnn_size p = p0; p < p1; p++, cols += g->Q) {
            const fnn_size i = p * g->sh - g->ph + r * g->dh;
            memset(cols, 0, (size_t)g->Q * sizeof(REAL));
            if (i >= 0 && i < g->H)
                for (fnn_size q = q0; q < q1; q++)
                    cols[q] = x[(c * g->H + i) * g->W + q * g->sw + left];
        }
    }
}

/* y = W cols for `rows` rows of the output at a time: all of them, or so few that their columns
 * stay in cache */
static void FN(conv_by_columns)(REAL *y, const REAL *x, const REAL *w, REAL *cols, const fnn_window *g, fnn_size rows,
                                int plain)
{
    const fnn_size taps = g->C * g->R * g->S, pixels = g->P * g->Q;
    for (fnn_size n = 0; n < g->N; n++, x += g->C * g->H * g->W, y += g->K * pixels)
        for (fnn_size p = 0; p < g->P; p += rows) {
            const fnn_size p1 = fnn_min(p + rows, g->P), columns = (p1 - p) * g->Q;
            FN(columns)(cols, x, g, p, p1);
            if (plain)
                FN(ladder_gemm)(y, w, cols, g->K, pixels, taps, LADDER_IKJ);
            else
                FN(gemm)(y + p * g->Q, pixels, w, taps, 1, cols, columns, 1, NULL, NULL, g->K, columns, taps, 0);
        }
}

void FN(ladder_conv2d)(REAL *y, const REAL *x, const REAL *w, REAL *cols, const fnn_window *g, int step)
{
    if (step == LADDER_SEVEN_LOOPS)
        FN(conv_seven_loops)(y, x, w, g);
    else if (step == LADDER_STRIPS)
        FN(conv_by_columns)(y, x, w, cols, g, fnn_grain(LADDER_STRIP, g->C * g->R * g->S * g->Q), 0);
    else
        FN(conv_by_columns)(y, x, w, cols, g, fnn_max(1, g->P), step == LADDER_COLUMNS_PLAIN);
}

/* ==== max_pool2d ============================================================================== */

/* Every tap of every window asks whether it is inside the image; or the loops are cut beforehand,
 * and none has to. */
static void FN(pool_windows)(REAL *y, int32_t *argmax, const REAL *x, const fnn_window *g, int cut)
{
    for (fnn_size p = 0; p < g->P; p++)
        for (fnn_size q = 0; q < g->Q; q++, y++, argmax++) {
            const fnn_size i0 = p * g->sh - g->ph, j0 = q * g->sw - g->pw;
            fnn_size r0 = 0, r1 = g->R, s0 = 0, s1 = g->S;
            if (cut) {
                fnn_inside(g->H, g->R, g->dh, i0, &r0, &r1);
                fnn_inside(g->W, g->S, g->dw, j0, &s0, &s1);
            }
            REAL best = -(REAL)INFINITY;
            int32_t place = -1;
            for (fnn_size r = r0; r < r1; r++)
                for (fnn_size s = s0; s < s1; s++) {
                    const fnn_size i = i0 + r * g->dh, j = j0 + s * g->dw;
                    if (!cut && (i < 0 || i >= g->H || j < 0 || j >= g->W))
                        continue;
                    if (x[i * g->W + j] > best || place < 0) {
                        best = x[i * g->W + j];
                        place = (int32_t)(i * g->W + j);
                    }
                }
            *y = best;
            *argmax = place;
        }
}

/* A row of the output at a time, tap by tap: the inner loop runs along the row, without branches,
 * so it becomes vectors. */
static void FN(pool_rows)(REAL *restrict y, int32_t *restrict argmax, const REAL *restrict x, const fnn_window *g)
{
    for (fnn_size p = 0; p < g->P; p++, y += g->Q, argmax += g->Q) {
        for (fnn_size q = 0; q < g->Q; q++) {
            y[q] = -(REAL)INFINITY;
            argmax[q] = -1;
        }
        for (fnn_size tap = 0; tap < g->R * g->S; tap++) {
            const fnn_size i = p * g->sh - g->ph + tap / g->S * g->dh, left = tap % g->S * g->dw - g->pw;
            fnn_size q0, q1;
            fnn_inside(g->W, g->Q, g->sw, left, &q0, &q1);
            if (i < 0 || i >= g->H)
                continue;
            const fnn_size from = i * g->W + left;
            const int32_t at = (int32_t)from, stride = (int32_t)g->sw;
#pragma omp simd
            for (fnn_size q = q0; q < q1; q++) {
                const REAL value = x[from + q * stride];
                const int larger = value > y[q] || argmax[q] < 0;
                y[q] = larger ? value : y[q];
                argmax[q] = larger ? at + (int32_t)q * stride : argmax[q];
            }
        }
    }
}

void FN(ladder_max_pool2d)(REAL *y, int32_t *argmax, const REAL *x, const fnn_window *g, int step)
{
    for (fnn_size plane = 0; plane < g->N * g->C; plane++, x += g->H * g->W, y += g->P * g->Q, argmax += g->P * g->Q)
        if (step == LADDER_ROWS)
            FN(pool_rows)(y, argmax, x, g);
        else
            FN(pool_windows)(y, argmax, x, g, step == LADDER_TAPS_INSIDE);
}

/* ==== softmax ================================================================================= */

static REAL FN(c_exp)(REAL x) { return REAL_IS_F64 ? (REAL)exp((double)x) : (REAL)expf((float)x); }

/* Largest element; exponentials and their sum; division. exp is the C library's: a call for each
 * element. */
static void FN(softmax_c_exp)(REAL *y, const REAL *x, fnn_size n)
{
    REAL top = -(REAL)INFINITY, sum = 0;
    for (fnn_size i = 0; i < n; i++)
        if (x[i] > top)
            top = x[i];
    for (fnn_size i = 0; i < n; i++) {
        y[i] = FN(c_exp)(x[i] - top);
        sum += y[i];
    }
    for (fnn_size i = 0; i < n; i++)
        y[i] /= sum;
}

/* The same three passes; exp is a polynomial without branches and calls (rows.h), so that each pass
 * becomes vectors. */
static void FN(softmax_vector_exp)(REAL *y, const REAL *x, fnn_size n)
{
    const REAL top = FN(row_max)(x, n), factor = 1 / FN(row_exp)(y, x, 1, top, n);
    for (fnn_size i = 0; i < n; i++)
        y[i] *= factor;
}

/* Two passes over x, in vectors. LANES sums run side by side: each lane keeps the largest element
 * so far and the sum of exponentials relative to it, and scales the sum whenever the largest grows.
 * One more exponential an element, and one pass less. */
static void FN(softmax_online)(REAL *y, const REAL *x, fnn_size n)
{
    enum { LANES = 64 };
    REAL top[LANES], sum[LANES], all = -(REAL)INFINITY, total = 0;
    for (int l = 0; l < LANES; l++) {
        top[l] = -(REAL)INFINITY;
        sum[l] = 0;
    }
    for (fnn_size i = 0; i < n; i += LANES) {
        const fnn_size lanes = fnn_min(LANES, n - i);
#pragma omp simd
        for (fnn_size l = 0; l < lanes; l++) {
            /* one of the two is 0: one exp */
            const REAL larger = r_max(top[l], x[i + l]), grown = r_min(top[l], x[i + l]) - larger;
            const REAL e = FN(exp_of_negative)(grown);
            sum[l] = x[i + l] > top[l] ? sum[l] * e + 1 : sum[l] + e;
            top[l] = larger;
        }
    }
    for (int l = 0; l < LANES; l++)
        all = r_max(all, top[l]);
    for (int l = 0; l < LANES; l++)
        total += sum[l] * FN(exp_of_negative)(top[l] - all);
    const REAL factor = 1 / total;
    for (fnn_size i = 0; i < n; i++)
        y[i] = FN(exp_of_negative)(x[i] - all) * factor;
}

void FN(ladder_softmax)(REAL *y, const REAL *x, fnn_size rows, fnn_size n, int step)
{
    for (fnn_size i = 0; i < rows; i++, x += n, y += n) {
        if (step == LADDER_C_EXP)
            FN(softmax_c_exp)(y, x, n);
        else if (step == LADDER_VECTOR_EXP)
            FN(softmax_vector_exp)(y, x, n);
        else
            FN(softmax_online)(y, x, n);
    }
}

/* ==== lstm ==================================================================================== */

/* z[B][4H] (+)= rows [B][n] times W^T, W [4H][n]: a dot product for each gate */
static void FN(lstm_dots)(REAL *z, const REAL *rows, const REAL *w, fnn_size B, fnn_size n, fnn_size H4)
{
    for (fnn_size row = 0; row < B; row++)
        for (fnn_size j = 0; j < H4; j++)
            for (fnn_size p = 0; p < n; p++)
                z[row * H4 + j] += rows[row * n + p] * w[j * n + p];
}

/* c = f c + i g,  h = o tanh c, from z = (i f g o) before their functions */
static void FN(lstm_c_gates)(REAL *h, REAL *c, const REAL *z, fnn_size H)
{
    for (fnn_size u = 0; u < H; u++) {
        const REAL i = 1 / (1 + FN(c_exp)(-z[u])), f = 1 / (1 + FN(c_exp)(-z[H + u]));
        const REAL o = 1 / (1 + FN(c_exp)(-z[3 * H + u]));
        c[u] = f * c[u] + i * (REAL)tanh((double)z[2 * H + u]);
        h[u] = o * (REAL)tanh((double)c[u]);
    }
}

static void FN(lstm_vector_gates)(REAL *restrict h, REAL *restrict c, const REAL *restrict z, fnn_size H)
{
    for (fnn_size u = 0; u < H; u++) {
        c[u] = r_sigmoid(z[H + u]) * c[u] + r_sigmoid(z[u]) * r_tanh(z[2 * H + u]);
        h[u] = r_sigmoid(z[3 * H + u]) * r_tanh(c[u]);
    }
}

void FN(ladder_lstm)(REAL *y, const REAL *x, const REAL *h0, const REAL *c0, const REAL *w_ih, const REAL *w_hh,
                     const REAL *b, REAL *work, fnn_size T, fnn_size B, fnn_size I, fnn_size H, int step)
{
    const fnn_size H4 = 4 * H;
    REAL *z = work, *c = work + T * B * H4;
    const REAL *h = h0;
    memcpy(c, c0, (size_t)(B * H) * sizeof(REAL));
    /* W_ih x does not wait for the step before: all steps at once */
    if (step >= LADDER_ONE_PRODUCT)
        FN(gemm)(z, H4, x, I, 1, w_ih, 1, I, NULL, b, T * B, H4, I, 0);
    for (fnn_size t = 0; t < T; t++, x += B * I, z += B * H4, y += B * H) {
        if (step == LADDER_DOTS) {
            for (fnn_size row = 0; row < B; row++)
                memcpy(z + row * H4, b, (size_t)H4 * sizeof(REAL));
            FN(lstm_dots)(z, x, w_ih, B, I, H4);
            FN(lstm_dots)(z, h, w_hh, B, H, H4);
        } else {
            if (step == LADDER_TWO_PRODUCTS)
                FN(gemm)(z, H4, x, I, 1, w_ih, 1, I, NULL, b, B, H4, I, 0);
            FN(gemm)(z, H4, h, H, 1, w_hh, 1, H, NULL, NULL, B, H4, H, FNN_GEMM_ADD);
        }
        for (fnn_size row = 0; row < B; row++) {
            if (step == LADDER_VECTOR_GATES)
                FN(lstm_vector_gates)(y + row * H, c + row * H, z + row * H4, H);
            else
                FN(lstm_c_gates)(y + row * H, c + row * H, z + row * H4, H);
        }
        h = y;
    }
}

/* ==== attention =============================================================================== */

/* One query after the other: scores against every key, softmax, weighted sum of the values. */
static void FN(attention_queries)(REAL *y, const REAL *q, const REAL *k, const REAL *v, REAL *p, fnn_size T,
                                  fnn_size HS, REAL scale)
{
    for (fnn_size t = 0; t < T; t++, q += HS, y += HS) {
        for (fnn_size u = 0; u < T; u++) {
            REAL score = 0;
            for (fnn_size c = 0; c < HS; c++)
                score += q[c] * k[u * HS + c];
            p[u] = u <= t ? scale * score : -(REAL)INFINITY;
        }
        FN(softmax_c_exp)(p, p, T);
        memset(y, 0, (size_t)HS * sizeof(REAL));
        for (fnn_size u = 0; u < T; u++)
            for (fnn_size c = 0; c < HS; c++)
                y[c] += p[u] * v[u * HS + c];
    }
}

/* The whole T x T matrix of scores: a product, a mask, a softmax, a product. */
static void FN(attention_whole)(REAL *y, const REAL *q, const REAL *k, const REAL *v, REAL *p, fnn_size T, fnn_size HS,
                                REAL scale)
{
    FN(gemm)(p, T, q, HS, 1, k, 1, HS, NULL, NULL, T, T, HS, 0);
    for (fnn_size t = 0; t < T; t++)
        for (fnn_size u = 0; u < T; u++)
            p[t * T + u] = u <= t ? scale * p[t * T + u] : -(REAL)INFINITY;
    for (fnn_size t = 0; t < T; t++)
        FN(softmax_vector_exp)(p + t * T, p + t * T, T);
    FN(gemm)(y, HS, p, T, 1, v, HS, 1, NULL, NULL, T, HS, T, 0);
}

void FN(ladder_attention)(REAL *y, const REAL *q, const REAL *k, const REAL *v, REAL *work, fnn_size items, fnn_size T,
                          fnn_size HS, double scale, int step)
{
    for (fnn_size at = 0; at < items * T * HS; at += T * HS) {
        if (step == LADDER_QUERY_BY_QUERY)
            FN(attention_queries)(y + at, q + at, k + at, v + at, work, T, HS, (REAL)scale);
        else
            FN(attention_whole)(y + at, q + at, k + at, v + at, work, T, HS, (REAL)scale);
    }
}
