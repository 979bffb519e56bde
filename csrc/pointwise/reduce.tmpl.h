/* reduce.tmpl.h -- sums, products and extremes along axes, and what their gradients need.
 *
 * Math       y[o,i] = (sum_a f(x[o,a,i], c[o,i])) / divisor,  or with the product, the largest or
 *            the smallest in the place of the sum
 * Symbols    outer x axis x inner: the sizes before, along and after the axis; several neighbouring
 *            axes count as one.
 * Layout     x, dx [outer][axis][inner]; y, dy, c, index [outer][inner].
 * Method     Everything is added in double and rounded once. A run of contiguous elements is summed
 *            by halves down to loops of REDUCE_RUN; columns are summed REDUCE_ROWS rows at a time.
 *            So the error of a float sum is that of its last rounding, and that of a double sum
 *            grows with the logarithm of the length, like NumPy's pairwise sum. A sum of squares
 *            that overflows, or that a large mean leaves no digits, is noticed at its end and done
 *            again with care (spread_again).
 * Cost       reads x once.
 * Threads    by outputs where there are enough of them; else the axis is cut into pieces by its
 *            size, whose results are combined by halves.
 * Reference  fastnn/reference/reduce.py
 */

/* ---- loops: one macro per operation ---------------------------------------------------------- */
/* LOOPS_OF_SUM and EXTREME_OF make two functions each, of a run and of columns: LOOPS_OF_SUM(sum,
 * ...) makes FN(sum_run) and FN(sum_columns), EXTREME_OF(amax, ...) FN(amax_run) and
 * FN(amax_columns). REDUCTION makes the kernel. */
