/* Figures of a whole split: of a model in float, fake-quantized or integer arithmetic, and
 * of an artifact in the runtime.
 *
 *     EvaluateOptions how = {.mode = {0}, .split = DATASET_TEST, .batch = 100};
 *     Evaluation v;
 *     if (evaluate_model(&v, &session, &how, &e) != HONE_OK) ...
 *     printf("%.2f %% of %lld\n", 100 * v.figures.accuracy, (long long)v.n);
 *
 * The loss is that of the configuration, without label smoothing: cross-entropy in nats, mean squared
 * error, binary cross-entropy in nats; outputs in codes are taken at their real values. score.h and
 * figures.h define the rest. Every image counts once, the last partial batch included.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TRAINER_EVALUATE_H
#define HONE_TRAINER_EVALUATE_H

#include "datasets/loader.h"
#include "trainer/events.h"
#include "trainer/score.h"
#include "trainer/session.h"

typedef struct EvaluateOptions {
    Mode mode;               /* {0}: float; quantize; or integer. Never training */
    const IntegerPlan *plan; /* Mode.integer: of the session's present parameters */
    DatasetSplit split;
    int batch;                 /* 1..65535; 0: eval.batch of the configuration */
    int64_t limit;             /* only the first images; 0: all */
    const TrainEvents *events; /* progress; or NULL */
    const LossOptions *loss;   /* evaluate_artifact: what its outputs mean; NULL: cross-entropy */
    /* Called for every image of a model's evaluation, in order, with its logits; or NULL. */
    void (*each)(void *context, const Batch *b, int image, const double *logits);
    void *context;
} EvaluateOptions;

/* Evaluates the session's parameters as they are. The result does not depend on the batch, except
 * for float rounding, nor on threads. */
HONE_CHECKED int evaluate_model(Evaluation *v, const Session *s, const EvaluateOptions *options,
                                Error *e);

/* As evaluate_model with Mode.integer, making the plan itself. */
HONE_CHECKED int evaluate_integer(Evaluation *v, const Session *s, const EvaluateOptions *options,
                                  Error *e);

/* Evaluates an artifact, given as its bytes (16-byte aligned), in the runtime with the machine's
 * kernels, images over the threads. mode and plan of options do not matter; batch 0 is 100. Errors:
 * ERR_DATA for an artifact that the runtime refuses; ERR_CONFIG where the data set's images or
 * classes are not the artifact's. */
HONE_CHECKED int evaluate_artifact(Evaluation *v, const Compute *compute, const Dataset *dataset,
                                   const void *bytes, size_t count, const EvaluateOptions *options,
                                   Error *e);

#endif
