/* Tests of architectures: counts, names, shapes, layer lists, and that they learn.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/exec.h"
#include "core/option_value.h"
#include "core/rng.h"
#include "models/layer_list.h"
#include "models/model.h"
#include "optim/optimizer.h"
#include "tests/allocations.h"
#include "tests/suites.h"

/* Images that are not square or not in colour. */
static const struct {
    const char *arch;
    OptionInts input;
} inputs[] = {
    {"ds_cnn", {3, {49, 10, 1}}},
    {"lenet_300_100", {3, {28, 28, 1}}},
    {"lenet5", {3, {28, 28, 1}}},
    {"autoencoder", {3, {5, 128, 1}}},
};

/* Defaults of the architecture called arch, for a square colour image or its own input. */
static ModelOptions options_of(const char *arch, int size, int classes, Arena *arena)
{
    ModelOptions o;
    Error e = {0};
    ck_assert_int_eq(option_defaults(&model_options, arch, &o, arena, &e), HONE_OK);
    o.input = (OptionInts){3, {size, size, 3}};
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++)
        if (strcmp(arch, inputs[i].arch) == 0)
            o.input = inputs[i].input;
    o.classes = classes;
    return o;
}

static void build(Graph *g, Model *m, const ModelOptions *o)
{
    Error e = {0};
    graph_init(g);
    ck_assert_msg(model_build(g, o, &(LossOptions){.label_smoothing = 0.1}, m, &e) == HONE_OK, "%s",
                  e.text);
}

static void refused(const ModelOptions *o, const char *text)
{
    Graph g;
    Model m;
    Error e = {0};
    graph_init(&g);
    ck_assert_int_lt(model_build(&g, o, NULL, &m, &e), 0);
    ck_assert_msg(strstr(e.text, text) != NULL, "'%s' does not contain '%s'", e.text, text);
    graph_release(&g);
}

/* ---- counts --------------------------------------------------------------------------------- */

typedef struct Count {
    const char *arch;
    double width;
    ModelStem stem;
    bool conv_bias;
    int size, classes;
    int64_t macs, trained;
    int64_t published; /* with running statistics, as Keras counts; 0: not compared */
} Count;

/* MobileNetV2 1.0 at 224: torchvision counts the same parameters, the authors 300 million MACs.
 * Published: by MLPerf Tiny for vww (0.25 at 96), resnet8, ds_cnn and autoencoder, by Keras for 1.0 at
 * 224, by Han et al. for lenet_300_100 (267 thousand); resnet20's 0.27 million are the paper's. */
static const Count counts[] = {
    {"mobilenet_v2", 1, MODEL_STEM_IMAGENET, false, 224, 1000, 300774272, 3504872, 0},
    {"mobilenet_v2", 1, MODEL_STEM_CIFAR, false, 32, 10, 87976448, 2236682, 0},
    {"mobilenet_v2", 0.35, MODEL_STEM_CIFAR_S2, false, 32, 10, 3912384, 408938, 0},
    {"resnet8", 0, 0, true, 32, 10, 12501632, 78186, 78666},
    {"resnet8", 0, 0, false, 32, 10, 12501632, 77946, 0},
    {"mobilenet_v1", 0.25, 0, true, 96, 2, 7489664, 216322, 221794},
    {"mobilenet_v1", 1, 0, false, 224, 1000, 568740352, 4231976, 4253864},
    {"lenet5", 0, 0, false, 28, 10, 2293000, 431080, 431080},
    {"resnet20", 0, 0, false, 32, 10, 40813184, 272474, 0},
    {"ds_cnn", 0, 0, true, 0, 12, 2656768, 23756, 24908},
    {"ds_cnn", 0, 0, false, 0, 12, 2656768, 23180, 0},
    {"lenet_300_100", 0, 0, false, 0, 10, 266200, 266610, 266610},
    {"autoencoder", 0, 0, false, 0, 640, 264192, 267928, 269992},
};

/* Running statistics, which Keras counts among the parameters. */
static int64_t state_numbers(const Graph *g)
{
    int64_t sum = 0;
    for (int i = 0; i < g->param_count; i++)
        if (g->params[i]->role == PARAM_STATE)
            sum += (int64_t)g->params[i]->count;
    return sum;
}

