/* The quantization pass: see insert.h.
 *
 * Works from the groups that groups.c finds: each source's grid, codes and observer are inserted
 * behind it. The names of inserted nodes are the anchor's with a suffix, those of range states
 * "<first layer of the set>.range". SPDX-License-Identifier: Apache-2.0 */
#include "qat/insert.h"

#include "qat/groups.h"
#include "qat/nodes.h"

#include <stdlib.h>
#include <string.h>

typedef struct Inserter {
    Graph *g;
    const QatOptions *o;
    Groups groups;
    Value **scales, **zero_points, **ranges; /* of a set */
    int at;                                  /* where the next node goes */
} Inserter;

/* A node named "<base>.<suffix>" at ins->at, which moves behind it. */
static Node *insert_node(Inserter *ins, const Op *op, const char *base, const char *suffix,
                         int inputs, Value *const *in, const void *attributes, size_t bytes)
{
    Graph *g = ins->g;
    char *name = arena_printf(&g->arena, "%s.%s", base, suffix);
    if (!name) {
        error_memory(&g->error, "the graph", strlen(base));
        return NULL;
    }
    return graph_node_at(g, ins->at++, op, name, inputs, in, attributes, bytes);
}

static int extreme(int bits)
{
    return (1 << (bits - 1)) - 1;
}

/* Quantizes `in`: the output knows its grid, and readers from there on read it. */
static Node *insert_fakequant(Inserter *ins, const char *base, Value *in, Value *scale,
                              Value *zero_point, const FakequantAttributes *attributes)
{
    Value *inputs[3] = {in, scale, zero_point};
    Node *n = insert_node(ins, &op_fakequant, base, "quant", zero_point ? 3 : 2, inputs, attributes,
                          sizeof *attributes);
    if (!n)
        return NULL;
    n->out[0]->scale = scale;
    n->out[0]->zero_point = zero_point;
    graph_rewire(ins->g, n->index + 1, in, n->out[0]);
    return n;
}

static void insert_weights(Inserter *ins, QuantLayer *q)
{
    const Op *op = q->anchor->op;
    Value *w = q->anchor->in[op->weight];
    QuantAxis axis = op->weight_channels_last ? QUANT_AXIS_LAST : QUANT_AXIS_FIRST;
    WeightGridAttributes grid = {.qmax = extreme(q->weight_bits),
                                 .axis = axis,
                                 .per_tensor = ins->o->weights.granularity == QAT_PER_TENSOR};
    FakequantAttributes attributes = {
        .qmin = -extreme(q->weight_bits), .qmax = extreme(q->weight_bits), .axis = axis};
    ins->at = q->anchor->index;
    Node *scale = insert_node(ins, &op_weight_grid, w->name, "grid", 1, &w, &grid, sizeof grid);
    if (scale)
        q->weights = insert_fakequant(ins, w->name, w, scale->out[0], NULL, &attributes);
}

/* The grid that a source always has; NULL where it is observed. */
static const Grid *fixed_grid(const Source *s)
{
    static const Grid image = {IMAGE_SCALE, 0};
    return s->layer ? s->layer->anchor->op->grid : &image;
}

/* The grid of a set, made in front of its first member's fake-quant node. */
static void insert_grid(Inserter *ins, int set, const char *base, const FakequantAttributes *codes)
{
    Value *range = NULL;
    GridAttributes attributes = {.qmin = codes->qmin, .qmax = codes->qmax};
    const Grid *fixed = fixed_grid(&ins->groups.sources[set]);
    if (!fixed) {
        char *name = arena_printf(&ins->g->arena, "%s.range", base);
        if (name)
            range = graph_param(ins->g, name, SHAPE1(RANGE_NUMBERS), PARAM_STATE, (Init){0, 0});
        if (!range)
            return;
    } else {
        attributes.fixed = true;
        attributes.grid = *fixed;
    }
    Node *n = insert_node(ins, &op_grid, base, "grid", range ? 1 : 0, &range, &attributes,
                          sizeof attributes);
    if (!n)
        return;
    ins->ranges[set] = range;
    ins->scales[set] = n->out[0];
    ins->zero_points[set] = n->out[1];
}

/* The extremes of a source, which its observer reads: a set's members are far apart in time, and no
 * activation must wait in memory for another. */
static void insert_extent(Inserter *ins, int source, const char *base, QuantLayer *q)
{
    Value *value = ins->groups.sources[source].value;
    Node *n = insert_node(ins, &op_extent, base, "extent", 1, &value, NULL, 0);
    ins->groups.sources[source].extent = n ? n->out[0] : NULL;
    q->extent = n;
}

/* An observer has room for few extents: one takes the place of those that it has. */
static Value *insert_union(Inserter *ins, const char *base, int number, int count,
                           Value *const *extents)
{
    const char *suffix = arena_printf(&ins->g->arena, "union%d", number);
    if (!suffix) {
        error_memory(&ins->g->error, "the graph", strlen(base));
        return NULL;
    }
    Node *n = insert_node(ins, &op_extent, base, suffix, count, extents, NULL, 0);
    return n ? n->out[0] : NULL;
}

