/* The sample table: see sample_options.h. SPDX-License-Identifier: Apache-2.0 */
#include "tests/sample_options.h"

#include <inttypes.h>
#include <math.h>

/* Tables read best with a line per option. */
/* clang-format off */
static const char *const modes[] = {"float", "qat", "ptq", NULL};
static const char *const formats[] = {"hone", "c", NULL};

static const OptionTable optimizer_options = {
    .name = "optimizer", .help = "how gradients change weights", .size = sizeof(SampleOptimizer),
    .options = (const Option[]){
        OPTION_SELECTOR("kind", SampleOptimizer, kind, "sgd", "update rule"),
        OPTION_REAL_OPEN("lr", SampleOptimizer, lr, "", 0, 10, OPTION_OPEN_MIN, "0.1",
                         "peak learning rate"),
        OPTION_END},
    .variants = (const OptionVariant *const[]){
        OPTION_VARIANT("sgd", "stochastic gradient descent",
            OPTION_REAL("momentum", SampleOptimizer, momentum, "", 0, 1, "0.9", "decay of v"),
            OPTION_BOOL("nesterov", SampleOptimizer, nesterov, "true", "look ahead"),
            OPTION_END),
        OPTION_VARIANT("adamw", "Adam with decoupled decay",
            OPTION_REAL_OPEN("beta2", SampleOptimizer, beta2, "", 0, 1, OPTION_OPEN_MAX, "0.999",
                             "decay of the second moment"),
            OPTION_END),
        NULL},
};

static int check_train(const void *options, Error *e)
{
    const SampleTrain *t = options;
    if (t->end < t->begin)
        return error_set(e, HONE_ERR_CONFIG, "end %" PRId64 " is before begin %" PRId64, t->end,
                         t->begin);
    return HONE_OK;
}

static const OptionTable train_options = {
    .name = "train", .help = "the training loop", .size = sizeof(SampleTrain),
    .check = check_train,
    .options = (const Option[]){
        OPTION_INT("epochs", SampleTrain, epochs, "epochs", 1, 100000, "12",
                   "passes over the training set"),
        OPTION_INT("begin", SampleTrain, begin, "epochs", 0, 100000, "0", "first epoch"),
        OPTION_INT("end", SampleTrain, end, "epochs", 0, 100000, "100", "last epoch"),
        OPTION_SECTION("optimizer", SampleTrain, optimizer, &optimizer_options, "update rule"),
        OPTION_END},
};

static const OptionTable distill_options = {
    .name = "distill", .help = "a teacher's help", .size = sizeof(SampleDistill),
    .options = (const Option[]){
        OPTION_TEXT("teacher", SampleDistill, teacher, NULL, "checkpoint of the teacher"),
        OPTION_REAL("temperature", SampleDistill, temperature, "", 1, INFINITY, "4",
                    "softness of the targets"),
        OPTION_END},
};

static const OptionTable layer_options = {
    .name = "layer", .help = "one layer", .size = sizeof(SampleLayer),
    .options = (const Option[]){
        OPTION_SELECTOR("op", SampleLayer, op, NULL, "kind of layer"),
        OPTION_TEXT("name", SampleLayer, name, "null", "name in messages"),
        OPTION_END},
    .variants = (const OptionVariant *const[]){
        OPTION_VARIANT("conv", "convolution",
            OPTION_INTS("kernel", SampleLayer, kernel, "pixels", 1, 2, 1, 31, "[3, 3]",
                        "height and width"),
            OPTION_END),
        OPTION_VARIANT("dense", "fully connected",
            OPTION_INT("units", SampleLayer, units, "", 1, INT64_MAX, NULL, "outputs"),
            OPTION_END),
        OPTION_VARIANT("relu", "clamp at zero", OPTION_END),
        NULL},
};

const OptionTable sample_options = {
    .name = "sample", .help = "every type of option", .size = sizeof(Sample),
    .options = (const Option[]){
        OPTION_TEXT("name", Sample, name, NULL, "names the run"),
        OPTION_TEXT("baseline", Sample, baseline, "null", "float checkpoint to compare with"),
        OPTION_INT("seed", Sample, seed, "", INT64_MIN, INT64_MAX, "1", "of all random numbers"),
        OPTION_REAL("ratio", Sample, ratio, "", -INFINITY, INFINITY, "0.5", "a number"),
        OPTION_BOOL("verbose", Sample, verbose, "false", "say more"),
        OPTION_CHOICE("mode", Sample, mode, modes, "qat", "arithmetic"),
        OPTION_INTS("input", Sample, input, "pixels", 3, 3, 1, 4096, "[32, 32, 3]",
                    "height, width, channels"),
        OPTION_REALS("marks", Sample, marks, "", 0, 4, 0, 1, "[0.5, 0.75]", "fractions of the run"),
        OPTION_TEXTS("formats", Sample, formats, 1, 2, formats, "[hone]", "artifacts"),
        OPTION_TEXTS("tags", Sample, tags, 0, 8, NULL, "[]", "free words"),
        OPTION_SECTION("train", Sample, train, &train_options, "the training loop"),
        OPTION_OPTIONAL("distill", Sample, distill, &distill_options, "a teacher's help"),
        OPTION_LIST("layers", Sample, layers, &layer_options, 0, 100, "[]", "the model"),
        OPTION_END},
};
