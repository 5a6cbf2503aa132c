/* Dense layers: forward and backward pass, side by side. Every product is a call of multiply(). */
#ifndef FASTBP_DENSE_H
#define FASTBP_DENSE_H

#include <string.h>

#include "kernels/activation.h"
#include "kernels/gemm.h"
#include "kernels/optimizer.h"
#include "kernels/regularization.h"
#include "kernels/row_sums.h"

/* Turns a tile into a single row, without gaps, if it is as wide as the array it goes to: there its rows are one run of
 * elements. Otherwise narrow layers would spend a vector on each row, and wait for each masked store. */
static void join_rows(tile *c, size_t stride) {
    const size_t rows = c->rows, columns = c->columns, ld = c->ld;
    real *const data = c->data;
    if (columns != stride || rows == 1) return;
    for (size_t r = 1; r < rows && columns < ld; r++) {
        for (size_t j = 0; j < columns; j += LANES) store(data + r * columns + j, load(data + r * ld + j));
    }
    *c = (tile){.rows = 1, .data = data, .columns = rows * columns, .ld = rows * columns};
}

/* One or two arrays, from a row on. */
static touched touched_rows(const void *first, const void *second, size_t row, size_t stride) {
    const size_t at = row * stride;
    return (touched){{(const real *)first + at, (const real *)second + at}, first == second ? 1 : 2, stride};
}

/* ---- y (m, n_out) = f(x (m, n_in) W (n_in, n_out) + b (n_out,)) ------------------------------------------------- */

static void finish_forward(const product *p, tile *c, size_t i, size_t j) {
    const fbp_dense *layer = p->layer;
    const size_t at = (p->step->offset + i) * layer->y_stride + j;
    join_rows(c, layer->y_stride);
    layer->activation.apply(&(fbp_map){.rows = c->rows,
                                       .columns = c->columns,
                                       .in = c->data,
                                       .in_stride = c->ld,
                                       .out = (real *)layer->y + at,
                                       .slope = layer->slope ? (real *)layer->slope + at : NULL,
                                       .out_stride = layer->y_stride,
                                       .alpha = layer->alpha});
}

static touched touched_forward(const product *p) {
    const fbp_dense *layer = p->layer;
    return touched_rows(layer->y, layer->slope ? layer->slope : layer->y, p->step->offset, layer->y_stride);
}

static void forward(const fbp_dense *layer, fbp_step *step) {
    multiply(&(product){.M = step->rows,
                        .N = layer->n_out,
                        .K = layer->n_in,
                        .a = (const real *)layer->x + step->offset * layer->x_stride,
                        .lda = layer->x_stride,
                        .b = layer->W,
                        .ldb = layer->n_out,
                        .scratch = layer->scratch,
                        .start = layer->b,
                        .finish = finish_forward,
                        .touches = touched_forward,
                        .layer = layer,
                        .step = step});
}

/* ---- delta (m, n_out) = dJ/dz = dJ/dy f'(z): in place, at an output that is not joined with the loss ------------- */

static void output_chain(const fbp_dense *layer, fbp_step *step) {
    const size_t at = step->offset * layer->n_out;
    real *delta = (real *)layer->delta + at;
    layer->activation.chain(&(fbp_map){.rows = 1,
                                       .columns = step->rows * layer->n_out,
                                       .in = delta,
                                       .out = delta,
                                       .saved = (const real *)layer->saved + at,
                                       .alpha = layer->alpha});
}

/* ---- delta of the previous layer, (m, n_in) = (delta (m, n_out) W^T (n_out, n_in)) f'(z) of that layer ----------- */

static void finish_backward_input(const product *p, tile *c, size_t i, size_t j) {
    const fbp_dense *previous = p->layer->previous;
    const size_t at = (p->step->offset + i) * previous->y_stride + j;
    join_rows(c, previous->y_stride);
    previous->activation.chain(&(fbp_map){.rows = c->rows,
                                          .columns = c->columns,
                                          .in = c->data,
                                          .in_stride = c->ld,
                                          .out = (real *)previous->delta + at,
                                          .saved = (const real *)previous->saved + at,
                                          .out_stride = previous->y_stride,
                                          .alpha = previous->alpha});
}

/* In the first layer: dJ/dx (m, n_in), for the caller. */
static void finish_d_input(const product *p, tile *c, size_t i, size_t j) {
    const size_t n = p->layer->n_in;
    real *d_input = (real *)p->step->batch->d_input + (p->step->first + i) * n + j;
    for (size_t r = 0; r < c->rows; r++) memcpy(d_input + r * n, c->data + r * c->ld, c->columns * sizeof(real));
}

static touched touched_backward_input(const product *p) {
    const fbp_dense *previous = p->layer->previous;
    return touched_rows(previous->delta, previous->saved, p->step->offset, previous->y_stride);
}

/* dJ/dx, and what leads only to it, is left out if the caller of a custom loss does not want it. */
static void backward_input(const fbp_dense *layer, fbp_step *step) {
    const fbp_plan *plan = layer->plan;
    if ((size_t)(layer->options - plan->network->layers) <= plan->lowest && !step->batch->d_input) return;
    multiply(&(product){.M = step->rows,
                        .N = layer->n_in,
                        .K = layer->n_out,
                        .a = (const real *)layer->delta + step->offset * layer->y_stride,
                        .lda = layer->y_stride,
                        .b = layer->W,
                        .ldb = layer->n_out,
                        .b_transposed = 1,
                        .scratch = layer->scratch,
                        .finish = layer->previous ? finish_backward_input : finish_d_input,
                        .touches = layer->previous ? touched_backward_input : NULL,
                        .layer = layer,
                        .step = step});
}

