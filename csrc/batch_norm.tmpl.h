/* batch_norm.tmpl.h -- batch normalisation: standardise each channel over all images, then scale and shift.
 *
 * Math       as in norm.tmpl.h; a set is one channel of all images, m = N*S elements. The mean and the variance are results
 *            too, whose gradients join in:   dx += dmean / m + dvar * 2 (x - mean) / m
 *            With given statistics (inference) they do not depend on x:   dx = rstd * g
 * Symbols    N images, C channels, S pixels of a channel.
 * Layout     x, y [N][C][S]; w, b, mean, var [C].
 * Method     norm_sums.tmpl.h. An item is a channel; where a channel has one pixel, NORM_COLUMNS channels are done side by side.
 * Cost       some 7 flop per element forward, 8 backward; bound by memory. A channel that fits into the L2 cache comes from
 *            memory once forward and once (dy and x) backward.
 * Threads    channels; so one thread does all where C = 1.
 * Reference  fastnn/reference/norm.py; Ioffe, Szegedy (2015), "Batch normalization".
 */
#include "norm_sums.tmpl.h"

#ifndef FNN_BATCH_NORM_ONCE
#define FNN_BATCH_NORM_ONCE
enum {
    NORM_COLUMNS = 64,                              /* channels side by side where a channel has one pixel */
    NORM_ROWS = 64                                  /* and rows of them in a chunk */
};

typedef struct {
    void *y, *dx, *dweight, *dbias, *mean, *rstd, *batch_mean, *batch_var;
    const void *x, *dy, *weight, *bias, *dbatch_mean, *dbatch_var, *running_mean, *running_var;
    fnn_size N, C, S;
    double eps;
    int inference;                                  /* the statistics are given: they do not depend on x */
} fnn_batch_norm_args;
#endif

static void FN(batch_norm_keep)(const fnn_batch_norm_args *a, fnn_size c, const fnn_moments *m)
{
    FN(norm_keep_mean)((REAL *)a->mean + 2 * c, m);
    ((REAL *)a->rstd)[c] = (REAL)(1 / sqrt(fnn_moments_var(m) + a->eps));
    if (a->batch_mean) {
        ((REAL *)a->batch_mean)[c] = (REAL)fnn_moments_mean(m);
        ((REAL *)a->batch_var)[c] = (REAL)fnn_moments_var(m);
    }
}

