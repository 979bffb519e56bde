/* attention.tmpl.h -- scaled dot-product attention, forward and backward, in memory linear in the sequence length.
 *
 * Math       s[t,u] = scale sum_c q[t,c] k[u,c] + mask[t,u],   p[t,u] = exp(s[t,u]) / sum_u exp(s[t,u]),   y[t] = sum_u d[t,u] p[t,u] v[u]
 *            where d is 1, or with dropout 0 or 1 / (1 - dropout). Backward, with dp[t,u] = d[t,u] sum_j dy[t,j] v[u,j]:
 *            ds[t,u] = p[t,u] (dp[t,u] - pull[t]),   pull[t] = sum_u p[t,u] dp[t,u] = sum_j dy[t,j] y[t,j]
 *            dq = scale ds k,   dk = scale ds^T q,   dv = (d p)^T dy,   dmask = ds
 * Symbols    T queries, U keys, HS head size, HV size of a value; an item is one head of one batch entry.
 * Layout     see attention.h. Scores live in tiles of TILE_T x TILE_U in scratch; there is never a T x U array (except dmask, which is one).
 * Method     Forward, for a block of queries: tile by tile along the keys, keep the largest score so far and the sum of exponentials so
 *            far; when the largest grows, what is in y and in the sum is scaled down ("online softmax"). Backward computes each tile's
 *            scores again from q and k: cheaper than storing them. Tiles above the causal diagonal are skipped.
 * Cost       forward 2 T U (HS + HV) flop and T U exponentials an item; backward 2.5 times the flop. Causal: half of both.
 *            Memory: the results, and 2 T numbers an item.
 * Threads    forward: blocks of queries of all items. Backward: with enough items for the threads a block is an item and each tile's
 *            scores are computed once; else dk and dv go by blocks of keys and dq by blocks of queries, and scores are computed for each.
 *            Tiles and the order of every sum are the same either way, and so are the bits. One writer per element.
 * Reference  fastnn/reference/attention.py; Milakov, Gimelshein (2018), "Online normalizer calculation for softmax"; Rabe, Staats (2021),
 *            "Self-attention does not need O(n^2) memory"; Dao et al. (2022), "FlashAttention".
 */
#include "philox_words.h"
#include "rows.h"

#ifndef FNN_ATTENTION_TEMPLATE_ONCE
#define FNN_ATTENTION_TEMPLATE_ONCE
enum {
    TILE_T = 64, TILE_U = 128,                      /* TILE_U: a multiple of TILE_T (the causal edge), at most PHILOX_WORDS (dropout) */
    ATTENTION_WORK = 1 << 20                        /* multiply-adds that a block of a parallel loop should be worth */
};

static inline fnn_size fnn_smaller(fnn_size a, fnn_size b) { return a < b ? a : b; }
static inline fnn_size fnn_matrix_of(const fnn_size *of, fnn_size item) { return of ? of[item] : item; }

static fnn_size fnn_attention_grain(const fnn_attention *a, fnn_size queries, fnn_size keys)
{
    const double work = (double)queries * (double)keys * (double)(a->HS + a->HV) + 1;
    return work >= ATTENTION_WORK ? 1 : (fnn_size)(ATTENTION_WORK / work);
}

/* How many keys the queries before `t_end` may see. */
static inline fnn_size fnn_keys_seen(const fnn_attention *a, fnn_size t_end) { return a->causal ? fnn_smaller(a->U, t_end) : a->U; }
#endif

typedef struct {
    const fnn_attention *about;
    REAL *y, *top, *total, *dq, *dk, *dv, *dmask, *pull;
    const REAL *q, *k, *v, *dy;
} FN(attention_args);

/* ---- one row of a tile --------------------------------------------------------------------------------------------------- */

/* Turn q k^T into scores, for query t of `item` and n keys from u on: those that are not allowed become -infinity, an added mask is added.
 * Returns the factor that is still to be applied. */
