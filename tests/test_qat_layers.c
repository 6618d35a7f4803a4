/* The quantization pass around layers that keep a grid or have a fixed one: who shares what, what becomes a
 * table, what is refused. SPDX-License-Identifier: Apache-2.0 */
#include "core/exec.h"
#include "layers/layers.h"
#include "qat/insert.h"
#include "qat/integer.h"
#include "qat/nodes.h"
#include "tests/suites.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const QatOptions defaults = {
    .present = true, .weights = {8, QAT_PER_CHANNEL}, .activations = {8, OBSERVER_EMA, 0.9, false}};

typedef struct Made {
    Graph graph;
    Value *image;
} Made;

static void begin(Made *m)
{
    *m = (Made){0};
    graph_init(&m->graph);
    m->image = graph_input(&m->graph, "image", SHAPE4(1, 8, 8, 3), ELEM_REAL);
}

static Value *conv(Made *m, const char *name, Value *x)
{
    return layer_conv2d(&m->graph, name, x, &(Conv2dOptions){.channels = 4, .kernel = {3, 3}});
}

static void insert(Made *m)
{
    Error e = {0};
    ck_assert_msg(qat_insert(&m->graph, &defaults, &e) == HONE_OK, "%s", e.text);
}

static void refused(Made *m, const char *sentence)
{
    Error e = {0};
    ck_assert_int_eq(qat_insert(&m->graph, &defaults, &e), HONE_ERR_CONFIG);
    ck_assert_str_eq(e.text, sentence);
    graph_release(&m->graph);
}

static const QuantLayer *layer(const Made *m, const char *name)
{
    const Node *n = graph_find_node(&m->graph, name);
    ck_assert_msg(n && qat_layer(n), "'%s' is no quantized layer", name);
    return qat_layer(n);
}

/* Through pooling, dropout and reshaping the grid is that of the convolution; concatenated values share
 * theirs although share_inputs is off. */
START_TEST(grids_are_passed_on)
{
    Made m;
    begin(&m);
    Graph *g = &m.graph;
    const PoolOptions two = {.kernel = {2, 2}};
    Value *a = layer_max_pool(g, "pool", conv(&m, "a", m.image), &two);
    Value *b = layer_average_pool(g, "average", conv(&m, "b", m.image), &two);
    Value *c = layer_concat(g, "both", 2, (Value *[]){a, b});
    Value *d = layer_dropout(g, "drop", layer_flatten(g, "flat", c), 0.5);
    layer_dense(g, "last", d, 3, true);
    insert(&m);
    const Value *codes = layer(&m, "a")->codes;
    static const char *const same[] = {"b", "pool", "average", "both", "flat"};
    for (int i = 0; i < 5; i++) {
        ck_assert_ptr_eq(layer(&m, same[i])->codes->scale, codes->scale);
        ck_assert_ptr_eq(layer(&m, same[i])->codes->zero_point, codes->zero_point);
    }
    ck_assert_ptr_null(layer(&m, "both")->output);
    ck_assert_ptr_nonnull(layer(&m, "a")->output);
    const Node *drop = graph_find_node(g, "drop");
    ck_assert_ptr_eq(drop->out[0]->scale, drop->out[1]); /* in training */
    ck_assert_ptr_eq(drop->out[0]->zero_point, codes->zero_point);
    graph_release(g);
}
END_TEST

/* A relu that a convolution can take is its clamp; behind a pooling, or beside another reader, a table. */
START_TEST(activations_alone_are_tables)
{
    Made m;
    begin(&m);
    Graph *g = &m.graph;
    Value *a = layer_relu(g, "taken", conv(&m, "a", m.image));
    Value *b = conv(
        &m, "b",
        layer_relu6(g, "behind", layer_max_pool(g, "pool", a, &(PoolOptions){.kernel = {2, 2}})));
    layer_add(g, "sum", layer_relu(g, "beside", b), b);
    insert(&m);
    ck_assert_ptr_eq(layer(&m, "a")->activation, graph_find_node(g, "taken"));
    ck_assert_ptr_eq(graph_find_node(g, "taken")->op, &op_relu);
    ck_assert_ptr_eq(graph_find_node(g, "behind")->op, op_relu6.alone);
    ck_assert_ptr_eq(graph_find_node(g, "beside")->op, op_relu.alone);
    ck_assert_ptr_null(layer(&m, "b")->activation);
    ck_assert_ptr_nonnull(layer(&m, "behind")->output);
    graph_release(g);
}
END_TEST

START_TEST(a_softmax_has_its_grid)
{
    Made m;
    begin(&m);
    layer_softmax(&m.graph, "soft", layer_dense(&m.graph, "dense", m.image, 5, true));
    insert(&m);
    const QuantLayer *soft = layer(&m, "soft");
    const GridAttributes *grid = soft->codes->scale->producer->attributes;
    ck_assert(grid->fixed && grid->grid.scale == 1.0f / 256 && grid->grid.zero_point == -128);
    ck_assert_ptr_null(soft->extent);
    graph_release(&m.graph);
}
END_TEST

