/* cases_layers.c -- the self-test's cases of products, windows, normalisation and softmax. How they
 * are written: cases.h. */
#include "cases.h"

#include <string.h>

/* ---- gemm.h: m, n, k ------------------------------------------------------------------------- */
static const fnn_size products[][3] = { {1, 1, 1}, {5, 3, 7}, {17, 19, 23}, {1, 67, 45}, {67, 1, 45}, {2, 131, 300},
                                        {131, 2, 300}, {45, 67, 0}, {64, 96, 256}, {131, 73, 301}, {20, 18, 2100} };

#define FOR_PRODUCTS                                                                       \
    for (int size = 0; size < COUNT(products); size++)                                     \
        for (fnn_size m = products[size][0], n = products[size][1], k = products[size][2], \
             once = label_product(r, size); once; once = 0)

static int label_product(run *r, int size)
{
    LABEL("m=%td n=%td k=%td", products[size][0], products[size][1], products[size][2]);
    return 1;
}

CASE(gemm)
{
    FOR_PRODUCTS {
        const void *a = in(r, m * k), *b = in(r, k * n), *bias_row = in(r, m), *bias_col = in(r, n);
        CALL(gemm)(out(r, m * n), n, a, k, 1, b, n, 1, NULL, NULL, m, n, k, 0);
        /* A transposed */
        CALL(gemm)(inout(r, m * n), n, a, 1, m, b, n, 1, bias_row, NULL, m, n, k, FNN_GEMM_ADD);
        /* B transposed */
        CALL(gemm)(out(r, m * n), n, a, k, 1, b, 1, k, NULL, bias_col, m, n, k, 0);
        CALL(gemm)(out(r, m * n), n, a, 1, m, b, 1, k, bias_row, bias_col, m, n, k, FNN_GEMM_RELU);
        /* repeated rows and columns, C in a wider matrix */
        CALL(gemm)(inout(r, m * (n + 3)), n + 3, a, 0, 1, b, 1, 0, NULL, NULL, m, n, k, 0);
    }
}

/* What is packed differs from level to level; the products do not. */
CASE(gemm_pack_a)
{
    FOR_PRODUCTS {
        const void *a = in(r, m * k), *b = in(r, k * n);
        void *packed = work(r, fnn_gemm_packed_size(m, k), OF_TYPE);
        CALL(gemm_pack_a)(packed, a, size % 2 ? 1 : k, size % 2 ? m : 1, m, k);
        CALL(gemm)(out(r, m * n), n, packed, FNN_PACKED, 0, b, n, 1, NULL, NULL, m, n, k, 0);
    }
}

CASE(gemm_pack_b)
{
    FOR_PRODUCTS {
        const void *a = in(r, m * k), *b = in(r, k * n);
        void *packed = work(r, fnn_gemm_packed_size(n, k), OF_TYPE);
        CALL(gemm_pack_b)(packed, b, size % 2 ? 1 : n, size % 2 ? k : 1, n, k);
        CALL(gemm)(out(r, m * n), n, a, k, 1, packed, FNN_PACKED, 0, NULL, NULL, m, n, k, 0);
    }
}

CASE(gemm_strided)
{
    enum { BATCH = 3 };
    FOR_PRODUCTS {
        const void *a = in(r, BATCH * m * k), *b = in(r, k * n);
        CALL(gemm_strided)(out(r, BATCH * m * n), n, m * n, a, k, 1, m * k, b, n, 1, 0, BATCH, m, n, k, 0);
        CALL(gemm_strided)(inout(r, BATCH * m * n), n, m * n, a, 1, m, m * k, b, 1, k, 0, BATCH, m, n, k,
                           FNN_GEMM_ADD | FNN_GEMM_RELU);
    }
}

