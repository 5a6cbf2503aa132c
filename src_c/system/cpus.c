/* How many CPUs this process may use: what the scheduler grants it, and what a container's quota leaves of that. */

#define _GNU_SOURCE /* for sched_getaffinity */

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#ifdef __linux__
#include <sched.h>
#endif

#include "fastbp.h"

enum { PATH_BYTES = 4096 };

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

/* Reads up to two numbers from <root>/sys/fs/cgroup<folder>/<file>; returns how many there were. */
static int read_numbers(const char *root, const char *folder, const char *file, long long *first, long long *second) {
    char path[2 * PATH_BYTES];
    const int length = snprintf(path, sizeof path, "%s/sys/fs/cgroup%s/%s", root, folder, file);
    FILE *stream = length > 0 && (size_t)length < sizeof path ? fopen(path, "re") : NULL;
    if (!stream) return 0;
    const int numbers = fscanf(stream, "%lld %lld", first, second);
    fclose(stream);
    return numbers;
}

/* The CPUs of one control group's quota, rounded up; SIZE_MAX where it sets none. */
static size_t quota_of(const char *root, const char *folder, int version) {
    long long quota = 0, period = 0, none;
    if (version == 2) {
        read_numbers(root, folder, "cpu.max", &quota, &period); /* "max 100000" without a limit */
    } else {
        read_numbers(root, folder, "cpu.cfs_quota_us", &quota, &none); /* -1 without a limit */
        read_numbers(root, folder, "cpu.cfs_period_us", &period, &none);
    }
    if (quota <= 0 || period <= 0) return SIZE_MAX;
    return (size_t)(quota / period + (quota % period != 0));
}

size_t fbp_cgroup_cpus(const char *root) {
    size_t cpus = SIZE_MAX;
    char line[PATH_BYTES], folder[PATH_BYTES + 8];
    snprintf(line, sizeof line, "%s/proc/self/cgroup", root);
    FILE *stream = fopen(line, "re");
    while (stream && fgets(line, sizeof line, stream)) { /* number:controllers:group */
        line[strcspn(line, "\n")] = '\0';
        char *const controllers = strchr(line, ':'), *const group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group) continue;
        const int version = group == controllers + 1 ? 2 : 1;
        *controllers = *group = ','; /* so that each controller stands between commas */
        const char *const cpu = strstr(controllers, ",cpu,");
        if (version == 1 && !(cpu && cpu < group)) continue;
        snprintf(folder, sizeof folder, "%s%s", version == 1 ? "/cpu" : "", group + 1);
        /* Every group above has a say, and a container may see its own group as the topmost. */
        for (char *end = folder + strlen(folder); end; end = strrchr(folder, '/')) {
            *end = '\0';
            cpus = smaller(cpus, quota_of(root, folder, version));
        }
    }
    if (stream) fclose(stream);
    return cpus;
}

static size_t scheduled_cpus(void) {
#ifdef __linux__
    cpu_set_t sets[16]; /* one has room for 1024 CPUs, and the call fails for a machine with more */
    if (sched_getaffinity(0, sizeof sets, sets) == 0) return (size_t)CPU_COUNT_S(sizeof sets, sets);
#endif
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online < 1 ? 1 : (size_t)online;
}

size_t fbp_available_cpus(void) { return smaller(scheduled_cpus(), fbp_cgroup_cpus("")); }