/* The observer of a set, with its last member. */
static int insert_observer(Inserter *ins, int source, const char *base)
{
    int set = groups_set(&ins->groups, source), in = 0, unions = 0;
    Value *inputs[NODE_INPUTS_MAX] = {ins->ranges[set]};
    ObserverAttributes attributes = {.kind = ins->o->activations.observer,
                                     .momentum = ins->o->activations.momentum};
    for (int i = 0; i < ins->groups.count; i++)
        if (groups_set(&ins->groups, i) == set && !ins->groups.sources[i].extent)
            return HONE_OK; /* a member to come brings the observer */
    for (int i = 0; i < ins->groups.count; i++) {
        if (groups_set(&ins->groups, i) != set)
            continue;
        if (in == NODE_INPUTS_MAX - 1) {
            inputs[1] = insert_union(ins, base, ++unions, in, inputs + 1);
            in = 1;
        }
        inputs[++in] = ins->groups.sources[i].extent;
    }
    insert_node(ins, &op_observer, base, "observer", in + 1, inputs, &attributes,
                sizeof attributes);
    return ins->g->error.code;
}

/* Readers that cannot take codes get real numbers. */
static void insert_dequantize(Inserter *ins, const char *base, Value *codes)
{
    Value *real = NULL;
    for (int i = ins->at; i < ins->g->node_count; i++) {
        Node *n = ins->g->nodes[i];
        for (int k = 0; k < n->inputs; k++) {
            if (n->in[k] != codes || n->op->codes & OP_IN(k))
                continue;
            if (!real) {
                Node *d = insert_node(ins, &op_dequantize, base, "real", 1, &codes, NULL, 0);
                if (!d)
                    return;
                real = d->out[0];
                i++; /* n moved up by one */
            }
            n->in[k] = real;
        }
    }
}

static int insert_activation(Inserter *ins, int source)
{
    Source *s = &ins->groups.sources[source];
    QuantLayer *q = s->layer;
    const char *base = q ? q->anchor->name : s->value->name;
    int set = groups_set(&ins->groups, source), bits = q ? q->activation_bits : 8;
    const bool fixed = fixed_grid(s) != NULL;
    FakequantAttributes attributes = {
        .qmin = -extreme(bits) - 1, .qmax = extreme(bits), .axis = QUANT_AXIS_NONE};
    ins->at = q ? q->last->index + 1 : 0;
    if (!ins->scales[set])
        insert_grid(ins, set, base, &attributes);
    if (!fixed)
        insert_extent(ins, source, base, q);
    if (ins->g->error.code != HONE_OK)
        return ins->g->error.code;
    Node *n =
        insert_fakequant(ins, base, s->value, ins->scales[set], ins->zero_points[set], &attributes);
    if (n && q) {
        q->output = n;
        q->codes = n->out[0];
    }
    if (n && !fixed)
        insert_observer(ins, source, base);
    if (n)
        insert_dequantize(ins, base, n->out[0]);
    return ins->g->error.code;
}

/* The node reads codes by now, and so it makes codes. */
static void insert_pass(Inserter *ins, const Source *s)
{
    const QuantLayer *origin = ins->groups.sources[s->origin].layer;
    Node *n = s->pass;
    Value *out = n->out[0];
    out->scale = n->op->flags & OP_TRAINING ? n->out[1] : n->in[0]->scale;
    out->zero_point = n->in[0]->zero_point;
    if (s->layer) {
        s->layer->codes = out;
        s->layer->activation_bits = origin ? origin->activation_bits : 8;
    }
    ins->at = n->index + 1;
    insert_dequantize(ins, n->name, out);
}

static int insert_all(Inserter *ins)
{
    for (int i = 0; i < ins->groups.count && ins->g->error.code == HONE_OK; i++) {
        QuantLayer *q = ins->groups.sources[i].layer;
        if (q && q->anchor->op->weight)
            insert_weights(ins, q);
        if (ins->g->error.code == HONE_OK && ins->groups.sources[i].pass)
            insert_pass(ins, &ins->groups.sources[i]);
        else if (ins->g->error.code == HONE_OK)
            insert_activation(ins, i);
    }
    return ins->g->error.code;
}

int qat_insert(Graph *g, const QatOptions *options, Error *e)
{
    int status = graph_failed(g, e);
    if (status != HONE_OK)
        return status;
    Inserter ins = {.g = g, .o = options};
    status = groups_find(&ins.groups, g, options, e);
    size_t sets = (size_t)ins.groups.count;
    ins.scales = calloc(3 * sets + 1, sizeof *ins.scales);
    if (status == HONE_OK && !ins.scales)
        status = error_memory(e, "the quantization pass", 3 * sets * sizeof *ins.scales);
    if (status == HONE_OK) {
        ins.zero_points = ins.scales + sets;
        ins.ranges = ins.zero_points + sets;
        status = insert_all(&ins);
    }
    (void)graph_failed(g, e);
    groups_release(&ins.groups);
    free(ins.scales);
    return status;
}

void qat_forget_ranges(const Graph *g, Params *params)
{
    for (int i = 0; i < g->node_count; i++) {
        const Node *n = g->nodes[i];
        if (n->op == &op_observer)
            memset(params_at(params, n->in[0]->param), 0, RANGE_NUMBERS * sizeof(Real));
    }
}
