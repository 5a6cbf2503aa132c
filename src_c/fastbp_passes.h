/* Products and outer products outside of plans, from which fastbp.inspect builds its passes. Part of fastbp.h. */
#ifndef FASTBP_PASSES_H
#define FASTBP_PASSES_H

#include "fastbp.h"

/* out (M, N) := (start + A (M, K) B (K, N)) factor, or out := (out + A B) factor if `adds`. All arrays are of the
 * kernels' element type, in C order. Factors are multiplied element by element. Each element of A B is one sum in the
 * order of k, so its bits do not depend on the number of threads. */
typedef struct {
    size_t M, N, K;
    const void *a; /* (M, K), or (K, M) if a_transposed; rows are contiguous */
    int a_transposed;
    const void *b; /* (K, N), or (N, K) if b_transposed */
    int b_transposed;
    const void *start;     /* (N,) or NULL: zeros */
    const void *factor;    /* (M / factor_repeats, N), each row for so many rows of out; or NULL: 1 */
    size_t factor_repeats; /* at least 1 */
    void *out;             /* (M, N), apart from the others */
    int adds;
    size_t threads;
    void *scratch; /* fbp_product_bytes(K, N) per thread */
} fbp_product;

size_t fbp_product_bytes(const fbp_kernels *kernels, size_t K, size_t N);
void fbp_multiply(const fbp_kernels *kernels, const fbp_product *product);

/* out (rows, n_in, n_out) := x (rows, n_in, 1) delta (rows, 1, n_out): the gradient of W for each row. The matrices of
 * out are out_stride elements apart. */
typedef struct {
    size_t rows, n_in, n_out;
    const void *x, *delta;
    void *out;
    size_t out_stride, threads;
} fbp_outer;

void fbp_multiply_outer(const fbp_kernels *kernels, const fbp_outer *outer);

#endif
