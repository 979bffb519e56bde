/* norm.tmpl.h -- layer, RMS and group normalisation: bring the elements of a set to mean 0 and
 * variance 1, then scale and shift.
 *
 * Math       A set is the m elements that share a mean: a row (layer norm; RMS norm takes its mean
 *            as 0), or C/G channels of one image (group norm).
 *
 *            mean = sum x / m     var = sum (x - mean)^2 / m     rstd = 1 / sqrt(var + eps)
 *            y  = xhat * w + b,   xhat = (x - mean) * rstd
 *            dw = sum dy * xhat,  db = sum dy                over all sets that share w and b
 *            dx = rstd * (g - sum g / m - xhat * sum (g * xhat) / m),   g = dy * w
 * Symbols    rows of n elements; N images, C channels, S pixels of a channel, G groups.
 * Layout     x [rows][n] or [N][C][S]; w, b [n] or [C].
 * Method     norm_sums.tmpl.h
 * Cost       some 8 flop per element forward, 12 backward; bound by memory. Rows that fit into the
 *            L2 cache come from memory once forward and once (dy and x) backward.
 * Threads    rows; images x groups. Sums over rows are kept per block of rows and added in order.
 * Reference  fastnn/reference/norm.py; Ba, Kiros, Hinton (2016), "Layer normalization"; Zhang,
 *            Sennrich (2019), "Root mean square layer normalization"; Wu, He (2018), "Group
 *            normalization".
 */
#include "norm/norm_sums.tmpl.h"

#ifndef FNN_NORM_ONCE
#define FNN_NORM_ONCE
typedef struct {
    void *y, *dx, *dweight, *dbias, *mean, *rstd, *work;
    const void *x, *dy, *weight, *bias;
    fnn_size n, C, S, G, grain;
    double eps;
} fnn_norm_args;
#endif

/* ---- layer norm and RMS norm ----------------------------------------------------------------- */

static void FN(layer_norm_forward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_norm_args *args = ctx;
    const REAL *restrict w = args->weight, *restrict b = args->bias;
    REAL *mean = args->mean, *rstd = args->rstd;
    fnn_size n = args->n;
    for (fnn_size row = begin; row < end; row++) {
        const REAL *restrict x = (const REAL *)args->x + row * n;      /* x[row,:] */
        REAL *restrict y = (REAL *)args->y + row * n;
        fnn_moments moments = FN(norm_moments)(x, 1, n, n);
        fnn_norm_care care;
        REAL scale = (REAL)FN(norm_rstd)(&moments, &care, mean != NULL, x, 1, n, n, args->eps), centre = 0, shift = 0;
        if (mean) {
            FN(norm_keep_mean)(mean + 2 * row, &moments);
            centre = mean[2 * row];
            shift = -mean[2 * row + 1] * scale;
        }
        rstd[row] = scale;
        if (care.unit != 0)
            FN(norm_write_with_care)(0, y, x, n, &care, w, b, 1);
        else if (w && b)
            for (fnn_size j = 0; j < n; j++)
                y[j] = ((x[j] - centre) * scale + shift) * w[j] + b[j];
        else if (w)
            for (fnn_size j = 0; j < n; j++)
                y[j] = ((x[j] - centre) * scale + shift) * w[j];
        else if (b)
            for (fnn_size j = 0; j < n; j++)
                y[j] = (x[j] - centre) * scale + shift + b[j];
        else
            FN(norm_plane)(y, x, n, centre, scale, shift);
    }
}

void FN(layer_norm_forward)(REAL *y, REAL *mean, REAL *rstd, const REAL *x, const REAL *weight,
                            const REAL *bias, fnn_size rows, fnn_size n, double eps)
{
    fnn_norm_args args = { .y = y, .mean = mean, .rstd = rstd, .x = x, .weight = weight, .bias = bias, .n = n,
                           .eps = eps };
    if (n > 0)
        fnn_parallel_for(rows, fnn_grain(FNN_NORM_BLOCK, n), FN(layer_norm_forward_block), &args);
}

