/* arithmetic.c -- sums, products, powers and the like of arrays, broadcast as NumPy does it.
 * Methods: arithmetic.tmpl.h, map.tmpl.h. */
#define KERNELS "pointwise/arithmetic.h"
#include "fastnn.h"

#include <math.h>
#include <string.h>

int fnn_broadcast_plan(fnn_broadcast *plan, fnn_size *y_shape, int a_ndim, const fnn_size *a_shape, int b_ndim,
                       const fnn_size *b_shape)
{
    const int ndim = (int)fnn_max(a_ndim, b_ndim);
    fnn_size a_step = 1, b_step = 1, size = 1;
    fnn_size steps_a[FNN_MAX_DIMS], steps_b[FNN_MAX_DIMS];
    for (int d = ndim - 1; d >= 0; d--) {
        const fnn_size a_size = d >= ndim - a_ndim ? a_shape[d - (ndim - a_ndim)] : 1;
        const fnn_size b_size = d >= ndim - b_ndim ? b_shape[d - (ndim - b_ndim)] : 1;
        y_shape[d] = a_size == 1 ? b_size : a_size;
        steps_a[d] = a_size == 1 ? 0 : a_step;
        steps_b[d] = b_size == 1 ? 0 : b_step;
        a_step *= a_size;
        b_step *= b_size;
        size *= y_shape[d];
    }
    plan->size = size;
    plan->ndim = 0;
    for (int d = 0; d < ndim; d++) {
        const int k = plan->ndim - 1;
        if (y_shape[d] == 1)
            continue;
        if (k >= 0 && plan->a_step[k] == steps_a[d] * y_shape[d] && plan->b_step[k] == steps_b[d] * y_shape[d]) {
            /* both arrays run on across the two dimensions, or both repeat */
            plan->shape[k] *= y_shape[d];
            plan->a_step[k] = steps_a[d];
            plan->b_step[k] = steps_b[d];
        } else {
            plan->shape[k + 1] = y_shape[d];
            plan->a_step[k + 1] = steps_a[d];
            plan->b_step[k + 1] = steps_b[d];
            plan->ndim++;
        }
    }
    if (plan->ndim == 0) {
        plan->ndim = 1;
        plan->shape[0] = 1;
        plan->a_step[0] = plan->b_step[0] = 0;
    }
    return ndim;
}

#define TEMPLATE "pointwise/arithmetic.tmpl.h"
#include "core/levels.h"
