/* The text of a plan: see plan.h. SPDX-License-Identifier: Apache-2.0 */
#include "trainer/plan.h"

#include "prune/prune.h"
#include "report/show.h"
#include "trainer/phases.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

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
        text_printf(out, "%-8s %10.4g %10s %10s   %.4g to %.4g\n", name,
                    (double)begin / (double)p->steps_per_epoch, show_whole(begin).text,
                    show_whole(end - begin).text, lr_at(o, p, begin), lr_at(o, p, end - 1));
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
        text_printf(out, "%s %s", what, show_bytes((int64_t)exec_arena_bytes(x)).text);
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

/* *train becomes the number of training images, 0 where the data is missing. Data that is there and
 * damaged, or does not fit the model, is an error. */
static int add_data(const Session *s, const char *root, int64_t *train, Text *out, Error *e)
{
    Dataset *d = NULL;
    Error had = {0};
    *train = 0;
    int status = dataset_open(&d, &s->config->options->dataset, root, &had);
    if (status == HONE_OK) {
        const DatasetInfo *info = dataset_info(d);
        status = session_check_data(s, info, e);
        if (status == HONE_OK)
            status = session_check_batch(s, info, e);
        *train = info->count[DATASET_TRAIN];
        text_printf(out, "data      %s: %s training and %s test images of %s, %d classes\n",
                    info->kind, show_whole(*train).text, show_whole(info->count[DATASET_TEST]).text,
                    show_shape(SHAPE4(1, info->height, info->width, info->channels)).text,
                    info->classes);
    } else if (status == HONE_ERR_IO) {
        text_printf(out, "data      missing: %s\n", had.text);
        status = HONE_OK;
    } else {
        status = error_set(e, status, "%s", had.text);
    }
    dataset_close(d);
    return status;
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
    int threads = threads_count(s->compute.threads);
    text_printf(out, "model     %s: %s parameters, %s MACs\n", model_arch_name(&o->model),
                show_whole(graph_trained(&s->graph)).text, show_count(graph_macs(&s->graph)).text);
    text_printf(out, "machine   %d thread%s, %s kernels, %s\n", threads, text_plural(threads),
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
    int64_t train;
    add_head(s, out);
    int status = add_data(s, data_root, &train, out, e);
    if (status != HONE_OK)
        return status;
    const int64_t per_epoch = train / o->train.batch;
    add_memories(s, out);
    if (per_epoch > 0) {
        phases_init(&p, o, per_epoch);
        text_printf(out, "steps     %s of %lld images in each of %lld epoch%s: %s\n",
                    show_whole(per_epoch).text, (long long)o->train.batch, (long long)p.epochs,
                    text_plural(p.epochs), show_whole(p.total).text);
        add_phases(o, &p, out);
        if (o->distill.present)
            add_teacher(o, out);
        if (o->prune.present)
            status = add_sparsity(s, &p, out, e);
    } else {
        text_printf(out, "steps     known when the data is there; %lld epoch%s\n",
                    (long long)o->train.epochs, text_plural(o->train.epochs));
    }
    if (status == HONE_OK && text_failed(out))
        status = error_memory(e, "the plan", out->room);
    return status;
}
