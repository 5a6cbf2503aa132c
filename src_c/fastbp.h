/* fastbp: multi-layer perceptrons on the CPU. The C interface of the core.
 *
 * The core knows no Python, prints nothing, never exits, and allocates only in fbp_plan_new(): a step allocates
 * nothing, but the first one that uses threads starts them. The caller owns the parameters, the gradients, the
 * optimizer's state and the data, keeps them alive, and checks sizes and values at the door; the core trusts what it
 * is given.
 *
 * One layer computes, for a batch of m rows, with the shapes beside the arrays:
 *
 *     z (m, n_out) = x (m, n_in) W (n_in, n_out) + b (n_out,)        y = f(z)
 *
 * A network's numbers are one vector: W then b of the first layer, W then b of the second, and so on, C order. */
#ifndef FASTBP_H
#define FASTBP_H

#include <stddef.h>
#include <stdint.h>

/* With these options a compiler assumes that there is no NaN, and reorders sums. setup.py refuses the flags it sees. */
#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__) || \
    defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__) || defined(__NO_SIGNED_ZEROS__)
#error "fastbp needs IEEE arithmetic: compile it without -ffast-math, -Ofast and what belongs to them"
#endif

/* ---- tables: what there is, in the order of the .def files ----------------------------------------------------- */

typedef enum {
#define ACTIVATION(name, ...) FBP_ACTIVATION_##name,
#include "activations.def"
#undef ACTIVATION
    FBP_ACTIVATIONS
} fbp_activation_id;

typedef enum {
#define LOSS(name, ...) FBP_LOSS_##name,
#define ROW_LOSS LOSS
#include "losses.def"
#undef ROW_LOSS
#undef LOSS
    FBP_LOSSES
} fbp_loss_id;

typedef enum {
#define OPTIMIZER(name, ...) FBP_OPTIMIZER_##name,
#include "optimizers.def"
#undef OPTIMIZER
    FBP_OPTIMIZERS
} fbp_optimizer_id;

typedef enum {
#define SCHEDULE(name, ...) FBP_SCHEDULE_##name,
#include "schedules.def"
#undef SCHEDULE
    FBP_SCHEDULES
} fbp_schedule_id;

typedef struct {
    const char *name, *initializer, *formula;
    double alpha;
} fbp_activation_row;
typedef struct { const char *name, *link, *formula; } fbp_loss_row;
typedef struct {
    const char *name;
    size_t states;
} fbp_optimizer_row;

extern const fbp_activation_row fbp_activation_rows[FBP_ACTIVATIONS];
extern const fbp_loss_row fbp_loss_rows[FBP_LOSSES];
extern const fbp_optimizer_row fbp_optimizer_rows[FBP_OPTIMIZERS];
extern const char *const fbp_schedule_names[FBP_SCHEDULES];

extern const char *const fbp_compiler; /* that built this */

/* ---- kernels: one set for each instruction set and element type ------------------------------------------------- */

typedef enum { FBP_FLOAT32, FBP_FLOAT64, FBP_DTYPES } fbp_dtype;

typedef struct fbp_kernels fbp_kernels;

/* The instruction sets of this build that this processor runs, best first; NULL past the last. */
const char *fbp_isa(size_t i);
/* The kernels of a set that fbp_isa() lists, or NULL. */
const fbp_kernels *fbp_find_kernels(const char *isa, fbp_dtype dtype);

/* y = f(x), and slope = f'(x) unless slope is NULL, over n elements. Softmax: rows of `columns` elements, no slope. */
void fbp_activate(const fbp_kernels *kernels, fbp_activation_id activation, double alpha, const void *x, void *y,
                  void *slope, size_t rows, size_t columns);

/* The functions of vmath.h by number, for tests; the name is NULL past the last. */
const char *fbp_vector_math_name(size_t i);
void fbp_vector_math(const fbp_kernels *kernels, size_t i, const void *x, void *y, size_t n);

/* ---- linear algebra: contiguous matrices in C order -------------------------------------------------------------- */

/* Memory of the caller's to work in, of fbp_workspace_bytes() for so many columns and threads. */
typedef struct {
    void *memory;
    size_t threads;
} fbp_workspace;

size_t fbp_workspace_bytes(const fbp_kernels *kernels, size_t n, size_t threads);

/* Cholesky: turns the lower triangle of a (n, n) into L, a = L L^T, and overwrites what is above it. Returns 0, with a
 * half done, where a is not positive definite. */
