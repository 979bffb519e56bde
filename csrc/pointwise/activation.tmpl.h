/* activation.tmpl.h -- functions applied to each element, and their derivatives.
 *
 * Math       y[i] = f(x[i]);   dx[i] = f'(x[i]) * dy[i]
 * Symbols    n elements; x input, y output, dy upstream gradient, dx gradient of x;
 *            s(x) = 1 / (1 + e^-x).
 * Layout     flat arrays of n elements.
 * Method     one pass; each line below is a whole kernel, whose loop is in map.tmpl.h. A derivative
 *            is written with y where that saves the exponential, else with x.
 * Cost       reads and writes each element once: bound by memory for the simple functions, by exp
 *            for the others.
 * Threads    blocks of MAP_GRAIN elements; elements are independent.
 * Reference  fastnn/reference/activation.py
 */
#include "pointwise/map.tmpl.h"

FNN_INLINE REAL FN(with_sign)(REAL x, REAL sign)
{
    return REAL_IS_F64 ? (REAL)copysign(x, sign) : (REAL)copysignf((float)x, (float)sign);
}

MAP1(relu_forward, x, x < 0 ? 0 : x)
MAP2(relu_backward, dy, y, y <= 0 ? 0 : dy)                     /* NaN lets dy pass */

MAP1P(leaky_relu_forward, x, slope, x > 0 ? x : slope * x)
MAP2P(leaky_relu_backward, dy, x, slope, x > 0 ? dy : slope * dy)

MAP1PQ(elu_forward, x, alpha, scale, scale * (x > 0 ? x : alpha * r_expm1(x)))
MAP2PQ(elu_backward, dy, x, alpha, scale, scale * dy * (x > 0 ? 1 : alpha * r_exp(x)))

MAP1(sigmoid_forward, x, r_sigmoid(x))
MAP2(sigmoid_backward, dy, y, dy * y * (1 - y))

MAP1(tanh_forward, x, r_tanh(x))
MAP2(tanh_backward, dy, y, dy * (1 - y * y))

/* ---- smooth relatives of relu: y = x times a step that is smooth ----------------------------- */
#define SQRT_2_PI R(0.79788456080286535588)                     /* sqrt(2 / pi) */

MAP1(gelu_forward, x, r_gelu(x))
MAP2(gelu_backward, dy, x, dy * r_gelu_slope(x))

/* Where a step is 0 or 1 to the last digit, x is kept from going on: zero times infinity is not a
 * number, and the limit of the product is 0. The comparisons let NaN pass. */
FNN_INLINE REAL FN(at_least)(REAL x, REAL low) { return r_max(low, x); }
FNN_INLINE REAL FN(at_most)(REAL x, REAL high) { return r_min(high, x); }

/* x s(v), and s(v) with rest = 1 - s(v). In float v is from -89, where e^-v is infinite and s(v) 0,
 * to 87. */
#if REAL_IS_F64
FNN_INLINE REAL FN(times_step)(REAL x, REAL v) { return x * r_sigmoid(v); }
FNN_INLINE REAL FN(step)(REAL v, REAL *rest)
{
    const REAL e = exp(FN(minus_size)(v)), s = (v < 0 ? e : 1) / (1 + e);
    *rest = v < 0 ? 1 - s : e * s;                  /* from 1 down, 1 - s would keep few digits */
    return s;
}
#else
FNN_INLINE REAL FN(times_step)(REAL x, REAL v) { return x / (1 + FN(exp_to_89)(-v)); }
FNN_INLINE REAL FN(step)(REAL v, REAL *rest)
{
    const REAL s = 1 / (1 + FN(exp_to_89)(-v));
    /* slopes have 8 ulp, and 17 of gelu_tanh; 3 would cost a quarter of the instructions more */
    *rest = 1 - s;
    return s;
}
#endif

/* y = x s(2z), for (1 + tanh z) / 2 = s(2z). 2z is -89 and 87 where x is -10.07 and 10. */
FNN_INLINE REAL FN(two_z)(REAL x) { return 2 * SQRT_2_PI * (x + R(0.044715) * x * x * x); }
FNN_INLINE REAL FN(gelu_tanh_value)(REAL x)
{
    const REAL low = FN(at_least)(x, REAL_IS_F64 ? -22 : R(-10.07));
    return FN(times_step)(low, FN(two_z)(FN(at_most)(low, REAL_IS_F64 ? 22 : 10)));
}
FNN_INLINE REAL FN(gelu_tanh_slope)(REAL x)
{
    const REAL v = FN(at_most)(FN(at_least)(x, REAL_IS_F64 ? -22 : R(-10.07)), REAL_IS_F64 ? 22 : 10);
    REAL rest;
    const REAL s = FN(step)(FN(two_z)(v), &rest);
    return s + v * s * rest * (2 * SQRT_2_PI * (1 + R(3 * 0.044715) * v * v));
}
MAP1(gelu_tanh_forward, x, FN(gelu_tanh_value)(x))
MAP2(gelu_tanh_backward, dy, x, dy * FN(gelu_tanh_slope)(x))

