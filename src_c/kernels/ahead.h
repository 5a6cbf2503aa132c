/* What tiles prefetch into L2 while they compute, a cache line per k: the elements of C that `finish` will take next,
 * then the next block of B to be copied, or the next strips of A. Without it the arithmetic would wait for L3 or memory
 * wherever a new part of an array begins. */
#ifndef FASTBP_AHEAD_H
#define FASTBP_AHEAD_H

#include "kernels/blocks.h"

enum { CACHE_LINE = 64, MAX_LINES = MAX_TOUCHED * MAX_VECTORS * VECTOR_BYTES / CACHE_LINE };

/* Memory is prefetched by columns of cache lines, down the rows of an array: a tile prefetches K lines of one. */
typedef struct {
    touched to;
    ptrdiff_t lines[MAX_LINES]; /* from the first touched array to the lines of a panel's row, in all touched arrays */
    size_t n_lines;
    const char *next; /* the next column in the next block of B */
    size_t next_left;
    size_t q; /* number of the tile in the part */
} lookahead;

/* Lists the lines: none if C is small enough to stay in L2. */
static void begin_lookahead(lookahead *l, const cut *c, size_t q) {
    const product *p = c->p;
    l->n_lines = l->next_left = 0;
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
    return l->n_lines || l->next_left || c->p->ahead || at->end_strip < c->strips;
}

/* Finds the block of B that is copied after block `at`. A column of its lines is as long as a tile is deep, which is
 * more or less than it should be if B is transposed. */
static void find_next_block(lookahead *l, const cut *c, const block *at) {
    const product *p = c->p;
    const int same_group = at->k + at->depth < p->K;
    const size_t k = same_group ? at->k + at->depth : 0, j = same_group ? at->first : at->end;
    const size_t columns = smaller(at->end - at->first, p->N - j), depth = smaller(at->depth, p->K - k);
    l->next = (const char *)(p->b_transposed ? p->b + j * p->ldb + k : p->b + k * p->ldb + j);
    l->next_left = columns ? divide_up((p->b_transposed ? depth : columns) * sizeof(real), CACHE_LINE) : 0;
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

/* Sets what the tile of strip n and of the panel at column j prefetches: C, else B, else, in the first panel, the
 * next block of rows of A, else what the caller wants. */
static void look_ahead(lookahead *l, const cut *c, const block *at, size_t n, size_t j, tile_operands *t) {
    const product *p = c->p;
    t->ahead = NULL;
    if (l->n_lines && at->k + at->depth == p->K) {
        t->ahead = touched_column(l, c, at, n - at->strip, j);
        t->ahead_step = l->to.ld * sizeof(real);
    }
    if (!t->ahead && l->next_left) {
        t->ahead = l->next;
        t->ahead_step = p->ldb * sizeof(real);
        l->next += CACHE_LINE;
        l->next_left--;
    }
    if (!t->ahead) {
        if (j == at->first && !p->a_transposed) t->ahead = (const char *)(t->a + c->strips_at_once * c->rows * p->lda);
        else if (p->ahead) t->ahead = p->ahead(p, l->q);
        t->ahead_step = CACHE_LINE;
    }
    if (!t->ahead) {
        t->ahead = (const char *)t->b;
        t->ahead_step = 0;
    }
    l->q++;
}

#endif
