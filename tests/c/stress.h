/* What the stress programs share. */

#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                     \
    do {                                                                     \
        if (!(condition)) {                                                  \
            fprintf(stderr, "line %d: " #condition " is false\n", __LINE__); \
            abort();                                                         \
        }                                                                    \
    } while (0)

enum { SECONDS = 100 }; /* then the alarm kills what hangs */

static unsigned next_random(unsigned *state) { return (*state = *state * 1664525u + 1013904223u) >> 16; }
