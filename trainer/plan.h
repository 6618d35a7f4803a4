/* What a run will do, as text: `hone train CONFIG --plan`. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TRAINER_PLAN_H
#define HONE_TRAINER_PLAN_H

#include "core/text.h"
#include "trainer/session.h"

/* Appends model, data, phases with their steps and learning rates, layers (shapes, parameters,
 * multiply-accumulates, bits), sparsity targets and the memory of each compilation. The session is
 * opened without_data: the data set is looked for here, and a missing one is part of the text, with
 * how to get it. data_root as in SessionOptions. */
HONE_CHECKED int plan_print(const Session *s, const char *data_root, Text *out, Error *e);

/* A layer of the session's model, for listings: nodes with parameters or multiply-accumulates. */
typedef struct PlanLayer {
    const char *name, *kind;
    Shape out; /* of one image */
    int64_t macs, params;
    int weight_bits, activation_bits; /* 0: not quantized */
} PlanLayer;

/* How many there are. */
int plan_layer_count(const Session *s);
/* i in [0, plan_layer_count). */
PlanLayer plan_layer(const Session *s, int i);

#endif
