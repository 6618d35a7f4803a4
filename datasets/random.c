/* Random pixels and labels of any shape, for benchmarks: drawn once, held in memory, so that
 * reading a sample costs a copy and nothing else. There is nothing in it to learn.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "core/rng.h"
#include "core/text.h"
#include "datasets/kind.h"

static void random_draw(KindHeld *set, const DatasetInfo *info, int split, uint64_t seed)
{
    Rng rng = rng_at(seed, RNG_BENCH, (uint64_t)split, 0);
    size_t bytes = (size_t)info->count[split] * set->sample_bytes;
    uint8_t *out = set->bytes[split];
    for (size_t i = 0; i < bytes; i += 4) {
        uint32_t word = rng_u32(&rng);
        for (size_t k = i; k < i + 4 && k < bytes; k++, word >>= 8)
            out[k] = (uint8_t)word;
    }
    for (int64_t i = 0; i < info->count[split]; i++)
        set->labels[split][i] = (int32_t)rng_below(&rng, (uint32_t)info->classes);
}

static int random_open(void **state, const DatasetOptions *options, const char *root,
                       DatasetInfo *info, Error *e)
{
    (void)root; /* reads no files */
    if (options->shape.count != 3)
        return error_set(e, HONE_ERR_CONFIG,
                         "dataset 'random': shape takes [height, width, channels], not %d number%s",
                         options->shape.count, text_plural(options->shape.count));
    info->height = (int)options->shape.v[0];
    info->width = (int)options->shape.v[1];
    info->channels = (int)options->shape.v[2];
    info->classes = (int)options->classes;
    info->count[DATASET_TRAIN] = options->train;
    info->count[DATASET_TEST] = options->test;
    KindHeld *set = calloc(1, sizeof *set);
    if (set == NULL)
        return error_memory(e, "a random data set", sizeof *set);
    *state = set;
    set->sample_bytes = (size_t)(options->shape.v[0] * options->shape.v[1] * options->shape.v[2]);
    for (int split = 0; split < DATASET_SPLITS; split++) {
        size_t count = (size_t)info->count[split];
        if (count > SIZE_MAX / set->sample_bytes)
            return error_memory(e, "the images of a random data set", SIZE_MAX);
        set->bytes[split] = malloc(count * set->sample_bytes);
        set->labels[split] = malloc(count * sizeof *set->labels[split]);
        if (set->bytes[split] == NULL || set->labels[split] == NULL)
            return error_memory(e, "the images of a random data set", count * set->sample_bytes);
        random_draw(set, info, split, (uint64_t)options->seed);
    }
    return HONE_OK;
}

const DatasetKind dataset_random = {
    .variant =
        {
            .choice = "random",
            .help = "random pixels and labels held in memory, for benchmarks",
            .options =
                (const Option[]){
                    OPTION_INTS("shape", DatasetOptions, shape, "", 3, 3, 1, 4096, "[32, 32, 3]",
                                "height, width and channels of a sample"),
                    OPTION_INT("classes", DatasetOptions, classes, "", 1, 65536, "10",
                               "number of classes"),
                    OPTION_INT("train", DatasetOptions, train, "images", 1, 1000000, "512",
                               "size of the training split"),
                    OPTION_INT("test", DatasetOptions, test, "images", 1, 1000000, "512",
                               "size of the test split"),
                    OPTION_INT("seed", DatasetOptions, seed, "", 0, INT64_MAX, "1",
                               "which set is drawn, independent of the run's seed"),
                    OPTION_END,
                },
        },
    .open = random_open,
    .sample = kind_held_sample,
    .close = kind_held_close,
};
