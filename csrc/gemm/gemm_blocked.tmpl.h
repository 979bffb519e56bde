/* gemm_blocked.tmpl.h -- part of gemm.tmpl.h: which tiles are computed by whom and in which order.
 *
 *     part of C               for one thread; cut so that little is copied twice (gemm_cut)
 *       group of panels       of one operand, packed if need be; kept in half of the L2 cache
 *         block of k          GEMM_KC products
 *           panel             of the other operand, packed if need be; stays in the L1 cache
 *             tile            for each panel of the group (gemm_tile.tmpl.h)
 *
 * The panels that are kept are those of B. They are those of A where A has few panels, or where B
 * must be transposed to be packed: then each panel of B is used while it is in the L1 cache, and
 * the panels of A, which mostly need no copy, come from the L2 cache. The same where all of A is
 * small: B then has few uses, so the first tile that reads a panel of B leaves the copy, and the
 * others prefetch the next one.
 *
 * In this file i is the number of a panel of A, and j that of a panel of B; row and column are
 * where they begin in C. p, k: a block of products, [p, p + k). t: the place of a panel in the
 * group that is kept, and so the number of a tile among those of the panel that passes by.
 */
/* ---- panels ---------------------------------------------------------------------------------- */
typedef struct {
    const FN(gemm_args) *g;
    fnn_size a_panels, b_panels; /* how many there are */
    fnn_size height, taller;     /* rows in a panel of A; the first `taller` panels have one more */
    int a_copied, b_copied;      /* which operands are copied; the others are read where they lie */
    int b_passes;                /* a panel of B is copied by the first tile that reads it */
    int keep_a;                  /* what gemm_part keeps: panels of A, or of B */
    fnn_size depth;              /* products summed in registers before they are added to C */
    fnn_size down, across;       /* the parts that C is cut into */
} FN(gemm_plan);

/* Where a panel begins, and how far it is from one product to the next */
typedef struct { const REAL *at; fnn_size step; } FN(gemm_panel);

/* Where panel i of A begins; the panels' heights differ by one row at most. */
static inline fnn_size FN(gemm_row)(const FN(gemm_plan) *plan,
                                    fnn_size i) { return i * plan->height + fnn_min(i, plan->taller); }

/* Panel i of A, products [p, p + k); `room` is for the copy, if there is one. */
static FN(gemm_panel) FN(gemm_panel_a)(const FN(gemm_plan) *plan, fnn_size i, fnn_size p, fnn_size k, REAL *room)
{
    const FN(gemm_args) *g = plan->g;
    const fnn_size row = FN(gemm_row)(plan, i), rows = FN(gemm_row)(plan, i + 1) - row;
    if (g->rsa == FNN_PACKED)
        return (FN(gemm_panel)){ g->a + p * g->m + row * k, rows };
    const REAL *a = g->a + row * g->rsa + p * g->csa;
    if (!plan->a_copied)
        return (FN(gemm_panel)){ a, g->rsa == 1 ? g->csa : g->rsa };
    FN(gemm_pack)(room, rows, rows, g->m - row, a, g->rsa, g->csa, k);
    return (FN(gemm_panel)){ room, rows };
}

/* A copy of count < 2 VL elements, in pieces of VL, VL / 2, ... 1 */
FNN_INLINE void FN(gemm_copy_short)(REAL *to, const REAL *from, fnn_size count)
{
#pragma GCC unroll 5
    for (fnn_size piece = GEMM_VL; piece > 0; piece /= 2)
        if (count & piece) {
            memcpy(to, from, (size_t)piece * sizeof(REAL));
            to += piece;
            from += piece;
        }
}

/* The last panel of B, where it has fewer than NR columns, adjacent in the matrix: zeros behind
 * them, up to a whole vector. */
GEMM_APART void FN(gemm_pack_edge)(REAL *to, fnn_size width, const REAL *from, fnn_size columns, fnn_size rsb,
                                   fnn_size k)
{
    for (fnn_size p = 0; p < k; p++, to += width) {
        v_store(to, v_set(0));
        if (columns > VL)
            v_store(to + VL, v_set(0));
        FN(gemm_copy_short)(to, from + p * rsb, columns);
    }
}

