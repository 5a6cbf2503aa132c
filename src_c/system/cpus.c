/* Which CPUs the process may use: its affinity mask, and the limit of its container, which the caller sets. */

#define _GNU_SOURCE /* for sched_getaffinity */

#include <stdatomic.h>
#include <stdint.h>
#include <unistd.h>
#ifdef __linux__
#include <sched.h>
#endif

#include "fastbp.h"
#include "system/system.h"

static atomic_size_t limit = SIZE_MAX;

void fbp_limit_cpus(size_t cpus) { atomic_store(&limit, cpus); }

size_t fbp_scheduled_cpus(void) {
#ifdef __linux__
    cpu_set_t sets[16]; /* one set holds 1024 CPUs, and the call fails on a machine with more */
    if (sched_getaffinity(0, sizeof sets, sets) == 0) return (size_t)CPU_COUNT_S(sizeof sets, sets);
#endif
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online < 1 ? 1 : (size_t)online;
}

size_t fbp_first_cpu(void) {
#ifdef __linux__
    cpu_set_t sets[16];
    if (sched_getaffinity(0, sizeof sets, sets) == 0) {
        for (size_t cpu = 0; cpu < 8 * sizeof sets; cpu++) {
            if (CPU_ISSET_S(cpu, sizeof sets, sets)) return cpu;
        }
    }
#endif
    return 0;
}

size_t fbp_available_cpus(void) {
    const size_t scheduled = fbp_scheduled_cpus(), most = atomic_load(&limit);
    return scheduled < most ? scheduled : most;
}
