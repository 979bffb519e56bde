/* gemm_tile.tmpl.h -- part of gemm.tmpl.h: one tile of C, held in registers while k runs.
 *
 * The idea of a register tile: mr numbers of A and nv vectors of B serve mr * nv multiply-adds, so
 * few loads are needed for each. And C is read and written once, not once for each product: its
 * sums stay in registers from the first of the k products to the last.
 *
 *                    <- nv vectors ->
 *                    | B[p, 0..NR) |       for each p: load nv vectors of B's row, and for each row
 *         A[i, p] -> |    acc[i]   |       i of the tile multiply them by the one number A[i,p]
 *
 * mr * nv accumulators: so many that enough independent multiply-adds are in flight to hide their
 * latency, and few loads are needed per multiply-add. mr and nv are constants in every version of
 * gemm_tile below, so that the loops over them disappear and acc stays in registers.
 *
 * Versions, by the layout of A:
 *     c    the mr numbers of one p are adjacent: packed panels (sa = mr), and a transposed A (sa =
 *          its column stride)
 *     r    the k numbers of one row are adjacent: A as it lies (sa = its row stride)
 *     p    like c, and the panel of B is copied on the way, at no cost: multiply-adds leave room
 *          for two stores
 *
 * c and r prefetch rows of the panel of B that comes next, one row for every GEMM_STEPS products. A
 * prefetch names the last element of a vector. If that lies in another cache line than the first
 * one, it is the line that is new: the panel to the left has used the first one's.
 */

/* One of the k products of all elements of the tile */
FNN_INLINE void FN(gemm_step)(const fnn_size mr, const fnn_size nv, const int by_rows, vec acc[GEMM_MR][GEMM_NV],
                              const REAL *a, fnn_size sa, const REAL *b, REAL *copy)
{
    vec row[GEMM_NV];
    /* the row of B */
#pragma GCC unroll 2
    for (fnn_size j = 0; j < nv; j++) {
        row[j] = v_load(b + j * VL);
        if (copy)
            v_store(copy + j * VL, row[j]);
    }
    /* the m dimension, a row of the tile at a time */
#pragma GCC unroll 16
    for (fnn_size i = 0; i < mr; i++) {
        vec x = v_set(by_rows ? a[i * sa] : a[i]);
#pragma GCC unroll 2
        for (fnn_size j = 0; j < nv; j++)
            acc[i][j] += x * row[j];
    }
}

/* What becomes of the sums on their way into C */
typedef struct {
    const REAL *bias_row, *bias_col;                /* NULL for none */
    int how;                                        /* as in gemm.h */
} FN(gemm_end);

/* What a tile is computed from */
typedef struct {
    REAL *c;                                    /* the tile's place in C, rows rsc apart */
    fnn_size rsc;
    const REAL *a, *b;                          /* the panels: sa as above, rows of B rsb apart */
    fnn_size sa, rsb;
    REAL *copy;                                 /* where the panel of B is copied to, */
    const REAL *next;                           /* or what is prefetched: rows next_step apart */
    fnn_size next_step;
    fnn_size k;
    const FN(gemm_end) *end;
} FN(gemm_tile_args);

