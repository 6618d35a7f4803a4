/* Replaces a file as a whole: a reader, or a crash at any moment, finds the old content or the new.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_STORE_ATOMIC_H
#define HONE_STORE_ATOMIC_H

#include "core/error.h"

#include <stddef.h>

/* Writes bytes to "path.tmp-PID-N" in the same folder, syncs, renames it to path and syncs the
 * folder. On HONE_ERR_IO the old file is untouched and the temporary one is gone; the exception is
 * a folder that cannot be synced, where the new file is in place but may not survive a crash. */
HONE_CHECKED int atomic_write(const char *path, const void *data, size_t bytes, Error *e);

#endif
