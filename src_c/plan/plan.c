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

/* Elements from row to row of inputs and hidden units. Rows a multiple of 1 KB apart would share sets of the cache. */
static size_t padded(size_t n, size_t size) { return n * size % 1024 == 0 ? n + ALIGNMENT / size : n; }

/* ---- data movers ------------------------------------------------------------------------------------------------- */

static fbp_dtype dtype_of(const fbp_plan *plan) {
    return plan->network->kernels->real_size == sizeof(float) ? FBP_FLOAT32 : FBP_FLOAT64;
}

static size_t output_bytes(const fbp_dense *layer, size_t rows) {
    return rows * layer->n_out * layer->plan->network->kernels->real_size;
}

static int overlap(const void *a, size_t a_bytes, const void *b, size_t b_bytes) {
    return (uintptr_t)a < (uintptr_t)b + b_bytes && (uintptr_t)b < (uintptr_t)a + a_bytes;
}

/* Are these bytes among those that a step writes before it has read all of its rows? */
static int is_written(const fbp_network *network, const void *data, size_t bytes) {
    const size_t all = network->n_parameters * network->kernels->real_size;
    return overlap(data, bytes, network->parameters, all) ||
           (network->gradients && overlap(data, bytes, network->gradients, all));
}

/* Rows that are what the kernels take stay where they are, unless the way back may come after the caller has let go of
 * them, or they share sets of the cache, or are the network's own numbers. */
static void gather_inputs(const fbp_dense *layer, fbp_step *step) {
    const fbp_plan *plan = layer->plan;
    const fbp_batch *batch = step->batch;
    const fbp_dtype dtype = dtype_of(plan);
    const size_t size = plan->network->kernels->real_size, first = batch->first + step->first;
    fbp_dense *own = step->lane->layers;
    if (batch->is_loaded && !plan->noisy) return;
    if (!plan->narrow && !plan->keeps_rows && !plan->noisy) {
        own->x = fbp_rows_in_place(batch->x, batch->index, first, dtype, &own->x_stride);
        if (own->x && padded(own->x_stride, size) == own->x_stride &&
            !is_written(plan->network, own->x, step->rows * own->x_stride * size))
            return;
        own->x = step->lane->inputs;
        own->x_stride = padded(own->n_in, size);
    }
    char *to = (char *)step->lane->inputs + step->offset * own->x_stride * size;
    (plan->narrow ? fbp_gather_columns : fbp_gather)(batch->x, batch->index, first, step->rows, dtype, to,
                                                     own->x_stride);
}

/* The block's rows of a source of n_out columns, as the last layer's y stands */
static void gather_outputs(const fbp_dense *layer, const fbp_step *step, const fbp_source *source, void *out) {
    const fbp_batch *batch = step->batch;
    if (batch->is_loaded) return;
    (layer->plan->narrow ? fbp_gather_columns : fbp_gather)(source, batch->index, batch->first + step->first,
                                                            step->rows, dtype_of(layer->plan), out, layer->y_stride);
}

static void gather_targets(const fbp_dense *layer, fbp_step *step) {
    gather_outputs(layer, step, step->batch->y, step->lane->targets);
}

static void gather_labels(const fbp_dense *layer, fbp_step *step) {
    const fbp_batch *batch = step->batch;
    (void)layer;
    if (!batch->is_loaded)
        fbp_gather_labels(batch->y, batch->index, batch->first + step->first, step->rows, step->lane->labels);
}

