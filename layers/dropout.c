/* Dropout, in training: each element is 0 with probability p = t / 2^16, t = rint(2^16 rate), else
 * divided by 1 - p. Srivastava et al., JMLR 2014; the division in training ("inverted") leaves
 * evaluation and artifact without a trace of it.
 *
 * Codes stay codes: what is dropped becomes the zero point, and the grid of the rest is that of the
 * input with its scale divided by 1 - p, which is the second output.
 *
 * Element i is kept when the i-th 16-bit half of the Philox words of (seed, RNG_DROPOUT, step,
 * number of the node) is at least t: it depends neither on threads nor on where a run was resumed.
 * Backward uses the bits that forward saved. SPDX-License-Identifier: Apache-2.0 */
#include "core/rng.h"
#include "layers/elements.h"
#include "layers/layers.h"

#include <math.h>

enum { HALVES = 1 << 16, PER_BLOCK = 8 };

typedef struct DropoutAttributes {
    double rate;
    uint32_t number; /* of the node among those of its graph */
} DropoutAttributes;

static const DropoutAttributes *attributes_of(const Node *n)
{
    return n->attributes;
}

static uint32_t threshold_of(const Node *n)
{
    const double t = rint(attributes_of(n)->rate * HALVES);
    return t < HALVES ? (uint32_t)t : HALVES - 1;
}

static Real gain_of(const Node *n)
{
    return (Real)((double)HALVES / (HALVES - threshold_of(n)));
}

static int infer(Node *n, Error *e)
{
    const double rate = attributes_of(n)->rate;
    if (n->in[0]->elem != ELEM_REAL)
        return error_set(e, HONE_ERR_SHAPE, "dropout '%s': the input '%s' is not real", n->name,
                         n->in[0]->name);
    if (!(rate >= 0 && rate < 1))
        return error_set(e, HONE_ERR_CONFIG, "dropout '%s': the rate %g is not in [0, 1)", n->name,
                         rate);
    n->out[0]->shape = n->in[0]->shape;
    n->out[1]->shape = SHAPE1(1);
    n->out[1]->batched = false;
    return HONE_OK;
}

static void needs(const Run *r, Needs *needs)
{
    needs->saved = elements_mask_bytes(shape_count(r->in[0]->shape));
}

/* Draws the bits of elements e, which begin at a multiple of ELEMENTS_GROUP. */
static void draw(const Run *r, Elements e, uint8_t *mask)
{
    const uint32_t threshold = threshold_of(r->node);
    const Rng start =
        rng_at(r->control->seed, RNG_DROPOUT, r->control->step, attributes_of(r->node)->number);
    Rng rng = rng_after(start, (uint32_t)(e.first / PER_BLOCK));
    for (size_t i = 0; i < elements_mask_bytes(e.count); i++) {
        unsigned bits = 0;
        for (unsigned k = 0; k < PER_BLOCK; k += 2) {
            const uint32_t word = rng_u32(&rng);
            bits |= (unsigned)((word & (HALVES - 1)) >= threshold) << k;
            bits |= (unsigned)((word >> 16) >= threshold) << (k + 1);
        }
        mask[i] = (uint8_t)bits;
    }
}

static bool kept(const uint8_t *mask, size_t i)
{
    return mask[i / 8] >> i % 8 & 1;
}

static void forward_items(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    const Elements e = elements_of(shape_count(r->in[0]->shape), begin, end);
    uint8_t *mask = (uint8_t *)r->saved + e.first / 8;
    draw(r, e, mask);
    if (r->in[0]->elem == ELEM_CODE) {
        const int8_t zero = (int8_t)run_zero_point(r->in[0]);
        const int8_t *x = (const int8_t *)r->in[0]->data + e.first;
        int8_t *y = (int8_t *)r->out[0]->data + e.first;
        for (size_t i = 0; i < e.count; i++)
            y[i] = kept(mask, i) ? x[i] : zero;
        return;
    }
    const Real gain = gain_of(r->node), *x = (const Real *)r->in[0]->data + e.first;
    Real *y = (Real *)r->out[0]->data + e.first;
    for (size_t i = 0; i < e.count; i++)
        y[i] = kept(mask, i) ? gain * x[i] : 0;
}

static void forward(const Run *r)
{
    Real *scale = r->out[1]->data;
    *scale =
        r->in[0]->elem == ELEM_CODE ? (Real)(float)(run_scale(r->in[0])[0] * gain_of(r->node)) : 1;
    run_chunks(r, elements_items(shape_count(r->in[0]->shape)), forward_items);
}

static void backward_items(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    const Elements e = elements_of(shape_count(r->in[0]->shape), begin, end);
    const uint8_t *mask = (const uint8_t *)r->saved + e.first / 8;
    const Real gain = gain_of(r->node), *dy = r->out[0]->grad + e.first;
    Real *dx = r->in[0]->grad + e.first;
    for (size_t i = 0; i < e.count; i++)
        dx[i] = (kept(mask, i) ? gain * dy[i] : 0) + (r->accumulate[0] ? dx[i] : 0);
}

static void backward(const Run *r)
{
    run_chunks(r, elements_items(shape_count(r->in[0]->shape)), backward_items);
}

const Op op_dropout = {
    .name = "dropout",
    .flags = OP_TRAINING | OP_INPLACE_DATA | OP_INPLACE_GRAD,
    .codes = OP_IN(0),
    .grads = OP_IN(0),
    .outputs = 2,
    .infer = infer,
    .needs = needs,
    .forward = forward,
    .backward = backward,
};

Value *layer_dropout(Graph *g, const char *name, Value *x, double rate)
{
    const DropoutAttributes a = {rate, (uint32_t)g->node_count};
    Node *n = graph_node(g, &op_dropout, name, 1, &x, &a, sizeof a);
    return n ? n->out[0] : NULL;
}
