/* The fingerprint: a fast hash of the parameters, so that `backward` notices writes to them. */

#include <string.h>

#include "fastbp.h"

/* One step: a bijection of the state and of the word, so any change of a single word changes the result. The shift
 * carries high bits to low ones, so that changes of several words (of all signs, say) do not cancel. */
static inline uint64_t stir(uint64_t state, uint64_t word) {
    state = (state ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return state ^ state >> 32;
}

enum { WORDS = 8, PIECE_BYTES = WORDS * sizeof(uint64_t) }; /* one state per word, so that products do not wait */

static inline void stir_piece(uint64_t *states, const char *from, size_t n) {
    uint64_t words[WORDS] = {0};
    memcpy(words, from, n);
    for (int w = 0; w < WORDS; w++) states[w] = stir(states[w], words[w]);
}

uint64_t fbp_fingerprint(const void *bytes, size_t n) {
    uint64_t states[WORDS] = {0}, fingerprint = n;
    const char *from = bytes, *const last = from + n / PIECE_BYTES * PIECE_BYTES;
    for (; from < last; from += PIECE_BYTES) stir_piece(states, from, PIECE_BYTES);
    stir_piece(states, last, n % PIECE_BYTES);
    for (int w = 0; w < WORDS; w++) fingerprint = stir(fingerprint, states[w]);
    return fingerprint;
}
