/* Finding anomalies in a data set with classes: see normal.h. SPDX-License-Identifier: Apache-2.0 */
#include "datasets/normal.h"

#include <stdlib.h>

static const char *const names[] = {"normal", "anomaly"};

static int mark_classes(Normal *n, const OptionInts *wanted, const DatasetInfo *info, Error *e)
{
    int count = 0;
    n->is = calloc((size_t)info->classes, sizeof *n->is);
    if (n->is == NULL)
        return error_memory(e, "the classes", (size_t)info->classes);
    for (int i = 0; i < wanted->count; i++) {
        const int64_t k = wanted->v[i];
        if (k >= info->classes)
            return error_set(e, HONE_ERR_CONFIG,
                             "%s: dataset.normal names class %lld, there are 0..%d", info->kind,
                             (long long)k, info->classes - 1);
        count += !n->is[k];
        n->is[k] = true;
    }
    if (count == info->classes)
        return error_set(e, HONE_ERR_CONFIG,
                         "%s: dataset.normal names all %d classes and leaves none for anomalies",
                         info->kind, count);
    return HONE_OK;
}

/* Labels do not depend on the epoch. */
static int find_samples(Normal *n, const DatasetKind *kind, const void *state, DatasetInfo *info,
                        Error *e)
{
    const int64_t all = info->count[DATASET_TRAIN];
    uint8_t *pixels = malloc(info->sample_bytes);
    int status = HONE_OK;
    int64_t found = 0;
    n->index = malloc((size_t)all * sizeof *n->index);
    if (pixels == NULL || n->index == NULL)
        status = error_memory(e, "the normal samples", (size_t)all * sizeof *n->index);
    for (int64_t i = 0; i < all && status == HONE_OK; i++) {
        int32_t label = 0;
        status = kind->sample(state, DATASET_TRAIN, 0, i, pixels, &label, e);
        if (status == HONE_OK && n->is[label])
            n->index[found++] = i;
    }
    free(pixels);
    if (status == HONE_OK && found == 0)
        status = error_set(e, HONE_ERR_CONFIG,
                           "%s: none of the %lld training samples is of a class in dataset.normal",
                           info->kind, (long long)all);
    info->count[DATASET_TRAIN] = found;
    return status;
}

int normal_open(Normal *n, const DatasetOptions *options, const DatasetKind *kind,
                const void *state, DatasetInfo *info, Error *e)
{
    *n = (Normal){0};
    if (options->normal.count == 0)
        return HONE_OK;
    int status = mark_classes(n, &options->normal, info, e);
    if (status == HONE_OK)
        status = find_samples(n, kind, state, info, e);
    info->classes = 2;
    info->class_names = names;
    return status;
}

void normal_release(Normal *n)
{
    free(n->is);
    free(n->index);
    *n = (Normal){0};
}

int64_t normal_index(const Normal *n, DatasetSplit split, int64_t index)
{
    return n->index != NULL && split == DATASET_TRAIN ? n->index[index] : index;
}

int32_t normal_label(const Normal *n, int32_t label)
{
    return n->is != NULL ? !n->is[label] : label;
}
