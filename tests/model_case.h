/* Models as tests build and judge them; what is wrong fails the running test.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TESTS_MODEL_CASE_H
#define HONE_TESTS_MODEL_CASE_H

#include "models/model.h"

typedef struct ModelPlace {
    const char *name;
    int height, channels;
} ModelPlace;

/* Defaults of the architecture called arch, for a square colour image or its own input. */
ModelOptions model_case_options(const char *arch, int size, int classes, Arena *arena);
/* With its loss, on labels smoothed by 0.1. */
void model_case_build(Graph *g, Model *m, const ModelOptions *o);
/* Building fails with a sentence that contains text. */
void model_case_refused(const ModelOptions *o, const char *text);
/* Each place is a layer of that name, whose output is square. */
void model_case_places(const Graph *g, const ModelPlace *places, size_t count);
/* Learns eight images of noise by heart in so many steps. */
void model_case_learns(const ModelOptions *o, int steps);

#endif
