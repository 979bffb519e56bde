/* pool2d_cut.h -- pooling's methods: whether one applies to a window, and how it cuts its work into
 * tiles. All cuts depend on sizes only, never on threads or type.
 *
 * Constants  "bound", "chosen": docs/words.md. What the methods brought is in
 *            docs/kernels/pooling.md; of the numbers here no timing is on record.
 */
#ifndef FASTNN_POOL2D_CUT_H
#define FASTNN_POOL2D_CUT_H

#include "core/window.h"                            /* and pool/pool2d.h, which fastnn.h includes */

/* ---- for all methods ------------------------------------------------------------------------- */
enum {
    POOL_GRAIN = 16384,         /* elements visited in a block of a parallel loop; chosen: as
                                   MAP_GRAIN */
    POOL_TAPS = 255,            /* taps; bound: the most that a byte can number, */
    POOL_NONE = FNN_POOL_NONE,  /* and the number that stands for none; bound: the last of a byte */
    POOL_SEEN = 4,              /* elements of windows that are looked at in the time that one is
                                   read or written; chosen: they are in registers or an L1 cache */
    POOL_COLUMNS = 2048,        /* columns of any tile; chosen: 8 KiB of floats in a row, of which
                                   an L1 cache holds a few */
    POOL_FRAMES = 1 << 15,      /* elements of the image that a tile aims at, with those of its
                                   buffers; chosen: 128 KiB of floats, in any L2 cache */
    POOL_STRIP = 16,            /* elements of a strip, a piece of a row; chosen: one or more
                                   vectors at every level */
    POOL_BYTES = 64             /* elements of a strip of tap numbers; chosen: one or more vectors
                                   of bytes */
};

/* A loop that keeps the registers to itself: in the function around it pointers would be spilled.
 */
#if defined(__GNUC__)
#  define POOL_APART __attribute__((noinline))
#else
#  define POOL_APART
#endif

/* A plane's outputs (backward: rows and columns of a frame, pool2d_frames.tmpl.h) in tiles of
 * rows x columns, `down` x `across` of them. */
typedef struct { fnn_size rows, columns, down, across; } pool_tiles;
/* One of them: rows [p0, p0 + rows) and columns [q0, q0 + columns) of a plane */
typedef struct { fnn_size plane, p0, rows, q0, columns; } pool_tile;

/* What a block of a parallel loop needs. in and out are x and y, or dy and dx. */
typedef struct {
    void *out;
    uint8_t *tap_out;
    int32_t *argmax_out;
    const void *in;
    const uint8_t *tap;
    const int32_t *argmax;
    const fnn_window *g;
    pool_tiles cut;
    fnn_size divisor;
    int count_padding, adaptive, is_mean;
} pool_args;

/* Items of `elements` each that are worth a block. */
static inline fnn_size pool_grain(fnn_work elements) { return fnn_grain(POOL_GRAIN, elements); }

static inline pool_tiles pool_cut(fnn_size rows, fnn_size columns, fnn_size aim_rows)
{
    pool_tiles cut = { fnn_even_piece(rows, fnn_max(1, aim_rows)), fnn_even_piece(columns, POOL_COLUMNS), 0, 0 };
    cut.down = fnn_ceil_div(rows, cut.rows);
    cut.across = fnn_ceil_div(columns, cut.columns);
    return cut;
}

/* The item-th tile, of planes of rows x columns */
static inline pool_tile pool_tile_of(const pool_tiles *cut, fnn_size item, fnn_size rows, fnn_size columns)
{
    const fnn_size across = item % cut->across, down = item / cut->across % cut->down;
    pool_tile tile = { item / (cut->across * cut->down), down * cut->rows, 0, across * cut->columns, 0 };
    tile.rows = fnn_min(cut->rows, rows - tile.p0);
    tile.columns = fnn_min(cut->columns, columns - tile.q0);
    return tile;
}

/* ---- 2x2 windows (pool2d_two.tmpl.h) --------------------------------------------------------- */
enum { POOL_TWO_OUTPUTS = 1 << 12 };    /* outputs of a tile; chosen: they see 64 KiB of floats */

/* Side by side, all inside the image */
static inline int pool_is_two_by_two(const fnn_window *g)
{
    return g->R == 2 && g->S == 2 && g->sh == 2 && g->sw == 2 && g->dh == 1 && g->dw == 1 && g->ph == 0 && g->pw == 0
        && 2 * g->P <= g->H && 2 * g->Q <= g->W;
}

/* Whole rows of outputs, or a part of one: their tap numbers are adjacent. */
static inline pool_tiles pool_cut_2x2(const fnn_window *g) { return pool_cut(g->P, g->Q, POOL_TWO_OUTPUTS / g->Q); }

/* ---- 3x3 windows (pool2d_three.tmpl.h) ------------------------------------------------------- */
enum {
    POOL_WIDEST = 1 << 16,  /* columns of an image at most, as its rows are not cut; bound: 512 KiB
                               of doubles in a row */
    POOL_AHEAD = 896        /* elements between what is read and what is prefetched; chosen: 3.5
                               KiB of floats, less than a page */
};

/* They move by 2, and all of them see the image. */
static inline int pool_is_three_by_three(const fnn_window *g)
{
    return g->R == 3 && g->S == 3 && g->sh == 2 && g->sw == 2 && g->dh == 1 && g->dw == 1 && g->ph <= 1 && g->pw <= 1
        && 2 * (g->P - 1) - g->ph < g->H && 2 * (g->Q - 1) - g->pw < g->W && g->W <= POOL_WIDEST;
}

