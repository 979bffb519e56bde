/* simd.h -- one vector vocabulary for every instruction set and both types. No guard: included per
 * level and type by types.h.
 *
 *     vec               VL elements side by side in one register, its lanes (one plain element
 *                       where the compiler has no vector types)
 *     a + b, a * b + c  work on vec as they are; a * b + c becomes one fused multiply-add
 *     v_load(p)         VL elements from any address;  v_store(p, v) the reverse
 *     v_set(s)          all elements s
 *     v_max, v_min      by element;  v_abs(a) the absolute values
 *     v_sum, v_hmax     across the register, halves on halves
 *     v_power_of_2(t)   float only: 2^n, where the low bits of t hold n + 127
 *     ivec              VL integers as wide as REAL: of a comparison of two vec, all bits set where
 *                       it holds, or none
 *     v_choose(m, a, b) a where m, else b
 *     v_evens(a, b)     elements 0, 2, ... of a and then of b;  v_odds(a, b)  1, 3, ...
 *     v_pairs_low(a, b), v_pairs_high(a, b)     the reverse: a[0], b[0], a[1], b[1], ...
 *     v_after(a, b)     the last element of a, then b without its last
 *     FNN_PREFETCH      a hint to the cache
 *
 * and scalar functions without branches, which the compiler vectorises when they stand in a plain
 * loop:
 *
 *     r_exp, r_expm1, r_log, r_log2, r_log10, r_log1p, r_erf, r_sigmoid, r_tanh, r_pow, r_sqrt,
 *     r_abs, r_max, r_min
 *     r_gelu(x), r_gelu_slope(x)   x times the normal distribution function, and its derivative
 *     r_softplus(x)    ln(1 + e^x)
 *
 * Most kernels need no vec: a plain loop over restrict pointers is vectorised at each level as it
 * stands. `vec` is for the few places where registers are the point (the GEMM tile). Sums over an
 * array in a plain loop need `#pragma omp simd reduction(+:s)`.
 */
#ifndef FNN_SIMD_NAMES
#define FNN_SIMD_NAMES
#define vec FN(vec)
#define v_load FN(v_load)
#define v_store FN(v_store)
#define v_set FN(v_set)
#define v_max FN(v_max)
#define v_min FN(v_min)
#define v_abs FN(v_abs)
#define v_sum FN(v_sum)
#define v_hmax FN(v_hmax)
#define v_power_of_2 FN(v_power_of_2)
#define ivec FN(ivec)
#define v_choose FN(v_choose)
#define v_evens FN(v_evens)
#define v_odds FN(v_odds)
#define v_pairs_low FN(v_pairs_low)
#define v_pairs_high FN(v_pairs_high)
#define v_after FN(v_after)
#define r_exp FN(r_exp)
#define r_expm1 FN(r_expm1)
#define r_log FN(r_log)
#define r_log2 FN(r_log2)
#define r_log10 FN(r_log10)
#define r_pow FN(r_pow)
#define r_log1p FN(r_log1p)
#define r_erf FN(r_erf)
#define r_gelu FN(r_gelu)
#define r_gelu_slope FN(r_gelu_slope)
#define r_softplus FN(r_softplus)
#define r_sigmoid FN(r_sigmoid)
#define r_tanh FN(r_tanh)
#define r_sqrt FN(r_sqrt)
#define r_abs FN(r_abs)
#define r_max FN(r_max)
#define r_min FN(r_min)
#define VL ((fnn_size)(VBYTES ? VBYTES / sizeof(REAL) : 1))
/* How many vectors of sums a tile may have: of 32 registers 28 where a multiply-add reads a number
 * and spreads it by itself, 16 to 20 on arm64, where it takes registers of its own and GCC puts
 * sums into memory from 20 on; of 16 registers 12. Counted, in what compilers make. */
#if defined(__aarch64__)
#  define VSUMS 16
#else
#  define VSUMS (VBYTES == 64 ? 28 : 12)
#endif
/* The most rows in a tile of 2 vectors. Bound: their sums are VSUMS; with 32 registers 6 rows of
 * double in the place of 14, to build quickly. */
#define TILE_ROWS (VSUMS == 28 && REAL_IS_F64 ? 6 : VSUMS / 2)
/* A hint that p[i] is wanted soon; `write` and `locality` as for GCC's __builtin_prefetch. p[i] may
 * lie outside the array, even where no memory is: so its address is a number, no pointer. */
#if defined(__GNUC__)
#  define FNN_PREFETCH(p, i, write, locality) \
    __builtin_prefetch((const void *)((uintptr_t)(p) + (uintptr_t)(i) * sizeof *(p)), write, locality)
