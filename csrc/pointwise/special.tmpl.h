/* special.tmpl.h -- functions of the normal distribution and of the gamma function, with their
 * derivatives.
 *
 * Math       erfc x = 1 - erf x, and erfinv, the inverse of erf; lgamma x = ln |Gamma(x)|, its
 *            derivative digamma, and that one's derivative trigamma.
 * Symbols    x input, y output, dy upstream gradient, dx gradient of x.
 * Method     erf (r_erf of simd.h), erfc and erfinv of float are computed in float. All else is
 *            computed in double precision, for float too: one rounding at the end, and no care for
 *            what a sum of float loses. Without branches, so that the compiler vectorises the loops
 *            of map.tmpl.h. tools/fit_elementary.py has the polynomials; the others are the series
 *            of Taylor and Stirling.
 *            erf, erfc   below 3/4 a polynomial in x^2, else erfc u = e^(-u^2) p(t) / (1 + 2u),
 *                     where t = (u - 15/4) / (u + 15/4) makes of [0, infinity) an interval
 *                     (Shepherd & Laframboise, 1981); of float, erfc u = e^(-u^2) / d(u) for all
 *                     u >= 0, where d(u) less sqrt(pi) u is a polynomial in u / (u + 5/2)
 *            erfinv   a polynomial in w = -ln(1 - x^2), or in 1 / sqrt w, of float in sqrt w, for
 *                     w > 5 (as Giles, 2010), good to 1e-8; for double a step of Halley's method
 *                     with erfc
 *            lgamma   ln Gamma(2 + f) = f p(f) for -3/4 <= f <= 1/2; there by Gamma(x + 1) =
 *                     x Gamma(x); from 8 on Stirling's series; below 0 by Gamma(x) Gamma(1 - x) =
 *                     pi / sin pi x
 *            digamma, trigamma   10 steps of the derived recurrence, and the derived series
 * Errors     erf, erfc 4 ulp, erfinv 2, lgamma 3 for x > 0; in float erf 2.5, erfc 3, erfinv 1.7
 *            (without FMA 2.2), lgamma 0.6; digamma, and lgamma below 0, within 5e-16 (1 + |y|).
 *            These are over all floats whose result is normal. A smaller one (erfc from 9.19 on)
 *            counts as 0; where denormals are kept, float runs through double, map.tmpl.h.
 * Cost       some 40 (erfc; 25 of float) to 120 (lgamma) multiply-adds.
 * Threads    blocks of MAP_GRAIN elements; elements are independent.
 * Reference  fastnn/reference/transcendental.py; of erf, fastnn/reference/arithmetic.py
 */
#include "pointwise/map.tmpl.h"

/* ---- what they are made of ------------------------------------------------------------------- */
typedef union { double real; uint64_t bits; } FN(double_bits);

/* The nearest whole number of x >= 0 */
FNN_INLINE double FN(nearest)(double x)
{
    const double shift = 4503599627370496.0;             /* 2^52: from here on all are whole */
    /* assigned, as that rounds: without SSE, a sum has 80 bits */
    const double whole = x + shift;
    return x < shift ? whole - shift : x;
}

/* e^(s + low) for -745.2 <= s <= 709 and a small `low`, as 2^n e^r with n = s / ln 2, rounded.
 * t = s / ln 2 + 1.5 * 2^52: a double there has steps of 1, so the low bits of t are the integer n.
 * (n + 1023) << 52 is the exponent field of 2^n. The last product makes denormals of what is below
 * the normal numbers, or 0 where they are flushed. */
FNN_INLINE double FN(exp_of)(double s, double low)
{
    const double shift = 6755399441055744.0;             /* 1.5 * 2^52 */
    const FN(double_bits) t = { s * 1.4426950408889634 + shift };
    const double n = t.real - shift;
    /* ln 2 in two parts, the first exact in few bits */
    const double r = ((s - n * 0.693147180369123816490) - n * 1.90821492927058770002e-10) + low;
    double p = 1.6059043836821613e-10;
    p = p * r + 2.08767569878681e-09;
    p = p * r + 2.505210838544172e-08;
    p = p * r + 2.755731922398589e-07;
    p = p * r + 2.7557319223985893e-06;
    p = p * r + 2.48015873015873e-05;
    p = p * r + 0.0001984126984126984;
    p = p * r + 0.001388888888888889;
    p = p * r + 0.008333333333333333;
    p = p * r + 0.041666666666666664;
    p = p * r + 0.16666666666666666;
    p = p * r + 0.5;
    p = p * r + 1.0;
    p = p * r + 1.0;
    /* where n < 0, p 2^(n + 200) 2^-200 */
    const int down = s < 0;
    const FN(double_bits) two = { .bits = (t.bits + 1023 + (down ? 200 : 0)) << 52 };
    return p * two.real * (down ? 0x1p-200 : 1.0);
}

