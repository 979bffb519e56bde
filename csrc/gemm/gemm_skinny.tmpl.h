/* gemm_skinny.tmpl.h -- part of gemm.tmpl.h: products with a few vectors; the matrix is read once,
 * and memory is the limit.
 *
 *     Y[i, j] = sum_p X[i, p] W[p, j],   i < rows <= GEMM_SKINNY
 *
 * W is the matrix: B, and Y is C; or A transposed, and Y is C transposed.
 *
 * Sums      The order is the same for every layout of W. The products are cut into chunks, nearly
 *           equal ones of at most SKINNY_CHUNK. In a chunk there are VL partial sums: number l adds
 *           the products l, l + VL, l + 2 VL, ... Then one half of the partial sums is added to the
 *           other half until one number is left. The chunks' sums are added in order.
 * Layouts   columns of W adjacent along p    one vector holds the partial sums of one j; 8 columns
 *                                            at a time
 *           rows of W adjacent along j       a row is read from one end to the other, 4 rows at a
 *                                            time, and added to a row of sums
 *           neither                          columns are copied first
 * Symbols   gemm.h; i: a row of X and Y; j: a column of W and Y, from c = 0 in a strip that begins
 *           at j; p: a product, and q one of those that begin at p; l: which partial sum.
 * Threads   get columns, of the first layout, and chunks of the second: so that what a thread reads
 *           is in one piece.
 */
typedef struct {
    REAL *y;
    const REAL *x, *w, *bias_i, *bias_j;            /* X[i,p] at x + i * xs + p * xp, and so on:  */
    fnn_size yi, yj, xs, xp, wp, wj, rows, columns, k, chunk;
    int how;
} FN(skinny_args);

/* out[j] = the sum of the elements of sum[j], one half added to the other until one is left. With
 * shuffles, two vectors at a time: they are interleaved into two whose sum holds both columns with
 * half as many partial sums each, and so on. */
FNN_INLINE void FN(skinny_fold)(vec *sum, const fnn_size columns, REAL *out)
{
    REAL spilled[SKINNY_COLUMNS * GEMM_VL];
    fnn_size left = columns, partial = VL;
#if TRANSPOSE_ROUNDS
#pragma GCC unroll 4
    for (; left > 1 && partial > 1; partial /= 2) {
        left /= 2;
#pragma GCC unroll 4
        for (fnn_size j = 0; j < left; j++)
            sum[j] = TRANSPOSE_LOW(sum[j], sum[j + left]) + TRANSPOSE_HIGH(sum[j], sum[j + left]);
    }
#endif
    /* of column j + left * c, sum l is at spilled[j*VL + l*wide + c] */
    const fnn_size wide = columns / left;
#pragma GCC unroll 8
    for (fnn_size j = 0; j < left; j++)
        v_store(spilled + j * VL, sum[j]);
#pragma GCC unroll 4
    for (fnn_size half = partial / 2; half > 0; half /= 2)
        for (fnn_size j = 0; j < left; j++)
            for (fnn_size l = 0; l < half * wide; l++)
                spilled[j * VL + l] += spilled[j * VL + half * wide + l];
    for (fnn_size c = 0; c < wide; c++)
#pragma GCC unroll 8
        for (fnn_size j = 0; j < left; j++)
            out[left * c + j] = spilled[j * VL + c];
}

/* Y[i, j .. j + columns) from their sums, which are lost */
GEMM_APART void FN(skinny_put)(const FN(skinny_args) *g, fnn_size i, fnn_size j, fnn_size columns, REAL *restrict sums)
{
    REAL *restrict y = g->y + i * g->yi + j * g->yj;
    if (g->how & FNN_GEMM_ADD)
        for (fnn_size c = 0; c < columns; c++)
            sums[c] += y[c * g->yj];
    if (g->bias_i) {
        const REAL bias = g->bias_i[i];
        for (fnn_size c = 0; c < columns; c++)
            sums[c] += bias;
    }
    if (g->bias_j)
        FN(gemm_add)(sums, g->bias_j + j, columns);
    if (g->how & FNN_GEMM_RELU)
        for (fnn_size c = 0; c < columns; c++)
            sums[c] = sums[c] < 0 ? 0 : sums[c];
    if (g->yj == 1)
        memcpy(y, sums, (size_t)columns * sizeof(REAL));
    else
        for (fnn_size c = 0; c < columns; c++)
            y[c * g->yj] = sums[c];
}

