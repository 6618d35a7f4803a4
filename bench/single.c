/* Layers timed alone: see single.h. SPDX-License-Identifier: Apache-2.0 */
#include "bench/single.h"

#include "core/rng.h"
#include "layers/layers.h"
#include "layers/weighted.h"
#include "qat/insert.h"
#include "trainer/speed.h"

#include <stdio.h>
#include <string.h>

enum { RUNS_MIN = 5, WARMUP = 2 };

/* ---- which layers ---- */

/* What the integer program would say of the layer: its geometry without its numbers. */
static HoneRtOp geometry_of(const Node *n)
{
    HoneRtOp op = {0};
    n->op->lower(n, &op);
    return op;
}

static bool same(const Node *a, const Node *b)
{
    HoneRtOp x = geometry_of(a), y = geometry_of(b);
    return a->op == b->op && a->inputs == b->inputs &&
           shape_equal(a->in[0]->shape, b->in[0]->shape) &&
           shape_equal(a->in[1]->shape, b->in[1]->shape) && memcmp(&x, &y, sizeof x) == 0 &&
           (a->in[0]->kind == VALUE_INPUT) == (b->in[0]->kind == VALUE_INPUT);
}

int single_shapes(const Graph *g, LayerShape *out, int room)
{
    int count = 0;
    for (int i = 0; i < g->node_count; i++) {
        const Node *n = g->nodes[i];
        int k = 0;
        if (!n->op->weight)
            continue;
        while (k < count && !same(out[k].node, n))
            k++;
        if (k < count) {
            out[k].count++;
        } else if (count < room) {
            out[count] = (LayerShape){.node = n,
                                      .count = 1,
                                      .first = n->in[0]->kind == VALUE_INPUT,
                                      .macs = n->op->macs(n)};
            count++;
        }
    }
    return count;
}

const char *single_text(const Node *n, char *buffer, size_t size)
{
    const Shape x = n->in[0]->shape, y = n->out[0]->shape;
    if (n->op == &op_dense) {
        snprintf(buffer, size, "dense %zu > %d", shape_count(x), shape_channels(y));
        return buffer;
    }
    const HoneRtOp op = geometry_of(n);
    char stride[16] = "", to[16] = "";
    if (op.stride_h > 1)
        snprintf(stride, sizeof stride, " s%d", op.stride_h);
    if (n->op != &op_depthwise)
        snprintf(to, sizeof to, " > %d", shape_channels(y));
    snprintf(buffer, size, "%dx%d%s%s, %dx%dx%d%s", op.kernel_h, op.kernel_w,
             n->op == &op_depthwise ? " depthwise" : "", stride, x.dim[1], x.dim[2],
             shape_channels(x), to);
    return buffer;
}

/* ---- the graph ---- */

/* A loss that costs next to nothing: sum of y, weighted so that dy is no constant. */
static int sum_infer(Node *n, Error *e)
{
    (void)e;
    n->out[0]->shape = (Shape){0};
    n->out[0]->batched = false;
    return HONE_OK;
}

static void sum_forward(const Run *r)
{
    *(Real *)r->out[0]->data = 0; /* nobody asks */
}

static void sum_backward(const Run *r)
{
    size_t n = shape_count(r->in[0]->shape);
    for (size_t i = 0; i < n; i++)
        r->in[0]->grad[i] = (Real)((int)(i % 29) - 14) * (Real)1e-3;
}

static const Op op_sum = {
    .name = "sum",
    .flags = OP_LOSS,
    .codes = OP_IN(0),
    .grads = OP_IN(0),
    .outputs = 1,
    .infer = sum_infer,
    .forward = sum_forward,
    .backward = sum_backward,
};

