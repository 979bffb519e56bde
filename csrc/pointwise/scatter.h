/* scatter.h -- elements and slices chosen by number, and added back: the rows of kernels.h for
 * scatter.c; no guard. Map of the family: map.tmpl.h.
 *
 * Names      fnn_gather, fnn_scatter_add, fnn_put, fnn_put_backward, fnn_index_select,
 *            fnn_index_add: FN(gather) and so on, in scatter.tmpl.h.
 * Letters    an array is [outer][axis][inner]; n indices along the axis. Each index is checked by
 *            the caller: -axis <= index < axis, below 0 it counts from the end.
 */
#ifndef FNN_SCATTER_H_ONCE
#define FNN_SCATTER_H_ONCE
/* Elements of workspace for index_add */
static inline fnn_work fnn_index_add_work(fnn_size axis, fnn_size n) { return (fnn_work)axis + 1 + n; }

/* Whether -below <= index < size for all n of them */
int fnn_indices_fit(const int64_t *index, fnn_size n, fnn_size below, fnn_size size);
#endif

/* y[o,j,i] = x[o, index[o,j,i], i];  y and index [outer][n][inner] */
KERNEL(gather, (REAL *y, const REAL *x, const int64_t *index, fnn_size outer, fnn_size axis, fnn_size n,
        fnn_size inner),
       (y, x, index, outer, axis, n, inner))
/* y[o, index[o,j,i], i] += values[o,j,i], in order of j;  y holds numbers before */
KERNEL(scatter_add, (REAL *y, const REAL *values, const int64_t *index, fnn_size outer, fnn_size axis, fnn_size n,
        fnn_size inner),
       (y, values, index, outer, axis, n, inner))
/* y[places[k]] = values[k], in order of k: of several for one element the last stays.
 * 0 <= places < size */
KERNEL(put, (REAL *y, const REAL *values, const int64_t *places, fnn_size n), (y, values, places, n))
/* Of put: dx = dy, 0 at the places; dvalues[k] = dy[places[k]], 0 unless values[k] stayed.
 * workspace [size] */
KERNEL(put_backward, (REAL *dx, REAL *dvalues, const REAL *dy, const int64_t *places, fnn_size *workspace,
        fnn_size size, fnn_size n),
       (dx, dvalues, dy, places, workspace, size, n))
/* y[o,j,:] = x[o, index[j], :];  y [outer][n][inner] */
KERNEL(index_select, (REAL *y, const REAL *x, const int64_t *index, fnn_size outer, fnn_size axis, fnn_size n,
        fnn_size inner),
       (y, x, index, outer, axis, n, inner))
/* y[o,s,:] = x[o,s,:], or zeros if x is NULL, plus source[o,j,:] for the j with index[j] = s, in
 * order of j. workspace [fnn_index_add_work(axis, n)] */
KERNEL(index_add, (REAL *y, const REAL *x, const REAL *source, const int64_t *index, fnn_size *workspace,
        fnn_size outer, fnn_size axis, fnn_size n, fnn_size inner),
       (y, x, source, index, workspace, outer, axis, n, inner))
