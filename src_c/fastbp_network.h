/* Networks and plans: what is computed and trained, and how a caller asks for it. Part of fastbp.h. */
#ifndef FASTBP_NETWORK_H
#define FASTBP_NETWORK_H

#include "fastbp.h"

typedef struct {
    size_t n_in, n_out;
    fbp_activation_id activation;
    int divide_penalty; /* l1 and l2 are divided by the batch's number of rows, or by the sum of their weights */
    double alpha;
    double l1, l2;      /* training adds l1 |W|_1 + l2/2 |W|^2 to the loss */
    double dropout;     /* share of the outputs that training sets to 0; 0 in the last layer */
    double max_norm;    /* largest norm of the weights into a unit, after an update; 0: no limit */
    int no_bias;        /* z = x W: the parameters have no b of this layer */
    int frozen;         /* training leaves the parameters as they are; their stored gradients are 0 */
    double rate_factor; /* the optimizer's learning rate is multiplied by this; > 0 */
} fbp_layer;

typedef enum { FBP_DIVIDE_BY_ONE, FBP_DIVIDE_BY_ROWS, FBP_DIVIDE_BY_ELEMENTS } fbp_divisor;

enum { FBP_MAX_STATES = 3, FBP_MAX_HYPERPARAMETERS = 5, FBP_MAX_SCALARS = 8 };
enum { FBP_MAX_SCHEDULE_PARAMETERS = 4 };
enum { FBP_MAX_LANES = 16 }; /* elements in a vector */

typedef struct fbp_plan fbp_plan;

/* Computes the activation FBP_CUSTOM of a layer. y (rows, n_out), with rows `stride` elements apart, holds z and
 * receives f(z); slope, laid out likewise, receives f'(z) unless it is NULL. The thread that runs the plan calls it,
 * for one row block after the other; whatever it does, the run goes on with what y and slope hold then. */
typedef void fbp_custom_activation(void *context, const fbp_plan *plan, size_t layer, void *y, void *slope, size_t rows,
                                   size_t n_out, size_t stride);
/* It is a struct of its own because of predictions of single rows: they take 2.5 % longer if fbp_network gets larger.
 */
typedef struct {
    fbp_custom_activation *function;
    void *context; /* its first argument */
} fbp_custom_call;

typedef struct {
    const fbp_kernels *kernels;
    size_t n_layers;
    const fbp_layer *layers;
    fbp_loss_id loss;
    fbp_schedule_id schedule;
    double loss_parameter;
    fbp_divisor divisor; /* the sum of a batch's losses is divided by this */
    fbp_optimizer_id optimizer;
    double hyperparameters[FBP_MAX_HYPERPARAMETERS]; /* the first is the learning rate, before scheduling */
    double schedule_parameters[FBP_MAX_SCHEDULE_PARAMETERS];
    double clip_value, clip_norm; /* largest element and norm of the gradient that the optimizer sees; 0: no limit */
    double input_noise;           /* standard deviation of the noise that training adds to the inputs */
    uint64_t seed;                /* of input noise and dropout */
    uint64_t t;                   /* optimizer steps done */
    size_t n_parameters;
    void *parameters; /* (n_parameters,) */
    void *gradients;  /* (n_parameters,); may be NULL if no plan stores them */
    void *state;      /* (states, n_parameters) */
    double warmup;    /* steps of a linear warm-up before the schedule's own step 0 */
    void *average;    /* (n_parameters,) moving average of the parameters over the steps, first zeros; or NULL */
    double average_decay;
    uint64_t averaged; /* steps that are in the average; the first one sets it */

    /* Raw outputs, in the units of unscaled targets, are factor y + offset, (n_out,); or both NULL. */
    const double *output_factor, *output_offset;

    /* The loss compares so many outputs, side by side, with each target: 1 for most losses. A parameter for each of
     * them, in the network's dtype, repeated up to outputs_per_target + FBP_MAX_LANES numbers; or NULL. */
    size_t outputs_per_target;
    const void *output_parameters;

    const fbp_custom_call *custom; /* NULL if no layer has the activation FBP_CUSTOM */
} fbp_network;

typedef enum {
    FBP_PREDICT,          /* gather, forward, emit */
    FBP_EVALUATE,         /* gather, forward, loss */
    FBP_TRAIN,            /* gather, forward, loss, backward; stores no gradient where the update is fused into it */
    FBP_STORED,           /* gather, forward, loss, backward; update from the stored gradient */
    FBP_CUSTOM_LOSS,      /* gather, forward, emit; backward from the caller's dJ/dy; update */
    FBP_NORMAL_EQUATIONS, /* gather, forward, normal equations; for squared losses, without an update */
    FBP_TASKS
} fbp_task;

typedef enum { FBP_FORWARD_PART = 1, FBP_BACKWARD_PART = 2, FBP_UPDATE_PART = 4 } fbp_parts;

/* Rows of one batch: first .. first + rows of the n rows that index names in x and y, or without index of x and y. */
typedef struct {
    const fbp_source *x, *y; /* rows of n_in; of n_out / outputs_per_target, or one class label */
    const double *weights;   /* (rows of x and y, weight_columns), read only by plans with FBP_WEIGHTS; or NULL */
    const int64_t *index;    /* (n,) or NULL */
    size_t first, rows, n;
    void *output;          /* (rows, n_out) for emit; (n_parameters + 1, n_parameters + 1) for normal equations */
    const void *d_output;  /* (rows, n_out): dJ/dy of the custom loss */
    void *d_input;         /* (rows, n_in): receives dJ/dx of the custom loss, unless NULL */
    size_t weight_columns; /* weights per row: 1, or one per target */
} fbp_batch;