CASE(gemm_batched)
{
    enum { BATCH = 3 };
    FOR_PRODUCTS {
        const void *a = in(r, BATCH * m * k), *b = in(r, k * n);
        const fnn_size offset_c[BATCH] = { 2 * m * n, 0, m * n };
        const fnn_size offset_a[BATCH] = { 0, m * k, 2 * m * k }, offset_b[BATCH] = { 0, 0, 0 };
        CALL(gemm_batched)(out(r, BATCH * m * n), n, a, k, 1, b, n, 1, offset_c, offset_a, offset_b, BATCH, m, n, k, 0);
        CALL(gemm_batched)(inout(r, BATCH * m * n), n, a, 1, m, b, 1, k, offset_c, offset_a, offset_b, BATCH, m, n, k,
                           FNN_GEMM_ADD);
    }
}

CASE(linear_forward)
{
    FOR_PRODUCTS {
        const void *x = in(r, m * k), *w = in(r, n * k), *b = in(r, n);
        CALL(linear_forward)(out(r, m * n), x, w, size % 2 ? b : NULL, m, n, k);
    }
}

CASE(linear_backward)
{
    FOR_PRODUCTS {
        const void *dy = in(r, m * n), *x = in(r, m * k), *w = in(r, n * k);
        void *dx = out(r, m * k), *dw = out(r, n * k), *db = out(r, n);
        CALL(linear_backward)(dx, dw, db, dy, x, w, m, n, k);
    }
}

/* ---- conv2d.h, unfold.h, pool2d.h ------------------------------------------------------------ */
static fnn_window window(run *r, const fnn_window *from)
{
    fnn_window g = *from;                           /* P and Q follow for symmetric padding */
    g.P = (g.H + 2 * g.ph - g.dh * (g.R - 1) - 1) / g.sh + 1;
    g.Q = (g.W + 2 * g.pw - g.dw * (g.S - 1) - 1) / g.sw + 1;
    LABEL("N=%td C=%td H=%td W=%td K=%td G=%td R=%td S=%td stride=%td,%td padding=%td,%td dilation=%td,%td", g.N, g.C,
          g.H, g.W, g.K, g.G, g.R, g.S, g.sh, g.sw, g.ph, g.pw, g.dh, g.dw);
    return g;
}

static const fnn_window images[] = {
    /* N  C   H   W   K  G  R  S  P  Q  sh sw ph pw dh dw */
    { 1,  1,  1,  1,  1, 1, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1 },
    { 2,  3,  7,  9,  5, 1, 3, 3, 0, 0, 1, 1, 1, 1, 1, 1 },
    { 1,  8, 17, 17, 20, 1, 3, 3, 0, 0, 1, 1, 1, 1, 1, 1 },
    { 2, 32, 14, 15, 33, 1, 3, 3, 0, 0, 1, 1, 1, 1, 1, 1 },
    { 2, 32, 14, 15, 32, 1, 3, 3, 0, 0, 1, 1, 1, 1, 1, 1 }, /* from here two that Winograd serves */
    { 1, 37, 21, 20, 64, 1, 3, 3, 0, 0, 1, 1, 1, 1, 1, 1 },
    { 1, 16, 12, 13, 24, 1, 3, 3, 0, 0, 2, 2, 1, 1, 1, 1 },
    { 4, 17, 17, 15, 37, 1, 3, 3, 0, 0, 2, 2, 1, 1, 1, 1 }, /* by interleaved pixels */
    { 2, 19, 11, 13, 21, 1, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1 },
    { 1,  3, 23, 21,  8, 1, 7, 7, 0, 0, 2, 2, 3, 3, 1, 1 },
    { 2,  6, 13, 10, 12, 3, 3, 2, 0, 0, 1, 2, 2, 0, 2, 1 },
    { 2, 17, 13, 19, 17,17, 3, 3, 0, 0, 1, 1, 1, 1, 1, 1 },
    { 1,  9, 13, 19,  9, 9, 5, 5, 0, 0, 2, 2, 2, 2, 1, 1 },
    { 3,  7,  1, 65,  9, 1, 1, 9, 0, 0, 1, 1, 0, 4, 1, 1 },
};

