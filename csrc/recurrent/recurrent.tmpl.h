/* recurrent.tmpl.h -- how LSTM, GRU and RNN run over a sequence, forward or backward.
 *
 * Math       A step is a matrix product with what the step before left, and then a "cell": the
 *            family's formulas, element by element. (LSTM's c_t, the state of its cells, is another
 *            thing.)
 *
 *                forward    sum = h_{t-1} W_hh^T      backward   sum = dz_{t+1} W_hh
 *
 *            z is what goes into the cell's sigmoids and tanhs, W_ih x + W_hh h + b of all gates;
 *            dz is its gradient. (GRU's gate z is another z, which only gru.tmpl.h uses; what is z
 *            here it writes a and u.)
 *            Forward, the product with the inputs, W_ih x, waits for no step: the family's file
 *            does it for all steps at once, before the steps begin. Backward, the products for dx,
 *            dW_ih, dW_hh and db wait for no step either: rec_contribute does them here, for a part
 *            of the steps at a time.
 * Path       FN(name) pastes the names: FN(rec_run) is fnn_rec_run_f32__avx2 and so on (levels.h).
 *            Forward, of LSTM:
 *
 *                lstm_forward                  gemm: W_ih x + b of all steps
 *                  rec_forward_pass            W_hh packed into panels; a FN(recurrence) filled in
 *                  rec_run                     steps and sequences cut for the threads
 *                    rec_sequences             some sequences, step by step, panel by panel
 *                      rec_group               one panel of one step, up to REC_GROUP sequences
 *                        rec->product          = rec_product_4 -> rec_product -> rec_tile ->
 *                                              rec_tile_of, where the multiply-adds are
 *                        rec->cell             = lstm_forward_cell: gates, c and h
 *
 *            GRU's forward has rec_product_forward in the place of rec_product_4: three gates make
 *            slices of three registers.
 *            With few sequences rec_run calls rec_items, step by step, in place of rec_sequences.
 *            Backward: lstm_backward -> rec_backward -> rec_run, the same path with
 *            lstm_backward_cell, and then rec_contribute.
 * Families   A family defines REC_GATES (4, 3 or 1), includes this file, and brings two cells, each
 *            with a struct of the arrays that it needs: rec->cell and rec->arrays. lstm.c, gru.c
 *            and rnn.c have a copy of all functions each, with their number of gates as a constant.
 * Symbols    T steps, B batch, I inputs, H hidden units, G gates; vec, VL: a vector register and
 *            its elements (core/simd.h); rs..: the distance from a row to the next, in elements.
 *            `step` counts in the order in which steps run, t in the order of the sequence: step
 *            0, 1, ... is t = 0, 1, ..., or t = T-1, T-2, ... (rec_time). Of two steps, the one
 *            "before" has run before: backward, that of t+1. (For a layer that itself goes from
 *            the end, `reverse`, t-1 and t+1 change places.)
 *            first, rows: sequences [first, first + rows) of the batch; row: one of them, from 0.
 *            unit, units: hidden units [unit, unit + units), in one panel.
 *            panel: the number of a panel; weights: elements of packed W_hh, from a panel on.
 *            strip: the panels that meet some sequences at a time, one or two.
 *            slice: what one number of each sequence is multiplied by; a panel is `depth` of them,
 *            and k is one. vectors, width: a slice, in registers and in elements; across: what a
 *            tile takes of it, in registers; l: an element of it.
 * Layout     A row is one sequence of one step, whatever the array; only W_ih and W_hh have other
 *            rows, one for each unit of each gate. A row of a product is G pieces of H numbers, a
 *            piece for each gate.
 *            W_hh is packed once per call: copied in the order in which the products read it.
 *            A panel of it is a few vector registers wide, with a unit's gates side by side:
 *
 *                forward    panel of REC_UNITS units:  [k = 0..H-1][gate][unit]
 *                backward   panel of 4*VL units:       [k = 0..G*H-1][unit]
 * Method     A tile is a few sequences by one panel. Its sums stay in registers for REC_DEPTH
 *            slices of the panel at a time. As soon as they are complete the cell is applied to
 *            the panel's units, while they are in the nearest cache.
 *            One sequence alone has few sums: it takes a pair of panels at a time, so that enough
 *            additions are in flight.
 *            While a thread goes through its panels with several tiles, the next slices are
 *            prefetched, one cache line with each product: where W_hh is larger than the L2 cache,
 *            the next tile would wait for them.
 *            Forward multiplies a copy of h_{t-1}, whose rows lie a pitch apart, against cache
 *            aliasing (fnn_odd_lines).
 *            Backward goes over the steps in parts of some 256 rows of dz. The dz of one part is
 *            all that is kept, and it is in the cache when the products for dx, dW and db read it.
 *            Measurements, and what did not pay: docs/kernels/lstm.md.
 * Threads    Sequences are independent: where there are enough of them, each thread runs all the
 *            steps of some. Else each step is cut into panels x groups of sequences, if it is worth
 *            it. Every sum over k runs from 0 up into one number, so the bits depend on neither.
 */
