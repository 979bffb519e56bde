/* conv2d_cut.h -- how convolution cuts its work into blocks. All cuts depend on sizes only, never
 * on threads or type. */
#ifndef FASTNN_CONV2D_CUT_H
#define FASTNN_CONV2D_CUT_H

#include "conv/winograd_cut.h"

enum {
    CONV_COLUMNS = 512,                             /* output pixels whose columns a thread makes at one time */
    CONV_FEW_COLUMNS = 48,                          /* below which dx takes several images together */
    CONV_TILE = 1 << 18,                            /* elements of the column matrix that it holds */
    CONV_SHARED_COLUMNS = 2048,                     /* the same where all threads work on one piece */
    CONV_SHARED_TILE = 1 << 20,
    CONV_ROWS = 128, CONV_ROWS_MAX = 512,       /* rows of the column matrix (taps) in a block of dw; the first also of
                                                   dx */
    CONV_FILTERS_MAX = 512,                         /* filters in a block of dw: bounds the tile of dy */
    CONV_PHASES = 1 << 17,                          /* elements of the frames in which dx sums what strides take
                                                       apart */
    CONV_BLOCKS = 8,                                /* blocks to aim at, so that any sensible number of threads has
                                                       work */
    CONV_WORK = 1 << 21,                            /* multiply-adds worth a block of their own: some 20 microseconds */
    CONV_UNIT = 32,                             /* sizes of blocks are multiples of this, a multiple of the product's
                                                   tile */
    CONV_FRAME = 1 << 20,                           /* elements of a padded plane that the direct method will hold, */
    CONV_DIRECT_FRAMES = 1 << 17,                   /* and of all channels' planes where it has the choice; */
    CONV_DIRECT_TAPS = 1024,                        /* the most taps that it takes; */
    CONV_DIRECT_FILTERS = 16,                       /* filters in a group up to which it wins */
    CONV_DW_PIXELS = 512,                           /* conv2d_dw.tmpl.h: outputs in a band, */
    CONV_DW_CHANNELS = 16,                          /* channels worth turning dy for, */
    CONV_DW_SUMS = 1 << 18, CONV_DW_FRAME = 1 << 19,        /* sums that a thread holds, and elements of its frames, */
    CONV_DW_COLUMN = 3,                             /* and what an element of columns costs, in sums dealt out to dw */
    PIXELS_FILTERS = 12, PIXELS_LANES = 16,         /* conv2d_pixels.tmpl.h: filters in a group from which it wins,
                                                       channels to interleave, */
    PIXELS_TAPS = 288,                              /* taps in a block, so that a panel of filters stays in an L1
                                                       cache, */
    PIXELS_TAPS_LEAST = 128, PIXELS_TAPS_STRIDED = 16,      /* taps (at a stride: columns cost more), */
    PIXELS_OUTPUTS = 64,                            /* and outputs of all images, from which it wins; */
    PIXELS_FRAME = 1 << 17, PIXELS_FRAME_MOST = 1 << 18,    /* elements of a frame to aim at, and that fit; */
    PIXELS_PHASES = 16,                             /* the most phases of dx: rows times columns of strides */
    PIXELS_WEIGHTS = 3 << 19,                       /* elements of the filters that fit, */
    PIXELS_WEIGHTS_OF_IMAGE = 1 << 15,              /* and for which one image more is taken into a frame */
    FEW_FILTERS = 6,                                /* conv2d_few.tmpl.h: filters in a panel, */
    FEW_PIECE = 4,                                  /* numbers copied at a time, or twice as many; */
    FEW_FILTERS_MOST = 1 << 14,                     /* filters, */
    FEW_OUTPUTS_LEAST = 4, FEW_OUTPUTS = 64,        /* outputs of all images, */
    FEW_WEIGHTS = 1 << 16,                          /* and elements of the filters from which these are most of what is
                                                       read; */
    FEW_COLUMNS = 1 << 19, FEW_FRAME = 1 << 16,     /* elements of the columns and of a channel's frames that it
                                                       holds, */
    FEW_TAPS = 256                                  /* and the least taps at a time */
};

