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

typedef struct {
    fnn_size N, C, H, W;                            /* images, channels in, image size */
    fnn_size K, G;                                  /* filters and groups: of convolution only */
    fnn_size R, S;                                  /* window */
    fnn_size P, Q;                                  /* output */
    fnn_size sh, sw, ph, pw, dh, dw;                /* stride, padding at the top and left, dilation */
} fnn_window;

/* The outputs q in [begin, end) of `outputs` with 0 <= q*stride + offset < size: there a tap sees
 * the image, else padding. */
static inline void fnn_inside(fnn_size size, fnn_size outputs, fnn_size stride, fnn_size offset,
                              fnn_size *begin, fnn_size *end)
{
    fnn_size first = offset >= 0 ? 0 : (-offset + stride - 1) / stride;
    fnn_size last = offset >= size ? 0 : (size - 1 - offset) / stride + 1;
    last = last < outputs ? last : outputs;
    *begin = first < last ? first : last;
    *end = last;
}

static inline fnn_size fnn_min(fnn_size a, fnn_size b) { return a < b ? a : b; }
static inline fnn_size fnn_max(fnn_size a, fnn_size b) { return a > b ? a : b; }
static inline fnn_size fnn_ceil_div(fnn_size a, fnn_size b) { return (a + b - 1) / b; }

/* The length of a piece when n items are cut into pieces of about `aim`, all of one length but the
 * last. */
static inline fnn_size fnn_even_piece(fnn_size n, fnn_size aim)
{
    return n <= aim ? fnn_max(n, 1) : fnn_ceil_div(n, fnn_ceil_div(n, aim));
}

/* Whether max_pool2d_forward takes these windows; if not, max_window_pool2d_forward does. */
int fnn_pool2d_is_framed(const fnn_window *g);

/* Elements of workspace that conv2d_backward needs for the gradients that are wanted. */
fnn_size fnn_conv2d_workspace(const fnn_window *g, int want_dx, int want_dw);

#endif
