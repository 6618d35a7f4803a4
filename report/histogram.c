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

static int bin_of(const Histogram *h, double x)
{
    const double width = h->high - h->low;
    const double place = width > 0 ? (x - h->low) / width * HISTOGRAM_BINS : 0;
    if (place >= HISTOGRAM_BINS)
        return HISTOGRAM_BINS - 1;
    return place > 0 ? (int)place : 0;
}

void histogram_add_many(Histogram *h, double x, int64_t count)
{
    if (isnan(x))
        return;
    h->bins[bin_of(h, x)] += count;
    h->count += count;
    h->sum += x * (double)count;
    h->squares += x * x * (double)count;
}

void histogram_add(Histogram *h, const Real *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        histogram_add_many(h, (double)x[i], 1);
}
