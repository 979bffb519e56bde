/* attention.tmpl.h -- scaled dot-product attention, forward and backward, in memory linear in the
 * sequence length.
 *
 * Math       s[t,u] = scale sum_c q[t,c] k[u,c] + mask[t,u],   p[t,u] = exp(s[t,u]) / sum_u exp(s[t,u]),   y[t] = sum_u d[t,u] p[t,u] v[u]
 *            where d is 1, or with dropout 0 or 1 / (1 - dropout). Backward, with dp[t,u] = d[t,u]
 *            sum_j dy[t,j] v[u,j]:
 *            ds[t,u] = p[t,u] (dp[t,u] - pull[t]),   pull[t] = sum_u p[t,u] dp[t,u] = sum_j dy[t,j]
 *                                                    y[t,j]
 *            dq = scale ds k,   dk = scale ds^T q,   dv = (d p)^T dy,   dmask = ds
 * Symbols    T queries, U keys, HS head size, HV size of a value; an item is one head of one batch
 *            entry.
 * Layout     see attention.h. Scores live in tiles of TILE_U x TILE_T in scratch; there is never a
 *            T x U array (except dmask, which is one).
 * Method     A block of queries is copied, transposed, and then passes all keys tile by tile;
 *            attention_tile.tmpl.h tells how a tile lies and how its products are computed. Forward
 *            keeps the largest score so far and the sum of exponentials so far; when the largest
 *            grows, what is in y and in the sum is scaled down ("online softmax"). Exponentials are
 *            powers of two, 2^(log2(e) scale (s - top)): one factor, in one rounding. Backward
 *            computes each tile's scores again from q and k: cheaper than storing them. What a
 *            causal mask hides is skipped, tile by tile and, within the tiles on the diagonal,
 *            register tile by register tile. Up to four queries go row by row of k and v:
 *            attention_few.tmpl.h.
 * Cost       forward 2 T U (HS + HV) flop and T U exponentials an item; backward 2.5 times the
 *            flop. Causal: half of both. Memory: the results, and 2 T numbers an item.
 * Threads    forward: blocks of queries of all items. Backward: with enough items for the threads a
 *            block is an item and each tile's scores are computed once; else dk and dv go by blocks
 *            of keys and dq by blocks of queries, and scores are computed for each. Tiles and the
 *            order of every sum are the same either way, and so are the bits. One writer per
 *            element.
 * Reference  fastnn/reference/attention.py; Milakov, Gimelshein (2018), "Online normalizer
 *            calculation for softmax"; Rabe, Staats (2021), "Self-attention does not need O(n^2)
 *            memory"; Dao et al. (2022), "FlashAttention".
 */
#include "core/philox_words.h"
#include "pointwise/rows.h"

#ifndef FNN_ATTENTION_TEMPLATE_ONCE
#define FNN_ATTENTION_TEMPLATE_ONCE
enum {
    /* TILE_U: a multiple of TILE_T (the causal edge), at most PHILOX_WORDS (dropout). All that a
     * tile needs, 160 KiB of float, fits the least L2 cache that caches.h knows; tiles from 32 x
     * 128 to 64 x 256 and 128 x 128 were within 5 %, so they follow no reported size, and the bits
     * of a result, which hang on them, are the same on all machines with an instruction set. */
    TILE_T = 64, TILE_U = 128,
    FROM_ROWS = 0, BY_ROWS = 1, BY_COLUMNS = 2,
    TILE_C = 256,                                   /* columns of q or dy in the transposed copy; wider heads go through
                                                       it piece by piece */
    ATTENTION_WORK = 1 << 20,                       /* multiply-adds that a block of a parallel loop should be worth */
    FEW = 4, FEW_COST = 8                           /* so many queries go row by row, each as long as so many in a
                                                       tile */
};

static fnn_size fnn_attention_grain(const fnn_attention *a, fnn_size queries, fnn_size keys)
{
    const double work = (double)queries * (double)keys * (double)(a->HS + a->HV) + 1;
    return work >= ATTENTION_WORK ? 1 : (fnn_size)(ATTENTION_WORK / work);
}