START_TEST(test_counts)
{
    const Count *c = &counts[_i];
    Arena arena = {0};
    Graph g;
    Model m;
    ModelOptions o = options_of(c->arch, c->size, c->classes, &arena);
    o.width = c->width;
    o.stem = c->stem;
    o.conv_bias = c->conv_bias;
    build(&g, &m, &o);
    ck_assert_int_eq(graph_macs(&g), c->macs);
    ck_assert_int_eq(graph_trained(&g), c->trained);
    if (c->published != 0)
        ck_assert_int_eq(graph_trained(&g) + state_numbers(&g), c->published);
    ck_assert_str_eq(model_arch_name(&o), c->arch);
    ck_assert(shape_equal(m.logits->shape, SHAPE2(1, c->classes)));
    ck_assert_int_eq(m.loss->shape.rank, 0);
    ck_assert(m.image->elem == ELEM_REAL && m.labels->elem == ELEM_INT32);
    graph_release(&g);
    arena_release(&arena);
}
END_TEST

/* ---- names and shapes ----------------------------------------------------------------------- */

typedef struct Place {
    const char *name;
    int height, channels;
} Place;

static void check_places(const Graph *g, const Place *places, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const Node *n = graph_find_node(g, places[i].name);
        ck_assert_msg(n != NULL, "no layer '%s'", places[i].name);
        const Shape want = SHAPE4(1, places[i].height, places[i].height, places[i].channels);
        char got[SHAPE_TEXT_BYTES];
        ck_assert_msg(shape_equal(n->out[0]->shape, want), "'%s' is %s", places[i].name,
                      shape_text(n->out[0]->shape, got));
    }
}

START_TEST(test_mobilenet_v2_places)
{
    static const Place imagenet[] = {
        {"stem", 112, 32},
        {"stem.bn", 112, 32},
        {"stem.relu", 112, 32},
        {"block1.depthwise", 112, 32},
        {"block1.project.bn", 112, 16},
        {"block2.expand", 112, 96},
        {"block2.depthwise.relu", 56, 96},
        {"block3.add", 56, 24},
        {"block4.project", 28, 32},
        {"block7.project", 14, 64},
        {"block10.add", 14, 64},
        {"block11.project", 14, 96},
        {"block14.project", 7, 160},
        {"block17.project", 7, 320},
        {"head.relu", 7, 1280},
    };
    static const Place cifar[] = {{"stem", 32, 32},
                                  {"block2.depthwise", 32, 96},
                                  {"block4.depthwise", 16, 144},
                                  {"head", 4, 1280}};
    static const Place small[] = {{"stem", 16, 16},
                                  {"block1.project", 16, 8},
                                  {"block2.project", 16, 8},
                                  {"block4.project", 8, 16},
                                  {"head", 2, 1280}};
    /* 24 * 0.75 = 18 rounds to 16, more than a tenth less: 24; the head grows above width 1. */
    static const Place wide[] = {{"stem", 16, 24}, {"block2.project", 8, 24}, {"head", 1, 1280}};
    static const Place wider[] = {{"stem", 16, 48}, {"block2.project", 8, 32}, {"head", 1, 1792}};
    static const struct {
        double width;
        ModelStem stem;
        int size;
        const Place *places;
        size_t count;
    } cases[] = {
        {1, MODEL_STEM_IMAGENET, 224, imagenet, sizeof imagenet / sizeof imagenet[0]},
        {1, MODEL_STEM_CIFAR, 32, cifar, sizeof cifar / sizeof cifar[0]},
        {0.35, MODEL_STEM_CIFAR_S2, 32, small, sizeof small / sizeof small[0]},
        {0.75, MODEL_STEM_IMAGENET, 32, wide, sizeof wide / sizeof wide[0]},
        {1.4, MODEL_STEM_IMAGENET, 32, wider, sizeof wider / sizeof wider[0]},
    };
    Arena arena = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Graph g;
        Model m;
        ModelOptions o = options_of("mobilenet_v2", cases[i].size, 10, &arena);
        o.width = cases[i].width;
        o.stem = cases[i].stem;
        build(&g, &m, &o);
        check_places(&g, cases[i].places, cases[i].count);
        ck_assert_ptr_null(graph_find_node(&g, "block1.expand")); /* t = 1 */
        ck_assert_ptr_null(graph_find_node(&g, "block4.add"));    /* half the size */
        ck_assert_ptr_null(graph_find_param(&g, "block3.project.bias"));
        graph_release(&g);
    }
    arena_release(&arena);
}
END_TEST

