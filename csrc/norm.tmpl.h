/* norm.tmpl.h -- layer, RMS, group and batch normalisation: standardise a set of elements, then scale and shift.
 *
 * Math       mean = sum x / m     var = sum (x - mean)^2 / m     rstd = 1 / sqrt(var + eps)     over the m elements of a set
 *            y  = xhat * w + b,   xhat = (x - mean) * rstd
 *            dw = sum dy * xhat   db = sum dy                                            over all sets that share w and b
 *            dx = rstd * (g - sum g / m - xhat * sum (g * xhat) / m),   g = dy * w
 *            The sets: a row (layer norm); C/G channels of one image (group norm); one channel of all images (batch norm).
 * Symbols    rows of n elements; N images, C channels, S pixels of a channel, G groups.
 * Layout     x [rows][n] or [N][C][S]; w, b [n] or [C].
 * Method     Moments: a chunk that the L1 cache holds is read twice, for its mean and for the deviations from it; chunks are
 *            merged in double by the formula of Chan, Golub and LeVeque. Deviations do not cancel, whatever the mean is. What is
 *            left of the mean after rounding it to REAL is carried along as `rest`, so that y is accurate even where the mean
 *            is 10,000 times the deviation:  xhat = (x - mean) * rstd - rest * rstd.
 * Cost       some 8 flop per element forward, 12 backward; bound by memory. Rows, and channels of batch norm that fit into the
 *            L2 cache, come from memory once forward and once (dy and x) backward.
 * Threads    rows; images x groups; channels. Sums over rows are kept per block of rows and added in order.
 * Reference  fastnn/reference/norm.py; Ba, Kiros, Hinton (2016); Zhang, Sennrich (2019); Wu, He (2018); Ioffe, Szegedy (2015);
 *            Chan, Golub, LeVeque (1979), "Updating formulae and a pairwise algorithm for computing sample variances".
 */
#ifndef FNN_NORM_ONCE
#define FNN_NORM_ONCE
enum {
    NORM_GRAIN = 16384,                             /* elements that are worth a block */
    NORM_CHUNK = 4096,                              /* elements read twice in a row: 16 or 32 KB */
    NORM_COLUMNS = 64,                              /* channels side by side where a channel has one pixel */
    NORM_ROWS = 64                                  /* and rows of them in a chunk */
};

/* Of `count` elements: their mean is centre + offset, in two parts so that none of it is lost, and m2 = sum (x - mean)^2. */
typedef struct { double count, centre, offset, m2; } fnn_moments;

typedef struct {
    void *y, *dx, *dweight, *dbias, *mean, *rstd, *batch_mean, *batch_var, *work;
    const void *x, *dy, *weight, *bias, *dbatch_mean, *dbatch_var, *running_mean, *running_var;
    fnn_size rows, n, N, C, S, G, grain;
    double eps;
    int inference;                                  /* the statistics were given: they do not depend on x */
} fnn_norm_args;

/* Add `count` elements with these sums of x - centre and (x - centre)^2. */
static void fnn_moments_add(fnn_moments *a, double count, double centre, double sum, double squares)
{
    if (a->count == 0)
        a->centre = centre;
    double total = a->count + count, offset = sum / count, delta = (centre - a->centre) + (offset - a->offset);
    a->m2 += squares - sum * offset + delta * delta * (a->count * count / total);
    a->offset += delta * (count / total);
    a->count = total;
}

static double fnn_moments_mean(const fnn_moments *a) { return a->centre + a->offset; }
static double fnn_moments_var(const fnn_moments *a) { return a->count > 0 ? a->m2 / a->count : 0; }

/* Rows in a block of layer norm's backward, each of which keeps sums of 2n elements: at least 8, at most 64 blocks. */
static fnn_size fnn_norm_grain(fnn_size rows, fnn_size n)
{
    fnn_size grain = NORM_GRAIN / (n > 0 ? n : 1) + 1;
    if (grain < 8) grain = 8;
    return grain < (rows + 63) / 64 ? (rows + 63) / 64 : grain;
}

/* Items of `size` elements that are worth a block. */
static fnn_size fnn_norm_items(fnn_size size) { return size < NORM_GRAIN ? NORM_GRAIN / (size > 0 ? size : 1) : 1; }
#endif

/* ---- sums over contiguous elements: several registers, since one addition must wait for the one before ---------- */

