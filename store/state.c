/* Named arrays and attributes: see state.h. Lookup is linear: a network has some hundred arrays,
 * each looked up once per save or load. SPDX-License-Identifier: Apache-2.0 */
#include "store/state.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    size_t bytes;
    const char *name;
} types[STATE_TYPE_COUNT] = {
#define STATE_ROW(name, ctype, text) {sizeof(ctype), text},
    STATE_TYPES(STATE_ROW)
#undef STATE_ROW
};

static void put_shape(char *at, size_t room, int rank, const int64_t *dims)
{
    size_t used = 0;
    for (int i = 0; i < rank; i++)
        used += (size_t)snprintf(at + used, room - used, "%s%lld%s", i == 0 ? "[" : ",",
                                 (long long)dims[i], i + 1 < rank ? "" : "]");
}

const char *state_shape_label(int rank, const int64_t *dims, char *buffer)
{
    snprintf(buffer, STATE_LABEL_BYTES, "a scalar");
    put_shape(buffer, STATE_LABEL_BYTES, rank, dims);
    return buffer;
}

const char *state_label(StateType type, int rank, const int64_t *dims, char *buffer)
{
    const char *tail = type == STATE_TEXT ? "" : rank == 0 ? " scalar" : " ";
    size_t used = (size_t)snprintf(buffer, STATE_LABEL_BYTES, "%s%s", types[type].name, tail);
    put_shape(buffer + used, STATE_LABEL_BYTES - used, rank, dims);
    return buffer;
}

static bool part_is_valid(const char *part, size_t length)
{
    return length > 0 && !(length == 1 && part[0] == '.') &&
           !(length == 2 && part[0] == '.' && part[1] == '.');
}

static bool name_is_path(const char *name)
{
    for (;;) {
        size_t length = strcspn(name, "/");
        if (!part_is_valid(name, length))
            return false;
        if (name[length] == '\0')
            return true;
        name += length + 1;
    }
}

/* Whether a and b are equal or one is the folder of the other. */
static bool names_collide(const char *a, const char *b)
{
    size_t i = 0;
    while (a[i] != '\0' && a[i] == b[i])
        i++;
    return (a[i] == '\0' && (b[i] == '\0' || b[i] == '/')) || (b[i] == '\0' && a[i] == '/');
}

/* Makes room for one more element; the new array is returned, or NULL when out of memory. */
static void *grow(void *array, size_t count, size_t *room, size_t bytes)
{
    if (count < *room)
        return array;
    size_t wanted = *room ? *room * 2 : 32;
    void *larger = realloc(array, wanted * bytes);
    if (larger)
        *room = wanted;
    return larger;
}

static int append(StateDict *s, const StateEntry *entry, Error *e)
{
    if (!name_is_path(entry->name))
        return error_set(e, HONE_ERR_DATA, "checkpoint: '%s' is no path", entry->name);
    if (strlen(entry->name) > STATE_NAME_MOST)
        return error_set(e, HONE_ERR_DATA, "checkpoint: '%.40s...' is longer than %d bytes",
                         entry->name, STATE_NAME_MOST);
    for (size_t i = 0; i < s->count; i++)
        if (names_collide(entry->name, s->entries[i].name))
            return error_set(e, HONE_ERR_DATA, "checkpoint: '%s' collides with '%s'", entry->name,
                             s->entries[i].name);
    StateEntry *entries = grow(s->entries, s->count, &s->room, sizeof *entries);
    if (!entries)
        return error_memory(e, "the list of a checkpoint", s->count * 2 * sizeof *entries);
    s->entries = entries;
    char *name = arena_text(&s->arena, entry->name);
    if (!name)
        return error_memory(e, "a name in a checkpoint", strlen(entry->name) + 1);
    entries[s->count] = *entry;
    entries[s->count++].name = name;
    return HONE_OK;
}

