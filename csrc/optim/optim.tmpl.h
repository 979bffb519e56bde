/* optim.tmpl.h -- one step of an optimiser over all parameters in one call.
 *
 * Math       optim.h, above each row.
 * Layout     count flat tensors of any sizes; p, m, v, g are arrays of pointers.
 * Method     All tensors are cut into blocks of FNN_OPTIM_BLOCK elements; block numbers run through
 *            all tensors, so that many small ones and a few large ones share the work alike. Each
 *            element is read and written once.
 * Cost       SGD with momentum: 3 reads, 2 writes per element; Adam: 4 reads, 3 writes. Bound by
 *            memory.
 * Threads    blocks; elements are independent, and square_sum adds the blocks' sums in order.
 * Reference  fastnn/reference/optim.py; Kingma, Ba (2015), "Adam: a method for stochastic
 *            optimization"; Loshchilov, Hutter (2019), "Decoupled weight decay regularization";
 *            Sutskever, Martens, Dahl, Hinton (2013), "On the importance of initialization and
 *            momentum in deep learning".
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

typedef struct {
    void *const *p, *const *m, *const *v;
    const void *const *g;
    const fnn_size *size, *block;
    fnn_size count;
    const int *fresh;
    const double *scale_m, *scale_v;
    double *partial;
    double lr, momentum, dampening, weight_decay, beta1, beta2, eps;
    int nesterov, decoupled;
} FN(optim_args);

/* The tensor, and the range of its elements, that block number `block` stands for. */
FNN_INLINE fnn_size FN(optim_range)(const FN(optim_args) *args, fnn_size block, fnn_size *begin, fnn_size *end)
{
    const fnn_size i = fnn_owner_of_block(args->block, args->count, block);
    *begin = (block - args->block[i]) * FNN_OPTIM_BLOCK;
    *end = fnn_min(*begin + FNN_OPTIM_BLOCK, args->size[i]);
    return i;
}

static void FN(sgd_block)(void *ctx, fnn_size first, fnn_size last)
{
    const FN(optim_args) *args = ctx;
    const REAL lr = (REAL)args->lr, momentum = (REAL)args->momentum;
    const REAL keep = (REAL)(1 - args->dampening), decay = (REAL)args->weight_decay;
    for (fnn_size block = first; block < last; block++) {
        fnn_size begin, end;
        const fnn_size i = FN(optim_range)(args, block, &begin, &end);
        REAL *restrict p = args->p[i];
        const REAL *restrict g = args->g[i];
        if (momentum == 0) {
            for (fnn_size j = begin; j < end; j++)
                p[j] -= lr * (g[j] + decay * p[j]);
            continue;
        }
        REAL *restrict m = args->m[i];
        const REAL old = args->fresh[i] ? 0 : momentum, new = args->fresh[i] ? 1 : keep;
        for (fnn_size j = begin; j < end; j++) {
            const REAL slope = g[j] + decay * p[j];
            const REAL before = args->fresh[i] ? 0 : m[j];          /* fresh state holds anything */
            m[j] = old * before + new * slope;
            p[j] -= lr * (args->nesterov ? slope + momentum * m[j] : m[j]);
        }
    }
}

void FN(sgd_step)(void *const *p, void *const *m, const void *const *g, const fnn_size *size, const fnn_size *block,
                  const int *fresh, fnn_size count, double lr, double momentum, double dampening, double weight_decay,
                  int nesterov)
{
    FN(optim_args) args = { .p = p, .m = m, .g = g, .size = size, .block = block, .count = count, .fresh = fresh,
                            .lr = lr, .momentum = momentum, .dampening = dampening, .weight_decay = weight_decay,
                            .nesterov = nesterov };
    fnn_parallel_for(block[count], 1, FN(sgd_block), &args);
}

