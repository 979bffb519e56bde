/* parallel.c -- the thread pool: one loop, cut into blocks, shared by the caller and a few sleeping
 * helpers.
 *
 * Method     A loop over n indices is cut into blocks of `grain` indices, numbered 0 .. blocks-1.
 *            The caller writes down what to do (pool.job) and then sets one counter, pool.unclaimed
 *            = blocks. Everybody, the caller too, takes work by subtracting one from that counter:
 *
 *                left = unclaimed--;
 *                left > 0     one block is mine: the caller takes the next one from the front, a
 *                             worker the next one from the end
 *                left <= 0    nothing to do
 *
 *            When the counter is used up the caller waits until the blocks that others took are
 *            finished.
 * Two ends   What the next loop reads at its front, this loop's front has mostly written: it lies
 *            in the caller's cache, and the end lies in a worker's. With all blocks taken from the
 *            front, half of what a thread reads would come from the other's cache.
 * Late       A worker may wake up late, when the loop that it was called for is over and the next
 *            one has begun. That is harmless: subtracting either fails, or takes a block of the
 *            loop that is running now; and only then, holding a block, does it read pool.job. The
 *            job cannot change under it, because its loop ends only when that block is finished. So
 *            no generation numbers are needed, and no worker ever sees an old job.
 * Waiting    A worker first watches `unclaimed` for some tens of microseconds, because in a network
 *            the next loop follows soon, and waking a sleeper costs more than a small kernel.
 *            Then it parks: it adds itself to `parked`, looks once more, and sleeps on a condition
 *            variable. The caller publishes the job and then reads `parked`. In the common order of
 *            all atomic operations one of the two comes first, so either the worker sees the job or
 *            the caller sees the sleeper: no wake-up is lost. While nobody sleeps, no lock is
 *            taken.
 * One loop   at a time has the pool (pool.busy). A loop inside a block, or one that another thread
 *            starts meanwhile, runs inline in its own thread: the cores are at work already, and
 *            there is nothing to deadlock on.
 * Bits       The cut depends on n and grain only, and who runs a block has no influence on what it
 *            computes.
 * Denormals  (numbers below 1e-38) make x86 arithmetic up to a hundred times slower, and appear in
 *            networks that train for long. While a block runs they are treated as zero, unless
 *            fnn_set_flush_denormal(0) asked for IEEE's arithmetic; either way the loop's
 *            mode holds in all its threads, and the caller's is restored afterwards.
 * Threads    start in the first loop that needs them. They are detached, take no signals (Ctrl-C
 *            belongs to the main thread), know nothing of Python, and may be killed by the end of
 *            the process at any point.
 * Fork       A child has one thread only. Its pool forgets the workers and starts new ones in its
 *            next loop.
 * Cost       of an empty loop of two blocks, with the worker awake, or if it must be woken:
 *            `test_parallel --time` measures it; docs/kernels/README.md has figures.
 * Tests      tests/c/test_parallel.c
 */
#if !defined(_WIN32)
#  define _GNU_SOURCE                           /* clock_gettime, pthread_sigmask under -std=c11 */
#endif
#include "core/parallel.h"
#include "core/memory.h"
#include "core/sizes.h"
#include "core/sync.h"

#if !defined(_WIN32)
#  include <signal.h>
#  include <time.h>
#endif
#if defined(__SSE__) || defined(_M_X64)
#  include <xmmintrin.h>
#endif

/* Chosen, by orders of magnitude. */
#define SPIN_NS 50000                  /* how long to watch before parking: 25 wake-ups */
#define RETRY_LOOPS 1000               /* after so many loops a worker that failed is tried again */
#define SPIN_LOOKS 32                  /* looks to each reading of the clock, which takes longer */
#define STACK_BYTES ((size_t)2 << 20)  /* of a worker; macOS and musl give much less unasked */

typedef struct {
    fnn_block_fn body;
    void *ctx;
    ptrdiff_t n, grain, blocks;
    int flush;                                     /* whether denormals count as zero in it */
} job;

