/* gru.tmpl.h -- gated recurrent units: one layer, one direction, a whole sequence in one call.
 *
 * Math       a_t = W_ih x_t + b_ih      u_t = W_hh h_{t-1} + b_hh      each of three pieces: r z n
 *            r = sigmoid(a_r + u_r)     z = sigmoid(a_z + u_z)     n = tanh(a_n + r * u_n)
 *            h_t = (1 - z) * n + z * h_{t-1}
 * Symbols    T steps, B batch, I inputs, H hidden units. A "piece" is H numbers of a row, those of
 *            one gate. Gates in the order r z n.
 * Layout     x [T][B][I], y (all h_t) [T][B][H]; W_ih [3H][I], W_hh [3H][H].
 *            gates has a row for each step and sequence, and rows lie fnn_gates_pitch(3, H)
 *            apart. A row is four pieces: r, z, n, u_n. The gradients' rows are da_r = du_r,
 *            da_z = du_z, du_n, da_n, kept for some steps only, as dz is of lstm.tmpl.h. So the
 *            gradient of u is the first three pieces, side by side, and that of a is the first two
 *            and the last.
 * Method     As lstm.tmpl.h: W_ih x + b of all steps is one matrix product, and recurrent.tmpl.h
 *            runs the steps, h_{t-1} W_hh^T and gru_forward_cell. Backward it runs du_{t+1} W_hh
 *            and gru_backward_cell, and multiplies for dx and the weights' gradients, a part of the
 *            steps at a time: one product each, or two where a's pieces are apart.
 * Cost       forward 2*T*B*3H*(I + H) flop, backward twice that.
 * Threads    see recurrent.tmpl.h
 * Reference  fastnn/reference/gru.py; Cho et al. (2014), "Learning phrase representations using RNN
 *            encoder-decoder for statistical machine translation". The reset gate acts after the
 *            product with W_hn and its bias, as in torch.nn.GRU.
 */
#define REC_GATES 3
#include "recurrent/recurrent.tmpl.h"

/* ---- forward --------------------------------------------------------------------------------- */

/* What the forward cell needs besides the recurrence: rec->arrays */
typedef struct {
    REAL *y, *gates;
    const REAL *h0, *bias;  /* bias: b_hn */
    int has_un;             /* whether u_n is in gates already, b_hn included: the products are done
                               outside */
} FN(gru_forward_arrays);

/* The gates r and z of one sequence's `units`: gates holds a and receives r, z and u_n; sum
 * is W_hh h_{t-1}, and un what is added for u_n. */
FNN_INLINE void FN(gru_gates)(REAL *gates, const REAL *sum, const REAL *un, fnn_size H, fnn_size units, const int ieee)
{
    REAL *restrict gr = gates, *restrict gz = gates + H, *gu = gates + 3 * H;
    #pragma omp simd
    for (fnn_size j = 0; j < units; j++) {
        gr[j] = FN(rec_gate)(gr[j] + sum[j], ieee);
        gz[j] = FN(rec_gate)(gz[j] + sum[VL + j], ieee);
        gu[j] = un[j] + sum[2 * VL + j];
    }
}

/* n, and from all of them h */
FNN_INLINE void FN(gru_output)(REAL *gates, REAL *restrict h, const REAL *restrict h_before, fnn_size H, fnn_size units)
{
    const REAL *restrict gr = gates, *restrict gz = gates + H, *restrict gu = gates + 3 * H;
    REAL *restrict gn = gates + 2 * H;
    #pragma omp simd
    for (fnn_size j = 0; j < units; j++) {
        const REAL n = r_tanh(gn[j] + gr[j] * gu[j]);
        gn[j] = n;
        h[j] = (1 - gz[j]) * n + gz[j] * h_before[j];
    }
}

/* All rows' gates, and then all rows' outputs: an output waits for its gates, and meanwhile other
 * rows' are computed. */
