/* Fake-quantized graph against integer evaluation: see agree.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "export/agree.h"

#include "core/exec.h"
#include "qat/insert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Agreement {
    const ProveSource *source;
    Exec *integer, *real;
    const Node **anchor; /* by index of the node that makes a layer's codes: the layer */
    AgreeResult *result;
} Agreement;

static int compile(const ProveSource *s, Mode mode, int count, Exec **x, Error *e)
{
    ExecOptions options = {.mode = mode,
                           .batch = count,
                           .compute = s->compute,
                           .keep_all = mode.integer,
                           .integer = mode.integer ? s->plan->layers : NULL};
    return exec_new(x, s->graph, s->params, &options, e);
}

/* The grid of the images, as the first layer that reads them has it. */
static int image_grid(const ProveSource *s, Grid *grid, Error *e)
{
    for (int i = 0; i < s->graph->node_count; i++) {
        const Node *n = s->graph->nodes[i];
        if (qat_layer(n) && integer_source(n->in[0]) == s->input) {
            *grid = s->plan->layers[i].in[0];
            return HONE_OK;
        }
    }
    return error_set(e, HONE_ERR_CONFIG, "no quantized layer reads '%s'", s->input->name);
}

static void fill_inputs(const Agreement *a, Grid grid, const int8_t *codes)
{
    Tensor *q = exec_tensor(a->integer, a->source->input);
    Tensor *x = exec_tensor(a->real, a->source->input);
    size_t n = shape_count(q->shape);
    Real *real = x->data;
    memcpy(q->data, codes, n);
    for (size_t i = 0; i < n; i++)
        real[i] = (Real)grid.scale * (Real)(codes[i] - grid.zero_point);
}

static void compare_layer(Agreement *a, const Node *layer, int8_t *real, const int8_t *integer,
                          size_t n)
{
    AgreeResult *result = a->result;
    for (size_t i = 0; i < n; i++) {
        int difference = abs(real[i] - integer[i]);
        result->differing += difference != 0;
        if (difference > result->max_difference) {
            result->max_difference = difference;
            snprintf(result->layer, sizeof result->layer, "%s", layer->name);
        }
    }
    result->layers++;
    result->compared += (int64_t)n;
    memcpy(real, integer, n);
}

static void visit(void *context, const Run *r)
{
    Agreement *a = context;
    const Node *layer = a->anchor[r->node->index];
    if (layer) {
        const Tensor *integer = exec_tensor(a->integer, layer->out[0]);
        compare_layer(a, layer, r->out[0]->data, integer->data, shape_count(integer->shape));
    }
}

static int find_anchors(Agreement *a, Error *e)
{
    const Graph *g = a->source->graph;
    size_t nodes = (size_t)g->node_count + 1;
    a->anchor = calloc(nodes, sizeof *a->anchor);
    if (!a->anchor)
        return error_memory(e, "a comparison of layers", nodes * sizeof *a->anchor);
    for (int i = 0; i < g->node_count; i++) {
        const QuantLayer *q = qat_layer(g->nodes[i]);
        if (q)
            a->anchor[q->codes->producer->index] = q->anchor;
    }
    return HONE_OK;
}

int agree_fake_quant(AgreeResult *result, const ProveSource *source, const int8_t *codes, int count,
                     Error *e)
{
    Agreement a = {.source = source, .result = result};
    Grid grid = {0};
    *result = (AgreeResult){0};
    int status = image_grid(source, &grid, e);
    if (status == HONE_OK)
        status = find_anchors(&a, e);
    if (status == HONE_OK)
        status = compile(source, (Mode){.integer = true}, count, &a.integer, e);
    if (status == HONE_OK)
        status = compile(source, (Mode){.quantize = true}, count, &a.real, e);
    if (status == HONE_OK) {
        fill_inputs(&a, grid, codes);
        exec_forward(a.integer);
        exec_forward_visit(a.real, visit, &a);
    }
    exec_free(a.real);
    exec_free(a.integer);
    free(a.anchor);
    return status;
}
