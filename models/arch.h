/* What an architecture provides; seen by models/ and its tests. See model.h for the contract.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_MODELS_ARCH_H
#define HONE_MODELS_ARCH_H

#include "models/model.h"

typedef struct ModelArch {
    /* The selector's text, a line of help and the options, which fill a ModelOptions. */
    OptionVariant variant;
    /* Conditions between its options, as OptionTable.check; may be NULL. */
    int (*check)(const ModelOptions *options, Error *e);
    /* Appends the layers from the image x to the logits, which are [1, classes], and returns these.
     * Errors stick to the graph, as everywhere in builders; the return is NULL then. */
    Value *(*build)(Graph *g, const ModelOptions *options, Value *x);
} ModelArch;

#define MODEL(name) extern const ModelArch model_##name;
#include "models/models.def"
#undef MODEL

#endif