/* ---- dW (n_in, n_out) = x^T (n_in, m) delta (m, n_out), db (n_out,) = 1^T (1, m) delta (m, n_out) ---------------- */

/* Fused: the optimizer uses the tile at once, and no gradient is stored. */
static void finish_update(const product *p, tile *c, size_t i, size_t j) {
    const size_t n = p->layer->n_out, offset = p->layer->offset + (p->first_row + i) * n + j;
    join_rows(c, n);
    update_rectangle(p->layer->plan, p->layer->scalars,
                     (fbp_update){.gradients = c->data,
                                  .gradients_stride = c->ld,
                                  .offset = offset,
                                  .stride = n,
                                  .rows = c->rows,
                                  .columns = c->columns});
}

/* The same, after adding the gradients of the penalties. The tile may end with b, which has no penalty. */
static void finish_penalized(const product *p, tile *c, size_t i, size_t j) {
    const size_t row = p->first_row + i;
    add_penalty_gradient(p->layer, row, j, c->data, c->ld, smaller(c->rows, p->layer->n_in - row), c->columns);
    finish_update(p, c, i, j);
}

/* Stored: the first row block writes, and later ones add to it in order; or each slot has its own gradients. */
static void finish_store(const product *p, tile *c, size_t i, size_t j) {
    const size_t n = p->layer->n_out;
    real *dW = (real *)p->layer->dW + (p->first_row + i) * n + j;
    join_rows(c, n);
    for (size_t r = 0; r < c->rows; r++, dW += n) {
        const real *from = c->data + r * c->ld;
        for (size_t e = 0; e < c->columns; e++) dW[e] = p->step->adds ? dW[e] + from[e] : from[e];
    }
}

static finish_tile *finish_weights(const fbp_dense *layer) {
    return layer->dW ? finish_store : fbp_is_penalized(layer->options) ? finish_penalized : finish_update;
}

/* The layer's rectangle of W and of the optimizer's state, or of the stored gradients. */
static touched touched_update(const product *p) {
    const fbp_dense *layer = p->layer;
    const fbp_plan *plan = layer->plan;
    const size_t first = p->first_row * layer->n_out;
    touched to = {{(const real *)(layer->dW ? layer->dW : layer->W) + first}, 1, layer->n_out};
    for (size_t i = 0; i < FBP_MAX_STATES && plan->state[i] && !layer->dW; i++)
        to.arrays[to.n++] = (const real *)plan->state[i] + layer->offset + first;
    return to;
}

/* Prefetches rows of the next batch during the update of the first layer, which is the last to be updated. */
static const char *next_batch(const product *p, size_t q) {
    const fbp_batch *batch = p->step->batch;
    const size_t next = batch->first + batch->rows + q;
    if (q >= batch->rows || next >= batch->n) return NULL;
    return batch->x->data + batch->x->row_stride * (ptrdiff_t)(batch->index ? batch->index[next] : (int64_t)next);
}

/* Fused, with one row in the batch: the optimizer computes dW = x^T delta itself, and reads W in the order of memory.
 * Layers narrower than a vector are faster as tiles, whose rows are joined. */
static void update_from_row(const fbp_dense *layer) {
    static const real one = 1;
    const size_t n = layer->n_out;
    fbp_update rows = {.gradients = layer->delta,
                       .factors = layer->x,
                       .offset = layer->offset,
                       .stride = n,
                       .rows = layer->n_in,
                       .columns = n};
    update_rectangle(layer->plan, layer->scalars, rows);
    if (!layer->b) return;
    rows.factors = &one; /* b, whose input is 1 */
    rows.offset += layer->n_in * n;
    rows.rows = 1;
    update_rectangle(layer->plan, layer->scalars, rows);
}

/* dW and db by one product. It has no operand x if the inputs are sparse. */
static product weights_product(const fbp_dense *layer, const fbp_step *step) {
    return (product){.M = layer->n_in,
                     .N = layer->n_out,
                     .K = step->rows,
                     .a = layer->x ? (const real *)layer->x + step->offset * layer->x_stride : NULL,
                     .lda = layer->x_stride,
                     .a_transposed = 1,
                     .b = (const real *)layer->delta + step->offset * layer->y_stride,
                     .ldb = layer->y_stride,
                     .scratch = layer->scratch,
                     .finish = finish_weights(layer),
                     .touches = touched_update,
                     .ahead = layer->previous || step->batch->x->starts ? NULL : next_batch,
                     .layer = layer,
                     .step = step};
}

/* The product of the gradient of b, which is one more row below W, whose input is 1. */
static void sum_bias(product p) {
    p.first_row = p.layer->n_in;
    if (p.layer->b) sum_rows(&p);
}

static void backward_weights(const fbp_dense *layer, fbp_step *step) {
    if (step->rows == 1 && !layer->dW && !fbp_is_penalized(layer->options) && layer->n_out >= (size_t)LANES) {
        update_from_row(layer);
        return;
    }
    const product p = weights_product(layer, step);
    multiply(&p);
    sum_bias(p);
}

#endif
