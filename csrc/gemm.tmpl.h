/* gemm.tmpl.h -- matrix products.
 *
 * Math       C[i,j] = sum_p A[i,p] B[p,j]  (+ C[i,j]) (+ bias_row[i]) (+ bias_col[j])
 * Symbols    see gemm.h
 * Layout     A and B with any strides, C with rows of adjacent elements
 * Method     The k products are cut into blocks of at most GEMM_KC. For one block, A is copied into panels of up to MR rows and B
 *            into panels of NR columns, so that what the innermost loop reads is adjacent, whatever the strides were; then each
 *            MR x NR tile of C is computed in registers from one panel of each, and touched once (gemm_tile.tmpl.h).
 *
 *                               n
 *                      +--+--+--+--+--+             a panel of B: k x NR. A group of them stays in the L2 cache
 *                      |  |B |  |  |  | k
 *                 k    +--+--+--+--+--+
 *               +----+ +--+--+--+--+--+             a panel of A: MR x k, in the L1 cache while the group's panels of B pass by;
 *               +----+ +--+--+--+--+--+             rows are cut evenly: m = 16 gives two panels of 8, not 14 + 2
 *             m +-A--+ +--+C-+--+--+--+
 *               +----+ +--+--+--+--+--+
 *
 *            An operand that is read by few panels of the other one is not copied but read where it lies.
 *            Products with up to GEMM_SKINNY rows or columns read the matrix once and straight: gemm_skinny.tmpl.h.
 *            Small C, large k: the products are cut into chunks with a C of their own, added at the end in order (gemm_split).
 * Cost       2 m n k operations
 * Threads    one loop over panels to copy, one loop over groups of tiles of C
 * Sums       within a block of k in order, one multiply-add after the other; then block after block (gemm_skinny and gemm_split
 *            have orders of their own)
 * Reference  Goto, van de Geijn (2008), "Anatomy of high-performance matrix multiplication"; Van Zee, van de Geijn (2015),
 *            "BLIS: a framework for rapidly instantiating BLAS functionality"; fastnn/reference/matmul.py
 */
#include "gemm_pack.tmpl.h"

#ifndef FNN_GEMM_ONCE
#define FNN_GEMM_ONCE
enum {
    GEMM_STEPS = 4,                                 /* products between two rows of C that a tile asks for */
    GEMM_KC = 256,                                  /* products in a block: a panel of A takes less than half of an L1 cache */
    GEMM_GROUP_ROWS = 5, GEMM_GROUP_COLUMNS = 4,    /* panels of A and of B in a group of tiles: some 30 microseconds */
    GEMM_DIRECT_A = 4, GEMM_DIRECT_B = 2,           /* an operand read by at most so many panels of the other one is not copied */
    GEMM_GROUP_WORK = 1 << 21,                      /* multiply-adds worth a block of a parallel loop */
    GEMM_SKINNY = 3,                                /* rows or columns up to which reading the matrix is all the work */
    GEMM_SKINNY_K = 4096,                           /* products in a block of gemm_skinny */
    GEMM_SKINNY_WORK = 1 << 17,                     /* elements of the matrix that are worth a block of a parallel loop */
    SKINNY_BAND = 2048,                             /* neighbouring columns whose partial sums are kept */
    SKINNY_COLUMNS = 8,                             /* columns that gemm_skinny reads at a time */
    GEMM_SPLIT_AREA = 128 * 128,                    /* elements of C up to which k is cut into chunks, */
    GEMM_SPLIT_K = 1024, GEMM_SPLITS = 32,          /* the shortest chunk, the most chunks */
};
#define GEMM_A_BYTES ((fnn_size)2 << 20)            /* scratch for panels of A, of B, */
#define GEMM_B_BYTES ((fnn_size)4 << 20)
#define GEMM_SPLIT_BYTES ((fnn_size)4 << 20)        /* and for the chunks' results */

