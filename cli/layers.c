/* Graphs as rows: see layers.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/layers.h"

#include "qat/insert.h"
#include "report/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void append_kind(LayerRow *row, const char *text)
{
    size_t used = strlen(row->kind);
    snprintf(row->kind + used, sizeof row->kind - used, "%s", text);
}

/* " 3x3 /2", " 3x3 in 4 groups", from what the op would tell an artifact. */
static void append_window(LayerRow *row, const Node *n)
{
    HoneRtOp op = {0};
    char text[64] = "";
    if (n->op->lower)
        n->op->lower(n, &op);
    if (op.kernel_h == 0)
        return;
    snprintf(text, sizeof text, " %dx%d", op.kernel_h, op.kernel_w);
    append_kind(row, text);
    if (op.stride_h != op.stride_w)
        snprintf(text, sizeof text, " /%dx%d", op.stride_h, op.stride_w);
    else
        snprintf(text, sizeof text, " /%d", op.stride_h);
    if (op.stride_h > 1 || op.stride_w > 1)
        append_kind(row, text);
    snprintf(text, sizeof text, " in %d groups", op.groups);
    if (op.groups > 1)
        append_kind(row, text);
}

/* The parameter that v stands for, quantized or not; NULL for other values. */
static const Param *parameter_of(const Value *v)
{
    while (v->producer && (v->producer->op->flags & OP_QUANTIZER) != 0)
        v = v->producer->in[0];
    return v->kind == VALUE_PARAM ? v->param : NULL;
}

static void count_params(LayerRow *row, const Node *n, const Params *params)
{
    for (int i = 0; i < n->inputs; i++) {
        const Param *p = parameter_of(n->in[i]);
        if (!p)
            continue;
        row->params += (int64_t)p->count;
        if (p->role != PARAM_WEIGHT)
            continue;
        const Real *w = params_at(params, p);
        row->weights += (int64_t)p->count;
        for (size_t k = 0; k < p->count; k++)
            row->zero_weights += w[k] == 0;
    }
}

/* Whether n belongs to the row of the node before it: batch-norm, activation. */
static bool continues(const LayerRow *row, const Node *n)
{
    return row && (n->op->affine || n->op->clamp) && n->in[0]->producer == row->last;
}

static void begin_row(LayerRow *row, const Node *n)
{
    const QuantLayer *q = qat_layer(n);
    row->first = n;
    append_kind(row, n->op->name);
    append_window(row, n);
    if (q && q->anchor == n) {
        row->weight_bits = q->weights ? q->weight_bits : 0;
        row->activation_bits = q->activation_bits;
    }
}

static void add_node(LayerRows *l, const Node *n, const Params *params)
{
    LayerRow *row = l->count ? &l->rows[l->count - 1] : NULL;
    if (continues(row, n)) {
        append_kind(row, " + ");
        append_kind(row, n->op->name);
    } else {
        row = &l->rows[l->count++];
        begin_row(row, n);
    }
    row->last = n;
    row->out = n->out[0]->shape;
    row->macs += n->op->macs ? n->op->macs(n) : 0;
    count_params(row, n, params);
}

int layer_rows_new(LayerRows *l, const Session *s, Error *e)
{
    const Graph *g = &s->graph;
    size_t room = (size_t)g->node_count + 1;
    *l = (LayerRows){.rows = calloc(room, sizeof *l->rows)};
    if (!l->rows)
        return error_memory(e, "a list of layers", room * sizeof *l->rows);
    for (int i = 0; i < g->node_count; i++) {
        const Node *n = g->nodes[i];
        if ((n->op->flags & (OP_QUANTIZER | OP_GRID | OP_OBSERVER | OP_LOSS | OP_FUSED)) == 0)
            add_node(l, n, &s->params);
    }
    for (int i = 0; i < l->count; i++) {
        l->macs += l->rows[i].macs;
        l->params += l->rows[i].params;
        l->weights += l->rows[i].weights;
        l->zero_weights += l->rows[i].zero_weights;
    }
    return HONE_OK;
}

void layer_rows_free(LayerRows *l)
{
    free(l->rows);
    *l = (LayerRows){0};
}

void layer_row_cells(const LayerRows *l, const LayerRow *row, Table *t)
{
    table_cell(t, "%s", row->first->name);
    table_cell(t, "%s", row->kind);
    table_cell(t, "%s", show_shape(row->out).text);
    table_cell(t, "%s", row->params ? show_whole(row->params).text : "");
    table_cell(t, "%s", row->macs ? show_whole(row->macs).text : "");
    if (row->weights && l->zero_weights > 0)
        table_cell(t, "%s", show_percent((double)row->zero_weights / (double)row->weights).text);
    else
        table_cell(t, "%s", "");
    if (row->weight_bits)
        table_cell(t, "w%d a%d", row->weight_bits, row->activation_bits);
    else if (row->activation_bits)
        table_cell(t, "a%d", row->activation_bits);
    else
        table_cell(t, "%s", "");
}

void layer_rows_print(const LayerRows *l, Text *out)
{
    Table t;
    table_init(&t, LAYER_ALIGN, (const char *const[]){LAYER_HEADINGS});
    for (int i = 0; i < l->count; i++)
        layer_row_cells(l, &l->rows[i], &t);
    table_print(&t, out);
    table_release(&t);
}
