/* embedding.tmpl.h -- look up rows of a table, and add gradients back to them.
 *
 * Math       y[i,:] = w[index[i],:];   dw[v,:] = sum of dy[i,:] over all i with index[i] = v
 * Symbols    w table of V rows and D columns; n indices.
 * Layout     w (V, D), y (n, D), row-major.
 * Method     Forward copies rows. Backward sorts the positions by row (counting sort: one pass to
 *            count, one to place, order kept), so that each row of dw is the work of one block and
 *            is written once, with its terms added in the order of the positions.
 * Cost       forward: 2 n D elements moved. Backward: reads n D, writes V D, even where few rows
 *            were used; V + 1 + n integers of workspace.
 * Threads    blocks of rows; one writer per row of dw, so the bits do not depend on threads.
 * Reference  fastnn/reference/embedding.py
 */
#ifndef FNN_EMBEDDING_ONCE
#define FNN_EMBEDDING_ONCE
enum { EMBEDDING_GRAIN = 16384 };   /* elements in a block; chosen: as MAP_GRAIN */
typedef struct {
    void *y;
    const void *x;
    const int64_t *index;
    const fnn_size *start, *place;  /* the positions of row v: place[k], start[v] <= k < start[v +
                                       1] */
    fnn_size D, padding;
} fnn_embedding_args;
#endif

static void FN(embedding_forward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_embedding_args *args = ctx;
    const fnn_size D = args->D;
    REAL *y = args->y;
    const REAL *w = args->x;
    for (fnn_size i = begin; i < end; i++)
        memcpy(y + i * D, w + (fnn_size)args->index[i] * D, (size_t)D * sizeof(REAL));
}

void FN(embedding_forward)(REAL *y, const int64_t *index, const REAL *w, fnn_size n, fnn_size D)
{
    fnn_embedding_args args = { y, w, index, NULL, NULL, D, -1 };
    if (D > 0)
        fnn_parallel_for(n, fnn_grain(EMBEDDING_GRAIN, D), FN(embedding_forward_block), &args);
}

static void FN(embedding_backward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_embedding_args *args = ctx;
    const fnn_size D = args->D;
    for (fnn_size v = begin; v < end; v++) {
        REAL *restrict dw = (REAL *)args->y + v * D;
        const fnn_size first = args->start[v], last = v == args->padding ? first : args->start[v + 1];
        if (first == last) {
            memset(dw, 0, (size_t)D * sizeof(REAL));
            continue;
        }
        memcpy(dw, (const REAL *)args->x + args->place[first] * D, (size_t)D * sizeof(REAL));
        for (fnn_size k = first + 1; k < last; k++) {
            const REAL *restrict dy = (const REAL *)args->x + args->place[k] * D;
            for (fnn_size d = 0; d < D; d++)
                dw[d] += dy[d];                     /* forward was  y[i,:] = w[index[i],:] */
        }
    }
}

void FN(embedding_backward)(REAL *dw, const REAL *dy, const int64_t *index, fnn_size *workspace, fnn_size n, fnn_size V,
                            fnn_size D, fnn_size padding)
{
    fnn_size *start = workspace, *place = workspace + V + 1;
    if (D == 0 || V == 0)
        return;
    memset(start, 0, (size_t)(V + 1) * sizeof(fnn_size));
    for (fnn_size i = 0; i < n; i++)
        start[index[i]]++;
    /* counts become the end of each row's positions, */
    for (fnn_size v = 0, before = 0; v <= V; v++) {
        before += start[v];
        start[v] = before;
    }
    for (fnn_size i = n; i-- > 0;)  /* and placing from the back moves the ends to the beginnings */
        place[--start[index[i]]] = i;
    fnn_embedding_args args = { dw, dy, index, start, place, D, padding };
    const fnn_size work = D * (n / V + 1);          /* elements added into an average row */
    fnn_parallel_for(V, fnn_grain(EMBEDDING_GRAIN, work), FN(embedding_backward_block), &args);
}
