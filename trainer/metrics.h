/* metrics.jsonl: one JSON object per line, each complete on disk before the next is begun.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TRAINER_METRICS_H
#define HONE_TRAINER_METRICS_H

#include "core/error.h"
#include "core/text.h"
#include "trainer/events.h"

typedef struct Metrics {
    int file; /* -1: closed */
    char *path;
    Text line; /* the one being made; keeps its memory between lines */
} Metrics;

/* Opens (creates) path for appending and cuts it back to its first `keep` bytes; a shorter file
 * stays as it is. */
HONE_CHECKED int metrics_open(Metrics *m, const char *path, int64_t keep, Error *e);
void metrics_close(Metrics *m);
/* Bytes so far. */
int64_t metrics_bytes(const Metrics *m);

/* {"kind": "step", "step": ..., "epoch": ..., "phase": ..., "loss": ..., "lr": ..., ...} */
HONE_CHECKED int metrics_step(Metrics *m, const StepReport *r, Error *e);
/* {"kind": "epoch", ...}; the test values only where the epoch was evaluated. */
HONE_CHECKED int metrics_epoch(Metrics *m, const EpochReport *r, Error *e);
/* {"kind": "phase", ...} */
HONE_CHECKED int metrics_phase(Metrics *m, const PhaseReport *r, Error *e);

#endif
