/* The vector type of the instruction set being compiled, and the operations that C has no operator for.
 *
 * REAL_BITS must be defined, as 32 or 64. `vec` is a generic vector of GCC and Clang: + - * / and comparisons work on
 * it, also with a scalar; a comparison gives an `ivec` of 0 and -1. Intrinsics are used only where AVX2 or AVX-512 has
 * an instruction for the operation; other processors use the plain C beside them. */
#ifndef FASTBP_SIMD_H
#define FASTBP_SIMD_H

#include <float.h>
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

#define ALWAYS_INLINE static inline __attribute__((always_inline))

#define REAL(c) ((real)(c))
#define REAL_MIN_NORMAL (REAL_BITS == 32 ? REAL(FLT_MIN) : REAL(DBL_MIN))
#define REAL_MAX REAL(REAL_BITS == 32 ? (double)FLT_MAX : DBL_MAX)
#define REAL_EPSILON (REAL_BITS == 32 ? REAL(FLT_EPSILON) : REAL(DBL_EPSILON))
#define LANES ((int)(VECTOR_BYTES / sizeof(real)))

static inline size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

typedef real vec __attribute__((vector_size(VECTOR_BYTES)));
typedef ireal ivec __attribute__((vector_size(VECTOR_BYTES)));
typedef ureal uvec __attribute__((vector_size(VECTOR_BYTES)));
typedef real unaligned_vec __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(real)), may_alias));

static inline vec load(const real *p) { return *(const unaligned_vec *)p; }

static inline void store(real *p, vec v) { *(unaligned_vec *)p = v; }

/* x - 0, because x + 0 would turn -0 into 0. */
static inline vec splat(real x) { return x - (vec){0}; }

/* Unsigned, because sums and shifts of bit patterns may overflow. */
static inline uvec bits(vec v) { return (uvec)v; }

static inline vec from_bits(uvec u) { return (vec)u; }

/* mask ? a : b per lane; the mask is the result of a comparison */
static inline vec blend(ivec mask, vec a, vec b) { return (vec)((mask & (ivec)a) | (~mask & (ivec)b)); }

/* F(lane, h) for each lane */
#if VECTOR_BYTES * 8 / REAL_BITS == 2
#define LANE_LIST(F, h) F(0, h), F(1, h)
#elif VECTOR_BYTES * 8 / REAL_BITS == 4
#define LANE_LIST(F, h) F(0, h), F(1, h), F(2, h), F(3, h)
#elif VECTOR_BYTES * 8 / REAL_BITS == 8
#define LANE_LIST(F, h) F(0, h), F(1, h), F(2, h), F(3, h), F(4, h), F(5, h), F(6, h), F(7, h)
#else
#define LANE_LIST(F, h)                                                                                           \
    F(0, h), F(1, h), F(2, h), F(3, h), F(4, h), F(5, h), F(6, h), F(7, h), F(8, h), F(9, h), F(10, h), F(11, h), \
        F(12, h), F(13, h), F(14, h), F(15, h)
#endif

#define LANE_NUMBER(lane, h) (lane)
static inline ivec lane_numbers(void) { return (ivec){LANE_LIST(LANE_NUMBER, 0)}; }

#define SIGN_BIT ((ureal)1 << (REAL_BITS - 1))

static inline vec vabs(vec v) { return from_bits(bits(v) & ~SIGN_BIT); }

/* load_n, store_n  first n lanes, 1 <= n <= LANES; the others read as 0, and their memory is not touched
 * fmadd            a * b + c, rounded once if the processor has the instruction, else twice
 * vmin, vmax       a < b ? a : b and a > b ? a : b, so b if either is NaN
 * any              whether a comparison holds in any lane */
#if defined(__AVX512F__)

#if REAL_BITS == 32
typedef __mmask16 lane_mask;
#define FPCLASS_MASK _mm512_fpclass_ps_mask
#else
typedef __mmask8 lane_mask;
#define FPCLASS_MASK _mm512_fpclass_pd_mask
#endif

static inline lane_mask first_lanes(size_t n) { return (lane_mask)((1u << n) - 1); }

static inline vec load_some(const real *p, size_t n) { return INTRINSIC(_mm512_maskz_loadu)(first_lanes(n), p); }

static inline void store_some(real *p, vec v, size_t n) { INTRINSIC(_mm512_mask_storeu)(p, first_lanes(n), v); }

static inline vec fmadd(vec a, vec b, vec c) { return INTRINSIC(_mm512_fmadd)(a, b, c); }

/* v with subnormal numbers set to 0 */
static inline vec flush(vec v) { return INTRINSIC(_mm512_mask_mov)(v, FPCLASS_MASK(v, 0x20), splat(0)); }

/* The instructions for roots and quotients of 16 floats take as long as ten others. Instead, a step of Newton's method
 * from an estimate of 14 bits: within 1 ulp, exact for 0 and infinity. */
#if REAL_BITS == 32
static inline vec vsqrt(vec v) {
    const lane_mask special = FPCLASS_MASK(v, 0x1e); /* +-0 and +-infinity */
    const vec r = _mm512_rsqrt14_ps(v), s = v * r;
    return _mm512_mask_mov_ps(fmadd(fmadd(-s, s, v), REAL(0.5) * r, s), special, v);
}