/* The whole tile. mr, nv, by_rows (the layout r) and copies (the version p) are constants. */
FNN_INLINE void FN(gemm_tile)(const fnn_size mr, const fnn_size nv, const int by_rows, const int copies,
                              const FN(gemm_tile_args) t)
{
    const REAL *a = t.a, *b = t.b;
    uintptr_t next = (uintptr_t)t.next;     /* only prefetched from, and perhaps beyond the array */
    REAL *copy = t.copy;
    fnn_size k = t.k;
    vec acc[GEMM_MR][GEMM_NV];
#pragma GCC unroll 16
    for (fnn_size i = 0; i < mr; i++)
#pragma GCC unroll 2
        for (fnn_size j = 0; j < nv; j++)
            acc[i][j] = v_set(0);

    const REAL *soon = t.c;     /* the row of C to prefetch next: C is touched only at the end */
    /* the k dimension, GEMM_STEPS products at a time */
    for (; k > GEMM_STEPS; k -= GEMM_STEPS) {
#pragma GCC unroll 2
        for (fnn_size j = 0; j < nv; j += GEMM_LINE) {  /* a row of C, and one of the panel that
                                                           comes next */
            FNN_PREFETCH(soon, (j + GEMM_LINE) * VL - 1, 1, 3);
            if (!copies)
                FNN_PREFETCH((const REAL *)next, (j + GEMM_LINE) * VL - 1, 0, 2);
        }
        next += copies ? 0 : (uintptr_t)t.next_step * sizeof(REAL);
        soon = soon < t.c + (mr - 1) * t.rsc ? soon + t.rsc : soon;
#pragma GCC unroll 4
        for (fnn_size p = 0; p < GEMM_STEPS; p++) {
#pragma GCC unroll 2
            for (fnn_size j = 0; j < nv; j += GEMM_LINE)        /* what B and A will need soon */
                FNN_PREFETCH(b, GEMM_AHEAD * t.rsb + (j + GEMM_LINE) * VL - 1, 0, 3);
            if (!by_rows)
                FNN_PREFETCH(a, GEMM_AHEAD * t.sa, 0, 3);
            FN(gemm_step)(mr, nv, by_rows, acc, a, t.sa, b, copies ? copy : NULL);
            a += by_rows ? 1 : t.sa;
            b += t.rsb;
            copy += copies ? GEMM_NR : 0;
        }
    }
    /* the last products, one at a time; behind the very last there may be no array to point into */
    if (k > 0)
        FN(gemm_step)(mr, nv, by_rows, acc, a, t.sa, b, copies ? copy : NULL);
#pragma GCC unroll 1
    while (--k > 0) {
        a += by_rows ? 1 : t.sa;
        b += t.rsb;
        copy += copies ? GEMM_NR : 0;
        FN(gemm_step)(mr, nv, by_rows, acc, a, t.sa, b, copies ? copy : NULL);
    }

    /* into C */
#define GEMM_EACH(what)                                \
    _Pragma("GCC unroll 16")                           \
    for (fnn_size i = 0; i < mr; i++)                  \
        _Pragma("GCC unroll 2")                        \
        for (fnn_size j = 0; j < nv; j++) { what; }
    if (t.end->how & FNN_GEMM_ADD)
        GEMM_EACH(acc[i][j] += v_load(t.c + i * t.rsc + j * VL))
    if (t.end->bias_row)
        GEMM_EACH(acc[i][j] += v_set(t.end->bias_row[i]))
    if (t.end->bias_col)
        GEMM_EACH(acc[i][j] += v_load(t.end->bias_col + j * VL))
    if (t.end->how & FNN_GEMM_RELU)
        GEMM_EACH(acc[i][j] = v_max(v_set(0), acc[i][j]))           /* this way round NaN stays */
    GEMM_EACH(v_store(t.c + i * t.rsc + j * VL, acc[i][j]))
#undef GEMM_EACH
}

/* The versions take most of it one by one, so that it stays in registers: a pointer to the whole
 * takes more instructions (docs/kernels/gemm.md). */
typedef void FN(gemm_tile_fn)(REAL *c, fnn_size rsc, const REAL *a, fnn_size sa, const REAL *b, fnn_size rsb,
                              const REAL *next, fnn_size next_step, fnn_size k, const FN(gemm_end) *end);
typedef void FN(gemm_copying_fn)(REAL *c, fnn_size rsc, const REAL *a, fnn_size sa, const REAL *b, fnn_size rsb,
                                 REAL *copy, fnn_size k, const FN(gemm_end) *end);

/* One function for each layout of A, number of vectors and of rows; names are pasted:
 * gemm_tile_c2_14 reads A as c and has 2 vectors and 14 rows, gemm_tile_p_14 is p, which has always
 * 2. */
#define GEMM_TILE(name, mr, nv, by_rows)                                                                            \
    static void FN(gemm_tile_##name##_##mr)(REAL *c, fnn_size rsc, const REAL *a, fnn_size sa, const REAL *b,       \
                                            fnn_size rsb, const REAL *next, fnn_size next_step, fnn_size k,         \
                                            const FN(gemm_end) *end)                                                \
    {                                                                                                               \
        FN(gemm_tile)(mr, nv, by_rows, 0, (FN(gemm_tile_args)){                                                     \
            .c = c, .rsc = rsc, .a = a, .sa = sa, .b = b, .rsb = rsb, .next = next, .next_step = next_step, .k = k, \
            .end = end });                                                                                          \
    }