static REAL FN(norm_sum)(const REAL *restrict x, fnn_size n)
{
    vec a = v_set(0), b = a, c = a, d = a;
    fnn_size i = 0;
    for (; i + 4 * VL <= n; i += 4 * VL) {
        a += v_load(x + i);
        b += v_load(x + i + VL);
        c += v_load(x + i + 2 * VL);
        d += v_load(x + i + 3 * VL);
    }
    for (; i + VL <= n; i += VL)
        a += v_load(x + i);
    REAL s = v_sum((a + b) + (c + d));
    for (; i < n; i++)
        s += x[i];
    return s;
}

/* *sum += sum (x - centre),  *squares += sum (x - centre)^2 */
static void FN(norm_spread)(const REAL *restrict x, fnn_size n, REAL centre, double *sum, double *squares)
{
    vec m = v_set(centre), s0 = v_set(0), s1 = s0, q0 = s0, q1 = s0;
    fnn_size i = 0;
    for (; i + 2 * VL <= n; i += 2 * VL) {
        vec d0 = v_load(x + i) - m, d1 = v_load(x + i + VL) - m;
        s0 += d0;
        s1 += d1;
        q0 += d0 * d0;
        q1 += d1 * d1;
    }
    REAL s = v_sum(s0 + s1), q = v_sum(q0 + q1);
    for (; i < n; i++) {
        REAL d = x[i] - centre;
        s += d;
        q += d * d;
    }
    *sum += s;
    *squares += q;
}

/* *sum += sum dy,  *product += sum dy * (x - centre) */
static void FN(norm_products)(const REAL *restrict dy, const REAL *restrict x, fnn_size n, REAL centre, double *sum, double *product)
{
    vec m = v_set(centre), s0 = v_set(0), s1 = s0, p0 = s0, p1 = s0;
    fnn_size i = 0;
    for (; i + 2 * VL <= n; i += 2 * VL) {
        vec g0 = v_load(dy + i), g1 = v_load(dy + i + VL);
        s0 += g0;
        s1 += g1;
        p0 += g0 * (v_load(x + i) - m);
        p1 += g1 * (v_load(x + i + VL) - m);
    }
    REAL s = v_sum(s0 + s1), p = v_sum(p0 + p1);
    for (; i < n; i++) {
        s += dy[i];
        p += dy[i] * (x[i] - centre);
    }
    *sum += s;
    *product += p;
}

/* Moments of `planes` pieces of `len` elements, `stride` apart, in chunks of several pieces or of a part of one. */
static fnn_moments FN(norm_moments)(const REAL *x, fnn_size planes, fnn_size stride, fnn_size len)
{
    fnn_moments all = { 0, 0, 0, 0 };
    fnn_size together = len < NORM_CHUNK ? NORM_CHUNK / (len > 0 ? len : 1) : 1;
    for (fnn_size p0 = 0; p0 < planes; p0 += together) {
        fnn_size p1 = p0 + together < planes ? p0 + together : planes;
        for (fnn_size i = 0; i < len; i += NORM_CHUNK) {
            fnn_size part = len - i < NORM_CHUNK ? len - i : NORM_CHUNK;
            double count = (double)(p1 - p0) * (double)part, total = 0, sum = 0, squares = 0;
            for (fnn_size p = p0; p < p1; p++)
                total += FN(norm_sum)(x + p * stride + i, part);
            REAL centre = (REAL)(total / count);
            for (fnn_size p = p0; p < p1; p++)
                FN(norm_spread)(x + p * stride + i, part, centre, &sum, &squares);
            fnn_moments_add(&all, count, centre, sum, squares);
        }
    }
    return all;
}

/* The mean as a pair: rounded to REAL, and what the rounding left. */
static void FN(norm_keep_mean)(REAL *pair, const fnn_moments *m)
{
    pair[0] = (REAL)fnn_moments_mean(m);
    pair[1] = (REAL)((m->centre - (double)pair[0]) + m->offset);
}

/* ---- one plane: n elements that share mean, scale and shift ----------------------------------------------------- */

static void FN(norm_plane)(REAL *restrict y, const REAL *restrict x, fnn_size n, REAL centre, REAL scale, REAL shift)
{
    for (fnn_size i = 0; i < n; i++)
        y[i] = (x[i] - centre) * scale + shift;
}

