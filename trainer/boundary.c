/* What happens between steps: see loop.h. SPDX-License-Identifier: Apache-2.0 */
#include "trainer/loop.h"

#include "trainer/calibrate.h"

#include <stdio.h>
#include <string.h>

int loop_evaluate(Loop *l, bool integer, Evaluation *v, Error *e)
{
    EvaluateOptions how = {.split = DATASET_TEST, .events = l->events};
    l->step_end = 0;
    return integer ? evaluate_integer(v, l->s, &how, e) : evaluate_model(v, l->s, &how, e);
}

/* ---- quantization begins ---- */

/* The float weights as they go into quantization; pruned: they changed since the last evaluation. */
static int keep_float(Loop *l, bool pruned, Error *e)
{
    Progress *p = &l->progress;
    char path[RUNDIR_FILE_BYTES];
    Evaluation v = {.accuracy = p->test_accuracy};
    int status = HONE_OK;
    if (pruned || p->test_step != p->step)
        status = loop_evaluate(l, false, &v, e);
    if (status != HONE_OK)
        return status;
    p->float_accuracy = v.accuracy;
    return checkpoint_save(rundir_file(&l->dir, "float.h5", path), l->s, l->optimizer, l->pruner, p,
                           e);
}

static int begin_qat(Loop *l, bool pruned, Error *e)
{
    Evaluation v;
    int status = keep_float(l, pruned, e);
    if (status != HONE_OK)
        return status;
    exec_free(l->exec); /* its memory goes before calibration and quantized training want theirs */
    l->exec = NULL;
    status = calibrate(l->s, l->progress.step, e);
    if (status == HONE_OK)
        status = loop_evaluate(l, true, &v, e);
    if (status == HONE_OK)
        l->progress.ptq_accuracy = v.accuracy;
    return status;
}

/* ---- phases ---- */

static void describe_phase(const Loop *l, const char *phase, char *text, size_t size)
{
    const Progress *p = &l->progress;
    if (strcmp(phase, "prune") == 0)
        snprintf(text, size, "pruning to %g %% until epoch %g",
                 100 * l->o->prune.schedule.final_sparsity, l->o->prune.schedule.end_epoch);
    else if (strcmp(phase, "qat") == 0)
        snprintf(text, size,
                 "quantized training; %lld batches calibrated, accuracy %.2f %% in float, %.2f %% "
                 "in int8",
                 (long long)l->o->qat.calibration_batches, 100 * p->float_accuracy,
                 100 * p->ptq_accuracy);
    else if (strcmp(phase, "frozen") == 0)
        snprintf(text, size, "ranges and batch-norm statistics stay as they are");
    else
        snprintf(text, size, "training in float");
}

/* The log gets a line when the phase changes; the caller hears of it when a session starts, too. */
static int report_phase(Loop *l, Error *e)
{
    int64_t step = l->progress.step;
    const char *phase = phases_name(&l->phases, step);
    bool changed = step == 0 || strcmp(phase, phases_name(&l->phases, step - 1)) != 0;
    char text[200];
    if (!changed && l->exec)
        return HONE_OK;
    describe_phase(l, phase, text, sizeof text);
    PhaseReport report = {phase, step / l->phases.steps_per_epoch, step, text};
    if (l->events->phase)
        l->events->phase(l->events->context, &report);
    return changed ? logs_phase(&l->logs, &report, e) : HONE_OK;
}

/* The compilation that step t trains with. */
static int choose_exec(Loop *l, Error *e)
{
    bool quantize = l->progress.step >= l->phases.qat;
    if (l->exec && l->quantized == quantize)
        return HONE_OK;
    exec_free(l->exec);
    l->exec = NULL;
    l->quantized = quantize;
    l->step_end = 0;
    return session_compile(l->s, &l->exec, (Mode){.training = true, .quantize = quantize},
                           (int)l->o->train.batch, NULL, e);
}

int loop_boundary(Loop *l, Error *e)
{
    int64_t step = l->progress.step;
    int status = HONE_OK;
    bool pruned = l->pruner && pruner_update(l->pruner, &l->s->params, step);
    if (step == l->phases.qat)
        status = begin_qat(l, pruned, e);
    if (step == l->phases.total || status != HONE_OK)
        return status;
    status = report_phase(l, e);
    return status == HONE_OK ? choose_exec(l, e) : status;
}
