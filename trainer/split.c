/* A split, batch by batch: see split.h. SPDX-License-Identifier: Apache-2.0 */
#include "trainer/split.h"

int64_t split_images(const SplitWalk *walk)
{
    int64_t all = dataset_info(walk->dataset)->count[walk->split];
    return walk->limit > 0 && walk->limit < all ? walk->limit : all;
}

int split_walk(const SplitWalk *walk, SplitFn fn, void *context, Error *e)
{
    LoaderOptions how = {.split = walk->split, .batch = walk->batch, .limit = walk->limit};
    Loader *loader = NULL;
    const Batch *b = NULL;
    int64_t done = 0, all = split_images(walk);
    int status = loader_new(&loader, walk->dataset, &how, e);
    if (status == HONE_OK)
        status = loader_start(loader, 0, 0, e);
    while (status == HONE_OK) {
        status = loader_next(loader, &b, e);
        if (status != HONE_OK || !b)
            break;
        status = fn(context, b, e);
        done += b->count;
        if (status == HONE_OK)
            status = events_progress(walk->events, walk->what, done, all, e);
    }
    loader_free(loader);
    return status;
}
