/* Conversion and checks of the caller's rows: the only file that knows element types, strides, alignment and byte
 * order. */

#include <math.h>
#include <string.h>

#include "rows/rows.h"

static uint16_t swap16(uint16_t x) { return (uint16_t)(x << 8 | x >> 8); }
static uint32_t swap32(uint32_t x) { return (uint32_t)swap16((uint16_t)x) << 16 | swap16((uint16_t)(x >> 16)); }
static uint64_t swap64(uint64_t x) { return (uint64_t)swap32((uint32_t)x) << 32 | swap32((uint32_t)(x >> 32)); }
static uint8_t swap8(uint8_t x) { return x; }

/* IEEE 754 binary16 to binary32, exactly. */
static float half_to_float(uint16_t h) {
    const int exponent = h >> 10 & 31, mantissa = h & 1023;
    const float magnitude = exponent == 31  ? (mantissa ? NAN : INFINITY)
                            : exponent == 0 ? ldexpf((float)mantissa, -24)
                                            : ldexpf((float)(mantissa + 1024), exponent - 25);
    return h >> 15 ? -magnitude : magnitude;
}

/* S(name, element type, integer type of that size, its bits), in the order of fbp_source_type */
#define FLOAT_SOURCES(S) S(f16, uint16_t, uint16_t, 16) S(f32, float, uint32_t, 32) S(f64, double, uint64_t, 64)
#define SIGNED_SOURCES(S) \
    S(i8, int8_t, uint8_t, 8) S(i16, int16_t, uint16_t, 16) S(i32, int32_t, uint32_t, 32) S(i64, int64_t, uint64_t, 64)
#define UNSIGNED_SOURCES(S)    \
    S(u8, uint8_t, uint8_t, 8) \
    S(u16, uint16_t, uint16_t, 16) S(u32, uint32_t, uint32_t, 32) S(u64, uint64_t, uint64_t, 64)
#define INTEGER_SOURCES(S) SIGNED_SOURCES(S) UNSIGNED_SOURCES(S)

#define READ(name, type, word, size)                             \
    static inline type read_##name(const char *p, int swapped) { \
        word w;                                                  \
        type value;                                              \
        memcpy(&w, p, sizeof w);                                 \
        if (swapped) w = swap##size(w);                          \
        memcpy(&value, &w, sizeof value);                        \
        return value;                                            \
    }
FLOAT_SOURCES(READ)
INTEGER_SOURCES(READ)

static inline float value_f16(uint16_t bits) { return half_to_float(bits); }
static inline float value_f32(float x) { return x; }
static inline double value_f64(double x) { return x; }
#define VALUE(name, type, word, size) \
    static inline type value_##name(type x) { return x; }
INTEGER_SOURCES(VALUE)

typedef void convert_row(const char *p, ptrdiff_t stride, int swapped, size_t n, void *out);

#define CONVERT(name, target)                                                                           \
    static void name##_to_##target(const char *p, ptrdiff_t stride, int swapped, size_t n, void *out) { \
        for (size_t i = 0; i < n; i++, p += stride) {                                                   \
            ((target *)out)[i] = (target)value_##name(read_##name(p, swapped));                         \
        }                                                                                               \
    }
#define CONVERT_REAL(name, type, word, size) CONVERT(name, float) CONVERT(name, double)
#define CONVERT_LABEL(name, type, word, size) CONVERT(name, int64_t)
FLOAT_SOURCES(CONVERT_REAL)
INTEGER_SOURCES(CONVERT_REAL)
INTEGER_SOURCES(CONVERT_LABEL)

#define REAL_ENTRY(name, type, word, size) {name##_to_float, name##_to_double},
#define LABEL_ENTRY(name, type, word, size) name##_to_int64_t,
static convert_row *const to_real[FBP_SOURCE_TYPES][FBP_DTYPES] = {FLOAT_SOURCES(REAL_ENTRY)
                                                                       INTEGER_SOURCES(REAL_ENTRY)};
static convert_row *const to_label[FBP_SOURCE_TYPES] = {NULL, NULL, NULL, INTEGER_SOURCES(LABEL_ENTRY)};