/* How many keys the queries before `t_end` may see. */
static inline fnn_size fnn_keys_seen(const fnn_attention *a, fnn_size t_end) { return a->causal && t_end < a->U ? t_end
    : a->U; }

/* Queries [t, t + queries) and keys [u, u + keys) of an item. Key row i of the tile may be seen by
 * query column j if i <= j + ahead. */
typedef struct { fnn_size item, t, queries, u, keys, lanes, ahead; } fnn_tile;
#endif

#include "gemm/gemm_pack.tmpl.h"
#include "attention/attention_tile.tmpl.h"

#define ONES_16 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1
static const REAL FN(attention_ones)[TILE_T] = { ONES_16, ONES_16, ONES_16, ONES_16 };
#undef ONES_16

typedef struct {
    const fnn_attention *about;
    REAL *y, *top, *total, *dq, *dk, *dv, *dmask;
    const REAL *q, *k, *v, *dy;
} FN(attention_args);

/* Scratch of one block. */
typedef struct {
    REAL *q, *dy;                                   /* [TILE_C][TILE_T]: the block's queries and dy, transposed */
    REAL *s, *ds;                                   /* [TILE_U][TILE_T]: tiles */
    REAL *factors, *beside;                         /* the same, for a mask or dropout; NULL where there is neither */
} FN(attention_room);

static FN(attention_room) FN(attention_open)(const fnn_attention *a, int backward)
{
    const size_t wide = (TILE_C + 1) * TILE_T, tile = (TILE_U + 1) * TILE_T;
    const int factors = a->mask_kind != FNN_NO_MASK || a->dropout > 0;
    REAL *all = fnn_scratch_alloc((2 * wide + 4 * tile) * sizeof(REAL));
    return (FN(attention_room)){ all, backward ? all + wide : NULL, all + 2 * wide, backward ? all + 2 * wide + tile
        : NULL,
                                 factors ? all + 2 * wide + 2 * tile : NULL, factors ? all + 2 * wide + 3 * tile
                                     : NULL };
}

/* to[c][t] = from[t][c] for a block of queries; columns without a query are filled up with what
 * does no harm. */
static void FN(attention_turn)(REAL *to, const REAL *from, fnn_size rs, fnn_size queries, fnn_size columns)
{
    FN(gemm_pack)(to, TILE_T, queries, queries, from, rs, 1, columns);
}

/* tile = rows times the block of queries (or of dy), which lies transposed in `turned` already
 * where it is no wider than TILE_C. */
static void FN(attention_products)(REAL *tile, const REAL *rows, fnn_size rs, REAL *turned, const REAL *block,
                                   fnn_size block_rs,
                                   fnn_size width, const fnn_tile *at)
{
    if (width <= TILE_C) {
        FN(attention_scores)(tile, rows, rs, turned, at->keys, at->lanes, width, NULL, at->ahead);
        return;
    }
    for (fnn_size c = 0; c < width; c += TILE_C) {
        const fnn_size here = fnn_min(TILE_C, width - c);
        FN(attention_turn)(turned, block + c, block_rs, at->queries, here);
        FN(attention_scores)(tile, rows + c, rs, turned, at->keys, at->lanes, here, c > 0 ? FN(attention_ones) : NULL,
                             at->ahead);
    }
}

/* ---- masks and dropout ----------------------------------------------------------------------- */

/* How many of the tile's keys the queries in columns [j, j + GEMM_NR) see, altogether. */
static inline fnn_size FN(attention_seen)(const fnn_tile *at,
                                          fnn_size j) { return fnn_min(at->keys, j + GEMM_NR + at->ahead); }

/* Up to which row products read these columns, beyond the rows that are seen: to the end of a panel
 * that begins before. */
static inline fnn_size FN(attention_rest)(const fnn_tile *at,
                                          fnn_size seen) { return fnn_min(at->keys, seen + GEMM_MR); }

/* Whether products are scaled before the largest is looked for; otherwise in the exponent, with the
 * factor from e to 2. */
static inline int FN(attention_scaled)(const fnn_attention *a) { return a->mask_kind == FNN_ADD_MASK
    || !(a->scale > 1e-30); }

