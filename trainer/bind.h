/* Configurations: YAML and --set overrides into the structs that option tables describe.
 *
 *     Binding b = {0};
 *     const char *sets[] = {"train.epochs=3", "qat.weights.bits=4"};
 *     int rc = bind_file(&b, &run_options, "configs/a.yaml", sets, 2, &e);
 *     const RunOptions *run = b.options;          // complete: fallbacks filled in, ranges checked
 *     ...
 *     bind_release(&b);                           // the struct, its lists and its texts
 *
 * The file is read into a tree, the overrides change the tree, then one recursive walk over
 * (table, tree) fills the struct. The first thing wrong ends it, in one sentence:
 *
 *     configs/a.yaml:12:3: unknown key 'learing_rate', did you mean 'learning_rate'?
 *     configs/a.yaml:7:11: train.epochs: 0 is outside 1..100000 epochs
 *     --set train.epochs=0: train.epochs: 0 is outside 1..100000 epochs
 *
 * `key:` with nothing (null) under it is an empty section or list, no optional section, or no text
 * where the table's fallback is "null". SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TRAINER_BIND_H
#define HONE_TRAINER_BIND_H

#include "core/arena.h"
#include "core/option.h"
#include "core/text.h"
#include "trainer/yaml.h"

typedef struct Binding {
    const OptionTable *table;
    void *options;  /* the table's struct; NULL unless bound */
    YamlNode *root; /* the file with the overrides applied, for places */
    Arena arena;    /* owns all of the above */
} Binding;

/* Fills b (empty before: zeros or released) from the file at path and count overrides
 * "a.b.c=VALUE", applied in order. A failure leaves b released. HONE_ERR_IO: unreadable file;
 * HONE_ERR_CONFIG: the sentence says which place; HONE_ERR_MEMORY. */
HONE_CHECKED int bind_file(Binding *b, const OptionTable *table, const char *path,
                           const char *const *sets, size_t count, Error *e);
/* As bind_file, from text that messages call source (copied). */
HONE_CHECKED int bind_text(Binding *b, const OptionTable *table, const char *text, size_t length,
                           const char *source, const char *const *sets, size_t count, Error *e);
void bind_release(Binding *b);

/* For conditions that span modules: an error "PLACE: KEY: sentence" with the place of the dotted
 * key, or of the nearest section around it that the file gives. Returns HONE_ERR_CONFIG. */
int bind_refuse(const Binding *b, const char *key, Error *e, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Appends options, a struct of table, as YAML with every option written out; binding that text
 * gives an equal struct. Out of memory: text_failed(out). */
void bind_print(const OptionTable *table, const void *options, Text *out);

#endif
