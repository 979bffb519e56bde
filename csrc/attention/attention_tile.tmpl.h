/* attention_tile.tmpl.h -- part of attention.tmpl.h: the products of one tile of scores.
 *
 * A tile holds TILE_U keys (rows) by TILE_T queries (columns, at a fixed distance of TILE_T): the
 * transpose of how scores are usually written. So queries lie side by side in registers: the
 * largest score, the sum and every factor of a query are one element of a vector, and nothing is
 * ever summed across a register. And all five products of a tile read k, v, q and dy row by row as
 * they lie in memory; only the block of queries is copied, transposed, once per block:
 *
 *     scores      s[u,t]  = sum_c k[u,c] qT[c,t]      attention_scores
 *     (backward)  ds[u,t] = sum_j v[u,j] dyT[j,t]     attention_scores
 *     forward     y[t,:] += sum_u p[u,t] v[u,:]       attention_by_query       dq likewise from ds and k
 *     (backward)  dv[u,:] += sum_t p[u,t] dy[t,:]     attention_by_key         dk likewise from ds and q
 *
 * Each is the register tile of gemm_tile.tmpl.h over panels of rows. `ahead` is what a causal mask
 * leaves: key row i may be seen by query column j if i <= j + ahead. Register tiles that hold
 * nothing to be seen are not computed; of others the sums begin or end where something can be seen.
 */

/* ---- the register tile --------------------------------------------------------------------------
 * c[mr][nv vectors] (+)= a[mr][k] b[k][nv vectors], all sums in registers: gemm_tile.tmpl.h with
 * the distances that a tile of scores fixes as constants, which leaves the addresses to the
 * instructions, and four steps of k at a time.
 *     FROM_ROWS   a is k or v: rows rs apart; b the block of queries and c a tile
 *     BY_ROWS     a is a tile, its row i with the sum running along it; b and c anywhere
 *     BY_COLUMNS  a is a tile, its column i
 * On the way out, c becomes  c + a b  FROM_ROWS,  c + times[0] a b  BY_ROWS,  row i keep[i] c + times[i] a b  BY_COLUMNS. Where keep is NULL
 * c is not read, as if it were 0.
 */
#define ATTENTION_STEP(p) \
    do { \
        vec row[GEMM_NV]; \
        _Pragma("GCC unroll 2") for (fnn_size j = 0; j < nv; j++) row[j] = v_load(b + (p) * rsb + j * VL); \
        _Pragma("GCC unroll 16") for (fnn_size i = 0; i < mr; i++) { \
            const vec x = v_set(kind == FROM_ROWS ? base[i / 3][i % 3 * rsa + (p)] : kind == BY_ROWS \
                                ? a[i * TILE_T + (p)] \
                                                                                   : a[i + (p) * TILE_T]); \
            _Pragma("GCC unroll 2") for (fnn_size j = 0; j < nv; j++) acc[i][j] += x * row[j]; \
        } \
    } while (0)
#define ATTENTION_NEXT(steps) \
    do { \
        if (kind == FROM_ROWS) \
            _Pragma("GCC unroll 5") for (int i = 0; i < 5; i++) base[i] += (steps); \
        else \
            a += (steps) * (kind == BY_ROWS ? 1 : TILE_T); \
        b += (steps) * rsb; \
    } while (0)

FNN_INLINE void FN(attention_micro)(const int kind, const fnn_size mr, const fnn_size nv, REAL *c, fnn_size rsc,
                                    const REAL *a, fnn_size rsa,
                                    const REAL *b, fnn_size rsb, fnn_size k, const REAL *keep, const REAL *times)
{
    vec acc[GEMM_MR][GEMM_NV];
    const REAL *base[5] = { a, a + 3 * rsa, a + 6 * rsa, a + 9 * rsa, a + 12 * rsa };
#pragma GCC unroll 16
    for (fnn_size i = 0; i < mr; i++)
#pragma GCC unroll 2
        for (fnn_size j = 0; j < nv; j++)
            acc[i][j] = v_set(0);
    for (; nv == GEMM_NV && !REAL_IS_F64 && k >= 4; k -= 4) {    /* edges and double are not worth the code */
        ATTENTION_STEP(0);
        ATTENTION_STEP(1);
        ATTENTION_STEP(2);
        ATTENTION_STEP(3);
        ATTENTION_NEXT(4);
    }
    for (; k > 0; k--) {
        ATTENTION_STEP(0);
        ATTENTION_NEXT(1);
    }
    const REAL all = kind == BY_ROWS ? times[0] : 1;
#pragma GCC unroll 16
    for (fnn_size i = 0; i < mr; i++) {
        const vec x = v_set(kind == BY_COLUMNS ? times[i] : all), y = v_set(kind == BY_COLUMNS && keep ? keep[i] : 1);
        REAL *to = c + i * rsc;
#pragma GCC unroll 2
        for (fnn_size j = 0; j < nv; j++)
            if (keep)
                v_store(to + j * VL, (kind == BY_COLUMNS ? y * v_load(to + j * VL) : v_load(to + j * VL))
                                     + (kind == FROM_ROWS ? acc[i][j] : x * acc[i][j]));
            else
                v_store(to + j * VL, kind == FROM_ROWS ? acc[i][j] : x * acc[i][j]);
    }
}

