/* gemm.h -- matrix products: the rows of kernels.h for gemm.c, and the map of the family; no guard.
 *
 * Names      fnn_gemm, fnn_gemm_pack_a, fnn_gemm_pack_b, fnn_gemm_batched, fnn_gemm_strided,
 *            fnn_linear_forward and fnn_linear_backward are FN(gemm), FN(gemm_pack_a) and so on in
 *            gemm.tmpl.h (fastnn.h says how names are made).
 * Map        gemm.tmpl.h          the mathematics; entry points; batches; small C with large k
 *            gemm_skinny.tmpl.h   up to 3 rows or columns: the matrix is read once, straight
 *            gemm_blocked.tmpl.h  all others: threads, blocks, and which operand is copied
 *            gemm_tile.tmpl.h     the innermost loop: a tile of C in registers
 *            gemm_pack.tmpl.h     how big a tile is; copies in the order in which a tile reads
 * Letters    m n k as in C[m,n] = A[m,k] B[k,n]; rs and cs are the distances in elements from one
 *            row and one column to the next.
 * Strides    A and B may have any strides, 0 and negative ones too, so a transposed or broadcast
 *            operand needs no copy. C has rows of adjacent elements, rsc >= n apart. C must not
 *            overlap A, B or a bias.
 * Sums       The order in which an element's k products are summed depends on m, n and k only: not
 *            on threads, strides or batch.
 * Nesting    All of these may be called inside the body of an fnn_parallel_for; they then run on
 *            that thread.
 * Scratch    At most 12 MiB of each thread's scratch, given back at the end.
 * How        what becomes of the sum A B: 0, or FNN_GEMM_ADD and FNN_GEMM_RELU or-ed together.
 * Packed     An operand that many products share can be packed once: copied into the order in which
 *            the innermost loop reads it, by gemm_pack_a or gemm_pack_b. It is then passed with
 *            FNN_PACKED for its row stride; the column stride is ignored. The bits may differ from
 *            those of the product with the operand as it was, but depend on nothing else.
 */
#ifndef FNN_GEMM_H_ONCE
#define FNN_GEMM_H_ONCE
enum {
    FNN_GEMM_ADD = 1,           /* add to what C holds; else what C held has no influence */
    FNN_GEMM_RELU = 2,          /* zero where the sum with C and biases is below zero; NaN stays */
};
#define FNN_PACKED PTRDIFF_MIN

/* The most elements that a packed operand takes. Its lanes are the rows of A or the columns of B.
 * Bound: the widest panel has 2 vectors of 16 floats, and behind the last one there is room for as
 * many. */
enum { FNN_GEMM_LANES = 32 };
static inline fnn_size fnn_gemm_packed_size(fnn_size lanes, fnn_size k)
{
    return fnn_round_up(lanes, FNN_GEMM_LANES) * k + FNN_GEMM_LANES;
}
#endif

/* C = A B (+ C) (+ bias_row[i] along row i) (+ bias_col[j] along column j), then relu if wanted.
 * bias_row has m elements, bias_col n; NULL for none. k = 0 gives zeros and the biases. */
KERNEL(gemm, (REAL *c, fnn_size rsc, const REAL *a, fnn_size rsa, fnn_size csa, const REAL *b, fnn_size rsb,
        fnn_size csb, const REAL *bias_row, const REAL *bias_col, fnn_size m, fnn_size n, fnn_size k, int how),
       (c, rsc, a, rsa, csa, b, rsb, csb, bias_row, bias_col, m, n, k, how))

/* The whole of A[m,k] or B[k,n] in packed order; `to` is aligned to 64 bytes and has room for
 * fnn_gemm_packed_size elements. What was packed at one level serves that level only. */
KERNEL(gemm_pack_a, (REAL *to, const REAL *a, fnn_size rsa, fnn_size csa, fnn_size m, fnn_size k),
       (to, a, rsa, csa, m, k))
KERNEL(gemm_pack_b, (REAL *to, const REAL *b, fnn_size rsb, fnn_size csb, fnn_size n, fnn_size k),
       (to, b, rsb, csb, n, k))

/* `batch` products of one shape and layout: for each i, C = A B (+ C) with C at c + offset_c[i], A
 * at a + offset_a[i], B at b + offset_b[i]. The C of different i must not overlap; offsets of A and
 * B may repeat (broadcasting). */
KERNEL(gemm_batched, (REAL *c, fnn_size rsc, const REAL *a, fnn_size rsa, fnn_size csa, const REAL *b, fnn_size rsb,
        fnn_size csb, const fnn_size *offset_c, const fnn_size *offset_a, const fnn_size *offset_b, fnn_size batch,
        fnn_size m, fnn_size n, fnn_size k, int how),
       (c, rsc, a, rsa, csa, b, rsb, csb, offset_c, offset_a, offset_b, batch, m, n, k, how))

/* The same with equal distances: C at c + i * step_c and so on, in one parallel loop. A step of 0
 * uses A or B in all products. */
KERNEL(gemm_strided, (REAL *c, fnn_size rsc, fnn_size step_c, const REAL *a, fnn_size rsa, fnn_size csa,
        fnn_size step_a, const REAL *b, fnn_size rsb, fnn_size csb, fnn_size step_b, fnn_size batch, fnn_size m,
        fnn_size n, fnn_size k, int how),
       (c, rsc, step_c, a, rsa, csa, step_a, b, rsb, csb, step_b, batch, m, n, k, how))

/* A layer of m rows, k features in, n out:  y = x w^T + b.  w[n,k]; b[n] may be NULL. */
KERNEL(linear_forward, (REAL *y, const REAL *x, const REAL *w, const REAL *b, fnn_size m, fnn_size n, fnn_size k),
       (y, x, w, b, m, n, k))
/* dx = dy w,  dw = dy^T x,  db = the sum of dy's rows. */
KERNEL(linear_backward, (REAL *dx, REAL *dw, REAL *db, const REAL *dy, const REAL *x, const REAL *w, fnn_size m,
        fnn_size n, fnn_size k),
       (dx, dw, db, dy, x, w, m, n, k))