/* The same sums and gradients as below, of one row. */
static void FN(layer_norm_backward_with_care)(const fnn_norm_args *args, fnn_size row, REAL *dw, REAL *db)
{
    const fnn_size n = args->n;
    const REAL *x = (const REAL *)args->x + row * n, *dy = (const REAL *)args->dy + row * n;
    const REAL *w = args->weight, *mean = args->mean ? (const REAL *)args->mean + 2 * row : NULL;
    const fnn_norm_care care = FN(norm_care_of)(mean, ((const REAL *)args->rstd)[row], x, 1, n, n);
    double sum = 0, product = 0;
    for (fnn_size j = 0; j < n; j++) {
        const double xhat = FN(norm_xhat)(&care, x[j]), g = w ? (double)dy[j] * (double)w[j] : dy[j];
        sum += g;
        product += g * xhat;
        if (dw) {
            dw[j] += (REAL)(dy[j] * xhat);
            db[j] += dy[j];
        }
    }
    for (fnn_size j = 0; args->dx && j < n; j++) {
        const double xhat = FN(norm_xhat)(&care, x[j]), g = w ? (double)dy[j] * (double)w[j] : dy[j];
        const double d = g - (mean ? sum / (double)n : 0) - xhat * (product / (double)n);
        ((REAL *)args->dx)[row * n + j] = (REAL)(d * care.rstd * care.unit);
    }
}

static void FN(layer_norm_backward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_norm_args *args = ctx;
    const REAL *restrict w = args->weight, *mean = args->mean, *rstd = args->rstd;
    fnn_size n = args->n;
    REAL *restrict dw = NULL, *restrict db = NULL;
    if (args->work) {                           /* this block's own sums for dweight and dbias */
        dw = (REAL *)args->work + begin / args->grain * 2 * n;
        db = dw + n;
        memset(dw, 0, 2 * (size_t)n * sizeof(REAL));
    }
    for (fnn_size row = begin; row < end; row++) {
        const REAL *restrict x = (const REAL *)args->x + row * n, *restrict dy = (const REAL *)args->dy + row * n;
        REAL scale = rstd[row], centre = 0, shift = 0, sum = 0, product = 0;
        if (mean) {
            centre = mean[2 * row];
            shift = -mean[2 * row + 1] * scale;
        }
        if (args->dx && w) {
            #pragma omp simd reduction(+:sum, product)
            for (fnn_size j = 0; j < n; j++) {
                REAL g = dy[j] * w[j];
                sum += g;
                product += g * ((x[j] - centre) * scale + shift);
            }
        } else if (args->dx) {
            #pragma omp simd reduction(+:sum, product)
            for (fnn_size j = 0; j < n; j++) {
                sum += dy[j];
                product += dy[j] * ((x[j] - centre) * scale + shift);
            }
        }
        if (!FN(norm_is_safe)(scale) || !FN(norm_is_finite)(sum) || !FN(norm_is_finite)(product)) {
            FN(layer_norm_backward_with_care)(args, row, dw, db);
            continue;
        }
        if (dw)                 /* forward was  y = xhat * w + b   so  dw += dy * xhat,  db += dy */
            for (fnn_size j = 0; j < n; j++) {
                dw[j] += dy[j] * ((x[j] - centre) * scale + shift);
                db[j] += dy[j];
            }
        if (args->dx) {                         /* forward was  xhat = (x - mean(x)) * rstd(x) */
            REAL *restrict dx = (REAL *)args->dx + row * n;
            REAL slope = -product / (REAL)n * scale, offset = mean ? -sum / (REAL)n * scale : 0;
            offset += slope * shift;
            slope *= scale;
            if (w)
                for (fnn_size j = 0; j < n; j++)
                    dx[j] = dy[j] * w[j] * scale + ((x[j] - centre) * slope + offset);
            else
                for (fnn_size j = 0; j < n; j++)
                    dx[j] = dy[j] * scale + ((x[j] - centre) * slope + offset);
        }
    }
}

/* out[j] = parts[0][j] + parts[1][j] + ...: rows of 2n, of which out takes the first or the second
 * half */
typedef struct { REAL *out; const REAL *parts; fnn_size blocks, stride; } FN(norm_total_args);

