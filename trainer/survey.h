/* A look into every layer: ranges, distributions and quantization noise of weights and outputs, on
 * some images of the test set, with running statistics.
 *
 *     Survey v;
 *     if (survey_new(&v, &session, quantized, &e) != HONE_OK) ...
 *     for (int i = 0; i < v.count; i++) puts(v.layers[i].node->name);
 *     survey_free(&v);
 *
 * In float the layers are those with weights and the activations; quantized, the quantized layers as
 * qat/insert.h groups them. The signal-to-quantization-noise ratio of a tensor is 10 log10 of
 * sum x^2 / sum (x - x')^2, x' being x on its grid: the noise that this one tensor's grid makes.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TRAINER_SURVEY_H
#define HONE_TRAINER_SURVEY_H

#include "report/histogram.h"
#include "trainer/session.h"

/* A tensor: its distribution, and its noise in dB, NaN where it is not quantized. */
typedef struct SurveyTensor {
    Histogram histogram; /* count 0: there is no such tensor */
    double low, high;    /* smallest and largest number */
    double sqnr;
    int bits; /* 0: float */
} SurveyTensor;

typedef struct SurveyLayer {
    const Node *node;     /* anchor of a quantized layer, else the node itself */
    SurveyTensor weights; /* unquantized weights; bits and noise of their grid */
    SurveyTensor output;  /* before it is quantized, after batch-norm and activation */
    double sparsity;      /* exact zeros among the weights; NaN without weights */
    int64_t weight_bytes; /* of weights and biases as they are stored */
} SurveyLayer;

typedef struct Survey {
    SurveyLayer *layers; /* in the order of the graph */
    int count;
} Survey;

/* How much is looked at: of 224-pixel images 5, whose layers make some 50 million numbers. */
enum { SURVEY_IMAGES = 16, SURVEY_PIXELS = 1 << 18 };

/* Runs the first images of the test set: SURVEY_IMAGES, fewer where they have more than
 * SURVEY_PIXELS, but one; or as many as there are. quantized needs calibrated ranges. The survey is
 * the caller's to free. Errors: ERR_MEMORY, what loading the images says. */
HONE_CHECKED int survey_new(Survey *v, const Session *s, bool quantized, Error *e);
void survey_free(Survey *v);

#endif
