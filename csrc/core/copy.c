/* copy.c -- an array whose rows lie apart, copied side by side: what kernels, which read contiguous
 * arrays, need of a transposed view.
 *
 * Method     Rows are counted in the order of the copy; a row's place in the source follows from
 *            its number, axis by axis.
 * Threads    blocks of rows of some 64 KB
 */
#include "core/copy.h"
#include "core/parallel.h"
#include "core/sizes.h"

#include <string.h>

enum { COPY_BLOCK = 1 << 16 };      /* bytes in a block of a parallel loop; chosen: MAP_GRAIN
                                       floats */

typedef struct {
    char *to;
    const char *from;
    const ptrdiff_t *shape, *strides;
    int axes;                                       /* before the row's own */
    ptrdiff_t bytes;
} copy_args;

static void copy_block(void *ctx, ptrdiff_t begin, ptrdiff_t end)
{
    const copy_args *a = ctx;
    for (ptrdiff_t row = begin; row < end; row++) {
        const char *from = a->from;
        ptrdiff_t rest = row;
        for (int axis = a->axes - 1; axis >= 0; axis--) {
            from += rest % a->shape[axis] * a->strides[axis];
            rest /= a->shape[axis];
        }
        memcpy(a->to + row * a->bytes, from, (size_t)a->bytes);
    }
}

void fnn_copy_rows(void *to, const void *from, int ndim, const ptrdiff_t *shape, const ptrdiff_t *strides,
                   ptrdiff_t rows, ptrdiff_t bytes)
{
    const copy_args args = { to, from, shape, strides, ndim - 1, bytes };
    if (bytes > 0)
        fnn_parallel_for(rows, fnn_grain(COPY_BLOCK, bytes), copy_block, (void *)&args);
}
