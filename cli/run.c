/* hone run: what an artifact makes of files. SPDX-License-Identifier: Apache-2.0 */
#include "cli/inputs.h"
#include "cli/output.h"
#include "cli/readers.h"
#include "export/describe.h"
#include "report/json.h"
#include "report/show.h"
#include "runtime/kernels.h"
#include "runtime/runtime.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_TOP 3

typedef struct RunArguments {
    const char *artifact;
    FlagTexts inputs;
    int64_t top;
    bool header, json;
} RunArguments;

typedef struct Runner {
    HoneRtModel model;
    unsigned char *bytes;
    size_t count;
    void *arena;
    Notes notes;
    ReadTarget target;
    bool probable; /* outputs are probabilities of classes, or become them */
    int outputs;
    int8_t *codes;  /* [outputs] */
    double *values; /* [outputs], real */
    int *order;     /* [outputs], largest value first */
    int top;
} Runner;

/* ---- the artifact ---------------------------------------------------------------------------- */

/* What the artifact says about its outputs. */
static int read_notes(Runner *r, Error *e)
{
    Description d;
    int status = describe_artifact(&d, r->bytes, r->count, e);
    if (status != HONE_OK)
        return status;
    r->notes = d.notes;
    r->probable = d.softmax || d.notes.output != LOSS_OUTPUT_PLAIN;
    describe_release(&d);
    return HONE_OK;
}

static int prepare(Runner *r, Error *e)
{
    const HoneRtTensor *in = hone_rt_input(&r->model);
    size_t room = hone_rt_arena_bytes(&r->model);
    r->outputs = (int)hone_rt_elements(hone_rt_output(&r->model));
    r->target = (ReadTarget){.artifact = r->bytes,
                             .notes = &r->notes,
                             .height = (int)in->h,
                             .width = (int)in->w,
                             .channels = (int)in->c,
                             .elements = hone_rt_elements(in)};
    size_t outputs = (size_t)r->outputs;
    r->arena = malloc(room);
    r->codes = malloc(outputs);
    r->values = malloc(outputs * sizeof *r->values);
    r->order = malloc(outputs * sizeof *r->order);
    if (!r->arena || !r->codes || !r->values || !r->order)
        return error_memory(e, "the arena of the artifact", room);
    return hone_rt_prepare(&r->model, r->arena, room) == HONE_RT_OK
               ? HONE_OK
               : error_set(e, HONE_ERR_DATA, "the arena does not fit");
}

static int open_runner(Runner *r, const RunArguments *a, Error *e)
{
    SessionOptions o = input_session(FLAG_UNSET, true);
    int status = input_artifact(a->artifact, &r->bytes, &r->count, e);
    if (status != HONE_OK)
        return status;
    const HoneRtKernels *kernels = hone_rt_kernels_for_host(o.level);
    if (!kernels)
        return error_set(e, HONE_ERR_CONFIG,
                         "HONE_CPU: this machine has no kernels '%s'; ref, avx2 and avx512 exist",
                         o.level ? o.level : "");
    HoneRtStatus opened = hone_rt_open(&r->model, r->bytes, r->count, kernels);
    if (opened != HONE_RT_OK)
        return error_set(e, HONE_ERR_DATA, "'%s': not a valid artifact: %s", a->artifact,
                         hone_rt_status_text(opened));
    status = read_notes(r, e);
    if (status == HONE_OK)
        status = prepare(r, e);
    r->target.header = a->header;
    r->top = a->top == FLAG_UNSET ? DEFAULT_TOP : (int)a->top;
    r->top = r->top < r->outputs ? r->top : r->outputs;
    return status;
}

static void close_runner(Runner *r)
{
    free(r->bytes);
    free(r->arena);
    free(r->codes);
    free(r->values);
    free(r->order);
}

/* ---- one input ------------------------------------------------------------------------------- */

/* Insertion sort, stable: of equal codes the lowest class comes first. */
static void sort(Runner *r)
{
    for (int i = 0; i < r->outputs; i++) {
        int k = i;
        for (; k > 0 && r->codes[r->order[k - 1]] < r->codes[i]; k--)
            r->order[k] = r->order[k - 1];
        r->order[k] = i;
    }
}

static int compute(Runner *r, const int8_t *input, Error *e)
{
    float scale;
    const HoneRtTensor *out = hone_rt_output(&r->model);
    HoneRtStatus status = hone_rt_run(&r->model, input, r->codes);
    if (status != HONE_RT_OK)
        return error_set(e, HONE_ERR_DATA, "the model does not run: %s",
                         hone_rt_status_text(status));
    memcpy(&scale, &out->scale_bits, sizeof scale);
    for (int i = 0; i < r->outputs; i++)
        r->values[i] = (double)scale * (r->codes[i] - out->zero_point);
    sort(r);
    loss_probabilities(r->notes.output, r->values, r->outputs);
    return HONE_OK;
}

