/* From parameters to integers: see integer.h.
 *
 * The codes and grids are not computed a second time here: the graph's own fake-quant and grid nodes
 * are run once (batch 1, running statistics), and their tensors are read. What follows for a layer
 * with weights, per output channel (Jacob et al., CVPR 2018, section 3.2; our folding: the symmetric
 * grid of a channel absorbs gamma / sigma):
 *
 *     a, b    batch-norm in evaluation: y = a x + b        (1, the bias, where there is none)
 *     s'      = s_w |a|, but at least |b| / (s_x limit)    so that the int32 bias cannot overflow
 *     q'      = sign(a) q, re-rounded to s' where that floor binds
 *     bias    = rint(b / (s_x s'))
 *     r       = (s_x s') / s_y                             the multiplier, as core/requant.h makes it
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "qat/integer.h"

#include "core/exec.h"
#include "qat/insert.h"
#include "qat/nodes.h"
#include "runtime/fixed.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* |bias| stays below this, less where many taps leave less room. */
#define BIAS_LIMIT (1 << 30)

typedef struct Folder {
    IntegerPlan *plan;
    const Params *params;
    const Compute *compute;
    Exec *exec; /* quantized evaluation of one image, every tensor kept */
    Error *e;
} Folder;

static void *take(Folder *f, size_t bytes)
{
    void *p = arena_alloc(&f->plan->arena, bytes);
    if (!p)
        error_memory(f->e, "the integer weights", bytes);
    return p;
}

/* ---- grids ---- */

/* A range that no batch has reached is an error: its grid would be made up. */
static int check_observed(const Folder *f, const Value *scale, const char *layer)
{
    const Node *grid = scale->producer;
    if (grid->inputs == 0 || grid->in[0]->kind != VALUE_STATE)
        return HONE_OK;
    const Real *range = params_at(f->params, grid->in[0]->param);
    if (range[RANGE_BATCHES] > 0)
        return HONE_OK;
    return error_set(f->e, HONE_ERR_CONFIG,
                     "layer '%s': no range was observed for '%s'; calibrate before quantizing",
                     layer, grid->in[0]->name);
}

static int read_grid(const Folder *f, const Value *v, const char *layer, Grid *grid)
{
    if (!v->scale)
        return error_set(f->e, HONE_ERR_CONFIG, "layer '%s': '%s' is not quantized", layer,
                         v->name);
    int status = check_observed(f, v->scale, layer);
    if (status != HONE_OK)
        return status;
    const Tensor *t = exec_tensor(f->exec, v);
    *grid = (Grid){(float)run_scale(t)[0], run_zero_point(t)};
    return HONE_OK;
}

/* The inputs of the anchor that are activations: all but weights and bias. */
static int read_grids(const Folder *f, const QuantLayer *q, IntegerLayer *layer)
{
    const Op *op = q->anchor->op;
    int inputs = op->weight ? 1 : q->anchor->inputs;
    Grid more; /* that of in[0] again: only ops that keep the grid have so many inputs */
    for (int k = 0; k < inputs; k++) {
        int status = read_grid(f, q->anchor->in[k], q->anchor->name, k < 2 ? &layer->in[k] : &more);
        if (status != HONE_OK)
            return status;
    }
    layer->lo = -(1 << (q->activation_bits - 1));
    layer->hi = (1 << (q->activation_bits - 1)) - 1;
    int status = read_grid(f, q->codes, q->anchor->name, &layer->out);
    if (status == HONE_OK && q->activation)
        q->activation->op->clamp(q->activation, layer->out, &layer->lo, &layer->hi);
    return status;
}

/* ---- folding ---- */

