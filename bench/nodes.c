/* Speed of Hone's convolution and dense kernels at the shapes of given models: every distinct layer
 * alone, forward and backward, in float (F) and in quantization-aware training (Q: int8 forward, int16
 * backward), and what share that is of the machine's arithmetic. `make bench` builds and runs it.
 *
 * It is no measure of training (`hone bench step` is): batch-norm, activations and quantizers are not
 * in it, and a layer alone finds its input in the cache more often. Depthwise layers do few operations
 * per byte: what limits them is loads, not arithmetic. They and layers of few products stay in float
 * backward, which costs share, too. Each time is the fastest of many.
 *
 * The model's totals weigh each layer by how often it occurs: the least time that a step of the model
 * spends in weighted layers, and the rate and share that come of it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "bench/arguments.h"
#include "bench/machine.h"
#include "bench/single.h"
#include "core/peak.h"

#include "report/json.h"
#include "trainer/config.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROWS_MAX = 1024, FORMS = 4 };

static const double CEILING_SECONDS = 0.1;

/* The four timed computations. */
static const struct {
    const char *name;
    bool quantize, backward;
    Arithmetic arithmetic; /* whose ceiling is its ceiling */
} forms[FORMS] = {
    {"F forward", false, false, ARITHMETIC_FLOAT},
    {"F backward", false, true, ARITHMETIC_FLOAT},
    {"Q forward", true, false, ARITHMETIC_INT8},
    {"Q backward", true, true, ARITHMETIC_INT16},
};

typedef struct Options {
    int threads, batch;
    double seconds;
    const char *level;
    bool json;
} Options;

/* A distinct layer of a model, measured. */
typedef struct Row {
    const char *model, *layer; /* in the arena */
    char shape[64];
    int batch, times;
    int64_t macs;
    double ms[FORMS], operations[FORMS];
} Row;

typedef struct Bench {
    const Options *options;
    Compute compute;
    Arena arena;
    double others;                    /* processors that other programs used */
    double ceiling[ARITHMETIC_KINDS]; /* GOP/s with these threads; 0: unknown */
    Row rows[ROWS_MAX];
    int count;
} Bench;

/* Multiply-accumulates count twice; backward makes two products, of a model's first layer one. */
static double operations_of(const LayerShape *s, int batch, bool backward)
{
    double forward = 2.0 * (double)s->macs * batch;
    return backward && !s->first ? 2 * forward : forward;
}

static double rate_of(double operations, double ms)
{
    return ms > 0 ? 1e-6 * operations / ms : 0;
}

/* Of the ceiling, 0..1; 0 where there is none to hold it against (level ref). */
static double share_of(const Bench *b, int form, double rate)
{
    double ceiling = b->ceiling[forms[form].arithmetic];
    return ceiling > 0 ? rate / ceiling : 0;
}

/* ---- measuring ---- */

/* Measured again with every model, because a disturbance may outlast one measurement. */
static int raise_ceilings(Bench *b, Error *e)
{
    Peaks p;
    int status = peaks_open(&p, b->options->threads, e);
    if (status != HONE_OK)
        return status;
    for (int f = 0; f < FORMS; f++) {
        const PeakLoop *loop = peaks_loop_of(b->compute.integer->name, forms[f].arithmetic);
        double best = loop ? peaks_arithmetic(&p, loop, CEILING_SECONDS).best : 0;
        if (best > b->ceiling[forms[f].arithmetic])
            b->ceiling[forms[f].arithmetic] = best;
    }
    peaks_close(&p);
    return HONE_OK;
}

static int measure_layer(Bench *b, const LayerShape *s, Row *row, Error *e)
{
    for (int f = 0; f < FORMS; f += 2) {
        const SingleOptions o = {.compute = &b->compute,
                                 .batch = row->batch,
                                 .quantize = forms[f].quantize,
                                 .seconds = b->options->seconds};
        SingleTime t;
        int status = single_measure(s, &o, &t, e);
        if (status != HONE_OK)
            return status;
        row->ms[f] = t.forward_ms;
        row->ms[f + 1] = t.backward_ms;
    }
    for (int f = 0; f < FORMS; f++)
        row->operations[f] = operations_of(s, row->batch, forms[f].backward);
    return HONE_OK;
}

