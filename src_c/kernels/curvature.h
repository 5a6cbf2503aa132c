/* Second derivatives: the last columns of activations.def and losses.def as functions over rows of elements. */
#ifndef FASTBP_CURVATURE_H
#define FASTBP_CURVATURE_H

#include "kernels/activation.h"
#include "kernels/grouped_loss.h"
#include "kernels/loss.h"
#include "kernels/softmax.h"

/* ---- activations ------------------------------------------------------------------------------------------------- */

/* sigmoid'(z), with all digits where sigmoid(z) is close to 0 or 1 */
static inline vec bell(vec z) { return vsigmoid(z) * vsigmoid(-z); }

/* 1 - tanh(z)^2, with all digits where tanh(z) is close to -1 or 1 */
static inline vec square_sech(vec z) { return REAL(4) * bell(z + z); }

/* `inner` for z <= 0, else 0 */
static inline vec left_of_zero(vec z, vec inner) { return blend(z > REAL(0), ZERO, inner); }

/* 0, or NaN for NaN: f'' of activations that are made of straight lines */
static inline vec straight(vec z) { return blend(z == z, ZERO, z); }

/* P' is the density of the normal distribution: (z P)'' = (2 - z^2) P' */
static inline vec gelu_second(vec z) {
    const vec t = vmin(splat(TAIL_MAX), vabs(z));
    return (REAL(2) - t * t) * (REAL(0.39894228040143267794) * exp_square(z, REAL(0.5)));
}

/* With u(z) = gelu_argument(z) and s(u) = sigmoid(u), (z s)'' = s' (2 u' + z (u'' - tanh(u / 2) u'^2)). */
static inline vec gelu_tanh_second(vec z) {
    z = clamp(z, REAL(-22), REAL(22)); /* beyond, s' is 0, but z^3 may be infinite */
    const vec u = gelu_argument(z), u1 = REAL(1.59576912160573071176) * (ONE + REAL(3 * 0.044715) * z * z);
    const vec u2 = REAL(1.59576912160573071176 * 6 * 0.044715) * z;
    return bell(u) * (u1 + u1 + z * (u2 - vtanh(REAL(0.5) * u) * u1 * u1));
}

#define BELL_MAX REAL(800) /* bell() is 0 from here on */

static inline vec silu_second(vec z) {
    z = clamp(z, -BELL_MAX, BELL_MAX);
    return bell(z) * (REAL(2) - z * vtanh(REAL(0.5) * z));
}

/* t = tanh(softplus(z)) has t' = (1 - t^2) s, with s = sigmoid(z), and t'' = t' (q - 2 t s), with q = sigmoid(-z). In
 * terms of q, t = s (1 + q) / (1 + q^2) and 1 - t^2 = (2 q / (1 + q^2))^2. */
static inline vec mish_second(vec z) {
    z = clamp(z, -BELL_MAX, BELL_MAX);
    const vec s = vsigmoid(z), q = vsigmoid(-z), c = ONE / (ONE + q * q), root = (q + q) * c;
    return root * root * s * (REAL(2) + z * (q - REAL(2) * s * s * (ONE + q) * c));
}

static inline vec softsign_second(vec z) {
    const vec q = ONE / (ONE + vabs(z));
    return REAL(-2) * sign(z) * q * q * q;
}

static inline vec gaussian_second(vec z) {
    const vec t = vmin(splat(TAIL_MAX), vabs(z));
    return (REAL(4) * t * t - REAL(2)) * exp_square(z, REAL(1));
}

/* out = f''(in) */
ALWAYS_INLINE void curve(const fbp_map *map, value_function f, slope_function f_second) {
    const fbp_map m = *map;
    const vec a = splat((real)m.alpha);
    for (size_t i = 0; i < m.rows; i++) {
        const real *in = (const real *)m.in + i * m.in_stride;
        real *out = (real *)m.out + i * m.out_stride;
        for (size_t j = 0; j < m.columns; j += LANES) {
            const size_t n = smaller(m.columns - j, LANES);
            const vec z = load_n(in + j, n);
            store_n(out + j, f_second(z, f(z, a), a), n);
        }
    }
}

#define ACTIVATION(name, initializer, saved, alpha, value, slope, formula, second) \
    static inline vec second_##name(vec z, vec y, vec a) {                         \
        (void)z;                                                                   \
        (void)y;                                                                   \
        (void)a;                                                                   \
        return second;                                                             \
    }                                                                              \
    static void curve_##name(const fbp_map *m) { curve(m, value_##name, second_##name); }
