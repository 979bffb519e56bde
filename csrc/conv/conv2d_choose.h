/* conv2d_choose.h -- which method computes y, dx and dw of a convolution, and into which blocks the
 * methods cut their work.
 *
 * conv_choose is the one place that decides. For each result it tries the methods in order and
 * takes the first whose condition holds. Columns can do everything and end each list. Sizes alone
 * decide: not the type, the instruction set, the caches or the number of threads.
 *
 * A section for each method follows: its constants, its condition, its blocks. Winograd's are in
 * winograd_cut.h and winograd_error.h. docs/kernels/conv2d.md has the lists as tables with an
 * example of each method; tests/ops/test_conv2d.py holds these, and hundreds of other sizes,
 * against conv_choose.
 *
 * Symbols    window.h; Cg = C/G channels and Kg = K/G filters in each of G groups; taps = Cg*R*S,
 *            the products in one output. In code g->dw is the dilation along a row, and dw alone
 *            the gradient of w.
 * Constants  each with its unit. "Timed": set by the clock, at one thread, in float32, on a machine
 *            with AVX-512; between two methods it is about where their times cross.
 *            docs/kernels/conv2d.md has the cases. "Bound": a limit of memory, or of another
 *            method, computed. "Chosen": from the size of a cache or a tile as stated; twice or
 *            half of it changes little.
 */
#ifndef FASTNN_CONV2D_CHOOSE_H
#define FASTNN_CONV2D_CHOOSE_H

#include "conv/winograd_cut.h"
#include "conv/winograd_error.h"

typedef enum { CONV_Y, CONV_DX, CONV_DW, CONV_DW_EXACT } conv_result;

typedef enum {
    CONV_WINOGRAD,  /* winograd.tmpl.h for y, winograd_dw.tmpl.h for dw */
    CONV_FEW,       /* conv2d_few.tmpl.h: few outputs, filters that are read once */
    CONV_PIXELS,    /* conv2d_pixels.tmpl.h: a matrix product that reads the image itself */
    CONV_DIRECT,    /* conv2d_direct.tmpl.h, conv2d_depthwise.tmpl.h: depthwise, and few filters */
    CONV_FLIPPED,   /* dx as the y of another convolution: conv_flipped(g), by CONV_Y of that */
    CONV_TAPS,      /* conv2d_taps.tmpl.h: dw from the taps of a window row, side by side */
    CONV_COLUMNS    /* conv2d_columns.tmpl.h: im2col and a matrix product */
} conv_method;

static inline int conv_y_is_few(const fnn_window *g);
static inline int conv_y_is_pixels(const fnn_window *g);
static inline int conv_dx_is_pixels(const fnn_window *g);
static inline int conv_y_is_direct(const fnn_window *g);
static inline int conv_is_depthwise(const fnn_window *g);
static inline int conv_dx_is_flipped(const fnn_window *g);
static inline int conv_dw_is_taps(const fnn_window *g);

static conv_method conv_choose(const fnn_window *g, conv_result result)
{
    switch (result) {
    case CONV_Y:
        if (conv_y_is_winograd(g) && !conv_y_is_direct(g)) return CONV_WINOGRAD;
        if (conv_y_is_few(g)) return CONV_FEW;
        if (conv_y_is_pixels(g)) return CONV_PIXELS;
        if (conv_y_is_direct(g)) return CONV_DIRECT;
        break;
    case CONV_DX:
        if (conv_is_depthwise(g)) return CONV_DIRECT;
        if (conv_dx_is_flipped(g)) return CONV_FLIPPED;
        if (conv_dx_is_pixels(g)) return CONV_PIXELS;
        break;
    case CONV_DW:
        if (conv_dw_is_winograd(g)) return CONV_WINOGRAD;
        /* fall through */
    case CONV_DW_EXACT:                         /* dw once more, where Winograd's was not
                                                   finite or not exact */
        if (conv_is_depthwise(g)) return CONV_DIRECT;
        if (conv_dw_is_taps(g)) return CONV_TAPS;
        break;
    }
    return CONV_COLUMNS;
}

