/* The table of a whole experiment: see config.h. SPDX-License-Identifier: Apache-2.0 */
#include "trainer/config.h"

#include "core/op.h"

#include <string.h>

static const char *const backwards[] = {[BACKWARD_AUTO] = "auto",
                                        [BACKWARD_FLOAT] = "float",
                                        [BACKWARD_BF16] = "bf16",
                                        [BACKWARD_INT16] = "int16",
                                        NULL};

static const OptionTable train_options = {
    .name = "train",
    .help = "how the weights are trained",
    .size = sizeof(TrainOptions),
    .options =
        (const Option[]){
            OPTION_INT("epochs", TrainOptions, epochs, "epochs", 1, 100000, NULL,
                       "passes over the training set"),
            OPTION_INT("batch", TrainOptions, batch, "images", 1, 65536, "64", "images per step"),
            OPTION_CHOICE("backward", TrainOptions, backward, backwards, "auto",
                          "numbers that gradients of quantized convolutions are computed with; "
                          "auto is int16"),
            OPTION_SECTION("loss", TrainOptions, loss, &loss_options, "what is minimized"),
            OPTION_REAL("clip_norm", TrainOptions, clip_norm, "", 0, 1e30, "0",
                        "largest norm of the gradient, all parameters together; a larger one is "
                        "scaled down to it; 0 for no limit"),
            OPTION_SECTION("optimizer", TrainOptions, optimizer, &optimizer_options,
                           "how gradients change weights"),
            OPTION_SECTION("schedule", TrainOptions, schedule, &schedule_options,
                           "how the learning rate moves"),
            OPTION_END},
};

static const OptionTable eval_options = {
    .name = "eval",
    .help = "when and how the test set is evaluated",
    .size = sizeof(EvalOptions),
    .options =
        (const Option[]){
            OPTION_INT("batch", EvalOptions, batch, "images", 1, 65535, "100",
                       "images per evaluation step"),
            OPTION_INT("every_epochs", EvalOptions, every_epochs, "epochs", 1, 100000, "1",
                       "epochs between evaluations; the end of a phase always has one"),
            OPTION_INT("recalibration_batches", EvalOptions, recalibration_batches, "batches", 1,
                       1000000, "20",
                       "training batches that give averaged weights (train.optimizer.ema) their "
                       "batch-norm statistics and ranges"),
            OPTION_END},
};

static const OptionTable checkpoint_options = {
    .name = "checkpoint",
    .help = "when the run is saved",
    .size = sizeof(CheckpointOptions),
    .options = (const Option[]){OPTION_INT("every_steps", CheckpointOptions, every_steps, "steps",
                                           0, 1000000000, "0",
                                           "steps between checkpoints, besides every epoch's; "
                                           "0 for none"),
                                OPTION_END},
};

static const OptionTable report_options = {
    .name = "report",
    .help = "what a run leaves to read, besides metrics.jsonl and summary.json",
    .size = sizeof(ReportOptions),
    .options = (const Option[]){OPTION_BOOL("tensorboard", ReportOptions, tensorboard, "true",
                                            "event files for TensorBoard"),
                                OPTION_BOOL("histograms", ReportOptions, histograms, "true",
                                            "in them, at every epoch, the distributions of weights "
                                            "and outputs of each layer"),
                                OPTION_BOOL("page", ReportOptions, page, "true",
                                            "report.html: curves, confusion, samples, layers"),
                                OPTION_END},
};