/* Products summed into one output. */
static inline fnn_size conv_taps(const fnn_window *g) { return g->C / g->G * g->R * g->S; }

/* 1x1, stride 1, no padding: the image is its own column matrix. */
static inline int conv_is_pointwise(const fnn_window *g)
{
    return g->R == 1 && g->S == 1 && g->sh == 1 && g->sw == 1 && g->ph == 0 && g->pw == 0 && g->P == g->H
        && g->Q == g->W;
}

/* The method of conv2d_direct.tmpl.h for y, dx and dw: one channel per group, few filters on it,
 * and a plane that fits. */
static inline int conv_is_depthwise(const fnn_window *g)
{
    const fnn_size frame_h = (g->P - 1) * g->sh + g->dh * (g->R - 1) + 1;
    const fnn_size frame_w = (g->Q - 1) * g->sw + g->dw * (g->S - 1) + 1;
    const fnn_size spread_h = g->H + g->dh * (g->R - 1), spread_w = g->W + g->dw * (g->S - 1);
    return g->C == g->G && g->K / g->G <= CONV_DIRECT_FILTERS && g->R <= CONV_DIRECT_TAPS
        && g->S <= CONV_DIRECT_TAPS / g->R
        /* + 16: rows of whole vectors */
        && fnn_max(frame_h, spread_h) <= CONV_FRAME / (fnn_max(frame_w, spread_w) + 16);
}

/* The same method for y: also for several channels, at stride 1, if they fit a cache and most of a
 * frame's row is output. */
static inline int conv_is_direct(const fnn_window *g)
{
    const fnn_size frame_h = g->P + g->dh * (g->R - 1), frame_w = g->Q + g->dw * (g->S - 1), Cg = g->C / g->G;
    if (conv_is_depthwise(g)) return 1;
    return g->sh == 1 && g->sw == 1 && g->K / g->G <= CONV_DIRECT_FILTERS && !conv_is_pointwise(g)
        && Cg <= CONV_DIRECT_TAPS && g->R <= CONV_DIRECT_TAPS / Cg && g->S <= CONV_DIRECT_TAPS / (Cg * g->R)
        && 2 * frame_w <= 3 * g->Q && frame_h <= CONV_DIRECT_FRAMES / (Cg * frame_w);
}

/* The method of conv2d_pixels.tmpl.h: its frames, some rows of output of an image each, or several
 * small images. */
typedef struct {
    fnn_size halo, width, pitch;                    /* rows of a frame for one row of output; columns per phase, and of
                                                       all */
    fnn_size rows, bands, images;                   /* rows of output in a frame; bands in an image; images in a
                                                       frame */
} pixels_cut;

static inline pixels_cut pixels_cut_rows(const fnn_window *g)
{
    pixels_cut cut = { g->dh * (g->R - 1) + 1, g->Q + g->dw * (g->S - 1) / g->sw, 0, 0, 0, 1 };
    cut.pitch = cut.width * g->sw;
    const fnn_size most = fnn_max(PIXELS_FRAME / (g->C / g->G * cut.pitch), cut.halo);     /* rows in a frame */
    cut.rows = fnn_even_piece(g->P, (most - cut.halo) / g->sh + 1);
    cut.bands = fnn_ceil_div(g->P, cut.rows);
    if (cut.bands == 1) {                           /* several, if the filters are many numbers to read for one */
        const fnn_size images = fnn_min(most / ((g->P - 1) * g->sh + cut.halo),
                                        g->K * conv_taps(g) / PIXELS_WEIGHTS_OF_IMAGE);
        cut.images = fnn_even_piece(g->N, fnn_max(1, fnn_min(images, CONV_COLUMNS / (g->P * g->Q))));
    }
    return cut;
}

