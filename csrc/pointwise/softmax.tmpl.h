/* softmax.tmpl.h -- softmax, log-softmax, cross entropy and negative log likelihood along any axis.
 *
 * Math       p[c] = exp(x[c]) / sum_k exp(x[k])
 *            softmax        y = p           dx[c] = y[c] (dy[c] - sum_k dy[k] y[k])
 *            log-softmax    y = log p       dx[c] = dy[c] - exp(y[c]) sum_k dy[k]
 *            cross entropy  y = - sum_c a[c] log p[c]
 *                           dx[c] = dy (p[c] sum_k a[k] - a[c]),     da[c] = - dy log p[c]
 *            where a[c] = w[c] (keep t[c] + even) for probabilities t and class weights w, and for
 *            a label l a[c] = keep w[l] [c = l] + even w[c], with keep = 1 - smoothing and
 *            even = smoothing / C.
 * Symbols    x, y [outer][axis][inner]; C = axis, and c and k are classes; a position (o, j) is one
 *            vector x[o,:,j], i its number and g the gradient of its loss; s is a strip.
 * Layout     A strip is what is worked on at a time: one position whose elements are adjacent
 *            (inner = 1), or up to STRIP positions that are neighbours in memory (inner > 1). So
 *            both are read along memory and vectorised, along the axis or across it.
 * Method     Subtract the largest element, so that no exponential overflows and at least one is 1.
 *            The passes over a strip follow each other while it is in cache: memory is read once
 *            and written once. Of contiguous rows three are in flight: while one's exponentials
 *            are summed, the largest element of the next is found and the one before is finished,
 *            because these are loads and stores and the exponentials are arithmetic.
 *            log p = (x - top) - log total, in that order, so that nothing is lost when x is large.
 *            Cross entropy writes no probabilities: backward computes them again from top and
 *            total, which is cheaper than a pass through memory.
 * Cost       one exp an element forward; backward none (softmax) or one.
 * Threads    blocks of strips. A loss is summed in double, by blocks cut by size and added in
 *            order.
 * Reference  fastnn/reference/softmax.py, fastnn/reference/cross_entropy.py
 */
#include "core/power.h"
#include "pointwise/rows.h"

#ifndef FNN_SOFTMAX_ONCE
#define FNN_SOFTMAX_ONCE
enum {
    STRIP = 64,             /* positions side by side; chosen: 4 cache lines of floats in a row of
                               memory */
    SOFTMAX_BLOCK = 16384,  /* elements worth a block of a parallel loop; chosen: as MAP_GRAIN */
    ENTROPY_ROWS = 16       /* rows whose logarithms are taken together; chosen: a vector of
                               AVX-512 */
};
typedef struct { fnn_size outer, axis, inner, strips, grain; } fnn_strips;

static fnn_strips fnn_cut_strips(fnn_size outer, fnn_size axis, fnn_size inner)
{
    return (fnn_strips){ outer, axis, inner, fnn_ceil_div(inner, STRIP),
                         fnn_grain(SOFTMAX_BLOCK, axis * fnn_min(inner, STRIP)) };
}

/* Where strip s begins: *width positions from *first on; element c of position j is at index
 * *at + c * inner + j. */
static inline void fnn_find_strip(const fnn_strips *cut, fnn_size s, fnn_size *at, fnn_size *first, fnn_size *width)
{
    const fnn_size o = s / cut->strips, j = s % cut->strips * STRIP;
    *at = o * cut->axis * cut->inner + j;
    *first = o * cut->inner + j;
    *width = fnn_min(cut->inner - j, STRIP);
}

/* forward: out = y, in = x; backward: out = dx, in = dy */
typedef struct { fnn_strips cut; void *out; const void *in, *y; int log; } fnn_softmax_args;
#endif

/* top[j] = max_c x[c,j] and total[j] = sum_c exp(x[c,j] - top[j]) of neighbouring positions; the
 * exponentials go to e unless it is NULL. */
FNN_INLINE void FN(strip_sums)(REAL *top, REAL *total, REAL *e, const REAL *x, fnn_size axis, fnn_size inner,
                               fnn_size width)
{
    for (fnn_size j = 0; j < width; j++) {
        top[j] = -(REAL)INFINITY;
        total[j] = 0;
    }
    /* along the axis, and in each step across the positions, a vector loop: the largest, */
    for (fnn_size c = 0; c < axis; c++)
        for (fnn_size j = 0; j < width; j++)
            top[j] = r_max(x[c * inner + j], top[j]);
    /* then the exponentials */
    for (fnn_size c = 0; c < axis; c++)
        for (fnn_size j = 0; j < width; j++) {
            const REAL p = FN(exp_of_negative)(x[c * inner + j] - top[j]);
            if (e)
                e[c * inner + j] = p;
            total[j] += p;
        }
}