static void FN(norm_total_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(norm_total_args) *args = ctx;
    REAL *restrict out = args->out;
    memset(out + begin, 0, (size_t)(end - begin) * sizeof(REAL));
    for (fnn_size block = 0; block < args->blocks; block++) {
        const REAL *restrict part = args->parts + block * args->stride;
        for (fnn_size j = begin; j < end; j++)
            out[j] += part[j];
    }
}

static void FN(norm_total)(REAL *out, const REAL *parts, fnn_size blocks, fnn_size n)
{
    FN(norm_total_args) args = { out, parts, blocks, 2 * n };
    if (out)
        fnn_parallel_for(n, fnn_grain(FNN_NORM_BLOCK, blocks), FN(norm_total_block), &args);
}

void FN(layer_norm_backward)(REAL *dx, REAL *dweight, REAL *dbias, const REAL *dy, const REAL *x,
                             const REAL *mean, const REAL *rstd, const REAL *weight, REAL *work, fnn_size rows,
                             fnn_size n)
{
    fnn_size grain = fnn_layer_norm_grain(rows, n), blocks = fnn_ceil_div(rows, grain);
    fnn_norm_args args = { .dx = dx, .work = dweight || dbias ? work : NULL, .mean = (void *)mean,
                           .rstd = (void *)rstd, .x = x, .dy = dy, .weight = weight, .n = n, .grain = grain };
    fnn_parallel_for(rows, grain, FN(layer_norm_backward_block), &args);
    FN(norm_total)(dweight, work, blocks, n);
    FN(norm_total)(dbias, work ? work + n : NULL, blocks, n);
}

/* ---- group norm ------------------------------------------------------------------------------ */
/* Item i is a group of an image, its group i % G: channels c from i % G * K on, k = 0 ... K - 1 of
 * them, with K = C/G. */

static void FN(group_norm_forward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_norm_args *args = ctx;
    const REAL *w = args->weight, *b = args->bias;
    REAL *mean = args->mean, *rstd = args->rstd;
    fnn_size S = args->S, K = args->C / args->G;
    for (fnn_size i = begin; i < end; i++) {
        const REAL *x = (const REAL *)args->x + i * K * S;             /* x of the group */
        REAL *y = (REAL *)args->y + i * K * S;
        fnn_moments moments = FN(norm_moments)(x, 1, K * S, K * S);
        fnn_norm_care care;
        REAL r = rstd[i] = (REAL)FN(norm_rstd)(&moments, &care, 1, x, 1, K * S, K * S, args->eps);
        FN(norm_keep_mean)(mean + 2 * i, &moments);
        REAL centre = mean[2 * i], rest = mean[2 * i + 1];
        for (fnn_size k = 0; k < K; k++) {
            fnn_size c = i % args->G * K + k;
            REAL scale = w ? r * w[c] : r;
            if (care.unit == 0 && FN(norm_is_finite)(scale))
                FN(norm_plane)(y + k * S, x + k * S, S, centre, scale, (b ? b[c] : 0) - rest * scale);
            else {
                const fnn_norm_care own = care.unit != 0 ? care
                                                         : FN(norm_care_of)(mean + 2 * i, r, x, 1, K * S, K * S);
                FN(norm_write_with_care)(0, y + k * S, x + k * S, S, &own, w ? w + c : NULL, b ? b + c : NULL, 0);
            }
        }
    }
}

void FN(group_norm_forward)(REAL *y, REAL *mean, REAL *rstd, const REAL *x, const REAL *weight,
                            const REAL *bias, fnn_size N, fnn_size C, fnn_size S, fnn_size G, double eps)
{
    fnn_norm_args args = { .y = y, .mean = mean, .rstd = rstd, .x = x, .weight = weight, .bias = bias,
                           .C = C, .S = S, .G = G, .eps = eps };
    if (C * S > 0)
        fnn_parallel_for(N * G, fnn_grain(FNN_NORM_BLOCK, C / G * S), FN(group_norm_forward_block), &args);
}