#else
#  define FNN_PREFETCH(p, i, write, locality) ((void)0)
#endif
#if defined(_MSC_VER)
#  define FNN_INLINE static __forceinline
#elif defined(__GNUC__)
#  define FNN_INLINE static inline __attribute__((always_inline, unused))
#else
#  define FNN_INLINE static inline
#endif
#endif

#if VBYTES
typedef REAL vec __attribute__((vector_size(VBYTES)));
/* at any address */
typedef REAL FN(vec_at) __attribute__((vector_size(VBYTES), aligned(sizeof(REAL)), may_alias));
FNN_INLINE vec v_load(const REAL *p) { return *(const FN(vec_at) *)p; }
FNN_INLINE void v_store(REAL *p, vec v) { *(FN(vec_at) *)p = v; }
/* Not s - (vec){0}: on i386 C11 widens s to a long double first, and no vec holds that. */
FNN_INLINE vec v_set(REAL s)
{
#if VBYTES / (REAL_IS_F64 ? 8 : 4) == 2
    return (vec){ s, s };
#elif VBYTES / (REAL_IS_F64 ? 8 : 4) == 4
    return (vec){ s, s, s, s };
#elif VBYTES / (REAL_IS_F64 ? 8 : 4) == 8
    return (vec){ s, s, s, s, s, s, s, s };
#else
    return (vec){ s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s };
#endif
}
typedef __typeof__((vec){0} > (vec){0}) ivec;
/* The compilers know this loop as one selection, and keep the arrays in registers; by bits it would
 * be two instructions or three. */
FNN_INLINE vec v_choose(ivec mask, vec a, vec b)
{
    REAL x[VBYTES / sizeof(REAL)], y[VBYTES / sizeof(REAL)];
    __typeof__(mask[0]) m[VBYTES / sizeof(REAL)];
    memcpy(x, &a, sizeof a);
    memcpy(y, &b, sizeof b);
    memcpy(m, &mask, sizeof mask);
    #pragma omp simd
    for (fnn_size i = 0; i < VL; i++)
        x[i] = m[i] ? x[i] : y[i];
    memcpy(&a, x, sizeof a);
    return a;
}
/* GCC makes a comparison and a selection of the plain form; the instruction does the same, to the
 * NaN: b unless a > b. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__)
#  if VBYTES == 64 && REAL_IS_F64
FNN_INLINE vec v_max(vec a, vec b) { return (vec)_mm512_max_pd((__m512d)a, (__m512d)b); }
FNN_INLINE vec v_min(vec a, vec b) { return (vec)_mm512_min_pd((__m512d)a, (__m512d)b); }
#  elif VBYTES == 64
FNN_INLINE vec v_max(vec a, vec b) { return (vec)_mm512_max_ps((__m512)a, (__m512)b); }
FNN_INLINE vec v_min(vec a, vec b) { return (vec)_mm512_min_ps((__m512)a, (__m512)b); }
#  elif VBYTES == 32 && REAL_IS_F64
FNN_INLINE vec v_max(vec a, vec b) { return (vec)_mm256_max_pd((__m256d)a, (__m256d)b); }
FNN_INLINE vec v_min(vec a, vec b) { return (vec)_mm256_min_pd((__m256d)a, (__m256d)b); }
#  elif VBYTES == 32
FNN_INLINE vec v_max(vec a, vec b) { return (vec)_mm256_max_ps((__m256)a, (__m256)b); }
FNN_INLINE vec v_min(vec a, vec b) { return (vec)_mm256_min_ps((__m256)a, (__m256)b); }
#  elif REAL_IS_F64
FNN_INLINE vec v_max(vec a, vec b) { return (vec)_mm_max_pd((__m128d)a, (__m128d)b); }
FNN_INLINE vec v_min(vec a, vec b) { return (vec)_mm_min_pd((__m128d)a, (__m128d)b); }
#  else
FNN_INLINE vec v_max(vec a, vec b) { return (vec)_mm_max_ps((__m128)a, (__m128)b); }
FNN_INLINE vec v_min(vec a, vec b) { return (vec)_mm_min_ps((__m128)a, (__m128)b); }
#  endif
#else
FNN_INLINE vec v_max(vec a, vec b) { return v_choose(a > b, a, b); }
FNN_INLINE vec v_min(vec a, vec b) { return v_choose(a < b, a, b); }
#endif
FNN_INLINE vec v_abs(vec a) { return (vec)((ivec)a & ~(ivec)v_set((REAL)-0.0)); }
#if !REAL_IS_F64
/* 2^n, where the low bits of t hold n + 127, the exponent of a float */
FNN_INLINE vec v_power_of_2(vec t)
{
    typedef uint32_t bits __attribute__((vector_size(VBYTES)));
    return (vec)((bits)t << 23);
}
#endif
/* V_SHUFFLES: whether there are the functions that move elements within vectors. GCC before 12 has
 * not what they need. */
