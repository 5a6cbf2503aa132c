/* Allocation of plans and their workspaces. Tests can make it fail. */

#include <stdlib.h>

#include "fastbp_test.h"
#include "plan/arena.h"

static size_t allocations_to_failure;

void fbp_fail_allocation(size_t n) { allocations_to_failure = n; }

void *fbp_allocate(size_t bytes) {
    if (allocations_to_failure && --allocations_to_failure == 0) return NULL;
    return calloc(1, bytes);
}