static REAL FN(attention_scores)(const fnn_attention *a, REAL *restrict s, fnn_size item, fnn_size t, fnn_size u, fnn_size n)
{
    REAL scale = (REAL)a->scale;
    if (a->mask_kind == FNN_ADD_MASK || !(scale > 0)) {
        for (fnn_size i = 0; i < n; i++)
            s[i] *= scale;
        scale = 1;
    }
    if (a->mask_kind != FNN_NO_MASK) {
        const fnn_size at = fnn_matrix_of(a->mask_of, item) * a->mask_size + t * a->mask_rs + u * a->mask_cs;
        if (a->mask_kind == FNN_ADD_MASK) {
            const REAL *restrict mask = (const REAL *)a->mask + at;
            if (a->mask_cs)
                for (fnn_size i = 0; i < n; i++)
                    s[i] += mask[i];
            else
                for (fnn_size i = 0; i < n; i++)
                    s[i] += mask[0];
        } else {
            const unsigned char *restrict mask = (const unsigned char *)a->mask + at;
            if (a->mask_cs)
                for (fnn_size i = 0; i < n; i++)
                    s[i] = mask[i] ? s[i] : -(REAL)INFINITY;
            else if (!mask[0])
                for (fnn_size i = 0; i < n; i++)
                    s[i] = -(REAL)INFINITY;
        }
    }
    if (a->causal)
        for (fnn_size i = t + 1 > u ? t + 1 - u : 0; i < n; i++)
            s[i] = -(REAL)INFINITY;
    return scale;
}

/* d[i] = 0 where the weight of key u + i is dropped, else 1 / (1 - dropout); u is a multiple of TILE_U, n <= TILE_U. */
static void FN(attention_dropout)(const fnn_attention *a, REAL *restrict d, fnn_size item, fnn_size t, fnn_size u, fnn_size n)
{
    const uint64_t limit = fnn_philox_threshold(a->dropout);
    const uint64_t row = (uint64_t)(item * a->T + t) * (uint64_t)((a->U + 3) / 4 * 4);
    const REAL kept = (REAL)(1 / (1 - a->dropout));
    uint32_t words[PHILOX_WORDS];
    FN(philox_words)(words, a->dropout_key, a->dropout_call, (row + (uint64_t)u) / 4);
    for (fnn_size i = 0; i < n; i++)
        d[i] = words[i] >= limit ? kept : 0;
}

static int FN(all_forbidden)(const REAL *s, fnn_size n)         /* nothing but -infinity; NaN is something */
{
    for (fnn_size i = 0; i < n; i++)
        if (s[i] != -(REAL)INFINITY)
            return 0;
    return 1;
}

/* ---- forward ------------------------------------------------------------------------------------------------------------- */

/* One more tile of a row: the products s with n keys become weights exp(scale (s - top)), unnormalised; y, top, total are brought up to date. */
static void FN(attention_row)(const fnn_attention *a, REAL *restrict s, REAL *restrict y, REAL *top, REAL *total,
                              fnn_size item, fnn_size t, fnn_size u, fnn_size n)
{
    const REAL scale = FN(attention_scores)(a, s, item, t, u, n), before = *top;
    const REAL here = FN(row_max)(s, n), now = here > before ? here : before;
    if (now == -(REAL)INFINITY && FN(all_forbidden)(s, n)) {
        memset(s, 0, (size_t)n * sizeof(REAL));
        return;
    }
    if (now > before) {
        const REAL shrink = FN(exp_of_negative)((before - now) * scale);     /* 0 at first, where before is -infinity */
        *top = now;
        *total *= shrink;
        for (fnn_size j = 0; j < a->HV; j++)
            y[j] *= shrink;
    }
    *total += FN(row_exp)(s, s, scale, now, n);
    if (a->dropout > 0) {
        REAL d[TILE_U];
        FN(attention_dropout)(a, d, item, t, u, n);
        for (fnn_size i = 0; i < n; i++)
            s[i] *= d[i];
    }
}

