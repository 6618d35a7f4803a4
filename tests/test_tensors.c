/* Tests of arrays from files (.npy, CSV, HDF5) and of data sets made of them. NumPy and h5py write
 * the good files (tests/oracle/tensors.py). SPDX-License-Identifier: Apache-2.0 */
#include "core/file.h"
#include "datasets/array.h"
#include "datasets/kind.h"
#include "tests/allocations.h"
#include "tests/folder.h"
#include "tests/suites.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OK(call) ck_assert_msg((call) == HONE_OK, "%s", e.text)

static char folder[64]; /* written once by prepare, read by all */
static bool written;    /* false where there is no NumPy or h5py */

static void prepare(void)
{
    char command[600];
    folder_make(folder);
    snprintf(command, sizeof command, "/usr/bin/python3 tests/oracle/tensors.py '%s' 2>/dev/null",
             folder);
    written = system(command) == 0;
    if (!written)
        puts("test_tensors: no NumPy or h5py, their files are skipped");
}

static void clean(void)
{
    folder_remove(folder);
}

static const char *in_folder(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* ---- what NumPy and h5py wrote --------------------------------------------------------------- */

static const struct {
    const char *name;
    ArrayType type;
    int rank;
    int64_t dim[4];
} kinds[] = {{"u1", ARRAY_U8, 2, {4, 5}},      {"i1", ARRAY_I8, 3, {3, 2, 4}},
             {"i4", ARRAY_I32, 1, {7}},        {"i8", ARRAY_I64, 4, {2, 3, 2, 2}},
             {"f4", ARRAY_F32, 3, {6, 1, 3}},  {"f8", ARRAY_F64, 2, {5, 4}},
             {"packed", ARRAY_F64, 2, {5, 4}}, {"big", ARRAY_F64, 2, {5, 4}}};
enum { KINDS = sizeof kinds / sizeof kinds[0], NPY_KINDS = 6 };

static void check_array(Array *a, int kind)
{
    size_t count = 1;
    ck_assert_int_eq(a->type, kinds[kind].type);
    ck_assert_int_eq(a->rank, kinds[kind].rank);
    for (int k = 0; k < a->rank; k++) {
        ck_assert_int_eq(a->dim[k], kinds[kind].dim[k]);
        count *= (size_t)a->dim[k];
    }
    ck_assert_uint_eq(a->count, count);
    for (size_t i = 0; i < count; i++)
        ck_assert_double_eq(array_at(a, i), (double)(37 * i % 120) - (kind == 0 ? 0 : 50));
    array_release(a);
}

START_TEST(npy_of_numpy)
{
    Error e = {0};
    Array a;
    for (int version = 1; version <= 3 && written; version++) {
        for (int order = 0; order < 2; order++) {
            char name[32];
            snprintf(name, sizeof name, "%s_%d%c.npy", kinds[_i].name, version, "CF"[order]);
            OK(array_read_npy(&a, in_folder(name), &e));
            check_array(&a, _i);
        }
    }
}
END_TEST

START_TEST(hdf5_of_h5py)
{
    Error e = {0};
    Array a;
    for (int i = 0; i < KINDS && written; i++) {
        OK(array_read_hdf5(&a, in_folder("arrays.h5"), kinds[i].name, &e));
        check_array(&a, i);
    }
}
END_TEST

static void hdf5_refused(const char *file, const char *name, const char *words)
{
    Error e = {0};
    Array a;
    char sentence[1024];
    snprintf(sentence, sizeof sentence, "'%s/%s' %s", folder, file, words);
    ck_assert_int_eq(array_read_hdf5(&a, in_folder(file), name, &e), HONE_ERR_DATA);
    if (words[0] == ':')
        snprintf(sentence, sizeof sentence, "'%s/%s'%s", folder, file, words);
    ck_assert_str_eq(e.text, sentence);
    ck_assert_ptr_null(a.data);
}

START_TEST(hdf5_refuses)
{
    unsigned char *bytes;
    size_t count;
    Error e = {0};
    if (!written)
        return;
    hdf5_refused("arrays.h5", "absent", "has no dataset 'absent'");
    hdf5_refused("arrays.h5", "group", ": dataset 'group' is none, or damaged");
    hdf5_refused("arrays.h5", "u2",
                 ": dataset 'u2' has elements other than uint8, int8, int32, int64, float32, "
                 "float64");
    hdf5_refused("arrays.h5", "text",
                 ": dataset 'text' has elements other than uint8, int8, int32, int64, float32, "
                 "float64");
    hdf5_refused("arrays.h5", "five", ": dataset 'five' has more than 4 axes, or none");
    hdf5_refused("arrays.h5", "hollow", ": dataset 'hollow' stores no elements");
    OK(file_read(in_folder("arrays.h5"), 1 << 20, &bytes, &count, &e));
    folder_write(folder, "cut.h5", bytes, count / 2);
    hdf5_refused("cut.h5", "f8", "is not an HDF5 file that can be read");
    free(bytes);
    folder_text(folder, "cut.h5", "no");
    hdf5_refused("cut.h5", "f8", "is not an HDF5 file that can be read");
}
END_TEST

/* ---- .npy ------------------------------------------------------------------------------------ */

#define GOOD "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }"

/* A header of 128 bytes, filled up with spaces, and six elements. */
static const struct {
    const char *header, *words;
    int version;
} headers[] = {
    {"{'descr': '|u1', 'fortran_order': False, 'shape': (2, 4), }",
     ": byte 138: 6 bytes of elements follow, its shape asks for 8", 1},
    {"{'descr': '<f8', 'fortran_order': True, 'shape': (2, 3), }",
     ": byte 138: 6 bytes of elements follow, its shape asks for 48", 1},
    {"{'descr': '|u1', 'fortran_order': False, 'shape': (9223372036854775807, 3), }",
     ": byte 79: an extent of the shape is out of range", 1},
    {"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999, 3), }",
     ": extent 99999999999 of axis 0 is out of range", 1},
    {"{'descr': '|u1', 'fortran_order': False, 'shape': (1, 1, 1, 1, 6), }",
     ": byte 74: the array has more than 4 axes", 1},
    {"{'descr': '|u1', 'fortran_order': False, 'shape': (-2, 3), }",
     ": byte 61: 'shape' is not a tuple of whole numbers", 1},
    {"{'descr': '|u1', 'fortran_order': False, 'shape': 6, }",
     ": byte 60: 'shape' is not a tuple of whole numbers", 1},
    {"{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3",
     ": byte 138: 'shape' is not a tuple of whole numbers", 1},
    {"{'descr': '>f4', 'fortran_order': False, 'shape': (2, 3), }",
     ": byte 20: elements are not little-endian uint8, int8, int32, int64, float32, float64", 1},
    {"{'descr': '|O', 'fortran_order': False, 'shape': (2, 3), }",
     ": byte 20: elements are not little-endian uint8, int8, int32, int64, float32, float64", 1},
    {"{'descr': '|u1', 'fortran_order': 0, 'shape': (2, 3), }",
     ": byte 44: 'fortran_order' is neither True nor False", 1},
    {"{'descr': '|u1', 'shape': (2, 3), }",
     ": byte 45: the header lacks descr, fortran_order or shape", 1},
    {"{'descr': '|u1', 'descr': '|u1', 'shape': (2, 3), }",
     ": byte 27: the header has something else than descr, fortran_order and shape", 1},
    {"{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), } x",
     ": byte 70: the header goes on behind its end", 1},
    {"[]", ": byte 10: the header is not a dictionary", 1},
    {GOOD, ": byte 6: version 4.0; 1.0, 2.0 and 3.0 are read", 4},
};
enum { HEADERS = sizeof headers / sizeof headers[0] };

static size_t npy_bytes(unsigned char bytes[144], const char *header, int version)
{
    memset(bytes, ' ', 144);
    memcpy(bytes, "\x93NUMPY\1\0\x80\0", 10);
    bytes[6] = (unsigned char)version;
    memcpy(bytes + 10, header, strlen(header));
    for (unsigned char i = 0; i < 6; i++)
        bytes[138 + i] = i;
    return 144;
}

static void npy_refused(const char *words)
{
    Error e = {0};
    Array a;
    char sentence[1024];
    snprintf(sentence, sizeof sentence, "'%s'%s", in_folder("bad.npy"), words);
    ck_assert_int_eq(array_read_npy(&a, in_folder("bad.npy"), &e), HONE_ERR_DATA);
    ck_assert_str_eq(e.text, sentence);
    ck_assert_ptr_null(a.data);
}

START_TEST(npy_refuses_headers)
{
    unsigned char bytes[144];
    size_t count = npy_bytes(bytes, headers[_i].header, headers[_i].version);
    folder_write(folder, "bad.npy", bytes, count);
    npy_refused(headers[_i].words);
}
END_TEST

START_TEST(npy_refuses_cuts)
{
    unsigned char bytes[145];
    Error e = {0};
    Array a;
    char words[128];
    size_t count = npy_bytes(bytes, GOOD, 1);
    for (size_t n = 0; n < count; n++) {
        folder_write(folder, "bad.npy", bytes, n);
        if (n < 6)
            snprintf(words, sizeof words, ": byte 0: not the magic string of a .npy file");
        else if (n < 138)
            snprintf(words, sizeof words, " ends at byte %zu, inside its header", n);
        else
            snprintf(words, sizeof words,
                     ": byte 138: %zu bytes of elements follow, its shape asks for 6", n - 138);
        npy_refused(words);
    }
    folder_write(folder, "good.npy", bytes, count);
    OK(array_read_npy(&a, in_folder("good.npy"), &e));
    array_release(&a);
    bytes[count] = 1;
    folder_write(folder, "bad.npy", bytes, count + 1);
    npy_refused(": byte 138: 7 bytes of elements follow, its shape asks for 6");
}
END_TEST

/* ---- CSV ------------------------------------------------------------------------------------- */

START_TEST(csv_reads)
{
    Error e = {0};
    Array a;
    folder_text(folder, "a.csv", "a,\"b\"\r\n1, -2.5e1\r\n\r\n  .5,+3\t\r\n7,8");
    OK(array_read_csv(&a, in_folder("a.csv"), true, &e));
    ck_assert(a.rank == 2 && a.dim[0] == 3 && a.dim[1] == 2 && a.count == 6);
    ck_assert_mem_eq(a.data, ((double[]){1, -25, 0.5, 3, 7, 8}), 6 * sizeof(double));
    array_release(&a);
}
END_TEST

static const struct {
    const char *text, *words;
} tables[] = {
    {"1,2\n3,4,5\n", ": line 2 has 3 columns, the lines before have 2"},
    {"1,2\n\n3\n", ": line 3 has 1 columns, the lines before have 2"},
    {"x,y\n1,2\n", ": line 1, column 1: 'x' is not a number (dataset.header: true skips a first "
                   "line of names)"},
    {"1,2\n1,two\n", ": line 2, column 2: 'two' is not a number"},
    {"1,2\n1,\n", ": line 2, column 2: '' is not a number"},
    {"1,2\n,3\n", ": line 2, column 1: '' is not a number"},
    {"1,2\n1 2,3\n", ": line 2, column 1: '1 2' is not a number"},
    {"1,2\nnan,3\n", ": line 2, column 1: 'nan' is not a number"},
    {"1,2\n3,inf\n", ": line 2, column 2: 'inf' is not a number"},
    {"1,2\n3,0x10\n", ": line 2, column 2: '0x10' is not a number"},
    {"1,2\n3,1e999\n", ": line 2, column 2: 1e999 is too large"},
    {"1;2\n", ": line 1, column 1: '1;2' is not a number (dataset.header: true skips a first line "
              "of names)"},
    {"", " has no line of numbers"},
    {"\n \n", " has no line of numbers"},
};
enum { TABLES = sizeof tables / sizeof tables[0] };

START_TEST(csv_refuses)
{
    Error e = {0};
    Array a;
    char sentence[1024];
    folder_text(folder, "bad.csv", tables[_i].text);
    snprintf(sentence, sizeof sentence, "'%s'%s", in_folder("bad.csv"), tables[_i].words);
    ck_assert_int_eq(array_read_csv(&a, in_folder("bad.csv"), false, &e), HONE_ERR_DATA);
    ck_assert_str_eq(e.text, sentence);
    folder_write(folder, "bad.csv", "1,2\n3,\0", 7);
    e = (Error){0};
    snprintf(sentence, sizeof sentence, "'%s': byte 6: a zero byte in a text file",
             in_folder("bad.csv"));
    ck_assert_int_eq(array_read_csv(&a, in_folder("bad.csv"), false, &e), HONE_ERR_DATA);
    ck_assert_str_eq(e.text, sentence);
}
END_TEST

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
    if (!written)
        return;
    check_set((DatasetOptions){.path = folder, .label_column = -1});
    snprintf(path, sizeof path, "%s/set.h5", folder);
    check_set((DatasetOptions){.path = path});
    snprintf(command, sizeof command,
             "cd '%s' && mkdir -p csv named && cp train.txt csv/train.csv && cp test.txt "
             "csv/test.csv && for n in train test; do { echo a,b,c,d,e; awk -F, -v OFS=, '{print "
             "$5,$1,$2,$3,$4}' $n.txt; } > named/$n.csv; done",
             folder);
    ck_assert_int_eq(system(command), 0);
    snprintf(path, sizeof path, "%s/csv", folder);
    check_set((DatasetOptions){.path = path, .label_column = -1});
    snprintf(path, sizeof path, "%s/named", folder);
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
    snprintf(path, sizeof path, "%s/small", folder);
    folder_text(folder, "small/train.csv", set_csv);
    folder_text(folder, "small/test.csv", "-9,2,3,999,0\n");
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
        npy_bytes(
            x, is_signed ? "{'descr': '|i1', 'fortran_order': False, 'shape': (2, 3), }" : GOOD, 1);
        x[138] = 200;
        npy_bytes(y, "{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }", 1);
        folder_write(folder, "bytes/x_train.npy", x, 144);
        folder_write(folder, "bytes/x_test.npy", x, 144);
        folder_write(folder, "bytes/y_train.npy", y, 140);
        folder_write(folder, "bytes/y_test.npy", y, 140);
        Dataset *d = open_tensors((DatasetOptions){.path = in_folder("bytes")});
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
     "samples of %s/train.csv and %s/test.csv have different shapes"},
    {"1,0\n2,1\n",
     "1,2\n",
     {.label_column = -1},
     HONE_ERR_DATA,
     "%s/test.csv: row 0 is labelled 2, labels are 0..1"},
    {"1,0\n2,-1\n",
     "1,0\n",
     {.label_column = -1},
     HONE_ERR_DATA,
     "%s/train.csv: row 1 is labelled -1, labels are 0..65535"},
    {"1,0\n2,2\n",
     "1,0\n",
     {.label_column = -1},
     HONE_ERR_DATA,
     "%s/train.csv: class 1 of 0..2 has no training sample"},
    {"1,0\n2,0.5\n",
     "1,0\n",
     {.label_column = -1},
     HONE_ERR_DATA,
     "%s/train.csv: the label of row 1 is 0.5, not a whole number"},
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
     "dataset.range has 1 numbers, it takes [lo, hi]"},
    {"1,0\n2,1\n",
     "1,0\n",
     {.label_column = 2},
     HONE_ERR_DATA,
     "%s/train.csv has 2 columns, none of them is the label column 2 beside others"},
    {"1\n2\n",
     "1\n",
     {.label_column = -1},
     HONE_ERR_DATA,
     "%s/train.csv has 1 columns, none of them is the label column 0 beside others"},
    {"1,0\n2,1\n",
     "1,0\n",
     {.label_column = -1, .shape = {3, {2, 2, 1}}},
     HONE_ERR_CONFIG,
     "%s/train.csv has 1 numbers a sample, dataset.shape [2, 2, 1] has 4"},
    {"1,0\n2,1\n",
     "1,0\n",
     {.label_column = -1, .shape = {1, {1}}},
     HONE_ERR_CONFIG,
     "dataset.shape has 1 numbers, it takes [height, width, channels]"},
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
    snprintf(path, sizeof path, "%s/bad", folder);
    folder_text(folder, "bad/train.csv", bad_sets[_i].train);
    folder_text(folder, "bad/test.csv", bad_sets[_i].test);
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
    snprintf(path, sizeof path, "%s/nan", folder);
    DatasetOptions o = {.path = path};
    npy_bytes(x, "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }", 1);
    npy_bytes(y, "{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }", 1);
    for (int i = 0; i < 6; i++)
        memcpy(x + 138 + 8 * i, &(double){i == 4 ? (double)NAN : i}, 8);
    folder_write(folder, "nan/x_train.npy", x, 138 + 48);
    snprintf(text, sizeof text, "tensors: cannot open '%s/y_train.npy': No such file or directory",
             path);
    set_refused(o, HONE_ERR_IO, text);
    folder_write(folder, "nan/y_train.npy", y, 140);
    snprintf(text, sizeof text, "tensors: %s/x_train.npy: row 1, number 1 is not a number", path);
    set_refused(o, HONE_ERR_DATA, text);
    memcpy(x + 138 + 8 * 4, &(double){-(double)INFINITY}, 8);
    folder_write(folder, "nan/x_train.npy", x, 138 + 48);
    snprintf(text, sizeof text, "tensors: %s/x_train.npy: row 1, number 1 is infinite", path);
    set_refused(o, HONE_ERR_DATA, text);
    npy_bytes(y, GOOD, 1);
    folder_write(folder, "nan/y_train.npy", y, 144);
    snprintf(text, sizeof text, "tensors: %s/y_train.npy has 2 axes; labels have 1", path);
    set_refused(o, HONE_ERR_DATA, text);
    npy_bytes(y, "{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }", 1);
    folder_write(folder, "nan/y_train.npy", y, 141);
    snprintf(text, sizeof text,
             "tensors: %s/x_train.npy has 2 samples, %s/y_train.npy has 3 labels", path, path);
    set_refused(o, HONE_ERR_DATA, text);
    folder_write(folder, "nan/x_train.npy", y, 141);
    snprintf(text, sizeof text,
             "tensors: %s/x_train.npy has 1 axes; samples of numbers take 2 to 4", path);
    set_refused(o, HONE_ERR_DATA, text);
    o.path = "/no/where";
    set_refused(o, HONE_ERR_IO, "tensors: cannot read '/no/where': No such file or directory");
}
END_TEST

