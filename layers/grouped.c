/* Convolutions in groups: see grouped.h.
 *
 *     x [rows][groups][in] --split--> [groups][rows][in] --convolve.h, each--> [groups][rows][out]
 *                                                        --join--> y [rows][groups][out]
 *
 * The weights of a group are one piece already. Backward splits dy likewise, which costs a copy of it
 * also where a fused node makes it block by block, and joins dx. SPDX-License-Identifier: Apache-2.0 */
#include "layers/grouped.h"

#include "core/graph.h"
#include "layers/convolve.h"

#include <string.h>

enum { BLOCK_REALS = 16 * 1024 }; /* of dy that a stream makes at a time */

/* Lies at the start of Run.shared during a call; the scratch of one group's convolution follows. */
typedef struct Work {
    ConvShape one; /* of a group */
    int groups;
    size_t rows_x, rows_y; /* pixels of the batch */
    unsigned char *x;      /* [groups][rows_x][one.in_c], as the input's elements */
    Real *y;               /* [groups][rows_y][one.out_c]: y, or dy */
    Real *dx;              /* [groups][rows_x][one.in_c], when wanted */
    void *rest;
} Work;

/* One group as a node of its own. */
typedef struct Part {
    Run run;
    Tensor x, w, scale, bias, y;
} Part;

static size_t element_of(const Tensor *t)
{
    return t->elem == ELEM_CODE ? 1 : sizeof(Real);
}

/* Returns the bytes of the layout; places it when memory is given. */
static size_t work_layout(const Run *r, const ConvShape *shape, int groups, void *memory, Work *w)
{
    Carve c = {.base = memory};
    carve(&c, sizeof *w);
    *w = (Work){.one = *shape, .groups = groups};
    w->one.in_c /= groups;
    w->one.out_c /= groups;
    const size_t in_c = (size_t)shape->in_c, out_c = (size_t)shape->out_c;
    w->rows_x = shape_count(r->in[0]->shape) / in_c;
    w->rows_y = shape_count(r->out[0]->shape) / out_c;
    w->x = carve(&c, w->rows_x * in_c * element_of(r->in[0]));
    w->y = carve(&c, w->rows_y * out_c * sizeof *w->y);
    w->dx = carve(&c, r->mode->training && r->want[0] ? w->rows_x * in_c * sizeof *w->dx : 0);
    w->rest = carve(&c, 0);
    return c.used;
}

static void *offset(void *p, size_t bytes)
{
    return p ? (unsigned char *)p + bytes : NULL;
}

/* Channels [first, first + count) of weights or a bias, which lie first in its rows of `row`. */
static Tensor slice(const Tensor *t, size_t first, int count, size_t row)
{
    Tensor s = *t;
    s.shape.dim[0] = count;
    s.data = offset(t->data, first * row * element_of(t));
    s.grad = offset(t->grad, first * row * sizeof(Real));
    return s;
}

static void bind_part(const Run *r, const Work *w, int group, Part *p)
{
    const size_t first = (size_t)group * (size_t)w->one.out_c;
    const size_t size_x = w->rows_x * (size_t)w->one.in_c,
                 size_y = w->rows_y * (size_t)w->one.out_c;
    *p = (Part){.run = *r, .x = *r->in[0], .y = *r->out[0]};
    p->run.shared = w->rest;
    p->run.stream = NULL;
    p->run.accumulate[0] = false;
    p->run.listener[0] = NULL;
    p->x.shape.dim[3] = w->one.in_c;
    p->x.data = offset(w->x, (size_t)group * size_x * element_of(r->in[0]));
    p->x.grad = offset(w->dx, (size_t)group * size_x * sizeof(Real));
    p->y.shape.dim[3] = w->one.out_c;
    p->y.data = p->y.grad = offset(w->y, (size_t)group * size_y * sizeof(Real));
    p->w = slice(r->in[1], first, w->one.out_c,
                 shape_count(r->in[1]->shape) / (size_t)r->in[1]->shape.dim[0]);
    if (r->in[1]->scale && shape_count(r->in[1]->scale->shape) > 1) {
        p->scale = slice(r->in[1]->scale, first, w->one.out_c, 1);
        p->w.scale = &p->scale;
    }
    p->run.in[0] = &p->x;
    p->run.in[1] = &p->w;
    p->run.out[0] = &p->y;
    if (r->node->inputs > 2) {
        p->bias = slice(r->in[2], first, w->one.out_c, 1);
        p->run.in[2] = &p->bias;
    }
}

