/* rnn.h -- rows of kernels.h for rnn.c; no guard. Map of the family: recurrent.h.
 *
 * Names      fnn_rnn_forward, fnn_rnn_backward: FN(rnn_forward) and FN(rnn_backward), in
 *            rnn.tmpl.h. (fastnn.h says how names are made.)
 * Letters    rnn.tmpl.h, which has the mathematics.
 */

#include "recurrent/recurrent.h"

/* One layer in one direction over a whole sequence. A cell is a sequence of one step: y is its h'.
 * y [T][B][H], all that backward needs   hT [B][H] the state after the last step, may be NULL
 * x [T][B][I]   h0 [B][H]   w_ih [H][I]   w_hh [H][H]   b_ih, b_hh [H], may be NULL
 * work [fnn_recurrent_forward_work(1, B, H)], aligned to 64 bytes
 * reverse: the steps run from T-1 down to 0   H > 0
 * relu: the activation is max(0, z) instead of tanh */
KERNEL(rnn_forward, (REAL *y, REAL *hT, const REAL *x, const REAL *h0, const REAL *w_ih, const REAL *w_hh,
        const REAL *b_ih, const REAL *b_hh, REAL *work, fnn_size T, fnn_size B, fnn_size I, fnn_size H, int reverse,
        int relu),
       (y, hT, x, h0, w_ih, w_hh, b_ih, b_hh, work, T, B, I, H, reverse, relu))

/* Any gradient may be NULL; dy [T][B][H] and dhT [B][H] may be NULL too and then count as 0.
 * db [H] serves both biases.
 * work [fnn_recurrent_work(1, T, B, I, H)], aligned to 64 bytes */
KERNEL(rnn_backward, (REAL *dx, REAL *dh0, REAL *dw_ih, REAL *dw_hh, REAL *db, const REAL *dy, const REAL *dhT,
        const REAL *x, const REAL *h0, const REAL *w_ih, const REAL *w_hh, const REAL *y, REAL *work, fnn_size T,
        fnn_size B, fnn_size I, fnn_size H, int reverse, int relu),
       (dx, dh0, dw_ih, dw_hh, db, dy, dhT, x, h0, w_ih, w_hh, y, work, T, B, I, H, reverse, relu))
