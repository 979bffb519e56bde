/* memory.h -- recycled buffers for tensors, and a scratch stack per thread for kernels; see
 * memory.c. */
#ifndef FNN_MEMORY_H
#define FNN_MEMORY_H

#include <stddef.h>

/* ---- Buffers: any thread may acquire, any thread may release. -------------------------------- */

void  *fnn_buffer_acquire(size_t bytes);    /* 64-byte aligned, contents undefined; NULL when out of
                                               memory */
void   fnn_buffer_release(void *p);         /* p may be NULL */

void   fnn_buffer_trim(void);               /* give every free buffer back to the system */
size_t fnn_buffer_cached(void);             /* bytes in free buffers, held for reuse */
size_t fnn_buffer_in_use(void);             /* bytes in buffers acquired and not yet released */
void   fnn_buffer_set_limit(size_t bytes);  /* bound on fnn_buffer_cached(); 0 recycles nothing */
size_t fnn_buffer_limit(void);              /* at first FASTNN_CACHE_MB, else 512 MiB */

/* ---- Scratch: this thread's own stack of temporary memory, for packed panels and the like. --- */

/* What one thread should hold at most at one time: more comes from the buffers, slowly. Inside a
 * parallel loop that includes what the caller holds around it: the caller runs blocks too. Chosen:
 * as an L3 cache; the kernels' own bounds keep below it. */
#define FNN_SCRATCH_BYTES ((size_t)32 << 20)

/* 1 when this thread has its scratch memory, 0 when the system refuses it. Call it before a kernel,
 * where an error can still be raised. Worker threads have theirs. */
int    fnn_scratch_ready(void);

/* 64-byte aligned, contents undefined; never NULL, as kernels rely on it: without memory the
 * process ends. Other threads may use it too, until it is freed. Last in,
 * first out: freeing p frees everything that was allocated after p. */
void  *fnn_scratch_alloc(size_t bytes);
void   fnn_scratch_free(void *p);

#endif
