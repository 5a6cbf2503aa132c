/* Losses and their deltas: the rows of losses.def as functions over elements, and cross entropy over rows. */
#ifndef FASTBP_LOSS_H
#define FASTBP_LOSS_H

#include <math.h>

#include "kernels/activation.h"
#include "kernels/softmax.h"
#include "plan/plan.h"

/* log(cosh(d)) = |d| + softplus(-2 |d|) - log(2); for small |d|, where that loses digits, -log(1 - tanh(d)^2) / 2 */
static inline vec log_cosh(vec d) {
    const vec large = vabs(d) + vsoftplus(REAL(-2) * vabs(d)) - (LN2_HIGH + LN2_LOW);
    return blend(vabs(d) < REAL(1), REAL(-0.5) * vlog1p(-vtanh(d) * vtanh(d)), large);
}

typedef vec loss_function(vec h, vec t, vec d, vec p);

/* The loss of n elements, at most LANES, and their dJ/dh. In narrow networks, arrays end with whole vectors. */
ALWAYS_INLINE vec loss_vector(const real *h, const real *t, const real *weights, real *delta, const size_t n, vec p,
                              vec scale, loss_function value, loss_function slope) {
    const vec hj = load_n(h, n), tj = load_n(t, n), d = hj - tj, weight = weights ? load_n(weights, n) : ONE;
    store_n(delta, slope(hj, tj, d, p) * (weight * scale), n);
    return value(hj, tj, d, p) * weight;
}

/* Writes the block's loss to step->slot, and dJ/dh to delta. */
ALWAYS_INLINE void elementwise_loss(const fbp_dense *layer, fbp_step *step, loss_function value, loss_function slope,
                                    const int weighted) {
    const int narrow = layer->plan->narrow; /* else rows have no gaps between them */
    const size_t rows = narrow ? layer->n_out : 1, columns = narrow ? step->rows : step->rows * layer->n_out;
    const vec p = splat((real)layer->plan->network->loss_parameter), scale = splat((real)step->scale);
    wide_sum sum = {0};
    for (size_t i = 0; i < rows; i++) {
        const size_t at = step->offset * layer->n_out + i * layer->y_stride;
        const real *h = (const real *)layer->y + at, *t = (const real *)step->slot->targets + i * layer->y_stride;
        const real *weights = weighted ? (const real *)step->slot->weights + i * layer->y_stride : NULL;
        real *delta = (real *)layer->delta + at;
        size_t j = 0;
        for (; j + (narrow ? 1 : LANES) <= columns; j += LANES) {
            const vec v = loss_vector(h + j, t + j, weighted ? weights + j : NULL, delta + j, LANES, p, scale, value, slope);
            add_to(&sum, columns - j < (size_t)LANES ? fill_tail(v, columns - j, 0) : v);
        }
        if (j < columns) {
            const size_t n = columns - j;
            const vec v = loss_vector(h + j, t + j, weighted ? weights + j : NULL, delta + j, n, p, scale, value, slope);
            add_to(&sum, fill_tail(v, n, 0));
        }
    }
    step->slot->loss = total(&sum);
}

/* Cross entropy joined with softmax: J = log sum exp(z) - sum s z and dJ/dz = h - s, s = (1 - p) t + p / n. */
static void loss_cross_entropy(const fbp_dense *layer, fbp_step *step) {
    const size_t n = layer->n_out;
    const double p = layer->plan->network->loss_parameter;
    const real kept = (real)(1 - p), spread = (real)(p / (double)n);
    const real *weights = step->slot->weights;
    double sum = 0;
    for (size_t i = 0; i < step->rows; i++) {
        const real weight = weights ? weights[i * n] : 1;
        const vec scale = splat(weight * (real)step->scale);
        const real *z = (const real *)layer->y + (step->offset + i) * n;
        real *delta = (real *)layer->delta + (step->offset + i) * n;
        real top;
        double loss = softmax_row(z, delta, n, &top);
        if (step->slot->labels) {
            const size_t label = (size_t)step->slot->labels[i];
            if (label >= n) { /* labels are checked, but the caller's memory may change during a fit */
                sum = NAN;
                continue;
            }
            loss += (double)kept * ((double)top - (double)z[label]);
            delta[label] -= kept;
        } else {
            const real *t = (const real *)step->slot->targets + i * n;
            for (size_t j = 0; j < n; j++) {
                loss += (double)(kept * t[j]) * ((double)top - (double)z[j]); /* sum t = 1 */
                delta[j] -= kept * t[j];
            }
        }
        for (size_t j = 0; j < n && p > 0; j++) loss += (double)spread * ((double)top - (double)z[j]);
        sum += loss * (double)weight;
        for (size_t j = 0; j < n; j += LANES) {
            const size_t lanes = smaller(n - j, LANES);
            store_n(delta + j, (load_n(delta + j, lanes) - spread) * scale, lanes);
        }
    }
    step->slot->loss = sum;
}

#define LOSS(name, link, value, slope, formula)                                \
    static inline vec value_##name(vec h, vec t, vec d, vec p) {               \
        (void)h;                                                               \
        (void)t;                                                               \
        (void)d;                                                               \
        (void)p;                                                               \
        return value;                                                          \
    }                                                                          \
    static inline vec slope_##name(vec h, vec t, vec d, vec p) {               \
        (void)h;                                                               \
        (void)t;                                                               \
        (void)d;                                                               \
        (void)p;                                                               \
        return slope;                                                          \
    }                                                                          \
    static void loss_##name(const fbp_dense *layer, fbp_step *step) {          \
        elementwise_loss(layer, step, value_##name, slope_##name, 0);          \
    }                                                                          \
    static void weighted_loss_##name(const fbp_dense *layer, fbp_step *step) { \
        elementwise_loss(layer, step, value_##name, slope_##name, 1);          \
    }
#define ROW_LOSS(name, link, formula)
#include "tables/losses.def"
#undef ROW_LOSS
#undef LOSS

#endif
