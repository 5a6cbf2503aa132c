/* Runs a plan. A training step is: gather, forward, loss, backward, update; plan.c says in which operations. */

#define _POSIX_C_SOURCE 199309L /* for clock_gettime */

#include <math.h>
#include <time.h>

#include "kernels.h"

#define CLOCK_INTERVAL 1e-3 /* seconds between two looks at the clock, about */

static double divisor_of(const fbp_network *network, size_t rows) {
    switch (network->divisor) {
        case FBP_DIVIDE_BY_ROWS: return (double)rows;
        case FBP_DIVIDE_BY_ELEMENTS: return (double)rows * (double)network->layers[network->n_layers - 1].n_out;
        default: return 1.0;
    }
}

static void run_operations(const fbp_plan *plan, size_t begin, size_t end, fbp_step *step) {
    for (size_t i = begin; i < end; i++) plan->operations[i].run(plan->operations[i].layer, step);
}

/* The optimizer's scalars for the step to come, in double. */
static void begin_update(fbp_plan *plan) {
    fbp_network *network = plan->network;
    const double *h = network->hyperparameters;
    const double k __attribute__((unused)) = (double)++network->t; /* some rows do not count steps */
    double *c = plan->scalars;
    switch (network->optimizer) {
#define OPTIMIZER(name, states, scalars, ...) \
    case FBP_OPTIMIZER_##name: scalars break;
#include "optimizers.def"
#undef OPTIMIZER
        default: break;
    }
}

double fbp_run(fbp_plan *plan, unsigned parts, const fbp_batch *batch) {
    const double divisor = divisor_of(plan->network, batch->rows);
    fbp_step step = {.batch = batch, .scale = 1.0 / divisor};
    if (parts & FBP_UPDATE_PART) begin_update(plan);
    for (; step.first < batch->rows; step.first += plan->block_rows) {
        const size_t left = batch->rows - step.first;
        step.rows = left < plan->block_rows ? left : plan->block_rows;
        step.offset = plan->keeps_rows ? step.first : 0;
        if (parts & FBP_FORWARD_PART) run_operations(plan, 0, plan->forward_end, &step);
        if (parts & FBP_BACKWARD_PART) run_operations(plan, plan->forward_end, plan->backward_end, &step);
    }
    if (parts & FBP_UPDATE_PART) run_operations(plan, plan->backward_end, plan->update_end, &step);
    return step.loss / divisor;
}

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* One training step on the next rows of the epoch; returns its loss. */
static double train_next(fbp_plan *plan, fbp_fit *fit) {
    const size_t first = fit->step * fit->batch_size, n = fit->x->rows;
    const fbp_batch batch = {.x = fit->x,
                             .y = fit->y,
                             .index = fit->order,
                             .first = first,
                             .rows = n - first < fit->batch_size ? n - first : fit->batch_size};
    if (fit->step == 0) {
        fit->sum = 0;
        if (fit->order) fbp_permutation(fit->seed, fit->first_epoch + fit->epoch, fit->order, n);
    }
    const double loss = fbp_run(plan, FBP_FORWARD_PART | FBP_BACKWARD_PART | FBP_UPDATE_PART, &batch);
    const int summed = plan->network->divisor == FBP_DIVIDE_BY_ONE;
    fit->sum += summed ? loss : loss * (double)batch.rows / (double)n;
    fit->step++;
    if (first + batch.rows == n) {
        fit->losses[fit->epoch++] = fit->sum;
        fit->step = 0;
    }
    return loss;
}

int fbp_advance(fbp_plan *plan, fbp_fit *fit, size_t until_epoch, double seconds) {
    const double start = seconds_now();
    double looked = start; /* at the clock */
    for (size_t steps = 0, between = 1; fit->epoch < until_epoch;) {
        if (!isfinite(train_next(plan, fit))) return 0;
        if (++steps < between) continue;
        const double now = seconds_now();
        if (now - start >= seconds) break;
        if (now - looked < CLOCK_INTERVAL) between *= 2;
        looked = now;
        steps = 0;
    }
    return 1;
}
