/* recurrent.tmpl.h -- part of lstm.tmpl.h, gru.tmpl.h and rnn.tmpl.h: how a sequence runs, forward
 * or backward.
 *
 * Math       a step is a matrix product with what the step before left, and then a "cell", which
 *            goes element by element:
 *                forward    sum = h_{t-1} W_hh^T      backward   sum = dz_{t+1} W_hh
 *            All that does not depend on the step before is one matrix product over all steps,
 *            outside of this file.
 * Symbols    T steps, B batch, I inputs, H hidden units, G gates (REC_GATES: a row of W_hh's
 *            product is G pieces of H). The i-th step to run is t = i, or t = T-1-i when it goes
 *            down.
 * Method     W_hh is packed once per sequence into panels, a few registers wide, with a unit's
 *            gates side by side:
 *
 *                forward    panel of REC_UNITS units:  [k = 0..H-1][gate][unit]
 *                backward   panel of 4*VL units:       [k = 0..G*H-1][unit]
 *
 *            A tile of a few sequences by one panel stays in registers while k runs. As soon as it
 *            is summed up the cell is applied to its units, while the sums are in the nearest
 *            cache.
 *            One sequence alone has few sums: it takes two panels at a time, so that enough
 *            additions are under way. While a part of a panel is multiplied the next one is asked
 *            for, one cache line with each product: where W_hh is larger than the second-level
 *            cache its first tile would wait for it (32 steps of B = 64, H = 512: product 20.6 to
 *            19.4 ms). Forward multiplies a copy of h_{t-1}, whose rows lie at a distance that is
 *            no power of two: at H = 512 half of the rows would share places in the first-level
 *            cache (19.4 to 18.6 ms).
 *            Backward goes over the steps in parts of some 256 rows of dz. A part's dz is all that
 *            is kept, and is in the cache when the products for dx, dW and db read it.
 * Threads    Sequences do not know of each other: where there are enough of them, each thread runs
 *            all the steps of some. Else each step is cut into panels x groups of sequences, if it
 *            is worth it. Every sum over k runs from 0 up in one register, so the bits depend on
 *            neither. (Panels in place of sequences for large W_hh too, so that each thread's share
 *            stays in its own cache, did not pay: 0.99 at H = 512, B = 64, two threads with 2 MB
 *            each.)
 */
#ifndef FNN_REC_ONCE
#define FNN_REC_ONCE
enum {
    REC_SHARE = 1 << 16,                            /* multiply-adds of a step that are worth a thread */
    REC_PACK = 1 << 16,                             /* elements of W_hh whose packing is worth a block */
    REC_GROUP = 24,                                 /* most sequences that meet a panel while it is in the cache */
    REC_DEPTH = 128,                                /* products added up at a time: 32 KB of a panel in float32 with
                                                       AVX-512 */
    REC_SPLIT = 4,                                  /* sequences that are worth reading W_hh for */
    REC_SUM = 64                                    /* rows added up before their sum is added to the total */
};
#endif

#undef REC_SUMS
#if VBYTES == 64 || defined(__aarch64__)
#  define REC_SUMS 24                               /* of 32 registers; the rest for the panel and what it is multiplied
                                                       by */
#else
#  define REC_SUMS 12                               /* of 16 */
#endif
#include "core/transpose.tmpl.h"
#undef REC_UNITS
#define REC_UNITS (REC_VECTORS / REC_GATES * VL)    /* units of a forward panel */

typedef struct FN(recurrence) FN(recurrence);

/* Sequences [first, first + rows) and units [unit, unit + width) of the i-th step. `sum` has a row
 * of all pieces per sequence. */
typedef void FN(rec_cell)(const FN(recurrence) *r, fnn_size i, fnn_size first, fnn_size rows, fnn_size unit,
                          fnn_size width,
                          const REAL *sum);

/* A panel, and the one that comes after it; NULL: nothing is to be asked for */
typedef struct { const REAL *at, *next; } FN(rec_panel);
typedef void FN(rec_product_fn)(REAL *out, const REAL *a, fnn_size rsa, FN(rec_panel) panel, fnn_size k, fnn_size rows,
                                int pair);

/* One pass over the sequence. Families put it first in a struct of their own, with the arrays that
 * their cells need. */
