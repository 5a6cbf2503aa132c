/* The thread pool under load. test_pool.py runs this program, with and without ThreadSanitizer, which also notices
 * if two threads get the same worker number. An alarm kills the program if it hangs. */

#define _DEFAULT_SOURCE /* for usleep */

#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fastbp.h"
#include "stress.h"
#include "system/system.h"

enum { MOST_THREADS = 6, MOST_INDICES = 40 };

/* ---- each index runs once, and no two threads have the same number ----------------------------------------------- */

typedef struct {
    size_t threads;
    unsigned runs[MOST_INDICES], of_worker[MOST_THREADS]; /* not atomic: only one thread may write each of them */
    int nested;
} region;

static void run_region(size_t threads, size_t n, int nested);

static void count(void *context, size_t i, size_t worker) {
    region *r = context;
    CHECK(worker < r->threads);
    r->runs[i]++;
    r->of_worker[worker]++;
    if (r->nested) run_region(r->threads, 3, 0);
}

static void run_region(size_t threads, size_t n, int nested) {
    region r = {.threads = threads, .nested = nested};
    unsigned sum = 0;
    fbp_parallel(threads, n, count, &r);
    for (size_t i = 0; i < MOST_INDICES; i++) CHECK(r.runs[i] == (i < n));
    for (size_t i = 0; i < MOST_THREADS; i++) sum += r.of_worker[i];
    CHECK(sum == n);
}

static void run_regions(unsigned seed, int regions) {
    for (int i = 0; i < regions; i++) {
        fbp_set_threads(next_random(&seed) % MOST_THREADS + 1);
        const size_t threads = fbp_threads(), n = next_random(&seed) % (MOST_INDICES + 1);
        run_region(threads, n, i % 8 == 0);
        if (i % 16 == 0) usleep(next_random(&seed) % 300); /* some fall asleep */
    }
}

static void *call_often(void *seed) {
    run_regions(*(unsigned *)seed, 1000);
    return NULL;
}

static void several_callers(void) {
    pthread_t threads[3];
    unsigned seeds[3] = {1, 2, 3};
    for (int i = 0; i < 3; i++) CHECK(!pthread_create(&threads[i], NULL, call_often, &seeds[i]));
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
}

/* ---- threads that run at the same time --------------------------------------------------------------------------- */

/* Returns when all n indices have begun, each on its own thread. */
static void meet(void *context, size_t i, size_t worker) {
    (void)i, (void)worker;
    atomic_fetch_sub((atomic_size_t *)context, 1);
    while (atomic_load((atomic_size_t *)context)) usleep(10);
}

static void side_by_side(size_t threads) {
    atomic_size_t missing = threads;
    fbp_parallel(threads, threads, meet, &missing);
}

/* Offers at about the time when workers stop spinning: a worker that is about to sleep must not miss one. */
static void offers_at_bedtime(void) {
    unsigned seed = 7;
    for (int i = 0; i < 5000; i++) {
        const double end = fbp_seconds() + 40e-6 + 1e-6 * (next_random(&seed) % 30);
        while (fbp_seconds() < end) continue;
        side_by_side(2);
    }
}

static void be_worker_0(void *context, size_t i, size_t worker) {
    (void)i;
    CHECK(worker == 0);
    ++*(size_t *)context;
}

static void *call_meanwhile(void *go_on) {
    size_t runs = 0;
    fbp_parallel(4, 100, be_worker_0, &runs);
    CHECK(runs == 100);
    atomic_store((atomic_int *)go_on, 1);
    return NULL;
}

static void call_from_another_thread(void *context, size_t i, size_t worker) {
    (void)worker;
    pthread_t thread;
    atomic_int *go_on = context;
    if (i == 0) {
        CHECK(!pthread_create(&thread, NULL, call_meanwhile, go_on));
        pthread_join(thread, NULL);
    }
    while (!atomic_load(go_on)) usleep(10);
}

