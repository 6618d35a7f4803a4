/* A temporary folder of a test, with the files that it writes there.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TESTS_FOLDER_H
#define HONE_TESTS_FOLDER_H

#include <stddef.h>

/* Makes an empty one; whatever goes wrong, here and below, fails the running test. */
void folder_make(char path[64]);
/* Writes a file, replacing it; name may lead through folders, which are made. */
void folder_write(const char *folder, const char *name, const void *bytes, size_t count);
void folder_text(const char *folder, const char *name, const char *text);
/* Makes a folder in it. */
void folder_add(const char *folder, const char *name);
/* How many files and folders are in it. */
int folder_count(const char *folder);
/* Removes it with all it holds. */
void folder_remove(const char *path);

#endif
