/* Tests of data sets made of arrays in files (.npy, CSV, HDF5). SPDX-License-Identifier: Apache-2.0 */
#include "core/file.h"
#include "datasets/array.h"
#include "datasets/kind.h"
#include "tests/allocations.h"
#include "tests/array_files.h"
#include "tests/expect.h"
#include "tests/folder.h"
#include "tests/suites.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- data sets ------------------------------------------------------------------------------- */

static Dataset *open_tensors(DatasetOptions o)
{
    Error e = {0};
    Dataset *d = NULL;
    OK(dataset_open_kind(&d, &dataset_tensors, &o, "/nonexistent", &e));
    return d;
}

/* The set of tensors.py, 0.25 i - 3 on the grid of its extremes, from whatever files. */
static void check_set(DatasetOptions o)
{
    Error e = {0};
    uint8_t bytes[4];
    int32_t label;
    Dataset *d = open_tensors(o);
    const DatasetInfo *info = dataset_info(d);
    ck_assert_int_eq(info->height * info->width, 1);
    ck_assert_int_eq(info->channels, 4);
    ck_assert_int_eq(info->classes, 3);
    ck_assert_int_eq(info->count[DATASET_TRAIN], 6);
    ck_assert_int_eq(info->count[DATASET_TEST], 3);
    ck_assert_float_eq_tol(info->scale, 5.75f / 255, 1e-7f);
    for (int i = 0; i < 9; i++) {
        int row = i < 6 ? i : i - 5;
        OK(dataset_sample(d, i < 6 ? DATASET_TRAIN : DATASET_TEST, 0, i < 6 ? i : i - 6, bytes,
                          &label, &e));
        ck_assert_int_eq(label, row % 3);
        for (int k = 0; k < 4; k++) {
            double real = (double)info->scale * (bytes[k] - 128 - info->zero_point);
            ck_assert_double_eq_tol(real, (row * 4 + k) * 0.25 - 3, 0.51 * (double)info->scale);
        }
    }
    OK(dataset_sample(d, DATASET_TRAIN, 0, 0, bytes, &label, &e));
    ck_assert_uint_eq(bytes[0], 0);
    OK(dataset_sample(d, DATASET_TRAIN, 0, 5, bytes, &label, &e));
    ck_assert_uint_eq(bytes[3], 255);
    dataset_close(d);
}

START_TEST(sets_of_all_forms)
{
    char path[512], command[1100];
    if (!array_files_written)
        return;
    check_set((DatasetOptions){.path = array_folder, .label_column = -1});
    snprintf(path, sizeof path, "%s/set.h5", array_folder);
    check_set((DatasetOptions){.path = path});
    snprintf(command, sizeof command,
             "cd '%s' && mkdir -p csv named && cp train.txt csv/train.csv && cp test.txt "
             "csv/test.csv && for n in train test; do { echo a,b,c,d,e; awk -F, -v OFS=, '{print "
             "$5,$1,$2,$3,$4}' $n.txt; } > named/$n.csv; done",
             array_folder);
    ck_assert_int_eq(system(command), 0);
    snprintf(path, sizeof path, "%s/csv", array_folder);
    check_set((DatasetOptions){.path = path, .label_column = -1});
    snprintf(path, sizeof path, "%s/named", array_folder);
    check_set((DatasetOptions){.path = path, .label_column = 0, .header = true});
}
END_TEST

static const char set_csv[] = "1,2,3,4,0\n5,6,7,8,1\n";

START_TEST(sets_shape_and_range)
{
    Error e = {0};
    uint8_t bytes[4];
    int32_t label;
    char path[512];
    snprintf(path, sizeof path, "%s/small", array_folder);
    folder_text(array_folder, "small/train.csv", set_csv);
    folder_text(array_folder, "small/test.csv", "-9,2,3,999,0\n");
    Dataset *d = open_tensors((DatasetOptions){
        .path = path, .label_column = -1, .shape = {3, {2, 2, 1}}, .range = {2, {-27.5, 100}}});
    const DatasetInfo *info = dataset_info(d);
    ck_assert(info->height == 2 && info->width == 2 && info->channels == 1);
    ck_assert_float_eq(info->scale, 0.5f);
    ck_assert_int_eq(info->zero_point, -128 + 55);
    OK(dataset_sample(d, DATASET_TEST, 0, 0, bytes, &label, &e));
    ck_assert_mem_eq(bytes, ((uint8_t[]){37, 59, 61, 255}), 4);
    dataset_close(d);
}
END_TEST

