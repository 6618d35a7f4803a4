/* A whole experiment, as one YAML file describes it.
 *
 *     Config c;
 *     if (config_load(&c, "configs/mobilenet_qat.yaml", sets, count, &e) != HONE_OK) ...
 *     c.options->train.epochs ...
 *     config_release(&c);
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TRAINER_CONFIG_H
#define HONE_TRAINER_CONFIG_H

#include "datasets/augment.h"
#include "datasets/dataset.h"
#include "distill/distill.h"
#include "export/options.h"
#include "models/model.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"
#include "prune/prune.h"
#include "qat/options.h"
#include "trainer/bind.h"

typedef struct TrainOptions {
    int64_t epochs;
    int64_t batch;
    int backward; /* Backward of core/op.h, auto included */
    LossOptions loss;
    double clip_norm; /* of all gradients together; 0: they stay as they are */
    OptimizerOptions optimizer;
    ScheduleOptions schedule;
} TrainOptions;

typedef struct EvalOptions {
    int64_t batch;                 /* images per evaluation step */
    int64_t every_epochs;          /* besides at the end of each phase */
    int64_t recalibration_batches; /* of averaged weights */
} EvalOptions;

typedef struct CheckpointOptions {
    int64_t every_steps; /* besides at every epoch's end; 0: only there */
} CheckpointOptions;

typedef struct ReportOptions {
    bool tensorboard; /* event files */
    bool histograms;  /* ... with the distributions of weights and outputs */
    bool page;        /* report.html */
} ReportOptions;

typedef struct RunOptions {
    const char *name;
    int64_t seed;
    int64_t threads;      /* 0: all processors */
    const char *baseline; /* checkpoint of a float model to compare with, or NULL */
    DatasetOptions dataset;
    AugmentOptions augment;
    ModelOptions model;
    TrainOptions train;
    PruneOptions prune;
    QatOptions qat;
    DistillOptions distill;
    EvalOptions eval;
    ExportOptions export;
    CheckpointOptions checkpoint;
    ReportOptions report;
} RunOptions;

extern const OptionTable run_options;

typedef struct Config {
    Binding binding;
    const RunOptions *options; /* inside binding */
} Config;

/* Reads path with overrides "a.b=value" applied, fills in defaults, checks every value and the
 * conditions that span sections. Errors as bind_file, with the place. */
HONE_CHECKED int config_load(Config *c, const char *path, const char *const *sets, size_t count,
                             Error *e);
/* The same from text, as a checkpoint carries it; source names it in messages. */
HONE_CHECKED int config_parse(Config *c, const char *text, const char *source,
                              const char *const *sets, size_t count, Error *e);
void config_release(Config *c);
/* What train.backward comes to, auto being int16: seeds told no difference in accuracy, it is the
 * faster one, and its results are the same bits at every CPU level. And its name. */
Backward config_backward(const Config *c);
const char *config_backward_name(const Config *c);
/* Appends the resolved configuration as YAML. */
void config_print(const Config *c, Text *out);
/* HONE_OK where two configurations train the same numbers: name, threads, baseline, checkpoint and
 * report may differ. Else ERR_CONFIG with the first lines that do. */
HONE_CHECKED int config_same(const Config *a, const Config *b, Error *e);

#endif
