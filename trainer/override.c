/* Overrides on the tree: see override.h. SPDX-License-Identifier: Apache-2.0 */
#include "trainer/override.h"

#include <assert.h>
#include <string.h>

/* One step of a dotted key. */
typedef struct Step {
    const char *name;
    size_t length;
} Step;

/* The step that begins at *p; *p moves behind its dot, to NULL after the last. */
static Step next_step(const char **p, const char *end)
{
    const char *dot = memchr(*p, '.', (size_t)(end - *p));
    Step step = {.name = *p, .length = (size_t)((dot ? dot : end) - *p)};
    *p = dot ? dot + 1 : NULL;
    return step;
}

/* The element that the step numbers, or NULL. */
static YamlNode *numbered(const YamlNode *list, Step step)
{
    size_t index = 0;
    if (step.length == 0 || step.length > 6)
        return NULL;
    for (size_t i = 0; i < step.length; i++) {
        if (step.name[i] < '0' || step.name[i] > '9')
            return NULL;
        index = index * 10 + (size_t)(step.name[i] - '0');
    }
    return index < list->count ? yaml_element(list, index) : NULL;
}

static YamlNode *step_into(const YamlNode *node, Step step)
{
    assert(node);
    if (node->kind == YAML_SEQUENCE)
        return numbered(node, step);
    return node->kind == YAML_MAPPING ? yaml_child(node, step.name, step.length) : NULL;
}

/* The node that the step leads to from node, made (null) where a mapping lacks it. key..p is the
 * key so far, for sentences. */
static int enter(YamlNode **node, Step step, const char *key, const YamlPlace *place, Arena *arena,
                 Error *e)
{
    YamlNode *from = *node;
    assert(from);
    int before = step.name > key ? (int)(step.name - key) - 1 : 0;
    if (yaml_is_null(from))
        from->kind = YAML_MAPPING;
    *node = step_into(from, step);
    if (*node)
        return HONE_OK;
    if (from->kind == YAML_SCALAR)
        return error_set(e, HONE_ERR_CONFIG, "'%.*s' is a value, not a section", before, key);
    if (from->kind == YAML_SEQUENCE)
        return error_set(e, HONE_ERR_CONFIG, "'%.*s' has %zu elements, none is '%.*s'", before, key,
                         from->count, (int)step.length, step.name);
    YamlNode *made = arena_alloc(arena, sizeof *made);
    char *name = arena_alloc(arena, step.length + 1);
    if (!made || !name)
        return error_memory(e, "an override", sizeof *made);
    memcpy(name, step.name, step.length);
    *made = (YamlNode){.place = *place, .text = "", .key = name, .key_place = *place};
    yaml_append(from, made);
    *node = made;
    return HONE_OK;
}

/* Puts value where target is, which keeps its key and its neighbours. */
static void replace(YamlNode *target, const YamlNode *value, const YamlPlace *place)
{
    YamlNode old = *target;
    *target = *value;
    target->key = old.key;
    target->key_place = *place;
    target->next = old.next;
}

static int apply(YamlNode *root, const char *key, const char *end, const YamlPlace *place,
                 Arena *arena, Error *e)
{
    YamlNode *value, *target = root;
    int rc = yaml_tree_text(&value, end + 1, strlen(end + 1), place->source, false, arena, e);
    if (rc != HONE_OK)
        return rc;
    size_t depth = 0;
    for (const char *p = key; p && rc == HONE_OK; depth++) {
        Step step = next_step(&p, end);
        if (step.length == 0 || depth >= YAML_DEPTH_MAX)
            rc = error_set(e, HONE_ERR_CONFIG, "'%.*s' is not a dotted key", (int)(end - key), key);
        else
            rc = enter(&target, step, key, place, arena, e);
    }
    if (rc == HONE_OK)
        replace(target, value, place);
    else if (rc != HONE_ERR_MEMORY && e)
        yaml_place_error(place, e);
    return rc;
}

int override_apply(YamlNode *root, const char *set, Arena *arena, Error *e)
{
    const char *equals = strchr(set, '=');
    if (!equals || equals == set || equals - set > 200)
        return error_set(e, HONE_ERR_CONFIG, "--set %.200s: KEY=VALUE is needed", set);
    YamlPlace place = {.source = arena_printf(arena, "--set %s", set)};
    if (!place.source)
        return error_memory(e, "an override", strlen(set));
    return apply(root, set, equals, &place, arena, e);
}

const YamlNode *override_find(const YamlNode *root, const char *key)
{
    const YamlNode *node = root;
    for (const char *p = key; p && *p;) {
        const YamlNode *next = step_into(node, next_step(&p, key + strlen(key)));
        if (!next)
            return node;
        node = next;
    }
    return node;
}
