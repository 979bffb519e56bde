/* rows.h -- the two passes over a row that every softmax is made of. No guard: included by templates, once per level and type. */

/* e^x for x <= 0, the only case after the largest element has been subtracted: half the work of r_exp. Within 1 ulp, 1.2 without fused
 * multiply-add; 0 where the result would be below the normal numbers (float: x < -87). NaN stays NaN. */
#if REAL_IS_F64
FNN_INLINE double FN(exp_of_negative)(double x) { return exp(x); }
#else
FNN_INLINE float FN(exp_of_negative)(float x)
{
    /* e^x = 2^n e^r, n = round(x / ln 2), |r| <= ln 2 / 2. Adding 1.5 * 2^23 rounds, and leaves n in the low bits; with 127 added, too, the
     * low bits are the exponent of 2^n. */
    const float shift = 12582912.0f + 127.0f;
    union { float real; uint32_t bits; } sum = { x * 1.44269504088896341f + shift }, power;
    const float n = sum.real - shift;
    float r = x - n * 0.693359375f;                              /* ln 2 in two parts, the first exact in few bits */
    r = r - n * -2.12194440e-4f;
    float q = 1.38182985e-3f;                                    /* as in r_exp */
    q = q * r + 8.36853217e-3f;
    q = q * r + 4.16682921e-2f;
    q = q * r + 1.66665226e-1f;
    q = q * r + 4.9999994e-1f;
    q = q * r + 1;
    power.bits = sum.bits << 23;
    return x < -87.0f ? 0 : (1 + q * r) * power.real;            /* the product is exact; q 2^n alone could be below the normal numbers */
}
#endif

/* 2^x for x <= 0, as exactly; 1 at 0; 0 where the result would be below the normal numbers. NaN stays NaN. */
#if REAL_IS_F64
FNN_INLINE double FN(exp2_of_negative)(double x) { return exp2(x); }
#else
FNN_INLINE float FN(exp2_of_negative)(float x)
{
    const float shift = 12582912.0f + 127.0f;                    /* as above; the low bits now hold n + 127, the exponent of 2^n */
    union { float real; uint32_t bits; } sum = { x + shift }, power;
    const float r = x - (sum.real - shift);
    float q = 1.53533620e-4f;                                    /* 2^r = 1 + r q, |r| <= 1/2 */
    q = q * r + 1.33988750e-3f;
    q = q * r + 9.61843692e-3f;
    q = q * r + 5.55033237e-2f;
    q = q * r + 2.40226477e-1f;
    q = q * r + 6.93147182e-1f;
    power.bits = sum.bits << 23;
    return x < -126.0f ? 0 : (1 + q * r) * power.real;
}
#endif

#undef ROW_PART
#define ROW_PART (4 * (VBYTES ? VBYTES / (fnn_size)sizeof(REAL) : 1))        /* elements in four vectors */

/* The largest of x[0..n), -infinity for n = 0. NaN is passed over here and shows in the sum of the exponentials. */
FNN_INLINE REAL FN(row_max)(const REAL *x, fnn_size n)
{
    const fnn_size quarter = n >= ROW_PART ? n / 4 : 0;
    const REAL *restrict second = x + quarter, *restrict third = second + quarter, *restrict fourth = third + quarter;
    REAL a = -(REAL)INFINITY, b = a, c = a, d = a;               /* four at a time: one maximum would wait for the one before */
#pragma omp simd reduction(max : a, b, c, d)
    for (fnn_size i = 0; i < quarter; i++) {
        a = x[i] > a ? x[i] : a;
        b = second[i] > b ? second[i] : b;
        c = third[i] > c ? third[i] : c;
        d = fourth[i] > d ? fourth[i] : d;
    }
    REAL top = r_max(r_max(a, b), r_max(c, d));
#pragma omp simd reduction(max : top)
    for (fnn_size i = 4 * quarter; i < n; i++)
        top = x[i] > top ? x[i] : top;
    return top;
}

/* Ask for the row after x[0..n): it arrives from memory while the exponentials of this one are computed. */
FNN_INLINE void FN(row_ask_next)(const REAL *x, fnn_size n)
{
#if defined(__GNUC__)
    if (n * (fnn_size)sizeof(REAL) <= 16384)                     /* a longer one would push this one out of the L1 cache */
        for (fnn_size i = 0; i < n; i += 64 / (fnn_size)sizeof(REAL))
            __builtin_prefetch(x + n + i, 0, 3);
#else
    (void)x, (void)n;
#endif
}

/* e[i] = exp(scale (x[i] - top)); returns the sum. e may be x. (Subtract first: scale x - top would be rounded once, but top twice, and
 * the largest element would no longer give 1.) */
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

/* One term of the sum below: e^(x - top) in powers of 2, to the accuracy of a sum rather than of each exponential: within 3e-7 down to e^-20,
 * rounded both ways, and exactly 1 at the top. */
FNN_INLINE REAL FN(exp_of_sum)(REAL x, REAL top)
{
#if REAL_IS_F64
    return exp(x - top);
#else
    const float shift = 12582912.0f + 127.0f;                    /* as in exp_of_negative; the low bits hold n + 127, the exponent of 2^n */
    float d = x - top;
    d = d < -87.0f ? -87.0f : d;                                 /* which adds nothing to a sum that is at least 1 */
    union { float real; uint32_t bits; } t = { d * 1.44269504f + shift }, power;
    const float r = d * 1.44269504f - (t.real - shift);
    float q = 1.32695376e-3f;                                    /* 2^r = 1 + r q, |r| <= 1/2 */
    q = q * r + 9.67129227e-3f;
    q = q * r + 5.55071086e-2f;
    q = q * r + 2.40222469e-1f;
    q = q * r + 6.93147004e-1f;
    q = q * r + 1;
    power.bits = t.bits << 23;
    return q * power.real;
#endif
}

/* The sum of e^(x[i] - top). */
FNN_INLINE REAL FN(row_sum_exp)(const REAL *x, REAL top, fnn_size n)
{
    REAL total = 0, part[ROW_PART] = { 0 };
    fnn_size i = 0;
    for (; i + ROW_PART <= n; i += ROW_PART)
#pragma omp simd
        for (fnn_size j = 0; j < ROW_PART; j++)
            part[j] += FN(exp_of_sum)(x[i + j], top);
    if (i > 0)                                                   /* halves on halves: from left to right the row would end in a long wait */
        total = v_sum((v_load(part) + v_load(part + VL)) + (v_load(part + 2 * VL) + v_load(part + 3 * VL)));
#pragma omp simd reduction(+ : total)
    for (fnn_size j = i; j < n; j++)
        total += FN(exp_of_sum)(x[j], top);
    return total;
}