#ifndef FNN_REC_ONCE
#define FNN_REC_ONCE
enum {
    REC_WORK = 1 << 16,    /* multiply-adds of a step that are worth a thread; chosen. Timed is what
                              dividing the steps of one sequence brings, where each has 4 times as
                              many: docs/kernels/lstm.md */
    REC_PACK = 1 << 16,    /* elements of W_hh whose packing is worth a block of a loop; chosen: 256
                              KiB of floats */
    REC_GROUP = 24,        /* sequences, at most, that meet a panel while it is in the L1 cache;
                              chosen: whole tiles of 6 or 8 rows, and of 3 or 4 with 16 registers */
    REC_DEPTH = 128,       /* slices of a panel multiplied at a time; chosen: 32 KiB of floats with
                              AVX-512, an L1 cache */
    REC_SPLIT = 4,         /* sequences that are worth reading W_hh for; chosen: about a tile */
    REC_SUM = 64,          /* rows of dz added up before their sum is added to db; chosen: short
                              sums lose less to rounding */
    REC_BIASES = 256       /* elements of db in a block; bound: 2 KiB of doubles on the stack */
};
#endif

/* The registers in a slice of a forward panel; bound: one for each of 4 or 3 gates, or 4 of the
 * only one */
#undef REC_VECTORS
#define REC_VECTORS (REC_GATES == 3 ? 3 : 4)
#undef REC_UNITS
#define REC_UNITS (REC_VECTORS / REC_GATES * VL)    /* units of a forward panel */
#undef REC_PIECES
#define REC_PIECES fnn_recurrent_pieces(REC_GATES)  /* of H numbers in a row of dz */
#undef REC_SUMS
#define REC_SUMS (VSUMS == 28 ? 24 : VSUMS)         /* registers of sums; bound: the rest is for the
                                                       panel and what it is multiplied by */
#include "core/transpose.tmpl.h"

typedef struct FN(recurrence) FN(recurrence);

/* The cell of one step: sequences [first, first + rows), units [unit, unit + units). `sum` has a
 * row for each sequence, as long as a slice of a panel. */
typedef void FN(rec_cell)(const FN(recurrence) *rec, fnn_size step, fnn_size first, fnn_size rows, fnn_size unit,
                          fnn_size units, const REAL *sum);

/* A panel's elements, and those of the panel that is multiplied next, to be prefetched; NULL:
 * nothing is */
typedef struct { const REAL *here, *next; } FN(rec_weights);

/* sums = rows of a times a panel, or times a pair of panels */
typedef void FN(rec_product_fn)(REAL *sums, const REAL *a, fnn_size rsa, FN(rec_weights) weights, fnn_size depth,
                                fnn_size rows, int pair);

/* One pass over a sequence */
struct FN(recurrence) {
    fnn_size T, B, H;
    int down;                                       /* t goes from T-1 to 0 */
    int ieee;                                       /* forward: denormals are kept */
    FN(rec_product_fn) *product;
    FN(rec_cell) *cell;
    const void *arrays;                     /* the cell's own, as FN(lstm_forward_arrays) */
    fnn_size step_begin, step_end;          /* the steps that are to run now */
    const REAL *weights;                    /* packed W_hh, panel behind panel */
    fnn_size vectors, panel_units, depth;   /* of a panel: registers in a slice; units; slices */
    /* [B][H], what step 0 multiplies W_hh by; NULL: nothing */
    const REAL *start;
    REAL *carry;                            /* what a step hands to the next: rows of h, or of dz */
    fnn_size pitch;                         /* of the rows of carry */
    fnn_size carry_t;                       /* backward: the t of the first rows in carry */
    /* forward: [T][B][H], of which carry gets a copy, two steps alternating. Backward: NULL */
    const REAL *y;
};

/* What comes out of a gate; `ieee` is a constant. */
FNN_INLINE REAL FN(rec_gate)(REAL z, const int ieee) { return ieee ? FN(sigmoid_ieee)(z) : r_sigmoid(z); }

FNN_INLINE fnn_size FN(rec_time)(const FN(recurrence) *rec, fnn_size step)
{
    return rec->down ? rec->T - 1 - step : step;
}

/* Where the rows of a step begin in `carry`: forward, which has y, keeps two steps there,
 * alternating; backward all steps of a part, in the order of t. */
FNN_INLINE fnn_size FN(rec_offset)(const FN(recurrence) *rec, fnn_size step)
{
    return (rec->y ? step % 2 : FN(rec_time)(rec, step) - rec->carry_t) * rec->B * rec->pitch;
}

/* ---- the product of a tile with a panel ------------------------------------------------------ */

