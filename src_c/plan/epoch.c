/* Epochs of training: one step after the other, until enough epochs are complete or enough time has passed. */

#include <math.h>

#include "plan/plan.h"
#include "system/system.h"

#define CLOCK_INTERVAL 1e-3 /* seconds between two readings of the clock, roughly */

/* Writes the order of the rows in the present epoch; `order` is not NULL. */
static void draw_order(fbp_fit *fit) {
    fbp_permutation(fit->seed, fit->first_epoch + fit->epoch, fit->order, fit->n);
    for (size_t i = 0; fit->rows && i < fit->n; i++) fit->order[i] = fit->rows[fit->order[i]];
}

/* Trains one step on the next rows of the epoch; returns its loss. `batch` is that of the step before, if there was
 * one. */
static double train_next(fbp_plan *plan, fbp_fit *fit, fbp_batch *batch, int is_first) {
    const size_t first = fit->step * fit->batch_size, n = fit->n;
    const int repeats = !is_first && !fit->order && n <= fit->batch_size && n <= plan->block_rows && !plan->noisy;
    if (!repeats)
        *batch = (fbp_batch){.x = fit->x,
                             .y = fit->y,
                             .weights = fit->weights,
                             .index = fit->order ? fit->order : fit->rows,
                             .first = first,
                             .rows = n - first < fit->batch_size ? n - first : fit->batch_size,
                             .n = n,
                             .weight_columns = fit->weight_columns};
    if (fit->step == 0) {
        fit->sum = fit->weight = 0;
        if (fit->order) draw_order(fit);
    }
    const unsigned parts = FBP_FORWARD_PART | FBP_BACKWARD_PART | FBP_UPDATE_PART;
    const double loss = repeats ? fbp_repeat(plan) : fbp_run_loaded(plan, parts, batch);
    const int summed = plan->network->divisor == FBP_DIVIDE_BY_ONE;
    fit->sum += summed ? loss : loss * plan->weight;
    fit->weight += plan->weight;
    fit->step++;
    if (first + batch->rows == n) {
        fit->losses[fit->epoch++] = summed ? fit->sum : fit->sum / fit->weight;
        fit->step = 0;
    }
    return loss;
}

static int advance(fbp_plan *plan, fbp_fit *fit, size_t until_epoch, double seconds) {
    const double start = fbp_seconds();
    double looked = start; /* when the clock was last read */
    fbp_batch batch;
    int is_first = 1;
    for (size_t steps = 0, between = 1; fit->epoch < until_epoch; is_first = 0) {
        if (!isfinite(fit->batch_loss = train_next(plan, fit, &batch, is_first))) return 0;
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
    fbp_enter(); /* once for all steps, so that this thread counts as busy between them, too */
    fbp_load_parameters(plan);
    const int finite = advance(plan, fit, until_epoch, seconds);
    fbp_store_parameters(plan);
    fbp_leave();
    return finite;
}

void fbp_resume(fbp_fit *fit, size_t epoch, size_t step, double sum, double weight) {
    fit->epoch = epoch;
    fit->step = step;
    fit->sum = sum;
    fit->weight = weight;
    if (step > 0 && fit->order) draw_order(fit); /* otherwise the first step of the epoch does */
}
