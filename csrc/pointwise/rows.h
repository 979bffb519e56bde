/* rows.h -- the passes over a row that every softmax is made of. No guard: included by templates,
 * once per level and type. */
#include <float.h>

#ifndef FNN_ROWS_ONCE
#define FNN_ROWS_ONCE
enum { ROW_NEAR_BYTES = 16384 };    /* of a row, up to which the one after next is prefetched;
                                       chosen: half of an L1 cache of 32 KiB */
#endif

/* 2^(factor d) for d <= 0 and factor > 0, within 1.5 ulp; 1 at 0; 0 where the result would be below
 * the normal numbers. NaN stays NaN. least = -127 / factor, finite. */
#if REAL_IS_F64
FNN_INLINE double FN(exp2_of_scaled)(double d, double factor, double least) { (void)least; return exp2(d * factor); }
#else
FNN_INLINE float FN(exp2_of_scaled)(float d, float factor, float least)
{
    /* as in exp_to_89, simd.h: the low bits hold n + 127, the exponent of 2^n */
    const float shift = 12582912.0f + 127.0f;
    d = r_max(least, d);                                /* where they are 0, and so is the power */
    union { float real; uint32_t bits; } sum = { d * factor + shift }, power;
    const float r = d * factor - (sum.real - shift);
    float q = 1.32695376e-3f;                                    /* 2^r = 1 + r q, |r| <= 1/2 */
    q = q * r + 9.67129227e-3f;
    q = q * r + 5.55071086e-2f;
    q = q * r + 2.40222469e-1f;
    q = q * r + 6.93147004e-1f;
    q = q * r + 1;
    power.bits = sum.bits << 23;
    return q * power.real;
}
#endif

/* Elements of 2 and of 4 vectors; chosen: 2 sums, or 4 maxima, that do not wait for each other. */
#undef PAIR
#define PAIR (2 * (VBYTES ? VBYTES / (fnn_size)sizeof(REAL) : 1))
#undef ROW_PART
#define ROW_PART (4 * (VBYTES ? VBYTES / (fnn_size)sizeof(REAL) : 1))

/* The largest of x[0..n), -infinity for n = 0. NaN is passed over here and shows in the sum of the
 * exponentials. */
FNN_INLINE REAL FN(row_max)(const REAL *x, fnn_size n)
{
    const fnn_size quarter = n >= ROW_PART ? n / 4 : 0;
    const REAL *restrict second = x + quarter, *restrict third = second + quarter, *restrict fourth = third + quarter;
    /* four at a time: one maximum would wait for the one before */
    REAL a = -(REAL)INFINITY, b = a, c = a, d = a;
#pragma omp simd reduction(max : a, b, c, d)
    for (fnn_size i = 0; i < quarter; i++) {
        a = r_max(x[i], a);
        b = r_max(second[i], b);
        c = r_max(third[i], c);
        d = r_max(fourth[i], d);
    }
    REAL top = r_max(r_max(a, b), r_max(c, d));
#pragma omp simd reduction(max : top)
    for (fnn_size i = 4 * quarter; i < n; i++)
        top = r_max(x[i], top);
    /* where Clang's reduction begins; GCC's begins at -infinity */
    if (top <= (REAL)(REAL_IS_F64 ? -DBL_MAX : -FLT_MAX)) {
        top = -(REAL)INFINITY;
        for (fnn_size i = 0; i < n; i++)
            top = r_max(x[i], top);
    }
    return top;
}

/* What to prefetch: the row after next, x[0..n), where that pays. It then arrives from memory while
 * exponentials are computed. A longer row would push the ones in use out of the L1 cache: then
 * `near`, which is there already. */
FNN_INLINE const REAL *FN(row_to_prefetch)(const REAL *x, const REAL *near, fnn_size n)
{
    return n * (fnn_size)sizeof(REAL) <= ROW_NEAR_BYTES ? x : near;
}

