/* sizes.h -- the type of a size, and the arithmetic of cutting n items into pieces.
 *
 *     fnn_ceil_div(10, 4) = 3 pieces      fnn_round_up(10, 4) = 12 items in whole pieces
 */
#ifndef FASTNN_SIZES_H
#define FASTNN_SIZES_H

#include <stddef.h>
#include <stdint.h>

typedef ptrdiff_t fnn_size;             /* counts elements; signed, so that differences are too */

/* Counts work, in multiply-adds, or elements of an array that does not exist yet. Where addresses
 * have 32 bits both can be more than a fnn_size holds. Begin a product with it:
 * (fnn_work)m * n * k. */
typedef int64_t fnn_work;

/* Minima and maxima are written this way: of sizes; of doubles; of REALs r_min and r_max (simd.h).
 * Where one of two numbers is NaN, the second comes out. */
static inline fnn_size fnn_min(fnn_size a, fnn_size b) { return a < b ? a : b; }
static inline fnn_size fnn_max(fnn_size a, fnn_size b) { return a > b ? a : b; }
static inline double fnn_min_double(double a, double b) { return a < b ? a : b; }
static inline double fnn_max_double(double a, double b) { return a > b ? a : b; }

/* The larger of two works; the smaller of some work and a size, which fits into a size. */
static inline fnn_work fnn_max_work(fnn_work a, fnn_work b) { return a > b ? a : b; }
static inline fnn_size fnn_min_work(fnn_work a, fnn_size b) { return a < b ? (fnn_size)a : b; }

/* A size or some work, but at least `least` and at most `most`. */
static inline fnn_size fnn_clamp(fnn_work a, fnn_size least, fnn_size most)
{
    return a < least ? least : a > most ? most : (fnn_size)a;
}

/* n/unit rounded up, and n rounded up to a multiple of unit. n >= 0, unit >= 1. */
static inline fnn_size fnn_ceil_div(fnn_size n, fnn_size unit) { return (n + unit - 1) / unit; }
static inline fnn_size fnn_round_up(fnn_size n, fnn_size unit) { return (n + unit - 1) / unit * unit; }

/* The same of any works: n + unit may be more than a work holds. */
static inline fnn_work fnn_ceil_div_work(fnn_work n, fnn_work unit) { return n / unit + (n % unit > 0); }

/* A pitch for rows of n elements: an odd number of cache lines, if they are floats. At a power of
 * two the rows would fall on few sets of a cache and evict each other (cache aliasing). */
enum { FNN_LINE = 16 };                 /* floats in a cache line of 64 bytes; bound */
static inline fnn_size fnn_odd_lines(fnn_size n) { return (fnn_ceil_div(n, FNN_LINE) | 1) * FNN_LINE; }

/* The length of a piece when n items are cut into pieces of about `aim`, all of one length but the
 * last. */
static inline fnn_size fnn_even_piece(fnn_size n, fnn_size aim)
{
    return n <= aim ? fnn_max(n, 1) : fnn_ceil_div(n, fnn_ceil_div(n, aim));
}

/* Items in a block of about `aim` multiply-adds, or elements, when each item has `work` of them: at
 * least one. */
static inline fnn_size fnn_grain(fnn_size aim, fnn_work work)
{
    return work >= aim ? 1 : aim / fnn_max((fnn_size)work, 1);
}

/* Smaller, larger and rounded up, of bytes, which are unsigned as in malloc. */
static inline size_t fnn_min_bytes(size_t a, size_t b) { return a < b ? a : b; }
static inline size_t fnn_max_bytes(size_t a, size_t b) { return a > b ? a : b; }
static inline size_t fnn_round_up_bytes(size_t n, size_t unit) { return (n + unit - 1) / unit * unit; }

/* Of the bits of a float, as a whole number. */
static inline uint32_t fnn_min_bits(uint32_t a, uint32_t b) { return a < b ? a : b; }
static inline uint32_t fnn_max_bits(uint32_t a, uint32_t b) { return a > b ? a : b; }

#endif