/* The size of a part when n is cut into the fewest, nearly equal parts of at most `most`; a multiple of `unit`. */
static inline fnn_size gemm_even(fnn_size n, fnn_size most, fnn_size unit)
{
    fnn_size parts = gemm_parts(n, most);
    return gemm_parts(gemm_parts(n, unit), parts) * unit;
}
#endif

typedef struct {
    REAL *c;
    const REAL *a, *b, *bias_row, *bias_col;
    fnn_size rsc, rsa, csa, rsb, csb, m, n, k;
    int how;
} FN(gemm_args);

#include "gemm_tile.tmpl.h"
#include "gemm_skinny.tmpl.h"

/* ---- one block: copy panels, then compute tiles -------------------------------------------------------------------- */
typedef struct {
    const FN(gemm_args) *g;                         /* the block: C[m,n] += A[m,k] B[k,n], all that fits in the panels */
    fnn_size a_panels, b_panels;                    /* how many there are, copied or not */
    const REAL *a, *b;                              /* panels, or NULL: read A, B where they lie */
    REAL *pack_a, *pack_b;                          /* where to copy panels, or NULL: nothing to copy */
    fnn_size a_slack;                               /* elements behind each panel of A */
    fnn_size group_rows, group_columns, groups_down;/* panels in a group of tiles; groups in a column of groups */
} FN(gemm_block);

/* Where panel t of A begins; the panels' heights differ by one row at most. */
static fnn_size FN(gemm_row)(const FN(gemm_block) *block, fnn_size t)
{
    return t * (block->g->m / block->a_panels) + gemm_min(t, block->g->m % block->a_panels);
}

/* Where it begins in memory, from the first on */
static fnn_size FN(gemm_a_at)(const FN(gemm_block) *block, fnn_size t)
{
    return FN(gemm_row)(block, t) * block->g->k + t * block->a_slack;
}

/* Panels [begin, end), those of A first */
static void FN(gemm_pack_panels)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(gemm_block) *block = ctx;
    const FN(gemm_args) *g = block->g;
    const fnn_size a_panels = block->pack_a ? block->a_panels : 0, b_pitch = GEMM_NR * g->k;
    for (; begin < gemm_min(end, a_panels); begin++) {
        fnn_size i = FN(gemm_row)(block, begin), rows = FN(gemm_row)(block, begin + 1) - i;
        FN(gemm_pack)(block->pack_a + FN(gemm_a_at)(block, begin), rows, rows, g->m - i, g->a + i * g->rsa, g->rsa, g->csa, g->k);
    }
    begin -= a_panels;
    end -= a_panels;
    if (g->csb == 1 && gemm_min(end, g->n / GEMM_NR) > begin) {
        fnn_size full = gemm_min(end, g->n / GEMM_NR) - begin;
        FN(gemm_pack_wide)(block->pack_b + begin * b_pitch, b_pitch, full, g->b + begin * GEMM_NR, g->rsb, g->k);
        begin += full;
    }
    for (; begin < end; begin++) {
        fnn_size j = begin * GEMM_NR, columns = gemm_min(GEMM_NR, g->n - j);
        FN(gemm_pack)(block->pack_b + begin * b_pitch, GEMM_NR, columns, columns, g->b + j * g->csb, g->csb, g->rsb, g->k);
    }
}

