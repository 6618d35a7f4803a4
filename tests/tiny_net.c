/* A small quantized network: see tiny_net.h. SPDX-License-Identifier: Apache-2.0 */
#include "tests/tiny_net.h"

#include "core/rng.h"
#include "export/lower.h"
#include "export/write_hone.h"
#include "layers/layers.h"
#include "qat/insert.h"
#include "runtime/fixed.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static Value *conv_bn(Graph *g, const char *name, const char *bn, Value *x, int channels,
                      int kernel, int stride)
{
    Conv2dOptions o = {
        .channels = channels, .kernel = {kernel, kernel}, .stride = {stride, stride}};
    x = layer_conv2d(g, name, x, &o);
    return layer_batchnorm(g, bn, x, NULL);
}

static void build(TinyNet *t)
{
    Graph *g = &t->graph;
    Value *image = graph_input(g, "image", SHAPE4(1, 9, 9, 3), ELEM_REAL);
    Value *stem = layer_relu6(g, "stem_relu", conv_bn(g, "stem", "stem_bn", image, 6, 3, 2));
    Value *x = layer_depthwise(g, "dw", stem, &(Conv2dOptions){.kernel = {3, 3}});
    x = layer_relu6(g, "dw_relu", layer_batchnorm(g, "dw_bn", x, NULL));
    x = layer_add(g, "sum", stem, conv_bn(g, "point", "point_bn", x, 6, 1, 1));
    x = layer_relu(g, "last_relu", conv_bn(g, "last", "last_bn", x, 7, 3, 2));
    Value *logits = layer_dense(g, "logits", layer_mean(g, "pool", x), TINY_CLASSES, true);
    t->source.input = image;
    t->source.output = logits;
}

static void build_parts(TinyNet *t)
{
    Graph *g = &t->graph;
    Value *image = graph_input(g, "image", SHAPE4(1, 9, 9, 3), ELEM_REAL);
    Conv2dOptions wide = {.channels = 8, .kernel = {3, 3}, .dilation = {2, 2}};
    Conv2dOptions twice = {.kernel = {3, 3}, .dilation = {3, 3}, .multiplier = 2};
    Conv2dOptions parts = {.channels = 12, .kernel = {3, 3}, .stride = {2, 2}, .groups = 4};
    Conv2dOptions mix = {.channels = 6, .groups = 3};
    Conv2dOptions thrice = {.kernel = {3, 3}, .stride = {2, 2}, .multiplier = 3, .bias = true};
    Value *x = layer_batchnorm(g, "wide_bn", layer_conv2d(g, "wide", image, &wide), NULL);
    x = layer_depthwise(g, "twice", layer_relu6(g, "wide_relu", x), &twice);
    x = layer_conv2d(g, "parts", layer_batchnorm(g, "twice_bn", x, NULL), &parts);
    x = layer_relu(g, "parts_relu", layer_batchnorm(g, "parts_bn", x, NULL));
    x = layer_batchnorm(g, "mix_bn", layer_conv2d(g, "mix", x, &mix), NULL);
    x = layer_depthwise(g, "thrice", layer_relu6(g, "mix_relu", x), &thrice);
    t->source.input = image;
    t->source.output = layer_dense(g, "logits", layer_mean(g, "pool", x), TINY_CLASSES, true);
}

/* Batch-norms far from the identity, of both signs, and a bias. */
static void draw_params(TinyNet *t, Rng *rng)
{
    for (int i = 0; i < t->graph.param_count; i++) {
        const Param *p = t->graph.params[i];
        const char *suffix = strrchr(p->name, '.');
        Real *v = params_at(&t->params, p);
        bool variance = p->role == PARAM_STATE && strstr(suffix, "var");
        for (size_t k = 0; k < p->count; k++) {
            Real normal = (Real)rng_normal(rng);
            if (p->role == PARAM_GAMMA)
                v[k] = (k % 3 == 2 ? -1 : 1) * (Real)(0.5 + rng_uniform(rng));
            else if (p->role == PARAM_BETA || p->role == PARAM_BIAS)
                v[k] = normal / 2;
            else if (p->role == PARAM_WEIGHT)
                v[k] *= (Real)2.5; /* outputs that use their codes */
            else if (variance)
                v[k] = (Real)(0.2 + rng_uniform(rng));
            else if (p->role == PARAM_STATE && strstr(suffix, "mean"))
                v[k] = normal / 4;
        }
    }
}

