/* Image folders: one folder per class, JPEG and PNG files in it.
 *
 *     flowers/daisy/1.jpg, flowers/rose/2.jpg ...       split by a hash of each file's name
 *     pets/train/cat/1.png, pets/test/cat/2.png ...     split as the folders are
 *
 * Opening lists the folders. A sample is decoded and fitted to the size when it is asked for, and kept
 * in memory while there is room (dataset.cache_mb), so that later epochs only copy. Samples of a split
 * are ordered by the hash, not by class: the first n of them are a fair choice. The hash is that of
 * listing.h, over "class/name". SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/arena.h"
#include "core/text.h"
#include "datasets/image.h"
#include "datasets/kind.h"
#include "datasets/listing.h"

#define MB ((size_t)1000000)

typedef struct Names {
    const char **v; /* in the set's arena, sorted */
    size_t count, room;
} Names;

typedef struct ImageFile {
    const char *path;
    double place; /* in [0, 1), a hash of "class/name" */
    int32_t label;
} ImageFile;

/* A slot of the cache goes from EMPTY to READY once; whoever makes it FILLING fills it. */
enum { EMPTY, FILLING, READY };

typedef struct ImageSplit {
    ImageFile *files; /* by place */
    size_t count, room;
    uint8_t *cache; /* [cached][sample_bytes] */
    atomic_uchar *slots;
    size_t cached; /* of the first files */
} ImageSplit;

typedef struct ImageSet {
    Arena arena;
    Names classes;
    int height, width, channels;
    ImageFit fit;
    size_t sample_bytes;
    ImageSplit splits[DATASET_SPLITS];
} ImageSet;

/* ---- folders --------------------------------------------------------------------------------- */

