/* winograd.tmpl.h -- 3x3 convolution at stride 1 with a third of the multiplications.
 * docs/kernels/winograd.md explains the algorithm from the beginning, with numbers. Included by
 * conv2d.tmpl.h.
 *
 * Math       A tile of 4x4 outputs sees d, 6x6 pixels of each channel. With w a 3x3 filter,
 *
 *                y = A^T [ sum over channels of (G w G^T) * (B^T d B) ] A         * is by element
 *
 *            46 products per tile, channel and filter where the definition has 144. The matrices
 *            are in winograd_points.tmpl.h: they evaluate polynomials at 0, 1, -1, infinity and at
 *            the complex number i, a root of x^2 + 1, and interpolate. Where the output's sides are
 *            no multiples of 4, the last tiles are smaller, with fewer products: for 4 x 4, 3, 2 or
 *            1 outputs 46, 39, 28 and 21.
 *
 *            The textbook's F(4x4, 3x3) evaluates at 2 and -2 in the place of i: 36 products, but
 *            constants of a sixth to a twenty-fourth that round and amplify. Here all are powers of
 *            two. So small whole numbers are exact, as everywhere in fastnn, and the rounding error
 *            is that of a direct sum over the tile.
 * Symbols    window.h; U = G w G^T, V = B^T d B, M the sum of their products: 46 matrices each. A
 *            panel of filters is NR = 2 VL of them; a panel of tiles up to MR. kinds of points and
 *            sets of tiles: winograd_cut.h. ti, tj: the tile of row ti and column tj of an image;
 *            di, dj: a pixel of a tile; p, q: an output of it; b: a point, the one across; row: a
 *            row of tiles, of all images one after the other.
 * Layout     U [46][channel][NR]                          of a panel and a block of channels
 *            V [46][panel of tiles][C/VL][tile][VL]       VL channels side by side: lanes
 *            M [46][tile][NR]                             V and M: the tiles that have the product
 * Method     A band is some rows of tiles. Its V is made and stays in the cache. Then, panel of
 *            filters by panel of filters: for each of the 46 a matrix product, the output
 *            transform, the bias. All transforms run on VL channels or filters at once. The filters
 *            are transformed once if there are several bands and they fit into scratch memory, else
 *            by each band, and then in the cache. Each thread has bands of its own where there are
 *            enough; else the threads share a band's panels of filters, and if it is the only band
 *            each makes a V of its own.
 * Errors     A pixel or weight far larger than the others would drown the outputs that do not see
 *            it. That is noticed, and the tiles concerned are summed directly:
 *            winograd_error.tmpl.h, winograd_error_dw.tmpl.h.
 * Infinity   A pixel that is not finite would reach all outputs of its tile. Outputs that are not
 *            finite are noticed, and the images they are in are convolved again by columns. That
 *            serves overflow of the transforms too.
 * Cost       for sides of 4p and 4q 92 p q N C K flop in products; some 300 additions per tile and
 *            channel, tile and filter, channel and filter
 * Threads    one writer per element; the order of a sum depends on C only, so an image's result
 *            does not depend on its batch
 * Reference  Winograd (1980), "Arithmetic complexity of computations"; Lavin, Gray (2016), "Fast
 *            algorithms for convolutional neural networks", arXiv:1509.09308; Meng, Brothers
 *            (2019), "Efficient Winograd convolution via integer arithmetic", arXiv:1901.01965:
 *            complex points.
 */
#undef WINO_MR
#undef WINO_LIST
#undef WINO_HALF_LIST
/* Tiles in a panel: with 32 registers 28 sums and two vectors of filters. Of double never more than
 * 6, to build quickly. */
#define WINO_MR (REAL_IS_F64 ? 6 : TILE_ROWS)
#if WINO_MR == 8
#  define WINO_LIST(do) do(1) do(2) do(3) do(4) do(5) do(6) do(7) do(8)
#  define WINO_HALF_LIST(do) do(1) do(2) do(3) do(4)
#elif WINO_MR == 14
#  define WINO_LIST(do) do(1) do(2) do(3) do(4) do(5) do(6) do(7) do(8) do(9) do(10) do(11) do(12) do(13) do(14)
#  define WINO_HALF_LIST(do) do(1) do(2) do(3) do(4) do(5) do(6) do(7)
#else
#  define WINO_LIST(do) do(1) do(2) do(3) do(4) do(5) do(6)
#  define WINO_HALF_LIST(do) do(1) do(2) do(3)
#endif
#define WINO_NR (2 * VL) /* filters in a panel */
#define WINO_PAD VL      /* elements between the 46 matrices, against cache aliasing; chosen: a
                            vector, so that what follows stays aligned */

