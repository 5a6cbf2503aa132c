/* The optimizers: the rows of optimizers.def in a loop over a rectangle of the parameter vector. */
#ifndef FASTBP_OPTIMIZER_H
#define FASTBP_OPTIMIZER_H

#include "kernels/simd.h"
#include "plan/plan.h"

/* Adam's running means: s[0] of the gradient, s[1] of its square. */
static inline void adam_means(vec g, vec *s, const vec *c) {
    s[0] = flush(fmadd(c[1], g, c[0] * s[0]));
    s[1] = flush(fmadd(c[3] * g, g, c[2] * s[1]));
}

/* Updates RMSprop's means: s[0] of the squared gradient, s[1] of the gradient; returns the root of the variance.
 * Rounding may make it slightly negative: then it is 0. The limit keeps infinity - infinity from being NaN. */
static inline vec centered_root(vec g, vec *s, const vec *c) {
    s[0] = flush(fmadd(c[2] * g, g, c[1] * s[0]));
    s[1] = flush(fmadd(c[2], g, c[1] * s[1]));
    return vsqrt(vmax(splat(0), s[0] - vmin(splat(REAL_MAX), s[1] * s[1])));
}

typedef vec element_update(vec p, vec g, vec *s, const vec *c);

/* Updates n <= LANES parameters, the first of which is parameters[at]. Their gradients are g, or factor times g. */
ALWAYS_INLINE void update_vector(real *parameters, real *const *state, size_t at, const real *g, size_t n, const vec *c,
                                 element_update element, const int states, const vec *factor) {
    vec s[FBP_MAX_STATES] = {{0}}, gradient = load_n(g, n);
    if (factor) gradient = fmadd(*factor, gradient, splat(0));
#pragma GCC unroll 3
    for (int k = 0; k < states; k++) s[k] = load_n(state[k] + at, n);
    store_n(parameters + at, element(load_n(parameters + at, n), gradient, s, c), n);
#pragma GCC unroll 3
    for (int k = 0; k < states; k++) store_n(state[k] + at, s[k], n);
}

ALWAYS_INLINE void update(const fbp_update *u, element_update element, const int states, const int has_factors) {
    const fbp_update local = *u; /* a copy, which the compiler knows no store to change */
    real *const parameters = local.parameters, *state[FBP_MAX_STATES];
#pragma GCC unroll 3
    for (int k = 0; k < states; k++) state[k] = local.state[k];
    vec c[FBP_MAX_SCALARS];
    for (int i = 0; i < FBP_MAX_SCALARS; i++) c[i] = splat((real)local.scalars[i]);
    for (size_t i = 0; i < local.rows; i++) {
        const real *g = (const real *)local.gradients + i * local.gradients_stride;
        const vec f = splat(has_factors ? ((const real *)local.factors)[i] : 0), *factor = has_factors ? &f : NULL;
        const size_t row = local.offset + i * local.stride;
        size_t j = 0;
        for (; j + LANES <= local.columns; j += LANES)
            update_vector(parameters, state, row + j, g + j, LANES, c, element, states, factor);
        if (j < local.columns)
            update_vector(parameters, state, row + j, g + j, local.columns - j, c, element, states, factor);
    }
}

#define OPTIMIZER(name, states, scalars, ...)                              \
    static inline vec element_##name(vec p, vec g, vec *s, const vec *c) { \
        (void)s;                                                           \
        __VA_ARGS__                                                        \
        return p;                                                          \
    }                                                                      \
    static void update_##name(const fbp_update *u) {                       \
        if (u->factors) update(u, element_##name, states, 1);              \
        else update(u, element_##name, states, 0);                         \
    }
#include "tables/optimizers.def"
#undef OPTIMIZER

/* Takes the optimizer's step on a rectangle of gradients, with the scalars of its layers. */
static void update_rectangle(const fbp_plan *plan, const double *scalars, fbp_update rectangle) {
    const fbp_network *network = plan->network;
    rectangle.scalars = scalars;
    rectangle.parameters = plan->parameters;
    rectangle.state = plan->state;
    network->kernels->updates[network->optimizer](&rectangle);
}

/* ---- stored gradients -------------------------------------------------------------------------------------------- */

/* Updates all parameters that are trained. */
static void update_all(const fbp_dense *layer, fbp_step *step) {
    const fbp_plan *plan = layer->plan;
    (void)step;
    for (const fbp_segment *s = plan->segments; s < plan->segments_end; s++) {
        update_rectangle(plan, s->scalars,
                         (fbp_update){.gradients = (const real *)plan->gradients + s->offset,
                                      .offset = s->offset,
                                      .rows = 1,
                                      .columns = s->n});
    }
}

/* sum += share, the gradients of the next block of rows */
static void add_gradients(void *sum, const void *share, size_t n, int is_first) {
    real *to = sum;
    const real *from = share;
    for (size_t i = 0; i < n; i++) to[i] = is_first ? from[i] : to[i] + from[i];
}

#endif
