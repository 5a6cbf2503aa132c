/* Gradient descent on a 3-2-1 sigmoid network with half_sse, 64 rows per step, in double precision: a program written
 * by hand for these sizes alone. The lanes of each vector hold different rows, from the data to the gradients. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { ROWS = 64, LANES = 8, VECTORS = ROWS / LANES };

typedef double vec __attribute__((vector_size(8 * LANES)));
typedef int64_t ivec __attribute__((vector_size(8 * LANES)));

/* exp(x) for |x| < 700: 2^n exp(r) with |r| <= ln(2) / 2. exp(r) is its Taylor series up to r^12, summed separately
 * over even and odd powers. The low bits of n + 1.5 2^52 hold n. */
static inline vec exponential(vec x) {
    const double rounder = 0x1.8p52;
    vec shifted = x * 0x1.71547652b82fep+0 + rounder, n = shifted - rounder;
    vec r = x - n * 0x1.62e42fefa38p-1 - n * 0x1.ef35793c7673p-45, s = r * r, q = s * s;
    vec even =
        (1 + s * 0.5) + q * ((1. / 24 + s * (1. / 720)) + q * (1. / 40320 + s * (1. / 3628800) + q * (1. / 479001600)));
    vec odd = (1 + s * (1. / 6)) + q * ((1. / 120 + s * (1. / 5040)) + q * (1. / 362880 + s * (1. / 39916800)));
    return (even + r * odd) * (vec)(((ivec)shifted + 1023) << 52);
}

/* Lane i of the result is the sum of all lanes of v[i]: additions alternate with the steps of a transpose. */
static inline vec sums(const vec v[8]) {
    vec pairs[4], fours[2];
    for (int i = 0; i < 4; i++)
        pairs[i] = __builtin_shufflevector(v[2 * i], v[2 * i + 1], 0, 8, 2, 10, 4, 12, 6, 14) +
                   __builtin_shufflevector(v[2 * i], v[2 * i + 1], 1, 9, 3, 11, 5, 13, 7, 15);
    for (int i = 0; i < 2; i++)
        fours[i] = __builtin_shufflevector(pairs[2 * i], pairs[2 * i + 1], 0, 1, 8, 9, 4, 5, 12, 13) +
                   __builtin_shufflevector(pairs[2 * i], pairs[2 * i + 1], 2, 3, 10, 11, 6, 7, 14, 15);
    return __builtin_shufflevector(fours[0], fours[1], 0, 1, 2, 3, 8, 9, 10, 11) +
           __builtin_shufflevector(fours[0], fours[1], 4, 5, 6, 7, 12, 13, 14, 15);
}

/* Train on x (3, ROWS), feature by feature, and t (ROWS), and return the last loss. `parameters` holds W1 (3, 2), b1
 * (2), W2 (2) and b2. */
double train(const double *x, const double *t, double *parameters, double rate, size_t steps) {
    vec X[3][VECTORS], T[VECTORS], a[VECTORS], b[VECTORS], h[VECTORS], loss = {0};
    union {
        double at[16];
        vec vectors[2];
    } p = {{0}};
    memcpy(X, x, sizeof X);
    memcpy(T, t, sizeof T);
    memcpy(&p, parameters, 11 * sizeof(double));
    for (; steps > 0; steps--) {
        vec d[16] = {{0}};
        for (int i = 0; i < VECTORS; i++) {
            vec A = 1 + exponential(-(X[0][i] * p.at[0] + X[1][i] * p.at[2] + X[2][i] * p.at[4] + p.at[6]));
            vec B = 1 + exponential(-(X[0][i] * p.at[1] + X[1][i] * p.at[3] + X[2][i] * p.at[5] + p.at[7]));
            vec quotient = 1 / (A * B); /* one division serves both */
            a[i] = B * quotient;
            b[i] = A * quotient;
        }
        for (int i = 0; i < VECTORS; i++) {
            h[i] = 1 / (1 + exponential(-(a[i] * p.at[8] + b[i] * p.at[9] + p.at[10])));
        }
        for (int i = 0; i < VECTORS; i++) {
            vec error = h[i] - T[i], delta = error * h[i] * (1 - h[i]);
            vec delta_a = delta * p.at[8] * a[i] * (1 - a[i]), delta_b = delta * p.at[9] * b[i] * (1 - b[i]);
            for (int j = 0; j < 3; j++) {
                d[2 * j] += X[j][i] * delta_a;
                d[2 * j + 1] += X[j][i] * delta_b;
            }
            d[6] += delta_a;
            d[7] += delta_b;
            d[8] += a[i] * delta;
            d[9] += b[i] * delta;
            d[10] += delta;
            d[11] += error * error;
        }
        loss = sums(d + 8);
        p.vectors[0] -= rate * sums(d);
        p.vectors[1] -= rate * loss;
    }
    memcpy(parameters, &p, 11 * sizeof(double));
    return 0.5 * loss[3];
}