static void FN(attention_forward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(attention_args) *args = ctx;
    const fnn_attention *a = args->about;
    const fnn_size blocks = (a->T + TILE_T - 1) / TILE_T;
    REAL *tile = fnn_scratch_alloc(TILE_T * TILE_U * sizeof(REAL));
    for (fnn_size b = begin; b < end; b++) {
        const fnn_size item = b / blocks, t0 = b % blocks * TILE_T, queries = fnn_smaller(TILE_T, a->T - t0);
        const fnn_size seen = fnn_keys_seen(a, t0 + queries);
        const REAL *q = args->q + (fnn_matrix_of(a->q_of, item) * a->T + t0) * a->HS;
        const REAL *k = args->k + fnn_matrix_of(a->k_of, item) * a->U * a->HS;
        const REAL *v = args->v + fnn_matrix_of(a->v_of, item) * a->U * a->HV;
        REAL *y = args->y + (item * a->T + t0) * a->HV;
        REAL *top = args->top + item * a->T + t0, *total = args->total + item * a->T + t0;
        memset(y, 0, (size_t)(queries * a->HV) * sizeof(REAL));
        for (fnn_size t = 0; t < queries; t++) {
            top[t] = -(REAL)INFINITY;
            total[t] = 0;
        }
        for (fnn_size u0 = 0; u0 < seen; u0 += TILE_U) {
            const fnn_size keys = fnn_smaller(TILE_U, seen - u0);
            FN(gemm)(tile, TILE_U, q, a->HS, 1, k + u0 * a->HS, 1, a->HS, NULL, NULL, queries, keys, a->HS, 0);          /* q k^T */
            for (fnn_size t = 0; t < queries; t++)
                FN(attention_row)(a, tile + t * TILE_U, y + t * a->HV, top + t, total + t, item, t0 + t, u0, keys);
            FN(gemm)(y, a->HV, tile, TILE_U, 1, v + u0 * a->HV, a->HV, 1, NULL, NULL, queries, a->HV, keys, 1);          /* y += p v */
        }
        for (fnn_size t = 0; t < queries; t++)
            if (total[t] != 0) {                                /* 0 only where no key was allowed: y stays 0 */
                const REAL share = 1 / total[t];
                for (fnn_size j = 0; j < a->HV; j++)
                    y[t * a->HV + j] *= share;
            }
    }
    fnn_scratch_free(tile);
}

void FN(attention_forward)(REAL *y, REAL *top, REAL *total, const REAL *q, const REAL *k, const REAL *v, const fnn_attention *about)
{
    FN(attention_args) args = { .about = about, .y = y, .top = top, .total = total, .q = q, .k = k, .v = v };
    const fnn_size blocks = (about->T + TILE_T - 1) / TILE_T;
    fnn_parallel_for(about->items * blocks, fnn_attention_grain(about, fnn_smaller(TILE_T, about->T), about->U),
                     FN(attention_forward_block), &args);
}

/* ---- backward ------------------------------------------------------------------------------------------------------------ */

/* One row of a tile: p holds q k^T and becomes d p (what multiplied v), ds holds dy v^T and becomes scale * ds; dmask gets ds. */
static void FN(attention_row_backward)(const fnn_attention *a, REAL *restrict p, REAL *restrict ds, REAL *restrict dmask,
                                       REAL top, REAL total, REAL pull, fnn_size item, fnn_size t, fnn_size u, fnn_size n)
{
    if (total == 0) {                                           /* no key was allowed: no gradient */
        memset(p, 0, (size_t)n * sizeof(REAL));
        memset(ds, 0, (size_t)n * sizeof(REAL));
        if (dmask)
            memset(dmask, 0, (size_t)n * sizeof(REAL));
        return;
    }
    const REAL scale = FN(attention_scores)(a, p, item, t, u, n), share = 1 / total, full_scale = (REAL)a->scale;
    if (a->dropout > 0) {
        REAL d[TILE_U];
        FN(attention_dropout)(a, d, item, t, u, n);
        for (fnn_size i = 0; i < n; i++) {
            const REAL weight = FN(exp_of_negative)((p[i] - top) * scale) * share;
            ds[i] = weight * (ds[i] * d[i] - pull);
            p[i] = weight * d[i];
        }
    } else {
        for (fnn_size i = 0; i < n; i++) {
            const REAL weight = FN(exp_of_negative)((p[i] - top) * scale) * share;
            ds[i] = weight * (ds[i] - pull);                    /* forward was  p = exp(s) / sum exp(s) */
            p[i] = weight;
        }
    }
    if (dmask)
        memcpy(dmask, ds, (size_t)n * sizeof(REAL));            /* forward was  s = scale q k^T + mask */
    for (fnn_size i = 0; i < n; i++)
        ds[i] *= full_scale;
}

