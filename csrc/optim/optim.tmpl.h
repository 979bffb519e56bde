/* optim.tmpl.h -- one step of an optimiser over all parameters in one call: the rules that treat
 * each element alone, and sums over all elements.
 *
 * Math       optim.h, above each row.
 * Layout     count flat tensors of any sizes; p, g and the states are arrays of pointers.
 * Method     All tensors are cut into blocks of FNN_OPTIM_BLOCK elements; block numbers run through
 *            all tensors, so that many small ones and a few large ones share the work alike. A rule
 *            is a function over a range of one tensor. Each element is read and written once.
 * Cost       SGD with momentum: 3 reads, 2 writes per element; Adam: 4 reads, 3 writes. Bound by
 *            memory.
 * Threads    blocks; elements are independent, and square_sum adds the blocks' sums in order.
 * Reference  fastnn/reference/optim.py, which names the papers.
 */
#ifndef FNN_OPTIM_TEMPLATE_ONCE
#define FNN_OPTIM_TEMPLATE_ONCE
/* The tensor that a block belongs to: the last i with first[i] <= block that has a block of its
 * own. */
static fnn_size fnn_owner_of_block(const fnn_size *first, fnn_size count, fnn_size block)
{
    fnn_size low = 0, high = count;                 /* first[low] <= block < first[high] */
    while (high - low > 1) {
        const fnn_size middle = low + (high - low) / 2;
        if (first[middle] <= block) low = middle;
        else high = middle;
    }
    return low;
}
#endif

/* ---- all blocks of a step -------------------------------------------------------------------- */
/* A rule over the elements begin ... end - 1 of tensor i */
typedef void FN(optim_rule)(const fnn_step *step, fnn_size i, fnn_size begin, fnn_size end);

typedef struct {
    const fnn_step *step;
    FN(optim_rule) *rule;
    double *partial;
} FN(optim_args);

/* The tensor, and the range of its elements, that block number `block` stands for. */
FNN_INLINE fnn_size FN(optim_range)(const fnn_step *step, fnn_size block, fnn_size *begin, fnn_size *end)
{
    const fnn_size i = fnn_owner_of_block(step->block, step->count, block);
    *begin = (block - step->block[i]) * FNN_OPTIM_BLOCK;
    *end = fnn_min(*begin + FNN_OPTIM_BLOCK, step->size[i]);
    return i;
}

static void FN(optim_block)(void *ctx, fnn_size first, fnn_size last)
{
    const FN(optim_args) *args = ctx;
    for (fnn_size block = first; block < last; block++) {
        fnn_size begin, end;
        const fnn_size i = FN(optim_range)(args->step, block, &begin, &end);
        args->rule(args->step, i, begin, end);
    }
}

static void FN(optim_run)(const fnn_step *step, FN(optim_rule) *rule)
{
    FN(optim_args) args = { .step = step, .rule = rule };
    fnn_parallel_for(step->block[step->count], 1, FN(optim_block), &args);
}

/* ---- parts of several rules ------------------------------------------------------------------ */
/* The factor of p in g': weight decay in the gradient, or not */
FNN_INLINE REAL FN(optim_decay)(const fnn_step *step) { return step->decoupled ? 0 : (REAL)step->weight_decay; }

/* What is left of p before the step: weight decay beside the gradient, or none */
FNN_INLINE REAL FN(optim_shrink)(const fnn_step *step)
{
    return step->decoupled ? (REAL)(1 - step->lr * step->weight_decay) : 1;
}

/* The larger one; NaN if one is */
FNN_INLINE REAL FN(optim_larger)(REAL a, REAL b) { return b > a || b != b ? b : a; }

FNN_INLINE REAL FN(optim_sign)(REAL x) { return (REAL)((x > 0) - (x < 0)); }

/* ---- SGD ------------------------------------------------------------------------------------- */
static void FN(sgd_rule)(const fnn_step *step, fnn_size i, fnn_size begin, fnn_size end)
{
    REAL *restrict p = step->p[i];
    const REAL *restrict g = step->g[i];
    const REAL lr = (REAL)step->lr, momentum = (REAL)step->momentum, decay = (REAL)step->weight_decay;
    if (step->momentum == 0) {
        for (fnn_size j = begin; j < end; j++)
            p[j] -= lr * (g[j] + decay * p[j]);
        return;
    }
    REAL *restrict m = step->state[0][i];
    const int fresh = step->number[0][i] == 0, nesterov = step->nesterov;
    const REAL old = fresh ? 0 : momentum, new = fresh ? 1 : (REAL)(1 - step->dampening);
    for (fnn_size j = begin; j < end; j++) {
        const REAL slope = g[j] + decay * p[j];
        const REAL before = fresh ? 0 : m[j];                       /* fresh state holds anything */
        m[j] = old * before + new * slope;
        p[j] -= lr * (nesterov ? slope + momentum * m[j] : m[j]);
    }
}

