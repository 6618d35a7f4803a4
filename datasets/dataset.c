/* Opening and reading whichever kind of data set the options select: see dataset.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "datasets/dataset.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "datasets/normal.h"

struct Dataset {
    const DatasetKind *kind;
    void *state; /* of the kind */
    Normal normal;
    DatasetInfo info;
};

static const DatasetKind *const kinds[] = {
#define DATASET_KIND(name) &dataset_##name,
#include "datasets/kinds.def"
#undef DATASET_KIND
};

const OptionTable dataset_options = {
    .name = "dataset",
    .help = "where the images come from",
    .size = sizeof(DatasetOptions),
    .options =
        (const Option[]){
            OPTION_SELECTOR("kind", DatasetOptions, kind, "shapes", "which data set"),
            OPTION_INTS("normal", DatasetOptions, normal, "", 0, OPTION_INTS_MAX, 0, 65535, "[]",
                        "classes that are normal, all others being anomalies: training has the "
                        "normal samples alone, the test split all; empty: no such task"),
            OPTION_END,
        },
    .variants =
        (const OptionVariant *const[]){
#define DATASET_KIND(name) &dataset_##name.variant,
#include "datasets/kinds.def"
#undef DATASET_KIND
            NULL,
        },
};

int dataset_open_kind(Dataset **d, const DatasetKind *kind, const DatasetOptions *options,
                      const char *root, Error *e)
{
    *d = NULL;
    Dataset *made = calloc(1, sizeof *made);
    if (made == NULL)
        return error_memory(e, "a data set", sizeof *made);
    made->kind = kind;
    made->info.kind = kind->variant.choice;
    made->info.scale = 1.0f / 128;
    int status = kind->open(&made->state, options, root, &made->info, e);
    made->info.sample_bytes =
        (size_t)made->info.height * (size_t)made->info.width * (size_t)made->info.channels;
    if (status == HONE_OK)
        status = normal_open(&made->normal, options, kind, made->state, &made->info, e);
    if (status != HONE_OK) {
        dataset_close(made);
        return status;
    }
    *d = made;
    return HONE_OK;
}

int dataset_open(Dataset **d, const DatasetOptions *options, const char *root, Error *e)
{
    *d = NULL;
    if (options->kind < 0 || (size_t)options->kind >= sizeof kinds / sizeof kinds[0])
        return error_set(e, HONE_ERR_CONFIG, "dataset: there is no kind number %d", options->kind);
    return dataset_open_kind(d, kinds[options->kind], options, root != NULL ? root : dataset_root(),
                             e);
}

void dataset_close(Dataset *d)
{
    if (d == NULL)
        return;
    normal_release(&d->normal);
    d->kind->close(d->state);
    free(d);
}

const DatasetInfo *dataset_info(const Dataset *d)
{
    return &d->info;
}

int dataset_sample(const Dataset *d, DatasetSplit split, int64_t epoch, int64_t index,
                   uint8_t *pixels, int32_t *label, Error *e)
{
    assert(split == DATASET_TRAIN || split == DATASET_TEST);
    assert(epoch >= 0 && index >= 0 && index < d->info.count[split]);
    const int64_t at = normal_index(&d->normal, split, index);
    int status = d->kind->sample(d->state, split, epoch, at, pixels, label, e);
    if (status == HONE_OK)
        *label = normal_label(&d->normal, *label);
    return status;
}

bool dataset_can_vary(const Dataset *d)
{
    return d->kind->vary != NULL;
}

int dataset_vary(const Dataset *d, const DatasetVary *vary, int64_t epoch, int64_t index,
                 uint8_t *pixels, int32_t *label, Error *e)
{
    assert(d->kind->vary != NULL && epoch >= 0);
    assert(index >= 0 && index < d->info.count[DATASET_TRAIN]);
    const int64_t at = normal_index(&d->normal, DATASET_TRAIN, index);
    int status = d->kind->vary(d->state, vary, epoch, at, pixels, label, e);
    if (status == HONE_OK)
        *label = normal_label(&d->normal, *label);
    return status;
}

const char *dataset_class_name(const Dataset *d, int label, char *buffer, size_t size)
{
    assert(label >= 0 && label < d->info.classes);
    if (d->info.class_names != NULL)
        return d->info.class_names[label];
    snprintf(buffer, size, "class %d", label);
    return buffer;
}

const char *dataset_root(void)
{
    const char *root = getenv("HONE_DATA");
    return root != NULL && root[0] != '\0' ? root : "./data";
}
