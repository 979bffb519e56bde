/* attention_few.tmpl.h -- part of attention.tmpl.h: forward for a few queries, above all for one,
 * as when a sequence grows token by token.
 *
 * Method     In a tile queries lie side by side in a register, and one query would leave nearly all
 *            of it idle. Here the sum over the head size fills it: one row of k after the other is
 *            multiplied with the query, and one row of v after the other added to y. Keys and
 *            values are read from memory once, and that is what the time of one query goes to.
 *            Further queries find a tile's rows in the cache. From how many on tiles are
 *            quicker: docs/kernels/attention.md, "One query".
 * Symbols    attention.tmpl.h; i counts the keys of one query from key u on
 */

/* s[u] = sum_c q[c] k[u,c] for a few keys; two at a time, whose sums do not wait for each other */
static void FN(attention_few_scores)(REAL *s, const REAL *q, const REAL *k, fnn_size rs, fnn_size keys, fnn_size HS)
{
    for (fnn_size u = 0; u < keys; u += 2) {
        const REAL *k0 = k + u * rs, *k1 = k + fnn_min(u + 1, keys - 1) * rs;
        vec sums0 = v_set(0), sums1 = sums0;
        fnn_size c = 0;
        for (; c + VL <= HS; c += VL) {
            const vec x = v_load(q + c);
            sums0 += x * v_load(k0 + c);
            sums1 += x * v_load(k1 + c);
        }
        REAL sum0 = v_sum(sums0), sum1 = v_sum(sums1);
        for (; c < HS; c++) {
            sum0 += q[c] * k0[c];
            sum1 += q[c] * k1[c];
        }
        s[fnn_min(u + 1, keys - 1)] = sum1;
        s[u] = sum0;
    }
}

/* y = shrink y + sum_u p[u] v[u,:]; y is not read where shrink is 0 */
static void FN(attention_few_sum)(REAL *restrict y, REAL shrink, const REAL *restrict p, const REAL *restrict v,
                                  fnn_size rs, fnn_size keys, fnn_size HV)
{
    if (shrink == 0)
        memset(y, 0, (size_t)HV * sizeof(REAL));
    else if (shrink != 1)
        for (fnn_size j = 0; j < HV; j++)
            y[j] *= shrink;
    fnn_size u = 0;
    for (; u + 4 <= keys; u += 4) { /* four keys at a time: y is loaded and stored once for them */
        const REAL *restrict v0 = v + u * rs, *restrict v1 = v0 + rs, *restrict v2 = v1 + rs, *restrict v3 = v2 + rs;
        for (fnn_size j = 0; j < HV; j++)
            y[j] += (p[u] * v0[j] + p[u + 1] * v1[j]) + (p[u + 2] * v2[j] + p[u + 3] * v3[j]);
    }
    for (; u < keys; u++)
        for (fnn_size j = 0; j < HV; j++)
            y[j] += p[u] * v[u * rs + j];
}

/* Query t's products with the keys [u, u + keys) become scores, as attention_mask makes them of a
 * tile. */
static void FN(attention_few_mask)(REAL *s, const fnn_attention *about, fnn_size item, fnn_size t, fnn_size u,
                                   fnn_size keys)
{
    if (FN(attention_scaled)(about))
        for (fnn_size i = 0; i < keys; i++)
            s[i] *= (REAL)about->scale;
    if (about->mask_kind == FNN_NO_MASK)
        return;
    const fnn_size from = FN(attention_mask_at)(about, item, t, u);
    for (fnn_size i = 0; i < keys; i++)
        if (about->mask_kind == FNN_ADD_MASK) {
            const REAL added = ((const REAL *)about->mask)[from + i * about->mask_cs];
            s[i] = added == -(REAL)INFINITY ? added : s[i] + added;         /* even if s is NaN */
        } else if (!((const unsigned char *)about->mask)[from + i * about->mask_cs])
            s[i] = -(REAL)INFINITY;
}

