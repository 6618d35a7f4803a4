/* Errors as one sentence each: see error.h. SPDX-License-Identifier: Apache-2.0 */
#include "core/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* As analyzers see them: core/error.h. */
#undef error_set
#undef error_errno
#undef error_prefix
#undef error_memory

static void store(Error *e, int code, const char *format, va_list args)
{
    e->code = code;
    vsnprintf(e->text, sizeof e->text, format, args);
}

int error_set(Error *e, int code, const char *format, ...)
{
    if (e && e->code == HONE_OK) {
        va_list args;
        va_start(args, format);
        store(e, code, format, args);
        va_end(args);
    }
    return code;
}

int error_errno(Error *e, int code, const char *format, ...)
{
    int cause = errno;
    if (e && e->code == HONE_OK) {
        va_list args;
        va_start(args, format);
        store(e, code, format, args);
        va_end(args);
        size_t used = strlen(e->text);
        snprintf(e->text + used, sizeof e->text - used, ": %s", strerror(cause));
    }
    return code;
}

int error_prefix(Error *e, const char *format, ...)
{
    if (!e)
        return HONE_ERR_DATA;
    char old[sizeof e->text];
    memcpy(old, e->text, sizeof old);
    va_list args;
    va_start(args, format);
    store(e, e->code, format, args);
    va_end(args);
    size_t used = strlen(e->text);
    snprintf(e->text + used, sizeof e->text - used, ": %s", old);
    return e->code;
}

int error_memory(Error *e, const char *what, size_t bytes)
{
    return error_set(e, HONE_ERR_MEMORY, "out of memory: %zu bytes for %s", bytes, what);
}
