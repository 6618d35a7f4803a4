/* Tests of networks given as lists of layers. SPDX-License-Identifier: Apache-2.0 */
#include "core/option_value.h"
#include "models/layer_list.h"
#include "tests/allocations.h"
#include "tests/model_case.h"
#include "tests/suites.h"

#include <check.h>
#include <string.h>

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
    l->options = model_case_options("layers", 9, 3, a);
    l->options.layers = (OptionList){sizeof made / sizeof made[0], l->entries};
}

START_TEST(test_list)
{
    static const ModelPlace places[] = {
        {"stem", 5, 6},    {"batchnorm1", 5, 6}, {"a", 5, 6},      {"depthwise1", 5, 6},
        {"conv2d2", 5, 6}, {"add1", 5, 6},       {"relu61", 5, 6}, {"valid", 3, 4},
    };
    Listed l;
    Graph g;
    Model m;
    listed_init(&l);
    model_case_build(&g, &m, &l.options);
    model_case_places(&g, places, sizeof places / sizeof places[0]);
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
    model_case_build(&g, &m, &l.options);
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
    model_case_build(&g, &m, &l.options);
    ck_assert_int_eq(graph_find_node(&g, "depthwise1")->out[0]->shape.dim[3], 12);
    ck_assert(shape_equal(graph_find_param(&g, "depthwise1.weight")->shape, SHAPE4(1, 1, 3, 12)));
    ck_assert(shape_equal(graph_find_param(&g, "conv2d2.weight")->shape, SHAPE4(6, 3, 3, 4)));
    graph_release(&g);
    l.entries[4].groups = 4;
    model_case_refused(
        &l.options, "layers[4] 'conv2d2': conv2d 'conv2d2': 12 inputs and 6 channels do not fall "
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
    model_case_build(&g, &m, &l.options);
    ck_assert_ptr_eq(graph_find_node(&g, "depthwise1")->in[0], m.image);
    graph_release(&g);
    l.entries[5].with = "steem";
    model_case_refused(&l.options,
                       "model layers: layers[5] 'add1': with: no earlier layer is called 'steem', "
                       "did you mean 'stem'?");
    l.entries[5].with = "valid"; /* comes later */
    model_case_refused(&l.options, "layers[5] 'add1': with: no earlier layer is called 'valid'");
    l.entries[2].input = "a"; /* itself */
    model_case_refused(&l.options, "layers[2] 'a': input: no earlier layer is called 'a'");
    arena_release(&l.arena);
}
END_TEST

START_TEST(test_list_errors)
{
    Listed l;
    listed_init(&l);
    l.options.classes = 4;
    model_case_refused(
        &l.options, "layers[9] 'dense1': the last layer gives [1, 3], but classes: 4 wants [1, 4]");
    l.options.classes = 3;
    l.options.layers.count = 8;
    model_case_refused(&l.options, "layers[7] 'valid': the last layer gives [1, 3, 3, 4]");
    l.options.layers.count = 10;
    l.entries[7].kernel.v[0] = 6;
    model_case_refused(&l.options, "layers[7] 'valid': conv2d 'valid': ");
    l.entries[7].kernel.v[0] = 3;
    l.entries[6].input = "a";
    model_case_refused(&l.options, "layers[5] 'add1': no later layer reads it");
    l.entries[6].input = NULL;
    l.entries[4].filters = 7;
    model_case_refused(&l.options, "layers[5] 'add1': ");
    l.entries[4].filters = 6;
    l.entries[6].name = "stem";
    model_case_refused(&l.options, "layers[6] 'stem': an earlier layer has this name");
    l.entries[6].name = NULL;
    l.options.layers.count = 0;
    model_case_refused(&l.options, "layers is empty");
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
    model_case_refused(&l.options,
                       "layers[0] 'along': conv1d 'along': input [1, 9, 9, 3] is not [N, 1, W, C]");
    LayerEntry reshape = entry("reshape", "two", a);
    reshape.shape = (OptionInts){2, {27, 9}};
    l.entries[0] = reshape;
    model_case_refused(&l.options,
                       "reshape 'two': shape takes [channels] or [height, width, channels], not 2 "
                       "numbers");
    static const char *const nobody[] = {"image", "nobody"};
    LayerEntry concat = entry("concat", "both", a);
    concat.others = (OptionTexts){2, nobody};
    l.entries[0] = concat;
    model_case_refused(&l.options, "layers[0] 'both': with: no earlier layer is called 'nobody'");
    LayerEntry pads = entry("pad", "pads", a);
    Error e = {0};
    pads.pads = (OptionInts){4, {1, 2, 3, 4}};
    ck_assert_int_eq(layer_entry_options.check(&pads, &e), HONE_OK);
    l.entries[0] = entry("softmax", "soft", a);
    l.options.layers.count = 1;
    model_case_refused(&l.options,
                       "layers[0] 'soft': the loss has a softmax of its own; export.softmax: true "
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

START_TEST(test_list_learns)
{
    Listed l;
    listed_init(&l);
    l.entries[9].units = l.options.classes = 4;
    l.options.layers.count = 10;
    /* Flatten instead of averaging: enough parameters to tell eight images apart. */
    l.entries[8] = l.entries[9];
    l.options.layers.count = 9;
    model_case_learns(&l.options, 24);
    arena_release(&l.arena);
}
END_TEST

Suite *suite_layer_list(void)
{
    Suite *s = suite_create("layer_list");
    TCase *t = tcase_create("lists");
    tcase_add_test(t, test_list);
    tcase_add_test(t, test_list_windows);
    tcase_add_test(t, test_list_references);
    tcase_add_test(t, test_list_groups_and_multiplier);
    tcase_add_test(t, test_list_errors);
    tcase_add_test(t, test_list_more_errors);
    tcase_add_test(t, test_entry_check);
    tcase_add_test(t, test_out_of_memory);
    tcase_add_test(t, test_list_learns);
    suite_add_tcase(s, t);
    return s;
}
