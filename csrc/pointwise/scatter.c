/* scatter.c -- elements and slices chosen by number, and written or added back. Mathematics and
 * methods: scatter.tmpl.h. */
#define KERNELS "pointwise/scatter.h"
#include "fastnn.h"
#include "core/sync.h"

int fnn_indices_fit(const int64_t *index, fnn_size n, fnn_size below, fnn_size size)
{
    /* the highest bit is set where one of the differences is below 0; a plain loop of bits, which
     * compilers vectorise where they have no comparison of 64 bits */
    uint64_t any = 0;
    for (fnn_size i = 0; i < n; i++)
        any |= ((uint64_t)index[i] + (uint64_t)below) | ((uint64_t)size - 1 - (uint64_t)index[i]);
    return !(any >> 63);
}

#define TEMPLATE "pointwise/scatter.tmpl.h"
#include "core/levels.h"
