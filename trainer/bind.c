/* From a tree to structs: see bind.h. One recursive walk over (table, node): the selector first,
 * since it decides which keys exist, then unknown keys, then every option in the table's order.
 * SPDX-License-Identifier: Apache-2.0 */
#include "trainer/bind.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/option_value.h"
#include "trainer/override.h"

#define PATH_BYTES 200

/* A section being filled. Frames form the dotted key from the root. */
typedef struct Section {
    const struct Section *parent; /* NULL: the root */
    const char *name;             /* key in the parent */
    size_t index;                 /* element, if in_list */
    bool in_list;
    const OptionTable *table;
    const YamlNode *node;   /* NULL: the file leaves the section out */
    const YamlPlace *place; /* of node, or of the section around it */
    int variant;            /* -1: none */
    void *options;
    Arena *arena;
    Error *e;
} Section;

static int bind_section(Section *s);

/* The dotted key of name in s into path, cut to PATH_BYTES; name NULL: of s itself. */
static void write_path(const Section *s, const char *name, char path[PATH_BYTES])
{
    path[0] = '\0';
    if (s && s->parent) {
        write_path(s->parent, s->name, path);
        size_t used = strlen(path);
        if (s->in_list)
            snprintf(path + used, PATH_BYTES - used, ".%zu", s->index);
    }
    size_t used = strlen(path);
    if (name)
        snprintf(path + used, PATH_BYTES - used, "%s%s", used ? "." : "", name);
}

/* Puts place and key in front of the sentence in s->e. An error of memory stays as it is. */
static int refuse_at(const Section *s, const YamlPlace *place, const char *key, int rc)
{
    if (rc == HONE_ERR_MEMORY)
        return rc;
    char path[PATH_BYTES];
    write_path(s, key, path);
    if (*path)
        error_prefix(s->e, "%s", path);
    return yaml_place_error(place, s->e);
}

static int refuse_kind(const Section *s, const YamlNode *node, const char *key, const char *wanted)
{
    int rc;
    if (node->kind == YAML_SCALAR && yaml_is_null(node))
        rc = error_set(s->e, HONE_ERR_CONFIG, "no value, %s is needed", wanted);
    else if (node->kind == YAML_SCALAR)
        rc = error_set(s->e, HONE_ERR_CONFIG, "'%.80s' is not %s", node->text, wanted);
    else
        rc = error_set(s->e, HONE_ERR_CONFIG, "%s where %s is needed",
                       node->kind == YAML_MAPPING ? "a section" : "a list", wanted);
    return refuse_at(s, &node->place, key, rc);
}

/* ---- keys that the table does not have ---- */

/* The variant that has the option which s's own variant lacks, or NULL. */
static const OptionVariant *other_variant(const Section *s, const char *key)
{
    for (int i = 0; s->table->variants && s->table->variants[i]; i++)
        if (option_find(s->table, i, key, strlen(key)))
            return s->table->variants[i];
    return NULL;
}

static void offer_names(const Option *list, TextNearest *near)
{
    for (const Option *o = list; o->type != OPTION_TYPE_END; o++)
        text_nearest(near, o->name);
}

static void append_names(const Option *list, char *names, size_t size)
{
    for (const Option *o = list; o->type != OPTION_TYPE_END; o++) {
        size_t used = strlen(names);
        snprintf(names + used, size - used, "%s%s", used ? ", " : "", o->name);
    }
}

static int refuse_unknown(const Section *s, const YamlNode *child)
{
    const OptionVariant *own = s->variant >= 0 ? s->table->variants[s->variant] : NULL;
    const OptionVariant *other = other_variant(s, child->key);
    TextNearest near = {.word = child->key};
    offer_names(s->table->options, &near);
    if (own)
        offer_names(own->options, &near);
    char path[PATH_BYTES], names[160] = "";
    write_path(s, NULL, path);
    if (own && other)
        error_set(s->e, HONE_ERR_CONFIG, "'%s' belongs to %s '%s', not to '%s'", child->key,
                  option_selector(s->table)->name, other->choice, own->choice);
    else if (near.best)
        error_set(s->e, HONE_ERR_CONFIG, "unknown key '%.80s', did you mean '%s'?", child->key,
                  near.best);
    else {
        append_names(s->table->options, names, sizeof names);
        if (own)
            append_names(own->options, names, sizeof names);
        bool cut = strlen(names) + 1 == sizeof names;
        error_set(s->e, HONE_ERR_CONFIG, "unknown key '%.80s'%s%s%s (there are: %s%s)", child->key,
                  *path ? " in '" : "", path, *path ? "'" : "", names, cut ? "..." : "");
    }
    return yaml_place_error(&child->key_place, s->e);
}

