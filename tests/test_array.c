/* Tests of arrays from files (.npy, CSV, HDF5). NumPy and h5py write the good ones
 * (tests/oracle/tensors.py). SPDX-License-Identifier: Apache-2.0 */
#include "core/file.h"
#include "datasets/array.h"
#include "tests/array_files.h"
#include "tests/expect.h"
#include "tests/folder.h"
#include "tests/suites.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    for (int version = 1; version <= 3 && array_files_written; version++) {
        for (int order = 0; order < 2; order++) {
            char name[32];
            snprintf(name, sizeof name, "%s_%d%c.npy", kinds[_i].name, version, "CF"[order]);
            OK(array_read_npy(&a, array_path(name), &e));
            check_array(&a, _i);
        }
    }
}
END_TEST

START_TEST(hdf5_of_h5py)
{
    Error e = {0};
    Array a;
    for (int i = 0; i < KINDS && array_files_written; i++) {
        OK(array_read_hdf5(&a, array_path("arrays.h5"), kinds[i].name, &e));
        check_array(&a, i);
    }
}
END_TEST

static void hdf5_refused(const char *file, const char *name, const char *words)
{
    Error e = {0};
    Array a;
    char sentence[1024];
    snprintf(sentence, sizeof sentence, "'%s/%s' %s", array_folder, file, words);
    ck_assert_int_eq(array_read_hdf5(&a, array_path(file), name, &e), HONE_ERR_DATA);
    if (words[0] == ':')
        snprintf(sentence, sizeof sentence, "'%s/%s'%s", array_folder, file, words);
    ck_assert_str_eq(e.text, sentence);
    ck_assert_ptr_null(a.data);
}

START_TEST(hdf5_refuses)
{
    unsigned char *bytes;
    size_t count;
    Error e = {0};
    if (!array_files_written)
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
    hdf5_refused("arrays.h5", "sparse",
                 ": dataset 'sparse' stores fewer elements than its shape has");
    OK(file_read(array_path("arrays.h5"), 1 << 20, &bytes, &count, &e));
    folder_write(array_folder, "cut.h5", bytes, count / 2);
    hdf5_refused("cut.h5", "f8", "is not an HDF5 file that can be read");
    free(bytes);
    folder_text(array_folder, "cut.h5", "no");
    hdf5_refused("cut.h5", "f8", "is not an HDF5 file that can be read");
}
END_TEST

/* ---- .npy ------------------------------------------------------------------------------------ */

/* A header of 128 bytes, filled up with spaces, and six elements. */
static const struct {
    const char *header, *words;
    int version;
} headers[] = {
    {"{'descr': '|u1', 'fortran_order': False, 'shape': (2, 4), }",
     ": byte 138: 6 bytes of elements follow, its shape asks for 8", 1},
    {"{'descr': '<f8', 'fortran_order': True, 'shape': (2, 3), }",
     ": byte 138: 6 bytes of elements follow, its shape asks for 48", 1},
    {"{'descr': '|u1', 'fortran_order': False, 'shape': (68000000000,), }",
     ": byte 138: 6 bytes of elements follow, its shape asks for 68000000000", 1},
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
     ": byte 20: elements are '>f4', not little-endian uint8, int8, int32, int64, float32, float64",
     1},
    {"{'descr': '|O', 'fortran_order': False, 'shape': (2, 3), }",
     ": byte 20: elements are '|O', not little-endian uint8, int8, int32, int64, float32, float64",
     1},
    {"{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (2, 3), }",
     ": byte 20: elements are not little-endian uint8, int8, int32, int64, float32, float64", 1},
    {"{'descr': 'a type without an end",
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
    {NPY_2_BY_3, ": byte 6: version 4.0; 1.0, 2.0 and 3.0 are read", 4},
};
enum { HEADERS = sizeof headers / sizeof headers[0] };

static void npy_refused(const char *words)
{
    Error e = {0};
    Array a;
    char sentence[1024];
    snprintf(sentence, sizeof sentence, "'%s'%s", array_path("bad.npy"), words);
    ck_assert_int_eq(array_read_npy(&a, array_path("bad.npy"), &e), HONE_ERR_DATA);
    ck_assert_str_eq(e.text, sentence);
    ck_assert_ptr_null(a.data);
}

START_TEST(npy_refuses_headers)
{
    unsigned char bytes[144];
    size_t count = npy_bytes(bytes, headers[_i].header, headers[_i].version);
    folder_write(array_folder, "bad.npy", bytes, count);
    npy_refused(headers[_i].words);
}
END_TEST