int state_add(StateDict *s, const char *name, StateType type, int rank, const int64_t *dims,
              void *data, Error *e)
{
    if (rank < 0 || rank > STATE_RANK_MAX)
        return error_set(e, HONE_ERR_DATA, "checkpoint: '%s' has rank %d, not 0..%d", name, rank,
                         STATE_RANK_MAX);
    StateEntry entry = {
        .name = name, .type = type, .rank = rank, .bytes = types[type].bytes, .data = data};
    for (int i = 0; i < rank; i++) {
        if (dims[i] < 0 || (dims[i] > 0 && entry.bytes > PTRDIFF_MAX / (uint64_t)dims[i]))
            return error_set(e, HONE_ERR_DATA, "checkpoint: '%s' has %lld elements along axis %d",
                             name, (long long)dims[i], i);
        entry.dims[i] = dims[i];
        entry.bytes *= (size_t)dims[i];
    }
    return append(s, &entry, e);
}

int state_add_shape(StateDict *s, const char *name, StateType type, Shape shape, void *data,
                    Error *e)
{
    int64_t dims[SHAPE_RANK_MAX];
    for (int i = 0; i < shape.rank; i++)
        dims[i] = shape.dim[i];
    return state_add(s, name, type, shape.rank, dims, data, e);
}

int state_add_text(StateDict *s, const char *name, const char *text, Error *e)
{
    /* Only store_load() writes through data, and it skips texts: the cast drops no promise. */
    StateEntry entry = {
        .name = name, .type = STATE_TEXT, .bytes = strlen(text), .data = (void *)text};
    return append(s, &entry, e);
}

/* The attribute of that name, made when it is new; NULL and an error when out of memory. */
static StateAttribute *attribute_at(StateDict *s, const char *name, Error *e)
{
    for (size_t i = 0; i < s->attribute_count; i++)
        if (strcmp(s->attributes[i].name, name) == 0)
            return &s->attributes[i];
    StateAttribute *attributes =
        grow(s->attributes, s->attribute_count, &s->attribute_room, sizeof *attributes);
    if (attributes)
        s->attributes = attributes;
    char *copy = arena_text(&s->arena, name);
    if (!attributes || !copy) {
        (void)error_memory(e, "an attribute of a checkpoint", strlen(name) + 1);
        return NULL;
    }
    attributes[s->attribute_count] = (StateAttribute){.name = copy};
    return &attributes[s->attribute_count++];
}

int state_set_int(StateDict *s, const char *name, int64_t value, Error *e)
{
    StateAttribute *a = attribute_at(s, name, e);
    if (!a)
        return HONE_ERR_MEMORY;
    a->kind = STATE_INT;
    a->value.i = value;
    return HONE_OK;
}

int state_set_double(StateDict *s, const char *name, double value, Error *e)
{
    StateAttribute *a = attribute_at(s, name, e);
    if (!a)
        return HONE_ERR_MEMORY;
    a->kind = STATE_DOUBLE;
    a->value.real = value;
    return HONE_OK;
}

int state_set_string(StateDict *s, const char *name, const char *value, Error *e)
{
    char *copy = arena_text(&s->arena, value);
    if (!copy)
        return error_memory(e, "an attribute of a checkpoint", strlen(value) + 1);
    StateAttribute *a = attribute_at(s, name, e);
    if (!a)
        return HONE_ERR_MEMORY;
    a->kind = STATE_STRING;
    a->value.text = copy;
    return HONE_OK;
}

const StateEntry *state_find(const StateDict *s, const char *name)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->entries[i].name, name) == 0)
            return &s->entries[i];
    return NULL;
}

const StateAttribute *state_attribute(const StateDict *s, const char *name)
{
    for (size_t i = 0; i < s->attribute_count; i++)
        if (strcmp(s->attributes[i].name, name) == 0)
            return &s->attributes[i];
    return NULL;
}

void state_release(StateDict *s)
{
    free(s->entries);
    free(s->attributes);
    arena_release(&s->arena);
    *s = (StateDict){0};
}
