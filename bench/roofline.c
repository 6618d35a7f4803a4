/* The ceilings of this machine, with one thread and with all: float, int8 and bf16 arithmetic, memory,
 * OpenBLAS. `make roofline` builds and runs it. Prints a Markdown table, or with --json one object.
 *
 * It is no benchmark of Hone: bench/nodes.c holds Hone's kernels against these figures.
 * SPDX-License-Identifier: Apache-2.0 */
#include "bench/arguments.h"
#include "bench/machine.h"
#include "core/peak.h"

#include "report/json.h"

#include <stdio.h>

enum { ROWS_MAX = 32, COLUMNS = 2, GEMM_SIZE = 768 };

typedef struct Row {
    char name[64];
    const char *unit;
    Rate rate[COLUMNS];
} Row;

typedef struct Table {
    int threads[COLUMNS], columns;
    Row rows[ROWS_MAX];
    int count;     /* of rows, while a column is measured the next one */
    double others; /* processors that other programs used */
} Table;

typedef struct Options {
    int threads;
    double seconds; /* per figure */
    double megabytes;
    bool json;
} Options;

static void put(Table *t, int column, const char *name, const char *unit, Rate rate)
{
    Row *row = &t->rows[t->count++];
    snprintf(row->name, sizeof row->name, "%s", name);
    row->unit = unit;
    row->rate[column] = rate;
}

static void measure_arithmetic(Table *t, int column, const Peaks *p, double seconds)
{
    const PeakLoop *loops[ROWS_MAX / 2];
    int n = peaks_loops(loops, ROWS_MAX / 2);
    for (int i = 0; i < n; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s, %d bits", loops[i]->name, loops[i]->bits);
        put(t, column, name, "GOP/s", peaks_arithmetic(p, loops[i], seconds));
    }
}

static int measure_memory(Table *t, int column, const Peaks *p, const Options *o, Error *e)
{
    static const char *const names[] = {
        [MEMORY_READ] = "read", [MEMORY_COPY] = "copy", [MEMORY_TRIAD] = "triad"};
    for (int loop = MEMORY_READ; loop <= MEMORY_TRIAD; loop++) {
        Rate rate;
        char name[64];
        int status = peaks_memory(p, (MemoryLoop)loop, (size_t)(o->megabytes * (1 << 20)),
                                  o->seconds, &rate, e);
        if (status != HONE_OK)
            return status;
        snprintf(name, sizeof name, "memory %s, %g MiB each", names[loop], o->megabytes);
        put(t, column, name, "GB/s", rate);
    }
    return HONE_OK;
}

static int measure(Table *t, int column, const Options *o, Error *e)
{
    Peaks p;
    Rate rate;
    char name[64];
    int status = peaks_open(&p, t->threads[column], e);
    if (status != HONE_OK)
        return status;
    t->threads[column] = threads_count(p.threads);
    t->count = 0;
    measure_arithmetic(t, column, &p, o->seconds);
    status = peaks_gemm(&p, GEMM_SIZE, o->seconds, &rate, e);
    if (status != HONE_OK)
        goto done;
    snprintf(name, sizeof name, "sgemm %d, %.40s", GEMM_SIZE, p.blas.core);
    put(t, column, name, "GOP/s", rate);
    status = measure_memory(t, column, &p, o, e);
done:
    peaks_close(&p);
    return status;
}

static void add_table(const Table *t, Text *out)
{
    text_add(out, "| ceiling | unit |");
    for (int c = 0; c < t->columns; c++)
        text_printf(out, " %d thread%s |", t->threads[c], text_plural(t->threads[c]));
    text_add(out, "\n|---|---|");
    for (int c = 0; c < t->columns; c++)
        text_add(out, "--:|");
    text_add(out, "\n");
    for (int i = 0; i < t->count; i++) {
        const Row *r = &t->rows[i];
        text_printf(out, "| %s | %s |", r->name, r->unit);
        for (int c = 0; c < t->columns; c++)
            text_printf(out, " %.*f |", r->rate[c].best < 100 ? 1 : 0, r->rate[c].best);
        text_add(out, "\n");
    }
}

static void add_json(const Table *t, const char *machine, Text *out)
{
    Json j = {.out = out};
    json_open(&j, NULL, '{');
    json_text(&j, "machine", machine);
    json_real(&j, "others", t->others);
    json_open(&j, "ceilings", '[');
    for (int i = 0; i < t->count; i++)
        for (int c = 0; c < t->columns; c++) {
            const Row *r = &t->rows[i];
            json_open(&j, NULL, '{');
            json_text(&j, "name", r->name);
            json_text(&j, "unit", r->unit);
            json_whole(&j, "threads", t->threads[c]);
            json_real(&j, "best", r->rate[c].best);
            json_real(&j, "median", r->rate[c].median);
            json_close(&j);
        }
    json_close(&j);
    json_close(&j);
}

static int run(const Options *o, Error *e)
{
    static Table t;
    char machine[128];
    Text out = {0};
    const MachineUse before = machine_use();
    t.threads[t.columns++] = 1;
    if (o->threads != 1)
        t.threads[t.columns++] = o->threads;
    for (int c = 0; c < t.columns; c++) {
        int status = measure(&t, c, o, e);
        if (status != HONE_OK)
            return status;
        if (c > 0 && t.threads[c] == 1) /* a machine of one processor */
            t.columns = c;
    }
    t.others = machine_others(before, machine_use());
    machine_name(machine, sizeof machine);
    if (o->json)
        add_json(&t, machine, &out);
    else
        add_table(&t, &out);
    if (!o->json)
        printf(
            "%s, best of %g s each; a multiply-accumulate is two operations. Other programs used "
            "%.2f processors.\n\n",
            machine, o->seconds, t.others);
    fputs(text_string(&out), stdout);
    int status = text_failed(&out) ? error_memory(e, "the table", out.room) : HONE_OK;
    text_release(&out);
    return status;
}

int main(int argc, char **argv)
{
    Options o = {.threads = 0, .seconds = 0.3, .megabytes = 256};
    Error e = {0};
    Words words;
    bool help;
    const Argument arguments[] = {
        {.name = "--threads", .number = &o.threads, .help = "besides 1; 0, the default: all"},
        {.name = "--seconds", .real = &o.seconds, .help = "to measure each figure; 0.3"},
        {.name = "--megabytes", .real = &o.megabytes, .help = "of each array in memory; 256"},
        {.name = "--json", .flag = &o.json, .help = "one JSON object instead of a table"},
        {0},
    };
    if (!arguments_read(arguments, "roofline [FLAG...]", argc, argv, &words, &help))
        return help ? 0 : 2;
    if (run(&o, &e) != HONE_OK) {
        fprintf(stderr, "roofline: %s\n", e.text);
        return 1;
    }
    return 0;
}
