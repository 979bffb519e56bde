/* test_memory.c -- self-test of the buffer cache and of the scratch stacks (POSIX systems; parts of
 * it Linux).
 *
 *   cc -std=c11 -O2 -g -Wall -Wextra -pthread -Icsrc tests/c/test_memory.c -o test_memory
 *
 * Also run it with -fsanitize=thread, and with -fsanitize=address,undefined.
 */
#include "../../csrc/core/memory.c"     /* included, so that its private functions can be tested */
#include "check.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define KB ((size_t)1 << 10)
#define MB ((size_t)1 << 20)

static int is_aligned(const void *p) { return (uintptr_t)p % 64 == 0; }

/* What a buffer takes of the heap. */
static size_t taken_by(size_t bytes) { return fnn_round_up_bytes(bytes + HEADER_BYTES, UNIT); }

/* The heap's books: pieces lie end to end, know their neighbours, no two free ones meet, and the
 * sums are right. */
static inline void check_heap(piece *const *chunks, int count)
{
    size_t cached = 0, listed = 0, in_lists = 0, found_free = 0;
    for (int i = 0; i < count; i++) {
        piece *p = chunks[i], *before = NULL;
        for (;; before = p, p = after(p)) {
            CHECK(p->before == before && p->bytes >= UNIT && p->bytes % UNIT == 0);
            CHECK(p->state == FREE || p->state == IN_USE);
            CHECK(before == NULL || p->state == IN_USE || before->state == IN_USE);
            if (p->state == FREE) {
                CHECK(p->touched <= p->bytes);
                cached += p->touched;
                found_free++;
            }
            if (p->last)
                break;
        }
    }
    for (int c = 0; c < SIZE_CLASSES; c++)
        for (node *l = heap.by_size[c].next; l != &heap.by_size[c]; l = l->next) {
            CHECK(class_of(from_size(l)->bytes) == c && from_size(l)->state == FREE);
            listed += from_size(l)->touched;
            in_lists++;
        }
    CHECK(listed == heap.cached);
    if (count > 0)
        CHECK(cached == heap.cached && found_free == in_lists);
}

/* The chunk that a buffer lies in. */
static inline piece *chunk_of(void *buffer)
{
    piece *p = (piece *)((char *)buffer - HEADER_BYTES);
    while (p->before != NULL)
        p = p->before;
    return p;
}

/* Acquire and release: afterwards a buffer of this size is free. */
static void touch(size_t bytes)
{
    void *p = fnn_buffer_acquire(bytes);
    CHECK(p);
    fnn_buffer_release(p);
}

static void start_afresh(size_t limit)
{
    fnn_buffer_trim();
    fnn_buffer_set_limit(limit);
    CHECK(fnn_buffer_cached() == 0 && fnn_buffer_in_use() == 0 && fnn_buffer_limit() == limit);
}

/* ---- Buffers --------------------------------------------------------------------------------- */

static void test_limit_from_environment(void)      /* before anything else: it is read once */
{
    const struct { const char *text; size_t limit; } cases[] = {
        {"7", 7 * MB}, {"0", 0}, {"", 512 * MB}, {"-1", 512 * MB}, {"1.5", 512 * MB}, {"1GB", 512 * MB},
        {"99999999999999999999", 512 * MB}, {"9000000000000000000", SIZE_MAX}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setenv("FASTNN_CACHE_MB", cases[i].text, 1);
        CHECK(limit_at_start() == cases[i].limit);
    }
    unsetenv("FASTNN_CACHE_MB");
    CHECK(limit_at_start() == 512 * MB);
    setenv("FASTNN_CACHE_MB", "7", 1);
    CHECK(fnn_buffer_limit() == 7 * MB);
}

static void test_size_classes(void)
{
    CHECK(class_of(1024) == 0 && class_of(1279) == 0 && class_of(1280) == 1 && class_of(2048) == 4
          && class_of(2560) == 5);
    for (size_t bytes = UNIT; bytes < 1000000; bytes += 64)
        CHECK(class_of(bytes) <= class_of(bytes + 64) && class_of(bytes + bytes / 4 + 1) > class_of(bytes));
    CHECK(class_of(2 * MAX_BYTES) < SIZE_CLASSES);
}

