/* The quantization pass: see insert.h.
 *
 * Three steps: group the nodes into quantized layers, join layers that must share a grid into sets
 * (union-find), insert. The names of inserted nodes are the anchor's with a suffix, those of range
 * states "<first layer of the set>.range". SPDX-License-Identifier: Apache-2.0 */
#include "qat/insert.h"

#include "qat/nodes.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

/* What one quantized activation comes from: a layer's end, an image input, or a node that passes on the
 * grid of what it reads. */
typedef struct Source {
    QuantLayer *layer; /* NULL for an input and for a node that only training has */
    Value *value;      /* before quantization; NULL where it is passed on */
    Node *pass;        /* the node that passes it on */
    int origin;        /* of a passed grid: the source that has it */
    int set;           /* union-find parent, an index of sources */
    Value *extent;     /* [2] extremes of value */
} Source;

typedef struct Inserter {
    Graph *g;
    const QatOptions *o;
    Source *sources;
    int count;
    Value **scales, **zero_points, **ranges; /* of a set, by its root */
    int at;                                  /* where the next node goes */
} Inserter;

/* ---- grouping ---- */

static bool quantizable(const Value *v)
{
    return v->batched && v->elem == ELEM_REAL;
}

/* The one node that reads v, or NULL where there are none or several. */
static Node *only_consumer(const Graph *g, const Value *v)
{
    Node *n = NULL;
    return graph_consumers(g, v, &n, 1) == 1 ? n : NULL;
}

static void follow_chain(const Graph *g, QuantLayer *q)
{
    for (;;) {
        Node *next = only_consumer(g, q->last->out[0]);
        if (!next)
            return;
        if (next->op->affine && q->anchor->op->weight && !q->affine && !q->activation)
            q->affine = next;
        else if (next->op->clamp && !q->activation)
            q->activation = next;
        else
            return;
        q->last = next;
    }
}

/* Bits of the layer; marks the overrides that matched. */
static void choose_bits(const QatOptions *o, QuantLayer *q, bool *used)
{
    const QatOverride *overrides = o->overrides.items;
    q->weight_bits = (int)o->weights.bits;
    q->activation_bits = (int)o->activations.bits;
    for (size_t i = 0; i < o->overrides.count; i++) {
        if (fnmatch(overrides[i].layers, q->anchor->name, 0) != 0)
            continue;
        used[i] = true;
        if (overrides[i].weights)
            q->weight_bits = (int)overrides[i].weights;
        if (overrides[i].activations)
            q->activation_bits = (int)overrides[i].activations;
    }
}

static bool inside_a_layer(const Inserter *ins, const Node *n)
{
    for (int i = 0; i < ins->count; i++) {
        const QuantLayer *q = ins->sources[i].layer;
        if (q && (n == q->anchor || n == q->affine || n == q->activation))
            return true;
    }
    return false;
}

/* Whether the output's grid is that of in[0], or made from it by the node itself. */
static bool passes_grid(const Node *n)
{
    return n->op->keeps_grid || (n->op->flags & OP_TRAINING);
}

static int find_layers(Inserter *ins, bool *used)
{
    Graph *g = ins->g;
    for (int i = 0; i < g->value_count; i++)
        if (g->values[i]->kind == VALUE_INPUT && quantizable(g->values[i]))
            ins->sources[ins->count++] = (Source){.value = g->values[i]};
    for (int i = 0; i < g->node_count; i++) {
        Node *n = g->nodes[i];
        if (n->op->flags & OP_TRAINING)
            ins->sources[ins->count++] = (Source){.pass = n};
        if (n->op->alone && !inside_a_layer(ins, n))
            n->op = n->op->alone;
        if (!n->op->integer)
            continue;
        QuantLayer *q = arena_alloc(&g->arena, sizeof *q);
        if (!q)
            return error_memory(&g->error, "the quantized layers", sizeof *q);
        *q = (QuantLayer){.anchor = n, .last = n};
        n->quant = q;
        if (passes_grid(n)) {
            ins->sources[ins->count++] = (Source){.layer = q, .pass = n};
            continue;
        }
        if (!n->op->grid)
            follow_chain(g, q);
        choose_bits(ins->o, q, used);
        ins->sources[ins->count++] = (Source){.layer = q, .value = q->last->out[0]};
    }
    return HONE_OK;
}