START_TEST(test_resnet8_places)
{
    static const Place places[] = {
        {"stem.relu", 32, 16},   {"block1.conv1.relu", 32, 16}, {"block1.conv2.bn", 32, 16},
        {"block1.relu", 32, 16}, {"block2.conv1", 16, 32},      {"block2.shortcut", 16, 32},
        {"block2.add", 16, 32},  {"block3.conv2", 8, 64},       {"block3.relu", 8, 64},
    };
    Arena arena = {0};
    Graph g;
    Model m;
    ModelOptions o = options_of("resnet8", 32, 10, &arena);
    ck_assert(o.conv_bias && o.batchnorm.momentum == 0.1 && o.batchnorm.epsilon == 0.001);
    build(&g, &m, &o);
    check_places(&g, places, sizeof places / sizeof places[0]);
    ck_assert_ptr_null(graph_find_node(&g, "block1.shortcut"));
    ck_assert_ptr_nonnull(graph_find_param(&g, "block2.shortcut.bias"));
    ck_assert_ptr_nonnull(graph_find_param(&g, "classifier.weight"));
    graph_release(&g);
    arena_release(&arena);
}
END_TEST

START_TEST(test_mobilenet_v1_places)
{
    static const Place vww[] = {
        {"stem.relu", 48, 8},
        {"block1.depthwise", 48, 8},
        {"block1.pointwise.relu", 48, 16},
        {"block2.depthwise.bn", 24, 16},
        {"block6.pointwise", 6, 128},
        {"block11.depthwise.relu", 6, 128},
        {"block12.depthwise", 3, 128},
        {"block13.pointwise.relu", 3, 256},
    };
    Arena arena = {0};
    Graph g;
    Model m;
    ModelOptions o = options_of("mobilenet_v1", 96, 2, &arena);
    ck_assert(!o.conv_bias && o.width == 1);
    o.width = 0.25;
    build(&g, &m, &o);
    check_places(&g, vww, sizeof vww / sizeof vww[0]);
    ck_assert_ptr_null(graph_find_param(&g, "block1.depthwise.bias"));
    graph_release(&g);
    o.width = 0.05; /* 1.6 and 3.2 channels */
    o.conv_bias = true;
    build(&g, &m, &o);
    ck_assert_int_eq((int)graph_find_param(&g, "stem.bias")->count, 1);
    ck_assert_int_eq((int)graph_find_param(&g, "block1.pointwise.bias")->count, 3);
    graph_release(&g);
    arena_release(&arena);
}
END_TEST

START_TEST(test_ds_cnn_places)
{
    static const char *const names[] = {"stem", "block1.depthwise.relu", "block4.pointwise.relu"};
    Arena arena = {0};
    Graph g;
    Model m;
    ModelOptions o = options_of("ds_cnn", 0, 12, &arena);
    build(&g, &m, &o);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        ck_assert(shape_equal(graph_find_node(&g, names[i])->out[0]->shape, SHAPE4(1, 25, 5, 64)));
    ck_assert_int_eq((int)graph_find_param(&g, "stem.weight")->count, 64 * 10 * 4);
    graph_release(&g);
    arena_release(&arena);
}
END_TEST

/* ---- layer lists ---------------------------------------------------------------------------- */

/* An entry of op with defaults; kernel 3 where it has one. */
static LayerEntry entry(const char *op, const char *name, Arena *arena)
{
    LayerEntry l;
    Error e = {0};
    ck_assert_int_eq(option_defaults(&layer_entry_options, op, &l, arena, &e), HONE_OK);
    l.name = name;
    l.kernel = (OptionInts){1, {3}};
    return l;
}

