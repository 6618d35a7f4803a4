/* Checkpoints: a StateDict in an HDF5 file.
 *
 *     Store *in;
 *     if (store_open(&in, "last.h5", e) != HONE_OK) ...
 *     int rc = store_load(in, &state, e);              // every array of state, by name
 *     if (rc == HONE_OK) rc = store_int(in, "epoch", &epoch, e);
 *     store_close(in);
 *
 * Arrays are datasets at their natural path (h5py: f["params/stem.weight"]), texts are scalar UTF-8
 * strings, attributes belong to the root group; "hone_checkpoint" holds the format's version.
 *
 * Saving is atomic: the file under `path` is the old one or the new one, whole, also after a crash
 * or on a full disk. Equal content gives equal bytes: no times, hosts or paths are inside. Reading
 * checks: metadata and array contents carry checksums, so a damaged file is an error, not a crash
 * or a wrong number. HDF5 is used from one thread at a time; it does not survive every failed
 * allocation of its own, but no file suffers from that.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_STORE_STORE_H
#define HONE_STORE_STORE_H

#include "core/error.h"
#include "store/state.h"

#include <stdint.h>

/* Raised when a reader of the older version would misunderstand the file. */
#define STORE_VERSION 1

typedef struct Store Store;

/* Writes s to path, replacing what is there. On failure (HONE_ERR_IO, HONE_ERR_MEMORY) the old file
 * is untouched and nothing new is left behind. */
HONE_CHECKED int store_save(const char *path, const StateDict *s, Error *e);

/* Opens a checkpoint and reads its list of contents. HONE_ERR_IO: no such file, not readable.
 * HONE_ERR_DATA: not HDF5, damaged, not a checkpoint, or of a newer version. */
HONE_CHECKED int store_open(Store **store, const char *path, Error *e);
void store_close(Store *store);

/* The file, as it was given to store_open(); lives until store_close(). */
const char *store_path(const Store *store);

/* Everything in the file, in the order in which it was saved. Entries have names, types, shapes and
 * sizes but no data; attributes have their values. Lives until store_close(). */
const StateDict *store_contents(const Store *store);

/* Reads one array into dst. Its type and shape must be exactly these, or HONE_ERR_SHAPE says
 * "last.h5: '/params/stem.weight' is [16,3,3,3], the model wants [24,3,3,3]". */
HONE_CHECKED int store_read(const Store *store, const char *name, StateType type, int rank,
                            const int64_t *dims, void *dst, Error *e);
/* As store_read for every array of s, into its data; texts and attributes of s are not looked at.
 * After an error the arrays hold a mixture: shapes are compared for all before any is read, so
 * only a damaged file does that. */
HONE_CHECKED int store_load(const Store *store, const StateDict *s, Error *e);
/* Reads a text into memory that is the caller's to free(). */
HONE_CHECKED int store_text(const Store *store, const char *name, char **text, Error *e);

/* Attributes. HONE_ERR_DATA when missing or of another kind; a string lives until store_close(). */
HONE_CHECKED int store_int(const Store *store, const char *name, int64_t *value, Error *e);
HONE_CHECKED int store_double(const Store *store, const char *name, double *value, Error *e);
HONE_CHECKED int store_string(const Store *store, const char *name, const char **value, Error *e);

#endif
