/* Conversion of rows of the caller's elements, which are adjacent and in the machine's byte order, but may be at odd
 * addresses. Compilers make vectors of these loops; every element is rounded once, to nearest, on each instruction
 * set. */
#ifndef FASTBP_CONVERT_H
#define FASTBP_CONVERT_H

#include "kernels/kernels.h"
#include "kernels/simd.h"
#include "rows/elements.h"

/* convert_: to (n,) := from (n,)    scale_: to := (from - mean) inverse_scale, computed in double */
#define CONVERT(name, type, word, size)                                                           \
    static void convert_##name(const char *restrict from, size_t n, void *restrict to) {          \
        for (size_t i = 0; i < n; i++) {                                                          \
            type x;                                                                               \
            memcpy(&x, from + i * sizeof x, sizeof x);                                            \
            ((real *)to)[i] = (real)value_##name(x);                                              \
        }                                                                                         \
    }                                                                                             \
    static void scale_##name(const char *restrict from, const double *restrict mean,              \
                             const double *restrict inverse_scale, size_t n, void *restrict to) { \
        for (size_t i = 0; i < n; i++) {                                                          \
            type x;                                                                               \
            memcpy(&x, from + i * sizeof x, sizeof x);                                            \
            ((real *)to)[i] = (real)(((double)value_##name(x) - mean[i]) * inverse_scale[i]);     \
        }                                                                                         \
    }
ALL_SOURCES(CONVERT)
#undef CONVERT

#define CONVERT_ENTRY(name, type, word, size) convert_##name,
#define SCALE_ENTRY(name, type, word, size) scale_##name,
static fbp_convert_row *const convert_rows[FBP_SOURCE_TYPES] = {ALL_SOURCES(CONVERT_ENTRY)};
static fbp_scale_row *const scale_rows[FBP_SOURCE_TYPES] = {ALL_SOURCES(SCALE_ENTRY)};
#undef CONVERT_ENTRY
#undef SCALE_ENTRY

#endif
