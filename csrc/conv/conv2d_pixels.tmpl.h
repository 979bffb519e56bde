/* conv2d_pixels.tmpl.h -- convolution without columns: a matrix product that reads the image
 * itself. Included by conv2d.tmpl.h.
 *
 * Math       y[k, p, q] = bias[k] + sum over taps t = (c,r,s) of
 *                            w[k, t] * x[c, p*sh - ph + r*dh, q*sw - pw + s*dw]
 * Layout     A frame: what some rows of outputs see of an image, with its padding,
 *            [C/lanes][row][column mod sw][column / sw][lanes]. lanes is VL, channels interleaved
 *            so that a vector holds one pixel of each; or 1, planes, where C is small and vectors
 *            would be mostly zeros. So what neighbouring outputs (p, q), (p, q+1) see through one
 *            tap is a constant apart, whatever the stride, and a tap is an offset into the frame.
 *            Filters go in panels of NR = 2 VL, as two halves [tap][VL]; y of a panel
 *            [half][pixel][VL] before it is dealt out to planes. NR, MR: winograd.tmpl.h.
 * Method     For each frame: panel of filters by panel, block of taps by block, tiles of up to MR
 *            neighbouring outputs x NR filters in registers, as in a matrix product whose left
 *            operand is the frame. Nothing of the column matrix is ever written.
 * Strides    dx of a convolution with strides is sh * sw convolutions of dy without. Phase (a, b)
 *            is the one for the rows i with (i + ph) mod sh = a and the columns j with (j + pw) mod
 *            sw = b, by the taps that reach them. All see the same frame of dy; a phase is a list
 *            of taps. (So b is a phase in this file, and the bias is called so.)
 * Threads    Each has frames of its own. Where there are few, all share the panels of filters of
 *            one frame after the other.
 */
#ifndef FNN_CONV_PIXELS_ONCE
#define FNN_CONV_PIXELS_ONCE
enum {
    PIXELS_LANES = 16,      /* channels in a group from which they are interleaved; timed, for 3 and
                               for many: docs/kernels/conv2d.md; between them chosen: a vector of
                               AVX-512 */
    PIXELS_ROOM = 64        /* elements of a panel's bias; bound: room for any NR */
};

/* Whether tap (r, s) reaches the pixels of phase (a, b), of a convolution whose dx this is */
static inline int pixels_reaches(const fnn_window *of, fnn_size r, fnn_size s, fnn_size a, fnn_size b)
{
    return r * of->dh % of->sh == a && s * of->dw % of->sw == b;
}
#endif

typedef struct {
    REAL *y;
    const REAL *x, *bias;
    REAL least;                     /* of an element of y: 0 for relu */
    const fnn_window *g;
    const fnn_window *of;           /* dx: the convolution whose gradient this is, else NULL */
    pixels_cut cut;
    fnn_size sh, sw;                /* dx: its phases of rows and columns; y: 1, 1 */
    const fnn_size *offset;         /* [tap] in the frame, phase by phase */
    const fnn_size *phase_begin;    /* [phase] the phase's first tap, and where the last phase
                                       ends */
    const REAL *packed;             /* the filters, [panel][half][tap][VL] */
    REAL *frame;                    /* or the image itself */
    fnn_size n, images, h, p0, p1;  /* the frame: first image, images, group, rows of output */
    fnn_size lanes, rows;           /* a chunk: so many channels side by side; rows of the frame for
                                       one image */
    fnn_size chunk_step, image_step; /* elements from a chunk to the next, from image to image */
    int in_place;                   /* whether the images can be read in place */
} FN(pixels_args);

/* What a tile reads and writes: _step from one of its rows to the next, _half from one half of the
 * panel of filters to the other. */
typedef struct {
    REAL *out;                          /* sums, [output][VL] of a row and half */
    fnn_size out_step, out_half;
    const REAL *x;                      /* the frame: the tile's first output sees x[offset[t]] */
    fnn_size x_step;
    const REAL *w;                      /* packed filters, [tap][VL] of a half */
    fnn_size w_half;
    const fnn_size *offset;             /* [tap] */
    fnn_size taps;
    const REAL *bias;                   /* what the sums start from; NULL: what is in out */
} FN(pixels_tile);

