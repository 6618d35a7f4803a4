/* The options of distillation and what they mean at a step: see distill.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "distill/distill.h"

#include <math.h>

static int check(const void *options, Error *e)
{
    const DistillOptions *o = options;
    if (o->end_epoch >= 0 && o->end_epoch <= o->begin_epoch)
        return error_set(e, HONE_ERR_CONFIG, "end_epoch %g is not after begin_epoch %g",
                         o->end_epoch, o->begin_epoch);
    return HONE_OK;
}

static const OptionTable teacher_table = {
    .name = "teacher",
    .help = "whose answers the student learns",
    .size = sizeof(DistillTeacherOptions),
    .options = (const Option[]){OPTION_TEXT("checkpoint", DistillTeacherOptions, checkpoint, NULL,
                                            "file of a finished run, as runs/NAME/best.h5"),
                                OPTION_END},
};

const OptionTable distill_options = {
    .name = "distill",
    .help = "learning from a teacher's answers",
    .size = sizeof(DistillOptions),
    .options =
        (const Option[]){
            OPTION_SECTION("teacher", DistillOptions, teacher, &teacher_table,
                           "whose answers the student learns"),
            OPTION_REAL_OPEN("temperature", DistillOptions, temperature, "", 0, 1000,
                             OPTION_OPEN_MIN, "4", "softens both answers: softmax(logits / it)"),
            OPTION_REAL("weight_hard", DistillOptions, weight_hard, "", 0, 1000, "0.1",
                        "of the loss on labels"),
            OPTION_REAL_OPEN("weight_soft", DistillOptions, weight_soft, "", 0, 1000,
                             OPTION_OPEN_MIN, "0.9", "of the loss on the teacher's answers"),
            OPTION_REAL("begin_epoch", DistillOptions, begin_epoch, "epochs", 0, 100000, "0",
                        "first epoch of distillation; before it only labels count"),
            OPTION_REAL("end_epoch", DistillOptions, end_epoch, "epochs", -1, 100000, "-1",
                        "from here on only labels count; -1: to the end"),
            OPTION_REAL("ramp_epochs", DistillOptions, ramp_epochs, "epochs", 0, 100000, "0",
                        "length of the move from labels alone to both weights"),
            OPTION_END,
        },
    .check = check,
};

void distill_weights(const DistillOptions *o, int64_t step, int64_t steps_per_epoch, double *hard,
                     double *soft)
{
    const double per_epoch = (double)steps_per_epoch, t = (double)step;
    const double begin = round(o->begin_epoch * per_epoch),
                 ramp = round(o->ramp_epochs * per_epoch);
    *hard = 1;
    *soft = 0;
    if (t < begin || (o->end_epoch >= 0 && t >= round(o->end_epoch * per_epoch)))
        return;
    const double share = t - begin < ramp ? (t - begin + 1) / (ramp + 1) : 1;
    *hard = 1 + (o->weight_hard - 1) * share;
    *soft = o->weight_soft * share;
    if (share == 1)
        *hard = o->weight_hard; /* not to rounding */
}
