/* The first layer over sparse inputs, of which only the entries are stored.
 *
 * A row of z is the sum of the rows of W that its entries choose, and a row of dW that of the rows of delta where its
 * column has entries. Both sums are chains of fmadds in the order of a dense product, which only leave out terms of
 * zeros, so their bits are those of dense inputs, except for the sign of zeros. */
#ifndef FASTBP_SPARSE_H
#define FASTBP_SPARSE_H

#include <string.h>

#include "kernels/dense.h"

enum {
    MOST_CHOSEN = 8,                      /* vectors of a sum in registers */
    SPARSE_PIECE = 4096,                  /* elements in a buffer */
    SPARSE_ROWS = 16,                     /* rows of z that a thread computes at a time, */
    SPARSE_COLUMNS = 64,                  /* and columns with entries */
    COLUMNS_AHEAD = 8,                    /* columns whose rows of W are prefetched */
    SPARSE_THREAD_WORK = THREAD_WORK / 4, /* multiply-adds: they wait for memory */
};

/* A sum of chosen rows: start (N,) + sum over e < n of values[e] rows[chosen[e]], with rows ld elements apart. */
typedef struct {
    const real *start, *rows;
    size_t ld;
    const int32_t *chosen; /* (n + FBP_ENTRIES_AHEAD,) */
    const real *values;
    size_t n;
} chosen_rows;

/* V vectors of columns from j on, the last of which has `tail` elements. */
ALWAYS_INLINE void sum_chosen(const chosen_rows *c, size_t j, real *out, const int V, const size_t tail) {
    enum { LINE = 64 / VECTOR_BYTES };
    vec acc[MOST_CHOSEN];
    const real *const rows = c->rows + j, *values = c->values;
    const int32_t *chosen = c->chosen;
#pragma GCC unroll 8
    for (int v = 0; v < V; v++)
        acc[v] = !c->start ? splat(0) : load_n(c->start + j + v * LANES, v == V - 1 ? tail : LANES);
    for (size_t e = c->n; e > 0; e--, chosen++, values++) {
        const real *const row = rows + (size_t)*chosen * c->ld;
        const real *const ahead = rows + (size_t)chosen[FBP_ENTRIES_AHEAD] * c->ld;
        const vec x = splat(*values);
#pragma GCC unroll 8
        for (int v = 0; v < V; v += LINE) __builtin_prefetch(ahead + v * LANES);
#pragma GCC unroll 8
        for (int v = 0; v < V; v++)
            acc[v] = fmadd(x, v == V - 1 ? load_n(row + v * LANES, tail) : load(row + v * LANES), acc[v]);
    }
#pragma GCC unroll 8
    for (int v = 0; v < V; v++) store_n(out + v * LANES, acc[v], v == V - 1 ? tail : LANES);
}

/* out (N,) := the sum, columns j .. j + N - 1 */
static void sum_chosen_rows(const chosen_rows *c, size_t j, size_t N, real *out) {
#define CHOSEN(V)                                                   \
    case V:                                                         \
        if (tail == (size_t)LANES) sum_chosen(c, j, out, V, LANES); \
        else sum_chosen(c, j, out, V, tail);                        \
        break;
    for (size_t columns; N > 0; N -= columns, j += columns, out += columns) {
        const size_t vectors = smaller(divide_up(N, LANES), MOST_CHOSEN);
        columns = smaller(N, vectors * LANES);
        const size_t tail = columns - (vectors - 1) * LANES;
        switch (vectors) { CHOSEN(1) CHOSEN(2) CHOSEN(3) CHOSEN(4) CHOSEN(5) CHOSEN(6) CHOSEN(7) CHOSEN(8) }
    }
#undef CHOSEN
}

/* ---- y (m, n_out) = f(x (m, n_in) W (n_in, n_out) + b (n_out,)) -------------------------------------------------- */

static void forward_part(void *context, size_t part, size_t worker) {
    const product *p = context;
    const fbp_entries *const entries = &p->step->slot->entries;
    const size_t *const starts = entries->starts + p->step->offset;
    real buffer[SPARSE_PIECE];
    (void)worker;
    for (size_t i = part * SPARSE_ROWS; i < smaller((part + 1) * SPARSE_ROWS, p->M); i++) {
        const chosen_rows c = {.start = p->start,
                               .rows = p->b,
                               .ld = p->ldb,
                               .chosen = entries->columns + starts[i],
                               .values = (const real *)entries->values + starts[i],
                               .n = starts[i + 1] - starts[i]};
        for (size_t j = 0, n; j < p->N; j += n) {
            n = smaller(p->N - j, SPARSE_PIECE);
            sum_chosen_rows(&c, j, n, buffer);
            p->finish(p, &(tile){.rows = 1, .data = buffer, .columns = n, .ld = n}, i, j);
        }
    }
}

static size_t sparse_threads(const fbp_step *step, size_t work) {
    return smaller(step->threads, work / SPARSE_THREAD_WORK);
}