/* out[q, filter] = (start of the sum) + sum over taps t of x[offset[t] + q * lanes] * w[t, filter],
 * for `rows` rows p of mr outputs q each and nv halves of a panel: all constants. A register tile
 * as wino_product: pixels are broadcast, filters loaded in vectors. */
FNN_INLINE void FN(pixels_product)(const fnn_size lanes, const fnn_size nv, const fnn_size rows, const fnn_size mr,
                                   const FN(pixels_tile) tile)
{
    vec acc[2][WINO_MR][2];                         /* [row][output][half] */
#pragma GCC unroll 2
    for (fnn_size p = 0; p < rows; p++)
#pragma GCC unroll 16
        for (fnn_size q = 0; q < mr; q++)
#pragma GCC unroll 2
            for (fnn_size half = 0; half < nv; half++)
                acc[p][q][half] = v_load(tile.bias ? tile.bias + half * VL
                                             : tile.out + p * tile.out_step + half * tile.out_half + q * VL);
    /* the sum over taps: a vector of filters, or two, by all outputs of the tile */
    for (fnn_size t = 0; t < tile.taps; t++) {
        const REAL *x_t = tile.x + tile.offset[t];
        vec weight[2];
#pragma GCC unroll 2
        for (fnn_size half = 0; half < nv; half++)
            weight[half] = v_load(tile.w + half * tile.w_half + t * VL);
#pragma GCC unroll 2
        for (fnn_size p = 0; p < rows; p++)
#pragma GCC unroll 16
            for (fnn_size q = 0; q < mr; q++) {
                const vec pixel = v_set(x_t[p * tile.x_step + q * lanes]);
#pragma GCC unroll 2
                for (fnn_size half = 0; half < nv; half++)
                    acc[p][q][half] += pixel * weight[half];
            }
    }
#pragma GCC unroll 2
    for (fnn_size p = 0; p < rows; p++)
#pragma GCC unroll 16
        for (fnn_size q = 0; q < mr; q++)
#pragma GCC unroll 2
            for (fnn_size half = 0; half < nv; half++)
                v_store(tile.out + p * tile.out_step + half * tile.out_half + q * VL, acc[p][q][half]);
}

