/* The learning rate of each step: a pure function of options and step number, so that a resumed run
 * needs no state.
 *
 *     double lr = schedule_lr(&config.schedule, config.optimizer.lr, step, per_epoch, epochs);
 *
 * With W warm-up steps and T steps in all, the factor on lr at step t (0-based) is
 *     (t + 1) / W                                                   t < W, both kinds
 *     final + (1 - final) (1 + cos(pi (t - W) / (T - W))) / 2       cosine, t >= W
 *     final + (1 - final) (T - t) / (T - W)                         linear, t >= W
 *     gamma^(milestones at or before t)                             step, t >= W
 *     1                                                             constant, t >= W
 * The first cosine or linear step thus runs at lr, and `final` would be reached at step T, after the
 * last. A milestone of m epochs lies at step round(m steps_per_epoch).
 * Cosine: Loshchilov and Hutter, "SGDR", ICLR 2017, eq. 5, without restarts; warm-up: Goyal et al.,
 * "Accurate, large minibatch SGD", 2017, sec. 2.2. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_OPTIM_SCHEDULE_H
#define HONE_OPTIM_SCHEDULE_H

#include <stdint.h>

#include "core/error.h"
#include "core/option.h"

/* In the order of the table's variants. */
typedef enum ScheduleKind {
    SCHEDULE_COSINE,
    SCHEDULE_CONSTANT,
    SCHEDULE_STEP,
    SCHEDULE_LINEAR,
} ScheduleKind;

typedef struct ScheduleOptions {
    ScheduleKind kind;
    double warmup_epochs;   /* W is this times steps per epoch, rounded to the nearest */
    double final;           /* cosine, linear: fraction of lr at the end, 0..1 */
    OptionReals milestones; /* step: epochs, rising */
    double gamma;           /* step: factor at each milestone */
} ScheduleOptions;

extern const OptionTable schedule_options;

/* Refuses a warm-up or a milestone that lies after the run; the sentence starts with the key. */
HONE_CHECKED int schedule_check(const ScheduleOptions *o, int64_t epochs, Error *e);

/* The learning rate of step `step`, 0 <= step < steps_per_epoch * epochs; later steps get the last
 * value of the formula. lr is the peak. */
double schedule_lr(const ScheduleOptions *o, double lr, int64_t step, int64_t steps_per_epoch,
                   int64_t epochs);

#endif
