/* The kernels of one instruction set and element type, each to be run alone on operands that test_kernels.py makes.
 * Every function does its work `repeats` times, lest the call be what is timed.
 *
 * data.c, which is no kernel, comes along for gather: its figures count on the baseline path, whose flags it has in
 * the package. */

#include "../src_c/kernels.c"
#include "../src_c/data.c"

#define EXPORT __attribute__((visibility("default")))
#define KERNELS TABLE_NAME(FASTBP_ISA, REAL_BITS)
#define TIMES(repeats) for (size_t repeat = 0; repeat < (repeats); repeat++)

EXPORT const size_t vector_lanes = LANES;

/* ---- the product, with nothing after it but a store: c (M, N) = a (M, K) b (K, N) -------------------------------- */

typedef struct {
    product p;
    real *c;
} stored_product;

static void store_tile(const product *p, const real *tile, size_t ld, size_t i, size_t j, size_t rows, size_t columns) {
    real *c = ((const stored_product *)p)->c + i * p->N + j;
    for (size_t r = 0; r < rows; r++, c += p->N, tile += ld) {
        for (size_t v = 0; v < columns; v += LANES) {
            const size_t n = smaller(columns - v, LANES);
            store_n(c + v, load_n(tile + v, n), n);
        }
    }
}

/* A transposed operand stands in memory as (K, M) or (N, K). */
EXPORT void run_product(size_t M, size_t N, size_t K, const real *a, size_t lda, size_t a_transposed, const real *b,
                        size_t ldb, size_t b_transposed, real *panel, real *c, size_t repeats) {
    const stored_product s = {.p = {.M = M,
                                    .N = N,
                                    .K = K,
                                    .a = a,
                                    .lda = lda,
                                    .a_transposed = (int)a_transposed,
                                    .b = b,
                                    .ldb = ldb,
                                    .b_transposed = (int)b_transposed,
                                    .panel = panel,
                                    .finish = store_tile},
                              .c = c};
    TIMES(repeats) multiply(&s.p);
}

EXPORT const size_t panel_columns = MAX_VECTORS * LANES;

/* panel (K, columns) = b (K, columns), or the transpose of b (columns, K) */
EXPORT void run_pack(size_t transposed, const real *b, size_t ldb, size_t K, size_t columns, real *panel,
                     size_t repeats) {
    TIMES(repeats)(transposed ? pack_transposed : pack_rows)(b, ldb, K, columns, panel, columns);
}

/* ---- activations and optimizers: functions over n elements ------------------------------------------------------- */

EXPORT size_t saves_slope(size_t activation) { return (size_t)KERNELS.activations[activation].saves_slope; }

/* slope may be NULL */
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
                       real *state_1, size_t repeats) {
    /* numbers that leave every state positive and far from the subnormals, whichever optimizer reads them */
    static const double scalars[FBP_MAX_SCALARS] = {1e-3, 0.9, 0.9, 0.1, 1e-3, 1, 1e-8};
    void *const state[FBP_MAX_STATES] = {state_0, state_1};
    const fbp_update u = {
        .scalars = scalars, .parameters = parameters, .state = state, .gradients = gradients, .rows = 1, .columns = n};
    TIMES(repeats) KERNELS.updates[optimizer](&u);
}

/* ---- whole rows -------------------------------------------------------------------------------------------------- */

EXPORT void run_softmax(size_t rows, size_t columns, const real *z, real *y, size_t repeats) {
    TIMES(repeats) KERNELS.softmax_rows(z, y, rows, columns);
}

/* labels: NULL where targets are used */
EXPORT double run_loss(size_t loss, size_t rows, size_t columns, real *y, real *targets, int64_t *labels, real *delta,
                       size_t repeats) {
    fbp_network network = {.loss_parameter = 1};
    fbp_plan plan = {.network = &network, .targets = targets, .labels = labels};
    const fbp_dense layer = {.n_out = columns, .y = y, .y_stride = columns, .delta = delta, .plan = &plan};
    fbp_step step = {.rows = rows, .scale = 1};
    TIMES(repeats) KERNELS.losses[loss](&layer, &step);
    return step.loss;
}

/* Rows of `columns` elements of `size` bytes, in the order of index, as reals. */
EXPORT void run_gather(size_t source_type, size_t size, size_t rows, size_t columns, const char *data,
                       const int64_t *index, real *out, size_t repeats) {
    const fbp_source source = {.data = data,
                               .row_stride = (ptrdiff_t)(columns * size),
                               .column_stride = (ptrdiff_t)size,
                               .rows = rows,
                               .columns = columns,
                               .type = (fbp_source_type)source_type};
    TIMES(repeats) fbp_gather(&source, index, 0, rows, REAL_BITS == 32 ? FBP_FLOAT32 : FBP_FLOAT64, out, columns);
}

/* ---- the limit of all but the product: the same streams, with an addition at most ------------------------------- */

/* n elements, in whole vectors: every array of `out` receives the sum of those of `in`. It may be one of them. */
ALWAYS_INLINE void move(real *const *in, const int reads, real *const *out, const int writes, size_t n) {
    const real *from[4];
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

EXPORT void run_move(size_t reads, size_t writes, real *const *in, real *const *out, size_t n, size_t repeats) {
    static void (*const moves[5][4])(real *const *, real *const *, size_t) = {
        [1] = {[1] = move_1_1, [2] = move_1_2},
        [2] = {[1] = move_2_1},
        [3] = {[2] = move_3_2},
        [4] = {[3] = move_4_3},
    };
    TIMES(repeats) moves[reads][writes](in, out, n);
}
