/* Dense linear algebra on multiply(): Cholesky factors, what is solved with them, and orthonormal columns. Matrices
 * stand in C order, (n, n) with n elements from row to row. Whatever the number of threads, the bits are the same.
 *
 * Each function works off columns from left to right: a few of them by itself, then one product takes what these
 * contribute from all that are right of them. */

enum {
    DIAGONAL_BLOCK = 64, /* columns that are worked off one by one; their triangle stays in L1 */
    MOST_COLUMNS = 256,  /* that one product subtracts: the strip of them stays in L2 */
    GRAM_ROWS = 1024     /* that a product adds up */
};

/* Where the products of one call work: what multiply() wants to know of a step and of a layer. */
typedef struct {
    fbp_plan plan;
    fbp_step step;
    real *scratch;
} workplace;

static size_t product_bytes(size_t n) { return scratch_bytes(GRAM_ROWS, n); }

/* A panel for inverse_trace(), then scratch for each thread. */
static size_t workspace_bytes(size_t n, size_t threads) {
    return PANEL_ROWS * n * sizeof(real) + threads * product_bytes(n);
}

static workplace workplace_in(const fbp_workspace *space, size_t n) {
    return (workplace){.plan.scratch_bytes = product_bytes(n),
                       .step.threads = space->threads,
                       .scratch = (real *)space->memory + PANEL_ROWS * n};
}

/* The columns to begin with of n that are left. */
static size_t first_columns(size_t n) { return smaller(round_up(n / 2, DIAGONAL_BLOCK), MOST_COLUMNS); }

static void finish_subtract(const product *p, tile *c, size_t i, size_t j) {
    const size_t ld = p->layer->n_out;
    real *to = (real *)p->layer->dW + i * ld + j;
    for (size_t r = 0; r < c->rows; r++, to += ld) {
        for (size_t e = 0; e < c->columns; e++) to[e] -= c->data[r * c->ld + e];
    }
}

/* c (M, N) -= a (M, K) b^T, b (N, K), in matrices whose rows are ld and b_ld apart */
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

/* u (n, n) = transpose of the lower triangle of l, whose rows are ld apart: a column of l is a row of u */
static void transpose_triangle(const real *l, size_t n, size_t ld, real *u) {
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j <= i; j++) u[j * n + i] = l[i * ld + j];
    }
}

/* x (m, n) := x L^-T, rows ld apart, where L is the lower triangle of l: each row by forward substitution */
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

/* The same for any n. */
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

/* a = L L^T: its lower triangle becomes L; returns 0 where there is no such L, as with NaN or infinity */
static int factorise_block(real *a, size_t n, size_t ld) {
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

/* The same for any n; what is right of the diagonal is overwritten. */
static int factorise(const workplace *w, real *a, size_t n, size_t ld) {
    while (n > DIAGONAL_BLOCK) {
        const size_t done = first_columns(n);
        real *const below = a + done * ld;
        if (!factorise(w, a, done, ld)) return 0;
        n -= done;
        solve_rows(w, below, n, ld, a, done, ld);
        for (size_t i = 0; i < n; i += PANEL_ROWS) {
            const size_t rows = smaller(n - i, PANEL_ROWS);
            real *const panel = below + i * ld;
            subtract_product(w, panel + done, rows, i + rows, panel, ld, below, ld, done);
        }
        a += done * (ld + 1);
    }
    return factorise_block(a, n, ld);
}

static int cholesky(void *a, size_t n, const fbp_workspace *space) {
    const workplace w = workplace_in(space, n);
    return factorise(&w, a, n, n);
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

/* trace((L L^T)^-1), the sum of the squares of L^-T, whose rows have zeros left of the diagonal */
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

/* a += factor trace(a) I */
static void add_shift(real *a, size_t n, real factor) {
    real trace = 0;
    for (size_t i = 0; i < n; i++) trace += a[i * (n + 1)];
    for (size_t i = 0; i < n; i++) a[i * (n + 1)] += factor * trace;
}

/* z (rows, n) := Q, where z = Q R, Q has orthonormal columns and R is upper triangular with a positive diagonal: R^T is
 * the Cholesky factor of z^T z. Where z^T z is close to singular, a shift lets the first factorisation succeed, and two
 * more passes then leave nothing but rounding. Returns 0 where z^T z is not positive definite: rounding decides that
 * where the columns of z are linearly dependent.
 *
 * Fukaya et al., Shifted Cholesky QR for computing the QR factorization of ill-conditioned matrices (2020) */
static int orthonormalise(void *z, size_t rows, size_t n, void *gram, const fbp_workspace *space) {
    workplace w = workplace_in(space, n);
    const fbp_dense sums = {.n_out = n, .dW = gram, .plan = &w.plan, .scratch = w.scratch};
    for (int pass = 0; pass < 3; pass++) {
        for (size_t first = 0; first < rows; first += GRAM_ROWS) {
            w.step.rows = smaller(rows - first, GRAM_ROWS);
            w.step.adds = first > 0;
            add_products(&sums, &w.step, (const real *)z + first * n);
        }
        if (pass == 0) add_shift(gram, n, (real)(rows + n + 1) * REAL_EPSILON);
        if (!factorise(&w, gram, n, n)) return 0;
        solve_rows(&w, z, rows, n, gram, n, n);
    }
    return 1;
}