#include "tables/activations.def"
#undef ACTIVATION

/* ---- losses ------------------------------------------------------------------------------------------------------ */

/* out = second derivative of each element's loss, times r */
ALWAYS_INLINE void curve_elements(const fbp_loss_map *map, loss_function second) {
    const fbp_loss_map m = *map;
    const vec p = splat((real)m.parameter);
    for (size_t j = 0, n = m.rows * m.columns; j < n; j += LANES) {
        const size_t lanes = smaller(n - j, LANES);
        const vec h = load_n((const real *)m.h + j, lanes), t = load_n((const real *)m.t + j, lanes);
        store_n((real *)m.out + j, second(h, t, h - t, p) * load_n((const real *)m.r + j, lanes), lanes);
    }
}

/* As of loss_cross_entropy(): dJ/dz = y - s has the derivative y (r - sum y r) along r. */
static void curve_loss_cross_entropy(const fbp_loss_map *m) {
    const size_t n = m->columns;
    real top;
    for (size_t i = 0; i < m->rows * n; i += n) {
        const real *r = (const real *)m->r + i;
        real *out = (real *)m->out + i;
        softmax_row((const real *)m->h + i, out, n, &top);
        wide_sum sum = {0};
        for (size_t j = 0; j < n; j += LANES) {
            const size_t lanes = smaller(n - j, LANES);
            add_to(&sum, load_n(out + j, lanes) * load_n(r + j, lanes));
        }
        const vec mean = splat((real)total(&sum));
        for (size_t j = 0; j < n; j += LANES) {
            const size_t lanes = smaller(n - j, LANES);
            store_n(out + j, load_n(out + j, lanes) * (load_n(r + j, lanes) - mean), lanes);
        }
    }
}

/* As of gaussian_terms(), with e = exp(-s / 2) and d = (m - t) e: the terms d^2 + s of a pair have the second
 * derivatives 2 e^2 by m m, -2 d e by m s, and d^2 by s s. */
static void curve_loss_gaussian_nll(const fbp_loss_map *map) {
    const ivec is_variance = (lane_numbers() & 1) != 0;
    for (size_t j = 0, n = map->rows * map->columns; j < n; j += LANES) {
        const size_t lanes = smaller(n - j, LANES);
        const vec own = load_n((const real *)map->h + j, lanes), other = SHUFFLE(own, own, LANE_LIST(NEIGHBOR, 0));
        const vec r = load_n((const real *)map->r + j, lanes), r_other = SHUFFLE(r, r, LANE_LIST(NEIGHBOR, 0));
        const vec m = blend(is_variance, other, own), s = blend(is_variance, own, other), e = vexp(REAL(-0.5) * s);
        const vec inverse = blend(e > REAL_MAX, splat(REAL_MAX), e);
        const vec d = (m - load_n((const real *)map->t + j, lanes)) * inverse;
        const vec by_mean = inverse * (REAL(2) * (inverse * r - d * r_other)); /* 2 inverse may be infinite */
        store_n((real *)map->out + j, blend(is_variance, d * (d * r - inverse * (REAL(2) * r_other)), by_mean), lanes);
    }
}

#define LOSS(name, link, value, slope, formula, second)                \
    static inline vec second_loss_##name(vec h, vec t, vec d, vec p) { \
        (void)h;                                                       \
        (void)t;                                                       \
        (void)d;                                                       \
        (void)p;                                                       \
        return second;                                                 \
    }                                                                  \
    static void curve_loss_##name(const fbp_loss_map *m) { curve_elements(m, second_loss_##name); }
#define ROW_LOSS(name, link, formula)
#include "tables/losses.def"
#undef ROW_LOSS
#undef LOSS

static void curve_loss_quantiles(const fbp_loss_map *m) { curve_loss_quantile(m); }

#define ACTIVATION(name, ...) curve_##name,
static curve_activation *const curvatures[] = {
#include "tables/activations.def"
};
#undef ACTIVATION

#define LOSS(name, ...) curve_loss_##name,
#define ROW_LOSS LOSS
static curve_loss *const loss_curvatures[] = {
#include "tables/losses.def"
};
#undef ROW_LOSS
#undef LOSS

#endif