#define LOOPS_OF_SUM(name, x, c, expression)                                                                  \
    FNN_INLINE double FN(name##_term)(REAL x, REAL c) { (void)c; return (expression); }                       \
    static double FN(name##_run)(const void *data, double centre, fnn_size n)                                 \
    {                                                                                                         \
        const REAL *in = data, c = (REAL)centre;                                                              \
        if (n > REDUCE_RUN) {                                                                                 \
            const fnn_size half = n / 2 / REDUCE_RUN * REDUCE_RUN, first = half ? half : REDUCE_RUN;          \
            return FN(name##_run)(in, centre, first) + FN(name##_run)(in + first, centre, n - first);         \
        }                                                                                                     \
        double s = 0;                                                                                         \
        _Pragma("omp simd reduction(+:s)")                                                                    \
        for (fnn_size i = 0; i < n; i++) s += FN(name##_term)(in[i], c);                                      \
        return s;                                                                                             \
    }                                                                                                         \
    static void FN(name##_columns)(double *total_, const void *data, const void *centre, fnn_size rows,       \
                                   fnn_size stride, fnn_size n)                                               \
    {                                                                                                         \
        double *restrict total = total_, part[REDUCE_COLUMNS];                                                \
        const REAL *restrict in = data, *restrict c = centre;                                                 \
        for (fnn_size i = 0; i < n; i++) total[i] = 0;                                                        \
        for (fnn_size first = 0; first < rows; first += REDUCE_ROWS) {                                        \
            const fnn_size end = fnn_min(first + REDUCE_ROWS, rows);                                          \
            fnn_size r = first;                                                                               \
            for (fnn_size i = 0; i < n; i++) part[i] = 0;                                                     \
            for (; r + 4 <= end; r += 4) {  /* four rows at a time: part is read and written less often */    \
                const REAL *restrict t = in + r * stride, *restrict u = t + stride, *restrict v = u + stride, \
                                          *restrict w = v + stride;                                           \
                for (fnn_size i = 0; i < n; i++)                                                              \
                    part[i] += (FN(name##_term)(t[i], c[i]) + FN(name##_term)(u[i], c[i]))                    \
                             + (FN(name##_term)(v[i], c[i]) + FN(name##_term)(w[i], c[i]));                   \
            }                                                                                                 \
            for (; r < end; r++)                                                                              \
                for (fnn_size i = 0; i < n; i++) part[i] += FN(name##_term)(in[r * stride + i], c[i]);        \
            for (fnn_size i = 0; i < n; i++) total[i] += part[i];                                             \
        }                                                                                                     \
    }
#define SUM_OF(name, x, c, expression) LOOPS_OF_SUM(name, x, c, expression) REDUCTION(name, name, combine_sum, 0)

/* The fast loops compare only, and add up 0 x on the side: that stays 0 unless some x is NaN or
 * infinite, and then the careful loop, in which NaN always wins, does the work again. REDUCE_LANES
 * extremes of a run are kept side by side. */
#define EXTREME_OF(name, beats, merge)                                                                    \
    FNN_INLINE REAL FN(name##_of)(REAL x, REAL best) { return x beats best || x != x ? x : best; }        \
    static const double FN(name##_of_none) = 0 beats 1 ? INFINITY : -INFINITY;                            \
    static double FN(name##_run)(const void *data, double centre, fnn_size n)                             \
    {                                                                                                     \
        const REAL *restrict in = data;                                                                   \
        REAL best[REDUCE_LANES], zero[REDUCE_LANES] = { 0 };                                              \
        fnn_size i = 0;                                                                                   \
        (void)centre;                                                                                     \
        if (n < 1) return FN(name##_of_none);                                                             \
        for (int k = 0; k < REDUCE_LANES; k++) best[k] = in[0];                                           \
        for (; i + REDUCE_LANES <= n; i += REDUCE_LANES)                                                  \
            for (int k = 0; k < REDUCE_LANES; k++) {                                                      \
                best[k] = in[i + k] beats best[k] ? in[i + k] : best[k];                                  \
                zero[k] += 0 * in[i + k];                                                                 \
            }                                                                                             \
        for (int width = REDUCE_LANES / 2; width > 0; width /= 2)                                         \
            for (int k = 0; k < width; k++) {                                                             \
                best[k] = best[k + width] beats best[k] ? best[k + width] : best[k];                      \
                zero[k] += zero[k + width];                                                               \
            }                                                                                             \
        if (zero[0] != 0)                                                                                 \
            for (best[0] = in[0], i = 1; i < n; i++) best[0] = FN(name##_of)(in[i], best[0]);             \
        for (; i < n; i++) best[0] = FN(name##_of)(in[i], best[0]);                                       \
        return best[0];                                                                                   \
    }                                                                                                     \
    static void FN(name##_columns)(double *total, const void *data, const void *centre, fnn_size rows,    \
                                   fnn_size stride, fnn_size n)                                           \
    {                                                                                                     \
        const REAL *restrict in = data;                                                                   \
        REAL best[REDUCE_COLUMNS], zero = 0;                                                              \
        fnn_size r = 0;                                                                                   \
        (void)centre;                                                                                     \
        for (fnn_size i = 0; rows < 1 && i < n; i++) total[i] = FN(name##_of_none);                       \
        if (rows < 1) return;                                                                             \
        memcpy(best, in, (size_t)n * sizeof(REAL));                                                       \
        for (; r + 2 <= rows; r += 2) {     /* two rows at a time: best is read and written less often */ \
            const REAL *restrict u = in + r * stride, *restrict v = u + stride;                           \
            _Pragma("omp simd reduction(+:zero)")                                                         \
            for (fnn_size i = 0; i < n; i++) {                                                            \
                const REAL x = u[i] beats v[i] ? u[i] : v[i];                                             \
                best[i] = x beats best[i] ? x : best[i];                                                  \
                zero += 0 * (u[i] + v[i]);                                                                \
            }                                                                                             \
        }                                                                                                 \
        if (zero != 0)                                                                                    \
            for (memcpy(best, in, (size_t)n * sizeof(REAL)), r = 1; r < rows; r++)                        \
                for (fnn_size i = 0; i < n; i++) best[i] = FN(name##_of)(in[r * stride + i], best[i]);    \
        for (; r < rows; r++)                                                                             \
            for (fnn_size i = 0; i < n; i++) best[i] = FN(name##_of)(in[r * stride + i], best[i]);        \
        for (fnn_size i = 0; i < n; i++) total[i] = best[i];                                              \
    }                                                                                                     \
    REDUCTION(name, name, merge, 0)

/* The kernel `name`, with the loops of `loops`. */
#define REDUCTION(name, loops, merge, root)                                                                         \
    void FN(name)(REAL *y, const REAL *x, const REAL *c, fnn_size outer, fnn_size axis, fnn_size inner,             \
                  double divisor)                                                                                   \
    {                                                                                                               \
        fnn_reduce_args args = { FN(loops##_run), FN(loops##_columns), merge, y, x, c, NULL, outer, axis, inner, 0, \
                                divisor, root, root, NULL };                                                        \
        FN(reduce)(&args);                                                                                          \
    }

/* ---- the order of work, the same for all ----------------------------------------------------- */
static const REAL FN(zeros)[REDUCE_COLUMNS];

/* Numbers whose squares, and sums of them, are neither infinite nor lost near zero. */
FNN_INLINE int FN(is_safe_sum)(double total)
{
    return total <= DBL_MAX && (!REAL_IS_F64 || total > 0x1p-900);
}

/* A sum of squares that overflowed, vanished, or may have lost its digits to a large mean: the k-th
 * output again, from numbers brought near 1 by a power of 2, and from deviations whose own mean is
 * taken out. Where x has an infinity or a NaN, or is all zero, what came out first is right. */
static void FN(spread_again)(const fnn_reduce_args *args, fnn_size k)
{
    const fnn_size n = args->axis, step = args->inner;
    const REAL *x = (const REAL *)args->x + k / step * n * step + k % step;
    double largest = 0, mean = 0, sum = 0, squares = 0;
    for (fnn_size a = 0; a < n; a++) {
        const double size = fabs((double)x[a * step]);
        largest = size > largest || size != size ? size : largest;
    }
    if (!(largest > 0 && largest <= DBL_MAX))
        return;
    const double scale = fnn_power_for(largest, FNN_POWER_MOST);
    /* twice where a mean is taken out: for the mean, and for the deviations; in parts, so that few
     * roundings meet in one number */
    for (int pass = args->c ? 0 : 1; pass < 2; pass++) {
        for (fnn_size begin = 0; begin < n; begin += REDUCE_RUN) {
            double part = 0, part_squares = 0;
            for (fnn_size a = begin; a < fnn_min(begin + REDUCE_RUN, n); a++) {
                const double d = x[a * step] * scale - mean;
                part += d;
                part_squares += d * d;
            }
            sum += part;
            squares += part_squares;
        }
        if (pass == 0) {
            mean = sum / (double)n;
            sum = squares = 0;
        }
    }
    if (args->c) {
        REAL *c = (REAL *)args->c + k, *rest = (REAL *)args->rest + k;
        const double left = sum / (double)n;
        squares -= sum * left;
        *c = (REAL)((mean + left) / scale);
        *rest = (REAL)(((mean - *c * scale) + left) / scale);
    }
    squares = fnn_max_double(squares, 0) / args->divisor;
    ((REAL *)args->y)[k] = (REAL)(args->root ? sqrt(squares) / scale : squares / scale / scale);
}

/* Outputs k ... k + n - 1 from their totals. */
static void FN(reduce_finish)(const fnn_reduce_args *args, fnn_size k, fnn_size n, const double *restrict total)
{
    REAL *restrict y = (REAL *)args->y + k;
    const double divisor = args->divisor;
    if (!args->squares) {
        for (fnn_size i = 0; i < n; i++)
            y[i] = (REAL)(total[i] / divisor);
        if (args->rest)
            for (fnn_size i = 0; i < n; i++)
                ((REAL *)args->rest)[k + i] = (REAL)(total[i] / divisor - (double)y[i]);
        return;
    }
    const REAL *c = args->c, *rest = args->rest;
    const double m = (double)args->axis;
    for (fnn_size i = 0; i < n; i++) {
        double t = total[i];
        /* the sum is about c = mean - rest:  sum (x - c)^2 = sum (x - mean)^2 + m rest^2 */
        if (rest)
            t = t - m * rest[k + i] * rest[k + i];
        t = fnn_max_double(0, t);
        y[i] = (REAL)(args->root ? sqrt(t / divisor) : t / divisor);
        /* double's own sum knows its mean to some 2^-46; float's is rounded later, the rest kept */
        if (!FN(is_safe_sum)(total[i]) || (REAL_IS_F64 && c && total[i] < 0x1p-40 * m * c[k + i] * c[k + i]))
            FN(spread_again)(args, k + i);
    }
}

/* Tasks are outputs in a row: inner = 1. */
static void FN(reduce_rows_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_reduce_args *args = ctx;
    const REAL *x = args->x, *c = args->c;
    for (fnn_size o = begin; o < end; o++) {
        const double total = args->run(x + o * args->axis, c ? c[o] : 0, args->axis);
        if (args->squares || args->rest)
            FN(reduce_finish)(args, o, 1, &total);
        else
            ((REAL *)args->y)[o] = (REAL)(total / args->divisor);
    }
}

/* Tasks are blocks of columns, in all outer slices. */
static void FN(reduce_columns_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_reduce_args *args = ctx;
    const fnn_size inner = args->inner, blocks = fnn_ceil_div(inner, REDUCE_COLUMNS);
    double total[REDUCE_COLUMNS];
    for (fnn_size t = begin; t < end; t++) {
        const fnn_size o = t / blocks, i0 = t % blocks * REDUCE_COLUMNS, n = fnn_min(inner - i0, REDUCE_COLUMNS);
        const REAL *c = args->c ? (const REAL *)args->c + o * inner + i0 : FN(zeros);
        args->columns(total, (const REAL *)args->x + o * args->axis * inner + i0, c, args->axis, inner, n);
        FN(reduce_finish)(args, o * inner + i0, n, total);
    }
}

/* Tasks are pieces of the axis, in one outer slice: partial results only. */
static void FN(reduce_pieces_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_reduce_args *args = ctx;
    const fnn_size inner = args->inner;
    const REAL *c = args->c;
    for (fnn_size t = begin; t < end; t++) {
        const fnn_size a = t * args->piece, rows = fnn_min(args->axis - a, args->piece);
        const REAL *x = (const REAL *)args->x + a * inner;
        if (inner == 1)
            args->parts[t] = args->run(x, c ? c[0] : 0, rows);
        else
            for (fnn_size i = 0; i < inner; i += REDUCE_COLUMNS)
                args->columns(args->parts + t * inner + i, x + i, c ? c + i : FN(zeros), rows, inner,
                              fnn_min(inner - i, REDUCE_COLUMNS));
    }
}

static void FN(reduce)(fnn_reduce_args *args)
{
    const fnn_size outer = args->outer, axis = args->axis, inner = args->inner;
    const fnn_size blocks = fnn_ceil_div(inner, REDUCE_COLUMNS);
    if (axis * inner <= REDUCE_PIECES * REDUCE_BLOCK || outer * blocks >= REDUCE_TASKS) {
        if (inner == 1)
            fnn_parallel_for(outer, fnn_grain(REDUCE_BLOCK, axis), FN(reduce_rows_block), args);
        else
            fnn_parallel_for(outer * blocks, reduce_grain(axis, inner, blocks),
                             FN(reduce_columns_block), args);
        return;
    }
    /* few long ones; since outer * blocks < REDUCE_TASKS, at least 16 pieces fit in the scratch
     * memory */
    const fnn_size most = fnn_min(REDUCE_PARTS, REDUCE_SCRATCH / inner);
    const fnn_size wanted = fnn_clamp(axis * inner / REDUCE_BLOCK, 1, most);
    const REAL *x = args->x, *c = args->c;
    const fnn_reduce_args all = *args;
    args->piece = fnn_ceil_div(axis, wanted);
    const fnn_size pieces = fnn_ceil_div(axis, args->piece);
    args->parts = fnn_scratch_alloc((size_t)(pieces * inner) * sizeof(double));
    for (fnn_size o = 0; o < outer; o++) {
        args->x = x + o * axis * inner;
        args->c = c ? c + o * inner : NULL;
        fnn_parallel_for(pieces, 1, FN(reduce_pieces_block), args);
        combine_parts(args->parts, pieces, inner, args->combine);
        FN(reduce_finish)(&all, o * inner, inner, args->parts);
    }
    fnn_scratch_free(args->parts);
}

/* ---- one line per kernel --------------------------------------------------------------------- */
FNN_INLINE double FN(square_of)(REAL d) { return (double)d * d; }

SUM_OF(sum, x, c, x)
SUM_OF(sum_abs, x, c, x - c < 0 ? c - x : x - c)
LOOPS_OF_SUM(sum_square, x, c, FN(square_of)(x - c))
REDUCTION(root_sum_square, sum_square, combine_sum, 1)

void FN(variance)(REAL *y, REAL *mean, REAL *rest, const REAL *x, fnn_size outer, fnn_size axis, fnn_size inner,
                  double divisor, int root)
{
    fnn_reduce_args args = { .run = FN(sum_run), .columns = FN(sum_columns), .combine = combine_sum, .y = mean,
                             .x = x, .outer = outer, .axis = axis, .inner = inner, .divisor = (double)axis,
                             .rest = rest };
    FN(reduce)(&args);
    args = (fnn_reduce_args){ .run = FN(sum_square_run), .columns = FN(sum_square_columns), .combine = combine_sum,
                              .y = y, .x = x, .c = mean, .outer = outer, .axis = axis, .inner = inner,
                              .divisor = divisor, .root = root, .squares = 1, .rest = rest };
    FN(reduce)(&args);
}

SUM_OF(sum_exp, x, c, r_exp(x - c))
EXTREME_OF(amax, >, combine_max)
EXTREME_OF(amin, <, combine_min)

static double FN(prod_run)(const void *data, double centre, fnn_size n)
{
    const REAL *x = data;
    double p = 1;
    (void)centre;
    #pragma omp simd reduction(*:p)
    for (fnn_size i = 0; i < n; i++)
        p *= x[i];
    return p;
}

static void FN(prod_columns)(double *total_, const void *data, const void *centre, fnn_size rows, fnn_size stride,
                             fnn_size n)
{
    double *restrict total = total_;
    const REAL *restrict x = data;
    (void)centre;
    for (fnn_size i = 0; i < n; i++)
        total[i] = 1;
    for (fnn_size r = 0; r < rows; r++)
        for (fnn_size i = 0; i < n; i++)
            total[i] *= x[r * stride + i];
}

REDUCTION(prod, prod, combine_prod, 0)

/* ---- gradients ------------------------------------------------------------------------------- */
/* Tasks are steps along outer and axis together: each writes one row of inner elements. */
static void FN(spread_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_axis_args *args = ctx;
    const fnn_size inner = args->inner;
    const REAL divisor = (REAL)args->number;
    for (fnn_size t = begin; t < end; ) {
        const fnn_size o = t / args->axis, stop = fnn_min((o + 1) * args->axis, end);
        REAL *restrict dx = (REAL *)args->y + t * inner;
        const REAL *restrict dy = (const REAL *)args->dy + o * inner;
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
    fnn_axis_args args = { .y = dx, .dy = dy, .outer = outer, .axis = axis, .inner = inner, .number = divisor };
    fnn_parallel_for(outer * axis, fnn_grain(REDUCE_BLOCK, inner), FN(spread_block), &args);
}

/* forward was  y = prod x,  so  dx_a = dy times the product of the others. That holds where x_a or
 * another one is zero, too. */
FNN_INLINE REAL FN(times_others)(REAL dy, double product, double zeros, double x)
{
    const double lone = zeros == 1 && x == 0 ? product : 0;
    return (REAL)(dy * (zeros == 0 ? product / x : lone));
}

/* The same where the product is 0, infinite or NaN without a zero in it, for it left the range of
 * double or there is an infinite x. The product is then kept as fraction 2^exponent, and
 * infinities, zeros and NaN are counted apart. `step` between elements. */
static void FN(prod_backward_carefully)(REAL *dx, REAL dy, const REAL *x, fnn_size axis, fnn_size step)
{
    double fraction = 1;
    long long exponent = 0;
    fnn_size infinite = 0, zero = 0, nan = 0;
    for (fnn_size a = 0; a < axis; a++) {
        const double v = x[a * step];
        int e = 0;
        nan += v != v;
        zero += v == 0;
        infinite += fabs(v) == INFINITY;
        if (v == v && v != 0)
            fraction = frexp(fabs(v) == INFINITY ? copysign(1, v) * fraction : v * fraction, &e);
        exponent += e;
    }
    for (fnn_size a = 0; a < axis; a++) {
        const double v = x[a * step];
        int e = 0;
        const double part = v != v || v == 0 ? 1 : fabs(v) == INFINITY ? copysign(1, v) : frexp(v, &e);
        const fnn_size others = infinite - (fabs(v) == INFINITY), zeros = zero - (v == 0), nans = nan - (v != v);
        const int power = (int)fnn_clamp(exponent - e, -PROD_POWER, PROD_POWER);
        const double product = ldexp(fraction / part, power);
        dx[a * step] = (REAL)(dy * (nans || (others && zeros) ? NAN : zeros ? 0
                                    : others ? copysign(INFINITY, fraction / part) : product));
    }
}

/* Whether the fast way through a product does not hold. */
static inline int FN(left_range)(double product) { return !(fabs(product) < INFINITY && fabs(product) >= DBL_MIN); }

/* Tasks are blocks of columns, in all outer slices; with inner = 1 a column is a row. */
static void FN(prod_backward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_axis_args *args = ctx;
    const fnn_size inner = args->inner, axis = args->axis, blocks = fnn_ceil_div(inner, REDUCE_COLUMNS);
    /* of all that are not zero, and how many are */
    double product[REDUCE_COLUMNS], zeros[REDUCE_COLUMNS];
    for (fnn_size t = begin; t < end; t++) {
        const fnn_size o = t / blocks, i0 = t % blocks * REDUCE_COLUMNS, n = fnn_min(inner - i0, REDUCE_COLUMNS);
        const REAL *restrict x = (const REAL *)args->x + o * axis * inner + i0;
        const REAL *restrict dy = (const REAL *)args->dy + o * inner + i0;
        REAL *restrict dx = (REAL *)args->y + o * axis * inner + i0;
        if (inner == 1) {
            double p = 1, z = 0;
            for (fnn_size a = 0; a < axis; a++) {
                z += x[a] == 0 ? 1 : 0;
                p *= x[a] == 0 ? 1 : (double)x[a];
            }
            if (FN(left_range)(p))
                FN(prod_backward_carefully)(dx, *dy, x, axis, 1);
            else
                for (fnn_size a = 0; a < axis; a++)
                    dx[a] = FN(times_others)(*dy, p, z, x[a]);
            continue;
        }
        for (fnn_size i = 0; i < n; i++)
            product[i] = 1, zeros[i] = 0;
        for (fnn_size a = 0; a < axis; a++)
            for (fnn_size i = 0; i < n; i++) {
                const REAL v = x[a * inner + i];
                zeros[i] += v == 0 ? 1 : 0;
                product[i] *= v == 0 ? 1 : (double)v;
            }
        for (fnn_size a = 0; a < axis; a++)
            for (fnn_size i = 0; i < n; i++)
                dx[a * inner + i] = FN(times_others)(dy[i], product[i], zeros[i], x[a * inner + i]);
        for (fnn_size i = 0; i < n; i++)
            if (FN(left_range)(product[i]))
                FN(prod_backward_carefully)(dx + i, dy[i], x + i, axis, inner);
    }
}

void FN(prod_backward)(REAL *dx, const REAL *dy, const REAL *x, fnn_size outer, fnn_size axis, fnn_size inner)
{
    fnn_axis_args args = { .y = dx, .x = x, .dy = dy, .outer = outer, .axis = axis, .inner = inner };
    const fnn_size blocks = fnn_ceil_div(inner, REDUCE_COLUMNS);
    fnn_parallel_for(outer * blocks, reduce_grain(axis, inner, blocks),
                     FN(prod_backward_block), &args);
}

/* ---- where the extreme is -------------------------------------------------------------------- */
/* Where the first REDUCE_LANES elements begin that hold this value or a NaN, or else what is left:
 * without a branch for each element. */
static fnn_size FN(first_block_with)(const REAL *restrict x, REAL value, fnn_size n)
{
    fnn_size a = 0;
    for (; a + REDUCE_LANES <= n; a += REDUCE_LANES) {
        int found = 0;
        #pragma omp simd reduction(| : found)
        for (int k = 0; k < REDUCE_LANES; k++)
            found |= !(x[a + k] < value || x[a + k] > value);
        if (found) break;
    }
    return a;
}

/* Tasks are blocks of columns, in all outer slices; with inner = 1 a column is a row. */
static void FN(argmax_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_axis_args *args = ctx;
    const fnn_size inner = args->inner, axis = args->axis, blocks = fnn_ceil_div(inner, REDUCE_COLUMNS);
    const REAL sign = (REAL)args->number;
    REAL best[REDUCE_COLUMNS];
    for (fnn_size t = begin; t < end; t++) {
        const fnn_size o = t / blocks, i0 = t % blocks * REDUCE_COLUMNS, n = fnn_min(inner - i0, REDUCE_COLUMNS);
        const REAL *x = (const REAL *)args->x + o * axis * inner + i0;
        int64_t *restrict at = args->index + o * inner + i0;
        REAL *restrict value = (REAL *)args->y + o * inner + i0;
        if (inner == 1) {                           /* find the extreme fast, then its place */
            const REAL extreme = (REAL)(sign > 0 ? FN(amax_run) : FN(amin_run))(x, 0, axis);
            fnn_size a = FN(first_block_with)(x, extreme, axis);
            while (a < axis - 1 && x[a] != extreme && x[a] == x[a])
                a++;
            *at = a;
            *value = x[a];
            continue;
        }
        for (fnn_size i = 0; i < n; i++) {
            best[i] = sign * x[i];
            at[i] = 0;
        }
        for (fnn_size a = 1; a < axis; a++)
            for (fnn_size i = 0; i < n; i++) {
                const REAL v = sign * x[a * inner + i];
                const int better = v > best[i] || (v != v && best[i] == best[i]);
                at[i] = better ? a : at[i];
                best[i] = better ? v : best[i];
            }
        for (fnn_size i = 0; i < n; i++)
            value[i] = sign * best[i];
    }
}

void FN(argmax)(int64_t *index, REAL *value, const REAL *x, fnn_size outer, fnn_size axis, fnn_size inner, double sign)
{
    fnn_axis_args args = { .y = value, .x = x, .index = index, .outer = outer, .axis = axis, .inner = inner,
                           .number = sign };
    const fnn_size blocks = fnn_ceil_div(inner, REDUCE_COLUMNS);
    fnn_parallel_for(outer * blocks, reduce_grain(axis, inner, blocks),
                     FN(argmax_block), &args);
}

/* Tasks are outer slices. */
static void FN(argmax_backward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_axis_args *args = ctx;
    const fnn_size inner = args->inner, axis = args->axis;
    for (fnn_size o = begin; o < end; o++) {
        REAL *dx = (REAL *)args->y + o * axis * inner;
        const REAL *dy = (const REAL *)args->dy + o * inner;
        const int64_t *index = args->index + o * inner;
        memset(dx, 0, (size_t)(axis * inner) * sizeof(REAL));
        for (fnn_size i = 0; i < inner; i++)
            dx[index[i] * inner + i] = dy[i];
    }
}

void FN(argmax_backward)(REAL *dx, const REAL *dy, const int64_t *index, fnn_size outer, fnn_size axis, fnn_size inner)
{
    fnn_axis_args args = { .y = dx, .dy = dy, .index = (int64_t *)index, .outer = outer, .axis = axis, .inner = inner };
    fnn_parallel_for(outer, fnn_grain(REDUCE_BLOCK, axis * inner), FN(argmax_backward_block), &args);
}

/* ---- running sums ---------------------------------------------------------------------------- */
/* Tasks are blocks of columns, in all outer slices. */
static void FN(cumsum_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_axis_args *args = ctx;
    const fnn_size inner = args->inner, axis = args->axis, blocks = fnn_ceil_div(inner, REDUCE_COLUMNS);
    for (fnn_size t = begin; t < end; t++) {
        const fnn_size i0 = t % blocks * REDUCE_COLUMNS, n = fnn_min(inner - i0, REDUCE_COLUMNS);
        const fnn_size start = t / blocks * axis * inner + i0;
        const fnn_size step = args->number ? -inner : inner, from = args->number ? start + (axis - 1) * inner : start;
        double total[REDUCE_COLUMNS] = { 0 };
        if (inner == 1) {
            for (fnn_size k = 0; k < axis; k++)
                ((REAL *)args->y)[from + k * step] = (REAL)(total[0] += ((const REAL *)args->x)[from + k * step]);
            continue;
        }
        for (fnn_size k = 0; k < axis; k++) {
            const fnn_size row = from + k * step;
            const REAL *restrict x = (const REAL *)args->x + row;
            REAL *restrict y = (REAL *)args->y + row;
            for (fnn_size i = 0; i < n; i++) {
                total[i] += x[i];
                y[i] = (REAL)total[i];
            }
        }
    }
}

void FN(cumsum)(REAL *y, const REAL *x, fnn_size outer, fnn_size axis, fnn_size inner, int reverse)
{
    fnn_axis_args args = { .y = y, .x = x, .outer = outer, .axis = axis, .inner = inner, .number = reverse };
    const fnn_size blocks = fnn_ceil_div(inner, REDUCE_COLUMNS);
    fnn_parallel_for(outer * blocks, reduce_grain(axis, inner, blocks),
                     FN(cumsum_block), &args);
}

#undef SUM_OF
#undef EXTREME_OF
#undef REDUCTION
