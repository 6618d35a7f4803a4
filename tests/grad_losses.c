/* Cases of gradients: losses. SPDX-License-Identifier: Apache-2.0 */
#include "distill/distill.h"
#include "layers/layers.h"
#include "tests/grad_cases.h"

static Value *source(Graph *g, Shape s)
{
    return gradcheck_source(g, "x", s, 0.3, 1);
}

static Value *xent_of(Graph *g, double smoothing)
{
    Value *labels = graph_input(g, "labels", SHAPE1(6), ELEM_INT32);
    return layer_softmax_xent(g, "loss", source(g, SHAPE2(6, 4)), labels, smoothing);
}

static Value *xent(Graph *g)
{
    return xent_of(g, 0);
}

static Value *xent_smooth(Graph *g)
{
    return xent_of(g, 0.2);
}

/* Integers of all three inputs are as gradcheck fills them. */
static Value *xent_mixed(Graph *g)
{
    Value *in[3];
    static const char *const names[] = {"labels", "others", "shares"};
    for (int i = 0; i < 3; i++)
        in[i] = graph_input(g, names[i], SHAPE1(6), ELEM_INT32);
    return layer_softmax_xent_mixed(g, "loss", source(g, SHAPE2(6, 4)), in[0], in[1], in[2], 0.2);
}

static Value *soft_of(Graph *g, double temperature)
{
    Value *teacher = graph_param(g, "teacher", SHAPE2(6, 5), PARAM_STATE, (Init){0, 2});
    return distill_soft_loss(g, "soft", gradcheck_source(g, "x", SHAPE2(6, 5), 0, 2), teacher,
                             temperature);
}

static Value *soft_loss(Graph *g)
{
    return soft_of(g, 1);
}

static Value *soft_loss_warm(Graph *g)
{
    return soft_of(g, 4);
}

static Value *mse_labels(Graph *g)
{
    return layer_mse(g, "loss", source(g, SHAPE2(6, 4)),
                     graph_input(g, "labels", SHAPE1(6), ELEM_INT32));
}

static Value *bce_labels(Graph *g)
{
    return layer_bce(g, "loss", source(g, SHAPE2(6, 4)),
                     graph_input(g, "labels", SHAPE1(6), ELEM_INT32));
}

static Value *mse_numbers(Graph *g)
{
    Value *target = graph_param(g, "target", SHAPE4(5, 2, 1, 3), PARAM_STATE, (Init){0.3, 0});
    return layer_mse(g, "loss", source(g, SHAPE2(5, 6)), target);
}

static Value *bce_numbers(Graph *g)
{
    Value *target = graph_param(g, "target", SHAPE4(5, 2, 1, 3), PARAM_STATE, (Init){0.3, 0});
    return layer_bce(g, "loss", source(g, SHAPE2(5, 6)), target);
}

static const GradCase cases[] = {
    {"softmax_xent", &op_softmax_xent, xent, NULL, false, false, NULL},
    {"softmax_xent smoothed", &op_softmax_xent, xent_smooth, NULL, false, false, NULL},
    {"softmax_xent mixed", &op_softmax_xent, xent_mixed, NULL, false, false, NULL},
    {"soft_loss", &op_soft_loss, soft_loss, NULL, false, false, NULL},
    {"soft_loss at temperature 4", &op_soft_loss, soft_loss_warm, NULL, false, false, NULL},
    {"mse of labels", &op_mse, mse_labels, NULL, false, false, NULL},
    {"mse of numbers", &op_mse, mse_numbers, NULL, false, false, NULL},
    {"bce of labels", &op_bce, bce_labels, NULL, false, false, NULL},
    {"bce of numbers", &op_bce, bce_numbers, NULL, false, false, NULL},
};

const GradCases grad_losses = {cases, sizeof cases / sizeof cases[0]};
