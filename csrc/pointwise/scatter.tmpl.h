/* scatter.tmpl.h -- choose elements or slices by number, and add them back: each is the other's
 * gradient.
 *
 * Math       gather        y[o,j,i] = x[o, k, i],   scatter_add   y[o,k,i] += values[o,j,i],
 *                          k = index[o,j,i]
 *            index_select  y[o,j,:] = x[o, k, :],   index_add     y[o,k,:] += source[o,j,:],
 *                          k = index[j]
 *            put           y[k] = values[j], k = places[j] >= 0; of several for one k the last
 *                          stays
 *            put_backward  dx = dy, but 0 at the places; dvalues[j] = dy[k] if values[j] stayed,
 *                          else 0
 * Symbols    o, i in `outer` and `inner`, the sizes before and behind the axis; `axis` its length
 *            in x; n indices.
 * Layout     x [outer][axis][inner], row-major.
 * Method     gather and index_select copy. scatter_add takes the indices in their order, for some
 *            columns i at a time. index_add does so where `outer` gives enough blocks; else it
 *            sorts the positions by slice (counting sort, order kept), and writes each slice once.
 * Cost       each element that is chosen is read and written once; index_add also reads and writes
 *            all of x.
 * Threads    one writer per element of y, and its terms in order of j, so the bits do not depend on
 *            threads: blocks of rows (gather, index_select), of columns (scatter_add), of slices
 *            (index_add). put takes one thread, for the last of several values is to stay; so does
 *            scatter_add of a vector.
 * Reference  fastnn/reference/indexing.py, scatter.py
 */
#ifndef FNN_SCATTER_ONCE
#define FNN_SCATTER_ONCE
enum {
    SCATTER_GRAIN = 16384,      /* elements in a block; chosen: as MAP_GRAIN */
    SCATTER_COLUMNS = 16,       /* columns that are not cut; chosen: a cache line of float */
    SCATTER_OUTER = 16          /* index_add cuts along `outer` from here on; chosen: blocks for
                                   many threads */
};
typedef struct {
    void *y, *z;
    const void *x, *v;
    const int64_t *index;
    const fnn_size *start, *place;  /* of slice s: place[k], start[s] <= k < start[s + 1] */
    fnn_size *last;                 /* of put: the last j for each place */
    fnn_size axis, n, inner;
} fnn_scatter_args;

/* The index as it counts from the beginning; the places of put already do */
static inline fnn_size fnn_from_start(int64_t index, fnn_size axis)
{
    return (fnn_size)index + (index < 0 ? axis : 0);
}
#endif

/* ---- one index for each element -------------------------------------------------------------- */
static void FN(gather_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_scatter_args *args = ctx;
    const fnn_size axis = args->axis, n = args->n, inner = args->inner;
    for (fnn_size row = begin, o = begin / n, j = begin % n; row < end; row++) {
        REAL *restrict y = (REAL *)args->y + row * inner;
        const REAL *restrict x = (const REAL *)args->x + o * axis * inner;
        const int64_t *restrict index = args->index + row * inner;
        for (fnn_size i = 0; i < inner; i++)
            y[i] = x[fnn_from_start(index[i], axis) * inner + i];
        if (++j == n) {
            j = 0;
            o++;
        }
    }
}

/* Where inner = 1, all indices that one row of x has in the block stand side by side. */
static void FN(gather_row_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_scatter_args *args = ctx;
    const fnn_size axis = args->axis, n = args->n;
    REAL *restrict y = args->y;
    const int64_t *restrict index = args->index;
    for (fnn_size o = begin / n; o * n < end; o++) {
        const REAL *restrict x = (const REAL *)args->x + o * axis;
        const fnn_size last = fnn_min(end, (o + 1) * n);
        for (fnn_size k = fnn_max(begin, o * n); k < last; k++)
            y[k] = x[fnn_from_start(index[k], axis)];
    }
}

void FN(gather)(REAL *y, const REAL *x, const int64_t *index, fnn_size outer, fnn_size axis, fnn_size n, fnn_size inner)
{
    fnn_scatter_args args = { .y = y, .x = x, .index = index, .axis = axis, .n = n, .inner = inner };
    if (n > 0 && inner > 0)
        fnn_parallel_for(outer * n, fnn_grain(SCATTER_GRAIN, inner),
                         inner == 1 ? FN(gather_row_block) : FN(gather_block), &args);
}

