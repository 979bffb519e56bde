/* scatter.tmpl.h -- choose elements or slices by number, and write or add them back.
 *
 * Math       gather        y[o,j,i] = x[o, k, i],   scatter_add   y[o,k,i] += values[o,j,i],
 *                          k = index[o,j,i]
 *            index_select  y[o,j,:] = x[o, k, :],   index_add     y[o,k,:] += source[o,j,:],
 *                          k = index[j]
 *            These are each other's gradients.
 *            scatter       y[o,k,i] = values[o,j,i],   index_copy   y[o,k,:] = source[o,j,:];
 *                          of several for one k the last stays
 *            backward      dx = dy, but 0 at the k; dvalues[o,j,i] = dy[o,k,i] if values[o,j,i]
 *                          stayed, else 0
 * Symbols    o, i in `outer` and `inner`, the sizes before and behind the axis; `axis` its length
 *            in x; n indices.
 * Layout     x [outer][axis][inner], row-major.
 * Method     gather and index_select copy. The scatters take the indices in their order, for some
 *            columns i at a time. scatter_backward takes them in the opposite order: the first that
 *            comes to an element is the one that stayed, takes the gradient away and leaves 0 for
 *            the others. index_add takes the indices in their order where `outer` gives enough
 *            blocks; else it sorts the positions by slice (counting sort, order kept), and writes
 *            each slice once. index_copy finds the last position of each slice, and copies slices;
 *            where these are single elements, it goes on as a scatter.
 * Cost       each element that is chosen is read and written once; index_copy and index_add also
 *            read and write all of x.
 * Threads    one writer per element of y, and its terms in order of j, so the bits do not depend on
 *            threads: blocks of rows (gather, index_select), of columns (the scatters), of slices
 *            (index_copy, index_add). A scatter of a vector takes one thread.
 * Reference  fastnn/reference/indexing.py, scatter.py
 */
#ifndef FNN_SCATTER_ONCE
#define FNN_SCATTER_ONCE
enum {
    SCATTER_GRAIN = 16384,      /* elements in a block; chosen: as MAP_GRAIN */
    SCATTER_COLUMNS = 16,       /* columns that are not cut, and how far apart those are that are
                                   taken together; bound: a cache line of float */
    SCATTER_OUTER = 16          /* index_add cuts along `outer` from here on; chosen: blocks for
                                   many threads */
};
/* What a scatter does with an element of y */
enum { SCATTER_WRITE, SCATTER_FILL, SCATTER_ADD, SCATTER_TAKE };
typedef struct {
    void *y, *z;
    const void *x, *v;
    const int64_t *index;
    const fnn_size *start, *place;  /* of slice s: place[k], start[s] <= k < start[s + 1] */
    const fnn_size *last;           /* of slice s: the last j that goes there, or -1 */
    fnn_atomic *outside;            /* how many indices are none of the axis */
    fnn_size axis, n, inner, below;
    fnn_size columns;               /* of an item of a scatter */
    double value;
} fnn_scatter_args;

/* The index as it counts from the beginning */
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

/* What happens to y[k], of which v[j] is the value, or z[j] gets the gradient */
FNN_INLINE void FN(scatter_one)(REAL *y, fnn_size k, const REAL *v, REAL *z, fnn_size j, REAL value, const int what)
{
    if (what == SCATTER_WRITE) y[k] = v[j];
    if (what == SCATTER_FILL) y[k] = value;
    if (what == SCATTER_ADD) y[k] += v[j];
    if (what == SCATTER_TAKE) {     /* forward was  y[k] = v[j];  the last j comes first here */
        z[j] = y[k];
        y[k] = 0;
    }
}

/* Items are groups of columns, of one o after the other. Of a row of indices every 16th column is
 * taken, then the next ones: where rows of y are a power of two long, what neighbours refer to lies
 * in the same few sets of the caches, and one store waits for the other. */
FNN_INLINE void FN(scatter_columns)(const fnn_scatter_args *args, fnn_size begin, fnn_size end, const fnn_size inner,
                                    const int what)
{
    const fnn_size axis = args->axis, n = args->n, below = args->below, columns = inner == 1 ? 1 : args->columns;
    const fnn_size groups = fnn_ceil_div(inner, columns), step = inner == 1 ? 1 : SCATTER_COLUMNS;
    const int64_t *index = args->index;
    const REAL *v = args->v, value = (REAL)args->value;
    REAL *z = args->z;
    fnn_size outside = 0;
    for (fnn_size item = begin, next; item < end; item = next) {
        const fnn_size o = item / groups, first = (item - o * groups) * columns;
        next = fnn_min(end, (o + 1) * groups);
        const fnn_size last = fnn_min(inner, (next - o * groups) * columns);
        REAL *y = (REAL *)args->y + o * axis * inner;
        for (fnn_size count = 0; count < n; count++) {
            const fnn_size row = (o * n + (what == SCATTER_TAKE ? n - 1 - count : count)) * inner;
            for (fnn_size c = first; c < fnn_min(last, first + step); c++)
                for (fnn_size i = c; i < last; i += step) {
                    /* read once: what another thread writes there meanwhile is looked at as well */
                    const int64_t given = *(const volatile int64_t *)&index[row + i];
                    const int64_t k = given + (given < 0 ? below : 0);
                    if ((uint64_t)k < (uint64_t)axis)
                        FN(scatter_one)(y, (fnn_size)k * inner + i, v, z, row + i, value, what);
                    else {
                        outside++;
                        if (what == SCATTER_TAKE)
                            z[row + i] = 0;
                    }
                }
        }
    }
    if (outside)
        fnn_fetch_add(args->outside, outside);
}

