/* What architectures are made of: a weighted layer with batch-norm and activation behind it.
 *
 *     Conv2dOptions o = {.channels = 16, .kernel = {3, 3}};
 *     x = block_conv(&b, "stem", x, &o, layer_relu);
 *
 * appends "stem", "stem.bn" and "stem.relu". As all builders: NULL in, NULL out.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_MODELS_BLOCKS_H
#define HONE_MODELS_BLOCKS_H

#include "core/graph.h"
#include "layers/layers.h"

/* Layer names longer than this are cut; architectures make them up, so they know. */
#define BLOCK_NAME_BYTES 64

/* Common to all layers of a model. */
typedef struct Blocks {
    Graph *g;
    const BatchnormOptions *batchnorm;
} Blocks;

/* layer_relu or layer_relu6; NULL: none. */
typedef Value *(*Activation)(Graph *g, const char *name, Value *x);

/* Convolution, batch-norm, activation: "name", "name.bn", "name.relu". */
Value *block_conv(const Blocks *b, const char *name, Value *x, const Conv2dOptions *o,
                  Activation activation);
Value *block_depthwise(const Blocks *b, const char *name, Value *x, const Conv2dOptions *o,
                       Activation activation);
/* 3x3 depthwise at a stride, then 1x1 to `channels`, each with batch-norm and ReLU: the layers
 * "block<number>.depthwise" and "block<number>.pointwise". bias: of the convolutions. */
Value *block_separable(const Blocks *b, int number, Value *x, int channels, int stride, bool bias);
/* Dense with bias, batch-norm, activation: "name", "name.bn", "name.relu". */
Value *block_dense(const Blocks *b, const char *name, Value *x, int units, Activation activation);

typedef struct BlockResidual {
    int channels;
    int stride;              /* of the first convolution; 1: the shortcut is x itself */
    bool bias;               /* of the two convolutions */
    bool shortcut_batchnorm; /* the 1x1 shortcut has batch-norm; else a bias */
} BlockResidual;

/* Two 3x3 convolutions with batch-norm and ReLU between them, the shortcut added, ReLU: the layers
 * "block<number>.conv1", ".conv2", ".shortcut" (1x1, where stride is not 1), ".add", ".relu". */
Value *block_residual(const Blocks *b, int number, Value *x, const BlockResidual *o);
/* Mean over the image, then dense with bias: "pool" and "classifier", the logits [1, classes]. */
Value *block_classifier(const Blocks *b, Value *x, int classes);
/* "prefix.suffix", or with number > 0 "prefix<number>.suffix", into buffer of BLOCK_NAME_BYTES. */
const char *block_name(char *buffer, const char *prefix, int number, const char *suffix);

#endif
