/* adafactor.tmpl.h -- a step of Adafactor for one parameter.
 *
 * Math       optim.h, above the row. Of the squares of a matrix's gradient only the means of rows
 *            and of columns are kept, so the state of an R x C matrix has R + C numbers, not R C.
 * Layout     p, g [B][R][C]: B matrices; row [B][R], column [B][C]. A vector: B = R = 1, its
 *            own means in column.
 * Method     Four passes over g: the sums of rows, those of columns, the length of the update, and
 *            the update itself. Sums are in double.
 * Cost       4 reads of g, 2 of p, 1 write; the passes over a matrix that fits into the cache are
 *            nearly free.
 * Threads    rows, or strips of columns; sums of rows are added in order.
 * Reference  fastnn/reference/optim.py; Shazeer, Stern (2018), "Adafactor: adaptive learning rates
 *            with sublinear memory cost".
 */
#ifndef FNN_ADAFACTOR_ONCE
#define FNN_ADAFACTOR_ONCE
enum {
    ADAFACTOR_STRIP = 64,           /* columns summed together; chosen: 4 cache lines of floats */
    ADAFACTOR_GRAIN = 8192          /* elements in a block of rows; chosen: FNN_OPTIM_BLOCK */
};
#endif

typedef struct {
    REAL *p, *row, *column;
    const REAL *g;
    double *squares;                /* of a row: of p, and later of the update */
    double *norm;                   /* of a matrix: 1 / the mean of `row` */
    fnn_size B, R, C;
    double one_minus_beta2, least, shrink, rate;
} FN(adafactor_args);

/* x, and no less than least; in this order NaN stays NaN */
FNN_INLINE REAL FN(adafactor_at_least)(REAL x, REAL least) { return r_max(least, x); }

/* The running mean beta2 mean + (1 - beta2) x */
FNN_INLINE REAL FN(adafactor_mean)(const FN(adafactor_args) *args, REAL mean, double x)
{
    return (REAL)((double)mean + args->one_minus_beta2 * (x - (double)mean));
}

/* Pass 1, over rows: the squares of p, and the running mean of g^2 in the row */
static void FN(adafactor_rows)(void *ctx, fnn_size first, fnn_size last)
{
    const FN(adafactor_args) *args = ctx;
    const fnn_size C = args->C;
    for (fnn_size r = first; r < last; r++) {
        const REAL *restrict p = args->p + r * C, *restrict g = args->g + r * C;
        double of_p = 0, of_g = 0;
        #pragma omp simd reduction(+:of_p, of_g)
        for (fnn_size c = 0; c < C; c++) {
            of_p += (double)p[c] * (double)p[c];
            of_g += (double)g[c] * (double)g[c];
        }
        args->squares[r] = of_p;
        if (args->row)
            args->row[r] = FN(adafactor_mean)(args, args->row[r], of_g / (double)C);
    }
}

/* Pass 2, over strips of columns: the running mean of g^2 in the column */
static void FN(adafactor_columns)(void *ctx, fnn_size first, fnn_size last)
{
    const FN(adafactor_args) *args = ctx;
    const fnn_size R = args->R, C = args->C, strips = fnn_ceil_div(C, ADAFACTOR_STRIP);
    for (fnn_size strip = first; strip < last; strip++) {
        const fnn_size b = strip / strips, begin = strip % strips * ADAFACTOR_STRIP;
        const fnn_size width = fnn_min(ADAFACTOR_STRIP, C - begin);
        REAL *restrict column = args->column + b * C + begin;
        double sum[ADAFACTOR_STRIP] = { 0 };
        for (fnn_size r = 0; r < R; r++) {
            const REAL *restrict g = args->g + (b * R + r) * C + begin;
            for (fnn_size c = 0; c < width; c++)
                sum[c] += (double)g[c] * (double)g[c];
        }
        for (fnn_size c = 0; c < width; c++)
            column[c] = FN(adafactor_mean)(args, column[c], sum[c] / (double)R);
    }
}

