/* gemm_tile.tmpl.h -- part of gemm.tmpl.h: one tile of C, held in registers while k runs.
 *
 *                    <- nv vectors ->
 *                    | B[p, 0..NR) |       for each p: load nv vectors of B's row, and for each row i of the tile multiply
 *         A[i, p] -> |    acc[i]   |       them by the one number A[i,p]. mr * nv accumulators, so that enough independent
 *                                          multiply-adds are in flight to hide their latency, and few loads per multiply-add.
 *
 * mr and nv are constants in every version of gemm_tile below, so that the loops over them disappear and acc stays in registers.
 * Versions by the layout of A:
 *     c    the mr numbers of one p are adjacent: packed panels (sa = mr), and a transposed A (sa = its column stride)
 *     r    the k numbers of one row are adjacent: A as it lies (sa = its row stride)
 */
FNN_INLINE void FN(gemm_step)(const fnn_size mr, const fnn_size nv, const int by_rows, vec acc[GEMM_MR][GEMM_NV], const REAL *a,
                              fnn_size sa, const REAL *b)
{
    vec row[GEMM_NV];
#pragma GCC unroll 2
    for (fnn_size j = 0; j < nv; j++)
        row[j] = v_load(b + j * VL);
#pragma GCC unroll 16
    for (fnn_size i = 0; i < mr; i++) {
        vec x = v_set(by_rows ? a[i * sa] : a[i]);
#pragma GCC unroll 2
        for (fnn_size j = 0; j < nv; j++)
            acc[i][j] += x * row[j];
    }
}

FNN_INLINE void FN(gemm_tile)(const fnn_size mr, const fnn_size nv, const int by_rows, REAL *c, fnn_size rsc,
                              const REAL *a, fnn_size sa, const REAL *b, fnn_size rsb, const REAL *bias_row,
                              const REAL *bias_col, fnn_size k, int how)
{
    vec acc[GEMM_MR][GEMM_NV];
#pragma GCC unroll 16
    for (fnn_size i = 0; i < mr; i++)
#pragma GCC unroll 2
        for (fnn_size j = 0; j < nv; j++)
            acc[i][j] = v_set(0);

    const REAL *soon = c;                           /* the row of C to ask for next: C is touched only at the end */
    for (; k >= GEMM_STEPS; k -= GEMM_STEPS) {
#if defined(__GNUC__)
#pragma GCC unroll 2
        for (fnn_size j = 0; j < nv; j += GEMM_LINE)
            __builtin_prefetch(soon + j * VL, 1);
#endif
        soon = soon < c + (mr - 1) * rsc ? soon + rsc : soon;
#pragma GCC unroll 4
        for (fnn_size p = 0; p < GEMM_STEPS; p++) {
#if defined(__GNUC__)
#pragma GCC unroll 2
            for (fnn_size j = 0; j < nv; j += GEMM_LINE)
                __builtin_prefetch(b + GEMM_AHEAD * rsb + j * VL);
#endif
            FN(gemm_step)(mr, nv, by_rows, acc, a, sa, b);
            a += by_rows ? 1 : sa;
            b += rsb;
        }
    }
#pragma GCC unroll 1
    for (; k > 0; k--) {
        FN(gemm_step)(mr, nv, by_rows, acc, a, sa, b);
        a += by_rows ? 1 : sa;
        b += rsb;
    }

#define GEMM_EACH(what)                                \
    _Pragma("GCC unroll 16")                           \
    for (fnn_size i = 0; i < mr; i++)                  \
        _Pragma("GCC unroll 2")                        \
        for (fnn_size j = 0; j < nv; j++) { what; }
    if (how & FNN_GEMM_ADD)
        GEMM_EACH(acc[i][j] += v_load(c + i * rsc + j * VL))
    if (bias_row)
        GEMM_EACH(acc[i][j] += v_set(bias_row[i]))
    if (bias_col)
        GEMM_EACH(acc[i][j] += v_load(bias_col + j * VL))
    if (how & FNN_GEMM_RELU)
        GEMM_EACH(acc[i][j] = v_max(v_set(0), acc[i][j]))              /* this way round NaN stays */
    GEMM_EACH(v_store(c + i * rsc + j * VL, acc[i][j]))
#undef GEMM_EACH
}

typedef void FN(gemm_tile_fn)(REAL *c, fnn_size rsc, const REAL *a, fnn_size sa, const REAL *b, fnn_size rsb,
                              const REAL *bias_row, const REAL *bias_col, fnn_size k, int how);

#define GEMM_TILE(name, mr, nv, by_rows)                                                                         \
    static void FN(name)(REAL *c, fnn_size rsc, const REAL *a, fnn_size sa, const REAL *b, fnn_size rsb,         \
                         const REAL *bias_row, const REAL *bias_col, fnn_size k, int how)                 \
    { FN(gemm_tile)(mr, nv, by_rows, c, rsc, a, sa, b, rsb, bias_row, bias_col, k, how); }
#define GEMM_TILES_C(mr) GEMM_TILE(gemm_tile_c1_##mr, mr, 1, 0) GEMM_TILE(gemm_tile_c2_##mr, mr, 2, 0)
#if REAL_IS_F64
#  define GEMM_TILES(mr) GEMM_TILES_C(mr)
#else
#  define GEMM_TILES(mr) GEMM_TILES_C(mr) GEMM_TILE(gemm_tile_r1_##mr, mr, 1, 1) GEMM_TILE(gemm_tile_r2_##mr, mr, 2, 1)
#endif
#if GEMM_MR == 14
#  define GEMM_LIST(v) { FN(gemm_tile_##v##_1), FN(gemm_tile_##v##_2), FN(gemm_tile_##v##_3), FN(gemm_tile_##v##_4),     \
                         FN(gemm_tile_##v##_5), FN(gemm_tile_##v##_6), FN(gemm_tile_##v##_7), FN(gemm_tile_##v##_8),     \
                         FN(gemm_tile_##v##_9), FN(gemm_tile_##v##_10), FN(gemm_tile_##v##_11), FN(gemm_tile_##v##_12),  \
                         FN(gemm_tile_##v##_13), FN(gemm_tile_##v##_14) }
#else
#  define GEMM_LIST(v) { FN(gemm_tile_##v##_1), FN(gemm_tile_##v##_2), FN(gemm_tile_##v##_3), FN(gemm_tile_##v##_4),     \
                         FN(gemm_tile_##v##_5), FN(gemm_tile_##v##_6) }
#endif

GEMM_TILES(1) GEMM_TILES(2) GEMM_TILES(3) GEMM_TILES(4) GEMM_TILES(5) GEMM_TILES(6)
#if GEMM_MR == 14
GEMM_TILES(7) GEMM_TILES(8) GEMM_TILES(9) GEMM_TILES(10) GEMM_TILES(11) GEMM_TILES(12) GEMM_TILES(13) GEMM_TILES(14)
#endif

/* [by_rows][nv - 1][mr - 1] */
static FN(gemm_tile_fn) *const FN(gemm_tiles)[2][2][GEMM_MR] = {
    { GEMM_LIST(c1), GEMM_LIST(c2) },
#if !REAL_IS_F64
    { GEMM_LIST(r1), GEMM_LIST(r2) },
#endif
};
#undef GEMM_LIST
#undef GEMM_TILES
#undef GEMM_TILES_C
#undef GEMM_TILE
