/* See layer_case.h. SPDX-License-Identifier: Apache-2.0 */
#include "tests/layer_case.h"

#include "layers/layers.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static Conv2dOptions random_options(LayerKind kind, int h, int w, int *in_c, Rng *rng)
{
    Conv2dOptions o = {.channels = 1 + (int)rng_below(rng, 40), .bias = rng_below(rng, 2) == 0};
    *in_c = 1 + (int)rng_below(rng, rng_below(rng, 2) ? 40 : 6);
    if (kind == DEPTHWISE || kind == MULTIPLIED) {
        o.multiplier = kind == MULTIPLIED ? 2 + (int)rng_below(rng, 3) : 1;
        *in_c = *in_c / o.multiplier + 1;
        o.channels = *in_c * o.multiplier;
    } else if (kind == GROUPED) {
        o.groups = 2 + (int)rng_below(rng, 4);
        *in_c = (*in_c / o.groups + 1) * o.groups;
        o.channels = (o.channels / o.groups + 1) * o.groups;
    }
    for (int i = 0; i < 2; i++) {
        o.kernel[i] = kind == POINTWISE ? 1 : 1 + (int)rng_below(rng, 4);
        o.stride[i] = kind == POINTWISE ? 1 : 1 + (int)rng_below(rng, 3);
        o.dilation[i] = rng_below(rng, 2) ? 1 + (int)rng_below(rng, 3) : 1;
        const int span = (o.kernel[i] - 1) * o.dilation[i] + 1;
        o.pads[i] = (int)rng_below(rng, (uint32_t)span);
        o.pads[i + 2] = (int)rng_below(rng, (uint32_t)span);
        if (span > (i == 0 ? h : w))
            o.kernel[i] = o.dilation[i] = 1;
        if (o.kernel[i] == 1)
            o.pads[i] = o.pads[i + 2] = 0;
    }
    o.padding = (Padding)rng_below(rng, 3);
    return o;
}

/* The axes of a case from its options, by the definitions of window.h. */
static Axis axis_of(const Conv2dOptions *o, int i, int in)
{
    Error e = {0};
    Axis a = {.in = in,
              .kernel = o->kernel[i],
              .stride = o->stride[i],
              .dilation = o->dilation[i],
              .before = o->pads[i],
              .after = o->pads[i + 2]};
    ck_assert_int_eq(window_axis(&a, o->padding, "", "", &e), HONE_OK);
    return a;
}

void layer_case_init(LayerCase *c, LayerKind kind, Rng *rng)
{
    const int h = 1 + (int)rng_below(rng, 13), w = 1 + (int)rng_below(rng, 13);
    *c = (LayerCase){.batch = 1 + (int)rng_below(rng, 19),
                     .depthwise = kind == DEPTHWISE || kind == MULTIPLIED};
    graph_init(&c->graph);
    Conv2dOptions o = random_options(kind, h, w, &c->in_c, rng);
    Value *x = graph_input(&c->graph, "x", SHAPE4(1, h, w, c->in_c), ELEM_REAL);
    Value *y = kind == DENSE  ? layer_dense(&c->graph, "f", x, o.channels, o.bias)
               : c->depthwise ? layer_depthwise(&c->graph, "f", x, &o)
                              : layer_conv2d(&c->graph, "f", x, &o);
    ck_assert_msg(y != NULL, "%s", c->graph.error.text);
    c->node = y->producer;
    c->out_c = o.channels;
    c->groups = kind == GROUPED ? o.groups : 1;
    if (kind == DENSE) {
        c->in_c *= h * w;
        c->y = c->x = (Axis){1, 1, 1, 1, 1, 0, 0};
    } else {
        c->y = axis_of(&o, 0, h);
        c->x = axis_of(&o, 1, w);
    }
}

void layer_case_release(LayerCase *c)
{
    graph_release(&c->graph);
}

/* Calls visit(context, x, y, w, channel of w) with the elements of every product of the sum. */
typedef void (*Product)(void *context, size_t x, size_t y, size_t w, size_t channel);