/* Words that different threads write at the same time live on cache lines of their own. */
static struct {
    _Alignas(64) fnn_atomic unclaimed;  /* blocks that nobody has taken yet; may fall below zero */
    _Alignas(64) fnn_atomic from_end;   /* blocks that workers have taken: the last ones */
    _Alignas(64) fnn_atomic finished;   /* blocks that workers have finished */
    _Alignas(64) fnn_atomic busy;       /* 1 while some loop has the pool */
    _Alignas(64) job job;               /* written by the pool's owner, read by owners of a block */
    _Alignas(64) fnn_atomic threads;    /* as set by the user; 0 = not decided yet */
    fnn_atomic wanted;                  /* workers that should live: threads - 1, less if some
                                           failed */
    int loops_short;                    /* loops of the pool's owners since that failure */
    fnn_atomic live;                    /* workers that there are; changes under the lock only */
    fnn_atomic parked;                  /* workers asleep; changes under the lock only */
    fnn_atomic caller_parked;           /* 1 while the caller sleeps, waiting for the last blocks */
    fnn_atomic spin_ns;                 /* SPIN_NS, or 0 with more threads than processors */
    fnn_atomic keep_denormals;          /* 1 if they are not to be flushed */
    fnn_mutex lock;
    fnn_cond work, done;                /* what the workers, and what the caller, sleep on */
} pool = {.lock = FNN_MUTEX_INIT, .work = FNN_COND_INIT, .done = FNN_COND_INIT};

/* ---- Denormals ------------------------------------------------------------------------------- */

#if defined(__SSE__) || defined(_M_X64)
#  define FLUSH 0x8040u             /* MXCSR: flush-to-zero (results), denormals-are-zero
                                       (operands) */
static uint64_t fp_get(void) { return _mm_getcsr(); }
static void fp_set(uint64_t mode) { _mm_setcsr((unsigned)mode); }
#elif defined(__aarch64__)
#  define FLUSH ((uint64_t)1 << 24) /* FPCR.FZ: both */
static uint64_t fp_get(void) { uint64_t mode; __asm__ volatile("mrs %0, fpcr" : "=r"(mode)); return mode; }
static void fp_set(uint64_t mode) { __asm__ volatile("msr fpcr, %0" : : "r"(mode)); }
#elif defined(_M_ARM64)
#  define FLUSH ((uint64_t)1 << 24)
static uint64_t fp_get(void) { return (uint64_t)_ReadStatusReg(ARM64_FPCR); }
static void fp_set(uint64_t mode) { _WriteStatusReg(ARM64_FPCR, (__int64)mode); }
#else
#  define FLUSH 0u
static uint64_t fp_get(void) { return 0; }
static void fp_set(uint64_t mode) { (void)mode; }
#endif

int fnn_flush_denormal(void) { return FLUSH != 0 && !fnn_get(&pool.keep_denormals); }

int fnn_set_flush_denormal(int flush)
{
    fnn_set(&pool.keep_denormals, !flush);
    return FLUSH != 0;
}

/* Returns the mode to restore. Writing costs more than reading: an inner loop, which finds the mode
 * set, does not. */
static uint64_t begin_denormals(int flush)
{
    uint64_t before = fp_get(), wanted = flush ? FLUSH : 0;
    if ((before & FLUSH) != wanted)
        fp_set((before & ~(uint64_t)FLUSH) | wanted);
    return before;
}

static void restore_denormals(uint64_t before, int flush)
{
    if ((before & FLUSH) != (flush ? FLUSH : 0))
        fp_set(before);
}

/* ---- Waiting by looking ---------------------------------------------------------------------- */

static void cpu_pause(void)                        /* a hint that this loop waits: saves power */
{
#if defined(_WIN32)
    YieldProcessor();
#elif defined(__SSE__)
    _mm_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");          /* `yield` does nothing on most arm64 cores */
#endif
}

static int64_t now_ns(void)
{
#if defined(_WIN32)
    LARGE_INTEGER ticks, per_second;
    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&per_second);
    return (int64_t)((double)ticks.QuadPart * 1e9 / (double)per_second.QuadPart);
#else
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
#endif
}

typedef struct { int64_t until; int looks; } spin_timer;       /* starts as {0, 0} */

/* One short pause; 0 when the time to watch is over. */
static int spin(spin_timer *s)
{
    cpu_pause();
    if (++s->looks % SPIN_LOOKS != 0)
        return 1;
    int64_t now = now_ns();
    if (s->until == 0)
        s->until = now + fnn_get(&pool.spin_ns);
    return now < s->until;
}

/* ---- Blocks ---------------------------------------------------------------------------------- */

static void run_block(const job *j, ptrdiff_t b)
{
    ptrdiff_t begin = b * j->grain;
    j->body(j->ctx, begin, begin + fnn_min(j->grain, j->n - begin));
}

/* Take and run blocks until none is left, the caller from the front, workers from the end; returns
 * how many. */
