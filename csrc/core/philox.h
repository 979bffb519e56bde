/* philox.h -- random words from a counter: Philox-4x32-10. Plain C, the same words on every machine
 * and for both types.
 *
 * What it is   fnn_philox mixes a 64-bit key and a 128-bit counter into four 32-bit words. There is
 *              no state: any element's word can be had at any time, by any thread, in any order. So
 *              a dropout mask is never stored; backward computes it again.
 * A mask       Dropout takes (key, call) from fastnn.random.next_dropout_key(). Element `index` of
 *              the mask of that call is
 *
 *                  word index % 4 of fnn_philox(key, call, index / 4, ...)
 *
 *              The element is kept if that word is at least fnn_philox_threshold(p), and what is
 *              kept is divided by 1 - p. p = 0 keeps every element, p = 1 none.
 * Reference    fastnn/reference/philox.py. Salmon, Moraes, Dror, Shaw (2011), "Parallel random
 *              numbers: as easy as 1, 2, 3".
 */
#ifndef FNN_PHILOX_H
#define FNN_PHILOX_H

#include <stdint.h>

static inline void fnn_philox(uint64_t key, uint64_t counter_hi, uint64_t counter_lo, uint32_t out[4])
{
    uint32_t c0 = (uint32_t)counter_lo, c1 = (uint32_t)(counter_lo >> 32);
    uint32_t c2 = (uint32_t)counter_hi, c3 = (uint32_t)(counter_hi >> 32);
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
        const uint64_t a = (uint64_t)0xD2511F53u * c0, b = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(b >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)b;
        c2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)a;
        k0 += 0x9E3779B9u;                  /* golden ratio and sqrt(3) - 1, as 32-bit fractions */
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* The smallest word that is kept when elements are dropped with probability p in [0, 1]; 2^32,
 * above every word, for p = 1. */
static inline uint64_t fnn_philox_threshold(double p)
{
    return (uint64_t)(p * 4294967296.0);
}

#endif