CASE(conv2d_forward)
{
    for (int i = 0; i < COUNT(images); i++) {
        const fnn_window g = window(r, &images[i]);
        const void *x = in(r, g.N * g.C * g.H * g.W), *w = in(r, g.K * (g.C / g.G) * g.R * g.S), *b = in(r, g.K);
        CALL(conv2d_forward)(out(r, g.N * g.K * g.P * g.Q), x, w, i % 2 ? b : NULL, &g);
    }
}

CASE(conv2d_relu_forward)
{
    for (int i = 0; i < COUNT(images); i++) {
        const fnn_window g = window(r, &images[i]);
        const void *x = in(r, g.N * g.C * g.H * g.W), *w = in(r, g.K * (g.C / g.G) * g.R * g.S), *b = in(r, g.K);
        CALL(conv2d_relu_forward)(out(r, g.N * g.K * g.P * g.Q), x, w, i % 2 ? NULL : b, &g);
    }
}

CASE(conv2d_backward)
{
    for (int i = 0; i < COUNT(images); i++) {
        const fnn_window g = window(r, &images[i]);
        const fnn_size x_size = g.N * g.C * g.H * g.W, w_size = g.K * (g.C / g.G) * g.R * g.S;
        const void *dy = in(r, g.N * g.K * g.P * g.Q), *x = in(r, x_size), *w = in(r, w_size);
        void *dx = out(r, x_size), *dw = out(r, w_size), *db = out(r, g.K);
        CALL(conv2d_backward)(dx, dw, db, dy, x, w, work(r, fnn_conv2d_workspace(&g, 1, 1), OF_TYPE), &g);
    }
}

CASE(conv_transpose2d_forward)
{
    for (int i = 0; i < COUNT(images); i++) {
        const fnn_window g = window(r, &images[i]);
        const void *x = in(r, g.N * g.K * g.P * g.Q), *w = in(r, g.K * (g.C / g.G) * g.R * g.S), *b = in(r, g.C);
        CALL(conv_transpose2d_forward)(out(r, g.N * g.C * g.H * g.W), x, w, i % 2 ? b : NULL,
                                       work(r, fnn_conv2d_workspace(&g, 1, 0), OF_TYPE), &g);
    }
}

CASE(conv_transpose2d_backward)
{
    for (int i = 0; i < COUNT(images); i++) {
        const fnn_window g = window(r, &images[i]);
        const fnn_size x_size = g.N * g.K * g.P * g.Q, w_size = g.K * (g.C / g.G) * g.R * g.S;
        const void *dy = in(r, g.N * g.C * g.H * g.W), *x = in(r, x_size), *w = in(r, w_size);
        void *dx = out(r, x_size), *dw = out(r, w_size), *db = out(r, g.C);
        CALL(conv_transpose2d_backward)(dx, dw, db, dy, x, w, work(r, fnn_conv2d_workspace(&g, 0, 1), OF_TYPE), &g);
    }
}

CASE(unfold)
{
    for (int i = 0; i < COUNT(images); i++) {
        const fnn_window g = window(r, &images[i]);
        const void *x = in(r, g.N * g.C * g.H * g.W);
        CALL(unfold)(out(r, g.N * g.C * g.R * g.S * g.P * g.Q), x, &g);
    }
}

CASE(fold)
{
    for (int i = 0; i < COUNT(images); i++) {
        const fnn_window g = window(r, &images[i]);
        const void *cols = in(r, g.N * g.C * g.R * g.S * g.P * g.Q);
        CALL(fold)(out(r, g.N * g.C * g.H * g.W), cols, &g);
    }
}

static const fnn_window pools[] = {
    { 1,  1,  1,  1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1 },
    { 2,  3,  7,  9, 0, 0, 2, 2, 0, 0, 2, 2, 0, 0, 1, 1 },
    { 1,  5, 23, 37, 0, 0, 3, 3, 0, 0, 2, 2, 1, 1, 1, 1 },
    { 2,  4,  9, 70, 0, 0, 3, 3, 0, 0, 2, 2, 0, 0, 1, 1 },
    { 3,  2,  8, 12, 0, 0, 3, 3, 0, 0, 2, 2, 1, 1, 1, 1 },
    { 2, 13, 12, 67, 0, 0, 3, 3, 0, 0, 1, 1, 1, 1, 1, 1 },
    { 1,  3, 19, 17, 0, 0, 3, 2, 0, 0, 2, 3, 1, 0, 2, 1 },
    { 7, 33, 24, 24, 0, 0, 2, 2, 0, 0, 2, 2, 0, 0, 1, 1 },
};

