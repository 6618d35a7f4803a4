/* The steps of a run, from wherever its progress stands to the end. Used by train.c, which gives the
 * loop its folder and does what comes before and after.
 *
 * A boundary t lies before step t; what happens there, in this order: pruning, and at the boundary
 * of qat.begin_epoch the evaluation of the float weights (saved as float.h5), calibration, and the
 * evaluation of the calibrated model. Checkpoints are taken before a boundary acts, so that a
 * resumed run acts on it once, on the same numbers. The one at `total`, which has no step, is taken
 * after it acted and marks the run as complete.
 *
 * A stop is noticed between steps and inside evaluations. That of a boundary leaves the checkpoint
 * taken before it; that of an epoch's end saves the state with Progress.pending, so that a resumed
 * run begins with it. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TRAINER_LOOP_H
#define HONE_TRAINER_LOOP_H

#include "datasets/loader.h"
#include "trainer/checkpoint.h"
#include "trainer/logs.h"
#include "trainer/phases.h"
#include "trainer/rundir.h"
#include "trainer/speed.h"
#include "trainer/teacher.h"
#include "trainer/train.h"

typedef struct Aside {
    Real *value, *state; /* as Params' */
    bool used;
} Aside;

typedef struct Loop {
    Session *s;
    const RunOptions *o;
    const TrainEvents *events; /* never NULL */
    Phases phases;
    Progress progress;
    RunDir dir;
    Logs logs;
    Loader *loader;
    Optimizer *optimizer;
    Pruner *pruner;  /* NULL without pruning */
    Teacher teacher; /* zeroed without distillation */
    Exec *exec;      /* of training, in the arithmetic of the phase; NULL before the first step */
    bool quantized;  /* exec's arithmetic */
    Aside aside;     /* the trained weights, while their average stands in their place */
    const Batch *batch;
    double lr, loss;   /* of the last step */
    bool distilled;    /* in the last step: */
    double hard, soft; /* the losses of which `loss` is the weighted sum */
    double norm;       /* of its gradient, before clipping; 0 without */
    Speed speed;
    int64_t saved;   /* the step of last.h5; -1: there is none */
    double started;  /* clock at the start of this session, less the seconds of earlier ones */
    double step_end; /* clock at the end of the last step; 0: something else came between */
} Loop;

/* ---- at any step (state.c) ---- */

/* Makes what steps need from the session; writes nothing. The caller zeroes l before. */
HONE_CHECKED int loop_init(Loop *l, Session *s, const TrainRequest *request, Error *e);
void loop_release(Loop *l);
/* ERR_INTERRUPTED when the caller asked for a stop. */
HONE_CHECKED int loop_check_stop(const Loop *l, Error *e);
/* Compiles for training, unless exec is of that arithmetic already. */
HONE_CHECKED int loop_compile(Loop *l, bool quantize, Error *e);
/* Evaluates the weights as they are, in float or as the artifact will. */
HONE_CHECKED int loop_evaluate(Loop *l, bool integer, Evaluation *v, Error *e);
/* Of training, where a step takes so many seconds; 0 of 0. */
double loop_images_per_s(const Loop *l, double seconds);
/* Writes the state to a file of the folder. */
HONE_CHECKED int loop_save(Loop *l, const char *file, Error *e);

/* ---- one after the other ---- */

/* From l->progress to the end. l->dir and l->logs are open. Errors as train_run. (loop.c) */
HONE_CHECKED int loop_run(Loop *l, Error *e);
/* Everything about the boundary before step t = l->progress.step. (boundary.c) */
HONE_CHECKED int loop_boundary(Loop *l, Error *e);
/* One step: batch, forward, backward, checks, optimizer, commit. (step.c) */
HONE_CHECKED int loop_step(Loop *l, Error *e);
/* With train.optimizer.ema, from step 1 on: puts the average of the weights in their place, pruned
 * ones zero, with batch-norm statistics and, with quantize, ranges that training batches give it
 * anew. loop_take_off brings the trained weights back; calls do not nest. (average.c) */
HONE_CHECKED int loop_put_on(Loop *l, bool quantize, Error *e);
void loop_take_off(Loop *l);

#endif
