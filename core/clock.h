/* A clock that only goes forward. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CORE_CLOCK_H
#define HONE_CORE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Nanoseconds since some moment. */
static inline int64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* The same in seconds. */
static inline double clock_seconds(void)
{
    return 1e-9 * (double)clock_ns();
}

#endif
