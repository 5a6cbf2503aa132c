/* The kernels of one instruction set and element type, each as a function that the benchmarks can time alone.
 * Each function does its work `repeats` times, so that the call takes no measurable share of the time.
 *
 * rows.c holds no kernels, but gather, which calls those of convert.h for each row. Dropout and noise need random.c.
 * One thread does all the work here, so a loop replaces pool.c. The sizes of the caches are those that the package
 * uses. */

#include "kernels/kernels.c"
#include "rows/random.c"
#include "rows/rows.c"

#define EXPORT __attribute__((visibility("default")))
#define KERNELS PER_ISA(fbp_kernels)
#define TIMES(repeats) for (size_t repeat = 0; repeat < (repeats); repeat++)

EXPORT const size_t vector_lanes = LANES;

void fbp_parallel(size_t threads, size_t n, fbp_work *work, void *context) {
    (void)threads;
    for (size_t i = 0; i < n; i++) work(context, i, 0);
}

static fbp_caches caches = {32 << 10, 256 << 10, 1 << 20};
const fbp_caches *fbp_cache_sizes(void) { return &caches; }

EXPORT void set_caches(size_t l1, size_t l2, size_t l3) { caches = (fbp_caches){l1, l2, l3}; }

/* ---- the product, followed only by a store: c (M, N) = a (M, K) b (K, N) ----------------------------------------- */

typedef struct {
    product p;
    real *c;
} stored_product;

static void store_tile(const product *p, tile *t, size_t i, size_t j) {
    real *c = ((const stored_product *)p)->c + i * p->N + j;
    for (size_t r = 0; r < t->rows; r++) {
        for (size_t v = 0; v < t->columns; v += LANES) {
            const size_t n = smaller(t->columns - v, LANES);
            store_n(c + r * p->N + v, load_n(t->data + r * t->ld + v, n), n);
        }
    }
}

static touched touched_c(const product *p) { return (touched){{((const stored_product *)p)->c}, 1, p->N}; }

EXPORT size_t product_scratch_bytes(size_t K, size_t N) { return scratch_bytes(K, N); }

/* A transposed operand lies in memory as (K, M) or (N, K). */
EXPORT void run_product(size_t M, size_t N, size_t K, const real *a, size_t lda, size_t a_transposed, const real *b,
                        size_t ldb, size_t b_transposed, real *scratch, real *c, size_t repeats) {
    fbp_plan plan = {.threads = 1};
    const fbp_dense layer = {.plan = &plan};
    const fbp_step step = {.threads = 1};
    const stored_product s = {.p = {.M = M,
                                    .N = N,
                                    .K = K,
                                    .a = a,
                                    .lda = lda,
                                    .a_transposed = (int)a_transposed,
                                    .b = b,
                                    .ldb = ldb,
                                    .b_transposed = (int)b_transposed,
                                    .scratch = scratch,
                                    .finish = store_tile,
                                    .touches = touched_c,
                                    .layer = &layer,
                                    .step = &step},
                              .c = c};
    TIMES(repeats) multiply(&s.p);
}

EXPORT const size_t panel_columns = 2 * LANES;

/* One panel (K, panel_columns): columns of b (K, ldb), or the transpose of rows of b (., ldb). */
EXPORT void run_pack(size_t transposed, const real *b, size_t ldb, size_t K, real *panel, size_t repeats) {
    const panels to = {.K = K, .width = panel_columns, .data = panel};
    TIMES(repeats)(transposed ? pack_transposed : pack_rows)(&to, b, ldb, panel_columns);
}

/* ---- narrow layers: x (n_in + 1, m), the last row of which is 1, y and delta (n_out, m); b follows W in memory ----
 */

EXPORT void run_forward_narrow(size_t activation, size_t m, size_t n_in, size_t n_out, size_t stride, const real *x,
                               real *W, real *y, size_t repeats) {
    fbp_plan plan = {.threads = 1, .narrow = 1};
    const fbp_dense layer = {.n_in = n_in,
                             .n_out = n_out,
                             .activation = KERNELS.activations[activation],
                             .W = W,
                             .start = W + n_in * n_out,
                             .x = x,
                             .x_stride = stride,
                             .y = y,
                             .y_stride = stride,
                             .plan = &plan};
    fbp_step step = {.rows = m, .threads = 1};
    TIMES(repeats) KERNELS.forward_narrow(&layer, &step);
}

/* dW has room for a vector more. */
EXPORT void run_backward_weights_narrow(size_t m, size_t n_in, size_t n_out, size_t stride, const real *x, real *delta,
                                        real *dW, size_t repeats) {
    fbp_plan plan = {.threads = 1, .narrow = 1};
    const fbp_dense layer = {.n_in = n_in,
                             .n_out = n_out,
                             .trained_rows = n_in + 1,
                             .dW = dW,
                             .x = x,
                             .x_stride = stride,
                             .delta = delta,
                             .y_stride = stride,
                             .plan = &plan};
    fbp_step step = {.rows = m, .threads = 1};
    TIMES(repeats) backward_weights_narrow(&layer, &step);
}

/* ---- activations and optimizers: functions over n elements ------------------------------------------------------- */

EXPORT size_t saves_slope(size_t activation) { return (size_t)KERNELS.activations[activation].saves_slope; }

