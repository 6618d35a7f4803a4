/* A run from folder to summary: see train.h. SPDX-License-Identifier: Apache-2.0 */
#include "trainer/train.h"

#include "core/file.h"
#include "trainer/loop.h"
#include "trainer/peer.h"
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
    l->saved = l->progress.step;
    checkpoint_close(&c);
    return status;
}

/* Finds the folder and, where it holds a checkpoint, takes up the state in it. */
static int open_folder(Loop *l, const TrainRequest *request, Error *e)
{
    int status = rundir_open(&l->dir, l->o->name, request->out, request->resume, e);
    if (status == HONE_OK)
        status = rundir_lock(&l->dir, e);
    return status == HONE_OK && l->dir.resumed ? resume(l, e) : status;
}

/* Whether nothing is left to do in the folder. */
static bool is_finished(const Loop *l)
{
    return l->progress.complete && rundir_has(&l->dir, "summary.json");
}

static int start_writing(Loop *l, Error *e)
{
    int status = logs_open(&l->logs, &l->dir, l->progress.metrics_bytes, l->progress.step, e);
    if (status == HONE_OK && !l->dir.resumed)
        status = write_config(l, e);
    l->started = speed_now() - l->progress.seconds;
    return status;
}

/* ---- the baseline ---- */

/* Figures of the configuration's baseline on this run's test set. */
static int evaluate_baseline(const Loop *l, Figures *figures, Error *e)
{
    Peer baseline;
    Evaluation v = {0};
    int status = peer_open(&baseline, l->o->baseline, l->s, "baseline", e);
    if (status != HONE_OK)
        return status;
    status = peer_evaluate(&baseline, l->s, &v, l->events, e);
    *figures = v.figures;
    peer_close(&baseline);
    return status;
}

/* ---- the teacher ---- */

/* Refuses a teacher that is not the one a resumed run had, and measures it. */
static int introduce_teacher(Loop *l, Figures *figures, Error *e)
{
    const Teacher *t = &l->teacher;
    Progress *p = &l->progress;
    Evaluation v;
    int64_t mark = teacher_mark(t);
    if (p->teacher_mark != 0 && p->teacher_mark != mark)
        return error_set(e, HONE_ERR_CONFIG,
                         "the teacher %s is not the one that taught the first %lld steps of %s",
                         t->peer.path, (long long)p->step, l->dir.path);
    p->teacher_mark = mark;
    int status = peer_evaluate(&l->teacher.peer, l->s, &v, l->events, e);
    if (status != HONE_OK)
        return status;
    *figures = v.figures;
    events_message(l->events, "teacher %s: %s, %s %s on the test set", t->peer.path,
                   model_arch_name(&t->peer.checkpoint.config.options->model),
                   figures_name(&v.figures), figures_text(&v.figures).text);
    return HONE_OK;
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
    m->backward = config_backward_name(l->s->config);
    m->params = graph_trained(&l->s->graph);
    m->macs = graph_macs(&l->s->graph);
    m->steps = l->phases.total;
    m->classifies = session_classifies(l->s);
    m->ptq_figures = p->ptq_figures;
    m->best_figures = p->best_figures;
    m->best_step = p->best_step;
    m->qat_figures = m->int8_figures = figures_none();
    m->images_per_s = p->images_per_s;
    m->ema = l->o->train.optimizer.ema;
    m->sparsity = float_sparsity(l->s);
    if (l->o->baseline) {
        snprintf(m->float_source, sizeof m->float_source, "%s", l->o->baseline);
        return; /* its figures are there already */
    }
    m->float_figures = l->o->qat.present ? p->float_figures : p->test_figures;
    rundir_file(&l->dir, source, m->float_source);
}

static void fill_export(Summary *m, const Finish *f)
{
    m->exported = m->bit_exact = true;
    m->qat_figures = f->artifacts[0].proof.trained.figures;
    m->int8_figures = f->artifacts[0].proof.artifact.figures;
    m->sparsity = f->sparsity;
    m->artifact_count = f->count;
    for (int i = 0; i < f->count; i++) {
        m->artifacts[i] = f->artifacts[i];
        m->bit_exact = m->bit_exact && f->artifacts[i].proof.prove.mismatches == 0;
        m->compared += f->artifacts[i].proof.prove.compared;
    }
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
    m->unquantized_figures = v.figures;
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

/* What a failure means for the run. */
static int explain(const Loop *l, int status, Error *e)
{
    Error had = *e;
    if (status == HONE_ERR_INTERRUPTED && l->saved >= 0) {
        *e = (Error){0};
        return loop_check_stop(l, e);
    }
    if (status == HONE_ERR_IO && l->saved >= 0) {
        *e = (Error){0};
        return error_set(e, status, "%.320s; the state after step %lld is safe in %s/last.h5",
                         had.text, (long long)l->saved, l->dir.path);
    }
    return status;
}

/* From wherever the folder stands to the summary. */
static int go_on(Loop *l, Summary *summary, Error *e)
{
    int status = HONE_OK;
    summary->teacher_figures = figures_none();
    if (l->o->distill.present)
        status = introduce_teacher(l, &summary->teacher_figures, e);
    if (status == HONE_OK)
        status = loop_run(l, e);
    exec_free(l->exec);
    l->exec = NULL;
    if (status == HONE_OK)
        status = finish(l, summary, e);
    return status == HONE_OK ? status : explain(l, status, e);
}

/* The other runs that this one names, which a finished one no longer needs. */
static int open_peers(Loop *l, Summary *summary, Error *e)
{
    int status = l->o->baseline ? evaluate_baseline(l, &summary->float_figures, e) : HONE_OK;
    if (status == HONE_OK && l->o->distill.present)
        status = teacher_open(&l->teacher, l->s, e);
    return status;
}

int train_run(Session *s, const TrainRequest *request, Summary *summary, Error *e)
{
    Loop l = {0};
    *summary = (Summary){0};
    int status = loop_init(&l, s, request, e);
    if (status == HONE_OK && !request->resume) /* a refusal leaves no folder behind */
        status = open_peers(&l, summary, e);
    if (status == HONE_OK)
        status = open_folder(&l, request, e);
    snprintf(summary->folder, sizeof summary->folder, "%s", l.dir.path);
    if (status == HONE_OK && !is_finished(&l)) {
        if (request->resume)
            status = open_peers(&l, summary, e);
        if (status == HONE_OK)
            status = start_writing(&l, e);
        if (status == HONE_OK)
            status = go_on(&l, summary, e);
    }
    loop_release(&l);
    return status;
}
