/* test_kernels.c -- self-test of the kernels without Python: every level that this processor runs
 * against plain C, one thread and three.
 *
 *   make selftest              this machine: the portable level, AVX2 and AVX-512 against plain C
 *   make neon                  the same program for arm64, under qemu-user: NEON against plain C
 *   make tsan                  under ThreadSanitizer
 *   make function              with a check that calls go through pointers of the right type
 *
 *   test_kernels               all cases; prints "ok"
 *   test_kernels conv2d        those with `conv2d` in their names
 *   test_kernels --sabotage    harm one number of each case's results: every case must notice
 *   test_kernels --save FILE   write what plain C computes
 *   test_kernels --against FILE    compare it with what another processor wrote: without SSE sums
 *                              have 80 bits, which all levels of a processor may get wrong alike.
 *                              For one compiler: it chooses the order in which a call's inputs are
 *                              drawn.
 *
 * Plain C is the same templates with vectors of one element (FNN_BUILD_PLAIN in
 * csrc/core/levels.h). The laws (tests/laws/test_laws.py) compare kernels with definitions; this
 * test is for processors on which no Python is at hand. How a case is written: cases.h.
 */
#include "cases.h"
#include "../../csrc/core/sync.h"
#include "pointers.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

/* ---- Arrays ---------------------------------------------------------------------------------- */

enum { GUARD = 64, GUARD_BYTE = 0xa5 };         /* bytes behind each array that nobody may change */

struct array {
    void *data;
    fnn_size n;
    enum kind kind;
    int compared, written_by_kernel;
    fnn_size width, pitch;      /* elements of a row, and from row to row: nobody writes between */
    char label[sizeof((run *)0)->label];
};

static size_t element_size(int type, enum kind kind)
{
    return kind == OF_BYTE ? 1 : kind == OF_INT32 || (kind == OF_TYPE && type == FNN_F32) ? 4 : 8;
}

static void *new_array(run *r, fnn_size n, enum kind kind, int compared, int written_by_kernel)
{
    if (r->count == r->room) {
        r->room = 2 * r->room + 16;
        r->arrays = realloc(r->arrays, (size_t)r->room * sizeof *r->arrays);
        CHECK(r->arrays);
    }
    struct array *a = &r->arrays[r->count++];
    const size_t bytes = (size_t)n * element_size(r->type, kind);
    *a = (struct array){ aligned_alloc(64, (bytes + GUARD + 63) / 64 * 64), n, kind, compared, written_by_kernel, 1, 1,
                         "" };
    CHECK(a->data);
    memcpy(a->label, r->label, sizeof a->label);
    memset(a->data, 0xff, bytes);                                /* NaN, and -1 */
    memset((char *)a->data + bytes, GUARD_BYTE, GUARD);
    watch_array(a->data, bytes);
    return a->data;
}

static void free_arrays(run *r)
{
    for (int i = 0; i < r->count; i++) {
        forget_array(r->arrays[i].data);
        free(r->arrays[i].data);
    }
    free(r->arrays);
}

static double uniform(run *r, double low, double high)
{
    return low + (high - low) * (random_u32(&r->seed) / 4294967296.0);
}

static void put(const run *r, void *data, fnn_size i, double value)
{
    if (r->type == FNN_F32) ((float *)data)[i] = (float)value;
    else ((double *)data)[i] = value;
}

void *in_range(run *r, fnn_size n, double low, double high)
{
    void *data = new_array(r, n, OF_TYPE, 0, 0);
    for (fnn_size i = 0; i < n; i++)
        put(r, data, i, uniform(r, low, high));
    return data;
}

void *in(run *r, fnn_size n) { return in_range(r, n, -1, 1); }

void *in_steps(run *r, fnn_size n)
{
    void *data = new_array(r, n, OF_TYPE, 0, 0);
    for (fnn_size i = 0; i < n; i++)
        put(r, data, i, ((int)(random_u32(&r->seed) % 9) - 4) / 4.0);
    return data;
}

