/* How a product is cut into blocks that suit the caches.
 *
 * C (M, N) is cut into tiles (tile.h): strips of rows by panels of columns. Each tile reads a strip of A and a panel of
 * B, so every strip reads all of B again. A large B is therefore copied, one group of columns at a time. The copy
 * consists of blocks of `depth` rows (pack.h), each made when the first block of rows needs it:
 *
 *     a panel of a block of B   stays in L1 while the strips of a block of rows use it
 *     a block of rows of A      stays in L2, `depth` columns of it, while panel after panel uses it
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

/* Elements in a panel of a block: two thirds of L1, the rest of which is for A and the sums. The wide tiles of dW would
 * be through with that after too few steps, and stop for the sums too often: for them it is an eighth of L2. */
static size_t panel_elements(const fbp_caches *caches, size_t vectors) {
    return (vectors > (size_t)USUAL_VECTORS ? caches->l2 / 8 : caches->l1 / 3 * 2) / sizeof(real);
}

static size_t greatest_depth(const fbp_caches *caches, size_t vectors) {
    const size_t rows = panel_elements(caches, vectors) / (vectors * LANES) / LANES * LANES;
    return rows ? rows : (size_t)LANES;
}

/* Elements in a block of B; also in one of A, and in the sums that wait: a fifth of L2 each. This leaves room for the
 * next block of B, and for C. */
static size_t block_elements(const fbp_caches *caches) { return caches->l2 / 5 / sizeof(real); }

/* How many times `length` elements fit into a block, at least 1. */
static size_t fit(const fbp_caches *caches, size_t length) {
    const size_t times = block_elements(caches) / length;
    return times ? times : 1;
}

/* Whether a copy of B is faster than B itself. Tiles of more than the usual width hold all rows, and read B once.
 * Otherwise, there are two reasons for a copy.
 *
 * Rows that lie `apart` bytes, a power of two, from each other share few sets of the cache. There a panel crowds itself
 * out, as if it took K * apart bytes, and each strip loads it anew. The more lines of a row a tile uses, the more
 * arithmetic hides that.
 *
 * The strips load a panel so often that this takes more bytes than L2 has, while a block of a copy stays in L1. */
static int is_copied(const product *p, size_t l2, size_t vectors, size_t strips) {
    enum { CROWDED = 8 };
    const size_t usual = p->a_transposed ? USUAL_VECTORS_TRANSPOSED : USUAL_VECTORS, stride = p->ldb * sizeof(real);
    if (p->b_transposed || p->K * stride < l2 || vectors > usual) return p->b_transposed;
    const size_t row = vectors * VECTOR_BYTES, apart = stride & -stride;
    const size_t crowd = p->K * apart / divide_up(row, 64) / l2;
    return (crowd > 0 && strips * crowd > CROWDED) || strips * p->K * row > l2;
}

/* Multiply-adds per thread for which threads pay: they take some 10 us, and waking another thread costs 1 us. */
enum { THREAD_WORK = 1 << 20, PARTS_PER_THREAD = 2 };

/* Divides the work among threads in even parts: more groups or, if A is transposed, runs of strips, so that each thread
 * has rows of C to itself: these are rows of W, which it may find in its caches in the next step. */
static void cut_for_threads(cut *c, size_t threads) {
    const size_t parts = PARTS_PER_THREAD * threads;
    if (!c->p->a_transposed) c->groups = smaller(round_up(c->groups > parts ? c->groups : parts, threads), c->panels);
    c->parts = smaller(divide_up(parts, c->groups), c->strips);
}

/* Chooses groups, depth and blocks of rows for a B that is copied. */
static void cut_into_blocks(cut *c) {
    const size_t K = c->p->K, deepest = greatest_depth(c->caches, c->vectors), most_rows = max_rows[c->vectors];
    const size_t group = smaller(fit(c->caches, smaller(K, deepest) * c->width), c->panels);
    c->groups = divide_up(c->panels, group);
    c->depth = round_up(divide_up(K, divide_up(K, deepest)), LANES);
    c->strips_at_once = fit(c->caches, smaller(K, deepest) * most_rows);
    if (K > deepest) c->strips_at_once = smaller(c->strips_at_once, fit(c->caches, group * c->width * most_rows));
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
    c->copies_b = is_copied(p, caches->l2, vectors, strips);
    /* a single block, without the divisions that small products would notice */
    if (threads <= 1 && p->K * p->N < block_elements(caches) && p->K * width < panel_elements(caches, vectors)) return;
    c->panels = divide_up(p->N, width);
    if (c->copies_b) cut_into_blocks(c);
    if (threads > 1) cut_for_threads(c, threads);
}

/* Bytes of scratch per thread for products with K <= depth and N <= columns: the copy of a group of B, and the sums of
 * a block of rows if there is more than one block of depth. With tiles wider than WIDEST, nothing is copied. */
static size_t scratch_bytes(size_t depth, size_t columns) {
    enum { WIDEST = USUAL_VECTORS > USUAL_VECTORS_TRANSPOSED ? USUAL_VECTORS : USUAL_VECTORS_TRANSPOSED };
    const fbp_caches *caches = fbp_cache_sizes();
    size_t most = 0;
    for (size_t vectors = 1; vectors <= WIDEST; vectors++) {
        const size_t width = vectors * LANES, deepest = greatest_depth(caches, vectors);
        const size_t block = block_elements(caches) + deepest * width; /* full, and rounded up to whole panels */
        const size_t group = smaller(depth * round_up(columns, width), divide_up(depth, deepest) * block);
        const size_t panels = smaller(fit(caches, deepest * width), divide_up(columns, width));
        const size_t sums = depth > deepest ? block_elements(caches) + max_rows[vectors] * panels * width : 0;
        if (group + sums > most) most = group + sums;
    }
    return most * sizeof(real);
}

#endif
