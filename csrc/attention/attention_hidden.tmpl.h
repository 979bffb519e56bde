/* attention_hidden.tmpl.h -- part of attention.tmpl.h: items in which something that is not finite
 * stands behind a mask.
 *
 * Why        A key that a query may not see has the weight 0, and so has a weight that was dropped,
 *            and all keys of a query whose scores are all -infinity. In a tile that 0 is multiplied
 *            with the key's value, and 0 times infinity or NaN is NaN. So where anything is hidden,
 *            results that are not finite are noticed, and their queries or items are computed once
 *            more, here, leaving out what is hidden.
 * Notice     One row of a result is enough, if all that may spoil the others is multiplied into it:
 *            of y in a block of queries the last one, and of an item's gradients the last row of dq
 *            and the first of dk.
 * Method     query by query, key by key, from the largest score and the sum that forward kept:
 *            these are right, because hidden scores are replaced and not multiplied
 * Symbols    attention.tmpl.h; i counts the keys of one query from key u on
 */

/* Whether some weights may be 0 because of a mask or dropout. */
static inline int FN(attention_hides)(const fnn_attention *about)
{
    return about->mask_kind != FNN_NO_MASK || about->causal || about->dropout > 0;
}

/* 0 where all rows are finite, else NaN */
static REAL FN(attention_test)(const REAL *rows, fnn_size rs, fnn_size count, fnn_size n)
{
    vec test = v_set(0);
    REAL rest = 0;
    for (fnn_size i = 0; i < count; i++) {
        const REAL *row = rows + i * rs;
        fnn_size j = 0;
        for (; j + 4 * VL <= n; j += 4 * VL)
#pragma GCC unroll 4
            for (fnn_size part = 0; part < 4; part++)
                test += v_load(row + j + part * VL) * v_set(0);
        for (; j + VL <= n; j += VL)
            test += v_load(row + j) * v_set(0);
        for (; j < n; j++)
            rest += row[j] * 0;
    }
    return v_sum(test) + rest;
}

static int FN(attention_finite)(const REAL *rows, fnn_size rs, fnn_size count, fnn_size n)
{
    return FN(attention_test)(rows, rs, count, n) == 0;
}

/* Of query t of an item and keys [u, u + keys), at most TILE_U of them, which the query sees as far
 * as causality goes: the weights; d, their factors of dropout; and which of them are hidden. */
static void FN(attention_hidden_weights)(const FN(attention_args) *args, REAL *weights, REAL *d, char *hidden,
                                         fnn_size item, fnn_size t, fnn_size u, fnn_size keys)
{
    const fnn_attention *about = args->about;
    const fnn_size from = about->mask_kind == FNN_NO_MASK ? 0 : FN(attention_mask_at)(about, item, t, u);
    const REAL *q = args->q + about->q.at[item] + t * about->q.rs;
    const REAL *k = args->k + about->k.at[item] + u * about->k.rs;
    const REAL top = args->top[item * about->T + t], total = args->total[item * about->T + t];
    const REAL factor = FN(attention_factor)(about), least = -127 / factor;
    uint32_t words[PHILOX_WORDS];
    const uint64_t threshold = fnn_philox_threshold(about->dropout);
    if (about->dropout > 0)
        FN(attention_words)(words, about, item, t, u);
    FN(attention_few_scores)(weights, q, k, about->k.rs, keys, about->HS);
    for (fnn_size i = 0; i < keys; i++) {
        REAL score = weights[i] * (FN(attention_scaled)(about) ? (REAL)about->scale : 1);
        hidden[i] = total == 0;
        if (about->mask_kind == FNN_ALLOW_MASK)
            hidden[i] |= !((const unsigned char *)about->mask)[from + i * about->mask_cs];
        else if (about->mask_kind == FNN_ADD_MASK) {
            const REAL added = ((const REAL *)about->mask)[from + i * about->mask_cs];
            hidden[i] |= added == -(REAL)INFINITY;
            score += added;
        }
        weights[i] = hidden[i] ? 0 : FN(exp2_of_scaled)(score - top, factor, least) / total;
        d[i] = hidden[i] ? 0 : about->dropout <= 0 ? 1 : words[i] >= threshold ? (REAL)(1 / (1 - about->dropout)) : 0;
    }
}

