/* Numbers computed once per step: the learning rate (tables/schedules.def) and the optimizer's scalars
 * (tables/optimizers.def). */

#include <math.h>
#include <string.h>

#include "plan/plan.h"

#define PI 3.14159265358979323846

static double cosine(double from, double to, double share) { return to + (from - to) * (1 + cos(PI * share)) / 2; }

/* Share of the current cycle that is over before step k, 0 to 1. The first cycle takes `steps`; each later one takes
 * `growth` times as long as the one before, and at least as long. growth 0: a single cycle. */
static double cycle(double k, double steps, double growth) {
    if (growth == 0) return fmin(k / steps, 1);
    if (!(growth > 1)) return fmod(k, steps) / steps;
    for (; k >= steps && steps > 0; steps *= growth) k -= steps;
    return k / steps;
}

/* Learning rate of step k of the schedule, after its warm-up. */
static double scheduled_rate(const fbp_network *network, double k) {
    const double rate = network->hyperparameters[0], *p = network->schedule_parameters;
    switch (network->schedule) {
#define SCHEDULE(name, value) \
    case FBP_SCHEDULE_##name: return value;
#include "tables/schedules.def"
#undef SCHEDULE
        default: return rate;
    }
}

double fbp_learning_rate(const fbp_network *network) {
    const double k = (double)network->t, warmup = network->warmup;
    if (k < warmup) return scheduled_rate(network, 0) * (k + 1) / (warmup + 1);
    return scheduled_rate(network, k - warmup);
}

/* ---- scalars of the optimizer for the next step, in double ------------------------------------------------------- */

/* Adam and its variants; h[] = learning rate, beta1, beta2, epsilon */
static void adam_scalars(double *c, const double *h, double k) {
    c[0] = h[1];
    c[1] = 1.0 - h[1];
    c[2] = h[2];
    c[3] = 1.0 - h[2];
    c[4] = h[0] / (1.0 - pow(h[1], k));
    c[5] = 1.0 / sqrt(1.0 - pow(h[2], k));
    c[6] = h[3];
}

/* mu_k = beta1 (1 - 0.96^(k momentum_decay) / 2). The product of mu_1 to mu_k is computed anew in every step, so that k
 * is the only state. It takes few factors, because it has no effect below 1e-17. */
static void nadam_scalars(double *c, const double *h, double k) {
    const double decay = pow(0.96, h[4]), power = pow(decay, k);
    const double mu = h[1] * (1.0 - 0.5 * power), next = h[1] * (1.0 - 0.5 * power * decay);
    double product = pow(h[1], k), factor = decay;
    for (double i = 1; i <= k && product > 1e-17 && factor > 1e-17; i++, factor *= decay) product *= 1.0 - 0.5 * factor;
    adam_scalars(c, h, k);
    c[4] = h[0] * next / (1.0 - product * next);
    c[7] = h[0] * (1.0 - mu) / (1.0 - product);
}

/* Liu et al., equations 5 and 6. rho is the length of an average that is worth as much as the mean square. */
static void radam_scalars(double *c, const double *h, double k) {
    const double power = pow(h[2], k), most = 2.0 / (1.0 - h[2]) - 1.0, rho = most - 2.0 * k * power / (1.0 - power);
    adam_scalars(c, h, k);
    if (rho > 5.0) {
        c[4] *= sqrt((rho - 4.0) * (rho - 2.0) * most / ((most - 4.0) * (most - 2.0) * rho));
        c[6] *= c[5]; /* epsilon is added before the bias correction */
    } else c[5] = 0;
}

/* k is the number of the step, which some optimizers do not use. Inlined, because tiny networks notice a call. */
static inline __attribute__((always_inline)) void set_scalars(double *c, const fbp_network *network, const double *h,
                                                              double k __attribute__((unused))) {
    switch (network->optimizer) {
#define OPTIMIZER(name, states, scalars, ...) \
    case FBP_OPTIMIZER_##name: scalars break;
#include "tables/optimizers.def"
#undef OPTIMIZER
        default: break;
    }
}

/* fbp_begin_update() for rates that change from step to step or from layer to layer. */
static void __attribute__((noinline)) begin_scheduled_update(fbp_plan *plan) {
    fbp_network *network = plan->network;
    double own[FBP_MAX_HYPERPARAMETERS];
    memcpy(own, network->hyperparameters, sizeof own);
    const double rate = own[0] = fbp_learning_rate(network), k = (double)++network->t;
    set_scalars(plan->scalars, network, own, k);
    for (size_t l = 0; plan->layer_scalars && l < network->n_layers; l++) {
        own[0] = rate * network->layers[l].rate_factor;
        set_scalars(plan->layer_scalars[l], network, own, k);
    }
}

void fbp_begin_update(fbp_plan *plan) {
    fbp_network *network = plan->network;
    if (network->schedule != FBP_SCHEDULE_constant || network->warmup > 0 || plan->layer_scalars)
        begin_scheduled_update(plan);
    else set_scalars(plan->scalars, network, network->hyperparameters, (double)++network->t);
}
