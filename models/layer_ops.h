/* What `layers:` lists are made of: an op's options and its builder. layer_list.c has the layers with
 * weights and resolves names, layer_ops.c the others. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_MODELS_LAYER_OPS_H
#define HONE_MODELS_LAYER_OPS_H

#include "models/layer_list.h"
#include "models/model.h"

/* What the builder of an op gets. */
typedef struct LayerSite {
    Graph *g;
    const ModelOptions *options;
    const char *name;
    Value *x;
    Value *with[NODE_INPUTS_MAX - 1]; /* add, mul: one; concat: 1..7 */
    int count;                        /* of with */
} LayerSite;

typedef struct LayerOp {
    OptionVariant variant;
    Value *(*build)(const LayerSite *s, const LayerEntry *entry);
} LayerOp;

/* Defines entry_OP with build_OP; the rest are its options, closed by OPTION_END. */
#define LAYER_OP(op, help_, ...)                                                                   \
    const LayerOp entry_##op = {                                                                   \
        .variant = {.choice = #op, .help = (help_), .options = (const Option[]){__VA_ARGS__}},     \
        .build = build_##op,                                                                       \
    }

/* Those of layer_ops.c. */
#define LAYER_OPS_MORE(X)                                                                          \
    X(conv1d)                                                                                      \
    X(sigmoid)                                                                                     \
    X(tanh)                                                                                        \
    X(hard_sigmoid)                                                                                \
    X(hard_swish)                                                                                  \
    X(silu)                                                                                        \
    X(leaky_relu)                                                                                  \
    X(elu)                                                                                         \
    X(max_pool)                                                                                    \
    X(average_pool)                                                                                \
    X(mul)                                                                                         \
    X(concat)                                                                                      \
    X(pad)                                                                                         \
    X(upsample)                                                                                    \
    X(flatten)                                                                                     \
    X(reshape)                                                                                     \
    X(dropout)                                                                                     \
    X(softmax)
#define LAYER_OP_EXTERN(op) extern const LayerOp entry_##op;
LAYER_OPS_MORE(LAYER_OP_EXTERN)
#undef LAYER_OP_EXTERN

/* The texts of enum Padding. */
extern const char *const layer_paddings[];

/* [0] vertical, [1] horizontal; one number serves both. */
void layer_pair(int *out, const OptionInts *in);

#endif
