/* Random windows: see windows.h. SPDX-License-Identifier: Apache-2.0 */
#include "tests/windows.h"

#include <stdbool.h>

void windows_make(Windows *w, int ld, Rng *rng)
{
    w->rows = 1 + (int)rng_below(rng, 64);
    w->runs = (int)rng_below(rng, 8);
    w->length = 1 + (int)rng_below(rng, 40);
    w->depth = 0;
    int last_row = 0, last_run = 0;
    const bool image = rng_below(rng, 3) == 0; /* rows of pixels, three taps to a run */
    const int step = 1 + (int)rng_below(rng, 12), width = 14 + (int)rng_below(rng, 30);
    w->length = image ? 3 * step : w->length;
    w->taps = image ? 3 : (int)rng_below(rng, 2);
    for (int r = 0; r < w->rows; r++) {
        w->x_row[r] = image ? (r + r / width * 2) * step : (int)rng_below(rng, 500);
        w->y_row[r] = r * ld;
        last_row = w->x_row[r] > last_row ? w->x_row[r] : last_row;
    }
    for (int i = 0; i < w->runs; i++) {
        w->run_x[i] = (int)rng_below(rng, 300);
        w->run_w[i] = (w->runs - 1 - i) * w->length; /* runs in any order */
        last_run = w->run_x[i] > last_run ? w->run_x[i] : last_run;
    }
    w->depth = w->runs * w->length;
    w->size = (size_t)(last_row + last_run + w->length);
}
