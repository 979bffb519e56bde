/* window.h -- the geometry that convolution, unfold and pooling share: a window that slides over an
 * image.
 *
 * Output (p, q) looks through the window at the pixels (i, j) = (p*sh - ph + r*dh, q*sw - pw +
 * s*dw) for its taps (r, s); what lies outside the image is padding. Only the padding at the top
 * and left is written down: P and Q say how far the window goes on the other side, so that one
 * geometry serves symmetric, asymmetric ("same") and cut-off (ceil_mode) padding alike.
 *
 *        sw
 *      |---->|
 *      r=0  x . x . x     dw = 2: every other pixel
 *           . . . . .
 *      r=1  x . x . x     dh = 2
 */
#ifndef FASTNN_WINDOW_H
#define FASTNN_WINDOW_H

#include "core/sizes.h"

typedef struct {
    fnn_size N, C, H, W;                        /* images, channels in, image size */
    fnn_size K, G;                              /* filters and groups: of convolution only */
    fnn_size R, S;                              /* window */
    fnn_size P, Q;                              /* output */
    fnn_size sh, sw, ph, pw, dh, dw;            /* stride, padding at the top and left, dilation: in
                                                   code a plain dw is the gradient of w */
} fnn_window;

/* The outputs q in [begin, end) of `outputs` with 0 <= q*stride + offset < size: there a tap sees
 * the image, else padding. */
static inline void fnn_inside(fnn_size size, fnn_size outputs, fnn_size stride, fnn_size offset,
                              fnn_size *begin, fnn_size *end)
{
    fnn_size first = offset >= 0 ? 0 : fnn_ceil_div(-offset, stride);
    fnn_size last = offset >= size ? 0 : (size - 1 - offset) / stride + 1;
    last = fnn_min(last, outputs);
    *begin = fnn_min(first, last);
    *end = last;
}

#endif
