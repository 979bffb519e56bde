/* optim.h -- one step of an optimiser over all parameters: the rows of kernels.h for optim.c, and
 * the map of the family. The rows are included many times and have no guard; fnn_step has one.
 *
 * Names      fnn_sgd_step, fnn_adam_step, fnn_nadam_step, fnn_radam_step, fnn_adamax_step,
 *            fnn_adagrad_step, fnn_adadelta_step, fnn_rmsprop_step, fnn_rprop_step, fnn_asgd_step,
 *            fnn_lion_step, fnn_square_sum, fnn_scale_all: FN(sgd_step) and so on, in optim.tmpl.h;
 *            fnn_adafactor_step in adafactor.tmpl.h.
 * Map        optim.tmpl.h        the rules that treat each element alone, and sums over all
 *            adafactor.tmpl.h    the rule that needs the sums of rows and columns
 *            What each computes stands above its row here.
 * Letters    One call steps all parameters: an fnn_step says which, with what settings. Below, p, g
 *            and the states stand for one element. g' = g + weight_decay p; where `decoupled` is
 *            set, g' = g and first p = (1 - lr weight_decay) p. Without weight decay g' is g,
 *            also where p is infinite. t is the number of the step, from 1.
 */
#ifndef FNN_OPTIM_ONCE
#define FNN_OPTIM_ONCE
enum {
    FNN_OPTIM_BLOCK = 8192,         /* elements; chosen: half of MAP_GRAIN, with twice the arrays */
    FNN_OPTIM_STATES = 3            /* arrays that a rule keeps for a parameter; bound: RMSprop's */
};

/* A step. Tensor i of `count` has size[i] elements at p[i] (changed), with gradient g[i] and state
 * state[0][i], state[1][i], ... (changed). block[i] is the number of blocks of FNN_OPTIM_BLOCK
 * elements before tensor i, block[count] their total: the caller adds them up. The pointers in
 * these arrays are `void *` for both types, since they are read as what they were written. */
typedef struct {
    void *const *p, *const *state[FNN_OPTIM_STATES];
    const void *const *g;
    const fnn_size *size, *block;
    fnn_size count;
    /* number[k][i]: what differs from tensor i to tensor i + 1 because their t may. Each row says
     * which of the three its rule reads, and what they are. */
    const double *number[3];
    /* The settings of all rules; each reads its own. They have their names of Python, except where
     * a row gives another. */
    double lr, weight_decay, eps, beta1, beta2, momentum, dampening, alpha, lambd, least, most;
    int decoupled, nesterov, centered, amsgrad;
} fnn_step;
#endif

/* Stochastic gradient descent with momentum:
 *     m  = momentum m + (1 - dampening) g'            m = g' in the first step: number[0] is 0
 *     p -= lr (g' + momentum m) with nesterov, else lr m
 * With momentum 0,  p -= lr g',  and there is no state. State m. */
KERNEL(sgd_step, (const fnn_step *step), (step))

/* Adam, AdamW, AMSGrad:  number[0] = 1 / (1 - beta1^t),  number[1] = 1 / sqrt(1 - beta2^t),
 *     m  = beta1 m + (1 - beta1) g'
 *     v  = beta2 v + (1 - beta2) g'^2
 *     p -= lr number[0] m / (number[1] sqrt(v) + eps)
 * With amsgrad the root is of  top = max(top, v).  State m, v, top. */
KERNEL(adam_step, (const fnn_step *step), (step))

/* NAdam: Adam's m and v, and with the momentum mu_t of step t and M_t = mu_1 ... mu_t
 *     number[0] = lr (1 - mu_t) / (1 - M_t),  number[1] = lr mu_(t+1) / (1 - M_(t+1)),
 *     number[2] = 1 / sqrt(1 - beta2^t)
 *     p -= (number[0] g' + number[1] m) / (number[2] sqrt(v) + eps)
 * State m, v. */
KERNEL(nadam_step, (const fnn_step *step), (step))

