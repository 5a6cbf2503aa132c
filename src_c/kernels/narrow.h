/* Dense layers of narrow networks: arrays are transposed, with the batch along the lanes.
 *
 * If no layer is wider than FBP_NARROW units, rows of units would leave most lanes empty. So arrays of such a network
 * are (n, m), one row per unit, and the products are
 *
 *     z (n_out, m) = W^T (n_out, n_in) x (n_in, m) + b       dJ/dx (n_in, m) = W (n_in, n_out) delta (n_out, m)
 *     dW (n_in, n_out), db (1, n_out) = x (n_in, m), 1 (1, m) times delta^T (m, n_out)
 *
 * The last one is a dot product of two rows per weight (dots.h).
 *
 * Rows are `stride` elements apart, whole vectors. Nothing masks the last vector, whose surplus lanes hold any numbers,
 * except the sums over the batch: the loss and the dot products. */
#ifndef FASTBP_NARROW_H
#define FASTBP_NARROW_H

#include "kernels/dense.h"
#include "kernels/dots.h"
#include "kernels/softmax_narrow.h"
#include "rows/rows.h"

/* A product with the batch along the lanes: y (n, m) = (start (n,) + A (n, K) x (K, m)) factor (n, m), m whole vectors. */
typedef struct {
    size_t n, m, K;
    const real *a; /* element (o, k) is a[o * row + k * column] */
    size_t row, column;
    const real *start; /* or NULL */
    const real *x;
    size_t x_stride;
    real *y;
    const real *factor; /* laid out like y, or NULL */
    size_t y_stride;
} narrow_product;

enum { MOST_UNITS = 4, MOST_SUMS = 8 };

/* Computes V vectors of columns from j on, of U units from o on. Each element is one chain of fmadds in the order of k,
 * as in a tile. */
ALWAYS_INLINE void multiply_vectors(const narrow_product *p, size_t o, size_t j, const int U, const int V) {
    vec acc[MOST_SUMS], x[MOST_UNITS];
    const real *a = p->a + o * p->row, *from = p->x + j;
#pragma GCC unroll 8
    for (int i = 0; i < U * V; i++) acc[i] = splat(p->start ? p->start[o + (size_t)(i / V)] : 0);
    for (size_t k = p->K; k > 0; k--, a += p->column, from += p->x_stride) {
#pragma GCC unroll 4
        for (int v = 0; v < V; v++) x[v] = load(from + v * LANES);
#pragma GCC unroll 4
        for (int u = 0; u < U; u++) {
            const vec element = splat(a[(size_t)u * p->row]);
#pragma GCC unroll 4
            for (int v = 0; v < V; v++) acc[u * V + v] = fmadd(element, x[v], acc[u * V + v]);
        }
    }
    const size_t first = o * p->y_stride + j;
#pragma GCC unroll 8
    for (int i = 0; i < U * V; i++) {
        const size_t at = first + (size_t)(i / V) * p->y_stride + (size_t)(i % V * LANES);
        store(p->y + at, p->factor ? acc[i] * load(p->factor + at) : acc[i]);
    }
}

/* Computes U units, with as many vectors at a time as keep several sums under way. */
ALWAYS_INLINE void multiply_units(const narrow_product *p, size_t o, const int U) {
    enum { FEW = 2 };
    const int V = U <= FEW ? MOST_SUMS / 2 : FEW;
    size_t j = 0;
    for (; j + (size_t)(V * LANES) <= p->m; j += (size_t)(V * LANES)) multiply_vectors(p, o, j, U, V);
    for (; j < p->m; j += LANES) multiply_vectors(p, o, j, U, 1);
}

static void multiply_narrow(const narrow_product *product) {
    const narrow_product local = *product, *p = &local; /* a copy, which the compiler knows no store to change */
    size_t o = 0;
    for (; o + MOST_UNITS <= p->n; o += MOST_UNITS) multiply_units(p, o, MOST_UNITS);
    switch (p->n - o) {
        case 3: multiply_units(p, o, 3); break;
        case 2: multiply_units(p, o, 2); break;
        case 1: multiply_units(p, o, 1); break;
        default: break;
    }
}

/* n rows of m columns, `stride` apart, as an fbp_map: a single row, if nothing lies between them */
static fbp_map rows_of_units(size_t n, size_t m, size_t stride) {
    const int joined = m == stride;
    return (fbp_map){.rows = joined ? 1 : n, .columns = joined ? n * m : m, .in_stride = stride, .out_stride = stride};
}

static void forward_narrow(const fbp_dense *layer, fbp_step *step) {
    const size_t m = round_up(step->rows, LANES);
    fbp_map map = rows_of_units(layer->n_out, m, layer->y_stride);
    multiply_narrow(&(narrow_product){.n = layer->n_out,
                                      .m = m,
                                      .K = layer->n_in,
                                      .a = layer->W,
                                      .row = 1,
                                      .column = layer->n_out,
                                      .start = layer->b,
                                      .x = layer->x,
                                      .x_stride = layer->x_stride,
                                      .y = layer->y,
                                      .y_stride = layer->y_stride});
    map.in = map.out = layer->y;
    map.slope = layer->slope;
    map.alpha = layer->alpha;
    layer->activation.apply(&map);
}

/* delta of the previous layer = (W delta) f'(z), where the forward pass has saved f'(z), unless it is 1 */
static void backward_input_narrow(const fbp_dense *layer, fbp_step *step) {
    const fbp_dense *previous = layer->previous;
    multiply_narrow(&(narrow_product){.n = layer->n_in,
                                      .m = round_up(step->rows, LANES),
                                      .K = layer->n_out,
                                      .a = layer->W,
                                      .row = layer->n_out,
                                      .column = 1,
                                      .x = layer->delta,
                                      .x_stride = layer->y_stride,
                                      .y = previous->delta,
                                      .factor = previous->slope,
                                      .y_stride = previous->y_stride});
}

/* x has one more row, of ones: the input of b. */
static void backward_weights_narrow(const fbp_dense *layer, fbp_step *step) {
    const size_t n = layer->n_out, rows = layer->n_in + 1;
    for (size_t i = 0; i < rows; i += MOST_DOT_ROWS) {
        for (size_t o = 0; o < n; o += MOST_DOT_COLUMNS) {
            const dot_operands operands = {.x = (const real *)layer->x + i * layer->x_stride,
                                           .d = (const real *)layer->delta + o * layer->y_stride,
                                           .x_stride = layer->x_stride,
                                           .d_stride = layer->y_stride,
                                           .m = step->rows,
                                           .out = (real *)layer->dW + i * n + o,
                                           .out_stride = n};
            dots[smaller(rows - i, MOST_DOT_ROWS)][smaller(n - o, MOST_DOT_COLUMNS)](&operands);
        }
    }
}

/* Forward pass, loss and backward pass over a block of rows. */
static void passes_narrow(const fbp_dense *layers, fbp_step *step) {
    const fbp_plan *plan = layers->plan;
    const fbp_dense *output = layers + plan->network->n_layers - 1;
    for (const fbp_dense *layer = layers; layer <= output; layer++) forward_narrow(layer, step);
    if (plan->has_softmax) softmax_narrow(output, step);
    plan->loss(output, step);
    if (plan->has_softmax) softmax_chain_narrow(output, step);
    for (const fbp_dense *layer = output; layer > layers; layer--) backward_input_narrow(layer, step);
    for (const fbp_dense *layer = layers; layer <= output; layer++) backward_weights_narrow(layer, step);
}

#endif
