/* Accuracy and loss of an artifact in the runtime: see evaluate.h. Each worker runs a model of its
 * own on whole images; losses are summed in the order of the images.
 * SPDX-License-Identifier: Apache-2.0 */
#include "trainer/evaluate.h"

#include "export/describe.h"
#include "runtime/runtime.h"
#include "trainer/split.h"

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
    size_t pixels; /* of an image */
    int classes;
    Grid grid;            /* of the outputs ... */
    bool softmax;         /* ... which are probabilities */
    int8_t *outputs;      /* [batch][classes] */
    HoneRtStatus *status; /* [batch] */
    double *row;          /* [classes] */
    const Batch *batch;
    Evaluation *v;
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

static int check_data(const HoneRtModel *m, const DatasetInfo *d, Error *e)
{
    const HoneRtTensor *in = hone_rt_input(m);
    size_t classes = hone_rt_elements(hone_rt_output(m));
    if ((int)in->h != d->height || (int)in->w != d->width || (int)in->c != d->channels)
        return error_set(e, HONE_ERR_CONFIG,
                         "the artifact takes images of [%d, %d, %d], those of '%s' are "
                         "[%d, %d, %d]",
                         (int)in->h, (int)in->w, (int)in->c, d->kind, d->height, d->width,
                         d->channels);
    if (classes != (size_t)d->classes)
        return error_set(e, HONE_ERR_CONFIG, "the artifact tells %zu classes apart, '%s' has %d",
                         classes, d->kind, d->classes);
    return HONE_OK;
}

static int open_job(ArtifactJob *job, const Dataset *dataset, const void *bytes, size_t count,
                    int batch, Error *e)
{
    const DatasetInfo *info = dataset_info(dataset);
    size_t classes = (size_t)info->classes;
    int status = HONE_OK;
    job->worker_count = threads_count(job->compute->threads);
    job->classes = info->classes;
    job->pixels = info->sample_bytes;
    job->workers = calloc((size_t)job->worker_count, sizeof *job->workers);
    job->outputs = malloc((size_t)batch * classes);
    job->status = calloc((size_t)batch, sizeof *job->status);
    job->row = malloc(classes * sizeof *job->row);
    if (!job->workers || !job->outputs || !job->status || !job->row)
        return error_memory(e, "an evaluation", (size_t)batch * classes);
    for (int i = 0; i < job->worker_count && status == HONE_OK; i++)
        status = open_worker(&job->workers[i], job->compute, bytes, count, e);
    if (status != HONE_OK)
        return status;
    Description d;
    status = describe_artifact(&d, bytes, count, e);
    if (status != HONE_OK)
        return status;
    job->grid = (Grid){d.output.scale, d.output.zero_point};
    job->softmax = d.softmax;
    describe_release(&d);
    return check_data(&job->workers[0].model, info, e);
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
        hone_rt_run(&w->model, w->input, job->outputs + (size_t)image * (size_t)job->classes);
}

static int run_batch(void *context, const Batch *b, Error *e)
{
    ArtifactJob *job = context;
    job->batch = b;
    threads_run(job->compute->threads, b->count, run_image, job);
    for (int i = 0; i < b->count; i++) {
        const int8_t *codes = job->outputs + (size_t)i * (size_t)job->classes;
        if (job->status[i] != HONE_RT_OK)
            return refused(job->status[i], e);
        evaluation_logits(codes, job->classes, job->grid, job->softmax, job->row);
        evaluation_add(job->v, job->row, job->classes, b->labels[i]);
    }
    return HONE_OK;
}

int evaluate_artifact(Evaluation *v, const Compute *compute, const Dataset *dataset,
                      const void *bytes, size_t count, const EvaluateOptions *options, Error *e)
{
    ArtifactJob job = {.compute = compute, .v = v};
    int batch = options->batch ? options->batch : DEFAULT_BATCH;
    SplitWalk walk = {dataset,        options->split, batch,
                      options->limit, "evaluation",   options->events};
    *v = (Evaluation){0};
    int status = open_job(&job, dataset, bytes, count, batch, e);
    if (status == HONE_OK)
        status = split_walk(&walk, run_batch, &job, e);
    evaluation_finish(v);
    close_job(&job);
    return status;
}
