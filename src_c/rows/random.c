/* Random numbers: Philox4x64-10, of Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3 (2011).
 *
 * A number is a function of its key and counter, so it can be computed without the numbers before it. */

#include "fastbp.h"

#ifndef __SIZEOF_INT128__
#error "fastbp needs a 64-bit target"
#endif
__extension__ typedef unsigned __int128 uint128;

enum { ROUNDS = 10 };

static void philox(const uint64_t counter[4], const uint64_t key[2], uint64_t out[4]) {
    uint64_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3], k0 = key[0], k1 = key[1];
    for (int round = 0; round < ROUNDS; round++) {
        const uint128 p0 = (uint128)0xD2E7470EE14C6C93u * c0, p1 = (uint128)0xCA5A826395121157u * c2;
        c0 = (uint64_t)(p1 >> 64) ^ c1 ^ k0;
        c1 = (uint64_t)p1;
        c2 = (uint64_t)(p0 >> 64) ^ c3 ^ k1;
        c3 = (uint64_t)p0;
        k0 += 0x9E3779B97F4A7C15u;
        k1 += 0xBB67AE8584CAA73Bu;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* Stream of one key, from the counter after (block, 0, step, epoch) on: NumPy counts before it draws. */
typedef struct {
    uint64_t key[2], counter[4], block[4];
    size_t drawn;
} stream;

static stream open_stream(uint64_t seed, uint64_t purpose, uint64_t epoch, uint64_t step, uint64_t block) {
    return (stream){.key = {seed, purpose}, .counter = {block, 0, step, epoch}};
}

static uint64_t draw(stream *s) {
    if (s->drawn % 4 == 0) {
        s->counter[0]++;
        philox(s->counter, s->key, s->block);
    }
    return s->block[s->drawn++ % 4];
}

void fbp_random(uint64_t seed, uint64_t purpose, uint64_t epoch, uint64_t step, uint64_t block, uint64_t *out,
                size_t n) {
    stream s = open_stream(seed, purpose, epoch, step, block);
    for (size_t i = 0; i < n; i++) out[i] = draw(&s);
}

/* Fisher-Yates shuffle. The high half of random * (i + 1) is uniform on 0 .. i up to one part in 2^64 / i. */
void fbp_permutation(uint64_t seed, uint64_t purpose, uint64_t epoch, uint64_t step, int64_t *index, size_t n) {
    stream s = open_stream(seed, purpose, epoch, step, 0);
    for (size_t i = 0; i < n; i++) index[i] = (int64_t)i;
    for (size_t i = n; i-- > 1;) {
        const size_t j = (size_t)(((uint128)draw(&s) * (i + 1)) >> 64);
        const int64_t swapped = index[i];
        index[i] = index[j];
        index[j] = swapped;
    }
}
