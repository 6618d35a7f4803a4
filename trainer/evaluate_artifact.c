/* Figures of an artifact in the runtime: see evaluate.h. Each worker runs a model of its
 * own on whole images; losses are summed in the order of the images.
 * SPDX-License-Identifier: Apache-2.0 */
#include "trainer/evaluate.h"

#include "export/describe.h"
#include "runtime/runtime.h"
#include "trainer/split.h"

#include <assert.h>
#include <stdlib.h>

#define DEFAULT_BATCH 100
#define ARENA_ALIGN   ((size_t)64)

typedef struct Worker {
    HoneRtModel model;
    void *arena;
    int8_t *input; /* codes of one image */
} Worker;

typedef struct ArtifactJob {
    const Compute *compute;
    Worker *workers;
    int worker_count;
    size_t pixels;        /* of an image */
    size_t count;         /* outputs of an image */
    Grid grid;            /* of the outputs ... */
    bool softmax;         /* ... which are probabilities */
    int8_t *outputs;      /* [batch][count] */
    HoneRtStatus *status; /* [batch] */
    double *row;          /* [count] */
    const Batch *batch;
    Scorer score;
} ArtifactJob;

/* ---- opening ---- */

static int refused(HoneRtStatus status, Error *e)
{
    return error_set(e, HONE_ERR_DATA, "the runtime refuses the artifact: %s",
                     hone_rt_status_text(status));
}

static int open_worker(Worker *w, const Compute *compute, const void *bytes, size_t count, Error *e)
{
    HoneRtStatus status = hone_rt_open(&w->model, bytes, count, compute->integer);
    if (status != HONE_RT_OK)
        return refused(status, e);
    size_t room = hone_rt_arena_bytes(&w->model);
    room = (room + ARENA_ALIGN) / ARENA_ALIGN * ARENA_ALIGN;
    w->arena = aligned_alloc(ARENA_ALIGN, room);
    w->input = malloc(hone_rt_elements(hone_rt_input(&w->model)));
    if (!w->arena || !w->input)
        return error_memory(e, "the arena of the artifact", room);
    status = hone_rt_prepare(&w->model, w->arena, room);
    return status == HONE_RT_OK ? HONE_OK : refused(status, e);
}

static int check_data(const HoneRtModel *m, const DatasetInfo *d, LossTarget target, Error *e)
{
    const HoneRtTensor *in = hone_rt_input(m);
    size_t outputs = hone_rt_elements(hone_rt_output(m));
    if ((int)in->h != d->height || (int)in->w != d->width || (int)in->c != d->channels)
        return error_set(
            e, HONE_ERR_CONFIG, "the artifact takes images of %dx%dx%d, those of '%s' are %dx%dx%d",
            (int)in->h, (int)in->w, (int)in->c, d->kind, d->height, d->width, d->channels);
    if (target == LOSS_OF_INPUT && outputs != d->sample_bytes)
        return error_set(e, HONE_ERR_CONFIG,
                         "the artifact gives %zu numbers, images of '%s' have %zu", outputs,
                         d->kind, d->sample_bytes);
    if (target == LOSS_OF_LABELS && outputs != (size_t)d->classes)
        return error_set(e, HONE_ERR_CONFIG, "the artifact tells %zu classes apart, '%s' has %d",
                         outputs, d->kind, d->classes);
    return HONE_OK;
}

/* Opens the workers' models, which say what an output is, and checks that the data is theirs. */
static int open_workers(ArtifactJob *job, const DatasetInfo *info, const void *bytes, size_t count,
                        LossTarget target, Error *e)
{
    int status = HONE_OK;
    job->worker_count = threads_count(job->compute->threads);
    job->workers = calloc((size_t)job->worker_count, sizeof *job->workers);
    if (!job->workers)
        return error_memory(e, "an evaluation", (size_t)job->worker_count * sizeof *job->workers);
    for (int i = 0; i < job->worker_count && status == HONE_OK; i++)
        status = open_worker(&job->workers[i], job->compute, bytes, count, e);
    if (status != HONE_OK)
        return status;
    Description d;
    status = describe_artifact(&d, bytes, count, e);
    if (status != HONE_OK)
        return status;
    const HoneRtTensor *out = hone_rt_output(&job->workers[0].model);
    job->pixels = info->sample_bytes;
    job->count = hone_rt_elements(out);
    job->grid = (Grid){d.output.scale, d.output.zero_point};
    job->softmax = d.softmax;
    describe_release(&d);
    return check_data(&job->workers[0].model, info, target, e);
}

static int open_outputs(ArtifactJob *job, const SplitWalk *walk, const LossOptions *loss, Error *e)
{
    size_t batch = (size_t)walk->batch;
    assert(batch > 0 && job->count > 0); /* the runtime refuses an output without elements */
    job->outputs = malloc(batch * job->count);
    job->status = calloc(batch, sizeof *job->status);
    job->row = malloc(job->count * sizeof *job->row);
    if (!job->outputs || !job->status || !job->row)
        return error_memory(e, "an evaluation", batch * job->count);
    return scorer_open(&job->score, loss, (int)job->count, split_images(walk), e);
}

static void close_job(ArtifactJob *job)
{
    for (int i = 0; job->workers && i < job->worker_count; i++) {
        free(job->workers[i].arena);
        free(job->workers[i].input);
    }
    free(job->workers);
    free(job->outputs);
    free(job->status);
    free(job->row);
    scorer_close(&job->score);
}

/* ---- running ---- */

static void run_image(void *context, int image, int worker)
{
    ArtifactJob *job = context;
    Worker *w = &job->workers[worker];
    const uint8_t *pixels = job->batch->pixels + (size_t)image * job->pixels;
    for (size_t i = 0; i < job->pixels; i++)
        w->input[i] = (int8_t)(pixels[i] - 128);
    job->status[image] =
        hone_rt_run(&w->model, w->input, job->outputs + (size_t)image * job->count);
}

static int run_batch(void *context, const Batch *b, Error *e)
{
    ArtifactJob *job = context;
    job->batch = b;
    threads_run(job->compute->threads, b->count, run_image, job);
    for (int i = 0; i < b->count; i++) {
        const int8_t *codes = job->outputs + (size_t)i * job->count;
        if (job->status[i] != HONE_RT_OK)
            return refused(job->status[i], e);
        scorer_outputs(codes, job->count, job->grid, job->softmax, job->row);
        scorer_add(&job->score, job->row, b->pixels + (size_t)i * job->pixels, b->labels[i]);
    }
    return HONE_OK;
}

int evaluate_artifact(Evaluation *v, const Compute *compute, const Dataset *dataset,
                      const void *bytes, size_t count, const EvaluateOptions *options, Error *e)
{
    ArtifactJob job = {.compute = compute};
    LossTarget target = options->loss ? options->loss->target : LOSS_OF_LABELS;
    int batch = options->batch ? options->batch : DEFAULT_BATCH;
    SplitWalk walk = {dataset,        options->split, batch,
                      options->limit, "evaluation",   options->events};
    *v = (Evaluation){.figures = figures_none()};
    int status = open_workers(&job, dataset_info(dataset), bytes, count, target, e);
    if (status == HONE_OK)
        status = open_outputs(&job, &walk, options->loss, e);
    if (status == HONE_OK)
        status = split_walk(&walk, run_batch, &job, e);
    if (status == HONE_OK)
        scorer_finish(&job.score, v);
    close_job(&job);
    return status;
}
