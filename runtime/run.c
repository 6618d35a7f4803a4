/* Preparing and running an open model. Trusts the program: check.c has seen every field.
 *
 *     arena:  [ align | activations | scratch | places | packed weights of op 0, 1, ... ]
 *
 * each part 64-byte aligned; places says where in the last one each op's weights begin.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"
#include "libc.h"

enum { ARENA_ALIGN = 64 };

/* ---- how an op uses the kernels ---- */

static int is_convolution(const HoneRtOp *op)
{
    return op->kind == HONE_RT_OP_CONV || op->kind == HONE_RT_OP_DEPTHWISE ||
           op->kind == HONE_RT_OP_DENSE;
}

/* The geometry of a convolution; a dense layer is a pointwise one over a single pixel. */
static HoneRtConv geometry(const HoneRtProgram *p, const HoneRtOp *op)
{
    const HoneRtTensor *x = &p->tensors[op->inputs[0]], *y = &p->tensors[op->output];
    HoneRtConv g = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0};
    g.out_c = (int)y->c;
    if (op->kind == HONE_RT_OP_DENSE) {
        g.in_c = (int)hone_rt_elements(x);
        return g;
    }
    g.in_h = (int)x->h;
    g.in_w = (int)x->w;
    g.in_c = (int)x->c;
    g.out_h = (int)y->h;
    g.out_w = (int)y->w;
    g.kernel_h = op->kernel_h;
    g.kernel_w = op->kernel_w;
    g.stride_h = op->stride_h;
    g.stride_w = op->stride_w;
    g.dilation_h = op->dilation_h;
    g.dilation_w = op->dilation_w;
    g.pad_top = op->pad_top;
    g.pad_left = op->pad_left;
    return g;
}

static size_t round_up(size_t n)
{
    return (n + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
}

/* Bytes of an op's packed weights, a multiple of ARENA_ALIGN. */
static size_t packed_bytes(const HoneRtModel *model, const HoneRtOp *op)
{
    const HoneRtKernels *k = model->kernels;
    if (!is_convolution(op))
        return 0;
    const HoneRtConv g = geometry(&model->program, op);
    return round_up(op->kind == HONE_RT_OP_DEPTHWISE
                        ? k->depthwise_pack_bytes(&g)
                        : hone_rt_group_pack_bytes(k, &g, (int)hone_rt_groups(op)));
}

static size_t scratch_bytes(const HoneRtModel *model, const HoneRtOp *op)
{
    const HoneRtKernels *k = model->kernels;
    if (op->kind == HONE_RT_OP_MEAN) /* the sums, and what aligning them takes */
        return ((size_t)model->program.tensors[op->output].c + 1) * sizeof(int32_t);
    if (!is_convolution(op))
        return 0;
    const HoneRtConv g = geometry(&model->program, op);
    return op->kind == HONE_RT_OP_DEPTHWISE
               ? k->depthwise_scratch_bytes(&g)
               : hone_rt_group_scratch_bytes(k, &g, (int)hone_rt_groups(op));
}

size_t hone_rt_scratch_bytes(const HoneRtModel *model)
{
    size_t most = 0;
    for (uint32_t i = 0; model->kernels != NULL && i < model->program.op_count; i++) {
        const size_t bytes = scratch_bytes(model, &model->program.ops[i]);
        most = bytes > most ? bytes : most;
    }
    return most;
}

/* ---- the arena ---- */

typedef struct Layout {
    size_t activations, scratch, places, packed; /* bytes, multiples of ARENA_ALIGN */
} Layout;

/* Returns the sum with what aligning the arena may take, or 0 when it exceeds SIZE_MAX. */
static size_t plan(const HoneRtModel *model, Layout *layout)
{
    const HoneRtProgram *p = &model->program;
    size_t total = 0;
    layout->activations = round_up(p->activation_bytes);
    layout->places = round_up(p->op_count * sizeof *model->places);
    layout->packed = 0;
    for (uint32_t i = 0; i < p->op_count; i++) {
        const size_t bytes = packed_bytes(model, &p->ops[i]);
        if (bytes > SIZE_MAX - layout->packed)
            return 0;
        layout->packed += bytes;
    }
    layout->scratch = round_up(hone_rt_scratch_bytes(model));
    const size_t parts[] = {ARENA_ALIGN - 1, layout->activations, layout->scratch, layout->places,
                            layout->packed};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (parts[i] > SIZE_MAX - total)
            return 0;
        total += parts[i];
    }
    return total;
}

