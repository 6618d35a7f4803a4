/* Equal bins: see histogram.h. SPDX-License-Identifier: Apache-2.0 */
#include "report/histogram.h"

#include <math.h>

void histogram_begin(Histogram *h, double low, double high)
{
    *h = (Histogram){.low = low, .high = high};
}

double histogram_edge(const Histogram *h, int bin)
{
    return h->low + (h->high - h->low) * bin / HISTOGRAM_BINS;
}

/* Bins per unit. A range as narrow as the least floats has one bin. */
static double bins_per_unit(const Histogram *h)
{
    const double per_unit = HISTOGRAM_BINS / (h->high - h->low);
    return isfinite(per_unit) ? per_unit : 0;
}

static int bin_of(double low, double per_unit, double x)
{
    const double place = (x - low) * per_unit;
    if (place >= HISTOGRAM_BINS)
        return HISTOGRAM_BINS - 1;
    return place > 0 ? (int)place : 0;
}

void histogram_add_many(Histogram *h, double x, int64_t count)
{
    if (isnan(x))
        return;
    h->bins[bin_of(h->low, bins_per_unit(h), x)] += count;
    h->count += count;
    h->sum += x * (double)count;
    h->squares += x * x * (double)count;
}

/* Neighbours go into tables of their own: they often fall into one bin, and the second would wait for
 * the first. */
void histogram_add(Histogram *h, const Real *x, size_t count)
{
    enum { WAYS = 4 };
    const double low = h->low, per_unit = bins_per_unit(h);
    int64_t bins[WAYS][HISTOGRAM_BINS] = {{0}};
    double sum[WAYS] = {0}, squares[WAYS] = {0};
    for (size_t i = 0; i < count; i++) {
        const double v = (double)x[i];
        const size_t way = i % WAYS;
        if (isnan(v))
            continue;
        bins[way][bin_of(low, per_unit, v)]++;
        sum[way] += v;
        squares[way] += v * v;
    }
    for (int way = 0; way < WAYS; way++) {
        for (int b = 0; b < HISTOGRAM_BINS; b++) {
            h->bins[b] += bins[way][b];
            h->count += bins[way][b];
        }
        h->sum += sum[way];
        h->squares += squares[way];
    }
}
