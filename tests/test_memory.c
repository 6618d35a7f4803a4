/* Every allocation of opening, compiling, evaluating, exporting, reading and reporting fails once: one
 * sentence, nothing lost, no crash. One thread does all, because only its allocations fail. The parts
 * with files of their own kind (data sets, checkpoints, YAML) have such tests beside them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "api/hone.h"
#include "core/file.h"
#include "core/threads.h"
#include "layers/layers.h"
#include "qat/fuse.h"
#include "qat/insert.h"
#include "qat/integer.h"
#include "qat/nodes.h"
#include "runtime/fixed.h"
#include "tests/allocations.h"
#include "tests/effort.h"
#include "tests/run_fixture.h"
#include "tests/suites.h"
#include "trainer/calibrate.h"
#include "trainer/finish.h"
#include "trainer/report.h"
#include "trainer/survey.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static Config config;
static const SessionOptions how = {.threads = 1};

static void setup(void)
{
    Error e = {0};
    ck_assert_msg(config_parse(&config, run_yaml, "run.yaml", NULL, 0, &e) == HONE_OK, "%s",
                  e.text);
}

static void teardown(void)
{
    config_release(&config);
}

/* A session for attempts to work on, calibrated. */
static Session ready(void)
{
    Session s;
    Error e = {0};
    ck_assert_msg(session_open(&s, &config, &how, &e) == HONE_OK, "%s", e.text);
    ck_assert_msg(calibrate(&s, 0, 3, &e) == HONE_OK, "%s", e.text);
    return s;
}

static void at_least(long failures, long wanted)
{
    if (allocations_available())
        ck_assert_int_ge(failures, wanted);
}

/* ---- opening and compiling ---- */

static int open_session(void *context, Error *e)
{
    Session s;
    (void)context;
    int status = session_open(&s, &config, &how, e);
    if (status == HONE_OK)
        session_close(&s);
    return status;
}

START_TEST(test_open)
{
    at_least(allocations_fail_each(open_session, NULL, 1), 10);
}
END_TEST

typedef struct Compilation {
    const Session *s;
    Mode mode;
} Compilation;

static int compile(void *context, Error *e)
{
    const Compilation *c = context;
    Exec *x = NULL;
    int status = session_compile(c->s, &x, c->mode, 4, NULL, e);
    exec_free(x);
    return status;
}

START_TEST(test_compile)
{
    const Mode modes[] = {
        {0}, {.training = true}, {.training = true, .quantize = true}, {.observe = true}};
    Session s = ready();
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        at_least(allocations_fail_each(compile, &(Compilation){&s, modes[i]}, 1), 5);
    session_close(&s);
}
END_TEST

/* ---- quantizing ---- */

static const QatOptions qat = {.weights = {8, QAT_PER_CHANNEL},
                               .activations = {8, OBSERVER_EMA, 0.9, true}};

/* Every kind of node that the passes insert: more values share a grid than an observer reads. */
static void build(Graph *g)
{
    enum { BRANCHES = 9 };
    const Conv2dOptions conv = {.channels = 2};
    Value *x = graph_input(g, "x", SHAPE4(1, 4, 4, 2), ELEM_REAL), *all = NULL;
    for (int i = 0; i < BRANCHES; i++) {
        char name[3][16];
        for (int k = 0; k < 3; k++)
            snprintf(name[k], sizeof name[k], "%s%d", (const char *[]){"conv", "norm", "all"}[k],
                     i);
        Value *y = layer_batchnorm(g, name[1], layer_conv2d(g, name[0], x, &conv), NULL);
        all = i == 0 ? y : layer_concat(g, name[2], 2, (Value *[]){all, y});
    }
    all = layer_sigmoid(g, "table", layer_add(g, "add", all, all));
    all = layer_dense(g, "logits", layer_mean(g, "mean", all), 3, true);
    layer_softmax_xent(g, "loss", all, graph_input(g, "labels", SHAPE1(1), ELEM_INT32), 0);
}

static int quantize_graph(void *context, Error *e)
{
    Graph g;
    graph_init(&g);
    build(&g);
    (void)arena_alloc(&g.arena, *(const size_t *)context);
    int status = qat_insert(&g, &qat, e);
    if (status == HONE_OK)
        status = qat_fuse(&g, e);
    graph_release(&g);
    return status;
}

/* A graph's arena asks for memory once in a while: what it holds before shifts where in the passes. */
START_TEST(test_passes)
{
    for (size_t held = 0; held < 16384; held += 112 * EVERY)
        at_least(allocations_fail_each(quantize_graph, &held, 1), 5);
}
END_TEST

typedef struct Plan {
    const Graph *graph;
    const Params *params;
    const Compute *compute;
} Plan;

static int make_integers(void *context, Error *e)
{
    const Plan *p = context;
    IntegerPlan plan;
    int status = integer_plan_new(&plan, p->graph, p->params, p->compute, HONE_RT_D31, e);
    if (status == HONE_OK)
        integer_plan_free(&plan);
    return status;
}

/* So many channels that each array of the layer is an allocation. */
START_TEST(test_integers)
{
    Graph g;
    Params params;
    Compute compute;
    Error e = {0};
    graph_init(&g);
    Value *x = graph_input(&g, "x", SHAPE2(1, 4), ELEM_REAL);
    layer_sigmoid(&g, "table", layer_dense(&g, "dense", x, 5000, true));
    ck_assert_int_eq(qat_insert(&g, &qat, &e), HONE_OK);
    ck_assert_int_eq(compute_open(&compute, 1, getenv("HONE_CPU"), &e), HONE_OK);
    ck_assert_int_eq(params_new(&params, &g, 1, &e), HONE_OK);
    for (int i = 0; i < g.param_count; i++)
        if (strstr(g.params[i]->name, ".range"))
            memcpy(params_at(&params, g.params[i]), (const Real[RANGE_NUMBERS]){-1, 1, 1},
                   RANGE_NUMBERS * sizeof(Real));
    at_least(allocations_fail_each(make_integers, &(Plan){&g, &params, &compute}, 1), 12);
    params_free(&params);
    compute_close(&compute);
    graph_release(&g);
}
END_TEST

