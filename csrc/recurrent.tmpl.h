/* recurrent.tmpl.h -- part of lstm.tmpl.h, gru.tmpl.h and rnn.tmpl.h: how a sequence runs, forward or backward.
 *
 * Math       a step is a matrix product with what the step before left, and then a "cell", which goes element by element:
 *                forward    sum = h_{t-1} W_hh^T      backward   sum = dz_{t+1} W_hh
 *            All that does not depend on the step before is one matrix product over all steps, outside of this file.
 * Symbols    T steps, B batch, I inputs, H hidden units, G gates (REC_GATES: a row of W_hh's product is G pieces of H).
 *            The i-th step to run is t = i, or t = T-1-i when it goes down.
 * Method     W_hh is packed once per sequence into panels, a few registers wide, with a unit's gates side by side:
 *
 *                forward    panel of REC_UNITS units:  [k = 0..H-1][gate][unit]
 *                backward   panel of 4*VL units:       [k = 0..G*H-1][unit]
 *
 *            A tile of a few sequences by one panel stays in registers while k runs. As soon as it is summed up the cell is applied
 *            to its units, while the sums are in the nearest cache.
 * Threads    Sequences do not know of each other: where there are enough of them, each thread runs all the steps of some. Else
 *            each step is cut into panels x groups of sequences. Every sum over k runs from 0 up in one register, so the bits
 *            depend on neither.
 */
#ifndef FNN_REC_ONCE
#define FNN_REC_ONCE
enum {
    REC_BLOCK = 1 << 19,                            /* multiply-adds that are worth a block of a step */
    REC_GROUP = 24,                                 /* most sequences that meet a panel while it is in the cache */
    REC_DEPTH = 128,                                /* products added up at a time: 32 KB of a panel in float32 with AVX-512 */
    REC_SPLIT = 4,                                  /* sequences that are worth reading W_hh for */
    REC_SUM = 64                                    /* rows added up before their sum is added to the total */
};
#endif

#undef REC_SUMS
#if VBYTES == 64 || defined(__aarch64__)
#  define REC_SUMS 24                               /* of 32 registers; the rest for the panel and what it is multiplied by */
#else
#  define REC_SUMS 12                               /* of 16 */
#endif
#include "transpose.tmpl.h"
#undef REC_UNITS
#define REC_UNITS (REC_VECTORS / REC_GATES * VL)    /* units of a forward panel */

typedef struct FN(recurrence) FN(recurrence);

/* Sequences [first, first + rows) and units [unit, unit + width) of the i-th step. `sum` has a row of all pieces per sequence. */
typedef void FN(rec_cell)(const FN(recurrence) *r, fnn_size i, fnn_size first, fnn_size rows, fnn_size unit, fnn_size width,
                          const REAL *sum);
typedef void FN(rec_product_fn)(REAL *out, const REAL *a, fnn_size rsa, const REAL *panel, fnn_size k, fnn_size rows);

/* One pass over the sequence. Families put it first in a struct of their own, with the arrays that their cells need. */
struct FN(recurrence) {
    fnn_size T, B, H;
    int down;
    FN(rec_product_fn) *product;
    FN(rec_cell) *cell;
    const REAL *panels;                             /* packed W_hh */
    fnn_size vectors, units, k;                     /* registers in a row of a panel, units in a panel, products in a sum */
    const REAL *start, *trail;                      /* what the first step multiplies W_hh by (NULL: nothing); what all steps leave */
    fnn_size pitch;                                 /* of a row of either */
};

FNN_INLINE fnn_size FN(rec_time)(const FN(recurrence) *r, fnn_size i) { return r->down ? r->T - 1 - i : i; }

/* ---- the product of a tile with a panel ------------------------------------------------------------------- */

/* out[r][l] (+)= sum_k a[r][k] * panel[k][l]   for `rows` rows and the columns l of `vectors` registers; rows of the panel and of
 * out are `width` registers long */
FNN_INLINE void FN(rec_tile_of)(REAL *restrict out, const REAL *restrict a, fnn_size rsa, const REAL *restrict panel, fnn_size k,
                                int add, const int rows, const int vectors, const int width)
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
#define REC_CASE(n) case n: if (n * vectors <= REC_SUMS) FN(rec_tile_of)(out, a, rsa, panel, k, add, n, vectors, width); break;
FNN_INLINE void FN(rec_tile)(REAL *out, const REAL *a, fnn_size rsa, const REAL *panel, fnn_size k, int add, fnn_size rows,
                             const int vectors, const int width)
{
    switch (rows) { REC_CASE(1) REC_CASE(2) REC_CASE(3) REC_CASE(4) REC_CASE(5) REC_CASE(6) REC_CASE(7) REC_CASE(8) }
}
#undef REC_CASE

/* out[r][l] = sum_k a[r][k] * panel[k][l]   for up to REC_GROUP rows: a part of the panel that the L1 cache holds meets all of
 * them before the next part is fetched. Rows are cut evenly: 16 are tiles of 5, 5 and 6, not of 6, 6 and 4. A tile is
 * `across` registers wide, and a panel may be several tiles wide. */