struct FN(recurrence) {
    fnn_size T, B, H;
    int down;
    FN(rec_product_fn) *product;
    FN(rec_cell) *cell;
    fnn_size begin, end;                            /* the steps that are to run now */
    const REAL *panels;                             /* packed W_hh */
    fnn_size vectors, units, k;                     /* registers in a row of a panel, units in a panel, products in a
                                                       sum */
    const REAL *start;                              /* [B][H], what the first step multiplies W_hh by; NULL: nothing */
    REAL *trail;                                    /* what the steps leave for the next one */
    fnn_size pitch, origin;                         /* of a row of trail; the t of the first rows in it */
    const REAL *y;                                  /* forward: [T][B][H], whence trail gets a copy, of two steps in
                                                       turns. Backward: NULL */
};

FNN_INLINE fnn_size FN(rec_time)(const FN(recurrence) *r, fnn_size i) { return r->down ? r->T - 1 - i : i; }

/* Where the rows of the i-th step begin in trail */
FNN_INLINE fnn_size FN(rec_place)(const FN(recurrence) *r, fnn_size i)
{
    return (r->y ? i % 2 : FN(rec_time)(r, i) - r->origin) * r->B * r->pitch;
}

/* ---- the product of a tile with a panel ------------------------------------------------------ */

/* out[r][l] (+)= sum_k a[r][k] * panel[k][l]   for `rows` rows and the columns l of `vectors`
 *                                              registers; rows of the panel and of
 * out are `width` registers long. Asks for memory at `next`, `next_step` further with each k. */
FNN_INLINE void FN(rec_tile_of)(REAL *restrict out, const REAL *restrict a, fnn_size rsa, const REAL *restrict panel,
                                fnn_size k,
                                const REAL *next, fnn_size next_step, int add, const int rows, const int vectors,
                                const int width)
{
    vec sum[8][4];
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int q = 0; q < vectors; q++)
            sum[r][q] = add ? v_load(out + (width * r + q) * VL) : v_set(0);
    for (fnn_size i = 0; i < k; i++) {
        vec p[4];
#pragma GCC unroll 4
        for (int q = 0; q < vectors; q++)
            p[q] = v_load(panel + q * VL);
        panel += width * VL;
#if defined(__GNUC__)
        __builtin_prefetch(next, 0, 2);
#endif
        next += next_step;
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) {
            vec s = v_set(a[r * rsa + i]);
#pragma GCC unroll 4
            for (int q = 0; q < vectors; q++)
                sum[r][q] += s * p[q];
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int q = 0; q < vectors; q++)
            v_store(out + (width * r + q) * VL, sum[r][q]);
}

/* A constant number of rows keeps the sums in registers. */
#define REC_CASE(n) case n: if (n * vectors <= REC_SUMS) FN(rec_tile_of)(out, a, rsa, panel, k, next, next_step, add, \
                                                                         n, vectors, width); \
    break;
FNN_INLINE void FN(rec_tile)(REAL *out, const REAL *a, fnn_size rsa, const REAL *panel, fnn_size k, const REAL *next,
                             fnn_size next_step, int add, fnn_size rows, const int vectors, const int width)
{
    switch (rows) { REC_CASE(1) REC_CASE(2) REC_CASE(3) REC_CASE(4) REC_CASE(5) REC_CASE(6) REC_CASE(7) REC_CASE(8) }
}
#undef REC_CASE

/* One row by two panels, one behind the other */
FNN_INLINE void FN(rec_pair)(REAL *restrict out, const REAL *restrict a, const REAL *restrict panel, fnn_size k,
                             const int vectors)
{
    vec sum[2][4];
    const REAL *restrict next = panel + k * vectors * VL;
#pragma GCC unroll 4
    for (int q = 0; q < vectors; q++)
        sum[0][q] = sum[1][q] = v_set(0);
    for (fnn_size i = 0; i < k; i++) {
        vec s = v_set(a[i]);
#pragma GCC unroll 4
        for (int q = 0; q < vectors; q++) {
            sum[0][q] += s * v_load(panel + (i * vectors + q) * VL);
            sum[1][q] += s * v_load(next + (i * vectors + q) * VL);
        }
    }
#pragma GCC unroll 4
    for (int q = 0; q < vectors; q++) {
        v_store(out + q * VL, sum[0][q]);
        v_store(out + (vectors + q) * VL, sum[1][q]);
    }
}

