/* pool2d.h -- pooling: the rows of kernels.h for pool2d.c, and the map of the family; no guard.
 *
 * Names      fnn_max_pool2d_forward, fnn_max_pool2d_backward, fnn_max_window_pool2d_forward,
 *            fnn_max_window_pool2d_backward, fnn_avg_pool2d_forward, fnn_avg_pool2d_backward,
 *            fnn_adaptive_avg_pool2d_forward, fnn_adaptive_avg_pool2d_backward:
 *            FN(max_pool2d_forward) and so on, at the end of pool2d.tmpl.h. (fastnn.h says how
 *            names are made.)
 * Letters    fnn_window (core/window.h) over N*C planes; K and G are not used.
 *            x [N][C][H][W]   y [N][C][P][Q]
 * Map        the family, and when a file matters:
 *
 *     pool2d.h                  what can be called, with its contract (this file)
 *     pool2d.c                  compiles the next files for every instruction set
 *     pool2d.tmpl.h             the formulas, a table of the methods, and the functions that choose
 *                               one; large and adaptive windows, one after the other
 *     pool2d_cut.h              whether a method applies, and how it cuts its work into tiles
 *     pool2d_two.tmpl.h         windows of 2 x 2 side by side
 *     pool2d_three.tmpl.h       maxima of 3 x 3 windows that move by 2
 *     pool2d_rows.tmpl.h        maxima of other windows of few taps
 *     pool2d_frames.tmpl.h      means of windows of few taps, and the gradients of both
 *     fastnn/kernels/pool2d.pxi         the calls from Python
 *     docs/kernels/pooling.md           the way here from plain loops, and what was measured
 */
#include "core/window.h"

#ifndef FNN_POOL2D_ONCE
#define FNN_POOL2D_ONCE
enum { FNN_POOL_NONE = 255 };                       /* the number of no tap */

/* Whether max_pool2d takes these windows: few taps, so that a byte numbers them, and small strides.
 * If not, max_window_pool2d does, which takes any. */
int fnn_pool2d_is_framed(const fnn_window *g);
#endif

/* y = the largest x in each window; padding counts as minus infinity, NaN wins. tap [N][C][P][Q]:
 * the number r*S + s of the largest tap, the first of equals; FNN_POOL_NONE where a window holds
 * no pixel (then y is minus infinity); NULL: not wanted. Only for windows that
 * fnn_pool2d_is_framed. */
KERNEL(max_pool2d_forward, (REAL *y, uint8_t *tap, const REAL *x, const fnn_window *g), (y, tap, x, g))
/* dx = 0 but for the pixels under taps that were the largest, to which dy is added */
KERNEL(max_pool2d_backward, (REAL *dx, const REAL *dy, const uint8_t *tap, const fnn_window *g), (dx, dy, tap, g))

/* The same for windows of any size. argmax [N][C][P][Q]: the index i*W + j of the largest pixel in
 * its plane, or -1. With `adaptive` the window of output p is rows floor(p*H/P) to
 * ceil((p+1)*H/P) - 1, likewise for columns, and of g only N, C, H, W, P, Q are used. */
KERNEL(max_window_pool2d_forward, (REAL *y, int32_t *argmax, const REAL *x, const fnn_window *g, int adaptive),
       (y, argmax, x, g, adaptive))
KERNEL(max_window_pool2d_backward, (REAL *dx, const REAL *dy, const int32_t *argmax, const fnn_window *g),
       (dx, dy, argmax, g))

/* y = (sum of x in each window) / d, with d = divisor if that is not 0, else the number of elements
 * under the window: with `count_padding` those in the padding too, which is ph rows above and below
 * and pw columns left and right of the image. */
KERNEL(avg_pool2d_forward, (REAL *y, const REAL *x, const fnn_window *g, int count_padding, fnn_size divisor),
       (y, x, g, count_padding, divisor))
KERNEL(avg_pool2d_backward, (REAL *dx, const REAL *dy, const fnn_window *g, int count_padding, fnn_size divisor),
       (dx, dy, g, count_padding, divisor))

/* The mean over adaptive windows, as above. */
KERNEL(adaptive_avg_pool2d_forward, (REAL *y, const REAL *x, const fnn_window *g), (y, x, g))
KERNEL(adaptive_avg_pool2d_backward, (REAL *dx, const REAL *dy, const fnn_window *g), (dx, dy, g))