/* The per-channel affine map after the accumulator: batch-norm, and the bias before it. */
static int read_affine(Folder *f, const QuantLayer *q, int channels, Real *a, Real *b)
{
    for (int c = 0; c < channels; c++) {
        a[c] = 1;
        b[c] = 0;
    }
    if (q->affine) {
        const Real *inputs[NODE_INPUTS_MAX] = {0};
        for (int k = 0; k < q->affine->inputs; k++)
            if (q->affine->in[k]->param)
                inputs[k] = params_at(f->params, q->affine->in[k]->param);
        q->affine->op->affine(q->affine, inputs, a, b);
    }
    int bias = q->anchor->op->bias;
    if (bias && q->anchor->inputs > bias) {
        const Real *v = params_at(f->params, q->anchor->in[bias]->param);
        for (int c = 0; c < channels; c++)
            b[c] += a[c] * v[c];
    }
    for (int c = 0; c < channels; c++)
        if (!isfinite(a[c]) || !isfinite(b[c]))
            return error_set(f->e, HONE_ERR_NUMERIC, "layer '%s': channel %d folds to %g x + %g",
                             q->anchor->name, c, (double)a[c], (double)b[c]);
    return HONE_OK;
}

/* The arrays of a layer while they are being made; count weights per channel, stride apart. */
typedef struct Folded {
    int channels;
    size_t count, channel_step, stride;
    int8_t *weights;
    int32_t *bias;
    float *scale;
    uint32_t *words;
} Folded;

/* The factor is at most 1 in size, so codes stay within theirs. */
static void scale_codes(const Folded *w, int c, double factor)
{
    assert(fabs(factor) <= 1);
    int8_t *q = w->weights + (size_t)c * w->channel_step;
    for (size_t i = 0; i < w->count && factor != 1; i++)
        q[i * w->stride] = (int8_t)rint(factor * q[i * w->stride]);
}

static int fold_channel(const Folder *f, const char *name, const IntegerLayer *layer,
                        const Folded *w, int c, double a, double b)
{
    int64_t room = INT32_MAX - (int64_t)w->count * 255 * 127;
    if (room < 1)
        return error_set(f->e, HONE_ERR_NUMERIC,
                         "layer '%s': sums of %zu products can exceed 32 bits", name, w->count);
    double limit = room < BIAS_LIMIT ? (double)room : BIAS_LIMIT;
    double s_x = (double)layer->in[0].scale;
    float wide = (float)(w->scale[c] * fabs(a));
    float least = (float)(fabs(b) / (s_x * limit));
    float folded = wide >= least ? wide : least;
    if (!(folded > 0)) /* a = b = 0: the channel is zero at any scale */
        folded = w->scale[c];
    scale_codes(w, c, (a < 0 ? -1.0 : 1.0) * (wide == folded ? 1.0 : (double)wide / folded));
    float unit = layer->in[0].scale * folded;
    double bias = rint(b / (double)unit);
    w->bias[c] = (int32_t)(bias > limit ? limit : bias < -limit ? -limit : bias);
    w->scale[c] = folded;
    if (!requant_product(layer->profile, layer->in[0].scale, folded, layer->out.scale,
                         (size_t)w->channels, &w->words[c]))
        return error_set(f->e, HONE_ERR_NUMERIC,
                         "layer '%s': channel %d needs the multiplier %g, which does not fit", name,
                         c, (double)(unit / layer->out.scale));
    return HONE_OK;
}

/* Copies codes and scales of the fake-quant node as they are, before folding. */
static int copy_weights(Folder *f, const QuantLayer *q, Folded *w)
{
    const Tensor *t = exec_tensor(f->exec, q->weights->out[0]);
    size_t total = shape_count(t->shape);
    bool last = q->anchor->op->weight_channels_last;
    w->channels = last ? shape_channels(t->shape) : t->shape.dim[0];
    size_t channels = (size_t)w->channels;
    w->count = total / channels;
    w->stride = last ? channels : 1;
    w->channel_step = last ? 1 : w->count;
    w->weights = take(f, total);
    w->bias = take(f, channels * sizeof *w->bias);
    w->scale = take(f, channels * sizeof *w->scale);
    w->words = take(f, requant_words(f->plan->profile, channels) * sizeof *w->words);
    if (!w->weights || !w->bias || !w->scale || !w->words)
        return HONE_ERR_MEMORY;
    memcpy(w->weights, t->data, total);
    for (size_t c = 0; c < channels; c++)
        w->scale[c] = (float)run_scale(t)[c];
    return HONE_OK;
}