/* out[r][l] = sum_k a[r][k] * panel[k][l]   for up to REC_GROUP rows: a part of the panel that the
 *                                           L1 cache holds meets all of
 * them before the next part is fetched. Rows are cut evenly: 16 are tiles of 5, 5 and 6, not of 6,
 * 6 and 4. A tile is `across` registers wide, and a panel may be several tiles wide. Each tile asks
 * for one column of cache lines of the next part, until all have been asked for. (Where all rows
 * are one tile there is no time to ask in: H = 1024, B = 4 would lose 3 %.) */
FNN_INLINE void FN(rec_product)(REAL *out, const REAL *a, fnn_size rsa, FN(rec_panel) panel, fnn_size k, fnn_size rows,
                                const int vectors, const int across)
{
    const fnn_size tiles = (rows + REC_SUMS / across - 1) / (REC_SUMS / across), width = vectors * VL;
    const fnn_size line = 64 / (fnn_size)sizeof(REAL);
    for (fnn_size i = 0; i < k; i += REC_DEPTH) {
        const fnn_size depth = k - i < REC_DEPTH ? k - i : REC_DEPTH;
        const REAL *part = i + depth < k ? panel.at + (i + depth) * width : panel.next;
        fnn_size asked = panel.next && tiles > 1 ? 0 : width;
        for (fnn_size tile = 0; tile < tiles; tile++) {
            const fnn_size r0 = rows * tile / tiles, r1 = rows * (tile + 1) / tiles;
            for (int q = 0; q < vectors; q += across, asked += line) {
                const int asks = asked < width;
                FN(rec_tile)(out + r0 * width + q * VL, a + r0 * rsa + i, rsa, panel.at + i * width + q * VL, depth,
                             asks ? part + asked : panel.at, asks ? width : 0, i > 0, r1 - r0, across, vectors);
            }
        }
    }
}

static void FN(rec_product_4)(REAL *out, const REAL *a, fnn_size rsa, FN(rec_panel) panel, fnn_size k, fnn_size rows,
                              int pair)
{
    if (pair)
        FN(rec_pair)(out, a, panel.at, k, 4);
    else if (REC_SUMS == 12 && rows > 2)                 /* 3 x 4 sums would leave too few of 16 registers: 6 x 2, and
                                                            twice */
        FN(rec_product)(out, a, rsa, panel, k, rows, 4, 2);
    else
        FN(rec_product)(out, a, rsa, panel, k, rows, 4, 4);
}
#if REC_VECTORS == 4
#  define REC_PRODUCT FN(rec_product_4)
#else
#  define REC_PRODUCT FN(rec_product_forward)
static void REC_PRODUCT(REAL *out, const REAL *a, fnn_size rsa, FN(rec_panel) panel, fnn_size k, fnn_size rows,
                        int pair)
{
    if (pair)
        FN(rec_pair)(out, a, panel.at, k, REC_VECTORS);
    else
        FN(rec_product)(out, a, rsa, panel, k, rows, REC_VECTORS, REC_VECTORS);
}
#endif

/* ---- packing --------------------------------------------------------------------------------- */

typedef struct { REAL *panels; const REAL *w_hh; fnn_size H; } FN(rec_pack_args);

/* VL rows of the matrix, or the fewer that it has, as VL adjacent columns of a panel:  out[j][l] =
 *                                                                                      w[l][j] for
 *                                                                                      j < n */
static void FN(rec_pack_rows)(REAL *restrict out, const REAL *restrict w, fnn_size rows, fnn_size n)
{
    fnn_size j = 0;
#if TRANSPOSE_ROUNDS
    for (; j + VL <= n; j += VL) {
        vec v[TRANSPOSE_LANES];
#pragma GCC unroll 16
        for (fnn_size l = 0; l < VL; l++)           /* columns beyond the last row repeat it: nobody looks at their
                                                       sums */
            v[l] = v_load(w + (l < rows ? l : rows - 1) * n + j);
        FN(transpose)(v);
#pragma GCC unroll 16
        for (fnn_size l = 0; l < VL; l++)
            v_store(out + (j + l) * REC_VECTORS * VL, v[l]);
    }
#endif
    for (; j < n; j++)
        for (fnn_size l = 0; l < VL; l++)
            out[j * REC_VECTORS * VL + l] = w[(l < rows ? l : rows - 1) * n + j];
}

