/* Arrays of numbers as a data set: .npy, CSV or HDF5.
 *
 *     folder/x_train.npy, y_train.npy, x_test.npy, y_test.npy      [N, ...] and labels [N]
 *     folder/train.csv, test.csv                                   rows of numbers with a label column
 *     file.h5                                                      datasets x_train, y_train ...
 *
 * A sample becomes bytes: uint8 as they are and int8 as byte - 128, with the numbers 0..255 or
 * -128..127 as their meaning; all others on a grid of 256 steps over dataset.range, or over the
 * extremes of the training split. What lies outside is clipped. DatasetInfo tells the grid. The set
 * is read whole when it is opened. SPDX-License-Identifier: Apache-2.0 */
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/text.h"
#include "datasets/array.h"
#include "datasets/kind.h"

#define SIDE_MAX   65536
#define NAME_BYTES (KIND_PATH_BYTES + 16) /* a path and what is appended below */

static const char *const split_names[DATASET_SPLITS] = {"train", "test"};

/* One split as its files have it. */
typedef struct Source {
    Array x, y;
    char x_name[NAME_BYTES], y_name[NAME_BYTES]; /* files, or a file and its dataset */
    const char *unit;                            /* of a row, for messages */
} Source;

/* ---- files ----------------------------------------------------------------------------------- */

/* Separates column `label` of a table from the others. */
static int split_table(Source *s, Array *table, int64_t label, Error *e)
{
    int64_t rows = table->dim[0], columns = table->dim[1];
    int64_t at = label < 0 ? columns - 1 : label;
    if (columns < 2)
        return error_set(
            e, HONE_ERR_DATA,
            "tensors: %s has one column; a sample takes one for its label beside others",
            s->x_name);
    if (at >= columns)
        return error_set(e, HONE_ERR_DATA,
                         "tensors: %s has %" PRId64 " columns, dataset.label_column is %" PRId64
                         " (from 0)",
                         s->x_name, columns, at);
    int64_t dim[2] = {rows, columns - 1};
    int status = array_shape(&s->x, ARRAY_F64, 2, dim, s->x_name, e);
    if (status == HONE_OK)
        status = array_shape(&s->y, ARRAY_F64, 1, dim, s->x_name, e);
    if (status == HONE_OK)
        status = array_alloc(&s->x, s->x_name, e);
    if (status == HONE_OK)
        status = array_alloc(&s->y, s->x_name, e);
    if (status != HONE_OK)
        return status;
    const double *in = table->data;
    double *x = s->x.data, *y = s->y.data;
    for (int64_t i = 0; i < rows * columns; i++) {
        if (i % columns == at)
            *y++ = in[i];
        else
            *x++ = in[i];
    }
    return HONE_OK;
}

static int read_table(Source *s, const DatasetOptions *options, Error *e)
{
    Array table;
    int status = array_read_csv(&table, s->x_name, options->header, e);
    if (status != HONE_OK)
        return error_prefix(e, "tensors");
    status = split_table(s, &table, options->label_column, e);
    array_release(&table);
    return status;
}

static int read_npy(Source *s, Error *e)
{
    int status = array_read_npy(&s->x, s->x_name, e);
    if (status == HONE_OK)
        status = array_read_npy(&s->y, s->y_name, e);
    return status == HONE_OK ? HONE_OK : error_prefix(e, "tensors");
}

static int read_hdf5(Source *s, const char *path, const char *split, Error *e)
{
    char name[16];
    snprintf(name, sizeof name, "x_%s", split);
    int status = array_read_hdf5(&s->x, path, name, e);
    snprintf(name, sizeof name, "y_%s", split);
    if (status == HONE_OK)
        status = array_read_hdf5(&s->y, path, name, e);
    return status == HONE_OK ? HONE_OK : error_prefix(e, "tensors");
}

