/* Which loss the options select: see loss.h. SPDX-License-Identifier: Apache-2.0 */
#include "layers/loss.h"

#include "layers/element_loss.h"
#include "layers/layers.h"

#include <math.h>

static const char *const targets[] = {[LOSS_OF_LABELS] = "labels", [LOSS_OF_INPUT] = "input", NULL};

const OptionTable loss_options = {
    .name = "loss",
    .help = "what is minimized",
    .size = sizeof(LossOptions),
    .options = (const Option[]){OPTION_SELECTOR("kind", LossOptions, kind, "cross_entropy",
                                                "loss function"),
                                OPTION_END},
    .variants =
        (const OptionVariant *const[]){
            OPTION_VARIANT("cross_entropy", "softmax cross-entropy, mean over the batch",
                           OPTION_REAL_OPEN("label_smoothing", LossOptions, label_smoothing, "", 0,
                                            1, OPTION_OPEN_MAX, "0",
                                            "probability spread evenly over all classes"),
                           OPTION_END),
            OPTION_VARIANT("mse", "mean squared error, over the batch and the outputs",
                           OPTION_CHOICE("target", LossOptions, target, targets, "labels",
                                         "labels: one output per class, 1 for the label's and 0 "
                                         "else; input: the image itself, for autoencoders"),
                           OPTION_END),
            OPTION_VARIANT("bce",
                           "binary cross-entropy of each class against all others, from logits, "
                           "mean over the batch and the classes",
                           OPTION_END),
            NULL},
};

Value *layer_loss(Graph *g, const char *name, const LossOptions *options, Value *outputs,
                  Value *image, Value *labels)
{
    static const LossOptions cross_entropy = {.kind = LOSS_CROSS_ENTROPY};
    const LossOptions *o = options ? options : &cross_entropy;
    Value *target = o->target == LOSS_OF_INPUT ? image : labels;
    if (o->kind == LOSS_MSE)
        return layer_mse(g, name, outputs, target);
    if (o->kind == LOSS_BCE)
        return layer_bce(g, name, outputs, target);
    return layer_softmax_xent(g, name, outputs, labels, o->label_smoothing);
}

static double cross_entropy(const double *logits, int count, int label)
{
    double top = logits[0], sum = 0;
    for (int i = 1; i < count; i++)
        top = fmax(top, logits[i]);
    for (int i = 0; i < count; i++)
        sum += exp(logits[i] - top);
    return top - logits[label] + log(sum);
}

double loss_of_sample(LossKind kind, const double *outputs, int count, const double *target,
                      int label)
{
    if (kind == LOSS_CROSS_ENTROPY)
        return cross_entropy(outputs, count, label);
    double sum = 0;
    for (int i = 0; i < count; i++) {
        double t = target ? target[i] : (double)(i == label);
        sum += kind == LOSS_MSE ? element_squared(outputs[i], t) : element_bce(outputs[i], t);
    }
    return sum / count;
}

LossOutput loss_output(const LossOptions *options)
{
    static const LossOutput outputs[] = {[LOSS_CROSS_ENTROPY] = LOSS_OUTPUT_SOFTMAX,
                                         [LOSS_MSE] = LOSS_OUTPUT_PLAIN,
                                         [LOSS_BCE] = LOSS_OUTPUT_SIGMOID};
    return outputs[options->kind];
}

static void softmax(double *v, int count)
{
    double top = v[0], sum = 0;
    for (int i = 1; i < count; i++)
        top = fmax(top, v[i]);
    for (int i = 0; i < count; i++)
        sum += v[i] = exp(v[i] - top);
    for (int i = 0; i < count; i++)
        v[i] /= sum;
}

void loss_probabilities(LossOutput kind, double *outputs, int count)
{
    if (kind == LOSS_OUTPUT_SOFTMAX)
        softmax(outputs, count);
    for (int i = 0; i < count && kind == LOSS_OUTPUT_SIGMOID; i++)
        outputs[i] = 1 / (1 + exp(-outputs[i])); /* 0 where exp is infinite */
}
