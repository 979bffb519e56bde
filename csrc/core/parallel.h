/* parallel.h -- run the blocks of one loop on all cores. How it works is told at the top of
 * parallel.c. */
#ifndef FNN_PARALLEL_H
#define FNN_PARALLEL_H

#include <stddef.h>

/* One block of a loop: do the indices begin <= i < end. It may call fnn_parallel_for itself (the
 * inner loop then runs inline); it must give back the scratch memory that it took, and must not
 * fork. */
typedef void (*fnn_block_fn)(void *ctx, ptrdiff_t begin, ptrdiff_t end);

/* Call body(ctx, b*grain, min(n, (b+1)*grain)) exactly once for every block b = 0, 1, ...,
 * ceil(n/grain) - 1, and return when all are done. Blocks are cut by size, never by the number of
 * threads, so a body in which each element has one writer gives the same bits on any number of
 * threads. Order and threads of the blocks are unspecified. One block, n <= 0, or one thread never
 * touches the pool; a block should be worth some 20 microseconds of work. Denormal numbers count as
 * zero while a body runs, unless fnn_set_flush_denormal(0) was called; the caller's mode is
 * restored on return. Any thread may call it at any time. What a body wrote is visible to the
 * caller afterwards. */
void fnn_parallel_for(ptrdiff_t n, ptrdiff_t grain, fnn_block_fn body, void *ctx);

/* Whether denormal numbers count as zero in the loops of this process, from the next loop on: they
 * do at first. Setting returns 0 where the processor has no such mode. */
int  fnn_flush_denormal(void);
int  fnn_set_flush_denormal(int flush);

/* The threads that a loop begun now would run on: 1 inside a block of another loop. For how to cut
 * work whose bits do not depend on the cut. */
int  fnn_free_threads(void);

#define FNN_MAX_THREADS 256

/* The number of threads that one parallel loop uses, the calling thread included. Settings outside
 * 1..FNN_MAX_THREADS are moved to the nearer end. A setting holds for the whole process, from the
 * next loop on. */
int  fnn_num_threads(void);
void fnn_set_num_threads(int n);

/* What fnn_num_threads() is before anybody sets it: FASTNN_NUM_THREADS, else OMP_NUM_THREADS, else
 * fnn_num_processors(). A value that is no whole number above zero is passed over. */
int  fnn_default_num_threads(void);

/* How many processors' time this process may use: those in its affinity mask, but no more than its
 * container's CPU quota, rounded up. At least 1. Found out at the first call. */
int  fnn_num_processors(void);

/* Parts for each thread in a loop that would be cut into one equal part a thread: 1, or 3 where the
 * processors are unequal (performance and efficiency cores), so that quick ones take more of them.
 * The bits must not depend on it. Found out at the first call, or set, for tests. */
int  fnn_parts_per_thread(void);
void fnn_set_parts_per_thread(int n);

#endif
