/* pointers.c -- what pointers.py makes the self-test call: the list of arrays, and whether a
 * pointer stays in its own. */
#include "../../csrc/core/memory.h"
#include "check.h"
#include "pointers.h"

#include <string.h>

enum { MOST_ARRAYS = 1 << 16, MOST_PLACES = 1000 };

/* by address, none in another */
static struct array { const char *begin, *end; } arrays[MOST_ARRAYS];
static const char *places[MOST_PLACES];
static void *scratch[MOST_PLACES];                  /* in the order of allocation */
static int array_count, place_count, scratch_count;

int pointers_outside(void) { return place_count; }

/* How many arrays begin at p or before. */
static int arrays_up_to(const char *p)
{
    int low = 0, high = array_count;
    while (low < high) {
        const int middle = (low + high) / 2;
        if (arrays[middle].begin <= p)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void remove_arrays(int from, int to)
{
    memmove(arrays + from, arrays + to, (size_t)(array_count - to) * sizeof *arrays);
    array_count -= to - from;
}

void watch_array(const void *p, size_t bytes)
{
    const int at = arrays_up_to(p);
    CHECK(array_count < MOST_ARRAYS);
    memmove(arrays + at + 1, arrays + at, (size_t)(array_count++ - at) * sizeof *arrays);
    arrays[at] = (struct array){ p, (const char *)p + bytes };
}

void forget_array(const void *p)
{
    const int at = arrays_up_to(p) - 1;
    CHECK(at >= 0 && arrays[at].begin == (const char *)p);
    remove_arrays(at, at + 1);
}

void *watched_fnn_scratch_alloc(size_t bytes)
{
    void *p = fnn_scratch_alloc(bytes);
    CHECK(scratch_count < MOST_PLACES);
    scratch[scratch_count++] = p;
    watch_array(p, bytes);
    return p;
}

/* Last in, first out: what was allocated after p is free too. */
void watched_fnn_scratch_free(void *p)
{
    while (p != NULL && scratch_count > 0) {
        forget_array(scratch[--scratch_count]);
        if (scratch[scratch_count] == p)
            break;
    }
    fnn_scratch_free(p);
}

static void report(const char *place, ptrdiff_t begin, ptrdiff_t end)
{
    for (int i = 0; i < place_count; i++)
        if (!strcmp(places[i], place))
            return;
    CHECK(place_count < MOST_PLACES);
    places[place_count++] = place;
    fprintf(stderr, "%s: a pointer %td bytes %s\n", place, begin < 0 ? -begin : end,
            begin < 0 ? "before its array" : "behind the end of its array");
}

/* `to` was computed from `of`. A pointer just behind an array may point to the begin of the next
 * one: then it may be of either. What is in no array that is known is left alone. */
void check_pointer(const char *of, const char *to, const char *place)
{
    const int last = arrays_up_to(of) - 1;
    int known = -1;
    for (int i = last; i >= 0 && i > last - 2 && of <= arrays[i].end; i--) {
        if (to >= arrays[i].begin && to <= arrays[i].end)
            return;
        known = i;
    }
    if (known >= 0)
        report(place, to - arrays[known].begin, to - arrays[known].end);
}
