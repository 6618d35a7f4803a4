/* Accuracy and loss: see evaluate.h. SPDX-License-Identifier: Apache-2.0 */
#include "trainer/evaluate.h"

#include "trainer/split.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- one image ---- */

#define LEAST_PROBABILITY (1.0 / 512)

void evaluation_logits(const int8_t *codes, int classes, Grid grid, bool softmax, double *row)
{
    for (int k = 0; k < classes; k++) {
        const double v = (double)grid.scale * (codes[k] - grid.zero_point);
        row[k] = !softmax ? v : log(v > LEAST_PROBABILITY ? v : LEAST_PROBABILITY);
    }
}

void evaluation_add(Evaluation *v, const double *logits, int classes, int32_t label)
{
    int top = 0;
    double sum = 0;
    for (int i = 1; i < classes; i++)
        if (logits[i] > logits[top])
            top = i;
    for (int i = 0; i < classes; i++)
        sum += exp(logits[i] - logits[top]);
    v->loss += logits[top] - logits[label] + log(sum);
    v->correct += top == label;
    v->n++;
}

void evaluation_finish(Evaluation *v)
{
    double n = v->n > 0 ? (double)v->n : 1;
    v->accuracy = (double)v->correct / n;
    v->loss /= n;
}

/* ---- the model ---- */

typedef struct ModelJob {
    const Session *s;
    Exec *exec;
    const EvaluateOptions *options;
    const Value *logits; /* whose tensor is read */
    double *row;         /* [classes] */
    int classes;
    Evaluation *v;
} ModelJob;

/* Rows of the batch that no image fills keep what they have; nobody reads their logits. */
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
    size_t first = (size_t)image * (size_t)job->classes;
    if (job->options->mode.integer) {
        Grid g = job->options->plan->layers[job->logits->producer->index].out;
        evaluation_logits((const int8_t *)t->data + first, job->classes, g, false, job->row);
    } else {
        const Real *real = (const Real *)t->data + first;
        for (int i = 0; i < job->classes; i++)
            job->row[i] = (double)real[i];
    }
}

static int run_batch(void *context, const Batch *b, Error *e)
{
    const ModelJob *job = context;
    (void)e;
    fill_images(job, b);
    exec_forward(job->exec);
    for (int i = 0; i < b->count; i++) {
        read_row(job, i);
        evaluation_add(job->v, job->row, job->classes, b->labels[i]);
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

int evaluate_model(Evaluation *v, const Session *s, const EvaluateOptions *options, Error *e)
{
    ModelJob job = {.s = s,
                    .options = options,
                    .logits = options->mode.integer ? integer_source(s->logits) : s->logits,
                    .classes = dataset_info(s->dataset)->classes,
                    .v = v};
    int batch = options->batch ? options->batch : (int)s->config->options->eval.batch;
    SplitWalk walk = {s->dataset,     options->split, batch,
                      options->limit, "evaluation",   options->events};
    *v = (Evaluation){0};
    job.row = malloc((size_t)job.classes * sizeof *job.row);
    if (!job.row)
        return error_memory(e, "an evaluation", (size_t)job.classes * sizeof *job.row);
    int status = session_compile(s, &job.exec, options->mode, batch, options->plan, e);
    if (status == HONE_OK) {
        clear_labels(&job, batch);
        status = split_walk(&walk, run_batch, &job, e);
        evaluation_finish(v);
    }
    exec_free(job.exec);
    free(job.row);
    return status;
}

int evaluate_integer(Evaluation *v, const Session *s, const EvaluateOptions *options, Error *e)
{
    IntegerPlan plan;
    EvaluateOptions o = *options;
    int status = integer_plan_new(&plan, &s->graph, &s->params, &s->compute, e);
    if (status != HONE_OK)
        return status;
    o.mode = (Mode){.integer = true};
    o.plan = &plan;
    status = evaluate_model(v, s, &o, e);
    integer_plan_free(&plan);
    return status;
}
