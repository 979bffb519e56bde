/* attention_few.tmpl.h -- part of attention.tmpl.h: forward for a few queries, above all for one, as when a sequence grows token by token.
 *
 * Lying side by side in registers, one query would leave nearly all of a register idle. Here the sum over the head size fills it: a row
 * of k after the other is multiplied with the query, and a row of v after the other added to y. Keys and values are read once from memory,
 * and that is what the time goes to.
 */

/* s[u] = sum_c q[c] k[u,c] for a few keys; two at a time, whose sums do not wait for each other */
static void FN(attention_few_scores)(REAL *s, const REAL *q, const REAL *k, fnn_size rs, fnn_size keys, fnn_size HS)
{
    for (fnn_size u = 0; u < keys; u += 2) {
        const REAL *a = k + u * rs, *b = k + gemm_min(u + 1, keys - 1) * rs;
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
        s[gemm_min(u + 1, keys - 1)] = two;
        s[u] = one;
    }
}

/* y = shrink y + sum_u p[u] v[u,:]; nothing is read of y where shrink is 0 */
static void FN(attention_few_sum)(REAL *restrict y, REAL shrink, const REAL *restrict p, const REAL *restrict v, fnn_size rs, fnn_size keys,
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

/* Query t of an item against all its keys. */
static void FN(attention_few_query)(const FN(attention_args) *args, fnn_size item, fnn_size t)
{
    const fnn_attention *a = args->about;
    const fnn_size seen = fnn_keys_seen(a, t + 1);
    const REAL *q = args->q + a->q.at[item] + t * a->q.rs, *k = args->k + a->k.at[item], *v = args->v + a->v.at[item];
    REAL *y = args->y + a->y.at[item] + t * a->y.rs, s[TILE_U], top = -(REAL)INFINITY, total = 0;
    const REAL factor = FN(attention_factor)(a), least = -127 / factor;
    memset(y, 0, (size_t)a->HV * sizeof(REAL));
    for (fnn_size u = 0; u < seen; u += TILE_U) {
        const fnn_size keys = gemm_min(TILE_U, seen - u);
        FN(attention_few_scores)(s, q, k + u * a->k.rs, a->k.rs, keys, a->HS);
        if (FN(attention_scaled)(a))
            for (fnn_size i = 0; i < keys; i++)
                s[i] *= (REAL)a->scale;
        if (a->mask_kind != FNN_NO_MASK) {
            const fnn_size from = a->mask_at[item] + t * a->mask_rs + u * a->mask_cs;
            for (fnn_size i = 0; i < keys; i++)
                if (a->mask_kind == FNN_ADD_MASK)
                    s[i] += ((const REAL *)a->mask)[from + i * a->mask_cs];
                else if (!((const unsigned char *)a->mask)[from + i * a->mask_cs])
                    s[i] = -(REAL)INFINITY;
        }
        const REAL now = r_max(FN(row_max)(s, keys), top), base = now == -(REAL)INFINITY ? 0 : now;
        const REAL shrink = now > top ? FN(exp2_of_scaled)(top - base, factor, least) : 1;
        REAL sum = 0;
#pragma omp simd reduction(+ : sum)
        for (fnn_size i = 0; i < keys; i++) {
            s[i] = FN(exp2_of_scaled)(s[i] - base, factor, least);
            sum += s[i];
        }
        top = now;
        total = total * shrink + sum;
        if (a->dropout > 0) {
            uint32_t words[PHILOX_WORDS];
            const uint64_t limit = fnn_philox_threshold(a->dropout), row = (uint64_t)(item * a->T + t) * (uint64_t)((a->U + 3) / 4 * 4);
            FN(philox_words)(words, a->dropout_key, a->dropout_call, (row + (uint64_t)u) / 4);
            for (fnn_size i = 0; i < keys; i++)
                s[i] = words[i] >= limit ? s[i] * (REAL)(1 / (1 - a->dropout)) : 0;
        }
        FN(attention_few_sum)(y, shrink, s, v + u * a->v.rs, a->v.rs, keys, a->HV);
    }
    const REAL share = total == 0 ? 0 : 1 / total;
    if (total == 0)                                              /* no key was allowed */
        memset(y, 0, (size_t)a->HV * sizeof(REAL));
    for (fnn_size j = 0; j < a->HV; j++)
        y[j] *= share;
    args->top[item * a->T + t] = top;
    args->total[item * a->T + t] = total;
}

static void FN(attention_few_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(attention_args) *args = ctx;
    for (fnn_size i = begin; i < end; i++)
        FN(attention_few_query)(args, i / args->about->T, i % args->about->T);
}