/* Additions share the grids of their inputs, but not those that are fixed. */
START_TEST(fixed_grids_are_not_shared)
{
    QatOptions share = defaults;
    share.activations.share_inputs = true;
    for (int swap = 0; swap < 2; swap++) {
        Made m;
        Error e = {0};
        begin(&m);
        Graph *g = &m.graph;
        Value *a = layer_conv2d(g, "a", m.image, &(Conv2dOptions){.channels = 3});
        layer_add(g, "with image", swap ? a : m.image, swap ? m.image : a);
        Value *d = layer_dense(g, "d", a, 5, true), *soft = layer_softmax(g, "soft", d);
        Value *b = layer_dense(g, "b", a, 5, true);
        layer_add(g, "with softmax", swap ? b : soft, swap ? soft : b);
        layer_add(g, "with another", swap ? b : d, swap ? d : b);
        ck_assert_msg(qat_insert(g, &share, &e) == HONE_OK, "%s", e.text);
        const GridAttributes *image = layer(&m, "a")->anchor->in[0]->scale->producer->attributes;
        const GridAttributes *of_soft = layer(&m, "soft")->codes->scale->producer->attributes;
        const GridAttributes *of_a = layer(&m, "a")->codes->scale->producer->attributes;
        ck_assert(image->fixed && image->grid.scale == IMAGE_SCALE);
        ck_assert(of_soft->fixed && of_soft->grid.scale == 1.0f / 256);
        ck_assert(!of_a->fixed);
        ck_assert_ptr_eq(layer(&m, "b")->codes->scale, layer(&m, "d")->codes->scale);
        ck_assert_ptr_ne(layer(&m, "b")->codes->scale, layer(&m, "soft")->codes->scale);
        graph_release(g);
    }
}
END_TEST

/* What passes the image on has its grid and 8 bits, whatever the others have. */
START_TEST(images_are_passed_on)
{
    Made m;
    Error e = {0};
    QatOptions narrow = defaults;
    narrow.activations.bits = 4;
    begin(&m);
    conv(&m, "a", layer_max_pool(&m.graph, "pool", m.image, &(PoolOptions){.kernel = {2, 2}}));
    ck_assert_msg(qat_insert(&m.graph, &narrow, &e) == HONE_OK, "%s", e.text);
    const QuantLayer *pool = layer(&m, "pool");
    ck_assert_int_eq(pool->activation_bits, 8);
    ck_assert_int_eq(layer(&m, "a")->activation_bits, 4);
    const GridAttributes *grid = pool->codes->scale->producer->attributes;
    ck_assert(grid->fixed && grid->grid.scale == IMAGE_SCALE);
    graph_release(&m.graph);
}
END_TEST

/* Two losses read the same real numbers, made of the codes once. */
START_TEST(real_numbers_are_made_once)
{
    Made m;
    begin(&m);
    Value *y = layer_dense(&m.graph, "y", m.image, 5, true);
    Value *target = graph_input(&m.graph, "target", SHAPE2(1, 5), ELEM_REAL);
    layer_mse(&m.graph, "loss", y, target);
    layer_bce(&m.graph, "loss2", y, target);
    insert(&m);
    int made = 0;
    for (int i = 0; i < m.graph.node_count; i++)
        made += m.graph.nodes[i]->op == &op_dequantize &&
                m.graph.nodes[i]->in[0] == layer(&m, "y")->codes;
    ck_assert_int_eq(made, 1);
    ck_assert_ptr_eq(graph_find_node(&m.graph, "loss")->in[0],
                     graph_find_node(&m.graph, "loss2")->in[0]);
    graph_release(&m.graph);
}
END_TEST

/* More values share a grid than an observer has inputs. */
START_TEST(many_share_a_grid)
{
    enum { COUNT = 20 };
    Made m;
    char name[24];
    Value *branches[COUNT], *x = NULL;
    begin(&m);
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "branch%d", i);
        branches[i] = conv(&m, name, m.image);
    }
    for (int i = 1; i < COUNT; i++) {
        snprintf(name, sizeof name, "join%d", i);
        x = layer_concat(&m.graph, name, 2, (Value *[]){branches[i - 1], branches[i]});
    }
    ck_assert_ptr_nonnull(x);
    insert(&m);
    const Value *scale = layer(&m, "branch0")->codes->scale;
    int observers = 0;
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "branch%d", i);
        ck_assert_ptr_eq(layer(&m, name)->codes->scale, scale);
    }
    for (int i = 0; i < m.graph.node_count; i++)
        observers += m.graph.nodes[i]->op == &op_observer;
    ck_assert_int_eq(observers, 1);
    graph_release(&m.graph);
}
END_TEST

START_TEST(what_cannot_be_is_refused)
{
    Made m;
    begin(&m);
    layer_concat(&m.graph, "both", 2, (Value *[]){conv(&m, "a", m.image), m.image});
    refused(&m, "qat: concat 'both' needs one grid, which 'a' and 'image' cannot share: that of an "
                "image or a softmax is fixed");
    begin(&m);
    Value *a = conv(&m, "a", m.image), *b = conv(&m, "b", m.image);
    layer_concat(&m.graph, "both", 2, (Value *[]){a, layer_dropout(&m.graph, "drop", b, 0.5)});
    refused(&m,
            "qat: concat 'both' reads 'drop' (dropout), which moves the grid in training; put it "
            "behind 'both'");
}
END_TEST

Suite *suite_qat_layers(void)
{
    Suite *s = suite_create("qat_layers");
    TCase *t = tcase_create("layers");
    tcase_add_test(t, grids_are_passed_on);
    tcase_add_test(t, activations_alone_are_tables);
    tcase_add_test(t, a_softmax_has_its_grid);
    tcase_add_test(t, fixed_grids_are_not_shared);
    tcase_add_test(t, images_are_passed_on);
    tcase_add_test(t, real_numbers_are_made_once);
    tcase_add_test(t, many_share_a_grid);
    tcase_add_test(t, what_cannot_be_is_refused);
    suite_add_tcase(s, t);
    return s;
}