static void test_buffers_are_aligned_and_apart(void)
{
    enum { COUNT = 300 };
    unsigned char *p[COUNT];
    size_t bytes[COUNT];
    uint64_t seed = 1;
    start_afresh(64 * MB);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < COUNT; i++) {
            bytes[i] = random_u32(&seed) % (i % 50 == 0 ? 5 * MB : 20 * KB);
            p[i] = fnn_buffer_acquire(bytes[i]);
            CHECK(p[i] && is_aligned(p[i]));
            memset(p[i], i & 0xff, bytes[i]);      /* the whole of it is ours to write */
        }
        for (int i = 0; i < COUNT; i++)
            for (size_t k = 0; k < bytes[i]; k += 97)
                CHECK(p[i][k] == (i & 0xff));
        for (int i = 0; i < COUNT; i++)
            fnn_buffer_release(p[(i * 7) % COUNT]);         /* each once: 7 does not divide 300 */
    }
    fnn_buffer_release(NULL);
}

static void test_reuse_newest_first(void)
{
    start_afresh(512 * MB);
    const size_t sizes[] = {100, 100 * KB, 4 * MB};
    for (int i = 0; i < 3; i++) {
        void *a = fnn_buffer_acquire(sizes[i]), *wall = fnn_buffer_acquire(1);
        void *b = fnn_buffer_acquire(sizes[i]), *end = fnn_buffer_acquire(1);
        CHECK(a && b && a != b);
        CHECK(fnn_buffer_in_use() == 2 * taken_by(sizes[i]) + 2 * taken_by(1));
        fnn_buffer_release(a);
        fnn_buffer_release(b);
        CHECK(fnn_buffer_cached() == 2 * taken_by(sizes[i]));
        CHECK(fnn_buffer_acquire(sizes[i]) == b && fnn_buffer_acquire(sizes[i]) == a);
        CHECK(fnn_buffer_cached() == 0);
        fnn_buffer_release(a);
        fnn_buffer_release(b);
        fnn_buffer_release(wall);
        fnn_buffer_release(end);
        CHECK(fnn_buffer_in_use() == 0);
        fnn_buffer_trim();
        CHECK(fnn_buffer_cached() == 0);
    }
}

#if !ADDRESS_SANITIZER                           /* there a chunk is as long as its buffer */
static void test_pieces_are_cut_and_joined(void)
{
    start_afresh(512 * MB);
    char *whole = fnn_buffer_acquire(6 * MB), *wall = fnn_buffer_acquire(1);
    piece *chunk = chunk_of(whole);
    fnn_buffer_release(whole);
    check_heap(&chunk, 1);
    char *part[4];
    for (int i = 0; i < 4; i++)             /* what was one buffer serves four of another size */
        part[i] = fnn_buffer_acquire(MB + MB / 4);
    CHECK(part[0] == whole && part[3] > whole && part[3] < whole + 6 * MB);
    check_heap(&chunk, 1);
    const int order[] = {1, 3, 0, 2};   /* joined with nothing, what follows, nothing, both sides */
    for (int i = 0; i < 4; i++) {
        fnn_buffer_release(part[order[i]]);
        check_heap(&chunk, 1);
    }
    CHECK(fnn_buffer_cached() == taken_by(6 * MB));
    CHECK(fnn_buffer_acquire(6 * MB) == whole);    /* and is one again */
    CHECK(fnn_buffer_cached() == 0);
    fnn_buffer_release(wall);
    fnn_buffer_release(whole);
    fnn_buffer_trim();
    check_heap(NULL, 0);
    CHECK(find(UNIT) == NULL);              /* a chunk in which nothing is used goes as a whole */
}

