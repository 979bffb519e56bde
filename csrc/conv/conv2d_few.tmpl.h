/* conv2d_few.tmpl.h -- convolution of few pixels by many filters, which are read once and in place.
 * Included by conv2d.tmpl.h.
 *
 * Math       y[k, o] = b[k] + sum over taps t = (c,r,s) of w[k, t] * cols[t, o],  o = (n,p,q), at
 *            most FEW_OUTPUTS of them
 * Layout     cols [tap][output], outputs filled up to whole vectors. Where these are fewer than a
 *            tile has room for, taps go in pairs, [tap / 2][output][2]: a broadcast of two taps of
 *            a filter then serves twice as many multiply-adds, and a sum is in two halves. The taps
 *            of a channel may be odd in number, so that channels go in pairs then, too.
 *            sums [panel][filter][output][half]; a panel is FEW_FILTERS filters
 * Method     With one image in a network's last stages the filters are nearly all that is read: 9
 *            MB for 16 outputs, 32 operations for each of their numbers. What counts is to read
 *            them once, in rows, as memory is fast: nothing is copied or transformed. The columns
 *            are made once, and pass by from the L2 cache for every panel. Where half of it is too
 *            small for them, some taps at a time, with the sums kept in between.
 *            A column is made of pieces: some neighbouring outputs of a row see neighbouring pixels
 *            through a tap, and these are copied at once.
 * Cost       2 N K P Q taps flop; reads K taps + columns
 * Threads    share the channels, whose columns they make, then the panels. No sum is cut, so the
 *            bits depend on sizes only.
 */
#undef FEW_NV
#undef FEW_PAIRS
/* Vectors of outputs in a tile, for 6 filters; bound: 24, 18 or 12 sums, for VSUMS of core/simd.h
 * registers. */
#define FEW_NV (VSUMS == 28 ? 4 : VSUMS == 16 ? 3 : 2)
/* Whether taps can go in pairs; chosen: outputs fill shorter vectors. */
#define FEW_PAIRS (VBYTES == 64 && !REAL_IS_F64)

#ifndef FNN_CONV_FEW_ONCE
#define FNN_CONV_FEW_ONCE
enum {
    FEW_FILTERS = 6,    /* filters in a panel; bound: with FEW_NV vectors of outputs as many sums as
                           registers hold */
    FEW_PIECE = 4,      /* numbers copied at a time, or twice as many; chosen: rows of 4 and 8
                           outputs are a register each */
    FEW_TAPS = 256      /* taps at a time, at least; chosen: half of the least L2 cache holds so
                           many for FEW_OUTPUTS in double precision */
};
#endif

typedef struct {
    REAL *y;
    const REAL *x, *w, *bias;
    int relu;
    const fnn_window *g;
    REAL *cols, *sums;
    const int32_t *piece_from, *piece_to;   /* [piece] where it is in the frames, where it goes:
                                               few_pieces */
    fnn_size piece_length, pieces;  /* numbers in a piece, and how many pieces */
    fnn_size pitch, plane, image;   /* of a frame, an image of one channel with its padding: from
                                       row to row, from channel to channel, from image to image */
    int in_place;                   /* no padding: the images themselves serve as frames */
    fnn_size taps, outputs;
    fnn_size width;                 /* numbers in a row of cols for one tap: outputs, filled up */
    fnn_size side;                  /* taps side by side, 1 or 2 */
    fnn_size tap_begin, tap_end;    /* the taps that are summed now */
} FN(few_args);

/* ---- the columns ----------------------------------------------------------------------------- */

/* The columns of `side` channels are pieces of their frames: where these are, and where they go in
 * rows of `width` numbers, one row for each tap. The last piece of a row of outputs overlaps the
 * one before. Returns how many there are. */
