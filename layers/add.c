/* Addition of two values of one shape: y = a + b, each of them real or codes.
 *
 * Codes are dequantized tile by tile, so a quantized residual connection reads bytes, not floats.
 * On codes throughout: y = ((a - za) m1 + (b - zb) m2 + 2^(k-1)) >> k, + zy, of fixed.h, or what
 * fixed.h says of D31.
 * SPDX-License-Identifier: Apache-2.0 */
#include "layers/elements.h"
#include "layers/layers.h"

#include <string.h>

static int infer(Node *n, Error *e)
{
    const Value *a = n->in[0], *b = n->in[1];
    char left[SHAPE_TEXT_BYTES], right[SHAPE_TEXT_BYTES];
    if (!shape_equal(a->shape, b->shape) || a->batched != b->batched)
        return error_set(e, HONE_ERR_SHAPE, "add '%s': shapes %s and %s differ", n->name,
                         shape_text(a->shape, left), shape_text(b->shape, right));
    if (a->elem != ELEM_REAL || b->elem != ELEM_REAL)
        return error_set(e, HONE_ERR_SHAPE, "add '%s': the inputs '%s' and '%s' must be real",
                         n->name, a->name, b->name);
    n->out[0]->shape = a->shape;
    return HONE_OK;
}

static void needs(const Run *r, Needs *needs)
{
    bool codes = r->in[0]->elem == ELEM_CODE || r->in[1]->elem == ELEM_CODE;
    needs->worker = codes ? 2 * ELEMENTS_TILE * sizeof(Real) : 0;
}

static void forward_items(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk;
    Elements e = elements_of(shape_count(r->out[0]->shape), begin, end);
    Real *y = r->out[0]->data, *room = run_worker(r, worker);
    bool codes = r->in[0]->elem == ELEM_CODE || r->in[1]->elem == ELEM_CODE;
    size_t tile = codes ? ELEMENTS_TILE : e.count;
    for (size_t i = e.first, last = e.first + e.count; i < last; i += tile) {
        size_t n = last - i < tile ? last - i : tile;
        const Real *a = elements_real(r, r->in[0], i, n, room);
        const Real *b = elements_real(r, r->in[1], i, n, room + ELEMENTS_TILE);
        r->compute->real->sum(n, a, b, y + i);
    }
}

static void forward(const Run *r)
{
    run_chunks(r, elements_items(shape_count(r->out[0]->shape)), forward_items);
}

/* Inputs in order: when both are one value, the second adds to what the first wrote. */
static void backward_items(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    Elements e = elements_of(shape_count(r->out[0]->shape), begin, end);
    const Real *dy = r->out[0]->grad + e.first;
    for (int k = 0; k < 2; k++) {
        if (!r->want[k])
            continue;
        Real *dx = r->in[k]->grad + e.first;
        if (!r->accumulate[k] && dx != dy)
            memcpy(dx, dy, e.count * sizeof *dx);
        else if (r->accumulate[k] && dx != dy)
            r->compute->real->add(e.count, dy, dx);
        else if (r->accumulate[k]) /* x + x in place */
            r->compute->real->sum(e.count, dx, dx, dx);
    }
}

static void backward(const Run *r)
{
    run_chunks(r, elements_items(shape_count(r->out[0]->shape)), backward_items);
}

static int rescale(const Node *n, IntegerLayer *layer, Error *e)
{
    layer->add = (HoneRtAdd){.a_zp = layer->in[0].zero_point,
                             .b_zp = layer->in[1].zero_point,
                             .y_zp = layer->out.zero_point,
                             .lo = layer->lo,
                             .hi = layer->hi};
    layer->words = layer->profile == HONE_RT_D31 ? REQUANT_ADD_WORDS : 0;
    if (!requant_add(layer->profile, layer->in[0].scale, layer->in[1].scale, layer->out.scale,
                     &layer->add, layer->word))
        return error_set(e, HONE_ERR_NUMERIC,
                         "add '%s': scales %g and %g over %g have no integer multipliers", n->name,
                         (double)layer->in[0].scale, (double)layer->in[1].scale,
                         (double)layer->out.scale);
    return HONE_OK;
}

static HoneRtAddD31 add_d31_of(const IntegerLayer *l)
{
    HoneRtAddD31 p = {.a_zp = l->add.a_zp,
                      .b_zp = l->add.b_zp,
                      .y_zp = l->add.y_zp,
                      .lo = l->add.lo,
                      .hi = l->add.hi};
    for (int i = 0; i < 3; i++) {
        p.m[i] = (int32_t)l->word[i];
        p.e[i] = (int32_t)l->word[3 + i];
    }
    return p;
}

static void integer_items(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    Elements e = elements_of(shape_count(r->out[0]->shape), begin, end);
    const int8_t *a = r->in[0]->data, *b = r->in[1]->data;
    int8_t *y = r->out[0]->data;
    if (r->integer->profile == HONE_RT_D31) {
        const HoneRtAddD31 p = add_d31_of(r->integer);
        r->compute->integer->add_d31(&p, a + e.first, b + e.first, e.count, y + e.first);
    } else {
        r->compute->integer->add_s24(&r->integer->add, a + e.first, b + e.first, e.count,
                                     y + e.first);
    }
}

static void integer(const Run *r)
{
    run_chunks(r, elements_items(shape_count(r->out[0]->shape)), integer_items);
}

static void lower(const Node *n, HoneRtOp *op)
{
    (void)n;
    op->kind = HONE_RT_OP_ADD;
}

const Op op_add = {
    .name = "add",
    .flags = OP_INPLACE_DATA | OP_INPLACE_GRAD,
    .codes = OP_IN(0) | OP_IN(1),
    .grads = OP_IN(0) | OP_IN(1),
    .outputs = 1,
    .share_inputs = true,
    .infer = infer,
    .needs = needs,
    .forward = forward,
    .backward = backward,
    .rescale = rescale,
    .integer = integer,
    .lower = lower,
};

Value *layer_add(Graph *g, const char *name, Value *a, Value *b)
{
    Node *n = graph_node(g, &op_add, name, 2, (Value *[]){a, b}, NULL, 0);
    return n ? n->out[0] : NULL;
}