/* Whether a hidden value may have come into y of queries [t, t_end), a block of tiles. One that is
 * not finite spoils its column for all queries of the block that read it, also where its weight is
 * 0, and the last query reads what the others do. Of a query without an allowed key y is cleared
 * and shows nothing. A query that is not finite itself spoils only its own weights: their sum
 * shows it. */
static int FN(attention_spoiled)(const FN(attention_args) *args, fnn_size item, fnn_size t, fnn_size t_end)
{
    const fnn_attention *about = args->about;
    const REAL *total = args->total + item * about->T;
    if (!FN(attention_hides)(about))
        return 0;
    REAL test = 0;
    for (fnn_size i = t; i < t_end; i++)
        test += total[i] * 0;
    if (!(test == 0))
        return 1;
    fnn_size last = t_end - 1;
    while (last > t && total[last] == 0)
        last--;
    return !FN(attention_finite)(args->y + about->y.at[item] + last * about->y.rs, 0, 1, about->HV);
}

/* y of queries [t, t_end) once more. Where d is 0 nothing is multiplied by it. */
static void FN(attention_mend_forward)(const FN(attention_args) *args, fnn_size item, fnn_size t, fnn_size t_end)
{
    const fnn_attention *about = args->about;
    REAL *y = args->y + about->y.at[item], weights[TILE_U], d[TILE_U];
    char hidden[TILE_U];
    for (; t < t_end; t++) {
        REAL *y_t = y + t * about->y.rs;
        memset(y_t, 0, (size_t)about->HV * sizeof(REAL));
        for (fnn_size u = 0; u < fnn_keys_seen(about, t + 1); u += TILE_U) {
            const fnn_size keys = fnn_min(TILE_U, fnn_keys_seen(about, t + 1) - u);
            FN(attention_hidden_weights)(args, weights, d, hidden, item, t, u, keys);
            const REAL *v = args->v + about->v.at[item] + u * about->v.rs;
            for (fnn_size i = 0; i < keys; i++)
                for (fnn_size j = 0; d[i] != 0 && j < about->HV; j++)
                    y_t[j] += d[i] * weights[i] * v[i * about->v.rs + j];
        }
    }
}

/* to[j] += times from[j]; nothing where `to`, a row of a gradient, is NULL: not wanted */
static void FN(attention_add)(REAL *restrict to, REAL times, const REAL *restrict from, fnn_size n)
{
    for (fnn_size j = 0; to && j < n; j++)
        to[j] += times * from[j];
}

/* Whether something hidden may have come into the gradients of an item. What is not finite in k or
 * v spoils dq of all queries that read it, and the last one reads all keys that are read. What is
 * not finite in q or dy spoils dk of the first key, which all queries read. With these it spoils
 * dv and dmask. Where dq or dk is not wanted, all of what is wanted is looked at. */
static int FN(attention_spoiled_backward)(const FN(attention_args) *args, fnn_size item)
{
    const fnn_attention *about = args->about;
    const fnn_size T = about->T, U = about->U, HS = about->HS, HV = about->HV;
    const REAL *dq = args->dq ? args->dq + about->dq.at[item] : NULL;
    const REAL *dk = args->dk ? args->dk + about->dk.at[item] : NULL;
    const REAL *dv = args->dv ? args->dv + about->dv.at[item] : NULL;
    if (dq && dk && T > 0 && U > 0 && HS > 0)
        return !FN(attention_finite)(dq + (T - 1) * about->dq.rs, 0, 1, HS) || !FN(attention_finite)(dk, 0, 1, HS);
    return (dq && !FN(attention_finite)(dq, about->dq.rs, T, HS))
        || (dk && !FN(attention_finite)(dk, about->dk.rs, U, HS))
        || (dv && !FN(attention_finite)(dv, about->dv.rs, U, HV))
        || (args->dmask && !FN(attention_finite)(args->dmask + item * T * U, U, T, U));
}

