/* lstm.tmpl.h -- long short-term memory: one layer, one direction, a whole sequence in one call.
 *
 * Math       z_t = W_ih x_t + b_ih + W_hh h_{t-1} + b_hh                         its four quarters give the gates
 *            i = sigmoid(z_i)   f = sigmoid(z_f)   g = tanh(z_g)   o = sigmoid(z_o)
 *            c_t = f * c_{t-1} + i * g          h_t = o * tanh(c_t)
 * Symbols    T steps, B batch, I inputs, H hidden units. A "piece" is one gate's quarter of a row
 *            of 4H.
 * Layout     x [T][B][I], y (all h_t) and cells (all c_t) [T][B][H], gates (after sigmoid and tanh)
 *            and dz [T][B][4H], their rows fnn_recurrent_pitch(4H) apart; W_ih [4H][I], W_hh
 *            [4H][H]. Gates in the order i f g o.
 * Method     W_ih x of all steps is one matrix product, and so are dx, dW_ih and dW_hh. Left for
 *            the loop over time, which
 *            recurrent.tmpl.h runs, is  h_{t-1} W_hh^T  and, backward,  dz_{t+1} W_hh,  each with the gates right behind it.
 * Cost       forward 2*T*B*4H*(I + H) flop, backward twice that.
 * Threads    see recurrent.tmpl.h
 * Reference  fastnn/reference/lstm.py; Hochreiter, Schmidhuber (1997), "Long short-term memory";
 *            Gers, Schmidhuber, Cummins (2000), "Learning to forget", for the forget gate;
 *            torch.nn.LSTM for the arrangement of weights.
 */
#define REC_GATES 4
#define REC_PIECES 4
#define REC_VECTORS 4
#include "recurrent/recurrent.tmpl.h"

/* ---- forward --------------------------------------------------------------------------------- */

typedef struct {
    FN(recurrence) r;
    REAL *y, *gates, *cells;
    const REAL *c0;
} FN(lstm_forward_pass);

/* The gates and the cell of `width` units of one sequence: z, and sum on top, is what goes into
 * them; z receives what comes out. */
FNN_INLINE void FN(lstm_gates)(REAL *z, REAL *restrict c, const REAL *restrict c_before, const REAL *restrict sum,
                               fnn_size H,
                               fnn_size width)
{
    REAL *restrict zi = z, *restrict zf = z + H, *restrict zg = z + 2 * H, *restrict zo = z + 3 * H;
    #pragma omp simd
    for (fnn_size j = 0; j < width; j++) {
        REAL i = r_sigmoid(zi[j] + sum[j]), f = r_sigmoid(zf[j] + sum[VL + j]);
        REAL g = r_tanh(zg[j] + sum[2 * VL + j]), o = r_sigmoid(zo[j] + sum[3 * VL + j]);
        zi[j] = i;
        zf[j] = f;
        zg[j] = g;
        zo[j] = o;
        c[j] = f * c_before[j] + i * g;
    }
}

FNN_INLINE void FN(lstm_output)(REAL *restrict h, const REAL *restrict o, const REAL *restrict c, fnn_size width)
{
    #pragma omp simd
    for (fnn_size j = 0; j < width; j++)
        h[j] = o[j] * r_tanh(c[j]);
}

/* All rows' cells, and then all rows' outputs: an output waits for its cell, and meanwhile other
 * rows' are computed, with fewer constants to hold in registers. A fifth less time with AVX-512, a
 * quarter with AVX2. */
