/* Vector math: exp, expm1, log1p, tanh, sigmoid, softplus, sin, cos and the tail of the normal distribution.
 *
 * All functions take any argument: NaN gives NaN, infinities give limits, tanh(-0) is -0, results underflow gradually.
 * They have no branches, except for the sine of huge numbers. docs/internals/vector_math.md names the sources of the
 * methods, and lists errors and speed on each instruction set. */
#ifndef FASTBP_VMATH_H
#define FASTBP_VMATH_H

#include "kernels/simd.h"

/* clang-format off */
/* tables: printed by tools/fit_vmath.py */
#if REAL_BITS == 32
#define EXP_MAX 89.0f
#define EXP_MIN -104.0f
#define LOG2_E 0x1.715476p+0f
#define LN2_HIGH 0x1.62e4p-1f
#define LN2_LOW 0x1.7f7d1cp-20f
#define TANH_MAX 10.0f
#define TAIL_MAX 15.0f
#define ONE_OVER_PI 0x1.45f306p-2f
#define SINE_MAX 4096.0f
#define PI_1 0x1.922p+1f
#define PI_2 -0x1.2aep-17f
#define PI_3 -0x1.deap-30f
#define PI_4 0x1.184698p-43f
static const real EXPM1_TAIL[] = { /* relative error 0.15 epsilon */
    0x1.fffffep-2f, 0x1.5554aap-3f, 0x1.55568p-5f, 0x1.122cfep-7f, 0x1.6beb12p-10f};
static const real TANH_TAIL[] = { /* relative error 0.21 epsilon */
    0x1.55544p-2f, -0x1.68d832p-6f};
static const real SIGMOID_TAIL[] = { /* relative error 0.0048 epsilon */
    0x1.555512p-3f, -0x1.6a8588p-9f};
static const real LOG1P_TAIL[] = { /* relative error 0.063 epsilon */
    -0x1.ffffd2p-2f, 0x1.554ddp-2f, -0x1.ff23e6p-3f, 0x1.934b54p-3f, -0x1.3a435ep-3f, 0x1.b4ae06p-4f,
    -0x1.d6b084p-5f, 0x1.4917bap-6f, -0x1.af4986p-9f};
static const real NORMAL_TAIL[] = { /* relative error 0.33 epsilon */
    0x1.d8979cp-2f, -0x1.76ff86p-4f, 0x1.fc6732p-6f, 0x1.47c26p-7f, -0x1.b095e8p-6f, 0x1.91fc92p-6f,
    -0x1.f0af1p-7f, 0x1.ac635ep-8f, -0x1.c012a4p-10f, -0x1.5d1434p-15f, 0x1.abd5e2p-13f};
static const real SINE_TAIL[] = { /* relative error 0.063 epsilon */
    -0x1.55554ap-3f, 0x1.110e86p-7f, -0x1.9f612ap-13f, 0x1.5ce4bap-19f};
#else
#define EXP_MAX 710.0
#define EXP_MIN -746.0
#define LOG2_E 0x1.71547652b82fep+0
#define LN2_HIGH 0x1.62e42fefa38p-1
#define LN2_LOW 0x1.ef35793c7673p-45
#define TANH_MAX 20.0
#define TAIL_MAX 39.0
#define ONE_OVER_PI 0x1.45f306dc9c883p-2
#define SINE_MAX 0x1p+20
#define PI_1 0x1.921fb544p+1
#define PI_2 0x1.0b4611a6p-33
#define PI_3 0x1.3198a2ep-68
#define PI_4 0x1.b839a252049c1p-103
static const real EXPM1_TAIL[] = { /* relative error 0.12 epsilon */
    0x1.0000000000005p-1, 0x1.5555555555536p-3, 0x1.5555555551e8cp-5, 0x1.1111111119b09p-7,
    0x1.6c16c1800313ap-10, 0x1.a01a01723df9bp-13, 0x1.a019a3c515e8fp-16, 0x1.71de8b77e0c15p-19,
    0x1.28a5ad1107fb2p-22, 0x1.ae6b7ca9daec7p-26};
static const real TANH_TAIL[] = { /* relative error 0.5 epsilon */
    0x1.5555555555012p-2, -0x1.6c16c167c8234p-6, 0x1.1566a29887c8p-9, -0x1.bbc67bf5913fcp-13,
    0x1.5f7da6385a4ffp-16};
