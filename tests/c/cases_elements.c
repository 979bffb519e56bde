/* cases_elements.c -- the self-test's cases of kernels that work element by element or along axes.
 * How they are written: cases.h. */
#include "cases.h"

/* One element, less and more than a vector, and enough for three threads */
static const fnn_size lengths[] = { 1, 7, 67, 40001 };

#define FOR_LENGTHS for (int size = 0; size < COUNT(lengths); size++)

static fnn_size length(run *r, int size)
{
    LABEL("n=%td", lengths[size]);
    return lengths[size];
}

static void *any(run *r, int size) { return size == 2 ? in_special(r, lengths[size]) : in(r, lengths[size]); }
static void *positive(run *r, int size) { return in_range(r, lengths[size], 0.1, 3); }

/* y = f(x, ...); x made by `inputs`. The last arguments are n and the attributes. */
#define FORWARD(name, inputs, ...)                                               \
    CASE(name)                                                                   \
    {                                                                            \
        FOR_LENGTHS {                                                            \
            const fnn_size n = length(r, size);                                  \
            const void *x = inputs(r, size);                                     \
            CALL(name)(out(r, n), x, __VA_ARGS__);                               \
        }                                                                        \
    }
/* dx = f(dy, x or y, ...) */
#define BACKWARD(name, inputs, ...)                                              \
    CASE(name)                                                                   \
    {                                                                            \
        FOR_LENGTHS {                                                            \
            const fnn_size n = length(r, size);                                  \
            const void *dy = in(r, n), *x = inputs(r, size);                     \
            CALL(name)(out(r, n), dy, x, __VA_ARGS__);                           \
        }                                                                        \
    }

/* ---- activation.h ---------------------------------------------------------------------------- */
FORWARD(relu_forward, any, n)
FORWARD(leaky_relu_forward, any, n, 0.01)
FORWARD(elu_forward, any, n, 1.5, 1.25)
FORWARD(sigmoid_forward, any, n)
FORWARD(tanh_forward, any, n)
FORWARD(gelu_forward, any, n)
FORWARD(gelu_tanh_forward, any, n)
FORWARD(silu_forward, any, n)
FORWARD(mish_forward, any, n)
FORWARD(softplus_forward, any, n, 2.0, 5.0)
FORWARD(logsigmoid_forward, any, n)
FORWARD(softsign_forward, any, n)
FORWARD(hardsigmoid_forward, any, n)
FORWARD(hardswish_forward, any, n)
FORWARD(hardshrink_forward, any, n, 0.5)
FORWARD(softshrink_forward, any, n, 0.5)
FORWARD(threshold_forward, any, n, 0.25, -2.0)
BACKWARD(relu_backward, any, n)
BACKWARD(leaky_relu_backward, any, n, 0.01)
BACKWARD(elu_backward, any, n, 1.5, 1.25)
BACKWARD(sigmoid_backward, any, n)
BACKWARD(tanh_backward, any, n)
BACKWARD(gelu_backward, any, n)
BACKWARD(gelu_tanh_backward, any, n)
BACKWARD(silu_backward, any, n)
BACKWARD(mish_backward, any, n)
BACKWARD(softplus_backward, any, n, 2.0, 5.0)
BACKWARD(logsigmoid_backward, any, n)
BACKWARD(softsign_backward, any, n)
BACKWARD(hardtanh_backward, any, n, -0.5, 0.75)
BACKWARD(hardsigmoid_backward, any, n)
BACKWARD(hardswish_backward, any, n)
BACKWARD(hardshrink_backward, any, n, 0.5)
BACKWARD(threshold_backward, any, n, 0.25)

/* ---- arithmetic.h ---------------------------------------------------------------------------- */
FORWARD(neg, any, n)
FORWARD(exp_forward, any, n)
FORWARD(expm1_forward, any, n)
FORWARD(log_forward, positive, n)
FORWARD(log2_forward, positive, n)
FORWARD(log10_forward, positive, n)
FORWARD(log1p_forward, any, n)
FORWARD(sqrt_forward, positive, n)
FORWARD(abs_forward, any, n)
FORWARD(pow_forward, positive, n, 1.7)
FORWARD(finite_or_zero, any, n)
FORWARD(clamp_forward, any, n, -0.5, 0.75)
BACKWARD(expm1_backward, any, n)
BACKWARD(log_base_backward, positive, n, 2.3)
BACKWARD(log1p_backward, any, n)
BACKWARD(sqrt_backward, positive, n)
BACKWARD(abs_backward, any, n)
BACKWARD(pow_backward, positive, n, 1.7)
BACKWARD(clamp_backward, any, n, -0.5, 0.75)