typedef struct {
    REAL *y;
    const REAL *x, *w, *bias;
    REAL least;     /* of an element of y: 0 for relu */
    int flipped;    /* w is [C][K][3][3], to be flipped and transposed as it is read: this is dx of
                       another convolution */
    const fnn_window *g;
    REAL *u;        /* all filters, transformed; NULL: each band does it */
    char *bad;      /* [row of tiles][panel of filters]: some outputs are not finite */
    wino_cut cut;
    fnn_size pitch; /* channels in V: C, filled up to whole vectors */
    /* a band */
    REAL *v;
    fnn_size row, row_end;                          /* its rows of tiles */
    fnn_size tiles[WINO_SETS];                      /* its tiles in each set */
    fnn_size v_step;                                /* from one of the 46 matrices to the next */
    /* winograd_error.tmpl.h */
    fnn_size grain;                 /* groups of VL channels that are summed to one slice */
    REAL *sums;                     /* [slice][pixel of the band]: of |x| over channels; NULL: dw */
    fnn_size sums_step;
    wino_note *notes;               /* [row of tiles][tile] */
    REAL *squares;                  /* [block of channels][panel of filters][tap][NR]: of weights */
    /* dw: winograd_dw.tmpl.h */
    const REAL *dy;
    REAL *dm, *dw, *parts;                  /* a band's A dy A^T; the sum of a part; all parts */
    wino_dw_cut dw_cut;
    int more;                               /* add to dw */
    REAL *tallies;                          /* [group of x, then of dy][WINO_TALLIES][VL] */
    REAL *reach;                            /* [filter][channel]: the largest |dU| of each band,
                                               added up */
    REAL *least_dw;                         /* and the smallest |dw| of the last band */
} FN(wino_args);

#include "conv/winograd_points.tmpl.h"
#include "conv/winograd_error.tmpl.h"
#include "conv/winograd_error_dw.tmpl.h"

/* ---- V: the pixels --------------------------------------------------------------------------- */

/* The pixels of a tile, VL channels side by side. */
typedef struct {
    const REAL *pixels;             /* rows of the image, `length` pixels each */
    fnn_size at, length;            /* number of the tile's first pixel: negative above the image */
    fnn_size di0, di1, dj0, dj1;    /* its rows [di0, di1), columns [dj0, dj1) are in the image */
} FN(wino_view);

/* V of one tile. tall, wide: it has more than two outputs down, across; whole: it has all 4 x 4. */
FNN_INLINE void FN(wino_v_tile)(const FN(wino_place) *place, fnn_size v_step, const FN(wino_view) *view, int tall,
                                int wide, const int whole)
{
    /* value: at a real point across [0], and the real and imaginary part at i [1], [2] */
    vec half[WINO_IN][WINO_IN], value[3][WINO_IN];
    /* B^T along each row of pixels */
    for (fnn_size di = 0; di < WINO_IN; di++) {
        vec d[WINO_IN];
        const int inside = di >= view->di0 && di < view->di1;
#pragma GCC unroll 6
        for (fnn_size dj = 0; dj < WINO_IN; dj++)
            d[dj] = inside && dj >= view->dj0 && dj < view->dj1
                 ? v_load(view->pixels + (view->at + di * view->length + dj) * VL) : v_set(0);
        FN(wino_times_bt)(half[di], d, wide);
    }
    /* and down each column of what came out: b is the point across */
#pragma GCC unroll 6
    for (fnn_size b = 0; b < WINO_IN; b++) {
        vec d[WINO_IN], *column = value[b < 4 ? 0 : b - 3];
#pragma GCC unroll 6
        for (fnn_size di = 0; di < WINO_IN; di++)
            d[di] = half[di][b];
        FN(wino_times_bt)(column, d, tall);
        if (b < 4)
            FN(wino_put_real)(WINO_PIXELS, place, v_step, b, column, whole);
    }
    FN(wino_put_complex)(WINO_PIXELS, place, v_step, value[1], value[2], whole);
}

/* Where a panel begins, when some tiles are cut into `panels`; these differ by one tile at most. */
static fnn_size FN(wino_panel)(fnn_size tiles, fnn_size panels, fnn_size panel)
{
    return panel * (tiles / panels) + fnn_min(panel, tiles % panels);
}

