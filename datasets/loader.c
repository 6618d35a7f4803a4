/* Prefetching batches: see loader.h.
 *
 * Batches are numbered from 0 since loader_start. Batch n lives in slot n % depth:
 *
 *       lent          prepared            being prepared       free
 *     | taken - 1 | taken .. .. .. .. .. .. .. .. .. claimed | .. depth slots in all |
 *
 * A worker claims the next number under the lock, and with it its epoch, step and the indices of
 * its samples, then fills the slot without the lock. The consumer waits until batch `taken` is
 * ready. One slot more than is prepared ahead keeps the lent batch untouched. The order of an epoch
 * is drawn when its first batch is claimed, or by the first claim after a start in its middle.
 * SPDX-License-Identifier: Apache-2.0 */
#include "datasets/loader.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#include "core/rng.h"

#define DEFAULT_AHEAD 3

typedef struct Slot {
    Batch batch;
    Real *x;
    uint8_t *pixels;
    int32_t *labels;
    int32_t *others, *shares; /* NULL without mixup */
    uint32_t *indices;        /* [batch] samples to prepare */
    bool ready;               /* under lock */
    int status;               /* of preparing it, with error */
    Error error;
} Slot;

struct Loader {
    const Dataset *dataset;
    LoaderOptions options; /* defaults filled in; augment points to the copy below, or is NULL */
    AugmentOptions augment;
    bool mixes;       /* mixup */
    DatasetVary vary; /* audio: NULL where recordings are not varied */
    const DatasetInfo *info;
    int64_t samples; /* per epoch, before the last partial batch is dropped */
    int64_t steps;   /* batches per epoch */
    int depth;       /* slots */
    Slot *slots;
    uint32_t *order; /* [samples] of order_epoch; NULL in evaluation */
    int started;     /* threads running */
    pthread_t *threads;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t work;  /* a slot became free, or a stop */
    pthread_cond_t done;  /* a slot became ready, or the last worker fell idle */
    int64_t order_epoch;  /* -1: none */
    int64_t epoch, step;  /* the next to be claimed */
    uint64_t claimed;     /* batches claimed since loader_start */
    uint64_t taken;       /* batches lent since loader_start, the current one included */
    int busy;             /* workers filling a slot */
    bool running;         /* between loader_start and the next one */
    bool stop;
};

static bool ended(const Loader *l)
{
    return l->options.epochs > 0 && l->epoch >= l->options.epochs;
}

static bool claimable(const Loader *l)
{
    uint64_t kept = l->taken > 0 ? l->taken - 1 : 0; /* the oldest batch still in use */
    return l->running && !ended(l) && l->claimed - kept < (uint64_t)l->depth;
}

/* Draws the order of the next epoch to be claimed, if it is not there yet. */
static void draw_order(Loader *l)
{
    if (l->order == NULL || l->order_epoch == l->epoch)
        return;
    Rng rng = rng_at(l->options.seed, RNG_SHUFFLE, (uint64_t)l->epoch, 0);
    rng_permutation(&rng, l->order, (uint32_t)l->samples);
    l->order_epoch = l->epoch;
}

/* Takes the next batch for the calling worker and advances (epoch, step). Under lock. */
static Slot *claim(Loader *l)
{
    Slot *s = &l->slots[l->claimed % (uint64_t)l->depth];
    draw_order(l);
    int64_t first = l->step * l->options.batch;
    int64_t left = l->samples - first;
    int count = left < l->options.batch ? (int)left : l->options.batch;
    for (int i = 0; i < count; i++)
        s->indices[i] = l->order != NULL ? l->order[first + i] : (uint32_t)(first + i);
    s->ready = false;
    s->status = HONE_OK;
    s->error = (Error){0};
    s->batch = (Batch){.x = s->x,
                       .pixels = s->pixels,
                       .labels = s->labels,
                       .others = s->others,
                       .shares = s->shares,
                       .count = count,
                       .epoch = l->epoch,
                       .step = l->step,
                       .last = l->step + 1 == l->steps};
    l->claimed++;
    l->step++;
    if (l->step == l->steps) {
        l->step = 0;
        l->epoch++;
    }
    return s;
}