CASE(max_pool2d_forward)
{
    for (int i = 0; i < COUNT(pools); i++) {
        const fnn_window g = window(r, &pools[i]);
        const void *x = i % 2 ? in_steps(r, g.N * g.C * g.H * g.W) : in_special(r, g.N * g.C * g.H * g.W);
        void *y = out(r, g.N * g.C * g.P * g.Q);
        CALL(max_pool2d_forward)(y, out_as(r, g.N * g.C * g.P * g.Q, OF_BYTE), x, &g);
        CALL(max_pool2d_forward)(out(r, g.N * g.C * g.P * g.Q), NULL, x, &g);
    }
}

CASE(max_pool2d_backward)
{
    for (int i = 0; i < COUNT(pools); i++) {
        const fnn_window g = window(r, &pools[i]);
        const fnn_size y_size = g.N * g.C * g.P * g.Q;
        const void *x = in(r, g.N * g.C * g.H * g.W), *dy = in(r, y_size);
        void *y = work(r, y_size, OF_TYPE), *tap = work(r, y_size, OF_BYTE);
        CALL(max_pool2d_forward)(y, tap, x, &g);
        CALL(max_pool2d_backward)(out(r, g.N * g.C * g.H * g.W), dy, tap, &g);
    }
}

CASE(max_window_pool2d_backward)
{
    for (int i = 0; i < COUNT(pools); i++) {
        const fnn_window g = window(r, &pools[i]);
        const fnn_size y_size = g.N * g.C * g.P * g.Q;
        const void *x = in(r, g.N * g.C * g.H * g.W), *dy = in(r, y_size);
        void *y = work(r, y_size, OF_TYPE), *argmax = work(r, y_size, OF_INT32);
        CALL(max_window_pool2d_forward)(y, argmax, x, &g, 0);
        CALL(max_window_pool2d_backward)(out(r, g.N * g.C * g.H * g.W), dy, argmax, &g);
    }
}

/* ---- resample.h ------------------------------------------------------------------------------ */
/* Taps of `to` outputs of `from` inputs: two near each other, or, where `wide`, all. */
static fnn_taps some_taps(run *r, fnn_size from, fnn_size to, int wide)
{
    const fnn_size each = wide ? from : fnn_min(from, 2);
    fnn_size *start = work(r, to + 1, OF_INT64);
    int32_t *at = work(r, to * each, OF_INT32);
    for (fnn_size i = 0; i <= to; i++) start[i] = i * each;
    for (fnn_size i = 0; i < to; i++)
        for (fnn_size k = 0; k < each; k++) at[i * each + k] = (int32_t)(fnn_min(i * from / to, from - each) + k);
    return (fnn_taps){ start, at, in_range(r, to * each, 0.25, 0.75) };
}

CASE(resample2d)
{
    /* planes, H, W, P, Q */
    static const fnn_size shapes[][5] = { {1, 1, 1, 1, 1}, {3, 5, 7, 11, 13}, {2, 13, 11, 5, 3}, {1, 4, 67, 9, 4099} };
    for (int i = 0; i < COUNT(shapes); i++)
        for (int taps = 0; taps <= 4; taps = taps ? 2 * taps : 1) {
            fnn_resample s = { .planes = shapes[i][0], .H = shapes[i][1], .W = shapes[i][2], .P = shapes[i][3],
                               .Q = shapes[i][4], .col_taps = taps };
            LABEL("H=%td W=%td P=%td Q=%td taps=%d", s.H, s.W, s.P, s.Q, taps);
            s.row = some_taps(r, s.H, s.P, taps == 2);
            s.col = some_taps(r, s.W, s.Q, taps == 0);
            int32_t *at = work(r, taps * s.Q, OF_INT32);
            for (fnn_size k = 0; k < taps * s.Q; k++) at[k] = (int32_t)(k * 7 % s.W);
            s.col_at = at;
            s.col_weight = in(r, taps * s.Q);
            const void *x = in(r, s.planes * s.H * s.W);
            CALL(resample2d)(out(r, s.planes * s.P * s.Q), x, &s);
        }
}

