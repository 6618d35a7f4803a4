/* hone inspect of what has a graph: a configuration, or a checkpoint, which is a configuration with
 * weights. SPDX-License-Identifier: Apache-2.0 */
#include "cli/inputs.h"
#include "cli/inspect.h"
#include "cli/layers.h"
#include "cli/output.h"
#include "cli/table.h"
#include "report/json.h"
#include "report/show.h"
#include "trainer/phases.h"

#include <inttypes.h>
#include <stdio.h>

/* What is known of the model that is looked at. */
typedef struct Subject {
    const Session *session;
    const Checkpoint *checkpoint; /* NULL for a configuration */
    LayerRows layers;
    IntegerPlan plan; /* with --quant of a calibrated checkpoint, else without layers */
} Subject;

static const RunOptions *options_of(const Subject *s)
{
    return s->session->config->options;
}

/* 0 for a model that reproduces its input. */
static int classes_of(const Subject *s)
{
    return session_classifies(s->session) ? session_outputs(s->session) : 0;
}

/* NULL for a row without integers. */
static const IntegerLayer *integer_of(const Subject *s, const LayerRow *row)
{
    const IntegerLayer *l = s->plan.layers ? &s->plan.layers[row->first->index] : NULL;
    return l && l->out.scale > 0 ? l : NULL;
}

static void weight_scales(const IntegerLayer *l, double *low, double *high)
{
    *low = *high = l->channels > 0 ? (double)l->weight_scale[0] : 0;
    for (int i = 1; i < l->channels; i++) {
        double v = (double)l->weight_scale[i];
        *low = v < *low ? v : *low;
        *high = v > *high ? v : *high;
    }
}

/* ---- text ----------------------------------------------------------------------------------- */

static void add_progress(const Subject *s, Text *out)
{
    const Progress *p = &s->checkpoint->progress;
    text_printf(out, "  %-12s%s%s\n", "step", show_whole(p->step).text,
                p->complete ? ", the end of the run" : "");
    if (figures_known(&p->test_figures))
        text_printf(out, "  %-12s%s on the test set\n",
                    p->test_figures.accuracy >= 0 ? "accuracy" : "error",
                    figures_text(&p->test_figures).text);
    if (figures_known(&p->float_figures))
        text_printf(out, "  %-12s%s in float, %s quantized after training\n", "before QAT",
                    figures_text(&p->float_figures).text, figures_text(&p->ptq_figures).text);
    if (s->layers.zero_weights > 0)
        text_printf(out, "  %-12s%s of the weights are zero\n", "sparsity",
                    show_percent((double)s->layers.zero_weights / (double)s->layers.weights).text);
}

static void add_header(const Subject *s, Text *out)
{
    const RunOptions *o = options_of(s);
    const LayerRows *l = &s->layers;
    text_printf(out, "%s: %s\n\n", o->name, model_arch_name(&o->model));
    text_printf(out, "  %-12s%s, %d %s\n", "input", show_shape(s->session->model.image->shape).text,
                session_outputs(s->session), classes_of(s) ? "classes" : "outputs");
    text_printf(out, "  %-12s%s, of them %s weights\n", "parameters", show_whole(l->params).text,
                show_whole(l->weights).text);
    text_printf(out, "  %-12s%s per image\n", "MACs", show_whole(l->macs).text);
    if (o->qat.present)
        text_printf(out, "  %-12s%" PRId64 "-bit weights per %s, %" PRId64 "-bit activations\n",
                    "quantized", o->qat.weights.bits,
                    o->qat.weights.granularity == QAT_PER_CHANNEL ? "channel" : "tensor",
                    o->qat.activations.bits);
    if (s->checkpoint)
        add_progress(s, out);
    text_add(out, "\n");
}

static void add_grid_cells(const Subject *s, const LayerRow *row, Table *t)
{
    const IntegerLayer *l = integer_of(s, row);
    if (!l) {
        for (int i = 0; i < 4; i++)
            table_cell(t, "%s", "");
        return;
    }
    double low, high;
    weight_scales(l, &low, &high);
    if (l->channels > 0)
        table_cell(t, "%.3g..%.3g", low, high);
    else
        table_cell(t, "%s", "");
    table_cell(t, "%.4g", (double)l->out.scale);
    table_cell(t, "%d", l->out.zero_point);
    table_cell(t, "%d..%d", l->lo, l->hi);
}

