/* Conversion of the caller's rows, for plans. */
#ifndef FASTBP_ROWS_H
#define FASTBP_ROWS_H

#include "kernels/kernels.h"

/* Most columns that fbp_gather_columns() takes: the widest layer of a narrow network (kernels/narrow.h). */
enum { FBP_NARROW = 16 };

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
