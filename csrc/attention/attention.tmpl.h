/* attention.tmpl.h -- scaled dot-product attention, forward and backward, in memory linear in the
 * sequence length.
 *
 * Math       s[t,u] = scale sum_c q[t,c] k[u,c] + mask[t,u]
 *            p[t,u] = exp(s[t,u]) / sum_u exp(s[t,u])
 *            y[t,:] = sum_u d[t,u] p[t,u] v[u,:]
 *            where d is 1, or with dropout 0 or 1 / (1 - dropout).
 *            Backward, with dp[t,u] = d[t,u] sum_j dy[t,j] v[u,j]:
 *            ds[t,u] = p[t,u] (dp[t,u] - pull[t])
 *            pull[t] = sum_u p[t,u] dp[t,u] = sum_j dy[t,j] y[t,j]
 *            dq = scale ds k,   dk = scale ds^T q,   dv = (d p)^T dy,   dmask = ds
 * Symbols    T queries, U keys, HS head size, HV size of a value; an item is one head of one batch
 *            entry. t counts queries, u keys, c the HS numbers of q and k, j the HV numbers of v.
 *            A weight is an element of p. Within a tile t and u count from the tile's corner.
 *            Of query t, over the keys so far: top[t] the largest score, total[t] the sum of
 *            exp(s - top[t]); in the end inverse[t] = 1 / total[t]. pull[t] is the mean of dp[t,:],
 *            weighted by p.
 * Layout     see attention.h. Scores live in tiles of TILE_U x TILE_T in scratch; there is never a
 *            T x U array (except dmask, which is one).
 * Path       attention_forward -> attention_forward_block, a block of TILE_T queries. Of each tile:
 *                attention_products -> attention_scores       q k^T
 *                attention_mask, attention_edge               scale, mask, what causality hides
 *                attention_weights                            exponentials, and the sums so far
 *                attention_dropout
 *                attention_by_query                           weights times v, added to y
 *            Up to FEW queries: attention_few_block. Backward: attention_backward ->
 *            attention_backward_tiles. Of each tile: attention_weights_again, which calls what
 *            forward does; then attention_by_key (dv, dk) and attention_by_query (dq). FN(name)
 *            pastes the names (levels.h).
 *            A NaN or infinity that a mask hides has the weight 0, but 0 times it is NaN:
 *            attention_mend_forward and attention_mend_backward compute such results again.
 * Method     A block of queries is copied, transposed, and then passes all keys tile by tile;
 *            attention_tile.tmpl.h tells how a tile lies and how its products are computed. What
 *            products pass many times is copied too, where its rows alias in the caches
 *            (attention_open_copy).
 *            Forward keeps the largest score so far and the sum of exponentials so far; when the
 *            largest grows, what is in y and in the sum is scaled down ("online softmax").
 *            Exponentials are powers of two, 2^(log2(e) scale (s - top)): one factor, in one
 *            rounding. Up to four queries go row by row of k and v: attention_few.tmpl.h.
 *            Backward computes each tile's scores again from q and k: cheaper than storing them.
 *            What a causal mask hides is skipped, tile by tile and, within the tiles on the
 *            diagonal, register tile by register tile.
 *            Measurements, and what did not pay: docs/kernels/attention.md.
 * Cost       An item, forward: 2 T U (HS + HV) flop and T U exponentials. Backward, tiles computed
 *            once: 2 T U (3 HS + 2 HV) flop and T U exponentials, 2.5 times as much where HS = HV;
 *            tiles computed twice (see Threads): 2 T U (4 HS + 3 HV) and 2 T U. Causal: about half
 *            of all. Memory: the results, 2 T numbers an item, and less than 2 MiB for each thread.
 * Threads    Forward: blocks of queries of all items; of up to four queries, items. Backward: at
 *            one thread, or where whole items leave the busiest thread less to do, a block is an
 *            item, and each tile's scores are computed once; else dk and dv go by blocks of keys
 *            and dq by blocks of queries, and scores are computed for each. Tiles and the order of
 *            every sum are the same either way, and so are the bits. One writer per element.
 * Reference  fastnn/reference/attention.py; Milakov, Gimelshein (2018), "Online normalizer
 *            calculation for softmax"; Rabe, Staats (2021), "Self-attention does not need O(n^2)
 *            memory"; Dao et al. (2022), "FlashAttention".
 */
#include "core/philox_words.h"
#include "pointwise/rows.h"

