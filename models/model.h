/* Architectures: from options to a graph with image, labels, logits and loss.
 *
 *     Graph g;
 *     Model m;
 *     graph_init(&g);
 *     if (model_build(&g, &config.model, &config.loss, &m, e) != HONE_OK) goto out;
 *     printf("%lld MACs\n", (long long)graph_macs(&g));
 *
 * A builder names its layers stably, because checkpoints, overrides and exclusions use the names:
 * "stem", "stem.bn", "stem.relu", "block1.expand", ..., "head", "pool", "classifier", "loss".
 * Convolutions pad as TensorFlow's SAME; those before a batch-norm have no bias unless an
 * architecture says otherwise.
 *
 * A new architecture is one file with a ModelArch (arch.h), one line in models.def, and fields here
 * for options that only it has. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_MODELS_MODEL_H
#define HONE_MODELS_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"
#include "core/graph.h"
#include "core/option.h"
#include "layers/layers.h"
#include "layers/loss.h"

/* Strides of MobileNetV2's stem and 24-channel stage. */
typedef enum ModelStem {
    MODEL_STEM_IMAGENET, /* stem 2, stage 2: for images of 96 pixels and more */
    MODEL_STEM_CIFAR,    /* stem 1, stage 1 */
    MODEL_STEM_CIFAR_S2, /* stem 2, stage 1 */
} ModelStem;

/* What the option table fills; `arch` indexes the lines of models.def. */
typedef struct ModelOptions {
    int arch;
    OptionInts input; /* height, width, channels */
    int64_t classes;
    BatchnormOptions batchnorm; /* of every batch-norm that the architecture makes */
    double width;               /* mobilenet_v2, mobilenet_v1: multiplies channels */
    ModelStem stem;             /* mobilenet_v2 */
    bool conv_bias;    /* mobilenet_v1, resnet8, ds_cnn: biases in front of batch-norm too */
    OptionList layers; /* layers: of LayerEntry, see layer_list.h */
    bool mixed_labels; /* no option: the trainer asks for a loss with two labels a row */
} ModelOptions;

extern const OptionTable model_options;

/* The graph's values that a trainer feeds and reads; the graph owns them. */
typedef struct Model {
    Value *image;  /* input [1, height, width, channels], real: (pixel - 128) / 128 */
    Value *labels; /* input [1], int32: 0 <= label < classes; -1 marks a row that does not count */
    Value *logits; /* [1, classes]; of an autoencoder [1, numbers of the image] */
    Value *others; /* mixed_labels: input [1], int32, the second label; else NULL */
    Value *shares; /* mixed_labels: input [1], int32, its share in 1/256; else NULL */
    Value *loss;   /* scalar: see layers/loss.h */
} Model;

/* Appends the architecture and its loss (NULL: cross-entropy) to g, which is empty. The options may
 * go after the call. On failure (HONE_ERR_CONFIG, HONE_ERR_SHAPE, HONE_ERR_MEMORY, with
 * the architecture and the layer) g is good for graph_release only. */
HONE_CHECKED int model_build(Graph *g, const ModelOptions *options, const LossOptions *loss,
                             Model *m, Error *e);

/* The selector's text of options->arch: "mobilenet_v2". */
const char *model_arch_name(const ModelOptions *options);

#endif
