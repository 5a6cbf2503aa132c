/* What plan.c hands to the kernels: the operations of a step and their operands. */
#ifndef FASTBP_KERNELS_H
#define FASTBP_KERNELS_H

#include "fastbp.h"

/* A function over rows of elements, each row contiguous. Arrays are (rows, columns) with their own row strides. */
typedef struct {
    size_t rows, columns;
    const void *in;
    size_t in_stride;
    const void *saved; /* chain: what apply left for it, in rows of out_stride */
    void *out;
    void *slope; /* apply: f'(z) goes here, in rows of out_stride, unless NULL */
    size_t out_stride;
    double alpha;
} fbp_map;

typedef struct {
    void (*apply)(const fbp_map *map); /* out = f(in) */
    void (*chain)(const fbp_map *map); /* out = in f' : one factor of the chain rule */
    int saves_slope;                   /* saved is f' itself, not y */
} fbp_activation;

/* One update of parameters in a rectangle of the parameter vector (fused), or in all of it (stored). */
typedef struct {
    const double *scalars;
    void *parameters, *const *state; /* whole vectors */
    const void *gradients;           /* the rectangle, in rows of gradients_stride, */
    const void *factors;             /* (rows,) each times its element of this, unless NULL */
    size_t gradients_stride;
    size_t offset, stride; /* its first element in the vectors, and from row to row there */
    size_t rows, columns;
} fbp_update;

/* The widest layer of a narrow network, whose arrays stand transposed, a row a unit: see narrow.inc. */
enum { FBP_NARROW = 16 };

static inline int fbp_is_penalised(const fbp_layer *layer) { return layer->l1 > 0 || layer->l2 > 0; }

/* A layer with its operands: views of the parameter vector and of the plan's workspace. */
typedef struct fbp_dense {
    size_t n_in, n_out;
    size_t offset; /* of W in the parameter vector */
    const fbp_layer *options;
    fbp_activation activation;
    double alpha;
    void *W, *b, *dW; /* (n_in, n_out), (n_out,); dW, followed by db, is NULL in fused mode */
    const void *x;    /* (block, n_in), rows x_stride apart */
    size_t x_stride, y_stride;
    void *y;                          /* (block, n_out); logits where the loss is joined with the activation */
    void *slope;                      /* (block, n_out) f'(z), or NULL where y gives it */
    const void *saved;                /* what the derivative comes from: slope, else y */
    void *delta;                      /* (block, n_out) dJ/dz; y, slope and delta have rows y_stride apart */
    const struct fbp_dense *previous; /* the layer that made x, NULL for the first */
    void *scratch;                    /* of the products: plan->scratch_bytes for each thread */
    fbp_plan *plan;
} fbp_dense;

/* A workspace for one block of rows. */
typedef struct {
    fbp_dense *layers;
    void *inputs;    /* (block or all rows, n_in), rows x_stride of layer 0 apart */
    void *targets;   /* (block, n_out) */
    int64_t *labels; /* (block,) or NULL */
    void *weights;   /* (block, n_out) of the rows, laid out as the targets, or NULL */
    void *ones;      /* (block,) in narrow networks */
    void *jacobian;  /* (block, n_parameters + 1) derivatives of an output, its error */
    void *gradients; /* (n_parameters,) the block's share of them, where there is more than one lane */
    double loss;     /* of the block, undivided */
} fbp_lane;

/* The block of rows under way. */
typedef struct {
    const fbp_batch *batch;
    fbp_lane *lane;
    size_t first, rows; /* of the batch */
    size_t offset;      /* of the block in the workspace: 0, or `first` where the plan keeps all rows */
    uint64_t t;         /* optimizer steps done before the batch: with `first`, what random numbers depend on */
    double penalty;     /* of the batch: what the weights add to its loss */
    size_t threads;     /* that its products may use */
    int adds;           /* to the gradients of the blocks before */
    double scale;       /* 1 / the loss's divisor for this batch */
} fbp_step;

typedef void fbp_operation(const fbp_dense *layer, fbp_step *step);