/* The gradients of an item once more. */
static void FN(attention_mend_backward)(const FN(attention_args) *args, fnn_size item)
{
    const fnn_attention *about = args->about;
    const fnn_size T = about->T, U = about->U, HS = about->HS, HV = about->HV;
    REAL *dq = args->dq ? args->dq + about->dq.at[item] : NULL, *dk = args->dk ? args->dk + about->dk.at[item] : NULL;
    REAL *dv = args->dv ? args->dv + about->dv.at[item] : NULL;
    REAL *dmask = args->dmask ? args->dmask + item * T * U : NULL;
    const REAL *q = args->q + about->q.at[item], *k = args->k + about->k.at[item], *v = args->v + about->v.at[item];
    const REAL *dy = args->dy + about->dy.at[item], *y = args->y + about->y.at[item];
    REAL weights[TILE_U], d[TILE_U], dy_v[TILE_U], pull;
    char hidden[TILE_U];
    if (dq) FN(attention_clear)(dq, about->dq.rs, T, HS);
    if (dk) FN(attention_clear)(dk, about->dk.rs, U, HS);
    if (dv) FN(attention_clear)(dv, about->dv.rs, U, HV);
    if (dmask) FN(attention_clear)(dmask, U, T, U);
    for (fnn_size t = 0; t < T; t++) {
        const REAL *q_t = q + t * about->q.rs, *dy_t = dy + t * about->dy.rs;
        FN(attention_pull)(&pull, dy_t, about->dy.rs, y + t * about->y.rs, about->y.rs, 1, HV);
        for (fnn_size u = 0; u < fnn_keys_seen(about, t + 1); u += TILE_U) {
            const fnn_size keys = fnn_min(TILE_U, fnn_keys_seen(about, t + 1) - u);
            FN(attention_hidden_weights)(args, weights, d, hidden, item, t, u, keys);
            FN(attention_few_scores)(dy_v, dy_t, v + u * about->v.rs, about->v.rs, keys, HV);
            for (fnn_size i = 0; i < keys; i++) {
                const REAL *k_u = k + (u + i) * about->k.rs;
                if (hidden[i])
                    continue;
                /* forward was  y = (d p) v  and  p = exp(s) / sum exp(s) */
                const REAL dp = d[i] == 0 ? 0 : d[i] * dy_v[i];
                const REAL ds = weights[i] * (dp - pull);
                if (d[i] != 0)
                    FN(attention_add)(dv ? dv + (u + i) * about->dv.rs : NULL, d[i] * weights[i], dy_t, HV);
                FN(attention_add)(dq ? dq + t * about->dq.rs : NULL, (REAL)about->scale * ds, k_u, HS);
                FN(attention_add)(dk ? dk + (u + i) * about->dk.rs : NULL, (REAL)about->scale * ds, q_t, HS);
                if (dmask)
                    dmask[t * U + u + i] = ds;
            }
        }
    }
}

/* Whether a query gets nothing though no mask says so: all its scores are -infinity. */
static int FN(attention_misses)(const FN(attention_args) *args)
{
    int misses = 0;
    for (fnn_size i = 0; i < args->about->items * args->about->T; i++)
        misses |= args->total[i] == 0;
    return misses;
}

/* The loop counts attention's items. */
static void FN(attention_mend_block)(void *ctx, fnn_size begin, fnn_size end)
{
    for (fnn_size item = begin; item < end; item++)
        if (FN(attention_spoiled_backward)(ctx, item))
            FN(attention_mend_backward)(ctx, item);
}
