/* Pooling over windows, [N,H,W,C]: the largest or the average of the pixels inside the image.
 *
 * Codes stay on their grid, so forward on codes is the integer kernels', in training as in evaluation:
 * the average is rounded there and its gradient goes straight through. The gradient of a maximum goes
 * to the first tap, row by row, that has it (as PyTorch's); it is found again instead of being saved.
 * SPDX-License-Identifier: Apache-2.0 */
#include "layers/elements.h"
#include "layers/layers.h"
#include "layers/weighted.h"

#include <string.h>

static const WindowAttributes *window_of(const Node *n)
{
    return n->attributes;
}

static int infer(Node *n, Error *e)
{
    const WindowAttributes *w = window_of(n);
    const Value *x = n->in[0];
    if (x->elem != ELEM_REAL)
        return error_set(e, HONE_ERR_SHAPE, "%s '%s': the input '%s' is not real", n->op->name,
                         n->name, x->name);
    n->out[0]->shape = SHAPE4(x->shape.dim[0], w->y.out, w->x.out, x->shape.dim[3]);
    return HONE_OK;
}

/* A row of channels. */
static void needs(const Run *r, Needs *needs)
{
    needs->worker = (size_t)shape_channels(r->in[0]->shape) * sizeof(Real);
}

static HoneRtPool geometry(const Run *r)
{
    const WindowAttributes *w = window_of(r->node);
    return (HoneRtPool){.in_h = w->y.in,
                        .in_w = w->x.in,
                        .channels = shape_channels(r->in[0]->shape),
                        .out_h = w->y.out,
                        .out_w = w->x.out,
                        .kernel_h = w->y.kernel,
                        .kernel_w = w->x.kernel,
                        .stride_h = w->y.stride,
                        .stride_w = w->x.stride,
                        .pad_top = w->y.before,
                        .pad_left = w->x.before};
}

/* Elements of a sample of x, of y. */
static size_t x_count(const Run *r)
{
    return shape_count(r->in[0]->shape) / (size_t)r->in[0]->shape.dim[0];
}

static size_t y_count(const Run *r)
{
    return shape_count(r->out[0]->shape) / (size_t)r->out[0]->shape.dim[0];
}

static bool is_max(const Run *r)
{
    return r->node->op == &op_max_pool;
}

/* What happens at one output pixel: x and dx are of the sample, y and dy of the pixel. */
typedef struct Pixel {
    const Run *r;
    Taps rows, cols;
    size_t channels;
    const void *x, *y;
    const Real *dy;
    Real *dx, *row;
} Pixel;

/* Offset of a tap in a sample, in elements. */
static size_t tap_at(const Pixel *p, int i, int k)
{
    const size_t width = (size_t)window_of(p->r->node)->x.in;
    const int iy = p->rows.at + i * p->rows.move, ix = p->cols.at + k * p->cols.move;
    return ((size_t)iy * width + (size_t)ix) * p->channels;
}

/* ---- forward ---- */

static void reals_of_pixel(const Pixel *p, bool max, Real *y)
{
    const Real *x = p->x;
    const Real taps = (Real)(p->rows.count * p->cols.count);
    memcpy(y, x + tap_at(p, 0, 0), p->channels * sizeof *y);
    for (int i = 0; i < p->rows.count; i++)
        for (int k = i == 0; k < p->cols.count; k++) {
            const Real *v = x + tap_at(p, i, k);
            if (max)
                for (size_t c = 0; c < p->channels; c++)
                    y[c] = v[c] > y[c] ? v[c] : y[c];
            else
                p->r->compute->real->add(p->channels, v, y);
        }
    for (size_t c = 0; c < p->channels && !max; c++)
        y[c] /= taps;
}

static void codes_of_sample(const Run *r, int sample)
{
    const HoneRtPool g = geometry(r);
    const HoneRtKernels *k = r->compute->integer;
    const int8_t *x = (const int8_t *)r->in[0]->data + (size_t)sample * x_count(r);
    int8_t *y = (int8_t *)r->out[0]->data + (size_t)sample * y_count(r);
    (is_max(r) ? k->max_pool : k->average_pool)(&g, x, 0, g.out_h, y);
}

static void reals_of_sample(const Run *r, int sample)
{
    const WindowAttributes *w = window_of(r->node);
    Pixel p = {.r = r,
               .channels = (size_t)shape_channels(r->in[0]->shape),
               .x = (const Real *)r->in[0]->data + (size_t)sample * x_count(r)};
    Real *y = (Real *)r->out[0]->data + (size_t)sample * y_count(r);
    for (int oy = 0; oy < w->y.out; oy++)
        for (int ox = 0; ox < w->x.out; ox++, y += p.channels) {
            p.rows = window_at_output(&w->y, oy);
            p.cols = window_at_output(&w->x, ox);
            reals_of_pixel(&p, is_max(r), y);
        }
}

static void forward_items(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk, (void)worker;
    for (int i = begin; i < end; i++) {
        if (r->in[0]->elem == ELEM_CODE)
            codes_of_sample(r, i);
        else
            reals_of_sample(r, i);
    }
}

