/* lstm.tmpl.h -- long short-term memory: one layer, one direction, a whole sequence in one call.
 *
 * Math       z_t = W_ih x_t + b_ih + W_hh h_{t-1} + b_hh                         its four quarters give the gates
 *            i = sigmoid(z_i)   f = sigmoid(z_f)   g = tanh(z_g)   o = sigmoid(z_o)
 *            c_t = f * c_{t-1} + i * g          h_t = o * tanh(c_t)
 * Symbols    T steps, B batch, I inputs, H hidden units. A "piece" is one gate's quarter of a row of 4H.
 * Layout     x [T][B][I], y (all h_t) and cells (all c_t) [T][B][H], gates (after sigmoid and tanh) and dz [T][B][4H];
 *            W_ih [4H][I], W_hh [4H][H]. Gates in the order i f g o.
 * Method     What does not depend on the step before is one matrix product over all steps: W_ih x forward; dx, dW_ih,
 *            dW_hh and db backward. Left for the loop over time is  h_{t-1} W_hh^T  and, backward,  dz_{t+1} W_hh.
 *            Their weights are packed once per sequence into panels of 4 registers' width,
 *
 *                forward    panel of VL units:    [k = 0..H-1][gate i f g o][unit]    a tile holds a unit's four gates
 *                backward   panel of 4*VL units:  [k = 0..4H-1][unit]
 *
 *            and a tile of up to LSTM_ROWS sequences by one panel stays in registers while k runs. As soon as a tile is
 *            summed up, its units' gates are applied: one loop over all cores per step, and what it makes is still in
 *            the nearest cache. A sequence of one step (a cell, or generating a text) would not earn the packing back:
 *            there the general product is used.
 * Cost       forward 2*T*B*4H*(I + H) flop, backward twice that.
 * Threads    items of a step: panels x groups of sequences. Every sum over k runs from 0 up in one register.
 * Reference  fastnn/reference/lstm.py; Hochreiter, Schmidhuber (1997), "Long short-term memory"; Gers, Schmidhuber,
 *            Cummins (2000), "Learning to forget", for the forget gate; torch.nn.LSTM for the arrangement of weights.
 */
#ifndef FNN_LSTM_ONCE
#define FNN_LSTM_ONCE
enum {
    LSTM_BLOCK = 1 << 19,                           /* multiply-adds that are worth a block of a step */
    LSTM_GROUP = 4,                                 /* tiles of sequences in an item */
    LSTM_DEPTH = 128,                               /* products added up at a time: 32 KB of a panel in float32 with AVX-512 */
    LSTM_ELEMENTS = 8192,                           /* units that are worth a block where there is no product */
    LSTM_SUM = 64                                   /* rows added up before their sum is added to the total */
};
#endif

#undef LSTM_ROWS
#if VBYTES == 64 || defined(__aarch64__)
#  define LSTM_ROWS 6                               /* 32 registers: 6 x 4 sums, 4 of the panel, the rest for h */
#else
#  define LSTM_ROWS 3                               /* 16 registers: 3 x 4 sums */
#endif

typedef struct {
    /* one step forward */
    REAL *gates, *c, *h;                            /* of this step: [B][4H], [B][H], [B][H] */
    const REAL *c_before, *h_before;
    /* one step backward: what flows into h and c of this step from outside and from the step after */
    REAL *dz, *dh, *dc;
    const REAL *dy, *dh_last, *dz_after, *saved_gates, *saved_c;
    const REAL *panels;                             /* packed W_hh */
    fnn_size B, H, groups;                          /* groups of sequences in an item */
} FN(lstm_step);

/* ---- the product of a tile with a panel ------------------------------------------------------------------- */

/* out[r][l] (+)= sum_k a[r][k] * panel[k][l]   for `rows` rows and the 4*VL columns l of a panel */
FNN_INLINE void FN(lstm_tile_of)(REAL *restrict out, const REAL *restrict a, fnn_size rsa,
                                 const REAL *restrict panel, fnn_size k, int add, const int rows)
{
    vec sum[LSTM_ROWS][4];
    for (int r = 0; r < rows; r++)
        for (int q = 0; q < 4; q++)
            sum[r][q] = add ? v_load(out + (4 * r + q) * VL) : v_set(0);
    for (fnn_size i = 0; i < k; i++) {
        vec p0 = v_load(panel), p1 = v_load(panel + VL), p2 = v_load(panel + 2 * VL), p3 = v_load(panel + 3 * VL);
        panel += 4 * VL;
        for (int r = 0; r < rows; r++) {
            vec s = v_set(a[r * rsa + i]);
            sum[r][0] += s * p0;
            sum[r][1] += s * p1;
            sum[r][2] += s * p2;
            sum[r][3] += s * p3;
        }
    }
    for (int r = 0; r < rows; r++)
        for (int q = 0; q < 4; q++)
            v_store(out + (4 * r + q) * VL, sum[r][q]);
}

