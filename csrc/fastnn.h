/* fastnn.h -- everything that the C core offers. Open this file first.
 *
 * What it is   Plain C11 with plain pointers and sizes: no Python.h, no errors, no allocation
 *              inside kernels. Sizes were checked before the call, and the caller hands over every
 *              output and workspace.
 * Kernels      are listed by family in kernels.h, one row  KERNEL(name, arguments)  each, with the contract above the row. A row
 *              named relu_forward can be called from C as
 *
 *                  fnn_relu_forward[FNN_F32](y, x, n);             // y and x point to float
 *                  fnn_relu_forward[FNN_F64](y, x, n);             // y and x point to double
 *
 *              The pointer leads to the best version for this processor (dispatch.c).
 * Arguments    outputs, inputs, workspace, sizes, attributes; sizes are fnn_size, real attributes
 *              are double. Outputs are overwritten. Arrays are row-major, contiguous, aligned to
 *              their element, and do not overlap, unless a contract says so. A NULL gradient is not
 *              wanted. Sizes may be zero.
 * Threads      Kernels split their work with fnn_parallel_for (parallel.h), which also flushes
 *              denormals while it runs. The result's bits do not depend on the number of threads.
 */
#ifndef FASTNN_H
#define FASTNN_H

#include <stddef.h>
#include <stdint.h>

enum { FNN_F32 = 0, FNN_F64 = 1 };                  /* index into a kernel's pointers */

#include "core/sizes.h"
#include "core/caches.h"
#include "core/copy.h"
#include "core/parallel.h"
#include "core/memory.h"
#include "core/dispatch.h"

/* One type and two pointers per row of kernels.h. `void` stands for float in [FNN_F32] and for
 * double in [FNN_F64]. */
#define REAL void
#define KERNEL(name, ...)                    \
    typedef void fnn_##name##_fn(__VA_ARGS__); \
    extern fnn_##name##_fn *fnn_##name[2];
#include "kernels.h"
#undef KERNEL
#undef REAL

#endif
