/* Epochs of training: one step after the other, until enough epochs are complete or enough time has passed. */

#include <math.h>

#include "plan/plan.h"
#include "system/system.h"

#define CLOCK_INTERVAL 1e-3 /* seconds between two readings of the clock, roughly */

/* Looks for numbers in the batch that are not finite, in x and y where that was not done before the fit. Notes the row
 * of one and returns 0, or returns 1. */
static int check(const fbp_plan *plan, fbp_fit *fit, const fbp_batch *batch) {
    const fbp_source *const sources[] = {fit->checked & FBP_CHECK_X ? fit->x : NULL,
                                         fit->checked & FBP_CHECK_Y ? fit->y : NULL};
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        if (!sources[i]) continue;
        const int64_t bad =
            fbp_first_nonfinite_in(sources[i], batch->index, batch->first, batch->rows, fbp_dtype_of(plan));
        if (bad < 0) continue;
        const size_t place = batch->first + (size_t)bad / sources[i]->columns;
        fit->bad_row = batch->index ? batch->index[place] : (int64_t)place;
        return 0;
    }
    return 1;
}

/* Takes the next rows of the epoch; returns 0 if they have a number that is not finite. */
static int take_batch(const fbp_plan *plan, fbp_fit *fit, fbp_batch *batch) {
    if (fit->step == 0 && fit->order) fbp_begin_order(fit);
    *batch = (fbp_batch){.x = fit->x, .y = fit->y, .weights = fit->weights, .weight_columns = fit->weight_columns};
    fbp_find_batch(fit, batch);
    return !fit->checked || check(plan, fit, batch);
}

/* Whether each step takes the same rows, which stay in the workspace. */
static int repeats_batch(const fbp_plan *plan, const fbp_fit *fit) {
    return !fit->order && fit->n <= fit->batch_size && fit->n <= plan->block_rows && !plan->noisy;
}

/* Trains one step on the batch; returns its loss. */
static double train(fbp_plan *plan, fbp_fit *fit, const fbp_batch *batch, int repeats) {
    if (fit->step == 0) fit->sum = fit->weight = 0;
    const unsigned parts = FBP_FORWARD_PART | FBP_BACKWARD_PART | FBP_UPDATE_PART;
    const double loss = repeats ? fbp_repeat(plan) : fbp_run_loaded(plan, parts, batch);
    const int summed = plan->network->divisor == FBP_DIVIDE_BY_ONE;
    fit->sum += summed ? loss : loss * plan->weight;
    fit->weight += plan->weight;
    fit->step++;
    if ((fit->step - 1) * fit->batch_size + batch->rows == fit->n) {
        fit->losses[fit->epoch++] = summed ? fit->sum : fit->sum / fit->weight;
        fit->step = 0;
    }
    return loss;
}

static fbp_advanced advance(fbp_plan *plan, fbp_fit *fit, size_t until_epoch, double seconds) {
    const double start = fbp_seconds();
    double looked = start; /* when the clock was last read */
    fbp_batch batch;
    int is_first = 1;
    for (size_t steps = 0, between = 1; fit->epoch < until_epoch; is_first = 0) {
        const int repeats = !is_first && repeats_batch(plan, fit);
        if (!repeats && !take_batch(plan, fit, &batch)) return FBP_BAD_ROW;
        if (!isfinite(fit->batch_loss = train(plan, fit, &batch, repeats))) return FBP_NOT_FINITE;
        if (++steps < between) continue;
        const double now = fbp_seconds();
        if (now - start >= seconds) break;
        if (now - looked < CLOCK_INTERVAL) between *= 2;
        looked = now;
        steps = 0;
    }
    return FBP_ADVANCED;
}

fbp_advanced fbp_advance(fbp_plan *plan, fbp_fit *fit, size_t until_epoch, double seconds) {
    fbp_enter(); /* once for all steps, so that this thread counts as busy between them, too */
    fbp_load_parameters(plan);
    const fbp_advanced advanced = advance(plan, fit, until_epoch, seconds);
    fbp_store_parameters(plan);
    fbp_leave();
    return advanced;
}

void fbp_resume(fbp_fit *fit, size_t epoch, size_t step, double sum, double weight) {
    fit->epoch = epoch;
    fit->step = step;
    fit->sum = sum;
    fit->weight = weight;
    if (step > 0 && fit->order) fbp_begin_order(fit); /* otherwise the first step of the epoch does */
}