#ifndef FNN_ATTENTION_TEMPLATE_ONCE
#define FNN_ATTENTION_TEMPLATE_ONCE
enum {
    /* Queries and keys of a tile. TILE_U is a multiple of TILE_T, so that no causal tile begins
     * with a query before its first key, and at most PHILOX_WORDS (dropout). For heads of 64 float,
     * what one tile touches takes 128 KiB forward and 240 KiB backward: less than the least L2
     * cache that caches.h knows. So the sizes follow no cache, and the bits of a result, which
     * depend on them, are the same on all machines with an instruction set. Timed:
     * docs/kernels/attention.md, "Sizes of tiles". */
    TILE_T = 64, TILE_U = 128,
    TILE_C = 256,                               /* columns of q or dy in the transposed copy; wider
                                                   heads go through it piece by piece; bound: two
                                                   copies of 64 KiB of floats */
    ATTENTION_WORK = 1 << 20,                   /* multiply-adds that a block of a parallel loop
                                                   should be worth; chosen: some 10 microseconds */
    FEW = 4,                                    /* up to so many queries go row by row; timed:
                                                   docs/kernels/attention.md, "One query" */
    FEW_COST = 8,                               /* one of them counts as 8 in tiles; chosen: one
                                                   that sees 1,024 keys of 64 is worth a block */
    /* Rows a multiple of ALIASED bytes apart evict each other from the caches (cache aliasing), as
     * heads do in a joint projection of q, k and v. What a product passes many times is copied
     * then, up to NEAR elements at a time. Timed: docs/kernels/attention.md. */
    ALIASED = 2048, NEAR = 1 << 17
};
/* How a product reads its left operand: attention_tile.tmpl.h */
enum { SCORES = 0, BY_KEY = 1, BY_QUERY = 2 };

static fnn_size fnn_attention_grain(const fnn_attention *about, fnn_size queries, fnn_size keys)
{
    return fnn_grain(ATTENTION_WORK, (fnn_work)queries * keys * (about->HS + about->HV));
}

/* How many keys the queries before `t_end` may see. */
static inline fnn_size fnn_keys_seen(const fnn_attention *about, fnn_size t_end)
{
    return about->causal ? fnn_min(t_end, about->U) : about->U;
}

/* Queries [t, t + queries) and keys [u, u + keys) of an item; `columns` is queries, rounded up to
 * whole vectors. The query of column t may see the key of row u if u <= t + ahead: causal, the
 * first query comes `ahead` places after the first key; else ahead is TILE_U, and all is seen. */
typedef struct { fnn_size item, t, queries, u, keys, columns, ahead; } fnn_tile;
#endif

#include "gemm/gemm_pack.tmpl.h"
#include "attention/attention_tile.tmpl.h"

/* The factors of a product that leaves its result as it is */
#define ONES_16 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1
static const REAL FN(attention_ones)[TILE_T] = { ONES_16, ONES_16, ONES_16, ONES_16 };
#undef ONES_16

typedef struct {
    const fnn_attention *about;
    REAL *y, *top, *total, *dq, *dk, *dv, *dmask;
    const REAL *q, *k, *v, *dy;
} FN(attention_args);

/* Room for a copy of adjacent rows of a matrix: now of rows [from, from + held) of `item`. */
typedef struct { REAL *rows; fnn_size width, most, item, from, held; } FN(attention_copy);

/* Scratch of one block. */
typedef struct {
    REAL *q, *dy;                               /* [TILE_C][TILE_T]: the block's queries and dy,
                                                   transposed */
    REAL *s, *ds;                               /* [TILE_U][TILE_T]: tiles */
    REAL *d;                                    /* a tile, too: of the mask, and later d, the
                                                   factors of dropout */
    REAL *beside;                               /* [TILE_T][TILE_U]: what becomes d before it is
                                                   transposed, ds after it, for dmask. Both are NULL
                                                   without mask and dropout */
    FN(attention_copy) k, v, q_rows, dy_rows;   /* of what lies badly in the caches */
} FN(attention_room);

/* Room for up to `most` rows of `width` elements, where those of `matrices` should be copied: they
 * alias, and are `passed` many times. No room where not. */
static FN(attention_copy) FN(attention_open_copy)(fnn_matrices matrices, fnn_size width, fnn_size most, int passed)
{
    FN(attention_copy) copy = { .width = width, .item = -1 };
    const int aliased = width < matrices.rs && matrices.rs * (fnn_size)sizeof(REAL) % ALIASED == 0;
    if (passed && aliased && 0 < width && width <= TILE_C) {
        copy.most = fnn_min(most, NEAR / width / TILE_U * TILE_U);
        copy.rows = fnn_scratch_alloc((size_t)(copy.most * width) * sizeof(REAL));
    }
    return copy;
}

/* Rows where products should read them */
typedef struct { const REAL *at; fnn_size rs; } FN(attention_rows_at);

/* Rows [begin, end) of an item's matrix of `all` rows: in place, or a copy where there is room. A
 * copy holds rows that come next, too. */
static FN(attention_rows_at) FN(attention_near)(FN(attention_copy) *copy, const REAL *array, fnn_matrices matrices,
                                                fnn_size item, fnn_size begin, fnn_size end, fnn_size all)
{
    const REAL *rows = array + matrices.at[item];
    if (!copy->rows)
        return (FN(attention_rows_at)){ rows + begin * matrices.rs, matrices.rs };
    if (item != copy->item || begin < copy->from || end > copy->from + copy->held) {
        copy->item = item;
        copy->from = begin;
        copy->held = fnn_min(copy->most, all - begin);
        for (fnn_size i = 0; i < copy->held; i++)
            memcpy(copy->rows + i * copy->width, rows + (begin + i) * matrices.rs, (size_t)copy->width * sizeof(REAL));
    }
    return (FN(attention_rows_at)){ copy->rows + (begin - copy->from) * copy->width, copy->width };
}

