/* memory.c -- recycled buffers for tensors, and a scratch stack per thread for kernels.
 *
 * Why        The system gives a process memory lazily: at the first touch of each page the
 *            processor traps and the system clears the page. For 4 KiB pages that costs more than
 *            most kernels' own work on them. A training step frees its activations and needs them
 *            again in the next step: it would pay every time.
 * Buffers    A heap with boundary tags (Knuth, vol. 1, 2.5). Address space comes in chunks; a chunk
 *            is cut into pieces, each behind a header that knows its length and the piece before
 *            it. A buffer is the first part of a free piece; a piece that becomes free is joined
 *            with free neighbours. What a backward pass frees of large activations thus serves its
 *            many smaller gradients, and is one again for the next step. What a heap without this
 *            keeps, each size recycled on its own: docs/kernels/README.md.
 *
 *               piece               piece + 64                 piece + bytes
 *               | header, 64 bytes  | what the caller gets       | next header, ...
 *
 *            Free pieces are in lists by length, four lists per power of two, the one freed last in
 *            front: it is the likeliest to be in the cache. The first that is long enough is taken.
 * Chunks     They are large, since nothing can be joined across their ends, and cost nothing until
 *            they are touched: a free piece knows up to where it may have been (`touched`); the
 *            rest is address space.
 *            Linux is told to use huge pages, where one trap brings 2 MiB and one TLB entry covers
 *            them, but for the first 2 MiB of a chunk: a small network needs less than one huge
 *            page.
 * Bounds     Free memory goes back to the system, from the longest pieces first,
 *              - when it exceeds the limit;
 *              - when there is more of it than the last 2 * WINDOW acquisitions needed at their
 *                peak. A step of a large network makes a few thousand; what has not been needed for
 *                longer belongs to a shape that is gone (last batch, longer sentence, other model).
 *                Counting acquisitions, not seconds, leaves a program that pauses (a notebook)
 *                alone and makes the rule reproducible.
 *            So a run over a thousand shapes holds what its last steps used, never more than the
 *            limit besides.
 * Scratch    A thread's first request reserves FNN_SCRATCH_BYTES of address space; untouched pages
 *            cost nothing. It is a stack: allocating moves its top up, freeing moves it down, two
 *            additions each. What has no room there takes a buffer.
 *            It goes at the thread's end.
 * Threads    Buffers: one lock, never held while calling the system. Scratch: no sharing, no lock.
 * Fork       The child inherits buffers, limit and its own thread's scratch. The scratch of threads
 *            that it does not have stays reserved in it: address space and shared pages.
 * Tests      tests/c/test_memory.c; under AddressSanitizer a chunk is one malloc of one buffer, so
 *            that it sees what is written beyond (with FASTNN_CACHE_MB=0 also what is used after it
 *            was freed).
 */
#if !defined(_WIN32)
#  define _GNU_SOURCE                              /* mmap flags, posix_memalign under -std=c11 */
#endif
#include "core/memory.h"
#include "core/sizes.h"
#include "core/sync.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(_WIN32)
#  include <malloc.h>
#else
#  include <sys/mman.h>
#endif

/* Bytes. Bound: by processors and systems. */
#define ALIGNMENT ((size_t)64)                     /* a cache line */
#define HUGE_PAGE ((size_t)2 << 20)                /* of Linux, on x86-64 */
#define PAGE_BYTES ((size_t)64 << 10)              /* a multiple of every usual page size */

#if defined(_WIN32)
#  define SANITIZED 0
#elif defined(__SANITIZE_ADDRESS__)
#  define SANITIZED 1
#elif defined(__has_feature)
#  if __has_feature(address_sanitizer)
#    define SANITIZED 1
#  endif
#endif
#if !defined(SANITIZED)
#  define SANITIZED 0
#endif

/* Bytes of address space that are taken from the system at a time; chosen: much, as nothing can
 * be joined across the ends. */
#if SANITIZED
#  define CHUNK_BYTES ((size_t)0)           /* as long as the buffer that it is for */
#elif defined(_WIN32) || SIZE_MAX <= 0xffffffffu
#  define CHUNK_BYTES ((size_t)32 << 20)    /* Windows vouches for every byte; 32 bits have little
                                               address space */
#else
#  define CHUNK_BYTES ((size_t)256 << 20)
#endif

static size_t above(size_t a, size_t b) { return a > b ? a - b : 0; }

/* ---- Memory from the system ------------------------------------------------------------------ */

