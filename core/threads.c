/* The thread pool: see threads.h.
 *
 * A job is published by one store to `ticket`:
 *
 *     63            32 31        16 15         0
 *     | number of job  | blocks     | next block |
 *
 * A worker takes a block by advancing the ticket, and only then reads fn and context: the job
 * cannot end, nor the next one be written, before that block is done. A worker that wakes late
 * finds next == blocks, or a job number that it has not seen yet, and touches nothing else.
 * Workers spin SPIN rounds, about a millisecond (a training step has thousands of short jobs; waking
 * a sleeper costs some 50 us, a spinner under 1 us) and then wait on a condition variable. Whoever
 * spins for long offers its processor to others: on a busy machine the last block may be waiting for
 * it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "core/threads.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define SPIN   20000
#define POLITE 1000 /* rounds without giving way */

struct Threads {
    int count;
    int started; /* helper threads running, at most count - 1 */
    pthread_t *ids;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop;    /* under lock */
    int sleepers; /* under lock */
    ThreadsFn fn; /* of the current job, published by ticket */
    void *context;
    _Atomic uint64_t ticket;
    _Atomic int unfinished; /* blocks of the current job not yet done */
};

typedef struct Worker {
    Threads *pool;
    int index;
} Worker;

/* One round of spinning, the round-th in a row. */
static void relax(int round)
{
    if (round >= POLITE && round % 16 == 0)
        sched_yield();
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static uint32_t job_of(uint64_t ticket)
{
    return (uint32_t)(ticket >> 32);
}

/* Takes blocks of the job numbered `job` until none is left. */
static void work(Threads *p, uint32_t job, int worker)
{
    uint64_t seen = atomic_load(&p->ticket);
    while (job_of(seen) == job && (seen & 0xFFFF) < (seen >> 16 & 0xFFFF)) {
        if (atomic_compare_exchange_weak(&p->ticket, &seen, seen + 1)) {
            p->fn(p->context, (int)(seen & 0xFFFF), worker);
            atomic_fetch_sub(&p->unfinished, 1);
            seen = atomic_load(&p->ticket);
        }
    }
}

/* Waits for a job other than `last`; returns false when the pool is closing. */
static bool next_job(Threads *p, uint32_t last, uint32_t *job)
{
    for (int i = 0; i < SPIN; i++) {
        *job = job_of(atomic_load(&p->ticket));
        if (*job != last)
            return true;
        relax(i);
    }
    pthread_mutex_lock(&p->lock);
    p->sleepers++;
    while (!p->stop && job_of(atomic_load(&p->ticket)) == last)
        pthread_cond_wait(&p->wake, &p->lock);
    p->sleepers--;
    bool stop = p->stop;
    pthread_mutex_unlock(&p->lock);
    *job = job_of(atomic_load(&p->ticket));
    return !stop;
}

static void *worker_main(void *argument)
{
    Worker *w = argument;
    Threads *p = w->pool;
    int index = w->index;
    free(w);
    uint32_t job = 0;
    while (next_job(p, job, &job))
        work(p, job, index);
    return NULL;
}

int threads_new(Threads **pool, int count, Error *e)
{
    *pool = NULL;
    if (count < 0 || count > THREADS_MAX)
        return error_set(e, HONE_ERR_CONFIG, "threads: %d is outside 0..%d", count, THREADS_MAX);
    if (count == 0) {
        long n = sysconf(_SC_NPROCESSORS_ONLN);
        count = n < 1 ? 1 : n > THREADS_MAX ? THREADS_MAX : (int)n;
    }
    Threads *p = calloc(1, sizeof *p);
    if (!p)
        return error_memory(e, "the thread pool", sizeof *p);
    p->count = count;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    p->ids = calloc((size_t)count, sizeof *p->ids);
    if (!p->ids) {
        threads_free(p);
        return error_memory(e, "the thread pool", (size_t)count * sizeof *p->ids);
    }
    for (int i = 1; i < count; i++) {
        Worker *w = malloc(sizeof *w);
        if (w)
            *w = (Worker){p, i};
        if (!w || pthread_create(&p->ids[i], NULL, worker_main, w) != 0) {
            free(w);
            threads_free(p);
            return error_set(e, HONE_ERR_MEMORY, "cannot start thread %d of %d", i + 1, count);
        }
        p->started++;
    }
    *pool = p;
    return HONE_OK;
}

void threads_free(Threads *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    atomic_store(&p->ticket, (uint64_t)(job_of(atomic_load(&p->ticket)) + 1) << 32);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    for (int i = 1; i <= p->started; i++)
        pthread_join(p->ids[i], NULL);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p->ids);
    free(p);
}

int threads_count(const Threads *p)
{
    return p ? p->count : 1;
}

void threads_run(Threads *p, int blocks, ThreadsFn fn, void *context)
{
    if (!p || p->count == 1 || blocks <= 1) {
        for (int b = 0; b < blocks; b++)
            fn(context, b, 0);
        return;
    }
    assert(blocks <= THREADS_BLOCKS_MAX);
    p->fn = fn;
    p->context = context;
    atomic_store(&p->unfinished, blocks);
    uint32_t job = job_of(atomic_load(&p->ticket)) + 1;
    atomic_store(&p->ticket, (uint64_t)job << 32 | (uint64_t)blocks << 16);
    pthread_mutex_lock(&p->lock);
    if (p->sleepers > 0)
        pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    work(p, job, 0);
    for (int i = 0; atomic_load(&p->unfinished) != 0; i = i < SPIN ? i + 1 : POLITE)
        relax(i);
}
