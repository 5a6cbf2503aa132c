/* The kernels of one instruction set and one element type. This file is compiled once for each pair (setup.py passes
 * the flags, FASTBP_ISA and REAL_BITS); all in it is static but the one table at its end. */

#include <math.h>
#include <string.h>

#include "kernels.h"
#include "simd.h"
#include "vmath.h"

static inline size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

#include "activation.inc"
#include "tile.inc"
#include "pack.inc"
#include "gemm.inc"
#include "loss.inc"
#include "update.inc"
#include "regular.inc"
#include "dense.inc"
#include "narrow.inc"
#include "normal.inc"
#include "linear.inc"

#define VMATH(name)                                                                     \
    static void map_##name(const void *x, void *y, size_t n) {                          \
        for (size_t i = 0; i < n; i += LANES) {                                         \
            const size_t lanes = smaller(n - i, LANES);                                 \
            store_n((real *)y + i, v##name(load_n((const real *)x + i, lanes)), lanes); \
        }                                                                               \
    }
#include "vmath.def"
#undef VMATH

#define VMATH(name) map_##name,
static void (*const vector_math[])(const void *, void *, size_t) = {
#include "vmath.def"
};
#undef VMATH

#define QUOTE(x) #x
#define NAME_OF(x) QUOTE(x)
#define JOIN(isa, bits) fbp_kernels_##isa##_##bits
#define TABLE_NAME(isa, bits) JOIN(isa, bits)

#define ACTIVATION(name, initializer, saved, ...) {apply_##name, chain_##name, saved},
#define LOSS(name, ...) {loss_##name, weighted_loss_##name},
#define ROW_LOSS(name, ...) {loss_##name, loss_##name},
#define OPTIMIZER(name, ...) update_##name,

extern const fbp_kernels TABLE_NAME(FASTBP_ISA, REAL_BITS);
const fbp_kernels TABLE_NAME(FASTBP_ISA, REAL_BITS) = {
    .isa = NAME_OF(FASTBP_ISA),
    .real_size = sizeof(real),
    .scratch_bytes = scratch_bytes,
    .forward = forward,
    .softmax = softmax,
    .output_chain = output_chain,
    .softmax_chain = softmax_chain,
    .backward_input = backward_input,
    .backward_weights = backward_weights,
    .forward_narrow = forward_narrow,
    .backward_input_narrow = backward_input_narrow,
    .backward_weights_narrow = backward_weights_narrow,
    .normal_equations = normal_equations,
    .workspace_bytes = workspace_bytes,
    .cholesky = cholesky,
    .cholesky_solve = cholesky_solve,
    .inverse_trace = inverse_trace,
    .orthonormalise = orthonormalise,
    .update = update_all,
    .update_clipped = update_clipped,
    .add_noise = add_noise,
    .dropout = dropout,
    .penalty = penalty,
    .penalty_gradient = penalty_gradient,
    .max_norm = max_norm,
    .chain_slope = chain_slope,
    .add_gradients = add_gradients,
    .softmax_rows = softmax_rows,
    .losses =
        {
#include "losses.def"
        },
    .activations =
        {
#include "activations.def"
        },
    .updates =
        {
#include "optimizers.def"
        },
    .vector_math = vector_math,
};
