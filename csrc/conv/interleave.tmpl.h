/* interleave.tmpl.h -- VL planes to pixels of VL numbers, one of each plane, and back. The numbers
 * of a vector are its lanes: each plane gets a lane. Included by templates that need it.
 *
 * Math       interleave     to[p * VL + lane] = from[lane * step + p]
 *            and sums       sums[p] (+)= sum over lanes of |from[lane * step + p]|, on the way
 *            deinterleave   to[lane * step + p] = max(from[p * VL + lane], least)
 * Method     blocks of VL x VL, transposed in registers; the last one overlaps the one before
 */
#include "core/transpose.tmpl.h"

/* to[p * VL + lane] = from[lane * step + p] for 0 <= p < n; 0 in the lanes from `lanes` on. sums
 * may be NULL, which is to be known at compile time; add: to what is there. */
FNN_INLINE void FN(interleave_and_sum)(REAL *restrict to, const REAL *restrict from, fnn_size step, fnn_size lanes,
                                       fnn_size n, REAL *restrict sums, int add)
{
    fnn_size p = 0;
#if TRANSPOSE_ROUNDS
    if (n >= VL)
        for (; p < n; p += VL) {
            const fnn_size at = fnn_min(p, n - VL);     /* the last block overlaps the one before */
            vec v[TRANSPOSE_LANES];
#pragma GCC unroll 16
            for (fnn_size i = 0; i < VL; i++)
                v[i] = i < lanes ? v_load(from + i * step + at) : v_set(0);
            if (sums) {
                vec sum = v_abs(v[0]);
#pragma GCC unroll 16
                for (fnn_size i = 1; i < VL; i++)
                    sum += v_abs(v[i]);
                if (at == p) {
                    v_store(sums + at, add ? sum + v_load(sums + at) : sum);
                } else {                        /* only those that the block before did not have */
                    REAL rest[TRANSPOSE_LANES];
                    v_store(rest, sum);
                    for (fnn_size i = p; i < n; i++)
                        sums[i] = (add ? sums[i] : 0) + rest[i - at];
                }
            }
            FN(transpose)(v);
#pragma GCC unroll 16
            for (fnn_size i = 0; i < VL; i++)
                v_store(to + (at + i) * VL, v[i]);
        }
    else if (n > VL / 2) {
        /* less than a block: what lies behind a plane's n numbers is read and thrown away */
        vec v[TRANSPOSE_LANES];
        REAL rest[TRANSPOSE_LANES] = { 0 };
#pragma GCC unroll 16
        for (fnn_size i = 0; i < VL; i++)
            if (i * step + VL <= (lanes - 1) * step + n) {
                v[i] = v_load(from + i * step);
            } else {                        /* the last lanes, where that would be beyond the end */
                for (fnn_size j = 0; j < n; j++)
                    rest[j] = i < lanes ? from[i * step + j] : 0;
                v[i] = v_load(rest);
            }
        FN(transpose)(v);
        for (; p < n; p++)
            v_store(to + p * VL, v[p]);
    }
#endif
    for (; p < n; p++)
        for (fnn_size i = 0; i < VL; i++)
            to[p * VL + i] = i < lanes ? from[i * step + p] : 0;
    for (p = n >= VL && TRANSPOSE_ROUNDS > 0 ? n : 0; sums && p < n; p++) /* there were no blocks */
        sums[p] = (add ? sums[p] : 0) + v_sum(v_abs(v_load(to + p * VL)));
}

static void FN(interleave)(REAL *to, const REAL *from, fnn_size step, fnn_size lanes, fnn_size n)
{
    FN(interleave_and_sum)(to, from, step, lanes, n, NULL, 0);
}

/* to[lane * step + p] = max(from[p * VL + lane], least) for 0 <= p < n, 0 <= lane < lanes; NaN
 * stays. least is 0 for relu, or minus infinity */
static void FN(deinterleave)(REAL *restrict to, fnn_size step, const REAL *restrict from, fnn_size lanes, fnn_size n,
                             REAL least)
{
    fnn_size p = 0;
#if TRANSPOSE_ROUNDS
    if (n >= VL)
        for (; p < n; p += VL) {
            const fnn_size at = fnn_min(p, n - VL);
            vec v[TRANSPOSE_LANES];
#pragma GCC unroll 16
            for (fnn_size i = 0; i < VL; i++)
                v[i] = v_load(from + (at + i) * VL);
            FN(transpose)(v);
#pragma GCC unroll 16
            for (fnn_size i = 0; i < VL; i++)
                if (i < lanes)
                    v_store(to + i * step + at, v_max(v_set(least), v[i]));
        }
#endif
    for (; p < n; p++)
        for (fnn_size i = 0; i < lanes; i++)
            to[i * step + p] = r_max(least, from[p * VL + i]);
}