/* Moments of the channels c ... c + width - 1 of x [N][C]. */
static void FN(norm_column_moments)(const fnn_batch_norm_args *a, fnn_size c, fnn_size width)
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
    const fnn_batch_norm_args *a = ctx;
    const REAL *w = a->weight, *b = a->bias, *mean = a->mean, *rstd = a->rstd;
    fnn_size N = a->N, C = a->C, S = a->S, step = S == 1 ? NORM_COLUMNS : 1;
    for (fnn_size c = begin; c < end; c += step) {
        fnn_size width = end - c < step ? end - c : step;
        REAL centre[NORM_COLUMNS], scale[NORM_COLUMNS], shift[NORM_COLUMNS];
        if (a->inference)
            for (fnn_size k = c; k < c + width; k++) {
                fnn_moments given = { 1, ((const REAL *)a->running_mean)[k], 0,
                                      ((const REAL *)a->running_var)[k] };
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

void FN(batch_norm_forward)(REAL *y, REAL *batch_mean, REAL *batch_var, REAL *mean, REAL *rstd, const REAL *x,
                            const REAL *weight, const REAL *bias, fnn_size N, fnn_size C, fnn_size S,
                            double eps)
{
    fnn_batch_norm_args args = { .y = y, .batch_mean = batch_mean, .batch_var = batch_var, .mean = mean, .rstd = rstd,
                           .x = x, .weight = weight, .bias = bias, .N = N, .C = C, .S = S, .eps = eps };
    fnn_parallel_for(C, FN(batch_norm_grain)(N, S), FN(batch_norm_forward_block), &args);
}

void FN(batch_norm_inference_forward)(REAL *y, REAL *mean, REAL *rstd, const REAL *x, const REAL *running_mean,
                                      const REAL *running_var, const REAL *weight, const REAL *bias,
                                      fnn_size N, fnn_size C, fnn_size S, double eps)
{
    fnn_batch_norm_args args = { .y = y, .mean = mean, .rstd = rstd, .x = x, .running_mean = running_mean,
                           .running_var = running_var, .weight = weight, .bias = bias, .N = N, .C = C, .S = S,
                           .eps = eps, .inference = 1 };
    fnn_parallel_for(C, FN(batch_norm_grain)(N, S), FN(batch_norm_forward_block), &args);
}

/* sum[k] = sum dy,  product[k] = sum dy * (x - centre[k])  of the channels c ... c + width - 1 of [N][C] */
static void FN(norm_column_products)(const fnn_batch_norm_args *a, fnn_size c, fnn_size width,
                                     const REAL *centre, double *sum, double *product)
{
    for (fnn_size n0 = 0; n0 < a->N; n0 += NORM_ROWS) {
        fnn_size n1 = n0 + NORM_ROWS < a->N ? n0 + NORM_ROWS : a->N;
        REAL s[NORM_COLUMNS] = { 0 }, p[NORM_COLUMNS] = { 0 };
        for (fnn_size n = n0; n < n1; n++) {
            const REAL *restrict x = (const REAL *)a->x + n * a->C + c;
            const REAL *restrict dy = (const REAL *)a->dy + n * a->C + c;
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
    const fnn_batch_norm_args *a = ctx;
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
                FN(norm_products)((const REAL *)a->dy + (n * C + c) * S, (const REAL *)a->x + (n * C + c) * S,
                                  S, centre[0], sum, product);
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
            const REAL *restrict x = (const REAL *)a->x + (n * C + c) * S;
            const REAL *restrict dy = (const REAL *)a->dy + (n * C + c) * S;
            REAL *restrict dx = (REAL *)a->dx + (n * C + c) * S;
            if (S == 1)
                for (fnn_size k = 0; k < width; k++)
                    dx[k] = dy[k] * scale[k] + ((x[k] - centre[k]) * slope[k] + shift[k]);
            else
                FN(norm_plane_backward)(dx, dy, x, S, centre[0], scale[0], slope[0], shift[0]);
        }
    }
}

void FN(batch_norm_backward)(REAL *dx, REAL *dweight, REAL *dbias, const REAL *dy, const REAL *dbatch_mean,
                             const REAL *dbatch_var, const REAL *x, const REAL *mean, const REAL *rstd,
                             const REAL *weight, fnn_size N, fnn_size C, fnn_size S)
{
    fnn_batch_norm_args args = { .dx = dx, .dweight = dweight, .dbias = dbias, .dy = dy, .dbatch_mean = dbatch_mean,
                           .dbatch_var = dbatch_var, .x = x, .mean = (void *)mean, .rstd = (void *)rstd,
                           .weight = weight, .N = N, .C = C, .S = S };
    fnn_parallel_for(C, FN(batch_norm_grain)(N, S), FN(batch_norm_backward_block), &args);
}

void FN(batch_norm_inference_backward)(REAL *dx, REAL *dweight, REAL *dbias, const REAL *dy, const REAL *x,
                                       const REAL *mean, const REAL *rstd, const REAL *weight, fnn_size N,
                                       fnn_size C, fnn_size S)
{
    fnn_batch_norm_args args = { .dx = dx, .dweight = dweight, .dbias = dbias, .dy = dy, .x = x, .mean = (void *)mean,
                           .rstd = (void *)rstd, .weight = weight, .N = N, .C = C, .S = S, .inference = 1 };
    fnn_parallel_for(C, FN(batch_norm_grain)(N, S), FN(batch_norm_backward_block), &args);
}
