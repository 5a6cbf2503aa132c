/* Conversion and checks of the caller's rows: the only file that knows strides, alignment and byte order. Adjacent
 * elements are left to the kernels. */

#include <math.h>
#include <string.h>

#include "rows/elements.h"
#include "rows/rows.h"

static uint16_t swap16(uint16_t x) { return (uint16_t)(x << 8 | x >> 8); }
static uint32_t swap32(uint32_t x) { return (uint32_t)swap16((uint16_t)x) << 16 | swap16((uint16_t)(x >> 16)); }
static uint64_t swap64(uint64_t x) { return (uint64_t)swap32((uint32_t)x) << 32 | swap32((uint32_t)(x >> 32)); }
static uint8_t swap8(uint8_t x) { return x; }

#define READ(name, type, word, size)                             \
    static inline type read_##name(const char *p, int swapped) { \
        word w;                                                  \
        type value;                                              \
        memcpy(&w, p, sizeof w);                                 \
        if (swapped) w = swap##size(w);                          \
        memcpy(&value, &w, sizeof value);                        \
        return value;                                            \
    }
ALL_SOURCES(READ)

/* Conversion of elements that are `stride` bytes apart. */
typedef void convert_row(const char *p, ptrdiff_t stride, int swapped, size_t n, void *out);

#define CONVERT(name, target)                                                                           \
    static void name##_to_##target(const char *p, ptrdiff_t stride, int swapped, size_t n, void *out) { \
        for (size_t i = 0; i < n; i++, p += stride) {                                                   \
            ((target *)out)[i] = (target)value_##name(read_##name(p, swapped));                         \
        }                                                                                               \
    }
#define CONVERT_REAL(name, type, word, size) CONVERT(name, float) CONVERT(name, double)
#define CONVERT_LABEL(name, type, word, size) CONVERT(name, int64_t)
ALL_SOURCES(CONVERT_REAL)
INTEGER_SOURCES(CONVERT_LABEL)

#define REAL_ENTRY(name, type, word, size) {name##_to_float, name##_to_double},
#define LABEL_ENTRY(name, type, word, size) name##_to_int64_t,
#define BYTES_ENTRY(name, type, word, size) sizeof(type),
static convert_row *const to_real[FBP_SOURCE_TYPES][FBP_DTYPES] = {ALL_SOURCES(REAL_ENTRY)};
static convert_row *const to_label[FBP_SOURCE_TYPES] = {NULL, NULL, NULL, INTEGER_SOURCES(LABEL_ENTRY)};
static const ptrdiff_t element_bytes[FBP_SOURCE_TYPES] = {ALL_SOURCES(BYTES_ENTRY)};

static fbp_dtype dtype_of(const fbp_kernels *kernels) {
    return kernels->real_size == sizeof(float) ? FBP_FLOAT32 : FBP_FLOAT64;
}

static const char *row(const fbp_source *s, const int64_t *index, size_t i) {
    return s->data + s->row_stride * (ptrdiff_t)(index ? index[i] : (int64_t)i);
}

/* Whether a row needs no conversion: its elements have the kernels' type, are adjacent and are not scaled. */
static int is_plain(const fbp_source *s, fbp_dtype dtype) {
    const size_t size = dtype == FBP_FLOAT32 ? sizeof(float) : sizeof(double);
    return s->type == (dtype == FBP_FLOAT32 ? FBP_SOURCE_F32 : FBP_SOURCE_F64) && !s->swapped &&
           s->column_stride == (ptrdiff_t)size && !s->mean;
}

/* Whether the kernels can read elements that are `stride` bytes apart. */
static int are_adjacent(fbp_source_type type, int swapped, ptrdiff_t stride) {
    return stride == element_bytes[type] && !swapped;
}

void fbp_convert(const fbp_kernels *kernels, fbp_source_type type, int swapped, const char *from, ptrdiff_t stride,
                 size_t n, void *out) {
    if (are_adjacent(type, swapped, stride)) kernels->convert[type](from, n, out);
    else to_real[type][dtype_of(kernels)](from, stride, swapped, n, out);
}

void fbp_read_doubles(const fbp_source *s, const char *from, size_t n, double *out) {
    to_real[s->type][FBP_FLOAT64](from, s->column_stride, s->swapped, n, out);
}

