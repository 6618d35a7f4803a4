/* SVG by hand: see chart.h. SPDX-License-Identifier: Apache-2.0 */
#include "report/chart.h"

#include "report/html.h"

#include <math.h>
#include <string.h>

/* The plane of a chart, in SVG units, and the room that its numbers take. */
enum { WIDTH = 520, HEIGHT = 270, LEFT = 56, RIGHT = 20, TOP = 26, BOTTOM = 40, POINTS = 300 };
/* A letter of a mark's name, on average, and the room between two names. */
enum { LETTER = 7, NAME_GAP = 6 };
enum { SMALL_WIDTH = 96, SMALL_HEIGHT = 22 };

typedef struct Range {
    double low, high;
} Range;

typedef struct Plane {
    Range x, y;
} Plane;

static double x_of(const Plane *p, double x)
{
    return LEFT + (x - p->x.low) / (p->x.high - p->x.low) * (WIDTH - LEFT - RIGHT);
}

static double y_of(const Plane *p, double y)
{
    return HEIGHT - BOTTOM - (y - p->y.low) / (p->y.high - p->y.low) * (HEIGHT - TOP - BOTTOM);
}

static void widen(Range *r, double v)
{
    r->low = v < r->low ? v : r->low;
    r->high = v > r->high ? v : r->high;
}

/* 1, 2 or 5 times a power of ten: the least that gives at most `most` steps. */
static double tick_step(Range r, int most)
{
    const double raw = (r.high - r.low) / most, ten = pow(10, floor(log10(raw)));
    const double part = raw / ten;
    return ten * (part <= 1 ? 1 : part <= 2 ? 2 : part <= 5 ? 5 : 10);
}

/* Rounds outward to whole steps; an empty range gets some room. */
static double settle(Range *r, int most)
{
    if (!(r->high > r->low)) {
        const double room = r->low != 0 ? fabs(r->low) / 2 : 0.5;
        r->low -= room;
        r->high += room;
    }
    const double step = tick_step(*r, most);
    r->low = floor(r->low / step) * step;
    r->high = ceil(r->high / step) * step;
    return step;
}

static bool measure(const Chart *c, Plane *p)
{
    *p = (Plane){{INFINITY, -INFINITY}, {INFINITY, -INFINITY}};
    for (int s = 0; s < c->series_count; s++)
        for (size_t i = 0; i < c->series[s].count; i++)
            if (isfinite(c->series[s].y[i])) {
                widen(&p->x, c->series[s].x[i]);
                widen(&p->y, c->series[s].y[i]);
            }
    return isfinite(p->x.low);
}

/* The number of a tick: enough digits after the point to tell ticks so far apart from each other. */
static void add_tick(Text *t, double v, double step)
{
    const double digits = fmax(0, -floor(log10(step) + 1e-9));
    if (digits <= 5 && fabs(v) < 1e6)
        text_printf(t, "%.*f", (int)digits, v);
    else
        text_printf(t, "%.5g", v);
}

static void add_grid(Text *t, const Chart *c, const Plane *p, double x_step, double y_step)
{
    for (int i = 0; p->y.low + i * y_step <= p->y.high + y_step / 2; i++) {
        const double v = p->y.low + i * y_step, y = y_of(p, v);
        text_printf(t, "<line class=grid x1=%d x2=%d y1=%.1f y2=%.1f />", LEFT, WIDTH - RIGHT, y,
                    y);
        const double shown = fabs(v) < y_step / 1e6 ? 0 : v, unit = c->percent ? 100 : 1;
        text_printf(t, "<text x=%d y=%.1f text-anchor=end>", LEFT - 6, y + 4);
        add_tick(t, unit * shown, unit * y_step);
        text_printf(t, "%s</text>", c->percent ? " %" : "");
    }
    for (int i = 0; p->x.low + i * x_step <= p->x.high + x_step / 2; i++) {
        const double v = p->x.low + i * x_step;
        text_printf(t, "<text x=%.1f y=%d text-anchor=middle>%.6g</text>", x_of(p, v),
                    HEIGHT - BOTTOM + 16, v);
    }
    text_printf(t, "<text x=%d y=%d text-anchor=end>", WIDTH - RIGHT, HEIGHT - 6);
    html_add(t, c->x_title);
    text_add(t, "</text>");
}

