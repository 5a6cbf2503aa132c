/* Runs a plan. A training step is: gather, forward, loss, backward, update; plan.c says in which operations. What has
 * to do with the weights alone happens once a batch, before and after its blocks of rows. */

#include <math.h>
#include <string.h>

#include "kernels.h"

#define PI 3.14159265358979323846
#define CLOCK_INTERVAL 1e-3 /* seconds between two looks at the clock, about */

/* Of all rows together, added up in their order: each weighs 1 where there are no weights. */
static double weight_of(const fbp_batch *batch) {
    double sum = 0;
    if (!batch->weights) return (double)batch->rows;
    for (size_t i = batch->first; i < batch->first + batch->rows; i++)
        sum += batch->weights[batch->index ? batch->index[i] : (int64_t)i];
    return sum;
}

static double divisor_of(const fbp_network *network, double weight) {
    switch (network->divisor) {
        case FBP_DIVIDE_BY_ROWS: return weight;
        case FBP_DIVIDE_BY_ELEMENTS: return weight * (double)network->layers[network->n_layers - 1].n_out;
        default: return 1.0;
    }
}

static void run_operations(const fbp_plan *plan, size_t begin, size_t end, fbp_step *step) {
    for (size_t i = begin; i < end; i++) {
        plan->operations[i].run(&step->lane->layers[plan->operations[i].layer], step);
    }
}

static double cosine(double from, double to, double share) { return to + (from - to) * (1 + cos(PI * share)) / 2; }

/* How much of its cycle is over before step k, 0 to 1: the first takes `steps`, every other `growth` times as long as
 * the one before, at least as long; growth 0: there is but one. */
static double cycle(double k, double steps, double growth) {
    if (growth == 0) return fmin(k / steps, 1);
    if (!(growth > 1)) return fmod(k, steps) / steps;
    for (; k >= steps && steps > 0; steps *= growth) k -= steps;
    return k / steps;
}

double fbp_learning_rate(const fbp_network *network) {
    const double rate = network->hyperparameters[0], k = (double)network->t, *p = network->schedule_parameters;
    switch (network->schedule) {
#define SCHEDULE(name, value) \
    case FBP_SCHEDULE_##name: return value;
#include "schedules.def"
#undef SCHEDULE
        default: return rate;
    }
}

/* ---- the optimizer's scalars for the step to come, in double ----------------------------------------------------- */

/* of Adam and its kin, from h[] = learning rate, beta1, beta2, epsilon */
static void adam_scalars(double *c, const double *h, double k) {
    c[0] = h[1];
    c[1] = 1.0 - h[1];
    c[2] = h[2];
    c[3] = 1.0 - h[2];
    c[4] = h[0] / (1.0 - pow(h[1], k));
    c[5] = 1.0 / sqrt(1.0 - pow(h[2], k));
    c[6] = h[3];
}

/* mu_k = beta1 (1 - 0.96^(k momentum_decay) / 2). Their product is computed anew: so k is all the state there is. It
 * takes few factors, for it has no effect below 1e-17. */
static void nadam_scalars(double *c, const double *h, double k) {
    const double decay = pow(0.96, h[4]), power = pow(decay, k);
    const double mu = h[1] * (1.0 - 0.5 * power), next = h[1] * (1.0 - 0.5 * power * decay);
    double product = pow(h[1], k), factor = decay;
    for (double i = 1; i <= k && product > 1e-17 && factor > 1e-17; i++, factor *= decay) product *= 1.0 - 0.5 * factor;
    adam_scalars(c, h, k);
    c[4] = h[0] * next / (1.0 - product * next);
    c[7] = h[0] * (1.0 - mu) / (1.0 - product);
}