static void FN(norm_plane_backward)(REAL *restrict dx, const REAL *restrict dy, const REAL *restrict x, fnn_size n,
                                    REAL centre, REAL a, REAL b, REAL c)
{
    for (fnn_size i = 0; i < n; i++)
        dx[i] = dy[i] * a + ((x[i] - centre) * b + c);
}

/* ---- layer norm and RMS norm ------------------------------------------------------------------------------------ */

static void FN(layer_norm_forward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_norm_args *a = ctx;
    const REAL *restrict w = a->weight, *restrict b = a->bias;
    REAL *mean = a->mean, *rstd = a->rstd;
    fnn_size n = a->n;
    for (fnn_size row = begin; row < end; row++) {
        const REAL *restrict x = (const REAL *)a->x + row * n;         /* x[row,:] */
        REAL *restrict y = (REAL *)a->y + row * n;
        fnn_moments m = FN(norm_moments)(x, 1, n, n);
        double spread = fnn_moments_var(&m);
        if (!mean)                                                     /* mean square = variance + mean^2 */
            spread += fnn_moments_mean(&m) * fnn_moments_mean(&m);
        REAL scale = (REAL)(1 / sqrt(spread + a->eps)), centre = 0, shift = 0;
        if (mean) {
            FN(norm_keep_mean)(mean + 2 * row, &m);
            centre = mean[2 * row];
            shift = -mean[2 * row + 1] * scale;
        }
        rstd[row] = scale;
        if (w && b)
            for (fnn_size k = 0; k < n; k++)
                y[k] = ((x[k] - centre) * scale + shift) * w[k] + b[k];
        else if (w)
            for (fnn_size k = 0; k < n; k++)
                y[k] = ((x[k] - centre) * scale + shift) * w[k];
        else
            for (fnn_size k = 0; k < n; k++)
                y[k] = (x[k] - centre) * scale + shift + (b ? b[k] : 0);
    }
}

void FN(layer_norm_forward)(REAL *y, REAL *mean, REAL *rstd, const REAL *x, const REAL *weight, const REAL *bias,
                            fnn_size rows, fnn_size n, double eps)
{
    fnn_norm_args args = { .y = y, .mean = mean, .rstd = rstd, .x = x, .weight = weight, .bias = bias, .n = n, .eps = eps };
    if (n > 0)
        fnn_parallel_for(rows, fnn_norm_items(n), FN(layer_norm_forward_block), &args);
}

static void FN(layer_norm_backward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_norm_args *a = ctx;
    const REAL *restrict w = a->weight, *mean = a->mean, *rstd = a->rstd;
    fnn_size n = a->n;
    REAL *restrict dw = NULL, *restrict db = NULL;
    if (a->work) {                                                     /* this block's own sums for dweight and dbias */
        dw = (REAL *)a->work + begin / a->grain * 2 * n;
        db = dw + n;
        memset(dw, 0, 2 * (size_t)n * sizeof(REAL));
    }
    for (fnn_size row = begin; row < end; row++) {
        const REAL *restrict x = (const REAL *)a->x + row * n, *restrict dy = (const REAL *)a->dy + row * n;
        REAL scale = rstd[row], centre = 0, shift = 0, sum = 0, product = 0;
        if (mean) {
            centre = mean[2 * row];
            shift = -mean[2 * row + 1] * scale;
        }
        if (a->dx && w) {
            #pragma omp simd reduction(+:sum, product)
            for (fnn_size k = 0; k < n; k++) {
                REAL g = dy[k] * w[k];
                sum += g;
                product += g * ((x[k] - centre) * scale + shift);
            }
        } else if (a->dx) {
            #pragma omp simd reduction(+:sum, product)
            for (fnn_size k = 0; k < n; k++) {
                sum += dy[k];
                product += dy[k] * ((x[k] - centre) * scale + shift);
            }
        }
        if (dw)                                     /* forward was  y = xhat * w + b   so  dw += dy * xhat,  db += dy */
            for (fnn_size k = 0; k < n; k++) {
                dw[k] += dy[k] * ((x[k] - centre) * scale + shift);
                db[k] += dy[k];
            }
        if (a->dx) {                                /* forward was  xhat = (x - mean(x)) * rstd(x) */
            REAL *restrict dx = (REAL *)a->dx + row * n;
            REAL p = -product / (REAL)n * scale, q = mean ? -sum / (REAL)n * scale : 0;
            q += p * shift;
            p *= scale;
            if (w)
                for (fnn_size k = 0; k < n; k++)
                    dx[k] = dy[k] * w[k] * scale + ((x[k] - centre) * p + q);
            else
                for (fnn_size k = 0; k < n; k++)
                    dx[k] = dy[k] * scale + ((x[k] - centre) * p + q);
        }
    }
}

