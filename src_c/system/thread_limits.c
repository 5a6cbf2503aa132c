/* The number of threads that a thread has chosen for its own calls. Other threads may change it, and may outlive that
 * one, so it stands on the heap, until the thread has ended and all who hold it have released it. */

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "fastbp.h"

struct fbp_own_threads {
    atomic_size_t threads;
    atomic_size_t holders; /* the thread is one of these */
};

static _Thread_local fbp_own_threads *own;

static pthread_key_t at_end; /* of a thread */
static int has_key;

void fbp_release_own_threads(fbp_own_threads *held) {
    if (held && atomic_fetch_sub(&held->holders, 1) == 1) free(held);
}

static void end_thread(void *held) {
    own = NULL;
    fbp_release_own_threads(held);
}

static void create_key(void) { has_key = !pthread_key_create(&at_end, end_thread); }

fbp_own_threads *fbp_hold_own_threads(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (!own) {
        pthread_once(&once, create_key);
        fbp_own_threads *fresh = calloc(1, sizeof *fresh);
        if (!fresh || !has_key || pthread_setspecific(at_end, fresh)) {
            free(fresh);
            return NULL;
        }
        atomic_init(&fresh->holders, 1);
        own = fresh;
    }
    atomic_fetch_add(&own->holders, 1);
    return own;
}

void fbp_set_own_threads(fbp_own_threads *held, size_t threads) { atomic_store(&held->threads, threads); }

size_t fbp_own_number(void) { return own ? atomic_load_explicit(&own->threads, memory_order_relaxed) : 0; }
