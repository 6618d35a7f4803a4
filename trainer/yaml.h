/* YAML text as a small tree with places; the only door to libyaml.
 *
 * The subset that a configuration needs: one document of mappings with plain keys, sequences and
 * scalars. Refused with a sentence that starts with the place ("a.yaml:12:3: "): malformed YAML,
 * duplicate keys, a second document, tags, anchors and aliases, NUL characters, a tree too deep or
 * too large. Scalars stay words: only an option table knows their type.
 *
 *     Arena arena = {0};
 *     YamlNode *root;
 *     int rc = yaml_tree_file(&root, "configs/a.yaml", &arena, &e);
 *     ...
 *     arena_release(&arena);   // the tree and its texts
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TRAINER_YAML_H
#define HONE_TRAINER_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "core/arena.h"
#include "core/error.h"

#define YAML_BYTES_MAX    ((size_t)1024 * 1024)
#define YAML_DEPTH_MAX    32
#define YAML_NODES_MAX    20000
#define YAML_CHILDREN_MAX 2000

typedef enum YamlKind { YAML_SCALAR, YAML_SEQUENCE, YAML_MAPPING } YamlKind;

/* Where something was written: "a.yaml:12:3", or the source alone where line is 0. */
typedef struct YamlPlace {
    const char *source;
    size_t line, column; /* from 1, columns in characters */
} YamlPlace;

typedef struct YamlNode YamlNode;
struct YamlNode {
    YamlKind kind;
    YamlPlace place;
    const char *text; /* SCALAR */
    bool quoted;      /* SCALAR in quotes or a block: a text whatever it looks like */
    const char *key;  /* as a child of a MAPPING, else NULL */
    YamlPlace key_place;
    YamlNode *first, *last; /* children of SEQUENCE and MAPPING, in order */
    YamlNode *next;         /* sibling */
    size_t count;           /* children */
};

/* Reads a file. The tree belongs to arena, as do all its texts. An empty document is an empty
 * mapping. HONE_ERR_IO: unreadable; HONE_ERR_CONFIG: refused as above. */
HONE_CHECKED int yaml_tree_file(YamlNode **root, const char *path, Arena *arena, Error *e);
/* Reads text (length bytes, any content) in the name of source, which must outlive the tree. With
 * places false, places are source alone: for one-line values from the command line. An empty
 * document is a null scalar here. */
HONE_CHECKED int yaml_tree_text(YamlNode **root, const char *text, size_t length,
                                const char *source, bool places, Arena *arena, Error *e);

/* A scalar that says nothing: plain and empty, "~" or "null". */
bool yaml_is_null(const YamlNode *node);
/* The child of a mapping by its key, length bytes of it; NULL if there is none. */
YamlNode *yaml_child(const YamlNode *node, const char *key, size_t length);
/* The i-th child, i below count. */
YamlNode *yaml_element(const YamlNode *node, size_t i);
/* Appends child. */
void yaml_append(YamlNode *node, YamlNode *child);

/* Puts "place: " in front of e's sentence and ? for its control characters; returns e's code. */
int yaml_place_error(const YamlPlace *place, Error *e);

#endif
