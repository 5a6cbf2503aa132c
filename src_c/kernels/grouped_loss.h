/* Losses that compare several outputs with each target: the outputs of a target stand side by side.
 *
 * The targets are repeated, so that they are laid out like the outputs. A loss is then a sum over elements, whose terms
 * depend on the place of the output in its group. */
#ifndef FASTBP_GROUPED_LOSS_H
#define FASTBP_GROUPED_LOSS_H

#include "kernels/loss.h"

/* ---- arrays (m, n_targets), with each column repeated: (m, n_out) ------------------------------------------------ */

static void repeat_columns(const fbp_dense *layer, const fbp_step *step, real *array) {
    const fbp_plan *plan = layer->plan;
    const size_t each = plan->network->outputs_per_target, n_targets = layer->n_out / each;
    const size_t rows = plan->narrow ? 1 : step->rows, unit = plan->narrow ? layer->y_stride : 1;
    const size_t columns = plan->narrow ? step->rows : 1; /* elements of a unit */
    for (size_t i = 0; i < rows; i++, array += layer->y_stride) {
        for (size_t k = n_targets; k-- > 0;) { /* from the last one, so that none is overwritten before it is read */
            for (size_t o = each; o-- > 0;) {
                for (size_t j = 0; j < columns; j++) array[(k * each + o) * unit + j] = array[k * unit + j];
            }
        }
    }
}

static void repeat_targets(const fbp_dense *layer, fbp_step *step) { repeat_columns(layer, step, step->slot->targets); }

static void repeat_weights(const fbp_dense *layer, fbp_step *step) { repeat_columns(layer, step, step->slot->weights); }

/* ---- losses ------------------------------------------------------------------------------------------------------ */

_Static_assert(LANES <= FBP_MAX_LANES, "output_parameters are repeated for one vector more");

typedef struct { vec value, slope; } loss_terms;

/* The terms of n <= LANES elements h and their targets t. `output` is the output that they are of: all of them in
 * narrow networks, else the first one, which the others follow. */
typedef loss_terms terms_function(const fbp_dense *layer, const real *h, const real *t, size_t output, size_t n);

/* Writes the block's loss to step->slot, and dJ/dh to delta; in plans that apply f'(z) with the loss, dJ/dz. */
ALWAYS_INLINE void grouped_loss(const fbp_dense *layer, fbp_step *step, terms_function terms) {
    const fbp_plan *plan = layer->plan;
    const fbp_slot *slot = step->slot;
    const int narrow = plan->narrow; /* else rows have no gaps between them */
    const size_t rows = narrow ? layer->n_out : 1, columns = narrow ? step->rows : step->rows * layer->n_out;
    const real *factor = narrow || plan->is_padded ? layer->slope : NULL;
    const vec scale = splat((real)step->scale);
    wide_sum sum = {0};
    double in_order = 0; /* of a single row, as in narrow networks */
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < columns; j += LANES) {
            const size_t at = i * layer->y_stride + j, n = smaller(columns - j, LANES), lanes = narrow ? LANES : n;
            const loss_terms loss = terms(layer, (const real *)layer->y + at, (const real *)slot->targets + at,
                                          narrow ? i : j % layer->n_out, lanes);
            const vec weight = slot->weights ? load_n((const real *)slot->weights + at, lanes) : ONE;
            const vec d_h = counted(loss.slope * (weight * scale), slot->weights, weight);
            const vec value = counted(loss.value * weight, slot->weights, weight);
            store_n((real *)layer->delta + at, factor ? d_h * load_n(factor + at, lanes) : d_h, lanes);
            if (!plan->is_padded) add_to(&sum, fill_tail(value, n, 0));
            for (size_t lane = 0; lane < n && plan->is_padded; lane++) in_order += (double)value[lane];
        }
    }
    step->slot->loss = plan->is_padded ? in_order : total(&sum);
}

static inline loss_terms quantile_terms(const fbp_dense *layer, const real *h, const real *t, size_t output, size_t n) {
    const fbp_network *network = layer->plan->network;
    const real *q = (const real *)network->output_parameters + output % network->outputs_per_target;
    const vec p = layer->plan->narrow ? splat(*q) : load(q), v = load_n(h, n), target = load_n(t, n), d = v - target;
    return (loss_terms){value_quantile(v, target, d, p), slope_quantile(v, target, d, p)};
}

#define NEIGHBOR(lane, h) ((lane) ^ 1)

/* With the mean m, the log variance s and r = (m - t) exp(-s / 2), the terms are r^2 and s. The factor of r is finite,
 * so that terms that are finite or infinite do not become NaN where m = t. */
static inline loss_terms gaussian_terms(const fbp_dense *layer, const real *h, const real *t, size_t output, size_t n) {
    const int narrow = layer->plan->narrow;
    const vec own = load_n(h, n);
    const vec other = narrow ? load(output & 1 ? h - layer->y_stride : h + layer->y_stride)
                             : SHUFFLE(own, own, LANE_LIST(NEIGHBOR, 0));
    const ivec is_variance = ((narrow ? (ivec){0} + (ireal)output : lane_numbers()) & 1) != 0;
    const vec m = blend(is_variance, other, own), s = blend(is_variance, own, other), e = vexp(REAL(-0.5) * s);
    const vec inverse = blend(e > REAL_MAX, splat(REAL_MAX), e), r = (m - load_n(t, n)) * inverse, square = r * r;
    return (loss_terms){blend(is_variance, s, square), blend(is_variance, ONE - square, REAL(2) * r * inverse)};
}

static void loss_gaussian_nll(const fbp_dense *layer, fbp_step *step) { grouped_loss(layer, step, gaussian_terms); }

static void loss_quantiles(const fbp_dense *layer, fbp_step *step) { grouped_loss(layer, step, quantile_terms); }

#endif
