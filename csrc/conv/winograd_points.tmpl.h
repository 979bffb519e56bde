/* winograd_points.tmpl.h -- the transforms of winograd.tmpl.h and winograd_dw.tmpl.h: tiles and
 * filters to values at points, and back. docs/kernels/winograd.md derives the matrices and works
 * them in numbers.
 *
 * Math       Along an axis, pixels d, filter w and output y are polynomials. They are known by
 *            their values at 0, 1 and -1, by their leading coefficient, "the value at infinity"
 *            (oo), and by their value at the complex number i, a root of x^2 + 1:
 *
 *                   0 | 1  .  .  . -1  . |        | 1    .    .  |        | 1  1  1  .  1  . |
 *                   1 | .  1  1  1  1  . |        | 1/4  1/4  1/4|        | .  1 -1  .  .  1 |
 *            B^T = -1 | . -1  1 -1  1  . |    G = | 1/4 -1/4  1/4|  A^T = | .  1  1  . -1  . |
 *                  oo | . -1  .  .  .  1 |        | .    .    1  |        | .  1 -1  1  . -1 |
 *                i Re | .  . -1  .  1  . |        | 1/2  .   -1/2|
 *                  Im | . -1  .  1  .  . |        | .    1/2  .  |
 *
 *            A^T takes Re p and -Im p of a product p. A product of two complex values takes three
 *            real ones. In two dimensions the values at (i, i) are polynomials
 *
 *                c00 + c10 x + c01 z + c11 x z,      x^2 = z^2 = -1
 *
 *            in two variables, x down and z across. With z = x and with z = -x that is a complex
 *            number each, and the two multiply one by one: six real products for nine. So 7 x 7 - 3
 *            = 46 products are left for 4 x 4 outputs.
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
 * Order      of the 46 products, by the points a down and b across: 16 of real points and infinity
 *            (number a * 4 + b), 12 with i across (from 16 + a * 3), 12 with i down (from 28 + b *
 *            3), 6 with both (from 40 and 43). Kind 0 of points is 0, 1 and -1, kind 1 infinity,
 *            kind 2 i. A tile that lacks a kind lacks its products, so the 46 matrices are not all
 *            of one length.
 */

/* Where a tile's products are, by kinds of points down and across; NULL where it lacks them. From
 * there a product is as many steps further as its number says. */
typedef struct { REAL *at[WINO_KINDS][WINO_KINDS]; } FN(wino_place);

/* The same of a tile or filter that has all, to be written or only read. */
FNN_INLINE FN(wino_place) FN(wino_place_whole)(const REAL *products)
{
    FN(wino_place) place;
    for (int down = 0; down < WINO_KINDS; down++)
        for (int across = 0; across < WINO_KINDS; across++)
            place.at[down][across] = (REAL *)products;
    return place;
}

/* ---- along one axis -------------------------------------------------------------------------- */

/* value = B^T d. wide: three or four outputs, else one or two, and only four numbers */
FNN_INLINE void FN(wino_times_bt)(vec *value, const vec *d, int wide)
{
    if (wide) {
        const vec odd = d[1] + d[3], even = d[2] + d[4];
        value[0] = d[0] - d[4];
        value[1] = even + odd;
        value[2] = even - odd;
        value[3] = d[5] - d[1];
        value[4] = d[4] - d[2];
        value[5] = d[3] - d[1];
    } else {
        const vec sum = d[2] + d[1], difference = d[2] - d[1];
        value[0] = d[0] - d[2];
        value[1] = sum + sum;
        value[2] = difference + difference;
        value[3] = d[3] - d[1];
        value[4] = value[5] = v_set(0);
    }
}

/* value = G w */
FNN_INLINE void FN(wino_times_g)(vec *value, const vec *w)
{
    const vec ends = w[0] + w[2], quarter = v_set((REAL)0.25), half = v_set((REAL)0.5);
    value[0] = w[0];
    value[1] = (ends + w[1]) * quarter;
    value[2] = (ends - w[1]) * quarter;
    value[3] = w[2];
    value[4] = (w[0] - w[2]) * half;
    value[5] = w[1] * half;
}

/* y = A^T value, of products */
FNN_INLINE void FN(wino_times_at)(vec *y, const vec *value, int wide)
{
    const vec even = value[1] + value[2], odd = value[1] - value[2];
    if (wide) {
        y[0] = (value[0] + even) + value[4];
        y[1] = odd + value[5];
        y[2] = even - value[4];
        y[3] = (odd - value[5]) + value[3];
    } else {
        y[0] = value[0] + even;
        y[1] = odd + value[3];
        y[2] = y[3] = v_set(0);
    }
}

/* value = A y, for dw */
FNN_INLINE void FN(wino_times_a)(vec *value, const vec *y, int wide)
{
    if (wide) {
        const vec even = y[0] + y[2], odd = y[1] + y[3];
        value[0] = y[0];
        value[1] = even + odd;
        value[2] = even - odd;
        value[3] = y[3];
        value[4] = y[0] - y[2];
        value[5] = y[1] - y[3];
    } else {
        value[0] = y[0];
        value[1] = y[0] + y[1];
        value[2] = y[0] - y[1];
        value[3] = y[1];
        value[4] = value[5] = v_set(0);
    }
}

