/* attention.h -- rows of kernels.h for attention.c; no guard.
 *
 * Names      fnn_attention_forward, fnn_attention_backward: FN(attention_forward) and
 *            FN(attention_backward), in attention.tmpl.h. (fastnn.h says how names are made.)
 * Map        the family, and when a file matters:
 *
 *     attention.h               what can be called, with its contract (this file)
 *     attention.c               compiles the next files for every instruction set
 *     attention.tmpl.h          the formulas; forward, of five queries and more, and backward, of
 *                               any number, by tiles of scores
 *     attention_tile.tmpl.h     the matrix products of one tile
 *     attention_few.tmpl.h      forward for one to four queries, as when text grows token by token
 *     attention_hidden.tmpl.h   items with NaN or infinity behind a mask, once more
 *     fastnn/kernels/attention.pxi      the calls from Python
 *     docs/kernels/attention.md         the way here from plain loops, what was measured, what did
 *                                       not pay
 *
 * An item is one head of one batch entry: q [T][HS], k [U][HS], v [U][HV], y [T][HV]. A matrix has
 * adjacent elements in its rows; rows and matrices may lie anywhere, so that heads are read from
 * and written to where a projection has them. Every item has its own y and its own gradients;
 * several items may read the same q, k, v or mask, which is how leading dimensions broadcast.
 */
#ifndef FNN_ATTENTION_ONCE
#define FNN_ATTENTION_ONCE
enum { FNN_NO_MASK, FNN_ALLOW_MASK, FNN_ADD_MASK };

/* Item i's matrix begins at element at[i]; its rows are rs elements apart. */
typedef struct { const fnn_size *at; fnn_size rs; } fnn_matrices;

typedef struct {
    fnn_size items, T, U, HS, HV;
    fnn_matrices q, k, v, y, dy, dq, dk, dv;    /* rows of each output do not overlap; forward needs
                                                   q, k, v, y */
    const void *mask;                           /* matrices of unsigned char (0: not allowed) or of
                                                   REAL (added to the scores) */
    int mask_kind;
    const fnn_size *mask_at;                    /* where the mask of item i begins */
    fnn_size mask_rs, mask_cs;                  /* a mask's row and column strides, 0 where it is
                                                   broadcast */
    double scale;                               /* scores are scale * q k^T */
    int causal;                                 /* query t sees keys 0..t only */
    double dropout;                             /* probability that a weight is dropped; which ones:
                                                   philox.h, */
    uint64_t dropout_key, dropout_call;         /* element (item * T + t) * U4 + u, U4 = U rounded
                                                   up to a multiple of 4 */
} fnn_attention;
#endif

/* y; top, total [items][T] are kept for backward: the largest score (before `scale` unless a mask
 * is added or scale <= 1e-30), and the sum of exp(scale (score - top)). A query with no allowed key
 * gives zeros. Takes less than 2 MiB of each thread's scratch. */
KERNEL(attention_forward, (REAL *y, REAL *top, REAL *total, const REAL *q, const REAL *k, const REAL *v,
        const fnn_attention *about),
       (y, top, total, q, k, v, about))

/* dq, dk, dv, and dmask [items][T][U] of an added mask; each may be NULL. Scratch as above. */
KERNEL(attention_backward, (REAL *dq, REAL *dk, REAL *dv, REAL *dmask, const REAL *dy, const REAL *y, const REAL *top,
        const REAL *total, const REAL *q, const REAL *k, const REAL *v, const fnn_attention *about),
       (dq, dk, dv, dmask, dy, y, top, total, q, k, v, about))