/* Panel j of B, products [p, p + k); `room` is for the copy, if there is one. */
static FN(gemm_panel) FN(gemm_panel_b)(const FN(gemm_plan) *plan, fnn_size j, fnn_size p, fnn_size k, REAL *room)
{
    const FN(gemm_args) *g = plan->g;
    const fnn_size column = j * GEMM_NR, columns = fnn_min(GEMM_NR, g->n - column);
    const fnn_size width = columns > VL ? GEMM_NR : VL;
    if (g->rsb == FNN_PACKED)
        return (FN(gemm_panel)){ g->b + p * plan->b_panels * GEMM_NR + column * k, width };
    const REAL *b = g->b + p * g->rsb + column * g->csb;
    if (!plan->b_copied && columns == GEMM_NR)
        return (FN(gemm_panel)){ b, g->rsb };
    if (columns < GEMM_NR && g->csb == 1)
        FN(gemm_pack_edge)(room, width, b, columns, g->rsb, k);
    else
        FN(gemm_pack)(room, width, columns, columns, b, g->csb, g->rsb, k);
    return (FN(gemm_panel)){ room, width };
}

/* A tile that sticks out of C: it is computed in a buffer, then copied. `b` is a panel filled up
 * with zeros. */
GEMM_APART void FN(gemm_edge_tile)(REAL *c, fnn_size rsc, FN(gemm_panel) a, FN(gemm_panel) b, fnn_size rows,
                                   fnn_size columns, fnn_size k, int by_rows, const FN(gemm_end) *end)
{
    REAL tile[GEMM_MR * GEMM_NV * GEMM_VL], bias[GEMM_NV * GEMM_VL] = {0};
    const fnn_size width = columns > VL ? 2 * VL : VL;
    FN(gemm_tile_fn) *compute = FN(gemm_tiles)[by_rows][columns > VL][rows - 1];
    if (columns == width) {
        compute(c, rsc, a.at, a.step, b.at, b.step, c, 0, k, end);
        return;
    }
    const FN(gemm_end) beside = { end->bias_row, end->bias_col ? bias : NULL, end->how };
    if (end->bias_col)
        FN(gemm_copy_short)(bias, end->bias_col, columns);
    if (end->how & FNN_GEMM_ADD)
        for (fnn_size row = 0; row < rows; row++) {
            memset(tile + row * width, 0, (size_t)width * sizeof(REAL));
            FN(gemm_copy_short)(tile + row * width, c + row * rsc, columns);
        }
    compute(tile, width, a.at, a.step, b.at, b.step, c, 0, k, &beside);
    for (fnn_size row = 0; row < rows; row++)
        FN(gemm_copy_short)(c + row * rsc, tile + row * width, columns);
}

/* Panel i of A times panel j of B, products [p, p + k). `copy`: where to leave a copy of B's panel,
 * or NULL; a copy needs adjacent columns of A and a full panel of B. `next`: rows to prefetch, or
 * NULL. */
FNN_INLINE void FN(gemm_one_tile)(const FN(gemm_plan) *plan, fnn_size i, fnn_size j, FN(gemm_panel) a, FN(gemm_panel) b,
                                  fnn_size p, fnn_size k, REAL *copy, FN(gemm_panel) next)
{
    const FN(gemm_args) *g = plan->g;
    const fnn_size row = FN(gemm_row)(plan, i), rows = FN(gemm_row)(plan, i + 1) - row;
    const fnn_size column = j * GEMM_NR, columns = fnn_min(GEMM_NR, g->n - column);
    const int last = p + k == g->k, by_rows = !plan->a_copied && g->rsa != FNN_PACKED && g->rsa != 1;
    const FN(gemm_end) end = {
        last && g->bias_row ? g->bias_row + row : NULL, last && g->bias_col ? g->bias_col + column : NULL,
        (p > 0 ? FNN_GEMM_ADD : g->how & FNN_GEMM_ADD) | (last ? g->how & FNN_GEMM_RELU : 0)
    };
    REAL *c = g->c + row * g->rsc + column;
    if (copy)
        FN(gemm_copying)[rows - GEMM_LEAST](c, g->rsc, a.at, a.step, b.at, b.step, copy, k, &end);
    else if (columns == GEMM_NR)
        FN(gemm_tiles)[by_rows][1][rows - 1](c, g->rsc, a.at, a.step, b.at, b.step, next.at ? next.at : c, next.step,
                                             k, &end);
    else
        FN(gemm_edge_tile)(c, g->rsc, a, b, rows, columns, k, by_rows, &end);
}

/* ---- a part of C: one thread's work ---------------------------------------------------------- */

/* Products in a block of k */
static fnn_size FN(gemm_depth)(fnn_size k) { return gemm_even(fnn_max(k, 1), GEMM_KC, GEMM_UNIT); }

/* What tile t prefetches while it computes: its share of the next panel, which begins at `next`, if
 * not NULL. A tile prefetches some k / GEMM_STEPS times. Where fewer tiles use a panel than it has
 * lanes, not all of the next one is prefetched. */
