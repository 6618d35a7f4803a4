/* Walks over the flat block in pieces, on the thread pool. The pieces depend on the length alone, so
 * what is computed per piece, and combined in the order of the pieces, is the same bits at any number
 * of threads. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_OPTIM_SWEEP_H
#define HONE_OPTIM_SWEEP_H

#include <stddef.h>

#include "core/threads.h"

#define SWEEP_BLOCKS_MAX 1024

/* Called for elements [begin, end) of piece `block`, in any order, by several threads at once. */
typedef void (*SweepFn)(void *context, int block, size_t begin, size_t end);

/* Calls fn for every piece of count elements; returns how many pieces there are, at most
 * SWEEP_BLOCKS_MAX. pool may be NULL. */
int sweep_run(Threads *pool, size_t count, SweepFn fn, void *context);

#endif