/* Prefetch the elements of a pair of vectors, from x[i] on. */
FNN_INLINE void FN(prefetch_pair)(const REAL *x, fnn_size i)
{
    (void)x, (void)i;                               /* where there is no prefetch */
    for (fnn_size j = 0; j < PAIR; j += 64 / (fnn_size)sizeof(REAL))
        FNN_PREFETCH(x, i + j, 0, 3);
}

/* e[i] = exp(scale (x[i] - top)); returns the sum. e may be x. The subtraction comes first: in
 * scale x - scale top one product is rounded and the other is not, and the largest element would no
 * longer give exactly 1. */
FNN_INLINE REAL FN(row_exp)(REAL *e, const REAL *x, REAL scale, REAL top, fnn_size n)
{
    REAL sum = 0;
#pragma omp simd reduction(+ : sum)
    for (fnn_size i = 0; i < n; i++) {
        const REAL p = FN(exp_of_negative)((x[i] - top) * scale);
        e[i] = p;
        sum += p;
    }
    return sum;
}

/* sum + e^(x - top). The exponential is made of powers of 2, and is as accurate as a sum needs:
 * within 3e-7 down to e^-20, with errors of both signs, and exactly 1 at the top. */
FNN_INLINE vec FN(add_exp)(vec sum, vec x, vec top)
{
#if REAL_IS_F64
    REAL p[VL];
    v_store(p, x - top);
    for (fnn_size j = 0; j < VL; j++)
        p[j] = exp(p[j]);
    return sum + v_load(p);
#else
    /* e^-87 adds nothing to a sum that is at least 1; this way round NaN stays */
    const vec d = v_max(v_set(-87.0f), x - top);
#if VBYTES == 32 && defined(__GNUC__) && !defined(__clang__)
    /* e^d = 2^n 2^(j/8) 2^r, |r| <= 1/16: the lookup of 2^(j/8) runs where no multiply-add can, and
     * saves two of them. The low bits of t are 8 n + j; where n is added to an exponent j falls
     * into the fraction, so the table's entries are less by that. */
    typedef uint32_t bits __attribute__((vector_size(VBYTES)));
    const bits roots = { 0x3f800000, 0x3f7b95c2, 0x3f7837f0, 0x3f75fed7, 0x3f7504f3, 0x3f75672a, 0x3f7744fd,
                         0x3f7ac0c7 };
    const vec shift = v_set(12582912.0f / 8), t = d * v_set(1.44269504f) + shift;
    const vec r = d * v_set(1.44269504f) - (t - shift);
    vec q = v_set(5.54889627e-2f);                               /* 2^r = 1 + r q */
    q = q * r + v_set(2.40257517e-1f);
    q = q * r + v_set(6.93147242e-1f);
    q = q * r + v_set(1.0f);
    return q * (vec)(__builtin_shuffle(roots, (bits)t) + ((bits)t << 20)) + sum;
#else
    /* as in exp_to_89 */
    const vec shift = v_set(12582912.0f + 127.0f), t = d * v_set(1.44269504f) + shift;
    const vec r = d * v_set(1.44269504f) - (t - shift);
    vec q = v_set(1.32695376e-3f);                               /* 2^r = 1 + r q, |r| <= 1/2 */
    q = q * r + v_set(9.67129227e-3f);
    q = q * r + v_set(5.55071086e-2f);
    q = q * r + v_set(2.40222469e-1f);
    q = q * r + v_set(6.93147004e-1f);
    q = q * r + v_set(1.0f);
    return q * v_power_of_2(t) + sum;
#endif
#endif
}

/* The sum of e^(x[i] - top). Three things are done on the way, between the multiply-adds of the
 * exponentials: the largest of next[0..n) is found, so that the next row need not wait for a pass
 * of its own; the row behind that is prefetched; and, unless y is NULL, the row before is finished:
 * y[i] = (before[i] - before_top) - log_total. */
