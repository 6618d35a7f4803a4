/* What `--help` shows, made from the tables of verb.h. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CLI_HELP_H
#define HONE_CLI_HELP_H

#include "cli/verb.h"
#include "core/text.h"

/* What Hone is, its commands and its environment. */
void help_program(Text *out);
/* A verb's usage, operands, flags and example; program is what precedes the operands: "hone train",
 * or "train" under that name. */
void help_verb(const Verb *verb, const char *program, Text *out);

#endif
