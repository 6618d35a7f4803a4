/* hone eval: figures of a checkpoint or an artifact. SPDX-License-Identifier: Apache-2.0 */
#include "trainer/evaluate.h"

#include "cli/board.h"
#include "cli/inputs.h"
#include "cli/output.h"
#include "report/json.h"
#include "report/show.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct EvalArguments {
    const char *file, *config;
    FlagTexts sets;
    int split, arithmetic;
    int64_t threads, limit;
    bool json;
} EvalArguments;

static const char *const splits[] = {[DATASET_TRAIN] = "train", [DATASET_TEST] = "test", NULL};

enum { ARITHMETIC_FLOAT, ARITHMETIC_FAKEQUANT, ARITHMETIC_INTEGER };
static const char *const arithmetics[] = {"float", "fakequant", "integer", NULL};

typedef struct Result {
    Evaluation v;
    const char *arithmetic;
} Result;

static DatasetSplit split_of(const EvalArguments *a)
{
    return a->split == FLAG_UNSET ? DATASET_TEST : (DatasetSplit)a->split;
}

static EvaluateOptions how(const EvalArguments *a, const TrainEvents *events)
{
    return (EvaluateOptions){
        .split = split_of(a), .limit = a->limit == FLAG_UNSET ? 0 : a->limit, .events = events};
}

/* ---- a checkpoint --------------------------------------------------------------------------- */

static int eval_checkpoint(const EvalArguments *a, const TrainEvents *events, Result *r, Error *e)
{
    Checkpoint c;
    Session s;
    SessionOptions options = input_session(a->threads, false);
    if (a->config)
        return error_set(e, HONE_ERR_USAGE,
                         "eval: a checkpoint knows its configuration; --config "
                         "is for artifacts, --set changes single options");
    int status = input_checkpoint(&c, &s, a->file, &a->sets, &options, e);
    if (status != HONE_OK)
        return status;
    EvaluateOptions o = how(a, events);
    int natural = input_calibrated(&c) ? ARITHMETIC_INTEGER : ARITHMETIC_FLOAT;
    int arithmetic = a->arithmetic == FLAG_UNSET ? natural : a->arithmetic;
    r->arithmetic = arithmetics[arithmetic];
    if (arithmetic != ARITHMETIC_FLOAT)
        status = input_quantized(&c, a->file, e);
    if (status == HONE_OK && arithmetic == ARITHMETIC_INTEGER) {
        status = evaluate_integer(&r->v, &s, &o, e);
    } else if (status == HONE_OK) {
        o.mode.quantize = arithmetic == ARITHMETIC_FAKEQUANT;
        status = evaluate_model(&r->v, &s, &o, e);
    }
    session_close(&s);
    checkpoint_close(&c);
    return status;
}

/* ---- an artifact ---------------------------------------------------------------------------- */

/* --config, or the config.yaml that a run leaves beside its artifact. path of size bytes. */
static int find_config(const EvalArguments *a, char *path, size_t size, Error *e)
{
    const char *slash = strrchr(a->file, '/');
    int folder = slash ? (int)(slash - a->file) + 1 : 0;
    if (a->config)
        snprintf(path, size, "%s", a->config);
    else
        snprintf(path, size, "%.*sconfig.yaml", folder, a->file);
    if (!a->config && access(path, R_OK) != 0)
        return error_set(e, HONE_ERR_USAGE,
                         "eval: an artifact needs --config CONFIG, for the data: there is no '%s'",
                         path);
    return HONE_OK;
}

static int eval_bytes(const EvalArguments *a, const Config *config, const TrainEvents *events,
                      Result *r, Error *e)
{
    unsigned char *bytes = NULL;
    size_t count = 0;
    Compute compute = {0};
    Dataset *dataset = NULL;
    SessionOptions o = input_session(a->threads, false);
    EvaluateOptions options = how(a, events);
    options.loss = &config->options->train.loss;
    int threads = o.threads ? o.threads : (int)config->options->threads;
    int status = input_artifact(a->file, &bytes, &count, e);
    if (status == HONE_OK)
        status = compute_open(&compute, threads, o.level, e);
    if (status == HONE_OK)
        status = dataset_open(&dataset, &config->options->dataset, NULL, e);
    if (status == HONE_OK)
        status = evaluate_artifact(&r->v, &compute, dataset, bytes, count, &options, e);
    dataset_close(dataset);
    compute_close(&compute);
    free(bytes);
    return status;
}

