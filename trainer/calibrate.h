/* Ranges before the first quantized step. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TRAINER_CALIBRATE_H
#define HONE_TRAINER_CALIBRATE_H

#include "datasets/loader.h"
#include "trainer/session.h"

/* Shows the session's float graph, with running statistics, so many of the training batches that
 * follow boundary `step`, and has the observers gather their ranges. */
HONE_CHECKED int calibrate(const Session *s, int64_t step, int64_t batches, Error *e);

/* The training loader of the session's configuration, not yet started. The caller frees. */
HONE_CHECKED int training_loader(Loader **loader, const Session *s, Error *e);
/* Has x read the batch where it lies. */
void training_lend(const Session *s, Exec *x, const Batch *batch);

#endif
