/* Training steps on single rows, for networks of at most FBP_NARROW units per layer.
 *
 * Such a step takes less time than its memory accesses wait for each other. So the plan keeps a copy of the parameters
 * and the optimizer's state from step to step, in which every row of units is whole vectors (plan/padding.c), and W^T
 * beside W. No store is masked, and no product adds up lanes. The surplus lanes of the weights stay 0, because those of
 * their gradients are cleared. */
#ifndef FASTBP_ROW_H
#define FASTBP_ROW_H

#include "kernels/activation.h"
#include "kernels/dense.h"
#include "kernels/loss.h"
#include "rows/rows.h"

/* A vector of start + x (K,) M (K, .), with rows of M `stride` apart; a chain of fmadds in the order of k, as in a tile
 */
ALWAYS_INLINE vec row_times(const real *x, size_t K, const real *M, size_t stride, vec start) {
    for (size_t k = 0; k < K; k++) start = fmadd(splat(x[k]), load(M + k * stride), start);
    return start;
}

/* product (K, stride) = x (K,) times y (n,), with rows of whole vectors */
ALWAYS_INLINE void outer_product(const real *x, size_t K, const real *y, size_t n, size_t stride, real *product) {
    for (size_t j = 0; j < stride; j += LANES) {
        const vec v = fill_tail(load(y + j), n - j, 0);
        for (size_t k = 0; k < K; k++) store(product + k * stride + j, fmadd(splat(x[k]), v, splat(0)));
    }
}

static void forward_row(const fbp_dense *layer) {
    const vec alpha = splat((real)layer->alpha);
    for (size_t j = 0; j < layer->y_stride; j += LANES) {
        const vec b = load((const real *)layer->start + j);
        const vec z = row_times(layer->x, layer->n_in, (const real *)layer->W + j, layer->y_stride, b);
        const vec y = vector_values[layer->function](z, alpha);
        store((real *)layer->y + j, y);
        if (layer->slope) store((real *)layer->slope + j, vector_slopes[layer->function](z, y, alpha));
    }
}

/* Loss of a sum over elements; delta = dJ/dz, or dJ/dy if it is up to softmax_chain() */
static void loss_row(const fbp_dense *layer, fbp_step *step) {
    const fbp_network *network = layer->plan->network;
    const vec p = splat((real)network->loss_parameter), scale = splat((real)step->scale);
    const real *weights = step->slot->weights;
    real losses[FBP_NARROW];
    double sum = 0;
    for (size_t j = 0; j < layer->y_stride; j += LANES) {
        const size_t n = smaller(layer->n_out - j, LANES);
        const vec h = load((const real *)layer->y + j), t = load_n((const real *)step->slot->targets + j, n), d = h - t;
        const vec weight = weights ? load_n(weights + j, n) : ONE;
        const vec d_h = counted(vector_losses[network->loss].slope(h, t, d, p) * (weight * scale), weights, weight);
        const vec delta = layer->slope ? d_h * load((const real *)layer->slope + j) : d_h;
        store((real *)layer->delta + j, delta);
        store(losses + j, counted(vector_losses[network->loss].value(h, t, d, p) * weight, weights, weight));
    }
    for (size_t o = 0; o < layer->n_out; o++) sum += (double)losses[o]; /* in the order of passes_narrow() */
    step->slot->loss = sum;
}

static void backward_row(const fbp_dense *layer) {
    static const real one = 1; /* the input of b */
    const fbp_dense *previous = layer->previous;
    const real *delta = layer->delta;
    for (size_t j = 0; previous && j < layer->x_stride; j += LANES) {
        const vec dx = row_times(delta, layer->n_out, (const real *)layer->WT + j, layer->x_stride, splat(0));
        const real *slope = previous->slope;
        store((real *)previous->delta + j, slope ? dx * load(slope + j) : dx);
    }
    if (previous) outer_product(delta, layer->n_out, layer->x, layer->n_in, layer->x_stride, layer->dWT);
    outer_product(layer->x, layer->n_in, delta, layer->n_out, layer->y_stride, layer->dW);
    if (!layer->b) return;
    outer_product(&one, 1, delta, layer->n_out, layer->y_stride, (real *)layer->dW + layer->n_in * layer->y_stride);
}

/* Forward pass, loss and backward pass. */
static void passes_row(const fbp_dense *layers, fbp_step *step) {
    const fbp_plan *plan = layers->plan;
    const fbp_dense *output = layers + plan->network->n_layers - 1;
    for (const fbp_dense *layer = layers; layer <= output; layer++) forward_row(layer);
    if (plan->has_softmax) softmax(output, step);
    if (vector_losses[plan->network->loss].value) loss_row(output, step);
    else plan->loss(output, step);
    if (plan->has_softmax) softmax_chain(output, step);
    for (const fbp_dense *layer = output; layer; layer = layer->previous) backward_row(layer);
}

#endif
