/* What can be said about export. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_EXPORT_OPTIONS_H
#define HONE_EXPORT_OPTIONS_H

#include "core/option.h"

#include <stdint.h>

enum { EXPORT_PROFILES_MAX = 2 };

typedef struct ExportOptions {
    OptionTexts formats; /* "hone": our own flat file */
    OptionTexts requant; /* names of profiles, each once; the first is what the trainer evaluates */
    bool softmax;        /* the artifact ends with a softmax */
} ExportOptions;

extern const OptionTable export_options;

/* What formats and requant may name, NULL-terminated; profiles by number. */
extern const char *const export_format_names[], *const export_profile_names[];

/* Profile i of the options, i < o->requant.count, as fixed.h numbers it. */
uint32_t export_profile(const ExportOptions *o, size_t i);
/* Its name: "s24", "d31". */
const char *export_profile_name(uint32_t profile);

#endif