CASE(avg_pool2d_forward)
{
    for (int i = 0; i < COUNT(pools); i++) {
        const fnn_window g = window(r, &pools[i]);
        const void *x = in(r, g.N * g.C * g.H * g.W);
        CALL(avg_pool2d_forward)(out(r, g.N * g.C * g.P * g.Q), x, &g, i % 2, i % 3 ? 0 : 5);
    }
}

CASE(avg_pool2d_backward)
{
    for (int i = 0; i < COUNT(pools); i++) {
        const fnn_window g = window(r, &pools[i]);
        const void *dy = in(r, g.N * g.C * g.P * g.Q);
        CALL(avg_pool2d_backward)(out(r, g.N * g.C * g.H * g.W), dy, &g, i % 2, i % 3 ? 0 : 5);
    }
}

static const fnn_window adaptive[] = {              /* only N C H W P Q */
    { .N = 1, .C = 1, .H = 1, .W = 1, .P = 1, .Q = 1 }, { .N = 2, .C = 3, .H = 7, .W = 11, .P = 3, .Q = 4 },
    { .N = 2, .C = 67, .H = 13, .W = 9, .P = 1, .Q = 1 }, { .N = 1, .C = 5, .H = 3, .W = 40, .P = 5, .Q = 37 },
    /* their product is beyond 32 bits */
    { .N = 1, .C = 1, .H = 1, .W = 70001, .P = 1, .Q = 50021 } };

#define FOR_ADAPTIVE                                                                          \
    for (int i = 0; i < COUNT(adaptive); i++)                                                 \
        for (fnn_size x_size = adaptive[i].N * adaptive[i].C * adaptive[i].H * adaptive[i].W, \
             y_size = adaptive[i].N * adaptive[i].C * adaptive[i].P * adaptive[i].Q,          \
             once = label_adaptive(r, i); once; once = 0)

static int label_adaptive(run *r, int i)
{
    LABEL("adaptive, window number %d", i);
    return 1;
}

CASE(max_window_pool2d_forward)
{
    FOR_ADAPTIVE {
        const void *x = in_steps(r, x_size);
        void *y = out(r, y_size);
        CALL(max_window_pool2d_forward)(y, out_as(r, y_size, OF_INT32), x, &adaptive[i], 1);
    }
}

CASE(adaptive_avg_pool2d_forward)
{
    FOR_ADAPTIVE {
        const void *x = in(r, x_size);
        CALL(adaptive_avg_pool2d_forward)(out(r, y_size), x, &adaptive[i]);
    }
}

CASE(adaptive_avg_pool2d_backward)
{
    FOR_ADAPTIVE {
        const void *dy = in(r, y_size);
        CALL(adaptive_avg_pool2d_backward)(out(r, x_size), dy, &adaptive[i]);
    }
}

/* ---- softmax.h: outer, axis, inner ----------------------------------------------------------- */
static const fnn_size rows[][3] = { {1, 1, 1}, {3, 7, 1}, {67, 33, 1}, {2, 5, 67}, {1, 4099, 1}, {301, 129, 1},
                                    {5, 3, 1031} };

#define FOR_ROWS                                                                          \
    for (int size = 0; size < COUNT(rows); size++)                                        \
        for (fnn_size outer = rows[size][0], axis = rows[size][1], inner = rows[size][2], \
             once = label_rows(r, size); once; once = 0)

