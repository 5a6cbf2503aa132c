/* The copy of the parameters and of the optimizer's state that steps on single rows work on (kernels/row.h). */

#include <string.h>

#include "plan/plan.h"

/* Rows of units of a layer, in a vector of the network and in its padded copy. */
typedef struct {
    char *plain, *padded;
    size_t row_bytes, padded_bytes;
} layer_rows;

static layer_rows rows_of(const fbp_plan *plan, const fbp_dense *layer, void *plain, void *padded) {
    const size_t size = plan->network->kernels->real_size;
    const size_t at = (size_t)((const char *)layer->W - (const char *)plan->parameters);
    return (layer_rows){.plain = (char *)plain + layer->offset * size,
                        .padded = (char *)padded + at,
                        .row_bytes = layer->n_out * size,
                        .padded_bytes = layer->y_stride * size};
}

/* Copies a vector of the network to its padded copy, with W^T behind the W and b of every layer but the first. */
static void pad(const fbp_plan *plan, void *plain, void *padded) {
    const size_t size = plan->network->kernels->real_size;
    for (size_t l = 0; l < plan->network->n_layers; l++) {
        const fbp_dense *layer = &plan->slots->layers[l];
        const layer_rows rows = rows_of(plan, layer, plain, padded);
        const size_t n = fbp_parameter_rows(layer->options);
        char *const WT = rows.padded + n * rows.padded_bytes;
        for (size_t i = 0; i < n; i++) {
            const char *row = rows.plain + i * rows.row_bytes;
            memcpy(rows.padded + i * rows.padded_bytes, row, rows.row_bytes);
            for (size_t o = 0; o < layer->n_out && l > 0 && i < layer->n_in; o++)
                memcpy(WT + (o * layer->x_stride + i) * size, row + o * size, size);
        }
    }
}

static void unpad(const fbp_plan *plan, void *plain, void *padded) {
    for (size_t l = 0; l < plan->network->n_layers; l++) {
        const fbp_dense *layer = &plan->slots->layers[l];
        const layer_rows rows = rows_of(plan, layer, plain, padded);
        for (size_t i = 0; i < fbp_parameter_rows(layer->options); i++)
            memcpy(rows.plain + i * rows.row_bytes, rows.padded + i * rows.padded_bytes, rows.row_bytes);
    }
}

static void for_each_vector(const fbp_plan *plan, void (*copy)(const fbp_plan *, void *, void *)) {
    const fbp_network *network = plan->network;
    if (!plan->is_padded) return;
    copy(plan, network->parameters, plan->parameters);
    for (size_t i = 0; i < FBP_MAX_STATES && plan->state[i]; i++)
        copy(plan, (char *)network->state + i * network->n_parameters * network->kernels->real_size, plan->state[i]);
}

void fbp_load_parameters(fbp_plan *plan) { for_each_vector(plan, pad); }

void fbp_store_parameters(fbp_plan *plan) { for_each_vector(plan, unpad); }