static const real SIGMOID_TAIL[] = { /* relative error 0.0009 epsilon */
    0x1.5555555555529p-3, -0x1.6c16c16bd50c3p-9, 0x1.1566aab1045fdp-14, -0x1.bbd383a43c12fp-20,
    0x1.6337d3433069cp-25};
static const real LOG1P_TAIL[] = { /* relative error 0.1 epsilon */
    -0x1.fffffffffff9fp-2, 0x1.5555555551051p-2, -0x1.fffffffdd49cep-3, 0x1.99999951fa32bp-3,
    -0x1.55554fbe58ad9p-3, 0x1.2491fed957cdp-3, -0x1.fffa8bc99d77p-4, 0x1.c6f6a81bf2894p-4,
    -0x1.98d29644b6f47p-4, 0x1.712df4cc37876p-4, -0x1.4b021db67b738p-4, 0x1.202ded20a571ap-4,
    -0x1.d71148607b6bep-5, 0x1.5a891fb15054ap-5, -0x1.b6326ce48827fp-6, 0x1.c57ee2124cfd6p-7,
    -0x1.6b4e4b23a439p-8, 0x1.a25bd65ea36a8p-10, -0x1.31f8b930e35edp-12, 0x1.a9065ee4c91bfp-16};
static const real NORMAL_TAIL[] = { /* relative error 0.26 epsilon */
    0x1.d8979b0f2b39dp-2, -0x1.76ff86859eb19p-4, 0x1.fc66cc64a1cbdp-6, 0x1.47c1d0305598bp-7,
    -0x1.b08e0007d1f52p-6, 0x1.92037bab339ap-6, -0x1.f11aaafe6183cp-7, 0x1.ab6d0393143f3p-8,
    -0x1.b75f5105a43f2p-10, 0x1.05712599291ap-17, 0x1.7e622a5d3988ap-13, -0x1.c1b0fd7114846p-15,
    -0x1.4c1ed3fd8da5p-17, 0x1.2ff6f671bba98p-17, -0x1.1b50859336b77p-24, -0x1.5e35f0fe95979p-20,
    0x1.04e9e1a8958c6p-23, 0x1.9b292f3934d1cp-23, -0x1.66caa397b0fb5p-26, -0x1.c2f6cb1ca7e96p-26,
    0x1.76c68658b6503p-30, 0x1.20a33caab3eaap-29};
static const real SINE_TAIL[] = { /* relative error 0.0017 epsilon */
    -0x1.5555555555555p-3, 0x1.11111111110c4p-7, -0x1.a01a01a0147c8p-13, 0x1.71de3a5270d17p-19,
    -0x1.ae6454bb8aeeap-26, 0x1.6123c631ffbafp-33, -0x1.ae419f152e282p-41, 0x1.87fcf7d820d25p-49};
#endif
/* end of tables */
/* clang-format on */

/* power times the sum of c[i] x^i, for a power of 2. Horner's rule in x^2 over pairs of terms: half as many dependent
 * steps as in x. */
#define POLYNOMIAL(x, c) SCALED_POLYNOMIAL(1, x, c)
#define SCALED_POLYNOMIAL(power, x, c) polynomial(power, x, c, (int)(sizeof(c) / sizeof(*(c))))

ALWAYS_INLINE vec polynomial(real power, vec x, const real *c, int n) {
#define TERM(i) splat((power) * (c)[i])
    vec x2 = x * x, sum = n % 2 ? TERM(n - 1) : fmadd(TERM(n - 1), x, TERM(n - 2));
#pragma GCC unroll 16
    for (int i = (n - 1) / 2 * 2 - 2; i >= 0; i -= 2) sum = fmadd(sum, x2, fmadd(TERM(i + 1), x, TERM(i)));
#undef TERM
    return sum;
}

/* Rounds by addition: a number this large has no bits for a fraction, so x + ROUNDER holds the integer nearest to x in
 * its low bits, and subtracting ROUNDER gives that integer. |x| < 2^(MANTISSA_BITS - 1). */
#define ROUNDER ((real)((ireal)3 << (MANTISSA_BITS - 1)))

/* x = n ln 2 + r with n an integer, |r| <= ln(2) / 2; n LN2_HIGH is exact. Returns r and n + rounder, whose bits
 * exponent_field() turns into a power of 2. */
static inline vec reduced(vec x, real rounder, vec *shifted) {
    *shifted = fmadd(x, splat(LOG2_E), splat(rounder));
    vec n = *shifted - rounder;
    return fmadd(n, splat(-LN2_LOW), fmadd(n, splat(-LN2_HIGH), x));
}

