/* hone config: what can be configured, and what a configuration says in full.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/inputs.h"
#include "cli/output.h"
#include "trainer/schema.h"

#include <string.h>

typedef struct ConfigArguments {
    const char *config, *key;
    FlagTexts sets;
    bool schema, markdown;
} ConfigArguments;

static int print_resolved(const ConfigArguments *a, Error *e)
{
    Config c;
    InputKind kind;
    Text text = {0};
    int status = input_kind(&kind, a->config, INPUT_CONFIG | INPUT_CHECKPOINT, e);
    if (status == HONE_OK && kind == INPUT_CHECKPOINT) {
        Checkpoint checkpoint;
        status = checkpoint_open(&checkpoint, a->config, a->sets.v, a->sets.count, e);
        if (status == HONE_OK) {
            config_print(&checkpoint.config, &text);
            checkpoint_close(&checkpoint);
        }
    } else if (status == HONE_OK) {
        status = config_load(&c, a->config, a->sets.v, a->sets.count, e);
        if (status == HONE_OK) {
            config_print(&c, &text);
            config_release(&c);
        }
    }
    return status == HONE_OK ? output_text(&text, e) : status;
}

static int print_help(const char *key, Error *e)
{
    Text text = {0};
    size_t entries = schema_help(&run_options, key, &text);
    if (entries == 0) {
        text_release(&text);
        return error_set(e, HONE_ERR_USAGE, "config: no option '%s' (hone config lists them all)",
                         key);
    }
    return output_text(&text, e);
}

static int run(const void *arguments, Error *e)
{
    const ConfigArguments *a = arguments;
    Text text = {0};
    int ways = (a->config != NULL) + (a->key != NULL) + a->schema + a->markdown;
    if (ways > 1)
        return error_set(e, HONE_ERR_USAGE,
                         "config: CONFIG, --key, --schema and --markdown exclude each other");
    if (a->sets.count > 0 && !a->config)
        return error_set(e, HONE_ERR_USAGE, "config: --set needs a CONFIG");
    if (a->config)
        return print_resolved(a, e);
    if (!a->schema && !a->markdown)
        return print_help(a->key, e);
    if (a->schema)
        schema_json(&run_options, &text);
    else
        schema_markdown(&run_options, &text);
    return output_text(&text, e);
}

const Verb verb_config = {
    .name = "config",
    .summary = "all options, or a configuration with every option written out",
    .about = "Without CONFIG: every option with its default, type, range and unit.\n",
    .example = "hone config --key train.optimizer\n"
               "hone config configs/mobilenet_qat.yaml --set qat.weights.bits=4\n"
               "hone config --schema > hone.schema.json",
    .flags =
        (const Flag[]){OPERAND_MAYBE("CONFIG", ConfigArguments, config,
                                     "YAML file or checkpoint: print what it amounts to, as YAML"),
                       FLAG_SETS(ConfigArguments, sets),
                       FLAG_TEXT("--key", "KEY", ConfigArguments, key,
                                 "only the options at or below this key"),
                       FLAG_SWITCH("--schema", ConfigArguments, schema,
                                   "JSON Schema, for editors that complete and check YAML"),
                       FLAG_SWITCH("--markdown", ConfigArguments, markdown,
                                   "the options as Markdown: how configs/SCHEMA.md is made"),
                       FLAG_END},
    .size = sizeof(ConfigArguments),
    .run = run,
};
