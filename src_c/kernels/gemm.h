/* The one matrix product of the core, computed tile by tile. blocks.h says how it is cut, tile.h how a tile is
 * computed.
 *
 * The bits of an element do not depend on the cut, nor on the thread that computes it. A finished tile goes to a small
 * buffer, and `finish` takes it from there while it is in L1: bias and activation, f', a store or the optimizer. */
#ifndef FASTBP_GEMM_H
#define FASTBP_GEMM_H

#include "kernels/ahead.h"
#include "kernels/blocks.h"
#include "kernels/pack.h"
#include "system/system.h"

/* Computes a block: panel after panel, strip after strip. */
static void multiply_block(const cut *c, const block *at, lookahead *l) {
    static const real zeros[MAX_VECTORS * VECTOR_BYTES / sizeof(real)];
    const product *p = c->p;
    const int is_first = at->k == 0, is_last = at->k + at->depth == p->K;
    const real *const a = p->a + (p->a_transposed ? at->k * p->lda : at->k);
    real buffer[MAX_TILE * VECTOR_BYTES / sizeof(real)], *sums = at->sums;
    tile_operands t = {.K = at->depth, .b = at->b, .lda = p->lda, .ldb = at->ldb, .ahead = (const char *)at->b};
    const int looks = looks_ahead(l, c, at);
    for (size_t j = at->first, v = c->vectors, columns; j < at->end;
         j += columns, t.b += columns == c->width ? at->panel : columns) {
        while ((v - 1) * LANES >= at->end - j) v = narrower(v); /* a tile has no empty vectors */
        columns = smaller(at->end - j, v * LANES);
        t.tail = columns - (v - 1) * LANES;
        t.start = p->start ? p->start + j : zeros;
        for (size_t n = at->strip, i = first_row(c, n), rows; n < at->end_strip; n++, i += rows) {
            rows = c->rows + (n < c->extra);
            t.a = a + (p->a_transposed ? i : i * p->lda);
            t.out = is_last ? buffer : sums;
            if (!is_first) {
                t.start = sums;
                t.start_ld = v * LANES;
            }
            sums += rows * v * LANES;
            if (looks) look_ahead(l, c, at, n, j, &t);
            tiles[v][rows][p->a_transposed](&t);
            if (is_last) p->finish(p, &(tile){.rows = rows, .data = buffer, .columns = columns, .ld = v * LANES}, i, j);
        }
    }
}

/* Lets a block read B in place, or from the copy of its group, (K, columns), which the first block of rows makes. */
static void find_b(const cut *c, block *at, real *copy, size_t columns, int is_first, lookahead *l) {
    const product *p = c->p;
    const size_t used = at->end - at->first;
    at->b = p->b + at->k * p->ldb + at->first;
    at->ldb = p->ldb;
    at->panel = c->width;
    if (!c->copies_b) return;
    const panels copied = {.K = at->depth, .width = c->width, .data = copy + at->k * columns};
    if (is_first) {
        if (p->b_transposed) pack_transposed(&copied, p->b + at->first * p->ldb + at->k, p->ldb, used);
        else pack_rows(&copied, at->b, p->ldb, used);
        find_next_b(l, c, at);
    }
    at->b = copied.data;
    at->ldb = c->width;
    at->panel = at->depth * c->width;
}

/* Computes a part: block of rows after block of rows, and in each of them one block of B after the other. */
static void multiply_part(void *context, size_t part, size_t worker) {
    const cut *c = context;
    const product *p = c->p;
    const size_t group = c->parts == 1 ? part : part / c->parts, run = part - group * c->parts;
    const size_t first_strip = first_of_share(c->strips, run, c->parts);
    const size_t end_strip = first_of_share(c->strips, run + 1, c->parts);
    block at = {.first = first_column(c, group), .end = first_column(c, group + 1)};
    const size_t columns = c->copies_b ? round_up(at.end - at.first, c->width) : 0;
    real *const copy = p->scratch + worker * p->layer->plan->scratch_bytes / sizeof(real);
    lookahead l;
    begin_lookahead(&l, c, first_strip * c->panels);
    at.sums = copy + p->K * columns;
    for (size_t n = first_strip; n < end_strip; n = at.end_strip) {
        at.strip = n;
        at.end_strip = smaller(n + c->strips_at_once, end_strip);
        for (at.k = 0; at.k < p->K; at.k += at.depth) {
            at.depth = smaller(c->depth, p->K - at.k);
            find_b(c, &at, copy, columns, n == first_strip, &l);
            if (c->depth < p->K) find_next_a(&l, c, &at);
            multiply_block(c, &at, &l);
        }
    }
}

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
                store(buffer + j - first, lane_sums(acc, LANES));
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
    const size_t threads = smaller(p->step->threads, p->M * p->N * p->K / THREAD_WORK);
    cut c;
    cut_product(&c, p, threads);
    fbp_parallel(threads, c.groups * c.parts, multiply_part, &c);
}

#endif