static int fold_weights(Folder *f, const QuantLayer *q, IntegerLayer *layer)
{
    Folded w = {0};
    int status = copy_weights(f, q, &w);
    if (status != HONE_OK)
        return status;
    Real *a = take(f, 2 * (size_t)w.channels * sizeof *a);
    if (!a)
        return HONE_ERR_MEMORY;
    Real *b = a + w.channels;
    status = read_affine(f, q, w.channels, a, b);
    for (int c = 0; status == HONE_OK && c < w.channels; c++)
        status = fold_channel(f, q->anchor->name, layer, &w, c, (double)a[c], (double)b[c]);
    layer->channels = w.channels;
    layer->weight_count = w.count * (size_t)w.channels;
    layer->weights = w.weights;
    layer->bias = w.bias;
    layer->weight_scale = w.scale;
    layer->requant = w.words;
    layer->words = (int)requant_words(layer->profile, (size_t)w.channels);
    return status;
}

/* ---- layers ---- */

static int pack_weights(Folder *f, const QuantLayer *q, IntegerLayer *layer)
{
    const Op *op = q->anchor->op;
    int32_t zero_point = layer->in[0].zero_point;
    size_t bytes = op->pack(q->anchor, f->compute, layer->weights, layer->bias, zero_point, NULL);
    void *packed = take(f, bytes);
    if (!packed)
        return HONE_ERR_MEMORY;
    op->pack(q->anchor, f->compute, layer->weights, layer->bias, zero_point, packed);
    layer->packed = packed;
    return HONE_OK;
}

static int fill_layer(Folder *f, const QuantLayer *q, IntegerLayer *layer)
{
    layer->profile = f->plan->profile;
    int status = read_grids(f, q, layer);
    if (status != HONE_OK)
        return status;
    const Op *op = q->anchor->op;
    if (!op->weight) {
        layer->requant = layer->word;
        layer->table = op->table ? take(f, op->table) : NULL;
        if (op->table && !layer->table)
            return HONE_ERR_MEMORY;
        return op->rescale ? op->rescale(q->anchor, layer, f->e) : HONE_OK;
    }
    status = fold_weights(f, q, layer);
    return status == HONE_OK ? pack_weights(f, q, layer) : status;
}

/* Runs the graph's own grid and fake-quant nodes on the current parameters. */
static int run_quantizers(Folder *f, const Graph *graph)
{
    ExecOptions options = {
        .mode = {.quantize = true}, .batch = 1, .compute = f->compute, .keep_all = true};
    int status = exec_new(&f->exec, graph, f->params, &options, f->e);
    if (status == HONE_OK)
        exec_forward(f->exec);
    return status;
}

int integer_plan_new(IntegerPlan *plan, const Graph *graph, const Params *params,
                     const Compute *compute, uint32_t profile, Error *e)
{
    *plan = (IntegerPlan){.count = graph->node_count, .profile = profile};
    assert(profile == HONE_RT_S24 || profile == HONE_RT_D31);
    Folder f = {.plan = plan, .params = params, .compute = compute, .e = e};
    plan->layers = arena_alloc(&plan->arena, (size_t)graph->node_count * sizeof *plan->layers);
    int status = HONE_OK;
    if (!plan->layers)
        status = error_memory(e, "the integer layers", sizeof *plan->layers);
    if (status == HONE_OK)
        status = run_quantizers(&f, graph);
    for (int i = 0; i < graph->node_count && status == HONE_OK; i++) {
        const QuantLayer *q = qat_layer(graph->nodes[i]);
        if (q)
            status = fill_layer(&f, q, &plan->layers[i]);
    }
    exec_free(f.exec);
    if (status != HONE_OK)
        integer_plan_free(plan);
    return status;
}

void integer_plan_free(IntegerPlan *plan)
{
    arena_release(&plan->arena);
    *plan = (IntegerPlan){0};
}

const Value *integer_source(const Value *v)
{
    while (v->producer && !v->producer->op->integer)
        v = v->producer->in[0];
    return v;
}
