/* What a run will do, as text: `hone train CONFIG --plan`. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TRAINER_PLAN_H
#define HONE_TRAINER_PLAN_H

#include "core/text.h"
#include "trainer/session.h"

/* Appends model, data, phases with their steps and learning rates, sparsity targets and the memory
 * of each compilation; of the layers cli/layers.h has a table. The session is opened without_data:
 * the data set is looked for here, and a missing one is part of the text, with how to get it; one
 * that is there and damaged, or does not fit the model, is an error. data_root as in
 * SessionOptions. */
HONE_CHECKED int plan_print(const Session *s, const char *data_root, Text *out, Error *e);

#endif