void *in_special(run *r, fnn_size n)
{
    const double tiny = r->type == FNN_F32 ? 1e-40 : 1e-310;
    const double specials[] = { NAN, INFINITY, -INFINITY, 0, -0.0, tiny, -tiny, 50, -50, 1e30, -1e30 };
    void *data = in_range(r, n, -4, 4);
    for (fnn_size i = 0; i < n; i += 3)
        put(r, data, i, specials[random_u32(&r->seed) % COUNT(specials)]);
    return data;
}

int64_t *in_index(run *r, fnn_size n, int64_t low, int64_t high)
{
    int64_t *data = new_array(r, n, OF_INT64, 0, 0);
    for (fnn_size i = 0; i < n; i++)
        data[i] = low + random_u32(&r->seed) % (high - low);
    return data;
}

double *in_double(run *r, fnn_size n, double low, double high)
{
    double *data = new_array(r, n, OF_DOUBLE, 0, 0);
    for (fnn_size i = 0; i < n; i++)
        data[i] = uniform(r, low, high);
    return data;
}

void *out_as(run *r, fnn_size n, enum kind kind) { return new_array(r, n, kind, 1, 1); }
void *out(run *r, fnn_size n) { return out_as(r, n, OF_TYPE); }

void *out_rows(run *r, fnn_size rows, fnn_size width, fnn_size pitch)
{
    void *data = out(r, rows * pitch);
    r->arrays[r->count - 1].width = width;
    r->arrays[r->count - 1].pitch = pitch;
    return data;
}

void *work(run *r, fnn_size n, enum kind kind) { return new_array(r, n, kind, 0, 0); }

void *inout(run *r, fnn_size n)
{
    void *data = in(r, n);
    r->arrays[r->count - 1].compared = 1;
    return data;
}

void *element(const run *r, void *array, fnn_size i)
{
    return (char *)array + (size_t)i * element_size(r->type, OF_TYPE);
}

static double value(const run *r, const struct array *a, fnn_size i)
{
    if (a->kind == OF_BYTE) return ((uint8_t *)a->data)[i];
    if (a->kind == OF_INT32) return ((int32_t *)a->data)[i];
    if (a->kind == OF_INT64) return (double)((int64_t *)a->data)[i];
    return a->kind == OF_TYPE && r->type == FNN_F32 ? ((float *)a->data)[i] : ((double *)a->data)[i];
}

/* ---- Comparing ------------------------------------------------------------------------------- */

static int failures, quiet;                         /* quiet: only count */

static void report(const char *name, const char *level, const run *r, const char *label, const char *format, ...)
{
    failures++;
    if (quiet)
        return;
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s, %s, %s, %s: ", name, r->type == FNN_F32 ? "float32" : "float64", level, label);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
}

/* The first array that differs is reported. An element may be off by the tolerance times itself,
 * times the mean of what is not zero in its array, or, where all cancels, times 1/1000. */
static void compare(const char *name, const char *level, const run *r, const run *plain)
{
    CHECK(r->count == plain->count);
    for (int k = 0; k < r->count; k++) {
        const struct array *a = &r->arrays[k], *b = &plain->arrays[k];
        const size_t size = element_size(r->type, a->kind);
        CHECK(a->n == b->n && a->kind == b->kind);
        for (int i = 0; i < GUARD; i++)
            if (((unsigned char *)a->data)[(size_t)a->n * size + (size_t)i] != GUARD_BYTE) {
                report(name, level, r, a->label, "wrote beyond the end of array %d of %td elements", k, a->n);
                return;
            }
        if (!a->compared)
            continue;
        double sum = 0;
        fnn_size finite = 0;
        for (fnn_size i = 0; i < b->n; i++) {
            const double y = fabs(value(plain, b, i));
            if (y > 0 && y < 1e9)           /* the huge ones would make every other error small */
                sum += y, finite++;
        }
        const int whole = a->kind == OF_BYTE || a->kind == OF_INT32 || a->kind == OF_INT64;
        const double tolerance = whole ? 0 : r->tolerance, scale = fmax(1e-3, finite ? sum / (double)finite : 0);
        for (fnn_size i = 0; i < a->n; i++) {
            const double x = value(r, a, i), y = value(plain, b, i);
            const unsigned char *bytes = (const unsigned char *)a->data + (size_t)i * size;
            size_t untouched = 0;
            while (untouched < size && bytes[untouched] == 0xff)
                untouched++;
            if (i % a->pitch >= a->width) {
                if (untouched == size)
                    continue;
                report(name, level, r, a->label, "array %d, element %td of %td is between two rows and was written", k,
                       i, a->n);
            } else if (a->written_by_kernel && untouched == size && !whole)
                report(name, level, r, a->label, "array %d, element %td of %td was not written", k, i, a->n);
            else if (x == y || (x != x && y != y) || (isfinite(y) && fabs(x - y) <= tolerance * fmax(fabs(y), scale)))
                continue;
            else
                report(name, level, r, a->label, "array %d, element %td of %td is %.9g; plain C has %.9g", k, i, a->n,
                       x, y);
            return;
        }
    }
}

