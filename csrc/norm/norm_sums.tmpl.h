/* norm_sums.tmpl.h -- what all normalisations share: the moments of a set of elements, and one
 * plane of the result.
 *
 * Math       mean = sum x / m,  var = sum (x - mean)^2 / m   over the m elements of a set: those
 *            that share a mean. A plane is n elements that lie together and share mean, scale and
 *            shift.
 * Method     Elements are read in chunks that the L1 cache holds. The first chunk is read twice:
 *            for its mean, and for the deviations from it. Of the others, deviations are taken from
 *            the mean of all chunks before. Chunks are merged in double by the formula of Chan,
 *            Golub and LeVeque. Deviations do not cancel, whatever the mean is. Where the mean
 *            changes from chunk to chunk, what they lose is small against what that change adds to
 *            the variance.
 *            What is left of the mean after rounding it to REAL is carried along as `rest`:
 *            xhat = (x - mean) * rstd - rest * rstd. So the result is accurate even where the mean
 *            is 10,000 times the deviation.
 * Range      Squares of large elements overflow, those of small ones vanish, and so does the square
 *            of rstd, which the gradient takes. All that shows in rstd, once per set: where it is
 *            not within some powers of 2 of 1, or not a number, the set is done again "with care",
 *            in double and from elements brought near 1 by a power of 2.
 * Reference  Chan, Golub, LeVeque (1979), "Updating formulae and a pairwise algorithm for computing
 *            sample variances".
 */
#ifndef FNN_NORM_SUMS_ONCE
#define FNN_NORM_SUMS_ONCE
#include <float.h>

#include "core/power.h"

enum {
    NORM_CHUNK = 4096                   /* elements summed before double takes over; chosen: 16 KiB
                                           of float, read twice from an L1 cache */
};

/* Of `count` elements: their mean is centre + offset, in two parts so that none of it is lost, and
 * m2 = sum (x - mean)^2. */
typedef struct { double count, centre, offset, m2; } fnn_moments;

/* Add `count` elements with these sums of x - centre and (x - centre)^2. */
static void fnn_moments_add(fnn_moments *all, double count, double centre, double sum, double squares)
{
    double offset = sum / count, m2 = squares - sum * offset;
    if (all->count == 0) {
        *all = (fnn_moments){ count, centre, offset, m2 };
        return;
    }
    double total = all->count + count, share = count / total, delta = (centre - all->centre) + (offset - all->offset);
    all->m2 += m2 + delta * delta * (all->count * share);
    all->offset += delta * share;
    all->count = total;
}

/* For a set that is done with care:  xhat = (x * unit - mean) * rstd,  unit a power of 2 */
typedef struct { double unit, mean, rstd; } fnn_norm_care;

static double fnn_moments_mean(const fnn_moments *moments) { return moments->centre + moments->offset; }
static double fnn_moments_var(const fnn_moments *moments)
{
    return moments->count > 0 ? moments->m2 / moments->count : 0;
}

#endif

/* ---- sums over contiguous elements ----------------------------------------------------------- */
/* In several registers, since each addition must wait for the one before. */

/* Sums on their way: of whole vectors in registers, and of what is left at the pieces' ends. They
 * are carried from piece to piece, since a sum across a register costs as much as some 30
 * elements. */
typedef struct { vec a, b, c, d; REAL rest; } FN(norm_running);

FNN_INLINE REAL FN(norm_sum_of)(FN(norm_running) t) { return v_sum((t.a + t.b) + (t.c + t.d)) + t.rest; }

/* t += sum x */
FNN_INLINE void FN(norm_add)(FN(norm_running) *t, const REAL *x, fnn_size n)
{
    fnn_size i = 0;
    for (; i + 4 * VL <= n; i += 4 * VL) {
        t->a += v_load(x + i);
        t->b += v_load(x + i + VL);
        t->c += v_load(x + i + 2 * VL);
        t->d += v_load(x + i + 3 * VL);
    }
    for (; i + VL <= n; i += VL)
        t->a += v_load(x + i);
    for (; i < n; i++)
        t->rest += x[i];
}

/* s += sum (x - centre),  q += sum (x - centre)^2 */
FNN_INLINE void FN(norm_spread)(FN(norm_running) *s, FN(norm_running) *q, const REAL *x, fnn_size n, REAL centre)
{
    const vec centres = v_set(centre);
    fnn_size i = 0;
    for (; i + 4 * VL <= n; i += 4 * VL) {
        const vec d0 = v_load(x + i) - centres, d1 = v_load(x + i + VL) - centres;
        const vec d2 = v_load(x + i + 2 * VL) - centres, d3 = v_load(x + i + 3 * VL) - centres;
        s->a += d0;
        s->b += d1;
        s->c += d2;
        s->d += d3;
        q->a += d0 * d0;
        q->b += d1 * d1;
        q->c += d2 * d2;
        q->d += d3 * d3;
    }
    for (; i + VL <= n; i += VL) {
        const vec d = v_load(x + i) - centres;
        s->a += d;
        q->a += d * d;
    }
    for (; i < n; i++) {
        const REAL d = x[i] - centre;
        s->rest += d;
        q->rest += d * d;
    }
}

