/* Runs plans on several threads, so that ThreadSanitizer notices if parts of a product, or slots, touch the same
 * memory. test_pool.py runs this program. test_threads.py checks that results do not depend on the number of
 * threads. */

#include <unistd.h>

#include "kernels/kernels.h"
#include "stress.h"

enum { LAYERS = 2, THREADS = 3 };

#define LAYER(inputs, units, f) \
    {.n_in = inputs, .n_out = units, .activation = FBP_ACTIVATION_##f, .alpha = 1.0, .rate_factor = 1.0}

/* Sizes for each way to compute: products that copy operands and use all threads, blocks of rows in several slots,
 * narrow networks, sparse inputs. */
static const struct {
    size_t rows;
    fbp_loss_id loss;
    fbp_optimizer_id optimizer;
    fbp_layer layers[LAYERS];
    size_t entries; /* in a row of sparse inputs; 0: they are dense */
} cases[] = {
    {61, FBP_LOSS_mse, FBP_OPTIMIZER_momentum, {LAYER(1087, 53, gelu), LAYER(53, 3, sigmoid)}},
    {33, FBP_LOSS_cross_entropy, FBP_OPTIMIZER_sgd, {LAYER(1031, 257, tanh), LAYER(257, 3, softmax)}},
    {3 * 512 + 5, FBP_LOSS_cross_entropy, FBP_OPTIMIZER_adam, {LAYER(131, 11, silu), LAYER(11, 3, softmax)}},
    {3 * 4096 + 5, FBP_LOSS_huber, FBP_OPTIMIZER_nesterov, {LAYER(3, 5, tanh), LAYER(5, 1, gelu)}},
    {61, FBP_LOSS_cross_entropy, FBP_OPTIMIZER_sgd, {LAYER(1031, 257, tanh), LAYER(257, 3, softmax)}, 60},
    {3 * 512 + 5, FBP_LOSS_mse, FBP_OPTIMIZER_adam, {LAYER(131, 17, silu), LAYER(17, 3, sigmoid)}, 7},
};

static void *array(size_t n, size_t size) {
    void *data = calloc(n, size);
    CHECK(data);
    return data;
}

static void fill(const fbp_kernels *kernels, void *data, size_t n, unsigned seed) {
    for (size_t i = 0; i < n; i++) {
        const float value = (float)next_random(&seed) / 65536 - 0.5f;
        if (kernels->real_size == sizeof value) ((float *)data)[i] = value;
        else ((double *)data)[i] = value;
    }
}

/* Turns dense rows into sparse ones: their first numbers, in columns at equal distances. */
static fbp_source sparse_rows(fbp_source rows, size_t entries, int64_t *starts, int32_t *columns) {
    for (size_t i = 0; i <= rows.rows && entries; i++) starts[i] = (int64_t)(i * entries);
    for (size_t e = 0; e < rows.rows * entries; e++) {
        const size_t distance = rows.columns / entries;
        columns[e] = (int32_t)(e % entries * distance + e / entries % distance);
    }
    rows.starts = entries ? starts : NULL;
    rows.entry_columns = columns;
    return rows;
}

static void run_task(size_t c, fbp_dtype dtype, fbp_task task) {
    const fbp_kernels *kernels = fbp_find_kernels("baseline", dtype);
    const size_t size = kernels->real_size, rows = cases[c].rows, n_in = cases[c].layers[0].n_in,
                 n_out = cases[c].layers[LAYERS - 1].n_out, n_states = fbp_optimizer_rows[cases[c].optimizer].states;
    const int labels = cases[c].loss == FBP_LOSS_cross_entropy;
    size_t n = 0; /* parameters */
    for (size_t l = 0; l < LAYERS; l++) n += (cases[c].layers[l].n_in + 1) * cases[c].layers[l].n_out;

    void *parameters = array(n, size), *gradients = array(n, size), *state = array(n_states * n + 1, size);
    void *x = array(rows * n_in, size), *y = array(rows * n_out, size);
    void *d_input = array(rows * n_in, size), *output = array(rows * n_out, size);
    int64_t *classes = array(rows, sizeof *classes);
    double *weights = array(rows, sizeof *weights);
    fill(kernels, parameters, n, 1);
    fill(kernels, x, rows * n_in, 2);
    fill(kernels, y, rows * n_out, 3);
    for (size_t i = 0; i < rows; i++) {
        classes[i] = (int64_t)(i % n_out);
        weights[i] = (double)(1 + i % 3);
    }

    const fbp_source_type type = dtype == FBP_FLOAT32 ? FBP_SOURCE_F32 : FBP_SOURCE_F64;
    const ptrdiff_t element = (ptrdiff_t)size;
    int64_t *starts = array(rows + 1, sizeof *starts);
    int32_t *columns = array(rows * n_in, sizeof *columns);
    const fbp_source inputs = sparse_rows((fbp_source){.data = x,
                                                       .row_stride = (ptrdiff_t)n_in * element,
                                                       .column_stride = element,
                                                       .rows = rows,
                                                       .columns = n_in,
                                                       .type = type},
                                          cases[c].entries, starts, columns);
    CHECK(!cases[c].entries || fbp_has_valid_entries(&inputs, rows * n_in));
    const fbp_source targets = labels ? (fbp_source){.data = (const char *)classes,
                                                     .row_stride = 8,
                                                     .rows = rows,
                                                     .columns = 1,
                                                     .type = FBP_SOURCE_I64}
                                      : (fbp_source){.data = y,
                                                     .row_stride = (ptrdiff_t)n_out * element,
                                                     .column_stride = element,
                                                     .rows = rows,
                                                     .columns = n_out,
                                                     .type = type};
    const fbp_batch batch = {.x = &inputs,
                             .y = &targets,
                             .weights = weights,
                             .rows = rows,
                             .n = rows,
                             .output = output,
                             .d_output = y,
                             .d_input = d_input,
                             .weight_columns = 1};
    const double scaling[] = {0.5, 2, 3};
    CHECK(n_out <= sizeof scaling / sizeof *scaling);
    fbp_network network = {.kernels = kernels,
                           .n_layers = LAYERS,
                           .layers = cases[c].layers,
                           .loss = cases[c].loss,
                           .loss_parameter = 1.0,
                           .divisor = FBP_DIVIDE_BY_ROWS,
                           .optimizer = cases[c].optimizer,
                           .outputs_per_target = 1,
                           .hyperparameters = {0.01, 0.9, 0.999, 1e-8},
                           .n_parameters = n,
                           .parameters = parameters,
                           .gradients = gradients,
                           .state = state,
                           .output_factor = scaling,
                           .output_offset = scaling};
    const unsigned data = (labels ? FBP_LABELS : 0) | (task == FBP_TRAIN || task == FBP_STORED ? FBP_WEIGHTS : 0) |
                          (task == FBP_PREDICT || task == FBP_CUSTOM_LOSS ? FBP_RAW : 0) |
                          (cases[c].entries ? FBP_SPARSE : 0);
    fbp_plan *plan = fbp_plan_new(&network, task, rows, data, rows * cases[c].entries);
    CHECK(plan);
    fbp_run(plan, FBP_FORWARD_PART | (task < FBP_TRAIN ? 0 : FBP_BACKWARD_PART | FBP_UPDATE_PART), &batch);
    fbp_plan_free(plan);
    void *const arrays[] = {parameters, gradients, state, x, y, d_input, output, classes, weights, starts, columns};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) free(arrays[i]);
}

int main(void) {
    alarm(SECONDS);
    fbp_set_threads(THREADS);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        for (fbp_dtype dtype = 0; dtype < FBP_DTYPES; dtype++) {
            for (fbp_task task = FBP_PREDICT; task <= FBP_CUSTOM_LOSS; task++) run_task(c, dtype, task);
        }
    }
    return 0;
}
