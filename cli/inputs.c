/* Files given to verbs: see inputs.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/inputs.h"

#include "core/file.h"
#include "runtime/program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define HDF5_SIGNATURE "\x89HDF\r\n\x1a\n"

static const char *kind_text(InputKind kind)
{
    return kind == INPUT_CHECKPOINT ? "a checkpoint (.h5)"
           : kind == INPUT_ARTIFACT ? "an artifact (.hone)"
                                    : "a configuration (YAML)";
}

static bool ends_in(const char *path, const char *end)
{
    size_t n = strlen(path), m = strlen(end);
    return n >= m && strcmp(path + n - m, end) == 0;
}

static InputKind recognize(const char *path, const char *head, size_t count)
{
    if (count == 8 && memcmp(head, HDF5_SIGNATURE, 8) == 0)
        return INPUT_CHECKPOINT;
    if (count >= 4 && memcmp(head, "HONE", 4) == 0)
        return INPUT_ARTIFACT;
    if (ends_in(path, ".hone"))
        return INPUT_ARTIFACT;
    return ends_in(path, ".h5") ? INPUT_CHECKPOINT : INPUT_CONFIG;
}

static int refuse(const char *path, InputKind kind, int allowed, Error *e)
{
    char wanted[96] = "";
    for (int k = INPUT_CONFIG; k <= INPUT_ARTIFACT; k *= 2) {
        size_t used = strlen(wanted);
        if (allowed & k)
            snprintf(wanted + used, sizeof wanted - used, "%s%s", used ? " or " : "",
                     kind_text((InputKind)k));
    }
    return error_set(e, HONE_ERR_USAGE, "'%s' is %s, not %s", path, kind_text(kind), wanted);
}

int input_kind(InputKind *kind, const char *path, int allowed, Error *e)
{
    char head[8];
    struct stat info;
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode))
        return error_set(e, HONE_ERR_IO, "'%s' is a folder", path);
    FILE *f = fopen(path, "rb");
    if (!f)
        return error_errno(e, HONE_ERR_IO, "cannot read '%s'", path);
    size_t count = fread(head, 1, sizeof head, f);
    fclose(f);
    *kind = recognize(path, head, count);
    return (int)*kind & allowed ? HONE_OK : refuse(path, *kind, allowed, e);
}

SessionOptions input_session(int64_t threads, bool without_data)
{
    const char *level = getenv("HONE_CPU");
    return (SessionOptions){.threads = threads == FLAG_UNSET ? 0 : (int)threads,
                            .level = level && *level ? level : NULL,
                            .without_data = without_data};
}

int input_artifact(const char *path, unsigned char **bytes, size_t *count, Error *e)
{
    InputKind kind;
    int status = input_kind(&kind, path, INPUT_ARTIFACT, e);
    return status == HONE_OK ? file_read(path, (size_t)HONE_RT_MAX_BYTES, bytes, count, e) : status;
}

bool input_calibrated(const Checkpoint *c)
{
    return c->config.options->qat.present && figures_known(&c->progress.ptq_figures);
}

int input_quantized(const Checkpoint *c, const char *path, Error *e)
{
    if (!c->config.options->qat.present)
        return error_set(e, HONE_ERR_CONFIG,
                         "'%s' is a float model: its configuration has no qat section", path);
    if (input_calibrated(c))
        return HONE_OK;
    return error_set(e, HONE_ERR_CONFIG,
                     "'%s' was saved after step %lld, before quantization began (qat.begin_epoch "
                     "%g): its ranges are not calibrated",
                     path, (long long)c->progress.step, c->config.options->qat.begin_epoch);
}

int input_checkpoint(Checkpoint *c, Session *s, const char *path, const FlagTexts *sets,
                     const SessionOptions *options, Error *e)
{
    InputKind kind;
    int status = input_kind(&kind, path, INPUT_CHECKPOINT, e);
    if (status == HONE_OK)
        status = checkpoint_open(c, path, sets->v, sets->count, e);
    if (status != HONE_OK)
        return status;
    status = session_open(s, &c->config, options, e);
    if (status == HONE_OK) {
        status = checkpoint_restore(c, s, NULL, NULL, e);
        if (status != HONE_OK)
            session_close(s);
    }
    if (status != HONE_OK)
        checkpoint_close(c);
    return status;
}

int input_config(Config *c, Session *s, const char *path, const FlagTexts *sets,
                 const SessionOptions *options, Error *e)
{
    InputKind kind;
    int status = input_kind(&kind, path, INPUT_CONFIG, e);
    if (status == HONE_OK)
        status = config_load(c, path, sets->v, sets->count, e);
    if (status != HONE_OK)
        return status;
    status = session_open(s, c, options, e);
    if (status != HONE_OK)
        config_release(c);
    return status;
}

int input_overrides(FlagTexts *all, const FlagTexts *sets, const char *const *more, size_t count,
                    Error *e)
{
    const size_t bytes = (sets->count + count + 1) * sizeof *sets->v;
    const char **v = malloc(bytes);
    *all = (FlagTexts){.v = v};
    if (!v)
        return error_memory(e, "the overrides", bytes);
    for (size_t i = 0; i < sets->count; i++)
        v[all->count++] = sets->v[i];
    for (size_t i = 0; i < count; i++)
        v[all->count++] = more[i];
    return HONE_OK;
}

void input_overrides_release(FlagTexts *all)
{
    free((void *)all->v);
    *all = (FlagTexts){0};
}