/* The last k % VL elements of `columns` columns, each in a vector with zeros behind */
GEMM_APART void FN(skinny_rest)(REAL *to, const REAL *from, fnn_size columns, fnn_size stride, fnn_size rest)
{
    for (fnn_size c = 0; c < columns; c++)
        for (fnn_size l = 0; l < rest; l++)
            to[c * VL + l] = from[c * stride + l];
}

/* `columns` columns, adjacent along p and ws apart, with one row of X: out[c], or added to it */
FNN_INLINE void FN(skinny_dot)(const fnn_size columns, const REAL *x, const REAL *w, fnn_size ws, fnn_size k, int add,
                               REAL *out)
{
    vec sum[SKINNY_COLUMNS];
#pragma GCC unroll 8
    for (fnn_size c = 0; c < columns; c++)
        sum[c] = v_set(0);
    fnn_size p = 0;
    for (; p + VL <= k; p += VL) {
        vec x_p = v_load(x + p);
#pragma GCC unroll 8
        for (fnn_size c = 0; c < columns; c++)
            sum[c] += x_p * v_load(w + c * ws + p);
    }
    if (p < k) {
        REAL rest[1 + SKINNY_COLUMNS][GEMM_VL] = {{0}};
        FN(skinny_rest)(rest[0], x + p, 1, 0, k - p);
        FN(skinny_rest)(rest[1], w + p, columns, ws, k - p);
        vec x_p = v_load(rest[0]);
#pragma GCC unroll 8
        for (fnn_size c = 0; c < columns; c++)
            sum[c] += x_p * v_load(rest[1 + c]);
    }
    REAL folded[SKINNY_COLUMNS];
    FN(skinny_fold)(sum, columns, folded);
    for (fnn_size c = 0; c < columns; c++)
        out[c] = add ? out[c] + folded[c] : folded[c];
}

/* ---- columns adjacent along p, or copied ----------------------------------------------------- */
/* Columns [begin, end) of Y. `room`: for a copy of SKINNY_COLUMNS columns of W */
GEMM_APART void FN(skinny_columns)(const FN(skinny_args) *g, fnn_size begin, fnn_size end, REAL *room)
{
    REAL sums[GEMM_SKINNY][SKINNY_PUT];
    /* the columns, SKINNY_COLUMNS at a time, at the end one at a time */
    for (fnn_size j = begin, done = begin; j < end;) {
        const REAL *w = g->w + j * g->wj;
        fnn_size columns = end - j >= SKINNY_COLUMNS ? SKINNY_COLUMNS : 1, ws = g->wj;
        if (g->wp != 1) {
            for (fnn_size p = 0; p < g->k; p++)
                for (fnn_size c = 0; c < columns; c++)
                    room[c * g->k + p] = w[p * g->wp + c * g->wj];
            w = room;
            ws = g->k;
        }
        /* the rows of X, a chunk of products at a time */
        for (fnn_size i = 0; i < g->rows; i++)
            for (fnn_size p = 0; p < g->k; p += g->chunk) {
                const REAL *x = g->x + i * g->xs + p;
                const fnn_size k = fnn_min(g->chunk, g->k - p);
                if (columns == 1)
                    FN(skinny_dot)(1, x, w + p, ws, k, p > 0, sums[i] + j - done);
                else
                    FN(skinny_dot)(SKINNY_COLUMNS, x, w + p, ws, k, p > 0, sums[i] + j - done);
            }
        j += columns;
        if (j == end || j - done > SKINNY_PUT - SKINNY_COLUMNS) {
            for (fnn_size i = 0; i < g->rows; i++)
                FN(skinny_put)(g, i, done, j - done, sums[i]);
            done = j;
        }
    }
}

