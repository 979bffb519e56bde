/* rnn.tmpl.h -- the plain recurrent layer (Elman): one layer, one direction, a whole sequence in
 * one call.
 *
 * Math       z_t = W_ih x_t + b_ih + W_hh h_{t-1} + b_hh      h_t = f(z_t)
 *            f = tanh, or max(0, .)
 * Symbols    T steps, B batch, I inputs, H hidden units
 * Layout     x [T][B][I], y (all h_t) [T][B][H]; W_ih [H][I], W_hh [H][H]. dz is kept for some
 *            steps only, its rows fnn_gates_pitch(1, H) apart.
 * Method     As lstm.tmpl.h: W_ih x + b of all steps is one matrix product, into y, and
 *            recurrent.tmpl.h runs the steps, h_{t-1} W_hh^T and rnn_forward_cell. Backward it runs
 *            dz_{t+1} W_hh and rnn_backward_cell, and multiplies dz for dx and the weights'
 *            gradients, a part of the steps at a time. Both derivatives of f follow from y, so
 *            nothing else is saved.
 * Cost       forward 2*T*B*H*(I + H) flop, backward twice that.
 * Threads    see recurrent.tmpl.h
 * Reference  fastnn/reference/rnn.py; Elman (1990), "Finding structure in time"
 */
#define REC_GATES 1
#include "recurrent/recurrent.tmpl.h"

/* ---- forward --------------------------------------------------------------------------------- */

/* What the forward cell needs besides the recurrence: rec->arrays */
typedef struct {
    REAL *y;
    int relu;
} FN(rnn_forward_arrays);

FNN_INLINE void FN(rnn_activation)(REAL *restrict y, const REAL *restrict sum, int relu, fnn_size units)
{
    if (relu) {
        for (fnn_size j = 0; j < units; j++) {
            REAL z = y[j] + sum[j];
            y[j] = z < 0 ? 0 : z;
        }
    } else {
        #pragma omp simd
        for (fnn_size j = 0; j < units; j++)
            y[j] = r_tanh(y[j] + sum[j]);
    }
}

/* A FN(rec_cell). A constant number of units makes the loops over units straight code. */
static void FN(rnn_forward_cell)(const FN(recurrence) *rec, fnn_size step, fnn_size first, fnn_size rows, fnn_size unit,
                                 fnn_size units, const REAL *sum)
{
    const FN(rnn_forward_arrays) *arrays = rec->arrays;
    REAL *y = arrays->y + (FN(rec_time)(rec, step) * rec->B + first) * rec->H + unit;
    for (fnn_size row = 0; row < rows; row++, sum += 4 * VL)
        if (units == 4 * VL)
            FN(rnn_activation)(y + row * rec->H, sum, arrays->relu, 4 * VL);
        else
            FN(rnn_activation)(y + row * rec->H, sum, arrays->relu, units);
}

void FN(rnn_forward)(REAL *y, REAL *hT, const REAL *x, const REAL *h0, const REAL *w_ih, const REAL *w_hh,
                     const REAL *b_ih, const REAL *b_hh, REAL *work, fnn_size T, fnn_size B, fnn_size I, fnn_size H,
                     int reverse, int relu)
{
    REAL *bias = work + fnn_recurrent_forward_work(1, B, H) - 2 * H;
    for (fnn_size j = 0; j < H; j++)
        bias[j] = (b_ih ? b_ih[j] : 0) + (b_hh ? b_hh[j] : 0);
    /* all steps' W_ih x + b:   m = T*B, n = H, k = I */
    FN(gemm)(y, H, x, I, 1, w_ih, 1, I, NULL, bias, T * B, H, I, 0);
    if (T == 1)                                     /* z += h0 W_hh^T:   m = B, n = H, k = H */
        FN(gemm)(y, H, h0, H, 1, w_hh, 1, H, NULL, NULL, B, H, H, FNN_GEMM_ADD);

    const FN(rnn_forward_arrays) arrays = { .y = y, .relu = relu };
    FN(recurrence) rec = FN(rec_forward_pass)(FN(rnn_forward_cell), &arrays, work, w_hh, h0, y, T, B, H, reverse);
    FN(rec_run)(&rec, 0, T);
    if (hT) memcpy(hT, y + FN(rec_time)(&rec, T - 1) * B * H, (size_t)(B * H) * sizeof(REAL));
}

/* ---- backward -------------------------------------------------------------------------------- */

typedef struct {
    const REAL *dy, *dhT, *y;
    int relu;
} FN(rnn_backward_arrays);

/* forward was  h = tanh(z)  or  max(0, z): both slopes follow from h */
FNN_INLINE void FN(rnn_slope)(REAL *restrict dz, const REAL *restrict dh, const REAL *restrict h, int relu,
                              fnn_size units)
{
    if (relu)
        for (fnn_size j = 0; j < units; j++)
            dz[j] = h[j] > 0 ? dh[j] : 0;
    else
        for (fnn_size j = 0; j < units; j++)
            dz[j] = dh[j] * (1 - h[j] * h[j]);
}

/* A FN(rec_cell): row by row, what reaches h_t, and through f. */
static void FN(rnn_backward_cell)(const FN(recurrence) *rec, fnn_size step, fnn_size first, fnn_size rows,
                                  fnn_size unit, fnn_size units, const REAL *sum)
{
    const FN(rnn_backward_arrays) *arrays = rec->arrays;
    REAL dh[4 * VL];
    for (fnn_size row = 0; row < rows; row++, sum += 4 * VL) {
        fnn_size at = (first + row) * rec->H + unit, at_t = FN(rec_time)(rec, step) * rec->B * rec->H + at;
        REAL *dz = rec->carry + FN(rec_offset)(rec, step) + (first + row) * rec->pitch + unit;
        if (units == 4 * VL) {
            FN(rec_upstream)(dh, rec, step, at, 4 * VL, sum, arrays->dy, arrays->dhT);
            FN(rnn_slope)(dz, dh, arrays->y + at_t, arrays->relu, 4 * VL);
        } else {
            FN(rec_upstream)(dh, rec, step, at, units, sum, arrays->dy, arrays->dhT);
            FN(rnn_slope)(dz, dh, arrays->y + at_t, arrays->relu, units);
        }
    }
}

void FN(rnn_backward)(REAL *dx, REAL *dh0, REAL *dw_ih, REAL *dw_hh, REAL *db, const REAL *dy, const REAL *dhT,
                      const REAL *x, const REAL *h0, const REAL *w_ih, const REAL *w_hh, const REAL *y, REAL *work,
                      fnn_size T, fnn_size B, fnn_size I, fnn_size H, int reverse, int relu)
{
    const FN(rnn_backward_arrays) arrays = { .dy = dy, .dhT = dhT, .y = y, .relu = relu };
    const FN(rec_gradients) grads = { .dx = dx, .dh0 = dh0, .dw_ih = dw_ih, .dw_hh = dw_hh, .db_hh = db, .x = x,
                                      .h0 = h0, .w_ih = w_ih, .w_hh = w_hh, .y = y, .I = I, .reverse = reverse };
    FN(rec_backward)(FN(rnn_backward_cell), &arrays, &grads, work, T, B, H);
}
#undef REC_GATES
