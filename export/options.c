/* The option table of export. SPDX-License-Identifier: Apache-2.0 */
#include "export/options.h"

#include "runtime/fixed.h"

static const char *const formats[] = {"hone", NULL};
/* By profile number. */
static const char *const profiles[] = {[HONE_RT_S24] = "s24", NULL};

const OptionTable export_options = {
    .name = "export",
    .help = "which artifacts are written, and how they round",
    .size = sizeof(ExportOptions),
    .options = (const Option[]){OPTION_TEXTS("formats", ExportOptions, formats, 1, 4, formats,
                                             "[hone]", "artifacts to write, each verified"),
                                OPTION_CHOICE("requant", ExportOptions, requant, profiles, "s24",
                                              "rounding of the integer program"),
                                OPTION_BOOL("softmax", ExportOptions, softmax, "false",
                                            "end the artifact with a softmax: probabilities in "
                                            "steps of 1/256"),
                                OPTION_END},
};
