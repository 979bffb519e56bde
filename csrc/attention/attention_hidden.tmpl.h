/* attention_hidden.tmpl.h -- part of attention.tmpl.h: items in which something that is not finite
 * stands behind a mask.
 *
 * Why        A key that a query may not see has the weight 0, and so has a weight that was dropped.
 *            In a tile that 0 is multiplied with the key's value, and 0 times infinity or NaN is
 *            NaN. So where anything is hidden, results that are not finite are noticed, and their
 *            queries or items are computed once more, here, leaving out what is hidden.
 * Method     query by query, key by key, from the largest score and the sum that forward kept:
 *            these are right, because hidden scores are replaced and not multiplied
 */

/* Whether some weights may be 0 because of a mask or dropout. */
static inline int FN(attention_hides)(const fnn_attention *about)
{
    return about->mask_kind != FNN_NO_MASK || about->causal || about->dropout > 0;
}

/* 0 where all rows are finite, else NaN */
static REAL FN(attention_finite)(const REAL *rows, fnn_size rs, fnn_size count, fnn_size n)
{
    vec test = v_set(0);
    REAL rest = 0;
    for (fnn_size i = 0; i < count; i++, rows += rs) {
        fnn_size j = 0;
        for (; j + 4 * VL <= n; j += 4 * VL)
#pragma GCC unroll 4
            for (fnn_size l = 0; l < 4; l++)
                test += v_load(rows + j + l * VL) * v_set(0);
        for (; j + VL <= n; j += VL)
            test += v_load(rows + j) * v_set(0);
        for (; j < n; j++)
            rest += rows[j] * 0;
    }
    return v_sum(test) + rest;
}

/* The weights of query t of an item for keys [u, u + keys), at most TILE_U of them, which the query
 * sees as far as causality goes; their factors of dropout; and which of them are hidden. */
static void FN(attention_hidden_weights)(const FN(attention_args) *args, REAL *weights, REAL *factors, char *hidden,
                                         fnn_size item, fnn_size t, fnn_size u, fnn_size keys)
{
    const fnn_attention *about = args->about;
    const fnn_size mask = about->mask_kind == FNN_NO_MASK
                        ? 0 : about->mask_at[item] + t * about->mask_rs + u * about->mask_cs;
    const REAL *q = args->q + about->q.at[item] + t * about->q.rs;
    const REAL *k = args->k + about->k.at[item] + u * about->k.rs;
    const REAL top = args->top[item * about->T + t], total = args->total[item * about->T + t];
    const REAL factor = FN(attention_factor)(about), least = -127 / factor;
    uint32_t words[PHILOX_WORDS];
    const uint64_t limit = fnn_philox_threshold(about->dropout);
    if (about->dropout > 0) {
        const uint64_t row = (uint64_t)(item * about->T + t) * (uint64_t)((about->U + 3) / 4 * 4);
        FN(philox_words)(words, about->dropout_key, about->dropout_call, (row + (uint64_t)u) / 4);
    }
    FN(attention_few_scores)(weights, q, k, about->k.rs, keys, about->HS);
    for (fnn_size i = 0; i < keys; i++) {
        REAL score = weights[i] * (FN(attention_scaled)(about) ? (REAL)about->scale : 1);
        hidden[i] = total == 0;
        if (about->mask_kind == FNN_ALLOW_MASK)
            hidden[i] |= !((const unsigned char *)about->mask)[mask + i * about->mask_cs];
        else if (about->mask_kind == FNN_ADD_MASK) {
            const REAL added = ((const REAL *)about->mask)[mask + i * about->mask_cs];
            hidden[i] |= added == -(REAL)INFINITY;
            score += added;
        }
        weights[i] = hidden[i] ? 0 : FN(exp2_of_scaled)(score - top, factor, least) / total;
        factors[i] = hidden[i] ? 0 : about->dropout <= 0 ? 1 : words[i] >= limit ? (REAL)(1 / (1 - about->dropout)) : 0;
    }
}

