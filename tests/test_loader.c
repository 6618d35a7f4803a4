/* Tests of the loader: what batches hold, whatever the timing.
 * SPDX-License-Identifier: Apache-2.0 */
#include "core/rng.h"
#include "datasets/kind.h"
#include "datasets/loader.h"
#include "tests/allocations.h"
#include "tests/expect.h"
#include "tests/suites.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static Dataset *open_kind(const DatasetKind *kind, DatasetOptions options)
{
    Error e = {0};
    Dataset *d = NULL;
    OK(dataset_open_kind(&d, kind, &options, "/nonexistent", &e));
    return d;
}

static void pause_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

/* A kind of data set for tests: 2x3x1 pixels that tell index and epoch, some late, one failing. */

enum { PROBE_TRAIN = 23, PROBE_TEST = 11 };

typedef struct Probe {
    int64_t fails_at; /* index, -1: none */
    bool slow;
} Probe;

static Probe probe_wanted; /* what the next open gets: set and used by one thread of one process */

static int probe_open(void **state, const DatasetOptions *options, const char *root,
                      DatasetInfo *info, Error *e)
{
    (void)root;
    Probe *p = malloc(sizeof *p);
    if (p == NULL)
        return error_memory(e, "a probe", sizeof *p);
    *p = probe_wanted;
    *state = p;
    info->height = 2;
    info->width = 3;
    info->channels = 1;
    info->classes = 256;
    info->count[DATASET_TRAIN] = options->train > 0 ? options->train : PROBE_TRAIN;
    info->count[DATASET_TEST] = options->test > 0 ? options->test : PROBE_TEST;
    return HONE_OK;
}

static int probe_sample(const void *state, DatasetSplit split, int64_t epoch, int64_t index,
                        uint8_t *pixels, int32_t *label, Error *e)
{
    const Probe *p = state;
    if (p->slow && index % 4 == 1)
        pause_ms(index % 3);
    if (index == p->fails_at)
        return error_set(e, HONE_ERR_IO, "probe: sample %d is gone", (int)index);
    for (int i = 0; i < 6; i++)
        pixels[i] = (uint8_t)(index * 6 + i);
    pixels[5] = (uint8_t)epoch;
    pixels[4] = (uint8_t)split;
    *label = (int32_t)index;
    return HONE_OK;
}

static const DatasetKind probe_kind = {
    .variant = {.choice = "probe"}, .open = probe_open, .sample = probe_sample, .close = free};

static Dataset *open_probe(bool slow, int64_t fails_at)
{
    probe_wanted = (Probe){.slow = slow, .fails_at = fails_at};
    return open_kind(&probe_kind, (DatasetOptions){0});
}

/* ---- what batches hold ----------------------------------------------------------------------- */

static Loader *make_loader(const Dataset *d, LoaderOptions options)
{
    Error e = {0};
    Loader *l = NULL;
    OK(loader_new(&l, d, &options, &e));
    return l;
}

/* FNV-1a (Fowler, Noll, Vo). */
static uint32_t hash_bytes(uint32_t hash, const void *bytes, size_t count)
{
    const uint8_t *p = bytes;
    for (size_t i = 0; i < count; i++)
        hash = (hash ^ p[i]) * 16777619u;
    return hash;
}

/* A batch boiled down, to compare runs; its x must follow from its pixels. */
static uint32_t batch_hash(const Batch *b, size_t sample_bytes)
{
    size_t values = (size_t)b->count * sample_bytes;
    for (size_t i = 0; i < values; i++)
        ck_assert(b->x[i] == ((Real)b->pixels[i] - 128) / 128);
    uint32_t hash = hash_bytes(2166136261u, b->pixels, values);
    if (b->others != NULL) {
        hash = hash_bytes(hash, b->others, (size_t)b->count * sizeof *b->others);
        hash = hash_bytes(hash, b->shares, (size_t)b->count * sizeof *b->shares);
    }
    return hash_bytes(hash, b->labels, (size_t)b->count * sizeof *b->labels);
}