/* ---- sizes and blocks that several methods share --------------------------------------------- */
enum {
    CONV_WORK = 1 << 21,    /* multiply-adds worth a block of their own: some 20 microseconds;
                               chosen */
    CONV_SHARED_WORK = 4 * CONV_WORK,   /* multiply-adds in a piece that all threads share, where
                                           there are fewer than CONV_BLOCKS pieces; chosen */
    CONV_COPY = 1 << 16,    /* elements that are worth a block where they are copied or added only:
                               some 20 microseconds; chosen */
    CONV_BLOCKS = 8,        /* blocks to aim at, so that 2, 4 and 8 threads have equal work;
                               chosen */
    CONV_UNIT = 32          /* block sizes are multiples of this; chosen: whole tiles of the
                               product, of 2 vectors */
};

/* Products summed into one output. */
static inline fnn_size conv_taps(const fnn_window *g) { return g->C / g->G * g->R * g->S; }

/* 1x1, stride 1, no padding: the image is its own column matrix. */
static inline int conv_is_pointwise(const fnn_window *g)
{
    return g->R == 1 && g->S == 1 && g->sh == 1 && g->sw == 1 && g->ph == 0 && g->pw == 0 && g->P == g->H
        && g->Q == g->W;
}

/* The rows and columns of the image, padding included, that outputs see all together. */
static inline fnn_size conv_rows_seen(const fnn_window *g) { return (g->P - 1) * g->sh + g->dh * (g->R - 1) + 1; }
static inline fnn_size conv_columns_seen(const fnn_window *g) { return (g->Q - 1) * g->sw + g->dw * (g->S - 1) + 1; }

/* The length of a block when n items are cut into nearly equal blocks of about `most`: a multiple
 * of CONV_UNIT, or all n. */
static inline fnn_size conv_block(fnn_size n, fnn_size most)
{
    return n <= most ? fnn_max(n, 1) : fnn_round_up(fnn_ceil_div(n, fnn_ceil_div(n, most)), CONV_UNIT);
}

/* Number of blocks of images, each with its own partial sum of dw, when the other dimensions give
 * `blocks` blocks already. */
static inline fnn_size conv_image_blocks(const fnn_window *g, fnn_size blocks)
{
    const fnn_work work = (fnn_work)g->N * g->P * g->Q * conv_taps(g) * (g->K / g->G) * g->G;
    const fnn_size most = fnn_ceil_div(CONV_BLOCKS, blocks);
    const fnn_size aim = fnn_min_work(work / CONV_WORK / blocks, most);
    const fnn_size images = fnn_ceil_div(fnn_max(g->N, 1), fnn_min(fnn_max(aim, 1), fnn_max(g->N, 1)));
    return fnn_ceil_div(fnn_max(g->N, 1), images);
}

/* ---- few: conv2d_few.tmpl.h ------------------------------------------------------------------ */
enum {
    FEW_OUTPUTS_LEAST = 4,      /* outputs of all images. Up to 3, the matrix product after columns
                                   reads the filters once too; bound: GEMM_SKINNY + 1 */
    FEW_OUTPUTS = 64,           /* outputs of all images, at most: one tile of AVX-512, 4 vectors of
                                   16 floats; timed */
    FEW_FILTERS_LEAST = 17,     /* filters; bound: for DIRECT_FILTERS and fewer, the direct method
                                   serves */
    FEW_WEIGHTS = 1 << 16,      /* elements of w from which they are most of what is read: 256 KiB
                                   of floats, where an L1 cache holds 32 to 48; chosen */
    FEW_FILTERS_MOST = 1 << 14, /* filters; bound: 8 MiB of sums in double precision */
    FEW_COLUMNS = 1 << 19,      /* elements of the column matrix; bound: 4 MiB in double
                                   precision */
    FEW_FRAME = 1 << 16,        /* elements of one channel's planes, of all images, with padding;
                                   bound: places in them are 32-bit numbers */
    FEW_COPY = CONV_COPY / 4,   /* elements of the column matrix worth a block; chosen: they are
                                   copied in pieces of 1 to 8 */
    FEW_WORK = CONV_WORK / 2    /* multiply-adds worth a block; chosen: panels are few */
};