START_TEST(sets_out_of_memory)
{
    char path[512];
    snprintf(path, sizeof path, "%s/memory", folder);
    folder_text(folder, "memory/train.csv", set_csv);
    folder_text(folder, "memory/test.csv", set_csv);
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

START_TEST(codes_round_and_clip)
{
    ck_assert_int_eq(array_code(0.5f, 10, 0), 10);
    ck_assert_int_eq(array_code(0.5f, 10, 0.25), 10); /* halves to even */
    ck_assert_int_eq(array_code(0.5f, 10, 0.75), 12);
    ck_assert_int_eq(array_code(0.5f, 10, 1e300), 127);
    ck_assert_int_eq(array_code(0.5f, -10, -1e300), -128);
}
END_TEST

Suite *suite_tensors(void)
{
    Suite *s = suite_create("tensors");
    TCase *t = tcase_create("tensors");
    tcase_set_timeout(t, 20);
    tcase_add_unchecked_fixture(t, prepare, clean);
    tcase_add_loop_test(t, npy_of_numpy, 0, NPY_KINDS);
    tcase_add_test(t, hdf5_of_h5py);
    tcase_add_test(t, hdf5_refuses);
    tcase_add_loop_test(t, npy_refuses_headers, 0, HEADERS);
    tcase_add_test(t, npy_refuses_cuts);
    tcase_add_test(t, csv_reads);
    tcase_add_loop_test(t, csv_refuses, 0, TABLES);
    tcase_add_test(t, sets_of_all_forms);
    tcase_add_test(t, sets_shape_and_range);
    tcase_add_test(t, sets_of_bytes);
    tcase_add_loop_test(t, sets_refused, 0, BAD_SETS);
    tcase_add_test(t, arrays_refused);
    tcase_add_test(t, sets_out_of_memory);
    tcase_add_test(t, codes_round_and_clip);
    suite_add_tcase(s, t);
    return s;
}