/* out := (row - mean) / scale, in double, so that values close to the mean keep their digits. */
static void scale_row(const fbp_source *s, const char *p, const fbp_kernels *kernels, char *out) {
    enum { PIECE = 256 };
    double x[PIECE];
    if (are_adjacent(s->type, s->swapped, s->column_stride)) {
        kernels->scale[s->type](p, s->mean, s->inverse_scale, s->columns, out);
        return;
    }
    for (size_t j = 0; j < s->columns; j += PIECE) {
        const size_t n = s->columns - j < PIECE ? s->columns - j : PIECE;
        fbp_read_doubles(s, p + s->column_stride * (ptrdiff_t)j, n, x);
        kernels->scale[FBP_SOURCE_F64]((const char *)x, s->mean + j, s->inverse_scale + j, n,
                                       out + j * kernels->real_size);
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

void fbp_gather(const fbp_source *s, const int64_t *index, size_t first, size_t rows, const fbp_kernels *kernels,
                void *out, size_t stride) {
    enum { FEW = 8 }; /* columns that are read one by one as fast */
    const size_t size = kernels->real_size, row_bytes = s->columns * size;
    if (s->starts) {
        fbp_gather_sparse(s, index, first, rows, kernels, out, stride);
        return;
    }
    const int plain = is_plain(s, dtype_of(kernels));
    if (rows > 1 && !index && !s->mean && stride == s->columns && are_adjacent(s->type, s->swapped, s->column_stride) &&
        s->row_stride == s->column_stride * (ptrdiff_t)s->columns) { /* one run of memory */
        kernels->convert[s->type](row(s, NULL, first), rows * s->columns, out);
        return;
    }
    const int is_long = s->columns >= FEW && are_adjacent(s->type, s->swapped, s->column_stride);
    fbp_convert_row *const convert = kernels->convert[s->type];
    convert_row *const convert_few = to_real[s->type][dtype_of(kernels)];
    for (size_t i = 0; i < rows; i++) {
        const char *from = row(s, index, first + i);
        char *to = (char *)out + i * stride * size;
        if (plain) memcpy(to, from, row_bytes);
        else if (s->mean) scale_row(s, from, kernels, to);
        else if (is_long) convert(from, s->columns, to);
        else convert_few(from, s->column_stride, s->swapped, s->columns, to);
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

void fbp_gather_columns(const fbp_source *s, const int64_t *index, size_t first, size_t rows,
                        const fbp_kernels *kernels, void *out, size_t stride) {
    enum { BLOCK = 64 };
    union {
        float f[BLOCK * FBP_NARROW];
        double d[BLOCK * FBP_NARROW];
    } block;
    const fbp_dtype dtype = dtype_of(kernels);
    for (size_t i = 0, n; i < rows; i += n) {
        size_t from_stride = s->columns;
        n = rows - i < BLOCK ? rows - i : BLOCK;
        const void *from = fbp_rows_in_place(s, index, first + i, dtype, &from_stride);
        if (!from) {
            fbp_gather(s, index, first + i, n, kernels, &block, s->columns);
            from = &block;
        }
        fbp_transpose(from, from_stride, n, s->columns, dtype, (char *)out + i * kernels->real_size, stride);
    }
}

void fbp_gather_labels(const fbp_source *s, const int64_t *index, size_t first, size_t rows, int64_t *out) {
    for (size_t i = 0; i < rows; i++) to_label[s->type](row(s, index, first + i), 0, s->swapped, 1, out + i);
}

/* Index of the first of n numbers that is not finite, or n. x - x is 0 only if x is finite; halves have the largest
 * exponent if they are not. */
#define IS_BAD_HALF(x) (((x) & 0x7c00) == 0x7c00)
#define IS_BAD_REAL(x) ((x) - (x) != 0)
#define FIRST_BAD(name, type, is_bad)                            \
    static size_t first_bad_##name(const void *from, size_t n) { \
        const type *const x = from;                              \
        int bad = 0;                                             \
        for (size_t i = 0; i < n; i++) bad |= is_bad(x[i]);      \
        for (size_t i = 0; bad && i < n; i++) {                  \
            if (is_bad(x[i])) return i;                          \
        }                                                        \
        return n;                                                \
    }
FIRST_BAD(f16, uint16_t, IS_BAD_HALF)
FIRST_BAD(f32, float, IS_BAD_REAL)
FIRST_BAD(f64, double, IS_BAD_REAL)

int64_t fbp_first_nonfinite_in(const fbp_source *source, const int64_t *index, size_t first, size_t rows,
                               fbp_dtype dtype) {
    enum { PIECE = 512 };
    static size_t (*const first_bad[])(const void *, size_t) = {
        [FBP_SOURCE_F16] = first_bad_f16, [FBP_SOURCE_F32] = first_bad_f32, [FBP_SOURCE_F64] = first_bad_f64};
    union {
        float f[PIECE];
        double d[PIECE];
    } piece;
    fbp_source turned = *source; /* one long row, if the strides allow it */
    const fbp_source *const s = &turned;
    if (!index) {
        turned.data = row(source, NULL, first);
        first = 0;
        if (source->columns == 1) turned.column_stride = source->row_stride;
        if (source->row_stride == turned.column_stride * (ptrdiff_t)source->columns) {
            turned.columns = rows * source->columns;
            rows = 1;
        }
    }
    const fbp_source_type type = dtype == FBP_FLOAT32 ? FBP_SOURCE_F32 : FBP_SOURCE_F64;
    const int aligned = ((uintptr_t)s->data | (size_t)s->row_stride) % (size_t)element_bytes[s->type] == 0;
    const int in_place = (s->type == type || s->type == FBP_SOURCE_F16) && aligned &&
                         are_adjacent(s->type, s->swapped, s->column_stride);
    const fbp_kernels *const kernels = in_place ? NULL : fbp_find_kernels("baseline", dtype); /* all have its bits */
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < s->columns; j += PIECE) {
            const size_t n = s->columns - j < PIECE ? s->columns - j : PIECE;
            const char *p = row(s, index, first + i) + s->column_stride * (ptrdiff_t)j;
            if (!in_place) fbp_convert(kernels, s->type, s->swapped, p, s->column_stride, n, &piece);
            const size_t bad = in_place ? first_bad[s->type](p, n) : first_bad[type](&piece, n);
            if (bad < n) return (int64_t)(i * s->columns + j + bad);
        }
    }
    return -1;
}

int64_t fbp_first_nonfinite(const fbp_source *source, fbp_dtype dtype) {
    return fbp_first_nonfinite_in(source, NULL, 0, source->rows, dtype);
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
