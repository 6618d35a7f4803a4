/* What training minimizes, as options, and the node that computes it.
 *
 *     LossOptions o = {.kind = LOSS_MSE, .target = LOSS_OF_INPUT};        // an autoencoder
 *     Value *loss = layer_loss(g, "loss", &o, outputs, image, labels);
 *
 * cross_entropy and bce take the network's outputs for logits, mse takes them as they are. Labels are
 * targets as one-hot rows; an autoencoder's target is its input. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_LAYERS_LOSS_H
#define HONE_LAYERS_LOSS_H

#include "core/graph.h"
#include "core/option.h"

/* In the order of the variants of loss_options. */
typedef enum LossKind { LOSS_CROSS_ENTROPY, LOSS_MSE, LOSS_BCE } LossKind;

typedef enum LossTarget {
    LOSS_OF_LABELS, /* what the outputs should be is the one-hot row of the label */
    LOSS_OF_INPUT,  /* ... is the image, as the network sees it: mse only */
} LossTarget;

typedef struct LossOptions {
    int kind;               /* LossKind */
    double label_smoothing; /* cross_entropy: 0..1, 1 excluded */
    LossTarget target;      /* mse; else LOSS_OF_LABELS */
} LossOptions;

extern const OptionTable loss_options;

/* The loss of outputs [N,K] as a scalar; options NULL: cross-entropy. image [N,...] has K numbers for
 * each sample where it is the target; labels [N] int32 count from 0, -1: the row does not count.
 * Errors: ERR_SHAPE. */
Value *layer_loss(Graph *g, const char *name, const LossOptions *options, Value *outputs,
                  Value *image, Value *labels);

/* The same for one sample in double, without label smoothing, as evaluation reports it: target is
 * the K numbers that mse shall give, or NULL: the one-hot row of label, 0 <= label < K. */
double loss_of_sample(LossKind kind, const double *outputs, int count, const double *target,
                      int label);

/* How outputs become the probabilities of classes. The numbers are those of an artifact's section
 * OUTP. */
typedef enum LossOutput {
    LOSS_OUTPUT_PLAIN = 0,   /* they do not, or are them already */
    LOSS_OUTPUT_SOFTMAX = 1, /* of all together */
    LOSS_OUTPUT_SIGMOID = 2, /* of each alone */
} LossOutput;

/* What training with this loss makes of the outputs. */
LossOutput loss_output(const LossOptions *options);
/* Turns outputs [count] into probabilities; plain ones stay. */
void loss_probabilities(LossOutput kind, double *outputs, int count);

#endif
