/* Dense linear algebra on multiply(): Cholesky factors, solutions with them, and orthonormal columns.
 *
 * Matrices are in C order, (n, n) with n elements from row to row. The bits do not depend on the number of threads.
 * Each function works through the columns from left to right: it computes a few of them itself, then subtracts their
 * contribution from all columns to the right with one product. */
#ifndef FASTBP_LINEAR_ALGEBRA_H
#define FASTBP_LINEAR_ALGEBRA_H

#include <math.h>
#include <string.h>

#include "kernels/dense.h"
#include "kernels/lanes.h"

enum {
    DIAGONAL_BLOCK = 64, /* columns computed one by one; their triangle stays in L1 */
    MOST_COLUMNS = 256,  /* columns that one product subtracts; a strip of them stays in L2 */
    PANEL_ROWS = 256,    /* rows of a triangle that one product computes */
    GRAM_ROWS = 1024     /* rows that one product sums over */
};

/* The parts of a plan and a step that multiply() reads, for the products of one call. */
typedef struct {
    fbp_plan plan;
    fbp_step step;
    real *scratch;
} workplace;

static size_t product_bytes(size_t n) { return scratch_bytes(GRAM_ROWS, n); }

/* A panel for inverse_trace(), then scratch per thread. */
static size_t workspace_bytes(size_t n, size_t threads) {
    return PANEL_ROWS * n * sizeof(real) + threads * product_bytes(n);
}

static workplace workplace_in(const fbp_workspace *space, size_t n) {
    return (workplace){.plan.scratch_bytes = product_bytes(n),
                       .step.threads = space->threads,
                       .scratch = (real *)space->memory + PANEL_ROWS * n};
}

/* How many of n remaining columns to take first. */
static size_t first_columns(size_t n) { return smaller(round_up(n / 2, DIAGONAL_BLOCK), MOST_COLUMNS); }

static void finish_subtract(const product *p, tile *c, size_t i, size_t j) {
    const size_t ld = p->layer->n_out;
    real *to = (real *)p->layer->dW + i * ld + j;
    for (size_t r = 0; r < c->rows; r++, to += ld) {
        for (size_t e = 0; e < c->columns; e++) to[e] -= c->data[r * c->ld + e];
    }
}

/* c (M, N) -= a (M, K) b^T, b (N, K); rows of c and a are ld apart, those of b are b_ld apart */
static void subtract_product(const workplace *w, real *c, size_t M, size_t N, const real *a, size_t ld, const real *b,
                             size_t b_ld, size_t K) {
    const fbp_dense target = {.n_out = ld, .dW = c, .plan = (fbp_plan *)&w->plan};
    multiply(&(product){.M = M,
                        .N = N,
                        .K = K,
                        .a = a,
                        .lda = ld,
                        .b = b,
                        .ldb = b_ld,
                        .b_transposed = 1,
                        .scratch = w->scratch,
                        .finish = finish_subtract,
                        .layer = &target,
                        .step = &w->step});
}

/* u (n, n) := transpose of the lower triangle of l, rows ld apart: columns of l become rows */
static void transpose_triangle(const real *l, size_t n, size_t ld, real *u) {
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j <= i; j++) u[j * n + i] = l[i * ld + j];
    }
}

/* x (m, n) := x L^-T, rows ld apart, with L the lower triangle of l: forward substitution for each row */
static void solve_block(real *x, size_t m, size_t ld, const real *l, size_t n, size_t l_ld) {
    real u[DIAGONAL_BLOCK * DIAGONAL_BLOCK];
    transpose_triangle(l, n, l_ld, u);
    for (size_t r = 0; r < m; r++, x += ld) {
        for (size_t k = 0; k < n; k++) {
            const real x_k = x[k] /= u[k * n + k];
            for (size_t j = k + 1; j < n; j++) x[j] -= x_k * u[k * n + j];
        }
    }
}

/* The same, for any n. */
static void solve_rows(const workplace *w, real *x, size_t m, size_t ld, const real *l, size_t n, size_t l_ld) {
    while (n > DIAGONAL_BLOCK) {
        const size_t done = first_columns(n);
        solve_rows(w, x, m, ld, l, done, l_ld);
        n -= done;
        subtract_product(w, x + done, m, n, x, ld, l + done * l_ld, l_ld, done);
        x += done;
        l += done * (l_ld + 1);
    }
    solve_block(x, m, ld, l, n, l_ld);
}

/* Turns the lower triangle of a = L L^T into L. Returns 0 if there is no such L, also for NaN and infinity. */
static int factorize_block(real *a, size_t n, size_t ld) {
    real u[DIAGONAL_BLOCK * DIAGONAL_BLOCK];
    transpose_triangle(a, n, ld, u);
    for (size_t k = 0; k < n; k++) {
        real *const row = u + k * n;
        if (!(row[k] > 0 && isfinite(row[k]))) return 0;
        row[k] = (real)sqrt(row[k]);
        for (size_t j = k + 1; j < n; j++) row[j] /= row[k];
        for (size_t i = k + 1; i < n; i++) {
            for (size_t j = i; j < n; j++) u[i * n + j] -= row[i] * row[j];
        }
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j <= i; j++) a[i * ld + j] = u[j * n + i];
    }
    return 1;
}