/* Items are groups of SCATTER_COLUMNS columns, of one o after the other. */
static void FN(scatter_add_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_scatter_args *args = ctx;
    const fnn_size axis = args->axis, n = args->n, inner = args->inner;
    const fnn_size groups = fnn_ceil_div(inner, SCATTER_COLUMNS);
    for (fnn_size item = begin, next; item < end; item = next) {
        const fnn_size o = item / groups, first = (item - o * groups) * SCATTER_COLUMNS;
        next = fnn_min(end, (o + 1) * groups);
        const fnn_size last = fnn_min(inner, (next - o * groups) * SCATTER_COLUMNS);
        REAL *y = (REAL *)args->y + o * axis * inner;
        for (fnn_size j = 0; j < n; j++) {
            const REAL *v = (const REAL *)args->v + (o * n + j) * inner;
            const int64_t *index = args->index + (o * n + j) * inner;
            for (fnn_size i = first; i < last; i++)
                y[fnn_from_start(index[i], axis) * inner + i] += v[i];
        }
    }
}

void FN(scatter_add)(REAL *y, const REAL *values, const int64_t *index, fnn_size outer, fnn_size axis, fnn_size n,
                     fnn_size inner)
{
    fnn_scatter_args args = { .y = y, .v = values, .index = index, .axis = axis, .n = n, .inner = inner };
    const fnn_size columns = fnn_min(inner, SCATTER_COLUMNS);
    if (n > 0 && inner > 0)
        fnn_parallel_for(outer * fnn_ceil_div(inner, SCATTER_COLUMNS), fnn_grain(SCATTER_GRAIN, (fnn_work)n * columns),
                         FN(scatter_add_block), &args);
}

/* The only block: all values, in their order. */
static void FN(put_block)(void *ctx, fnn_size begin, fnn_size end)
{
    (void)begin;
    (void)end;
    const fnn_scatter_args *args = ctx;
    REAL *y = args->y;
    const REAL *v = args->v;
    for (fnn_size j = 0; j < args->n; j++)
        y[args->index[j]] = v[j];
}

void FN(put)(REAL *y, const REAL *values, const int64_t *places, fnn_size n)
{
    fnn_scatter_args args = { .y = y, .v = values, .index = places, .n = n };
    fnn_parallel_for(1, 1, FN(put_block), &args);
}

/* The only block, as in put */
static void FN(put_backward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    (void)begin;
    (void)end;
    const fnn_scatter_args *args = ctx;
    REAL *dx = args->y, *dv = args->z;
    const REAL *dy = args->x;
    fnn_size *last = args->last;
    memcpy(dx, dy, (size_t)args->axis * sizeof(REAL));
    for (fnn_size j = 0; j < args->n; j++) {
        last[args->index[j]] = j;
        dx[args->index[j]] = 0;
    }
    for (fnn_size j = 0; j < args->n; j++)
        dv[j] = last[args->index[j]] == j ? dy[args->index[j]] : 0;
}

void FN(put_backward)(REAL *dx, REAL *dvalues, const REAL *dy, const int64_t *places, fnn_size *workspace,
                      fnn_size size, fnn_size n)
{
    fnn_scatter_args args = { .y = dx, .z = dvalues, .x = dy, .index = places, .last = workspace, .axis = size,
                              .n = n };
    if (size > 0)
        fnn_parallel_for(1, 1, FN(put_backward_block), &args);
}

/* ---- one index for each slice ---------------------------------------------------------------- */
static void FN(index_select_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_scatter_args *args = ctx;
    const fnn_size axis = args->axis, n = args->n, inner = args->inner;
    for (fnn_size row = begin, o = begin / n, j = begin % n; row < end; row++) {
        REAL *y = (REAL *)args->y + row * inner;
        const REAL *x = (const REAL *)args->x + (o * axis + fnn_from_start(args->index[j], axis)) * inner;
        if (inner == 1)
            *y = *x;
        else
            memcpy(y, x, (size_t)inner * sizeof(REAL));
        if (++j == n) {
            j = 0;
            o++;
        }
    }
}