/* What to prefetch along the way: from `from` on, `advance` elements further with each slice of
 * a panel */
typedef struct { const REAL *from; fnn_size advance; } FN(rec_prefetch);

/* sums[row][l] (+)= sum over k < depth of a[row][k] weights[k][l]
 * for `rows` rows and the columns l of `across` registers. A slice of the weights is `vectors`
 * registers long, and so is a row of sums. A register tile as in gemm_tile.tmpl.h: numbers of a are
 * broadcast, weights loaded in vectors. */
FNN_INLINE void FN(rec_tile_of)(REAL *restrict sums, const REAL *restrict a, fnn_size rsa, const REAL *restrict weights,
                                fnn_size depth, FN(rec_prefetch) ahead, int add, const int rows, const int across,
                                const int vectors)
{
    /* numbers, since they may be beyond the array at the end, where no pointer may be */
    uintptr_t next = (uintptr_t)ahead.from;
    const uintptr_t advance = (uintptr_t)ahead.advance * sizeof(REAL);
    vec sum[8][4];
#pragma GCC unroll 8
    for (int row = 0; row < rows; row++)
#pragma GCC unroll 4
        for (int v = 0; v < across; v++)
            sum[row][v] = add ? v_load(sums + (vectors * row + v) * VL) : v_set(0);
    /* the k dimension: a slice of the weights and a column of a, one after the other */
    for (fnn_size k = 0; k < depth; k++) {
        vec w[4];
#pragma GCC unroll 4
        for (int v = 0; v < across; v++)
            w[v] = v_load(weights + v * VL);
        weights += vectors * VL;
        FNN_PREFETCH((const REAL *)next, 0, 0, 2);
        next += advance;
        /* all sums of the tile: rows x across registers */
#pragma GCC unroll 8
        for (int row = 0; row < rows; row++) {
            vec element = v_set(a[row * rsa + k]);
#pragma GCC unroll 4
            for (int v = 0; v < across; v++)
                sum[row][v] += element * w[v];
        }
    }
#pragma GCC unroll 8
    for (int row = 0; row < rows; row++)
#pragma GCC unroll 4
        for (int v = 0; v < across; v++)
            v_store(sums + (vectors * row + v) * VL, sum[row][v]);
}

/* A constant number of rows keeps the sums in registers. */
#define REC_CASE(constant) \
    case constant: \
        if (constant * across <= REC_SUMS) \
            FN(rec_tile_of)(sums, a, rsa, weights, depth, ahead, add, constant, across, vectors); \
        break;
FNN_INLINE void FN(rec_tile)(REAL *sums, const REAL *a, fnn_size rsa, const REAL *weights, fnn_size depth,
                             FN(rec_prefetch) ahead, int add, fnn_size rows, const int across, const int vectors)
{
    switch (rows) { REC_CASE(1) REC_CASE(2) REC_CASE(3) REC_CASE(4) REC_CASE(5) REC_CASE(6) REC_CASE(7) REC_CASE(8) }
}
#undef REC_CASE

/* One row by two panels, one behind the other */
FNN_INLINE void FN(rec_pair)(REAL *restrict sums, const REAL *restrict a, const REAL *restrict weights, fnn_size depth,
                             const int vectors)
{
    vec sum[2][4];
    const REAL *restrict second = weights + depth * vectors * VL;
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++)
        sum[0][v] = sum[1][v] = v_set(0);
    /* the k dimension: an element of a and a slice of both panels, one after the other */
    for (fnn_size k = 0; k < depth; k++) {
        vec element = v_set(a[k]);
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            sum[0][v] += element * v_load(weights + (k * vectors + v) * VL);
            sum[1][v] += element * v_load(second + (k * vectors + v) * VL);
        }
    }
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) {
        v_store(sums + v * VL, sum[0][v]);
        v_store(sums + (vectors + v) * VL, sum[1][v]);
    }
}

/* sums[row][l] = sum over k of a[row][k] weights[k][l], for up to REC_GROUP rows. A tile may be
 * narrower than the panel. */
