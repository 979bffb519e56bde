/* types.h -- include TEMPLATE for float and for double, at the level that levels.h has set. */
#define REAL float
#define TYPE f32
#define REAL_IS_F64 0
#define KERNEL(name, arguments, names) void FN(name) arguments;
#ifdef CALLS
#  include CALLS
#endif
#include KERNELS
#undef KERNEL
#include "core/simd.h"
#include TEMPLATE
#undef REAL
#undef TYPE
#undef REAL_IS_F64

#define REAL double
#define TYPE f64
#define REAL_IS_F64 1
#define KERNEL(name, arguments, names) void FN(name) arguments;
#ifdef CALLS
#  include CALLS
#endif
#include KERNELS
#undef KERNEL
#include "core/simd.h"
#include TEMPLATE
#undef REAL
#undef TYPE
#undef REAL_IS_F64
