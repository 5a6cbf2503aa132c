/* A matrix product, as its caller describes it: C (M, N) = start + A (M, K) B (K, N), finished tile by tile. */
#ifndef FASTBP_PRODUCT_H
#define FASTBP_PRODUCT_H

#include "kernels/simd.h"
#include "plan/plan.h"

/* A finished part of C, with rows ld apart. The order of the fields keeps compilers from copying two of them to an
 * fbp_map at once: such a load would wait until both have gone to the cache. */
typedef struct {
    size_t rows;
    real *data;
    size_t columns, ld;
} tile;

struct product;

/* Takes a tile, which begins at element (i, j) of C. */
typedef void finish_tile(const struct product *p, tile *c, size_t i, size_t j);

/* Arrays laid out like C that `finish` reads or writes, from element (0, 0) on, with rows ld elements apart. */
enum { MAX_TOUCHED = 1 + FBP_MAX_STATES };
typedef struct {
    const real *arrays[MAX_TOUCHED];
    size_t n, ld;
} touched;

typedef struct product {
    size_t M, N, K;
    const real *a; /* (M, K), or (K, M) if a_transposed */
    size_t lda;
    int a_transposed;
    const real *b; /* (K, N), or (N, K) if b_transposed */
    size_t ldb;
    int b_transposed;
    real *scratch;     /* for copies: scratch_bytes(K, N) per thread */
    const real *start; /* (N,) start values of the sums, the same in each row, or NULL */
    finish_tile *finish;
    touched (*touches)(const struct product *p);             /* what `finish` touches, or NULL */
    const char *(*ahead)(const struct product *p, size_t q); /* address of the q-th run of lines to prefetch; or NULL */
    const fbp_dense *layer;                                  /* for finish: the layer, */
    const fbp_step *step;                                    /* the rows of the batch, */
    size_t first_row; /* and the row of dW where C begins; the last row of dW is the gradient of b */
} product;

static inline size_t round_up(size_t x, size_t to) { return (x + to - 1) / to * to; }

static size_t divide_up(size_t x, size_t by) { return (x + by - 1) / by; }

#endif
