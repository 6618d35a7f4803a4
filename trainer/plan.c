/* The text of a plan: see plan.h. SPDX-License-Identifier: Apache-2.0 */
#include "trainer/plan.h"

#include "prune/prune.h"
#include "qat/insert.h"
#include "trainer/phases.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- layers ---- */

/* The parameter that input k of n comes from, through fake-quantization; or NULL. */
static const Param *param_of(const Node *n, int k)
{
    const Value *v = n->in[k];
    while (v->producer && !v->param && !v->producer->in[0]->batched)
        v = v->producer->in[0];
    return v->param && v->param->role != PARAM_STATE ? v->param : NULL;
}

static int64_t params_of(const Node *n)
{
    int64_t count = 0;
    for (int k = 0; k < n->inputs; k++) {
        const Param *p = n->op->flags & (OP_QUANTIZER | OP_GRID | OP_OBSERVER | OP_FUSED)
                             ? NULL
                             : param_of(n, k);
        count += p ? (int64_t)p->count : 0;
    }
    return count;
}

static bool is_layer(const Node *n)
{
    return n->op->weight != 0;
}

int plan_layer_count(const Session *s)
{
    int count = 0;
    for (int i = 0; i < s->graph.node_count; i++)
        count += is_layer(s->graph.nodes[i]);
    return count;
}

/* A batch-norm counts with the layer before it. */
static int64_t params_with_followers(const Session *s, int index)
{
    int64_t count = params_of(s->graph.nodes[index]);
    for (int i = index + 1; i < s->graph.node_count && !is_layer(s->graph.nodes[i]); i++)
        count += params_of(s->graph.nodes[i]);
    return count;
}

PlanLayer plan_layer(const Session *s, int i)
{
    int index = 0;
    for (; index < s->graph.node_count; index++)
        if (is_layer(s->graph.nodes[index]) && i-- == 0)
            break;
    const Node *n = s->graph.nodes[index];
    const QuantLayer *q = qat_layer(n);
    return (PlanLayer){.name = n->name,
                       .kind = n->op->name,
                       .out = n->out[0]->shape,
                       .macs = n->op->macs ? n->op->macs(n) : 0,
                       .params = params_with_followers(s, index),
                       .weight_bits = q ? q->weight_bits : 0,
                       .activation_bits = q ? q->activation_bits : 0};
}

static void add_layers(const Session *s, Text *out)
{
    int count = plan_layer_count(s);
    text_printf(out, "\n%-24s %-12s %-16s %10s %12s  %s\n", "layer", "kind", "output", "params",
                "MACs", "bits w/a");
    for (int i = 0; i < count; i++) {
        PlanLayer l = plan_layer(s, i);
        char shape[SHAPE_TEXT_BYTES];
        text_printf(out, "%-24s %-12s %-16s %10lld %12lld  ", l.name, l.kind,
                    shape_text(l.out, shape), (long long)l.params, (long long)l.macs);
        if (l.weight_bits)
            text_printf(out, "%d/%d\n", l.weight_bits, l.activation_bits);
        else
            text_add(out, "float\n");
    }
}

/* ---- phases ---- */

static double lr_at(const RunOptions *o, const Phases *p, int64_t step)
{
    return schedule_lr(&o->train.schedule, o->train.optimizer.lr, step, p->steps_per_epoch,
                       p->epochs);
}

static void add_phases(const RunOptions *o, const Phases *p, Text *out)
{
    text_printf(out, "\n%-8s %10s %10s %10s   %s\n", "phase", "epoch", "step", "steps",
                "learning rate");
    for (int64_t begin = 0, end; begin < p->total; begin = end) {
        const char *name = phases_name(p, begin);
        for (end = begin + 1; end < p->total && strcmp(phases_name(p, end), name) == 0;)
            end++;
        text_printf(out, "%-8s %10.4g %10lld %10lld   %.4g to %.4g\n", name,
                    (double)begin / (double)p->steps_per_epoch, (long long)begin,
                    (long long)(end - begin), lr_at(o, p, begin), lr_at(o, p, end - 1));
    }
    if (o->train.optimizer.ema > 0)
        text_printf(out,
                    "evaluated, saved as best and exported: the weights' average, decay %g, "
                    "recalibrated on %lld batches\n",
                    o->train.optimizer.ema, (long long)o->eval.recalibration_batches);
    if (o->qat.present)
        text_printf(out, "quantization from epoch %g, calibrated on %lld batches; then export\n",
                    o->qat.begin_epoch, (long long)o->qat.calibration_batches);
}

static void add_teacher(const RunOptions *o, Text *out)
{
    const DistillOptions *d = &o->distill;
    text_printf(out, "teacher %s%s: temperature %g, %g of the labels' loss and %g of its own, ",
                d->teacher.checkpoint, access(d->teacher.checkpoint, R_OK) == 0 ? "" : " (missing)",
                d->temperature, d->weight_hard, d->weight_soft);
    text_printf(out, "epochs %g to %g\n", d->begin_epoch,
                d->end_epoch < 0 ? (double)o->train.epochs : d->end_epoch);
}