/* Through the tiles of a band, set by set. */
typedef struct {
    REAL *next[WINO_SETS];              /* where the next tile is, in the matrices of this set */
    fnn_size step[WINO_SETS];           /* and how far the one after it */
    fnn_size left[WINO_SETS];           /* tiles until a panel ends */
} FN(wino_walk);

/* The place of tile (ti, tj) of an image, which is the next one; the walk goes on. */
FNN_INLINE FN(wino_place) FN(wino_next)(FN(wino_walk) *walk, const wino_cut *cut, fnn_size ti, fnn_size tj)
{
    REAL *at[WINO_SETS];
    FN(wino_place) place;
    for (int set = 0; set < cut->sets; set++) {
        const int there = wino_has(cut, set, ti, tj);
        at[set] = there ? walk->next[set] : NULL;
        walk->next[set] += there ? walk->step[set] : 0;
        walk->left[set] -= there;
    }
    for (int down = 0; down < WINO_KINDS; down++)
        for (int across = 0; across < WINO_KINDS; across++)
            place.at[down][across] = at[wino_set(cut, down, across)];
    return place;
}

/* V of groups [begin, end) of VL channels of a band: image by image, tile by tile. In forward's
 * layout [panel][group][tile][VL], or for dw [block of channels][tile][channel]. */
static void FN(wino_v_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(wino_args) *args = ctx;
    const fnn_window *g = args->g;
    const wino_cut cut = args->cut;
    const fnn_size H = g->H, W = g->W, down = cut.down, channels = args->dw_cut.channels;
    const fnn_size most = fnn_min(H, (args->row_end - args->row) * WINO_OUT + 2) * W;
    REAL *pixels = fnn_scratch_alloc(most * VL * sizeof(REAL));
    REAL *slice = args->sums ? args->sums + begin / args->grain * args->sums_step : NULL;
    /* vectors of channels */
    for (fnn_size group = begin; group < end; group++) {
        const fnn_size c = group * VL, block = args->dy ? c / channels * channels : 0, lanes = fnn_min(VL, g->C - c);
        fnn_size panel[WINO_SETS] = { 0 };
        FN(wino_walk) walk;
        for (int set = 0; set < cut.sets; set++) {
            walk.next[set] = args->v + block * args->tiles[set] + c - block;
            walk.step[set] = args->dy ? fnn_min(channels, args->pitch - block) : VL;
            walk.left[set] = args->dy ? args->tiles[set] : 0;
        }
        /* image by image: its pixels, VL channels side by side */
        for (fnn_size row = args->row, next; row < args->row_end; row = next) {
            const fnn_size n = row / down, ti_begin = row % down;   /* rows of tiles of image n */
            const fnn_size ti_end = fnn_min(down, ti_begin + args->row_end - row);
            const fnn_size first = fnn_max(0, ti_begin * WINO_OUT - g->ph);     /* rows of pixels */
            const fnn_size last = fnn_max(first, fnn_min(H, ti_end * WINO_OUT + 2 - g->ph));
            const REAL *x = args->x + ((n * g->C + c) * H + first) * W;
            if (slice) {
                REAL *sums = slice + FN(wino_sums_at)(args, row);
                FN(interleave_and_sum)(pixels, x, H * W, lanes, (last - first) * W, sums, group > begin);
            } else {
                FN(interleave)(pixels, x, H * W, lanes, (last - first) * W);
                /* rows that the tiles before have not seen yet */
                const fnn_size fresh = ti_begin > 0 ? fnn_min(last, ti_begin * WINO_OUT + 2 - g->ph) : 0;
                FN(wino_tally)(args->tallies + group * WINO_TALLIES * VL, pixels, first, fnn_max(first, fresh), last, g,
                               0);
            }
            /* tile by tile, each to its place in every set that it is in */
            for (fnn_size ti = ti_begin; ti < ti_end; ti++)
                for (fnn_size tj = 0; tj < cut.across; tj++) {
                    for (int set = 0; set < cut.sets; set++) {
                        const fnn_size tiles = args->tiles[set], panels = fnn_ceil_div(tiles, WINO_MR);
                        if (walk.left[set] == 0 && panel[set] < panels) {
                            const fnn_size t = FN(wino_panel)(tiles, panels, panel[set]++);
                            walk.left[set] = FN(wino_panel)(tiles, panels, panel[set]) - t;
                            walk.next[set] = args->v + t * args->pitch + group * walk.left[set] * VL;
                        }
                    }
                    const FN(wino_place) place = FN(wino_next)(&walk, &cut, ti, tj);
                    /* in the image */
                    const fnn_size top = ti * WINO_OUT - g->ph, left = tj * WINO_OUT - g->pw;
                    const fnn_size rows = g->P - ti * WINO_OUT, columns = g->Q - tj * WINO_OUT;
                    const FN(wino_view) view = { pixels, (top - first) * W + left, W, -top, H - top, -left, W - left };
                    const FN(wino_view) inner = { pixels, view.at, W, 0, WINO_IN, 0, WINO_IN };
                    if (rows < WINO_OUT || columns < WINO_OUT)
                        FN(wino_v_tile)(&place, args->v_step, &view, rows > 2, columns > 2, 0);
                    else if (top >= 0 && left >= 0 && top + WINO_IN <= H && left + WINO_IN <= W)
                        FN(wino_v_tile)(&place, args->v_step, &inner, 1, 1, 1);
                    else
                        FN(wino_v_tile)(&place, args->v_step, &view, 1, 1, 1);
                }
            next = row + ti_end - ti_begin;
        }
    }
    fnn_scratch_free(pixels);
}