/* ---- softmax and log-softmax ----------------------------------------------------------------- */

/* Contiguous rows, three in flight: one's exponentials, the largest of the next, the end of the one
 * before */
static void FN(softmax_rows)(REAL *y, const REAL *x, fnn_size axis, fnn_size rows)
{
    REAL next_top = FN(row_max)(x, axis), factor = 0, *before = NULL;
    for (fnn_size row = 0; row < rows; row++, y += axis, x += axis) {
        const REAL top = next_top;
        factor = 1 / FN(row_exp_between)(y, x, top, row + 1 < rows ? x + axis : x, &next_top, before, factor, axis);
        before = y;
    }
    for (fnn_size c = 0; c < axis; c++)
        before[c] *= factor;
}

static void FN(log_softmax_rows)(REAL *y, const REAL *x, fnn_size axis, fnn_size rows)
{
    REAL next_top = FN(row_max)(x, axis), top = 0, log_total = 0, *done = NULL;
    for (fnn_size row = 0; row < rows; row++, y += axis, x += axis) {
        const REAL before_top = top;
        top = next_top;
        const REAL total = FN(row_sum_exp)(x, top, row + 1 < rows ? x + axis : x, &next_top, axis, done,
                                           row > 0 ? x - axis : x, before_top, log_total);
        log_total = r_log(total);
        done = y;
    }
    for (fnn_size c = 0; c < axis; c++)
        done[c] = (x[c - axis] - top) - log_total;
}

static void FN(softmax_forward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_softmax_args *args = ctx;
    const fnn_size axis = args->cut.axis, inner = args->cut.inner;
    if (inner == 1) {
        (args->log ? FN(log_softmax_rows) : FN(softmax_rows))((REAL *)args->out + begin * axis,
                                                              (const REAL *)args->in + begin * axis, axis,
                                                              end - begin);
        return;
    }
    REAL top[STRIP], total[STRIP];
    for (fnn_size s = begin; s < end; s++) {
        fnn_size at, first, width;
        fnn_find_strip(&args->cut, s, &at, &first, &width);
        REAL *restrict y = (REAL *)args->out + at;
        const REAL *restrict x = (const REAL *)args->in + at;
        FN(strip_sums)(top, total, args->log ? NULL : y, x, axis, inner, width);
        if (args->log) {
            for (fnn_size j = 0; j < width; j++)
                total[j] = r_log(total[j]);
            for (fnn_size c = 0; c < axis; c++)
                for (fnn_size j = 0; j < width; j++)
                    y[c * inner + j] = (x[c * inner + j] - top[j]) - total[j];
        } else {
            for (fnn_size j = 0; j < width; j++)
                total[j] = 1 / total[j];
            for (fnn_size c = 0; c < axis; c++)
                for (fnn_size j = 0; j < width; j++)
                    y[c * inner + j] *= total[j];
        }
    }
}

void FN(softmax_forward)(REAL *y, const REAL *x, fnn_size outer, fnn_size axis, fnn_size inner, int log)
{
    fnn_softmax_args args = { fnn_cut_strips(outer, axis, inner), y, x, NULL, log };
    fnn_parallel_for(outer * args.cut.strips, args.cut.grain, FN(softmax_forward_block), &args);
}

