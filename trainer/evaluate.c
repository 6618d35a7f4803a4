/* Figures of a model: see evaluate.h. SPDX-License-Identifier: Apache-2.0 */
#include "trainer/evaluate.h"

#include "trainer/split.h"

#include <stdlib.h>
#include <string.h>

/* ---- the model ---- */

typedef struct ModelJob {
    const Session *s;
    Exec *exec;
    const EvaluateOptions *options;
    const Value *logits; /* whose tensor is read */
    double *row;         /* [outputs] */
    int outputs;
    Scorer score;
} ModelJob;

/* Rows of the batch that no image fills keep what they have; nobody reads their outputs. */
static void fill_images(const ModelJob *job, const Batch *b)
{
    Tensor *image = exec_tensor(job->exec, job->s->model.image);
    size_t n = (size_t)b->count * dataset_info(job->s->dataset)->sample_bytes;
    if (job->options->mode.integer) {
        int8_t *codes = image->data;
        for (size_t i = 0; i < n; i++)
            codes[i] = (int8_t)(b->pixels[i] - 128);
    } else {
        memcpy(image->data, b->x, n * sizeof *b->x);
    }
}

static void read_row(const ModelJob *job, int image)
{
    const Tensor *t = exec_tensor(job->exec, job->logits);
    size_t first = (size_t)image * (size_t)job->outputs;
    if (job->options->mode.integer) {
        Grid g = job->options->plan->layers[job->logits->producer->index].out;
        scorer_outputs((const int8_t *)t->data + first, (size_t)job->outputs, g, false, job->row);
    } else {
        const Real *real = (const Real *)t->data + first;
        for (int i = 0; i < job->outputs; i++)
            job->row[i] = (double)real[i];
    }
}

static int run_batch(void *context, const Batch *b, Error *e)
{
    ModelJob *job = context;
    size_t pixels = dataset_info(job->s->dataset)->sample_bytes;
    (void)e;
    fill_images(job, b);
    exec_forward(job->exec);
    for (int i = 0; i < b->count; i++) {
        read_row(job, i);
        scorer_add(&job->score, job->row, b->pixels + (size_t)i * pixels, b->labels[i]);
        if (job->options->each)
            job->options->each(job->options->context, b, i, job->row);
    }
    return HONE_OK;
}

/* No row counts for the graph's own loss, which is not read here. */
static void clear_labels(const ModelJob *job, int batch)
{
    Tensor *t = exec_tensor(job->exec, job->s->model.labels);
    for (int i = 0; t && i < batch; i++)
        ((int32_t *)t->data)[i] = -1;
}

static int open_job(ModelJob *job, int64_t images, Error *e)
{
    size_t bytes = (size_t)job->outputs * sizeof *job->row;
    job->row = malloc(bytes);
    if (!job->row)
        return error_memory(e, "an evaluation", bytes);
    return scorer_open(&job->score, &job->s->config->options->train.loss, job->outputs, images, e);
}

int evaluate_model(Evaluation *v, const Session *s, const EvaluateOptions *options, Error *e)
{
    ModelJob job = {.s = s,
                    .options = options,
                    .logits = options->mode.integer ? integer_source(s->logits) : s->logits,
                    .outputs = session_outputs(s)};
    int batch = options->batch ? options->batch : (int)s->config->options->eval.batch;
    SplitWalk walk = {s->dataset,     options->split, batch,
                      options->limit, "evaluation",   options->events};
    *v = (Evaluation){.figures = figures_none()};
    int status = open_job(&job, split_images(&walk), e);
    if (status == HONE_OK)
        status = session_compile(s, &job.exec, options->mode, batch, options->plan, e);
    if (status == HONE_OK) {
        clear_labels(&job, batch);
        status = split_walk(&walk, run_batch, &job, e);
        scorer_finish(&job.score, v);
    }
    exec_free(job.exec);
    scorer_close(&job.score);
    free(job.row);
    return status;
}

int evaluate_integer(Evaluation *v, const Session *s, const EvaluateOptions *options, Error *e)
{
    IntegerPlan plan;
    EvaluateOptions o = *options;
    const uint32_t profile = export_profile(&s->config->options->export, 0);
    int status = integer_plan_new(&plan, &s->graph, &s->params, &s->compute, profile, e);
    if (status != HONE_OK)
        return status;
    o.mode = (Mode){.integer = true};
    o.plan = &plan;
    status = evaluate_model(v, s, &o, e);
    integer_plan_free(&plan);
    return status;
}