static void compare_bits(const char *name, const char *level, const run *three, const run *one)
{
    for (int k = 0; k < one->count; k++) {
        const struct array *a = &three->arrays[k], *b = &one->arrays[k];
        if (a->compared && memcmp(a->data, b->data, (size_t)a->n * element_size(one->type, a->kind))) {
            report(name, level, one, a->label, "array %d has other bits with three threads than with one", k);
            return;
        }
    }
}

/* ---- Running --------------------------------------------------------------------------------- */

static const struct { const char *name; void (*go)(run *); } cases[] = {
#define KERNEL(name, arguments, names) { #name, case_##name },
#include "../../csrc/kernels.h"
#undef KERNEL
};

static run start(int which, int type, int threads)
{
    run r = { .type = type, .label = "", .tolerance = type == FNN_F32 ? 2e-5 : 2e-13, .seed = 0x9E3779B97F4A7C15u };
    fnn_set_num_threads(threads);
    fnn_set_parts_per_thread(threads > 1 ? 3 : 1);  /* as where the processors are unequal */
    cases[which].go(&r);
    return r;
}

static void harm(run *r)        /* one number, by a thousandth, of the last result that has any */
{
    for (int k = r->count - 1; k >= 0; k--) {
        const struct array *a = &r->arrays[k];
        if (!a->compared || !a->n)
            continue;
        const double x = value(r, a, a->n / 2), y = isfinite(x) ? x + 1e-3 * (1 + fabs(x)) : 0;
        if (a->kind == OF_BYTE) ((uint8_t *)a->data)[a->n / 2]++;
        else if (a->kind == OF_INT32) ((int32_t *)a->data)[a->n / 2]++;
        else if (a->kind == OF_INT64) ((int64_t *)a->data)[a->n / 2]++;
        else if (a->kind == OF_DOUBLE) ((double *)a->data)[a->n / 2] = y;
        else put(r, a->data, a->n / 2, y);
        return;
    }
}

/* ---- Between processors: what plain C computes, in a file ------------------------------------ */

static void save(const run *r, FILE *file)
{
    for (int k = 0; k < r->count; k++) {
        const struct array *a = &r->arrays[k];
        const int64_t n = a->n;
        if (a->compared)
            CHECK(fwrite(&n, sizeof n, 1, file) == 1 &&
                  fwrite(a->data, element_size(r->type, a->kind), (size_t)n, file) == (size_t)n);
    }
}

static void compare_with_saved(const char *name, const run *r, FILE *file)
{
    run saved = *r;
    const size_t bytes = (size_t)r->count * sizeof *r->arrays;
    CHECK(saved.arrays = malloc(bytes + 1));
    memcpy(saved.arrays, r->arrays, bytes);
    for (int k = 0; k < r->count; k++) {
        struct array *a = &saved.arrays[k];
        const size_t size = element_size(r->type, a->kind);
        int64_t n = 0;
        if (!a->compared)
            continue;
        CHECK(fread(&n, sizeof n, 1, file) == 1 && n == a->n);
        CHECK(a->data = malloc((size_t)n * size + 1));
        CHECK(fread(a->data, size, (size_t)n, file) == (size_t)n);
    }
    compare(name, "plain C here against the file", r, &saved);
    for (int k = 0; k < r->count; k++)
        if (saved.arrays[k].compared)
            free(saved.arrays[k].data);
    free(saved.arrays);
}

