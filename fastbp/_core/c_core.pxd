"""Declarations of the C core; src_c/fastbp.h documents them."""

from libc.stdint cimport int32_t, int64_t, uint64_t


cdef extern from "fastbp.h" nogil:
    ctypedef int fbp_activation_id
    ctypedef int fbp_loss_id
    ctypedef int fbp_optimizer_id
    ctypedef int fbp_schedule_id
    enum: FBP_ACTIVATIONS, FBP_CUSTOM, FBP_LOSSES, FBP_OPTIMIZERS, FBP_SCHEDULES

    ctypedef struct fbp_activation_row:
        const char *name
        const char *initializer
        const char *formula
        double alpha
    ctypedef struct fbp_loss_row:
        const char *name
        const char *link
        const char *formula
    ctypedef struct fbp_optimizer_row:
        const char *name
        size_t states
    const fbp_activation_row *fbp_activation_rows
    const fbp_loss_row *fbp_loss_rows
    const fbp_optimizer_row *fbp_optimizer_rows
    const char **fbp_schedule_names
    const char *fbp_compiler

    ctypedef enum fbp_dtype:
        FBP_FLOAT32, FBP_FLOAT64
    ctypedef struct fbp_kernels:
        pass
    const char *fbp_isa(size_t i)
    const fbp_kernels *fbp_find_kernels(const char *isa, fbp_dtype dtype)
    void fbp_activate(const fbp_kernels *kernels, fbp_activation_id activation, double alpha, const void *x, void *y,
                      void *slope, size_t rows, size_t columns)

    ctypedef struct fbp_inspection:
        pass
    ctypedef struct fbp_product:
        size_t M, N, K
        const void *a
        int a_transposed
        const void *b
        int b_transposed
        const void *start
        const void *factor
        size_t factor_repeats
        void *out
        int adds
        size_t threads
        void *scratch
    ctypedef struct fbp_outer:
        size_t rows, n_in, n_out
        const void *x
        const void *delta
        void *out
        size_t out_stride, threads
    const fbp_inspection *fbp_find_inspection(const char *isa, fbp_dtype dtype)
    void fbp_second_derivative(const fbp_inspection *inspection, fbp_activation_id activation, double alpha, const void *x,
                               void *out, size_t rows, size_t columns)
    void fbp_loss_curvature(const fbp_inspection *inspection, fbp_loss_id loss, double parameter, const void *h,
                            const void *t, const void *r, void *out, size_t rows, size_t columns)
    size_t fbp_product_bytes(const fbp_inspection *inspection, size_t K, size_t N)
    void fbp_multiply(const fbp_inspection *inspection, const fbp_product *product)
    void fbp_multiply_outer(const fbp_inspection *inspection, const fbp_outer *outer)

    ctypedef struct fbp_workspace:
        void *memory
        size_t threads
    size_t fbp_workspace_bytes(const fbp_kernels *kernels, size_t n, size_t threads)
    int fbp_cholesky(const fbp_kernels *kernels, void *a, size_t n, const fbp_workspace *space)
    void fbp_cholesky_solve(const fbp_kernels *kernels, const void *factor, size_t n, void *x,
                            const fbp_workspace *space)
    double fbp_inverse_trace(const fbp_kernels *kernels, const void *factor, size_t n, const fbp_workspace *space)
    int fbp_orthonormalize(const fbp_kernels *kernels, void *z, size_t rows, size_t n, void *gram,
                           const fbp_workspace *space)

    ctypedef enum fbp_source_type:
        FBP_SOURCE_F16, FBP_SOURCE_F32, FBP_SOURCE_F64
        FBP_SOURCE_I8, FBP_SOURCE_I16, FBP_SOURCE_I32, FBP_SOURCE_I64
        FBP_SOURCE_U8, FBP_SOURCE_U16, FBP_SOURCE_U32, FBP_SOURCE_U64
    ctypedef struct fbp_source:
        const char *data
        ptrdiff_t row_stride, column_stride
        size_t rows, columns
        fbp_source_type type
        int swapped
        const double *mean
        const double *inverse_scale
        const int64_t *starts
        const int32_t *entry_columns
    int fbp_has_valid_entries(const fbp_source *source, size_t entries)
    int64_t fbp_first_nonfinite(const fbp_source *source, fbp_dtype dtype)
    int64_t fbp_first_bad_label(const fbp_source *source, size_t classes)
    uint64_t fbp_fingerprint(const void *bytes, size_t n)

    void fbp_random(uint64_t seed, uint64_t purpose, uint64_t epoch, uint64_t step, uint64_t block, uint64_t *out,
                    size_t n)
    void fbp_permutation(uint64_t seed, uint64_t purpose, uint64_t epoch, uint64_t step, int64_t *index, size_t n)

    enum: FBP_MAX_THREADS
    size_t fbp_scheduled_cpus()
    void fbp_limit_cpus(size_t cpus)
    int fbp_survive_forks()
    size_t fbp_threads()
    void fbp_set_threads(size_t threads)
    ctypedef struct fbp_thread_limit:
        pass
    fbp_thread_limit *fbp_hold_thread_limit()
    void fbp_set_thread_limit(fbp_thread_limit *held, size_t threads)
    void fbp_release_thread_limit(fbp_thread_limit *held)

    ctypedef struct fbp_caches:
        size_t l1, l2, l3
    const fbp_caches *fbp_cache_sizes()
    void fbp_set_caches(const fbp_caches *caches)

    ctypedef struct fbp_layer:
        size_t n_in, n_out
        fbp_activation_id activation
        double alpha, l1, l2, dropout, max_norm
        int no_bias, frozen
        double rate_factor
        int divide_penalty
    ctypedef enum fbp_divisor:
        FBP_DIVIDE_BY_ONE, FBP_DIVIDE_BY_ROWS, FBP_DIVIDE_BY_ELEMENTS
    enum: FBP_MAX_HYPERPARAMETERS, FBP_MAX_SCHEDULE_PARAMETERS, FBP_MAX_LANES
    ctypedef struct fbp_plan:
        pass
    ctypedef void fbp_custom_activation(void *context, const fbp_plan *plan, size_t layer, void *y, void *slope,
                                        size_t rows, size_t n_out, size_t stride) noexcept
    ctypedef struct fbp_custom_call:
        fbp_custom_activation *function
        void *context
    ctypedef struct fbp_network:
        const fbp_kernels *kernels
        size_t n_layers
        const fbp_layer *layers
        fbp_loss_id loss
        double loss_parameter
        fbp_divisor divisor
        fbp_optimizer_id optimizer
        double hyperparameters[FBP_MAX_HYPERPARAMETERS]
        fbp_schedule_id schedule
        double schedule_parameters[FBP_MAX_SCHEDULE_PARAMETERS]
        double clip_value, clip_norm, input_noise
        uint64_t seed, t
        size_t n_parameters
        void *parameters
        void *gradients
        void *state
        double warmup
        void *average
        double average_decay
        uint64_t averaged
        const double *output_factor
        const double *output_offset
        size_t outputs_per_target
        const void *output_parameters
        const fbp_custom_call *custom
    ctypedef enum fbp_task:
        FBP_PREDICT, FBP_EVALUATE, FBP_TRAIN, FBP_STORED, FBP_CUSTOM_LOSS, FBP_NORMAL_EQUATIONS, FBP_TASKS
    ctypedef enum fbp_parts:
        FBP_FORWARD_PART, FBP_BACKWARD_PART, FBP_UPDATE_PART
    ctypedef struct fbp_batch:
        const fbp_source *x
        const fbp_source *y
        const double *weights
        const int64_t *index
        size_t first, rows, n
        void *output
        const void *d_output
        void *d_input
        size_t weight_columns
    ctypedef enum fbp_data:
        FBP_LABELS, FBP_WEIGHTS, FBP_TARGET_WEIGHTS, FBP_RAW, FBP_SPARSE
    fbp_plan *fbp_plan_new(fbp_network *network, fbp_task task, size_t rows, unsigned int data, size_t entries)
    void fbp_plan_free(fbp_plan *plan)
    size_t fbp_plan_bytes(const fbp_plan *plan)
    size_t fbp_block_rows(const fbp_layer *layers, size_t n_layers)
    int fbp_is_fused(const fbp_network *network, fbp_task task, size_t rows)
    double fbp_run(fbp_plan *plan, unsigned int parts, const fbp_batch *batch)
    ctypedef struct fbp_plane:
        fbp_plan **plans
        size_t workers
        const fbp_batch *batch
        const double *origin
        const double *directions
        const double *points
        double *losses
    void fbp_evaluate_plane(fbp_plane *plane, size_t points)
    double fbp_learning_rate(const fbp_network *network)
    ctypedef struct fbp_fit:
        const fbp_source *x
        const fbp_source *y
        const double *weights
        const int64_t *rows
        size_t n, batch_size
        uint64_t seed, first_epoch
        int64_t *order
        size_t epoch, step
        double sum, weight
        double *losses
        size_t weight_columns
        double batch_loss
        size_t block_rows
        int64_t *blocks
        size_t drawn, order_first, order_rows
        int checked
        int64_t bad_row
    enum: FBP_CHECK_X, FBP_CHECK_Y
    size_t fbp_order_size(const fbp_fit *fit)
    size_t fbp_order_blocks(const fbp_fit *fit)
    ctypedef enum fbp_advanced:
        FBP_NOT_FINITE, FBP_ADVANCED, FBP_BAD_ROW
    fbp_advanced fbp_advance(fbp_plan *plan, fbp_fit *fit, size_t until_epoch, double seconds)
    void fbp_resume(fbp_fit *fit, size_t epoch, size_t step, double sum, double weight)


cdef extern from "rows/rows.h" nogil:
    void fbp_gather(const fbp_source *source, const int64_t *index, size_t first, size_t rows,
                    const fbp_kernels *kernels, void *out, size_t stride)


cdef extern from "fastbp_test.h" nogil:
    const char *fbp_vector_math_name(size_t i)
    void fbp_vector_math(const fbp_kernels *kernels, size_t i, const void *x, void *y, size_t n)
    fbp_caches fbp_caches_in(const char *root, size_t cpu)
    void fbp_fail_allocation(size_t n)