FNN_INLINE void FN(rec_product)(REAL *sums, const REAL *a, fnn_size rsa, FN(rec_weights) weights, fnn_size depth,
                                fnn_size rows, const int vectors, const int across)
{
    const fnn_size tiles = fnn_ceil_div(rows, REC_SUMS / across), width = vectors * VL;
    const fnn_size line = 64 / (fnn_size)sizeof(REAL);
    /* the k dimension, REC_DEPTH at a time: these slices, which the L1 cache holds, meet all rows
     * before the next ones are loaded */
    for (fnn_size k = 0; k < depth; k += REC_DEPTH) {
        const fnn_size slices = fnn_min(depth - k, REC_DEPTH);
        const REAL *next = k + slices < depth ? weights.here + (k + slices) * width : weights.next;
        /* Each tile prefetches one column of cache lines of the next slices, until all are. A
         * single tile prefetches nothing: it has no time to spare. */
        fnn_size prefetched = weights.next && tiles > 1 ? 0 : width;
        /* the rows, in tiles of nearly equal height: 16 are 5, 5 and 6, not 6, 6 and 4 */
        for (fnn_size tile = 0; tile < tiles; tile++) {
            const fnn_size row0 = rows * tile / tiles, row1 = rows * (tile + 1) / tiles;
            /* the columns, `across` registers at a time */
            for (int v = 0; v < vectors; v += across, prefetched += line) {
                const int more = prefetched < width;
                const FN(rec_prefetch) ahead = { more ? next + prefetched : weights.here, more ? width : 0 };
                FN(rec_tile)(sums + row0 * width + v * VL, a + row0 * rsa + k, rsa, weights.here + k * width + v * VL,
                             slices, ahead, k > 0, row1 - row0, across, vectors);
            }
        }
    }
}

static void FN(rec_product_4)(REAL *sums, const REAL *a, fnn_size rsa, FN(rec_weights) weights, fnn_size depth,
                              fnn_size rows, int pair)
{
    if (pair)
        FN(rec_pair)(sums, a, weights.here, depth, 4);
    else if (REC_SUMS == 12 && rows > 2)    /* 3 rows x 4 registers of sums would leave too few of
                                               16: 6 x 2, twice */
        FN(rec_product)(sums, a, rsa, weights, depth, rows, 4, 2);
    else
        FN(rec_product)(sums, a, rsa, weights, depth, rows, 4, 4);
}
#if REC_VECTORS == 4
#  define REC_PRODUCT FN(rec_product_4)
#else
#  define REC_PRODUCT FN(rec_product_forward)
static void REC_PRODUCT(REAL *sums, const REAL *a, fnn_size rsa, FN(rec_weights) weights, fnn_size depth,
                        fnn_size rows, int pair)
{
    if (pair)
        FN(rec_pair)(sums, a, weights.here, depth, REC_VECTORS);
    else
        FN(rec_product)(sums, a, rsa, weights, depth, rows, REC_VECTORS, REC_VECTORS);
}
#endif

/* ---- packing W_hh ---------------------------------------------------------------------------- */

typedef struct { REAL *weights; const REAL *w_hh; fnn_size H; } FN(rec_pack_args);

/* The weights of VL units of a gate, or the fewer that there are, as VL adjacent columns of a
 * panel: to[k][l] = w[l][k] for k < H. Columns beyond the last unit repeat it: nothing reads their
 * sums. */
static void FN(rec_pack_units)(REAL *restrict to, const REAL *restrict w, fnn_size units, fnn_size H)
{
    fnn_size k = 0;
#if TRANSPOSE_ROUNDS
    for (; k + VL <= H; k += VL) {                  /* blocks of VL x VL, transposed in registers */
        vec block[TRANSPOSE_LANES];
#pragma GCC unroll 16
        for (fnn_size l = 0; l < VL; l++)
            block[l] = v_load(w + fnn_min(l, units - 1) * H + k);
        FN(transpose)(block);
#pragma GCC unroll 16
        for (fnn_size l = 0; l < VL; l++)
            v_store(to + (k + l) * REC_VECTORS * VL, block[l]);
    }
#endif
    for (; k < H; k++)
        for (fnn_size l = 0; l < VL; l++)
            to[k * REC_VECTORS * VL + l] = w[fnn_min(l, units - 1) * H + k];
}

/* The loop counts panels. */
static void FN(rec_pack_forward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(rec_pack_args) *args = ctx;
    fnn_size H = args->H;
    for (fnn_size panel = begin; panel < end; panel++) {
        REAL *to = args->weights + panel * H * REC_VECTORS * VL;
        for (fnn_size gate = 0; gate < REC_GATES; gate++)
            for (fnn_size l = 0; l < REC_UNITS; l += VL, to += VL) {
                fnn_size unit = panel * REC_UNITS + l;
                if (unit < H)
                    FN(rec_pack_units)(to, args->w_hh + (gate * H + unit) * H, fnn_min(H - unit, VL), H);
            }
    }
}

static void FN(rec_pack_backward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(rec_pack_args) *args = ctx;
    fnn_size H = args->H;
    for (fnn_size panel = begin; panel < end; panel++) {
        fnn_size unit = panel * 4 * VL, units = fnn_min(H - unit, 4 * VL);
        for (fnn_size k = 0; k < REC_GATES * H; k++) {
            REAL *restrict to = args->weights + (panel * REC_GATES * H + k) * 4 * VL;
            const REAL *restrict from = args->w_hh + k * H + unit;
            for (fnn_size l = 0; l < units; l++)
                to[l] = from[l];
            for (fnn_size l = units; l < 4 * VL; l++)
                to[l] = 0;
        }
    }
}

