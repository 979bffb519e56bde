/* memory.c -- recycled buffers for tensors, and a scratch stack per thread for kernels.
 *
 * Why        The system gives a process memory lazily: at the first touch of each page the processor traps
 *            and the kernel clears the page. For 4 KiB pages that costs more than most kernels' own work on
 *            them, and a training step that frees its activations and asks for them again in the next step
 *            would pay it every time.
 * Buffers    A freed buffer is therefore kept and handed out again. Capacities are rounded up to four sizes
 *            per power of two (1024, 1280, 1536, 1792, 2048, 2560, ... byte): at most a quarter of a buffer
 *            is unused, and buffers of nearly equal tensors serve each other. Each size has a stack of free
 *            buffers: the one freed last is taken first, since it is the likeliest to be in the cache. A
 *            buffer of 2 MiB or more starts at a huge page on Linux, where one trap brings 2 MiB and one TLB
 *            entry covers them.
 *
 *               base                base + 64
 *               | header, 64 byte   | what the caller gets, `capacity` byte |  one mapping, or one aligned malloc
 *
 * Bounds     All free buffers are also in one list by age, and the oldest are given back to the system
 *              - when the free bytes exceed the limit;
 *              - when they were not reused during the last MAX_AGE acquisitions. A buffer that a training
 *                step needs is reused once per step, and a step of a large network makes a few thousand
 *                acquisitions; one that has been idle for longer belongs to a shape that is gone (last batch,
 *                longer sentence, other model) and only takes memory from those that are in use. Counting
 *                acquisitions, not seconds, leaves a program that pauses (a notebook) alone and makes the
 *                rule reproducible.
 *            So a run over a thousand shapes holds what its last MAX_AGE acquisitions used, never more than
 *            the limit; and the number of sizes is a constant.
 * Scratch    A thread's first request reserves FNN_SCRATCH_BYTES of address space; untouched pages cost
 *            nothing. It is a stack: allocating moves its top up, freeing moves it down, two additions each.
 *            It goes at the thread's end.
 * Threads    Buffers: one lock, never held while calling the system. Scratch: no sharing, no lock.
 * Fork       The child inherits buffers, limit and its own thread's scratch. The scratch of threads that it
 *            does not have stays reserved in it: address space and shared pages.
 * Tests      tests/c/test_memory.c
 */
#if !defined(_WIN32)
#  define _GNU_SOURCE                              /* mmap flags, posix_memalign under -std=c11 */
#endif
#include "memory.h"
#include "sync.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#if defined(_WIN32)
#  include <malloc.h>
#else
#  include <sys/mman.h>
#endif

#define ALIGNMENT ((size_t)64)
#define HUGE_PAGE ((size_t)2 << 20)
#define MAX_AGE 8192                               /* acquisitions; see Bounds */