static void each_channel(const LayerCase *c, size_t pixel_in, size_t pixel_out, size_t tap,
                         Product visit, void *context)
{
    const size_t in_c = (size_t)c->in_c, out_c = (size_t)c->out_c;
    const size_t taps = (size_t)c->y.kernel * (size_t)c->x.kernel;
    const size_t groups = c->depthwise ? in_c : (size_t)c->groups, width = in_c / groups;
    for (size_t o = 0; o < out_c; o++) {
        const size_t first = o / (out_c / groups) * width;
        for (size_t i = 0; i < width; i++)
            visit(context, pixel_in * in_c + first + i, pixel_out * out_c + o,
                  c->depthwise ? tap * out_c + o : (o * taps + tap) * width + i, o);
    }
}

static void each_product(const LayerCase *c, Product visit, void *context)
{
    for (int n = 0; n < c->batch; n++)
        for (int oy = 0; oy < c->y.out; oy++)
            for (int ox = 0; ox < c->x.out; ox++)
                for (int t = 0; t < c->y.kernel * c->x.kernel; t++) {
                    const int ky = t / c->x.kernel, kx = t % c->x.kernel;
                    const int iy = oy * c->y.stride - c->y.before + ky * c->y.dilation;
                    const int ix = ox * c->x.stride - c->x.before + kx * c->x.dilation;
                    if (iy < 0 || iy >= c->y.in || ix < 0 || ix >= c->x.in)
                        continue;
                    each_channel(c, (size_t)((n * c->y.in + iy) * c->x.in + ix),
                                 (size_t)((n * c->y.out + oy) * c->x.out + ox), (size_t)t, visit,
                                 context);
                }
}

static void truth_product(void *context, size_t x, size_t y, size_t w, size_t channel)
{
    const LayerTruth *t = context;
    const Tensor *in = t->b->in;
    const double xv = (double)bound_real(&in[0], x, 0), wv = (double)bound_real(&in[1], w, channel);
    const double g = (double)t->b->out.grad[y];
    t->y[y] += xv * wv;
    t->dx[x] += g * wv;
    t->dw[w] += g * xv;
    if (in[0].elem == ELEM_CODE)
        t->sums[y] += (((const int8_t *)in[0].data)[x] - run_zero_point(&in[0])) *
                      ((const int8_t *)in[1].data)[w];
}

void layer_truth_init(LayerTruth *t, const LayerCase *c, const Bound *b)
{
    const size_t ny = shape_count(b->out.shape), out_c = (size_t)c->out_c;
    *t = (LayerTruth){.b = b,
                      .y = calloc(ny, sizeof *t->y),
                      .dx = calloc(shape_count(b->in[0].shape), sizeof *t->dx),
                      .dw = calloc(shape_count(b->in[1].shape), sizeof *t->dw),
                      .db = calloc(out_c, sizeof *t->db),
                      .sums = calloc(ny, sizeof *t->sums)};
    ck_assert(t->y && t->dx && t->dw && t->db && t->sums);
    each_product(c, truth_product, t);
    for (size_t i = 0; i < ny; i++) {
        t->db[i % out_c] += (double)b->out.grad[i];
        if (c->node->inputs > 2)
            t->y[i] += (double)((const Real *)b->in[2].data)[i % out_c];
    }
}

void layer_truth_release(LayerTruth *t)
{
    free(t->y);
    free(t->dx);
    free(t->dw);
    free(t->db);
    free(t->sums);
}

const char *layer_case_text(const LayerCase *c, const char *level)
{
    static char text[300];
    snprintf(text, sizeof text,
             "%s %s: batch %d, %dx%d x %d -> %dx%d x %d, kernel %dx%d, stride %d,%d, dilation "
             "%d,%d, pads %d,%d, groups %d",
             level, c->node->op->name, c->batch, c->y.in, c->x.in, c->in_c, c->y.out, c->x.out,
             c->out_c, c->y.kernel, c->x.kernel, c->y.stride, c->x.stride, c->y.dilation,
             c->x.dilation, c->y.before, c->x.before, c->groups);
    return text;
}
