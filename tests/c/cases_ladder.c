/* cases_ladder.c -- the self-test's cases of the steps in csrc/ladder/ladder.tmpl.h. How they are
 * written: cases.h. */
#include "cases.h"

CASE(ladder_gemm)
{
    static const fnn_size sizes[][3] = { {1, 1, 1}, {5, 3, 7}, {13, 67, 130}, {45, 33, 0}, {23, 601, 65} };
    for (int i = 0; i < COUNT(sizes); i++)
        for (int step = LADDER_IJK; step <= LADDER_TILE; step++) {
            const fnn_size m = sizes[i][0], n = sizes[i][1], k = sizes[i][2];
            LABEL("m=%td n=%td k=%td step=%d", m, n, k, step);
            const void *a = in(r, m * k), *b = in(r, k * n);
            CALL(ladder_gemm)(out(r, m * n), a, b, m, n, k, step);
        }
}

static const fnn_window images[] = {
    /* N  C   H   W   K  G  R  S   P   Q  sh sw ph pw dh dw */
    { 1,  1,  1,  1,  1, 1, 1, 1,  1,  1, 1, 1, 0, 0, 1, 1 },
    { 2,  3,  7,  9,  5, 1, 3, 3,  7,  9, 1, 1, 1, 1, 1, 1 },
    { 1,  9, 23, 67,  8, 1, 5, 3, 11, 33, 2, 2, 1, 0, 1, 1 },
};

CASE(ladder_conv2d)
{
    for (int i = 0; i < COUNT(images); i++)
        for (int step = LADDER_SEVEN_LOOPS; step <= LADDER_STRIPS; step++) {
            const fnn_window g = images[i];
            LABEL("image number %d, step %d", i, step);
            const void *x = in(r, g.N * g.C * g.H * g.W), *w = in(r, g.K * g.C * g.R * g.S);
            CALL(ladder_conv2d)(out(r, g.N * g.K * g.P * g.Q), x, w, work(r, g.C * g.R * g.S * g.P * g.Q, OF_TYPE), &g,
                                step);
        }
}

CASE(ladder_max_pool2d)
{
    for (int i = 0; i < COUNT(images); i++)
        for (int step = LADDER_EVERY_TAP; step <= LADDER_ROWS; step++) {
            const fnn_window g = images[i];
            const fnn_size y_size = g.N * g.C * g.P * g.Q;
            LABEL("image number %d, step %d", i, step);
            const void *x = in_steps(r, g.N * g.C * g.H * g.W);
            void *y = out(r, y_size);
            CALL(ladder_max_pool2d)(y, out_as(r, y_size, OF_INT32), x, &g, step);
        }
}

CASE(ladder_softmax)
{
    static const fnn_size sizes[][2] = { {1, 1}, {3, 7}, {5, 67}, {2, 1031} };
    for (int i = 0; i < COUNT(sizes); i++)
        for (int step = LADDER_C_EXP; step <= LADDER_ONLINE; step++) {
            const fnn_size rows = sizes[i][0], n = sizes[i][1];
            LABEL("rows=%td n=%td step=%d", rows, n, step);
            const void *x = in_range(r, rows * n, -9, 9);
            CALL(ladder_softmax)(out(r, rows * n), x, rows, n, step);
        }
}

CASE(ladder_lstm)
{
    static const fnn_size sizes[][4] = { {1, 1, 1, 1}, {3, 2, 5, 7}, {4, 5, 9, 33} };
    for (int i = 0; i < COUNT(sizes); i++)
        for (int step = LADDER_DOTS; step <= LADDER_VECTOR_GATES; step++) {
            const fnn_size T = sizes[i][0], B = sizes[i][1], I = sizes[i][2], H = sizes[i][3];
            LABEL("T=%td B=%td I=%td H=%td step=%d", T, B, I, H, step);
            const void *x = in(r, T * B * I), *h0 = in(r, B * H), *c0 = in(r, B * H);
            const void *w_ih = in(r, 4 * H * I), *w_hh = in(r, 4 * H * H);
            const void *b = in(r, 4 * H);
            CALL(ladder_lstm)(out(r, T * B * H), x, h0, c0, w_ih, w_hh, b, work(r, T * B * 4 * H + B * H, OF_TYPE), T,
                              B, I, H, step);
        }
}

CASE(ladder_attention)
{
    static const fnn_size sizes[][3] = { {1, 1, 1}, {2, 5, 3}, {2, 67, 33} };
    for (int i = 0; i < COUNT(sizes); i++)
        for (int step = LADDER_QUERY_BY_QUERY; step <= LADDER_WHOLE_SCORES; step++) {
            const fnn_size items = sizes[i][0], T = sizes[i][1], HS = sizes[i][2], n = items * T * HS;
            LABEL("items=%td T=%td HS=%td step=%d", items, T, HS, step);
            const void *q = in(r, n), *k = in(r, n), *v = in(r, n);
            CALL(ladder_attention)(out(r, n), q, k, v, work(r, T * T, OF_TYPE), items, T, HS, 0.4, step);
        }
}
