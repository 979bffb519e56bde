/* rows.h -- the two passes over a row that every softmax is made of. No guard: included by templates, once per level and type. */

/* The largest of x[0..n), -infinity for n = 0. NaN is passed over here and shows in the sum of the exponentials. */
FNN_INLINE REAL FN(row_max)(const REAL *x, fnn_size n)
{
    REAL top = -(REAL)INFINITY;
    fnn_size i = 0;
    if (n >= VL) {
        vec tops = v_set(top);
        for (; i + VL <= n; i += VL)
            tops = v_max(v_load(x + i), tops);
        top = v_hmax(tops);
    }
    for (; i < n; i++)
        top = x[i] > top ? x[i] : top;
    return top;
}

/* e[i] = exp(scale x[i] - top); returns the sum. e may be x. */
FNN_INLINE REAL FN(row_exp)(REAL *e, const REAL *x, REAL scale, REAL top, fnn_size n)
{
    REAL sum = 0;
#pragma omp simd reduction(+ : sum)
    for (fnn_size i = 0; i < n; i++) {
        const REAL p = r_exp(x[i] * scale - top);
        e[i] = p;
        sum += p;
    }
    return sum;
}