/* ---- using ---- */

static int evaluate(void *context, Error *e)
{
    EvaluateOptions options = {.split = DATASET_TEST};
    Evaluation v;
    return evaluate_integer(&v, context, &options, e);
}

static int look(void *context, Error *e)
{
    Survey v;
    int status = survey_new(&v, context, true, e);
    if (status == HONE_OK)
        survey_free(&v);
    return status;
}

typedef struct Export {
    const Session *s;
    char folder[64];
} Export;

static int export_all(void *context, Error *e)
{
    const Export *x = context;
    Finish f;
    return finish_run(&f, x->s, x->folder, NULL, e);
}

START_TEST(test_evaluate)
{
    Session s = ready();
    at_least(allocations_fail_each(evaluate, &s, 1), 10);
    at_least(allocations_fail_each(look, &s, 1), 10);
    session_close(&s);
}
END_TEST

/* A failed export leaves no artifact. */
START_TEST(test_export)
{
    Session s = ready();
    Export x = {.s = &s};
    size_t count;
    folder_make(x.folder);
    at_least(allocations_fail_each(export_all, &x, 1), 30);
    if (!allocations_available())
        ck_assert_int_eq(export_all(&x, NULL), HONE_OK);
    free(file_bytes(x.folder, "model.hone", &count));
    folder_remove(x.folder);
    session_close(&s);
}
END_TEST

typedef struct Reporting {
    const Session *s;
    RunDir dir;
} Reporting;

static int report(void *context, Error *e)
{
    const Reporting *r = context;
    const Summary summary = {.name = "x", .classifies = true, .float_figures = {.accuracy = 0.5}};
    return report_write(r->s, &summary, &r->dir, NULL, e);
}

START_TEST(test_report)
{
    char folder[64], path[96];
    Session s = ready();
    Reporting r = {.s = &s};
    folder_make(folder);
    snprintf(r.dir.path, sizeof r.dir.path, "%s", folder);
    snprintf(path, sizeof path, "%s/metrics.jsonl", folder);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    for (int i = 0; i < 300; i++)
        fprintf(f, "{\"kind\": \"step\", \"step\": %d, \"loss\": 1}\n", i);
    fputs("{\"kind\": \"phase\", \"step\": 0, \"phase\": \"float\"}\n", f);
    fclose(f);
    at_least(allocations_fail_each(report, &r, 1), 30);
    folder_remove(folder);
    session_close(&s);
}
END_TEST

/* ---- what all stand on ---- */

static int start_threads(void *context, Error *e)
{
    Threads *pool;
    (void)context;
    int status = threads_new(&pool, 3, e);
    if (status == HONE_OK)
        threads_free(pool);
    return status;
}

static int write_and_read(void *context, Error *e)
{
    unsigned char *bytes = NULL;
    size_t count;
    int status = file_write_atomic(context, "hello", 5, e);
    if (status == HONE_OK)
        status = file_read(context, 5, &bytes, &count, e);
    free(bytes);
    return status;
}

START_TEST(test_core)
{
    char folder[64], path[96];
    folder_make(folder);
    snprintf(path, sizeof path, "%s/data", folder);
    at_least(allocations_fail_each(start_threads, NULL, 1), 4);
    at_least(allocations_fail_each(write_and_read, path, 1), 2);
    folder_remove(folder);
}
END_TEST

/* ---- the library ---- */

static int use_library(void *context, Error *error)
{
    static uint8_t pixels[4 * 48];
    static const int32_t labels[4] = {0, 1, 0, 1};
    const char *path = context;
    HoneError e = {0};
    const HoneNetOptions options = {
        .height = 4, .width = 4, .channels = 3, .classes = 2, .batch = 4, .threads = 1};
    HoneNet *net = hone_net_new(&options, &e);
    int status = net ? 0 : e.code;
    if (net) {
        HoneTensor x = hone_conv2d(net, "a", hone_image(net), &(HoneConv){.filters = 3});
        x = hone_dense(net, "b", hone_relu(net, "r", hone_batchnorm(net, "n", x)), 2);
        status = hone_net_finish(net, x, &e);
    }
    if (status == 0)
        status = hone_train_step(net, pixels, labels, 0.1, NULL, &e);
    if (status == 0)
        status = hone_quantize(net, pixels, 4, &e);
    if (status == 0)
        status = hone_train_step(net, pixels, labels, 0.1, NULL, &e);
    if (status == 0)
        status = hone_export(net, path, pixels, 4, &e);
    hone_net_free(net);
    if (status != 0)
        error_set(error, status, "%s", e.text);
    return status;
}

START_TEST(test_library)
{
    char folder[64], path[96];
    folder_make(folder);
    snprintf(path, sizeof path, "%s/a.hone", folder);
    at_least(allocations_fail_each(use_library, path, 1), 60);
    folder_remove(folder);
}
END_TEST

Suite *suite_memory(void)
{
    Suite *s = suite_create("memory");
    TCase *t = tcase_create("memory");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_open);
    tcase_add_test(t, test_compile);
    tcase_add_test(t, test_passes);
    tcase_add_test(t, test_integers);
    tcase_add_test(t, test_evaluate);
    tcase_add_test(t, test_export);
    tcase_add_test(t, test_report);
    tcase_add_test(t, test_core);
    tcase_add_test(t, test_library);
    suite_add_tcase(s, t);
    return s;
}
