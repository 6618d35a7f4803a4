/* Files for targets: see target.h. SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/target.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char path[256];

static void remove_file(void)
{
    remove(path);
}

const char *fuzz_file(const char *suffix, const uint8_t *data, size_t size)
{
    if (!path[0]) {
        const char *folder = getenv("TMPDIR");
        snprintf(path, sizeof path, "%s/hone-fuzz-%ld%s", folder ? folder : "/tmp", (long)getpid(),
                 suffix);
        atexit(remove_file);
    }
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, size, f) != size || fclose(f) != 0)
        abort();
    return path;
}

bool fuzz_hdf5_undefined(const uint8_t *data, size_t size)
{
    /* Sizes from the HDF5 File Format Specification 2.0, II.A and III.A.1. */
    enum { SUPERBLOCK = 0x40, SIBLINGS_END = 24, ADDRESS = 8 };
    size_t ones = 0;
    for (size_t i = SUPERBLOCK; i < size; i++) {
        if (i + SIBLINGS_END <= size && memcmp(data + i, "TREE", 4) == 0) {
            i += SIBLINGS_END - 1;
            ones = 0;
            continue;
        }
        ones = data[i] == 0xff ? ones + 1 : 0;
        if (ones == ADDRESS)
            return true;
    }
    return false;
}
