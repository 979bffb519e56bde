/* reduce.c -- sums, extremes and the like along axes. Mathematics and methods: reduce.tmpl.h. */
#define KERNELS "pointwise/reduce.h"
#include "fastnn.h"
#include "core/power.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum {
    REDUCE_BLOCK = 16384,       /* elements that a task should have; chosen: as MAP_GRAIN */
    REDUCE_RUN = 256,           /* elements summed in one loop, longer runs are halved; chosen: 16
                                   vectors of AVX-512, since short sums lose less to
                                   rounding */
    REDUCE_ROWS = 128,          /* rows added into one partial sum, before those are added; chosen:
                                   for the error, as REDUCE_RUN */
    REDUCE_COLUMNS = 512,       /* columns of one task; bound: 4 KiB of double on the stack for each
                                   array of sums */
    REDUCE_LANES = 64,          /* running extremes kept side by side; chosen: 4 vectors of AVX-512,
                                   or 8 of AVX2, that do not wait for each other */
    REDUCE_PARTS = 256,         /* pieces that one sum is cut into, at most; chosen: work for many
                                   threads, and few partial sums to add */
    REDUCE_TASKS = 64,          /* outputs, or blocks of columns, from which no sum is cut into
                                   pieces; chosen: enough for the threads of most machines */
    REDUCE_PIECES = 2,          /* blocks of REDUCE_BLOCK elements up to which none is; chosen:
                                   below, the partial sums cost more than a second thread saves */
    REDUCE_SCRATCH = 16 * REDUCE_TASKS * REDUCE_COLUMNS,    /* partial sums held at a time, at most;
                                                               bound: 4 MiB of double, for 16 pieces
                                                               of the widest x */
    PROD_POWER = 4000           /* an exponent beyond which 2^e times a fraction is 0 or infinite;
                                   bound: that is so from 2100 on, and ldexp takes an int */
};

/* Partial results b into a, element by element. */
typedef void fnn_combine_fn(double *restrict a, const double *restrict b, fnn_size n);
static void combine_sum(double *restrict a, const double *restrict b, fnn_size n)
{
    for (fnn_size i = 0; i < n; i++) a[i] += b[i];
}
static void combine_prod(double *restrict a, const double *restrict b, fnn_size n)
{
    for (fnn_size i = 0; i < n; i++) a[i] *= b[i];
}
static void combine_max(double *restrict a, const double *restrict b, fnn_size n)
{
    for (fnn_size i = 0; i < n; i++) a[i] = b[i] > a[i] || b[i] != b[i] ? b[i] : a[i];
}
static void combine_min(double *restrict a, const double *restrict b, fnn_size n)
{
    for (fnn_size i = 0; i < n; i++) a[i] = b[i] < a[i] || b[i] != b[i] ? b[i] : a[i];
}

/* The rows of parts [pieces][n] into the first, neighbours first, then neighbours of those: the
 * error grows with the logarithm. */
static void combine_parts(double *parts, fnn_size pieces, fnn_size n, fnn_combine_fn *combine)
{
    for (fnn_size step = 1; step < pieces; step *= 2)
        for (fnn_size t = 0; t + step < pieces; t += 2 * step)
            combine(parts + t * n, parts + (t + step) * n, n);
}

/* How a reduction goes over n neighbours, and over n columns of a matrix whose rows are `stride`
 * apart. */
typedef double fnn_run_fn(const void *x, double c, fnn_size n);
typedef void fnn_columns_fn(double *total, const void *x, const void *c, fnn_size rows, fnn_size stride, fnn_size n);

typedef struct {
    fnn_run_fn *run;
    fnn_columns_fn *columns;
    fnn_combine_fn *combine;
    void *y;
    const void *x, *c;
    double *parts;                      /* [pieces][inner] partial results */
    fnn_size outer, axis, inner, piece; /* a piece is so many steps along the axis */
    double divisor;
    int root;                           /* take the square root at last */
    int squares;                        /* it is a sum of squares: looked at, and done again if in
                                           doubt */
    void *rest;                         /* what rounding leaves of y; of c, where a sum of squares
                                           has it */
} fnn_reduce_args;

/* For what is not a reduction but goes along the axis too. */
typedef struct {
    void *y;                                        /* what is written */
    const void *x, *dy;
    int64_t *index;                                 /* written by argmax, read by its gradient */
    fnn_size outer, axis, inner;
    double number;                                  /* divisor, sign, or whether to go backwards */
} fnn_axis_args;

/* Tasks that are worth a block of a parallel loop, where a task is a block of columns, of which an
 * outer slice has `blocks`. */
static fnn_size reduce_grain(fnn_size axis, fnn_size inner, fnn_size blocks)
{
    return fnn_grain(REDUCE_BLOCK, axis * (inner / fnn_max(1, blocks)));
}

#define TEMPLATE "pointwise/reduce.tmpl.h"
#include "core/levels.h"
