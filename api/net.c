/* Building networks through hone.h. SPDX-License-Identifier: Apache-2.0 */
#include "api/net.h"

#include "core/option_value.h"
#include "layers/layers.h"
#include "qat/fuse.h"
#include "qat/insert.h"
#include "qat/integer.h"
#include "qat/nodes.h"

#include <stdlib.h>

/* A HoneTensor is a Value that callers cannot look into. */
static Value *value(HoneTensor t)
{
    return (Value *)t;
}

static HoneTensor tensor(Value *v)
{
    return (HoneTensor)v;
}

/* ---- life ---- */

static int check_options(const HoneNetOptions *o, Error *e)
{
    const struct {
        const char *name;
        int value, least, most;
    } ranges[] = {
        {"height", o->height, 1, 4096},     {"width", o->width, 1, 4096},
        {"channels", o->channels, 1, 4096}, {"classes", o->classes, 2, 32767},
        {"batch", o->batch, 1, 65535},      {"threads", o->threads, 0, THREADS_MAX},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (ranges[i].value < ranges[i].least || ranges[i].value > ranges[i].most)
            return error_set(e, HONE_ERR_CONFIG, "hone_net_new: %s %d is not within %d..%d",
                             ranges[i].name, ranges[i].value, ranges[i].least, ranges[i].most);
    return HONE_OK;
}

HoneNet *hone_net_new(const HoneNetOptions *options, HoneError *error)
{
    Error *e = api_error(error);
    if (check_options(options, e) != HONE_OK)
        return NULL;
    HoneNet *net = calloc(1, sizeof *net);
    if (!net) {
        error_memory(e, "a network", sizeof *net);
        return NULL;
    }
    net->options = *options;
    graph_init(&net->graph);
    if (compute_open(&net->compute, options->threads, NULL, e) != HONE_OK) {
        hone_net_free(net);
        return NULL;
    }
    const Shape shape = SHAPE4(1, options->height, options->width, options->channels);
    net->image = graph_input(&net->graph, "image", shape, ELEM_REAL);
    net->labels = graph_input(&net->graph, "labels", SHAPE1(1), ELEM_INT32);
    return net;
}

void hone_net_free(HoneNet *net)
{
    if (!net)
        return;
    exec_free(net->exec);
    optimizer_free(net->optimizer);
    params_free(&net->params);
    graph_release(&net->graph);
    compute_close(&net->compute);
    free(net);
}

/* ---- layers ---- */

static Conv2dOptions convolution(const HoneConv *o)
{
    return (Conv2dOptions){.channels = o->filters,
                           .kernel = {o->kernel, o->kernel},
                           .stride = {o->stride, o->stride},
                           .bias = o->bias != 0};
}

HoneTensor hone_image(HoneNet *net)
{
    return tensor(net->image);
}

HoneTensor hone_conv2d(HoneNet *net, const char *name, HoneTensor x, const HoneConv *o)
{
    const Conv2dOptions options = convolution(o);
    return tensor(layer_conv2d(&net->graph, name, value(x), &options));
}

HoneTensor hone_depthwise(HoneNet *net, const char *name, HoneTensor x, const HoneConv *o)
{
    const Conv2dOptions options = convolution(o);
    return tensor(layer_depthwise(&net->graph, name, value(x), &options));
}

HoneTensor hone_dense(HoneNet *net, const char *name, HoneTensor x, int units)
{
    return tensor(layer_dense(&net->graph, name, value(x), units, true));
}

HoneTensor hone_batchnorm(HoneNet *net, const char *name, HoneTensor x)
{
    return tensor(layer_batchnorm(&net->graph, name, value(x), NULL));
}

HoneTensor hone_relu(HoneNet *net, const char *name, HoneTensor x)
{
    return tensor(layer_relu(&net->graph, name, value(x)));
}

HoneTensor hone_relu6(HoneNet *net, const char *name, HoneTensor x)
{
    return tensor(layer_relu6(&net->graph, name, value(x)));
}

HoneTensor hone_add(HoneNet *net, const char *name, HoneTensor a, HoneTensor b)
{
    return tensor(layer_add(&net->graph, name, value(a), value(b)));
}

HoneTensor hone_mean(HoneNet *net, const char *name, HoneTensor x)
{
    return tensor(layer_mean(&net->graph, name, value(x)));
}

static PoolOptions pooling(const HonePool *o)
{
    return (PoolOptions){.kernel = {o->kernel, o->kernel}, .stride = {o->stride, o->stride}};
}

HoneTensor hone_max_pool(HoneNet *net, const char *name, HoneTensor x, const HonePool *o)
{
    const PoolOptions options = pooling(o);
    return tensor(layer_max_pool(&net->graph, name, value(x), &options));
}

HoneTensor hone_average_pool(HoneNet *net, const char *name, HoneTensor x, const HonePool *o)
{
    const PoolOptions options = pooling(o);
    return tensor(layer_average_pool(&net->graph, name, value(x), &options));
}

HoneTensor hone_sigmoid(HoneNet *net, const char *name, HoneTensor x)
{
    return tensor(layer_sigmoid(&net->graph, name, value(x)));
}

HoneTensor hone_hard_swish(HoneNet *net, const char *name, HoneTensor x)
{
    return tensor(layer_hard_swish(&net->graph, name, value(x)));
}

HoneTensor hone_mul(HoneNet *net, const char *name, HoneTensor a, HoneTensor b)
{
    return tensor(layer_mul(&net->graph, name, value(a), value(b)));
}

HoneTensor hone_concat(HoneNet *net, const char *name, HoneTensor a, HoneTensor b)
{
    Value *const values[] = {value(a), value(b)};
    return tensor(layer_concat(&net->graph, name, 2, values));
}

HoneTensor hone_dropout(HoneNet *net, const char *name, HoneTensor x, double rate)
{
    return tensor(layer_dropout(&net->graph, name, value(x), rate));
}

/* ---- the end of building ---- */

/* Quantization as the program `hone` does it unless told otherwise. */
static int add_quantization(Graph *g, Error *e)
{
    QatOptions o;
    int status = option_defaults(&qat_options, NULL, &o, &g->arena, e);
    o.present = true;
    if (status == HONE_OK)
        status = qat_insert(g, &o, e);
    return status == HONE_OK ? qat_fuse(g, e) : status;
}

static int add_optimizer(HoneNet *net, Error *e)
{
    OptimizerOptions o;
    int status = option_defaults(&optimizer_options, "sgd", &o, &net->graph.arena, e);
    o.nesterov = true;
    o.weight_decay = 1e-4;
    return status == HONE_OK ? optimizer_new(&net->optimizer, &o, &net->graph, e) : status;
}

static int check_logits(const HoneNet *net, const Value *logits, Error *e)
{
    if (graph_failed(&net->graph, e) != HONE_OK)
        return net->graph.error.code;
    if (!logits)
        return error_set(e, HONE_ERR_CONFIG, "hone_net_finish: there are no logits");
    if (logits->shape.rank != 2 || shape_channels(logits->shape) != net->options.classes)
        return error_set(e, HONE_ERR_SHAPE,
                         "hone_net_finish: the logits '%s' are not [%d], a number for each class",
                         logits->name, net->options.classes);
    return net->loss ? error_set(e, HONE_ERR_CONFIG, "hone_net_finish was called before") : HONE_OK;
}

int hone_net_finish(HoneNet *net, HoneTensor logits, HoneError *error)
{
    Error *e = api_error(error);
    Graph *g = &net->graph;
    int status = check_logits(net, value(logits), e);
    if (status != HONE_OK)
        return status;
    Value *loss = layer_softmax_xent(g, "loss", value(logits), net->labels, 0);
    status = graph_failed(g, e);
    if (status == HONE_OK)
        status = add_quantization(g, e);
    if (status == HONE_OK)
        status = params_new(&net->params, g, net->options.seed, e);
    if (status == HONE_OK)
        status = add_optimizer(net, e);
    if (status != HONE_OK)
        return status;
    net->loss = loss;
    net->logits = loss->producer->in[0];
    return HONE_OK;
}

int api_ready(const HoneNet *net, Error *e)
{
    if (net->loss)
        return HONE_OK;
    return error_set(e, HONE_ERR_CONFIG, "the network is not finished: call hone_net_finish first");
}

int64_t hone_net_params(const HoneNet *net)
{
    return graph_trained(&net->graph);
}

int64_t hone_net_macs(const HoneNet *net)
{
    return graph_macs(&net->graph);
}

/* ---- running ---- */

size_t api_pixels(const HoneNet *net)
{
    return shape_count(net->image->shape);
}

void api_fill(const HoneNet *net, Exec *x, const uint8_t *pixels, int count)
{
    Tensor *t = exec_tensor(x, net->image);
    const size_t n = (size_t)count * api_pixels(net);
    if (t->elem == ELEM_CODE) {
        int8_t *code = t->data;
        for (size_t i = 0; i < n; i++)
            code[i] = (int8_t)(pixels[i] - 128);
    } else {
        Real *real = t->data;
        for (size_t i = 0; i < n; i++)
            real[i] = (Real)(pixels[i] - 128) * (Real)IMAGE_SCALE;
    }
}

int api_compile(const HoneNet *net, Exec **x, Mode mode, int batch, const IntegerLayer *integer,
                Error *e)
{
    const Value *keep[] = {mode.integer ? integer_source(net->logits) : net->logits};
    const ExecOptions options = {.mode = mode,
                                 .batch = batch,
                                 .compute = &net->compute,
                                 .keep = keep,
                                 .keep_count = 1,
                                 .integer = integer};
    return exec_new(x, &net->graph, &net->params, &options, e);
}
