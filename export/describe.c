/* What is in an artifact: see describe.h. SPDX-License-Identifier: Apache-2.0 */
#include "export/describe.h"

#include "core/requant.h"
#include "export/options.h"
#include "runtime/runtime.h"

#include <stdlib.h>
#include <string.h>

static const char *kind_text(int kind)
{
    static const char *const names[] = {
        [HONE_RT_OP_CONV] = "conv",        [HONE_RT_OP_DEPTHWISE] = "depthwise",
        [HONE_RT_OP_DENSE] = "dense",      [HONE_RT_OP_ADD] = "add",
        [HONE_RT_OP_MEAN] = "mean",        [HONE_RT_OP_MUL] = "mul",
        [HONE_RT_OP_MAXPOOL] = "max_pool", [HONE_RT_OP_AVGPOOL] = "average_pool",
        [HONE_RT_OP_TABLE] = "table",      [HONE_RT_OP_CONCAT] = "concat",
        [HONE_RT_OP_PAD] = "pad",          [HONE_RT_OP_UPSAMPLE] = "upsample",
        [HONE_RT_OP_SOFTMAX] = "softmax",  [HONE_RT_OP_RESHAPE] = "reshape",
    };
    return names[kind];
}

static DescribedTensor describe_tensor(const HoneRtProgram *p, uint32_t id)
{
    const HoneRtTensor *t = &p->tensors[id];
    DescribedTensor d = {.name = hone_rt_string(p, t->name),
                         .h = (int)t->h,
                         .w = (int)t->w,
                         .c = (int)t->c,
                         .zero_point = t->zero_point};
    memcpy(&d.scale, &t->scale_bits, sizeof d.scale);
    return d;
}

/* Weights that each output code sums over; 0 for the kinds without weights. */
static int64_t taps_of(const HoneRtOp *op, const HoneRtTensor *x)
{
    switch (op->kind) {
    case HONE_RT_OP_CONV:
        return (int64_t)op->kernel_h * op->kernel_w * (x->c / hone_rt_groups(op));
    case HONE_RT_OP_DEPTHWISE:
        return (int64_t)op->kernel_h * op->kernel_w;
    case HONE_RT_OP_DENSE:
        return hone_rt_elements(x);
    default:
        return 0;
    }
}

/* Of the constants beside weights and biases: multipliers, tables. */
static int64_t table_bytes(const HoneRtProgram *p, const HoneRtOp *op, size_t channels)
{
    if (op->kind == HONE_RT_OP_TABLE)
        return HONE_RT_TABLE;
    if (op->requant == HONE_RT_NONE)
        return 0;
    if (op->kind == HONE_RT_OP_SOFTMAX)
        return HONE_RT_TABLE * (int64_t)sizeof(uint32_t);
    const size_t multipliers = op->kind <= HONE_RT_OP_DENSE ? channels
                               : op->kind == HONE_RT_OP_ADD ? 3
                                                            : 1;
    return (int64_t)(requant_words(p->profile, multipliers) * sizeof(uint32_t));
}

static void count_weights(const HoneRtProgram *p, const HoneRtOp *op, DescribedLayer *d)
{
    const HoneRtTensor *y = &p->tensors[op->output];
    int64_t taps = taps_of(op, &p->tensors[op->inputs[0]]);
    if (taps > 0) {
        const int8_t *w = (const int8_t *)p->constants + op->weights;
        int64_t biases = op->bias == HONE_RT_NONE ? 0 : y->c;
        d->weights = taps * y->c;
        d->params = d->weights + biases;
        d->macs = taps * hone_rt_elements(y);
        d->bytes = d->weights + biases * (int64_t)sizeof(int32_t);
        for (int64_t i = 0; i < d->weights; i++)
            d->zero_weights += w[i] == 0;
    }
    d->bytes += table_bytes(p, op, y->c);
}

static void describe_layer(const HoneRtProgram *p, const HoneRtOp *op, DescribedLayer *d)
{
    *d = (DescribedLayer){.name = hone_rt_string(p, op->name),
                          .kind = kind_text(op->kind),
                          .out = describe_tensor(p, op->output),
                          .kernel_h = op->kernel_h,
                          .kernel_w = op->kernel_w,
                          .stride_h = op->stride_h,
                          .stride_w = op->stride_w,
                          .groups = op->kind == HONE_RT_OP_CONV ? (int)hone_rt_groups(op) : 0,
                          .lo = op->lo,
                          .hi = op->hi};
    for (int i = 0; i < DESCRIBED_INPUTS && hone_rt_op_input(op, i) != HONE_RT_NONE; i++)
        d->in[d->inputs++] = describe_tensor(p, hone_rt_op_input(op, i));
    count_weights(p, op, d);
}

static void describe_totals(Description *d, const HoneRtProgram *p)
{
    d->input = describe_tensor(p, p->input);
    d->output = describe_tensor(p, p->output);
    d->profile = p->profile;
    d->requant = export_profile_name(p->profile);
    d->classes = (int)p->class_count;
    for (uint32_t i = 0; i < p->op_count; i++)
        if (p->ops[i].output == p->output)
            d->softmax = p->ops[i].kind == HONE_RT_OP_SOFTMAX;
    d->constants_bytes = p->constants_bytes;
    d->activation_bytes = p->activation_bytes;
    for (int i = 0; i < d->layer_count; i++) {
        d->macs += d->layers[i].macs;
        d->params += d->layers[i].params;
        d->weights += d->layers[i].weights;
        d->zero_weights += d->layers[i].zero_weights;
    }
    d->sparsity = d->weights > 0 ? (double)d->zero_weights / (double)d->weights : 0;
}

/* Optional like all that is not the program: damage is told, not refused. */
static void describe_frontend(Description *d, const void *bytes)
{
    HoneRtFrontend frontend;
    size_t count;
    const void *section = hone_rt_section(bytes, HONE_RT_SECTION_FRONTEND, &count);
    if (!section)
        return;
    HoneRtStatus status = hone_rt_frontend_open(&frontend, section, count);
    d->frontend = frontend.record;
    if (status != HONE_RT_OK)
        d->frontend_damage = hone_rt_status_text(status);
}

int describe_artifact(Description *d, const void *bytes, size_t count, Error *e)
{
    HoneRtModel model;
    *d = (Description){0};
    HoneRtStatus status = hone_rt_open(&model, bytes, count, &hone_rt_kernels_ref);
    if (status != HONE_RT_OK)
        return error_set(e, HONE_ERR_DATA, "not a valid artifact: %s", hone_rt_status_text(status));
    const HoneRtProgram *p = &model.program;
    d->layers = calloc((size_t)p->op_count + 1, sizeof *d->layers);
    if (!d->layers)
        return error_memory(e, "a description", p->op_count * sizeof *d->layers);
    d->layer_count = (int)p->op_count;
    for (int i = 0; i < d->layer_count; i++)
        describe_layer(p, &p->ops[i], &d->layers[i]);
    describe_totals(d, p);
    int read = notes_read(&d->notes, bytes, d->classes, e);
    if (read != HONE_OK) {
        describe_release(d);
        return read;
    }
    describe_frontend(d, bytes);
    d->bytes = (int64_t)count;
    d->ram_bytes = (int64_t)hone_rt_arena_bytes(&model);
    return HONE_OK;
}

void describe_release(Description *d)
{
    free(d->layers);
    *d = (Description){0};
}
