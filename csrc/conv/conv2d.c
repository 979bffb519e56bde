/* conv2d.c -- two-dimensional cross-correlation and its three gradients. Mathematics and methods:
 * conv2d.tmpl.h. */
#include "fastnn.h"
#include "conv/conv2d_cut.h"

fnn_size fnn_conv2d_workspace(const fnn_window *g, int want_dx, int want_dw)
{
    const fnn_size weights = g->K * conv_taps(g), parts = conv_dw_is_winograd(g) ? wino_cut_dw(g).parts : 1;
    const fnn_size blocks = fnn_max(conv_cut_dw(g).image_blocks, parts);
    return (want_dx && conv_dx_is_conv(g) ? weights : 0)        /* the turned filters */
         + (want_dw && blocks > 1 ? blocks * weights : 0);      /* a partial sum per block of images or part */
}

#define TEMPLATE "conv/conv2d.tmpl.h"
#include "core/levels.h"
