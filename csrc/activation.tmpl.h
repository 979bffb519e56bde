/* activation.tmpl.h -- functions applied to each element, and their derivatives.
 *
 * Math       y[i] = f(x[i]);   dx[i] = f'(x[i]) * dy[i]
 * Symbols    n elements; x input, y output, dy upstream gradient, dx gradient of x.
 * Layout     flat arrays of n elements.
 * Method     one pass; the loops are written plainly and vectorised by the compiler at each level.
 * Cost       reads and writes each element once: bound by memory for the simple functions, by exp for the others.
 * Threads    blocks of GRAIN elements; elements are independent.
 * Reference  fastnn/reference/activation.py
 */
#ifndef FNN_ACTIVATION_ONCE
#define FNN_ACTIVATION_ONCE
enum { ACTIVATION_GRAIN = 16384 };                  /* elements a block: some tens of microseconds from memory */
typedef struct { void *y; const void *a, *b; } fnn_map_args;
#endif

static void FN(relu_forward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_map_args *args = ctx;
    REAL *restrict y = args->y;
    const REAL *restrict x = args->a;
    for (fnn_size i = begin; i < end; i++)
        y[i] = x[i] < 0 ? 0 : x[i];
}

void FN(relu_forward)(REAL *y, const REAL *x, fnn_size n)
{
    fnn_map_args args = { y, x, NULL };
    fnn_parallel_for(n, ACTIVATION_GRAIN, FN(relu_forward_block), &args);
}

static void FN(relu_backward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_map_args *args = ctx;
    REAL *restrict dx = args->y;
    const REAL *restrict dy = args->a, *restrict y = args->b;
    for (fnn_size i = begin; i < end; i++)
        dx[i] = y[i] > 0 ? dy[i] : 0;               /* forward was  y = max(x, 0) */
}

void FN(relu_backward)(REAL *dx, const REAL *dy, const REAL *y, fnn_size n)
{
    fnn_map_args args = { dx, dy, y };
    fnn_parallel_for(n, ACTIVATION_GRAIN, FN(relu_backward_block), &args);
}
