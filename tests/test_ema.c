/* Tests of the weights' running average in whole runs: what is evaluated, saved and exported, its
 * batch-norm statistics and ranges, and clipping. SPDX-License-Identifier: Apache-2.0 */
#include "tests/run_fixture.h"
#include "tests/suites.h"
#include "trainer/calibrate.h"
#include "trainer/checkpoint.h"
#include "trainer/plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char folder[64];

static void prepare(void)
{
    folder_make(folder);
}

static void clean(void)
{
    folder_remove(folder);
}

/* Opens the run's session again and loads file into it, with the averages into *average, which the
 * caller frees. */
static void open_saved(RunFixture *r, const char *file, Real **average, Progress *progress)
{
    char path[100];
    Checkpoint c;
    Optimizer *o;
    run_open(r);
    const Graph *g = &r->session.graph;
    snprintf(path, sizeof path, "%s/%s", folder, file);
    int status = optimizer_new(&o, &r->config.options->train.optimizer, g, &r->error);
    ck_assert_int_eq(status, HONE_OK);
    status = checkpoint_open(&c, path, NULL, 0, &r->error);
    ck_assert_msg(status == HONE_OK, "%s", r->error.text);
    status = checkpoint_restore(&c, &r->session, o, NULL, &r->error);
    ck_assert_msg(status == HONE_OK, "%s", r->error.text);
    *average = malloc(g->trained_count * sizeof(Real));
    ck_assert_ptr_nonnull(*average);
    memcpy(*average, optimizer_average(o), g->trained_count * sizeof(Real));
    *progress = c.progress;
    checkpoint_close(&c);
    optimizer_free(o);
}

/* A weight that was pruned at the very boundary is 0, and in the average from the next step on. */
static bool holds_average(const RunFixture *r, const Real *average)
{
    const Real *w = r->session.params.value;
    for (size_t i = 0; i < r->session.graph.trained_count; i++)
        if (w[i] != average[i] && w[i] != 0)
            return false;
    return true;
}

/* ---- what is saved -------------------------------------------------------------------------- */

/* last.h5 holds what training goes on with until the end; all else holds what was judged. */
START_TEST(test_files)
{
    const char *sets[] = {"train.optimizer.ema=0.9", "eval.recalibration_batches=2", NULL};
    static const char *const judged[] = {"best.h5", "float.h5"};
    RunFixture r = {.out = folder, .threads = 2, .sets = sets, .stop_at = RUN_STEPS - 1};
    Real *average;
    Progress p;
    ck_assert_int_eq(run_start(&r), HONE_ERR_INTERRUPTED);
    run_end(&r);
    for (int i = 0; i < 2; i++) {
        RunFixture saved = {.sets = sets};
        open_saved(&saved, judged[i], &average, &p);
        ck_assert(holds_average(&saved, average));
        free(average);
        run_end(&saved);
    }
    RunFixture last = {.sets = sets};
    open_saved(&last, "last.h5", &average, &p);
    ck_assert(!holds_average(&last, average));
    free(average);
    run_end(&last);
    r = (RunFixture){.out = folder, .threads = 1, .sets = sets, .resume = true};
    ck_assert_msg(run_start(&r) == HONE_OK, "%s", r.error.text);
    ck_assert(r.summary.bit_exact && r.summary.ema == 0.9);
    ck_assert(r.summary.int8_figures.accuracy == r.test_accuracy);
    ck_assert_double_ge(r.summary.sparsity, 0.45);
    run_end(&r);
    last = (RunFixture){.sets = sets};
    open_saved(&last, "last.h5", &average, &p);
    ck_assert(p.complete && holds_average(&last, average));
    free(average);
    run_end(&last);
}
END_TEST

/* Pruned weights stay pruned in the average, also when masks change after the last step. */
START_TEST(test_masks)
{
    const char *sets[] = {"train.optimizer={kind: adamw, lr: 0.01, ema: 0.99}",
                          "prune.schedule.end_epoch=6",
                          "prune.schedule.every_steps=100",
                          "prune.schedule.final_sparsity=0.75",
                          "qat.freeze_observers_epoch=-1",
                          "qat.freeze_batchnorm_epoch=-1",
                          "eval.recalibration_batches=2",
                          NULL};
    RunFixture r = {.out = folder, .threads = 1, .sets = sets};
    ck_assert_msg(run_start(&r) == HONE_OK, "%s", r.error.text);
    ck_assert_double_ge(r.summary.sparsity, 0.7);
    ck_assert(r.summary.bit_exact);
    const Param *p = graph_find_param(&r.session.graph, "point.weight");
    size_t zeros = 0;
    for (size_t i = 0; i < p->count; i++)
        zeros += params_at(&r.session.params, p)[i] == 0;
    ck_assert_uint_eq(zeros, p->count * 3 / 4);
    run_end(&r);
}
END_TEST

/* ---- statistics ----------------------------------------------------------------------------- */

enum { BATCHES = 3, CHANNELS = 8 };

/* The mean of the stem's outputs over the training batches that follow the last step, computed from
 * its outputs themselves; of each batch the biased variance corrected to the unbiased one. */
