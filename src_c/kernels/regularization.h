/* Regularization: input noise, dropout, penalties of weights, and limits of their norms.
 *
 * Each is a separate operation, which only plans of networks that use it contain. Random numbers depend on the seed,
 * the step and the row's position in its batch, so they do not change with row blocks or threads. */
#ifndef FASTBP_REGULARIZATION_H
#define FASTBP_REGULARIZATION_H

#include <math.h>

#include "kernels/clipping.h"
#include "kernels/lanes.h"
#include "kernels/vmath.h"
#include "plan/plan.h"

#define PURPOSE_NOISE 2
#define PURPOSE_DROPOUT ((uint64_t)1 << 32) /* plus the number of the layer */

enum { BLOCK_WORDS = 4, PIECE_WORDS = 64 };

/* Draws words first .. first + n of the row_words random words of row i in the current block of rows. Each row starts a
 * new Philox block. */
static void draw_words(const fbp_network *network, const fbp_step *step, uint64_t purpose, size_t i, size_t row_words,
                       size_t first, uint64_t *words, size_t n) {
    const size_t row_blocks = (row_words + BLOCK_WORDS - 1) / BLOCK_WORDS;
    fbp_random(network->seed, purpose, 0, step->t, (step->first + i) * row_blocks + first / BLOCK_WORDS, words, n);
}

/* ---- noise: x (m, n_in) += standard deviation * normal random numbers -------------------------------------------- */

static inline void add_some(real *x, vec v, size_t n) { store_n(x, load_n(x, n) + v, n); }

/* Box & Muller (1958): two normal numbers per word, one for the left half of the row and one for the right half. */
static void add_noise(const fbp_dense *layer, fbp_step *step) {
    const fbp_network *network = layer->plan->network;
    const size_t n = layer->n_in, half = (n + 1) / 2;
    for (size_t i = 0; i < step->rows; i++) {
        real *x = (real *)step->slot->inputs + (step->offset + i) * layer->x_stride;
        for (size_t first = 0; first < half; first += PIECE_WORDS) {
            const size_t words = smaller(half - first, PIECE_WORDS);
            uint64_t word[PIECE_WORDS];
            real u[PIECE_WORDS], v[PIECE_WORDS]; /* uniform on [0, 1), of 24 bits, which a float holds */
            draw_words(network, step, PURPOSE_NOISE, i, half, first, word, words);
            for (size_t k = 0; k < words; k++) {
                u[k] = (real)(int32_t)((uint32_t)word[k] >> 8) * REAL(0x1p-24);
                v[k] = (real)(int32_t)(word[k] >> 40) * REAL(0x1p-24);
            }
            for (size_t k = 0, lanes; k < words; k += lanes) {
                lanes = smaller(words - k, LANES);
                const vec radius = (real)network->input_noise * vsqrt(REAL(-2) * vlog1p(-load_n(u + k, lanes)));
                const vec angle = load_n(v + k, lanes) * REAL(6.28318530717958647693);
                add_some(x + first + k, radius * vcos(angle), lanes);
                add_some(x + half + first + k, radius * vsin(angle), smaller(lanes, n - half - first - k));
            }
        }
    }
}

/* ---- dropout: y (m, n_out) and f'(z) become 0, or are scaled so that the mean of y stays ------------------------- */

static void dropout(const fbp_dense *layer, fbp_step *step) {
    enum { UNITS = 4, PIECE = UNITS * PIECE_WORDS, CHANCES = 1 << 16 }; /* 16 random bits per unit */
    const fbp_network *network = layer->plan->network;
    const uint64_t purpose = PURPOSE_DROPOUT + (uint64_t)(layer->options - network->layers);
    const int kept = (int)fmax(1, rint((1 - layer->options->dropout) * CHANCES)); /* out of CHANCES */
    const real scale = (real)((double)CHANCES / kept);
    for (size_t i = 0; i < step->rows; i++) {
        const size_t row = (step->offset + i) * layer->y_stride, row_words = (layer->n_out + UNITS - 1) / UNITS;
        for (size_t first = 0; first < layer->n_out; first += PIECE) {
            const size_t units = smaller(layer->n_out - first, PIECE), words = (units + UNITS - 1) / UNITS;
            real *y = (real *)layer->y + row + first, *slope = (real *)layer->slope + row + first;
            uint64_t word[PIECE_WORDS];
            uint16_t chance[PIECE];
            draw_words(network, step, purpose, i, row_words, first / UNITS, word, words);
            for (size_t k = 0; k < words; k++) {
                for (size_t u = 0; u < UNITS; u++) chance[k * UNITS + u] = (uint16_t)(word[k] >> 16 * u);
            }
            for (size_t j = 0; j < units; j++) {
                const real factor = chance[j] < kept ? scale : 0;
                y[j] *= factor;
                slope[j] *= factor;
            }
        }
    }
}

