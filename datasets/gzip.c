/* Plain and zipped files: see gzip.h. SPDX-License-Identifier: Apache-2.0 */
#include "datasets/gzip.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <zlib.h>

enum { PIECE = 1 << 16, GZIP_WINDOW = 16 + MAX_WBITS };

struct Gzip {
    FILE *file;
    char *path;
    uint64_t size;
    bool zipped, ended; /* ended: the stream is complete */
    z_stream stream;
    uint64_t fed; /* bytes of the file given to the stream so far */
    unsigned char piece[PIECE];
};

/* Bytes of the file that the stream has used. */
static unsigned long long place(const Gzip *z)
{
    return (unsigned long long)(z->fed - z->stream.avail_in);
}

static int start(Gzip *z, Error *e)
{
    struct stat info;
    if (fstat(fileno(z->file), &info) != 0)
        return error_errno(e, HONE_ERR_IO, "cannot read '%s'", z->path);
    if (!S_ISREG(info.st_mode))
        return error_set(e, HONE_ERR_DATA, "'%s' is not a regular file", z->path);
    z->size = (uint64_t)info.st_size;
    int first = getc(z->file), second = getc(z->file);
    rewind(z->file);
    if (first != 0x1f || second != 0x8b)
        return HONE_OK;
    if (inflateInit2(&z->stream, GZIP_WINDOW) != Z_OK)
        return error_memory(e, "unzipping", sizeof *z);
    z->zipped = true;
    return HONE_OK;
}

int gzip_open(Gzip **z, const char *path, Error *e)
{
    *z = NULL;
    Gzip *made = calloc(1, sizeof *made);
    if (made == NULL)
        return error_memory(e, path, sizeof *made);
    size_t length = strlen(path) + 1;
    int status = HONE_OK;
    made->path = malloc(length);
    if (made->path == NULL) {
        status = error_memory(e, path, length);
        goto out;
    }
    memcpy(made->path, path, length);
    made->file = fopen(path, "rb");
    if (made->file == NULL)
        status = error_errno(e, HONE_ERR_IO, "cannot open '%s'", path);
    else
        status = start(made, e);
out:
    if (status != HONE_OK)
        gzip_close(made);
    else
        *z = made;
    return status;
}

void gzip_close(Gzip *z)
{
    if (z == NULL)
        return;
    if (z->zipped)
        (void)inflateEnd(&z->stream);
    if (z->file != NULL)
        fclose(z->file);
    free(z->path);
    free(z);
}

/* Fills the piece again when the stream has used it up. */
static int feed(Gzip *z, Error *e)
{
    if (z->stream.avail_in > 0)
        return HONE_OK;
    size_t n = fread(z->piece, 1, sizeof z->piece, z->file);
    if (n == 0 && ferror(z->file) != 0)
        return error_errno(e, HONE_ERR_IO, "cannot read '%s'", z->path);
    z->stream.next_in = z->piece;
    z->stream.avail_in = (unsigned)n;
    z->fed += n;
    return HONE_OK;
}

static int finish(Gzip *z, Error *e)
{
    z->ended = true;
    int status = feed(z, e);
    if (status != HONE_OK || z->stream.avail_in == 0)
        return status;
    return error_set(e, HONE_ERR_DATA, "'%s' goes on behind byte %llu, where its gzip stream ends",
                     z->path, place(z));
}

static int unzip(Gzip *z, void *to, size_t count, size_t *got, Error *e)
{
    while (*got < count && !z->ended) {
        int status = feed(z, e);
        if (status != HONE_OK)
            return status;
        if (z->stream.avail_in == 0)
            return error_set(e, HONE_ERR_DATA, "'%s' ends at byte %llu, inside its gzip stream",
                             z->path, place(z));
        size_t room = count - *got < PIECE ? count - *got : PIECE;
        z->stream.next_out = (unsigned char *)to + *got;
        z->stream.avail_out = (unsigned)room;
        int result = inflate(&z->stream, Z_NO_FLUSH);
        *got += room - z->stream.avail_out;
        if (result == Z_STREAM_END)
            status = finish(z, e);
        else if (result == Z_MEM_ERROR)
            status = error_memory(e, z->path, PIECE);
        else if (result != Z_OK && result != Z_BUF_ERROR)
            status =
                error_set(e, HONE_ERR_DATA, "'%s': byte %llu: the gzip stream is damaged (%s)",
                          z->path, place(z), z->stream.msg ? z->stream.msg : "no reason given");
        if (status != HONE_OK)
            return status;
    }
    return HONE_OK;
}

int gzip_read(Gzip *z, void *to, size_t count, size_t *got, Error *e)
{
    *got = 0;
    if (z->zipped)
        return unzip(z, to, count, got, e);
    *got = fread(to, 1, count, z->file);
    if (*got < count && ferror(z->file) != 0)
        return error_errno(e, HONE_ERR_IO, "cannot read '%s'", z->path);
    return HONE_OK;
}

uint64_t gzip_most(const Gzip *z)
{
    return z->zipped ? z->size * GZIP_RATIO_MAX : z->size;
}
