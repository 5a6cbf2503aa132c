/* Sparse rows of the caller, of which only the entries are stored: checked, made dense, copied, sorted by column. */

#include <string.h>

#include "rows/rows.h"

enum { PIECE = 256 };

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
static void scale(const fbp_source *s, double *x, const int32_t *columns, size_t j, size_t n,
                  const fbp_kernels *kernels, void *out) {
    for (size_t i = 0; i < n; i++) {
        const size_t c = columns ? (size_t)columns[i] : j + i;
        x[i] = (x[i] - s->mean[c]) * s->inverse_scale[c];
    }
    fbp_convert(kernels, FBP_SOURCE_F64, 0, (const char *)x, sizeof *x, n, out);
}

/* out (columns,) := what a row without entries is */
static void write_zeros(const fbp_source *s, const fbp_kernels *kernels, char *out) {
    if (!s->mean) memset(out, 0, s->columns * kernels->real_size);
    for (size_t j = 0, n; s->mean && j < s->columns; j += n) {
        double zeros[PIECE] = {0};
        n = s->columns - j < PIECE ? s->columns - j : PIECE;
        scale(s, zeros, NULL, j, n, kernels, out + j * kernels->real_size);
    }
}

/* out (n,) := entries e .. e + n - 1, n <= PIECE */
static void read_entries(const fbp_source *s, int64_t e, size_t n, const fbp_kernels *kernels, void *out) {
    const char *from = s->data + s->column_stride * e;
    double x[PIECE];
    if (!s->mean) {
        fbp_convert(kernels, s->type, s->swapped, from, s->column_stride, n, out);
        return;
    }
    fbp_read_doubles(s, from, n, x);
    scale(s, x, s->entry_columns + e, 0, n, kernels, out);
}

/* row[column] := entry, for all entries of row i */
static void scatter_row(const fbp_source *s, size_t i, const fbp_kernels *kernels, void *row) {
    union {
        float f[PIECE];
        double d[PIECE];
    } piece;
    for (int64_t e = s->starts[i], end = s->starts[i + 1]; e < end; e += PIECE) {
        const size_t n = end - e < PIECE ? (size_t)(end - e) : PIECE;
        const int32_t *const columns = s->entry_columns + e;
        read_entries(s, e, n, kernels, &piece);
        for (size_t k = 0; k < n; k++) {
            if (kernels->real_size == sizeof(float)) ((float *)row)[columns[k]] = piece.f[k];
            else ((double *)row)[columns[k]] = piece.d[k];
        }
    }
}

void fbp_gather_sparse(const fbp_source *s, const int64_t *index, size_t first, size_t rows, const fbp_kernels *kernels,
                       void *out, size_t stride) {
    const size_t row_bytes = stride * kernels->real_size;
    char *const last = (char *)out + (rows - 1) * row_bytes; /* holds zeros until its own turn */
    write_zeros(s, kernels, last);
    for (size_t i = 0; i < rows; i++) {
        char *const to = (char *)out + i * row_bytes;
        if (to != last) memcpy(to, last, s->columns * kernels->real_size);
        scatter_row(s, index ? (size_t)index[first + i] : first + i, kernels, to);
    }
}

void fbp_gather_entries(const fbp_source *s, const int64_t *index, size_t first, size_t rows,
                        const fbp_kernels *kernels, fbp_entries *to, size_t row) {
    to->starts[0] = 0;
    for (size_t i = 0, at = to->starts[row]; i < rows; i++) {
        const size_t from = index ? (size_t)index[first + i] : first + i;
        const size_t all = (size_t)(s->starts[from + 1] - s->starts[from]), left = to->room - at;
        const size_t end = at + (all < left ? all : left);
        for (int64_t e = s->starts[from]; at < end; e += PIECE) {
            const size_t n = end - at < PIECE ? end - at : PIECE;
            memcpy(to->columns + at, s->entry_columns + e, n * sizeof *to->columns);
            read_entries(s, e, n, kernels, (char *)to->values + at * kernels->real_size);
            at += n;
        }
        to->starts[row + i + 1] = at;
    }
}

/* A counting sort, whose counts are only of the columns that are met: there may be many more. */
void fbp_sort_entries(fbp_entries *e, size_t row, size_t rows, fbp_dtype dtype) {
    const size_t first = e->starts[row], n = e->starts[row + rows] - first;
    const int32_t *const columns = e->columns + first;
    e->n_met = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t *const number = &e->met_number[columns[i]];
        if (*number == 0) {
            e->met[e->n_met] = columns[i];
            e->ends[e->n_met] = 0;
            *number = (uint32_t)++e->n_met;
        }
        e->places[i] = *number - 1;
        e->ends[e->places[i]]++;
    }
    for (uint32_t i = 0, at = 0; i < e->n_met; i++) { /* first their starts, which the next loop turns into ends */
        const uint32_t count = e->ends[i];
        e->ends[i] = at;
        at += count;
    }
    for (size_t i = 0, k = 0; i < rows; i++) {
        for (; k < e->starts[row + i + 1] - first; k++) {
            const size_t at = e->ends[e->places[k]]++;
            e->sorted_rows[at] = (int32_t)i;
            if (dtype == FBP_FLOAT32) ((float *)e->sorted_values)[at] = ((const float *)e->values)[first + k];
            else ((double *)e->sorted_values)[at] = ((const double *)e->values)[first + k];
        }
    }
}

void fbp_forget_columns(fbp_entries *e) {
    for (size_t i = 0; i < e->n_met; i++) e->met_number[e->met[i]] = 0;
    e->n_met = 0;
}
