/* conv2d_direct.tmpl.h -- convolution without columns: depthwise, and few filters at stride 1.
 * Included by conv2d.tmpl.h.
 *
 * Math       with x in a frame, a plane with its padding around it, of row length F, output (p,q)
 *            at stride 1 is element t = p*F + q of the sum
 *
 *                out[t] = b + sum_{c,r,s} w[c,r,s] * frame_c[t + r*dh*F + s*dw]
 *
 * Method     A matrix product would have too few products in a sum or too few rows to be worth its
 *            packing. In a frame whole rows run together as one long vector sum, without edges. The
 *            elements between Q and F are computed in vain and left out when y is copied from out.
 *            Larger strides (depthwise only) work on the same frame and skip rows and elements.
 *            Depthwise dx is the same sum over dy spread out into a frame, with the flipped filter,
 *            and dw[r,s] is the dot product of the spread dy with the frame at that offset.
 *            Windows of 3, 5 and 7 rows: conv2d_depthwise.tmpl.h.
 * Letters    dh, dw in the formulas and g->dh, g->dw in code are the dilation; dw alone is the
 *            gradient of w.
 * Threads    images times groups (y), channels (dx), filters and blocks of images (dw)
 */
#ifndef FNN_CONV_DIRECT_ONCE
#define FNN_CONV_DIRECT_ONCE
typedef struct { fnn_size rows, length; } conv_frame;       /* `length` elements from row to row */

static conv_frame conv_frame_of_x(const fnn_window *g)      /* everything that any window sees */
{
    return (conv_frame){ (g->P - 1) * g->sh + g->dh * (g->R - 1) + 1, (g->Q - 1) * g->sw + g->dw * (g->S - 1) + 1 };
}

static conv_frame conv_frame_of_dx(const fnn_window *g) /* everything that any pixel's gradient
                                                           sees */
{
    return (conv_frame){ g->H + g->dh * (g->R - 1), g->W + g->dw * (g->S - 1) };
}

/* offset[(c,r,s)]: how far a tap lies behind the window's first pixel */
static void conv_offsets(fnn_size *offset, const fnn_window *g, conv_frame f)
{
    for (fnn_size c = 0; c < g->C / g->G; c++)
        for (fnn_size r = 0; r < g->R; r++)
            for (fnn_size s = 0; s < g->S; s++)
                *offset++ = (c * f.rows + r * g->dh) * f.length + s * g->dw;
}
#endif

#undef DIRECT_NV
#define DIRECT_NV (VSUMS >= 16 ? 4 : 2)     /* vectors in a tile of 4 filters; bound: all that the
                                               registers hold */
#define SLACK (4 * VL)                      /* elements that vector loops may touch beyond a frame's
                                               end; bound: the 4 vectors of a tile */

/* ---- the vector loops ------------------------------------------------------------------------ */

/* A register tile: nv vectors of outputs of `rows` filters, both constants. out and w of the next
 * filter are ldo and taps further on. As wino_product: weights are broadcast, x is loaded in
 * vectors. */
FNN_INLINE void FN(tap_tile)(const fnn_size rows, const fnn_size nv, REAL *out, fnn_size ldo, const REAL *x,
                             const REAL *w, const fnn_size *offset, fnn_size taps, const REAL *b, int accumulate)
{
    vec acc[4][4];                                  /* [filter][vector] */
#pragma GCC unroll 4
    for (fnn_size filter = 0; filter < rows; filter++)
#pragma GCC unroll 4
        for (fnn_size v = 0; v < nv; v++)
            acc[filter][v] = accumulate ? v_load(out + filter * ldo + v * VL) : v_set(b ? b[filter] : 0);
    /* the sum over taps */
    for (fnn_size tap = 0; tap < taps; tap++) {
        const REAL *x_tap = x + offset[tap];
        vec seen[4];
#pragma GCC unroll 4
        for (fnn_size v = 0; v < nv; v++)
            seen[v] = v_load(x_tap + v * VL);
#pragma GCC unroll 4
        for (fnn_size filter = 0; filter < rows; filter++) {
            const vec weight = v_set(w[filter * taps + tap]);
#pragma GCC unroll 4
            for (fnn_size v = 0; v < nv; v++)
                acc[filter][v] += weight * seen[v];
        }
    }
#pragma GCC unroll 4
    for (fnn_size filter = 0; filter < rows; filter++)
#pragma GCC unroll 4
        for (fnn_size v = 0; v < nv; v++)
            v_store(out + filter * ldo + v * VL, acc[filter][v]);
}

