/* gemm.tmpl.h -- matrix products.
 *
 * Math       C[i,j] = sum_p A[i,p] B[p,j]  (+ C[i,j]) (+ bias_row[i]) (+ bias_col[j])
 * Symbols    gemm.h. A tile is a rectangle of C of up to MR x NR elements whose sums are held in
 *            registers. A panel is what a row of tiles reads of A (up to MR rows), or a column of
 *            tiles of B (NR columns). To pack a panel is to copy it into the order in which the
 *            tile reads it.
 * Layout     A and B with any strides, C with rows of adjacent elements
 * Method     The k products are cut into blocks of at most GEMM_KC. Within one, C is computed tile
 *            by tile (gemm_tile.tmpl.h), from a panel of A and a panel of B:
 *
 *                               n
 *                      +--+--+--+--+--+             a panel of B: k x NR
 *                      |  |B |  |  |  | k
 *                 k    +--+--+--+--+--+
 *               +----+ +--+--+--+--+--+             a panel of A: up to MR x k
 *               +----+ +--+--+--+--+--+
 *             m +-A--+ +--+C-+--+--+--+
 *               +----+ +--+--+--+--+--+
 *
 *            Rows are cut evenly: m = 16 gives two panels of 8, not 14 + 2.
 *            A tile reads one row of B and one column of A per product. Where these lie well in
 *            memory they are read where they are; otherwise panels are packed, so that the tile
 *            reads them from one end to the other (gemm_pack.tmpl.h). Which panels stay in which
 *            cache: gemm_blocked.tmpl.h.
 *            Products with up to GEMM_SKINNY rows or columns read the matrix once and straight:
 *            gemm_skinny.tmpl.h. Small C, large k: the products are cut into chunks with a C of
 *            their own, added at the end in order (gemm_split).
 * Cost       2 m n k operations
 * Threads    one loop over parts of C, each with copies of its own: nothing is shared but what is
 *            read
 * Sums       within a block of k in order, one multiply-add after the other; then block after
 *            block. (gemm_skinny and gemm_split have orders of their own. With few rows of A and
 *            long rows of B the blocks are shorter: gemm_sum_depth.)
 * Reference  Goto, van de Geijn (2008), "Anatomy of high-performance matrix multiplication"; Van
 *            Zee, van de Geijn (2015), "BLIS: a framework for rapidly instantiating BLAS
 *            functionality"; fastnn/reference/matmul.py
 */
#include "gemm/gemm_pack.tmpl.h"

#ifndef FNN_GEMM_ONCE
#define FNN_GEMM_ONCE
/* "Timed", "bound", "chosen": docs/words.md. The cases are in docs/kernels/gemm.md, "Where the
 * constants come from". */