/* The tiles of one item with queries t_begin..t_end and keys u_begin..u_end: add their part to dq, dk, dv (those that are not NULL). */
static void FN(attention_backward_tiles)(const FN(attention_args) *args, REAL *dq, REAL *dk, REAL *dv, REAL *dmask, fnn_size item,
                                         fnn_size t_begin, fnn_size t_end, fnn_size u_begin, fnn_size u_end)
{
    const fnn_attention *a = args->about;
    const fnn_size HS = a->HS, HV = a->HV, rows = item * a->T;
    const REAL *q = args->q + fnn_matrix_of(a->q_of, item) * a->T * HS;
    const REAL *k = args->k + fnn_matrix_of(a->k_of, item) * a->U * HS;
    const REAL *v = args->v + fnn_matrix_of(a->v_of, item) * a->U * HV;
    const REAL *dy = args->dy + rows * HV;
    dq = dq ? dq + rows * HS : NULL;
    dk = dk ? dk + item * a->U * HS : NULL;
    dv = dv ? dv + item * a->U * HV : NULL;
    dmask = dmask ? dmask + rows * a->U : NULL;
    if (dq)
        memset(dq + t_begin * HS, 0, (size_t)((t_end - t_begin) * HS) * sizeof(REAL));
    if (dk)
        memset(dk + u_begin * HS, 0, (size_t)((u_end - u_begin) * HS) * sizeof(REAL));
    if (dv)
        memset(dv + u_begin * HV, 0, (size_t)((u_end - u_begin) * HV) * sizeof(REAL));
    if (dmask)
        memset(dmask + t_begin * a->U, 0, (size_t)((t_end - t_begin) * a->U) * sizeof(REAL));

    REAL *p = fnn_scratch_alloc(2 * TILE_T * TILE_U * sizeof(REAL)), *ds = p + TILE_T * TILE_U;
    for (fnn_size u0 = u_begin; u0 < u_end; u0 += TILE_U)
        for (fnn_size t0 = a->causal && u0 > t_begin ? u0 : t_begin; t0 < t_end; t0 += TILE_T) {   /* no query before u0 sees key u0 */
            const fnn_size queries = fnn_smaller(TILE_T, t_end - t0);
            const fnn_size keys = fnn_smaller(TILE_U, fnn_smaller(u_end, fnn_keys_seen(a, t0 + queries)) - u0);
            const REAL *q_t = q + t0 * HS, *k_u = k + u0 * HS, *v_u = v + u0 * HV, *dy_t = dy + t0 * HV;
            FN(gemm)(p, TILE_U, q_t, HS, 1, k_u, 1, HS, NULL, NULL, queries, keys, HS, 0);                  /* q k^T */
            FN(gemm)(ds, TILE_U, dy_t, HV, 1, v_u, 1, HV, NULL, NULL, queries, keys, HV, 0);                /* dy v^T */
            for (fnn_size t = 0; t < queries; t++)
                FN(attention_row_backward)(a, p + t * TILE_U, ds + t * TILE_U, dmask ? dmask + (t0 + t) * a->U + u0 : NULL,
                                           args->top[rows + t0 + t], args->total[rows + t0 + t], args->pull[rows + t0 + t],
                                           item, t0 + t, u0, keys);
            if (dv)     /* forward was  y = (d p) v */
                FN(gemm)(dv + u0 * HV, HV, p, 1, TILE_U, dy_t, HV, 1, NULL, NULL, keys, HV, queries, 1);
            if (dk)     /* forward was  s = scale q k^T */
                FN(gemm)(dk + u0 * HS, HS, ds, 1, TILE_U, q_t, HS, 1, NULL, NULL, keys, HS, queries, 1);
            if (dq)
                FN(gemm)(dq + t0 * HS, HS, ds, TILE_U, 1, k_u, HS, 1, NULL, NULL, queries, HS, keys, 1);
        }
    fnn_scratch_free(p);
}

