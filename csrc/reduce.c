/* reduce.c -- sums, extremes and the like along axes. Mathematics and methods: reduce.tmpl.h. */
#include "fastnn.h"

#include <math.h>

enum {
    REDUCE_BLOCK = 16384,                           /* elements a task should have */
    REDUCE_RUN = 256,                               /* elements summed in one loop; longer runs are halved */
    REDUCE_ROWS = 128,                              /* rows added into one partial sum; the partial sums are added then */
    REDUCE_COLUMNS = 512,                           /* columns of one task */
    REDUCE_PARTS = 256,                             /* most pieces that one sum is cut into for the threads */
    REDUCE_SCRATCH = 16 * 64 * REDUCE_COLUMNS       /* most partial sums held at a time: 4 MiB of double */
};

static inline fnn_size smaller(fnn_size a, fnn_size b) { return a < b ? a : b; }
static inline fnn_size at_least_one(fnn_size n) { return n > 1 ? n : 1; }

/* The sum of parts[0], parts[step], ..., by halves. */
static double sum_of_parts(const double *parts, fnn_size n, fnn_size step)
{
    if (n == 1)
        return parts[0];
    return sum_of_parts(parts, n / 2, step) + sum_of_parts(parts + n / 2 * step, n - n / 2, step);
}

#define TEMPLATE "reduce.tmpl.h"
#include "levels.h"