/* A tile that sticks out of C: it is computed beside, then copied. `b` is a panel filled up with zeros. */
GEMM_APART void FN(gemm_edge_tile)(REAL *c, fnn_size rsc, const REAL *a, fnn_size sa, const REAL *b, const REAL *bias_row,
                                   const REAL *bias_col, fnn_size rows, fnn_size columns, fnn_size k, int by_rows, int how)
{
    REAL tile[GEMM_MR * GEMM_NV * GEMM_VL], bias[GEMM_NV * GEMM_VL];
    const fnn_size width = columns > VL ? 2 * VL : VL;
    if (bias_col)
        for (fnn_size l = 0; l < width; l++)
            bias[l] = l < columns ? bias_col[l] : 0;
    if (how & FNN_GEMM_ADD)
        for (fnn_size r = 0; r < rows; r++)
            for (fnn_size l = 0; l < width; l++)
                tile[r * width + l] = l < columns ? c[r * rsc + l] : 0;
    FN(gemm_tile_fn) *compute = FN(gemm_tiles)[by_rows][columns > VL][rows - 1];
    compute(tile, width, a, sa, b, GEMM_NR, bias_row, bias_col ? bias : NULL, k, how);
    for (fnn_size r = 0; r < rows; r++)
        for (fnn_size l = 0; l < columns; l++)
            c[r * rsc + l] = tile[r * width + l];
}

/* Panels [i, i_end) of A times panels [j, j_end) of B. A panel of A stays in the L1 cache while those of B come from L2. */
static void FN(gemm_group)(const FN(gemm_block) *block, fnn_size i, fnn_size i_end, fnn_size j, fnn_size j_end)
{
    const FN(gemm_args) *g = block->g;
    const fnn_size edge = gemm_min(j_end, g->n / GEMM_NR), edge_columns = j_end > edge ? g->n - edge * GEMM_NR : 0;
    const fnn_size rsb = block->b ? GEMM_NR : g->rsb, b_pitch = block->b ? GEMM_NR * g->k : GEMM_NR;
    const REAL *b = block->b ? block->b : g->b, *edge_panel = b + edge * b_pitch;
    REAL *room = NULL;
    if (edge_columns > 0 && !block->b) {
        room = fnn_scratch_alloc((size_t)(g->k * GEMM_NR + VL) * sizeof(REAL));
        FN(gemm_pack)(room, GEMM_NR, edge_columns, edge_columns, edge_panel, g->csb, g->rsb, g->k);
        edge_panel = room;
    }
    const int by_rows = !block->a && g->rsa != 1;
    for (; i < i_end; i++) {
        const fnn_size row = FN(gemm_row)(block, i), rows = FN(gemm_row)(block, i + 1) - row;
        const REAL *a = block->a ? block->a + FN(gemm_a_at)(block, i) : g->a + row * g->rsa;
        const fnn_size sa = block->a ? rows : by_rows ? g->rsa : g->csa;
        const REAL *bias_row = g->bias_row ? g->bias_row + row : NULL, *bias_col = g->bias_col;
        REAL *c = g->c + row * g->rsc;
        FN(gemm_tile_fn) *tile = FN(gemm_tiles)[by_rows][1][rows - 1];
        for (fnn_size panel = j; panel < edge; panel++)
            tile(c + panel * GEMM_NR, g->rsc, a, sa, b + panel * b_pitch, rsb,
                 bias_row, bias_col ? bias_col + panel * GEMM_NR : NULL, g->k, g->how);
        if (edge_columns > 0)
            FN(gemm_edge_tile)(c + edge * GEMM_NR, g->rsc, a, sa, edge_panel, bias_row,
                               bias_col ? bias_col + edge * GEMM_NR : NULL, rows, edge_columns, g->k, by_rows, g->how);
    }
    if (room)
        fnn_scratch_free(room);
}

/* Groups of tiles [begin, end), numbered down the columns, so that neighbours share their panels of B */
static void FN(gemm_groups)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(gemm_block) *block = ctx;
    for (fnn_size t = begin; t < end; t++) {
        const fnn_size i = t % block->groups_down * block->group_rows, i_end = i + block->group_rows;
        const fnn_size j = t / block->groups_down * block->group_columns, j_end = j + block->group_columns;
        FN(gemm_group)(block, i, gemm_min(i_end, block->a_panels), j, gemm_min(j_end, block->b_panels));
    }
}