static inline int conv_y_is_few(const fnn_window *g)
{
    const fnn_size taps = conv_taps(g), outputs = g->N * g->P * g->Q;
    return g->G == 1 && outputs >= FEW_OUTPUTS_LEAST && outputs <= FEW_OUTPUTS && g->K >= FEW_FILTERS_LEAST
        && g->K <= FEW_FILTERS_MOST && taps <= FEW_COLUMNS / FEW_OUTPUTS && g->K >= FEW_WEIGHTS / fnn_max(taps, 1)
        && conv_rows_seen(g) <= FEW_FRAME / (g->N * conv_columns_seen(g)) && g->H <= FEW_FRAME / g->W;
}

/* ---- pixels: conv2d_pixels.tmpl.h ------------------------------------------------------------ */
enum {
    PIXELS_FILTERS = 12,        /* filters in a group from which it wins at stride 1 (for dx,
                                   channels, at any), of the 16 or 32 that a panel has; timed */
    PIXELS_TAPS_LEAST = 18,     /* taps from which it wins at stride 1; timed */
    PIXELS_TAPS_STRIDED = 8,    /* the same along strides, where columns take longer, and of dx,
                                   where they are filters times window; timed */
    PIXELS_OUTPUTS = 4,         /* outputs of all images from which it wins: panels of filters are
                                   copied once for all; timed */
    PIXELS_OUTPUTS_DX = 64,     /* the same of dx; timed */
    PIXELS_WEIGHTS = 3 << 19,   /* elements of w, fewer filters counted as PIXELS_FILTERS; bound: 12
                                   MiB in double precision, 16 once panels are full */
    PIXELS_WEIGHTS_OF_IMAGE = 1 << 15,  /* elements of w for which one image more is taken into a
                                           frame: 128 KiB of floats that one more image would read
                                           again; chosen */
    PIXELS_OUTPUTS_MOST = 512,  /* outputs in a frame of several images, at most; chosen: 16 panels
                                   of 32 */
    PIXELS_FRAME = 1 << 17,     /* elements of a frame to aim at: half a MiB of floats, half of an
                                   L2 cache; chosen */
    PIXELS_FRAME_MOST = 1 << 18,    /* and that the frame of one row of outputs may have; bound: 2
                                       MiB in double precision */
    PIXELS_PHASES = 16, /* phases of dx, rows times columns of strides; bound: an array on the
                           stack */
    PIXELS_TAPS = 288,  /* taps in a block: with 32 filters 36 KiB of floats, so that a panel stays
                           in an L1 cache; chosen. Also the tallest and widest window */
    PIXELS_COPY = 2 * CONV_COPY,    /* elements of a frame worth a block; chosen: rows of zeros
                                       among them cost little */
    PIXELS_PACK = CONV_COPY / 16,   /* taps of packed filters worth a block, up to 16 elements each;
                                       chosen */
    PIXELS_WORK = CONV_WORK / 2     /* multiply-adds worth a block; chosen: frames are few */
};

/* It wins where columns would cost much to make; but at stride 1, where they are copied in long
 * runs, columns win for few filters. It wins over the direct method where that computes more than
 * PIXELS_SEEN / PIXELS_WANTED of what is wanted, as it sums along whole rows of a frame: for
 * windows of 3 columns, below 10 outputs in a row. Chosen. */
enum { PIXELS_SEEN = 6, PIXELS_WANTED = 5 };
static inline int conv_y_is_pixels(const fnn_window *g)
{
    const fnn_size Cg = g->C / g->G, Kg = g->K / g->G, taps = conv_taps(g);
    const fnn_size halo = g->dh * (g->R - 1) + 1, seen = g->Q + g->dw * (g->S - 1);
    const int strided = g->sw > 1 && g->S > 1, direct = conv_y_is_direct(g);
    if (g->R * g->S == 1 || (Kg < PIXELS_FILTERS && (!strided || direct))
        || g->G * fnn_max(Kg, PIXELS_FILTERS) > PIXELS_WEIGHTS / taps
        || taps < (strided ? PIXELS_TAPS_STRIDED : PIXELS_TAPS_LEAST) || g->N * g->P * g->Q < PIXELS_OUTPUTS
        || (direct && PIXELS_WANTED * seen <= PIXELS_SEEN * g->Q)) return 0;
    const fnn_size room = PIXELS_FRAME_MOST / Cg, pitch = (g->Q + g->dw * (g->S - 1) / g->sw) * g->sw;
    return pitch <= room && halo <= room / pitch && g->R <= PIXELS_TAPS && g->S <= PIXELS_TAPS;
}

