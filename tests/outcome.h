/* What a run leaves behind, to be compared with what another one left: every array of last.h5 (weights,
 * states, optimizer, masks), the artifact, progress, and the length of the log.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TESTS_OUTCOME_H
#define HONE_TESTS_OUTCOME_H

#include "trainer/checkpoint.h"

typedef struct Outcome {
    unsigned char *arrays, *artifact;
    size_t array_bytes, artifact_bytes; /* 0: there is no artifact */
    Progress progress;
    int log_lines;
} Outcome;

/* Of the run in folder. Whatever goes wrong fails the running test. */
Outcome outcome_take(const char *folder);
void outcome_release(Outcome *o);
/* Fails the running test unless both are equal in every bit, what depends on time apart. */
void outcome_same(const Outcome *a, const Outcome *b);
/* Lines of the run's metrics.jsonl. */
int outcome_log_lines(const char *folder);

#endif