static void FN(gemm_run_block)(FN(gemm_block) *block)
{
    const FN(gemm_args) *g = block->g;
    block->a_panels = gemm_parts(g->m, GEMM_MR);
    block->b_panels = gemm_parts(g->n, GEMM_NR);
    fnn_parallel_for((block->pack_a ? block->a_panels : 0) + (block->pack_b ? block->b_panels : 0), 4, FN(gemm_pack_panels), block);
    block->group_rows = gemm_even(block->a_panels, GEMM_GROUP_ROWS, 1);
    /* for small k a group is wider, so that rows of C are written in long pieces */
    const fnn_size widest = gemm_max(GEMM_GROUP_COLUMNS, GEMM_GROUP_COLUMNS * GEMM_KC / g->k);
    block->group_columns = gemm_even(block->b_panels, widest, 1);
    block->groups_down = gemm_parts(block->a_panels, block->group_rows);
    const fnn_size groups = block->groups_down * gemm_parts(block->b_panels, block->group_columns);
    const fnn_size work = block->group_rows * GEMM_MR * block->group_columns * GEMM_NR * g->k;
    fnn_parallel_for(groups, gemm_max(1, GEMM_GROUP_WORK / work), FN(gemm_groups), block);
}

/* ---- the whole product: blocks ------------------------------------------------------------------------------------- */

/* An operand is read where it lies if few panels of the other one read it, and if rows or columns are adjacent. (For double there
 * is no tile that reads A by rows: fewer versions to build.) */
static int FN(gemm_a_direct)(const FN(gemm_args) *g)
{
    return g->n <= GEMM_DIRECT_A * GEMM_NR && (g->rsa == 1 || (g->csa == 1 && !REAL_IS_F64));
}

static int FN(gemm_b_direct)(const FN(gemm_args) *g)
{
    return g->m <= GEMM_DIRECT_B * GEMM_MR && g->csb == 1;
}

/* Products in a block of k */
static fnn_size FN(gemm_depth)(fnn_size k) { return gemm_even(gemm_max(k, 1), GEMM_KC, 8); }

static void FN(gemm_blocked)(const FN(gemm_args) *g)
{
    const fnn_size kc = FN(gemm_depth)(g->k), a_slack = g->rsa == FNN_PACKED ? 0 : VL;
    const int a_direct = g->rsa != FNN_PACKED && FN(gemm_a_direct)(g), a_copied = g->rsa != FNN_PACKED && !a_direct;
    const int b_direct = g->rsb != FNN_PACKED && FN(gemm_b_direct)(g), b_copied = g->rsb != FNN_PACKED && !b_direct;
    const fnn_size a_panel = GEMM_MR * kc + a_slack, b_panel = GEMM_NR * kc;
    const fnn_size a_most = GEMM_A_BYTES / (fnn_size)sizeof(REAL) / a_panel * GEMM_MR;
    const fnn_size b_most = GEMM_B_BYTES / (fnn_size)sizeof(REAL) / b_panel * GEMM_NR;
    const fnn_size mc = a_copied ? gemm_even(g->m, a_most, GEMM_MR) : g->m;
    const fnn_size nc = b_copied ? gemm_even(g->n, b_most, GEMM_NR) : g->n;
    REAL *a = a_copied ? fnn_scratch_alloc((size_t)(gemm_parts(mc, GEMM_MR) * a_panel) * sizeof(REAL)) : NULL;
    REAL *b = b_copied ? fnn_scratch_alloc((size_t)(gemm_parts(nc, GEMM_NR) * b_panel + VL) * sizeof(REAL)) : NULL;

    for (fnn_size j = 0; j < g->n; j += nc)
        for (fnn_size p = 0; p < g->k; p += kc)
            for (fnn_size i = 0; i < g->m; i += mc) {
                const int last = p + kc >= g->k;
                FN(gemm_args) part = *g;
                part.m = gemm_min(mc, g->m - i);
                part.n = gemm_min(nc, g->n - j);
                part.k = gemm_min(kc, g->k - p);
                part.c += i * g->rsc + j;
                if (p > 0)
                    part.how |= FNN_GEMM_ADD;
                part.bias_row = last && g->bias_row ? g->bias_row + i : NULL;
                part.bias_col = last && g->bias_col ? g->bias_col + j : NULL;
                if (!last)
                    part.how &= ~FNN_GEMM_RELU;
                FN(gemm_block) block = { .g = &part, .a_slack = a_slack, .pack_a = a, .pack_b = i == 0 ? b : NULL };
                if (g->rsa == FNN_PACKED)
                    block.a = g->a + p * g->m;
                else {
                    part.a += i * g->rsa + p * g->csa;
                    block.a = a;
                }
                if (g->rsb == FNN_PACKED)
                    block.b = g->b + p * gemm_parts(g->n, GEMM_NR) * GEMM_NR;
                else {
                    part.b += p * g->rsb + j * g->csb;
                    block.b = b;
                }
                FN(gemm_run_block)(&block);
            }
    if (a || b)
        fnn_scratch_free(a ? a : b);
}