/* out[k] = parts[0][k] + parts[1][k] + ...: rows of 2n, of which out takes the first or the second half */
typedef struct { REAL *out; const REAL *parts; fnn_size blocks, stride; } FN(norm_total_args);

static void FN(norm_total_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(norm_total_args) *a = ctx;
    REAL *restrict out = a->out;
    memset(out + begin, 0, (size_t)(end - begin) * sizeof(REAL));
    for (fnn_size i = 0; i < a->blocks; i++) {
        const REAL *restrict part = a->parts + i * a->stride;
        for (fnn_size k = begin; k < end; k++)
            out[k] += part[k];
    }
}

static void FN(norm_total)(REAL *out, const REAL *parts, fnn_size blocks, fnn_size n)
{
    FN(norm_total_args) args = { out, parts, blocks, 2 * n };
    if (out)
        fnn_parallel_for(n, fnn_norm_items(blocks), FN(norm_total_block), &args);
}

void FN(layer_norm_backward)(REAL *dx, REAL *dweight, REAL *dbias, const REAL *dy, const REAL *x, const REAL *mean, const REAL *rstd,
                             const REAL *weight, REAL *work, fnn_size rows, fnn_size n)
{
    fnn_size grain = fnn_norm_grain(rows, n), blocks = (rows + grain - 1) / grain;
    fnn_norm_args args = { .dx = dx, .work = dweight || dbias ? work : NULL, .mean = (void *)mean, .rstd = (void *)rstd, .x = x,
                           .dy = dy, .weight = weight, .n = n, .grain = grain };
    fnn_parallel_for(rows, grain, FN(layer_norm_backward_block), &args);
    FN(norm_total)(dweight, work, blocks, n);
    FN(norm_total)(dbias, work ? work + n : NULL, blocks, n);
}

/* ---- group norm: item i = n*G + g is the group g of image n, its channels g*K ... g*K + K - 1 with K = C/G ------ */

static void FN(group_norm_forward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_norm_args *a = ctx;
    const REAL *w = a->weight, *b = a->bias;
    REAL *mean = a->mean, *rstd = a->rstd;
    fnn_size S = a->S, K = a->C / a->G;
    for (fnn_size i = begin; i < end; i++) {
        const REAL *x = (const REAL *)a->x + i * K * S;                /* x[n,g,:,:] */
        REAL *y = (REAL *)a->y + i * K * S;
        fnn_moments m = FN(norm_moments)(x, 1, K * S, K * S);
        REAL r = rstd[i] = (REAL)(1 / sqrt(fnn_moments_var(&m) + a->eps));
        FN(norm_keep_mean)(mean + 2 * i, &m);
        REAL centre = mean[2 * i], rest = mean[2 * i + 1];
        for (fnn_size k = 0; k < K; k++) {
            fnn_size c = i % a->G * K + k;
            REAL scale = w ? r * w[c] : r;
            FN(norm_plane)(y + k * S, x + k * S, S, centre, scale, (b ? b[c] : 0) - rest * scale);
        }
    }
}

void FN(group_norm_forward)(REAL *y, REAL *mean, REAL *rstd, const REAL *x, const REAL *weight, const REAL *bias,
                            fnn_size N, fnn_size C, fnn_size S, fnn_size G, double eps)
{
    fnn_norm_args args = { .y = y, .mean = mean, .rstd = rstd, .x = x, .weight = weight, .bias = bias, .N = N, .C = C, .S = S, .G = G,
                           .eps = eps };
    if (C * S > 0)
        fnn_parallel_for(N * G, fnn_norm_items(C / G * S), FN(group_norm_forward_block), &args);
}