#undef V_SHUFFLES
#define V_SHUFFLES 0
#if defined(__has_builtin)
#  if __has_builtin(__builtin_shufflevector)
#    undef V_SHUFFLES
#    define V_SHUFFLES 1
#  endif
#endif
#if V_SHUFFLES
#  define V_ELEMENTS (VBYTES / (REAL_IS_F64 ? 8 : 4))
#  if V_ELEMENTS == 2
#    define V_SHUFFLE_EVENS(a, b) __builtin_shufflevector(a, b, 0, 2)
#    define V_SHUFFLE_ODDS(a, b) __builtin_shufflevector(a, b, 1, 3)
#    define V_SHUFFLE_LOW(a, b) __builtin_shufflevector(a, b, 0, 2)
#    define V_SHUFFLE_HIGH(a, b) __builtin_shufflevector(a, b, 1, 3)
#    define V_SHUFFLE_AFTER(a, b) __builtin_shufflevector(a, b, 1, 2)
#  elif V_ELEMENTS == 4
#    define V_SHUFFLE_EVENS(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6)
#    define V_SHUFFLE_ODDS(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7)
#    define V_SHUFFLE_LOW(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#    define V_SHUFFLE_HIGH(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#    define V_SHUFFLE_AFTER(a, b) __builtin_shufflevector(a, b, 3, 4, 5, 6)
#  elif V_ELEMENTS == 8
#    define V_SHUFFLE_EVENS(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14)
#    define V_SHUFFLE_ODDS(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15)
#    define V_SHUFFLE_LOW(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#    define V_SHUFFLE_HIGH(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#    define V_SHUFFLE_AFTER(a, b) __builtin_shufflevector(a, b, 7, 8, 9, 10, 11, 12, 13, 14)
#  else
#    define V_SHUFFLE_EVENS(a, b) \
        __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30)
#    define V_SHUFFLE_ODDS(a, b) \
        __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31)
#    define V_SHUFFLE_LOW(a, b) \
        __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#    define V_SHUFFLE_HIGH(a, b) \
        __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#    define V_SHUFFLE_AFTER(a, b) \
        __builtin_shufflevector(a, b, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30)
#  endif
FNN_INLINE vec v_evens(vec a, vec b) { return V_SHUFFLE_EVENS(a, b); }
FNN_INLINE vec v_odds(vec a, vec b) { return V_SHUFFLE_ODDS(a, b); }
FNN_INLINE vec v_pairs_low(vec a, vec b) { return V_SHUFFLE_LOW(a, b); }
FNN_INLINE vec v_pairs_high(vec a, vec b) { return V_SHUFFLE_HIGH(a, b); }
FNN_INLINE vec v_after(vec a, vec b) { return V_SHUFFLE_AFTER(a, b); }
#  undef V_ELEMENTS
#  undef V_SHUFFLE_EVENS
#  undef V_SHUFFLE_ODDS
#  undef V_SHUFFLE_LOW
#  undef V_SHUFFLE_HIGH
#  undef V_SHUFFLE_AFTER
#endif
/* Halves on halves: a sum from left to right would wait for each addition. */
typedef REAL FN(sixteen_bytes) __attribute__((vector_size(16)));
FNN_INLINE REAL FN(sum_of_sixteen_bytes)(FN(sixteen_bytes) v)
{
#if REAL_IS_F64
    return v[0] + v[1];
#else
    return (v[0] + v[2]) + (v[1] + v[3]);
#endif
}
FNN_INLINE REAL v_sum(vec v)
{
    FN(sixteen_bytes) part[VBYTES / 16];
    memcpy(part, &v, sizeof v);
#if VBYTES == 64
    part[0] += part[2];
    part[1] += part[3];
#endif
#if VBYTES >= 32
    part[0] += part[1];
#endif
    return FN(sum_of_sixteen_bytes)(part[0]);
}
FNN_INLINE REAL v_hmax(vec v)
{
    REAL s[VBYTES / sizeof(REAL)];
    v_store(s, v);
    for (int half = VBYTES / (int)sizeof(REAL) / 2; half >= 4; half /= 2)
        for (int i = 0; i < half; i++)
            s[i] = s[i] > s[i + half] ? s[i] : s[i + half];
#if VBYTES > 16 || !REAL_IS_F64                                   /* four elements or more */
    s[0] = s[0] > s[2] ? s[0] : s[2];
    s[1] = s[1] > s[3] ? s[1] : s[3];
#endif
    return s[0] > s[1] ? s[0] : s[1];
}
#else
#undef V_SHUFFLES
#define V_SHUFFLES 0
typedef REAL vec;
FNN_INLINE vec v_load(const REAL *p) { return *p; }
FNN_INLINE void v_store(REAL *p, vec v) { *p = v; }
FNN_INLINE vec v_set(REAL s) { return s; }
FNN_INLINE vec v_max(vec a, vec b) { return a > b ? a : b; }
FNN_INLINE vec v_min(vec a, vec b) { return a < b ? a : b; }
FNN_INLINE vec v_abs(vec a) { return a < 0 ? -a : a; }
#if !REAL_IS_F64
FNN_INLINE vec v_power_of_2(vec t)
{
    union { float real; uint32_t bits; } u = { t };
    u.bits <<= 23;
    return u.real;
}
#endif
FNN_INLINE REAL v_sum(vec v) { return v; }
FNN_INLINE REAL v_hmax(vec v) { return v; }
#endif

