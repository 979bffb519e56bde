/* power.h -- the power of 2 that brings numbers near 1, where they, their squares or their sum
 * would leave the range of a type. A product with it rounds nothing.
 */
#ifndef FASTNN_POWER_H
#define FASTNN_POWER_H

#include <math.h>

#include "core/sizes.h"

/* For doubles. Bound: 2^1000 and 2^-1000 are normal numbers, and so are products of them with what
 * they bring near 1. */
enum { FNN_POWER_MOST = 1000 };

/* 2^-e for numbers whose largest is `largest`, finite and at least 0: then it becomes 1/2 or more,
 * and less than 1, if |e| does not end at `most`. 1 for 0. */
static inline double fnn_power_for(double largest, int most)
{
    int exponent;
    frexp(largest, &exponent);
    return ldexp(1, -(int)fnn_clamp(exponent, -most, most));
}

#endif
