/* The fusion pass: see fuse.h. SPDX-License-Identifier: Apache-2.0 */
#include "qat/fuse.h"

#include "layers/layers.h"
#include "qat/fused.h"
#include "qat/insert.h"
#include "qat/nodes.h"

#include <math.h>
#include <string.h>

enum { COVERS_MAX = 5 };

/* ---- what the fused ops share ---- */

int fused_infer(Node *n, Error *e)
{
    (void)e;
    const Value *codes = fused_layer(n)->quant->out[0];
    n->out[0]->shape = codes->shape;
    n->out[0]->batched = codes->batched;
    n->out[0]->scale = codes->scale;
    n->out[0]->zero_point = codes->zero_point;
    n->out[1]->shape = fused_layer(n)->extent->out[0]->shape;
    n->out[1]->batched = false;
    return HONE_OK;
}

FusedOutput fused_output(const Run *r)
{
    const FusedLayer *f = fused_layer(r->node);
    const FakequantAttributes *grid = f->quant->attributes;
    FusedOutput o = {.low = -(Real)INFINITY,
                     .high = (Real)INFINITY,
                     .scale = run_scale(r->out[0])[0],
                     .zero_point = run_zero_point(r->out[0]),
                     .lo = grid->qmin,
                     .hi = grid->qmax};
    if (f->activation)
        f->activation->op->bounds(f->activation, &o.low, &o.high);
    return o;
}

void fused_give_extent(const Run *r, Real lo, Real hi)
{
    Real *extent = r->out[1]->data;
    const bool finite = isfinite(lo) && isfinite(hi);
    extent[0] = finite ? lo : (Real)NAN;
    extent[1] = finite ? hi : (Real)NAN;
}

/* ---- the pass ---- */

static int list_covers(const FusedLayer *f, const Node **covers)
{
    const Node *const nodes[COVERS_MAX] = {f->anchor, f->affine, f->activation, f->extent,
                                           f->quant};
    int count = 0;
    for (int i = 0; i < COVERS_MAX; i++)
        if (nodes[i])
            covers[count++] = nodes[i];
    return count;
}

static bool among(const Node *n, const Node *const *nodes, int count)
{
    for (int i = 0; i < count; i++)
        if (nodes[i] == n)
            return true;
    return false;
}

/* Whether nobody outside reads a value that the fused node would not make. */
static bool is_closed(const Graph *g, const Node *const *covers, int count)
{
    for (int i = 0; i < count; i++) {
        Node *readers[COVERS_MAX];
        if (among(covers[i], covers + count - 2, 2)) /* extent and codes */
            continue;
        const int n = graph_consumers(g, covers[i]->out[0], readers, COVERS_MAX);
        if (n > COVERS_MAX)
            return false;
        for (int k = 0; k < n; k++)
            if (!among(readers[k], covers, count))
                return false;
    }
    return true;
}

/* Whether codes go into the layer and codes whose range is observed come out. */
static bool takes_and_gives_codes(const QuantLayer *q)
{
    if (!q->output || !q->extent || !q->anchor->in[0]->scale)
        return false;
    return ((const FakequantAttributes *)q->output->attributes)->axis == QUANT_AXIS_NONE;
}

/* The op that can do the layer's work, or NULL. */
static const Op *op_for(const QuantLayer *q)
{
    const Node *anchor = q->anchor;
    if (!takes_and_gives_codes(q) || (q->activation && !q->activation->op->bounds))
        return NULL;
    if (anchor->op == &op_add)
        return anchor->in[1]->scale ? &op_fused_add : NULL;
    if (anchor->op->unary)
        return q->activation ? NULL : &op_fused_table;
    if (!(anchor->op->flags & OP_STREAMS) || !q->weights)
        return NULL;
    return !q->affine || q->affine->op == &op_batchnorm ? &op_fused_layer : NULL;
}

/* Behind the last node that it acts for; NULL with the graph's error. */
static Node *add_fused(Graph *g, const Op *op, const char *of, const Node *last, int inputs,
                       Value *const *in, const void *attributes, size_t bytes)
{
    const char *name = arena_printf(&g->arena, "%s.fused", of);
    if (!name) {
        error_memory(&g->error, "the graph", strlen(of));
        return NULL;
    }
    return graph_node_at(g, last->index + 1, op, name, inputs, in, attributes, bytes);
}

static void cover(Graph *g, Node *n, const Node *const *covers, int count)
{
    const size_t bytes = (size_t)count * sizeof *covers;
    const Node **list = n ? arena_alloc(&g->arena, bytes) : NULL;
    if (n && !list)
        error_memory(&g->error, "the graph", bytes);
    if (!list)
        return;
    memcpy(list, covers, bytes);
    n->covers = list;
    n->cover_count = count;
}

static void fuse_layer(Graph *g, const QuantLayer *q, const Op *op)
{
    const FusedLayer f = {q->anchor, q->affine, q->activation, q->extent, q->output};
    const Node *covers[COVERS_MAX];
    const int count = list_covers(&f, covers);
    if (!is_closed(g, covers, count))
        return;
    Value *in[NODE_INPUTS_MAX];
    int inputs = 0;
    for (int k = 0; k < f.anchor->inputs; k++)
        in[inputs++] = f.anchor->in[k];
    for (int k = 1; f.affine && k < f.affine->inputs; k++)
        in[inputs++] = f.affine->in[k];
    Node *n = add_fused(g, op, f.anchor->name, f.quant, inputs, in, &f, sizeof f);
    cover(g, n, covers, count);
    if (n) {
        n->stands_for[0] = f.quant->out[0];
        n->stands_for[1] = f.extent->out[0];
    }
}

/* Nobody else reads the grid but through the codes. */
static void fuse_weights(Graph *g, const Node *quant)
{
    const FusedWeights f = {quant->in[1]->producer, quant};
    const Node *covers[] = {f.grid, f.quant};
    Value *w = quant->in[0];
    Node *n = add_fused(g, &op_fused_weights, w->name, quant, 1, &w, &f, sizeof f);
    cover(g, n, covers, 2);
    if (n) {
        n->stands_for[0] = quant->out[0];
        n->stands_for[1] = f.grid->out[0];
    }
}

static bool is_of_weights(const Node *n)
{
    return n->op == &op_fakequant && n->in[1]->producer &&
           n->in[1]->producer->op == &op_weight_grid;
}

int qat_fuse(Graph *g, Error *e)
{
    for (int i = 0; i < g->node_count && g->error.code == HONE_OK; i++) {
        const QuantLayer *q = qat_layer(g->nodes[i]);
        const Op *op = q ? op_for(q) : NULL;
        if (op)
            fuse_layer(g, q, op);
        else if (is_of_weights(g->nodes[i]))
            fuse_weights(g, g->nodes[i]);
    }
    return graph_failed(g, e);
}