/* e^(sign u^2): the square is exact in two parts, the first of 26 bits */
FNN_INLINE double FN(exp_of_square)(double u, double sign)
{
    FN(double_bits) high = { u };
    high.bits &= ~(uint64_t)0x7ffffff;
    return FN(exp_of)(sign * (high.real * high.real), sign * ((u - high.real) * (u + high.real)));
}

/* ln x for 0 <= x < infinity; denormals count where they are kept. The bits of x less those of
 * sqrt(1/2), shifted by 52, are n with x = m 2^n and sqrt(1/2) <= m < sqrt 2. */
FNN_INLINE double FN(log_of)(double x)
{
    const int denormal = x < 0x1p-1022;
    FN(double_bits) m = { denormal ? x * 0x1p54 : x };
    const int64_t n = (int64_t)(m.bits - 0x3fe6a09e667f3bcdu) >> 52;
    m.bits -= (uint64_t)n << 52;
    const double e = (double)(int32_t)n - (denormal ? 54 : 0), f = m.real - 1;
    const double s = f / (2 + f), z = s * s;                     /* ln(1 + f) = 2 artanh s */
    double q = 0.09523809523809523;
    q = q * z + 0.10526315789473684;
    q = q * z + 0.11764705882352941;
    q = q * z + 0.13333333333333333;
    q = q * z + 0.15384615384615385;
    q = q * z + 0.18181818181818182;
    q = q * z + 0.2222222222222222;
    q = q * z + 0.2857142857142857;
    q = q * z + 0.4;
    q = q * z + 0.6666666666666666;
    const double y = (f - s * (f - z * q)) + (e * 1.90821492927058770002e-10 + e * 0.693147180369123816490);
    return x > 0 ? y : -INFINITY;
}

/* sin(pi r) for |r| <= 1/2 */
FNN_INLINE double FN(sin_of_pi)(double r)
{
    const double z = r * r;
    double p = 7.697826768224191e-07;
    p = p * z - 2.1903497074626018e-05;
    p = p * z + 0.0004662998161898394;
    p = p * z - 0.007370430505916944;
    p = p * z + 0.0821458865731029;
    p = p * z - 0.5992645293189447;
    p = p * z + 2.5501640398773007;
    p = p * z - 5.167712780049969;
    p = p * z + 3.141592653589793;
    return r * p;
}

/* ---- of the normal distribution -------------------------------------------------------------- */
#if REAL_IS_F64
/* erf x for |x| <= 3/4 */
FNN_INLINE double FN(erf_near_0)(double x)
{
    const double z = x * x;
    double p = 1.1472499701094691e-08;
    p = p * z - 1.5940066854661717e-07;
    p = p * z + 1.643068417974155e-06;
    p = p * z - 1.4924196305569617e-05;
    p = p * z + 0.00012055289567541706;
    p = p * z - 0.0008548326188759752;
    p = p * z + 0.005223977615420539;
    p = p * z - 0.026866170644428485;
    p = p * z + 0.11283791670952596;
    p = p * z - 0.37612638903183715;
    p = p * z + 1.1283791670955126;
    return x * p;
}