const OptionTable run_options = {
    .name = "run",
    .help = "an experiment",
    .size = sizeof(RunOptions),
    .options =
        (const Option[]){
            OPTION_TEXT("name", RunOptions, name, NULL, "of the run: its folder is runs/<name>"),
            OPTION_INT("seed", RunOptions, seed, "", 0, INT64_MAX, "1",
                       "of first weights, order of images and augmentation"),
            OPTION_INT("threads", RunOptions, threads, "threads", 0, THREADS_MAX, "0",
                       "0 for all processors; results do not depend on it"),
            OPTION_TEXT("baseline", RunOptions, baseline, "null",
                        "checkpoint of a float model to report beside this run"),
            OPTION_SECTION("dataset", RunOptions, dataset, &dataset_options, "the images"),
            OPTION_SECTION("augment", RunOptions, augment, &augment_options,
                           "how training images are varied"),
            OPTION_SECTION("model", RunOptions, model, &model_options, "the network"),
            OPTION_SECTION("train", RunOptions, train, &train_options,
                           "how the weights are trained"),
            OPTION_OPTIONAL("prune", RunOptions, prune, &prune_options, "gradual pruning"),
            OPTION_OPTIONAL("qat", RunOptions, qat, &qat_options, "quantization-aware training"),
            OPTION_OPTIONAL("distill", RunOptions, distill, &distill_options,
                            "learning from a teacher's answers"),
            OPTION_SECTION("eval", RunOptions, eval, &eval_options,
                           "when and how the test set is evaluated"),
            OPTION_SECTION("export", RunOptions, export, &export_options, "the artifacts to write"),
            OPTION_SECTION("checkpoint", RunOptions, checkpoint, &checkpoint_options,
                           "when the run is saved"),
            OPTION_SECTION("report", RunOptions, report, &report_options,
                           "what a run leaves to read"),
            OPTION_END},
};

/* ---- conditions that span sections ---- */

/* A name is a folder: one component, nothing hidden. */
static int check_name(const Config *c, Error *e)
{
    const char *name = c->options->name;
    if (name[0] == '\0' || name[0] == '.' || strchr(name, '/') || strlen(name) > 100)
        return bind_refuse(&c->binding, "name", e, "'%s' cannot be the name of a folder", name);
    return HONE_OK;
}

static int check_epoch(const Config *c, const char *key, double epoch, Error *e)
{
    if (epoch > (double)c->options->train.epochs)
        return bind_refuse(&c->binding, key, e, "%g is after the end of training (%lld epochs)",
                           epoch, (long long)c->options->train.epochs);
    return HONE_OK;
}

static int check_freeze(const Config *c, const char *key, double epoch, Error *e)
{
    if (epoch >= 0 && epoch < c->options->qat.begin_epoch)
        return bind_refuse(&c->binding, key, e, "%g is before qat.begin_epoch (%g)", epoch,
                           c->options->qat.begin_epoch);
    return epoch < 0 ? HONE_OK : check_epoch(c, key, epoch, e);
}

static int check_qat(const Config *c, Error *e)
{
    const QatOptions *q = &c->options->qat;
    int status = check_epoch(c, "qat.begin_epoch", q->begin_epoch, e);
    if (status == HONE_OK)
        status = check_freeze(c, "qat.freeze_observers_epoch", q->freeze_observers_epoch, e);
    if (status == HONE_OK)
        status = check_freeze(c, "qat.freeze_batchnorm_epoch", q->freeze_batchnorm_epoch, e);
    return status;
}

static int check_distill(const Config *c, Error *e)
{
    const DistillOptions *d = &c->options->distill;
    if (c->options->train.loss.target != LOSS_OF_LABELS)
        return bind_refuse(&c->binding, "distill", e,
                           "a teacher tells classes apart, and train.loss.target is not labels");
    int status = check_epoch(c, "distill.begin_epoch", d->begin_epoch, e);
    if (status == HONE_OK)
        status = check_epoch(c, "distill.end_epoch", d->end_epoch, e);
    return status;
}

/* Weights that go while ranges or statistics no longer follow would leave them wrong. */
static int check_prune(const Config *c, Error *e)
{
    const QatOptions *q = &c->options->qat;
    double end = c->options->prune.schedule.end_epoch;
    double freezes[] = {q->freeze_observers_epoch, q->freeze_batchnorm_epoch};
    for (int i = 0; q->present && i < 2; i++)
        if (freezes[i] >= 0 && end > freezes[i])
            return bind_refuse(
                &c->binding, "prune.schedule.end_epoch", e,
                "%g is after %s (%g), when nothing follows the weights any more", end,
                i == 0 ? "qat.freeze_observers_epoch" : "qat.freeze_batchnorm_epoch", freezes[i]);
    return HONE_OK;
}

