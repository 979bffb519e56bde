/* test_parallel.c -- self-test of the thread pool (POSIX systems; parts of it Linux).
 *
 *   cc -std=c11 -O2 -g -pthread -Icsrc tests/c/test_parallel.c csrc/core/memory.c -o test_parallel
 *   ./test_parallel            all tests; prints "ok"
 *   ./test_parallel --time     the cost of an empty loop instead
 *
 * Also run it with -fsanitize=thread, and with -fsanitize=address,undefined. After a hang an alarm
 * ends the test.
 */
#define _GNU_SOURCE
#include "check.h"
#include "core/memory.h"
#include "core/sync.h"

#include <errno.h>
#include <pthread.h>

static fnn_atomic refuse_threads, refuse_scratch;  /* play a system that has no threads, or no
                                                      memory, left */

static int create_or_refuse(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg)
{
    return fnn_get(&refuse_threads) ? EAGAIN : pthread_create(thread, attr, start, arg);
}

static int ready_or_refuse(void) { return !fnn_get(&refuse_scratch) && fnn_scratch_ready(); }

#define pthread_create create_or_refuse
#define fnn_scratch_ready ready_or_refuse
#include "../../csrc/core/parallel.c"  /* included, so that the inner state can be tested and set */
#undef pthread_create
#undef fnn_scratch_ready
#include "../../csrc/core/processors.c"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

/* ---- Helpers --------------------------------------------------------------------------------- */

/* One loop to check: how often was each index visited, and were the blocks cut as promised? */
typedef struct {
    ptrdiff_t n, grain;
    int *visits;
    fnn_atomic blocks;
} visit;

static void visit_block(void *ctx, ptrdiff_t begin, ptrdiff_t end)
{
    visit *v = ctx;
    CHECK(begin % v->grain == 0);
    CHECK(end == (v->n - begin < v->grain ? v->n : begin + v->grain));
    for (ptrdiff_t i = begin; i < end; i++)
        v->visits[i]++;
    fnn_fetch_add(&v->blocks, 1);
}

enum { MAX_N = 2500 };

static void check_loop(ptrdiff_t n, ptrdiff_t grain)
{
    int visits[MAX_N + 1] = {0};  /* no malloc here: AddressSanitizer's is not safe around a fork */
    visit v = {.n = n, .grain = grain, .visits = visits};
    fnn_parallel_for(n, grain, visit_block, &v);
    for (ptrdiff_t i = 0; i < n; i++)
        CHECK(visits[i] == 1);
    CHECK(visits[n] == 0);
    CHECK(fnn_get(&v.blocks) == (n > 0 ? (n - 1) / grain + 1 : 0));
}

static void check_random_loops(int count, uint64_t seed)
{
    while (count-- > 0) {
        ptrdiff_t n = random_u32(&seed) % (random_u32(&seed) % 8 ? 200 : MAX_N);
        check_loop(n, 1 + random_u32(&seed) % 40);
    }
}

static void sleep_us(long us)
{
    struct timespec t = {us / 1000000, us % 1000000 * 1000};
    nanosleep(&t, NULL);
}

/* Threads of this process, -1 where that cannot be seen. */
static int threads_alive(void)
{
    DIR *d = opendir("/proc/self/task");
    if (d == NULL)
        return -1;
    int count = 0;
    for (struct dirent *e; (e = readdir(d));)
        count += e->d_name[0] != '.';
    closedir(d);
    return count;
}

/* Each of two blocks waits until the other one runs too: ends only if a worker really takes part.
 */
static void meet(void *ctx, ptrdiff_t begin, ptrdiff_t end)
{
    fnn_atomic *arrived = ctx;
    (void)begin, (void)end;
    fnn_fetch_add(arrived, 1);
    while (fnn_get(arrived) < 2)
        sched_yield();
}

