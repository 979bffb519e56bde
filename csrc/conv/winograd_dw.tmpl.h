/* winograd_dw.tmpl.h -- the gradient of 3x3 filters in a third of the multiplications:
 * winograd.tmpl.h backwards. Included by conv2d.tmpl.h.
 *
 * Math       forward was, for each tile,  y = A^T [ sum over channels of U * V ] A,  U = G w G^T,
 *            V = B^T d B.  So
 *
 *                dM = A dy A^T,    dU = sum over tiles of dM * V,    dw = G^T dU G
 *
 * Symbols    winograd.tmpl.h, winograd_cut.h
 * Layout     V [46][block of channels][tile][channel],  dM [46][panel of filters][tile][NR],
 *            dU [46][channel][NR]
 * Method     For each band (some rows of tiles): V of all channels and dM of all filters. Then,
 *            block of channels by panels of filters, the 46 matrix products, whose dU stays in the
 *            cache until G^T dU G has been added to dw.
 * Errors     Channels and filters with elements that outweigh all others are noticed and summed
 *            directly; so is all of dw where large pixels and large upstream gradients drown a tap
 *            that does not multiply them with each other: winograd_error_dw.tmpl.h. At the end each
 *            tap that is far smaller than what was added up for it is summed directly.
 * Infinity   If a sum is not finite, all of dw is computed by another method.
 * Threads    Where there are many blocks and panels, threads share them. Else they share the bands,
 *            in parts with a partial sum each. Parts are cut by size and added in order.
 */
/* ---- dM: the upstream gradient --------------------------------------------------------------- */

/* dM of one tile, VL filters side by side, as wino_v_tile; `rows` x `columns` of its 4 x 4 pixels
 * exist. */
FNN_INLINE void FN(wino_dm_tile)(const FN(wino_place) *place, fnn_size step, const REAL *px, fnn_size length,
                                 fnn_size rows, fnn_size columns, const int whole)
{
    vec half[WINO_OUT][WINO_IN], value[3][WINO_IN];
    /* A along each row, then down each column: b is the point across */
#pragma GCC unroll 4
    for (fnn_size p = 0; p < WINO_OUT; p++) {
        vec y[WINO_OUT];
#pragma GCC unroll 4
        for (fnn_size q = 0; q < WINO_OUT; q++)
            y[q] = p < rows && q < columns ? v_load(px + (p * length + q) * VL) : v_set(0);
        FN(wino_times_a)(half[p], y, columns > 2);
    }
#pragma GCC unroll 6
    for (fnn_size b = 0; b < WINO_IN; b++) {
        const vec y[WINO_OUT] = { half[0][b], half[1][b], half[2][b], half[3][b] };
        vec *column = value[b < 4 ? 0 : b - 3];
        FN(wino_times_a)(column, y, rows > 2);
        if (b < 4)
            FN(wino_put_real)(WINO_OUTPUTS, place, step, b, column, whole);
    }
    FN(wino_put_complex)(WINO_OUTPUTS, place, step, value[1], value[2], whole);
}

static fnn_size FN(wino_dm_step)(const FN(wino_args) *args)
{
    return fnn_ceil_div(args->g->K, WINO_NR) * args->tiles[0] * WINO_NR + WINO_PAD;
}