static void calibrate(TinyNet *t)
{
    Exec *x;
    Error e = {0};
    ExecOptions o = {.mode = {.observe = true}, .batch = TINY_IMAGES, .compute = &t->compute};
    ck_assert_msg(exec_new(&x, &t->graph, &t->params, &o, &e) == HONE_OK, "%s", e.text);
    Real *image = exec_tensor(x, t->source.input)->data;
    for (size_t i = 0; i < TINY_IMAGES * t->image; i++)
        image[i] = (Real)t->codes[i] / 128;
    exec_forward(x);
    exec_commit(x);
    exec_free(x);
}

void tiny_net_plan(TinyNet *t, uint32_t profile)
{
    Error e = {0};
    integer_plan_free(&t->plan);
    ck_assert_msg(integer_plan_new(&t->plan, &t->graph, &t->params, &t->compute, profile, &e) ==
                      HONE_OK,
                  "%s", e.text);
    t->source.plan = &t->plan;
}

static void quantize(TinyNet *t, uint64_t seed, int threads, const char *level, bool share)
{
    Error e = {0};
    Rng rng = rng_at(seed, RNG_TEST, 0, 0);
    QatOptions qat = {.weights = {.bits = 8},
                      .activations = {.bits = 8, .momentum = 0.9, .share_inputs = share}};
    ck_assert_msg(qat_insert(&t->graph, &qat, &e) == HONE_OK, "%s", e.text);
    level = level ? level : getenv("HONE_CPU");
    ck_assert_msg(compute_open(&t->compute, threads, level, &e) == HONE_OK, "%s", e.text);
    ck_assert_msg(params_new(&t->params, &t->graph, seed, &e) == HONE_OK, "%s", e.text);
    draw_params(t, &rng);
    t->image = shape_count(t->source.input->shape);
    t->codes = malloc(TINY_IMAGES * t->image);
    ck_assert_ptr_nonnull(t->codes);
    for (size_t i = 0; i < TINY_IMAGES * t->image; i++)
        t->codes[i] = (int8_t)((int)rng_below(&rng, 256) - 128);
    calibrate(t);
    tiny_net_plan(t, HONE_RT_S24);
    t->source.graph = &t->graph;
    t->source.params = &t->params;
    t->source.compute = &t->compute;
    t->source.batch = 16;
}

void tiny_net_init(TinyNet *t, uint64_t seed, int threads, const char *level, bool share)
{
    *t = (TinyNet){0};
    graph_init(&t->graph);
    build(t);
    quantize(t, seed, threads, level, share);
}

void tiny_net_init_parts(TinyNet *t, uint64_t seed, int threads, const char *level)
{
    *t = (TinyNet){0};
    graph_init(&t->graph);
    build_parts(t);
    quantize(t, seed, threads, level, true);
}

void tiny_net_init_model(TinyNet *t, const ModelOptions *options)
{
    Error e = {0};
    Model m;
    *t = (TinyNet){0};
    graph_init(&t->graph);
    ck_assert_msg(model_build(&t->graph, options, NULL, &m, &e) == HONE_OK, "%s", e.text);
    t->source.input = m.image;
    t->source.output = m.logits;
    quantize(t, 1, 2, NULL, true);
}

void tiny_net_release(TinyNet *t)
{
    free(t->codes);
    integer_plan_free(&t->plan);
    params_free(&t->params);
    compute_close(&t->compute);
    graph_release(&t->graph);
}

unsigned char *tiny_net_artifact(const TinyNet *t, size_t *count)
{
    Error e = {0};
    Lowered l;
    unsigned char *bytes;
    LowerSource s = {.graph = &t->graph,
                     .plan = &t->plan,
                     .input = t->source.input,
                     .output = t->source.output,
                     .classes = shape_channels(t->source.output->shape)};
    ck_assert_msg(lower_program(&l, &s, &e) == HONE_OK, "%s", e.text);
    ck_assert_msg(write_hone_bytes(&l.program, NULL, 0, &bytes, count, &e) == HONE_OK, "%s",
                  e.text);
    lower_release(&l);
    return bytes;
}
