/* What tiles prefetch into L2 while they compute, a cache line per k: the elements of C that `finish` will take next,
 * then the next block of B to be copied, and the next block of A. Without it the arithmetic would wait for L3 or memory
 * wherever a new part of an array begins. */
#ifndef FASTBP_AHEAD_H
#define FASTBP_AHEAD_H

#include "kernels/blocks.h"

enum { CACHE_LINE = 64, MAX_LINES = MAX_TOUCHED * MAX_VECTORS * VECTOR_BYTES / CACHE_LINE };

/* Memory is prefetched by columns of cache lines, down the rows of an array: a tile prefetches K lines of one. */
typedef struct {
    const char *next;
    size_t left, step; /* columns; bytes from line to line */
} line_columns;

typedef struct {
    touched to;
    ptrdiff_t lines[MAX_LINES]; /* from the first touched array to the lines of a panel's row, in all touched arrays */
    size_t n_lines;
    line_columns b, a; /* of the blocks that come next */
    size_t q;          /* number of the tile in the part */
} lookahead;

/* Lists the lines: none if C is small enough to stay in L2. */
static void begin_lookahead(lookahead *l, const cut *c, size_t q) {
    const product *p = c->p;
    l->n_lines = 0;
    l->a = l->b = (line_columns){0};
    l->q = q;
    l->to.ld = 0; /* not used, but the compiler cannot know */
    l->to.arrays[0] = NULL;
    if (!p->touches || p->M * p->N < c->caches->l2 / 2 / sizeof(real)) return;
    l->to = p->touches(p);
    for (size_t i = 0; i < l->to.n; i++) {
        for (size_t j = 0; j < c->width; j += CACHE_LINE / sizeof(real))
            l->lines[l->n_lines++] = (ptrdiff_t)((uintptr_t)(l->to.arrays[i] + j) - (uintptr_t)l->to.arrays[0]);
    }
}

/* Whether there is anything to prefetch during a block; in small products there is not. */
static int looks_ahead(const lookahead *l, const cut *c, const block *at) {
    return l->n_lines || l->b.left || l->a.left || c->p->ahead || at->end_strip < c->strips;
}

/* Columns of lines over `elements` elements of each row from `start` on. A column of them is as long as a tile is deep,
 * which may be more or less than the block has rows. */
static line_columns line_columns_of(const real *start, size_t elements, size_t ld) {
    return (line_columns){(const char *)start, divide_up(elements * sizeof(real), CACHE_LINE), ld * sizeof(real)};
}

/* Finds the block of B that is copied after block `at`. */
static void find_next_b(lookahead *l, const cut *c, const block *at) {
    const product *p = c->p;
    const int same_group = at->k + at->depth < p->K;
    const size_t k = same_group ? at->k + at->depth : 0, j = same_group ? at->first : at->end;
    const size_t columns = smaller(at->end - at->first, p->N - j), depth = smaller(at->depth, p->K - k);
    if (!columns) return;
    l->b = p->b_transposed ? line_columns_of(p->b + j * p->ldb + k, depth, p->ldb)
                           : line_columns_of(p->b + k * p->ldb + j, columns, p->ldb);
}

/* Finds the block of A that is used after block `at`. */
static void find_next_a(lookahead *l, const cut *c, const block *at) {
    const product *p = c->p;
    const int same_rows = at->k + at->depth < p->K;
    const size_t k = same_rows ? at->k + at->depth : 0, strip = same_rows ? at->strip : at->end_strip;
    const size_t i = first_row(c, strip), end = first_row(c, smaller(strip + c->strips_at_once, c->strips));
    if (i == end) return;
    l->a = p->a_transposed ? line_columns_of(p->a + k * p->lda + i, end - i, p->lda)
                           : line_columns_of(p->a + i * p->lda + k, smaller(at->depth, p->K - k), p->lda);
}

/* Where the q-th tile of a panel finds a column of lines that `finish` will touch in the panel after the one that
 * begins at column j, over all rows of the block; NULL if there are no more. */
static const char *touched_column(const lookahead *l, const cut *c, const block *at, size_t q, size_t j) {
    const touched *to = &l->to;
    const size_t down = q / l->n_lines * at->depth; /* rows that other tiles prefetch of this column */
    size_t row = first_row(c, at->strip), end = first_row(c, at->end_strip);
    j += c->width;
    if (j >= at->end) { /* the first panel of the next block of rows */
        const size_t rows = end - row;
        row = end;
        end = smaller(end + rows, c->p->M);
        j = at->first;
    }
    if (row + down >= end) return NULL;
    return (const char *)(to->arrays[0] + (row + down) * to->ld + j) + l->lines[q % l->n_lines];
}

static void take_column(line_columns *from, tile_operands *t) {
    if (t->ahead || !from->left) return;
    t->ahead = from->next;
    t->ahead_step = from->step;
    from->next += CACHE_LINE;
    from->left--;
}

/* Sets what the tile of strip n, in the panel at column j, prefetches: C, B, A, or what the caller wants. */
static void look_ahead(lookahead *l, const cut *c, const block *at, size_t n, size_t j, tile_operands *t) {
    const product *p = c->p;
    t->ahead = NULL;
    if (l->n_lines && at->k + at->depth == p->K) {
        t->ahead = touched_column(l, c, at, n - at->strip, j);
        t->ahead_step = l->to.ld * sizeof(real);
    }
    take_column(&l->b, t);
    take_column(&l->a, t);
    if (!t->ahead) {
        t->ahead_step = CACHE_LINE;
        if (p->ahead) t->ahead = p->ahead(p, l->q);
        else if (j == at->first && !p->a_transposed) /* rows of the next block, if they are contiguous */
            t->ahead = (const char *)(t->a + c->strips_at_once * c->rows * p->lda);
    }
    if (!t->ahead) {
        t->ahead = (const char *)t->b;
        t->ahead_step = 0;
    }
    l->q++;
}

#endif
