/* gemm_pack.tmpl.h -- part of gemm.tmpl.h: copy a strip of a matrix into a panel, the order in which the tile reads it.
 *
 *     matrix, element (lane, p) at src[lane * ls + p * ks]           panel, element (lane, p) at dst[p * width + lane]
 *
 * A lane is a row of A or a column of B. The tile then reads memory from one end to the other, whatever the strides were.
 * Where the k numbers of a lane are adjacent, VL x VL blocks are transposed in registers; otherwise whole vectors are copied.
 * Vectors are stored even where fewer than VL lanes remain: what they write beyond the end of one p is overwritten by the next
 * p, or, since the last group of lanes goes first, by the next group. A panel is therefore followed by VL elements of slack.
 */
#if REAL_IS_F64
#  define GEMM_LANES (VBYTES / 8)
#else
#  define GEMM_LANES (VBYTES / 4)
#endif
#if defined(__has_builtin)
#  if __has_builtin(__builtin_shufflevector)
#    define GEMM_SHUFFLE __builtin_shufflevector
#  endif
#endif

#if !defined(GEMM_SHUFFLE)
#  define GEMM_TRANSPOSES 0                         /* GCC before 12, MSVC: one element at a time */
#elif GEMM_LANES == 2
#  define GEMM_TRANSPOSES 1
#  define GEMM_LOW(a, b) GEMM_SHUFFLE(a, b, 0, 2)
#  define GEMM_HIGH(a, b) GEMM_SHUFFLE(a, b, 1, 3)
#elif GEMM_LANES == 4
#  define GEMM_TRANSPOSES 2
#  define GEMM_LOW(a, b) GEMM_SHUFFLE(a, b, 0, 4, 1, 5)
#  define GEMM_HIGH(a, b) GEMM_SHUFFLE(a, b, 2, 6, 3, 7)
#elif GEMM_LANES == 8
#  define GEMM_TRANSPOSES 3
#  define GEMM_LOW(a, b) GEMM_SHUFFLE(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#  define GEMM_HIGH(a, b) GEMM_SHUFFLE(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#elif GEMM_LANES == 16
#  define GEMM_TRANSPOSES 4
#  define GEMM_LOW(a, b) GEMM_SHUFFLE(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#  define GEMM_HIGH(a, b) GEMM_SHUFFLE(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#endif

#if GEMM_TRANSPOSES
/* v[i][j] becomes v[j][i]: each round deals the vectors of the upper half between those of the lower half, like cards. */
FNN_INLINE void FN(gemm_transpose)(vec *v)
{
    vec t[GEMM_LANES];
#pragma GCC unroll 4
    for (int round = 0; round < GEMM_TRANSPOSES; round++) {
#pragma GCC unroll 8
        for (int i = 0; i < GEMM_LANES / 2; i++) {
            t[2 * i] = GEMM_LOW(v[i], v[i + GEMM_LANES / 2]);
            t[2 * i + 1] = GEMM_HIGH(v[i], v[i + GEMM_LANES / 2]);
        }
#pragma GCC unroll 16
        for (int i = 0; i < GEMM_LANES; i++)
            v[i] = t[i];
    }
}

/* All columns, if there are VL or more, of `lanes` <= VL rows of the matrix, adjacent along k. Returns how many were done. */
GEMM_APART fnn_size FN(gemm_pack_rows)(REAL *dst, fnn_size width, const REAL *src, fnn_size ls, fnn_size lanes, fnn_size k)
{
    if (k < VL)
        return 0;
    for (fnn_size p = 0; p < k; p += VL) {
        if (p > k - VL)
            p = k - VL;                             /* the last block overlaps the one before */
        vec v[GEMM_LANES];
#pragma GCC unroll 16
        for (fnn_size i = 0; i < VL; i++)           /* lanes that the matrix lacks repeat the last one */
            v[i] = v_load(src + gemm_min(i, lanes - 1) * ls + p);
        FN(gemm_transpose)(v);
#pragma GCC unroll 16
        for (fnn_size i = 0; i < VL; i++)
            v_store(dst + (p + i) * width, v[i]);
    }
    return k;
}
#endif

/* `width` lanes of a panel, of which the matrix has `lanes`; the others get zeros or copies, and what is computed from them is
 * thrown away. `readable` >= lanes lanes may be read. */
GEMM_APART void FN(gemm_pack)(REAL *restrict dst, fnn_size width, fnn_size lanes, fnn_size readable, const REAL *restrict src,
                          fnn_size ls, fnn_size ks, fnn_size k)
{
    for (fnn_size first = (width - 1) / VL * VL; first >= 0; first -= VL) {
        const fnn_size here = gemm_min(VL, width - first);            /* lanes of this group in the panel */
        const fnn_size have = gemm_min(here, lanes - first);          /* and in the matrix */
        const REAL *from = src + first * ls;
        REAL *to = dst + first;
        fnn_size p = 0;
        if (ls == 1 && first + VL <= readable) {
            for (; p < k; p++)
                v_store(to + p * width, v_load(from + p * ks));
#if GEMM_TRANSPOSES
        } else if (ks == 1 && have > 1) {
            p = FN(gemm_pack_rows)(to, width, from, ls, have, k);
#endif
        }
        for (; p < k; p++) {
            for (fnn_size i = 0; i < have; i++)
                to[p * width + i] = from[i * ls + p * ks];
            for (fnn_size i = have > 0 ? have : 0; i < here; i++)
                to[p * width + i] = 0;
        }
    }
}
/* The same for several full panels whose lanes are adjacent in the matrix: long pieces of a row at once, as memory likes it. */
static void FN(gemm_pack_wide)(REAL *restrict dst, fnn_size pitch, fnn_size panels, const REAL *restrict src, fnn_size ks,
                               fnn_size k)
{
    for (fnn_size p = 0; p < k; p++)
        for (fnn_size t = 0; t < panels; t++)
#pragma GCC unroll 2
            for (fnn_size l = 0; l < GEMM_NV; l++)
                v_store(dst + t * pitch + p * GEMM_NR + l * VL, v_load(src + p * ks + t * GEMM_NR + l * VL));
}
#undef GEMM_LANES
#undef GEMM_TRANSPOSES
#undef GEMM_LOW
#undef GEMM_HIGH
