/* cases.h -- how a kernel's case in the self-test is written (test_kernels.c runs them, cases_*.c
 * hold them).
 *
 * A case calls its kernel with arguments made by the functions below, for as many sizes as it
 * likes:
 *
 *     CASE(relu_forward)
 *     {
 *         for (fnn_size n = 1; n < 100; n += 33) {
 *             LABEL("n=%td", n);
 *             void *x = in(r, n);
 *             CALL(relu_forward)(out(r, n), x, n);
 *         }
 *     }
 *
 * It runs once as plain C, and at each level with one thread and with three; every run gets the
 * same inputs, and what the arrays made by out() hold at the end is compared. `n` counts elements,
 * which are float or double as r->type says.
 */
#ifndef FNN_CASES_H
#define FNN_CASES_H

#include "../../csrc/fastnn.h"
#include "../../csrc/core/window.h"
#include "check.h"

typedef struct run run;
struct run {
    int type;                           /* FNN_F32 or FNN_F64 */
    char label[120];                    /* what is being done now, for reports */
    double tolerance;                   /* relative; a case may multiply it where its sums cancel */
    uint64_t seed;
    struct array *arrays;               /* all arrays of this run */
    int count, room;
};

/* Elements of an array. OF_TYPE: float or double, as r->type says */
enum kind { OF_TYPE, OF_BYTE, OF_INT32, OF_INT64, OF_DOUBLE };

void *in(run *r, fnn_size n);           /* random numbers in [-1, 1) */
void *in_range(run *r, fnn_size n, double low, double high);
void *in_steps(run *r, fnn_size n);     /* multiples of 1/4 in [-1, 1]: equal elements, and zeros */
void *in_special(run *r, fnn_size n);   /* NaN, infinities, -0, huge and denormal numbers among
                                           others */
int64_t *in_index(run *r, fnn_size n, int64_t low, int64_t high);          /* low <= index < high */
double *in_double(run *r, fnn_size n, double low, double high);

void *out(run *r, fnn_size n);  /* not initialised; all of it must be written, and is compared */
/* rows that lie apart: what is between them must be left alone */
void *out_rows(run *r, fnn_size rows, fnn_size width, fnn_size pitch);
void *out_as(run *r, fnn_size n, enum kind kind);   /* integers must be equal */
void *inout(run *r, fnn_size n);                    /* random numbers before, compared after */
void *work(run *r, fnn_size n, enum kind kind);     /* not initialised and not compared */
void *element(const run *r, void *array, fnn_size i);          /* the address of array[i] */

#define CASE(name) void case_##name(run *r)
#define CALL(name) fnn_##name[r->type]
#define LABEL(...) snprintf(r->label, sizeof r->label, __VA_ARGS__)
#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

/* One case per row of kernels.h: a kernel without one does not link. */
#define KERNEL(name, arguments, names) CASE(name);
#include "../../csrc/kernels.h"
#undef KERNEL

#endif
