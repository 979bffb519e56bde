/* gemm.tmpl.h -- matrix products.
 *
 * Math       C[i,j] = sum_p A[i,p] B[p,j]  (+ C[i,j]) (+ bias_row[i]) (+ bias_col[j])
 * Symbols    see gemm.h
 * Layout     A and B with any strides, C with rows of adjacent elements
 * Method     row by row, p outside, so that the inner loop runs along rows of C
 * Threads    blocks of rows of C
 */
typedef struct {
    REAL *c;
    const REAL *a, *b, *bias_row, *bias_col;
    fnn_size rsc, rsa, csa, rsb, csb, n, k;
    int accumulate;
} FN(gemm_args);

static void FN(gemm_rows)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(gemm_args) *g = ctx;
    for (fnn_size i = begin; i < end; i++) {
        REAL *restrict c = g->c + i * g->rsc;
        for (fnn_size j = 0; j < g->n; j++)
            c[j] = (g->accumulate ? c[j] : 0) + (g->bias_row ? g->bias_row[i] : 0) + (g->bias_col ? g->bias_col[j] : 0);
        for (fnn_size p = 0; p < g->k; p++) {
            const REAL a = g->a[i * g->rsa + p * g->csa];
            const REAL *b = g->b + p * g->rsb;
            for (fnn_size j = 0; j < g->n; j++)
                c[j] += a * b[j * g->csb];
        }
    }
}

void FN(gemm)(REAL *c, fnn_size rsc, const REAL *a, fnn_size rsa, fnn_size csa, const REAL *b, fnn_size rsb, fnn_size csb,
              const REAL *bias_row, const REAL *bias_col, fnn_size m, fnn_size n, fnn_size k, int accumulate)
{
    FN(gemm_args) args = { c, a, b, bias_row, bias_col, rsc, rsa, csa, rsb, csb, n, k, accumulate };
    fnn_parallel_for(m, 16, FN(gemm_rows), &args);
}

void FN(gemm_batched)(REAL *c, fnn_size rsc, const REAL *a, fnn_size rsa, fnn_size csa, const REAL *b, fnn_size rsb, fnn_size csb,
                      const fnn_size *offset_c, const fnn_size *offset_a, const fnn_size *offset_b,
                      fnn_size batch, fnn_size m, fnn_size n, fnn_size k, int accumulate)
{
    for (fnn_size i = 0; i < batch; i++)
        FN(gemm)(c + offset_c[i], rsc, a + offset_a[i], rsa, csa, b + offset_b[i], rsb, csb, NULL, NULL, m, n, k, accumulate);
}