static FN(attention_room) FN(attention_open)(const fnn_attention *about, int backward)
{
    const size_t wide = (TILE_C + 1) * TILE_T, tile = (TILE_U + 1) * TILE_T;
    const int masked = about->mask_kind != FNN_NO_MASK || about->dropout > 0;
    REAL *all = fnn_scratch_alloc((2 * wide + 4 * tile) * sizeof(REAL)), *tiles = all + 2 * wide;
    /* Forward reads a tile of v once for each GEMM_MR of the TILE_T queries. A copy costs about as
     * much as it saves where that is 5 times (14 rows), and pays where it is 11 (6 rows). */
    const int v_passed = !backward && GEMM_MR < 14;
    return (FN(attention_room)){
        .q = all, .dy = backward ? all + wide : NULL,
        .s = tiles, .ds = backward ? tiles + tile : NULL,
        .d = masked ? tiles + 2 * tile : NULL, .beside = masked ? tiles + 3 * tile : NULL,
        .v = FN(attention_open_copy)(about->v, about->HV, about->U, v_passed),
        .k = FN(attention_open_copy)(about->k, about->HS, about->U, backward),
        .q_rows = FN(attention_open_copy)(about->q, about->HS, TILE_T, backward),
        .dy_rows = FN(attention_open_copy)(about->dy, about->HV, TILE_T, backward),
    };
}

/* to[c][t] = from[t][c] for a block of queries; columns without a query are filled up with what
 * does no harm. */
static void FN(attention_transpose)(REAL *to, const REAL *from, fnn_size rs, fnn_size queries, fnn_size columns)
{
    FN(gemm_pack)(to, TILE_T, queries, queries, from, rs, 1, columns);
}

/* s = rows times the block of queries (or of dy), which lies transposed in `transposed` already
 * where it is no wider than TILE_C. */
static void FN(attention_products)(REAL *s, const REAL *rows, fnn_size rs, REAL *transposed, const REAL *block,
                                   fnn_size block_rs, fnn_size width, const fnn_tile *tile)
{
    if (width <= TILE_C) {
        FN(attention_scores)(s, rows, rs, transposed, width, 0, tile);
        return;
    }
    for (fnn_size c = 0; c < width; c += TILE_C) {
        const fnn_size piece = fnn_min(TILE_C, width - c);
        FN(attention_transpose)(transposed, block + c, block_rs, tile->queries, piece);
        FN(attention_scores)(s, rows + c, rs, transposed, piece, c > 0, tile);
    }
}

/* ---- masks and dropout ----------------------------------------------------------------------- */

/* How many of the tile's keys the queries in columns [t, t + GEMM_NR) see, altogether. */
static inline fnn_size FN(attention_seen)(const fnn_tile *tile, fnn_size t)
{
    return fnn_min(tile->keys, t + GEMM_NR + tile->ahead);
}

/* The end of the rows that products read in columns whose queries see `seen` of them. A product
 * takes up to GEMM_MR queries or keys at a time, and reads for all of them what one of them sees or
 * is seen by. What is read and not seen must be 0. */
static inline fnn_size FN(attention_rest)(const fnn_tile *tile, fnn_size seen)
{
    return fnn_min(tile->keys, seen + GEMM_MR);
}

/* Whether the products q k^T are multiplied by `scale` in the tile, as the sum with a mask needs
 * it. Otherwise attention_factor does it in the exponent, which saves a pass. That takes a positive
 * scale, so that the largest product has the largest score, and a finite -127 / factor. */
static inline int FN(attention_scaled)(const fnn_attention *about)
{
    return about->mask_kind == FNN_ADD_MASK || !(about->scale > 1e-30);
}

/* What scores are multiplied by in the exponent: log2(e), as exp(x) = 2^(log2(e) x), and `scale`
 * where they have not got it yet. */
static inline REAL FN(attention_factor)(const fnn_attention *about)
{
    return (FN(attention_scaled)(about) ? 1 : (REAL)about->scale) * (REAL)1.44269504088896341;
}

/* Where the mask of query t and key u of an item is */
static inline fnn_size FN(attention_mask_at)(const fnn_attention *about, fnn_size item, fnn_size t, fnn_size u)
{
    return about->mask_at[item] + t * about->mask_rs + u * about->mask_cs;
}

/* The mask is added to a tile's scores; -infinity stays even where the score is NaN. */
static void FN(attention_add_mask)(const fnn_attention *about, const FN(attention_room) *room, const fnn_tile *tile)
{
    REAL *restrict s = room->s;
    const REAL *restrict mask = room->d;
    FN(gemm_pack)(room->d, TILE_T, tile->queries, tile->queries,
                  (const REAL *)about->mask + FN(attention_mask_at)(about, tile->item, tile->t, tile->u),
                  about->mask_rs, about->mask_cs, tile->keys);
    for (fnn_size i = 0; i < tile->keys * TILE_T; i++)
        s[i] = mask[i] == -(REAL)INFINITY ? mask[i] : s[i] + mask[i];
}