FNN_INLINE FN(gemm_panel) FN(gemm_share)(const REAL *next, fnn_size lanes, fnn_size ls, fnn_size ks, fnn_size k,
                                         fnn_size t)
{
    if (next && ks == 1 && t < lanes)               /* one lane, */
        return (FN(gemm_panel)){ next + t * ls, GEMM_STEPS };
    if (next && ls == 1 && t < GEMM_STEPS)          /* or a quarter of all lanes' products */
        return (FN(gemm_panel)){ next + t * (k / GEMM_STEPS) * ks, ks };
    return (FN(gemm_panel)){ NULL, 0 };
}

/* Panel i of A times panels [j, j + count) of B, which are kept; products [p, p + k). `room` is for
 * a copy; `more`: whether another panel of A follows. */
static void FN(gemm_pass_a)(const FN(gemm_plan) *plan, fnn_size i, const FN(gemm_panel) *kept, fnn_size j,
                            fnn_size count, fnn_size p, fnn_size k, REAL *room, int more)
{
    const FN(gemm_args) *g = plan->g;
    const REAL *next = more && g->rsa != FNN_PACKED ? g->a + FN(gemm_row)(plan, i + 1) * g->rsa + p * g->csa : NULL;
    const FN(gemm_panel) a = FN(gemm_panel_a)(plan, i, p, k, room);
    for (fnn_size t = 0; t < count; t++)
        FN(gemm_one_tile)(plan, i, j + t, a, kept[t], p, k, NULL,
                          FN(gemm_share)(next, plan->height, g->rsa, g->csa, k, t));
}

/* Panel i of A times panel j of B for a block of k, summed in pieces of plan->depth products */
FNN_INLINE void FN(gemm_pieces)(const FN(gemm_plan) *plan, fnn_size i, fnn_size j, FN(gemm_panel) a, FN(gemm_panel) b,
                                fnn_size p, fnn_size k, FN(gemm_panel) next)
{
    const int by_rows = !plan->a_copied && plan->g->rsa != FNN_PACKED && plan->g->rsa != 1;
    for (fnn_size at = 0; at < k; at += plan->depth)
        FN(gemm_one_tile)(plan, i, j, (FN(gemm_panel)){ a.at + at * (by_rows ? 1 : a.step), a.step },
                          (FN(gemm_panel)){ b.at + at * b.step, b.step }, p + at, fnn_min(plan->depth, k - at), NULL,
                          next);
}

/* Panels [i, i + count) of A, which are kept, times panel j of B; room and more as in
 * gemm_pass_a */
static void FN(gemm_pass_b)(const FN(gemm_plan) *plan, const FN(gemm_panel) *kept, fnn_size i, fnn_size count,
                            fnn_size j, fnn_size p, fnn_size k, REAL *room, int more)
{
    const FN(gemm_args) *g = plan->g;
    /* the first tile reads B where it lies and leaves the copy */
    const int by_tile = plan->b_passes && j < g->n / GEMM_NR;
    const REAL *here = by_tile ? g->b + p * g->rsb + j * GEMM_NR : NULL;
    const REAL *next = by_tile && more ? here + GEMM_NR : NULL;
    const FN(gemm_panel) b = by_tile ? (FN(gemm_panel)){ room, GEMM_NR } : FN(gemm_panel_b)(plan, j, p, k, room);
    if (by_tile)
        FN(gemm_one_tile)(plan, i, j, kept[0], (FN(gemm_panel)){ here, g->rsb }, p, k, room, b);
    for (fnn_size t = by_tile; t < count; t++)
        FN(gemm_pieces)(plan, i + t, j, kept[t], b, p, k, FN(gemm_share)(next, GEMM_NR, 1, g->rsb, k, t - by_tile));
}

/* Products that are summed in registers before they are added to C. With few rows of A and long
 * rows of B, each number of B is used a few times and then not again, so what counts is how memory
 * is read. Few rows of B, panel by panel, are so many streams of addresses, which processors
 * foresee; many rows are read in pieces all over memory. */
static fnn_size FN(gemm_sum_depth)(const FN(gemm_args) *g)
{
    const int few = g->m <= GEMM_DIRECT_B * GEMM_MR && g->n >= GEMM_STREAM_COLUMNS && !FN(gemm_is_packed)(g);
    return few ? gemm_even(fnn_max(g->k, 1), GEMM_STREAMS, GEMM_UNIT) : FN(gemm_depth)(g->k);
}

/* Products in a block of k of gemm_part: as many as are summed in registers; or, to copy B in
 * larger pieces, a multiple of that */