CASE(add_to)
{
    FOR_LENGTHS {
        const fnn_size n = length(r, size);
        const void *x = any(r, size);
        CALL(add_to)(inout(r, n), x, n);
    }
}

typedef void *inputs_fn(run *r, fnn_size n);
typedef void broadcast_fn(void *y, const void *a, const void *b, const fnn_broadcast *s);

static void *above_zero(run *r, fnn_size n) { return in_range(r, n, 0.1, 3); }
static void *special_or_steps(run *r, fnn_size n) { return n % 2 ? in_special(r, n) : in_steps(r, n); }

static void broadcast(run *r, broadcast_fn *kernel, inputs_fn *inputs_a, inputs_fn *inputs_b)
{
    static const struct { int a_ndim; fnn_size a[4]; int b_ndim; fnn_size b[4]; } shapes[] = {
        { 1, {1}, 1, {1} }, { 1, {67}, 1, {67} }, { 1, {66}, 1, {66} }, { 1, {40002}, 1, {40002} }, { 1, {1}, 1, {67} },
        { 2, {7, 5}, 1, {5} }, { 2, {5, 7}, 2, {5, 1} }, { 4, {3, 1, 17, 2}, 3, {13, 1, 2} },
        { 2, {301, 137}, 2, {1, 137} }, { 2, {1, 37}, 2, {301, 1} } };
    for (int i = 0; i < COUNT(shapes); i++) {
        fnn_broadcast plan;
        fnn_size y_shape[FNN_MAX_DIMS], a_size = 1, b_size = 1;
        for (int d = 0; d < shapes[i].a_ndim; d++) a_size *= shapes[i].a[d];
        for (int d = 0; d < shapes[i].b_ndim; d++) b_size *= shapes[i].b[d];
        fnn_broadcast_plan(&plan, y_shape, shapes[i].a_ndim, shapes[i].a, shapes[i].b_ndim, shapes[i].b);
        LABEL("shapes number %d, %td elements", i, plan.size);
        const void *a = inputs_a(r, a_size), *b = inputs_b(r, b_size);
        kernel(out(r, plan.size), a, b, &plan);
    }
}

#define BROADCAST(name, inputs_a, inputs_b) CASE(name) { broadcast(r, CALL(name), inputs_a, inputs_b); }
BROADCAST(add, in, in)
BROADCAST(sub, in, in)
BROADCAST(mul, in, special_or_steps)
BROADCAST(div, in, above_zero)
BROADCAST(negmul, in, in)
BROADCAST(maximum, special_or_steps, special_or_steps)
BROADCAST(minimum, special_or_steps, special_or_steps)
BROADCAST(share, special_or_steps, special_or_steps)
BROADCAST(pow_tensor, above_zero, in)
BROADCAST(pow_tensor_slope_a, above_zero, in_steps)
BROADCAST(pow_tensor_slope_b, above_zero, above_zero)
BROADCAST(remainder, in, above_zero)
BROADCAST(quotient, in, above_zero)
BROADCAST(divide_or_zero, in, in_steps)
BROADCAST(mul_or_zero, in, in_steps)
BROADCAST(negmul_or_zero, in, in_steps)
BROADCAST(mul_share, in, in_steps)
BROADCAST(mul_rest, in, in_steps)
BROADCAST(times_sign, in, in_steps)
BROADCAST(is_same, special_or_steps, special_or_steps)
BROADCAST(exp_difference, in, in)

/* ---- reduce.h: [outer][axis][inner] ---------------------------------------------------------- */
static const fnn_size axes[][3] = { {1, 1, 1}, {3, 7, 1}, {1, 5003, 1}, {1, 60001, 1}, {5, 67, 13}, {2, 1, 31},
                                    {1, 129, 205}, {301, 33, 5} };

#define FOR_AXES                                                                                                   \
    for (int size = 0; size < COUNT(axes); size++)                                                                 \
        for (fnn_size outer = axes[size][0], axis = axes[size][1], inner = axes[size][2], once = 1; once; once = 0)

static void label_axes(run *r, int size) { LABEL("outer=%td axis=%td inner=%td", axes[size][0], axes[size][1],
                                                 axes[size][2]); }

