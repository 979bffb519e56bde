/* loss.tmpl.h -- losses that compare an input with a target element by element, and their
 * derivatives.
 *
 * Math       y = sum_i w[i] f(x[i], t[i]), or its mean, or each element
 *            dx[i] = dy w[i] df/dx,   dt[i] = dy w[i] df/dt
 *
 *            which       f                                   df/dx              df/dt
 *            MSE         d^2                                 2 d                -2 d
 *            L1          |d|                                 sign d             -sign d
 *            SMOOTH_L1   d^2 / 2 beta  if |d| < beta         d / beta           -d / beta
 *                        |d| - beta/2  else                  sign d             -sign d
 *            HUBER       d^2 / 2  if |d| < delta             d                  -d
 *                        delta (|d| - delta/2)  else         delta sign d       -delta sign d
 *            BCE         -t log x - (1-t) log(1-x)           (x-t) / x(1-x)     log(1-x) - log x
 *            BCE_LOGITS  -q t log s(x) - (1-t) log s(-x)     (1-t) s(x)         log s(-x)
 *                                                            - q t s(-x)        - q log s(x)
 *            KL          t (log t - x)                       -t                 log t + 1 - x
 *            KL_LOG      e^t (t - x)                         -e^t               e^t (t - x + 1)
 *
 * Symbols    n elements; x input, t target, d = x - t, w weight, q weight of the positive class, dy
 *            upstream gradient; s(x) = 1 / (1 + e^-x). Logarithms in BCE are at least -100. Terms
 *            whose factor t, 1 - t, q, w or e^t is 0 are 0, also where the logarithm is infinite.
 * Layout     flat arrays.
 * Method     The value and the two slopes are inline functions of one element with `which` a
 *            constant, so that each loss becomes its own plain loop over strips that the L1 cache
 *            holds. Sums: a block in vectors, the blocks in double and in order.
 *            Where denormals are kept, strips of float are computed in double. So are the slopes
 *            of strips with weights or upstream gradients far from 1, of which a product with one
 *            factor may be beyond the range where that with all of them is not.
 * Cost       one pass forward and one backward: bound by memory, except for the logarithms.
 * Threads    blocks of LOSS_GRAIN elements.
 * Reference  fastnn/reference/losses.py
 */
#include "pointwise/map.tmpl.h"

#ifndef FNN_LOSS_TEMPLATE_ONCE
#define FNN_LOSS_TEMPLATE_ONCE
enum {
    LOSS_GRAIN = 16384,     /* elements in a block of a parallel loop; chosen: as MAP_GRAIN */
    LOSS_STRIP = 256        /* elements in a strip; bound: up to 7 arrays of doubles on the stack,
                               14 KiB */
};
#endif

/* ---- pieces ---------------------------------------------------------------------------------- */
/* NaN stays */
FNN_INLINE REAL FN(within)(REAL x, REAL limit) { return r_max(-limit, r_min(limit, x)); }
/* 0 and NaN stay */
FNN_INLINE REAL FN(sign)(REAL x) { return x > 0 ? (REAL)1 : x < 0 ? (REAL)-1 : x; }
FNN_INLINE REAL FN(log_from_minus_100)(REAL x) { const REAL y = r_log(x); return y < -100 ? -100 : y; }
FNN_INLINE REAL FN(log1p_from_minus_100)(REAL x) { const REAL y = r_log1p(x); return y < -100 ? -100 : y; }

/* c v, but 0 where c is 0, whatever v is: an outcome that weighs nothing costs nothing, even if it
 * is impossible. */
FNN_INLINE REAL FN(weighed)(REAL c, REAL v) { return c == 0 ? 0 : c * v; }

/* Binary cross entropy of scores: (1 - t) log(1 + e^x) + yes log(1 + e^-x) with yes = q t. The two
 * logarithms share l = log(1 + e^-|x|), and |x| belongs to the one whose outcome x speaks against:
 * two terms of one sign, so that nothing cancels. */
