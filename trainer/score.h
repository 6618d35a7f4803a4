/* From the outputs of single images to the figures of a split.
 *
 *     Scorer s;
 *     if (scorer_open(&s, &config.train.loss, outputs, images, e) != HONE_OK) ...
 *     for (...) scorer_add(&s, row, pixels, label);
 *     scorer_finish(&s, &evaluation);
 *     scorer_close(&s);
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TRAINER_SCORE_H
#define HONE_TRAINER_SCORE_H

#include "core/op.h"
#include "layers/loss.h"
#include "trainer/figures.h"

/* What came out of a split. */
typedef struct Evaluation {
    Figures figures;
    double loss;        /* mean over the images, of the loss that the model trains on */
    int64_t n, correct; /* images; those whose class was right: 0 without classes */
} Evaluation;

typedef struct Scorer {
    LossOptions loss;
    int outputs;
    double loss_sum;
    int64_t n, correct;
    double *target;      /* [outputs], of one image; NULL where labels are the target */
    ScoredImage *images; /* those so far; likewise */
    int64_t room;
} Scorer;

/* loss says what outputs mean and is copied; NULL: cross-entropy. images is how many can be added. A
 * failure leaves what scorer_close takes, as does a zeroed Scorer. */
HONE_CHECKED int scorer_open(Scorer *s, const LossOptions *loss, int outputs, int64_t images,
                             Error *e);
void scorer_close(Scorer *s);

/* The numbers that output codes stand for; of probabilities their logarithms, those below 1/512
 * counting as 1/512, which are logits again. */
void scorer_outputs(const int8_t *codes, size_t count, Grid grid, bool softmax, double *row);

/* The place of the largest output, of equal ones the lowest: the class that is predicted. */
int scorer_largest(const double *outputs, int count);

/* Adds an image: its outputs [outputs], real values; its pixels [outputs], read where they are the
 * target; its label, which is below outputs where it is. */
void scorer_add(Scorer *s, const double *outputs, const uint8_t *pixels, int32_t label);
/* Sums up; without images all is 0 or not measured. */
void scorer_finish(Scorer *s, Evaluation *v);

#endif
