/* One training step: see loop.h. Allocates nothing. SPDX-License-Identifier: Apache-2.0 */
#include "trainer/loop.h"

#include "optim/clip.h"
#include "trainer/calibrate.h"

#include <math.h>

/* The teacher is asked while its answers count. Returns the weight of the loss on labels. */
static double ask_teacher(Loop *l, double *of_soft)
{
    double of_hard = 1;
    *of_soft = 0;
    l->distilled = false;
    if (!l->s->teacher)
        return 1;
    distill_weights(&l->o->distill, l->progress.step, l->phases.steps_per_epoch, &of_hard, of_soft);
    l->distilled = *of_soft > 0;
    if (l->distilled)
        exec_lend(l->exec, l->s->teacher, teacher_answer(&l->teacher, l->batch));
    exec_weigh(l->exec, l->s->model.loss, of_hard);
    exec_weigh(l->exec, l->s->soft_loss, *of_soft);
    return of_hard;
}

static double scalar(const Loop *l, const Value *v)
{
    return (double)*(const Real *)exec_tensor(l->exec, v)->data;
}

/* 0 for a model without classes. */
static int64_t count_correct(const Loop *l)
{
    if (!session_classifies(l->s))
        return 0;
    const Tensor *t = exec_tensor(l->exec, l->s->logits);
    int64_t correct = 0;
    for (int i = 0; i < l->batch->count; i++)
        correct += run_largest(t, i) == l->batch->labels[i];
    return correct;
}

/* ---- numbers that are not finite ---- */

static bool gradients_finite(const Loop *l, size_t offset, size_t count)
{
    return compute_finite(&l->s->compute, l->s->params.grad + offset, count);
}

static const char *bad_gradient(const Loop *l)
{
    const Graph *g = &l->s->graph;
    for (int i = 0; i < g->param_count; i++) {
        const Param *p = g->params[i];
        if (p->role != PARAM_STATE && !gradients_finite(l, p->offset, p->count))
            return p->name;
    }
    return "?";
}

static int not_finite(Loop *l, Error *e)
{
    const Progress *p = &l->progress;
    long long step = (long long)p->step, epoch = (long long)(p->step / l->phases.steps_per_epoch);
    const char *hint = "the last checkpoint is untouched; a lower train.optimizer.lr, a longer "
                       "warm-up or train.clip_norm may help";
    if (isfinite(l->loss) &&
        compute_finite(&l->s->compute, l->s->params.value, l->s->graph.trained_count))
        return error_set(e, HONE_ERR_NUMERIC,
                         "step %lld (epoch %lld): the gradient of '%s' is not finite; %s", step,
                         epoch, bad_gradient(l), hint);
    const Node *n = exec_find_nonfinite(l->exec);
    return error_set(e, HONE_ERR_NUMERIC,
                     "step %lld (epoch %lld): the loss is %g; the first layer with a number that "
                     "is not finite is '%s'; %s",
                     step, epoch, l->loss, n ? n->name : "?", hint);
}

static int check_finite(Loop *l, Error *e)
{
    if (isfinite(l->loss) && gradients_finite(l, 0, l->s->graph.trained_count))
        return HONE_OK;
    return not_finite(l, e);
}

/* ---- the step ---- */

static void set_controls(Loop *l)
{
    Control *c = exec_control(l->exec);
    c->freeze_observers = l->progress.step >= l->phases.freeze_observers;
    c->freeze_batchnorm = l->progress.step >= l->phases.freeze_batchnorm;
    c->seed = (uint64_t)l->o->seed;
    c->step = (uint64_t)l->progress.step;
}

static void take_time(Loop *l, double begun)
{
    double now = speed_now();
    speed_add(&l->speed, now - (l->step_end > 0 ? l->step_end : begun));
    l->step_end = now;
}

int loop_step(Loop *l, Error *e)
{
    Session *s = l->s;
    Progress *p = &l->progress;
    double begun = speed_now();
    int status = loader_next(l->loader, &l->batch, e);
    if (status != HONE_OK)
        return status;
    training_lend(s, l->exec, l->batch); /* kept until the next step asks for another */
    set_controls(l);
    double of_soft, of_hard = ask_teacher(l, &of_soft);
    exec_forward(l->exec);
    exec_backward(l->exec);
    l->loss = l->hard = scalar(l, s->model.loss);
    if (l->distilled) {
        l->soft = scalar(l, s->soft_loss);
        l->loss = of_hard * l->hard + of_soft * l->soft;
    }
    status = check_finite(l, e);
    if (status != HONE_OK)
        return status;
    p->epoch_loss += l->loss;
    p->epoch_correct += count_correct(l);
    l->lr = schedule_lr(&l->o->train.schedule, l->o->train.optimizer.lr, p->step,
                        l->phases.steps_per_epoch, l->phases.epochs);
    const uint8_t *mask = l->pruner ? pruner_masks(l->pruner) : NULL;
    if (l->o->train.clip_norm > 0)
        l->norm = gradient_clip(&s->params, mask, l->o->train.clip_norm, s->compute.threads);
    optimizer_step(l->optimizer, &s->params, mask, p->step + 1, l->lr, s->compute.threads);
    exec_commit(l->exec);
    p->step++;
    take_time(l, begun);
    return HONE_OK;
}
