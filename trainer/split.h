/* Walks a split of a data set once, in order, batch by batch. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TRAINER_SPLIT_H
#define HONE_TRAINER_SPLIT_H

#include "datasets/loader.h"
#include "trainer/events.h"

typedef struct SplitWalk {
    const Dataset *dataset;
    DatasetSplit split;
    int batch;                 /* images at once; the last batch may be smaller */
    int64_t limit;             /* only the first images; 0: all */
    const char *what;          /* for events->progress */
    const TrainEvents *events; /* or NULL */
} SplitWalk;

typedef int (*SplitFn)(void *context, const Batch *b, Error *e);

/* How many images the walk comes by. */
int64_t split_images(const SplitWalk *walk);
/* Calls fn for every batch; stops at its first failure, and with ERR_INTERRUPTED where the events
 * say so. */
HONE_CHECKED int split_walk(const SplitWalk *walk, SplitFn fn, void *context, Error *e);

#endif