struct fbp_kernels {
    const char *isa;
    size_t real_size;
    size_t (*scratch_bytes)(size_t depth, size_t columns); /* for products with K <= depth and N <= columns */
    fbp_operation *forward, *softmax, *output_chain, *softmax_chain, *backward_input, *backward_weights;
    fbp_operation *forward_narrow, *backward_input_narrow, *backward_weights_narrow;
    fbp_operation *normal_equations;
    size_t (*workspace_bytes)(size_t n, size_t threads); /* these five: linear.inc */
    int (*cholesky)(void *a, size_t n, const fbp_workspace *space);
    void (*cholesky_solve)(const void *factor, size_t n, void *x, const fbp_workspace *space);
    double (*inverse_trace)(const void *factor, size_t n, const fbp_workspace *space);
    int (*orthonormalise)(void *z, size_t rows, size_t n, void *gram, const fbp_workspace *space);
    fbp_operation *update, *update_clipped;
    fbp_operation *add_noise, *dropout, *penalty, *penalty_gradient, *max_norm;
    void (*chain_slope)(const fbp_map *map); /* of any activation that has saved its slope */
    void (*add_gradients)(void *sum, const void *share, size_t n, int is_first);
    fbp_operation *losses[FBP_LOSSES][2]; /* for rows that weigh 1, and with the lane's weights */
    fbp_activation activations[FBP_ACTIVATIONS];
    void (*softmax_rows)(const void *x, void *y, size_t rows, size_t columns);
    void (*updates[FBP_OPTIMIZERS])(const fbp_update *update);
    void (*const *vector_math)(const void *x, void *y, size_t n);
};

struct fbp_plan {
    fbp_network *network;
    size_t block_rows;               /* capacity of the row block */
    int keeps_rows;                  /* the workspace holds all rows of a batch, not one block */
    int fused, joined;               /* update with dW; loss with the output activation */
    int narrow;                      /* arrays are (n, block), not (block, n) */
    int noisy;                       /* its inputs get noise */
    double weight;                   /* of the batch that was run last: of all its rows together */
    double scalars[FBP_MAX_SCALARS]; /* of the optimizer, for the step under way */
    void *state[FBP_MAX_STATES];     /* of the optimizer, each (n_parameters,) */
    size_t threads, scratch_bytes;   /* that products may use; of scratch for each of them */
    size_t n_lanes;                  /* blocks of rows that threads work on at the same time */
    fbp_lane *lanes;
    struct operation {
        fbp_operation *run;
        size_t layer;
    } *operations;
    size_t start_end, forward_end, backward_end, gradient_end, update_end; /* where each part of the list ends */
    void *memory;                                                          /* the workspace */
    size_t bytes;                                                          /* of it */
};

/* data.c: conversion of `rows` rows to the kernels' real, in rows of `stride` elements, or to labels */
void fbp_gather(const fbp_source *source, const int64_t *index, size_t first, size_t rows, fbp_dtype dtype, void *out,
                size_t stride);
/* The same, to a row a column: out (columns, rows), with at most FBP_NARROW columns. */
void fbp_gather_columns(const fbp_source *source, const int64_t *index, size_t first, size_t rows, fbp_dtype dtype,
                        void *out, size_t stride);
/* The rows from `first` on where they lie, `stride` elements apart, if that is what fbp_gather would make of them, or
 * NULL. */
const void *fbp_rows_in_place(const fbp_source *source, const int64_t *index, size_t first, fbp_dtype dtype,
                              size_t *stride);
void fbp_gather_labels(const fbp_source *source, const int64_t *index, size_t first, size_t rows, int64_t *out);

/* pool.c: work(context, i, worker) for each i in 0 .. n-1 once, in any order, on at most `threads` threads (1 to
 * FBP_MAX_THREADS), of which the caller is worker 0; worker < threads. Returns when all is done. While another region
 * is under way, the one it is called from or another thread's, the calling thread does it all as worker 0. */
typedef void fbp_work(void *context, size_t i, size_t worker);
void fbp_parallel(size_t threads, size_t n, fbp_work *work, void *context);

/* From enter to leave the calling thread is known to be busy, also between its regions: each such thread leaves the
 * regions of the others one thread fewer. In pairs, which may nest. */
void fbp_enter(void);
void fbp_leave(void);

double fbp_seconds(void); /* of a clock that never jumps */

#endif
