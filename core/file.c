/* Whole files: see file.h. SPDX-License-Identifier: Apache-2.0 */
#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAMES_MAX 100 /* temporary names that dead processes of our number may have left taken */

bool file_write_fully(int file, const void *bytes, size_t count)
{
    for (const unsigned char *from = bytes; count > 0;) {
        ssize_t done = write(file, from, count);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        from += done;
        count -= (size_t)done;
    }
    return true;
}

/* Creates a file next to path, its name in name; -1 and errno when there is none. */
static int create_beside(const char *path, char *name, size_t room)
{
    int fd = -1;
    for (int i = 0; fd < 0 && i < NAMES_MAX; i++) {
        snprintf(name, room, "%s.tmp-%ld-%d", path, (long)getpid(), i);
        fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0 && errno != EEXIST)
            break;
    }
    return fd;
}

/* Writes, syncs and closes; keeps the errno of the first failure. */
static bool fill_and_close(int fd, const void *bytes, size_t count)
{
    bool good = file_write_fully(fd, bytes, count) && fsync(fd) == 0;
    int cause = errno;
    if (close(fd) != 0 && good)
        return false;
    errno = cause;
    return good;
}

/* Makes the rename last; name is cut to its folder. EINVAL: a file system that orders by itself. */
static bool sync_folder_of(char *name)
{
    char *slash = strrchr(name, '/');
    if (slash)
        slash[slash == name] = '\0';
    int fd = open(slash ? name : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool good = fsync(fd) == 0 || errno == EINVAL;
    int cause = errno;
    close(fd);
    errno = cause;
    return good;
}

int file_write_atomic(const char *path, const void *bytes, size_t count, Error *e)
{
    int status = HONE_OK;
    size_t room = strlen(path) + 40;
    char *name = malloc(room);
    if (!name)
        return error_memory(e, "a file name", room);
    int fd = create_beside(path, name, room);
    if (fd < 0) {
        status = error_errno(e, HONE_ERR_IO, "cannot create a file beside '%s'", path);
        goto done;
    }
    if (!fill_and_close(fd, bytes, count) || rename(name, path) != 0) {
        status = error_errno(e, HONE_ERR_IO, "cannot write '%s'", path);
        unlink(name);
        goto done;
    }
    if (!sync_folder_of(name))
        status = error_errno(e, HONE_ERR_IO, "cannot sync the folder of '%s'", path);
done:
    free(name);
    return status;
}

static bool read_fully(int fd, unsigned char *to, size_t count)
{
    while (count > 0) {
        ssize_t done = read(fd, to, count);
        if (done < 0 && errno == EINTR)
            continue;
        if (done == 0)
            errno = EIO; /* the file became shorter since fstat */
        if (done <= 0)
            return false;
        to += done;
        count -= (size_t)done;
    }
    return true;
}

int file_read(const char *path, size_t limit, unsigned char **bytes, size_t *count, Error *e)
{
    *bytes = NULL;
    *count = 0;
    int status = HONE_OK;
    unsigned char *data = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(e, HONE_ERR_IO, "cannot open '%s'", path);
    struct stat info;
    if (fstat(fd, &info) != 0) {
        status = error_errno(e, HONE_ERR_IO, "cannot read '%s'", path);
        goto done;
    }
    if (!S_ISREG(info.st_mode) || (unsigned long long)info.st_size > limit) {
        status = S_ISREG(info.st_mode)
                     ? error_set(e, HONE_ERR_DATA, "'%s' has %lld bytes; at most %zu are read",
                                 path, (long long)info.st_size, limit)
                     : error_set(e, HONE_ERR_DATA, "'%s' is not a regular file", path);
        goto done;
    }
    size_t size = (size_t)info.st_size;
    data = malloc(size + 1);
    if (!data) {
        status = error_memory(e, path, size);
        goto done;
    }
    if (!read_fully(fd, data, size)) {
        status = error_errno(e, HONE_ERR_IO, "cannot read '%s'", path);
        goto done;
    }
    *bytes = data;
    *count = size;
    data = NULL;
done:
    free(data);
    close(fd);
    return status;
}
