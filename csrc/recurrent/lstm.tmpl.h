/* lstm.tmpl.h -- long short-term memory: one layer, one direction, a whole sequence in one call.
 *
 * Math       z_t = W_ih x_t + b_ih + W_hh h_{t-1} + b_hh          its four quarters give the gates
 *            i = sigmoid(z_i)   f = sigmoid(z_f)   g = tanh(z_g)   o = sigmoid(z_o)
 *            c_t = f * c_{t-1} + i * g          h_t = o * tanh(c_t)
 *            Backward, with dh and dc all that reaches h_t and c_t:
 *            dc += dh * o * (1 - tanh(c_t)^2)   do = dh * tanh(c_t)
 *            di = dc * g   df = dc * c_{t-1}   dg = dc * i   dc_{t-1} = dc * f
 *            dz_i = di * i * (1 - i), likewise dz_f and dz_o;   dz_g = dg * (1 - g^2)
 * Symbols    T steps, B batch, I inputs, H hidden units. A "piece" is one gate's quarter of a row
 *            of 4H. Gates in the order i f g o.
 * Layout     x [T][B][I]; y (all h_t) and cells (all c_t) [T][B][H]; W_ih [4H][I], W_hh [4H][H].
 *            gates (z, and then the gates in its place) has a row of 4H numbers for each step and
 *            sequence, and rows lie fnn_gates_pitch(4, H) apart. dz has rows of the same kind,
 *            but only for the steps that are kept: those of a part, and of the step before it.
 * Method     Forward: W_ih x + b of all steps is one matrix product, into gates. Then
 *            recurrent.tmpl.h runs the steps: the product h_{t-1} W_hh^T, a few units at a time,
 *            and right behind it lstm_forward_cell, which makes these units' gates, c and h.
 *            Backward: recurrent.tmpl.h runs the steps from the last to the first, with the product
 *            dz_{t+1} W_hh and lstm_backward_cell behind it, and multiplies dz for dx, dW_ih, dW_hh
 *            and db, a part of the steps at a time. Its "Path" shows the calls down to the
 *            multiply-adds.
 * Cost       forward 2*T*B*4H*(I + H) flop, backward twice that.
 * Threads    see recurrent.tmpl.h
 * Reference  fastnn/reference/lstm.py; Hochreiter, Schmidhuber (1997), "Long short-term memory";
 *            Gers, Schmidhuber, Cummins (2000), "Learning to forget", for the forget gate;
 *            torch.nn.LSTM for the arrangement of weights.
 */
#define REC_GATES 4
#include "recurrent/recurrent.tmpl.h"

/* ---- forward --------------------------------------------------------------------------------- */

/* What the forward cell needs besides the recurrence: rec->arrays */
typedef struct {
    REAL *y, *gates, *cells;
    const REAL *c0;
} FN(lstm_forward_arrays);

/* The gates and c of one sequence's `units`: z + sum goes into the sigmoids and tanh, and what
 * comes out takes the place of z. */
FNN_INLINE void FN(lstm_gates)(REAL *z, REAL *restrict c, const REAL *restrict c_before, const REAL *restrict sum,
                               fnn_size H, fnn_size units, const int ieee)
{
    REAL *restrict zi = z, *restrict zf = z + H, *restrict zg = z + 2 * H, *restrict zo = z + 3 * H;
    #pragma omp simd
    for (fnn_size j = 0; j < units; j++) {
        REAL i = FN(rec_gate)(zi[j] + sum[j], ieee), f = FN(rec_gate)(zf[j] + sum[VL + j], ieee);
        REAL g = r_tanh(zg[j] + sum[2 * VL + j]), o = FN(rec_gate)(zo[j] + sum[3 * VL + j], ieee);
        zi[j] = i;
        zf[j] = f;
        zg[j] = g;
        zo[j] = o;
        c[j] = f * c_before[j] + i * g;
    }
}

FNN_INLINE void FN(lstm_output)(REAL *restrict h, const REAL *restrict o, const REAL *restrict c, fnn_size units)
{
    #pragma omp simd
    for (fnn_size j = 0; j < units; j++)
        h[j] = o[j] * r_tanh(c[j]);
}

/* All rows' c, and then all rows' h: an h waits for its c, and meanwhile other rows' are computed,
 * with fewer constants to hold in registers. */