/* The hash of every batch from (epoch, step) to the end; returns how many there were. */
static int run_through(Loader *l, size_t sample_bytes, int64_t epoch, int64_t step,
                       uint32_t *hashes)
{
    Error e = {0};
    const Batch *b = NULL;
    int count = 0;
    OK(loader_start(l, epoch, step, &e));
    for (;;) {
        OK(loader_next(l, &b, &e));
        if (b == NULL)
            return count;
        int64_t at = epoch * loader_steps(l) + step + count;
        ck_assert_int_eq(b->epoch, at / loader_steps(l));
        ck_assert_int_eq(b->step, at % loader_steps(l));
        ck_assert(b->last == (b->step == loader_steps(l) - 1));
        hashes[count++] = batch_hash(b, sample_bytes);
    }
}

START_TEST(training_shuffles_and_drops_the_rest)
{
    Error e = {0};
    Dataset *d = open_probe(false, -1);
    Loader *l = make_loader(d, (LoaderOptions){.training = true, .batch = 5, .seed = 4});
    ck_assert_int_eq(loader_steps(l), 4); /* 23 / 5 */
    OK(loader_start(l, 0, 0, &e));
    int32_t orders[3][20];
    for (int i = 0; i < 12; i++) {
        const Batch *b = NULL;
        OK(loader_next(l, &b, &e));
        ck_assert_int_eq(b->count, 5);
        memcpy(&orders[i / 4][i % 4 * 5], b->labels, 5 * sizeof(int32_t));
        for (int k = 0; k < 5; k++)
            ck_assert_uint_eq(b->pixels[k * 6], (uint8_t)(b->labels[k] * 6));
    }
    for (int epoch = 0; epoch < 3; epoch++) {
        uint32_t seen = 0, order[PROBE_TRAIN];
        for (int i = 0; i < 20; i++) {
            ck_assert(orders[epoch][i] >= 0 && orders[epoch][i] < PROBE_TRAIN);
            ck_assert_uint_eq(seen >> orders[epoch][i] & 1, 0);
            seen |= 1u << orders[epoch][i];
        }
        Rng rng = rng_at(4, RNG_SHUFFLE, (uint64_t)epoch, 0);
        rng_permutation(&rng, order, PROBE_TRAIN);
        for (int i = 0; i < 20; i++)
            ck_assert_int_eq(orders[epoch][i], (int)order[i]);
    }
    ck_assert_mem_ne(orders[0], orders[1], sizeof orders[0]);
    loader_free(l);
    dataset_close(d);
}
END_TEST

START_TEST(evaluation_is_in_order_and_complete)
{
    Error e = {0};
    Dataset *d = open_probe(false, -1);
    AugmentOptions augment = {.flip = true, .crop = 2}; /* not for evaluation */
    Loader *l =
        make_loader(d, (LoaderOptions){.split = DATASET_TEST, .batch = 4, .augment = &augment});
    ck_assert_int_eq(loader_steps(l), 3);
    for (int round = 0; round < 2; round++) {
        OK(loader_start(l, 0, 0, &e));
        const Batch *b = NULL;
        for (int step = 0; step < 3; step++) {
            OK(loader_next(l, &b, &e));
            ck_assert_int_eq(b->count, step < 2 ? 4 : 3);
            ck_assert(b->last == (step == 2));
            for (int k = 0; k < b->count; k++) {
                ck_assert_int_eq(b->labels[k], step * 4 + k);
                ck_assert_uint_eq(b->pixels[k * 6 + 1], (uint8_t)(b->labels[k] * 6 + 1));
                ck_assert_uint_eq(b->pixels[k * 6 + 4], DATASET_TEST);
            }
        }
        for (int i = 0; i < 2; i++) {
            OK(loader_next(l, &b, &e));
            ck_assert_ptr_null(b);
        }
    }
    loader_free(l);
    dataset_close(d);
}
END_TEST

