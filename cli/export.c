/* hone export: the artifacts of a checkpoint. SPDX-License-Identifier: Apache-2.0 */
#include "cli/board.h"
#include "cli/inputs.h"
#include "cli/output.h"
#include "export/options.h"
#include "report/show.h"
#include "trainer/finish.h"
#include "trainer/rundir.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FOLDERS_MAX 1000
#define SET_BYTES   160

typedef struct ExportArguments {
    const char *checkpoint, *out, *format, *requant;
    FlagTexts sets;
    int64_t threads;
} ExportArguments;

/* Opens --out, which must be empty or absent; else "export" beside the checkpoint, numbered where
 * that is taken: no artifact is replaced. */
static int open_folder(RunDir *d, const ExportArguments *a, Error *e)
{
    Error inner = {0};
    char path[RUNDIR_BYTES];
    const char *slash = strrchr(a->checkpoint, '/');
    int folder = slash ? (int)(slash - a->checkpoint) + 1 : 0;
    int status = HONE_ERR_CONFIG;
    for (int n = 1; status == HONE_ERR_CONFIG && n <= (a->out ? 1 : FOLDERS_MAX); n++) {
        char number[16] = "";
        if (n > 1)
            snprintf(number, sizeof number, "-%d", n);
        snprintf(path, sizeof path, "%.*sexport%s", folder, a->checkpoint, number);
        inner = (Error){0};
        status = rundir_open(d, "export", a->out ? a->out : path, false, &inner);
    }
    if (status == HONE_ERR_CONFIG)
        return error_set(e, status, "the folder '%s' is not empty; export into a new one",
                         a->out ? a->out : path);
    return status == HONE_OK ? HONE_OK : error_set(e, status, "%s", inner.text);
}

static void print(const Finish *f, Text *out)
{
    for (int i = 0; i < f->count; i++) {
        const FinishArtifact *a = &f->artifacts[i];
        const FinishProof *p = &a->proof;
        text_printf(out, "%s: %s bytes, runs in %s bytes of RAM, %s of the weights are zero\n",
                    a->path, show_whole(a->bytes).text, show_whole(a->ram_bytes).text,
                    show_percent(f->sparsity).text);
        text_printf(out, "bit-exact: %s output codes on %s test images; %s %s\n",
                    show_whole(p->prove.compared).text, show_whole(p->prove.images).text,
                    figures_name(&p->artifact.figures), figures_text(&p->artifact.figures).text);
    }
}

static int export_session(const ExportArguments *a, const Session *s, Error *e)
{
    RunDir d;
    Finish f;
    Board board;
    Text text = {0};
    int status = open_folder(&d, a, e);
    if (status != HONE_OK)
        return status;
    board_open(&board, false);
    TrainEvents events = board_events(&board);
    status = finish_run(&f, s, d.path, &events, e);
    board_close(&board);
    if (status != HONE_OK) {
        rmdir(d.path); /* only where nothing was left in it */
        return status;
    }
    print(&f, &text);
    return output_text(&text, e);
}

/* --format and --requant are overrides of the checkpoint's configuration, the last ones. */
static int open_session(Checkpoint *c, Session *s, const ExportArguments *a, Error *e)
{
    char texts[2][SET_BYTES];
    const char *more[2];
    size_t count = 0;
    FlagTexts sets;
    SessionOptions options = input_session(a->threads, false);
    if (a->format) {
        snprintf(texts[0], SET_BYTES, "export.formats=[%s]", a->format);
        more[count++] = texts[0];
    }
    if (a->requant) {
        snprintf(texts[1], SET_BYTES, "export.requant=[%s]", a->requant);
        more[count++] = texts[1];
    }
    int status = input_overrides(&sets, &a->sets, more, count, e);
    if (status == HONE_OK)
        status = input_checkpoint(c, s, a->checkpoint, &sets, &options, e);
    input_overrides_release(&sets);
    return status;
}

static int run(const void *arguments, Error *e)
{
    const ExportArguments *a = arguments;
    Checkpoint c;
    Session s;
    int status = open_session(&c, &s, a, e);
    if (status != HONE_OK)
        return status;
    status = input_quantized(&c, a->checkpoint, e);
    if (status == HONE_OK)
        status = export_session(a, &s, e);
    session_close(&s);
    checkpoint_close(&c);
    return status;
}

const Verb verb_export = {
    .name = "export",
    .summary = "write the artifacts of a checkpoint and prove them",
    .about = "The artifact is read back and compared, bit for bit, with the trainer's integer\n"
             "evaluation on the whole test set; one that differs is removed again.\n",
    .example = "hone export runs/mobilenet_qat/best.h5 --out artifacts",
    .flags =
        (const Flag[]){
            OPERAND("CHECKPOINT", ExportArguments, checkpoint,
                    "checkpoint (.h5) of a model trained or calibrated with quantization"),
            FLAG_TEXT("--out", "DIR", ExportArguments, out,
                      "folder, empty or absent (default: export beside the checkpoint, numbered "
                      "where that is taken)"),
            FLAG_NAMES("--format", ExportArguments, format, export_format_names,
                       "formats, separated by commas: hone (default: as configured)"),
            FLAG_NAMES("--requant", ExportArguments, requant, export_profile_names,
                       "roundings, s24 or d31, separated by commas (default: as configured)"),
            FLAG_SETS(ExportArguments, sets), FLAG_THREADS(ExportArguments, threads), FLAG_END},
    .size = sizeof(ExportArguments),
    .run = run,
};
