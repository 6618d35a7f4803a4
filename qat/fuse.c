/* The fusion pass: see fuse.h. SPDX-License-Identifier: Apache-2.0 */
#include "qat/fuse.h"

#include "layers/layers.h"
#include "qat/fused.h"
#include "qat/insert.h"
#include "qat/nodes.h"

#include <math.h>

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
    const char *name = arena_printf(&g->arena, "%s.fused", f.anchor->name);
    const Node **list = arena_alloc(&g->arena, (size_t)count * sizeof(Node *));
    if (!name || !list) {
        error_memory(&g->error, "the graph", (size_t)count * sizeof(Node *));
        return;
    }
    Node *n = graph_node_at(g, f.quant->index + 1, op, name, inputs, in, &f, sizeof f);
    if (!n)
        return;
    for (int i = 0; i < count; i++)
        list[i] = covers[i];
    n->covers = list;
    n->cover_count = count;
    n->stands_for[0] = f.quant->out[0];
    n->stands_for[1] = f.extent->out[0];
}

int qat_fuse(Graph *g, Error *e)
{
    for (int i = 0; i < g->node_count && g->error.code == HONE_OK; i++) {
        const QuantLayer *q = qat_layer(g->nodes[i]);
        const Op *op = q ? op_for(q) : NULL;
        if (op)
            fuse_layer(g, q, op);
    }
    return graph_failed(g, e);
}