static void FN(softmax_backward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_softmax_args *args = ctx;
    const fnn_size axis = args->cut.axis, inner = args->cut.inner;
    const int log = args->log;
    for (fnn_size s = begin; s < end; s++) {
        fnn_size at, first, width;
        fnn_find_strip(&args->cut, s, &at, &first, &width);
        REAL *restrict dx = (REAL *)args->out + at;
        const REAL *restrict dy = (const REAL *)args->in + at, *restrict y = (const REAL *)args->y + at;
        if (inner == 1) {
            REAL sum = 0;
            if (log) {
#pragma omp simd reduction(+ : sum)
                for (fnn_size c = 0; c < axis; c++)
                    sum += dy[c];
                for (fnn_size c = 0; c < axis; c++)        /* forward was  y = x - log sum exp(x) */
                    dx[c] = dy[c] - FN(exp_of_negative)(y[c]) * sum;
            } else {
#pragma omp simd reduction(+ : sum)
                for (fnn_size c = 0; c < axis; c++)
                    sum += dy[c] * y[c];
                for (fnn_size c = 0; c < axis; c++)
                    dx[c] = y[c] * (dy[c] - sum);       /* forward was  y = exp(x) / sum exp(x) */
            }
            continue;
        }
        REAL sums[STRIP] = { 0 };
        for (fnn_size c = 0; c < axis; c++)
            for (fnn_size j = 0; j < width; j++)
                sums[j] += log ? dy[c * inner + j] : dy[c * inner + j] * y[c * inner + j];
        for (fnn_size c = 0; c < axis; c++)
            if (log)
                for (fnn_size j = 0; j < width; j++)
                    dx[c * inner + j] = dy[c * inner + j] - FN(exp_of_negative)(y[c * inner + j]) * sums[j];
            else
                for (fnn_size j = 0; j < width; j++)
                    dx[c * inner + j] = y[c * inner + j] * (dy[c * inner + j] - sums[j]);
    }
}

void FN(softmax_backward)(REAL *dx, const REAL *dy, const REAL *y, fnn_size outer, fnn_size axis, fnn_size inner,
                          int log)
{
    fnn_softmax_args args = { fnn_cut_strips(outer, axis, inner), dx, dy, y, log };
    fnn_parallel_for(outer * args.cut.strips, args.cut.grain, FN(softmax_backward_block), &args);
}

/* ---- cross entropy --------------------------------------------------------------------------- */

typedef struct {
    fnn_strips cut;
    REAL *y, *top, *total, *dx, *dtarget;
    const REAL *x, *dy, *target, *weight;
    const int64_t *label;
    int64_t ignore;
    double smoothing, scale;
    double *partial;                        /* per block: sum of the losses, sum of the divisors */
    int reduction;
    REAL unit;                              /* what the class weights are multiplied by */
    double part;                            /* what a loss is multiplied by before it is added */
} FN(entropy_args);

/* What class weights are multiplied by where a mean divides by the sum of those that count: a power
 * of two near 1 / the largest of these. It has no effect on the mean, but of very large or small
 * weights the sum, its reciprocal and products with losses, slopes and smoothing may be beyond the
 * range. */
static REAL FN(weight_unit)(const REAL *weight, const int64_t *label, const fnn_strips *cut, int64_t ignore,
                            int reduction)
{
    /* chosen: so near 1 that nothing comes near the ends, and labels need not be read for it */
    const REAL large = (REAL)0x1p20;
    /* bound: 2^-range is a normal number */
    const int range = REAL_IS_F64 ? 1022 : 126;
    if (!weight || !label || reduction != FNN_REDUCE_MEAN)
        return 1;
    int ordinary = 1;
    for (fnn_size c = 0; c < cut->axis; c++)
        ordinary &= weight[c] == 0 || (weight[c] < large && weight[c] > 1 / large);
    if (ordinary)
        return 1;
    REAL largest = 0;
    for (fnn_size i = 0; i < cut->outer * cut->inner; i++) {
        const REAL w = label[i] == ignore ? 0 : weight[label[i]], size = w < 0 ? -w : w;
        largest = size > largest && size - size == 0 ? size : largest;
    }
    return (REAL)fnn_power_for((double)largest, range);
}

/* The loss of one position where it is not a finite number otherwise: a class that weighs nothing
 * costs nothing, also where its probability is 0; and the sum over positions may be finite where a
 * loss is too large for REAL. Without a target l is the label. */
static double FN(entropy_with_zeros)(const FN(entropy_args) *args, const REAL *x, const REAL *target, int64_t l,
                                     fnn_size step, REAL top, REAL log_total)
{
    const fnn_size axis = args->cut.axis;
    const REAL keep = (REAL)(1 - args->smoothing), even = (REAL)(args->smoothing / (double)axis);
    double loss = 0;
    for (fnn_size c = 0; c < axis; c++) {
        const REAL t = target ? target[c * step] : c == l, w = args->weight ? args->weight[c] * args->unit : 1;
        const double a = (double)(keep * t + even) * w;
        if (a != 0)
            loss += a * (log_total - (x[c * step] - top));
    }
    return loss;
}

