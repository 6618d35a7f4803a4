/* An experiment made ready: see session.h. SPDX-License-Identifier: Apache-2.0 */
#include "trainer/session.h"

#include "qat/fuse.h"
#include "qat/insert.h"

int session_check_data(const Session *s, const DatasetInfo *d, Error *e)
{
    const ModelOptions *m = &s->config->options->model;
    const int64_t *in = m->input.v;
    if (d->height != in[0] || d->width != in[1] || d->channels != in[2])
        return bind_refuse(&s->config->binding, "model.input", e,
                           "[%lld, %lld, %lld], but images of '%s' are [%d, %d, %d]",
                           (long long)in[0], (long long)in[1], (long long)in[2], d->kind, d->height,
                           d->width, d->channels);
    if (session_classifies(s) && d->classes != m->classes)
        return bind_refuse(&s->config->binding, "model.classes", e, "%lld, but '%s' has %d classes",
                           (long long)m->classes, d->kind, d->classes);
    return HONE_OK;
}

int session_check_batch(const Session *s, const DatasetInfo *d, Error *e)
{
    const int64_t batch = s->config->options->train.batch, images = d->count[DATASET_TRAIN];
    if (batch <= images)
        return HONE_OK;
    return bind_refuse(&s->config->binding, "train.batch", e,
                       "%lld is more than the %lld training images of '%s'", (long long)batch,
                       (long long)images, d->kind);
}

/* A model may be made for reproducing its input, whatever `classes` says. */
static int check_outputs(const Session *s, Error *e)
{
    const RunOptions *o = s->config->options;
    int outputs = (int)shape_count(s->model.logits->shape);
    if (!session_classifies(s) || outputs == o->model.classes)
        return HONE_OK;
    return bind_refuse(&s->config->binding, "train.loss", e,
                       "%s has %d outputs and no classes; it learns with loss: {kind: mse, target: "
                       "input}",
                       model_arch_name(&o->model), outputs);
}

/* Of mixed images only cross-entropy takes the mixed labels. */
static int check_mixup(const Session *s, Error *e)
{
    const RunOptions *o = s->config->options;
    if (!(o->augment.mixup > 0) || o->train.loss.kind == LOSS_CROSS_ENTROPY)
        return HONE_OK;
    return bind_refuse(&s->config->binding, "augment.mixup", e,
                       "%g, but labels are mixed for train.loss.kind: cross_entropy only",
                       o->augment.mixup);
}

/* After the passes, which thus need not know of it: it reads what the loss reads. */
static int add_teacher(Session *s, Error *e)
{
    Value *logits = s->model.loss->producer->in[0];
    Value *teacher = graph_input(&s->graph, "teacher", logits->shape, ELEM_REAL);
    s->teacher = teacher;
    s->soft_loss = distill_soft_loss(&s->graph, "distill", logits, teacher,
                                     s->config->options->distill.temperature);
    return graph_failed(&s->graph, e);
}

static int add_model(Session *s, Error *e)
{
    const RunOptions *o = s->config->options;
    ModelOptions model = o->model;
    model.mixed_labels = o->augment.mixup > 0;
    int status = check_mixup(s, e);
    if (status == HONE_OK)
        status = model_build(&s->graph, &model, &o->train.loss, &s->model, e);
    s->scores = s->model.logits;
    return status == HONE_OK ? check_outputs(s, e) : status;
}

static int add_quantization(Session *s, Error *e)
{
    const RunOptions *o = s->config->options;
    if (!o->qat.present)
        return HONE_OK;
    if (o->export.softmax)
        s->scores = layer_softmax(&s->graph, "probabilities", s->model.logits);
    int status = qat_insert(&s->graph, &o->qat, e);
    return status == HONE_OK ? qat_fuse(&s->graph, e) : status;
}

static int build_graph(Session *s, Error *e)
{
    const RunOptions *o = s->config->options;
    graph_init(&s->graph);
    int status = add_model(s, e);
    if (status == HONE_OK)
        status = add_quantization(s, e);
    if (status == HONE_OK)
        s->logits = s->model.loss->producer->in[0];
    if (status == HONE_OK && o->distill.present)
        status = add_teacher(s, e);
    return status == HONE_OK ? params_new(&s->params, &s->graph, (uint64_t)o->seed, e) : status;
}

int session_open(Session *s, const Config *config, const SessionOptions *options, Error *e)
{
    *s = (Session){.config = config};
    const RunOptions *o = config->options;
    int threads = options->threads ? options->threads : (int)o->threads;
    int status = HONE_OK;
    s->borrowed = options->compute != NULL;
    if (s->borrowed)
        s->compute = *options->compute;
    else
        status = compute_open(&s->compute, threads, options->level, e);
    if (status == HONE_OK && !options->without_data) {
        status = dataset_open(&s->dataset, &o->dataset, options->data_root, e);
        if (status == HONE_OK)
            status = session_check_data(s, dataset_info(s->dataset), e);
    }
    if (status == HONE_OK)
        status = build_graph(s, e);
    if (status != HONE_OK)
        session_close(s);
    return status;
}

void session_close(Session *s)
{
    params_free(&s->params);
    graph_release(&s->graph);
    dataset_close(s->dataset);
    if (!s->borrowed)
        compute_close(&s->compute);
    *s = (Session){0};
}

int session_outputs(const Session *s)
{
    return (int)shape_count(s->model.logits->shape);
}

bool session_classifies(const Session *s)
{
    return s->config->options->train.loss.target == LOSS_OF_LABELS;
}

int session_compile(const Session *s, Exec **x, Mode mode, int batch, const IntegerPlan *plan,
                    Error *e)
{
    mode.fuse = true; /* where there is something to fuse */
    if (mode.backward == BACKWARD_AUTO)
        mode.backward = config_backward(s->config);
    const Value *keep[] = {mode.integer ? integer_source(s->logits) : s->logits};
    ExecOptions options = {.mode = mode,
                           .batch = batch,
                           .compute = &s->compute,
                           .keep = keep,
                           .keep_count = 1,
                           .integer = plan ? plan->layers : NULL};
    int status = exec_new(x, &s->graph, &s->params, &options, e);
    if (status == HONE_OK && s->soft_loss && mode.training)
        exec_weigh(*x, s->soft_loss, 0);
    return status;
}
