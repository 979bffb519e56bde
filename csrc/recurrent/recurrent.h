/* recurrent.h -- how lstm.h, gru.h and rnn.h lay out rows, how backward cuts a sequence, and the
 * workspace of both. Letters: recurrent.tmpl.h. */
#ifndef FNN_RECURRENT_H
#define FNN_RECURRENT_H

enum { FNN_RECURRENT_ROWS = 256 };                  /* rows of dz, steps times sequences, in a part: a block of the
                                                       products' k */

/* The steps in a part: all of them, or as many as have FNN_RECURRENT_ROWS rows */
static inline fnn_size fnn_recurrent_steps(fnn_size T, fnn_size B)
{
    fnn_size steps = B > 0 ? FNN_RECURRENT_ROWS / B : T;
    return steps < 1 ? 1 : steps < T ? steps : T;
}

/* Elements from one row of gates, dz or the copy of h to the next: an odd number of sixteens, since
 * rows at powers of two would share places in the caches. */
static inline fnn_size fnn_recurrent_pitch(fnn_size width) { return ((width + 15) / 16 | 1) * 16; }

/* Elements of workspace for forward: the h of two steps, packed W_hh, biases */
static inline fnn_size fnn_recurrent_forward_work(fnn_size gates, fnn_size B, fnn_size H)
{
    return 2 * B * fnn_recurrent_pitch(H) + gates * H * (H + 64) + (gates + 1) * H;
}

/* Rows of the dz that are kept: those of a part, and of the step before it */
static inline fnn_size fnn_recurrent_rows(fnn_size T, fnn_size B)
{
    const fnn_size steps = fnn_recurrent_steps(T, B);
    return (steps < T ? steps + 1 : T) * B;
}

/* Elements of a packed W_ih; where there is but one part it is not packed. */
static inline fnn_size fnn_recurrent_packed(fnn_size gates, fnn_size T, fnn_size B, fnn_size I, fnn_size H)
{
    return fnn_recurrent_steps(T, B) < T ? (I + 31) / 32 * 32 * gates * H + 64 : 0;
}

/* Elements of workspace for backward, with `pieces` times H numbers in a row of dz: 4, 4 and 1 with
 * the 4, 3 and 1 gates of LSTM, GRU, RNN */
static inline fnn_size fnn_recurrent_work(fnn_size gates, fnn_size pieces, fnn_size T, fnn_size B, fnn_size I,
                                          fnn_size H)
{
    return fnn_recurrent_packed(gates, T, B, I, H) + fnn_recurrent_rows(T, B) * fnn_recurrent_pitch(pieces * H)
         + gates * H * (H + 64) + B * H;
}

#endif
