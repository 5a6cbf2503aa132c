/* Softmax and its loss in narrow networks, where arrays are (n, m): the lanes of a vector are rows of the batch.
 *
 * Sums over the units of a row are added in the order of softmax_row(), so that the results are the same to the bit. */
#ifndef FASTBP_SOFTMAX_NARROW_H
#define FASTBP_SOFTMAX_NARROW_H

#include <math.h>
#include <string.h>

#include "kernels/product.h"
#include "kernels/softmax.h"
#include "rows/rows.h"

/* A double per lane. */
typedef wide_sum wide_lanes;

static inline vec narrowed(const wide_lanes *wide) {
#if REAL_BITS == 32
    union {
        half_vec half[2];
        vec whole;
    } u;
    for (int p = 0; p < WIDE_PARTS; p++) u.half[p] = __builtin_convertvector(wide->part[p], half_vec);
    return u.whole;
#else
    return wide->part[0];
#endif
}

/* Adds up v[0] to v[n - 1]: a row's elements per lane of softmax_row(), and then over its lanes. */
static wide_lanes sum_over_units(const vec *v, size_t n) {
    wide_lanes sum = {0};
    for (size_t first = 0; first < smaller(n, LANES); first++) {
        wide_lanes share = {0};
        for (size_t u = first; u < n; u += LANES) add_to(&share, v[u]);
        for (int p = 0; p < WIDE_PARTS; p++) sum.part[p] += share.part[p];
    }
    return sum;
}

/* y[u] = softmax(z) of n units, `stride` apart, for LANES rows of the batch; also gives sum exp(z - m) and the largest
 * z, m. */
static void softmax_lanes(const real *z, size_t n, size_t stride, vec *y, wide_lanes *exp_sum, vec *maximum) {
    vec top = load(z);
    for (size_t u = 1; u < n; u++) {
        const vec v = load(z + u * stride);
        top = blend(v > top, v, top);
    }
    for (size_t u = 0; u < n; u++) y[u] = vexp(load(z + u * stride) - top);
    *maximum = top;
    *exp_sum = sum_over_units(y, n);
    const vec share = narrowed(exp_sum);
    for (size_t u = 0; u < n; u++) y[u] = y[u] / share;
}

/* y = softmax(y) in place */
static void softmax_narrow(const fbp_dense *layer, fbp_step *step) {
    for (size_t j = 0; j < step->rows; j += LANES) {
        real *z = (real *)layer->y + j;
        vec y[FBP_NARROW], top;
        wide_lanes exp_sum;
        softmax_lanes(z, layer->n_out, layer->y_stride, y, &exp_sum, &top);
        for (size_t u = 0; u < layer->n_out; u++) store(z + u * layer->y_stride, y[u]);
    }
}

/* delta := dJ/dz = y (dJ/dy - sum y dJ/dy) from dJ/dy */
static void softmax_chain_narrow(const fbp_dense *layer, fbp_step *step) {
    const size_t n = layer->n_out, stride = layer->y_stride;
    for (size_t j = 0; j < step->rows; j += LANES) {
        const real *y = (const real *)layer->y + j;
        real *delta = (real *)layer->delta + j;
        vec products[FBP_NARROW];
        for (size_t u = 0; u < n; u++) products[u] = load(y + u * stride) * load(delta + u * stride);
        const wide_lanes sum = sum_over_units(products, n);
        const vec mean = narrowed(&sum);
        for (size_t u = 0; u < n; u++)
            store(delta + u * stride, load(y + u * stride) * (load(delta + u * stride) - mean));
    }
}

/* Labels as integers of the size of a lane; what is no label becomes -1. */
static ivec label_lanes(const int64_t *labels, size_t rows, size_t n) {
    ireal lanes[VECTOR_BYTES / sizeof(ireal)] = {0};
    ivec all;
    for (size_t i = 0; i < rows; i++) lanes[i] = (uint64_t)labels[i] < n ? (ireal)labels[i] : -1;
    memcpy(&all, lanes, sizeof all);
    return all;
}

/* Loss of row i: log sum exp(z - m) + sum s (m - z), with m = top the largest z. */
static double entropy_of_row(const fbp_dense *layer, const fbp_slot *slot, size_t i, double exp_sum, double top) {
    const size_t n = layer->n_out, stride = layer->y_stride;
    const double p = layer->plan->network->loss_parameter;
    const real kept = (real)(1 - p), spread = (real)(p / (double)n), *z = (const real *)layer->y + i;
    const real *t = (const real *)slot->targets + i;
    double loss = log(exp_sum);
    if (slot->labels) {
        const size_t label = (size_t)slot->labels[i];
        if (label >= n) return NAN; /* labels are checked, but the caller's memory may change during a fit */
        loss += (double)kept * (top - (double)z[label * stride]);
    } else {
        for (size_t u = 0; u < n; u++) loss += (double)(kept * t[u * stride]) * (top - (double)z[u * stride]);
    }
    for (size_t u = 0; u < n && p > 0; u++) loss += (double)spread * (top - (double)z[u * stride]);
    return loss;
}

/* As loss_cross_entropy(). */
static void cross_entropy_narrow(const fbp_dense *layer, fbp_step *step) {
    const size_t n = layer->n_out, stride = layer->y_stride;
    const double p = layer->plan->network->loss_parameter;
    const vec kept = splat((real)(1 - p)), spread = splat((real)(p / (double)n)), scale = splat((real)step->scale);
    const fbp_slot *slot = step->slot;
    double sum = 0;
    for (size_t j = 0; j < step->rows; j += LANES) {
        const size_t rows = smaller(step->rows - j, LANES);
        const vec weights = slot->weights ? load((const real *)slot->weights + j) : splat(1);
        const ivec labels = slot->labels ? label_lanes(slot->labels + j, rows, n) : (ivec){0};
        vec y[FBP_NARROW], top;
        wide_lanes exp_sum;
        softmax_lanes((const real *)layer->y + j, n, stride, y, &exp_sum, &top);
        for (size_t u = 0; u < n; u++) {
            const vec t = slot->labels ? blend(labels == (ireal)u, splat(1), splat(0))
                                       : load((const real *)slot->targets + u * stride + j);
            store((real *)layer->delta + u * stride + j, (y[u] - kept * t - spread) * (weights * scale));
        }
        for (size_t i = 0; i < rows; i++)
            sum += entropy_of_row(layer, slot, j + i, lane_of(&exp_sum, i), (double)top[i]) * (double)weights[i];
    }
    step->slot->loss = sum;
}

#endif