static void FN(rec_pack_forward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(rec_pack_args) *a = ctx;
    fnn_size H = a->H;
    for (fnn_size panel = begin; panel < end; panel++) {
        REAL *out = a->panels + panel * H * REC_VECTORS * VL;
        for (fnn_size q = 0; q < REC_GATES; q++)
            for (fnn_size l = 0; l < REC_UNITS; l += VL, out += VL) {
                fnn_size unit = panel * REC_UNITS + l;
                if (unit >= H)                      /* columns without any unit repeat the last one */
                    unit = H - 1;
                FN(rec_pack_rows)(out, a->w_hh + (q * H + unit) * H, H - unit < VL ? H - unit : VL, H);
            }
    }
}

static void FN(rec_pack_backward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(rec_pack_args) *a = ctx;
    fnn_size H = a->H;
    for (fnn_size panel = begin; panel < end; panel++) {
        fnn_size unit = panel * 4 * VL, width = H - unit < 4 * VL ? H - unit : 4 * VL;
        for (fnn_size k = 0; k < REC_GATES * H; k++) {
            REAL *restrict out = a->panels + (panel * REC_GATES * H + k) * 4 * VL;
            const REAL *restrict row = a->w_hh + k * H + unit;
            for (fnn_size l = 0; l < width; l++)
                out[l] = row[l];
            for (fnn_size l = width; l < 4 * VL; l++)
                out[l] = 0;
        }
    }
}

/* ---- steps ----------------------------------------------------------------------------------- */

FNN_INLINE const REAL *FN(rec_panel_at)(const FN(recurrence) *r,
                                        fnn_size panel) { return r->panels + panel * r->k * r->vectors * VL; }

/* Forward: the copy of h for the next step's product */
FNN_INLINE void FN(rec_copy)(const FN(recurrence) *r, fnn_size i, fnn_size first, fnn_size rows, fnn_size unit,
                             const fnn_size width)
{
    const REAL *restrict y = r->y + (FN(rec_time)(r, i) * r->B + first) * r->H + unit;
    REAL *restrict to = r->trail + FN(rec_place)(r, i) + first * r->pitch + unit;
    for (fnn_size row = 0; row < rows; row++, y += r->H, to += r->pitch)
        for (fnn_size l = 0; l < width; l++)
            to[l] = y[l];
}

/* Sequences [first, first + rows) and one panel of a step, or, of one sequence alone, a pair of
 * panels. `next`: the panel that comes after it; -1: nothing is to be asked for */
static void FN(rec_group)(const FN(recurrence) *r, fnn_size i, fnn_size panel, fnn_size panels, fnn_size next,
                          fnn_size first,
                          fnn_size rows)
{
    REAL sums[REC_GROUP * 4 * (VBYTES ? VBYTES / sizeof(REAL) : 1)];
    const REAL *before = i == 0 ? r->start : r->trail + FN(rec_place)(r, i - 1);
    const fnn_size row = r->vectors * VL, pitch = i == 0 ? r->H : r->pitch;
    const FN(rec_panel) w = { FN(rec_panel_at)(r, panel), next < 0 ? NULL : FN(rec_panel_at)(r, next) };
    if (before)
        r->product(sums, before + first * pitch, pitch, w, r->k, rows, panels == 2);
    else
        memset(sums, 0, (size_t)(panels * rows * row) * sizeof(REAL));
    for (fnn_size p = 0; p < panels; p++) {
        fnn_size unit = (panel + p) * r->units, width = r->H - unit < r->units ? r->H - unit : r->units;
        r->cell(r, i, first, rows, unit, width, sums + p * row);
        if (r->y && width == REC_UNITS)
            FN(rec_copy)(r, i, first, rows, unit, REC_UNITS);
        else if (r->y)
            FN(rec_copy)(r, i, first, rows, unit, width);
    }
}

FNN_INLINE fnn_size FN(rec_panels)(const FN(recurrence) *r) { return (r->H - 1) / r->units + 1; }

/* Panels that meet `rows` sequences at a time */
FNN_INLINE fnn_size FN(rec_stride)(fnn_size rows) { return rows == 1 ? 2 : 1; }

/* The n-th of `count` panels or pairs. Steps take them up and down in turns: a step begins with
 * those that the one before has left in the cache. */
FNN_INLINE fnn_size FN(rec_turn)(fnn_size i, fnn_size n, fnn_size count) { return i % 2 ? count - 1 - n : n; }