/* A version of the loops for inner = 1, where none is over columns */
#define SCATTER_BLOCK(name, what)                                           \
    static void FN(name##_block)(void *ctx, fnn_size begin, fnn_size end)   \
    {                                                                       \
        const fnn_scatter_args *args = ctx;                                 \
        if (args->inner == 1)                                               \
            FN(scatter_columns)(args, begin, end, 1, what);                 \
        else                                                                \
            FN(scatter_columns)(args, begin, end, args->inner, what);       \
    }
SCATTER_BLOCK(scatter_write, SCATTER_WRITE)
SCATTER_BLOCK(scatter_fill, SCATTER_FILL)
SCATTER_BLOCK(scatter_add, SCATTER_ADD)
SCATTER_BLOCK(scatter_take, SCATTER_TAKE)
#undef SCATTER_BLOCK

/* Columns are cut only where `outer` has less than a block for each thread. */
static void FN(scatter_run)(fnn_block_fn block, fnn_scatter_args args, int64_t *outside, fnn_size outer)
{
    fnn_atomic count = 0;
    args.outside = &count;
    if (outer > 0 && args.n > 0 && args.inner > 0) {
        const fnn_size parts = fnn_ceil_div((fnn_size)fnn_free_threads() * fnn_parts_per_thread(), outer);
        const fnn_size lines = fnn_ceil_div(args.inner, SCATTER_COLUMNS);
        args.columns = fnn_min(args.inner, fnn_ceil_div(lines, parts) * SCATTER_COLUMNS);
        fnn_parallel_for(outer * fnn_ceil_div(args.inner, args.columns),
                         fnn_grain(SCATTER_GRAIN, (fnn_work)args.n * args.columns), block, &args);
    }
    *outside = fnn_get(&count);
}

void FN(scatter)(REAL *y, int64_t *outside, const REAL *values, const int64_t *index, fnn_size outer, fnn_size axis,
                 fnn_size n, fnn_size inner, double value)
{
    fnn_scatter_args args = { .y = y, .v = values, .index = index, .axis = axis, .n = n, .inner = inner,
                              .value = value };
    FN(scatter_run)(values ? FN(scatter_write_block) : FN(scatter_fill_block), args, outside, outer);
}

void FN(scatter_backward)(REAL *dx, REAL *dvalues, int64_t *outside, const int64_t *index, fnn_size outer,
                          fnn_size axis, fnn_size n, fnn_size inner)
{
    fnn_scatter_args args = { .y = dx, .z = dvalues, .index = index, .axis = axis, .n = n, .inner = inner };
    FN(scatter_run)(FN(scatter_take_block), args, outside, outer);
}

void FN(scatter_add)(REAL *y, int64_t *outside, const REAL *values, const int64_t *index, fnn_size outer,
                     fnn_size axis, fnn_size n, fnn_size inner, fnn_size below)
{
    fnn_scatter_args args = { .y = y, .v = values, .index = index, .axis = axis, .n = n, .inner = inner,
                              .below = below };
    FN(scatter_run)(FN(scatter_add_block), args, outside, outer);
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

/* How many slices from s on, at most `most`, nothing goes to: they are copied at once. */
FNN_INLINE fnn_size FN(index_kept)(const fnn_size *last, fnn_size s, fnn_size most)
{
    fnn_size count = 0;
    while (count < most && last[s + count] < 0)
        count++;
    return count;
}

/* Slices [begin, end) of y: each is written once, from source or from x; or of dx, from dy, 0 where
 * a slice went. */
FNN_INLINE void FN(index_copy_slices)(const fnn_scatter_args *args, fnn_size begin, fnn_size end, const int backward)
{
    const fnn_size axis = args->axis, n = args->n, inner = args->inner;
    for (fnn_size slice = begin, o = begin / axis, s = begin % axis; slice < end;) {
        const fnn_size kept = FN(index_kept)(args->last, s, fnn_min(axis - s, end - slice));
        const fnn_size count = kept ? kept : 1;
        REAL *y = (REAL *)args->y + slice * inner;
        if (kept)
            memcpy(y, (const REAL *)args->x + slice * inner, (size_t)(kept * inner) * sizeof(REAL));
        else if (backward)          /* forward was  y[o,s,:] = source[o,j,:]  or  x[o,s,:] */
            memset(y, 0, (size_t)inner * sizeof(REAL));
        else
            memcpy(y, (const REAL *)args->v + (o * n + args->last[s]) * inner, (size_t)inner * sizeof(REAL));
        slice += count;
        s += count;
        if (s == axis) {
            s = 0;
            o++;
        }
    }
}

static void FN(index_copy_block)(void *ctx, fnn_size begin, fnn_size end)
{
    FN(index_copy_slices)(ctx, begin, end, 0);
}

static void FN(index_copy_dx_block)(void *ctx, fnn_size begin, fnn_size end)
{
    FN(index_copy_slices)(ctx, begin, end, 1);
}

/* The same for inner = 1, all slices of o in [begin, end) */
static void FN(index_copy_row_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_scatter_args *args = ctx;
    const fnn_size axis = args->axis, n = args->n;
    for (fnn_size o = begin; o < end; o++) {
        REAL *restrict y = (REAL *)args->y + o * axis;
        const REAL *restrict v = (const REAL *)args->v + o * n;
        memcpy(y, (const REAL *)args->x + o * axis, (size_t)axis * sizeof(REAL));
        for (fnn_size j = 0; j < n; j++)
            y[fnn_from_start(args->index[j], axis)] = v[j];
    }
}

/* last[s] = the last j with index[j] = s, or -1 */
static void FN(index_last)(fnn_size *last, const int64_t *index, fnn_size axis, fnn_size n)
{
    for (fnn_size s = 0; s < axis; s++)
        last[s] = -1;
    for (fnn_size j = 0; j < n; j++)
        last[fnn_from_start(index[j], axis)] = j;
}

void FN(index_copy)(REAL *y, const REAL *x, const REAL *source, const int64_t *index, fnn_size *workspace,
                    fnn_size outer, fnn_size axis, fnn_size n, fnn_size inner)
{
    fnn_scatter_args args = { .y = y, .x = x, .v = source, .index = index, .last = workspace, .axis = axis, .n = n,
                              .inner = inner };
    if (axis == 0 || inner == 0)
        return;
    if (inner == 1) {
        fnn_parallel_for(outer, fnn_grain(SCATTER_GRAIN, axis + n), FN(index_copy_row_block), &args);
        return;
    }
    FN(index_last)(workspace, index, axis, n);
    fnn_parallel_for(outer * axis, fnn_grain(SCATTER_GRAIN, inner), FN(index_copy_block), &args);
}

/* For inner = 1, all slices of o in [begin, end): as SCATTER_TAKE */
static void FN(index_copy_row_backward)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_scatter_args *args = ctx;
    const fnn_size axis = args->axis, n = args->n;
    for (fnn_size o = begin; o < end; o++) {
        REAL *dx = (REAL *)args->y + o * axis, *dv = args->z ? (REAL *)args->z + o * n : NULL;
        memcpy(dx, (const REAL *)args->x + o * axis, (size_t)axis * sizeof(REAL));
        for (fnn_size j = n; j-- > 0;) {
            const fnn_size k = fnn_from_start(args->index[j], axis);
            if (dv)
                dv[j] = dx[k];
            dx[k] = 0;
        }
    }
}

/* Slices [begin, end) of dsource */
static void FN(index_copy_dsource_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_scatter_args *args = ctx;
    const fnn_size axis = args->axis, n = args->n, inner = args->inner;
    for (fnn_size slice = begin, o = begin / n, j = begin % n; slice < end; slice++) {
        const fnn_size s = fnn_from_start(args->index[j], axis);
        FN(index_begin)((REAL *)args->z + slice * inner,
                        args->last[s] == j ? (const REAL *)args->x + (o * axis + s) * inner : NULL, inner);
        if (++j == n) {
            j = 0;
            o++;
        }
    }
}

void FN(index_copy_backward)(REAL *dx, REAL *dsource, const REAL *dy, const int64_t *index, fnn_size *workspace,
                             fnn_size outer, fnn_size axis, fnn_size n, fnn_size inner)
{
    fnn_scatter_args args = { .y = dx, .z = dsource, .x = dy, .index = index, .last = workspace, .axis = axis, .n = n,
                              .inner = inner };
    if (axis == 0 || inner == 0)
        return;
    if (inner == 1) {
        fnn_parallel_for(outer, fnn_grain(SCATTER_GRAIN, axis + n), FN(index_copy_row_backward), &args);
        return;
    }
    FN(index_last)(workspace, index, axis, n);
    if (dx)
        fnn_parallel_for(outer * axis, fnn_grain(SCATTER_GRAIN, inner), FN(index_copy_dx_block), &args);
    if (dsource && n > 0)
        fnn_parallel_for(outer * n, fnn_grain(SCATTER_GRAIN, inner), FN(index_copy_dsource_block), &args);
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