static const char *row(const fbp_source *s, const int64_t *index, size_t i) {
    return s->data + s->row_stride * (ptrdiff_t)(index ? index[i] : (int64_t)i);
}

/* Whether a row needs no conversion: its elements have the kernels' type, are adjacent and are not scaled. */
static int is_plain(const fbp_source *s, fbp_dtype dtype) {
    const size_t size = dtype == FBP_FLOAT32 ? sizeof(float) : sizeof(double);
    return s->type == (dtype == FBP_FLOAT32 ? FBP_SOURCE_F32 : FBP_SOURCE_F64) && !s->swapped &&
           s->column_stride == (ptrdiff_t)size && !s->mean;
}

void fbp_convert(const fbp_source *s, const char *p, size_t n, fbp_dtype dtype, void *out) {
    to_real[s->type][dtype](p, s->column_stride, s->swapped, n, out);
}

/* out := (row - mean) / scale, in double, so that values close to the mean keep their digits. */
static void scale_row(const fbp_source *s, const char *p, fbp_dtype dtype, char *out) {
    enum { PIECE = 256 };
    const size_t size = dtype == FBP_FLOAT32 ? sizeof(float) : sizeof(double);
    double x[PIECE];
    for (size_t j = 0; j < s->columns; j += PIECE) {
        const size_t n = s->columns - j < PIECE ? s->columns - j : PIECE;
        to_real[s->type][FBP_FLOAT64](p + s->column_stride * (ptrdiff_t)j, s->column_stride, s->swapped, n, x);
        for (size_t i = 0; i < n; i++) x[i] = (x[i] - s->mean[j + i]) * s->inverse_scale[j + i];
        to_real[FBP_SOURCE_F64][dtype]((const char *)x, sizeof *x, 0, n, out + j * size);
    }
}

const void *fbp_rows_in_place(const fbp_source *s, const int64_t *index, size_t first, fbp_dtype dtype,
                              size_t *stride) {
    const size_t size = dtype == FBP_FLOAT32 ? sizeof(float) : sizeof(double);
    const char *rows = row(s, NULL, first);
    const int aligned = ((uintptr_t)rows | (size_t)s->row_stride) % size == 0;
    if (index || s->starts || !is_plain(s, dtype) || !aligned || s->row_stride < (ptrdiff_t)(s->columns * size))
        return NULL;
    *stride = (size_t)s->row_stride / size;
    return rows;
}

void fbp_gather(const fbp_source *s, const int64_t *index, size_t first, size_t rows, fbp_dtype dtype, void *out,
                size_t stride) {
    const size_t size = dtype == FBP_FLOAT32 ? sizeof(float) : sizeof(double), row_bytes = s->columns * size;
    if (s->starts) {
        fbp_gather_sparse(s, index, first, rows, dtype, out, stride);
        return;
    }
    const int plain = is_plain(s, dtype);
    if (plain && rows > 1 && !index && stride == s->columns &&
        s->row_stride == (ptrdiff_t)row_bytes) { /* one run of memory */
        memcpy(out, row(s, NULL, first), rows * row_bytes);
        return;
    }
    convert_row *const convert = to_real[s->type][dtype];
    for (size_t i = 0; i < rows; i++) {
        const char *from = row(s, index, first + i);
        char *to = (char *)out + i * stride * size;
        if (plain) memcpy(to, from, row_bytes);
        else if (s->mean) scale_row(s, from, dtype, to);
        else convert(from, s->column_stride, s->swapped, s->columns, to);
    }
}

#define TRANSPOSE(type)                                                                                        \
    static void transpose_##type(const void *from, size_t from_stride, size_t rows, size_t columns, void *out, \
                                 size_t stride) {                                                              \
        for (size_t j = 0; j < columns; j++) {                                                                 \
            for (size_t i = 0; i < rows; i++)                                                                  \
                ((type *)out)[j * stride + i] = ((const type *)from)[i * from_stride + j];                     \
        }                                                                                                      \
    }
TRANSPOSE(float)
TRANSPOSE(double)