/* One sample as this epoch has it; scratch holds it before augmentation. */
static int read_sample(const Loader *l, int64_t epoch, int64_t index, uint8_t *scratch,
                       uint8_t *out, int32_t *label, Error *e)
{
    const DatasetInfo *info = l->info;
    const AugmentOptions *augment = l->options.augment;
    uint8_t *to = augment != NULL ? scratch : out;
    int status = l->vary.audio != NULL
                     ? dataset_vary(l->dataset, &l->vary, epoch, index, to, label, e)
                     : dataset_sample(l->dataset, l->options.split, epoch, index, to, label, e);
    if (status == HONE_OK && augment != NULL) {
        AugmentDraw draw = augment_draw(augment, l->options.seed, epoch, index);
        augment_apply(&draw, info->height, info->width, info->channels, scratch, out);
    }
    return status;
}

/* Mixes another sample into sample i of the slot. scratch has room for two. */
static int mix_sample(const Loader *l, Slot *s, int i, uint8_t *scratch)
{
    size_t bytes = l->info->sample_bytes;
    int64_t epoch = s->batch.epoch;
    AugmentMix mix = augment_mix(&l->augment, l->options.seed, epoch, s->indices[i], l->samples);
    s->others[i] = s->labels[i];
    s->shares[i] = mix.share;
    if (mix.share == 0)
        return HONE_OK;
    int status =
        read_sample(l, epoch, mix.partner, scratch, scratch + bytes, &s->others[i], &s->error);
    if (status == HONE_OK)
        augment_blend(mix.share, scratch + bytes, s->pixels + (size_t)i * bytes, bytes);
    return status;
}

/* One sample into the slot. */
static int fill_sample(const Loader *l, Slot *s, int i, uint8_t *scratch)
{
    int status =
        read_sample(l, s->batch.epoch, s->indices[i], scratch,
                    s->pixels + (size_t)i * l->info->sample_bytes, &s->labels[i], &s->error);
    return status == HONE_OK && l->mixes ? mix_sample(l, s, i, scratch) : status;
}

static void fill(const Loader *l, Slot *s, uint8_t *scratch)
{
    for (int i = 0; i < s->batch.count; i++) {
        s->status = fill_sample(l, s, i, scratch);
        if (s->status != HONE_OK)
            return;
    }
    size_t values = (size_t)s->batch.count * l->info->sample_bytes;
    const uint8_t *pixels = s->pixels;
    Real *x = s->x;
    for (size_t i = 0; i < values; i++)
        x[i] = (Real)(pixels[i] - 128) * ((Real)1 / 128); /* exact */
}

typedef struct Worker {
    Loader *loader;
    uint8_t *scratch; /* two samples */
} Worker;

static void *worker_main(void *argument)
{
    Worker *w = argument;
    Loader *l = w->loader;
    pthread_mutex_lock(&l->lock);
    for (;;) {
        while (!l->stop && !claimable(l))
            pthread_cond_wait(&l->work, &l->lock);
        if (l->stop)
            break;
        Slot *s = claim(l);
        l->busy++;
        pthread_mutex_unlock(&l->lock);
        fill(l, s, w->scratch);
        pthread_mutex_lock(&l->lock);
        s->ready = true;
        l->busy--;
        pthread_cond_broadcast(&l->done);
    }
    pthread_mutex_unlock(&l->lock);
    free(w->scratch);
    free(w);
    return NULL;
}

static int start_worker(Loader *l, Error *e)
{
    Worker *w = calloc(1, sizeof *w);
    if (w != NULL)
        *w = (Worker){l, malloc(2 * l->info->sample_bytes)};
    if (w == NULL || w->scratch == NULL) {
        free(w);
        return error_memory(e, "a loader thread", 2 * l->info->sample_bytes);
    }
    if (pthread_create(&l->threads[l->started], NULL, worker_main, w) != 0) {
        free(w->scratch);
        free(w);
        return error_set(e, HONE_ERR_MEMORY, "cannot start loader thread %d of %d", l->started + 1,
                         l->options.threads);
    }
    l->started++;
    return HONE_OK;
}

