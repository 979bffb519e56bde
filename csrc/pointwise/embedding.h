/* embedding.h -- rows of kernels.h for embedding.c; no guard. V rows of D columns; n indices, each
 * 0 <= index < V (checked by the caller). */

/* y[i,:] = w[index[i],:] */
KERNEL(embedding_forward, REAL *y, const int64_t *index, const REAL *w, fnn_size n, fnn_size D)
/* dw[v,:] = sum of dy[i,:] over the i with index[i] = v, in order of i; row `padding` stays zero
 * (-1: none). workspace: V + 1 + n elements. */
KERNEL(embedding_backward, REAL *dw, const REAL *dy, const int64_t *index, fnn_size *workspace, fnn_size n, fnn_size V,
       fnn_size D,
       fnn_size padding)
