/* dropout.tmpl.h -- zero random elements, or random runs of them.
 *
 * Math       y[i] = keep(i / span) x[i] / (1 - p);   dx[i] = keep(i / span) dy[i] / (1 - p): the same function
 * Symbols    n elements; span of neighbours that share one decision (1: each its own; H W: whole channels).
 * Method     No mask is stored. keep(j) is a word of Philox, addressed by (key, call, j) as philox.h says, and backward computes it again:
 *            ten rounds of integer multiplications for four elements cost less than a mask's way to memory and back.
 *            PHILOX_LANES counters go through the rounds side by side, so that the loops over lanes become vector instructions.
 * Cost       reads and writes each element once; 5 integer products of 32 bits per decision.
 * Threads    blocks of elements; a block begins at a whole number of counters, or inside a span.
 * Reference  fastnn/reference/dropout.py. Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov (2014), "Dropout".
 */
#ifndef FNN_DROPOUT_ONCE
#define FNN_DROPOUT_ONCE
enum { DROPOUT_GRAIN = 16384, PHILOX_LANES = 32, PHILOX_WORDS = 4 * PHILOX_LANES };
typedef struct { void *y; const void *x; fnn_size span; double p; uint64_t key, call; } fnn_dropout_args;
#endif

/* Words 4 first ... 4 first + PHILOX_WORDS - 1 of the mask: fnn_philox for PHILOX_LANES counters at once. */
static void FN(philox_words)(uint32_t *restrict out, uint64_t key, uint64_t call, uint64_t first)
{
    uint32_t c0[PHILOX_LANES], c1[PHILOX_LANES], c2[PHILOX_LANES], c3[PHILOX_LANES];
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int i = 0; i < PHILOX_LANES; i++) {
        c0[i] = (uint32_t)(first + (uint64_t)i);
        c1[i] = (uint32_t)((first + (uint64_t)i) >> 32);
        c2[i] = (uint32_t)call;
        c3[i] = (uint32_t)(call >> 32);
    }
    for (int round = 0; round < 10; round++) {
        #pragma omp simd
        for (int i = 0; i < PHILOX_LANES; i++) {
            const uint64_t a = (uint64_t)0xD2511F53u * c0[i], b = (uint64_t)0xCD9E8D57u * c2[i];
            c0[i] = (uint32_t)(b >> 32) ^ c1[i] ^ k0;
            c1[i] = (uint32_t)b;
            c2[i] = (uint32_t)(a >> 32) ^ c3[i] ^ k1;
            c3[i] = (uint32_t)a;
        }
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    for (int i = 0; i < PHILOX_LANES; i++) {
        out[4 * i] = c0[i];
        out[4 * i + 1] = c1[i];
        out[4 * i + 2] = c2[i];
        out[4 * i + 3] = c3[i];
    }
}

/* The smallest word that is kept. No word reaches 2^32, which p = 1 asks for: then `scale` is 0 instead. */
static uint32_t FN(dropout_threshold)(double p)
{
    const uint64_t threshold = fnn_philox_threshold(p);
    return threshold > UINT32_MAX ? UINT32_MAX : (uint32_t)threshold;
}

static void FN(dropout_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_dropout_args *args = ctx;
    REAL *y = args->y;
    const REAL *x = args->x;
    const REAL scale = args->p < 1 ? (REAL)(1 / (1 - args->p)) : 0;
    const uint32_t threshold = FN(dropout_threshold)(args->p);
    uint32_t words[PHILOX_WORDS];
    for (fnn_size i = begin; i < end; i += PHILOX_WORDS) {
        FN(philox_words)(words, args->key, args->call, (uint64_t)i / 4);
        const fnn_size count = end - i < PHILOX_WORDS ? end - i : PHILOX_WORDS;
        for (fnn_size j = 0; j < count; j++)
            y[i + j] = words[j] >= threshold ? x[i + j] * scale : 0;
    }
}

static void FN(dropout_spans_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_dropout_args *args = ctx;
    REAL *y = args->y;
    const REAL *x = args->x;
    const REAL scale = args->p < 1 ? (REAL)(1 / (1 - args->p)) : 0;
    const uint32_t threshold = FN(dropout_threshold)(args->p);
    for (fnn_size i = begin; i < end;) {
        const fnn_size span = i / args->span, stop = (span + 1) * args->span < end ? (span + 1) * args->span : end;
        uint32_t words[4];
        fnn_philox(args->key, args->call, (uint64_t)span / 4, words);
        const REAL factor = words[span % 4] >= threshold ? scale : 0;
        for (; i < stop; i++)
            y[i] = factor != 0 ? x[i] * factor : 0; /* 0 also where x is infinite */
    }
}

void FN(dropout)(REAL *y, const REAL *x, fnn_size n, fnn_size span, double p, uint64_t key, uint64_t call)
{
    fnn_dropout_args args = { y, x, span, p, key, call };
    fnn_parallel_for(n, DROPOUT_GRAIN, span == 1 ? FN(dropout_block) : FN(dropout_spans_block), &args);
}
