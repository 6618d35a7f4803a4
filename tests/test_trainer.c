/* Tests of configurations, phases, plans, logs and runs.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/layers.h"
#include "tests/allocations.h"
#include "tests/run_fixture.h"
#include "tests/suites.h"
#include "trainer/bench.h"
#include "trainer/checkpoint.h"
#include "trainer/metrics.h"
#include "trainer/phases.h"
#include "trainer/plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where text occurs in bytes, or NULL. */
static const unsigned char *find(const unsigned char *bytes, size_t count, const char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; i + n <= count; i++)
        if (memcmp(bytes + i, text, n) == 0)
            return bytes + i;
    return NULL;
}

/* ---- configuration -------------------------------------------------------------------------- */

START_TEST(test_table)
{
    Error e = {0};
    ck_assert_msg(option_table_check(&run_options, &e) == HONE_OK, "%s", e.text);
}
END_TEST

static const struct {
    const char *set, *sentence;
} refusals[] = {
    {"name=a/b", "'a/b' cannot be the name of a folder"},
    {"name=.a", "'.a' cannot be the name of a folder"},
    {"qat.begin_epoch=7", "7 is after the end of training (6 epochs)"},
    {"qat.freeze_observers_epoch=2", "2 is before qat.begin_epoch (3)"},
    {"qat.freeze_batchnorm_epoch=6.5", "6.5 is after the end of training (6 epochs)"},
    {"prune.schedule.end_epoch=5.5", "5.5 is after qat.freeze_observers_epoch (5)"},
    {"train.schedule.warmup_epochs=7", "warmup_epochs"},
    {"train.loss.label_smoothing=1", "label_smoothing"},
    {"train.lr=1", "unknown"},
    {"dataset.normal=[1]",
     "dataset.normal: training sees no anomalies, so that classes cannot be learned; anomalies are "
     "found with train.loss: {kind: mse, target: input}"},
};

START_TEST(test_refusals)
{
    const char *sets[] = {refusals[_i].set};
    Config c;
    Error e = {0};
    ck_assert_int_eq(config_parse(&c, run_yaml, "run.yaml", sets, 1, &e), HONE_ERR_CONFIG);
    ck_assert_msg(strstr(e.text, refusals[_i].sentence) != NULL, "%s", e.text);
    ck_assert_ptr_null(c.options);
}
END_TEST

/* What a checkpoint carries gives the same configuration again. */
START_TEST(test_print)
{
    Config a, b;
    Error e = {0};
    Text text = {0};
    const char *sets[] = {"qat.overrides=[{layers: stem, weights: 6}]"};
    ck_assert_int_eq(config_parse(&a, run_yaml, "a", sets, 1, &e), HONE_OK);
    config_print(&a, &text);
    ck_assert_int_eq(config_parse(&b, text_string(&text), "b", NULL, 0, &e), HONE_OK);
    ck_assert_int_eq(config_same(&a, &b, &e), HONE_OK);
    config_release(&b);
    ck_assert_int_eq(config_parse(&b, run_yaml, "b", NULL, 0, &e), HONE_OK);
    ck_assert_int_eq(config_same(&a, &b, &e), HONE_ERR_CONFIG);
    config_release(&a);
    config_release(&b);
    text_release(&text);
}
END_TEST

/* ---- phases --------------------------------------------------------------------------------- */

START_TEST(test_phases)
{
    Config c;
    Error e = {0};
    Phases p;
    const char *sets[] = {"qat.begin_epoch=3.3", "qat.freeze_batchnorm_epoch=6"};
    ck_assert_int_eq(config_parse(&c, run_yaml, "a", sets, 2, &e), HONE_OK);
    phases_init(&p, c.options, 4);
    ck_assert_int_eq(p.total, 24);
    ck_assert_int_eq(p.qat, 13);
    ck_assert_int_eq(p.freeze_observers, 20);
    ck_assert(p.freeze_batchnorm == PHASE_NEVER);
    const char *const expected[] = {"float", "prune", "prune", "float", "qat", "qat"};
    const int64_t steps[] = {0, 4, 11, 12, 13, 23};
    for (int i = 0; i < 6; i++)
        ck_assert_str_eq(phases_name(&p, steps[i]), expected[i]);
    config_release(&c);
}
END_TEST

/* ---- runs ----------------------------------------------------------------------------------- */

