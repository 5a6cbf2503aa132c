/* The choice of kernels: the only file that asks the processor what it runs. */

#include <string.h>

#include "kernels/kernels.h"

#define DECLARE(isa)                                                         \
    extern const fbp_kernels fbp_kernels_##isa##_32, fbp_kernels_##isa##_64; \
    extern const fbp_inspection fbp_inspection_##isa##_32, fbp_inspection_##isa##_64;
#define TABLE(isa)                                                                                                     \
    {                                                                                                                  \
        {&fbp_kernels_##isa##_32, &fbp_kernels_##isa##_64}, { &fbp_inspection_##isa##_32, &fbp_inspection_##isa##_64 } \
    }

DECLARE(baseline)
#ifdef FASTBP_HAVE_AVX2
DECLARE(avx2)
#endif
#ifdef FASTBP_HAVE_AVX512
DECLARE(avx512)
#endif

typedef struct {
    const fbp_kernels *kernels[FBP_DTYPES];
    const fbp_inspection *inspections[FBP_DTYPES];
} functions;

/* Sets that setup.py has compiled, best first. */
static const functions built[] = {
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

static const functions *nth_runnable(size_t n) {
    for (size_t i = 0; i < sizeof built / sizeof *built; i++) {
        if (processor_runs(built[i].kernels[0]->isa) && n-- == 0) return &built[i];
    }
    return NULL;
}

static const functions *runnable(const char *isa) {
    const functions *set;
    for (size_t i = 0; (set = nth_runnable(i)) != NULL; i++) {
        if (!strcmp(set->kernels[0]->isa, isa)) return set;
    }
    return NULL;
}

const char *fbp_isa(size_t i) {
    const functions *set = nth_runnable(i);
    return set ? set->kernels[0]->isa : NULL;
}

const fbp_kernels *fbp_find_kernels(const char *isa, fbp_dtype dtype) {
    const functions *set = runnable(isa);
    return set ? set->kernels[dtype] : NULL;
}

const fbp_inspection *fbp_find_inspection(const char *isa, fbp_dtype dtype) {
    const functions *set = runnable(isa);
    return set ? set->inspections[dtype] : NULL;
}
