/* What fuzz targets share. A target is a file of this folder with LLVMFuzzerTestOneInput
 * (libFuzzer; LLVM documentation, "libFuzzer - a library for coverage-guided fuzz testing"); `make
 * fuzz` builds and runs all of them for a while, from the files that tools/fuzz_seeds.sh makes. Any
 * crash, leak, overflow or abort is a finding. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_FUZZ_TARGET_H
#define HONE_FUZZ_TARGET_H

#include "core/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A status and its Error agree, and a failure has a sentence. */
static inline void fuzz_expect(int status, const Error *e)
{
    if (status != e->code || (status != HONE_OK && e->text[0] == '\0'))
        abort();
}

/* Writes data to a file of this process under $TMPDIR or /tmp, for readers that want a path; aborts
 * where that fails. Returns the path, the same each time. */
const char *fuzz_file(const char *suffix, const uint8_t *data, size_t size);

/* Whether an HDF5 file may have the undefined address, all ones, where a valid one is read: anywhere behind
 * the superblock but at the siblings of a B-tree's node. HDF5 1.10 reads from NULL there
 * (H5F__accum_read), before any check that we could make; no finding of ours. */
bool fuzz_hdf5_undefined(const uint8_t *data, size_t size);

#endif
