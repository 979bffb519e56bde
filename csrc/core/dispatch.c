/* dispatch.c -- what this processor can do, and the table of kernels.
 *
 * There is no list of kernels here: kernels.h is included with meanings of KERNEL that make of each
 * row what callers reach. `##` pastes the names. The row relu_forward becomes, once for float (f32)
 * and once for double (f64),
 *
 *     static void relu_forward_f32(void *y, const void *x, fnn_size n)
 *     {
 *         const int level = fnn_level();
 *         if (level == FNN_AVX512) { fnn_relu_forward_f32__avx512(y, x, n); return; }
 *         if (level == FNN_AVX2) { fnn_relu_forward_f32__avx2(y, x, n); return; }
 *         fnn_relu_forward_f32__portable(y, x, n);
 *     }
 *
 * and fnn_relu_forward[FNN_F32] points there. This function is what makes one table of two types:
 * the caller's `void *` becomes the kernel's `float *` by conversion. To call the kernel itself
 * through a pointer that says `void *` is undefined in C, and Clang's -fsanitize=function stops
 * there (`make function`). It costs some five instructions a call.
 *
 * Nothing but one atomic number changes with the level, so that it may change while other threads
 * call kernels: a call runs at the old level or at the new one.
 */
#include "fastnn.h"
#include "core/sync.h"

#if FNN_BUILD_AVX2
#  include <cpuid.h>
#endif

static fnn_flag level_in_use;                       /* FNN_PORTABLE at first */

int fnn_level(void) { return fnn_flag_get(&level_in_use); }

/* ---- prototypes of every version ------------------------------------------------------------- */
#define REAL float
#define KERNEL(name, arguments, names) void fnn_##name##_f32__portable arguments; \
                                       void fnn_##name##_f32__plain arguments;    \
                                       void fnn_##name##_f32__avx2 arguments;     \
                                       void fnn_##name##_f32__avx512 arguments;
#include "kernels.h"
#undef KERNEL
#undef REAL
#define REAL double
#define KERNEL(name, arguments, names) void fnn_##name##_f64__portable arguments; \
                                       void fnn_##name##_f64__plain arguments;    \
                                       void fnn_##name##_f64__avx2 arguments;     \
                                       void fnn_##name##_f64__avx512 arguments;
#include "kernels.h"
#undef KERNEL
#undef REAL

/* ---- the table ------------------------------------------------------------------------------- */
/* The levels above the portable one, as far as they were built. */
#if FNN_BUILD_AVX512
#  define IF_AVX512(call) if (level == FNN_AVX512) { call; return; }
#else
#  define IF_AVX512(call)
#endif
#if FNN_BUILD_AVX2
#  define IF_AVX2(call) if (level == FNN_AVX2) { call; return; }
#else
#  define IF_AVX2(call)
#endif
#if FNN_BUILD_PLAIN
#  define IF_PLAIN(call) if (level == FNN_PLAIN) { call; return; }
#else
#  define IF_PLAIN(call)
#endif

#define AT_LEVEL(name, type, arguments, names)              \
    static void name##_##type arguments                     \
    {                                                       \
        const int level = fnn_level();                      \
        (void)level;                                        \
        IF_AVX512(fnn_##name##_##type##__avx512 names)      \
        IF_AVX2(fnn_##name##_##type##__avx2 names)          \
        IF_PLAIN(fnn_##name##_##type##__plain names)        \
        fnn_##name##_##type##__portable names;              \
    }

#define REAL void
#define KERNEL(name, arguments, names)                      \
    AT_LEVEL(name, f32, arguments, names)                   \
    AT_LEVEL(name, f64, arguments, names)                   \
    fnn_##name##_fn *const fnn_##name[2] = { name##_f32, name##_f64 };
#include "kernels.h"
#undef KERNEL
#undef REAL

/* ---- what this processor and its system can run ---------------------------------------------- */
#if FNN_BUILD_AVX2
static unsigned long long saved_by_system(void) /* register files that the operating system saves on
                                                   a task switch */
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
    /* with BMI1 and BMI2 */
    const unsigned avx2 = (1u << 5) | (1u << 3) | (1u << 8);
    const unsigned avx512 = (1u << 16) | (1u << 17) | (1u << 30) | (1u << 31);  /* F, DQ, BW, VL */
    if ((b & avx2) != avx2 || (saved & ymm) != ymm) return FNN_PORTABLE;
    if ((b & avx512) != avx512 || (saved & zmm) != zmm) return FNN_AVX2;
    return FNN_AVX512;
}
#else
static int processor_level(void) { return FNN_PORTABLE; }
#endif

const char *fnn_level_name(int level)
{
#if defined(__aarch64__)
    /* NEON is every arm64's baseline */
    static const char *const names[FNN_LEVELS] = { "neon", "avx2", "avx512" };
#else
    static const char *const names[FNN_LEVELS] = { "portable", "avx2", "avx512" };
#endif
    return level >= 0 && level < FNN_LEVELS ? names[level] : NULL;
}

int fnn_level_built(int level)
{
    return level == FNN_PORTABLE || (level == FNN_AVX2 && FNN_BUILD_AVX2) || (level == FNN_AVX512 && FNN_BUILD_AVX512)
           || (level == FNN_PLAIN && FNN_BUILD_PLAIN);
}

int fnn_level_runs(int level) { return fnn_level_built(level) && (level == FNN_PLAIN || level <= processor_level()); }

int fnn_use_level(int level)
{
    if (!fnn_level_runs(level)) return 0;
    fnn_flag_set(&level_in_use, level);
    return 1;
}
