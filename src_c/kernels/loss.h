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

/* v, which has been multiplied by the weights; 0 where these are 0: such a target has no part in the loss, even if it
 * is NaN, because it is unknown, or its loss is infinite. `weights` is NULL if there are none. */
static inline vec counted(vec v, const real *weights, vec weight) {
    return weights ? blend(weight == ZERO, ZERO, v) : v;
}

/* Elements of the output, of the targets and so on; NULL: weights of 1, no factor. */
typedef struct {
    const real *h, *t, *weights, *factor;
    real *delta;
} loss_operands;

/* Loss of n <= LANES elements from j on. Their delta is dJ/dh, or its product with the factor. */
ALWAYS_INLINE vec loss_vector(const loss_operands *o, size_t j, const size_t n, vec p, vec scale, loss_function value,
                              loss_function slope) {
    const vec h = load_n(o->h + j, n), t = load_n(o->t + j, n), d = h - t;
    const vec weight = o->weights ? load_n(o->weights + j, n) : ONE;
    const vec d_h = counted(slope(h, t, d, p) * (weight * scale), o->weights, weight);
    store_n(o->delta + j, o->factor ? d_h * load_n(o->factor + j, n) : d_h, n);
    return counted(value(h, t, d, p) * weight, o->weights, weight);
}

/* Writes the block's loss to step->slot, and dJ/dh to delta. In narrow networks, where rows end with whole vectors,
 * delta is dJ/dz. */
ALWAYS_INLINE void elementwise_loss(const fbp_dense *layer, fbp_step *step, loss_function value, loss_function slope,
                                    const int weighted) {
    const int narrow = layer->plan->narrow; /* else rows have no gaps between them */
    const size_t rows = narrow ? layer->n_out : 1, columns = narrow ? step->rows : step->rows * layer->n_out;
    const vec p = splat((real)layer->plan->network->loss_parameter), scale = splat((real)step->scale);
    wide_sum sum = {0};
    for (size_t i = 0; i < rows; i++) {
        const size_t row = i * layer->y_stride, at = step->offset * layer->n_out + row;
        const loss_operands o = {.h = (const real *)layer->y + at,
                                 .t = (const real *)step->slot->targets + row,
                                 .weights = weighted ? (const real *)step->slot->weights + row : NULL,
                                 .factor = narrow && layer->slope ? (const real *)layer->slope + row : NULL,
                                 .delta = (real *)layer->delta + at};
        size_t j = 0;
        for (; j + LANES <= columns; j += LANES) add_to(&sum, loss_vector(&o, j, LANES, p, scale, value, slope));
        if (j < columns && narrow)
            add_to(&sum, fill_tail(loss_vector(&o, j, LANES, p, scale, value, slope), columns - j, 0));
        else if (j < columns)
            add_to(&sum, fill_tail(loss_vector(&o, j, columns - j, p, scale, value, slope), columns - j, 0));
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

#define LOSS(name, link, value, slope, formula, ...)                           \
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

/* Losses of single vectors and their slopes, for kernels/row.h */
#define LOSS(name, ...) {value_##name, slope_##name},
#define ROW_LOSS(name, ...) {NULL, NULL},
static const struct {
    loss_function *value, *slope;
} vector_losses[] = {
#include "tables/losses.def"
};
#undef ROW_LOSS
#undef LOSS

#endif