void grouped_needs(const Run *r, const ConvShape *shape, int groups, Needs *needs)
{
    Work w;
    Part p;
    Needs inner = {0};
    const size_t own = work_layout(r, shape, groups, NULL, &w);
    const size_t block = (BLOCK_REALS + (size_t)shape->out_c) * sizeof(Real);
    bind_part(r, &w, 0, &p);
    convolve_needs(&p.run, &w.one, &inner);
    inner.shared += own;
    if (r->stream && block > inner.worker)
        inner.worker = block;
    needs->shared = inner.shared > needs->shared ? inner.shared : needs->shared;
    needs->worker = inner.worker > needs->worker ? inner.worker : needs->worker;
}

static const Work *work_start(const Run *r, const ConvShape *shape, int groups)
{
    Work *w = r->shared;
    Work layout;
    work_layout(r, shape, groups, r->shared, &layout);
    *w = layout;
    return w;
}

/* ---- split and join --------------------------------------------------------------------------- */

/* Rows [first, first + count) of `all`: from [count][groups][width] to [groups][all][width]. */
static void split(const void *from, size_t first, size_t count, size_t all, size_t groups,
                  size_t width_bytes, unsigned char *to)
{
    const unsigned char *at = from;
    for (size_t row = first; row < first + count; row++)
        for (size_t g = 0; g < groups; g++, at += width_bytes)
            memcpy(to + (g * all + row) * width_bytes, at, width_bytes);
}

static size_t first_row(const Run *r, size_t rows, int item)
{
    return rows / (size_t)r->in[0]->shape.dim[0] * (size_t)item;
}

static void split_x(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    const Work *w = r->shared;
    const size_t first = first_row(r, w->rows_x, begin), last = first_row(r, w->rows_x, end);
    const size_t width = (size_t)w->one.in_c * element_of(r->in[0]), groups = (size_t)w->groups;
    split((const unsigned char *)r->in[0]->data + first * groups * width, first, last - first,
          w->rows_x, groups, width, w->x);
}

static void split_dy(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk;
    const Work *w = r->shared;
    const size_t last = first_row(r, w->rows_y, end), groups = (size_t)w->groups;
    const size_t width = (size_t)w->one.out_c, out_c = width * groups;
    const size_t block = r->stream ? BLOCK_REALS / out_c + 1 : last;
    for (size_t n, row = first_row(r, w->rows_y, begin); row < last; row += n) {
        const Real *dy = r->stream ? run_worker(r, worker) : r->out[0]->grad + row * out_c;
        n = last - row < block ? last - row : block;
        if (r->stream)
            r->stream->gradient(r, row, n, 0, (int)out_c, run_worker(r, worker), NULL);
        split(dy, row, n, w->rows_y, groups, width * sizeof *dy, (unsigned char *)w->y);
    }
}

/* Rows [first, last) from [groups][all][width] to [rows][groups][width]. */
static void join(const Run *r, const Real *from, size_t first, size_t last, size_t all,
                 size_t groups, size_t width, bool accumulate, Real *to)
{
    to += first * groups * width;
    for (size_t row = first; row < last; row++)
        for (size_t g = 0; g < groups; g++, to += width) {
            const Real *at = from + (g * all + row) * width;
            if (accumulate)
                r->compute->real->add(width, at, to);
            else
                memcpy(to, at, width * sizeof *to);
        }
}

static void join_y(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    const Work *w = r->shared;
    join(r, w->y, first_row(r, w->rows_y, begin), first_row(r, w->rows_y, end), w->rows_y,
         (size_t)w->groups, (size_t)w->one.out_c, false, r->out[0]->data);
}

static void join_dx(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    const Work *w = r->shared;
    join(r, w->dx, first_row(r, w->rows_x, begin), first_row(r, w->rows_x, end), w->rows_x,
         (size_t)w->groups, (size_t)w->one.in_c, r->accumulate[0], r->in[0]->grad);
}

/* ---- all groups ------------------------------------------------------------------------------- */

static void each_group(const Run *r, const Work *w,
                       void (*convolve)(const Run *r, const ConvShape *shape))
{
    for (int i = 0; i < w->groups; i++) {
        Part p;
        bind_part(r, w, i, &p);
        convolve(&p.run, &w->one);
    }
}

void grouped_forward(const Run *r, const ConvShape *shape, int groups)
{
    const Work *w = work_start(r, shape, groups);
    const int batch = r->in[0]->shape.dim[0];
    run_chunks(r, batch, split_x);
    each_group(r, w, convolve_forward);
    run_chunks(r, batch, join_y);
}

void grouped_backward(const Run *r, const ConvShape *shape, int groups)
{
    const Work *w = work_start(r, shape, groups);
    const int batch = r->in[0]->shape.dim[0];
    if (r->want[1])
        run_chunks(r, batch, split_x);
    run_chunks(r, batch, split_dy);
    each_group(r, w, convolve_backward);
    if (r->want[0])
        run_chunks(r, batch, join_dx);
}
