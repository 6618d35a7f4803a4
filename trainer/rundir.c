/* Finding or making a run's folder: see rundir.h. SPDX-License-Identifier: Apache-2.0 */
#include "trainer/rundir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NUMBER_MAX 100000
#define LOCK       ".lock"

const char *rundir_file(const RunDir *d, const char *file, char *buffer)
{
    snprintf(buffer, RUNDIR_FILE_BYTES, "%s/%s", d->path, file);
    return buffer;
}

bool rundir_has(const RunDir *d, const char *file)
{
    char path[RUNDIR_FILE_BYTES];
    return access(rundir_file(d, file, path), F_OK) == 0;
}

static bool exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

static bool is_own(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, LOCK) == 0;
}

/* Absent counts as empty, as does a lock alone. */
static int check_empty(const char *path, Error *e)
{
    DIR *folder = opendir(path);
    if (!folder && (errno == ENOENT || errno == ENOTDIR)) /* of the latter mkdir complains */
        return HONE_OK;
    if (!folder)
        return error_errno(e, HONE_ERR_IO, "cannot read the folder %s", path);
    bool empty = true;
    for (const struct dirent *entry; empty && (entry = readdir(folder)) != NULL;)
        empty = is_own(entry->d_name);
    closedir(folder);
    return empty ? HONE_OK
                 : error_set(e, HONE_ERR_CONFIG,
                             "the folder '%s' is not empty; --resume goes on with the run in it",
                             path);
}

/* mkdir -p */
static int make(const char *path, Error *e)
{
    char part[RUNDIR_BYTES];
    snprintf(part, sizeof part, "%s", path);
    for (char *slash = part + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST)
            return error_errno(e, HONE_ERR_IO, "cannot make the folder %s", part);
        *slash = '/';
    }
    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        return error_errno(e, HONE_ERR_IO, "cannot make the folder %s", path);
    return HONE_OK;
}

static void number(RunDir *d, const char *name, int n)
{
    if (n == 1)
        snprintf(d->path, sizeof d->path, "runs/%s", name);
    else
        snprintf(d->path, sizeof d->path, "runs/%s-%d", name, n);
}

/* The last of the numbered folders that holds a checkpoint. */
static bool find_newest(RunDir *d, const char *name)
{
    int newest = 0;
    for (int n = 1; n < NUMBER_MAX; n++) {
        number(d, name, n);
        if (!exists(d->path))
            break;
        if (rundir_has(d, "last.h5"))
            newest = n;
    }
    number(d, name, newest);
    return newest > 0;
}

/* Two runs that start at the same moment get different folders: mkdir decides. */
static int choose(RunDir *d, const char *name, bool resume, Error *e)
{
    if (resume && find_newest(d, name))
        return HONE_OK;
    int status = make("runs", e);
    for (int n = 1; n < NUMBER_MAX && status == HONE_OK; n++) {
        number(d, name, n);
        if (mkdir(d->path, 0777) == 0)
            return HONE_OK;
        if (errno != EEXIST)
            return error_errno(e, HONE_ERR_IO, "cannot make the folder %s", d->path);
    }
    return status != HONE_OK ? status
                             : error_set(e, HONE_ERR_CONFIG, "runs/%s: %d runs of this name exist",
                                         name, NUMBER_MAX - 1);
}

/* The system drops a lock with its process, however that ends. */
static int lock(RunDir *d, Error *e)
{
    char path[RUNDIR_FILE_BYTES];
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    d->lock = open(rundir_file(d, LOCK, path), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (d->lock < 0)
        return error_errno(e, HONE_ERR_IO, "cannot make %s", path);
    if (fcntl(d->lock, F_SETLK, &whole) == 0)
        return HONE_OK;
    if (errno != EACCES && errno != EAGAIN)
        return error_errno(e, HONE_ERR_IO, "cannot lock %s", path);
    if (fcntl(d->lock, F_GETLK, &whole) != 0 || whole.l_type == F_UNLCK)
        whole.l_pid = 0; /* it has just let go */
    return error_set(e, HONE_ERR_CONFIG,
                     "the folder '%s' is in use by process %ld; --out names another one", d->path,
                     (long)whole.l_pid);
}

/* "last.h5.tmp-PID-N", as file_write_atomic names what it has not finished. */
static bool is_unfinished(const char *name)
{
    const char *tail = strstr(name, ".tmp-");
    int length = 0;
    return tail && sscanf(tail, ".tmp-%*d-%*d%n", &length) == 0 && length > 0 &&
           tail[length] == '\0';
}

/* What a killed process was writing. Nobody else writes here; what cannot be removed stays. */
static void remove_unfinished(const RunDir *d)
{
    char path[RUNDIR_BYTES + 264];
    DIR *folder = opendir(d->path);
    for (const struct dirent *entry; folder && (entry = readdir(folder)) != NULL;) {
        if (!is_unfinished(entry->d_name))
            continue;
        snprintf(path, sizeof path, "%s/%s", d->path, entry->d_name);
        (void)remove(path);
    }
    if (folder)
        closedir(folder);
}

void rundir_init(RunDir *d)
{
    *d = (RunDir){.lock = -1};
}

void rundir_close(RunDir *d)
{
    if (d->lock >= 0)
        close(d->lock);
    rundir_init(d);
}

int rundir_open(RunDir *d, const char *name, const char *out, bool resume, Error *e)
{
    int status = HONE_OK;
    rundir_init(d);
    if (!out)
        status = choose(d, name, resume, e);
    else if (out[0] == '\0' || strlen(out) >= sizeof d->path)
        status = error_set(e, HONE_ERR_IO, "'%.40s' cannot be the folder of a run", out);
    else
        snprintf(d->path, sizeof d->path, "%s", out);
    struct stat info;
    if (status == HONE_OK && stat(d->path, &info) == 0 && !S_ISDIR(info.st_mode))
        status = error_set(e, HONE_ERR_IO, "'%s' is not a folder", d->path);
    d->resume = resume;
    d->fresh = out && !resume;
    if (status == HONE_OK && d->fresh)
        status = check_empty(d->path, e);
    return status == HONE_OK ? make(d->path, e) : status;
}

int rundir_lock(RunDir *d, Error *e)
{
    int status = lock(d, e);
    if (status == HONE_OK && d->fresh) /* filled by a run that ended meanwhile */
        status = check_empty(d->path, e);
    if (status != HONE_OK)
        return status;
    remove_unfinished(d);
    d->resumed = d->resume && rundir_has(d, "last.h5");
    return HONE_OK;
}
