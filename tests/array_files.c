/* See array_files.h. SPDX-License-Identifier: Apache-2.0 */
#include "tests/array_files.h"

#include "tests/folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char array_folder[64];
bool array_files_written;

void array_files_make(void)
{
    char command[600];
    folder_make(array_folder);
    snprintf(command, sizeof command, "/usr/bin/python3 tests/oracle/tensors.py '%s' 2>/dev/null",
             array_folder);
    array_files_written = system(command) == 0;
    if (!array_files_written)
        puts("tests of arrays: no NumPy or h5py, their files are skipped");
}

void array_files_remove(void)
{
    folder_remove(array_folder);
}

const char *array_path(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", array_folder, name);
    return path;
}

size_t npy_bytes(unsigned char bytes[144], const char *header, int version)
{
    memset(bytes, ' ', 144);
    memcpy(bytes, "\x93NUMPY\1\0\x80\0", 10);
    bytes[6] = (unsigned char)version;
    memcpy(bytes + 10, header, strlen(header));
    for (unsigned char i = 0; i < 6; i++)
        bytes[138 + i] = i;
    return 144;
}