/* Every activation must be computed by a quantized layer, or the artifact could not have it. */
static int check_coverage(const Inserter *ins, Error *e)
{
    for (int i = 0; i < ins->g->node_count; i++) {
        const Node *n = ins->g->nodes[i];
        if (n->op->flags & (OP_LOSS | OP_TRAINING) || n->outputs == 0 || !quantizable(n->out[0]) ||
            inside_a_layer(ins, n))
            continue;
        return error_set(
            e, HONE_ERR_CONFIG,
            "qat: layer '%s' (%s) follows '%s' (%s), and this pair has no integer form", n->name,
            n->op->name, n->in[0]->name,
            n->in[0]->producer ? n->in[0]->producer->op->name : "input");
    }
    return HONE_OK;
}

static int check_overrides(const QatOptions *o, const bool *used, Error *e)
{
    const QatOverride *overrides = o->overrides.items;
    for (size_t i = 0; i < o->overrides.count; i++)
        if (!used[i])
            return error_set(e, HONE_ERR_CONFIG,
                             "qat.overrides[%zu]: '%s' matches no quantized layer", i,
                             overrides[i].layers);
    return HONE_OK;
}

/* ---- sets: sources that share a grid ---- */

static int set_of(const Inserter *ins, int i)
{
    while (ins->sources[i].set != i)
        i = ins->sources[i].set;
    return i;
}

/* The source of the grid that v will have. */
static int source_of(const Inserter *ins, const Value *v)
{
    while (v->producer && passes_grid(v->producer))
        v = v->producer->in[0];
    for (int i = 0; i < ins->count; i++)
        if (ins->sources[i].value == v)
            return i;
    return -1;
}

/* The earlier source becomes the root, so that a set's grid is made before it is first used. */
static int join(Inserter *ins, int i, int k, Error *e)
{
    i = set_of(ins, i);
    k = set_of(ins, k);
    if (i == k)
        return HONE_OK;
    const QuantLayer *a = ins->sources[i].layer, *b = ins->sources[k].layer;
    if (!a || !b || a->anchor->op->grid || b->anchor->op->grid) /* fixed grids stay */
        return HONE_OK;
    if (a->activation_bits != b->activation_bits)
        return error_set(e, HONE_ERR_CONFIG,
                         "qat: layers '%s' and '%s' share a grid but have %d and %d bits",
                         a->anchor->name, b->anchor->name, a->activation_bits, b->activation_bits);
    ins->sources[i > k ? i : k].set = i > k ? k : i;
    return HONE_OK;
}

/* Inputs that are copied side by side have one grid in training, too. */
static int check_joined(const Inserter *ins, const Node *n, Error *e)
{
    for (int k = 0; k < n->inputs; k++) {
        for (const Value *v = n->in[k]; v->producer && passes_grid(v->producer);
             v = v->producer->in[0])
            if (v->producer->op->flags & OP_TRAINING)
                return error_set(e, HONE_ERR_CONFIG,
                                 "qat: %s '%s' reads '%s' (%s), which moves the grid in training; "
                                 "put it behind '%s'",
                                 n->op->name, n->name, v->producer->name, v->producer->op->name,
                                 n->name);
        if (set_of(ins, source_of(ins, n->in[k])) != set_of(ins, source_of(ins, n->in[0])))
            return error_set(
                e, HONE_ERR_CONFIG,
                "qat: %s '%s' needs one grid, which '%s' and '%s' cannot share: that of an "
                "image or a softmax is fixed",
                n->op->name, n->name, n->in[0]->name, n->in[k]->name);
    }
    return HONE_OK;
}

