/* Tiles of a product C = start + A B: R rows by V vectors of C, kept in registers over all of K.
 *
 * Each step loads V vectors of a row of B and broadcasts R elements of A. So an element of C is one chain of fmadds in
 * the order of k, in every tile.
 *
 * The register file limits the size of tiles: R V accumulators, the kept operands and one of the others. Without fmadd
 * a product takes a register, too, and a broadcast is a shuffle that competes with the arithmetic: then 2 x 6 does more
 * work per broadcast than 6 x 2 (0.72 -> 0.81 of the peak). A is transposed mainly for dW, whose tiles read and write
 * the optimizer's memory: wider tiles do so in longer runs (784-512-512-10 with Adam: 4 % faster than 14 x 2 on Zen 4,
 * other workloads alike). */
#ifndef FASTBP_TILE_H
#define FASTBP_TILE_H

#include "kernels/simd.h"

enum {
    MAX_VECTORS = 8,
    USUAL_VECTORS = VECTOR_BYTES == 16 ? 6 : 2,
    USUAL_VECTORS_TRANSPOSED = VECTOR_BYTES == 64 ? 4 : USUAL_VECTORS,
    MAX_TILE = 32,
    MAX_ROWS = VECTOR_BYTES == 64 ? 14 : 12,
    PREFETCH_ROWS = 12
};

typedef struct {
    size_t K;
    const real *a, *b;
    size_t lda, ldb;
    const real *start; /* start values of the sums: (V * LANES,) up to the tail, the same in each row; */
    size_t start_ld;   /* or, if this is not 0, (R, V * LANES), rows start_ld apart */
    size_t tail;       /* lanes in use in the last vector of a row */
    real *out;         /* (R, V * LANES) */
    const char *ahead; /* prefetched into L2 meanwhile, a line per k */
    size_t ahead_step; /* bytes from line to line */
} tile_operands;

/* Addresses of elements (r, k) of A for one k. Element r is r times lda after the first one, which an x86 address
 * expresses as one of three bases plus 0, 1, 2, 3 or 4 times lda. With a pointer per r, GCC runs out of registers and
 * keeps pointers in vector registers (14 x 2: 0.95 -> 0.82 of the peak). OPAQUE hides from GCC how the bases are
 * related. */
#define OPAQUE(x) __asm__("" : "+r"(x))
#define ROW_GROUP 5

typedef struct {
    const char *base[(MAX_ROWS + ROW_GROUP - 1) / ROW_GROUP];
    size_t one, three; /* times lda, in bytes */
} a_column;

ALWAYS_INLINE vec broadcast_element(const a_column *column, const int r, const int transposed) {
    const char *p = column->base[transposed ? 0 : r / ROW_GROUP];
    if (transposed) p += (size_t)r * sizeof(real);
    else if (r % ROW_GROUP == 3) p += column->three;
    else p += column->one * (size_t)(r % ROW_GROUP);
    return splat(*(const real *)(const void *)p);
}

/* Computes a tile. In each step the operands that are fewer, V vectors of B or R elements of A, are kept in registers,
 * and the others are loaded one by one. The caller declares acc[R * V] and kept[V] with literal bounds, because GCC
 * keeps an array in registers only then: a bound that is a parameter of an inlined function makes it a variable-length
 * array. */
ALWAYS_INLINE void accumulate(const tile_operands *t, vec *acc, vec *kept, const int R, const int V,
                              const int transposed, const size_t tail) {
    enum { LINE = 64 / VECTOR_BYTES };
#pragma GCC unroll 16
    for (int v = 0; v < V; v++) kept[v] = v == V - 1 ? load_n(t->start + v * LANES, tail) : load(t->start + v * LANES);
#pragma GCC unroll 16
    for (int r = 0; r < R; r++) {
#pragma GCC unroll 16
        for (int v = 0; v < V; v++) acc[r * V + v] = kept[v];
    }
    if (t->start_ld) { /* a constant distance would make GCC call memcpy, and keep acc in memory */
#pragma GCC unroll 16
        for (int r = 0; r < R; r++) {
#pragma GCC unroll 16
            for (int v = 0; v < V; v++) acc[r * V + v] = load(t->start + (size_t)r * t->start_ld + v * LANES);
        }
    }
    const size_t lda = t->lda * sizeof(real);
    a_column column = {.base[0] = (const char *)t->a, .one = lda, .three = 3 * lda};
    const real *b = t->b;
    const char *ahead = t->ahead;
    for (size_t k = t->K; k > 0; k--, b += t->ldb, ahead += t->ahead_step) {
        if (!transposed) {
#pragma GCC unroll 4
            for (int g = 1; g * ROW_GROUP < R; g++) {
                column.base[g] = column.base[g - 1] + ROW_GROUP * lda;
                OPAQUE(column.base[g]);
            }
            OPAQUE(column.one);
            OPAQUE(column.three);
        }
#pragma GCC unroll 16
        for (int v = 0; v < V; v += LINE) __builtin_prefetch(b + PREFETCH_ROWS * t->ldb + v * LANES);
        __builtin_prefetch(ahead, 0, 2);
        if (V <= R) {
#pragma GCC unroll 16
            for (int v = 0; v < V; v++) kept[v] = v == V - 1 ? load_n(b + v * LANES, tail) : load(b + v * LANES);
#pragma GCC unroll 16
            for (int r = 0; r < R; r++) {
                const vec element = broadcast_element(&column, r, transposed);
#pragma GCC unroll 16
                for (int v = 0; v < V; v++) acc[r * V + v] = fmadd(element, kept[v], acc[r * V + v]);
            }
        } else {
#pragma GCC unroll 16
            for (int r = 0; r < R; r++) kept[r] = broadcast_element(&column, r, transposed);
#pragma GCC unroll 16
            for (int v = 0; v < V; v++) {
                const vec row = v == V - 1 ? load_n(b + v * LANES, tail) : load(b + v * LANES);
#pragma GCC unroll 16
                for (int r = 0; r < R; r++) acc[r * V + v] = fmadd(kept[r], row, acc[r * V + v]);
            }
        }
        column.base[0] += transposed ? lda : sizeof(real);
    }
    real *const out = t->out;
#pragma GCC unroll 16
    for (int r = 0; r < R; r++) {
#pragma GCC unroll 16
        for (int v = 0; v < V; v++) store(out + (r * V + v) * LANES, acc[r * V + v]);
    }
}