/* What row r contributes to the estimates of g^2:  estimate = scale column[c] */
FNN_INLINE REAL FN(adafactor_scale)(const FN(adafactor_args) *args, fnn_size r)
{
    return args->row ? (REAL)((double)args->row[r] * args->norm[r / args->R]) : 1;
}

/* Pass 3, over rows: the squares of the update g / sqrt(estimate) */
static void FN(adafactor_lengths)(void *ctx, fnn_size first, fnn_size last)
{
    const FN(adafactor_args) *args = ctx;
    const fnn_size C = args->C;
    const REAL least = (REAL)(args->least * args->least);
    for (fnn_size r = first; r < last; r++) {
        const REAL *restrict g = args->g + r * C, *restrict column = args->column + r / args->R * C;
        const REAL scale = FN(adafactor_scale)(args, r);
        double sum = 0;
        #pragma omp simd reduction(+:sum)
        for (fnn_size c = 0; c < C; c++)
            sum += (double)g[c] * (double)g[c] / (double)FN(adafactor_at_least)(scale * column[c], least);
        args->squares[r] = sum;
    }
}

/* Pass 4, over rows: the update */
static void FN(adafactor_write)(void *ctx, fnn_size first, fnn_size last)
{
    const FN(adafactor_args) *args = ctx;
    const fnn_size C = args->C;
    const REAL least = (REAL)(args->least * args->least), shrink = (REAL)args->shrink, rate = (REAL)args->rate;
    for (fnn_size r = first; r < last; r++) {
        REAL *restrict p = args->p + r * C;
        const REAL *restrict g = args->g + r * C, *restrict column = args->column + r / args->R * C;
        const REAL scale = FN(adafactor_scale)(args, r);
        for (fnn_size c = 0; c < C; c++)
            p[c] = shrink * p[c] - rate * g[c] / r_sqrt(FN(adafactor_at_least)(scale * column[c], least));
    }
}

/* The root of the mean of the squares */
static double FN(adafactor_rms)(const FN(adafactor_args) *args)
{
    const fnn_size rows = args->B * args->R;
    double sum = 0;
    for (fnn_size r = 0; r < rows; r++)
        sum += args->squares[r];
    return sqrt(sum / ((double)rows * (double)args->C));
}

void FN(adafactor_step)(REAL *p, REAL *row, REAL *column, const REAL *g, double *workspace, fnn_size B, fnn_size R,
                        fnn_size C, double one_minus_beta2, double rate, double eps1, double eps2, double d,
                        double shrink)
{
    const fnn_size rows = B * R, grain = fnn_ceil_div(ADAFACTOR_GRAIN, fnn_max(C, 1));
    if (rows == 0 || C == 0)
        return;
    FN(adafactor_args) args = { .p = p, .row = row, .column = column, .g = g, .squares = workspace,
                                .norm = workspace + rows, .B = B, .R = R, .C = C, .one_minus_beta2 = one_minus_beta2,
                                .least = eps1, .shrink = shrink };
    fnn_parallel_for(rows, grain, FN(adafactor_rows), &args);
    const double size = FN(adafactor_rms)(&args);                   /* of p as it was */
    fnn_parallel_for(B * fnn_ceil_div(C, ADAFACTOR_STRIP), fnn_ceil_div(ADAFACTOR_GRAIN, R * ADAFACTOR_STRIP),
                     FN(adafactor_columns), &args);
    for (fnn_size b = 0; row && b < B; b++) {
        double sum = 0;
        for (fnn_size r = 0; r < R; r++)
            sum += (double)row[b * R + r];
        const double mean = sum / (double)R;
        args.norm[b] = 1 / (mean != mean ? mean : fmax(mean, eps1));
    }
    fnn_parallel_for(rows, grain, FN(adafactor_lengths), &args);
    args.rate = rate * fmax(eps2, size) / fmax(1, FN(adafactor_rms)(&args) / d);
    fnn_parallel_for(rows, grain, FN(adafactor_write), &args);
}
