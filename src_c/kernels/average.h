/* The moving average of the parameters over the steps: only plans of networks that average have this operation. */
#ifndef FASTBP_AVERAGE_H
#define FASTBP_AVERAGE_H

#include "kernels/simd.h"
#include "plan/plan.h"

/* average (n_parameters,) += (1 - decay) (parameters - average), which changes no mean of equal numbers. The average
 * begins with zeros, and the first step copies the parameters. */
static void average(const fbp_dense *layer, fbp_step *step) {
    fbp_network *network = layer->plan->network;
    const vec share = splat(network->averaged++ ? (real)(1 - network->average_decay) : 1);
    const real *p = network->parameters;
    real *mean = network->average;
    (void)step;
    for (size_t i = 0, n; i < network->n_parameters; i += n) {
        n = smaller(network->n_parameters - i, LANES);
        const vec before = load_n(mean + i, n);
        store_n(mean + i, flush(fmadd(share, load_n(p + i, n) - before, before)), n);
    }
}

#endif
