/* The table of kernels of one instruction set and element type, with the operands of its functions. */
#ifndef FASTBP_KERNELS_H
#define FASTBP_KERNELS_H

#include "fastbp.h"

/* A function over rows of elements. Arrays are (rows, columns), with contiguous rows; each array has its own row
 * stride. */
typedef struct {
    size_t rows, columns;
    const void *in;
    size_t in_stride;
    const void *saved; /* chain: array saved by apply, rows out_stride apart */
    void *out;
    void *slope; /* apply: receives f'(z), rows out_stride apart, unless NULL */
    size_t out_stride;
    double alpha;
} fbp_map;

typedef struct {
    void (*apply)(const fbp_map *map); /* out = f(in) */
    void (*chain)(const fbp_map *map); /* out = in f': one factor of the chain rule */
    int saves_slope;                   /* whether `saved` is f' itself; else it is y */
} fbp_activation;

/* An update of a rectangle of the parameter vector (fused), or of all of it (stored). The order of the fields keeps
 * compilers from joining stores, for which the loads that follow at once would wait. */
typedef struct {
    void *parameters;      /* whole vectors */
    const void *gradients; /* of the rectangle, rows gradients_stride apart */
    void *const *state;    /* whole vectors */
    const void *factors;   /* (rows,) factor per row of gradients, unless NULL */
    size_t gradients_stride;
    size_t offset, stride; /* of the rectangle's first element in the vectors, and from row to row there */
    size_t rows, columns;
    const double *scalars;
} fbp_update;

/* Rows of n adjacent elements of one source type, at any address: to := from, and to := (from - mean) inverse_scale,
 * where mean and inverse_scale are (n,). */
typedef void fbp_convert_row(const char *from, size_t n, void *to);
typedef void fbp_scale_row(const char *from, const double *mean, const double *inverse_scale, size_t n, void *to);

/* One operation of a plan, on one layer and the current block of rows (plan/plan.h). */
struct fbp_dense;
struct fbp_step;
typedef void fbp_operation(const struct fbp_dense *layer, struct fbp_step *step);

/* The operations, except losses, which have their own table. plan/plan.c lists them in the order that they run. */
/* clang-format off */
#define OPERATIONS(O)                                                      \
    O(forward) O(softmax)                                                  \
    O(output_chain) O(softmax_chain) O(backward_input) O(backward_weights) \
    O(forward_sparse) O(backward_weights_sparse)                           \
    O(forward_narrow) O(softmax_narrow) O(cross_entropy_narrow)            \
    O(passes_narrow) O(passes_row)                                         \
    O(normal_equations) O(repeat_targets) O(repeat_weights)                                  \
    O(add_noise) O(dropout) O(penalty) O(penalty_gradient) O(max_norm)     \
    O(update_all) O(update_clipped) O(average)
/* clang-format on */

#define DECLARE_OPERATION(name) fbp_operation *name;

struct product;

struct fbp_kernels {
    const char *isa;
    size_t real_size, vector_bytes;
    OPERATIONS(DECLARE_OPERATION)
    fbp_operation *losses[FBP_LOSSES][2]; /* without and with weights of rows */
    fbp_activation activations[FBP_ACTIVATIONS];
    void (*updates[FBP_OPTIMIZERS])(const fbp_update *update);
    void (*chain_slope)(const fbp_map *map); /* chain of any activation that has saved its slope */
    void (*softmax_rows)(const void *x, void *y, size_t rows, size_t columns);
    void (*add_gradients)(void *sum, const void *share, size_t n, int is_first);
    size_t (*scratch_bytes)(size_t depth, size_t columns); /* for products with K <= depth and N <= columns */
    void (*const *vector_math)(const void *x, void *y, size_t n);

    /* linear_algebra.h */
    size_t (*workspace_bytes)(size_t n, size_t threads);
    int (*cholesky)(void *a, size_t n, const fbp_workspace *space);
    void (*cholesky_solve)(const void *factor, size_t n, void *x, const fbp_workspace *space);
    double (*inverse_trace)(const void *factor, size_t n, const fbp_workspace *space);
    int (*orthonormalize)(void *z, size_t rows, size_t n, void *gram, const fbp_workspace *space);

    fbp_convert_row *const *convert; /* (FBP_SOURCE_TYPES,), as scale: convert.h */
    fbp_scale_row *const *scale;

    void (*multiply)(const struct product *p); /* gemm.h, for inspection.c */
};

/* The second derivative of a loss along a direction, over contiguous arrays (rows, columns); out overlaps no other. */
typedef struct {
    size_t rows, columns;
    const void *h, *t; /* as the loss compares them: h are logits if it is joined with the activation */
    const void *r;     /* the direction */
    void *out;         /* (d^2 L / dh^2) r, L the sum of the terms, without weights */
    double parameter;
} fbp_loss_map;

typedef void curve_activation(const fbp_map *map);
typedef void curve_loss(const fbp_loss_map *map);

/* What only the inspection of networks needs. It is compiled apart from the kernels (inspection.c), whose code it would
 * change: compilers decide on functions by what else is in a file. */
struct fbp_inspection {
    const fbp_kernels *kernels;
    void (*multiply)(const fbp_kernels *kernels, const fbp_product *given);
    void (*multiply_outer)(const fbp_outer *outer);
    curve_activation *const *curvatures; /* by activation: out = f''(in); of softmax, where in = softmax(z) */
    curve_loss *const *loss_curvatures;  /* by loss */
};

/* Name of a table that is compiled once per instruction set and element type. */
#define PER_ISA_JOINED(name, isa, bits) name##_##isa##_##bits
#define PER_ISA_EXPANDED(name, isa, bits) PER_ISA_JOINED(name, isa, bits)
#define PER_ISA(name) PER_ISA_EXPANDED(name, FASTBP_ISA, REAL_BITS)

#endif
