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

static int find_samples(Normal *n, const DatasetKind *kind, const void *state, DatasetInfo *info,
                        Error *e)
{
    const int64_t all = info->count[DATASET_TRAIN];
    int64_t found = 0;
    n->index = malloc((size_t)all * sizeof *n->index);
    if (n->index == NULL)
        return error_memory(e, "the normal samples", (size_t)all * sizeof *n->index);
    for (int64_t i = 0; i < all; i++) {
        int32_t label;
        int status = kind->sample(state, DATASET_TRAIN, 0, i, NULL, &label, e);
        if (status != HONE_OK)
            return status;
        if (n->is[label])
            n->index[found++] = i;
    }
    info->count[DATASET_TRAIN] = found;
    return found > 0 ? HONE_OK
                     : error_set(e, HONE_ERR_CONFIG,
                                 "%s: none of the %lld training samples is of a class in "
                                 "dataset.normal",
                                 info->kind, (long long)all);
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
