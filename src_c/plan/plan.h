/* A plan: the operations of a task on a network, and the layers, slots and rows that they work on. */
#ifndef FASTBP_PLAN_H
#define FASTBP_PLAN_H

#include "fastbp.h"
#include "kernels/kernels.h"
#include "rows/rows.h"

/* A layer with its operands: views of the parameter vector and of the plan's workspace. */
typedef struct fbp_dense {
    size_t n_in, n_out;
    size_t offset; /* of W in the parameter vector */
    const fbp_layer *options;
    fbp_activation activation;
    fbp_activation_id function; /* the number of the activation */
    double alpha;
    void *W, *b, *dW; /* (n_in, n_out), (n_out,) or NULL; dW, followed by db, is NULL if updates are fused, or frozen */
    void *WT, *dWT; /* (n_out, n_in) in padded plans, rows x_stride apart, like W and dW y_stride; except first layer */
    const void *x;  /* (block, n_in), rows x_stride apart; transposed in narrow networks, and then a row of ones */
    size_t x_stride, y_stride;
    void *y;                          /* (block, n_out); logits if the loss is joined with the activation */
    void *slope;                      /* (block, n_out) f'(z), or NULL if it follows from y; in narrow networks, if 1 */
    const void *saved;                /* what the derivative is computed from: slope, else y */
    void *delta;                      /* (block, n_out) dJ/dz; y, slope and delta have rows y_stride apart */
    const struct fbp_dense *previous; /* the layer that computes x, NULL for the first */
    void *scratch;                    /* of the products: plan->scratch_bytes per thread */
    fbp_plan *plan;
    const double *scalars; /* of the optimizer for this layer: the plan's, or its own */
    const void *start;     /* (n_out,) what the sums of z start from in narrow networks: b, or zeros */
    size_t trained_rows;   /* rows of W and b that are trained: none, n_in, or n_in + 1 */
} fbp_dense;

/* A slot: the arrays for one block of rows. Several slots let threads work on several blocks at the same time. */
typedef struct {
    fbp_dense *layers;
    void *inputs;    /* (block or all rows, n_in), rows x_stride of layer 0 apart */
    void *targets;   /* (block, n_out) */
    int64_t *labels; /* (block,) or NULL */
    void *weights;   /* (block, n_out) weights, laid out like the targets, or NULL */
    void *jacobian;  /* (block, n_parameters + 1) derivatives of one output, and its error */
    void *gradients; /* (n_parameters,) gradients of the block, if there are several slots or the network is narrow */
    double loss;     /* of the block, not yet divided */
    fbp_entries entries; /* of sparse plans, in place of the inputs */
} fbp_slot;

/* The current block of rows. */
typedef struct fbp_step {
    const fbp_batch *batch;
    fbp_slot *slot;
    size_t first, rows; /* of the batch */
    size_t offset;      /* of the block in the workspace: 0, or `first` if the plan keeps all rows */
    uint64_t t;         /* optimizer steps done before the batch; random numbers depend on it and on `first` */
    double penalty;     /* penalties of the weights, part of the batch's loss */
    size_t threads;     /* that a product may use */
    int adds;           /* whether gradients are added to those of earlier blocks */
    double scale;       /* 1 / divisor of the loss for this batch */
} fbp_step;

typedef struct {
    fbp_operation *run;
    size_t layer;
} fbp_planned;

/* A run of parameters that stored updates treat alike. */
typedef struct {
    size_t offset, n;
    const double *scalars;
} fbp_segment;

struct fbp_plan {
    fbp_network *network;
    size_t block_rows; /* capacity of a row block */
    int keeps_rows;    /* the workspace holds all rows of a batch, not one block */
    int narrow;        /* arrays are (n, block), not (block, n): kernels/narrow.h */
    int is_padded;     /* the parameters and the state are a copy, for steps on single rows: kernels/row.h, padding.c */
    int noisy;         /* inputs get noise */
    int sparse;        /* inputs are entries of sparse rows: kernels/sparse.h */
    int joined;        /* the loss is joined with the output activation */
    int has_softmax;   /* the output is a softmax that is not joined with the loss */
    int updates;       /* an update uses up the gradients at once, and the caller sees none */
    int fused;         /* this update is part of dW, and no gradient is stored */
    fbp_operation *loss;

    size_t n_parameters;         /* of the network, or of the copy */
    void *parameters;            /* (n_parameters,) */
    void *state[FBP_MAX_STATES]; /* of the optimizer, each (n_parameters,) */
    void *gradients;             /* of the batch (n_parameters,), the network's or the plan's; NULL if fused */

