/* cases_sequences.c -- the self-test's cases of recurrences and attention. How they are written:
 * cases.h. */
#include "cases.h"

/* ---- lstm.h: T, B, I, H ---------------------------------------------------------------------- */
static const fnn_size sequences[][4] = {
    {1, 1, 1, 1}, {3, 2, 5, 7}, {5, 1, 3, 33}, {4, 19, 17, 24}, {2, 67, 9, 48},
    {7, 97, 3, 20}, {5, 100, 4, 9}, {3, 259, 2, 5},             /* several parts backward */
};

CASE(lstm_forward)
{
    for (int i = 0; i < COUNT(sequences); i++) {
        const fnn_size T = sequences[i][0], B = sequences[i][1], I = sequences[i][2], H = sequences[i][3];
        LABEL("T=%td B=%td I=%td H=%td", T, B, I, H);
        const void *x = in(r, T * B * I), *h0 = in(r, B * H), *c0 = in(r, B * H);
        const void *w_ih = in(r, 4 * H * I), *w_hh = in(r, 4 * H * H), *b_ih = in(r, 4 * H), *b_hh = in(r, 4 * H);
        void *y = out(r, T * B * H), *hT = out(r, B * H), *cT = out(r, B * H), *cells = out(r, T * B * H);
        void *gates = out_rows(r, T * B, 4 * H, fnn_gates_pitch(4, H));
        CALL(lstm_forward)(y, hT, cT, gates, cells, x, h0, c0, w_ih, w_hh, b_ih, i % 2 ? b_hh : NULL,
                           work(r, fnn_recurrent_forward_work(4, B, H), OF_TYPE), T, B, I, H, i % 2);
    }
}

CASE(lstm_backward)
{
    for (int i = 0; i < COUNT(sequences); i++) {
        const fnn_size T = sequences[i][0], B = sequences[i][1], I = sequences[i][2], H = sequences[i][3];
        LABEL("T=%td B=%td I=%td H=%td", T, B, I, H);
        const void *dy = in(r, T * B * H), *dhT = in(r, B * H), *dcT = in(r, B * H);
        const void *x = in(r, T * B * I), *h0 = in(r, B * H), *c0 = in(r, B * H);
        const void *w_ih = in(r, 4 * H * I), *w_hh = in(r, 4 * H * H), *y = in(r, T * B * H), *cells = in(r, T * B * H);
        const void *gates = in_range(r, T * B * fnn_gates_pitch(4, H), 0, 1);
        void *dx = out(r, T * B * I), *dh0 = out(r, B * H), *dc0 = out(r, B * H);
        void *dw_ih = out(r, 4 * H * I), *dw_hh = out(r, 4 * H * H), *db = out(r, 4 * H);
        CALL(lstm_backward)(dx, dh0, dc0, dw_ih, dw_hh, db, dy, i % 2 ? dhT : NULL, dcT, x, h0, c0, w_ih, w_hh, y,
                            gates, cells,
                            work(r, fnn_recurrent_work(4, T, B, I, H), OF_TYPE), T, B, I, H, i % 2);
    }
}

/* ---- gru.h, rnn.h: T, B, I, H ---------------------------------------------------------------- */
CASE(gru_forward)
{
    for (int i = 0; i < COUNT(sequences); i++) {
        const fnn_size T = sequences[i][0], B = sequences[i][1], I = sequences[i][2], H = sequences[i][3];
        LABEL("T=%td B=%td I=%td H=%td", T, B, I, H);
        const void *x = in(r, T * B * I), *h0 = in(r, B * H), *w_ih = in(r, 3 * H * I), *w_hh = in(r, 3 * H * H);
        const void *b_ih = in(r, 3 * H), *b_hh = in(r, 3 * H);
        void *y = out(r, T * B * H), *hT = out(r, B * H);
        void *gates = out_rows(r, T * B, 4 * H, fnn_gates_pitch(3, H));
        CALL(gru_forward)(y, hT, gates, x, h0, w_ih, w_hh, b_ih, i % 2 ? b_hh : NULL,
                          work(r, fnn_recurrent_forward_work(3, B, H), OF_TYPE), T, B, I, H, i % 2);
    }
}

