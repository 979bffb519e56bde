/* reduce.tmpl.h -- sums along axes.
 *
 * Math       sum      y[o,i] = sum_a x[o,a,i] / divisor
 *            spread   dx[o,a,i] = dy[o,i] / divisor                   (its gradient)
 * Symbols    outer x axis x inner: the sizes before, along and after the axis; several neighbouring axes count as one.
 * Layout     x, dx [outer][axis][inner]; y, dy [outer][inner].
 * Method     Everything is added in double and rounded once. A run of contiguous elements is summed by halves down to loops of
 *            REDUCE_RUN; columns are summed REDUCE_ROWS rows at a time. So the error of a float sum is that of its last rounding, and
 *            that of a double sum grows with the logarithm of the length, like NumPy's pairwise sum.
 * Cost       reads x once.
 * Threads    by outputs where there are enough of them; else the axis is cut into pieces by its size, whose sums are added by halves.
 * Reference  fastnn/reference/reduce.py
 */
#ifndef FNN_REDUCE_ONCE
#define FNN_REDUCE_ONCE
typedef struct {
    void *y;
    const void *x;
    double *parts;                                  /* [pieces][inner] partial sums */
    fnn_size outer, axis, inner, piece;             /* a piece is so many steps along the axis */
    double divisor;
} fnn_reduce_args;
#endif

/* The sum of n neighbours. */
static double FN(sum_run)(const REAL *x, fnn_size n)
{
    if (n > REDUCE_RUN) {
        const fnn_size half = n / 2 / REDUCE_RUN * REDUCE_RUN;
        const fnn_size first = half ? half : REDUCE_RUN;
        return FN(sum_run)(x, first) + FN(sum_run)(x + first, n - first);
    }
    double s = 0;
    #pragma omp simd reduction(+:s)
    for (fnn_size i = 0; i < n; i++)
        s += x[i];
    return s;
}

/* total[i] = the sum of `rows` elements of column i, for n columns of a matrix whose rows are `stride` apart. */
static void FN(sum_columns)(double *restrict total, const REAL *restrict x, fnn_size rows, fnn_size stride, fnn_size n)
{
    double part[REDUCE_COLUMNS];
    for (fnn_size i = 0; i < n; i++)
        total[i] = 0;
    for (fnn_size a = 0; a < rows; a += REDUCE_ROWS) {
        const fnn_size end = a + REDUCE_ROWS < rows ? a + REDUCE_ROWS : rows;
        for (fnn_size i = 0; i < n; i++)
            part[i] = 0;
        for (fnn_size r = a; r < end; r++)
            for (fnn_size i = 0; i < n; i++)
                part[i] += x[r * stride + i];
        for (fnn_size i = 0; i < n; i++)
            total[i] += part[i];
    }
}

/* Tasks are outputs in a row: inner = 1. */
static void FN(sum_rows_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_reduce_args *args = ctx;
    for (fnn_size o = begin; o < end; o++)
        ((REAL *)args->y)[o] = (REAL)(FN(sum_run)((const REAL *)args->x + o * args->axis, args->axis) / args->divisor);
}

/* Tasks are blocks of columns, in all outer slices. */
static void FN(sum_columns_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_reduce_args *args = ctx;
    const fnn_size inner = args->inner, blocks = (inner + REDUCE_COLUMNS - 1) / REDUCE_COLUMNS;
    double total[REDUCE_COLUMNS];
    for (fnn_size t = begin; t < end; t++) {
        const fnn_size o = t / blocks, i0 = t % blocks * REDUCE_COLUMNS, n = inner - i0 < REDUCE_COLUMNS ? inner - i0 : REDUCE_COLUMNS;
        REAL *restrict y = (REAL *)args->y + o * inner + i0;
        FN(sum_columns)(total, (const REAL *)args->x + o * args->axis * inner + i0, args->axis, inner, n);
        for (fnn_size i = 0; i < n; i++)
            y[i] = (REAL)(total[i] / args->divisor);
    }
}

