/* Copies of operands, made where reading them in place is slow. */
#ifndef FASTBP_PACK_H
#define FASTBP_PACK_H

#include "kernels/lanes.h"

/* A group of columns of B as contiguous panels (K, width), one after the other: column j of the group is column j %
 * width of panel j / width. Surplus columns of the last panel are zeros. */
typedef struct {
    size_t K, width; /* of a tile: vectors * LANES */
    real *data;
} panels;

static real *panel_at(const panels *to, size_t k, size_t j) {
    return to->data + (j / to->width * to->K + k) * to->width + j % to->width;
}

/* panels := transpose of b (columns, K), rows ldb apart, LANES x LANES at a time */
static void pack_transposed(const panels *to, const real *b, size_t ldb, size_t columns) {
    enum { AHEAD = 4 * LANES };
    for (size_t j = 0; j < columns; j += LANES) {
        const size_t filled = smaller(columns - j, LANES);
        real *const out = panel_at(to, 0, j);
        for (size_t k = 0; k < to->K; k += LANES) {
            const size_t depth = smaller(to->K - k, LANES);
            vec rows[VECTOR_BYTES * 8 / REAL_BITS];
#pragma GCC unroll 16
            for (int i = 0; i < LANES; i++) {
                const real *row = b + (j + (size_t)i) * ldb + k;
                if ((size_t)i < filled) __builtin_prefetch(row + AHEAD);
                rows[i] = (size_t)i < filled ? load_n(row, depth) : splat(0);
            }
            transpose(rows);
            for (size_t i = 0; i < depth; i++) store(out + (k + i) * to->width, rows[i]);
        }
    }
}

/* panels := b (K, columns), rows ldb apart */
static void pack_rows(const panels *to, const real *b, size_t ldb, size_t columns) {
    enum { AHEAD = 8 };
    for (size_t k = 0; k < to->K; k++, b += ldb) {
        for (size_t j = 0; j < columns; j += 64 / sizeof(real)) __builtin_prefetch(b + AHEAD * ldb + j);
        real *out = panel_at(to, k, 0);
        for (size_t j = 0, column = 0; j < columns; j += LANES) {
            store(out + column, load_n(b + j, smaller(columns - j, LANES)));
            column += LANES; /* counted, because dividing by the width takes longer than the copy */
            if (column == to->width) {
                column = 0;
                out += to->K * to->width;
            }
        }
    }
}

/* strip (K, rows) := that many columns of a (K, M), rows lda apart. Writes whole vectors, so up to LANES - 1 elements
 * past the end of the strip. */
static void pack_strip(const real *a, size_t lda, size_t K, size_t rows, real *strip) {
    enum { AHEAD = 8 };
    for (size_t k = 0; k < K; k++, a += lda, strip += rows) {
        __builtin_prefetch(a + AHEAD * lda);
        __builtin_prefetch(a + AHEAD * lda + rows - 1);
        for (size_t r = 0; r < rows; r += LANES) store(strip + r, load_n(a + r, smaller(rows - r, LANES)));
    }
}

#endif
