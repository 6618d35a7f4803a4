/* Scan conversion of outlines: see outline.h.
 *
 * Each pixel row is cut into SUBLINES horizontal lines. Every edge leaves its crossing with every
 * line it meets; the sorted crossings of a line pair up into spans, whose overlap with a pixel is
 * exact in x. Coverage is the sum over the pixel's lines: exact horizontally, sampled vertically.
 * Even-odd rule and scan lines: Foley, van Dam, Feiner, Hughes, "Computer Graphics: Principles and
 * Practice", 2nd ed., sec. 3.6. SPDX-License-Identifier: Apache-2.0 */
#include "datasets/outline.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

enum {
    SUBLINES = 4, /* per pixel row */
    LINE_STEP = PIXEL_UNIT / SUBLINES,
    LINES = RASTER_SIDE * SUBLINES,
    CROSSINGS_MAX = 16,          /* of one line; the outlines we draw have at most 8 */
    LAND_MIN = -32 * PIXEL_UNIT, /* so that products of two differences fit 31 bits */
    LAND_MAX = 64 * PIXEL_UNIT,
    TABLE_STEPS = 16 /* of the sine table, per quarter turn */
};

typedef struct Crossings {
    int count[LINES];
    int32_t x[LINES][CROSSINGS_MAX];
} Crossings;

/* sin(k / 16 * 90 degrees) * TRIG_UNIT; one entry more, so that interpolation may look ahead. */
static const int16_t quarter_sine[TABLE_STEPS + 2] = {0,     1606,  3196,  4756,  6270,  7723,
                                                      9102,  10394, 11585, 12665, 13623, 14449,
                                                      15137, 15679, 16069, 16305, 16384, 16305};

int turn_sin(int angle)
{
    int a = angle & (TURN - 1);
    bool negative = a >= TURN / 2;
    a &= TURN / 2 - 1;
    if (a > TURN / 4)
        a = TURN / 2 - a;
    int span = TURN / 4 / TABLE_STEPS;
    int low = quarter_sine[a / span], high = quarter_sine[a / span + 1];
    int value = low + (high - low) * (a % span) / span;
    return negative ? -value : value;
}

int turn_cos(int angle)
{
    return turn_sin(angle + TURN / 4);
}

static void add_point(Outline *o, int x, int y)
{
    assert(o->points < OUTLINE_POINTS_MAX);
    o->x[o->points] = x;
    o->y[o->points] = y;
    o->points++;
}

void outline_begin(Outline *o, int x, int y)
{
    assert(o->contours < OUTLINE_CONTOURS_MAX);
    o->first[o->contours++] = o->points;
    add_point(o, x, y);
}

void outline_line(Outline *o, int x, int y)
{
    assert(o->contours > 0);
    add_point(o, x, y);
}

static int arc_x(int x, int radius, int angle)
{
    return x + radius * turn_cos(angle * (TURN / 64)) / TRIG_UNIT;
}

static int arc_y(int y, int radius, int angle)
{
    return y + radius * turn_sin(angle * (TURN / 64)) / TRIG_UNIT;
}

void outline_arc(Outline *o, int x, int y, int radius, int from, int to)
{
    int step = from < to ? 2 : -2;
    for (int angle = from; (to - angle) * step > 0; angle += step)
        outline_line(o, arc_x(x, radius, angle), arc_y(y, radius, angle));
    outline_line(o, arc_x(x, radius, to), arc_y(y, radius, to));
}

void outline_circle(Outline *o, int x, int y, int radius)
{
    outline_begin(o, x + radius, y);
    outline_arc(o, x, y, radius, 2, 62);
}

/* The first sub-line at or below y; line k lies at k * LINE_STEP + LINE_STEP / 2. */
static int line_at(int y)
{
    int shifted = y + LINE_STEP / 2 - 1;
    return shifted < 0 ? 0 : shifted / LINE_STEP;
}

/* Notes where the edge meets the lines in [its top, its bottom): a vertex shared by two edges is
 * then counted once on the way through and twice, or never, at a turn. */
static void cross_edge(Crossings *c, int x0, int y0, int x1, int y1)
{
    if (y0 > y1) {
        int x = x0, y = y0;
        x0 = x1;
        y0 = y1;
        x1 = x;
        y1 = y;
    }
    int end = line_at(y1);
    if (end > LINES)
        end = LINES;
    for (int line = line_at(y0); line < end; line++) {
        int y = line * LINE_STEP + LINE_STEP / 2;
        int x = x0 + (x1 - x0) * (y - y0) / (y1 - y0);
        assert(c->count[line] < CROSSINGS_MAX);
        int at = c->count[line]++;
        for (; at > 0 && c->x[line][at - 1] > x; at--) /* keep them sorted */
            c->x[line][at] = c->x[line][at - 1];
        c->x[line][at] = x;
    }
}

/* Adds the overlap of [from, to) with each pixel of a row, COVER_FULL / SUBLINES at most. */
static void cover_span(uint16_t *row, int from, int to)
{
    if (from < 0)
        from = 0;
    if (to > RASTER_SIDE * PIXEL_UNIT)
        to = RASTER_SIDE * PIXEL_UNIT;
    while (from < to) {
        int pixel = from / PIXEL_UNIT;
        int end = (pixel + 1) * PIXEL_UNIT < to ? (pixel + 1) * PIXEL_UNIT : to;
        row[pixel] = (uint16_t)(row[pixel] + (end - from) * COVER_FULL / SUBLINES / PIXEL_UNIT);
        from = end;
    }
}

/* The points in image units, and the contour's edges noted line by line. */
static void cross_contour(Crossings *c, const Outline *o, const Pose *pose, int first, int end)
{
    int32_t x[OUTLINE_POINTS_MAX], y[OUTLINE_POINTS_MAX];
    for (int i = first; i < end; i++) {
        x[i] = (pose->xx * o->x[i] + pose->xy * o->y[i]) / OUTLINE_UNIT + pose->x0;
        y[i] = (pose->yx * o->x[i] + pose->yy * o->y[i]) / OUTLINE_UNIT + pose->y0;
        assert(x[i] >= LAND_MIN && x[i] <= LAND_MAX && y[i] >= LAND_MIN && y[i] <= LAND_MAX);
    }
    for (int i = first; i < end; i++) {
        int next = i + 1 < end ? i + 1 : first;
        cross_edge(c, x[i], y[i], x[next], y[next]);
    }
}

void outline_cover(const Outline *o, const Pose *pose, Mask *mask)
{
    Crossings c;
    memset(c.count, 0, sizeof c.count);
    for (int k = 0; k < o->contours; k++) {
        int end = k + 1 < o->contours ? o->first[k + 1] : o->points;
        cross_contour(&c, o, pose, o->first[k], end);
    }
    *mask = (Mask){.top = RASTER_SIDE, .bottom = 0};
    for (int line = 0; line < LINES; line++) {
        int row = line / SUBLINES;
        for (int i = 0; i + 1 < c.count[line]; i += 2)
            cover_span(mask->cover + row * RASTER_SIDE, c.x[line][i], c.x[line][i + 1]);
        if (c.count[line] > 0) {
            mask->top = row < mask->top ? row : mask->top;
            mask->bottom = row + 1;
        }
    }
}
