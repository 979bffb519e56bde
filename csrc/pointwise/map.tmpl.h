/* map.tmpl.h -- kernels that apply one expression to each element, one line each; and the map of
 * the family. No guard: a template that has such kernels includes it.
 *
 *     MAP1(name, x, f(x))                 y[i] = f(x[i])
 *     MAP1P(name, x, p, f(x, p))          with an attribute p
 *     MAP1PQ(name, x, p, q, ...)          with two
 *     MAP2, MAP2P, MAP2PQ                 the same of two arrays: y[i] = f(a[i], b[i])
 *     BROADCAST2(name, a, b, f(a, b))     y = f(a, b) with a and b broadcast against each other:
 *                                         broadcast.h
 *
 * Each line makes a kernel  void FN(name)(REAL *y, const REAL *x, fnn_size n, double p, double q),
 * with what applies of these arguments. The names x, a, b, p, q are the ones that the expression
 * uses; all are REAL. Write constants as R(0.5), so that float stays float, and functions as r_exp,
 * r_sqrt, r_abs: core/simd.h has the list. Where both serve, r_min and r_max take fewer
 * instructions than two selections.
 *
 * Method     one pass over blocks of MAP_GRAIN elements; the loop is plain, and the compiler
 *            vectorises it at each level.
 * Denormals  where they are not flushed to zero, float runs through the double version of the same
 *            expression, a piece at a time: the functions of simd.h for float know no denormals.
 * Threads    elements are independent, so the bits do not depend on the number of threads.
 *
 * Map        element by element    activation.tmpl.h, arithmetic.tmpl.h, special.tmpl.h (on this
 *                                  file); loss.tmpl.h, dropout.tmpl.h; broadcast.h plans for two
 *                                  arrays
 *            along an axis         reduce.tmpl.h; softmax.tmpl.h, which has cross-entropy and
 *                                  negative log likelihood too, on the passes of rows.h
 *            by number             embedding.tmpl.h, rows of a table; scatter.tmpl.h
 */
#ifndef FNN_MAP_ONCE
#define FNN_MAP_ONCE

#include "pointwise/broadcast.h"

enum { MAP_GRAIN = 16384 };         /* elements in a block of a parallel loop; chosen: some
                                       microseconds from memory, more where there is arithmetic */

#define R(constant) ((REAL)(constant))

typedef struct { void *y; const void *a, *b; double p, q; } fnn_map_args;

enum { MAP_PIECE = 128 };                       /* elements that are widened to double at a time;
                                                   bound: 1 KiB for each array on the stack */

static inline void fnn_widen(double *restrict out, const float *restrict in, fnn_size n)
{
    for (fnn_size i = 0; i < n; i++) out[i] = in[i];
}

static inline void fnn_narrow(float *restrict out, const double *restrict in, fnn_size n)
{
    for (fnn_size i = 0; i < n; i++) out[i] = (float)in[i];
}

/* Elements begin to end of float arrays, by a block of double. */
static inline void fnn_map_in_double(fnn_block_fn block, const fnn_map_args *args, fnn_size begin, fnn_size end)
{
    double y[MAP_PIECE], a[MAP_PIECE], b[MAP_PIECE];
    fnn_map_args wide = { y, a, b, args->p, args->q };
    for (fnn_size i = begin; i < end; i += MAP_PIECE) {
        const fnn_size n = fnn_min(end - i, MAP_PIECE);
        fnn_widen(a, (const float *)args->a + i, n);
        if (args->b) fnn_widen(b, (const float *)args->b + i, n);
        block(&wide, 0, n);
        fnn_narrow((float *)args->y + i, y, n);
    }
}