static LayerEntry conv(const char *name, int filters, Arena *arena)
{
    LayerEntry l = entry("conv2d", name, arena);
    l.filters = filters;
    return l;
}

static LayerEntry dense(int units, Arena *arena)
{
    LayerEntry l = entry("dense", NULL, arena);
    l.units = units;
    return l;
}

typedef struct Listed {
    LayerEntry entries[12];
    Arena arena;
    ModelOptions options;
} Listed;

/* A network with every op, defaults and references:
 *
 *     stem 3x3/2 > batchnorm1 > a (relu) > depthwise1 1x3 > conv2d2 > add1 (with a) > relu61
 *     > valid 3x3 (5 to 3) > mean1 > dense1 */
static void listed_init(Listed *l)
{
    *l = (Listed){.entries = {{0}}};
    Arena *a = &l->arena;
    LayerEntry add = entry("add", NULL, a);
    add.with = "a";
    LayerEntry depthwise = entry("depthwise", NULL, a);
    depthwise.kernel = (OptionInts){2, {1, 3}};
    LayerEntry stem = conv("stem", 6, a);
    stem.stride = (OptionInts){1, {2}};
    stem.bias = false;
    LayerEntry valid = conv("valid", 4, a);
    valid.padding = 1;
    const LayerEntry made[] = {
        stem,
        entry("batchnorm", NULL, a),
        entry("relu", "a", a),
        depthwise,
        conv(NULL, 6, a),
        add,
        entry("relu6", NULL, a),
        valid,
        entry("mean", NULL, a),
        dense(3, a),
    };
    memcpy(l->entries, made, sizeof made);
    l->options = options_of("layers", 9, 3, a);
    l->options.layers = (OptionList){sizeof made / sizeof made[0], l->entries};
}

START_TEST(test_list)
{
    static const Place places[] = {
        {"stem", 5, 6},    {"batchnorm1", 5, 6}, {"a", 5, 6},      {"depthwise1", 5, 6},
        {"conv2d2", 5, 6}, {"add1", 5, 6},       {"relu61", 5, 6}, {"valid", 3, 4},
    };
    Listed l;
    Graph g;
    Model m;
    listed_init(&l);
    build(&g, &m, &l.options);
    check_places(&g, places, sizeof places / sizeof places[0]);
    const Node *sum = graph_find_node(&g, "add1");
    ck_assert_ptr_eq(sum->in[0]->producer, graph_find_node(&g, "conv2d2"));
    ck_assert_ptr_eq(sum->in[1]->producer, graph_find_node(&g, "a"));
    ck_assert_ptr_eq(m.logits->producer, graph_find_node(&g, "dense1"));
    ck_assert_ptr_null(graph_find_param(&g, "stem.bias"));
    ck_assert_ptr_nonnull(graph_find_param(&g, "valid.bias"));
    ck_assert_int_eq((int)graph_find_param(&g, "depthwise1.weight")->count, 1 * 3 * 6);
    graph_release(&g);
    arena_release(&l.arena);
}
END_TEST

START_TEST(test_list_windows)
{
    Listed l;
    Graph g;
    Model m;
    listed_init(&l);
    LayerEntry *stem = &l.entries[0];
    stem->kernel = (OptionInts){2, {3, 2}};
    stem->stride = (OptionInts){2, {1, 2}};
    stem->dilation = (OptionInts){2, {2, 1}};
    stem->padding = 2;
    stem->pads = (OptionInts){4, {1, 0, 2, 1}};
    build(&g, &m, &l.options);
    /* 9 + 1 + 2 - 4 - 1 + 1 = 8; (9 + 0 + 1 - 2) / 2 + 1 = 5 */
    ck_assert(shape_equal(graph_find_node(&g, "stem")->out[0]->shape, SHAPE4(1, 8, 5, 6)));
    graph_release(&g);
    arena_release(&l.arena);
}
END_TEST

