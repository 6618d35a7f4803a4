/* Files for targets: see target.h. SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/target.h"

#include <stdio.h>
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
