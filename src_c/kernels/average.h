/* The moving average of the parameters over the steps: only plans of networks that average have this operation. */
#ifndef FASTBP_AVERAGE_H
#define FASTBP_AVERAGE_H

#include "kernels/simd.h"
#include "plan/plan.h"

/* average (n_parameters,) := decay average + (1 - decay) parameters; the first step copies the parameters. */
static void average(const fbp_dense *layer, fbp_step *step) {
    fbp_network *network = layer->plan->network;
    const double d = network->averaged++ ? network->average_decay : 0;
    const vec decay = splat((real)d), rest = splat((real)(1 - d));
    const real *p = network->parameters;
    real *mean = network->average;
    (void)step;
    for (size_t i = 0, n; i < network->n_parameters; i += n) {
        n = smaller(network->n_parameters - i, LANES);
        store_n(mean + i, flush(fmadd(decay, load_n(mean + i, n), rest * load_n(p + i, n))), n);
    }
}

#endif