static void FN(skinny_columns_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(skinny_args) *g = ctx;
    REAL *room = g->wp == 1 ? NULL : fnn_scratch_alloc((size_t)(SKINNY_COLUMNS * g->k) * sizeof(REAL));
    FN(skinny_columns)(g, begin, end, room);
    if (room)
        fnn_scratch_free(room);
}

/* ---- rows adjacent along j ------------------------------------------------------------------- */
/* A step: some products, VL apart, are added to one partial sum of `width` columns, for all rows of
 * X. Rows of sums are `pitch` apart. After the last step of a partial sum, finished ones are added
 * to it where the tree of additions says so. */
typedef struct {
    REAL *sum;                  /* [rows][pitch] */
    const REAL *x, *w;
    fnn_size xs, wp, pitch, width;
    fnn_size merges;            /* finished sums to be added; the first of them holds the result */
    int first;                  /* the step begins a sum */
    int lone;                   /* 0 is added, too: see skinny_tree */
} FN(skinny_step);

FNN_INLINE void FN(skinny_add)(const fnn_size rows, const fnn_size products, const FN(skinny_step) *step)
{
    /* what a store to a sum cannot change, as the compiler has to think: x stays in registers */
    const fnn_size wp = step->wp, pitch = step->pitch, width = step->width, merges = step->merges;
    const int first = step->first, lone = step->lone;
    const REAL *const all_w = step->w;
    REAL *const all_sums = step->sum;
    vec x[GEMM_SKINNY][SKINNY_ROWS];
#pragma GCC unroll 3
    for (fnn_size i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (fnn_size q = 0; q < products; q++)
            x[i][q] = v_set(step->x[i * step->xs + q * VL]);
    /* the columns, a vector at a time */
    for (fnn_size c = 0; c < width; c += VL) {
        /* the last vector overlaps the one before */
        const REAL *w = all_w + fnn_min(c, width - VL);
        REAL *sum = all_sums + c;
        vec acc[GEMM_SKINNY];
#pragma GCC unroll 3
        for (fnn_size i = 0; i < rows; i++)
            acc[i] = first ? v_set(0) : v_load(sum + i * pitch);
#pragma GCC unroll 4
        for (fnn_size q = 0; q < products; q++) {
            const vec wq = v_load(w + q * VL * wp);
#pragma GCC unroll 3
            for (fnn_size i = 0; i < rows; i++)
                acc[i] += x[i][q] * wq;
        }
        if (lone)
#pragma GCC unroll 3
            for (fnn_size i = 0; i < rows; i++)
                acc[i] += v_set(0);
        for (fnn_size m = 1; m <= merges; m++)
#pragma GCC unroll 3
            for (fnn_size i = 0; i < rows; i++)
                acc[i] += v_load(sum + (i - m * rows) * pitch);
#pragma GCC unroll 3
        for (fnn_size i = 0; i < rows; i++)
            v_store(sum + (i - merges * rows) * pitch, acc[i]);
    }
}

/* skinny_add for 1, 2 and 3 rows of X and up to SKINNY_ROWS products, all constants */
#define SKINNY_ADD(rows) \
    GEMM_APART void FN(skinny_add_##rows)(fnn_size products, const FN(skinny_step) *step) \
    { \
        switch (products) { \
        case 0: FN(skinny_add)(rows, 0, step); break; \
        case 1: FN(skinny_add)(rows, 1, step); break; \
        case 2: FN(skinny_add)(rows, 2, step); break; \
        default: FN(skinny_add)(rows, SKINNY_ROWS, step); \
        } \
    }
SKINNY_ADD(1)
SKINNY_ADD(2)
SKINNY_ADD(3)
#undef SKINNY_ADD

/* The sums of products [p, p + k) for `width` >= VL columns, at room[i * pitch .. + width). The
 * partial sums are made in the order in which the tree of additions needs them, 0, VL / 2, VL / 4,
 * 3 VL / 4, ..., so that there are few rows of sums at a time, one to a level of the tree. Nothing
 * is prefetched: processors foresee a few rows that are read from one end to the other. */
static void FN(skinny_tree)(const FN(skinny_args) *g, fnn_size p, fnn_size k, fnn_size j, fnn_size width, REAL *room)
{
    FN(skinny_step) step = { .sum = room, .xs = g->xs, .wp = g->wp, .pitch = fnn_round_up(width, VL), .width = width };
    fnn_size half = VL / 2;
    while (half >= k)                               /* the upper half of the partial sums are 0, */
        half /= 2;                                  /* and added they make 0 of a -0 */
    step.lone = half < VL / 2;
    /* the partial sums; l: which one */
    for (fnn_size made = 0, l = 0; made < fnn_max(2 * half, 1); made++) {
        fnn_size then = l, merges = 0, bit = half;
        for (; then & bit; bit /= 2, merges++)
            then -= bit;
        const fnn_size all = k > l ? fnn_ceil_div(k - l, VL) : 0;
        /* its products, SKINNY_ROWS at a time */
        for (fnn_size q = 0, products; q == 0 || q < all; q += fnn_max(products, 1)) {
            const fnn_size left = all - q;
            products = left >= SKINNY_ROWS ? SKINNY_ROWS : fnn_min(left, 2);
            step.first = q == 0;
            step.merges = products == left ? merges : 0;
            step.x = g->x + p + l + q * VL;
            step.w = g->w + (p + l + q * VL) * g->wp + j;
            switch (g->rows) {
            case 1: FN(skinny_add_1)(products, &step); break;
            case 2: FN(skinny_add_2)(products, &step); break;
            default: FN(skinny_add_3)(products, &step);
            }
        }
        step.sum += (1 - merges) * g->rows * step.pitch;
        l = then + bit;
    }
    for (fnn_size i = 0; step.pitch > width && i < g->rows; i++)
        v_store(room + i * step.pitch + width - VL, v_load(room + i * step.pitch + step.pitch - VL));
}

typedef struct {
    const FN(skinny_args) *g;
    REAL *parts;                        /* [groups][rows][columns]; NULL where there is one group */
    fnn_size groups, products;          /* products in a group: those of a chunk, or all */
    fnn_size bands;                     /* of up to SKINNY_BAND neighbouring
                                           columns */
} FN(skinny_grid);

/* Items are bands, group by group. */
static void FN(skinny_rows_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(skinny_grid) *grid = ctx;
    const FN(skinny_args) *g = grid->g;
    const fnn_size vectors = g->columns / VL, level = g->rows * (vectors / grid->bands + 2) * VL;
    REAL *total = fnn_scratch_alloc((size_t)((1 + SKINNY_LEVELS) * level) * sizeof(REAL)), *room = total + level;
    for (fnn_size item = begin; item < end; item++) {
        const fnn_size band = item % grid->bands, group = item / grid->bands, p0 = group * grid->products;
        const fnn_size p1 = fnn_min(g->k, p0 + grid->products);
        const fnn_size j = vectors * band / grid->bands * VL, then = vectors * (band + 1) / grid->bands * VL;
        const fnn_size width = (band + 1 < grid->bands ? then : g->columns) - j, pitch = fnn_round_up(width, VL);
        REAL *sums = room;
        for (fnn_size p = p0; p < p1; p += g->chunk) {
            FN(skinny_tree)(g, p, fnn_min(g->chunk, p1 - p), j, width, room);
            if (sums == total)
                FN(gemm_add)(total, room, g->rows * pitch);
            else if (p + g->chunk < p1)
                sums = memcpy(total, room, (size_t)(g->rows * pitch) * sizeof(REAL));
        }
        for (fnn_size i = 0; i < g->rows; i++)
            if (grid->groups == 1)
                FN(skinny_put)(g, i, j, width, sums + i * pitch);
            else
                memcpy(grid->parts + (group * g->rows + i) * g->columns + j, sums + i * pitch,
                       (size_t)width * sizeof(REAL));
    }
    fnn_scratch_free(total);
}

static void FN(skinny_sum_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(skinny_grid) *grid = ctx;
    const fnn_size rows = grid->g->rows, columns = grid->g->columns;
    for (fnn_size i = 0; i < rows; i++) {
        REAL *sums = grid->parts + i * columns + begin;
        for (fnn_size group = 1; group < grid->groups; group++)
            FN(gemm_add)(sums, sums + group * rows * columns, end - begin);
        FN(skinny_put)(grid->g, i, begin, end - begin, sums);
    }
}

static void FN(skinny_rows)(const FN(skinny_args) *g)
{
    const fnn_size area = g->rows * g->columns;
    /* groups of one chunk; else there are bands enough */
    const int apart = area <= GEMM_SPLIT_AREA;
    FN(skinny_grid) grid = { g, NULL, apart ? fnn_ceil_div(g->k, g->chunk) : 1, apart ? g->chunk : g->k,
                             fnn_ceil_div(g->columns / VL * VL, SKINNY_BAND) };
    const fnn_size unit = fnn_ceil_div(g->columns, grid.bands) * fnn_min(g->k, grid.products);
    if (grid.groups > 1)
        grid.parts = fnn_scratch_alloc((size_t)(grid.groups * area) * sizeof(REAL));
    fnn_parallel_for(grid.groups * grid.bands, fnn_grain(GEMM_SKINNY_WORK, unit), FN(skinny_rows_block), &grid);
    if (grid.groups > 1) {
        fnn_parallel_for(g->columns, fnn_max(SKINNY_LINE, GEMM_SPLIT_AREA / (g->rows * grid.groups)),
                         FN(skinny_sum_block), &grid);
        fnn_scratch_free(grid.parts);
    }
}

/* ---- all layouts ----------------------------------------------------------------------------- */
static void FN(gemm_skinny)(const FN(gemm_args) *g)
{
    FN(skinny_args) whole = { g->c, g->a, g->b, g->bias_row, g->bias_col, g->rsc, 1, g->rsa, g->csa, g->rsb, g->csb,
                              g->m, g->n, g->k, 0, g->how };
    if (g->m > GEMM_SKINNY)     /* then n is small: C transposed = B transposed * A transposed */
        whole = (FN(skinny_args)){ g->c, g->b, g->a, g->bias_col, g->bias_row, 1, g->rsc, g->csb, g->rsb, g->csa,
                                   g->rsa, g->n, g->m, g->k, 0, g->how };
    const fnn_size most = fnn_min(whole.k, GEMM_SKINNY_K);
    REAL *copy = whole.xp == 1 ? NULL : fnn_scratch_alloc((size_t)(whole.rows * most) * sizeof(REAL));
    for (fnn_size p = 0; p < whole.k; p += most) {
        FN(skinny_args) part = whole;
        part.k = fnn_min(most, whole.k - p);
        part.chunk = gemm_even(part.k, SKINNY_CHUNK, VL);
        part.x += p * part.xp;
        part.w += p * part.wp;
        if (copy) {
            for (fnn_size i = 0; i < part.rows; i++)
                for (fnn_size q = 0; q < part.k; q++)
                    copy[i * most + q] = part.x[i * part.xs + q * part.xp];
            part.x = copy;
            part.xs = most;
        }
        if (p > 0)
            part.how |= FNN_GEMM_ADD;
        if (p + part.k < whole.k) {
            part.bias_i = part.bias_j = NULL;
            part.how &= ~FNN_GEMM_RELU;
        }
        if (part.wp != 1 && part.wj == 1 && part.columns >= VL) {
            FN(skinny_rows)(&part);
        } else {
            const fnn_size least = part.wp == 1 ? SKINNY_LINE : SKINNY_COPIED;
            const fnn_size some = fnn_max(fnn_ceil_div(GEMM_SKINNY_WORK, part.k), least);
            fnn_parallel_for(part.columns, some / SKINNY_LINE * SKINNY_LINE, FN(skinny_columns_block), &part);
        }
    }
    if (copy)
        fnn_scratch_free(copy);
}