static void FN(lstm_tile)(REAL *out, const REAL *a, fnn_size rsa, const REAL *panel, fnn_size k, int add, fnn_size rows)
{
    switch (rows) {                                 /* a constant number of rows keeps the sums in registers */
    case 1: FN(lstm_tile_of)(out, a, rsa, panel, k, add, 1); break;
    case 2: FN(lstm_tile_of)(out, a, rsa, panel, k, add, 2); break;
    case 3: FN(lstm_tile_of)(out, a, rsa, panel, k, add, 3); break;
#if LSTM_ROWS == 6
    case 4: FN(lstm_tile_of)(out, a, rsa, panel, k, add, 4); break;
    case 5: FN(lstm_tile_of)(out, a, rsa, panel, k, add, 5); break;
    case 6: FN(lstm_tile_of)(out, a, rsa, panel, k, add, 6); break;
#endif
    }
}

/* out[r][l] = sum_k a[r][k] * panel[k][l]   for up to LSTM_GROUP tiles of rows: a part of the panel that the L1 cache holds
 * meets all of them before the next part is fetched. Rows are cut evenly: 16 are tiles of 5, 5 and 6, not of 6, 6 and 4. */
static void FN(lstm_product)(REAL *out, const REAL *a, fnn_size rsa, const REAL *panel, fnn_size k, fnn_size rows)
{
    fnn_size tiles = (rows + LSTM_ROWS - 1) / LSTM_ROWS;
    for (fnn_size i = 0; i < k; i += LSTM_DEPTH) {
        fnn_size depth = k - i < LSTM_DEPTH ? k - i : LSTM_DEPTH;
        for (fnn_size tile = 0; tile < tiles; tile++) {
            fnn_size r0 = rows * tile / tiles, r1 = rows * (tile + 1) / tiles;
            FN(lstm_tile)(out + r0 * 4 * VL, a + r0 * rsa + i, rsa, panel + i * 4 * VL, depth, i > 0, r1 - r0);
        }
    }
}

/* ---- packing ---------------------------------------------------------------------------------------------- */

typedef struct { REAL *panels; const REAL *w_hh; fnn_size H; } FN(lstm_pack_args);

static void FN(lstm_pack_forward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(lstm_pack_args) *a = ctx;
    fnn_size H = a->H;
    for (fnn_size panel = begin; panel < end; panel++) {
        REAL *restrict out = a->panels + panel * H * 4 * VL;
        for (fnn_size k0 = 0; k0 < H; k0 += 16) {   /* 16 columns at a time: their lines stay in the cache */
            fnn_size k1 = k0 + 16 < H ? k0 + 16 : H;
            for (fnn_size q = 0; q < 4; q++)
                for (fnn_size l = 0; l < VL; l++) {
                    fnn_size unit = panel * VL + l;
                    const REAL *restrict row = a->w_hh + (q * H + unit) * H;     /* w_hh[gate q of unit,:] */
                    for (fnn_size k = k0; k < k1; k++)
                        out[(k * 4 + q) * VL + l] = unit < H ? row[k] : 0;
                }
        }
    }
}

static void FN(lstm_pack_backward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(lstm_pack_args) *a = ctx;
    fnn_size H = a->H;
    for (fnn_size panel = begin; panel < end; panel++) {
        fnn_size unit = panel * 4 * VL, width = H - unit < 4 * VL ? H - unit : 4 * VL;
        for (fnn_size k = 0; k < 4 * H; k++) {
            REAL *restrict out = a->panels + (panel * 4 * H + k) * 4 * VL;
            const REAL *restrict row = a->w_hh + k * H + unit;
            for (fnn_size l = 0; l < width; l++)
                out[l] = row[l];
            for (fnn_size l = width; l < 4 * VL; l++)
                out[l] = 0;
        }
    }
}

/* ---- forward ---------------------------------------------------------------------------------------------- */

