/* Reports with and without a listener: see events.h. SPDX-License-Identifier: Apache-2.0 */
#include "trainer/events.h"

#include <stdarg.h>
#include <stdio.h>

void events_message(const TrainEvents *events, const char *format, ...)
{
    char text[512];
    va_list arguments;
    if (!events || !events->message)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    events->message(events->context, text);
}

bool events_stopped(const TrainEvents *events)
{
    return events && events->stop && *events->stop;
}

int events_progress(const TrainEvents *events, const char *what, int64_t done, int64_t all,
                    Error *e)
{
    if (events && events->progress)
        events->progress(events->context, what, done, all);
    if (!events_stopped(events))
        return HONE_OK;
    return error_set(e, HONE_ERR_INTERRUPTED, "stopped in the %s, after %lld of %lld images", what,
                     (long long)done, (long long)all);
}
