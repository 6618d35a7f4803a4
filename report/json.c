/* Writing JSON: see json.h. SPDX-License-Identifier: Apache-2.0 */
#include "report/json.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>

/* Whether members of what is open now have lines of their own. */
static bool has_lines(const Json *j)
{
    switch (j->layout) {
    case JSON_LINE:
        return false;
    case JSON_TREE:
        return j->close[j->depth - 1] == '}';
    default:
        return j->depth == 1 || (j->depth == 2 && j->close[1] == ']');
    }
}

static void begin(Json *j, const char *key)
{
    if (j->depth > 0) {
        if (j->full[j->depth - 1])
            text_add(j->out, ",");
        if (has_lines(j))
            text_printf(j->out, "\n%*s", 2 * j->depth, "");
        else if (j->full[j->depth - 1])
            text_add(j->out, " ");
        j->full[j->depth - 1] = true;
    }
    if (key) {
        text_add_json(j->out, key);
        text_add(j->out, ": ");
    }
}

void json_open(Json *j, const char *key, char bracket)
{
    assert(j->depth < JSON_DEPTH_MAX);
    begin(j, key);
    text_add_bytes(j->out, &bracket, 1);
    j->full[j->depth] = false;
    j->close[j->depth++] = bracket == '{' ? '}' : ']';
}

void json_close(Json *j)
{
    assert(j->depth > 0);
    bool lines = has_lines(j) && j->full[j->depth - 1];
    j->depth--;
    if (lines)
        text_printf(j->out, "\n%*s", 2 * j->depth, "");
    text_add_bytes(j->out, &j->close[j->depth], 1);
    if (j->depth == 0)
        text_add(j->out, "\n");
}

void json_text(Json *j, const char *key, const char *value)
{
    begin(j, key);
    text_add_json(j->out, value);
}

void json_whole(Json *j, const char *key, int64_t value)
{
    begin(j, key);
    text_printf(j->out, "%" PRId64, value);
}

void json_real(Json *j, const char *key, double value)
{
    begin(j, key);
    if (isfinite(value))
        text_add_real(j->out, value);
    else
        text_add(j->out, "null");
}

void json_bool(Json *j, const char *key, bool value)
{
    json_source(j, key, value ? "true" : "false");
}

void json_source(Json *j, const char *key, const char *value)
{
    begin(j, key);
    text_add(j->out, value);
}
