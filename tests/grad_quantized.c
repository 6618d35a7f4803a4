/* Cases of gradients: quantization, whose gradients are straight-through. SPDX-License-Identifier: Apache-2.0 */
#include "qat/nodes.h"
#include "tests/grad_cases.h"

#include <math.h>

/* Codes -8..7 of the grid 0.25 (q - 2), so that about a tenth of the numbers are clipped. */
static Value *quantized(Graph *g, Shape shape, double deviation)
{
    Value *x = gradcheck_source(g, "x", shape, 0, deviation);
    GridAttributes grid = {.qmin = -8, .qmax = 7, .fixed = true, .grid = {0.25f, 2}};
    FakequantAttributes codes = {.qmin = -8, .qmax = 7, .axis = QUANT_AXIS_NONE};
    Node *n = qat_grid(g, "grid", NULL, &grid);
    n = n ? qat_fakequant(g, "quant", x, n->out[0], n->out[1], &codes) : NULL;
    return n ? n->out[0] : NULL;
}

static Value *fakequant(Graph *g)
{
    return quantized(g, SHAPE4(2, 3, 5, 7), 1);
}

static double fakequant_slope(size_t i, double x)
{
    (void)i;
    double code = rint(x * 4) + 2;
    return code >= -8 && code <= 7 ? 1 : 0;
}

static Value *dequantize(Graph *g)
{
    Node *n = qat_dequantize(g, "real", quantized(g, SHAPE2(9, 11), 1.5));
    return n ? n->out[0] : NULL;
}

/* Scales are a parameter of their own here, too large for none to be clipped. */
static Value *per_channel(Graph *g, QuantAxis axis)
{
    Shape shape = axis == QUANT_AXIS_FIRST ? SHAPE4(5, 3, 3, 2) : SHAPE4(1, 3, 3, 5);
    Value *x = gradcheck_source(g, "x", shape, 0, 1);
    Value *scale = graph_param(g, "scale", SHAPE1(5), PARAM_STATE, (Init){0.25, 0});
    FakequantAttributes codes = {.qmin = -3, .qmax = 3, .axis = axis};
    Node *n = qat_fakequant(g, "quant", x, scale, NULL, &codes);
    return n ? n->out[0] : NULL;
}

static Value *fakequant_first(Graph *g)
{
    return per_channel(g, QUANT_AXIS_FIRST);
}

static Value *fakequant_last(Graph *g)
{
    return per_channel(g, QUANT_AXIS_LAST);
}

static void channel_scales(const Graph *g, Params *p)
{
    Real *scale = gradcheck_at(g, p, "scale");
    for (int c = 0; c < 5; c++)
        scale[c] = (Real)(1 << c) / 8;
}

static double slope_of_channel(size_t c, double x)
{
    return fabs(rint(x * 8 / (double)(1 << c))) <= 3 ? 1 : 0;
}

static double first_slope(size_t i, double x)
{
    return slope_of_channel(i / 18, x);
}

static double last_slope(size_t i, double x)
{
    return slope_of_channel(i % 5, x);
}

static const GradCase cases[] = {
    {"fakequant", &op_fakequant, fakequant, NULL, true, false, fakequant_slope},
    {"fakequant, first axis", &op_fakequant, fakequant_first, channel_scales, true, false,
     first_slope},
    {"fakequant, last axis", &op_fakequant, fakequant_last, channel_scales, true, false,
     last_slope},
    {"dequantize", &op_dequantize, dequantize, NULL, true, false, fakequant_slope},
};

const GradCases grad_quantized = {cases, sizeof cases / sizeof cases[0]};
