/* What can be said about export. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_EXPORT_OPTIONS_H
#define HONE_EXPORT_OPTIONS_H

#include "core/option.h"

typedef struct ExportOptions {
    OptionTexts formats; /* "hone": our own flat file */
    int requant;         /* HONE_RT_S24 of fixed.h */
    bool softmax;        /* the artifact ends with a softmax */
} ExportOptions;

extern const OptionTable export_options;

#endif