FNN_INLINE REAL r_max(REAL a, REAL b) { return a > b ? a : b; }
FNN_INLINE REAL r_min(REAL a, REAL b) { return a < b ? a : b; }
FNN_INLINE REAL r_abs(REAL x) { return REAL_IS_F64 ? (REAL)fabs(x) : (REAL)fabsf((float)x); }
FNN_INLINE REAL r_sqrt(REAL x) { return REAL_IS_F64 ? (REAL)sqrt(x) : (REAL)sqrtf((float)x); }

/* ---- elementary functions -----------------------------------------------------------------------
 * Scalar functions without branches: selections by `?:` become masks, so a plain loop over them is
 * vectorised. NaN stays NaN, infinities give the limit, and inside kernels numbers too small for a
 * normal float count as zero. Errors are in units in the last place of the correctly rounded
 * result, over all floats (tests/ops/test_activation.py asserts them); tools/fit_elementary.py fits
 * the polynomials.
 */
#if REAL_IS_F64
/* float64 is there to check gradients with a sharp edge, not to be fast: the C library's functions
 * serve. */
FNN_INLINE REAL r_exp(REAL x) { return exp(x); }
FNN_INLINE REAL FN(exp_of_negative)(REAL x) { return exp(x); }
FNN_INLINE REAL FN(exp_to_89)(REAL x) { return exp(x); }
FNN_INLINE REAL r_expm1(REAL x) { return expm1(x); }
FNN_INLINE REAL r_log(REAL x) { return log(x); }
FNN_INLINE REAL r_log2(REAL x) { return log2(x); }
FNN_INLINE REAL r_log10(REAL x) { return log10(x); }
FNN_INLINE REAL r_log1p(REAL x) { return log1p(x); }
FNN_INLINE REAL r_erf(REAL x) { return erf(x); }
/* erfc is 0 from 28 on, e^-800 too; the bounds are where the products with x are 0 as well */
FNN_INLINE REAL r_gelu(REAL x)
{
    x = x < -40 ? -40 : x;
    return x * (0.5 * erfc(-0.70710678118654752440 * x));
}
FNN_INLINE REAL r_gelu_slope(REAL x)
{
    x = x < -40 ? -40 : x > 40 ? 40 : x;
    return 0.5 * erfc(-0.70710678118654752440 * x) + x * (0.39894228040143267794 * exp(-0.5 * x * x));
}
FNN_INLINE REAL FN(softplus_of_negative)(REAL x) { return log1p(exp(x)); }
FNN_INLINE REAL FN(minus_size)(REAL x) { return x < 0 ? x : -x; }                       /* -|x| */
FNN_INLINE REAL r_softplus(REAL x) { return r_max(x, 0) + log1p(exp(FN(minus_size)(x))); }
FNN_INLINE REAL r_sigmoid(REAL x)               /* 1 / (1 + e^-x), of which e^-x could overflow */
{
    const REAL e = exp(FN(minus_size)(x));
    return (x < 0 ? e : 1) / (1 + e);
}
FNN_INLINE REAL FN(sigmoid_ieee)(REAL x) { return r_sigmoid(x); }
FNN_INLINE REAL r_tanh(REAL x) { return tanh(x); }
FNN_INLINE REAL r_pow(REAL x, REAL p) { return pow(x, p); }
#else
typedef union { float real; uint32_t bits; } FN(float_bits);