size_t hone_rt_arena_bytes(const HoneRtModel *model)
{
    Layout layout;
    return model->kernels == NULL ? 0 : plan(model, &layout);
}

static uint8_t *packed_weights(const HoneRtModel *model, uint32_t op)
{
    return model->packed + (size_t)model->places[op] * ARENA_ALIGN;
}

static void pack(const HoneRtModel *model, const HoneRtOp *op, void *packed)
{
    const HoneRtProgram *p = &model->program;
    const HoneRtConv g = geometry(p, op);
    const int8_t *w = hone_rt_constant(p, op->weights);
    const int32_t *bias = op->bias == HONE_RT_NONE ? NULL : hone_rt_constant(p, op->bias);
    const int32_t x_zp = p->tensors[op->inputs[0]].zero_point;
    const int groups = (int)hone_rt_groups(op);
    if (op->kind == HONE_RT_OP_DEPTHWISE)
        model->kernels->depthwise_pack(&g, w, bias, x_zp, packed);
    else
        hone_rt_group_pack(model->kernels, &g, groups, w, bias, x_zp, 0, groups, packed);
}

HoneRtStatus hone_rt_prepare(HoneRtModel *model, void *arena, size_t bytes)
{
    const HoneRtProgram *p = &model->program;
    Layout layout;
    if (model->kernels == NULL)
        return HONE_RT_ERR_STATE;
    const size_t need = plan(model, &layout);
    model->activations = NULL;
    if (arena == NULL || need == 0 || bytes < need)
        return HONE_RT_ERR_ARENA;
    const size_t skip = (ARENA_ALIGN - (uintptr_t)arena % ARENA_ALIGN) % ARENA_ALIGN;
    model->activations = (uint8_t *)arena + skip;
    model->scratch = model->activations + layout.activations;
    model->places = (uint32_t *)(void *)(model->scratch + layout.scratch);
    model->packed = (uint8_t *)model->places + layout.places;
    uint32_t place = 0;
    for (uint32_t i = 0; i < p->op_count; i++) {
        model->places[i] = place;
        if (is_convolution(&p->ops[i]))
            pack(model, &p->ops[i], packed_weights(model, i));
        place += (uint32_t)(packed_bytes(model, &p->ops[i]) / ARENA_ALIGN);
    }
    return HONE_RT_OK;
}

/* ---- the ops ---- */

static int32_t *aligned(void *scratch)
{
    const size_t off = (uintptr_t)scratch % sizeof(int32_t);
    return (int32_t *)(void *)((uint8_t *)scratch + (sizeof(int32_t) - off) % sizeof(int32_t));
}

static void run_convolution(const HoneRtModel *model, uint32_t index, int begin, int end,
                            void *scratch)
{
    const HoneRtProgram *p = &model->program;
    const HoneRtKernels *k = model->kernels;
    const HoneRtOp *op = &p->ops[index];
    const HoneRtTensor *y = &p->tensors[op->output];
    const HoneRtConv g = geometry(p, op);
    HoneRtRequantize rq = {k,
                           hone_rt_constant(p, op->requant),
                           y->zero_point,
                           op->lo,
                           op->hi,
                           hone_rt_codes(model, op->output),
                           (ptrdiff_t)y->c,
                           hone_rt_shifts(p, op->requant, y->c)};
    const int8_t *x = hone_rt_codes(model, op->inputs[0]);
    const void *packed = packed_weights(model, index);
    if (op->kind == HONE_RT_OP_DEPTHWISE)
        k->depthwise(&g, x, packed, begin, end, scratch, hone_rt_requantize_epilogue, &rq);
    else
        hone_rt_group_conv(k, &g, (int)hone_rt_groups(op), x, packed, begin, end, scratch,
                           hone_rt_requantize_epilogue, &rq);
}

static void run_add(const HoneRtModel *model, const HoneRtOp *op, int begin, int end)
{
    const HoneRtProgram *p = &model->program;
    const HoneRtTensor *y = &p->tensors[op->output];
    const int32_t a_zp = p->tensors[op->inputs[0]].zero_point;
    const int32_t b_zp = p->tensors[op->inputs[1]].zero_point;
    const size_t row = (size_t)y->w * (size_t)y->c, first = (size_t)begin * row;
    const size_t count = (size_t)(end - begin) * row;
    const int8_t *a = hone_rt_codes(model, op->inputs[0]) + first;
    const int8_t *b = hone_rt_codes(model, op->inputs[1]) + first;
    int8_t *to = hone_rt_codes(model, op->output) + first;
    if (p->profile == HONE_RT_D31) {
        const int32_t *m = hone_rt_constant(p, op->requant);
        const HoneRtAddD31 add = {
            {m[0], m[1], m[2]}, {m[3], m[4], m[5]}, a_zp, b_zp, y->zero_point, op->lo, op->hi};
        model->kernels->add_d31(&add, a, b, count, to);
    } else {
        const HoneRtAdd add = {op->m1, op->m2, op->k, a_zp, b_zp, y->zero_point, op->lo, op->hi};
        model->kernels->add_s24(&add, a, b, count, to);
    }
}