static int FN(gemm_is_packed)(const FN(gemm_args) *g) { return g->rsa == FNN_PACKED || g->rsb == FNN_PACKED; }

GEMM_APART void FN(gemm_whole)(const FN(gemm_args) *g)
{
    if (gemm_min(g->m, g->n) <= GEMM_SKINNY && !FN(gemm_is_packed)(g))
        FN(gemm_skinny)(g);
    else
        FN(gemm_blocked)(g);
}

/* ---- small C, large k: chunks of k side by side -------------------------------------------------------------------- */
typedef struct {
    const FN(gemm_args) *g;
    REAL *parts;                                    /* [chunks, m, n] */
    fnn_size length, chunks;                        /* products in a chunk */
} FN(gemm_chunks);

static void FN(gemm_chunk)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(gemm_chunks) *s = ctx;
    for (fnn_size t = begin; t < end; t++) {
        FN(gemm_args) part = *s->g;
        part.c = s->parts + t * part.m * part.n;
        part.rsc = part.n;
        part.a += t * s->length * part.csa;
        part.b += t * s->length * part.rsb;
        part.k = gemm_min(s->length, part.k - t * s->length);
        part.bias_row = part.bias_col = NULL;
        part.how = 0;
        FN(gemm_whole)(&part);
    }
}

GEMM_APART void FN(gemm_add)(REAL *restrict to, const REAL *restrict from, fnn_size n)
{
    for (fnn_size j = 0; j < n; j++)
        to[j] += from[j];
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
        for (fnn_size t = 0; t < s->chunks; t++)
            FN(gemm_add)(c, s->parts + (t * g->m + i) * g->n, g->n);
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
    most = gemm_min(most, GEMM_SPLITS);
    fnn_size length = gemm_max(gemm_parts(k, most), gemm_max(GEMM_SPLIT_K, GEMM_GROUP_WORK / 16 / area));
    length = gemm_parts(length, GEMM_KC) * GEMM_KC;
    return k >= 2 * length ? length : k;
}

GEMM_APART void FN(gemm_split)(const FN(gemm_args) *g, fnn_size length)
{
    FN(gemm_chunks) s = { g, NULL, length, g->k > 0 ? gemm_parts(g->k, length) : 0 };
    if (s.chunks > 0)
        s.parts = fnn_scratch_alloc((size_t)(s.chunks * g->m * g->n) * sizeof(REAL));
    fnn_parallel_for(s.chunks, 1, FN(gemm_chunk), &s);
    fnn_parallel_for(g->m, gemm_max(1, 65536 / (g->n * (s.chunks + 1))), FN(gemm_add_chunks), &s);
    fnn_scratch_free(s.parts);
}

/* ---- entry points -------------------------------------------------------------------------------------------------- */
void FN(gemm)(REAL *c, fnn_size rsc, const REAL *a, fnn_size rsa, fnn_size csa, const REAL *b, fnn_size rsb, fnn_size csb,
              const REAL *bias_row, const REAL *bias_col, fnn_size m, fnn_size n, fnn_size k, int how)
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

