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

/* g'. Without weight decay it is g: 0 p would be NaN where p is infinite. */
FNN_INLINE REAL FN(optim_gradient)(REAL g, REAL decay, REAL p) { return decay != 0 ? g + decay * p : g; }

/* The weights of a running mean: of the mean so far, and of what is new */
typedef struct {
    REAL kept, added;
} FN(optim_weights);

FNN_INLINE FN(optim_weights) FN(optim_keep)(double beta)
{
    return (FN(optim_weights)) { .kept = (REAL)beta, .added = (REAL)(1 - beta) };
}

FNN_INLINE REAL FN(optim_mean)(FN(optim_weights) beta, REAL mean, REAL x) { return beta.kept * mean + beta.added * x; }

/* The larger one; NaN if one is */
FNN_INLINE REAL FN(optim_larger)(REAL a, REAL b) { return b > a || b != b ? b : a; }

/* -1, 0 or 1; 0 for NaN */
FNN_INLINE REAL FN(optim_sign)(REAL x) { return (REAL)(x > 0) - (REAL)(x < 0); }

/* ---- SGD ------------------------------------------------------------------------------------- */
static void FN(sgd_rule)(const fnn_step *step, fnn_size i, fnn_size begin, fnn_size end)
{
    REAL *restrict p = step->p[i];
    const REAL *restrict g = step->g[i];
    const REAL lr = (REAL)step->lr, momentum = (REAL)step->momentum, decay = (REAL)step->weight_decay;
    if (step->momentum == 0) {
        for (fnn_size j = begin; j < end; j++)
            p[j] -= lr * FN(optim_gradient)(g[j], decay, p[j]);
        return;
    }
    REAL *restrict m = step->state[0][i];
    const int first = step->number[0][i] == 0, nesterov = step->nesterov;
    const REAL kept = first ? 0 : momentum, added = first ? 1 : (REAL)(1 - step->dampening);
    for (fnn_size j = begin; j < end; j++) {
        const REAL gradient = FN(optim_gradient)(g[j], decay, p[j]);
        const REAL previous = first ? 0 : m[j];         /* in the first step m holds anything */
        m[j] = kept * previous + added * gradient;
        p[j] -= lr * (nesterov ? gradient + momentum * m[j] : m[j]);
    }
}

/* ---- Adam and its kin ------------------------------------------------------------------------ */
/* The settings that they share */
typedef struct {
    FN(optim_weights) beta1, beta2;
    REAL eps, decay, shrink;
} FN(adam_settings);

FNN_INLINE FN(adam_settings) FN(adam_read)(const fnn_step *step)
{
    return (FN(adam_settings)) { .beta1 = FN(optim_keep)(step->beta1), .beta2 = FN(optim_keep)(step->beta2),
                                 .eps = (REAL)step->eps, .decay = FN(optim_decay)(step),
                                 .shrink = FN(optim_shrink)(step) };
}

/* g' of one element; m and v become the running means of it and of its square */
FNN_INLINE REAL FN(adam_means)(FN(adam_settings) s, REAL g, REAL p, REAL *m, REAL *v)
{
    const REAL gradient = FN(optim_gradient)(g, s.decay, p);
    *m = FN(optim_mean)(s.beta1, *m, gradient);
    *v = FN(optim_mean)(s.beta2, *v, gradient * gradient);
    return gradient;
}

static void FN(adam_rule)(const fnn_step *step, fnn_size i, fnn_size begin, fnn_size end)
{
    REAL *restrict p = step->p[i], *restrict m = step->state[0][i], *restrict v = step->state[1][i];
    const REAL *restrict g = step->g[i];
    const FN(adam_settings) s = FN(adam_read)(step);
    const REAL rate = (REAL)(step->lr * step->number[0][i]), scale_v = (REAL)step->number[1][i];
    if (step->amsgrad) {
        REAL *restrict top = step->state[2][i];
        for (fnn_size j = begin; j < end; j++) {
            FN(adam_means)(s, g[j], p[j], &m[j], &v[j]);
            top[j] = FN(optim_larger)(top[j], v[j]);
            p[j] = s.shrink * p[j] - rate * m[j] / (scale_v * r_sqrt(top[j]) + s.eps);
        }
        return;
    }
    for (fnn_size j = begin; j < end; j++) {
        FN(adam_means)(s, g[j], p[j], &m[j], &v[j]);
        p[j] = s.shrink * p[j] - rate * m[j] / (scale_v * r_sqrt(v[j]) + s.eps);
    }
}

