/* An integer program as the bytes of a .hone file (docs/FORMAT.md): the bytes depend on the program
 * alone, never on time, path or machine. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_EXPORT_WRITE_HONE_H
#define HONE_EXPORT_WRITE_HONE_H

#include "core/error.h"
#include "runtime/program.h"

#include <stddef.h>

/* What a file holds besides the program: readers that do not know the tag skip it. */
typedef struct WriteSection {
    uint32_t tag; /* made by HONE_RT_TAG */
    const void *data;
    size_t bytes; /* 0: the section is left out */
} WriteSection;

#define WRITE_SECTIONS_MAX 8

/* Serializes the program and extra_count <= WRITE_SECTIONS_MAX optional sections into *bytes, which is
 * the caller's to free(), and has the runtime check the result. Errors: ERR_MEMORY; ERR_DATA, with the
 * runtime's reason, for a program that it would refuse; *bytes is then NULL. */
HONE_CHECKED int write_hone_bytes(const HoneRtProgram *program, const WriteSection *extra,
                                  size_t extra_count, unsigned char **bytes, size_t *count,
                                  Error *e);

#endif
