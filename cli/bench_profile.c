/* Tables of a step's parts: see bench_profile.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/bench_profile.h"

#include "cli/table.h"
#include "core/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double SMALL_SHARE = 1e-3; /* of the step, in one line with others */
static const double CLOCK_MS = 5e-4;    /* what is shorter has no rates */

static const char *const phase_names[BENCH_PHASES] = {[BENCH_DATA] = "data",
                                                      [BENCH_FORWARD] = "forward",
                                                      [BENCH_BACKWARD] = "backward",
                                                      [BENCH_OPTIMIZER] = "optimizer",
                                                      [BENCH_FINISH] = "finish"};

/* ---- figures -------------------------------------------------------------------------------- */

static void add_part(BenchPart *sum, const BenchPart *p)
{
    sum->ms += p->ms;
    sum->macs += p->macs;
    sum->bytes += p->bytes;
    sum->least_ms += p->least_ms;
}

static double step_ms(const BenchResult *r)
{
    double all = 0;
    for (int p = 0; p < BENCH_PHASES; p++)
        all += r->phases[p].ms;
    return all;
}

static double cost_ms(const BenchCost *c)
{
    return c->forward.ms + c->backward.ms + c->finish_ms;
}

/* Giga-operations per second, NAN where there is nothing to say. */
static double gops_of(const BenchPart *p)
{
    return p->macs > 0 && p->ms >= CLOCK_MS ? 2e-6 * (double)p->macs / p->ms : NAN;
}

static double share_of(const BenchPart *p)
{
    return p->least_ms > 0 && p->ms >= CLOCK_MS ? p->least_ms / p->ms : NAN;
}

/* ---- text ----------------------------------------------------------------------------------- */

/* A blank cell where there is nothing to say. */
static void add_number(Table *t, bool known, int digits, double value)
{
    if (known)
        table_cell(t, "%.*f", digits, value);
    else
        table_cell(t, "%s", "");
}

/* Four cells: ms, MB, GOP/s, share of the ceiling and which it is. */
static void add_cells(Table *t, const BenchPart *p)
{
    const double gops = gops_of(p), share = share_of(p);
    const char *limit = !p->limit ? "" : strcmp(p->limit, "memory") == 0 ? " mem" : p->limit;
    add_number(t, p->ms > 0, 3, p->ms);
    add_number(t, p->bytes > 0, 1, 1e-6 * (double)p->bytes);
    add_number(t, !isnan(gops), 0, gops);
    if (isnan(share))
        table_cell(t, "%s", "");
    else
        table_cell(t, "%.0f %% %5s", 100 * share, limit);
}

static void add_share(Table *t, double ms, double all)
{
    table_cell(t, "%.1f %%", all > 0 ? 100 * ms / all : 0);
}

static void add_phases(const BenchResult *r, Text *out)
{
    static const char *const headings[] = {"phase", "ms", "MB", "GOP/s", "ceiling", "step"};
    const double all = step_ms(r);
    BenchPart sum = {0};
    Table t;
    table_init(&t, "lrrrrr", headings);
    for (int p = 0; p < BENCH_PHASES; p++) {
        table_cell(&t, "%s", phase_names[p]);
        add_cells(&t, &r->phases[p]);
        add_share(&t, r->phases[p].ms, all);
        add_part(&sum, &r->phases[p]);
    }
    table_rule(&t);
    table_cell(&t, "%s", "all");
    add_cells(&t, &sum);
    add_share(&t, sum.ms, all);
    text_add(out, "\n");
    table_print(&t, out);
    table_release(&t);
}

static void add_row(Table *t, const BenchPart *forward, const BenchPart *backward, double ms,
                    double all)
{
    add_cells(t, forward);
    add_cells(t, backward);
    add_share(t, ms, all);
}

static void add_nodes(const BenchResult *r, Text *out)
{
    static const char *const headings[] = {"node",     "forward", "MB",    "GOP/s",   "ceiling",
                                           "backward", "MB",      "GOP/s", "ceiling", "step"};
    const double all = step_ms(r);
    BenchPart forward = {0}, backward = {0};
    double rest = 0;
    int small = 0;
    Table t;
    table_init(&t, "lrrrrrrrrr", headings);
    for (int i = 0; i < r->cost_count; i++) {
        const BenchCost *c = &r->costs[i];
        if (cost_ms(c) < SMALL_SHARE * all) {
            add_part(&forward, &c->forward);
            add_part(&backward, &c->backward);
            rest += cost_ms(c);
            small++;
            continue;
        }
        table_cell(&t, "%s", c->name);
        add_row(&t, &c->forward, &c->backward, cost_ms(c), all);
    }
    if (small > 0) {
        table_cell(&t, "%d under 0.1 %% each", small);
        add_row(&t, &forward, &backward, rest, all);
    }
    text_add(out, "\n");
    table_print(&t, out);
    table_release(&t);
}

