/* CIFAR-10, binary version: data_batch_1..5.bin and test_batch.bin.
 *
 * A file is a sequence of 3073-byte records:  label (0..9) | red plane 32x32 | green | blue.
 * Opening only looks at the files' sizes, so that a run starts at once; a sample reads its record
 * and transposes it from planes to pixels. The system keeps what was read, and unlike memory of our
 * own it can be taken back. Format and set: A. Krizhevsky, "Learning multiple layers of features
 * from tiny images", 2009, https://www.cs.toronto.edu/~kriz/cifar.html.
 * SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "datasets/kind.h"

enum {
    SIDE = 32,
    PLANE_BYTES = SIDE * SIDE,
    RECORD_BYTES = 1 + 3 * PLANE_BYTES,
    CLASSES = 10,
    TRAIN_FILES = 5,
    FILES = TRAIN_FILES + 1,
    PATH_BYTES = 4096
};

static const char *const class_names[CLASSES] = {
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};

static const char *const file_names[FILES] = {"data_batch_1.bin", "data_batch_2.bin",
                                              "data_batch_3.bin", "data_batch_4.bin",
                                              "data_batch_5.bin", "test_batch.bin"};

typedef struct Records {
    int file;      /* descriptor, or -1 */
    int64_t count; /* that may be read; 0: not wanted */
} Records;

typedef struct Cifar {
    char folder[PATH_BYTES];
    Records files[FILES];
    int64_t count[DATASET_SPLITS];
} Cifar;

static int missing(const char *folder, const char *file, int why, Error *e)
{
    return error_set(e, HONE_ERR_IO,
                     "cifar10: cannot read %s/%s (%s); unpack cifar-10-binary.tar.gz from "
                     "https://www.cs.toronto.edu/~kriz/cifar.html and set HONE_DATA to the folder "
                     "that holds cifar-10-batches-bin, or dataset.path to that one",
                     folder, file, strerror(why));
}

/* Opens a file, which counts from now on, and says how many records it has. The system is asked to
 * read it ahead: records will be wanted in any order. */
static int open_file(Cifar *c, int index, int64_t *records, Error *e)
{
    char path[PATH_BYTES];
    const char *name = file_names[index];
    struct stat info;
    if (snprintf(path, sizeof path, "%s/%s", c->folder, name) >= (int)sizeof path)
        return error_set(e, HONE_ERR_IO, "cifar10: the path of %s is too long", name);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &info) != 0) {
        int why = errno;
        if (file >= 0)
            close(file);
        return missing(c->folder, name, why, e);
    }
    c->files[index].file = file;
    int64_t bytes = (int64_t)info.st_size;
    if (bytes == 0 || bytes % RECORD_BYTES != 0)
        return error_set(e, HONE_ERR_DATA,
                         "cifar10: %s has %" PRId64
                         " bytes, which is not a whole number of records of %d",
                         path, bytes, RECORD_BYTES);
    *records = bytes / RECORD_BYTES;
    (void)posix_fadvise(file, 0, 0, POSIX_FADV_WILLNEED);
    return HONE_OK;
}

/* Adds the records of one file to split, up to limit in all (0: no limit). */
static int add_file(Cifar *c, DatasetSplit split, int64_t limit, int index, Error *e)
{
    int64_t records = 0;
    int status = open_file(c, index, &records, e);
    if (status != HONE_OK)
        return status;
    if (limit > 0 && records > limit - c->count[split])
        records = limit - c->count[split];
    c->files[index].count = records;
    c->count[split] += records;
    return HONE_OK;
}

static int enough(const Cifar *c, DatasetSplit split, int64_t wanted, Error *e)
{
    if (wanted <= c->count[split])
        return HONE_OK;
    const char *key = split == DATASET_TRAIN ? "train" : "test";
    return error_set(e, HONE_ERR_CONFIG,
                     "cifar10: dataset.%s asks for %" PRId64 " images, %s holds %" PRId64, key,
                     wanted, c->folder, c->count[split]);
}

static int add_files(Cifar *c, const DatasetOptions *options, Error *e)
{
    int status = HONE_OK;
    for (int i = 0; i < TRAIN_FILES && status == HONE_OK; i++)
        if (options->train == 0 || c->count[DATASET_TRAIN] < options->train)
            status = add_file(c, DATASET_TRAIN, options->train, i, e);
    if (status == HONE_OK)
        status = add_file(c, DATASET_TEST, options->test, TRAIN_FILES, e);
    if (status == HONE_OK)
        status = enough(c, DATASET_TRAIN, options->train, e);
    if (status == HONE_OK)
        status = enough(c, DATASET_TEST, options->test, e);
    return status;
}