static inline vec quotient(vec a, vec b) {
    const lane_mask finite = (lane_mask)~FPCLASS_MASK(b, 0x18);
    const vec r = _mm512_rcp14_ps(b), q = a * r;
    return _mm512_mask3_fmadd_ps(fmadd(-b, q, a), r, q, finite);
}
#else
static inline vec vsqrt(vec v) { return INTRINSIC(_mm512_sqrt)(v); }

static inline vec quotient(vec a, vec b) {
    const lane_mask finite = (lane_mask)~FPCLASS_MASK(b, 0x18);
    vec r = _mm512_rcp14_pd(b);
    const vec e = fmadd(-b, r, splat(1)); /* 1 / b = r (1 + e + e^2 + ...) */
    r = _mm512_mask3_fmadd_pd(fmadd(e, e, e), r, r, finite);
    const vec q = a * r;
    return _mm512_mask3_fmadd_pd(fmadd(-b, q, a), r, q, finite);
}
#endif

static inline vec vmin(vec a, vec b) { return INTRINSIC(_mm512_min)(a, b); }

static inline vec vmax(vec a, vec b) { return INTRINSIC(_mm512_max)(a, b); }

static inline int any(ivec mask) { return _mm512_test_epi32_mask((__m512i)mask, (__m512i)mask) != 0; }

#elif defined(__AVX2__) && defined(__FMA__)

static inline __m256i first_lanes(size_t n) { return (__m256i)(lane_numbers() < (ireal)n); }

static inline vec load_some(const real *p, size_t n) { return INTRINSIC(_mm256_maskload)(p, first_lanes(n)); }

static inline void store_some(real *p, vec v, size_t n) { INTRINSIC(_mm256_maskstore)(p, first_lanes(n), v); }

static inline vec fmadd(vec a, vec b, vec c) { return INTRINSIC(_mm256_fmadd)(a, b, c); }

static inline vec flush(vec v) { return blend(vabs(v) < REAL_MIN_NORMAL, splat(0), v); }

static inline vec vsqrt(vec v) { return INTRINSIC(_mm256_sqrt)(v); }

static inline vec quotient(vec a, vec b) { return a / b; }

static inline vec vmin(vec a, vec b) { return INTRINSIC(_mm256_min)(a, b); }

static inline vec vmax(vec a, vec b) { return INTRINSIC(_mm256_max)(a, b); }

static inline int any(ivec mask) { return !_mm256_testz_si256((__m256i)mask, (__m256i)mask); }

#else

/* The trip count is fixed, so that the compiler does not call memcpy for a few lanes. */
static inline vec load_some(const real *p, size_t n) {
    if (__builtin_expect(n == (size_t)LANES, 1)) return load(p);
    vec v = {0};
    for (int i = 0; i < LANES; i++)
        if ((size_t)i < n) v[i] = p[i];
    return v;
}

static inline void store_some(real *p, vec v, size_t n) {
    if (n == (size_t)LANES) {
        store(p, v);
        return;
    }
    for (int i = 0; i < LANES; i++)
        if ((size_t)i < n) p[i] = v[i];
}

static inline vec fmadd(vec a, vec b, vec c) { return a * b + c; }

static inline vec flush(vec v) { return blend(vabs(v) < REAL_MIN_NORMAL, splat(0), v); }

static inline vec quotient(vec a, vec b) { return a / b; }

static inline vec vsqrt(vec v) {
    for (int i = 0; i < LANES; i++) v[i] = (real)sqrt(v[i]); /* correctly rounded for float too */
    return v;
}

static inline vec vmin(vec a, vec b) { return blend(a < b, a, b); }

static inline vec vmax(vec a, vec b) { return blend(a > b, a, b); }

static inline int any(ivec mask) {
    ireal found = 0;
    for (int i = 0; i < LANES; i++) found |= mask[i];
    return found != 0;
}

#endif

/* x^2 - square, exactly, if square is x * x rounded and not too small */
static inline vec square_error(vec x, vec square) {
#if VECTOR_BYTES > 16
    return fmadd(x, x, -square);
#else /* Dekker (1971): products of halves are exact */
    const vec high = from_bits(bits(x) >> (MANTISSA_BITS / 2 + 1) << (MANTISSA_BITS / 2 + 1)), low = x - high;
    return (high * high - square + 2 * high * low) + low * low;
#endif
}

/* -1, 0 or 1; NaN for NaN */
static inline vec sign(vec v) { return blend(v > 0, splat(1), blend(v < 0, splat(-1), v)); }

/* Loops over whole vectors pass LANES as a constant, and then need no mask. */
static inline vec load_n(const real *p, size_t n) {
    return __builtin_constant_p(n) && n == (size_t)LANES ? load(p) : load_some(p, n);
}

static inline void store_n(real *p, vec v, size_t n) {
    if (__builtin_constant_p(n) && n == (size_t)LANES) store(p, v);
    else store_some(p, v, n);
}

#endif
