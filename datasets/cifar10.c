/* CIFAR-10, binary version: data_batch_1..5.bin and test_batch.bin.
 *
 * A file is a sequence of 3073-byte records:  label (0..9) | red plane 32x32 | green | blue.
 * The records that are asked for are read into memory once; a sample transposes its record from
 * planes to pixels. Format and set: A. Krizhevsky, "Learning multiple layers of features from tiny
 * images", 2009, https://www.cs.toronto.edu/~kriz/cifar.html.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/kind.h"

enum {
    SIDE = 32,
    PLANE_BYTES = SIDE * SIDE,
    RECORD_BYTES = 1 + 3 * PLANE_BYTES,
    CLASSES = 10,
    TRAIN_FILES = 5,
    PATH_BYTES = 4096
};

static const char *const class_names[CLASSES] = {
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};

typedef struct Cifar {
    int64_t count[DATASET_SPLITS];
    uint8_t *records[DATASET_SPLITS]; /* [count][RECORD_BYTES] */
} Cifar;

static int missing(const char *folder, const char *file, int why, Error *e)
{
    return error_set(e, HONE_ERR_IO,
                     "cifar10: cannot read %s/%s (%s); unpack cifar-10-binary.tar.gz from "
                     "https://www.cs.toronto.edu/~kriz/cifar.html and set HONE_DATA to the folder "
                     "that holds cifar-10-batches-bin, or dataset.path to that one",
                     folder, file, strerror(why));
}

/* Opens a file at its start and counts its records. */
static int open_records(FILE **file, int64_t *records, const char *folder, const char *name,
                        Error *e)
{
    char path[PATH_BYTES];
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        return error_set(e, HONE_ERR_IO, "cifar10: the path of %s is too long", name);
    *file = fopen(path, "rb");
    if (*file == NULL)
        return missing(folder, name, errno, e);
    if (fseek(*file, 0, SEEK_END) != 0)
        return missing(folder, name, errno, e);
    long bytes = ftell(*file);
    if (bytes < 0 || fseek(*file, 0, SEEK_SET) != 0)
        return missing(folder, name, errno, e);
    if (bytes == 0 || bytes % RECORD_BYTES != 0)
        return error_set(e, HONE_ERR_DATA,
                         "cifar10: %s has %ld bytes, which is not a whole number of records of %d",
                         path, bytes, RECORD_BYTES);
    *records = bytes / RECORD_BYTES;
    return HONE_OK;
}

/* Appends the records of one file to split, up to limit in all (0: no limit). */
static int append_file(Cifar *c, DatasetSplit split, int64_t limit, const char *folder,
                       const char *name, Error *e)
{
    FILE *file = NULL;
    int64_t records = 0;
    int status = open_records(&file, &records, folder, name, e);
    if (status != HONE_OK)
        goto out;
    int64_t old = c->count[split];
    if (limit > 0 && records > limit - old)
        records = limit - old;
    size_t bytes = (size_t)(old + records) * RECORD_BYTES;
    uint8_t *grown = realloc(c->records[split], bytes);
    if (grown == NULL) {
        status = error_memory(e, "the CIFAR-10 images", bytes);
        goto out;
    }
    c->records[split] = grown;
    uint8_t *added = grown + old * RECORD_BYTES;
    if (fread(added, RECORD_BYTES, (size_t)records, file) != (size_t)records) {
        status = error_set(e, HONE_ERR_IO, "cifar10: reading %s/%s failed", folder, name);
        goto out;
    }
    for (int64_t i = 0; i < records; i++) {
        if (added[i * RECORD_BYTES] >= CLASSES) {
            status = error_set(e, HONE_ERR_DATA,
                               "cifar10: %s/%s: record %" PRId64 " has label %d, labels are 0..%d",
                               folder, name, i, added[i * RECORD_BYTES], CLASSES - 1);
            goto out;
        }
    }
    c->count[split] = old + records;
out:
    if (file != NULL)
        fclose(file);
    return status;
}

static int enough(const Cifar *c, DatasetSplit split, int64_t wanted, const char *folder, Error *e)
{
    if (wanted <= c->count[split])
        return HONE_OK;
    const char *key = split == DATASET_TRAIN ? "train" : "test";
    return error_set(e, HONE_ERR_CONFIG,
                     "cifar10: dataset.%s asks for %" PRId64 " images, %s holds %" PRId64, key,
                     wanted, folder, c->count[split]);
}

static int read_files(Cifar *c, const DatasetOptions *options, const char *folder, Error *e)
{
    int status = HONE_OK;
    for (int i = 1; i <= TRAIN_FILES && status == HONE_OK; i++) {
        char name[32];
        snprintf(name, sizeof name, "data_batch_%d.bin", i);
        if (options->train == 0 || c->count[DATASET_TRAIN] < options->train)
            status = append_file(c, DATASET_TRAIN, options->train, folder, name, e);
    }
    if (status == HONE_OK)
        status = append_file(c, DATASET_TEST, options->test, folder, "test_batch.bin", e);
    if (status == HONE_OK)
        status = enough(c, DATASET_TRAIN, options->train, folder, e);
    if (status == HONE_OK)
        status = enough(c, DATASET_TEST, options->test, folder, e);
    return status;
}

static int cifar_open(void **state, const DatasetOptions *options, const char *root,
                      DatasetInfo *info, Error *e)
{
    char folder[PATH_BYTES];
    const char *path = options->path;
    int length = path != NULL && path[0] != '\0'
                     ? snprintf(folder, sizeof folder, "%s", path)
                     : snprintf(folder, sizeof folder, "%s/cifar-10-batches-bin", root);
    if (length >= (int)sizeof folder)
        return error_set(e, HONE_ERR_IO, "cifar10: the path of its folder is too long");
    Cifar *c = calloc(1, sizeof *c);
    if (c == NULL)
        return error_memory(e, "the CIFAR-10 data set", sizeof *c);
    *state = c;
    int status = read_files(c, options, folder, e);
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

static int cifar_sample(const void *state, DatasetSplit split, int64_t epoch, int64_t index,
                        uint8_t *pixels, int32_t *label, Error *e)
{
    (void)epoch; /* the same images every epoch */
    (void)e;
    const Cifar *c = state;
    const uint8_t *record = c->records[split] + index * RECORD_BYTES;
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
    free(c->records[DATASET_TRAIN]);
    free(c->records[DATASET_TEST]);
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