static Value *build_layer(Graph *g, const Node *n, Value *x)
{
    const bool bias = n->inputs > 2;
    const int channels = shape_channels(n->out[0]->shape);
    if (n->op == &op_dense)
        return layer_dense(g, "layer", x, channels, bias);
    const HoneRtOp op = geometry_of(n);
    const Conv2dOptions o = {
        .channels = channels,
        .kernel = {op.kernel_h, op.kernel_w},
        .stride = {op.stride_h, op.stride_w},
        .dilation = {op.dilation_h, op.dilation_w},
        .padding = PADDING_EXPLICIT,
        .pads = {op.pad_top, op.pad_left, op.pad_bottom, op.pad_right},
        .bias = bias,
    };
    return n->op == &op_depthwise ? layer_depthwise(g, "layer", x, &o)
                                  : layer_conv2d(g, "layer", x, &o);
}

static int build(Graph *g, const LayerShape *s, bool quantize, Value **image, Error *e)
{
    const Shape in = s->node->in[0]->shape;
    const Shape as_image =
        in.rank == 4 ? in : SHAPE4(1, 1, 1, (int)shape_count(in)); /* dense takes both */
    *image = graph_input(g, "image", as_image, ELEM_REAL);
    Value *x = *image;
    if (!s->first)
        x = layer_depthwise(g, "feed", x, &(Conv2dOptions){.kernel = {1, 1}});
    x = build_layer(g, s->node, x);
    graph_node(g, &op_sum, "sum", 1, &x, NULL, 0);
    const QatOptions options = {.present = true,
                                .weights = {.bits = 8, .granularity = QAT_PER_CHANNEL},
                                .activations = {.bits = 8, .momentum = 0.99}};
    return quantize ? qat_insert(g, &options, e) : graph_failed(g, e);
}

static void fill(const Tensor *t)
{
    Rng rng = rng_at(1, RNG_BENCH, 0, 0);
    Real *x = t->data;
    for (size_t i = 0, n = shape_count(t->shape); i < n; i++)
        x[i] = (Real)((int)(rng_u32(&rng) >> 24) - 128) * ((Real)1 / 128);
}

/* ---- time ---- */

static double lesser(double a, double b)
{
    return a < b ? a : b;
}

/* Ranges settle in the warm-up, so that codes are what training has. */
static void time_runs(Exec *x, double seconds, SingleTime *t)
{
    int at = 0, runs = 0;
    while (strcmp(exec_run(x, at)->node->name, "layer") != 0)
        at++;
    for (int i = 0; i < WARMUP; i++) {
        exec_forward(x);
        exec_backward(x);
        exec_commit(x);
    }
    *t = (SingleTime){1e30, 1e30};
    for (double begin = speed_now(); runs < RUNS_MIN || speed_now() - begin < seconds; runs++) {
        exec_profile(x, true);
        exec_forward(x);
        exec_backward(x);
        const NodeCost *cost = &exec_costs(x)[at];
        t->forward_ms = lesser(t->forward_ms, 1e-6 * (double)cost->forward_ns);
        t->backward_ms = lesser(t->backward_ms, 1e-6 * (double)cost->backward_ns);
    }
}

int single_measure(const LayerShape *s, const SingleOptions *o, SingleTime *t, Error *e)
{
    Graph g;
    Params params = {0};
    Exec *x = NULL;
    Value *image;
    graph_init(&g);
    int status = build(&g, s, o->quantize, &image, e);
    if (status == HONE_OK)
        status = params_new(&params, &g, 1, e);
    const Mode mode = {.training = true, .quantize = o->quantize, .backward = BACKWARD_INT16};
    const ExecOptions options = {.mode = mode, .batch = o->batch, .compute = o->compute};
    if (status == HONE_OK)
        status = exec_new(&x, &g, &params, &options, e);
    if (status == HONE_OK) {
        fill(exec_tensor(x, image));
        time_runs(x, o->seconds, t);
    } else if (e->text[0]) {
        error_prefix(e, "'%s' alone", s->node->name);
    }
    exec_free(x);
    params_free(&params);
    graph_release(&g);
    return status;
}