/* Tasks are pieces of the axis, in one outer slice: partial sums only. */
static void FN(sum_pieces_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_reduce_args *args = ctx;
    const fnn_size inner = args->inner;
    for (fnn_size t = begin; t < end; t++) {
        const fnn_size a = t * args->piece, rows = args->axis - a < args->piece ? args->axis - a : args->piece;
        const REAL *x = (const REAL *)args->x + a * inner;
        if (inner == 1)
            args->parts[t] = FN(sum_run)(x, rows);
        else
            for (fnn_size i = 0; i < inner; i += REDUCE_COLUMNS)
                FN(sum_columns)(args->parts + t * inner + i, x + i, rows, inner, inner - i < REDUCE_COLUMNS ? inner - i : REDUCE_COLUMNS);
    }
}

void FN(sum)(REAL *y, const REAL *x, fnn_size outer, fnn_size axis, fnn_size inner, double divisor)
{
    fnn_reduce_args args = { y, x, NULL, outer, axis, inner, 0, divisor };
    const fnn_size blocks = (inner + REDUCE_COLUMNS - 1) / REDUCE_COLUMNS;
    if (axis * inner <= 2 * REDUCE_BLOCK || outer * blocks >= 64) {
        if (inner == 1)
            fnn_parallel_for(outer, at_least_one(REDUCE_BLOCK / at_least_one(axis)), FN(sum_rows_block), &args);
        else
            fnn_parallel_for(outer * blocks, at_least_one(REDUCE_BLOCK / at_least_one(axis * (inner / at_least_one(blocks)))),
                             FN(sum_columns_block), &args);
        return;
    }
    /* few long sums; since outer * blocks < 64, inner <= 64 * REDUCE_COLUMNS, and at least 16 pieces fit in the scratch memory */
    const fnn_size pieces_wanted = at_least_one(smaller(axis * inner / REDUCE_BLOCK, smaller(REDUCE_PARTS, REDUCE_SCRATCH / inner)));
    args.piece = (axis + pieces_wanted - 1) / pieces_wanted;
    const fnn_size pieces = (axis + args.piece - 1) / args.piece;
    args.parts = fnn_scratch_alloc((size_t)(pieces * inner) * sizeof(double));
    for (fnn_size o = 0; o < outer; o++) {
        args.x = x + o * axis * inner;
        fnn_parallel_for(pieces, 1, FN(sum_pieces_block), &args);
        for (fnn_size i = 0; i < inner; i++)
            y[o * inner + i] = (REAL)(sum_of_parts(args.parts + i, pieces, inner) / divisor);
    }
    fnn_scratch_free(args.parts);
}

/* Tasks are steps along outer and axis together: each writes one row of inner elements. */
static void FN(spread_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_reduce_args *args = ctx;
    const fnn_size inner = args->inner;
    const REAL divisor = (REAL)args->divisor;
    for (fnn_size t = begin; t < end; ) {
        const fnn_size o = t / args->axis, stop = (o + 1) * args->axis < end ? (o + 1) * args->axis : end;
        REAL *restrict dx = (REAL *)args->y + t * inner;
        const REAL *restrict dy = (const REAL *)args->x + o * inner;
        if (inner == 1) {
            const REAL value = dy[0] / divisor;
            for (fnn_size a = 0; a < stop - t; a++)
                dx[a] = value;
        } else
            for (fnn_size a = 0; a < stop - t; a++)
                for (fnn_size i = 0; i < inner; i++)
                    dx[a * inner + i] = dy[i] / divisor;
        t = stop;
    }
}

void FN(spread)(REAL *dx, const REAL *dy, fnn_size outer, fnn_size axis, fnn_size inner, double divisor)
{
    fnn_reduce_args args = { dx, dy, NULL, outer, axis, inner, 0, divisor };
    fnn_parallel_for(outer * axis, at_least_one(REDUCE_BLOCK / at_least_one(inner)), FN(spread_block), &args);
}
