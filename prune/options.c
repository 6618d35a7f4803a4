/* The options of pruning: see prune.h. SPDX-License-Identifier: Apache-2.0 */
#include "prune/prune.h"

static int check_schedule(const void *options, Error *e)
{
    const PruneScheduleOptions *o = options;
    if (o->end_epoch < o->begin_epoch)
        return error_set(e, HONE_ERR_CONFIG, "end_epoch %g is before begin_epoch %g", o->end_epoch,
                         o->begin_epoch);
    if (o->final_sparsity < o->initial_sparsity)
        return error_set(e, HONE_ERR_CONFIG, "final_sparsity %g is below initial_sparsity %g",
                         o->final_sparsity, o->initial_sparsity);
    return HONE_OK;
}

static const OptionTable schedule_table = {
    .name = "prune schedule",
    .help = "when and how far",
    .size = sizeof(PruneScheduleOptions),
    .options =
        (const Option[]){
            OPTION_SELECTOR("kind", PruneScheduleOptions, kind, "polynomial", "how sparsity rises"),
            OPTION_END,
        },
    .variants =
        (const OptionVariant *const[]){
            OPTION_VARIANT(
                "polynomial", "fast at first, slower towards the end (a cubic)",
                OPTION_REAL("begin_epoch", PruneScheduleOptions, begin_epoch, "epochs", 0, 100000,
                            "0", "first pruning, counted from the start of the run"),
                OPTION_REAL("end_epoch", PruneScheduleOptions, end_epoch, "epochs", 0, 100000, NULL,
                            "last pruning; equal to train.epochs: after the last step"),
                OPTION_REAL_OPEN("initial_sparsity", PruneScheduleOptions, initial_sparsity, "", 0,
                                 1, OPTION_OPEN_MAX, "0", "share of weights pruned at begin_epoch"),
                OPTION_REAL_OPEN("final_sparsity", PruneScheduleOptions, final_sparsity, "", 0, 1,
                                 OPTION_OPEN_MAX, NULL,
                                 "share of weights pruned from end_epoch on"),
                OPTION_INT("every_steps", PruneScheduleOptions, every_steps, "steps", 1, 1000000000,
                           "100", "steps between two prunings"),
                OPTION_END),
            NULL,
        },
    .check = check_schedule,
};

static const char *const methods[] = {"magnitude", NULL};

const OptionTable prune_options = {
    .name = "prune",
    .help = "setting weights to zero while training",
    .size = sizeof(PruneOptions),
    .options =
        (const Option[]){
            OPTION_CHOICE("method", PruneOptions, method, methods, "magnitude",
                          "which weights go first: magnitude, the smallest of each layer"),
            OPTION_SECTION("schedule", PruneOptions, schedule, &schedule_table, "when and how far"),
            OPTION_TEXTS("exclude", PruneOptions, exclude, 0, 1024, NULL, "[]",
                         "patterns of layers to leave alone, as [stem, 'block*.depthwise']"),
            OPTION_END,
        },
};
