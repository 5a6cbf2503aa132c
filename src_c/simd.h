/* The vector of the instruction set being compiled, and the few operations that C's operators cannot say.
 *
 * Included with REAL_BITS defined as 32 or 64. `vec` is a generic vector of GCC and Clang: + - * / and comparisons
 * work on it as they stand, with a scalar too; a comparison gives an `ivec` of 0 and -1. Intrinsics appear only where
 * AVX2 or AVX-512 has an instruction for it; any other processor takes the plain C beside them.
 */
#ifndef FASTBP_SIMD_H
#define FASTBP_SIMD_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__AVX512F__)
#include <immintrin.h>
#define VECTOR_BYTES 64
#elif defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif

#if REAL_BITS == 32
typedef float real;
typedef int32_t ireal;
typedef uint32_t ureal;
#define MANTISSA_BITS 23
#define EXPONENT_BIAS 127
#define INTRINSIC(name) name##_ps
#elif REAL_BITS == 64
typedef double real;
typedef int64_t ireal;
typedef uint64_t ureal;
#define MANTISSA_BITS 52
#define EXPONENT_BIAS 1023
#define INTRINSIC(name) name##_pd
#else
#error "REAL_BITS must be 32 or 64"
#endif

#define REAL(c) ((real)(c))
#define LANES ((int)(VECTOR_BYTES / sizeof(real)))

typedef real vec __attribute__((vector_size(VECTOR_BYTES)));
typedef ireal ivec __attribute__((vector_size(VECTOR_BYTES)));
typedef ureal uvec __attribute__((vector_size(VECTOR_BYTES)));
typedef real unaligned_vec __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(real)), may_alias));

static inline vec load(const real *p) { return *(const unaligned_vec *)p; }

static inline void store(real *p, vec v) { *(unaligned_vec *)p = v; }

/* x - 0 and not x + 0, which would turn -0 into 0. */
static inline vec splat(real x) { return x - (vec){0}; }

/* Unsigned, because a sum or shift of bit patterns may overflow. */
static inline uvec bits(vec v) { return (uvec)v; }

static inline vec from_bits(uvec u) { return (vec)u; }

/* Lane by lane mask ? a : b, where mask comes from a comparison. */
static inline vec select(ivec mask, vec a, vec b) { return (vec)((mask & (ivec)a) | (~mask & (ivec)b)); }

#define SIGN_BIT ((ureal)1 << (REAL_BITS - 1))

static inline vec vabs(vec v) { return from_bits(bits(v) & ~SIGN_BIT); }

/* load_n, store_n  the first n lanes, 1 <= n <= LANES; the others read as 0, and their memory is not touched
 * fmadd            a * b + c, rounded once where the processor can, else twice
 * vmin, vmax       a < b ? a : b and a > b ? a : b, so b where either is NaN
 * any              whether any lane of a comparison holds */
#if defined(__AVX512F__)

#if REAL_BITS == 32
typedef __mmask16 lane_mask;
#else
typedef __mmask8 lane_mask;
#endif

static inline lane_mask first_lanes(size_t n) { return (lane_mask)((1u << n) - 1); }

static inline vec load_n(const real *p, size_t n) { return INTRINSIC(_mm512_maskz_loadu)(first_lanes(n), p); }

static inline void store_n(real *p, vec v, size_t n) { INTRINSIC(_mm512_mask_storeu)(p, first_lanes(n), v); }

static inline vec fmadd(vec a, vec b, vec c) { return INTRINSIC(_mm512_fmadd)(a, b, c); }

static inline vec vsqrt(vec v) { return INTRINSIC(_mm512_sqrt)(v); }

static inline vec vmin(vec a, vec b) { return INTRINSIC(_mm512_min)(a, b); }

static inline vec vmax(vec a, vec b) { return INTRINSIC(_mm512_max)(a, b); }

static inline int any(ivec mask) { return _mm512_test_epi32_mask((__m512i)mask, (__m512i)mask) != 0; }

#elif defined(__AVX2__) && defined(__FMA__)

static inline __m256i first_lanes(size_t n) {
#if REAL_BITS == 32
    const ivec lane = {0, 1, 2, 3, 4, 5, 6, 7};
#else
    const ivec lane = {0, 1, 2, 3};
#endif
    return (__m256i)(lane < (ireal)n);
}

static inline vec load_n(const real *p, size_t n) { return INTRINSIC(_mm256_maskload)(p, first_lanes(n)); }

static inline void store_n(real *p, vec v, size_t n) { INTRINSIC(_mm256_maskstore)(p, first_lanes(n), v); }

static inline vec fmadd(vec a, vec b, vec c) { return INTRINSIC(_mm256_fmadd)(a, b, c); }

static inline vec vsqrt(vec v) { return INTRINSIC(_mm256_sqrt)(v); }

static inline vec vmin(vec a, vec b) { return INTRINSIC(_mm256_min)(a, b); }

static inline vec vmax(vec a, vec b) { return INTRINSIC(_mm256_max)(a, b); }

static inline int any(ivec mask) { return !_mm256_testz_si256((__m256i)mask, (__m256i)mask); }

#else

/* A fixed trip count, lest the compiler call memcpy for a few lanes. */
static inline vec load_n(const real *p, size_t n) {
    if (n == (size_t)LANES) return load(p);
    vec v = {0};
    for (int i = 0; i < LANES; i++)
        if ((size_t)i < n) v[i] = p[i];
    return v;
}

static inline void store_n(real *p, vec v, size_t n) {
    if (n == (size_t)LANES) {
        store(p, v);
        return;
    }
    for (int i = 0; i < LANES; i++)
        if ((size_t)i < n) p[i] = v[i];
}

static inline vec fmadd(vec a, vec b, vec c) { return a * b + c; }

static inline vec vsqrt(vec v) {
    for (int i = 0; i < LANES; i++) v[i] = (real)sqrt(v[i]); /* exact for float too: double has room to spare */
    return v;
}

static inline vec vmin(vec a, vec b) { return select(a < b, a, b); }

static inline vec vmax(vec a, vec b) { return select(a > b, a, b); }

static inline int any(ivec mask) {
    ireal found = 0;
    for (int i = 0; i < LANES; i++) found |= mask[i];
    return found != 0;
}

#endif

#endif
