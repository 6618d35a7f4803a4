/* Files of a folder: see listing.h. SPDX-License-Identifier: Apache-2.0 */
#include "datasets/listing.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define PATH_BYTES 4096

typedef struct Walk {
    const char *folder, *ending;
    Listing *list;
    size_t room;
} Walk;

static bool ends_in(const char *name, const char *ending)
{
    size_t length = strlen(name), tail = strlen(ending);
    return length > tail && strcasecmp(name + length - tail, ending) == 0;
}

static int add_name(Walk *w, const char *name, Error *e)
{
    Listing *l = w->list;
    if (l->count == w->room) {
        size_t room = w->room > 0 ? 2 * w->room : 256;
        char **names = realloc(l->names, room * sizeof *names);
        if (!names)
            return error_memory(e, "the names of files", room * sizeof *names);
        l->names = names;
        w->room = room;
    }
    l->names[l->count] = malloc(strlen(name) + 1);
    if (!l->names[l->count])
        return error_memory(e, "the names of files", strlen(name) + 1);
    strcpy(l->names[l->count++], name);
    return HONE_OK;
}

static int walk_folder(Walk *w, const char *below, Error *e);

/* One entry of a folder; below is "" or "folder/". */
static int visit(Walk *w, const char *below, const char *entry, Error *e)
{
    char name[PATH_BYTES], path[PATH_BYTES];
    struct stat info;
    if (entry[0] == '.')
        return HONE_OK;
    int n = snprintf(name, sizeof name, "%s%s", below, entry);
    int m = snprintf(path, sizeof path, "%s/%s%s", w->folder, below, entry);
    if (n >= (int)sizeof name || m >= (int)sizeof path)
        return error_set(e, HONE_ERR_IO, "a path in '%.200s' is too long", w->folder);
    if (stat(path, &info) != 0)
        return error_errno(e, HONE_ERR_IO, "cannot read '%s'", path);
    if (S_ISREG(info.st_mode) && ends_in(entry, w->ending))
        return add_name(w, name, e);
    return S_ISDIR(info.st_mode) && below[0] == '\0' ? walk_folder(w, entry, e) : HONE_OK;
}

/* Every entry of the folder, or of the folder `sub` in it. */
static int walk_folder(Walk *w, const char *sub, Error *e)
{
    char path[PATH_BYTES], below[PATH_BYTES];
    int n = snprintf(path, sizeof path, "%s%s%s", w->folder, sub[0] ? "/" : "", sub);
    int m = snprintf(below, sizeof below, "%s%s", sub, sub[0] ? "/" : "");
    if (n >= (int)sizeof path || m >= (int)sizeof below)
        return error_set(e, HONE_ERR_IO, "a path in '%.200s' is too long", w->folder);
    DIR *dir = opendir(path);
    if (!dir && errno == ENOMEM)
        return error_memory(e, "a folder's list of files", 0);
    if (!dir)
        return error_errno(e, HONE_ERR_IO, "cannot open the folder '%s'", path);
    int status = HONE_OK;
    const struct dirent *entry;
    while (status == HONE_OK && (entry = readdir(dir)) != NULL)
        status = visit(w, below, entry->d_name, e);
    closedir(dir);
    return status;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int listing_read(Listing *l, const char *folder, const char *ending, Error *e)
{
    *l = (Listing){0};
    Walk w = {.folder = folder, .ending = ending, .list = l};
    int status = walk_folder(&w, "", e);
    if (status != HONE_OK)
        listing_release(l);
    else if (l->count > 0)
        qsort(l->names, l->count, sizeof *l->names, by_bytes);
    return status;
}

void listing_release(Listing *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->names[i]);
    free(l->names);
    *l = (Listing){0};
}

double listing_share(const char *text, size_t length)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < length; i++)
        h = (h ^ (unsigned char)text[i]) * 0x100000001b3u;
    h = (h ^ h >> 33) * 0xff51afd7ed558ccdu;
    h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53u;
    return (double)((h ^ h >> 33) >> 11) / 9007199254740992.0; /* 2^53 */
}
