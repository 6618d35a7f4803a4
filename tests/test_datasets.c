/* Tests of the data sets: options, kinds, class names and anomalies. SPDX-License-Identifier: Apache-2.0 */
#include "datasets/augment.h"
#include "datasets/kind.h"
#include "tests/expect.h"
#include "tests/suites.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static Dataset *open_kind(const DatasetKind *kind, DatasetOptions options)
{
    Error e = {0};
    Dataset *d = NULL;
    OK(dataset_open_kind(&d, kind, &options, "/nonexistent", &e));
    return d;
}

/* ---- options and kinds ----------------------------------------------------------------------- */

START_TEST(option_tables_are_sound)
{
    Error e = {0};
    OK(option_table_check(&dataset_options, &e));
    OK(option_table_check(&augment_options, &e));
}
END_TEST

START_TEST(kind_number_out_of_range)
{
    Error e = {0};
    Dataset *d = NULL;
    DatasetOptions o = {.kind = 99};
    ck_assert_int_eq(dataset_open(&d, &o, NULL, &e), HONE_ERR_CONFIG);
    ck_assert_str_eq(e.text, "dataset: there is no kind number 99");
    ck_assert_ptr_null(d);
    dataset_close(d);
}
END_TEST

START_TEST(root_comes_from_the_environment)
{
    ck_assert_int_eq(setenv("HONE_DATA", "/srv/data", 1), 0);
    ck_assert_str_eq(dataset_root(), "/srv/data");
    ck_assert_int_eq(setenv("HONE_DATA", "", 1), 0);
    ck_assert_str_eq(dataset_root(), "./data");
    ck_assert_int_eq(unsetenv("HONE_DATA"), 0);
    ck_assert_str_eq(dataset_root(), "./data");
}
END_TEST

START_TEST(class_names)
{
    char buffer[24];
    Dataset *named = open_kind(&dataset_shapes, (DatasetOptions){.train = 1, .test = 1});
    Dataset *bare =
        open_kind(&dataset_random,
                  (DatasetOptions){.shape = {3, {1, 1, 1}}, .classes = 8, .train = 1, .test = 1});
    ck_assert_str_eq(dataset_class_name(named, 7, buffer, sizeof buffer), "star");
    ck_assert_str_eq(dataset_class_name(bare, 7, buffer, sizeof buffer), "class 7");
    dataset_close(named);
    dataset_close(bare);
}
END_TEST

START_TEST(random_holds_its_images)
{
    Error e = {0};
    DatasetOptions o = {.shape = {3, {4, 3, 2}}, .classes = 5, .train = 40, .test = 7, .seed = 3};
    Dataset *a = open_kind(&dataset_random, o), *b = open_kind(&dataset_random, o);
    const DatasetInfo *info = dataset_info(a);
    ck_assert_uint_eq(info->sample_bytes, 24);
    ck_assert_int_eq(info->count[DATASET_TRAIN], 40);
    ck_assert_int_eq(info->count[DATASET_TEST], 7);
    uint8_t p[24], q[24];
    int32_t l, m, seen = 0;
    for (int i = 0; i < 40; i++) {
        OK(dataset_sample(a, DATASET_TRAIN, 0, i, p, &l, &e));
        OK(dataset_sample(b, DATASET_TRAIN, 5, i, q, &m, &e));
        ck_assert_mem_eq(p, q, sizeof p);
        ck_assert_int_eq(l, m);
        ck_assert(l >= 0 && l < 5);
        seen |= 1 << l;
    }
    ck_assert_int_eq(seen, 31);
    OK(dataset_sample(b, DATASET_TEST, 0, 0, q, &m, &e));
    OK(dataset_sample(a, DATASET_TRAIN, 0, 0, p, &l, &e));
    ck_assert_mem_ne(p, q, sizeof p);
    dataset_close(a);
    dataset_close(b);
    o.shape.count = 2;
    ck_assert_int_eq(dataset_open_kind(&a, &dataset_random, &o, "", &e), HONE_ERR_CONFIG);
    ck_assert_str_eq(e.text, "dataset 'random': shape takes [height, width, channels], not 2 "
                             "numbers");
}
END_TEST

/* ---- anomalies ------------------------------------------------------------------------------- */

