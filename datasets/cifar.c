/* CIFAR-10 and CIFAR-100, binary versions.
 *
 * A file is a sequence of records, 3073 or 3074 bytes:
 *     CIFAR-10    label (0..9)                         | red plane 32x32 | green | blue
 *     CIFAR-100   coarse label (0..19) | fine (0..99)  | red plane 32x32 | green | blue
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
    PIXEL_BYTES = 3 * PLANE_BYTES,
    LABELS_MAX = 2,
    RECORD_MAX = LABELS_MAX + PIXEL_BYTES,
    FILES_MAX = 6
};

/* What tells the two sets apart; the last file is the test split. */
typedef struct Layout {
    const char *kind, *folder, *archive;
    int labels; /* bytes in front of the pixels */
    int files;
    const char *names[FILES_MAX];
} Layout;

static const Layout cifar10 = {
    .kind = "cifar10",
    .folder = "cifar-10-batches-bin",
    .archive = "cifar-10-binary.tar.gz",
    .labels = 1,
    .files = 6,
    .names = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
              "data_batch_5.bin", "test_batch.bin"},
};

static const Layout cifar100 = {
    .kind = "cifar100",
    .folder = "cifar-100-binary",
    .archive = "cifar-100-binary.tar.gz",
    .labels = 2,
    .files = 2,
    .names = {"train.bin", "test.bin"},
};

enum { CLASSES_10 = 10, COARSE = 20, FINE = 100 };

static const char *const class_names[CLASSES_10] = {
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};

static const char *const coarse_names[COARSE] = {
    "aquatic_mammals",
    "fish",
    "flowers",
    "food_containers",
    "fruit_and_vegetables",
    "household_electrical_devices",
    "household_furniture",
    "insects",
    "large_carnivores",
    "large_man-made_outdoor_things",
    "large_natural_outdoor_scenes",
    "large_omnivores_and_herbivores",
    "medium_mammals",
    "non-insect_invertebrates",
    "people",
    "reptiles",
    "small_mammals",
    "trees",
    "vehicles_1",
    "vehicles_2",
};

static const char *const fine_names[FINE] = {
    "apple",       "aquarium_fish", "baby",      "bear",       "beaver",       "bed",
    "bee",         "beetle",        "bicycle",   "bottle",     "bowl",         "boy",
    "bridge",      "bus",           "butterfly", "camel",      "can",          "castle",
    "caterpillar", "cattle",        "chair",     "chimpanzee", "clock",        "cloud",
    "cockroach",   "couch",         "crab",      "crocodile",  "cup",          "dinosaur",
    "dolphin",     "elephant",      "flatfish",  "forest",     "fox",          "girl",
    "hamster",     "house",         "kangaroo",  "keyboard",   "lamp",         "lawn_mower",
    "leopard",     "lion",          "lizard",    "lobster",    "man",          "maple_tree",
    "motorcycle",  "mountain",      "mouse",     "mushroom",   "oak_tree",     "orange",
    "orchid",      "otter",         "palm_tree", "pear",       "pickup_truck", "pine_tree",
    "plain",       "plate",         "poppy",     "porcupine",  "possum",       "rabbit",
    "raccoon",     "ray",           "road",      "rocket",     "rose",         "sea",
    "seal",        "shark",         "shrew",     "skunk",      "skyscraper",   "snail",
    "snake",       "spider",        "squirrel",  "streetcar",  "sunflower",    "sweet_pepper",
    "table",       "tank",          "telephone", "television", "tiger",        "tractor",
    "train",       "trout",         "tulip",     "turtle",     "wardrobe",     "whale",
    "willow_tree", "wolf",          "woman",     "worm"};

typedef struct Records {
    int file;      /* descriptor, or -1 */
    int64_t count; /* that may be read; 0: not wanted */
} Records;

typedef struct Cifar {
    const Layout *layout;
    int label_at; /* byte of the record */
    int classes;
    char folder[KIND_PATH_BYTES];
    Records files[FILES_MAX];
    int64_t count[DATASET_SPLITS];
} Cifar;

static int record_bytes(const Cifar *c)
{
    return c->layout->labels + PIXEL_BYTES;
}

static int missing(const Cifar *c, const char *file, int why, Error *e)
{
    const Layout *l = c->layout;
    return error_set(e, HONE_ERR_IO,
                     "%s: cannot read %s/%s (%s); unpack %s from "
                     "https://www.cs.toronto.edu/~kriz/cifar.html and set HONE_DATA to the folder "
                     "that holds %s, or dataset.path to that one",
                     l->kind, c->folder, file, strerror(why), l->archive, l->folder);
}

/* Opens a file, which counts from now on, and says how many records it has. The system is asked to
 * read it ahead: records will be wanted in any order. */
static int open_file(Cifar *c, int index, int64_t *records, Error *e)
{
    char path[KIND_PATH_BYTES];
    const char *kind = c->layout->kind, *name = c->layout->names[index];
    struct stat info;
    if (snprintf(path, sizeof path, "%s/%s", c->folder, name) >= (int)sizeof path)
        return error_set(e, HONE_ERR_IO, "%s: the path of %s is too long", kind, name);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &info) != 0) {
        int why = errno;
        if (file >= 0)
            close(file);
        return missing(c, name, why, e);
    }
    c->files[index].file = file;
    int64_t bytes = (int64_t)info.st_size;
    if (bytes == 0 || bytes % record_bytes(c) != 0)
        return error_set(e, HONE_ERR_DATA,
                         "%s: %s has %" PRId64
                         " bytes, which is not a whole number of records of %d",
                         kind, path, bytes, record_bytes(c));
    *records = bytes / record_bytes(c);
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

