/* caches.h -- how much a core's L2 cache holds: what blocks of a product are cut to. */
#ifndef FNN_CACHES_H
#define FNN_CACHES_H

#include <stddef.h>

/* Bytes of L2 cache that a block may count on: what the system reports, between 256 KiB and 2 MiB,
 * 1 MiB where it says nothing. Found out at the first call. Only the order in which blocks pass by
 * hangs on it, never the bits of a result. */
ptrdiff_t fnn_l2_bytes(void);

/* Another size from the next product on, for the whole process; 0: the system's again. For tests
 * and measurements. */
void fnn_set_l2_bytes(ptrdiff_t bytes);

#endif
