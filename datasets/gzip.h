/* A file read from start to end, unzipped on the way where it is gzip's (RFC 1952). The door to zlib.
 *
 *     Gzip *z;
 *     if (gzip_open(&z, "train-images-idx3-ubyte.gz", e) != HONE_OK) goto out;
 *     if (gzip_read(z, header, sizeof header, &got, e) != HONE_OK) goto out;   // got < sizeof: the end
 *     gzip_close(z);
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_DATASETS_GZIP_H
#define HONE_DATASETS_GZIP_H

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

typedef struct Gzip Gzip;

/* Opens path; whether it is zipped is told by its first two bytes. *z is the caller's to close, NULL
 * on failure. Errors: HONE_ERR_IO, HONE_ERR_MEMORY. */
HONE_CHECKED int gzip_open(Gzip **z, const char *path, Error *e);
/* NULL is allowed. */
void gzip_close(Gzip *z);

/* Reads the next count bytes into to; *got is less only at the end. Errors: HONE_ERR_IO;
 * HONE_ERR_DATA for a damaged or shortened stream and for bytes behind it, with the byte. */
HONE_CHECKED int gzip_read(Gzip *z, void *to, size_t count, size_t *got, Error *e);

/* The most that deflate makes smaller (zlib's "Technical Details"). */
#define GZIP_RATIO_MAX 1032

/* No more bytes than this can come out, whatever a header inside claims: the file's size, or
 * GZIP_RATIO_MAX times that where it is zipped. */
uint64_t gzip_most(const Gzip *z);

#endif
