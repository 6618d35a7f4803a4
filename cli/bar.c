/* The line in place: see bar.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/bar.h"

#include "report/show.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BAR_MIN    10
#define BAR_MAX    40
#define FIELDS_MAX 8

/* Pieces of the line with the width they take; the bar comes behind the first. */
typedef struct Fields {
    char text[FIELDS_MAX][48];
    int rank[FIELDS_MAX]; /* the highest goes first when room is short; 0: always there */
    int count;
} Fields;

static void field(Fields *f, int rank, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void field(Fields *f, int rank, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(f->text[f->count], sizeof f->text[0], format, arguments);
    va_end(arguments);
    f->rank[f->count++] = rank;
}

static void drop(Fields *f, int i)
{
    f->count--;
    size_t behind = (size_t)(f->count - i);
    memmove(f->text + i, f->text + i + 1, behind * sizeof f->text[0]);
    memmove(f->rank + i, f->rank + i + 1, behind * sizeof f->rank[0]);
}

/* Drops fields until the line fits beside a bar; returns the bar's width, 0 for none. */
static int fit(Fields *f, int width)
{
    for (;;) {
        int used = 0, last = 0;
        for (int i = 0; i < f->count; i++) {
            used += terminal_text_width(f->text[i]) + 2;
            if (f->rank[i] > f->rank[last])
                last = i;
        }
        int room = width - used;
        if (room >= BAR_MIN)
            return room < BAR_MAX ? room : BAR_MAX;
        if (f->rank[last] == 0)
            return 0;
        drop(f, last);
    }
}

static void repeat(Text *out, const char *s, int n)
{
    for (int i = 0; i < n; i++)
        text_add(out, s);
}

static void add_bar(double share, const Terminal *t, int width, Text *out)
{
    int full = (int)(share * width + 1e-9);
    full = full < 0 ? 0 : full > width ? width : full;
    repeat(out, t->utf8 ? "\u2501" : "=", full);
    text_add(out, t->color ? "\033[2m" : "");
    repeat(out, t->utf8 ? "\u2500" : "-", width - full);
    text_add(out, t->color ? "\033[0m" : "");
}

static void add_line(Fields *f, double share, const Terminal *t, int width, Text *out)
{
    int bar = fit(f, width);
    for (int i = 0; i < f->count; i++) {
        text_printf(out, "%s%s", i > 0 ? "  " : "", f->text[i]);
        if (i == 0 && bar > 0) {
            text_add(out, "  ");
            add_bar(share, t, bar, out);
        }
    }
}

void bar_step(const StepReport *r, const Terminal *t, int width, Text *out)
{
    Fields f = {.count = 0};
    /* Every field keeps its width, so that nothing moves from one drawing to the next. */
    char epochs[24], steps[24];
    snprintf(epochs, sizeof epochs, "%" PRId64, r->epochs);
    snprintf(steps, sizeof steps, "%" PRId64, r->total);
    field(&f, 0, "epoch %*" PRId64 "/%s", (int)strlen(epochs), r->epoch + 1, epochs);
    field(&f, 3, "step %*" PRId64 "/%s", (int)strlen(steps), r->step, steps);
    field(&f, 2, "loss %.4f", r->mean_loss);
    if (r->accuracy >= 0)
        field(&f, 4, "acc %5.1f %%", 100 * r->accuracy);
    field(&f, 6, "lr %-7.2g", r->lr);
    field(&f, 5, "%7s images/s", show_whole((int64_t)r->images_per_s).text);
    field(&f, 1, "%5s left", show_clock(r->seconds_left).text);
    add_line(&f, (double)r->step / (double)r->total, t, width, out);
}

void bar_progress(const char *what, int64_t done, int64_t all, const Terminal *t, int width,
                  Text *out)
{
    Fields f = {.count = 0};
    field(&f, 0, "%s", what);
    field(&f, 1, "%s of %s", show_whole(done).text, show_whole(all).text);
    add_line(&f, all > 0 ? (double)done / (double)all : 0, t, width, out);
}
