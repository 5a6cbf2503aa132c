/* The one matrix product of the core: C (M, N) = start + A (M, K) B (K, N), computed tile by tile (tile.h).
 *
 * The bits of an element do not depend on the tiling or on the thread that computes it. A finished tile goes to a small
 * buffer, and `finish` takes it from there while it is in L1: bias and activation, f', a store or the optimizer.
 * Operands are copied (pack.h) where reading them in place is slow. */
#ifndef FASTBP_GEMM_H
#define FASTBP_GEMM_H

#include "kernels/pack.h"
#include "kernels/tile.h"
#include "plan/plan.h"
#include "system/system.h"

/* A finished part of C, with rows ld apart. */
typedef struct {
    real *data;
    size_t ld, rows, columns;
} tile;

struct product;

/* Takes a tile, which begins at element (i, j) of C. */
typedef void finish_tile(const struct product *p, tile *c, size_t i, size_t j);

typedef struct product {
    size_t M, N, K;
    const real *a; /* (M, K), or (K, M) if a_transposed */
    size_t lda;
    int a_transposed;
    const real *b; /* (K, N), or (N, K) if b_transposed */
    size_t ldb;
    int b_transposed;
    real *scratch;         /* for copies: scratch_bytes(K, N) per thread */
    const real *start;     /* (N,) start values of the sums, the same in each row, or NULL */
    const real *row_start; /* (M,) start values of the sums, the same in each column, or NULL */
    finish_tile *finish;
    /* Address of the q-th run of lines to prefetch into L2, and the distance from line to line; or NULL. */
    const char *(*ahead)(const struct product *p, size_t q, size_t *step);
    const fbp_dense *layer; /* for finish: the layer, */
    const fbp_step *step;   /* the rows of the batch, */
    size_t first_row;       /* and the row of dW where C begins; the last row of dW is the gradient of b */
} product;

static size_t round_up(size_t x, size_t to) { return (x + to - 1) / to * to; }

/* Limits for reading an operand in place. A larger operand that is read repeatedly takes too many lines and pages for
 * the caches, and a contiguous copy of the part in use pays. */
enum { IN_PLACE_BYTES = 2 << 20, IN_PLACE_ROWS = 32, STRIP_IN_PLACE_BYTES = 256 << 10, GROUP_BYTES = 1 << 20 };

static int copies_b(const product *p) {
    return p->b_transposed || (p->M >= IN_PLACE_ROWS && p->K * p->ldb * sizeof(real) > IN_PLACE_BYTES);
}

static int copies_a(const product *p) { return p->a_transposed && p->K * p->lda * sizeof(real) > STRIP_IN_PLACE_BYTES; }

/* Columns of B per group, in tiles of `width` columns: as many as stay in L2 beside A. Copied strips of A take less
 * room, and are made once per group. */
static size_t group_columns(const product *p, size_t width) {
    const size_t bytes = copies_a(p) ? GROUP_BYTES : GROUP_BYTES / 2, all = round_up(p->N, width);
    const size_t widths = bytes / (p->K * width * sizeof(real));
    return smaller(widths ? widths * width : width, all);
}

/* Bytes of scratch for products with K <= depth and N <= columns. */
static size_t scratch_bytes(size_t depth, size_t columns) {
    enum { WIDEST = MAX_VECTORS * VECTOR_BYTES };
    const size_t row = columns * sizeof(real) + WIDEST,
                 group = GROUP_BYTES > depth * WIDEST ? GROUP_BYTES : depth * WIDEST;
    return (row < group / depth ? depth * row : group) + (depth * MAX_ROWS + LANES) * sizeof(real); /* no overflow */
}

/* Where to prefetch the q-th part of the next group of columns: one row of b if it is transposed, else one cache line
 * of each row. NULL: nothing is left. */
static const char *next_group(const product *p, size_t end, size_t columns, size_t q, size_t *step) {
    const size_t left = smaller(p->N - end, columns), row = p->ldb * sizeof(real), line = 64;
    const char *b = (const char *)(p->b + end * (p->b_transposed ? p->ldb : 1));
    *step = p->b_transposed ? sizeof(real) : row;
    if (p->b_transposed) return q < left ? b + q * row : NULL;
    return q * line < left * sizeof(real) ? b + q * line : NULL;
}

/* How C is cut into parts for threads: groups of columns times blocks of tiles. */
typedef struct {
    const product *p;
    size_t vectors, group;       /* vectors of a tile; columns of a group */
    size_t n_tiles, rows, extra; /* M is split evenly; the first `extra` tiles have one more row: 66 = 14 + 4 x 13 */
    size_t blocks;               /* of tiles, per group */
} partition;

