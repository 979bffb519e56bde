/* levels.h -- compile one template for every instruction-set level and both types.
 *
 * A kernel file, say gemm.c, is four lines, and some add entry points of their own:
 *
 *     #define KERNELS "gemm/gemm.h"
 *     #include "fastnn.h"
 *     #define TEMPLATE "gemm/gemm.tmpl.h"
 *     #include "core/levels.h"
 *
 * KERNELS names the header with its rows, the only one of kernels.h that is read here: so a new row
 * recompiles only its own family. If the template calls kernels of another family, as conv2d.tmpl.h
 * does with FN(gemm), `#define CALLS "gemm/gemm.h"` names the header of those.
 *
 * The file gemm.tmpl.h holds the one body. It is included once per level and type with these
 * names set:
 *
 *     REAL          float or double
 *     FN(name)      the name of this version of a function: FN(linear_forward) becomes
 *                   fnn_linear_forward_f32__avx2 and so on
 *     VBYTES        bytes of a vector register at this level (0: no vector types)
 *     REAL_IS_F64   0 or 1, for #if
 *
 * Everything in a template must be named through FN(), static helpers and types too, because all
 * versions share one file. So the way to find a function is to search for FN(linear_forward),
 * without the fnn_ that callers write. The level's instructions are enabled by a pragma around the
 * include, so no file needs flags of its own.
 */
#if defined(__GNUC__) || defined(__clang__)
#  define FNN_VECTOR_TYPES 1
#else
#  define FNN_VECTOR_TYPES 0            /* for example MSVC: the plain C, one element at a time */
#endif

#include <math.h>
#include <string.h>
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#  include <immintrin.h>                            /* v_max and v_min */
#endif

#define FNN_PASTE(name, type, level) fnn_##name##_##type##__##level
#define FNN_NAME(name, type, level) FNN_PASTE(name, type, level)
#define FN(name) FNN_NAME(name, TYPE, LEVEL)

/* ---- portable: the compiler's baseline ------------------------------------------------------- */
#define LEVEL portable
#define VBYTES (FNN_VECTOR_TYPES ? 16 : 0)
#include "core/types.h"
#undef LEVEL
#undef VBYTES

/* ---- plain: one element at a time, as without vector types ----------------------------------- */
/* Only for the self-test (tests/c/test_kernels.c), which holds the other levels against it. */
#if FNN_BUILD_PLAIN
#  define LEVEL plain
#  define VBYTES 0
#  include "core/types.h"
#  undef LEVEL
#  undef VBYTES
#endif

/* ---- AVX2 + FMA and AVX-512: x86-64 with GCC or Clang ---------------------------------------- */
#if FNN_BUILD_AVX2
#  if defined(__clang__)
#    pragma clang attribute push(__attribute__((target("avx2,fma,f16c,bmi,bmi2"))), apply_to = function)
#  else
#    pragma GCC push_options
#    pragma GCC target("avx2,fma,f16c,bmi,bmi2")
#  endif
#  define LEVEL avx2
#  define VBYTES 32
#  include "core/types.h"
#  undef LEVEL
#  undef VBYTES
#  if defined(__clang__)
#    pragma clang attribute pop
#  else
#    pragma GCC pop_options
#  endif
#endif

#if FNN_BUILD_AVX512
#  if defined(__clang__)
#    pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,bmi,bmi2"))), \
                                 apply_to = function)
#  else
#    pragma GCC push_options
#    pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,bmi,bmi2,prefer-vector-width=512")
#  endif
#  define LEVEL avx512
#  define VBYTES 64
#  include "core/types.h"
#  undef LEVEL
#  undef VBYTES
#  if defined(__clang__)
#    pragma clang attribute pop
#  else
#    pragma GCC pop_options
#  endif
#endif

#undef FN
#undef KERNELS
#undef CALLS
#undef TEMPLATE