static void FN(nadam_rule)(const fnn_step *step, fnn_size i, fnn_size begin, fnn_size end)
{
    REAL *restrict p = step->p[i], *restrict m = step->state[0][i], *restrict v = step->state[1][i];
    const REAL *restrict g = step->g[i];
    const FN(adam_settings) s = FN(adam_read)(step);
    const REAL of_g = (REAL)step->number[0][i], of_m = (REAL)step->number[1][i], scale_v = (REAL)step->number[2][i];
    for (fnn_size j = begin; j < end; j++) {
        const REAL gradient = FN(adam_means)(s, g[j], p[j], &m[j], &v[j]);
        p[j] = s.shrink * p[j] - (of_g * gradient + of_m * m[j]) / (scale_v * r_sqrt(v[j]) + s.eps);
    }
}

static void FN(radam_rule)(const fnn_step *step, fnn_size i, fnn_size begin, fnn_size end)
{
    REAL *restrict p = step->p[i], *restrict m = step->state[0][i], *restrict v = step->state[1][i];
    const REAL *restrict g = step->g[i];
    const FN(adam_settings) s = FN(adam_read)(step);
    const REAL rate = (REAL)step->number[0][i];
    const int adaptive = step->number[1][i] != 0;
    for (fnn_size j = begin; j < end; j++) {
        FN(adam_means)(s, g[j], p[j], &m[j], &v[j]);
        p[j] = s.shrink * p[j] - rate * m[j] / (adaptive ? r_sqrt(v[j]) + s.eps : 1);
    }
}

static void FN(adamax_rule)(const fnn_step *step, fnn_size i, fnn_size begin, fnn_size end)
{
    REAL *restrict p = step->p[i], *restrict m = step->state[0][i], *restrict u = step->state[1][i];
    const REAL *restrict g = step->g[i];
    const FN(adam_settings) s = FN(adam_read)(step);
    const REAL rate = (REAL)step->number[0][i];
    for (fnn_size j = begin; j < end; j++) {
        const REAL gradient = FN(optim_gradient)(g[j], s.decay, p[j]);
        m[j] = FN(optim_mean)(s.beta1, m[j], gradient);
        u[j] = FN(optim_larger)(s.beta2.kept * u[j], r_abs(gradient) + s.eps);
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
        const REAL gradient = FN(optim_gradient)(g[j], decay, p[j]);
        sum[j] += gradient * gradient;
        p[j] -= rate * gradient / (r_sqrt(sum[j]) + eps);
    }
}

static void FN(adadelta_rule)(const fnn_step *step, fnn_size i, fnn_size begin, fnn_size end)
{
    REAL *restrict p = step->p[i], *restrict v = step->state[0][i], *restrict a = step->state[1][i];
    const REAL *restrict g = step->g[i];
    const REAL lr = (REAL)step->lr, eps = (REAL)step->eps, decay = (REAL)step->weight_decay;
    const FN(optim_weights) rho = FN(optim_keep)(step->alpha);
    for (fnn_size j = begin; j < end; j++) {
        const REAL gradient = FN(optim_gradient)(g[j], decay, p[j]);
        v[j] = FN(optim_mean)(rho, v[j], gradient * gradient);
        const REAL delta = gradient * (r_sqrt(a[j] + eps) / r_sqrt(v[j] + eps));
        a[j] = FN(optim_mean)(rho, a[j], delta * delta);
        p[j] -= lr * delta;
    }
}