/* A row's weight goes beside each of its targets. */
static void gather_weights(const fbp_dense *layer, fbp_step *step) {
    const fbp_source weights = {.data = (const char *)step->batch->weights,
                                .row_stride = sizeof(double),
                                .rows = step->batch->x->rows,
                                .columns = layer->n_out,
                                .type = FBP_SOURCE_F64};
    gather_outputs(layer, step, &weights, step->lane->weights);
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

static size_t widest_layer(const fbp_layer *layers, size_t n_layers) {
    size_t widest = layers[0].n_in;
    for (size_t l = 0; l < n_layers; l++) widest = layers[l].n_out > widest ? layers[l].n_out : widest;
    return widest;
}

size_t fbp_block_rows(const fbp_layer *layers, size_t n_layers) {
    const size_t rows = 65536 / widest_layer(layers, n_layers) / 64 * 64;
    return rows < 512 ? 512 : rows > 4096 ? 4096 : rows;
}

/* A block of J is bounded, too. */
static size_t block_rows(const fbp_network *network, fbp_task task) {
    enum { JACOBIAN_BYTES = 16 << 20, LEAST = 64 };
    const size_t block = fbp_block_rows(network->layers, network->n_layers);
    const size_t rows = JACOBIAN_BYTES / network->kernels->real_size / (network->n_parameters + 1);
    return task != FBP_NORMAL || rows > block ? block : rows > LEAST ? rows : LEAST;
}

static int has_loss(fbp_task task) { return task != FBP_PREDICT && task != FBP_OWN_LOSS; }

static int has_backward(fbp_task task) { return task != FBP_PREDICT && task != FBP_EVALUATE; }

static int trains(fbp_task task) { return has_backward(task) && task != FBP_NORMAL; }

/* Is the output activation part of the loss? Then the last layer makes logits, and the loss its joint delta. */
static int is_joined(const fbp_network *network, fbp_task task) {
    const fbp_layer *output = &network->layers[network->n_layers - 1];
    return has_loss(task) && !strcmp(fbp_loss_rows[network->loss].link, fbp_activation_rows[output->activation].name);
}

/* Clipping looks at the whole gradient. */
static int clips(const fbp_network *network) { return network->clip_value > 0 || network->clip_norm > 0; }

int fbp_is_fused(const fbp_network *network, fbp_task task, size_t rows) {
    return task == FBP_TRAIN && rows <= fbp_block_rows(network->layers, network->n_layers) && !clips(network);
}

static int has_noise(const fbp_network *network, fbp_task task) { return trains(task) && network->input_noise > 0; }

static int has_dropout(const fbp_layer *layer, fbp_task task) { return trains(task) && layer->dropout > 0; }

static int has_penalty(const fbp_layer *layer, fbp_task task) { return trains(task) && fbp_is_penalised(layer); }

/* Of the rows that the random numbers are drawn for. */
static int is_random(const fbp_network *network, fbp_task task) {
    for (size_t l = 0; l < network->n_layers; l++) {
        if (has_dropout(&network->layers[l], task)) return 1;
    }
    return has_noise(network, task);
}

/* Softmax, random numbers and the caller's own arrays want rows of units. */
static int is_narrow(const fbp_network *network, fbp_task task) {
    return has_loss(task) && task != FBP_NORMAL && !is_random(network, task) &&
           network->loss != FBP_LOSS_cross_entropy &&
           network->layers[network->n_layers - 1].activation != FBP_ACTIVATION_softmax &&
           widest_layer(network->layers, network->n_layers) <= FBP_NARROW;
}

/* The lane's views of the parameters. */
static void view_parameters(fbp_plan *plan, fbp_lane *lane, fbp_task task) {
    const fbp_network *network = plan->network;
    const size_t size = network->kernels->real_size;
    char *const gradients = plan->fused ? NULL : lane->gradients ? lane->gradients : network->gradients;
    size_t offset = 0;
    for (size_t l = 0; l < network->n_layers; l++) {
        const fbp_layer *from = &network->layers[l];
        fbp_dense *layer = &lane->layers[l];
        layer->n_in = from->n_in;
        layer->n_out = from->n_out;
        layer->offset = offset;
        layer->options = from;
        layer->activation =
            network->kernels
                ->activations[plan->joined && l + 1 == network->n_layers ? FBP_ACTIVATION_identity : from->activation];
        if (has_dropout(from, task)) { /* y no longer tells f' */
            layer->activation.saves_slope = 1;
            layer->activation.chain = network->kernels->chain_slope;
        }
        layer->alpha = from->alpha;
        layer->W = (char *)network->parameters + offset * size;
        layer->b = (char *)layer->W + from->n_in * from->n_out * size;
        layer->dW = gradients ? gradients + offset * size : NULL;
        layer->previous = l > 0 ? layer - 1 : NULL;
        layer->plan = plan;
        offset += (from->n_in + 1) * from->n_out;
    }
}

/* Takes an array of n units for `rows` rows, where those are `stride` apart; transposed in narrow networks. */
static void *take_units(const fbp_plan *plan, arena *a, size_t n, size_t rows, size_t stride) {
    const size_t size = plan->network->kernels->real_size;
    return plan->narrow ? take(a, n, stride * size) : take(a, rows, stride * size);
}

/* The arrays of a lane, for `rows` rows. Lanes beside each other have gradients of their own. A pass without a way back
 * keeps the outputs of two layers only. */
static void lay_out_lane(fbp_plan *plan, fbp_lane *lane, fbp_task task, size_t rows, unsigned data, arena *a) {
    const fbp_network *network = plan->network;
    const size_t size = network->kernels->real_size, last = network->n_layers - 1;
    void *outputs[2] = {NULL, NULL};
    size_t longest = 0, widest = 0; /* row of outputs: padded() is not monotonic; layer */

    if (plan->n_lanes > 1 && has_backward(task)) lane->gradients = take(a, network->n_parameters, size);
    view_parameters(plan, lane, task);
    for (size_t l = 0; l <= last; l++) {
        fbp_dense *layer = &lane->layers[l];
        const size_t n_out = layer->n_out;
        layer->y_stride = plan->narrow ? padded(rows, size) : l == last ? n_out : padded(n_out, size);
        layer->x_stride = layer->previous ? layer->previous->y_stride : padded(plan->narrow ? rows : layer->n_in, size);
        if (layer->y_stride > longest) longest = layer->y_stride;
        if (n_out > widest) widest = n_out;
    }
    lane->inputs = take_units(plan, a, network->layers[0].n_in, rows, lane->layers[0].x_stride);
    if (task == FBP_NORMAL) lane->jacobian = take(a, rows, (network->n_parameters + 1) * size);
    if (plan->narrow) lane->ones = take(a, rows, size);
    const fbp_dense *output = &lane->layers[last];
    if (data & FBP_LABELS) lane->labels = take(a, rows, sizeof *lane->labels);
    else if (has_loss(task)) lane->targets = take_units(plan, a, output->n_out, rows, output->y_stride);
    if (data & FBP_WEIGHTS) lane->weights = take_units(plan, a, output->n_out, rows, output->y_stride);
    for (size_t i = 0; i < 2 && !has_backward(task); i++) outputs[i] = take_units(plan, a, widest, rows, longest);

    for (size_t l = 0; l <= last; l++) {
        fbp_dense *layer = &lane->layers[l];
        const size_t n_out = layer->n_out, stride = layer->y_stride;
        layer->x = layer->previous ? layer->previous->y : lane->inputs;
        layer->y = has_backward(task) ? take_units(plan, a, n_out, rows, stride) : outputs[l % 2];
        if (has_backward(task) && layer->activation.saves_slope)
            layer->slope = take_units(plan, a, n_out, rows, stride);
        layer->saved = layer->slope ? layer->slope : layer->y;
        if (has_backward(task) || (l == last && has_loss(task)))
            layer->delta = take_units(plan, a, n_out, rows, stride);
    }
}

static void lay_out(fbp_plan *plan, fbp_task task, size_t rows, unsigned data, arena *a) {
    const fbp_network *network = plan->network;
    const size_t widest = widest_layer(network->layers, network->n_layers);
    const size_t depth = has_backward(task) && plan->block_rows > widest ? plan->block_rows : widest;
    const size_t columns = task == FBP_NORMAL ? network->n_parameters + 1 : widest;
    const size_t bytes = network->kernels->scratch_bytes(depth, columns);
    plan->scratch_bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    char *scratch = take(a, plan->n_lanes > plan->threads ? plan->n_lanes : plan->threads, plan->scratch_bytes);
    for (size_t i = 0; i < plan->n_lanes; i++) {
        fbp_lane *lane = &plan->lanes[i];
        lay_out_lane(plan, lane, task, rows, data, a);
        for (size_t l = 0; l < network->n_layers; l++)
            lane->layers[l].scratch = scratch ? scratch + i * plan->scratch_bytes : NULL;
    }
}

static void append(fbp_plan *plan, size_t *n, fbp_operation *run, size_t layer) {
    plan->operations[(*n)++] = (struct operation){run, layer};
}

static void list_operations(fbp_plan *plan, fbp_task task, unsigned data) {
    const fbp_network *network = plan->network;
    const fbp_kernels *kernels = network->kernels;
    const size_t output = network->n_layers - 1;
    const int has_output = task == FBP_PREDICT || task == FBP_OWN_LOSS;
    const fbp_activation_id activation = plan->joined ? FBP_ACTIVATION_identity : network->layers[output].activation;
    fbp_operation *const loss = kernels->losses[network->loss][data & FBP_WEIGHTS ? 1 : 0];
    size_t n = 0;

    for (size_t l = 0; l <= output; l++) {
        if (has_penalty(&network->layers[l], task)) append(plan, &n, kernels->penalty, l);
    }
    plan->start_end = n;

    append(plan, &n, gather_inputs, 0);
    if (plan->noisy) append(plan, &n, kernels->add_noise, 0);
    for (size_t l = 0; l <= output; l++) {
        append(plan, &n, plan->narrow ? kernels->forward_narrow : kernels->forward, l);
        if (has_dropout(&network->layers[l], task)) append(plan, &n, kernels->dropout, l);
    }
    if (activation == FBP_ACTIVATION_softmax) append(plan, &n, kernels->softmax, output);
    if (has_output) {
        append(plan, &n, emit, output);
    } else {
        append(plan, &n, data & FBP_LABELS ? gather_labels : gather_targets, output);
        if (data & FBP_WEIGHTS) append(plan, &n, gather_weights, output);
        append(plan, &n, task == FBP_NORMAL ? kernels->normal_equations : loss, output);
    }
    plan->forward_end = n;

    if (trains(task)) {
        if (task == FBP_OWN_LOSS) append(plan, &n, take_d_output, output);
        if (activation == FBP_ACTIVATION_softmax) append(plan, &n, kernels->softmax_chain, output);
        else if (activation != FBP_ACTIVATION_identity) append(plan, &n, kernels->output_chain, output);
        for (size_t l = output + 1; l-- > 0;) { /* dJ/dx first: the update may follow on the heels of dW */
            if (l > 0 || task == FBP_OWN_LOSS)
                append(plan, &n, plan->narrow ? kernels->backward_input_narrow : kernels->backward_input, l);
            append(plan, &n, plan->narrow ? kernels->backward_weights_narrow : kernels->backward_weights, l);
        }
    }
    plan->backward_end = n;

    for (size_t l = 0; l <= output && !plan->fused; l++) {
        if (has_penalty(&network->layers[l], task)) append(plan, &n, kernels->penalty_gradient, l);
    }
    plan->gradient_end = n;

    if (trains(task) && !plan->fused) append(plan, &n, clips(network) ? kernels->update_clipped : kernels->update, 0);
    for (size_t l = 0; l <= output; l++) {
        if (trains(task) && network->layers[l].max_norm > 0) append(plan, &n, kernels->max_norm, l);
    }
    plan->update_end = n;
}

static void set_ones(const fbp_plan *plan, void *ones, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (dtype_of(plan) == FBP_FLOAT32) ((float *)ones)[i] = 1;
        else ((double *)ones)[i] = 1;
    }
}

