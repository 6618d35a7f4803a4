/* An addition of codes with its activation, extent and fake-quant, fused: see fuse.h. Forward is one
 * sweep from codes to codes, which leaves a bit per element, set where nothing was clipped; backward
 * is one sweep that gives both inputs dy where the bit is set, once where they share the memory of their
 * gradients. SPDX-License-Identifier: Apache-2.0 */
#include "layers/elements.h"
#include "qat/fused.h"

#include <math.h>

/* Elements of dy that both inputs get while they are in the first-level cache. */
#define TILE ((size_t)4096)

typedef struct Extremes {
    Real lo, hi;
} Extremes;

static size_t count_of(const Run *r)
{
    return shape_count(r->out[0]->shape);
}

static void needs(const Run *r, Needs *needs)
{
    needs->saved = elements_mask_bytes(count_of(r));
    needs->shared = RUN_CHUNKS * sizeof(Extremes);
}

static void forward_items(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)worker;
    const Elements e = elements_of(count_of(r), begin, end);
    const FusedOutput o = fused_output(r);
    const AddQuantize add = {.a_scale = run_scale(r->in[0])[0],
                             .b_scale = run_scale(r->in[1])[0],
                             .a_zero = run_zero_point(r->in[0]),
                             .b_zero = run_zero_point(r->in[1]),
                             .low = o.low,
                             .high = o.high,
                             .scale = o.scale,
                             .zero_point = o.zero_point,
                             .lo = o.lo,
                             .hi = o.hi};
    Extremes *x = (Extremes *)r->shared + chunk;
    *x = (Extremes){(Real)INFINITY, -(Real)INFINITY};
    r->compute->real->add_quantize(&add, e.count, (const int8_t *)r->in[0]->data + e.first,
                                   (const int8_t *)r->in[1]->data + e.first,
                                   (int8_t *)r->out[0]->data + e.first,
                                   (uint8_t *)r->saved + e.first / 8, &x->lo, &x->hi);
}

static void forward(const Run *r)
{
    const int items = elements_items(count_of(r));
    const Extremes *parts = r->shared;
    run_chunks(r, items, forward_items);
    Extremes all = parts[0];
    for (int i = 1; i < run_chunk_count(items); i++) {
        all.lo = parts[i].lo < all.lo ? parts[i].lo : all.lo;
        all.hi = parts[i].hi > all.hi ? parts[i].hi : all.hi;
    }
    fused_give_extent(r, all.lo, all.hi);
}

/* n elements from i on for input k. Masking twice is masking once, so the first input's gradient may
 * lie where dy was. When both inputs are one value, the second adds to what the first wrote. */
static void give(const Run *r, int k, size_t i, size_t n)
{
    const Real *dy = r->out[0]->grad + i;
    Real *dx = r->in[k]->grad + i;
    if (r->accumulate[k] && dx == dy)
        r->compute->real->sum(n, dx, dx, dx);
    else
        r->compute->real->mask_grad(n, dy, (const uint8_t *)r->saved + i / 8, r->accumulate[k], dx);
}

/* Whether a sample begins at a byte of the mask, so that the batch can be cut by samples. */
static bool by_samples(const Run *r)
{
    return count_of(r) / (size_t)r->out[0]->shape.dim[0] % 8 == 0;
}

static void backward_elements(const Run *r, Elements e)
{
    const bool same = r->want[0] && !r->accumulate[1] && r->in[0]->grad == r->in[1]->grad;
    for (size_t i = e.first, last = e.first + e.count; i < last; i += TILE) {
        const size_t n = last - i < TILE ? last - i : TILE;
        for (int k = 0; k < (same ? 1 : 2); k++)
            if (r->want[k])
                give(r, k, i, n);
    }
}

static void backward_items(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    backward_elements(r, elements_of(count_of(r), begin, end));
}

static void backward_samples(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)worker;
    const size_t sample = count_of(r) / (size_t)r->out[0]->shape.dim[0];
    backward_elements(r, (Elements){(size_t)begin * sample, (size_t)(end - begin) * sample});
    for (int k = 0; k < 2; k++)
        if (r->want[k])
            run_finished(r, k, chunk);
}

static void backward(const Run *r)
{
    if (by_samples(r))
        run_chunks(r, r->out[0]->shape.dim[0], backward_samples);
    else
        run_chunks(r, elements_items(count_of(r)), backward_items);
}

const Op op_fused_add = {
    .name = "fused_add",
    .flags = OP_FUSED | OP_INPLACE_GRAD | OP_SAME_GRADS,
    .codes = OP_IN(0) | OP_IN(1),
    .grads = OP_IN(0) | OP_IN(1),
    .outputs = 2,
    .infer = fused_infer,
    .needs = needs,
    .forward = forward,
    .backward = backward,
};