FNN_INLINE void FN(lstm_forward_units)(const FN(recurrence) *rec, fnn_size step, fnn_size first, fnn_size rows,
                                       fnn_size unit, const fnn_size units, const int ieee, const REAL *sum)
{
    const FN(lstm_forward_arrays) *arrays = rec->arrays;
    const fnn_size H = rec->H, t = FN(rec_time)(rec, step), pitch = fnn_gates_pitch(4, H);
    const fnn_size at = first * H + unit, at_t = t * rec->B * H + at;
    const REAL *c_before = (step == 0 ? arrays->c0 : arrays->cells + FN(rec_time)(rec, step - 1) * rec->B * H) + at;
    REAL *gates = arrays->gates + (t * rec->B + first) * pitch + unit, *c = arrays->cells + at_t, *h = arrays->y + at_t;
    for (fnn_size row = 0; row < rows; row++)
        FN(lstm_gates)(gates + row * pitch, c + row * H, c_before + row * H, sum + row * 4 * VL, H, units,
                       ieee);
    for (fnn_size row = 0; row < rows; row++)
        FN(lstm_output)(h + row * H, gates + row * pitch + 3 * H, c + row * H, units);
}

/* A FN(rec_cell). A constant number of units makes the loops over units straight code. */
static void FN(lstm_forward_cell)(const FN(recurrence) *rec, fnn_size step, fnn_size first, fnn_size rows,
                                  fnn_size unit, fnn_size units, const REAL *sum)
{
    if (rec->ieee)
        FN(lstm_forward_units)(rec, step, first, rows, unit, units, 1, sum);
    else if (units == VL)
        FN(lstm_forward_units)(rec, step, first, rows, unit, VL, 0, sum);
    else
        FN(lstm_forward_units)(rec, step, first, rows, unit, units, 0, sum);
}

void FN(lstm_forward)(REAL *y, REAL *hT, REAL *cT, REAL *gates, REAL *cells, const REAL *x, const REAL *h0,
                      const REAL *c0, const REAL *w_ih, const REAL *w_hh, const REAL *b_ih, const REAL *b_hh,
                      REAL *work, fnn_size T, fnn_size B, fnn_size I, fnn_size H, int reverse)
{
    const fnn_size pitch = fnn_gates_pitch(4, H);
    /* in the 5 H numbers at the end of work, which rec_forward_pass leaves alone */
    REAL *bias = work + fnn_recurrent_forward_work(4, B, H) - 5 * H;
    for (fnn_size j = 0; j < 4 * H; j++)
        bias[j] = (b_ih ? b_ih[j] : 0) + (b_hh ? b_hh[j] : 0);
    /* all steps' W_ih x + b:   m = T*B, n = 4H, k = I */
    FN(gemm)(gates, pitch, x, I, 1, w_ih, 1, I, NULL, bias, T * B, 4 * H, I, 0);
    /* One step does not repay packing W_hh, so rec_run multiplies nothing then.
     * z += h0 W_hh^T:   m = B, n = 4H, k = H */
    if (T == 1)
        FN(gemm)(gates, pitch, h0, H, 1, w_hh, 1, H, NULL, NULL, B, 4 * H, H, FNN_GEMM_ADD);

    const FN(lstm_forward_arrays) arrays = { .y = y, .gates = gates, .cells = cells, .c0 = c0 };
    FN(recurrence) rec = FN(rec_forward_pass)(FN(lstm_forward_cell), &arrays, work, w_hh, h0, y, T, B, H, reverse);
    FN(rec_run)(&rec, 0, T);
    const fnn_size last = FN(rec_time)(&rec, T - 1) * B * H;
    if (hT) memcpy(hT, y + last, (size_t)(B * H) * sizeof(REAL));
    if (cT) memcpy(cT, cells + last, (size_t)(B * H) * sizeof(REAL));
}

/* ---- backward -------------------------------------------------------------------------------- */

typedef struct {
    REAL *dc;   /* [B][H]: before the cell runs for t, what reaches c_t through c_{t+1}; after it,
                   what reaches c_{t-1} through c_t */
    const REAL *dy, *dhT, *gates, *cells, *c0;
} FN(lstm_backward_arrays);