static int read_split(Source *s, const char *path, DatasetSplit split,
                      const DatasetOptions *options, Error *e)
{
    struct stat info;
    const char *name = split_names[split];
    if (stat(path, &info) != 0)
        return error_errno(e, HONE_ERR_IO, "tensors: cannot read '%s'", path);
    s->unit = "row";
    if (!S_ISDIR(info.st_mode)) {
        snprintf(s->x_name, sizeof s->x_name, "%s:x_%s", path, name);
        snprintf(s->y_name, sizeof s->y_name, "%s:y_%s", path, name);
        return read_hdf5(s, path, name, e);
    }
    snprintf(s->x_name, sizeof s->x_name, "%s/%s.csv", path, name);
    snprintf(s->y_name, sizeof s->y_name, "%s/%s.csv", path, name);
    if (access(s->x_name, F_OK) == 0)
        return read_table(s, options, e);
    snprintf(s->x_name, sizeof s->x_name, "%s/x_%s.npy", path, name);
    snprintf(s->y_name, sizeof s->y_name, "%s/y_%s.npy", path, name);
    if (access(s->x_name, F_OK) == 0)
        return read_npy(s, e);
    return error_set(e, HONE_ERR_IO, "tensors: there is neither %s nor %s/%s.csv", s->x_name, path,
                     name);
}

/* ---- shape ----------------------------------------------------------------------------------- */

static int check_rows(const Source *s, Error *e)
{
    const Array *x = &s->x, *y = &s->y;
    if (x->rank < 2)
        return error_set(e, HONE_ERR_DATA,
                         "tensors: %s has rank %d; samples of numbers take 2 to 4", s->x_name,
                         x->rank);
    if (y->rank != 1 && !(y->rank == 2 && y->dim[1] == 1))
        return error_set(e, HONE_ERR_DATA, "tensors: %s has rank %d; labels have 1", s->y_name,
                         y->rank);
    if (x->dim[0] != y->dim[0] || x->dim[0] == 0)
        return error_set(e, HONE_ERR_DATA,
                         "tensors: %s has %" PRId64 " samples, %s has %" PRId64 " labels",
                         s->x_name, x->dim[0], s->y_name, y->dim[0]);
    return HONE_OK;
}

/* Height, width and channels of a sample: [C], [H, W] or [H, W, C] of the array, or as told. */
static int find_shape(const Source *s, const OptionInts *told, int64_t shape[3], Error *e)
{
    const Array *x = &s->x;
    int64_t product = 1, values = (int64_t)x->count / x->dim[0];
    shape[0] = x->rank > 2 ? x->dim[1] : 1;
    shape[1] = x->rank > 2 ? x->dim[2] : 1;
    shape[2] = x->rank > 2 ? (x->rank > 3 ? x->dim[3] : 1) : x->dim[1];
    if (told->count != 0 && told->count != 3)
        return error_set(e, HONE_ERR_CONFIG,
                         "tensors: dataset.shape takes [height, width, channels], not %d number%s",
                         told->count, text_plural(told->count));
    for (int i = 0; i < 3; i++) {
        shape[i] = told->count == 3 ? told->v[i] : shape[i];
        if (shape[i] < 1 || shape[i] > SIDE_MAX)
            return error_set(e, HONE_ERR_DATA,
                             "tensors: %s: a sample has an extent of %" PRId64 ", not of 1..%d",
                             s->x_name, shape[i], SIDE_MAX);
        product *= shape[i];
    }
    if (product != values)
        return error_set(e, HONE_ERR_CONFIG,
                         "tensors: a sample of %s has %" PRId64 " number%s, dataset.shape [%" PRId64
                         ", %" PRId64 ", %" PRId64 "] has %" PRId64,
                         s->x_name, values, text_plural(values), shape[0], shape[1], shape[2],
                         product);
    return HONE_OK;
}

/* ---- numbers --------------------------------------------------------------------------------- */

static int check_finite(const Source *s, Error *e)
{
    size_t values = s->x.count / (size_t)s->x.dim[0];
    for (size_t i = 0; i < s->x.count; i++) {
        double v = array_at(&s->x, i);
        if (!isfinite(v))
            return error_set(e, HONE_ERR_DATA, "tensors: %s: %s %zu, number %zu (from 0) is %s",
                             s->x_name, s->unit, i / values, i % values,
                             isnan(v) ? "not a number" : "infinite");
    }
    return HONE_OK;
}