#define GEMM_PASS(mr)                                                                                               \
    static void FN(gemm_tile_p_##mr)(REAL *c, fnn_size rsc, const REAL *a, fnn_size sa, const REAL *b,              \
                                     fnn_size rsb, REAL *copy, fnn_size k, const FN(gemm_end) *end)                 \
    {                                                                                                               \
        FN(gemm_tile)(mr, GEMM_NV, 0, 1, (FN(gemm_tile_args)){                                                      \
            .c = c, .rsc = rsc, .a = a, .sa = sa, .b = b, .rsb = rsb, .copy = copy, .k = k, .end = end });          \
    }
#if REAL_IS_F64
#  define GEMM_TILES(mr) GEMM_TILE(c1, mr, 1, 0) GEMM_TILE(c2, mr, 2, 0)
#else
#  define GEMM_TILES(mr) GEMM_TILE(c1, mr, 1, 0) GEMM_TILE(c2, mr, 2, 0) GEMM_TILE(r1, mr, 1, 1) GEMM_TILE(r2, mr, 2, 1)
#endif
GEMM_TILES(1) GEMM_TILES(2) GEMM_TILES(3) GEMM_TILES(4) GEMM_TILES(5) GEMM_TILES(6)
#if GEMM_MR == 14
GEMM_TILES(7) GEMM_TILES(8) GEMM_TILES(9) GEMM_TILES(10) GEMM_TILES(11) GEMM_TILES(12) GEMM_TILES(13) GEMM_TILES(14)
GEMM_PASS(7) GEMM_PASS(8) GEMM_PASS(9) GEMM_PASS(10) GEMM_PASS(11) GEMM_PASS(12) GEMM_PASS(13) GEMM_PASS(14)
#  define GEMM_LOW(v) FN(gemm_tile_##v##_1), FN(gemm_tile_##v##_2), FN(gemm_tile_##v##_3), FN(gemm_tile_##v##_4),      \
                      FN(gemm_tile_##v##_5), FN(gemm_tile_##v##_6)
#  define GEMM_HIGH(v) FN(gemm_tile_##v##_7), FN(gemm_tile_##v##_8), FN(gemm_tile_##v##_9), FN(gemm_tile_##v##_10),    \
                       FN(gemm_tile_##v##_11), FN(gemm_tile_##v##_12), FN(gemm_tile_##v##_13), FN(gemm_tile_##v##_14)
#elif GEMM_MR == 8
GEMM_TILES(7) GEMM_TILES(8)
GEMM_PASS(4) GEMM_PASS(5) GEMM_PASS(6) GEMM_PASS(7) GEMM_PASS(8)
#  define GEMM_LOW(v) FN(gemm_tile_##v##_1), FN(gemm_tile_##v##_2), FN(gemm_tile_##v##_3)
#  define GEMM_HIGH(v) FN(gemm_tile_##v##_4), FN(gemm_tile_##v##_5), FN(gemm_tile_##v##_6), FN(gemm_tile_##v##_7),    \
                       FN(gemm_tile_##v##_8)
#else
GEMM_PASS(3) GEMM_PASS(4) GEMM_PASS(5) GEMM_PASS(6)
#  define GEMM_LOW(v) FN(gemm_tile_##v##_1), FN(gemm_tile_##v##_2)
#  define GEMM_HIGH(v) FN(gemm_tile_##v##_3), FN(gemm_tile_##v##_4), FN(gemm_tile_##v##_5), FN(gemm_tile_##v##_6)
#endif

/* [by_rows][nv - 1][mr - 1] */
static FN(gemm_tile_fn) *const FN(gemm_tiles)[2][2][GEMM_MR] = {
    { { GEMM_LOW(c1), GEMM_HIGH(c1) }, { GEMM_LOW(c2), GEMM_HIGH(c2) } },
#if !REAL_IS_F64
    { { GEMM_LOW(r1), GEMM_HIGH(r1) }, { GEMM_LOW(r2), GEMM_HIGH(r2) } },
#endif
};
/* [mr - GEMM_LEAST]: where A has two panels or more, they have at least that many rows */
#define GEMM_LEAST (GEMM_MR / 2)
static FN(gemm_copying_fn) *const FN(gemm_copying)[GEMM_MR - GEMM_LEAST + 1] = { GEMM_HIGH(p) };
#undef GEMM_LOW
#undef GEMM_HIGH
#undef GEMM_PASS
#undef GEMM_TILES
#undef GEMM_TILE
