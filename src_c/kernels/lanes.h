/* Operations across the lanes of vectors: transposes, sums, and sums in double. */
#ifndef FASTBP_LANES_H
#define FASTBP_LANES_H

#include "kernels/simd.h"

/* ---- squares of LANES x LANES elements --------------------------------------------------------------------------- */

#define SWAP_LOW(c, h) ((c) & (h) ? LANES + (c) - (h) : (c))
#define SWAP_HIGH(c, h) ((c) & (h) ? LANES + (c) : (c) + (h))
#if defined(__clang__)
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else /* GCC has __builtin_shufflevector only from version 12 on */
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (ivec){__VA_ARGS__})
#endif
#define SWAP_BLOCKS(h)                                                         \
    _Pragma("GCC unroll 16") for (int i = 0; i < LANES; i++) if (!(i & (h))) { \
        const vec low = rows[i], high = rows[i + (h)];                         \
        rows[i] = SHUFFLE(low, high, LANE_LIST(SWAP_LOW, h));                  \
        rows[i + (h)] = SHUFFLE(low, high, LANE_LIST(SWAP_HIGH, h));           \
    }

/* Transposes LANES x LANES in place: for h = 1, 2, 4, ... swaps the off-diagonal blocks of every 2h x 2h square. */
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

#define ADD_BLOCKS(h)                                                                                       \
    _Pragma("GCC unroll 16") for (int i = 0; i < LANES && i < n; i += 2 * (h)) {                            \
        const vec low = rows[i], high = rows[i + (h)];                                                      \
        rows[i] = SHUFFLE(low, high, LANE_LIST(SWAP_LOW, h)) + SHUFFLE(low, high, LANE_LIST(SWAP_HIGH, h)); \
    }

/* Lane i = sum of the lanes of rows[i], for i < n: for h = 1, 2, 4, ... adds neighbors at distance h, of two rows at a
 * time. */
ALWAYS_INLINE vec lane_sums(vec *rows, const int n) {
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

/* v with lanes n, n + 1, ... set to `filler` */
static inline vec fill_tail(vec v, size_t n, real filler) { return blend(lane_numbers() < (ireal)n, v, splat(filler)); }

/* ---- sums in double ---------------------------------------------------------------------------------------------- */

/* A sum per lane. total() adds them up in the order of the lanes. */
enum { WIDE_PARTS = REAL_BITS == 32 ? 2 : 1 };
typedef double wide_vec __attribute__((vector_size(VECTOR_BYTES)));
#if REAL_BITS == 32
typedef float half_vec __attribute__((vector_size(VECTOR_BYTES / 2)));
#endif

typedef struct { wide_vec part[WIDE_PARTS]; } wide_sum;

/* sum += v */
static inline void add_to(wide_sum *sum, vec v) {
#if REAL_BITS == 32
    union {
        vec whole;
        half_vec half[2];
    } u = {v};
    sum->part[0] += __builtin_convertvector(u.half[0], wide_vec);
    sum->part[1] += __builtin_convertvector(u.half[1], wide_vec);
#else
    sum->part[0] += v;
#endif
}

/* sum += v^2, squared in double */
static inline void add_square_to(wide_sum *sum, vec v) {
#if REAL_BITS == 32
    union {
        vec whole;
        half_vec half[2];
    } u = {v};
    for (int p = 0; p < WIDE_PARTS; p++) {
        const wide_vec w = __builtin_convertvector(u.half[p], wide_vec);
        sum->part[p] += w * w;
    }
#else
    sum->part[0] += v * v;
#endif
}

static inline double lane_of(const wide_sum *sum, size_t i) {
    enum { PART = sizeof(wide_vec) / sizeof(double) };
    return sum->part[i / PART][i % PART];
}

static inline double total(const wide_sum *sum) {
    double t = 0;
    for (int p = 0; p < WIDE_PARTS; p++) {
        for (size_t i = 0; i < sizeof(wide_vec) / sizeof(double); i++) t += sum->part[p][i];
    }
    return t;
}

#endif
