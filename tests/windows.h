/* Random windows for tests of convolution kernels. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TESTS_WINDOWS_H
#define HONE_TESTS_WINDOWS_H

#include "core/rng.h"

#include <stddef.h>

/* Index lists of a random set of windows in a source of `size` elements. */
typedef struct Windows {
    int rows, runs, length, taps, depth;
    int32_t x_row[64], y_row[64], run_x[8], run_w[8];
    size_t size;
} Windows;

/* Rows of the result are ld apart. */
void windows_make(Windows *w, int ld, Rng *rng);

#endif