/* The loss of one position, and what it adds to the mean's divisor. x and target at the position,
 * elements `step` apart. */
FNN_INLINE double FN(entropy)(const FN(entropy_args) *args, const REAL *x, const REAL *target, fnn_size i,
                              fnn_size step, REAL top, REAL log_total, double *divisor)
{
    const fnn_size axis = args->cut.axis;
    const REAL *weight = args->weight, unit = args->unit, keep = (REAL)(1 - args->smoothing);
    const REAL even = (REAL)(args->smoothing / (double)axis);
    REAL loss = 0;
    if (target && weight) {
#pragma omp simd reduction(+ : loss)
        for (fnn_size c = 0; c < axis; c++)
            loss += (keep * target[c * step] + even) * weight[c] * (log_total - (x[c * step] - top));
    } else if (target) {
#pragma omp simd reduction(+ : loss)
        for (fnn_size c = 0; c < axis; c++)
            loss += (keep * target[c * step] + even) * (log_total - (x[c * step] - top));
    }
    if (target) {
        *divisor = 1;
        return loss - loss == 0 ? loss : FN(entropy_with_zeros)(args, x, target, 0, step, top, log_total);
    }
    const int64_t l = args->label[i];
    if (l == args->ignore) {
        *divisor = 0;
        return 0;
    }
    const REAL w = weight ? weight[l] * unit : 1;
    if (even != 0 && weight) {
#pragma omp simd reduction(+ : loss)
        for (fnn_size c = 0; c < axis; c++)
            loss += weight[c] * unit * (log_total - (x[c * step] - top));
    } else if (even != 0) {
#pragma omp simd reduction(+ : loss)
        for (fnn_size c = 0; c < axis; c++)
            loss += log_total - (x[c * step] - top);
    }
    *divisor = w;
    loss = even * loss + keep * w * (log_total - (x[l * step] - top));
    return loss - loss == 0 ? loss : FN(entropy_with_zeros)(args, x, NULL, l, step, top, log_total);
}

static void FN(cross_entropy_forward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(entropy_args) *args = ctx;
    const fnn_size axis = args->cut.axis, inner = args->cut.inner;
    double sum = 0, divisors = 0;
    /* Of contiguous rows, ENTROPY_ROWS at a time: a logarithm after each row would keep the
     * exponentials of the next one waiting. */
    const fnn_size together = inner == 1 ? ENTROPY_ROWS : 1;
    REAL next_top = inner == 1 ? FN(row_max)(args->x + begin * axis, axis) : 0;
    for (fnn_size s = begin; s < end; s += together) {
        const fnn_size rows = fnn_min(end - s, together);
        fnn_size at, first, width;
        fnn_find_strip(&args->cut, s, &at, &first, &width);
        /* rows: one position each, axis elements apart */
        const fnn_size positions = inner == 1 ? rows : width;
        const REAL *x = args->x + at, *target = args->target ? args->target + at : NULL;
        REAL *top = args->top + first, *total = args->total + first, logs[STRIP];
        if (inner == 1)
            for (fnn_size j = 0; j < rows; j++) {
                const REAL *row = x + j * axis;
                top[j] = next_top;
                total[j] = FN(row_sum_exp)(row, top[j], s + j + 1 < end ? row + axis : row, &next_top, axis, NULL, NULL,
                                           0, 0);
            }
        else
            FN(strip_sums)(top, total, NULL, x, axis, inner, width);
        for (fnn_size j = 0; j < positions; j++)
            logs[j] = r_log(total[j]);
        for (fnn_size j = 0; j < positions; j++) {
            double divisor;
            const double loss = inner == 1
                                ? FN(entropy)(args, x + j * axis, target ? target + j * axis : NULL, first + j, 1,
                                              top[j], logs[j], &divisor)
                                : FN(entropy)(args, x + j, target ? target + j : NULL, first + j, inner, top[j],
                                              logs[j], &divisor);
            if (args->reduction == FNN_REDUCE_NONE)
                args->y[first + j] = (REAL)loss;
            sum += loss * args->part;
            divisors += divisor;
        }
    }
    if (args->partial) {
        args->partial[2 * (begin / args->cut.grain)] = sum;
        args->partial[2 * (begin / args->cut.grain) + 1] = divisors;
    }
}

