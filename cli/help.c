/* Help from the tables: see help.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/help.h"

#include <stdio.h>
#include <string.h>

#define WIDTH 96 /* columns that help may use */

/* Appends s in lines that start at column `left`, the first one there already at column `at`. */
static void wrap(Text *out, const char *s, int left, int at)
{
    bool first = true;
    for (const char *word = s + strspn(s, " "); *word; word += strspn(word, " ")) {
        int n = (int)strcspn(word, " ");
        if (!first && at + 1 + n > WIDTH) {
            text_printf(out, "\n%*s", left, "");
            at = left;
            first = true;
        }
        text_printf(out, "%s%.*s", first ? "" : " ", n, word);
        at += n + (first ? 0 : 1);
        first = false;
        word += n;
    }
    text_add(out, "\n");
}

/* ---- the program ---------------------------------------------------------------------------- */

void help_program(Text *out)
{
    char title[VERB_TITLE_BYTES];
    text_add(out, "usage: hone COMMAND [ARGUMENTS]\n\n"
                  "Trains small networks for the edge and hands them over as integers: one YAML "
                  "file drives\npruning, quantization-aware training and export, and the exported "
                  "model computes, bit for\nbit, what the trainer evaluated.\n\n");
    const Verb *v;
    for (size_t i = 0; (v = verb_at(i)); i++)
        text_printf(out, "  %-12s  %s\n", verb_title(v, title), v->summary);
    text_add(
        out,
        "\n`hone COMMAND --help` says more, `hone --version` which it is; `./train CONFIG` is\n"
        "`hone train CONFIG`.\n\n"
        "environment:\n"
        "  HONE_CPU      kernels to use: ref, avx2 or avx512 (default: the best there are)\n"
        "  HONE_DATA     folder of downloaded data sets (default: ./data)\n"
        "  NO_COLOR      set: no colors on a terminal\n\n"
        "exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted with the state saved\n\n"
        "example:\n"
        "  hone train configs/mobilenet_qat.yaml\n"
        "  hone inspect runs/mobilenet_qat/model.hone\n");
}

/* ---- a verb --------------------------------------------------------------------------------- */

/* "--threads N", "CONFIG": as a list of flags begins. */
static void label(const Flag *f, char *text, size_t size)
{
    snprintf(text, size, "%s%s%s", f->name, f->argument ? " " : "", f->argument ? f->argument : "");
}

/* Flags are kept whole: a blank inside one is written as \1 until the line is wrapped. */
static void usage_line(const Verb *verb, const char *program, Text *out)
{
    Text line = {0};
    for (const Flag *f = verb->flags; f->type != FLAG_TYPE_END; f++) {
        char text[64];
        label(f, text, sizeof text);
        for (char *c = text; *c; c++)
            *c = *c == ' ' ? '\1' : *c;
        bool needed = f->type == FLAG_TYPE_OPERAND || f->type == FLAG_TYPE_OPERANDS;
        text_printf(&line, " %s%s%s%s", needed ? "" : "[", text, needed ? "" : "]",
                    f->type == FLAG_TYPE_SETS ? "..." : "");
    }
    size_t start = out->length;
    text_printf(out, "usage: %s ", program);
    int left = (int)(out->length - start);
    wrap(out, text_string(&line), left, left);
    for (size_t i = start; i < out->length; i++)
        if (out->data[i] == '\1')
            out->data[i] = ' ';
    text_release(&line);
}

static void flag_lines(const Verb *verb, Text *out)
{
    int left = 0;
    char text[64];
    for (const Flag *f = verb->flags; f->type != FLAG_TYPE_END; f++) {
        label(f, text, sizeof text);
        left = (int)strlen(text) > left ? (int)strlen(text) : left;
    }
    left += 4; /* two blanks on each side */
    for (const Flag *f = verb->flags; f->type != FLAG_TYPE_END; f++) {
        label(f, text, sizeof text);
        text_printf(out, "  %-*s", left - 2, text);
        wrap(out, f->help, left, left);
    }
    text_printf(out, "  %-*s%s\n", left - 2, "--help", "this");
}

void help_verb(const Verb *verb, const char *program, Text *out)
{
    usage_line(verb, program, out);
    text_printf(out, "\n%c%s.\n", verb->summary[0] - 'a' + 'A', verb->summary + 1);
    if (verb->about)
        text_printf(out, "\n%s", verb->about);
    text_add(out, "\n");
    flag_lines(verb, out);
    text_add(out, "\nexample:\n");
    for (const char *line = verb->example; *line;) {
        int n = (int)strcspn(line, "\n");
        text_printf(out, "  %.*s\n", n, line);
        line += n + (line[n] == '\n');
    }
}