typedef void FN(attention_micro_fn)(REAL *c, fnn_size rsc, const REAL *a, fnn_size rsa, const REAL *b, fnn_size rsb,
                                    fnn_size k,
                                   const REAL *keep, const REAL *times);

#define ATTENTION_MICRO(mr, nv) \
    static void FN(attention_from_rows_##nv##_##mr)(REAL *c, fnn_size rsc, const REAL *a, fnn_size rsa, const REAL *b, \
                                                    fnn_size rsb, \
                                                    fnn_size k, const REAL *keep, const REAL *times) \
    { (void)rsc; (void)rsb; FN(attention_micro)(FROM_ROWS, mr, nv, c, TILE_T, a, rsa, b, TILE_T, k, keep, times); } \
    static void FN(attention_by_rows_##nv##_##mr)(REAL *c, fnn_size rsc, const REAL *a, fnn_size rsa, const REAL *b, \
                                                  fnn_size rsb, \
                                                  fnn_size k, const REAL *keep, const REAL *times) \
    { (void)rsa; FN(attention_micro)(BY_ROWS, mr, nv, c, rsc, a, TILE_T, b, rsb, k, keep, times); } \
    static void FN(attention_by_columns_##nv##_##mr)(REAL *c, fnn_size rsc, const REAL *a, fnn_size rsa, \
                                                     const REAL *b, fnn_size rsb, \
                                                     fnn_size k, const REAL *keep, const REAL *times) \
    { (void)rsa; FN(attention_micro)(BY_COLUMNS, mr, nv, c, rsc, a, 1, b, rsb, k, keep, times); }
