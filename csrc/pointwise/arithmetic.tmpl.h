/* arithmetic.tmpl.h -- element-wise arithmetic with broadcasting, and functions of one array, with
 * their derivatives.
 *
 * Math       beside each line. The gradient of a broadcast input is the sum over the places it was
 *            repeated to; the callers do that with the sum kernel of reduce.c.
 * Symbols    a, b, x inputs, y output, dy upstream gradient, dx gradient of x; p, low, high
 *            attributes.
 * Layout     contiguous arrays; the broadcasting is planned by fnn_broadcast_plan (arithmetic.h).
 * Method     one pass. map.tmpl.h holds the loops; each line below is a whole kernel.
 * Cost       bound by memory, but for exp and log (some ten multiply-adds) and for powers that are
 *            not 2, 3, 1/2 or -1 (some thirty in double precision).
 * Threads    blocks of MAP_GRAIN elements, elements independent.
 * Reference  fastnn/reference/arithmetic.py
 */
#include "pointwise/map.tmpl.h"

BROADCAST2(add, a, b, a + b)
BROADCAST2(sub, a, b, a - b)
BROADCAST2(mul, a, b, a * b)
BROADCAST2(div, a, b, a / b)
BROADCAST2(negmul, a, b, -(a * b))
/* also 0 infinity, where b is 0 */
BROADCAST2(negmul_or_zero, a, b, b == 0 && a == a ? R(0) : -(a * b))
BROADCAST2(maximum, a, b, a > b || a != a ? a : b)
BROADCAST2(minimum, a, b, a < b || a != a ? a : b)
/* a's share of the gradient of the larger; 2 at NaN, where both get all of it, as in PyTorch */
BROADCAST2(share, a, b, a > b ? R(1) : a == b ? R(0.5) : a < b ? R(0) : R(2))

BROADCAST2(divide_or_zero, a, b, b == 0 ? a * 0 : a / b)
BROADCAST2(mul_or_zero, a, b, b == 0 ? R(0) : a * b)
BROADCAST2(mul_share, a, b, b == 0 ? R(0) : b == 2 ? a : a * b)
BROADCAST2(mul_rest, a, b, b == 1 ? R(0) : b == 2 ? a : a * (1 - b))
BROADCAST2(times_sign, a, b, b > 0 ? a : b < 0 ? -a : b * 0)
BROADCAST2(is_same, a, b, a == b || (a != a && b != b) ? R(1) : R(0))
/* a <= b to rounding. Infinity is at no distance from itself; minus infinity is below all. */
BROADCAST2(exp_difference, a, b, a == b ? (a > -INFINITY ? R(1) : R(0)) : FN(exp_of_negative)(a - b))

BROADCAST2(pow_tensor, a, b, r_pow(a, b))
/* c v, also 0 infinity */
FNN_INLINE REAL FN(or_0)(REAL c, REAL v) { return c == 0 || v == 0 ? 0 : c * v; }
BROADCAST2(pow_tensor_slope_a, a, b, FN(or_0)(b, r_pow(a, b - 1)))
/* p = a^b. At 0^0 the slope counts as 0, as in PyTorch; for denormal a, whose logarithm is that of
   0, p is small and not always 0. */
BROADCAST2(pow_tensor_slope_b, a, p, p == 0 || (a == 0 && -1 <= p && p <= 1) ? R(0) : p * r_log(a))

