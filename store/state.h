/* What a checkpoint holds, as a list of named arrays and scalar attributes; knows no file format.
 *
 *     StateDict s = {0};
 *     int64_t epoch = 3;
 *     int rc = state_add_shape(&s, "params/stem.weight", STATE_REAL, SHAPE4(16, 3, 3, 3), w, e);
 *     if (rc == HONE_OK) rc = state_add_text(&s, "config", yaml, e);
 *     if (rc == HONE_OK) rc = state_set_int(&s, "epoch", epoch, e);
 *     if (rc == HONE_OK) rc = store_save("last.h5", &s, e);     // store/store.h
 *     state_release(&s);
 *
 * Names are paths of at most STATE_NAME_MOST bytes: parts joined by '/', each not empty and neither
 * "." nor ".."; no name is used twice, and none is another's folder ("a" with "a/b"). The dict copies
 * names and attributes and borrows arrays and texts, which must live as long as it does; one dict
 * built once thus serves every later save, and store_load() to read the same arrays back.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_STORE_STATE_H
#define HONE_STORE_STATE_H

#include "core/arena.h"
#include "core/error.h"
#include "core/real.h"
#include "core/shape.h"

#include <stddef.h>
#include <stdint.h>

#define STATE_RANK_MAX  8
#define STATE_NAME_MOST 510 /* bytes of a name */

/* name, C type of an element, how messages call it */
#define STATE_TYPES(X)                                                                             \
    X(F32, float, "f32")                                                                           \
    X(F64, double, "f64")                                                                          \
    X(I8, int8_t, "i8")                                                                            \
    X(U8, uint8_t, "u8")                                                                           \
    X(I32, int32_t, "i32")                                                                         \
    X(I64, int64_t, "i64")                                                                         \
    X(U64, uint64_t, "u64")                                                                        \
    X(TEXT, char, "text")

typedef enum StateType {
#define STATE_ENUM(name, ctype, text) STATE_##name,
    STATE_TYPES(STATE_ENUM)
#undef STATE_ENUM
        STATE_TYPE_COUNT
} StateType;

/* The type of a Real array in this build. */
#define STATE_REAL (sizeof(Real) == sizeof(float) ? STATE_F32 : STATE_F64)

typedef struct StateEntry {
    const char *name;
    StateType type;
    int rank;                     /* 0 for a scalar and for text */
    int64_t dims[STATE_RANK_MAX]; /* each >= 0, row-major; unused ones 0 */
    size_t bytes;                 /* of data; of text: its length without the NUL */
    void *data;                   /* borrowed; written by store_load() only */
} StateEntry;

typedef enum StateKind { STATE_INT, STATE_DOUBLE, STATE_STRING } StateKind;

typedef struct StateAttribute {
    const char *name;
    StateKind kind;
    union {
        int64_t i;
        double real;
        const char *text;
    } value;
} StateAttribute;

typedef struct StateDict {
    Arena arena;         /* names and texts of attributes */
    StateEntry *entries; /* in the order in which they were added */
    size_t count, room;
    StateAttribute *attributes;
    size_t attribute_count, attribute_room;
} StateDict;

/* Adds an array; data may be NULL only when it has no elements. HONE_ERR_DATA: a name that is no
 * path, too long or taken, a rank or a size out of range. */
HONE_CHECKED int state_add(StateDict *s, const char *name, StateType type, int rank,
                           const int64_t *dims, void *data, Error *e);
HONE_CHECKED int state_add_shape(StateDict *s, const char *name, StateType type, Shape shape,
                                 void *data, Error *e);
/* Adds a UTF-8 text. Texts are skipped by store_load(): see store_text(). */
HONE_CHECKED int state_add_text(StateDict *s, const char *name, const char *text, Error *e);

/* Sets an attribute, new or again; its text is copied. */
HONE_CHECKED int state_set_int(StateDict *s, const char *name, int64_t value, Error *e);
HONE_CHECKED int state_set_double(StateDict *s, const char *name, double value, Error *e);
HONE_CHECKED int state_set_string(StateDict *s, const char *name, const char *value, Error *e);

/* NULL when there is none of that name. */
const StateEntry *state_find(const StateDict *s, const char *name);
const StateAttribute *state_attribute(const StateDict *s, const char *name);

/* For messages; each fills a buffer of STATE_LABEL_BYTES and returns it. */
#define STATE_LABEL_BYTES 192
/* "[16,3,3,3]", "a scalar" */
const char *state_shape_label(int rank, const int64_t *dims, char *buffer);
/* "f32 [16,3,3,3]", "i64 scalar", "text" */
const char *state_label(StateType type, int rank, const int64_t *dims, char *buffer);

void state_release(StateDict *s);

#endif