int fbp_cholesky(const fbp_kernels *kernels, void *a, size_t n, const fbp_workspace *space);
/* x (n,) := (L L^T)^-1 x */
void fbp_cholesky_solve(const fbp_kernels *kernels, const void *factor, size_t n, void *x, const fbp_workspace *space);
/* The trace of (L L^T)^-1. */
double fbp_inverse_trace(const fbp_kernels *kernels, const void *factor, size_t n, const fbp_workspace *space);

/* z (rows, n) := Q of z = Q R, where R has a positive diagonal; rows >= n. gram (n, n) is overwritten. Returns 0, with
 * z half done, where the columns of z turn out to be linearly dependent. */
int fbp_orthonormalise(const fbp_kernels *kernels, void *z, size_t rows, size_t n, void *gram,
                       const fbp_workspace *space);

/* ---- data: rows in the caller's memory, of any element type, strides, alignment and byte order ------------------ */

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
    int swapped;                        /* the bytes of an element stand in the other order */
    const double *mean, *inverse_scale; /* (columns,): gather takes (x - mean) inverse_scale for x; or NULL, NULL */
} fbp_source;

/* Flat index of the first element that is not finite once converted to dtype, or -1. */
int64_t fbp_first_nonfinite(const fbp_source *source, fbp_dtype dtype);
/* Index of the first of these integers, a column, that is not one of the classes 0 .. classes - 1, or -1. */
int64_t fbp_first_bad_label(const fbp_source *source, size_t classes);
/* A number that practically any change of the bytes changes. */
uint64_t fbp_fingerprint(const void *bytes, size_t n);

/* ---- random numbers: Philox4x64-10 ------------------------------------------------------------------------------ */

/* The raw stream of numpy.random.Philox(key=[seed, purpose], counter=[block, 0, step, epoch]), four words a block. */
void fbp_random(uint64_t seed, uint64_t purpose, uint64_t epoch, uint64_t step, uint64_t block, uint64_t *out,
                size_t n);
/* A permutation of 0 .. n-1, a function of the seed and the epoch alone. */
void fbp_permutation(uint64_t seed, uint64_t epoch, int64_t *index, size_t n);

/* ---- threads ---------------------------------------------------------------------------------------------------- */

enum { FBP_MAX_THREADS = 1024 };

/* CPUs that this process may use: the affinity mask, and the control groups' limit rounded up. At least 1. */
size_t fbp_available_cpus(void);
/* The latter, from /proc and /sys under a root of the caller's (for tests; else ""); SIZE_MAX without a limit. */
size_t fbp_cgroup_cpus(const char *root);

/* To be called once, before any function that computes: a forked child then forgets the threads of its parent. Returns
 * 0 where there is no memory for it. */
int fbp_survive_forks(void);

/* The number of threads for what this thread calls: its own, or else the process's, which is 1 until it is set. */
size_t fbp_threads(void);
void fbp_set_threads(size_t threads);
/* The calling thread's own number, which any thread may set until it has released it; 0: none. NULL: no memory. */
typedef struct fbp_own_threads fbp_own_threads;
fbp_own_threads *fbp_hold_own_threads(void);
void fbp_set_own_threads(fbp_own_threads *held, size_t threads);
void fbp_release_own_threads(fbp_own_threads *held);
size_t fbp_own_number(void); /* of the calling thread */

/* ---- networks and plans ----------------------------------------------------------------------------------------- */

typedef struct {
    size_t n_in, n_out;
    fbp_activation_id activation;
    double alpha;
    double l1, l2;   /* J has l1 |W|_1 + l2/2 |W|^2 in training */
    double dropout;  /* the share of its outputs that training sets to 0; 0 in the last layer */
    double max_norm; /* of the weights into a unit, after an update; 0: any */
} fbp_layer;

typedef enum { FBP_DIVIDE_BY_ONE, FBP_DIVIDE_BY_ROWS, FBP_DIVIDE_BY_ELEMENTS } fbp_divisor;

enum { FBP_MAX_STATES = 3, FBP_MAX_HYPERPARAMETERS = 5, FBP_MAX_SCALARS = 8 };
enum { FBP_MAX_SCHEDULE_PARAMETERS = 4 };