enum {
    /* gemm_tile: products */
    GEMM_STEPS = 4,             /* unrolled in the loop over k; each round prefetches a row of C;
                                   timed */
    GEMM_AHEAD = 8,             /* how far ahead rows of B are prefetched; timed */
    /* gemm_blocked */
    GEMM_KC = 256,              /* products in a block; chosen: a panel of A is under half an L1
                                   cache */
    GEMM_UNIT = 2 * GEMM_STEPS, /* a block of k is a multiple of so many products; chosen: whole
                                   rounds of the loop */
    GEMM_ALIASED = 2048,        /* bytes: rows at multiples of this distance meet in few places of a
                                   cache; bound: half of the 4096 that an L1 cache repeats after */
    GEMM_KEEP_LEAST = 4,        /* panels kept in half of the L2 cache: the least, */
    GEMM_KEEP = 64,             /* and the most; bound: an array on the stack */
    GEMM_DIRECT_A = 4,          /* A is not copied if at most so many panels of B read it, */
    GEMM_DIRECT_B = 2,          /* nor B if at most so many of A do; chosen: a copy that is read so
                                   seldom does not pay */
    GEMM_DIRECT_ROWS = 512,     /* nor is B, for so many rows of A, if its rows are close; timed */
    GEMM_DIRECT_SPLIT = 256,    /* the same where vectors of B lie across cache lines; timed */
    GEMM_DIRECT_BYTES = 4096,   /* close: at most so many bytes apart, */
    GEMM_PASS_BYTES = 1024,     /* or so many where a copy costs little (plan->b_passes); timed */
    GEMM_SMALL_A = 1 << 16,     /* bytes of A in a block that stay while a wider B passes by;
                                   timed */
    GEMM_STREAMS = 64,          /* rows of B in a block of k where A has few rows, */
    GEMM_STREAM_COLUMNS = 512,  /* and rows of B have so many elements; timed, both together */
    GEMM_PART_LEAST = 400000,   /* multiply-adds that are worth a thread; chosen: some 3
                                   microseconds */
    GEMM_PART_MOST = 1 << 30,   /* and the most in a part, so that no thread keeps others waiting;
                                   timed */
    GEMM_PARTS = 64,            /* parts for each thread, at most; chosen: few enough to try all */
    GEMM_FETCH_COST = 32,       /* multiply-adds in the time that an element takes to come from
                                   another core's cache, */
    GEMM_COPY_COST = 8,         /* and in the time that its packing takes; chosen: a rough measure,
                                   by which gemm_cost compares */
    GEMM_FLAT = 4,              /* columns of C for each row from which its rows are few; chosen */
    GEMM_GROUP_WORK = 1 << 21,  /* multiply-adds that are worth a block of a parallel loop; chosen:
                                   some 20 microseconds */
    GEMM_COPY = 1 << 16,        /* elements packed or added that are; chosen: the same time */
    /* gemm_batched, gemm_strided */
    GEMM_BATCH_WORK = GEMM_GROUP_WORK / 4,  /* multiply-adds that are, of small products; chosen */
    GEMM_BATCH_ALONE = 16 * GEMM_GROUP_WORK,    /* and in a product that has work for all threads;
                                                   chosen */
    /* gemm_skinny */
    GEMM_SKINNY = 3,            /* rows or columns up to which a product is skinny; bound: with
                                   SKINNY_ROWS their factors fit in 16 registers */
    GEMM_SKINNY_K = 4096,       /* products in a block of k; chosen: 16 KiB of floats in a row of X,
                                   half an L1 cache */
    GEMM_SKINNY_WORK = 1 << 17, /* elements of the matrix that are worth a block of a loop; chosen:
                                   half a MiB of floats */
    SKINNY_CHUNK = 256,         /* products in a chunk: the most, */
    SKINNY_BAND = 1024,         /* neighbouring columns whose partial sums are kept: the most;
                                   timed, both together */
    SKINNY_ROWS = 4,            /* rows of the matrix read at a time; timed: "One row" */
    SKINNY_COLUMNS = 8,         /* or columns; chosen: 8 sums that do not wait for each other */
    SKINNY_LINE = 16,           /* columns of Y in a block are a multiple of this, at least once,
                                   where those of W are rows in memory; chosen: a cache line of
                                   floats has one writer */
    SKINNY_COPIED = 256,        /* the least where they are copied first; chosen: neighbouring
                                   columns are then read by one thread */
    SKINNY_LEVELS = 5,          /* of the tree that adds 16 partial sums; bound: its leaves and 4
                                   above */
    SKINNY_PUT = 64,            /* columns whose results are written at a time; bound: 1.5 KiB of
                                   doubles on the stack */
    /* gemm_split */
    GEMM_SPLIT_AREA = 128 * 128,    /* elements of C up to which k is cut into chunks; chosen: 64
                                       KiB of floats to add for each */
    GEMM_SPLIT_K = 1024,        /* the shortest chunk; chosen: 4 blocks of k */
    GEMM_SPLIT_WORK = GEMM_GROUP_WORK / 16,     /* multiply-adds in a chunk, at least; chosen */
    GEMM_SPLITS = 32,           /* the most chunks; chosen: work for many threads */
};
#define GEMM_SPLIT_BYTES ((fnn_size)4 << 20)    /* bound: scratch for the chunks' results */