/* A tile's scores become -infinity where the mask does not allow them. */
static void FN(attention_allow_mask)(const fnn_attention *about, const FN(attention_room) *room, const fnn_tile *tile)
{
    REAL *restrict s = room->s;
    const REAL *restrict mask = room->d;
    for (fnn_size t = 0; t < tile->queries; t++) {
        const unsigned char *restrict allowed =
            (const unsigned char *)about->mask + FN(attention_mask_at)(about, tile->item, tile->t + t, tile->u);
        REAL *restrict row = room->beside + t * TILE_U;
        if (about->mask_cs == 1)
            for (fnn_size u = 0; u < tile->keys; u++)
                row[u] = allowed[u] ? (REAL)1 : (REAL)0;
        else                                                    /* one for all keys: broadcast */
            for (fnn_size u = 0; u < tile->keys; u++)
                row[u] = allowed[0] ? (REAL)1 : (REAL)0;
    }
    FN(attention_transpose)(room->d, room->beside, TILE_U, tile->queries, tile->keys);
    for (fnn_size i = 0; i < tile->keys * TILE_T; i++)
        s[i] = mask[i] != 0 ? s[i] : -(REAL)INFINITY;
}

/* Products become scores: scaled where attention_factor does not do it, and masked. */
static void FN(attention_mask)(const fnn_attention *about, const FN(attention_room) *room, const fnn_tile *tile)
{
    REAL *restrict s = room->s;
    if (FN(attention_scaled)(about))
        for (fnn_size i = 0; i < tile->keys * TILE_T; i++)
            s[i] *= (REAL)about->scale;
    if (about->mask_kind == FNN_ADD_MASK)
        FN(attention_add_mask)(about, room, tile);
    else if (about->mask_kind == FNN_ALLOW_MASK)
        FN(attention_allow_mask)(about, room, tile);
}

/* The causal edge in columns [begin, begin + GEMM_NR) of a tile, up to row `seen`: what a column
 * may not see becomes `hidden`. Column begin + i sees the rows up to begin + i + ahead. */
static void FN(attention_edge)(REAL *restrict s, const fnn_tile *tile, fnn_size begin, fnn_size seen, REAL hidden)
{
    for (fnn_size u = fnn_max(0, begin + tile->ahead + 1); u < seen; u++) {
        const int first = (int)(u - begin - tile->ahead);   /* the first column that sees row u */
        REAL *restrict row = s + u * TILE_T + begin;
        for (int i = 0; i < (int)GEMM_NR; i++)
            row[i] = i < first ? hidden : row[i];
    }
}

/* PHILOX_WORDS random words for the weights of query t of an item, from key u on, which is a
 * multiple of TILE_U. A weight is kept where its word reaches fnn_philox_threshold. Each query has
 * U words, rounded up to whole counters of four (attention.h): so u begins a counter. */
static void FN(attention_words)(uint32_t *words, const fnn_attention *about, fnn_size item, fnn_size t, fnn_size u)
{
    const uint64_t first = (uint64_t)(item * about->T + t) * (uint64_t)fnn_round_up(about->U, 4);
    FN(philox_words)(words, about->dropout_key, about->dropout_call, (first + (uint64_t)u) / 4);
}

/* d[u][t] = 0 where a weight is dropped, else 1 / (1 - dropout). */
static void FN(attention_dropout)(const fnn_attention *about, const FN(attention_room) *room, const fnn_tile *tile)
{
    const uint64_t threshold = fnn_philox_threshold(about->dropout);
    const REAL kept = (REAL)(1 / (1 - about->dropout));
    uint32_t words[PHILOX_WORDS];
    for (fnn_size t = 0; t < tile->queries; t++) {
        FN(attention_words)(words, about, tile->item, tile->t + t, tile->u);
        for (fnn_size u = 0; u < tile->keys; u++)
            room->beside[t * TILE_U + u] = words[u] >= threshold ? kept : 0;
    }
    FN(attention_transpose)(room->d, room->beside, TILE_U, tile->queries, tile->keys);
}

/* ---- rows, and the parts that work row by row ------------------------------------------------ */

/* pull[t] = sum_j dy[t,j] y[t,j] for a block of queries */
static void FN(attention_pull)(REAL *restrict pull, const REAL *dy, fnn_size dy_rs, const REAL *y, fnn_size y_rs,
                               fnn_size queries, fnn_size HV)
{
    for (fnn_size t = 0; t < queries; t++) {
        const REAL *dy_t = dy + t * dy_rs, *y_t = y + t * y_rs;
        vec sum = v_set(0);
        fnn_size j = 0;
        for (; j + VL <= HV; j += VL)
            sum += v_load(dy_t + j) * v_load(y_t + j);
        pull[t] = v_sum(sum);
        for (; j < HV; j++)
            pull[t] += dy_t[j] * y_t[j];
    }
}

static void FN(attention_clear)(REAL *to, fnn_size rs, fnn_size rows, fnn_size columns)
{
    for (fnn_size i = 0; i < rows; i++)
        memset(to + i * rs, 0, (size_t)columns * sizeof(REAL));
}

#include "attention/attention_few.tmpl.h"
#include "attention/attention_hidden.tmpl.h"

/* ---- forward --------------------------------------------------------------------------------- */

/* One more tile for the queries in columns [0, GEMM_NR) from s on: `seen` rows of scores become
 * weights exp(scale (s - top)), unnormalised; the other rows up to `keys` become 0. top and total
 * are brought up to date; y is to be scaled by `shrink`. */