FNN_INLINE REAL FN(silu_value)(REAL x)
{
    const REAL low = FN(at_least)(x, REAL_IS_F64 ? -750 : -89);
    return FN(times_step)(low, FN(at_most)(low, REAL_IS_F64 ? 750 : 87));
}
FNN_INLINE REAL FN(silu_slope)(REAL x)
{
    const REAL v = FN(at_most)(FN(at_least)(x, REAL_IS_F64 ? -750 : -89), REAL_IS_F64 ? 750 : 87);
    REAL rest;
    const REAL s = FN(step)(v, &rest);
    return s * (1 + v * rest);
}
MAP1(silu_forward, x, FN(silu_value)(x))
MAP2(silu_backward, dy, x, dy * FN(silu_slope)(x))

/* With e = e^x and q = e (e + 2), without cancellation:
 *     tanh(ln(1 + e)) = ((1 + e)^2 - 1) / ((1 + e)^2 + 1) = q / (q + 2)
 * From MISH_HIGH on it is 1 to the last digit, and so is the slope; up to MISH_LOW e is 0.
 * Bound: the digits and the range of REAL. */
#define MISH_LOW R(REAL_IS_F64 ? -750 : -88)
#define MISH_HIGH R(REAL_IS_F64 ? 40 : 20)
FNN_INLINE REAL FN(mish_value)(REAL x)
{
    const REAL low = FN(at_least)(x, MISH_LOW), e = FN(exp_to_89)(FN(at_most)(low, MISH_HIGH)), q = e * (e + 2);
    return low * (q / (q + 2));
}
/* w + x s (1 - w^2)  with  w = q / (q + 2)  and  1 - w^2 = 4 (q + 1) / (q + 2)^2 */
FNN_INLINE REAL FN(mish_slope)(REAL x)
{
    const REAL v = FN(at_most)(FN(at_least)(x, MISH_LOW), MISH_HIGH);
    const REAL e = FN(exp_to_89)(v), q = e * (e + 2), r = 1 / (q + 2);
    return q * r + v * (e / (1 + e)) * (4 * (q + 1) * r * r);
}
MAP1(mish_forward, x, FN(mish_value)(x))
MAP2(mish_backward, dy, x, dy * FN(mish_slope)(x))

/* ---- ln(1 + e^x) and its mirror image -------------------------------------------------------- */
MAP1PQ(softplus_forward, x, beta, threshold, beta * x > threshold ? x : r_softplus(beta * x) / beta)
MAP2PQ(softplus_backward, dy, x, beta, threshold, beta * x > threshold ? dy : dy * r_sigmoid(beta * x))
MAP1(logsigmoid_forward, x, -r_softplus(-x))
MAP2(logsigmoid_backward, dy, x, dy * r_sigmoid(-x))

/* ---- without exponentials -------------------------------------------------------------------- */
/* from 1e30 on it is 1 or -1 to the last digit of either type */
FNN_INLINE REAL FN(softsign_value)(REAL x)
{
    const REAL size = r_abs(x);
    return size > R(1e30) ? FN(with_sign)(1, x) : x / (1 + size);
}
MAP1(softsign_forward, x, FN(softsign_value)(x))
MAP2(softsign_backward, dy, x, dy / ((1 + r_abs(x)) * (1 + r_abs(x))))

MAP2PQ(hardtanh_backward, dy, x, low, high, x > low && x < high ? dy : 0)   /* forward is clamp */

/* (min(max(x, -3), 3) + 3) / 6, exactly 0 and 1 beyond. The bounds come as attributes: of constants
 * GCC makes a comparison and a selection for SSE2, where of variables it takes the instruction. */
#define BETWEEN_3(name, x, low, high, expression)                                                                   \
    MAP_BLOCK(name, const REAL x = in_a[i]; const REAL low = attr_p; const REAL high = attr_q;, expression)         \
    void FN(name)(REAL *out, const REAL *in, fnn_size n) MAP_RUN(name, in, NULL, -3, 3)
BETWEEN_3(hardsigmoid_forward, x, low, high, (r_min(high, r_max(low, x)) + 3) * R(1.0 / 6))
MAP2(hardsigmoid_backward, dy, x, x > -3 && x < 3 ? dy * R(1.0 / 6) : 0)
/* with max(x, -3) for x, as -infinity times 0 is NaN; + 0, as -3 times 0 is -0 */
BETWEEN_3(hardswish_forward, x, low, high,
          r_max(low, x) * ((r_min(high, r_max(low, x)) + 3) * R(1.0 / 6)) + 0)
MAP2(hardswish_backward, dy, x, x <= -3 ? 0 : x < 3 ? dy * (x * R(1.0 / 3) + R(0.5)) : dy)

MAP1P(hardshrink_forward, x, lambd, r_abs(x) <= lambd ? 0 : x)
MAP2P(hardshrink_backward, dy, x, lambd, r_abs(x) <= lambd ? 0 : dy)
MAP1P(softshrink_forward, x, lambd, x - r_min(lambd, r_max(-lambd, x)))
MAP1PQ(threshold_forward, x, threshold, value, x <= threshold ? value : x)
MAP2P(threshold_backward, dy, x, threshold, x <= threshold ? 0 : dy)