START_TEST(test_list_groups_and_multiplier)
{
    Listed l;
    Graph g;
    Model m;
    listed_init(&l);
    l.entries[3].multiplier = 2; /* depthwise1: 6 to 12 */
    l.entries[4].groups = 3;
    build(&g, &m, &l.options);
    ck_assert_int_eq(graph_find_node(&g, "depthwise1")->out[0]->shape.dim[3], 12);
    ck_assert(shape_equal(graph_find_param(&g, "depthwise1.weight")->shape, SHAPE4(1, 1, 3, 12)));
    ck_assert(shape_equal(graph_find_param(&g, "conv2d2.weight")->shape, SHAPE4(6, 3, 3, 4)));
    graph_release(&g);
    l.entries[4].groups = 4;
    refused(&l.options,
            "layers[4] 'conv2d2': conv2d 'conv2d2': 12 inputs and 6 channels do not fall "
            "into 4 groups");
    arena_release(&l.arena);
}
END_TEST

START_TEST(test_list_references)
{
    Listed l;
    Graph g;
    Model m;
    listed_init(&l);
    l.entries[3].input = "image"; /* a second branch; the first goes on in add1 */
    l.entries[3].stride = (OptionInts){1, {2}};
    build(&g, &m, &l.options);
    ck_assert_ptr_eq(graph_find_node(&g, "depthwise1")->in[0], m.image);
    graph_release(&g);
    l.entries[5].with = "steem";
    refused(&l.options, "model layers: layers[5] 'add1': with: no earlier layer is called 'steem', "
                        "did you mean 'stem'?");
    l.entries[5].with = "valid"; /* comes later */
    refused(&l.options, "layers[5] 'add1': with: no earlier layer is called 'valid'");
    l.entries[2].input = "a"; /* itself */
    refused(&l.options, "layers[2] 'a': input: no earlier layer is called 'a'");
    arena_release(&l.arena);
}
END_TEST

START_TEST(test_list_errors)
{
    Listed l;
    listed_init(&l);
    l.options.classes = 4;
    refused(&l.options,
            "layers[9] 'dense1': the last layer gives [1, 3], but classes: 4 wants [1, 4]");
    l.options.classes = 3;
    l.options.layers.count = 8;
    refused(&l.options, "layers[7] 'valid': the last layer gives [1, 3, 3, 4]");
    l.options.layers.count = 10;
    l.entries[7].kernel.v[0] = 6;
    refused(&l.options, "layers[7] 'valid': conv2d 'valid': ");
    l.entries[7].kernel.v[0] = 3;
    l.entries[6].input = "a";
    refused(&l.options, "layers[5] 'add1': no later layer reads it");
    l.entries[6].input = NULL;
    l.entries[4].filters = 7;
    refused(&l.options, "layers[5] 'add1': ");
    l.entries[4].filters = 6;
    l.entries[6].name = "stem";
    refused(&l.options, "layers[6] 'stem': an earlier layer has this name");
    l.entries[6].name = NULL;
    l.options.layers.count = 0;
    refused(&l.options, "layers is empty");
    arena_release(&l.arena);
}
END_TEST

/* Entries of other ops in place of the first ones. */
START_TEST(test_list_more_errors)
{
    Listed l;
    listed_init(&l);
    Arena *a = &l.arena;
    LayerEntry conv1d = entry("conv1d", "along", a);
    conv1d.filters = 4;
    l.entries[0] = conv1d;
    refused(&l.options,
            "layers[0] 'along': conv1d 'along': input [1, 9, 9, 3] is not [N, 1, W, C]");
    LayerEntry reshape = entry("reshape", "two", a);
    reshape.shape = (OptionInts){2, {27, 9}};
    l.entries[0] = reshape;
    refused(&l.options, "reshape 'two': shape has 2 numbers; it is [channels] or [height, width, "
                        "channels]");
    static const char *const nobody[] = {"image", "nobody"};
    LayerEntry concat = entry("concat", "both", a);
    concat.others = (OptionTexts){2, nobody};
    l.entries[0] = concat;
    refused(&l.options, "layers[0] 'both': with: no earlier layer is called 'nobody'");
    LayerEntry pads = entry("pad", "pads", a);
    Error e = {0};
    pads.pads = (OptionInts){4, {1, 2, 3, 4}};
    ck_assert_int_eq(layer_entry_options.check(&pads, &e), HONE_OK);
    l.entries[0] = entry("softmax", "soft", a);
    l.options.layers.count = 1;
    refused(&l.options, "layers[0] 'soft': the loss has a softmax of its own; export.softmax: true "
                        "gives the artifact one");
    arena_release(&l.arena);
}
END_TEST

