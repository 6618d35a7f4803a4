/* A whole run: training, pruning, quantization, export, in a folder of its own.
 *
 *     static volatile sig_atomic_t stop;                       // set by a signal handler
 *     TrainEvents events = {.stop = &stop};
 *     TrainRequest request = {.events = &events};
 *     Summary summary;
 *     int status = train_run(&session, &request, &summary, &e);
 *     if (status == HONE_ERR_INTERRUPTED) ... the state is in e's folder; --resume goes on ...
 *
 * The folder holds config.yaml (resolved), metrics.jsonl, last.h5 (the state to go on from; at the
 * end the final weights), best.h5, float.h5 (the weights before quantization), model.hone,
 * summary.json. With train.optimizer.ema all but the state to go on from are the weights' average.
 * Runs with equal configuration, seed and CPU level make byte-identical artifacts, however often they
 * were interrupted and at any number of threads.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TRAINER_TRAIN_H
#define HONE_TRAINER_TRAIN_H

#include "trainer/summary.h"

#include <signal.h>

typedef struct TrainRequest {
    const char *out; /* folder; NULL: runs/<name>, with -2, -3, ... where that is taken */
    bool resume;     /* go on from out's last.h5 (without out: of the newest runs/<name>*) if any */
    const TrainEvents *events; /* or NULL */
} TrainRequest;

/* Runs the session's configuration to its end. The session was opened with data and its parameters
 * are as drawn; afterwards they are the final ones.
 * Errors: ERR_CONFIG for an existing, non-empty folder, for a checkpoint of another configuration
 * (the sentence shows the first line that differs); ERR_NUMERIC for a loss or gradient that is not
 * finite, with step and layer, the last good checkpoint untouched; ERR_INTERRUPTED after saving;
 * ERR_MISMATCH when the artifact cannot be proven. On a finished run it changes nothing and returns
 * HONE_OK with summary->steps 0 and summary->folder set. */
HONE_CHECKED int train_run(Session *s, const TrainRequest *request, Summary *summary, Error *e);

#endif