static void FN(attention_backward_items)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(attention_args) *args = ctx;
    for (fnn_size item = begin; item < end; item++)
        FN(attention_backward_tiles)(args, args->dq, args->dk, args->dv, args->dmask, item, 0, args->about->T, 0, args->about->U);
}

static void FN(attention_backward_queries)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(attention_args) *args = ctx;
    const fnn_size T = args->about->T, blocks = (T + TILE_T - 1) / TILE_T;
    for (fnn_size b = begin; b < end; b++) {
        const fnn_size t0 = b % blocks * TILE_T, t_end = fnn_smaller(T, t0 + TILE_T);
        FN(attention_backward_tiles)(args, args->dq, NULL, NULL, args->dmask, b / blocks, t0, t_end, 0, fnn_keys_seen(args->about, t_end));
    }
}

static void FN(attention_backward_keys)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(attention_args) *args = ctx;
    const fnn_size U = args->about->U, blocks = (U + TILE_U - 1) / TILE_U;
    for (fnn_size b = begin; b < end; b++) {
        const fnn_size u0 = b % blocks * TILE_U;
        FN(attention_backward_tiles)(args, NULL, args->dk, args->dv, NULL, b / blocks, 0, args->about->T, u0, fnn_smaller(U, u0 + TILE_U));
    }
}

/* pull[t] = sum_j dy[t,j] y[t,j] */
static void FN(attention_pulls)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(attention_args) *args = ctx;
    const fnn_size HV = args->about->HV;
    for (fnn_size t = begin; t < end; t++) {
        const REAL *restrict dy = args->dy + t * HV, *restrict y = args->y + t * HV;
        REAL sum = 0;
#pragma omp simd reduction(+ : sum)
        for (fnn_size j = 0; j < HV; j++)
            sum += dy[j] * y[j];
        args->pull[t] = sum;
    }
}

void FN(attention_backward)(REAL *dq, REAL *dk, REAL *dv, REAL *dmask, const REAL *dy, const REAL *y, const REAL *top, const REAL *total,
                            const REAL *q, const REAL *k, const REAL *v, REAL *pull, const fnn_attention *about)
{
    FN(attention_args) args = { .about = about, .y = (REAL *)y, .top = (REAL *)top, .total = (REAL *)total, .dq = dq, .dk = dk, .dv = dv,
                                .dmask = dmask, .pull = pull, .q = q, .k = k, .v = v, .dy = dy };
    const fnn_size t_blocks = (about->T + TILE_T - 1) / TILE_T, u_blocks = (about->U + TILE_U - 1) / TILE_U;
    const int want_queries = dq || dmask, want_keys = dk || dv, threads = fnn_num_threads();
    fnn_parallel_for(about->items * about->T, 1 + 16384 / (about->HV + 1), FN(attention_pulls), &args);
    if (want_queries && want_keys && (threads == 1 || about->items >= 4 * threads)) {
        fnn_parallel_for(about->items, fnn_attention_grain(about, about->T, about->U), FN(attention_backward_items), &args);
        return;
    }
    if (want_queries)
        fnn_parallel_for(about->items * t_blocks, fnn_attention_grain(about, fnn_smaller(TILE_T, about->T), about->U),
                         FN(attention_backward_queries), &args);
    if (want_keys)
        fnn_parallel_for(about->items * u_blocks, fnn_attention_grain(about, about->T, fnn_smaller(TILE_U, about->U)),
                         FN(attention_backward_keys), &args);
}