/* Makes room for one more element of size bytes. */
static void *grown(void *v, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return v;
    *room = *room > 0 ? 2 * *room : 256;
    return *room < SIZE_MAX / size ? realloc(v, *room * size) : NULL;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_folder(Arena *arena, const char *folder, const char *name)
{
    struct stat info;
    const char *path = arena_printf(arena, "%s/%s", folder, name);
    return path != NULL && stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static int add_name(ImageSet *set, Names *names, const char *name, Error *e)
{
    size_t room = names->room;
    const char **v = grown(names->v, names->count, &room, sizeof *v);
    char *copy = arena_text(&set->arena, name);
    if (v != NULL) {
        names->v = v;
        names->room = room;
    }
    if (v == NULL || copy == NULL)
        return error_memory(e, "a list of files", room * sizeof *v);
    v[names->count++] = copy;
    return HONE_OK;
}

/* The folders in folder, or its image files, sorted; hidden ones are left out. */
static int list(ImageSet *set, const char *folder, bool folders, Names *names, Error *e)
{
    int status = HONE_OK;
    const struct dirent *entry;
    DIR *dir = opendir(folder);
    if (dir == NULL)
        return error_errno(e, HONE_ERR_IO, "images: cannot read the folder %s", folder);
    while (status == HONE_OK && (entry = readdir(dir)) != NULL) {
        bool wanted =
            folders ? is_folder(&set->arena, folder, entry->d_name) : image_name(entry->d_name);
        if (entry->d_name[0] != '.' && wanted)
            status = add_name(set, names, entry->d_name, e);
    }
    closedir(dir);
    if (status == HONE_OK && names->count > 0)
        qsort(names->v, names->count, sizeof *names->v, by_text);
    return status;
}

/* ---- the splits ------------------------------------------------------------------------------ */

static int by_place(const void *a, const void *b)
{
    const ImageFile *x = a, *y = b;
    return x->place != y->place ? (x->place > y->place ? 1 : -1) : strcmp(x->path, y->path);
}

static int add_file(ImageSet *set, DatasetSplit split, ImageFile file, Error *e)
{
    ImageSplit *s = &set->splits[split];
    ImageFile *files = grown(s->files, s->count, &s->room, sizeof *files);
    if (files == NULL || file.path == NULL)
        return error_memory(e, "a list of files", s->room * sizeof *files);
    s->files = files;
    files[s->count++] = file;
    return HONE_OK;
}

/* The files of one class. share of them goes to the test split: 0 with test folders, when split is
 * where all go. */
static int add_class(ImageSet *set, const char *folder, int32_t label, DatasetSplit split,
                     double share, Error *e)
{
    Names names = {0};
    size_t named = strlen(folder) + 1; /* where "class/name" starts in a path */
    const char *place = arena_printf(&set->arena, "%s/%s", folder, set->classes.v[label]);
    if (place == NULL)
        return error_memory(e, "a list of files", strlen(folder));
    int status = list(set, place, false, &names, e);
    if (status == HONE_OK && names.count == 0)
        status = error_set(e, HONE_ERR_DATA, "images: %s has no .jpg, .jpeg or .png file", place);
    for (size_t i = 0; i < names.count && status == HONE_OK; i++) {
        const char *path = arena_printf(&set->arena, "%s/%s", place, names.v[i]);
        const char *name = path != NULL ? path + named : "";
        double at = listing_share(name, strlen(name));
        status = add_file(set, at < share ? DATASET_TEST : split, (ImageFile){path, at, label}, e);
    }
    free(names.v);
    return status;
}

static int add_classes(ImageSet *set, const char *folder, DatasetSplit split, double share,
                       Error *e)
{
    int status = HONE_OK;
    for (size_t k = 0; k < set->classes.count && status == HONE_OK; k++)
        status = add_class(set, folder, (int32_t)k, split, share, e);
    return status;
}

/* Test folders must be classes; a class may lack one. */
static int add_tests(ImageSet *set, const char *train, const char *test, Error *e)
{
    Names names = {0};
    int status = list(set, test, true, &names, e);
    for (size_t i = 0; i < names.count && status == HONE_OK; i++) {
        const char **found = bsearch(&names.v[i], set->classes.v, set->classes.count,
                                     sizeof *set->classes.v, by_text);
        if (found == NULL)
            status = error_set(e, HONE_ERR_DATA, "images: %s/%s is no class: there is no %s/%s",
                               test, names.v[i], train, names.v[i]);
        else
            status = add_class(set, test, (int32_t)(found - set->classes.v), DATASET_TEST, 0, e);
    }
    free(names.v);
    return status;
}

static int find_classes(ImageSet *set, const char *folder, Error *e)
{
    int status = list(set, folder, true, &set->classes, e);
    if (status == HONE_OK && set->classes.count < 2)
        status = error_set(e, HONE_ERR_DATA,
                           "images: %s has %zu folder%s; it takes one for each of two classes or "
                           "more",
                           folder, set->classes.count, text_plural((long long)set->classes.count));
    return status;
}

static int find_files(ImageSet *set, const char *folder, double share, Error *e)
{
    const char *train = arena_printf(&set->arena, "%s/train", folder);
    const char *test = arena_printf(&set->arena, "%s/test", folder);
    if (train == NULL || test == NULL)
        return error_memory(e, "a list of files", strlen(folder));
    bool halves = is_folder(&set->arena, folder, "train") && is_folder(&set->arena, folder, "test");
    int status = find_classes(set, halves ? train : folder, e);
    if (status == HONE_OK)
        status = add_classes(set, halves ? train : folder, DATASET_TRAIN, halves ? 0 : share, e);
    if (status == HONE_OK && halves)
        status = add_tests(set, train, test, e);
    return status;
}

/* ---- opening --------------------------------------------------------------------------------- */

static int check_split(const ImageSet *set, const char *folder, Error *e)
{
    for (size_t k = 0; k < set->classes.count; k++) {
        const ImageSplit *train = &set->splits[DATASET_TRAIN];
        size_t i = 0;
        while (i < train->count && train->files[i].label != (int32_t)k)
            i++;
        if (i == train->count)
            return error_set(e, HONE_ERR_DATA,
                             "images: all files of %s/%s fall into the test split; a smaller "
                             "dataset.test_share leaves some for training",
                             folder, set->classes.v[k]);
    }
    if (set->splits[DATASET_TEST].count == 0)
        return error_set(e, HONE_ERR_DATA,
                         "images: no file of %s falls into the test split; raise "
                         "dataset.test_share",
                         folder);
    return HONE_OK;
}

/* Memory that is only taken from the system as images are put there. */
static int make_cache(ImageSet *set, int64_t cache_mb, const DatasetInfo *info, Error *e)
{
    size_t room = (size_t)cache_mb * MB / set->sample_bytes;
    for (int k = 0; k < DATASET_SPLITS; k++) {
        ImageSplit *s = &set->splits[k];
        size_t wanted = (size_t)info->count[k];
        s->cached = wanted < room ? wanted : room;
        room -= s->cached;
        if (s->cached == 0)
            continue;
        s->cache = malloc(s->cached * set->sample_bytes);
        s->slots = calloc(s->cached, sizeof *s->slots);
        if (s->cache == NULL || s->slots == NULL)
            return error_memory(e, "decoded images", s->cached * set->sample_bytes);
    }
    return HONE_OK;
}

static int check_options(const DatasetOptions *o, Error *e)
{
    if (o->path == NULL || o->path[0] == '\0')
        return error_set(e, HONE_ERR_CONFIG,
                         "images: dataset.path must name the folder of the classes");
    if (o->channels != 1 && o->channels != 3)
        return error_set(e, HONE_ERR_CONFIG,
                         "images: dataset.channels is %" PRId64 "; it is 3, or 1 for gray",
                         o->channels);
    return HONE_OK;
}

static int images_open(void **state, const DatasetOptions *options, const char *root,
                       DatasetInfo *info, Error *e)
{
    ImageSet *set = calloc(1, sizeof *set);
    if (set == NULL)
        return error_memory(e, "an image folder", sizeof *set);
    *state = set;
    char folder[KIND_PATH_BYTES];
    int status = check_options(options, e);
    if (status == HONE_OK)
        status = kind_path(folder, "images", options, root, "", e);
    if (status != HONE_OK)
        return status;
    info->height = set->height = (int)options->size.v[0];
    info->width = set->width = (int)options->size.v[1];
    info->channels = set->channels = (int)options->channels;
    set->fit = (ImageFit)options->fit;
    set->sample_bytes = (size_t)set->height * (size_t)set->width * (size_t)set->channels;
    status = find_files(set, folder, options->test_share, e);
    if (status == HONE_OK)
        status = check_split(set, folder, e);
    if (status != HONE_OK)
        return status;
    for (int k = 0; k < DATASET_SPLITS; k++) {
        ImageSplit *s = &set->splits[k];
        qsort(s->files, s->count, sizeof *s->files, by_place);
        info->count[k] = (int64_t)s->count;
    }
    info->classes = (int)set->classes.count;
    info->class_names = set->classes.v;
    status = kind_limits("images", options, folder, info->count, e);
    return status == HONE_OK ? make_cache(set, options->cache_mb, info, e) : status;
}

/* ---- reading --------------------------------------------------------------------------------- */

static int decode(const ImageSet *set, const ImageFile *file, uint8_t *pixels, Error *e)
{
    Image image;
    int status = image_read(&image, file->path, e);
    if (status == HONE_OK)
        status = image_fit(&image, set->height, set->width, set->channels, set->fit, pixels, e);
    image_release(&image);
    return status == HONE_OK ? HONE_OK : error_prefix(e, "images");
}

static int images_sample(const void *state, DatasetSplit split, int64_t epoch, int64_t index,
                         uint8_t *pixels, int32_t *label, Error *e)
{
    (void)epoch; /* the same images every epoch */
    const ImageSet *set = state;
    const ImageSplit *s = &set->splits[split];
    size_t i = (size_t)index;
    const bool cached = i < s->cached;
    uint8_t *kept = cached ? s->cache + i * set->sample_bytes : NULL;
    *label = s->files[i].label;
    if (pixels == NULL)
        return HONE_OK;
    if (cached && atomic_load_explicit(&s->slots[i], memory_order_acquire) == READY) {
        memcpy(pixels, kept, set->sample_bytes);
        return HONE_OK;
    }
    int status = decode(set, &s->files[i], pixels, e);
    unsigned char empty = EMPTY;
    if (status == HONE_OK && cached &&
        atomic_compare_exchange_strong(&s->slots[i], &empty, FILLING)) {
        memcpy(kept, pixels, set->sample_bytes);
        atomic_store_explicit(&s->slots[i], READY, memory_order_release);
    }
    return status;
}

static void images_close(void *state)
{
    ImageSet *set = state;
    if (set == NULL)
        return;
    for (int k = 0; k < DATASET_SPLITS; k++) {
        free(set->splits[k].files);
        free(set->splits[k].cache);
        free(set->splits[k].slots);
    }
    free(set->classes.v);
    arena_release(&set->arena);
    free(set);
}

static const char *const fits[] = {[IMAGE_CROP] = "crop", [IMAGE_STRETCH] = "stretch", NULL};

const DatasetKind dataset_images = {
    .variant =
        {
            .choice = "images",
            .help = "a folder per class with JPEG and PNG files",
            .options =
                (const Option[]){
                    OPTION_TEXT("path", DatasetOptions, path, NULL,
                                "folder of the classes' folders, or of train/ and test/ with these "
                                "in; may lie in HONE_DATA"),
                    OPTION_INTS("size", DatasetOptions, size, "pixels", 2, 2, 1, 4096, NULL,
                                "height and width that images are brought to"),
                    OPTION_INT("channels", DatasetOptions, channels, "", 1, 3, "3",
                               "3, or 1 for gray"),
                    OPTION_CHOICE("fit", DatasetOptions, fit, fits, "crop",
                                  "cut to the shape of size around the centre, or stretch"),
                    OPTION_REAL_OPEN("test_share", DatasetOptions, test_share, "", 0, 1,
                                     OPTION_OPEN_MIN | OPTION_OPEN_MAX, "0.2",
                                     "of the files, by a hash of their names; without train/ and "
                                     "test/"),
                    OPTION_INT("cache_mb", DatasetOptions, cache_mb, "MB", 0, 1000000, "1000",
                               "memory for decoded images; what does not fit is read again"),
                    OPTION_INT("train", DatasetOptions, train, "images", 0, 100000000, "0",
                               "only so many training images; 0: all"),
                    OPTION_INT("test", DatasetOptions, test, "images", 0, 100000000, "0",
                               "only so many test images; 0: all"),
                    OPTION_END,
                },
        },
    .open = images_open,
    .sample = images_sample,
    .close = images_close,
};
