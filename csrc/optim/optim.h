/* optim.h -- one step of an optimiser over all parameters: the rows of kernels.h for optim.c; no
 * guard.
 *
 * Names      fnn_sgd_step, fnn_adam_step, fnn_square_sum, fnn_scale_all: FN(sgd_step) and so on, in
 *            optim.tmpl.h.
 * Map        optim.tmpl.h   the loops; what each computes stands above its row here
 * Letters    One call steps all parameters. Tensor i of `count` has size[i] elements at p[i]
 *            (changed), with gradient g[i] and state m[i], v[i] (changed). block[i] is the number
 *            of blocks of FNN_OPTIM_BLOCK elements before tensor i, block[count] their total: the
 *            caller adds them up. The pointers in these arrays are `void *` for both types, since
 *            they are read as what they were written.
 */
#ifndef FNN_OPTIM_ONCE
#define FNN_OPTIM_ONCE
enum { FNN_OPTIM_BLOCK = 8192 };    /* elements; chosen: half of MAP_GRAIN, with twice the arrays */
#endif

/* Stochastic gradient descent with momentum:
 *     g' = g + weight_decay p
 *     m  = momentum m + (1 - dampening) g'            m = g' where fresh[i]
 *     p -= lr (g' + momentum m) with nesterov, else lr m
 * With momentum 0,  p -= lr g',  and m may be NULL. */
KERNEL(sgd_step, (void *const *p, void *const *m, const void *const *g, const fnn_size *size, const fnn_size *block,
        const int *fresh, fnn_size count, double lr, double momentum, double dampening, double weight_decay,
        int nesterov),
       (p, m, g, size, block, fresh, count, lr, momentum, dampening, weight_decay, nesterov))

/* Adam and AdamW. The step number t, from 1, enters by scale_m[i] = 1 / (1 - beta1^t) and
 * scale_v[i] = 1 / sqrt(1 - beta2^t):
 *     g' = g + weight_decay p;
 *          with `decoupled` (AdamW)  g' = g,  and first  p -= lr weight_decay p
 *     m  = beta1 m + (1 - beta1) g'
 *     v  = beta2 v + (1 - beta2) g'^2
 *     p -= lr scale_m m / (scale_v sqrt(v) + eps) */
KERNEL(adam_step, (void *const *p, void *const *m, void *const *v, const void *const *g, const fnn_size *size,
        const fnn_size *block, const double *scale_m, const double *scale_v, fnn_size count, double lr, double beta1,
        double beta2, double eps, double weight_decay, int decoupled),
       (p, m, v, g, size, block, scale_m, scale_v, count, lr, beta1, beta2, eps, weight_decay, decoupled))

/* total[0] = the sum of g^2 over all tensors, by blocks in a fixed order; partial: workspace of
 * block[count] doubles */
KERNEL(square_sum, (double *total, const void *const *g, double *partial, const fnn_size *size, const fnn_size *block,
        fnn_size count),
       (total, g, partial, size, block, count))

/* g[i] *= factor for all tensors */
KERNEL(scale_all, (void *const *g, const fnn_size *size, const fnn_size *block, fnn_size count, double factor),
       (g, size, block, count, factor))