/* Run `block` over all strips; with a reduction also add up what the blocks found, in order. */
static void FN(sum_losses)(FN(entropy_args) *args, fnn_block_fn block, double *divisor)
{
    const fnn_size strips = args->cut.outer * args->cut.strips;
    const fnn_size blocks = fnn_ceil_div(strips, args->cut.grain);
    const fnn_size positions = args->cut.outer * args->cut.inner;
    /* the mean over positions may be within the range where the sum is not */
    args->part = args->target && args->reduction == FNN_REDUCE_MEAN && positions ? 1 / (double)positions : 1;
    *divisor = 1;
    if (args->reduction == FNN_REDUCE_NONE) {
        fnn_parallel_for(strips, args->cut.grain, block, args);
        return;
    }
    args->partial = fnn_scratch_alloc((size_t)fnn_max(blocks, 1) * 2 * sizeof(double));
    fnn_parallel_for(strips, args->cut.grain, block, args);
    double sum = 0, divisors = 0;
    for (fnn_size b = 0; b < blocks; b++) {
        sum += args->partial[2 * b];
        divisors += args->partial[2 * b + 1];
    }
    fnn_scratch_free(args->partial);
    if (args->reduction == FNN_REDUCE_MEAN)
        *divisor = divisors;
    /* 0 / 0 = NaN where every label is ignored, as in PyTorch */
    args->y[0] = (REAL)(args->part == 1 ? sum / *divisor : sum);
}

void FN(cross_entropy_forward)(REAL *y, REAL *top, REAL *total, double *divisor, const REAL *x, const int64_t *label,
                               const REAL *target, const REAL *weight, fnn_size outer, fnn_size axis, fnn_size inner,
                               int64_t ignore, double smoothing, int reduction)
{
    FN(entropy_args) args = { .cut = fnn_cut_strips(outer, axis, inner), .y = y, .top = top, .total = total, .x = x,
                              .label = label, .target = target, .weight = weight, .ignore = ignore,
                              .smoothing = smoothing, .reduction = reduction };
    args.unit = FN(weight_unit)(weight, label, &args.cut, ignore, reduction);
    FN(sum_losses)(&args, FN(cross_entropy_forward_block), divisor);
}

/* g sum_c a[c] at one position: how much probability mass p is pulled towards. `weights` is the sum
 * of the class weights. Products begin with g, since a weight may be near the end of the range. */
FNN_INLINE REAL FN(mass)(const FN(entropy_args) *args, const REAL *target, fnn_size i, fnn_size step, REAL g,
                         double weights)
{
    const REAL *weight = args->weight, unit = args->unit, keep = (REAL)(1 - args->smoothing);
    const REAL even = (REAL)(args->smoothing / (double)args->cut.axis);
    const REAL evenly = even != 0 ? even * (REAL)(g * weights) : 0;
    if (!target)
        return g * (weight ? weight[args->label[i]] * unit : 1) * keep + evenly;
    REAL sum = 0;
#pragma omp simd reduction(+ : sum)
    for (fnn_size c = 0; c < args->cut.axis; c++)
        sum += target[c * step] * (weight ? g * weight[c] : 1);
    return (weight ? keep : g * keep) * sum + evenly;
}

/* dx[i] -= factor v[i] (keep target[i] + even) over n elements that lie side by side; no v counts
 * as ones, no target as zeros. Without a target v is in `unit`. */
FNN_INLINE void FN(subtract_wanted)(REAL *restrict dx, const REAL *restrict target, const REAL *restrict v, REAL unit,
                                    REAL factor, REAL keep, REAL even, fnn_size n)
{
    if (target && v)
        for (fnn_size i = 0; i < n; i++)
            dx[i] -= factor * v[i] * (keep * target[i] + even);
    else if (target)
        for (fnn_size i = 0; i < n; i++)
            dx[i] -= factor * (keep * target[i] + even);
    else if (even != 0 && v)
        for (fnn_size i = 0; i < n; i++)
            dx[i] -= factor * (v[i] * unit) * even;
    else if (even != 0)
        for (fnn_size i = 0; i < n; i++)
            dx[i] -= factor * even;
}

/* forward was  y = sum_c a[c] (log total - (x[c] - top))  with  total = sum_c exp(x[c] - top)
 * so           dx[c] = g (exp(x[c] - top) / total sum_k a[k] - a[c])
 * pull = g sum_k a[k] / total */
