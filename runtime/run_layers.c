/* The ops of the kinds from MUL on, some output rows at a time. Trusts the program, as run.c does.
 * SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"
#include "libc.h"

/* Sizes of an op's tensors, as pointers count. */
typedef struct Place {
    const HoneRtTensor *x, *y;
    const int8_t *from; /* codes of x */
    int8_t *to;         /* codes of y */
    size_t row;         /* codes of a row of y */
} Place;

static Place place_of(const HoneRtModel *model, const HoneRtOp *op)
{
    const HoneRtTensor *t = model->program.tensors;
    const HoneRtTensor *x = &t[op->inputs[0]], *y = &t[op->output];
    const Place p = {x, y, hone_rt_codes(model, op->inputs[0]), hone_rt_codes(model, op->output),
                     (size_t)y->w * y->c};
    return p;
}

static void run_mul(const HoneRtModel *model, const HoneRtOp *op, int begin, int end)
{
    const Place p = place_of(model, op);
    const HoneRtTensor *second = &model->program.tensors[op->inputs[1]];
    const uint32_t *word = hone_rt_constant(&model->program, op->requant);
    const int32_t *shift = hone_rt_shifts(&model->program, op->requant, 1);
    const HoneRtMul mul = {*word,  p.x->zero_point, second->zero_point,        p.y->zero_point,
                           op->lo, op->hi,          shift != NULL ? *shift : 0};
    const int8_t *b = hone_rt_codes(model, op->inputs[1]);
    const size_t first = (size_t)begin * p.row;
    const int rows = (end - begin) * (int)p.y->w, channels = (int)p.y->c;
    const int alike = hone_rt_elements(second) == hone_rt_elements(p.y);
    (shift != NULL ? hone_rt_mul_d31 : model->kernels->mul_s24)(
        &mul, p.from + first, alike ? b + first : b, alike ? 1 : rows,
        alike ? rows * channels : channels, p.to + first);
}

static void run_pool(const HoneRtModel *model, const HoneRtOp *op, int begin, int end)
{
    const Place p = place_of(model, op);
    const HoneRtPool g = {(int)p.x->h,  (int)p.x->w,  (int)p.x->c,  (int)p.y->h,
                          (int)p.y->w,  op->kernel_h, op->kernel_w, op->stride_h,
                          op->stride_w, op->pad_top,  op->pad_left};
    (op->kind == HONE_RT_OP_MAXPOOL ? model->kernels->max_pool
                                    : model->kernels->average_pool)(&g, p.from, begin, end, p.to);
}

static void run_table(const HoneRtModel *model, const HoneRtOp *op, int begin, int end)
{
    const Place p = place_of(model, op);
    const size_t first = (size_t)begin * p.row;
    model->kernels->table(hone_rt_constant(&model->program, op->weights), p.from + first,
                          (size_t)(end - begin) * p.row, p.to + first);
}

static void run_concat(const HoneRtModel *model, const HoneRtOp *op, int begin, int end)
{
    const Place p = place_of(model, op);
    const size_t first = (size_t)begin * p.y->w, last = (size_t)end * p.y->w;
    int8_t *to = p.to;
    for (int i = 0; i < HONE_RT_MAX_INPUTS && hone_rt_op_input(op, i) != HONE_RT_NONE; i++) {
        const uint32_t id = hone_rt_op_input(op, i);
        const size_t channels = model->program.tensors[id].c;
        const int8_t *from = hone_rt_codes(model, id);
        for (size_t pixel = first; pixel < last; pixel++)
            memcpy(to + pixel * p.y->c, from + pixel * channels, channels);
        to += channels;
    }
}

static void run_pad(const HoneRtModel *model, const HoneRtOp *op, int begin, int end)
{
    const Place p = place_of(model, op);
    const size_t left = (size_t)op->pad_left * p.y->c, width = (size_t)p.x->w * p.x->c;
    for (int oy = begin; oy < end; oy++) {
        int8_t *to = p.to + (size_t)oy * p.row;
        const int iy = oy - op->pad_top;
        memset(to, p.x->zero_point, p.row);
        if (iy >= 0 && iy < (int)p.x->h)
            memcpy(to + left, p.from + (size_t)iy * width, width);
    }
}

static void run_upsample(const HoneRtModel *model, const HoneRtOp *op, int begin, int end)
{
    const Place p = place_of(model, op);
    const size_t channels = p.y->c;
    for (int oy = begin; oy < end; oy++) {
        const int8_t *from = p.from + (size_t)(oy / op->stride_h) * p.x->w * channels;
        int8_t *to = p.to + (size_t)oy * p.row;
        for (uint32_t ix = 0; ix < p.x->w; ix++, from += channels)
            for (int copy = 0; copy < op->stride_w; copy++, to += channels)
                memcpy(to, from, channels);
    }
}

static void run_softmax(const HoneRtModel *model, const HoneRtOp *op, int begin, int end)
{
    const Place p = place_of(model, op);
    const uint32_t *exponentials = hone_rt_constant(&model->program, op->requant);
    const size_t last = (size_t)end * p.row;
    for (size_t at = (size_t)begin * p.row; at < last; at += p.y->c)
        hone_rt_softmax(exponentials, p.from + at, (int32_t)p.y->c, p.to + at);
}

static void run_reshape(const HoneRtModel *model, const HoneRtOp *op)
{
    const Place p = place_of(model, op);
    if (p.to != p.from)
        memcpy(p.to, p.from, hone_rt_elements(p.y));
}

void hone_rt_run_layer(const HoneRtModel *model, const HoneRtOp *op, int begin, int end)
{
    switch (op->kind) {
    case HONE_RT_OP_MUL:
        run_mul(model, op, begin, end);
        break;
    case HONE_RT_OP_TABLE:
        run_table(model, op, begin, end);
        break;
    case HONE_RT_OP_CONCAT:
        run_concat(model, op, begin, end);
        break;
    case HONE_RT_OP_PAD:
        run_pad(model, op, begin, end);
        break;
    case HONE_RT_OP_UPSAMPLE:
        run_upsample(model, op, begin, end);
        break;
    case HONE_RT_OP_SOFTMAX:
        run_softmax(model, op, begin, end);
        break;
    case HONE_RT_OP_RESHAPE:
        run_reshape(model, op);
        break;
    default: /* MAXPOOL, AVGPOOL */
        run_pool(model, op, begin, end);
        break;
    }
}
