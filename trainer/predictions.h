/* What a model takes the images of the test set for: counts by class, and some images to look at.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TRAINER_PREDICTIONS_H
#define HONE_TRAINER_PREDICTIONS_H

#include "trainer/evaluate.h"

typedef struct Prediction {
    uint8_t *pixels; /* of the image, [height][width][channels] */
    int32_t label, predicted;
    double confidence; /* probability of the prediction, 0..1; its output where there is none */
} Prediction;

typedef struct Predictions {
    int classes;
    int64_t *confusion; /* [classes][classes]: row label, column prediction */
    Prediction *wrong;  /* the wrong ones of the highest confidence, the highest first */
    Prediction *first;  /* of the first images of the set */
    int wrong_count, first_count;
    int room; /* of each */
} Predictions;

/* Evaluates the session, which classifies, on the test set, in float or in integers, and keeps up to
 * `shown` images of each sort. The predictions are the caller's to free. Errors: as
 * evaluate_model. */
HONE_CHECKED int predictions_new(Predictions *p, const Session *s, bool integer, int shown,
                                 const TrainEvents *events, Error *e);
void predictions_free(Predictions *p);

#endif