/* uint8 and int8 stay what they are. */
START_TEST(sets_of_bytes)
{
    Error e = {0};
    uint8_t bytes[3];
    int32_t label;
    for (int is_signed = 0; is_signed < 2; is_signed++) {
        unsigned char x[144], y[144];
        npy_bytes(x,
                  is_signed ? "{'descr': '|i1', 'fortran_order': False, 'shape': (2, 3), }"
                            : NPY_2_BY_3,
                  1);
        x[138] = 200;
        npy_bytes(y, "{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }", 1);
        folder_write(array_folder, "bytes/x_train.npy", x, 144);
        folder_write(array_folder, "bytes/x_test.npy", x, 144);
        folder_write(array_folder, "bytes/y_train.npy", y, 140);
        folder_write(array_folder, "bytes/y_test.npy", y, 140);
        Dataset *d = open_tensors((DatasetOptions){.path = array_path("bytes")});
        OK(dataset_sample(d, DATASET_TRAIN, 0, 0, bytes, &label, &e));
        ck_assert_uint_eq(bytes[0], is_signed ? 72 : 200);
        ck_assert_uint_eq(bytes[1], is_signed ? 129 : 1);
        ck_assert_float_eq(dataset_info(d)->scale, 1);
        ck_assert_int_eq(dataset_info(d)->zero_point, is_signed ? 0 : -128);
        dataset_close(d);
    }
}
END_TEST

static const struct {
    const char *train, *test;
    DatasetOptions o;
    int code;
    const char *sentence; /* behind "tensors: ", %s: the folder */
} bad_sets[] = {
    {"1,0\n2,1\n",
     "1,2,0\n",
     {.label_column = -1},
     HONE_ERR_DATA,
     "samples are 1x1x1 in %s/train.csv, 1x1x2 in %s/test.csv"},
    {"1,0\n2,1\n",
     "1,2\n",
     {.label_column = -1},
     HONE_ERR_DATA,
     "%s/test.csv: row 0 (from 0) is labelled 2, labels are 0..1"},
    {"1,0\n2,-1\n",
     "1,0\n",
     {.label_column = -1},
     HONE_ERR_DATA,
     "%s/train.csv: row 1 (from 0) is labelled -1, labels are 0..65535"},
    {"1,0\n2,2\n",
     "1,0\n",
     {.label_column = -1},
     HONE_ERR_DATA,
     "%s/train.csv: class 1 of 0..2 has no training sample"},
    {"1,0\n2,0.5\n",
     "1,0\n",
     {.label_column = -1},
     HONE_ERR_DATA,
     "%s/train.csv: the label of row 1 (from 0) is 0.5, not a whole number"},
    {"1,0\n1,1\n",
     "1,0\n",
     {.label_column = -1},
     HONE_ERR_DATA,
     "numbers from 1 to 1 (%s/train.csv) cannot be told apart on a grid"},
    {"1,0\n2,1\n",
     "1,0\n",
     {.label_column = -1, .range = {2, {3, 2}}},
     HONE_ERR_DATA,
     "numbers from 3 to 2 (dataset.range) cannot be told apart on a grid"},
    {"1,0\n2,1\n",
     "1,0\n",
     {.label_column = -1, .range = {1, {3}}},
     HONE_ERR_CONFIG,
     "dataset.range takes [lo, hi], not 1 number"},
    {"1,0\n2,1\n",
     "1,0\n",
     {.label_column = 2},
     HONE_ERR_DATA,
     "%s/train.csv has 2 columns, dataset.label_column is 2 (from 0)"},
    {"1\n2\n",
     "1\n",
     {.label_column = -1},
     HONE_ERR_DATA,
     "%s/train.csv has one column; a sample takes one for its label beside others"},
    {"1,0\n2,1\n",
     "1,0\n",
     {.label_column = -1, .shape = {3, {2, 2, 1}}},
     HONE_ERR_CONFIG,
     "a sample of %s/train.csv has 1 number, dataset.shape [2, 2, 1] has 4"},
    {"1,0\n2,1\n",
     "1,0\n",
     {.label_column = -1, .shape = {1, {1}}},
     HONE_ERR_CONFIG,
     "dataset.shape takes [height, width, channels], not 1 number"},
    {"1,0\n2,1\n",
     "1,0\n",
     {.label_column = -1, .train = 3},
     HONE_ERR_CONFIG,
     "dataset.train asks for 3 images, %s holds 2"},
    {"1,0\n2,x\n",
     "1,0\n",
     {.label_column = -1},
     HONE_ERR_DATA,
     "'%s/train.csv': line 2, column 2: 'x' is not a number"},
};
enum { BAD_SETS = sizeof bad_sets / sizeof bad_sets[0] };

static void set_refused(DatasetOptions o, int code, const char *sentence)
{
    Error e = {0};
    Dataset *d = NULL;
    ck_assert_int_eq(dataset_open_kind(&d, &dataset_tensors, &o, "", &e), code);
    ck_assert_str_eq(e.text, sentence);
    ck_assert_ptr_null(d);
}