FNN_INLINE void FN(gru_forward_units)(const FN(recurrence) *rec, fnn_size step, fnn_size first, fnn_size rows,
                                      fnn_size unit, const fnn_size units, const int ieee, const REAL *sum)
{
    const FN(gru_forward_arrays) *arrays = rec->arrays;
    const fnn_size H = rec->H, t = FN(rec_time)(rec, step), pitch = fnn_gates_pitch(3, H), at = first * H + unit;
    const REAL *h_before = (step == 0 ? arrays->h0 : arrays->y + FN(rec_time)(rec, step - 1) * rec->B * H) + at;
    REAL *gates = arrays->gates + (t * rec->B + first) * pitch + unit, *h = arrays->y + t * rec->B * H + at;
    for (fnn_size row = 0; row < rows; row++)
        FN(gru_gates)(gates + row * pitch, sum + row * 3 * VL,
                      arrays->has_un ? gates + row * pitch + 3 * H : arrays->bias + unit, H, units, ieee);
    for (fnn_size row = 0; row < rows; row++)
        FN(gru_output)(gates + row * pitch, h + row * H, h_before + row * H, H, units);
}

/* A FN(rec_cell). A constant number of units makes the loops over units straight code. */
static void FN(gru_forward_cell)(const FN(recurrence) *rec, fnn_size step, fnn_size first, fnn_size rows, fnn_size unit,
                                 fnn_size units, const REAL *sum)
{
    if (rec->ieee)
        FN(gru_forward_units)(rec, step, first, rows, unit, units, 1, sum);
    else if (units == VL)
        FN(gru_forward_units)(rec, step, first, rows, unit, VL, 0, sum);
    else
        FN(gru_forward_units)(rec, step, first, rows, unit, units, 0, sum);
}

void FN(gru_forward)(REAL *y, REAL *hT, REAL *gates, const REAL *x, const REAL *h0, const REAL *w_ih, const REAL *w_hh,
                     const REAL *b_ih, const REAL *b_hh, REAL *work, fnn_size T, fnn_size B, fnn_size I, fnn_size H,
                     int reverse)
{
    const fnn_size pitch = fnn_gates_pitch(3, H);
    REAL *bias = work + fnn_recurrent_forward_work(3, B, H) - 4 * H, *bias_un = bias + 3 * H;
    for (fnn_size j = 0; j < 3 * H; j++)
        bias[j] = (b_ih ? b_ih[j] : 0) + (b_hh && j < 2 * H ? b_hh[j] : 0);
    for (fnn_size j = 0; j < H; j++)
        bias_un[j] = b_hh ? b_hh[2 * H + j] : 0;
    /* all steps' W_ih x + b:   m = T*B, n = 3H, k = I */
    FN(gemm)(gates, pitch, x, I, 1, w_ih, 1, I, NULL, bias, T * B, 3 * H, I, 0);
    if (T == 1) {           /* h0 W_hh^T:   added to the pieces r and z; the third stands alone */
        FN(gemm)(gates, pitch, h0, H, 1, w_hh, 1, H, NULL, NULL, B, 2 * H, H, FNN_GEMM_ADD);
        FN(gemm)(gates + 3 * H, pitch, h0, H, 1, w_hh + 2 * H * H, 1, H, NULL, bias_un, B, H, H, 0);
    }
    const FN(gru_forward_arrays) arrays = { .y = y, .gates = gates, .h0 = h0, .bias = bias_un, .has_un = T == 1 };
    FN(recurrence) rec = FN(rec_forward_pass)(FN(gru_forward_cell), &arrays, work, w_hh, h0, y, T, B, H, reverse);
    FN(rec_run)(&rec, 0, T);
    if (hT) memcpy(hT, y + FN(rec_time)(&rec, T - 1) * B * H, (size_t)(B * H) * sizeof(REAL));
}

/* ---- backward -------------------------------------------------------------------------------- */

typedef struct {
    REAL *direct;           /* [B][H]: what the step after wants of h_t past the gates, dh * z */
    const REAL *dy, *dhT, *y, *gates, *h0;
} FN(gru_backward_arrays);

