/* What metrics.jsonl says, read back: the curves of a run, earlier sessions included.
 *
 *     History h;
 *     if (history_read(&h, "runs/a/metrics.jsonl", &e) != HONE_OK) ...
 *     chart of h.steps.at[i] against h.steps.loss[i], i < h.steps.count
 *     history_free(&h);
 *
 * Lines that lack a field, or that are none of ours, are passed over: the file is a log.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TRAINER_HISTORY_H
#define HONE_TRAINER_HISTORY_H

#include "core/error.h"

#include <stddef.h>

enum { HISTORY_COLUMNS = 7, HISTORY_PHASE_BYTES = 24 };

/* Rows of one kind; a number that a line does not give is a NaN. */
typedef struct HistoryTable {
    double *column[HISTORY_COLUMNS]; /* [count] each */
    size_t count, room;
} HistoryTable;

/* Columns of History.steps and History.epochs. */
enum { STEP_AT, STEP_LOSS, STEP_LR };
enum {
    EPOCH_AT,
    EPOCH_TRAIN_LOSS,
    EPOCH_TEST_LOSS,
    EPOCH_TRAIN_ACCURACY,
    EPOCH_TEST_ACCURACY,
    EPOCH_TEST_AUC,
    EPOCH_SPARSITY
};

typedef struct HistoryPhase {
    double at; /* step */
    char name[HISTORY_PHASE_BYTES];
} HistoryPhase;

typedef struct History {
    HistoryTable steps, epochs;
    HistoryPhase *phases;
    size_t phase_count;
} History;

/* Errors: ERR_IO, ERR_MEMORY; h is then empty. The history is the caller's to free. */
HONE_CHECKED int history_read(History *h, const char *path, Error *e);
void history_free(History *h);

#endif
