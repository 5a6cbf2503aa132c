/* Sum of the rows of B (K, N), for the gradient of b. Each element is added up in the order of k, like a product with a
 * row of ones, but an addition takes less time than a fmadd, and narrow layers wait for each one. */
#ifndef FASTBP_ROW_SUMS_H
#define FASTBP_ROW_SUMS_H

#include "kernels/product.h"

enum { MOST_SUMMED = 8 };

/* V vectors of columns from j on, the last of which has `tail` elements. */
ALWAYS_INLINE void sum_columns(const product *p, size_t j, const int V, const size_t tail) {
    vec acc[MOST_SUMMED];
    real sums[MOST_SUMMED * VECTOR_BYTES / sizeof(real)];
    const real *b = p->b + j;
#pragma GCC unroll 8
    for (int v = 0; v < V; v++) acc[v] = splat(0);
    for (size_t k = p->K; k > 0; k--, b += p->ldb) {
#pragma GCC unroll 8
        for (int v = 0; v < V; v++) acc[v] += v == V - 1 ? load_n(b + v * LANES, tail) : load(b + v * LANES);
    }
#pragma GCC unroll 8
    for (int v = 0; v < V; v++) store(sums + v * LANES, acc[v]);
    const size_t columns = (size_t)((V - 1) * LANES) + tail;
    p->finish(p, &(tile){.data = sums, .ld = columns, .rows = 1, .columns = columns}, 0, j);
}

/* Returns how many columns it has summed: up to V vectors. */
ALWAYS_INLINE size_t sum_vectors(const product *p, size_t j, const int V) {
    const size_t columns = smaller(p->N - j, (size_t)(V * LANES)), tail = columns - (size_t)((V - 1) * LANES);
    if (tail == (size_t)LANES) sum_columns(p, j, V, LANES);
    else sum_columns(p, j, V, tail);
    return columns;
}

static void sum_rows(const product *p) {
    for (size_t j = 0; j < p->N;) {
        const size_t left = p->N - j;
        j += left > 7 * LANES   ? sum_vectors(p, j, 8)
             : left > 3 * LANES ? sum_vectors(p, j, 4)
             : left > LANES     ? sum_vectors(p, j, 2)
                                : sum_vectors(p, j, 1);
    }
}

#endif