/* Whole rows of outputs, or, backward, pairs of rows of the image. */
static inline pool_tiles pool_cut_three(const fnn_window *g, fnn_size rows)
{
    return pool_cut(rows, 1, POOL_FRAMES / fnn_max(g->W, 1));
}

/* ---- windows of few taps, in frames (pool2d_frames.tmpl.h) ----------------------------------- */
enum {
    POOL_STRIDE = 8,            /* the largest stride that is sorted into frames; chosen: of 8 x 8
                                   frames each is a 64th of the image */
    POOL_FRAMES_MAX = 1 << 18   /* elements of frames that a tile of one row may need; bound: 2 MiB
                                   of doubles in scratch memory */
};

/* From a window's first tap to the last, in rows of a frame, and in elements of its rows */
static inline fnn_size pool_down(const fnn_window *g) { return (g->R - 1) * g->dh / g->sh; }
static inline fnn_size pool_right(const fnn_window *g) { return (g->S - 1) * g->dw / g->sw; }
/* Rows and columns of a frame of the whole image */
static inline fnn_size pool_frame_rows(const fnn_window *g) { return fnn_ceil_div(g->H + g->ph, g->sh); }
static inline fnn_size pool_frame_columns(const fnn_window *g) { return fnn_ceil_div(g->W + g->pw, g->sw); }

/* Not for large windows and strides, nor where a window is longer than a row of outputs. */
static inline int pool_is_framed(const fnn_window *g)
{
    if (g->R > POOL_TAPS || g->S > POOL_TAPS / g->R || g->sh > POOL_STRIDE || g->sw > POOL_STRIDE
        || g->S > 2 * g->Q) return 0;
    const fnn_size down = pool_down(g), right = pool_right(g);
    const fnn_size columns = fnn_min(fnn_max(g->Q, pool_frame_columns(g)), POOL_COLUMNS);
    return down < POOL_FRAMES_MAX && right < POOL_FRAMES_MAX
        && (fnn_work)(1 + down) * (columns + right) * g->sh * g->sw <= POOL_FRAMES_MAX;
}

/* rows x columns in tiles whose frames, rows + down high, and as many outputs hold about
 * POOL_FRAMES elements. */
static inline pool_tiles pool_cut_frames(const fnn_window *g, fnn_size rows, fnn_size columns)
{
    const fnn_size length = fnn_min(columns, POOL_COLUMNS) + pool_right(g);
    return pool_cut(rows, columns, POOL_FRAMES / (length * (g->sh * g->sw + 2)) - pool_down(g));
}

/* ---- maxima of the same windows (pool2d_rows.tmpl.h) ----------------------------------------- */
enum { POOL_ROWS = 4 };     /* rows of outputs that go down before they go across; chosen: their
                               maxima and tap numbers are 8 rows, up to 1,000 columns in an L1
                               cache */

/* Rows of outputs whose images hold about POOL_FRAMES elements. What a tile and the next one both
 * need is read twice. */
static inline pool_tiles pool_cut_rows(const fnn_window *g)
{
    return pool_cut(g->P, g->Q, POOL_FRAMES / fnn_max(fnn_min(g->W, POOL_COLUMNS * g->sw) * g->sh, 1));
}

/* ---- windows one by one (pool2d.tmpl.h) ------------------------------------------------------ */
enum { POOL_SPANS = 64 };               /* outputs of a row whose windows are found at one time;
                                           bound: 1.5 KiB on the stack */

/* Elements that window p of the mean counts along one direction: its part in the image, or in the
 * padded image. */
static inline fnn_size mean_count(fnn_size p, fnn_size size, fnn_size taps, fnn_size stride, fnn_size pad,
                                  int count_padding)
{
    const fnn_size begin = p * stride - pad;
    const fnn_size end = fnn_min(begin + taps, size + pad);
    return count_padding ? end - begin : fnn_max(1, fnn_min(end, size) - fnn_max(begin, 0));
}

/* The whole pixels in n/outputs of `size` */
static inline fnn_size pool_share(fnn_size n, fnn_size size, fnn_size outputs)
{
    return (fnn_size)((fnn_work)n * size / outputs);
}

/* What window p sees along one direction: the pixels begin, begin + step, ... before end. */
typedef struct { fnn_size begin, end, step; } pool_span;

static inline pool_span pool_sees(fnn_size p, fnn_size size, fnn_size outputs, fnn_size taps, fnn_size stride,
                                  fnn_size pad, fnn_size step, int adaptive)
{
    if (adaptive)               /* from p/outputs to (p + 1)/outputs, pixels cut there included */
        return (pool_span){ pool_share(p, size, outputs), size - pool_share(outputs - p - 1, size, outputs), 1 };
    const fnn_size begin = p * stride - pad, end = fnn_min(begin + (taps - 1) * step + 1, size);
    return (pool_span){ begin >= 0 ? begin : begin + fnn_ceil_div(-begin, step) * step, end, step };
}

static inline pool_span pool_rows(const pool_args *args, fnn_size p)
{
    const fnn_window *g = args->g;
    return pool_sees(p, g->H, g->P, g->R, g->sh, g->ph, g->dh, args->adaptive);
}

static inline pool_span pool_columns(const pool_args *args, fnn_size q)
{
    const fnn_window *g = args->g;
    return pool_sees(q, g->W, g->Q, g->S, g->sw, g->pw, g->dw, args->adaptive);
}

#endif
