/* The option table of export. SPDX-License-Identifier: Apache-2.0 */
#include "export/options.h"

#include "runtime/fixed.h"

#include <assert.h>
#include <string.h>

const char *const export_format_names[] = {"hone", NULL};
const char *const export_profile_names[] = {[HONE_RT_S24] = "s24", [HONE_RT_D31] = "d31", NULL};

const char *export_profile_name(uint32_t profile)
{
    assert(profile < sizeof export_profile_names / sizeof export_profile_names[0] - 1);
    return export_profile_names[profile];
}

uint32_t export_profile(const ExportOptions *o, size_t i)
{
    uint32_t profile = 0;
    assert(i < o->requant.count);
    while (strcmp(export_profile_name(profile), o->requant.v[i]) != 0)
        profile++;
    return profile;
}

static int check(const void *options, Error *e)
{
    const OptionTexts *requant = &((const ExportOptions *)options)->requant;
    for (size_t i = 1; i < requant->count; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(requant->v[k], requant->v[i]) == 0)
                return error_set(e, HONE_ERR_CONFIG, "requant names '%s' twice", requant->v[i]);
    return HONE_OK;
}

const OptionTable export_options = {
    .name = "export",
    .help = "which artifacts are written, and how they round",
    .size = sizeof(ExportOptions),
    .options =
        (const Option[]){
            OPTION_TEXTS("formats", ExportOptions, formats, 1, 4, export_format_names, "[hone]",
                         "artifacts to write, each verified"),
            OPTION_TEXTS(
                "requant", ExportOptions, requant, 1, EXPORT_PROFILES_MAX, export_profile_names,
                "[s24]",
                "rounding of the integer program: s24, one multiplication, or d31, as TensorFlow "
                "Lite rounds; of two each gets an artifact, and evaluation while training takes "
                "the "
                "first"),
            OPTION_BOOL("softmax", ExportOptions, softmax, "false",
                        "end the artifact with a softmax: probabilities in steps of 1/256"),
            OPTION_END},
    .check = check,
};