/* The extremes of an array that is not empty. */
static void find_extremes(const Array *x, double *lo, double *hi)
{
    *lo = *hi = array_at(x, 0);
    for (size_t i = 0; i < x->count; i++) {
        double v = array_at(x, i);
        *lo = v < *lo ? v : *lo;
        *hi = v > *hi ? v : *hi;
    }
}

static int find_grid(const Source *train, const OptionReals *range, DatasetInfo *info, Error *e)
{
    double lo = range->v[0], hi = range->v[1];
    if (range->count == 0 && (train->x.type == ARRAY_U8 || train->x.type == ARRAY_I8)) {
        info->scale = 1;
        info->zero_point = train->x.type == ARRAY_U8 ? -128 : 0;
        return HONE_OK;
    }
    if (range->count == 0)
        find_extremes(&train->x, &lo, &hi);
    else if (range->count != 2)
        return error_set(e, HONE_ERR_CONFIG,
                         "tensors: dataset.range takes [lo, hi], not %d number%s", range->count,
                         text_plural(range->count));
    float scale = (float)((hi - lo) / 255);
    if (!(hi > lo) || !(scale >= FLT_MIN) || !isfinite(scale) || fabs(lo / (double)scale) > 1e9)
        return error_set(e, HONE_ERR_DATA,
                         "tensors: numbers from %g to %g (%s) cannot be told apart on a grid", lo,
                         hi, range->count == 2 ? "dataset.range" : train->x_name);
    info->scale = scale;
    info->zero_point = -128 - (int32_t)rint(lo / (double)scale);
    return HONE_OK;
}

static int find_labels(const Source *s, int32_t *labels, Error *e)
{
    for (int64_t i = 0; i < s->y.dim[0]; i++) {
        double v = array_at(&s->y, (size_t)i);
        if (!(fabs(v) <= INT32_MAX) || v != rint(v))
            return error_set(e, HONE_ERR_DATA,
                             "tensors: %s: the label of %s %" PRId64
                             " (from 0) is %g, not a whole number",
                             s->y_name, s->unit, i, v);
        labels[i] = (int32_t)v;
    }
    return HONE_OK;
}

static int convert(KindHeld *set, DatasetSplit split, const Source *s, const DatasetInfo *info,
                   Error *e)
{
    size_t rows = (size_t)s->x.dim[0];
    set->bytes[split] = malloc(s->x.count);
    set->labels[split] = malloc(rows * sizeof *set->labels[split]);
    if (set->bytes[split] == NULL || set->labels[split] == NULL)
        return error_memory(e, s->x_name, s->x.count);
    for (size_t i = 0; i < s->x.count; i++)
        set->bytes[split][i] =
            (uint8_t)(array_code(info->scale, info->zero_point, array_at(&s->x, i)) + 128);
    return find_labels(s, set->labels[split], e);
}

/* ---- the set --------------------------------------------------------------------------------- */

static int take_split(KindHeld *set, DatasetSplit split, Source *sources,
                      const DatasetOptions *options, DatasetInfo *info, Error *e)
{
    int64_t shape[3];
    const Source *s = &sources[split];
    int status = check_rows(s, e);
    if (status == HONE_OK)
        status = find_shape(s, &options->shape, shape, e);
    if (status == HONE_OK)
        status = check_finite(s, e);
    if (status != HONE_OK)
        return status;
    if (split == DATASET_TRAIN) {
        info->height = (int)shape[0];
        info->width = (int)shape[1];
        info->channels = (int)shape[2];
        set->sample_bytes = (size_t)(shape[0] * shape[1] * shape[2]);
        status = find_grid(s, &options->range, info, e);
    } else if (info->height != shape[0] || info->width != shape[1] || info->channels != shape[2]) {
        status = error_set(e, HONE_ERR_DATA,
                           "tensors: samples are %dx%dx%d in %s, %" PRId64 "x%" PRId64 "x%" PRId64
                           " in %s",
                           info->height, info->width, info->channels, sources[DATASET_TRAIN].x_name,
                           shape[0], shape[1], shape[2], s->x_name);
    }
    info->count[split] = s->x.dim[0];
    return status == HONE_OK ? convert(set, split, s, info, e) : status;
}

