/* Second derivatives, products and outer products outside of plans: what fastbp.inspect builds on. Part of fastbp.h. */
#ifndef FASTBP_INSPECTION_H
#define FASTBP_INSPECTION_H

#include "fastbp.h"

/* Functions of one instruction set and element type. NULL for a set that fbp_isa() does not list. */
typedef struct fbp_inspection fbp_inspection;
const fbp_inspection *fbp_find_inspection(const char *isa, fbp_dtype dtype);

/* x, out (rows, columns): out = f''(x). Of softmax, the diagonal of the second derivatives. */
void fbp_second_derivative(const fbp_inspection *inspection, fbp_activation_id activation, double alpha, const void *x,
                           void *out, size_t rows, size_t columns);
/* h, t, r, out (rows, columns): out = (d^2 L / dh^2) r, with L the sum of the loss's terms. t is as wide as h, and h
 * are logits if the loss is joined with its activation. out overlaps no other array. */
void fbp_loss_curvature(const fbp_inspection *inspection, fbp_loss_id loss, double parameter, const void *h,
                        const void *t, const void *r, void *out, size_t rows, size_t columns);

/* out (M, N) := (start + A (M, K) B (K, N)) factor, or out := (out + A B) factor if `adds`. All arrays are of the
 * element type, in C order. Factors are multiplied element by element. Each element of A B is one sum in the
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

size_t fbp_product_bytes(const fbp_inspection *inspection, size_t K, size_t N);
void fbp_multiply(const fbp_inspection *inspection, const fbp_product *product);

/* out (rows, n_in, n_out) := x (rows, n_in, 1) delta (rows, 1, n_out): the gradient of W for each row. The matrices of
 * out are out_stride elements apart. */
typedef struct {
    size_t rows, n_in, n_out;
    const void *x, *delta;
    void *out;
    size_t out_stride, threads;
} fbp_outer;

void fbp_multiply_outer(const fbp_inspection *inspection, const fbp_outer *outer);

#endif
