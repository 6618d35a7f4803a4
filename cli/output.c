/* Standard output: see output.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/output.h"

#include <stdio.h>

int output_text(Text *text, Error *e)
{
    int status = HONE_OK;
    if (text_failed(text))
        status = error_memory(e, "the output", text->length);
    else if (fputs(text_string(text), stdout) < 0 || fflush(stdout) != 0)
        status = error_errno(e, HONE_ERR_IO, "cannot write to standard output");
    text_release(text);
    return status;
}