static void add_table(const Subject *s, Text *out)
{
    static const char *const headings[] = {LAYER_HEADINGS, "weight scales", "scale", "zero point",
                                           "codes"};
    Table t;
    table_init(&t, LAYER_ALIGN "rrrr", headings);
    for (int i = 0; i < s->layers.count; i++) {
        layer_row_cells(&s->layers, &s->layers.rows[i], &t);
        add_grid_cells(s, &s->layers.rows[i], &t);
    }
    table_print(&t, out);
    table_release(&t);
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static void json_progress(const Subject *s, Json *j)
{
    const Progress *p = &s->checkpoint->progress;
    json_whole(j, "step", p->step);
    json_bool(j, "complete", p->complete != 0);
    figures_json(&p->test_figures, session_classifies(s->session), "test", j);
    figures_json(&p->float_figures, session_classifies(s->session), "float", j);
    figures_json(&p->ptq_figures, session_classifies(s->session), "ptq", j);
    json_real(j, "sparsity",
              s->layers.weights ? (double)s->layers.zero_weights / (double)s->layers.weights : 0);
}

static void json_grid(const Subject *s, const LayerRow *row, Json *j)
{
    const IntegerLayer *l = integer_of(s, row);
    if (!l)
        return;
    json_real(j, "scale", (double)l->out.scale);
    json_whole(j, "zero_point", l->out.zero_point);
    json_whole(j, "lo", l->lo);
    json_whole(j, "hi", l->hi);
    if (l->channels > 0) {
        json_open(j, "weight_scales", '[');
        for (int i = 0; i < l->channels; i++)
            json_real(j, NULL, (double)l->weight_scale[i]);
        json_close(j);
    }
}

static void json_row(const Subject *s, const LayerRow *row, Json *j)
{
    json_open(j, NULL, '{');
    json_text(j, "name", row->first->name);
    json_text(j, "kind", row->first->op->name);
    json_text(j, "operations", row->kind);
    json_open(j, "output", '[');
    for (int i = 1; i < row->out.rank; i++)
        json_whole(j, NULL, row->out.dim[i]);
    json_close(j);
    json_whole(j, "params", row->params);
    json_whole(j, "macs", row->macs);
    json_whole(j, "weight_bits", row->weight_bits);
    json_whole(j, "activation_bits", row->activation_bits);
    if (s->checkpoint) {
        json_whole(j, "weights", row->weights);
        json_whole(j, "zero_weights", row->zero_weights);
    }
    json_grid(s, row, j);
    json_close(j);
}

static void add_json(const Subject *s, Text *out)
{
    const RunOptions *o = options_of(s);
    Json j = {.out = out};
    json_open(&j, NULL, '{');
    json_text(&j, "kind", s->checkpoint ? "checkpoint" : "config");
    json_text(&j, "name", o->name);
    json_text(&j, "arch", model_arch_name(&o->model));
    json_open(&j, "input", '[');
    for (int i = 0; i < o->model.input.count; i++)
        json_whole(&j, NULL, o->model.input.v[i]);
    json_close(&j);
    json_whole(&j, "classes", classes_of(s));
    json_whole(&j, "params", s->layers.params);
    json_whole(&j, "macs", s->layers.macs);
    if (s->checkpoint)
        json_progress(s, &j);
    json_open(&j, "layers", '[');
    for (int i = 0; i < s->layers.count; i++)
        json_row(s, &s->layers.rows[i], &j);
    json_close(&j);
    json_close(&j);
}

/* ---- both ----------------------------------------------------------------------------------- */

static int show(Subject *s, const InspectArguments *a, Error *e)
{
    Text text = {0};
    int status = layer_rows_new(&s->layers, s->session, e);
    /* Grids exist from calibration on. */
    if (status == HONE_OK && a->quant && s->checkpoint && input_calibrated(s->checkpoint))
        status =
            integer_plan_new(&s->plan, &s->session->graph, &s->session->params,
                             &s->session->compute, export_profile(&options_of(s)->export, 0), e);
    if (status == HONE_OK && a->json) {
        add_json(s, &text);
    } else if (status == HONE_OK) {
        add_header(s, &text);
        add_table(s, &text);
        if (a->quant && !s->plan.layers)
            text_add(&text, "\n  scales are known once a run has calibrated the model: inspect its "
                            "checkpoint\n");
    }
    if (status == HONE_OK)
        status = output_text(&text, e);
    integer_plan_free(&s->plan);
    layer_rows_free(&s->layers);
    return status;
}

int inspect_config(const InspectArguments *a, Error *e)
{
    Config config;
    Session session;
    SessionOptions options = input_session(1, true);
    int status = input_config(&config, &session, a->file, &a->sets, &options, e);
    if (status != HONE_OK)
        return status;
    status = show(&(Subject){.session = &session}, a, e);
    session_close(&session);
    config_release(&config);
    return status;
}

int inspect_checkpoint(const InspectArguments *a, Error *e)
{
    Checkpoint checkpoint;
    Session session;
    SessionOptions options = input_session(1, true);
    int status = input_checkpoint(&checkpoint, &session, a->file, &a->sets, &options, e);
    if (status != HONE_OK)
        return status;
    status = show(&(Subject){.session = &session, .checkpoint = &checkpoint}, a, e);
    session_close(&session);
    checkpoint_close(&checkpoint);
    return status;
}