/* Properties of a batch: y holds class labels; rows have weights, or (beside FBP_WEIGHTS) each target its own, and a
 * target of weight 0 may be NaN; output and d_output are raw, not y itself; inputs are sparse rows, whose zeros are
 * still 0 when they are scaled. Other plans take sparse rows, too, and make them dense. */
typedef enum { FBP_LABELS = 1, FBP_WEIGHTS = 2, FBP_TARGET_WEIGHTS = 4, FBP_RAW = 8, FBP_SPARSE = 16 } fbp_data;

/* Turns a network and a task into a short array of operations and their workspace, for batches of at most `rows` rows
 * with these properties. With FBP_SPARSE, no row block has more than `entries` entries, nor has a batch of
 * FBP_CUSTOM_LOSS. The network must outlive the plan, at the same address. NULL: no memory. */
fbp_plan *fbp_plan_new(fbp_network *network, fbp_task task, size_t rows, unsigned data, size_t entries);
void fbp_plan_free(fbp_plan *plan);
/* Bytes of the plan's workspace. */
size_t fbp_plan_bytes(const fbp_plan *plan);

/* Rows of a row block: a larger batch is cut into blocks, whose sums are added in order. Depends only on the layers. */
size_t fbp_block_rows(const fbp_layer *layers, size_t n_layers);

/* Whether a plan for such batches updates during its backward pass. Others with a backward pass store gradients. */
int fbp_is_fused(const fbp_network *network, fbp_task task, size_t rows);

/* Runs these parts of a plan on one batch. Returns the batch's loss if the plan has one; with a backward part,
 * including the penalties. */
double fbp_run(fbp_plan *plan, unsigned parts, const fbp_batch *batch);

/* Points of a plane through the parameters of a network: origin + a u + b v. */
typedef struct {
    fbp_plan *const *plans; /* per worker: to evaluate, made with one thread, over a network with its own parameters */
    size_t workers;         /* threads that share the points */
    const fbp_batch *batch; /* of every point */
    const double *origin;   /* (n_parameters,) */
    const double *directions; /* (2, n_parameters) u and v */
    const double *points;     /* (points, 2) a and b */
    double *losses;           /* (points,) without penalties */
} fbp_plane;

/* Computes the losses. The bits do not depend on the number of workers. */
void fbp_evaluate_plane(fbp_plane *plane, size_t points);

/* Learning rate of the next step. */
double fbp_learning_rate(const fbp_network *network);

/* State of a fit, enough to continue it. */
typedef struct {
    const fbp_source *x, *y;
    const double *weights; /* (rows of x and y, weight_columns), or NULL: 1 per row */
    const int64_t *rows;   /* (n,) the rows to train on, or NULL: all */
    size_t n, batch_size;
    uint64_t seed, first_epoch; /* epoch e of this fit is shuffled like epoch first_epoch + e of the seed */
    int64_t *order;             /* (fbp_order_size(),) rows in the order of the current epoch, or NULL: not shuffled */
    size_t epoch, step;         /* complete epochs; steps done in the current one */
    double sum, weight;         /* over this epoch: losses (means count times their weights), and weights */
    double *losses;             /* (epochs,) loss per epoch */
    size_t weight_columns;      /* as in fbp_batch */
    double batch_loss;          /* of the last step */

    /* Blocks of so many consecutive rows, the last one of the rest, are visited in random order, and the rows of a
     * block in random order; 0: all n rows in random order. */
    size_t block_rows;
    int64_t *blocks;                /* (fbp_order_blocks(),) the order of the blocks, or NULL */
    size_t drawn;                   /* how many blocks of it are in `order`, or were */
    size_t order_first, order_rows; /* with blocks `order` has only these rows of the epoch */

    int checked;     /* FBP_CHECK_X, FBP_CHECK_Y: the numbers of a batch are checked before its step */
    int64_t bad_row; /* of x and y, which that check has found */
} fbp_fit;

enum { FBP_CHECK_X = 1, FBP_CHECK_Y = 2 };

/* Elements of `order` for a fit that shuffles, and of `blocks`, 0 for none; the fit has n, batch_size, block_rows. */
size_t fbp_order_size(const fbp_fit *fit);
size_t fbp_order_blocks(const fbp_fit *fit);

typedef enum {
    FBP_NOT_FINITE, /* the loss of the last step */
    FBP_ADVANCED,
    FBP_BAD_ROW /* a number that is not finite in bad_row, which is of the batch of the next step */
} fbp_advanced;

/* Trains until `until_epoch` epochs are complete or about `seconds` have passed, at least one step, unless it has to
 * return right after a step, or before one. */
fbp_advanced fbp_advance(fbp_plan *plan, fbp_fit *fit, size_t until_epoch, double seconds);

/* Lets a fit that has not advanced continue another one of the same rows and options, whose `epoch`, `step` (less than
 * an epoch has), `sum` and `weight` these are. */
void fbp_resume(fbp_fit *fit, size_t epoch, size_t step, double sum, double weight);

#endif
