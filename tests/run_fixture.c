/* A whole run in a fraction of a second: see run_fixture.h. SPDX-License-Identifier: Apache-2.0 */
#include "tests/run_fixture.h"

#include "core/file.h"
#include "tests/allocations.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

const char run_yaml[] =
    "name: tiny\n"
    "dataset: {kind: random, shape: [8, 8, 3], classes: 4, train: 70, test: 45}\n"
    "augment: {flip: true, crop: 1}\n"
    "model:\n"
    "  arch: layers\n"
    "  input: [8, 8, 3]\n"
    "  classes: 4\n"
    "  layers:\n"
    "    - {op: conv2d, name: stem, filters: 8, kernel: [3], stride: [2]}\n"
    "    - {op: batchnorm}\n"
    "    - {op: relu, name: a}\n"
    "    - {op: depthwise, name: wide, kernel: [3]}\n"
    "    - {op: batchnorm}\n"
    "    - {op: relu6}\n"
    "    - {op: conv2d, name: point, filters: 8, kernel: [1]}\n"
    "    - {op: batchnorm}\n"
    "    - {op: add, name: sum, with: a}\n"
    "    - {op: mean}\n"
    "    - {op: dense, name: classifier, units: 4}\n"
    "train:\n"
    "  epochs: 6\n"
    "  batch: 16\n"
    "  loss: {kind: cross_entropy, label_smoothing: 0.1}\n"
    "  optimizer: {kind: sgd, lr: 0.05, momentum: 0.9, nesterov: true, weight_decay: 1.0e-4}\n"
    "  schedule: {kind: cosine, warmup_epochs: 1}\n"
    "prune: {schedule: {kind: polynomial, begin_epoch: 1, end_epoch: 3, final_sparsity: 0.5,\n"
    "                   every_steps: 3}}\n"
    "qat: {begin_epoch: 3, freeze_observers_epoch: 5, freeze_batchnorm_epoch: 5,\n"
    "      calibration_batches: 3}\n"
    "eval: {batch: 20}\n";

/* ---- listening ---- */

static void on_phase(void *context, const PhaseReport *report)
{
    RunFixture *r = context;
    size_t used = strlen(r->phases);
    snprintf(r->phases + used, sizeof r->phases - used, "%s ", report->phase);
}

/* A chosen step's report arms the allocator, the next one looks. */
static void watch(RunFixture *r, int64_t step)
{
    struct rusage usage = {0};
    getrusage(RUSAGE_SELF, &usage); /* no assertion: Check would allocate */
    if (step > r->watch_from && step <= r->watch_to) {
        r->allocated |= allocations_failed();
        r->faulted += usage.ru_minflt + usage.ru_majflt > r->faults;
    }
    r->faults = usage.ru_minflt + usage.ru_majflt;
    allocations_fail_at(step >= r->watch_from && step < r->watch_to ? 1 : 0);
}

static void on_step(void *context, const StepReport *report)
{
    RunFixture *r = context;
    r->steps++;
    if (report->step == r->stop_at)
        r->stop = 1;
    if (report->step == r->pause_at)
        raise(SIGSTOP);
    if (report->step == r->poison_at)
        params_at(&r->session.params, graph_find_param(&r->session.graph, "point.weight"))[0] =
            (Real)NAN;
    if (r->watch_to)
        watch(r, report->step);
}

static void on_progress(void *context, const char *what, int64_t done, int64_t all)
{
    RunFixture *r = context;
    (void)what, (void)done, (void)all;
    if (++r->progress == r->stop_in)
        r->stop = 1;
}

static void on_epoch(void *context, const EpochReport *report)
{
    RunFixture *r = context;
    r->epochs++;
    r->train_accuracy = report->train_accuracy;
    r->test_accuracy = report->test_figures.accuracy;
}

/* ---- running ---- */

void run_open(RunFixture *r)
{
    size_t count = 0;
    while (r->sets && r->sets[count])
        count++;
    SessionOptions how = {.threads = r->threads ? r->threads : 1,
                          .level = r->level ? r->level : getenv("HONE_CPU")};
    int status = config_parse(&r->config, r->yaml ? r->yaml : run_yaml, "run.yaml", r->sets, count,
                              &r->error);
    ck_assert_msg(status == HONE_OK, "%s", r->error.text);
    status = session_open(&r->session, &r->config, &how, &r->error);
    ck_assert_msg(status == HONE_OK, "%s", r->error.text);
}

int run_start(RunFixture *r)
{
    run_open(r);
    TrainEvents events = {.context = r,
                          .phase = on_phase,
                          .step = on_step,
                          .epoch = on_epoch,
                          .progress = on_progress,
                          .stop = &r->stop};
    TrainRequest request = {.out = r->out, .resume = r->resume, .events = &events};
    int status = train_run(&r->session, &request, &r->summary, &r->error);
    allocations_fail_at(0);
    return status;
}

void run_end(RunFixture *r)
{
    session_close(&r->session);
    config_release(&r->config);
}

/* ---- files ---- */

unsigned char *file_bytes(const char *folder, const char *name, size_t *count)
{
    char path[1100];
    unsigned char *bytes;
    Error e = {0};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int status = file_read(path, (size_t)1 << 26, &bytes, count, &e);
    ck_assert_msg(status == HONE_OK, "%s", e.text);
    return bytes;
}
