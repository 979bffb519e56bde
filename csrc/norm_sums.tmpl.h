/* norm_sums.tmpl.h -- what all normalisations share: moments of a set of elements, and one plane of the result.
 *
 * Math       mean = sum x / m,  var = sum (x - mean)^2 / m   over the m elements of a set
 * Method     A chunk that the L1 cache holds is read twice, for its mean and for the deviations from it; chunks are merged in
 *            double by the formula of Chan, Golub and LeVeque. Deviations do not cancel, whatever the mean is. What is left of
 *            the mean after rounding it to REAL is carried along as `rest`, so that the result is accurate even where the
 *            mean is 10,000 times the deviation:  xhat = (x - mean) * rstd - rest * rstd.
 * Reference  Chan, Golub, LeVeque (1979), "Updating formulae and a pairwise algorithm for computing sample variances".
 */
#ifndef FNN_NORM_SUMS_ONCE
#define FNN_NORM_SUMS_ONCE
enum {
    NORM_GRAIN = 16384,                             /* elements that are worth a block */
    NORM_CHUNK = 4096                               /* elements read twice in a row: 16 or 32 KB */
};

/* Of `count` elements: their mean is centre + offset, in two parts so that none of it is lost, and m2 = sum (x - mean)^2. */
typedef struct { double count, centre, offset, m2; } fnn_moments;

/* Add `count` elements with these sums of x - centre and (x - centre)^2. */
static void fnn_moments_add(fnn_moments *a, double count, double centre, double sum, double squares)
{
    double offset = sum / count, m2 = squares - sum * offset;
    if (a->count == 0) {
        *a = (fnn_moments){ count, centre, offset, m2 };
        return;
    }
    double total = a->count + count, share = count / total, delta = (centre - a->centre) + (offset - a->offset);
    a->m2 += m2 + delta * delta * (a->count * share);
    a->offset += delta * share;
    a->count = total;
}

static double fnn_moments_mean(const fnn_moments *a) { return a->centre + a->offset; }
static double fnn_moments_var(const fnn_moments *a) { return a->count > 0 ? a->m2 / a->count : 0; }

/* Items of `size` elements that are worth a block. */
static fnn_size fnn_norm_items(fnn_size size)
{
    return size < NORM_GRAIN ? NORM_GRAIN / (size > 0 ? size : 1) : 1;
}
#endif

/* ---- sums over contiguous elements: several registers, since one addition must wait for the one before ---- */

static REAL FN(norm_sum)(const REAL *restrict x, fnn_size n)
{
    vec a = v_set(0), b = a, c = a, d = a;
    fnn_size i = 0;
    for (; i + 4 * VL <= n; i += 4 * VL) {
        a += v_load(x + i);
        b += v_load(x + i + VL);
        c += v_load(x + i + 2 * VL);
        d += v_load(x + i + 3 * VL);
    }
    for (; i + VL <= n; i += VL)
        a += v_load(x + i);
    REAL s = v_sum((a + b) + (c + d));
    for (; i < n; i++)
        s += x[i];
    return s;
}

/* *sum += sum (x - centre),  *squares += sum (x - centre)^2 */
static void FN(norm_spread)(const REAL *restrict x, fnn_size n, REAL centre, double *sum, double *squares)
{
    vec m = v_set(centre), s0 = v_set(0), s1 = s0, q0 = s0, q1 = s0;
    fnn_size i = 0;
    for (; i + 2 * VL <= n; i += 2 * VL) {
        vec d0 = v_load(x + i) - m, d1 = v_load(x + i + VL) - m;
        s0 += d0;
        s1 += d1;
        q0 += d0 * d0;
        q1 += d1 * d1;
    }
    REAL s = v_sum(s0 + s1), q = v_sum(q0 + q1);
    for (; i < n; i++) {
        REAL d = x[i] - centre;
        s += d;
        q += d * d;
    }
    *sum += s;
    *squares += q;
}

/* *sum += sum dy,  *product += sum dy * (x - centre) */
static void FN(norm_products)(const REAL *restrict dy, const REAL *restrict x, fnn_size n, REAL centre,
                              double *sum, double *product)
{
    vec m = v_set(centre), s0 = v_set(0), s1 = s0, p0 = s0, p1 = s0;
    fnn_size i = 0;
    for (; i + 2 * VL <= n; i += 2 * VL) {
        vec g0 = v_load(dy + i), g1 = v_load(dy + i + VL);
        s0 += g0;
        s1 += g1;
        p0 += g0 * (v_load(x + i) - m);
        p1 += g1 * (v_load(x + i + VL) - m);
    }
    REAL s = v_sum(s0 + s1), p = v_sum(p0 + p1);
    for (; i < n; i++) {
        s += dy[i];
        p += dy[i] * (x[i] - centre);
    }
    *sum += s;
    *product += p;
}

/* Moments of `planes` pieces of `len` elements, `stride` apart, in chunks of several pieces or of a part of one. */
static fnn_moments FN(norm_moments)(const REAL *x, fnn_size planes, fnn_size stride, fnn_size len)
{
    fnn_moments all = { 0, 0, 0, 0 };
    fnn_size together = len < NORM_CHUNK ? NORM_CHUNK / (len > 0 ? len : 1) : 1;
    for (fnn_size p0 = 0; p0 < planes; p0 += together) {
        fnn_size p1 = p0 + together < planes ? p0 + together : planes;
        for (fnn_size i = 0; i < len; i += NORM_CHUNK) {
            fnn_size part = len - i < NORM_CHUNK ? len - i : NORM_CHUNK;
            double count = (double)(p1 - p0) * (double)part, total = 0, sum = 0, squares = 0;
            for (fnn_size p = p0; p < p1; p++)
                total += FN(norm_sum)(x + p * stride + i, part);
            REAL centre = (REAL)(total / count);
            for (fnn_size p = p0; p < p1; p++)
                FN(norm_spread)(x + p * stride + i, part, centre, &sum, &squares);
            fnn_moments_add(&all, count, centre, sum, squares);
        }
    }
    return all;
}

/* The mean as a pair: rounded to REAL, and what the rounding left. */
static void FN(norm_keep_mean)(REAL *pair, const fnn_moments *m)
{
    pair[0] = (REAL)fnn_moments_mean(m);
    pair[1] = (REAL)((m->centre - (double)pair[0]) + m->offset);
}

/* ---- one plane: n elements that share mean, scale and shift ----------------------------------------------- */

static void FN(norm_plane)(REAL *restrict y, const REAL *restrict x, fnn_size n, REAL centre, REAL scale,
                           REAL shift)
{
    for (fnn_size i = 0; i < n; i++)
        y[i] = (x[i] - centre) * scale + shift;
}

static void FN(norm_plane_backward)(REAL *restrict dx, const REAL *restrict dy, const REAL *restrict x,
                                    fnn_size n, REAL centre, REAL a, REAL b, REAL c)
{
    for (fnn_size i = 0; i < n; i++)
        dx[i] = dy[i] * a + ((x[i] - centre) * b + c);
}
