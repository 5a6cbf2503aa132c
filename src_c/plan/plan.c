/* Plans: lists of the operations that a task takes on a network.
 *
 * An unused option adds no operation, so a step does not test for it. */

#include <stdlib.h>
#include <string.h>

#include "plan/arena.h"
#include "plan/plan.h"

static void append(fbp_plan *plan, size_t *n, fbp_operation *run, size_t layer) {
    plan->operations[(*n)++] = (fbp_planned){run, layer};
}

static void list_gathers(fbp_plan *plan, size_t *n, fbp_task task, unsigned data) {
    const size_t output = plan->network->n_layers - 1;
    append(plan, n, fbp_gather_inputs, 0);
    if (fbp_has_output(task)) return;
    append(plan, n, data & FBP_LABELS ? fbp_gather_block_labels : fbp_gather_targets, output);
    if (data & FBP_WEIGHTS) append(plan, n, fbp_gather_weights, output);
    if (plan->network->outputs_per_target == 1) return;
    append(plan, n, plan->network->kernels->repeat_targets, output);
    if (data & FBP_TARGET_WEIGHTS) append(plan, n, plan->network->kernels->repeat_weights, output);
}

/* y := f(z), slope := f'(z) by the caller's function; the forward pass has written z and ones. */
static void call_custom(const fbp_dense *layer, fbp_step *step) {
    const fbp_plan *plan = layer->plan;
    const fbp_network *network = plan->network;
    const size_t at = step->offset * layer->y_stride * network->kernels->real_size;
    network->custom->function(network->custom->context, plan, (size_t)(layer->options - network->layers),
                              (char *)layer->y + at, layer->slope ? (char *)layer->slope + at : NULL, step->rows,
                              layer->n_out, layer->y_stride);
}

/* Forward pass and loss. */
static void list_forward(fbp_plan *plan, size_t *n, fbp_task task, unsigned data) {
    const fbp_network *network = plan->network;
    const fbp_kernels *kernels = network->kernels;
    const size_t output = network->n_layers - 1;
    if (plan->noisy) append(plan, n, kernels->add_noise, 0);
    for (size_t l = 0; l <= output; l++) {
        append(plan, n,
               plan->narrow             ? kernels->forward_narrow
               : plan->sparse && l == 0 ? kernels->forward_sparse
                                        : kernels->forward,
               l);
        if (network->layers[l].activation == FBP_CUSTOM) append(plan, n, call_custom, l);
        if (fbp_has_dropout(&network->layers[l], task)) append(plan, n, kernels->dropout, l);
    }
    if (plan->has_softmax) append(plan, n, plan->narrow ? kernels->softmax_narrow : kernels->softmax, output);
    append(plan, n,
           fbp_has_output(task)           ? (data & FBP_RAW ? fbp_emit_raw : fbp_emit)
           : task == FBP_NORMAL_EQUATIONS ? kernels->normal_equations
                                          : plan->loss,
           output);
}

static void list_backward(fbp_plan *plan, size_t *n, fbp_task task, unsigned data) {
    const fbp_network *network = plan->network;
    const fbp_kernels *kernels = network->kernels;
    const size_t output = network->n_layers - 1;
    const int is_identity = plan->joined || network->layers[output].activation == FBP_ACTIVATION_identity;
    if (task == FBP_CUSTOM_LOSS) append(plan, n, data & FBP_RAW ? fbp_take_raw_d_output : fbp_take_d_output, output);
    if (plan->has_softmax) append(plan, n, kernels->softmax_chain, output);
    else if (!is_identity) append(plan, n, kernels->output_chain, output);
    for (size_t l = output + 1; l-- > 0;) { /* dJ/dx first, because a fused update changes W along with dW */
        if (l > plan->lowest || task == FBP_CUSTOM_LOSS) append(plan, n, kernels->backward_input, l);
        if (!network->layers[l].frozen)
            append(plan, n, plan->sparse && l == 0 ? kernels->backward_weights_sparse : kernels->backward_weights, l);
    }
}

/* Sets the stored gradients of a frozen layer to 0. */
static void clear_gradients(const fbp_dense *layer, fbp_step *step) {
    const size_t size = layer->plan->network->kernels->real_size;
    (void)step;
    memset((char *)layer->plan->gradients + layer->offset * size, 0,
           fbp_parameter_rows(layer->options) * layer->n_out * size);
}