FNN_INLINE REAL FN(logits_value)(REAL x, REAL t, REAL yes)
{
    const REAL minus = FN(minus_size)(x), l = FN(softplus_of_negative)(minus), wrong = x > 0 ? 1 - t : yes;
    return (yes + (1 - t)) * l - FN(weighed)(wrong, minus);
}

FNN_INLINE REAL FN(logits_dx)(REAL x, REAL t, REAL yes)
{
    /* sigmoid of |x| and of -|x| */
    const REAL e = FN(exp_of_negative)(FN(minus_size)(x)), larger = 1 / (1 + e), smaller = e * larger;
    return x > 0 ? (1 - t) * larger - yes * smaller : (1 - t) * smaller - yes * larger;
}

FNN_INLINE REAL FN(logits_dt)(REAL x, REAL q)
{
    const REAL minus = FN(minus_size)(x), l = FN(softplus_of_negative)(minus);
    return FN(weighed)(q, (x < 0 ? -x : 0) + l) - ((x > 0 ? x : 0) + l);
}

/* ---- one element: the value and its two slopes ----------------------------------------------- */
FNN_INLINE REAL FN(loss_value)(int which, REAL x, REAL t, REAL yes, REAL param)
{
    const REAL d = x - t, a = d < 0 ? -d : d;
    switch (which) {
    case FNN_MSE:        return d * d;
    case FNN_L1:         return a;
    case FNN_SMOOTH_L1:  return a < param ? d * d / (2 * param) : a - param / 2;
    case FNN_HUBER:      return a <= param ? d * d / 2 : param * (a - param / 2);
    case FNN_BCE:        return (t - 1) * FN(log1p_from_minus_100)(-x) - t * FN(log_from_minus_100)(x);
    case FNN_BCE_LOGITS: return FN(logits_value)(x, t, yes);
    case FNN_KL:         return FN(weighed)(t, r_log(t) - x);
    default:             return FN(weighed)(r_exp(t), t - x);
    }
}

FNN_INLINE REAL FN(loss_dx)(int which, REAL x, REAL t, REAL yes, REAL param)
{
    const REAL d = x - t;
    switch (which) {
    case FNN_MSE:        return 2 * d;
    case FNN_L1:         return FN(sign)(d);
    case FNN_SMOOTH_L1:  return param > 0 ? FN(within)(d / param, 1) : FN(sign)(d);
    case FNN_HUBER:      return FN(within)(d, param);
    /* as PyTorch: finite at 0 and 1 */
    case FNN_BCE:        return d / r_max((1 - x) * x, (REAL)1e-12);
    case FNN_BCE_LOGITS: return FN(logits_dx)(x, t, yes);
    case FNN_KL:         return -t;
    default:             return -r_exp(t);
    }
}

FNN_INLINE REAL FN(loss_dt)(int which, REAL x, REAL t, REAL q, REAL param)
{
    switch (which) {
    case FNN_BCE:        return FN(log1p_from_minus_100)(-x) - FN(log_from_minus_100)(x);
    case FNN_BCE_LOGITS: return FN(logits_dt)(x, q);
    /* the slope of t log t at 0 is taken as 0 */
    case FNN_KL:         return t == 0 ? -x : r_log(t) + 1 - x;
    case FNN_KL_LOG:     return FN(weighed)(r_exp(t), t - x + 1);
    default:             return -FN(loss_dx)(which, x, t, 0, param);        /* functions of x - t */
    }
}

/* ---- blocks ---------------------------------------------------------------------------------- */
typedef struct {
    REAL *y, *dx, *dt;
    const REAL *dy, *x, *t, *w, *pw;
    double *partial;
    int which, each;
    REAL param;
    double scale;
} FN(loss_args);

/* out[j] = factor * w[j], where a missing w is all ones. With the weights of a strip in an array of
 * their own, each loss needs one loop and not one for every combination of weights and reduction.
 * Returns whether the factor and all weights are near enough to 1 for any product of them, or
 * weights that are 0; in double all are. */
