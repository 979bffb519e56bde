/* reduce.c -- sums, extremes and the like along axes. Mathematics and methods: reduce.tmpl.h. */
#include "fastnn.h"

#include <math.h>
#include <string.h>

enum {
    REDUCE_BLOCK = 16384,                           /* elements a task should have */
    REDUCE_RUN = 256,                               /* elements summed in one loop; longer runs are halved */
    REDUCE_ROWS = 128,                              /* rows added into one partial sum; the partial sums are added then */
    REDUCE_COLUMNS = 512,                           /* columns of one task */
    REDUCE_LANES = 32,                              /* running extremes kept side by side */
    REDUCE_PARTS = 256,                             /* most pieces that one sum is cut into for the threads */
    REDUCE_SCRATCH = 16 * 64 * REDUCE_COLUMNS       /* most partial sums held at a time: 4 MiB of double */
};

static inline fnn_size smaller(fnn_size a, fnn_size b) { return a < b ? a : b; }
static inline fnn_size at_least_one(fnn_size n) { return n > 1 ? n : 1; }

/* Two partial results into one. */
typedef double fnn_combine_fn(double a, double b);
static double combine_sum(double a, double b) { return a + b; }
static double combine_prod(double a, double b) { return a * b; }
static double combine_max(double a, double b) { return a > b || a != a ? a : b; }
static double combine_min(double a, double b) { return a < b || a != a ? a : b; }

/* parts[0], parts[step], ... into one, by halves. */
static double combine_parts(const double *parts, fnn_size n, fnn_size step, fnn_combine_fn *combine)
{
    if (n == 1)
        return parts[0];
    return combine(combine_parts(parts, n / 2, step, combine), combine_parts(parts + n / 2 * step, n - n / 2, step, combine));
}

/* How one kind of reduction goes over n neighbours, and over n columns of a matrix whose rows are `stride` apart. */
typedef double fnn_run_fn(const void *x, double c, fnn_size n);
typedef void fnn_columns_fn(double *total, const void *x, const void *c, fnn_size rows, fnn_size stride, fnn_size n);

typedef struct {
    fnn_run_fn *run;
    fnn_columns_fn *columns;
    fnn_combine_fn *combine;
    void *y;
    const void *x, *c;
    double *parts;                                  /* [pieces][inner] partial results */
    fnn_size outer, axis, inner, piece;             /* a piece is so many steps along the axis */
    double divisor;
    int root;                                       /* take the square root at last */
} fnn_reduce_args;

/* From the combined parts to the result, still in double. */
static inline double finished(const fnn_reduce_args *args, double total)
{
    return args->root ? sqrt(total / args->divisor) : total / args->divisor;
}

/* For what is not a reduction but goes along the axis too. */
typedef struct {
    void *y;                                        /* what is written */
    const void *x, *dy;
    int64_t *index;                                 /* written by argmax, read by its gradient */
    fnn_size outer, axis, inner;
    double number;                                  /* divisor, sign, or whether to go backwards */
} fnn_axis_args;

#define TEMPLATE "reduce.tmpl.h"
#include "levels.h"
