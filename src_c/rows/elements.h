/* The element types of the caller's rows, in the machine's byte order, and their values. */
#ifndef FASTBP_ELEMENTS_H
#define FASTBP_ELEMENTS_H

#include <stdint.h>
#include <string.h>

/* S(name, element type, integer type of that size, its bits), in the order of fbp_source_type */
#define FLOAT_SOURCES(S) S(f16, uint16_t, uint16_t, 16) S(f32, float, uint32_t, 32) S(f64, double, uint64_t, 64)
#define SIGNED_SOURCES(S) \
    S(i8, int8_t, uint8_t, 8) S(i16, int16_t, uint16_t, 16) S(i32, int32_t, uint32_t, 32) S(i64, int64_t, uint64_t, 64)
#define UNSIGNED_SOURCES(S)    \
    S(u8, uint8_t, uint8_t, 8) \
    S(u16, uint16_t, uint16_t, 16) S(u32, uint32_t, uint32_t, 32) S(u64, uint64_t, uint64_t, 64)
#define INTEGER_SOURCES(S) SIGNED_SOURCES(S) UNSIGNED_SOURCES(S)
#define ALL_SOURCES(S) FLOAT_SOURCES(S) INTEGER_SOURCES(S)

static inline float float_of_bits(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline uint32_t bits_of_float(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* IEEE 754 binary16 to binary32, exactly. Exponent and mantissa move to their places, and the exponent gets the other
 * bias. Infinity and NaN, which have the largest exponent, get it twice. A subnormal m 2^-24 becomes 2^-14 + m 2^-24,
 * less 2^-14. There are no branches, so that compilers make vectors of it, and no subnormal floats, which are slow and
 * which the process may have set to count as 0. */
static inline float value_f16(uint16_t half) {
    const uint32_t bias = (127 - 15) << 23, magnitude = (uint32_t)(half & 0x7fff) << 13, sign = half >> 15;
    const uint32_t largest = 0x1f << 23, exponent = magnitude & largest, least = bias + (1 << 23);
    const uint32_t bits = magnitude + bias + (exponent == largest ? bias : 0);
    const float subnormal = float_of_bits(magnitude + least) - float_of_bits(least);
    return float_of_bits((exponent == 0 ? bits_of_float(subnormal) : bits) | sign << 31);
}

static inline float value_f32(float x) { return x; }
static inline double value_f64(double x) { return x; }
#define INTEGER_VALUE(name, type, word, size) \
    static inline type value_##name(type x) { return x; }
INTEGER_SOURCES(INTEGER_VALUE)
#undef INTEGER_VALUE

#endif
