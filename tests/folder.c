/* Temporary folders: see folder.h. SPDX-License-Identifier: Apache-2.0 */
#include "tests/folder.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void folder_make(char path[64])
{
    const char *root = getenv("TMPDIR");
    snprintf(path, 64, "%.40s/hone-test-XXXXXX", root ? root : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(path));
}

/* Makes the folders that lead to path. */
static void make_way(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        ck_assert(mkdir(path, 0777) == 0 || errno == EEXIST);
        *slash = '/';
    }
}

void folder_write(const char *folder, const char *name, const void *bytes, size_t count)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    make_way(path);
    FILE *out = fopen(path, "wb");
    ck_assert_msg(out != NULL, "%s", path);
    if (count > 0)
        ck_assert_uint_eq(fwrite(bytes, 1, count, out), count);
    ck_assert_int_eq(fclose(out), 0);
}

void folder_text(const char *folder, const char *name, const char *text)
{
    folder_write(folder, name, text, strlen(text));
}

void folder_add(const char *folder, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s/", folder, name);
    make_way(path);
}

int folder_count(const char *folder)
{
    int count = -2; /* . and .. */
    DIR *dir = opendir(folder);
    ck_assert_ptr_nonnull(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

void folder_remove(const char *path)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    ck_assert_int_eq(system(command), 0);
}
