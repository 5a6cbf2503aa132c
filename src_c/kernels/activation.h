/* Activations and their derivatives: the rows of activations.def as functions over rows of elements. */
#ifndef FASTBP_ACTIVATION_H
#define FASTBP_ACTIVATION_H

#include "kernels/kernels.h"
#include "kernels/vmath.h"

#define ZERO splat(0)
#define ONE splat(1)

/* Klambauer et al., Self-Normalizing Neural Networks (2017) */
#define SELU_ALPHA REAL(1.6732632423543772848170429916717)
#define SELU_SCALE REAL(1.0507009873554804934193349852946)

static inline vec clamp(vec x, real low, real high) { return vmax(splat(low), vmin(splat(high), x)); }

/* Derivative of a clamp: 1 strictly between low and high, else 0. y - y is 0, or NaN for NaN. */
static inline vec inside(vec y, real low, real high) { return blend((y <= low) | (y >= high), ZERO, ONE + (y - y)); }

/* 0 for z <= -3, 1 for z >= 3, `middle` between */
static inline vec clamp_outside(vec z, vec middle) {
    return blend(z <= REAL(-3), ZERO, blend(z >= REAL(3), ONE, middle));
}

/* z P(z), with P the cumulative normal distribution: -t P(-t) or z - t P(-t), t = |z|. So the left tail keeps its
 * digits, and -infinity gives its limit. The product with exp(-z^2 / 2), which may be subnormal, comes last. */
ALWAYS_INLINE vec gelu(vec z) {
    const vec t = vmin(splat(TAIL_MAX), vabs(z)), rest = t * normal_tail_ratio(z) * exp_square(z, REAL(0.5));
    return blend(z < REAL(0), -rest, z - rest);
}

/* P(z) + z P'(z); its values at z and -z add up to 1. */
ALWAYS_INLINE vec gelu_slope(vec z) {
    const vec t = vmin(splat(TAIL_MAX), vabs(z));
    const vec rest = fmadd(t, splat(REAL(-0.39894228040143267794)), normal_tail_ratio(z)) * exp_square(z, REAL(0.5));
    return blend(z < REAL(0), rest, ONE - rest);
}

/* Hendrycks & Gimpel, Gaussian Error Linear Units (2016). With u the argument of their tanh, (1 + tanh(u)) / 2 =
 * sigmoid(2 u), which keeps the left tail. Returns 2 u = z sqrt(8 / pi) (1 + 0.044715 z^2). */
static inline vec gelu_argument(vec z) { return REAL(1.59576912160573071176) * z * (ONE + REAL(0.044715) * z * z); }

static inline vec gelu_tanh_slope(vec z, vec s) {
    z = clamp(z, REAL(-22), REAL(22)); /* beyond, s (1 - s) is 0, but z^3 may be infinite */
    return s + s * (ONE - s) * z * REAL(1.59576912160573071176) * (ONE + REAL(3 * 0.044715) * z * z);
}

static inline vec mish_slope(vec z, vec t) { return t + z * vsigmoid(z) * (ONE - t * t); }

typedef vec value_function(vec z, vec a);
typedef vec slope_function(vec z, vec y, vec a);

/* n elements, at most LANES */
ALWAYS_INLINE void apply_vector(const real *in, real *out, real *slope, size_t n, vec a, value_function f,
                                slope_function f_prime) {
    const vec z = load_n(in, n), y = f(z, a);
    if (slope) store_n(slope, f_prime(z, y, a), n);
    store_n(out, y, n);
}

ALWAYS_INLINE void apply_row(const real *in, real *out, real *slope, size_t columns, vec a, value_function f,
                             slope_function f_prime) {
    size_t j = 0;
    for (; j + LANES <= columns; j += LANES)
        apply_vector(in + j, out + j, slope ? slope + j : NULL, LANES, a, f, f_prime);
    if (j < columns) apply_vector(in + j, out + j, slope ? slope + j : NULL, columns - j, a, f, f_prime);
}

ALWAYS_INLINE void apply(const fbp_map *map, value_function f, slope_function f_prime) {
    const fbp_map m = *map; /* a copy, which the compiler knows no store to change */
    const vec a = splat((real)m.alpha);
    for (size_t i = 0; i < m.rows; i++) {
        const real *in = (const real *)m.in + i * m.in_stride;
        real *out = (real *)m.out + i * m.out_stride;
        if (m.slope) apply_row(in, out, (real *)m.slope + i * m.out_stride, m.columns, a, f, f_prime);
        else apply_row(in, out, NULL, m.columns, a, f, f_prime);
    }
}

ALWAYS_INLINE void chain_vector(const real *in, const real *saved, real *out, size_t n, vec a, slope_function f_prime,
                                const int saves_slope) {
    const vec s = load_n(saved, n);
    store_n(out, load_n(in, n) * (saves_slope ? s : f_prime(s, s, a)), n);
}

ALWAYS_INLINE void chain(const fbp_map *map, slope_function f_prime, const int saves_slope) {
    const fbp_map m = *map;
    const vec a = splat((real)m.alpha);
    for (size_t i = 0; i < m.rows; i++) {
        const real *in = (const real *)m.in + i * m.in_stride;
        const real *saved = (const real *)m.saved + i * m.out_stride;
        real *out = (real *)m.out + i * m.out_stride;
        size_t j = 0;
        for (; j + LANES <= m.columns; j += LANES)
            chain_vector(in + j, saved + j, out + j, LANES, a, f_prime, saves_slope);
        if (j < m.columns) chain_vector(in + j, saved + j, out + j, m.columns - j, a, f_prime, saves_slope);
    }
}

enum { Y = 0, SLOPE = 1 };

#define ACTIVATION(name, initializer, saved, alpha, value, slope, formula, ...)          \
    static inline vec value_##name(vec z, vec a) {                                       \
        (void)a;                                                                         \
        return value;                                                                    \
    }                                                                                    \
    static inline vec slope_##name(vec z, vec y, vec a) {                                \
        (void)z;                                                                         \
        (void)y;                                                                         \
        (void)a;                                                                         \
        return slope;                                                                    \
    }                                                                                    \
    static void apply_##name(const fbp_map *m) { apply(m, value_##name, slope_##name); } \
    static void chain_##name(const fbp_map *m) { chain(m, slope_##name, saved); }
#include "tables/activations.def"
#undef ACTIVATION

/* f and f' of single vectors, for kernels/row.h */
#define ACTIVATION(name, ...) value_##name,
static value_function *const vector_values[] = {
#include "tables/activations.def"
};
#undef ACTIVATION
#define ACTIVATION(name, ...) slope_##name,
static slope_function *const vector_slopes[] = {
#include "tables/activations.def"
};
#undef ACTIVATION

static void chain_slope(const fbp_map *map) { chain(map, slope_identity, SLOPE); }

#endif