static void begin_update(fbp_plan *plan) {
    fbp_network *network = plan->network;
    const double *h = network->hyperparameters;
    double scheduled[FBP_MAX_HYPERPARAMETERS];
    if (network->schedule != FBP_SCHEDULE_constant) {
        memcpy(scheduled, h, sizeof scheduled);
        scheduled[0] = fbp_learning_rate(network);
        h = scheduled;
    }
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

/* ---- a step ------------------------------------------------------------------------------------------------------ */

/* Blocks of rows, one a lane, that threads work on at the same time. */
typedef struct {
    fbp_plan *plan;
    unsigned parts;
    fbp_step step; /* the first of them; each takes a copy */
} wave;

static void run_block(void *context, size_t i, size_t worker) {
    const wave *w = context;
    const fbp_plan *plan = w->plan;
    fbp_step step = w->step;
    (void)worker;
    step.lane = &plan->lanes[i];
    step.first += i * plan->block_rows;
    const size_t left = step.batch->rows - step.first;
    step.rows = left < plan->block_rows ? left : plan->block_rows;
    step.offset = plan->keeps_rows ? step.first : 0;
    if (w->parts & FBP_FORWARD_PART) run_operations(plan, plan->start_end, plan->forward_end, &step);
    if (w->parts & FBP_BACKWARD_PART) run_operations(plan, plan->forward_end, plan->backward_end, &step);
}

/* Forward and backward, block by block; returns the loss, undivided. Losses and gradients of blocks are added up in
 * the order of the rows, however many of them were under way at the same time. */
static double run_blocks(fbp_plan *plan, unsigned parts, fbp_step step) {
    const fbp_network *network = plan->network;
    const size_t threads = step.threads, lanes = threads > 1 ? plan->n_lanes : 1;
    const size_t n_blocks = (step.batch->rows + plan->block_rows - 1) / plan->block_rows;
    double loss = 0;
    for (size_t block = 0, n; block < n_blocks; block += n) {
        n = n_blocks - block < lanes ? n_blocks - block : lanes;
        step.first = block * plan->block_rows;
        step.adds = plan->n_lanes == 1 && block > 0;
        step.threads = n == 1 ? threads : 1;
        fbp_parallel(threads, n, run_block, &(wave){plan, parts, step});
        for (size_t i = 0; i < n; i++) {
            const fbp_lane *lane = &plan->lanes[i];
            loss += lane->loss;
            if (lane->gradients && parts & FBP_BACKWARD_PART)
                network->kernels->add_gradients(network->gradients, lane->gradients, network->n_parameters,
                                                block + i == 0);
        }
    }
    return loss;
}

double fbp_run(fbp_plan *plan, unsigned parts, const fbp_batch *batch) {
    plan->weight = weight_of(batch);
    const double divisor = divisor_of(plan->network, plan->weight);
    const size_t threads = fbp_threads();
    fbp_step step = {.batch = batch,
                     .lane = plan->lanes,
                     .t = plan->network->t,
                     .threads = threads < plan->threads ? threads : plan->threads,
                     .scale = 1.0 / divisor};
    if (threads > 1) fbp_enter();
    if (parts & FBP_UPDATE_PART) begin_update(plan);
    if (parts & FBP_BACKWARD_PART) run_operations(plan, 0, plan->start_end, &step);
    const double loss = run_blocks(plan, parts, step);
    if (parts & FBP_BACKWARD_PART) run_operations(plan, plan->backward_end, plan->gradient_end, &step);
    if (parts & FBP_UPDATE_PART) run_operations(plan, plan->gradient_end, plan->update_end, &step);
    if (threads > 1) fbp_leave();
    return loss / divisor + step.penalty;
}

/* One training step on the next rows of the epoch; returns its loss. */
static double train_next(fbp_plan *plan, fbp_fit *fit, int is_first) {
    const size_t first = fit->step * fit->batch_size, n = fit->n;
    const fbp_batch batch = {.x = fit->x,
                             .y = fit->y,
                             .weights = fit->weights,
                             .index = fit->order ? fit->order : fit->rows,
                             .first = first,
                             .rows = n - first < fit->batch_size ? n - first : fit->batch_size,
                             .n = n,
                             .is_loaded = !is_first && !fit->order && n <= fit->batch_size && n <= plan->block_rows};
    if (fit->step == 0) {
        fit->sum = fit->weight = 0;
        if (fit->order) fbp_permutation(fit->seed, fit->first_epoch + fit->epoch, fit->order, n);
        for (size_t i = 0; fit->order && fit->rows && i < n; i++) fit->order[i] = fit->rows[fit->order[i]];
    }
    const double loss = fbp_run(plan, FBP_FORWARD_PART | FBP_BACKWARD_PART | FBP_UPDATE_PART, &batch);
    const int summed = plan->network->divisor == FBP_DIVIDE_BY_ONE;
    fit->sum += summed ? loss : loss * plan->weight;
    fit->weight += plan->weight;
    fit->step++;
    if (first + batch.rows == n) {
        fit->losses[fit->epoch++] = summed ? fit->sum : fit->sum / fit->weight;
        fit->step = 0;
    }
    return loss;
}

static int advance(fbp_plan *plan, fbp_fit *fit, size_t until_epoch, double seconds) {
    const double start = fbp_seconds();
    double looked = start; /* at the clock */
    int is_first = 1;
    for (size_t steps = 0, between = 1; fit->epoch < until_epoch; is_first = 0) {
        if (!isfinite(train_next(plan, fit, is_first))) return 0;
        if (++steps < between) continue;
        const double now = fbp_seconds();
        if (now - start >= seconds) break;
        if (now - looked < CLOCK_INTERVAL) between *= 2;
        looked = now;
        steps = 0;
    }
    return 1;
}

int fbp_advance(fbp_plan *plan, fbp_fit *fit, size_t until_epoch, double seconds) {
    fbp_enter(); /* for all of its steps: between them no other thread shall count on this one's CPU */
    const int finite = advance(plan, fit, until_epoch, seconds);
    fbp_leave();
    return finite;
}