/* What scores are multiplied by in the exponent. */
static inline REAL FN(attention_factor)(const fnn_attention *a)
{
    return (FN(attention_scaled)(a) ? 1 : (REAL)a->scale) * (REAL)1.44269504088896341;
}

/* Products become scores: the mask is added, and what is not allowed becomes -infinity. */
static void FN(attention_mask)(const fnn_attention *a, const FN(attention_room) *room, const fnn_tile *at)
{
    REAL *restrict s = room->s;
    if (FN(attention_scaled)(a))
        for (fnn_size i = 0; i < at->keys * TILE_T; i++)
            s[i] *= (REAL)a->scale;
    if (a->mask_kind != FNN_NO_MASK) {
        const fnn_size from = a->mask_at[at->item] + at->t * a->mask_rs + at->u * a->mask_cs;
        const REAL *restrict mask = room->factors;
        if (a->mask_kind == FNN_ADD_MASK) {
            FN(gemm_pack)(room->factors, TILE_T, at->queries, at->queries, (const REAL *)a->mask + from, a->mask_rs,
                          a->mask_cs, at->keys);
            for (fnn_size i = 0; i < at->keys * TILE_T; i++)
                s[i] += mask[i];
        } else {
            for (fnn_size t = 0; t < at->queries; t++) {
                const unsigned char *restrict allowed = (const unsigned char *)a->mask + from + t * a->mask_rs;
                REAL *restrict row = room->beside + t * TILE_U;
                if (a->mask_cs == 1)
                    for (fnn_size u = 0; u < at->keys; u++)
                        row[u] = allowed[u] ? (REAL)1 : (REAL)0;
                else
                    for (fnn_size u = 0; u < at->keys; u++)
                        row[u] = allowed[0] ? (REAL)1 : (REAL)0;
            }
            FN(attention_turn)(room->factors, room->beside, TILE_U, at->queries, at->keys);
            for (fnn_size i = 0; i < at->keys * TILE_T; i++)
                s[i] = mask[i] != 0 ? s[i] : -(REAL)INFINITY;
        }
    }
}

/* The causal edge in columns [j, j + GEMM_NR) of a tile, up to row `seen`: what column j + c may
 * not see, the rows from j + c + ahead + 1 on, becomes `hidden`. */
static void FN(attention_edge)(REAL *restrict tile, const fnn_tile *at, fnn_size j, fnn_size seen, REAL hidden)
{
    for (fnn_size u = fnn_max(0, j + at->ahead + 1); u < seen; u++) {
        const int first = (int)(u - j - at->ahead);              /* the first column that sees row u */
        REAL *restrict row = tile + u * TILE_T + j;
        for (int c = 0; c < (int)GEMM_NR; c++)
            row[c] = c < first ? hidden : row[c];
    }
}

/* factors[u][t] = 0 where a weight is dropped, else 1 / (1 - dropout). */
static void FN(attention_dropout)(const fnn_attention *a, const FN(attention_room) *room, const fnn_tile *at)
{
    const uint64_t limit = fnn_philox_threshold(a->dropout);
    const REAL kept = (REAL)(1 / (1 - a->dropout));
    uint32_t words[PHILOX_WORDS];
    for (fnn_size t = 0; t < at->queries; t++) {
        const uint64_t row = (uint64_t)(at->item * a->T + at->t + t) * (uint64_t)((a->U + 3) / 4 * 4);
        FN(philox_words)(words, a->dropout_key, a->dropout_call, (row + (uint64_t)at->u) / 4);
        for (fnn_size u = 0; u < at->keys; u++)
            room->beside[t * TILE_U + u] = words[u] >= limit ? kept : 0;
    }
    FN(attention_turn)(room->factors, room->beside, TILE_U, at->queries, at->keys);
}

/* ---- forward --------------------------------------------------------------------------------- */

/* One more tile for the queries in columns [0, GEMM_NR) from s on: `seen` rows of scores become
 * weights exp(scale (s - top)), unnormalised; the other rows up to `keys` become 0. top and total
 * are brought up to date; y is to be scaled by `shrink`. */
