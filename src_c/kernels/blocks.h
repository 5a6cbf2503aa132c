/* How a product is cut into blocks that suit the caches.
 *
 * C (M, N) is cut into tiles (tile.h): strips of rows by panels of columns. Each tile reads a strip of A and a panel of
 * B, and every strip reads all of B again. So a large B is copied, one block of `depth` rows by `group` columns at a
 * time (pack.h), and all strips of a block of rows use it before the next block is copied:
 *
 *     a panel of the block of B   stays in L1 while strip after strip uses it
 *     the block of B              stays in L2 while block after block of rows uses it
 *     the block of rows of A      stays in L2 while panel after panel uses it
 *
 * Sums over the first blocks of depth wait in a buffer, and are the start values of the next ones. The order of an
 * element's additions stays the same, so its bits do not depend on any of this. */
#ifndef FASTBP_BLOCKS_H
#define FASTBP_BLOCKS_H

#include "fastbp.h"
#include "kernels/product.h"
#include "kernels/tile.h"

/* The cut of a product: strips and panels, how many of them a block has, and how many parts there are for threads. */
typedef struct {
    const product *p;
    const fbp_caches *caches;
    int copies_b;
    size_t vectors, width;      /* of a tile: width = vectors * LANES columns */
    size_t strips, rows, extra; /* M is split evenly; the first `extra` strips have one more row: 66 = 14 + 4 x 13 */
    size_t strips_at_once;      /* in a block of rows */
    size_t panels, groups;      /* panels are distributed evenly among groups; B is copied group by group */
    size_t depth;               /* of a block of B */
    size_t parts;               /* of each group: runs of strips */
} cut;

/* Index of the first of n items that belong to share i of so many shares, which differ by at most one item. */
static size_t first_of_share(size_t n, size_t i, size_t shares) { return shares == 1 ? i * n : n * i / shares; }

static size_t first_column(const cut *c, size_t group) {
    return c->groups == 1 ? group * c->p->N : smaller(first_of_share(c->panels, group, c->groups) * c->width, c->p->N);
}

static size_t first_row(const cut *c, size_t strip) { return strip * c->rows + smaller(strip, c->extra); }

/* The tiles of a block of rows and a group of columns, over one block of B. */
typedef struct {
    size_t strip, end_strip, first, end, k, depth;
    const real *b;     /* B, or its copy, at (k, first) */
    size_t ldb, panel; /* distance from panel to panel */
    real *sums;        /* of the tiles, one after the other */
} block;

/* Elements in a panel of a block: two thirds of L1. The rest is for A and the sums. */
static size_t panel_elements(const fbp_caches *caches) { return caches->l1 / 3 * 2 / sizeof(real); }

static size_t greatest_depth(const fbp_caches *caches, size_t width) {
    const size_t rows = panel_elements(caches) / width / LANES * LANES;
    return rows ? rows : (size_t)LANES;
}

/* Elements in a block of B, and in one of A: a fifth of L2. This leaves room for the next block of B and for C. */
static size_t block_elements(const fbp_caches *caches) { return caches->l2 / 5 / sizeof(real); }

/* How many runs of `length` elements, each in as many rows as a block is deep, fit into it; at least 1. */
static size_t fit(const fbp_caches *caches, size_t K, size_t width, size_t length) {
    const size_t runs = block_elements(caches) / (smaller(K, greatest_depth(caches, width)) * length);
    return runs ? runs : 1;
}

/* Whether a copy of B is faster than B itself. There are two reasons against B itself.
 *
 * Rows that lie `apart` bytes, a power of two, from each other share few sets of the cache. There a panel crowds itself
 * out, as if it took K * apart bytes, and each strip loads it anew. The more lines of a row a tile uses, the more
 * arithmetic hides that.
 *
 * A panel that is deeper than L1 comes from L2 for each strip, and so does A. */
static int copies_b(const product *p, size_t l2, size_t width, size_t strips) {
    const size_t stride = p->ldb * sizeof(real);
    if (p->b_transposed || p->K * stride < l2) return p->b_transposed;
    const size_t lines = divide_up(width * sizeof(real), 64), apart = stride & -stride;
    const size_t crowd = p->K * apart / lines / l2;
    return (crowd > 0 && strips * crowd > 8) || strips * (p->K * width * sizeof(real) / 64) > l2 / 64;
}

/* Multiply-adds per thread for which threads pay: they take some 10 us, and waking another thread costs 1 us. */
enum { THREAD_WORK = 1 << 20, PARTS_PER_THREAD = 2 };

/* Divides the work among threads, so that the parts are even. If A is transposed, each thread has rows of C to itself:
 * these are rows of W, which it finds in its caches in the next step. */
static void cut_for_threads(cut *c, size_t threads) {
    const size_t parts = PARTS_PER_THREAD * threads;
    if (!c->p->a_transposed) c->groups = smaller(round_up(c->groups > parts ? c->groups : parts, threads), c->panels);
    c->parts = smaller(divide_up(parts, c->groups), c->strips);
}

static void cut_product(cut *c, const product *p, size_t threads) {
    enum { STRIPS_IN_PLACE = 12 }; /* fewer would load B more often, more would go too far down the rows of C */
    const fbp_caches *caches = fbp_cache_sizes();
    size_t vectors = tile_vectors(p->M, p->a_transposed);
    while ((vectors - 1) * LANES >= p->N) vectors = narrower(vectors);
    const size_t width = vectors * LANES, most = max_rows[vectors], strips = p->M <= most ? 1 : divide_up(p->M, most);
    *c = (cut){.p = p, .caches = caches, .vectors = vectors, .width = width, .strips = strips, .depth = p->K};
    c->rows = strips == 1 ? p->M : p->M / strips;
    c->extra = p->M - strips * c->rows;
    c->groups = c->parts = 1;
    c->strips_at_once = STRIPS_IN_PLACE;
    c->copies_b = copies_b(p, caches->l2, width, strips);
    if (threads <= 1 && p->K * p->N < block_elements(caches) && p->K * width < panel_elements(caches)) return; /* one */
    c->panels = divide_up(p->N, width);
    if (c->copies_b) {
        c->groups = divide_up(c->panels, fit(caches, p->K, width, width));
        c->depth = round_up(divide_up(p->K, divide_up(p->K, greatest_depth(caches, width))), LANES);
        c->strips_at_once = fit(caches, p->K, width, most);
    }
    if (threads > 1) cut_for_threads(c, threads);
}

/* Bytes of scratch per thread for products with K <= depth and N <= columns: a group of B, and the sums of a block of
 * rows, if there is more than one block of depth. */
static size_t scratch_bytes(size_t depth, size_t columns) {
    const fbp_caches *caches = fbp_cache_sizes();
    const size_t fifth = block_elements(caches);
    size_t most = 0;
    for (size_t vectors = 1; vectors <= MAX_VECTORS; vectors++) {
        const size_t width = vectors * LANES, deepest = greatest_depth(caches, width), rows = max_rows[vectors];
        const size_t block = fifth + deepest * width; /* full, and rounded up to whole panels */
        const size_t group = smaller(depth * round_up(columns, width), divide_up(depth, deepest) * block);
        const size_t panels = smaller(fit(caches, depth, width, width), divide_up(columns, width));
        const size_t sums = depth > deepest && rows ? fit(caches, depth, width, rows) * rows * panels * width : 0;
        if (rows && group + sums > most) most = group + sums;
    }
    return most * sizeof(real);
}

#endif
