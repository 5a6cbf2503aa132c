/* The C interface of fastbp: multi-layer perceptrons on the CPU.
 *
 * The core knows no Python, prints nothing and never exits. Only fbp_plan_new() allocates; a step allocates nothing,
 * except that the first step on several threads starts them. The caller owns the parameters, the gradients, the
 * optimizer's state and the data, and keeps them alive. The caller also checks sizes and values: the core trusts its
 * arguments.
 *
 * One layer computes, for a batch of m rows (shapes stand beside the arrays):
 *
 *     z (m, n_out) = x (m, n_in) W (n_in, n_out) + b (n_out,)        y = f(z)
 *
 * The parameters of a network are one vector: W and b of the first layer, W and b of the second, and so on, each in C
 * order. A layer may have no b. */
#ifndef FASTBP_H
#define FASTBP_H

#include <stddef.h>
#include <stdint.h>

#include "tables/tables.h"

/* With these options a compiler assumes that there is no NaN, and reorders sums. setup.py refuses them as well. */
#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__) || \
    defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__) || defined(__NO_SIGNED_ZEROS__)
#error "fastbp needs IEEE arithmetic: compile it without -ffast-math, -Ofast and their parts"
#endif

extern const char *const fbp_compiler; /* name and version of the compiler that built the core */

/* ---- kernels: one set per instruction set and element type ------------------------------------------------------ */

typedef enum { FBP_FLOAT32, FBP_FLOAT64, FBP_DTYPES } fbp_dtype;

typedef struct fbp_kernels fbp_kernels;

/* Name of instruction set i, best first, of those that this build has and this processor runs; NULL past the last. */
const char *fbp_isa(size_t i);
/* Kernels of an instruction set that fbp_isa() lists, or NULL. */
const fbp_kernels *fbp_find_kernels(const char *isa, fbp_dtype dtype);

/* x, y, slope (rows, columns): y = f(x), and slope = f'(x) unless it is NULL. Softmax has no slope. */
void fbp_activate(const fbp_kernels *kernels, fbp_activation_id activation, double alpha, const void *x, void *y,
                  void *slope, size_t rows, size_t columns);

/* ---- linear algebra: contiguous matrices in C order -------------------------------------------------------------- */

/* Working memory: fbp_workspace_bytes() for this many columns and threads. */
typedef struct {
    void *memory;
    size_t threads;
} fbp_workspace;

size_t fbp_workspace_bytes(const fbp_kernels *kernels, size_t n, size_t threads);

/* Cholesky factor: turns the lower triangle of a (n, n) into L, where a = L L^T, and overwrites the rest. Returns 0,
 * with a half done, if a is not positive definite. */
int fbp_cholesky(const fbp_kernels *kernels, void *a, size_t n, const fbp_workspace *space);
/* x (n,) := (L L^T)^-1 x */
void fbp_cholesky_solve(const fbp_kernels *kernels, const void *factor, size_t n, void *x, const fbp_workspace *space);
/* Trace of (L L^T)^-1. */
double fbp_inverse_trace(const fbp_kernels *kernels, const void *factor, size_t n, const fbp_workspace *space);

/* z (rows, n) := Q of z = Q R, where R has a positive diagonal; rows >= n. Overwrites gram (n, n). Returns 0, with z
 * half done, if it finds the columns of z linearly dependent. */
int fbp_orthonormalize(const fbp_kernels *kernels, void *z, size_t rows, size_t n, void *gram,
                       const fbp_workspace *space);

/* ---- rows: the caller's data, of any element type, strides, alignment and byte order ---------------------------- */

typedef enum {
    FBP_SOURCE_F16,
    FBP_SOURCE_F32,
    FBP_SOURCE_F64,
    FBP_SOURCE_I8,
    FBP_SOURCE_I16,
    FBP_SOURCE_I32,
    FBP_SOURCE_I64,
    FBP_SOURCE_U8,
    FBP_SOURCE_U16,
    FBP_SOURCE_U32,
    FBP_SOURCE_U64,
    FBP_SOURCE_TYPES
} fbp_source_type;

typedef struct {
    const char *data;                    /* element (0, 0) */
    ptrdiff_t row_stride, column_stride; /* bytes, any sign */
    size_t rows, columns;
    fbp_source_type type;
    int swapped;                        /* elements are in the other byte order */
    const double *mean, *inverse_scale; /* (columns,): x is read as (x - mean) inverse_scale; or both NULL */
} fbp_source;

/* Flat index of the first element that is not finite after conversion to dtype, or -1. */
int64_t fbp_first_nonfinite(const fbp_source *source, fbp_dtype dtype);
/* Index of the first integer of a column that is not a class label, 0 to classes - 1, or -1. */
int64_t fbp_first_bad_label(const fbp_source *source, size_t classes);
/* Hash of n bytes: practically any change of them changes it. */
uint64_t fbp_fingerprint(const void *bytes, size_t n);

/* ---- random numbers: Philox4x64-10 ------------------------------------------------------------------------------ */