static void FN(entropy_dx)(const FN(entropy_args) *args, REAL *restrict dx, const REAL *restrict x, const REAL *target,
                           const REAL *g, const REAL *pull, const REAL *top, fnn_size width)
{
    const fnn_size axis = args->cut.axis, inner = args->cut.inner;
    const REAL *weight = args->weight, keep = (REAL)(1 - args->smoothing);
    const REAL even = (REAL)(args->smoothing / (double)axis);
    if (inner == 1) {
        const REAL pull0 = pull[0], top0 = top[0];
        for (fnn_size c = 0; c < axis; c++)
            dx[c] = pull0 * FN(exp_of_negative)(x[c] - top0);
        FN(subtract_wanted)(dx, target, weight, args->unit, g[0], keep, even, axis);
        return;
    }
    for (fnn_size c = 0; c < axis; c++) {
        for (fnn_size j = 0; j < width; j++)
            dx[c * inner + j] = pull[j] * FN(exp_of_negative)(x[c * inner + j] - top[j]);
        FN(subtract_wanted)(dx + c * inner, target ? target + c * inner : NULL, g, 1,
                            weight ? weight[c] * args->unit : 1, keep, even, width);
    }
}

/* a[c] = w[c] (keep t[c] + even)  so  dt[c] = g w[c] keep (log total - (x[c] - top)) */
static void FN(entropy_dtarget)(const FN(entropy_args) *args, REAL *restrict dtarget, const REAL *restrict x,
                                const REAL *g, const REAL *total, const REAL *top, fnn_size width)
{
    const fnn_size axis = args->cut.axis, inner = args->cut.inner;
    const REAL keep = (REAL)(1 - args->smoothing);
    for (fnn_size j = 0; j < width; j++) {
        const REAL log_total = r_log(total[j]);
        for (fnn_size c = 0; c < axis; c++) {
            const REAL w = g[j] * keep * (args->weight ? args->weight[c] : 1);
            dtarget[c * inner + j] = w == 0 ? 0 : w * (log_total - (x[c * inner + j] - top[j]));
        }
    }
}

static void FN(cross_entropy_backward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(entropy_args) *args = ctx;
    const fnn_size axis = args->cut.axis, inner = args->cut.inner;
    const REAL keep = (REAL)(1 - args->smoothing);
    double weights = 0;
    for (fnn_size c = 0; c < axis; c++)
        weights += args->weight ? args->weight[c] * args->unit : 1;
    for (fnn_size s = begin; s < end; s++) {
        fnn_size at, first, width;
        fnn_find_strip(&args->cut, s, &at, &first, &width);
        const REAL *x = args->x + at, *target = args->target ? args->target + at : NULL;
        const REAL *top = args->top + first, *total = args->total + first;
        /* dx = late (...) where g is infinite: a difference of two infinities is NaN */
        REAL g[STRIP], late[STRIP], pull[STRIP];
        int infinite = 0;
        for (fnn_size j = 0; j < width; j++) {
            const fnn_size i = first + j;
            g[j] = pull[j] = 0;
            late[j] = 1;
            if (args->label && args->label[i] == args->ignore)
                continue;
            g[j] = (REAL)(args->dy[args->reduction == FNN_REDUCE_NONE ? i : 0] * args->scale);
            if (!(g[j] - g[j] == 0)) {
                late[j] = g[j];
                g[j] = infinite = 1;
            }
            pull[j] = (inner == 1 ? FN(mass)(args, target, i, 1, g[j], weights)
                                  : FN(mass)(args, target ? target + j : NULL, i, inner, g[j], weights)) / total[j];
        }
        if (args->dx) {
            REAL *dx = args->dx + at;
            FN(entropy_dx)(args, dx, x, target, g, pull, top, width);
            for (fnn_size j = 0; args->label && j < width; j++) {
                const int64_t l = args->label[first + j];
                if (l != args->ignore)
                    dx[l * inner + j] -= g[j] * (args->weight ? args->weight[l] * args->unit : 1) * keep;
                else
                    for (fnn_size c = 0; c < axis; c++)
                        dx[c * inner + j] = 0;      /* also where x holds infinities or NaN */
            }
            for (fnn_size i = 0; infinite && i < axis * width; i++)
                dx[i / width * inner + i % width] *= late[i % width];
        }
        for (fnn_size j = 0; infinite && j < width; j++)
            g[j] *= late[j];
        if (args->dtarget)
            FN(entropy_dtarget)(args, args->dtarget + at, x, g, total, top, width);
    }
}

