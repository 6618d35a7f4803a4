/* Fuzz target: logs of runs. Every row and phase that is read has a step.
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/target.h"

#include "trainer/history.h"

#include <math.h>

static void check_table(const HistoryTable *t)
{
    for (size_t i = 0; i < t->count; i++)
        if (!isfinite(t->column[0][i]))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    History h;
    Error e = {0};
    const int status = history_read(&h, fuzz_file(".jsonl", data, size), &e);
    fuzz_expect(status, &e);
    check_table(&h.steps);
    check_table(&h.epochs);
    for (size_t i = 0; i < h.phase_count; i++)
        if (!isfinite(h.phases[i].at) || h.phases[i].name[0] == '\0')
            abort();
    history_free(&h);
    return 0;
}
