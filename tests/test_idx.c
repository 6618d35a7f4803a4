/* Tests of IDX data sets, plain and zipped. With HONE_DATA set they read the real MNIST as well.
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

#define TRAIN_X "train-images-idx3-ubyte"
#define TRAIN_Y "train-labels-idx1-ubyte"
#define TEST_X  "t10k-images-idx3-ubyte"
#define TEST_Y  "t10k-labels-idx1-ubyte"

enum { SIDE_Y = 2, SIDE_X = 3, IMAGE = SIDE_Y * SIDE_X, TRAIN = 12, TEST = 5, CLASSES = 4 };

static void put_be32(uint8_t *to, unsigned v)
{
    to[0] = (uint8_t)(v >> 24);
    to[1] = (uint8_t)(v >> 16);
    to[2] = (uint8_t)(v >> 8);
    to[3] = (uint8_t)v;
}

static void write_images(const char *f, const char *name, int count, int salt)
{
    uint8_t bytes[16 + TRAIN * IMAGE] = {0, 0, 8, 3};
    put_be32(bytes + 4, (unsigned)count);
    put_be32(bytes + 8, SIDE_Y);
    put_be32(bytes + 12, SIDE_X);
    for (int i = 0; i < count * IMAGE; i++)
        bytes[16 + i] = (uint8_t)(i * 3 + salt);
    folder_write(f, name, bytes, 16 + (size_t)(count * IMAGE));
}

static void write_labels(const char *f, const char *name, int count)
{
    uint8_t bytes[8 + TRAIN] = {0, 0, 8, 1};
    put_be32(bytes + 4, (unsigned)count);
    for (int i = 0; i < count; i++)
        bytes[8 + i] = (uint8_t)(i % CLASSES);
    folder_write(f, name, bytes, 8 + (size_t)count);
}

static void write_set(char f[64])
{
    folder_make(f);
    write_images(f, TRAIN_X, TRAIN, 0);
    write_labels(f, TRAIN_Y, TRAIN);
    write_images(f, TEST_X, TEST, 100);
    write_labels(f, TEST_Y, TEST);
}

static void check_set(DatasetOptions o)
{
    Error e = {0};
    Dataset *d = NULL;
    uint8_t pixels[IMAGE];
    int32_t label;
    OK(dataset_open_kind(&d, &dataset_idx, &o, "/nonexistent", &e));
    const DatasetInfo *info = dataset_info(d);
    ck_assert_int_eq(info->height, SIDE_Y);
    ck_assert_int_eq(info->width, SIDE_X);
    ck_assert_int_eq(info->channels, 1);
    ck_assert_int_eq(info->classes, CLASSES);
    ck_assert_int_eq(info->count[DATASET_TRAIN], o.train ? o.train : TRAIN);
    ck_assert_int_eq(info->count[DATASET_TEST], TEST);
    for (int i = 0; i < TEST; i++) {
        OK(dataset_sample(d, DATASET_TEST, 0, i, pixels, &label, &e));
        ck_assert_int_eq(label, i % CLASSES);
        for (int k = 0; k < IMAGE; k++)
            ck_assert_uint_eq(pixels[k], (uint8_t)((i * IMAGE + k) * 3 + 100));
    }
    dataset_close(d);
}

START_TEST(reads_files)
{
    char f[64];
    write_set(f);
    check_set((DatasetOptions){.path = f});
    check_set((DatasetOptions){.path = f, .train = 7});
    folder_remove(f);
}
END_TEST

/* gzip is not ours: what it makes must be read, whole files and halves of sets alike. */
START_TEST(reads_zipped_files_and_prefixes)
{
    char command[1024], prefix[300];
    char f[64];
    write_set(f);
    snprintf(command, sizeof command, "cd '%s' && gzip -9 " TRAIN_X " " TEST_Y, f);
    ck_assert_int_eq(system(command), 0);
    check_set((DatasetOptions){.path = f});
    snprintf(command, sizeof command,
             "cd '%s' && for f in train* t10k*; do mv $f letters-$(echo $f | sed 's/t10k/test/; "
             "s/-idx/.idx/'); done",
             f);
    ck_assert_int_eq(system(command), 0);
    snprintf(prefix, sizeof prefix, "%s/letters", f);
    check_set((DatasetOptions){.path = prefix});
    folder_remove(f);
}
END_TEST

