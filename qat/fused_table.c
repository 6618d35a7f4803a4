/* A function of one number with its extent and fake-quant, fused: see fuse.h. There are 256 codes, so each
 * thing is worked out 256 times: values, their codes, slopes. Forward is then one sweep from codes to codes
 * that also notes which codes there are, whose values give the extent; backward is one sweep over dy.
 * SPDX-License-Identifier: Apache-2.0 */
#include "layers/elements.h"
#include "layers/unary.h"
#include "qat/fused.h"

#include <math.h>
#include <string.h>

typedef struct Tables {
    Real value[HONE_RT_TABLE]; /* backward: the slopes, 0 where the grid clips */
    int8_t code[HONE_RT_TABLE];
    uint8_t inside[HONE_RT_TABLE / 8];       /* bits: the grid does not clip */
    uint8_t seen[RUN_CHUNKS][HONE_RT_TABLE]; /* 1: the chunk has the code */
} Tables;

static size_t count_of(const Run *r)
{
    return shape_count(r->out[0]->shape);
}

static void needs(const Run *r, Needs *needs)
{
    (void)r;
    needs->shared = sizeof(Tables);
}

static void fill_values(const Run *r, bool slopes, Real *table)
{
    unary_table(fused_layer(r->node)->anchor, run_scale(r->in[0])[0], run_zero_point(r->in[0]),
                slopes, table);
}

static void fill_codes(const Run *r, Tables *t)
{
    const FusedOutput o = fused_output(r);
    fill_values(r, false, t->value);
    r->compute->real->quantize(HONE_RT_TABLE, t->value, o.scale, o.zero_point, o.lo, o.hi, t->code,
                               t->inside);
}

static void forward_items(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)worker;
    Tables *t = r->shared;
    const Elements e = elements_of(count_of(r), begin, end);
    const int8_t *x = (const int8_t *)r->in[0]->data + e.first;
    uint8_t *seen = t->seen[chunk] + 128;
    for (size_t i = 0; i < e.count; i++)
        seen[x[i]] = 1;
    r->compute->integer->table(t->code, x, e.count, (int8_t *)r->out[0]->data + e.first);
}

static void forward(const Run *r)
{
    Tables *t = r->shared;
    Real lo = (Real)INFINITY, hi = -(Real)INFINITY;
    fill_codes(r, t);
    memset(t->seen, 0, sizeof t->seen);
    run_chunks(r, elements_items(count_of(r)), forward_items);
    for (int q = 0; q < HONE_RT_TABLE; q++) {
        const Real v = t->value[q];
        bool seen = false;
        for (int chunk = 0; chunk < RUN_CHUNKS; chunk++)
            seen = seen || t->seen[chunk][q];
        lo = seen && !(v >= lo) ? v : lo; /* a NaN is taken, and stays */
        hi = seen && !(v <= hi) ? v : hi;
    }
    fused_give_extent(r, lo, hi);
}

static void backward_items(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    const Tables *t = r->shared;
    const Elements e = elements_of(count_of(r), begin, end);
    const int8_t *x = (const int8_t *)r->in[0]->data + e.first;
    const Real *slope = t->value + 128, *dy = r->out[0]->grad + e.first;
    Real *dx = r->in[0]->grad + e.first;
    for (size_t i = 0; i < e.count; i++)
        dx[i] = dy[i] * slope[x[i]] + (r->accumulate[0] ? dx[i] : 0);
}

static void backward(const Run *r)
{
    Tables *t = r->shared;
    fill_codes(r, t);
    fill_values(r, true, t->value);
    for (int q = 0; q < HONE_RT_TABLE; q++)
        if (!(t->inside[q / 8] >> q % 8 & 1))
            t->value[q] = 0;
    run_chunks(r, elements_items(count_of(r)), backward_items);
}

const Op op_fused_table = {
    .name = "fused_table",
    .flags = OP_FUSED | OP_INPLACE_GRAD,
    .reads = OP_IN(0),
    .codes = OP_IN(0),
    .grads = OP_IN(0),
    .outputs = 2,
    .infer = fused_infer,
    .needs = needs,
    .forward = forward,
    .backward = backward,
};
