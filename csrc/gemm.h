/* gemm.h -- rows of kernels.h for gemm.c; no guard.
 *
 * Letters    m n k as in C[m,n] = A[m,k] B[k,n]; rs and cs are the distances in elements from one row and one column to the next.
 * Strides    A and B may have any strides, 0 and negative ones too, so a transposed or broadcast operand needs no copy. C has
 *            rows of adjacent elements, rsc >= n apart. C must not overlap A, B or a bias.
 * Sums       The order in which an element's k products are summed depends on m, n and k only: not on threads, strides or batch.
 * Nesting    All of these may be called inside the body of an fnn_parallel_for; they then run on that thread.
 * Scratch    At most 12 MiB of each thread's scratch, given back at the end.
 */

/* C = A B (+ C if accumulate) (+ bias_row[i] along row i) (+ bias_col[j] along column j). bias_row has m elements, bias_col n;
 * NULL for none. Without accumulate what C held has no influence. k = 0 gives zeros and the biases. */
KERNEL(gemm, REAL *c, fnn_size rsc, const REAL *a, fnn_size rsa, fnn_size csa, const REAL *b, fnn_size rsb, fnn_size csb,
       const REAL *bias_row, const REAL *bias_col, fnn_size m, fnn_size n, fnn_size k, int accumulate)

/* `batch` products of one shape and layout: for each i, C = A B (+ C) with C at c + offset_c[i], A at a + offset_a[i], B at
 * b + offset_b[i]. The C of different i must not overlap; offsets of A and B may repeat (broadcasting). */
KERNEL(gemm_batched, REAL *c, fnn_size rsc, const REAL *a, fnn_size rsa, fnn_size csa, const REAL *b, fnn_size rsb, fnn_size csb,
       const fnn_size *offset_c, const fnn_size *offset_a, const fnn_size *offset_b,
       fnn_size batch, fnn_size m, fnn_size n, fnn_size k, int accumulate)

/* A layer of m rows, k features in, n out:  y = x w^T + b.  w[n,k]; b[n] may be NULL. */
KERNEL(linear_forward, REAL *y, const REAL *x, const REAL *w, const REAL *b, fnn_size m, fnn_size n, fnn_size k)
/* dx = dy w,  dw = dy^T x,  db = the sum of dy's rows. */
KERNEL(linear_backward, REAL *dx, REAL *dw, REAL *db, const REAL *dy, const REAL *x, const REAL *w,
       fnn_size m, fnn_size n, fnn_size k)
