/* check.h -- what the C self-tests share: a check that names its line, a random number, and which
 * sanitizer is on. */
#ifndef FNN_CHECK_H
#define FNN_CHECK_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                            \
    do {                                                                            \
        if (!(condition)) {                                                         \
            fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition); \
            _Exit(1);                                                               \
        }                                                                           \
    } while (0)

static inline uint32_t random_u32(uint64_t *state)             /* xorshift64*; any state but zero */
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (uint32_t)((*state * 0x2545F4914F6CDD1Du) >> 32);
}

#if defined(__has_feature)
#  if __has_feature(thread_sanitizer)
#    define THREAD_SANITIZER 1
#  endif
#  if __has_feature(address_sanitizer)
#    define ADDRESS_SANITIZER 1
#  endif
#endif
#if defined(__SANITIZE_THREAD__)
#  define THREAD_SANITIZER 1
#endif
#if defined(__SANITIZE_ADDRESS__)
#  define ADDRESS_SANITIZER 1
#endif
#if !defined(THREAD_SANITIZER)
#  define THREAD_SANITIZER 0
#endif
#if !defined(ADDRESS_SANITIZER)
#  define ADDRESS_SANITIZER 0
#endif

#endif