FNN_INLINE int FN(loss_weights)(REAL *restrict out, const REAL *restrict w, REAL factor, fnn_size n)
{
    if (!w)
        for (fnn_size j = 0; j < n; j++) out[j] = factor;
#if REAL_IS_F64
    else
        for (fnn_size j = 0; j < n; j++) out[j] = factor * w[j];
    return 1;
#else
    /* bound: the product of two of these and a slope of 2^-24 to 2^24 is within float's range */
    const FN(float_bits) low = { 0x1p-50f }, high = { 0x1p50f };
    const float size = factor < 0 ? -factor : factor;
    const int ordinary = size > low.real && size < high.real;
    if (!w)
        return ordinary;
    /* As whole numbers, the bits of floats above 0 have the order of the floats; those of 0, less
     * 1, are more than all others. */
    uint32_t least = UINT32_MAX, most = 0;
#pragma omp simd reduction(min : least) reduction(max : most)
    for (fnn_size j = 0; j < n; j++) {
        const FN(float_bits) given = { w[j] };
        const uint32_t bits = given.bits & 0x7fffffffu;
        least = fnn_min_bits(bits - 1, least);
        most = fnn_max_bits(bits, most);
        out[j] = factor * w[j];
    }
    return ordinary && least >= low.bits && most <= high.bits;
#endif
}

/* A strip of one loss: its own loop, `which` a constant where this is inlined. */
FNN_INLINE void FN(strip_values)(int which, REAL *restrict value, const REAL *restrict x, const REAL *restrict t,
                                 const REAL *restrict yes, REAL param, fnn_size n)
{
    for (fnn_size j = 0; j < n; j++)
        value[j] = FN(loss_value)(which, x[j], t[j], yes[j], param);
}

FNN_INLINE void FN(strip_slopes)(int which, REAL *restrict dx, REAL *restrict dt, const REAL *restrict x,
                                 const REAL *restrict t, const REAL *restrict weight, const REAL *restrict positive,
                                 const REAL *restrict yes, REAL param, fnn_size n)
{
    if (dx)
        for (fnn_size j = 0; j < n; j++)
            dx[j] = weight[j] * FN(loss_dx)(which, x[j], t[j], yes[j], param);
    if (dt && which == FNN_BCE_LOGITS)              /* the slope is infinite where x is */
        for (fnn_size j = 0; j < n; j++)
            dt[j] = FN(weighed)(weight[j], FN(loss_dt)(which, x[j], t[j], positive[j], param));
    else if (dt)
        for (fnn_size j = 0; j < n; j++)
            dt[j] = weight[j] * FN(loss_dt)(which, x[j], t[j], 0, param);
}

/* The q t of a strip: t itself where no outcome has a weight, else in `room`. */
FNN_INLINE const REAL *FN(weighed_targets)(REAL *restrict room, const REAL *restrict t, const REAL *restrict q,
                                           fnn_size n)
{
    if (!q)
        return t;
    for (fnn_size j = 0; j < n; j++)
        room[j] = FN(weighed)(t[j], q[j]);
    return room;
}

/* call one of the two with every `which` as a constant */
#define LOSS_EACH(strip, which, ...)                                    \
    switch (which) {                                                    \
    case FNN_MSE:        FN(strip)(FNN_MSE, __VA_ARGS__); break;        \
    case FNN_L1:         FN(strip)(FNN_L1, __VA_ARGS__); break;         \
    case FNN_SMOOTH_L1:  FN(strip)(FNN_SMOOTH_L1, __VA_ARGS__); break;  \
    case FNN_HUBER:      FN(strip)(FNN_HUBER, __VA_ARGS__); break;      \
    case FNN_BCE:        FN(strip)(FNN_BCE, __VA_ARGS__); break;        \
    case FNN_BCE_LOGITS: FN(strip)(FNN_BCE_LOGITS, __VA_ARGS__); break; \
    case FNN_KL:         FN(strip)(FNN_KL, __VA_ARGS__); break;         \
    default:             FN(strip)(FNN_KL_LOG, __VA_ARGS__); break;     \
    }