static void measure_stem(const RunFixture *r, double *mean, double *variance)
{
    const Session *s = &r->session;
    const Value *stem = graph_find_node(&s->graph, "stem")->out[0];
    ExecOptions how = {
        .batch = 16, .compute = &s->compute, .keep = &stem, .keep_count = 1, .keep_all = true};
    Exec *x;
    Loader *loader;
    Error e = {0};
    ck_assert_int_eq(exec_new(&x, &s->graph, &s->params, &how, &e), HONE_OK);
    ck_assert_int_eq(training_loader(&loader, s, &e), HONE_OK);
    ck_assert_int_eq(loader_start(loader, RUN_STEPS / RUN_EPOCH, 0, &e), HONE_OK);
    for (int k = 0; k < BATCHES; k++) {
        const Batch *b;
        ck_assert_int_eq(loader_next(loader, &b, &e), HONE_OK);
        exec_lend(x, s->model.image, b->x);
        exec_forward(x);
        const Tensor *y = exec_tensor(x, stem);
        size_t rows = shape_count(y->shape) / CHANNELS;
        for (size_t ch = 0; ch < CHANNELS; ch++) {
            double sum = 0, square = 0;
            for (size_t i = 0; i < rows; i++) {
                double v = (double)((const Real *)y->data)[i * CHANNELS + ch];
                sum += v;
                square += v * v;
            }
            double n = (double)rows, m = sum / n;
            mean[ch] += m / BATCHES;
            variance[ch] += (square / n - m * m) * n / (n - 1) / BATCHES;
        }
    }
    loader_free(loader);
    exec_free(x);
}

START_TEST(test_batchnorm)
{
    const char *sets[] = {"train.optimizer.ema=0.5", "eval.recalibration_batches=3", "qat=null",
                          "prune=null", NULL};
    RunFixture r = {.out = folder, .threads = 1, .sets = sets};
    double mean[CHANNELS] = {0}, variance[CHANNELS] = {0};
    ck_assert_msg(run_start(&r) == HONE_OK, "%s", r.error.text);
    ck_assert(r.summary.float_figures.accuracy == r.test_accuracy);
    measure_stem(&r, mean, variance);
    const Graph *g = &r.session.graph;
    const Node *bn = NULL;
    for (int i = 0; i < g->node_count && !bn; i++)
        bn = g->nodes[i]->op->affine ? g->nodes[i] : NULL;
    ck_assert_ptr_nonnull(bn);
    for (size_t ch = 0; ch < CHANNELS; ch++) {
        double m = (double)params_at(&r.session.params, bn->in[3]->param)[ch];
        double v = (double)params_at(&r.session.params, bn->in[4]->param)[ch];
        ck_assert_double_eq_tol(m, mean[ch], 1e-5 * (1 + fabs(mean[ch])));
        ck_assert_double_eq_tol(v, variance[ch], 1e-4 * variance[ch]);
    }
    run_end(&r);
}
END_TEST

/* Ranges come from the average's own batches: none is what the trained weights left. */
START_TEST(test_ranges)
{
    const char *sets[] = {"train.optimizer.ema=0.999", "eval.recalibration_batches=2", NULL};
    RunFixture r = {.out = folder, .threads = 1, .sets = sets};
    ck_assert_msg(run_start(&r) == HONE_OK, "%s", r.error.text);
    int ranges = 0;
    for (int i = 0; i < r.session.graph.node_count; i++) {
        const Node *n = r.session.graph.nodes[i];
        if (strcmp(n->op->name, "observer") != 0)
            continue;
        ranges++;
        ck_assert(params_at(&r.session.params, n->in[0]->param)[2] == 2); /* batches seen */
    }
    ck_assert_int_gt(ranges, 3);
    run_end(&r);
}
END_TEST

/* ---- reports -------------------------------------------------------------------------------- */

START_TEST(test_plan)
{
    const char *sets[] = {"train.optimizer.ema=0.995", NULL};
    RunFixture r = {.sets = sets};
    Text text = {0};
    run_open(&r);
    ck_assert_int_eq(plan_print(&r.session, NULL, &text, &r.error), HONE_OK);
    ck_assert_ptr_nonnull(strstr(text_string(&text),
                                 "evaluated, saved as best and exported: the weights' average, "
                                 "decay 0.995, recalibrated on 20 batches\n"));
    text_release(&text);
    run_end(&r);
}
END_TEST

/* The norm is logged, and a low limit changes what is learned. */
START_TEST(test_clipping)
{
    char out[2][100];
    const char *free_sets[] = {"train.epochs=3", "prune=null", "qat=null", NULL};
    const char *held_sets[] = {"train.epochs=3", "prune=null", "qat=null", "train.clip_norm=0.05",
                               NULL};
    RunFixture r[2] = {{.sets = free_sets}, {.sets = held_sets}};
    Real first[2];
    size_t count;
    for (int i = 0; i < 2; i++) {
        snprintf(out[i], sizeof out[i], "%s/%d", folder, i);
        r[i].out = out[i];
        ck_assert_msg(run_start(&r[i]) == HONE_OK, "%s", r[i].error.text);
        first[i] = r[i].session.params.value[0];
        unsigned char *log = file_bytes(out[i], "metrics.jsonl", &count);
        log[count - 1] = '\0';
        ck_assert((strstr((char *)log, "\"gradient_norm\": ") != NULL) == (i == 1));
        free(log);
        run_end(&r[i]);
    }
    ck_assert(first[0] != first[1]);
}
END_TEST

Suite *suite_ema(void)
{
    Suite *s = suite_create("ema");
    TCase *t = tcase_create("ema");
    tcase_add_checked_fixture(t, prepare, clean);
    tcase_add_test(t, test_files);
    tcase_add_test(t, test_masks);
    tcase_add_test(t, test_batchnorm);
    tcase_add_test(t, test_ranges);
    tcase_add_test(t, test_plan);
    tcase_add_test(t, test_clipping);
    suite_add_tcase(s, t);
    return s;
}
