/* From a network and a task to a short array of operations and the one block of memory they work in. What is not used
 * adds no operation, hence no branch in a step. */

#include <stdlib.h>
#include <string.h>

#include "kernels.h"

/* Between two arrays: nothing, or, for AddressSanitizer to notice who runs over the end of one, forbidden ground. */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
enum { ALIGNMENT = 64, GAP = 64 };
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
enum { ALIGNMENT = 64, GAP = 0 };
#endif

/* ---- memory: an arena, measured by a first walk over the layout, filled by a second ------------------------------ */

static size_t allocations_to_failure;

void fbp_fail_allocation(size_t n) { allocations_to_failure = n; }

static void *allocate(size_t bytes) {
    if (allocations_to_failure && --allocations_to_failure == 0) return NULL;
    return calloc(1, bytes);
}

typedef struct {
    char *base; /* NULL on the first walk */
    size_t used;
    int overflow;
} arena;

static void *take(arena *a, size_t count, size_t size) {
    enum { ROOM = 2 * ALIGNMENT + GAP - 1 }; /* to align the next array, and the whole */
    size_t bytes, end;
    if (__builtin_mul_overflow(count, size, &bytes) || __builtin_add_overflow(a->used, bytes, &end) ||
        end > SIZE_MAX - ROOM) {
        a->overflow = 1;
        return NULL;
    }
    const size_t next = (end + GAP + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    char *taken = a->base ? a->base + a->used : NULL;
    if (taken) ASAN_POISON_MEMORY_REGION(taken + bytes, next - end);
    a->used = next;
    return taken;
}

/* ---- data movers ------------------------------------------------------------------------------------------------- */

static fbp_dtype dtype_of(const fbp_plan *plan) {
    return plan->network->kernels->real_size == sizeof(float) ? FBP_FLOAT32 : FBP_FLOAT64;
}

static size_t output_bytes(const fbp_dense *layer, size_t rows) {
    return rows * layer->n_out * layer->plan->network->kernels->real_size;
}

static void gather_inputs(const fbp_dense *layer, fbp_step *step) {
    const fbp_plan *plan = layer->plan;
    char *to = (char *)plan->inputs + step->offset * layer->x_stride * plan->network->kernels->real_size;
    fbp_gather(step->batch->x, step->batch->index, step->batch->first + step->first, step->rows, dtype_of(plan), to,
               layer->x_stride);
}

static void gather_targets(const fbp_dense *layer, fbp_step *step) {
    const fbp_plan *plan = layer->plan;
    const fbp_batch *batch = step->batch;
    if (plan->labels) fbp_gather_labels(batch->y, batch->index, batch->first + step->first, step->rows, plan->labels);
    else
        fbp_gather(batch->y, batch->index, batch->first + step->first, step->rows, dtype_of(plan), plan->targets,
                   layer->n_out);
}

/* y to the caller's array */
static void emit(const fbp_dense *layer, fbp_step *step) {
    memcpy((char *)step->batch->output + output_bytes(layer, step->first),
           (const char *)layer->y + output_bytes(layer, step->offset), output_bytes(layer, step->rows));
}

/* dJ/dy from the caller's array */
static void take_d_output(const fbp_dense *layer, fbp_step *step) {
    memcpy((char *)layer->delta + output_bytes(layer, step->offset),
           (const char *)step->batch->d_output + output_bytes(layer, step->first), output_bytes(layer, step->rows));
}

/* ---- the plan ---------------------------------------------------------------------------------------------------- */

size_t fbp_block_rows(const fbp_layer *layers, size_t n_layers) {
    size_t widest = layers[0].n_in;
    for (size_t l = 0; l < n_layers; l++) widest = layers[l].n_out > widest ? layers[l].n_out : widest;
    const size_t rows = 65536 / widest / 64 * 64;
    return rows < 512 ? 512 : rows > 4096 ? 4096 : rows;
}

static int has_loss(fbp_task task) { return task != FBP_PREDICT && task != FBP_OWN_LOSS; }

static int has_backward(fbp_task task) { return task != FBP_PREDICT && task != FBP_EVALUATE; }

/* Is the output activation part of the loss? Then the last layer makes logits, and the loss its joint delta. */
static int is_joined(const fbp_network *network, fbp_task task) {
    const fbp_layer *output = &network->layers[network->n_layers - 1];
    return has_loss(task) && !strcmp(fbp_loss_rows[network->loss].link, fbp_activation_rows[output->activation].name);
}

/* The layers' views of the parameters. */
static void view_parameters(fbp_plan *plan) {
    const fbp_network *network = plan->network;
    const size_t size = network->kernels->real_size;
    size_t offset = 0;
    for (size_t l = 0; l < network->n_layers; l++) {
        const fbp_layer *from = &network->layers[l];
        fbp_dense *layer = &plan->layers[l];
        layer->n_in = from->n_in;
        layer->n_out = from->n_out;
        layer->offset = offset;
        layer->activation = &network->kernels->activations[from->activation];
        layer->alpha = from->alpha;
        layer->W = (char *)network->parameters + offset * size;
        layer->b = (char *)layer->W + from->n_in * from->n_out * size;
        if (!plan->fused && network->gradients) layer->dW = (char *)network->gradients + offset * size;
        layer->previous = l > 0 ? layer - 1 : NULL;
        layer->plan = plan;
        offset += (from->n_in + 1) * from->n_out;
    }
    for (size_t i = 0; i < fbp_optimizer_rows[network->optimizer].states; i++) {
        plan->state[i] = (char *)network->state + i * network->n_parameters * size;
    }
}

/* Elements from row to row of inputs and hidden units. Rows a multiple of 1 KB apart would share sets of the cache. */
static size_t padded(size_t n, size_t size) { return n * size % 1024 == 0 ? n + ALIGNMENT / size : n; }

/* The arrays of the workspace, `rows` rows of each. A pass without a way back keeps the outputs of two layers only. */
static void lay_out(fbp_plan *plan, fbp_task task, size_t rows, int labels, arena *a) {
    const fbp_network *network = plan->network;
    const size_t size = network->kernels->real_size, last = network->n_layers - 1;
    void *outputs[2] = {NULL, NULL};
    size_t widest = 0, longest = 0; /* layer; row of outputs: padded() is not monotonic */

    for (size_t l = 0; l <= last; l++) {
        const size_t n_in = plan->layers[l].n_in, n_out = plan->layers[l].n_out, row = padded(n_out, size);
        if (n_in > widest) widest = n_in;
        if (n_out > widest) widest = n_out;
        if (row > longest) longest = row;
    }
    const size_t depth = has_backward(task) && plan->block_rows > widest ? plan->block_rows : widest;
    void *scratch = take(a, 1, network->kernels->scratch_bytes(depth, widest));
    plan->inputs = take(a, rows, padded(plan->layers[0].n_in, size) * size);
    if (labels) plan->labels = take(a, rows, sizeof *plan->labels);
    else if (has_loss(task)) plan->targets = take(a, rows, plan->layers[last].n_out * size);
    for (size_t i = 0; i < 2 && !has_backward(task); i++) outputs[i] = take(a, rows, longest * size);

    for (size_t l = 0; l <= last; l++) {
        fbp_dense *layer = &plan->layers[l];
        layer->scratch = scratch;
        layer->x = layer->previous ? layer->previous->y : plan->inputs;
        layer->x_stride = layer->previous ? layer->previous->y_stride : padded(layer->n_in, size);
        layer->y_stride = l == last ? layer->n_out : padded(layer->n_out, size);
        layer->y = has_backward(task) ? take(a, rows, layer->y_stride * size) : outputs[l % 2];
        if (has_backward(task) && layer->activation->saves_slope) layer->slope = take(a, rows, layer->y_stride * size);
        layer->saved = layer->slope ? layer->slope : layer->y;
        if (has_backward(task) || (l == last && has_loss(task))) layer->delta = take(a, rows, layer->y_stride * size);
    }
}

static void append(fbp_plan *plan, size_t *n, fbp_operation *run, const fbp_dense *layer) {
    plan->operations[(*n)++] = (struct operation){run, layer};
}

static void list_operations(fbp_plan *plan, fbp_task task, int joined) {
    const fbp_network *network = plan->network;
    const fbp_kernels *kernels = network->kernels;
    const size_t last = network->n_layers - 1;
    const fbp_dense *output = &plan->layers[last];
    const int has_output = task == FBP_PREDICT || task == FBP_OWN_LOSS;
    const fbp_activation_id activation = joined ? FBP_ACTIVATION_identity : network->layers[last].activation;
    size_t n = 0;

    append(plan, &n, gather_inputs, &plan->layers[0]);
    for (size_t l = 0; l <= last; l++) append(plan, &n, kernels->forward, &plan->layers[l]);
    if (activation == FBP_ACTIVATION_softmax) append(plan, &n, kernels->softmax, output);
    if (has_output) {
        append(plan, &n, emit, output);
    } else {
        append(plan, &n, gather_targets, output);
        append(plan, &n, kernels->losses[network->loss], output);
    }
    plan->forward_end = n;

    if (has_backward(task)) {
        if (task == FBP_OWN_LOSS) append(plan, &n, take_d_output, output);
        if (activation == FBP_ACTIVATION_softmax) append(plan, &n, kernels->softmax_chain, output);
        else if (activation != FBP_ACTIVATION_identity) append(plan, &n, kernels->output_chain, output);
        for (size_t l = last + 1; l-- > 0;) {
            const fbp_dense *layer = &plan->layers[l]; /* dJ/dx first: the update may follow on the heels of dW */
            if (layer->previous || task == FBP_OWN_LOSS) append(plan, &n, kernels->backward_input, layer);
            append(plan, &n, kernels->backward_weights, layer);
        }
    }
    plan->backward_end = n;
    if (has_backward(task) && !plan->fused) append(plan, &n, kernels->update, &plan->layers[0]);
    plan->update_end = n;
}

fbp_plan *fbp_plan_new(fbp_network *network, fbp_task task, size_t rows, int labels) {
    enum { OTHER_OPERATIONS = 8 };
    const size_t block = fbp_block_rows(network->layers, network->n_layers), n = network->n_layers;
    const int joined = is_joined(network, task);
    fbp_plan *plan =
        allocate(sizeof *plan + n * sizeof(fbp_dense) + (3 * n + OTHER_OPERATIONS) * sizeof(struct operation));
    if (!plan) return NULL;
    plan->network = network;
    plan->layers = (fbp_dense *)(plan + 1);
    plan->operations = (struct operation *)(plan->layers + n);
    plan->block_rows = rows < block ? rows : block;
    plan->keeps_rows = task == FBP_OWN_LOSS;
    plan->fused = task == FBP_TRAIN && rows <= block;
    view_parameters(plan);
    if (joined) plan->layers[n - 1].activation = &network->kernels->activations[FBP_ACTIVATION_identity];
    list_operations(plan, task, joined);

    arena a = {0};
    const size_t capacity = plan->keeps_rows ? rows : plan->block_rows;
    lay_out(plan, task, capacity, labels, &a);
    plan->memory = a.overflow ? NULL : allocate(a.used + ALIGNMENT);
    if (!plan->memory) {
        fbp_plan_free(plan);
        return NULL;
    }
    a.base = (char *)plan->memory + (ALIGNMENT - (uintptr_t)plan->memory % ALIGNMENT);
    a.used = 0;
    lay_out(plan, task, capacity, labels, &a);
    return plan;
}

void fbp_plan_free(fbp_plan *plan) {
    if (plan) free(plan->memory);
    free(plan);
}
