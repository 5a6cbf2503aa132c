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

    /* Sparse rows (CSR), of which only the entries are stored: the other elements are 0. `data` is the first entry, and
     * column_stride the distance of two entries. NULL if all elements are stored. */
    const int64_t *starts;        /* (rows + 1,): row i has the entries starts[i] .. starts[i + 1] - 1 */
    const int32_t *entry_columns; /* of each entry */
} fbp_source;

/* Whether sparse rows name only some of `entries` entries, in ascending order, and only columns that there are. */
int fbp_has_valid_entries(const fbp_source *source, size_t entries);

/* Flat index of the first element that is not finite after conversion to dtype, or -1. */
int64_t fbp_first_nonfinite(const fbp_source *source, fbp_dtype dtype);
/* The same in `rows` rows: those from `first` on, or with an index those that its elements from `first` on name. */
int64_t fbp_first_nonfinite_in(const fbp_source *source, const int64_t *index, size_t first, size_t rows,
                               fbp_dtype dtype);
/* Index of the first integer of a column that is not a class label, 0 to classes - 1, or -1. */
int64_t fbp_first_bad_label(const fbp_source *source, size_t classes);
/* Hash of n bytes: practically any change of them changes it. */
uint64_t fbp_fingerprint(const void *bytes, size_t n);

/* ---- random numbers: Philox4x64-10 ------------------------------------------------------------------------------ */

/* The raw stream of numpy.random.Philox(key=[seed, purpose], counter=[block, 0, step, epoch]), four words per block. */
void fbp_random(uint64_t seed, uint64_t purpose, uint64_t epoch, uint64_t step, uint64_t block, uint64_t *out,
                size_t n);
/* A permutation of 0 .. n-1; it depends only on the other numbers. */
void fbp_permutation(uint64_t seed, uint64_t purpose, uint64_t epoch, uint64_t step, int64_t *index, size_t n);

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

/* The number of the process for other code in it, such as threadpoolctl, which finds these two names in the shared
 * object; all others are hidden. Any thread may call them at any time, with any n: it is brought into 1 to
 * FBP_MAX_THREADS. */
#define FBP_EXPORTED __attribute__((visibility("default")))
FBP_EXPORTED int fbp_get_num_threads(void);
FBP_EXPORTED void fbp_set_num_threads(int n);

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

#include "fastbp_inspection.h"
#include "fastbp_network.h"

#endif