#define REDUCTION(name, inputs, centre)                                                                               \
    CASE(name)                                                                                                        \
    {                                                                                                                 \
        FOR_AXES {                                                                                                    \
            label_axes(r, size);                                                                                      \
            const void *x = inputs(r, outer * axis * inner), *c = (centre) && size % 2 ? in(r, outer * inner) : NULL; \
            CALL(name)(out(r, outer * inner), x, c, outer, axis, inner, 3.0);                                         \
        }                                                                                                             \
    }
static void *near_one(run *r, fnn_size n) { return in_range(r, n, 0.9990, 1.0011); }
REDUCTION(sum, in, 1)
REDUCTION(sum_abs, in, 1)
REDUCTION(sum_exp, in, 1)
REDUCTION(root_sum_square, in, 0)
REDUCTION(prod, near_one, 0)
REDUCTION(amax, special_or_steps, 0)
REDUCTION(amin, special_or_steps, 0)

/* A mean of 0, and one that is large enough for double to take the sums again */
CASE(variance)
{
    FOR_AXES {
        label_axes(r, size);
        const double mean = size % 2 ? (r->type == FNN_F64 ? 1e9 : 1e3) : 0;
        const void *x = in_range(r, outer * axis * inner, mean - 1, mean + 1);
        void *y = out(r, outer * inner), *mean_of_x = out(r, outer * inner);
        CALL(variance)(y, mean_of_x, work(r, outer * inner, OF_TYPE), x, outer, axis, inner, 3.0, size % 3 == 0);
    }
}

CASE(spread)
{
    FOR_AXES {
        label_axes(r, size);
        const void *dy = in(r, outer * inner);
        CALL(spread)(out(r, outer * axis * inner), dy, outer, axis, inner, 3.0);
    }
}

CASE(prod_backward)
{
    FOR_AXES {
        label_axes(r, size);
        const void *dy = in(r, outer * inner);
        const void *x = axis < 10 ? in_steps(r, outer * axis * inner) : near_one(r, outer * axis * inner);
        CALL(prod_backward)(out(r, outer * axis * inner), dy, x, outer, axis, inner);
    }
}

CASE(argmax)
{
    FOR_AXES {
        label_axes(r, size);
        const void *x = special_or_steps(r, outer * axis * inner);
        int64_t *index = out_as(r, outer * inner, OF_INT64);
        CALL(argmax)(index, out(r, outer * inner), x, outer, axis, inner, size % 2 ? -1.0 : 1.0);
    }
}

CASE(argmax_backward)
{
    FOR_AXES {
        label_axes(r, size);
        const void *dy = in(r, outer * inner);
        const int64_t *index = in_index(r, outer * inner, 0, axis);
        CALL(argmax_backward)(out(r, outer * axis * inner), dy, index, outer, axis, inner);
    }
}

CASE(cumsum)
{
    FOR_AXES {
        label_axes(r, size);
        const void *x = in(r, outer * axis * inner);
        CALL(cumsum)(out(r, outer * axis * inner), x, outer, axis, inner, size % 2);
    }
}

/* ---- dropout.h, embedding.h ------------------------------------------------------------------ */
CASE(dropout)
{
    FOR_LENGTHS {
        const fnn_size n = length(r, size);
        const void *x = in(r, n);
        CALL(dropout)(out(r, n), x, n, 1, 0.3, 12345, 7);
        CALL(dropout)(out(r, n), x, n, 5, 0.6, ~(uint64_t)0, (uint64_t)1 << 40);
    }
}

/* n, V, D */
static const fnn_size tables[][3] = { {1, 1, 1}, {5, 13, 7}, {67, 13, 33}, {1003, 101, 67} };

CASE(embedding_forward)
{
    for (int size = 0; size < COUNT(tables); size++) {
        const fnn_size n = tables[size][0], V = tables[size][1], D = tables[size][2];
        LABEL("n=%td V=%td D=%td", n, V, D);
        const void *w = in(r, V * D);
        const int64_t *index = in_index(r, n, 0, V);
        CALL(embedding_forward)(out(r, n * D), index, w, n, D);
    }
}