static void FN(attention_weights)(REAL *restrict s, REAL *restrict top, REAL *restrict total, REAL *restrict shrink,
                                  REAL factor, fnn_size seen, fnn_size keys)
{
    const REAL least = -127 / factor;
    REAL now[GEMM_NV * GEMM_VL], base[GEMM_NV * GEMM_VL], sum[GEMM_NV * GEMM_VL];
    for (fnn_size t = 0; t < GEMM_NR; t++) {
        now[t] = top[t];
        sum[t] = 0;
    }
    /* the largest score: four keys at a time, whose maxima do not wait for each other */
    fnn_size u = 0;
    for (; u + 4 <= seen; u += 4)
        for (fnn_size t = 0; t < GEMM_NR; t++) {
            const REAL *x = s + u * TILE_T + t;
            const REAL a = r_max(x[0], x[TILE_T]), b = r_max(x[2 * TILE_T], x[3 * TILE_T]);
            now[t] = r_max(r_max(a, b), now[t]);
        }
    for (; u < seen; u++)
        for (fnn_size t = 0; t < GEMM_NR; t++)
            now[t] = r_max(s[u * TILE_T + t], now[t]);
    for (fnn_size t = 0; t < GEMM_NR; t++) {
        /* so that where nothing is allowed exp gives 0, and NaN stays */
        base[t] = now[t] == -(REAL)INFINITY ? 0 : now[t];
        const REAL less = FN(exp2_of_scaled)(top[t] - base[t], factor, least);
        shrink[t] = now[t] > top[t] ? less : 1;
        top[t] = now[t];
    }
    /* the weights, and their sum */
    for (u = 0; u < seen; u++)
        for (fnn_size t = 0; t < GEMM_NR; t++) {
            const REAL p = FN(exp2_of_scaled)(s[u * TILE_T + t] - base[t], factor, least);
            s[u * TILE_T + t] = p;
            sum[t] += p;
        }
    for (; u < keys; u++)
        for (fnn_size t = 0; t < GEMM_NR; t++)
            s[u * TILE_T + t] = 0;
    for (fnn_size t = 0; t < GEMM_NR; t++)
        total[t] = total[t] * shrink[t] + sum[t];
}

/* The loop counts blocks of TILE_T queries: all of item 0, then all of item 1, and so on. */
static void FN(attention_forward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(attention_args) *args = ctx;
    const fnn_attention *about = args->about;
    const fnn_size blocks = fnn_ceil_div(about->T, TILE_T);
    FN(attention_room) room = FN(attention_open)(about, 0);
    const REAL factor = FN(attention_factor)(about);
    REAL top[TILE_T], total[TILE_T], shrink[TILE_T], inverse[TILE_T];
    for (fnn_size block = begin; block < end; block++) {
        fnn_tile tile = { .item = block / blocks, .t = block % blocks * TILE_T };
        tile.queries = fnn_min(TILE_T, about->T - tile.t);
        tile.columns = fnn_round_up(tile.queries, VL);
        const fnn_size keys_seen = fnn_keys_seen(about, tile.t + tile.queries);
        const REAL *q = args->q + about->q.at[tile.item] + tile.t * about->q.rs;
        const REAL *k = args->k + about->k.at[tile.item];
        REAL *y = args->y + about->y.at[tile.item] + tile.t * about->y.rs;
        for (fnn_size t = 0; t < TILE_T; t++) {
            top[t] = -(REAL)INFINITY;
            total[t] = 0;
        }
        if (about->HS <= TILE_C)
            FN(attention_transpose)(room.q, q, about->q.rs, tile.queries, about->HS);
        /* the keys that the block sees, a tile at a time */
        for (; tile.u < keys_seen; tile.u += TILE_U) {
            tile.keys = fnn_min(TILE_U, keys_seen - tile.u);
            tile.ahead = about->causal ? tile.t - tile.u : TILE_U;
            FN(attention_products)(room.s, k + tile.u * about->k.rs, about->k.rs, room.q, q, about->q.rs, about->HS,
                                   &tile);
            FN(attention_mask)(about, &room, &tile);
            /* the queries, GEMM_NR at a time */
            for (fnn_size t = 0; t < tile.columns; t += GEMM_NR) {
                const fnn_size seen = FN(attention_seen)(&tile, t);
                FN(attention_edge)(room.s, &tile, t, seen, -(REAL)INFINITY);
                FN(attention_weights)(room.s + t, top + t, total + t, shrink + t, factor, seen,
                                      FN(attention_rest)(&tile, seen));
            }
            if (tile.u + TILE_U >= keys_seen)               /* the last tile: divide by the sums */
                for (fnn_size t = 0; t < tile.queries; t++) {
                    inverse[t] = total[t] == 0 ? 0 : 1 / total[t];
                    shrink[t] *= inverse[t];
                }
            if (about->dropout > 0) {
                FN(attention_dropout)(about, &room, &tile);
                for (fnn_size i = 0; i < tile.keys * TILE_T; i++)
                    room.s[i] *= room.d[i];
            }
            const FN(attention_out) out = { tile.u > 0, shrink,
                                            tile.u + TILE_U < keys_seen ? FN(attention_ones) : inverse };
            const FN(attention_rows_at) v =
                FN(attention_near)(&room.v, args->v, about->v, tile.item, tile.u, tile.u + tile.keys, about->U);
            FN(attention_by_query)(y, about->y.rs, room.s, v.at, v.rs, about->HV, &out, &tile);
        }
        for (fnn_size t = 0; t < tile.queries; t++) {
            if (total[t] == 0)                                  /* no key was allowed */
                memset(y + t * about->y.rs, 0, (size_t)about->HV * sizeof(REAL));
            args->top[tile.item * about->T + tile.t + t] = top[t];
            args->total[tile.item * about->T + tile.t + t] = total[t];
        }
        if (FN(attention_spoiled)(args, tile.item, tile.t, tile.t + tile.queries))
            FN(attention_mend_forward)(args, tile.item, tile.t, tile.t + tile.queries);
    }
    fnn_scratch_free(room.q);
}

