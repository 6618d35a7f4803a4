/* When things happen in a run: see phases.h. SPDX-License-Identifier: Apache-2.0 */
#include "trainer/phases.h"

#include <math.h>

/* The step that an epoch boundary falls on; fractions of an epoch to the nearest step. */
static int64_t boundary(const Phases *p, double epoch)
{
    return epoch < 0 ? PHASE_NEVER : llround(epoch * (double)p->steps_per_epoch);
}

/* A freeze at the end of training never acts. */
static int64_t freeze(const Phases *p, double epoch)
{
    int64_t step = boundary(p, epoch);
    return step >= p->total ? PHASE_NEVER : step;
}

void phases_init(Phases *p, const RunOptions *o, int64_t steps_per_epoch)
{
    *p = (Phases){.steps_per_epoch = steps_per_epoch,
                  .epochs = o->train.epochs,
                  .total = steps_per_epoch * o->train.epochs,
                  .qat = PHASE_NEVER,
                  .freeze_observers = PHASE_NEVER,
                  .freeze_batchnorm = PHASE_NEVER,
                  .prune_begin = PHASE_NEVER,
                  .prune_end = PHASE_NEVER};
    if (o->qat.present) {
        p->qat = boundary(p, o->qat.begin_epoch);
        p->freeze_observers = freeze(p, o->qat.freeze_observers_epoch);
        p->freeze_batchnorm = freeze(p, o->qat.freeze_batchnorm_epoch);
    }
    if (o->prune.present) {
        p->prune_begin = boundary(p, o->prune.schedule.begin_epoch);
        p->prune_end = boundary(p, o->prune.schedule.end_epoch);
    }
}

const char *phases_name(const Phases *p, int64_t step)
{
    if (step >= p->freeze_batchnorm && step >= p->freeze_observers)
        return "frozen";
    if (step >= p->qat)
        return "qat";
    if (step >= p->prune_begin && step < p->prune_end)
        return "prune";
    return "float";
}
