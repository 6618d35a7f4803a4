/* hone manual: the manual pages, made from the same tables as `--help` and `hone config`. Troff with
 * the man macros (man(7)). SPDX-License-Identifier: Apache-2.0 */
#include "cli/output.h"
#include "cli/verb.h"
#include "trainer/config.h"
#include "trainer/schema.h"

#include <ctype.h>
#include <string.h>

typedef struct ManualArguments {
    bool config;
} ManualArguments;

/* ---- troff ---------------------------------------------------------------------------------- */

/* Text of a line: backslashes and hyphens are escaped, and what would be a request at its start. */
static void add_troff(Text *out, const char *s, size_t length)
{
    if (length > 0 && (s[0] == '.' || s[0] == '\''))
        text_add(out, "\\&");
    for (size_t i = 0; i < length; i++) {
        if (s[i] == '\\')
            text_add(out, "\\e");
        else if (s[i] == '-')
            text_add(out, "\\-");
        else
            text_add_bytes(out, s + i, 1);
    }
}

/* Lines as they are. */
static void add_lines(Text *out, const char *lines)
{
    for (size_t n; *lines; lines += n + (lines[n] == '\n')) {
        n = strcspn(lines, "\n");
        add_troff(out, lines, n);
        text_add(out, "\n");
    }
}

static void add_literal(Text *out, const char *lines)
{
    text_add(out, ".PP\n.nf\n.RS\n");
    add_lines(out, lines);
    text_add(out, ".RE\n.fi\n");
}

static void add_sentence(Text *out, const char *s)
{
    const char first = (char)toupper((unsigned char)s[0]);
    add_troff(out, &first, 1);
    add_troff(out, s + 1, strlen(s + 1));
    text_add(out, ".\n");
}

/* ---- hone(1) -------------------------------------------------------------------------------- */

static void add_verb(Text *out, const Verb *v)
{
    char title[VERB_TITLE_BYTES];
    text_printf(out, ".SS hone %s", verb_title(v, title));
    for (const Flag *f = v->flags; f->type != FLAG_TYPE_END; f++)
        if (f->type == FLAG_TYPE_OPERAND || f->type == FLAG_TYPE_MAYBE ||
            f->type == FLAG_TYPE_OPERANDS)
            text_printf(out, f->type == FLAG_TYPE_MAYBE ? " [%s]" : " %s", f->name);
    text_add(out, "\n");
    add_sentence(out, v->summary);
    if (v->about)
        add_lines(out, v->about);
    for (const Flag *f = v->flags; f->type != FLAG_TYPE_END; f++) {
        text_add(out, ".TP\n.B \"");
        add_troff(out, f->name, strlen(f->name));
        text_printf(out, "%s%s\"\n", f->argument ? " " : "", f->argument ? f->argument : "");
        add_sentence(out, f->help);
    }
    text_add(out, ".PP\nExample:\n");
    add_literal(out, v->example);
}

static void add_commands(Text *out)
{
    const Verb *v;
    text_add(out,
             ".TH HONE 1 \"\" Hone \"User Commands\"\n.SH NAME\nhone \\- trains small networks "
             "for the edge and hands them over as integers\n.SH SYNOPSIS\n.B hone\n.I COMMAND\n"
             "[arguments]\n.SH DESCRIPTION\nOne YAML file drives training, pruning, "
             "quantization\\-aware training and export; the exported model computes, bit for "
             "bit, what the trainer evaluated. The options of that file are in\n.BR "
             "hone\\-config (5).\n.SH COMMANDS\n");
    for (size_t i = 0; (v = verb_at(i)); i++)
        add_verb(out, v);
    text_add(out, ".SH ENVIRONMENT\n.TP\n.B HONE_CPU\nKernels to use: ref, avx2 or avx512; by "
                  "default the best there are.\n.TP\n.B HONE_DATA\nFolder of downloaded data sets; "
                  "by default ./data.\n.TP\n.B NO_COLOR\nSet: no colors on a terminal.\n"
                  ".SH \"EXIT STATUS\"\n0 done, 1 failed, 2 wrong usage, 130 interrupted with the "
                  "state saved.\n.SH \"SEE ALSO\"\n.BR hone\\-config (5)\n");
}

/* ---- hone-config(5) ------------------------------------------------------------------------- */

static void add_options(Text *out)
{
    Text entries = {0};
    schema_help(&run_options, NULL, &entries);
    text_add(out, ".TH HONE\\-CONFIG 5 \"\" Hone \"File Formats\"\n.SH NAME\nhone\\-config \\- the "
                  "YAML file of an experiment\n.SH DESCRIPTION\nSections are nested keys, N is an "
                  "element of a list. On the command line\n.B \\-\\-set a.b=VALUE\nnames the same "
                  "keys. An unknown key is an error.\n.SH OPTIONS\n");
    for (const char *line = text_string(&entries); *line;) {
        const size_t n = strcspn(line, "\n"), indent = strspn(line, " ");
        text_add(out, indent ? "" : ".TP\n.B ");
        add_troff(out, line + indent, n - indent);
        text_add(out, "\n");
        line += n + (line[n] == '\n');
    }
    out->failed = out->failed || entries.failed;
    text_release(&entries);
    text_add(out, ".SH \"SEE ALSO\"\n.BR hone (1)\n");
}

static int run(const void *arguments, Error *e)
{
    const ManualArguments *a = arguments;
    Text out = {0};
    if (a->config)
        add_options(&out);
    else
        add_commands(&out);
    return output_text(&out, e);
}

const Verb verb_manual = {
    .name = "manual",
    .summary = "the manual page, in troff",
    .about = "`make install` puts both pages where `man hone` and `man hone-config` find them.\n",
    .example = "hone manual | man -l -",
    .flags = (const Flag[]){FLAG_SWITCH("--config", ManualArguments, config,
                                        "the page about the YAML file: every option"),
                            FLAG_END},
    .size = sizeof(ManualArguments),
    .run = run,
};