/* e^x = 2^n e^r with x = n ln 2 + r, |r| <= ln 2 / 2. Returns e^r - 1, and n where a float has its
 * exponent: adding it to the bits of a float is to multiply by 2^n. */
FNN_INLINE float FN(exp_parts)(float x, uint32_t *n_bits)
{
    /* 1.5 * 2^23: adding it rounds to an integer in the lowest bits */
    const float shift = 12582912.0f;
    const FN(float_bits) t = { x * 1.44269504f + shift };
    const float n = t.real - shift;
    float r = x - n * 0.693359375f;             /* ln 2 in two parts, the first exact in few bits */
    r = r + n * 2.12194440e-4f;
    float q = 0.00138182985f;                                    /* (e^r - 1 - r) / r^2 */
    q = q * r + 0.00836853217f;
    q = q * r + 0.0416682921f;
    q = q * r + 0.166665226f;
    q = q * r + 0.49999994f;
    *n_bits = t.bits << 23;
    return q * (r * r) + r;
}
FNN_INLINE float r_exp(float x)                                  /* 1.02 ulp */
{
    uint32_t n;
    FN(float_bits) y = { 1.0f + FN(exp_parts)(x, &n) };
    y.bits += n;
    y.real = x < -87.33654f ? 0.0f : y.real;                     /* no normal float is as small */
    return x <= 88.72283f ? y.real : x * INFINITY;               /* too large, or NaN */
}
/* e^x, for results from the least normal number to 2^128, from where on they are infinity: half the
 * work of r_exp. With 127 added to the shift, the low bits of t are the exponent of 2^n, and
 * (1 + q r) 2^n is exact; q 2^n alone could be below the normal numbers. With `up` the powers are
 * 2^(n + up) and the polynomial has the factor down = 2^-up, so that results reach further below 1,
 * to the denormals. */
FNN_INLINE float FN(exp_times)(float x, float up, float down)
{
    const float shift = 12582912.0f + 127.0f + up;
    const FN(float_bits) t = { x * 1.44269504f + shift }, two = { .bits = t.bits << 23 };
    const float n = t.real - shift;
    float r = x - n * 0.693359375f;             /* ln 2 in two parts, the first exact in few bits */
    r = r + n * 2.12194440e-4f;
    float q = 0.00138182985f * down;                             /* as in exp_parts */
    q = q * r + 0.00836853217f * down;
    q = q * r + 0.0416682921f * down;
    q = q * r + 0.166665226f * down;
    q = q * r + 0.49999994f * down;
    q = q * r + down;
    return (q * r + down) * two.real;
}
/* -87.3 <= x <= 89 */
FNN_INLINE float FN(exp_to_89)(float x) { return FN(exp_times)(x, 0, 1); }
/* x <= 0: 1.02 ulp, without FMA 1.2. The last product makes denormals of what is below the normal
 * numbers, or 0 where they are flushed. At -104.5 it rounds to 0 in any case. */
FNN_INLINE float FN(exp_of_negative)(float x)
{
    return FN(exp_times)(x < -104.5f ? -104.5f : x, 64, 0x1p-64f);
}
FNN_INLINE float r_expm1(float x)                                /* 1.6 ulp */
{
    x = x < -30.0f ? -30.0f : x;
    uint32_t n;
    const float q = FN(exp_parts)(x, &n);
    const FN(float_bits) two = { .bits = n + 0x3f800000u };      /* 2^n */
    /* e^x, which is e^x - 1 to the last digit from 30 on */
    FN(float_bits) large = { 1.0f + q };
    large.bits += n;
    /* the bracket is exact while it matters */
    const float y = x < 30.0f ? q * two.real + (two.real - 1.0f) : large.real;
    return x <= 88.72283f ? y : x * INFINITY;
}
/* x = 2^n (1 + f) with sqrt(1/2) <= 1 + f < sqrt(2), for normal x. Returns ln(1 + f) - f, and n and
 * f. */