/* y of queries [t, t_end) once more, if it is not finite. */
static void FN(attention_mend_forward)(const FN(attention_args) *args, fnn_size item, fnn_size t, fnn_size t_end)
{
    const fnn_attention *about = args->about;
    REAL *y = args->y + about->y.at[item] + t * about->y.rs, weights[TILE_U], factors[TILE_U];
    char hidden[TILE_U];
    if (!FN(attention_hides)(about) || FN(attention_finite)(y, about->y.rs, t_end - t, about->HV) == 0)
        return;
    for (; t < t_end; t++, y += about->y.rs) {
        memset(y, 0, (size_t)about->HV * sizeof(REAL));
        for (fnn_size u = 0; u < fnn_keys_seen(about, t + 1); u += TILE_U) {
            const fnn_size keys = fnn_min(TILE_U, fnn_keys_seen(about, t + 1) - u);
            FN(attention_hidden_weights)(args, weights, factors, hidden, item, t, u, keys);
            const REAL *v = args->v + about->v.at[item] + u * about->v.rs;
            for (fnn_size i = 0; i < keys; i++, v += about->v.rs)
                for (fnn_size j = 0; factors[i] != 0 && j < about->HV; j++)
                    y[j] += factors[i] * weights[i] * v[j];
        }
    }
}

/* c[j] += a b[j] */
static void FN(attention_add)(REAL *restrict c, REAL a, const REAL *restrict b, fnn_size n)
{
    for (fnn_size j = 0; c && j < n; j++)
        c[j] += a * b[j];
}

/* The gradients of an item once more, if one is not finite. */
static void FN(attention_mend_backward)(const FN(attention_args) *args, fnn_size item)
{
    const fnn_attention *about = args->about;
    const fnn_size T = about->T, U = about->U, HS = about->HS, HV = about->HV;
    REAL *dq = args->dq ? args->dq + about->dq.at[item] : NULL, *dk = args->dk ? args->dk + about->dk.at[item] : NULL;
    REAL *dv = args->dv ? args->dv + about->dv.at[item] : NULL;
    REAL *dmask = args->dmask ? args->dmask + item * T * U : NULL;
    if ((!dq || FN(attention_finite)(dq, about->dq.rs, T, HS) == 0)
        && (!dk || FN(attention_finite)(dk, about->dk.rs, U, HS) == 0)
        && (!dv || (dq && dk) || FN(attention_finite)(dv, about->dv.rs, U, HV) == 0)     /* shows in dq or dk too */
        && (!dmask || dq || dk || FN(attention_finite)(dmask, U, T, U) == 0))
        return;
    const REAL *q = args->q + about->q.at[item], *k = args->k + about->k.at[item], *v = args->v + about->v.at[item];
    const REAL *dy = args->dy + about->dy.at[item], *y = args->y + about->y.at[item];
    REAL weights[TILE_U], factors[TILE_U], slopes[TILE_U], pull;
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
            FN(attention_hidden_weights)(args, weights, factors, hidden, item, t, u, keys);
            FN(attention_few_scores)(slopes, dy_t, v + u * about->v.rs, about->v.rs, keys, HV);
            for (fnn_size i = 0; i < keys; i++) {
                const REAL *k_u = k + (u + i) * about->k.rs;
                if (hidden[i])
                    continue;
                /* forward was  y = (d p) v  and  p = exp(s) / sum exp(s) */
                const REAL dp = factors[i] == 0 ? 0 : factors[i] * slopes[i];
                const REAL ds = weights[i] * (dp - pull);
                if (factors[i] != 0)
                    FN(attention_add)(dv ? dv + (u + i) * about->dv.rs : NULL, factors[i] * weights[i], dy_t, HV);
                FN(attention_add)(dq ? dq + t * about->dq.rs : NULL, (REAL)about->scale * ds, k_u, HS);
                FN(attention_add)(dk ? dk + (u + i) * about->dk.rs : NULL, (REAL)about->scale * ds, q_t, HS);
                if (dmask)
                    dmask[t * U + u + i] = ds;
            }
        }
    }
}

/* Items of the loop are items of attention. */
static void FN(attention_mend_block)(void *ctx, fnn_size begin, fnn_size end)
{
    for (fnn_size item = begin; item < end; item++)
        FN(attention_mend_backward)(ctx, item);
}
