/* Helpers of the stress programs: checks, a time limit and random numbers. */

#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                     \
    do {                                                                     \
        if (!(condition)) {                                                  \
            fprintf(stderr, "line %d: " #condition " is false\n", __LINE__); \
            abort();                                                         \
        }                                                                    \
    } while (0)

enum { SECONDS = 100 }; /* until an alarm kills a program that hangs */

static unsigned next_random(unsigned *state) { return (*state = *state * 1664525u + 1013904223u) >> 16; }
