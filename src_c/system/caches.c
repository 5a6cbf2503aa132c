/* How large the caches of a core are: what the system reports, within sane limits.
 *
 * Linux describes the caches of each CPU, and who shares them, in files, which are read first: on a virtual machine the
 * C library may report the L3 of the whole host. Nothing here allocates. */

#define _GNU_SOURCE /* for _SC_LEVEL1_DCACHE_SIZE */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fastbp.h"
#include "fastbp_test.h"
#include "system/system.h"

enum { K = 1 << 10, M = 1 << 20 };

/* Guesses are small: a block that is too small for its cache costs a little, one that does not fit costs more. 32 KB
 * and 256 KB are the smallest L1 and L2 of common desktop and server cores, 1 MB is less than most cores have of L3. */
#define GUESS {.l1 = 32 * K, .l2 = 256 * K, .l3 = 1 * M}

static const fbp_caches guess = GUESS;
static fbp_caches sizes = GUESS;

static size_t clamp(size_t n, size_t least, size_t most) { return n < least ? least : n > most ? most : n; }

/* The sizes found, 0 for unknown ones, with guesses for those and without nonsense. A core without L3 gets l3 = l2, as
 * does a core whose share of L3 is smaller than its L2. */
static fbp_caches sane(fbp_caches found) {
    const size_t l1 = clamp(found.l1 ? found.l1 : guess.l1, 8 * K, 1 * M);
    const size_t l2 = clamp(found.l2 ? found.l2 : guess.l2, l1 > 64 * K ? l1 : 64 * K, 32 * M);
    const size_t l3 = clamp(found.l2 || found.l3 ? found.l3 : guess.l3, l2, 32 * M);
    return (fbp_caches){.l1 = l1, .l2 = l2, .l3 = l3};
}

static int is_digit(char c) { return c >= '0' && c <= '9'; }

static int is_end(const char *text) { return *text == '\n' || *text == '\0'; }

/* Bytes of a size such as 48K, 2M or 1024; 0 if the text is no such size. */
static size_t parse_size(const char *text) {
    char *end;
    const unsigned long long n = strtoull(text, &end, 10);
    const int shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
    return is_end(end + (shift != 0)) && n <= (1ull << 31) >> shift ? (size_t)n << shift : 0;
}

/* CPUs in a list such as 0-3,8; 0 if the text is no such list. */
static size_t count_cpus(const char *text) {
    for (size_t n = 0;; text++) {
        if (!is_digit(*text)) return 0;
        char *end;
        const size_t first = strtoul(text, &end, 10);
        if (*end == '-' && !is_digit(end[1])) return 0;
        const size_t last = *end == '-' ? strtoul(end + 1, &end, 10) : first;
        if (last < first) return 0;
        n += last - first + 1;
        if (*end != ',') return is_end(end) ? n : 0;
        text = end;
    }
}

typedef struct {
    int folder; /* of a CPU's caches, one folder each; -1: there is none */
    size_t index;
    char text[4096]; /* of a file; these are at most a page long */
} description;

/* Text of a file about one cache, "" if it cannot be read. */
static const char *text_of(description *cache, const char *name) {
    char path[64];
    snprintf(path, sizeof path, "index%zu/%s", cache->index, name);
    const int file = openat(cache->folder, path, O_RDONLY | O_CLOEXEC);
    const ssize_t n = file < 0 ? 0 : read(file, cache->text, sizeof cache->text - 1);
    if (file >= 0) close(file);
    cache->text[n > 0 ? n : 0] = '\0';
    return cache->text;
}

/* Each size divided by the number of cores that share the cache; 0 if there is no such cache. A core is the CPUs that
 * share an L1. Hyperthreads count as one core at all levels: a product gains little from the second one, and while
 * that is idle, the first should have all of L1 and L2. */
static fbp_caches read_files(const char *root, size_t cpu) {
    enum { LEVELS = 4, ENTRIES = 16 };
    size_t bytes[LEVELS] = {0}, sharers[LEVELS] = {0};
    char path[1024];
    snprintf(path, sizeof path, "%s/cpu%zu/cache", root, cpu);
    description cache = {.folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    for (; cache.index < ENTRIES; cache.index++) {
        const int l = *text_of(&cache, "level") - '0';
        if (l < 1) break; /* there is no such entry */
        if (l >= LEVELS) continue;
        const char *type = text_of(&cache, "type");
        if (strncmp(type, "Data", 4) && strncmp(type, "Unified", 7)) continue;
        bytes[l] = parse_size(text_of(&cache, "size"));
        sharers[l] = count_cpus(text_of(&cache, "shared_cpu_list"));
    }
    if (cache.folder >= 0) close(cache.folder);
    const size_t core = sharers[1] ? sharers[1] : 1;
    if (!sharers[3]) sharers[3] = fbp_scheduled_cpus(); /* unlike L2, L3 is nearly always shared */
    for (int l = 2; l < LEVELS; l++) bytes[l] /= clamp(sharers[l] / core, 1, SIZE_MAX);
    return (fbp_caches){.l1 = bytes[1], .l2 = bytes[2], .l3 = bytes[3]};
}

/* What the C library knows, 0 for the rest. It does not say how many share the L3: probably all CPUs. */
static fbp_caches ask_library(void) {
    fbp_caches found = {0};
#if defined(_SC_LEVEL1_DCACHE_SIZE) && defined(_SC_LEVEL2_CACHE_SIZE) && defined(_SC_LEVEL3_CACHE_SIZE)
    const long l1 = sysconf(_SC_LEVEL1_DCACHE_SIZE), l2 = sysconf(_SC_LEVEL2_CACHE_SIZE);
    const long l3 = sysconf(_SC_LEVEL3_CACHE_SIZE);
    found.l1 = l1 > 0 ? (size_t)l1 : 0;
    found.l2 = l2 > 0 ? (size_t)l2 : 0;
    found.l3 = l3 > 0 ? (size_t)l3 / fbp_scheduled_cpus() : 0;
#endif
    return found;
}

fbp_caches fbp_caches_in(const char *root, size_t cpu) { return sane(read_files(root, cpu)); }

/* If the CPUs differ, the sizes are those of the first one that the process may use: reading them all would take
 * milliseconds on a large machine. */
void fbp_set_caches(const fbp_caches *caches) {
    if (caches) {
        sizes = *caches;
        return;
    }
    const fbp_caches found = read_files("/sys/devices/system/cpu", fbp_first_cpu());
    sizes = sane(found.l1 ? found : ask_library());
}

const fbp_caches *fbp_cache_sizes(void) { return &sizes; }
