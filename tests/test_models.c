/* Tests of architectures: counts, names, shapes, and that they learn.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "core/option_value.h"
#include "models/layer_list.h"
#include "models/model.h"
#include "tests/model_case.h"
#include "tests/suites.h"

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
    ModelOptions o = model_case_options(c->arch, c->size, c->classes, &arena);
    o.width = c->width;
    o.stem = c->stem;
    o.conv_bias = c->conv_bias;
    model_case_build(&g, &m, &o);
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

START_TEST(test_mobilenet_v2_places)
{
    static const ModelPlace imagenet[] = {
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
    static const ModelPlace cifar[] = {{"stem", 32, 32},
                                       {"block2.depthwise", 32, 96},
                                       {"block4.depthwise", 16, 144},
                                       {"head", 4, 1280}};
    static const ModelPlace small[] = {{"stem", 16, 16},
                                       {"block1.project", 16, 8},
                                       {"block2.project", 16, 8},
                                       {"block4.project", 8, 16},
                                       {"head", 2, 1280}};
    /* 24 * 0.75 = 18 rounds to 16, more than a tenth less: 24; the head grows above width 1. */
    static const ModelPlace wide[] = {
        {"stem", 16, 24}, {"block2.project", 8, 24}, {"head", 1, 1280}};
    static const ModelPlace wider[] = {
        {"stem", 16, 48}, {"block2.project", 8, 32}, {"head", 1, 1792}};
    static const struct {
        double width;
        ModelStem stem;
        int size;
        const ModelPlace *places;
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
        ModelOptions o = model_case_options("mobilenet_v2", cases[i].size, 10, &arena);
        o.width = cases[i].width;
        o.stem = cases[i].stem;
        model_case_build(&g, &m, &o);
        model_case_places(&g, cases[i].places, cases[i].count);
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
    static const ModelPlace places[] = {
        {"stem.relu", 32, 16},   {"block1.conv1.relu", 32, 16}, {"block1.conv2.bn", 32, 16},
        {"block1.relu", 32, 16}, {"block2.conv1", 16, 32},      {"block2.shortcut", 16, 32},
        {"block2.add", 16, 32},  {"block3.conv2", 8, 64},       {"block3.relu", 8, 64},
    };
    Arena arena = {0};
    Graph g;
    Model m;
    ModelOptions o = model_case_options("resnet8", 32, 10, &arena);
    ck_assert(o.conv_bias && o.batchnorm.momentum == 0.1 && o.batchnorm.epsilon == 0.001);
    model_case_build(&g, &m, &o);
    model_case_places(&g, places, sizeof places / sizeof places[0]);
    ck_assert_ptr_null(graph_find_node(&g, "block1.shortcut"));
    ck_assert_ptr_nonnull(graph_find_param(&g, "block2.shortcut.bias"));
    ck_assert_ptr_nonnull(graph_find_param(&g, "classifier.weight"));
    graph_release(&g);
    arena_release(&arena);
}
END_TEST

START_TEST(test_mobilenet_v1_places)
{
    static const ModelPlace vww[] = {
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
    ModelOptions o = model_case_options("mobilenet_v1", 96, 2, &arena);
    ck_assert(!o.conv_bias && o.width == 1);
    o.width = 0.25;
    model_case_build(&g, &m, &o);
    model_case_places(&g, vww, sizeof vww / sizeof vww[0]);
    ck_assert_ptr_null(graph_find_param(&g, "block1.depthwise.bias"));
    graph_release(&g);
    o.width = 0.05; /* 1.6 and 3.2 channels */
    o.conv_bias = true;
    model_case_build(&g, &m, &o);
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
    ModelOptions o = model_case_options("ds_cnn", 0, 12, &arena);
    model_case_build(&g, &m, &o);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        ck_assert(shape_equal(graph_find_node(&g, names[i])->out[0]->shape, SHAPE4(1, 25, 5, 64)));
    ck_assert_int_eq((int)graph_find_param(&g, "stem.weight")->count, 64 * 10 * 4);
    graph_release(&g);
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
    ModelOptions o = model_case_options("resnet8", 32, 10, &arena);
    o.arch = 77;
    model_case_refused(&o, "model: arch number 77 does not exist");
    arena_release(&arena);
}
END_TEST

/* ---- learning ------------------------------------------------------------------------------- */

START_TEST(test_resnet8_learns)
{
    Arena arena = {0};
    ModelOptions o = model_case_options("resnet8", 16, 4, &arena);
    model_case_learns(&o, 24);
    arena_release(&arena);
}
END_TEST

START_TEST(test_mobilenet_v2_learns)
{
    Arena arena = {0};
    ModelOptions o = model_case_options("mobilenet_v2", 32, 4, &arena);
    o.width = 0.35;
    o.stem = MODEL_STEM_CIFAR_S2;
    model_case_learns(&o, 24);
    arena_release(&arena);
}
END_TEST

START_TEST(test_mobilenet_v1_learns)
{
    Arena arena = {0};
    ModelOptions o = model_case_options("mobilenet_v1", 32, 4, &arena);
    o.width = 0.25;
    model_case_learns(&o, 24);
    arena_release(&arena);
}
END_TEST

START_TEST(test_ds_cnn_learns)
{
    Arena arena = {0};
    ModelOptions o = model_case_options("ds_cnn", 0, 4, &arena);
    model_case_learns(&o, 40);
    arena_release(&arena);
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
    tcase_add_test(c, test_tables);
    tcase_add_test(c, test_unknown_arch);
    tcase_add_test(c, test_resnet8_learns);
    tcase_add_test(c, test_mobilenet_v2_learns);
    tcase_add_test(c, test_mobilenet_v1_learns);
    tcase_add_test(c, test_ds_cnn_learns);
    suite_add_tcase(s, c);
    return s;
}