static int check_keys(const Section *s)
{
    for (const YamlNode *c = s->node ? s->node->first : NULL; c; c = c->next)
        if (!option_find(s->table, s->variant, c->key, strlen(c->key)))
            return refuse_unknown(s, c);
    return HONE_OK;
}

/* ---- values ---- */

static OptionWord word_of(const YamlNode *node)
{
    return (OptionWord){.text = yaml_is_null(node) ? NULL : node->text, .quoted = node->quoted};
}

static int bind_scalar(const Section *s, const Option *o, const YamlNode *node)
{
    if (node->kind != YAML_SCALAR) {
        char wanted[64];
        snprintf(wanted, sizeof wanted, "%s%s", o->type == OPTION_TYPE_BOOL ? "" : "a ",
                 option_type_text(o));
        return refuse_kind(s, node, o->name, wanted);
    }
    int rc = option_set(s->table, o, 0, word_of(node), s->options, s->e);
    return rc == HONE_OK ? rc : refuse_at(s, &node->place, o->name, rc);
}

static int bind_row(const Section *s, const Option *o, const YamlNode *node)
{
    char key[PATH_BYTES];
    if (node->kind == YAML_SCALAR && !yaml_is_null(node) && option_takes_one(o)) {
        int one = option_set_count(o, 1, s->options, s->arena, s->e);
        return one == HONE_OK ? bind_scalar(s, o, node) : refuse_at(s, &node->place, o->name, one);
    }
    if (node->kind != YAML_SEQUENCE) {
        snprintf(key, sizeof key, "a list of %s", option_type_text(o));
        return refuse_kind(s, node, o->name, key);
    }
    int rc = option_set_count(o, node->count, s->options, s->arena, s->e);
    if (rc != HONE_OK)
        return refuse_at(s, &node->place, o->name, rc);
    size_t i = 0;
    for (const YamlNode *c = node->first; c; c = c->next, i++) {
        snprintf(key, sizeof key, "%s.%zu", o->name, i);
        if (c->kind != YAML_SCALAR)
            return refuse_kind(s, c, key, "a single value");
        rc = option_set(s->table, o, i, word_of(c), s->options, s->e);
        if (rc != HONE_OK)
            return refuse_at(s, &c->place, key, rc);
    }
    return HONE_OK;
}

/* The frame of o's section, or of an element of its list, given by node (NULL: left out). */
static Section inner(const Section *s, const Option *o, const YamlNode *node, void *options)
{
    return (Section){.parent = s,
                     .name = o->name,
                     .table = o->table,
                     .node = node,
                     .place = node ? &node->place : s->place,
                     .variant = -1,
                     .options = options,
                     .arena = s->arena,
                     .e = s->e};
}

static int bind_list(const Section *s, const Option *o, const YamlNode *node)
{
    if (node->kind != YAML_SEQUENCE)
        return refuse_kind(s, node, o->name, "a list of sections");
    int rc = option_set_count(o, node->count, s->options, s->arena, s->e);
    if (rc != HONE_OK)
        return refuse_at(s, &node->place, o->name, rc);
    if (node->count == 0)
        return HONE_OK;
    unsigned char *items = arena_alloc(s->arena, node->count * o->table->size);
    if (!items)
        return error_memory(s->e, o->name, node->count * o->table->size);
    *(OptionList *)(void *)((char *)s->options + o->offset) =
        (OptionList){.count = node->count, .items = items};
    size_t i = 0;
    for (const YamlNode *c = node->first; c && rc == HONE_OK; c = c->next, i++) {
        Section element = inner(s, o, c, items + i * o->table->size);
        element.in_list = true;
        element.index = i;
        rc = bind_section(&element);
    }
    return rc;
}

static int bind_inner(const Section *s, const Option *o, const YamlNode *node)
{
    if (o->optional) {
        if (!node)
            return HONE_OK;
        *(bool *)((char *)s->options + o->present) = true;
    }
    Section section = inner(s, o, node, (char *)s->options + o->offset);
    return bind_section(&section);
}

/* o where the file leaves it out. */
static int bind_absent(const Section *s, const Option *o)
{
    if (o->fallback) {
        int rc = option_set_fallback(s->table, o, s->options, s->arena, s->e);
        return rc == HONE_OK ? rc : refuse_at(s, s->place, o->name, rc);
    }
    char path[PATH_BYTES];
    write_path(s, o->name, path);
    error_set(s->e, HONE_ERR_CONFIG, "missing required key '%s' (%s)", path, o->help);
    return yaml_place_error(s->place, s->e);
}

