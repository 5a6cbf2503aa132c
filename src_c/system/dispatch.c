/* Which kernels this processor runs: the only file that asks it. */

#include <string.h>

#include "kernels.h"

#define DECLARE(isa) extern const fbp_kernels fbp_kernels_##isa##_32, fbp_kernels_##isa##_64;
#define TABLE(isa) {&fbp_kernels_##isa##_32, &fbp_kernels_##isa##_64}

DECLARE(baseline)
#ifdef FASTBP_HAVE_AVX2
DECLARE(avx2)
#endif
#ifdef FASTBP_HAVE_AVX512
DECLARE(avx512)
#endif

/* what setup.py could compile, best first */
static const fbp_kernels *const built[][FBP_DTYPES] = {
#ifdef FASTBP_HAVE_AVX512
    TABLE(avx512),
#endif
#ifdef FASTBP_HAVE_AVX2
    TABLE(avx2),
#endif
    TABLE(baseline),
};

/* The compiler's run-time test also asks whether the system saves the wide registers. */
static int processor_runs(const char *isa) {
#ifdef FASTBP_HAVE_AVX512
    if (!strcmp(isa, "avx512")) {
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("fma");
    }
#endif
#ifdef FASTBP_HAVE_AVX2
    if (!strcmp(isa, "avx2")) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    return !strcmp(isa, "baseline");
}

static const fbp_kernels *const *nth_runnable(size_t n) {
    for (size_t i = 0; i < sizeof built / sizeof *built; i++) {
        if (processor_runs(built[i][0]->isa) && n-- == 0) return built[i];
    }
    return NULL;
}

const char *fbp_isa(size_t i) {
    const fbp_kernels *const *kernels = nth_runnable(i);
    return kernels ? kernels[0]->isa : NULL;
}

const fbp_kernels *fbp_find_kernels(const char *isa, fbp_dtype dtype) {
    const fbp_kernels *const *kernels;
    for (size_t i = 0; (kernels = nth_runnable(i)) != NULL; i++) {
        if (!strcmp(kernels[0]->isa, isa)) return kernels[dtype];
    }
    return NULL;
}

void fbp_activate(const fbp_kernels *kernels, fbp_activation_id activation, double alpha, const void *x, void *y,
                  void *slope, size_t rows, size_t columns) {
    if (activation == FBP_ACTIVATION_softmax) {
        kernels->softmax_rows(x, y, rows, columns);
    } else {
        kernels->activations[activation].apply(
            &(fbp_map){.rows = 1, .columns = rows * columns, .in = x, .out = y, .slope = slope, .alpha = alpha});
    }
}

void fbp_vector_math(const fbp_kernels *kernels, size_t i, const void *x, void *y, size_t n) {
    kernels->vector_math[i](x, y, n);
}

size_t fbp_workspace_bytes(const fbp_kernels *kernels, size_t n, size_t threads) {
    return kernels->workspace_bytes(n, threads);
}

int fbp_cholesky(const fbp_kernels *kernels, void *a, size_t n, const fbp_workspace *space) {
    return kernels->cholesky(a, n, space);
}

void fbp_cholesky_solve(const fbp_kernels *kernels, const void *factor, size_t n, void *x, const fbp_workspace *space) {
    kernels->cholesky_solve(factor, n, x, space);
}

double fbp_inverse_trace(const fbp_kernels *kernels, const void *factor, size_t n, const fbp_workspace *space) {
    return kernels->inverse_trace(factor, n, space);
}

int fbp_orthonormalise(const fbp_kernels *kernels, void *z, size_t rows, size_t n, void *gram,
                       const fbp_workspace *space) {
    return kernels->orthonormalise(z, rows, n, gram, space);
}
