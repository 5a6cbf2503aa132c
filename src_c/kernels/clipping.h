/* Gradient clipping: the optimizer sees a limited gradient; the stored gradient is left unclipped. */
#ifndef FASTBP_CLIPPING_H
#define FASTBP_CLIPPING_H

#include <math.h>

#include "kernels/lanes.h"
#include "kernels/optimizer.h"
#include "plan/plan.h"

static inline double magnitude(real x, double most) { return fabs((double)x) > most ? most : fabs((double)x); }

/* Largest magnitude of n elements `stride` apart, each limited to `most`, and of `largest`. */
static double largest_of(double largest, const real *x, size_t n, size_t stride, double most) {
    for (size_t i = 0; i < n; i++) {
        const double size = magnitude(x[i * stride], most);
        largest = size > largest ? size : largest;
    }
    return largest;
}

/* squares + the sum of the squares of these elements, each divided by `largest`; NaN stays */
static double add_shares(double squares, const real *x, size_t n, size_t stride, double most, double largest) {
    for (size_t i = 0; i < n; i++) {
        const double share = magnitude(x[i * stride], most) / largest;
        squares += share * share;
    }
    return squares;
}

/* limit / |x|, where |x| is the norm of n elements `stride` apart, each limited to `most`. For norms whose squares
 * overflow or lose digits: divides by the largest element first. NaN if all elements are 0. */
static double limit_over_norm(double limit, const real *x, size_t n, size_t stride, double most) {
    const double largest = largest_of(0, x, n, stride, most);
    return limit / largest / sqrt(add_shares(0, x, n, stride, most, largest));
}

static inline vec clip(vec g, vec largest) { return vmax(-largest, vmin(largest, g)); }

/* The same of the norm of all gradients that are trained. */
static double limit_over_gradients(const fbp_plan *plan, const real *g, double limit, double most) {
    const fbp_segment *end = plan->segments_end;
    double largest = 0, squares = 0;
    for (const fbp_segment *s = plan->segments; s < end; s++)
        largest = largest_of(largest, g + s->offset, s->n, 1, most);
    for (const fbp_segment *s = plan->segments; s < end; s++)
        squares = add_shares(squares, g + s->offset, s->n, 1, most, largest);
    return limit / largest / sqrt(squares);
}

/* Factor that limits the norm of all gradients that are trained, after each has been limited to `largest`. */
static real clip_factor(const fbp_plan *plan, vec largest) {
    const double limit = plan->network->clip_norm;
    const real *g = plan->network->gradients;
    wide_sum squares = {0};
    if (!(limit > 0)) return 1;
    for (const fbp_segment *s = plan->segments; s < plan->segments_end; s++) {
        for (size_t i = 0, n; i < s->n; i += n) {
            n = smaller(s->n - i, LANES);
            add_square_to(&squares, clip(load_n(g + s->offset + i, n), largest));
        }
    }
    const double norm = sqrt(total(&squares));
    const double coefficient =
        isfinite(norm) ? limit / (norm + 1e-6) : limit_over_gradients(plan, g, limit, (double)largest[0]);
    return coefficient >= 1 ? 1 : (real)coefficient; /* NaN stays */
}

/* Clips and updates a run of parameters. */
static void update_clipped_segment(const fbp_plan *plan, const fbp_segment *segment, vec largest, const real *factor) {
    enum { PIECE = 1024 };
    const real *g = (const real *)plan->network->gradients + segment->offset;
    real piece[PIECE];
    for (size_t i = 0, n; i < segment->n; i += n) {
        n = smaller(segment->n - i, PIECE);
        for (size_t j = 0; j < n; j += LANES) {
            const size_t lanes = smaller(n - j, LANES);
            store_n(piece + j, clip(load_n(g + i + j, lanes), largest), lanes);
        }
        update_rectangle(
            plan, segment->scalars,
            (fbp_update){
                .gradients = piece, .factors = factor, .offset = segment->offset + i, .rows = 1, .columns = n});
    }
}

/* Clips elements, then the norm: Pascanu et al., On the difficulty of training recurrent neural networks (2013), in
 * PyTorch's form. */
static void update_clipped(const fbp_dense *layer, fbp_step *step) {
    const fbp_plan *plan = layer->plan;
    const double most = plan->network->clip_value;
    const vec largest = splat(most > 0 ? (real)most : REAL(INFINITY));
    const real factor = clip_factor(plan, largest);
    (void)step;
    for (const fbp_segment *s = plan->segments; s < plan->segments_end; s++)
        update_clipped_segment(plan, s, largest, &factor);
}

#endif