/* On cache lines of its own, and one line more. */
static void *alloc_lines(size_t bytes)
{
    return bytes > SIZE_MAX - 127 ? NULL : aligned_alloc(64, (bytes + 127) / 64 * 64);
}

/* One batch of `values` pixels. */
static int alloc_slot(Slot *s, size_t batch, size_t values, bool mixes, Error *e)
{
    s->x = alloc_lines(values * sizeof *s->x);
    s->pixels = alloc_lines(values);
    s->labels = alloc_lines(batch * sizeof *s->labels);
    s->indices = alloc_lines(batch * sizeof *s->indices);
    if (s->x == NULL || s->pixels == NULL || s->labels == NULL || s->indices == NULL)
        return error_memory(e, "a prefetched batch", values * (sizeof *s->x + 1));
    if (!mixes)
        return HONE_OK;
    s->others = alloc_lines(batch * sizeof *s->others);
    s->shares = alloc_lines(batch * sizeof *s->shares);
    if (s->others == NULL || s->shares == NULL)
        return error_memory(e, "a prefetched batch", batch * sizeof *s->others);
    return HONE_OK;
}

static int alloc_slots(Loader *l, Error *e)
{
    size_t batch = (size_t)l->options.batch;
    l->slots = calloc((size_t)l->depth, sizeof *l->slots);
    if (l->slots == NULL || l->info->sample_bytes > SIZE_MAX / sizeof(Real) / batch)
        return error_memory(e, "the loader", (size_t)l->depth * sizeof *l->slots);
    size_t values = batch * l->info->sample_bytes;
    for (int i = 0; i < l->depth; i++) {
        int status = alloc_slot(&l->slots[i], batch, values, l->mixes, e);
        if (status != HONE_OK)
            return status;
    }
    if (l->options.training) {
        l->order = alloc_lines((size_t)l->samples * sizeof *l->order);
        if (l->order == NULL)
            return error_memory(e, "the order of an epoch", (size_t)l->samples * sizeof *l->order);
    }
    l->threads = calloc((size_t)l->options.threads, sizeof *l->threads);
    if (l->threads == NULL)
        return error_memory(e, "the loader", (size_t)l->options.threads * sizeof *l->threads);
    return HONE_OK;
}

/* Which changes of pixels and of recordings there are, if any. */
static int resolve_augment(Loader *l, Error *e)
{
    LoaderOptions *o = &l->options;
    const AugmentOptions *asked = o->training ? o->augment : NULL;
    o->augment = NULL;
    if (asked == NULL)
        return HONE_OK;
    l->augment = *asked;
    if (!augment_is_identity(&l->augment))
        o->augment = &l->augment;
    l->mixes = l->augment.mixup > 0;
    if (clip_augment_is_identity(&l->augment.audio))
        return HONE_OK;
    if (!dataset_can_vary(l->dataset))
        return error_set(e, HONE_ERR_CONFIG,
                         "augment.audio is for recordings, which data set '%s' does not have",
                         l->info->kind);
    l->vary = (DatasetVary){&l->augment.audio, o->seed};
    return HONE_OK;
}

/* Fills in defaults and sizes. */
/* The options with what was left out. */
static LoaderOptions completed(const LoaderOptions *options)
{
    LoaderOptions all = *options, *o = &all;
    assert(o->batch > 0 && o->epochs >= 0 && o->limit >= 0);
    assert(o->threads >= 0 && o->threads <= LOADER_THREADS_MAX);
    assert(o->ahead >= 0 && o->ahead <= LOADER_AHEAD_MAX);
    o->threads = o->threads > 0 ? o->threads : 1;
    o->ahead = o->ahead > 0 ? o->ahead : DEFAULT_AHEAD;
    if (!o->training && o->epochs == 0)
        o->epochs = 1;
    return all;
}

