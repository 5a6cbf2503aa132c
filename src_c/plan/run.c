/* A run of a plan on one batch: gather, forward, loss, backward, update; plan.c lists the operations.
 *
 * Work on the weights alone is done once per batch, before and after its blocks of rows. */

#include "plan/plan.h"
#include "system/system.h"

/* Sum of the weights of all rows, in their order, where that of a row is the mean over its targets; 1 per row without
 * weights. */
static double weight_of(const fbp_batch *batch) {
    const size_t columns = batch->weight_columns;
    double sum = 0;
    if (!batch->weights) return (double)(int64_t)batch->rows; /* faster than from unsigned */
    for (size_t i = batch->first; i < batch->first + batch->rows; i++) {
        const double *weights = batch->weights + (batch->index ? (size_t)batch->index[i] : i) * columns;
        for (size_t j = 0; j < columns; j++) sum += weights[j];
    }
    return sum / (double)columns;
}

static double divisor_of(const fbp_network *network, double weight) {
    switch (network->divisor) {
        case FBP_DIVIDE_BY_ROWS: return weight;
        case FBP_DIVIDE_BY_ELEMENTS: return weight * (double)network->layers[network->n_layers - 1].n_out;
        default: return 1.0;
    }
}

static void run_operations(const fbp_plan *plan, size_t begin, size_t end, fbp_step *step) {
    for (; begin < end; begin++) plan->operations[begin].run(step->slot->layers + plan->operations[begin].layer, step);
}

/* Runs forward and backward, whose operations follow each other, on the block of rows that begins at step->first. */
static void run_block(const fbp_plan *plan, unsigned parts, fbp_step *step) {
    const size_t left = step->batch->rows - step->first;
    step->rows = left < plan->block_rows ? left : plan->block_rows;
    step->offset = plan->keeps_rows ? step->first : 0;
    run_operations(plan, parts & FBP_FORWARD_PART ? plan->start_end : plan->forward_end,
                   parts & FBP_BACKWARD_PART ? plan->backward_end : plan->forward_end, step);
}

/* Blocks of rows, one per slot, that threads work on at the same time. */
typedef struct {
    fbp_plan *plan;
    unsigned parts;
    const fbp_step *step; /* for the first block; each block takes a copy */
} wave;

static void run_block_of_wave(void *context, size_t i, size_t worker) {
    const wave *w = context;
    fbp_step step = *w->step;
    (void)worker;
    step.slot = &w->plan->slots[i];
    step.first += i * w->plan->block_rows;
    step.threads = 1;
    run_block(w->plan, w->parts, &step);
}

static void add_gradients(const fbp_plan *plan, const fbp_slot *slot, int is_first) {
    if (slot->gradients && slot->gradients != plan->gradients)
        plan->network->kernels->add_gradients(plan->gradients, slot->gradients, plan->network->n_parameters, is_first);
}

/* Runs forward and backward, block by block; returns the loss, not yet divided. Adds losses and gradients of blocks in
 * the order of the rows, no matter how many blocks run at the same time. */
static double run_blocks(fbp_plan *plan, unsigned parts, fbp_step *step) {
    const size_t rows = step->batch->rows, slots = step->threads > 1 ? plan->n_slots : 1;
    double loss = 0;
    for (size_t n = 1; step->first < rows; step->first += n * plan->block_rows) {
        if (slots > 1) {
            const size_t blocks = (rows - step->first + plan->block_rows - 1) / plan->block_rows;
            n = blocks < slots ? blocks : slots;
        }
        step->adds = plan->n_slots == 1 && step->first > 0;
        if (n == 1) run_block(plan, parts, step);
        else fbp_parallel(step->threads, n, run_block_of_wave, &(wave){plan, parts, step});
        for (size_t i = 0; i < n; i++) {
            loss += plan->slots[i].loss;
            if (parts & FBP_BACKWARD_PART) add_gradients(plan, &plan->slots[i], step->first + i == 0);
        }
    }
    return loss;
}

static fbp_step *begin_step(fbp_plan *plan, const fbp_batch *batch) {
    const size_t threads = plan->threads == 1 ? 1 : fbp_threads();
    plan->weight = weight_of(batch);
    plan->divisor = divisor_of(plan->network, plan->weight);
    plan->step = (fbp_step){.batch = batch,
                            .slot = plan->slots,
                            .t = plan->network->t,
                            .threads = threads < plan->threads ? threads : plan->threads,
                            .scale = 1.0 / plan->divisor};
    return &plan->step;
}

double fbp_run_loaded(fbp_plan *plan, unsigned parts, const fbp_batch *batch) {
    fbp_step *step = begin_step(plan, batch);
    if (step->threads > 1) fbp_enter();
    if (parts & FBP_UPDATE_PART) fbp_begin_update(plan);
    if (parts & FBP_BACKWARD_PART) run_operations(plan, 0, plan->start_end, step);
    const double loss = run_blocks(plan, parts, step);
    run_operations(plan, parts & FBP_BACKWARD_PART ? plan->backward_end : plan->gradient_end,
                   parts & FBP_UPDATE_PART ? plan->update_end : plan->gradient_end, step);
    if (step->threads > 1) fbp_leave();
    return loss / plan->divisor + step->penalty;
}

/* What follows from the rows alone is still there from the last step. */
double fbp_repeat(fbp_plan *plan) {
    fbp_step *step = &plan->step;
    step->first = 0;
    step->t = plan->network->t;
    step->penalty = 0;
    if (step->threads > 1) fbp_enter();
    fbp_begin_update(plan);
    run_operations(plan, 0, plan->start_end, step);
    run_operations(plan, plan->gather_end, plan->backward_end, step);
    add_gradients(plan, plan->slots, 1);
    run_operations(plan, plan->backward_end, plan->update_end, step);
    if (step->threads > 1) fbp_leave();
    return plan->slots->loss / plan->divisor + step->penalty;
}

double fbp_run(fbp_plan *plan, unsigned parts, const fbp_batch *batch) {
    fbp_load_parameters(plan);
    const double loss = fbp_run_loaded(plan, parts, batch);
    fbp_store_parameters(plan);
    return loss;
}