START_TEST(test_entry_check)
{
    static const struct {
        const char *name;
        int padding, pad;
        const char *text; /* NULL: accepted */
    } cases[] = {
        {"block1.conv-a_2", 0, 0, NULL},
        {NULL, 2, 1, NULL},
        {"1x1", 0, 0, NULL},
        {"", 0, 0, "name '' is not made of"},
        {"a/b", 0, 0, "name 'a/b' is not made of"},
        {".a", 0, 0, "name '.a' is not made of"},
        {"a*", 0, 0, "name 'a*' is not made of"},
        {"labels", 0, 0, "name 'labels' is taken by the model itself"},
        {"a", 1, 1, "pads need padding: explicit, not valid"},
    };
    Arena arena = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Error e = {0};
        LayerEntry l = conv(cases[i].name, 4, &arena);
        l.padding = cases[i].padding;
        l.pads.v[3] = cases[i].pad;
        int status = layer_entry_options.check(&l, &e);
        ck_assert_int_eq(status, cases[i].text ? HONE_ERR_CONFIG : HONE_OK);
        ck_assert_msg(!cases[i].text || strstr(e.text, cases[i].text) == e.text, "%s", e.text);
    }
    arena_release(&arena);
}
END_TEST

/* ---- options and errors --------------------------------------------------------------------- */

START_TEST(test_tables)
{
    Error e = {0};
    ck_assert_msg(option_table_check(&model_options, &e) == HONE_OK, "%s", e.text);
    ck_assert_msg(option_table_check(&layer_entry_options, &e) == HONE_OK, "%s", e.text);
}
END_TEST

START_TEST(test_unknown_arch)
{
    Arena arena = {0};
    ModelOptions o = options_of("resnet8", 32, 10, &arena);
    o.arch = 77;
    refused(&o, "model: arch number 77 does not exist");
    arena_release(&arena);
}
END_TEST

START_TEST(test_out_of_memory)
{
    Listed l;
    bool done = !allocations_available();
    listed_init(&l);
    for (int n = 1; !done; n++) {
        Graph g;
        Model m;
        Error e = {0};
        const long alive = allocations_alive();
        graph_init(&g);
        allocations_fail_at(n);
        int status = model_build(&g, &l.options, NULL, &m, &e);
        done = !allocations_failed();
        allocations_fail_at(0);
        ck_assert_msg(status == (done ? HONE_OK : HONE_ERR_MEMORY), "%s", e.text);
        graph_release(&g);
        ck_assert_int_eq(allocations_alive(), alive);
    }
    arena_release(&l.arena);
}
END_TEST

/* ---- learning ------------------------------------------------------------------------------- */

enum { BATCH = 8 };

/* Gradient descent on one batch of noise; returns the last loss. */
static double learn(const Model *m, Params *p, Exec *x, Optimizer *o, int steps)
{
    const Tensor *image = exec_tensor(x, m->image);
    int32_t *labels = exec_tensor(x, m->labels)->data;
    double loss = 0;
    for (int t = 0; t < steps; t++) {
        /* The exec may use an input's memory for something else once it is read. */
        Rng r = rng_at(2, RNG_TEST, 0, 0);
        for (size_t i = 0; i < shape_count(image->shape); i++)
            ((Real *)image->data)[i] = (Real)(2 * rng_uniform(&r) - 1);
        for (int i = 0; i < BATCH; i++)
            labels[i] = i % 4;
        exec_forward(x);
        loss = *(const Real *)exec_tensor(x, m->loss)->data;
        exec_backward(x);
        exec_commit(x);
        optimizer_step(o, p, NULL, t + 1, 0.1, NULL);
    }
    return loss;
}

