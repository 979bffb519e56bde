/* winograd_cut.h -- when 3x3 convolutions go by Winograd (winograd.tmpl.h, winograd_dw.tmpl.h), and
 * how their work is cut. docs/kernels/winograd.md explains the algorithm and its words.
 *
 * What the order of a sum depends on is cut by sizes only, so that the bits of a result do not
 * depend on the machine. The rest follows the L2 cache and the number of threads.
 *
 * Words      tile   4 x 4 outputs, and the 6 x 6 pixels that they see
 *            U V M  the transformed filters, the transformed pixels, the sums of their products
 *            band   some rows of tiles, of all images one after the other, worked on at a time
 *            panel  two vectors of filters, NR = 2 VL: WINO_PANEL floats with AVX-512
 *            kinds  of points: 0, 1, -1 are the first, infinity the second, i the third
 *            set    of a product: all the tiles that have its points; see wino_cut
 * Constants  "bound", "chosen": as in conv2d_choose.h. "timed": the cases are in
 *            docs/kernels/winograd.md, "What was timed". Where bytes are named, they are of floats
 *            with AVX-512.
 */
#ifndef FASTNN_WINOGRAD_CUT_H
#define FASTNN_WINOGRAD_CUT_H

#include "core/caches.h"
#include "core/window.h"

/* ---- tiles ----------------------------------------------------------------------------------- */
/* What the algorithm is: docs/kernels/winograd.md. */
enum {
    WINO_OUT = 4, WINO_IN = 6,                  /* outputs and pixels of a tile, along each axis */
    WINO_PRODUCTS = 46,                         /* of a tile, where direct convolution has 9 * 16 =
                                                   144 */
    WINO_KINDS = 3, WINO_SETS = 4,              /* kinds of points, sets of tiles */
    WINO_PANEL = 32,                            /* filters in the widest panel, that of floats with
                                                   AVX-512; bound: 2 vectors of 16. What is decided
                                                   counts so many, whatever the level and type, so
                                                   that sizes alone decide */
    WINO_PIXELS = 0, WINO_FILTERS, WINO_OUTPUTS /* what is transformed: x; w or dw; y or dy */
};

/* Tiles that cover an image, and the rows of tiles (of all images, one after the other) in a band.
 * The last tiles down and across may be smaller and lack kinds of points. So a product has one of
 * four sets of tiles: all but the last down (set & 2), all but the last across (set & 1). */
typedef struct {
    fnn_size down, across;                          /* tiles in an image, rows and columns */
    fnn_size rows, bands;                           /* rows of tiles in a band, and bands */
    int own;                                        /* whether each thread has bands of its own */
    int sets;                                       /* 1 if all tiles are whole, else 4 */
    int lacks_down[WINO_KINDS], lacks_across[WINO_KINDS];
} wino_cut;

static inline wino_cut wino_cut_image(const fnn_window *g)
{
    wino_cut cut = { .down = fnn_ceil_div(g->P, WINO_OUT), .across = fnn_ceil_div(g->Q, WINO_OUT) };
    /* outputs of the last tiles, 0: all */
    const fnn_size down = g->P % WINO_OUT, across = g->Q % WINO_OUT;
    cut.sets = down || across ? WINO_SETS : 1;
    cut.lacks_down[1] = down % 2, cut.lacks_down[2] = down == 1 || down == 2;
    cut.lacks_across[1] = across % 2, cut.lacks_across[2] = across == 1 || across == 2;
    return cut;
}

/* The set of tiles that have points of these kinds. */
static inline int wino_set(const wino_cut *cut, int down, int across)
{
    return 2 * cut->lacks_down[down] + cut->lacks_across[across];
}

/* The set of a product, in the order of winograd_points.tmpl.h. */
static inline int wino_set_of(const wino_cut *cut, int product)
{
    const int at_infinity[4] = { 0, 0, 0, 1 };
    return product < 16 ? wino_set(cut, at_infinity[product / 4], at_infinity[product % 4])
         : product < 28 ? wino_set(cut, at_infinity[(product - 16) / 3], 2)
         : product < 40 ? wino_set(cut, 2, at_infinity[(product - 28) / 3]) : wino_set(cut, 2, 2);
}

/* Whether tile (ti, tj) of an image is in a set. */
static inline int wino_has(const wino_cut *cut, int set, fnn_size ti, fnn_size tj)
{
    return !((set & 2) && ti == cut->down - 1) && !((set & 1) && tj == cut->across - 1);
}

/* How many tiles of the rows [row, row_end) are in a set. */
static inline fnn_size wino_tiles(const wino_cut *cut, int set, fnn_size row, fnn_size row_end)
{
    /* rows that are the last of an image */
    const fnn_size last = row_end / cut->down - row / cut->down;
    return (row_end - row - (set & 2 ? last : 0)) * (cut->across - (set & 1));
}

/* ---- whether it serves and pays -------------------------------------------------------------- */
enum {
    WINO_DOWN = 1 << 16,    /* outputs down an image; bound: of scratch memory */
    WINO_ACROSS = 512,  /* tiles in a row of an image; bound: with WINO_SLICES 3 MiB of sums in
                           double precision */
    WINO_V_MOST = 61440 /* tiles times channels in a band; bound: V is 11 MiB of floats, 22 of
                           doubles */
};

