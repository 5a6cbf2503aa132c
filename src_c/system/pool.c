/* The thread pool, which runs one parallel region at a time.
 *
 * The caller of a region offers seats, free workers take them, and all of them claim indices from one counter. At the
 * end the caller withdraws the seats that are still free, and waits only for workers that have taken one: a worker that
 * wakes up late costs nothing.
 *
 * A region may take 20 us, less than it takes to wake a sleeper up. So a thread that waits spins for SPIN_SECONDS
 * before it sleeps. With more threads than CPUs it sleeps at once, because spinning would keep another thread from
 * working. A sleeper registers itself, then checks again; a signaler publishes, then checks for sleepers. The atomics
 * are sequentially consistent, so one of the two always sees the other. */

#define _POSIX_C_SOURCE 200809L /* for pthread_sigmask */

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>

#include "fastbp.h"
#include "system/system.h"

#define SPIN_SECONDS 50e-6
#define CACHE_LINE 64
#define SEAT_BITS 16 /* an offer is the region's number, followed by the number of its free seats */
#define SEATS(offer) ((size_t)((offer) & ((1u << SEAT_BITS) - 1)))
#define REGION(offer) ((offer) >> SEAT_BITS)

typedef struct {
    /* the region: written by the owner (see `owned`) before it makes an offer, read by workers with a seat */
    _Alignas(CACHE_LINE) _Atomic uint64_t offer;
    fbp_work *work;
    void *context;
    size_t n;
    _Alignas(CACHE_LINE) atomic_size_t next; /* index to claim */
    _Alignas(CACHE_LINE) atomic_size_t left; /* workers that had a seat and are done */
    atomic_bool caller_sleeps;               /* the caller waits for them asleep */

    _Alignas(CACHE_LINE) atomic_bool owned; /* a region is running; the thread that set this is the owner */
    atomic_size_t callers;                  /* threads between fbp_enter and fbp_leave */
    atomic_bool refused;                    /* the system refused to start more workers */
    atomic_bool spins;                      /* there is a CPU for every thread of the region */
    size_t workers, cpus;                   /* read and written by the owner only */
    uint64_t region;

    _Alignas(CACHE_LINE) pthread_mutex_t lock;
    pthread_cond_t wake, done;
    atomic_size_t sleepers; /* workers asleep, less those that have been called */
    size_t calls;           /* wake-up calls that no worker has answered yet; guarded by the lock */
} pool;

#define NEW_POOL {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER, .done = PTHREAD_COND_INITIALIZER}

static pool the = NEW_POOL;

void fbp_retry_workers(void) { atomic_store(&the.refused, 0); }

/* ---- waiting ----------------------------------------------------------------------------------------------------- */

static void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb");
#endif
}

typedef int condition(uint64_t argument);

static int spin_until(condition *holds, uint64_t argument) {
    enum { LOOKS = 16 }; /* checks between two readings of the clock */
    if (!atomic_load_explicit(&the.spins, memory_order_relaxed)) return holds(argument);
    const double end = fbp_seconds() + SPIN_SECONDS;
    do {
        for (int i = 0; i < LOOKS; i++, relax()) {
            if (holds(argument)) return 1;
        }
    } while (fbp_seconds() < end);
    return 0;
}

/* Whether the offer has free seats, in a region that this worker has not served yet. */
static int is_open(uint64_t offer, uint64_t served) { return SEATS(offer) && REGION(offer) != served; }

static int has_offer(uint64_t served) { return is_open(atomic_load(&the.offer), served); }

static int have_left(uint64_t workers) { return atomic_load(&the.left) == workers; }

static void sleep_until_offer(uint64_t served) {
    pthread_mutex_lock(&the.lock);
    atomic_fetch_add(&the.sleepers, 1);
    while (!the.calls && !has_offer(served)) pthread_cond_wait(&the.wake, &the.lock);
    if (the.calls) { /* the caller has counted this sleeper out; wake the next two for the remaining calls */
        the.calls--;
        for (size_t i = 0; i < 2 && i < the.calls; i++) pthread_cond_signal(&the.wake);
    } else {
        atomic_fetch_sub(&the.sleepers, 1);
    }
    pthread_mutex_unlock(&the.lock);
}