static void FN(attention_weights)(REAL *restrict s, REAL *restrict top, REAL *restrict total, REAL *restrict shrink,
                                  REAL factor,
                                  fnn_size seen, fnn_size keys)
{
    const REAL least = -127 / factor;
    REAL now[GEMM_NV * GEMM_VL], base[GEMM_NV * GEMM_VL], sum[GEMM_NV * GEMM_VL];
    for (fnn_size j = 0; j < GEMM_NR; j++) {
        now[j] = top[j];
        sum[j] = 0;
    }
    fnn_size u = 0;
    for (; u + 4 <= seen; u += 4)
        for (fnn_size j = 0; j < GEMM_NR; j++) {
            const REAL *x = s + u * TILE_T + j;
            const REAL a = r_max(x[0], x[TILE_T]), b = r_max(x[2 * TILE_T], x[3 * TILE_T]);
            now[j] = r_max(r_max(a, b), now[j]);
        }
    for (; u < seen; u++)
        for (fnn_size j = 0; j < GEMM_NR; j++)
            now[j] = r_max(s[u * TILE_T + j], now[j]);
    for (fnn_size j = 0; j < GEMM_NR; j++) {
        base[j] = now[j] == -(REAL)INFINITY ? 0 : now[j];       /* so that where nothing is allowed exp gives 0, and NaN
                                                                   stays */
        const REAL less = FN(exp2_of_scaled)(top[j] - base[j], factor, least);
        shrink[j] = now[j] > top[j] ? less : 1;
        top[j] = now[j];
    }
    for (u = 0; u < seen; u++)
        for (fnn_size j = 0; j < GEMM_NR; j++) {
            const REAL p = FN(exp2_of_scaled)(s[u * TILE_T + j] - base[j], factor, least);
            s[u * TILE_T + j] = p;
            sum[j] += p;
        }
    for (; u < keys; u++)
        for (fnn_size j = 0; j < GEMM_NR; j++)
            s[u * TILE_T + j] = 0;
    for (fnn_size j = 0; j < GEMM_NR; j++)
        total[j] = total[j] * shrink[j] + sum[j];
}

static void FN(attention_forward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(attention_args) *args = ctx;
    const fnn_attention *a = args->about;
    const fnn_size blocks = fnn_ceil_div(a->T, TILE_T);
    const FN(attention_room) room = FN(attention_open)(a, 0);
    const REAL factor = FN(attention_factor)(a);
    REAL top[TILE_T], total[TILE_T], shrink[TILE_T], share[TILE_T];
    for (fnn_size b = begin; b < end; b++) {
        fnn_tile at = { .item = b / blocks, .t = b % blocks * TILE_T };
        at.queries = fnn_min(TILE_T, a->T - at.t);
        at.lanes = fnn_ceil_div(at.queries, VL) * VL;
        const fnn_size seen = fnn_keys_seen(a, at.t + at.queries);
        const REAL *q = args->q + a->q.at[at.item] + at.t * a->q.rs, *k = args->k + a->k.at[at.item], *v = args->v
            + a->v.at[at.item];
        REAL *y = args->y + a->y.at[at.item] + at.t * a->y.rs;
        for (fnn_size t = 0; t < TILE_T; t++) {
            top[t] = -(REAL)INFINITY;
            total[t] = 0;
        }
        if (a->HS <= TILE_C)
            FN(attention_turn)(room.q, q, a->q.rs, at.queries, a->HS);
        for (; at.u < seen; at.u += TILE_U) {
            at.keys = fnn_min(TILE_U, seen - at.u);
            at.ahead = a->causal ? at.t - at.u : TILE_U;
            FN(attention_products)(room.s, k + at.u * a->k.rs, a->k.rs, room.q, q, a->q.rs, a->HS, &at);
            FN(attention_mask)(a, &room, &at);
            for (fnn_size j = 0; j < at.lanes; j += GEMM_NR) {
                const fnn_size rows = FN(attention_seen)(&at, j);
                FN(attention_edge)(room.s, &at, j, rows, -(REAL)INFINITY);
                FN(attention_weights)(room.s + j, top + j, total + j, shrink + j, factor, rows,
                                      FN(attention_rest)(&at, rows));
            }
            if (at.u + TILE_U >= seen)                          /* the last tile: divide by the sums */
                for (fnn_size t = 0; t < at.queries; t++) {
                    share[t] = total[t] == 0 ? 0 : 1 / total[t];
                    shrink[t] *= share[t];
                }
            if (a->dropout > 0) {
                FN(attention_dropout)(a, &room, &at);
                for (fnn_size i = 0; i < at.keys * TILE_T; i++)
                    room.s[i] *= room.factors[i];
            }
            FN(attention_by_query)(y, a->y.rs, room.s, v + at.u * a->v.rs, a->v.rs, at.queries, at.keys, a->HV,
                                   at.u > 0 ? shrink : NULL, at.u + TILE_U < seen ? FN(attention_ones) : share,
                                   at.ahead);
        }
        for (fnn_size t = 0; t < at.queries; t++) {
            if (total[t] == 0)                                  /* no key was allowed */
                memset(y + t * a->y.rs, 0, (size_t)a->HV * sizeof(REAL));
            args->top[at.item * a->T + at.t + t] = top[t];
            args->total[at.item * a->T + at.t + t] = total[t];
        }
    }
    fnn_scratch_free(room.q);
}

