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
/* v[i][j] becomes v[j][i]: each round deals the vectors of the upper half between those of the
 * lower half, like cards. */
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

/* A block straight from memory to memory: to[i * width + j] = row[j][p + i] for i, j < TURN_LANES.
 * Vectors of 32 byte are loaded in groups of 16 byte from two rows, half a vector apart, so that
 * only 4 x 4 (or 2 x 2) blocks are left to be transposed, within the groups: fewer shuffles, and
 * two at a time. */
#  undef TURN_LANES
#  if VBYTES == 32
#    define TURN_LANES (32 / (REAL_IS_F64 ? 8 : 4))
#    define TURN_GROUP (TURN_LANES / 2)
#    if REAL_IS_F64
#      define TURN_PAIR(a, b) TRANSPOSE_SHUFFLE(a, b, 0, 1, 2, 3)
#      define TURN_LOW(a, b) TRANSPOSE_SHUFFLE(a, b, 0, 4, 2, 6)
#      define TURN_HIGH(a, b) TRANSPOSE_SHUFFLE(a, b, 1, 5, 3, 7)
#    else
#      define TURN_PAIR(a, b) TRANSPOSE_SHUFFLE(a, b, 0, 1, 2, 3, 4, 5, 6, 7)
#      define TURN_LOW(a, b) TRANSPOSE_SHUFFLE(a, b, 0, 8, 1, 9, 4, 12, 5, 13)
#      define TURN_HIGH(a, b) TRANSPOSE_SHUFFLE(a, b, 2, 10, 3, 11, 6, 14, 7, 15)
#    endif
typedef REAL FN(turn_group) __attribute__((vector_size(16), aligned(sizeof(REAL)), may_alias));
typedef REAL FN(turn_vec) __attribute__((vector_size(32)));
typedef REAL FN(turn_at) __attribute__((vector_size(32), aligned(sizeof(REAL)), may_alias));
FNN_INLINE void FN(transpose_to)(REAL *to, fnn_size width, const REAL *const *row, fnn_size p)
{
#pragma GCC unroll 2
    for (int column = 0; column < TURN_LANES; column += TURN_GROUP) {
        FN(turn_vec) w[TURN_GROUP], t[TURN_GROUP];
#pragma GCC unroll 4
        for (int i = 0; i < TURN_GROUP; i++)
            w[i] = TURN_PAIR(*(const FN(turn_group) *)(row[i] + p + column),
                             *(const FN(turn_group) *)(row[i + TURN_GROUP] + p + column));
#pragma GCC unroll 2
        for (int round = 1; round < TURN_GROUP; round *= 2) {
#pragma GCC unroll 2
            for (int i = 0; i < TURN_GROUP / 2; i++) {
                t[2 * i] = TURN_LOW(w[i], w[i + TURN_GROUP / 2]);
                t[2 * i + 1] = TURN_HIGH(w[i], w[i + TURN_GROUP / 2]);
            }
#pragma GCC unroll 4
            for (int i = 0; i < TURN_GROUP; i++)
                w[i] = t[i];
        }
#pragma GCC unroll 4
        for (int i = 0; i < TURN_GROUP; i++)
            *(FN(turn_at) *)(to + (column + i) * width) = w[i];
    }
}
#    undef TURN_GROUP
#    undef TURN_PAIR
#    undef TURN_LOW
#    undef TURN_HIGH
#  else
#    define TURN_LANES TRANSPOSE_LANES
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