/* out[filter][t] = (accumulate ? out[filter][t] : b[filter])
 *                + sum over taps of w[filter][tap] * x[t + offset[tap]]
 * for `rows` = 1, 2 or 4 filters and 0 <= t < n; up to a vector more is written */
static void FN(tap_sum)(fnn_size rows, REAL *out, fnn_size ldo, const REAL *x, const REAL *w,
                        const fnn_size *offset, fnn_size taps, const REAL *b, fnn_size n, int accumulate)
{
    const fnn_size nv = rows == 4 ? DIRECT_NV : 4;
    fnn_size t = 0;
    for (; t + (nv - 1) * VL < n; t += nv * VL)
        if (rows == 1) FN(tap_tile)(1, 4, out + t, ldo, x + t, w, offset, taps, b, accumulate);
        else if (rows == 2) FN(tap_tile)(2, 4, out + t, ldo, x + t, w, offset, taps, b, accumulate);
        else FN(tap_tile)(4, DIRECT_NV, out + t, ldo, x + t, w, offset, taps, b, accumulate);
    for (; t < n; t += VL)
        if (rows == 1) FN(tap_tile)(1, 1, out + t, ldo, x + t, w, offset, taps, b, accumulate);
        else if (rows == 2) FN(tap_tile)(2, 1, out + t, ldo, x + t, w, offset, taps, b, accumulate);
        else FN(tap_tile)(4, 1, out + t, ldo, x + t, w, offset, taps, b, accumulate);
}

/* sum[tap] += sum over 0 <= t < n of d[t] * x[t + offset[tap]], four taps at a time; d is zero from
 * n to the end of its last vector */
static void FN(tap_dot)(REAL *sum, const REAL *d, const REAL *x, const fnn_size *offset, fnn_size taps, fnn_size n)
{
    for (fnn_size tap = 0; tap < taps; tap += 4) {
        const fnn_size last = taps - 1;
        const REAL *x0 = x + offset[tap], *x1 = x + offset[fnn_min(tap + 1, last)];
        const REAL *x2 = x + offset[fnn_min(tap + 2, last)], *x3 = x + offset[fnn_min(tap + 3, last)];
        vec sum0 = v_set(0), sum1 = sum0, sum2 = sum0, sum3 = sum0;
        for (fnn_size t = 0; t < n; t += VL) {
            const vec d_t = v_load(d + t);
            sum0 += d_t * v_load(x0 + t);
            sum1 += d_t * v_load(x1 + t);
            sum2 += d_t * v_load(x2 + t);
            sum3 += d_t * v_load(x3 + t);
        }
        sum[tap] += v_sum(sum0);
        if (tap + 1 < taps) sum[tap + 1] += v_sum(sum1);
        if (tap + 2 < taps) sum[tap + 2] += v_sum(sum2);
        if (tap + 3 < taps) sum[tap + 3] += v_sum(sum3);
    }
}

/* frame[a, b] = plane[i, j] at a = i*step_h + top, b = j*step_w + left, as far as that is inside
 * the frame; 0 elsewhere */
static void FN(fill_frame)(REAL *restrict frame, conv_frame f, const REAL *restrict plane, fnn_size rows,
                           fnn_size columns, fnn_size top, fnn_size left, fnn_size step_h, fnn_size step_w)
{
    fnn_size i0, i1, j0, j1;
    fnn_inside(f.rows, rows, step_h, top, &i0, &i1);
    fnn_inside(f.length, columns, step_w, left, &j0, &j1);
    memset(frame, 0, (f.rows * f.length + SLACK) * sizeof(REAL));
    for (fnn_size i = i0; i < i1; i++) {
        REAL *to = frame + (i * step_h + top) * f.length;
        const REAL *from = plane + i * columns;
        if (step_w == 1)
            for (fnn_size j = j0; j < j1; j++) to[j + left] = from[j];
        else
            for (fnn_size j = j0; j < j1; j++) to[j * step_w + left] = from[j];
    }
}

#include "conv/conv2d_depthwise.tmpl.h"

/* ---- y --------------------------------------------------------------------------------------- */