/* dx of a convolution with strides, by phases. Phase a of the rows is the rows i of dx with
 * (i + ph) mod sh = a, which the same taps reach; so for columns. conv_phase_begin: the first row
 * of phase a. conv_phase_shift: how much further than that of row 0 its window begins on dy. */
static inline fnn_size conv_phase_begin(fnn_size a, fnn_size ph, fnn_size sh) { return (a - ph % sh + sh) % sh; }
static inline fnn_size conv_phase_shift(fnn_size a, fnn_size ph, fnn_size sh) { return a < ph % sh; }

/* A phase as a convolution of dy at stride 1, with a window that has room for all phases' taps. */
static inline fnn_window conv_phase(const fnn_window *g)
{
    /* taps before pixel 0's own */
    const fnn_size R = g->dh * (g->R - 1) / g->sh, S = g->dw * (g->S - 1) / g->sw;
    return (fnn_window){ .N = g->N, .C = g->K, .H = g->P, .W = g->Q, .K = g->C, .G = g->G,
                         .R = R + 1 + (g->ph % g->sh > 0), .S = S + 1 + (g->pw % g->sw > 0),
                         .P = fnn_ceil_div(g->H, g->sh), .Q = fnn_ceil_div(g->W, g->sw),
                         .sh = 1, .sw = 1, .ph = R - g->ph / g->sh, .pw = S - g->pw / g->sw, .dh = 1, .dw = 1 };
}

static inline int conv_dx_is_pixels(const fnn_window *g)
{
    const fnn_size Cg = g->C / g->G, Kg = g->K / g->G;
    if (g->sh * g->sw == 1 || g->sh > g->R || g->sw > g->S || g->sh > PIXELS_PHASES / g->sw || Cg < PIXELS_FILTERS
        || g->R > PIXELS_TAPS / g->S || Kg * g->R * g->S < PIXELS_TAPS_STRIDED
        || g->C > PIXELS_WEIGHTS / (Kg * g->R * g->S) || g->N * g->P * g->Q < PIXELS_OUTPUTS_DX) return 0;
    const fnn_window phase = conv_phase(g);
    const fnn_size room = PIXELS_FRAME_MOST / Kg, pitch = phase.Q + phase.S - 1;
    return pitch <= room && phase.R <= room / pitch;
}

/* Its frames: some rows of output of one image each, or several small images. */
typedef struct {
    fnn_size halo;                /* rows of a frame for one row of output */
    fnn_size width, pitch;        /* columns of a frame: of one phase, of all */
    fnn_size rows, bands, images; /* rows of output in a frame; frames in an image; images in one */
} pixels_cut;

static inline pixels_cut pixels_cut_rows(const fnn_window *g)
{
    pixels_cut cut = { .halo = g->dh * (g->R - 1) + 1, .width = g->Q + g->dw * (g->S - 1) / g->sw, .images = 1 };
    cut.pitch = cut.width * g->sw;
    /* rows in a frame */
    const fnn_size most = fnn_max(PIXELS_FRAME / (g->C / g->G * cut.pitch), cut.halo);
    cut.rows = fnn_even_piece(g->P, (most - cut.halo) / g->sh + 1);
    cut.bands = fnn_ceil_div(g->P, cut.rows);
    if (cut.bands == 1) {               /* several images, where w is large: read once for all */
        const fnn_size images = fnn_min(most / ((g->P - 1) * g->sh + cut.halo),
                                        g->K * conv_taps(g) / PIXELS_WEIGHTS_OF_IMAGE);
        cut.images = fnn_even_piece(g->N, fnn_max(1, fnn_min(images, PIXELS_OUTPUTS_MOST / (g->P * g->Q))));
    }
    return cut;
}