/* e^(u^2) erfc u for 3/4 <= u <= 28 */
FNN_INLINE double FN(erfc_scaled)(double u)
{
    const double t = (u - 3.75) / (u + 3.75);
    double p = 2.1637523750844718e-08;
    p = p * t + 1.64052927943359e-08;
    p = p * t - 2.3401277846105656e-07;
    p = p * t - 5.1655406329843575e-08;
    p = p * t + 1.7320781208758568e-06;
    p = p * t - 9.759970867848045e-07;
    p = p * t - 1.1434769507599218e-05;
    p = p * t + 2.2384837583517986e-05;
    p = p * t + 5.164627310457071e-05;
    p = p * t - 0.0002901541543103373;
    p = p * t + 0.0002937142026737192;
    p = p * t + 0.0017556258541943834;
    p = p * t - 0.009746579620608832;
    p = p * t + 0.02836227741972733;
    p = p * t - 0.05869339858545759;
    p = p * t + 0.09230432116029043;
    p = p * t - 0.108803930141889;
    p = p * t + 0.08227673849014855;
    p = p * t + 0.0035854154854662117;
    p = p * t - 0.140240598585547;
    p = p * t + 1.2375126308378275;
    return p / (1 + 2 * u);
}

FNN_INLINE double FN(erfc_of)(double x)
{
    const double size = x < 0 ? -x : x, u = size > 28 ? 28 : size < 0.75 ? 0.75 : size;
    const double far = FN(exp_of_square)(u, -1) * FN(erfc_scaled)(u);
    const double y = size < 0.75 ? 1 - FN(erf_near_0)(x) : x < 0 ? 2 - far : far;
    return x != x ? x : y;
}

FNN_INLINE double FN(erfinv_of)(double x)
{
    const double size = x < 0 ? -x : x, rest = 1 - size;
    const double w = rest > 0 ? -FN(log_of)(rest * (1 + size)) : 5;
    const double v = sqrt(w > 5 ? w : 5), t = 1 / v;
    double p = 1.2346577114502573e-10;
    p = p * w - 2.9612460261028082e-09;
    p = p * w + 2.072803054987327e-08;
    p = p * w + 6.466321027721052e-08;
    p = p * w - 1.5175960280333922e-06;
    p = p * w + 3.331105346921971e-06;
    p = p * w + 4.456915706736076e-05;
    p = p * w - 0.0001261178285939345;
    p = p * w - 0.002336144427612425;
    p = p * w + 0.011549628771727806;
    p = p * w + 0.2320136360489977;
    p = p * w + 0.8862269259834256;
    double q = -78185.32762328231;
    q = q * t + 260922.87319614436;
    q = q * t - 388289.36994927796;
    q = q * t + 339867.38920065784;
    q = q * t - 194396.49340129222;
    q = q * t + 76333.36355551217;
    q = q * t - 21014.82714930532;
    q = q * t + 4058.696784996724;
    q = q * t - 538.1342098974864;
    q = q * t + 46.33062849906124;
    q = q * t - 2.4919420177215605;
    q = q * t + 1.0576142750003936;
    double y = size * (w > 5 ? v * q : p);
    /* Halley: u = (erf y - x) / erf' y; since erf'' = -2 y erf', y -= u / (1 + y u). Far out,
     * erf y - x = (1 - x) - erfc y, which loses no digits. */
    const double u = y < 0.75 ? 0.75 : y;
    const double near = (FN(erf_near_0)(y) - size) * FN(exp_of_square)(y, 1);
    const double far = rest * FN(exp_of_square)(u, 1) - FN(erfc_scaled)(u);
    const double step = (y < 0.75 ? near : far) * 0.88622692545275801365;        /* sqrt(pi) / 2 */
    y -= step / (1 + y * step);
    y = x < 0 ? -y : y;
    return rest > 0 ? y : rest == 0 ? x * INFINITY : NAN;
}
#else
/* erfc u = e^(-u^2) / d(u) for u = |x|, where d(u) = p(z) + sqrt(pi) u with z = u / (u + 5/2): d is
 * 1 at 0, and p is small where u is not. It is 0 from 9.38 on, where e^(-u^2) is 2^n e^r with n =
 * -127; to 9.19 it is a normal number. */