/* The gates of `width` units of one sequence: z holds what goes into them and receives what comes out, piece after piece. */
static void FN(lstm_gates)(REAL *z, REAL *restrict c, REAL *restrict h, const REAL *restrict c_before,
                           fnn_size H, fnn_size width)
{
    REAL *restrict zi = z, *restrict zf = z + H, *restrict zg = z + 2 * H, *restrict zo = z + 3 * H;
    #pragma omp simd
    for (fnn_size j = 0; j < width; j++) {
        REAL i = r_sigmoid(zi[j]), f = r_sigmoid(zf[j]), g = r_tanh(zg[j]), o = r_sigmoid(zo[j]);
        REAL cell = f * c_before[j] + i * g;
        zi[j] = i;
        zf[j] = f;
        zg[j] = g;
        zo[j] = o;
        c[j] = cell;
        h[j] = o * r_tanh(cell);
    }
}

/* Items of a step: panel by panel, and within a panel the groups of sequences. */
static void FN(lstm_forward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(lstm_step) *s = ctx;
    fnn_size B = s->B, H = s->H;
    REAL sum[LSTM_GROUP * LSTM_ROWS * 4 * VL];
    for (fnn_size item = begin; item < end; item++) {
        fnn_size panel = item / s->groups, unit = panel * VL, width = H - unit < VL ? H - unit : VL;
        fnn_size group = item % s->groups, first = B * group / s->groups, rows = B * (group + 1) / s->groups - first;
        FN(lstm_product)(sum, s->h_before + first * H, H, s->panels + panel * H * 4 * VL, H, rows);
        for (fnn_size r = 0; r < rows; r++) {
            fnn_size at = (first + r) * H + unit;
            REAL *restrict z = s->gates + (first + r) * 4 * H + unit;
            for (fnn_size q = 0; q < 4; q++)
                for (fnn_size l = 0; l < width; l++)
                    z[q * H + l] += sum[(4 * r + q) * VL + l];
            FN(lstm_gates)(z, s->c + at, s->h + at, s->c_before + at, H, width);
        }
    }
}

/* Without panels, items are sequences. */
static void FN(lstm_forward_rows)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(lstm_step) *s = ctx;
    for (fnn_size b = begin; b < end; b++)
        FN(lstm_gates)(s->gates + b * 4 * s->H, s->c + b * s->H, s->h + b * s->H, s->c_before + b * s->H, s->H,
                       s->H);
}

/* Items that make a block. An item costs k products for each of its rows x 4*VL sums, but no less than reading its panel. */
static fnn_size FN(lstm_grain)(fnn_size k, fnn_size B, fnn_size groups)
{
    fnn_size rows = B / groups < 4 ? 4 : B / groups, cost = k * 4 * VL * rows;
    return cost < LSTM_BLOCK ? LSTM_BLOCK / cost : 1;
}

static fnn_size FN(lstm_groups)(fnn_size B) { return B > 0 ? (B - 1) / (LSTM_GROUP * LSTM_ROWS) + 1 : 1; }

void FN(lstm_forward)(REAL *y, REAL *hT, REAL *cT, REAL *gates, REAL *cells, const REAL *x, const REAL *h0,
                      const REAL *c0, const REAL *w_ih, const REAL *w_hh, const REAL *b_ih, const REAL *b_hh,
                      REAL *work, fnn_size T, fnn_size B, fnn_size I, fnn_size H, int reverse)
{
    REAL *bias = work, *panels = work + 4 * H;
    for (fnn_size j = 0; j < 4 * H; j++)
        bias[j] = (b_ih ? b_ih[j] : 0) + (b_hh ? b_hh[j] : 0);
    /* all steps' W_ih x + b:   m = T*B, n = 4H, k = I */
    FN(gemm)(gates, 4 * H, x, I, 1, w_ih, 1, I, NULL, bias, T * B, 4 * H, I, 0);

    fnn_size count = (H + VL - 1) / VL, groups = FN(lstm_groups)(B);
    if (T > 1) {
        FN(lstm_pack_args) pack = { panels, w_hh, H };
        fnn_parallel_for(count, LSTM_BLOCK / (H * 64) + 1, FN(lstm_pack_forward_block), &pack);
    } else                                          /* z += h0 W_hh^T:   m = B, n = 4H, k = H */
        FN(gemm)(gates, 4 * H, h0, H, 1, w_hh, 1, H, NULL, NULL, B, 4 * H, H, 1);

    FN(lstm_step) step = { .h = (REAL *)h0, .c = (REAL *)c0, .panels = panels, .B = B, .H = H,
                           .groups = groups };
    for (fnn_size s = 0; s < T; s++) {
        fnn_size t = reverse ? T - 1 - s : s;
        step.h_before = step.h;
        step.c_before = step.c;
        step.h = y + t * B * H;
        step.c = cells + t * B * H;
        step.gates = gates + t * B * 4 * H;
        if (T > 1)
            fnn_parallel_for(count * groups, FN(lstm_grain)(H, B, groups), FN(lstm_forward_block), &step);
        else
            fnn_parallel_for(B, LSTM_ELEMENTS / H + 1, FN(lstm_forward_rows), &step);
    }
    if (hT) memcpy(hT, step.h, (size_t)(B * H) * sizeof(REAL));
    if (cT) memcpy(cT, step.c, (size_t)(B * H) * sizeof(REAL));
}

