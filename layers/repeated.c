/* Repeated channels: see repeated.h. SPDX-License-Identifier: Apache-2.0 */
#include "layers/repeated.h"

#include "core/graph.h"
#include "layers/gather.h"

#include <string.h>

/* Lies at the start of Run.shared during a call. */
typedef struct Work {
    int times;
    unsigned char *x; /* [pixels][channels][times], as the input's elements */
    Real *dx;         /* of that, when wanted */
    void *rest;
} Work;

/* Returns the bytes of the layout; places it when memory is given. */
static size_t work_layout(const Run *r, int times, void *memory, Work *w)
{
    const size_t count = shape_count(r->in[0]->shape) * (size_t)times;
    Carve c = {.base = memory};
    carve(&c, sizeof *w);
    *w = (Work){.times = times};
    w->x = carve(&c, count * (r->in[0]->elem == ELEM_CODE ? 1 : sizeof(Real)));
    w->dx = carve(&c, r->mode->training && r->want[0] ? count * sizeof *w->dx : 0);
    w->rest = carve(&c, 0);
    return c.used;
}

static const Work *work_start(const Run *r, int times)
{
    Work *w = r->shared;
    Work layout;
    work_layout(r, times, r->shared, &layout);
    *w = layout;
    return w;
}

/* The run of the plain layer; its input is *x. */
static Run plain_run(const Run *r, const Work *w, Tensor *x)
{
    Run plain = *r;
    *x = *r->in[0];
    x->shape.dim[3] *= w->times;
    x->data = w->x;
    x->grad = w->dx;
    plain.in[0] = x;
    plain.accumulate[0] = false;
    plain.shared = w->rest;
    return plain;
}

void repeated_needs(const Run *r, int times, void (*plain)(const Run *r, Needs *needs),
                    Needs *needs)
{
    Work w;
    Tensor x;
    Needs inner = {0};
    const size_t own = work_layout(r, times, NULL, &w);
    const Run run = plain_run(r, &w, &x);
    plain(&run, &inner);
    inner.shared += own;
    needs->shared = inner.shared > needs->shared ? inner.shared : needs->shared;
    needs->worker = inner.worker > needs->worker ? inner.worker : needs->worker;
}

/* Elements of the input's images [0, image). */
static size_t elements(const Run *r, int image)
{
    const Shape s = r->in[0]->shape;
    return shape_count(s) / (size_t)s.dim[0] * (size_t)image;
}

static void repeat_items(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    const Work *w = r->shared;
    const size_t size = r->in[0]->elem == ELEM_CODE ? 1 : sizeof(Real);
    const unsigned char *from = (const unsigned char *)r->in[0]->data + elements(r, begin) * size;
    unsigned char *to = w->x + elements(r, begin) * size * (size_t)w->times;
    for (size_t i = elements(r, begin); i < elements(r, end); i++, from += size)
        for (int k = 0; k < w->times; k++, to += size)
            memcpy(to, from, size);
}

static void sum_items(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    const Work *w = r->shared;
    const Real *from = w->dx + elements(r, begin) * (size_t)w->times;
    for (size_t i = elements(r, begin); i < elements(r, end); i++) {
        Real sum = r->accumulate[0] ? r->in[0]->grad[i] : 0;
        for (int k = 0; k < w->times; k++)
            sum += *from++;
        r->in[0]->grad[i] = sum;
    }
}

void repeated_forward(const Run *r, int times, void (*plain)(const Run *r))
{
    Tensor x;
    const Run run = plain_run(r, work_start(r, times), &x);
    run_chunks(r, r->in[0]->shape.dim[0], repeat_items);
    plain(&run);
}

void repeated_backward(const Run *r, int times, void (*plain)(const Run *r))
{
    Tensor x;
    const Run run = plain_run(r, work_start(r, times), &x);
    if (r->want[1])
        run_chunks(r, r->in[0]->shape.dim[0], repeat_items);
    plain(&run);
    if (r->want[0])
        run_chunks(r, r->in[0]->shape.dim[0], sum_items);
}