FNN_INLINE void FN(lstm_forward_units)(const FN(recurrence) *r, fnn_size i, fnn_size first, fnn_size rows,
                                       fnn_size unit,
                                       const fnn_size width, const REAL *sum)
{
    const FN(lstm_forward_pass) *p = (const void *)r;
    const fnn_size H = r->H, t = FN(rec_time)(r, i), pitch = fnn_recurrent_pitch(4 * H), at = first * H + unit, now = t
        * r->B * H + at;
    const REAL *c_before = (i == 0 ? p->c0 : p->cells + FN(rec_time)(r, i - 1) * r->B * H) + at;
    REAL *gates = p->gates + (t * r->B + first) * pitch + unit, *c = p->cells + now, *h = p->y + now;
    for (fnn_size row = 0; row < rows; row++)
        FN(lstm_gates)(gates + row * pitch, c + row * H, c_before + row * H, sum + row * 4 * VL, H, width);
    for (fnn_size row = 0; row < rows; row++)
        FN(lstm_output)(h + row * H, gates + row * pitch + 3 * H, c + row * H, width);
}

static void FN(lstm_forward_cell)(const FN(recurrence) *r, fnn_size i, fnn_size first, fnn_size rows, fnn_size unit,
                                  fnn_size width, const REAL *sum)
{
    if (width == VL)
        FN(lstm_forward_units)(r, i, first, rows, unit, VL, sum);
    else
        FN(lstm_forward_units)(r, i, first, rows, unit, width, sum);
}

void FN(lstm_forward)(REAL *y, REAL *hT, REAL *cT, REAL *gates, REAL *cells, const REAL *x, const REAL *h0,
                      const REAL *c0, const REAL *w_ih, const REAL *w_hh, const REAL *b_ih, const REAL *b_hh,
                      REAL *work, fnn_size T, fnn_size B, fnn_size I, fnn_size H, int reverse)
{
    const fnn_size pitch = fnn_recurrent_pitch(4 * H);
    REAL *bias = work + fnn_recurrent_forward_work(4, B, H) - 5 * H;
    for (fnn_size j = 0; j < 4 * H; j++)
        bias[j] = (b_ih ? b_ih[j] : 0) + (b_hh ? b_hh[j] : 0);
    /* all steps' W_ih x + b:   m = T*B, n = 4H, k = I */
    FN(gemm)(gates, pitch, x, I, 1, w_ih, 1, I, NULL, bias, T * B, 4 * H, I, 0);
    if (T == 1)                                     /* z += h0 W_hh^T:   m = B, n = 4H, k = H */
        FN(gemm)(gates, pitch, h0, H, 1, w_hh, 1, H, NULL, NULL, B, 4 * H, H, FNN_GEMM_ADD);

    FN(lstm_forward_pass) pass = { .y = y, .gates = gates, .cells = cells, .c0 = c0 };
    pass.r = FN(rec_forward_pass)(FN(lstm_forward_cell), work, w_hh, h0, y, T, B, H, reverse);
    FN(rec_run)(&pass.r, 0, T);
    const fnn_size last = FN(rec_time)(&pass.r, T - 1) * B * H;
    if (hT) memcpy(hT, y + last, (size_t)(B * H) * sizeof(REAL));
    if (cT) memcpy(cT, cells + last, (size_t)(B * H) * sizeof(REAL));
}

/* ---- backward -------------------------------------------------------------------------------- */

typedef struct {
    FN(recurrence) r;
    REAL *dc;                                       /* dc goes into a step as what the step after wants of c_t */
    const REAL *dy, *dhT, *gates, *cells, *c0;
} FN(lstm_backward_pass);