/* What the method can do, and what fits into scratch memory. */
static inline int wino_serves(const fnn_window *g)
{
    return g->R == 3 && g->S == 3 && g->sh == 1 && g->sw == 1 && g->dh == 1 && g->dw == 1 && g->G == 1
        && g->N > 0 && g->K > 0 && g->C > 0 && g->P <= WINO_DOWN && g->Q <= WINO_ACROSS * WINO_OUT;
}

/* Operations of a transform, counted. They run at the speed of multiply-adds, but for loads and
 * stores. */
enum {
    WINO_TILE_WORK = 300,   /* of a tile, for each channel and each filter */
    WINO_FILTER_WORK = 320  /* of a filter, for each channel */
};
/* The part of the definition's multiply-adds to stay below; chosen: a fifth is for loads and
 * stores, which are not counted. */
#define WINO_PART 0.8

/* Whether the transforms' additions are worth the multiplications that they save. */
static inline int wino_pays(const fnn_window *g, wino_cut cut, fnn_size filter_transforms)
{
    static const int real[WINO_OUT] = { 0, 3, 4, 3 };           /* points of the last tile but i */
    /* points of all tiles down and across: real ones and infinity, and i */
    const double real_down = 4 * (g->P / WINO_OUT) + real[g->P % WINO_OUT];
    const double i_down = (double)cut.down - cut.lacks_down[2];
    const double real_across = 4 * (g->Q / WINO_OUT) + real[g->Q % WINO_OUT];
    const double i_across = (double)cut.across - cut.lacks_across[2];
    const double products = g->N * (real_down * real_across + 3 * (real_down * i_across + real_across * i_down)
                                    + 6 * i_down * i_across);
    const double tiles = (double)g->N * cut.down * cut.across, pairs = (double)g->C * fnn_round_up(g->K, WINO_PANEL);
    const double direct = 9.0 * g->N * g->P * g->Q * g->K * g->C;
    const double transforms = WINO_FILTER_WORK * filter_transforms * pairs + WINO_TILE_WORK * tiles * (g->C + g->K);
    return products * pairs + transforms < WINO_PART * direct;
}

/* ---- blocks of threads' work ----------------------------------------------------------------- */
enum {
    WINO_BLOCK_TILES = 200,     /* tiles that a block of threads' work transforms at least; chosen:
                                   some 10 us, many times what handing it over costs */
    WINO_BLOCK_PRODUCTS = 16,   /* tiles for which it multiplies at least; chosen likewise */
    WINO_BLOCK_FILTERS = 2048   /* filters times channels that it transforms; chosen likewise */
};

/* ---- y: bands -------------------------------------------------------------------------------- */
enum {
    WINO_CHANNELS = 128,    /* channels in a block of a sum; chosen: a panel's U is 736 KiB of
                               floats, in an L2 cache */
    WINO_BANDS = 8,         /* bands from which each thread has bands of its own, */
    WINO_BANDS_EACH = 4,    /* if there are so many for each; chosen, both: then no thread is idle
                               for more than a fifth of the time */
    WINO_TILES_OWN = 24,    /* or tiles, if each can have as many as any other: twice that, if it
                               transforms the filters; chosen: as WINO_TILES_FEW */
    WINO_V = 3072,          /* tiles times channels in a band for each MiB of L2 cache; chosen: V
                               takes half of it */
    WINO_TILES_FEW = 24,    /* tiles in a band, the least; chosen: half of the most, whatever the
                               caches are */
    WINO_TILES = 48,        /* and the most, where the filters are transformed once; chosen: M of a
                               panel takes 276 KiB, a quarter of an L2 cache */
    WINO_TILES_MOST = 128,  /* the most, where they are transformed for each band; chosen: a
                               filter's transform then is a twentieth of its products, and M takes
                               736 KiB */
    WINO_NOTES = 1 << 20    /* bytes of notes where a result is not finite: more images go part by
                               part; bound: of scratch memory */
};
#define WINO_U_BYTES ((fnn_size)8 << 20)    /* bytes of filters that are transformed once, else once
                                               for each band; bound: of scratch memory, */
#define WINO_V_BYTES ((fnn_size)12 << 20)   /* and of V beside them; alone V may have twice as
                                               much */

/* Threads have bands of their own where there are enough. In a band that they share, each makes all
 * of V, or reads what others have made. The bits are the same. */
