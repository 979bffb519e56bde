/* conv2d_padding.tmpl.h -- padding adds nothing to a sum, not even where an infinite weight meets
 * it. Included by conv2d.tmpl.h.
 *
 * Why        The methods take padding for pixels that are 0. Times a finite weight that adds
 *            nothing, but 0 times infinity is NaN.
 * Notice     A tap that sees padding anywhere sees it from the first output of a plane or from the
 *            last. So if its weight is not finite, one of these two is NaN, in every image. In dw
 *            the upstream gradients are what meets padding, all channels alike: the taps of one
 *            channel tell. In dx the first and the last pixel of each phase tell: sh x sw pixels at
 *            the beginning of a plane, and as many at its end.
 * Mend       What is NaN and saw padding is summed once more, over the image alone. dx goes by
 *            columns, which leave out what falls beside the image.
 * Letters    dh, dw in g-> are the dilation; dw alone is the gradient of w.
 * Cost       where all is finite: to look at two numbers of a plane of y, or 2 sh x sw of dx, in
 *            one image, and at RS numbers of a filter of dw
 */
#ifndef FNN_CONV_PADDING_ONCE
#define FNN_CONV_PADDING_ONCE
enum { MEND_FILTERS = 4096 };   /* filters, with two numbers to look at each, in a block; chosen: as
                                   nearly always nothing is mended, one block is enough */
#endif

typedef struct {
    REAL *out;                                      /* y or dw */
    const REAL *x, *w, *b, *dy;
    int relu;
    const fnn_window *g;
} FN(conv_mend_args);

static int FN(conv_sees_padding)(const fnn_window *g)
{
    return g->ph > 0 || g->pw > 0 || conv_rows_seen(g) - g->ph > g->H || conv_columns_seen(g) - g->pw > g->W;
}

FNN_INLINE int FN(conv_is_nan)(REAL v) { return v != v; }

/* ---- y --------------------------------------------------------------------------------------- */

/* y[n, k, p, q] once more, if it is NaN and its window sees padding */
static void FN(conv_mend_output)(const FN(conv_mend_args) *args, fnn_size n, fnn_size k, fnn_size p, fnn_size q)
{
    const fnn_window *g = args->g;
    /* the pixel that tap (0, 0) sees */
    const fnn_size Cg = g->C / g->G, i0 = p * g->sh - g->ph, j0 = q * g->sw - g->pw;
    const REAL *w = args->w + k * conv_taps(g), *x = args->x + (n * g->C + k / (g->K / g->G) * Cg) * g->H * g->W;
    REAL *y = args->out + ((n * g->K + k) * g->P + p) * g->Q + q, sum = args->b ? args->b[k] : 0;
    fnn_size r0, r1, s0, s1;                        /* the taps that see the image */
    fnn_inside(g->H, g->R, g->dh, i0, &r0, &r1);
    fnn_inside(g->W, g->S, g->dw, j0, &s0, &s1);
    if (!FN(conv_is_nan)(*y) || (r1 - r0 == g->R && s1 - s0 == g->S))
        return;
    for (fnn_size c = 0; c < Cg && !FN(conv_is_nan)(sum); c++)
        for (fnn_size r = r0; r < r1; r++)
            for (fnn_size s = s0; s < s1; s++)
                sum += w[(c * g->R + r) * g->S + s] * x[(c * g->H + i0 + r * g->dh) * g->W + j0 + s * g->dw];
    *y = args->relu && sum < 0 ? 0 : sum;
}

/* Filters [begin, end) */
static void FN(conv_mend_y_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(conv_mend_args) *args = ctx;
    const fnn_window *g = args->g;
    const fnn_size PQ = g->P * g->Q;
    for (fnn_size k = begin; k < end; k++) {
        const int noticed = FN(conv_is_nan)(args->out[k * PQ]) || FN(conv_is_nan)(args->out[(k + 1) * PQ - 1]);
        for (fnn_size n = 0; n < g->N && noticed; n++)
            for (fnn_size p = 0; p < g->P; p++)
                for (fnn_size q = 0; q < g->Q; q++)
                    FN(conv_mend_output)(args, n, k, p, q);
    }
}