CASE(embedding_backward)
{
    for (int size = 0; size < COUNT(tables); size++) {
        const fnn_size n = tables[size][0], V = tables[size][1], D = tables[size][2];
        LABEL("n=%td V=%td D=%td", n, V, D);
        const void *dy = in(r, n * D);
        const int64_t *index = in_index(r, n, 0, V);
        fnn_size *workspace = work(r, fnn_embedding_work(n, V), OF_INT64);
        CALL(embedding_backward)(out(r, V * D), dy, index, workspace, n, V, D, size % 2 ? 0 : -1);
    }
}

/* ---- special.h ------------------------------------------------------------------------------- */
FORWARD(erf_forward, any, n)
FORWARD(erfc_forward, any, n)
FORWARD(erfinv_forward, any, n)
FORWARD(lgamma_forward, any, n)
FORWARD(digamma_forward, any, n)
BACKWARD(erf_backward, any, n)
BACKWARD(erfc_backward, any, n)
BACKWARD(erfinv_backward, any, n)
BACKWARD(lgamma_backward, positive, n)
BACKWARD(digamma_backward, positive, n)

/* ---- scatter.h: outer, axis, n, inner -------------------------------------------------------- */
static const fnn_size chosen[][4] = { {1, 1, 1, 1}, {3, 5, 7, 1}, {1, 13, 67, 33}, {2, 7, 0, 3}, {37, 5, 11, 2},
                                      {21, 31, 45, 1}, {1, 301, 2003, 17}, {1, 20011, 40009, 1} };

#define FOR_CHOSEN                                                                         \
    for (int size = 0; size < COUNT(chosen); size++)                                       \
        for (fnn_size outer = chosen[size][0], axis = chosen[size][1], n = chosen[size][2], \
             inner = chosen[size][3], once = label_chosen(r, size); once; once = 0)

static int label_chosen(run *r, int size)
{
    LABEL("outer=%td axis=%td n=%td inner=%td", chosen[size][0], chosen[size][1], chosen[size][2], chosen[size][3]);
    return 1;
}

CASE(gather)
{
    FOR_CHOSEN {
        const void *x = in(r, outer * axis * inner);
        const int64_t *index = in_index(r, outer * n * inner, -axis, axis);
        CALL(gather)(out(r, outer * n * inner), x, index, outer, axis, n, inner);
    }
}

/* Every third index is none of the axis, where `astray`: beyond it on either side, or where 32 bits
 * would hold another number */
static int64_t *in_chosen(run *r, fnn_size n, fnn_size axis, int astray)
{
    int64_t *index = in_index(r, n, -axis, axis);
    for (fnn_size j = 0; astray && j < n; j += 3)
        index[j] = j % 2 ? -axis - 1 - j : j % 4 ? axis + j : INT64_C(0x100000000) + j % axis;
    return index;
}

CASE(scatter)
{
    FOR_CHOSEN
        for (int astray = 0; astray < 2; astray++) {
            const void *values = in(r, outer * n * inner);
            const int64_t *index = in_chosen(r, outer * n * inner, axis, astray);
            for (int number = 0; number < 2; number++)
                CALL(scatter)(inout(r, outer * axis * inner), out_as(r, 1, OF_INT64), number ? NULL : values, index,
                              outer, axis, n, inner, 0.75);
        }
}

CASE(scatter_backward)
{
    FOR_CHOSEN
        for (int astray = 0; astray < 2; astray++)
            CALL(scatter_backward)(inout(r, outer * axis * inner), out(r, outer * n * inner), out_as(r, 1, OF_INT64),
                                   in_chosen(r, outer * n * inner, axis, astray), outer, axis, n, inner);
}

CASE(scatter_add)
{
    FOR_CHOSEN
        for (int astray = 0; astray < 2; astray++) {
            const void *values = in(r, outer * n * inner);
            const int64_t *index = in_chosen(r, outer * n * inner, axis, astray);
            for (int from_end = 0; from_end < 2; from_end++)
                CALL(scatter_add)(inout(r, outer * axis * inner), out_as(r, 1, OF_INT64), values, index, outer, axis,
                                  n, inner, from_end ? axis : 0);
        }
}

CASE(index_select)
{
    FOR_CHOSEN {
        const void *x = in(r, outer * axis * inner);
        const int64_t *index = in_index(r, n, -axis, axis);
        CALL(index_select)(out(r, outer * n * inner), x, index, outer, axis, n, inner);
    }
}