#if defined(_WIN32)
static void *map_pages(size_t bytes) { return VirtualAlloc(NULL, bytes, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE); }
static void unmap_pages(void *p, size_t bytes) { (void)bytes; VirtualFree(p, 0, MEM_RELEASE); }
static void discard_pages(void *p, size_t bytes) { VirtualAlloc(p, bytes, MEM_RESET, PAGE_READWRITE); }
static void want_huge_pages(void *p, size_t bytes) { (void)p; (void)bytes; }
#else
#  if !defined(MAP_ANONYMOUS)
#    define MAP_ANONYMOUS MAP_ANON
#  endif

/* Whole pages that start at a multiple of HUGE_PAGE: map that much more, cut off what sticks out on
 * both sides. */
static void *map_pages(size_t bytes)
{
    bytes = fnn_round_up_bytes(bytes, PAGE_BYTES);
    char *p = mmap(NULL, bytes + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == (char *)MAP_FAILED)
        return NULL;
    size_t before = (HUGE_PAGE - (uintptr_t)p % HUGE_PAGE) % HUGE_PAGE;
    if (before > 0)
        munmap(p, before);
    munmap(p + before + bytes, HUGE_PAGE - before);
    return p + before;
}

static void unmap_pages(void *p, size_t bytes) { munmap(p, fnn_round_up_bytes(bytes, PAGE_BYTES)); }

