/* Lowering: see lower.h. Three walks over the nodes: backwards, to find the layers that the output
 * needs; forwards, to emit tensors, ops and constants; and over the ops, to plan the memory.
 * SPDX-License-Identifier: Apache-2.0 */
#include "export/lower.h"

#include "core/plan.h"
#include "core/text.h"
#include "qat/insert.h"
#include "runtime/fixed.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

typedef struct Blob {
    size_t offset, bytes;
} Blob;

typedef struct Lowering {
    const LowerSource *source;
    Lowered *out;
    bool *needed;     /* by node index */
    uint32_t *tensor; /* by value id, of the values that have one */
    Grid *grid;       /* by tensor */
    Text constants, strings;
    Blob *blobs; /* what constants holds, to find equals */
    int blob_count;
    Error *e;
} Lowering;

static uint32_t float_bits(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

static const IntegerLayer *layer_of(const Lowering *w, const Node *n)
{
    return &w->source->plan->layers[n->index];
}

/* ---- which layers ---- */

/* The activations that an anchor reads: all inputs but weights and bias. */
static int activations(const Node *n)
{
    return n->op->weight ? 1 : n->inputs;
}

_Static_assert(NODE_INPUTS_MAX == HONE_RT_MAX_INPUTS, "an op of a program has a node's inputs");

/* Whether n, a node after anchor (NULL: after an input), leaves the codes alone: it acts on grids or
 * ranges, or in training only, or its arithmetic (batch-norm, activation) is folded into the anchor's
 * integers. */
static bool passes_codes(const Node *n, const Node *anchor)
{
    const QuantLayer *q = anchor ? qat_layer(anchor) : NULL;
    return (n->op->flags & (OP_QUANTIZER | OP_TRAINING)) ||
           (q && (n == q->affine || n == q->activation));
}

/* Marks the anchor that v's codes come from. Refuses what integer_source() would step over although
 * it computes something. */
static int need(Lowering *w, const Value *v)
{
    const Value *source = integer_source(v);
    for (const Value *at = v; at != source; at = at->producer->in[0])
        if (!passes_codes(at->producer, source->producer))
            return error_set(w->e, HONE_ERR_CONFIG, "layer '%s': %s cannot be exported",
                             at->producer->name, at->producer->op->name);
    if (source->producer)
        w->needed[source->producer->index] = true;
    else if (source != w->source->input)
        return error_set(w->e, HONE_ERR_CONFIG, "'%s' is an input of the network beside '%s'",
                         source->name, w->source->input->name);
    return HONE_OK;
}

static int find_needed(Lowering *w)
{
    const Graph *g = w->source->graph;
    int status = need(w, w->source->output);
    for (int i = g->node_count - 1; i >= 0 && status == HONE_OK; i--) {
        const Node *n = g->nodes[i];
        if (!w->needed[i])
            continue;
        if (!n->op->lower)
            return error_set(w->e, HONE_ERR_CONFIG, "layer '%s': %s cannot be exported", n->name,
                             n->op->name);
        assert(n->op->integer && n->outputs == 1); /* of every op that can be lowered */
        for (int k = 0; k < activations(n) && status == HONE_OK; k++)
            status = need(w, n->in[k]);
    }
    return status;
}

/* ---- constants and strings ---- */

/* The offset of these bytes among the constants, put there unless they are already. */
static uint32_t put_constant(Lowering *w, const void *data, size_t bytes)
{
    if (!data)
        return HONE_RT_NONE;
    for (int i = 0; i < w->blob_count; i++)
        if (w->blobs[i].bytes == bytes &&
            memcmp(text_string(&w->constants) + w->blobs[i].offset, data, bytes) == 0)
            return (uint32_t)w->blobs[i].offset;
    while (w->constants.length % HONE_RT_ALIGN && !text_failed(&w->constants))
        text_add_bytes(&w->constants, "", 1);
    size_t offset = w->constants.length;
    text_add_bytes(&w->constants, data, bytes);
    if (!text_failed(&w->constants))
        w->blobs[w->blob_count++] = (Blob){offset, bytes};
    return (uint32_t)offset;
}

static uint32_t put_string(Lowering *w, const char *s)
{
    uint32_t offset = (uint32_t)w->strings.length;
    text_add_bytes(&w->strings, s, strlen(s) + 1);
    return offset;
}

static int check_pools(const Lowering *w)
{
    size_t total = w->constants.length + w->strings.length;
    if (text_failed(&w->constants) || text_failed(&w->strings))
        return error_memory(w->e, "the constants of the integer program", total);
    if (total > HONE_RT_MAX_BYTES)
        return error_set(w->e, HONE_ERR_SHAPE, "the weights take %zu bytes; an artifact holds %d",
                         total, HONE_RT_MAX_BYTES);
    return HONE_OK;
}

/* ---- tensors ---- */

static int put_tensor(Lowering *w, const Value *v, Grid grid, const char *name, uint32_t name_at)
{
    Shape s = v->shape;
    bool image = s.rank == 4;
    if (s.rank != 4 && s.rank != 2)
        return error_set(w->e, HONE_ERR_SHAPE, "layer '%s': values of rank %d cannot be exported",
                         name, s.rank);
    for (int i = 1; i < s.rank; i++)
        if (s.dim[i] > HONE_RT_MAX_DIM)
            return error_set(w->e, HONE_ERR_SHAPE, "layer '%s': extent %d > %d cannot be exported",
                             name, s.dim[i], HONE_RT_MAX_DIM);
    size_t count = shape_count(s);
    if (count > HONE_RT_MAX_ELEMENTS)
        return error_set(w->e, HONE_ERR_SHAPE, "layer '%s': %zu values > %d cannot be exported",
                         name, count, HONE_RT_MAX_ELEMENTS);
    if (w->out->program.tensor_count == HONE_RT_MAX_COUNT)
        return error_set(w->e, HONE_ERR_SHAPE, "layer '%s': an artifact holds at most %d tensors",
                         name, HONE_RT_MAX_COUNT);
    uint32_t id = w->out->program.tensor_count++;
    w->tensor[v->id] = id;
    w->grid[id] = grid;
    w->out->tensors[id] = (HoneRtTensor){
        .name = name_at,
        .h = image ? (uint32_t)s.dim[1] : 1,
        .w = image ? (uint32_t)s.dim[2] : 1,
        .c = (uint32_t)shape_channels(s),
        .zero_point = grid.zero_point,
        .scale_bits = float_bits(grid.scale),
    };
    return HONE_OK;
}

/* The grid of the images is the one that its first reader sees: the first layer that is needed, which
 * has nothing else to read. */
static int put_input(Lowering *w)
{
    const Graph *g = w->source->graph;
    const Value *input = w->source->input;
    for (int i = 0; i < g->node_count; i++) {
        const Node *n = g->nodes[i];
        if (!w->needed[i])
            continue;
        assert(integer_source(n->in[0]) == input);
        return put_tensor(w, input, layer_of(w, n)->in[0], input->name, put_string(w, input->name));
    }
    return error_set(w->e, HONE_ERR_CONFIG, "'%s' does not depend on '%s'", w->source->output->name,
                     input->name);
}

/* ---- ops ---- */

/* Where an op keeps its inputs: those from the third on, which CONCAT alone has, in other fields. */
static void set_inputs(HoneRtOp *op, const uint32_t *ids)
{
    op->inputs[0] = ids[0];
    op->inputs[1] = ids[1];
    if (op->kind != HONE_RT_OP_CONCAT)
        return;
    op->m1 = (int32_t)ids[2];
    op->m2 = (int32_t)ids[3];
    op->k = (int32_t)ids[4];
    for (int i = 5; i < HONE_RT_MAX_INPUTS; i++)
        op->reserved[i - 5] = ids[i];
}

/* A layer reads codes on the grid that their maker wrote them on. */
static int connect(Lowering *w, const Node *n, HoneRtOp *op)
{
    const IntegerLayer *layer = layer_of(w, n);
    uint32_t ids[HONE_RT_MAX_INPUTS];
    memset(ids, 0xff, sizeof ids); /* HONE_RT_NONE */
    for (int k = 0; k < activations(n); k++) {
        uint32_t id = w->tensor[integer_source(n->in[k])->id];
        Grid in = layer->in[n->op->keeps_grid ? 0 : k], made = w->grid[id];
        if (float_bits(in.scale) != float_bits(made.scale) || in.zero_point != made.zero_point)
            return error_set(
                w->e, HONE_ERR_NUMERIC,
                "layer '%s': input %d is on the grid (%g, %d), its maker's is (%g, %d)", n->name, k,
                (double)in.scale, (int)in.zero_point, (double)made.scale, (int)made.zero_point);
        ids[k] = id;
    }
    set_inputs(op, ids);
    return HONE_OK;
}

static void put_constants(Lowering *w, const IntegerLayer *layer, HoneRtOp *op)
{
    size_t channels = (size_t)layer->channels;
    const uint32_t *words = layer->words > 0 ? layer->requant : NULL;
    op->weight_type = HONE_RT_WEIGHTS_INT8;
    op->weights = put_constant(w, layer->weights, layer->weight_count);
    op->bias = put_constant(w, layer->bias, channels * sizeof *layer->bias);
    op->requant = HONE_RT_NONE;
    const bool rescales = op->kind <= HONE_RT_OP_MUL; /* the others have nothing left to clamp */
    op->lo = rescales ? layer->lo : INT8_MIN;
    op->hi = rescales ? layer->hi : INT8_MAX;
    if (op->kind == HONE_RT_OP_ADD) {
        op->m1 = layer->add.m1;
        op->m2 = layer->add.m2;
        op->k = layer->add.k;
    }
    if (op->kind == HONE_RT_OP_TABLE)
        op->weights = put_constant(w, layer->table, HONE_RT_TABLE);
    else if (op->kind == HONE_RT_OP_SOFTMAX)
        op->requant = put_constant(w, layer->table, HONE_RT_TABLE * sizeof(uint32_t));
    else if (rescales)
        op->requant = put_constant(w, words, (size_t)layer->words * sizeof *words);
}

static int put_op(Lowering *w, const Node *n)
{
    const IntegerLayer *layer = layer_of(w, n);
    if (!(layer->out.scale > 0))
        return error_set(w->e, HONE_ERR_CONFIG,
                         "layer '%s' has no encoding; quantize it before export", n->name);
    HoneRtOp *op = &w->out->ops[w->out->program.op_count];
    n->op->lower(n, op);
    op->name = put_string(w, n->name);
    int status = connect(w, n, op);
    if (status != HONE_OK)
        return status;
    op->output = w->out->program.tensor_count;
    status = put_tensor(w, n->out[0], layer->out, n->name, op->name);
    if (status != HONE_OK)
        return status;
    put_constants(w, layer, op);
    w->out->program.op_count++;
    return HONE_OK;
}

static int put_ops(Lowering *w)
{
    const Graph *g = w->source->graph;
    int status = put_input(w);
    for (int i = 0; i < g->node_count && status == HONE_OK; i++)
        if (w->needed[i])
            status = put_op(w, g->nodes[i]);
    return status == HONE_OK ? check_pools(w) : status;
}

/* ---- memory ---- */

static void find_lifetimes(const HoneRtProgram *p, PlanBuffer *buffers)
{
    for (uint32_t t = 0; t < p->tensor_count; t++) {
        buffers[t].bytes = hone_rt_elements(&p->tensors[t]);
        buffers[t].begin = buffers[t].end = -1; /* the input, until an op touches it */
    }
    for (uint32_t i = 0; i < p->op_count; i++) {
        const HoneRtOp *op = &p->ops[i];
        buffers[op->output].begin = buffers[op->output].end = (int)i;
        for (int k = 0; k < HONE_RT_MAX_INPUTS; k++)
            if (hone_rt_op_input(op, k) != HONE_RT_NONE)
                buffers[hone_rt_op_input(op, k)].end = (int)i;
    }
    buffers[p->output].end = (int)p->op_count;
}

/* An op that can writes over an operand that nothing reads after it: both get one buffer, that of
 * tensor place[t], alive as long as either. */
static void share_with_operands(const HoneRtProgram *p, PlanBuffer *buffers, uint32_t *place)
{
    for (uint32_t t = 0; t < p->tensor_count; t++)
        place[t] = t;
    for (uint32_t i = 0; i < p->op_count; i++) {
        const HoneRtOp *op = &p->ops[i];
        for (int k = 0; hone_rt_op_in_place(op) && k < 2; k++) {
            if (op->inputs[k] == HONE_RT_NONE)
                continue;
            PlanBuffer *operand = &buffers[place[op->inputs[k]]];
            if (operand->end != (int)i || place[op->output] != op->output ||
                hone_rt_elements(&p->tensors[op->inputs[k]]) !=
                    hone_rt_elements(&p->tensors[op->output]))
                continue;
            operand->end = buffers[op->output].end;
            buffers[op->output].bytes = 0;
            place[op->output] = place[op->inputs[k]];
        }
    }
}

static int plan_activations(Lowering *w)
{
    HoneRtProgram *p = &w->out->program;
    size_t total, count = p->tensor_count;
    PlanBuffer *buffers = calloc(count, sizeof *buffers);
    uint32_t *place = calloc(count, sizeof *place);
    int status = HONE_OK;
    if (!buffers || !place) {
        status = error_memory(w->e, "the activation plan", count * sizeof *buffers);
        goto done;
    }
    find_lifetimes(p, buffers);
    share_with_operands(p, buffers, place);
    status = plan_solve(buffers, (int)count, HONE_RT_ALIGN, &total, w->e);
    if (status != HONE_OK)
        goto done;
    if (total > HONE_RT_MAX_BYTES) {
        status = error_set(w->e, HONE_ERR_SHAPE, "activations take %zu bytes; at most %d fit",
                           total, HONE_RT_MAX_BYTES);
        goto done;
    }
    for (uint32_t t = 0; t < p->tensor_count; t++)
        w->out->tensors[t].offset = (uint32_t)buffers[place[t]].offset;
    p->activation_bytes = (uint32_t)total;
done:
    free(buffers);
    free(place);
    return status;
}

/* ---- all of it ---- */

static int begin(Lowering *w)
{
    const Graph *g = w->source->graph;
    size_t nodes = (size_t)g->node_count + 1, values = (size_t)g->value_count + 1;
    w->needed = calloc(nodes, sizeof *w->needed);
    w->tensor = calloc(values, sizeof *w->tensor);
    w->grid = calloc(nodes, sizeof *w->grid);
    w->blobs = calloc(3 * nodes, sizeof *w->blobs);
    w->out->tensors = calloc(nodes, sizeof *w->out->tensors);
    w->out->ops = calloc(nodes, sizeof *w->out->ops);
    if (!w->needed || !w->tensor || !w->grid || !w->blobs || !w->out->tensors || !w->out->ops)
        return error_memory(w->e, "the integer program", nodes * sizeof *w->out->ops);
    return HONE_OK;
}

static void finish(Lowering *w)
{
    Lowered *l = w->out;
    HoneRtProgram *p = &l->program;
    l->constants = (unsigned char *)w->constants.data;
    l->strings = w->strings.data;
    p->profile = w->source->plan->profile;
    p->class_count = (uint32_t)w->source->classes;
    p->tensors = l->tensors;
    p->ops = l->ops;
    p->constants = l->constants;
    p->constants_bytes = (uint32_t)w->constants.length;
    p->strings = l->strings;
    p->strings_bytes = (uint32_t)w->strings.length;
}

int lower_program(Lowered *l, const LowerSource *source, Error *e)
{
    Lowering w = {.source = source, .out = l, .e = e};
    *l = (Lowered){0};
    int status = begin(&w);
    if (status == HONE_OK)
        status = find_needed(&w);
    if (status == HONE_OK)
        status = put_ops(&w);
    finish(&w);
    if (status == HONE_OK) {
        l->program.input = w.tensor[source->input->id];
        l->program.output = w.tensor[integer_source(source->output)->id];
        status = plan_activations(&w);
    }
    if (status != HONE_OK)
        lower_release(l);
    free(w.needed);
    free(w.tensor);
    free(w.grid);
    free(w.blobs);
    return status;
}

void lower_release(Lowered *l)
{
    free(l->tensors);
    free(l->ops);
    free(l->constants);
    free(l->strings);
    *l = (Lowered){0};
}