/* The same with `which` a variable: what float runs, in double, where denormals are kept. */
#if REAL_IS_F64
static void FN(some_values)(int which, double *value, const double *x, const double *t, const double *yes,
                            double param, fnn_size n)
{
    FN(strip_values)(which, value, x, t, yes, param, n);
}

static void FN(some_slopes)(int which, double *dx, double *dt, const double *x, const double *t, const double *weight,
                            const double *positive, const double *yes, double param, fnn_size n)
{
    FN(strip_slopes)(which, dx, dt, x, t, weight, positive, yes, param, n);
}
#else
static void FNN_NAME(some_values, f64, LEVEL)(int which, double *value, const double *x, const double *t,
                                              const double *yes, double param, fnn_size n);
static void FNN_NAME(some_slopes, f64, LEVEL)(int which, double *dx, double *dt, const double *x, const double *t,
                                              const double *weight, const double *positive, const double *yes,
                                              double param, fnn_size n);

static void FN(values_in_double)(int which, float *value, const float *x, const float *t, const float *yes,
                                 float param, fnn_size n)
{
    double wide[4][LOSS_STRIP];
    fnn_widen(wide[0], x, n);
    fnn_widen(wide[1], t, n);
    fnn_widen(wide[2], yes, n);
    FNN_NAME(some_values, f64, LEVEL)(which, wide[3], wide[0], wide[1], wide[2], param, n);
    fnn_narrow(value, wide[3], n);
}

/* The strip of n elements from i on, where no w and no dy count as ones. */
static void FN(slopes_in_double)(const FN(loss_args) *args, fnn_size i, double factor, const float *positive,
                                 const float *yes, fnn_size n)
{
    double wide[7][LOSS_STRIP];
    fnn_widen(wide[0], args->x + i, n);
    fnn_widen(wide[1], args->t + i, n);
    for (fnn_size j = 0; j < n; j++)
        wide[2][j] = factor * (args->w ? args->w[i + j] : 1) * (args->each ? args->dy[i + j] : 1);
    if (args->dt && args->which == FNN_BCE_LOGITS)
        fnn_widen(wide[3], positive, n);
    fnn_widen(wide[4], yes, n);
    FNN_NAME(some_slopes, f64, LEVEL)(args->which, args->dx ? wide[5] : NULL, args->dt ? wide[6] : NULL, wide[0],
                                      wide[1], wide[2], wide[3], wide[4], args->param, n);
    if (args->dx)
        fnn_narrow(args->dx + i, wide[5], n);
    if (args->dt)
        fnn_narrow(args->dt + i, wide[6], n);
}
#endif

/* Of finite numbers the sum is finite, though a float may not hold it. */
static double FN(strip_sum)(const REAL *value, fnn_size n)
{
    REAL sum = 0;
    double wide = 0;
#pragma omp simd reduction(+ : sum)
    for (fnn_size j = 0; j < n; j++)
        sum += value[j];
    if (sum - sum == 0)
        return sum;
    for (fnn_size j = 0; j < n; j++)
        wide += value[j];
    return wide;
}

/* scale sum_j w[j] value[j], where what weighs nothing adds nothing. It may be within the range
 * where a product, or the sum, is not. */
static double FN(weighed_sum)(const REAL *w, const REAL *value, double scale, fnn_size n)
{
    REAL sum = 0;
    double wide = 0;
#pragma omp simd reduction(+ : sum)
    for (fnn_size j = 0; j < n; j++)
        sum += FN(weighed)(w[j], value[j]);
    if (sum - sum == 0)
        return sum * scale;
    for (fnn_size j = 0; j < n; j++)
        wide += w[j] == 0 ? 0 : w[j] * (value[j] * scale);
    return wide;
}

