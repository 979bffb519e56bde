/* processors.c -- how many threads are worth starting here.
 *
 * Method     The machine's processors are an upper bound only. A batch system or `taskset` gives
 *            the process some of them (its affinity mask), and a container gives it so many
 *            microseconds of processor time per period (the quota of a control group). With more
 *            threads than that, all of them stop together in the middle of each period, and a loop
 *            takes as long as its last thread: reports of 20 to 50 times slower are common.
 * Quota      Control groups form a tree, a limit may sit at any level above this process, and the
 *            smallest one holds. A group is a directory. Version 2: its file cpu.max holds "QUOTA
 *            PERIOD", or "max PERIOD" for no limit. Version 1: cpu.cfs_quota_us (-1: no limit) and
 *            cpu.cfs_period_us. /proc/self/cgroup names our group, one line "ID:CONTROLLERS:PATH"
 *            per tree; "0::PATH" is the tree of version 2. Inside a container that path may belong
 *            to the world outside; then only its upper end, the root of what is mounted here, can
 *            be opened.
 * Unequal    Processors differ where Linux gives them different capacities (arm64) or knows
 *            processors of two kinds (Intel), or macOS has two performance levels. On Windows they
 *            count as equal.
 * Reference  Linux documentation: admin-guide/cgroup-v2.rst, scheduler/sched-bwc.rst,
 *            scheduler/sched-capacity.rst
 * Tests      tests/c/test_parallel.c
 */
#if !defined(_WIN32)
#  define _GNU_SOURCE                              /* sched_getaffinity, CPU_COUNT */
#endif
#include "core/parallel.h"
#include "core/sizes.h"
#include "core/sync.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if !defined(_WIN32)
#  include <sched.h>
#  include <unistd.h>
#endif
#if defined(__APPLE__)
#  include <sys/sysctl.h>
#endif

/* Processors in the affinity mask of this process, or in the machine where there are no masks. */
static int processors_allowed(void)
{
#if defined(_WIN32)
    DWORD_PTR ours = 0, machine = 0;
    int count = 0;
    GetProcessAffinityMask(GetCurrentProcess(), &ours, &machine);
    for (; ours; ours &= ours - 1)                 /* clears the lowest bit that is set */
        count++;
    return count;
#else
#  if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)           /* fails beyond 1024 processors */
        return CPU_COUNT(&set);
#  endif
    return (int)sysconf(_SC_NPROCESSORS_ONLN);
#endif
}

#if defined(__linux__)
#define PATH_BYTES 4352                            /* bound: PATH_MAX and a file name */

/* The text of a small file; "" if it cannot be read. */
static void read_line(char *text, int size, const char *directory, const char *name)
{
    char path[PATH_BYTES];
    text[0] = 0;
    if (snprintf(path, sizeof path, "%s/%s", directory, name) >= (int)sizeof path)
        return;
    FILE *f = fopen(path, "r");
    if (f == NULL)
        return;
    if (fgets(text, size, f) == NULL)
        text[0] = 0;
    fclose(f);
}

/* ceil(quota / period) of one group, INT_MAX if it has none. */
static int group_quota(const char *directory)
{
    char text[128];
    long long quota = 0, period = 0;
    read_line(text, sizeof text, directory, "cpu.max");
    if (sscanf(text, "%lld %lld", &quota, &period) < 2) {
        read_line(text, sizeof text, directory, "cpu.cfs_quota_us");
        if (sscanf(text, "%lld", &quota) < 1)
            return INT_MAX;
        read_line(text, sizeof text, directory, "cpu.cfs_period_us");
        if (sscanf(text, "%lld", &period) < 1)
            return INT_MAX;
    }
    if (quota <= 0 || period <= 0 || quota / period >= INT_MAX)
        return INT_MAX;
    return (int)fnn_ceil_div_work(quota, period);
}

/* The smallest quota of a group and of all groups above it, up to `root` itself. */
static int tree_quota(const char *root, const char *group)
{
    char directory[PATH_BYTES];
    size_t root_length = strlen(root);
    int least = INT_MAX;
    if (snprintf(directory, sizeof directory, "%s%s", root, group) >= (int)sizeof directory)
        directory[root_length] = 0;
    for (;;) {
        int quota = group_quota(directory);
        least = (int)fnn_min(quota, least);
        char *end = strrchr(directory + root_length, '/');
        if (end == NULL)
            return least;
        *end = 0;                                  /* one level up */
    }
}