static fnn_size FN(few_pieces)(const FN(few_args) *args, int32_t *from, int32_t *to)
{
    const fnn_window *g = args->g;
    const fnn_size RS = g->R * g->S, Q = g->Q;
    fnn_size count = 0;
    for (fnn_size t = 0; t < args->side * RS; t++)
        for (fnn_size n = 0; n < g->N; n++)
            for (fnn_size p = 0; p < g->P; p++) {
                /* the pixel of the frame that output (p, 0) sees */
                const fnn_size i = p * g->sh + t % RS / g->S * g->dh, j = t % g->S * g->dw;
                for (fnn_size q0 = 0; q0 < Q; q0 += args->piece_length, count++) {
                    const fnn_size q = fnn_min(q0, Q - args->piece_length);
                    from[count] = (int32_t)(t / RS * args->plane + n * args->image + i * args->pitch + j + q * g->sw);
                    to[count] = (int32_t)(t * args->width + (n * g->P + p) * Q + q);
                }
            }
    return count;
}

/* Items are `side` channels each: their columns. */
static void FN(few_columns)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(few_args) *args = ctx;
    const fnn_window *g = args->g;
    const fnn_size RS = g->R * g->S, side = args->side, width = args->width;
    REAL *frames = args->in_place ? NULL : fnn_scratch_alloc((side * args->plane + VL) * sizeof(REAL));
    REAL *apart = side > 1 ? fnn_scratch_alloc(side * RS * width * sizeof(REAL)) : NULL;
    for (fnn_size item = begin; item < end; item++) {
        const REAL *x = args->x + item * side * g->H * g->W;
        const REAL *from = args->in_place ? x - g->ph * g->W - g->pw : frames;
        for (fnn_size c = 0; frames && c < side; c++)
            for (fnn_size n = 0; n < g->N; n++)
                FN(frame_of_plane)(frames + c * args->plane + n * args->image, conv_rows_seen(g), 1, args->pitch,
                                   x + (n * g->C + c) * g->H * g->W, g->H, g->W, -g->ph, -g->pw);
        REAL *cols = args->cols + item * side * RS * width, *to = apart ? apart : cols;
        if (args->piece_length == 2 * FEW_PIECE)
            for (fnn_size piece = 0; piece < args->pieces; piece++)
                memcpy(to + args->piece_to[piece], from + args->piece_from[piece], 2 * FEW_PIECE * sizeof(REAL));
        else if (args->piece_length == FEW_PIECE)
            for (fnn_size piece = 0; piece < args->pieces; piece++)
                memcpy(to + args->piece_to[piece], from + args->piece_from[piece], FEW_PIECE * sizeof(REAL));
        else
            for (fnn_size piece = 0; piece < args->pieces; piece++)
                to[args->piece_to[piece]] = from[args->piece_from[piece]];
        /* taps 2t and 2t + 1 side by side */
        for (fnn_size t = 0; t < RS && apart; t++) {
            const REAL *restrict even = apart + 2 * t * width, *restrict odd = even + width;
            REAL *restrict pairs = cols + 2 * t * width;
            for (fnn_size o = 0; o < width; o++) {
                pairs[2 * o] = even[o];
                pairs[2 * o + 1] = odd[o];
            }
        }
    }
    if (frames) fnn_scratch_free(frames);           /* and `apart`: scratch is a stack */
    else if (apart) fnn_scratch_free(apart);
}

/* ---- the product ----------------------------------------------------------------------------- */

/* `side` weights, w[0] or w[0] and w[1], over and over */
FNN_INLINE vec FN(few_broadcast)(const fnn_size side, const REAL *w)
{
#if FEW_PAIRS
    if (side == 2) {                /* as a number of eight bytes, of which only the bits count */
        typedef int64_t eight __attribute__((vector_size(VBYTES)));
        int64_t two;
        memcpy(&two, w, sizeof two);
        return (vec)(two - (eight){ 0 });
    }
#endif
    (void)side;
    return v_set(*w);
}

/* sums (+)= FEW_FILTERS filters w[k] times nv vectors of columns, for `taps` taps; step: from one
 * row of columns to the next, and of sums. A register tile as wino_product: here the filters are
 * broadcast, and the columns loaded in vectors. */
