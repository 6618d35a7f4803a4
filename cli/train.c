/* hone train: the whole recipe of a configuration. SPDX-License-Identifier: Apache-2.0 */
#include "trainer/train.h"

#include "cli/board.h"
#include "cli/inputs.h"
#include "cli/layers.h"
#include "cli/output.h"
#include "cli/signals.h"
#include "report/show.h"
#include "trainer/plan.h"

#include <inttypes.h>
#include <stdio.h>

typedef struct TrainArguments {
    const char *config, *out;
    FlagTexts sets;
    int64_t threads, seed;
    bool resume, plan, quiet;
} TrainArguments;

/* ---- before --------------------------------------------------------------------------------- */

/* --seed is an override like any other, the last one. */
static int open_session(Config *c, Session *session, const TrainArguments *a, Error *e)
{
    char seed[48];
    FlagTexts sets;
    const char *more[] = {seed};
    SessionOptions options = input_session(a->threads, a->plan);
    snprintf(seed, sizeof seed, "seed=%" PRId64, a->seed);
    int status = input_overrides(&sets, &a->sets, more, a->seed != FLAG_UNSET, e);
    if (status == HONE_OK)
        status = input_config(c, session, a->config, &sets, &options, e);
    input_overrides_release(&sets);
    return status;
}

static void introduce(Board *b, const Session *s)
{
    const RunOptions *o = s->config->options;
    const DatasetInfo *d = dataset_info(s->dataset);
    board_line(b, "%s: %s, %s parameters, %s MACs", o->name, model_arch_name(&o->model),
               show_whole(graph_trained(&s->graph)).text, show_count(graph_macs(&s->graph)).text);
    board_line(b, "  data      %s: %s training and %s test images, %s, %d classes", d->kind,
               show_whole(d->count[DATASET_TRAIN]).text, show_whole(d->count[DATASET_TEST]).text,
               show_shape(SHAPE4(1, d->height, d->width, d->channels)).text, d->classes);
    board_line(b,
               "  training  %" PRId64 " epoch%s of %s steps of %" PRId64 " images, seed %" PRId64,
               o->train.epochs, text_plural(o->train.epochs),
               show_whole(d->count[DATASET_TRAIN] / o->train.batch).text, o->train.batch, o->seed);
    int threads = threads_count(s->compute.threads);
    board_line(b, "  machine   %d thread%s, %s kernels, %s\n", threads, text_plural(threads),
               s->compute.integer->name, s->compute.blas.core);
}

/* ---- after ---------------------------------------------------------------------------------- */

static void figures_line(Board *b, const char *label, const Figures *f, const char *note)
{
    if (figures_known(f))
        board_line(b, "  %-26s%9s%s%s", label, figures_text(f).text, *note ? "  " : "", note);
}

/* The last weights are exported, whatever there was before. */
static void best_line(Board *b, const Summary *s)
{
    const Figures *last = s->exported ? &s->int8_figures : &s->unquantized_figures;
    if (s->best_step >= 0 && s->best_step < s->steps && figures_better(&s->best_figures, last))
        board_line(b, "  %-26s%9s  %s/best.h5, after step %s", "best",
                   figures_text(&s->best_figures).text, s->folder, show_whole(s->best_step).text);
}

static void conclude(Board *b, const Summary *s)
{
    if (s->steps == 0) {
        board_line(b, "%s is a finished run: nothing to do", s->folder);
        return;
    }
    board_line(b, "\ndone in %s, %s images/s, %s of memory\n", show_seconds(s->seconds).text,
               show_whole((int64_t)s->images_per_s).text, show_bytes(s->peak_rss_bytes).text);
    if (!s->classifies)
        board_line(b, "  mean squared errors");
    figures_line(b, "teacher", &s->teacher_figures, "in float");
    figures_line(b, "float", &s->float_figures, s->float_source);
    figures_line(b, "quantized after training", &s->ptq_figures, "PTQ, the start of QAT");
    figures_line(b, "trained quantized", &s->qat_figures, "QAT, integer evaluation");
    figures_line(b, "its weights in float", &s->unquantized_figures, "");
    figures_line(b, "artifact", &s->int8_figures, "int8, in the runtime");
    best_line(b, s);
    if (s->exported) {
        board_line(b, "\n  %-10s%s: %s outputs compared", "proof",
                   s->bit_exact ? "bit-exact" : "not bit-exact", show_whole(s->compared).text);
        for (int i = 0; i < s->artifact_count; i++)
            board_line(b, "  %-10s%s, %s bytes, runs in %s bytes of RAM", "artifact",
                       s->artifacts[i].path, show_whole(s->artifacts[i].bytes).text,
                       show_whole(s->artifacts[i].ram_bytes).text);
    }
    if (s->ema > 0)
        board_line(b, "  %-10sthe average of training's, decay %g", "weights", s->ema);
    if (s->sparsity > 0)
        board_line(b, "  %-10s%s of the weights are zero", "sparsity",
                   show_percent(s->sparsity).text);
    board_line(b, "  %-10s%s: checkpoints, metrics.jsonl, summary.json, report.html", "folder",
               s->folder);
}