typedef struct KindCost {
    const char *kind;
    int nodes;
    BenchPart forward, backward;
    double ms;
} KindCost;

static int by_cost(const void *a, const void *b)
{
    const KindCost *x = a, *y = b;
    return (x->ms < y->ms) - (x->ms > y->ms);
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
        kinds[k].ms += cost_ms(c);
        add_part(&kinds[k].forward, &c->forward);
        add_part(&kinds[k].backward, &c->backward);
    }
    qsort(kinds, (size_t)count, sizeof *kinds, by_cost);
    return count;
}

static int add_kinds(const BenchResult *r, Text *out, Error *e)
{
    static const char *const headings[] = {"op",    "nodes",   "forward",  "MB",
                                           "GOP/s", "ceiling", "backward", "MB",
                                           "GOP/s", "ceiling", "step"};
    KindCost *kinds = calloc((size_t)r->cost_count + 1, sizeof *kinds);
    if (!kinds)
        return error_memory(e, "the profile", (size_t)r->cost_count * sizeof *kinds);
    int count = sum_kinds(r, kinds);
    Table t;
    table_init(&t, "lrrrrrrrrrr", headings);
    for (int k = 0; k < count; k++) {
        table_cell(&t, "%s", kinds[k].kind);
        table_cell(&t, "%d", kinds[k].nodes);
        add_row(&t, &kinds[k].forward, &kinds[k].backward, kinds[k].ms, step_ms(r));
    }
    text_add(out, "\n");
    table_print(&t, out);
    table_release(&t);
    free(kinds);
    return HONE_OK;
}

static void add_ceilings(const Ceilings *c, Text *out)
{
    text_add(out, "ceilings:");
    for (int a = 0; a < ARITHMETIC_KINDS; a++)
        if (c->gops[a] > 0)
            text_printf(out, " %s %.0f%s", arithmetic_name((Arithmetic)a), c->gops[a],
                        a == ARITHMETIC_KINDS - 1 ? " GOP/s," : ",");
    text_printf(out, " memory %.0f GB/s; times in ms\n", c->gbytes);
}

int bench_profile_text(const BenchResult *r, Text *out, Error *e)
{
    add_ceilings(&r->ceilings, out);
    add_phases(r, out);
    add_nodes(r, out);
    return add_kinds(r, out, e);
}

/* ---- JSON ----------------------------------------------------------------------------------- */

typedef struct Key {
    char text[32];
} Key;

/* "forward_ms" of a node, "ms" of a phase. */
static Key key_of(const char *phase, const char *name)
{
    Key k;
    snprintf(k.text, sizeof k.text, "%s%s%s", phase, *phase ? "_" : "", name);
    return k;
}

static void add_json_part(Json *j, const char *phase, const BenchPart *p)
{
    json_real(j, key_of(phase, "ms").text, p->ms);
    json_whole(j, key_of(phase, "macs").text, p->macs);
    json_whole(j, key_of(phase, "bytes").text, p->bytes);
    json_real(j, key_of(phase, "gops").text, gops_of(p));
    json_real(j, key_of(phase, "share").text, share_of(p));
    json_text(j, key_of(phase, "limit").text, p->least_ms > 0 ? p->limit : NULL);
}

void bench_profile_json(const BenchResult *r, Json *j)
{
    json_open(j, "ceilings", '{');
    for (int a = 0; a < ARITHMETIC_KINDS; a++)
        json_real(j, arithmetic_name((Arithmetic)a), r->ceilings.gops[a]);
    json_real(j, "memory", r->ceilings.gbytes);
    json_close(j);
    json_open(j, "phases", '[');
    for (int p = 0; p < BENCH_PHASES; p++) {
        json_open(j, NULL, '{');
        json_text(j, "name", phase_names[p]);
        add_json_part(j, "", &r->phases[p]);
        json_close(j);
    }
    json_close(j);
    json_open(j, "nodes", '[');
    for (int i = 0; i < r->cost_count; i++) {
        json_open(j, NULL, '{');
        json_text(j, "name", r->costs[i].name);
        json_text(j, "kind", r->costs[i].kind);
        add_json_part(j, "forward", &r->costs[i].forward);
        add_json_part(j, "backward", &r->costs[i].backward);
        json_real(j, "finish_ms", r->costs[i].finish_ms);
        json_close(j);
    }
    json_close(j);
}
