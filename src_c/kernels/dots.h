/* Dot products of the rows of two matrices, for dW of narrow networks: out (R, C) = x (R, m) d (C, m)^T.
 *
 * Each is summed per lane in the order of the columns, and then over the lanes as lane_sums() does. */
#ifndef FASTBP_DOTS_H
#define FASTBP_DOTS_H

#include "kernels/lanes.h"

enum { MOST_DOT_ROWS = 4, MOST_DOT_COLUMNS = VECTOR_BYTES * 8 / REAL_BITS > 8 ? 4 : 2 };

/* Rows of x (., m) or d (., m), which are `stride` apart. */
typedef struct {
    const real *data;
    size_t stride;
} dot_rows;

/* acc[r * C + c] += x[r] d[c] in columns k, k + 1, ... */
ALWAYS_INLINE void add_products(dot_rows x, dot_rows d, size_t k, size_t n, vec *acc, const int R, const int C) {
    vec column[MOST_DOT_COLUMNS];
#pragma GCC unroll 4
    for (int c = 0; c < C; c++) column[c] = load_n(d.data + (size_t)c * d.stride + k, n);
#pragma GCC unroll 4
    for (int r = 0; r < R; r++) {
        const vec row = load_n(x.data + (size_t)r * x.stride + k, n);
#pragma GCC unroll 4
        for (int c = 0; c < C; c++) acc[r * C + c] = fmadd(row, column[c], acc[r * C + c]);
    }
}

/* The caller declares acc[] with a literal bound, R * C rounded up to LANES, because GCC keeps an array in registers
 * only then (tile.h). Out may be written up to the end of a vector beyond its last element. */
ALWAYS_INLINE void dot_products(dot_rows x, dot_rows d, size_t m, real *out, size_t out_stride, vec *acc, const int R,
                                const int C) {
    const int n = R * C;
    size_t k = 0;
#pragma GCC unroll 16
    for (int i = 0; i < (n + LANES - 1) / LANES * LANES; i++) acc[i] = splat(0);
    for (; k + LANES <= m; k += LANES) add_products(x, d, k, LANES, acc, R, C);
    if (k < m) add_products(x, d, k, m - k, acc, R, C);
    real sums[MOST_DOT_ROWS * MOST_DOT_COLUMNS + VECTOR_BYTES / sizeof(real)];
    const int adjacent = out_stride == (size_t)C;
    real *const to = adjacent ? out : sums;
#pragma GCC unroll 16
    for (int i = 0; i < n; i += LANES) store(to + i, lane_sums(acc + i, n - i));
    for (int i = 0; i < n && !adjacent; i++) out[(size_t)(i / C) * out_stride + (size_t)(i % C)] = sums[i];
}

#define DOTS(R, C)                                                                               \
    static void dots_##R##x##C(dot_rows x, dot_rows d, size_t m, real *out, size_t out_stride) { \
        vec acc[((R) * (C) + LANES - 1) / LANES * LANES];                                        \
        dot_products(x, d, m, out, out_stride, acc, R, C);                                       \
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

static void (*const dots[MOST_DOT_ROWS + 1][MOST_DOT_COLUMNS + 1])(dot_rows x, dot_rows d, size_t m, real *out,
                                                                   size_t out_stride) = {ALL_DOTS(DOTS_ENTRY)};

#endif