FNN_INLINE float FN(erfc_of)(float x)                            /* 3 ulp */
{
    const float size = r_abs(x), u = size < 9.38f ? size : 9.38f;
    /* -u^2 = s + low: the square of the first 12 bits is exact */
    FN(float_bits) high = { u };
    high.bits &= 0xfffff000u;
    const float s = -(high.real * high.real), low = (high.real - u) * (u + high.real);
    /* 2^n e^r as in r_exp; the low bits of `at` are n + 127 */
    const float shift = 12582912.0f + 127.0f;
    const FN(float_bits) at = { s * 1.44269504f + shift }, two = { .bits = at.bits << 23 };
    const float n = at.real - shift;
    const float r = (s - n * 0.693359375f) + (n * 2.12194440e-4f + low);
    float q = 0.00138182985f;                                    /* (e^r - 1 - r) / r^2 */
    q = q * r + 0.00836853217f;
    q = q * r + 0.0416682921f;
    q = q * r + 0.166665226f;
    q = q * r + 0.49999994f;
    q = q * (r * r) + r;
    const float z = u / (u + 2.5f);
    float p = 0.777000308f;
    p = p * z - 3.07176542f;
    p = p * z + 4.4131422f;
    p = p * z - 2.45189738f;
    p = p * z + 0.382295132f;
    p = p * z - 0.606480241f;
    p = p * z + 0.326837867f;
    p = p * z + 0.743576705f;
    p = p * z + 0.0976444632f;
    p = p * z - 1.61018777f;
    p = p * z + 1.0f;
    /* 2 u is exact, and sqrt(pi) = 2 - 0.2275... */
    const float d = 2.0f * u + (p - u * 0.227546155f);
    const float far = (1.0f + q) / d * two.real;
    const float y = x < 0 ? 2.0f - far : far;
    return x != x ? x : y;
}

/* x + x p(w) with w = -ln(1 - x^2), or x + x q(sqrt w - 3) for w > 5: p is small where most x
 * are. */
FNN_INLINE float FN(erfinv_of)(float x)                          /* 1.7 ulp, without FMA 2.2 */
{
    const FN(float_bits) from = { x }, magnitude = { .bits = from.bits & 0x7fffffffu };
    const float size = magnitude.real, rest = 1.0f - size;
    int32_t n;
    float f;
    const float w = -FN(log_parts)(rest > 0 ? rest + rest * size : 1.0f, &n, &f);
    const float v = r_sqrt(w > 5.0f ? w : 5.0f) - 3.0f;
    float p = -8.80666295e-09f;
    p = p * w + 2.21402715e-07f;
    p = p * w - 1.98019256e-06f;
    p = p * w + 4.00371255e-06f;
    p = p * w + 4.44983889e-05f;
    p = p * w - 0.000127349747f;
    p = p * w - 0.00233444897f;
    p = p * w + 0.0115487492f;
    p = p * w + 0.232013792f;
    p = p * w - 0.113773078f;
    float q = 0.00013065798f;
    q = q * v - 0.000316452992f;
    q = q * v - 8.25847674e-05f;
    q = q * v + 0.0014927875f;
    q = q * v - 0.00358157489f;
    q = q * v + 0.00568472873f;
    q = q * v - 0.0076411441f;
    q = q * v + 0.00944534503f;
    q = q * v + 1.00167525f;
    q = q * v + 1.83297682f;
    /* so that x p is a normal number where x is */
    const float large = size * 0x1p64f;
    FN(float_bits) y = { (large + large * (w > 5.0f ? q : p)) * 0x1p-64f };
    y.bits |= from.bits & 0x80000000u;
    return rest > 0 ? y.real : rest == 0 ? x * INFINITY : NAN;
}
#endif

/* e^(-x^2), and e^(y^2) */
FNN_INLINE double FN(slope_of_erfc)(double x)
{
    const double size = x < 0 ? -x : x;
    return x != x ? x : FN(exp_of_square)(size > 28 ? 28 : size, -1);
}
FNN_INLINE double FN(slope_of_erfinv)(double y)
{
    const double size = y < 0 ? -y : y;
    return y != y ? y : size > 26 ? INFINITY : FN(exp_of_square)(size, 1);
}

