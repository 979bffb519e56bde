/* conv2d_depthwise.tmpl.h -- one plane convolved with one window, rows in registers. Included by
 * conv2d_direct.tmpl.h, which tells what a frame is.
 *
 * Math       y[p, q] = b + sum over r, s of w[r, s] * frame[p + r, q + s*dilation],  at stride 1,
 *            for windows of 3, 5 or 7 rows, that are dilated along a row only
 * Method     A tile of DEPTHWISE_ROWS rows by one vector of outputs is summed in registers. A
 *            vector of the frame is loaded once for each column of the window and used for all its
 *            rows: it is row r of the window to output row p - r. The last tiles of a plane overlap
 *            those before, and compute the same again.
 */
#ifndef FNN_CONV_DEPTHWISE_ONCE
#define FNN_CONV_DEPTHWISE_ONCE
enum { DEPTHWISE_ROWS = 8 };    /* rows of a tile; chosen: processors begin 2 multiply-adds a cycle
                                   and finish them 4 cycles later, so 8 sums are in flight */
#endif

/* The sums of a plane */
typedef struct {
    const REAL *frame;                              /* a vector behind its end is read */
    fnn_size length;                                /* from row to row of the frame */
    const REAL *w;                                  /* [R][S] */
    fnn_size S, dilation;
    REAL b, least;                                  /* y is cut off below `least` */
} FN(depthwise_sums);

/* A tile of y, rows ldy apart. frame: the first pixel that it sees. R and rows are constants. p and
 * i count the rows of the tile and of what it sees of the frame. A register tile as wino_product:
 * weights are broadcast, pixels loaded in vectors. */
FNN_INLINE void FN(depthwise_tile)(const fnn_size R, const fnn_size rows, REAL *y, fnn_size ldy, const REAL *frame,
                                   const FN(depthwise_sums) sums)
{
    vec acc[DEPTHWISE_ROWS];
#pragma GCC unroll 8
    for (fnn_size p = 0; p < rows; p++)
        acc[p] = v_set(sums.b);
    /* columns of the window, then rows of the frame: each is seen by up to R rows of y */
    for (fnn_size s = 0; s < sums.S; s++) {
        vec weight[7];
#pragma GCC unroll 7
        for (fnn_size r = 0; r < R; r++)
            weight[r] = v_set(sums.w[r * sums.S + s]);
#pragma GCC unroll 14
        for (fnn_size i = 0; i < rows + R - 1; i++) {
            const vec seen = v_load(frame + i * sums.length + s * sums.dilation);
#pragma GCC unroll 7
            for (fnn_size r = 0; r < R; r++)
                if (i - r >= 0 && i - r < rows)
                    acc[i - r] += weight[r] * seen;
        }
    }
#pragma GCC unroll 8
    for (fnn_size p = 0; p < rows; p++)
        v_store(y + p * ldy, v_max(v_set(sums.least), acc[p]));   /* this way round NaN stays */
}

typedef void FN(depthwise_tile_fn)(REAL *y, fnn_size ldy, const REAL *frame, const FN(depthwise_sums) *sums);
/* One function for each height of the window and of the tile; names are pasted: depthwise_tile_3_8
 * has a window of 3 rows and a tile of 8. */
#define DEPTHWISE_TILE(R, rows)                                                                   \
    static void FN(depthwise_tile_##R##_##rows)(REAL *y, fnn_size ldy, const REAL *frame,         \
                                                const FN(depthwise_sums) *sums)                   \
    { FN(depthwise_tile)(R, rows, y, ldy, frame, *sums); }
DEPTHWISE_TILE(3, 4) DEPTHWISE_TILE(3, 8)
DEPTHWISE_TILE(5, 4) DEPTHWISE_TILE(5, 8)
DEPTHWISE_TILE(7, 4) DEPTHWISE_TILE(7, 8)
#undef DEPTHWISE_TILE
/* [(R - 3) / 2][rows > 4] */
static FN(depthwise_tile_fn) *const FN(depthwise_tiles)[3][2] = {
    { FN(depthwise_tile_3_4), FN(depthwise_tile_3_8) },
    { FN(depthwise_tile_5_4), FN(depthwise_tile_5_8) },
    { FN(depthwise_tile_7_4), FN(depthwise_tile_7_8) },
};

/* Whether there are tiles, and rows fill most of a vector; P rows of Q outputs. */
static int FN(depthwise_serves)(fnn_size P, fnn_size Q, fnn_size R, fnn_size dh)
{
    return R % 2 == 1 && R >= 3 && R <= 7 && dh == 1 && P >= DEPTHWISE_ROWS / 2 && 2 * Q > VL;
}

/* y [P][Q] */
static void FN(depthwise_plane)(REAL *y, fnn_size P, fnn_size Q, fnn_size R, const FN(depthwise_sums) *sums)
{
    for (fnn_size p0 = 0, rows; p0 < P; p0 += rows) {
        rows = P - p0 > DEPTHWISE_ROWS / 2 && P >= DEPTHWISE_ROWS ? DEPTHWISE_ROWS : DEPTHWISE_ROWS / 2;
        p0 = fnn_min(p0, P - rows);
        FN(depthwise_tile_fn) *const tile = FN(depthwise_tiles)[(R - 3) / 2][rows > DEPTHWISE_ROWS / 2];
        if (Q < VL) {                               /* less than a vector: beside, then copied */
            REAL out[DEPTHWISE_ROWS * VL];
            tile(out, VL, sums->frame + p0 * sums->length, sums);
            for (fnn_size p = 0; p < rows; p++)
                memcpy(y + (p0 + p) * Q, out + p * VL, Q * sizeof(REAL));
            continue;
        }
        for (fnn_size q = 0; q < Q; q += VL) {
            const fnn_size q0 = fnn_min(q, Q - VL);
            tile(y + p0 * Q + q0, Q, sums->frame + p0 * sums->length + q0, sums);
        }
    }
}
