/* Product of two values: y = a * b, where b is of a's shape or has one number per channel of each
 * sample, as squeeze-and-excitation has it [Hu et al., CVPR 2018]. Each may be real or codes, which are
 * dequantized row by row. On codes throughout: fixed.h's rescaling of (a - za)(b - zb) by
 * r = s_a s_b / s_y (core/requant.h).
 *
 * A row is what b has once: a sample's channels where it scales them, else a tile of the elements.
 * SPDX-License-Identifier: Apache-2.0 */
#include "layers/elements.h"
#include "layers/layers.h"

#include <string.h>

static bool scales_channels(const Node *n)
{
    return !shape_equal(n->in[0]->shape, n->in[1]->shape);
}

static int infer(Node *n, Error *e)
{
    const Value *a = n->in[0], *b = n->in[1];
    const Shape s = a->shape, flat = SHAPE2(s.dim[0], s.dim[3]);
    const Shape pixel = SHAPE4(s.dim[0], 1, 1, s.dim[3]);
    char left[SHAPE_TEXT_BYTES], right[SHAPE_TEXT_BYTES];
    if (!shape_equal(s, b->shape) &&
        !(s.rank == 4 && (shape_equal(b->shape, flat) || shape_equal(b->shape, pixel))))
        return error_set(e, HONE_ERR_SHAPE,
                         "mul '%s': shape %s is neither %s nor one number per channel of it",
                         n->name, shape_text(b->shape, right), shape_text(s, left));
    if (a->elem != ELEM_REAL || b->elem != ELEM_REAL || a->batched != b->batched)
        return error_set(e, HONE_ERR_SHAPE, "mul '%s': the inputs '%s' and '%s' must be real",
                         n->name, a->name, b->name);
    n->out[0]->shape = s;
    return HONE_OK;
}

/* Rows of `length` elements; b starts anew every `repeat` rows, or with repeat 0 never. */
typedef struct Rows {
    size_t length, repeat;
} Rows;

static Rows rows_of(const Run *r)
{
    const Shape s = r->in[0]->shape;
    if (!scales_channels(r->node))
        return (Rows){ELEMENTS_TILE, 0};
    return (Rows){(size_t)s.dim[3], (size_t)s.dim[1] * (size_t)s.dim[2]};
}

static int items_of(const Run *r)
{
    return scales_channels(r->node) ? r->in[0]->shape.dim[0]
                                    : elements_items(shape_count(r->in[0]->shape));
}

/* The elements of items [begin, end). */
static Elements span_of(const Run *r, int begin, int end)
{
    const Rows rows = rows_of(r);
    if (rows.repeat == 0)
        return elements_of(shape_count(r->in[0]->shape), begin, end);
    const size_t sample = rows.repeat * rows.length;
    return (Elements){(size_t)begin * sample, (size_t)(end - begin) * sample};
}

/* Where b's elements for element i of a are. */
static size_t b_at(const Rows *rows, size_t i)
{
    return rows->repeat ? i / (rows->repeat * rows->length) * rows->length : i;
}

/* Two rows as reals and the sums of a gradient. */
static void needs(const Run *r, Needs *needs)
{
    needs->worker = 3 * rows_of(r).length * sizeof(Real);
}

static void forward_items(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk;
    const Rows rows = rows_of(r);
    const Elements e = span_of(r, begin, end);
    Real *room = run_worker(r, worker), *y = r->out[0]->data;
    for (size_t i = e.first, last = e.first + e.count; i < last; i += rows.length) {
        const size_t n = last - i < rows.length ? last - i : rows.length;
        const Real *a = elements_real(r, r->in[0], i, n, room);
        const Real *b = elements_real(r, r->in[1], b_at(&rows, i), n, room + rows.length);
        for (size_t k = 0; k < n; k++)
            y[i + k] = a[k] * b[k];
    }
}

static void forward(const Run *r)
{
    run_chunks(r, items_of(r), forward_items);
}

/* ---- backward ---- */

static void put(bool accumulate, size_t n, const Real *value, Real *to)
{
    for (size_t k = 0; k < n; k++)
        to[k] = value[k] + (accumulate ? to[k] : 0);
}

/* da and db of n elements from i on; where b is a row for many, its gradient goes to sum. The inputs
 * may be one value, whose gradient then gets both. */