START_TEST(sets_refused)
{
    char path[512], text[1200];
    snprintf(path, sizeof path, "%s/bad", array_folder);
    folder_text(array_folder, "bad/train.csv", bad_sets[_i].train);
    folder_text(array_folder, "bad/test.csv", bad_sets[_i].test);
    DatasetOptions o = bad_sets[_i].o;
    o.path = path;
    strcpy(text, "tensors: ");
    snprintf(text + 9, sizeof text - 9, bad_sets[_i].sentence, path, path);
    set_refused(o, bad_sets[_i].code, text);
}
END_TEST

START_TEST(arrays_refused)
{
    char text[1200], path[512];
    unsigned char x[144 + 48], y[144];
    snprintf(path, sizeof path, "%s/nan", array_folder);
    DatasetOptions o = {.path = path};
    npy_bytes(x, "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }", 1);
    npy_bytes(y, "{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }", 1);
    for (int i = 0; i < 6; i++)
        memcpy(x + 138 + 8 * i, &(double){i == 4 ? (double)NAN : i}, 8);
    folder_text(array_folder, "nan/readme.txt", "soon");
    snprintf(text, sizeof text, "tensors: there is neither %s/x_train.npy nor %s/train.csv", path,
             path);
    set_refused(o, HONE_ERR_IO, text);
    folder_write(array_folder, "nan/x_train.npy", x, 138 + 48);
    snprintf(text, sizeof text, "tensors: cannot open '%s/y_train.npy': No such file or directory",
             path);
    set_refused(o, HONE_ERR_IO, text);
    folder_write(array_folder, "nan/y_train.npy", y, 140);
    snprintf(text, sizeof text, "tensors: %s/x_train.npy: row 1, number 1 (from 0) is not a number",
             path);
    set_refused(o, HONE_ERR_DATA, text);
    memcpy(x + 138 + 8 * 4, &(double){-(double)INFINITY}, 8);
    folder_write(array_folder, "nan/x_train.npy", x, 138 + 48);
    snprintf(text, sizeof text, "tensors: %s/x_train.npy: row 1, number 1 (from 0) is infinite",
             path);
    set_refused(o, HONE_ERR_DATA, text);
    npy_bytes(y, NPY_2_BY_3, 1);
    folder_write(array_folder, "nan/y_train.npy", y, 144);
    snprintf(text, sizeof text, "tensors: %s/y_train.npy has rank 2; labels have 1", path);
    set_refused(o, HONE_ERR_DATA, text);
    npy_bytes(y, "{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }", 1);
    folder_write(array_folder, "nan/y_train.npy", y, 141);
    snprintf(text, sizeof text,
             "tensors: %s/x_train.npy has 2 samples, %s/y_train.npy has 3 labels", path, path);
    set_refused(o, HONE_ERR_DATA, text);
    folder_write(array_folder, "nan/x_train.npy", y, 141);
    snprintf(text, sizeof text,
             "tensors: %s/x_train.npy has rank 1; samples of numbers take 2 to 4", path);
    set_refused(o, HONE_ERR_DATA, text);
    o.path = "/no/where";
    set_refused(o, HONE_ERR_IO, "tensors: cannot read '/no/where': No such file or directory");
}
END_TEST

START_TEST(sets_out_of_memory)
{
    char path[512];
    snprintf(path, sizeof path, "%s/memory", array_folder);
    folder_text(array_folder, "memory/train.csv", set_csv);
    folder_text(array_folder, "memory/test.csv", set_csv);
    DatasetOptions o = {.path = path, .label_column = -1};
    bool failed = allocations_available();
    for (int n = 1; failed; n++) {
        Error e = {0};
        Dataset *d = NULL;
        long alive = allocations_alive();
        allocations_fail_at(n);
        int status = dataset_open_kind(&d, &dataset_tensors, &o, "", &e);
        failed = allocations_failed();
        allocations_fail_at(0);
        ck_assert((status == HONE_OK) == !failed && e.code == status);
        dataset_close(d);
        ck_assert_int_eq(allocations_alive(), alive);
    }
}
END_TEST

Suite *suite_tensors(void)
{
    Suite *s = suite_create("tensors");
    TCase *t = tcase_create("tensors");
    tcase_set_timeout(t, 20);
    tcase_add_unchecked_fixture(t, array_files_make, array_files_remove);
    tcase_add_test(t, sets_of_all_forms);
    tcase_add_test(t, sets_shape_and_range);
    tcase_add_test(t, sets_of_bytes);
    tcase_add_loop_test(t, sets_refused, 0, BAD_SETS);
    tcase_add_test(t, arrays_refused);
    tcase_add_test(t, sets_out_of_memory);
    suite_add_tcase(s, t);
    return s;
}