START_TEST(limit_cuts_the_split)
{
    Dataset *d = open_probe(false, -1);
    uint32_t hashes[8];
    Loader *l = make_loader(d, (LoaderOptions){.batch = 4, .limit = 6});
    ck_assert_int_eq(loader_steps(l), 2);
    ck_assert_int_eq(run_through(l, 6, 0, 0, hashes), 2);
    loader_free(l);
    l = make_loader(d, (LoaderOptions){.batch = 4, .limit = 1000});
    ck_assert_int_eq(loader_steps(l), 6);
    loader_free(l);
    dataset_close(d);
}
END_TEST

START_TEST(timing_and_threads_change_nothing)
{
    enum { EPOCHS = 5, BATCHES = EPOCHS * 7 };
    AugmentOptions augment = {.flip = true, .crop = 1};
    uint32_t first[BATCHES], hashes[BATCHES];
    const struct {
        int threads, ahead;
        bool slow;
    } cases[] = {{1, 1, false}, {1, 3, true},  {4, 1, true},
                 {3, 7, true},  {4, 40, true}, {4, 4, false}};
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        Dataset *d = open_probe(cases[k].slow, -1);
        Loader *l = make_loader(d, (LoaderOptions){.training = true,
                                                   .batch = 3,
                                                   .epochs = EPOCHS,
                                                   .seed = 9,
                                                   .augment = &augment,
                                                   .threads = cases[k].threads,
                                                   .ahead = cases[k].ahead});
        ck_assert_int_eq(run_through(l, 6, 0, 0, k == 0 ? first : hashes), BATCHES);
        if (k > 0)
            ck_assert_mem_eq(first, hashes, sizeof first);
        loader_free(l);
        dataset_close(d);
    }
}
END_TEST

START_TEST(resumed_equals_continuous)
{
    enum { EPOCHS = 3, STEPS = 4, BATCHES = EPOCHS * STEPS };
    Dataset *d =
        open_kind(&dataset_shapes, (DatasetOptions){.train = 35, .test = 1, .fresh = true});
    AugmentOptions augment = {.flip = true, .crop = 2};
    LoaderOptions how = {.training = true,
                         .batch = 8,
                         .epochs = EPOCHS,
                         .seed = 5,
                         .augment = &augment,
                         .threads = 2};
    Loader *l = make_loader(d, how), *again = make_loader(d, how);
    uint32_t all[BATCHES], part[BATCHES];
    ck_assert_int_eq(run_through(l, 3072, 0, 0, all), BATCHES);
    for (int from = BATCHES - 1; from >= 0; from--) {
        ck_assert_int_eq(run_through(again, 3072, from / STEPS, from % STEPS, part),
                         BATCHES - from);
        ck_assert_mem_eq(all + from, part, (size_t)(BATCHES - from) * sizeof *part);
    }
    Error e = {0};
    const Batch *b = NULL;
    OK(loader_start(l, 1, STEPS, &e)); /* the end of an epoch is the start of the next */
    OK(loader_next(l, &b, &e));
    ck_assert(b->epoch == 2 && b->step == 0);
    ck_assert_uint_eq(batch_hash(b, 3072), all[2 * STEPS]);
    OK(loader_start(l, EPOCHS, 0, &e));
    OK(loader_next(l, &b, &e));
    ck_assert_ptr_null(b);
    loader_free(l);
    loader_free(again);
    dataset_close(d);
}
END_TEST

/* Each sample is what augment.h makes of it and its partner, whoever prepares it, wherever the loader
 * was started. */