/* ---- steps ----------------------------------------------------------------------------------- */

FNN_INLINE const REAL *FN(rec_panel_at)(const FN(recurrence) *rec, fnn_size panel)
{
    return rec->weights + panel * rec->depth * rec->vectors * VL;
}

/* Forward: the copy of h for the next step's product */
FNN_INLINE void FN(rec_copy)(const FN(recurrence) *rec, fnn_size step, fnn_size first, fnn_size rows, fnn_size unit,
                             const fnn_size units)
{
    const REAL *restrict y = rec->y + (FN(rec_time)(rec, step) * rec->B + first) * rec->H + unit;
    REAL *restrict to = rec->carry + FN(rec_offset)(rec, step) + first * rec->pitch + unit;
    for (fnn_size row = 0; row < rows; row++)
        for (fnn_size l = 0; l < units; l++)
            to[row * rec->pitch + l] = y[row * rec->H + l];
}

/* Sequences [first, first + rows) and one panel of a step, or, of one sequence alone, a pair of
 * panels: the product, and the cell behind it. `next_panel`: what to prefetch; -1: nothing */
static void FN(rec_group)(const FN(recurrence) *rec, fnn_size step, fnn_size panel, fnn_size panels,
                          fnn_size next_panel, fnn_size first, fnn_size rows)
{
    REAL sums[REC_GROUP * 4 * VL];
    const REAL *before = step == 0 ? rec->start : rec->carry + FN(rec_offset)(rec, step - 1);
    const fnn_size width = rec->vectors * VL, pitch = step == 0 ? rec->H : rec->pitch;
    const FN(rec_weights) weights = { FN(rec_panel_at)(rec, panel),
                                      next_panel < 0 ? NULL : FN(rec_panel_at)(rec, next_panel) };
    if (before)
        rec->product(sums, before + first * pitch, pitch, weights, rec->depth, rows, panels == 2);
    else
        memset(sums, 0, (size_t)(panels * rows * width) * sizeof(REAL));
    for (fnn_size p = 0; p < panels; p++) {
        fnn_size unit = (panel + p) * rec->panel_units, units = fnn_min(rec->H - unit, rec->panel_units);
        rec->cell(rec, step, first, rows, unit, units, sums + p * width);
        if (rec->y && units == REC_UNITS)
            FN(rec_copy)(rec, step, first, rows, unit, REC_UNITS);
        else if (rec->y)
            FN(rec_copy)(rec, step, first, rows, unit, units);
    }
}

FNN_INLINE fnn_size FN(rec_panels)(const FN(recurrence) *rec) { return fnn_ceil_div(rec->H, rec->panel_units); }

/* The panels in a strip: a pair for one sequence alone, which has few sums */
FNN_INLINE fnn_size FN(rec_strip)(fnn_size rows) { return rows == 1 ? 2 : 1; }

/* The n-th strip of a step. Even steps take them upwards and odd steps downwards, so that a step
 * begins with those that the one before has left in the cache. */
FNN_INLINE fnn_size FN(rec_alternate)(fnn_size step, fnn_size nth, fnn_size strips)
{
    return step % 2 ? strips - 1 - nth : nth;
}

/* Steps [rec->step_begin, rec->step_end) of sequences [begin, end) */
static void FN(rec_sequences)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(recurrence) *rec = ctx;
    const fnn_size panels = FN(rec_panels)(rec), rows = end - begin, groups = fnn_ceil_div(rows, REC_GROUP);
    const fnn_size per_strip = FN(rec_strip)(rows), strips = fnn_ceil_div(panels, per_strip);
    /* the steps, one after the other */
    for (fnn_size step = rec->step_begin; step < rec->step_end; step++)
        /* the hidden units, a strip at a time */
        for (fnn_size nth = 0; nth < strips; nth++) {
            const fnn_size panel = FN(rec_alternate)(step, nth, strips) * per_strip;
            const fnn_size next_panel =
                nth + 1 < strips ? FN(rec_alternate)(step, nth + 1, strips) * per_strip : panel;
            /* the sequences, in groups of nearly equal size; the first prefetches the next strip */
            for (fnn_size group = 0; group < groups; group++) {
                fnn_size row0 = rows * group / groups;
                FN(rec_group)(rec, step, panel, fnn_min(panels - panel, per_strip), group == 0 ? next_panel : -1,
                              begin + row0, rows * (group + 1) / groups - row0);
            }
        }
}

typedef struct { const FN(recurrence) *rec; fnn_size step, groups, per_strip; } FN(rec_step_args);

/* The loop counts groups of sequences in one step: all that meet a strip, strip by strip. */
static void FN(rec_items)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(rec_step_args) *args = ctx;
    const FN(recurrence) *rec = args->rec;
    for (fnn_size item = begin; item < end; item++) {
        fnn_size group = item % args->groups, first = rec->B * group / args->groups;
        fnn_size beyond = rec->B * (group + 1) / args->groups;
        fnn_size panel = item / args->groups * args->per_strip, left = FN(rec_panels)(rec) - panel;
        FN(rec_group)(rec, args->step, panel, fnn_min(left, args->per_strip), -1, first, beyond - first);
    }
}