/* Steps [r->begin, r->end) of sequences [begin, end) */
static void FN(rec_sequences)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(recurrence) *r = ctx;
    const fnn_size panels = FN(rec_panels)(r), rows = end - begin, groups = (rows - 1) / REC_GROUP + 1;
    const fnn_size stride = FN(rec_stride)(rows), count = (panels + stride - 1) / stride;
    for (fnn_size i = r->begin; i < r->end; i++)
        for (fnn_size n = 0; n < count; n++) {
            const fnn_size panel = FN(rec_turn)(i, n, count) * stride, next = n + 1 < count
                ? FN(rec_turn)(i, n + 1, count) * stride : panel;
            for (fnn_size g = 0; g < groups; g++) {
                fnn_size first = rows * g / groups;
                FN(rec_group)(r, i, panel, panels - panel < stride ? 1 : stride, g == 0 ? next : -1, begin + first,
                              rows * (g + 1) / groups - first);
            }
        }
}

typedef struct { const FN(recurrence) *r; fnn_size i, groups, stride; } FN(rec_step);

/* Items of a step: panel by panel (or pair by pair), and within a panel the groups of sequences. */
static void FN(rec_items)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(rec_step) *s = ctx;
    const FN(recurrence) *r = s->r;
    for (fnn_size item = begin; item < end; item++) {
        fnn_size g = item % s->groups, first = r->B * g / s->groups, last = r->B * (g + 1) / s->groups;
        fnn_size panel = item / s->groups * s->stride, left = FN(rec_panels)(r) - panel;
        FN(rec_group)(r, s->i, panel, left < s->stride ? 1 : s->stride, -1, first, last - first);
    }
}

/* Steps [begin, end) */
static void FN(rec_run)(FN(recurrence) *r, fnn_size begin, fnn_size end)
{
    const fnn_size threads = fnn_num_threads(), panels = FN(rec_panels)(r), groups = (r->B - 1) / REC_GROUP + 1;
    const fnn_size worth = panels * r->k * r->vectors * VL * r->B / REC_SHARE, shares = worth < threads ? worth
        : threads;
    r->begin = begin;
    r->end = end;
    if (r->B >= REC_SPLIT * threads || shares <= 1) {
        const fnn_size share = (r->B + threads - 1) / threads;
        fnn_parallel_for(r->B, share < REC_SPLIT ? REC_SPLIT : share, FN(rec_sequences), r);
        return;
    }
    const fnn_size stride = FN(rec_stride)(r->B), items = (panels + stride - 1) / stride * groups;
    for (fnn_size i = begin; i < end; i++) {
        FN(rec_step) step = { r, i, groups, stride };
        fnn_parallel_for(items, (items + shares - 1) / shares, FN(rec_items), &step);
    }
}

/* The parts of a pass that are the same for all cells; work has fnn_recurrent_forward_work
 * elements, the last (REC_GATES + 1) * H of which are left alone. */
static FN(recurrence) FN(rec_forward_pass)(FN(rec_cell) *cell, REAL *work, const REAL *w_hh, const REAL *h0,
                                           const REAL *y,
                                           fnn_size T, fnn_size B, fnn_size H, int reverse)
{
    const fnn_size pitch = fnn_recurrent_pitch(H);
    REAL *panels = work + 2 * B * pitch;
    if (T > 1) {                                    /* one step would not earn the packing back: it uses the general
                                                       product */
        FN(rec_pack_args) pack = { panels, w_hh, H };
        fnn_parallel_for((H - 1) / REC_UNITS + 1, REC_PACK / (H * REC_VECTORS * VL) + 1, FN(rec_pack_forward_block),
                         &pack);
    }
    return (FN(recurrence)){ .T = T, .B = B, .H = H, .down = reverse, .product = REC_PRODUCT, .cell = cell, .panels = panels,
                             .vectors = REC_VECTORS, .units = REC_UNITS, .k = H, .start = T > 1 ? h0
                                 : NULL, .trail = work,
                             .pitch = pitch, .y = y };
}

/* ---- backward: what is the same for all cells ------------------------------------------------ */

/* What reaches h_t of sequence b from outside and from the step after, `sum`:  dh[l] for units
 *                                                                              [unit, unit + width)
 */
