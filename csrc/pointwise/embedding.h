/* embedding.h -- rows of a table: the rows of kernels.h for embedding.c; no guard. Map of the
 * family: map.tmpl.h.
 *
 * Names      fnn_embedding_forward, fnn_embedding_backward: FN(embedding_forward) and
 *            FN(embedding_backward), in embedding.tmpl.h.
 * Letters    V rows of D columns; n indices, each 0 <= index < V (checked by the caller)
 */
#ifndef FNN_EMBEDDING_H_ONCE
#define FNN_EMBEDDING_H_ONCE
/* Elements of workspace for embedding_backward */
static inline fnn_work fnn_embedding_work(fnn_size n, fnn_size V) { return (fnn_work)V + 1 + n; }
#endif

/* y[i,:] = w[index[i],:] */
KERNEL(embedding_forward, (REAL *y, const int64_t *index, const REAL *w, fnn_size n, fnn_size D), (y, index, w, n, D))
/* dw[v,:] = sum of dy[i,:] over the i with index[i] = v, in order of i; row `padding` stays zero
 * (-1: none). workspace [fnn_embedding_work(n, V)]. */
KERNEL(embedding_backward, (REAL *dw, const REAL *dy, const int64_t *index, fnn_size *workspace, fnn_size n, fnn_size V,
        fnn_size D, fnn_size padding),
       (dw, dy, index, workspace, n, V, D, padding))
