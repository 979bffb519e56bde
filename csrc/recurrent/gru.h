/* gru.h -- rows of kernels.h for gru.c; no guard. Map of the family: recurrent.h.
 *
 * Names      fnn_gru_forward, fnn_gru_backward: FN(gru_forward) and FN(gru_backward), in
 *            gru.tmpl.h. (fastnn.h says how names are made.)
 * Letters    gru.tmpl.h, which has the mathematics. Gates in the order r z n.
 */

#include "recurrent/recurrent.h"

/* One layer in one direction over a whole sequence. A cell is a sequence of one step: y is its h'.
 * y [T][B][H]   hT [B][H] the state after the last step, may be NULL
 * gates [T][B][fnn_gates_pitch(3, H)] for backward: r, z, n and W_hn h + b_hn
 * x [T][B][I]   h0 [B][H]   w_ih [3H][I]   w_hh [3H][H]   b_ih, b_hh [3H], may be NULL
 * work [fnn_recurrent_forward_work(3, B, H)], aligned to 64 bytes
 * reverse: the steps run from T-1 down to 0   H > 0 */
KERNEL(gru_forward, (REAL *y, REAL *hT, REAL *gates, const REAL *x, const REAL *h0, const REAL *w_ih, const REAL *w_hh,
        const REAL *b_ih, const REAL *b_hh, REAL *work, fnn_size T, fnn_size B, fnn_size I, fnn_size H, int reverse),
       (y, hT, gates, x, h0, w_ih, w_hh, b_ih, b_hh, work, T, B, I, H, reverse))

/* Any gradient may be NULL; dy [T][B][H] and dhT [B][H] may be NULL too and then count as 0.
 * work [fnn_recurrent_work(3, T, B, I, H)], aligned to 64 bytes */
KERNEL(gru_backward, (REAL *dx, REAL *dh0, REAL *dw_ih, REAL *dw_hh, REAL *db_ih, REAL *db_hh, const REAL *dy,
        const REAL *dhT, const REAL *x, const REAL *h0, const REAL *w_ih, const REAL *w_hh, const REAL *y,
        const REAL *gates, REAL *work, fnn_size T, fnn_size B, fnn_size I, fnn_size H, int reverse),
       (dx, dh0, dw_ih, dw_hh, db_ih, db_hh, dy, dhT, x, h0, w_ih, w_hh, y, gates, work, T, B, I, H, reverse))
