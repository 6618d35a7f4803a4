/* The static graph: see graph.h. SPDX-License-Identifier: Apache-2.0 */
#include "core/graph.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define PARAM_ALIGN ((size_t)16)

void graph_init(Graph *g)
{
    *g = (Graph){0};
}

void graph_release(Graph *g)
{
    free(g->nodes);
    free(g->values);
    free(g->params);
    arena_release(&g->arena);
    *g = (Graph){0};
}

int graph_failed(const Graph *g, Error *e)
{
    if (g->error.code != HONE_OK && e && e->code == HONE_OK)
        *e = g->error;
    return g->error.code;
}

/* Makes room for one more pointer in a growing array; returns the array or NULL. */
static void *grow(Graph *g, void *array, int count, int *room)
{
    if (count < *room)
        return array;
    int wider = *room ? *room * 2 : 64;
    size_t bytes = (size_t)wider * sizeof(void *);
    void *more = realloc(array, bytes);
    if (!more) {
        error_memory(&g->error, "the graph", bytes);
        return NULL;
    }
    *room = wider;
    return more;
}

static void *graph_alloc(Graph *g, size_t bytes)
{
    void *p = arena_alloc(&g->arena, bytes ? bytes : 1);
    if (!p)
        error_memory(&g->error, "the graph", bytes);
    return p;
}

static Value *add_value(Graph *g, const char *name, ValueKind kind, Shape shape, Elem elem)
{
    Value **values = grow(g, g->values, g->value_count, &g->value_room);
    if (!values)
        return NULL;
    g->values = values;
    Value *v = graph_alloc(g, sizeof *v);
    char *copy = arena_text(&g->arena, name);
    if (!v || !copy) {
        error_memory(&g->error, "the graph", sizeof *v);
        return NULL;
    }
    *v = (Value){.id = g->value_count, .name = copy, .kind = kind, .shape = shape, .elem = elem};
    g->values[g->value_count++] = v;
    return v;
}

Value *graph_input(Graph *g, const char *name, Shape shape, Elem elem)
{
    if (g->error.code != HONE_OK)
        return NULL;
    Value *v = add_value(g, name, VALUE_INPUT, shape, elem);
    if (v)
        v->batched = true;
    return v;
}

Value *graph_param(Graph *g, const char *name, Shape shape, ParamRole role, Init init)
{
    if (g->error.code != HONE_OK)
        return NULL;
    if (graph_find_param(g, name)) {
        error_set(&g->error, HONE_ERR_CONFIG, "two parameters are named '%s'", name);
        return NULL;
    }
    Param **params = grow(g, g->params, g->param_count, &g->param_room);
    if (!params)
        return NULL;
    g->params = params;
    bool state = role == PARAM_STATE;
    Value *v = add_value(g, name, state ? VALUE_STATE : VALUE_PARAM, shape, ELEM_REAL);
    Param *p = graph_alloc(g, sizeof *p);
    if (!v || !p)
        return NULL;
    size_t *end = state ? &g->state_count : &g->trained_count;
    *p = (Param){.name = v->name,
                 .shape = shape,
                 .role = role,
                 .init = init,
                 .offset = *end,
                 .count = shape_count(shape)};
    *end += (p->count + PARAM_ALIGN - 1) / PARAM_ALIGN * PARAM_ALIGN;
    g->params[g->param_count++] = p;
    v->param = p;
    return v;
}

/* Named "node" and "node:1"; batched as the first input is, unless infer says otherwise. */
static int add_outputs(Graph *g, Node *n)
{
    for (int j = 0; j < n->outputs; j++) {
        const char *name = j == 0 ? n->name : arena_printf(&g->arena, "%s:%d", n->name, j);
        Value *v = name ? add_value(g, name, VALUE_ACTIVATION, (Shape){0}, ELEM_REAL) : NULL;
        if (!v)
            return error_memory(&g->error, "the graph", sizeof *v);
        v->producer = n;
        v->batched = n->inputs > 0 && n->in[0]->batched;
        n->out[j] = v;
    }
    return HONE_OK;
}

static bool is_own(const Graph *g, const Value *v)
{
    return v->id < g->value_count && g->values[v->id] == v;
}

