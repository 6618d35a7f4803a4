/* The files of a data set that is a folder. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_DATASETS_LISTING_H
#define HONE_DATASETS_LISTING_H

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

typedef struct Listing {
    char **names; /* [count], "file" or "folder/file", in the order of their bytes */
    size_t count;
} Listing;

/* Finds the files of folder and of the folders in it whose names end in `ending`, letters compared
 * without case; hidden ones are left out. The order does not depend on the file system. Errors:
 * HONE_ERR_IO for a folder that cannot be read; HONE_ERR_MEMORY. The listing is then empty. */
HONE_CHECKED int listing_read(Listing *l, const char *folder, const char *ending, Error *e);
void listing_release(Listing *l);

/* A number in [0, 1) that depends on the text alone: to share out files. FNV-1a of 64 bits (Fowler,
 * Noll, Vo) with the finalizer of MurmurHash3 (Appleby), so that names that differ in one letter
 * land anywhere. */
double listing_share(const char *text, size_t length);

#endif
