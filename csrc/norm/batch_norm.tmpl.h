/* batch_norm.tmpl.h -- batch normalisation: bring each channel to mean 0 and variance 1 over all
 * images, then scale and shift.
 *
 * Math       As in norm.tmpl.h. A set is one channel of all images, m = N*S elements. The mean and
 *            the variance are results too, and their gradients join in:
 *
 *                dx += dmean / m + dvar * 2 (x - mean) / m
 *
 *            With given statistics (inference) they do not depend on x:   dx = rstd * g
 *            With relu,  y = max(y, 0),  and dy counts where (x - mean) * scale + shift > 0. That
 *            is computed again from x, so y is not needed.
 * Symbols    N images, C channels, S pixels of a channel.
 * Layout     x, y [N][C][S]; w, b, mean, var [C].
 * Method     norm_sums.tmpl.h. An item is a channel. Channels of few pixels are done side by side,
 *            so that what is read lies together: up to NORM_SIDE of them; or NORM_COLUMNS by one
 *            vector loop where a channel has one pixel.
 * Cost       some 7 flop per element forward, 8 backward; bound by memory. A channel that fits into
 *            the L2 cache comes from memory once forward and once (dy and x) backward.
 * Threads    channels; so one thread does all where C = 1.
 * Reference  fastnn/reference/norm.py; Ioffe, Szegedy (2015), "Batch normalization".
 */
#include "norm/norm_sums.tmpl.h"

#ifndef FNN_BATCH_NORM_ONCE
#define FNN_BATCH_NORM_ONCE
enum {
    NORM_SIDE = 16,                 /* channels side by side: at most so many, */
    NORM_RUN = 256,                 /* of about so many elements together; timed, both together:
                                       docs/kernels/README.md */
    NORM_COLUMNS = 64,              /* channels side by side where each has one pixel; chosen: 4
                                       cache lines of floats in each image */
    NORM_ROWS = 64                  /* and the images that are summed before double takes over;
                                       chosen: with NORM_COLUMNS a chunk of NORM_CHUNK elements */
};

typedef struct {
    void *y, *dx, *dweight, *dbias, *mean, *rstd, *batch_mean, *batch_var;
    const void *x, *dy, *weight, *bias, *dbatch_mean, *dbatch_var, *running_mean, *running_var;
    fnn_size N, C, S;
    double eps;
    int inference;                          /* the statistics are given: they do not depend on x */
    int relu;                               /* y is cut at 0 */
} fnn_batch_norm_args;

/* Channels that are done side by side. */
static fnn_size fnn_batch_norm_side(fnn_size S)
{
    if (S == 1)
        return NORM_COLUMNS;
    return S < 1 || S >= NORM_RUN ? 1 : fnn_min(NORM_RUN / S, NORM_SIDE);
}
#endif

static void FN(batch_norm_keep)(const fnn_batch_norm_args *args, fnn_size c, fnn_moments *moments)
{
    if (args->inference)
        ((REAL *)args->rstd)[c] = (REAL)(1 / sqrt(fnn_moments_var(moments) + args->eps));
    else {
        fnn_norm_care care;
        ((REAL *)args->rstd)[c] = (REAL)FN(norm_rstd)(moments, &care, 1, (const REAL *)args->x + c * args->S, args->N,
                                                      args->C * args->S, args->S, args->eps);
    }
    FN(norm_keep_mean)((REAL *)args->mean + 2 * c, moments);
    if (args->batch_mean) {
        ((REAL *)args->batch_mean)[c] = (REAL)fnn_moments_mean(moments);
        ((REAL *)args->batch_var)[c] = (REAL)fnn_moments_var(moments);
    }
}