FNN_INLINE void FN(rec_upstream)(REAL *restrict dh, const FN(recurrence) *r, fnn_size i, fnn_size at, fnn_size width,
                                 const REAL *restrict sum, const REAL *restrict dy, const REAL *restrict dhT)
{
    const REAL *restrict dy_t = dy ? dy + FN(rec_time)(r, i) * r->B * r->H + at : NULL;
    for (fnn_size l = 0; l < width; l++)
        dh[l] = dy_t ? sum[l] + dy_t[l] : sum[l];
    if (dhT && i == 0)
        for (fnn_size l = 0; l < width; l++)
            dh[l] += dhT[at + l];
}

typedef struct { REAL *db; const REAL *dz; fnn_size rows, pitch; int add; } FN(rec_bias_args);

static void FN(rec_bias_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(rec_bias_args) *a = ctx;
    for (fnn_size j = begin; j < end; j += 256) {
        fnn_size width = end - j < 256 ? end - j : 256;
        REAL part[256], *restrict db = a->db + j;
        if (!a->add)
            memset(db, 0, (size_t)width * sizeof(REAL));
        for (fnn_size r0 = 0; r0 < a->rows; r0 += REC_SUM) {
            fnn_size r1 = r0 + REC_SUM < a->rows ? r0 + REC_SUM : a->rows;
            memset(part, 0, sizeof part);
            for (fnn_size r = r0; r < r1; r++) {
                const REAL *restrict dz = a->dz + r * a->pitch + j;
                for (fnn_size l = 0; l < width; l++)
                    part[l] += dz[l];
            }
            for (fnn_size l = 0; l < width; l++)
                db[l] += part[l];
        }
    }
}

/* db[j] (+)= the sum of dz[row][j] over all rows, j < n */
static void FN(rec_bias_gradient)(REAL *db, const REAL *dz, fnn_size rows, fnn_size pitch, fnn_size n, int add)
{
    FN(rec_bias_args) args = { db, dz, rows, pitch, add };
    fnn_parallel_for(n, 256, FN(rec_bias_block), &args);
}

/* What a row of dz is to the products: its first REC_GATES pieces are the gradient of W_hh h. That
 * of W_ih x is the same, or, where a row has one piece more, all but the last of these and the
 * additional one. */
#undef REC_JOINT
#define REC_JOINT (REC_PIECES > REC_GATES ? REC_GATES - 1 : REC_GATES)

/* One backward pass; what is not wanted is NULL. */
typedef struct {
    REAL *dx, *dh0, *dw_ih, *dw_hh, *db_ih, *db_hh;
    const REAL *x, *h0, *w_ih, *w_hh, *y;
    const REAL *carry;                              /* what reaches h0 past the gates at the end of the pass; NULL:
                                                       nothing does */
    fnn_size I;
    int reverse;
} FN(rec_gradients);

/* The part of all gradients that steps [t, t + n) contribute; dz is theirs. `packed` is W_ih, or
 * NULL where it was not packed; add: other steps have been there. */
static void FN(rec_contribute)(const FN(recurrence) *r, const FN(rec_gradients) *g, const REAL *dz, const REAL *packed,
                               fnn_size t,
                               fnn_size n, int add)
{
    const fnn_size B = r->B, H = r->H, I = g->I, rows = n * B, pitch = r->pitch, joint = REC_JOINT * H;
    const REAL *x = g->x + t * B * I, *apart = dz + REC_GATES * H;
    const int how = add ? FNN_GEMM_ADD : 0;
    if (g->dx) {                                    /* forward was  a = W_ih x + ... */
        REAL *dx = g->dx + t * B * I;
        const REAL *w = packed ? packed : g->w_ih, *w_apart = packed ? packed + fnn_gemm_packed_size(I, joint)
            : g->w_ih + joint * I;
        const fnn_size rsw = packed ? FNN_PACKED : I;
        FN(gemm)(dx, I, dz, pitch, 1, w, rsw, 1, NULL, NULL, rows, I, joint, 0);
        if (REC_PIECES > REC_GATES)
            FN(gemm)(dx, I, apart, pitch, 1, w_apart, rsw, 1, NULL, NULL, rows, I, H, FNN_GEMM_ADD);
    }
    if (g->dw_ih) {
        FN(gemm)(g->dw_ih, I, dz, 1, pitch, x, I, 1, NULL, NULL, joint, I, rows, how);
        if (REC_PIECES > REC_GATES)
            FN(gemm)(g->dw_ih + joint * I, I, apart, 1, pitch, x, I, 1, NULL, NULL, H, I, rows, how);
    }
    if (g->dw_hh) {                                 /* forward was  u_t = W_hh h_{t-1} + ...   The first step has met
                                                       h0, t + 1 follows t */
        const int has_first = g->reverse ? t + n == r->T : t == 0;
        const fnn_size others = (n - has_first) * B;
        const REAL *rest = has_first && !g->reverse ? dz + B * pitch : dz, *first = g->reverse ? dz + others * pitch
            : dz;
        if (others > 0)
            FN(gemm)(g->dw_hh, H, rest, 1, pitch, g->y + (g->reverse ? t + 1 : t - 1 + has_first) * B * H, H, 1, NULL,
                     NULL, REC_GATES * H,
                     H, others, how);
        if (has_first)
            FN(gemm)(g->dw_hh, H, first, 1, pitch, g->h0, H, 1, NULL, NULL, REC_GATES * H, H, B,
                     others > 0 || add ? FNN_GEMM_ADD : 0);
    }
    if (g->db_hh)
        FN(rec_bias_gradient)(g->db_hh, dz, rows, pitch, REC_GATES * H, add);
    if (g->db_ih) {
        FN(rec_bias_gradient)(g->db_ih, dz, rows, pitch, joint, add);
        if (REC_PIECES > REC_GATES)
            FN(rec_bias_gradient)(g->db_ih + joint, apart, rows, pitch, H, add);
    }
}

