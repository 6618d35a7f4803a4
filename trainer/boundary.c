/* What happens between steps: see loop.h. SPDX-License-Identifier: Apache-2.0 */
#include "trainer/loop.h"

#include "trainer/calibrate.h"

#include <stdio.h>
#include <string.h>

/* ---- quantization begins ---- */

/* The float weights as they go into quantization; pruned: they changed since the last evaluation. */
static int keep_float(Loop *l, bool pruned, Error *e)
{
    Progress *p = &l->progress;
    char path[RUNDIR_FILE_BYTES];
    Evaluation v = {.figures = p->test_figures};
    int status = HONE_OK;
    if (pruned || p->test_step != p->step)
        status = loop_evaluate(l, false, &v, e);
    if (status != HONE_OK)
        return status;
    p->float_figures = v.figures;
    return checkpoint_save(rundir_file(&l->dir, "float.h5", path), l->s, l->optimizer, l->pruner, p,
                           e);
}

/* How well the calibrated weights do in integers. */
static int try_integers(Loop *l, Error *e)
{
    Evaluation v;
    int status = loop_put_on(l, true, e);
    if (status == HONE_OK)
        status = loop_evaluate(l, true, &v, e);
    if (status == HONE_OK)
        l->progress.ptq_figures = v.figures;
    loop_take_off(l);
    return status;
}

static int begin_qat(Loop *l, bool pruned, Error *e)
{
    int status = loop_put_on(l, false, e);
    if (status == HONE_OK)
        status = keep_float(l, pruned, e);
    loop_take_off(l);
    if (status != HONE_OK)
        return status;
    exec_free(l->exec); /* its memory goes before calibration and quantized training want theirs */
    l->exec = NULL;
    status = calibrate(l->s, l->progress.step, l->o->qat.calibration_batches, e);
    return status == HONE_OK ? try_integers(l, e) : status;
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
                 "quantized training; %lld batches calibrated, %s %s in float, %s in int8",
                 (long long)l->o->qat.calibration_batches, figures_name(&p->float_figures),
                 figures_text(&p->float_figures).text, figures_text(&p->ptq_figures).text);
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

int loop_boundary(Loop *l, Error *e)
{
    int64_t step = l->progress.step;
    int status = HONE_OK;
    if (step == l->phases.qat && l->saved != step) /* what follows takes long, and may be stopped */
        status = loop_save(l, "last.h5", e);
    if (status != HONE_OK)
        return status;
    bool pruned = l->pruner && pruner_update(l->pruner, &l->s->params, step);
    if (step == l->phases.qat)
        status = begin_qat(l, pruned, e);
    if (step == l->phases.total || status != HONE_OK)
        return status;
    status = report_phase(l, e);
    return status == HONE_OK ? loop_compile(l, step >= l->phases.qat, e) : status;
}
