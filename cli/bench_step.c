/* hone bench step: how fast a configuration trains. SPDX-License-Identifier: Apache-2.0 */
#include "cli/inputs.h"
#include "cli/output.h"
#include "cli/table.h"
#include "report/json.h"
#include "report/show.h"
#include "trainer/bench.h"

#include <inttypes.h>
#include <stdlib.h>

typedef struct BenchStepArguments {
    const char *config;
    FlagTexts sets;
    int mode, backward;
    int64_t batch, threads, steps;
    bool profile, json;
} BenchStepArguments;

enum { MODE_FLOAT, MODE_QAT };
static const char *const modes[] = {[MODE_FLOAT] = "float", [MODE_QAT] = "qat", NULL};
static const char *const backwards[] = {"float", "bf16", "int16", NULL}; /* Backward, less auto */

/* ---- text ----------------------------------------------------------------------------------- */

static double cost_of(const BenchCost *c)
{
    return c->forward_ms + c->backward_ms;
}

static void add_share(Table *t, double ms, double all)
{
    table_cell(t, "%.1f %%", all > 0 ? 100 * ms / all : 0);
}

static void add_part(Table *t, const char *name, double forward, double backward, double all)
{
    table_cell(t, "%s", name);
    table_cell(t, "%s", "");
    table_cell(t, "%.3f", forward);
    if (backward > 0)
        table_cell(t, "%.3f", backward);
    else
        table_cell(t, "%s", "");
    add_share(t, forward + backward, all);
}

/* Every node, in the order of execution, then what a step is made of. */
static void add_profile(const BenchResult *r, Text *out)
{
    static const char *const headings[] = {"node", "op", "forward ms", "backward ms", "share"};
    double forward = 0, backward = 0, rest = r->optimizer_ms + r->commit_ms;
    Table t;
    for (int i = 0; i < r->cost_count; i++) {
        forward += r->costs[i].forward_ms;
        backward += r->costs[i].backward_ms;
    }
    double all = forward + backward + rest;
    table_init(&t, "llrrr", headings);
    for (int i = 0; i < r->cost_count; i++) {
        const BenchCost *c = &r->costs[i];
        table_cell(&t, "%s", c->name);
        table_cell(&t, "%s", c->kind);
        table_cell(&t, "%.3f", c->forward_ms);
        table_cell(&t, "%.3f", c->backward_ms);
        add_share(&t, cost_of(c), all);
    }
    table_rule(&t);
    add_part(&t, "all nodes", forward, backward, all);
    add_part(&t, "optimizer", r->optimizer_ms, 0, all);
    add_part(&t, "ranges, statistics", r->commit_ms, 0, all);
    text_add(out, "\n");
    table_print(&t, out);
    table_release(&t);
}

typedef struct KindCost {
    const char *kind;
    int nodes;
    double forward_ms, backward_ms;
} KindCost;

static int by_cost(const void *a, const void *b)
{
    const KindCost *x = a, *y = b;
    double p = x->forward_ms + x->backward_ms, q = y->forward_ms + y->backward_ms;
    return (p < q) - (p > q);
}

/* Kinds of op, the most expensive first; kinds has room for every node. */
static int sum_kinds(const BenchResult *r, KindCost *kinds)
{
    int count = 0;
    for (int i = 0; i < r->cost_count; i++) {
        const BenchCost *c = &r->costs[i];
        int k = 0;
        while (k < count && kinds[k].kind != c->kind) /* both are the op's own text */
            k++;
        if (k == count)
            kinds[count++] = (KindCost){.kind = c->kind};
        kinds[k].nodes++;
        kinds[k].forward_ms += c->forward_ms;
        kinds[k].backward_ms += c->backward_ms;
    }
    qsort(kinds, (size_t)count, sizeof *kinds, by_cost);
    return count;
}

static int add_kinds(const BenchResult *r, Text *out, Error *e)
{
    static const char *const headings[] = {"op", "nodes", "forward ms", "backward ms", "share"};
    KindCost *kinds = calloc((size_t)r->cost_count + 1, sizeof *kinds);
    if (!kinds)
        return error_memory(e, "the profile", (size_t)r->cost_count * sizeof *kinds);
    int count = sum_kinds(r, kinds);
    double all = 0;
    for (int k = 0; k < count; k++)
        all += kinds[k].forward_ms + kinds[k].backward_ms;
    Table t;
    table_init(&t, "lrrrr", headings);
    for (int k = 0; k < count; k++) {
        table_cell(&t, "%s", kinds[k].kind);
        table_cell(&t, "%d", kinds[k].nodes);
        table_cell(&t, "%.3f", kinds[k].forward_ms);
        table_cell(&t, "%.3f", kinds[k].backward_ms);
        add_share(&t, kinds[k].forward_ms + kinds[k].backward_ms, all);
    }
    text_add(out, "\n");
    table_print(&t, out);
    table_release(&t);
    free(kinds);
    return HONE_OK;
}

