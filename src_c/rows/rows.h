/* Conversion of the caller's rows, for plans. */
#ifndef FASTBP_ROWS_H
#define FASTBP_ROWS_H

#include "kernels/kernels.h"

/* Products prefetch so many entries ahead, and read their columns. */
enum { FBP_ENTRIES_AHEAD = 16 };

/* Most columns that fbp_gather_columns() takes: the widest layer of a narrow network (kernels/narrow.h). */
enum { FBP_NARROW = 16 };

/* Entries of sparse rows, in a plan. Those of a block of rows are also sorted by column, for the gradient of W. */
typedef struct {
    size_t room;      /* most entries */
    size_t *starts;   /* (rows + 1,): row i has the entries starts[i] .. starts[i + 1] - 1 */
    int32_t *columns; /* (room + FBP_ENTRIES_AHEAD,) of the entries */
    void *values;     /* (room,) in the network's dtype */

    size_t n_met;         /* columns that have entries */
    int32_t *met;         /* (room,) these columns, in the order in which they were met */
    uint32_t *met_number; /* (columns,) 1 + the place of a column in `met`, or 0; zeros between two steps */
    uint32_t *ends;       /* (room,) column met[i] has the sorted entries from ends[i - 1], or 0, to ends[i] - 1 */
    int32_t *sorted_rows; /* (room + FBP_ENTRIES_AHEAD,) rows of the block, ascending in a column */
    void *sorted_values;  /* (room,) */
    uint32_t *places;     /* (room,) in `met`, of the columns of the entries */
} fbp_entries;

/* Rows from `row` on of `to` := rows of a sparse source, chosen like those of fbp_gather(). Entries that there is no
 * room for are left out. */
void fbp_gather_entries(const fbp_source *source, const int64_t *index, size_t first, size_t rows,
                        const fbp_kernels *kernels, fbp_entries *to, size_t row);
/* Sorts the entries of `rows` rows from `row` on by column. fbp_forget_columns() ends their use. */
void fbp_sort_entries(fbp_entries *entries, size_t row, size_t rows, fbp_dtype dtype);
void fbp_forget_columns(fbp_entries *entries);

/* out (n,) := n elements, `stride` bytes apart, converted to the kernels' type but not scaled */
void fbp_convert(const fbp_kernels *kernels, fbp_source_type type, int swapped, const char *from, ptrdiff_t stride,
                 size_t n, void *out);
/* out (rows, columns), rows `stride` elements apart := rows of the source, converted to the kernels' type: those from
 * `first` on, or with an index those that its elements from `first` on name */
void fbp_gather(const fbp_source *source, const int64_t *index, size_t first, size_t rows, const fbp_kernels *kernels,
                void *out, size_t stride);
/* The same of sparse rows, which fbp_gather() calls. */
void fbp_gather_sparse(const fbp_source *source, const int64_t *index, size_t first, size_t rows,
                       const fbp_kernels *kernels, void *out, size_t stride);
/* out (n,) := n elements, column_stride bytes apart, not scaled */
void fbp_read_doubles(const fbp_source *source, const char *from, size_t n, double *out);
/* out (columns, rows), rows `stride` elements apart := the same, transposed */
void fbp_gather_columns(const fbp_source *source, const int64_t *index, size_t first, size_t rows,
                        const fbp_kernels *kernels, void *out, size_t stride);
/* out (columns, rows), rows `stride` elements apart := the transpose of an array (rows, columns) of this type */
void fbp_transpose(const void *from, size_t from_stride, size_t rows, size_t columns, fbp_dtype dtype, void *out,
                   size_t stride);
/* out (rows,) := class labels */
void fbp_gather_labels(const fbp_source *source, const int64_t *index, size_t first, size_t rows, int64_t *out);
/* Address of row `first` and the stride from row to row, in elements, if the kernels can read the rows where they are;
 * else NULL. */
const void *fbp_rows_in_place(const fbp_source *source, const int64_t *index, size_t first, fbp_dtype dtype,
                              size_t *stride);

#endif