/* ---- what is refused: one byte, or the end, of one file changed ------------------------------ */

typedef struct Damage {
    const char *file;
    int at; /* byte to be changed; -1: none */
    int to;
    int cut;              /* bytes that are left; 0: all */
    bool longer;          /* one byte more */
    const char *sentence; /* %s: folder */
} Damage;

static const Damage damages[] = {
    {TRAIN_X, 0, 0x1f, 0, false,
     "idx: %s/" TRAIN_X ": byte 0: not the two zeros that an IDX file starts with"},
    {TRAIN_X, 1, 1, 0, false,
     "idx: %s/" TRAIN_X ": byte 0: not the two zeros that an IDX file starts with"},
    {TRAIN_X, 2, 0x0d, 0, false,
     "idx: %s/" TRAIN_X ": byte 2: elements of type 0x0d, only unsigned bytes (0x08) are read"},
    {TRAIN_X, 3, 1, 0, false, "idx: %s/" TRAIN_X ": byte 3: 1 dimensions, images have 3 or 4"},
    {TRAIN_X, 3, 200, 0, false, "idx: %s/" TRAIN_X ": byte 3: 200 dimensions, images have 3 or 4"},
    {TEST_Y, 3, 3, 0, false, "idx: %s/" TEST_Y ": byte 3: 3 dimensions, labels have 1"},
    {TRAIN_X, -1, 0, 3, false, "idx: %s/" TRAIN_X " ends at byte 3, its header asks for 4"},
    {TRAIN_X, -1, 0, 13, false, "idx: %s/" TRAIN_X " ends at byte 13, its header asks for 16"},
    {TRAIN_X, 7, 0, 0, false, "idx: %s/" TRAIN_X ": byte 4: a size of 0 is not in 1..100000000"},
    {TRAIN_X, 8, 255, 0, false,
     "idx: %s/" TRAIN_X ": byte 8: a size of 4278190082 is not in 1..4096"},
    {TRAIN_X, 5, 16, 0, false,
     "idx: %s/" TRAIN_X
     ": byte 4: its sizes ask for 6291544 bytes, the file cannot hold more than 88"},
    {TRAIN_X, -1, 0, 87, false,
     "idx: %s/" TRAIN_X ": byte 4: its sizes ask for 88 bytes, the file cannot hold more than 87"},
    {TRAIN_X, -1, 0, 0, true, "idx: %s/" TRAIN_X " goes on behind byte 88, where its sizes end"},
    {TRAIN_X, 11, 1, 0, false, "idx: %s/" TRAIN_X " goes on behind byte 52, where its sizes end"},
    {TEST_Y, 12, 4, 0, false, "idx: %s/" TEST_Y ": item 4 (from 0) is labelled 4, labels are 0..3"},
};
enum { DAMAGES = sizeof damages / sizeof damages[0] };

static void refused_with(DatasetOptions o, int code, const char *sentence)
{
    Error e = {0};
    Dataset *d = NULL;
    ck_assert_int_eq(dataset_open_kind(&d, &dataset_idx, &o, "", &e), code);
    ck_assert_str_eq(e.text, sentence);
    ck_assert_ptr_null(d);
}