void FN(index_select)(REAL *y, const REAL *x, const int64_t *index, fnn_size outer, fnn_size axis, fnn_size n,
                      fnn_size inner)
{
    fnn_scatter_args args = { .y = y, .x = x, .index = index, .axis = axis, .n = n, .inner = inner };
    if (n > 0 && inner > 0)
        fnn_parallel_for(outer * n, fnn_grain(SCATTER_GRAIN, inner), FN(index_select_block), &args);
}

/* y = x, or zeros */
FNN_INLINE void FN(index_begin)(REAL *y, const REAL *x, fnn_size n)
{
    if (x)
        memcpy(y, x, (size_t)n * sizeof(REAL));
    else
        memset(y, 0, (size_t)n * sizeof(REAL));
}

FNN_INLINE void FN(index_add_slice)(REAL *restrict y, const REAL *restrict v, fnn_size inner)
{
    for (fnn_size i = 0; i < inner; i++)
        y[i] += v[i];                           /* forward was  y[o,j,:] = x[o, index[j], :] */
}

/* The slices [begin, end), by the sorted positions */
static void FN(index_add_sorted)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_scatter_args *args = ctx;
    const fnn_size axis = args->axis, n = args->n, inner = args->inner;
    for (fnn_size slice = begin; slice < end; slice++) {
        const fnn_size o = slice / axis, s = slice % axis;
        REAL *y = (REAL *)args->y + slice * inner;
        FN(index_begin)(y, args->x ? (const REAL *)args->x + slice * inner : NULL, inner);
        for (fnn_size k = args->start[s]; k < args->start[s + 1]; k++)
            FN(index_add_slice)(y, (const REAL *)args->v + (o * n + args->place[k]) * inner, inner);
    }
}

/* All slices of o in [begin, end) */
static void FN(index_add_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_scatter_args *args = ctx;
    const fnn_size axis = args->axis, n = args->n, inner = args->inner;
    for (fnn_size o = begin; o < end; o++) {
        REAL *y = (REAL *)args->y + o * axis * inner;
        const REAL *v = (const REAL *)args->v + o * n * inner;
        FN(index_begin)(y, args->x ? (const REAL *)args->x + o * axis * inner : NULL, axis * inner);
        if (inner == 1)
            for (fnn_size j = 0; j < n; j++)
                y[fnn_from_start(args->index[j], axis)] += v[j];
        else
            for (fnn_size j = 0; j < n; j++)
                FN(index_add_slice)(y + fnn_from_start(args->index[j], axis) * inner, v + j * inner, inner);
    }
}

void FN(index_add)(REAL *y, const REAL *x, const REAL *source, const int64_t *index, fnn_size *workspace,
                   fnn_size outer, fnn_size axis, fnn_size n, fnn_size inner)
{
    fnn_size *start = workspace, *place = workspace + axis + 1;
    fnn_scatter_args args = { .y = y, .x = x, .v = source, .index = index, .start = start, .place = place,
                              .axis = axis, .n = n, .inner = inner };
    if (axis == 0 || inner == 0)
        return;
    if (outer >= SCATTER_OUTER) {
        fnn_parallel_for(outer, fnn_grain(SCATTER_GRAIN, (fnn_work)(axis + n) * inner), FN(index_add_block), &args);
        return;
    }
    memset(start, 0, (size_t)(axis + 1) * sizeof(fnn_size));
    for (fnn_size j = 0; j < n; j++)
        start[fnn_from_start(index[j], axis)]++;
    /* counts become the end of each slice's positions, */
    for (fnn_size s = 0, before = 0; s <= axis; s++) {
        before += start[s];
        start[s] = before;
    }
    for (fnn_size j = n; j-- > 0;)  /* and placing from the back moves the ends to the beginnings */
        place[--start[fnn_from_start(index[j], axis)]] = j;
    const fnn_work work = (fnn_work)inner * (n / axis + 1);  /* elements in an average slice */
    fnn_parallel_for(outer * axis, fnn_grain(SCATTER_GRAIN, work), FN(index_add_sorted), &args);
}
