/* resample.h -- images of another size: the rows of kernels.h for resample.c; no guard.
 *
 * Names      fnn_resample2d: FN(resample2d), in resample.tmpl.h.
 * Letters    planes of H x W pixels become planes of P x Q.
 * Map        the family:
 *
 *     resample.h                what can be called, with its contract (this file)
 *     resample.c                compiles the next file for every instruction set
 *     resample.tmpl.h           the formula, and one direction after the other
 *     fastnn/kernels/resample.pxi       the calls from Python, and the tables of taps
 */
#ifndef FNN_RESAMPLE_H_ONCE
#define FNN_RESAMPLE_H_ONCE
/* At most so many taps a column in the table of equal numbers; chosen: cubic interpolation has 4,
 * and so has the gradient of linear interpolation to twice the size. */
enum { FNN_RESAMPLE_TAPS = 4 };

/* Output i along one direction is the sum over start[i] <= k < start[i + 1] of weight[k] times
 * input at[k]. The inputs of one output stand in ascending order; it may have none. */
typedef struct { const fnn_size *start; const int32_t *at; const void *weight; } fnn_taps;

typedef struct {
    fnn_size planes, H, W, P, Q;
    fnn_taps row, col;
    /* where all columns can have 1, 2 or 4 taps: that many, tap k of column q at [k * Q + q];
     * else 0 */
    fnn_size col_taps;
    const int32_t *col_at;
    const void *col_weight;
} fnn_resample;
#endif

/* y[n][p][q] = sum over the taps of row p and column q of x, with weights that multiply:
 * x [planes][H][W], y [planes][P][Q]. The weights are REAL. */
KERNEL(resample2d, (REAL *y, const REAL *x, const fnn_resample *s), (y, x, s))