static int label_rows(run *r, int size)
{
    LABEL("outer=%td axis=%td inner=%td", rows[size][0], rows[size][1], rows[size][2]);
    return 1;
}

CASE(softmax_forward)
{
    FOR_ROWS {
        const void *x = size == 3 ? in_special(r, outer * axis * inner) : in_range(r, outer * axis * inner, -9, 9);
        for (int log = 0; log < 2; log++)
            CALL(softmax_forward)(out(r, outer * axis * inner), x, outer, axis, inner, log);
    }
}

CASE(softmax_backward)
{
    FOR_ROWS {
        const void *dy = in(r, outer * axis * inner), *y = in_range(r, outer * axis * inner, 0, 2.0 / (double)axis);
        const void *log_y = in_range(r, outer * axis * inner, -9, -1);
        CALL(softmax_backward)(out(r, outer * axis * inner), dy, y, outer, axis, inner, 0);
        CALL(softmax_backward)(out(r, outer * axis * inner), dy, log_y, outer, axis, inner, 1);
    }
}

CASE(cross_entropy_forward)
{
    FOR_ROWS
        for (int reduction = 0; reduction < 3; reduction++) {
            const fnn_size n = outer * inner;
            const void *x = in_range(r, n * axis, -4, 4), *target = in_range(r, n * axis, 0, 1);
            const void *weight = in_range(r, axis, 0.5, 2);
            const int64_t *label = in_index(r, n, 0, axis);
            const int labels = (size + reduction) % 2;
            void *y = out(r, reduction ? 1 : n), *top = out(r, n);
            void *total = out(r, n), *divisor = out_as(r, 1, OF_DOUBLE);
            CALL(cross_entropy_forward)(y, top, total, divisor, x, labels ? label : NULL, labels ? NULL : target,
                                        size % 3 ? weight : NULL, outer, axis, inner, axis > 2 ? 1 : -100, 0.1,
                                        reduction);
        }
}

CASE(cross_entropy_backward)
{
    FOR_ROWS
        for (int reduction = 0; reduction < 3; reduction++) {
            const fnn_size n = outer * inner;
            const void *x = in_range(r, n * axis, -4, 4), *target = in_range(r, n * axis, 0, 1);
            const void *weight = in_range(r, axis, 0.5, 2);
            const int64_t *label = in_index(r, n, 0, axis);
            const int labels = (size + reduction) % 2;
            const void *dy = in(r, reduction ? 1 : n);
            void *y = work(r, reduction ? 1 : n, OF_TYPE), *top = work(r, n, OF_TYPE), *total = work(r, n, OF_TYPE);
            double divisor;
            CALL(cross_entropy_forward)(y, top, total, &divisor, x, labels ? label : NULL, labels ? NULL : target,
                                        size % 3 ? weight : NULL, outer, axis, inner, -100, 0.1, reduction);
            void *dx = out(r, n * axis), *dtarget = labels ? NULL : out(r, n * axis);
            CALL(cross_entropy_backward)(dx, dtarget, dy, x, top, total, labels ? label : NULL, labels ? NULL : target,
                                         size % 3 ? weight : NULL, outer, axis, inner, -100, 0.1, reduction, divisor);
        }
}

CASE(nll_loss_forward)
{
    FOR_ROWS
        for (int reduction = 0; reduction < 3; reduction++) {
            const fnn_size n = outer * inner;
            const void *x = in_range(r, n * axis, -4, 0), *weight = in_range(r, axis, 0.5, 2);
            const int64_t *label = in_index(r, n, 0, axis);
            void *y = out(r, reduction ? 1 : n);
            CALL(nll_loss_forward)(y, out_as(r, 1, OF_DOUBLE), x, label, size % 2 ? weight : NULL, outer, axis, inner,
                                   -100, reduction);
        }
}

