/* The option tables of quantization-aware training. SPDX-License-Identifier: Apache-2.0 */
#include "qat/options.h"

static const char *const granularities[] = {"channel", "tensor", NULL};
static const char *const observers[] = {"ema", "minmax", NULL};

static const OptionTable weight_options = {
    .name = "weights",
    .help = "grid of the weights: symmetric, no zero point",
    .size = sizeof(QatWeightOptions),
    .options = (const Option[]){OPTION_INT("bits", QatWeightOptions, bits, "bits", 2, 8, "8",
                                           "width of a weight's code"),
                                OPTION_CHOICE("granularity", QatWeightOptions, granularity,
                                              granularities, "channel",
                                              "one scale per output channel, or one per tensor"),
                                OPTION_END},
};

static const OptionTable activation_options = {
    .name = "activations",
    .help = "grids of the activations: one per tensor, with a zero point",
    .size = sizeof(QatActivationOptions),
    .options =
        (const Option[]){
            OPTION_INT("bits", QatActivationOptions, bits, "bits", 2, 8, "8",
                       "width of an activation's code"),
            OPTION_CHOICE("observer", QatActivationOptions, observer, observers, "ema",
                          "how a range follows the batches: a moving average, or all extremes"),
            OPTION_REAL_OPEN("momentum", QatActivationOptions, momentum, "", 0, 1, OPTION_OPEN_MAX,
                             "0.99", "share of the old range that the ema observer keeps"),
            OPTION_BOOL("share_inputs", QatActivationOptions, share_inputs, "true",
                        "give the inputs of an add one grid"),
            OPTION_END},
};

static int check_override(const void *options, Error *e)
{
    const QatOverride *o = options;
    if (o->weights == 1 || o->activations == 1)
        return error_set(e, HONE_ERR_CONFIG, "%s 1 is not 0 (as everywhere) or 2..8",
                         o->weights == 1 ? "weights" : "activations");
    return HONE_OK;
}

static const OptionTable override_options = {
    .name = "overrides",
    .help = "other widths for some layers",
    .size = sizeof(QatOverride),
    .options =
        (const Option[]){
            OPTION_TEXT("layers", QatOverride, layers, NULL,
                        "pattern of layer names (* and ?); must match a quantized layer"),
            OPTION_INT("weights", QatOverride, weights, "bits", 0, 8, "0",
                       "width of the weights; 0 as everywhere"),
            OPTION_INT("activations", QatOverride, activations, "bits", 0, 8, "0",
                       "width of the layer's output; 0 as everywhere"),
            OPTION_END},
    .check = check_override,
};

const OptionTable qat_options = {
    .name = "qat",
    .help = "quantization-aware training",
    .size = sizeof(QatOptions),
    .options =
        (const Option[]){
            OPTION_REAL("begin_epoch", QatOptions, begin_epoch, "epochs", 0, 100000, "0",
                        "when fake quantization starts; the ranges are calibrated first"),
            OPTION_REAL("freeze_observers_epoch", QatOptions, freeze_observers_epoch, "epochs", -1,
                        100000, "-1", "when the ranges stop moving; -1 never"),
            OPTION_REAL("freeze_batchnorm_epoch", QatOptions, freeze_batchnorm_epoch, "epochs", -1,
                        100000, "-1",
                        "when batch-norm turns to its running statistics, well when the learning "
                        "rate is small; -1 never"),
            OPTION_INT("calibration_batches", QatOptions, calibration_batches, "batches", 1, 100000,
                       "20", "training batches observed before the first quantized step"),
            OPTION_SECTION("weights", QatOptions, weights, &weight_options,
                           "grid of the weights: symmetric, no zero point"),
            OPTION_SECTION("activations", QatOptions, activations, &activation_options,
                           "grids of the activations: one per tensor, with a zero point"),
            OPTION_LIST("overrides", QatOptions, overrides, &override_options, 0, 1000, "[]",
                        "other widths for some layers"),
            OPTION_END},
};