static fnn_size FN(gemm_block)(const FN(gemm_plan) *plan)
{
    return plan->b_copied ? fnn_grain(GEMM_KC, plan->depth) * plan->depth : plan->depth;
}

/* One part of C: panels [i0, i1) of A times panels [j0, j1) of B. For one block of k after the
 * other, a group of panels of one operand is kept in the L2 cache while the panels of the other one
 * pass by, each through the L1 cache. */
static void FN(gemm_part)(const FN(gemm_plan) *plan, fnn_size i0, fnn_size i1, fnn_size j0, fnn_size j1)
{
    const FN(gemm_args) *g = plan->g;
    const fnn_size kc = FN(gemm_block)(plan), begin = plan->keep_a ? i0 : j0, end = plan->keep_a ? i1 : j1;
    /* room for a panel of either kind */
    const fnn_size pitch = fnn_max(GEMM_MR, GEMM_NR) * kc + VL;
    const fnn_size bytes = (plan->keep_a ? GEMM_MR : GEMM_NR) * kc * (fnn_size)sizeof(REAL);
    const fnn_size fit = fnn_l2_bytes() / 2 / bytes;
    const fnn_size group = gemm_even(end - begin, fnn_clamp(fit, GEMM_KEEP_LEAST, GEMM_KEEP), 1);
    FN(gemm_panel) kept[GEMM_KEEP];
    REAL *room = fnn_scratch_alloc((size_t)((group + 1) * pitch) * sizeof(REAL)), *passing = room + group * pitch;
    /* the panels of the kept operand, a group at a time */
    for (fnn_size first = begin; first < end; first += group) {
        const fnn_size count = fnn_min(group, end - first);
        /* the k dimension, kc products at a time */
        for (fnn_size p = 0; p < g->k; p += kc) {
            const fnn_size k = fnn_min(kc, g->k - p);
            if (plan->keep_a) {
                for (fnn_size t = 0; t < count; t++)
                    kept[t] = FN(gemm_panel_a)(plan, first + t, p, k, room + t * pitch);
                /* the n dimension, a panel of B at a time */
                for (fnn_size j = j0; j < j1; j++)
                    FN(gemm_pass_b)(plan, kept, first, count, j, p, k, passing, j + 1 < j1);
            } else {
                fnn_size t = 0;
                if (plan->b_copied && g->csb == 1) {
                    const fnn_size full = fnn_min(first + count, g->n / GEMM_NR) - first;
                    FN(gemm_pack_wide)(room, pitch, full, g->b + p * g->rsb + first * GEMM_NR, g->rsb, k);
                    for (; t < full; t++)
                        kept[t] = (FN(gemm_panel)){ room + t * pitch, GEMM_NR };
                }
                for (; t < count; t++)
                    kept[t] = FN(gemm_panel_b)(plan, first + t, p, k, room + t * pitch);
                /* the m dimension, a panel of A at a time */
                for (fnn_size i = i0; i < i1; i++)
                    FN(gemm_pass_a)(plan, i, kept, first, count, p, k, passing, i + 1 < i1);
            }
        }
    }
    fnn_scratch_free(room);
}

/* Items are parts, down C and then across. */
static void FN(gemm_parts_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(gemm_plan) *plan = ctx;
    for (fnn_size part = begin; part < end; part++) {
        const fnn_size y = part % plan->down, x = part / plan->down;
        FN(gemm_part)(plan, y * plan->a_panels / plan->down, (y + 1) * plan->a_panels / plan->down,
                      x * plan->b_panels / plan->across, (x + 1) * plan->b_panels / plan->across);
    }
}

/* ---- the whole product: parts ---------------------------------------------------------------- */

/* An estimate of the time with parts of one shape, in multiply-adds per product of k: the largest
 * part's tiles and what it copies or reads, times the parts that one thread does. Where C is cut by
 * columns its reader pays: nearly every op that follows cuts rows among the threads, and finds half
 * of each row in another core's cache: GEMM_FETCH_COST. (Few rows, GEMM_FLAT, are read by one
 * thread or by all anyway.) */
static double FN(gemm_cost)(const FN(gemm_plan) *plan, fnn_size down, fnn_size across, fnn_size threads)
{
    const double rows = (double)fnn_ceil_div(plan->a_panels, down) * (double)plan->g->m / (double)plan->a_panels;
    const double columns = (double)fnn_ceil_div(plan->b_panels, across) * GEMM_NR;
    const double apart = across > 1 && GEMM_FLAT * plan->g->m >= plan->g->n ? GEMM_FETCH_COST / (double)plan->g->k : 0;
    return (double)fnn_ceil_div(down * across, threads)
         * (rows * columns * (1 + apart) + (plan->a_copied ? GEMM_COPY_COST : 1) * rows
            + (plan->b_copied ? GEMM_COPY_COST : 1) * columns);
}