/* The loop counts attention's items. */
static void FN(attention_few_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(attention_args) *args = ctx;
    const fnn_attention *about = args->about;
    for (fnn_size item = begin; item < end; item++) {
        FN(attention_few_queries)(args, item);
        if (FN(attention_hides)(about)
            && !FN(attention_finite)(args->y + about->y.at[item], about->y.rs, about->T, about->HV))
            FN(attention_mend_forward)(args, item, 0, about->T);
    }
}

void FN(attention_forward)(REAL *y, REAL *top, REAL *total, const REAL *q, const REAL *k, const REAL *v,
                           const fnn_attention *about)
{
    FN(attention_args) args = { .about = about, .y = y, .top = top, .total = total, .q = q, .k = k, .v = v };
    if (about->T <= FEW) {
        fnn_parallel_for(about->items, fnn_attention_grain(about, FEW_COST * about->T, about->U),
                         FN(attention_few_block), &args);
        return;
    }
    const fnn_size blocks = fnn_ceil_div(about->T, TILE_T);
    fnn_parallel_for(about->items * blocks, fnn_attention_grain(about, fnn_min(TILE_T, about->T), about->U),
                     FN(attention_forward_block), &args);
}

/* ---- backward -------------------------------------------------------------------------------- */

/* Columns [0, GEMM_NR) of a tile: p holds scores and becomes d p (what multiplied v), ds holds dy
 * v^T and becomes ds. d is NULL without dropout. Rows from `seen` on become 0. */
static void FN(attention_weights_backward)(REAL *restrict p, REAL *restrict ds, const REAL *restrict d,
                                           const REAL *restrict top, const REAL *restrict inverse,
                                           const REAL *restrict pull, REAL factor, fnn_size seen, fnn_size keys)
{
    const REAL least = -127 / factor;
    fnn_size u = 0;
    if (d)
        for (; u < seen; u++)
            for (fnn_size t = 0; t < GEMM_NR; t++) {
                const fnn_size i = u * TILE_T + t;
                const REAL weight = FN(exp2_of_scaled)(p[i] - top[t], factor, least) * inverse[t];
                ds[i] = weight * (ds[i] * d[i] - pull[t]);
                p[i] = weight * d[i];
            }
    else
        for (; u < seen; u++)
            for (fnn_size t = 0; t < GEMM_NR; t++) {
                const fnn_size i = u * TILE_T + t;
                const REAL weight = FN(exp2_of_scaled)(p[i] - top[t], factor, least) * inverse[t];
                ds[i] = weight * (ds[i] - pull[t]);     /* forward was  p = exp(s) / sum exp(s) */
                p[i] = weight;
            }
    for (; u < keys; u++)
        for (fnn_size t = 0; t < GEMM_NR; t++)
            p[u * TILE_T + t] = ds[u * TILE_T + t] = 0;
}

/* What the weights of a block of queries come from. All is 0 where no key was allowed, so that
 * there are no weights and no gradient, and beyond the last query. */
typedef struct { REAL top[TILE_T], inverse[TILE_T], pull[TILE_T]; } FN(attention_block);

/* The same of queries [tile->t, tile->t + tile->queries) */
static void FN(attention_open_block)(FN(attention_block) *block, const FN(attention_args) *args, const fnn_tile *tile)
{
    const fnn_attention *about = args->about;
    const REAL *dy = args->dy + about->dy.at[tile->item] + tile->t * about->dy.rs;
    const REAL *y = args->y + about->y.at[tile->item] + tile->t * about->y.rs;
    const REAL *top = args->top + tile->item * about->T + tile->t;
    const REAL *totals = args->total + tile->item * about->T + tile->t;
    FN(attention_pull)(block->pull, dy, about->dy.rs, y, about->y.rs, tile->queries, about->HV);
    for (fnn_size t = 0; t < TILE_T; t++) {
        const REAL total = t < tile->queries ? totals[t] : 0;
        block->inverse[t] = total == 0 ? 0 : 1 / total;
        block->top[t] = total == 0 ? 0 : top[t];
        block->pull[t] = total == 0 ? 0 : block->pull[t];
    }
}

/* A tile's scores once more, and from them d p in room->s and ds in room->ds, as
 * attention_weights_backward says. k: its keys; `whole`: all rows are written, for dmask, and not
 * only those that products read. */