/* Its scores become unnormalised weights, as attention_weights makes them of a tile. */
static void FN(attention_few_weights)(REAL *restrict s, REAL *top, REAL *total, REAL *shrink,
                                      const fnn_attention *about, fnn_size keys)
{
    const REAL factor = FN(attention_factor)(about), least = -127 / factor;
    const REAL now = r_max(FN(row_max)(s, keys), *top), base = now == -(REAL)INFINITY ? 0 : now;
    REAL sum = 0;
    *shrink = now > *top ? FN(exp2_of_scaled)(*top - base, factor, least) : 1;
#pragma omp simd reduction(+ : sum)
    for (fnn_size i = 0; i < keys; i++) {
        s[i] = FN(exp2_of_scaled)(s[i] - base, factor, least);
        sum += s[i];
    }
    *top = now;
    *total = *total * *shrink + sum;
}

/* Its weights times d */
static void FN(attention_few_dropout)(REAL *p, const fnn_attention *about, fnn_size item, fnn_size t, fnn_size u,
                                      fnn_size keys)
{
    uint32_t words[PHILOX_WORDS];
    const uint64_t threshold = fnn_philox_threshold(about->dropout);
    FN(attention_words)(words, about, item, t, u);
    for (fnn_size i = 0; i < keys; i++)
        p[i] = words[i] >= threshold ? p[i] * (REAL)(1 / (1 - about->dropout)) : 0;
}

/* A few queries of an item, T <= FEW, against all its keys, TILE_U of them at a time: k and v come
 * from memory for the first query only. */
static void FN(attention_few_queries)(const FN(attention_args) *args, fnn_size item)
{
    const fnn_attention *about = args->about;
    const fnn_size T = about->T, seen = fnn_keys_seen(about, T);
    const REAL *q = args->q + about->q.at[item], *k = args->k + about->k.at[item], *v = args->v + about->v.at[item];
    REAL *y = args->y + about->y.at[item], s[FEW][TILE_U], top[FEW], total[FEW], shrink[FEW];
    for (fnn_size t = 0; t < T; t++) {
        top[t] = -(REAL)INFINITY;
        total[t] = 0;
        memset(y + t * about->y.rs, 0, (size_t)about->HV * sizeof(REAL));
    }
    /* the keys, TILE_U at a time */
    for (fnn_size u = 0; u < seen; u += TILE_U) {
        /* query by query: the weights */
        for (fnn_size t = 0; t < T; t++) {
            const fnn_size keys = fnn_min(TILE_U, fnn_keys_seen(about, t + 1) - u);
            if (keys <= 0)
                continue;
            FN(attention_few_scores)(s[t], q + t * about->q.rs, k + u * about->k.rs, about->k.rs, keys, about->HS);
            FN(attention_few_mask)(s[t], about, item, t, u, keys);
            FN(attention_few_weights)(s[t], &top[t], &total[t], &shrink[t], about, keys);
            if (about->dropout > 0)
                FN(attention_few_dropout)(s[t], about, item, t, u, keys);
        }
        /* query by query: the values of these keys */
        for (fnn_size t = 0; t < T; t++) {
            const fnn_size keys = fnn_min(TILE_U, fnn_keys_seen(about, t + 1) - u);
            if (keys > 0)
                FN(attention_few_sum)(y + t * about->y.rs, shrink[t], s[t], v + u * about->v.rs, about->v.rs, keys,
                                      about->HV);
        }
    }
    for (fnn_size t = 0; t < T; t++) {
        const REAL inverse = total[t] == 0 ? 0 : 1 / total[t];
        REAL *y_t = y + t * about->y.rs;
        if (total[t] == 0)                                       /* no key was allowed */
            memset(y_t, 0, (size_t)about->HV * sizeof(REAL));
        for (fnn_size j = 0; j < about->HV; j++)
            y_t[j] *= inverse;
        args->top[item * T + t] = top[t];
        args->total[item * T + t] = total[t];
    }
}