CASE(index_copy)
{
    FOR_CHOSEN {
        const void *x = in(r, outer * axis * inner), *source = in(r, outer * n * inner);
        CALL(index_copy)(out(r, outer * axis * inner), x, source, in_index(r, n, -axis, axis),
                         work(r, fnn_index_copy_work(axis), OF_INT64), outer, axis, n, inner);
    }
}

CASE(index_copy_backward)
{
    FOR_CHOSEN {
        const void *dy = in(r, outer * axis * inner);
        const int64_t *index = in_index(r, n, -axis, axis);
        fnn_size *workspace = work(r, fnn_index_copy_work(axis), OF_INT64);
        for (int wanted = inner == 1 ? 2 : 1; wanted < 4; wanted++)
            CALL(index_copy_backward)(wanted & 2 ? out(r, outer * axis * inner) : NULL,
                                      wanted & 1 ? out(r, outer * n * inner) : NULL, dy, index, workspace, outer, axis,
                                      n, inner);
    }
}

CASE(index_add)
{
    FOR_CHOSEN {
        const void *x = in(r, outer * axis * inner), *source = in(r, outer * n * inner);
        const int64_t *index = in_index(r, n, -axis, axis);
        fnn_size *workspace = work(r, fnn_index_add_work(axis, n), OF_INT64);
        for (int alone = 0; alone < 2; alone++)
            CALL(index_add)(out(r, outer * axis * inner), alone ? NULL : x, source, index, workspace, outer, axis, n,
                            inner);
    }
}

/* ---- optim.h --------------------------------------------------------------------------------- */
enum { TENSORS = 4 };
typedef struct {
    void *p[TENSORS], *g[TENSORS], *state[FNN_OPTIM_STATES][TENSORS];
    fnn_size block[TENSORS + 1];
    fnn_step step;
} parameters;
static const fnn_size sizes[TENSORS] = { 1, 67, 0, 20011 };

/* A step of these tensors with random p, g and states, of which those from `least` on are not
 * negative, into `all`; the settings that all rules have are there. */
static fnn_step *new_step(run *r, parameters *all, int least)
{
    static const double one[TENSORS] = { 0.1, 0.5, 1, 1.01 }, other[TENSORS] = { 1, 0, 1, 0.3 };
    *all = (parameters){ .block = { 0 } };
    for (int i = 0; i < TENSORS; i++) {
        all->p[i] = inout(r, sizes[i]);
        all->g[i] = inout(r, sizes[i]);
        for (int k = 0; k < FNN_OPTIM_STATES; k++) {
            all->state[k][i] = inout(r, sizes[i]);
            if (k >= least)
                CALL(abs_forward)(all->state[k][i], all->state[k][i], sizes[i]);
        }
        all->block[i + 1] = all->block[i] + fnn_ceil_div(sizes[i], FNN_OPTIM_BLOCK);
    }
    all->step = (fnn_step){ .p = all->p, .g = (const void *const *)all->g, .size = sizes, .block = all->block,
                            .count = TENSORS, .number = { one, other, one }, .lr = 0.1, .weight_decay = 0.01,
                            .eps = 1e-6, .beta1 = 0.9, .beta2 = 0.99, .alpha = 0.9, .lambd = 1e-3, .least = 0.01,
                            .most = 0.5 };
    for (int k = 0; k < FNN_OPTIM_STATES; k++)
        all->step.state[k] = all->state[k];
    return &all->step;
}

CASE(sgd_step)
{
    for (int variant = 0; variant < 3; variant++) {
        LABEL("variant %d", variant);
        parameters all;
        fnn_step *step = new_step(r, &all, FNN_OPTIM_STATES);
        step->momentum = variant ? 0.9 : 0;
        step->dampening = variant == 1 ? 0.2 : 0;
        step->nesterov = variant == 2;
        step->number[0] = step->number[1];
        CALL(sgd_step)(step);
    }
}

CASE(adam_step)
{
    for (int variant = 0; variant < 4; variant++) {
        LABEL("decoupled=%d, amsgrad=%d", variant % 2, variant / 2);
        parameters all;
        fnn_step *step = new_step(r, &all, 1);
        step->decoupled = variant % 2;
        step->amsgrad = variant / 2;
        CALL(adam_step)(step);
    }
}

/* Rules without further settings: those whose states from `least` on are not negative */
#define CASE_STEP(name, least, settings)                  \
    CASE(name)                                            \
    {                                                     \
        for (int variant = 0; variant < 2; variant++) {   \
            LABEL("variant %d", variant);                 \
            parameters all;                               \
            fnn_step *step = new_step(r, &all, least);    \
            settings;                                     \
            CALL(name)(step);                             \
        }                                                 \
    }
