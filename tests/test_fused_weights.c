/* Tests of the fused node of weights against the two nodes that it covers: scales, codes and gradients
 * are the same bits; with a plan, gradients are written once.
 *
 *     image 6x6x4 > conv 3x3 to 8 > depthwise 3x3 > dense to 5 > loss
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "core/work.h"
#include "layers/layers.h"
#include "qat/fuse.h"
#include "qat/insert.h"
#include "qat/nodes.h"
#include "tests/net.h"
#include "tests/suites.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const char *const layers[] = {"conv", "depth", "dense"};
enum { LAYERS = 3, BATCH = 3 };

typedef struct Weights {
    Net net;
    Value *image;
} Weights;

/* Channels of every kind: usual, all zero, and so small that its own scale is none. */
static void draw_weights(const Weights *t)
{
    Real *conv = net_param(&t->net, "conv.weight"), *depth = net_param(&t->net, "depth.weight");
    for (int i = 0; i < 36; i++) {
        conv[36 + i] = 0;
        conv[3 * 36 + i] = (Real)(i % 5 - 2) * (Real)1e-38;
    }
    for (int i = 0; i < 9; i++)
        depth[i * 8 + 5] = 0;
}

static void open_net(Weights *t, const QatOptions *qat, const NetOptions *o)
{
    Error e = {0};
    net_init(&t->net);
    Graph *g = &t->net.graph;
    t->image = graph_input(g, "image", SHAPE4(1, 6, 6, 4), ELEM_REAL);
    Value *y = layer_conv2d(g, "conv", t->image, &(Conv2dOptions){.channels = 8, .kernel = {3, 3}});
    y = layer_depthwise(g, "depth", y, &(Conv2dOptions){.kernel = {3, 3}});
    net_loss(g, "loss", layer_dense(g, "dense", y, 5, true));
    ck_assert_msg(qat_insert(g, qat, &e) == HONE_OK, "%s", e.text);
    ck_assert_msg(qat_fuse(g, &e) == HONE_OK, "%s", e.text);
    net_compile(&t->net, o);
    draw_weights(t);
    net_random(&t->net, t->image, 0, 0.5);
    exec_forward(t->net.exec);
    exec_backward(t->net.exec);
}

static const Node *quantizer(const Weights *t, const char *layer)
{
    return qat_layer(graph_find_node(&t->net.graph, layer))->weights;
}

static int acting(const Weights *t, const Op *op)
{
    int count = 0;
    for (int i = 0; i < exec_run_count(t->net.exec); i++)
        count += exec_run(t->net.exec, i)->node->op == op;
    return count;
}

/* The parameter's gradient is that of the codes: nothing was clipped. */
static const Tensor *check_gradient(const Weights *t, const char *layer)
{
    const Node *n = quantizer(t, layer);
    const Tensor *codes = exec_tensor(t->net.exec, n->out[0]);
    const Real *grad = t->net.params.grad + n->in[0]->param->offset;
    ck_assert_ptr_ne(codes->grad, grad);
    ck_assert_mem_eq(codes->grad, grad, shape_count(codes->shape) * sizeof(Real));
    return codes;
}

static void check_layer(const Weights *fused, const Weights *simple, const char *layer)
{
    const Tensor *f = check_gradient(fused, layer), *s = check_gradient(simple, layer);
    ck_assert_mem_eq(f->scale->data, s->scale->data, shape_count(s->scale->shape) * sizeof(Real));
    ck_assert_mem_eq(f->data, s->data, shape_count(s->shape));
}

/* Of 8 and 4 bits, with a grid per channel and per tensor. */
START_TEST(as_grid_and_fakequant)
{
    const QatOptions qat = {.present = true,
                            .weights = {_i / 2 ? 4 : 8, _i % 2 ? QAT_PER_TENSOR : QAT_PER_CHANNEL},
                            .activations = {8, OBSERVER_EMA, 0.9, true}};
    Weights t[2];
    for (int fuse = 0; fuse < 2; fuse++)
        open_net(&t[fuse], &qat,
                 &(NetOptions){.mode = {.training = true, .quantize = true, .fuse = fuse},
                               .batch = BATCH,
                               .threads = 1 + fuse});
    ck_assert_int_eq(acting(&t[0], &op_fused_weights), 0);
    ck_assert_int_eq(acting(&t[1], &op_fused_weights), LAYERS);
    ck_assert_int_eq(acting(&t[1], &op_weight_grid), 0);
    for (int i = 0; i < LAYERS; i++)
        check_layer(&t[1], &t[0], layers[i]);
    for (int fuse = 0; fuse < 2; fuse++)
        net_release(&t[fuse].net);
}
END_TEST

/* Where memory is planned the gradient of the codes is the parameter's, also of a simple node. */
START_TEST(gradients_are_written_once)
{
    const QatOptions qat = {.present = true,
                            .weights = {8, QAT_PER_CHANNEL},
                            .activations = {8, OBSERVER_EMA, 0.9, true}};
    Weights kept, planned;
    const Mode mode = {.training = true, .quantize = true, .fuse = _i};
    open_net(&kept, &qat, &(NetOptions){.mode = mode, .batch = BATCH});
    open_net(&planned, &qat, &(NetOptions){.mode = mode, .batch = BATCH, .plan = true});
    for (int i = 0; i < LAYERS; i++) {
        const Node *n = quantizer(&planned, layers[i]);
        const Param *p = n->in[0]->param;
        const Tensor *codes = exec_tensor(planned.net.exec, n->out[0]);
        ck_assert_ptr_eq(codes->grad, planned.net.params.grad + p->offset);
        ck_assert_ptr_ne(exec_tensor(kept.net.exec, quantizer(&kept, layers[i])->out[0])->grad,
                         kept.net.params.grad + p->offset);
    }
    ck_assert_mem_eq(planned.net.params.grad, kept.net.params.grad,
                     kept.net.graph.trained_count * sizeof(Real));
    for (int i = 0; i < exec_run_count(planned.net.exec); i++)
        if (exec_run(planned.net.exec, i)->node->op == &op_fused_weights)
            ck_assert_int_eq(work_of(planned.net.exec, i).backward.bytes, 0);
    net_release(&kept.net);
    net_release(&planned.net);
}
END_TEST

Suite *suite_fused_weights(void)
{
    Suite *s = suite_create("fused_weights");
    TCase *t = tcase_create("weights");
    tcase_add_loop_test(t, as_grid_and_fakequant, 0, 4);
    tcase_add_loop_test(t, gradients_are_written_once, 0, 2);
    suite_add_tcase(s, t);
    return s;
}