/* ---- results --------------------------------------------------------------------------------- */

static void add_text(Runner *r, Text *out)
{
    char buffer[32];
    for (int i = 0; i < r->top && r->notes.classes > 0; i++) {
        int k = r->order[i];
        text_printf(out, "%s %s ", i > 0 ? "," : "",
                    notes_class(&r->notes, k, buffer, sizeof buffer));
        if (r->probable)
            text_add(out, show_percent(r->values[k]).text);
        else
            text_printf(out, "%.6g", r->values[k]);
    }
    for (int i = 0; i < r->outputs && r->notes.classes == 0; i++)
        text_printf(out, " %.6g", r->values[i]);
    text_add(out, "\n");
}

static void add_json(Runner *r, Json *j)
{
    char buffer[32];
    json_open(j, r->notes.classes > 0 ? "classes" : "values", '[');
    for (int i = 0; i < r->top && r->notes.classes > 0; i++) {
        int k = r->order[i];
        json_open(j, NULL, '{');
        json_whole(j, "class", k);
        json_text(j, "name", notes_class(&r->notes, k, buffer, sizeof buffer));
        json_real(j, r->probable ? "probability" : "value", r->values[k]);
        json_whole(j, "code", r->codes[k]);
        json_close(j);
    }
    for (int i = 0; i < r->outputs && r->notes.classes == 0; i++)
        json_real(j, NULL, r->values[i]);
    json_close(j);
}

/* json is NULL for text. */
static int run_file(Runner *r, const char *path, Json *json, Text *out, Error *e)
{
    ReadRows rows;
    int status = read_rows(&rows, &r->target, path, e);
    for (size_t i = 0; i < rows.rows && status == HONE_OK; i++) {
        status = compute(r, rows.codes + i * r->target.elements, e);
        if (status == HONE_OK && json) {
            json_open(json, NULL, '{');
            json_text(json, "input", path);
            json_whole(json, "row", (int64_t)i);
            add_json(r, json);
            json_close(json);
        } else if (status == HONE_OK) {
            text_printf(out, "%s", path);
            if (rows.many)
                text_printf(out, "[%zu]", i);
            text_add(out, ":");
            add_text(r, out);
        }
    }
    read_release(&rows);
    return status;
}

static int run(const void *arguments, Error *e)
{
    const RunArguments *a = arguments;
    Runner r = {0};
    Text text = {0};
    Json json = {.out = &text};
    int status = open_runner(&r, a, e);
    if (status == HONE_OK && a->json) {
        json_open(&json, NULL, '{');
        json_text(&json, "artifact", a->artifact);
        json_open(&json, "predictions", '[');
    }
    for (size_t i = 0; i < a->inputs.count && status == HONE_OK; i++)
        status = run_file(&r, a->inputs.v[i], a->json ? &json : NULL, &text, e);
    if (status == HONE_OK && a->json) {
        json_close(&json);
        json_close(&json);
    }
    close_runner(&r);
    if (status == HONE_OK)
        return output_text(&text, e);
    text_release(&text);
    return status;
}

const Verb verb_run = {
    .name = "run",
    .summary = "what an artifact makes of images, arrays, tables and recordings",
    .about =
        "Images (.jpg, .png) are cut to the shape of the artifact's input around the centre and\n"
        "resized. Arrays (.npy) and tables (.csv) hold one input or a row per input, in real\n"
        "numbers as in the data that the model was trained on; for a model of images uint8 are\n"
        "pixels. Recordings (.wav) go through the front end that the artifact carries.\n"
        "\n"
        "A classifier's outputs become probabilities as the artifact says (the softmax of all, or\n"
        "the sigmoid of each); where it says nothing they are shown as they are.\n",
    .example = "hone run runs/mobilenet_qat/model.hone cat.jpg dog.png\n"
               "hone run model.hone table.csv --header --json",
    .flags = (const Flag[]){OPERAND("ARTIFACT", RunArguments, artifact, "artifact (.hone)"),
                            OPERANDS("INPUT...", RunArguments, inputs, "files to run it on"),
                            FLAG_COUNT("--top", "K", RunArguments, top, 1, 65536,
                                       "classes to show, the likeliest first (default: 3)"),
                            FLAG_SWITCH("--header", RunArguments, header,
                                        "tables start with a line of names"),
                            FLAG_JSON(RunArguments, json), FLAG_END},
    .size = sizeof(RunArguments),
    .run = run,
};
