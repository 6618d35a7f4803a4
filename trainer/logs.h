/* The logs of a run while it goes on: metrics.jsonl, and TensorBoard's event files beside it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TRAINER_LOGS_H
#define HONE_TRAINER_LOGS_H

#include "report/event_file.h"
#include "trainer/metrics.h"
#include "trainer/rundir.h"
#include "trainer/session.h"

typedef struct Logs {
    const ReportOptions *options;
    Metrics metrics;
    EventFile events; /* closed unless options->tensorboard */
} Logs;

/* No file is open; logs_close may follow. */
void logs_init(Logs *l, const ReportOptions *options);
/* Goes on in the folder: metrics.jsonl is cut back to its first `keep` bytes, a new event file says
 * that the run goes on at `step`. Errors: ERR_IO, ERR_MEMORY. */
HONE_CHECKED int logs_open(Logs *l, const RunDir *dir, int64_t keep, int64_t step, Error *e);
void logs_close(Logs *l);

/* A line of metrics.jsonl and, with TensorBoard, its scalars. Errors: ERR_IO, ERR_MEMORY. */
HONE_CHECKED int logs_step(Logs *l, const StepReport *r, Error *e);
/* With the layers' distributions, of the session as it is, where options ask for them. */
HONE_CHECKED int logs_epoch(Logs *l, const EpochReport *r, const Session *s, bool quantized,
                            Error *e);
HONE_CHECKED int logs_phase(Logs *l, const PhaseReport *r, Error *e);

#endif
