/* A pool of threads that run numbered blocks of work.
 *
 *     threads_run(pool, 16, forward_block, &job);   // forward_block(&job, block, worker), block 0..15
 *
 * The blocks of a job are fixed by the problem (never by the number of threads), each block is run
 * by exactly one worker, and a block's result must not depend on which: with reductions combined
 * from per-block partials in block order, results are the same bits at any thread count.
 *
 * Workers spin briefly for the next job and then sleep. One caller at a time; jobs do not nest.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CORE_THREADS_H
#define HONE_CORE_THREADS_H

#include "core/error.h"

#define THREADS_MAX        256
#define THREADS_BLOCKS_MAX 65535

typedef struct Threads Threads;
/* block is in [0, blocks); worker in [0, threads_count(pool)) indexes per-thread scratch. */
typedef void (*ThreadsFn)(void *context, int block, int worker);

/* Starts count workers, the caller being one of them; count 0 means the machine's processors.
 * Range 0..THREADS_MAX. The pool is the caller's to free. */
HONE_CHECKED int threads_new(Threads **pool, int count, Error *e);
void threads_free(Threads *pool);
int threads_count(const Threads *pool);
/* Runs fn for every block, 0..THREADS_BLOCKS_MAX of them, and returns when all are done. A NULL
 * pool runs them in the caller. */
void threads_run(Threads *pool, int blocks, ThreadsFn fn, void *context);

#endif