/* A name that would run into the one before is left out; its line stays. */
static void add_marks(Text *t, const Chart *c, const Plane *p)
{
    double taken = 0;
    for (int i = 0; i < c->mark_count; i++) {
        const double at = c->marks[i].x;
        if (at < p->x.low || at > p->x.high)
            continue;
        const double x = x_of(p, at);
        text_printf(t, "<line class=mark x1=%.1f x2=%.1f y1=%d y2=%d />", x, x, TOP,
                    HEIGHT - BOTTOM);
        if (x < taken)
            continue;
        taken = x + NAME_GAP + (double)strlen(c->marks[i].name) * LETTER;
        text_printf(t, "<text class=mark x=%.1f y=%d>", x + 3, TOP + 10);
        html_add(t, c->marks[i].name);
        text_add(t, "</text>");
    }
}

/* One point per group: the means of its finite numbers. One alone gets a dot. */
static void add_line(Text *t, const ChartSeries *s, const Plane *p, int color)
{
    const size_t group = (s->count + POINTS - 1) / POINTS;
    double last_x = 0, last_y = 0;
    int points = 0;
    text_printf(t, "<polyline class=s%d points=\"", color);
    for (size_t first = 0; first < s->count; first += group) {
        double x = 0, y = 0;
        int n = 0;
        for (size_t i = first; i < first + group && i < s->count; i++)
            if (isfinite(s->y[i])) {
                x += s->x[i];
                y += s->y[i];
                n++;
            }
        if (n == 0)
            continue;
        last_x = x / n;
        last_y = y / n;
        points++;
        text_printf(t, "%.1f,%.1f ", x_of(p, last_x), y_of(p, last_y));
    }
    text_add(t, "\" />");
    if (points == 1)
        text_printf(t, "<circle class=s%d cx=%.1f cy=%.1f r=3 />", color, x_of(p, last_x),
                    y_of(p, last_y));
}

static void add_caption(Text *t, const Chart *c)
{
    text_add(t, "<figcaption>");
    html_add(t, c->title);
    for (int s = 0; s < c->series_count; s++) {
        text_printf(t, " <span class=k%d></span>", s);
        html_add(t, c->series[s].name);
    }
    text_add(t, "</figcaption>");
}

void chart_add(Text *t, const Chart *c)
{
    Plane p;
    if (!measure(c, &p))
        return;
    const double x_step = settle(&p.x, 6), y_step = settle(&p.y, 6);
    text_add(t, "<figure>");
    add_caption(t, c);
    text_printf(t, "<svg viewBox=\"0 0 %d %d\" role=img>", WIDTH, HEIGHT);
    add_grid(t, c, &p, x_step, y_step);
    add_marks(t, c, &p);
    for (int s = 0; s < c->series_count; s++)
        add_line(t, &c->series[s], &p, s);
    text_add(t, "</svg></figure>\n");
}

/* Heights are square roots, so that the tails can be seen. */
void chart_add_histogram(Text *t, const Histogram *h)
{
    int64_t most = 1;
    for (int i = 0; i < HISTOGRAM_BINS; i++)
        most = h->bins[i] > most ? h->bins[i] : most;
    text_printf(t, "<svg class=small viewBox=\"0 0 %d %d\"><path d=\"M0,%d", SMALL_WIDTH,
                SMALL_HEIGHT, SMALL_HEIGHT);
    for (int i = 0; i < HISTOGRAM_BINS; i++) {
        const double height = sqrt((double)h->bins[i] / (double)most) * SMALL_HEIGHT;
        text_printf(t, "V%.1fH%.1f", SMALL_HEIGHT - height,
                    (double)SMALL_WIDTH * (i + 1) / HISTOGRAM_BINS);
    }
    text_printf(t, "V%dZ\" /></svg>", SMALL_HEIGHT);
}