/* What a ReLU after the norm lets through of dy: where its input (x - centre) * scale + shift was
 * positive. */
typedef struct { REAL scale, shift; } FN(norm_gate);

FNN_INLINE vec FN(norm_passed)(vec z, vec dy)
{
#if VBYTES
    return v_choose(z > v_set(0), dy, v_set(0));
#else
    return z > 0 ? dy : 0;
#endif
}

/* s += sum dy,  p += sum dy * (x - centre); relu (a constant): of the dy that passes the gate */
FNN_INLINE void FN(norm_add_products)(const int relu, FN(norm_running) *s, FN(norm_running) *p, const REAL *dy,
                                      const REAL *x, fnn_size n, REAL centre, FN(norm_gate) gate)
{
    const vec centres = v_set(centre), scales = v_set(gate.scale), shifts = v_set(gate.shift);
    fnn_size i = 0;
    for (; i + 2 * VL <= n; i += 2 * VL) {
        vec passed0 = v_load(dy + i), passed1 = v_load(dy + i + VL);
        const vec d0 = v_load(x + i) - centres, d1 = v_load(x + i + VL) - centres;
        if (relu) {
            passed0 = FN(norm_passed)(d0 * scales + shifts, passed0);
            passed1 = FN(norm_passed)(d1 * scales + shifts, passed1);
        }
        s->a += passed0;
        s->b += passed1;
        p->a += passed0 * d0;
        p->b += passed1 * d1;
    }
    for (; i + VL <= n; i += VL) {
        const vec d = v_load(x + i) - centres;
        const vec passed = relu ? FN(norm_passed)(d * scales + shifts, v_load(dy + i)) : v_load(dy + i);
        s->a += passed;
        p->a += passed * d;
    }
    for (; i < n; i++) {
        const REAL d = x[i] - centre, passed = !relu || d * gate.scale + gate.shift > 0 ? dy[i] : 0;
        s->rest += passed;
        p->rest += passed * d;
    }
}

/* *sum += sum dy,  *product += sum dy * (x - centre) */
FNN_INLINE void FN(norm_products)(const REAL *dy, const REAL *x, fnn_size n, REAL centre, double *sum, double *product)
{
    FN(norm_running) s = { v_set(0), v_set(0), v_set(0), v_set(0), 0 }, p = s;
    FN(norm_add_products)(0, &s, &p, dy, x, n, centre, (FN(norm_gate)){ 0, 0 });
    *sum += FN(norm_sum_of)(s);
    *product += FN(norm_sum_of)(p);
}

/* Moments of `planes` pieces of `len` elements, `stride` apart, in chunks of several pieces or of a
 * part of one. */
static fnn_moments FN(norm_moments)(const REAL *x, fnn_size planes, fnn_size stride, fnn_size len)
{
    const FN(norm_running) zero = { v_set(0), v_set(0), v_set(0), v_set(0), 0 };
    fnn_moments all = { 0, 0, 0, 0 };
    fnn_size together = fnn_grain(NORM_CHUNK, len);
    /* the planes: short ones several at a time, */
    for (fnn_size p0 = 0; p0 < planes; p0 += together) {
        fnn_size p1 = fnn_min(p0 + together, planes);
        /* long ones in parts of NORM_CHUNK elements */
        for (fnn_size i = 0; i < len; i += NORM_CHUNK) {
            fnn_size part = fnn_min(len - i, NORM_CHUNK);
            double count = (double)(p1 - p0) * (double)part;
            FN(norm_running) total = zero, sum = zero, squares = zero;
            for (fnn_size p = p0; all.count == 0 && p < p1; p++)
                FN(norm_add)(&total, x + p * stride + i, part);
            REAL centre = all.count == 0 ? (REAL)(FN(norm_sum_of)(total) / count) : (REAL)fnn_moments_mean(&all);
            for (fnn_size p = p0; p < p1; p++)
                FN(norm_spread)(&sum, &squares, x + p * stride + i, part, centre);
            fnn_moments_add(&all, count, centre, FN(norm_sum_of)(sum), FN(norm_sum_of)(squares));
        }
    }
    return all;
}

/* The mean as a pair: rounded to REAL, and what the rounding left. */
static void FN(norm_keep_mean)(REAL *pair, const fnn_moments *moments)
{
    pair[0] = (REAL)fnn_moments_mean(moments);
    const REAL rest = (REAL)((moments->centre - (double)pair[0]) + moments->offset);
    pair[1] = rest == rest ? rest : 0;                          /* an infinite mean leaves none */
}

