/* Dot products of the rows of two matrices, for dW of narrow networks: out (R, C) = x (R, m) d (C, m)^T.
 *
 * Each is summed per lane in the order of the columns, and then over the lanes as lane_sums() does. */
#ifndef FASTBP_DOTS_H
#define FASTBP_DOTS_H

#include "kernels/lanes.h"

enum { MOST_DOT_ROWS = 4, MOST_DOT_COLUMNS = VECTOR_BYTES * 8 / REAL_BITS > 8 ? 4 : 2 };

typedef struct {
    const real *x, *d;
    size_t x_stride, d_stride, m;
    real *out; /* may be written up to the end of a vector beyond its last element */
    size_t out_stride;
} dot_operands;

/* acc[r * C + c] += x[r] d[c] in columns k, k + 1, ... */
ALWAYS_INLINE void add_products(const dot_operands *o, size_t k, size_t n, vec *acc, const int R, const int C) {
    vec column[MOST_DOT_COLUMNS];
#pragma GCC unroll 4
    for (int c = 0; c < C; c++) column[c] = load_n(o->d + (size_t)c * o->d_stride + k, n);
#pragma GCC unroll 4
    for (int r = 0; r < R; r++) {
        const vec row = load_n(o->x + (size_t)r * o->x_stride + k, n);
#pragma GCC unroll 4
        for (int c = 0; c < C; c++) acc[r * C + c] = fmadd(row, column[c], acc[r * C + c]);
    }
}

/* The caller declares acc[] with a literal bound, R * C rounded up to LANES, because GCC keeps an array in registers
 * only then (tile.h). */
ALWAYS_INLINE void dot_products(const dot_operands *operands, vec *acc, const int R, const int C) {
    const dot_operands o = *operands;
    const int n = R * C;
    size_t k = 0;
#pragma GCC unroll 16
    for (int i = 0; i < (n + LANES - 1) / LANES * LANES; i++) acc[i] = splat(0);
    for (; k + LANES <= o.m; k += LANES) add_products(&o, k, LANES, acc, R, C);
    if (k < o.m) add_products(&o, k, o.m - k, acc, R, C);
    real sums[MOST_DOT_ROWS * MOST_DOT_COLUMNS + VECTOR_BYTES / sizeof(real)];
    const int adjacent = o.out_stride == (size_t)C;
    real *const to = adjacent ? o.out : sums;
#pragma GCC unroll 16
    for (int i = 0; i < n; i += LANES) store(to + i, lane_sums(acc + i, n - i));
    for (int i = 0; i < n && !adjacent; i++) o.out[(size_t)(i / C) * o.out_stride + (size_t)(i % C)] = sums[i];
}

#define DOTS(R, C)                                             \
    static void dots_##R##x##C(const dot_operands *o) {        \
        vec acc[((R) * (C) + LANES - 1) / LANES * LANES];      \
        dot_products(o, acc, R, C);                            \
    }
#define DOTS_ENTRY(R, C) [R][C] = dots_##R##x##C,

/* clang-format off */
#if VECTOR_BYTES * 8 / REAL_BITS > 8
#define ALL_DOTS(D) D(1, 1) D(1, 2) D(1, 3) D(1, 4) D(2, 1) D(2, 2) D(2, 3) D(2, 4) \
                    D(3, 1) D(3, 2) D(3, 3) D(3, 4) D(4, 1) D(4, 2) D(4, 3) D(4, 4)
#else
#define ALL_DOTS(D) D(1, 1) D(1, 2) D(2, 1) D(2, 2) D(3, 1) D(3, 2) D(4, 1) D(4, 2)
#endif
/* clang-format on */

ALL_DOTS(DOTS)

static void (*const dots[MOST_DOT_ROWS + 1][MOST_DOT_COLUMNS + 1])(const dot_operands *) = {ALL_DOTS(DOTS_ENTRY)};

#endif