static int take_sources(KindHeld *set, Source *sources, const char *path,
                        const DatasetOptions *options, DatasetInfo *info, Error *e)
{
    KindLabels labels[DATASET_SPLITS];
    int status = HONE_OK;
    for (int k = 0; k < DATASET_SPLITS && status == HONE_OK; k++) {
        status = read_split(&sources[k], path, (DatasetSplit)k, options, e);
        if (status == HONE_OK)
            status = take_split(set, (DatasetSplit)k, sources, options, info, e);
        labels[k] =
            (KindLabels){set->labels[k], info->count[k], sources[k].y_name, sources[k].unit};
    }
    if (status == HONE_OK)
        status = kind_classes("tensors", options, labels, &info->classes, e);
    return status == HONE_OK ? kind_limits("tensors", options, path, info->count, e) : status;
}

static int tensors_open(void **state, const DatasetOptions *options, const char *root,
                        DatasetInfo *info, Error *e)
{
    char path[KIND_PATH_BYTES];
    Source *sources = calloc(DATASET_SPLITS, sizeof *sources);
    KindHeld *set = calloc(1, sizeof *set);
    *state = set;
    int status = HONE_OK;
    if (set == NULL || sources == NULL)
        status = error_memory(e, "arrays", sizeof *sources * DATASET_SPLITS);
    if (status == HONE_OK)
        status = kind_path(path, "tensors", options, root, "tensors", e);
    if (status == HONE_OK && strlen(path) > KIND_PATH_BYTES - 32)
        status = error_set(e, HONE_ERR_IO, "tensors: the path of its folder is too long");
    if (status == HONE_OK)
        status = take_sources(set, sources, path, options, info, e);
    for (int k = 0; sources != NULL && k < DATASET_SPLITS; k++) {
        array_release(&sources[k].x);
        array_release(&sources[k].y);
    }
    free(sources);
    return status;
}

const DatasetKind dataset_tensors = {
    .variant =
        {
            .choice = "tensors",
            .help = "arrays of numbers: .npy, CSV or HDF5",
            .options =
                (const Option[]){
                    OPTION_TEXT("path", DatasetOptions, path, NULL,
                                "folder of x_train.npy, y_train.npy, x_test.npy, y_test.npy or of "
                                "train.csv, test.csv; or HDF5 file with datasets of these names"),
                    OPTION_INTS("shape", DatasetOptions, shape, "", 0, 3, 1, 65536, "[]",
                                "height, width and channels of a sample; empty: as in the array"),
                    OPTION_REALS("range", DatasetOptions, range, "", 0, 2, -INFINITY, INFINITY,
                                 "[]",
                                 "real values of the lowest and the highest byte; empty: of the "
                                 "training split, and bytes as they are"),
                    OPTION_INT("classes", DatasetOptions, classes, "", 0, 65536, "0",
                               "number of classes; 0: as the labels say"),
                    OPTION_INT("label_column", DatasetOptions, label_column, "", -1, 1000000, "-1",
                               "of CSV files, from 0; -1: the last"),
                    OPTION_BOOL("header", DatasetOptions, header, "false",
                                "CSV files start with a line of names"),
                    OPTION_INT("train", DatasetOptions, train, "samples", 0, 100000000, "0",
                               "only the first training samples; 0: all"),
                    OPTION_INT("test", DatasetOptions, test, "samples", 0, 100000000, "0",
                               "only the first test samples; 0: all"),
                    OPTION_END,
                },
        },
    .open = tensors_open,
    .sample = kind_held_sample,
    .close = kind_held_close,
};