FNN_INLINE float FN(log_rest)(float x, int32_t *n, float *f_out)
{
    FN(float_bits) m = { x };
    *n = (int32_t)(m.bits - 0x3f3504f3u) >> 23;                  /* 0x3f3504f3 is sqrt(1/2) */
    m.bits -= (uint32_t)*n << 23;
    const float f = m.real - 1.0f;
    float q = 0.0674926788f;                                /* (ln(1 + f) - f + f^2 / 2) / f^3 */
    q = q * f - 0.116700977f;
    q = q * f + 0.118835486f;
    q = q * f - 0.124062337f;
    q = q * f + 0.142203584f;
    q = q * f - 0.166679889f;
    q = q * f + 0.200020716f;
    q = q * f - 0.250000089f;
    q = q * f + 0.333333135f;
    *f_out = f;
    return (q * f - 0.5f) * (f * f);
}
/* ln x = n ln 2 + ln(1 + f), for normal x, and n and f. */
FNN_INLINE float FN(log_parts)(float x, int32_t *n, float *f)
{
    const float y = FN(log_rest)(x, n, f) - (float)*n * 2.12194440e-4f;
    return (*f + y) + (float)*n * 0.693359375f;
}
/* y, but the limits where x is 0, negative, infinite or NaN: numbers that are 0 elsewhere are
 * added, which costs less than to select. y must be finite, or NaN with x < 0. */
FNN_INLINE float FN(log_ends)(float x, float y)
{
    /* infinity and NaN */
    const float largest = 3.40282347e+38f, above = (largest > x ? largest : x) - largest;
    /* -infinity or NaN */
    const FN(float_bits) below = { .bits = (x < 1.17549435e-38f ? 0xff800000u : 0) | (x < 0 ? 0x00400000u : 0) };
    return y + (above + below.real);
}
FNN_INLINE float r_log(float x)                                  /* 0.9 ulp */
{
    int32_t n;
    float f;
    return FN(log_ends)(x, FN(log_parts)(x, &n, &f));
}
/* log2 x = n + log2(1 + f), and log2 e is 1 + 0.4427, so that f itself is added last. Where x is a
 * power of 2, f is 0 and the result is exact. */
FNN_INLINE float r_log2(float x)                                 /* 1.3 ulp, without FMA 1.4 */
{
    int32_t n;
    float f;
    const float y = FN(log_rest)(x, &n, &f);
    return FN(log_ends)(x, (f + (f * 0.442695041f + y * 1.44269504f)) + (float)n);
}
/* log10 x = n log10 2 + log10(1 + f), both constants in two parts, the first exact in few bits.
 * Each power of 10 that is a float gives the whole number. */
FNN_INLINE float r_log10(float x)                                /* 1 ulp, without FMA 2.1 */
{
    int32_t n;
    float f;
    const float y = FN(log_rest)(x, &n, &f);
    const float low = (y * 0.434294482f + f * 7.00731903e-4f) + (float)n * 4.60503907e-06f;
    return FN(log_ends)(x, (f * 0.43359375f + low) + (float)n * 0.301025391f);
}
FNN_INLINE float r_log1p(float x)                                /* 1.5 ulp */
{
    int32_t n;
    float f;
    const float u = 1.0f + x, y = FN(log_parts)(u, &n, &f);
    const FN(float_bits) scale = { .bits = (uint32_t)(127 - n) << 23 };
    /* what rounding 1 + x lost, times 1 / u, roughly */
    const float lost = (x - (u - 1.0f)) * (1.0f - f + f * f) * scale.real;
    return FN(log_ends)(u, u < 0x1p30f ? y + lost : y);
}
/* erf u = 1 - e^{-p} for u >= 0, with p = -ln(1 - erf u) = u q(u): smooth, and small where erf is
 * small. erf 3.92 rounds to 1. */
FNN_INLINE float r_erf(float x)                                  /* 2.5 ulp */
{
    float u = x < 0 ? -x : x;
    u = u > 3.92f ? 3.92f : u;
    float p = -9.31487375e-06f;
    p = p * u + 0.000118218537f;
    p = p * u - 0.000635103963f;
    p = p * u + 0.00167159818f;
    p = p * u - 0.00016546734f;
    p = p * u - 0.0191499852f;
    p = p * u + 0.102776878f;
    p = p * u + 0.636619508f;
    p = p * u - 5.86353828e-8f;                                  /* 2 / sqrt(pi) in two parts */
    p = u * 1.12837923f + u * p;
    uint32_t n;
    const float q = FN(exp_parts)(-p, &n);
    const FN(float_bits) two = { .bits = n + 0x3f800000u };      /* 2^n */
    const float minus_y = q * two.real + (two.real - 1.0f);
    return x < 0 ? minus_y : 0.0f - minus_y;                     /* erf 0 is 0, not -0 */
}
/* 2^p for -127 <= p <= 0, within 2e-7 of it; 0 at -127 */
FNN_INLINE float FN(power_of_2)(float p)
{
    const float shift = 12582912.0f + 127.0f;
    /* 2^n, n = p rounded: the low bits of t hold n + 127 */
    const FN(float_bits) t = { p + shift }, two = { .bits = t.bits << 23 };
    const float r = p - (t.real - shift);           /* p = n + r, |r| <= 1/2, and 2^r = 1 + r q */
    float q = 1.32695376e-3f;
    q = q * r + 9.67129227e-3f;
    q = q * r + 5.55071086e-2f;
    q = q * r + 2.40222469e-1f;
    q = q * r + 6.93147004e-1f;
    q = q * r + 1.0f;
    return q * two.real;
}
/* The normal distribution at -u is 2^-p for u >= 0, p = -log2 of it. The polynomial is good to 5.6,
 * and then it only has to be large; at 9.954, where u ends, it is 127, and 2^-127 counts as 0. Even
 * and odd powers apart, half the steps wait for the one before. Returns the distribution at -u, u =
 * |x|. NaN is not kept: u is bounded as a whole number, in one instruction, where of a float's
 * bound compilers make a selection of two results. */