/* ---- Adam and its kin ------------------------------------------------------------------------ */
static void FN(adam_rule)(const fnn_step *step, fnn_size i, fnn_size begin, fnn_size end)
{
    REAL *restrict p = step->p[i], *restrict m = step->state[0][i], *restrict v = step->state[1][i];
    const REAL *restrict g = step->g[i];
    const REAL beta1 = (REAL)step->beta1, beta2 = (REAL)step->beta2, eps = (REAL)step->eps;
    const REAL one_minus_beta1 = (REAL)(1 - step->beta1), one_minus_beta2 = (REAL)(1 - step->beta2);
    const REAL decay = FN(optim_decay)(step), shrink = FN(optim_shrink)(step);
    const REAL rate = (REAL)(step->lr * step->number[0][i]), scale_v = (REAL)step->number[1][i];
    if (step->amsgrad) {
        REAL *restrict top = step->state[2][i];
        for (fnn_size j = begin; j < end; j++) {
            const REAL slope = g[j] + decay * p[j];
            m[j] = beta1 * m[j] + one_minus_beta1 * slope;
            v[j] = beta2 * v[j] + one_minus_beta2 * (slope * slope);
            top[j] = FN(optim_larger)(top[j], v[j]);
            p[j] = shrink * p[j] - rate * m[j] / (scale_v * r_sqrt(top[j]) + eps);
        }
        return;
    }
    for (fnn_size j = begin; j < end; j++) {
        const REAL slope = g[j] + decay * p[j];
        m[j] = beta1 * m[j] + one_minus_beta1 * slope;
        v[j] = beta2 * v[j] + one_minus_beta2 * (slope * slope);
        p[j] = shrink * p[j] - rate * m[j] / (scale_v * r_sqrt(v[j]) + eps);
    }
}

static void FN(nadam_rule)(const fnn_step *step, fnn_size i, fnn_size begin, fnn_size end)
{
    REAL *restrict p = step->p[i], *restrict m = step->state[0][i], *restrict v = step->state[1][i];
    const REAL *restrict g = step->g[i];
    const REAL beta1 = (REAL)step->beta1, beta2 = (REAL)step->beta2, eps = (REAL)step->eps;
    const REAL one_minus_beta1 = (REAL)(1 - step->beta1), one_minus_beta2 = (REAL)(1 - step->beta2);
    const REAL decay = FN(optim_decay)(step), shrink = FN(optim_shrink)(step);
    const REAL of_g = (REAL)step->number[0][i], of_m = (REAL)step->number[1][i], scale_v = (REAL)step->number[2][i];
    for (fnn_size j = begin; j < end; j++) {
        const REAL slope = g[j] + decay * p[j];
        m[j] = beta1 * m[j] + one_minus_beta1 * slope;
        v[j] = beta2 * v[j] + one_minus_beta2 * (slope * slope);
        p[j] = shrink * p[j] - (of_g * slope + of_m * m[j]) / (scale_v * r_sqrt(v[j]) + eps);
    }
}

static void FN(radam_rule)(const fnn_step *step, fnn_size i, fnn_size begin, fnn_size end)
{
    REAL *restrict p = step->p[i], *restrict m = step->state[0][i], *restrict v = step->state[1][i];
    const REAL *restrict g = step->g[i];
    const REAL beta1 = (REAL)step->beta1, beta2 = (REAL)step->beta2, eps = (REAL)step->eps;
    const REAL one_minus_beta1 = (REAL)(1 - step->beta1), one_minus_beta2 = (REAL)(1 - step->beta2);
    const REAL decay = FN(optim_decay)(step), shrink = FN(optim_shrink)(step), rate = (REAL)step->number[0][i];
    const int adaptive = step->number[1][i] != 0;
    for (fnn_size j = begin; j < end; j++) {
        const REAL slope = g[j] + decay * p[j];
        m[j] = beta1 * m[j] + one_minus_beta1 * slope;
        v[j] = beta2 * v[j] + one_minus_beta2 * (slope * slope);
        p[j] = shrink * p[j] - rate * m[j] / (adaptive ? r_sqrt(v[j]) + eps : 1);
    }
}

