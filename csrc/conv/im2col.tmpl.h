/* im2col.tmpl.h -- the column matrix of one image, and col2im, its adjoint: the way back of a
 * gradient. Included by conv2d_columns.tmpl.h and unfold.tmpl.h.
 *
 * Math       cols[(c,r,s), (p,q)] = x[c, p*sh - ph + r*dh, q*sw - pw + s*dw], 0 outside the image
 *            col2im adds each element of cols back to the pixel that it was read from
 * Layout     x [C][H][W];  cols: one row per tap (c,r,s), one column per output (p,q), rows `ld`
 *            elements apart. Any rectangle of the matrix can be made, rows [row, row_end) and
 *            columns [col, col_end), so it never has to exist as a whole.
 * Method     row by row: a tap sees row i of the image shifted by s*dw - pw, so a piece of an
 *            output row is a copy with zeros at the ends; where the output is as wide as the image,
 *            a whole plane is.
 */

/* What row (c,r,s) of the matrix reads. */
typedef struct {
    fnn_size i, j;                                  /* the pixel, seen from p*sh, q*sw */
    fnn_size q_begin, q_end;                        /* the q at which it is inside the image */
    const REAL *x;                                  /* the channel's plane */
} FN(tap);

FNN_INLINE FN(tap) FN(tap_of_row)(const REAL *x, const fnn_window *g, fnn_size row)
{
    const fnn_size s = row % g->S, r = row / g->S % g->R, c = row / (g->S * g->R);
    FN(tap) t = { r * g->dh - g->ph, s * g->dw - g->pw, 0, 0, x + c * g->H * g->W };
    fnn_inside(g->W, g->Q, g->sw, t.j, &t.q_begin, &t.q_end);
    return t;
}

/* Stride 1, and an output as wide as the image: a tap sees the whole plane shifted by i rows and j
 * columns, which is one copy; what wrapped around the left or right edge is then set to zero.
 * Columns [col, col_end) go to dst. */
static void FN(shifted_plane)(REAL *restrict dst, const REAL *restrict x, FN(tap) t, const fnn_window *g,
                              fnn_size col, fnn_size col_end)
{
    const fnn_size W = g->W, shift = t.i * W + t.j;
    const fnn_size a = fnn_min(fnn_max(col, -shift), col_end), b = fnn_max(fnn_min(col_end, g->H * W - shift), a);
    memset(dst, 0, (a - col) * sizeof(REAL));
    if (b > a)
        memcpy(dst + (a - col), x + (a + shift), (b - a) * sizeof(REAL));
    memset(dst + (b - col), 0, (col_end - b) * sizeof(REAL));
    for (fnn_size row = col / W * W; t.q_end - t.q_begin < W && row < col_end; row += W) {
        for (fnn_size at = fnn_max(row, col); at < fnn_min(row + t.q_begin, col_end); at++) dst[at - col] = 0;
        for (fnn_size at = fnn_max(row + t.q_end, col); at < fnn_min(row + W, col_end); at++) dst[at - col] = 0;
    }
}

/* Rows [row, row_end) and columns [col, col_end) of the matrix, to cols. */
static void FN(im2col)(REAL *restrict cols, fnn_size ld, const REAL *restrict x, const fnn_window *g,
                       fnn_size row, fnn_size row_end, fnn_size col, fnn_size col_end)
{
    const fnn_size W = g->W, Q = g->Q, sw = g->sw;
    const int shifted = sw == 1 && g->sh == 1 && Q == W;
    for (const fnn_size first = row; row < row_end; row++) {
        const FN(tap) t = FN(tap_of_row)(x, g, row);
        REAL *dst = cols + (row - first) * ld;
        if (shifted) {
            FN(shifted_plane)(dst, t.x, t, g, col, col_end);
            continue;
        }
        /* the pieces of output rows p: zeros, pixels, zeros */
        for (fnn_size p = col / Q, at = col; at < col_end; p++) {
            const fnn_size q0 = at - p * Q, q1 = fnn_min(Q, col_end - p * Q);
            const fnn_size i = p * g->sh + t.i;
            const int outside = i < 0 || i >= g->H;
            const fnn_size a = outside ? q1 : fnn_min(fnn_max(t.q_begin, q0), q1), b = fnn_max(fnn_min(t.q_end, q1), a);
            for (fnn_size q = q0; q < a; q++) dst[q - q0] = 0;
            if (sw == 1 && b > a)
                memcpy(dst + (a - q0), t.x + (i * W + t.j + a), (b - a) * sizeof(REAL));
            else
                for (fnn_size q = a; q < b; q++) dst[q - q0] = t.x[i * W + t.j + q * sw];
            for (fnn_size q = b; q < q1; q++) dst[q - q0] = 0;
            dst += q1 - q0;
            at = p * Q + q1;
        }
    }
}

/* x[c,i,j] += cols[(c,r,s),(p,q)]: forward was  cols[...] = x[c,i,j] */
static void FN(col2im_add)(REAL *restrict x, const REAL *restrict cols, fnn_size ld, const fnn_window *g,
                           fnn_size row, fnn_size row_end, fnn_size col, fnn_size col_end)
{
    const fnn_size W = g->W, Q = g->Q, sw = g->sw;
    for (const fnn_size first = row; row < row_end; row++) {
        const FN(tap) t = FN(tap_of_row)(x, g, row);
        const REAL *from = cols + (row - first) * ld;
        REAL *plane = x + (t.x - x);
        for (fnn_size p = col / Q, at = col; at < col_end; p++) {
            const fnn_size q0 = at - p * Q, q1 = fnn_min(Q, col_end - p * Q);
            const fnn_size i = p * g->sh + t.i;
            if (i >= 0 && i < g->H) {
                const fnn_size to = i * W + t.j, src = p * Q - col;     /* both may be below 0 */
                const fnn_size a = fnn_max(t.q_begin, q0), b = fnn_min(t.q_end, q1);
                if (sw == 1)
                    for (fnn_size q = a; q < b; q++) plane[to + q] += from[src + q];
                else
                    for (fnn_size q = a; q < b; q++) plane[to + q * sw] += from[src + q];
            }
            at = p * Q + q1;
        }
    }
}
