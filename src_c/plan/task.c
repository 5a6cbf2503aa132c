/* What each task (train, predict, evaluate, ...) needs from the network: loss, backward pass, noise, penalties, and the
 * size of its row blocks. */

#include <string.h>

#include "plan/plan.h"
#include "rows/rows.h"

size_t fbp_widest_layer(const fbp_layer *layers, size_t n_layers) {
    size_t widest = layers[0].n_in;
    for (size_t l = 0; l < n_layers; l++) widest = layers[l].n_out > widest ? layers[l].n_out : widest;
    return widest;
}

/* Its twin in Python is `_block_rows` in fastbp/reference/engine.py. */
size_t fbp_block_rows(const fbp_layer *layers, size_t n_layers) {
    const size_t rows = 65536 / fbp_widest_layer(layers, n_layers) / 64 * 64;
    return rows < 512 ? 512 : rows > 4096 ? 4096 : rows;
}

/* Like fbp_block_rows(), but normal equations also limit the memory of a block of J. */
size_t fbp_task_block_rows(const fbp_network *network, fbp_task task) {
    enum { JACOBIAN_BYTES = 16 << 20, LEAST = 64 };
    const size_t block = fbp_block_rows(network->layers, network->n_layers);
    const size_t rows = JACOBIAN_BYTES / network->kernels->real_size / (network->n_parameters + 1);
    return task != FBP_NORMAL_EQUATIONS || rows > block ? block : rows > LEAST ? rows : LEAST;
}

int fbp_has_output(fbp_task task) { return task == FBP_PREDICT || task == FBP_CUSTOM_LOSS; }

int fbp_has_loss(fbp_task task) { return !fbp_has_output(task); }

int fbp_has_backward(fbp_task task) { return task != FBP_PREDICT && task != FBP_EVALUATE; }

int fbp_trains(fbp_task task) { return fbp_has_backward(task) && task != FBP_NORMAL_EQUATIONS; }

/* Whether the output activation is part of the loss. Then the last layer computes logits, and the loss its delta. */
int fbp_is_joined(const fbp_network *network, fbp_task task) {
    const fbp_layer *output = &network->layers[network->n_layers - 1];
    return fbp_has_loss(task) && output->activation != FBP_CUSTOM &&
           !strcmp(fbp_loss_rows[network->loss].link, fbp_activation_rows[output->activation].name);
}

int fbp_clips(const fbp_network *network) { return network->clip_value > 0 || network->clip_norm > 0; }

/* Clipping needs the whole gradient, and so does who looks at what a function of the caller's did before an update. */
int fbp_is_fused(const fbp_network *network, fbp_task task, size_t rows) {
    return task == FBP_TRAIN && rows <= fbp_block_rows(network->layers, network->n_layers) && !fbp_clips(network) &&
           !fbp_has_custom(network);
}

int fbp_has_noise(const fbp_network *network, fbp_task task) { return fbp_trains(task) && network->input_noise > 0; }

int fbp_has_dropout(const fbp_layer *layer, fbp_task task) { return fbp_trains(task) && layer->dropout > 0; }

int fbp_has_penalty(const fbp_layer *layer, fbp_task task) { return fbp_trains(task) && fbp_is_penalized(layer); }

int fbp_has_max_norm(const fbp_layer *layer, fbp_task task) {
    return fbp_trains(task) && !layer->frozen && layer->max_norm > 0;
}

int fbp_has_custom(const fbp_network *network) { return network->custom != NULL; }

int fbp_has_factors(const fbp_network *network) {
    for (size_t l = 0; l < network->n_layers; l++) {
        if (network->layers[l].rate_factor < 1 || network->layers[l].rate_factor > 1) return 1;
    }
    return 0;
}

size_t fbp_lowest_trained(const fbp_network *network, fbp_task task) {
    size_t l = 0;
    while (fbp_trains(task) && l < network->n_layers && network->layers[l].frozen) l++;
    return l;
}

/* The caller of a custom loss also gets dJ/dx. */
int fbp_is_reached(const fbp_network *network, fbp_task task, size_t l) {
    return fbp_has_backward(task) && (task == FBP_CUSTOM_LOSS || l >= fbp_lowest_trained(network, task));
}

/* Whether the task draws random numbers, which it does row by row. */
static int is_random(const fbp_network *network, fbp_task task) {
    for (size_t l = 0; l < network->n_layers; l++) {
        if (fbp_has_dropout(&network->layers[l], task)) return 1;
    }
    return fbp_has_noise(network, task);
}

/* Whether a plan for training steps on single rows keeps a copy of the parameters (kernels/row.h). */
int fbp_is_padded(const fbp_network *network, fbp_task task, size_t rows) {
    for (size_t l = 0; l < network->n_layers; l++) {
        const fbp_layer *layer = &network->layers[l];
        if (fbp_has_penalty(layer, task) || layer->max_norm > 0 || layer->frozen) return 0;
    }
    return rows == 1 && !fbp_has_factors(network) && !network->average && fbp_is_fused(network, task, rows) &&
           !is_random(network, task) && fbp_widest_layer(network->layers, network->n_layers) <= FBP_NARROW;
}

/* Whether the network is narrow (kernels/narrow.h), so that arrays are transposed. Random numbers, the caller's
 * derivatives and functions, and normal equations need rows of units. Predictions of a few rows are faster with them.
 */
int fbp_is_narrow(const fbp_network *network, fbp_task task, size_t rows) {
    enum { FEW_ROWS = 4 };
    const int suits = task == FBP_PREDICT ? rows > FEW_ROWS : task != FBP_CUSTOM_LOSS && task != FBP_NORMAL_EQUATIONS;
    return suits && !fbp_is_padded(network, task, rows) && !is_random(network, task) && !fbp_has_custom(network) &&
           fbp_widest_layer(network->layers, network->n_layers) <= FBP_NARROW;
}

/* Whether the first layer works on the entries of sparse rows (kernels/sparse.h), of which no block has more than
 * `entries`. If many elements are not 0, the products of dense rows are faster. */
int fbp_is_sparse(const fbp_network *network, fbp_task task, size_t rows, unsigned data, size_t entries) {
    enum { DENSE_SHARE = 8 }; /* one element in so many */
    const size_t block = fbp_task_block_rows(network, task);
    const size_t kept = task == FBP_CUSTOM_LOSS || rows < block ? rows : block;
    return (data & FBP_SPARSE) && task != FBP_NORMAL_EQUATIONS && !fbp_has_noise(network, task) &&
           !fbp_is_narrow(network, task, rows) && !fbp_is_padded(network, task, rows) && entries < UINT32_MAX &&
           entries < kept * network->layers[0].n_in / DENSE_SHARE;
}

int fbp_is_idle(fbp_optimizer_id optimizer) {
    return optimizer == FBP_OPTIMIZER_sgd || optimizer == FBP_OPTIMIZER_adagrad;
}
