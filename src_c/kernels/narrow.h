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

/* A product with the batch along the lanes, with m whole vectors: y (n, m) = start (n,) + A (n, K) x (K, m), or without
 * start y = A x, times factor (n, m) unless that is NULL. */
typedef struct {
    size_t n, m, K;
    const real *a; /* element (o, k) is a[o * row + k * column] */
    size_t row, column;
    const real *start, *x, *factor;
    real *y;
    size_t x_stride, y_stride; /* rows of factor are like those of y */
} narrow_product;

enum { MOST_UNITS = 4, MOST_SUMS = VECTOR_BYTES == 64 ? 16 : 8 };
typedef enum { STARTED, PLAIN, SCALED } product_kind;

/* Computes V vectors of columns from j on, of the first U units. Each element is one chain of fmadds in the order of k,
 * as in a tile. */
ALWAYS_INLINE void multiply_vectors(const narrow_product *p, size_t j, const int U, const int V,
                                    const product_kind kind) {
    vec acc[MOST_SUMS], x[MOST_SUMS];
    const real *a = p->a, *from = p->x + j;
#pragma GCC unroll 16
    for (int i = 0; i < U * V; i++) acc[i] = splat(kind == STARTED ? p->start[i / V] : 0);
    for (size_t k = p->K; k > 0; k--, a += p->column, from += p->x_stride) {
#pragma GCC unroll 8
        for (int v = 0; v < V; v++) x[v] = load(from + v * LANES);
#pragma GCC unroll 4
        for (int u = 0; u < U; u++) {
            const vec element = splat(a[(size_t)u * p->row]);
#pragma GCC unroll 8
            for (int v = 0; v < V; v++) acc[u * V + v] = fmadd(element, x[v], acc[u * V + v]);
        }
    }
#pragma GCC unroll 4
    for (int u = 0; u < U; u++) {
        const size_t at = (size_t)u * p->y_stride + j;
#pragma GCC unroll 8
        for (int v = 0; v < V; v++) {
            const vec sum = acc[u * V + v];
            store(p->y + at + v * LANES, kind == SCALED ? sum * load(p->factor + at + v * LANES) : sum);
        }
    }
}

/* Computes the first U units, with as many vectors at a time as there are registers for. */
ALWAYS_INLINE void multiply_units(const narrow_product *p, const int U, const product_kind kind) {
    const int V = MOST_SUMS / (U == 3 ? 4 : U) > 8 ? 8 : MOST_SUMS / (U == 3 ? 4 : U);
    size_t j = 0;
    for (; j + (size_t)(V * LANES) <= p->m; j += (size_t)(V * LANES)) multiply_vectors(p, j, U, V, kind);
    for (; j < p->m; j += LANES) multiply_vectors(p, j, U, 1, kind);
}

ALWAYS_INLINE void multiply_narrow(narrow_product p, const product_kind kind) {
    for (; p.n >= MOST_UNITS; p.n -= MOST_UNITS) {
        multiply_units(&p, MOST_UNITS, kind);
        p.a += MOST_UNITS * p.row;
        p.y += MOST_UNITS * p.y_stride;
        if (kind == STARTED) p.start += MOST_UNITS;
        if (kind == SCALED) p.factor += MOST_UNITS * p.y_stride;
    }
    switch (p.n) {
        case 3: multiply_units(&p, 3, kind); break;
        case 2: multiply_units(&p, 2, kind); break;
        case 1: multiply_units(&p, 1, kind); break;
        default: break;
    }
}

static void forward_narrow(const fbp_dense *layer, fbp_step *step) {
    const size_t m = round_up(step->rows, LANES), n = layer->n_out, stride = layer->y_stride;
    multiply_narrow(
        (narrow_product){
            .n = n,
            .m = m,
            .K = layer->n_in,
            .a = layer->W,
            .row = 1,
            .column = n,
            .start = layer->start,
            .x = layer->x,
            .y = layer->y,
            .x_stride = layer->x_stride,
            .y_stride = stride,
        },
        STARTED);
    const int joined = m == stride; /* a single row, because nothing lies between the rows */
    layer->activation.apply(&(fbp_map){.rows = joined ? 1 : n,
                                       .columns = joined ? n * m : m,
                                       .in = layer->y,
                                       .in_stride = stride,
                                       .out = layer->y,
                                       .slope = layer->slope,
                                       .out_stride = stride,
                                       .alpha = layer->alpha});
}

/* delta of the previous layer = (W delta) f'(z), where the forward pass has saved f'(z), unless it is 1 */
static void backward_input_narrow(const fbp_dense *layer, fbp_step *step) {
    const fbp_dense *previous = layer->previous;
    const narrow_product p = {
        .n = layer->n_in,
        .m = round_up(step->rows, LANES),
        .K = layer->n_out,
        .a = layer->W,
        .row = layer->n_out,
        .column = 1,
        .x = layer->delta,
        .factor = previous->slope,
        .y = previous->delta,
        .x_stride = layer->y_stride,
        .y_stride = previous->y_stride,
    };
    if (p.factor) multiply_narrow(p, SCALED);
    else multiply_narrow(p, PLAIN);
}

/* x has one more row, of ones: the input of b. */
static void backward_weights_narrow(const fbp_dense *layer, fbp_step *step) {
    const size_t n = layer->n_out, m = step->rows;
    dot_rows x = {layer->x, layer->x_stride};
    real *dW = layer->dW;
    for (size_t left = layer->trained_rows, rows; left > 0; left -= rows) {
        rows = smaller(left, MOST_DOT_ROWS);
        dot_rows d = {layer->delta, layer->y_stride};
        for (size_t o = 0; o < n; o += MOST_DOT_COLUMNS) {
            dots[rows][smaller(n - o, MOST_DOT_COLUMNS)](x, d, m, dW + o, n);
            d.data += MOST_DOT_COLUMNS * d.stride;
        }
        x.data += MOST_DOT_ROWS * x.stride;
        dW += MOST_DOT_ROWS * n;
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
    const fbp_dense *lowest = layers + plan->lowest;
    for (const fbp_dense *layer = output; layer > lowest; layer--) backward_input_narrow(layer, step);
    for (const fbp_dense *layer = lowest; layer <= output; layer++) backward_weights_narrow(layer, step);
}

#endif