FNN_INLINE REAL FN(remainder_of)(REAL a, REAL b)    /* fmod has the sign of a; the remainder has the
                                                       sign of b */
{
    const REAL r = REAL_IS_F64 ? (REAL)fmod(a, b) : (REAL)fmodf((float)a, (float)b);
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

BROADCAST2(remainder, a, b, FN(remainder_of)(a, b))
/* a / infinity is 0, or just below it; by 0 nothing is left to floor */
FNN_INLINE REAL FN(quotient_of)(REAL a, REAL b)
{
    const REAL infinite = a != 0 && (a < 0) != (b < 0) ? -1 : 0;
    const REAL finite = (REAL)floor((a - FN(remainder_of)(a, b)) / b + R(0.5));
    return b == 0 ? a / b : (b == INFINITY || b == -INFINITY) && a - a == 0 ? infinite : finite;
}
BROADCAST2(quotient, a, b, FN(quotient_of)(a, b))

static void FN(add_to_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_map_args *args = ctx;
    REAL *restrict y = args->y;
    const REAL *restrict x = args->a;
    for (fnn_size i = begin; i < end; i++)
        y[i] += x[i];
}

void FN(add_to)(REAL *y, const REAL *x, fnn_size n)
{
    fnn_map_args args = { .y = y, .a = x };
    fnn_parallel_for(n, MAP_GRAIN, FN(add_to_block), &args);
}

MAP1(neg, x, -x)
MAP1(exp_forward, x, r_exp(x))
MAP1(expm1_forward, x, r_expm1(x))
MAP2(expm1_backward, dy, y, dy * (y + 1))
MAP1(log_forward, x, r_log(x))
MAP1(log2_forward, x, r_log2(x))
MAP1(log10_forward, x, r_log10(x))
MAP2P(log_base_backward, dy, x, ln_base, dy / (x * ln_base))
MAP1(log1p_forward, x, r_log1p(x))
MAP2(log1p_backward, dy, x, dy / (1 + x))

MAP1(sqrt_forward, x, r_sqrt(x))
MAP2(sqrt_backward, dy, y, R(0.5) * dy / y)
MAP1(abs_forward, x, r_abs(x))
MAP2(abs_backward, dy, x, x > 0 ? dy : x < 0 ? -dy : 0)
MAP1(finite_or_zero, x, x == INFINITY || x == -INFINITY ? 0 : x)
MAP1PQ(clamp_forward, x, low, high, r_min(high, r_max(low, x)))
MAP2PQ(clamp_backward, dy, x, low, high, x >= low && x <= high ? dy : 0)

/* Powers are IEEE's: (-0)^(1/2) = +0 and (-inf)^(1/2) = +inf, where a square root alone says -0 and
 * NaN. */
FNN_INLINE REAL FN(root_base)(REAL x) { return x == -INFINITY ? INFINITY : x + 0; }

/* Powers that are common and cheap have loops of their own; the choice is made once per block. */
static void FN(pow_forward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_map_args *args = ctx;
    REAL *restrict y = args->y;
    const REAL *restrict x = args->a;
    const REAL p = (REAL)args->p;
    if (p == 2)
        for (fnn_size i = begin; i < end; i++) y[i] = x[i] * x[i];
    else if (p == 3)
        for (fnn_size i = begin; i < end; i++) y[i] = x[i] * x[i] * x[i];
    else if (p == -1)
        for (fnn_size i = begin; i < end; i++) y[i] = 1 / x[i];
    else if (p == R(0.5))
        for (fnn_size i = begin; i < end; i++) y[i] = r_sqrt(FN(root_base)(x[i]));
    else if (p == R(-0.5))
        for (fnn_size i = begin; i < end; i++) y[i] = 1 / r_sqrt(FN(root_base)(x[i]));
    else
        for (fnn_size i = begin; i < end; i++) y[i] = r_pow(x[i], p);
}

static void FN(pow_backward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_map_args *args = ctx;
    REAL *restrict dx = args->y;
    const REAL *restrict dy = args->a, *restrict x = args->b;
    const REAL p = (REAL)args->p;               /* forward was  y = x^p  so  dx = dy p x^(p-1) */
    if (p == 2)
        for (fnn_size i = begin; i < end; i++) dx[i] = 2 * x[i] * dy[i];
    else if (p == 3)
        for (fnn_size i = begin; i < end; i++) dx[i] = 3 * x[i] * x[i] * dy[i];
    else if (p == -1)
        for (fnn_size i = begin; i < end; i++) {   /* x^2 would leave the range before 1 / x does */
            const REAL y = 1 / x[i];
            dx[i] = -dy[i] * y * y;
        }
    else if (p == R(0.5))
        for (fnn_size i = begin; i < end; i++) dx[i] = R(0.5) * dy[i] / r_sqrt(FN(root_base)(x[i]));
    else if (p == R(-0.5))
        for (fnn_size i = begin; i < end; i++) {
            const REAL base = FN(root_base)(x[i]), y = 1 / r_sqrt(base);
            dx[i] = R(-0.5) * dy[i] * y * (y * y);
        }
    else
        for (fnn_size i = begin; i < end; i++) dx[i] = p == 0 ? 0 : dy[i] * p * r_pow(x[i], p - 1);
}

MAP_IEEE(pow_forward)
MAP_IEEE(pow_backward)

void FN(pow_forward)(REAL *y, const REAL *x, fnn_size n, double p)
{
    fnn_map_args args = { y, x, NULL, p, 0 };
    fnn_parallel_for(n, MAP_GRAIN, IEEE_OR(FN(pow_forward_block), FN(pow_forward_ieee)), &args);
}

void FN(pow_backward)(REAL *dx, const REAL *dy, const REAL *x, fnn_size n, double p)
{
    fnn_map_args args = { dx, dy, x, p, 0 };
    fnn_parallel_for(n, MAP_GRAIN, IEEE_OR(FN(pow_backward_block), FN(pow_backward_ieee)), &args);
}