/* FN(name_ieee) is FN(name_block) with denormals, for float. */
#define MAP_IEEE(name)                                                                      \
    static void FNN_NAME(name##_block, f64, LEVEL)(void *ctx, fnn_size begin, fnn_size end);\
    static void FN(name##_ieee)(void *ctx, fnn_size begin, fnn_size end)                    \
    {                                                                                       \
        fnn_map_in_double(FNN_NAME(name##_block, f64, LEVEL), ctx, begin, end);             \
    }
#define IEEE_OR(usual, ieee) (REAL_IS_F64 || fnn_flush_denormal() ? (usual) : (ieee))

#define MAP_BLOCK(name, NAMES, expression)                                      \
    static void FN(name##_block)(void *ctx, fnn_size begin, fnn_size end)       \
    {                                                                           \
        const fnn_map_args *args = ctx;                                         \
        REAL *restrict out = args->y;                                           \
        const REAL *restrict in_a = args->a, *restrict in_b = args->b;          \
        const REAL attr_p = (REAL)args->p, attr_q = (REAL)args->q;              \
        (void)in_b, (void)attr_p, (void)attr_q;                                 \
        for (fnn_size i = begin; i < end; i++) {                                \
            NAMES                                                               \
            out[i] = (expression);                                              \
        }                                                                       \
    }                                                                           \
    MAP_IEEE(name)
#define MAP_RUN(name, in_a, in_b, p, q)                                         \
    {                                                                           \
        fnn_map_args args = { out, in_a, in_b, p, q };                          \
        fnn_parallel_for(n, MAP_GRAIN, IEEE_OR(FN(name##_block), FN(name##_ieee)), &args); \
    }

#define MAP1(name, x, expression)                                               \
    MAP_BLOCK(name, const REAL x = in_a[i];, expression)                        \
    void FN(name)(REAL *out, const REAL *in, fnn_size n) MAP_RUN(name, in, NULL, 0, 0)
#define MAP1P(name, x, p, expression)                                           \
    MAP_BLOCK(name, const REAL x = in_a[i]; const REAL p = attr_p;, expression) \
    void FN(name)(REAL *out, const REAL *in, fnn_size n, double attr) MAP_RUN(name, in, NULL, attr, 0)
#define MAP1PQ(name, x, p, q, expression)                                                              \
    MAP_BLOCK(name, const REAL x = in_a[i]; const REAL p = attr_p; const REAL q = attr_q;, expression) \
    void FN(name)(REAL *out, const REAL *in, fnn_size n, double attr_1, double attr_2)                 \
    MAP_RUN(name, in, NULL, attr_1, attr_2)
#define MAP2(name, a, b, expression)                                             \
    MAP_BLOCK(name, const REAL a = in_a[i]; const REAL b = in_b[i];, expression) \
    void FN(name)(REAL *out, const REAL *in_1, const REAL *in_2, fnn_size n) MAP_RUN(name, in_1, in_2, 0, 0)
#define MAP2P(name, a, b, p, expression)                                                                \
    MAP_BLOCK(name, const REAL a = in_a[i]; const REAL b = in_b[i]; const REAL p = attr_p;, expression) \
    void FN(name)(REAL *out, const REAL *in_1, const REAL *in_2, fnn_size n, double attr)               \
    MAP_RUN(name, in_1, in_2, attr, 0)
#define MAP2PQ(name, a, b, p, q, expression)                                                                       \
    MAP_BLOCK(name, const REAL a = in_a[i]; const REAL b = in_b[i]; const REAL p = attr_p; const REAL q = attr_q;, \
              expression)                                                                                          \
    void FN(name)(REAL *out, const REAL *in_1, const REAL *in_2, fnn_size n, double attr_1, double attr_2)         \
    MAP_RUN(name, in_1, in_2, attr_1, attr_2)

/* A row is a run of n elements along the last dimension, where a and b each advance by one (step 1)
 * or stay (step 0); both stay only where n = 1. */
typedef void fnn_row_fn(void *y, const void *a, const void *b, fnn_size n, fnn_size a_step, fnn_size b_step);
typedef struct { void *y; const void *a, *b; const fnn_broadcast *s; fnn_row_fn *row; } fnn_broadcast_args;

/* n elements of float rows, by a row of double */
static inline void fnn_row_in_double(fnn_row_fn *row, float *y, const float *a, const float *b, fnn_size n,
                                     fnn_size a_step, fnn_size b_step)
{
    double wide_y[MAP_PIECE], wide_a[MAP_PIECE], wide_b[MAP_PIECE];
    for (fnn_size i = 0; i < n; i += MAP_PIECE) {
        const fnn_size part = fnn_min(n - i, MAP_PIECE);
        fnn_widen(wide_a, a + i * a_step, a_step ? part : 1);
        fnn_widen(wide_b, b + i * b_step, b_step ? part : 1);
        row(wide_y, wide_a, wide_b, part, a_step, b_step);
        fnn_narrow(y + i, wide_y, part);
    }
}

#define BROADCAST2(name, a, b, expression)                                                                   \
    static void FN(name##_row)(void *y, const void *a_row, const void *b_row, fnn_size n, fnn_size a_step,   \
                               fnn_size b_step)                                                              \
    {                                                                                                        \
        REAL *restrict out = y;                                                                              \
        const REAL *restrict in_a = a_row, *restrict in_b = b_row;                                           \
        if (a_step && b_step)                                                                                \
            for (fnn_size i = 0; i < n; i++) { const REAL a = in_a[i], b = in_b[i]; out[i] = (expression); } \
        else if (a_step) {                                                                                   \
            const REAL b = in_b[0];                                                                          \
            for (fnn_size i = 0; i < n; i++) { const REAL a = in_a[i]; out[i] = (expression); }              \
        } else {                                                                                             \
            const REAL a = in_a[0];                                                                          \
            for (fnn_size i = 0; i < n; i++) { const REAL b = in_b[i]; out[i] = (expression); }              \
        }                                                                                                    \
    }                                                                                                        \
    static fnn_row_fn FNN_NAME(name##_row, f64, LEVEL);                                                      \
    static void FN(name##_row_ieee)(void *y, const void *a_row, const void *b_row, fnn_size n,               \
                                    fnn_size a_step, fnn_size b_step)                                        \
    {                                                                                                        \
        fnn_row_in_double(FNN_NAME(name##_row, f64, LEVEL), y, a_row, b_row, n, a_step, b_step);             \
    }                                                                                                        \
    void FN(name)(REAL *y, const REAL *a_data, const REAL *b_data, const fnn_broadcast *s)                   \
    {                                                                                                        \
        fnn_broadcast_args args = { y, a_data, b_data, s, IEEE_OR(FN(name##_row), FN(name##_row_ieee)) };    \
        fnn_parallel_for(s->size, MAP_GRAIN, FN(broadcast_block), &args);                                    \
    }
#endif

/* Elements begin to end of y, row by row; `at` is the index of the current element, a and b are its
 * places in the inputs. */
FNN_INLINE void FN(broadcast_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_broadcast_args *args = ctx;
    const fnn_broadcast *s = args->s;
    const int last = s->ndim - 1;
    fnn_size at[FNN_MAX_DIMS], a = 0, b = 0, rest = begin;
    for (int d = last; d >= 0; d--) {
        at[d] = rest % s->shape[d];
        rest /= s->shape[d];
        a += at[d] * s->a_step[d];
        b += at[d] * s->b_step[d];
    }
    for (fnn_size i = begin; i < end; ) {
        const fnn_size n = fnn_min(s->shape[last] - at[last], end - i);
        args->row((REAL *)args->y + i, (const REAL *)args->a + a, (const REAL *)args->b + b, n, s->a_step[last],
                  s->b_step[last]);
        i += n;
        at[last] += n;
        a += n * s->a_step[last];
        b += n * s->b_step[last];
        /* carry into the next dimension up */
        for (int d = last; d > 0 && at[d] == s->shape[d]; d--) {
            at[d] = 0;
            at[d - 1]++;
            a += s->a_step[d - 1] - s->shape[d] * s->a_step[d];
            b += s->b_step[d - 1] - s->shape[d] * s->b_step[d];
        }
    }
}