/* Several for each thread, for all wait for the last one. */
enum { LANES_PER_THREAD = 4 };

/* How many blocks of rows threads shall work on at the same time. Where lanes are large so are the products, and the
 * threads share each of those instead. */
static size_t count_lanes(const fbp_plan *plan, size_t rows, size_t lane_bytes) {
    enum { LANES_BYTES = 16 << 20 };
    const size_t blocks = (rows + plan->block_rows - 1) / plan->block_rows, room = LANES_BYTES / lane_bytes;
    if (plan->keeps_rows || plan->fused || room == 0 || plan->threads == 1) return 1;
    const size_t lanes = blocks < room ? blocks : room;
    const size_t most = LANES_PER_THREAD * plan->threads;
    return lanes < most ? lanes : most;
}

fbp_plan *fbp_plan_new(fbp_network *network, fbp_task task, size_t rows, unsigned data) {
    enum { LAYER_OPERATIONS = 7, OTHER_OPERATIONS = 9 };
    const size_t block = block_rows(network, task), n = network->n_layers;
    const size_t threads = fbp_threads(), most_lanes = LANES_PER_THREAD * threads;
    fbp_plan *plan = allocate(sizeof *plan + most_lanes * (sizeof(fbp_lane) + n * sizeof(fbp_dense)) +
                              (LAYER_OPERATIONS * n + OTHER_OPERATIONS) * sizeof(struct operation));
    if (!plan) return NULL;
    plan->network = network;
    plan->threads = threads;
    plan->lanes = (fbp_lane *)(plan + 1);
    fbp_dense *layers = (fbp_dense *)(plan->lanes + most_lanes);
    for (size_t i = 0; i < most_lanes; i++) plan->lanes[i].layers = layers + i * n;
    plan->operations = (struct operation *)(layers + most_lanes * n);
    plan->block_rows = rows == 0 ? 1 : rows < block ? rows : block;
    plan->keeps_rows = task == FBP_OWN_LOSS;
    plan->fused = fbp_is_fused(network, task, rows);
    plan->noisy = has_noise(network, task);
    plan->joined = is_joined(network, task);
    plan->narrow = is_narrow(network, task);
    for (size_t i = 0; i < fbp_optimizer_rows[network->optimizer].states; i++) {
        plan->state[i] = (char *)network->state + i * network->n_parameters * network->kernels->real_size;
    }
    list_operations(plan, task, data);

    const size_t capacity = plan->keeps_rows ? rows : plan->block_rows;
    const size_t gradients =
        has_backward(task) ? network->n_parameters * network->kernels->real_size : 0; /* a lane's */
    arena lane = {0}, a = {0};
    lay_out_lane(plan, &plan->lanes[0], task, capacity, data, &lane);
    plan->n_lanes = lane.overflow ? 0 : task == FBP_NORMAL ? 1 : count_lanes(plan, rows, lane.used + gradients);
    lay_out(plan, task, capacity, data, &a);
    plan->bytes = a.used + ALIGNMENT;
    plan->memory = lane.overflow || a.overflow ? NULL : allocate(plan->bytes);
    if (!plan->memory) {
        fbp_plan_free(plan);
        return NULL;
    }
    a.base = (char *)plan->memory + (ALIGNMENT - (uintptr_t)plan->memory % ALIGNMENT);
    a.used = 0;
    lay_out(plan, task, capacity, data, &a);
    for (size_t i = 0; i < plan->n_lanes && plan->narrow; i++) set_ones(plan, plan->lanes[i].ones, capacity);
    return plan;
}

size_t fbp_plan_bytes(const fbp_plan *plan) { return plan->bytes; }

void fbp_plan_free(fbp_plan *plan) {
    if (plan) free(plan->memory);
    free(plan);
}