static void FN(adamax_rule)(const fnn_step *step, fnn_size i, fnn_size begin, fnn_size end)
{
    REAL *restrict p = step->p[i], *restrict m = step->state[0][i], *restrict u = step->state[1][i];
    const REAL *restrict g = step->g[i];
    const REAL beta1 = (REAL)step->beta1, beta2 = (REAL)step->beta2, eps = (REAL)step->eps;
    const REAL one_minus_beta1 = (REAL)(1 - step->beta1), decay = (REAL)step->weight_decay;
    const REAL rate = (REAL)step->number[0][i];
    for (fnn_size j = begin; j < end; j++) {
        const REAL slope = g[j] + decay * p[j];
        m[j] = beta1 * m[j] + one_minus_beta1 * slope;
        u[j] = FN(optim_larger)(beta2 * u[j], r_abs(slope) + eps);
        p[j] -= rate * m[j] / u[j];
    }
}

/* ---- rates by the size of past gradients ----------------------------------------------------- */
static void FN(adagrad_rule)(const fnn_step *step, fnn_size i, fnn_size begin, fnn_size end)
{
    REAL *restrict p = step->p[i], *restrict sum = step->state[0][i];
    const REAL *restrict g = step->g[i];
    const REAL eps = (REAL)step->eps, decay = (REAL)step->weight_decay, rate = (REAL)step->number[0][i];
    for (fnn_size j = begin; j < end; j++) {
        const REAL slope = g[j] + decay * p[j];
        sum[j] += slope * slope;
        p[j] -= rate * slope / (r_sqrt(sum[j]) + eps);
    }
}

static void FN(adadelta_rule)(const fnn_step *step, fnn_size i, fnn_size begin, fnn_size end)
{
    REAL *restrict p = step->p[i], *restrict v = step->state[0][i], *restrict a = step->state[1][i];
    const REAL *restrict g = step->g[i];
    const REAL lr = (REAL)step->lr, eps = (REAL)step->eps, decay = (REAL)step->weight_decay;
    const REAL alpha = (REAL)step->alpha, one_minus_alpha = (REAL)(1 - step->alpha);
    for (fnn_size j = begin; j < end; j++) {
        const REAL slope = g[j] + decay * p[j];
        v[j] = alpha * v[j] + one_minus_alpha * (slope * slope);
        const REAL delta = slope * (r_sqrt(a[j] + eps) / r_sqrt(v[j] + eps));
        a[j] = alpha * a[j] + one_minus_alpha * (delta * delta);
        p[j] -= lr * delta;
    }
}

/* centered and moving are constants */
FNN_INLINE void FN(rmsprop_range)(const int centered, const int moving, const fnn_step *step, fnn_size i,
                                  fnn_size begin, fnn_size end)
{
    REAL *restrict p = step->p[i], *restrict v = step->state[0][i];
    REAL *restrict w = centered ? step->state[1][i] : NULL, *restrict m = moving ? step->state[2][i] : NULL;
    const REAL *restrict g = step->g[i];
    const REAL lr = (REAL)step->lr, eps = (REAL)step->eps, decay = (REAL)step->weight_decay;
    const REAL alpha = (REAL)step->alpha, one_minus_alpha = (REAL)(1 - step->alpha), momentum = (REAL)step->momentum;
    for (fnn_size j = begin; j < end; j++) {
        const REAL slope = g[j] + decay * p[j];
        v[j] = alpha * v[j] + one_minus_alpha * (slope * slope);
        REAL spread = v[j];
        if (centered) {
            w[j] = alpha * w[j] + one_minus_alpha * slope;
            spread -= w[j] * w[j];
            spread = spread < 0 ? 0 : spread;                       /* by rounding */
        }
        const REAL delta = slope / (r_sqrt(spread) + eps);
        if (moving)
            m[j] = momentum * m[j] + delta;
        p[j] -= lr * (moving ? m[j] : delta);
    }
}

static void FN(rmsprop_rule)(const fnn_step *step, fnn_size i, fnn_size begin, fnn_size end)
{
    const int moving = step->momentum != 0;
    if (step->centered && moving)
        FN(rmsprop_range)(1, 1, step, i, begin, end);
    else if (step->centered)
        FN(rmsprop_range)(1, 0, step, i, begin, end);
    else if (moving)
        FN(rmsprop_range)(0, 1, step, i, begin, end);
    else
        FN(rmsprop_range)(0, 0, step, i, begin, end);
}

/* ---- by the sign, and averages --------------------------------------------------------------- */
static void FN(rprop_rule)(const fnn_step *step, fnn_size i, fnn_size begin, fnn_size end)
{
    REAL *restrict p = step->p[i], *restrict before = step->state[0][i], *restrict h = step->state[1][i];
    const REAL *restrict g = step->g[i];
    const REAL less = (REAL)step->beta1, more = (REAL)step->beta2;
    const REAL least = (REAL)step->least, most = (REAL)step->most;
    for (fnn_size j = begin; j < end; j++) {
        const REAL agree = g[j] * before[j];
        const REAL slope = agree < 0 ? 0 : g[j];
        REAL size = h[j] * (agree > 0 ? more : agree < 0 ? less : 1);
        size = r_min(r_max(size, least), most);
        h[j] = size;
        before[j] = slope;
        p[j] -= size * FN(optim_sign)(slope);
    }
}