static int cifar_open(void **state, const DatasetOptions *options, const char *root,
                      DatasetInfo *info, Error *e)
{
    const char *path = options->path;
    Cifar *c = calloc(1, sizeof *c);
    if (c == NULL)
        return error_memory(e, "the CIFAR-10 data set", sizeof *c);
    *state = c;
    for (int i = 0; i < FILES; i++)
        c->files[i].file = -1;
    int length = path != NULL && path[0] != '\0'
                     ? snprintf(c->folder, sizeof c->folder, "%s", path)
                     : snprintf(c->folder, sizeof c->folder, "%s/cifar-10-batches-bin", root);
    if (length >= (int)sizeof c->folder)
        return error_set(e, HONE_ERR_IO, "cifar10: the path of its folder is too long");
    int status = add_files(c, options, e);
    if (status != HONE_OK)
        return status;
    info->height = SIDE;
    info->width = SIDE;
    info->channels = 3;
    info->classes = CLASSES;
    info->class_names = class_names;
    info->count[DATASET_TRAIN] = c->count[DATASET_TRAIN];
    info->count[DATASET_TEST] = c->count[DATASET_TEST];
    return HONE_OK;
}

static int read_record(const Cifar *c, int index, int64_t at, uint8_t record[RECORD_BYTES],
                       Error *e)
{
    for (size_t done = 0; done < RECORD_BYTES;) {
        ssize_t n = pread(c->files[index].file, record + done, RECORD_BYTES - done,
                          (off_t)(at * RECORD_BYTES) + (off_t)done);
        if (n > 0)
            done += (size_t)n;
        else if (n == 0 || errno != EINTR)
            return error_set(e, HONE_ERR_IO, "cifar10: reading %s/%s failed (%s)", c->folder,
                             file_names[index], n == 0 ? "it became shorter" : strerror(errno));
    }
    if (record[0] < CLASSES)
        return HONE_OK;
    return error_set(e, HONE_ERR_DATA,
                     "cifar10: %s/%s: record %" PRId64 " has label %d, labels are 0..%d", c->folder,
                     file_names[index], at, record[0], CLASSES - 1);
}

static int cifar_sample(const void *state, DatasetSplit split, int64_t epoch, int64_t index,
                        uint8_t *pixels, int32_t *label, Error *e)
{
    (void)epoch; /* the same images every epoch */
    const Cifar *c = state;
    uint8_t record[RECORD_BYTES];
    int file = split == DATASET_TRAIN ? 0 : TRAIN_FILES;
    for (; index >= c->files[file].count; file++) {
        index -= c->files[file].count;
        assert(file + 1 < FILES);
    }
    int status = read_record(c, file, index, record, e);
    if (status != HONE_OK)
        return status;
    *label = record[0];
    const uint8_t *red = record + 1, *green = red + PLANE_BYTES, *blue = green + PLANE_BYTES;
    for (int i = 0; i < PLANE_BYTES; i++) {
        pixels[3 * i] = red[i];
        pixels[3 * i + 1] = green[i];
        pixels[3 * i + 2] = blue[i];
    }
    return HONE_OK;
}

static void cifar_close(void *state)
{
    Cifar *c = state;
    if (c == NULL)
        return;
    for (int i = 0; i < FILES; i++)
        if (c->files[i].file >= 0)
            close(c->files[i].file);
    free(c);
}

const DatasetKind dataset_cifar10 = {
    .variant =
        {
            .choice = "cifar10",
            .help = "CIFAR-10, binary version, from files",
            .options =
                (const Option[]){
                    OPTION_TEXT("path", DatasetOptions, path, "",
                                "folder of the .bin files; empty: HONE_DATA/cifar-10-batches-bin"),
                    OPTION_INT("train", DatasetOptions, train, "images", 0, 1000000, "0",
                               "only the first training images; 0: all"),
                    OPTION_INT("test", DatasetOptions, test, "images", 0, 1000000, "0",
                               "only the first test images; 0: all"),
                    OPTION_END,
                },
        },
    .open = cifar_open,
    .sample = cifar_sample,
    .close = cifar_close,
};
