/* A run from folder to summary: see train.h. SPDX-License-Identifier: Apache-2.0 */
#include "trainer/train.h"

#include "core/file.h"
#include "trainer/loop.h"
#include "trainer/report.h"

#include <stdio.h>

/* ---- the folder ---- */

static int write_config(const Loop *l, Error *e)
{
    char path[RUNDIR_FILE_BYTES];
    Text text = {0};
    config_print(l->s->config, &text);
    int status = text_failed(&text) ? error_memory(e, "the configuration", text.room)
                                    : file_write_atomic(rundir_file(&l->dir, "config.yaml", path),
                                                        text.data, text.length, e);
    text_release(&text);
    return status;
}

static int resume(Loop *l, Error *e)
{
    char path[RUNDIR_FILE_BYTES];
    Checkpoint c;
    Error inner = {0};
    int status = checkpoint_open(&c, rundir_file(&l->dir, "last.h5", path), NULL, 0, e);
    if (status != HONE_OK)
        return status;
    if (config_same(l->s->config, &c.config, &inner) != HONE_OK)
        status = error_set(e, inner.code, "%s was made with another configuration: %s", path,
                           inner.text);
    if (status == HONE_OK)
        status = checkpoint_restore(&c, l->s, l->optimizer, l->pruner, e);
    if (status == HONE_OK)
        l->progress = c.progress;
    checkpoint_close(&c);
    return status;
}

/* Checks that cannot be made later without cost come before anything is written. */
static int open_folder(Loop *l, const TrainRequest *request, Error *e)
{
    int status = rundir_open(&l->dir, l->o->name, request->out, request->resume, e);
    if (status == HONE_OK && l->dir.resumed)
        status = resume(l, e);
    if (status == HONE_OK && !(l->progress.complete && rundir_has(&l->dir, "summary.json")))
        status = logs_open(&l->logs, &l->dir, l->progress.metrics_bytes, l->progress.step, e);
    if (status == HONE_OK && !l->dir.resumed)
        status = write_config(l, e);
    l->started = speed_now() - l->progress.seconds;
    return status;
}

/* ---- the baseline ---- */

static int same_task(const Session *s, const Session *other, const char *path, Error *e)
{
    char a[SHAPE_TEXT_BYTES], b[SHAPE_TEXT_BYTES];
    Shape mine = s->model.image->shape, theirs = other->model.image->shape;
    if (shape_equal(mine, theirs) &&
        shape_equal(s->model.logits->shape, other->model.logits->shape))
        return HONE_OK;
    return error_set(e, HONE_ERR_CONFIG,
                     "baseline %s takes images %s and tells %d classes apart, here they are %s and "
                     "%d",
                     path, shape_text(theirs, a), shape_channels(other->model.logits->shape),
                     shape_text(mine, b), shape_channels(s->model.logits->shape));
}

/* Accuracy of the configuration's baseline on this run's test set. */
static int evaluate_baseline(const Loop *l, double *accuracy, Error *e)
{
    Checkpoint c;
    Session other;
    Evaluation v = {0};
    EvaluateOptions how = {.split = DATASET_TEST, .events = l->events};
    SessionOptions options = {.threads = threads_count(l->s->compute.threads),
                              .level = l->s->compute.integer->name,
                              .without_data = true};
    int status = checkpoint_open(&c, l->o->baseline, NULL, 0, e);
    if (status != HONE_OK)
        return status;
    status = session_open(&other, &c.config, &options, e);
    if (status == HONE_OK) {
        status = same_task(l->s, &other, l->o->baseline, e);
        if (status == HONE_OK)
            status = checkpoint_restore(&c, &other, NULL, NULL, e);
        if (status == HONE_OK) {
            other.dataset = l->s->dataset; /* lent for the evaluation */
            status = evaluate_model(&v, &other, &how, e);
            other.dataset = NULL;
        }
        session_close(&other);
    }
    *accuracy = v.accuracy;
    checkpoint_close(&c);
    return status;
}

