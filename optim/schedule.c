/* Learning rates: see schedule.h. SPDX-License-Identifier: Apache-2.0 */
#include "optim/schedule.h"

#include <math.h>
#include <stddef.h>

static int check_milestones(const void *options, Error *e)
{
    const OptionReals *m = &((const ScheduleOptions *)options)->milestones;
    for (int i = 1; i < m->count; i++)
        if (m->v[i] <= m->v[i - 1])
            return error_set(e, HONE_ERR_CONFIG, "milestones: %g comes after %g", m->v[i],
                             m->v[i - 1]);
    return HONE_OK;
}

const OptionTable schedule_options = {
    .name = "schedule",
    .help = "how the learning rate moves",
    .size = sizeof(ScheduleOptions),
    .options =
        (const Option[]){
            OPTION_SELECTOR("kind", ScheduleOptions, kind, "cosine", "curve after the warm-up"),
            OPTION_REAL("warmup_epochs", ScheduleOptions, warmup_epochs, "epochs", 0, 100000, "0",
                        "length of the linear rise from 0; fractions are allowed"),
            OPTION_END,
        },
    .variants =
        (const OptionVariant *const[]){
            OPTION_VARIANT("cosine", "half a cosine, from lr down to its final fraction",
                           OPTION_REAL("final", ScheduleOptions, final, "", 0, 1, "0",
                                       "fraction of lr at the end"),
                           OPTION_END),
            OPTION_VARIANT("constant", "lr throughout", OPTION_END),
            OPTION_VARIANT("step", "lr falls by a factor at each milestone",
                           OPTION_REALS("milestones", ScheduleOptions, milestones, "epochs", 1,
                                        OPTION_INTS_MAX, 0, 100000, NULL,
                                        "when it falls, as [10, 15]; fractions are allowed"),
                           OPTION_REAL_OPEN("gamma", ScheduleOptions, gamma, "", 0, 1,
                                            OPTION_OPEN_MIN, "0.1", "factor at each milestone"),
                           OPTION_END),
            OPTION_VARIANT("linear", "a straight line, from lr down to its final fraction",
                           OPTION_REAL("final", ScheduleOptions, final, "", 0, 1, "0",
                                       "fraction of lr at the end"),
                           OPTION_END),
            NULL,
        },
    .check = check_milestones,
};

int schedule_check(const ScheduleOptions *o, int64_t epochs, Error *e)
{
    if (o->warmup_epochs > (double)epochs)
        return error_set(e, HONE_ERR_CONFIG, "warmup_epochs %g is longer than the run of %lld",
                         o->warmup_epochs, (long long)epochs);
    for (int i = 0; i < o->milestones.count; i++)
        if (o->milestones.v[i] > (double)epochs)
            return error_set(e, HONE_ERR_CONFIG, "milestones: %g is after the run of %lld epochs",
                             o->milestones.v[i], (long long)epochs);
    return HONE_OK;
}

/* gamma to the number of milestones that step t has reached. */
static double fallen(const ScheduleOptions *o, double t, double steps_per_epoch)
{
    double factor = 1;
    for (int i = 0; i < o->milestones.count; i++)
        if (round(o->milestones.v[i] * steps_per_epoch) <= t)
            factor *= o->gamma;
    return factor;
}

double schedule_lr(const ScheduleOptions *o, double lr, int64_t step, int64_t steps_per_epoch,
                   int64_t epochs)
{
    static const double pi = 3.14159265358979323846;
    const double total = (double)steps_per_epoch * (double)epochs;
    const double warmup = round(o->warmup_epochs * (double)steps_per_epoch);
    const double t = (double)step;
    if (t < warmup)
        return lr * (t + 1) / warmup;
    if (o->kind == SCHEDULE_CONSTANT)
        return lr;
    if (o->kind == SCHEDULE_STEP)
        return lr * fallen(o, t, (double)steps_per_epoch);
    if (t >= total)
        return lr * o->final;
    const double left = o->kind == SCHEDULE_LINEAR
                            ? (total - t) / (total - warmup)
                            : (1 + cos(pi * (t - warmup) / (total - warmup))) / 2;
    return lr * (o->final + (1 - o->final) * left);
}