/* Probabilities are what a softmax makes of the outputs that softmax cross-entropy trained. */
static int check_softmax(const Config *c, Error *e)
{
    const OptionVariant *loss = loss_options.variants[c->options->train.loss.kind];
    if (!c->options->export.softmax || c->options->train.loss.kind == LOSS_CROSS_ENTROPY)
        return HONE_OK;
    return bind_refuse(&c->binding, "export.softmax", e,
                       "true, but with train.loss.kind: %s outputs are not logits of a softmax",
                       loss->choice);
}

static int check_normal(const Config *c, Error *e)
{
    if (c->options->dataset.normal.count == 0 || c->options->train.loss.target == LOSS_OF_INPUT)
        return HONE_OK;
    return bind_refuse(&c->binding, "dataset.normal", e,
                       "training sees no anomalies, so that classes cannot be learned; anomalies "
                       "are found with train.loss: {kind: mse, target: input}");
}

static int check_schedule(const Config *c, Error *e)
{
    Error inner = {0};
    if (schedule_check(&c->options->train.schedule, c->options->train.epochs, &inner) == HONE_OK)
        return HONE_OK;
    return bind_refuse(&c->binding, "train.schedule", e, "%s", inner.text);
}

static int check(Config *c, Error *e)
{
    c->options = c->binding.options;
    int status = check_name(c, e);
    if (status == HONE_OK)
        status = check_normal(c, e);
    if (status == HONE_OK)
        status = check_schedule(c, e);
    if (status == HONE_OK)
        status = check_softmax(c, e);
    if (status == HONE_OK && c->options->qat.present)
        status = check_qat(c, e);
    if (status == HONE_OK && c->options->prune.present)
        status = check_prune(c, e);
    if (status == HONE_OK && c->options->distill.present)
        status = check_distill(c, e);
    if (status != HONE_OK)
        config_release(c);
    return status;
}

int config_load(Config *c, const char *path, const char *const *sets, size_t count, Error *e)
{
    *c = (Config){0};
    int status = bind_file(&c->binding, &run_options, path, sets, count, e);
    return status == HONE_OK ? check(c, e) : status;
}

int config_parse(Config *c, const char *text, const char *source, const char *const *sets,
                 size_t count, Error *e)
{
    *c = (Config){0};
    int status = bind_text(&c->binding, &run_options, text, strlen(text), source, sets, count, e);
    return status == HONE_OK ? check(c, e) : status;
}

void config_release(Config *c)
{
    bind_release(&c->binding);
    *c = (Config){0};
}

Backward config_backward(const Config *c)
{
    const Backward how = (Backward)c->options->train.backward;
    return how == BACKWARD_AUTO ? BACKWARD_INT16 : how;
}

const char *config_backward_name(const Config *c)
{
    return backwards[config_backward(c)];
}

void config_print(const Config *c, Text *out)
{
    bind_print(&run_options, c->options, out);
}

/* ---- sameness ---- */

/* What decides the numbers of a run, as YAML. */
static void print_identity(const Config *c, Text *out)
{
    RunOptions o = *c->options;
    o.name = "";
    o.threads = 0;
    o.baseline = NULL;
    o.checkpoint = (CheckpointOptions){0};
    o.report = (ReportOptions){0};
    bind_print(&run_options, &o, out);
}

static size_t line_length(const char *line)
{
    return strcspn(line, "\n");
}

/* Skips to the first line that differs. */
static void skip_equal(const char **a, const char **b)
{
    for (;;) {
        size_t n = line_length(*a);
        if (n != line_length(*b) || strncmp(*a, *b, n) != 0 || (*a)[n] == '\0')
            break;
        *a += n + 1;
        *b += n + 1;
    }
    *a += strspn(*a, " ");
    *b += strspn(*b, " ");
}

int config_same(const Config *a, const Config *b, Error *e)
{
    Text first = {0}, second = {0};
    print_identity(a, &first);
    print_identity(b, &second);
    const char *x = text_string(&first), *y = text_string(&second);
    int status = HONE_OK;
    if (text_failed(&first) || text_failed(&second)) {
        status = error_memory(e, "a configuration", first.room);
    } else if (strcmp(x, y) != 0) {
        skip_equal(&x, &y);
        status = error_set(e, HONE_ERR_CONFIG, "'%.*s' here, '%.*s' there", (int)line_length(x), x,
                           (int)line_length(y), y);
    }
    text_release(&first);
    text_release(&second);
    return status;
}