void FN(cross_entropy_backward)(REAL *dx, REAL *dtarget, const REAL *dy, const REAL *x, const REAL *top,
                                const REAL *total, const int64_t *label, const REAL *target, const REAL *weight,
                                fnn_size outer, fnn_size axis, fnn_size inner, int64_t ignore, double smoothing,
                                int reduction, double divisor)
{
    FN(entropy_args) args = { .cut = fnn_cut_strips(outer, axis, inner), .top = (REAL *)top, .total = (REAL *)total,
                              .dx = dx, .dtarget = dtarget, .x = x, .dy = dy, .target = target, .weight = weight,
                              .label = label, .ignore = ignore, .smoothing = smoothing, .scale = 1 / divisor,
                              .reduction = reduction };
    args.unit = FN(weight_unit)(weight, label, &args.cut, ignore, reduction);
    fnn_parallel_for(outer * args.cut.strips, args.cut.grain, FN(cross_entropy_backward_block), &args);
}

/* ---- negative log likelihood ----------------------------------------------------------------- */

static void FN(nll_loss_forward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(entropy_args) *args = ctx;
    double sum = 0, divisors = 0;
    for (fnn_size s = begin; s < end; s++) {
        fnn_size at, first, width;
        fnn_find_strip(&args->cut, s, &at, &first, &width);
        for (fnn_size j = 0; j < width; j++) {
            const int64_t l = args->label[first + j];
            const int counts = l != args->ignore;
            const REAL w = counts ? args->weight ? args->weight[l] * args->unit : 1 : 0;
            const double loss = w != 0 ? -(double)w * args->x[at + l * args->cut.inner + j] : 0;
            if (args->reduction == FNN_REDUCE_NONE)
                args->y[first + j] = (REAL)loss;
            sum += loss;
            divisors += w;
        }
    }
    if (args->partial) {
        args->partial[2 * (begin / args->cut.grain)] = sum;
        args->partial[2 * (begin / args->cut.grain) + 1] = divisors;
    }
}

void FN(nll_loss_forward)(REAL *y, double *divisor, const REAL *x, const int64_t *label, const REAL *weight,
                          fnn_size outer, fnn_size axis, fnn_size inner, int64_t ignore, int reduction)
{
    FN(entropy_args) args = { .cut = fnn_cut_strips(outer, axis, inner), .y = y, .x = x, .label = label,
                              .weight = weight, .ignore = ignore, .reduction = reduction };
    args.unit = FN(weight_unit)(weight, label, &args.cut, ignore, reduction);
    FN(sum_losses)(&args, FN(nll_loss_forward_block), divisor);
}

static void FN(nll_loss_backward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(entropy_args) *args = ctx;
    const fnn_size axis = args->cut.axis, inner = args->cut.inner;
    if (args->cut.strips == 1)                      /* the block lies in one piece */
        memset(args->dx + begin * axis * inner, 0, (size_t)((end - begin) * axis * inner) * sizeof(REAL));
    for (fnn_size s = begin; s < end; s++) {
        fnn_size at, first, width;
        fnn_find_strip(&args->cut, s, &at, &first, &width);
        REAL *dx = args->dx + at;
        if (args->cut.strips > 1)
            for (fnn_size c = 0; c < axis; c++)
                memset(dx + c * inner, 0, (size_t)width * sizeof(REAL));
        for (fnn_size j = 0; j < width; j++) {
            const int64_t l = args->label[first + j];
            const REAL w = l == args->ignore ? 0 : args->weight ? args->weight[l] * args->unit : 1;
            if (w != 0)             /* forward was  y = -w[l] x[l];  the scale may be infinite */
                dx[l * inner + j] = (REAL)(-args->scale * args->dy[args->reduction == FNN_REDUCE_NONE ? first + j : 0])
                                    * w;
        }
    }
}

void FN(nll_loss_backward)(REAL *dx, const REAL *dy, const int64_t *label, const REAL *weight,
                           fnn_size outer, fnn_size axis, fnn_size inner, int64_t ignore, int reduction, double divisor)
{
    FN(entropy_args) args = { .cut = fnn_cut_strips(outer, axis, inner), .dx = dx, .dy = dy, .label = label,
                              .weight = weight, .ignore = ignore, .scale = 1 / divisor, .reduction = reduction };
    args.unit = FN(weight_unit)(weight, label, &args.cut, ignore, reduction);
    fnn_parallel_for(outer * args.cut.strips, args.cut.grain, FN(nll_loss_backward_block), &args);
}