/* The whole pass, from the last step to the first. `r` is the head of the family's own struct; work
 * has fnn_recurrent_work elements, the last B * H of which are left alone. */
static void FN(rec_backward)(FN(recurrence) *r, FN(rec_cell) *cell, const FN(rec_gradients) *g, REAL *work, fnn_size T,
                             fnn_size B,
                             fnn_size H)
{
    const fnn_size steps = fnn_recurrent_steps(T, B), I = g->I, pitch = fnn_recurrent_pitch(REC_PIECES * H);
    REAL *packed = steps < T ? work : NULL, *dz = work + fnn_recurrent_packed(REC_GATES, T, B, I, H);
    REAL *panels = dz + fnn_recurrent_rows(T, B) * pitch;
    if (packed && g->dx) {
        FN(gemm_pack_b)(packed, g->w_ih, I, 1, I, REC_JOINT * H);
        if (REC_PIECES > REC_GATES)
            FN(gemm_pack_b)(packed + fnn_gemm_packed_size(I, REC_JOINT * H), g->w_ih + REC_JOINT * H * I, I, 1, I, H);
    }
    if (T > 1) {
        FN(rec_pack_args) pack = { panels, g->w_hh, H };
        fnn_parallel_for((H - 1) / (4 * VL) + 1, 1, FN(rec_pack_backward_block), &pack);
    }
    *r = (FN(recurrence)){ .T = T, .B = B, .H = H, .down = !g->reverse, .product = FN(rec_product_4), .cell = cell, .panels = panels,
                           .vectors = 4, .units = 4 * VL, .k = REC_GATES * H, .trail = dz, .pitch = pitch };
    for (fnn_size i = 0; i < T; i += steps) {
        const fnn_size n = steps < T - i ? steps : T - i, t = g->reverse ? i : T - i - n;
        const fnn_size origin = g->reverse && i > 0 ? t - 1 : t;
        const REAL *last = dz + (i > 0 ? FN(rec_place)(r, i - 1) : 0);
        r->origin = origin;
        if (i > 0)                                  /* the part begins where the one before has ended: that step's dz
                                                       goes along */
            memmove(dz + FN(rec_place)(r, i - 1), last, (size_t)(B * pitch) * sizeof(REAL));
        FN(rec_run)(r, i, i + n);
        FN(rec_contribute)(r, g, dz + (t - origin) * B * pitch, packed, t, n, i > 0);
    }
    if (g->dh0) {                                   /* forward was  u_first = W_hh h0 + ... */
        if (g->carry)
            memcpy(g->dh0, g->carry, (size_t)(B * H) * sizeof(REAL));
        FN(gemm)(g->dh0, H, dz + FN(rec_place)(r, T - 1), pitch, 1, g->w_hh, H, 1, NULL, NULL, B, H, REC_GATES * H,
                 g->carry ? FNN_GEMM_ADD : 0);
    }
}
#undef REC_PRODUCT
