/* How many threads a call may use: the number of the process, or the limit that the calling thread has set for itself.
 *
 * Other threads may change a thread's limit, and may outlive the thread. So the limit is on the heap, and is freed when
 * the thread has ended and all holders have released it. */

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "fastbp.h"
#include "system/system.h"

struct fbp_thread_limit {
    atomic_size_t threads;
    atomic_size_t holders; /* including the thread itself */
};

static atomic_size_t process_threads = 1;
static _Thread_local fbp_thread_limit *own_limit;

static pthread_key_t at_end; /* its destructor runs when a thread ends */
static int has_key;

void fbp_release_thread_limit(fbp_thread_limit *held) {
    if (held && atomic_fetch_sub(&held->holders, 1) == 1) free(held);
}

static void end_thread(void *held) {
    own_limit = NULL;
    fbp_release_thread_limit(held);
}

static void create_key(void) { has_key = !pthread_key_create(&at_end, end_thread); }

fbp_thread_limit *fbp_hold_thread_limit(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (!own_limit) {
        pthread_once(&once, create_key);
        fbp_thread_limit *fresh = calloc(1, sizeof *fresh);
        if (!fresh || !has_key || pthread_setspecific(at_end, fresh)) {
            free(fresh);
            return NULL;
        }
        atomic_init(&fresh->holders, 1);
        own_limit = fresh;
    }
    atomic_fetch_add(&own_limit->holders, 1);
    return own_limit;
}

void fbp_set_thread_limit(fbp_thread_limit *held, size_t threads) { atomic_store(&held->threads, threads); }

size_t fbp_threads(void) {
    const size_t limit = own_limit ? atomic_load_explicit(&own_limit->threads, memory_order_relaxed) : 0;
    return limit ? limit : atomic_load_explicit(&process_threads, memory_order_relaxed);
}

void fbp_set_threads(size_t threads) {
    atomic_store(&process_threads, threads);
    fbp_retry_workers();
}

int fbp_get_num_threads(void) { return (int)atomic_load(&process_threads); }

void fbp_set_num_threads(int n) { fbp_set_threads(n < 1 ? 1 : n > FBP_MAX_THREADS ? FBP_MAX_THREADS : (size_t)n); }
