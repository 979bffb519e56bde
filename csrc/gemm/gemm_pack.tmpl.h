/* gemm_pack.tmpl.h -- part of gemm.tmpl.h and attention.tmpl.h: the size of a tile, and how a strip
 * of a matrix is packed: copied into a panel, the order in which the tile reads it.
 *
 *     matrix: element (lane, p) at src[lane * ls + p * ks]
 *     panel:  element (lane, p) at dst[p * width + lane]
 *
 * A lane is a row of A or a column of B. The tile then reads memory from one end to the other,
 * whatever the strides were. Where the k numbers of a lane are adjacent, VL x VL blocks are
 * transposed in registers; otherwise whole vectors are copied. Vectors are stored even where fewer
 * than VL lanes remain: what they write beyond the end of one p is overwritten by the next p, or,
 * since the last group of lanes goes first, by the next group. A panel is therefore followed by VL
 * elements of slack.
 */
#ifndef FNN_GEMM_PACK_ONCE
#define FNN_GEMM_PACK_ONCE
enum { GEMM_NV = 2 };       /* vectors in a row of a tile; chosen: MR x 2 sums fill the registers */

#if defined(__GNUC__)
#  define GEMM_APART static __attribute__((noinline))   /* called from many places, and not worth
                                                           copies */
#else
#  define GEMM_APART static
#endif
#endif

#undef GEMM_MR
#undef GEMM_VL
#define GEMM_MR TILE_ROWS
/* VL as a constant for array sizes */
#define GEMM_VL (VBYTES ? VBYTES / sizeof(REAL) : 1)
#define GEMM_NR (GEMM_NV * VL)
#define GEMM_LINE (VBYTES < 64 ? 2 : 1)             /* vectors in a cache line of 64 bytes; bound:
                                                       GEMM_NV at most */

#include "core/transpose.tmpl.h"

#if TRANSPOSE_ROUNDS
/* `lanes` <= VL lanes whose k numbers are adjacent. Does nothing for fewer than TRANSPOSE_BLOCK
 * numbers. Returns how many of the k were done. */
GEMM_APART fnn_size FN(gemm_pack_rows)(REAL *dst, fnn_size width, const REAL *src, fnn_size ls, fnn_size lanes,
                                       fnn_size k)
{
    if (k < TRANSPOSE_BLOCK)
        return 0;
    const REAL *row[TRANSPOSE_LANES];
    for (fnn_size lane = 0; lane < VL; lane++) /* lanes that the matrix lacks repeat the last one */
        row[lane] = src + fnn_min(lane, lanes - 1) * ls;
    for (fnn_size p = 0; p < k; p += TRANSPOSE_BLOCK) {
        p = fnn_min(p, k - TRANSPOSE_BLOCK);            /* the last block overlaps the one before */
#pragma GCC unroll 2
        for (fnn_size lane = 0; lane < VL; lane += TRANSPOSE_BLOCK)
            FN(transpose_to)(dst + p * width + lane, width, row + lane, p);
    }
    return k;
}
#endif

/* `width` lanes of a panel, of which the matrix has `lanes`. The others get zeros or copies, and
 * what is computed from them is thrown away. `readable` >= lanes lanes may be read. */
GEMM_APART void FN(gemm_pack)(REAL *restrict dst, fnn_size width, fnn_size lanes, fnn_size readable,
                              const REAL *restrict src, fnn_size ls, fnn_size ks, fnn_size k)
{
    /* the lanes, a vector of them at a time, the last ones first */
    for (fnn_size first = (width - 1) / VL * VL; first >= 0; first -= VL) {
        const fnn_size here = fnn_min(VL, width - first);   /* lanes of this group in the panel */
        const fnn_size have = fnn_min(here, lanes - first); /* and in the matrix */
        const REAL *from = have > 0 ? src + first * ls : src;
        REAL *to = dst + first;
        fnn_size p = 0;
        if (ls == 1 && first + VL <= readable) {
            for (; p < k; p++)
                v_store(to + p * width, v_load(from + p * ks));
#if TRANSPOSE_ROUNDS
        } else if (ks == 1 && have > 1) {
            p = FN(gemm_pack_rows)(to, width, from, ls, have, k);
#endif
        }
        /* what is left: one number at a time */
        for (; p < k; p++) {
            for (fnn_size lane = 0; lane < have; lane++)
                to[p * width + lane] = from[lane * ls + p * ks];
            for (fnn_size lane = fnn_max(have, 0); lane < here; lane++)
                to[p * width + lane] = 0;
        }
    }
}

/* The same for several full panels whose lanes are adjacent in the matrix: long pieces of a row at
 * a time, as memory likes it. */
static inline void FN(gemm_pack_wide)(REAL *restrict dst, fnn_size pitch, fnn_size panels, const REAL *restrict src,
                                      fnn_size ks, fnn_size k)
{
    for (fnn_size p = 0; p < k; p++)
        for (fnn_size panel = 0; panel < panels; panel++)
#pragma GCC unroll 2
            for (fnn_size v = 0; v < GEMM_NV; v++)
                v_store(dst + panel * pitch + p * GEMM_NR + v * VL, v_load(src + p * ks + panel * GEMM_NR + v * VL));
}
