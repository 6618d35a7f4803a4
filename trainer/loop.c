/* The loop over steps and epochs: see loop.h. SPDX-License-Identifier: Apache-2.0 */
#include "trainer/loop.h"

#include <string.h>

#define LOG_STEPS 10 /* steps between lines of metrics.jsonl, besides the first */

/* ---- reports ---- */

static StepReport step_report(const Loop *l)
{
    const Progress *p = &l->progress;
    int64_t per_epoch = l->phases.steps_per_epoch, last = p->step - 1;
    int64_t done = last % per_epoch + 1;
    return (StepReport){.step = p->step,
                        .total = l->phases.total,
                        .epoch = last / per_epoch,
                        .epochs = l->phases.epochs,
                        .epoch_step = done,
                        .epoch_steps = per_epoch,
                        .phase = phases_name(&l->phases, last),
                        .loss = l->loss,
                        .distilled = l->distilled,
                        .hard_loss = l->hard,
                        .soft_loss = l->soft,
                        .mean_loss = p->epoch_loss / (double)done,
                        .accuracy =
                            session_classifies(l->s)
                                ? (double)p->epoch_correct / (double)(done * l->o->train.batch)
                                : FIGURE_NONE,
                        .lr = l->lr,
                        .gradient_norm = l->norm,
                        .images_per_s = loop_images_per_s(l, l->speed.recent),
                        .seconds_left = (double)(l->phases.total - p->step) * l->speed.recent};
}

static int report_step(Loop *l, Error *e)
{
    StepReport r = step_report(l);
    if (l->events->step)
        l->events->step(l->events->context, &r);
    bool logged = l->progress.step == 1 || l->progress.step % LOG_STEPS == 0;
    return logged ? logs_step(&l->logs, &r, e) : HONE_OK;
}

/* ---- epochs ---- */

/* The end of training is measured after its boundary, all else before. */
static bool quantized_at(const Loop *l, int64_t step)
{
    return step > l->phases.qat || (step == l->phases.qat && step == l->phases.total);
}

/* Figures are compared only within one: dense, pruned, quantized, ... */
static int regime(const Loop *l, int64_t step)
{
    const Phases *p = &l->phases;
    bool pruned = !l->pruner || step > p->prune_end || step == p->total;
    return 2 * quantized_at(l, step) + pruned;
}

static bool phase_ends(const Loop *l, int64_t step)
{
    return step == l->phases.total || step == l->phases.prune_end ||
           strcmp(phases_name(&l->phases, step), phases_name(&l->phases, step - 1)) != 0;
}

static bool evaluation_is_due(const Loop *l)
{
    int64_t epochs_done = l->progress.step / l->phases.steps_per_epoch;
    return epochs_done % l->o->eval.every_epochs == 0 || phase_ends(l, l->progress.step);
}

static void close_epoch(Loop *l)
{
    Progress *p = &l->progress;
    p->pending = 0;
    p->epoch_loss = 0;
    p->epoch_correct = 0;
    p->complete = p->step == l->phases.total;
}

/* Evaluates what is put on, and saves it if it is the best so far. */
static int judge(Loop *l, EpochReport *r, Error *e)
{
    Progress *p = &l->progress;
    Evaluation v;
    int status = loop_evaluate(l, r->integer, &v, e);
    if (status != HONE_OK)
        return status;
    close_epoch(l);
    r->evaluated = true;
    r->test_figures = p->test_figures = v.figures;
    r->test_loss = p->test_loss = v.loss;
    p->test_step = p->step;
    r->best = p->best_step < 0 || figures_better(&v.figures, &p->best_figures) ||
              regime(l, p->step) > regime(l, p->best_step);
    if (r->best) {
        p->best_figures = v.figures;
        p->best_step = p->step;
    }
    r->seconds = speed_now() - l->started;
    status = logs_epoch(&l->logs, r, l->s, r->integer, e);
    if (status == HONE_OK && r->best)
        status = loop_save(l, "best.h5", e);
    return status;
}

/* The final weights are the averaged ones where there are any: those stay put on. */
static int judge_and_save(Loop *l, EpochReport *r, Error *e)
{
    int status = HONE_OK;
    r->integer = quantized_at(l, l->progress.step);
    if (evaluation_is_due(l)) {
        status = loop_put_on(l, r->integer, e);
        if (status == HONE_OK)
            status = judge(l, r, e);
        if (!l->progress.complete)
            loop_take_off(l);
    } else {
        close_epoch(l);
        r->seconds = speed_now() - l->started;
        status = logs_epoch(&l->logs, r, l->s, r->integer, e);
    }
    if (status != HONE_OK && status != HONE_ERR_INTERRUPTED)
        return status;
    int saved = loop_save(l, "last.h5", e);
    return status == HONE_OK ? saved : status;
}

static int end_epoch(Loop *l, Error *e)
{
    Progress *p = &l->progress;
    StepReport last = step_report(l);
    double median = speed_median(&l->speed, l->phases.steps_per_epoch);
    EpochReport r = {.epoch = last.epoch,
                     .epochs = last.epochs,
                     .step = p->step,
                     .phase = last.phase,
                     .train_loss = last.mean_loss,
                     .train_accuracy = last.accuracy,
                     .lr = schedule_lr(&l->o->train.schedule, l->o->train.optimizer.lr, p->step - 1,
                                       l->phases.steps_per_epoch, l->phases.epochs),
                     .sparsity = l->pruner ? pruner_sparsity(l->pruner) : 0,
                     .images_per_s = loop_images_per_s(l, median)};
    p->pending = 1;
    int status = judge_and_save(l, &r, e);
    if (status == HONE_OK && l->events->epoch)
        l->events->epoch(l->events->context, &r);
    return status;
}

/* ---- steps ---- */

/* After a step: what is due before the next one's boundary. */
static int after_step(Loop *l, Error *e)
{
    int64_t step = l->progress.step, every = l->o->checkpoint.every_steps;
    int status = report_step(l, e);
    if (status != HONE_OK || step == l->phases.total)
        return status;
    if (step % l->phases.steps_per_epoch == 0)
        return end_epoch(l, e);
    return every > 0 && step % every == 0 ? loop_save(l, "last.h5", e) : HONE_OK;
}

/* Saves where the caller wants to stop. */
static int stop_here(Loop *l, Error *e)
{
    Error ignored = {0};
    if (loop_check_stop(l, &ignored) == HONE_OK)
        return HONE_OK;
    int status = loop_save(l, "last.h5", e);
    return status == HONE_OK ? loop_check_stop(l, e) : status;
}

static int start(Loop *l, Error *e)
{
    int64_t per_epoch = l->phases.steps_per_epoch, step = l->progress.step;
    return loader_start(l->loader, step / per_epoch, step % per_epoch, e);
}

int loop_run(Loop *l, Error *e)
{
    int status = start(l, e);
    if (status == HONE_OK && l->progress.pending)
        status = end_epoch(l, e);
    while (status == HONE_OK && l->progress.step < l->phases.total) {
        status = stop_here(l, e);
        if (status == HONE_OK)
            status = loop_boundary(l, e);
        if (status == HONE_OK)
            status = loop_step(l, e);
        if (status == HONE_OK)
            status = after_step(l, e);
    }
    if (status != HONE_OK || l->progress.complete)
        return status;
    status = loop_boundary(l, e);
    return status == HONE_OK ? end_epoch(l, e) : status;
}
