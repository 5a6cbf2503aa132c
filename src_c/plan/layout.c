/* The workspace of a plan: one block of memory for the arrays of all slots.
 *
 * The layout is walked twice: the first walk measures it, the second one hands out the memory. */

#include "plan/arena.h"
#include "plan/plan.h"
#include "rows/rows.h"

/* Rows a multiple of 1 KB apart would share sets of the cache. */
size_t fbp_padded(size_t n, size_t real_size) { return n * real_size % 1024 == 0 ? n + ALIGNMENT / real_size : n; }

/* ---- slots ------------------------------------------------------------------------------------------------------- */

/* Several slots per thread, because all threads wait for the slowest one. */
size_t fbp_most_slots(size_t threads) { return 4 * threads; }

/* How many blocks of rows to work on at the same time. Large slots have large products: then threads share each product
 * instead. */
static size_t count_slots(const fbp_plan *plan, size_t rows, size_t slot_bytes) {
    enum { SLOTS_BYTES = 16 << 20 };
    const size_t blocks = (rows + plan->block_rows - 1) / plan->block_rows, room = SLOTS_BYTES / slot_bytes;
    if (plan->keeps_rows || plan->updates || room == 0 || plan->threads == 1 || fbp_has_custom(plan->network)) return 1;
    const size_t slots = blocks < room ? blocks : room;
    const size_t most = fbp_most_slots(plan->threads);
    return slots < most ? slots : most;
}

/* Stride of rows of n elements that are whole vectors. */
static size_t vector_stride(const fbp_plan *plan, size_t n) {
    const size_t lanes = plan->network->kernels->vector_bytes / plan->network->kernels->real_size;
    return (n + lanes - 1) / lanes * lanes;
}

static const _Alignas(ALIGNMENT) double no_bias[FBP_NARROW]; /* zeros of either type */

static void *at_offset(void *array, size_t bytes) { return array ? (char *)array + bytes : NULL; }

/* Points the slot's layers to their parameters and gradients. */
static void view_parameters(fbp_plan *plan, fbp_slot *slot, fbp_task task) {
    const fbp_network *network = plan->network;
    const size_t size = network->kernels->real_size;
    void *const gradients = plan->fused ? NULL : slot->gradients ? slot->gradients : network->gradients;
    size_t offset = 0, at = 0; /* of the layer in the network's parameters and in the plan's */
    for (size_t l = 0; l < network->n_layers; l++) {
        const fbp_layer *from = &network->layers[l];
        fbp_dense *layer = &slot->layers[l];
        layer->n_in = from->n_in;
        layer->n_out = from->n_out;
        layer->offset = offset;
        layer->options = from;
        const int is_custom = from->activation == FBP_CUSTOM, stops_at_z = plan->joined && l + 1 == network->n_layers;
        layer->function = is_custom || stops_at_z ? FBP_ACTIVATION_identity : from->activation;
        layer->activation = network->kernels->activations[layer->function];
        if (is_custom || fbp_has_dropout(from, task)) { /* f' does not follow from y */
            layer->activation.saves_slope = 1;
            layer->activation.chain = network->kernels->chain_slope;
        }
        layer->alpha = from->alpha;
        const size_t row = plan->is_padded ? vector_stride(plan, from->n_out) : from->n_out;
        layer->W = at_offset(plan->parameters, at * size);
        layer->b = from->no_bias ? NULL : at_offset(layer->W, from->n_in * row * size);
        layer->start = from->no_bias ? no_bias : layer->b;
        layer->trained_rows = from->frozen ? 0 : fbp_parameter_rows(from);
        layer->dW = from->frozen ? NULL : at_offset(gradients, at * size);
        layer->previous = l > 0 ? layer - 1 : NULL;
        layer->plan = plan;
        layer->scalars = plan->layer_scalars ? plan->layer_scalars[l] : plan->scalars;
        at += fbp_parameter_rows(from) * row;
        if (plan->is_padded && l > 0) {
            layer->WT = at_offset(plan->parameters, at * size);
            layer->dWT = at_offset(gradients, at * size);
            at += from->n_out * vector_stride(plan, from->n_in);
        }
        offset += fbp_parameter_rows(from) * from->n_out;
    }
    plan->n_parameters = at;
}

/* Takes an array of n units for `rows` rows, `stride` elements apart; in narrow networks transposed, with a row more.
 */
static void *take_units(const fbp_plan *plan, arena *a, size_t n, size_t rows, size_t stride) {
    return take(a, plan->narrow ? n + 1 : rows, stride * plan->network->kernels->real_size);
}

/* Whether the forward pass keeps f'(z) of layer l: if it does not follow from y, and in narrow networks unless it is 1:
 * there a pass of its own over the deltas would take longer than to store it. */
