/* dropout.h -- the row of kernels.h for dropout.c; no guard. Map of the family: map.tmpl.h.
 *
 * Names      fnn_dropout: FN(dropout), in dropout.tmpl.h.
 */

/* y[i] = x[i] / (1 - p) where word i / span of the mask (key, call) is kept, else 0; x may be y.
 * Linear, so its backward is itself. */
KERNEL(dropout, (REAL *y, const REAL *x, fnn_size n, fnn_size span, double p, uint64_t key, uint64_t call),
       (y, x, n, span, p, key, call))