/* ---- backward --------------------------------------------------------------------------------------------- */

/* Through the gates of `width` units of one sequence. dc goes in as what the step after wants of c_t, and comes out as the
 * gradient of c_{t-1}. */
static void FN(lstm_gates_backward)(REAL *dz, REAL *restrict dc, const REAL *restrict dh, const REAL *gates,
                                    const REAL *restrict c, const REAL *restrict c_before, fnn_size H,
                                    fnn_size width)
{
    REAL *restrict dzi = dz, *restrict dzf = dz + H, *restrict dzg = dz + 2 * H, *restrict dzo = dz + 3 * H;
    const REAL *restrict gi = gates, *restrict gf = gates + H;
    const REAL *restrict gg = gates + 2 * H, *restrict go = gates + 3 * H;
    #pragma omp simd
    for (fnn_size j = 0; j < width; j++) {
        REAL i = gi[j], f = gf[j], g = gg[j], o = go[j], tanh_c = r_tanh(c[j]);
        REAL d = dc[j] + dh[j] * o * (1 - tanh_c * tanh_c);            /* forward was  h = o * tanh(c) */
        dzo[j] = dh[j] * tanh_c * o * (1 - o);                         /* forward was  o = sigmoid(z_o) */
        dzi[j] = d * g * i * (1 - i);                                  /* forward was  c = f * c_before + i * g */
        dzf[j] = d * c_before[j] * f * (1 - f);
        dzg[j] = d * i * (1 - g * g);
        dc[j] = d * f;
    }
}

/* Some units of sequence b: add up what reaches h_t, then go through the gates. `sum` is dz_{t+1} W_hh, or NULL. */
static void FN(lstm_row_backward)(const FN(lstm_step) *s, fnn_size b, fnn_size unit, fnn_size width,
                                  const REAL *restrict sum)
{
    fnn_size H = s->H, at = b * H + unit;
    REAL *restrict dh = s->dh + at;
    for (fnn_size l = 0; l < width; l++)
        dh[l] = (sum ? sum[l] : 0) + (s->dh_last ? s->dh_last[at + l] : 0) + (s->dy ? s->dy[at + l] : 0);
    FN(lstm_gates_backward)(s->dz + b * 4 * H + unit, s->dc + at, dh, s->saved_gates + b * 4 * H + unit,
                            s->saved_c + at, s->c_before + at, H, width);
}

static void FN(lstm_backward_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(lstm_step) *s = ctx;
    fnn_size B = s->B, H = s->H;
    REAL sum[LSTM_GROUP * LSTM_ROWS * 4 * VL];
    for (fnn_size item = begin; item < end; item++) {
        fnn_size panel = item / s->groups, unit = panel * 4 * VL, width = H - unit < 4 * VL ? H - unit : 4 * VL;
        fnn_size group = item % s->groups, first = B * group / s->groups, rows = B * (group + 1) / s->groups - first;
        /* forward was  z_{t+1} = W_hh h_t + ...   so  dh_t = dz_{t+1} W_hh + ... */
        FN(lstm_product)(sum, s->dz_after + first * 4 * H, 4 * H, s->panels + panel * 4 * H * 4 * VL, 4 * H, rows);
        for (fnn_size r = 0; r < rows; r++)
            FN(lstm_row_backward)(s, first + r, unit, width, sum + r * 4 * VL);
    }
}

static void FN(lstm_backward_rows)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(lstm_step) *s = ctx;
    for (fnn_size b = begin; b < end; b++)
        FN(lstm_row_backward)(s, b, 0, s->H, NULL);
}

typedef struct { REAL *db; const REAL *dz; fnn_size rows, n; } FN(lstm_bias_args);

