/* Line charts and small histograms as SVG inside a page. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_REPORT_CHART_H
#define HONE_REPORT_CHART_H

#include "core/text.h"
#include "report/histogram.h"

enum { CHART_SERIES_MAX = 4 };

typedef struct ChartSeries {
    const char *name;
    const double *x, *y; /* count of each, x ascending; points that are not finite are left out */
    size_t count;
} ChartSeries;

/* Something that happened at an x: a line from top to bottom with a name. */
typedef struct ChartMark {
    double x;
    const char *name;
} ChartMark;

typedef struct Chart {
    const char *title, *x_title;
    ChartSeries series[CHART_SERIES_MAX];
    int series_count;
    const ChartMark *marks;
    int mark_count;
    bool percent; /* y in 0..1, written as percent */
} Chart;

/* Adds a <figure>; nothing where no series has a point. Long series are averaged to a few hundred
 * points. Colors are the classes s0, s1, ... of the page's style. */
void chart_add(Text *t, const Chart *c);
/* Adds a small picture of the bins, without axes. */
void chart_add_histogram(Text *t, const Histogram *h);

#endif