FNN_INLINE void FN(few_product)(const fnn_size side, const fnn_size nv, REAL *sums, const REAL *const *w,
                                const REAL *cols, fnn_size step, fnn_size taps, int add)
{
    vec acc[FEW_FILTERS][FEW_NV];                   /* [filter][vector of outputs] */
    const REAL *w0 = w[0], *w1 = w[1], *w2 = w[2], *w3 = w[3], *w4 = w[4], *w5 = w[5];
#pragma GCC unroll 6
    for (fnn_size k = 0; k < FEW_FILTERS; k++)
#pragma GCC unroll 4
        for (fnn_size v = 0; v < nv; v++)
            acc[k][v] = add ? v_load(sums + k * step + v * VL) : v_set(0);
    /* the sum over taps, one or two at a time */
    for (fnn_size t = 0;; cols += step) {
        const REAL *w_t[FEW_FILTERS] = { w0 + t, w1 + t, w2 + t, w3 + t, w4 + t, w5 + t };
        vec column[FEW_NV];
#pragma GCC unroll 4
        for (fnn_size v = 0; v < nv; v++)
            column[v] = v_load(cols + v * VL);
        /* filters by vectors of outputs */
#pragma GCC unroll 6
        for (fnn_size k = 0; k < FEW_FILTERS; k++) {
            const vec weight = FN(few_broadcast)(side, w_t[k]);
#pragma GCC unroll 4
            for (fnn_size v = 0; v < nv; v++)
                acc[k][v] += weight * column[v];
        }
        t += side;
        if (t >= taps)                  /* behind the last row there is no array to point into */
            break;
    }
#pragma GCC unroll 6
    for (fnn_size k = 0; k < FEW_FILTERS; k++)
#pragma GCC unroll 4
        for (fnn_size v = 0; v < nv; v++)
            v_store(sums + k * step + v * VL, acc[k][v]);
}

typedef void FN(few_product_fn)(REAL *sums, const REAL *const *w, const REAL *cols, fnn_size step, fnn_size taps,
                                int add);
/* One function for each number of products side by side and of vectors; names are pasted:
 * few_product_14 has side 1 and 4 vectors. */
#define FEW_PRODUCT(side, nv) \
    static void FN(few_product_##side##nv)(REAL *sums, const REAL *const *w, const REAL *cols, fnn_size step, \
                                           fnn_size taps, int add) \
    { FN(few_product)(side, nv, sums, w, cols, step, taps, add); }
FEW_PRODUCT(1, 1) FEW_PRODUCT(1, 2)
#if FEW_NV > 2
FEW_PRODUCT(1, 3)
#endif
#if FEW_NV > 3
FEW_PRODUCT(1, 4)
#endif
#if FEW_PAIRS
FEW_PRODUCT(2, 1) FEW_PRODUCT(2, 2) FEW_PRODUCT(2, 3) FEW_PRODUCT(2, 4)
#endif
#undef FEW_PRODUCT

/* [side - 1][nv - 1] */
static FN(few_product_fn) *const FN(few_products)[1 + FEW_PAIRS][FEW_NV] = {
#if FEW_NV == 4
    { FN(few_product_11), FN(few_product_12), FN(few_product_13), FN(few_product_14) },
#elif FEW_NV == 3
    { FN(few_product_11), FN(few_product_12), FN(few_product_13) },
#else
    { FN(few_product_11), FN(few_product_12) },
#endif
#if FEW_PAIRS
    { FN(few_product_21), FN(few_product_22), FN(few_product_23), FN(few_product_24) },
#endif
};

/* y of filter k from its sums */
static void FN(few_put)(const FN(few_args) *args, fnn_size k, const REAL *sums)
{
    const fnn_window *g = args->g;
    const fnn_size PQ = g->P * g->Q;
    const REAL bias = args->bias ? args->bias[k] : 0;
    for (fnn_size n = 0; n < g->N; n++, sums += PQ * args->side) {
        REAL *y = args->y + (n * g->K + k) * PQ;
        for (fnn_size pq = 0; pq < PQ; pq++) {
            const REAL sum = (args->side == 1 ? sums[pq] : sums[2 * pq] + sums[2 * pq + 1]) + bias;
            y[pq] = args->relu && sum < 0 ? 0 : sum;
        }
    }
}

