/* Data sets in IDX files: MNIST and those that copied its format.
 *
 *     0, 0, type (8: unsigned bytes), number of dimensions | sizes, big-endian uint32 | elements
 *
 * Four files, plain or .gz: images [N, H, W] or [N, H, W, C] and labels [N], of a training and of a
 * test split. They are read whole when the set is opened (MNIST: 55 MB, a quarter of a second from
 * .gz). Format: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits",
 * http://yann.lecun.com/exdb/mnist. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "datasets/gzip.h"
#include "datasets/kind.h"

enum { DIMS_MAX = 4, TYPE_BYTES = 8, SIDE_MAX = 4096, COUNT_MAX = 100000000 };

typedef struct IdxFile {
    char path[KIND_PATH_BYTES];
    int dims;
    uint32_t dim[DIMS_MAX];
    uint64_t elements;
    uint8_t *data;
} IdxFile;

/* ---- one file -------------------------------------------------------------------------------- */

static int refuse(const IdxFile *f, int byte, const char *what, Error *e)
{
    return error_set(e, HONE_ERR_DATA, "idx: %s: byte %d: %s", f->path, byte, what);
}

static int ends(const IdxFile *f, uint64_t at, uint64_t wanted, Error *e)
{
    return error_set(e, HONE_ERR_DATA,
                     "idx: %s ends at byte %" PRIu64 ", its header asks for %" PRIu64, f->path, at,
                     wanted);
}

static int read_sizes(IdxFile *f, Gzip *z, Error *e)
{
    uint8_t raw[4 * DIMS_MAX];
    size_t wanted = 4 * (size_t)f->dims, got = 0;
    int status = gzip_read(z, raw, wanted, &got, e);
    if (status != HONE_OK)
        return status;
    if (got < wanted)
        return ends(f, 4 + got, 4 + wanted, e);
    f->elements = 1;
    for (int i = 0; i < f->dims; i++) {
        const uint8_t *b = raw + 4 * i;
        uint32_t most = i == 0 ? COUNT_MAX : SIDE_MAX;
        f->dim[i] = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
        if (f->dim[i] == 0 || f->dim[i] > most)
            return error_set(e, HONE_ERR_DATA,
                             "idx: %s: byte %d: a size of %" PRIu32 " is not in 1..%" PRIu32,
                             f->path, 4 + 4 * i, f->dim[i], most);
        f->elements *= f->dim[i]; /* below 2^27 * 2^36 */
    }
    return HONE_OK;
}

/* Magic number and sizes. images: 3 or 4 dimensions; else 1. */
static int read_header(IdxFile *f, Gzip *z, bool images, Error *e)
{
    uint8_t magic[4];
    size_t got = 0;
    int status = gzip_read(z, magic, sizeof magic, &got, e);
    if (status != HONE_OK)
        return status;
    if (got < sizeof magic)
        return ends(f, got, sizeof magic, e);
    if (magic[0] != 0 || magic[1] != 0)
        return refuse(f, 0, "not the two zeros that an IDX file starts with", e);
    if (magic[2] != TYPE_BYTES)
        return error_set(e, HONE_ERR_DATA,
                         "idx: %s: byte 2: elements of type 0x%02x, only unsigned bytes (0x08) are "
                         "read",
                         f->path, magic[2]);
    f->dims = magic[3];
    if (images ? f->dims != 3 && f->dims != 4 : f->dims != 1)
        return error_set(e, HONE_ERR_DATA, "idx: %s: byte 3: %d dimensions, %s", f->path, f->dims,
                         images ? "images have 3 or 4" : "labels have 1");
    return read_sizes(f, z, e);
}