static void FN(asgd_rule)(const fnn_step *step, fnn_size i, fnn_size begin, fnn_size end)
{
    REAL *restrict p = step->p[i], *restrict ax = step->state[0][i];
    const REAL *restrict g = step->g[i];
    const REAL eta = (REAL)step->number[0][i], mu = (REAL)step->number[1][i], decay = (REAL)step->weight_decay;
    const REAL shrink = (REAL)(1 - step->lambd * step->number[0][i]);
    for (fnn_size j = begin; j < end; j++) {
        const REAL slope = g[j] + decay * p[j];
        p[j] = shrink * p[j] - eta * slope;
        ax[j] = mu == 1 ? p[j] : ax[j] + mu * (p[j] - ax[j]);
    }
}

static void FN(lion_rule)(const fnn_step *step, fnn_size i, fnn_size begin, fnn_size end)
{
    REAL *restrict p = step->p[i], *restrict m = step->state[0][i];
    const REAL *restrict g = step->g[i];
    const REAL lr = (REAL)step->lr, decay = FN(optim_decay)(step), shrink = FN(optim_shrink)(step);
    const REAL beta1 = (REAL)step->beta1, one_minus_beta1 = (REAL)(1 - step->beta1);
    const REAL beta2 = (REAL)step->beta2, one_minus_beta2 = (REAL)(1 - step->beta2);
    for (fnn_size j = begin; j < end; j++) {
        const REAL slope = g[j] + decay * p[j];
        p[j] = shrink * p[j] - lr * FN(optim_sign)(beta1 * m[j] + one_minus_beta1 * slope);
        m[j] = beta2 * m[j] + one_minus_beta2 * slope;
    }
}

/* ---- the entry points ------------------------------------------------------------------------ */
void FN(sgd_step)(const fnn_step *step) { FN(optim_run)(step, FN(sgd_rule)); }
void FN(adam_step)(const fnn_step *step) { FN(optim_run)(step, FN(adam_rule)); }
void FN(nadam_step)(const fnn_step *step) { FN(optim_run)(step, FN(nadam_rule)); }
void FN(radam_step)(const fnn_step *step) { FN(optim_run)(step, FN(radam_rule)); }
void FN(adamax_step)(const fnn_step *step) { FN(optim_run)(step, FN(adamax_rule)); }
void FN(adagrad_step)(const fnn_step *step) { FN(optim_run)(step, FN(adagrad_rule)); }
void FN(adadelta_step)(const fnn_step *step) { FN(optim_run)(step, FN(adadelta_rule)); }
void FN(rmsprop_step)(const fnn_step *step) { FN(optim_run)(step, FN(rmsprop_rule)); }
void FN(rprop_step)(const fnn_step *step) { FN(optim_run)(step, FN(rprop_rule)); }
void FN(asgd_step)(const fnn_step *step) { FN(optim_run)(step, FN(asgd_rule)); }
void FN(lion_step)(const fnn_step *step) { FN(optim_run)(step, FN(lion_rule)); }

/* ---- sums over all elements ------------------------------------------------------------------ */
static void FN(square_sum_block)(void *ctx, fnn_size first, fnn_size last)
{
    const FN(optim_args) *args = ctx;
    for (fnn_size block = first; block < last; block++) {
        fnn_size begin, end;
        const fnn_size i = FN(optim_range)(args->step, block, &begin, &end);
        const REAL *restrict g = args->step->g[i];
        double sum = 0;
        #pragma omp simd reduction(+:sum)
        for (fnn_size j = begin; j < end; j++)
            sum += (double)g[j] * (double)g[j];
        args->partial[block] = sum;
    }
}

void FN(square_sum)(double *total, double *partial, const fnn_step *step)
{
    FN(optim_args) args = { .step = step, .partial = partial };
    const fnn_size blocks = step->block[step->count];
    fnn_parallel_for(blocks, 1, FN(square_sum_block), &args);
    double sum = 0;
    for (fnn_size b = 0; b < blocks; b++)
        sum += partial[b];
    total[0] = sum;
}

static void FN(scale_rule)(const fnn_step *step, fnn_size i, fnn_size begin, fnn_size end)
{
    const REAL factor = (REAL)step->lr;
    REAL *restrict p = step->p[i];
    for (fnn_size j = begin; j < end; j++)
        p[j] *= factor;
}

void FN(scale_all)(const fnn_step *step) { FN(optim_run)(step, FN(scale_rule)); }
