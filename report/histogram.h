/* How often numbers fall into equal bins, and their moments: what TensorBoard and the report draw.
 *
 *     Histogram h;
 *     histogram_begin(&h, -1.5, 2);            // the range of the numbers, known beforehand
 *     histogram_add(&h, values, count);
 *
 * Bin i holds the x with low + i width <= x < low + (i + 1) width, the last one high as well; a number
 * outside is counted in the nearest bin, a NaN nowhere. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_REPORT_HISTOGRAM_H
#define HONE_REPORT_HISTOGRAM_H

#include "core/real.h"

#include <stddef.h>
#include <stdint.h>

enum { HISTOGRAM_BINS = 64 };

typedef struct Histogram {
    double low, high; /* of the bins; equal where all numbers are */
    int64_t count;
    int64_t bins[HISTOGRAM_BINS];
    double sum, squares; /* of the numbers */
} Histogram;

/* Empties h; low <= high, finite. */
void histogram_begin(Histogram *h, double low, double high);
void histogram_add(Histogram *h, const Real *x, size_t count);
/* count times the number x. */
void histogram_add_many(Histogram *h, double x, int64_t count);
/* Smallest number of a bin; bin HISTOGRAM_BINS is the end of the last. */
double histogram_edge(const Histogram *h, int bin);

#endif