static void check_learns(const ModelOptions *o, int steps)
{
    Graph g;
    Model m;
    Params p;
    Compute c;
    Exec *x;
    Error e = {0};
    graph_init(&g);
    ck_assert_msg(model_build(&g, o, NULL, &m, &e) == HONE_OK, "%s", e.text);
    ck_assert_int_eq(params_new(&p, &g, 1, &e), HONE_OK);
    ck_assert_int_eq(compute_open(&c, 1, NULL, &e), HONE_OK);
    Optimizer *sgd;
    ck_assert_int_eq(optimizer_new(&sgd, &(OptimizerOptions){.momentum = 0.2}, &g, &e), HONE_OK);
    ExecOptions options = {.mode = {.training = true}, .batch = BATCH, .compute = &c};
    ck_assert_msg(exec_new(&x, &g, &p, &options, &e) == HONE_OK, "%s", e.text);
    double first = learn(&m, &p, x, sgd, 1), last = learn(&m, &p, x, sgd, steps);
    ck_assert_msg(first > 0.7 * log((double)o->classes) && last < 0.1, "loss %g, then %g", first,
                  last);
    exec_free(x);
    optimizer_free(sgd);
    compute_close(&c);
    params_free(&p);
    graph_release(&g);
}

START_TEST(test_resnet8_learns)
{
    Arena arena = {0};
    ModelOptions o = options_of("resnet8", 16, 4, &arena);
    check_learns(&o, 24);
    arena_release(&arena);
}
END_TEST

START_TEST(test_mobilenet_v2_learns)
{
    Arena arena = {0};
    ModelOptions o = options_of("mobilenet_v2", 32, 4, &arena);
    o.width = 0.35;
    o.stem = MODEL_STEM_CIFAR_S2;
    check_learns(&o, 24);
    arena_release(&arena);
}
END_TEST

START_TEST(test_mobilenet_v1_learns)
{
    Arena arena = {0};
    ModelOptions o = options_of("mobilenet_v1", 32, 4, &arena);
    o.width = 0.25;
    check_learns(&o, 24);
    arena_release(&arena);
}
END_TEST

START_TEST(test_ds_cnn_learns)
{
    Arena arena = {0};
    ModelOptions o = options_of("ds_cnn", 0, 4, &arena);
    check_learns(&o, 40);
    arena_release(&arena);
}
END_TEST

START_TEST(test_list_learns)
{
    Listed l;
    listed_init(&l);
    l.entries[9].units = l.options.classes = 4;
    l.options.layers.count = 10;
    /* Flatten instead of averaging: enough parameters to tell eight images apart. */
    l.entries[8] = l.entries[9];
    l.options.layers.count = 9;
    check_learns(&l.options, 24);
    arena_release(&l.arena);
}
END_TEST

Suite *suite_models(void)
{
    Suite *s = suite_create("models");
    TCase *c = tcase_create("models");
    tcase_add_loop_test(c, test_counts, 0, sizeof counts / sizeof counts[0]);
    tcase_add_test(c, test_mobilenet_v2_places);
    tcase_add_test(c, test_resnet8_places);
    tcase_add_test(c, test_mobilenet_v1_places);
    tcase_add_test(c, test_ds_cnn_places);
    tcase_add_test(c, test_list);
    tcase_add_test(c, test_list_windows);
    tcase_add_test(c, test_list_references);
    tcase_add_test(c, test_list_groups_and_multiplier);
    tcase_add_test(c, test_list_errors);
    tcase_add_test(c, test_list_more_errors);
    tcase_add_test(c, test_entry_check);
    tcase_add_test(c, test_tables);
    tcase_add_test(c, test_unknown_arch);
    tcase_add_test(c, test_out_of_memory);
    tcase_add_test(c, test_resnet8_learns);
    tcase_add_test(c, test_mobilenet_v2_learns);
    tcase_add_test(c, test_mobilenet_v1_learns);
    tcase_add_test(c, test_ds_cnn_learns);
    tcase_add_test(c, test_list_learns);
    suite_add_tcase(s, c);
    return s;
}
