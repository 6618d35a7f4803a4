/* From a finished run to a page: see report.h. SPDX-License-Identifier: Apache-2.0 */
#include "trainer/report.h"

#include "core/file.h"
#include "report/page.h"
#include "report/show.h"
#include "trainer/history.h"
#include "trainer/predictions.h"
#include "trainer/survey.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SHOWN = 16, FACTS_MAX = 24, CHARTS = 4, LABEL_BYTES = 32 };

/* Everything that the page borrows. */
typedef struct Gathered {
    const Session *s;
    Page page;
    PageFact facts[FACTS_MAX];
    Shown values[FACTS_MAX];
    History history;
    ChartMark *marks; /* [history.phase_count] */
    Chart charts[CHARTS];
    Survey survey;
    PageLayer *layers; /* [survey.count] */
    Shown *shapes;     /* [survey.count] */
    Predictions predictions;
    const char **names; /* [classes] */
    char (*labels)[LABEL_BYTES];
    PageSample samples[2 * SHOWN];
    Text config;
} Gathered;

/* ---- facts ---- */

static void fact(Gathered *g, const char *name, Shown value)
{
    const int i = g->page.fact_count;
    if (i == FACTS_MAX)
        return;
    g->values[i] = value;
    g->facts[i] = (PageFact){name, g->values[i].text};
    g->page.fact_count++;
}

static void figures(Gathered *g, const char *name, const Figures *f)
{
    Shown value;
    if (!figures_known(f))
        return;
    snprintf(value.text, sizeof value.text, "%s", figures_text(f).text);
    fact(g, name, value);
}

static void gather_facts(Gathered *g, const Summary *m)
{
    g->page.facts = g->facts;
    figures(g, "teacher", &m->teacher_figures);
    figures(g, m->classifies ? "accuracy, float" : "squared error, float", &m->float_figures);
    figures(g, "after calibration", &m->ptq_figures);
    figures(g, "final weights, float", &m->unquantized_figures);
    figures(g, "int8 artifact", &m->int8_figures);
    if (m->exported) {
        fact(g, "outputs proven equal", show_whole(m->bit_exact ? m->compared : 0));
        fact(g, "artifact, bytes", show_whole(m->artifacts[0].bytes));
        fact(g, "its RAM, bytes", show_whole(m->artifacts[0].ram_bytes));
    }
    fact(g, "zero weights", show_percent(m->sparsity));
    fact(g, "parameters", show_whole(m->params));
    fact(g, "MACs", show_whole(m->macs));
    fact(g, "steps", show_whole(m->steps));
    fact(g, "time", show_seconds(m->seconds));
    fact(g, "images per second", show_whole((int64_t)m->images_per_s));
    fact(g, "seed", show_whole(m->seed));
}

/* ---- curves ---- */

static ChartSeries series(const char *name, const HistoryTable *t, int column)
{
    return (ChartSeries){name, t->column[0], t->column[column], t->count};
}

static int gather_curves(Gathered *g, const char *path, Error *e)
{
    int status = history_read(&g->history, path, e);
    if (status != HONE_OK)
        return status;
    const HistoryTable *steps = &g->history.steps, *epochs = &g->history.epochs;
    const size_t marks = g->history.phase_count;
    g->marks = calloc(marks + 1, sizeof *g->marks);
    if (!g->marks)
        return error_memory(e, "a report", marks * sizeof *g->marks);
    for (size_t i = 0; i < marks; i++)
        g->marks[i] = (ChartMark){g->history.phases[i].at, g->history.phases[i].name};
    const Chart accuracy = {.title = "Accuracy",
                            .series = {series("training", epochs, EPOCH_TRAIN_ACCURACY),
                                       series("test", epochs, EPOCH_TEST_ACCURACY)},
                            .series_count = 2,
                            .percent = true};
    const Chart auc = {.title = "Area under the ROC curve",
                       .series = {series("test", epochs, EPOCH_TEST_AUC)},
                       .series_count = 1};
    const Chart charts[CHARTS] = {
        {.title = "Loss",
         .series = {series("batches", steps, STEP_LOSS), series("test", epochs, EPOCH_TEST_LOSS)},
         .series_count = 2},
        session_classifies(g->s) ? accuracy : auc,
        {.title = "Learning rate", .series = {series("lr", steps, STEP_LR)}, .series_count = 1},
        {.title = "Sparsity",
         .series = {series("pruned layers", epochs, EPOCH_SPARSITY)},
         .series_count = 1,
         .percent = true},
    };
    g->page.charts = g->charts;
    for (int i = 0; i < CHARTS - !g->s->config->options->prune.present; i++) {
        g->charts[i] = charts[i];
        g->charts[i].x_title = "step";
        g->charts[i].marks = g->marks;
        g->charts[i].mark_count = (int)marks;
        g->page.chart_count++;
    }
    return HONE_OK;
}

/* ---- layers ---- */