/* While a region is running, all other callers work alone. */
static void busy_is_serial(void) {
    atomic_int go_on = 0;
    fbp_parallel(2, 2, call_from_another_thread, &go_on);
}

/* ---- numbers of threads ------------------------------------------------------------------------------------------ */

static void *own_number(void *unused) {
    (void)unused;
    CHECK(fbp_threads() == 5);
    fbp_thread_limit *own = fbp_hold_thread_limit();
    fbp_set_thread_limit(own, 3);
    CHECK(fbp_threads() == 3);
    return own; /* outlives the thread */
}

static void numbers(void) {
    pthread_t thread;
    fbp_set_threads(5);
    fbp_thread_limit *own = fbp_hold_thread_limit();
    void *others;
    fbp_set_thread_limit(own, 2);
    CHECK(fbp_threads() == 2 && fbp_hold_thread_limit() == own);
    CHECK(!pthread_create(&thread, NULL, own_number, NULL));
    pthread_join(thread, &others);
    fbp_set_thread_limit(others, 4);
    fbp_release_thread_limit(others);
    CHECK(fbp_threads() == 2);
    fbp_set_thread_limit(own, 0);
    fbp_release_thread_limit(own);
    fbp_release_thread_limit(own);
    CHECK(fbp_threads() == 5);
}

/* ---- processes --------------------------------------------------------------------------------------------------- */

static void *call_forever(void *unused) {
    for (unsigned seed = 4;; seed++) run_regions(seed, 100);
    return unused;
}

static void in_child(void (*check)(void)) {
    int status;
    const pid_t child = fork();
    if (child == 0) {
        alarm(SECONDS);
        check();
        exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void use(void) {
    side_by_side(4);
    run_regions(5, 100);
}

static void use_and_fork(void) {
    use();
    in_child(use);
}

static void *enter_for_good(void *entered) {
    fbp_enter();
    atomic_store((atomic_int *)entered, 1);
    for (;;) pause();
}

static void use_then_leave(void) {
    side_by_side(2);
    fbp_leave();
    side_by_side(2);
}

/* Before the pool has started: a thread that has entered counts in the child only if it is the one that forks. */
static void fork_beside_a_caller(void) {
    pthread_t thread;
    atomic_int entered = 0;
    CHECK(!pthread_create(&thread, NULL, enter_for_good, &entered));
    while (!atomic_load(&entered)) sched_yield();
    in_child(use);
    fbp_enter();
    in_child(use_then_leave);
}

/* The system refuses to start threads: the caller works alone. Later it may start them. */
static void no_workers(void) {
    struct rlimit before, none;
    size_t runs = 0;
    getrlimit(RLIMIT_AS, &before);
    none = before;
    none.rlim_cur = 1; /* so there is no memory for a stack */
    setrlimit(RLIMIT_AS, &none);
    fbp_parallel(4, 100, be_worker_0, &runs);
    CHECK(runs == 100);
    setrlimit(RLIMIT_AS, &before);
    fbp_set_threads(4);
    side_by_side(4);
}

/* With an argument, tests processes too, which ThreadSanitizer does not support. */
int main(int arguments, char **argument) {
    pthread_t thread;
    (void)argument;
    alarm(SECONDS);
    CHECK(fbp_survive_forks());
    if (arguments > 1) in_child(no_workers); /* first, before another thread leaves its stack behind */
    if (arguments > 1) in_child(fork_beside_a_caller);
    numbers();
    side_by_side(2);
    side_by_side(MOST_THREADS);
    side_by_side(3); /* fewer than there are now */
    offers_at_bedtime();
    run_regions(6, 5000);
    busy_is_serial();
    several_callers();
    side_by_side(MOST_THREADS); /* all workers still take part */
    CHECK(!pthread_create(&thread, NULL, call_forever, NULL));
    for (int i = 0; i < 100 && arguments > 1; i++) in_child(i % 10 ? use : use_and_fork);
    return 0; /* in the middle of a region */
}
