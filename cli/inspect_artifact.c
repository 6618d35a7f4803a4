/* hone inspect of an artifact, from its bytes alone. SPDX-License-Identifier: Apache-2.0 */
#include "cli/inputs.h"
#include "cli/inspect.h"
#include "cli/output.h"
#include "cli/table.h"
#include "export/describe.h"
#include "report/json.h"
#include "report/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static Shown shape_of(const DescribedTensor *t)
{
    return t->h == 1 && t->w == 1 ? show_shape(SHAPE2(1, t->c))
                                  : show_shape(SHAPE4(1, t->h, t->w, t->c));
}

/* ---- text ----------------------------------------------------------------------------------- */

/* As many as a line holds. */
static void add_names(const Notes *n, Text *out)
{
    char buffer[32];
    size_t start = out->length;
    text_printf(out, "  %-12s", "names");
    for (int k = 0; k < n->classes; k++) {
        if (out->length - start > 80) {
            text_printf(out, ", %d more", n->classes - k);
            break;
        }
        text_printf(out, "%s%s", k > 0 ? ", " : "", notes_class(n, k, buffer, sizeof buffer));
    }
    text_add(out, "\n");
}

static void add_frontend(const HoneRtFrontRecord *r, Text *out)
{
    char kind[32] = "log-mel";
    if (r->kind == HONE_RT_FRONT_MFCC)
        snprintf(kind, sizeof kind, "%u MFCC", (unsigned)r->coefficients);
    text_printf(out,
                "  %-12s%s of %u mel bands; frames of %u samples every %u, FFT of %u; clips of %u "
                "samples at %u Hz\n",
                "front end", kind, (unsigned)r->mels, (unsigned)r->frame, (unsigned)r->hop,
                (unsigned)r->fft, (unsigned)r->clip, (unsigned)r->rate);
}

/* How the classes' probabilities come about, in a word; NULL: the artifact does not say. */
static const char *probability(const Description *d)
{
    static const char *const words[] = {[LOSS_OUTPUT_PLAIN] = NULL,
                                        [LOSS_OUTPUT_SOFTMAX] = "softmax",
                                        [LOSS_OUTPUT_SIGMOID] = "sigmoid"};
    return d->softmax ? "output" : words[d->notes.output];
}

static void add_header(const Description *d, const char *path, Text *out)
{
    const char *slash = strrchr(path, '/');
    text_printf(out, "%s: an integer program, requantization %s\n\n", slash ? slash + 1 : path,
                d->requant);
    text_printf(out, "  %-12s%s, scale %g, zero point %d\n", "input", shape_of(&d->input).text,
                (double)d->input.scale, d->input.zero_point);
    if (d->frontend)
        add_frontend(d->frontend, out);
    else if (d->frontend_damage)
        text_printf(out, "  %-12sdamaged: %s\n", "front end", d->frontend_damage);
    text_printf(out, "  %-12s%s, scale %.4g, zero point %d\n",
                d->classes > 0 ? "classes" : "output", shape_of(&d->output).text,
                (double)d->output.scale, d->output.zero_point);
    if (probability(d))
        text_printf(out, "  %-12sthe %s%s\n", "probability", probability(d),
                    d->softmax ? "" : " of the output");
    if (d->notes.has_input)
        text_printf(out, "  %-12s%g * (code - %d)\n", "real input", (double)d->notes.input.scale,
                    (int)d->notes.input.zero_point);
    if (d->notes.names)
        add_names(&d->notes, out);
    text_printf(out, "  %-12s%s, of them %s weights, %s zero\n", "parameters",
                show_whole(d->params).text, show_whole(d->weights).text,
                show_percent(d->sparsity).text);
    text_printf(out, "  %-12s%s per image\n", "MACs", show_whole(d->macs).text);
    text_printf(out, "  %-12s%s bytes, of them %s constants\n", "file", show_whole(d->bytes).text,
                show_whole(d->constants_bytes).text);
    text_printf(out, "  %-12s%s bytes, of them %s activations\n\n", "RAM",
                show_whole(d->ram_bytes).text, show_whole(d->activation_bytes).text);
}

static void add_row(const DescribedLayer *l, bool quant, Table *t)
{
    char kind[64];
    int used = snprintf(kind, sizeof kind, "%s", l->kind);
    if (l->kernel_h > 0)
        used +=
            snprintf(kind + used, sizeof kind - (size_t)used, " %dx%d", l->kernel_h, l->kernel_w);
    if (l->stride_h > 1 || l->stride_w > 1)
        used += snprintf(kind + used, sizeof kind - (size_t)used,
                         l->stride_h == l->stride_w ? " /%d" : " /%dx%d", l->stride_h, l->stride_w);
    if (l->groups > 1)
        snprintf(kind + used, sizeof kind - (size_t)used, " in %d groups", l->groups);
    table_cell(t, "%s", l->name);
    table_cell(t, "%s", kind);
    table_cell(t, "%s", shape_of(&l->out).text);
    table_cell(t, "%s", l->params ? show_whole(l->params).text : "");
    table_cell(t, "%s", l->macs ? show_whole(l->macs).text : "");
    if (l->zero_weights > 0)
        table_cell(t, "%s", show_percent((double)l->zero_weights / (double)l->weights).text);
    else
        table_cell(t, "%s", "");
    table_cell(t, "%s", l->bytes ? show_whole(l->bytes).text : "");
    if (quant) {
        table_cell(t, "%.4g", (double)l->out.scale);
        table_cell(t, "%d", l->out.zero_point);
        table_cell(t, "%d..%d", l->lo, l->hi);
    }
}