static int saves_slope(const fbp_plan *plan, size_t l) {
    const fbp_network *network = plan->network;
    const int is_output = l + 1 == network->n_layers;
    const int is_one =
        (is_output && (plan->joined || plan->has_softmax)) || network->layers[l].activation == FBP_ACTIVATION_identity;
    return plan->slots[0].layers[l].activation.saves_slope || ((plan->narrow || plan->is_padded) && !is_one);
}

/* Takes the copies of a padded plan, of which the first walk through the layers gives the size. */
static void take_copies(fbp_plan *plan, fbp_slot *slot, arena *a) {
    const size_t size = plan->network->kernels->real_size;
    plan->parameters = take(a, plan->n_parameters, size);
    for (size_t i = 0; i < fbp_optimizer_rows[plan->network->optimizer].states; i++)
        plan->state[i] = take(a, plan->n_parameters, size);
    slot->gradients = take(a, plan->n_parameters, size);
}

/* Takes the entries of sparse inputs in place of these, for `rows` rows. */
static void take_entries(const fbp_plan *plan, fbp_slot *slot, fbp_task task, size_t rows, size_t room, arena *a) {
    const size_t size = plan->network->kernels->real_size;
    fbp_entries *const e = &slot->entries;
    e->room = room;
    e->starts = take(a, rows + 1, sizeof *e->starts);
    e->columns = take(a, room + FBP_ENTRIES_AHEAD, sizeof *e->columns);
    e->values = take(a, room, size);
    if (!fbp_has_backward(task) || slot->layers[0].options->frozen) return;
    e->met = take(a, room, sizeof *e->met);
    e->met_number = take(a, slot->layers[0].n_in, sizeof *e->met_number);
    e->ends = take(a, room, sizeof *e->ends);
    e->sorted_rows = take(a, room + FBP_ENTRIES_AHEAD, sizeof *e->sorted_rows);
    e->sorted_values = take(a, room, size);
    e->places = take(a, room, sizeof *e->places);
}

/* Takes the arrays of a slot, for `rows` rows. If there are several slots, each has its own gradients. A pass without a
 * backward pass keeps the outputs of two layers only. */
static void lay_out_slot(fbp_plan *plan, fbp_slot *slot, fbp_task task, size_t rows, unsigned data, size_t entries,
                         arena *a) {
    const fbp_network *network = plan->network;
    const size_t size = network->kernels->real_size, last = network->n_layers - 1;
    const int has_backward = fbp_has_backward(task);
    void *outputs[2] = {NULL, NULL};
    size_t longest = 0, widest = 0; /* row of outputs (padding is not monotonic), layer */

    view_parameters(plan, slot, task);
    if (plan->is_padded) take_copies(plan, slot, a);
    else if (has_backward && (plan->narrow || plan->n_slots > 1))
        slot->gradients = take(a, network->n_parameters + ALIGNMENT / size, size); /* with room for a vector more */
    view_parameters(plan, slot, task);
    for (size_t l = 0; l <= last; l++) {
        fbp_dense *layer = &slot->layers[l];
        const size_t n_out = layer->n_out;
        layer->y_stride = plan->narrow      ? fbp_padded(vector_stride(plan, rows), size)
                          : plan->is_padded ? vector_stride(plan, n_out)
                          : l == last       ? n_out
                                            : fbp_padded(n_out, size);
        layer->x_stride = layer->previous ? layer->previous->y_stride
                          : plan->narrow  ? layer->y_stride
                                          : fbp_padded(layer->n_in, size);
        if (layer->y_stride > longest) longest = layer->y_stride;
        if (n_out > widest) widest = n_out;
    }
    if (plan->sparse) take_entries(plan, slot, task, rows, entries, a);
    else slot->inputs = take_units(plan, a, network->layers[0].n_in, rows, slot->layers[0].x_stride);
    if (task == FBP_NORMAL_EQUATIONS) slot->jacobian = take(a, rows, (network->n_parameters + 1) * size);
    const fbp_dense *output = &slot->layers[last];
    if (data & FBP_LABELS) slot->labels = take(a, rows, sizeof *slot->labels);
    else if (fbp_has_loss(task)) slot->targets = take_units(plan, a, output->n_out, rows, output->y_stride);
    if (data & FBP_WEIGHTS) slot->weights = take_units(plan, a, output->n_out, rows, output->y_stride);
    for (size_t i = 0; i < 2 && !has_backward; i++) outputs[i] = take_units(plan, a, widest, rows, longest);

    for (size_t l = 0; l <= last; l++) {
        fbp_dense *layer = &slot->layers[l];
        const size_t n_out = layer->n_out, stride = layer->y_stride;
        layer->x = layer->previous ? layer->previous->y : slot->inputs;
        layer->y = has_backward ? take_units(plan, a, n_out, rows, stride) : outputs[l % 2];
        const int is_reached = fbp_is_reached(network, task, l), drops = fbp_has_dropout(layer->options, task);
        if ((is_reached || drops) && saves_slope(plan, l)) layer->slope = take_units(plan, a, n_out, rows, stride);
        layer->saved = layer->slope ? layer->slope : layer->y;
        if (is_reached || (l == last && fbp_has_loss(task))) layer->delta = take_units(plan, a, n_out, rows, stride);
    }
}

