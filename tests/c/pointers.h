/* pointers.h -- which arrays there are, for the self-test that checks pointers (`make pointers`,
 * pointers.py). Elsewhere this is nothing. */
#ifndef FNN_POINTERS_H
#define FNN_POINTERS_H

#include <stddef.h>

#if FNN_CHECK_POINTERS
enum { ALL_THREADS = 1 };                           /* what is watched is one list, of one thread */
void watch_array(const void *p, size_t bytes);
void forget_array(const void *p);
int pointers_outside(void);                         /* places in the source that made one */
#else
enum { ALL_THREADS = 3 };
static inline void watch_array(const void *p, size_t bytes) { (void)p, (void)bytes; }
static inline void forget_array(const void *p) { (void)p; }
static inline int pointers_outside(void) { return 0; }
#endif

#endif
