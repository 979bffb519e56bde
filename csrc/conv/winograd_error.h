/* winograd_error.h -- the notes that winograd_error.tmpl.h and winograd_error_dw.tmpl.h take of
 * what would drown, and from where on something does. docs/kernels/winograd.md explains it, under
 * "What stands beside a window".
 *
 * Words      tile, panel: winograd_cut.h
 *            faint     a window or taps that weigh far less than all of the tile, or of the filter
 *            lopsided  a filter or channel of which one element, or the edge, outweighs the rest
 *            drown     a sum does, where rounding errors of larger ones beside it are left in it
 *            share     of a tap: its weights' part of all its filter's
 *            tally     sums of a channel that say whether it may be lopsided
 * Constants  as in winograd_cut.h
 */
#ifndef FASTNN_WINOGRAD_ERROR_H
#define FASTNN_WINOGRAD_ERROR_H

#include <stdint.h>

/* Of a tile: the outputs, as bits p * 4 + q, whose windows are all zeros; whether all its outputs
 * are to be summed directly; how much it weighs beside its faintest window, and beside its faintest
 * pixel: at most so much. */
typedef struct { uint16_t empty, direct; float window, pixel; } wino_note;

/* Of filters that are not lopsided: the least share of its weights that one has in a tap, and in
 * the taps that an output at a padded edge sees. */
typedef struct { float tap, view; } wino_shares;

/* What a tally of a channel counts, for dw: sums over all images of the absolute values that all
 * taps see, and of those at the edge that some do not; and the largest of both. */
enum { WINO_INNER, WINO_OUTER, WINO_LARGEST, WINO_TALLIES };

enum {
    WINO_FAINT = 64,        /* how much a tile may weigh beside a window; chosen: 16 times what an
                               even tile weighs, so that few are looked at. The error that this lets
                               through is measured: docs/kernels/winograd.md */
    WINO_LOPSIDED = 4096,   /* the same of squares, for weights; bound: WINO_FAINT squared */
    WINO_DROWN = 1024,      /* how much all products of a tile's pixels and a filter's weights may
                               weigh beside those of an output, where even ones weigh 36; chosen:
                               normal numbers in six channels reach 700. The error that this lets
                               through is measured, too */
    WINO_DROWN_DW = 256,    /* the same beside those of a tap of dw, over all tiles; chosen, and
                               measured */
    WINO_LOPSIDED_FEW = 4,  /* where more than a quarter of the filters are lopsided, all of y or dx
                               goes by columns; where more than a quarter of the filters, or of the
                               channels, all of dw is summed directly; chosen */
    WINO_DROWNED = 16384,   /* how far a tap of dw may be below what its channel and filter have
                               added up; chosen: of normal numbers one tap in 600 is */
    WINO_DROWNED_FEW = 32,  /* where more than one tap in so many is, all of dw is summed directly;
                               chosen: a tap alone costs some ten times its share of them all */
    WINO_OUTWEIGHS = 16,    /* how much an element of a channel of x, or of dy, may weigh beside all
                               others, where ReLU'd normal numbers of 64 pixels weigh 1/9; chosen,
                               and measured: 64 lets 62 times the allowance through */
    WINO_SAMPLE = 3,        /* channels of x, and of dy, from which dw judges all; chosen: some 1 %
                               of the instructions */
    WINO_JOINTS = 64,       /* parts of the tiles that are judged, each with its sums; chosen */
    WINO_VIEWS = 25,        /* views of a filter; bound: at most 5 kinds of rows see 1 to 3 of the
                               taps down, and so for columns */
    WINO_SLICES = 32,       /* partial sums over channels at most; bound: in the worst case a fifth
                               of V */
    WINO_DIRECT = 1 << 18,  /* elements of columns of directly summed tiles; chosen: 1 MiB of
                               floats, an L2 cache */
    WINO_DIRECT_FILTERS = 1 << 12, /* filters at a time; bound: 2 MiB of sums in double precision */
    WINO_DIRECT_OUTPUTS = 2048, /* outputs at a time, for dw; chosen: 72 KiB of floats in columns */
    WINO_BLOCK_NOTES = 1024     /* tiles whose notes a block of threads' work looks at; chosen: a
                                   few us */
};

/* Of a filter's squares: their sum from which on they are trusted as floats. Bound: those of its
 * taps that count, 1/WINO_LOPSIDED of it, are normal numbers. */
#define WINO_SQUARES_LEAST 1e-20
/* Of a filter's nine norms: their sum is trusted between these, as the squares neither vanish nor
 * overflow; bound: 1e-10 squared is WINO_SQUARES_LEAST, and 1e15 squared is 10^8 times less than
 * the largest float. */
#define WINO_NORMS_LEAST 1e-10
#define WINO_NORMS_MOST 1e15

#endif