/* In one thread: the end of a panel of A is written over by the next one (gemm_pack.tmpl.h). */
void FN(gemm_pack_a)(REAL *to, const REAL *a, fnn_size rsa, fnn_size csa, fnn_size m, fnn_size k)
{
    const fnn_size kc = FN(gemm_depth)(k);
    for (fnn_size p = 0; p < k; p += kc) {
        FN(gemm_args) g = { .a = a + p * csa, .rsa = rsa, .csa = csa, .m = m, .k = gemm_min(kc, k - p) };
        FN(gemm_block) block = { .g = &g, .a_panels = gemm_parts(m, GEMM_MR), .pack_a = to + p * m };
        FN(gemm_pack_panels)(&block, 0, block.a_panels);
    }
}

void FN(gemm_pack_b)(REAL *to, const REAL *b, fnn_size rsb, fnn_size csb, fnn_size n, fnn_size k)
{
    const fnn_size kc = FN(gemm_depth)(k);
    for (fnn_size p = 0; p < k; p += kc) {
        FN(gemm_args) g = { .b = b + p * rsb, .rsb = rsb, .csb = csb, .n = n, .k = gemm_min(kc, k - p) };
        FN(gemm_block) block = { .g = &g, .b_panels = gemm_parts(n, GEMM_NR) };
        block.pack_b = to + p * block.b_panels * GEMM_NR;
        fnn_parallel_for(block.b_panels, 4, FN(gemm_pack_panels), &block);
    }
}

typedef struct {
    FN(gemm_args) g;
    const fnn_size *offset_c, *offset_a, *offset_b; /* where product t begins, or NULL: every step_c elements and so on */
    fnn_size step_c, step_a, step_b;
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
    const fnn_size work = g->m * g->n * gemm_max(g->k, 1);
    if (batch == 1 || work >= 16 * GEMM_GROUP_WORK) /* each has work for all threads: one after the other */
        FN(gemm_batch_block)(s, 0, batch);
    else
        fnn_parallel_for(batch, gemm_max(1, GEMM_GROUP_WORK / 4 / work), FN(gemm_batch_block), s);
}

void FN(gemm_batched)(REAL *c, fnn_size rsc, const REAL *a, fnn_size rsa, fnn_size csa, const REAL *b, fnn_size rsb, fnn_size csb,
                      const fnn_size *offset_c, const fnn_size *offset_a, const fnn_size *offset_b,
                      fnn_size batch, fnn_size m, fnn_size n, fnn_size k, int how)
{
    FN(gemm_batch) s = { { c, a, b, NULL, NULL, rsc, rsa, csa, rsb, csb, m, n, k, how }, offset_c, offset_a, offset_b, 0, 0, 0 };
    FN(gemm_run_batch)(&s, batch);
}

void FN(gemm_strided)(REAL *c, fnn_size rsc, fnn_size step_c, const REAL *a, fnn_size rsa, fnn_size csa, fnn_size step_a,
                      const REAL *b, fnn_size rsb, fnn_size csb, fnn_size step_b, fnn_size batch, fnn_size m, fnn_size n, fnn_size k,
                      int how)
{
    FN(gemm_batch) s = { { c, a, b, NULL, NULL, rsc, rsa, csa, rsb, csb, m, n, k, how }, NULL, NULL, NULL, step_c, step_a, step_b };
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
        FN(gemm)(dx, k, dy, n, 1, w, k, 1, NULL, NULL, m, k, n, 0);         /* forward was  y = x w^T + b */
    if (dw)
        FN(gemm)(dw, k, dy, 1, n, x, k, 1, NULL, NULL, n, k, m, 0);
    if (db)
        FN(gemm)(db, n, &one, 0, 0, dy, n, 1, NULL, NULL, 1, n, m, 0);
}