FNN_INLINE void FN(rec_product)(REAL *out, const REAL *a, fnn_size rsa, const REAL *panel, fnn_size k, fnn_size rows,
                                const int vectors, const int across)
{
    fnn_size tiles = (rows + REC_SUMS / across - 1) / (REC_SUMS / across), width = vectors * VL;
    for (fnn_size i = 0; i < k; i += REC_DEPTH) {
        fnn_size depth = k - i < REC_DEPTH ? k - i : REC_DEPTH;
        for (fnn_size tile = 0; tile < tiles; tile++) {
            fnn_size r0 = rows * tile / tiles, r1 = rows * (tile + 1) / tiles;
            for (int q = 0; q < vectors; q += across)
                FN(rec_tile)(out + r0 * width + q * VL, a + r0 * rsa + i, rsa, panel + i * width + q * VL, depth, i > 0, r1 - r0,
                             across, vectors);
        }
    }
}

static void FN(rec_product_4)(REAL *out, const REAL *a, fnn_size rsa, const REAL *panel, fnn_size k, fnn_size rows)
{
    if (REC_SUMS == 12 && rows > 2)                 /* 3 x 4 sums would leave too few of 16 registers: 6 x 2, and twice */
        FN(rec_product)(out, a, rsa, panel, k, rows, 4, 2);
    else
        FN(rec_product)(out, a, rsa, panel, k, rows, 4, 4);
}
#if REC_VECTORS == 4
#  define REC_PRODUCT FN(rec_product_4)
#else
#  define REC_PRODUCT FN(rec_product_forward)
static void REC_PRODUCT(REAL *out, const REAL *a, fnn_size rsa, const REAL *panel, fnn_size k, fnn_size rows)
{
    FN(rec_product)(out, a, rsa, panel, k, rows, REC_VECTORS, REC_VECTORS);
}
#endif

/* ---- packing ---------------------------------------------------------------------------------------------- */

typedef struct { REAL *panels; const REAL *w_hh; fnn_size H; } FN(rec_pack_args);

/* VL rows of the matrix, or the fewer that it has, as VL adjacent columns of a panel:  out[j][l] = w[l][j] for j < n */
static void FN(rec_pack_rows)(REAL *restrict out, const REAL *restrict w, fnn_size rows, fnn_size n)
{
    fnn_size j = 0;
#if TRANSPOSE_ROUNDS
    for (; j + VL <= n; j += VL) {
        vec v[TRANSPOSE_LANES];
#pragma GCC unroll 16
        for (fnn_size l = 0; l < VL; l++)           /* columns beyond the last row repeat it: nobody looks at their sums */
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

/* ---- steps ------------------------------------------------------------------------------------------------- */

static void FN(rec_group)(const FN(recurrence) *r, fnn_size i, fnn_size panel, fnn_size first, fnn_size rows)
{
    REAL sum[REC_GROUP * 4 * (VBYTES ? VBYTES / sizeof(REAL) : 1)];
    fnn_size unit = panel * r->units, width = r->H - unit < r->units ? r->H - unit : r->units;
    const REAL *before = i == 0 ? r->start : r->trail + FN(rec_time)(r, i - 1) * r->B * r->pitch;
    if (before)
        r->product(sum, before + first * r->pitch, r->pitch, r->panels + panel * r->k * r->vectors * VL, r->k, rows);
    else
        memset(sum, 0, (size_t)(rows * r->vectors * VL) * sizeof(REAL));
    r->cell(r, i, first, rows, unit, width, sum);
}

/* The n-th panel of a step. Steps take them up and down in turns: a step begins with those that the one before has left in the cache. */
FNN_INLINE fnn_size FN(rec_turn)(fnn_size i, fnn_size n, fnn_size panels) { return i % 2 ? panels - 1 - n : n; }

/* All steps of sequences [begin, end) */
static void FN(rec_sequences)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(recurrence) *r = ctx;
    fnn_size panels = (r->H - 1) / r->units + 1, rows = end - begin, groups = (rows - 1) / REC_GROUP + 1;
    for (fnn_size i = 0; i < r->T; i++)
        for (fnn_size n = 0; n < panels; n++)
            for (fnn_size g = 0; g < groups; g++) {
                fnn_size first = rows * g / groups;
                FN(rec_group)(r, i, FN(rec_turn)(i, n, panels), begin + first, rows * (g + 1) / groups - first);
            }
}

typedef struct { const FN(recurrence) *r; fnn_size i, groups; } FN(rec_step);

/* Items of a step: panel by panel, and within a panel the groups of sequences. */
static void FN(rec_items)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(rec_step) *s = ctx;
    for (fnn_size item = begin; item < end; item++) {
        fnn_size g = item % s->groups, first = s->r->B * g / s->groups, last = s->r->B * (g + 1) / s->groups;
        FN(rec_group)(s->r, s->i, item / s->groups, first, last - first);
    }
}