/* ---- the summary ---- */

static double float_sparsity(const Session *s)
{
    int64_t zeros = 0, all = 0;
    for (int i = 0; i < s->graph.param_count; i++) {
        const Param *p = s->graph.params[i];
        const Real *w = params_at(&s->params, p);
        for (size_t k = 0; p->role == PARAM_WEIGHT && k < p->count; k++)
            zeros += w[k] == 0;
        all += p->role == PARAM_WEIGHT ? (int64_t)p->count : 0;
    }
    return all ? (double)zeros / (double)all : 0;
}

static void fill_summary(Summary *m, const Loop *l)
{
    const Progress *p = &l->progress;
    const char *source = l->o->qat.present ? "float.h5" : "last.h5";
    m->name = l->o->name;
    m->seed = l->o->seed;
    m->threads = threads_count(l->s->compute.threads);
    m->params = graph_trained(&l->s->graph);
    m->macs = graph_macs(&l->s->graph);
    m->steps = l->phases.total;
    m->ptq_accuracy = p->ptq_accuracy;
    m->qat_accuracy = m->int8_accuracy = ACCURACY_NONE;
    m->images_per_s = p->images_per_s;
    m->sparsity = float_sparsity(l->s);
    if (l->o->baseline) {
        snprintf(m->float_source, sizeof m->float_source, "%s", l->o->baseline);
        return; /* its accuracy is there already */
    }
    m->float_accuracy = l->o->qat.present ? p->float_accuracy : p->test_accuracy;
    rundir_file(&l->dir, source, m->float_source);
}

static void fill_export(Summary *m, const Finish *f)
{
    m->exported = true;
    m->qat_accuracy = f->proof.trained.accuracy;
    m->int8_accuracy = f->proof.artifact.accuracy;
    m->bit_exact = f->proof.prove.mismatches == 0;
    m->compared = f->proof.prove.compared;
    m->sparsity = f->sparsity;
    m->artifact = f->artifact;
}

/* After the last step: export where the model is quantized, and summary.json. */
static int finish(Loop *l, Summary *m, Error *e)
{
    char path[RUNDIR_FILE_BYTES];
    Finish f;
    Evaluation v;
    PhaseReport report = {"export", l->phases.epochs, l->phases.total,
                          "writing the artifact and proving it"};
    int status = loop_check_stop(l, e);
    if (status == HONE_OK)
        status = loop_evaluate(l, false, &v, e);
    if (status != HONE_OK)
        return status;
    fill_summary(m, l);
    m->unquantized_accuracy = v.accuracy;
    if (l->o->qat.present) {
        if (l->events->phase)
            l->events->phase(l->events->context, &report);
        status = finish_run(&f, l->s, l->dir.path, l->events, e);
        if (status != HONE_OK)
            return status;
        fill_export(m, &f);
    }
    m->peak_rss_bytes = summary_peak_rss_bytes();
    m->seconds = speed_now() - l->started;
    if (l->o->report.page)
        status = report_write(l->s, m, &l->dir, l->events, e);
    return status == HONE_OK ? summary_write(m, rundir_file(&l->dir, "summary.json", path), e)
                             : status;
}

int train_run(Session *s, const TrainRequest *request, Summary *summary, Error *e)
{
    Loop l = {0};
    *summary = (Summary){0};
    int status = loop_init(&l, s, request, e);
    if (status == HONE_OK && l.o->baseline)
        status = evaluate_baseline(&l, &summary->float_accuracy, e);
    if (status == HONE_OK)
        status = open_folder(&l, request, e);
    if (status == HONE_OK) {
        snprintf(summary->folder, sizeof summary->folder, "%s", l.dir.path);
        if (logs_are_open(&l.logs)) { /* else the run was finished before */
            status = loop_run(&l, e);
            exec_free(l.exec);
            l.exec = NULL;
            if (status == HONE_OK)
                status = finish(&l, summary, e);
        }
    }
    loop_release(&l);
    return status;
}