/* Cut C into parts: one for each thread (fnn_parts_per_thread) if there is work for it, and more
 * for a large product, so that a thread that the system holds up does not keep the others waiting
 * for long. The cut has no influence on the bits. */
static void FN(gemm_cut)(FN(gemm_plan) *plan)
{
    const double work = (double)plan->g->m * (double)plan->g->n * (double)plan->g->k;
    const fnn_size threads = fnn_free_threads();
    plan->down = plan->across = 1;
    if (threads == 1 || work < 2.0 * GEMM_PART_LEAST)
        return;
    const double least = work / GEMM_PART_MOST, most = work / GEMM_PART_LEAST;
    const double parts_most = GEMM_PARTS * (double)threads;
    const double parts_least = (double)(threads * fnn_parts_per_thread());
    const double wanted = fnn_max_double(parts_least, fnn_min_double(least, parts_most));
    const fnn_size parts = (fnn_size)fnn_min_double(most, floor(wanted));
    double best = INFINITY;
    for (fnn_size down = 1; down <= fnn_min(parts, plan->a_panels); down++) {
        const fnn_size across = fnn_min(fnn_ceil_div(parts, down), plan->b_panels);
        const double cost = FN(gemm_cost)(plan, down, across, threads);
        if (cost < best) {
            best = cost;
            plan->down = down;
            plan->across = across;
        }
    }
}

/* Which operand is packed, and which is kept. A is packed unless its rows or its columns are
 * adjacent; B unless its rows are. So is an operand that is read often and whose rows are so far
 * apart that page tables hold few of them, or at such distances that caches do (cache aliasing:
 * docs/words.md). Vectors that lie across two cache lines, as in most arrays that NumPy allocates,
 * are worth fewer reads. For double there is no tile that reads A by rows, so A is packed. */
static void FN(gemm_choose)(FN(gemm_plan) *plan)
{
    const FN(gemm_args) *g = plan->g;
    const int a_seldom = g->n <= GEMM_DIRECT_A * GEMM_NR, b_seldom = g->m <= GEMM_DIRECT_B * GEMM_MR;
    if (g->rsa != FNN_PACKED) {
        const int by_rows = g->csa == 1 && !REAL_IS_F64;
        const int aliased = g->rsa * (fnn_size)sizeof(REAL) % GEMM_ALIASED == 0;
        plan->a_copied = !(by_rows && (a_seldom || !aliased)) && !(g->rsa == 1 && a_seldom);
    }
    const int adjacent = g->csb == 1 && g->rsb != FNN_PACKED;
    const int passes = adjacent && g->m < g->n && g->m * FN(gemm_depth)(g->k) * (fnn_size)sizeof(REAL) <= GEMM_SMALL_A;
    const int by_lines = ((uintptr_t)g->b | (uintptr_t)g->rsb * sizeof(REAL)) % 64 == 0;
    const fnn_size bytes = passes ? GEMM_PASS_BYTES : GEMM_DIRECT_BYTES;
    const fnn_size rows = by_lines ? GEMM_DIRECT_ROWS : GEMM_DIRECT_SPLIT;
    const int direct = adjacent && (b_seldom || (!REAL_IS_F64 && g->m <= rows
                                                 && g->rsb * (fnn_size)sizeof(REAL) <= bytes));
    plan->b_copied = g->rsb != FNN_PACKED && !direct;
    plan->b_passes = passes && !direct;
    if (plan->b_passes)
        plan->a_copied = g->rsa != FNN_PACKED;
    plan->keep_a = plan->b_passes || b_seldom || (plan->b_copied && g->csb != 1 && (!plan->a_copied || g->m <= g->n));
}

static void FN(gemm_blocked)(const FN(gemm_args) *g)
{
    FN(gemm_plan) plan = { .g = g, .a_panels = fnn_ceil_div(g->m, GEMM_MR), .b_panels = fnn_ceil_div(g->n, GEMM_NR) };
    plan.height = g->m / plan.a_panels;
    plan.taller = g->m % plan.a_panels;
    plan.depth = FN(gemm_sum_depth)(g);
    FN(gemm_choose)(&plan);
    FN(gemm_cut)(&plan);
    fnn_parallel_for(plan.down * plan.across, 1, FN(gemm_parts_block), &plan);
}
