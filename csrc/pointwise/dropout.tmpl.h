/* dropout.tmpl.h -- zero random elements, or random runs of them.
 *
 * Math       y[i] = keep(i / span) x[i] / (1 - p)
 *            dx[i] = keep(i / span) dy[i] / (1 - p):  the same function
 * Symbols    n elements; span of neighbours that share one decision (1: each its own; H W: whole
 *            channels).
 * Method     No mask is stored. keep(j) comes from a word of Philox, addressed by (key, call, j) as
 *            philox.h says, and backward computes it again: ten rounds of integer multiplications
 *            for four elements cost less than a mask's way to memory and back. PHILOX_LANES
 *            counters go through the rounds side by side, so that the loops over them become
 *            vector instructions.
 * Cost       reads and writes each element once; 5 integer products of 32 bits per decision.
 * Threads    blocks of elements; a block begins at a whole number of counters, or inside a span.
 * Reference  fastnn/reference/dropout.py. Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov
 *            (2014), "Dropout".
 */
#include "core/philox_words.h"

#ifndef FNN_DROPOUT_ONCE
#define FNN_DROPOUT_ONCE
enum { DROPOUT_GRAIN = 16384 };     /* elements in a block; chosen: as MAP_GRAIN */
typedef struct { void *y; const void *x; fnn_size span; double p; uint64_t key, call; } fnn_dropout_args;
#endif

/* The smallest word that is kept. For p = 1 that is 2^32, which no word reaches and no uint32_t
 * holds: then `scale` is 0 instead. */
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
        const fnn_size count = fnn_min(end - i, PHILOX_WORDS);
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
        const fnn_size span = i / args->span, stop = fnn_min((span + 1) * args->span, end);
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
