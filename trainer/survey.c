/* Statistics of layers: see survey.h. SPDX-License-Identifier: Apache-2.0 */
#include "trainer/survey.h"

#include "qat/insert.h"
#include "qat/nodes.h"
#include "trainer/split.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What a node's forward shows. */
typedef struct Sight {
    int layer; /* index, -1: nothing */
    bool weights;
} Sight;

typedef struct Surveyor {
    const Session *s;
    Survey *survey;
    Exec *exec;
    bool quantized;
    Sight *sights; /* by node index */
} Surveyor;

/* ---- one tensor ---- */

static void measure(SurveyTensor *t, const Kernels *k, const Real *x, size_t count)
{
    Real low, high; /* both NaN where a number is not finite */
    k->minmax(count, x, &low, &high);
    t->low = isfinite(low) ? (double)low : 0;
    t->high = isfinite(high) ? (double)high : 0;
    t->sqnr = NAN;
    histogram_begin(&t->histogram, t->low, t->high);
    histogram_add(&t->histogram, x, count);
}

static double decibels(double signal, double noise)
{
    return noise > 0 && signal > 0 ? 10 * log10(signal / noise) : NAN;
}

/* Sums of squares: of the numbers, and of what their codes miss. */
typedef struct Power {
    double signal, noise;
} Power;

static void add_power(Power *p, const Real *x, const int8_t *q, size_t count, Real scale,
                      int32_t zero_point)
{
    double signal = 0, noise = 0;
    for (size_t i = 0; i < count; i++) {
        const double error = (double)x[i] - (double)scale * (q[i] - zero_point);
        signal += (double)x[i] * (double)x[i];
        noise += error * error;
    }
    p->signal += signal;
    p->noise += noise;
}

/* Of what a fake-quant node made codes of. Its scales, where there are several, are of the first axis
 * or of the last. */
static double noise_of(const Run *r)
{
    const Tensor *codes = r->out[0];
    const Real *x = r->in[0]->data, *scale = run_scale(codes);
    const int8_t *q = codes->data;
    const FakequantAttributes *a = r->node->attributes;
    const size_t count = shape_count(codes->shape), scales = shape_count(codes->scale->shape);
    const size_t run = a->axis == QUANT_AXIS_LAST ? 1 : count / scales; /* numbers of one scale */
    Power p = {0, 0};
    for (size_t i = 0, c = 0; i < count; i += run, c = c + 1 < scales ? c + 1 : 0)
        add_power(&p, x + i, q + i, run, scale[c], run_zero_point(codes));
    return decibels(p.signal, p.noise);
}

/* ---- layers ---- */

static const Param *weight_of(const Node *n)
{
    const Value *w = n->op->weight ? n->in[n->op->weight] : NULL;
    if (w && !w->param && w->producer)
        w = w->producer->in[0]; /* through its fake-quant */
    return w ? w->param : NULL;
}

static void survey_weights(const Surveyor *y, SurveyLayer *l, int bits)
{
    const Param *p = weight_of(l->node);
    const int bias = l->node->op->bias;
    l->sparsity = NAN;
    if (!p)
        return;
    const Real *w = params_at(&y->s->params, p);
    int64_t zeros = 0;
    measure(&l->weights, y->s->compute.real, w, p->count);
    for (size_t i = 0; i < p->count; i++)
        zeros += w[i] == 0;
    l->sparsity = (double)zeros / (double)p->count;
    l->weights.bits = bits;
    l->weight_bytes = (int64_t)p->count * (bits > 0 ? 1 : (int64_t)sizeof(float));
    if (bias > 0 && bias < l->node->inputs)
        l->weight_bytes += (int64_t)(shape_count(l->node->in[bias]->shape) * sizeof(int32_t));
}

static bool is_layer(const Node *n)
{
    return !(n->op->flags & (OP_LOSS | OP_FUSED)) &&
           (n->op->weight || n->op->bounds || n->op->unary);
}

