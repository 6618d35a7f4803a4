/* Printing results: the one place that writes to standard output on behalf of verbs.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CLI_OUTPUT_H
#define HONE_CLI_OUTPUT_H

#include "core/error.h"
#include "core/text.h"

/* Writes text to standard output, releases it, and flushes. Errors: HONE_ERR_MEMORY when the text
 * is incomplete, HONE_ERR_IO. */
HONE_CHECKED int output_text(Text *text, Error *e);

#endif