static const Histogram *histogram_of(const SurveyTensor *t)
{
    return t->histogram.count > 0 ? &t->histogram : NULL;
}

static int gather_layers(Gathered *g, bool quantized, Error *e)
{
    int status = survey_new(&g->survey, g->s, quantized, e);
    if (status != HONE_OK)
        return status;
    const size_t n = (size_t)g->survey.count + 1;
    g->layers = calloc(n, sizeof *g->layers);
    g->shapes = calloc(n, sizeof *g->shapes);
    if (!g->layers || !g->shapes)
        return error_memory(e, "a report", n * (sizeof *g->layers + sizeof *g->shapes));
    for (int i = 0; i < g->survey.count; i++) {
        const SurveyLayer *l = &g->survey.layers[i];
        g->shapes[i] = show_shape(l->node->out[0]->shape);
        g->layers[i] = (PageLayer){.name = l->node->name,
                                   .kind = l->node->op->name,
                                   .shape = g->shapes[i].text,
                                   .weight_bits = l->weights.bits,
                                   .output_bits = l->output.bits,
                                   .low = l->output.low,
                                   .high = l->output.high,
                                   .weight_sqnr = l->weights.bits ? l->weights.sqnr : (double)NAN,
                                   .output_sqnr = l->output.bits ? l->output.sqnr : (double)NAN,
                                   .sparsity = l->sparsity,
                                   .bytes = l->weight_bytes,
                                   .weights = histogram_of(&l->weights),
                                   .outputs = histogram_of(&l->output)};
    }
    g->page.layers = g->layers;
    g->page.layer_count = g->survey.count;
    return HONE_OK;
}

/* ---- predictions ---- */

static void add_sample(Gathered *g, const Prediction *p)
{
    const DatasetInfo *info = dataset_info(g->s->dataset);
    const LossOutput output = loss_output(&g->s->config->options->train.loss);
    g->samples[g->page.sample_count++] =
        (PageSample){.picture = {p->pixels, info->height, info->width, info->channels},
                     .label = g->names[p->label],
                     .prediction = g->names[p->predicted],
                     .confidence = output == LOSS_OUTPUT_PLAIN ? NAN : p->confidence,
                     .right = p->label == p->predicted};
}

static int gather_predictions(Gathered *g, bool integer, const TrainEvents *events, Error *e)
{
    Predictions *p = &g->predictions;
    if (!session_classifies(g->s))
        return HONE_OK;
    int status = predictions_new(p, g->s, integer, SHOWN, events, e);
    if (status != HONE_OK)
        return status;
    const size_t n = (size_t)p->classes;
    g->names = calloc(n, sizeof *g->names);
    g->labels = calloc(n, sizeof *g->labels);
    if (!g->names || !g->labels)
        return error_memory(e, "a report", n * (sizeof *g->names + sizeof *g->labels));
    for (int i = 0; i < p->classes; i++)
        g->names[i] = dataset_class_name(g->s->dataset, i, g->labels[i], sizeof g->labels[i]);
    for (int i = 0; i < p->first_count; i++)
        add_sample(g, &p->first[i]);
    for (int i = 0; i < p->wrong_count; i++)
        add_sample(g, &p->wrong[i]);
    g->page.samples = g->samples;
    g->page.confusion = p->confusion;
    g->page.class_names = g->names;
    g->page.classes = p->classes;
    return HONE_OK;
}

/* ---- the page ---- */

static void release(Gathered *g)
{
    history_free(&g->history);
    survey_free(&g->survey);
    predictions_free(&g->predictions);
    text_release(&g->config);
    free(g->marks);
    free(g->layers);
    free(g->shapes);
    free(g->names);
    free(g->labels);
    free(g);
}

static int write_page(const Gathered *g, const char *path, Error *e)
{
    Text t = {0};
    page_print(&g->page, &t);
    int status = text_failed(&t) ? error_memory(e, "a report", t.room)
                                 : file_write_atomic(path, t.data, t.length, e);
    text_release(&t);
    return status;
}

int report_write(const Session *s, const Summary *summary, const RunDir *dir,
                 const TrainEvents *events, Error *e)
{
    char path[RUNDIR_FILE_BYTES];
    const bool quantized = s->config->options->qat.present;
    Gathered *g = calloc(1, sizeof *g);
    if (!g)
        return error_memory(e, "a report", sizeof *g);
    g->s = s;
    g->page.title = summary->name;
    config_print(s->config, &g->config);
    g->page.config = text_string(&g->config);
    gather_facts(g, summary);
    int status = gather_curves(g, rundir_file(dir, "metrics.jsonl", path), e);
    if (status == HONE_OK)
        status = gather_layers(g, quantized, e);
    if (status == HONE_OK)
        status = gather_predictions(g, quantized, events, e);
    if (status == HONE_OK)
        status = write_page(g, rundir_file(dir, "report.html", path), e);
    release(g);
    return status;
}
