/* What a run leaves behind: see outcome.h. SPDX-License-Identifier: Apache-2.0 */
#include "tests/outcome.h"

#include "tests/run_fixture.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int outcome_log_lines(const char *folder)
{
    size_t count;
    int lines = 0;
    unsigned char *log = file_bytes(folder, "metrics.jsonl", &count);
    for (size_t i = 0; i < count; i++)
        lines += log[i] == '\n';
    free(log);
    return lines;
}

/* One after the other, in the order of the file. */
static void read_arrays(Outcome *o, const Store *store)
{
    const StateDict *all = store_contents(store);
    Error e = {0};
    for (size_t i = 0; i < all->count; i++)
        o->array_bytes += all->entries[i].type == STATE_TEXT ? 0 : all->entries[i].bytes;
    o->arrays = malloc(o->array_bytes + 1);
    ck_assert_ptr_nonnull(o->arrays);
    size_t at = 0;
    for (size_t i = 0; i < all->count; i++) {
        const StateEntry *a = &all->entries[i];
        if (a->type == STATE_TEXT)
            continue;
        int status = store_read(store, a->name, a->type, a->rank, a->dims, o->arrays + at, &e);
        ck_assert_msg(status == HONE_OK, "%s", e.text);
        at += a->bytes;
    }
}

Outcome outcome_take(const char *folder)
{
    char path[1100];
    Checkpoint c;
    Error e = {0};
    Outcome o = {.log_lines = outcome_log_lines(folder)};
    snprintf(path, sizeof path, "%s/last.h5", folder);
    ck_assert_msg(checkpoint_open(&c, path, NULL, 0, &e) == HONE_OK, "%s", e.text);
    o.progress = c.progress;
    read_arrays(&o, c.store);
    checkpoint_close(&c);
    snprintf(path, sizeof path, "%s/model.hone", folder);
    if (access(path, F_OK) == 0)
        o.artifact = file_bytes(folder, "model.hone", &o.artifact_bytes);
    return o;
}

void outcome_release(Outcome *o)
{
    free(o->arrays);
    free(o->artifact);
    *o = (Outcome){0};
}

void outcome_same(const Outcome *a, const Outcome *b)
{
    ck_assert_uint_eq(a->array_bytes, b->array_bytes);
    ck_assert_mem_eq(a->arrays, b->arrays, a->array_bytes);
    ck_assert_uint_eq(a->artifact_bytes, b->artifact_bytes);
    ck_assert(a->artifact_bytes == 0 || memcmp(a->artifact, b->artifact, a->artifact_bytes) == 0);
    ck_assert_int_eq(a->log_lines, b->log_lines);
    ck_assert_int_eq(a->progress.step, b->progress.step);
    ck_assert_int_eq(a->progress.complete, b->progress.complete);
    ck_assert_int_eq(a->progress.best_step, b->progress.best_step);
    ck_assert(a->progress.best_figures.accuracy == b->progress.best_figures.accuracy);
    ck_assert(a->progress.float_figures.accuracy == b->progress.float_figures.accuracy);
    ck_assert(a->progress.ptq_figures.accuracy == b->progress.ptq_figures.accuracy);
    ck_assert(a->progress.test_loss == b->progress.test_loss);
}