/* One multiplier for all channels, which the kernels want one by one. */
static void run_mean(const HoneRtModel *model, const HoneRtOp *op, void *scratch)
{
    enum { SHARE = 64 };
    const HoneRtProgram *p = &model->program;
    const HoneRtKernels *k = model->kernels;
    const HoneRtTensor *x = &p->tensors[op->inputs[0]], *y = &p->tensors[op->output];
    const int channels = (int)x->c, n = (int)(x->h * x->w);
    const uint32_t *word = hone_rt_constant(p, op->requant);
    const int32_t *shift = hone_rt_shifts(p, op->requant, 1);
    int32_t *sums = aligned(scratch);
    uint32_t words[SHARE];
    int32_t shifts[SHARE];
    for (int i = 0; i < SHARE; i++) {
        words[i] = *word;
        shifts[i] = shift != NULL ? *shift : 0;
    }
    HoneRtRequantize rq = {
        k, words, y->zero_point, op->lo, op->hi, hone_rt_codes(model, op->output), channels, NULL};
    rq.shifts = shift != NULL ? shifts : NULL;
    k->mean_sum(hone_rt_codes(model, op->inputs[0]), n, channels, sums);
    for (int c = 0; c < channels; c++)
        sums[c] -= n * x->zero_point;
    for (int c = 0; c < channels; c += SHARE, rq.y += SHARE) {
        const int cols = channels - c < SHARE ? channels - c : SHARE;
        hone_rt_requantize_epilogue(&rq, sums + c, cols, 0, 1, 0, cols);
    }
}

int hone_rt_rows(const HoneRtModel *model, uint32_t op)
{
    const HoneRtProgram *p = &model->program;
    if (op >= p->op_count)
        return 0;
    const uint16_t kind = p->ops[op].kind;
    const int whole =
        kind == HONE_RT_OP_DENSE || kind == HONE_RT_OP_MEAN || kind == HONE_RT_OP_RESHAPE;
    return whole ? 1 : (int)p->tensors[p->ops[op].output].h;
}

void hone_rt_run_rows(const HoneRtModel *model, uint32_t op, int begin, int end, void *scratch)
{
    const HoneRtOp *o = &model->program.ops[op];
    if (begin >= end)
        return;
    if (o->kind == HONE_RT_OP_ADD)
        run_add(model, o, begin, end);
    else if (o->kind == HONE_RT_OP_MEAN)
        run_mean(model, o, scratch);
    else if (!is_convolution(o))
        hone_rt_run_layer(model, o, begin, end);
    else
        run_convolution(model, op, begin, end, scratch);
}

HoneRtStatus hone_rt_run_traced(HoneRtModel *model, const int8_t *input, int8_t *output,
                                HoneRtTrace trace, void *context)
{
    const HoneRtProgram *p = &model->program;
    if (model->activations == NULL)
        return HONE_RT_ERR_STATE;
    if (input != NULL)
        memcpy(hone_rt_codes(model, p->input), input, hone_rt_elements(&p->tensors[p->input]));
    for (uint32_t i = 0; i < p->op_count; i++) {
        const HoneRtOp *op = &p->ops[i];
        hone_rt_run_rows(model, i, 0, hone_rt_rows(model, i), model->scratch);
        if (trace != NULL)
            trace(context, i, op->output, hone_rt_codes(model, op->output),
                  hone_rt_elements(&p->tensors[op->output]));
    }
    if (output != NULL)
        memcpy(output, hone_rt_codes(model, p->output), hone_rt_elements(&p->tensors[p->output]));
    return HONE_RT_OK;
}

HoneRtStatus hone_rt_run(HoneRtModel *model, const int8_t *input, int8_t *output)
{
    return hone_rt_run_traced(model, input, output, NULL, NULL);
}

int8_t *hone_rt_input_codes(HoneRtModel *model)
{
    return model->activations == NULL ? NULL : hone_rt_codes(model, model->program.input);
}

const int8_t *hone_rt_output_codes(const HoneRtModel *model)
{
    return model->activations == NULL ? NULL : hone_rt_codes(model, model->program.output);
}
