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
    NORM_SIDE = 16,                                 /* channels side by side: at most so many, */
    NORM_RUN = 256,                                 /* of about so many elements together */
    NORM_COLUMNS = 64,                              /* channels side by side where each has one pixel, */
    NORM_ROWS = 64                                  /* and the images that are summed before double takes over */
};

typedef struct {
    void *y, *dx, *dweight, *dbias, *mean, *rstd, *batch_mean, *batch_var;
    const void *x, *dy, *weight, *bias, *dbatch_mean, *dbatch_var, *running_mean, *running_var;
    fnn_size N, C, S;
    double eps;
    int inference;                                  /* the statistics are given: they do not depend on x */
    int relu;                                       /* y is cut at 0 */
} fnn_batch_norm_args;

/* Channels that are done side by side. */
static fnn_size fnn_batch_norm_side(fnn_size S)
{
    if (S == 1)
        return NORM_COLUMNS;
    return S < 1 || S >= NORM_RUN ? 1 : NORM_RUN / S < NORM_SIDE ? NORM_RUN / S : NORM_SIDE;
}
#endif

static void FN(batch_norm_keep)(const fnn_batch_norm_args *a, fnn_size c, fnn_moments *m)
{
    if (a->inference)
        ((REAL *)a->rstd)[c] = (REAL)(1 / sqrt(fnn_moments_var(m) + a->eps));
    else {
        fnn_norm_care care;
        ((REAL *)a->rstd)[c] = (REAL)FN(norm_rstd)(m, &care, 1, (const REAL *)a->x + c * a->S, a->N, a->C * a->S, a->S,
                                                   a->eps);
    }
    FN(norm_keep_mean)((REAL *)a->mean + 2 * c, m);
    if (a->batch_mean) {
        ((REAL *)a->batch_mean)[c] = (REAL)fnn_moments_mean(m);
        ((REAL *)a->batch_var)[c] = (REAL)fnn_moments_var(m);
    }
}

