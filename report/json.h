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
 * Keys are NULL for elements of lists. The outermost object and the lists in it have a line per
 * member, what is deeper stands on one line. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CLI_JSON_H
#define HONE_CLI_JSON_H

#include "core/text.h"

#include <stdint.h>

#define JSON_DEPTH_MAX 8

typedef struct Json {
    Text *out;
    int depth;
    bool full[JSON_DEPTH_MAX];  /* has a member already */
    char close[JSON_DEPTH_MAX]; /* '}' or ']' */
} Json;

/* bracket is '{' or '['. */
void json_open(Json *j, const char *key, char bracket);
void json_close(Json *j);
void json_text(Json *j, const char *key, const char *value); /* NULL becomes null */
void json_whole(Json *j, const char *key, int64_t value);
void json_real(Json *j, const char *key, double value); /* not finite: null */
void json_bool(Json *j, const char *key, bool value);

#endif
