/* attention_tile.tmpl.h -- part of attention.tmpl.h: the matrix products of one tile of scores.
 *
 * Layout     A tile holds TILE_U keys (rows) by TILE_T queries (columns), its rows TILE_T elements
 *            apart: the transpose of how scores are usually written. So queries lie side by side in
 *            registers: the largest score, the sum and every factor of a query are one element of a
 *            vector, and nothing is ever summed across a register. And all products of a tile
 *            read k, v, q and dy row by row: as they lie in memory, or from a copy where their rows
 *            evict each other from the caches (attention_near). Only the block of queries is
 *            transposed, once per block (qT, dyT):
 *
 *     scores     s[u,t]  = sum_c k[u,c] qT[c,t]     attention_scores
 *                ds[u,t] = sum_j v[u,j] dyT[j,t]    attention_scores      (backward)
 *     forward    y[t,:] += sum_u p[u,t] v[u,:]      attention_by_query
 *     backward   dq[t,:] += sum_u ds[u,t] k[u,:]    attention_by_query
 *                dv[u,:] += sum_t p[u,t] dy[t,:]    attention_by_key
 *                dk[u,:] += sum_t ds[u,t] q[t,:]    attention_by_key
 *
 * Method     Each product C = A B is cut into register tiles of up to GEMM_MR rows by GEMM_NR
 *            columns: attention_micro, which is gemm_tile.tmpl.h with the distances that a tile of
 *            scores fixes as constants. Letters from there on are those of gemm.h: k is the number
 *            of products in a sum, p one of them, and c the result; not keys, weights and a place
 *            in a head.
 *            A causal mask hides the upper right of the matrix [query][key]. Row u of a tile may be
 *            seen by column t if u <= t + ahead. Register tiles that hold nothing to be seen are
 *            not computed; of others the sums begin or end where something can be seen.
 */

/* ---- the register tile -----------------------------------------------------------------------
 *
 * The left operand a is read in one of three ways, named after the functions that need them:
 *     SCORES      a is k or v, rows rsa apart; b is the transposed block qT or dyT, and c a tile
 *     BY_KEY      a is a tile, and the sum runs along its rows; b and c lie anywhere
 *     BY_QUERY    a is a tile, and the sum runs along its columns; b and c lie anywhere
 */

/* What becomes of the sums of row i on their way out: c[i,:] = times sum, or, with `add`,
 * c[i,:] = keep c[i,:] + times sum. Without `add` c is not read. keep and times are
 *     SCORES      1 and 1
 *     BY_KEY      1 and times[0]
 *     BY_QUERY    keep[i] and times[i] */
typedef struct { int add; const REAL *keep, *times; } FN(attention_out);

/* Product p of the sums: a row of b, and a number of each row of the left operand. For SCORES rows
 * 3, 4 and 5 are reached from base[1], and so on: base, base + rsa and base + 2 rsa are addresses
 * that one instruction can form, so 14 rows need 5 pointers and not 14 registers. */
#define ATTENTION_STEP(p) \
    do { \
        vec row[GEMM_NV]; \
        _Pragma("GCC unroll 2") for (fnn_size j = 0; j < nv; j++) row[j] = v_load(b + (p) * rsb + j * VL); \
        _Pragma("GCC unroll 16") for (fnn_size i = 0; i < mr; i++) { \
            const vec x = v_set(kind == SCORES ? base[i / 3][i % 3 * rsa + (p)] \
                                : kind == BY_KEY ? a[i * TILE_T + (p)] \
                                                  : a[i + (p) * TILE_T]); \
            _Pragma("GCC unroll 2") for (fnn_size j = 0; j < nv; j++) acc[i][j] += x * row[j]; \
        } \
    } while (0)
#define ATTENTION_NEXT(steps) \
    do { \
        if (kind == SCORES) \
            _Pragma("GCC unroll 5") for (int i = 0; i < 5; i++) base[i] += (steps); \
        else \
            a += (steps) * (kind == BY_KEY ? 1 : TILE_T); \
        b += (steps) * rsb; \
    } while (0)

/* C = A B, k products in each sum; c, a and b with the distances between their rows */
typedef struct { REAL *c; fnn_size rsc; const REAL *a; fnn_size rsa; const REAL *b; fnn_size rsb, k; } FN(attention_ab);