/* Moments of the channels c ... c + width - 1 of x [N][C]: one pixel each. */
static void FN(norm_column_moments)(const fnn_batch_norm_args *a, fnn_size c, fnn_size width)
{
    fnn_moments all[NORM_COLUMNS] = { { 0, 0, 0, 0 } };
    /* NORM_ROWS images at a time: first their mean, then the deviations from it */
    for (fnn_size n0 = 0; n0 < a->N; n0 += NORM_ROWS) {
        fnn_size n1 = fnn_min(n0 + NORM_ROWS, a->N);
        double count = (double)(n1 - n0);
        REAL centre[NORM_COLUMNS] = { 0 }, sum[NORM_COLUMNS] = { 0 }, squares[NORM_COLUMNS] = { 0 };
        /* the images, and in each the channels, a vector loop */
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

/* The same where a channel has a few pixels: x [N][C][S]. */
static void FN(norm_side_moments)(const fnn_batch_norm_args *a, fnn_size c, fnn_size width)
{
    const FN(norm_running) zero = { v_set(0), v_set(0), v_set(0), v_set(0), 0 };
    const fnn_size S = a->S, rows = fnn_max(1, NORM_CHUNK / (width * S));
    fnn_moments all[NORM_SIDE] = { { 0, 0, 0, 0 } };
    /* the images, `rows` at a time, which makes a chunk of all channels */
    for (fnn_size n0 = 0; n0 < a->N; n0 += rows) {
        const fnn_size n1 = fnn_min(n0 + rows, a->N);
        const double count = (double)(n1 - n0) * (double)S;
        FN(norm_running) sum[NORM_SIDE], squares[NORM_SIDE];
        REAL centre[NORM_SIDE];
        for (fnn_size k = 0; k < width; k++)
            sum[k] = squares[k] = zero;
        for (fnn_size n = n0; n0 == 0 && n < n1; n++)
            for (fnn_size k = 0; k < width; k++)
                FN(norm_add)(&sum[k], (const REAL *)a->x + (n * a->C + c + k) * S, S);
        for (fnn_size k = 0; k < width; k++) {
            centre[k] = n0 == 0 ? (REAL)(FN(norm_sum_of)(sum[k]) / count) : (REAL)fnn_moments_mean(&all[k]);
            sum[k] = zero;
        }
        for (fnn_size n = n0; n < n1; n++)
            for (fnn_size k = 0; k < width; k++)
                FN(norm_spread)(&sum[k], &squares[k], (const REAL *)a->x + (n * a->C + c + k) * S, S, centre[k]);
        for (fnn_size k = 0; k < width; k++)
            fnn_moments_add(&all[k], count, centre[k], FN(norm_sum_of)(sum[k]), FN(norm_sum_of)(squares[k]));
    }
    for (fnn_size k = 0; k < width; k++)
        FN(batch_norm_keep)(a, c + k, &all[k]);
}

/* y of the channels c ... c + width - 1; relu is a constant */
FNN_INLINE void FN(batch_norm_write)(const int relu, const fnn_batch_norm_args *a, fnn_size c, fnn_size width,
                                     const REAL *centre, const REAL *scale, const REAL *shift)
{
    const fnn_size C = a->C, S = a->S;
    for (fnn_size n = a->N - 1; n >= 0; n--) {      /* what the sums read last is still in the cache */
        const REAL *restrict x = (const REAL *)a->x + (n * C + c) * S;          /* x[n,c,:] */
        REAL *restrict y = (REAL *)a->y + (n * C + c) * S;
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
static fnn_norm_care FN(batch_norm_care)(const fnn_batch_norm_args *a, fnn_size c)
{
    const REAL *mean = (const REAL *)a->mean + 2 * c, rstd = ((const REAL *)a->rstd)[c];
    if (a->inference)
        return (fnn_norm_care){ 1, (double)mean[0] + (double)mean[1], rstd };
    return FN(norm_care_of)(mean, rstd, (const REAL *)a->x + c * a->S, a->N, a->C * a->S, a->S);
}

static void FN(batch_norm_write_with_care)(const fnn_batch_norm_args *a, fnn_size c)
{
    const fnn_norm_care care = FN(batch_norm_care)(a, c);
    const REAL *w = a->weight ? (const REAL *)a->weight + c : NULL, *b = a->bias ? (const REAL *)a->bias + c : NULL;
    for (fnn_size n = 0; n < a->N; n++) {
        const fnn_size at = (n * a->C + c) * a->S;
        FN(norm_write_with_care)(a->relu, (REAL *)a->y + at, (const REAL *)a->x + at, a->S, &care, w, b, 0);
    }
}

static void FN(batch_norm_forward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_batch_norm_args *a = ctx;
    const REAL *w = a->weight, *b = a->bias, *mean = a->mean, *rstd = a->rstd;
    const fnn_size S = a->S, step = fnn_batch_norm_side(S);
    /* the channels, `step` side by side: first their statistics, then y or dx */
    for (fnn_size c = begin; c < end; c += step) {
        const fnn_size width = fnn_min(step, end - c);
        REAL centre[NORM_COLUMNS], scale[NORM_COLUMNS], shift[NORM_COLUMNS];
        if (a->inference)
            for (fnn_size k = c; k < c + width; k++) {
                fnn_moments given = { 1, ((const REAL *)a->running_mean)[k], 0,
                                      ((const REAL *)a->running_var)[k] };
                FN(batch_norm_keep)(a, k, &given);
            }
        else if (S == 1)
            FN(norm_column_moments)(a, c, width);
        else if (step > 1)
            FN(norm_side_moments)(a, c, width);
        else {
            fnn_moments m = FN(norm_moments)((const REAL *)a->x + c * S, a->N, a->C * S, S);
            FN(batch_norm_keep)(a, c, &m);
        }
        for (fnn_size k = 0; k < width; k++) {
            centre[k] = mean[2 * (c + k)];
            scale[k] = w ? rstd[c + k] * w[c + k] : rstd[c + k];
            shift[k] = (b ? b[c + k] : 0) - mean[2 * (c + k) + 1] * scale[k];
        }
        if (a->relu)
            FN(batch_norm_write)(1, a, c, width, centre, scale, shift);
        else
            FN(batch_norm_write)(0, a, c, width, centre, scale, shift);
        for (fnn_size k = 0; k < width; k++)
            if (!FN(norm_is_finite)(scale[k]) || (!a->inference && !FN(norm_is_safe)(rstd[c + k])))
                FN(batch_norm_write_with_care)(a, c + k);
    }
}

/* Channels in a block; those that are done side by side stay together. */
static fnn_size FN(batch_norm_grain)(fnn_size N, fnn_size S)
{
    return fnn_ceil_div(fnn_norm_items(N * S), fnn_batch_norm_side(S)) * fnn_batch_norm_side(S);
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
static void FN(norm_column_products)(const fnn_batch_norm_args *a, fnn_size c, fnn_size width, const REAL *centre,
                                     const FN(norm_gate) *gate, double *sum, double *product)
{
    for (fnn_size n0 = 0; n0 < a->N; n0 += NORM_ROWS) {
        fnn_size n1 = fnn_min(n0 + NORM_ROWS, a->N);
        REAL s[NORM_COLUMNS] = { 0 }, p[NORM_COLUMNS] = { 0 };
        for (fnn_size n = n0; n < n1; n++) {
            const REAL *restrict x = (const REAL *)a->x + n * a->C + c;
            const REAL *restrict dy = (const REAL *)a->dy + n * a->C + c;
            for (fnn_size k = 0; k < width; k++) {
                const REAL d = x[k] - centre[k], g = !a->relu || d * gate[k].scale + gate[k].shift > 0 ? dy[k] : 0;
                s[k] += g;
                p[k] += g * d;
            }
        }
        for (fnn_size k = 0; k < width; k++) {
            sum[k] += s[k];
            product[k] += p[k];
        }
    }
}

/* The same where a channel has several pixels, in chunks as for the moments */
FNN_INLINE void FN(norm_side_products)(const int relu, const fnn_batch_norm_args *a, fnn_size c, fnn_size width,
                                       const REAL *centre, const FN(norm_gate) *gate, double *sum, double *product)
{
    const FN(norm_running) zero = { v_set(0), v_set(0), v_set(0), v_set(0), 0 };
    const fnn_size S = a->S, rows = fnn_max(1, NORM_CHUNK / fnn_max(1, width * S));
    /* the images, `rows` at a time; of a channel, NORM_CHUNK pixels at a time */
    for (fnn_size n0 = 0; n0 < a->N; n0 += rows)
        for (fnn_size i = 0; i < S; i += NORM_CHUNK) {
            FN(norm_running) s[NORM_SIDE], p[NORM_SIDE];
            for (fnn_size k = 0; k < width; k++)
                s[k] = p[k] = zero;
            for (fnn_size n = n0; n < fnn_min(n0 + rows, a->N); n++)
                for (fnn_size k = 0; k < width; k++) {
                    const fnn_size at = (n * a->C + c + k) * S + i;
                    FN(norm_add_products)(relu, &s[k], &p[k], (const REAL *)a->dy + at, (const REAL *)a->x + at,
                                          fnn_min(NORM_CHUNK, S - i), centre[k], gate[k]);
                }
            for (fnn_size k = 0; k < width; k++) {
                sum[k] += FN(norm_sum_of)(s[k]);
                product[k] += FN(norm_sum_of)(p[k]);
            }
        }
}

/* dx of the channels c ... c + width - 1; relu is a constant */
FNN_INLINE void FN(batch_norm_write_dx)(const int relu, const fnn_batch_norm_args *a, fnn_size c, fnn_size width,
                                        const REAL *centre, const FN(norm_gate) *gate, const REAL *scale,
                                        const REAL *slope, const REAL *shift)
{
    const fnn_size C = a->C, S = a->S;
    for (fnn_size n = a->N - 1; n >= 0; n--) {      /* what the sums read last is still in the cache */
        const REAL *restrict x = (const REAL *)a->x + (n * C + c) * S;
        const REAL *restrict dy = (const REAL *)a->dy + (n * C + c) * S;
        REAL *restrict dx = (REAL *)a->dx + (n * C + c) * S;
        if (S == 1)
            for (fnn_size k = 0; k < width; k++) {
                const REAL d = x[k] - centre[k], g = !relu || d * gate[k].scale + gate[k].shift > 0 ? dy[k] : 0;
                dx[k] = g * scale[k] + (d * slope[k] + shift[k]);
            }
        else
            for (fnn_size k = 0; k < width; k++)
                FN(norm_write_backward)(relu, dx + k * S, dy + k * S, x + k * S, S, centre[k], gate[k], scale[k],
                                        slope[k], shift[k]);
    }
}

/* The same sums and gradients as below, of one channel. */
static void FN(batch_norm_backward_with_care)(const fnn_batch_norm_args *a, fnn_size c)
{
    const fnn_norm_care care = FN(batch_norm_care)(a, c);
    const fnn_size N = a->N, C = a->C, S = a->S;
    const double m = (double)(N * S), w = a->weight ? ((const REAL *)a->weight)[c] : 1;
    const double b = a->bias ? ((const REAL *)a->bias)[c] : 0;
    const double dmean = a->dbatch_mean ? ((const REAL *)a->dbatch_mean)[c] / m : 0;
    const double dvar = a->dbatch_var ? 2 * (double)((const REAL *)a->dbatch_var)[c] / m : 0;
    FN(norm_products_of) sum = { 0, 0, 0, 0 };
    for (fnn_size n = 0; n < N; n++) {
        const fnn_size at = (n * C + c) * S;
        FN(norm_products_with_care)(a->relu, &sum, (const REAL *)a->dy + at, (const REAL *)a->x + at, S, &care, w, b);
    }
    if (a->dweight)
        ((REAL *)a->dweight)[c] = (REAL)sum.dy_xhat;
    if (a->dbias)
        ((REAL *)a->dbias)[c] = (REAL)sum.dy;
    for (fnn_size n = 0; a->dx && n < N; n++)
        for (fnn_size i = (n * C + c) * S; i < (n * C + c + 1) * S; i++) {
            const double xhat = FN(norm_xhat)(&care, ((const REAL *)a->x)[i]);
            const double g = (!a->relu || xhat * w + b > 0 ? ((const REAL *)a->dy)[i] : 0) * w;
            double d = g * care.rstd * care.unit;
            if (!a->inference)
                d = (g - sum.g / m - xhat * (sum.g_xhat / m)) * care.rstd * care.unit + dmean
                    + dvar * xhat / care.rstd / care.unit;
            ((REAL *)a->dx)[i] = (REAL)d;
        }
}

static void FN(batch_norm_backward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_batch_norm_args *a = ctx;
    const REAL *w = a->weight, *bias = a->bias, *mean = a->mean;
    const REAL *rstd = a->rstd, *dmean = a->dbatch_mean, *dvar = a->dbatch_var;
    const fnn_size N = a->N, S = a->S, step = fnn_batch_norm_side(S);
    const double m = (double)(N * S > 0 ? N * S : 1);
    /* the channels, `step` side by side: first their statistics, then y or dx */
    for (fnn_size c = begin; c < end; c += step) {
        const fnn_size width = fnn_min(step, end - c);
        REAL centre[NORM_COLUMNS], scale[NORM_COLUMNS], slope[NORM_COLUMNS], shift[NORM_COLUMNS];
        FN(norm_gate) gate[NORM_COLUMNS];
        double sum[NORM_COLUMNS] = { 0 }, product[NORM_COLUMNS] = { 0 };
        for (fnn_size k = 0; k < width; k++) {
            centre[k] = mean[2 * (c + k)];
            gate[k].scale = w ? rstd[c + k] * w[c + k] : rstd[c + k];
            gate[k].shift = (bias ? bias[c + k] : 0) - mean[2 * (c + k) + 1] * gate[k].scale;
        }
        if (S == 1)
            FN(norm_column_products)(a, c, width, centre, gate, sum, product);
        else if (a->relu)
            FN(norm_side_products)(1, a, c, width, centre, gate, sum, product);
        else
            FN(norm_side_products)(0, a, c, width, centre, gate, sum, product);
        for (fnn_size k = 0; k < width; k++) {
            double r = rstd[c + k], rest = mean[2 * (c + k) + 1], weight = w ? w[c + k] : 1;
            product[k] = (product[k] - rest * sum[k]) * r;             /* sum dy * xhat */
            if (a->dweight)                         /* forward was  y = xhat * w + b */
                ((REAL *)a->dweight)[c + k] = (REAL)product[k];
            if (a->dbias)
                ((REAL *)a->dbias)[c + k] = (REAL)sum[k];
            /* forward was  xhat = (x - mean) * rstd  so  dx = dy * scale + (x - centre) * slope +
             * shift */
            double through_var = 0, through_mean = 0;
            if (!a->inference) {
                through_var = -weight * r * r * product[k] / m + (dvar ? 2 * (double)dvar[c + k] / m : 0);
                through_mean = -weight * r * sum[k] / m + (dmean ? (double)dmean[c + k] / m : 0) - through_var * rest;
            }
            scale[k] = (REAL)(weight * r);
            slope[k] = (REAL)through_var;
            shift[k] = (REAL)through_mean;
        }
        if (a->dx && a->relu)
            FN(batch_norm_write_dx)(1, a, c, width, centre, gate, scale, slope, shift);
        else if (a->dx)
            FN(batch_norm_write_dx)(0, a, c, width, centre, gate, scale, slope, shift);
        for (fnn_size k = 0; k < width; k++)
            if (!FN(norm_is_finite)(sum[k]) || !FN(norm_is_finite)(product[k]) || !FN(norm_is_finite)(gate[k].scale)
                    || !FN(norm_is_finite)(slope[k]) || !FN(norm_is_finite)(shift[k])
                    || (!a->inference && !FN(norm_is_safe)(rstd[c + k])))
                FN(batch_norm_backward_with_care)(a, c + k);
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
