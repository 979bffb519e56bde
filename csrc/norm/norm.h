/* norm.h -- normalisation: the rows of kernels.h for norm.c and batch_norm.c, and the map of the
 * family; no guard.
 *
 * Names      fnn_layer_norm_forward, fnn_layer_norm_backward, fnn_group_norm_forward,
 *            fnn_group_norm_backward: FN(layer_norm_forward) and so on, in norm.tmpl.h.
 *            fnn_batch_norm_forward, fnn_batch_norm_backward, fnn_batch_norm_inference_forward,
 *            fnn_batch_norm_inference_backward: in batch_norm.tmpl.h. (fastnn.h says how names are
 *            made.)
 * Map        norm.tmpl.h         layer, RMS and group norm: the elements that share a mean lie
 *                                together
 *            batch_norm.tmpl.h   batch norm: they lie in every image
 *            norm_sums.tmpl.h    what both share: means, variances, and writing the result
 * Letters    n, or N images, C channels, S pixels of a channel, G groups: see the .tmpl.h
 * Optional   weight and bias may be NULL and then count as 1 and 0; gradients may be NULL.
 * Means      A saved mean is a pair: mean[2*i] is the mean rounded to REAL, mean[2*i + 1] what the
 *            rounding left.
 */
#ifndef FNN_NORM_H_ONCE
#define FNN_NORM_H_ONCE
enum {
    FNN_NORM_BLOCK = 16384,         /* elements that are worth a block of a parallel loop; chosen:
                                       as MAP_GRAIN */
    FNN_LAYER_NORM_ROWS = 8,        /* rows in a block of layer norm's backward, at least: for each
                                       block 2n sums are kept and added up at the end; chosen: so
                                       that is a quarter of its work at most */
    FNN_LAYER_NORM_BLOCKS = 64      /* and its blocks, at most; bound: the workspace is 128n
                                       elements */
};

/* Rows in a block of layer norm's backward */
static inline fnn_size fnn_layer_norm_grain(fnn_size rows, fnn_size n)
{
    const fnn_size worth = fnn_max(FNN_LAYER_NORM_ROWS, fnn_grain(FNN_NORM_BLOCK, n) + 1);
    return fnn_max(worth, fnn_ceil_div(rows, FNN_LAYER_NORM_BLOCKS));
}

/* Elements of workspace for the backward of layer norm and of group norm */
static inline fnn_work fnn_layer_norm_work(fnn_size rows, fnn_size n)
{
    return (fnn_work)2 * n * fnn_ceil_div(rows, fnn_layer_norm_grain(rows, n));
}
static inline fnn_work fnn_group_norm_work(fnn_size N, fnn_size C) { return (fnn_work)2 * N * C; }
#endif

/* Each row of n elements:  y = (x - mean) * rstd * weight + bias  with the row's own mean, and
 * rstd = 1 / sqrt(var + eps). With mean NULL, RMS norm: the mean is taken as 0.
 * y, x [rows][n]   weight, bias [n]   mean [rows][2]   rstd [rows] */
KERNEL(layer_norm_forward, (REAL *y, REAL *mean, REAL *rstd, const REAL *x, const REAL *weight, const REAL *bias,
        fnn_size rows, fnn_size n, double eps),
       (y, mean, rstd, x, weight, bias, rows, n, eps))
/* work [fnn_layer_norm_work(rows, n)], needed where dweight or dbias is wanted */
KERNEL(layer_norm_backward, (REAL *dx, REAL *dweight, REAL *dbias, const REAL *dy, const REAL *x, const REAL *mean,
        const REAL *rstd, const REAL *weight, REAL *work, fnn_size rows, fnn_size n),
       (dx, dweight, dbias, dy, x, mean, rstd, weight, work, rows, n))

/* The same over each group of C/G channels of an image.
 * y, x [N][C][S]   weight, bias [C]   mean [N][G][2]   rstd [N][G] */
KERNEL(group_norm_forward, (REAL *y, REAL *mean, REAL *rstd, const REAL *x, const REAL *weight, const REAL *bias,
        fnn_size N, fnn_size C, fnn_size S, fnn_size G, double eps),
       (y, mean, rstd, x, weight, bias, N, C, S, G, eps))
/* work [fnn_group_norm_work(N, C)], always needed */
KERNEL(group_norm_backward, (REAL *dx, REAL *dweight, REAL *dbias, const REAL *dy, const REAL *x, const REAL *mean,
        const REAL *rstd, const REAL *weight, REAL *work, fnn_size N, fnn_size C, fnn_size S, fnn_size G),
       (dx, dweight, dbias, dy, x, mean, rstd, weight, work, N, C, S, G))

/* Each channel over the batch.
 * y, x [N][C][S]   weight, bias, batch_mean, batch_var, rstd [C]   mean [C][2]
 * batch_var is the variance that normalises (divided by N*S); with N*S == 0 the statistics are 0.
 * relu: y is 0 where it would be below 0 (NaN stays). Backward takes dy where y > 0, which it finds
 * out from x. */
KERNEL(batch_norm_forward, (REAL *y, REAL *batch_mean, REAL *batch_var, REAL *mean, REAL *rstd, const REAL *x,
        const REAL *weight, const REAL *bias, fnn_size N, fnn_size C, fnn_size S, double eps, int relu),
       (y, batch_mean, batch_var, mean, rstd, x, weight, bias, N, C, S, eps, relu))
/* dbatch_mean, dbatch_var [C]: gradients of the two statistics, or NULL */
KERNEL(batch_norm_backward, (REAL *dx, REAL *dweight, REAL *dbias, const REAL *dy, const REAL *dbatch_mean,
        const REAL *dbatch_var, const REAL *x, const REAL *mean, const REAL *rstd, const REAL *weight, const REAL *bias,
        fnn_size N, fnn_size C, fnn_size S, int relu),
       (dx, dweight, dbias, dy, dbatch_mean, dbatch_var, x, mean, rstd, weight, bias, N, C, S, relu))

/* With given statistics:  y = (x - running_mean) / sqrt(running_var + eps) * weight + bias.
 * mean and rstd as above */
KERNEL(batch_norm_inference_forward, (REAL *y, REAL *mean, REAL *rstd, const REAL *x, const REAL *running_mean,
        const REAL *running_var, const REAL *weight, const REAL *bias, fnn_size N, fnn_size C, fnn_size S, double eps,
        int relu),
       (y, mean, rstd, x, running_mean, running_var, weight, bias, N, C, S, eps, relu))
KERNEL(batch_norm_inference_backward, (REAL *dx, REAL *dweight, REAL *dbias, const REAL *dy, const REAL *x,
        const REAL *mean, const REAL *rstd, const REAL *weight, const REAL *bias, fnn_size N, fnn_size C, fnn_size S,
        int relu),
       (dx, dweight, dbias, dy, x, mean, rstd, weight, bias, N, C, S, relu))