/* The length of a part when n is cut into the fewest nearly equal parts of at most `most`; a
 * multiple of `unit`. */
static inline fnn_size gemm_even(fnn_size n, fnn_size most, fnn_size unit)
{
    fnn_size parts = fnn_ceil_div(n, most);
    return fnn_ceil_div(fnn_ceil_div(n, unit), parts) * unit;
}
#endif

typedef struct {
    REAL *c;
    const REAL *a, *b, *bias_row, *bias_col;
    fnn_size rsc, rsa, csa, rsb, csb, m, n, k;
    int how;
} FN(gemm_args);

static int FN(gemm_is_packed)(const FN(gemm_args) *g) { return g->rsa == FNN_PACKED || g->rsb == FNN_PACKED; }

GEMM_APART void FN(gemm_add)(REAL *restrict to, const REAL *restrict from, fnn_size n)
{
    for (fnn_size j = 0; j < n; j++)
        to[j] += from[j];
}

#include "gemm/gemm_tile.tmpl.h"
#include "gemm/gemm_blocked.tmpl.h"
#include "gemm/gemm_skinny.tmpl.h"

GEMM_APART void FN(gemm_whole)(const FN(gemm_args) *g)
{
    if (fnn_min(g->m, g->n) <= GEMM_SKINNY && !FN(gemm_is_packed)(g))
        FN(gemm_skinny)(g);
    else
        FN(gemm_blocked)(g);
}

/* ---- small C, large k: chunks of k side by side ---------------------------------------------- */
typedef struct {
    const FN(gemm_args) *g;
    REAL *parts;                                    /* [chunks, m, n] */
    fnn_size length, chunks;                        /* products in a chunk */
} FN(gemm_chunks);

static void FN(gemm_chunk)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(gemm_chunks) *s = ctx;
    for (fnn_size chunk = begin; chunk < end; chunk++) {
        FN(gemm_args) part = *s->g;
        part.c = s->parts + chunk * part.m * part.n;
        part.rsc = part.n;
        part.a += chunk * s->length * part.csa;
        part.b += chunk * s->length * part.rsb;
        part.k = fnn_min(s->length, part.k - chunk * s->length);
        part.bias_row = part.bias_col = NULL;
        part.how = 0;
        FN(gemm_whole)(&part);
    }
}

/* Rows [begin, end) of C from the chunks' results; without chunks, the sum of no products */
static void FN(gemm_add_chunks)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(gemm_chunks) *s = ctx;
    const FN(gemm_args) *g = s->g;
    for (fnn_size i = begin; i < end; i++) {
        REAL *restrict c = g->c + i * g->rsc;
        const REAL bias = g->bias_row ? g->bias_row[i] : 0;
        if (!(g->how & FNN_GEMM_ADD))
            memset(c, 0, (size_t)g->n * sizeof(REAL));
        for (fnn_size chunk = 0; chunk < s->chunks; chunk++)
            FN(gemm_add)(c, s->parts + (chunk * g->m + i) * g->n, g->n);
        if (g->bias_col)
            FN(gemm_add)(c, g->bias_col, g->n);
        for (fnn_size j = 0; j < g->n; j++)
            c[j] += bias;
        if (g->how & FNN_GEMM_RELU)
            for (fnn_size j = 0; j < g->n; j++)
                c[j] = c[j] < 0 ? 0 : c[j];
    }
}

