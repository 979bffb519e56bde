/* caches.c -- how much a core's L2 cache holds.
 *
 * Method     Linux: sysconf where the C library knows, else the description of processor 0 in /sys.
 *            macOS: sysctl. Windows: the list of caches, of which the first of level 2 is taken.
 * Limits     The size is taken for 2 MiB at most: larger caches are mostly shared by several cores
 *            (Apple's, some of Intel's small ones). Less than 256 KiB is not believed.
 */
#if !defined(_WIN32)
#  define _GNU_SOURCE                              /* _SC_LEVEL2_CACHE_SIZE */
#endif
#include "core/caches.h"
#include "core/sizes.h"
#include "core/sync.h"

#include <stdio.h>

#if defined(_WIN32)
#  include <stdlib.h>
#elif defined(__APPLE__)
#  include <sys/sysctl.h>
#else
#  include <unistd.h>
#endif

/* Bytes of an L2 cache */
enum {
    L2_LEAST = 256 << 10,   /* at least; chosen: processors have so much */
    L2_MOST = 2 << 20,      /* at most; chosen: more brought nothing where it was tried
                               (docs/kernels/README.md) */
    L2_UNKNOWN = 1 << 20    /* where the system says nothing; chosen: between the two */
};

/* What the system says, in bytes; 0 if it says nothing. */
static long long reported_l2(void)
{
#if defined(_WIN32)
    long long bytes = 0;
    DWORD length = 0;
    GetLogicalProcessorInformation(NULL, &length);
    SYSTEM_LOGICAL_PROCESSOR_INFORMATION *list = malloc(length);
    if (list != NULL && GetLogicalProcessorInformation(list, &length))
        for (DWORD i = 0; i < length / sizeof *list && bytes == 0; i++)
            if (list[i].Relationship == RelationCache && list[i].Cache.Level == 2)
                bytes = list[i].Cache.Size;
    free(list);
    return bytes;
#elif defined(__APPLE__)
    long long bytes = 0;
    size_t size = sizeof bytes;
    if (sysctlbyname("hw.perflevel0.l2cachesize", &bytes, &size, NULL, 0) == 0
        || sysctlbyname("hw.l2cachesize", &bytes, &size, NULL, 0) == 0)
        return bytes;
    return 0;
#else
    long long bytes = 0;
#  if defined(_SC_LEVEL2_CACHE_SIZE)
    bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
#  endif
    FILE *f = bytes > 0 ? NULL : fopen("/sys/devices/system/cpu/cpu0/cache/index2/size", "r");
    if (f != NULL) {
        if (fscanf(f, "%lldK", &bytes) == 1)       /* "512K" */
            bytes <<= 10;
        fclose(f);
    }
    return bytes;
#endif
}

/* 0: not known yet. Two threads may both find out; they find the same. */
static fnn_atomic l2_kib;

ptrdiff_t fnn_l2_bytes(void)
{
    if (fnn_get(&l2_kib) == 0) {
        const long long bytes = reported_l2();
        fnn_set(&l2_kib, (bytes <= 0 ? L2_UNKNOWN : fnn_clamp(bytes, L2_LEAST, L2_MOST)) >> 10);
    }
    return (ptrdiff_t)fnn_get(&l2_kib) << 10;
}

void fnn_set_l2_bytes(ptrdiff_t bytes)
{
    fnn_set(&l2_kib, bytes <= 0 ? 0 : fnn_clamp(bytes, 1 << 10, L2_MOST) >> 10);
}
