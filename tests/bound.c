/* Nodes bound by hand: see bound.h. SPDX-License-Identifier: Apache-2.0 */
#include "tests/bound.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static void *make(size_t bytes)
{
    void *p = aligned_alloc(64, (bytes + 63) / 64 * 64 + 64);
    ck_assert_ptr_nonnull(p);
    memset(p, 0x7b, (bytes + 63) / 64 * 64 + 64); /* scratch is never clean */
    return p;
}

static Real *make_reals(size_t n, Rng *rng)
{
    Real *p = make(n * sizeof *p);
    for (size_t i = 0; i < n; i++)
        p[i] = (Real)rng_normal(rng);
    return p;
}

static void make_codes(Bound *b, int which, int channels, Rng *rng)
{
    Tensor *t = &b->in[which];
    const size_t n = shape_count(t->shape);
    const int least = which == 0 ? -128 : -127;
    int8_t *q = make(n);
    for (size_t i = 0; i < n; i++)
        q[i] = (int8_t)(least + (int)rng_below(rng, (uint32_t)(128 - least)));
    t->data = q;
    t->elem = ELEM_CODE;
    const int scales = which == 0 ? 1 : channels;
    Real *s = make_reals((size_t)scales, rng);
    for (int i = 0; i < scales; i++)
        s[i] = (Real)(float)(0.01 + 0.02 * (double)rng_uniform(rng));
    b->scale[which] = (Tensor){.shape = SHAPE1(scales), .elem = ELEM_REAL, .data = s};
    t->scale = &b->scale[which];
    if (which != 0)
        return;
    Real *zp = make(sizeof *zp);
    *zp = (Real)((int)rng_below(rng, 256) - 128);
    b->zero_point = (Tensor){.shape = SHAPE1(1), .elem = ELEM_REAL, .data = zp};
    t->zero_point = &b->zero_point;
}

void bound_init(Bound *b, const Node *n, const Compute *compute, int batch, bool codes,
                bool training, Real old, Rng *rng)
{
    *b = (Bound){.mode = {.training = training, .quantize = codes}};
    b->run = (Run){.node = n, .compute = compute, .mode = &b->mode, .control = &b->control};
    b->out.shape = n->out[0]->shape;
    b->out.shape.dim[0] *= batch;
    for (int i = 0; i < n->inputs; i++) {
        Tensor *t = &b->in[i];
        t->shape = n->in[i]->shape;
        if (n->in[i]->batched)
            t->shape.dim[0] *= batch;
        const size_t count = shape_count(t->shape);
        if (codes && i < 2)
            make_codes(b, i, shape_channels(n->out[0]->shape), rng);
        else
            t->data = make_reals(count, rng);
        b->run.in[i] = t;
        b->run.want[i] = training;
        if (!training)
            continue;
        t->grad = make(count * sizeof(Real));
        for (size_t k = 0; k < count; k++)
            t->grad[k] = old;
    }
    const size_t count = shape_count(b->out.shape);
    b->out.data = make(count * sizeof(Real));
    b->out.grad = make_reals(count, rng);
    b->run.out[0] = &b->out;
    bound_scratch(b);
}

void bound_scratch(Bound *b)
{
    Needs needs = {0};
    Run *r = &b->run;
    if (r->node->op->needs)
        r->node->op->needs(r, &needs);
    free(r->saved);
    free(r->kept);
    free(r->shared);
    free(r->worker);
    r->worker_bytes = (needs.worker + 63) / 64 * 64;
    r->saved = make(needs.saved);
    r->kept = make(needs.kept);
    r->shared = make(needs.shared);
    r->worker = make(r->worker_bytes * (size_t)threads_count(r->compute->threads));
}

void bound_release(Bound *b)
{
    for (int i = 0; i < NODE_INPUTS_MAX; i++) {
        free(b->in[i].data);
        free(b->in[i].grad);
    }
    free(b->scale[0].data);
    free(b->scale[1].data);
    free(b->zero_point.data);
    free(b->out.data);
    free(b->out.grad);
    free(b->run.saved);
    free(b->run.kept);
    free(b->run.shared);
    free(b->run.worker);
}

Real bound_real(const Tensor *t, size_t i, size_t channel)
{
    if (t->elem != ELEM_CODE)
        return ((const Real *)t->data)[i];
    const Real *scale = t->scale->data;
    return scale[shape_count(t->scale->shape) > 1 ? channel : 0] *
           (Real)(((const int8_t *)t->data)[i] - run_zero_point(t));
}