static void FN(conv_mend_y)(REAL *y, const REAL *x, const REAL *w, const REAL *b, int relu, const fnn_window *g)
{
    FN(conv_mend_args) args = { .out = y, .x = x, .w = w, .b = b, .relu = relu, .g = g };
    if (FN(conv_sees_padding)(g) && g->N * g->P * g->Q > 0)
        fnn_parallel_for(g->K, MEND_FILTERS, FN(conv_mend_y_block), &args);
}

/* ---- dx -------------------------------------------------------------------------------------- */

/* Whether a plane of dx has NaN within sh x sw pixels of its first or of its last. */
static int FN(conv_ends_are_nan)(const REAL *plane, const fnn_window *g)
{
    const fnn_size rows = fnn_min(g->sh, g->H), columns = fnn_min(g->sw, g->W), HW = g->H * g->W;
    int nan = 0;
    for (fnn_size i = 0; i < rows; i++)
        for (fnn_size j = 0; j < columns; j++)
            nan |= FN(conv_is_nan)(plane[i * g->W + j]) | FN(conv_is_nan)(plane[HW - 1 - i * g->W - j]);
    return nan;
}

/* Whether dx may hold 0 times an infinite weight. */
static int FN(conv_dx_is_suspect)(const REAL *dx, const fnn_window *g)
{
    int nan = 0;
    for (fnn_size c = 0; c < g->C && g->N > 0 && !nan; c++)
        nan = FN(conv_ends_are_nan)(dx + c * g->H * g->W, g);
    return nan;
}

/* ---- dw -------------------------------------------------------------------------------------- */

/* dw[k, c, r, s] once more, if it is NaN: the sum over the outputs whose tap (r, s) sees the
 * image */
static void FN(conv_mend_weight)(const FN(conv_mend_args) *args, fnn_size k, fnn_size c, fnn_size r, fnn_size s)
{
    const fnn_window *g = args->g;
    /* the pixel that output (0, 0) sees through the tap */
    const fnn_size Cg = g->C / g->G, i0 = r * g->dh - g->ph, j0 = s * g->dw - g->pw;
    REAL *dw = args->out + ((k * Cg + c) * g->R + r) * g->S + s, sum = 0;
    fnn_size p0, p1, q0, q1;
    if (!FN(conv_is_nan)(*dw))
        return;
    fnn_inside(g->H, g->P, g->sh, i0, &p0, &p1);
    fnn_inside(g->W, g->Q, g->sw, j0, &q0, &q1);
    for (fnn_size n = 0; n < g->N && !FN(conv_is_nan)(sum); n++) {
        const REAL *x = args->x + (n * g->C + k / (g->K / g->G) * Cg + c) * g->H * g->W;
        const REAL *dy = args->dy + (n * g->K + k) * g->P * g->Q;
        for (fnn_size p = p0; p < p1; p++)
            for (fnn_size q = q0; q < q1; q++)
                sum += dy[p * g->Q + q] * x[(i0 + p * g->sh) * g->W + j0 + q * g->sw];
    }
    *dw = sum;
}

/* Filters [begin, end) */
static void FN(conv_mend_dw_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(conv_mend_args) *args = ctx;
    const fnn_window *g = args->g;
    const fnn_size RS = g->R * g->S;
    for (fnn_size k = begin; k < end; k++) {
        int noticed = 0;
        for (fnn_size rs = 0; rs < RS; rs++)
            noticed |= FN(conv_is_nan)(args->out[k * conv_taps(g) + rs]);
        for (fnn_size c = 0; c < g->C / g->G && noticed; c++)
            for (fnn_size rs = 0; rs < RS; rs++)
                FN(conv_mend_weight)(args, k, c, rs / g->S, rs % g->S);
    }
}

/* Depthwise also where nothing is padded: there rows of dy are filled up with zeros, which meet
 * pixels that the tap does not see. */
static void FN(conv_mend_dw)(REAL *dw, const REAL *dy, const REAL *x, const fnn_window *g)
{
    FN(conv_mend_args) args = { .out = dw, .x = x, .dy = dy, .g = g };
    if (conv_taps(g) > 0 && (FN(conv_sees_padding)(g) || conv_is_depthwise(g)))
        fnn_parallel_for(g->K, fnn_grain(CONV_COPY, g->R * g->S), FN(conv_mend_dw_block), &args);
}
