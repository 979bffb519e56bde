/* lstm.h -- rows of kernels.h for lstm.c; no guard. Map of the family: recurrent.h.
 *
 * Names      fnn_lstm_forward, fnn_lstm_backward: FN(lstm_forward) and FN(lstm_backward), in
 *            lstm.tmpl.h. (fastnn.h says how names are made.)
 * Letters    lstm.tmpl.h, which has the mathematics. Gates in the order i f g o.
 */

#include "recurrent/recurrent.h"

/* One layer in one direction over a whole sequence. A cell is a sequence of one step: y is its h',
 * cells its c'.
 * y [T][B][H]   hT, cT [B][H] the state after the last step, may be NULL
 * gates [T][B][fnn_gates_pitch(4, H)], cells [T][B][H]: for backward
 * x [T][B][I]   h0, c0 [B][H]   w_ih [4H][I]   w_hh [4H][H]   b_ih, b_hh [4H], may be NULL
 * work [fnn_recurrent_forward_work(4, B, H)], aligned to 64 bytes
 * reverse: the steps run from T-1 down to 0   H > 0 */
KERNEL(lstm_forward, (REAL *y, REAL *hT, REAL *cT, REAL *gates, REAL *cells, const REAL *x, const REAL *h0,
        const REAL *c0, const REAL *w_ih, const REAL *w_hh, const REAL *b_ih, const REAL *b_hh, REAL *work, fnn_size T,
        fnn_size B, fnn_size I, fnn_size H, int reverse),
       (y, hT, cT, gates, cells, x, h0, c0, w_ih, w_hh, b_ih, b_hh, work, T, B, I, H, reverse))

/* Any gradient may be NULL; dy [T][B][H], dhT, dcT [B][H] may be NULL too and then count as 0.
 * db [4H] serves both biases.
 * work [fnn_recurrent_work(4, T, B, I, H)], aligned to 64 bytes */
KERNEL(lstm_backward, (REAL *dx, REAL *dh0, REAL *dc0, REAL *dw_ih, REAL *dw_hh, REAL *db, const REAL *dy,
        const REAL *dhT, const REAL *dcT, const REAL *x, const REAL *h0, const REAL *c0, const REAL *w_ih,
        const REAL *w_hh, const REAL *y, const REAL *gates, const REAL *cells, REAL *work, fnn_size T, fnn_size B,
        fnn_size I, fnn_size H, int reverse),
       (dx, dh0, dc0, dw_ih, dw_hh, db, dy, dhT, dcT, x, h0, c0, w_ih, w_hh, y, gates, cells, work, T, B, I, H,
        reverse))