/* Steps [step_begin, step_end) of all sequences */
static void FN(rec_run)(FN(recurrence) *rec, fnn_size step_begin, fnn_size step_end)
{
    const fnn_size threads = fnn_num_threads(), panels = FN(rec_panels)(rec), groups = fnn_ceil_div(rec->B, REC_GROUP);
    const fnn_work worth = (fnn_work)panels * rec->depth * rec->vectors * VL * rec->B / REC_WORK;
    const fnn_size workers = fnn_min_work(worth, threads);
    rec->step_begin = step_begin;
    rec->step_end = step_end;
    /* each thread: all steps of some sequences */
    if (rec->B >= REC_SPLIT * threads || workers <= 1) {
        const fnn_size share = fnn_ceil_div(rec->B, threads * fnn_parts_per_thread());
        fnn_parallel_for(rec->B, fnn_max(share, REC_SPLIT), FN(rec_sequences), rec);
        return;
    }
    const fnn_size per_strip = FN(rec_strip)(rec->B), items = fnn_ceil_div(panels, per_strip) * groups;
    /* all threads: one step after the other */
    for (fnn_size step = step_begin; step < step_end; step++) {
        FN(rec_step_args) args = { rec, step, groups, per_strip };
        fnn_parallel_for(items, fnn_ceil_div(items, workers * fnn_parts_per_thread()), FN(rec_items), &args);
    }
}

/* Prepare a forward pass, for `cell` and its `arrays`; nothing runs yet. work has
 * fnn_recurrent_forward_work elements, the last (REC_GATES + 1) * H of which are left alone, for
 * biases. */
static FN(recurrence) FN(rec_forward_pass)(FN(rec_cell) *cell, const void *arrays, REAL *work, const REAL *w_hh,
                                           const REAL *h0, const REAL *y, fnn_size T, fnn_size B, fnn_size H,
                                           int reverse)
{
    const fnn_size pitch = fnn_odd_lines(H);
    REAL *weights = work + 2 * B * pitch;
    if (T > 1) {        /* one step would not earn the packing back: it uses the general product */
        FN(rec_pack_args) pack = { weights, w_hh, H };
        fnn_parallel_for(fnn_ceil_div(H, REC_UNITS), REC_PACK / (H * REC_VECTORS * VL) + 1, FN(rec_pack_forward_block),
                         &pack);
    }
    return (FN(recurrence)){
        .T = T, .B = B, .H = H, .down = reverse, .ieee = !fnn_flush_denormal(), .product = REC_PRODUCT, .cell = cell,
        .arrays = arrays, .weights = weights, .vectors = REC_VECTORS, .panel_units = REC_UNITS, .depth = H,
        .start = T > 1 ? h0 : NULL, .carry = work, .pitch = pitch, .y = y,
    };
}

/* ---- backward: what is the same for all cells ------------------------------------------------ */

/* The gradient of h_t of one sequence: dh[l], for the `units` from element `at` of a [B][H] array
 * on. It is what comes from outside, dy and dhT, and `sum`, which comes from the step before, that
 * of t+1, through W_hh. */
FNN_INLINE void FN(rec_upstream)(REAL *restrict dh, const FN(recurrence) *rec, fnn_size step, fnn_size at,
                                 fnn_size units, const REAL *restrict sum, const REAL *restrict dy,
                                 const REAL *restrict dhT)
{
    const REAL *restrict dy_t = dy ? dy + FN(rec_time)(rec, step) * rec->B * rec->H + at : NULL;
    for (fnn_size l = 0; l < units; l++)
        dh[l] = dy_t ? sum[l] + dy_t[l] : sum[l];
    if (dhT && step == 0)
        for (fnn_size l = 0; l < units; l++)
            dh[l] += dhT[at + l];
}

typedef struct { REAL *db; const REAL *dz; fnn_size rows, pitch; int add; } FN(rec_bias_args);

/* The loop counts elements of db, summed up REC_BIASES at a time. */
static void FN(rec_bias_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(rec_bias_args) *args = ctx;
    for (fnn_size j = begin; j < end; j += REC_BIASES) {
        fnn_size columns = fnn_min(end - j, REC_BIASES);
        REAL partial[REC_BIASES], *restrict db = args->db + j;
        if (!args->add)
            memset(db, 0, (size_t)columns * sizeof(REAL));
        /* the rows, REC_SUM at a time: short sums first, which lose less to rounding */
        for (fnn_size row0 = 0; row0 < args->rows; row0 += REC_SUM) {
            fnn_size row1 = fnn_min(row0 + REC_SUM, args->rows);
            memset(partial, 0, sizeof partial);
            for (fnn_size row = row0; row < row1; row++) {
                const REAL *restrict dz = args->dz + row * args->pitch + j;
                for (fnn_size l = 0; l < columns; l++)
                    partial[l] += dz[l];
            }
            for (fnn_size l = 0; l < columns; l++)
                db[l] += partial[l];
        }
    }
}

