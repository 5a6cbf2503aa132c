/* What fastbp.inspect computes with, outside of plans: products of any matrices, and outer products of rows. */
#ifndef FASTBP_PASSES_H
#define FASTBP_PASSES_H

#include "kernels/product.h"
#include "system/system.h"

/* ---- out = (start + A B) factor --------------------------------------------------------------------------------- */

/* What multiply() reads, and for finish_product() the rest. */
typedef struct {
    product p;
    const fbp_product *given;
} any_product;

/* to = (to + from) factor, n elements; without `adds`, to counts as 0, and factor may be NULL: 1 */
ALWAYS_INLINE void finish_vectors(real *to, const real *from, const real *factor, size_t n, const int adds) {
    for (size_t j = 0; j < n; j += LANES) {
        const size_t lanes = smaller(n - j, LANES);
        vec sum = load_n(from + j, lanes);
        if (adds) sum += load_n(to + j, lanes);
        store_n(to + j, factor ? sum * load_n(factor + j, lanes) : sum, lanes);
    }
}

static void finish_product(const product *p, tile *c, size_t i, size_t j) {
    const fbp_product given = *((const any_product *)p)->given; /* a copy, which no store changes */
    for (size_t r = 0; r < c->rows; r++) {
        const real *from = c->data + r * c->ld, *factor = given.factor;
        real *to = (real *)given.out + (i + r) * given.N + j;
        if (factor) factor += (i + r) / given.factor_repeats * given.N + j;
        if (given.adds) finish_vectors(to, from, factor, c->columns, 1);
        else finish_vectors(to, from, factor, c->columns, 0);
    }
}

static void multiply_any(const fbp_kernels *kernels, const fbp_product *given) {
    const fbp_plan plan = {.scratch_bytes = kernels->scratch_bytes(given->K, given->N)};
    const fbp_dense layer = {.plan = (fbp_plan *)&plan};
    const fbp_step step = {.threads = given->threads};
    const any_product any = {.p = {.M = given->M,
                                   .N = given->N,
                                   .K = given->K,
                                   .a = given->a,
                                   .lda = given->a_transposed ? given->M : given->K,
                                   .a_transposed = given->a_transposed,
                                   .b = given->b,
                                   .ldb = given->b_transposed ? given->K : given->N,
                                   .b_transposed = given->b_transposed,
                                   .scratch = given->scratch,
                                   .start = given->start,
                                   .finish = finish_product,
                                   .layer = &layer,
                                   .step = &step},
                             .given = given};
    kernels->multiply(&any.p);
}

/* ---- out_i = x_i^T delta_i --------------------------------------------------------------------------------------- */

enum { OUTER_WORK = 1 << 15 }; /* elements of a part: enough to pay for the call of a thread */

static void outer_row(const real *x, const real *delta, real *out, size_t n_in, size_t n_out) {
    for (size_t i = 0; i < n_in; i++, out += n_out) {
        const vec factor = splat(x[i]);
        size_t j = 0;
        for (; j + LANES <= n_out; j += LANES) store(out + j, factor * load(delta + j));
        if (j < n_out) store_n(out + j, factor * load_n(delta + j, n_out - j), n_out - j);
    }
}

static void outer_part(void *context, size_t part, size_t worker) {
    const fbp_outer *outer = context;
    const size_t n_in = outer->n_in, n_out = outer->n_out;
    const size_t rows = divide_up(OUTER_WORK, n_in * n_out), first = part * rows;
    (void)worker;
    for (size_t i = first; i < smaller(first + rows, outer->rows); i++)
        outer_row((const real *)outer->x + i * n_in, (const real *)outer->delta + i * n_out,
                  (real *)outer->out + i * outer->out_stride, n_in, n_out);
}

static void multiply_outer(const fbp_outer *outer) {
    const size_t rows = divide_up(OUTER_WORK, outer->n_in * outer->n_out), parts = divide_up(outer->rows, rows);
    fbp_parallel(smaller(outer->threads, parts), parts, outer_part, (void *)outer);
}

#endif
