/* The weights' average in their place: see loop.h.
 *
 * What was learned with other weights does not fit the average: its batch-norm statistics become the
 * mean over some training batches (Izmailov et al., "Averaging weights leads to wider optima", UAI
 * 2018, sec. 3.2, ask for that), and its ranges those of a calibration. Both see the batches that
 * follow the present step, so a resumed run finds the same. SPDX-License-Identifier: Apache-2.0 */
#include "trainer/loop.h"

#include "qat/insert.h"
#include "trainer/calibrate.h"

#include <string.h>

/* ---- statistics ---- */

static bool has_statistics(const Graph *g)
{
    for (int i = 0; i < g->node_count; i++)
        if (g->nodes[i]->op->affine)
            return true;
    return false;
}

/* Step k moves the running statistics by 1/k: they become the mean. */
static int observe_batch(Loop *l, Loader *loader, int64_t k, Error *e)
{
    const Batch *b;
    int status = loader_next(loader, &b, e);
    if (status != HONE_OK)
        return status;
    exec_control(l->exec)->batchnorm_momentum = 1 / (double)k;
    training_lend(l->s, l->exec, b);
    exec_forward(l->exec);
    exec_commit(l->exec);
    return HONE_OK;
}

/* The controls are set anew by every step of training, but for the momentum. */
static int set_statistics(Loop *l, bool quantize, Error *e)
{
    Loader *loader = NULL;
    int64_t step = l->progress.step, per_epoch = l->phases.steps_per_epoch;
    int status = loop_compile(l, quantize, e);
    if (status == HONE_OK)
        status = training_loader(&loader, l->s, e);
    if (status == HONE_OK)
        status = loader_start(loader, step / per_epoch, step % per_epoch, e);
    if (status == HONE_OK) {
        exec_control(l->exec)->freeze_batchnorm = false;
        exec_control(l->exec)->freeze_observers = true;
    }
    for (int64_t k = 1; k <= l->o->eval.recalibration_batches && status == HONE_OK; k++)
        status = observe_batch(l, loader, k, e);
    if (l->exec)
        exec_control(l->exec)->batchnorm_momentum = 0;
    loader_free(loader);
    return status;
}

static int recalibrate(Loop *l, bool quantize, Error *e)
{
    int status = HONE_OK;
    l->step_end = 0;
    if (has_statistics(&l->s->graph))
        status = set_statistics(l, quantize, e);
    if (status != HONE_OK || !quantize)
        return status;
    qat_forget_ranges(&l->s->graph, &l->s->params);
    return calibrate(l->s, l->progress.step, l->o->eval.recalibration_batches, e);
}

/* ---- the exchange ---- */

int loop_put_on(Loop *l, bool quantize, Error *e)
{
    const Real *average = optimizer_average(l->optimizer);
    const Graph *g = &l->s->graph;
    const uint8_t *mask = l->pruner ? pruner_masks(l->pruner) : NULL;
    Params *p = &l->s->params;
    if (!average || l->progress.step == 0)
        return HONE_OK;
    memcpy(l->aside.value, p->value, g->trained_count * sizeof(Real));
    memcpy(l->aside.state, p->state, g->state_count * sizeof(Real));
    l->aside.used = true;
    for (size_t i = 0; i < g->trained_count; i++)
        p->value[i] = !mask || mask[i] ? average[i] : 0;
    return recalibrate(l, quantize, e);
}

void loop_take_off(Loop *l)
{
    const Graph *g = &l->s->graph;
    if (!l->aside.used)
        return;
    memcpy(l->s->params.value, l->aside.value, g->trained_count * sizeof(Real));
    memcpy(l->s->params.state, l->aside.state, g->state_count * sizeof(Real));
    l->aside.used = false;
}