/* dz of one sequence's `units` from dh; dc as in the struct above. */
FNN_INLINE void FN(lstm_gates_backward)(REAL *dz, REAL *restrict dc, const REAL *restrict dh, const REAL *gates,
                                        const REAL *restrict c, const REAL *restrict c_before, fnn_size H,
                                        fnn_size units)
{
    REAL *restrict dzi = dz, *restrict dzf = dz + H, *restrict dzg = dz + 2 * H, *restrict dzo = dz + 3 * H;
    const REAL *restrict gi = gates, *restrict gf = gates + H;
    const REAL *restrict gg = gates + 2 * H, *restrict go = gates + 3 * H;
    #pragma omp simd
    for (fnn_size j = 0; j < units; j++) {
        REAL i = gi[j], f = gf[j], g = gg[j], o = go[j], tanh_c = r_tanh(c[j]);
        REAL d = dc[j] + dh[j] * o * (1 - tanh_c * tanh_c); /* forward was  h = o * tanh(c) */
        dzo[j] = dh[j] * tanh_c * o * (1 - o);              /* forward was  o = sigmoid(z_o) */
        /* forward was  c = f * c_before + i * g */
        dzi[j] = d * g * i * (1 - i);
        dzf[j] = d * c_before[j] * f * (1 - f);
        dzg[j] = d * i * (1 - g * g);
        dc[j] = d * f;
    }
}

/* A FN(rec_cell): row by row, what reaches h_t, and from it dz. A constant number of units makes
 * the loops over units straight code. */
static void FN(lstm_backward_cell)(const FN(recurrence) *rec, fnn_size step, fnn_size first, fnn_size rows,
                                   fnn_size unit, fnn_size units, const REAL *sum)
{
    const FN(lstm_backward_arrays) *arrays = rec->arrays;
    const fnn_size H = rec->H, t = FN(rec_time)(rec, step);
    const REAL *c_before = step == rec->T - 1 ? arrays->c0 : arrays->cells + FN(rec_time)(rec, step + 1) * rec->B * H;
    REAL dh[4 * VL];
    for (fnn_size row = 0; row < rows; row++, sum += 4 * VL) {
        fnn_size at = (first + row) * H + unit;
        const REAL *c = arrays->cells + t * rec->B * H + at;
        const REAL *gates = arrays->gates + (t * rec->B + first + row) * fnn_gates_pitch(4, H) + unit;
        REAL *dz = rec->carry + FN(rec_offset)(rec, step) + (first + row) * rec->pitch + unit;
        if (units == 4 * VL) {
            FN(rec_upstream)(dh, rec, step, at, 4 * VL, sum, arrays->dy, arrays->dhT);
            FN(lstm_gates_backward)(dz, arrays->dc + at, dh, gates, c, c_before + at, H, 4 * VL);
        } else {
            FN(rec_upstream)(dh, rec, step, at, units, sum, arrays->dy, arrays->dhT);
            FN(lstm_gates_backward)(dz, arrays->dc + at, dh, gates, c, c_before + at, H, units);
        }
    }
}

void FN(lstm_backward)(REAL *dx, REAL *dh0, REAL *dc0, REAL *dw_ih, REAL *dw_hh, REAL *db, const REAL *dy,
                       const REAL *dhT, const REAL *dcT, const REAL *x, const REAL *h0, const REAL *c0,
                       const REAL *w_ih, const REAL *w_hh, const REAL *y, const REAL *gates, const REAL *cells,
                       REAL *work, fnn_size T, fnn_size B, fnn_size I, fnn_size H, int reverse)
{
    REAL *dc = work + fnn_recurrent_work(4, T, B, I, H) - B * H;
    if (dcT) memcpy(dc, dcT, (size_t)(B * H) * sizeof(REAL));
    else memset(dc, 0, (size_t)(B * H) * sizeof(REAL));
    const FN(lstm_backward_arrays) arrays = { .dc = dc, .dy = dy, .dhT = dhT, .gates = gates, .cells = cells,
                                              .c0 = c0 };
    const FN(rec_gradients) grads = { .dx = dx, .dh0 = dh0, .dw_ih = dw_ih, .dw_hh = dw_hh, .db_hh = db, .x = x,
                                      .h0 = h0, .w_ih = w_ih, .w_hh = w_hh, .y = y, .I = I, .reverse = reverse };
    FN(rec_backward)(FN(lstm_backward_cell), &arrays, &grads, work, T, B, H);
    if (dc0) memcpy(dc0, dc, (size_t)(B * H) * sizeof(REAL));
}
#undef REC_GATES