CASE(gru_backward)
{
    for (int i = 0; i < COUNT(sequences); i++) {
        const fnn_size T = sequences[i][0], B = sequences[i][1], I = sequences[i][2], H = sequences[i][3];
        LABEL("T=%td B=%td I=%td H=%td", T, B, I, H);
        const void *dy = in(r, T * B * H), *dhT = in(r, B * H), *x = in(r, T * B * I), *h0 = in(r, B * H);
        const void *w_ih = in(r, 3 * H * I), *w_hh = in(r, 3 * H * H), *y = in(r, T * B * H);
        const void *gates = in_range(r, T * B * fnn_gates_pitch(3, H), 0, 1);
        void *dx = out(r, T * B * I), *dh0 = out(r, B * H), *dw_ih = out(r, 3 * H * I), *dw_hh = out(r, 3 * H * H);
        void *db_ih = out(r, 3 * H), *db_hh = out(r, 3 * H);
        CALL(gru_backward)(dx, dh0, dw_ih, dw_hh, db_ih, db_hh, dy, i % 2 ? dhT : NULL, x, h0, w_ih, w_hh, y, gates,
                           work(r, fnn_recurrent_work(3, T, B, I, H), OF_TYPE), T, B, I, H, i % 2);
    }
}

CASE(rnn_forward)
{
    for (int i = 0; i < 2 * COUNT(sequences); i++) {
        const fnn_size *s = sequences[i / 2], T = s[0], B = s[1], I = s[2], H = s[3];
        LABEL("T=%td B=%td I=%td H=%td, %s", T, B, I, H, i % 2 ? "relu" : "tanh");
        const void *x = in(r, T * B * I), *h0 = in(r, B * H), *w_ih = in(r, H * I), *w_hh = in(r, H * H);
        const void *b_ih = in(r, H), *b_hh = in(r, H);
        void *y = out(r, T * B * H), *hT = out(r, B * H);
        CALL(rnn_forward)(y, hT, x, h0, w_ih, w_hh, b_ih, i / 2 % 2 ? b_hh : NULL,
                          work(r, fnn_recurrent_forward_work(1, B, H), OF_TYPE), T, B, I, H, i / 2 % 2, i % 2);
    }
}

CASE(rnn_backward)
{
    for (int i = 0; i < 2 * COUNT(sequences); i++) {
        const fnn_size *s = sequences[i / 2], T = s[0], B = s[1], I = s[2], H = s[3];
        LABEL("T=%td B=%td I=%td H=%td, %s", T, B, I, H, i % 2 ? "relu" : "tanh");
        const void *dy = in(r, T * B * H), *dhT = in(r, B * H), *x = in(r, T * B * I), *h0 = in(r, B * H);
        const void *w_ih = in(r, H * I), *w_hh = in(r, H * H), *y = in(r, T * B * H);
        void *dx = out(r, T * B * I), *dh0 = out(r, B * H);
        void *dw_ih = out(r, H * I), *dw_hh = out(r, H * H), *db = out(r, H);
        CALL(rnn_backward)(dx, dh0, dw_ih, dw_hh, db, dy, i / 2 % 2 ? dhT : NULL, x, h0, w_ih, w_hh, y,
                           work(r, fnn_recurrent_work(1, T, B, I, H), OF_TYPE), T, B, I, H, i / 2 % 2, i % 2);
    }
}

/* ---- attention.h ----------------------------------------------------------------------------- */
static const fnn_size heads[][5] = { {1, 1, 1, 1, 1}, {3, 5, 7, 3, 4}, {2, 67, 71, 33, 17}, {3, 40, 130, 64, 64},
                                    {2, 131, 131, 24, 24}, {3, 2, 131, 65, 40} };

typedef struct {
    fnn_attention about;
    const void *q, *k, *v;
    fnn_size q_size, k_size, v_size, y_size, rows;
} attention;