static int measure_layers(Bench *b, const Graph *g, const RunOptions *o, Error *e)
{
    static LayerShape shapes[ROWS_MAX];
    const int count = single_shapes(g, shapes, ROWS_MAX - b->count);
    const char *model = arena_text(&b->arena, o->name);
    for (int i = 0; i < count; i++) {
        Row *row = &b->rows[b->count];
        *row = (Row){.model = model,
                     .layer = arena_text(&b->arena, shapes[i].node->name),
                     .batch = b->options->batch ? b->options->batch : (int)o->train.batch,
                     .times = shapes[i].count,
                     .macs = shapes[i].macs};
        if (!row->model || !row->layer)
            return error_memory(e, "the names of layers", 0);
        single_text(shapes[i].node, row->shape, sizeof row->shape);
        int status = measure_layer(b, &shapes[i], row, e);
        if (status != HONE_OK)
            return status;
        b->count++;
    }
    return raise_ceilings(b, e);
}

static int measure_model(Bench *b, const char *path, Error *e)
{
    Config config;
    Graph g;
    Model model;
    int status = config_load(&config, path, NULL, 0, e);
    if (status != HONE_OK)
        return status;
    graph_init(&g);
    status = model_build(&g, &config.options->model, NULL, &model, e);
    if (status == HONE_OK)
        status = measure_layers(b, &g, config.options, e);
    graph_release(&g);
    config_release(&config);
    return status;
}

/* ---- printing ---- */

static void add_cells(const Bench *b, const double *ms, const double *operations, Text *out)
{
    for (int f = 0; f < FORMS; f++) {
        double rate = rate_of(operations[f], ms[f]), share = share_of(b, f, rate);
        text_printf(out, " %.*f", rate < 10 ? 1 : 0, rate);
        if (share > 0)
            text_printf(out, ", %.0f %%", 100 * share);
        text_add(out, " |");
    }
    text_add(out, "\n");
}

static void add_heading(const Row *row, Text *out)
{
    text_printf(out, "\n%s, batch %d: GOP/s, share of the ceiling\n\n| layer | times | MMAC |",
                row->model, row->batch);
    for (int f = 0; f < FORMS; f++)
        text_printf(out, " %s |", forms[f].name);
    text_add(out, "\n|---|--:|--:|--:|--:|--:|--:|\n");
}

/* The rows of one model, from row `first`; returns the first of the next. */
static int add_model(const Bench *b, int first, Text *out)
{
    double ms[FORMS] = {0}, operations[FORMS] = {0};
    int i = first;
    add_heading(&b->rows[first], out);
    for (; i < b->count && b->rows[i].model == b->rows[first].model; i++) {
        const Row *row = &b->rows[i];
        text_printf(out, "| %s | %d | %.2f |", row->shape, row->times, 1e-6 * (double)row->macs);
        add_cells(b, row->ms, row->operations, out);
        for (int f = 0; f < FORMS; f++) {
            ms[f] += row->times * row->ms[f];
            operations[f] += row->times * row->operations[f];
        }
    }
    text_add(out, "| **all** | | |");
    add_cells(b, ms, operations, out);
    text_add(out, "| ms of a step | | |");
    for (int f = 0; f < FORMS; f++)
        text_printf(out, " %.2f |", ms[f]);
    text_add(out, "\n");
    return i;
}

static void add_tables(const Bench *b, const char *machine, Text *out)
{
    const int threads = threads_count(b->compute.threads);
    text_printf(out, "%s, %s kernels, %d thread%s", machine, b->compute.integer->name, threads,
                text_plural(threads));
    if (b->ceiling[ARITHMETIC_FLOAT] > 0)
        text_printf(out, "; ceilings: float %.0f, int8 %.0f, int16 %.0f GOP/s",
                    b->ceiling[ARITHMETIC_FLOAT], b->ceiling[ARITHMETIC_INT8],
                    b->ceiling[ARITHMETIC_INT16]);
    text_printf(out, ". Other programs used %.2f processors.\n", b->others);
    for (int i = 0; i < b->count;)
        i = add_model(b, i, out);
}

