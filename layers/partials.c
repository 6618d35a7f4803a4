/* Gradients as sums of partial ones: see partials.h. SPDX-License-Identifier: Apache-2.0 */
#include "layers/partials.h"

#include "core/graph.h"

#include <string.h>

enum {
    REDUCE_ROWS = 16, /* rows of dW^T that are transposed at a time */
    SUM_ROWS = 512,   /* rows of a flat layer that a partial sum of dW is worth */
    SLICE_ROWS = 12,  /* least rows of dW^T in a slice */
    PANEL = 32        /* columns of the widest panel: how sums are cut must not depend on the CPU */
};

/* Few rows and many weights: a partial dW per chunk would cost more than its sum. Such a layer has
 * fewer parts, cut into slices instead, as many in all as there would be chunks. */
void partials_cut(const Run *r, const ConvShape *shape, int parts, Partials *p)
{
    const int lanes = r->compute->conv->lanes;
    *p = (Partials){.depth = shape->y.kernel * shape->x.kernel * shape->in_c,
                    .inputs = shape->in_c,
                    .outputs = shape->out_c,
                    .ld = (shape->out_c + lanes - 1) / lanes * lanes,
                    .parts = parts,
                    .slices = 1,
                    .bias_parts = parts};
    const int rows = r->in[0]->shape.dim[0] * shape->pixels;
    if (!shape->flat || rows >= RUN_CHUNKS * SUM_ROWS)
        return;
    const int fewer = rows < SUM_ROWS ? 1 : rows / SUM_ROWS, wanted = RUN_CHUNKS / fewer;
    const bool columns = p->outputs > p->inputs;
    const int most = columns ? (p->outputs + PANEL - 1) / PANEL : p->inputs / SLICE_ROWS;
    if (most < 2 || wanted < 2)
        return;
    p->parts = fewer;
    p->slices = wanted < most ? wanted : most;
    if (columns) {
        p->slice_step = (most + p->slices - 1) / p->slices * PANEL;
        p->slices = (p->outputs + p->slice_step - 1) / p->slice_step;
    }
}

static size_t count_of(const Partials *p)
{
    return (size_t)p->depth * (size_t)p->ld;
}

void partials_layout(const Run *r, Carve *c, Partials *p)
{
    const size_t bias = (size_t)p->bias_parts * (size_t)p->outputs;
    p->sums = carve(c, r->want[1] ? (size_t)p->parts * count_of(p) * sizeof(Real) : 0);
    p->bias = carve(c, r->want[2] ? bias * sizeof(Real) : 0);
}

Slice partials_slice(const Partials *p, int i)
{
    if (p->slice_step > 0) {
        const int left = p->outputs - i * p->slice_step;
        return (Slice){0, p->inputs, i * p->slice_step,
                       left < p->slice_step ? left : p->slice_step};
    }
    const int64_t inputs = p->inputs;
    const int from = (int)(inputs * i / p->slices), end = (int)(inputs * (i + 1) / p->slices);
    return (Slice){from, end - from, 0, p->outputs};
}

Real *partials_sums(const Partials *p, int part)
{
    return p->sums + (size_t)part * count_of(p);
}

Real *partials_bias(const Partials *p, int part)
{
    return p->bias + (size_t)part * (size_t)p->outputs;
}

size_t partials_scratch(const Partials *p)
{
    return (size_t)p->ld * REDUCE_ROWS;
}

/* Adds the parts' sums of up to REDUCE_ROWS rows of dW^T and writes them as columns of dW. */
static void reduce_rows(const Run *r, const Partials *p, size_t first, size_t rows, Real *total)
{
    const size_t ld = (size_t)p->ld, depth = (size_t)p->depth;
    memcpy(total, p->sums + first * ld, rows * ld * sizeof *total);
    for (int part = 1; part < p->parts; part++)
        r->compute->real->add(rows * ld, partials_sums(p, part) + first * ld, total);
    for (size_t o = 0; o < (size_t)p->outputs; o++) {
        Real *dw = r->in[1]->grad + o * depth + first;
        for (size_t k = 0; k < rows; k++)
            dw[k] = r->accumulate[1] ? dw[k] + total[k * ld + o] : total[k * ld + o];
    }
}

static void reduce_chunk(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk;
    const Partials *p = r->shared;
    const size_t depth = (size_t)p->depth;
    for (size_t b = (size_t)begin; b < (size_t)end; b++) {
        const size_t left = depth - b * REDUCE_ROWS;
        reduce_rows(r, p, b * REDUCE_ROWS, left < REDUCE_ROWS ? left : REDUCE_ROWS,
                    run_worker(r, worker));
    }
}

static void reduce_bias(const Run *r, const Partials *p)
{
    Real *db = r->in[2]->grad;
    if (!r->accumulate[2])
        memset(db, 0, (size_t)p->outputs * sizeof *db);
    for (int part = 0; part < p->bias_parts; part++)
        for (int o = 0; o < p->outputs; o++)
            db[o] += partials_bias(p, part)[o];
}

void partials_reduce(const Run *r)
{
    const Partials *p = r->shared;
    if (r->want[1])
        run_chunks(r, (p->depth + REDUCE_ROWS - 1) / REDUCE_ROWS, reduce_chunk);
    if (r->want[2])
        reduce_bias(r, p);
}