static size_t count_entries(const fbp_step *step) {
    const size_t *const starts = step->slot->entries.starts + step->offset;
    return starts[step->rows] - starts[0];
}

static void forward_sparse(const fbp_dense *layer, fbp_step *step) {
    product p = {.M = step->rows,
                 .N = layer->n_out,
                 .b = layer->W,
                 .ldb = layer->n_out,
                 .start = layer->b,
                 .finish = finish_forward,
                 .layer = layer,
                 .step = step};
    fbp_parallel(sparse_threads(step, count_entries(step) * p.N), divide_up(p.M, SPARSE_ROWS), forward_part, &p);
}

/* ---- dW (n_in, n_out) = x^T (n_in, m) delta (m, n_out), db (n_out,) = 1^T (1, m) delta (m, n_out) ---------------- */

/* out (n,) := columns j .. j + n - 1 of the row of dW of the column met[at] */
static void sum_column(const product *p, size_t at, size_t j, size_t n, real *out) {
    const fbp_entries *const entries = &p->step->slot->entries;
    const size_t first = at > 0 ? entries->ends[at - 1] : 0;
    sum_chosen_rows(&(chosen_rows){.rows = p->b,
                                   .ld = p->ldb,
                                   .chosen = entries->sorted_rows + first,
                                   .values = (const real *)entries->sorted_values + first,
                                   .n = entries->ends[at] - first},
                    j, n, out);
}

/* Prefetches a row of what `finish` will read and write. */
static void prefetch_row(const touched *t, size_t row, size_t n) {
    enum { LINE = 64 / sizeof(real) };
    for (size_t i = 0; i < t->n; i++) {
        for (size_t j = 0; j < n; j += LINE) __builtin_prefetch(t->arrays[i] + row * t->ld + j, 1);
    }
}

/* Some rows of dW that have entries. */
static void met_part(void *context, size_t part, size_t worker) {
    const product *p = context;
    const fbp_entries *const entries = &p->step->slot->entries;
    const touched touches = p->touches(p);
    real buffer[SPARSE_PIECE];
    (void)worker;
    for (size_t at = part * SPARSE_COLUMNS; at < smaller((part + 1) * SPARSE_COLUMNS, entries->n_met); at++) {
        const size_t ahead = smaller(at + COLUMNS_AHEAD, entries->n_met - 1);
        prefetch_row(&touches, (size_t)entries->met[ahead], smaller(p->N, SPARSE_PIECE));
        for (size_t j = 0, n; j < p->N; j += n) {
            n = smaller(p->N - j, SPARSE_PIECE);
            sum_column(p, at, j, n, buffer);
            p->finish(p, &(tile){.rows = 1, .data = buffer, .columns = n, .ld = n}, (size_t)entries->met[at], j);
        }
    }
}

/* Rows of dW that a buffer holds. */
static size_t rows_at_once(const product *p) { return p->N < SPARSE_PIECE ? SPARSE_PIECE / p->N : 1; }

/* So many rows of dW, those without entries, too. */
static void all_part(void *context, size_t part, size_t worker) {
    const product *p = context;
    const size_t first = part * rows_at_once(p), rows = smaller(p->M - first, rows_at_once(p));
    const uint32_t *const met_number = p->step->slot->entries.met_number + first;
    real buffer[SPARSE_PIECE];
    (void)worker;
    for (size_t j = 0, n; j < p->N; j += n) {
        n = smaller(p->N - j, SPARSE_PIECE);
        memset(buffer, 0, rows * n * sizeof(real));
        for (size_t k = 0; k < rows; k++) {
            if (met_number[k]) sum_column(p, met_number[k] - 1, j, n, buffer + k * n);
        }
        p->finish(p, &(tile){.rows = rows, .data = buffer, .columns = n, .ld = n}, first, j);
    }
}

/* Whether rows of dW without entries leave everything as it is. */
static int skips_zeros(const fbp_dense *layer, const fbp_step *step) {
    const fbp_network *network = layer->plan->network;
    return layer->dW ? step->adds : !fbp_is_penalized(layer->options) && fbp_is_idle(network->optimizer);
}

static void backward_weights_sparse(const fbp_dense *layer, fbp_step *step) {
    fbp_entries *const entries = &step->slot->entries;
    product p = weights_product(layer, step);
    fbp_sort_entries(entries, step->offset, step->rows, REAL_BITS == 32 ? FBP_FLOAT32 : FBP_FLOAT64);
    const int skips = skips_zeros(layer, step);
    const size_t work = count_entries(step) * p.N + (skips ? 0 : p.M * p.N);
    const size_t parts = skips ? divide_up(entries->n_met, SPARSE_COLUMNS) : divide_up(p.M, rows_at_once(&p));
    fbp_parallel(sparse_threads(step, work), parts, skips ? met_part : all_part, &p);
    fbp_forget_columns(entries);
    sum_bias(p);
}

#endif
