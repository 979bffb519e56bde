/* pool2d.h -- rows of kernels.h for pool2d.c; no guard. Letters: fnn_window (window.h) over N*C
 * planes; K and G are not used.
 *
 * x [N][C][H][W]   y [N][C][P][Q]
 */
#include "core/window.h"

/* y = the largest x in each window; padding counts as minus infinity, NaN wins. tap: the number r*S
 * + s of its tap, the first of equals; 255 where a window holds no pixel (then y is minus
 * infinity); NULL: not wanted. Only for windows that fnn_pool2d_is_framed. */
KERNEL(max_pool2d_forward, REAL *y, uint8_t *tap, const REAL *x, const fnn_window *g)
/* dx = 0 but for what taps were the largest, to which dy is added */
KERNEL(max_pool2d_backward, REAL *dx, const REAL *dy, const uint8_t *tap, const fnn_window *g)

/* The same for windows of any size. argmax: the place i*W + j of the largest in the plane, or -1.
 * With `adaptive` the window of output p is rows floor(p*H/P) to ceil((p+1)*H/P) - 1, likewise for
 * columns, and of g only N, C, H, W, P, Q are used. */
KERNEL(max_window_pool2d_forward, REAL *y, int32_t *argmax, const REAL *x, const fnn_window *g, int adaptive)
KERNEL(max_window_pool2d_backward, REAL *dx, const REAL *dy, const int32_t *argmax, const fnn_window *g)

/* y = (sum of x in each window) / d, with d = divisor if that is not 0, else the number of elements
 * under the window: with `count_padding` those in the padding too, which is ph rows above and below
 * and pw columns left and right of the image. */
KERNEL(avg_pool2d_forward, REAL *y, const REAL *x, const fnn_window *g, int count_padding, fnn_size divisor)
KERNEL(avg_pool2d_backward, REAL *dx, const REAL *dy, const fnn_window *g, int count_padding, fnn_size divisor)

/* The mean over adaptive windows, as above. */
KERNEL(adaptive_avg_pool2d_forward, REAL *y, const REAL *x, const fnn_window *g)
KERNEL(adaptive_avg_pool2d_backward, REAL *dx, const REAL *dy, const fnn_window *g)
