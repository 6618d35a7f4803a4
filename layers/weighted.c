/* Common parts of the weighted layers: see weighted.h. SPDX-License-Identifier: Apache-2.0 */
#include "layers/weighted.h"

#include "layers/layers.h"

#include <math.h>

static Axis axis_of(const Conv2dOptions *o, int which, int in)
{
    return (Axis){.in = in,
                  .kernel = weighted_or_one(o->kernel[which]),
                  .stride = weighted_or_one(o->stride[which]),
                  .dilation = weighted_or_one(o->dilation[which]),
                  .before = o->pads[which],
                  .after = o->pads[which + 2]};
}

int weighted_window(const char *op, const char *name, const Conv2dOptions *o, Shape x,
                    WindowAttributes *a, Error *e)
{
    char text[SHAPE_TEXT_BYTES];
    if (x.rank != 4)
        return error_set(e, HONE_ERR_SHAPE, "%s '%s': input %s is not [N, H, W, C]", op, name,
                         shape_text(x, text));
    *a = (WindowAttributes){
        .y = axis_of(o, 0, x.dim[1]), .x = axis_of(o, 1, x.dim[2]), .padding = o->padding};
    int status = window_axis(&a->y, a->padding, op, name, e);
    return status != HONE_OK ? status : window_axis(&a->x, a->padding, op, name, e);
}

Value *weighted_node(Graph *g, const Op *op, const char *name, Value *x, Shape weight,
                     double fan_in, int channels, bool bias, const void *attributes, size_t bytes)
{
    const char *weight_name = arena_printf(&g->arena, "%s.weight", name);
    const char *bias_name = arena_printf(&g->arena, "%s.bias", name);
    if (!weight_name || !bias_name) {
        error_memory(&g->error, "the graph", 0);
        return NULL;
    }
    const Init init = {.deviation = sqrt(1 / (3 * fan_in))};
    Value *in[3] = {x, graph_param(g, weight_name, weight, PARAM_WEIGHT, init)};
    if (bias)
        in[2] = graph_param(g, bias_name, SHAPE1(channels), PARAM_BIAS, (Init){0});
    Node *n = graph_node(g, op, name, bias ? 3 : 2, in, attributes, bytes);
    return n ? n->out[0] : NULL;
}

int weighted_check(const Node *n, Shape want, int channels, Error *e)
{
    char have[SHAPE_TEXT_BYTES], text[SHAPE_TEXT_BYTES];
    if (!shape_equal(n->in[1]->shape, want))
        return error_set(e, HONE_ERR_SHAPE, "%s '%s': weights are %s, not %s", n->op->name, n->name,
                         shape_text(n->in[1]->shape, have), shape_text(want, text));
    if (n->inputs > 2 && !shape_equal(n->in[2]->shape, SHAPE1(channels)))
        return error_set(e, HONE_ERR_SHAPE, "%s '%s': bias is %s, not [%d]", n->op->name, n->name,
                         shape_text(n->in[2]->shape, have), channels);
    return HONE_OK;
}

HoneRtConv weighted_geometry(const WindowAttributes *a, int in_c, int out_c)
{
    return (HoneRtConv){.in_h = a->y.in,
                        .in_w = a->x.in,
                        .in_c = in_c,
                        .out_h = a->y.out,
                        .out_w = a->x.out,
                        .out_c = out_c,
                        .kernel_h = a->y.kernel,
                        .kernel_w = a->x.kernel,
                        .stride_h = a->y.stride,
                        .stride_w = a->x.stride,
                        .dilation_h = a->y.dilation,
                        .dilation_w = a->x.dilation,
                        .pad_top = a->y.before,
                        .pad_left = a->x.before};
}

void weighted_lower(const WindowAttributes *a, HoneRtOp *op)
{
    op->kernel_h = (uint16_t)a->y.kernel;
    op->kernel_w = (uint16_t)a->x.kernel;
    op->stride_h = (uint16_t)a->y.stride;
    op->stride_w = (uint16_t)a->x.stride;
    op->dilation_h = (uint16_t)a->y.dilation;
    op->dilation_w = (uint16_t)a->x.dilation;
    op->pad_top = (uint16_t)a->y.before;
    op->pad_left = (uint16_t)a->x.before;
    op->pad_bottom = (uint16_t)a->y.after;
    op->pad_right = (uint16_t)a->x.after;
}