static int64_t take_blocks(int worker)
{
    int64_t taken = 0;
    while (fnn_fetch_add(&pool.unclaimed, -1) > 0) {
        if (worker && taken == 0)
            begin_denormals(pool.job.flush);
        const ptrdiff_t from_end = worker ? (ptrdiff_t)fnn_fetch_add(&pool.from_end, 1) : 0;
        run_block(&pool.job, worker ? pool.job.blocks - 1 - from_end : (ptrdiff_t)taken);
        taken++;
    }
    return taken;
}

/* ---- Workers --------------------------------------------------------------------------------- */

static int surplus(void) { return fnn_get(&pool.live) > fnn_get(&pool.wanted); }

/* 1 if this worker is one too many; it is then no longer counted, and must end. */
static int leave(void)
{
    fnn_lock(&pool.lock);
    int too_many = surplus();
    if (too_many)
        fnn_fetch_add(&pool.live, -1);
    fnn_unlock(&pool.lock);
    return too_many;
}

static void park(void)
{
    fnn_lock(&pool.lock);
    fnn_fetch_add(&pool.parked, 1);
    if (fnn_get(&pool.unclaimed) <= 0 && !surplus())
        fnn_wait(&pool.work, &pool.lock);   /* a wake-up for nothing does no harm: the worker
                                               watches again */
    fnn_fetch_add(&pool.parked, -1);
    fnn_unlock(&pool.lock);
}

static void work(void)
{
    if (!fnn_scratch_ready()) {             /* no memory to work with: the pool is smaller by one */
        fnn_lock(&pool.lock);
        fnn_fetch_add(&pool.live, -1);
        if (fnn_get(&pool.wanted) > fnn_get(&pool.live))
            fnn_set(&pool.wanted, fnn_get(&pool.live));
        fnn_unlock(&pool.lock);
        return;
    }
    spin_timer idle = {0, 0};
    while (!(surplus() && leave())) {
        if (fnn_get(&pool.unclaimed) > 0) {
            int64_t taken = take_blocks(1);
            if (taken > 0) {
                fnn_fetch_add(&pool.finished, taken);
                if (fnn_get(&pool.caller_parked)) {
                    fnn_lock(&pool.lock);
                    fnn_signal(&pool.done);
                    fnn_unlock(&pool.lock);
                }
            }
            idle = (spin_timer){0, 0};
        } else if (!spin(&idle)) {
            park();
            idle = (spin_timer){0, 0};
        }
    }
}

#if defined(_WIN32)
static DWORD WINAPI worker_main(LPVOID unused) { (void)unused; work(); return 0; }