/* Images times groups [begin, end): frames of the channels, then rows of y, 4 filters at a time. */
static void FN(conv_direct_forward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const conv_args *args = ctx;
    const fnn_window *g = args->g;
    const fnn_size P = g->P, Q = g->Q, HW = g->H * g->W, Cg = g->C / g->G, Kg = g->K / g->G, taps = conv_taps(g);
    const conv_frame f = conv_frame_of_x(g);
    /* rows of y made together */
    const fnn_size run = g->sh > 1 ? 1 : fnn_min(P, fnn_grain(DIRECT_RUN, f.length));
    const fnn_size ldo = run * f.length + SLACK;
    const REAL least = args->relu ? 0 : -(REAL)INFINITY;
    const int by_rows = Cg == 1 && g->sh == 1 && g->sw == 1 && FN(depthwise_serves)(P, Q, g->R, g->dh);
    fnn_size offset[DIRECT_TAPS];
    conv_offsets(offset, g, f);
    REAL *frames = fnn_scratch_alloc((Cg * f.rows * f.length + SLACK) * sizeof(REAL));
    REAL *out = fnn_scratch_alloc(4 * ldo * sizeof(REAL));
    /* image and group: its channels in frames */
    for (fnn_size nh = begin; nh < end; nh++) {
        const fnn_size n = nh / g->G, h = nh % g->G;
        for (fnn_size c = 0; c < Cg; c++)
            FN(fill_frame)(frames + c * f.rows * f.length, f, (const REAL *)args->x + (nh * Cg + c) * HW,
                           g->H, g->W, g->ph, g->pw, 1, 1);
        if (by_rows) {
            for (fnn_size k = h * Kg; k < (h + 1) * Kg; k++)
                FN(depthwise_plane)((REAL *)args->out + (n * g->K + k) * P * Q, P, Q, g->R, &(FN(depthwise_sums)){
                    .frame = frames, .length = f.length, .w = (const REAL *)args->w + k * taps, .S = g->S,
                    .dilation = g->dw, .b = args->b ? ((const REAL *)args->b)[k] : 0, .least = least });
            continue;
        }
        /* runs of rows, while they are in the cache, by four filters, or what is left */
        for (fnn_size p0 = 0; p0 < P; p0 += run)
            for (fnn_size k = h * Kg, filters; k < (h + 1) * Kg; k += filters) {
                const fnn_size left = (h + 1) * Kg - k, rows = fnn_min(run, P - p0);
                filters = left >= 4 ? 4 : left >= 2 ? 2 : 1;
                FN(tap_sum)(filters, out, ldo, frames + p0 * g->sh * f.length, (const REAL *)args->w + k * taps, offset,
                            taps, args->b ? (const REAL *)args->b + k : NULL,
                            (rows - 1) * f.length + (Q - 1) * g->sw + 1, 0);
                /* from rows of frames to rows of y */
                for (fnn_size filter = 0; filter < filters; filter++)
                    for (fnn_size p = 0; p < rows; p++) {
                        /* y[n, k + filter, p0 + p, :] */
                        REAL *restrict y = (REAL *)args->out + ((n * g->K + k + filter) * P + p0 + p) * Q;
                        const REAL *restrict from = out + filter * ldo + p * f.length;
                        if (g->sw == 1)
                            for (fnn_size q = 0; q < Q; q++) y[q] = r_max(least, from[q]);
                        else
                            for (fnn_size q = 0; q < Q; q++) y[q] = r_max(least, from[q * g->sw]);
                    }
            }
    }
    fnn_scratch_free(out);
    fnn_scratch_free(frames);
}

/* Images times groups in a block. */
static fnn_size FN(conv_direct_grain)(const fnn_window *g)
{
    const fnn_work products = (fnn_work)g->P * g->Q * conv_taps(g) * (g->K / g->G);
    return fnn_grain(DIRECT_WORK, g->C / g->G * g->H * g->W + products);
}

static void FN(conv_direct_forward)(REAL *y, const REAL *x, const REAL *w, const REAL *b, int relu, const fnn_window *g)
{
    conv_args args = { .out = y, .x = x, .w = w, .b = b, .relu = relu, .g = g };
    fnn_parallel_for(g->N * g->G, FN(conv_direct_grain)(g), FN(conv_direct_forward_block), &args);
}

/* ---- depthwise dx ---------------------------------------------------------------------------- */

/* Images times channels [begin, end). Forward was  y[p,q] += w[r,s] * x[i,j]  so  dx[i,j] += w[r,s]
 * * dy[p,q], with p*sh = i + ph - r*dh. */
