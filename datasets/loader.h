/* Batches of a data set, prepared ahead by threads of their own.
 *
 *     LoaderOptions how = {.split = DATASET_TRAIN, .training = true, .batch = 64, .epochs = 12,
 *                          .seed = 1, .augment = &config.augment};
 *     if (loader_new(&loader, dataset, &how, e) != HONE_OK) goto out;
 *     if (loader_start(loader, epoch, step, e) != HONE_OK) goto out;  // (0, 0): from the start
 *     for (;;) {
 *         const Batch *b;
 *         if (loader_next(loader, &b, e) != HONE_OK) goto out;
 *         if (b == NULL) break;                                        // all epochs are done
 *         ... b->x [b->count, H, W, C], b->labels [b->count] ...
 *     }
 *
 * Training: the order of an epoch is a permutation drawn from (seed, epoch), samples are augmented and
 * with mixup another one, augmented likewise, is mixed in;
 * the last partial batch is dropped, so every batch is full. Evaluation: natural order, nothing
 * augmented, the last batch may be smaller. What a batch holds is a pure function of (options,
 * epoch, step): never of timing, of the number of threads or of where the loader was started.
 *
 * A ring of batches is allocated once. Threads fill free slots and sleep on a condition variable
 * when all are full; the consumer takes them in order. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_DATASETS_LOADER_H
#define HONE_DATASETS_LOADER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"
#include "core/real.h"
#include "datasets/augment.h"
#include "datasets/dataset.h"

#define LOADER_THREADS_MAX 64
#define LOADER_AHEAD_MAX   256

typedef struct LoaderOptions {
    DatasetSplit split;
    bool training;                 /* shuffle, augment, drop the last partial batch */
    int batch;                     /* samples per batch, > 0 */
    int64_t epochs;                /* batches end after this many epochs; 0: after 1 in evaluation,
                                      never in training */
    int64_t limit;                 /* only the first samples of the split; 0: all */
    uint64_t seed;                 /* of shuffling and augmentation: the run's seed */
    const AugmentOptions *augment; /* training only; NULL: none. Copied. */
    int threads;                   /* that prepare batches; 0: 1 */
    int ahead;                     /* batches prepared ahead of the consumer; 0: 3 */
} LoaderOptions;

/* One batch. Its pointers are the loader's, valid until the next loader_next, loader_start or
 * loader_free; a vector past the end of x may be read. */
typedef struct Batch {
    Real *x;               /* [count, H, W, C], (pixel - 128) / 128, in [-1, 1) */
    const uint8_t *pixels; /* [count, H, W, C], as x; the int8 code is pixel - 128 */
    int32_t *labels;       /* [count], 0 <= label < classes */
    int32_t *others;       /* [count] with mixup: labels of what is mixed in; else NULL */
    int32_t *shares;       /* [count] with mixup: its share, 0..128 of 256; else NULL */
    int count;             /* == batch in training */
    int64_t epoch, step;   /* step counts batches inside the epoch, from 0 */
    bool last;             /* the last batch of its epoch */
} Batch;

typedef struct Loader Loader;

/* Makes a loader that reads dataset, which must outlive it; starts its threads, which sleep until
 * loader_start. Allocates all that batches will need. The loader is the caller's to free.
 * Errors: HONE_ERR_CONFIG when a training split holds less than one batch; HONE_ERR_MEMORY. */
HONE_CHECKED int loader_new(Loader **loader, const Dataset *dataset, const LoaderOptions *options,
                            Error *e);
/* Stops the threads and frees; NULL is allowed. */
void loader_free(Loader *loader);

/* Batches per epoch. */
int64_t loader_steps(const Loader *loader);

/* The next batch will be (epoch, step); what was prepared is dropped. 0 <= step <= steps per epoch,
 * where the last means the start of the next epoch. May be called again at any time, also after an
 * error or the end. */
HONE_CHECKED int loader_start(Loader *loader, int64_t epoch, int64_t step, Error *e);

/* Waits for the next batch and lends it; *batch is NULL after the last epoch. An error met while
 * preparing a batch is returned here, in that batch's turn, and again by every later call until
 * loader_start. One caller at a time. */
HONE_CHECKED int loader_next(Loader *loader, const Batch **batch, Error *e);

#endif
