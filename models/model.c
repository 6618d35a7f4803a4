/* Building whichever architecture the options select: see model.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/model.h"

#include <assert.h>
#include <stddef.h>

#include "models/arch.h"

static const ModelArch *const archs[] = {
#define MODEL(name) &model_##name,
#include "models/models.def"
#undef MODEL
};
enum { ARCHS = sizeof archs / sizeof archs[0] };

static const OptionTable batchnorm_table = {
    .name = "batchnorm",
    .help = "batch-norm, wherever the architecture has it",
    .size = sizeof(BatchnormOptions),
    .options =
        (const Option[]){
            OPTION_REAL_OPEN("momentum", BatchnormOptions, momentum, "", 0, 1, OPTION_OPEN_MIN,
                             "0.1", "share of the batch in a step of the running statistics"),
            OPTION_REAL_OPEN("epsilon", BatchnormOptions, epsilon, "", 0, 1, OPTION_OPEN_MIN,
                             "0.001", "added to the variance"),
            OPTION_END,
        },
};

static int check_options(const void *options, Error *e)
{
    const ModelOptions *o = options;
    if (o->arch < 0 || o->arch >= ARCHS)
        return error_set(e, HONE_ERR_CONFIG, "arch number %d does not exist", o->arch);
    return archs[o->arch]->check ? archs[o->arch]->check(o, e) : HONE_OK;
}

const OptionTable model_options = {
    .name = "model",
    .help = "the network",
    .size = sizeof(ModelOptions),
    .options =
        (const Option[]){
            OPTION_SELECTOR("arch", ModelOptions, arch, "mobilenet_v2", "architecture"),
            OPTION_INTS("input", ModelOptions, input, "", 3, 3, 1, 4096, "[32, 32, 3]",
                        "height, width and channels of an image"),
            OPTION_INT("classes", ModelOptions, classes, "", 2, 32767, "10",
                       "how many classes are told apart"),
            OPTION_SECTION("batchnorm", ModelOptions, batchnorm, &batchnorm_table,
                           "batch-norm, wherever the architecture has it"),
            OPTION_END,
        },
    .variants =
        (const OptionVariant *const[]){
#define MODEL(name) &model_##name.variant,
#include "models/models.def"
#undef MODEL
            NULL,
        },
    .check = check_options,
};

const char *model_arch_name(const ModelOptions *options)
{
    assert(options->arch >= 0 && options->arch < ARCHS);
    return archs[options->arch]->variant.choice;
}

int model_build(Graph *g, const ModelOptions *options, const LossOptions *loss, Model *m, Error *e)
{
    *m = (Model){0};
    int status = check_options(options, e);
    if (status != HONE_OK)
        return error_prefix(e, "model");
    const int64_t *in = options->input.v;
    assert(g->node_count == 0 && options->input.count == 3);
    m->image = graph_input(g, "image", SHAPE4(1, (int)in[0], (int)in[1], (int)in[2]), ELEM_REAL);
    m->labels = graph_input(g, "labels", SHAPE1(1), ELEM_INT32);
    m->logits = archs[options->arch]->build(g, options, m->image);
    if (options->mixed_labels) {
        m->others = graph_input(g, "labels.others", SHAPE1(1), ELEM_INT32);
        m->shares = graph_input(g, "labels.shares", SHAPE1(1), ELEM_INT32);
        m->loss = layer_softmax_xent_mixed(g, "loss", m->logits, m->labels, m->others, m->shares,
                                           loss ? loss->label_smoothing : 0);
    } else {
        m->loss = layer_loss(g, "loss", loss, m->logits, m->image, m->labels);
    }
    if (graph_failed(g, e) != HONE_OK)
        return error_prefix(e, "model %s", model_arch_name(options));
    return HONE_OK;
}