START_TEST(refuses_damage)
{
    const Damage *damage = &damages[_i];
    char path[512], sentence[1024];
    uint8_t bytes[200];
    char f[64];
    write_set(f);
    snprintf(path, sizeof path, "%s/%s", f, damage->file);
    FILE *in = fopen(path, "rb");
    ck_assert_ptr_nonnull(in);
    size_t count = fread(bytes, 1, sizeof bytes, in);
    fclose(in);
    if (damage->at >= 0)
        bytes[damage->at] = (uint8_t)damage->to;
    bytes[count] = 7;
    count = damage->cut > 0 ? (size_t)damage->cut : count + damage->longer;
    folder_write(f, damage->file, bytes, count);
    snprintf(sentence, sizeof sentence, damage->sentence, f);
    refused_with((DatasetOptions){.path = f}, HONE_ERR_DATA, sentence);
    folder_remove(f);
}
END_TEST

START_TEST(refuses_sets_that_do_not_fit)
{
    char text[1500];
    char f[64];
    write_set(f);
    snprintf(text, sizeof text, "idx: dataset.test asks for 6 images, %s/ holds 5", f);
    refused_with((DatasetOptions){.path = f, .test = 6}, HONE_ERR_CONFIG, text);
    snprintf(text, sizeof text,
             "idx: %s/" TRAIN_Y ": item 3 (from 0) is labelled 3, labels are 0..2", f);
    refused_with((DatasetOptions){.path = f, .classes = 3}, HONE_ERR_DATA, text);
    snprintf(text, sizeof text, "idx: %s/" TRAIN_Y ": class 4 of 0..4 has no training sample", f);
    refused_with((DatasetOptions){.path = f, .classes = 5}, HONE_ERR_DATA, text);
    write_labels(f, TRAIN_Y, TRAIN - 1);
    snprintf(text, sizeof text, "idx: %s/" TRAIN_X " has 12 images, %s/" TRAIN_Y " has 11 labels",
             f, f);
    refused_with((DatasetOptions){.path = f}, HONE_ERR_DATA, text);
    write_labels(f, TRAIN_Y, TRAIN);
    uint8_t other[16 + TEST * IMAGE] = {0, 0, 8, 3, 0, 0, 0, TEST, 0, 0, 0, 3, 0, 0, 0, 2};
    folder_write(f, TEST_X, other, sizeof other);
    snprintf(text, sizeof text, "idx: images are 2x3x1 in %s/" TRAIN_X ", 3x2x1 in %s/" TEST_X, f,
             f);
    refused_with((DatasetOptions){.path = f}, HONE_ERR_DATA, text);
    folder_remove(f);
    refused_with((DatasetOptions){0}, HONE_ERR_IO,
                 "idx: there is no /mnist/train-images-idx3-ubyte, nor with .gz; put the "
                 "four files of MNIST (http://yann.lecun.com/exdb/mnist) or alike into "
                 "HONE_DATA/mnist or set dataset.path to their folder or prefix");
    refused_with((DatasetOptions){.path = "/no/where"}, HONE_ERR_IO,
                 "idx: there is no /no/where-train-images-idx3-ubyte, nor with .gz; put the four "
                 "files of MNIST (http://yann.lecun.com/exdb/mnist) or alike into HONE_DATA/mnist "
                 "or set dataset.path to their folder or prefix");
}
END_TEST

/* Every cut of a zipped file, and every byte of it changed, is refused or read as it was; the CRC of
 * gzip finds what else would pass. */