static int read_elements(IdxFile *f, Gzip *z, Error *e)
{
    uint64_t header = 4 + 4 * (uint64_t)f->dims, all = header + f->elements;
    uint8_t extra;
    size_t got = 0, more = 0;
    if (all > gzip_most(z))
        return error_set(e, HONE_ERR_DATA,
                         "idx: %s: byte 4: its sizes ask for %" PRIu64
                         " bytes, the file cannot hold more than %" PRIu64,
                         f->path, all, gzip_most(z));
    f->data = malloc((size_t)f->elements);
    if (f->data == NULL)
        return error_memory(e, f->path, (size_t)f->elements);
    int status = gzip_read(z, f->data, (size_t)f->elements, &got, e);
    if (status == HONE_OK && got < f->elements)
        return ends(f, header + got, all, e);
    if (status == HONE_OK)
        status = gzip_read(z, &extra, 1, &more, e);
    if (status == HONE_OK && more > 0)
        return error_set(e, HONE_ERR_DATA,
                         "idx: %s goes on behind byte %" PRIu64 ", where its sizes end", f->path,
                         all);
    return status;
}

/* data is the caller's to free, also after a failure. */
static int read_file(IdxFile *f, bool images, Error *e)
{
    Gzip *z = NULL;
    int status = gzip_open(&z, f->path, e);
    if (status == HONE_OK)
        status = read_header(f, z, images, e);
    if (status == HONE_OK)
        status = read_elements(f, z, e);
    gzip_close(z);
    return status;
}

/* ---- the names ------------------------------------------------------------------------------- */

static const char *const parts[DATASET_SPLITS][2] = {{"train", "train"}, {"t10k", "test"}};
static const char *const ends_of[] = {"ubyte", "ubyte.gz"};

/* The first of the names that exists: <place><train|t10k|test><-images-idx3-|-labels-idx1-...>. */
static bool find_file(char out[KIND_PATH_BYTES], const char *place, DatasetSplit split, bool images)
{
    for (int i = 0; i < 8; i++) {
        const char *part = parts[split][i & 1], *end = ends_of[i >> 1 & 1];
        int length =
            snprintf(out, KIND_PATH_BYTES, "%s%s-%s%cidx%d-%s", place, part,
                     images ? "images" : "labels", i >> 2 ? '.' : '-', images ? 3 : 1, end);
        if (length < KIND_PATH_BYTES && access(out, F_OK) == 0)
            return true;
    }
    return false;
}

/* Folder or prefix, ready for a name to be put behind it. */
static int find_place(char place[KIND_PATH_BYTES], const DatasetOptions *options, const char *root,
                      Error *e)
{
    struct stat info;
    int status = kind_path(place, "idx", options, root, "mnist", e);
    size_t n = strlen(place);
    if (status != HONE_OK || n + 2 > KIND_PATH_BYTES)
        return status;
    bool prefix = options->path != NULL && options->path[0] != '\0';
    bool folder = stat(place, &info) == 0 ? S_ISDIR(info.st_mode) : !prefix;
    if (n > 0 && place[n - 1] != '/' && place[n - 1] != '-') {
        place[n] = folder ? '/' : '-';
        place[n + 1] = '\0';
    }
    return HONE_OK;
}

/* ---- the set --------------------------------------------------------------------------------- */

/* File k of a split: 0 the images, 1 the labels. */
static int read_part(IdxFile *f, const char *place, DatasetSplit split, int k, Error *e)
{
    if (find_file(f->path, place, split, k == 0))
        return read_file(f, k == 0, e);
    return error_set(e, HONE_ERR_IO,
                     "idx: there is no %s%s-%s-ubyte, nor with .gz; put the four files of MNIST "
                     "(http://yann.lecun.com/exdb/mnist) or alike into HONE_DATA/mnist or set "
                     "dataset.path to their folder or prefix",
                     place, parts[split][0], k == 0 ? "images-idx3" : "labels-idx1");
}

