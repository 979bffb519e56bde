/* transpose.tmpl.h -- a block of VL x VL numbers transposed in registers. Included by templates that need it.
 *
 * TRANSPOSE_ROUNDS is 0 where there is no such function: compilers without shuffles, vectors of one element.
 */
#undef TRANSPOSE_LANES
#undef TRANSPOSE_ROUNDS
#undef TRANSPOSE_LOW
#undef TRANSPOSE_HIGH
#if REAL_IS_F64
#  define TRANSPOSE_LANES (VBYTES / 8)
#else
#  define TRANSPOSE_LANES (VBYTES / 4)
#endif
#if defined(__has_builtin) && !defined(TRANSPOSE_SHUFFLE)
#  if __has_builtin(__builtin_shufflevector)
#    define TRANSPOSE_SHUFFLE __builtin_shufflevector
#  endif
#endif

#if !defined(TRANSPOSE_SHUFFLE)
#  define TRANSPOSE_ROUNDS 0                        /* GCC before 12, MSVC: one element at a time */
#elif TRANSPOSE_LANES == 2
#  define TRANSPOSE_ROUNDS 1
#  define TRANSPOSE_LOW(a, b) TRANSPOSE_SHUFFLE(a, b, 0, 2)
#  define TRANSPOSE_HIGH(a, b) TRANSPOSE_SHUFFLE(a, b, 1, 3)
#elif TRANSPOSE_LANES == 4
#  define TRANSPOSE_ROUNDS 2
#  define TRANSPOSE_LOW(a, b) TRANSPOSE_SHUFFLE(a, b, 0, 4, 1, 5)
#  define TRANSPOSE_HIGH(a, b) TRANSPOSE_SHUFFLE(a, b, 2, 6, 3, 7)
#elif TRANSPOSE_LANES == 8
#  define TRANSPOSE_ROUNDS 3
#  define TRANSPOSE_LOW(a, b) TRANSPOSE_SHUFFLE(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#  define TRANSPOSE_HIGH(a, b) TRANSPOSE_SHUFFLE(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#elif TRANSPOSE_LANES == 16
#  define TRANSPOSE_ROUNDS 4
#  define TRANSPOSE_LOW(a, b) TRANSPOSE_SHUFFLE(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#  define TRANSPOSE_HIGH(a, b) TRANSPOSE_SHUFFLE(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#else
#  define TRANSPOSE_ROUNDS 0                        /* a vector of one element */
#endif

#if TRANSPOSE_ROUNDS
/* v[i][j] becomes v[j][i]: each round deals the vectors of the upper half between those of the lower half, like cards. */
FNN_INLINE void FN(transpose)(vec *v)
{
    vec t[TRANSPOSE_LANES];
#pragma GCC unroll 4
    for (int round = 0; round < TRANSPOSE_ROUNDS; round++) {
#pragma GCC unroll 8
        for (int i = 0; i < TRANSPOSE_LANES / 2; i++) {
            t[2 * i] = TRANSPOSE_LOW(v[i], v[i + TRANSPOSE_LANES / 2]);
            t[2 * i + 1] = TRANSPOSE_HIGH(v[i], v[i + TRANSPOSE_LANES / 2]);
        }
#pragma GCC unroll 16
        for (int i = 0; i < TRANSPOSE_LANES; i++)
            v[i] = t[i];
    }
}
#endif