/* A kind whose samples are their own number, and classes take turns. */
static int probe_open(void **state, const DatasetOptions *options, const char *root,
                      DatasetInfo *info, Error *e)
{
    (void)state;
    (void)root;
    (void)e;
    info->count[DATASET_TRAIN] = options->train;
    info->count[DATASET_TEST] = options->test;
    info->height = info->width = info->channels = 1;
    info->classes = 5;
    return HONE_OK;
}

static int probe_sample(const void *state, DatasetSplit split, int64_t epoch, int64_t index,
                        uint8_t *pixels, int32_t *label, Error *e)
{
    (void)state;
    (void)split;
    (void)e;
    if (pixels != NULL)
        *pixels = (uint8_t)(index + 100 * epoch);
    *label = (int32_t)(index % 5);
    return HONE_OK;
}

static int probe_vary(const void *state, const DatasetVary *vary, int64_t epoch, int64_t index,
                      uint8_t *pixels, int32_t *label, Error *e)
{
    (void)vary;
    return probe_sample(state, DATASET_TRAIN, epoch + 1, index, pixels, label, e);
}

static void probe_close(void *state)
{
    (void)state;
}

static const DatasetKind probe = {.variant = {.choice = "probe"},
                                  .open = probe_open,
                                  .sample = probe_sample,
                                  .vary = probe_vary,
                                  .close = probe_close};

/* Training has classes 1 and 3 alone; the test split has all, told apart. */
START_TEST(normal_and_anomaly)
{
    Error e = {0};
    char buffer[24];
    uint8_t pixel;
    int32_t label;
    Dataset *d =
        open_kind(&probe, (DatasetOptions){.train = 20, .test = 10, .normal = {3, {3, 1, 3}}});
    const DatasetInfo *info = dataset_info(d);
    ck_assert_int_eq(info->count[DATASET_TRAIN], 8);
    ck_assert_int_eq(info->count[DATASET_TEST], 10);
    ck_assert_int_eq(info->classes, 2);
    ck_assert_str_eq(dataset_class_name(d, 0, buffer, sizeof buffer), "normal");
    ck_assert_str_eq(dataset_class_name(d, 1, buffer, sizeof buffer), "anomaly");
    for (int i = 0; i < 8; i++) {
        const int was = i / 2 * 5 + (i % 2 ? 3 : 1);
        OK(dataset_sample(d, DATASET_TRAIN, 2, i, &pixel, &label, &e));
        ck_assert_int_eq(pixel, (uint8_t)(was + 200));
        ck_assert_int_eq(label, 0);
        OK(dataset_vary(d, NULL, 0, i, &pixel, &label, &e));
        ck_assert_int_eq(pixel, (uint8_t)(was + 100));
        ck_assert_int_eq(label, 0);
    }
    for (int i = 0; i < 10; i++) {
        OK(dataset_sample(d, DATASET_TEST, 0, i, &pixel, &label, &e));
        ck_assert_int_eq(pixel, i);
        ck_assert_int_eq(label, i % 5 != 1 && i % 5 != 3);
    }
    dataset_close(d);
}
END_TEST

START_TEST(normal_refused)
{
    static const struct {
        DatasetOptions options;
        const char *sentence;
    } cases[] = {
        {{.train = 9, .normal = {1, {5}}}, "probe: dataset.normal names class 5, there are 0..4"},
        {{.train = 9, .normal = {5, {4, 3, 2, 1, 0}}},
         "probe: dataset.normal names all 5 classes and leaves none for anomalies"},
        {{.train = 4, .normal = {1, {4}}},
         "probe: none of the 4 training samples is of a class in dataset.normal"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Error e = {0};
        Dataset *d = NULL;
        ck_assert_int_eq(dataset_open_kind(&d, &probe, &cases[i].options, "", &e), HONE_ERR_CONFIG);
        ck_assert_str_eq(e.text, cases[i].sentence);
        ck_assert_ptr_null(d);
    }
}
END_TEST

Suite *suite_datasets(void)
{
    Suite *s = suite_create("datasets");
    TCase *kinds = tcase_create("kinds");
    tcase_add_test(kinds, option_tables_are_sound);
    tcase_add_test(kinds, kind_number_out_of_range);
    tcase_add_test(kinds, root_comes_from_the_environment);
    tcase_add_test(kinds, class_names);
    tcase_add_test(kinds, random_holds_its_images);
    tcase_add_test(kinds, normal_and_anomaly);
    tcase_add_test(kinds, normal_refused);
    suite_add_tcase(s, kinds);
    return s;
}