static int read_split(KindHeld *set, const char *place, DatasetSplit split, IdxFile files[2],
                      Error *e)
{
    IdxFile *images = &files[0], *labels = &files[1];
    int status = read_part(images, place, split, 0, e);
    set->bytes[split] = images->data;
    if (status == HONE_OK)
        status = read_part(labels, place, split, 1, e);
    if (status == HONE_OK && labels->dim[0] != images->dim[0])
        status =
            error_set(e, HONE_ERR_DATA, "idx: %s has %" PRIu32 " images, %s has %" PRIu32 " labels",
                      images->path, images->dim[0], labels->path, labels->dim[0]);
    if (status == HONE_OK) {
        set->labels[split] = malloc(labels->dim[0] * sizeof *set->labels[split]);
        if (set->labels[split] == NULL)
            status = error_memory(e, labels->path, labels->dim[0] * sizeof *set->labels[split]);
    }
    for (uint32_t i = 0; status == HONE_OK && i < labels->dim[0]; i++)
        set->labels[split][i] = labels->data[i];
    free(labels->data);
    return status;
}

static int same_shape(const IdxFile *a, const IdxFile *b, Error *e)
{
    int channels[2] = {a->dims == 4 ? (int)a->dim[3] : 1, b->dims == 4 ? (int)b->dim[3] : 1};
    if (a->dim[1] == b->dim[1] && a->dim[2] == b->dim[2] && channels[0] == channels[1])
        return HONE_OK;
    return error_set(
        e, HONE_ERR_DATA,
        "idx: images are %" PRIu32 "x%" PRIu32 "x%d in %s, %" PRIu32 "x%" PRIu32 "x%d in %s",
        a->dim[1], a->dim[2], channels[0], a->path, b->dim[1], b->dim[2], channels[1], b->path);
}

static int read_set(KindHeld *set, const char *place, const DatasetOptions *options,
                    IdxFile (*files)[2], DatasetInfo *info, Error *e)
{
    KindLabels labels[DATASET_SPLITS];
    int status = HONE_OK;
    for (int k = 0; k < DATASET_SPLITS && status == HONE_OK; k++) {
        status = read_split(set, place, (DatasetSplit)k, files[k], e);
        info->count[k] = files[k][0].dim[0];
        labels[k] = (KindLabels){set->labels[k], info->count[k], files[k][1].path, "item"};
    }
    const IdxFile *images = &files[DATASET_TRAIN][0];
    if (status == HONE_OK)
        status = same_shape(images, &files[DATASET_TEST][0], e);
    if (status == HONE_OK)
        status = kind_classes("idx", options, labels, &info->classes, e);
    if (status == HONE_OK)
        status = kind_limits("idx", options, place, info->count, e);
    info->height = (int)images->dim[1];
    info->width = (int)images->dim[2];
    info->channels = images->dims == 4 ? (int)images->dim[3] : 1;
    set->sample_bytes = (size_t)info->height * (size_t)info->width * (size_t)info->channels;
    return status;
}

static int idx_open(void **state, const DatasetOptions *options, const char *root,
                    DatasetInfo *info, Error *e)
{
    char place[KIND_PATH_BYTES];
    KindHeld *set = calloc(1, sizeof *set);
    IdxFile(*files)[2] = calloc(DATASET_SPLITS, sizeof *files);
    *state = set;
    int status = HONE_OK;
    if (set == NULL || files == NULL)
        status = error_memory(e, "an IDX data set", sizeof *set);
    if (status == HONE_OK)
        status = find_place(place, options, root, e);
    if (status == HONE_OK)
        status = read_set(set, place, options, files, info, e);
    free(files);
    return status;
}

const DatasetKind dataset_idx = {
    .variant =
        {
            .choice = "idx",
            .help = "MNIST and alike: images and labels in IDX files, plain or .gz",
            .options =
                (const Option[]){
                    OPTION_TEXT("path", DatasetOptions, path, "",
                                "folder or prefix of the four files; empty: HONE_DATA/mnist"),
                    OPTION_INT("classes", DatasetOptions, classes, "", 0, 65536, "0",
                               "number of classes; 0: as the labels say"),
                    OPTION_INT("train", DatasetOptions, train, "images", 0, 100000000, "0",
                               "only the first training images; 0: all"),
                    OPTION_INT("test", DatasetOptions, test, "images", 0, 100000000, "0",
                               "only the first test images; 0: all"),
                    OPTION_END,
                },
        },
    .open = idx_open,
    .sample = kind_held_sample,
    .close = kind_held_close,
};