/* RAdam: Adam's m and v, and with number[1] = r_t, the rectification, or 0 while there is none
 *     p -= number[0] m                       without:  number[0] = lr / (1 - beta1^t)
 *     p -= number[0] m / (sqrt(v) + eps)     with:     that times r_t sqrt(1 - beta2^t)
 * State m, v. */
KERNEL(radam_step, (const fnn_step *step), (step))

/* Adamax:  number[0] = lr / (1 - beta1^t),  m as Adam's,
 *     u  = max(beta2 u, |g'| + eps)
 *     p -= number[0] m / u
 * State m, u. */
KERNEL(adamax_step, (const fnn_step *step), (step))

/* Adagrad:  number[0] = lr / (1 + (t - 1) lr_decay),
 *     s += g'^2
 *     p -= number[0] g' / (sqrt(s) + eps)
 * State s. */
KERNEL(adagrad_step, (const fnn_step *step), (step))

/* Adadelta, whose rho is `alpha`:
 *     v  = alpha v + (1 - alpha) g'^2
 *     d  = g' sqrt(a + eps) / sqrt(v + eps)
 *     a  = alpha a + (1 - alpha) d^2
 *     p -= lr d
 * State v, a. */
KERNEL(adadelta_step, (const fnn_step *step), (step))

/* RMSprop:
 *     v  = alpha v + (1 - alpha) g'^2
 *     w  = alpha w + (1 - alpha) g'                   with centered, else 0
 *     d  = g' / (sqrt(max(v - w^2, 0)) + eps)
 *     m  = momentum m + d
 *     p -= lr m                                       lr d where momentum is 0
 * State v, w, m; w and m may be NULL where they are not used. */
KERNEL(rmsprop_step, (const fnn_step *step), (step))

/* Rprop: `beta1` and `beta2` are etaminus and etaplus, `least` and `most` the pair step_sizes. By
 * the sign of  g previous,  where `previous` is the gradient of the last step:
 *     positive    h = h beta2
 *     negative    h = h beta1,  g = 0
 * and then
 *     h  = clip(h, least, most)
 *     p -= h sign(g),  previous = g
 * State previous, h. */
KERNEL(rprop_step, (const fnn_step *step), (step))

/* ASGD:  number[0] = eta, the learning rate of this step,  number[1] = mu, the weight of p in ax,
 *     p   = (1 - lambd eta) p - eta g'
 *     ax += mu (p - ax)
 * State ax. */
KERNEL(asgd_step, (const fnn_step *step), (step))

/* Lion:
 *     p -= lr sign(beta1 m + (1 - beta1) g')
 *     m  = beta2 m + (1 - beta2) g'
 * State m. */
KERNEL(lion_step, (const fnn_step *step), (step))

/* Adafactor, for one parameter of B matrices [R][C], with state row [B][R] and column [B][C]:
 *     row     = beta2 row + (1 - beta2) (mean of g^2 over the columns)
 *     column  = beta2 column + (1 - beta2) (mean of g^2 over the rows)
 *     v  = row column / max(mean of row, eps1)
 * or for a vector, B = R = 1, without row, which is NULL:
 *     column  = beta2 column + (1 - beta2) g^2,  v = column
 * and with this estimate v of the mean of g^2
 *     u  = g / sqrt(max(v, eps1^2))
 *     p  = shrink p - rate max(eps2, rms(p)) u / max(1, rms(u) / d)
 * rms is the root of the mean of the squares; workspace: B R + B doubles. */
KERNEL(adafactor_step, (REAL *p, REAL *row, REAL *column, const REAL *g, double *workspace, fnn_size B, fnn_size R,
        fnn_size C, double one_minus_beta2, double rate, double eps1, double eps2, double d, double shrink),
       (p, row, column, g, workspace, B, R, C, one_minus_beta2, rate, eps1, eps2, d, shrink))

/* total[0] = the sum of g^2 over all tensors, by blocks in a fixed order; partial: workspace of
 * block[count] doubles */
KERNEL(square_sum, (double *total, double *partial, const fnn_step *step), (total, partial, step))

/* p *= lr for all tensors, where `lr` is any factor */
KERNEL(scale_all, (const fnn_step *step), (step))
