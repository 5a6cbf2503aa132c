/* Gradient clipping: the optimizer sees a limited gradient; the stored gradient is left unclipped. */
#ifndef FASTBP_CLIPPING_H
#define FASTBP_CLIPPING_H

#include <math.h>

#include "kernels/lanes.h"
#include "kernels/optimizer.h"
#include "plan/plan.h"

static inline double magnitude(real x, double most) { return fabs((double)x) > most ? most : fabs((double)x); }

/* limit / |x|, where |x| is the norm of n elements `stride` apart, each limited to `most`. For norms whose squares
 * overflow or lose digits: divides by the largest element first. NaN if all elements are 0. */
static double limit_over_norm(double limit, const real *x, size_t n, size_t stride, double most) {
    double largest = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        const double size = magnitude(x[i * stride], most);
        largest = size > largest ? size : largest;
    }
    for (size_t i = 0; i < n; i++) {
        const double share = magnitude(x[i * stride], most) / largest; /* NaN stays */
        squares += share * share;
    }
    return limit / largest / sqrt(squares);
}

static inline vec clip(vec g, vec largest) { return vmax(-largest, vmin(largest, g)); }

/* Clips elements, then the norm: Pascanu et al., On the difficulty of training recurrent neural networks (2013), in
 * PyTorch's form. */
static void update_clipped(const fbp_dense *layer, fbp_step *step) {
    enum { PIECE = 1024 };
    const fbp_network *network = layer->plan->network;
    const real *g = network->gradients;
    const vec largest = splat(network->clip_value > 0 ? (real)network->clip_value : REAL(INFINITY));
    real piece[PIECE], factor = 1;
    wide_sum squares = {0};
    (void)step;
    for (size_t i = 0, n; i < network->n_parameters && network->clip_norm > 0; i += n) {
        n = smaller(network->n_parameters - i, LANES);
        add_square_to(&squares, clip(load_n(g + i, n), largest));
    }
    const double norm = sqrt(total(&squares));
    const double coefficient =
        isfinite(norm) ? network->clip_norm / (norm + 1e-6)
                       : limit_over_norm(network->clip_norm, g, network->n_parameters, 1, (double)largest[0]);
    if (network->clip_norm > 0 && !(coefficient >= 1)) factor = (real)coefficient; /* NaN stays */
    for (size_t i = 0, n; i < network->n_parameters; i += n) {
        n = smaller(network->n_parameters - i, PIECE);
        for (size_t j = 0; j < n; j += LANES) {
            const size_t lanes = smaller(n - j, LANES);
            store_n(piece + j, clip(load_n(g + i + j, lanes), largest), lanes);
        }
        update_rectangle(layer->plan,
                         (fbp_update){.gradients = piece, .factors = &factor, .offset = i, .rows = 1, .columns = n});
    }
}

#endif
