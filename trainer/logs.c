/* metrics.jsonl and event files: see logs.h. SPDX-License-Identifier: Apache-2.0 */
#include "trainer/logs.h"

#include "trainer/survey.h"

#include <math.h>
#include <stdio.h>

void logs_init(Logs *l, const ReportOptions *options)
{
    *l = (Logs){.options = options, .metrics = {.file = -1}, .events = {.file = -1}};
}

int logs_open(Logs *l, const RunDir *dir, int64_t keep, int64_t step, Error *e)
{
    char path[RUNDIR_FILE_BYTES];
    int status = metrics_open(&l->metrics, rundir_file(dir, "metrics.jsonl", path), keep, e);
    if (status == HONE_OK && l->options->tensorboard)
        status = event_file_open(&l->events, dir->path, step, e);
    return status;
}

void logs_close(Logs *l)
{
    metrics_close(&l->metrics);
    event_file_close(&l->events);
}

int logs_step(Logs *l, const StepReport *r, Error *e)
{
    EventFile *f = &l->events;
    if (l->options->tensorboard) {
        event_scalar(f, r->step, "loss/train", r->loss);
        if (r->distilled) {
            event_scalar(f, r->step, "loss/labels", r->hard_loss);
            event_scalar(f, r->step, "loss/teacher", r->soft_loss);
        }
        event_scalar(f, r->step, "lr", r->lr);
        event_scalar(f, r->step, "images_per_s", r->images_per_s);
        int status = event_file_flush(f, e);
        if (status != HONE_OK)
            return status;
    }
    return metrics_step(&l->metrics, r, e);
}

static void add_tensor(EventFile *f, int64_t step, const char *kind, const char *layer,
                       const SurveyTensor *t)
{
    char tag[160];
    if (t->histogram.count == 0)
        return;
    snprintf(tag, sizeof tag, "%s/%s", kind, layer);
    event_histogram(f, step, tag, &t->histogram);
    snprintf(tag, sizeof tag, "%s_low/%s", kind, layer);
    event_scalar(f, step, tag, t->low);
    snprintf(tag, sizeof tag, "%s_high/%s", kind, layer);
    event_scalar(f, step, tag, t->high);
    snprintf(tag, sizeof tag, "%s_sqnr/%s", kind, layer);
    if (isfinite(t->sqnr))
        event_scalar(f, step, tag, t->sqnr);
}

static int add_survey(EventFile *f, int64_t step, const Session *s, bool quantized, Error *e)
{
    Survey v;
    int status = survey_new(&v, s, quantized, e);
    if (status != HONE_OK)
        return status;
    for (int i = 0; i < v.count; i++) {
        add_tensor(f, step, "weights", v.layers[i].node->name, &v.layers[i].weights);
        add_tensor(f, step, "outputs", v.layers[i].node->name, &v.layers[i].output);
    }
    survey_free(&v);
    return HONE_OK;
}

int logs_epoch(Logs *l, const EpochReport *r, const Session *s, bool quantized, Error *e)
{
    EventFile *f = &l->events;
    int status = metrics_epoch(&l->metrics, r, e);
    if (status != HONE_OK || !l->options->tensorboard)
        return status;
    if (r->train_accuracy >= 0)
        event_scalar(f, r->step, "accuracy/train", r->train_accuracy);
    event_scalar(f, r->step, "sparsity", r->sparsity);
    if (r->evaluated) {
        event_scalar(f, r->step, "loss/test", r->test_loss);
        if (r->test_figures.accuracy >= 0)
            event_scalar(f, r->step, "accuracy/test", r->test_figures.accuracy);
        if (r->test_figures.auc >= 0)
            event_scalar(f, r->step, "auc/test", r->test_figures.auc);
    }
    if (l->options->histograms)
        status = add_survey(f, r->step, s, quantized, e);
    return status == HONE_OK ? event_file_flush(f, e) : status;
}

int logs_phase(Logs *l, const PhaseReport *r, Error *e)
{
    return metrics_phase(&l->metrics, r, e);
}