static int start_worker(void)
{
    HANDLE h = CreateThread(NULL, STACK_BYTES, worker_main, NULL, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    return h != NULL && CloseHandle(h);
}
#else
static void *worker_main(void *unused) { (void)unused; work(); return NULL; }

static int start_worker(void)
{
    pthread_t thread;
    pthread_attr_t attr;
    sigset_t all, before;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    sigfillset(&all);
    /* the new thread inherits this: no unguarded moment */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&thread, &attr, worker_main, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return error == 0;
}
#endif

static void start_workers(void)
{
    fnn_lock(&pool.lock);
    while (fnn_get(&pool.live) < fnn_get(&pool.wanted)) {
        fnn_fetch_add(&pool.live, 1);
        if (!start_worker()) {      /* the system has no more threads: go on with those that live */
            fnn_fetch_add(&pool.live, -1);
            fnn_set(&pool.wanted, fnn_get(&pool.live));
        }
    }
    fnn_unlock(&pool.lock);
}

/* Wake as many sleepers as there are blocks for, after the caller's own and those of the workers
 * that are awake. */
static void wake_workers(int64_t blocks)
{
    int64_t parked = fnn_get(&pool.parked);
    int64_t need = blocks - 1 - (fnn_get(&pool.live) - parked);
    if (parked == 0 || need <= 0)
        return;
    fnn_lock(&pool.lock);       /* once we hold it, whoever is counted as parked is asleep, ... */
    fnn_unlock(&pool.lock);     /* ... and wakes up faster if it is free */
    if (need >= parked)
        fnn_signal_all(&pool.work);
    else
        while (need-- > 0)
            fnn_signal(&pool.work);
}

/* ---- The parallel loop ----------------------------------------------------------------------- */

static void wait_for_workers(int64_t their_blocks)
{
    spin_timer idle = {0, 0};
    while (fnn_get(&pool.finished) < their_blocks) {
        if (spin(&idle))
            continue;
        fnn_lock(&pool.lock);               /* same protocol as in park(), the other way round */
        fnn_set(&pool.caller_parked, 1);
        while (fnn_get(&pool.finished) < their_blocks)
            fnn_wait(&pool.done, &pool.lock);
        fnn_set(&pool.caller_parked, 0);
        fnn_unlock(&pool.lock);
    }
}

/* A worker once had no thread or no scratch memory, and the pool goes on with fewer. The system may
 * have both again: from time to time it is asked. */
static void try_again(void)
{
    if (++pool.loops_short < RETRY_LOOPS)
        return;
    pool.loops_short = 0;
    fnn_lock(&pool.lock);
    fnn_set(&pool.wanted, fnn_get(&pool.threads) - 1);
    fnn_unlock(&pool.lock);
}

static void run_shared(const job *j)
{
    if (fnn_get(&pool.wanted) < fnn_get(&pool.threads) - 1)
        try_again();
    if (fnn_get(&pool.live) < fnn_get(&pool.wanted))
        start_workers();
    pool.job = *j;
    fnn_set(&pool.finished, 0);
    fnn_set(&pool.from_end, 0);
    fnn_set(&pool.unclaimed, j->blocks);           /* from here on the workers are at it */
    wake_workers(j->blocks);
    wait_for_workers(j->blocks - take_blocks(0));
}

void fnn_parallel_for(ptrdiff_t n, ptrdiff_t grain, fnn_block_fn body, void *ctx)
{
    if (n <= 0)
        return;
    grain = fnn_clamp(grain, 1, n);
    job j = {body, ctx, n, grain, fnn_ceil_div(n, grain), fnn_flush_denormal()};
    uint64_t fp_mode = begin_denormals(j.flush);
    if (j.blocks == 1 || fnn_num_threads() == 1 || fnn_get(&pool.busy) || fnn_swap(&pool.busy, 1)) {
        for (ptrdiff_t b = 0; b < j.blocks; b++)
            run_block(&j, b);
    } else {
        run_shared(&j);
        fnn_set(&pool.busy, 0);
    }
    restore_denormals(fp_mode, j.flush);
}

int fnn_free_threads(void) { return fnn_get(&pool.busy) ? 1 : fnn_num_threads(); }

/* ---- Number of threads, and fork ------------------------------------------------------------- */

#if !defined(_WIN32)
static void before_fork(void) { fnn_lock(&pool.lock); }
static void after_fork_in_parent(void) { fnn_unlock(&pool.lock); }

/* The child has this thread only. Workers, sleepers and the owner of the pool, if it was another
 * thread, are gone; locks and conditions may be in any state, so they are made anew. The next loop
 * starts new workers. */
static void after_fork_in_child(void)
{
    pool.lock = (fnn_mutex)FNN_MUTEX_INIT;
    pool.work = pool.done = (fnn_cond)FNN_COND_INIT;
    fnn_set(&pool.unclaimed, 0);
    fnn_set(&pool.busy, 0);
    fnn_set(&pool.live, 0);
    fnn_set(&pool.parked, 0);
    fnn_set(&pool.caller_parked, 0);
    fnn_set(&pool.wanted, fnn_get(&pool.threads) - 1);
}
#endif

/* Call with the lock held. */
static void set_threads(int n, int processors)
{
#if !defined(_WIN32)
    if (fnn_get(&pool.threads) == 0)
        pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
#endif
    n = (int)fnn_clamp(n, 1, FNN_MAX_THREADS);
    fnn_set(&pool.threads, n);
    fnn_set(&pool.wanted, n - 1);
    /* watching on a shared core delays the work */
    fnn_set(&pool.spin_ns, n <= processors ? SPIN_NS : 0);
    fnn_signal_all(&pool.work);                     /* those who are too many wake up and leave */
}

int fnn_num_threads(void)
{
    if (fnn_get(&pool.threads) == 0) {
        int n = fnn_default_num_threads(), processors = fnn_num_processors();
        fnn_lock(&pool.lock);
        if (fnn_get(&pool.threads) == 0)
            set_threads(n, processors);
        fnn_unlock(&pool.lock);
    }
    return (int)fnn_get(&pool.threads);
}

void fnn_set_num_threads(int n)
{
    int processors = fnn_num_processors();
    fnn_lock(&pool.lock);
    set_threads(n, processors);
    fnn_unlock(&pool.lock);
}