/* ---- penalties of W (n_in, n_out): l1 |W|_1 + l2/2 |W|^2, and their gradient l1 sign(W) + l2 W ------------------- */

/* What l1 and l2 are divided by in this batch. */
static inline double penalty_divisor(const fbp_dense *layer) {
    return layer->options->divide_penalty ? layer->plan->weight : 1;
}

static void penalty(const fbp_dense *layer, fbp_step *step) {
    const double divisor = penalty_divisor(layer);
    const double l1 = layer->options->l1 / divisor, l2 = layer->options->l2 / divisor;
    const size_t n = layer->n_in * layer->n_out;
    wide_sum magnitudes = {0}, squares = {0};
    for (size_t j = 0; j < n; j += LANES) {
        const vec w = load_n((const real *)layer->W + j, smaller(n - j, LANES));
        add_to(&magnitudes, vabs(w));
        add_square_to(&squares, w);
    }
    step->penalty += l1 * total(&magnitudes) + l2 / 2 * total(&squares);
}

/* Adds the gradient to g (rows, columns), rows ld apart, which belongs to the part of W that begins at (i, j). */
static void add_penalty_gradient(const fbp_dense *layer, size_t i, size_t j, real *g, size_t ld, size_t rows,
                                 size_t columns) {
    const double divisor = penalty_divisor(layer);
    const vec l1 = splat((real)(layer->options->l1 / divisor)), l2 = splat((real)(layer->options->l2 / divisor));
    const real *W = (const real *)layer->W + i * layer->n_out + j;
    for (size_t r = 0; r < rows; r++, g += ld, W += layer->n_out) {
        for (size_t k = 0, n; k < columns; k += n) {
            n = smaller(columns - k, LANES);
            const vec w = load_n(W + k, n);
            store_n(g + k, fmadd(l2, w, fmadd(l1, sign(w), load_n(g + k, n))), n);
        }
    }
}

static void penalty_gradient(const fbp_dense *layer, fbp_step *step) {
    (void)step;
    real *g = (real *)layer->plan->gradients + layer->offset;
    add_penalty_gradient(layer, 0, 0, g, 0, 1, layer->n_in * layer->n_out);
}

/* ---- max_norm: limits the norms of the columns of W, the weights into a unit, after the update ------------------- */

static void max_norm(const fbp_dense *layer, fbp_step *step) {
    enum { COLUMNS = 64 };
    const double least = 0x1p-480; /* the squares of smaller norms lose digits */
    const size_t n = layer->n_out;
    const double largest = layer->options->max_norm;
    (void)step;
    for (size_t first = 0; first < n; first += COLUMNS) {
        const size_t columns = smaller(n - first, COLUMNS);
        double squares[COLUMNS] = {0};
        real factors[COLUMNS], *W = (real *)layer->W + first;
        for (size_t i = 0; i < layer->n_in; i++) {
            for (size_t j = 0; j < columns; j++) squares[j] += (double)W[i * n + j] * (double)W[i * n + j];
        }
        for (size_t j = 0; j < columns; j++) {
            const double norm = sqrt(squares[j]);
            const double share = isfinite(norm) && norm > least
                                     ? largest / norm
                                     : limit_over_norm(largest, W + j, layer->n_in, n, INFINITY);
            factors[j] = share < 1 ? (real)share : 1;
        }
        for (size_t i = 0; i < layer->n_in; i++) {
            for (size_t j = 0; j < columns; j++) W[i * n + j] *= factors[j];
        }
    }
}

#endif
