/* summary.json: see summary.h. SPDX-License-Identifier: Apache-2.0 */
#include "trainer/summary.h"

#include "core/file.h"

#include <inttypes.h>
#include <sys/resource.h>

int64_t summary_peak_rss_bytes(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return 0;
    return (int64_t)usage.ru_maxrss * 1024;
}

static void key(Text *out, const char *name)
{
    text_printf(out, "  \"%s\": ", name);
}

static void add_text(Text *out, const char *name, const char *value)
{
    key(out, name);
    text_add_json(out, value);
    text_add(out, ",\n");
}

static void add_int(Text *out, const char *name, int64_t value)
{
    text_printf(out, "  \"%s\": %" PRId64 ",\n", name, value);
}

static void add_real(Text *out, const char *name, double value)
{
    key(out, name);
    text_add_real(out, value);
    text_add(out, ",\n");
}

/* A figure that was not measured is null. */
static void add_figure(Text *out, const char *stage, const char *name, double value)
{
    text_printf(out, "  \"%s_%s\": ", stage, name);
    if (value >= 0)
        text_add_real(out, value);
    else
        text_add(out, "null");
    text_add(out, ",\n");
}

static void add_figures(const Summary *s, Text *out, const char *stage, const Figures *f)
{
    if (s->classifies) {
        add_figure(out, stage, "accuracy", f->accuracy);
    } else {
        add_figure(out, stage, "mse", f->mse);
        add_figure(out, stage, "auc", f->auc);
    }
}

static void add_artifacts(Text *out, const Summary *s)
{
    const FinishArtifact *a = &s->artifact;
    text_add(out, "  \"artifacts\": [");
    if (s->exported) {
        text_add(out, "\n    {\"path\": ");
        text_add_json(out, a->path);
        text_add(out, ", \"format\": ");
        text_add_json(out, a->format);
        text_add(out, ", \"requant\": ");
        text_add_json(out, a->requant);
        text_printf(out, ", \"bytes\": %" PRId64 ", \"ram_bytes\": %" PRId64 "}\n  ", a->bytes,
                    a->ram_bytes);
    }
    text_add(out, "]\n");
}

void summary_print(const Summary *s, Text *out)
{
    text_add(out, "{\n");
    add_text(out, "name", s->name);
    add_text(out, "folder", s->folder);
    add_int(out, "seed", s->seed);
    add_int(out, "threads", s->threads);
    add_int(out, "params", s->params);
    add_int(out, "macs", s->macs);
    add_int(out, "steps", s->steps);
    add_figures(s, out, "float", &s->float_figures);
    add_text(out, "float_source", s->float_source);
    add_figures(s, out, "teacher", &s->teacher_figures);
    add_figures(s, out, "unquantized", &s->unquantized_figures);
    add_figures(s, out, "ptq", &s->ptq_figures);
    add_figures(s, out, "qat", &s->qat_figures);
    add_figures(s, out, "int8", &s->int8_figures);
    key(out, "ema");
    if (s->ema > 0)
        text_add_real(out, s->ema);
    else
        text_add(out, "null");
    text_add(out, ",\n");
    key(out, "bit_exact");
    text_add(out, !s->exported ? "null,\n" : s->bit_exact ? "true,\n" : "false,\n");
    add_int(out, "compared", s->compared);
    add_real(out, "sparsity", s->sparsity);
    add_real(out, "images_per_s", s->images_per_s);
    add_int(out, "peak_rss_bytes", s->peak_rss_bytes);
    add_real(out, "seconds", s->seconds);
    add_artifacts(out, s);
    text_add(out, "}\n");
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