/* Random traffic: after each step the books are right, and what was written is there. */
static void test_books_under_random_traffic(void)
{
    enum { COUNT = 64 };
    unsigned char *p[COUNT] = {NULL};
    size_t bytes[COUNT];
    uint64_t seed = 9;
    start_afresh(24 * MB);
    unsigned char *anchor = fnn_buffer_acquire(1);
    piece *chunk = chunk_of(anchor);
    for (int i = 0; i < 20000; i++) {
        int k = (int)(random_u32(&seed) % COUNT);
        if (p[k] != NULL) {
            CHECK(p[k][0] == k && p[k][bytes[k] - 1] == k);
            fnn_buffer_release(p[k]);
            p[k] = NULL;
        } else {
            bytes[k] = 1 + random_u32(&seed) % (random_u32(&seed) % 8 == 0 ? 2 * MB : 100 * KB);
            CHECK(p[k] = fnn_buffer_acquire(bytes[k]));
            p[k][0] = p[k][bytes[k] - 1] = (unsigned char)k;
        }
        if (i % 1000 == 999)
            give_back(random_u32(&seed) % (8 * MB));
        check_heap(&chunk, 1);
        CHECK(fnn_buffer_cached() <= 24 * MB);
    }
    for (int k = 0; k < COUNT; k++)
        fnn_buffer_release(p[k]);
    fnn_buffer_release(anchor);
    CHECK(fnn_buffer_in_use() == 0);
}
#endif

#if !ADDRESS_SANITIZER && !THREAD_SANITIZER && defined(__linux__)
static long resident_pages(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f != NULL) {
        CHECK(fscanf(f, "%*d %ld", &pages) == 1);
        fclose(f);
    }
    return pages;
}

static size_t resident(void) { return (size_t)resident_pages() * (size_t)sysconf(_SC_PAGESIZE); }

/* What is given back is no longer resident, and what is not touched never was; beside a buffer in
 * use, too. */
static void test_memory_really_goes(void)
{
    start_afresh(512 * MB);
    size_t before = resident();
    char *wall = fnn_buffer_acquire(1), *p = fnn_buffer_acquire(64 * MB), *end = fnn_buffer_acquire(1);
    CHECK(resident() < before + 8 * MB);
    memset(p, 1, 64 * MB);
    CHECK(resident() > before + 60 * MB);
    fnn_buffer_release(p);
    CHECK(resident() > before + 60 * MB && fnn_buffer_cached() >= 64 * MB);
    fnn_buffer_set_limit(20 * MB);
    CHECK(resident() < before + 24 * MB && resident() > before + 16 * MB && fnn_buffer_cached() <= 20 * MB);
    fnn_buffer_trim();
    CHECK(resident() < before + 4 * MB && fnn_buffer_cached() == 0);
    CHECK(fnn_buffer_acquire(64 * MB) == p);       /* its address space stayed */
    fnn_buffer_release(p);
    fnn_buffer_release(wall);
    fnn_buffer_release(end);
}
#endif

static void test_limit(void)
{
    start_afresh(10 * MB);
    void *a = fnn_buffer_acquire(4 * MB), *b = fnn_buffer_acquire(3 * MB);
    void *c = fnn_buffer_acquire(5 * MB), *wall = fnn_buffer_acquire(1);
    CHECK(a && b && c);
    fnn_buffer_release(a);
    CHECK(fnn_buffer_cached() == taken_by(4 * MB));
    fnn_buffer_release(c);
    CHECK(fnn_buffer_cached() == taken_by(4 * MB) + taken_by(5 * MB));
    fnn_buffer_release(b);                         /* 12 MB: the limit is kept */
    CHECK(fnn_buffer_cached() <= 10 * MB && fnn_buffer_cached() > 9 * MB);
    fnn_buffer_set_limit(5 * MB);
    CHECK(fnn_buffer_cached() <= 5 * MB && fnn_buffer_cached() > 4 * MB);
    fnn_buffer_set_limit(0);
    touch(100);
    CHECK(fnn_buffer_cached() == 0);
    fnn_buffer_release(wall);
    CHECK(fnn_buffer_cached() == 0 && fnn_buffer_in_use() == 0);
}

