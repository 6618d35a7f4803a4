/* Replacing files: see atomic.h. SPDX-License-Identifier: Apache-2.0 */
#include "store/atomic.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRIES 100 /* names taken by what earlier processes of our number left behind */

static bool write_all(int fd, const void *data, size_t bytes)
{
    const char *p = data;
    while (bytes > 0) {
        ssize_t n = write(fd, p, bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        p += n;
        bytes -= (size_t)n;
    }
    return fsync(fd) == 0;
}

/* Opens a new file beside path and puts its name into temporary; returns -1 and errno. */
static int open_beside(const char *path, char *temporary, size_t room)
{
    for (int i = 0; i < TRIES; i++) {
        snprintf(temporary, room, "%s.tmp-%ld-%d", path, (long)getpid(), i);
        int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

/* Makes a rename last. A file system that cannot sync folders (EINVAL) orders them itself. */
static bool sync_folder(char *path)
{
    char *slash = strrchr(path, '/');
    const char *folder = !slash ? "." : slash == path ? "/" : path;
    if (slash && slash != path)
        *slash = '\0';
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool synced = fsync(fd) == 0 || errno == EINVAL;
    int cause = errno;
    close(fd);
    errno = cause;
    return synced;
}

int atomic_write(const char *path, const void *data, size_t bytes, Error *e)
{
    size_t room = strlen(path) + 40;
    char *temporary = malloc(room);
    if (!temporary)
        return error_memory(e, "a file name", room);
    int rc = HONE_OK;
    int fd = open_beside(path, temporary, room);
    if (fd < 0) {
        rc = error_errno(e, HONE_ERR_IO, "cannot write '%s'", path);
        goto done;
    }
    bool written = write_all(fd, data, bytes);
    int cause = errno;
    if (close(fd) != 0 && written) {
        written = false;
        cause = errno;
    }
    errno = cause;
    if (!written || rename(temporary, path) != 0) {
        rc = error_errno(e, HONE_ERR_IO, "cannot write '%s'", path);
        unlink(temporary);
        goto done;
    }
    if (!sync_folder(temporary))
        rc = error_errno(e, HONE_ERR_IO, "cannot sync the folder of '%s'", path);
done:
    free(temporary);
    return rc;
}