/* The same sums and gradients as below, of one group. */
static void FN(group_norm_backward_with_care)(const fnn_norm_args *args, fnn_size i, REAL *dw, REAL *db)
{
    const fnn_size S = args->S, K = args->C / args->G;
    const REAL *x = (const REAL *)args->x + i * K * S, *dy = (const REAL *)args->dy + i * K * S, *w = args->weight;
    const fnn_norm_care care = FN(norm_care_of)((const REAL *)args->mean + 2 * i, ((const REAL *)args->rstd)[i], x, 1,
                                                K * S, K * S);
    const double m = (double)(K * S);
    FN(norm_products_of) sum = { 0, 0, 0, 0 };
    for (fnn_size k = 0; k < K; k++) {
        const fnn_size c = i % args->G * K + k;
        sum.dy = sum.dy_xhat = 0;
        FN(norm_products_with_care)(0, &sum, dy + k * S, x + k * S, S, &care, w ? w[c] : 1, 0);
        db[c] = (REAL)sum.dy;
        dw[c] = (REAL)sum.dy_xhat;
    }
    for (fnn_size j = 0; args->dx && j < K * S; j++) {
        const double xhat = FN(norm_xhat)(&care, x[j]), weight = w ? w[i % args->G * K + j / S] : 1;
        ((REAL *)args->dx)[i * K * S + j] = (REAL)((dy[j] * weight - sum.g / m - xhat * (sum.g_xhat / m)) * care.rstd
                                                * care.unit);
    }
}

static void FN(group_norm_backward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_norm_args *args = ctx;
    const REAL *w = args->weight, *mean = args->mean, *rstd = args->rstd;
    fnn_size S = args->S, C = args->C, G = args->G, K = C / G;
    double m = (double)(K * S);
    for (fnn_size i = begin; i < end; i++) {
        const REAL *x = (const REAL *)args->x + i * K * S, *dy = (const REAL *)args->dy + i * K * S;
        /* this image's share of dweight and dbias */
        REAL *dw = (REAL *)args->work + i / G * 2 * C, *db = dw + C;
        double centre = mean[2 * i], rest = mean[2 * i + 1], r = rstd[i], sum = 0, product = 0;
        /* forward was  y = xhat * w + b   so  dw += dy * xhat,  db += dy */
        for (fnn_size k = 0; k < K; k++) {
            fnn_size c = i % G * K + k;
            double s = 0, p = 0;
            FN(norm_products)(dy + k * S, x + k * S, S, (REAL)centre, &s, &p);
            p = (p - rest * s) * r;
            db[c] = (REAL)s;
            dw[c] = (REAL)p;
            sum += w ? s * (double)w[c] : s;
            product += w ? p * (double)w[c] : p;
        }
        if (!FN(norm_is_safe)(r) || !FN(norm_is_finite)(sum) || !FN(norm_is_finite)(product))
            FN(group_norm_backward_with_care)(args, i, dw, db);
        else if (args->dx) {                    /* forward was  xhat = (x - mean(x)) * rstd(x) */
            REAL *dx = (REAL *)args->dx + i * K * S;
            double slope = -product / m * r * r, offset = -sum / m * r - slope * rest;
            for (fnn_size k = 0; k < K; k++)
                FN(norm_plane_backward)(dx + k * S, dy + k * S, x + k * S, S, (REAL)centre,
                                        (REAL)(w ? r * (double)w[i % G * K + k] : r), (REAL)slope, (REAL)offset);
        }
    }
}

void FN(group_norm_backward)(REAL *dx, REAL *dweight, REAL *dbias, const REAL *dy, const REAL *x,
                             const REAL *mean, const REAL *rstd, const REAL *weight, REAL *work, fnn_size N,
                             fnn_size C, fnn_size S, fnn_size G)
{
    fnn_norm_args args = { .dx = dx, .work = work, .mean = (void *)mean, .rstd = (void *)rstd, .x = x, .dy = dy,
                           .weight = weight, .C = C, .S = S, .G = G };
    fnn_parallel_for(N * G, fnn_grain(FNN_NORM_BLOCK, C / G * S), FN(group_norm_backward_block), &args);
    FN(norm_total)(dweight, work, N, C);
    FN(norm_total)(dbias, work + C, N, C);
}