static size_t round_up(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

/* ---- Memory from the system ---------------------------------------------------------------------------- */

#if defined(_WIN32)
static void *map_pages(size_t bytes) { return VirtualAlloc(NULL, bytes, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE); }
static void unmap_pages(void *p, size_t bytes) { (void)bytes; VirtualFree(p, 0, MEM_RELEASE); }
static void *allocate_small(size_t bytes) { return _aligned_malloc(bytes, ALIGNMENT); }
static void free_small(void *p) { _aligned_free(p); }
#else
#  if !defined(MAP_ANONYMOUS)
#    define MAP_ANONYMOUS MAP_ANON
#  endif
#  define PAGE_BYTES ((size_t)64 << 10)            /* a multiple of every usual page size */

/* Whole pages that start at a multiple of HUGE_PAGE: map that much more, cut off what sticks out on both sides. */
static void *map_pages(size_t bytes)
{
    bytes = round_up(bytes, PAGE_BYTES);
    char *p = mmap(NULL, bytes + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == (char *)MAP_FAILED)
        return NULL;
    size_t before = (HUGE_PAGE - (uintptr_t)p % HUGE_PAGE) % HUGE_PAGE;
    if (before > 0)
        munmap(p, before);
    munmap(p + before + bytes, HUGE_PAGE - before);
    p += before;
#  if defined(MADV_HUGEPAGE)
    madvise(p, bytes, MADV_HUGEPAGE);              /* advice only: small pages will do */
#  endif
    return p;
}

static void unmap_pages(void *p, size_t bytes) { munmap(p, round_up(bytes, PAGE_BYTES)); }

static void *allocate_small(size_t bytes)
{
    void *p;
    return posix_memalign(&p, ALIGNMENT, bytes) == 0 ? p : NULL;
}

static void free_small(void *p) { free(p); }
#endif

/* ---- Buffers: headers, sizes, lists -------------------------------------------------------------------- */

typedef struct node {                              /* of a ring; the list's head is a node of the ring too */
    struct node *prev, *next;
} node;

typedef struct {
    node by_age;                                   /* in cache.by_age while free, newest first; see from_age */
    node by_size;                                  /* in cache.by_size[size_class] while free, newest first */
    size_t capacity;
    uint64_t freed_at;                             /* value of cache.clock */
    uint32_t size_class, state;
} header;

#define HEADER_BYTES ALIGNMENT
_Static_assert(sizeof(header) <= HEADER_BYTES, "what follows the header must be aligned");

enum { IN_USE = 0x55534544, FREE = 0x46524545 };   /* odd values: debug builds notice a wrong pointer */

#define MIN_CAPACITY_LOG2 10
#define SIZE_CLASSES (4 * ((int)sizeof(size_t) * 8 - MIN_CAPACITY_LOG2))
#define MAX_BYTES (SIZE_MAX / 4)                   /* more is absurd, and would overflow the arithmetic below */

static struct {
    fnn_mutex lock;
    fnn_atomic started;
    node by_age, by_size[SIZE_CLASSES];
    uint64_t clock;                                /* acquisitions so far */
    size_t cached, in_use, limit;
} cache = {.lock = FNN_MUTEX_INIT};

static void insert_after(node *at, node *l)
{
    l->next = at->next;
    l->prev = at;
    at->next->prev = l;
    at->next = l;
}

static void take_out(node *l) { l->prev->next = l->next; l->next->prev = l->prev; }
static void make_empty(node *head) { head->prev = head->next = head; }
static int is_empty(const node *head) { return head->next == head; }
static header *from_age(node *l) { return (header *)l; }      /* by_age is the first member */
static header *from_size(node *l) { return (header *)((char *)l - offsetof(header, by_size)); }

/* Class 4*e + q holds (4 + q) * 2^e times a quarter of the least capacity: 1024, 1280, 1536, 1792, 2048, 2560, ... */
static size_t capacity_of(int size_class)
{
    return (size_t)(4 + size_class % 4) << (size_class / 4 + MIN_CAPACITY_LOG2 - 2);
}

/* The least class that holds `bytes`. */
static int class_of(size_t bytes)
{
    if (bytes <= (size_t)1 << MIN_CAPACITY_LOG2)
        return 0;
    int e = MIN_CAPACITY_LOG2;                     /* 2^e < bytes <= 2^(e+1) */
    while ((bytes - 1) >> (e + 1))
        e++;
    int quarters = (int)((bytes - 1) >> (e - 2));  /* 4..7, of 2^e / 4 each, are not enough; one more is */
    return 4 * (e - MIN_CAPACITY_LOG2) + quarters - 4 + 1;
}

static int is_large(size_t capacity)
{
#if defined(__linux__)
    return capacity >= HUGE_PAGE;
#else
    (void)capacity;
    return 0;
#endif
}

static header *new_buffer(int size_class)
{
    size_t capacity = capacity_of(size_class);
    header *h = is_large(capacity) ? map_pages(HEADER_BYTES + capacity) : allocate_small(HEADER_BYTES + capacity);
    if (h != NULL) {
        h->capacity = capacity;
        h->size_class = (uint32_t)size_class;
    }
    return h;
}

static void destroy_buffers(node *doomed)          /* without the lock: the system may take long */
{
    for (node *l = doomed->next; l != doomed;) {
        header *h = from_age(l);
        l = l->next;
        if (is_large(h->capacity))
            unmap_pages(h, HEADER_BYTES + h->capacity);
        else
            free_small(h);
    }
}

/* ---- Start, settings, fork ----------------------------------------------------------------------------- */

static void scratch_start(void);

#if !defined(_WIN32)
static void before_fork(void) { fnn_lock(&cache.lock); }
static void after_fork_in_parent(void) { fnn_unlock(&cache.lock); }
static void after_fork_in_child(void) { cache.lock = (fnn_mutex)FNN_MUTEX_INIT; }
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
    if (fnn_get(&cache.started))
        return;
    fnn_lock(&cache.lock);
    if (!fnn_get(&cache.started)) {
        make_empty(&cache.by_age);
        for (int c = 0; c < SIZE_CLASSES; c++)
            make_empty(&cache.by_size[c]);
        cache.limit = limit_at_start();
        scratch_start();
#if !defined(_WIN32)
        pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
#endif
        fnn_set(&cache.started, 1);
    }
    fnn_unlock(&cache.lock);
}

/* ---- Buffers: the public functions --------------------------------------------------------------------- */

