/* test_memory.c -- self-test of the buffer cache and of the scratch stacks (POSIX systems; parts of it Linux).
 *
 *   cc -std=c11 -O2 -g -Wall -Wextra -pthread tests/c/test_memory.c -o test_memory && ./test_memory
 *
 * Also run it with -fsanitize=thread, and with -fsanitize=address,undefined.
 */
#include "../../csrc/memory.c"                     /* included, so that its private functions can be tested */
#include "check.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define KB ((size_t)1 << 10)
#define MB ((size_t)1 << 20)

static int is_aligned(const void *p) { return (uintptr_t)p % 64 == 0; }

static size_t capacity_for(size_t bytes) { return capacity_of(class_of(bytes)); }

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

/* ---- Buffers ------------------------------------------------------------------------------------------- */

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
    CHECK(capacity_of(0) == 1024 && capacity_of(1) == 1280 && capacity_of(4) == 2048 && capacity_of(5) == 2560);
    CHECK(class_of(0) == 0);
    for (size_t bytes = 1; bytes < 100000; bytes++) {
        int c = class_of(bytes);
        CHECK(capacity_of(c) >= bytes);
        CHECK(c == 0 || capacity_of(c - 1) < bytes);                   /* the least that is large enough */
    }
    for (int c = 1; c <= class_of(MAX_BYTES); c++) {
        CHECK(c < SIZE_CLASSES);
        size_t capacity = capacity_of(c);
        CHECK(class_of(capacity) == c && class_of(capacity_of(c - 1) + 1) == c);
        CHECK(capacity - capacity_of(c - 1) <= capacity_of(c - 1) / 4);
    }
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
            fnn_buffer_release(p[(i * 7) % COUNT]);                    /* each once: 7 does not divide 300 */
    }
    fnn_buffer_release(NULL);
}

static void test_reuse_newest_first(void)
{
    start_afresh(512 * MB);
    const size_t sizes[] = {100, 100 * KB, 4 * MB};
    for (int i = 0; i < 3; i++) {
        void *a = fnn_buffer_acquire(sizes[i]), *b = fnn_buffer_acquire(sizes[i]);
        CHECK(a && b && a != b);
        CHECK(fnn_buffer_in_use() == 2 * capacity_for(sizes[i]));
        fnn_buffer_release(a);
        fnn_buffer_release(b);
        CHECK(fnn_buffer_cached() == 2 * capacity_for(sizes[i]) && fnn_buffer_in_use() == 0);
        CHECK(fnn_buffer_acquire(capacity_for(sizes[i])) == b);        /* also for a size a little larger */
        CHECK(fnn_buffer_acquire(sizes[i]) == a);
        CHECK(fnn_buffer_cached() == 0);
        fnn_buffer_release(a);
        fnn_buffer_release(b);
        fnn_buffer_trim();
        CHECK(fnn_buffer_cached() == 0);
    }
}

static void test_limit_evicts_oldest_first(void)
{
    start_afresh(10 * MB);
    void *a = fnn_buffer_acquire(4 * MB), *b = fnn_buffer_acquire(3 * MB), *c = fnn_buffer_acquire(5 * MB);
    CHECK(a && b && c);
    fnn_buffer_release(a);
    fnn_buffer_release(b);
    CHECK(fnn_buffer_cached() == 7 * MB);
    fnn_buffer_release(c);                         /* 12 MB: the oldest, of 4 MB, goes */
    CHECK(fnn_buffer_cached() == 8 * MB);
    fnn_buffer_set_limit(5 * MB);
    CHECK(fnn_buffer_cached() == 5 * MB);
    CHECK(fnn_buffer_acquire(5 * MB) == c);
    fnn_buffer_set_limit(4 * MB);
    fnn_buffer_release(c);                         /* larger than the limit: not kept */
    CHECK(fnn_buffer_cached() == 0);
    fnn_buffer_set_limit(0);
    touch(100);
    CHECK(fnn_buffer_cached() == 0);
}

static void test_old_buffers_go(void)
{
    start_afresh(512 * MB);
    touch(8 * MB);                                 /* of a model that is gone */
    touch(1 * KB);
    for (int i = 0; i < MAX_AGE - 1; i++)
        touch(1 * KB);
    CHECK(fnn_buffer_cached() == 8 * MB + 1 * KB); /* not old enough by one */
    touch(1 * KB);
    CHECK(fnn_buffer_cached() == 1 * KB);

    touch(8 * MB);                                 /* one that is used now and then stays */
    void *kept = fnn_buffer_acquire(8 * MB);
    fnn_buffer_release(kept);
    for (int step = 0; step < 3; step++) {
        for (int i = 0; i < MAX_AGE - 1; i++)
            touch(1 * KB);
        void *again = fnn_buffer_acquire(8 * MB);
        CHECK(again == kept);
        fnn_buffer_release(again);
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
    for (int i = 0; i <= MAX_AGE; i++)             /* then one shape only: nothing else is left after a while */
        touch(2 * MB);
    CHECK(fnn_buffer_cached() == 2 * MB);
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

/* ---- Scratch ------------------------------------------------------------------------------------------- */

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
    if (!ADDRESS_SANITIZER && !THREAD_SANITIZER)   /* 64 threads came and went: not even one arena more is left */
        CHECK((size_t)(address_space_pages() - before) * (size_t)sysconf(_SC_PAGESIZE) < FNN_SCRATCH_BYTES);
}

/* ---- No memory, fork ----------------------------------------------------------------------------------- */

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

#if !ADDRESS_SANITIZER && !THREAD_SANITIZER && defined(__linux__)      /* they need address space themselves */
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
    touch(7 * MB);
    CHECK(fnn_buffer_cached() == 7 * MB);
    touch(6 * MB);                                 /* fits only when the free one of 7 MB is given back first */
    CHECK(fnn_buffer_cached() == 6 * MB);
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
    CHECK(pthread_setattr_default_np(&attr) == 0); /* small stacks, so that the thread itself can start */
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
    test_limit_evicts_oldest_first();
    test_old_buffers_go();
    test_a_thousand_shapes();
    test_absurd_sizes();
    test_many_threads();
    test_scratch_is_a_stack();
    test_scratch_holds_what_it_promises();
    test_scratch_belongs_to_its_thread();
    test_fork();
#if !ADDRESS_SANITIZER && !THREAD_SANITIZER && defined(__linux__)
    test_without_memory();
#endif
    puts("ok");
    return 0;
}