typedef struct {
    const fbp_kernels *kernels;
    size_t n_layers;
    const fbp_layer *layers;
    fbp_loss_id loss;
    double loss_parameter;
    fbp_divisor divisor; /* of the loss: what a batch's sum is divided by */
    fbp_optimizer_id optimizer;
    double hyperparameters[FBP_MAX_HYPERPARAMETERS]; /* the first is the learning rate, before the schedule's doing */
    fbp_schedule_id schedule;
    double schedule_parameters[FBP_MAX_SCHEDULE_PARAMETERS];
    double clip_value, clip_norm; /* largest element, largest norm of the gradient that it sees; 0: any */
    double input_noise;           /* standard deviation of what training adds to the inputs */
    uint64_t seed;                /* of this noise, and of dropout */
    uint64_t t;                   /* optimizer steps done */
    size_t n_parameters;
    void *parameters; /* (n_parameters,) */
    void *gradients;  /* (n_parameters,); NULL unless a plan stores them */
    void *state;      /* (states, n_parameters) */
} fbp_network;

typedef enum {
    FBP_PREDICT,  /* gather, forward, emit */
    FBP_EVALUATE, /* gather, forward, loss */
    FBP_TRAIN,    /* gather, forward, loss, backward with the update fused into it: no gradient is stored */
    FBP_STORED,   /* gather, forward, loss, backward; update: through the gradient vector */
    FBP_OWN_LOSS, /* gather, forward, emit; backward from the caller's dJ/dy; update */
    FBP_NORMAL,   /* gather, forward, normal equations (normal.inc), for a loss of squares and no update */
    FBP_TASKS
} fbp_task;

typedef enum { FBP_FORWARD_PART = 1, FBP_BACKWARD_PART = 2, FBP_UPDATE_PART = 4 } fbp_parts;

/* The rows of one batch: first .. first + rows of the n rows that index names in x and y, or of theirs. */
typedef struct {
    const fbp_source *x, *y; /* rows of n_in; of n_out, or one class label */
    const double *weights;   /* of the rows of x and y; unused, or NULL, where the plan knows of none */
    const int64_t *index;    /* (n,) or NULL */
    size_t first, rows, n;
    int is_loaded;        /* they are what the plan ran last: it need not fetch them again */
    void *output;         /* (rows, n_out): where emit writes; (n_parameters + 1,) squared: normal equations */
    const void *d_output; /* (rows, n_out): dJ/dy of the caller's own loss */
    void *d_input;        /* (rows, n_in): dJ/dx for it */
} fbp_batch;

typedef struct fbp_plan fbp_plan;

/* What a batch brings: y holds class labels; rows have weights. */
typedef enum { FBP_LABELS = 1, FBP_WEIGHTS = 2 } fbp_data;

/* Turns the network and the task into a short array of operations with its workspace, for batches of at most `rows`
 * rows with such data. The network must outlive the plan, at the same address. NULL: no memory. */
fbp_plan *fbp_plan_new(fbp_network *network, fbp_task task, size_t rows, unsigned data);
void fbp_plan_free(fbp_plan *plan);
/* What its workspace takes, where all of it is used. */
size_t fbp_plan_bytes(const fbp_plan *plan);

/* Rows of a row block: a larger batch is cut, and partial sums combine in order. Depends on the layers alone. */
size_t fbp_block_rows(const fbp_layer *layers, size_t n_layers);

/* Does a plan for such batches update as it goes back? Any other that goes back stores gradients. */
int fbp_is_fused(const fbp_network *network, fbp_task task, size_t rows);

/* Runs the named parts of a plan on one batch; returns the batch's loss where the plan has one, and with it, on the way
 * back, the penalties. */
double fbp_run(fbp_plan *plan, unsigned parts, const fbp_batch *batch);

/* The learning rate of the step to come. */
double fbp_learning_rate(const fbp_network *network);

/* Where a fit stands: all there is to know to go on with it. */
typedef struct {
    const fbp_source *x, *y;
    const double *weights; /* of the rows of x and y, or NULL: 1 */
    const int64_t *rows;   /* (n,) the rows to train on, or NULL: all */
    size_t n, batch_size;
    uint64_t seed, first_epoch; /* the shuffle of epoch e of this fit is that of epoch first_epoch + e */
    int64_t *order;             /* (n,) the order of the epoch under way, or NULL: as they come */
    size_t epoch, step;         /* complete epochs; steps done in the one under way */
    double sum, weight;         /* of its batches so far: losses times weights, unless losses are sums; weights */
    double *losses;             /* (epochs,) */
} fbp_fit;

/* Trains until `until_epoch` epochs are complete or about `seconds` have passed, at least one step. Returns 0 at once
 * after a step whose loss was not finite, else 1. */
int fbp_advance(fbp_plan *plan, fbp_fit *fit, size_t until_epoch, double seconds);

/* For tests: the n-th allocation from now on fails, once; 0 lets all succeed. */
void fbp_fail_allocation(size_t n);

#endif