/* mr x nv registers of sums; all three numbers are constants where this is inlined. */
FNN_INLINE void FN(attention_micro)(const int kind, const fnn_size mr, const fnn_size nv, const FN(attention_ab) of,
                                    const FN(attention_out) *out)
{
    const REAL *a = of.a, *b = of.b;
    const fnn_size rsa = of.rsa, rsb = of.rsb;
    fnn_size k = of.k;
    vec acc[GEMM_MR][GEMM_NV];
    const REAL *base[5];                            /* of rows that there are */
#pragma GCC unroll 5
    for (fnn_size i = 0; i < 5; i++)
        base[i] = kind == SCORES && 3 * i < mr ? a + 3 * i * rsa : a;
#pragma GCC unroll 16
    for (fnn_size i = 0; i < mr; i++)
#pragma GCC unroll 2
        for (fnn_size j = 0; j < nv; j++)
            acc[i][j] = v_set(0);
    /* the k dimension, four products at a time; edges and double are not worth the code */
    for (; nv == GEMM_NV && !REAL_IS_F64 && k > 4; k -= 4) {
        ATTENTION_STEP(0);
        ATTENTION_STEP(1);
        ATTENTION_STEP(2);
        ATTENTION_STEP(3);
        ATTENTION_NEXT(4);
    }
    /* The pointers move before a product, not after it: after the last one they could leave their
     * arrays, which C forbids. */
    if (k > 0)
        ATTENTION_STEP(0);
    while (--k > 0) {
        ATTENTION_NEXT(1);
        ATTENTION_STEP(0);
    }
    const int add = out->add;
    const REAL *keep = out->keep, *times = out->times, all = kind == BY_KEY ? times[0] : 1;
#pragma GCC unroll 16
    for (fnn_size i = 0; i < mr; i++) {
        const vec times_i = v_set(kind == BY_QUERY ? times[i] : all);
        const vec keep_i = v_set(kind == BY_QUERY && add ? keep[i] : 1);
        REAL *to = of.c + i * of.rsc;
#pragma GCC unroll 2
        for (fnn_size j = 0; j < nv; j++)
            if (add)
                v_store(to + j * VL, (kind == BY_QUERY ? keep_i * v_load(to + j * VL) : v_load(to + j * VL))
                                     + (kind == SCORES ? acc[i][j] : times_i * acc[i][j]));
            else
                v_store(to + j * VL, kind == SCORES ? acc[i][j] : times_i * acc[i][j]);
    }
}

typedef void FN(attention_micro_fn)(REAL *c, fnn_size rsc, const REAL *a, fnn_size rsa, const REAL *b, fnn_size rsb,
                                    fnn_size k, const FN(attention_out) *out);

/* One function for each way of reading, number of rows and number of vectors. Their names are
 * pasted: attention_scores_2_14 has 2 vectors and 14 rows. All take the same arguments, so that one
 * table holds them; what a kind knows already it leaves unused. */
#define ATTENTION_ARGUMENTS \
    REAL *c, fnn_size rsc, const REAL *a, fnn_size rsa, const REAL *b, fnn_size rsb, fnn_size k, \
    const FN(attention_out) *out