START_TEST(npy_refuses_cuts)
{
    unsigned char bytes[145];
    Error e = {0};
    Array a;
    char words[128];
    size_t count = npy_bytes(bytes, NPY_2_BY_3, 1);
    for (size_t n = 0; n < count; n++) {
        folder_write(array_folder, "bad.npy", bytes, n);
        if (n < 6)
            snprintf(words, sizeof words, ": byte 0: not the magic string of a .npy file");
        else if (n < 138)
            snprintf(words, sizeof words, " ends at byte %zu, inside its header", n);
        else
            snprintf(words, sizeof words,
                     ": byte 138: %zu bytes of elements follow, its shape asks for 6", n - 138);
        npy_refused(words);
    }
    folder_write(array_folder, "good.npy", bytes, count);
    OK(array_read_npy(&a, array_path("good.npy"), &e));
    array_release(&a);
    bytes[count] = 1;
    folder_write(array_folder, "bad.npy", bytes, count + 1);
    npy_refused(": byte 138: 7 bytes of elements follow, its shape asks for 6");
}
END_TEST

/* ---- CSV ------------------------------------------------------------------------------------- */

START_TEST(csv_reads)
{
    static const double wanted[] = {1, -25, 0.5, 3, 7, 8};
    Error e = {0};
    Array a;
    folder_text(array_folder, "a.csv", "a,\"b\"\r\n1, -2.5e1\r\n\r\n  .5,+3\t\r\n7,8");
    OK(array_read_csv(&a, array_path("a.csv"), true, &e));
    ck_assert(a.rank == 2 && a.dim[0] == 3 && a.dim[1] == 2 && a.count == 6);
    for (size_t i = 0; i < a.count; i++)
        ck_assert_double_eq(array_at(&a, i), wanted[i]);
    array_release(&a);
    /* As spreadsheets write UTF-8. */
    folder_text(array_folder, "a.csv",
                "\xef\xbb\xbf"
                "1,-25\n");
    OK(array_read_csv(&a, array_path("a.csv"), false, &e));
    ck_assert(a.count == 2 && array_at(&a, 0) == 1 && array_at(&a, 1) == -25);
    array_release(&a);
}
END_TEST

static const struct {
    const char *text, *words;
} tables[] = {
    {"1,2\n3,4,5\n", ": line 2 has 3 columns, the lines before have 2"},
    {"1,2\n\n3\n", ": line 3 has 1 column, the lines before have 2"},
    {"x,y\n1,2\n", ": line 1, column 1: 'x' is not a number (a first line of names: "
                   "dataset.header: true, or --header)"},
    {"1;2\n", ": line 1, column 1: '1;2' is not a number (columns are separated by commas)"},
    {"1,2\n3\t4\n", ": line 2, column 1: '3\t4' is not a number (columns are separated by commas)"},
    {"1,2\n1,two\n", ": line 2, column 2: 'two' is not a number"},
    {"1,2\n1,\n", ": line 2, column 2: '' is not a number"},
    {"1,2\n,3\n", ": line 2, column 1: '' is not a number"},
    {"1,2\n1 2,3\n", ": line 2, column 1: '1 2' is not a number"},
    {"1,2\nnan,3\n", ": line 2, column 1: 'nan' is not a number"},
    {"1,2\n3,inf\n", ": line 2, column 2: 'inf' is not a number"},
    {"1,2\n3,0x10\n", ": line 2, column 2: '0x10' is not a number"},
    {"1,2\n3,1e999\n", ": line 2, column 2: 1e999 is too large"},
    {"", " has no line of numbers"},
    {"\n \n", " has no line of numbers"},
};
enum { TABLES = sizeof tables / sizeof tables[0] };

START_TEST(csv_refuses)
{
    Error e = {0};
    Array a;
    char sentence[1024];
    folder_text(array_folder, "bad.csv", tables[_i].text);
    snprintf(sentence, sizeof sentence, "'%s'%s", array_path("bad.csv"), tables[_i].words);
    ck_assert_int_eq(array_read_csv(&a, array_path("bad.csv"), false, &e), HONE_ERR_DATA);
    ck_assert_str_eq(e.text, sentence);
    folder_write(array_folder, "bad.csv", "1,2\n3,\0", 7);
    e = (Error){0};
    snprintf(sentence, sizeof sentence, "'%s': byte 6: a zero byte in a text file",
             array_path("bad.csv"));
    ck_assert_int_eq(array_read_csv(&a, array_path("bad.csv"), false, &e), HONE_ERR_DATA);
    ck_assert_str_eq(e.text, sentence);
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

Suite *suite_array(void)
{
    Suite *s = suite_create("array");
    TCase *t = tcase_create("array");
    tcase_set_timeout(t, 20);
    tcase_add_unchecked_fixture(t, array_files_make, array_files_remove);
    tcase_add_loop_test(t, npy_of_numpy, 0, NPY_KINDS);
    tcase_add_test(t, hdf5_of_h5py);
    tcase_add_test(t, hdf5_refuses);
    tcase_add_loop_test(t, npy_refuses_headers, 0, HEADERS);
    tcase_add_test(t, npy_refuses_cuts);
    tcase_add_test(t, csv_reads);
    tcase_add_loop_test(t, csv_refuses, 0, TABLES);
    tcase_add_test(t, codes_round_and_clip);
    suite_add_tcase(s, t);
    return s;
}
