/* fastnn.h -- everything that the C core offers. Open this file first.
 *
 * What it is   Plain C11 with plain pointers and sizes: no Python.h, no errors, no allocation
 *              inside kernels. Sizes were checked before the call. The caller hands over every
 *              output and workspace.
 * Kernels      are listed by family in kernels.h, one row each:
 *
 *                  KERNEL(relu_forward, (REAL *y, const REAL *x, fnn_size n), (y, x, n))
 *
 *              that is its name, its arguments, and their names once more, with which
 *              core/dispatch.c hands them on. The contract stands above the row. This kernel is
 *              called so:
 *
 *                  fnn_relu_forward[FNN_F32](y, x, n);             // y and x point to float
 *                  fnn_relu_forward[FNN_F64](y, x, n);             // y and x point to double
 *
 *              Each pointer leads to the version for this processor, or for the level that
 *              fnn_use_level asked for.
 * Names        The name fnn_relu_forward is never defined as such: KERNEL (below) and FN
 *              (core/levels.h) paste it together. The function itself is FN(relu_forward) in a
 *              .tmpl.h file, or a macro makes it from a line such as MAP1(relu_forward, ...). So
 *              search for relu_forward; or for fnn_relu_forward, which leads to the header that has
 *              its row: each lists its kernels under "Names", and the file that defines them. Only
 *              the name of a version, fnn_relu_forward_f32__avx2, is written nowhere.
 * Arguments    outputs, inputs, workspace, sizes, attributes; sizes are fnn_size, real attributes
 *              are double. Outputs are overwritten. Arrays are row-major, contiguous, aligned to
 *              their element, and do not overlap, unless a contract says so. A NULL gradient is not
 *              wanted. Sizes may be zero.
 * Threads      Kernels split their work with fnn_parallel_for (core/parallel.h), which also flushes
 *              denormals while it runs: numbers near zero, which processors handle slowly. The
 *              result's bits do not depend on the number of threads.
 *
 * core/        sizes.h            min, max, rounding up      levels.h       one file, many versions
 *              simd.h             vectors; exp, log, ...     types.h        and both types
 *              transpose.tmpl.h   blocks in registers        dispatch.c     which version runs
 *              window.h           sliding windows            parallel.c     the thread pool
 *              philox.h           random numbers             sync.h         locks, atomic counters
 *              philox_words.h     many of them at once       processors.c   how many threads
 *              copy.c             copies of strided rows     memory.c       buffers and scratch
 *              power.h            powers of 2 for scaling    caches.c       sizes of caches
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

/* One type and two pointers per row: of all kernels, or in a kernel file (core/levels.h) of the
 * headers that it names. `void` stands for float in [FNN_F32] and for double in [FNN_F64]. */
#define REAL void
#define KERNEL(name, arguments, names)         \
    typedef void fnn_##name##_fn arguments;    \
    extern fnn_##name##_fn *const fnn_##name[2];
#if !defined(KERNELS)
#  include "kernels.h"
#elif defined(CALLS)
#  include CALLS
#  include KERNELS
#else
#  include KERNELS
#endif
#undef KERNEL
#undef REAL

#endif
