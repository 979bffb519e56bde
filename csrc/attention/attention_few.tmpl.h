/* attention_few.tmpl.h -- part of attention.tmpl.h: forward for a few queries, above all for one,
 * as when a sequence grows token by token.
 *
 * Lying side by side in registers, one query would leave nearly all of a register idle. Here the
 * sum over the head size fills it: a row of k after the other is multiplied with the query, and a
 * row of v after the other added to y. Keys and values are read once from memory, and that is what
 * the time of one query goes to. Further queries find a tile's rows in the L1 cache; from five
 * queries on tiles are quicker.
 */

/* s[u] = sum_c q[c] k[u,c] for a few keys; two at a time, whose sums do not wait for each other */
static void FN(attention_few_scores)(REAL *s, const REAL *q, const REAL *k, fnn_size rs, fnn_size keys, fnn_size HS)
{
    for (fnn_size u = 0; u < keys; u += 2) {
        const REAL *a = k + u * rs, *b = k + fnn_min(u + 1, keys - 1) * rs;
        vec sum_a = v_set(0), sum_b = sum_a;
        fnn_size c = 0;
        for (; c + VL <= HS; c += VL) {
            const vec x = v_load(q + c);
            sum_a += x * v_load(a + c);
            sum_b += x * v_load(b + c);
        }
        REAL one = v_sum(sum_a), two = v_sum(sum_b);
        for (; c < HS; c++) {
            one += q[c] * a[c];
            two += q[c] * b[c];
        }
        s[fnn_min(u + 1, keys - 1)] = two;
        s[u] = one;
    }
}

/* y = shrink y + sum_u p[u] v[u,:]; nothing is read of y where shrink is 0 */
static void FN(attention_few_sum)(REAL *restrict y, REAL shrink, const REAL *restrict p, const REAL *restrict v,
                                  fnn_size rs, fnn_size keys,
                                  fnn_size HV)
{
    if (shrink == 0)
        memset(y, 0, (size_t)HV * sizeof(REAL));
    else if (shrink != 1)
        for (fnn_size j = 0; j < HV; j++)
            y[j] *= shrink;
    fnn_size u = 0;
    for (; u + 4 <= keys; u += 4) {
        const REAL *restrict a = v + u * rs, *restrict b = a + rs, *restrict c = b + rs, *restrict d = c + rs;
        for (fnn_size j = 0; j < HV; j++)
            y[j] += (p[u] * a[j] + p[u + 1] * b[j]) + (p[u + 2] * c[j] + p[u + 3] * d[j]);
    }
    for (; u < keys; u++)
        for (fnn_size j = 0; j < HV; j++)
            y[j] += p[u] * v[u * rs + j];
}

/* A few queries of an item, T <= FEW, against all its keys, TILE_U of them at a time: k and v come
 * from memory for the first query only. */
static void FN(attention_few_queries)(const FN(attention_args) *args, fnn_size item)
{
    const fnn_attention *a = args->about;
    const fnn_size T = a->T, seen = fnn_keys_seen(a, T);
    const REAL *q = args->q + a->q.at[item], *k = args->k + a->k.at[item], *v = args->v + a->v.at[item];
    const REAL factor = FN(attention_factor)(a), least = -127 / factor;
    REAL *y = args->y + a->y.at[item], s[FEW][TILE_U], top[FEW], total[FEW], shrink[FEW];
    for (fnn_size t = 0; t < T; t++) {
        top[t] = -(REAL)INFINITY;
        total[t] = 0;
        memset(y + t * a->y.rs, 0, (size_t)a->HV * sizeof(REAL));
    }
    for (fnn_size u = 0; u < seen; u += TILE_U) {
        for (fnn_size t = 0; t < T; t++) {
            const fnn_size keys = fnn_min(TILE_U, fnn_keys_seen(a, t + 1) - u);
            if (keys <= 0)
                continue;
            FN(attention_few_scores)(s[t], q + t * a->q.rs, k + u * a->k.rs, a->k.rs, keys, a->HS);
            if (FN(attention_scaled)(a))
                for (fnn_size i = 0; i < keys; i++)
                    s[t][i] *= (REAL)a->scale;
            if (a->mask_kind != FNN_NO_MASK) {
                const fnn_size from = a->mask_at[item] + t * a->mask_rs + u * a->mask_cs;
                for (fnn_size i = 0; i < keys; i++)
                    if (a->mask_kind == FNN_ADD_MASK)
                        s[t][i] += ((const REAL *)a->mask)[from + i * a->mask_cs];
                    else if (!((const unsigned char *)a->mask)[from + i * a->mask_cs])
                        s[t][i] = -(REAL)INFINITY;
            }
            const REAL now = r_max(FN(row_max)(s[t], keys), top[t]), base = now == -(REAL)INFINITY ? 0 : now;
            shrink[t] = now > top[t] ? FN(exp2_of_scaled)(top[t] - base, factor, least) : 1;
            REAL sum = 0, *restrict p = s[t];
#pragma omp simd reduction(+ : sum)
            for (fnn_size i = 0; i < keys; i++) {
                p[i] = FN(exp2_of_scaled)(p[i] - base, factor, least);
                sum += p[i];
            }
            top[t] = now;
            total[t] = total[t] * shrink[t] + sum;
            if (a->dropout > 0) {
                uint32_t words[PHILOX_WORDS];
                const uint64_t limit = fnn_philox_threshold(a->dropout), row = (uint64_t)(item * T + t)
                    * (uint64_t)((a->U + 3) / 4 * 4);
                FN(philox_words)(words, a->dropout_key, a->dropout_call, (row + (uint64_t)u) / 4);
                for (fnn_size i = 0; i < keys; i++)
                    p[i] = words[i] >= limit ? p[i] * (REAL)(1 / (1 - a->dropout)) : 0;
            }
        }
        for (fnn_size t = 0; t < T; t++) {
            const fnn_size keys = fnn_min(TILE_U, fnn_keys_seen(a, t + 1) - u);
            if (keys > 0)
                FN(attention_few_sum)(y + t * a->y.rs, shrink[t], s[t], v + u * a->v.rs, a->v.rs, keys, a->HV);
        }
    }
    for (fnn_size t = 0; t < T; t++) {
        const REAL share = total[t] == 0 ? 0 : 1 / total[t];
        REAL *row = y + t * a->y.rs;
        if (total[t] == 0)                                       /* no key was allowed */
            memset(row, 0, (size_t)a->HV * sizeof(REAL));
        for (fnn_size j = 0; j < a->HV; j++)
            row[j] *= share;
        args->top[item * T + t] = top[t];
        args->total[item * T + t] = total[t];
    }
}

static void FN(attention_few_block)(void *ctx, fnn_size begin, fnn_size end)
{
    for (fnn_size item = begin; item < end; item++)
        FN(attention_few_queries)(ctx, item);
}