#define ATTENTION_MICRO(mr, nv) \
    static void FN(attention_scores_##nv##_##mr)(ATTENTION_ARGUMENTS) \
    { \
        (void)rsc; (void)rsb; \
        FN(attention_micro)(SCORES, mr, nv, (FN(attention_ab)){ c, TILE_T, a, rsa, b, TILE_T, k }, out); \
    } \
    static void FN(attention_by_key_##nv##_##mr)(ATTENTION_ARGUMENTS) \
    { \
        (void)rsa; \
        FN(attention_micro)(BY_KEY, mr, nv, (FN(attention_ab)){ c, rsc, a, TILE_T, b, rsb, k }, out); \
    } \
    static void FN(attention_by_query_##nv##_##mr)(ATTENTION_ARGUMENTS) \
    { \
        (void)rsa; \
        FN(attention_micro)(BY_QUERY, mr, nv, (FN(attention_ab)){ c, rsc, a, 1, b, rsb, k }, out); \
    }
#define ATTENTION_MICROS(mr) ATTENTION_MICRO(mr, 1) ATTENTION_MICRO(mr, 2)
ATTENTION_MICROS(1) ATTENTION_MICROS(2) ATTENTION_MICROS(3) ATTENTION_MICROS(4) ATTENTION_MICROS(5) ATTENTION_MICROS(6)
#define ATTENTION_LIST_6(name) FN(name##_1), FN(name##_2), FN(name##_3), FN(name##_4), FN(name##_5), FN(name##_6)
#if GEMM_MR == 14
ATTENTION_MICROS(7) ATTENTION_MICROS(8) ATTENTION_MICROS(9) ATTENTION_MICROS(10) ATTENTION_MICROS(11)
ATTENTION_MICROS(12) ATTENTION_MICROS(13) ATTENTION_MICROS(14)
#  define ATTENTION_LIST(name) { ATTENTION_LIST_6(name), FN(name##_7), FN(name##_8), FN(name##_9), FN(name##_10), \
                                 FN(name##_11), FN(name##_12), FN(name##_13), FN(name##_14) }
#elif GEMM_MR == 8
ATTENTION_MICROS(7) ATTENTION_MICROS(8)
#  define ATTENTION_LIST(name) { ATTENTION_LIST_6(name), FN(name##_7), FN(name##_8) }
#else
#  define ATTENTION_LIST(name) { ATTENTION_LIST_6(name) }
#endif

/* [kind][nv - 1][mr - 1] */
static FN(attention_micro_fn) *const FN(attention_micros)[3][2][GEMM_MR] = {
    { ATTENTION_LIST(attention_scores_1), ATTENTION_LIST(attention_scores_2) },
    { ATTENTION_LIST(attention_by_key_1), ATTENTION_LIST(attention_by_key_2) },
    { ATTENTION_LIST(attention_by_query_1), ATTENTION_LIST(attention_by_query_2) },
};
#undef ATTENTION_LIST
#undef ATTENTION_LIST_6
#undef ATTENTION_MICROS
#undef ATTENTION_MICRO
#undef ATTENTION_ARGUMENTS
#undef ATTENTION_NEXT
#undef ATTENTION_STEP

/* ---- the products of a tile ------------------------------------------------------------------ */

/* m rows in groups of nearly equal height, at most GEMM_MR: where one begins, and its rows. */
static inline fnn_size FN(attention_group)(fnn_size m, fnn_size group, fnn_size *rows)
{
    const fnn_size groups = fnn_ceil_div(m, GEMM_MR), begin = group * (m / groups) + fnn_min(group, m % groups);
    *rows = m / groups + (group < m % groups);
    return begin;
}

/* s[u,t] (+)= sum_c rows[u,c] block[c,t], c < k, for the keys and the columns of a tile */
static void FN(attention_scores)(REAL *s, const REAL *rows, fnn_size rs, const REAL *block, fnn_size k, int add,
                                 const fnn_tile *tile)
{
    const FN(attention_out) out = { .add = add };
    /* the keys, up to GEMM_MR at a time */
    for (fnn_size group = 0; group < fnn_ceil_div(tile->keys, GEMM_MR); group++) {
        fnn_size keys, u = FN(attention_group)(tile->keys, group, &keys);
        /* the queries, GEMM_NR at a time, from the first on that sees the group's first key */
        for (fnn_size t = fnn_max(0, u - tile->ahead) / VL * VL; t < tile->columns; t += GEMM_NR)
            FN(attention_micros)[SCORES][tile->columns - t > VL][keys - 1](s + u * TILE_T + t, TILE_T, rows + u * rs,
                                                                              rs, block + t, TILE_T, k, &out);
    }
}

/* What a product reads of its right operand b: n columns, of which the first `whole` fill vectors.
 * The others are in a copy, `edge`, that may be read beyond the end. */
typedef struct { const REAL *b; fnn_size rsb, n, whole; REAL *edge; } FN(attention_right);

static FN(attention_right) FN(attention_open_right)(const REAL *b, fnn_size rsb, fnn_size n, fnn_size k)
{
    FN(attention_right) right = { b, rsb, n, n / VL * VL, NULL };
    if (right.whole < n) {
        right.edge = fnn_scratch_alloc((size_t)((k + 1) * VL) * sizeof(REAL));
        FN(gemm_pack)(right.edge, VL, n - right.whole, n - right.whole, b + right.whole, 1, rsb, k);
    }
    return right;
}

static void FN(attention_close_right)(const FN(attention_right) *right)
{
    if (right->edge)
        fnn_scratch_free(right->edge);
}

/* Rows of c, at most GEMM_MR, by all columns: sums over p in [from, to) of a's column p times row p
 * of the right. */
FNN_INLINE void FN(attention_rows)(REAL *c, fnn_size rsc, const REAL *a, int kind, const FN(attention_right) *right,
                                   fnn_size rows, fnn_size from, fnn_size to, const FN(attention_out) *out)
{
    const REAL *a_from = kind == BY_KEY ? a + from : a + from * TILE_T, *b = right->b + from * right->rsb;
    const fnn_size k = to - from;
    for (fnn_size j = 0; j < right->whole; j += GEMM_NR)
        FN(attention_micros)[kind][right->whole - j > VL][rows - 1](c + j, rsc, a_from, 0, b + j, right->rsb, k, out);
    if (right->edge) {
        const FN(attention_out) alone = { .times = out->times };
        REAL edge[GEMM_MR * GEMM_VL];
        FN(attention_micros)[kind][0][rows - 1](edge, VL, a_from, 0, right->edge + from * VL, VL, k, &alone);
        for (fnn_size i = 0; i < rows; i++)
            for (fnn_size j = right->whole; j < right->n; j++)
                c[i * rsc + j] = edge[i * VL + j - right->whole]
                               + (out->add ? (kind == BY_KEY ? 1 : out->keep[i]) * c[i * rsc + j] : 0);
    }
}

/* c[t,:] = times[t] sum_u s[u,t] b[u,:], or, with out->add, keep[t] c[t,:] + that; rows of n */
static void FN(attention_by_query)(REAL *c, fnn_size rsc, const REAL *s, const REAL *b, fnn_size rsb, fnn_size n,
                                   const FN(attention_out) *out, const fnn_tile *tile)
{
    const FN(attention_right) right = FN(attention_open_right)(b, rsb, n, tile->keys);
    /* the queries, up to GEMM_MR at a time; the sum ends with the last key that one of them sees */
    for (fnn_size group = 0; group < fnn_ceil_div(tile->queries, GEMM_MR); group++) {
        fnn_size queries, t = FN(attention_group)(tile->queries, group, &queries);
        const FN(attention_out) here = { out->add, out->add ? out->keep + t : NULL, out->times + t };
        FN(attention_rows)(c + t * rsc, rsc, s + t, BY_QUERY, &right, queries, 0,
                           fnn_min(tile->keys, t + queries + tile->ahead), &here);
    }
    FN(attention_close_right)(&right);
}

/* c[u,:] (+)= times sum_t s[u,t] b[t,:], rows of n: added in the first `added` rows, stored in the
 * others */
static void FN(attention_by_key)(REAL *c, fnn_size rsc, const REAL *s, const REAL *b, fnn_size rsb, fnn_size n,
                                 fnn_size added, REAL times, const fnn_tile *tile)
{
    const FN(attention_right) right = FN(attention_open_right)(b, rsb, n, tile->queries);
    for (int fresh = 0; fresh < 2; fresh++) {
        const fnn_size begin = fresh ? added : 0, m = fresh ? tile->keys - added : added;
        const FN(attention_out) out = { .add = !fresh, .times = &times };
        /* the keys, up to GEMM_MR at a time; the sum begins with the first query that sees one */
        for (fnn_size group = 0; group < fnn_ceil_div(m, GEMM_MR); group++) {
            fnn_size keys, u = begin + FN(attention_group)(m, group, &keys);
            FN(attention_rows)(c + u * rsc, rsc, s + u * TILE_T, BY_KEY, &right, keys, fnn_max(0, u - tile->ahead),
                               tile->queries, &out);
        }
    }
    FN(attention_close_right)(&right);
}