/* Wakes sleepers up if fewer workers are awake than there are seats. */
static void wake_for(size_t seats) {
    if (the.workers - atomic_load(&the.sleepers) >= seats) return;
    pthread_mutex_lock(&the.lock);
    const size_t awake = the.workers - atomic_load(&the.sleepers);
    if (awake < seats) {
        atomic_fetch_sub(&the.sleepers, seats - awake);
        the.calls += seats - awake;
        pthread_cond_signal(&the.wake);
    }
    pthread_mutex_unlock(&the.lock);
}

static void wait_for(size_t workers) {
    if (spin_until(have_left, workers)) return;
    pthread_mutex_lock(&the.lock);
    atomic_store(&the.caller_sleeps, 1);
    while (!have_left(workers)) pthread_cond_wait(&the.done, &the.lock);
    atomic_store(&the.caller_sleeps, 0);
    pthread_mutex_unlock(&the.lock);
}

/* ---- working ----------------------------------------------------------------------------------------------------- */

static void work_off(size_t worker) {
    for (size_t i; (i = atomic_fetch_add_explicit(&the.next, 1, memory_order_relaxed)) < the.n;) {
        the.work(the.context, i, worker);
    }
}

static void *serve(void *unused) {
    uint64_t served = 0;
    for (;;) {
        if (!spin_until(has_offer, served)) sleep_until_offer(served);
        uint64_t offer = atomic_load(&the.offer);
        while (is_open(offer, served) && !atomic_compare_exchange_weak(&the.offer, &offer, offer - 1)) continue;
        if (!is_open(offer, served)) continue; /* the seats are taken */
        served = REGION(offer);
        work_off(SEATS(offer)); /* the seat number, 1, 2, ..., is the worker number */
        atomic_fetch_add(&the.left, 1);
        if (atomic_load(&the.caller_sleeps)) {
            pthread_mutex_lock(&the.lock);
            pthread_cond_signal(&the.done);
            pthread_mutex_unlock(&the.lock);
        }
    }
    return unused;
}

/* Starts workers until there are `wanted`, or until the system refuses. Workers block all signals, which are meant for
 * the caller's threads. */
static void start_workers(size_t wanted) {
    pthread_attr_t detached;
    sigset_t all, before;
    the.cpus = fbp_available_cpus();
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (pthread_t thread; the.workers < wanted; the.workers++) {
        if (pthread_create(&thread, &detached, serve, NULL)) {
            atomic_store(&the.refused, 1);
            break;
        }
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&detached);
}

/* Runs a region on the calling thread, which owns the pool, and on at most `seats` workers. */
static void share(size_t seats, size_t n, fbp_work *work, void *context) {
    if (the.workers < seats && !atomic_load(&the.refused)) start_workers(seats);
    if (the.workers < seats) seats = the.workers;
    atomic_store_explicit(&the.spins, seats < the.cpus, memory_order_relaxed);
    the.work = work;
    the.context = context;
    the.n = n;
    atomic_store_explicit(&the.next, 0, memory_order_relaxed);
    atomic_store_explicit(&the.left, 0, memory_order_relaxed);
    const uint64_t region = ++the.region << SEAT_BITS;
    atomic_store(&the.offer, region | seats);
    wake_for(seats);
    work_off(0);
    wait_for(seats - SEATS(atomic_exchange(&the.offer, region)));
}

static _Thread_local int entered;

void fbp_enter(void) {
    if (entered++ == 0) atomic_fetch_add(&the.callers, 1);
}

void fbp_leave(void) {
    if (--entered == 0) atomic_fetch_sub(&the.callers, 1);
}

/* A forked child has one thread: no workers and no other callers, and a lock that another thread may have held. */
static void forget_threads(void) {
    the = (pool)NEW_POOL;
    atomic_store(&the.callers, entered > 0);
}

int fbp_survive_forks(void) { return !pthread_atfork(NULL, NULL, forget_threads); }

void fbp_parallel(size_t threads, size_t n, fbp_work *work, void *context) {
    if (threads <= 1 || n <= 1) {
        for (size_t i = 0; i < n; i++) work(context, i, 0);
        return;
    }
    fbp_enter();
    const size_t callers = atomic_load(&the.callers);
    if (threads > callers && !atomic_exchange(&the.owned, 1)) {
        const size_t seats = threads - callers; /* other callers use a thread each */
        share(seats < n ? seats : n - 1, n, work, context);
        atomic_store(&the.owned, 0);
    } else {
        for (size_t i = 0; i < n; i++) work(context, i, 0);
    }
    fbp_leave();
}