/* A masked load costs AVX2 tiles a twelfth of their speed, so whole vectors have a loop of their own. AVX-512 masks are
 * free. */
ALWAYS_INLINE void accumulate_tile(const tile_operands *t, vec *acc, vec *kept, const int R, const int V,
                                   const int transposed) {
    if (VECTOR_BYTES < 64 && t->tail == (size_t)LANES) accumulate(t, acc, kept, R, V, transposed, LANES);
    else accumulate(t, acc, kept, R, V, transposed, t->tail);
}

#define TILE(R, V)                                                             \
    _Static_assert((R) * (V) <= MAX_TILE, "a tile is larger than its buffer"); \
    static void tile_##R##x##V(const tile_operands *t) {                       \
        vec acc[(R) * (V)], kept[V];                                           \
        accumulate_tile(t, acc, kept, R, V, 0);                                \
    }                                                                          \
    static void tile_##R##x##V##_transposed(const tile_operands *t) {          \
        vec acc[(R) * (V)], kept[V];                                           \
        accumulate_tile(t, acc, kept, R, V, 1);                                \
    }
#define TILE_ENTRY(R, V) [V][R] = {tile_##R##x##V, tile_##R##x##V##_transposed},

/* Tiles of the usual width are used for most products. With few rows, wider tiles keep as many fmadds in flight. */
/* clang-format off */
#if VECTOR_BYTES == 64 /* 32 registers */
#define TILES(T)                                                                                       \
    T(1, 1) T(2, 1) T(3, 1) T(4, 1) T(5, 1) T(6, 1) T(7, 1) T(8, 1) T(9, 1) T(10, 1) T(11, 1) T(12, 1) \
    T(13, 1) T(14, 1)                                                                                  \
    T(1, 2) T(2, 2) T(3, 2) T(4, 2) T(5, 2) T(6, 2) T(7, 2) T(8, 2) T(9, 2) T(10, 2) T(11, 2) T(12, 2) \
    T(13, 2) T(14, 2)                                                                                  \
    T(1, 4) T(2, 4) T(3, 4) T(4, 4) T(5, 4) T(6, 4)                                                    \
    T(1, 8) T(2, 8)

static const size_t max_rows[MAX_VECTORS + 1] = {[1] = 14, [2] = 14, [4] = 6, [8] = 2};
#elif VECTOR_BYTES == 32 /* 16 registers */
#define TILES(T)                                                                                       \
    T(1, 1) T(2, 1) T(3, 1) T(4, 1) T(5, 1) T(6, 1) T(7, 1) T(8, 1) T(9, 1) T(10, 1) T(11, 1) T(12, 1) \
    T(1, 2) T(2, 2) T(3, 2) T(4, 2) T(5, 2) T(6, 2)                                                    \
    T(1, 4) T(2, 4)                                                                                    \
    T(1, 8)

static const size_t max_rows[MAX_VECTORS + 1] = {[1] = 12, [2] = 6, [4] = 2, [8] = 1};
#else /* 16 registers, no fmadd */
#define TILES(T)                                                                                       \
    T(1, 1) T(2, 1) T(3, 1) T(4, 1) T(5, 1) T(6, 1) T(7, 1) T(8, 1) T(9, 1) T(10, 1) T(11, 1) T(12, 1) \
    T(1, 2) T(2, 2) T(3, 2) T(4, 2) T(5, 2) T(6, 2)                                                    \
    T(1, 3) T(2, 3) T(3, 3)                                                                            \
    T(1, 4) T(2, 4)                                                                                    \
    T(1, 6) T(2, 6)                                                                                    \
    T(1, 8)

static const size_t max_rows[MAX_VECTORS + 1] = {[1] = 12, [2] = 6, [3] = 3, [4] = 2, [6] = 2, [8] = 1};
#endif
/* clang-format on */

TILES(TILE)

static void (*const tiles[MAX_VECTORS + 1][MAX_ROWS + 1][2])(const tile_operands *) = {TILES(TILE_ENTRY)};

/* Width of the next narrower tiles, in vectors. */
static size_t narrower(size_t vectors) {
    do vectors--;
    while (!max_rows[vectors]);
    return vectors;
}

/* Width of the widest tiles that hold all M rows, else the usual width. */
static size_t tile_vectors(size_t M, int a_transposed) {
    const size_t usual = a_transposed ? USUAL_VECTORS_TRANSPOSED : USUAL_VECTORS;
    size_t vectors = MAX_VECTORS;
    while (vectors > usual && max_rows[vectors] < M) vectors = narrower(vectors);
    return vectors;
}

#endif