static void test_what_is_not_needed_goes(void)
{
    start_afresh(512 * MB);
    for (int i = 0; i < 2 * WINDOW; i++)           /* the windows before this test are forgotten */
        touch(1 * KB);
    touch(8 * MB);                                 /* of a model that is gone */
    for (int i = 0; i < WINDOW; i++)
        touch(1 * KB);
    CHECK(fnn_buffer_cached() >= 8 * MB);          /* it was needed in the window before this */
    for (int i = 0; i < 2 * WINDOW; i++)
        touch(1 * KB);
    CHECK(fnn_buffer_cached() < 4 * KB);

    for (int step = 0; step < 6; step++) {         /* what is used now and then stays */
        touch(8 * MB);
        for (int i = 0; i < WINDOW - 1; i++)
            touch(1 * KB);
        CHECK(fnn_buffer_cached() >= 8 * MB);
    }
}

static void test_a_thousand_shapes(void)
{
    uint64_t seed = 5;
    start_afresh(32 * MB);
    for (int i = 0; i < 1000; i++) {
        void *p[3];
        for (int k = 0; k < 3; k++)
            CHECK(p[k] = fnn_buffer_acquire(1 + random_u32(&seed) % (9 * MB)));
        for (int k = 0; k < 3; k++)
            fnn_buffer_release(p[k]);
        CHECK(fnn_buffer_cached() <= 32 * MB);
    }
    /* then one shape only: nothing else is left after a while */
    for (int i = 0; i < 3 * WINDOW; i++)
        touch(2 * MB);
    CHECK(fnn_buffer_cached() >= 2 * MB && fnn_buffer_cached() < 2 * MB + MB / 2);
}

static void test_absurd_sizes(void)
{
    CHECK(fnn_buffer_acquire(SIZE_MAX) == NULL);
    CHECK(fnn_buffer_acquire(SIZE_MAX - 63) == NULL);
    CHECK(fnn_buffer_acquire((size_t)PTRDIFF_MAX) == NULL);
    if (!ADDRESS_SANITIZER && !THREAD_SANITIZER)   /* they stop the program */
        CHECK(fnn_buffer_acquire(MAX_BYTES) == NULL);
    CHECK(fnn_buffer_in_use() == 0);
    void *p = fnn_buffer_acquire(0);
    CHECK(p && is_aligned(p));
    fnn_buffer_release(p);
}

/* Buffers travel between threads through these slots. */
static struct { fnn_mutex lock; unsigned char *p; size_t bytes; } slots[16];

static void *exchange_buffers(void *arg)
{
    uint64_t seed = (uint64_t)(uintptr_t)arg;
    for (int i = 0; i < 4000; i++) {
        size_t bytes = 1 + random_u32(&seed) % (i % 100 == 0 ? 3 * MB : 8 * KB);
        unsigned char *p = fnn_buffer_acquire(bytes);
        CHECK(p);
        p[0] = p[bytes - 1] = (unsigned char)(bytes & 0xff);
        int s = (int)(random_u32(&seed) % 16);
        fnn_lock(&slots[s].lock);
        unsigned char *other = slots[s].p;
        size_t other_bytes = slots[s].bytes;
        slots[s].p = p;
        slots[s].bytes = bytes;
        fnn_unlock(&slots[s].lock);
        if (other)
            CHECK(other[0] == (other_bytes & 0xff) && other[other_bytes - 1] == (other_bytes & 0xff));
        fnn_buffer_release(other);
        if (i % 500 == 0)
            fnn_buffer_trim();
    }
    return NULL;
}

static void test_many_threads(void)
{
    pthread_t threads[6];
    start_afresh(4 * MB);
    for (int s = 0; s < 16; s++)
        slots[s].lock = (fnn_mutex)FNN_MUTEX_INIT;
    for (uintptr_t i = 0; i < 6; i++)
        CHECK(pthread_create(&threads[i], NULL, exchange_buffers, (void *)(i + 1)) == 0);
    for (int i = 0; i < 6; i++)
        pthread_join(threads[i], NULL);
    CHECK(fnn_buffer_cached() <= 4 * MB);
    for (int s = 0; s < 16; s++)
        fnn_buffer_release(slots[s].p);
    CHECK(fnn_buffer_in_use() == 0);
}