/* The raw stream of numpy.random.Philox(key=[seed, purpose], counter=[block, 0, step, epoch]), four words per block. */
void fbp_random(uint64_t seed, uint64_t purpose, uint64_t epoch, uint64_t step, uint64_t block, uint64_t *out,
                size_t n);
/* A permutation of 0 .. n-1; it depends only on the seed and the epoch. */
void fbp_permutation(uint64_t seed, uint64_t epoch, int64_t *index, size_t n);

/* ---- threads ---------------------------------------------------------------------------------------------------- */

enum { FBP_MAX_THREADS = 1024 };

/* CPUs that the scheduler grants this process (its affinity mask). At least 1. */
size_t fbp_scheduled_cpus(void);
/* Tells the pool how many CPUs the quota of a container leaves; SIZE_MAX: no limit. With more threads than CPUs,
 * waiting threads sleep instead of spinning. */
void fbp_limit_cpus(size_t cpus);

/* Lets a forked child forget the threads of its parent. Call it once, before any function that computes. Returns 0 if
 * there is no memory. */
int fbp_survive_forks(void);

/* Number of threads that a call by this thread may use: the thread's own limit, else that of the process, which is 1
 * until fbp_set_threads(). */
size_t fbp_threads(void);
void fbp_set_threads(size_t threads); /* of the process */

/* The calling thread's own limit, 0: none. NULL: no memory. Any thread may set it, until it has released it. */
typedef struct fbp_thread_limit fbp_thread_limit;
fbp_thread_limit *fbp_hold_thread_limit(void);
void fbp_set_thread_limit(fbp_thread_limit *held, size_t threads);
void fbp_release_thread_limit(fbp_thread_limit *held);

/* ---- caches ------------------------------------------------------------------------------------------------------ */

/* Bytes that a core has for itself: L1 of data, L2, its share of L3 (only shown); l1 <= l2 <= l3, none of them 0.
 * Results do not depend on them. */
typedef struct { size_t l1, l2, l3; } fbp_caches;
const fbp_caches *fbp_cache_sizes(void);
/* Sets them; NULL: to what the machine has. Call it once, before any function that computes; until then they are small
 * guesses. */
void fbp_set_caches(const fbp_caches *caches);

/* ---- networks and plans ----------------------------------------------------------------------------------------- */

typedef struct {
    size_t n_in, n_out;
    fbp_activation_id activation;
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

typedef struct {
    const fbp_kernels *kernels;
    size_t n_layers;
    const fbp_layer *layers;
    fbp_loss_id loss;
    double loss_parameter;
    fbp_divisor divisor; /* the sum of a batch's losses is divided by this */
    fbp_optimizer_id optimizer;
    double hyperparameters[FBP_MAX_HYPERPARAMETERS]; /* the first is the learning rate, before scheduling */
    fbp_schedule_id schedule;
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
    void *d_input;         /* (rows, n_in): receives dJ/dx of the custom loss */
    size_t weight_columns; /* weights per row: 1, or one per target */
} fbp_batch;

typedef struct fbp_plan fbp_plan;

/* Properties of a batch: y holds class labels; rows have weights, or (beside FBP_WEIGHTS) each target its own, and a
 * target of weight 0 may be NaN; output and d_output are raw, not y itself. */
typedef enum { FBP_LABELS = 1, FBP_WEIGHTS = 2, FBP_TARGET_WEIGHTS = 4, FBP_RAW = 8 } fbp_data;

/* Turns a network and a task into a short array of operations and their workspace, for batches of at most `rows` rows
 * with these properties. The network must outlive the plan, at the same address. NULL: no memory. */
fbp_plan *fbp_plan_new(fbp_network *network, fbp_task task, size_t rows, unsigned data);
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

/* Learning rate of the next step. */
double fbp_learning_rate(const fbp_network *network);

/* State of a fit, enough to continue it. */
typedef struct {
    const fbp_source *x, *y;
    const double *weights; /* (rows of x and y, weight_columns), or NULL: 1 per row */
    const int64_t *rows;   /* (n,) the rows to train on, or NULL: all */
    size_t n, batch_size;
    uint64_t seed, first_epoch; /* epoch e of this fit is shuffled like epoch first_epoch + e of the seed */
    int64_t *order;             /* (n,) order of the current epoch, or NULL: rows are not shuffled */
    size_t epoch, step;         /* complete epochs; steps done in the current one */
    double sum, weight;         /* over this epoch: losses (means count times their weights), and weights */
    double *losses;             /* (epochs,) loss per epoch */
    size_t weight_columns;      /* as in fbp_batch */
    double batch_loss;          /* of the last step */
} fbp_fit;

/* Trains until `until_epoch` epochs are complete or about `seconds` have passed, at least one step. Returns 0 right
 * after a step whose loss is not finite, else 1. */
int fbp_advance(fbp_plan *plan, fbp_fit *fit, size_t until_epoch, double seconds);

#endif