static int eval_artifact(const EvalArguments *a, const TrainEvents *events, Result *r, Error *e)
{
    char path[1024];
    Config config;
    if (a->arithmetic != FLAG_UNSET && a->arithmetic != ARITHMETIC_INTEGER)
        return error_set(e, HONE_ERR_USAGE, "eval: an artifact has integer arithmetic only");
    r->arithmetic = "artifact";
    int status = find_config(a, path, sizeof path, e);
    if (status == HONE_OK)
        status = config_load(&config, path, a->sets.v, a->sets.count, e);
    if (status != HONE_OK)
        return status;
    status = eval_bytes(a, &config, events, r, e);
    config_release(&config);
    return status;
}

/* ---- */

static void print(const EvalArguments *a, const Result *r, Text *out)
{
    Json j = {.out = out};
    if (!a->json) {
        const Figures *f = &r->v.figures;
        bool classes = f->accuracy >= 0;
        text_printf(out, "%s%s%s of %s %s images, loss %.4f (%s)\n", classes ? "" : figures_name(f),
                    classes ? "" : " ", figures_text(f).text, show_whole(r->v.n).text,
                    splits[split_of(a)], r->v.loss, r->arithmetic);
        return;
    }
    json_open(&j, NULL, '{');
    figures_json(&r->v.figures, r->v.figures.accuracy >= 0, NULL, &j);
    json_real(&j, "loss", r->v.loss);
    json_whole(&j, "n", r->v.n);
    json_text(&j, "split", splits[split_of(a)]);
    json_text(&j, "arithmetic", r->arithmetic);
    json_close(&j);
}

static int run(const void *arguments, Error *e)
{
    const EvalArguments *a = arguments;
    InputKind kind;
    Board board;
    Result r = {.arithmetic = ""};
    Text text = {0};
    int status = input_kind(&kind, a->file, INPUT_CHECKPOINT | INPUT_ARTIFACT, e);
    if (status != HONE_OK)
        return status;
    board_open(&board, false);
    TrainEvents events = board_events(&board);
    events.message = NULL; /* results only on standard output */
    status = kind == INPUT_ARTIFACT ? eval_artifact(a, &events, &r, e)
                                    : eval_checkpoint(a, &events, &r, e);
    board_close(&board);
    if (status != HONE_OK)
        return status;
    print(a, &r, &text);
    return output_text(&text, e);
}

const Verb verb_eval = {
    .name = "eval",
    .summary = "accuracy or error of a checkpoint or an artifact",
    .example = "hone eval runs/mobilenet_qat/best.h5\n"
               "hone eval runs/mobilenet_qat/float.h5 --split train --limit 1000\n"
               "hone eval model.hone --config configs/mobilenet_qat.yaml --json",
    .flags =
        (const Flag[]){
            OPERAND("FILE", EvalArguments, file, "checkpoint (.h5) or artifact (.hone)"),
            FLAG_TEXT("--config", "CONFIG", EvalArguments, config,
                      "of an artifact: where its data is described (default: config.yaml beside "
                      "it)"),
            FLAG_SETS(EvalArguments, sets),
            FLAG_CHOICE("--split", "train|test", EvalArguments, split, splits,
                        "images to evaluate on (default: test)"),
            FLAG_CHOICE("--arithmetic", "float|fakequant|integer", EvalArguments, arithmetic,
                        arithmetics,
                        "of a checkpoint (default: integer once quantized, else float)"),
            FLAG_COUNT("--limit", "N", EvalArguments, limit, 1, INT64_MAX,
                       "only the first N images"),
            FLAG_THREADS(EvalArguments, threads), FLAG_JSON(EvalArguments, json), FLAG_END},
    .size = sizeof(EvalArguments),
    .run = run,
};