/* ---- U: the filters -------------------------------------------------------------------------- */
static fnn_size FN(wino_u_step)(fnn_size channels) { return channels * WINO_NR + WINO_PAD; }

/* U of panel kb of filters, channels [c0, c0 + channels); filters that are missing are zeros. The
 * first band also weighs them. */
static void FN(wino_u_panel)(const FN(wino_args) *args, REAL *u, fnn_size kb, fnn_size c0, fnn_size channels)
{
    const fnn_size u_step = FN(wino_u_step)(channels), C = args->g->C, K = args->g->K, k0 = kb * WINO_NR;
    const REAL *w = args->w;
    REAL *taps = fnn_scratch_alloc(channels * 9 * VL * sizeof(REAL));
    /* VL filters at a time: their 9 weights for each channel, interleaved */
    for (fnn_size l = 0; l < WINO_NR; l += VL) {
        const fnn_size lanes = fnn_clamp(K - k0 - l, 0, VL), k = lanes > 0 ? k0 + l : 0;
        if (!args->flipped)
            FN(interleave)(taps, w + (k * C + c0) * 9, C * 9, lanes, channels * 9);
        for (fnn_size c = 0; args->flipped && c < channels; c++)
            FN(interleave)(taps + c * 9 * VL, w + ((c0 + c) * K + k) * 9, 9, lanes, 9);
        if (args->row == 0)
            FN(wino_weigh)(FN(wino_squares_at)(args, kb, c0) + l, taps, channels, args->flipped);
        /* channel by channel: G along each row of weights, then down; b is the point across */
        for (fnn_size c = 0; c < channels; c++) {
            const REAL *from = taps + c * 9 * VL;
            const FN(wino_place) place = FN(wino_place_whole)(u + c * WINO_NR + l);
            vec half[3][WINO_IN], value[3][WINO_IN];
#pragma GCC unroll 3
            for (fnn_size r = 0; r < 3; r++) {
                vec tap[3];
#pragma GCC unroll 3
                for (fnn_size s = 0; s < 3; s++)
                    tap[s] = v_load(from + (args->flipped ? 8 - (r * 3 + s) : r * 3 + s) * VL);
                FN(wino_times_g)(half[r], tap);
            }
#pragma GCC unroll 6
            for (fnn_size b = 0; b < WINO_IN; b++) {
                const vec tap[3] = { half[0][b], half[1][b], half[2][b] };
                vec *column = value[b < 4 ? 0 : b - 3];
                FN(wino_times_g)(column, tap);
                if (b < 4)
                    FN(wino_put_real)(WINO_FILTERS, &place, u_step, b, column, 1);
            }
            FN(wino_put_complex)(WINO_FILTERS, &place, u_step, value[1], value[2], 1);
        }
    }
    fnn_scratch_free(taps);
}

/* Where panel kb of filters and channels from c0 on are in args->u */
static REAL *FN(wino_u_at)(const FN(wino_args) *args, fnn_size kb, fnn_size c0)
{
    const fnn_size blocks = fnn_ceil_div(args->g->C, WINO_CHANNELS);
    return args->u + WINO_PRODUCTS * (kb * (args->g->C * WINO_NR + blocks * WINO_PAD)
                                      + c0 * WINO_NR + c0 / WINO_CHANNELS * WINO_PAD);
}