static void multiply_part(void *context, size_t part, size_t worker) {
    const partition *cut = context;
    const product *p = cut->p;
    real buffer[MAX_TILE * VECTOR_BYTES / sizeof(real)];
    const int b_copied = copies_b(p), a_copied = copies_a(p);
    const size_t width = cut->vectors * LANES;
    const size_t column = cut->blocks == 1 ? part : part / cut->blocks, block = part - column * cut->blocks;
    const size_t first = column * cut->group, end = smaller(first + cut->group, p->N), group = end - first;
    const size_t first_tile = cut->blocks == 1 ? 0 : cut->n_tiles * block / cut->blocks;
    const size_t last_tile = cut->blocks == 1 ? cut->n_tiles : cut->n_tiles * (block + 1) / cut->blocks;
    real *const scratch = p->scratch + worker * p->layer->plan->scratch_bytes / sizeof(real);
    real *const strip = scratch + p->K * round_up(group, width);
    const panels panels = {.K = p->K, .width = width, .data = scratch};
    if (p->b_transposed) pack_transposed(&panels, p->b + first * p->ldb, p->ldb, group);
    else if (b_copied) pack_rows(&panels, p->b + first, p->ldb, group);
    size_t q = b_copied ? 0 : first_tile * (round_up(group, width) / width); /* each part prefetches its share */
    for (size_t n = first_tile; n < last_tile; n++) {
        const size_t i = n * cut->rows + smaller(n, cut->extra), rows = cut->rows + (n < cut->extra);
        tile_operands t = {.K = p->K, .a = p->a + (p->a_transposed ? i : i * p->lda), .lda = p->lda, .out = buffer};
        if (a_copied) {
            pack_strip(t.a, p->lda, p->K, rows, strip);
            t.a = strip;
            t.lda = rows;
        }
        for (size_t j = first, v = cut->vectors, columns; j < end; j += columns) {
            while ((v - 1) * LANES >= end - j) v = narrower(v); /* a tile has no empty vectors */
            columns = smaller(end - j, v * LANES);
            t.b = b_copied ? panel_at(&panels, 0, j - first) : p->b + j;
            t.ldb = b_copied ? width : p->ldb;
            t.start = p->start ? p->start + j : NULL;
            t.row_start = p->row_start ? p->row_start + i : NULL;
            t.tail = columns - (v - 1) * LANES;
            if (j == first && !p->a_transposed) { /* the next strip of A: K lines, which in float64 may not be all */
                t.ahead = (const char *)(p->a + (i + rows) * p->lda);
                t.ahead_step = 64;
            } else {
                t.ahead = b_copied   ? next_group(p, end, group, q++, &t.ahead_step)
                          : p->ahead ? p->ahead(p, q++, &t.ahead_step)
                                     : NULL;
            }
            if (!t.ahead) {
                t.ahead = (const char *)t.b;
                t.ahead_step = 0;
            }
            tiles[v][rows][p->a_transposed](&t);
            p->finish(p, &(tile){.data = buffer, .ld = v * LANES, .rows = rows, .columns = columns}, i, j);
        }
    }
}

/* Multiply-adds per thread for which threads pay: they take some 10 us, and waking another thread costs 1 us. */
enum { THREAD_WORK = 1 << 20, PARTS_PER_THREAD = 2 };

enum { DOTS_ROWS = 2 };

/* C = A B^T for few rows of A, where a transposed copy of B would cost more than the product. Each element is a dot
 * product of two rows, summed per lane and then over the lanes. */
static void multiply_as_dots(const product *p) {
    real buffer[MAX_TILE * VECTOR_BYTES / sizeof(real)];
    for (size_t i = 0; i < p->M; i++) {
        const real *a = p->a + i * p->lda;
        for (size_t first = 0; first < p->N; first += MAX_TILE * LANES) {
            const size_t end = smaller(first + MAX_TILE * LANES, p->N);
            for (size_t j = first; j < end; j += LANES) {
                vec acc[VECTOR_BYTES * 8 / REAL_BITS] = {{0}};
                const real *b = p->b + j * p->ldb;
                const size_t last = smaller(end - j, LANES) - 1;
                for (size_t k = 0; k < p->K; k += LANES) {
                    const size_t n = smaller(p->K - k, LANES);
                    const vec elements = load_n(a + k, n);
#pragma GCC unroll 16
                    for (size_t r = 0; r < LANES; r++)
                        acc[r] = fmadd(elements, load_n(b + smaller(r, last) * p->ldb + k, n), acc[r]);
                }
                store(buffer + j - first, lane_sums(acc));
            }
            p->finish(p, &(tile){.data = buffer, .ld = end - first, .rows = 1, .columns = end - first}, i, first);
        }
    }
}

static void multiply(const product *p) {
    if (p->b_transposed && p->M <= DOTS_ROWS) {
        multiply_as_dots(p);
        return;
    }
    partition cut = {.p = p, .vectors = tile_vectors(p->M, p->a_transposed), .blocks = 1};
    while ((cut.vectors - 1) * LANES >= p->N) cut.vectors = narrower(cut.vectors);
    const size_t width = cut.vectors * LANES, threads = smaller(p->step->threads, p->M * p->N * p->K / THREAD_WORK);
    const size_t most = max_rows[cut.vectors];
    cut.group = group_columns(p, width);
    cut.n_tiles = p->M <= most ? 1 : (p->M + most - 1) / most;
    cut.rows = cut.n_tiles == 1 ? p->M : p->M / cut.n_tiles;
    cut.extra = p->M - cut.n_tiles * cut.rows;
    if (threads > 1) {
        const size_t parts = PARTS_PER_THREAD * threads;
        if (!p->a_transposed) /* else each thread has rows of W to itself */
            cut.group = smaller(cut.group, round_up((p->N + parts - 1) / parts, width));
        const size_t groups = (p->N + cut.group - 1) / cut.group;
        cut.blocks = smaller((parts + groups - 1) / groups, cut.n_tiles);
    }
    const size_t groups = cut.group >= p->N ? 1 : (p->N + cut.group - 1) / cut.group;
    fbp_parallel(threads, groups * cut.blocks, multiply_part, &cut);
}

#endif