/* Joins the inputs of an anchor that can use, or must have, one grid. */
static int join_inputs(Inserter *ins, const Node *n, Error *e)
{
    const bool must = n->op->keeps_grid && n->inputs > 1;
    if (!must && !(n->op->share_inputs && ins->o->activations.share_inputs))
        return HONE_OK;
    int first = source_of(ins, n->in[0]), status = HONE_OK;
    for (int k = 1; k < n->inputs && status == HONE_OK; k++)
        status = join(ins, first, source_of(ins, n->in[k]), e);
    return status == HONE_OK && must ? check_joined(ins, n, e) : status;
}

static int find_sets(Inserter *ins, Error *e)
{
    int status = HONE_OK;
    for (int i = 0; i < ins->count; i++) {
        Source *s = &ins->sources[i];
        s->set = i;
        s->origin = s->pass ? source_of(ins, s->pass->in[0]) : i;
    }
    for (int i = 0; i < ins->count && status == HONE_OK; i++)
        if (ins->sources[i].layer)
            status = join_inputs(ins, ins->sources[i].layer->anchor, e);
    return status;
}

/* ---- insertion ---- */

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
    const Grid *fixed = fixed_grid(&ins->sources[set]);
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
    Value *value = ins->sources[source].value;
    Node *n = insert_node(ins, &op_extent, base, "extent", 1, &value, NULL, 0);
    ins->sources[source].extent = n ? n->out[0] : NULL;
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
    int set = set_of(ins, source), in = 0, unions = 0;
    Value *inputs[NODE_INPUTS_MAX] = {ins->ranges[set]};
    ObserverAttributes attributes = {.kind = ins->o->activations.observer,
                                     .momentum = ins->o->activations.momentum};
    for (int i = 0; i < ins->count; i++)
        if (set_of(ins, i) == set && !ins->sources[i].extent)
            return HONE_OK; /* a member to come brings the observer */
    for (int i = 0; i < ins->count; i++) {
        if (set_of(ins, i) != set)
            continue;
        if (in == NODE_INPUTS_MAX - 1) {
            inputs[1] = insert_union(ins, base, ++unions, in, inputs + 1);
            in = 1;
        }
        inputs[++in] = ins->sources[i].extent;
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
    Source *s = &ins->sources[source];
    QuantLayer *q = s->layer;
    const char *base = q ? q->anchor->name : s->value->name;
    int set = set_of(ins, source), bits = q ? q->activation_bits : 8;
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
    const QuantLayer *origin = ins->sources[s->origin].layer;
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
    for (int i = 0; i < ins->count && ins->g->error.code == HONE_OK; i++) {
        QuantLayer *q = ins->sources[i].layer;
        if (q && q->anchor->op->weight)
            insert_weights(ins, q);
        if (ins->g->error.code == HONE_OK && ins->sources[i].pass)
            insert_pass(ins, &ins->sources[i]);
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
    size_t room = (size_t)g->node_count + (size_t)g->value_count;
    Inserter ins = {.g = g, .o = options};
    bool *used = calloc(options->overrides.count + 1, sizeof *used);
    ins.sources = calloc(room, sizeof *ins.sources);
    ins.scales = calloc(3 * room, sizeof *ins.scales);
    if (!used || !ins.sources || !ins.scales) {
        status = error_memory(e, "the quantization pass", room * sizeof *ins.sources);
        goto done;
    }
    ins.zero_points = ins.scales + room;
    ins.ranges = ins.zero_points + room;
    status = find_layers(&ins, used);
    if (status == HONE_OK)
        status = check_coverage(&ins, e);
    if (status == HONE_OK)
        status = check_overrides(options, used, e);
    if (status == HONE_OK)
        status = find_sets(&ins, e);
    if (status == HONE_OK)
        status = insert_all(&ins);
    graph_failed(g, e);
done:
    free(used);
    free(ins.sources);
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