/* ---- with care ------------------------------------------------------------------------------- */
#define NORM_LARGEST (REAL_IS_F64 ? DBL_MAX : FLT_MAX)

/* Whether nothing in a set with this rstd can have overflowed or vanished, rstd^2 included. */
FNN_INLINE int FN(norm_is_safe)(double rstd)
{
    return rstd >= (REAL_IS_F64 ? 0x1p-400 : 0x1p-40) && rstd <= (REAL_IS_F64 ? 0x1p400 : 0x1p40);
}

FNN_INLINE int FN(norm_is_finite)(double v) { return fabs(v) <= NORM_LARGEST; }

/* The moments of a set again, and its rstd; not centred: about 0, for RMS norm. */
static double FN(norm_moments_with_care)(fnn_moments *moments, fnn_norm_care *care, int centred, const REAL *x,
                                         fnn_size planes, fnn_size stride, fnn_size len, double eps)
{
    const double count = (double)planes * (double)len;
    double largest = 0, total = 0, mean = 0, sum = 0, squares = 0;
    for (fnn_size p = 0; p < planes; p++)
        for (fnn_size i = 0; i < len; i++) {
            const double v = x[p * stride + i], size = fabs(v);
            total += v;
            largest = size > largest || size != size ? size : largest;
        }
    if (!(largest <= NORM_LARGEST)) {               /* infinite or NaN: as the formulas have it */
        const double rstd = centred || largest != largest ? NAN : 0;
        *moments = (fnn_moments){ count, total / count, 0, NAN };
        *care = (fnn_norm_care){ 1, centred ? NAN : 0, rstd };
        return rstd;
    }
    care->unit = fnn_power_for(largest, FNN_POWER_MOST);
    /* first the mean, then the deviations; in parts, so that few roundings meet in one number */
    for (int pass = centred ? 0 : 1; pass < 2; pass++) {
        for (fnn_size p = 0; p < planes; p++)
            for (fnn_size begin = 0; begin < len; begin += NORM_CHUNK) {
                double part = 0, part_squares = 0;
                for (fnn_size i = begin; i < fnn_min(begin + NORM_CHUNK, len); i++) {
                    const double d = x[p * stride + i] * care->unit - mean;
                    part += d;
                    part_squares += d * d;
                }
                sum += part;
                squares += part_squares;
            }
        if (pass == 0) {
            mean = sum / count;
            sum = squares = 0;
        }
    }
    const double left = centred ? sum / count : 0;
    const double var = squares > sum * left ? (squares - sum * left) / count : 0;
    *moments = (fnn_moments){ count, mean / care->unit, left / care->unit, var * count / care->unit / care->unit };
    care->mean = mean + left;
    care->rstd = var > 0 ? 1 / sqrt(var + eps * care->unit * care->unit) : 1 / sqrt(eps) / care->unit;
    return care->rstd * care->unit;
}

/* rstd of a set with these moments; care->unit is 0, or the set must be done with care. */
static double FN(norm_rstd)(fnn_moments *moments, fnn_norm_care *care, int centred, const REAL *x, fnn_size planes,
                            fnn_size stride, fnn_size len, double eps)
{
    double spread = fnn_moments_var(moments);
    if (!centred)                                   /* mean square = variance + mean^2 */
        spread += fnn_moments_mean(moments) * fnn_moments_mean(moments);
    double rstd = 1 / sqrt(spread + eps);
    *care = (fnn_norm_care){ 0, 0, 0 };
    if (FN(norm_is_safe)(rstd) || moments->count == 0)
        return rstd;
    rstd = FN(norm_moments_with_care)(moments, care, centred, x, planes, stride, len, eps);
    if (FN(norm_is_safe)(rstd))                     /* only the sums had overflowed */
        care->unit = 0;
    return rstd;
}

/* The care for a set whose mean (a pair, or NULL) and rstd were saved. Where REAL cannot hold rstd,
 * its variance is so large that eps is nothing beside it, and it is computed again. */
static fnn_norm_care FN(norm_care_of)(const REAL *mean, REAL rstd, const REAL *x, fnn_size planes, fnn_size stride,
                                      fnn_size len)
{
    fnn_norm_care care;
    fnn_moments moments;
    if (rstd >= (REAL)(REAL_IS_F64 ? DBL_MIN : FLT_MIN)) {
        care.unit = rstd < 1 ? 0x1p-8 : 1;          /* x - mean of the largest numbers overflows */
        care.mean = mean ? ((double)mean[0] + (double)mean[1]) * care.unit : 0;
        care.rstd = rstd / care.unit;
    } else
        FN(norm_moments_with_care)(&moments, &care, mean != NULL, x, planes, stride, len, 0);
    return care;
}