/* The same, for any n; overwrites the elements right of the diagonal. */
static int factorize(const workplace *w, real *a, size_t n, size_t ld) {
    while (n > DIAGONAL_BLOCK) {
        const size_t done = first_columns(n);
        real *const below = a + done * ld;
        if (!factorize(w, a, done, ld)) return 0;
        n -= done;
        solve_rows(w, below, n, ld, a, done, ld);
        for (size_t i = 0; i < n; i += PANEL_ROWS) {
            const size_t rows = smaller(n - i, PANEL_ROWS);
            real *const panel = below + i * ld;
            subtract_product(w, panel + done, rows, i + rows, panel, ld, below, ld, done);
        }
        a += done * (ld + 1);
    }
    return factorize_block(a, n, ld);
}

static int cholesky(void *a, size_t n, const fbp_workspace *space) {
    const workplace w = workplace_in(space, n);
    return factorize(&w, a, n, n);
}

/* x := L^-T L^-1 x */
static void cholesky_solve(const void *factor, size_t n, void *vector, const fbp_workspace *space) {
    const workplace w = workplace_in(space, n);
    const real *const L = factor;
    real *const x = vector;
    solve_rows(&w, x, 1, n, L, n, n);
    for (size_t i = n; i-- > 0;) {
        x[i] /= L[i * n + i];
        for (size_t j = 0; j < i; j++) x[j] -= x[i] * L[i * n + j];
    }
}

/* trace((L L^T)^-1) = sum of the squares of L^-T, whose rows are 0 left of the diagonal */
static double inverse_trace(const void *factor, size_t n, const fbp_workspace *space) {
    const workplace w = workplace_in(space, n);
    real *const panel = space->memory;
    wide_sum squares = {0};
    for (size_t i = 0; i < n; i += PANEL_ROWS) {
        const size_t columns = n - i, rows = smaller(columns, PANEL_ROWS);
        memset(panel, 0, rows * columns * sizeof(real));
        for (size_t r = 0; r < rows; r++) panel[r * columns + r] = 1;
        solve_rows(&w, panel, rows, columns, (const real *)factor + i * (n + 1), columns, n);
        for (size_t j = 0; j < rows * columns; j += LANES)
            add_square_to(&squares, load_n(panel + j, smaller(rows * columns - j, LANES)));
    }
    return total(&squares);
}

/* sums (n, n) := J^T J for J (m, n), or += J^T J if the step adds. Computes the lower triangle, in panels of rows. */
static void add_gram(const fbp_dense *sums, const fbp_step *step, const real *J) {
    const size_t n = sums->n_out;
    for (size_t i = 0; i < n; i += PANEL_ROWS) {
        const size_t end = smaller(i + PANEL_ROWS, n);
        multiply(&(product){.M = end - i,
                            .N = end,
                            .K = step->rows,
                            .a = J + i,
                            .lda = n,
                            .a_transposed = 1,
                            .b = J,
                            .ldb = n,
                            .scratch = sums->scratch,
                            .finish = finish_store,
                            .layer = sums,
                            .step = step,
                            .first_row = i});
    }
}

/* a += factor trace(a) I */
static void add_shift(real *a, size_t n, real factor) {
    real trace = 0;
    for (size_t i = 0; i < n; i++) trace += a[i * (n + 1)];
    for (size_t i = 0; i < n; i++) a[i * (n + 1)] += factor * trace;
}

/* z (rows, n) := Q, where z = Q R, Q has orthonormal columns and R is upper triangular with a positive diagonal: R^T is
 * the Cholesky factor of z^T z. If z^T z is close to singular, a shift lets the first factorization succeed, and two
 * more passes reduce the error to rounding. Returns 0 if z^T z is not positive definite: if the columns of z are
 * linearly dependent, rounding decides that.
 *
 * Fukaya et al., Shifted Cholesky QR for computing the QR factorization of ill-conditioned matrices (2020) */
static int orthonormalize(void *z, size_t rows, size_t n, void *gram, const fbp_workspace *space) {
    workplace w = workplace_in(space, n);
    const fbp_dense sums = {.n_out = n, .dW = gram, .plan = &w.plan, .scratch = w.scratch};
    for (int pass = 0; pass < 3; pass++) {
        for (size_t first = 0; first < rows; first += GRAM_ROWS) {
            w.step.rows = smaller(rows - first, GRAM_ROWS);
            w.step.adds = first > 0;
            add_gram(&sums, &w.step, (const real *)z + first * n);
        }
        if (pass == 0) add_shift(gram, n, (real)(rows + n + 1) * REAL_EPSILON);
        if (!factorize(&w, gram, n, n)) return 0;
        solve_rows(&w, z, rows, n, gram, n, n);
    }
    return 1;
}

#endif