CASE(nll_loss_backward)
{
    FOR_ROWS
        for (int reduction = 0; reduction < 3; reduction++) {
            const fnn_size n = outer * inner;
            const void *dy = in(r, reduction ? 1 : n), *weight = in_range(r, axis, 0.5, 2);
            const int64_t *label = in_index(r, n, 0, axis);
            CALL(nll_loss_backward)(out(r, n * axis), dy, label, size % 2 ? weight : NULL, outer, axis, inner, -100,
                                    reduction, 3.0);
        }
}

/* ---- norm.h ---------------------------------------------------------------------------------- */
/* rows, n */
static const fnn_size lines[][2] = { {1, 1}, {3, 7}, {67, 33}, {5, 1031}, {301, 129} };
/* N, C, S, G */
static const fnn_size groups[][4] = { {1, 1, 1, 1}, {2, 6, 7, 3}, {3, 8, 67, 2}, {2, 4, 1031, 4}, {19, 33, 49, 11} };

/* what a forward pass could have saved */
static void centre(run *r, void *mean, void *rstd, fnn_size n)
{
    const void *m = in_range(r, n, -0.2, 0.2), *s = in_range(r, n, 1, 2);
    for (fnn_size i = 0; i < n; i++) {
        memcpy(element(r, mean, 2 * i), element(r, (void *)m, i), r->type == FNN_F32 ? 4 : 8);
        memset(element(r, mean, 2 * i + 1), 0, r->type == FNN_F32 ? 4 : 8);
        memcpy(element(r, rstd, i), element(r, (void *)s, i), r->type == FNN_F32 ? 4 : 8);
    }
}

CASE(layer_norm_forward)
{
    for (int i = 0; i < COUNT(lines); i++)
        for (int rms = 0; rms < 2; rms++) {
            const fnn_size m = lines[i][0], n = lines[i][1];
            LABEL("rows=%td n=%td rms=%d", m, n, rms);
            const void *x = in(r, m * n), *weight = in(r, n), *bias = in(r, n);
            void *y = out(r, m * n), *mean = rms ? NULL : out(r, 2 * m), *rstd = out(r, m);
            CALL(layer_norm_forward)(y, mean, rstd, x, i % 2 ? weight : NULL, i % 2 ? bias : NULL, m, n, 1e-5);
        }
}

CASE(layer_norm_backward)
{
    for (int i = 0; i < COUNT(lines); i++)
        for (int rms = 0; rms < 2; rms++) {
            const fnn_size m = lines[i][0], n = lines[i][1];
            LABEL("rows=%td n=%td rms=%d", m, n, rms);
            const void *dy = in(r, m * n), *x = in(r, m * n), *weight = in(r, n);
            void *mean = work(r, 2 * m, OF_TYPE), *rstd = work(r, m, OF_TYPE);
            centre(r, mean, rstd, m);
            void *dx = out(r, m * n), *dweight = out(r, n), *dbias = out(r, n);
            CALL(layer_norm_backward)(dx, dweight, dbias, dy, x, rms ? NULL : mean, rstd, i % 2 ? weight : NULL,
                                      work(r, fnn_layer_norm_work(m, n), OF_TYPE), m, n);
        }
}

#define FOR_GROUPS                                                                   \
    for (int size = 0; size < COUNT(groups); size++)                                 \
        for (fnn_size N = groups[size][0], C = groups[size][1], S = groups[size][2], \
             once = label_groups(r, size); once; once = 0)

static int label_groups(run *r, int size)
{
    LABEL("N=%td C=%td S=%td G=%td", groups[size][0], groups[size][1], groups[size][2], groups[size][3]);
    return 1;
}

CASE(group_norm_forward)
{
    FOR_GROUPS {
        const fnn_size G = groups[size][3];
        const void *x = in(r, N * C * S), *weight = in(r, C), *bias = in(r, C);
        void *y = out(r, N * C * S), *mean = out(r, 2 * N * G), *rstd = out(r, N * G);
        CALL(group_norm_forward)(y, mean, rstd, x, size % 2 ? weight : NULL, size % 2 ? bias : NULL, N, C, S, G, 1e-5);
    }
}