static void FN(group_norm_backward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_norm_args *a = ctx;
    const REAL *w = a->weight, *mean = a->mean, *rstd = a->rstd;
    fnn_size S = a->S, C = a->C, G = a->G, K = C / G;
    double m = (double)(K * S);
    for (fnn_size i = begin; i < end; i++) {
        const REAL *x = (const REAL *)a->x + i * K * S, *dy = (const REAL *)a->dy + i * K * S;
        REAL *dw = (REAL *)a->work + i / G * 2 * C, *db = dw + C;      /* this image's share of dweight and dbias */
        double centre = mean[2 * i], rest = mean[2 * i + 1], r = rstd[i], sum = 0, product = 0;
        for (fnn_size k = 0; k < K; k++) {          /* forward was  y = xhat * w + b   so  dw += dy * xhat,  db += dy */
            fnn_size c = i % G * K + k;
            double s = 0, p = 0;
            FN(norm_products)(dy + k * S, x + k * S, S, (REAL)centre, &s, &p);
            p = (p - rest * s) * r;
            db[c] = (REAL)s;
            dw[c] = (REAL)p;
            sum += w ? s * (double)w[c] : s;
            product += w ? p * (double)w[c] : p;
        }
        if (a->dx) {                                /* forward was  xhat = (x - mean(x)) * rstd(x) */
            REAL *dx = (REAL *)a->dx + i * K * S;
            double b = -product / m * r * r, q = -sum / m * r - b * rest;
            for (fnn_size k = 0; k < K; k++)
                FN(norm_plane_backward)(dx + k * S, dy + k * S, x + k * S, S, (REAL)centre,
                                        (REAL)(w ? r * (double)w[i % G * K + k] : r), (REAL)b, (REAL)q);
        }
    }
}

void FN(group_norm_backward)(REAL *dx, REAL *dweight, REAL *dbias, const REAL *dy, const REAL *x, const REAL *mean, const REAL *rstd,
                             const REAL *weight, REAL *work, fnn_size N, fnn_size C, fnn_size S, fnn_size G)
{
    fnn_norm_args args = { .dx = dx, .work = work, .mean = (void *)mean, .rstd = (void *)rstd, .x = x, .dy = dy, .weight = weight,
                           .N = N, .C = C, .S = S, .G = G };
    fnn_parallel_for(N * G, fnn_norm_items(C / G * S), FN(group_norm_backward_block), &args);
    FN(norm_total)(dweight, work, N, C);
    FN(norm_total)(dbias, work + C, N, C);
}

/* ---- batch norm: an item is a channel; with one pixel a channel, NORM_COLUMNS channels are done side by side ---- */

static void FN(batch_norm_keep)(const fnn_norm_args *a, fnn_size c, const fnn_moments *m)
{
    FN(norm_keep_mean)((REAL *)a->mean + 2 * c, m);
    ((REAL *)a->rstd)[c] = (REAL)(1 / sqrt(fnn_moments_var(m) + a->eps));
    if (a->batch_mean) {
        ((REAL *)a->batch_mean)[c] = (REAL)fnn_moments_mean(m);
        ((REAL *)a->batch_var)[c] = (REAL)fnn_moments_var(m);
    }
}

/* Moments of the channels c ... c + width - 1 of x [N][C]. */
static void FN(norm_column_moments)(const fnn_norm_args *a, fnn_size c, fnn_size width)
{
    fnn_moments all[NORM_COLUMNS] = { { 0, 0, 0, 0 } };
    for (fnn_size n0 = 0; n0 < a->N; n0 += NORM_ROWS) {
        fnn_size n1 = n0 + NORM_ROWS < a->N ? n0 + NORM_ROWS : a->N;
        double count = (double)(n1 - n0);
        REAL centre[NORM_COLUMNS] = { 0 }, sum[NORM_COLUMNS] = { 0 }, squares[NORM_COLUMNS] = { 0 };
        for (fnn_size n = n0; n < n1; n++) {
            const REAL *restrict x = (const REAL *)a->x + n * a->C + c;
            for (fnn_size k = 0; k < width; k++)
                centre[k] += x[k];
        }
        for (fnn_size k = 0; k < width; k++)
            centre[k] /= (REAL)count;
        for (fnn_size n = n0; n < n1; n++) {
            const REAL *restrict x = (const REAL *)a->x + n * a->C + c;
            for (fnn_size k = 0; k < width; k++) {
                REAL d = x[k] - centre[k];
                sum[k] += d;
                squares[k] += d * d;
            }
        }
        for (fnn_size k = 0; k < width; k++)
            fnn_moments_add(&all[k], count, centre[k], sum[k], squares[k]);
    }
    for (fnn_size k = 0; k < width; k++)
        FN(batch_norm_keep)(a, c + k, &all[k]);
}

