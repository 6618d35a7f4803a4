/* A JSON object, written as it goes:
 *
 *     Json j = {.out = &text};
 *     json_open(&j, NULL, '{');
 *     json_whole(&j, "params", 1234);
 *     json_open(&j, "layers", '[');
 *     ...
 *     json_close(&j);
 *     json_close(&j);
 *
 * Keys are NULL for elements of lists. A text that runs out of memory remembers that: text_failed.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_REPORT_JSON_H
#define HONE_REPORT_JSON_H

#include "core/text.h"

#include <stdint.h>

#define JSON_DEPTH_MAX 32

typedef enum JsonLayout {
    JSON_ROWS, /* a line per member of the outermost object and of lists in it, what is deeper on one */
    JSON_LINE, /* all on one line */
    JSON_TREE, /* a line per member of every object, lists on one line but for the objects in them */
} JsonLayout;

typedef struct Json {
    Text *out;
    JsonLayout layout;
    int depth;
    bool full[JSON_DEPTH_MAX];  /* has a member already */
    char close[JSON_DEPTH_MAX]; /* '}' or ']' */
} Json;

/* Begins an object or a list; bracket is '{' or '['. */
void json_open(Json *j, const char *key, char bracket);
/* Ends what was begun last; the outermost with a newline. */
void json_close(Json *j);
/* A member of what is open: */
void json_text(Json *j, const char *key, const char *value); /* NULL becomes null */
void json_whole(Json *j, const char *key, int64_t value);
void json_real(Json *j, const char *key, double value); /* not finite: null */
void json_bool(Json *j, const char *key, bool value);
void json_source(Json *j, const char *key, const char *value); /* value is JSON already */

#endif