/* Through the gates of one sequence's `units`. */
FNN_INLINE void FN(gru_gates_backward)(REAL *dgates, REAL *restrict direct, const REAL *restrict dh, const REAL *gates,
                                       const REAL *restrict h_before, fnn_size H, fnn_size units)
{
    REAL *restrict dr = dgates, *restrict dz = dgates + H, *restrict du = dgates + 2 * H, *restrict da = dgates + 3 * H;
    const REAL *restrict gr = gates, *restrict gz = gates + H;
    const REAL *restrict gn = gates + 2 * H, *restrict gu = gates + 3 * H;
    #pragma omp simd
    for (fnn_size j = 0; j < units; j++) {
        REAL r = gr[j], z = gz[j], n = gn[j], d = dh[j] + direct[j];
        REAL dn = d * (1 - z) * (1 - n * n);    /* forward was  h = (1 - z) * n + z * h_before */
        dz[j] = d * (h_before[j] - n) * z * (1 - z);
        direct[j] = d * z;
        dr[j] = dn * gu[j] * r * (1 - r);               /* forward was  n = tanh(a_n + r * u_n) */
        du[j] = dn * r;
        da[j] = dn;
    }
}

/* A FN(rec_cell): row by row, what reaches h_t, and through the gates. */
static void FN(gru_backward_cell)(const FN(recurrence) *rec, fnn_size step, fnn_size first, fnn_size rows,
                                  fnn_size unit, fnn_size units, const REAL *sum)
{
    const FN(gru_backward_arrays) *arrays = rec->arrays;
    const fnn_size H = rec->H, t = FN(rec_time)(rec, step);
    const REAL *h_before = step == rec->T - 1 ? arrays->h0 : arrays->y + FN(rec_time)(rec, step + 1) * rec->B * H;
    REAL dh[4 * VL];
    for (fnn_size row = 0; row < rows; row++, sum += 4 * VL) {
        fnn_size at = (first + row) * H + unit;
        const REAL *gates = arrays->gates + (t * rec->B + first + row) * fnn_gates_pitch(3, H) + unit;
        REAL *dgates = rec->carry + FN(rec_offset)(rec, step) + (first + row) * rec->pitch + unit;
        if (units == 4 * VL) {
            FN(rec_upstream)(dh, rec, step, at, 4 * VL, sum, arrays->dy, arrays->dhT);
            FN(gru_gates_backward)(dgates, arrays->direct + at, dh, gates, h_before + at, H, 4 * VL);
        } else {
            FN(rec_upstream)(dh, rec, step, at, units, sum, arrays->dy, arrays->dhT);
            FN(gru_gates_backward)(dgates, arrays->direct + at, dh, gates, h_before + at, H, units);
        }
    }
}

void FN(gru_backward)(REAL *dx, REAL *dh0, REAL *dw_ih, REAL *dw_hh, REAL *db_ih, REAL *db_hh, const REAL *dy,
                      const REAL *dhT, const REAL *x, const REAL *h0, const REAL *w_ih, const REAL *w_hh, const REAL *y,
                      const REAL *gates, REAL *work, fnn_size T, fnn_size B, fnn_size I, fnn_size H, int reverse)
{
    REAL *direct = work + fnn_recurrent_work(3, T, B, I, H) - B * H;
    memset(direct, 0, (size_t)(B * H) * sizeof(REAL));
    const FN(gru_backward_arrays) arrays = { .direct = direct, .dy = dy, .dhT = dhT, .y = y, .gates = gates, .h0 = h0 };
    const FN(rec_gradients) grads = { .dx = dx, .dh0 = dh0, .dw_ih = dw_ih, .dw_hh = dw_hh, .db_ih = db_ih,
                                      .db_hh = db_hh, .x = x, .h0 = h0, .w_ih = w_ih, .w_hh = w_hh, .y = y,
                                      .direct = direct, .I = I, .reverse = reverse };
    FN(rec_backward)(FN(gru_backward_cell), &arrays, &grads, work, T, B, H);
}
#undef REC_GATES
