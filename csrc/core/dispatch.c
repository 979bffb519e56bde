/* dispatch.c -- what this processor can do, and the table of kernels: plain versions first, then
 * overridden.
 *
 * There is no list of kernels here: kernels.h is included once to define the pointers, and then
 * once per level inside the function that points them at that level. `##` pastes the names, so that
 * the row relu_forward defines fnn_relu_forward and points it at fnn_relu_forward_f32__avx2. The
 * static initialisers below are addresses only, so loading the library runs no wide instruction.
 */
#include "fastnn.h"

#if FNN_BUILD_AVX2
#  include <cpuid.h>
#endif

/* Function pointers of two types meet here: the table says `void *` where a kernel says `float *`.
 * Every ABI that fastnn is built for passes all object pointers alike, which is what makes one
 * table serve both types. */

/* ---- prototypes of every version ------------------------------------------------------------- */
#define REAL float
#define KERNEL(name, ...) void fnn_##name##_f32__portable(__VA_ARGS__); \
                          void fnn_##name##_f32__avx2(__VA_ARGS__);     \
                          void fnn_##name##_f32__avx512(__VA_ARGS__);
#include "kernels.h"
#undef KERNEL
#undef REAL
#define REAL double
#define KERNEL(name, ...) void fnn_##name##_f64__portable(__VA_ARGS__); \
                          void fnn_##name##_f64__avx2(__VA_ARGS__);     \
                          void fnn_##name##_f64__avx512(__VA_ARGS__);
#include "kernels.h"
#undef KERNEL
#undef REAL

/* ---- the table, plain versions first --------------------------------------------------------- */
#define REAL void
#define KERNEL(name, ...)                                               \
    fnn_##name##_fn *fnn_##name[2] = {                                  \
        (fnn_##name##_fn *)fnn_##name##_f32__portable,                  \
        (fnn_##name##_fn *)fnn_##name##_f64__portable };
#include "kernels.h"
#undef KERNEL

#define POINT_AT(name, level)                                           \
    fnn_##name[FNN_F32] = (fnn_##name##_fn *)fnn_##name##_f32__##level; \
    fnn_##name[FNN_F64] = (fnn_##name##_fn *)fnn_##name##_f64__##level;

static void use_portable(void)
{
#define KERNEL(name, ...) POINT_AT(name, portable)
#include "kernels.h"
#undef KERNEL
}

#if FNN_BUILD_AVX2
static void use_avx2(void)
{
#define KERNEL(name, ...) POINT_AT(name, avx2)
#include "kernels.h"
#undef KERNEL
}
#endif

#if FNN_BUILD_AVX512
static void use_avx512(void)
{
#define KERNEL(name, ...) POINT_AT(name, avx512)
#include "kernels.h"
#undef KERNEL
}
#endif
#undef REAL

/* ---- what this processor and its system can run ---------------------------------------------- */
#if FNN_BUILD_AVX2
static unsigned long long saved_by_system(void)     /* register files that the operating system saves on a task
                                                       switch */
{
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return ((unsigned long long)high << 32) | low;
}

static int processor_level(void)
{
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return FNN_PORTABLE;
    const unsigned fma = 1u << 12, osxsave = 1u << 27, f16c = 1u << 29;
    if ((c & (fma | osxsave | f16c)) != (fma | osxsave | f16c)) return FNN_PORTABLE;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return FNN_PORTABLE;

    const unsigned long long ymm = 0x6, zmm = 0xe6, saved = saved_by_system();
    const unsigned avx2 = (1u << 5) | (1u << 3) | (1u << 8);                               /* with BMI1 and BMI2 */
    const unsigned avx512 = (1u << 16) | (1u << 17) | (1u << 30) | (1u << 31);             /* F, DQ, BW, VL */
    if ((b & avx2) != avx2 || (saved & ymm) != ymm) return FNN_PORTABLE;
    if ((b & avx512) != avx512 || (saved & zmm) != zmm) return FNN_AVX2;
    return FNN_AVX512;
}
#else
static int processor_level(void) { return FNN_PORTABLE; }
#endif

static int level_in_use = FNN_PORTABLE;

const char *fnn_level_name(int level)
{
#if defined(__aarch64__)
    static const char *const names[FNN_LEVELS] = { "neon", "avx2", "avx512" };      /* NEON is every arm64's baseline */
#else
    static const char *const names[FNN_LEVELS] = { "portable", "avx2", "avx512" };
#endif
    return level >= 0 && level < FNN_LEVELS ? names[level] : NULL;
}

int fnn_level_built(int level)
{
    return level == FNN_PORTABLE || (level == FNN_AVX2 && FNN_BUILD_AVX2) || (level == FNN_AVX512 && FNN_BUILD_AVX512);
}

int fnn_level_runs(int level) { return fnn_level_built(level) && level <= processor_level(); }

int fnn_level(void) { return level_in_use; }

int fnn_use_level(int level)
{
    if (!fnn_level_runs(level)) return 0;
    if (level == FNN_PORTABLE) use_portable();
#if FNN_BUILD_AVX2
    if (level == FNN_AVX2) use_avx2();
#endif
#if FNN_BUILD_AVX512
    if (level == FNN_AVX512) use_avx512();
#endif
    level_in_use = level;
    return 1;
}
