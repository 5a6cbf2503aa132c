/* Whole vectors across rows: transposes, sums of lanes, and copies for where reading in place is slow. */

/* Transposes LANES x LANES in place: for h = 1, 2, 4, ... swaps the off-diagonal blocks of every 2h x 2h square. */
#define SWAP_LOW(c, h) ((c) & (h) ? LANES + (c) - (h) : (c))
#define SWAP_HIGH(c, h) ((c) & (h) ? LANES + (c) : (c) + (h))
#if defined(__clang__)
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else /* GCC has that only from version 12 on */
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (ivec){__VA_ARGS__})
#endif
#define SWAP_BLOCKS(h)                                                         \
    _Pragma("GCC unroll 16") for (int i = 0; i < LANES; i++) if (!(i & (h))) { \
        const vec low = rows[i], high = rows[i + (h)];                         \
        rows[i] = SHUFFLE(low, high, LANE_LIST(SWAP_LOW, h));                  \
        rows[i + (h)] = SHUFFLE(low, high, LANE_LIST(SWAP_HIGH, h));           \
    }

/* clang-format off */
ALWAYS_INLINE void transpose(vec *rows) {
    SWAP_BLOCKS(1)
#if VECTOR_BYTES * 8 / REAL_BITS > 2
    SWAP_BLOCKS(2)
#endif
#if VECTOR_BYTES * 8 / REAL_BITS > 4
    SWAP_BLOCKS(4)
#endif
#if VECTOR_BYTES * 8 / REAL_BITS > 8
    SWAP_BLOCKS(8)
#endif
}
/* clang-format on */

/* Lane i = the sum of the lanes of rows[i]: for h = 1, 2, 4, ... adds neighbours at distance h, of two rows at once. */
#define ADD_BLOCKS(h)                                                                                       \
    _Pragma("GCC unroll 16") for (int i = 0; i < LANES; i += 2 * (h)) {                                     \
        const vec low = rows[i], high = rows[i + (h)];                                                      \
        rows[i] = SHUFFLE(low, high, LANE_LIST(SWAP_LOW, h)) + SHUFFLE(low, high, LANE_LIST(SWAP_HIGH, h)); \
    }

ALWAYS_INLINE vec lane_sums(vec *rows) {
    ADD_BLOCKS(1)
#if VECTOR_BYTES * 8 / REAL_BITS > 2
    ADD_BLOCKS(2)
#endif
#if VECTOR_BYTES * 8 / REAL_BITS > 4
    ADD_BLOCKS(4)
#endif
#if VECTOR_BYTES * 8 / REAL_BITS > 8
    ADD_BLOCKS(8)
#endif
    return rows[0];
}

/* Panels stand one after the other, each (K, width) and contiguous: column j of the group is column j % width of panel
 * j / width. The columns that a last panel has too many hold zeros. */
typedef struct {
    size_t K, width; /* a vector of tiles: vectors * LANES */
    real *data;
} panels;

static real *panel_at(const panels *to, size_t k, size_t j) {
    return to->data + (j / to->width * to->K + k) * to->width + j % to->width;
}

/* panels = transpose of b (columns, K), whose rows are ldb apart, LANES x LANES at a time */
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

/* panels = b (K, columns) */
static void pack_rows(const panels *to, const real *b, size_t ldb, size_t columns) {
    enum { AHEAD = 8 };
    for (size_t k = 0; k < to->K; k++, b += ldb) {
        for (size_t j = 0; j < columns; j += 64 / sizeof(real)) __builtin_prefetch(b + AHEAD * ldb + j);
        real *out = panel_at(to, k, 0);
        for (size_t j = 0, column = 0; j < columns; j += LANES) {
            store(out + column, load_n(b + j, smaller(columns - j, LANES)));
            column += LANES; /* no division by the width: it takes longer than the copy */
            if (column == to->width) {
                column = 0;
                out += to->K * to->width;
            }
        }
    }
}

/* strip (K, rows) = that many columns of a (K, M); writes whole vectors, so up to LANES - 1 elements past its end */
static void pack_strip(const real *a, size_t lda, size_t K, size_t rows, real *strip) {
    enum { AHEAD = 8 };
    for (size_t k = 0; k < K; k++, a += lda, strip += rows) {
        __builtin_prefetch(a + AHEAD * lda);
        __builtin_prefetch(a + AHEAD * lda + rows - 1);
        for (size_t r = 0; r < rows; r += LANES) store(strip + r, load_n(a + r, smaller(rows - r, LANES)));
    }
}
