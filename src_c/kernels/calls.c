/* Public functions that call one kernel directly, outside a plan. */

#include "fastbp_test.h"
#include "kernels/kernels.h"

void fbp_activate(const fbp_kernels *kernels, fbp_activation_id activation, double alpha, const void *x, void *y,
                  void *slope, size_t rows, size_t columns) {
    if (activation == FBP_ACTIVATION_softmax) {
        kernels->softmax_rows(x, y, rows, columns);
    } else {
        kernels->activations[activation].apply(
            &(fbp_map){.rows = 1, .columns = rows * columns, .in = x, .out = y, .slope = slope, .alpha = alpha});
    }
}

void fbp_second_derivative(const fbp_inspection *inspection, fbp_activation_id activation, double alpha, const void *x,
                           void *out, size_t rows, size_t columns) {
    const fbp_map map = {.rows = 1, .columns = rows * columns, .in = x, .out = out, .alpha = alpha};
    if (activation != FBP_ACTIVATION_softmax) {
        inspection->curvatures[activation](&map);
        return;
    }
    inspection->kernels->softmax_rows(x, out, rows, columns);
    inspection->curvatures[activation](&(fbp_map){.rows = 1, .columns = rows * columns, .in = out, .out = out});
}

void fbp_loss_curvature(const fbp_inspection *inspection, fbp_loss_id loss, double parameter, const void *h,
                        const void *t, const void *r, void *out, size_t rows, size_t columns) {
    inspection->loss_curvatures[loss](
        &(fbp_loss_map){.rows = rows, .columns = columns, .h = h, .t = t, .r = r, .out = out, .parameter = parameter});
}

void fbp_vector_math(const fbp_kernels *kernels, size_t i, const void *x, void *y, size_t n) {
    kernels->vector_math[i](x, y, n);
}

size_t fbp_workspace_bytes(const fbp_kernels *kernels, size_t n, size_t threads) {
    return kernels->workspace_bytes(n, threads);
}

int fbp_cholesky(const fbp_kernels *kernels, void *a, size_t n, const fbp_workspace *space) {
    return kernels->cholesky(a, n, space);
}

void fbp_cholesky_solve(const fbp_kernels *kernels, const void *factor, size_t n, void *x, const fbp_workspace *space) {
    kernels->cholesky_solve(factor, n, x, space);
}

double fbp_inverse_trace(const fbp_kernels *kernels, const void *factor, size_t n, const fbp_workspace *space) {
    return kernels->inverse_trace(factor, n, space);
}

int fbp_orthonormalize(const fbp_kernels *kernels, void *z, size_t rows, size_t n, void *gram,
                       const fbp_workspace *space) {
    return kernels->orthonormalize(z, rows, n, gram, space);
}

size_t fbp_product_bytes(const fbp_inspection *inspection, size_t K, size_t N) {
    return inspection->kernels->scratch_bytes(K, N);
}

void fbp_multiply(const fbp_inspection *inspection, const fbp_product *product) {
    inspection->multiply(inspection->kernels, product);
}

void fbp_multiply_outer(const fbp_inspection *inspection, const fbp_outer *outer) { inspection->multiply_outer(outer); }