static void FN(attention_weights_again)(const FN(attention_args) *args, const FN(attention_room) *room,
                                        const FN(attention_block) *block, FN(attention_rows_at) k, int whole,
                                        const fnn_tile *tile)
{
    const fnn_attention *about = args->about;
    const REAL *q = args->q + about->q.at[tile->item] + tile->t * about->q.rs;
    const REAL *v = args->v + about->v.at[tile->item] + tile->u * about->v.rs;
    const REAL *dy = args->dy + about->dy.at[tile->item] + tile->t * about->dy.rs;
    const REAL factor = FN(attention_factor)(about), *d = about->dropout > 0 ? room->d : NULL;
    FN(attention_products)(room->s, k.at, k.rs, room->q, q, about->q.rs, about->HS, tile);
    FN(attention_products)(room->ds, v, about->v.rs, room->dy, dy, about->dy.rs, about->HV, tile);
    FN(attention_mask)(about, room, tile);
    if (d)
        FN(attention_dropout)(about, room, tile);
    /* the queries, GEMM_NR at a time */
    for (fnn_size t = 0; t < tile->columns; t += GEMM_NR) {
        const fnn_size seen = FN(attention_seen)(tile, t);
        FN(attention_edge)(room->s, tile, t, seen, -(REAL)INFINITY);
        FN(attention_edge)(room->ds, tile, t, seen, 0);
        FN(attention_weights_backward)(room->s + t, room->ds + t, d ? d + t : NULL, block->top + t, block->inverse + t,
                                       block->pull + t, factor, seen,
                                       whole ? tile->keys : FN(attention_rest)(tile, seen));
    }
}

/* dmask [T][U] of an item: what a tile has of it is ds. */
static void FN(attention_put_dmask)(REAL *dmask, const fnn_attention *about, const FN(attention_room) *room,
                                    const fnn_tile *tile)
{
    FN(gemm_pack)(room->beside, TILE_U, tile->keys, tile->keys, room->ds, TILE_T, 1, tile->queries);
    for (fnn_size t = 0; t < tile->queries; t++)
        memcpy(dmask + (tile->t + t) * about->U + tile->u, room->beside + t * TILE_U,
               (size_t)tile->keys * sizeof(REAL));
}

/* The tiles of one item with queries [t_begin, t_end) and keys [u_begin, u_end): their part of dq,
 * dk, dv, dmask (those that are not NULL). */
static void FN(attention_backward_tiles)(const FN(attention_args) *args, REAL *dq, REAL *dk, REAL *dv, REAL *dmask,
                                         fnn_size item, fnn_size t_begin, fnn_size t_end, fnn_size u_begin,
                                         fnn_size u_end)
{
    const fnn_attention *about = args->about;
    const fnn_size HS = about->HS, HV = about->HV;
    FN(attention_block) block;
    REAL scales[TILE_T];
    for (fnn_size t = 0; t < TILE_T; t++)
        scales[t] = (REAL)about->scale;
    /* rows of dk and dv before it hold a sum, to be added to; the others still hold anything */
    fnn_size begun = u_begin;
    dq = dq ? dq + about->dq.at[item] : NULL;
    dk = dk ? dk + about->dk.at[item] : NULL;
    dv = dv ? dv + about->dv.at[item] : NULL;
    if (dmask) {
        dmask += item * about->T * about->U;
        FN(attention_clear)(dmask + t_begin * about->U, about->U, t_end - t_begin, about->U);
    }
    FN(attention_room) room = FN(attention_open)(about, 1);
    /* the queries, a block of TILE_T at a time; causal: none before u_begin sees a key */
    for (fnn_size t0 = about->causal ? fnn_max(t_begin, u_begin) : t_begin; t0 < t_end; t0 += TILE_T) {
        fnn_tile tile = { .item = item, .t = t0, .queries = fnn_min(TILE_T, t_end - t0) };
        tile.columns = fnn_round_up(tile.queries, VL);
        const FN(attention_rows_at) q_rows =
            FN(attention_near)(&room.q_rows, args->q, about->q, item, t0, t0 + tile.queries, t0 + tile.queries);
        const FN(attention_rows_at) dy_rows =
            FN(attention_near)(&room.dy_rows, args->dy, about->dy, item, t0, t0 + tile.queries, t0 + tile.queries);
        if (HS <= TILE_C)
            FN(attention_transpose)(room.q, q_rows.at, q_rows.rs, tile.queries, HS);
        if (HV <= TILE_C)
            FN(attention_transpose)(room.dy, dy_rows.at, dy_rows.rs, tile.queries, HV);
        FN(attention_open_block)(&block, args, &tile);
        const fnn_size keys_seen = fnn_min(u_end, fnn_keys_seen(about, t0 + tile.queries));
        if (dq && keys_seen <= u_begin)
            FN(attention_clear)(dq + t0 * about->dq.rs, about->dq.rs, tile.queries, HS);
        /* the keys that the block sees, a tile at a time */
        for (tile.u = u_begin; tile.u < keys_seen; tile.u += TILE_U) {
            tile.keys = fnn_min(TILE_U, keys_seen - tile.u);
            tile.ahead = about->causal ? t0 - tile.u : TILE_U;
            const FN(attention_rows_at) k_u =
                FN(attention_near)(&room.k, args->k, about->k, item, tile.u, tile.u + tile.keys, about->U);
            FN(attention_weights_again)(args, &room, &block, k_u, dmask != NULL, &tile);
            if (dmask)
                FN(attention_put_dmask)(dmask, about, &room, &tile);
            /* of this tile: the later rows are stored, which saves clearing all first */
            const fnn_size added = fnn_max(0, fnn_min(tile.keys, begun - tile.u));
            if (dv)     /* forward was  y = (d p) v */
                FN(attention_by_key)(dv + tile.u * about->dv.rs, about->dv.rs, room.s, dy_rows.at, dy_rows.rs, HV,
                                     added, 1, &tile);
            if (dk)     /* forward was  s = scale q k^T */
                FN(attention_by_key)(dk + tile.u * about->dk.rs, about->dk.rs, room.ds, q_rows.at, q_rows.rs, HS,
                                     added, (REAL)about->scale, &tile);
            const FN(attention_out) out = { tile.u > u_begin, FN(attention_ones), scales };
            if (dq)
                FN(attention_by_query)(dq + t0 * about->dq.rs, about->dq.rs, room.ds, k_u.at, k_u.rs, HS, &out,
                                       &tile);
        }
        begun = fnn_max(begun, keys_seen);
    }
    if (dk && begun < u_end)                        /* keys that no query saw */
        FN(attention_clear)(dk + begun * about->dk.rs, about->dk.rs, u_end - begun, HS);
    if (dv && begun < u_end)
        FN(attention_clear)(dv + begun * about->dv.rs, about->dv.rs, u_end - begun, HV);
    fnn_scratch_free(room.q);
}

