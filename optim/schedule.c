/* Learning rates: see schedule.h. SPDX-License-Identifier: Apache-2.0 */
#include "optim/schedule.h"

#include <math.h>
#include <stddef.h>

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
            NULL,
        },
};

int schedule_check(const ScheduleOptions *o, int64_t epochs, Error *e)
{
    if (o->warmup_epochs > (double)epochs)
        return error_set(e, HONE_ERR_CONFIG, "warmup_epochs %g is longer than the run of %lld",
                         o->warmup_epochs, (long long)epochs);
    return HONE_OK;
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
    if (t >= total)
        return lr * o->final;
    return lr * (o->final + (1 - o->final) * (1 + cos(pi * (t - warmup) / (total - warmup))) / 2);
}
