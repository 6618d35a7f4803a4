/* libyaml's events as a tree: see yaml.h. A recursive descent over the event stream, one function
 * per kind of node, depth and size counted on the way down. SPDX-License-Identifier: Apache-2.0 */
#include "trainer/yaml.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "core/text.h"

typedef struct Reader {
    yaml_parser_t parser;
    const char *text;
    size_t length;
    const char *source;
    bool places;
    size_t nodes;
    Arena *arena;
    Error *e;
} Reader;

static int read_node(Reader *r, const yaml_event_t *event, int depth, YamlNode **out);

int yaml_place_error(const YamlPlace *place, Error *e)
{
    int rc = place->line == 0
                 ? error_prefix(e, "%.200s", place->source)
                 : error_prefix(e, "%.200s:%zu:%zu", place->source, place->line, place->column);
    /* Values and file names may bring line breaks and terminal codes into the sentence. */
    for (char *c = e ? e->text : NULL; c && *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    return rc;
}

static YamlPlace place_of(const Reader *r, yaml_mark_t mark)
{
    YamlPlace place = {.source = r->source};
    if (r->places) {
        place.line = mark.line + 1;
        place.column = mark.column + 1;
    }
    return place;
}

static int refuse(Reader *r, yaml_mark_t mark, const char *what)
{
    YamlPlace place = place_of(r, mark);
    error_set(r->e, HONE_ERR_CONFIG, "%s", what);
    yaml_place_error(&place, r->e);
    return HONE_ERR_CONFIG;
}

/* Whether the line (from 0) is indented with a tab; its column to column. */
static bool has_tab_indent(const Reader *r, size_t line, size_t *column)
{
    const char *p = r->text, *end = r->text + r->length;
    for (; line > 0; line--) {
        const char *eol = memchr(p, '\n', (size_t)(end - p));
        if (!eol)
            return false;
        p = eol + 1;
    }
    const char *start = p;
    while (p < end && *p == ' ')
        p++;
    *column = (size_t)(p - start);
    return p < end && *p == '\t';
}

static yaml_mark_t mark_of_offset(const Reader *r, size_t offset)
{
    yaml_mark_t mark = {.index = offset};
    for (size_t i = 0; i < offset && i < r->length; i++) {
        mark.column++;
        if (r->text[i] == '\n') {
            mark.line++;
            mark.column = 0;
        }
    }
    return mark;
}

/* What libyaml found, with its place. */
static int parser_error(Reader *r)
{
    const yaml_parser_t *p = &r->parser;
    if (p->error == YAML_MEMORY_ERROR)
        return error_set(r->e, HONE_ERR_MEMORY, "out of memory reading %.200s", r->source);
    char what[300];
    yaml_mark_t mark = p->problem_mark;
    const char *problem = p->problem ? p->problem : "unknown problem";
    if (p->error == YAML_READER_ERROR) {
        mark = mark_of_offset(r, p->problem_offset);
        snprintf(what, sizeof what, "not valid YAML: %s (%#x)", problem,
                 (unsigned)p->problem_value);
    } else if (has_tab_indent(r, mark.line, &mark.column)) {
        snprintf(what, sizeof what, "a tab in the indentation, YAML wants spaces");
    } else {
        mark = p->problem_mark;
        snprintf(what, sizeof what, "not valid YAML: %s%s%s", p->context ? p->context : "",
                 p->context ? ", " : "", problem);
        size_t used = strlen(what);
        if (r->places && p->context && p->context_mark.line < mark.line)
            snprintf(what + used, sizeof what - used, " (begun in line %zu)",
                     p->context_mark.line + 1);
    }
    return refuse(r, mark, what);
}

static int next_event(Reader *r, yaml_event_t *event)
{
    return yaml_parser_parse(&r->parser, event) ? HONE_OK : parser_error(r);
}

/* A node of kind at event, counted; NULL and an error when there are too many or no memory. */
static YamlNode *new_node(Reader *r, const yaml_event_t *event, YamlKind kind)
{
    if (++r->nodes > YAML_NODES_MAX) {
        refuse(r, event->start_mark, "too many values for a configuration");
        return NULL;
    }
    YamlNode *node = arena_alloc(r->arena, sizeof *node);
    if (!node) {
        error_memory(r->e, "a configuration", sizeof *node);
        return NULL;
    }
    node->kind = kind;
    node->place = place_of(r, event->start_mark);
    return node;
}

static int failure(const Reader *r)
{
    return r->e->code;
}

static int read_scalar(Reader *r, const yaml_event_t *event, YamlNode **out)
{
    const char *value = (const char *)event->data.scalar.value;
    if (memchr(value, '\0', event->data.scalar.length))
        return refuse(r, event->start_mark, "a NUL character in a text");
    YamlNode *node = new_node(r, event, YAML_SCALAR);
    if (!node)
        return failure(r);
    node->text = arena_text(r->arena, value);
    if (!node->text)
        return error_memory(r->e, "a text", event->data.scalar.length);
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    *out = node;
    return HONE_OK;
}

/* The event's key into child. */
static int take_key(Reader *r, const yaml_event_t *event, const YamlNode *mapping, YamlNode *key)
{
    if (event->type != YAML_SCALAR_EVENT || event->data.scalar.tag || event->data.scalar.anchor)
        return refuse(r, event->start_mark, "a key must be a plain word");
    YamlNode *word = NULL;
    int rc = read_scalar(r, event, &word);
    if (rc != HONE_OK)
        return rc;
    assert(word);
    const YamlNode *twin = yaml_child(mapping, word->text, strlen(word->text));
    if (twin) {
        char what[200];
        int used = snprintf(what, sizeof what, "duplicate key '%.80s'", word->text);
        if (r->places)
            snprintf(what + used, sizeof what - (size_t)used, ", first given in line %zu",
                     twin->key_place.line);
        return refuse(r, event->start_mark, what);
    }
    *key = *word;
    return HONE_OK;
}

/* Whatever event begins is one more child of parent; in a mapping event is the child's key. */
static int read_child(Reader *r, yaml_event_t *event, YamlNode *parent, int depth)
{
    if (parent->count >= YAML_CHILDREN_MAX)
        return refuse(r, event->start_mark, "too many elements in one list or section");
    YamlNode key = {0}, *child = NULL;
    int rc;
    if (parent->kind == YAML_MAPPING) {
        rc = take_key(r, event, parent, &key);
        if (rc != HONE_OK)
            return rc;
        yaml_event_t value;
        rc = next_event(r, &value);
        if (rc != HONE_OK)
            return rc;
        rc = read_node(r, &value, depth + 1, &child);
        yaml_event_delete(&value);
    } else {
        rc = read_node(r, event, depth + 1, &child);
    }
    if (rc != HONE_OK)
        return rc;
    assert(child);
    child->key = key.text;
    child->key_place = key.place;
    yaml_append(parent, child);
    return HONE_OK;
}

static int read_children(Reader *r, YamlNode *parent, yaml_event_type_t end, int depth)
{
    for (;;) {
        yaml_event_t event;
        int rc = next_event(r, &event);
        if (rc != HONE_OK)
            return rc;
        bool ended = event.type == end;
        if (!ended)
            rc = read_child(r, &event, parent, depth);
        yaml_event_delete(&event);
        if (ended || rc != HONE_OK)
            return rc;
    }
}

static int read_collection(Reader *r, const yaml_event_t *event, int depth, YamlNode **out)
{
    bool mapping = event->type == YAML_MAPPING_START_EVENT;
    if (depth >= YAML_DEPTH_MAX)
        return refuse(r, event->start_mark, "nested too deep for a configuration");
    YamlNode *node = new_node(r, event, mapping ? YAML_MAPPING : YAML_SEQUENCE);
    if (!node)
        return failure(r);
    *out = node;
    return read_children(r, node, mapping ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT,
                         depth);
}

/* Refuses what the subset leaves out. */
static int check_properties(Reader *r, const yaml_event_t *event)
{
    const yaml_char_t *tag = NULL, *anchor = NULL;
    if (event->type == YAML_ALIAS_EVENT) {
        anchor = event->data.alias.anchor;
    } else if (event->type == YAML_SCALAR_EVENT) {
        tag = event->data.scalar.tag;
        anchor = event->data.scalar.anchor;
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        tag = event->data.sequence_start.tag;
        anchor = event->data.sequence_start.anchor;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        tag = event->data.mapping_start.tag;
        anchor = event->data.mapping_start.anchor;
    }
    char what[160];
    if (anchor)
        snprintf(what, sizeof what,
                 "anchors and aliases ('%.60s') are not supported, write the value out",
                 (const char *)anchor);
    else if (tag)
        snprintf(what, sizeof what, "tags ('%.60s') are not supported", (const char *)tag);
    return anchor || tag ? refuse(r, event->start_mark, what) : HONE_OK;
}

static int read_node(Reader *r, const yaml_event_t *event, int depth, YamlNode **out)
{
    int rc = check_properties(r, event);
    if (rc != HONE_OK)
        return rc;
    if (event->type == YAML_SCALAR_EVENT)
        return read_scalar(r, event, out);
    return read_collection(r, event, depth, out);
}

/* One event of the stream outside nodes: the root goes to *root, an end sets *ended. */
static int read_top(Reader *r, const yaml_event_t *event, YamlNode **root, bool *ended)
{
    switch (event->type) {
    case YAML_STREAM_END_EVENT:
        *ended = true;
        return HONE_OK;
    case YAML_STREAM_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return HONE_OK;
    case YAML_DOCUMENT_START_EVENT:
        return *root ? refuse(r, event->start_mark, "a second document begins, one is allowed")
                     : HONE_OK;
    default:
        return read_node(r, event, 0, root);
    }
}

static int read_stream(Reader *r, YamlNode **root)
{
    bool ended = false;
    int rc = HONE_OK;
    while (rc == HONE_OK && !ended) {
        yaml_event_t event;
        rc = next_event(r, &event);
        if (rc == HONE_OK) {
            rc = read_top(r, &event, root, &ended);
            yaml_event_delete(&event);
        }
    }
    return rc;
}

int yaml_tree_text(YamlNode **root, const char *text, size_t length, const char *source,
                   bool places, Arena *arena, Error *e)
{
    /* The reader's own sentences are built in steps, so it needs an Error in any case. */
    Error own = {0};
    Reader r = {.text = text,
                .length = length,
                .source = source,
                .places = places,
                .arena = arena,
                .e = e ? e : &own};
    *root = NULL;
    if (length > YAML_BYTES_MAX)
        return error_set(e, HONE_ERR_CONFIG, "%.200s: larger than %zu bytes", source,
                         YAML_BYTES_MAX);
    if (!yaml_parser_initialize(&r.parser))
        return error_memory(e, "the YAML parser", sizeof r.parser);
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, length);
    int rc = read_stream(&r, root);
    if (rc == HONE_OK && !*root) {
        yaml_event_t none = {.type = YAML_NO_EVENT};
        *root = new_node(&r, &none, YAML_SCALAR);
        if (*root)
            (*root)->text = "";
        else
            rc = failure(&r);
    }
    yaml_parser_delete(&r.parser);
    return rc;
}

