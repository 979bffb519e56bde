/* conv2d_phases.tmpl.h -- col2im for strides: sums in planes taken apart by column. Included by
 * conv2d_columns.tmpl.h.
 *
 * Math       A phase of a plane is every sw-th column: dx[i, j] of a channel is in its frame at
 *
 *                row i + ph,   phase (j + pw) mod sw,   column (j + pw) / sw,
 *
 *            with all that any tap can reach around the image. So tap (r, s) adds its row p of Q
 *            sums to Q neighbours: row p*sh + r*dh, phase s*dw mod sw, from column s*dw / sw.
 * Layout     a channel's frame is [rows][phase][width]
 * Method     The rows of a tap are added vector by vector without a test, as the frame has room for
 *            every tap. What fell into the padding is left behind when the frame is dealt out to
 *            the image.
 */
#ifndef FNN_CONV_PHASES_ONCE
#define FNN_CONV_PHASES_ONCE
enum {
    PHASES_FRAMES = 1 << 17,    /* elements of all frames together; chosen: half a MiB of floats,
                                   half of an L2 cache */
    PHASES_PADDED = 4           /* elements of a frame for each pixel of the image, at most: the
                                   rest is padding, which is added to in vain; chosen */
};
#endif

typedef struct { fnn_size rows, width; } FN(phases);

static FN(phases) FN(phases_of)(const fnn_window *g)
{
    const fnn_size rows = fnn_max(conv_rows_seen(g), g->H + g->ph);
    const fnn_size width = fnn_max(g->Q + g->dw * (g->S - 1) / g->sw, fnn_ceil_div(g->W + g->pw, g->sw));
    return (FN(phases)){ rows, width };
}

/* Whether several taps go to a pixel, so that a frame pays, and it has at most `most` elements, not
 * many more than the image. By division, as the product can overflow. */
static int FN(phases_fit)(FN(phases) f, const fnn_window *g, fnn_size most)
{
    most = fnn_min(most, PHASES_PADDED * g->H * g->W);
    return g->sw > 1 && g->sw < g->S && g->sh <= g->R && g->sw <= most && f.width <= most / g->sw
        && f.rows <= most / (g->sw * f.width);
}

/* frames of the channels from c0 on += rows [row, row_end) and columns [col, col_end) of the column
 * matrix, tap by tap in order. A row of the matrix is a tap, a column an output: P rows of Q. */
static void FN(phases_add)(REAL *restrict frames, FN(phases) f, const REAL *restrict cols, fnn_size ld,
                           const fnn_window *g, fnn_size c0, fnn_size row, fnn_size row_end, fnn_size col,
                           fnn_size col_end)
{
    const fnn_size Q = g->Q, p_end = fnn_ceil_div(col_end, Q), step = g->sh * g->sw * f.width;
    const fnn_size size = f.rows * g->sw * f.width;
    for (const fnn_size first = row; row < row_end; row++) {
        const fnn_size s = row % g->S, r = row / g->S % g->R, c = row / (g->S * g->R);
        const REAL *cols_row = cols + (row - first) * ld;
        /* where output (0, 0) adds what it saw through the tap; row p is p steps further */
        REAL *seen = frames + (c - c0) * size + (r * g->dh * g->sw + s * g->dw % g->sw) * f.width + s * g->dw / g->sw;
        fnn_size p = col / Q;
        for (; p < p_end; p++) {    /* a piece of a row of output, at the beginning or the end */
            const fnn_size begin = fnn_max(col, p * Q), end = fnn_min(col_end, (p + 1) * Q);
            if (end - begin == Q) {                 /* all rows of output that are whole */
                const fnn_size whole = col_end / Q - p;
                const REAL *from = cols_row + (p * Q - col);
                REAL *to = seen + p * step;
                fnn_size q = 0;
                for (; q + VL <= Q; q += VL)
                    for (fnn_size i = 0; i < whole; i++)
                        v_store(to + i * step + q, v_load(to + i * step + q) + v_load(from + i * Q + q));
                for (; q < Q; q++)
                    for (fnn_size i = 0; i < whole; i++)
                        to[i * step + q] += from[i * Q + q];
                p += whole - 1;
            } else
                for (fnn_size pq = begin; pq < end; pq++)
                    seen[p * step + pq - p * Q] += cols_row[pq - col];
        }
    }
}

/* dx [H][W] = a channel's frame without what is outside the image */
static void FN(phases_deal)(REAL *restrict dx, const REAL *restrict frame, FN(phases) f, const fnn_window *g)
{
    const fnn_size W = g->W, sw = g->sw;
    for (fnn_size i = 0; i < g->H; i++, dx += W) {
        const REAL *frame_row = frame + (i + g->ph) * sw * f.width;
        /* every sw-th column of the image, from j0 on: neighbours in one phase */
        for (fnn_size j0 = 0; j0 < sw && sw != 2; j0++) {
            const REAL *from = frame_row + (j0 + g->pw) % sw * f.width + (j0 + g->pw) / sw;
            for (fnn_size j = j0, nth = 0; j < W; j += sw, nth++)
                dx[j] = from[nth];
        }
        if (sw == 2) {                  /* the same in pairs, of which the compiler makes vectors */
            const REAL *even = frame_row + g->pw % 2 * f.width + g->pw / 2;
            const REAL *odd = frame_row + (1 + g->pw) % 2 * f.width + (1 + g->pw) / 2;
            for (fnn_size nth = 0; nth < W / 2; nth++) {
                dx[2 * nth] = even[nth];
                dx[2 * nth + 1] = odd[nth];
            }
            if (W % 2) dx[W - 1] = even[W / 2];
        }
    }
}