/* ---- direct: conv2d_direct.tmpl.h, conv2d_depthwise.tmpl.h ----------------------------------- */
enum {
    DIRECT_FILTERS = 16,        /* filters in a group up to which it wins; timed */
    DIRECT_TAPS = 1024,         /* taps; bound: an array of offsets on the stack, 8 KiB */
    DIRECT_FRAMES = 1 << 17,    /* elements of all channels' planes with padding, where columns
                                   could serve: half a MiB of floats, half of an L2 cache; chosen */
    DIRECT_PLANE = 1 << 20,     /* elements of one plane with padding, for depthwise; bound: 8 MiB
                                   of doubles */
    DIRECT_FILLED = 16,         /* elements that fill up the rows of a frame, at most; bound: to
                                   whole vectors of AVX-512 */
    DIRECT_RUN = 1024,          /* elements of frame rows whose sums are made together; chosen: 16
                                   KiB of floats with 4 filters, a third of an L1 cache */
    DIRECT_WORK = CONV_WORK / 8,    /* elements copied and multiply-adds worth a block: some 5
                                       microseconds; chosen */
    DIRECT_SEEN = 3,            /* length of a frame's row for the outputs in it: at most 3, */
    DIRECT_WANTED = 2           /* for 2: the rest is computed in vain; chosen */
};

/* Depthwise, for y, dx and dw: one channel in a group, few filters on it, and a plane that fits. */
static inline int conv_is_depthwise(const fnn_window *g)
{
    const fnn_size spread_h = g->H + g->dh * (g->R - 1), spread_w = g->W + g->dw * (g->S - 1);
    return g->C == g->G && g->K / g->G <= DIRECT_FILTERS && g->R <= DIRECT_TAPS && g->S <= DIRECT_TAPS / g->R
        && fnn_max(conv_rows_seen(g), spread_h)
           <= DIRECT_PLANE / (fnn_max(conv_columns_seen(g), spread_w) + DIRECT_FILLED);
}

/* For y also several channels, at stride 1, if they fit a cache and enough of a frame's row is
 * output. */
static inline int conv_y_is_direct(const fnn_window *g)
{
    const fnn_size frame_h = g->P + g->dh * (g->R - 1), frame_w = g->Q + g->dw * (g->S - 1), Cg = g->C / g->G;
    if (conv_is_depthwise(g)) return 1;
    return g->sh == 1 && g->sw == 1 && g->K / g->G <= DIRECT_FILTERS && !conv_is_pointwise(g)
        && Cg <= DIRECT_TAPS && g->R <= DIRECT_TAPS / Cg && g->S <= DIRECT_TAPS / (Cg * g->R)
        && DIRECT_WANTED * frame_w <= DIRECT_SEEN * g->Q && frame_h <= DIRECT_FRAMES / (Cg * frame_w);
}

/* ---- flipped: conv2d.tmpl.h ------------------------------------------------------------------ */

/* dx of a convolution at stride 1 is the y of this one: of dy with the filters flipped in both
 * directions and transposed, w[k,c,r,s] to w[c,k,R-1-r,S-1-s]. */
static inline fnn_window conv_flipped(const fnn_window *g)
{
    return (fnn_window){ .N = g->N, .C = g->K, .H = g->P, .W = g->Q, .K = g->C, .G = g->G, .R = g->R, .S = g->S,
                         .P = g->H, .Q = g->W, .sh = 1, .sw = 1,
                         .ph = g->dh * (g->R - 1) - g->ph, .pw = g->dw * (g->S - 1) - g->pw, .dh = g->dh, .dw = g->dw };
}

enum {
    FLIPPED_PIXELS = 2,     /* pixels of dx for one of dy, at most: the others multiply zeros;
                               chosen */
    FLIPPED_COLUMNS_DX = 3, /* the same where it would go by columns: 3 of dx, */
    FLIPPED_COLUMNS_DY = 2, /* for 2 of dy; chosen */
    FLIPPED_MATRIX = 2      /* and its column matrix against that of the columns of dx, at most;
                               chosen */
};