/* w = G^T value, for dw */
FNN_INLINE void FN(wino_times_gt)(vec *w, const vec *value)
{
    const vec quarter = v_set((REAL)0.25), half = v_set((REAL)0.5);
    const vec even = (value[1] + value[2]) * quarter, odd = (value[1] - value[2]) * quarter, real = value[4] * half;
    w[0] = value[0] + even + real;
    w[1] = odd + value[5] * half;
    w[2] = even - real + value[3];
}

/* ---- 6 x 6 values to the 46 factors of products (put), 46 products to 6 x 6 values (get) ------
 * form: what is transformed, WINO_PIXELS, WINO_FILTERS or WINO_OUTPUTS. y is gotten from products,
 * dy is put into factors; filters are put in forward, and their gradient is gotten in dw. */
#define WINO_KIND(point) ((point) < 3 ? 0 : (point) == 3 ? 1 : 2)   /* a real point, infinity, i */

/* The three factors of re + im i in a product. With d0 + d1 i of pixels and w0 + w1 i of a filter,
 * the real part is (d0 + d1) w0 - d1 (w0 + w1), and minus the imaginary one is (d1 - d0) w1 -
 * d1 (w0 + w1). Those of dy are the transpose of wino_get_three. */
FNN_INLINE void FN(wino_put_three)(const int form, REAL *to, fnn_size step, vec re, vec im)
{
    v_store(to, form == WINO_PIXELS ? im + re : re);
    v_store(to + step, form == WINO_PIXELS ? im - re : im);
    v_store(to + 2 * step, form == WINO_PIXELS ? im : form == WINO_FILTERS ? -(re + im) : re + im);
}

/* The factors from value[point down] at point b across: 0, 1, -1 or infinity. whole: no product is
 * lacking, to be known at compile time */
FNN_INLINE void FN(wino_put_real)(const int form, const FN(wino_place) *place, fnn_size step, fnn_size b,
                                  const vec *value, const int whole)
{
#pragma GCC unroll 4
    for (fnn_size a = 0; a < 4; a++) {
        REAL *to = place->at[WINO_KIND(a)][WINO_KIND(b)];
        if (whole || to)
            v_store(to + (a * 4 + b) * step, value[a]);
    }
    REAL *to = place->at[2][WINO_KIND(b)];
    if (whole || to)
        FN(wino_put_three)(form, to + (28 + b * 3) * step, step, value[4], value[5]);
}

/* The factors from re[point down] and im[point down] at i across. At (i, i) these are the four real
 * numbers c00 = re[4], c10 = re[5], c01 = im[4] and c11 = im[5]: factors of (c00 - c11) + (c10 +
 * c01) i, which is the polynomial's value at z = x, and of (c00 + c11) + (c10 - c01) i, at z = -x.
 * The way back needs a half, which the filters carry. */
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

/* Three products of y to Re p and -Im p; or, for dw, the gradients of a filter's three factors to
 * those of its two numbers: the transpose of wino_put_three */
FNN_INLINE void FN(wino_get_three)(const int form, vec *re, vec *im, const REAL *from, fnn_size step)
{
    const vec last = v_load(from + 2 * step);
    *re = form == WINO_FILTERS ? v_load(from) - last : v_load(from) + last;
    *im = form == WINO_FILTERS ? v_load(from + step) - last : v_load(from + step) + last;
}

/* value[point down] from the products at point b across: 0, 1, -1 or infinity; zeros where products
 * are lacking */
FNN_INLINE void FN(wino_get_real)(const int form, vec *value, const FN(wino_place) *place, fnn_size step, fnn_size b,
                                  const int whole)
{
#pragma GCC unroll 4
    for (fnn_size a = 0; a < 4; a++) {
        const REAL *from = place->at[WINO_KIND(a)][WINO_KIND(b)];
        value[a] = whole || from ? v_load(from + (a * 4 + b) * step) : v_set(0);
    }
    const REAL *from = place->at[2][WINO_KIND(b)];
    if (whole || from)
        FN(wino_get_three)(form, &value[4], &value[5], from + (28 + b * 3) * step, step);
    else
        value[4] = value[5] = v_set(0);
}

/* re[point down], im[point down] from the products at i across */
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
        vec re_plus, im_plus, re_minus, im_minus;
        FN(wino_get_three)(form, &re_plus, &im_plus, from + 40 * step, step);
        FN(wino_get_three)(form, &re_minus, &im_minus, from + 43 * step, step);
        re[4] = (re_minus + re_plus) * scale;
        im[5] = (re_minus - re_plus) * scale;
        re[5] = (im_plus + im_minus) * scale;
        im[4] = (im_plus - im_minus) * scale;
    }
}