/* The loop counts attention's items: all gradients, each tile computed once. */
static void FN(attention_backward_items)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(attention_args) *args = ctx;
    for (fnn_size item = begin; item < end; item++)
        FN(attention_backward_tiles)(args, args->dq, args->dk, args->dv, args->dmask, item, 0, args->about->T, 0,
                                     args->about->U);
}

/* The loop counts blocks of TILE_T queries: dq and dmask. */
static void FN(attention_backward_queries)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(attention_args) *args = ctx;
    const fnn_size T = args->about->T, blocks = fnn_ceil_div(T, TILE_T);
    for (fnn_size block = begin; block < end; block++) {
        const fnn_size t0 = block % blocks * TILE_T;
        FN(attention_backward_tiles)(args, args->dq, NULL, NULL, args->dmask, block / blocks, t0,
                                     fnn_min(T, t0 + TILE_T), 0, args->about->U);
    }
}

/* The loop counts blocks of TILE_U keys: dk and dv. */
static void FN(attention_backward_keys)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(attention_args) *args = ctx;
    const fnn_size U = args->about->U, blocks = fnn_ceil_div(U, TILE_U);
    for (fnn_size block = begin; block < end; block++) {
        const fnn_size u0 = block % blocks * TILE_U;
        FN(attention_backward_tiles)(args, NULL, args->dk, args->dv, NULL, block / blocks, 0, args->about->T, u0,
                                     fnn_min(U, u0 + TILE_U));
    }
}

void FN(attention_backward)(REAL *dq, REAL *dk, REAL *dv, REAL *dmask, const REAL *dy, const REAL *y, const REAL *top,
                            const REAL *total, const REAL *q, const REAL *k, const REAL *v, const fnn_attention *about)
{
    FN(attention_args) args = { .about = about, .y = (REAL *)y, .top = (REAL *)top, .total = (REAL *)total, .dq = dq,
                                .dk = dk, .dv = dv, .dmask = dmask, .q = q, .k = k, .v = v, .dy = dy };
    const fnn_size t_blocks = fnn_ceil_div(about->T, TILE_T), u_blocks = fnn_ceil_div(about->U, TILE_U);
    int want_queries = dq || dmask, want_keys = dk || dv;
    const int threads = fnn_num_threads();
    /* the work of the busiest thread: whole items with 5 products each, or equal shares of 7 */
    const fnn_work once = (fnn_work)fnn_round_up(about->items, threads) * (3 * about->HS + 2 * about->HV);
    if (want_queries && want_keys && once <= (fnn_work)about->items * (4 * about->HS + 3 * about->HV)) {
        fnn_parallel_for(about->items, fnn_attention_grain(about, about->T, about->U), FN(attention_backward_items),
                         &args);
        want_queries = want_keys = 0;
    }
    if (want_queries)
        fnn_parallel_for(about->items * t_blocks, fnn_attention_grain(about, fnn_min(TILE_T, about->T), about->U),
                         FN(attention_backward_queries), &args);
    if (want_keys)
        fnn_parallel_for(about->items * u_blocks, fnn_attention_grain(about, about->T, fnn_min(TILE_U, about->U)),
                         FN(attention_backward_keys), &args);
    if (FN(attention_hides)(about) || FN(attention_misses)(&args))
        fnn_parallel_for(about->items, fnn_attention_grain(about, about->T + about->U, FEW), FN(attention_mend_block),
                         &args);
}