static void forward(const Run *r)
{
    run_chunks(r, r->in[0]->shape.dim[0], forward_items);
}

/* ---- backward ---- */

/* What a channel's maximum leaves for later taps is dy until one has taken it, then 0. */
static void give_max(const Pixel *p, const bool codes)
{
    memcpy(p->row, p->dy, p->channels * sizeof *p->row);
    for (int i = 0; i < p->rows.count; i++)
        for (int k = 0; k < p->cols.count; k++) {
            const size_t at = tap_at(p, i, k);
            for (size_t c = 0; c < p->channels; c++) {
                const bool has = codes ? ((const int8_t *)p->x)[at + c] == ((const int8_t *)p->y)[c]
                                       : ((const Real *)p->x)[at + c] == ((const Real *)p->y)[c];
                const Real given = has ? p->row[c] : 0;
                p->dx[at + c] += given;
                p->row[c] = has ? 0 : p->row[c];
            }
        }
}

static void give_average(const Pixel *p)
{
    const Real taps = (Real)(p->rows.count * p->cols.count);
    for (size_t c = 0; c < p->channels; c++)
        p->row[c] = p->dy[c] / taps;
    for (int i = 0; i < p->rows.count; i++)
        for (int k = 0; k < p->cols.count; k++)
            p->r->compute->real->add(p->channels, p->row, p->dx + tap_at(p, i, k));
}

static void backward_sample(const Run *r, int sample, Real *row)
{
    const WindowAttributes *w = window_of(r->node);
    const size_t b = elements_bytes(r->in[0]), first = (size_t)sample * x_count(r);
    Pixel p = {.r = r,
               .channels = (size_t)shape_channels(r->in[0]->shape),
               .x = (const char *)r->in[0]->data + b * first,
               .dx = r->in[0]->grad + first,
               .row = row};
    size_t at = (size_t)sample * y_count(r);
    if (!r->accumulate[0])
        memset(p.dx, 0, x_count(r) * sizeof *p.dx);
    for (int oy = 0; oy < w->y.out; oy++)
        for (int ox = 0; ox < w->x.out; ox++, at += p.channels) {
            p.rows = window_at_output(&w->y, oy);
            p.cols = window_at_output(&w->x, ox);
            p.y = (const char *)r->out[0]->data + b * at;
            p.dy = r->out[0]->grad + at;
            if (!is_max(r))
                give_average(&p);
            else if (r->in[0]->elem == ELEM_CODE)
                give_max(&p, true);
            else
                give_max(&p, false);
        }
}

static void backward_items(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)chunk;
    for (int i = begin; i < end; i++)
        backward_sample(r, i, run_worker(r, worker));
}

static void backward(const Run *r)
{
    run_chunks(r, r->in[0]->shape.dim[0], backward_items);
}

static void lower_max(const Node *n, HoneRtOp *op)
{
    op->kind = HONE_RT_OP_MAXPOOL;
    weighted_lower(window_of(n), op);
}

static void lower_average(const Node *n, HoneRtOp *op)
{
    op->kind = HONE_RT_OP_AVGPOOL;
    weighted_lower(window_of(n), op);
}

#define POOL_OP(text, reads_, lower_)                                                              \
    {                                                                                              \
        .name = (text), .reads = (reads_), .codes = OP_IN(0), .grads = OP_IN(0), .outputs = 1,     \
        .keeps_grid = true, .infer = infer, .needs = needs, .forward = forward,                    \
        .backward = backward, .integer = forward, .lower = (lower_),                               \
    }

const Op op_max_pool = POOL_OP("max_pool", OP_IN(0) | OP_OUT(0), lower_max);
const Op op_average_pool = POOL_OP("average_pool", 0, lower_average);

static int stride_of(const PoolOptions *o, int axis)
{
    return o->stride[axis] ? o->stride[axis] : o->kernel[axis];
}

static Value *build(Graph *g, const Op *op, const char *name, Value *x, const PoolOptions *o)
{
    if (!x || g->error.code != HONE_OK)
        return NULL;
    WindowAttributes a;
    const Conv2dOptions window = {.kernel = {o->kernel[0], o->kernel[1]},
                                  .stride = {stride_of(o, 0), stride_of(o, 1)},
                                  .padding = o->padding,
                                  .pads = {o->pads[0], o->pads[1], o->pads[2], o->pads[3]}};
    if (weighted_window(op->name, name, &window, x->shape, &a, &g->error) != HONE_OK)
        return NULL;
    Node *n = graph_node(g, op, name, 1, &x, &a, sizeof a);
    return n ? n->out[0] : NULL;
}

Value *layer_max_pool(Graph *g, const char *name, Value *x, const PoolOptions *o)
{
    return build(g, &op_max_pool, name, x, o);
}

Value *layer_average_pool(Graph *g, const char *name, Value *x, const PoolOptions *o)
{
    return build(g, &op_average_pool, name, x, o);
}