CASE(group_norm_backward)
{
    FOR_GROUPS {
        const fnn_size G = groups[size][3];
        const void *dy = in(r, N * C * S), *x = in(r, N * C * S), *weight = in(r, C);
        void *mean = work(r, 2 * N * G, OF_TYPE), *rstd = work(r, N * G, OF_TYPE);
        centre(r, mean, rstd, N * G);
        void *dx = out(r, N * C * S), *dweight = out(r, C), *dbias = out(r, C);
        CALL(group_norm_backward)(dx, dweight, dbias, dy, x, mean, rstd, size % 2 ? weight : NULL,
                                  work(r, fnn_group_norm_work(N, C), OF_TYPE), N, C, S, G);
    }
}

CASE(batch_norm_forward)
{
    FOR_GROUPS {
        const void *x = in(r, N * C * S), *weight = in(r, C), *bias = in(r, C);
        void *y = out(r, N * C * S), *batch_mean = out(r, C);
        void *batch_var = out(r, C), *mean = out(r, 2 * C), *rstd = out(r, C);
        CALL(batch_norm_forward)(y, batch_mean, batch_var, mean, rstd, x, size % 2 ? weight : NULL,
                                 size % 2 ? bias : NULL, N, C, S, 1e-5, size % 3 == 1);
    }
}

CASE(batch_norm_backward)
{
    FOR_GROUPS {
        const void *dy = in(r, N * C * S), *x = in(r, N * C * S), *weight = in(r, C), *bias = in(r, C);
        const void *dbatch_mean = in(r, C), *dbatch_var = in(r, C);
        void *mean = work(r, 2 * C, OF_TYPE), *rstd = work(r, C, OF_TYPE);
        centre(r, mean, rstd, C);
        void *dx = out(r, N * C * S), *dweight = out(r, C), *dbias = out(r, C);
        CALL(batch_norm_backward)(dx, dweight, dbias, dy, size % 2 ? dbatch_mean : NULL, size % 2 ? dbatch_var : NULL,
                                  x, mean, rstd, size % 3 ? weight : NULL, bias, N, C, S, size % 3 == 1);
    }
}

CASE(batch_norm_inference_forward)
{
    FOR_GROUPS {
        const void *x = in(r, N * C * S), *weight = in(r, C), *bias = in(r, C);
        const void *running_mean = in(r, C), *running_var = in_range(r, C, 0.5, 2);
        void *y = out(r, N * C * S), *mean = out(r, 2 * C), *rstd = out(r, C);
        CALL(batch_norm_inference_forward)(y, mean, rstd, x, running_mean, running_var, size % 2 ? weight : NULL,
                                           size % 2 ? bias : NULL, N, C, S, 1e-5, size % 3 == 1);
    }
}

CASE(batch_norm_inference_backward)
{
    FOR_GROUPS {
        const void *dy = in(r, N * C * S), *x = in(r, N * C * S), *weight = in(r, C), *bias = in(r, C);
        void *mean = work(r, 2 * C, OF_TYPE), *rstd = work(r, C, OF_TYPE);
        centre(r, mean, rstd, C);
        void *dx = out(r, N * C * S), *dweight = out(r, C), *dbias = out(r, C);
        CALL(batch_norm_inference_backward)(dx, dweight, dbias, dy, x, mean, rstd, size % 2 ? weight : NULL, bias, N, C,
                                            S, size % 3 == 1);
    }
}

/* ---- peak.h: what it returns depends on the level, but not the result of one lane ------------ */
CASE(multiply_add_peak)
{
    enum { BLOCKS = 3, STEPS = 100, CHAINS = 12 };
    double flops, *lane = out_as(r, BLOCKS, OF_DOUBLE);
    void *sink = work(r, BLOCKS, OF_TYPE);
    CALL(multiply_add_peak)(sink, &flops, BLOCKS, STEPS);
    for (int i = 0; i < BLOCKS; i++)
        lane[i] = (r->type == FNN_F32 ? ((float *)sink)[i] : ((double *)sink)[i])
                  / (flops / (2.0 * CHAINS * BLOCKS * STEPS));
}