#define ATTENTION_MICROS(mr) ATTENTION_MICRO(mr, 1) ATTENTION_MICRO(mr, 2)
ATTENTION_MICROS(1) ATTENTION_MICROS(2) ATTENTION_MICROS(3) ATTENTION_MICROS(4) ATTENTION_MICROS(5) ATTENTION_MICROS(6)
#define ATTENTION_LIST_6(kind) FN(kind##_1), FN(kind##_2), FN(kind##_3), FN(kind##_4), FN(kind##_5), FN(kind##_6)
#if GEMM_MR == 14
ATTENTION_MICROS(7) ATTENTION_MICROS(8) ATTENTION_MICROS(9) ATTENTION_MICROS(10) ATTENTION_MICROS(11) ATTENTION_MICROS(12)
ATTENTION_MICROS(13) ATTENTION_MICROS(14)
#  define ATTENTION_LIST(kind) { ATTENTION_LIST_6(kind), FN(kind##_7), FN(kind##_8), FN(kind##_9), FN(kind##_10), FN(kind##_11),          \
                                 FN(kind##_12), FN(kind##_13), FN(kind##_14) }
#else
#  define ATTENTION_LIST(kind) { ATTENTION_LIST_6(kind) }
#endif

/* [kind][nv - 1][mr - 1] */
static FN(attention_micro_fn) *const FN(attention_micros)[3][2][GEMM_MR] = {
    { ATTENTION_LIST(attention_from_rows_1), ATTENTION_LIST(attention_from_rows_2) },
    { ATTENTION_LIST(attention_by_rows_1), ATTENTION_LIST(attention_by_rows_2) },
    { ATTENTION_LIST(attention_by_columns_1), ATTENTION_LIST(attention_by_columns_2) },
};
#undef ATTENTION_LIST
#undef ATTENTION_LIST_6
#undef ATTENTION_MICROS
#undef ATTENTION_MICRO
#undef ATTENTION_NEXT
#undef ATTENTION_STEP

/* ---- the products of a tile ------------------------------------------------------------------ */

/* Rows [0, m) in panels of nearly equal height, at most GEMM_MR. */
static inline fnn_size FN(attention_panel)(fnn_size m, fnn_size i, fnn_size *rows)
{
    const fnn_size panels = fnn_ceil_div(m, GEMM_MR), begin = i * (m / panels) + fnn_min(i, m % panels);
    *rows = m / panels + (i < m % panels);
    return begin;
}

/* s[m][TILE_T] = a[m][k] b[k][TILE_T], for the first `lanes` columns, a multiple of VL. */
static void FN(attention_scores)(REAL *s, const REAL *a, fnn_size rsa, const REAL *b, fnn_size m, fnn_size lanes,
                                 fnn_size k, const REAL *keep,
                                 fnn_size ahead)
{
    for (fnn_size i = 0; i < fnn_ceil_div(m, GEMM_MR); i++) {
        fnn_size rows, row = FN(attention_panel)(m, i, &rows);
        /* the first query that sees the panel's first key */
        const fnn_size first = fnn_max(0, row - ahead) / VL * VL;
        for (fnn_size j = first; j < lanes; j += GEMM_NR)
            FN(attention_micros)[FROM_ROWS][lanes - j > VL][rows - 1](s + row * TILE_T + j, TILE_T, a + row * rsa, rsa,
                                                                      b + j, TILE_T, k,
                                                                      keep, NULL);
    }
}

/* What a product reads of the right: the last columns of b, where they fill no vector, in a copy
 * with room to read beyond. */
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

/* c[rows][n] (+)= sum over p in [from, to) of a's column p times row p of the right; rows <=
 * GEMM_MR. keep, times: as above. */
FNN_INLINE void FN(attention_rows)(REAL *c, fnn_size rsc, const REAL *a, int kind, const FN(attention_right) *right,
                                   fnn_size rows,
                                   fnn_size from, fnn_size to, const REAL *keep, const REAL *times)
{
    const REAL *a_from = kind == BY_ROWS ? a + from : a + from * TILE_T, *b = right->b + from * right->rsb;
    const fnn_size k = to - from;
    for (fnn_size j = 0; j < right->whole; j += GEMM_NR)
        FN(attention_micros)[kind][right->whole - j > VL][rows - 1](c + j, rsc, a_from, 0, b + j, right->rsb, k, keep,
                                                                    times);
    if (right->edge) {
        REAL edge[GEMM_MR * GEMM_VL];
        FN(attention_micros)[kind][0][rows - 1](edge, VL, a_from, 0, right->edge + from * VL, VL, k, NULL, times);
        for (fnn_size i = 0; i < rows; i++)
            for (fnn_size j = right->whole; j < right->n; j++)
                c[i * rsc + j] = edge[i * VL + j - right->whole]
                    + (keep ? (kind == BY_ROWS ? 1 : keep[i]) * c[i * rsc + j] : 0);
    }
}

/* c[t,:] = (keep[t] c[t,:] +) times[t] sum_u tile[u,t] b[u,:] */
static void FN(attention_by_query)(REAL *c, fnn_size rsc, const REAL *tile, const REAL *b, fnn_size rsb,
                                   fnn_size queries, fnn_size keys,
                                   fnn_size n, const REAL *keep, const REAL *times, fnn_size ahead)
{
    const FN(attention_right) right = FN(attention_open_right)(b, rsb, n, keys);
    for (fnn_size i = 0; i < fnn_ceil_div(queries, GEMM_MR); i++) {
        fnn_size rows, row = FN(attention_panel)(queries, i, &rows);
        FN(attention_rows)(c + row * rsc, rsc, tile + row, BY_COLUMNS, &right, rows, 0,
                           fnn_min(keys, row + rows + ahead),
                           keep ? keep + row : NULL, times + row);
    }
    FN(attention_close_right)(&right);
}

/* c[u,:] (+)= times sum_t tile[u,t] b[t,:]: added in the first `added` rows, stored in the others
 */
static void FN(attention_by_key)(REAL *c, fnn_size rsc, const REAL *tile, const REAL *b, fnn_size rsb, fnn_size queries,
                                 fnn_size keys,
                                 fnn_size n, fnn_size added, REAL times, fnn_size ahead)
{
    const FN(attention_right) right = FN(attention_open_right)(b, rsb, n, queries);
    for (int fresh = 0; fresh < 2; fresh++) {
        const fnn_size begin = fresh ? added : 0, m = fresh ? keys - added : added;
        for (fnn_size i = 0; i < fnn_ceil_div(m, GEMM_MR); i++) {
            fnn_size rows, row = begin + FN(attention_panel)(m, i, &rows);
            FN(attention_rows)(c + row * rsc, rsc, tile + row * TILE_T, BY_ROWS, &right, rows, fnn_max(0, row - ahead),
                               queries,
                               fresh ? NULL : &times, &times);
        }
    }
    FN(attention_close_right)(&right);
}
