/* Whole files: read at once, replaced at once. A reader, or a crash at any moment, finds the old
 * content or the new one, never a mixture. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CORE_FILE_H
#define HONE_CORE_FILE_H

#include "core/error.h"

#include <stdbool.h>
#include <stddef.h>

/* Replaces path by these bytes: writes "path.tmp-PID-N" in the same folder, syncs it, renames it to
 * path and syncs the folder. After HONE_ERR_IO the old file is untouched and the temporary one is
 * gone; only where the folder cannot be synced the new file is in place but may not survive a loss
 * of power. */
HONE_CHECKED int file_write_atomic(const char *path, const void *bytes, size_t count, Error *e);

/* Reads all of path into *bytes, which is the caller's to free(); *count is the length, and a byte
 * behind them may be written too. Errors: ERR_IO; ERR_DATA when it is longer than limit or no
 * regular file. On failure *bytes is NULL. */
HONE_CHECKED int file_read(const char *path, size_t limit, unsigned char **bytes, size_t *count,
                           Error *e);

/* Writes all of bytes to an open file, however many calls that takes; false and errno on failure. */
HONE_CHECKED bool file_write_fully(int file, const void *bytes, size_t count);

#endif