/* ---- the whole workspace ----------------------------------------------------------------------------------------- */

/* Bytes that the products of a task need per thread for copies of W, W^T, delta or J. */
static size_t product_scratch(const fbp_plan *plan, fbp_task task) {
    const fbp_network *network = plan->network;
    const fbp_kernels *kernels = network->kernels;
    const size_t rows = plan->block_rows;
    if (plan->narrow) return 0;
    size_t most = task == FBP_NORMAL_EQUATIONS ? kernels->scratch_bytes(rows, network->n_parameters + 1) : 0;
    for (size_t l = 0; l < network->n_layers; l++) {
        const fbp_layer *layer = &network->layers[l];
        const size_t products[][2] = {/* K, N */
                                      {layer->n_in, layer->n_out},
                                      {layer->n_out, layer->n_in},
                                      {rows, layer->n_out}};
        const int is_sparse = plan->sparse && l == 0; /* then only the second is a product of dense arrays */
        for (size_t i = is_sparse ? 1 : 0; i < (!fbp_has_backward(task) ? 1 : is_sparse ? 2 : 3); i++) {
            const size_t bytes = kernels->scratch_bytes(products[i][0], products[i][1]);
            if (bytes > most) most = bytes;
        }
    }
    return most;
}

/* Takes scratch per thread, then the arrays of all slots. */
static void lay_out_all(fbp_plan *plan, fbp_task task, size_t rows, unsigned data, size_t entries, arena *a) {
    const fbp_network *network = plan->network;
    const size_t bytes = product_scratch(plan, task);
    plan->scratch_bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    char *scratch = take(a, plan->n_slots > plan->threads ? plan->n_slots : plan->threads, plan->scratch_bytes);
    for (size_t i = 0; i < plan->n_slots; i++) {
        fbp_slot *slot = &plan->slots[i];
        lay_out_slot(plan, slot, task, rows, data, entries, a);
        for (size_t l = 0; l < network->n_layers; l++)
            slot->layers[l].scratch = scratch ? scratch + i * plan->scratch_bytes : NULL;
    }
}

/* Fills the last row of the inputs of every layer of a narrow network, which stand for the input of b. */
static void set_ones(const fbp_plan *plan, const fbp_slot *slot) {
    for (size_t l = 0; l < plan->network->n_layers; l++) {
        const fbp_dense *layer = &slot->layers[l];
        void *const x = layer->previous ? layer->previous->y : slot->inputs;
        const size_t first = layer->n_in * layer->x_stride;
        for (size_t i = first; i < first + layer->x_stride; i++) {
            if (fbp_dtype_of(plan) == FBP_FLOAT32) ((float *)x)[i] = 1;
            else ((double *)x)[i] = 1;
        }
    }
}

int fbp_lay_out(fbp_plan *plan, fbp_task task, size_t batch_rows, unsigned data, size_t entries) {
    const fbp_network *network = plan->network;
    const size_t rows = plan->keeps_rows ? batch_rows : plan->block_rows;
    const size_t gradients = fbp_has_backward(task) ? network->n_parameters * network->kernels->real_size : 0;
    arena slot = {0}, a = {0};
    lay_out_slot(plan, &plan->slots[0], task, rows, data, entries, &slot);
    if (slot.overflow) return 0;
    plan->n_slots = task == FBP_NORMAL_EQUATIONS ? 1 : count_slots(plan, batch_rows, slot.used + gradients);
    lay_out_all(plan, task, rows, data, entries, &a);
    plan->bytes = a.used + ALIGNMENT;
    plan->memory = a.overflow ? NULL : fbp_allocate(plan->bytes);
    if (!plan->memory) return 0;
    a.base = (char *)plan->memory + (ALIGNMENT - (uintptr_t)plan->memory % ALIGNMENT);
    a.used = 0;
    lay_out_all(plan, task, rows, data, entries, &a);
    plan->gradients = plan->updates ? plan->slots[0].gradients : network->gradients;
    for (size_t i = 0; i < plan->n_slots && plan->narrow && fbp_has_backward(task); i++)
        set_ones(plan, &plan->slots[i]);
    return 1;
}
