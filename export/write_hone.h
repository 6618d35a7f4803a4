/* Writes an integer program as a .hone file (docs/FORMAT.md): the bytes depend on the program alone,
 * never on time, path or machine. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_EXPORT_WRITE_HONE_H
#define HONE_EXPORT_WRITE_HONE_H

#include "core/error.h"
#include "runtime/program.h"

#include <stddef.h>

/* Serializes the program into *bytes, which is the caller's to free(), and has the runtime check
 * the result. Errors: ERR_MEMORY; ERR_DATA, with the runtime's reason, for a program that it would
 * refuse; *bytes is then NULL. */
HONE_CHECKED int write_hone_bytes(const HoneRtProgram *program, unsigned char **bytes,
                                  size_t *count, Error *e);

/* The same, into a file that is replaced as a whole. Besides: ERR_IO. */
HONE_CHECKED int write_hone_file(const char *path, const HoneRtProgram *program, Error *e);

#endif
