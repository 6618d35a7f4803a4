/* A run on the screen: see board.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/board.h"

#include "cli/bar.h"
#include "core/clock.h"
#include "report/show.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define REDRAW_SECONDS 0.1

/* ---- the line in place ---------------------------------------------------------------------- */

/* One write each: a terminal shows the old line or the new one, nothing between. */
static void draw(Board *b)
{
    if (b->drawn.length > 0)
        fprintf(stderr, "\r%s\033[K", b->drawn.data);
}

static void erase(const Board *b)
{
    if (b->drawn.length > 0)
        fputs("\r\033[K", stderr);
}

/* Whether it is time to draw: not too often. Empties the line to be filled anew. */
static bool begin(Board *b, bool last)
{
    double t = clock_seconds();
    if (b->quiet || !b->bar.present || (!last && t - b->drawn_at < REDRAW_SECONDS))
        return false;
    b->drawn_at = t;
    b->drawn.length = 0;
    text_add(&b->drawn, "");
    return true;
}

/* The last column stays free: writing it would move some terminals to the next line. */
static int columns(void)
{
    return terminal_width(stderr) - 1;
}

/* ---- lines that stay ------------------------------------------------------------------------ */

void board_line(Board *b, const char *format, ...)
{
    if (b->quiet)
        return;
    va_list arguments;
    va_start(arguments, format);
    erase(b);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
    draw(b);
}

static const char *strong(const Board *b)
{
    return b->lines.color ? "\033[1m" : "";
}

static const char *weak(const Board *b)
{
    return b->lines.color ? "\033[2m" : "";
}

static const char *plain(const Board *b)
{
    return b->lines.color ? "\033[0m" : "";
}

/* ---- reports -------------------------------------------------------------------------------- */

static void on_message(void *context, const char *text)
{
    board_line(context, "  %s", text);
}

static void on_phase(void *context, const PhaseReport *r)
{
    Board *b = context;
    board_line(b, "%s%s%s from step %s: %s", strong(b), r->phase, plain(b),
               show_whole(r->step).text, r->text);
}

static void on_step(void *context, const StepReport *r)
{
    Board *b = context;
    if (!begin(b, r->step == r->total))
        return;
    bar_step(r, &b->bar, columns(), &b->drawn);
    draw(b);
}

static void on_progress(void *context, const char *what, int64_t done, int64_t all)
{
    Board *b = context;
    if (!begin(b, false))
        return;
    bar_progress(what, done, all, &b->bar, columns(), &b->drawn);
    draw(b);
}

/* 75 columns: what an epoch needs to be judged by. */
static void heading(Board *b, bool classes)
{
    if (!b->headed)
        board_line(b, "%s  %-7s  %-6s  %10s  %8s  %9s  %8s  %4s  %7s%s", weak(b), "epoch", "phase",
                   "train loss", classes ? "accuracy" : "", "test loss",
                   classes ? "accuracy" : "AUC", "", "time", plain(b));
    b->headed = true;
}

/* 8 columns at most; empty where it was not measured. */
static void judge(const Figures *f, char *text, size_t size)
{
    if (f->accuracy >= 0)
        snprintf(text, size, "%s", show_percent(f->accuracy).text);
    else if (f->auc >= 0)
        snprintf(text, size, "%.4f", f->auc);
}

static void on_epoch(void *context, const EpochReport *r)
{
    Board *b = context;
    char epoch[48], loss[24] = "", train[48] = "", test[48] = "";
    heading(b, r->train_accuracy >= 0);
    snprintf(epoch, sizeof epoch, "%" PRId64 "/%" PRId64, r->epoch + 1, r->epochs);
    if (r->evaluated) {
        snprintf(loss, sizeof loss, "%.4f", r->test_loss);
        judge(&r->test_figures, test, sizeof test);
    }
    judge(&(Figures){r->train_accuracy, FIGURE_NONE, FIGURE_NONE}, train, sizeof train);
    board_line(b, "  %-7s  %-6s  %10.4f  %8s  %9s  %s%8s%s  %4s  %7s", epoch, r->phase,
               r->train_loss, train, loss, strong(b), test, plain(b), r->best ? "best" : "",
               show_clock(r->seconds).text);
}

/* ---- */

void board_open(Board *b, bool quiet)
{
    *b = (Board){.quiet = quiet, .lines = terminal_open(stdout), .bar = terminal_open(stderr)};
}

void board_close(Board *b)
{
    erase(b);
    text_release(&b->drawn);
}

TrainEvents board_events(Board *b)
{
    return (TrainEvents){.context = b,
                         .message = on_message,
                         .phase = on_phase,
                         .step = on_step,
                         .epoch = on_epoch,
                         .progress = on_progress};
}