/* Moments of the channels c ... c + width - 1 of x [N][C]: one pixel each. */
static void FN(norm_column_moments)(const fnn_batch_norm_args *args, fnn_size c, fnn_size width)
{
    fnn_moments all[NORM_COLUMNS] = { { 0, 0, 0, 0 } };
    /* NORM_ROWS images at a time: first their mean, then the deviations from it */
    for (fnn_size n0 = 0; n0 < args->N; n0 += NORM_ROWS) {
        fnn_size n1 = fnn_min(n0 + NORM_ROWS, args->N);
        double count = (double)(n1 - n0);
        REAL centre[NORM_COLUMNS] = { 0 }, sum[NORM_COLUMNS] = { 0 }, squares[NORM_COLUMNS] = { 0 };
        /* the images, and in each the channels, a vector loop */
        for (fnn_size n = n0; n < n1; n++) {
            const REAL *restrict x = (const REAL *)args->x + n * args->C + c;
            for (fnn_size k = 0; k < width; k++)
                centre[k] += x[k];
        }
        for (fnn_size k = 0; k < width; k++)
            centre[k] /= (REAL)count;
        for (fnn_size n = n0; n < n1; n++) {
            const REAL *restrict x = (const REAL *)args->x + n * args->C + c;
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
        FN(batch_norm_keep)(args, c + k, &all[k]);
}

/* The same where a channel has a few pixels: x [N][C][S]. */
static void FN(norm_side_moments)(const fnn_batch_norm_args *args, fnn_size c, fnn_size width)
{
    const FN(norm_running) zero = { v_set(0), v_set(0), v_set(0), v_set(0), 0 };
    /* not fnn_grain: with its branch GCC makes the backward 3 % longer */
    const fnn_size S = args->S, images = fnn_clamp(NORM_CHUNK / (width * S), 1, NORM_CHUNK);
    fnn_moments all[NORM_SIDE] = { { 0, 0, 0, 0 } };
    /* the images, `images` at a time, which makes a chunk of all channels */
    for (fnn_size n0 = 0; n0 < args->N; n0 += images) {
        const fnn_size n1 = fnn_min(n0 + images, args->N);
        const double count = (double)(n1 - n0) * (double)S;
        FN(norm_running) sum[NORM_SIDE], squares[NORM_SIDE];
        REAL centre[NORM_SIDE];
        for (fnn_size k = 0; k < width; k++)
            sum[k] = squares[k] = zero;
        for (fnn_size n = n0; n0 == 0 && n < n1; n++)
            for (fnn_size k = 0; k < width; k++)
                FN(norm_add)(&sum[k], (const REAL *)args->x + (n * args->C + c + k) * S, S);
        for (fnn_size k = 0; k < width; k++) {
            centre[k] = n0 == 0 ? (REAL)(FN(norm_sum_of)(sum[k]) / count) : (REAL)fnn_moments_mean(&all[k]);
            sum[k] = zero;
        }
        for (fnn_size n = n0; n < n1; n++)
            for (fnn_size k = 0; k < width; k++)
                FN(norm_spread)(&sum[k], &squares[k], (const REAL *)args->x + (n * args->C + c + k) * S, S, centre[k]);
        for (fnn_size k = 0; k < width; k++)
            fnn_moments_add(&all[k], count, centre[k], FN(norm_sum_of)(sum[k]), FN(norm_sum_of)(squares[k]));
    }
    for (fnn_size k = 0; k < width; k++)
        FN(batch_norm_keep)(args, c + k, &all[k]);
}

/* y of the channels c ... c + width - 1; relu is a constant */
FNN_INLINE void FN(batch_norm_write)(const int relu, const fnn_batch_norm_args *args, fnn_size c, fnn_size width,
                                     const REAL *centre, const REAL *scale, const REAL *shift)
{
    const fnn_size C = args->C, S = args->S;
    /* what the sums read last is still in the cache */
    for (fnn_size n = args->N - 1; n >= 0; n--) {
        const REAL *restrict x = (const REAL *)args->x + (n * C + c) * S;       /* x[n,c,:] */
        REAL *restrict y = (REAL *)args->y + (n * C + c) * S;
        if (S == 1)
            for (fnn_size k = 0; k < width; k++) {
                const REAL z = (x[k] - centre[k]) * scale[k] + shift[k];
                y[k] = relu && z < 0 ? 0 : z;
            }
        else
            for (fnn_size k = 0; k < width; k++)
                FN(norm_write)(relu, y + k * S, x + k * S, S, centre[k], scale[k], shift[k]);
    }
}

/* The care for a channel of which the mean and rstd are saved. */
static fnn_norm_care FN(batch_norm_care)(const fnn_batch_norm_args *args, fnn_size c)
{
    const REAL *mean = (const REAL *)args->mean + 2 * c, rstd = ((const REAL *)args->rstd)[c];
    if (args->inference)
        return (fnn_norm_care){ 1, (double)mean[0] + (double)mean[1], rstd };
    return FN(norm_care_of)(mean, rstd, (const REAL *)args->x + c * args->S, args->N, args->C * args->S, args->S);
}

static void FN(batch_norm_write_with_care)(const fnn_batch_norm_args *args, fnn_size c)
{
    const fnn_norm_care care = FN(batch_norm_care)(args, c);
    const REAL *w = args->weight ? (const REAL *)args->weight + c : NULL;
    const REAL *b = args->bias ? (const REAL *)args->bias + c : NULL;
    for (fnn_size n = 0; n < args->N; n++) {
        const fnn_size at = (n * args->C + c) * args->S;
        FN(norm_write_with_care)(args->relu, (REAL *)args->y + at, (const REAL *)args->x + at, args->S, &care, w, b, 0);
    }
}

static void FN(batch_norm_forward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_batch_norm_args *args = ctx;
    const REAL *w = args->weight, *b = args->bias, *mean = args->mean, *rstd = args->rstd;
    const fnn_size S = args->S, side = fnn_batch_norm_side(S);
    /* the channels, `side` of them side by side: first their statistics, then y or dx */
    for (fnn_size c = begin; c < end; c += side) {
        const fnn_size width = fnn_min(side, end - c);
        REAL centre[NORM_COLUMNS], scale[NORM_COLUMNS], shift[NORM_COLUMNS];
        if (args->inference)
            for (fnn_size channel = c; channel < c + width; channel++) {
                fnn_moments given = { 1, ((const REAL *)args->running_mean)[channel], 0,
                                      ((const REAL *)args->running_var)[channel] };
                FN(batch_norm_keep)(args, channel, &given);
            }
        else if (S == 1)
            FN(norm_column_moments)(args, c, width);
        else if (side > 1)
            FN(norm_side_moments)(args, c, width);
        else {
            fnn_moments moments = FN(norm_moments)((const REAL *)args->x + c * S, args->N, args->C * S, S);
            FN(batch_norm_keep)(args, c, &moments);
        }
        for (fnn_size k = 0; k < width; k++) {
            centre[k] = mean[2 * (c + k)];
            scale[k] = w ? rstd[c + k] * w[c + k] : rstd[c + k];
            shift[k] = (b ? b[c + k] : 0) - mean[2 * (c + k) + 1] * scale[k];
        }
        if (args->relu)
            FN(batch_norm_write)(1, args, c, width, centre, scale, shift);
        else
            FN(batch_norm_write)(0, args, c, width, centre, scale, shift);
        for (fnn_size k = 0; k < width; k++)
            if (!FN(norm_is_finite)(scale[k]) || (!args->inference && !FN(norm_is_safe)(rstd[c + k])))
                FN(batch_norm_write_with_care)(args, c + k);
    }
}

/* Channels in a block; those that are done side by side stay together. */
static fnn_size FN(batch_norm_grain)(fnn_size N, fnn_size S)
{
    return fnn_ceil_div(fnn_grain(FNN_NORM_BLOCK, N * S), fnn_batch_norm_side(S)) * fnn_batch_norm_side(S);
}

void FN(batch_norm_forward)(REAL *y, REAL *batch_mean, REAL *batch_var, REAL *mean, REAL *rstd, const REAL *x,
                            const REAL *weight, const REAL *bias, fnn_size N, fnn_size C, fnn_size S,
                            double eps, int relu)
{
    fnn_batch_norm_args args = { .y = y, .batch_mean = batch_mean, .batch_var = batch_var, .mean = mean, .rstd = rstd,
                           .x = x, .weight = weight, .bias = bias, .N = N, .C = C, .S = S, .eps = eps, .relu = relu };
    fnn_parallel_for(C, FN(batch_norm_grain)(N, S), FN(batch_norm_forward_block), &args);
}

void FN(batch_norm_inference_forward)(REAL *y, REAL *mean, REAL *rstd, const REAL *x, const REAL *running_mean,
                                      const REAL *running_var, const REAL *weight, const REAL *bias,
                                      fnn_size N, fnn_size C, fnn_size S, double eps, int relu)
{
    fnn_batch_norm_args args = { .y = y, .mean = mean, .rstd = rstd, .x = x, .running_mean = running_mean,
                           .running_var = running_var, .weight = weight, .bias = bias, .N = N, .C = C, .S = S,
                           .eps = eps, .inference = 1, .relu = relu };
    fnn_parallel_for(C, FN(batch_norm_grain)(N, S), FN(batch_norm_forward_block), &args);
}

/* sum[k] = sum dy,  product[k] = sum dy * (x - centre[k])  of channel c + k, for k < width: one
 * pixel each */
static void FN(norm_column_products)(const fnn_batch_norm_args *args, fnn_size c, fnn_size width, const REAL *centre,
                                     const FN(norm_gate) *gate, double *sum, double *product)
{
    for (fnn_size n0 = 0; n0 < args->N; n0 += NORM_ROWS) {
        fnn_size n1 = fnn_min(n0 + NORM_ROWS, args->N);
        REAL s[NORM_COLUMNS] = { 0 }, p[NORM_COLUMNS] = { 0 };
        for (fnn_size n = n0; n < n1; n++) {
            const REAL *restrict x = (const REAL *)args->x + n * args->C + c;
            const REAL *restrict dy = (const REAL *)args->dy + n * args->C + c;
            for (fnn_size k = 0; k < width; k++) {
                const REAL d = x[k] - centre[k];
                const REAL passed = !args->relu || d * gate[k].scale + gate[k].shift > 0 ? dy[k] : 0;
                s[k] += passed;
                p[k] += passed * d;
            }
        }
        for (fnn_size k = 0; k < width; k++) {
            sum[k] += s[k];
            product[k] += p[k];
        }
    }
}

/* The same where a channel has several pixels, in chunks as for the moments */
FNN_INLINE void FN(norm_side_products)(const int relu, const fnn_batch_norm_args *args, fnn_size c, fnn_size width,
                                       const REAL *centre, const FN(norm_gate) *gate, double *sum, double *product)
{
    const FN(norm_running) zero = { v_set(0), v_set(0), v_set(0), v_set(0), 0 };
    const fnn_size S = args->S, images = fnn_clamp(NORM_CHUNK / fnn_max(1, width * S), 1, NORM_CHUNK);
    /* the images, `images` at a time; of a channel, NORM_CHUNK pixels at a time */
    for (fnn_size n0 = 0; n0 < args->N; n0 += images)
        for (fnn_size i = 0; i < S; i += NORM_CHUNK) {
            FN(norm_running) s[NORM_SIDE], p[NORM_SIDE];
            for (fnn_size k = 0; k < width; k++)
                s[k] = p[k] = zero;
            for (fnn_size n = n0; n < fnn_min(n0 + images, args->N); n++)
                for (fnn_size k = 0; k < width; k++) {
                    const fnn_size at = (n * args->C + c + k) * S + i;
                    FN(norm_add_products)(relu, &s[k], &p[k], (const REAL *)args->dy + at, (const REAL *)args->x + at,
                                          fnn_min(NORM_CHUNK, S - i), centre[k], gate[k]);
                }
            for (fnn_size k = 0; k < width; k++) {
                sum[k] += FN(norm_sum_of)(s[k]);
                product[k] += FN(norm_sum_of)(p[k]);
            }
        }
}

/* dx of the channels c ... c + width - 1; relu is a constant */
FNN_INLINE void FN(batch_norm_write_dx)(const int relu, const fnn_batch_norm_args *args, fnn_size c, fnn_size width,
                                        const REAL *centre, const FN(norm_gate) *gate, const REAL *scale,
                                        const REAL *slope, const REAL *shift)
{
    const fnn_size C = args->C, S = args->S;
    /* what the sums read last is still in the cache */
    for (fnn_size n = args->N - 1; n >= 0; n--) {
        const REAL *restrict x = (const REAL *)args->x + (n * C + c) * S;
        const REAL *restrict dy = (const REAL *)args->dy + (n * C + c) * S;
        REAL *restrict dx = (REAL *)args->dx + (n * C + c) * S;
        if (S == 1)
            for (fnn_size k = 0; k < width; k++) {
                const REAL d = x[k] - centre[k], passed = !relu || d * gate[k].scale + gate[k].shift > 0 ? dy[k] : 0;
                dx[k] = passed * scale[k] + (d * slope[k] + shift[k]);
            }
        else
            for (fnn_size k = 0; k < width; k++)
                FN(norm_write_backward)(relu, dx + k * S, dy + k * S, x + k * S, S, centre[k], gate[k], scale[k],
                                        slope[k], shift[k]);
    }
}

/* The same sums and gradients as below, of one channel. */
static void FN(batch_norm_backward_with_care)(const fnn_batch_norm_args *args, fnn_size c)
{
    const fnn_norm_care care = FN(batch_norm_care)(args, c);
    const fnn_size N = args->N, C = args->C, S = args->S;
    const double m = (double)(N * S), w = args->weight ? ((const REAL *)args->weight)[c] : 1;
    const double b = args->bias ? ((const REAL *)args->bias)[c] : 0;
    const double dmean = args->dbatch_mean ? ((const REAL *)args->dbatch_mean)[c] / m : 0;
    const double dvar = args->dbatch_var ? 2 * (double)((const REAL *)args->dbatch_var)[c] / m : 0;
    FN(norm_products_of) sum = { 0, 0, 0, 0 };
    for (fnn_size n = 0; n < N; n++) {
        const fnn_size at = (n * C + c) * S;
        FN(norm_products_with_care)(args->relu, &sum, (const REAL *)args->dy + at, (const REAL *)args->x + at, S, &care,
                                    w, b);
    }
    if (args->dweight)
        ((REAL *)args->dweight)[c] = (REAL)sum.dy_xhat;
    if (args->dbias)
        ((REAL *)args->dbias)[c] = (REAL)sum.dy;
    for (fnn_size n = 0; args->dx && n < N; n++)
        for (fnn_size i = (n * C + c) * S; i < (n * C + c + 1) * S; i++) {
            const double xhat = FN(norm_xhat)(&care, ((const REAL *)args->x)[i]);
            const double g = (!args->relu || xhat * w + b > 0 ? ((const REAL *)args->dy)[i] : 0) * w;
            double gradient = g * care.rstd * care.unit;
            if (!args->inference)
                gradient = (g - sum.g / m - xhat * (sum.g_xhat / m)) * care.rstd * care.unit + dmean
                    + dvar * xhat / care.rstd / care.unit;
            ((REAL *)args->dx)[i] = (REAL)gradient;
        }
}

static void FN(batch_norm_backward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_batch_norm_args *args = ctx;
    const REAL *w = args->weight, *bias = args->bias, *mean = args->mean;
    const REAL *rstd = args->rstd, *dmean = args->dbatch_mean, *dvar = args->dbatch_var;
    const fnn_size N = args->N, S = args->S, side = fnn_batch_norm_side(S);
    const double m = (double)fnn_max(N * S, 1);
    /* the channels, `side` of them side by side: first their statistics, then y or dx */
    for (fnn_size c = begin; c < end; c += side) {
        const fnn_size width = fnn_min(side, end - c);
        REAL centre[NORM_COLUMNS], scale[NORM_COLUMNS], slope[NORM_COLUMNS], shift[NORM_COLUMNS];
        FN(norm_gate) gate[NORM_COLUMNS];
        double sum[NORM_COLUMNS] = { 0 }, product[NORM_COLUMNS] = { 0 };
        for (fnn_size k = 0; k < width; k++) {
            centre[k] = mean[2 * (c + k)];
            gate[k].scale = w ? rstd[c + k] * w[c + k] : rstd[c + k];
            gate[k].shift = (bias ? bias[c + k] : 0) - mean[2 * (c + k) + 1] * gate[k].scale;
        }
        if (S == 1)
            FN(norm_column_products)(args, c, width, centre, gate, sum, product);
        else if (args->relu)
            FN(norm_side_products)(1, args, c, width, centre, gate, sum, product);
        else
            FN(norm_side_products)(0, args, c, width, centre, gate, sum, product);
        for (fnn_size k = 0; k < width; k++) {
            double r = rstd[c + k], rest = mean[2 * (c + k) + 1], weight = w ? w[c + k] : 1;
            product[k] = (product[k] - rest * sum[k]) * r;             /* sum dy * xhat */
            if (args->dweight)                      /* forward was  y = xhat * w + b */
                ((REAL *)args->dweight)[c + k] = (REAL)product[k];
            if (args->dbias)
                ((REAL *)args->dbias)[c + k] = (REAL)sum[k];
            /* forward was  xhat = (x - mean) * rstd  so  dx = dy * scale + (x - centre) * slope +
             * shift */
            double through_var = 0, through_mean = 0;
            if (!args->inference) {
                through_var = -weight * r * r * product[k] / m + (dvar ? 2 * (double)dvar[c + k] / m : 0);
                through_mean = -weight * r * sum[k] / m + (dmean ? (double)dmean[c + k] / m : 0) - through_var * rest;
            }
            scale[k] = (REAL)(weight * r);
            slope[k] = (REAL)through_var;
            shift[k] = (REAL)through_mean;
        }
        if (args->dx && args->relu)
            FN(batch_norm_write_dx)(1, args, c, width, centre, gate, scale, slope, shift);
        else if (args->dx)
            FN(batch_norm_write_dx)(0, args, c, width, centre, gate, scale, slope, shift);
        for (fnn_size k = 0; k < width; k++)
            if (!FN(norm_is_finite)(sum[k]) || !FN(norm_is_finite)(product[k]) || !FN(norm_is_finite)(gate[k].scale)
                    || !FN(norm_is_finite)(slope[k]) || !FN(norm_is_finite)(shift[k])
                    || (!args->inference && !FN(norm_is_safe)(rstd[c + k])))
                FN(batch_norm_backward_with_care)(args, c + k);
    }
}

void FN(batch_norm_backward)(REAL *dx, REAL *dweight, REAL *dbias, const REAL *dy, const REAL *dbatch_mean,
                             const REAL *dbatch_var, const REAL *x, const REAL *mean, const REAL *rstd,
                             const REAL *weight, const REAL *bias, fnn_size N, fnn_size C, fnn_size S, int relu)
{
    fnn_batch_norm_args args = { .dx = dx, .dweight = dweight, .dbias = dbias, .dy = dy, .dbatch_mean = dbatch_mean,
                           .dbatch_var = dbatch_var, .x = x, .mean = (void *)mean, .rstd = (void *)rstd,
                           .weight = weight, .bias = bias, .N = N, .C = C, .S = S, .relu = relu };
    fnn_parallel_for(C, FN(batch_norm_grain)(N, S), FN(batch_norm_backward_block), &args);
}

void FN(batch_norm_inference_backward)(REAL *dx, REAL *dweight, REAL *dbias, const REAL *dy, const REAL *x,
                                       const REAL *mean, const REAL *rstd, const REAL *weight, const REAL *bias,
                                       fnn_size N, fnn_size C, fnn_size S, int relu)
{
    fnn_batch_norm_args args = { .dx = dx, .dweight = dweight, .dbias = dbias, .dy = dy, .x = x, .mean = (void *)mean,
                                 .rstd = (void *)rstd, .weight = weight, .bias = bias, .N = N, .C = C, .S = S,
                                 .inference = 1, .relu = relu };
    fnn_parallel_for(C, FN(batch_norm_grain)(N, S), FN(batch_norm_backward_block), &args);
}
