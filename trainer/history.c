/* Curves from the log: see history.h. SPDX-License-Identifier: Apache-2.0 */
#include "trainer/history.h"

#include "core/file.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOG_BYTES_MAX ((size_t)1 << 30)

static const char *const step_fields[HISTORY_COLUMNS] = {
    [STEP_AT] = "step", [STEP_LOSS] = "loss", [STEP_LR] = "lr"};
static const char *const epoch_fields[HISTORY_COLUMNS] = {[EPOCH_AT] = "step",
                                                          [EPOCH_TRAIN_LOSS] = "train_loss",
                                                          [EPOCH_TEST_LOSS] = "test_loss",
                                                          [EPOCH_TRAIN_ACCURACY] = "train_accuracy",
                                                          [EPOCH_TEST_ACCURACY] = "test_accuracy",
                                                          [EPOCH_TEST_AUC] = "test_auc",
                                                          [EPOCH_SPARSITY] = "sparsity"};

/* Where the value of a field of this line starts, or NULL. Our lines are flat and hold no text with
 * quoted field names in it. */
static const char *field(const char *line, const char *name)
{
    char key[40];
    snprintf(key, sizeof key, "\"%s\": ", name);
    const char *at = strstr(line, key);
    return at ? at + strlen(key) : NULL;
}

static double number(const char *line, const char *name)
{
    const char *at = name ? field(line, name) : NULL;
    char *end = NULL;
    const double v = at ? strtod(at, &end) : NAN;
    return at && end != at ? v : NAN;
}

static bool grow(HistoryTable *t)
{
    const size_t room = t->room ? 2 * t->room : 256;
    for (int i = 0; i < HISTORY_COLUMNS; i++) {
        double *column = realloc(t->column[i], room * sizeof *column);
        if (!column)
            return false;
        t->column[i] = column;
    }
    t->room = room;
    return true;
}

static bool add_row(HistoryTable *t, const char *line, const char *const *fields)
{
    if (!isfinite(number(line, fields[0])))
        return true;
    if (t->count == t->room && !grow(t))
        return false;
    for (int i = 0; i < HISTORY_COLUMNS; i++)
        t->column[i][t->count] = number(line, fields[i]);
    t->count++;
    return true;
}

static bool add_phase(History *h, const char *line)
{
    const char *name = field(line, "phase");
    const double at = number(line, "step");
    const size_t length = name && *name == '"' ? strcspn(name + 1, "\"") : 0;
    if (!isfinite(at) || length == 0 || length >= HISTORY_PHASE_BYTES)
        return true;
    HistoryPhase *phases = realloc(h->phases, (h->phase_count + 1) * sizeof *phases);
    if (!phases)
        return false;
    h->phases = phases;
    phases[h->phase_count] = (HistoryPhase){.at = at};
    memcpy(phases[h->phase_count].name, name + 1, length);
    h->phase_count++;
    return true;
}

static bool add_line(History *h, const char *line)
{
    const char *kind = field(line, "kind");
    if (kind && strncmp(kind, "\"step\"", 6) == 0)
        return add_row(&h->steps, line, step_fields);
    if (kind && strncmp(kind, "\"epoch\"", 7) == 0)
        return add_row(&h->epochs, line, epoch_fields);
    return kind && strncmp(kind, "\"phase\"", 7) == 0 ? add_phase(h, line) : true;
}

int history_read(History *h, const char *path, Error *e)
{
    unsigned char *bytes = NULL;
    size_t count = 0;
    bool enough = true;
    *h = (History){0};
    int status = file_read(path, LOG_BYTES_MAX, &bytes, &count, e);
    for (char *line = (char *)bytes, *end; status == HONE_OK && enough; line = end + 1) {
        end = memchr(line, '\n', count - (size_t)(line - (char *)bytes));
        if (!end)
            break;
        *end = '\0';
        enough = add_line(h, line);
    }
    free(bytes);
    if (!enough)
        status = error_memory(e, "the history of a run", count);
    if (status != HONE_OK)
        history_free(h);
    return status;
}

void history_free(History *h)
{
    for (int i = 0; i < HISTORY_COLUMNS; i++) {
        free(h->steps.column[i]);
        free(h->epochs.column[i]);
    }
    free(h->phases);
    *h = (History){0};
}