/* centered and has_momentum are constants */
FNN_INLINE void FN(rmsprop_range)(const int centered, const int has_momentum, const fnn_step *step, fnn_size i,
                                  fnn_size begin, fnn_size end)
{
    REAL *restrict p = step->p[i], *restrict v = step->state[0][i];
    REAL *restrict w = centered ? step->state[1][i] : NULL, *restrict m = has_momentum ? step->state[2][i] : NULL;
    const REAL *restrict g = step->g[i];
    const REAL lr = (REAL)step->lr, eps = (REAL)step->eps, decay = (REAL)step->weight_decay;
    const REAL momentum = (REAL)step->momentum;
    const FN(optim_weights) alpha = FN(optim_keep)(step->alpha);
    for (fnn_size j = begin; j < end; j++) {
        const REAL gradient = FN(optim_gradient)(g[j], decay, p[j]);
        v[j] = FN(optim_mean)(alpha, v[j], gradient * gradient);
        REAL moment = v[j];                             /* the second: raw, or central */
        if (centered) {
            w[j] = FN(optim_mean)(alpha, w[j], gradient);
            moment -= w[j] * w[j];
            moment = moment < 0 ? 0 : moment;           /* by rounding */
        }
        const REAL delta = gradient / (r_sqrt(moment) + eps);
        if (has_momentum)
            m[j] = momentum * m[j] + delta;
        p[j] -= lr * (has_momentum ? m[j] : delta);
    }
}

static void FN(rmsprop_rule)(const fnn_step *step, fnn_size i, fnn_size begin, fnn_size end)
{
    const int has_momentum = step->momentum != 0;
    if (step->centered && has_momentum)
        FN(rmsprop_range)(1, 1, step, i, begin, end);
    else if (step->centered)
        FN(rmsprop_range)(1, 0, step, i, begin, end);
    else if (has_momentum)
        FN(rmsprop_range)(0, 1, step, i, begin, end);
    else
        FN(rmsprop_range)(0, 0, step, i, begin, end);
}

/* ---- by the sign, and averages --------------------------------------------------------------- */
static void FN(rprop_rule)(const fnn_step *step, fnn_size i, fnn_size begin, fnn_size end)
{
    REAL *restrict p = step->p[i], *restrict previous = step->state[0][i], *restrict h = step->state[1][i];
    const REAL *restrict g = step->g[i];
    const REAL eta_minus = (REAL)step->beta1, eta_plus = (REAL)step->beta2;
    const REAL least = (REAL)step->least, most = (REAL)step->most;
    for (fnn_size j = begin; j < end; j++) {
        /* not g previous, which rounds to 0 where both are small */
        const REAL product = g[j] * FN(optim_sign)(previous[j]);
        const REAL gradient = product < 0 ? 0 : g[j];
        REAL size = h[j] * (product > 0 ? eta_plus : product < 0 ? eta_minus : 1);
        size = r_min(r_max(size, least), most);
        h[j] = size;
        previous[j] = gradient;
        p[j] -= size * FN(optim_sign)(gradient);
    }
}

static void FN(asgd_rule)(const fnn_step *step, fnn_size i, fnn_size begin, fnn_size end)
{
    REAL *restrict p = step->p[i], *restrict ax = step->state[0][i];
    const REAL *restrict g = step->g[i];
    const REAL eta = (REAL)step->number[0][i], mu = (REAL)step->number[1][i], decay = (REAL)step->weight_decay;
    const REAL shrink = (REAL)(1 - step->lambd * step->number[0][i]);
    for (fnn_size j = begin; j < end; j++) {
        p[j] = shrink * p[j] - eta * FN(optim_gradient)(g[j], decay, p[j]);
        ax[j] = mu == 1 ? p[j] : ax[j] + mu * (p[j] - ax[j]);
    }
}

static void FN(lion_rule)(const fnn_step *step, fnn_size i, fnn_size begin, fnn_size end)
{
    REAL *restrict p = step->p[i], *restrict m = step->state[0][i];
    const REAL *restrict g = step->g[i];
    const FN(adam_settings) s = FN(adam_read)(step);
    const REAL lr = (REAL)step->lr;
    for (fnn_size j = begin; j < end; j++) {
        p[j] = s.shrink * p[j] - lr * FN(optim_sign)(FN(optim_mean)(s.beta1, m[j], g[j]));
        m[j] = FN(optim_mean)(s.beta2, m[j], g[j]);
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
