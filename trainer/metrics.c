/* Lines of metrics.jsonl: see metrics.h. SPDX-License-Identifier: Apache-2.0 */
#include "trainer/metrics.h"

#include "core/file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int metrics_open(Metrics *m, const char *path, int64_t keep, Error *e)
{
    struct stat info;
    *m = (Metrics){.file = -1, .path = strdup(path)};
    if (!m->path)
        return error_memory(e, "the metrics", strlen(path));
    m->file = open(path, O_WRONLY | O_CREAT | O_APPEND, 0666);
    if (m->file < 0 || fstat(m->file, &info) != 0)
        error_errno(e, HONE_ERR_IO, "cannot open %s", path);
    else if (info.st_size > keep && ftruncate(m->file, keep) != 0)
        error_errno(e, HONE_ERR_IO, "cannot cut %s back to %" PRId64 " bytes", path, keep);
    else
        return HONE_OK;
    metrics_close(m);
    return HONE_ERR_IO;
}

void metrics_close(Metrics *m)
{
    if (m->file >= 0)
        close(m->file);
    free(m->path);
    text_release(&m->line);
    *m = (Metrics){.file = -1};
}

int64_t metrics_bytes(const Metrics *m)
{
    struct stat info;
    return fstat(m->file, &info) == 0 ? (int64_t)info.st_size : 0;
}

/* ---- a line ---- */

static void begin(Metrics *m, const char *kind)
{
    m->line.length = 0;
    text_printf(&m->line, "{\"kind\": \"%s\"", kind);
}

static void add_int(Metrics *m, const char *name, int64_t value)
{
    text_printf(&m->line, ", \"%s\": %" PRId64, name, value);
}

/* JSON has no infinities: null. */
static void add_real(Metrics *m, const char *name, double value)
{
    text_printf(&m->line, ", \"%s\": ", name);
    if (isfinite(value))
        text_add_real(&m->line, value);
    else
        text_add(&m->line, "null");
}

static void add_text(Metrics *m, const char *name, const char *value)
{
    text_printf(&m->line, ", \"%s\": ", name);
    text_add_json(&m->line, value);
}

static int end(Metrics *m, Error *e)
{
    text_add(&m->line, "}\n");
    if (text_failed(&m->line))
        return error_memory(e, "a line of metrics", m->line.room);
    return file_write_fully(m->file, m->line.data, m->line.length)
               ? HONE_OK
               : error_errno(e, HONE_ERR_IO, "cannot write %s", m->path);
}

int metrics_step(Metrics *m, const StepReport *r, Error *e)
{
    begin(m, "step");
    add_int(m, "step", r->step);
    add_int(m, "epoch", r->epoch);
    add_text(m, "phase", r->phase);
    add_real(m, "loss", r->loss);
    if (r->distilled) {
        add_real(m, "hard_loss", r->hard_loss);
        add_real(m, "soft_loss", r->soft_loss);
    }
    add_real(m, "mean_loss", r->mean_loss);
    if (r->accuracy >= 0)
        add_real(m, "accuracy", r->accuracy);
    add_real(m, "lr", r->lr);
    if (r->gradient_norm > 0)
        add_real(m, "gradient_norm", r->gradient_norm);
    add_real(m, "images_per_s", r->images_per_s);
    return end(m, e);
}

int metrics_epoch(Metrics *m, const EpochReport *r, Error *e)
{
    begin(m, "epoch");
    add_int(m, "step", r->step);
    add_int(m, "epoch", r->epoch);
    add_text(m, "phase", r->phase);
    add_real(m, "train_loss", r->train_loss);
    if (r->train_accuracy >= 0)
        add_real(m, "train_accuracy", r->train_accuracy);
    add_real(m, "lr", r->lr);
    add_real(m, "sparsity", r->sparsity);
    if (r->evaluated) {
        add_text(m, "arithmetic", r->integer ? "int8" : "float");
        add_real(m, "test_loss", r->test_loss);
        if (r->test_figures.accuracy >= 0)
            add_real(m, "test_accuracy", r->test_figures.accuracy);
        if (r->test_figures.auc >= 0)
            add_real(m, "test_auc", r->test_figures.auc);
    }
    add_real(m, "images_per_s", r->images_per_s);
    add_real(m, "seconds", r->seconds);
    return end(m, e);
}

int metrics_phase(Metrics *m, const PhaseReport *r, Error *e)
{
    begin(m, "phase");
    add_int(m, "step", r->step);
    add_int(m, "epoch", r->epoch);
    add_text(m, "phase", r->phase);
    add_text(m, "text", r->text);
    return end(m, e);
}