static void forget(header *h)                      /* a free buffer leaves the cache */
{
    take_out(&h->by_age);
    take_out(&h->by_size);
    cache.cached -= h->capacity;
}

/* Move the oldest free buffers to `doomed`, as long as there are more free bytes than `limit` or they are too old. */
static void retire(size_t limit, node *doomed)
{
    make_empty(doomed);
    while (!is_empty(&cache.by_age)) {
        header *oldest = from_age(cache.by_age.prev);
        if (cache.cached <= limit && cache.clock - oldest->freed_at <= MAX_AGE)
            return;
        forget(oldest);
        insert_after(doomed, &oldest->by_age);
    }
}

static void shrink_to(size_t limit)
{
    node doomed;
    start();
    fnn_lock(&cache.lock);
    retire(limit, &doomed);
    fnn_unlock(&cache.lock);
    destroy_buffers(&doomed);
}

void *fnn_buffer_acquire(size_t bytes)
{
    node doomed;
    header *h = NULL;
    if (bytes > MAX_BYTES)
        return NULL;
    int size_class = class_of(bytes);
    start();
    fnn_lock(&cache.lock);
    cache.clock++;
    node *same_size = &cache.by_size[size_class];
    if (!is_empty(same_size)) {
        h = from_size(same_size->next);
        forget(h);
        cache.in_use += h->capacity;
    }
    retire(cache.limit, &doomed);
    fnn_unlock(&cache.lock);
    destroy_buffers(&doomed);

    if (h == NULL) {
        h = new_buffer(size_class);
        if (h == NULL) {                           /* the memory may be where the other sizes are kept */
            fnn_buffer_trim();
            h = new_buffer(size_class);
        }
        if (h == NULL)
            return NULL;
        fnn_lock(&cache.lock);
        cache.in_use += h->capacity;
        fnn_unlock(&cache.lock);
    }
    h->state = IN_USE;
    return (char *)h + HEADER_BYTES;
}

void fnn_buffer_release(void *p)
{
    node doomed;
    if (p == NULL)
        return;
    header *h = (header *)((char *)p - HEADER_BYTES);
    assert(h->state == IN_USE && "not from fnn_buffer_acquire, or released twice");
    h->state = FREE;
    fnn_lock(&cache.lock);
    h->freed_at = cache.clock;
    insert_after(&cache.by_age, &h->by_age);
    insert_after(&cache.by_size[h->size_class], &h->by_size);
    cache.cached += h->capacity;
    cache.in_use -= h->capacity;
    retire(cache.limit, &doomed);
    fnn_unlock(&cache.lock);
    destroy_buffers(&doomed);
}

void fnn_buffer_trim(void) { shrink_to(0); }

void fnn_buffer_set_limit(size_t bytes)
{
    start();
    fnn_lock(&cache.lock);
    cache.limit = bytes;
    fnn_unlock(&cache.lock);
    shrink_to(bytes);
}

static size_t read_locked(const size_t *value)
{
    start();
    fnn_lock(&cache.lock);
    size_t v = *value;
    fnn_unlock(&cache.lock);
    return v;
}

size_t fnn_buffer_limit(void) { return read_locked(&cache.limit); }
size_t fnn_buffer_cached(void) { return read_locked(&cache.cached); }
size_t fnn_buffer_in_use(void) { return read_locked(&cache.in_use); }

/* ---- Scratch ------------------------------------------------------------------------------------------- */

/* The arena's first 64 bytes say where its free part begins. A little more than FNN_SCRATCH_BYTES is reserved, for
 * those 64 bytes and for rounding up: alignment does not count against the user. */
typedef struct {
    char *top;
} arena;

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
    if (!arena_keep(a)) {
        unmap_pages(a, ARENA_BYTES);
        return 0;
    }
    a->top = (char *)a + ALIGNMENT;
    return 1;
}

void *fnn_scratch_alloc(size_t bytes)
{
    if (!fnn_scratch_ready())
        return NULL;
    arena *a = arena_get();
    size_t room = (size_t)((char *)a + ARENA_BYTES - a->top);
    assert(bytes <= room && "this thread holds more than FNN_SCRATCH_BYTES");
    if (bytes > room)
        return NULL;
    char *p = a->top;
    a->top += round_up(bytes, ALIGNMENT);          /* stays within the arena, whose end is aligned too */
    return p;
}

void fnn_scratch_free(void *p)
{
    arena *a = arena_get();
    if (p == NULL || a == NULL)
        return;
    assert((char *)p >= (char *)a + ALIGNMENT && (char *)p <= a->top && "not this thread's scratch, or freed before");
    a->top = p;
}
