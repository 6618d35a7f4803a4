/* What a run is at any step, and what can be done with it there: compile, evaluate, save. See loop.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "trainer/loop.h"

#include "trainer/calibrate.h"

#include <stdlib.h>
#include <string.h>

static const TrainEvents no_events = {0};

/* Room for the trained weights while their average stands in their place. */
static int make_aside(Loop *l, Error *e)
{
    const Graph *g = &l->s->graph;
    if (!optimizer_average(l->optimizer))
        return HONE_OK;
    l->aside.value = malloc(g->trained_count * sizeof(Real) + 1);
    l->aside.state = malloc(g->state_count * sizeof(Real) + 1);
    if (!l->aside.value || !l->aside.state)
        return error_memory(e, "the weights' average", g->trained_count * sizeof(Real));
    return HONE_OK;
}

int loop_init(Loop *l, Session *s, const TrainRequest *request, Error *e)
{
    l->s = s;
    l->o = s->config->options;
    l->events = request->events ? request->events : &no_events;
    l->saved = -1;
    rundir_init(&l->dir);
    logs_init(&l->logs, &l->o->report);
    progress_init(&l->progress);
    int status = session_check_batch(s, dataset_info(s->dataset), e);
    if (status == HONE_OK)
        status = speed_init(&l->speed, e);
    if (status == HONE_OK)
        status = training_loader(&l->loader, s, e);
    if (status != HONE_OK)
        return status;
    phases_init(&l->phases, l->o, loader_steps(l->loader));
    status = optimizer_new(&l->optimizer, &l->o->train.optimizer, &s->graph, e);
    if (status == HONE_OK)
        status = make_aside(l, e);
    if (status == HONE_OK && l->o->prune.present)
        status = pruner_new(&l->pruner, &l->o->prune, &s->graph, l->phases.steps_per_epoch,
                            l->phases.total, e);
    return status;
}

void loop_release(Loop *l)
{
    exec_free(l->exec);
    free(l->aside.value);
    free(l->aside.state);
    pruner_free(l->pruner);
    optimizer_free(l->optimizer);
    teacher_close(&l->teacher);
    loader_free(l->loader);
    speed_release(&l->speed);
    rundir_close(&l->dir);
    logs_close(&l->logs);
}

int loop_check_stop(const Loop *l, Error *e)
{
    if (!events_stopped(l->events))
        return HONE_OK;
    return error_set(e, HONE_ERR_INTERRUPTED, "stopped after step %lld of %lld, saved in %s",
                     (long long)l->progress.step, (long long)l->phases.total, l->dir.path);
}

/* ---- doing ---- */

int loop_compile(Loop *l, bool quantize, Error *e)
{
    if (l->exec && l->quantized == quantize)
        return HONE_OK;
    exec_free(l->exec);
    l->exec = NULL;
    l->quantized = quantize;
    l->step_end = 0;
    return session_compile(l->s, &l->exec, (Mode){.training = true, .quantize = quantize},
                           (int)l->o->train.batch, NULL, e);
}

int loop_evaluate(Loop *l, bool integer, Evaluation *v, Error *e)
{
    EvaluateOptions how = {.split = DATASET_TEST, .events = l->events};
    l->step_end = 0;
    return integer ? evaluate_integer(v, l->s, &how, e) : evaluate_model(v, l->s, &how, e);
}

/* ---- saving ---- */

double loop_images_per_s(const Loop *l, double seconds)
{
    return seconds > 0 ? (double)l->o->train.batch / seconds : 0;
}

/* Weights that went bad in the very last step must not replace good ones. */
static int check_weights(const Loop *l, Error *e)
{
    if (compute_finite(&l->s->compute, l->s->params.value, l->s->graph.trained_count))
        return HONE_OK;
    return error_set(e, HONE_ERR_NUMERIC,
                     "after step %lld the weights are not finite; the last checkpoint is untouched",
                     (long long)l->progress.step);
}

int loop_save(Loop *l, const char *file, Error *e)
{
    char path[RUNDIR_FILE_BYTES];
    Progress *p = &l->progress;
    p->seconds = speed_now() - l->started;
    p->metrics_bytes = metrics_bytes(&l->logs.metrics);
    if (l->speed.count > 0)
        p->images_per_s = loop_images_per_s(l, speed_median(&l->speed, SPEED_STEPS));
    l->step_end = 0;
    int status = check_weights(l, e);
    if (status == HONE_OK)
        status =
            checkpoint_save(rundir_file(&l->dir, file, path), l->s, l->optimizer, l->pruner, p, e);
    if (status == HONE_OK && strcmp(file, "last.h5") == 0)
        l->saved = p->step;
    return status;
}