#include "attention/attention_few.tmpl.h"

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
                                           const REAL *restrict top,
                                           const REAL *restrict share, const REAL *restrict pull, REAL factor,
                                           fnn_size seen, fnn_size keys)
{
    const REAL least = -127 / factor;
    fnn_size u = 0;
    if (d)
        for (; u < seen; u++)
            for (fnn_size j = 0; j < GEMM_NR; j++) {
                const fnn_size i = u * TILE_T + j;
                const REAL weight = FN(exp2_of_scaled)(p[i] - top[j], factor, least) * share[j];
                ds[i] = weight * (ds[i] * d[i] - pull[j]);
                p[i] = weight * d[i];
            }
    else
        for (; u < seen; u++)
            for (fnn_size j = 0; j < GEMM_NR; j++) {
                const fnn_size i = u * TILE_T + j;
                const REAL weight = FN(exp2_of_scaled)(p[i] - top[j], factor, least) * share[j];
                ds[i] = weight * (ds[i] - pull[j]);             /* forward was  p = exp(s) / sum exp(s) */
                p[i] = weight;
            }
    for (; u < keys; u++)
        for (fnn_size j = 0; j < GEMM_NR; j++)
            p[u * TILE_T + j] = ds[u * TILE_T + j] = 0;
}

/* pull[t] = sum_j dy[t,j] y[t,j] for a block of queries */
static void FN(attention_pull)(REAL *restrict pull, const REAL *dy, fnn_size dy_rs, const REAL *y, fnn_size y_rs,
                               fnn_size queries, fnn_size HV)
{
    for (fnn_size t = 0; t < queries; t++) {
        const REAL *a = dy + t * dy_rs, *b = y + t * y_rs;
        vec sum = v_set(0);
        fnn_size j = 0;
        for (; j + VL <= HV; j += VL)
            sum += v_load(a + j) * v_load(b + j);
        pull[t] = v_sum(sum);
        for (; j < HV; j++)
            pull[t] += a[j] * b[j];
    }
}

static void FN(attention_clear)(REAL *a, fnn_size rs, fnn_size rows, fnn_size columns)
{
    for (fnn_size i = 0; i < rows; i++)
        memset(a + i * rs, 0, (size_t)columns * sizeof(REAL));
}

/* The tiles of one item with queries t_begin..t_end and keys u_begin..u_end: their part of dq, dk,
 * dv (those that are not NULL). */