static int container_quota(void)
{
    char line[PATH_BYTES];
    int least = INT_MAX;
    FILE *f = fopen("/proc/self/cgroup", "r");
    if (f == NULL)
        return INT_MAX;
    while (fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = 0;
        char *controllers = strchr(line, ':');
        char *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (group == NULL)
            continue;
        *group++ = 0;
        char list[PATH_BYTES];
        snprintf(list, sizeof list, ",%s,", controllers + 1);
        int quota = INT_MAX;
        if (strcmp(list, ",,") == 0)
            quota = tree_quota("/sys/fs/cgroup", group);
        else if (strstr(list, ",cpu,"))
            quota = tree_quota("/sys/fs/cgroup/cpu", group);
        least = (int)fnn_min(quota, least);
    }
    fclose(f);
    return least;
}
#else
static int container_quota(void) { return INT_MAX; }
#endif

int fnn_num_processors(void)
{
    static fnn_atomic known;                /* two threads may both find out; they find the same */
    if (fnn_get(&known) == 0) {
        int count = processors_allowed(), quota = container_quota();
        count = (int)fnn_min(quota, count);
        fnn_set(&known, fnn_max(count, 1));
    }
    return (int)fnn_get(&known);
}

#if defined(__linux__)
static int processors_are_unequal(void)
{
    char text[64], kinds[64];
    read_line(text, sizeof text, "/sys/devices/cpu_core", "cpus");
    read_line(kinds, sizeof kinds, "/sys/devices/cpu_atom", "cpus");
    if (text[0] && kinds[0])
        return 1;
    long first = 0;
    for (int i = 0; i < FNN_MAX_THREADS; i++) {
        char directory[64];
        snprintf(directory, sizeof directory, "/sys/devices/system/cpu/cpu%d", i);
        read_line(text, sizeof text, directory, "cpu_capacity");
        const long capacity = strtol(text, NULL, 10);
        if (capacity <= 0)
            return 0;
        if (i > 0 && capacity != first)
            return 1;
        first = capacity;
    }
    return 0;
}
#elif defined(__APPLE__)
static int processors_are_unequal(void)
{
    int levels = 1;
    size_t size = sizeof levels;
    return sysctlbyname("hw.nperflevels", &levels, &size, NULL, 0) == 0 && levels > 1;
}
#else
static int processors_are_unequal(void) { return 0; }
#endif

/* Parts for each thread where processors are of two kinds: fast ones take what slow ones leave.
 * Chosen: a slow one has a third to two thirds of a fast one's speed. */
enum { UNEQUAL_PARTS = 3 };

static fnn_atomic parts_per_thread;         /* 0: not known yet */

int fnn_parts_per_thread(void)
{
    if (fnn_get(&parts_per_thread) == 0)
        fnn_set(&parts_per_thread, processors_are_unequal() ? UNEQUAL_PARTS : 1);
    return (int)fnn_get(&parts_per_thread);
}

void fnn_set_parts_per_thread(int n) { fnn_set(&parts_per_thread, n); }

/* The number of threads in an environment variable, 0 if there is none. OMP_NUM_THREADS may be a
 * list, "4,2", with one number per level of nesting; the first is the outermost. */
static int threads_from(const char *variable)
{
    const char *text = getenv(variable);
    if (text == NULL)
        return 0;
    char *end;
    errno = 0;
    long n = strtol(text, &end, 10);
    while (*end == ' ' || *end == '\t')
        end++;
    if (end == text || errno || n < 1 || (*end != 0 && *end != ','))
        return 0;
    return (int)fnn_min(n, FNN_MAX_THREADS);
}

int fnn_default_num_threads(void)
{
    int n = threads_from("FASTNN_NUM_THREADS");
    if (n == 0)
        n = threads_from("OMP_NUM_THREADS");
    if (n == 0)
        n = fnn_num_processors();
    return (int)fnn_min(n, FNN_MAX_THREADS);
}