void fbp_transpose(const void *from, size_t from_stride, size_t rows, size_t columns, fbp_dtype dtype, void *out,
                   size_t stride) {
    (dtype == FBP_FLOAT32 ? transpose_float : transpose_double)(from, from_stride, rows, columns, out, stride);
}

void fbp_gather_columns(const fbp_source *s, const int64_t *index, size_t first, size_t rows, fbp_dtype dtype,
                        void *out, size_t stride) {
    enum { BLOCK = 64 };
    union {
        float f[BLOCK * FBP_NARROW];
        double d[BLOCK * FBP_NARROW];
    } block;
    const size_t size = dtype == FBP_FLOAT32 ? sizeof(float) : sizeof(double);
    for (size_t i = 0, n; i < rows; i += n) {
        size_t from_stride = s->columns;
        n = rows - i < BLOCK ? rows - i : BLOCK;
        const void *from = fbp_rows_in_place(s, index, first + i, dtype, &from_stride);
        if (!from) {
            fbp_gather(s, index, first + i, n, dtype, &block, s->columns);
            from = &block;
        }
        fbp_transpose(from, from_stride, n, s->columns, dtype, (char *)out + i * size, stride);
    }
}

void fbp_gather_labels(const fbp_source *s, const int64_t *index, size_t first, size_t rows, int64_t *out) {
    for (size_t i = 0; i < rows; i++) to_label[s->type](row(s, index, first + i), 0, s->swapped, 1, out + i);
}

/* Index of the first of n numbers that is not finite, or n. x - x is 0 only if x is finite. */
#define FIRST_BAD(type)                                         \
    static size_t first_bad_##type(const type *x, size_t n) {   \
        int bad = 0;                                            \
        for (size_t i = 0; i < n; i++) bad |= x[i] - x[i] != 0; \
        for (size_t i = 0; bad && i < n; i++) {                 \
            if (!isfinite(x[i])) return i;                      \
        }                                                       \
        return n;                                               \
    }
FIRST_BAD(float)
FIRST_BAD(double)

int64_t fbp_first_nonfinite(const fbp_source *source, fbp_dtype dtype) {
    enum { PIECE = 512 };
    union {
        float f[PIECE];
        double d[PIECE];
    } piece;
    fbp_source turned = *source; /* one long row, if the strides allow it */
    const fbp_source *const s = &turned;
    if (source->columns == 1) turned.column_stride = source->row_stride;
    if (source->row_stride == turned.column_stride * (ptrdiff_t)source->columns) {
        turned.rows = 1;
        turned.columns = source->rows * source->columns;
    }
    const size_t size = dtype == FBP_FLOAT32 ? sizeof(float) : sizeof(double);
    const int in_place = is_plain(s, dtype) && ((uintptr_t)s->data | (size_t)s->row_stride) % size == 0;
    for (size_t i = 0; i < s->rows; i++) {
        for (size_t j = 0; j < s->columns; j += PIECE) {
            const size_t n = s->columns - j < PIECE ? s->columns - j : PIECE;
            const char *p = row(s, NULL, i) + s->column_stride * (ptrdiff_t)j;
            const void *const x = in_place ? (const void *)p : &piece;
            if (!in_place) to_real[s->type][dtype](p, s->column_stride, s->swapped, n, &piece);
            const size_t bad = dtype == FBP_FLOAT32 ? first_bad_float(x, n) : first_bad_double(x, n);
            if (bad < n) return (int64_t)(i * s->columns + j + bad);
        }
    }
    return -1;
}

int64_t fbp_first_bad_label(const fbp_source *source, size_t classes) {
    enum { PIECE = 512 };
    int64_t labels[PIECE];
    for (size_t first = 0; first < source->rows; first += PIECE) {
        const size_t n = source->rows - first < PIECE ? source->rows - first : PIECE;
        to_label[source->type](row(source, NULL, first), source->row_stride, source->swapped, n, labels);
        for (size_t i = 0; i < n; i++) {
            if ((uint64_t)labels[i] >= classes) return (int64_t)(first + i); /* or < 0 */
        }
    }
    return -1;
}
