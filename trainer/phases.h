/* When things happen in a run: epochs, which configurations speak of, as steps.
 *
 * A boundary at step t acts before step t is done; a boundary equal to `total` acts after the last
 * step. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TRAINER_PHASES_H
#define HONE_TRAINER_PHASES_H

#include "trainer/config.h"

#define PHASE_NEVER INT64_MAX

typedef struct Phases {
    int64_t steps_per_epoch, epochs, total;
    int64_t qat;              /* quantized from this step on; total: only at the end; or NEVER */
    int64_t freeze_observers; /* or NEVER */
    int64_t freeze_batchnorm; /* or NEVER */
    int64_t prune_begin, prune_end; /* or NEVER */
} Phases;

/* steps_per_epoch > 0: whole batches of the training set. */
void phases_init(Phases *p, const RunOptions *o, int64_t steps_per_epoch);
/* "float", "prune", "qat", "frozen": what step t belongs to, for reports. Pruning inside QAT is
 * "qat". */
const char *phases_name(const Phases *p, int64_t step);

#endif
