/* Tests of CIFAR-10 and CIFAR-100. With HONE_DATA set they read the real CIFAR-10 as well.
 * SPDX-License-Identifier: Apache-2.0 */
#include "datasets/kind.h"
#include "tests/allocations.h"
#include "tests/expect.h"
#include "tests/folder.h"
#include "tests/suites.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static Dataset *open_kind(const DatasetKind *kind, DatasetOptions options)
{
    Error e = {0};
    Dataset *d = NULL;
    OK(dataset_open_kind(&d, kind, &options, "/nonexistent", &e));
    return d;
}

enum { CIFAR_RECORD = 3073 };

static const char *const cifar_files[] = {"data_batch_1.bin", "data_batch_2.bin",
                                          "data_batch_3.bin", "data_batch_4.bin",
                                          "data_batch_5.bin", "test_batch.bin"};

/* File number `file` with so many records; its bytes tell file, record and place. */
static void write_records(const char *f, int file, int records, int extra_bytes, int bad_label_at)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", f, cifar_files[file]);
    FILE *out = fopen(path, "wb");
    ck_assert_ptr_nonnull(out);
    for (int r = 0; r < records; r++) {
        uint8_t record[CIFAR_RECORD];
        record[0] = (uint8_t)(r == bad_label_at ? 10 : (file + r) % 10);
        for (int i = 0; i < 3072; i++)
            record[1 + i] = (uint8_t)(file * 50 + r * 7 + i / 1024 * 100 + i % 1024);
        ck_assert_uint_eq(fwrite(record, 1, sizeof record, out), sizeof record);
    }
    for (int i = 0; i < extra_bytes; i++)
        ck_assert_int_eq(fputc(0, out), 0);
    ck_assert_int_eq(fclose(out), 0);
}

static void write_cifar(const char *f)
{
    for (int i = 0; i < 6; i++)
        write_records(f, i, 3, 0, -1);
}

START_TEST(cifar_reads_records)
{
    Error e = {0};
    char f[64];
    folder_make(f);
    write_cifar(f);
    Dataset *d = open_kind(&dataset_cifar10, (DatasetOptions){.path = f});
    const DatasetInfo *info = dataset_info(d);
    ck_assert_int_eq(info->count[DATASET_TRAIN], 15);
    ck_assert_int_eq(info->count[DATASET_TEST], 3);
    ck_assert_str_eq(info->class_names[9], "truck");
    for (int i = 0; i < 18; i++) {
        uint8_t pixels[3072];
        int32_t label = -1;
        int file = i / 3, r = i % 3;
        OK(dataset_sample(d, i < 15 ? DATASET_TRAIN : DATASET_TEST, 0, i < 15 ? i : r, pixels,
                          &label, &e));
        ck_assert_int_eq(label, (file + r) % 10);
        for (int k = 0; k < 3072; k++)
            ck_assert_uint_eq(pixels[k], (uint8_t)(file * 50 + r * 7 + k % 3 * 100 + k / 3));
    }
    dataset_close(d);
    folder_remove(f);
}
END_TEST

START_TEST(cifar_limits)
{
    Error e = {0};
    char f[64];
    folder_make(f);
    for (int i = 0; i < 6; i++)
        if (i < 2 || i == 5) /* files behind the limit are not needed */
            write_records(f, i, 3, 0, -1);
    Dataset *d = open_kind(&dataset_cifar10, (DatasetOptions){.path = f, .train = 4, .test = 2});
    ck_assert_int_eq(dataset_info(d)->count[DATASET_TRAIN], 4);
    ck_assert_int_eq(dataset_info(d)->count[DATASET_TEST], 2);
    dataset_close(d);
    write_cifar(f);
    DatasetOptions o = {.path = f, .train = 16};
    ck_assert_int_eq(dataset_open_kind(&d, &dataset_cifar10, &o, "", &e), HONE_ERR_CONFIG);
    char text[480];
    snprintf(text, sizeof text, "cifar10: dataset.train asks for 16 images, %s holds 15", f);
    ck_assert_str_eq(e.text, text);
    ck_assert_ptr_null(d);
    folder_remove(f);
}
END_TEST

/* Opens a folder that must be refused with this code and a sentence that holds these words. */
static void refused(const char *f, int code, const char *words, const char *more)
{
    Error e = {0};
    Dataset *d = NULL;
    DatasetOptions o = {.path = f};
    ck_assert_int_eq(dataset_open_kind(&d, &dataset_cifar10, &o, "", &e), code);
    ck_assert_msg(strstr(e.text, words) != NULL && strstr(e.text, more) != NULL &&
                      strstr(e.text, f) != NULL,
                  "%s", e.text);
    ck_assert_ptr_null(d);
}

