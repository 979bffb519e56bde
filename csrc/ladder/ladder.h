/* ladder.h -- the way to six kernels, step by step: the rows of kernels.h for ladder.c; no guard.
 * docs/kernels tells it, and `python -m fastnn bench gemm --ladder` measures it. No op uses these;
 * the last step of each ladder is the family's own kernel.
 *
 * Names      fnn_ladder_gemm, fnn_ladder_conv2d, fnn_ladder_max_pool2d, fnn_ladder_softmax,
 *            fnn_ladder_lstm, fnn_ladder_attention: FN(ladder_gemm) and so on, in ladder.tmpl.h.
 * Map        ladder.tmpl.h   the steps
 *            peak.tmpl.h     how fast this machine multiplies and adds, to compare with
 * Letters    those of each family; `step` is one of the enum below
 */
#ifndef FNN_LADDER_ONCE
#define FNN_LADDER_ONCE
/* steps to gemm */
enum { LADDER_IJK, LADDER_IKJ, LADDER_BLOCKED, LADDER_FOUR_ROWS, LADDER_TILE };
/* to conv2d */
enum { LADDER_SEVEN_LOOPS, LADDER_COLUMNS_PLAIN, LADDER_COLUMNS_GEMM, LADDER_STRIPS };
/* to max_pool2d */
enum { LADDER_EVERY_TAP, LADDER_TAPS_INSIDE, LADDER_ROWS };
/* to softmax */
enum { LADDER_C_EXP, LADDER_VECTOR_EXP, LADDER_ONLINE };
/* to lstm */
enum { LADDER_DOTS, LADDER_TWO_PRODUCTS, LADDER_ONE_PRODUCT, LADDER_VECTOR_GATES };
/* to attention */
enum { LADDER_QUERY_BY_QUERY, LADDER_WHOLE_SCORES };
#endif
#include "core/window.h"

/* C[m,n] = A[m,k] B[k,n], all contiguous */
KERNEL(ladder_gemm, (REAL *c, const REAL *a, const REAL *b, fnn_size m, fnn_size n, fnn_size k, int step),
       (c, a, b, m, n, k, step))
/* conv2d_forward without bias and groups (g->G = 1); cols [C*R*S][P*Q] is workspace of the steps
 * with columns */
KERNEL(ladder_conv2d, (REAL *y, const REAL *x, const REAL *w, REAL *cols, const fnn_window *g, int step),
       (y, x, w, cols, g, step))
/* max_pool2d_forward, for windows that all see a pixel, and numbers that are not NaN */
KERNEL(ladder_max_pool2d, (REAL *y, int32_t *argmax, const REAL *x, const fnn_window *g, int step),
       (y, argmax, x, g, step))
/* y[i,:] = softmax of x[i,:] */
KERNEL(ladder_softmax, (REAL *y, const REAL *x, fnn_size rows, fnn_size n, int step), (y, x, rows, n, step))
/* lstm_forward with one bias b [4H], without what only backward needs; work [T*B*4H + B*H] */
KERNEL(ladder_lstm, (REAL *y, const REAL *x, const REAL *h0, const REAL *c0, const REAL *w_ih, const REAL *w_hh,
        const REAL *b, REAL *work, fnn_size T, fnn_size B, fnn_size I, fnn_size H, int step),
       (y, x, h0, c0, w_ih, w_hh, b, work, T, B, I, H, step))
/* Causal attention: q, k, v, y [items][T][HS]; work [T][T] */
KERNEL(ladder_attention, (REAL *y, const REAL *q, const REAL *k, const REAL *v, REAL *work, fnn_size items, fnn_size T,
        fnn_size HS, double scale, int step),
       (y, q, k, v, work, items, T, HS, scale, step))