static void FN(attention_backward_tiles)(const FN(attention_args) *args, REAL *dq, REAL *dk, REAL *dv, REAL *dmask,
                                         fnn_size item,
                                         fnn_size t_begin, fnn_size t_end, fnn_size u_begin, fnn_size u_end)
{
    const fnn_attention *a = args->about;
    const fnn_size HS = a->HS, HV = a->HV, first = item * a->T;
    const REAL *q = args->q + a->q.at[item], *k = args->k + a->k.at[item], *v = args->v + a->v.at[item], *dy = args->dy
        + a->dy.at[item];
    const REAL *y = args->y + a->y.at[item];
    REAL top[TILE_T], share[TILE_T], pull[TILE_T], scales[TILE_T];
    for (fnn_size i = 0; i < TILE_T; i++)
        scales[i] = (REAL)a->scale;
    /* keys before it have something in dk and dv already */
    fnn_size begun = u_begin;
    dq = dq ? dq + a->dq.at[item] : NULL;
    dk = dk ? dk + a->dk.at[item] : NULL;
    dv = dv ? dv + a->dv.at[item] : NULL;
    if (dmask) {
        dmask += first * a->U;
        FN(attention_clear)(dmask + t_begin * a->U, a->U, t_end - t_begin, a->U);
    }
    const FN(attention_room) room = FN(attention_open)(a, 1);
    const REAL factor = FN(attention_factor)(a);
    /* no query before u_begin sees it */
    for (fnn_size t = a->causal && u_begin > t_begin ? u_begin : t_begin; t < t_end; t += TILE_T) {
        fnn_tile at = { .item = item, .t = t, .queries = fnn_min(TILE_T, t_end - t) };
        at.lanes = fnn_ceil_div(at.queries, VL) * VL;
        const REAL *q_t = q + t * a->q.rs, *dy_t = dy + t * a->dy.rs;
        if (HS <= TILE_C)
            FN(attention_turn)(room.q, q_t, a->q.rs, at.queries, HS);
        if (HV <= TILE_C)
            FN(attention_turn)(room.dy, dy_t, a->dy.rs, at.queries, HV);
        FN(attention_pull)(pull, dy_t, a->dy.rs, y + t * a->y.rs, a->y.rs, at.queries, HV);
        for (fnn_size j = 0; j < TILE_T; j++) {
            const REAL total = j < at.queries ? args->total[first + t + j] : 0;
            share[j] = total == 0 ? 0 : 1 / total;              /* no key was allowed: no weights, no gradient */
            top[j] = total == 0 ? 0 : args->top[first + t + j];
            pull[j] = total == 0 ? 0 : pull[j];
        }
        const fnn_size seen = fnn_min(u_end, fnn_keys_seen(a, t + at.queries));
        if (dq && seen <= u_begin)
            FN(attention_clear)(dq + t * a->dq.rs, a->dq.rs, at.queries, HS);
        for (at.u = u_begin; at.u < seen; at.u += TILE_U) {
            at.keys = fnn_min(TILE_U, seen - at.u);
            at.ahead = a->causal ? t - at.u : TILE_U;
            const REAL *k_u = k + at.u * a->k.rs, *v_u = v + at.u * a->v.rs;
            FN(attention_products)(room.s, k_u, a->k.rs, room.q, q_t, a->q.rs, HS, &at);
            FN(attention_products)(room.ds, v_u, a->v.rs, room.dy, dy_t, a->dy.rs, HV, &at);
            FN(attention_mask)(a, &room, &at);
            if (a->dropout > 0)
                FN(attention_dropout)(a, &room, &at);
            for (fnn_size j = 0; j < at.lanes; j += GEMM_NR) {
                const fnn_size rows = FN(attention_seen)(&at, j);
                FN(attention_edge)(room.s, &at, j, rows, -(REAL)INFINITY);
                FN(attention_edge)(room.ds, &at, j, rows, 0);
                FN(attention_weights_backward)(room.s + j, room.ds + j, a->dropout > 0 ? room.factors + j : NULL,
                                               top + j, share + j, pull + j,
                                               factor, rows, dmask ? at.keys : FN(attention_rest)(&at, rows));
            }
            if (dmask) {
                FN(gemm_pack)(room.beside, TILE_U, at.keys, at.keys, room.ds, TILE_T, 1, at.queries);
                for (fnn_size j = 0; j < at.queries; j++)
                    memcpy(dmask + (t + j) * a->U + at.u, room.beside + j * TILE_U, (size_t)at.keys * sizeof(REAL));
            }
            /* rows of dk and dv that have begun */
            const fnn_size added = fnn_max(0, fnn_min(at.keys, begun - at.u));
            if (dv)     /* forward was  y = (d p) v */
                FN(attention_by_key)(dv + at.u * a->dv.rs, a->dv.rs, room.s, dy_t, a->dy.rs, at.queries, at.keys, HV,
                                     added, 1, at.ahead);
            if (dk)     /* forward was  s = scale q k^T */
                FN(attention_by_key)(dk + at.u * a->dk.rs, a->dk.rs, room.ds, q_t, a->q.rs, at.queries, at.keys, HS,
                                     added, (REAL)a->scale,
                                     at.ahead);
            if (dq)
                FN(attention_by_query)(dq + t * a->dq.rs, a->dq.rs, room.ds, k_u, a->k.rs, at.queries, at.keys, HS,
                                       at.u > u_begin ? FN(attention_ones) : NULL, scales, at.ahead);
        }
        begun = fnn_max(begun, seen);
    }
    if (dk)             /* keys that no query saw */
        FN(attention_clear)(dk + begun * a->dk.rs, a->dk.rs, u_end - begun, HS);
    if (dv)
        FN(attention_clear)(dv + begun * a->dv.rs, a->dv.rs, u_end - begun, HV);
    fnn_scratch_free(room.q);
}