START_TEST(cifar_refuses_bad_files)
{
    char f[64];
    folder_make(f);
    refused(f, HONE_ERR_IO, "/data_batch_1.bin (No such file or directory)", "HONE_DATA");
    write_records(f, 0, 3, 0, -1);
    refused(f, HONE_ERR_IO, "/data_batch_2.bin (No such file or directory)", "cs.toronto.edu");
    write_cifar(f);
    write_records(f, 2, 3, 17, -1);
    refused(f, HONE_ERR_DATA, "data_batch_3.bin has 9236 bytes", "records of 3073");
    write_records(f, 2, 0, 0, -1);
    refused(f, HONE_ERR_DATA, "data_batch_3.bin has 0 bytes", "records of 3073");
    write_cifar(f);
    write_records(f, 5, 2, 3072, -1);
    refused(f, HONE_ERR_DATA, "test_batch.bin has 9218 bytes", "records of 3073");
    folder_remove(f);
}
END_TEST

/* What only a sample can find. */
START_TEST(cifar_refuses_bad_records)
{
    Error e = {0};
    char f[64];
    folder_make(f);
    uint8_t pixels[3072];
    int32_t label;
    write_cifar(f);
    write_records(f, 2, 3, 0, 1);
    Dataset *d = open_kind(&dataset_cifar10, (DatasetOptions){.path = f});
    OK(dataset_sample(d, DATASET_TRAIN, 0, 6, pixels, &label, &e));
    ck_assert_int_eq(dataset_sample(d, DATASET_TRAIN, 0, 7, pixels, &label, &e), HONE_ERR_DATA);
    ck_assert_msg(strstr(e.text, "data_batch_3.bin: record 1 has label 10, labels are 0..9"), "%s",
                  e.text);
    e = (Error){0};
    write_records(f, 5, 1, 0, -1);
    ck_assert_int_eq(dataset_sample(d, DATASET_TEST, 0, 2, pixels, &label, &e), HONE_ERR_IO);
    ck_assert_msg(strstr(e.text, "/test_batch.bin failed (it became shorter)"), "%s", e.text);
    dataset_close(d);
    folder_remove(f);
}
END_TEST

START_TEST(cifar_out_of_memory)
{
    char f[64];
    folder_make(f);
    write_cifar(f);
    DatasetOptions o = {.path = f};
    bool failed = allocations_available();
    for (int n = 1; failed; n++) {
        Error e = {0};
        Dataset *d = NULL;
        allocations_fail_at(n);
        int status = dataset_open_kind(&d, &dataset_cifar10, &o, "", &e);
        failed = allocations_failed();
        allocations_fail_at(0);
        ck_assert(status == HONE_OK || (failed && e.code == status));
        ck_assert((d != NULL) == (status == HONE_OK));
        dataset_close(d);
    }
    folder_remove(f);
}
END_TEST

START_TEST(cifar_path_defaults_to_root)
{
    Error e = {0};
    Dataset *d = NULL;
    DatasetOptions o = {.path = ""};
    ck_assert_int_eq(dataset_open_kind(&d, &dataset_cifar10, &o, "/no/where", &e), HONE_ERR_IO);
    ck_assert_ptr_nonnull(strstr(e.text, "/no/where/cifar-10-batches-bin/data_batch_1.bin"));
    char *path = malloc(5001);
    ck_assert_ptr_nonnull(path);
    memset(path, 'x', 5000);
    path[5000] = '\0';
    e = (Error){0};
    o.path = path;
    ck_assert_int_eq(dataset_open_kind(&d, &dataset_cifar10, &o, "", &e), HONE_ERR_IO);
    ck_assert_str_eq(e.text, "cifar10: the path of its folder is too long");
    free(path);
}
END_TEST

START_TEST(cifar_real)
{
    Error e = {0};
    char path[512];
    const char *root = getenv("HONE_DATA");
    snprintf(path, sizeof path, "%s/cifar-10-batches-bin", root != NULL ? root : "");
    if (root == NULL || access(path, R_OK) != 0) {
        puts("test_cifar: the real CIFAR-10 is skipped: it is not in HONE_DATA");
        return;
    }
    Dataset *d = NULL;
    DatasetOptions o = {.path = ""};
    OK(dataset_open_kind(&d, &dataset_cifar10, &o, root, &e));
    ck_assert_int_eq(dataset_info(d)->count[DATASET_TRAIN], 50000);
    ck_assert_int_eq(dataset_info(d)->count[DATASET_TEST], 10000);
    int count[DATASET_SPLITS][10] = {{0}};
    for (int split = 0; split < DATASET_SPLITS; split++) {
        for (int64_t i = 0; i < dataset_info(d)->count[split]; i++) {
            uint8_t pixels[3072];
            int32_t label;
            OK(dataset_sample(d, (DatasetSplit)split, 0, i, pixels, &label, &e));
            count[split][label]++;
        }
    }
    for (int k = 0; k < 10; k++) {
        ck_assert_int_eq(count[DATASET_TRAIN][k], 5000);
        ck_assert_int_eq(count[DATASET_TEST][k], 1000);
    }
    dataset_close(d);
}
END_TEST

/* ---- CIFAR-100 ------------------------------------------------------------------------------- */

enum { RECORD_100 = 3074 };

