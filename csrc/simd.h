/* simd.h -- one vector vocabulary for every instruction set and both types. No guard: included per level and type by types.h.
 *
 *     vec               VL elements in one register (one plain element where the compiler has no vector types)
 *     a + b, a * b + c  work on vec as they are; a * b + c becomes one fused multiply-add
 *     v_load(p)         VL elements from any address;  v_store(p, v) the reverse
 *     v_set(s)          all elements s
 *     v_max, v_min      by element
 *     v_sum, v_hmax     across the register, in a fixed order
 *
 * and scalar functions without branches, which the compiler vectorises when they stand in a plain loop:
 *
 *     r_exp, r_expm1, r_sigmoid, r_tanh, r_max, r_min
 *
 * Most kernels need no vec: a plain loop over restrict pointers is vectorised at each level as it stands. `vec` is for the few
 * places where registers are the point (the GEMM tile). Sums over an array in a plain loop need `#pragma omp simd reduction(+:s)`.
 */
#ifndef FNN_SIMD_NAMES
#define FNN_SIMD_NAMES
#define vec FN(vec)
#define v_load FN(v_load)
#define v_store FN(v_store)
#define v_set FN(v_set)
#define v_max FN(v_max)
#define v_min FN(v_min)
#define v_sum FN(v_sum)
#define v_hmax FN(v_hmax)
#define r_exp FN(r_exp)
#define r_expm1 FN(r_expm1)
#define r_log FN(r_log)
#define r_log1p FN(r_log1p)
#define r_sigmoid FN(r_sigmoid)
#define r_tanh FN(r_tanh)
#define r_max FN(r_max)
#define r_min FN(r_min)
#define VL ((fnn_size)(VBYTES ? VBYTES / sizeof(REAL) : 1))
#if defined(_MSC_VER)
#  define FNN_INLINE static __forceinline
#elif defined(__GNUC__)
#  define FNN_INLINE static inline __attribute__((always_inline, unused))
#else
#  define FNN_INLINE static inline
#endif
#endif

#if FNN_VECTOR_TYPES
typedef REAL vec __attribute__((vector_size(VBYTES)));
typedef REAL FN(vec_at) __attribute__((vector_size(VBYTES), aligned(sizeof(REAL)), may_alias));   /* at any address */
FNN_INLINE vec v_load(const REAL *p) { return *(const FN(vec_at) *)p; }
FNN_INLINE void v_store(REAL *p, vec v) { *(FN(vec_at) *)p = v; }
FNN_INLINE vec v_set(REAL s) { return s - (vec){0}; }
FNN_INLINE vec v_max(vec a, vec b) { vec y; for (fnn_size i = 0; i < VL; i++) y[i] = a[i] > b[i] ? a[i] : b[i]; return y; }
FNN_INLINE vec v_min(vec a, vec b) { vec y; for (fnn_size i = 0; i < VL; i++) y[i] = a[i] < b[i] ? a[i] : b[i]; return y; }
FNN_INLINE REAL v_sum(vec v) { REAL s = 0; for (fnn_size i = 0; i < VL; i++) s += v[i]; return s; }
FNN_INLINE REAL v_hmax(vec v) { REAL s = v[0]; for (fnn_size i = 1; i < VL; i++) s = v[i] > s ? v[i] : s; return s; }
#else
typedef REAL vec;
FNN_INLINE vec v_load(const REAL *p) { return *p; }
FNN_INLINE void v_store(REAL *p, vec v) { *p = v; }
FNN_INLINE vec v_set(REAL s) { return s; }
FNN_INLINE vec v_max(vec a, vec b) { return a > b ? a : b; }
FNN_INLINE vec v_min(vec a, vec b) { return a < b ? a : b; }
FNN_INLINE REAL v_sum(vec v) { return v; }
FNN_INLINE REAL v_hmax(vec v) { return v; }
#endif

FNN_INLINE REAL r_max(REAL a, REAL b) { return a > b ? a : b; }
FNN_INLINE REAL r_min(REAL a, REAL b) { return a < b ? a : b; }

#if REAL_IS_F64
/* float64 is there to check gradients with a sharp edge, not to be fast: the C library's functions serve. */
FNN_INLINE REAL r_exp(REAL x) { return exp(x); }
FNN_INLINE REAL r_expm1(REAL x) { return expm1(x); }
#else
/* e^x - 1 = 2^n (q + 1) - 1 with x = n ln 2 + r, |r| <= ln 2 / 2, q = e^r - 1 by its series. `halves` of the exponent keep 2^n
 * finite up to the ends of the range; x is clamped where the answer is 0 or infinity anyway. NaN stays NaN. */
FNN_INLINE float FN(r_exp_parts)(float x, float *scale_a, float *scale_b)
{
    x = x > 89.0f ? 89.0f : x;
    x = x < -104.0f ? -104.0f : x;
    const float shift = 12582912.0f;                             /* 1.5 * 2^23: adding it rounds to an integer */
    float n = (x * 1.44269504088896341f + shift) - shift;
    float r = x - n * 0.693359375f;                              /* ln 2 in two parts, the first exact in few bits */
    r = r - n * -2.12194440e-4f;
    float q = 1.9841270e-4f;                                     /* 1/7! ... 1/2! */
    q = q * r + 1.3888889e-3f;
    q = q * r + 8.3333333e-3f;
    q = q * r + 4.1666667e-2f;
    q = q * r + 1.6666667e-1f;
    q = q * r + 0.5f;
    q = q * r * r + r;
    int32_t i = n == n ? (int32_t)n : 0, a = i / 2, b = i - a;
    union { int32_t bits; float real; } two_a = { (a + 127) << 23 }, two_b = { (b + 127) << 23 };
    *scale_a = two_a.real;
    *scale_b = two_b.real;
    return q;
}
FNN_INLINE float r_exp(float x)                                  /* within 1 ulp; exact 0 and infinity outside the range */
{
    float a, b, q = FN(r_exp_parts)(x, &a, &b);
    return (q * a + a) * b;
}
FNN_INLINE float r_expm1(float x)                                /* within 2 ulp */
{
    float a, b, q = FN(r_exp_parts)(x, &a, &b);
    return q * a * b + (a * b - 1.0f);
}
#endif
FNN_INLINE REAL r_log(REAL x) { return REAL_IS_F64 ? (REAL)log(x) : (REAL)logf((float)x); }
FNN_INLINE REAL r_log1p(REAL x) { return REAL_IS_F64 ? (REAL)log1p(x) : (REAL)log1pf((float)x); }
FNN_INLINE REAL r_sigmoid(REAL x) { return 1 / (1 + r_exp(-x)); }
FNN_INLINE REAL r_tanh(REAL x)                                   /* (e^2|x| - 1) / (e^2|x| + 1) with the sign of x; no cancellation near 0 */
{
    REAL u = x < 0 ? -x : x;
    u = u > 20 ? 20 : u;
    REAL t = r_expm1(2 * u);
    t = t / (t + 2);
    return x < 0 ? -t : t;
}
