/* The kernels of one instruction set and one element type.
 *
 * setup.py compiles this file and inspection.c once for each pair: it passes the flags, FASTBP_ISA and REAL_BITS.
 * Everything is static except the table at the end. */

#include "kernels/kernels.h"
#include "kernels/activation.h"
#include "kernels/average.h"
#include "kernels/clipping.h"
#include "kernels/convert.h"
#include "kernels/dense.h"
#include "kernels/grouped_loss.h"
#include "kernels/linear_algebra.h"
#include "kernels/loss.h"
#include "kernels/narrow.h"
#include "kernels/normal_equations.h"
#include "kernels/optimizer.h"
#include "kernels/regularization.h"
#include "kernels/row.h"
#include "kernels/softmax.h"
#include "kernels/softmax_narrow.h"
#include "kernels/sparse.h"
#include "kernels/vmath.h"

#define VMATH(name)                                                                     \
    static void map_##name(const void *x, void *y, size_t n) {                          \
        for (size_t i = 0; i < n; i += LANES) {                                         \
            const size_t lanes = smaller(n - i, LANES);                                 \
            store_n((real *)y + i, v##name(load_n((const real *)x + i, lanes)), lanes); \
        }                                                                               \
    }
#include "tables/vmath.def"
#undef VMATH

#define VMATH(name) map_##name,
static void (*const vector_math[])(const void *, void *, size_t) = {
#include "tables/vmath.def"
};
#undef VMATH

#define QUOTE(x) #x
#define NAME_OF(x) QUOTE(x)

#define OPERATION(name) .name = name,
#define ACTIVATION(name, initializer, saved, ...) {apply_##name, chain_##name, saved},
#define LOSS(name, ...) {loss_##name, weighted_loss_##name},
#define ROW_LOSS(name, ...) {loss_##name, loss_##name},
#define OPTIMIZER(name, ...) update_##name,

extern const fbp_kernels PER_ISA(fbp_kernels);
const fbp_kernels PER_ISA(fbp_kernels) = {
    .isa = NAME_OF(FASTBP_ISA),
    .real_size = sizeof(real),
    .vector_bytes = VECTOR_BYTES,
    OPERATIONS(OPERATION).losses =
        {
#include "tables/losses.def"
        },
    .activations =
        {
#include "tables/activations.def"
        },
    .updates =
        {
#include "tables/optimizers.def"
        },
    .chain_slope = chain_slope,
    .softmax_rows = softmax_rows,
    .add_gradients = add_gradients,
    .scratch_bytes = scratch_bytes,
    .vector_math = vector_math,
    .workspace_bytes = workspace_bytes,
    .cholesky = cholesky,
    .cholesky_solve = cholesky_solve,
    .inverse_trace = inverse_trace,
    .orthonormalize = orthonormalize,
    .convert = convert_rows,
    .scale = scale_rows,
    .multiply = multiply,
};