/* db[j] (+)= the sum of dz[row][j] over all rows, j < columns */
static void FN(rec_bias_gradient)(REAL *db, const REAL *dz, fnn_size rows, fnn_size pitch, fnn_size columns, int add)
{
    FN(rec_bias_args) args = { db, dz, rows, pitch, add };
    fnn_parallel_for(columns, REC_BIASES, FN(rec_bias_block), &args);
}

/* Which pieces of a row of dz a product takes. The gradient of W_hh h + b_hh is the first REC_GATES
 * of them. In LSTM and RNN the gradient of W_ih x + b_ih is the same pieces. In GRU a gate
 * multiplies W_hn h + b_hn first, so the two differ in the third piece: the gradient of W_ih x +
 * b_ih is the first two, "joint", and a fourth, "apart". */
#undef REC_JOINT
#define REC_JOINT (REC_PIECES > REC_GATES ? REC_GATES - 1 : REC_GATES)

/* One backward pass; what is not wanted is NULL. */
typedef struct {
    REAL *dx, *dh0, *dw_ih, *dw_hh, *db_ih, *db_hh;
    const REAL *x, *h0, *w_ih, *w_hh, *y;
    const REAL *direct; /* what reaches h0 past the gates at the end of the pass; NULL: nothing
                           does */
    fnn_size I;
    int reverse;
} FN(rec_gradients);

/* A part of the steps, [t, t + steps), whose dz is there */
typedef struct {
    const REAL *dz;             /* a row for each step and sequence, in the order of t */
    fnn_size t, steps;
    int add;                    /* to what other parts have contributed */
} FN(rec_part);

/* dx of a part. Forward was  z = W_ih x + ...  `packed` is W_ih, or NULL where it was not
 * packed. */
static void FN(rec_dx)(const FN(recurrence) *rec, const FN(rec_gradients) *grads, const REAL *packed,
                       const FN(rec_part) *part)
{
    const fnn_size rows = part->steps * rec->B, H = rec->H, I = grads->I, joint = REC_JOINT * H;
    const fnn_size rsw = packed ? FNN_PACKED : I;
    const REAL *w = packed ? packed : grads->w_ih;
    const REAL *w_apart = w + (packed ? fnn_gemm_packed_size(I, joint) : joint * I);
    REAL *dx = grads->dx + part->t * rec->B * I;
    FN(gemm)(dx, I, part->dz, rec->pitch, 1, w, rsw, 1, NULL, NULL, rows, I, joint, 0);
    if (REC_PIECES > REC_GATES)
        FN(gemm)(dx, I, part->dz + REC_GATES * H, rec->pitch, 1, w_apart, rsw, 1, NULL, NULL, rows, I, H, FNN_GEMM_ADD);
}

/* dW_ih (+)= dz^T x over a part */
static void FN(rec_dw_ih)(const FN(recurrence) *rec, const FN(rec_gradients) *grads, const FN(rec_part) *part)
{
    const fnn_size rows = part->steps * rec->B, H = rec->H, I = grads->I, joint = REC_JOINT * H;
    const REAL *x = grads->x + part->t * rec->B * I;
    const int how = part->add ? FNN_GEMM_ADD : 0;
    FN(gemm)(grads->dw_ih, I, part->dz, 1, rec->pitch, x, I, 1, NULL, NULL, joint, I, rows, how);
    if (REC_PIECES > REC_GATES)
        FN(gemm)(grads->dw_ih + joint * I, I, part->dz + REC_GATES * H, 1, rec->pitch, x, I, 1, NULL, NULL, H, I, rows,
                 how);
}

/* dW_hh (+)= dz^T h over a part. Forward was  z_t = W_hh h_{t-1} + ...  The h_{t-1} of the step
 * that ran first is h0, those of the others are in y. */
static void FN(rec_dw_hh)(const FN(recurrence) *rec, const FN(rec_gradients) *grads, const FN(rec_part) *part)
{
    const fnn_size B = rec->B, H = rec->H, pitch = rec->pitch;
    const int has_first = grads->reverse ? part->t + part->steps == rec->T : part->t == 0;
    const fnn_size other_rows = (part->steps - has_first) * B;
    const REAL *dz_others = has_first && !grads->reverse ? part->dz + B * pitch : part->dz;
    const REAL *dz_first = grads->reverse ? part->dz + other_rows * pitch : part->dz;
    const REAL *h_before = grads->y + (grads->reverse ? part->t + 1 : part->t - 1 + has_first) * B * H;
    if (other_rows > 0)
        FN(gemm)(grads->dw_hh, H, dz_others, 1, pitch, h_before, H, 1, NULL, NULL, REC_GATES * H, H, other_rows,
                 part->add ? FNN_GEMM_ADD : 0);
    if (has_first)
        FN(gemm)(grads->dw_hh, H, dz_first, 1, pitch, grads->h0, H, 1, NULL, NULL, REC_GATES * H, H, B,
                 other_rows > 0 || part->add ? FNN_GEMM_ADD : 0);
}