#if REAL_IS_F64
FNN_INLINE double FN(erf_of)(double x)
{
    const double size = x < 0 ? -x : x, u = size > 28 ? 28 : size < 0.75 ? 0.75 : size;
    const double far = 1 - FN(exp_of_square)(u, -1) * FN(erfc_scaled)(u);
    const double y = size < 0.75 ? FN(erf_near_0)(x) : x < 0 ? -far : far;
    return x != x ? x : y;
}
MAP1(erf_forward, x, FN(erf_of)(x))
MAP2(erf_backward, dy, x, dy * (1.12837916709551257390 * FN(slope_of_erfc)(x)))
#else
MAP1(erf_forward, x, r_erf(x))
MAP2(erf_backward, dy, x, dy * (R(1.12837916709551257390) * r_exp(-x * x)))
#endif

MAP1(erfc_forward, x, FN(erfc_of)(x))
MAP2(erfc_backward, dy, x, (REAL)(dy * (-1.12837916709551257390 * FN(slope_of_erfc)((double)x))))
MAP1(erfinv_forward, x, FN(erfinv_of)(x))
MAP2(erfinv_backward, dy, y, (REAL)(dy * (0.88622692545275801365 * FN(slope_of_erfinv)((double)y))))

/* ---- of the gamma function ------------------------------------------------------------------- */
/* The series in u = 1 / x^2 of x (ln Gamma(x) - (x - 1/2) ln x + x - ln sqrt(2 pi)), x >= 8 */
FNN_INLINE double FN(stirling)(double u)
{
    double p = -0.029550653594771242;
    p = p * u + 0.00641025641025641;
    p = p * u - 0.0019175269175269176;
    p = p * u + 0.0008417508417508417;
    p = p * u - 0.0005952380952380953;
    p = p * u + 0.0007936507936507937;
    p = p * u - 0.002777777777777778;
    p = p * u + 0.08333333333333333;
    return p;
}

/* ln Gamma(x) for x >= 0 */
FNN_INLINE double FN(lgamma_above_0)(double x)
{
    /* below 8, Gamma(x) by Gamma(2 + f):
     *   x < 1/2   Gamma(2 + x) / (x (x + 1))
     *   x < 5/4   Gamma(1 + x) / x
     *   else      (x - 1) ... z Gamma(z), z <= 5/2 */
    double z = x, product = 1;
    for (int k = 0; k < 6; k++) {
        const int down = z > 2.5;
        z -= down ? 1 : 0;
        product *= down ? z : 1;
    }
    const double f = x < 0.5 ? x : x < 1.25 ? x - 1 : z - 2;
    product = x < 0.5 ? x * (x + 1) : x < 1.25 ? x : product;
    double p = -1.4427747303509595e-07;
    p = p * f - 7.727327530285385e-08;
    p = p * f - 1.736660316326268e-08;
    p = p * f + 3.66529171043464e-07;
    p = p * f - 4.5172517222650804e-07;
    p = p * f + 8.781963368636073e-07;
    p = p * f - 2.0532766649484134e-06;
    p = p * f + 4.395623759794621e-06;
    p = p * f - 9.433730911910839e-06;
    p = p * f + 2.0503882702645786e-05;
    p = p * f - 4.4927323253898135e-05;
    p = p * f + 9.945783913330653e-05;
    p = p * f - 0.00022315464669130103;
    p = p * f + 0.0005096695054915424;
    p = p * f - 0.0011927539179523957;
    p = p * f + 0.002890510331383695;
    p = p * f - 0.007385551028502159;
    p = p * f + 0.02058080842777418;
    p = p * f - 0.06735230105319989;
    p = p * f + 0.32246703342411326;
    p = p * f + 0.42278433509846713;
    const double near = f * p;
    const double one_over = 1 / (x < 8 ? 8 : x), u = one_over * one_over;
    const double far = 0.91893853320467274178 + FN(stirling)(u) * one_over;  /* ln sqrt(2 pi) */
    const double log = FN(log_of)(x < 8 ? product : x);
    return x < 8 ? near + (x < 1.25 ? -log : log) : (x - 0.5) * log - x + far;
}

FNN_INLINE REAL FN(lgamma_of)(double x)
{
    const double size = x < 0 ? -x : x, r = size - FN(nearest)(size);
    double y = FN(lgamma_above_0)(x < 0 ? 1 + size : size);
    /* ln pi */
    y = x < 0 ? 1.14472988584940017414 - FN(log_of)(FN(sin_of_pi)(r < 0 ? -r : r)) - y : y;
    y = size < INFINITY ? y : INFINITY;
    return (REAL)(x != x ? x : y);
}