FNN_INLINE double FN(norm_xhat)(const fnn_norm_care *care, REAL x)
{
    return ((double)x * care->unit - care->mean) * care->rstd;
}

/* y = xhat * w + b of n elements; w and b go on by `step`, 0 or 1; NULL stands for 1 and 0. */
static void FN(norm_write_with_care)(int relu, REAL *y, const REAL *x, fnn_size n, const fnn_norm_care *care,
                                     const REAL *w, const REAL *b, fnn_size step)
{
    for (fnn_size i = 0; i < n; i++) {
        double z = FN(norm_xhat)(care, x[i]);
        z = w ? z * (double)w[i * step] : z;
        z = b ? z + (double)b[i * step] : z;
        y[i] = (REAL)(relu && z < 0 ? 0 : z);
    }
}

/* What a gradient needs: sum dy, sum dy * xhat, and the same of g = dy * w. The last two are sums
 * of their own, since w may be infinite. */
typedef struct { double dy, dy_xhat, g, g_xhat; } FN(norm_products_of);

/* Add n elements; relu: those where xhat * w + b > 0, the others with dy = 0. */
static void FN(norm_products_with_care)(int relu, FN(norm_products_of) *sum, const REAL *dy, const REAL *x, fnn_size n,
                                        const fnn_norm_care *care, double w, double b)
{
    for (fnn_size i = 0; i < n; i++) {
        const double xhat = FN(norm_xhat)(care, x[i]), passed = !relu || xhat * w + b > 0 ? dy[i] : 0, g = passed * w;
        sum->dy += passed;
        sum->dy_xhat += passed * xhat;
        sum->g += g;
        sum->g_xhat += g * xhat;
    }
}

/* ---- one plane: n elements that share mean, scale and shift ---------------------------------- */

/* y = (x - centre) * scale + shift; relu (a constant): and 0 where that is below 0 */
FNN_INLINE void FN(norm_write)(const int relu, REAL *restrict y, const REAL *restrict x, fnn_size n, REAL centre,
                               REAL scale, REAL shift)
{
    const vec centres = v_set(centre), scales = v_set(scale), shifts = v_set(shift), zero = v_set(0);
    fnn_size i = 0;
    for (; i + 2 * VL <= n; i += 2 * VL) {
        const vec y0 = (v_load(x + i) - centres) * scales + shifts;
        const vec y1 = (v_load(x + i + VL) - centres) * scales + shifts;
        v_store(y + i, relu ? v_max(zero, y0) : y0);                /* this way round NaN stays */
        v_store(y + i + VL, relu ? v_max(zero, y1) : y1);
    }
    for (; i + VL <= n; i += VL) {
        const vec y0 = (v_load(x + i) - centres) * scales + shifts;
        v_store(y + i, relu ? v_max(zero, y0) : y0);
    }
    for (; i < n; i++) {
        const REAL z = (x[i] - centre) * scale + shift;
        y[i] = relu && z < 0 ? 0 : z;
    }
}

FNN_INLINE void FN(norm_plane)(REAL *restrict y, const REAL *restrict x, fnn_size n, REAL centre, REAL scale,
                               REAL shift)
{
    FN(norm_write)(0, y, x, n, centre, scale, shift);
}

/* dx = dy * scale + (x - centre) * slope + shift; relu (a constant): of the dy that passes the
 * gate */
FNN_INLINE void FN(norm_write_backward)(const int relu, REAL *restrict dx, const REAL *restrict dy,
                                        const REAL *restrict x, fnn_size n, REAL centre, FN(norm_gate) gate, REAL scale,
                                        REAL slope, REAL shift)
{
    const vec centres = v_set(centre), gate_scales = v_set(gate.scale);
    const vec gate_shifts = v_set(gate.shift), scales = v_set(scale), slopes = v_set(slope), shifts = v_set(shift);
    fnn_size i = 0;
    for (; i + VL <= n; i += VL) {
        const vec d = v_load(x + i) - centres;
        const vec passed = relu ? FN(norm_passed)(d * gate_scales + gate_shifts, v_load(dy + i)) : v_load(dy + i);
        v_store(dx + i, passed * scales + (d * slopes + shifts));
    }
    for (; i < n; i++) {
        const REAL d = x[i] - centre, passed = !relu || d * gate.scale + gate.shift > 0 ? dy[i] : 0;
        dx[i] = passed * scale + (d * slope + shift);
    }
}

FNN_INLINE void FN(norm_plane_backward)(REAL *restrict dx, const REAL *restrict dy, const REAL *restrict x, fnn_size n,
                                        REAL centre, REAL scale, REAL slope, REAL shift)
{
    FN(norm_write_backward)(0, dx, dy, x, n, centre, (FN(norm_gate)){ 0, 0 }, scale, slope, shift);
}