typedef void FN(pixels_product_fn)(const FN(pixels_tile) *tile);
#define PIXELS_PRODUCT(kind, lanes, nv, rows, mr)                                          \
    static void FN(pixels_product_##kind##nv##rows##_##mr)(const FN(pixels_tile) *tile)    \
    { FN(pixels_product)(lanes, nv, rows, mr, *tile); }
/* PIXELS_<halves><rows>: lanes = VL; PIXELS_1_<halves><rows>: lanes = 1, planes */
#define PIXELS_1_11(mr) PIXELS_PRODUCT(plane, 1, 1, 1, mr)
#define PIXELS_1_12(mr) PIXELS_PRODUCT(plane, 1, 1, 2, mr)
#define PIXELS_1_21(mr) PIXELS_PRODUCT(plane, 1, 2, 1, mr)
#define PIXELS_1_22(mr) PIXELS_PRODUCT(plane, 1, 2, 2, mr)
#define PIXELS_11(mr) PIXELS_PRODUCT(, VL, 1, 1, mr)
#define PIXELS_12(mr) PIXELS_PRODUCT(, VL, 1, 2, mr)
#define PIXELS_21(mr) PIXELS_PRODUCT(, VL, 2, 1, mr)
#define PIXELS_22(mr) PIXELS_PRODUCT(, VL, 2, 2, mr)
WINO_LIST(PIXELS_1_11) WINO_LIST(PIXELS_1_12) WINO_LIST(PIXELS_1_21) WINO_HALF_LIST(PIXELS_1_22)
WINO_LIST(PIXELS_11) WINO_LIST(PIXELS_12) WINO_LIST(PIXELS_21) WINO_HALF_LIST(PIXELS_22)
#define PIXELS_NAME_1_11(mr) FN(pixels_product_plane11_##mr),
#define PIXELS_NAME_1_12(mr) FN(pixels_product_plane12_##mr),
#define PIXELS_NAME_1_21(mr) FN(pixels_product_plane21_##mr),
#define PIXELS_NAME_1_22(mr) FN(pixels_product_plane22_##mr),
#define PIXELS_NAME_11(mr) FN(pixels_product_11_##mr),
#define PIXELS_NAME_12(mr) FN(pixels_product_12_##mr),
#define PIXELS_NAME_21(mr) FN(pixels_product_21_##mr),
#define PIXELS_NAME_22(mr) FN(pixels_product_22_##mr),
/* [lanes > 1][nv - 1][rows - 1][mr - 1]; two rows of two halves only for up to MR / 2 outputs */
static FN(pixels_product_fn) *const FN(pixels_products)[2][2][2][WINO_MR] = {
    { { { WINO_LIST(PIXELS_NAME_1_11) }, { WINO_LIST(PIXELS_NAME_1_12) } },
      { { WINO_LIST(PIXELS_NAME_1_21) }, { WINO_HALF_LIST(PIXELS_NAME_1_22) } } },
    { { { WINO_LIST(PIXELS_NAME_11) }, { WINO_LIST(PIXELS_NAME_12) } },
      { { WINO_LIST(PIXELS_NAME_21) }, { WINO_HALF_LIST(PIXELS_NAME_22) } } },
};
#undef PIXELS_PRODUCT

/* ---- the frame ------------------------------------------------------------------------------- */

/* Chunks of `lanes` channels, of all images of the frame, [begin, end): planes as they are, or
 * mixed by interleave, with zeros in the padding */
static void FN(pixels_frame_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(pixels_args) *args = ctx;
    const fnn_window *g = args->g;
    const pixels_cut cut = args->cut;
    const fnn_size H = g->H, W = g->W, Cg = g->C / g->G, rows = args->rows;
    const fnn_size chunks = fnn_ceil_div(Cg, args->lanes);
    const fnn_size top = args->p0 * g->sh - g->ph;  /* the row of the image that begins the frame */
    for (fnn_size item = begin; item < end && args->lanes == 1; item++)
        FN(frame_of_plane)(args->frame + item * args->chunk_step, rows, g->sw, cut.width,
                           args->x + ((args->n + item / Cg) * g->C + args->h * Cg + item % Cg) * H * W, H, W, top,
                           -g->pw);
    if (args->lanes == 1)
        return;
    const fnn_size first = fnn_min(fnn_max(top, 0), H), last = fnn_max(first, fnn_min(top + rows, H));
    REAL *mixed = fnn_scratch_alloc(fnn_max(1, (last - first) * W) * VL * sizeof(REAL));
    for (fnn_size item = begin; item < end; item++) {
        const fnn_size n = args->n + item / chunks, chunk = item % chunks;
        const fnn_size c = args->h * Cg + chunk * VL, lanes = fnn_min(VL, Cg - chunk * VL);
        REAL *frame = args->frame + item * args->chunk_step;
        FN(interleave)(mixed, args->x + ((n * g->C + c) * H + first) * W, H * W, lanes, (last - first) * W);
        memset(frame, 0, rows * cut.pitch * VL * sizeof(REAL));
        for (fnn_size i = first; i < last; i++) {
            const REAL *from = mixed + (i - first) * W * VL;
            REAL *to = frame + (i - top) * cut.pitch * VL;
            for (fnn_size phase = 0; phase < g->sw; phase++) {
                /* column j of the image is number `at` here */
                fnn_size j = phase - g->pw, at = phase * cut.width;
                if (j < 0) {
                    const fnn_size skip = fnn_ceil_div(-j, g->sw);
                    j += skip * g->sw;
                    at += skip;
                }
                for (; j < W && at < (phase + 1) * cut.width; j += g->sw, at++)
                    v_store(to + at * VL, v_load(from + j * VL));
            }
        }
    }
    fnn_scratch_free(mixed);
}

/* ---- y --------------------------------------------------------------------------------------- */

/* y of panel kb of filters and a phase, of a whole frame: out [half][image][pixel][VL] */
static void FN(pixels_panel)(const FN(pixels_args) *args, REAL *out, fnn_size kb, fnn_size nv, const REAL *bias,
                             fnn_size phase)
{
    const fnn_window *g = args->g;
    const fnn_size taps = args->phase_begin[args->sh * args->sw], Q = g->Q, rows = args->p1 - args->p0;
    const fnn_size end = args->phase_begin[phase + 1];
    const fnn_size x_step = g->sh * args->cut.pitch * args->lanes, panels = fnn_ceil_div(g->K / g->G, WINO_NR);
    const fnn_size together = nv * Q <= WINO_MR || nv == 1 ? 2 : 1;             /* rows in a tile */
    const fnn_size tiles = fnn_ceil_div(Q, WINO_MR);
    const REAL *w = args->packed + (args->h * panels + kb) * taps * WINO_NR, *frame = args->frame;
    FN(pixels_tile) here = { .out_step = Q * VL, .out_half = args->images * rows * Q * VL, .x_step = x_step,
                             .w_half = taps * VL, .bias = bias };
    fnn_size t = args->phase_begin[phase];
    if (args->of)                       /* where the phase's first pixel is, behind the frame's */
        frame += (conv_phase_shift(phase / args->sw, args->of->ph, args->sh) * args->cut.pitch
                  + conv_phase_shift(phase % args->sw, args->of->pw, args->sw)) * args->lanes;
    /* blocks of taps, whose filters stay in an L1 cache; once also where a phase has no taps */
    do {
        here.w = w + t * VL;
        here.offset = args->offset + t;
        here.taps = fnn_min(PIXELS_TAPS, end - t);
        /* images, one or two rows of outputs, tiles of a row */
        for (fnn_size n = 0; n < args->images; n++)
            for (fnn_size p = 0, height; p < rows; p += height) {
                height = fnn_min(together, rows - p);
                for (fnn_size tile = 0; tile < tiles; tile++) {
                    const fnn_size q = FN(wino_panel)(Q, tiles, tile), mr = FN(wino_panel)(Q, tiles, tile + 1) - q;
                    here.out = out + ((n * rows + p) * Q + q) * VL;
                    here.x = frame + n * args->image_step + p * x_step + q * args->lanes;
                    FN(pixels_products)[args->lanes > 1][nv - 1][height - 1][mr - 1](&here);
                }
            }
        here.bias = NULL;
        t += PIXELS_TAPS;
    } while (t < end);
}

/* The rows of dx of row phase a, of one plane: from[column phase][row][column], the phases `step`
 * apart */
static void FN(pixels_deal)(REAL *restrict dx, const REAL *restrict from, fnn_size step, const FN(pixels_args) *args,
                            fnn_size a)
{
    const fnn_window *of = args->of;
    const fnn_size W = of->W, sw = of->sw, Q = args->g->Q;
    for (fnn_size p = args->p0; p < args->p1; p++, from += Q) {
        const fnn_size i = p * of->sh + conv_phase_begin(a, of->ph, of->sh);
        if (i >= of->H)
            break;
        REAL *row = dx + i * W;
        if (sw == 2) {                          /* in pairs, of which the compiler makes vectors */
            const REAL *even = from + of->pw % 2 * step, *odd = from + (1 - of->pw % 2) * step;
            for (fnn_size q = 0; q < W / 2; q++) {
                row[2 * q] = even[q];
                row[2 * q + 1] = odd[q];
            }
            if (W % 2) row[W - 1] = even[W / 2];
        } else
            /* every sw-th column of the image, from j0 on */
            for (fnn_size j0 = 0; j0 < sw; j0++) {
                const REAL *phase = from + (j0 + of->pw) % sw * step;
                for (fnn_size j = j0, q = 0; j < W; j += sw, q++)
                    row[j] = phase[q];
            }
    }
}

/* Panels [begin, end) of filters of a frame: their sums, phase by phase, dealt out to planes. */
static void FN(pixels_filters_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(pixels_args) *args = ctx;
    const fnn_window *g = args->g;
    const fnn_size Kg = g->K / g->G, PQ = g->P * g->Q, pixels = (args->p1 - args->p0) * g->Q;
    const fnn_size out_half = args->images * pixels * VL;
    REAL *out = fnn_scratch_alloc(args->sw * 2 * out_half * sizeof(REAL));
    /* dx: [column phase][filter][pixel] */
    REAL *apart = args->of ? fnn_scratch_alloc(args->sw * VL * pixels * sizeof(REAL)) : NULL;
    /* panels of filters */
    for (fnn_size kb = begin; kb < end; kb++) {
        const fnn_size k = args->h * Kg + kb * WINO_NR, filters = fnn_min(WINO_NR, Kg - kb * WINO_NR);
        const fnn_size nv = filters > VL ? 2 : 1;
        REAL bias[PIXELS_ROOM] = { 0 };
        for (fnn_size l = 0; args->bias && l < filters; l++)
            bias[l] = args->bias[k + l];
        /* phases down, of which y has one; those across are computed side by side */
        for (fnn_size a = 0; a < args->sh; a++) {
            for (fnn_size b = 0; b < args->sw; b++)
                FN(pixels_panel)(args, out + b * 2 * out_half, kb, nv, bias, a * args->sw + b);
            /* of each image a vector of filters at a time goes to its place */
            for (fnn_size n = 0; n < args->images; n++)
                for (fnn_size l = 0; l < filters; l += VL) {
                    const REAL *from = out + l / VL * out_half + n * pixels * VL;
                    const fnn_size plane = (args->n + n) * g->K + k + l, lanes = fnn_min(VL, filters - l);
                    if (!apart) {
                        FN(deinterleave)(args->y + plane * PQ + args->p0 * g->Q, PQ, from, lanes, pixels, args->least);
                        continue;
                    }
                    for (fnn_size b = 0; b < args->sw; b++)
                        FN(deinterleave)(apart + b * VL * pixels, pixels, from + b * 2 * out_half, lanes, pixels,
                                         args->least);
                    for (fnn_size lane = 0; lane < lanes; lane++)
                        FN(pixels_deal)(args->y + (plane + lane) * args->of->H * args->of->W, apart + lane * pixels,
                                        VL * pixels, args, a);
                }
        }
    }
    fnn_scratch_free(out);
}

/* Where the taps are in a frame, phase by phase. dx: the further down a tap is in the window of
 * `of`, the further up is the row of dy that it sees; the last tap sees row 0. */
static void FN(pixels_taps)(const FN(pixels_args) *args, fnn_size *offset, fnn_size *phase_begin)
{
    const fnn_window *g = args->g, *of = args->of ? args->of : g;
    fnn_size t = 0;
    *phase_begin++ = 0;
    /* phase by phase, down and across; in each, channel by channel, the taps that belong to it */
    for (fnn_size a = 0; a < args->sh; a++)
        for (fnn_size b = 0; b < args->sw; b++, *phase_begin++ = t)
            for (fnn_size c = 0; c < g->C / g->G; c++)
                for (fnn_size r = 0; r < of->R; r++)
                    for (fnn_size s = 0; s < of->S; s++) {
                        fnn_size row = r * g->dh, column = s * g->dw % g->sw * args->cut.width + s * g->dw / g->sw;
                        if (args->of) {
                            if (!pixels_reaches(of, r, s, a, b))
                                continue;
                            row = of->dh * (of->R - 1) / of->sh - r * of->dh / of->sh;
                            column = of->dw * (of->S - 1) / of->sw - s * of->dw / of->sw;
                        }
                        offset[t++] = c / args->lanes * args->chunk_step + c % args->lanes
                            + (row * args->cut.pitch + column) * args->lanes;
                    }
}

/* Frames [begin, end): a frame is some rows of output of a group of an image, or of a group of
 * several whole images */
static void FN(pixels_frames)(void *ctx, fnn_size begin, fnn_size end)
{
    FN(pixels_args) args = *(const FN(pixels_args) *)ctx;
    const fnn_window *g = args.g;
    const fnn_size Cg = g->C / g->G, chunks = fnn_ceil_div(Cg, args.lanes);
    REAL *frame = args.in_place ? NULL : fnn_scratch_alloc(args.cut.images * args.image_step * sizeof(REAL));
    for (fnn_size item = begin; item < end; item++) {
        args.p0 = item % args.cut.bands * args.cut.rows;
        args.p1 = fnn_min(g->P, args.p0 + args.cut.rows);
        args.h = item / args.cut.bands % g->G;
        args.n = item / args.cut.bands / g->G * args.cut.images;
        args.images = fnn_min(args.cut.images, g->N - args.n);
        args.rows = (args.p1 - args.p0 - 1) * g->sh + args.cut.halo;
        args.frame = frame;
        if (args.in_place)
            args.frame = (REAL *)args.x + (args.n * g->C + args.h * Cg) * args.chunk_step
                       + (args.p0 * g->sh - g->ph) * g->W - g->pw;
        else
            fnn_parallel_for(args.images * chunks, fnn_grain(PIXELS_COPY, args.chunk_step),
                             FN(pixels_frame_block), &args);
        fnn_parallel_for(fnn_ceil_div(g->K / g->G, WINO_NR), 1, FN(pixels_filters_block), &args);
    }
    if (frame) fnn_scratch_free(frame);
}

/* ---- the filters ----------------------------------------------------------------------------- */

/* Items are halves of panels, of all groups: VL filters each, packed to [tap][VL]. */
typedef struct { REAL *packed; const REAL *w; const fnn_window *g; } FN(pixels_pack_args);

static void FN(pixels_pack_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(pixels_pack_args) *args = ctx;
    const fnn_size taps = conv_taps(args->g), Kg = args->g->K / args->g->G, halves = 2 * fnn_ceil_div(Kg, WINO_NR);
    for (fnn_size item = begin; item < end; item++) {
        const fnn_size h = item / halves, k = item % halves * VL, lanes = fnn_clamp(Kg - k, 0, VL);
        FN(interleave)(args->packed + item * taps * VL, args->w + (h * Kg + (lanes > 0 ? k : 0)) * taps, taps, lanes,
                       taps);
    }
}

/* The order of the phases' taps: tap (r, s) of filter k goes to place to[rs] + k step[rs]. A step
 * is as many taps as the phase has. */
static void FN(pixels_order)(fnn_size *to, fnn_size *step, const fnn_window *g)
{
    fnn_size first = 0;
    for (fnn_size a = 0; a < g->sh; a++)
        for (fnn_size b = 0; b < g->sw; b++) {
            fnn_size count = 0;
            for (fnn_size r = 0; r < g->R; r++)
                for (fnn_size s = 0; s < g->S; s++)
                    if (pixels_reaches(g, r, s, a, b))
                        to[r * g->S + s] = first + count++;
            for (fnn_size r = 0; r < g->R; r++)
                for (fnn_size s = 0; s < g->S; s++)
                    if (pixels_reaches(g, r, s, a, b))
                        step[r * g->S + s] = count;
            first += g->K / g->G * count;
        }
}

/* The same for dx, whose filters are the channels, and whose taps go phase by phase. */
static void FN(pixels_pack_phases_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(pixels_pack_args) *args = ctx;
    const fnn_window *g = args->g;
    const fnn_size RS = g->R * g->S, Kg = g->K / g->G, Cg = g->C / g->G, halves = 2 * fnn_ceil_div(Cg, WINO_NR);
    REAL *taps = fnn_scratch_alloc(RS * VL * sizeof(REAL));
    fnn_size *to = fnn_scratch_alloc(2 * RS * sizeof *to), *step = to + RS;
    FN(pixels_order)(to, step, g);
    for (fnn_size item = begin; item < end; item++) {
        const fnn_size h = item / halves, c = item % halves * VL, lanes = fnn_clamp(Cg - c, 0, VL);
        REAL *packed = args->packed + item * Kg * RS * VL;
        for (fnn_size k = 0; k < Kg; k++) {
            FN(interleave)(taps, args->w + ((h * Kg + k) * Cg + (lanes > 0 ? c : 0)) * RS, RS, lanes, RS);
            for (fnn_size rs = 0; rs < RS; rs++)
                v_store(packed + (to[rs] + k * step[rs]) * VL, v_load(taps + rs * VL));
        }
    }
    fnn_scratch_free(taps);                         /* and what was allocated after it */
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* How frames are cut, and how they lie. */
static void FN(pixels_layout)(FN(pixels_args) *args)
{
    const fnn_window *g = args->g;
    args->cut = pixels_cut_rows(g);
    args->lanes = g->C / g->G < PIXELS_LANES ? 1 : VL;
    /* where no output sees padding */
    args->in_place = args->lanes == 1 && g->sw == 1 && g->ph <= 0 && g->pw <= 0
        && conv_columns_seen(g) - g->pw <= g->W && conv_rows_seen(g) - g->ph <= g->H;
    const fnn_size rows = (args->cut.rows - 1) * g->sh + args->cut.halo;
    if (args->in_place) {
        args->cut.pitch = g->W;
        args->chunk_step = g->H * g->W;
        args->image_step = g->C * args->chunk_step;
    } else {
        args->chunk_step = args->lanes > 1 ? rows * args->cut.pitch * VL : fnn_odd_lines(rows * args->cut.pitch);
        args->image_step = fnn_ceil_div(g->C / g->G, args->lanes) * args->chunk_step;
    }
}

/* args: arrays and geometry; the rest is filled in here. */
static void FN(pixels_run)(FN(pixels_args) *args, const REAL *w)
{
    const fnn_window *g = args->g, *of = args->of ? args->of : g;
    const fnn_size halves = 2 * g->G * fnn_ceil_div(g->K / g->G, WINO_NR), taps = g->C / g->G * of->R * of->S;
    FN(pixels_pack_args) pack = { fnn_scratch_alloc(halves * taps * VL * sizeof(REAL)), w, of };
    fnn_size phase_begin[PIXELS_PHASES + 1], *offset = fnn_scratch_alloc(taps * sizeof *offset);
    FN(pixels_layout)(args);
    FN(pixels_taps)(args, offset, phase_begin);
    args->offset = offset;
    args->phase_begin = phase_begin;
    args->packed = pack.packed;
    fnn_parallel_for(halves, fnn_grain(PIXELS_PACK, taps),
                     args->of ? FN(pixels_pack_phases_block) : FN(pixels_pack_block), &pack);
    const fnn_size items = fnn_ceil_div(g->N, args->cut.images) * g->G * args->cut.bands;
    const fnn_work work = (fnn_work)args->cut.images * args->cut.rows * g->Q * taps * (g->K / g->G);
    if (items < CONV_BLOCKS && work > CONV_SHARED_WORK)
        FN(pixels_frames)(args, 0, items);
    else
        fnn_parallel_for(items, fnn_grain(PIXELS_WORK, work), FN(pixels_frames), args);
    fnn_scratch_free(pack.packed);                  /* and what was allocated after it */
}

static void FN(conv_pixels_forward)(REAL *y, const REAL *x, const REAL *w, const REAL *bias, int relu,
                                    const fnn_window *g)
{
    FN(pixels_args) args = { .y = y, .x = x, .bias = bias, .least = relu ? 0 : -(REAL)INFINITY, .g = g, .sh = 1,
                             .sw = 1 };
    FN(pixels_run)(&args, w);
}

/* bias [C] or NULL is added to dx. */
static void FN(conv_pixels_dx)(REAL *dx, const REAL *dy, const REAL *w, const REAL *bias, const fnn_window *g)
{
    const fnn_window phase = conv_phase(g);
    FN(pixels_args) args = { .y = dx, .x = dy, .bias = bias, .least = -(REAL)INFINITY, .g = &phase, .of = g,
                             .sh = g->sh, .sw = g->sw };
    FN(pixels_run)(&args, w);
}