/* dM of groups [begin, end) of VL filters of a band: image by image, tile by tile */
static void FN(wino_dm_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(wino_args) *args = ctx;
    const fnn_window *g = args->g;
    const fnn_size P = g->P, Q = g->Q, down = args->cut.down, step = FN(wino_dm_step)(args);
    REAL *pixels = fnn_scratch_alloc(fnn_min(P, (args->row_end - args->row) * WINO_OUT) * Q * VL * sizeof(REAL));
    /* vectors of filters */
    for (fnn_size group = begin; group < end; group++) {
        const fnn_size k = group * VL, lanes = fnn_clamp(g->K - k, 0, VL);
        FN(wino_walk) walk = { 0 };
        for (int set = 0; set < args->cut.sets; set++) {
            walk.next[set] = args->dm + k / WINO_NR * args->tiles[set] * WINO_NR + k % WINO_NR;
            walk.step[set] = WINO_NR;
        }
        /* image by image: its upstream gradients, VL filters side by side */
        for (fnn_size row = args->row, next; row < args->row_end; row = next) {
            const fnn_size n = row / down, ti_begin = row % down;
            const fnn_size ti_end = fnn_min(down, ti_begin + args->row_end - row);
            const fnn_size first = ti_begin * WINO_OUT, last = fnn_min(P, ti_end * WINO_OUT);
            FN(interleave)(pixels, args->dy + ((n * g->K + (lanes > 0 ? k : 0)) * P + first) * Q, P * Q, lanes,
                           (last - first) * Q);
            FN(wino_tally)(args->tallies + (fnn_ceil_div(g->C, VL) + group) * WINO_TALLIES * VL, pixels, first, first,
                           last, g, 1);
            /* tile by tile */
            for (fnn_size ti = ti_begin; ti < ti_end; ti++)
                for (fnn_size tj = 0; tj < args->cut.across; tj++) {
                    const FN(wino_place) place = FN(wino_next)(&walk, &args->cut, ti, tj);
                    const REAL *px = pixels + ((ti * WINO_OUT - first) * Q + tj * WINO_OUT) * VL;
                    const fnn_size rows = P - ti * WINO_OUT, columns = Q - tj * WINO_OUT;
                    if (rows >= WINO_OUT && columns >= WINO_OUT)
                        FN(wino_dm_tile)(&place, step, px, Q, WINO_OUT, WINO_OUT, 1);
                    else
                        FN(wino_dm_tile)(&place, step, px, Q, rows, columns, 0);
                }
            next = row + ti_end - ti_begin;
        }
    }
    fnn_scratch_free(pixels);
}

/* ---- dU: the products ------------------------------------------------------------------------ */

/* du[channel][filter] = sum over tiles of v[tile][channel] * dm[tile][filter], for mr channels (a
 * constant) and NR filters. The register tile of wino_product with channels for tiles. */
FNN_INLINE void FN(wino_dw_product)(const fnn_size mr, REAL *du, const REAL *v, fnn_size pitch, const REAL *dm,
                                    fnn_size tiles)
{
    vec acc[WINO_MR][2];
#pragma GCC unroll 16
    for (fnn_size c = 0; c < mr; c++)
        acc[c][0] = acc[c][1] = v_set(0);
    for (; tiles > 0; tiles--, v += pitch, dm += WINO_NR) {
        const vec left = v_load(dm), right = v_load(dm + VL);
#pragma GCC unroll 16
        for (fnn_size c = 0; c < mr; c++) {
            const vec pixel = v_set(v[c]);
            acc[c][0] += pixel * left;
            acc[c][1] += pixel * right;
        }
    }
#pragma GCC unroll 16
    for (fnn_size c = 0; c < mr; c++) {
        v_store(du + c * WINO_NR, acc[c][0]);
        v_store(du + c * WINO_NR + VL, acc[c][1]);
    }
}

