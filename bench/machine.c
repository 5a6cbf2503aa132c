/* What this processor can do: arithmetic from registers, and loads from a cache. Compiled once for each instruction
 * set and element type, with the package's own vector. */

#include "kernels/simd.h"

#define EXPORT __attribute__((visibility("default")))

/* Chains of multiply-adds: enough to hide their latency, few enough to stay in registers beside two operands. */
#if VECTOR_BYTES == 64 /* 32 registers */
enum { CHAINS = 28 };
#else /* 16 registers */
enum { CHAINS = 14 };
#endif

EXPORT const size_t flops_per_round = 2 * CHAINS * VECTOR_BYTES / sizeof(real);

/* x <- x / 2 + 1 in every lane of every chain; without FMA, a multiplication and an addition. Returns something that
 * depends on all of it. */
EXPORT double multiply_add(size_t rounds) {
    const vec half = splat(REAL(0.5)), one = splat(REAL(1));
    vec x[CHAINS];
#pragma GCC unroll 32
    for (int i = 0; i < CHAINS; i++) x[i] = splat(REAL(i));
    for (size_t n = 0; n < rounds; n++) {
#pragma GCC unroll 32
        for (int i = 0; i < CHAINS; i++) x[i] = fmadd(x[i], half, one);
    }
    vec sum = splat(0);
#pragma GCC unroll 32
    for (int i = 0; i < CHAINS; i++) sum += x[i];
    return (double)sum[0];
}

/* Loads all of n elements, a multiple of 8 vectors. */
EXPORT double read_all(const real *p, size_t n, size_t rounds) {
    vec sum[8] = {{0}};
    for (; rounds > 0; rounds--) {
        for (size_t i = 0; i < n; i += 8 * (size_t)LANES) {
#pragma GCC unroll 8
            for (int v = 0; v < 8; v++) sum[v] += load(p + i + (size_t)(v * LANES));
        }
    }
    vec total = sum[0];
#pragma GCC unroll 8
    for (int v = 1; v < 8; v++) total += sum[v];
    return (double)total[0];
}