static int add_sparsity(const Session *s, const Phases *p, Text *out, Error *e)
{
    Pruner *pruner;
    const RunOptions *o = s->config->options;
    int status = pruner_new(&pruner, &o->prune, &s->graph, p->steps_per_epoch, p->total, e);
    if (status != HONE_OK)
        return status;
    text_printf(out, "\npruning of %d layers, every %lld steps; sparsity aimed at by epoch:\n ",
                pruner_layer_count(pruner), (long long)o->prune.schedule.every_steps);
    for (int64_t epoch = 0; epoch <= p->epochs; epoch++) {
        int64_t step = epoch * p->steps_per_epoch;
        if (step + p->steps_per_epoch >= pruner_begin(pruner) &&
            step < pruner_end(pruner) + p->steps_per_epoch)
            text_printf(out, " %lld: %.0f %%", (long long)epoch, 100 * pruner_target(pruner, step));
    }
    text_add(out, "\n");
    pruner_free(pruner);
    return HONE_OK;
}

/* ---- memory ---- */

static void add_memory(const Session *s, const char *what, Mode mode, int64_t batch, Text *out)
{
    Exec *x;
    Error e = {0};
    if (session_compile(s, &x, mode, (int)batch, NULL, &e) == HONE_OK) {
        text_printf(out, "%s %.1f MB", what, (double)exec_arena_bytes(x) / 1e6);
        exec_free(x);
    } else {
        text_printf(out, "%s: %s", what, e.text);
    }
}

static void add_memories(const Session *s, Text *out)
{
    const RunOptions *o = s->config->options;
    text_add(out, "memory    ");
    add_memory(s, "float training", (Mode){.training = true}, o->train.batch, out);
    if (o->qat.present) {
        text_add(out, ", ");
        add_memory(s, "quantized training", (Mode){.training = true, .quantize = true},
                   o->train.batch, out);
    }
    text_add(out, ", ");
    add_memory(s, "evaluation", (Mode){0}, o->eval.batch, out);
    text_add(out, "\n");
}

/* ---- the whole ---- */

/* Returns the number of training images, 0 where the data is missing. */
static int64_t add_data(const Session *s, const char *root, Text *out)
{
    Dataset *d = NULL;
    Error e = {0};
    int64_t train = 0;
    if (dataset_open(&d, &s->config->options->dataset, root, &e) == HONE_OK) {
        const DatasetInfo *info = dataset_info(d);
        train = info->count[DATASET_TRAIN];
        text_printf(out,
                    "data      %s: %lld training and %lld test images of %dx%dx%d, %d classes\n",
                    info->kind, (long long)train, (long long)info->count[DATASET_TEST],
                    info->height, info->width, info->channels, info->classes);
    } else {
        text_printf(out, "data      missing: %s\n", e.text);
    }
    dataset_close(d);
    return train;
}

static void add_objective(const TrainOptions *t, Text *out)
{
    text_printf(out, "loss      %s", loss_options.variants[t->loss.kind]->choice);
    if (t->loss.target == LOSS_OF_INPUT)
        text_add(out, " against the input");
    if (t->loss.label_smoothing > 0)
        text_printf(out, ", labels smoothed by %g", t->loss.label_smoothing);
    text_printf(out, "\noptimizer %s", optimizer_options.variants[t->optimizer.kind]->choice);
    if (t->clip_norm > 0)
        text_printf(out, ", gradients clipped to norm %g", t->clip_norm);
    text_add(out, "\n");
}

static void add_head(const Session *s, Text *out)
{
    const RunOptions *o = s->config->options;
    text_printf(out, "run       %s, seed %lld\n", o->name, (long long)o->seed);
    text_printf(out, "model     %s: %lld parameters, %.2f M multiply-accumulates\n",
                model_arch_name(&o->model), (long long)graph_trained(&s->graph),
                (double)graph_macs(&s->graph) / 1e6);
    text_printf(out, "machine   %d threads, kernels %s, %s\n", threads_count(s->compute.threads),
                s->compute.integer->name, s->compute.blas.core);
    add_objective(&o->train, out);
    if (o->qat.present)
        text_printf(out, "backward  quantized convolutions on %s numbers\n",
                    config_backward_name(s->config));
}

int plan_print(const Session *s, const char *data_root, Text *out, Error *e)
{
    const RunOptions *o = s->config->options;
    Phases p;
    int status = HONE_OK;
    add_head(s, out);
    int64_t per_epoch = add_data(s, data_root, out) / o->train.batch;
    add_memories(s, out);
    if (per_epoch > 0) {
        phases_init(&p, o, per_epoch);
        text_printf(out, "steps     %lld of %lld images in each of %lld epochs: %lld\n",
                    (long long)per_epoch, (long long)o->train.batch, (long long)p.epochs,
                    (long long)p.total);
        add_phases(o, &p, out);
        if (o->distill.present)
            add_teacher(o, out);
        if (o->prune.present)
            status = add_sparsity(s, &p, out, e);
    } else {
        text_printf(out, "steps     known when the data is there; %lld epochs\n",
                    (long long)o->train.epochs);
    }
    if (status == HONE_OK)
        add_layers(s, out);
    if (status == HONE_OK && text_failed(out))
        status = error_memory(e, "the plan", out->room);
    return status;
}