/* Through the gates of `width` units of one sequence. dc comes out as the gradient of c_{t-1}. */
FNN_INLINE void FN(lstm_gates_backward)(REAL *dz, REAL *restrict dc, const REAL *restrict dh, const REAL *gates,
                                        const REAL *restrict c, const REAL *restrict c_before, fnn_size H,
                                        fnn_size width)
{
    REAL *restrict dzi = dz, *restrict dzf = dz + H, *restrict dzg = dz + 2 * H, *restrict dzo = dz + 3 * H;
    const REAL *restrict gi = gates, *restrict gf = gates + H;
    const REAL *restrict gg = gates + 2 * H, *restrict go = gates + 3 * H;
    #pragma omp simd
    for (fnn_size j = 0; j < width; j++) {
        REAL i = gi[j], f = gf[j], g = gg[j], o = go[j], tanh_c = r_tanh(c[j]);
        REAL d = dc[j] + dh[j] * o * (1 - tanh_c * tanh_c);            /* forward was  h = o * tanh(c) */
        dzo[j] = dh[j] * tanh_c * o * (1 - o);                         /* forward was  o = sigmoid(z_o) */
        dzi[j] = d * g * i * (1 - i);                                  /* forward was  c = f * c_before + i * g */
        dzf[j] = d * c_before[j] * f * (1 - f);
        dzg[j] = d * i * (1 - g * g);
        dc[j] = d * f;
    }
}

static void FN(lstm_backward_cell)(const FN(recurrence) *r, fnn_size i, fnn_size first, fnn_size rows, fnn_size unit,
                                   fnn_size width, const REAL *sum)
{
    const FN(lstm_backward_pass) *p = (const void *)r;
    const fnn_size H = r->H, t = FN(rec_time)(r, i);
    const REAL *c_before = i == r->T - 1 ? p->c0 : p->cells + FN(rec_time)(r, i + 1) * r->B * H;
    REAL dh[4 * (VBYTES ? VBYTES / sizeof(REAL) : 1)];
    for (fnn_size row = 0; row < rows; row++, sum += 4 * VL) {
        fnn_size at = (first + row) * H + unit;
        const REAL *c = p->cells + t * r->B * H + at, *gates = p->gates + (t * r->B + first + row)
            * fnn_recurrent_pitch(4 * H) + unit;
        REAL *dz = r->trail + FN(rec_place)(r, i) + (first + row) * r->pitch + unit;
        if (width == 4 * VL) {
            FN(rec_upstream)(dh, r, i, at, 4 * VL, sum, p->dy, p->dhT);
            FN(lstm_gates_backward)(dz, p->dc + at, dh, gates, c, c_before + at, H, 4 * VL);
        } else {
            FN(rec_upstream)(dh, r, i, at, width, sum, p->dy, p->dhT);
            FN(lstm_gates_backward)(dz, p->dc + at, dh, gates, c, c_before + at, H, width);
        }
    }
}

void FN(lstm_backward)(REAL *dx, REAL *dh0, REAL *dc0, REAL *dw_ih, REAL *dw_hh, REAL *db, const REAL *dy,
                       const REAL *dhT, const REAL *dcT, const REAL *x, const REAL *h0, const REAL *c0,
                       const REAL *w_ih, const REAL *w_hh, const REAL *y, const REAL *gates, const REAL *cells,
                       REAL *work, fnn_size T, fnn_size B, fnn_size I, fnn_size H, int reverse)
{
    REAL *dc = work + fnn_recurrent_work(4, 4, T, B, I, H) - B * H;
    if (dcT) memcpy(dc, dcT, (size_t)(B * H) * sizeof(REAL));
    else memset(dc, 0, (size_t)(B * H) * sizeof(REAL));
    FN(lstm_backward_pass) pass = { .dc = dc, .dy = dy, .dhT = dhT, .gates = gates, .cells = cells, .c0 = c0 };
    const FN(rec_gradients) gradients = { .dx = dx, .dh0 = dh0, .dw_ih = dw_ih, .dw_hh = dw_hh, .db_hh = db, .x = x,
                                         .h0 = h0,
                                          .w_ih = w_ih, .w_hh = w_hh, .y = y, .I = I, .reverse = reverse };
    FN(rec_backward)(&pass.r, FN(lstm_backward_cell), &gradients, work, T, B, H);
    if (dc0) memcpy(dc0, dc, (size_t)(B * H) * sizeof(REAL));
}
#undef REC_GATES
#undef REC_PIECES
#undef REC_VECTORS
