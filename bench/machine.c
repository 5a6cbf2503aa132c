/* Two limits of this processor: the rate of arithmetic in registers, and the rate of loads from a cache. machine.py
 * compiles this file for each instruction set and element type, with the vector type of the package. */

#include "kernels/simd.h"

#define EXPORT __attribute__((visibility("default")))

/* Number of independent chains of multiply-adds: enough to hide their latency, few enough to fit in the registers
 * beside two operands. */
#if VECTOR_BYTES == 64 /* 32 registers */
enum { CHAINS = 28 };
#else /* 16 registers */
enum { CHAINS = 14 };
#endif

EXPORT const size_t flops_per_round = 2 * CHAINS * VECTOR_BYTES / sizeof(real);

/* Compute x <- x / 2 + 1 in every lane of every chain; without FMA, a multiplication and an addition. The result
 * depends on all chains, so that the compiler removes none. */
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

/* Load n elements, a multiple of 8 vectors, `rounds` times. */
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
