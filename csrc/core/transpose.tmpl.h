/* transpose.tmpl.h -- a block of VL x VL numbers transposed in registers. Included by templates
 * that need it.
 *
 * TRANSPOSE_ROUNDS is 0 where there is no such function: compilers without shuffles, vectors of one
 * element.
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
/* v[i][j] becomes v[j][i]: each round interleaves the vectors of the lower half with those of the
 * upper half, as a dealer shuffles two packs of cards. */
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

/* A block straight from memory to memory: to[i * width + j] = row[j][p + i] for i and j below
 * TRANSPOSE_BLOCK. A vector of 32 bytes is loaded in two halves, from two rows that are half a
 * block apart. Then only 4 x 4 (or 2 x 2) blocks are left to be transposed, two at a time, within
 * the halves: fewer shuffles. */
#  undef TRANSPOSE_BLOCK
#  if VBYTES == 32
#    define TRANSPOSE_BLOCK (32 / (REAL_IS_F64 ? 8 : 4))
#    define HALF_LANES (TRANSPOSE_BLOCK / 2)
#    if REAL_IS_F64
#      define HALF_PAIR(a, b) TRANSPOSE_SHUFFLE(a, b, 0, 1, 2, 3)
#      define HALF_LOW(a, b) TRANSPOSE_SHUFFLE(a, b, 0, 4, 2, 6)
#      define HALF_HIGH(a, b) TRANSPOSE_SHUFFLE(a, b, 1, 5, 3, 7)
#    else
#      define HALF_PAIR(a, b) TRANSPOSE_SHUFFLE(a, b, 0, 1, 2, 3, 4, 5, 6, 7)
#      define HALF_LOW(a, b) TRANSPOSE_SHUFFLE(a, b, 0, 8, 1, 9, 4, 12, 5, 13)
#      define HALF_HIGH(a, b) TRANSPOSE_SHUFFLE(a, b, 2, 10, 3, 11, 6, 14, 7, 15)
#    endif
typedef REAL FN(transpose_half) __attribute__((vector_size(16), aligned(sizeof(REAL)), may_alias));
typedef REAL FN(transpose_vec) __attribute__((vector_size(32)));
typedef REAL FN(transpose_at) __attribute__((vector_size(32), aligned(sizeof(REAL)), may_alias));
FNN_INLINE void FN(transpose_to)(REAL *to, fnn_size width, const REAL *const *row, fnn_size p)
{
#pragma GCC unroll 2
    for (int column = 0; column < TRANSPOSE_BLOCK; column += HALF_LANES) {
        FN(transpose_vec) w[HALF_LANES], t[HALF_LANES];
#pragma GCC unroll 4
        for (int i = 0; i < HALF_LANES; i++)
            w[i] = HALF_PAIR(*(const FN(transpose_half) *)(row[i] + p + column),
                             *(const FN(transpose_half) *)(row[i + HALF_LANES] + p + column));
#pragma GCC unroll 2
        for (int round = 1; round < HALF_LANES; round *= 2) {
#pragma GCC unroll 2
            for (int i = 0; i < HALF_LANES / 2; i++) {
                t[2 * i] = HALF_LOW(w[i], w[i + HALF_LANES / 2]);
                t[2 * i + 1] = HALF_HIGH(w[i], w[i + HALF_LANES / 2]);
            }
#pragma GCC unroll 4
            for (int i = 0; i < HALF_LANES; i++)
                w[i] = t[i];
        }
#pragma GCC unroll 4
        for (int i = 0; i < HALF_LANES; i++)
            *(FN(transpose_at) *)(to + (column + i) * width) = w[i];
    }
}
#    undef HALF_LANES
#    undef HALF_PAIR
#    undef HALF_LOW
#    undef HALF_HIGH
#  else
#    define TRANSPOSE_BLOCK TRANSPOSE_LANES
FNN_INLINE void FN(transpose_to)(REAL *to, fnn_size width, const REAL *const *row, fnn_size p)
{
    vec v[TRANSPOSE_LANES];
#pragma GCC unroll 16
    for (int i = 0; i < TRANSPOSE_LANES; i++)
        v[i] = v_load(row[i] + p);
    FN(transpose)(v);
#pragma GCC unroll 16
    for (int i = 0; i < TRANSPOSE_LANES; i++)
        v_store(to + i * width, v[i]);
}
#  endif
#endif