/* p = expm1(r), so that exp(x) = 2^n (1 + p) */
static inline vec expm1_reduced(vec x, real rounder, vec *shifted) {
    vec r = reduced(x, rounder, shifted);
    return fmadd(r * r, POLYNOMIAL(r, EXPM1_TAIL), r);
}

/* 2^(n + k) for shifted = bits of n + SCALE_BY(k), if the power is a normal number. */
#define SCALE_BY(k) (ROUNDER + EXPONENT_BIAS + (k))

static inline vec exponent_field(uvec shifted) { return from_bits(shifted << MANTISSA_BITS); }

/* Rounded once, even if subnormal: the scaling by 2^n is one instruction, or two products with normal powers. */
static inline vec vexp(vec x) {
    const real rounder = ROUNDER + 2 * EXPONENT_BIAS;
    vec shifted, p = expm1_reduced(vmax(splat(EXP_MIN), vmin(splat(EXP_MAX), x)), rounder, &shifted);
#if defined(__AVX512F__)
    return INTRINSIC(_mm512_scalef)(1 + p, shifted - rounder);
#else
    uvec half = bits(shifted) >> 1;
    return (1 + p) * exponent_field(half) * exponent_field(bits(shifted) - half);
#endif
}

/* exp(-c x^2) for c = 1 or 1/2. Corrects the rounding error of x * x, because its effect would grow with x^2. */
ALWAYS_INLINE vec exp_square(vec x, real c) {
    const vec t = vmin(splat(TAIL_MAX), vabs(x)), square = t * t; /* beyond TAIL_MAX the result is 0 */
    const vec e = vexp(-c * square);
    return fmadd(-c * square_error(t, square), e, e);
}

/* exp(x^2 / 2) P(-|x|), with P the cumulative normal distribution. */
ALWAYS_INLINE vec normal_tail_ratio(vec x) {
    const vec t = vmin(splat(TAIL_MAX), vabs(x)), a = t + 1, b = t + 5, r = 1 / (a * b), u = (t - 5) * a * r;
    return POLYNOMIAL(u, NORMAL_TAIL) * (b * r);
}

/* v with the sign of x; v must be >= +0 or have that sign already. */
static inline vec signed_like(vec v, vec x) { return from_bits(bits(v) | (bits(x) & SIGN_BIT)); }

/* expm1(x) = 2 (2^(n - 1) (1 + p) - 1/2): 2^(n - 1) does not overflow. */
static inline vec vexpm1(vec x) {
    vec clamped = vmax(splat(-MANTISSA_BITS), vmin(splat(EXP_MAX), x));
    vec shifted, p = expm1_reduced(clamped, SCALE_BY(-1), &shifted), scale = exponent_field(bits(shifted));
    return signed_like(2 * fmadd(scale, p, scale - REAL(0.5)), x);
}

/* exp(2|x|) = 2^n (c + r) / (c - r) with |x| = n ln(2) / 2 + r, c = r coth(r). So tanh|x| = w / (w + (c - r)), where
 * w = (2^n - 1) / 2 (c + r) + r. n is rounded to a half and then down: r > -0.09, which takes few digits from w. The
 * error of ln 2 is small while n is, and fades as tanh|x| nears 1. */
static inline vec vtanh(vec x) {
    const real rounder = ROUNDER / 2 + (EXPONENT_BIAS - 1); /* its last bit is 1/2 */
    vec clamped = vmin(splat(TANH_MAX), vabs(x));
    uvec shifted = bits(fmadd(clamped, splat(2 * LOG2_E), splat(rounder))) & ~(ureal)1;
    vec r = fmadd(from_bits(shifted) - rounder, splat((LN2_HIGH + LN2_LOW) / -2), clamped), r2 = r * r;
    vec c = fmadd(r2, POLYNOMIAL(r2, TANH_TAIL), splat(1));
    vec w = fmadd(from_bits(shifted << (MANTISSA_BITS - 1)) - REAL(0.5), c + r, r);
    return signed_like(w / (w + (c - r)), x);
}

/* exp(x) = 2^n (c + r) / (c - r) with c = r coth(r / 2). So 1 / (1 + exp(-x)) = e / (e + (c - r)), e = 2^n (c + r).
 * The quotient is about half of a subnormal e, and with it the rounding error. */