/* It writes dx once instead of R*S times. But its column matrix has K*R*S*H*W elements, where that
 * of the columns of dx has C*R*S*P*Q, and if the image is larger than the output it multiplies
 * zeros. */
static inline int conv_dx_is_flipped(const fnn_window *g)
{
    if (g->sh != 1 || g->sw != 1 || conv_is_depthwise(g)) return 0;
    const fnn_window back = conv_flipped(g);
    return FLIPPED_PIXELS * g->P * g->Q >= g->H * g->W
        && (conv_y_is_direct(&back) || conv_y_is_winograd(&back)
            || (FLIPPED_COLUMNS_DX * g->P * g->Q >= FLIPPED_COLUMNS_DY * g->H * g->W
                && (fnn_work)g->K * g->H * g->W <= (fnn_work)FLIPPED_MATRIX * g->C * g->P * g->Q));
}

/* ---- taps: conv2d_taps.tmpl.h ---------------------------------------------------------------- */
enum {
    TAPS_COLUMN = 3,        /* what an element of columns costs to make, in sums added to dw. Timed:
                               columns win up to a third as many pixels as filters (at 16 to 64
                               pixels for 256 to 512 filters they take 0.7 to 0.9 of the time) */
    TAPS_SUMS = 1 << 18,    /* sums that a thread holds; bound: 1 MiB of floats, an L2 cache */
    TAPS_FRAME = 1 << 19,   /* elements of a thread's frames; bound: 4 MiB in double precision */
    TAPS_FILTERS = 512,     /* filters in a block: bounds the tile of dy; chosen */
    TAPS_CHANNELS = 16,     /* channels, at least, that share one vectorised copy of dy; timed */
    TAPS_PIXELS = 512       /* outputs in a band, whose dy is read again for every tile of sums:
                               with 32 filters 64 KiB of floats; chosen */
};

/* Its bands of output, of one image or of some small ones, and what they see of a plane. */
typedef struct { fnn_size images, rows, columns, frame_rows, frame_columns; } taps_band;

static inline taps_band taps_cut_bands(const fnn_window *g, fnn_size images)
{
    taps_band band = { .images = 1, .rows = 1, .columns = fnn_even_piece(g->Q, TAPS_PIXELS) };
    if (band.columns == g->Q)
        band.rows = fnn_even_piece(g->P, fnn_grain(TAPS_PIXELS, g->Q));
    if (band.columns == g->Q && band.rows == g->P)
        band.images = fnn_even_piece(images, fnn_grain(TAPS_PIXELS, g->P * g->Q));
    band.frame_rows = (band.rows - 1) * g->sh + g->dh * (g->R - 1) + 1;
    band.frame_columns = (band.columns - 1) * g->sw + g->S;
    return band;
}

/* Filters and channels in a block. */
static inline fnn_size taps_filters(const fnn_window *g)
{
    const fnn_size most = fnn_max(TAPS_SUMS / TAPS_CHANNELS / (g->R * g->S), CONV_UNIT);
    return conv_block(g->K / g->G, fnn_min(most, TAPS_FILTERS));
}

static inline fnn_size taps_channels(const fnn_window *g)
{
    const fnn_size Cg = g->C / g->G, filters = fnn_round_up(taps_filters(g), CONV_UNIT);
    return fnn_even_piece(Cg, fnn_max(1, fnn_min(TAPS_SUMS / (filters * g->R * g->S),
                                                 fnn_max(Cg / CONV_BLOCKS, TAPS_CHANNELS))));
}

/* Of each block of images, columns cost taps x pixels elements to make, where this method adds
 * taps x filters sums to dw: with few pixels for many filters columns cost less. */