START_TEST(refuses_damaged_zips)
{
    char path[512], text[1024];
    uint8_t bytes[300], damaged[300];
    char f[64];
    write_set(f);
    snprintf(text, sizeof text, "cd '%s' && gzip -n " TRAIN_X, f);
    ck_assert_int_eq(system(text), 0);
    snprintf(path, sizeof path, "%s/" TRAIN_X ".gz", f);
    FILE *in = fopen(path, "rb");
    ck_assert_ptr_nonnull(in);
    size_t count = fread(bytes, 1, sizeof bytes - 1, in);
    fclose(in);
    DatasetOptions o = {.path = f};
    for (size_t i = 0; i < 2 * count; i++) {
        Error e = {0};
        Dataset *d = NULL;
        bool cut = i < count;
        memcpy(damaged, bytes, count);
        if (!cut)
            damaged[i - count] ^= 0x10;
        folder_write(f, TRAIN_X ".gz", damaged, cut ? i : count);
        int status = dataset_open_kind(&d, &dataset_idx, &o, "", &e);
        /* Time and system in the header, and bits between the stream and its checksum, are free. */
        ck_assert_msg(status != HONE_OK || !cut, "cut at %zu", i);
        for (int k = 0; k < TRAIN && status == HONE_OK; k++) {
            uint8_t pixels[IMAGE];
            int32_t label;
            OK(dataset_sample(d, DATASET_TRAIN, 0, k, pixels, &label, &e));
            ck_assert_uint_eq(pixels[1], (uint8_t)((k * IMAGE + 1) * 3));
        }
        dataset_close(d);
    }
    folder_write(f, TRAIN_X ".gz", bytes, count - 4);
    snprintf(text, sizeof text, "'%s' ends at byte %zu, inside its gzip stream", path, count - 4);
    refused_with(o, HONE_ERR_DATA, text);
    bytes[count] = 1;
    folder_write(f, TRAIN_X ".gz", bytes, count + 1);
    snprintf(text, sizeof text, "'%s' goes on behind byte %zu, where its gzip stream ends", path,
             count);
    refused_with(o, HONE_ERR_DATA, text);
    bytes[10] = 0xff;
    folder_write(f, TRAIN_X ".gz", bytes, count);
    snprintf(text, sizeof text, "'%s': byte 11: the gzip stream is damaged (invalid block type)",
             path);
    refused_with(o, HONE_ERR_DATA, text);
    folder_remove(f);
}
END_TEST

START_TEST(out_of_memory)
{
    char f[64];
    write_set(f);
    DatasetOptions o = {.path = f};
    bool failed = allocations_available();
    for (int n = 1; failed; n++) {
        Error e = {0};
        Dataset *d = NULL;
        long alive = allocations_alive();
        allocations_fail_at(n);
        int status = dataset_open_kind(&d, &dataset_idx, &o, "", &e);
        failed = allocations_failed();
        allocations_fail_at(0);
        ck_assert(status == HONE_OK || (failed && e.code == status));
        dataset_close(d);
        ck_assert_int_eq(allocations_alive(), alive);
    }
    folder_remove(f);
}
END_TEST

START_TEST(real_mnist)
{
    Error e = {0};
    char path[512];
    const char *root = getenv("HONE_DATA");
    snprintf(path, sizeof path, "%s/mnist", root != NULL ? root : "");
    if (root == NULL || access(path, R_OK) != 0) {
        puts("test_idx: the real MNIST is skipped: it is not in HONE_DATA");
        return;
    }
    Dataset *d = NULL;
    DatasetOptions o = {.path = ""};
    OK(dataset_open_kind(&d, &dataset_idx, &o, root, &e));
    const DatasetInfo *info = dataset_info(d);
    ck_assert_int_eq(info->count[DATASET_TRAIN], 60000);
    ck_assert_int_eq(info->count[DATASET_TEST], 10000);
    ck_assert_uint_eq(info->sample_bytes, 784);
    uint8_t pixels[784];
    int32_t label, first[] = {5, 0, 4, 1, 9};
    for (int i = 0; i < 5; i++) {
        OK(dataset_sample(d, DATASET_TRAIN, 0, i, pixels, &label, &e));
        ck_assert_int_eq(label, first[i]);
    }
    dataset_close(d);
}
END_TEST

Suite *suite_idx(void)
{
    Suite *s = suite_create("idx");
    TCase *t = tcase_create("idx");
    tcase_set_timeout(t, 20);
    tcase_add_test(t, reads_files);
    tcase_add_test(t, reads_zipped_files_and_prefixes);
    tcase_add_loop_test(t, refuses_damage, 0, DAMAGES);
    tcase_add_test(t, refuses_sets_that_do_not_fit);
    tcase_add_test(t, refuses_damaged_zips);
    tcase_add_test(t, out_of_memory);
    tcase_add_test(t, real_mnist);
    suite_add_tcase(s, t);
    return s;
}
