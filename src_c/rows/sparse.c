/* Sparse rows of the caller, of which only the entries are stored: checked, and made dense. */

#include <string.h>

#include "rows/rows.h"

enum { PIECE = 256 };

static size_t size_of(fbp_dtype dtype) { return dtype == FBP_FLOAT32 ? sizeof(float) : sizeof(double); }

int fbp_has_valid_entries(const fbp_source *s, size_t entries) {
    int bad = s->starts[0] < 0 || (uint64_t)s->starts[s->rows] > entries;
    for (size_t i = 0; i < s->rows; i++) bad |= s->starts[i] > s->starts[i + 1];
    for (int64_t e = s->starts[0]; !bad && e < s->starts[s->rows];) { /* in pieces, so that one test serves many */
        const int64_t end = s->starts[s->rows] - e < PIECE ? s->starts[s->rows] : e + PIECE;
        for (; e < end; e++) bad |= (uint32_t)s->entry_columns[e] >= s->columns;
    }
    return !bad;
}

/* out (n,) := (x - mean) inverse_scale of numbers of these columns, in double; NULL: of columns j .. j + n - 1. */
static void scale(const fbp_source *s, double *x, const int32_t *columns, size_t j, size_t n, fbp_dtype dtype,
                  void *out) {
    const fbp_source scaled = {.column_stride = sizeof *x, .type = FBP_SOURCE_F64};
    for (size_t i = 0; i < n; i++) {
        const size_t c = columns ? (size_t)columns[i] : j + i;
        x[i] = (x[i] - s->mean[c]) * s->inverse_scale[c];
    }
    fbp_convert(&scaled, (const char *)x, n, dtype, out);
}

/* out (columns,) := what a row without entries is */
static void write_zeros(const fbp_source *s, fbp_dtype dtype, char *out) {
    if (!s->mean) memset(out, 0, s->columns * size_of(dtype));
    for (size_t j = 0, n; s->mean && j < s->columns; j += n) {
        double zeros[PIECE] = {0};
        n = s->columns - j < PIECE ? s->columns - j : PIECE;
        scale(s, zeros, NULL, j, n, dtype, out + j * size_of(dtype));
    }
}

/* out (n,) := entries e .. e + n - 1, n <= PIECE */
static void read_entries(const fbp_source *s, int64_t e, size_t n, fbp_dtype dtype, void *out) {
    const char *from = s->data + s->column_stride * e;
    double x[PIECE];
    if (!s->mean) {
        fbp_convert(s, from, n, dtype, out);
        return;
    }
    fbp_convert(s, from, n, FBP_FLOAT64, x);
    scale(s, x, s->entry_columns + e, 0, n, dtype, out);
}

/* row[column] := entry, for all entries of row i */
static void scatter_row(const fbp_source *s, size_t i, fbp_dtype dtype, void *row) {
    union {
        float f[PIECE];
        double d[PIECE];
    } piece;
    for (int64_t e = s->starts[i], end = s->starts[i + 1]; e < end; e += PIECE) {
        const size_t n = end - e < PIECE ? (size_t)(end - e) : PIECE;
        const int32_t *const columns = s->entry_columns + e;
        read_entries(s, e, n, dtype, &piece);
        for (size_t k = 0; k < n; k++) {
            if (dtype == FBP_FLOAT32) ((float *)row)[columns[k]] = piece.f[k];
            else ((double *)row)[columns[k]] = piece.d[k];
        }
    }
}

void fbp_gather_sparse(const fbp_source *s, const int64_t *index, size_t first, size_t rows, fbp_dtype dtype, void *out,
                       size_t stride) {
    const size_t row_bytes = stride * size_of(dtype);
    char *const last = (char *)out + (rows - 1) * row_bytes; /* holds zeros until its own turn */
    write_zeros(s, dtype, last);
    for (size_t i = 0; i < rows; i++) {
        char *const to = (char *)out + i * row_bytes;
        if (to != last) memcpy(to, last, s->columns * size_of(dtype));
        scatter_row(s, index ? (size_t)index[first + i] : first + i, dtype, to);
    }
}
