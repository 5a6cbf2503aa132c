/* A monotonic clock, in seconds. */

#define _POSIX_C_SOURCE 200809L /* for clock_gettime */

#include <time.h>

#include "system/system.h"

double fbp_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
