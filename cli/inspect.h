/* The three kinds of file that hone inspect takes apart. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CLI_INSPECT_H
#define HONE_CLI_INSPECT_H

#include "cli/verb.h"

typedef struct InspectArguments {
    const char *file;
    FlagTexts sets;
    bool json, quant;
} InspectArguments;

/* Prints what is in the file, as text or JSON. Errors: those of reading it, or of an option that
 * its kind does not have. */
HONE_CHECKED int inspect_config(const InspectArguments *a, Error *e);
HONE_CHECKED int inspect_checkpoint(const InspectArguments *a, Error *e);
HONE_CHECKED int inspect_artifact(const InspectArguments *a, Error *e);

#endif
