/* Copies of operands, made where reading them in place is slow. */
#ifndef FASTBP_PACK_H
#define FASTBP_PACK_H

#include "kernels/lanes.h"

/* A block of B (K, columns) as contiguous panels (K, width), one after the other: column j is column j % width of panel
 * j / width. */
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
        for (size_t first = 0; first < columns; first += to->width, out += to->K * to->width) {
            const size_t n = smaller(columns - first, to->width);
            size_t j = 0;
            for (; j + LANES <= n; j += LANES) store(out + j, load(b + first + j));
            if (j < n) store(out + j, load_n(b + first + j, n - j));
        }
    }
}

#endif