FNN_INLINE REAL FN(row_sum_exp)(const REAL *x, REAL top, const REAL *next, REAL *next_top, fnn_size n,
                                REAL *y, const REAL *before, REAL before_top, REAL log_total)
{
    const REAL *after = FN(row_to_prefetch)(next + n, next, n);
    const vec tops = v_set(top), before_tops = v_set(before_top), logs = v_set(log_total);
    vec sum = v_set(0), sum_2 = sum, most = v_set(-(REAL)INFINITY), most_2 = most;
    fnn_size i = 0;
    for (; i + PAIR <= n; i += PAIR) {
        FN(prefetch_pair)(after, i);
        sum = FN(add_exp)(sum, v_load(x + i), tops);
        sum_2 = FN(add_exp)(sum_2, v_load(x + i + VL), tops);
        most = v_max(v_load(next + i), most);               /* this way round NaN is passed over */
        most_2 = v_max(v_load(next + i + VL), most_2);
        if (y) {
            v_store(y + i, (v_load(before + i) - before_tops) - logs);
            v_store(y + i + VL, (v_load(before + i + VL) - before_tops) - logs);
        }
    }
    REAL rest[PAIR], largest = v_hmax(v_max(most, most_2));
    if (i < n) {                                    /* the end, filled up with what adds nothing */
        for (fnn_size j = 0; j < PAIR; j++)
            rest[j] = -(REAL)INFINITY;
        for (fnn_size j = i; j < n; j++) {
            rest[j - i] = x[j];
            largest = r_max(next[j], largest);
            if (y)
                y[j] = (before[j] - before_top) - log_total;
        }
        sum = FN(add_exp)(sum, v_load(rest), tops);
        sum_2 = FN(add_exp)(sum_2, v_load(rest + VL), tops);
    }
    *next_top = largest;
    return v_sum(sum + sum_2);
}

/* e[i] = e^(x[i] - top); returns the sum. On the way the largest of next[0..n), and the row before
 * is finished: before[i] *= factor, unless it is NULL. Loads, stores and comparisons fit between
 * the multiply-adds of the exponentials. */
FNN_INLINE REAL FN(row_exp_between)(REAL *restrict e, const REAL *restrict x, REAL top, const REAL *restrict next,
                                    REAL *next_top, REAL *restrict before, REAL factor, fnn_size n)
{
    const REAL *after = FN(row_to_prefetch)(next + n, next, n);
    const vec factors = v_set(factor);
    vec sum = v_set(0), sum_2 = sum, most = v_set(-(REAL)INFINITY), most_2 = most;
    fnn_size i = 0;
    for (; i + PAIR <= n; i += PAIR) {
        FN(prefetch_pair)(after, i);
#pragma omp simd
        for (fnn_size j = 0; j < PAIR; j++)
            e[i + j] = FN(exp_of_negative)(x[i + j] - top);
        sum += v_load(e + i);
        sum_2 += v_load(e + i + VL);
        most = v_max(v_load(next + i), most);               /* this way round NaN is passed over */
        most_2 = v_max(v_load(next + i + VL), most_2);
        if (before) {
            v_store(before + i, v_load(before + i) * factors);
            v_store(before + i + VL, v_load(before + i + VL) * factors);
        }
    }
    REAL rest[PAIR], largest = v_hmax(v_max(most, most_2));
    if (i < n) {                                                 /* the end, as above */
        for (fnn_size j = 0; j < PAIR; j++)
            rest[j] = -(REAL)INFINITY;
        for (fnn_size j = i; j < n; j++) {
            rest[j - i] = x[j] - top;
            largest = r_max(next[j], largest);
            if (before)
                before[j] *= factor;
        }
#pragma omp simd
        for (fnn_size j = 0; j < PAIR; j++)
            rest[j] = FN(exp_of_negative)(rest[j]);
        for (fnn_size j = i; j < n; j++)
            e[j] = rest[j - i];
        sum += v_load(rest);
        sum_2 += v_load(rest + VL);
    }
    *next_top = largest;
    return v_sum(sum + sum_2);
}
