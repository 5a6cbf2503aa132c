/* System services for the core: the thread pool, the CPUs and the clock. */
#ifndef FASTBP_SYSTEM_H
#define FASTBP_SYSTEM_H

#include <stddef.h>

/* pool.c: calls work(context, i, worker) once for each i in 0 .. n-1, in any order, on at most `threads` threads (1 to
 * FBP_MAX_THREADS). The caller is worker 0; worker < threads. Returns when all calls are done. If another region is
 * running, in this thread or another one, the caller does all of the work alone, as worker 0. */
typedef void fbp_work(void *context, size_t i, size_t worker);
void fbp_parallel(size_t threads, size_t n, fbp_work *work, void *context);

/* Between enter and leave the calling thread counts as busy, also between its regions: it takes one thread away from
 * the regions of each other thread. Calls come in pairs, which may nest. */
void fbp_enter(void);
void fbp_leave(void);

/* Lets the pool try again to start threads that the system refused. */
void fbp_retry_workers(void);

/* cpus.c: CPUs that the process may use. At least 1. */
size_t fbp_available_cpus(void);
/* Number of the first CPU in the affinity mask. */
size_t fbp_first_cpu(void);

/* clock.c: seconds of a clock that never jumps */
double fbp_seconds(void);

#endif
