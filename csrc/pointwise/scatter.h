/* scatter.h -- elements and slices chosen by number, and written or added back: the rows of
 * kernels.h for scatter.c; no guard. Map of the family: map.tmpl.h.
 *
 * Names      fnn_gather, fnn_scatter, fnn_scatter_backward, fnn_scatter_add, fnn_index_select,
 *            fnn_index_copy, fnn_index_copy_backward, fnn_index_add: FN(gather) and so on, in
 *            scatter.tmpl.h.
 * Letters    an array is [outer][axis][inner]; n indices along the axis.
 *            gather, index_select, index_copy and index_add: the caller has checked each,
 *            -axis <= index < axis; below 0 it counts from the end.
 *            The others look at each index on their way, and leave out those that are none of the
 *            axis; *outside is how many there were. scatter and scatter_backward take indices from
 *            0, scatter_add adds `below` to those below 0: it is 0 or axis.
 */
#ifndef FNN_SCATTER_H_ONCE
#define FNN_SCATTER_H_ONCE
/* Elements of workspace for index_add */
static inline fnn_work fnn_index_add_work(fnn_size axis, fnn_size n) { return (fnn_work)axis + 1 + n; }

/* Elements of workspace for index_copy and index_copy_backward */
static inline fnn_work fnn_index_copy_work(fnn_size axis) { return axis; }

/* Whether -below <= index < size for all n of them */
int fnn_indices_fit(const int64_t *index, fnn_size n, fnn_size below, fnn_size size);
#endif

/* y[o,j,i] = x[o, index[o,j,i], i];  y and index [outer][n][inner] */
KERNEL(gather, (REAL *y, const REAL *x, const int64_t *index, fnn_size outer, fnn_size axis, fnn_size n,
        fnn_size inner),
       (y, x, index, outer, axis, n, inner))
/* y[o, index[o,j,i], i] = values[o,j,i], or value if values is NULL, in order of j: of several for
 * one element the last stays.  y holds numbers before */
KERNEL(scatter, (REAL *y, int64_t *outside, const REAL *values, const int64_t *index, fnn_size outer, fnn_size axis,
        fnn_size n, fnn_size inner, double value),
       (y, outside, values, index, outer, axis, n, inner, value))
/* Of scatter: dx holds dy before, and then 0 where something was written;
 * dvalues[o,j,i] = dy[o, index[o,j,i], i], or 0 unless values[o,j,i] stayed.
 * The dvalues of an index that is none of the axis are 0. */
KERNEL(scatter_backward, (REAL *dx, REAL *dvalues, int64_t *outside, const int64_t *index, fnn_size outer,
        fnn_size axis, fnn_size n, fnn_size inner),
       (dx, dvalues, outside, index, outer, axis, n, inner))
/* y[o, index[o,j,i], i] += values[o,j,i], in order of j;  y holds numbers before */
KERNEL(scatter_add, (REAL *y, int64_t *outside, const REAL *values, const int64_t *index, fnn_size outer,
        fnn_size axis, fnn_size n, fnn_size inner, fnn_size below),
       (y, outside, values, index, outer, axis, n, inner, below))
/* y[o,j,:] = x[o, index[j], :];  y [outer][n][inner] */
KERNEL(index_select, (REAL *y, const REAL *x, const int64_t *index, fnn_size outer, fnn_size axis, fnn_size n,
        fnn_size inner),
       (y, x, index, outer, axis, n, inner))
/* y[o,s,:] = source[o,j,:] for the last j with index[j] = s, or x[o,s,:] where there is none.
 * workspace [fnn_index_copy_work(axis)] */
KERNEL(index_copy, (REAL *y, const REAL *x, const REAL *source, const int64_t *index, fnn_size *workspace,
        fnn_size outer, fnn_size axis, fnn_size n, fnn_size inner),
       (y, x, source, index, workspace, outer, axis, n, inner))
/* dx[o,s,:] = dy[o,s,:], or 0 where a slice went; dsource[o,j,:] = dy[o, index[j], :], or 0 unless
 * source[o,j,:] stayed. dx or dsource NULL: not wanted, but dx always is where inner is 1.
 * workspace [fnn_index_copy_work(axis)] */
KERNEL(index_copy_backward, (REAL *dx, REAL *dsource, const REAL *dy, const int64_t *index, fnn_size *workspace,
        fnn_size outer, fnn_size axis, fnn_size n, fnn_size inner),
       (dx, dsource, dy, index, workspace, outer, axis, n, inner))
/* y[o,s,:] = x[o,s,:], or zeros if x is NULL, plus source[o,j,:] for the j with index[j] = s, in
 * order of j. workspace [fnn_index_add_work(axis, n)] */
KERNEL(index_add, (REAL *y, const REAL *x, const REAL *source, const int64_t *index, fnn_size *workspace,
        fnn_size outer, fnn_size axis, fnn_size n, fnn_size inner),
       (y, x, source, index, workspace, outer, axis, n, inner))