static inline wino_cut wino_cut_tiles(const fnn_window *g, int filters_once, fnn_size threads)
{
    wino_cut cut = wino_cut_image(g);
    const fnn_size most = filters_once
        ? fnn_clamp((fnn_l2_bytes() >> 10) * WINO_V / 1024 / g->C, WINO_TILES_FEW, WINO_TILES)
        : fnn_min(WINO_TILES_MOST, WINO_V_MOST / g->C);
    const fnn_size all = g->N * cut.down, rows = fnn_max(1, most / cut.across);
    const fnn_size parts = threads > 1 ? threads * fnn_parts_per_thread() : 1, each = fnn_ceil_div(all, parts);
    cut.rows = fnn_even_piece(all, rows);
    cut.bands = fnn_ceil_div(all, cut.rows);
    cut.own = cut.bands >= WINO_BANDS && cut.bands >= WINO_BANDS_EACH * threads;
    if (!cut.own && threads > 1 && each * cut.across >= (filters_once ? 1 : 2) * WINO_TILES_OWN) {
        cut.rows = fnn_ceil_div(all, parts * fnn_ceil_div(each, rows));
        cut.bands = fnn_ceil_div(all, cut.rows);
        cut.own = 1;
    }
    return cut;
}

static inline int conv_y_is_winograd(const fnn_window *g)
{
    if (!wino_serves(g) || g->C > WINO_V_MOST / WINO_TILES_FEW) return 0;
    const wino_cut cut = wino_cut_tiles(g, 0, 1);
    return g->C * cut.across <= WINO_V_MOST && wino_pays(g, cut, 1);
}

/* ---- dw: blocks of channels and filters, parts of the tiles ---------------------------------- */
enum {
    WINO_DW_CHANNELS = 32,  /* channels in a block; twice as many if these or the tiles are few;
                               timed */
    WINO_DW_PANELS = 2,     /* panels of filters in a block, at most; timed */
    WINO_DU = 2,            /* of the L2 cache, what dU of a block's panels may take: 2 parts, */
    WINO_DU_OF = 5,         /* of 5; chosen: V and dM of the block pass by in the rest */
    WINO_DW_TILES = 64,     /* tiles in a band where all threads share it; chosen: V and dM of a
                               block of 32 channels and a panel take 736 KiB */
    WINO_DW_TILES_OWN = 40, /* and where each has its own; chosen: 460 KiB. The sums' order depends
                               on both, so they are the same with every cache */
    WINO_DW_PARTS = 8,      /* parts of the tiles, each with a partial sum of dw, at most: */
    WINO_DW_PARTS_FEW = 4,  /* the same where dw has more elements than the next says; */
    WINO_DW_PART = 1 << 16  /* elements; bound: 8 partial sums of 256 KiB of floats are 2 MiB */
};

/* Bands in parts, each with a partial sum, so that there is work for all threads; panels of filters
 * and channels in a block. */
typedef struct { wino_cut tiles; fnn_size parts, bands, panels, channels; } wino_dw_cut;

static inline wino_dw_cut wino_cut_dw(const fnn_window *g)
{
    wino_dw_cut cut = { .tiles = wino_cut_image(g) };
    const fnn_size items = fnn_ceil_div(g->K, WINO_PANEL) * fnn_ceil_div(g->C, WINO_DW_CHANNELS);
    const fnn_size rows = g->N * cut.tiles.down, across = cut.tiles.across;
    const fnn_size parts = g->K * g->C <= WINO_DW_PART / 9 ? WINO_DW_PARTS : WINO_DW_PARTS_FEW;
    const int own = items < WINO_BANDS
        || (items <= 2 * WINO_BANDS && rows * across >= WINO_DW_PARTS_FEW * WINO_DW_TILES_OWN);
    const fnn_size tiles = fnn_max(1, fnn_min(own ? WINO_DW_TILES_OWN : WINO_DW_TILES, WINO_V_MOST / (g->C + g->K)));
    const fnn_size most = fnn_max(1, tiles / across);
    cut.tiles.rows = own && rows >= parts * most ? fnn_ceil_div(rows, parts * fnn_ceil_div(rows, parts * most))
                                                 : fnn_even_piece(rows, most);
    cut.tiles.bands = fnn_ceil_div(rows, cut.tiles.rows);
    cut.bands = own ? fnn_ceil_div(cut.tiles.bands, parts) : cut.tiles.bands;
    cut.parts = fnn_ceil_div(cut.tiles.bands, cut.bands);
    cut.channels = g->C <= 2 * WINO_DW_CHANNELS || rows * across <= WINO_DW_TILES / 2 ? 2 * WINO_DW_CHANNELS
                                                                                     : WINO_DW_CHANNELS;
    /* of a panel, bytes of dU */
    const fnn_size panel = WINO_PRODUCTS * cut.channels * WINO_PANEL * (fnn_size)sizeof(float);
    const fnn_size panels = fnn_l2_bytes() * WINO_DU / (WINO_DU_OF * panel);
    cut.panels = items >= WINO_DW_PANELS * WINO_BANDS ? fnn_clamp(panels, 1, WINO_DW_PANELS) : 1;
    return cut;
}

static inline int conv_dw_is_winograd(const fnn_window *g)
{
    if (!wino_serves(g) || g->C > WINO_V_MOST || g->K > WINO_V_MOST - g->C) return 0;
    const wino_dw_cut cut = wino_cut_dw(g);
    return (g->C + g->K) * cut.tiles.across <= WINO_V_MOST && wino_pays(g, cut.tiles, cut.tiles.bands);
}

#endif
