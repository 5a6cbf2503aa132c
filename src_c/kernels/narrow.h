/* Dense layers of narrow networks: arrays are transposed, with the batch along the lanes.
 *
 * If no layer is wider than FBP_NARROW units, rows of units would leave most lanes empty. So arrays of such a network
 * are (n, m), one row per unit, with rows `stride` apart, and the products are
 *
 *     z (n_out, m) = W^T (n_out, n_in) x (n_in, m) + b       dJ/dx (n_in, m) = W (n_in, n_out) delta (n_out, m)
 *     dW (n_in, n_out), db (1, n_out) = x (n_in, m), 1 (1, m) times delta^T (m, n_out)
 *
 * The last one is a dot product of two rows per weight. */
#ifndef FASTBP_NARROW_H
#define FASTBP_NARROW_H

#include "kernels/dense.h"
#include "rows/rows.h"

enum { UNITS_AT_ONCE = 4 };

/* A product with the batch along the lanes: y (n, m) = start (n,) + A (n, K) x (K, m). */
typedef struct {
    size_t n, m, K;
    const real *a; /* element (o, k) is a[o * row + k * column] */
    size_t row, column;
    const real *start; /* or NULL */
    const real *x;
    size_t x_stride;
    real *y;
    size_t y_stride;
} narrow_product;

/* Computes columns j, j + 1, ... of some units. Each element is one chain of fmadds in the order of k, as in a tile. */
ALWAYS_INLINE void multiply_lanes(const narrow_product *p, const size_t *units, size_t j, const size_t lanes) {
    vec acc[UNITS_AT_ONCE];
#pragma GCC unroll 4
    for (int u = 0; u < UNITS_AT_ONCE; u++) acc[u] = splat(p->start ? p->start[units[u]] : 0);
    for (size_t k = 0; k < p->K; k++) {
        const vec x = load_n(p->x + k * p->x_stride + j, lanes);
#pragma GCC unroll 4
        for (int u = 0; u < UNITS_AT_ONCE; u++)
            acc[u] = fmadd(splat(p->a[units[u] * p->row + k * p->column]), x, acc[u]);
    }
#pragma GCC unroll 4
    for (int u = 0; u < UNITS_AT_ONCE; u++) store_n(p->y + units[u] * p->y_stride + j, acc[u], lanes);
}

static void multiply_narrow(const narrow_product *product) {
    const narrow_product local = *product, *p = &local; /* a copy, which the compiler knows no store to change */
    for (size_t o = 0; o < p->n; o += UNITS_AT_ONCE) {
        size_t units[UNITS_AT_ONCE], j = 0; /* surplus units repeat the last one */
        for (size_t u = 0; u < UNITS_AT_ONCE; u++) units[u] = smaller(o + u, p->n - 1);
        for (; j + LANES <= p->m; j += LANES) multiply_lanes(p, units, j, LANES);
        if (j < p->m) multiply_lanes(p, units, j, p->m - j);
    }
}

static void forward_narrow(const fbp_dense *layer, fbp_step *step) {
    real *y = layer->y;
    multiply_narrow(&(narrow_product){.n = layer->n_out,
                                      .m = step->rows,
                                      .K = layer->n_in,
                                      .a = layer->W,
                                      .row = 1,
                                      .column = layer->n_out,
                                      .start = layer->b,
                                      .x = layer->x,
                                      .x_stride = layer->x_stride,
                                      .y = y,
                                      .y_stride = layer->y_stride});
    layer->activation.apply(&(fbp_map){.rows = layer->n_out,
                                       .columns = step->rows,
                                       .in = y,
                                       .in_stride = layer->y_stride,
                                       .out = y,
                                       .slope = layer->slope,
                                       .out_stride = layer->y_stride,
                                       .alpha = layer->alpha});
}

static void backward_input_narrow(const fbp_dense *layer, fbp_step *step) {
    const fbp_dense *previous = layer->previous;
    real *delta = previous->delta;
    multiply_narrow(&(narrow_product){.n = layer->n_in,
                                      .m = step->rows,
                                      .K = layer->n_out,
                                      .a = layer->W,
                                      .row = layer->n_out,
                                      .column = 1,
                                      .x = layer->delta,
                                      .x_stride = layer->y_stride,
                                      .y = delta,
                                      .y_stride = previous->y_stride});
    previous->activation.chain(&(fbp_map){.rows = layer->n_in,
                                          .columns = step->rows,
                                          .in = delta,
                                          .in_stride = previous->y_stride,
                                          .out = delta,
                                          .saved = previous->saved,
                                          .out_stride = previous->y_stride,
                                          .alpha = previous->alpha});
}

enum { DOT_ROWS = 4, DOT_COLUMNS = VECTOR_BYTES * 8 / REAL_BITS > 8 ? 4 : 2, DOTS = DOT_ROWS * DOT_COLUMNS };

/* dots[r * DOT_COLUMNS + c] = x[r] . d[c] over m elements, summed per lane and then over the lanes in order. */
static void dot_products(const real *const *x, const real *const *d, size_t m, real *dots) {
    vec acc[DOTS < LANES ? LANES : DOTS] = {{0}};
    for (size_t k = 0; k < m; k += LANES) {
        const size_t n = smaller(m - k, LANES);
        vec column[DOT_COLUMNS];
#pragma GCC unroll 4
        for (int c = 0; c < DOT_COLUMNS; c++) column[c] = load_n(d[c] + k, n);
#pragma GCC unroll 4
        for (int r = 0; r < DOT_ROWS; r++) {
            const vec row = load_n(x[r] + k, n);
#pragma GCC unroll 4
            for (int c = 0; c < DOT_COLUMNS; c++)
                acc[r * DOT_COLUMNS + c] = fmadd(row, column[c], acc[r * DOT_COLUMNS + c]);
        }
    }
    for (int first = 0; first < DOTS; first += LANES)
        store_n(dots + first, lane_sums(acc + first), DOTS < LANES ? DOTS : LANES);
}

static void backward_weights_narrow(const fbp_dense *layer, fbp_step *step) {
    real gradients[(FBP_NARROW + 1) * FBP_NARROW];
    const size_t n_in = layer->n_in, n_out = layer->n_out;
    const real *x = layer->x, *delta = layer->delta;
    for (size_t i = 0; i <= n_in; i += DOT_ROWS) {
        const real *rows[DOT_ROWS];
        for (size_t r = 0; r < DOT_ROWS; r++) rows[r] = i + r < n_in ? x + (i + r) * layer->x_stride : step->slot->ones;
        for (size_t o = 0; o < n_out; o += DOT_COLUMNS) {
            const real *columns[DOT_COLUMNS];
            real dots[DOTS];
            for (size_t c = 0; c < DOT_COLUMNS; c++) columns[c] = delta + smaller(o + c, n_out - 1) * layer->y_stride;
            dot_products(rows, columns, step->rows, dots);
            for (size_t r = 0; r < DOT_ROWS && i + r <= n_in; r++) {
                for (size_t c = 0; c < DOT_COLUMNS && o + c < n_out; c++)
                    gradients[(i + r) * n_out + o + c] = dots[r * DOT_COLUMNS + c];
            }
        }
    }
    const product p = {.layer = layer, .step = step};
    tile all = {.data = gradients, .ld = n_out, .rows = n_in + 1, .columns = n_out};
    finish_weights(layer)(&p, &all, 0, 0);
}

#endif
