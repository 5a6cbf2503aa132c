/* The order in which a fit visits its rows: all of them shuffled, or blocks of them. With blocks, `order` is a window
 * on the rows of the epoch, so it is short however many rows there are. */

#include <string.h>

#include "plan/plan.h"

enum { SHUFFLE = 1, BLOCKS = 4 }; /* purposes, as in fastbp/_base/philox.py */

/* Rows that the window holds at least: a batch, and the next one, which a step prefetches. */
static size_t least_rows(const fbp_fit *fit) { return 2 * fit->batch_size; }

size_t fbp_order_size(const fbp_fit *fit) {
    const size_t most = least_rows(fit) + fit->block_rows;
    return fit->block_rows && most < fit->n ? most : fit->n;
}

size_t fbp_order_blocks(const fbp_fit *fit) {
    return fit->block_rows ? (fit->n + fit->block_rows - 1) / fit->block_rows : 0;
}

/* Turns positions among the rows to train on into rows of the data, after adding `first` to them. */
static void name_rows(const fbp_fit *fit, int64_t *order, size_t n, size_t first) {
    for (size_t i = 0; i < n; i++) {
        const int64_t position = order[i] + (int64_t)first;
        order[i] = fit->rows ? fit->rows[position] : position;
    }
}

static size_t rows_of_block(const fbp_fit *fit, int64_t block) {
    const size_t left = fit->n - (size_t)block * fit->block_rows;
    return left < fit->block_rows ? left : fit->block_rows;
}

static void append_block(fbp_fit *fit) {
    const int64_t block = fit->blocks[fit->drawn++];
    const size_t n = rows_of_block(fit, block);
    int64_t *const to = fit->order + fit->order_rows;
    fbp_permutation(fit->seed, BLOCKS, fit->first_epoch + fit->epoch, 1 + (uint64_t)block, to, n);
    name_rows(fit, to, n, (size_t)block * fit->block_rows);
    fit->order_rows += n;
}

void fbp_begin_order(fbp_fit *fit) {
    const uint64_t epoch = fit->first_epoch + fit->epoch;
    const size_t first = fit->step * fit->batch_size;
    if (!fit->block_rows) {
        fbp_permutation(fit->seed, SHUFFLE, epoch, 0, fit->order, fit->n);
        if (fit->rows) name_rows(fit, fit->order, fit->n, 0);
        return;
    }
    fbp_permutation(fit->seed, BLOCKS, epoch, 0, fit->blocks, fbp_order_blocks(fit));
    fit->drawn = fit->order_first = fit->order_rows = 0;
    for (size_t n; fit->order_first + (n = rows_of_block(fit, fit->blocks[fit->drawn])) <= first; fit->drawn++)
        fit->order_first += n;
    append_block(fit);
}

/* Moves the window on to a row of the epoch that is in it, or right behind it. */
static void move_window(fbp_fit *fit, size_t first) {
    const size_t done = first - fit->order_first;
    fit->order_first = first;
    fit->order_rows -= done;
    memmove(fit->order, fit->order + done, fit->order_rows * sizeof *fit->order);
    while (fit->order_rows < least_rows(fit) && fit->drawn < fbp_order_blocks(fit)) append_block(fit);
}

void fbp_find_batch(fbp_fit *fit, fbp_batch *batch) {
    const size_t first = fit->step * fit->batch_size, left = fit->n - first;
    batch->index = fit->order ? fit->order : fit->rows;
    batch->rows = left < fit->batch_size ? left : fit->batch_size;
    batch->first = first;
    batch->n = fit->n;
    if (fit->order && fit->block_rows) {
        if (first + least_rows(fit) > fit->order_first + fit->order_rows) move_window(fit, first);
        batch->first = first - fit->order_first;
        batch->n = fit->order_rows;
    }
}