/* Products in a chunk; k where it is not worth cutting */
static fnn_size FN(gemm_chunk_length)(fnn_size m, fnn_size n, fnn_size k)
{
    const fnn_size area = m * n;
    if (m > GEMM_SPLIT_AREA || n > GEMM_SPLIT_AREA || area > GEMM_SPLIT_AREA)
        return k;
    fnn_size most = GEMM_SPLIT_BYTES / (fnn_size)sizeof(REAL) / area;
    most = fnn_min(most, GEMM_SPLITS);
    fnn_size length = fnn_max(fnn_ceil_div(k, most), fnn_max(GEMM_SPLIT_K, GEMM_SPLIT_WORK / area));
    length = fnn_round_up(length, GEMM_KC);
    return k >= 2 * length ? length : k;
}

GEMM_APART void FN(gemm_split)(const FN(gemm_args) *g, fnn_size length)
{
    FN(gemm_chunks) s = { g, NULL, length, g->k > 0 ? fnn_ceil_div(g->k, length) : 0 };
    if (s.chunks > 0)
        s.parts = fnn_scratch_alloc((size_t)(s.chunks * g->m * g->n) * sizeof(REAL));
    fnn_parallel_for(s.chunks, 1, FN(gemm_chunk), &s);
    fnn_parallel_for(g->m, fnn_grain(GEMM_COPY, g->n * (s.chunks + 1)), FN(gemm_add_chunks), &s);
    fnn_scratch_free(s.parts);
}

/* ---- entry points ---------------------------------------------------------------------------- */
void FN(gemm)(REAL *c, fnn_size rsc, const REAL *a, fnn_size rsa, fnn_size csa, const REAL *b, fnn_size rsb,
              fnn_size csb, const REAL *bias_row, const REAL *bias_col, fnn_size m, fnn_size n, fnn_size k, int how)
{
    FN(gemm_args) g = { c, a, b, bias_row, bias_col, rsc, rsa, csa, rsb, csb, m, n, k, how };
    if (m <= 0 || n <= 0)
        return;
    const fnn_size length = FN(gemm_is_packed)(&g) ? k : FN(gemm_chunk_length)(m, n, k);
    if (length < k || k <= 0)
        FN(gemm_split)(&g, length);
    else
        FN(gemm_whole)(&g);
}

/* In one thread: the slack behind a panel is written over by the next one (gemm_pack.tmpl.h). */
void FN(gemm_pack_a)(REAL *to, const REAL *a, fnn_size rsa, fnn_size csa, fnn_size m, fnn_size k)
{
    const fnn_size kc = FN(gemm_depth)(k), panels = fnn_ceil_div(m, GEMM_MR);
    if (m <= 0)
        return;
    const FN(gemm_args) g = { .a = a, .rsa = rsa, .csa = csa, .m = m };
    const FN(gemm_plan) plan = { .g = &g, .height = m / panels, .taller = m % panels, .a_copied = 1 };
    for (fnn_size p = 0; p < k; p += kc)
        for (fnn_size i = 0; i < panels; i++) {
            const fnn_size depth = fnn_min(kc, k - p);
            FN(gemm_panel_a)(&plan, i, p, depth, to + p * m + FN(gemm_row)(&plan, i) * depth);
        }
}

typedef struct {
    FN(gemm_plan) plan;
    REAL *to;
    fnn_size k;
} FN(gemm_packing);

static void FN(gemm_pack_b_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(gemm_packing) *s = ctx;
    const fnn_size kc = FN(gemm_depth)(s->k);
    for (fnn_size j = begin; j < end; j++)
        for (fnn_size p = 0; p < s->k; p += kc) {
            const fnn_size depth = fnn_min(kc, s->k - p);
            FN(gemm_panel_b)(&s->plan, j, p, depth, s->to + p * s->plan.b_panels * GEMM_NR + j * GEMM_NR * depth);
        }
}

void FN(gemm_pack_b)(REAL *to, const REAL *b, fnn_size rsb, fnn_size csb, fnn_size n, fnn_size k)
{
    const FN(gemm_args) g = { .b = b, .rsb = rsb, .csb = csb, .n = n };
    FN(gemm_packing) s = { { .g = &g, .b_panels = fnn_ceil_div(n, GEMM_NR), .b_copied = 1 }, to, k };
    fnn_parallel_for(s.plan.b_panels, fnn_grain(GEMM_COPY, GEMM_NR * k), FN(gemm_pack_b_block), &s);
}