static void FN(batch_norm_forward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_norm_args *a = ctx;
    const REAL *w = a->weight, *b = a->bias, *mean = a->mean, *rstd = a->rstd;
    fnn_size N = a->N, C = a->C, S = a->S, step = S == 1 ? NORM_COLUMNS : 1;
    for (fnn_size c = begin; c < end; c += step) {
        fnn_size width = end - c < step ? end - c : step;
        REAL centre[NORM_COLUMNS], scale[NORM_COLUMNS], shift[NORM_COLUMNS];
        if (a->inference)
            for (fnn_size k = c; k < c + width; k++) {
                fnn_moments given = { 1, ((const REAL *)a->running_mean)[k], 0, ((const REAL *)a->running_var)[k] };
                FN(batch_norm_keep)(a, k, &given);
            }
        else if (S == 1)
            FN(norm_column_moments)(a, c, width);
        else {
            fnn_moments m = FN(norm_moments)((const REAL *)a->x + c * S, N, C * S, S);
            FN(batch_norm_keep)(a, c, &m);
        }
        for (fnn_size k = 0; k < width; k++) {
            centre[k] = mean[2 * (c + k)];
            scale[k] = w ? rstd[c + k] * w[c + k] : rstd[c + k];
            shift[k] = (b ? b[c + k] : 0) - mean[2 * (c + k) + 1] * scale[k];
        }
        for (fnn_size n = 0; n < N; n++) {
            const REAL *restrict x = (const REAL *)a->x + (n * C + c) * S;       /* x[n,c,:] */
            REAL *restrict y = (REAL *)a->y + (n * C + c) * S;
            if (S == 1)
                for (fnn_size k = 0; k < width; k++)
                    y[k] = (x[k] - centre[k]) * scale[k] + shift[k];
            else
                FN(norm_plane)(y, x, S, centre[0], scale[0], shift[0]);
        }
    }
}

static fnn_size FN(batch_norm_grain)(fnn_size N, fnn_size S)
{
    fnn_size grain = fnn_norm_items(N * S);
    return S == 1 && grain < NORM_COLUMNS ? NORM_COLUMNS : grain;
}

void FN(batch_norm_forward)(REAL *y, REAL *batch_mean, REAL *batch_var, REAL *mean, REAL *rstd, const REAL *x, const REAL *weight,
                            const REAL *bias, fnn_size N, fnn_size C, fnn_size S, double eps)
{
    fnn_norm_args args = { .y = y, .batch_mean = batch_mean, .batch_var = batch_var, .mean = mean, .rstd = rstd, .x = x, .weight = weight,
                           .bias = bias, .N = N, .C = C, .S = S, .eps = eps };
    fnn_parallel_for(C, FN(batch_norm_grain)(N, S), FN(batch_norm_forward_block), &args);
}

void FN(batch_norm_inference_forward)(REAL *y, REAL *mean, REAL *rstd, const REAL *x, const REAL *running_mean,
                                      const REAL *running_var, const REAL *weight, const REAL *bias,
                                      fnn_size N, fnn_size C, fnn_size S, double eps)
{
    fnn_norm_args args = { .y = y, .mean = mean, .rstd = rstd, .x = x, .running_mean = running_mean, .running_var = running_var,
                           .weight = weight, .bias = bias, .N = N, .C = C, .S = S, .eps = eps, .inference = 1 };
    fnn_parallel_for(C, FN(batch_norm_grain)(N, S), FN(batch_norm_forward_block), &args);
}

/* sum[k] = sum dy,  product[k] = sum dy * (x - centre[k])  of the channels c ... c + width - 1 of [N][C] */
static void FN(norm_column_products)(const fnn_norm_args *a, fnn_size c, fnn_size width, const REAL *centre, double *sum, double *product)
{
    for (fnn_size n0 = 0; n0 < a->N; n0 += NORM_ROWS) {
        fnn_size n1 = n0 + NORM_ROWS < a->N ? n0 + NORM_ROWS : a->N;
        REAL s[NORM_COLUMNS] = { 0 }, p[NORM_COLUMNS] = { 0 };
        for (fnn_size n = n0; n < n1; n++) {
            const REAL *restrict x = (const REAL *)a->x + n * a->C + c, *restrict dy = (const REAL *)a->dy + n * a->C + c;
            for (fnn_size k = 0; k < width; k++) {
                s[k] += dy[k];
                p[k] += dy[k] * (x[k] - centre[k]);
            }
        }
        for (fnn_size k = 0; k < width; k++) {
            sum[k] += s[k];
            product[k] += p[k];
        }
    }
}