/* Panels [begin, end) of filters; those that the last one lacks are its last filter again */
static void FN(few_filters)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(few_args) *args = ctx;
    const fnn_size K = args->g->K, step = args->width * args->side, taps = args->tap_end - args->tap_begin;
    for (fnn_size panel = begin; panel < end; panel++) {
        const fnn_size k0 = panel * FEW_FILTERS;
        const REAL *w[FEW_FILTERS];
        REAL *sums = args->sums + k0 * step;
        for (fnn_size k = 0; k < FEW_FILTERS; k++)
            w[k] = args->w + fnn_min(k0 + k, K - 1) * args->taps + args->tap_begin;
        const REAL *cols = args->cols + args->tap_begin / args->side * step;
        /* the outputs, a tile at a time */
        for (fnn_size at = 0, nv; at < step; at += nv * VL) {
            nv = fnn_min(FEW_NV, (step - at) / VL);
            FN(few_products)[args->side - 1][nv - 1](sums + at, w, cols + at, step, taps, args->tap_begin > 0);
        }
        for (fnn_size k = k0; args->tap_end == args->taps && k < fnn_min(k0 + FEW_FILTERS, K); k++)
            FN(few_put)(args, k, sums + (k - k0) * step);
    }
}

/* How the columns lie, and what they are made of; the work is cut by it. */
static FN(few_args) FN(few_layout)(const fnn_window *g)
{
    FN(few_args) args = { .g = g, .taps = conv_taps(g), .outputs = g->N * g->P * g->Q };
    args.side = FEW_PAIRS && 2 * args.outputs <= FEW_NV * VL && g->C % 2 == 0 ? 2 : 1;
    args.width = fnn_round_up(args.outputs * args.side, VL) / args.side;
    args.piece_length = g->sw > 1 || g->Q < FEW_PIECE ? 1 : g->Q < 2 * FEW_PIECE ? FEW_PIECE : 2 * FEW_PIECE;
    /* the images serve as frames where no window sees padding; places in them are 32-bit numbers */
    const fnn_size rows = conv_rows_seen(g), columns = conv_columns_seen(g);
    args.in_place = g->ph <= 0 && g->pw <= 0 && rows - g->ph <= g->H && columns - g->pw <= g->W
                 && g->N * g->C <= INT32_MAX / (g->H * g->W);
    args.pitch = args.in_place ? g->W : columns;
    args.plane = args.in_place ? g->H * g->W : g->N * rows * columns;
    args.image = args.in_place ? g->C * args.plane : rows * columns;
    return args;
}

/* The columns, then the product, some taps at a time. */
static void FN(conv_few_forward)(REAL *y, const REAL *x, const REAL *w, const REAL *b, int relu, const fnn_window *g)
{
    FN(few_args) args = FN(few_layout)(g);
    args.y = y, args.x = x, args.w = w, args.bias = b, args.relu = relu;
    const fnn_size panels = fnn_ceil_div(g->K, FEW_FILTERS), row_bytes = args.width * (fnn_size)sizeof(REAL);
    const fnn_size most = fnn_even_piece(args.taps, fnn_max(FEW_TAPS, fnn_l2_bytes() / 2 / row_bytes));
    const fnn_size some = fnn_round_up(most, 2);    /* taps at a time, whole pairs */
    const fnn_size pieces_most = args.side * g->R * g->S * args.outputs;
    int32_t *pieces = fnn_scratch_alloc(2 * pieces_most * sizeof *pieces);
    args.piece_from = pieces;
    args.piece_to = pieces + pieces_most;
    args.pieces = FN(few_pieces)(&args, pieces, pieces + pieces_most);
    args.cols = fnn_scratch_alloc(args.taps * row_bytes);
    args.sums = fnn_scratch_alloc(panels * FEW_FILTERS * args.side * row_bytes);
    fnn_parallel_for(g->C / args.side, fnn_grain(FEW_COPY, args.side * g->R * g->S * args.width), FN(few_columns),
                     &args);
    for (; args.tap_begin < args.taps; args.tap_begin += some) {
        args.tap_end = fnn_min(args.tap_begin + some, args.taps);
        fnn_parallel_for(panels, fnn_grain(FEW_WORK, FEW_FILTERS * some * args.width), FN(few_filters), &args);
    }
    fnn_scratch_free(pieces);
}