/* The run's own resolved configuration needs none of this call's overrides. */
static int explain_interruption(const Summary *s, Error *e)
{
    Error had = *e;
    *e = (Error){0};
    return error_set(e, HONE_ERR_INTERRUPTED,
                     "%s (to go on: hone train %s/config.yaml --out %s --resume)", had.text,
                     s->folder, s->folder);
}

/* ---- */

static int train(const TrainArguments *a, Session *s, Error *e)
{
    Board board;
    Summary summary = {0};
    board_open(&board, a->quiet);
    introduce(&board, s);
    TrainEvents events = board_events(&board);
    TrainRequest request = {.out = a->out, .resume = a->resume, .events = &events};
    events.stop = signals_install();
    int status = train_run(s, &request, &summary, e);
    board_close(&board);
    if (status == HONE_ERR_INTERRUPTED && summary.folder[0])
        return explain_interruption(&summary, e);
    if (status != HONE_OK)
        return status;
    conclude(&board, &summary);
    Text folder = {0};
    if (a->quiet)
        text_printf(&folder, "%s\n", summary.folder);
    return output_text(&folder, e);
}

static int print_plan(const Session *s, Error *e)
{
    Text text = {0};
    LayerRows layers = {0};
    int status = plan_print(s, NULL, &text, e);
    if (status == HONE_OK)
        status = layer_rows_new(&layers, s, e);
    if (status == HONE_OK) {
        text_add(&text, "\n");
        layer_rows_print(&layers, &text);
        status = output_text(&text, e);
    }
    layer_rows_free(&layers);
    text_release(&text);
    return status;
}

static int run(const void *arguments, Error *e)
{
    const TrainArguments *a = arguments;
    Config config;
    Session session;
    int status = open_session(&config, &session, a, e);
    if (status != HONE_OK)
        return status;
    status = a->plan ? print_plan(&session, e) : train(a, &session, e);
    session_close(&session);
    config_release(&config);
    return status;
}

const Verb verb_train = {
    .name = "train",
    .summary = "run a recipe: train, prune, quantize, export, prove",
    .about = "Ctrl-C saves the state and ends with status 130; --resume goes on from there, to the "
             "same\nbits. Nothing that exists is overwritten.\n",
    .example = "hone train configs/mobilenet_qat.yaml\n"
               "hone train configs/mobilenet_qat.yaml --set train.epochs=3 --set "
               "prune.schedule.end_epoch=2\n"
               "hone train configs/mobilenet_qat.yaml --resume",
    .flags =
        (const Flag[]){
            OPERAND("CONFIG", TrainArguments, config, "YAML file (hone config lists its options)"),
            FLAG_SETS(TrainArguments, sets),
            FLAG_TEXT("--out", "DIR", TrainArguments, out,
                      "folder of the run, empty or absent (default: runs/NAME, numbered where "
                      "that is taken)"),
            FLAG_SWITCH("--resume", TrainArguments, resume,
                        "go on from the last checkpoint of the folder, if it has one"),
            FLAG_THREADS(TrainArguments, threads),
            FLAG_COUNT("--seed", "N", TrainArguments, seed, 0, INT64_MAX, "as --set seed=N"),
            FLAG_SWITCH("--plan", TrainArguments, plan,
                        "print what would be done, and train nothing"),
            FLAG_SWITCH("--quiet", TrainArguments, quiet,
                        "print nothing but the folder of the run, at the end"),
            FLAG_END},
    .size = sizeof(TrainArguments),
    .run = run,
};