/* `slope` may be NULL. */
EXPORT void run_apply(size_t activation, double alpha, size_t n, const real *z, real *y, real *slope, size_t repeats) {
    const fbp_map map = {.rows = 1, .columns = n, .in = z, .out = y, .slope = slope, .alpha = alpha};
    TIMES(repeats) KERNELS.activations[activation].apply(&map);
}

EXPORT void run_chain(size_t activation, double alpha, size_t n, const real *in, const real *saved, real *out,
                      size_t repeats) {
    const fbp_map map = {.rows = 1, .columns = n, .in = in, .saved = saved, .out = out, .alpha = alpha};
    TIMES(repeats) KERNELS.activations[activation].chain(&map);
}

EXPORT void run_update(size_t optimizer, size_t n, real *parameters, const real *gradients, real *state_0,
                       real *state_1, real *state_2, size_t repeats) {
    /* with these numbers, every optimizer keeps its state positive and far from subnormal */
    static const double scalars[FBP_MAX_SCALARS] = {1e-3, 0.9, 0.9, 0.1, 1e-3, 1, 1e-8};
    void *const state[FBP_MAX_STATES] = {state_0, state_1, state_2};
    const fbp_update u = {
        .scalars = scalars, .parameters = parameters, .state = state, .gradients = gradients, .rows = 1, .columns = n};
    TIMES(repeats) KERNELS.updates[optimizer](&u);
}

/* ---- whole rows -------------------------------------------------------------------------------------------------- */

EXPORT void run_softmax(size_t rows, size_t columns, const real *z, real *y, size_t repeats) {
    TIMES(repeats) KERNELS.softmax_rows(z, y, rows, columns);
}

/* `labels` is NULL if the loss reads targets. */
EXPORT double run_loss(size_t loss, size_t rows, size_t columns, real *y, real *targets, int64_t *labels, real *delta,
                       size_t repeats) {
    static const real zeros[1 + FBP_MAX_LANES];
    fbp_network network = {.loss_parameter = 1, .outputs_per_target = 1, .output_parameters = zeros};
    fbp_plan plan = {.network = &network};
    fbp_slot slot = {.targets = targets, .labels = labels};
    const fbp_dense layer = {.n_out = columns, .y = y, .y_stride = columns, .delta = delta, .plan = &plan};
    fbp_step step = {.slot = &slot, .rows = rows, .scale = 1};
    TIMES(repeats) KERNELS.losses[loss][0](&layer, &step);
    return slot.loss;
}

/* rows.c asks for kernels by name; here is one set. */
const fbp_kernels *fbp_find_kernels(const char *isa, fbp_dtype dtype) {
    (void)isa, (void)dtype;
    return &KERNELS;
}

/* Rows of `columns` elements of `size` bytes, in the order of index, as reals. `scaling` has mean and inverse scale
 * (2, columns), or is NULL. */
EXPORT void run_gather(size_t source_type, size_t size, size_t rows, size_t columns, const char *data,
                       const int64_t *index, const double *scaling, real *out, size_t repeats) {
    const fbp_source source = {.data = data,
                               .row_stride = (ptrdiff_t)(columns * size),
                               .column_stride = (ptrdiff_t)size,
                               .rows = rows,
                               .columns = columns,
                               .type = (fbp_source_type)source_type,
                               .mean = scaling,
                               .inverse_scale = scaling ? scaling + columns : NULL};
    TIMES(repeats) fbp_gather(&source, index, 0, rows, &KERNELS, out, columns);
}

/* ---- the limit of every kernel except the product: the same reads and writes, with at most a sum ----------------- */

/* Write the sum of the arrays of `in` to every array of `out`, which may be one of `in`: n elements, whole vectors. */
ALWAYS_INLINE void move(real *const *in, const int reads, real *const *out, const int writes, size_t n) {
    const real *from[5];
    real *to[4];
    for (int k = 0; k < reads; k++) from[k] = in[k];
    for (int k = 0; k < writes; k++) to[k] = out[k];
#pragma GCC unroll 4
    for (size_t i = 0; i < n; i += LANES) {
        vec sum = load(from[0] + i);
#pragma GCC unroll 4
        for (int k = 1; k < reads; k++) sum += load(from[k] + i);
#pragma GCC unroll 4
        for (int k = 0; k < writes; k++) store(to[k] + i, sum);
    }
}

#define MOVE(reads, writes)                                                            \
    static void move_##reads##_##writes(real *const *in, real *const *out, size_t n) { \
        move(in, reads, out, writes, n);                                               \
    }
MOVE(1, 1)
MOVE(1, 2)
MOVE(2, 1)
MOVE(3, 2)
MOVE(4, 3)
MOVE(5, 4)

EXPORT void run_move(size_t reads, size_t writes, real *const *in, real *const *out, size_t n, size_t repeats) {
    static void (*const moves[6][5])(real *const *, real *const *, size_t) = {
        [1] = {[1] = move_1_1, [2] = move_1_2},
        [2] = {[1] = move_2_1},
        [3] = {[2] = move_3_2},
        [4] = {[3] = move_4_3},
        [5] = {[4] = move_5_4},
    };
    TIMES(repeats) moves[reads][writes](in, out, n);
}
