/* The choice of kernels: the only file that asks the processor what it runs. */

#include <string.h>

#include "kernels/kernels.h"

#define DECLARE(isa) extern const fbp_kernels fbp_kernels_##isa##_32, fbp_kernels_##isa##_64;
#define TABLE(isa) {&fbp_kernels_##isa##_32, &fbp_kernels_##isa##_64}

DECLARE(baseline)
#ifdef FASTBP_HAVE_AVX2
DECLARE(avx2)
#endif
#ifdef FASTBP_HAVE_AVX512
DECLARE(avx512)
#endif

/* Sets that setup.py has compiled, best first. */
static const fbp_kernels *const built[][FBP_DTYPES] = {
#ifdef FASTBP_HAVE_AVX512
    TABLE(avx512),
#endif
#ifdef FASTBP_HAVE_AVX2
    TABLE(avx2),
#endif
    TABLE(baseline),
};

/* The compiler's run-time test also checks that the operating system saves the wide registers. */
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
