/* Operations that copy a block of rows between the caller's arrays and the workspace. */

#include <string.h>

#include "plan/plan.h"
#include "rows/rows.h"

static size_t output_bytes(const fbp_dense *layer, size_t rows) {
    return rows * layer->n_out * layer->plan->network->kernels->real_size;
}

static int overlap(const void *a, size_t a_bytes, const void *b, size_t b_bytes) {
    return (uintptr_t)a < (uintptr_t)b + b_bytes && (uintptr_t)b < (uintptr_t)a + a_bytes;
}

/* Whether a step may write to these bytes before it has read all of its rows. */
static int is_written(const fbp_network *network, const void *data, size_t bytes) {
    const size_t all = network->n_parameters * network->kernels->real_size;
    return overlap(data, bytes, network->parameters, all) ||
           (network->gradients && overlap(data, bytes, network->gradients, all));
}

/* Reads rows in place if their type and layout fit. Copies them if `backward` may run after the caller has freed them,
 * if their stride makes them share sets of the cache, or if they overlap the network's parameters or gradients. */
void fbp_gather_inputs(const fbp_dense *layer, fbp_step *step) {
    const fbp_plan *plan = layer->plan;
    const fbp_batch *batch = step->batch;
    const fbp_dtype dtype = fbp_dtype_of(plan);
    const size_t size = plan->network->kernels->real_size, first = batch->first + step->first;
    fbp_dense *first_layer = step->slot->layers;
    if (plan->sparse) {
        fbp_gather_entries(batch->x, batch->index, first, step->rows, plan->network->kernels, &step->slot->entries,
                           step->offset);
        return;
    }
    if (!plan->narrow && !plan->keeps_rows && !plan->noisy) {
        first_layer->x = fbp_rows_in_place(batch->x, batch->index, first, dtype, &first_layer->x_stride);
        if (first_layer->x && fbp_padded(first_layer->x_stride, size) == first_layer->x_stride &&
            !is_written(plan->network, first_layer->x, step->rows * first_layer->x_stride * size))
            return;
        first_layer->x = step->slot->inputs;
        first_layer->x_stride = fbp_padded(first_layer->n_in, size);
    }
    char *to = (char *)step->slot->inputs + step->offset * first_layer->x_stride * size;
    (plan->narrow ? fbp_gather_columns : fbp_gather)(batch->x, batch->index, first, step->rows, plan->network->kernels,
                                                     to, first_layer->x_stride);
}

/* out := the block's rows of a source of n_out columns, laid out like the last layer's y */
static void gather_outputs(const fbp_dense *layer, const fbp_step *step, const fbp_source *source, void *out) {
    const fbp_batch *batch = step->batch;
    (layer->plan->narrow ? fbp_gather_columns : fbp_gather)(source, batch->index, batch->first + step->first,
                                                            step->rows, layer->plan->network->kernels, out,
                                                            layer->y_stride);
}

void fbp_gather_targets(const fbp_dense *layer, fbp_step *step) {
    gather_outputs(layer, step, step->batch->y, step->slot->targets);
}

void fbp_gather_block_labels(const fbp_dense *layer, fbp_step *step) {
    const fbp_batch *batch = step->batch;
    (void)layer;
    fbp_gather_labels(batch->y, batch->index, batch->first + step->first, step->rows, step->slot->labels);
}

/* One weight per target; if the caller has one per row, repeats it for each of the row's targets. */
void fbp_gather_weights(const fbp_dense *layer, fbp_step *step) {
    const size_t columns = step->batch->weight_columns;
    const fbp_source weights = {.data = (const char *)step->batch->weights,
                                .row_stride = (ptrdiff_t)(columns * sizeof(double)),
                                .column_stride = columns > 1 ? sizeof(double) : 0,
                                .rows = step->batch->x->rows,
                                .columns = columns > 1 ? columns : layer->n_out,
                                .type = FBP_SOURCE_F64};
    gather_outputs(layer, step, &weights, step->slot->weights);
}

/* Copies y to the caller's array. */
void fbp_emit(const fbp_dense *layer, fbp_step *step) {
    char *const to = (char *)step->batch->output + output_bytes(layer, step->first);
    if (layer->plan->narrow)
        fbp_transpose(layer->y, layer->y_stride, layer->n_out, step->rows, fbp_dtype_of(layer->plan), to, layer->n_out);
    else memcpy(to, (const char *)layer->y + output_bytes(layer, step->offset), output_bytes(layer, step->rows));
}

/* Copies dJ/dy from the caller's array. */
void fbp_take_d_output(const fbp_dense *layer, fbp_step *step) {
    memcpy((char *)layer->delta + output_bytes(layer, step->offset),
           (const char *)step->batch->d_output + output_bytes(layer, step->first), output_bytes(layer, step->rows));
}

/* Rows of outputs (rows, n) in double, each rounded once: to := factor (n,) from + offset (n,), where element (i, o) of
 * `from` is from[i * row + o * column], and offset may be NULL for 0. */
#define SCALE(type)                                                                                                    \
    static void scale_##type(const type *from, size_t row, size_t column, size_t rows, size_t n, const double *factor, \
                             const double *offset, type *to) {                                                         \
        for (size_t i = 0; i < rows; i++) {                                                                            \
            for (size_t o = 0; o < n; o++)                                                                             \
                to[i * n + o] = (type)(factor[o] * (double)from[i * row + o * column] + (offset ? offset[o] : 0));     \
        }                                                                                                              \
    }
SCALE(float)
SCALE(double)

static void scale_outputs(const fbp_dense *layer, const void *from, size_t row, size_t column, size_t rows,
                          const double *offset, void *to) {
    const double *const factor = layer->plan->network->output_factor;
    if (fbp_dtype_of(layer->plan) == FBP_FLOAT32)
        scale_float(from, row, column, rows, layer->n_out, factor, offset, to);
    else scale_double(from, row, column, rows, layer->n_out, factor, offset, to);
}

/* Writes factor y + offset to the caller's array. */
void fbp_emit_raw(const fbp_dense *layer, fbp_step *step) {
    const int narrow = layer->plan->narrow;
    scale_outputs(layer, (const char *)layer->y + output_bytes(layer, step->offset), narrow ? 1 : layer->n_out,
                  narrow ? layer->y_stride : 1, step->rows, layer->plan->network->output_offset,
                  (char *)step->batch->output + output_bytes(layer, step->first));
}

/* Reads the derivative by raw outputs from the caller's array; times factor, it is dJ/dy. */
void fbp_take_raw_d_output(const fbp_dense *layer, fbp_step *step) {
    scale_outputs(layer, (const char *)step->batch->d_output + output_bytes(layer, step->first), layer->n_out, 1,
                  step->rows, NULL, (char *)layer->delta + output_bytes(layer, step->offset));
}