static void FN(lstm_bias_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const FN(lstm_bias_args) *a = ctx;
    for (fnn_size j = begin; j < end; j += 256) {
        fnn_size width = end - j < 256 ? end - j : 256;
        REAL part[256], *restrict db = a->db + j;
        memset(db, 0, (size_t)width * sizeof(REAL));
        for (fnn_size r0 = 0; r0 < a->rows; r0 += LSTM_SUM) {
            fnn_size r1 = r0 + LSTM_SUM < a->rows ? r0 + LSTM_SUM : a->rows;
            memset(part, 0, sizeof part);
            for (fnn_size r = r0; r < r1; r++) {
                const REAL *restrict dz = a->dz + r * a->n + j;
                for (fnn_size l = 0; l < width; l++)
                    part[l] += dz[l];
            }
            for (fnn_size l = 0; l < width; l++)
                db[l] += part[l];
        }
    }
}

void FN(lstm_backward)(REAL *dx, REAL *dh0, REAL *dc0, REAL *dw_ih, REAL *dw_hh, REAL *db, const REAL *dy,
                       const REAL *dhT, const REAL *dcT, const REAL *x, const REAL *h0, const REAL *c0,
                       const REAL *w_ih, const REAL *w_hh, const REAL *y, const REAL *gates, const REAL *cells,
                       REAL *work, fnn_size T, fnn_size B, fnn_size I, fnn_size H, int reverse)
{
    REAL *dz = work, *dh = dz + T * B * 4 * H, *dc = dh + B * H, *panels = dc + B * H;
    if (dcT) memcpy(dc, dcT, (size_t)(B * H) * sizeof(REAL));
    else memset(dc, 0, (size_t)(B * H) * sizeof(REAL));

    fnn_size count = (H + 4 * VL - 1) / (4 * VL), groups = FN(lstm_groups)(B);
    if (T > 1) {
        FN(lstm_pack_args) pack = { panels, w_hh, H };
        fnn_parallel_for(count, 1, FN(lstm_pack_backward_block), &pack);
    }
    FN(lstm_step) step = { .dh = dh, .dc = dc, .panels = panels, .B = B, .H = H, .groups = groups };
    for (fnn_size s = T - 1; s >= 0; s--) {
        fnn_size t = reverse ? T - 1 - s : s, before = reverse ? t + 1 : t - 1;
        step.dz_after = step.dz;
        step.dz = dz + t * B * 4 * H;
        step.dy = dy ? dy + t * B * H : NULL;
        step.dh_last = s == T - 1 ? dhT : NULL;
        step.saved_gates = gates + t * B * 4 * H;
        step.saved_c = cells + t * B * H;
        step.c_before = s == 0 ? c0 : cells + before * B * H;
        if (s == T - 1)
            fnn_parallel_for(B, LSTM_ELEMENTS / H + 1, FN(lstm_backward_rows), &step);
        else
            fnn_parallel_for(count * groups, FN(lstm_grain)(4 * H, B, groups), FN(lstm_backward_block), &step);
    }

    /* The first step is t = 0, or T-1 in reverse; the rest follows it, and the h before the rest is y without the last step. */
    fnn_size rest = (T - 1) * B;
    const REAL *dz_first = reverse ? dz + rest * 4 * H : dz, *dz_rest = reverse ? dz : dz + B * 4 * H;
    const REAL *y_before = reverse ? y + B * H : y;
    if (dc0) memcpy(dc0, dc, (size_t)(B * H) * sizeof(REAL));
    if (dh0)                                        /* forward was  z_first = W_hh h0 + ... */
        FN(gemm)(dh0, H, dz_first, 4 * H, 1, w_hh, H, 1, NULL, NULL, B, H, 4 * H, 0);
    if (dx)                                         /* forward was  z = W_ih x + ... */
        FN(gemm)(dx, I, dz, 4 * H, 1, w_ih, I, 1, NULL, NULL, T * B, I, 4 * H, 0);
    if (dw_ih)
        FN(gemm)(dw_ih, I, dz, 1, 4 * H, x, I, 1, NULL, NULL, 4 * H, I, T * B, 0);
    if (dw_hh) {                                    /* forward was  z_t = W_hh h_{t-1} + ...:  dz_t meets the h before it */
        FN(gemm)(dw_hh, H, dz_rest, 1, 4 * H, y_before, H, 1, NULL, NULL, 4 * H, H, rest, 0);
        FN(gemm)(dw_hh, H, dz_first, 1, 4 * H, h0, H, 1, NULL, NULL, 4 * H, H, B, 1);
    }
    if (db) {
        FN(lstm_bias_args) args = { db, dz, T * B, 4 * H };
        fnn_parallel_for(4 * H, 256, FN(lstm_bias_block), &args);
    }
}