static void check_meeting(void)
{
    fnn_atomic arrived = 0;
    fnn_parallel_for(2, 1, meet, &arrived);
    CHECK(fnn_get(&arrived) == 2);
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static void test_small_loops_start_no_threads(void)
{
    int before = threads_alive();
    fnn_set_num_threads(4);
    check_loop(0, 1);
    check_loop(1, 1);
    check_loop(7, 7);
    check_loop(7, 1000);
    check_loop(5, PTRDIFF_MAX);
    fnn_parallel_for(-3, 1, visit_block, NULL);
    fnn_set_num_threads(1);
    check_random_loops(100, 1);
    CHECK(threads_alive() == before);
    fnn_set_num_threads(4);
    check_loop(100, 1);
    if (!THREAD_SANITIZER)                         /* which has a thread of its own */
        CHECK(before < 0 || threads_alive() == before + 3);
}

static void test_every_index_once(void)
{
    for (int threads = 1; threads <= 8; threads++) {
        fnn_set_num_threads(threads);
        check_random_loops(2000, (uint64_t)threads);
    }
}

static void test_sleeping_workers_are_woken(void)
{
    uint64_t seed = 7;
    fnn_set_num_threads(2);
    for (int i = 0; i < 2000; i++) {
        check_meeting();
        if (i % 4 == 0)
            sleep_us(random_u32(&seed) % 150);     /* around the time at which a worker parks */
    }
    fnn_set(&pool.spin_ns, 0);          /* parks after a microsecond or two; be there just then */
    for (int i = 0; i < 30000; i++) {
        check_meeting();
        for (uint32_t k = random_u32(&seed) % 200; k > 0; k--)
            cpu_pause();
    }
    fnn_set_num_threads(5);
    for (int i = 0; i < 500; i++) {
        check_meeting();
        if (i % 4 == 0)
            sleep_us(random_u32(&seed) % 150);
    }
}

static void test_threads_refused(void)
{
    fnn_set_num_threads(4);
    check_meeting();
    fnn_set(&refuse_threads, 1);
    fnn_set_num_threads(7);
    check_random_loops(100, 9);
    check_meeting();                               /* those that there were before go on */
    CHECK(fnn_get(&pool.live) == 3 && fnn_get(&pool.wanted) == 3);
    CHECK(fnn_num_threads() == 7);                 /* what was asked for */
    fnn_set(&refuse_threads, 0);
    fnn_set_num_threads(7);                        /* asks for them again */
    check_meeting();
    CHECK(fnn_get(&pool.live) == 6);
}

static void wait_until_none_live(void)
{
    for (int tries = 0; fnn_get(&pool.live) > 0 && tries < 5000; tries++)
        sleep_us(1000);
    CHECK(fnn_get(&pool.live) == 0);
}

/* What the system refused once, and gives later, comes back without a setting: the loops that go on
 * ask for it, some of them. */
static void check_back_after(fnn_atomic *refuse)
{
    fnn_set_num_threads(1);
    wait_until_none_live();
    fnn_set(refuse, 1);
    fnn_set_num_threads(4);
    check_loop(50, 1);
    wait_until_none_live();
    CHECK(fnn_get(&pool.wanted) == 0);
    fnn_set(refuse, 0);
    for (int loops = 0; fnn_get(&pool.live) < 3 && loops < 2 * RETRY_LOOPS; loops++)
        check_loop(50, 1);
    CHECK(fnn_get(&pool.live) == 3 && fnn_get(&pool.wanted) == 3);
    check_meeting();
    CHECK(fnn_get(&pool.live) == 3);
}

static void test_what_was_refused_comes_back(void)
{
    check_back_after(&refuse_threads);
    check_back_after(&refuse_scratch);
}

static void slow_block(void *ctx, ptrdiff_t begin, ptrdiff_t end)
{
    (void)end;
    if (begin > 0)              /* whoever gets it; the caller has to wait long for some of them */
        sleep_us(2000);
    ((int *)ctx)[begin] = 1;
}

static void test_caller_waits_for_slow_blocks(void)
{
    fnn_set_num_threads(3);
    for (int i = 0; i < 50; i++) {
        int done[3] = {0, 0, 0};
        fnn_parallel_for(3, 1, slow_block, done);
        CHECK(done[0] && done[1] && done[2]);
    }
}

typedef struct { int visits[16][100]; pthread_t thread[16]; int row; } nest;

static void inner_block(void *ctx, ptrdiff_t begin, ptrdiff_t end)
{
    nest *t = *(nest **)ctx;
    ptrdiff_t row = ((ptrdiff_t *)ctx)[1];
    CHECK(pthread_equal(pthread_self(), t->thread[row]));
    for (ptrdiff_t i = begin; i < end; i++)
        t->visits[row][i]++;
}

static void outer_block(void *ctx, ptrdiff_t begin, ptrdiff_t end)
{
    nest *t = ctx;
    for (ptrdiff_t row = begin; row < end; row++) {
        t->thread[row] = pthread_self();
        ptrdiff_t inner[2] = {(ptrdiff_t)t, row};
        fnn_parallel_for(100, 7, inner_block, inner);
    }
}

static void test_inner_loops_run_inline(void)
{
    fnn_set_num_threads(4);
    for (int repeat = 0; repeat < 200; repeat++) {
        nest *t = calloc(1, sizeof *t);
        fnn_parallel_for(16, 1, outer_block, t);
        for (int row = 0; row < 16; row++)
            for (int i = 0; i < 100; i++)
                CHECK(t->visits[row][i] == 1);
        free(t);
    }
}

static void *run_random_loops(void *seed)
{
    check_random_loops(1500, (uint64_t)(uintptr_t)seed);
    return NULL;
}

static void test_eight_callers(void)
{
    pthread_t callers[8];
    fnn_set_num_threads(3);
    for (uintptr_t i = 0; i < 8; i++)
        CHECK(pthread_create(&callers[i], NULL, run_random_loops, (void *)(i + 1)) == 0);
    for (int i = 0; i < 8; i++)
        pthread_join(callers[i], NULL);
}

static void test_resize_while_loops_run(void)
{
    pthread_t callers[3];
    uint64_t seed = 3;
    for (uintptr_t i = 0; i < 3; i++)
        CHECK(pthread_create(&callers[i], NULL, run_random_loops, (void *)(i + 1)) == 0);
    for (int i = 0; i < 200; i++) {
        int n = 1 + (int)(random_u32(&seed) % 9);
        fnn_set_num_threads(n);
        CHECK(fnn_num_threads() == n);
        check_loop(50, 1);
        sleep_us(random_u32(&seed) % 200);
    }
    for (int i = 0; i < 3; i++)
        pthread_join(callers[i], NULL);

    fnn_set_num_threads(2);                 /* those who are too many leave, also those who sleep */
    check_loop(50, 1);
    int expected = 2 + THREAD_SANITIZER;
    for (int tries = 0; threads_alive() > expected && tries < 5000; tries++)
        sleep_us(1000);
    CHECK(threads_alive() <= expected);
    fnn_set_num_threads(0);
    CHECK(fnn_num_threads() == 1);
    fnn_set_num_threads(100000);
    CHECK(fnn_num_threads() == FNN_MAX_THREADS);
    fnn_set_num_threads(2);
}

static pthread_t main_thread;

static void meet_and_check_signals(void *arrived, ptrdiff_t begin, ptrdiff_t end)
{
    sigset_t mask;
    meet(arrived, begin, end);
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    CHECK(sigismember(&mask, SIGINT) == !pthread_equal(pthread_self(), main_thread));
}

static void test_workers_take_no_signals(void)
{
    main_thread = pthread_self();
    fnn_set_num_threads(3);
    for (int i = 0; i < 50; i++) {
        fnn_atomic arrived = 0;
        fnn_parallel_for(2, 1, meet_and_check_signals, &arrived);
    }
}

#if defined(__x86_64__) || defined(__aarch64__)
static volatile float denormal = 1e-40f;

static void check_flushed(void *ctx, ptrdiff_t begin, ptrdiff_t end)
{
    CHECK(denormal * 1.0f == 0.0f);
    CHECK(denormal + denormal == 0.0f);
    if (ctx != NULL)
        fnn_parallel_for(begin + 3, 1, check_flushed, NULL);
    CHECK(denormal * 1.0f == 0.0f);                /* an inner loop must not restore */
    (void)end;
}

static void meet_and_check_flushed(void *arrived, ptrdiff_t begin, ptrdiff_t end)
{
    meet(arrived, begin, end);
    check_flushed(NULL, begin, end);
}

static void meet_and_check_kept(void *arrived, ptrdiff_t begin, ptrdiff_t end)
{
    meet(arrived, begin, end);
    CHECK(denormal * 1.0f != 0.0f);
    CHECK(denormal + denormal != 0.0f);
}

static void test_denormals_are_zero_inside_only(void)
{
    int inner = 1;
    for (int threads = 1; threads <= 3; threads++) {
        fnn_set_num_threads(threads);
        for (ptrdiff_t n = 1; n <= 9; n += 4) {
            fnn_parallel_for(n, 1, check_flushed, NULL);
            CHECK(denormal * 1.0f != 0.0f);
            fnn_parallel_for(n, 1, check_flushed, &inner);
            CHECK(denormal * 1.0f != 0.0f);
        }
    }
    for (int i = 0; i < 20; i++) {                 /* in a worker for certain */
        fnn_atomic arrived = 0;
        fnn_parallel_for(2, 1, meet_and_check_flushed, &arrived);
        CHECK(denormal * 1.0f != 0.0f);
        fnn_set_flush_denormal(0);                 /* which has flushed before */
        arrived = 0;
        fnn_parallel_for(2, 1, meet_and_check_kept, &arrived);
        CHECK(denormal * 1.0f != 0.0f);
        fnn_set_flush_denormal(1);
    }
}
#else
static void test_denormals_are_zero_inside_only(void) {}
#endif

static void scratch_block(void *ctx, ptrdiff_t begin, ptrdiff_t end)
{
    int *mine = fnn_scratch_alloc(1000 * sizeof(int));
    CHECK(mine != NULL);
    for (int i = 0; i < 1000; i++)
        mine[i] = (int)begin + ((int *)ctx)[i];    /* ctx: scratch of the caller */
    for (int i = 0; i < 1000; i++)
        CHECK(mine[i] == (int)begin + i);
    fnn_scratch_free(mine);
    (void)end;
}

static void test_blocks_have_scratch(void)
{
    fnn_set_num_threads(4);
    int *shared = fnn_scratch_alloc(1000 * sizeof(int));
    for (int i = 0; i < 1000; i++)
        shared[i] = i;
    for (int i = 0; i < 200; i++)
        fnn_parallel_for(16, 1, scratch_block, shared);
    fnn_scratch_free(shared);
}

/* ---- Fork ------------------------------------------------------------------------------------ */

#if !THREAD_SANITIZER                       /* which does not support a child that starts threads */
static void in_child(void (*test)(void))
{
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(30);                          /* not inherited; a hung child must not pass */
        CHECK(fnn_get(&pool.live) == 0 && fnn_get(&pool.parked) == 0 && fnn_get(&pool.busy) == 0);
        test();
        _Exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void loops_and_meeting(void)
{
    check_random_loops(30, 11);
    check_meeting();                               /* so the child has workers of its own */
}

static void loops_and_grandchild(void)
{
    loops_and_meeting();
    in_child(loops_and_meeting);
    loops_and_meeting();
}

static fnn_atomic stop;

static void *loop_until_stopped(void *seed)
{
    while (!fnn_get(&stop))
        check_random_loops(5, (uint64_t)(uintptr_t)seed);
    return NULL;
}

static void test_fork(void)
{
    pthread_t callers[2];
    fnn_set_num_threads(3);
    in_child(loops_and_grandchild);
    loops_and_meeting();
    in_child(loops_and_grandchild);
    sleep_us(2000);                                /* all workers are asleep */
    in_child(loops_and_grandchild);

    fnn_set(&stop, 0);
    for (uintptr_t i = 0; i < 2; i++)
        CHECK(pthread_create(&callers[i], NULL, loop_until_stopped, (void *)(i + 1)) == 0);
    for (int i = 0; i < 60; i++) {
        in_child(loops_and_meeting);               /* another thread is in a loop now */
        check_random_loops(5, 5);
    }
    fnn_set(&stop, 1);
    for (int i = 0; i < 2; i++)
        pthread_join(callers[i], NULL);
    loops_and_meeting();
}
#endif

/* they need address space themselves */
#if !THREAD_SANITIZER && !ADDRESS_SANITIZER && defined(__linux__)
static void loops_with_little_memory(void)
{
    char text[64];
    long pages;
    CHECK(fnn_scratch_ready());
    read_line(text, sizeof text, "/proc/self", "statm");
    CHECK(sscanf(text, "%ld", &pages) == 1);
    rlim_t bytes = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + ((rlim_t)20 << 20);
    struct rlimit limit = {bytes, bytes};
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0);      /* enough for threads, not for their scratch */
    check_random_loops(300, 4);
    for (int tries = 0; threads_alive() > 1 && tries < 5000; tries++)
        sleep_us(1000);
    CHECK(threads_alive() == 1);
    check_random_loops(300, 5);
    CHECK(threads_alive() == 1);                   /* nobody tries again and again */
    CHECK(fnn_get(&pool.live) == 0 && fnn_get(&pool.wanted) == 0);
}

static void test_too_little_memory_for_workers(void)
{
    fnn_set_num_threads(3);
    in_child(loops_with_little_memory);
}
#endif

/* ---- Default number of threads --------------------------------------------------------------- */

static int default_with(const char *ours, const char *openmp)
{
    ours ? setenv("FASTNN_NUM_THREADS", ours, 1) : unsetenv("FASTNN_NUM_THREADS");
    openmp ? setenv("OMP_NUM_THREADS", openmp, 1) : unsetenv("OMP_NUM_THREADS");
    return fnn_default_num_threads();
}

static void test_environment(void)
{
    int machine = default_with(NULL, NULL);
    CHECK(machine >= 1 && machine <= FNN_MAX_THREADS && machine <= sysconf(_SC_NPROCESSORS_ONLN));
    CHECK(default_with("3", NULL) == 3);
    CHECK(default_with("3", "5") == 3);
    CHECK(default_with(NULL, "5") == 5);
    CHECK(default_with(NULL, "5,2,1") == 5);
    CHECK(default_with(NULL, " 5 ") == 5);
    CHECK(default_with("1000000", NULL) == FNN_MAX_THREADS);
    const char *malformed[] = {"", " ", "0", "-2", "two", "3x", "3.5", "0x4", ",4", "99999999999999999999"};
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
        CHECK(default_with(malformed[i], NULL) == machine);
        CHECK(default_with(NULL, malformed[i]) == machine);
        CHECK(default_with(malformed[i], "6") == 6);
    }
    default_with(NULL, NULL);
}

