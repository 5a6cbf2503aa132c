/* Normal equations of least squares, for Levenberg-Marquardt.
 *
 * J (m n_out, P) holds the derivative of each output with respect to each parameter, r (m n_out,) the errors h - t,
 * with one row per output of each sample. Their sums are a single product,
 *
 *     [J r]^T [J r] = [ J^T J  J^T r ]    (P + 1, P + 1), of which the lower triangle is computed,
 *                     [ r^T J  r^T r ]
 *
 * for one block of rows and one output at a time. J is never stored for all rows. */
#ifndef FASTBP_NORMAL_EQUATIONS_H
#define FASTBP_NORMAL_EQUATIONS_H

#include <string.h>

#include "kernels/dense.h"
#include "kernels/linear_algebra.h"
#include "kernels/softmax.h"

/* Writes the layer's part of J, from delta = dh/dz of one output h: dh/dW = x delta^T, dh/db = delta. */
static void write_derivatives(const fbp_dense *layer, const fbp_step *step, real *J, size_t stride) {
    for (size_t k = 0; k < step->rows; k++) {
        const real *x = (const real *)layer->x + k * layer->x_stride;
        const real *delta = (const real *)layer->delta + k * layer->y_stride;
        real *to = J + k * stride + layer->offset;
        for (size_t i = 0; i < fbp_parameter_rows(layer->options); i++, to += layer->n_out) {
            const real x_i = i < layer->n_in ? x[i] : 1;
            for (size_t j = 0; j < layer->n_out; j++) to[j] = x_i * delta[j];
        }
    }
}

static void normal_equations(const fbp_dense *output, fbp_step *step) {
    const fbp_network *network = output->plan->network;
    const size_t n_out = output->n_out, n = network->n_parameters + 1;
    const int is_softmax = network->layers[network->n_layers - 1].activation == FBP_ACTIVATION_softmax;
    const real *h = output->y, *t = step->slot->targets;
    const fbp_dense sums = {.n_out = n, .dW = step->batch->output, .plan = output->plan, .scratch = output->scratch};
    real *J = step->slot->jacobian, *delta = output->delta;
    for (size_t o = 0; o < n_out; o++) {
        memset(delta, 0, step->rows * n_out * sizeof(real));
        for (size_t k = 0; k < step->rows; k++) {
            delta[k * n_out + o] = 1;
            J[k * n + n - 1] = h[k * n_out + o] - t[k * n_out + o];
        }
        (is_softmax ? softmax_chain : output_chain)(output, step);
        for (const fbp_dense *layer = output; layer; layer = layer->previous) {
            write_derivatives(layer, step, J, n);
            if (layer->previous) backward_input(layer, step);
        }
        add_gram(&sums, step, J);
        step->adds = 1;
    }
}

#endif
