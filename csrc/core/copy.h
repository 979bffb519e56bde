/* copy.h -- an array whose rows lie apart, copied side by side. */
#ifndef FNN_COPY_H
#define FNN_COPY_H

#include <stddef.h>

/* to [rows][bytes] = the `rows` rows of `bytes` adjacent bytes that `from` has, in the order of an
 * array of `ndim` axes, the last of which is a row's; `shape` and `strides` (in bytes, of any sign)
 * are of the axes before it. ndim >= 1. */
void fnn_copy_rows(void *to, const void *from, int ndim, const ptrdiff_t *shape, const ptrdiff_t *strides,
                   ptrdiff_t rows, ptrdiff_t bytes);

#endif
