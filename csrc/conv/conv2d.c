/* conv2d.c -- two-dimensional cross-correlation and its three gradients. The map of the family:
 * conv2d.h. Mathematics: conv2d.tmpl.h. */
#define KERNELS "conv/conv2d.h"
#define CALLS "gemm/gemm.h"
#include "fastnn.h"
#include "conv/conv2d_choose.h"

fnn_work fnn_conv2d_workspace(const fnn_window *g, int want_dx, int want_dw)
{
    const fnn_work weights = (fnn_work)g->K * conv_taps(g);
    fnn_work elements = 0;
    if (want_dx && conv_choose(g, CONV_DX) == CONV_FLIPPED)
        elements += weights;                    /* the flipped filters */
    if (want_dw) {                              /* a partial sum for each block of images or part */
        const fnn_size blocks = conv_cut_dw(g, conv_choose(g, CONV_DW_EXACT)).image_blocks;
        const fnn_size parts = conv_choose(g, CONV_DW) == CONV_WINOGRAD ? wino_cut_dw(g).parts : 1;
        const fnn_size sums = fnn_max(blocks, parts);
        elements += sums > 1 ? sums * weights : 0;
    }
    return elements;
}

void fnn_conv2d_methods(const fnn_window *g, const char *names[3])
{
    static const char *const name[] = {
        [CONV_WINOGRAD] = "winograd", [CONV_FEW] = "few", [CONV_PIXELS] = "pixels", [CONV_DIRECT] = "direct",
        [CONV_TAPS] = "taps", [CONV_COLUMNS] = "columns",
    }, *const flipped[] = {
        [CONV_WINOGRAD] = "flipped, winograd", [CONV_FEW] = "flipped, few", [CONV_PIXELS] = "flipped, pixels",
        [CONV_DIRECT] = "flipped, direct", [CONV_COLUMNS] = "flipped, columns",
    };
    const conv_method dx = conv_choose(g, CONV_DX);
    names[0] = name[conv_choose(g, CONV_Y)];
    names[1] = name[dx];
    if (dx == CONV_FLIPPED) {
        const fnn_window back = conv_flipped(g);
        names[1] = flipped[conv_choose(&back, CONV_Y)];
    }
    names[2] = name[conv_choose(g, CONV_DW)];
}

#define TEMPLATE "conv/conv2d.tmpl.h"
#include "core/levels.h"