/* What a part contributes to all gradients but dh0 */
static void FN(rec_contribute)(const FN(recurrence) *rec, const FN(rec_gradients) *grads, const REAL *packed,
                               const FN(rec_part) *part)
{
    const fnn_size rows = part->steps * rec->B, H = rec->H, joint = REC_JOINT * H;
    if (grads->dx)
        FN(rec_dx)(rec, grads, packed, part);
    if (grads->dw_ih)
        FN(rec_dw_ih)(rec, grads, part);
    if (grads->dw_hh)
        FN(rec_dw_hh)(rec, grads, part);
    if (grads->db_hh)
        FN(rec_bias_gradient)(grads->db_hh, part->dz, rows, rec->pitch, REC_GATES * H, part->add);
    if (grads->db_ih)
        FN(rec_bias_gradient)(grads->db_ih, part->dz, rows, rec->pitch, joint, part->add);
    if (grads->db_ih && REC_PIECES > REC_GATES)
        FN(rec_bias_gradient)(grads->db_ih + joint, part->dz + REC_GATES * H, rows, rec->pitch, H, part->add);
}

/* A whole pass backward, from the last step to the first, for `cell` and its `arrays`. work has
 * fnn_recurrent_work elements, the last B * H of which are left alone, for the cell. */
static void FN(rec_backward)(FN(rec_cell) *cell, const void *arrays, const FN(rec_gradients) *grads, REAL *work,
                             fnn_size T, fnn_size B, fnn_size H)
{
    const fnn_size most = fnn_recurrent_steps(T, B), I = grads->I, pitch = fnn_gates_pitch(REC_GATES, H);
    REAL *packed = most < T ? work : NULL, *dz = work + fnn_recurrent_packed(REC_GATES, T, B, I, H);
    REAL *weights = dz + fnn_recurrent_rows(T, B) * pitch;
    if (packed && grads->dx) {
        FN(gemm_pack_b)(packed, grads->w_ih, I, 1, I, REC_JOINT * H);
        if (REC_PIECES > REC_GATES)
            FN(gemm_pack_b)(packed + fnn_gemm_packed_size(I, REC_JOINT * H), grads->w_ih + REC_JOINT * H * I, I, 1, I,
                            H);
    }
    if (T > 1) {
        FN(rec_pack_args) pack = { weights, grads->w_hh, H };
        fnn_parallel_for(fnn_ceil_div(H, 4 * VL), 1, FN(rec_pack_backward_block), &pack);
    }
    FN(recurrence) rec = {
        .T = T, .B = B, .H = H, .down = !grads->reverse, .product = FN(rec_product_4), .cell = cell, .arrays = arrays,
        .weights = weights, .vectors = 4, .panel_units = 4 * VL, .depth = REC_GATES * H, .carry = dz, .pitch = pitch,
    };
    /* the steps, a part at a time: first their dz, one after the other, and then what all of them
     * contribute */
    for (fnn_size step = 0; step < T; step += most) {
        const fnn_size steps = fnn_min(most, T - step), t = grads->reverse ? step : T - step - steps;
        const fnn_size carry_t = grads->reverse && step > 0 ? t - 1 : t;
        const REAL *dz_before = dz + (step > 0 ? FN(rec_offset)(&rec, step - 1) : 0);
        rec.carry_t = carry_t;
        /* this part's first product needs the dz of the step before it: they move to where their
         * rows belong among this part's */
        if (step > 0)
            memmove(dz + FN(rec_offset)(&rec, step - 1), dz_before, (size_t)(B * pitch) * sizeof(REAL));
        FN(rec_run)(&rec, step, step + steps);
        const FN(rec_part) part = { dz + (t - carry_t) * B * pitch, t, steps, step > 0 };
        FN(rec_contribute)(&rec, grads, packed, &part);
    }
    if (grads->dh0) {                               /* forward was  z_first = W_hh h0 + ... */
        if (grads->direct)
            memcpy(grads->dh0, grads->direct, (size_t)(B * H) * sizeof(REAL));
        FN(gemm)(grads->dh0, H, dz + FN(rec_offset)(&rec, T - 1), pitch, 1, grads->w_hh, H, 1, NULL, NULL, B, H,
                 REC_GATES * H, grads->direct ? FNN_GEMM_ADD : 0);
    }
}
#undef REC_PRODUCT