#if defined(__linux__)
static void write_file(const char *directory, const char *name, const char *text)
{
    char path[300];
    snprintf(path, sizeof path, "%s%s", directory, name);
    FILE *f = fopen(path, "w");
    CHECK(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static void test_container_quota(void)
{
    char root[] = "/tmp/fastnn_quota_XXXXXX", path[300];
    CHECK(mkdtemp(root));
    snprintf(path, sizeof path, "%s/a", root);
    CHECK(mkdir(path, 0700) == 0);
    snprintf(path, sizeof path, "%s/a/b", root);
    CHECK(mkdir(path, 0700) == 0);

    CHECK(tree_quota(root, "/a/b") == INT_MAX);                 /* no files: no control groups */
    write_file(root, "/a/b/cpu.max", "max 100000\n");
    CHECK(tree_quota(root, "/a/b") == INT_MAX);
    write_file(root, "/a/b/cpu.max", "250000 100000\n");
    CHECK(tree_quota(root, "/a/b") == 3);                              /* 2.5 processors */
    write_file(root, "/a/cpu.max", "150000 100000\n");
    CHECK(tree_quota(root, "/a/b") == 2);                           /* a group above is stricter */
    write_file(root, "/cpu.max", "50000 100000\n");
    CHECK(tree_quota(root, "/a/b") == 1);
    CHECK(tree_quota(root, "/") == 1);
    /* only the root of the mount can be opened */
    CHECK(tree_quota(root, "/another/world/outside") == 1);
    write_file(root, "/cpu.max", "nonsense\n");
    write_file(root, "/a/cpu.max", "100000 0\n");
    write_file(root, "/a/b/cpu.max", "");
    CHECK(tree_quota(root, "/a/b") == INT_MAX);
    write_file(root, "/a/b/cpu.cfs_quota_us", "-1\n");                 /* version 1 */
    write_file(root, "/a/b/cpu.cfs_period_us", "50000\n");
    CHECK(tree_quota(root, "/a/b") == INT_MAX);
    write_file(root, "/a/b/cpu.cfs_quota_us", "200000\n");
    CHECK(tree_quota(root, "/a/b") == 4);

    const char *made[] = {"/a/b/cpu.cfs_quota_us", "/a/b/cpu.cfs_period_us", "/a/b/cpu.max", "/a/b", "/a/cpu.max",
                          "/a", "/cpu.max", ""};
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        snprintf(path, sizeof path, "%s%s", root, made[i]);
        CHECK(remove(path) == 0);
    }
}
#else
static void test_container_quota(void) {}
#endif

/* ---- Time ------------------------------------------------------------------------------------ */

static void nothing(void *ctx, ptrdiff_t begin, ptrdiff_t end) { (void)ctx, (void)begin, (void)end; }

static double microseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static void time_loop(const char *what, ptrdiff_t blocks, long pause_us)
{
    enum { REPEATS = 2000 };
    double least = 1e9, sum = 0;
    for (int i = 0; i < REPEATS; i++) {
        if (pause_us)
            sleep_us(pause_us);
        double before = microseconds();
        fnn_parallel_for(blocks, 1, nothing, NULL);
        double took = microseconds() - before;
        sum += took;
        least = took < least ? took : least;
    }
    printf("%-40s mean %7.2f us   least %7.2f us\n", what, sum / REPEATS, least);
}

static void time_loops(void)
{
    printf("%d threads\n", fnn_num_threads());
    time_loop("1 empty block (inline)", 1, 0);
    time_loop("2 empty blocks, workers awake", 2, 0);
    time_loop("16 empty blocks, workers awake", 16, 0);
    time_loop("2 empty blocks, workers asleep", 2, 500);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--time") == 0) {
        time_loops();
        return 0;
    }
    alarm(300);
    test_small_loops_start_no_threads();
    test_every_index_once();
    test_sleeping_workers_are_woken();
    test_threads_refused();
    test_what_was_refused_comes_back();
    test_caller_waits_for_slow_blocks();
    test_inner_loops_run_inline();
    test_eight_callers();
    test_resize_while_loops_run();
    test_workers_take_no_signals();
    test_denormals_are_zero_inside_only();
    test_blocks_have_scratch();
#if !THREAD_SANITIZER
    test_fork();
#endif
#if !THREAD_SANITIZER && !ADDRESS_SANITIZER && defined(__linux__)
    test_too_little_memory_for_workers();
#endif
    test_environment();
    test_container_quota();
    puts("ok");
    return 0;
}