/* From one plane of a frame to the next: an odd number of cache lines, so that the planes do not
 * share places in the caches. */
static inline fnn_size conv_plane(fnn_size elements) { return (fnn_ceil_div(elements, 16) | 1) * 16; }

/* The method of conv2d_few.tmpl.h */
static inline int conv_is_few(const fnn_window *g)
{
    const fnn_size taps = conv_taps(g), outputs = g->N * g->P * g->Q;
    const fnn_size rows = (g->P - 1) * g->sh + g->dh * (g->R - 1) + 1, width = (g->Q - 1) * g->sw + g->dw * (g->S - 1)
        + 1;
    return g->G == 1 && outputs >= FEW_OUTPUTS_LEAST && outputs <= FEW_OUTPUTS && g->K > CONV_DIRECT_FILTERS
        && g->K <= FEW_FILTERS_MOST
        && taps <= FEW_COLUMNS / FEW_OUTPUTS && g->K >= FEW_WEIGHTS / fnn_max(taps, 1)
            && rows <= FEW_FRAME / (g->N * width) && g->H <= FEW_FRAME / g->W;
}

/* It wins where columns would cost much to make: many taps, or strides; and over the direct method
 * where that would compute much in vain. Many channels are interleaved, in whole vectors. */
static inline int conv_is_pixels(const fnn_window *g)
{
    const fnn_size Cg = g->C / g->G, Kg = g->K / g->G, taps = conv_taps(g);
    const fnn_size halo = g->dh * (g->R - 1) + 1, seen = g->Q + g->dw * (g->S - 1);
    if (g->R * g->S == 1 || Kg < PIXELS_FILTERS || g->K > PIXELS_WEIGHTS / taps
        || taps < (g->sw > 1 && g->S > 1 ? PIXELS_TAPS_STRIDED : PIXELS_TAPS_LEAST)
        || g->N * g->P * g->Q < PIXELS_OUTPUTS || (conv_is_direct(g) && 5 * seen <= 6 * g->Q)) return 0;
    const fnn_size room = PIXELS_FRAME_MOST / Cg, pitch = (g->Q + g->dw * (g->S - 1) / g->sw) * g->sw;
    return pitch <= room && halo <= room / pitch && g->R <= PIXELS_TAPS && g->S <= PIXELS_TAPS;
}

/* dx of a convolution with strides (conv2d_pixels.tmpl.h): the first pixel of phase a, the only one
 * with (i + ph) mod sh = a below sh; and how much further than that of pixel 0 its window begins on
 * dy */
static inline fnn_size conv_phase_begin(fnn_size a, fnn_size ph, fnn_size sh) { return (a - ph % sh + sh) % sh; }
static inline fnn_size conv_phase_shift(fnn_size a, fnn_size ph, fnn_size sh) { return a < ph % sh; }

/* A phase: the convolution of dy with a window that has room for all phases' taps */
static inline fnn_window conv_phase(const fnn_window *g)
{
    /* taps before pixel 0's own */
    const fnn_size R = g->dh * (g->R - 1) / g->sh, S = g->dw * (g->S - 1) / g->sw;
    return (fnn_window){ g->N, g->K, g->P, g->Q, g->C, g->G, R + 1 + (g->ph % g->sh > 0), S + 1 + (g->pw % g->sw > 0),
                         fnn_ceil_div(g->H, g->sh), fnn_ceil_div(g->W, g->sw), 1, 1, R - g->ph / g->sh, S - g->pw
                             / g->sw, 1, 1 };
}

