/* broadcast.h -- how two arrays are broadcast: what the rows of arithmetic.h and the loops of
 * map.tmpl.h need. */
#ifndef FNN_BROADCAST_H
#define FNN_BROADCAST_H

#include "core/sizes.h"

enum { FNN_MAX_DIMS = 32 };                         /* of an array, as NumPy 1 has it */

/* How two arrays are broadcast to the shape of y, as NumPy does it: shapes are aligned at their
 * last dimension, and a dimension of size 1 is repeated. Neighbouring dimensions along which both
 * arrays behave alike are merged, so equal shapes become one dimension, and a matrix with a row or
 * a column becomes two. */
typedef struct {
    int ndim;                                       /* after merging; at least 1 */
    fnn_size size;                                  /* elements of y */
    fnn_size shape[FNN_MAX_DIMS];                   /* of y */
    fnn_size a_step[FNN_MAX_DIMS], b_step[FNN_MAX_DIMS];    /* elements from one index to the next;
                                                               0: repeated */
} fnn_broadcast;

/* Plan the broadcast of two contiguous arrays whose shapes are known to fit; writes the shape of y
 * before merging, returns its rank. */
int fnn_broadcast_plan(fnn_broadcast *plan, fnn_size *y_shape, int a_ndim, const fnn_size *a_shape, int b_ndim,
                       const fnn_size *b_shape);

#endif