/* Whether a node of this name and these inputs can be made; where not, g->error says why. */
static bool may_add(Graph *g, const char *name, int inputs, Value *const *in)
{
    for (int i = 0; i < inputs; i++)
        if (!in[i])
            return false; /* the builder that made it failed */
    if (g->error.code != HONE_OK)
        return false;
    for (int i = 0; i < inputs; i++)
        if (!is_own(g, in[i])) {
            error_set(&g->error, HONE_ERR_CONFIG, "layer '%s' reads '%s' of another network", name,
                      in[i]->name);
            return false;
        }
    if (graph_find_node(g, name)) {
        error_set(&g->error, HONE_ERR_CONFIG, "two layers are named '%s'", name);
        return false;
    }
    return true;
}

/* Makes room at `index`; the nodes behind it move on. */
static void place_node(Graph *g, Node *n, int index)
{
    memmove(g->nodes + index + 1, g->nodes + index,
            (size_t)(g->node_count - index) * sizeof g->nodes[0]);
    g->nodes[index] = n;
    g->node_count++;
    for (int i = index; i < g->node_count; i++)
        g->nodes[i]->index = i;
}

Node *graph_node_at(Graph *g, int index, const Op *op, const char *name, int inputs,
                    Value *const *in, const void *attributes, size_t bytes)
{
    assert(inputs <= NODE_INPUTS_MAX && index >= 0 && index <= g->node_count);
    if (!may_add(g, name, inputs, in))
        return NULL;
    Node **nodes = grow(g, g->nodes, g->node_count, &g->node_room);
    if (!nodes)
        return NULL;
    g->nodes = nodes;
    Node *n = graph_alloc(g, sizeof *n);
    char *copy = arena_text(&g->arena, name);
    void *own = graph_alloc(g, bytes);
    if (!n || !copy || !own)
        return NULL;
    if (bytes > 0)
        memcpy(own, attributes, bytes);
    *n =
        (Node){.op = op, .name = copy, .inputs = inputs, .outputs = op->outputs, .attributes = own};
    for (int i = 0; i < inputs; i++)
        n->in[i] = in[i];
    if (add_outputs(g, n) != HONE_OK)
        return NULL;
    if (op->infer(n, &g->error) != HONE_OK)
        return NULL;
    place_node(g, n, index);
    return n;
}

Node *graph_node(Graph *g, const Op *op, const char *name, int inputs, Value *const *in,
                 const void *attributes, size_t bytes)
{
    return graph_node_at(g, g->node_count, op, name, inputs, in, attributes, bytes);
}

void graph_rewire(Graph *g, int index, const Value *was, Value *now)
{
    for (int i = index; i < g->node_count; i++)
        for (int k = 0; k < g->nodes[i]->inputs; k++)
            if (g->nodes[i]->in[k] == was)
                g->nodes[i]->in[k] = now;
}

Node *graph_find_node(const Graph *g, const char *name)
{
    for (int i = 0; i < g->node_count; i++)
        if (strcmp(g->nodes[i]->name, name) == 0)
            return g->nodes[i];
    return NULL;
}

Param *graph_find_param(const Graph *g, const char *name)
{
    for (int i = 0; i < g->param_count; i++)
        if (strcmp(g->params[i]->name, name) == 0)
            return g->params[i];
    return NULL;
}

int graph_consumers(const Graph *g, const Value *v, Node **out, int room)
{
    int count = 0;
    for (int i = 0; i < g->node_count; i++)
        for (int k = 0; k < g->nodes[i]->inputs; k++)
            if (g->nodes[i]->in[k] == v) {
                if (count < room)
                    out[count] = g->nodes[i];
                count++;
                break;
            }
    return count;
}

int64_t graph_macs(const Graph *g)
{
    int64_t macs = 0;
    for (int i = 0; i < g->node_count; i++)
        if (g->nodes[i]->op->macs)
            macs += g->nodes[i]->op->macs(g->nodes[i]);
    return macs;
}

int64_t graph_trained(const Graph *g)
{
    int64_t count = 0;
    for (int i = 0; i < g->param_count; i++)
        if (g->params[i]->role != PARAM_STATE)
            count += (int64_t)g->params[i]->count;
    return count;
}
