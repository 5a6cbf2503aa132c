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

static void forward_narrow(const fbp_dense *layer, fbp_step *step) {
    multiply(&(product){.M = layer->n_out,
                        .N = step->rows,
                        .K = layer->n_in,
                        .a = layer->W,
                        .lda = layer->n_out,
                        .a_transposed = 1,
                        .b = layer->x,
                        .ldb = layer->x_stride,
                        .row_start = layer->b,
                        .scratch = layer->scratch,
                        .finish = finish_forward,
                        .layer = layer,
                        .step = step});
}

static void backward_input_narrow(const fbp_dense *layer, fbp_step *step) {
    multiply(&(product){.M = layer->n_in,
                        .N = step->rows,
                        .K = layer->n_out,
                        .a = layer->W,
                        .lda = layer->n_out,
                        .b = layer->delta,
                        .ldb = layer->y_stride,
                        .scratch = layer->scratch,
                        .finish = finish_backward_input,
                        .layer = layer,
                        .step = step});
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