static inline int conv_dx_is_pixels(const fnn_window *g)
{
    const fnn_size Cg = g->C / g->G, Kg = g->K / g->G;
    if (g->sh * g->sw == 1 || g->sh > g->R || g->sw > g->S || g->sh > PIXELS_PHASES / g->sw || Cg < PIXELS_FILTERS
        || g->R > PIXELS_TAPS / g->S || Kg * g->R * g->S < PIXELS_TAPS_LEAST
        || g->C > PIXELS_WEIGHTS / (Kg * g->R * g->S)
        || g->N * g->P * g->Q < PIXELS_OUTPUTS) return 0;
    const fnn_window phase = conv_phase(g);
    const fnn_size room = PIXELS_FRAME_MOST / Kg, pitch = phase.Q + phase.S - 1;
    return pitch <= room && phase.R <= room / pitch;
}

/* dx of a stride-1 convolution is the convolution of dy with the turned filters: this is it. */
static inline fnn_window conv_back(const fnn_window *g)
{
    return (fnn_window){ g->N, g->K, g->P, g->Q, g->C, g->G, g->R, g->S, g->H, g->W,
                         1, 1, g->dh * (g->R - 1) - g->ph, g->dw * (g->S - 1) - g->pw, g->dh, g->dw };
}

/* It writes dx once instead of R*S times, but its column matrix has K*R*S*H*W elements, where
 * col2im(w^T . dy) has C*R*S*P*Q, and if the image is larger than the output it multiplies zeros.
 */
static inline int conv_dx_is_conv(const fnn_window *g)
{
    if (g->sh != 1 || g->sw != 1 || conv_is_depthwise(g)) return 0;
    const fnn_window back = conv_back(g);
    return 2 * g->P * g->Q >= g->H * g->W
        && (conv_is_direct(&back) || conv_is_winograd(&back)
            || (3 * g->P * g->Q >= 2 * g->H * g->W && g->K * g->H * g->W <= 2 * g->C * g->P * g->Q));
}

/* The length of a block when n items are cut into nearly equal blocks of about `most`: a multiple
 * of CONV_UNIT, or all n. */
static inline fnn_size conv_block(fnn_size n, fnn_size most)
{
    return n <= most ? fnn_max(n, 1) : fnn_ceil_div(fnn_ceil_div(n, fnn_ceil_div(n, most)), CONV_UNIT) * CONV_UNIT;
}

/* Pieces of the columns (n,p,q): part of one image, or several small images side by side. */
typedef struct {
    fnn_size images, columns;                       /* per piece; columns counts within one image */
    fnn_size pieces;                                /* per image or group of images */
} conv_pieces;

static inline conv_pieces conv_cut_columns(const fnn_window *g, fnn_size aim)
{
    const fnn_size PQ = g->P * g->Q;
    conv_pieces cut = { 1, PQ, 1 };
    if (2 * PQ <= aim)
        cut.images = fnn_even_piece(g->N, aim / PQ);                   /* not by CONV_UNIT: images stay whole */
    else {
        cut.columns = conv_block(PQ, aim);
        cut.pieces = fnn_ceil_div(PQ, cut.columns);
    }
    return cut;
}

/* Number of blocks of images, each with its own partial sum of dw, when the sum is in `blocks`
 * blocks otherwise. */
static inline fnn_size conv_image_blocks(const fnn_window *g, fnn_size blocks)
{
    const fnn_size work = g->N * g->P * g->Q * conv_taps(g) * (g->K / g->G) * g->G;
    const fnn_size aim = fnn_min(fnn_ceil_div(CONV_BLOCKS, blocks), work / CONV_WORK / blocks);
    const fnn_size images = fnn_ceil_div(fnn_max(g->N, 1), fnn_min(fnn_max(aim, 1), fnn_max(g->N, 1)));
    return fnn_ceil_div(fnn_max(g->N, 1), images);
}

/* dw is made in blocks of rows (taps) x filters x images. */
typedef struct { fnn_size rows, row_blocks, filters, filter_blocks, image_blocks, images; } conv_dw_cut;

/* The method of conv2d_dw.tmpl.h: its bands of output, of one image or of some small ones, and what
 * they see of a plane. */
typedef struct { fnn_size images, rows, columns, frame_rows, frame_columns; } conv_dw_band;