static void FN(batch_norm_backward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_norm_args *a = ctx;
    const REAL *w = a->weight, *mean = a->mean, *rstd = a->rstd, *dmean = a->dbatch_mean, *dvar = a->dbatch_var;
    fnn_size N = a->N, C = a->C, S = a->S, step = S == 1 ? NORM_COLUMNS : 1;
    double m = (double)(N * S > 0 ? N * S : 1);
    for (fnn_size c = begin; c < end; c += step) {
        fnn_size width = end - c < step ? end - c : step;
        REAL centre[NORM_COLUMNS], scale[NORM_COLUMNS], slope[NORM_COLUMNS], shift[NORM_COLUMNS];
        double sum[NORM_COLUMNS] = { 0 }, product[NORM_COLUMNS] = { 0 };
        for (fnn_size k = 0; k < width; k++)
            centre[k] = mean[2 * (c + k)];
        if (S == 1)
            FN(norm_column_products)(a, c, width, centre, sum, product);
        else
            for (fnn_size n = 0; n < N; n++)
                FN(norm_products)((const REAL *)a->dy + (n * C + c) * S, (const REAL *)a->x + (n * C + c) * S, S, centre[0], sum, product);
        for (fnn_size k = 0; k < width; k++) {
            double r = rstd[c + k], rest = mean[2 * (c + k) + 1], weight = w ? w[c + k] : 1;
            product[k] = (product[k] - rest * sum[k]) * r;             /* sum dy * xhat */
            if (a->dweight)                         /* forward was  y = xhat * w + b */
                ((REAL *)a->dweight)[c + k] = (REAL)product[k];
            if (a->dbias)
                ((REAL *)a->dbias)[c + k] = (REAL)sum[k];
            /* forward was  xhat = (x - mean) * rstd:   dx = dy * scale + (x - centre) * slope + shift */
            double b = 0, q = 0;
            if (!a->inference) {
                b = -weight * r * r * product[k] / m + (dvar ? 2 * (double)dvar[c + k] / m : 0);
                q = -weight * r * sum[k] / m + (dmean ? (double)dmean[c + k] / m : 0) - b * rest;
            }
            scale[k] = (REAL)(weight * r);
            slope[k] = (REAL)b;
            shift[k] = (REAL)q;
        }
        for (fnn_size n = 0; a->dx && n < N; n++) {
            const REAL *restrict x = (const REAL *)a->x + (n * C + c) * S, *restrict dy = (const REAL *)a->dy + (n * C + c) * S;
            REAL *restrict dx = (REAL *)a->dx + (n * C + c) * S;
            if (S == 1)
                for (fnn_size k = 0; k < width; k++)
                    dx[k] = dy[k] * scale[k] + ((x[k] - centre[k]) * slope[k] + shift[k]);
            else
                FN(norm_plane_backward)(dx, dy, x, S, centre[0], scale[0], slope[0], shift[0]);
        }
    }
}

void FN(batch_norm_backward)(REAL *dx, REAL *dweight, REAL *dbias, const REAL *dy, const REAL *dbatch_mean, const REAL *dbatch_var,
                             const REAL *x, const REAL *mean, const REAL *rstd, const REAL *weight, fnn_size N, fnn_size C, fnn_size S)
{
    fnn_norm_args args = { .dx = dx, .dweight = dweight, .dbias = dbias, .dy = dy, .dbatch_mean = dbatch_mean, .dbatch_var = dbatch_var,
                           .x = x, .mean = (void *)mean, .rstd = (void *)rstd, .weight = weight, .N = N, .C = C, .S = S };
    fnn_parallel_for(C, FN(batch_norm_grain)(N, S), FN(batch_norm_backward_block), &args);
}

void FN(batch_norm_inference_backward)(REAL *dx, REAL *dweight, REAL *dbias, const REAL *dy, const REAL *x, const REAL *mean,
                                       const REAL *rstd, const REAL *weight, fnn_size N, fnn_size C, fnn_size S)
{
    fnn_norm_args args = { .dx = dx, .dweight = dweight, .dbias = dbias, .dy = dy, .x = x, .mean = (void *)mean, .rstd = (void *)rstd,
                           .weight = weight, .N = N, .C = C, .S = S, .inference = 1 };
    fnn_parallel_for(C, FN(batch_norm_grain)(N, S), FN(batch_norm_backward_block), &args);
}
