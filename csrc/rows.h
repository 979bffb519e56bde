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
    REAL top = -(REAL)INFINITY, part[ROW_PART];
    fnn_size i = 0;
    if (n >= ROW_PART) {                                         /* several at a time: one maximum would wait for the one before */
        for (fnn_size j = 0; j < ROW_PART; j++)
            part[j] = top;
        for (; i + ROW_PART <= n; i += ROW_PART)
            for (fnn_size j = 0; j < ROW_PART; j++)
                part[j] = x[i + j] > part[j] ? x[i + j] : part[j];
#pragma omp simd reduction(max : top)
        for (fnn_size j = 0; j < ROW_PART; j++)
            top = part[j] > top ? part[j] : top;
    }
#pragma omp simd reduction(max : top)
    for (fnn_size j = i; j < n; j++)
        top = x[j] > top ? x[j] : top;
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