    fbp_step step;                   /* the last one */
    double weight, divisor;          /* of its batch: sum of the weights of the rows, divisor of the loss */
    double scalars[FBP_MAX_SCALARS]; /* of the optimizer, for this step */

    size_t threads, scratch_bytes; /* threads for products; bytes of scratch per thread */
    size_t lowest;                 /* layer down to which training needs derivatives: the first that is not frozen */
    double (*layer_scalars)[FBP_MAX_SCALARS]; /* per layer, or NULL if all layers have the same learning rate */
    fbp_segment *segments, *segments_end;     /* what stored updates go through */

    size_t n_slots;
    fbp_slot *slots;
    fbp_planned *operations;
    size_t start_end, gather_end, forward_end, backward_end, gradient_end, update_end; /* where parts of the list end */
    void *memory;                                                                      /* the workspace */
    size_t bytes;                                                                      /* size of the workspace */
};

static inline int fbp_is_penalized(const fbp_layer *layer) {
    return !layer->frozen && (layer->l1 > 0 || layer->l2 > 0);
}

/* Rows of n_out parameters: those of W, and b. */
static inline size_t fbp_parameter_rows(const fbp_layer *layer) { return layer->n_in + !layer->no_bias; }

static inline fbp_dtype fbp_dtype_of(const fbp_plan *plan) {
    return plan->network->kernels->real_size == sizeof(float) ? FBP_FLOAT32 : FBP_FLOAT64;
}

/* task.c: what a task needs */
size_t fbp_widest_layer(const fbp_layer *layers, size_t n_layers);
size_t fbp_task_block_rows(const fbp_network *network, fbp_task task);
int fbp_has_loss(fbp_task task);
int fbp_has_output(fbp_task task); /* emits y */
int fbp_has_backward(fbp_task task);
int fbp_trains(fbp_task task); /* has a backward pass for an update */
int fbp_is_joined(const fbp_network *network, fbp_task task);
int fbp_clips(const fbp_network *network);
int fbp_has_noise(const fbp_network *network, fbp_task task);
int fbp_has_dropout(const fbp_layer *layer, fbp_task task);
int fbp_has_penalty(const fbp_layer *layer, fbp_task task);
int fbp_has_max_norm(const fbp_layer *layer, fbp_task task);
int fbp_has_custom(const fbp_network *network);                          /* a layer with a function of the caller's */
int fbp_has_factors(const fbp_network *network);                         /* layers differ in their learning rates */
size_t fbp_lowest_trained(const fbp_network *network, fbp_task task);    /* layer; n_layers: none */
int fbp_is_reached(const fbp_network *network, fbp_task task, size_t l); /* by the backward pass */
int fbp_is_narrow(const fbp_network *network, fbp_task task, size_t rows);
int fbp_is_padded(const fbp_network *network, fbp_task task, size_t rows);
int fbp_is_idle(fbp_optimizer_id optimizer); /* leaves parameters and state as they are where the gradient is 0 */
int fbp_is_sparse(const fbp_network *network, fbp_task task, size_t rows, unsigned data, size_t entries);

/* layout.c: memory. fbp_lay_out() allocates the workspace for batches of batch_rows rows, or returns 0. */
int fbp_lay_out(fbp_plan *plan, fbp_task task, size_t batch_rows, unsigned data, size_t entries);
size_t fbp_padded(size_t n, size_t real_size); /* stride between rows of n elements */
size_t fbp_most_slots(size_t threads);

/* padding.c: copies parameters and state to those of a padded plan, and back; else they do nothing */
void fbp_load_parameters(fbp_plan *plan);
void fbp_store_parameters(fbp_plan *plan);

/* run.c: fbp_run() without the two, and a training step on the rows of the last one, which were a single block of a
 * plan without noise; the batch must still be there */
double fbp_run_loaded(fbp_plan *plan, unsigned parts, const fbp_batch *batch);
double fbp_repeat(fbp_plan *plan);

/* gather.c: operations that copy between the caller's arrays and the workspace */
fbp_operation fbp_gather_inputs, fbp_gather_targets, fbp_gather_block_labels, fbp_gather_weights, fbp_emit,
    fbp_take_d_output, fbp_emit_raw, fbp_take_raw_d_output;

/* order.c: draws the order of the rows in the present epoch, if they are shuffled, up to the next step or further; and
 * says which rows that step takes */
void fbp_begin_order(fbp_fit *fit);
void fbp_find_batch(fbp_fit *fit, fbp_batch *batch);

/* rates.c: counts a step, and computes the optimizer's scalars for it */
void fbp_begin_update(fbp_plan *plan);

#endif
