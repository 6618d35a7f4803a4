/* summary.json: see summary.h. SPDX-License-Identifier: Apache-2.0 */
#include "trainer/summary.h"

#include "core/file.h"

#include <math.h>
#include <sys/resource.h>

int64_t summary_peak_rss_bytes(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return 0;
    return (int64_t)usage.ru_maxrss * 1024;
}

static void add_artifact(const Summary *s, const FinishArtifact *a, Json *j)
{
    json_open(j, NULL, '{');
    json_text(j, "path", a->path);
    json_text(j, "format", a->format);
    json_text(j, "requant", a->requant);
    json_whole(j, "bytes", a->bytes);
    json_whole(j, "ram_bytes", a->ram_bytes);
    if (s->classifies)
        json_real(j, "accuracy", a->proof.artifact.figures.accuracy);
    json_close(j);
}

static void add_results(const Summary *s, Json *j)
{
    figures_json(&s->float_figures, s->classifies, "float", j);
    json_text(j, "float_source", s->float_source);
    figures_json(&s->teacher_figures, s->classifies, "teacher", j);
    figures_json(&s->unquantized_figures, s->classifies, "unquantized", j);
    figures_json(&s->ptq_figures, s->classifies, "ptq", j);
    figures_json(&s->qat_figures, s->classifies, "qat", j);
    figures_json(&s->int8_figures, s->classifies, "int8", j);
    figures_json(&s->best_figures, s->classifies, "best", j);
    json_whole(j, "best_step", s->best_step);
    json_real(j, "ema", s->ema > 0 ? s->ema : NAN);
    json_source(j, "bit_exact", !s->exported ? "null" : s->bit_exact ? "true" : "false");
    json_whole(j, "compared", s->compared);
    json_real(j, "sparsity", s->sparsity);
}

void summary_print(const Summary *s, Text *out)
{
    Json j = {.out = out};
    json_open(&j, NULL, '{');
    json_text(&j, "name", s->name);
    json_text(&j, "folder", s->folder);
    json_whole(&j, "seed", s->seed);
    json_whole(&j, "threads", s->threads);
    json_text(&j, "backward", s->backward);
    json_whole(&j, "params", s->params);
    json_whole(&j, "macs", s->macs);
    json_whole(&j, "steps", s->steps);
    add_results(s, &j);
    json_real(&j, "images_per_s", s->images_per_s);
    json_whole(&j, "peak_rss_bytes", s->peak_rss_bytes);
    json_real(&j, "seconds", s->seconds);
    json_open(&j, "artifacts", '[');
    for (int i = 0; i < s->artifact_count; i++)
        add_artifact(s, &s->artifacts[i], &j);
    json_close(&j);
    json_close(&j);
}

int summary_write(const Summary *s, const char *path, Error *e)
{
    Text text = {0};
    summary_print(s, &text);
    int status = text_failed(&text) ? error_memory(e, "the summary", text.room)
                                    : file_write_atomic(path, text.data, text.length, e);
    text_release(&text);
    return status;
}