/* 1 / z + ... + 1 / (z + 9), as one fraction. The first and the last have the sum (2z + 9) / q with
 * q = z (z + 9); the next two (2z + 9) / (q + 8), and so on. */
FNN_INLINE double FN(sum_of_ten)(double z)
{
    const double q = z * (z + 9);
    double above = 1, below = q;
    above = above * (q + 8) + below;
    below *= q + 8;
    above = above * (q + 14) + below;
    below *= q + 14;
    above = above * (q + 18) + below;
    below *= q + 18;
    above = above * (q + 20) + below;
    below *= q + 20;
    return (2 * z + 9) * (above / below);
}

/* 1 / z^2 + ... + 1 / (z + 9)^2 */
FNN_INLINE double FN(sum_of_ten_squares)(double z)
{
    double above = 0, below = 1;
    for (int k = 0; k < 10; k++) {
        const double t = (z + k) * (z + k);
        above = above * t + below;
        below *= t;
    }
    return above / below;
}

/* psi(x) = psi(1 - x) - pi / tan(pi x) below 0, psi(x) = psi(x + 10) - sum_{k<10} 1 / (x + k) below
 * 10, and from there on psi(x) ~ ln x - 1/(2x) - sum_k B_2k / (2k x^2k), with Bernoulli's B_2k. */
FNN_INLINE double FN(digamma_in_double)(double x)
{
    const double size = x < 0 ? -x : x, n = FN(nearest)(size), r = size - n;
    const double z = x < 0 ? 1 + size : size, far = z < 10 ? z + 10 : z;
    const double one_over = 1 / far, u = one_over * one_over;
    double p = 0.08333333333333333;
    p = p * u - 0.021092796092796094;
    p = p * u + 0.007575757575757576;
    p = p * u - 0.004166666666666667;
    p = p * u + 0.003968253968253968;
    p = p * u - 0.008333333333333333;
    p = p * u + 0.08333333333333333;
    double y = FN(log_of)(far) - (0.5 * one_over + u * p) - (z < 10 ? FN(sum_of_ten)(z < 10 ? z : 10) : 0);
    y = far < INFINITY ? y : far;
    /* pi / tan(pi x), with -size for x */
    const double a = r < 0 ? -r : r, tangent = FN(sin_of_pi)(r) / FN(sin_of_pi)(0.5 - a);
    y = x < 0 ? (r == 0 ? NAN : y + 3.14159265358979323846 / tangent) : y;
    return x == 0 ? -1 / x : x != x ? x : y;
}

/* The derivatives of the same: psi'(x) = pi^2 / sin^2(pi x) - psi'(1 - x), then
 * psi'(x) = psi'(x + 10) + sum_{k<10} 1 / (x + k)^2, and
 * psi'(x) ~ 1/x + 1/(2x^2) + sum_k B_2k / x^(2k + 1). */
FNN_INLINE double FN(trigamma_in_double)(double x)
{
    const double size = x < 0 ? -x : x, r = size - FN(nearest)(size);
    const double z = x < 0 ? 1 + size : size, far = z < 10 ? z + 10 : z;
    const double one_over = 1 / far, u = one_over * one_over;
    double p = 1.1666666666666667;
    p = p * u - 0.2531135531135531;
    p = p * u + 0.07575757575757576;
    p = p * u - 0.03333333333333333;
    p = p * u + 0.023809523809523808;
    p = p * u - 0.03333333333333333;
    p = p * u + 0.16666666666666666;
    const double y = one_over + (0.5 * u + one_over * u * p) + (z < 10 ? FN(sum_of_ten_squares)(z < 10 ? z : 10) : 0);
    const double s = 3.14159265358979323846 / FN(sin_of_pi)(r);
    return x < 0 ? s * s - y : y;
}

MAP1(lgamma_forward, x, FN(lgamma_of)((double)x))
MAP2(lgamma_backward, dy, x, (REAL)(dy * FN(digamma_in_double)((double)x)))
MAP1(digamma_forward, x, (REAL)FN(digamma_in_double)((double)x))
MAP2(digamma_backward, dy, x, (REAL)(dy * FN(trigamma_in_double)((double)x)))