typedef struct {
    FN(gemm_args) g;
    const fnn_size *offset_c, *offset_a, *offset_b; /* where the matrices of product t begin, */
    fnn_size step_c, step_a, step_b;                /* or, where that is NULL, how far apart they
                                                       are */
} FN(gemm_batch);

static void FN(gemm_batch_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(gemm_batch) *s = ctx;
    const FN(gemm_args) *g = &s->g;
    for (fnn_size t = begin; t < end; t++)
        FN(gemm)(g->c + (s->offset_c ? s->offset_c[t] : t * s->step_c), g->rsc,
                 g->a + (s->offset_a ? s->offset_a[t] : t * s->step_a), g->rsa, g->csa,
                 g->b + (s->offset_b ? s->offset_b[t] : t * s->step_b), g->rsb, g->csb,
                 NULL, NULL, g->m, g->n, g->k, g->how);
}

static void FN(gemm_run_batch)(FN(gemm_batch) *s, fnn_size batch)
{
    const FN(gemm_args) *g = &s->g;
    if (g->m <= 0 || g->n <= 0)
        return;
    const fnn_work work = (fnn_work)g->m * g->n * fnn_max(g->k, 1);
    /* each has work for all threads: one after the other */
    if (batch == 1 || work >= GEMM_BATCH_ALONE)
        FN(gemm_batch_block)(s, 0, batch);
    else
        fnn_parallel_for(batch, fnn_grain(GEMM_BATCH_WORK, work), FN(gemm_batch_block), s);
}

void FN(gemm_batched)(REAL *c, fnn_size rsc, const REAL *a, fnn_size rsa, fnn_size csa, const REAL *b, fnn_size rsb,
                      fnn_size csb, const fnn_size *offset_c, const fnn_size *offset_a, const fnn_size *offset_b,
                      fnn_size batch, fnn_size m, fnn_size n, fnn_size k, int how)
{
    FN(gemm_batch) s = { { c, a, b, NULL, NULL, rsc, rsa, csa, rsb, csb, m, n, k, how }, offset_c, offset_a, offset_b,
                         0, 0, 0 };
    FN(gemm_run_batch)(&s, batch);
}

void FN(gemm_strided)(REAL *c, fnn_size rsc, fnn_size step_c, const REAL *a, fnn_size rsa, fnn_size csa,
                      fnn_size step_a, const REAL *b, fnn_size rsb, fnn_size csb, fnn_size step_b, fnn_size batch,
                      fnn_size m, fnn_size n, fnn_size k, int how)
{
    FN(gemm_batch) s = { { c, a, b, NULL, NULL, rsc, rsa, csa, rsb, csb, m, n, k, how }, NULL, NULL, NULL, step_c,
                         step_a, step_b };
    FN(gemm_run_batch)(&s, batch);
}

void FN(linear_forward)(REAL *y, const REAL *x, const REAL *w, const REAL *b, fnn_size m, fnn_size n, fnn_size k)
{
    FN(gemm)(y, n, x, k, 1, w, 1, k, NULL, b, m, n, k, 0);
}

void FN(linear_backward)(REAL *dx, REAL *dw, REAL *db, const REAL *dy, const REAL *x, const REAL *w,
                         fnn_size m, fnn_size n, fnn_size k)
{
    static const REAL one = 1;
    if (dx)
        FN(gemm)(dx, k, dy, n, 1, w, k, 1, NULL, NULL, m, k, n, 0); /* forward was  y = x w^T + b */
    if (dw)
        FN(gemm)(dw, k, dy, 1, n, x, k, 1, NULL, NULL, n, k, m, 0);
    if (db)
        FN(gemm)(db, n, &one, 0, 0, dy, n, 1, NULL, NULL, 1, n, m, 0);
}
