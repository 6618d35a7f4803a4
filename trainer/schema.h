/* What can be configured, made from an option table: help text, Markdown, JSON Schema.
 *
 *     Text t = {0};
 *     schema_help(&run_options, "train.optimizer", &t);    // `hone config`
 *     schema_markdown(&run_options, &t);                   // configs/SCHEMA.md
 *     schema_json(&run_options, &t);                       // `hone config --schema`
 *
 * All append to a Text; out of memory shows in text_failed. A list's elements have the key
 * "layers.N". SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TRAINER_SCHEMA_H
#define HONE_TRAINER_SCHEMA_H

#include "core/option.h"
#include "core/text.h"

/* One entry per option: key path and default, then type, range, unit and meaning. Where under is
 * not NULL only options at or below that key. Returns the number of entries, 0 when none is. */
size_t schema_help(const OptionTable *table, const char *under, Text *out);

/* A heading and a table per section, for reading on a web page. */
void schema_markdown(const OptionTable *table, Text *out);

/* JSON Schema, draft 7 (the one that editors' YAML modes check): additionalProperties false
 * everywhere, a selector's variants by if/then. Stricter than the binder in one point: a TEXT that
 * looks like a number must be quoted. */
void schema_json(const OptionTable *table, Text *out);

#endif