/* ---- Scratch --------------------------------------------------------------------------------- */

static void test_scratch_is_a_stack(void)
{
    CHECK(fnn_scratch_ready());
    char *a = fnn_scratch_alloc(100), *b = fnn_scratch_alloc(1);
    char *c = fnn_scratch_alloc(0), *d = fnn_scratch_alloc(64);
    CHECK(is_aligned(a) && is_aligned(b) && is_aligned(c) && is_aligned(d));
    CHECK(b == a + 128 && c == b + 64 && d == c);
    fnn_scratch_free(b);                           /* and c and d */
    CHECK(fnn_scratch_alloc(5) == b);
    fnn_scratch_free(a);
    fnn_scratch_free(NULL);
    CHECK(fnn_scratch_alloc(7) == a);
    fnn_scratch_free(a);
}

static void test_scratch_beyond_what_it_promises(void)
{
    enum { MORE = 3 << 20 };
    size_t before = fnn_buffer_in_use();
    char *a = fnn_scratch_alloc(100);
    for (int round = 0; round < 3; round++) {
        char *most = fnn_scratch_alloc(FNN_SCRATCH_BYTES - MORE), *x = fnn_scratch_alloc(2 * MORE);
        char *small = fnn_scratch_alloc(1000), *y = fnn_scratch_alloc(2 * MORE);
        CHECK(is_aligned(x) && is_aligned(y) && fnn_buffer_in_use() > before);
        memset(most, 1, FNN_SCRATCH_BYTES - MORE);
        memset(x, 2, 2 * MORE);
        memset(small, 3, 1000);
        memset(y, 4, 2 * MORE);
        CHECK(most[0] == 1 && x[2 * MORE - 1] == 2 && small[999] == 3 && y[0] == 4);
        if (round == 0)
            fnn_scratch_free(y);
        if (round <= 1) {
            fnn_scratch_free(x);                   /* and small, and y if it is still there */
            CHECK(fnn_scratch_alloc(1000) == small);
        }
        fnn_scratch_free(most);
        CHECK(fnn_buffer_in_use() == before);
    }
    CHECK(fnn_scratch_alloc(8) == a + 128);
    fnn_scratch_free(a);
}

static void test_scratch_holds_what_it_promises(void)
{
    unsigned char *a = fnn_scratch_alloc(FNN_SCRATCH_BYTES);
    CHECK(a);
    memset(a, 1, FNN_SCRATCH_BYTES);
    fnn_scratch_free(a);
    unsigned char *first = a, *p = NULL;
    for (int i = 0; i < 1000; i++) {               /* rounding up does not count */
        p = fnn_scratch_alloc(FNN_SCRATCH_BYTES / 1000);
        CHECK(p && (i > 0 || p == first));
        p[0] = p[FNN_SCRATCH_BYTES / 1000 - 1] = 1;
    }
    fnn_scratch_free(first);
#if defined(NDEBUG)
    CHECK(fnn_scratch_alloc(FNN_SCRATCH_BYTES + MB) == NULL);
    CHECK(fnn_scratch_alloc(SIZE_MAX) == NULL);
#endif
}

static void *use_scratch(void *tag)
{
    unsigned char *p = fnn_scratch_alloc(3 * KB);
    CHECK(p && is_aligned(p));
    memset(p, (int)(uintptr_t)tag, 3 * KB);
    usleep(100);
    for (size_t i = 0; i < 3 * KB; i++)
        CHECK(p[i] == (unsigned char)(uintptr_t)tag);
    fnn_scratch_free(p);
    return NULL;
}

static long address_space_pages(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f != NULL) {
        CHECK(fscanf(f, "%ld", &pages) == 1);
        fclose(f);
    }
    return pages;
}