static void FN(adam_block)(void *ctx, fnn_size first, fnn_size last)
{
    const FN(optim_args) *args = ctx;
    const REAL beta1 = (REAL)args->beta1, beta2 = (REAL)args->beta2, eps = (REAL)args->eps;
    const REAL one_minus_beta1 = (REAL)(1 - args->beta1), one_minus_beta2 = (REAL)(1 - args->beta2);
    const REAL decay = args->decoupled ? 0 : (REAL)args->weight_decay;
    const REAL shrink = args->decoupled ? (REAL)(1 - args->lr * args->weight_decay) : 1;
    for (fnn_size block = first; block < last; block++) {
        fnn_size begin, end;
        const fnn_size i = FN(optim_range)(args, block, &begin, &end);
        REAL *restrict p = args->p[i], *restrict m = args->m[i], *restrict v = args->v[i];
        const REAL *restrict g = args->g[i];
        const REAL rate = (REAL)(args->lr * args->scale_m[i]), scale_v = (REAL)args->scale_v[i];
        for (fnn_size j = begin; j < end; j++) {
            const REAL slope = g[j] + decay * p[j];
            m[j] = beta1 * m[j] + one_minus_beta1 * slope;
            v[j] = beta2 * v[j] + one_minus_beta2 * (slope * slope);
#if REAL_IS_F64
            const REAL root = sqrt(v[j]);
#else
            const REAL root = sqrtf(v[j]);
#endif
            p[j] = shrink * p[j] - rate * m[j] / (scale_v * root + eps);
        }
    }
}

void FN(adam_step)(void *const *p, void *const *m, void *const *v, const void *const *g, const fnn_size *size,
                   const fnn_size *block, const double *scale_m, const double *scale_v, fnn_size count, double lr,
                   double beta1, double beta2, double eps, double weight_decay, int decoupled)
{
    FN(optim_args) args = { .p = p, .m = m, .v = v, .g = g, .size = size, .block = block, .count = count,
                            .scale_m = scale_m, .scale_v = scale_v, .lr = lr, .beta1 = beta1, .beta2 = beta2,
                            .eps = eps, .weight_decay = weight_decay, .decoupled = decoupled };
    fnn_parallel_for(block[count], 1, FN(adam_block), &args);
}

static void FN(square_sum_block)(void *ctx, fnn_size first, fnn_size last)
{
    const FN(optim_args) *args = ctx;
    for (fnn_size block = first; block < last; block++) {
        fnn_size begin, end;
        const fnn_size i = FN(optim_range)(args, block, &begin, &end);
        const REAL *restrict g = args->g[i];
        double sum = 0;
        #pragma omp simd reduction(+:sum)
        for (fnn_size j = begin; j < end; j++)
            sum += (double)g[j] * (double)g[j];
        args->partial[block] = sum;
    }
}

void FN(square_sum)(double *total, const void *const *g, double *partial, const fnn_size *size, const fnn_size *block,
                    fnn_size count)
{
    FN(optim_args) args = { .g = g, .size = size, .block = block, .count = count, .partial = partial };
    fnn_parallel_for(block[count], 1, FN(square_sum_block), &args);
    double sum = 0;
    for (fnn_size b = 0; b < block[count]; b++)
        sum += partial[b];
    total[0] = sum;
}

static void FN(scale_all_block)(void *ctx, fnn_size first, fnn_size last)
{
    const FN(optim_args) *args = ctx;
    const REAL factor = (REAL)args->lr;
    for (fnn_size block = first; block < last; block++) {
        fnn_size begin, end;
        const fnn_size i = FN(optim_range)(args, block, &begin, &end);
        REAL *restrict g = args->p[i];
        for (fnn_size j = begin; j < end; j++)
            g[j] *= factor;
    }
}

void FN(scale_all)(void *const *g, const fnn_size *size, const fnn_size *block, fnn_size count, double factor)
{
    FN(optim_args) args = { .p = g, .size = size, .block = block, .count = count, .lr = factor };
    fnn_parallel_for(block[count], 1, FN(scale_all_block), &args);
}