static inline vec vsigmoid(vec x) {
    vec clamped = vmax(splat(EXP_MIN), vmin(splat(MANTISSA_BITS), x));
#if defined(__AVX512F__)
    vec shifted, r = reduced(clamped, ROUNDER, &shifted), r2 = r * r;
    vec c = fmadd(r2, POLYNOMIAL(r2, SIGMOID_TAIL), splat(2));
    vec e = INTRINSIC(_mm512_scalef)(c + r, shifted - ROUNDER), rest = c - r;
#else /* c and c + r times a power of 2: the other factor of e is a normal number */
    const real power = REAL(0.25) / (real)((ireal)1 << MANTISSA_BITS);
    vec shifted, r = reduced(clamped, SCALE_BY(MANTISSA_BITS + 2), &shifted), r2 = r * r;
    vec c = fmadd(r2, SCALED_POLYNOMIAL(power, r2, SIGMOID_TAIL), splat(2 * power));
    vec e = fmadd(r, splat(power), c) * exponent_field(bits(shifted)), rest = fmadd(c, splat(1 / power), -r);
#endif
    return e / (e + rest);
}

/* log1p(f) = f + f^2 p(f) for 0 <= f <= 1. */
static inline vec log1p_reduced(vec f) { return fmadd(f * f, POLYNOMIAL(f, LOG1P_TAIL), f); }

/* log1p(x) for 0 <= x < 2^EXPONENT_BIAS. 1 + x = 2^k (1 + f), 0 <= f < 1, and f = 2^-k x + (2^-k - 1) keeps the bits
 * that 1 + x loses. */
static inline vec log1p_positive(vec x) {
    uvec field = bits(1 + x) >> MANTISSA_BITS; /* k + EXPONENT_BIAS */
    vec k = from_bits(field | bits(splat(ROUNDER))) - (ROUNDER + EXPONENT_BIAS);
    vec scale = exponent_field(2 * EXPONENT_BIAS - field);
    vec log1p_f = log1p_reduced(fmadd(x, scale, scale - 1));
    return fmadd(k, splat(LN2_HIGH), fmadd(k, splat(LN2_LOW), log1p_f));
}

/* For x < 0, log1p(x) = -log1p(-x / (1 + x)) avoids cancellation; for large x, log1p(x) = log(x / 4) + log(4). */
static inline vec vlog1p(vec x) {
    const vec large = splat(REAL(0x1p100));
    vec a = blend(x < 0, -x / (1 + x), x);
    vec y = log1p_positive(blend(a > large, a * REAL(0.25), a));
    y = blend(a > large, y + 2 * (LN2_HIGH + LN2_LOW), y);
    return blend(x < -1, splat(NAN), signed_like(blend(a < INFINITY, y, a), x));
}

/* log(1 + exp(x)) = max(x, 0) + log1p(exp(-|x|)) */
static inline vec vsoftplus(vec x) { return vmax(splat(0), x) + log1p_reduced(vexp(-vabs(x))); }

/* x = q pi + r, |r| <= pi / 2, with q an integer, or for half = 1/2 an integer plus 1/2. Returns (-1)^(q + half)
 * sin(r). pi is split into four parts: up to SINE_MAX the products with three of them are exact. */
static inline vec sine(vec x, real half) {
    vec q = (fmadd(x, splat(ONE_OVER_PI), splat(-half)) + ROUNDER) - ROUNDER + half;
    vec r = fmadd(q, splat(-PI_1), x);
    r = fmadd(q, splat(-PI_2), r);
    r = fmadd(q, splat(-PI_3), r);
    r = fmadd(q, splat(-PI_4), r);
    vec r2 = r * r, y = fmadd(r * r2, POLYNOMIAL(r2, SINE_TAIL), r);
    return from_bits(bits(y) ^ (bits((q + half) + ROUNDER) << (REAL_BITS - 1)));
}

/* y, with lanes of |x| > SINE_MAX computed by libm. Only those lanes, so that no element depends on its neighbors. */
static inline vec huge_lanes(vec y, vec x, real (*libm)(real)) {
    ivec huge = vabs(x) > SINE_MAX;
    if (any(huge))
        for (int i = 0; i < LANES; i++)
            if (huge[i]) y[i] = libm(x[i]);
    return y;
}

#if REAL_BITS == 32
#define LIBM(name) name##f
#else
#define LIBM(name) name
#endif

static inline vec vsin(vec x) { return huge_lanes(blend(x == 0, x, sine(x, 0)), x, LIBM(sin)); }

static inline vec vcos(vec x) { return huge_lanes(sine(x, REAL(0.5)), x, LIBM(cos)); }

#endif