/* Matrices of `rows` rows and `columns` columns, one for each item or, where they are shared, the
 * first for all. Apart by more than a row if `apart`: heads side by side, as a projection leaves
 * them. */
static fnn_matrices matrices(run *r, fnn_size items, fnn_size rows, fnn_size columns, int apart, int shared)
{
    fnn_size *at = work(r, items, OF_INT64);
    for (fnn_size i = 0; i < items; i++)
        at[i] = shared ? 0 : apart ? i * columns : i * rows * columns;
    return (fnn_matrices){ at, apart ? items * columns : columns };
}

static attention new_attention(run *r, int size, int variant)
{
    const fnn_size items = heads[size][0], T = heads[size][1], U = heads[size][2];
    const fnn_size HS = heads[size][3], HV = heads[size][4];
    attention a = { .about = { .items = items, .T = T, .U = U, .HS = HS, .HV = HV, .scale = 0.4,
                               .causal = variant == 1 } };
    LABEL("items=%td T=%td U=%td HS=%td HV=%td, variant %d", items, T, U, HS, HV, variant);
    a.q_size = items * T * HS, a.k_size = items * U * HS, a.v_size = items * U * HV;
    a.y_size = items * T * HV, a.rows = items * T;
    a.q = in(r, a.q_size), a.k = in(r, a.k_size), a.v = in(r, a.v_size);
    const int apart = variant == 1;
    a.about.q = a.about.dq = matrices(r, items, T, HS, apart, 0);
    a.about.k = matrices(r, items, U, HS, apart, variant == 4);
    a.about.dk = matrices(r, items, U, HS, apart, 0);
    a.about.v = a.about.dv = matrices(r, items, U, HV, apart, 0);
    a.about.y = a.about.dy = matrices(r, items, T, HV, apart, 0);
    if (variant == 2) {
        unsigned char *mask = work(r, T * U, OF_TYPE);
        for (fnn_size i = 0; i < T * U; i++)
            mask[i] = random_u32(&r->seed) % 3 > 0;
        a.about.mask = mask, a.about.mask_kind = FNN_ALLOW_MASK;
    } else if (variant == 3) {
        a.about.mask = in(r, T * U), a.about.mask_kind = FNN_ADD_MASK;
    }
    if (a.about.mask)
        a.about.mask_at = matrices(r, items, T, U, 0, 1).at, a.about.mask_rs = U, a.about.mask_cs = 1;
    if (variant == 4)
        a.about.dropout = 0.25, a.about.dropout_key = 99, a.about.dropout_call = 3;
    return a;
}

enum { ATTENTION_VARIANTS = 5 };

CASE(attention_forward)
{
    for (int size = 0; size < COUNT(heads); size++)
        for (int variant = 0; variant < ATTENTION_VARIANTS; variant++) {
            const attention a = new_attention(r, size, variant);
            void *y = out(r, a.y_size), *top = out(r, a.rows), *total = out(r, a.rows);
            CALL(attention_forward)(y, top, total, a.q, a.k, a.v, &a.about);
        }
}

CASE(attention_backward)
{
    for (int size = 0; size < COUNT(heads); size++)
        for (int variant = 0; variant < ATTENTION_VARIANTS; variant++) {
            const attention a = new_attention(r, size, variant);
            const void *dy = in(r, a.y_size);
            void *y = work(r, a.y_size, OF_TYPE), *top = work(r, a.rows, OF_TYPE), *total = work(r, a.rows, OF_TYPE);
            CALL(attention_forward)(y, top, total, a.q, a.k, a.v, &a.about);
            void *dq = out(r, a.q_size), *dk = out(r, a.k_size), *dv = out(r, a.v_size);
            void *dmask = variant == 3 ? out(r, a.rows * a.about.U) : NULL;
            CALL(attention_backward)(dq, dk, dv, dmask, dy, y, top, total, a.q, a.k, a.v, &a.about);
        }
}