static void FN(loss_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(loss_args) *args = ctx;
    REAL room[LOSS_STRIP], values[LOSS_STRIP];
    double sum = 0;
    for (fnn_size i = begin; i < end; i += LOSS_STRIP) {
        const fnn_size n = fnn_min(end - i, LOSS_STRIP);
        const REAL *yes = FN(weighed_targets)(room, args->t + i, args->pw ? args->pw + i : NULL, n);
        REAL *value = args->each ? args->y + i : values;
#if !REAL_IS_F64
        if (!fnn_flush_denormal())
            FN(values_in_double)(args->which, value, args->x + i, args->t + i, yes, args->param, n);
        else
#endif
        LOSS_EACH(strip_values, args->which, value, args->x + i, args->t + i, yes, args->param, n)
        if (!args->each)
            sum += args->w ? FN(weighed_sum)(args->w + i, value, args->scale, n) : FN(strip_sum)(value, n);
        else if (args->w)
            for (fnn_size j = 0; j < n; j++)
                value[j] = FN(weighed)(args->w[i + j], value[j]);
    }
    if (!args->each)
        args->partial[begin / LOSS_GRAIN] = sum;
}

/* forward was  y = scale * sum_i w[i] f(x[i], t[i]) */
static void FN(loss_slope_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(loss_args) *args = ctx;
    REAL weight[LOSS_STRIP], positive[LOSS_STRIP], room[LOSS_STRIP];
    const double factor = args->each ? args->scale : args->dy[0] * args->scale;
    for (fnn_size i = begin; i < end; i += LOSS_STRIP) {
        const fnn_size n = fnn_min(end - i, LOSS_STRIP);
        const int ordinary = FN(loss_weights)(weight, args->w ? args->w + i : NULL, (REAL)factor, n);
        (void)ordinary;                             /* of double there is nothing larger */
        if (args->dt && args->which == FNN_BCE_LOGITS)
            FN(loss_weights)(positive, args->pw ? args->pw + i : NULL, 1, n);
        const REAL *yes = FN(weighed_targets)(room, args->t + i, args->pw ? args->pw + i : NULL, n);
        if (args->each)
            for (fnn_size j = 0; j < n; j++)
                weight[j] *= args->dy[i + j];
#if !REAL_IS_F64
        if (!fnn_flush_denormal() || !ordinary)
            FN(slopes_in_double)(args, i, factor, positive, yes, n);
        else
#endif
        LOSS_EACH(strip_slopes, args->which, args->dx ? args->dx + i : NULL, args->dt ? args->dt + i : NULL,
                  args->x + i, args->t + i,
                  weight, positive, yes, args->param, n)
    }
}
#undef LOSS_EACH

void FN(loss_forward)(REAL *y, const REAL *x, const REAL *t, const REAL *w, const REAL *pw,
                      fnn_size n, int which, double param, int each, double divisor)
{
    FN(loss_args) args = { .y = y, .x = x, .t = t, .w = w, .pw = pw, .which = which, .each = each,
                           .param = (REAL)param, .scale = n ? 1 / divisor : 1 };
    if (each) {
        fnn_parallel_for(n, LOSS_GRAIN, FN(loss_block), &args);
        return;
    }
    const fnn_size blocks = fnn_ceil_div(n, LOSS_GRAIN);
    args.partial = fnn_scratch_alloc(fnn_max(blocks, 1) * sizeof(double));
    fnn_parallel_for(n, LOSS_GRAIN, FN(loss_block), &args);
    double sum = 0;
    for (fnn_size b = 0; b < blocks; b++)
        sum += args.partial[b];
    fnn_scratch_free(args.partial);
    /* 0 / 0 = NaN for the mean of nothing, as in PyTorch */
    y[0] = (REAL)(w && n ? sum : sum / divisor);
}

void FN(loss_backward)(REAL *dx, REAL *dt, const REAL *dy, const REAL *x, const REAL *t, const REAL *w, const REAL *pw,
                       fnn_size n, int which, double param, int each, double divisor)
{
    FN(loss_args) args = { .dx = dx, .dt = dt, .dy = dy, .x = x, .t = t, .w = w, .pw = pw, .which = which, .each = each,
                           .param = (REAL)param, .scale = each ? 1 : 1 / divisor };
    fnn_parallel_for(n, LOSS_GRAIN, FN(loss_slope_block), &args);
}