static inline int conv_dw_is_taps(const fnn_window *g)
{
    if (g->dw != 1 || g->S < 2 || g->S > DIRECT_TAPS || g->R > DIRECT_TAPS / g->S || conv_is_depthwise(g)
        || g->N < 1) return 0;
    const fnn_size Cg = g->C / g->G, Kg = g->K / g->G;
    const fnn_size blocks = g->G * fnn_ceil_div(Cg, taps_channels(g)) * fnn_ceil_div(Kg, taps_filters(g));
    const fnn_size images = fnn_ceil_div(g->N, conv_image_blocks(g, fnn_max(blocks, 1)));
    if (TAPS_COLUMN * images * g->P * g->Q <= Kg) return 0;
    const taps_band band = taps_cut_bands(g, g->N);
    const fnn_size room = TAPS_FRAME / (taps_channels(g) * band.images);
    return band.frame_columns <= room && band.frame_rows <= room / band.frame_columns;
}

/* ---- columns: conv2d_columns.tmpl.h ---------------------------------------------------------- */
enum {
    COLUMNS_OUTPUTS = 512,          /* outputs whose columns a thread makes at one time; chosen: 16
                                       panels of 32 */
    COLUMNS_TILE = 1 << 18,         /* elements of the column matrix that it holds: 1 MiB of floats;
                                       chosen */
    COLUMNS_COPY = CONV_COPY / 2,   /* elements of it worth a block where threads share a piece;
                                       chosen: each row is found by divisions first */
    COLUMNS_SHARED_OUTPUTS = 2048,  /* the same where all threads work on one piece, */
    COLUMNS_SHARED_TILE = 1 << 20,  /* chosen, both together: four times as much, so that threads
                                       wait for each other less often */
    COLUMNS_FEW_OUTPUTS = 48,       /* outputs of an image below which dx takes several images
                                       together; timed */
    COLUMNS_ROWS = 128,             /* rows of the column matrix (taps) in a block: of dx, and the
                                       least of dw, */
    COLUMNS_ROWS_MOST = 512,        /* and the most of dw: with COLUMNS_OUTPUTS they fill
                                       COLUMNS_TILE; chosen */
    COLUMNS_FILTERS = 512           /* filters in a block of dw: bounds the tile of dy; chosen */
};

/* Pieces of the columns (n,p,q): part of one image, or several small images side by side. */
typedef struct {
    fnn_size images, columns;                   /* of a piece; columns counts within one image */
    fnn_size pieces;                            /* of an image or a group of images */
} conv_pieces;

static inline conv_pieces conv_cut_columns(const fnn_window *g, fnn_size aim)
{
    const fnn_size PQ = g->P * g->Q;
    conv_pieces cut = { 1, PQ, 1 };
    if (2 * PQ <= aim)
        cut.images = fnn_even_piece(g->N, aim / PQ);    /* not a multiple of CONV_UNIT: images stay
                                                           whole */
    else {
        cut.columns = conv_block(PQ, aim);
        cut.pieces = fnn_ceil_div(PQ, cut.columns);
    }
    return cut;
}

/* ---- dw: blocks of rows (taps) x filters x images, by direct, taps or columns ---------------- */
typedef struct { fnn_size rows, row_blocks, filters, filter_blocks, image_blocks, images; } conv_dw_cut;

static conv_dw_cut conv_cut_dw(const fnn_window *g, conv_method method)
{
    const fnn_size taps = conv_taps(g), Kg = g->K / g->G;
    conv_dw_cut cut;
    switch (method) {
    case CONV_DIRECT:
        cut.rows = taps;
        cut.filters = 1;
        break;
    case CONV_TAPS:
        cut.rows = taps_channels(g) * g->R * g->S;
        cut.filters = taps_filters(g);
        break;
    default:
        cut.rows = conv_block(taps, fnn_clamp(taps / CONV_BLOCKS, COLUMNS_ROWS, COLUMNS_ROWS_MOST));
        cut.filters = conv_block(Kg, COLUMNS_FILTERS);
    }
    cut.row_blocks = fnn_ceil_div(taps, cut.rows);
    cut.filter_blocks = fnn_ceil_div(Kg, cut.filters);
    cut.image_blocks = conv_image_blocks(g, g->G * cut.row_blocks * cut.filter_blocks);
    cut.images = fnn_ceil_div(g->N, cut.image_blocks);
    return cut;
}

#endif