static void FN(wino_u_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(wino_args) *args = ctx;
    const fnn_size blocks = fnn_ceil_div(args->g->C, WINO_CHANNELS);
    for (fnn_size item = begin; item < end; item++) {
        const fnn_size kb = item / blocks, c0 = item % blocks * WINO_CHANNELS;
        FN(wino_u_panel)(args, FN(wino_u_at)(args, kb, c0), kb, c0, fnn_min(WINO_CHANNELS, args->g->C - c0));
    }
}

/* ---- M: the products ------------------------------------------------------------------------- */

/* m[tile][filter] (+)= sum over channels c of v[c / VL][tile][c % VL] * u[c][filter], for mr tiles
 * (a constant) and NR filters. A register tile as in gemm_tile.tmpl.h: mr x 2 vectors of sums. The
 * tiles of winograd_dw, conv2d_pixels, conv2d_few, conv2d_taps, conv2d_direct, conv2d_depthwise,
 * attention_tile and recurrent are the same idea with other operands: sums stay in registers while
 * one operand is broadcast, number by number, and the other is loaded in vectors. */
FNN_INLINE void FN(wino_product)(const fnn_size mr, REAL *m, const REAL *v, const REAL *u, fnn_size channels, int add)
{
    vec acc[WINO_MR][2];
#pragma GCC unroll 16
    for (fnn_size t = 0; t < mr; t++)
        acc[t][0] = acc[t][1] = v_set(0);
    /* the sum over channels, VL of them from a row of V at a time */
    for (; channels > 0; channels -= VL, v += mr * VL)
#pragma GCC unroll 8
        for (fnn_size c = 0; c < fnn_min(VL, channels); c++, u += WINO_NR) {
            const vec left = v_load(u), right = v_load(u + VL);
            /* the tiles */
#pragma GCC unroll 16
            for (fnn_size t = 0; t < mr; t++) {
                const vec pixel = v_set(v[t * VL + c]);
                acc[t][0] += pixel * left;
                acc[t][1] += pixel * right;
            }
        }
#pragma GCC unroll 16
    for (fnn_size t = 0; t < mr; t++)
#pragma GCC unroll 2
        for (fnn_size half = 0; half < 2; half++) {
            REAL *to = m + t * WINO_NR + half * VL;
            v_store(to, add ? acc[t][half] + v_load(to) : acc[t][half]);
        }
}