static void list_operations(fbp_plan *plan, fbp_task task, unsigned data) {
    const fbp_network *network = plan->network;
    const fbp_kernels *kernels = network->kernels;
    const size_t output = network->n_layers - 1;
    size_t n = 0;

    for (size_t l = 0; l <= output; l++) {
        if (fbp_has_penalty(&network->layers[l], task)) append(plan, &n, kernels->penalty, l);
    }
    plan->start_end = n;
    list_gathers(plan, &n, task, data);
    plan->gather_end = n;

    if (plan->is_padded || (plan->narrow && fbp_trains(task))) {
        /* one operation for both passes, which take hardly longer than calls */
        append(plan, &n, plan->is_padded ? kernels->passes_row : kernels->passes_narrow, 0);
        plan->forward_end = n;
    } else {
        list_forward(plan, &n, task, data);
        plan->forward_end = n;
        if (fbp_trains(task)) list_backward(plan, &n, task, data);
    }
    plan->backward_end = n;

    for (size_t l = 0; l <= output && !plan->fused; l++) {
        if (fbp_has_penalty(&network->layers[l], task)) append(plan, &n, kernels->penalty_gradient, l);
        if (fbp_trains(task) && !plan->updates && network->layers[l].frozen) append(plan, &n, clear_gradients, l);
    }
    plan->gradient_end = n;

    if (fbp_trains(task) && !plan->fused)
        append(plan, &n, fbp_clips(network) ? kernels->update_clipped : kernels->update_all, 0);
    for (size_t l = 0; l <= output; l++) {
        if (fbp_has_max_norm(&network->layers[l], task)) append(plan, &n, kernels->max_norm, l);
    }
    if (fbp_trains(task) && network->average) append(plan, &n, kernels->average, 0);
    plan->update_end = n;
}

/* Lists the parameters that stored updates go through: neighboring layers together if they have one learning rate. */
static void list_segments(fbp_plan *plan) {
    const fbp_network *network = plan->network;
    fbp_segment *end = plan->segments;
    if (plan->is_padded) *end++ = (fbp_segment){0, plan->n_parameters, plan->scalars};
    for (size_t l = 0; l < network->n_layers && !plan->is_padded; l++) {
        const fbp_layer *layer = &network->layers[l];
        const fbp_dense *dense = &plan->slots->layers[l];
        fbp_segment *last = end > plan->segments ? end - 1 : NULL;
        const size_t n = fbp_parameter_rows(layer) * layer->n_out;
        if (layer->frozen) continue;
        if (last && last->offset + last->n == dense->offset && last->scalars == dense->scalars) last->n += n;
        else *end++ = (fbp_segment){dense->offset, n, dense->scalars};
    }
    plan->segments_end = end;
}

static fbp_operation *loss_of(const fbp_plan *plan, unsigned data) {
    const fbp_network *network = plan->network;
    if (plan->narrow && network->loss == FBP_LOSS_cross_entropy) return network->kernels->cross_entropy_narrow;
    return network->kernels->losses[network->loss][data & FBP_WEIGHTS ? 1 : 0];
}

fbp_plan *fbp_plan_new(fbp_network *network, fbp_task task, size_t rows, unsigned data, size_t entries) {
    enum { LAYER_OPERATIONS = 8, OTHER_OPERATIONS = 12 };
    const size_t block = fbp_task_block_rows(network, task), n = network->n_layers;
    const size_t threads = fbp_threads(), most_slots = fbp_most_slots(threads);
    const int has_factors = fbp_trains(task) && fbp_has_factors(network);
    fbp_plan *plan = fbp_allocate(sizeof *plan + most_slots * (sizeof(fbp_slot) + n * sizeof(fbp_dense)) +
                                  (LAYER_OPERATIONS * n + OTHER_OPERATIONS) * sizeof(fbp_planned) +
                                  n * (sizeof(fbp_segment) + (has_factors ? sizeof *plan->layer_scalars : 0)));
    if (!plan) return NULL;
    plan->network = network;
    plan->threads = threads;
    plan->slots = (fbp_slot *)(plan + 1);
    fbp_dense *layers = (fbp_dense *)(plan->slots + most_slots);
    for (size_t i = 0; i < most_slots; i++) plan->slots[i].layers = layers + i * n;
    plan->operations = (fbp_planned *)(layers + most_slots * n);
    plan->segments = (fbp_segment *)(plan->operations + LAYER_OPERATIONS * n + OTHER_OPERATIONS);
    if (has_factors) plan->layer_scalars = (double (*)[FBP_MAX_SCALARS])(plan->segments + n);
    plan->lowest = fbp_lowest_trained(network, task);
    plan->block_rows = rows == 0 ? 1 : rows < block ? rows : block;
    plan->keeps_rows = task == FBP_CUSTOM_LOSS;
    plan->noisy = fbp_has_noise(network, task);
    plan->joined = fbp_is_joined(network, task);
    plan->narrow = fbp_is_narrow(network, task, rows);
    plan->updates = fbp_is_fused(network, task, rows);
    plan->is_padded = fbp_is_padded(network, task, rows);
    plan->fused = plan->updates && !plan->narrow && !plan->is_padded;
    plan->sparse = fbp_is_sparse(network, task, rows, data, entries);
    plan->parameters = network->parameters;
    plan->n_parameters = network->n_parameters;
    plan->has_softmax = !plan->joined && network->layers[n - 1].activation == FBP_ACTIVATION_softmax;
    plan->loss = loss_of(plan, data);
    for (size_t i = 0; i < fbp_optimizer_rows[network->optimizer].states; i++) {
        plan->state[i] = (char *)network->state + i * network->n_parameters * network->kernels->real_size;
    }
    list_operations(plan, task, data);
    if (!fbp_lay_out(plan, task, rows, data, entries)) {
        fbp_plan_free(plan);
        return NULL;
    }
    list_segments(plan);
    return plan;
}

size_t fbp_plan_bytes(const fbp_plan *plan) { return plan->bytes; }

void fbp_plan_free(fbp_plan *plan) {
    if (plan) free(plan->memory);
    free(plan);
}
