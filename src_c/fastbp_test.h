/* The part of the C interface that only tests call. */
#ifndef FASTBP_TEST_H
#define FASTBP_TEST_H

#include "fastbp.h"

/* Name of function i of kernels/vmath.h; NULL past the last. */
const char *fbp_vector_math_name(size_t i);
/* y = the function of x, over n elements. */
void fbp_vector_math(const fbp_kernels *kernels, size_t i, const void *x, void *y, size_t n);

/* What fbp_set_caches(NULL) takes for a machine whose folder /sys/devices/system/cpu is `root`, on this CPU. */
fbp_caches fbp_caches_in(const char *root, size_t cpu);

/* Makes the n-th allocation from now on fail, once; 0 lets all succeed. */
void fbp_fail_allocation(size_t n);

#endif