static void FN(rec_run)(const FN(recurrence) *r)
{
    const fnn_size threads = fnn_num_threads(), panels = (r->H - 1) / r->units + 1, groups = (r->B - 1) / REC_GROUP + 1;
    const fnn_size sums = r->k * r->vectors * VL;   /* products in a panel */
    if (r->B >= REC_SPLIT * threads || panels * sums * r->B <= REC_BLOCK) {
        const fnn_size share = (r->B + threads - 1) / threads;
        fnn_parallel_for(r->B, share < REC_SPLIT ? REC_SPLIT : share, FN(rec_sequences), (void *)r);
        return;
    }
    /* An item costs `sums` products for each of its rows, but no less than reading its panel. */
    const fnn_size rows = r->B / groups < 4 ? 4 : r->B / groups, cost = sums * rows;
    for (fnn_size i = 0; i < r->T; i++) {
        FN(rec_step) step = { r, i, groups };
        fnn_parallel_for(panels * groups, cost < REC_BLOCK ? REC_BLOCK / cost : 1, FN(rec_items), &step);
    }
}

/* The parts of a pass that are the same for all cells; `work` receives the packed weights. */
static FN(recurrence) FN(rec_forward_pass)(FN(rec_cell) *cell, REAL *work, const REAL *w_hh, const REAL *h0, const REAL *y,
                                           fnn_size T, fnn_size B, fnn_size H, int reverse)
{
    if (T > 1) {                                    /* one step would not earn the packing back: it uses the general product */
        FN(rec_pack_args) pack = { work, w_hh, H };
        fnn_parallel_for((H - 1) / REC_UNITS + 1, REC_BLOCK / (H * 64) + 1, FN(rec_pack_forward_block), &pack);
    }
    return (FN(recurrence)){ .T = T, .B = B, .H = H, .down = reverse, .product = REC_PRODUCT, .cell = cell, .panels = work,
                             .vectors = REC_VECTORS, .units = REC_UNITS, .k = H, .start = T > 1 ? h0 : NULL, .trail = y, .pitch = H };
}

/* dz has rows of `pitch` elements, the first REC_GATES * H of which are the gradient of W_hh h. */
static FN(recurrence) FN(rec_backward_pass)(FN(rec_cell) *cell, REAL *work, const REAL *w_hh, const REAL *dz, fnn_size pitch,
                                            fnn_size T, fnn_size B, fnn_size H, int reverse)
{
    if (T > 1) {
        FN(rec_pack_args) pack = { work, w_hh, H };
        fnn_parallel_for((H - 1) / (4 * VL) + 1, 1, FN(rec_pack_backward_block), &pack);
    }
    return (FN(recurrence)){ .T = T, .B = B, .H = H, .down = !reverse, .product = FN(rec_product_4), .cell = cell, .panels = work,
                             .vectors = 4, .units = 4 * VL, .k = REC_GATES * H, .start = NULL, .trail = dz, .pitch = pitch };
}

/* ---- backward: what is the same for all cells --------------------------------------------------------------- */

/* What reaches h_t of sequence b from outside and from the step after, `sum`:  dh[l] for units [unit, unit + width) */
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

/* dW_hh [n][H]: each step's dz, n elements of rows of `pitch`, meets the h before it. The first step, t = 0 or T-1 in reverse, has
 * met h0; the rest follows it, and the h before the rest is y without the last step. */
static void FN(rec_weight_gradient)(REAL *dw_hh, const REAL *dz, fnn_size pitch, const REAL *y, const REAL *h0, fnn_size n,
                                    fnn_size T, fnn_size B, fnn_size H, int reverse)
{
    fnn_size rest = (T - 1) * B;
    const REAL *first = reverse ? dz + rest * pitch : dz, *others = reverse ? dz : dz + B * pitch;
    FN(gemm)(dw_hh, H, others, 1, pitch, reverse ? y + B * H : y, H, 1, NULL, NULL, n, H, rest, 0);
    FN(gemm)(dw_hh, H, first, 1, pitch, h0, H, 1, NULL, NULL, n, H, B, FNN_GEMM_ADD);
}

typedef struct { REAL *db; const REAL *dz; fnn_size rows, pitch; } FN(rec_bias_args);

static void FN(rec_bias_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(rec_bias_args) *a = ctx;
    for (fnn_size j = begin; j < end; j += 256) {
        fnn_size width = end - j < 256 ? end - j : 256;
        REAL part[256], *restrict db = a->db + j;
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

/* db[j] = the sum of dz[row][j] over all rows, j < n */
static void FN(rec_bias_gradient)(REAL *db, const REAL *dz, fnn_size rows, fnn_size pitch, fnn_size n)
{
    FN(rec_bias_args) args = { db, dz, rows, pitch };
    fnn_parallel_for(n, 256, FN(rec_bias_block), &args);
}
#undef REC_PRODUCT