/* Records whose labels are (r mod 20, r mod 100) but for one. */
static void write_100(const char *f, const char *name, int records, int bad_at, int coarse,
                      int fine)
{
    uint8_t *bytes = calloc((size_t)records, RECORD_100);
    ck_assert_ptr_nonnull(bytes);
    for (int r = 0; r < records; r++) {
        uint8_t *record = bytes + (size_t)r * RECORD_100;
        record[0] = (uint8_t)(r == bad_at ? coarse : r % 20);
        record[1] = (uint8_t)(r == bad_at ? fine : r % 100);
        for (int i = 0; i < 3072; i++)
            record[2 + i] = (uint8_t)(r * 7 + i / 1024 * 100 + i % 1024);
    }
    folder_write(f, name, bytes, (size_t)records * RECORD_100);
    free(bytes);
}

START_TEST(cifar100_reads_records)
{
    Error e = {0};
    uint8_t pixels[3072];
    int32_t label;
    char f[64];
    folder_make(f);
    write_100(f, "train.bin", 120, -1, 0, 0);
    write_100(f, "test.bin", 3, -1, 0, 0);
    for (int coarse = 0; coarse < 2; coarse++) {
        Dataset *d = open_kind(&dataset_cifar100, (DatasetOptions){.path = f, .coarse = coarse});
        const DatasetInfo *info = dataset_info(d);
        ck_assert_int_eq(info->classes, coarse ? 20 : 100);
        ck_assert_str_eq(info->class_names[info->classes - 1], coarse ? "vehicles_2" : "worm");
        ck_assert_int_eq(info->count[DATASET_TRAIN], 120);
        ck_assert_int_eq(info->count[DATASET_TEST], 3);
        OK(dataset_sample(d, DATASET_TRAIN, 0, 119, pixels, &label, &e));
        ck_assert_int_eq(label, 19);
        OK(dataset_sample(d, DATASET_TRAIN, 0, 57, pixels, &label, &e));
        ck_assert_int_eq(label, coarse ? 17 : 57);
        for (int k = 0; k < 3072; k++)
            ck_assert_uint_eq(pixels[k], (uint8_t)(57 * 7 + k % 3 * 100 + k / 3));
        dataset_close(d);
    }
    folder_remove(f);
}
END_TEST

START_TEST(cifar100_refuses)
{
    char f[64];
    folder_make(f);
    char text[600];
    uint8_t pixels[3072];
    int32_t label;
    Dataset *d = NULL;
    DatasetOptions o = {.path = f};
    Error e = {0};
    write_100(f, "train.bin", 2, 1, 20, 100);
    ck_assert_int_eq(dataset_open_kind(&d, &dataset_cifar100, &o, "", &e), HONE_ERR_IO);
    snprintf(text, sizeof text,
             "cifar100: cannot read %s/test.bin (No such file or directory); unpack "
             "cifar-100-binary.tar.gz from https://www.cs.toronto.edu/~kriz/cifar.html and set "
             "HONE_DATA to the folder that holds cifar-100-binary, or dataset.path to that one",
             f);
    ck_assert_str_eq(e.text, text);
    folder_text(f, "test.bin", "x");
    e = (Error){0};
    ck_assert_int_eq(dataset_open_kind(&d, &dataset_cifar100, &o, "", &e), HONE_ERR_DATA);
    snprintf(text, sizeof text,
             "cifar100: %s/test.bin has 1 bytes, which is not a whole number of records of 3074",
             f);
    ck_assert_str_eq(e.text, text);
    write_100(f, "test.bin", 1, -1, 0, 0);
    for (o.coarse = 0; o.coarse < 2; o.coarse++) {
        e = (Error){0};
        OK(dataset_open_kind(&d, &dataset_cifar100, &o, "", &e));
        ck_assert_int_eq(dataset_sample(d, DATASET_TRAIN, 0, 1, pixels, &label, &e), HONE_ERR_DATA);
        snprintf(text, sizeof text,
                 "cifar100: %s/train.bin: record 1 has label %d, labels are 0..%d", f,
                 o.coarse ? 20 : 100, o.coarse ? 19 : 99);
        ck_assert_str_eq(e.text, text);
        dataset_close(d);
    }
    folder_remove(f);
}
END_TEST

Suite *suite_cifar(void)
{
    Suite *s = suite_create("cifar");
    TCase *cifar = tcase_create("cifar");
    tcase_set_timeout(cifar, 60);
    tcase_add_test(cifar, cifar_reads_records);
    tcase_add_test(cifar, cifar_limits);
    tcase_add_test(cifar, cifar_refuses_bad_files);
    tcase_add_test(cifar, cifar_refuses_bad_records);
    tcase_add_test(cifar, cifar_out_of_memory);
    tcase_add_test(cifar, cifar_path_defaults_to_root);
    tcase_add_test(cifar, cifar_real);
    tcase_add_test(cifar, cifar100_reads_records);
    tcase_add_test(cifar, cifar100_refuses);
    suite_add_tcase(s, cifar);
    return s;
}