static void test_scratch_belongs_to_its_thread(void)
{
    pthread_t threads[4];
    long before = 0;
    for (int round = 0; round < 20; round++) {
        for (uintptr_t i = 0; i < 4; i++)
            CHECK(pthread_create(&threads[i], NULL, use_scratch, (void *)(i + 1)) == 0);
        for (int i = 0; i < 4; i++)
            pthread_join(threads[i], NULL);
        if (round == 3)
            before = address_space_pages();
    }
    /* 64 threads came and went: not even one arena more is left */
    if (!ADDRESS_SANITIZER && !THREAD_SANITIZER)
        CHECK((size_t)(address_space_pages() - before) * (size_t)sysconf(_SC_PAGESIZE) < FNN_SCRATCH_BYTES);
}

/* ---- No memory, fork ------------------------------------------------------------------------- */

static void in_child(void (*test)(void))
{
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(30);
        test();
        _Exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static fnn_atomic stop;

static void *use_buffers_until_stopped(void *unused)
{
    while (!fnn_get(&stop))
        touch(2 * MB);
    return unused;
}

static void use_everything(void)
{
    char *p = fnn_buffer_acquire(3 * MB), *q = fnn_scratch_alloc(1 * MB);
    CHECK(p && q);
    p[0] = q[0] = 1;
    fnn_scratch_free(q);
    fnn_buffer_release(p);
    fnn_buffer_trim();
}

static void test_fork(void)
{
    pthread_t thread;
    start_afresh(512 * MB);
    touch(3 * MB);
    in_child(use_everything);
    CHECK(pthread_create(&thread, NULL, use_buffers_until_stopped, NULL) == 0);
    for (int i = 0; i < 100; i++)
        in_child(use_everything);
    fnn_set(&stop, 1);
    pthread_join(thread, NULL);
    fnn_buffer_trim();
}

/* they need address space themselves */
#if !ADDRESS_SANITIZER && !THREAD_SANITIZER && defined(__linux__)
static void *scratch_is_refused(void *unused)
{
    CHECK(fnn_scratch_ready() == 0);
    return unused;
}

static void without_memory(void)
{
    struct rlimit limit = {(rlim_t)address_space_pages() * (rlim_t)sysconf(_SC_PAGESIZE) + (12 << 20), RLIM_INFINITY};
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
    void *p = fnn_buffer_acquire(6 * MB);
    CHECK(p != NULL);
    fnn_buffer_release(p);
    CHECK(fnn_buffer_acquire(200 * MB) == NULL);
    CHECK(fnn_buffer_in_use() == 0 && fnn_buffer_cached() == 0);
    touch(6 * MB);
    CHECK(fnn_buffer_cached() == taken_by(6 * MB));
    touch(7 * MB);                  /* fits only when the free one of 6 MB is given back first */
    CHECK(fnn_buffer_cached() == taken_by(7 * MB));
    pthread_t thread;
    fnn_buffer_trim();
    CHECK(pthread_create(&thread, NULL, scratch_is_refused, NULL) == 0);
    pthread_join(thread, NULL);
    CHECK(fnn_scratch_ready());                    /* this thread has its own from before */
}

static void test_without_memory(void)
{
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 1 << 20);
    /* small stacks, so that the thread itself can start */
    CHECK(pthread_setattr_default_np(&attr) == 0);
    CHECK(fnn_scratch_ready());
    start_afresh(512 * MB);
    in_child(without_memory);
}
#endif

int main(void)
{
    alarm(300);
    test_limit_from_environment();
    test_size_classes();
    test_buffers_are_aligned_and_apart();
    test_reuse_newest_first();
    test_limit();
    test_what_is_not_needed_goes();
#if !ADDRESS_SANITIZER
    test_pieces_are_cut_and_joined();
    test_books_under_random_traffic();
#endif
#if !ADDRESS_SANITIZER && !THREAD_SANITIZER && defined(__linux__)
    test_memory_really_goes();
#endif
    test_a_thousand_shapes();
    test_absurd_sizes();
    test_many_threads();
    test_scratch_is_a_stack();
    test_scratch_holds_what_it_promises();
    test_scratch_beyond_what_it_promises();
    test_scratch_belongs_to_its_thread();
    test_fork();
#if !ADDRESS_SANITIZER && !THREAD_SANITIZER && defined(__linux__)
    test_without_memory();
#endif
    puts("ok");
    return 0;
}
