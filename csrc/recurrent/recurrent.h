/* recurrent.h -- what lstm.h, gru.h and rnn.h share: a map of the family, how rows lie, and the
 * workspace.
 *
 * Letters    recurrent.tmpl.h
 * Map        the family, and when a file matters:
 *
 *     lstm.h, gru.h, rnn.h            the functions that can be called, with their contracts
 *     lstm.c, gru.c, rnn.c            compile the next files for every instruction set
 *     lstm.tmpl.h, gru.tmpl.h,        one family each: its formulas, forward and backward, and the
 *     rnn.tmpl.h                      "cells", which make gates and states of a step's products
 *     recurrent.tmpl.h                what the three share: the loop over the steps, the product
 *                                     with W_hh, threads, the weights' gradients
 *     fastnn/kernels/recurrent.pxi    the calls from Python, with lstm.pxi, gru.pxi, rnn.pxi
 *     docs/kernels/lstm.md            the way here from plain loops, what was measured, what did
 *                                     not pay
 *
 * What lies here is used by everybody who allocates for these kernels (recurrent.pxi,
 * tests/c/cases_sequences.c): no other place computes it.
 */
#ifndef FNN_RECURRENT_H
#define FNN_RECURRENT_H

#include "core/sizes.h"                     /* and gemm/gemm.h, which was included before */

enum { FNN_RECURRENT_ROWS = 256 };  /* rows of dz, steps times sequences, in a part of the backward
                                       pass: what a block of a matrix product sums up; timed:
                                       docs/kernels/lstm.md, "Backward" */

/* A "piece" is H numbers of a row, those of one gate. How many a row of gates, or of their
 * gradients, has: 4, 3 and 1 gates (LSTM, GRU, RNN) make 4, 4 and 1, as GRU keeps W_hn h + b_hn
 * too. */
static inline fnn_size fnn_recurrent_pieces(fnn_size gates) { return gates == 3 ? 4 : gates; }

/* The pitch of gates and of their gradients. That of rows of H numbers is fnn_odd_lines(H), too. */
static inline fnn_size fnn_gates_pitch(fnn_size gates, fnn_size H)
{
    return fnn_odd_lines(fnn_recurrent_pieces(gates) * H);
}

/* Elements of a packed W_hh. The last panel (recurrent.tmpl.h) is filled up, by less than a panel:
 * bound, 4 vectors of 16 floats, a unit each where there is one gate. */
enum { FNN_RECURRENT_UNITS = 64 };
static inline fnn_work fnn_recurrent_panels(fnn_size gates, fnn_size H)
{
    return (fnn_work)gates * H * (H + FNN_RECURRENT_UNITS);
}

/* Elements of workspace for forward: h of two steps, the packed W_hh, and gates + 1 biases of H
 * numbers */
static inline fnn_work fnn_recurrent_forward_work(fnn_size gates, fnn_size B, fnn_size H)
{
    return (fnn_work)2 * B * fnn_odd_lines(H) + fnn_recurrent_panels(gates, H) + (gates + 1) * H;
}

/* Backward cuts the sequence into parts of this many steps: all of them, or as many as have
 * FNN_RECURRENT_ROWS rows. */
static inline fnn_size fnn_recurrent_steps(fnn_size T, fnn_size B)
{
    return fnn_max(1, fnn_min(T, B > 0 ? FNN_RECURRENT_ROWS / B : T));
}

/* Rows of dz that are kept: those of a part, and of the step before it */
static inline fnn_size fnn_recurrent_rows(fnn_size T, fnn_size B)
{
    const fnn_size steps = fnn_recurrent_steps(T, B);
    return fnn_min(steps + 1, T) * B;
}

/* Elements of a packed W_ih, which all parts multiply by, in two pieces, as GRU needs it. A single
 * part takes W_ih as it lies. */
static inline fnn_work fnn_recurrent_packed(fnn_size gates, fnn_size T, fnn_size B, fnn_size I, fnn_size H)
{
    return fnn_recurrent_steps(T, B) < T
         ? (fnn_work)fnn_gemm_packed_size(I, (gates - 1) * H) + fnn_gemm_packed_size(I, H) : 0;
}

/* Elements of workspace for backward: the packed W_ih, dz, the packed W_hh, and what a step leaves
 * of a state, [B][H] */
static inline fnn_work fnn_recurrent_work(fnn_size gates, fnn_size T, fnn_size B, fnn_size I, fnn_size H)
{
    return fnn_recurrent_packed(gates, T, B, I, H) + (fnn_work)fnn_recurrent_rows(T, B) * fnn_gates_pitch(gates, H)
         + fnn_recurrent_panels(gates, H) + (fnn_work)B * H;
}

#endif