static void add_text(const Description *d, const InspectArguments *a, Text *out)
{
    static const char *const headings[] = {"layer", "operation", "output", "params",     "MACs",
                                           "zeros", "bytes",     "scale",  "zero point", "codes"};
    Table t;
    add_header(d, a->file, out);
    table_init(&t, a->quant ? "llrrrrrrrr" : "llrrrrr", headings);
    for (int i = 0; i < d->layer_count; i++)
        add_row(&d->layers[i], a->quant, &t);
    table_print(&t, out);
    table_release(&t);
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static void json_tensor(Json *j, const char *key, const DescribedTensor *t)
{
    json_open(j, key, '{');
    json_open(j, "shape", '[');
    json_whole(j, NULL, t->h);
    json_whole(j, NULL, t->w);
    json_whole(j, NULL, t->c);
    json_close(j);
    json_real(j, "scale", (double)t->scale);
    json_whole(j, "zero_point", t->zero_point);
    json_close(j);
}

static void json_frontend(Json *j, const HoneRtFrontRecord *r)
{
    json_open(j, "frontend", '{');
    json_text(j, "kind", r->kind == HONE_RT_FRONT_MFCC ? "mfcc" : "log_mel");
    json_whole(j, "rate", r->rate);
    json_whole(j, "clip", r->clip);
    json_whole(j, "frame", r->frame);
    json_whole(j, "hop", r->hop);
    json_whole(j, "fft", r->fft);
    json_whole(j, "frames", r->frames);
    json_whole(j, "mels", r->mels);
    json_whole(j, "coefficients", r->coefficients);
    json_close(j);
}

static void json_layer(Json *j, const DescribedLayer *l)
{
    json_open(j, NULL, '{');
    json_text(j, "name", l->name);
    json_text(j, "kind", l->kind);
    json_open(j, "kernel", '[');
    json_whole(j, NULL, l->kernel_h);
    json_whole(j, NULL, l->kernel_w);
    json_close(j);
    json_open(j, "stride", '[');
    json_whole(j, NULL, l->stride_h);
    json_whole(j, NULL, l->stride_w);
    json_close(j);
    json_whole(j, "groups", l->groups);
    json_open(j, "inputs", '[');
    for (int i = 0; i < l->inputs; i++)
        json_tensor(j, NULL, &l->in[i]);
    json_close(j);
    json_tensor(j, "output", &l->out);
    json_whole(j, "lo", l->lo);
    json_whole(j, "hi", l->hi);
    json_whole(j, "macs", l->macs);
    json_whole(j, "params", l->params);
    json_whole(j, "weights", l->weights);
    json_whole(j, "zero_weights", l->zero_weights);
    json_whole(j, "bytes", l->bytes);
    json_close(j);
}

static void json_names(Json *j, const Notes *n)
{
    char buffer[32];
    json_open(j, "class_names", '[');
    for (int k = 0; n->names && k < n->classes; k++)
        json_text(j, NULL, notes_class(n, k, buffer, sizeof buffer));
    json_close(j);
}

static void add_json(const Description *d, Text *out)
{
    Json j = {.out = out};
    json_open(&j, NULL, '{');
    json_text(&j, "kind", "artifact");
    json_text(&j, "requant", d->requant);
    json_text(&j, "certificate", NULL);
    json_whole(&j, "bytes", d->bytes);
    json_whole(&j, "ram_bytes", d->ram_bytes);
    json_whole(&j, "constants_bytes", d->constants_bytes);
    json_whole(&j, "activation_bytes", d->activation_bytes);
    json_whole(&j, "classes", d->classes);
    json_whole(&j, "params", d->params);
    json_whole(&j, "weights", d->weights);
    json_whole(&j, "macs", d->macs);
    json_real(&j, "sparsity", d->sparsity);
    json_tensor(&j, "input", &d->input);
    json_open(&j, "real_input", '{');
    json_real(&j, "scale", (double)d->notes.input.scale);
    json_whole(&j, "zero_point", d->notes.input.zero_point);
    json_close(&j);
    json_names(&j, &d->notes);
    json_tensor(&j, "output", &d->output);
    json_text(&j, "probability", probability(d));
    if (d->frontend)
        json_frontend(&j, d->frontend);
    json_open(&j, "layers", '[');
    for (int i = 0; i < d->layer_count; i++)
        json_layer(&j, &d->layers[i]);
    json_close(&j);
    json_close(&j);
}

int inspect_artifact(const InspectArguments *a, Error *e)
{
    Description d = {0};
    Text text = {0};
    unsigned char *bytes = NULL;
    size_t count;
    if (a->sets.count > 0)
        return error_set(e, HONE_ERR_USAGE, "inspect: --set is for configurations and checkpoints");
    int status = input_artifact(a->file, &bytes, &count, e);
    if (status == HONE_OK) {
        status = describe_artifact(&d, bytes, count, e);
        if (status != HONE_OK)
            error_prefix(e, "'%s'", a->file);
    }
    if (status == HONE_OK) {
        if (a->json)
            add_json(&d, &text);
        else
            add_text(&d, a, &text);
        status = output_text(&text, e);
    }
    describe_release(&d);
    free(bytes);
    return status;
}