static void FN(conv_direct_dx_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const conv_args *args = ctx;
    const fnn_window *g = args->g;
    const fnn_size RS = g->R * g->S, PQ = g->P * g->Q, H = g->H, W = g->W, Kg = g->K / g->G;
    const conv_frame f = conv_frame_of_dx(g);
    const fnn_size top = g->dh * (g->R - 1) - g->ph, left = g->dw * (g->S - 1) - g->pw;
    const int by_rows = Kg == 1 && FN(depthwise_serves)(H, W, g->R, g->dh);
    fnn_size offset[DIRECT_TAPS];
    for (fnn_size r = 0; r < g->R; r++)
        for (fnn_size s = 0; s < g->S; s++)
            offset[r * g->S + s] = (g->R - 1 - r) * g->dh * f.length + (g->S - 1 - s) * g->dw;
    REAL *frame = fnn_scratch_alloc((f.rows * f.length + SLACK) * sizeof(REAL));
    REAL *out = fnn_scratch_alloc((H * f.length + SLACK) * sizeof(REAL));
    for (fnn_size nc = begin; nc < end; nc++) {
        const fnn_size n = nc / g->C, c = nc % g->C;
        for (fnn_size k = 0; k < Kg; k++) {
            FN(fill_frame)(frame, f, (const REAL *)args->dy + (n * g->K + c * Kg + k) * PQ,
                           g->P, g->Q, top, left, g->sh, g->sw);
            if (by_rows) {
                REAL flipped[DIRECT_TAPS];
                for (fnn_size rs = 0; rs < RS; rs++)
                    flipped[rs] = ((const REAL *)args->w)[(c + 1) * RS - 1 - rs];
                FN(depthwise_plane)((REAL *)args->out + nc * H * W, H, W, g->R, &(FN(depthwise_sums)){
                    .frame = frame, .length = f.length, .w = flipped, .S = g->S, .dilation = g->dw,
                    .b = args->b ? ((const REAL *)args->b)[c] : 0, .least = -(REAL)INFINITY });
                break;
            }
            FN(tap_sum)(1, out, 0, frame, (const REAL *)args->w + (c * Kg + k) * RS,
                        offset, RS, args->b ? (const REAL *)args->b + c : NULL, (H - 1) * f.length + W, k > 0);
        }
        for (fnn_size i = 0; i < H && !by_rows; i++)
            memcpy((REAL *)args->out + (nc * H + i) * W, out + i * f.length, W * sizeof(REAL));
    }
    fnn_scratch_free(out);
    fnn_scratch_free(frame);
}

static void FN(conv_direct_dx)(REAL *dx, const REAL *dy, const REAL *w, const REAL *b, const fnn_window *g)
{
    conv_args args = { .out = dx, .dy = dy, .w = w, .b = b, .g = g };
    fnn_parallel_for(g->N * g->C, FN(conv_direct_grain)(g), FN(conv_direct_dx_block), &args);
}

/* ---- depthwise dw ---------------------------------------------------------------------------- */

/* Filters times blocks of images [begin, end). Forward was  y[p,q] += w[r,s] * x[i,j]  so  dw[r,s]
 * += dy[p,q] * x[i,j]. */
static void FN(conv_direct_dw_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const conv_args *args = ctx;
    const fnn_window *g = args->g;
    const fnn_size RS = g->R * g->S, PQ = g->P * g->Q, Kg = g->K / g->G, images = args->blocks.images;
    const conv_frame f = conv_frame_of_x(g);
    const fnn_size width = (g->Q - 1) * g->sw + 1;  /* of a row of dy spread out at stride sw */
    /* rows of dy and the frame run in step at stride 1; else each goes alone, in whole vectors */
    const int rows_together = g->sh == 1;
    const conv_frame spread = { g->P, rows_together ? f.length : fnn_round_up(width, VL) };
    const fnn_size run = rows_together ? g->P : 1;
    fnn_size offset[DIRECT_TAPS];
    conv_offsets(offset, g, f);
    REAL *frame = fnn_scratch_alloc((f.rows * f.length + SLACK) * sizeof(REAL));
    REAL *d = fnn_scratch_alloc((spread.rows * spread.length + SLACK) * sizeof(REAL));
    for (fnn_size item = begin; item < end; item++) {
        const fnn_size ib = item / g->K, k = item % g->K, c = k / Kg;
        REAL *dw = (REAL *)args->out + item * RS;           /* dw[k, 0, :, :] of partial sum ib */
        memset(dw, 0, RS * sizeof(REAL));
        for (fnn_size n = ib * images; n < fnn_min((ib + 1) * images, g->N); n++) {
            FN(fill_frame)(frame, f, (const REAL *)args->x + (n * g->C + c) * g->H * g->W, g->H, g->W, g->ph, g->pw,
                           1, 1);
            FN(fill_frame)(d, spread, (const REAL *)args->dy + (n * g->K + k) * PQ, g->P, g->Q, 0, 0, 1, g->sw);
            for (fnn_size p = 0; p < g->P; p += run)
                FN(tap_dot)(dw, d + p * spread.length, frame + p * g->sh * f.length, offset, RS,
                            (run - 1) * f.length + width);
        }
    }
    fnn_scratch_free(d);
    fnn_scratch_free(frame);
}
#undef SLACK
