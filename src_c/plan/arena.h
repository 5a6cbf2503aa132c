/* An arena: one block of memory, handed out array by array. Its users walk through their arrays twice: without a block,
 * to measure it, and with one. */
#ifndef FASTBP_ARENA_H
#define FASTBP_ARENA_H

#include <stddef.h>
#include <stdint.h>

/* Gap between two arrays. Under AddressSanitizer it is poisoned, so that an overrun of an array is noticed. */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
enum { ALIGNMENT = 64, GAP = 64 };
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
enum { ALIGNMENT = 64, GAP = 0 };
#endif

void *fbp_allocate(size_t bytes); /* zeros, or NULL */

typedef struct {
    char *base; /* NULL on the first walk */
    size_t used;
    int overflow;
} arena;

/* The next array, aligned to ALIGNMENT; NULL without a block. */
static inline void *take(arena *a, size_t count, size_t size) {
    enum { ROOM = 2 * ALIGNMENT + GAP - 1 }; /* space to align the next array and the start of the block */
    size_t bytes, end;
    if (__builtin_mul_overflow(count, size, &bytes) || __builtin_add_overflow(a->used, bytes, &end) ||
        end > SIZE_MAX - ROOM) {
        a->overflow = 1;
        return NULL;
    }
    const size_t next = (end + GAP + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    char *taken = a->base ? a->base + a->used : NULL;
    if (taken) ASAN_POISON_MEMORY_REGION(taken + bytes, next - end);
    a->used = next;
    return taken;
}

#endif