/* One case and type at every level; returns how many levels were compared with plain C. */
static int run_case(int which, int type, int sabotage)
{
    int levels = 0;
    CHECK(fnn_use_level(FNN_PLAIN));
    run plain = start(which, type, 1);
    for (int level = FNN_LEVELS - 1; level >= 0; level--) {
        if (!fnn_level_runs(level))
            continue;
        CHECK(fnn_use_level(level));
        run one = start(which, type, 1);
        if (sabotage) {
            const int before = failures;
            harm(&one);
            compare(cases[which].name, fnn_level_name(level), &one, &plain);
            if (failures == before) {
                fprintf(stderr, "%s does not notice a wrong result\n", cases[which].name);
                exit(1);
            }
        } else {
            run three = start(which, type, ALL_THREADS);
            compare(cases[which].name, fnn_level_name(level), &one, &plain);
            compare_bits(cases[which].name, fnn_level_name(level), &three, &one);
            free_arrays(&three);
        }
        free_arrays(&one);
        levels++;
    }
    free_arrays(&plain);
    return levels;
}

static int between_processors(const char *path, int saves)
{
    FILE *file = fopen(path, saves ? "wb" : "rb");
    CHECK(file && fnn_use_level(FNN_PLAIN));
    fnn_set_flush_denormal(0);                  /* not all processors can */
    for (int which = 0; which < COUNT(cases); which++)
        for (int type = FNN_F32; type <= FNN_F64; type++) {
            run plain = start(which, type, 1);
            if (saves) save(&plain, file);
            else {
                plain.tolerance *= 4;       /* sums of 80 bits round once, others twice */
                compare_with_saved(cases[which].name, &plain, file);
            }
            free_arrays(&plain);
        }
    CHECK(saves || fgetc(file) == EOF);
    CHECK(fclose(file) == 0);
    printf("%d kernels, 2 types, plain C %s %s: ", (int)COUNT(cases), saves ? "saved in" : "against", path);
    printf(failures ? "%d failures\n" : "ok\n", failures);
    return failures != 0;
}

/* ---- The level changes while another thread calls kernels: for ThreadSanitizer ------------- */

static void *call_until_stopped(void *stop)
{
    const float x[3] = { -1, 2, 3 };
    float y[3];
    while (!fnn_get(stop)) {
        fnn_relu_forward[FNN_F32](y, x, 3);
        CHECK(y[0] == 0 && y[1] == 2 && y[2] == 3);
    }
    return NULL;
}

static void change_levels(void)
{
    fnn_atomic stop = 0;
    pthread_t caller;
    CHECK(pthread_create(&caller, NULL, call_until_stopped, &stop) == 0);
    for (int i = 0; i < 3000; i++)
        CHECK(fnn_use_level(i % FNN_LEVELS) == fnn_level_runs(i % FNN_LEVELS));
    fnn_set(&stop, 1);
    pthread_join(caller, NULL);
}

int main(int argc, char **argv)
{
    const int sabotage = argc > 1 && !strcmp(argv[1], "--sabotage");
    const int saves = argc > 2 && !strcmp(argv[1], "--save"), reads = argc > 2 && !strcmp(argv[1], "--against");
    const char *wanted = argc == 2 && !sabotage ? argv[1] : "";
    int done = 0, levels = 0;
    quiet = sabotage;
    CHECK(fnn_scratch_ready());
    if (saves || reads)
        return between_processors(argv[2], saves);
    change_levels();
    for (int which = 0; which < COUNT(cases); which++) {
        if (!strstr(cases[which].name, wanted))
            continue;
        for (int type = FNN_F32; type <= FNN_F64; type++)
            levels = run_case(which, type, sabotage);
        done++;
    }
    printf("%d kernels, 2 types, plain C against", done);
    for (int level = 0; level < FNN_LEVELS; level++)
        if (fnn_level_runs(level))
            printf(" %s", fnn_level_name(level));
    if (pointers_outside()) {
        printf(": %d places make pointers outside their arrays\n", pointers_outside());
        return 1;
    }
    if (!done || !levels || (failures && !sabotage)) {
        printf(": %d failures\n", failures);
        return 1;
    }
    printf(sabotage ? ": all notice a wrong number: ok\n" : ": ok\n");
    return 0;
}