/* o from its child of the section, if it has one. */
static int bind_option(const Section *s, const Option *o)
{
    const YamlNode *node = s->node ? yaml_child(s->node, o->name, strlen(o->name)) : NULL;
    if (node && yaml_is_null(node) && (o->optional || o->type == OPTION_TYPE_LIST))
        node = NULL;
    if (o->type == OPTION_TYPE_SECTION)
        return bind_inner(s, o, node);
    if (!node)
        return bind_absent(s, o);
    if (o->type == OPTION_TYPE_LIST)
        return bind_list(s, o, node);
    return option_is_row(o) ? bind_row(s, o, node) : bind_scalar(s, o, node);
}

static int bind_options(const Section *s, const Option *list)
{
    int rc = HONE_OK;
    for (const Option *o = list; rc == HONE_OK && o->type != OPTION_TYPE_END; o++)
        if (o->type != OPTION_TYPE_SELECTOR)
            rc = bind_option(s, o);
    return rc;
}

/* The selector, then the keys, then the options that it leaves. */
static int bind_contents(Section *s)
{
    const Option *selector = option_selector(s->table);
    int rc = selector ? bind_option(s, selector) : HONE_OK;
    if (rc == HONE_OK && selector)
        s->variant = option_index(selector, s->options);
    if (rc == HONE_OK)
        rc = check_keys(s);
    if (rc == HONE_OK)
        rc = bind_options(s, s->table->options);
    if (rc == HONE_OK && selector)
        rc = bind_options(s, s->table->variants[s->variant]->options);
    return rc;
}

static int bind_section(Section *s)
{
    if (s->node && yaml_is_null(s->node))
        s->node = NULL;
    if (s->node && s->node->kind != YAML_MAPPING)
        return refuse_kind(s, s->node, NULL, "a section of keys and values");
    int rc = bind_contents(s);
    if (rc != HONE_OK || !s->table->check)
        return rc;
    rc = s->table->check(s->options, s->e);
    return rc == HONE_OK ? rc : refuse_at(s, s->place, NULL, rc);
}

/* ---- a whole configuration ---- */

/* Overrides, then the walk. The tree is in b->root. */
static int bind_root(Binding *b, const char *const *sets, size_t count, Error *e)
{
    int rc = HONE_OK;
    for (size_t i = 0; rc == HONE_OK && i < count; i++)
        rc = override_apply(b->root, sets[i], &b->arena, e);
    if (rc != HONE_OK)
        return rc;
    void *options = arena_alloc(&b->arena, b->table->size);
    if (!options)
        return error_memory(e, "a configuration", b->table->size);
    Section root = {.table = b->table,
                    .node = b->root,
                    .place = &b->root->place,
                    .variant = -1,
                    .options = options,
                    .arena = &b->arena,
                    .e = e};
    rc = bind_section(&root);
    if (rc == HONE_OK)
        b->options = options;
    return rc;
}

int bind_file(Binding *b, const OptionTable *table, const char *path, const char *const *sets,
              size_t count, Error *e)
{
    Error own = {0};
    *b = (Binding){.table = table};
    int rc = yaml_tree_file(&b->root, path, &b->arena, e ? e : &own);
    if (rc == HONE_OK)
        rc = bind_root(b, sets, count, e ? e : &own);
    if (rc != HONE_OK)
        bind_release(b);
    return rc;
}

int bind_text(Binding *b, const OptionTable *table, const char *text, size_t length,
              const char *source, const char *const *sets, size_t count, Error *e)
{
    Error own = {0};
    *b = (Binding){.table = table};
    const char *name = arena_text(&b->arena, source);
    int rc = name ? yaml_tree_text(&b->root, text, length, name, true, &b->arena, e ? e : &own)
                  : error_memory(e, source, strlen(source));
    if (rc == HONE_OK)
        rc = bind_root(b, sets, count, e ? e : &own);
    if (rc != HONE_OK)
        bind_release(b);
    return rc;
}

void bind_release(Binding *b)
{
    arena_release(&b->arena);
    *b = (Binding){0};
}

int bind_refuse(const Binding *b, const char *key, Error *e, const char *format, ...)
{
    char what[300];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    int rc = error_set(e, HONE_ERR_CONFIG, "%s%s%s", key, *key ? ": " : "", what);
    if (e)
        yaml_place_error(&override_find(b->root, key)->place, e);
    return rc;
}