FNN_INLINE float FN(normal_tail)(float x, float *u_out)
{
    FN(float_bits) magnitude = { x };
    magnitude.bits &= 0x7fffffffu;
    magnitude.bits = magnitude.bits < 0x411f4396u ? magnitude.bits : 0x411f4396u;       /* 9.954f */
    const float u = magnitude.real, z = u * u;
    float even = -2.84225462e-06f, odd = 3.94642739e-05f;        /* of -p */
    even = even * z - 0.000186588979f;
    odd = odd * z - 0.000135945986f;
    even = even * z + 0.00706210779f;
    odd = odd * z - 0.0524952449f;
    even = even * z - 0.459208518f;
    odd = odd * z - 1.15110517f;
    even = even * z - 1.0f;
    *u_out = u;
    return FN(power_of_2)(odd * u + even);
}
/* x times the normal distribution at x: x - u tail for x >= 0, -u tail for x < 0. Within 1e-7 |x|,
 * absolutely; NaN stays by the order of the comparison. */
FNN_INLINE float r_gelu(float x)
{
    float u;
    const float tail = FN(normal_tail)(x, &u);
    return (0.0f > x ? 0.0f : x) - u * tail;
}
/* Its derivative, the distribution plus x times the density e^(-x^2 / 2) / sqrt(2 pi): at -u it is
 * s = tail - u density, at u the rest to 1. */
FNN_INLINE float r_gelu_slope(float x)                           /* within 4e-7, absolutely */
{
    /* At the end of u, n is -71. There 2^n is to be 0, so that the slope ends at 0 and 1: the
     * exponent is 56 less than it should be, and the polynomial has the factor 2^56. */
    float u;
    const float tail = FN(normal_tail)(x, &u), shift = 12582912.0f + 71.0f, z = u * u;
    /* e^(-z / 2) = 2^(n + r), as in power_of_2 */
    const FN(float_bits) t = { z * -0.721347520f + shift }, two = { .bits = t.bits << 23 };
    const float r = z * -0.721347520f - (t.real - shift);
    float q = 5.29377959e-4f * 0x1p56f;                          /* 2^r / sqrt(2 pi) */
    q = q * r + 3.85828740e-3f * 0x1p56f;
    q = q * r + 2.21441325e-2f * 0x1p56f;
    q = q * r + 9.58348996e-2f * 0x1p56f;
    q = q * r + 2.76525646e-1f * 0x1p56f;
    q = q * r + 3.98942280e-1f * 0x1p56f;
    const float s = tail - u * two.real * q;
    const FN(float_bits) from = { x };
    const float y = (int32_t)from.bits < 0 ? s : 1.0f - s; /* one instruction chooses by the sign */
    return x != x ? x : y;
}
/* ln(1 + e^x) for x <= 0: with e = e^x it is e + e^2 q(e), 0 <= e <= 1 */
FNN_INLINE float FN(softplus_of_negative)(float x)
{
    const float e = FN(exp_of_negative)(x);
    float q = -0.00329107419f;
    q = q * e + 0.0200884603f;
    q = q * e - 0.0574604832f;
    q = q * e + 0.106613711f;
    q = q * e - 0.153449774f;
    q = q * e + 0.196921214f;
    q = q * e - 0.249580204f;
    q = q * e + 0.333304644f;
    q = q * e - 0.499999315f;
    return q * e * e + e;
}
FNN_INLINE float FN(minus_size)(float x)                         /* -|x| */
{
    FN(float_bits) minus = { x };
    minus.bits |= 0x80000000u;
    return minus.real;
}
FNN_INLINE float r_softplus(float x)                    /* max(x, 0) + ln(1 + e^-|x|): 2.3 ulp */
{
    return r_max(x, 0) + FN(softplus_of_negative)(FN(minus_size)(x));
}
/* 1 / (1 + e^-x): 2.2 ulp; 1 / infinity before it leaves the normal numbers */
FNN_INLINE float r_sigmoid(float x)
{
    x = x > 87.0f ? 87.0f : x;
    x = x < -89.0f ? -89.0f : x;
    return 1.0f / (1.0f + FN(exp_to_89)(-x));
}
/* The same below the normal numbers, too, where denormals are kept */
FNN_INLINE float FN(sigmoid_ieee)(float x)
{
    const float e = FN(exp_of_negative)(FN(minus_size)(x));
    return (x < 0 ? e : 1.0f) / (1.0f + e);
}
/* (e^2u - 1) / (e^2u + 1), u = |x|, with the sign of x: 2.7 ulp, near 0 too */
FNN_INLINE float r_tanh(float x)
{
    const FN(float_bits) from = { x }, magnitude = { .bits = from.bits & 0x7fffffffu };
    float u = magnitude.real;
    u = u > 9.02f ? 9.02f : u;                                   /* whose tanh rounds to 1 */
    uint32_t n;
    const float q = FN(exp_parts)(2.0f * u, &n);
    const FN(float_bits) two = { .bits = n + 0x3f800000u };
    const float t = q * two.real + (two.real - 1.0f);
    FN(float_bits) y = { t / (t + 2.0f) };
    y.bits |= from.bits & 0x80000000u;
    return y.real;
}
/* |x|^p = e^(p ln |x|) in double precision, for the rounding of p ln |x| is multiplied by that
 * number itself, up to 88. ln(1 + f) is 2 artanh s with s = f / (2 + f), |s| < 0.172: a series in
 * s^2. */
