/* dispatch.h -- which instruction-set level runs. Levels are ordered: a higher one needs all that
 * the lower ones need. */
#ifndef FASTNN_DISPATCH_H
#define FASTNN_DISPATCH_H

/* Not with GCC for Windows, MinGW's or Cygwin's: it keeps vectors of 32 bytes on a stack aligned to
 * 16, and reads them as if it were 32 (GCC's bug 54412). Clang does not. */
#if defined(__x86_64__) && (defined(__clang__) || (defined(__GNUC__) && !defined(_WIN32) && !defined(__CYGWIN__)))
#  define FNN_BUILD_AVX2 1
#  define FNN_BUILD_AVX512 1
#else
#  define FNN_BUILD_AVX2 0
#  define FNN_BUILD_AVX512 0
#endif

#ifndef FNN_BUILD_PLAIN
#  define FNN_BUILD_PLAIN 0
#endif

/* FNN_PLAIN, none of the FNN_LEVELS, is for the self-test: plain C, built with
 * -DFNN_BUILD_PLAIN=1. */
enum { FNN_PORTABLE = 0, FNN_AVX2 = 1, FNN_AVX512 = 2, FNN_LEVELS = 3, FNN_PLAIN = 3 };

const char *fnn_level_name(int level);  /* "portable" ("neon" on arm64), "avx2", "avx512", or
                                           NULL */
int fnn_level_built(int level);         /* was it compiled in? */
int fnn_level_runs(int level);          /* compiled in, and this processor and system can run it? */
int fnn_level(void);                    /* the level in use */
int fnn_use_level(int level);           /* run every kernel at this level; 0 if it cannot run here.
                                           Any thread may call it at any time. */

#endif
