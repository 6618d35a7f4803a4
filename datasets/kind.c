/* What kinds of data set that read files have in common: see kind.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "datasets/kind.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLASSES_MAX 65536

int kind_path(char out[KIND_PATH_BYTES], const char *kind, const DatasetOptions *options,
              const char *root, const char *name, Error *e)
{
    const char *path = options->path;
    bool given = path != NULL && path[0] != '\0';
    bool here = given && (path[0] == '/' || access(path, F_OK) == 0);
    int length = here ? snprintf(out, KIND_PATH_BYTES, "%s", path)
                      : snprintf(out, KIND_PATH_BYTES, "%s/%s", root, given ? path : name);
    if (length >= KIND_PATH_BYTES)
        return error_set(e, HONE_ERR_IO, "%s: the path of its folder is too long", kind);
    if (given && access(out, F_OK) != 0) /* a prefix, or missing: the user's own word */
        memcpy(out, path, strlen(path) + 1);
    return HONE_OK;
}

int kind_limits(const char *kind, const DatasetOptions *options, const char *place,
                int64_t count[DATASET_SPLITS], Error *e)
{
    const int64_t wanted[DATASET_SPLITS] = {options->train, options->test};
    static const char *const keys[DATASET_SPLITS] = {"train", "test"};
    for (int split = 0; split < DATASET_SPLITS; split++) {
        if (wanted[split] > count[split])
            return error_set(e, HONE_ERR_CONFIG,
                             "%s: dataset.%s asks for %" PRId64 " images, %s holds %" PRId64, kind,
                             keys[split], wanted[split], place, count[split]);
        if (wanted[split] > 0)
            count[split] = wanted[split];
    }
    return HONE_OK;
}

static int check_labels(const char *kind, const KindLabels *l, int64_t classes, Error *e)
{
    for (int64_t i = 0; i < l->count; i++)
        if (l->labels[i] < 0 || l->labels[i] >= classes)
            return error_set(e, HONE_ERR_DATA,
                             "%s: %s: %s %" PRId64
                             " (from 0) is labelled %d, labels are 0..%" PRId64,
                             kind, l->file, l->unit, i, (int)l->labels[i], classes - 1);
    return HONE_OK;
}

static int check_empty(const char *kind, const KindLabels *train, int classes, Error *e)
{
    int status = HONE_OK;
    unsigned char *seen = calloc((size_t)classes, 1);
    if (seen == NULL)
        return error_memory(e, "the classes", (size_t)classes);
    for (int64_t i = 0; i < train->count; i++)
        seen[train->labels[i]] = 1;
    for (int k = 0; k < classes && status == HONE_OK; k++)
        if (seen[k] == 0)
            status = error_set(e, HONE_ERR_DATA, "%s: %s: class %d of 0..%d has no training sample",
                               kind, train->file, k, classes - 1);
    free(seen);
    return status;
}

int kind_classes(const char *kind, const DatasetOptions *options,
                 const KindLabels labels[DATASET_SPLITS], int *classes, Error *e)
{
    const KindLabels *train = &labels[DATASET_TRAIN];
    int64_t found = options->classes, most = found > 0 ? found : CLASSES_MAX;
    int status = check_labels(kind, train, most, e);
    for (int64_t i = 0; i < train->count && status == HONE_OK && options->classes == 0; i++)
        if (train->labels[i] >= found)
            found = train->labels[i] + 1;
    *classes = (int)found;
    if (status == HONE_OK)
        status = check_labels(kind, &labels[DATASET_TEST], found, e);
    return status == HONE_OK ? check_empty(kind, train, (int)found, e) : status;
}

int kind_held_sample(const void *state, DatasetSplit split, int64_t epoch, int64_t index,
                     uint8_t *bytes, int32_t *label, Error *e)
{
    (void)epoch;
    (void)e;
    const KindHeld *set = state;
    if (bytes != NULL)
        memcpy(bytes, set->bytes[split] + (size_t)index * set->sample_bytes, set->sample_bytes);
    *label = set->labels[split][index];
    return HONE_OK;
}

void kind_held_close(void *state)
{
    KindHeld *set = state;
    if (set == NULL)
        return;
    for (int split = 0; split < DATASET_SPLITS; split++) {
        free(set->bytes[split]);
        free(set->labels[split]);
    }
    free(set);
}