FNN_INLINE float r_pow(float x, float p)                         /* 0.51 ulp */
{
    const float magnitude = x < 0 ? -x : x;
    FN(float_bits) m = { magnitude };
    const int32_t e = (int32_t)(m.bits - 0x3f3504f3u) >> 23;
    m.bits -= (uint32_t)e << 23;
    const double s = ((double)m.real - 1) / ((double)m.real + 1), z = s * s;
    double q = 1.0 / 15;
    q = q * z + 1.0 / 13;
    q = q * z + 1.0 / 11;
    q = q * z + 1.0 / 9;
    q = q * z + 1.0 / 7;
    q = q * z + 1.0 / 5;
    q = q * z + 1.0 / 3;
    double ln = 2 * s + 2 * s * z * q + e * 0.69314718055994530942;
    ln = magnitude < 1.17549435e-38f ? -1e300 : magnitude < INFINITY ? ln : 1e300; /* 0, infinity */
    double t = p * ln;
    t = t < -200 ? -200 : t > 200 ? 200 : t;                     /* e^200 is infinite as a float */
    const double shift = 6755399441055744.0;                     /* 1.5 * 2^52 */
    union { double real; uint64_t bits; } n = { t * 1.44269504088896340736 + shift };
    const double r = t - (n.real - shift) * 0.69314718055994530942;
    double w = 1.0 / 362880;                                     /* e^r, |r| <= ln 2 / 2 */
    w = w * r + 1.0 / 40320;
    w = w * r + 1.0 / 5040;
    w = w * r + 1.0 / 720;
    w = w * r + 1.0 / 120;
    w = w * r + 1.0 / 24;
    w = w * r + 1.0 / 6;
    w = w * r + 0.5;
    w = w * r + 1;
    w = w * r + 1;
    union { double real; uint64_t bits; } y = { w };
    y.bits += n.bits << 52;
    const float size = (float)y.real;
    /* from 2^23 on every float is whole, from 2^24 on it is even */
    const float whole = p < 8388608.0f && p > -8388608.0f
                        ? (p + (p < 0 ? -8388608.0f : 8388608.0f)) - (p < 0 ? -8388608.0f : 8388608.0f) : p;
    const float half = 0.5f * whole;
    const float half_whole = half < 8388608.0f && half > -8388608.0f
                             ? (half + (half < 0 ? -8388608.0f : 8388608.0f)) - (half < 0 ? -8388608.0f : 8388608.0f)
                             : half;
    const FN(float_bits) sign = { x };
    /* an odd power of a negative number, or of -0 */
    float result = (sign.bits >> 31) && whole == p && half_whole != half ? -size : size;
    result = x < 0 && whole != p && magnitude < INFINITY && magnitude > 0 ? NAN : result;
    result = x != x || p != p ? x + p : result;
    return x == 1 || p == 0 || (magnitude == 1 && (p == INFINITY || p == -INFINITY)) ? 1.0f : result;
}
#endif
