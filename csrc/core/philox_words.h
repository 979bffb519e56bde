/* philox_words.h -- many words of philox.h at once, as vector instructions. No guard: included by
 * templates, once per level and type. */
#ifndef FNN_PHILOX_WORDS_ONCE
#define FNN_PHILOX_WORDS_ONCE
#include "core/philox.h"
/* Counters at a time; chosen: 2 vectors of AVX-512, or 4 of AVX2, that do not wait for each other.
 * And the words that they make. */
enum { PHILOX_LANES = 32, PHILOX_WORDS = 4 * PHILOX_LANES };
#endif

/* Words 4 first ... 4 first + PHILOX_WORDS - 1 of the mask: fnn_philox for PHILOX_LANES counters at
 * once. */
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