/* n becomes a layer; its output, and its weights where they get codes, are seen at these nodes. */
static void add_layer(Surveyor *y, const Node *n, const Node *output, const Node *weights)
{
    Survey *v = y->survey;
    v->layers[v->count] = (SurveyLayer){.node = n};
    y->sights[output->index].layer = v->count;
    if (weights)
        y->sights[weights->index] = (Sight){v->count, true};
    v->count++;
}

static void find_layers(Surveyor *y)
{
    const Graph *g = &y->s->graph;
    for (int i = 0; i < g->node_count; i++)
        y->sights[i] = (Sight){.layer = -1};
    for (int i = 0; i < g->node_count; i++) {
        const Node *n = g->nodes[i];
        const QuantLayer *q = y->quantized ? qat_layer(n) : NULL;
        SurveyLayer *l = &y->survey->layers[y->survey->count];
        if (q && q->output) { /* the others keep the codes that they read */
            add_layer(y, n, q->output, q->weights);
            l->output.bits = q->activation_bits;
            survey_weights(y, l, q->weight_bits);
        } else if (!y->quantized && is_layer(n)) {
            add_layer(y, n, n, NULL);
            survey_weights(y, l, 0);
        }
    }
}

/* After a node's forward: of a quantizer what goes into it, in float what comes out of the layer. */
static void visit(void *context, const Run *r)
{
    const Surveyor *y = context;
    const Sight sight = y->sights[r->node->index];
    if (sight.layer < 0)
        return;
    SurveyLayer *l = &y->survey->layers[sight.layer];
    const Tensor *seen = y->quantized ? r->in[0] : r->out[0];
    if (!sight.weights)
        measure(&l->output, r->compute->real, seen->data, shape_count(seen->shape));
    if (y->quantized)
        (sight.weights ? &l->weights : &l->output)->sqnr = noise_of(r);
}

/* ---- the run ---- */

static int run_batch(void *context, const Batch *b, Error *e)
{
    const Surveyor *y = context;
    Tensor *image = exec_tensor(y->exec, y->s->model.image);
    (void)e;
    memcpy(image->data, b->x, shape_count(image->shape) * sizeof *b->x);
    exec_forward_visit(y->exec, visit, context);
    return HONE_OK;
}

static int64_t images_of(const Session *s)
{
    const Shape image = s->model.image->shape;
    const int64_t fit =
        SURVEY_PIXELS / (int64_t)(shape_count(image) / (size_t)shape_channels(image));
    const int64_t wanted = fit < 1 ? 1 : fit < SURVEY_IMAGES ? fit : SURVEY_IMAGES;
    const int64_t all = dataset_info(s->dataset)->count[DATASET_TEST];
    return wanted < all ? wanted : all;
}

int survey_new(Survey *v, const Session *s, bool quantized, Error *e)
{
    const size_t nodes = (size_t)s->graph.node_count;
    const int64_t batch = images_of(s);
    const SplitWalk walk = {s->dataset, DATASET_TEST, (int)batch, batch, "survey", NULL};
    Surveyor y = {.s = s, .survey = v, .quantized = quantized};
    *v = (Survey){.layers = calloc(nodes, sizeof *v->layers)};
    y.sights = calloc(nodes, sizeof *y.sights);
    int status = v->layers && y.sights
                     ? HONE_OK
                     : error_memory(e, "a survey of layers", nodes * sizeof *v->layers);
    if (status == HONE_OK)
        status = session_compile(s, &y.exec, (Mode){.quantize = quantized}, (int)batch, NULL, e);
    if (status == HONE_OK) {
        find_layers(&y);
        status = split_walk(&walk, run_batch, &y, e);
    }
    exec_free(y.exec);
    free(y.sights);
    if (status != HONE_OK)
        survey_free(v);
    return status;
}

void survey_free(Survey *v)
{
    free(v->layers);
    *v = (Survey){0};
}
