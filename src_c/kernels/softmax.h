/* Softmax and its derivative, over rows of elements. */
#ifndef FASTBP_SOFTMAX_H
#define FASTBP_SOFTMAX_H

#include <math.h>

#include "kernels/lanes.h"
#include "kernels/vmath.h"
#include "plan/plan.h"

/* out = softmax(z) over n elements; out may be z. Returns log sum exp(z - m), m = *maximum = the largest z. */
static double softmax_row(const real *z, real *out, size_t n, real *maximum) {
    vec maxima = fill_tail(load_n(z, smaller(n, LANES)), n, z[0]);
    for (size_t j = LANES; j < n; j += LANES) {
        const size_t lanes = smaller(n - j, LANES);
        const vec v = fill_tail(load_n(z + j, lanes), lanes, z[0]);
        maxima = blend(v > maxima, v, maxima);
    }
    *maximum = maxima[0];
    for (int i = 1; i < LANES; i++) *maximum = maxima[i] > *maximum ? maxima[i] : *maximum;
    wide_sum sum = {0};
    for (size_t j = 0; j < n; j += LANES) {
        const size_t lanes = smaller(n - j, LANES);
        const vec e = vexp(load_n(z + j, lanes) - *maximum);
        add_to(&sum, fill_tail(e, lanes, 0));
        store_n(out + j, e, lanes);
    }
    const double exp_sum = total(&sum);
    const vec share = splat((real)exp_sum);
    for (size_t j = 0; j < n; j += LANES) {
        const size_t lanes = smaller(n - j, LANES);
        store_n(out + j, load_n(out + j, lanes) / share, lanes);
    }
    return log(exp_sum);
}

static void softmax_rows(const void *z, void *y, size_t rows, size_t columns) {
    real top;
    for (size_t i = 0; i < rows * columns; i += columns) softmax_row((const real *)z + i, (real *)y + i, columns, &top);
}

/* y = softmax(y) in place, for an output that is not joined with its loss */
static void softmax(const fbp_dense *layer, fbp_step *step) {
    real *y = (real *)layer->y + step->offset * layer->n_out;
    softmax_rows(y, y, step->rows, layer->n_out);
}

/* delta := dJ/dz = y (dJ/dy - sum y dJ/dy) from dJ/dy, row by row: the chain rule of softmax() */
static void softmax_chain(const fbp_dense *layer, fbp_step *step) {
    const size_t n = layer->n_out;
    for (size_t i = 0; i < step->rows; i++) {
        const real *y = (const real *)layer->y + (step->offset + i) * n;
        real *delta = (real *)layer->delta + (step->offset + i) * n;
        wide_sum sum = {0};
        for (size_t j = 0; j < n; j += LANES) {
            const size_t lanes = smaller(n - j, LANES);
            add_to(&sum, load_n(y + j, lanes) * load_n(delta + j, lanes));
        }
        const vec mean = splat((real)total(&sum));
        for (size_t j = 0; j < n; j += LANES) {
            const size_t lanes = smaller(n - j, LANES);
            store_n(delta + j, load_n(y + j, lanes) * (load_n(delta + j, lanes) - mean), lanes);
        }
    }
}

#endif