static void backward_row(const Run *r, const Rows *rows, size_t i, size_t n, Real *room)
{
    const Real *dy = r->out[0]->grad + i;
    const Real *a = elements_real(r, r->in[0], i, n, room);
    const Real *b = elements_real(r, r->in[1], b_at(rows, i), n, room + rows->length);
    Real *sum = room + 2 * rows->length, *da = r->in[0]->grad + i;
    for (size_t k = 0; k < n && r->want[0]; k++)
        da[k] = dy[k] * b[k] + (r->accumulate[0] ? da[k] : 0);
    if (!r->want[1])
        return;
    if (rows->repeat) {
        for (size_t k = 0; k < n; k++)
            sum[k] += dy[k] * a[k];
        return;
    }
    Real *db = r->in[1]->grad + i;
    for (size_t k = 0; k < n; k++)
        db[k] = dy[k] * a[k] + (r->accumulate[1] ? db[k] : 0);
}

static void backward_items(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk;
    const Rows rows = rows_of(r);
    const Elements e = span_of(r, begin, end);
    const size_t sample = rows.repeat * rows.length;
    Real *room = run_worker(r, worker), *sum = room + 2 * rows.length;
    for (size_t i = e.first, last = e.first + e.count; i < last; i += rows.length) {
        if (rows.repeat && i % sample == 0)
            memset(sum, 0, rows.length * sizeof *sum);
        backward_row(r, &rows, i, last - i < rows.length ? last - i : rows.length, room);
        if (rows.repeat && r->want[1] && (i + rows.length) % sample == 0)
            put(r->accumulate[1], rows.length, sum, r->in[1]->grad + b_at(&rows, i));
    }
}

static void backward(const Run *r)
{
    run_chunks(r, items_of(r), backward_items);
}

/* ---- on codes throughout ---- */

static int rescale(const Node *n, IntegerLayer *layer, Error *e)
{
    const float a = layer->in[0].scale, b = layer->in[1].scale, y = layer->out.scale;
    layer->words = (int)requant_words(layer->profile, 1);
    if (!requant_mul(layer->profile, a, b, y, layer->word))
        return error_set(e, HONE_ERR_NUMERIC, "mul '%s': the multiplier %g does not fit", n->name,
                         (double)a * (double)b / (double)y);
    return HONE_OK;
}

static void integer_items(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    const IntegerLayer *l = r->integer;
    const HoneRtMul mul = {.word = l->requant[0],
                           .a_zp = l->in[0].zero_point,
                           .b_zp = l->in[1].zero_point,
                           .y_zp = l->out.zero_point,
                           .lo = l->lo,
                           .hi = l->hi,
                           .shift = (int32_t)l->word[1]};
    const Rows rows = rows_of(r);
    const Elements e = span_of(r, begin, end);
    const int8_t *a = r->in[0]->data, *b = r->in[1]->data;
    int8_t *y = r->out[0]->data;
    const size_t step = rows.repeat ? rows.repeat * rows.length : rows.length;
    for (size_t i = e.first, last = e.first + e.count; i < last; i += step) {
        const size_t n = last - i < step ? last - i : step;
        const int count = rows.repeat ? (int)rows.repeat : 1;
        (l->profile == HONE_RT_D31 ? hone_rt_mul_d31 : r->compute->integer->mul_s24)(
            &mul, a + i, b + b_at(&rows, i), count, (int)(n / (size_t)count), y + i);
    }
}

static void integer(const Run *r)
{
    run_chunks(r, items_of(r), integer_items);
}

static void lower(const Node *n, HoneRtOp *op)
{
    (void)n;
    op->kind = HONE_RT_OP_MUL;
}

const Op op_mul = {
    .name = "mul",
    .reads = OP_IN(0) | OP_IN(1),
    .codes = OP_IN(0) | OP_IN(1),
    .grads = OP_IN(0) | OP_IN(1),
    .outputs = 1,
    .infer = infer,
    .needs = needs,
    .forward = forward,
    .backward = backward,
    .rescale = rescale,
    .integer = integer,
    .lower = lower,
};

Value *layer_mul(Graph *g, const char *name, Value *a, Value *b)
{
    Node *n = graph_node(g, &op_mul, name, 2, (Value *[]){a, b}, NULL, 0);
    return n ? n->out[0] : NULL;
}