typedef void FN(wino_dw_product_fn)(REAL *du, const REAL *v, fnn_size pitch, const REAL *dm, fnn_size tiles);
/* One function for each number of channels; names are pasted: wino_dw_product_14 has 14. */
#define WINO_DW_PRODUCT(mr) \
    static void FN(wino_dw_product_##mr)(REAL *du, const REAL *v, fnn_size pitch, const REAL *dm, fnn_size tiles) \
    { FN(wino_dw_product)(mr, du, v, pitch, dm, tiles); }
WINO_LIST(WINO_DW_PRODUCT)
#define WINO_DW_NAME(mr) FN(wino_dw_product_##mr),
static FN(wino_dw_product_fn) *const FN(wino_dw_products)[WINO_MR] = { WINO_LIST(WINO_DW_NAME) };
#undef WINO_DW_PRODUCT
#undef WINO_DW_NAME

/* ---- dw -------------------------------------------------------------------------------------- */

/* dw (+)= G^T du G, of the panel of filters from k0 on, channels [c0, c0 + channels). Returns
 * whether all is finite. */
static int FN(wino_dw_panel)(const FN(wino_args) *args, const REAL *du, fnn_size k0, fnn_size c0, fnn_size channels)
{
    const fnn_window *g = args->g;
    const fnn_size step = FN(wino_u_step)(channels), C = g->C;
    vec test = v_set(0);
    REAL *taps = fnn_scratch_alloc(channels * 9 * VL * sizeof(REAL));
    REAL *reaches = fnn_scratch_alloc(2 * channels * VL * sizeof(REAL)), *leasts = reaches + channels * VL;
    for (fnn_size l = 0; l < WINO_NR && k0 + l < g->K; l += VL) {
        const fnn_size lanes = fnn_min(VL, g->K - k0 - l);
        REAL *dw = args->dw + ((k0 + l) * C + c0) * 9, *reach = args->reach + (k0 + l) * C + c0;
        if (args->more) {
            FN(interleave)(taps, dw, C * 9, lanes, channels * 9);
            FN(interleave)(reaches, reach, C, lanes, channels);
        }
        /* channel by channel: G^T down each column of products, then along; b: point across */
        for (fnn_size c = 0; c < channels; c++) {
            const FN(wino_place) place = FN(wino_place_whole)(du + c * WINO_NR + l);
            REAL *to = taps + c * 9 * VL;
            vec value[3][WINO_IN], half[3][WINO_IN], most = v_set(0), least = v_set((REAL)INFINITY);
            FN(wino_get_complex)(WINO_FILTERS, value[1], value[2], &place, step, 1);
#pragma GCC unroll 6
            for (fnn_size b = 0; b < WINO_IN; b++) {
                vec out[3], *column = value[b < 4 ? 0 : b - 3];
                if (b < 4)
                    FN(wino_get_real)(WINO_FILTERS, column, &place, step, b, 1);
#pragma GCC unroll 6
                for (fnn_size a = 0; a < WINO_IN; a++)
                    most = v_max(v_abs(column[a]), most);
                FN(wino_times_gt)(out, column);
#pragma GCC unroll 3
                for (fnn_size r = 0; r < 3; r++)
                    half[r][b] = out[r];
            }
#pragma GCC unroll 3
            for (fnn_size r = 0; r < 3; r++) {
                vec out[3];
                FN(wino_times_gt)(out, half[r]);
#pragma GCC unroll 3
                for (fnn_size s = 0; s < 3; s++) {
                    test += out[s] * v_set(0);
                    if (args->more)
                        out[s] += v_load(to + (r * 3 + s) * VL);
                    least = v_min(v_abs(out[s]), least);
                    v_store(to + (r * 3 + s) * VL, out[s]);
                }
            }
            v_store(leasts + c * VL, least);
            v_store(reaches + c * VL, args->more ? most + v_load(reaches + c * VL) : most);
        }
        FN(deinterleave)(dw, C * 9, taps, lanes, channels * 9, -(REAL)INFINITY);
        FN(deinterleave)(reach, C, reaches, lanes, channels, 0);
        FN(deinterleave)(args->least_dw + (k0 + l) * C + c0, C, leasts, lanes, channels, 0);
    }
    fnn_scratch_free(taps);
    return v_sum(test) == 0;
}

/* Items of wino_dw: blocks of channels x some panels of filters */
static fnn_size FN(wino_dw_items)(const FN(wino_args) *args)
{
    return fnn_ceil_div(fnn_ceil_div(args->g->K, WINO_NR), args->dw_cut.panels)
         * fnn_ceil_div(args->g->C, args->dw_cut.channels);
}

/* Items [begin, end) of a band whose V and dM are there */
static void FN(wino_dw_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(wino_args) *args = ctx;
    const fnn_size C = args->g->C, blocks = fnn_ceil_div(C, args->dw_cut.channels), dm_step = FN(wino_dm_step)(args);
    const fnn_size filter_panels = fnn_ceil_div(args->g->K, WINO_NR);
    const fnn_size du_size = WINO_PRODUCTS * FN(wino_u_step)(fnn_min(C, args->dw_cut.channels));
    REAL *du = fnn_scratch_alloc(args->dw_cut.panels * du_size * sizeof(REAL));
    for (fnn_size item = begin; item < end; item++) {
        const fnn_size kb_begin = item / blocks * args->dw_cut.panels;
        const fnn_size kb_end = fnn_min(kb_begin + args->dw_cut.panels, filter_panels);
        const fnn_size c0 = item % blocks * args->dw_cut.channels;
        const fnn_size channels = fnn_min(args->dw_cut.channels, C - c0);
        const fnn_size pitch = fnn_min(args->dw_cut.channels, args->pitch - c0);
        const fnn_size step = FN(wino_u_step)(channels), panels = fnn_ceil_div(channels, WINO_MR);
        /* the 46 products, each with the tiles that have it: panels of filters by MR channels */
        for (int product = 0; product < WINO_PRODUCTS; product++) {
            const fnn_size tiles = args->tiles[wino_set_of(&args->cut, product)];
            for (fnn_size kb = kb_begin; kb < kb_end; kb++) {
                const REAL *dm = args->dm + product * dm_step + kb * tiles * WINO_NR;
                const REAL *v = args->v + product * args->v_step + c0 * tiles;
                REAL *to = du + (kb - kb_begin) * du_size + product * step;
                for (fnn_size panel = 0; panel < panels; panel++) {
                    const fnn_size c = FN(wino_panel)(channels, panels, panel);
                    const fnn_size mr = FN(wino_panel)(channels, panels, panel + 1) - c;
                    FN(wino_dw_products)[mr - 1](to + c * WINO_NR, v + c, pitch, dm, tiles);
                }
            }
        }
        for (fnn_size kb = kb_begin; kb < kb_end; kb++)
            if (!FN(wino_dw_panel)(args, du + (kb - kb_begin) * du_size, kb * WINO_NR, c0, channels))
                args->bad[item] = 1;
    }
    fnn_scratch_free(du);
}

/* Elements of the tallies of a part */
static fnn_size FN(wino_tallies)(const fnn_window *g)
{
    return (fnn_ceil_div(g->C, VL) + 2 * fnn_ceil_div(g->K, WINO_NR)) * WINO_TALLIES * VL;
}

/* Parts [begin, end), each some bands and their sum */
static void FN(wino_dw_parts)(void *ctx, fnn_size begin, fnn_size end)
{
    FN(wino_args) args = *(const FN(wino_args) *)ctx;
    const fnn_window *g = args.g;
    const fnn_size groups = fnn_ceil_div(g->C, VL), panels = fnn_ceil_div(g->K, WINO_NR);
    const fnn_size items = FN(wino_dw_items)(&args), rows = g->N * args.cut.down;
    char *bad = args.bad;
    REAL *tallies = args.tallies, *reach = args.reach, *least = args.least_dw;
    args.v = fnn_scratch_alloc(FN(wino_v_bytes)(g, args.cut));
    args.dm = fnn_scratch_alloc(WINO_PRODUCTS * (args.cut.rows * args.cut.across * panels * WINO_NR + WINO_PAD)
                                * sizeof(REAL));
    for (fnn_size part = begin; part < end; part++) {
        args.dw = args.parts + part * g->K * g->C * 9;
        args.reach = reach + part * g->K * g->C;
        args.least_dw = least + part * g->K * g->C;
        args.bad = bad + part * items;
        args.tallies = tallies + part * FN(wino_tallies)(g);
        const fnn_size band_end = fnn_min(args.cut.bands, (part + 1) * args.dw_cut.bands);
        args.more = 0;
        for (fnn_size band = part * args.dw_cut.bands; band < band_end; band++, args.more = 1) {
            args.row = band * args.cut.rows;
            args.row_end = fnn_min(rows, args.row + args.cut.rows);
            FN(wino_count)(&args);
            fnn_parallel_for(groups, fnn_grain(WINO_BLOCK_TILES, args.tiles[0]), FN(wino_v_block), &args);
            fnn_parallel_for(2 * panels, fnn_grain(WINO_BLOCK_TILES, args.tiles[0]), FN(wino_dm_block), &args);
            fnn_parallel_for(items, fnn_grain(WINO_BLOCK_PRODUCTS, args.tiles[0]), FN(wino_dw_block), &args);
        }
    }
    fnn_scratch_free(args.v);
}

/* Lopsided channels and filters once more. Returns 0 where they are so many that all of dw had
 * better be computed by another method. */
static int FN(wino_dw_mend)(const FN(wino_args) *args, REAL *dw)
{
    const fnn_window *g = args->g;
    const fnn_size step = FN(wino_tallies)(g), parts = args->dw_cut.parts;
    char *channels = fnn_scratch_alloc(g->C), *filters = fnn_scratch_alloc(g->K);
    const fnn_size channel_count = FN(wino_find_lopsided_channels)(channels, args->tallies, step, parts, args->x, g->C,
                                                                   g, 0);
    const fnn_size filter_count = FN(wino_find_lopsided_channels)(
        filters, args->tallies + fnn_ceil_div(g->C, VL) * WINO_TALLIES * VL, step, parts, args->dy, g->K, g, 1);
    const int few = WINO_LOPSIDED_FEW * channel_count <= g->C && WINO_LOPSIDED_FEW * filter_count <= g->K;
    if (few && channel_count + filter_count > 0) {
        FN(wino_direct_dw_args) direct = { dw, args->dy, args->x, channels, filters, g };
        fnn_parallel_for(g->C, 1, FN(wino_direct_dw_block), &direct);
    }
    fnn_scratch_free(channels);
    return few;
}

/* dw, and whether it is as exact as a direct sum; else it has to be computed by another method.
 * parts: room for wino_cut_dw(g).parts partial sums, if there is more than one. */
static int FN(wino_dw)(REAL *dw, const REAL *dy, const REAL *x, REAL *parts, const fnn_window *g)
{
    if (FN(wino_dw_drowns)(dy, x, g))
        return 0;
    FN(wino_args) args = { .x = x, .dy = dy, .g = g, .dw_cut = wino_cut_dw(g), .pitch = fnn_round_up(g->C, VL) };
    args.cut = args.dw_cut.tiles;
    const fnn_size notes = args.dw_cut.parts * FN(wino_dw_items)(&args);
    const fnn_size tallies = args.dw_cut.parts * FN(wino_tallies)(g) * (fnn_size)sizeof(REAL);
    args.bad = fnn_scratch_alloc(notes);
    args.tallies = fnn_scratch_alloc(tallies);
    args.reach = fnn_scratch_alloc(2 * args.dw_cut.parts * g->K * g->C * (fnn_size)sizeof(REAL));
    args.least_dw = args.reach + args.dw_cut.parts * g->K * g->C;
    memset(args.bad, 0, notes);
    memset(args.tallies, 0, tallies);
    args.parts = args.dw_cut.parts > 1 ? parts : dw;
    if (args.dw_cut.parts == 1)
        FN(wino_dw_parts)(&args, 0, 1);
    else
        fnn_parallel_for(args.dw_cut.parts, 1, FN(wino_dw_parts), &args);
    int exact = memchr(args.bad, 1, notes) == NULL;
    if (exact) {
        FN(conv_add_parts)(dw, parts, args.dw_cut.parts, g);
        exact = FN(wino_dw_mend)(&args, dw) && FN(wino_sum_drowned)(dw, &args);
    }
    fnn_scratch_free(args.bad);
    return exact;
}