static int add_text(const BenchResult *r, const char *name, Text *out, Error *e)
{
    text_printf(out,
                "%s, %s: %s images/s, %.2f ms per step of %d (%.2f..%.2f in 80 %% of %d steps)\n",
                name, r->mode, show_whole((int64_t)r->images_per_s).text, r->ms_per_step, r->batch,
                r->ms_p10, r->ms_p90, r->steps);
    text_printf(out, "%d thread%s, %s kernels, %s; arena %s, resident %s at most\n", r->threads,
                r->threads == 1 ? "" : "s", r->cpu, r->blas_core, show_bytes(r->arena_bytes).text,
                show_bytes(r->peak_rss_bytes).text);
    if (r->cost_count == 0)
        return HONE_OK;
    add_profile(r, out);
    return add_kinds(r, out, e);
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static void add_json(const BenchResult *r, const char *name, Text *out)
{
    Json j = {.out = out};
    json_open(&j, NULL, '{');
    json_text(&j, "name", name);
    json_text(&j, "mode", r->mode);
    json_real(&j, "images_per_s", r->images_per_s);
    json_real(&j, "ms_per_step", r->ms_per_step);
    json_real(&j, "ms_p10", r->ms_p10);
    json_real(&j, "ms_p90", r->ms_p90);
    json_whole(&j, "steps", r->steps);
    json_whole(&j, "batch", r->batch);
    json_whole(&j, "threads", r->threads);
    json_whole(&j, "arena_bytes", r->arena_bytes);
    json_whole(&j, "peak_rss_bytes", r->peak_rss_bytes);
    json_text(&j, "cpu", r->cpu);
    json_text(&j, "blas_core", r->blas_core);
    if (r->cost_count > 0) {
        json_real(&j, "optimizer_ms", r->optimizer_ms);
        json_real(&j, "commit_ms", r->commit_ms);
        json_open(&j, "nodes", '[');
        for (int i = 0; i < r->cost_count; i++) {
            json_open(&j, NULL, '{');
            json_text(&j, "name", r->costs[i].name);
            json_text(&j, "kind", r->costs[i].kind);
            json_real(&j, "forward_ms", r->costs[i].forward_ms);
            json_real(&j, "backward_ms", r->costs[i].backward_ms);
            json_close(&j);
        }
        json_close(&j);
    }
    json_close(&j);
}

/* ---- */

static int measure(const BenchStepArguments *a, Session *s, Error *e)
{
    const RunOptions *o = s->config->options;
    BenchResult r;
    Text text = {0};
    BenchOptions how = {.quantize = a->mode == FLAG_UNSET ? o->qat.present : a->mode == MODE_QAT,
                        .batch = a->batch == FLAG_UNSET ? 0 : (int)a->batch,
                        .steps = a->steps == FLAG_UNSET ? 0 : (int)a->steps,
                        .backward = a->backward == FLAG_UNSET
                                        ? BACKWARD_AUTO
                                        : (Backward)(a->backward + BACKWARD_FLOAT),
                        .profile = a->profile};
    int status = bench_step(&r, s, &how, e);
    if (status == HONE_OK && a->json)
        add_json(&r, o->name, &text);
    else if (status == HONE_OK)
        status = add_text(&r, o->name, &text, e);
    if (status == HONE_OK)
        status = output_text(&text, e);
    bench_release(&r);
    return status;
}

static int run(const void *arguments, Error *e)
{
    const BenchStepArguments *a = arguments;
    Config config;
    Session session;
    InputKind kind;
    SessionOptions options = input_session(a->threads, true);
    int status = input_kind(&kind, a->config, INPUT_CONFIG, e);
    if (status == HONE_OK)
        status = config_load(&config, a->config, a->sets.v, a->sets.count, e);
    if (status != HONE_OK)
        return status;
    status = session_open(&session, &config, &options, e);
    if (status == HONE_OK) {
        status = measure(a, &session, e);
        session_close(&session);
    }
    config_release(&config);
    return status;
}

const Verb verb_bench_step = {
    .group = "bench",
    .name = "step",
    .summary = "training speed on random images held in memory",
    .example = "hone bench step configs/bench/resnet8.yaml --mode qat --batch 128 --threads 2\n"
               "hone bench step configs/mobilenet_qat.yaml --profile",
    .flags =
        (const Flag[]){
            OPERAND("CONFIG", BenchStepArguments, config, "YAML file; its data set is not needed"),
            FLAG_SETS(BenchStepArguments, sets),
            FLAG_CHOICE("--mode", "float|qat", BenchStepArguments, mode, modes,
                        "what to train (default: qat where it is configured)"),
            FLAG_CHOICE("--backward", "float|bf16|int16", BenchStepArguments, backward, backwards,
                        "numbers that gradients of quantized convolutions are computed with "
                        "(default: as configured)"),
            FLAG_COUNT("--batch", "N", BenchStepArguments, batch, 1, 65536,
                       "images per step (default: as configured)"),
            FLAG_COUNT("--steps", "N", BenchStepArguments, steps, 1, 1000000,
                       "steps to time (default: 30)"),
            FLAG_SWITCH("--profile", BenchStepArguments, profile,
                        "what each node and each kind of op costs"),
            FLAG_THREADS(BenchStepArguments, threads), FLAG_JSON(BenchStepArguments, json),
            FLAG_END},
    .size = sizeof(BenchStepArguments),
    .run = run,
};
