/* Walks over the flat block: see sweep.h. SPDX-License-Identifier: Apache-2.0 */
#include "optim/sweep.h"

/* 3 arrays of 64 KiB in float: a piece stays in the second-level cache and amortizes its start. */
#define BLOCK ((size_t)16384)

typedef struct Sweep {
    SweepFn fn;
    void *context;
    size_t count, block; /* elements */
} Sweep;

static void run_block(void *context, int block, int worker)
{
    (void)worker;
    const Sweep *s = context;
    size_t begin = (size_t)block * s->block, left = s->count - begin;
    s->fn(s->context, block, begin, begin + (left < s->block ? left : s->block));
}

int sweep_run(Threads *pool, size_t count, SweepFn fn, void *context)
{
    Sweep s = {.fn = fn, .context = context, .count = count, .block = BLOCK};
    while (count / s.block >= SWEEP_BLOCKS_MAX)
        s.block *= 2;
    int blocks = (int)((count + s.block - 1) / s.block);
    threads_run(pool, blocks, run_block, &s);
    return blocks;
}
