/* Files that `hone run` takes as inputs of an artifact: one reader per kind, chosen by the ending of
 * the name. A new kind is one reader and one line of the table in readers.c.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CLI_READERS_H
#define HONE_CLI_READERS_H

#include "core/error.h"
#include "export/notes.h"

#include <stdbool.h>
#include <stdint.h>

/* What inputs are wanted as. */
typedef struct ReadTarget {
    const void *artifact; /* as hone_rt_open accepted it */
    const Notes *notes;
    int height, width, channels; /* of its input */
    size_t elements;             /* of its input */
    bool header;                 /* CSV files start with a line of names */
} ReadTarget;

/* The inputs of one file. */
typedef struct ReadRows {
    int8_t *codes; /* [rows][elements] */
    size_t rows;
    bool many; /* rows have numbers: a table or an array, not one image */
} ReadRows;

/* Reads all inputs in a file. Errors: HONE_ERR_USAGE for an ending that has no reader, with those that
 * have; HONE_ERR_IO; HONE_ERR_DATA for what does not fit the artifact; HONE_ERR_MEMORY. The rows are
 * the caller's to release; empty on failure. */
HONE_CHECKED int read_rows(ReadRows *rows, const ReadTarget *target, const char *path, Error *e);
void read_release(ReadRows *rows);

#endif