/* The address space stays, what is in it goes. */
static void discard_pages(void *p, size_t bytes)
{
#  if defined(__linux__)
    madvise(p, bytes, MADV_DONTNEED);
#  else
    mmap(p, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
#  endif
}

static void want_huge_pages(void *p, size_t bytes)
{
#  if defined(MADV_HUGEPAGE)
    madvise(p, bytes, MADV_HUGEPAGE);              /* advice only: small pages will do */
#  else
    (void)p; (void)bytes;
#  endif
}
#endif

/* ---- Buffers: pieces and lists --------------------------------------------------------------- */

typedef struct node {                   /* of a ring; the list's head is a node of the ring too */
    struct node *prev, *next;
} node;

typedef struct piece {
    node by_size;               /* in heap.by_size[class_of(bytes)] while free; see from_size */
    size_t bytes;               /* with this header; a multiple of UNIT */
    size_t touched;             /* of a free piece: what is behind so many bytes is not in memory */
    struct piece *before;       /* the neighbour at lower addresses; NULL at the chunk's start */
    uint32_t last;              /* 1 at the chunk's end */
    uint32_t state;
} piece;

#define HEADER_BYTES ALIGNMENT
_Static_assert(sizeof(piece) <= HEADER_BYTES, "what follows the header must be aligned");

enum { IN_USE = 0x55534544, FREE = 0x46524545 };   /* odd values: debug builds notice a wrong
                                                      pointer */

/* Chosen: 4 classes for each power of 2, from a KiB on; more than MAX_BYTES is absurd. */
#define UNIT_LOG2 10
#define UNIT ((size_t)1 << UNIT_LOG2)   /* bytes: lengths of pieces are multiples of it */
#define SIZE_CLASSES (4 * ((int)sizeof(size_t) * 8 - UNIT_LOG2))
#define MAX_BYTES (SIZE_MAX / 4)    /* more would overflow the arithmetic below */
#define MAX_TRIES 32                /* pieces of the list that may, but need not, be long enough;
                                       chosen: the search stays short */
#define WINDOW 4096                 /* acquisitions; chosen: a step's, see Bounds */

static struct {
    fnn_mutex lock;
    fnn_atomic started;
    node by_size[SIZE_CLASSES];
    size_t cached, in_use, limit;
    size_t peak, peak_before;               /* of in_use, in this window and in the one before */
    int acquisitions;                       /* in this window */
} heap = {.lock = FNN_MUTEX_INIT};

static void take_out(node *l) { l->prev->next = l->next; l->next->prev = l->prev; }
static void make_empty(node *head) { head->prev = head->next = head; }
static piece *from_size(node *l) { return (piece *)l; }        /* by_size is the first member */
static piece *after(piece *p) { return (piece *)((char *)p + p->bytes); }

/* The list for pieces of this length: 4*e + q begins at (4 + q) * 2^e quarters of a unit: 1024,
 * 1280, 1536, 1792, 2048, 2560, ... */
static int class_of(size_t bytes)
{
    int e = UNIT_LOG2;                             /* 2^e <= bytes < 2^(e+1) */
    while (bytes >> (e + 1))
        e++;
    return 4 * (e - UNIT_LOG2) + (int)(bytes >> (e - 2)) - 4;
}

/* The functions from here to `give_back` want the lock held. */

static void insert(piece *p)
{
    node *head = &heap.by_size[class_of(p->bytes)], *l = &p->by_size;
    l->next = head->next;
    l->prev = head;
    head->next->prev = l;
    head->next = l;
    p->state = FREE;
    heap.cached += p->touched;
}

static void take(piece *p)
{
    take_out(&p->by_size);
    p->state = IN_USE;
    heap.cached -= p->touched;
}

static piece *find(size_t bytes)
{
    int c = class_of(bytes), tries = 0;
    for (node *l = heap.by_size[c].next; l != &heap.by_size[c] && tries < MAX_TRIES; l = l->next, tries++)
        if (from_size(l)->bytes >= bytes)
            return from_size(l);
    while (++c < SIZE_CLASSES)
        if (heap.by_size[c].next != &heap.by_size[c])
            return from_size(heap.by_size[c].next);
    return NULL;
}

/* What p, which is in no list, has beyond `bytes` becomes a free piece. */
static void cut(piece *p, size_t bytes)
{
    if (p->bytes == bytes)
        return;
    piece *rest = (piece *)((char *)p + bytes);
    rest->bytes = p->bytes - bytes;
    rest->touched = above(p->touched, bytes);
    rest->before = p;
    rest->last = p->last;
    if (!rest->last)
        after(rest)->before = rest;
    p->bytes = bytes;
    p->last = 0;
    insert(rest);
}

/* p becomes free, its first p->touched bytes touched, and one with free neighbours. */
static void put_back(piece *p)
{
    p->state = FREE;
    if (!p->last && after(p)->state == FREE) {
        piece *next = after(p);
        take(next);
        if (next->touched > 0)
            p->touched = p->bytes + next->touched;
        p->bytes += next->bytes;
        p->last = next->last;
    }
    if (p->before != NULL && p->before->state == FREE) {
        piece *first = p->before;
        take(first);
        if (p->touched > 0)
            first->touched = first->bytes + p->touched;
        first->bytes += p->bytes;
        first->last = p->last;
        p = first;
    }
    if (!p->last)
        after(p)->before = p;
    insert(p);
}

/* A free piece that holds memory, of the longest ones; NULL if there is none. */
static piece *find_touched(void)
{
    for (int c = SIZE_CLASSES - 1; c >= 0; c--)
        for (node *l = heap.by_size[c].next; l != &heap.by_size[c]; l = l->next)
            if (from_size(l)->touched > 0)
                return from_size(l);
    return NULL;
}

#if SANITIZED
static piece *chunk_from_system(size_t bytes)
{
    void *p;
    return posix_memalign(&p, ALIGNMENT, bytes) == 0 ? p : NULL;
}
static void chunk_to_system(piece *p) { free(p); }
#else
static piece *chunk_from_system(size_t bytes)
{
    piece *p = map_pages(bytes);
    if (p != NULL && bytes > HUGE_PAGE)
        want_huge_pages((char *)p + HUGE_PAGE, bytes - HUGE_PAGE);
    return p;
}
static void chunk_to_system(piece *p) { unmap_pages(p, p->bytes); }
#endif

/* A chunk that is one piece, in no list, of at least so many bytes; NULL when out of memory.
 * Without the lock. */
static piece *new_chunk(size_t bytes)
{
    size_t length = fnn_max_bytes(bytes, CHUNK_BYTES);
    piece *p = chunk_from_system(length);
    if (p == NULL)                                 /* address space may be limited */
        p = chunk_from_system(length = bytes);
    if (p != NULL)
        *p = (piece){.bytes = length, .last = 1, .state = IN_USE};
    return p;
}

/* The memory behind the first `kept` bytes of p, which is in no list, goes back to the system.
 * Without the lock. */
static void discard(piece *p, size_t kept)
{
    uintptr_t begin = fnn_round_up_bytes((uintptr_t)p + fnn_max_bytes(kept, HEADER_BYTES), PAGE_BYTES);
    uintptr_t end = ((uintptr_t)p + p->touched) / PAGE_BYTES * PAGE_BYTES;
    if (begin < end && !SANITIZED)
        discard_pages((void *)begin, end - begin);
    p->touched = kept;
}

/* Give so much free memory back to the system. Without the lock. */
static void give_back(size_t excess)
{
    while (excess > 0) {
        fnn_lock(&heap.lock);
        piece *p = find_touched();
        int whole = p != NULL && p->before == NULL && p->last;
        if (p != NULL)
            take(p);                               /* nobody else uses it while the lock is open */
        fnn_unlock(&heap.lock);
        if (p == NULL)
            return;
        size_t gone = fnn_min_bytes(excess, p->touched);
        excess -= gone;
        if (whole && gone == p->touched) {
            chunk_to_system(p);
            continue;
        }
        discard(p, p->touched - gone);
        fnn_lock(&heap.lock);
        put_back(p);
        fnn_unlock(&heap.lock);
    }
}

/* ---- Start, settings, fork ------------------------------------------------------------------- */

static void scratch_start(void);

#if !defined(_WIN32)
static void before_fork(void) { fnn_lock(&heap.lock); }
static void after_fork_in_parent(void) { fnn_unlock(&heap.lock); }
static void after_fork_in_child(void) { heap.lock = (fnn_mutex)FNN_MUTEX_INIT; }
#endif

static size_t limit_at_start(void)
{
    const char *text = getenv("FASTNN_CACHE_MB");
    if (text != NULL) {
        char *end;
        errno = 0;
        long long n = strtoll(text, &end, 10);
        if (end != text && *end == 0 && errno == 0 && n >= 0)
            return (unsigned long long)n < SIZE_MAX >> 20 ? (size_t)n << 20 : SIZE_MAX;
    }
    return (size_t)512 << 20;
}

static void start(void)
{
    if (fnn_get(&heap.started))
        return;
    fnn_lock(&heap.lock);
    if (!fnn_get(&heap.started)) {
        for (int c = 0; c < SIZE_CLASSES; c++)
            make_empty(&heap.by_size[c]);
        heap.limit = limit_at_start();
        scratch_start();
#if !defined(_WIN32)
        pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
#endif
        fnn_set(&heap.started, 1);
    }
    fnn_unlock(&heap.lock);
}

/* ---- Buffers: the public functions ----------------------------------------------------------- */

/* A window is over: how much more is held than was needed in this one and the one before, and an
 * eighth for gaps? With the lock. */
static size_t end_window(void)
{
    size_t needed = fnn_max_bytes(heap.peak, heap.peak_before);
    heap.acquisitions = 0;
    heap.peak_before = heap.peak;
    heap.peak = heap.in_use;
    return above(heap.in_use + heap.cached, needed + needed / 8);
}

void *fnn_buffer_acquire(size_t bytes)
{
    size_t excess = 0;
    if (bytes > MAX_BYTES)
        return NULL;
    bytes = fnn_round_up_bytes(HEADER_BYTES + bytes, UNIT);
    start();
    fnn_lock(&heap.lock);
    if (++heap.acquisitions == WINDOW)
        excess = end_window();
    piece *p = find(bytes);
    if (p != NULL) {
        take(p);
    } else {
        fnn_unlock(&heap.lock);
        p = new_chunk(bytes);
        if (p == NULL) {                        /* the memory may be where other sizes are kept */
            fnn_buffer_trim();
            p = new_chunk(bytes);
        }
        if (p == NULL)
            return NULL;
        fnn_lock(&heap.lock);
    }
    cut(p, bytes);
    heap.in_use += p->bytes;
    heap.peak = fnn_max_bytes(heap.peak, heap.in_use);
    fnn_unlock(&heap.lock);
    give_back(excess);
    return (char *)p + HEADER_BYTES;
}

void fnn_buffer_release(void *buffer)
{
    if (buffer == NULL)
        return;
    piece *p = (piece *)((char *)buffer - HEADER_BYTES);
    assert(p->state == IN_USE && "not from fnn_buffer_acquire, or released twice");
    fnn_lock(&heap.lock);
    heap.in_use -= p->bytes;
    p->touched = p->bytes;
    put_back(p);
    size_t excess = above(heap.cached, heap.limit);
    fnn_unlock(&heap.lock);
    give_back(excess);
}

void fnn_buffer_trim(void)
{
    start();
    give_back(SIZE_MAX);
}

void fnn_buffer_set_limit(size_t bytes)
{
    start();
    fnn_lock(&heap.lock);
    heap.limit = bytes;
    size_t excess = above(heap.cached, bytes);
    fnn_unlock(&heap.lock);
    give_back(excess);
}

static size_t read_locked(const size_t *value)
{
    start();
    fnn_lock(&heap.lock);
    size_t v = *value;
    fnn_unlock(&heap.lock);
    return v;
}

size_t fnn_buffer_limit(void) { return read_locked(&heap.limit); }
size_t fnn_buffer_cached(void) { return read_locked(&heap.cached); }
size_t fnn_buffer_in_use(void) { return read_locked(&heap.in_use); }

/* ---- Scratch --------------------------------------------------------------------------------- */

/* The arena's first 64 bytes say where its free part begins. A little more than FNN_SCRATCH_BYTES
 * is reserved, for those 64 bytes and for rounding up: alignment does not count against the user.
 * What has no room there gets a buffer of its own, which belongs to the same stack: it knows the
 * one before it, and where the arena's top was. */
typedef struct beyond {
    struct beyond *before;
    char *top;
} beyond;

typedef struct {
    char *top;
    beyond *last;                                  /* NULL nearly always */
} arena;

/* Bytes of a thread's stack; bound: what kernels may hold, and a page or two for alignment. */
#define ARENA_BYTES (FNN_SCRATCH_BYTES + ((size_t)64 << 10))

#if defined(_WIN32)
static DWORD scratch_key = FLS_OUT_OF_INDEXES;
static void WINAPI arena_free(void *a) { if (a) unmap_pages(a, ARENA_BYTES); }
static void scratch_start(void) { scratch_key = FlsAlloc(arena_free); }
static arena *arena_get(void) { return FlsGetValue(scratch_key); }
static int arena_keep(arena *a) { return FlsSetValue(scratch_key, a); }
#else
static pthread_key_t scratch_key;
static int have_scratch_key;
static void arena_free(void *a) { unmap_pages(a, ARENA_BYTES); }
static void scratch_start(void) { have_scratch_key = pthread_key_create(&scratch_key, arena_free) == 0; }
static arena *arena_get(void) { return have_scratch_key ? pthread_getspecific(scratch_key) : NULL; }
static int arena_keep(arena *a) { return have_scratch_key && pthread_setspecific(scratch_key, a) == 0; }
#endif

int fnn_scratch_ready(void)
{
    start();
    if (arena_get() != NULL)
        return 1;
    arena *a = map_pages(ARENA_BYTES);
    if (a == NULL)
        return 0;
    want_huge_pages(a, ARENA_BYTES);
    if (!arena_keep(a)) {
        unmap_pages(a, ARENA_BYTES);
        return 0;
    }
    a->top = (char *)a + ALIGNMENT;
    a->last = NULL;
    return 1;
}

/* No kernel looks whether it got its scratch: one that went on without would write anywhere. */
static void no_memory(void)
{
    fputs("fastnn: no memory for a kernel's scratch; the process ends before anything is overwritten\n", stderr);
    abort();
}

static void *alloc_beyond(arena *a, size_t bytes)
{
    beyond *b = bytes < MAX_BYTES ? fnn_buffer_acquire(ALIGNMENT + bytes) : NULL;
    if (b == NULL)
        no_memory();
    *b = (beyond){a->last, a->top};
    a->last = b;
    return (char *)b + ALIGNMENT;
}

static int in_arena(const arena *a, const void *p)
{
    return (uintptr_t)p - (uintptr_t)a <= ARENA_BYTES;
}

static void free_last(arena *a)
{
    beyond *b = a->last;
    a->top = b->top;
    a->last = b->before;
    fnn_buffer_release(b);
}

void *fnn_scratch_alloc(size_t bytes)
{
    if (!fnn_scratch_ready())
        no_memory();
    arena *a = arena_get();
    size_t room = (size_t)((char *)a + ARENA_BYTES - a->top);
    if (bytes > room)
        return alloc_beyond(a, bytes);
    char *p = a->top;
    /* stays within the arena, whose end is aligned too */
    a->top += fnn_round_up_bytes(bytes, ALIGNMENT);
    return p;
}

void fnn_scratch_free(void *p)
{
    arena *a = arena_get();
    if (p == NULL || a == NULL)
        return;
    if (!in_arena(a, p)) {
        while (a->last != NULL && (char *)a->last + ALIGNMENT != (char *)p)
            free_last(a);
        assert(a->last != NULL && "not this thread's scratch, or freed before");
        if (a->last != NULL)
            free_last(a);
        return;
    }
    while (a->last != NULL && a->last->top > (char *)p)        /* allocated after p */
        free_last(a);
    assert((char *)p >= (char *)a + ALIGNMENT && (char *)p <= a->top && "not this thread's scratch, or freed before");
    a->top = p;
}