START_TEST(mixup_mixes_samples_and_labels)
{
    enum { STEPS = PROBE_TRAIN / 5, ALL = 2 * STEPS };
    Error e = {0};
    const Batch *b = NULL;
    uint32_t one[ALL], many[ALL], late[ALL];
    Dataset *d = open_probe(true, -1);
    AugmentOptions augment = {.mixup = 1, .flip = true};
    LoaderOptions o = {
        .training = true, .batch = 5, .epochs = 2, .seed = 8, .augment = &augment, .threads = 1};
    Loader *l = make_loader(d, o);
    ck_assert_int_eq(run_through(l, 6, 0, 0, one), ALL);
    ck_assert_int_eq(run_through(l, 6, 1, 1, late), STEPS - 1);
    ck_assert_mem_eq(late, one + STEPS + 1, (STEPS - 1) * sizeof *late);
    OK(loader_start(l, 1, 0, &e));
    OK(loader_next(l, &b, &e));
    int mixed = 0;
    for (int i = 0; i < b->count; i++) {
        AugmentMix mix = augment_mix(&augment, o.seed, 1, b->labels[i], PROBE_TRAIN);
        int64_t index[2] = {b->labels[i], mix.partner};
        uint8_t pixels[2][6], drawn[6];
        int32_t label;
        for (int k = 0; k < 2; k++) {
            AugmentDraw draw = augment_draw(&augment, o.seed, 1, index[k]);
            OK(dataset_sample(d, DATASET_TRAIN, 1, index[k], drawn, &label, &e));
            augment_apply(&draw, 2, 3, 1, drawn, pixels[k]);
        }
        augment_blend(mix.share, pixels[1], pixels[0], 6);
        ck_assert_mem_eq(pixels[0], b->pixels + i * 6, 6);
        ck_assert_int_eq(b->shares[i], mix.share);
        ck_assert_int_eq(b->others[i], mix.share > 0 ? mix.partner : b->labels[i]);
        mixed += mix.share > 0;
    }
    ck_assert_int_gt(mixed, 2);
    loader_free(l);
    o.threads = 3;
    l = make_loader(d, o);
    ck_assert_int_eq(run_through(l, 6, 0, 0, many), ALL);
    ck_assert_mem_eq(one, many, sizeof one);
    loader_free(l);
    o.training = false; /* evaluation mixes nothing */
    l = make_loader(d, o);
    OK(loader_start(l, 0, 0, &e));
    OK(loader_next(l, &b, &e));
    ck_assert_ptr_null(b->others);
    ck_assert_ptr_null(b->shares);
    loader_free(l);
    dataset_close(d);
}
END_TEST

START_TEST(lent_batch_stays_untouched)
{
    Error e = {0};
    Dataset *d = open_probe(false, -1);
    Loader *l =
        make_loader(d, (LoaderOptions){.training = true, .batch = 5, .ahead = 1, .threads = 3});
    OK(loader_start(l, 0, 0, &e));
    const Real *seen[2] = {NULL, NULL};
    for (int i = 0; i < 12; i++) {
        const Batch *b = NULL;
        OK(loader_next(l, &b, &e));
        uint32_t before = batch_hash(b, 6);
        pause_ms(2); /* time to prepare far more than one batch */
        ck_assert_uint_eq(before, batch_hash(b, 6));
        if (i < 2)
            seen[i] = b->x;
        ck_assert(b->x == seen[i % 2]); /* two buffers, in turn: nothing new is allocated */
    }
    loader_free(l);
    dataset_close(d);
}
END_TEST

START_TEST(full_loader_sleeps)
{
    Error e = {0};
    Dataset *d = open_probe(false, -1);
    Loader *l = make_loader(d, (LoaderOptions){.training = true, .batch = 5, .threads = 2});
    OK(loader_start(l, 0, 0, &e));
    pause_ms(20);
    struct timespec before, after;
    ck_assert_int_eq(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before), 0);
    pause_ms(100);
    ck_assert_int_eq(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after), 0);
    int64_t ns = (after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec;
    ck_assert_int_lt(ns, 20000000);
    loader_free(l);
    dataset_close(d);
}
END_TEST

START_TEST(errors_surface_in_their_turn)
{
    Error e = {0};
    Dataset *d = open_probe(true, 9); /* in the third batch of four */
    Loader *l = make_loader(d, (LoaderOptions){.batch = 4, .threads = 3});
    const Batch *b = NULL;
    for (int round = 0; round < 2; round++) {
        e = (Error){0};
        OK(loader_start(l, 0, 0, &e));
        for (int step = 0; step < 2; step++) {
            OK(loader_next(l, &b, &e));
            ck_assert_int_eq(b->step, step);
        }
        for (int i = 0; i < 2; i++) {
            e = (Error){0};
            ck_assert_int_eq(loader_next(l, &b, &e), HONE_ERR_IO);
            ck_assert_str_eq(e.text, "probe: sample 9 is gone");
            ck_assert_ptr_null(b);
        }
    }
    e = (Error){0};
    OK(loader_start(l, 0, 3, &e)); /* behind the bad one */
    OK(loader_next(l, &b, &e));
    ck_assert_int_eq(b->labels[0], 12);
    loader_free(l);
    dataset_close(d);
}
END_TEST

