/* winograd_points.tmpl.h -- the transforms of winograd.tmpl.h and winograd_dw.tmpl.h: tiles and
 * filters to values at points, and back.
 *
 * Math       Along an axis, pixels d, filter g and output y are polynomials, with values at 0, 1,
 *            -1, infinity and, complex, at i:
 *
 *                   0 | 1  .  .  . -1  . |        | 1    .    .  |        | 1  1  1  .  1  . |
 *                   1 | .  1  1  1  1  . |        | 1/4  1/4  1/4|        | .  1 -1  .  .  1 |
 *            B^T = -1 | . -1  1 -1  1  . |    G = | 1/4 -1/4  1/4|  A^T = | .  1  1  . -1  . |
 *                  oo | . -1  .  .  .  1 |        | .    .    1  |        | .  1 -1  1  . -1 |
 *                i Re | .  . -1  .  1  . |        | 1/2  .   -1/2|
 *                  Im | . -1  .  1  .  . |        | .    1/2  .  |        A^T takes Re p and -Im p of a product p
 *
 *            A product of two complex values takes three real ones. In two dimensions the values at
 *            (i, i) are pairs of complex values, polynomials in x and y modulo x^2 + 1 and y^2 + 1;
 *            there x y squares to 1, and with y = x and y = -x such a product is two of complex
 *            numbers, six real ones for nine. So 7 x 7 - 3 = 46 products are left for 4 x 4
 *            outputs.
 *
 *            At the end of an axis whose length is no multiple of four the last tile is smaller:
 *            points are left out, and the filters' values at the others serve as they are. Three
 *            outputs need no infinity, two no i, where
 *
 *                   0 | 1  . -1  . |
 *            B^T =  1 | .  2  2  . |        A^T = | 1  1  1  . |
 *                  -1 | . -2  2  . |              | .  1 -1  1 |
 *                  oo | . -1  .  1 |
 *
 *            and one neither.
 * Products   by the points down and across: 16 of real points, 12 with i across, 12 with i down, 6
 *            with both. A tile that lacks a point lacks its products, so the 46 matrices are not
 *            all of one length.
 */

/* Where a tile's products are, by kinds of points down and across; NULL where it lacks them.
 * Product p of a kind is p steps further. */
typedef struct { REAL *at[WINO_KINDS][WINO_KINDS]; } FN(wino_place);

FNN_INLINE FN(wino_place) FN(wino_place_whole)(const REAL *p)
{
    FN(wino_place) place;
    for (int down = 0; down < WINO_KINDS; down++)
        for (int across = 0; across < WINO_KINDS; across++)
            place.at[down][across] = (REAL *)p;
    return place;
}

/* ---- along one axis -------------------------------------------------------------------------- */

/* wide: three or four outputs, else one or two, and only four numbers */
FNN_INLINE void FN(wino_bt)(vec *n, const vec *d, int wide)
{
    if (wide) {
        const vec odd = d[1] + d[3], even = d[2] + d[4];
        n[0] = d[0] - d[4];
        n[1] = even + odd;
        n[2] = even - odd;
        n[3] = d[5] - d[1];
        n[4] = d[4] - d[2];
        n[5] = d[3] - d[1];
    } else {
        const vec sum = d[2] + d[1], difference = d[2] - d[1];
        n[0] = d[0] - d[2];
        n[1] = sum + sum;
        n[2] = difference + difference;
        n[3] = d[3] - d[1];
        n[4] = n[5] = v_set(0);
    }
}

FNN_INLINE void FN(wino_g)(vec *n, const vec *g)
{
    const vec ends = g[0] + g[2], quarter = v_set((REAL)0.25), half = v_set((REAL)0.5);
    n[0] = g[0];
    n[1] = (ends + g[1]) * quarter;
    n[2] = (ends - g[1]) * quarter;
    n[3] = g[2];
    n[4] = (g[0] - g[2]) * half;
    n[5] = g[1] * half;
}

FNN_INLINE void FN(wino_at)(vec *y, const vec *n, int wide)
{
    const vec even = n[1] + n[2], odd = n[1] - n[2];
    if (wide) {
        y[0] = (n[0] + even) + n[4];
        y[1] = odd + n[5];
        y[2] = even - n[4];
        y[3] = (odd - n[5]) + n[3];
    } else {
        y[0] = n[0] + even;
        y[1] = odd + n[3];
        y[2] = y[3] = v_set(0);
    }
}

FNN_INLINE void FN(wino_a)(vec *n, const vec *y, int wide)
{
    if (wide) {
        const vec even = y[0] + y[2], odd = y[1] + y[3];
        n[0] = y[0];
        n[1] = even + odd;
        n[2] = even - odd;
        n[3] = y[3];
        n[4] = y[0] - y[2];
        n[5] = y[1] - y[3];
    } else {
        n[0] = y[0];
        n[1] = y[0] + y[1];
        n[2] = y[0] - y[1];
        n[3] = y[1];
        n[4] = n[5] = v_set(0);
    }
}