static void FN(attention_backward_items)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(attention_args) *args = ctx;
    for (fnn_size item = begin; item < end; item++)
        FN(attention_backward_tiles)(args, args->dq, args->dk, args->dv, args->dmask, item, 0, args->about->T, 0,
                                     args->about->U);
}

static void FN(attention_backward_queries)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(attention_args) *args = ctx;
    const fnn_size T = args->about->T, blocks = fnn_ceil_div(T, TILE_T);
    for (fnn_size b = begin; b < end; b++) {
        const fnn_size t0 = b % blocks * TILE_T;
        FN(attention_backward_tiles)(args, args->dq, NULL, NULL, args->dmask, b / blocks, t0, fnn_min(T, t0 + TILE_T),
                                     0, args->about->U);
    }
}

static void FN(attention_backward_keys)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(attention_args) *args = ctx;
    const fnn_size U = args->about->U, blocks = fnn_ceil_div(U, TILE_U);
    for (fnn_size b = begin; b < end; b++) {
        const fnn_size u0 = b % blocks * TILE_U;
        FN(attention_backward_tiles)(args, NULL, args->dk, args->dv, NULL, b / blocks, 0, args->about->T, u0,
                                     fnn_min(U, u0 + TILE_U));
    }
}

void FN(attention_backward)(REAL *dq, REAL *dk, REAL *dv, REAL *dmask, const REAL *dy, const REAL *y, const REAL *top,
                            const REAL *total,
                            const REAL *q, const REAL *k, const REAL *v, const fnn_attention *about)
{
    FN(attention_args) args = { .about = about, .y = (REAL *)y, .top = (REAL *)top, .total = (REAL *)total, .dq = dq,
                               .dk = dk, .dv = dv,
                                .dmask = dmask, .q = q, .k = k, .v = v, .dy = dy };
    const fnn_size t_blocks = fnn_ceil_div(about->T, TILE_T), u_blocks = fnn_ceil_div(about->U, TILE_U);
    const int want_queries = dq || dmask, want_keys = dk || dv, threads = fnn_num_threads();
    if (want_queries && want_keys && (threads == 1 || about->items >= 4 * threads)) {
        fnn_parallel_for(about->items, fnn_attention_grain(about, about->T, about->U), FN(attention_backward_items),
                         &args);
        return;
    }
    if (want_queries)
        fnn_parallel_for(about->items * t_blocks, fnn_attention_grain(about, fnn_min(TILE_T, about->T), about->U),
                         FN(attention_backward_queries), &args);
    if (want_keys)
        fnn_parallel_for(about->items * u_blocks, fnn_attention_grain(about, about->T, fnn_min(TILE_U, about->U)),
                         FN(attention_backward_keys), &args);
}