CASE_STEP(nadam_step, 1, step->decoupled = variant)
CASE_STEP(radam_step, 1, step->decoupled = variant)
CASE_STEP(adamax_step, 1, step->lr = variant)
CASE_STEP(adagrad_step, 0, step->weight_decay = variant)
CASE_STEP(adadelta_step, 0, step->weight_decay = variant)
CASE_STEP(rprop_step, 1, step->most = 1 + variant)
CASE_STEP(asgd_step, 1, step->weight_decay = variant)
CASE_STEP(lion_step, 1, step->decoupled = variant)

CASE(rmsprop_step)
{
    for (int variant = 0; variant < 4; variant++) {
        LABEL("centered=%d, momentum=%d", variant % 2, variant / 2);
        parameters all;
        fnn_step *step = new_step(r, &all, 0), means;
        means = *step;                              /* small ones: v - w^2 is not mere rounding */
        means.p = step->state[1];
        means.lr = 1e-3;
        CALL(scale_all)(&means);
        step->centered = variant % 2;
        step->momentum = variant / 2 ? 0.9 : 0;
        CALL(rmsprop_step)(step);
    }
}

CASE(adafactor_step)
{
    static const fnn_size shapes[][3] = { { 1, 1, 67 }, { 2, 3, 5 }, { 1, 70, 131 }, { 3, 1, 1 }, { 1, 300, 64 } };
    for (int i = 0; i < 5; i++) {
        const fnn_size B = shapes[i][0], R = shapes[i][1], C = shapes[i][2];
        LABEL("B=%td, R=%td, C=%td", B, R, C);
        void *p = inout(r, B * R * C), *row = inout(r, B * R), *column = inout(r, B * C);
        const void *g = in(r, B * R * C);
        CALL(abs_forward)(row, row, B * R);
        CALL(abs_forward)(column, column, B * C);
        CALL(adafactor_step)(p, i ? row : NULL, column, g, work(r, B * R + B, OF_DOUBLE), B, R, C, 0.3, 0.1, 1e-3, 1e-3,
                             1, 0.99);
    }
}

CASE(square_sum)
{
    parameters all;
    const fnn_step *step = new_step(r, &all, 0);
    double *partial = work(r, all.block[TENSORS], OF_DOUBLE);
    CALL(square_sum)(out_as(r, 1, OF_DOUBLE), partial, step);
}

CASE(scale_all)
{
    parameters all;
    CALL(scale_all)(new_step(r, &all, 0));
}

/* ---- loss.h ---------------------------------------------------------------------------------- */
CASE(loss_forward)
{
    for (int which = FNN_MSE; which <= FNN_KL_LOG; which++)
        for (int variant = 0; variant < 4; variant++) {
            const int each = variant % 2;
            const fnn_size n = lengths[variant];
            LABEL("loss %d, n=%td", which, n);
            const void *x = in_range(r, n, 0.1, 0.9), *t = in_range(r, n, 0.1, 0.9);
            const void *w = in(r, n), *pw = in_range(r, n, 0.5, 2);
            CALL(loss_forward)(out(r, each ? n : 1), x, t, variant % 3 ? w : NULL,
                               which == FNN_BCE_LOGITS && variant > 1 ? pw : NULL, n, which, 0.3, each,
                               each ? 1.0 : (double)n);
        }
}

CASE(loss_backward)
{
    for (int which = FNN_MSE; which <= FNN_KL_LOG; which++)
        for (int variant = 0; variant < 4; variant++) {
            const int each = variant % 2;
            const fnn_size n = lengths[variant];
            LABEL("loss %d, n=%td", which, n);
            const void *x = in_range(r, n, 0.1, 0.9), *t = in_range(r, n, 0.1, 0.9);
            const void *w = in(r, n), *pw = in_range(r, n, 0.5, 2);
            const void *dy = in(r, each ? n : 1);
            void *dx = out(r, n), *dt = out(r, n);
            CALL(loss_backward)(dx, dt, dy, x, t, variant % 3 ? w : NULL,
                                which == FNN_BCE_LOGITS && variant > 1 ? pw : NULL, n, which, 0.3, each,
                                each ? 1.0 : (double)n);
        }
}