static int add_files(Cifar *c, const DatasetOptions *options, Error *e)
{
    int status = HONE_OK, train_files = c->layout->files - 1;
    for (int i = 0; i < train_files && status == HONE_OK; i++)
        if (options->train == 0 || c->count[DATASET_TRAIN] < options->train)
            status = add_file(c, DATASET_TRAIN, options->train, i, e);
    if (status == HONE_OK)
        status = add_file(c, DATASET_TEST, options->test, train_files, e);
    if (status == HONE_OK)
        status = kind_limits(c->layout->kind, options, c->folder, c->count, e);
    return status;
}

static int cifar_open(const Layout *layout, void **state, const DatasetOptions *options,
                      const char *root, DatasetInfo *info, Error *e)
{
    Cifar *c = calloc(1, sizeof *c);
    if (c == NULL)
        return error_memory(e, "the CIFAR data set", sizeof *c);
    *state = c;
    c->layout = layout;
    c->classes = info->classes;
    c->label_at = info->classes == FINE ? 1 : 0;
    for (int i = 0; i < FILES_MAX; i++)
        c->files[i].file = -1;
    int status = kind_path(c->folder, layout->kind, options, root, layout->folder, e);
    if (status == HONE_OK)
        status = add_files(c, options, e);
    if (status != HONE_OK)
        return status;
    info->height = SIDE;
    info->width = SIDE;
    info->channels = 3;
    info->count[DATASET_TRAIN] = c->count[DATASET_TRAIN];
    info->count[DATASET_TEST] = c->count[DATASET_TEST];
    return HONE_OK;
}

static int cifar10_open(void **state, const DatasetOptions *options, const char *root,
                        DatasetInfo *info, Error *e)
{
    info->classes = CLASSES_10;
    info->class_names = class_names;
    return cifar_open(&cifar10, state, options, root, info, e);
}

static int cifar100_open(void **state, const DatasetOptions *options, const char *root,
                         DatasetInfo *info, Error *e)
{
    info->classes = options->coarse ? COARSE : FINE;
    info->class_names = options->coarse ? coarse_names : fine_names;
    return cifar_open(&cifar100, state, options, root, info, e);
}

static int read_record(const Cifar *c, int index, int64_t at, uint8_t record[RECORD_MAX], Error *e)
{
    const char *kind = c->layout->kind, *name = c->layout->names[index];
    size_t bytes = (size_t)record_bytes(c), done = 0;
    do {
        ssize_t n = pread(c->files[index].file, record + done, bytes - done,
                          (off_t)(at * (int64_t)bytes) + (off_t)done);
        if (n > 0)
            done += (size_t)n;
        else if (n == 0 || errno != EINTR)
            return error_set(e, HONE_ERR_IO, "%s: reading %s/%s failed (%s)", kind, c->folder, name,
                             n == 0 ? "it became shorter" : strerror(errno));
    } while (done < bytes);
    if (record[c->label_at] < c->classes)
        return HONE_OK;
    return error_set(e, HONE_ERR_DATA,
                     "%s: %s/%s: record %" PRId64 " has label %d, labels are 0..%d", kind,
                     c->folder, name, at, record[c->label_at], c->classes - 1);
}

static int cifar_sample(const void *state, DatasetSplit split, int64_t epoch, int64_t index,
                        uint8_t *pixels, int32_t *label, Error *e)
{
    (void)epoch; /* the same images every epoch */
    const Cifar *c = state;
    uint8_t record[RECORD_MAX];
    int file = split == DATASET_TRAIN ? 0 : c->layout->files - 1;
    for (; index >= c->files[file].count; file++) {
        index -= c->files[file].count;
        assert(file + 1 < c->layout->files);
    }
    int status = read_record(c, file, index, record, e);
    if (status != HONE_OK)
        return status;
    *label = record[c->label_at];
    if (pixels == NULL)
        return HONE_OK;
    const uint8_t *red = record + c->layout->labels, *green = red + PLANE_BYTES,
                  *blue = green + PLANE_BYTES;
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
    for (int i = 0; i < FILES_MAX; i++)
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
    .open = cifar10_open,
    .sample = cifar_sample,
    .close = cifar_close,
};

static const char *const granularities[] = {"fine", "coarse", NULL};

const DatasetKind dataset_cifar100 = {
    .variant =
        {
            .choice = "cifar100",
            .help = "CIFAR-100, binary version, from files",
            .options =
                (const Option[]){
                    OPTION_TEXT("path", DatasetOptions, path, "",
                                "folder of the .bin files; empty: HONE_DATA/cifar-100-binary"),
                    OPTION_CHOICE("labels", DatasetOptions, coarse, granularities, "fine",
                                  "the 100 classes, or their 20 superclasses"),
                    OPTION_INT("train", DatasetOptions, train, "images", 0, 1000000, "0",
                               "only the first training images; 0: all"),
                    OPTION_INT("test", DatasetOptions, test, "images", 0, 1000000, "0",
                               "only the first test images; 0: all"),
                    OPTION_END,
                },
        },
    .open = cifar100_open,
    .sample = cifar_sample,
    .close = cifar_close,
};
