/* Quantized layers and the grids that they share: see groups.h. Sets are a union-find over sources.
 * SPDX-License-Identifier: Apache-2.0 */
#include "qat/groups.h"

#include <fnmatch.h>
#include <stdlib.h>

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

static bool inside_a_layer(const Groups *s, const Node *n)
{
    for (int i = 0; i < s->count; i++) {
        const QuantLayer *q = s->sources[i].layer;
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

static int find_layers(Groups *s, bool *used)
{
    Graph *g = s->g;
    for (int i = 0; i < g->value_count; i++)
        if (g->values[i]->kind == VALUE_INPUT && quantizable(g->values[i]))
            s->sources[s->count++] = (Source){.value = g->values[i]};
    for (int i = 0; i < g->node_count; i++) {
        Node *n = g->nodes[i];
        if (n->op->flags & OP_TRAINING)
            s->sources[s->count++] = (Source){.pass = n};
        if (n->op->alone && !inside_a_layer(s, n))
            n->op = n->op->alone;
        if (!n->op->integer)
            continue;
        QuantLayer *q = arena_alloc(&g->arena, sizeof *q);
        if (!q)
            return error_memory(&g->error, "the quantized layers", sizeof *q);
        *q = (QuantLayer){.anchor = n, .last = n};
        n->quant = q;
        if (passes_grid(n)) {
            s->sources[s->count++] = (Source){.layer = q, .pass = n};
            continue;
        }
        if (!n->op->grid)
            follow_chain(g, q);
        choose_bits(s->o, q, used);
        s->sources[s->count++] = (Source){.layer = q, .value = q->last->out[0]};
    }
    return HONE_OK;
}

/* Every activation must be computed by a quantized layer, or the artifact could not have it. */
static int check_coverage(const Groups *s, Error *e)
{
    for (int i = 0; i < s->g->node_count; i++) {
        const Node *n = s->g->nodes[i];
        if (n->op->flags & (OP_LOSS | OP_TRAINING) || n->outputs == 0 || !quantizable(n->out[0]) ||
            inside_a_layer(s, n))
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

int groups_set(const Groups *s, int i)
{
    while (s->sources[i].set != i)
        i = s->sources[i].set;
    return i;
}

/* The source of the grid that v will have. */
static int source_of(const Groups *s, const Value *v)
{
    while (v->producer && passes_grid(v->producer))
        v = v->producer->in[0];
    for (int i = 0; i < s->count; i++)
        if (s->sources[i].value == v)
            return i;
    return -1;
}

/* The earlier source becomes the root, so that a set's grid is made before it is first used. */
static int join(Groups *s, int i, int k, Error *e)
{
    i = groups_set(s, i);
    k = groups_set(s, k);
    if (i == k)
        return HONE_OK;
    const QuantLayer *a = s->sources[i].layer, *b = s->sources[k].layer;
    if (!a || !b || a->anchor->op->grid || b->anchor->op->grid) /* fixed grids stay */
        return HONE_OK;
    if (a->activation_bits != b->activation_bits)
        return error_set(e, HONE_ERR_CONFIG,
                         "qat: layers '%s' and '%s' share a grid but have %d and %d bits",
                         a->anchor->name, b->anchor->name, a->activation_bits, b->activation_bits);
    s->sources[i > k ? i : k].set = i > k ? k : i;
    return HONE_OK;
}

/* Inputs that are copied side by side have one grid in training, too. */
static int check_joined(const Groups *s, const Node *n, Error *e)
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
        if (groups_set(s, source_of(s, n->in[k])) != groups_set(s, source_of(s, n->in[0])))
            return error_set(
                e, HONE_ERR_CONFIG,
                "qat: %s '%s' needs one grid, which '%s' and '%s' cannot share: that of an "
                "image or a softmax is fixed",
                n->op->name, n->name, n->in[0]->name, n->in[k]->name);
    }
    return HONE_OK;
}

/* Joins the inputs of an anchor that can use, or must have, one grid. */
static int join_inputs(Groups *s, const Node *n, Error *e)
{
    const bool must = n->op->keeps_grid && n->inputs > 1;
    if (!must && !(n->op->share_inputs && s->o->activations.share_inputs))
        return HONE_OK;
    int first = source_of(s, n->in[0]), status = HONE_OK;
    for (int k = 1; k < n->inputs && status == HONE_OK; k++)
        status = join(s, first, source_of(s, n->in[k]), e);
    return status == HONE_OK && must ? check_joined(s, n, e) : status;
}

static int find_sets(Groups *s, Error *e)
{
    int status = HONE_OK;
    for (int i = 0; i < s->count; i++) {
        Source *source = &s->sources[i];
        source->set = i;
        source->origin = source->pass ? source_of(s, source->pass->in[0]) : i;
    }
    for (int i = 0; i < s->count && status == HONE_OK; i++)
        if (s->sources[i].layer)
            status = join_inputs(s, s->sources[i].layer->anchor, e);
    return status;
}

/* ---- all of it ---- */

int groups_find(Groups *s, Graph *g, const QatOptions *options, Error *e)
{
    size_t room = (size_t)g->node_count + (size_t)g->value_count;
    bool *used = calloc(options->overrides.count + 1, sizeof *used);
    *s = (Groups){.g = g, .o = options, .sources = calloc(room, sizeof *s->sources)};
    int status = used && s->sources
                     ? find_layers(s, used)
                     : error_memory(e, "the quantization pass", room * sizeof *s->sources);
    if (status == HONE_OK)
        status = check_coverage(s, e);
    if (status == HONE_OK)
        status = check_overrides(options, used, e);
    if (status == HONE_OK)
        status = find_sets(s, e);
    free(used);
    return status;
}

void groups_release(Groups *s)
{
    free(s->sources);
    *s = (Groups){.count = 0};
}
