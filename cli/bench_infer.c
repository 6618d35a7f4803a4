/* hone bench infer: how long the runtime takes for one image. SPDX-License-Identifier: Apache-2.0 */
#include "cli/inputs.h"
#include "cli/output.h"
#include "cli/table.h"
#include "core/clock.h"
#include "core/rng.h"
#include "export/parallel.h"
#include "report/json.h"
#include "report/show.h"
#include "runtime/runtime.h"
#include "trainer/bench.h"

#include <stdlib.h>
#include <string.h>

enum { RUNS = 300, WARMUP = 20 };

typedef struct BenchInferArguments {
    const char *file;
    FlagTexts sets;
    int64_t threads, runs;
    bool profile, json;
} BenchInferArguments;

typedef struct Latency {
    HoneRtModel model;
    Threads *threads;   /* NULL: one, the runtime by itself */
    Parallel *parallel; /* likewise */
    const char *kernels;
    size_t arena_bytes;
    void *arena;
    int8_t *image;
    int runs;
    double *us;     /* [runs], sorted in the end */
    double *op_us;  /* [ops][runs], likewise; NULL without profile */
    int run;        /* the one that is being profiled */
    double mark_us; /* when the op before ended */
} Latency;

static double now_us(void)
{
    return 1e-3 * (double)clock_ns();
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* ---- measuring ------------------------------------------------------------------------------ */

static int open_model(Latency *l, const char *path, const void *bytes, size_t count, Error *e)
{
    const char *level = input_session(FLAG_UNSET, true).level;
    const HoneRtKernels *kernels = hone_rt_kernels_for_host(level);
    if (!kernels)
        return error_set(e, HONE_ERR_CONFIG,
                         "HONE_CPU: this machine has no kernels '%s'; ref, avx2 and avx512 exist",
                         level ? level : "");
    HoneRtStatus status = hone_rt_open(&l->model, bytes, count, kernels);
    if (status != HONE_RT_OK)
        return error_set(e, HONE_ERR_DATA, "'%s': not a valid artifact: %s", path,
                         hone_rt_status_text(status));
    size_t pixels = hone_rt_elements(hone_rt_input(&l->model));
    l->kernels = kernels->name;
    l->arena_bytes = hone_rt_arena_bytes(&l->model);
    l->arena = malloc(l->arena_bytes);
    l->image = malloc(pixels);
    l->us = malloc((size_t)l->runs * sizeof *l->us);
    if (!l->arena || !l->image || !l->us)
        return error_memory(e, "the model's arena", l->arena_bytes + pixels);
    Rng rng = rng_at(1, RNG_BENCH, 0, 0);
    for (size_t i = 0; i < pixels; i++)
        l->image[i] = (int8_t)((int)(rng_u32(&rng) >> 24) - 128);
    if (hone_rt_prepare(&l->model, l->arena, l->arena_bytes) != HONE_RT_OK)
        return error_set(e, HONE_ERR_DATA, "'%s': the arena does not fit", path);
    return HONE_OK;
}

/* Several threads, when they are asked for; the model is prepared. */
static int open_threads(Latency *l, int64_t count, Error *e)
{
    if (count == FLAG_UNSET || count == 1)
        return HONE_OK;
    int status = threads_new(&l->threads, (int)count, e);
    if (status == HONE_OK)
        status = parallel_new(&l->parallel, &l->model, l->threads, e);
    return status;
}

static HoneRtStatus run_once(Latency *l, HoneRtTrace trace)
{
    return l->parallel ? parallel_run(l->parallel, l->image, NULL, trace, l)
                       : hone_rt_run_traced(&l->model, l->image, NULL, trace, l);
}

static void on_op(void *context, uint32_t op, uint32_t tensor, const int8_t *data, size_t n)
{
    Latency *l = context;
    (void)tensor, (void)data, (void)n;
    l->op_us[(size_t)op * (size_t)l->runs + (size_t)l->run] = now_us() - l->mark_us;
    l->mark_us = now_us();
}

static int time_runs(Latency *l, Error *e)
{
    HoneRtStatus status = HONE_RT_OK;
    for (int i = 0; i < WARMUP; i++)
        status = run_once(l, NULL);
    for (int i = 0; i < l->runs && status == HONE_RT_OK; i++) {
        double begin = now_us();
        status = run_once(l, NULL);
        l->us[i] = now_us() - begin;
    }
    qsort(l->us, (size_t)l->runs, sizeof *l->us, compare);
    if (status != HONE_RT_OK)
        return error_set(e, HONE_ERR_DATA, "the model does not run: %s",
                         hone_rt_status_text(status));
    return HONE_OK;
}

/* Medians per op: one interruption would spoil a mean. */
static int time_ops(Latency *l, Error *e)
{
    size_t ops = l->model.program.op_count, runs = (size_t)l->runs;
    HoneRtStatus status = HONE_RT_OK;
    l->op_us = calloc(ops * runs, sizeof *l->op_us);
    if (!l->op_us)
        return error_memory(e, "the profile", ops * runs * sizeof *l->op_us);
    for (l->run = 0; l->run < l->runs && status == HONE_RT_OK; l->run++) {
        l->mark_us = now_us();
        status = run_once(l, on_op);
    }
    for (size_t i = 0; i < ops; i++)
        qsort(l->op_us + i * runs, runs, sizeof *l->op_us, compare);
    if (status != HONE_RT_OK)
        return error_set(e, HONE_ERR_DATA, "the model does not run: %s",
                         hone_rt_status_text(status));
    return HONE_OK;
}

/* ---- results -------------------------------------------------------------------------------- */

static double at(const Latency *l, int percent)
{
    return l->us[(int64_t)(l->runs - 1) * percent / 100];
}

static double op_median(const Latency *l, uint32_t op)
{
    return l->op_us[(size_t)op * (size_t)l->runs + (size_t)(l->runs - 1) / 2];
}

static void add_text(const Latency *l, Text *out)
{
    static const char *const headings[] = {"layer", "us", "share"};
    text_printf(out, "%.1f us per image, batch 1 (%.1f..%.1f in 80 %% of %d runs)\n", at(l, 50),
                at(l, 10), at(l, 90), l->runs);
    const int threads = threads_count(l->threads);
    text_printf(out, "%d thread%s, %s kernels, %s bytes of RAM\n", threads, text_plural(threads),
                l->kernels, show_whole((int64_t)l->arena_bytes).text);
    if (!l->op_us)
        return;
    double all = 0;
    for (uint32_t i = 0; i < l->model.program.op_count; i++)
        all += op_median(l, i);
    Table t;
    table_init(&t, "lrr", headings);
    for (uint32_t i = 0; i < l->model.program.op_count; i++) {
        table_cell(&t, "%s", hone_rt_op_name(&l->model, i));
        table_cell(&t, "%.2f", op_median(l, i));
        table_cell(&t, "%.1f %%", all > 0 ? 100 * op_median(l, i) / all : 0);
    }
    text_add(out, "\n");
    table_print(&t, out);
    table_release(&t);
}

static void add_json(const Latency *l, Text *out)
{
    Json j = {.out = out};
    json_open(&j, NULL, '{');
    json_real(&j, "latency_us", at(l, 50));
    json_real(&j, "latency_us_p10", at(l, 10));
    json_real(&j, "latency_us_p90", at(l, 90));
    json_whole(&j, "threads", threads_count(l->threads));
    json_text(&j, "kernels", l->kernels);
    json_whole(&j, "runs", l->runs);
    json_whole(&j, "arena_bytes", (int64_t)l->arena_bytes);
    if (l->op_us) {
        json_open(&j, "layers", '[');
        for (uint32_t i = 0; i < l->model.program.op_count; i++) {
            json_open(&j, NULL, '{');
            json_text(&j, "name", hone_rt_op_name(&l->model, i));
            json_real(&j, "us", op_median(l, i));
            json_close(&j);
        }
        json_close(&j);
    }
    json_close(&j);
}

/* An artifact of a configuration's network with random weights. */
static int make_artifact(const BenchInferArguments *a, unsigned char **bytes, size_t *count,
                         Error *e)
{
    Config config;
    Session session;
    SessionOptions options = input_session(FLAG_UNSET, true);
    int status = input_config(&config, &session, a->file, &a->sets, &options, e);
    if (status != HONE_OK)
        return status;
    status = bench_artifact(&session, bytes, count, e);
    session_close(&session);
    config_release(&config);
    return status;
}

static int read_input(const BenchInferArguments *a, unsigned char **bytes, size_t *count, Error *e)
{
    InputKind kind;
    int status = input_kind(&kind, a->file, INPUT_CONFIG | INPUT_ARTIFACT, e);
    if (status != HONE_OK)
        return status;
    if (kind == INPUT_CONFIG)
        return make_artifact(a, bytes, count, e);
    if (a->sets.count > 0)
        return error_set(e, HONE_ERR_USAGE,
                         "--set changes a configuration, and '%s' is an artifact", a->file);
    return input_artifact(a->file, bytes, count, e);
}

static int run(const void *arguments, Error *e)
{
    const BenchInferArguments *a = arguments;
    unsigned char *bytes = NULL;
    size_t count = 0;
    Latency l = {.runs = a->runs == FLAG_UNSET ? RUNS : (int)a->runs};
    Text text = {0};
    int status = read_input(a, &bytes, &count, e);
    if (status == HONE_OK)
        status = open_model(&l, a->file, bytes, count, e);
    if (status == HONE_OK)
        status = open_threads(&l, a->threads, e);
    if (status == HONE_OK)
        status = time_runs(&l, e);
    if (status == HONE_OK && a->profile)
        status = time_ops(&l, e);
    if (status == HONE_OK) {
        if (a->json)
            add_json(&l, &text);
        else
            add_text(&l, &text);
        status = output_text(&text, e);
    }
    parallel_free(l.parallel);
    threads_free(l.threads);
    free(l.op_us);
    free(l.us);
    free(l.image);
    free(l.arena);
    free(bytes);
    return status;
}

const Verb verb_bench_infer = {
    .group = "bench",
    .name = "infer",
    .summary = "latency of an artifact in the runtime, one image at a time",
    .example = "hone bench infer runs/mobilenet_qat/model.hone --profile",
    .flags = (const Flag[]){OPERAND("FILE", BenchInferArguments, file,
                                    "artifact (.hone) or YAML file: its network, random weights"),
                            FLAG_SETS(BenchInferArguments, sets),
                            FLAG_COUNT("--runs", "N", BenchInferArguments, runs, 1, 1000000,
                                       "runs to time (default: 300)"),
                            FLAG_COUNT("--threads", "N", BenchInferArguments, threads, 1,
                                       THREADS_MAX, "threads to use (default: 1)"),
                            FLAG_SWITCH("--profile", BenchInferArguments, profile,
                                        "what each layer takes"),
                            FLAG_JSON(BenchInferArguments, json), FLAG_END},
    .size = sizeof(BenchInferArguments),
    .run = run,
};
