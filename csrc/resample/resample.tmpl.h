/* resample.tmpl.h -- images of another size: nearest, linear and cubic interpolation, and means.
 *
 * Math       y[p,q] = sum over a, b of  row[p,a] col[q,b] x[a,b];  the gradient is the same with
 *            both matrices transposed
 * Symbols    H x W pixels in a plane of x, P x Q in one of y; row (P, H) and col (Q, W) hold few
 *            numbers other than 0, the taps.
 * Layout     x (planes, H, W), y (planes, P, Q), row-major; the taps of a matrix row by row.
 * Method     One direction after the other. Where y has at least as many rows as x and the taps of
 *            a row stand near each other, columns come first: each row of x is brought to Q
 *            columns once, is kept while rows of y need it, and these mix it with its neighbours,
 *            which vectorises. Else rows come first, mixed over all W columns, which vectorises,
 *            too. A direction whose outputs can all have the same 1, 2 or 4 taps is read from a
 *            table without inner loops.
 * Cost       two additions and multiplications a tap, of rows and of columns, not of their pairs.
 * Threads    blocks of rows of y; each is computed by itself, so the bits do not depend on threads.
 * Reference  fastnn/reference/interpolate.py
 */
#ifndef FNN_RESAMPLE_ONCE
#define FNN_RESAMPLE_ONCE
enum { RESAMPLE_GRAIN = 16384 };    /* elements of y in a block; chosen: as MAP_GRAIN */
typedef struct { void *y; const void *x; const fnn_resample *s; int columns_first; } fnn_resample_args;
#endif

/* out[q] = the taps of column q, of one row of x */
static void FN(resample_columns)(REAL *restrict out, const REAL *restrict x, const fnn_resample *s)
{
    const fnn_size Q = s->Q;
    const int32_t *restrict at = s->col_at;
    const REAL *restrict w = s->col_weight;
    if (s->col_taps == 1) {
        for (fnn_size q = 0; q < Q; q++) out[q] = w[q] * x[at[q]];
    } else if (s->col_taps == 2) {
        for (fnn_size q = 0; q < Q; q++) out[q] = w[q] * x[at[q]] + w[Q + q] * x[at[Q + q]];
    } else if (s->col_taps == 4) {
        for (fnn_size q = 0; q < Q; q++)
            out[q] = (w[q] * x[at[q]] + w[Q + q] * x[at[Q + q]])
                     + (w[2 * Q + q] * x[at[2 * Q + q]] + w[3 * Q + q] * x[at[3 * Q + q]]);
    } else {
        const fnn_size *start = s->col.start;
        const REAL *weight = s->col.weight;
        for (fnn_size q = 0; q < Q; q++) {
            REAL sum = 0;
            for (fnn_size k = start[q]; k < start[q + 1]; k++) sum += weight[k] * x[s->col.at[k]];
            out[q] = sum;
        }
    }
}

/* out[j] = sum over k < taps of weight[k] row[k][j], for 1 <= taps <= FNN_RESAMPLE_TAPS */
static void FN(mix_rows)(REAL *restrict out, const REAL *const *row, const REAL *weight, fnn_size taps, fnn_size n)
{
    const REAL w0 = weight[0], w1 = taps > 1 ? weight[1] : 0;
    const REAL *restrict r0 = row[0], *restrict r1 = taps > 1 ? row[1] : row[0];
    if (taps == 1 && w0 == 1) {
        memcpy(out, r0, (size_t)n * sizeof(REAL));
    } else if (taps == 1) {
        for (fnn_size j = 0; j < n; j++) out[j] = w0 * r0[j];
    } else if (taps == 2) {
        for (fnn_size j = 0; j < n; j++) out[j] = w0 * r0[j] + w1 * r1[j];
    } else {
        const REAL w2 = weight[2], w3 = taps > 3 ? weight[3] : 0;
        const REAL *restrict r2 = row[2], *restrict r3 = taps > 3 ? row[3] : row[2];
        if (taps == 3)
            for (fnn_size j = 0; j < n; j++) out[j] = (w0 * r0[j] + w1 * r1[j]) + w2 * r2[j];
        else
            for (fnn_size j = 0; j < n; j++) out[j] = (w0 * r0[j] + w1 * r1[j]) + (w2 * r2[j] + w3 * r3[j]);
    }
}

/* Rows begin to end of y, counted through all planes. */
static void FN(resample_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_resample_args *args = ctx;
    const fnn_resample *s = args->s;
    const fnn_size H = s->H, W = s->W, P = s->P, Q = s->Q;
    const REAL *weight = s->row.weight, *row[FNN_RESAMPLE_TAPS];
    const size_t length = (size_t)fnn_max(W, Q);
    REAL *kept = fnn_scratch_alloc(FNN_RESAMPLE_TAPS * length * sizeof(REAL));
    fnn_size held[FNN_RESAMPLE_TAPS] = { -1, -1, -1, -1 };      /* which row of x, of all planes */
    for (fnn_size r = begin; r < end; r++) {
        const fnn_size n = r / P, p = r % P, first = s->row.start[p], taps = s->row.start[p + 1] - first;
        REAL *restrict y = (REAL *)args->y + r * Q;
        const REAL *x = (const REAL *)args->x + n * H * W;
        const int32_t *at = s->row.at + first;
        if (taps == 0) {
            memset(y, 0, (size_t)Q * sizeof(REAL));
        } else if (args->columns_first) {
            for (fnn_size k = 0; k < taps; k++) {
                const fnn_size place = at[k] % FNN_RESAMPLE_TAPS;
                REAL *out = kept + (size_t)place * length;
                if (held[place] != n * H + at[k]) {
                    held[place] = n * H + at[k];
                    FN(resample_columns)(out, x + at[k] * W, s);
                }
                row[k] = out;
            }
            FN(mix_rows)(y, row, weight + first, taps, Q);
        } else {
            for (fnn_size k = 0; k < fnn_min(taps, FNN_RESAMPLE_TAPS); k++) row[k] = x + at[k] * W;
            FN(mix_rows)(kept, row, weight + first, fnn_min(taps, FNN_RESAMPLE_TAPS), W);
            for (fnn_size k = FNN_RESAMPLE_TAPS; k < taps; k++) {
                const REAL *restrict more = x + at[k] * W;
                const REAL w = weight[first + k];
                for (fnn_size j = 0; j < W; j++) kept[j] += w * more[j];
            }
            FN(resample_columns)(y, kept, s);
        }
    }
    fnn_scratch_free(kept);
}

void FN(resample2d)(REAL *y, const REAL *x, const fnn_resample *s)
{
    fnn_resample_args args = { y, x, s, s->P >= s->H };
    for (fnn_size p = 0; p < s->P && args.columns_first; p++) {
        const fnn_size first = s->row.start[p], last = s->row.start[p + 1] - 1;
        args.columns_first = last < first || s->row.at[last] - s->row.at[first] < FNN_RESAMPLE_TAPS;
    }
    if (s->Q > 0 && s->P > 0)
        fnn_parallel_for(s->planes * s->P, fnn_grain(RESAMPLE_GRAIN, s->Q), FN(resample_block), &args);
}