static inline conv_dw_band conv_dw_bands(const fnn_window *g, fnn_size images)
{
    conv_dw_band band = { 1, 1, fnn_even_piece(g->Q, CONV_DW_PIXELS), 0, 0 };
    if (band.columns == g->Q)
        band.rows = fnn_even_piece(g->P, fnn_max(1, CONV_DW_PIXELS / g->Q));
    if (band.columns == g->Q && band.rows == g->P)
        band.images = fnn_even_piece(images, fnn_max(1, CONV_DW_PIXELS / (g->P * g->Q)));
    band.frame_rows = (band.rows - 1) * g->sh + g->dh * (g->R - 1) + 1;
    band.frame_columns = (band.columns - 1) * g->sw + g->S;
    return band;
}

static inline fnn_size conv_dw_filters(const fnn_window *g)
{
    return conv_block(g->K / g->G, fnn_min(fnn_max(CONV_DW_SUMS / 16 / (g->R * g->S), CONV_UNIT), CONV_FILTERS_MAX));
}

static inline fnn_size conv_dw_channels(const fnn_window *g)
{
    const fnn_size Cg = g->C / g->G, filters = fnn_ceil_div(conv_dw_filters(g), CONV_UNIT) * CONV_UNIT;
    return fnn_even_piece(Cg, fnn_max(1, fnn_min(CONV_DW_SUMS / (filters * g->R * g->S),
                                                 fnn_max(Cg / CONV_BLOCKS, CONV_DW_CHANNELS))));
}

/* Of each image block, columns cost taps x pixels elements to make and pack, where this method
 * deals taps x filters sums out of its tiles. With few pixels for many filters columns cost less
 * (measured: up to a third of the filters; at 16 to 64 pixels for 256 to 512, by 0.7 to 0.9). */
static inline int conv_dw_is_framed(const fnn_window *g)
{
    if (g->dw != 1 || g->S < 2 || g->S > CONV_DIRECT_TAPS || g->R > CONV_DIRECT_TAPS / g->S || conv_is_depthwise(g)
        || g->N < 1) return 0;
    const fnn_size Cg = g->C / g->G, Kg = g->K / g->G;
    const fnn_size blocks = g->G * fnn_ceil_div(Cg, conv_dw_channels(g)) * fnn_ceil_div(Kg, conv_dw_filters(g));
    const fnn_size images = fnn_ceil_div(g->N, conv_image_blocks(g, fnn_max(blocks, 1)));
    if (CONV_DW_COLUMN * images * g->P * g->Q <= Kg) return 0;
    const conv_dw_band band = conv_dw_bands(g, g->N);
    const fnn_size room = CONV_DW_FRAME / (conv_dw_channels(g) * band.images);
    return band.frame_columns <= room && band.frame_rows <= room / band.frame_columns;
}

static inline conv_dw_cut conv_cut_dw(const fnn_window *g)
{
    const fnn_size taps = conv_taps(g), Kg = g->K / g->G;
    const int framed = conv_dw_is_framed(g);
    conv_dw_cut cut;
    cut.rows = conv_is_depthwise(g) ? taps : framed ? conv_dw_channels(g) * g->R * g->S
             : conv_block(taps, fnn_min(fnn_max(taps / CONV_BLOCKS, CONV_ROWS), CONV_ROWS_MAX));
    cut.row_blocks = fnn_ceil_div(taps, cut.rows);
    cut.filters = conv_is_depthwise(g) ? 1 : framed ? conv_dw_filters(g) : conv_block(Kg, CONV_FILTERS_MAX);
    cut.filter_blocks = fnn_ceil_div(Kg, cut.filters);
    cut.image_blocks = conv_image_blocks(g, g->G * cut.row_blocks * cut.filter_blocks);
    cut.images = fnn_ceil_div(g->N, cut.image_blocks);
    return cut;
}

#endif