FNN_INLINE void FN(wino_gt)(vec *g, const vec *n)
{
    const vec quarter = v_set((REAL)0.25), half = v_set((REAL)0.5);
    const vec even = (n[1] + n[2]) * quarter, odd = (n[1] - n[2]) * quarter, real = n[4] * half;
    g[0] = n[0] + even + real;
    g[1] = odd + n[5] * half;
    g[2] = even - real + n[3];
}

/* ---- six by six numbers to the 46 factors of products, and 46 products to six by six numbers
 */
#define WINO_KIND(point) ((point) < 3 ? 0 : (point) == 3 ? 1 : 2)       /* a real point, infinity, i */

/* The three factors that a complex number has in a product: of pixels, of filters, of the gradient
 * of y */
FNN_INLINE void FN(wino_put_three)(const int form, REAL *to, fnn_size step, vec re, vec im)
{
    v_store(to, form == WINO_PIXELS ? im + re : re);
    v_store(to + step, form == WINO_PIXELS ? im - re : im);
    v_store(to + 2 * step, form == WINO_PIXELS ? im : form == WINO_FILTERS ? -(re + im) : re + im);
}

/* The factors from n[point down] at a real point b across, or at infinity. whole: no product is
 * lacking, to be known at compile time */
FNN_INLINE void FN(wino_put_real)(const int form, const FN(wino_place) *place, fnn_size step, fnn_size b, const vec *n,
                                  const int whole)
{
#pragma GCC unroll 4
    for (fnn_size a = 0; a < 4; a++) {
        REAL *to = place->at[WINO_KIND(a)][WINO_KIND(b)];
        if (whole || to)
            v_store(to + (a * 4 + b) * step, n[a]);
    }
    REAL *to = place->at[2][WINO_KIND(b)];
    if (whole || to)
        FN(wino_put_three)(form, to + (28 + b * 3) * step, step, n[4], n[5]);
}

/* and from re[point down] and im[point down] at i */
FNN_INLINE void FN(wino_put_complex)(const int form, const FN(wino_place) *place, fnn_size step, const vec *re,
                                     const vec *im, const int whole)
{
#pragma GCC unroll 4
    for (fnn_size a = 0; a < 4; a++) {
        REAL *to = place->at[WINO_KIND(a)][2];
        if (whole || to)
            FN(wino_put_three)(form, to + (16 + a * 3) * step, step, re[a], im[a]);
    }
    REAL *to = place->at[2][2];
    if (whole || to) {
        const vec scale = v_set(form == WINO_FILTERS ? (REAL)0.5 : (REAL)1);
        FN(wino_put_three)(form, to + 40 * step, step, (re[4] - im[5]) * scale, (re[5] + im[4]) * scale);
        FN(wino_put_three)(form, to + 43 * step, step, (re[4] + im[5]) * scale, (re[5] - im[4]) * scale);
    }
}

/* The adjoint of wino_put_three for the gradient of y, which makes it that of y; and for filters */
FNN_INLINE void FN(wino_get_three)(const int form, vec *re, vec *im, const REAL *from, fnn_size step)
{
    const vec last = v_load(from + 2 * step);
    *re = form == WINO_FILTERS ? v_load(from) - last : v_load(from) + last;
    *im = form == WINO_FILTERS ? v_load(from + step) - last : v_load(from + step) + last;
}

/* n[point down] from the products at a real point b across, or at infinity; zeros where products
 * are lacking */
FNN_INLINE void FN(wino_get_real)(const int form, vec *n, const FN(wino_place) *place, fnn_size step, fnn_size b,
                                  const int whole)
{
#pragma GCC unroll 4
    for (fnn_size a = 0; a < 4; a++) {
        const REAL *from = place->at[WINO_KIND(a)][WINO_KIND(b)];
        n[a] = whole || from ? v_load(from + (a * 4 + b) * step) : v_set(0);
    }
    const REAL *from = place->at[2][WINO_KIND(b)];
    if (whole || from)
        FN(wino_get_three)(form, &n[4], &n[5], from + (28 + b * 3) * step, step);
    else
        n[4] = n[5] = v_set(0);
}

/* and re[point down], im[point down] from those at i */
FNN_INLINE void FN(wino_get_complex)(const int form, vec *re, vec *im, const FN(wino_place) *place, fnn_size step,
                                     const int whole)
{
    for (fnn_size a = 0; !whole && a < WINO_IN; a++)
        re[a] = im[a] = v_set(0);
#pragma GCC unroll 4
    for (fnn_size a = 0; a < 4; a++) {
        const REAL *from = place->at[WINO_KIND(a)][2];
        if (whole || from)
            FN(wino_get_three)(form, &re[a], &im[a], from + (16 + a * 3) * step, step);
    }
    const REAL *from = place->at[2][2];
    if (whole || from) {
        const vec scale = v_set(form == WINO_FILTERS ? (REAL)0.5 : (REAL)1);
        vec re_x, im_x, re_back, im_back;
        FN(wino_get_three)(form, &re_x, &im_x, from + 40 * step, step);
        FN(wino_get_three)(form, &re_back, &im_back, from + 43 * step, step);
        re[4] = (re_back + re_x) * scale;
        im[5] = (re_back - re_x) * scale;
        re[5] = (im_x + im_back) * scale;
        im[4] = (im_x - im_back) * scale;
    }
}