START_TEST(loader_refuses)
{
    Error e = {0};
    Dataset *d = open_probe(false, -1);
    Loader *l = NULL;
    LoaderOptions how = {.training = true, .batch = 24};
    ck_assert_int_eq(loader_new(&l, d, &how, &e), HONE_ERR_CONFIG);
    ck_assert_str_eq(e.text, "train.batch: 24 is more than the 23 training images of 'probe'");
    ck_assert_ptr_null(l);
    e = (Error){0};
    how.batch = 5;
    OK(loader_new(&l, d, &how, &e));
    ck_assert_int_eq(loader_start(l, 2, 5, &e), HONE_ERR_CONFIG);
    ck_assert_str_eq(e.text, "dataset 'probe': cannot start at epoch 2, step 5: an epoch has 4 "
                             "steps");
    loader_free(l); /* never started */
    loader_free(NULL);
    dataset_close(d);
}
END_TEST

START_TEST(freeing_while_busy)
{
    Error e = {0};
    for (int i = 0; i < 20; i++) {
        Dataset *d = open_probe(true, -1);
        Loader *l = make_loader(d, (LoaderOptions){.training = true, .batch = 5, .threads = 3});
        OK(loader_start(l, 0, 0, &e));
        OK(loader_start(l, 1, 2, &e));
        loader_free(l);
        dataset_close(d);
    }
}
END_TEST

/* Opening a set and making a loader, with every allocation refused in turn. */
START_TEST(out_of_memory)
{
    const LoaderOptions how = {.training = true, .batch = 8, .threads = 2};
    const DatasetOptions options = {.train = 20, .test = 20, .shape = {3, {4, 4, 1}}, .classes = 3};
    const DatasetKind *const kinds[] = {&dataset_shapes, &dataset_random};
    for (int k = 0; allocations_available() && k < 2; k++) {
        int status = HONE_ERR_MEMORY;
        for (int n = 1; status != HONE_OK; n++) {
            Error e = {0};
            Dataset *d = NULL;
            Loader *l = NULL;
            errno = ENOMEM; /* glibc's pthread_create asserts that a refusal sets it */
            allocations_fail_at(n);
            status = dataset_open_kind(&d, kinds[k], &options, "", &e);
            if (status == HONE_OK)
                status = loader_new(&l, d, &how, &e);
            bool failed = allocations_failed();
            allocations_fail_at(0);
            ck_assert_msg(status == (failed ? HONE_ERR_MEMORY : HONE_OK), "%d: %s", n, e.text);
            ck_assert((l != NULL) == (status == HONE_OK));
            loader_free(l);
            dataset_close(d);
        }
    }
}
END_TEST

Suite *suite_loader(void)
{
    Suite *s = suite_create("loader");
    TCase *loader = tcase_create("batches");
    tcase_set_timeout(loader, 30);
    tcase_add_test(loader, training_shuffles_and_drops_the_rest);
    tcase_add_test(loader, evaluation_is_in_order_and_complete);
    tcase_add_test(loader, limit_cuts_the_split);
    tcase_add_test(loader, timing_and_threads_change_nothing);
    tcase_add_test(loader, resumed_equals_continuous);
    tcase_add_test(loader, mixup_mixes_samples_and_labels);
    tcase_add_test(loader, lent_batch_stays_untouched);
    tcase_add_test(loader, full_loader_sleeps);
    tcase_add_test(loader, errors_surface_in_their_turn);
    tcase_add_test(loader, loader_refuses);
    tcase_add_test(loader, freeing_while_busy);
    tcase_add_test(loader, out_of_memory);
    suite_add_tcase(s, loader);
    return s;
}
