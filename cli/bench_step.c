/* hone bench step: how fast a configuration trains. SPDX-License-Identifier: Apache-2.0 */
#include "cli/bench_profile.h"
#include "cli/inputs.h"
#include "cli/output.h"
#include "report/json.h"
#include "report/show.h"
#include "trainer/bench.h"

typedef struct BenchStepArguments {
    const char *config;
    FlagTexts sets;
    int mode, backward;
    int64_t batch, threads, steps;
    bool data, profile, json;
} BenchStepArguments;

enum { MODE_FLOAT, MODE_QAT };
static const char *const modes[] = {[MODE_FLOAT] = "float", [MODE_QAT] = "qat", NULL};
static const char *const backwards[] = {"float", "bf16", "int16", NULL}; /* Backward, less auto */

/* ---- text ----------------------------------------------------------------------------------- */

static int add_text(const BenchResult *r, const char *name, Text *out, Error *e)
{
    text_printf(out,
                "%s, %s: %s images/s, %.2f ms per step of %d (%.2f..%.2f in 80 %% of %d steps)\n",
                name, r->mode, show_whole((int64_t)r->images_per_s).text, r->ms_per_step, r->batch,
                r->ms_p10, r->ms_p90, r->steps);
    text_printf(out, "%d thread%s, %s kernels, %s; arena %s, resident %s at most\n", r->threads,
                text_plural(r->threads), r->cpu, r->blas_core, show_bytes(r->arena_bytes).text,
                show_bytes(r->peak_rss_bytes).text);
    return r->cost_count > 0 ? bench_profile_text(r, out, e) : HONE_OK;
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
    if (r->cost_count > 0)
        bench_profile_json(r, &j);
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
                        .data = a->data,
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
    SessionOptions options = input_session(a->threads, !a->data);
    if (a->data && a->batch != FLAG_UNSET)
        return error_set(
            e, HONE_ERR_USAGE,
            "--data takes batches as training does: --set train.batch=%lld in place of "
            "--batch",
            (long long)a->batch);
    int status = input_config(&config, &session, a->config, &a->sets, &options, e);
    if (status != HONE_OK)
        return status;
    status = measure(a, &session, e);
    session_close(&session);
    config_release(&config);
    return status;
}

const Verb verb_bench_step = {
    .group = "bench",
    .name = "step",
    .summary = "training speed on random images held in memory, or on the data set",
    .about =
        "With --profile, for each phase, node and kind of op: milliseconds, megabytes, GOP/s, "
        "share\n"
        "of the ceiling. The ceilings are measured after the steps: multiply-adds in each "
        "arithmetic\n"
        "and memory far larger than caches, on as many threads. The share is of the time that the\n"
        "slower of two ceilings allows: two operations per multiply-accumulate of the node in its\n"
        "arithmetic (backward one product for the weights' gradient and one for the input's, "
        "where\n"
        "wanted; what is computed again counts once), and the node's bytes at memory's. Bytes "
        "count\n"
        "each tensor once, as it is stored (a code 1, a real number 4, a mask's bit 1/8): forward\n"
        "inputs, outputs and what backward will need; backward what it reads of these, gradients\n"
        "read and written. A node that works in a cache can be faster than memory allows.\n"
        "Phases: data is the wait for the loader, finish moves ranges and running statistics.\n",
    .example = "hone bench step configs/bench/resnet8.yaml --mode qat --batch 128 --threads 2\n"
               "hone bench step configs/mobilenet_qat.yaml --profile",
    .flags =
        (const Flag[]){
            OPERAND("CONFIG", BenchStepArguments, config,
                    "YAML file; its data set is needed with --data only"),
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
            FLAG_SWITCH("--data", BenchStepArguments, data,
                        "train on the configured data set, through the loader"),
            FLAG_SWITCH("--profile", BenchStepArguments, profile,
                        "what each phase, node and kind of op costs"),
            FLAG_THREADS(BenchStepArguments, threads), FLAG_JSON(BenchStepArguments, json),
            FLAG_END},
    .size = sizeof(BenchStepArguments),
    .run = run,
};