static void add_json_row(const Bench *b, const Row *row, Json *j)
{
    json_open(j, NULL, '{');
    json_text(j, "model", row->model);
    json_text(j, "layer", row->layer);
    json_text(j, "shape", row->shape);
    json_whole(j, "batch", row->batch);
    json_whole(j, "times", row->times);
    json_whole(j, "macs", row->macs);
    for (int f = 0; f < FORMS; f++) {
        char form[16];
        double rate = rate_of(row->operations[f], row->ms[f]);
        snprintf(form, sizeof form, "%c_%s", forms[f].quantize ? 'q' : 'f',
                 forms[f].backward ? "backward" : "forward");
        json_open(j, form, '{');
        json_real(j, "ms", row->ms[f]);
        json_real(j, "gops", rate);
        json_real(j, "share", share_of(b, f, rate));
        json_close(j);
    }
    json_close(j);
}

static void add_json(const Bench *b, const char *machine, Text *out)
{
    Json j = {.out = out};
    json_open(&j, NULL, '{');
    json_text(&j, "machine", machine);
    json_text(&j, "kernels", b->compute.integer->name);
    json_whole(&j, "threads", threads_count(b->compute.threads));
    json_real(&j, "others", b->others);
    json_real(&j, "float_ceiling", b->ceiling[ARITHMETIC_FLOAT]);
    json_real(&j, "int8_ceiling", b->ceiling[ARITHMETIC_INT8]);
    json_real(&j, "int16_ceiling", b->ceiling[ARITHMETIC_INT16]);
    json_open(&j, "layers", '[');
    for (int i = 0; i < b->count; i++)
        add_json_row(b, &b->rows[i], &j);
    json_close(&j);
    json_close(&j);
}

static int print(const Bench *b, Error *e)
{
    char machine[128];
    Text out = {0};
    machine_name(machine, sizeof machine);
    if (b->options->json)
        add_json(b, machine, &out);
    else
        add_tables(b, machine, &out);
    int status = text_failed(&out) ? error_memory(e, "the tables", out.room) : HONE_OK;
    if (status == HONE_OK)
        fputs(text_string(&out), stdout);
    text_release(&out);
    return status;
}

static int run(const Options *o, const Words *paths, Error *e)
{
    static Bench b;
    b.options = o;
    int status = compute_open(&b.compute, o->threads, o->level, e);
    if (status != HONE_OK)
        return status;
    const MachineUse before = machine_use();
    status = raise_ceilings(&b, e);
    for (int i = 0; i < paths->count && status == HONE_OK; i++)
        status = measure_model(&b, paths->list[i], e);
    b.others = machine_others(before, machine_use());
    if (status == HONE_OK)
        status = print(&b, e);
    compute_close(&b.compute);
    arena_release(&b.arena);
    return status;
}

int main(int argc, char **argv)
{
    Options o = {.threads = 1, .seconds = 0.1, .level = getenv("HONE_CPU")};
    Error e = {0};
    Words paths;
    bool help;
    const Argument arguments[] = {
        {.name = "--threads", .number = &o.threads, .help = "1 unless told; 0: all processors"},
        {.name = "--batch", .number = &o.batch, .help = "0, the default: as the CONFIG says"},
        {.name = "--seconds", .real = &o.seconds, .help = "for each layer and form; 0.1"},
        {.name = "--level", .text = &o.level, .help = "of the kernels: ref, avx2, avx512"},
        {.name = "--json", .flag = &o.json, .help = "one JSON object instead of tables"},
        {0},
    };
    if (!arguments_read(arguments, "nodes [FLAG...] CONFIG...", argc, argv, &paths, &help))
        return help ? 0 : 2;
    if (paths.count == 0) {
        fprintf(stderr, "nodes: which models? For example configs/bench/resnet8.yaml\n");
        return 2;
    }
    if (run(&o, &paths, &e) != HONE_OK) {
        fprintf(stderr, "nodes: %s\n", e.text);
        return 1;
    }
    return 0;
}
