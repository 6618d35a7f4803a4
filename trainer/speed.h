/* How long steps take: a moving average for the progress display, medians for reports. Keeps the
 * last SPEED_STEPS; adding allocates nothing. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TRAINER_SPEED_H
#define HONE_TRAINER_SPEED_H

#include "core/error.h"

#include <stdint.h>

#define SPEED_STEPS 65536

typedef struct Speed {
    float *seconds; /* [SPEED_STEPS], a ring */
    float *sorted;  /* scratch of medians */
    int64_t count;  /* steps added */
    double recent;  /* moving average of seconds per step; 0 before the first */
} Speed;

HONE_CHECKED int speed_init(Speed *s, Error *e);
void speed_release(Speed *s);
/* A step took so long. */
void speed_add(Speed *s, double seconds);
/* Median seconds of the last n steps (fewer where there are fewer); 0 without any. */
double speed_median(Speed *s, int64_t n);
/* Seconds of a clock that only goes forward. */
double speed_now(void);

#endif