/* The whole file, one byte more than allowed at most. */
static int slurp(Text *text, const char *path, Error *e)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return error_errno(e, HONE_ERR_IO, "cannot open %.200s", path);
    char chunk[4096];
    size_t got;
    int rc = HONE_OK;
    while (text->length <= YAML_BYTES_MAX && (got = fread(chunk, 1, sizeof chunk, file)) > 0)
        text_add_bytes(text, chunk, got);
    if (ferror(file))
        rc = error_errno(e, HONE_ERR_IO, "cannot read %.200s", path);
    else if (text_failed(text))
        rc = error_memory(e, path, YAML_BYTES_MAX);
    fclose(file);
    return rc;
}

int yaml_tree_file(YamlNode **root, const char *path, Arena *arena, Error *e)
{
    Text text = {0};
    *root = NULL;
    int rc = slurp(&text, path, e);
    const char *source = rc == HONE_OK ? arena_text(arena, path) : NULL;
    if (rc == HONE_OK && !source)
        rc = error_memory(e, path, strlen(path));
    if (rc == HONE_OK)
        rc = yaml_tree_text(root, text_string(&text), text.length, source, true, arena, e);
    if (rc == HONE_OK)
        assert(*root);
    if (rc == HONE_OK && (*root)->kind == YAML_SCALAR && yaml_is_null(*root))
        (*root)->kind = YAML_MAPPING;
    text_release(&text);
    return rc;
}

bool yaml_is_null(const YamlNode *node)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};
    if (node->kind != YAML_SCALAR || node->quoted)
        return false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(node->text, words[i]) == 0)
            return true;
    return false;
}

YamlNode *yaml_child(const YamlNode *node, const char *key, size_t length)
{
    for (YamlNode *child = node->first; child; child = child->next)
        if (child->key && strlen(child->key) == length && memcmp(child->key, key, length) == 0)
            return child;
    return NULL;
}

YamlNode *yaml_element(const YamlNode *node, size_t i)
{
    YamlNode *child = node->first;
    while (i-- > 0)
        child = child->next;
    return child;
}

void yaml_append(YamlNode *node, YamlNode *child)
{
    child->next = NULL;
    if (node->last)
        node->last->next = child;
    else
        node->first = child;
    node->last = child;
    node->count++;
}
