/* Lines of metrics.jsonl: see metrics.h. SPDX-License-Identifier: Apache-2.0 */
#include "trainer/metrics.h"

#include "core/file.h"
#include "report/json.h"

#include <fcntl.h>
#include <inttypes.h>
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

static Json begin(Metrics *m, const char *kind)
{
    Json j = {.out = &m->line, .layout = JSON_LINE};
    m->line.length = 0;
    json_open(&j, NULL, '{');
    json_text(&j, "kind", kind);
    return j;
}

static int end(Metrics *m, Json *j, Error *e)
{
    json_close(j);
    if (text_failed(&m->line))
        return error_memory(e, "a line of metrics", m->line.room);
    return file_write_fully(m->file, m->line.data, m->line.length)
               ? HONE_OK
               : error_errno(e, HONE_ERR_IO, "cannot write %s", m->path);
}

int metrics_step(Metrics *m, const StepReport *r, Error *e)
{
    Json j = begin(m, "step");
    json_whole(&j, "step", r->step);
    json_whole(&j, "epoch", r->epoch);
    json_text(&j, "phase", r->phase);
    json_real(&j, "loss", r->loss);
    if (r->distilled) {
        json_real(&j, "hard_loss", r->hard_loss);
        json_real(&j, "soft_loss", r->soft_loss);
    }
    json_real(&j, "mean_loss", r->mean_loss);
    if (r->accuracy >= 0)
        json_real(&j, "accuracy", r->accuracy);
    json_real(&j, "lr", r->lr);
    if (r->gradient_norm > 0)
        json_real(&j, "gradient_norm", r->gradient_norm);
    json_real(&j, "images_per_s", r->images_per_s);
    return end(m, &j, e);
}

int metrics_epoch(Metrics *m, const EpochReport *r, Error *e)
{
    Json j = begin(m, "epoch");
    json_whole(&j, "step", r->step);
    json_whole(&j, "epoch", r->epoch);
    json_text(&j, "phase", r->phase);
    json_real(&j, "train_loss", r->train_loss);
    if (r->train_accuracy >= 0)
        json_real(&j, "train_accuracy", r->train_accuracy);
    json_real(&j, "lr", r->lr);
    json_real(&j, "sparsity", r->sparsity);
    if (r->evaluated) {
        json_text(&j, "arithmetic", r->integer ? "int8" : "float");
        json_real(&j, "test_loss", r->test_loss);
        if (r->test_figures.accuracy >= 0)
            json_real(&j, "test_accuracy", r->test_figures.accuracy);
        if (r->test_figures.auc >= 0)
            json_real(&j, "test_auc", r->test_figures.auc);
    }
    json_real(&j, "images_per_s", r->images_per_s);
    json_real(&j, "seconds", r->seconds);
    return end(m, &j, e);
}

int metrics_phase(Metrics *m, const PhaseReport *r, Error *e)
{
    Json j = begin(m, "phase");
    json_whole(&j, "step", r->step);
    json_whole(&j, "epoch", r->epoch);
    json_text(&j, "phase", r->phase);
    json_text(&j, "text", r->text);
    return end(m, &j, e);
}
