/* Times of steps: see speed.h. SPDX-License-Identifier: Apache-2.0 */
#include "trainer/speed.h"

#include "core/clock.h"

#include <stdlib.h>

#define RECENT_WEIGHT 0.1

int speed_init(Speed *s, Error *e)
{
    *s = (Speed){.seconds = calloc(2 * SPEED_STEPS, sizeof *s->seconds)};
    if (!s->seconds)
        return error_memory(e, "the times of steps", 2 * SPEED_STEPS * sizeof *s->seconds);
    s->sorted = s->seconds + SPEED_STEPS;
    return HONE_OK;
}

void speed_release(Speed *s)
{
    free(s->seconds);
    *s = (Speed){0};
}

void speed_add(Speed *s, double seconds)
{
    s->recent += (s->count == 0 ? 1 : RECENT_WEIGHT) * (seconds - s->recent);
    s->seconds[s->count++ % SPEED_STEPS] = (float)seconds;
}

static int compare(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

double speed_median(Speed *s, int64_t n)
{
    int64_t room = s->count < SPEED_STEPS ? s->count : SPEED_STEPS;
    n = n < room ? n : room;
    for (int64_t i = 0; i < n; i++)
        s->sorted[i] = s->seconds[(s->count - 1 - i) % SPEED_STEPS];
    if (n == 0)
        return 0;
    qsort(s->sorted, (size_t)n, sizeof *s->sorted, compare);
    return (double)s->sorted[n / 2];
}

double speed_now(void)
{
    return clock_seconds();
}