typedef void FN(wino_product_fn)(REAL *m, const REAL *v, const REAL *u, fnn_size channels, int add);
/* One function for each number of tiles; names are pasted: wino_product_14 has 14. */
#define WINO_PRODUCT(mr) \
    static void FN(wino_product_##mr)(REAL *m, const REAL *v, const REAL *u, fnn_size channels, int add) \
    { FN(wino_product)(mr, m, v, u, channels, add); }
WINO_LIST(WINO_PRODUCT)
#define WINO_NAME(mr) FN(wino_product_##mr),
static FN(wino_product_fn) *const FN(wino_products)[WINO_MR] = { WINO_LIST(WINO_NAME) };
#undef WINO_PRODUCT
#undef WINO_NAME

/* ---- y --------------------------------------------------------------------------------------- */

/* y of one tile, VL filters side by side: A^T M A. px is its first output, rows are `length` pixels
 * apart; `rows` x `columns` of the 4 x 4 are wanted. Adds 0 * y to *test: that stays 0 where all is
 * finite. */
FNN_INLINE void FN(wino_y_tile)(REAL *px, fnn_size length, fnn_size rows, fnn_size columns, const FN(wino_place) *place,
                                fnn_size m_step, vec bias, vec *test, const int whole)
{
    vec value[3][WINO_IN], half[WINO_OUT][WINO_IN];
    FN(wino_get_complex)(WINO_OUTPUTS, value[1], value[2], place, m_step, whole);
    /* A^T down each column of products: b is the point across */
#pragma GCC unroll 6
    for (fnn_size b = 0; b < WINO_IN; b++) {
        vec out[WINO_OUT], *column = value[b < 4 ? 0 : b - 3];
        if (b < 4)
            FN(wino_get_real)(WINO_OUTPUTS, column, place, m_step, b, whole);
        FN(wino_times_at)(out, column, rows > 2);
#pragma GCC unroll 4
        for (fnn_size p = 0; p < WINO_OUT; p++)
            half[p][b] = out[p];
    }
    /* and along each row */
#pragma GCC unroll 4
    for (fnn_size p = 0; p < WINO_OUT; p++) {
        vec out[WINO_OUT];
        FN(wino_times_at)(out, half[p], columns > 2);
#pragma GCC unroll 4
        for (fnn_size q = 0; q < WINO_OUT; q++)
            if (p < rows && q < columns) {
                *test += out[q] * v_set(0);
                v_store(px + (p * length + q) * VL, out[q] + bias);
            }
    }
}

/* y of filters [k, k + lanes) of the band from M, image by image, tile by tile */
static void FN(wino_y_group)(const FN(wino_args) *args, REAL *m, fnn_size m_step, fnn_size k, fnn_size lanes,
                             REAL *pixels)
{
    const fnn_window *g = args->g;
    const fnn_size P = g->P, Q = g->Q, down = args->cut.down;
    FN(wino_walk) walk = { .next = { m, m, m, m }, .step = { WINO_NR, WINO_NR, WINO_NR, WINO_NR } };
    REAL room[64] = { 0 };                          /* for any VL */
    for (fnn_size l = 0; args->bias && l < lanes; l++)
        room[l] = args->bias[k + l];
    const vec bias = v_load(room);
    for (fnn_size row = args->row, next; row < args->row_end; row = next) {
        const fnn_size n = row / down, ti_begin = row % down, ti_end = fnn_min(down, ti_begin + args->row_end - row);
        const fnn_size first = ti_begin * WINO_OUT, last = fnn_min(P, ti_end * WINO_OUT);
        const fnn_size filters = fnn_ceil_div(g->K, WINO_NR);
        vec test = v_set(0);
        for (fnn_size ti = ti_begin; ti < ti_end; ti++)
            for (fnn_size tj = 0; tj < args->cut.across; tj++) {
                const FN(wino_place) place = FN(wino_next)(&walk, &args->cut, ti, tj);
                REAL *px = pixels + ((ti * WINO_OUT - first) * Q + tj * WINO_OUT) * VL;
                const fnn_size rows = P - ti * WINO_OUT, columns = Q - tj * WINO_OUT;
                if (rows >= WINO_OUT && columns >= WINO_OUT)
                    FN(wino_y_tile)(px, Q, WINO_OUT, WINO_OUT, &place, m_step, bias, &test, 1);
                else
                    FN(wino_y_tile)(px, Q, rows, columns, &place, m_step, bias, &test, 0);
            }
        FN(deinterleave)(args->y + ((n * g->K + k) * P + first) * Q, P * Q, pixels, lanes, (last - first) * Q,
                         args->least);
        if (!(v_sum(test) == 0))                    /* noted in the place of the first row */
            args->bad[row * filters + k / WINO_NR] = 1;
        next = row + ti_end - ti_begin;
    }
}

/* Panels [begin, end) of filters of a band whose V is there */
static void FN(wino_filters_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(wino_args) *args = ctx;
    const fnn_window *g = args->g;
    const fnn_size m_step = args->tiles[0] * WINO_NR + WINO_PAD, C = g->C;
    REAL *m = fnn_scratch_alloc(WINO_PRODUCTS * m_step * sizeof(REAL));
    REAL *pixels = fnn_scratch_alloc(fnn_min(g->P, (args->row_end - args->row) * WINO_OUT) * g->Q * VL * sizeof(REAL));
    REAL *own = args->u ? NULL : fnn_scratch_alloc(WINO_PRODUCTS * FN(wino_u_step)(fnn_min(C, WINO_CHANNELS))
                                                   * sizeof(REAL));
    for (fnn_size kb = begin; kb < end; kb++) {
        /* the sum over channels, WINO_CHANNELS of them at a time */
        for (fnn_size c0 = 0; c0 < C; c0 += WINO_CHANNELS) {
            const fnn_size channels = fnn_min(WINO_CHANNELS, C - c0), u_step = FN(wino_u_step)(channels);
            const REAL *u = own ? own : FN(wino_u_at)(args, kb, c0);
            if (own)
                FN(wino_u_panel)(args, own, kb, c0, channels);
            /* the 46 products, each with the tiles that have it, panel by panel of these */
            for (int product = 0; product < WINO_PRODUCTS; product++) {
                const fnn_size tiles = args->tiles[wino_set_of(&args->cut, product)];
                const fnn_size panels = fnn_ceil_div(tiles, WINO_MR);
                for (fnn_size panel = 0; panel < panels; panel++) {
                    const fnn_size t = FN(wino_panel)(tiles, panels, panel);
                    const fnn_size mr = FN(wino_panel)(tiles, panels, panel + 1) - t;
                    FN(wino_products)[mr - 1](m + product * m_step + t * WINO_NR,
                                              args->v + product * args->v_step + t * args->pitch + c0 * mr,
                                              u + product * u_step, channels, c0 > 0);
                }
            }
        }
        for (fnn_size l = 0; l < WINO_NR && kb * WINO_NR + l < g->K; l += VL)
            FN(wino_y_group)(args, m + l, m_step, kb * WINO_NR + l, fnn_min(VL, g->K - kb * WINO_NR - l), pixels);
    }
    fnn_scratch_free(m);                /* and what was allocated after it: scratch is a stack */
}

/* ---- the whole ------------------------------------------------------------------------------- */
static fnn_size FN(wino_v_bytes)(const fnn_window *g, wino_cut cut)
{
    return WINO_PRODUCTS * (cut.rows * cut.across * fnn_round_up(g->C, VL) + WINO_PAD) * (fnn_size)sizeof(REAL);
}

/* The tiles of a band whose rows are known, set by set. */
static void FN(wino_count)(FN(wino_args) *args)
{
    for (int set = 0; set < args->cut.sets; set++)
        args->tiles[set] = wino_tiles(&args->cut, set, args->row, args->row_end);
    args->v_step = args->tiles[0] * args->pitch + WINO_PAD;
}

/* Bands [begin, end): the pixels of a band, then its filters. */
static void FN(wino_bands)(void *ctx, fnn_size begin, fnn_size end)
{
    FN(wino_args) args = *(const FN(wino_args) *)ctx;
    const fnn_size C = args.g->C, rows = args.g->N * args.cut.down;
    const fnn_size groups = fnn_ceil_div(C, VL), panels = fnn_ceil_div(args.g->K, WINO_NR);
    args.sums = fnn_scratch_alloc(fnn_min(groups, WINO_SLICES) * args.sums_step * sizeof(REAL));
    args.v = fnn_scratch_alloc(FN(wino_v_bytes)(args.g, args.cut));
    for (fnn_size band = begin; band < end; band++) {
        args.row = band * args.cut.rows;
        args.row_end = fnn_min(rows, args.row + args.cut.rows);
        FN(wino_count)(&args);
        args.grain = fnn_max(fnn_ceil_div(groups, WINO_SLICES), WINO_BLOCK_TILES / args.tiles[0]);
        fnn_parallel_for(groups, args.grain, FN(wino_v_block), &args);
        FN(wino_find_faint)(&args, fnn_ceil_div(groups, args.grain));
        fnn_parallel_for(panels, 1, FN(wino_filters_block), &args);
    }
    fnn_scratch_free(args.sums);
}

/* Panels [begin, end) of filters of the only band: their thread makes all of V, which costs less
 * than to read what another has made. */
static void FN(wino_share)(void *ctx, fnn_size begin, fnn_size end)
{
    FN(wino_args) args = *(const FN(wino_args) *)ctx;
    const fnn_size groups = fnn_ceil_div(args.g->C, VL);
    args.sums = fnn_scratch_alloc(args.sums_step * sizeof(REAL));
    args.v = fnn_scratch_alloc(FN(wino_v_bytes)(args.g, args.cut));
    args.row_end = args.g->N * args.cut.down;
    args.grain = groups;
    FN(wino_count)(&args);
    FN(wino_v_block)(&args, 0, groups);
    if (begin == 0)                                 /* one of them notes what all see */
        FN(wino_find_faint)(&args, 1);
    FN(wino_filters_block)(&args, begin, end);
    fnn_scratch_free(args.sums);
}

/* y. bad and notes are all 0 before. The filters are transformed here once, or by each
 * band. */
static void FN(wino_forward)(FN(wino_args) *args)
{
    const fnn_window *g = args->g;
    const fnn_size blocks = fnn_ceil_div(g->C, WINO_CHANNELS), panels = fnn_ceil_div(g->K, WINO_NR);
    const fnn_size u_bytes = WINO_PRODUCTS * panels * (g->C * WINO_NR + blocks * WINO_PAD) * (fnn_size)sizeof(REAL);
    const fnn_size threads = fnn_free_threads();
    args->cut = wino_cut_tiles(g, 1, threads);
    args->u = NULL;
    if (args->cut.bands > 1 && u_bytes <= WINO_U_BYTES && FN(wino_v_bytes)(g, args->cut) <= WINO_V_BYTES) {
        args->u = fnn_scratch_alloc(u_bytes);
        fnn_parallel_for(panels * blocks, fnn_grain(WINO_BLOCK_FILTERS, fnn_min(g->C, WINO_CHANNELS) * WINO_NR),
                         FN(wino_u_block), args);
    } else {
        args->cut = wino_cut_tiles(g, 0, threads);
    }
    args->sums_step = FN(wino_sums_step)(g, args->cut);
    if (args->cut.own)
        fnn_parallel_for(args->cut.bands, 1, FN(wino_bands), args);
    else if (args->cut.bands == 1 && panels >= threads)
        fnn_parallel_for(panels, fnn_ceil_div(panels, threads * fnn_parts_per_thread()), FN(wino_share), args);
    else
        FN(wino_bands)(args, 0, args->cut.bands);
    if (args->u)
        fnn_scratch_free(args->u);
}

/* flip: w are the filters of the convolution whose dx this is. Then there is room for the flipped
 * ones in `flipped`, where they are written only if some sums are to be direct. */
static void FN(conv_winograd_forward)(REAL *y, const REAL *x, const REAL *w, const REAL *bias, int relu, int flip,
                                      REAL *flipped, const fnn_window *g)
{
    /* notes in one image: of what is not finite, and of tiles */
    const fnn_size panels = fnn_ceil_div(g->K, WINO_NR), bad = fnn_ceil_div(g->P, WINO_OUT) * panels;
    const fnn_size tiles = fnn_ceil_div(g->P, WINO_OUT) * fnn_ceil_div(g->Q, WINO_OUT);
    const fnn_size CHW = g->C * g->H * g->W, KPQ = g->K * g->P * g->Q;
    const fnn_size most = fnn_min(g->N, fnn_grain(WINO_NOTES, bad + tiles * (fnn_size)sizeof(wino_note)));
    wino_note *notes = fnn_scratch_alloc(most * tiles * sizeof(wino_note));
    char *lopsided = fnn_scratch_alloc(g->K);
    FN(wino_args) args = { .flipped = flip, .bias = bias, .least = relu ? 0 : -(REAL)INFINITY,
                           .pitch = fnn_round_up(g->C, VL), .notes = notes,
                           .bad = fnn_scratch_alloc(most * bad) };
    const fnn_size blocks = fnn_ceil_div(g->C, WINO_CHANNELS);
    args.squares = fnn_scratch_alloc(blocks * panels * 9 * WINO_NR * sizeof(REAL));
    for (fnn_size n0 = 0; n0 < g->N; n0 += most) {
        fnn_window some = *g, one = *g;
        some.N = fnn_min(most, g->N - n0);
        one.N = 1;
        memset(notes, 0, some.N * tiles * sizeof(wino_note));
        memset(args.bad, 0, some.N * bad);
        args.y = y + n0 * KPQ, args.x = x + n0 * CHW, args.w = w, args.g = &some;
        FN(wino_forward)(&args);
        const fnn_size count = FN(wino_find_lopsided)(&args, lopsided), finite = !memchr(args.bad, 1, some.N * bad);
        const int columns = WINO_LOPSIDED_FEW * count > g->K;
        int direct = 0;
        if (!columns) {
            FN(wino_drown_args) drown = { &args, FN(wino_share_filters)(&args, lopsided) };
            fnn_parallel_for(some.N * tiles, WINO_BLOCK_NOTES, FN(wino_drown_block), &drown);
        }
        for (fnn_size tile = 0; tile < some.N * tiles && !direct; tile++)
            direct = notes[tile].direct || notes[tile].empty;
        if (flip && (direct || count > 0 || !finite))
            FN(conv_flip)(flipped, w, g);
        args.w = flip ? flipped : w;
        if (direct)
            fnn_parallel_for(some.N, 1, FN(wino_direct_block), &args);
        for (fnn_size n = 0; n < some.N && (count > 0 || !finite); n++) {
            const fnn_size whole = columns || memchr(args.bad + n * bad, 1, bad);
            one.K = whole ? g->K : 1;
            for (fnn_size k = 0; k < g->K; k += one.K)
                if (whole || lopsided[k])
                    FN(conv_columns_forward)(args.y + (n * g->K + k) * g->P * g->Q, args.x + n * CHW,
                                             args.w + k * g->C * 9, bias ? bias + k : NULL, relu, &one);
        }
    }
    fnn_scratch_free(notes);
}