static int resolve(Loader *l, const Dataset *dataset, const LoaderOptions *options, Error *e)
{
    LoaderOptions *o = &l->options;
    *o = completed(options);
    l->dataset = dataset;
    l->info = dataset_info(dataset);
    l->samples = l->info->count[o->split];
    if (o->limit > 0 && o->limit < l->samples)
        l->samples = o->limit;
    l->steps = (l->samples + (o->training ? 0 : o->batch - 1)) / o->batch;
    l->depth = o->ahead + 1;
    l->order_epoch = -1;
    int status = resolve_augment(l, e);
    if (status != HONE_OK)
        return status;
    if (l->steps == 0)
        return error_set(e, HONE_ERR_CONFIG,
                         "train.batch: %d is more than the %" PRId64 " training images of '%s'",
                         o->batch, l->samples, l->info->kind);
    if (l->samples > UINT32_MAX)
        return error_set(e, HONE_ERR_CONFIG,
                         "dataset '%s': %" PRId64 " images are more than a loader can number",
                         l->info->kind, l->samples);
    return HONE_OK;
}

int loader_new(Loader **loader, const Dataset *dataset, const LoaderOptions *options, Error *e)
{
    *loader = NULL;
    Loader *l = calloc(1, sizeof *l);
    if (l == NULL)
        return error_memory(e, "the loader", sizeof *l);
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->work, NULL);
    pthread_cond_init(&l->done, NULL);
    int status = resolve(l, dataset, options, e);
    if (status == HONE_OK)
        status = alloc_slots(l, e);
    while (status == HONE_OK && l->started < l->options.threads)
        status = start_worker(l, e);
    if (status != HONE_OK) {
        loader_free(l);
        return status;
    }
    *loader = l;
    return HONE_OK;
}

void loader_free(Loader *l)
{
    if (l == NULL)
        return;
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    for (int i = 0; i < l->started; i++)
        pthread_join(l->threads[i], NULL);
    for (int i = 0; l->slots != NULL && i < l->depth; i++) {
        free(l->slots[i].x);
        free(l->slots[i].pixels);
        free(l->slots[i].labels);
        free(l->slots[i].others);
        free(l->slots[i].shares);
        free(l->slots[i].indices);
    }
    free(l->slots);
    free(l->order);
    free(l->threads);
    pthread_cond_destroy(&l->done);
    pthread_cond_destroy(&l->work);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

int64_t loader_steps(const Loader *l)
{
    return l->steps;
}

int loader_start(Loader *l, int64_t epoch, int64_t step, Error *e)
{
    if (epoch < 0 || step < 0 || step > l->steps)
        return error_set(e, HONE_ERR_CONFIG,
                         "dataset '%s': cannot start at epoch %" PRId64 ", step %" PRId64
                         ": an epoch has %" PRId64 " steps",
                         l->info->kind, epoch, step, l->steps);
    pthread_mutex_lock(&l->lock);
    l->running = false;
    while (l->busy > 0)
        pthread_cond_wait(&l->done, &l->lock);
    for (int i = 0; i < l->depth; i++)
        l->slots[i].ready = false;
    l->epoch = step == l->steps ? epoch + 1 : epoch;
    l->step = step == l->steps ? 0 : step;
    l->claimed = 0;
    l->taken = 0;
    l->running = true;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    return HONE_OK;
}

int loader_next(Loader *l, const Batch **batch, Error *e)
{
    int status = HONE_OK;
    *batch = NULL;
    pthread_mutex_lock(&l->lock);
    assert(l->running);
    if (l->taken == l->claimed && ended(l))
        goto out;
    Slot *s = &l->slots[l->taken % (uint64_t)l->depth];
    /* Before its claim the slot may hold a ready batch of one round ago, so both are asked. */
    while (l->taken == l->claimed || !s->ready)
        pthread_cond_wait(&l->done, &l->lock);
    status = s->status;
    if (status != HONE_OK) {
        error_set(e, status, "%s", s->error.text);
        goto out;
    }
    *batch = &s->batch;
    l->taken++; /* which frees the batch lent before */
    pthread_cond_broadcast(&l->work);
out:
    pthread_mutex_unlock(&l->lock);
    return status;
}