static const char *const summary_keys[] = {
    "name",         "seed",           "threads",        "params",    "macs",
    "float_source", "float_accuracy", "ptq_accuracy",   "bit_exact", "unquantized_accuracy",
    "qat_accuracy", "int8_accuracy",  "compared",       "sparsity",  "images_per_s",
    "seconds",      "artifacts",      "peak_rss_bytes", "ram_bytes", "requant",
    "ema",          "backward",       "best_accuracy",  "best_step"};

START_TEST(test_run)
{
    char folder[64];
    size_t count;
    folder_make(folder);
    RunFixture r = {.out = folder, .threads = 2};
    ck_assert_msg(run_start(&r) == HONE_OK, "%s", r.error.text);
    ck_assert_int_eq(r.steps, RUN_STEPS);
    ck_assert_int_eq(r.epochs, RUN_STEPS / RUN_EPOCH);
    ck_assert_str_eq(r.phases, "float prune qat frozen export ");
    ck_assert(r.summary.bit_exact && r.summary.exported);
    ck_assert_int_ge(r.summary.compared, RUN_TEST_IMAGES * 4);
    ck_assert(r.summary.qat_figures.accuracy == r.summary.int8_figures.accuracy);
    ck_assert(r.summary.qat_figures.accuracy == r.test_accuracy);
    ck_assert(r.summary.best_figures.accuracy >= r.test_accuracy);
    ck_assert(r.summary.best_step > 0 && r.summary.best_step <= RUN_STEPS);
    ck_assert(r.summary.ptq_figures.accuracy >= 0 && r.summary.float_figures.accuracy >= 0);
    ck_assert_double_ge(r.summary.sparsity, 0.45);
    const char *files[] = {"config.yaml", "metrics.jsonl", "last.h5",
                           "best.h5",     "float.h5",      "summary.json"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        free(file_bytes(folder, files[i], &count));
    Text json = {0};
    summary_print(&r.summary, &json);
    for (size_t i = 0; i < sizeof summary_keys / sizeof summary_keys[0]; i++) {
        char key[64];
        snprintf(key, sizeof key, "\"%s\": ", summary_keys[i]);
        ck_assert_msg(strstr(text_string(&json), key) != NULL, "%s", key);
    }
    text_release(&json);
    run_end(&r);
    folder_remove(folder);
}
END_TEST

/* Without quantization there is no artifact, and the final float weights are what counts. */
START_TEST(test_float_run_and_baseline)
{
    char folder[64], base[100], quantized[100], set[150];
    size_t count;
    folder_make(folder);
    snprintf(base, sizeof base, "%s/base", folder);
    const char *sets[] = {"qat=null", "prune=null", NULL};
    RunFixture r = {.out = base, .threads = 1, .sets = sets};
    ck_assert_msg(run_start(&r) == HONE_OK, "%s", r.error.text);
    ck_assert(!r.summary.exported && r.summary.int8_figures.accuracy < 0);
    ck_assert(r.summary.float_figures.accuracy == r.test_accuracy);
    double accuracy = r.summary.float_figures.accuracy;
    run_end(&r);
    unsigned char *summary = file_bytes(base, "summary.json", &count);
    ck_assert_ptr_nonnull(find(summary, count, "\"int8_accuracy\": null"));
    free(summary);
    snprintf(set, sizeof set, "baseline=%s/last.h5", base);
    snprintf(quantized, sizeof quantized, "%s/qat", folder);
    const char *with_baseline[] = {set, NULL};
    RunFixture q = {.out = quantized, .threads = 1, .sets = with_baseline};
    ck_assert_msg(run_start(&q) == HONE_OK, "%s", q.error.text);
    ck_assert(q.summary.float_figures.accuracy == accuracy);
    ck_assert_str_eq(q.summary.float_source, set + strlen("baseline="));
    run_end(&q);
    const char *missing[] = {"baseline=no/where.h5", NULL};
    r = (RunFixture){.out = base, .threads = 1, .sets = missing};
    folder_remove(base);
    ck_assert_int_eq(run_start(&r), HONE_ERR_IO);
    ck_assert_str_eq(r.error.text, "--set baseline=no/where.h5: baseline: cannot open "
                                   "'no/where.h5': No such file or directory");
    run_end(&r);
    folder_remove(folder);
}
END_TEST

/* Training learns: 16 random images by heart, in float and in codes. */
START_TEST(test_overfit)
{
    char folder[64];
    folder_make(folder);
    const char *sets[] = {"dataset.train=16",
                          "train.epochs=120",
                          "train.loss.label_smoothing=0",
                          "augment={flip: false, crop: 0}",
                          "prune=null",
                          "qat.begin_epoch=60",
                          "qat.freeze_observers_epoch=100",
                          "qat.freeze_batchnorm_epoch=100",
                          "eval.every_epochs=1000",
                          NULL};
    RunFixture r = {.out = folder, .threads = 1, .sets = sets};
    ck_assert_msg(run_start(&r) == HONE_OK, "%s", r.error.text);
    ck_assert_double_ge(r.train_accuracy, 0.99);
    run_end(&r);
    folder_remove(folder);
}
END_TEST

/* Memory is touched when it is allocated; now and then the system takes a page away. */
static void check_faults(const RunFixture *r)
{
    ck_assert_msg(r->faulted <= 2, "%lld of %lld steps had page faults", (long long)r->faulted,
                  (long long)(r->watch_to - r->watch_from));
}

/* Steps inside an epoch, none of which writes a line of the log, allocate nothing. */
START_TEST(test_no_allocation)
{
    char folder[64];
    if (!allocations_available())
        return;
    folder_make(folder);
    const char *sets[] = {"dataset.train=1600",
                          "train.epochs=2",
                          "prune.schedule.begin_epoch=0",
                          "prune.schedule.end_epoch=2",
                          "qat.begin_epoch=1",
                          "qat.freeze_observers_epoch=2",
                          "qat.freeze_batchnorm_epoch=2",
                          NULL};
    RunFixture r = {.out = folder, .threads = 2, .sets = sets, .watch_from = 25, .watch_to = 99};
    ck_assert_msg(run_start(&r) == HONE_OK, "%s", r.error.text);
    ck_assert(!r.allocated);
    check_faults(&r);
    run_end(&r);
    folder_remove(folder);
    folder_make(folder);
    r = (RunFixture){.out = folder, .threads = 2, .sets = sets, .watch_from = 125, .watch_to = 199};
    ck_assert_msg(run_start(&r) == HONE_OK, "%s", r.error.text);
    ck_assert(!r.allocated);
    check_faults(&r);
    run_end(&r);
    folder_remove(folder);
}
END_TEST

/* A number that is not finite is named with its layer and step, and replaces nothing. */
START_TEST(test_not_finite)
{
    char folder[64], path[100];
    folder_make(folder);
    RunFixture r = {.out = folder, .threads = 1, .poison_at = 6};
    ck_assert_int_eq(run_start(&r), HONE_ERR_NUMERIC);
    ck_assert_msg(strstr(r.error.text, "step 6 (epoch 1)") != NULL, "%s", r.error.text);
    ck_assert_msg(strstr(r.error.text, "'point'") != NULL, "%s", r.error.text);
    run_end(&r);
    Checkpoint c;
    snprintf(path, sizeof path, "%s/last.h5", folder);
    ck_assert_int_eq(checkpoint_open(&c, path, NULL, 0, &r.error), HONE_OK);
    ck_assert_int_eq(c.progress.step, RUN_EPOCH);
    checkpoint_close(&c);
    folder_remove(folder);
    folder_make(folder);
    r = (RunFixture){.out = folder, .threads = 1, .poison_at = RUN_EPOCH};
    ck_assert_int_eq(run_start(&r), HONE_ERR_NUMERIC);
    run_end(&r);
    ck_assert_int_ne(access(path, F_OK), 0);
    folder_remove(folder);
}
END_TEST

START_TEST(test_folders)
{
    char folder[64], home[200];
    folder_make(folder);
    ck_assert_ptr_nonnull(getcwd(home, sizeof home));
    ck_assert_int_eq(chdir(folder), 0);
    const char *names[] = {"runs/tiny", "runs/tiny-2", "runs/tiny-3"};
    for (int i = 0; i < 3; i++) {
        RunFixture r = {.threads = 1, .stop_at = 2};
        ck_assert_int_eq(run_start(&r), HONE_ERR_INTERRUPTED);
        ck_assert_str_eq(r.summary.folder, names[i]);
        run_end(&r);
    }
    RunFixture resumed = {.threads = 1, .resume = true, .stop_at = 4};
    ck_assert_int_eq(run_start(&resumed), HONE_ERR_INTERRUPTED);
    ck_assert_str_eq(resumed.summary.folder, "runs/tiny-3");
    ck_assert_int_eq(resumed.steps, 2);
    run_end(&resumed);
    RunFixture refused = {.threads = 1, .out = "runs/tiny"};
    ck_assert_int_eq(run_start(&refused), HONE_ERR_CONFIG);
    ck_assert_msg(strstr(refused.error.text, "'runs/tiny' is not empty") != NULL, "%s",
                  refused.error.text);
    run_end(&refused);
    RunFixture deep = {.threads = 1, .out = "some/where/else", .stop_at = 1};
    ck_assert_int_eq(run_start(&deep), HONE_ERR_INTERRUPTED);
    run_end(&deep);
    ck_assert_int_eq(chdir(home), 0);
    folder_remove(folder);
}
END_TEST

/* A training split smaller than a batch, and a pruning pattern that matches nothing, are refused
 * before a folder is made. */
START_TEST(test_refused_before_writing)
{
    const char *sets[][2] = {{"train.batch=71", NULL}, {"prune.exclude=[nothing]", NULL}};
    char folder[64], out[100];
    folder_make(folder);
    snprintf(out, sizeof out, "%s/run", folder);
    for (int i = 0; i < 2; i++) {
        RunFixture r = {.threads = 1, .out = out, .sets = sets[i]};
        ck_assert_int_eq(run_start(&r), HONE_ERR_CONFIG);
        ck_assert_int_ne(access(out, F_OK), 0);
        run_end(&r);
    }
    folder_remove(folder);
}
END_TEST

/* ---- the rest ------------------------------------------------------------------------------- */

START_TEST(test_plan)
{
    const char *sets[] = {"train.clip_norm=0.5", "train.optimizer.ema=0.99", "train.backward=bf16",
                          NULL};
    RunFixture r = {.threads = 1, .sets = sets};
    Text text = {0};
    run_open(&r);
    ck_assert_msg(plan_print(&r.session, NULL, &text, &r.error) == HONE_OK, "%s", r.error.text);
    const char *words[] = {"random: 70 training and 45 test images",
                           "frozen",
                           "pruning of 4 layers",
                           "loss      cross_entropy, labels smoothed by 0.1\n",
                           "optimizer sgd, gradients clipped to norm 0.5\n",
                           "backward  quantized convolutions on bf16 numbers\n",
                           "the weights' average, decay 0.99",
                           "quantized training"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        ck_assert_msg(strstr(text_string(&text), words[i]) != NULL, "%s\n%s", words[i],
                      text_string(&text));
    LayerRows layers;
    ck_assert_int_eq(layer_rows_new(&layers, &r.session, &r.error), HONE_OK);
    ck_assert_int_eq(layers.params, graph_trained(&r.session.graph));
    ck_assert_int_eq(layers.macs, graph_macs(&r.session.graph));
    layer_rows_free(&layers);
    text_release(&text);
    run_end(&r);
}
END_TEST

/* Phases are their nodes together; nodes do not take longer than the phase that they are in. */
static void check_profile(const RunFixture *r, const BenchResult *b)
{
    BenchPart forward = {0}, backward = {0};
    double finish = 0;
    for (int i = 0; i < b->cost_count; i++) {
        const BenchCost *c = &b->costs[i];
        forward.ms += c->forward.ms;
        forward.bytes += c->forward.bytes;
        backward.ms += c->backward.ms;
        backward.bytes += c->backward.bytes;
        finish += c->finish_ms;
        ck_assert(c->forward.bytes > 0 || strcmp(c->kind, "reshape") == 0);
    }
    const BenchPart *phases = b->phases;
    const int64_t macs = graph_macs(&r->session.graph) * b->batch;
    ck_assert_int_eq(phases[BENCH_FORWARD].macs, macs);
    ck_assert(phases[BENCH_BACKWARD].macs > macs && phases[BENCH_BACKWARD].macs < 2 * macs);
    ck_assert_int_eq(phases[BENCH_FORWARD].bytes, forward.bytes);
    ck_assert_int_eq(phases[BENCH_BACKWARD].bytes, backward.bytes);
    /* SGD with momentum: weights and velocities both ways, gradients */
    ck_assert_int_eq(phases[BENCH_OPTIMIZER].bytes,
                     (int64_t)(5 * sizeof(Real) * r->session.graph.trained_count));
    ck_assert(forward.ms <= phases[BENCH_FORWARD].ms && finish <= phases[BENCH_FINISH].ms);
    ck_assert(backward.ms > 0 && backward.ms <= phases[BENCH_BACKWARD].ms);
}

START_TEST(test_bench)
{
    RunFixture r = {.threads = 2};
    run_open(&r);
    for (int quantize = 0; quantize < 2; quantize++) {
        BenchResult b;
        BenchOptions how = {.quantize = quantize, .steps = 5, .profile = true};
        ck_assert_msg(bench_step(&b, &r.session, &how, &r.error) == HONE_OK, "%s", r.error.text);
        ck_assert_str_eq(b.mode, quantize ? "qat" : "float");
        ck_assert(b.images_per_s > 0 && b.ms_p10 <= b.ms_per_step && b.ms_per_step <= b.ms_p90);
        ck_assert_int_eq(b.batch, 16);
        ck_assert_int_gt(b.cost_count, 8);
        ck_assert_int_gt(b.arena_bytes, 0);
        check_profile(&r, &b);
        bench_release(&b);
    }
    run_end(&r);
}
END_TEST

/* On the data set, through the loader: the same, and an error of the data arrives. */
START_TEST(test_bench_data)
{
    RunFixture r = {.threads = 1};
    BenchResult b;
    const BenchOptions how = {.quantize = true, .steps = 5, .data = true, .profile = true};
    run_open(&r);
    ck_assert_msg(bench_step(&b, &r.session, &how, &r.error) == HONE_OK, "%s", r.error.text);
    ck_assert_int_eq(b.batch, 16);
    ck_assert(b.phases[BENCH_DATA].ms > 0);
    check_profile(&r, &b);
    bench_release(&b);
    run_end(&r);
    r = (RunFixture){.threads = 1, .sets = (const char *const[]){"train.batch=60000", NULL}};
    run_open(&r);
    ck_assert_int_eq(bench_step(&b, &r.session, &how, &r.error), HONE_ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(r.error.text, "60000"));
    bench_release(&b);
    run_end(&r);
}
END_TEST

START_TEST(test_metrics)
{
    char folder[64], path[100];
    size_t count;
    Metrics m;
    Error e = {0};
    StepReport r = {.step = 3, .phase = "float", .loss = NAN, .lr = 0.5};
    folder_make(folder);
    snprintf(path, sizeof path, "%s/metrics.jsonl", folder);
    ck_assert_int_eq(metrics_open(&m, path, 0, &e), HONE_OK);
    ck_assert_int_eq(metrics_step(&m, &r, &e), HONE_OK);
    int64_t one = metrics_bytes(&m);
    ck_assert_int_eq(metrics_step(&m, &r, &e), HONE_OK);
    ck_assert_int_eq(metrics_bytes(&m), 2 * one);
    metrics_close(&m);
    ck_assert_int_eq(metrics_open(&m, path, one, &e), HONE_OK);
    ck_assert_int_eq(metrics_bytes(&m), one);
    metrics_close(&m);
    unsigned char *bytes = file_bytes(folder, "metrics.jsonl", &count);
    ck_assert_ptr_nonnull(find(bytes, count, "\"step\": 3, "));
    ck_assert_ptr_nonnull(find(bytes, count, "\"loss\": null, "));
    free(bytes);
    ck_assert_int_eq(metrics_open(&m, "/dev/null/at/all", 0, &e), HONE_ERR_IO);
    folder_remove(folder);
}
END_TEST

static TCase *configuration_tests(void)
{
    TCase *t = tcase_create("configuration");
    tcase_add_test(t, test_table);
    tcase_add_loop_test(t, test_refusals, 0, sizeof refusals / sizeof refusals[0]);
    tcase_add_test(t, test_print);
    tcase_add_test(t, test_phases);
    tcase_add_test(t, test_plan);
    tcase_add_test(t, test_bench);
    tcase_add_test(t, test_bench_data);
    tcase_add_test(t, test_metrics);
    return t;
}

Suite *suite_trainer(void)
{
    Suite *s = suite_create("trainer");
    TCase *t = tcase_create("runs");
    tcase_add_test(t, test_run);
    tcase_add_test(t, test_float_run_and_baseline);
    tcase_add_test(t, test_overfit);
    tcase_add_test(t, test_no_allocation);
    tcase_add_test(t, test_not_finite);
    tcase_add_test(t, test_folders);
    tcase_add_test(t, test_refused_before_writing);
    suite_add_tcase(s, configuration_tests());
    suite_add_tcase(s, t);
    return s;
}
